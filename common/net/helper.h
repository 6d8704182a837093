/*
 * A small process beside a daemon that runs programs for it, because the daemon itself
 * may not once its sandbox is closed. It is forked before that, and before any secret is
 * read; what it may run is fixed then, word for word, but for a few words at the end that
 * the daemon chooses: at most HELPER_WORDS_MAX, of lower-case letters, digits and '-'.
 *
 * One run of each program at a time. They get an environment of PATH alone, /dev/null
 * for standard input, output and error, no other file of ours, no ignored or blocked
 * signal, and a process group of their own, and die with the helper, which ends when the
 * daemon does, whatever it ends of. A call waits for the helper's answer, which comes at once.
 */
#ifndef COMMON_NET_HELPER_H
#define COMMON_NET_HELPER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define HELPER_PROGRAMS_MAX 2
#define HELPER_WORDS_MAX 3
#define HELPER_WORD_BYTES 64 /* with its NUL */
#define HELPER_ARGUMENTS_MAX 12
#define HELPER_PATIENCE_MS 2000 /* between SIGTERM and SIGKILL in helper_end */
#define HELPER_NOT_STARTED 127

struct helper;

/* argv[0] is the absolute path; the strings are borrowed until helper_new returns. */
struct helper_program {
	const char *argv[HELPER_ARGUMENTS_MAX]; /* NULL behind the last */
	size_t words_max;  /* that may follow */
	const char *writes; /* NULL, or the only directory that it may write in (by Landlock) */
};

/*
 * Fork it. Before the first thread, key and sandbox. ERR_USAGE for a table that is too
 * large, ERR_MEMORY, ERR_IO with a sentence.
 */
RST_MUST_USE enum err helper_new(struct helper **out, const struct helper_program *programs,
    size_t count, struct diag *d);
/* End it, with what it runs, and wait for it. NULL is a no-op. */
void helper_free(struct helper *h);

/*
 * Run the program of this place of the table. ERR_USAGE for words that it does not take,
 * ERR_BUSY while it runs, ERR_IO if it cannot be started (*why: the errno, or 0),
 * ERR_CLOSED if the helper is gone.
 */
RST_MUST_USE enum err helper_run(struct helper *h, size_t program, const char *const words[],
    size_t n, int *why);
/*
 * Whether it runs. If not, *status is waitpid's of its last run (0 before the first).
 * Without a helper it does not run, and failed.
 */
bool helper_runs(struct helper *h, size_t program, int *status);
/* Send a signal to it and its group, if it runs. */
void helper_signal(struct helper *h, size_t program, int signal);
/* End it: SIGTERM, and SIGKILL after HELPER_PATIENCE_MS. Blocks so long. */
void helper_end(struct helper *h, size_t program);

#endif
