/*
 * What the benchmarks share. Every figure stands beside a floor of the same
 * run: the least that the same machine needs for the part that cannot be
 * avoided. Floor and measurement take turns, medians are compared, so that a
 * busy machine slows both. scripts/bench runs the programs and prints.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/base/err.h"

#define BENCH_ROUNDS 25 /* floor and measurement in turn, this often */

struct bench_result {
	const char *name, *unit, *floor;
	double value[BENCH_ROUNDS], floor_value[BENCH_ROUNDS];
	size_t rounds;
	bool less_is_better; /* the ratio is then floor : value */
};

/* Seconds: CPU time of this thread; of this process; of the wall. */
double bench_thread_s(void);
double bench_process_s(void);
double bench_wall_s(void);

/* CPUs that this process may use; tie the calling thread to the n-th of them. */
unsigned bench_cpus(void);
void bench_pin(unsigned n);

double bench_median(const double *v, size_t n);
/* Print one line of tab separated fields, with the medians: what scripts/bench reads. */
void bench_report(const struct bench_result *r);

/* End the program with a sentence unless ok. */
void bench_must(bool ok, const char *what);
/* Libraries, random source; ends the program if they do not start. */
void bench_begin(void);
/*
 * A fresh directory on a disk (TMPDIR, or /var/tmp), removed with all it holds when
 * the process that asked ends.
 */
const char *bench_directory(void);
/* Whether a benchmark was asked for: no argument asks for all. */
bool bench_wanted(int argc, char **argv, const char *name);

/* As fork, but the child ends with its parent; ends the program if it fails. */
pid_t bench_fork(void);

/*
 * Processes that do the same work at the same time; where they run is left to the
 * system, as it is for the threads that they are compared with. bench_team_run: all
 * do run(arg, member), and the wall time until the last is done.
 */
#define BENCH_TEAM_MAX 8
struct bench_team {
	unsigned members;
	int to[BENCH_TEAM_MAX], from[BENCH_TEAM_MAX];
};
void bench_team_start(struct bench_team *t, unsigned members, void (*run)(void *, unsigned),
    void *arg);
double bench_team_run(struct bench_team *t);
void bench_team_stop(struct bench_team *t);

#endif
