#include "config.h"

#include "tests/lib/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/strategy.h"
#include "evaluation/simulation.h"
#include "evaluation/traffic.h"

/*
 * That packets are only counted changes nothing that can be seen. The same people are
 * simulated twice, each packet followed and packets without a message counted: what is
 * sent is the very same, and so are all flushes (time, mix, packets held, packets that
 * leave) wherever these follow from what is sent; the rest, which is drawn anew, has the
 * same distribution.
 */

#define START_MS (INT64_C(1767571200000) + 7 * 3600000 + 1234) /* a Monday morning */
#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
/* Kolmogorov and Smirnov: sqrt(n m / (n + m)) D is above this once in 10^9. */
#define KS_BOUND 3.28

/* ---- what an observer keeps ---- */

struct flushed {
	int64_t at_ms;
	uint32_t node;
	size_t left, held;
};

struct list {
	void *data;
	size_t count, room;
};

struct seen {
	struct simulation *s;
	struct list flushes, sent, delays;
	uint64_t covers, notes, exited, resumed;
};

static void *
append(struct list *l, size_t size)
{
	if (l->count == l->room) {
		l->room = l->room > 0 ? 2 * l->room : 1024;
		l->data = realloc(l->data, l->room * size);
		assert_non_null(l->data);
	}
	return (char *)l->data + l->count++ * size;
}

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct seen *x = arg;
	const struct token *t = simulation_token(x->s, handle);

	x->covers += t->kind == TOKEN_COVER;
	x->notes += t->kind == TOKEN_NOTE;
	if (t->kind != TOKEN_REAL)
		return;
	/* by person and time: in the order of people, where packets are counted */
	*(uint64_t *)append(&x->sent, sizeof(uint64_t)) = (uint64_t)at_ms << 16 | t->person;
}

static void
on_flushed(void *arg, int64_t at_ms, uint32_t node, size_t left, size_t held)
{
	struct seen *x = arg;

	*(struct flushed *)append(&x->flushes, sizeof(struct flushed)) =
	    (struct flushed){ at_ms, node, left, held };
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	(void)handles;
	on_flushed(arg, at_ms, node, n, held);
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct seen *x = arg;
	const struct token *t = simulation_token(x->s, handle);

	x->exited++;
	if (t->kind == TOKEN_REAL)
		*(double *)append(&x->delays, sizeof(double)) = (double)(at_ms - t->sent_ms);
}

static void
on_counted(void *arg, const struct simulation_counted *c)
{
	struct seen *x = arg;

	x->covers += c->covers;
	x->notes += c->notes;
	x->exited += c->exited;
}

static void
on_resumed(void *arg, uint32_t handle)
{
	struct seen *x = arg;

	assert_true(simulation_token(x->s, handle)->hop <= 3);
	x->resumed++;
}

static void
forget(struct seen *x)
{
	free(x->flushes.data);
	free(x->sent.data);
	free(x->delays.data);
}

/* ---- a run ---- */

struct town {
	const char *strategy;
	uint32_t persons, width[3];
	enum traffic_churn churn;
	bool epochs;
	int64_t link_ms, long_ms;
	uint64_t seed;
};

/* ways: 'f' followed, 'c' counted, 'm' by turns. */
static void
run_town(struct seen *out, struct simulation_counts *counts, const struct town *w, char way)
{
	struct traffic_config tc = { .persons = w->persons, .seed = w->seed,
		.start_ms = START_MS, .interval_us = 10 * 60000000, .contacts = 3,
		.churn = w->churn, .online_ms = HOUR_MS, .offline_ms = HOUR_MS };
	struct simulation_observer o = { .sent = on_sent, .left = on_left, .exited = on_exited,
		.counts = true, .counted = on_counted, .flushed = on_flushed,
		.resumed = on_resumed, .arg = out };
	struct simulation_config cfg = { .persons = w->persons, .law = SENDING_SLOTS,
		.start_ms = START_MS, .link_ms = w->link_ms, .epochs = w->epochs,
		.seed = w->seed, .observers = &o, .observer_count = 1 };
	int64_t end = START_MS + w->long_ms, step = way == 'm' ? 17 * 60000 + 1 : 7 * HOUR_MS;
	struct traffic *t;
	bool count = way != 'f';

	memset(out, 0, sizeof(*out));
	params_default(&cfg.params);
	for (unsigned i = 0; i < 3; i++) {
		assert_err_ok(strategy_parse(&cfg.params.strategy[i], w->strategy, "s", NULL));
		cfg.params.mixes[i] = (uint16_t)w->width[i];
	}
	assert_err_ok(traffic_new(&t, &tc, NULL));
	traffic_source(t, &cfg.traffic);
	assert_err_ok(simulation_new(&out->s, &cfg));
	assert_true(simulation_can_count(out->s));
	for (int64_t now = START_MS; now < end; count = way == 'm' ? !count : count) {
		now = end - now > step ? now + step : end;
		assert_err_ok(count ? simulation_count(out->s, now) : simulation_run(out->s, now));
		assert_int_equal(simulation_now(out->s), now);
	}
	*counts = *simulation_counts(out->s);
	/* nothing is lost or made */
	assert_int_equal(counts->sent, out->covers + out->notes + out->sent.count);
	assert_int_equal(counts->exited, out->exited);
	assert_true(counts->held >= counts->sent - counts->exited);
	assert_true(counts->held - (counts->sent - counts->exited) < 5000); /* this round's */
	simulation_free(out->s);
	traffic_free(t);
}

