/*
 * What a daemon takes away from itself before it reads from the network, so that whoever
 * takes it over gets little: docs/sandbox.md. In this order: an account that is not
 * root's, files and signals (Landlock, before the first thread), system calls (seccomp, on
 * all threads, when everything is open).
 */
#ifndef MIX_SANDBOX_H
#define MIX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "mix/report.h"

#define SANDBOX_PATHS_MAX 16
#define SANDBOX_PATH_BYTES 1100

enum sandbox_right {
	SANDBOX_READ,	 /* a file, or all files of a directory */
	SANDBOX_STATE,	 /* a directory: all but running programs */
	SANDBOX_SOCKETS, /* a directory: make and remove unix sockets there */
};

struct sandbox {
	bool off; /* by configuration */
	struct {
		enum sandbox_right right;
		char path[SANDBOX_PATH_BYTES];
	} paths[SANDBOX_PATHS_MAX];
	size_t count;
	int abi;	 /* Landlock's, once enforced; 0: none */
	bool filtered;	 /* system calls */
	const char *why; /* they are not; NULL: they are */
};

/* Nothing is allowed yet. */
void sandbox_init(struct sandbox *s, bool off);
/*
 * Paths are absolute, copied, and looked up by sandbox_files; one that is not there then
 * is left out, but for SANDBOX_STATE. ERR_FULL, ERR_RANGE: too many, too long.
 */
RST_MUST_USE enum err sandbox_allow(struct sandbox *s, enum sandbox_right right, const char *path);
/* The directory of an address of the form unix:/path; nothing for others. */
RST_MUST_USE enum err sandbox_allow_socket(struct sandbox *s, const char *address);
/*
 * The file that tor's cookie is likely to be in: the one named, or else those beside tor's
 * control socket and where distributions have it. cookie: NULL if it is not named.
 */
RST_MUST_USE enum err sandbox_allow_cookie(struct sandbox *s, const char *control,
    const char *cookie);

/*
 * Become this user, with its groups alone, for good. An empty name, or who we are already:
 * nothing happens. ERR_USAGE, ERR_NOT_FOUND, ERR_IO with a sentence.
 */
RST_MUST_USE enum err sandbox_become(const char *user, struct diag *d);
/* Close the files. Before the first thread. ERR_IO with a sentence. */
RST_MUST_USE enum err sandbox_files(struct sandbox *s, struct diag *d);
/* Close the system calls, and log how the sandbox stands. ERR_IO with a sentence. */
RST_MUST_USE enum err sandbox_calls(struct sandbox *s, struct log *log, struct diag *d);
/* The section "sandbox" of `status`. */
void sandbox_report(const struct sandbox *s, struct report *r);

#endif
