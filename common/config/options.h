/*
 * Command lines from tables: a program, its options (rows of a config_schema,
 * common/config/table.h) and its commands. All programs of the tree get their
 * --help, --version, error sentences and exit codes from here.
 *
 *   --name value   --name=value   -n value   --switch   --   operands
 *
 * A CONFIG_BOOL is a switch without a value. Long names are never shortened: a
 * script must not break when an option is added. Options may stand behind
 * operands, but those of the program stand before the command.
 */
#ifndef COMMON_CONFIG_OPTIONS_H
#define COMMON_CONFIG_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/config/table.h"

/* Exit codes of sysexits.h; other failures are 1. */
enum options_exit {
	OPTIONS_EXIT_OK = 0,
	OPTIONS_EXIT_FAILURE = 1,
	OPTIONS_EXIT_USAGE = 64,    /* the command line makes no sense */
	OPTIONS_EXIT_DATA = 65,     /* an input file is malformed */
	OPTIONS_EXIT_SOFTWARE = 70, /* no memory, no libsodium */
	OPTIONS_EXIT_IO = 74,
	OPTIONS_EXIT_BUSY = 75,   /* try again later */
	OPTIONS_EXIT_CONFIG = 78, /* the configuration makes no sense */
};

struct program;
struct command;

/* What a command line came to. */
struct call {
	const struct program *program;
	const struct command *command; /* NULL: the program has none */
	const void *options;           /* the struct of program->options */
	const void *own;               /* the struct of command->options */
	char **operands;               /* what is no option; NULL-terminated */
	size_t operand_count;
	FILE *out, *err;
};

struct command {
	const char *name;
	const char *operands; /* "CONTACT TEXT", for people; NULL: none */
	const char *summary;  /* without a full stop */
	size_t operands_min, operands_max;
	const struct config_schema *options; /* may be NULL */
	int (*run)(const struct call *c);    /* returns the exit code */
};

struct program {
	const char *name, *summary;
	const struct config_schema *options; /* may be NULL */
	/* Keys of its configuration file, for --describe-config and --default-config. */
	const struct config_schema *config; /* may be NULL */
	const struct command *commands;     /* if command_count is 0, only is run */
	size_t command_count;
	const struct command *only;
};

/*
 * The body of main: secret_setup(), then options_run() on stdout and stderr.
 * The exit code is not 0 if stdout could not be written.
 */
int options_main(const struct program *p, int argc, char **argv);

/* Read a command line and run what it says; returns the exit code. */
int options_run(const struct program *p, int argc, char **argv, FILE *out, FILE *err);

/*
 * "restante-mix: sentence" on c->err (err_text(e) if d has none), and the exit
 * code for e: for `return options_fail(c, e, &d)`.
 */
int options_fail(const struct call *c, enum err e, const struct diag *d);

#endif
