/*
 * Pieces of work that do not depend on each other, several at a time: what comes out
 * must not depend on how many.
 */
#ifndef EVALUATION_JOBS_H
#define EVALUATION_JOBS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define JOBS_MAX 256

struct jobs {
	size_t count; /* pieces, begun in the order of their numbers */
	/* do piece i; from any of the threads */
	enum err (*piece)(void *arg, size_t i, struct diag *d);
	/* piece i is done; from any of the threads, never by two at once; may be NULL */
	void (*over)(void *arg, size_t i);
	void *arg;
};

/* How many threads: as many as are wanted; for 0, one for each core that is online. */
unsigned jobs_threads(int64_t wanted);

/*
 * Do all pieces, `threads` at a time. The first that fails ends it: its error and its
 * sentence are returned, and none is begun after it. ERR_MEMORY.
 */
RST_MUST_USE enum err jobs_run(const struct jobs *j, unsigned threads, struct diag *d);

#endif
