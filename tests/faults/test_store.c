/*
 * The gateway's store on LevelDB over files that fail: the n-th open, write, sync, rename,
 * unlink or mkdir, once, or from then on. A round that was acknowledged is there afterwards,
 * each round is there once at most, and a store that was cut off opens again.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/net/loop_event.h"
#include "tests/faults/files.h"
#include "tests/faults/tally.h"
#include "tests/lib/test.h"
#include "tests/unit/gateway/stores.h"

#define DAY 0x4e20
#define FIRST 1000
#define ROUNDS 8
#define USUAL 30
#define SECONDS 120

static const char *const calls[FILES_CALLS] = { "open", "write", "sync", "rename", "unlink", "mkdir" };

/* What the processes of one n have in common. */
struct trial {
	char path[4096];
	bool forever;
	bool acknowledged[2 * ROUNDS], expired;
	uint64_t count;
	int struck, refused;
};

static struct stores *
stores_at(const char *path)
{
	struct stores *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->engine = ENGINE_LEVELDB;
	assert_err_ok(loop_event_new(&s->loop, NULL));
	rng_seeded_init(&s->keys, test_seed());
	s->journal = memory_journal_new();
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	return s;
}

/* A store that does not open says why, and is tried once more. */
static bool
open_it(struct stores *s, struct trial *t)
{
	struct diag d = { "" };

	for (unsigned i = 0; i < 2; i++) {
		if (stores_try_open(s, &d) == ERR_OK)
			return true;
		t->refused++;
		assert_int_not_equal(d.text[0], '\0');
	}
	return false;
}

/* As the journal does: a round that failed is put again, and nothing after it before. */
static bool
put(struct stores *s, struct trial *t, unsigned i)
{
	uint32_t day = i < ROUNDS ? DAY : DAY + 1;

	for (unsigned k = 0; k < 3; k++) {
		if (stores_put(s, day, FIRST + i, i % ROUNDS == 0) == ERR_OK) {
			t->acknowledged[i] = true;
			return true;
		}
		t->refused++;
	}
	return false;
}

static void
use(struct stores *s, struct trial *t)
{
	bool going = open_it(s, t);

	for (unsigned i = 0; going && i < 2 * ROUNDS; i++) {
		if (i == ROUNDS / 2) { /* what was written so far is read back, and written anew */
			stores_close(s);
			going = open_it(s, t);
		}
		going = going && put(s, t, i);
	}
	if (going)
		t->expired = stores_expire(s, DAY) == ERR_OK;
	stores_close(s);
}

static void
run(void *arg, uint64_t n, struct tally_run *r)
{
	struct trial *t = arg;
	struct stores *s = stores_at(t->path);

	files_arm(n, n % 2 == 0 ? ENOSPC : EIO, t->forever);
	use(s, t);
	t->count = files_disarm();
	t->struck = files_struck();
	r->outcome = t->refused > 0 ? TALLY_REFUSED : TALLY_UNHARMED;
}

static void
check_day(struct stores *s, const struct trial *t, uint32_t day)
{
	struct stores_read *r = stores_read(s, day, 0, 7, SIZE_MAX);
	bool seen[2 * ROUNDS] = { false };

	for (size_t i = 0; r->err == ERR_OK && i < r->count; i++) {
		assert_in_range(r->at[i].round, FIRST, FIRST + 2 * ROUNDS - 1);
		assert_true(i == 0 || r->at[i].round > r->at[i - 1].round);
		stores_check(r, i, r->at[i].round, 7);
		seen[r->at[i].round - FIRST] = true;
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned k = day == DAY ? i : ROUNDS + i;

		assert_true(seen[k] || !t->acknowledged[k]);
	}
	stores_read_free(r);
}

/* Another process, over files that work again: it goes on from there. */
static void
check(void *arg, uint64_t n, struct tally_run *r)
{
	struct trial *t = arg;
	struct stores *s = stores_at(t->path);
	bool all = true;

	(void)n;
	stores_open(s);
	for (unsigned i = 0; i < 2 * ROUNDS; i++)
		all = all && t->acknowledged[i];
	if (!all) /* else its expiry was begun: it may be gone, or not */
		check_day(s, t, DAY);
	check_day(s, t, DAY + 1);
	assert_err_ok(stores_put(s, DAY + 2, FIRST + 100, false));
	stores_close(s);
	r->outcome = TALLY_UNHARMED;
}

/* ---- all of them ---- */

static unsigned counts[FILES_CALLS][TALLY_OUTCOMES], bad;

static void
try_one(struct trial *t, uint64_t n, bool forever)
{
	struct tally_run first, second;

	memset(t, 0, sizeof(*t));
	t->struck = -1;
	t->forever = forever;
	(void)snprintf(t->path, sizeof(t->path), "%s/store", test_tmpdir());
	tally_fork(&first, run, t, n, SECONDS);
	tally_fork(&second, check, t, 0, SECONDS);
	if (t->struck >= 0)
		counts[t->struck][first.outcome]++;
	if (tally_good(&first) && tally_good(&second))
		return;
	bad++;
	printf("# call %llu (%s, %s): during %d (signal %d), afterwards %d (signal %d)\n",
	    (unsigned long long)n, t->struck >= 0 ? calls[t->struck] : "none",
	    forever ? "forever" : "once", (int)first.outcome, first.signal, (int)second.outcome,
	    second.signal);
}

static void
print_counts(void)
{
	for (unsigned i = 0; i < FILES_CALLS; i++)
		printf("# %-7s unharmed %u, refused and told %u, wrong %u, crash %u\n", calls[i],
		    counts[i][TALLY_UNHARMED], counts[i][TALLY_REFUSED], counts[i][TALLY_WRONG],
		    counts[i][TALLY_CRASH]);
}

static bool
campaign(struct trial *t, uint64_t total, bool forever)
{
	uint64_t step = tally_step(total, USUAL), n = 0;

	memset(counts, 0, sizeof(counts));
	bad = 0;
	for (uint64_t i = 1 + rng_below(test_rng(), (uint32_t)step); i <= total; i += step, n++)
		try_one(t, i, forever);
	print_counts();
	printf("%sok %u - one file call fails %s, in each of %llu runs\n", bad > 0 ? "not " : "",
	    forever ? 3u : 2u, forever ? "and all after it" : "once", (unsigned long long)n);
	return bad == 0;
}

int
main(void)
{
	struct trial *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	uint64_t total;
	bool good;

	test_begin();
	if (t == MAP_FAILED)
		return 1;
	try_one(t, 0, false);
	total = t->count;
	good = bad == 0 && total > 20 && t->refused == 0 && t->expired;
	printf("1..3\n%sok 1 - undisturbed: %llu file calls\n", good ? "" : "not ",
	    (unsigned long long)total);
	good = campaign(t, total, false) && good;
	good = campaign(t, total, true) && good;
	return good ? 0 : 1;
}
