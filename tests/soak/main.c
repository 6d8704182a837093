/*
 * Soak: lives of a town, one after the other, for so many days of virtual time or minutes
 * of real time. docs/soak.md.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/soak/soak.h"

struct wish {
	uint64_t seed;
	unsigned hours, minutes; /* virtual ones, of real time; one of them is 0 */
	bool json;
};

static struct soak soak;
static struct wish wish;
static int64_t began_s;

static const char usage[] =
    "usage: soak [--seed N] [--days N | --hours N | --minutes N] [--json]\n"
    "  --seed N     begin with this seed (else RESTANTE_TEST_SEED, else one that is drawn)\n"
    "  --days N     so many days of virtual time (--hours N: hours)\n"
    "  --minutes N  lives of four days each for so many minutes of real time\n"
    "  --json       the figures as JSON on standard output, else as a table\n"
    "A line on standard error for each virtual day. Ends with 1 if anything did not hold.\n";

/* Real time is only for progress and the end of the soak: nothing in a life depends on it. */
static int64_t
real_s(void)
{
	return clock_boot_ms(clock_system()) / 1000;
}

/* ---- what is said ---- */

static void
print_day(const struct soak *s, void *arg)
{
	struct soak_figures f;
	uint64_t events = 0;

	(void)arg;
	soak_figures(s, &f);
	for (size_t i = 0; i < WEATHER_KINDS; i++)
		events += f.struck[i];
	(void)fprintf(stderr, "hour %" PRIu64 " seed %" PRIu64 ": %" PRIu64 " said, %" PRIu64
	    " shown, %" PRIu64 " events, %" PRIu64 " starts of nodes, %" PRIu64 " of clients, %"
	    PRIu64 " charters, %" PRIu64 " clock jumps, %" PRIu64 " repeated, %zu KiB, %" PRId64
	    " s\n", f.hours, s->seed, f.said, f.heard, events, f.starts, f.client_starts, f.charters,
	    f.struck[WEATHER_JUMP] + f.struck[WEATHER_SKEW], f.repeated, f.memory_most / 1024,
	    real_s() - began_s);
}

static void
print_digest(FILE *out, const uint8_t digest[32])
{
	for (size_t i = 0; i < 32; i++)
		(void)fprintf(out, "%02x", digest[i]);
}

struct row {
	const char *name;
	uint64_t value;
};

static size_t
rows_of(struct row *rows, const struct soak_figures *f)
{
	const struct row all[] = {
	    {"virtual hours", f->hours}, {"lives", f->lives}, {"steps", f->steps},
	    {"spells of bad weather", f->spells}, {"texts said", f->said},
	    {"texts promised", f->promised}, {"texts shown", f->heard},
	    {"blocks read", f->blocks}, {"records read", f->records},
	    {"blocks read again", f->rereads}, {"packets between nodes", f->passed},
	    {"packets repeated", f->repeated}, {"starts of nodes", f->starts},
	    {"starts of clients", f->client_starts}, {"charters published", f->charters},
	    {"charters too late", f->charters_late}, {"stops of mixes", f->stops},
	    {"alarms logged", f->alarms},
	    {"minutes until well, mean",
		f->spells > 0 ? (uint64_t)f->calm_sum_ms / f->spells / 60000 : 0},
	    {"minutes until well, most", (uint64_t)f->calm_most_ms / 60000},
	    {"KiB allocated, most", f->memory_most / 1024},
	    {"real seconds", (uint64_t)(real_s() - began_s)},
	};

	memcpy(rows, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}
#define ROWS_MAX 32

static void
print_table(const struct soak_figures *f)
{
	struct row rows[ROWS_MAX];
	size_t n = rows_of(rows, f);

	(void)printf("| event | times |\n|---|---|\n");
	for (size_t i = 0; i < WEATHER_KINDS; i++)
		(void)printf("| %s | %" PRIu64 " |\n", weather_name((enum weather_kind)i),
		    f->struck[i]);
	(void)printf("\n| | |\n|---|---|\n");
	for (size_t i = 0; i < n; i++)
		(void)printf("| %s | %" PRIu64 " |\n", rows[i].name, rows[i].value);
	(void)printf("\ndigest of the last life: ");
	print_digest(stdout, soak.digest);
	(void)printf("\n");
}

static void
print_json(const struct soak_figures *f)
{
	struct row rows[ROWS_MAX];
	size_t n = rows_of(rows, f);

	(void)printf("{\"seed\": %" PRIu64 ", \"digest\": \"", wish.seed);
	print_digest(stdout, soak.digest);
	(void)printf("\", \"events\": {");
	for (size_t i = 0; i < WEATHER_KINDS; i++)
		(void)printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "",
		    weather_name((enum weather_kind)i), f->struck[i]);
	(void)printf("}, \"figures\": {");
	for (size_t i = 0; i < n; i++)
		(void)printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", rows[i].name, rows[i].value);
	(void)printf("}}\n");
}

