#include "config.h"

#include "tests/lib/test.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t seed;
static struct rng_seeded source;

static void
give_up(const char *what)
{
	(void)printf("Bail out! %s\n", what);
	exit(1);
}

static uint64_t
choose_seed(void)
{
	const char *text = getenv("RESTANTE_TEST_SEED");
	char *end;
	uint64_t n;

	if (text == NULL || *text == '\0')
		return rng_u64(rng_system());
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		give_up("RESTANTE_TEST_SEED is not a number");
	return n;
}

void
test_begin(void)
{
	if (sodium_init() < 0)
		give_up("libsodium does not start");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (getenv("RESTANTE_TEST_ONLY") != NULL)
		cmocka_set_test_filter(getenv("RESTANTE_TEST_ONLY"));
	seed = choose_seed();
	rng_seeded_init(&source, seed);
	(void)printf("# seed %" PRIu64 "\n", seed);
	(void)fflush(stdout);
}

int
test_end(int failed)
{
	return failed == 0 ? 0 : 1;
}

const struct rng *
test_rng(void)
{
	return &source.rng;
}

uint64_t
test_seed(void)
{
	return seed;
}

double
test_exponential(const struct rng *r, double mean)
{
	return -mean * log1p(-rng_unit(r)); /* 1 - unit is never 0 */
}

static int64_t
fake_wall_ms(void *ctx)
{
	return ((const struct test_clock *)ctx)->wall_ms;
}

static int64_t
fake_boot_ms(void *ctx)
{
	return ((const struct test_clock *)ctx)->boot_ms;
}

void
test_clock_init(struct test_clock *c, int64_t wall_ms)
{
	c->clock.wall_ms = fake_wall_ms;
	c->clock.boot_ms = fake_boot_ms;
	c->clock.ctx = c;
	c->wall_ms = wall_ms;
	c->boot_ms = (int64_t)60 * 60 * 1000;
}

void
test_clock_advance(struct test_clock *c, int64_t ms)
{
	c->wall_ms += ms;
	c->boot_ms += ms;
}

struct tmpdir {
	struct tmpdir *next;
	char path[512];
};

static struct tmpdir *tmpdirs;
static pid_t tmpdirs_owner;

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
remove_tmpdirs(void)
{
	while (tmpdirs != NULL) {
		struct tmpdir *t = tmpdirs;

		tmpdirs = t->next;
		if (getpid() == tmpdirs_owner) /* not in a child that calls exit */
			(void)nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		free(t);
	}
}

const char *
test_tmpdir(void)
{
	const char *base = getenv("TMPDIR");
	struct tmpdir *t = calloc(1, sizeof(*t));

	if (t == NULL)
		give_up("no memory");
	(void)snprintf(t->path, sizeof(t->path), "%s/restante-test-XXXXXX",
	    base != NULL && *base != '\0' ? base : "/tmp");
	if (mkdtemp(t->path) == NULL)
		give_up("cannot make a temporary directory");
	if (tmpdirs == NULL) {
		tmpdirs_owner = getpid();
		(void)atexit(remove_tmpdirs);
	}
	t->next = tmpdirs;
	tmpdirs = t;
	return t->path;
}

void
test_check_err(enum err got, enum err want, const char *file, int line)
{
	if (got == want)
		return;
	print_error("got error %d (%s), want %d (%s)\n", (int)got, err_text(got), (int)want,
	    err_text(want));
	_fail(file, line);
}

void
test_check_contains(const char *haystack, const char *needle, const char *file, int line)
{
	if (strstr(haystack, needle) != NULL)
		return;
	print_error("\"%s\" does not contain \"%s\"\n", haystack, needle);
	_fail(file, line);
}