/* ---- comparing ---- */

static int
ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int
ascending_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
same_sent(struct seen *a, struct seen *b)
{
	assert_true(a->sent.count > 1000);
	assert_int_equal(a->sent.count, b->sent.count);
	qsort(a->sent.data, a->sent.count, sizeof(uint64_t), ascending);
	qsort(b->sent.data, b->sent.count, sizeof(uint64_t), ascending);
	assert_memory_equal(a->sent.data, b->sent.data, a->sent.count * sizeof(uint64_t));
	assert_int_equal(a->covers, b->covers);
	assert_int_equal(a->notes, b->notes);
}

/* Flushes of the first mixes, or of all. */
static void
same_flushes(const struct seen *a, const struct seen *b, uint32_t nodes)
{
	const struct flushed *x = a->flushes.data, *y = b->flushes.data;

	assert_true(a->flushes.count > 1000);
	assert_int_equal(a->flushes.count, b->flushes.count);
	for (size_t i = 0; i < a->flushes.count; i++) {
		assert_int_equal(x[i].at_ms, y[i].at_ms);
		assert_int_equal(x[i].node, y[i].node);
		if (x[i].node >= nodes)
			continue;
		assert_int_equal(x[i].held, y[i].held);
		assert_int_equal(x[i].left, y[i].left);
	}
}

static double
distance(const double *x, size_t n, const double *y, size_t m)
{
	double most = 0;

	for (size_t i = 0, k = 0; i < n && k < m;) {
		double at = x[i] < y[k] ? x[i] : y[k], d;

		while (i < n && x[i] <= at)
			i++;
		while (k < m && y[k] <= at)
			k++;
		d = fabs((double)i / (double)n - (double)k / (double)m);
		if (d > most)
			most = d;
	}
	return most;
}

static void
same_law(const char *what, double *x, size_t n, double *y, size_t m)
{
	double ks;

	assert_true(n > 500 && m > 500);
	qsort(x, n, sizeof(x[0]), ascending_double);
	qsort(y, m, sizeof(y[0]), ascending_double);
	ks = sqrt((double)n * (double)m / (double)(n + m)) * distance(x, n, y, m);
	if (ks > KS_BOUND)
		fail_msg("%s: %.2f is above %.2f", what, ks, KS_BOUND);
}

/* Packets held at every 13th flush of the last layer: far enough apart to be independent. */
static size_t
held_last(double *out, const struct seen *x, uint32_t from)
{
	const struct flushed *f = x->flushes.data;
	size_t n = 0, seen = 0;

	for (size_t i = 0; i < x->flushes.count; i++)
		if (f[i].node >= from && seen++ % 13 == 0)
			out[n++] = (double)f[i].held;
	return n;
}

static void
same_pools(const struct seen *a, const struct seen *b, uint32_t from)
{
	double *x = calloc(a->flushes.count + 1, sizeof(*x));
	double *y = calloc(b->flushes.count + 1, sizeof(*y));

	assert_true(x != NULL && y != NULL);
	same_law("packets held", x, held_last(x, a, from), y, held_last(y, b, from));
	free(x);
	free(y);
}

/* exact: the nodes whose flushes are the very same; from: the first node of the last layer. */
static void
compare(const struct town *w, char way, uint32_t exact, uint32_t from)
{
	struct simulation_counts full, counted;
	struct seen a, b;

	run_town(&a, &full, w, 'f');
	run_town(&b, &counted, w, way);
	same_sent(&a, &b);
	assert_int_equal(full.sent, counted.sent);
	assert_int_equal(full.skipped, counted.skipped);
	same_flushes(&a, &b, exact);
	same_law("delays", a.delays.data, a.delays.count, b.delays.data, b.delays.count);
	same_pools(&a, &b, from);
	assert_true(b.resumed > 0 && counted.events < full.events);
	forget(&a);
	forget(&b);
}

/* One mix in a layer: how many come and go follows from the slots alone. */
static void
test_a_day_of_one_path(void **state)
{
	static const char *const strategies[] = { "timed-dynamic-pool min=2 rate=0.6", "timed",
		"timed-dynamic-pool min=5 rate=0.4 rule=gmix", "timed-pool min=30",
		"threshold-and-timed packets=60" };

	(void)state;
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		compare(&(struct town){ .strategy = strategies[i], .persons = 20,
		    .width = { 1, 1, 1 }, .link_ms = 50, .long_ms = DAY_MS,
		    .seed = rng_u64(test_rng()) }, 'c', 3, 2);
}