static void
print_failure(const char *what)
{
	char when[32] = "before it began";
	unsigned hours = wish.minutes > 0 ? SOAK_LIFE_HOURS : wish.hours;

	if (soak.town.f.world != NULL)
		diary_time(when, town_now(&soak.town));
	(void)fprintf(stderr, "soak failed: %s\n  seed %" PRIu64 ", step %" PRIu64 ", %s\n"
	    "The last events:\n", what, soak.seed, soak.step, when);
	diary_print(&soak.diary, stderr);
	(void)fprintf(stderr, "Again: tests/soak/soak --seed %" PRIu64 " --hours %u\n", soak.seed,
	    hours < SOAK_LIFE_HOURS ? hours : SOAK_LIFE_HOURS);
	(void)fflush(stderr);
}

/* A crash is told like any other failure, as well as it still can be. */
static void
on_signal(int signal)
{
	print_failure(signal == SIGABRT ? "abort" : "a crash");
	_exit(1);
}

/* ---- the run ---- */

static bool
goes_on(unsigned hours)
{
	return wish.minutes > 0 ? real_s() < began_s + (int64_t)wish.minutes * 60
				: hours < wish.hours;
}

static void
run_lives(void **state)
{
	unsigned hours = 0;

	(void)state;
	soak.day_over = print_day;
	for (uint64_t i = 0; goes_on(hours); i++) {
		unsigned left = wish.minutes > 0 ? SOAK_LIFE_HOURS : wish.hours - hours;
		unsigned life = left < SOAK_LIFE_HOURS ? left : SOAK_LIFE_HOURS;

		soak_life(&soak, wish.seed + i, life);
		hours += life;
	}
}

static bool
read_number(uint64_t *out, const char *text)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool
read_wish(struct wish *w, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		uint64_t n = 0;

		if (strcmp(argv[i], "--json") == 0) {
			w->json = true;
			continue;
		}
		if (i + 1 == argc || !read_number(&n, argv[i + 1]))
			return false;
		if (strcmp(argv[i], "--seed") == 0)
			(void)setenv("RESTANTE_TEST_SEED", argv[i + 1], 1);
		else if (strcmp(argv[i], "--days") == 0 && n > 0 && n < 100000)
			w->hours = (unsigned)n * 24;
		else if (strcmp(argv[i], "--hours") == 0 && n > 0 && n < 1000000)
			w->hours = (unsigned)n;
		else if (strcmp(argv[i], "--minutes") == 0 && n > 0 && n < 1000000)
			w->minutes = (unsigned)n;
		else
			return false;
		i++;
	}
	return w->hours == 0 || w->minutes == 0;
}

/* cmocka writes to standard output, which is the figures'. */
static int
run(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(run_lives)};
	int out = dup(STDOUT_FILENO), failed;

	(void)fflush(stdout);
	if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return 1;
	test_begin();
	wish.seed = test_seed();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	(void)close(out);
	return failed;
}

int
main(int argc, char **argv)
{
	struct soak_figures f;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (!read_wish(&wish, argc, argv)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (wish.hours == 0 && wish.minutes == 0)
		wish.hours = 24;
	(void)signal(SIGABRT, on_signal);
	(void)signal(SIGSEGV, on_signal);
	began_s = real_s();
	if (run() != 0) {
		print_failure("an assertion, above");
		town_tell(&soak.town, stderr);
		return 1;
	}
	soak_figures(&soak, &f);
	if (wish.json)
		print_json(&f);
	else
		print_table(&f);
	return 0;
}
