/*
 * What came of many runs, each in a process of its own with one fault: a table by
 * the source file where the fault struck.
 */
#ifndef TESTS_FAULTS_TALLY_H
#define TESTS_FAULTS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tally_outcome {
	TALLY_WRONG = 0, /* an assertion of the test failed, or it ended early */
	TALLY_NONE,	 /* the fault did not strike: there are not so many */
	TALLY_UNHARMED,	 /* as without a fault */
	TALLY_LATE,	 /* delivered later */
	TALLY_REFUSED,	 /* the caller was told, asked again, delivered */
	TALLY_LEAK,	 /* as well, but memory was lost */
	TALLY_LOST,	 /* never delivered */
	TALLY_CRASH,	 /* ended by a signal; SIGALRM: it hung */
};
#define TALLY_OUTCOMES (TALLY_CRASH + 1)

struct tally_run {
	enum tally_outcome outcome;
	uint64_t number; /* which fault, from 1 */
	uint64_t where;	 /* memory.h; or a small number that the test gives */
	int signal;
	int64_t value; /* of the run: a count, a time, a number of lost allocations */
};

/*
 * Run job(arg, n, run) in a process of its own, which may last so many seconds. With
 * RESTANTE_FAULTS_AT=n only that one, and in this process, for a debugger.
 */
void tally_fork(struct tally_run *run, void (*job)(void *arg, uint64_t n, struct tally_run *run),
    void *arg, uint64_t n, unsigned seconds);
bool tally_good(const struct tally_run *run);
/* Print the table, and each run that is not good with its place. Returns how many those are. */
size_t tally_print(const struct tally_run *runs, size_t n);
/*
 * Which of 1..total are to be tried: all with RESTANTE_FAULTS=all, else about `usual`,
 * evenly from a start that is drawn. Returns the step.
 */
uint64_t tally_step(uint64_t total, uint64_t usual);

#endif
