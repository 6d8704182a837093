#include "config.h"

#include "tests/bench/bench.h"

#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void
bench_must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "benchmark: %s\n", what);
	exit(1);
}

void
bench_begin(void)
{
	bench_must(sodium_init() >= 0, "libsodium does not start");
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

bool
bench_wanted(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

/* ---- a directory ---- */

static char directory[256];
static pid_t directory_owner;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

static void
remove_directory(void)
{
	if (getpid() == directory_owner)
		(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
bench_directory(void)
{
	const char *base = getenv("TMPDIR");
	int n = snprintf(directory, sizeof(directory), "%s/restante-bench-XXXXXX",
	    base != NULL && *base != '\0' ? base : "/var/tmp");

	bench_must(n > 0 && (size_t)n < sizeof(directory) && mkdtemp(directory) != NULL,
	    "no temporary directory");
	directory_owner = getpid();
	bench_must(atexit(remove_directory) == 0, "no memory");
	return directory;
}

/* ---- time ---- */

static double
seconds(clockid_t id)
{
	struct timespec t;

	bench_must(clock_gettime(id, &t) == 0, "no clock");
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double
bench_thread_s(void)
{
	return seconds(CLOCK_THREAD_CPUTIME_ID);
}

double
bench_process_s(void)
{
	return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

double
bench_wall_s(void)
{
	return seconds(CLOCK_MONOTONIC);
}

/* ---- CPUs ---- */

/* What was allowed at the start: pinning narrows it. */
static const cpu_set_t *
allowed(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known)
		bench_must(sched_getaffinity(0, sizeof(set), &set) == 0, "no affinity");
	known = true;
	return &set;
}

unsigned
bench_cpus(void)
{
	return (unsigned)CPU_COUNT(allowed());
}

void
bench_pin(unsigned n)
{
	const cpu_set_t *set = allowed();
	cpu_set_t one;

	n %= bench_cpus();
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, set) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		bench_must(sched_setaffinity(0, sizeof(one), &one) == 0, "cannot pin");
		return;
	}
}

/* ---- results ---- */

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(const double *v, size_t n)
{
	double *sorted = malloc(n * sizeof(*sorted)), m;

	bench_must(n > 0 && sorted != NULL, "nothing measured");
	memcpy(sorted, v, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), ascending);
	m = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
	free(sorted);
	return m;
}

void
bench_report(const struct bench_result *r)
{
	double value = bench_median(r->value, r->rounds);
	double least = bench_median(r->floor_value, r->rounds);

	(void)printf("%s\t%.6g\t%s\t%s\t%.6g\t%.3f\n", r->name, value, r->unit, r->floor, least,
	    r->less_is_better ? least / value : value / least);
}

/* ---- teams ---- */

pid_t
bench_fork(void)
{
	pid_t parent = getpid(), pid;

	(void)fflush(stdout);
	pid = fork();
	bench_must(pid >= 0, "no process");
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
		_exit(1);
	return pid;
}

/* A byte tells a member to work, a byte comes back; the end of the pipe ends it. */
static void
serve(unsigned member, int in, int out, void (*run)(void *, unsigned), void *arg)
{
	char go;

	while (read(in, &go, 1) == 1) {
		run(arg, member);
		bench_must(write(out, &go, 1) == 1, "a worker cannot answer");
	}
	_exit(0);
}

static void
start_member(struct bench_team *t, unsigned i, void (*run)(void *, unsigned), void *arg)
{
	int down[2], up[2];
	pid_t pid;

	bench_must(pipe(down) == 0 && pipe(up) == 0, "no pipe");
	pid = bench_fork();
	if (pid == 0) {
		for (unsigned k = 0; k < i; k++) {
			(void)close(t->to[k]);
			(void)close(t->from[k]);
		}
		(void)close(down[1]);
		(void)close(up[0]);
		serve(i, down[0], up[1], run, arg);
	}
	(void)close(down[0]);
	(void)close(up[1]);
	t->to[i] = down[1];
	t->from[i] = up[0];
}

void
bench_team_start(struct bench_team *t, unsigned members, void (*run)(void *, unsigned), void *arg)
{
	bench_must(members <= BENCH_TEAM_MAX, "too many members");
	t->members = members;
	for (unsigned i = 0; i < members; i++)
		start_member(t, i, run, arg);
}

double
bench_team_run(struct bench_team *t)
{
	double start = bench_wall_s();
	char done = 0;

	for (unsigned i = 0; i < t->members; i++)
		bench_must(write(t->to[i], &done, 1) == 1, "a worker is gone");
	for (unsigned i = 0; i < t->members; i++)
		bench_must(read(t->from[i], &done, 1) == 1, "a worker is gone");
	return bench_wall_s() - start;
}

void
bench_team_stop(struct bench_team *t)
{
	for (unsigned i = 0; i < t->members; i++) {
		(void)close(t->to[i]);
		(void)close(t->from[i]);
	}
	for (unsigned i = 0; i < t->members; i++)
		bench_must(wait(NULL) > 0, "a worker cannot be waited for");
}
