/*
 * restante-charter: what its commands share, and the commands. Each reads its
 * operands, does one thing, and returns the exit code.
 */
#ifndef COMMON_CHARTER_TOOL_TOOL_H
#define COMMON_CHARTER_TOOL_TOOL_H

#include <stdbool.h>

#include "common/charter/charter.h"
#include "common/config/options.h"

enum tool_exit {
	TOOL_OK = 0,
	TOOL_REFUSED = 1,	 /* the charter, line or key is not acceptable */
	TOOL_USAGE = 64,	 /* the command line makes no sense */
	TOOL_NO_INPUT = 66,	 /* a file cannot be read */
	TOOL_CANNOT_CREATE = 73, /* a file cannot be written, or exists */
};

#define TOOL_PATH_BYTES 1024

/* "restante-charter: FILE: sentence" (path may be NULL); returns code. */
int tool_complain(const struct call *c, int code, const char *path, const struct diag *d);

enum tool_want { TOOL_DRAFT, TOOL_CHARTER };
/* Read and parse a file; 0, or the exit code after the complaint. */
int tool_load(struct charter **out, const struct call *c, const char *path, enum tool_want want);

/* A draft on its way through a change. */
struct tool_draft {
	const char *path;
	struct charter *charter;
	size_t signatures; /* that it had */
};
/* Load a draft to change it: refused if enough authorities have signed it. */
int tool_open(struct tool_draft *out, const struct call *c, const char *path);
/*
 * After the change: check the draft, put it in the file's place, and say so if
 * signatures were dropped. Frees it. Returns the exit code.
 */
int tool_commit(struct tool_draft *t, const struct call *c);
/* Give the change up: complain and free it; returns TOOL_REFUSED. */
int tool_abandon(struct tool_draft *t, const struct call *c, const struct diag *d);

/* Write a charter with its signatures to a new file, or in place of its own. */
int tool_create(const struct call *c, const char *path, const struct charter *ch);
int tool_replace(const struct call *c, const char *path, const struct charter *ch);
/* The operands from the i-th on, joined by spaces, or the first line of standard input for "-". */
int tool_line(char *out, size_t size, const struct call *c, size_t i);

/* ---- commands ---- */

int tool_run_create(const struct call *c);
int tool_run_add_node(const struct call *c);
int tool_run_change_node(const struct call *c);
int tool_run_remove_node(const struct call *c);
int tool_run_add_authority(const struct call *c);
int tool_run_remove_authority(const struct call *c);
int tool_run_set(const struct call *c);
int tool_run_next(const struct call *c);
int tool_run_keygen(const struct call *c);
int tool_run_sign(const struct call *c);
int tool_run_combine(const struct call *c);
int tool_run_show(const struct call *c);
int tool_run_verify(const struct call *c);
int tool_run_verify_evidence(const struct call *c);
int tool_run_parameters(const struct call *c);

/* The structs that their options are read into; main.c has the rows. */
struct tool_create_options {
	char name[CHARTER_NAME_MAX], not_after[32];
	int64_t threshold;
};
struct tool_node_options {
	int64_t layer; /* -1: not given */
};
struct tool_next_options {
	int64_t from_epoch; /* 0: not given */
};
struct tool_sign_options {
	char key[TOOL_PATH_BYTES];
};
struct tool_combine_options {
	char output[TOOL_PATH_BYTES];
};
struct tool_show_options {
	bool json;
};
struct tool_verify_options {
	char previous[TOOL_PATH_BYTES];
};

#endif