/* Many ways: what comes to the first mixes is the very same, the rest is of one law. */
static void
test_a_day_of_many_paths(void **state)
{
	(void)state;
	compare(&(struct town){ .strategy = "timed-dynamic-pool min=2 rate=0.6", .persons = 30,
	    .width = { 3, 2, 4 }, .link_ms = 0, .long_ms = DAY_MS,
	    .seed = rng_u64(test_rng()) }, 'c', 3, 5);
}

/* How many leave is drawn too: only what is sent is the same. */
static void
test_a_day_of_binomial_mixes(void **state)
{
	(void)state;
	compare(&(struct town){ .strategy = "binomial rate=0.8 mean=40 deviation=20",
	    .persons = 20, .width = { 1, 1, 1 }, .link_ms = 50, .long_ms = DAY_MS,
	    .seed = rng_u64(test_rng()) }, 'c', 0, 2);
}

/* People come and go, keys change, links are slower than rounds, and it goes by turns. */
static void
test_turns_of_following_and_counting(void **state)
{
	(void)state;
	compare(&(struct town){ .strategy = "timed-dynamic-pool min=2 rate=0.6", .persons = 30,
	    .width = { 1, 1, 1 }, .churn = CHURN_ON_OFF, .epochs = true, .link_ms = 12345,
	    .long_ms = DAY_MS, .seed = rng_u64(test_rng()) }, 'm', 3, 2);
	compare(&(struct town){ .strategy = "timed-pool min=10", .persons = 30,
	    .width = { 2, 1, 2 }, .epochs = true, .link_ms = 77, .long_ms = DAY_MS,
	    .seed = rng_u64(test_rng()) }, 'm', 2, 3);
}

/* A comparison that finds nothing would be worth nothing. */
static void
test_another_network_is_told_apart(void **state)
{
	struct town w = { .strategy = "timed-pool min=30", .persons = 20, .width = { 1, 1, 1 },
		.link_ms = 50, .long_ms = DAY_MS / 2, .seed = rng_u64(test_rng()) };
	struct simulation_counts counts;
	struct seen a, b;
	double d;

	(void)state;
	run_town(&a, &counts, &w, 'f');
	w.strategy = "timed-pool min=20";
	run_town(&b, &counts, &w, 'c');
	qsort(a.delays.data, a.delays.count, sizeof(double), ascending_double);
	qsort(b.delays.data, b.delays.count, sizeof(double), ascending_double);
	d = distance(a.delays.data, a.delays.count, b.delays.data, b.delays.count);
	assert_true(sqrt((double)a.delays.count / 2) * d > KS_BOUND);
	forget(&a);
	forget(&b);
}

/* ---- where it cannot be ---- */

static void
begin(struct simulation **s, struct seen *x, struct traffic **t, const char *strategy,
    enum sending_law law, uint32_t pool_max)
{
	struct traffic_config tc = { .persons = 50, .start_ms = START_MS, .contacts = 3,
		.interval_us = HOUR_MS * 1000 };
	struct simulation_config cfg = { .persons = 50, .law = law, .start_ms = START_MS };

	memset(x, 0, sizeof(*x));
	params_default(&cfg.params);
	for (unsigned i = 0; i < cfg.params.layers; i++) {
		assert_err_ok(strategy_parse(&cfg.params.strategy[i], strategy, "s", NULL));
		cfg.params.mixes[i] = 1;
	}
	cfg.params.pool_max = pool_max;
	assert_err_ok(traffic_new(t, &tc, NULL));
	traffic_source(*t, &cfg.traffic);
	assert_err_ok(simulation_new(s, &cfg));
}

static void
test_where_packets_cannot_be_counted(void **state)
{
	static const struct {
		const char *strategy;
		enum sending_law law;
		uint32_t pool_max;
		enum err e;
	} cases[] = {
		{ "timed", SENDING_SLOTS, 1000, ERR_OK },
		{ "timed", SENDING_SLOTS, 99, ERR_FULL },
		{ "timed", SENDING_POISSON, 1000, ERR_RANGE },
		{ "timed", SENDING_AT_ONCE, 1000, ERR_RANGE },
		{ "threshold packets=10", SENDING_SLOTS, 1000, ERR_RANGE },
		{ "threshold-or-timed packets=10", SENDING_SLOTS, 1000, ERR_RANGE },
		{ "threshold-pool packets=10 min=5", SENDING_SLOTS, 1000, ERR_RANGE },
		{ "stop-and-go mean=10s", SENDING_SLOTS, 1000, ERR_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct simulation *s;
		struct traffic *t;
		struct seen x;

		begin(&s, &x, &t, cases[i].strategy, cases[i].law, cases[i].pool_max);
		assert_err(simulation_count(s, START_MS + HOUR_MS), cases[i].e);
		assert_int_equal(simulation_can_count(s), cases[i].e != ERR_RANGE);
		simulation_free(s);
		traffic_free(t);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_day_of_one_path),
	cmocka_unit_test(test_a_day_of_many_paths),
	cmocka_unit_test(test_a_day_of_binomial_mixes),
	cmocka_unit_test(test_turns_of_following_and_counting),
	cmocka_unit_test(test_another_network_is_told_apart),
	cmocka_unit_test(test_where_packets_cannot_be_counted),
};
TEST_MAIN(tests)
