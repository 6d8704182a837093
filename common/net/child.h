/*
 * A program that runs as our child, and never longer than we do: the kernel
 * kills it when we die, whatever we die of. It gets none of our files and
 * signal settings, no terminal, and /dev/null for input and output.
 *
 * Its end is waited for on a thread of its own and reaped on the loop: no
 * SIGCHLD is handled, so other users of the process are not disturbed, and its
 * process id stays ours until child_free, or until `ended` was called.
 */
#ifndef COMMON_NET_CHILD_H
#define COMMON_NET_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "common/net/loop.h"

#define CHILD_PATIENCE_MS 2000 /* between SIGTERM and SIGKILL in child_free */
#define CHILD_PATH_BYTES 4096

struct child;

/* It has ended: status is waitpid's. Not a place to call child_free. */
typedef void child_ended(void *arg, int status);

/*
 * The absolute path of a program: one with a '/' as it is, another one sought in
 * $PATH and then in /usr/local/sbin, /usr/sbin and /sbin. ERR_NOT_FOUND.
 */
RST_MUST_USE enum err child_find(char out[static CHILD_PATH_BYTES], const char *program);

/*
 * Start an absolute path with the arguments argv (NULL at the end; argv[0] is
 * its name). On the loop's thread, which must be the process's main one, for the
 * child lives as long as that. ERR_MEMORY, ERR_IO with a sentence.
 */
RST_MUST_USE enum err child_start(struct child **out, struct loop *l, const char *path,
    char *const argv[], child_ended *ended, void *arg, struct diag *d);
/*
 * Between fork and exec: all signals as a program expects them at its start, with their
 * defaults and none blocked. Safe there.
 */
void child_forget_signals(void);
/*
 * In the parent: the errno that a child wrote to its end of a pipe because exec failed, or
 * 0: the end closed by itself, and the program runs. Blocks until then.
 */
int child_read_report(int fd);
pid_t child_pid(const struct child *c);
bool child_runs(const struct child *c);
/* Send a signal, if it still runs. */
void child_signal(const struct child *c, int signal);
/*
 * End it, by force if it does not within CHILD_PATIENCE_MS, and reap it. Blocks
 * so long. `ended` is not called any more. NULL is a no-op.
 */
void child_free(struct child *c);

#endif
