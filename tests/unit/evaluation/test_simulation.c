#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/closed.h"
#include "evaluation/metrics.h"
#include "evaluation/simulation.h"
#include "evaluation/watch.h"
#include "tests/lib/test.h"

#define START_MS ((int64_t)1700000000000)
#define assert_near(value, wanted, by) assert_true(fabs((value) - (wanted)) <= (by))

/* Messages at exponential intervals. */
struct poisson {
	struct rng_seeded rng;
	double mean_ms;
	uint64_t count;
};

static int64_t
poisson_next(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct poisson *p = arg;

	(void)person;
	*message = p->count++;
	return at_ms + (int64_t)ceil(test_exponential(&p->rng.rng, p->mean_ms));
}

static void
network(struct simulation_config *cfg, struct poisson *p, const char *strategy, unsigned layers)
{
	params_default(&cfg->params);
	cfg->params.layers = (uint8_t)layers;
	for (unsigned i = 0; i < layers; i++) {
		char key[PARAMS_KEY_BYTES];

		(void)snprintf(key, sizeof(key), "strategy.%u", i);
		assert_err_ok(params_set(&cfg->params, key, strategy, NULL));
		cfg->params.mixes[i] = 1;
	}
	rng_seeded_init(&p->rng, rng_u64(test_rng()));
	cfg->start_ms = START_MS;
	cfg->seed = rng_u64(test_rng());
	cfg->traffic.next = poisson_next;
	cfg->traffic.arg = p;
}

/* Timed pool mix with Poisson input, keep 10 of about 20: 5.358 bits a message. */
static void
test_timed_pool_entropy(void **state)
{
	struct simulation_config cfg = { .persons = 1000, .law = SENDING_AT_ONCE };
	struct simulation_observer o;
	struct poisson p = { .mean_ms = 1000.0 * 10000 / 10 };
	double weights[1000], lost, sum = 0;
	const struct watch_exit *exits;
	struct simulation *s;
	struct watch *w;
	size_t n, used = 0;

	(void)state;
	network(&cfg, &p, "timed-pool min=10", 1);
	assert_err_ok(watch_new(&w, 1, 1000, NULL));
	watch_observer(w, &o);
	cfg.observers = &o;
	cfg.observer_count = 1;
	assert_err_ok(simulation_new(&s, &cfg));
	watch_begin(w, s);
	assert_err_ok(simulation_run(s, START_MS + 500 * 10000));
	exits = watch_exits(w, &n);
	assert_true(n > 4000);
	for (size_t i = n / 2; i < n; i += 9, used++) {
		struct metrics m;

		assert_err_ok(view_senders(watch_view(w), weights, &lost, &exits[i].exit, 1));
		assert_true(lost < 1e-6 && weights[exits[i].person] > 0);
		assert_err_ok(metrics_of(&m, weights, 1000, 1000));
		sum += m.shannon;
	}
	/* persons that are in the pool twice cost a little */
	assert_near(sum / (double)used, 5.34, 0.06);
	simulation_free(s);
	watch_free(w);
}

struct digest {
	uint64_t hash;
};

static void
mix_in(struct digest *d, uint64_t v)
{
	d->hash = (d->hash ^ v) * UINT64_C(0x100000001b3);
}

static void
seen_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	mix_in(arg, (uint64_t)at_ms);
	mix_in(arg, node);
	mix_in(arg, held);
	for (size_t i = 0; i < n; i++)
		mix_in(arg, handles[i]);
}

static uint64_t
trace_of(uint64_t seed)
{
	struct simulation_config cfg = { .persons = 50, .law = SENDING_SLOTS, .link_ms = 40 };
	struct digest d = { 0 };
	struct simulation_observer o = { .left = seen_left, .arg = &d };
	struct poisson p = { .mean_ms = 60000 };
	struct simulation *s;

	network(&cfg, &p, "timed-dynamic-pool min=2 rate=0.6", 3);
	cfg.params.mixes[1] = 3;
	rng_seeded_init(&p.rng, seed);
	cfg.seed = seed;
	cfg.observers = &o;
	cfg.observer_count = 1;
	assert_err_ok(simulation_new(&s, &cfg));
	assert_err_ok(simulation_run(s, START_MS + 3 * 3600 * 1000));
	assert_int_equal(simulation_counts(s)->lost, 0);
	/* two packets a round and person, whatever the phase */
	assert_in_range(simulation_counts(s)->sent, 50 * 2159, 50 * 2161);
	assert_true(simulation_counts(s)->real > 8000 && simulation_counts(s)->real < 10000);
	simulation_free(s);
	return d.hash;
}

static void
test_a_run_repeats_from_its_seed(void **state)
{
	(void)state;
	assert_true(trace_of(1) == trace_of(1));
	assert_true(trace_of(1) != trace_of(2));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_timed_pool_entropy),
	cmocka_unit_test(test_a_run_repeats_from_its_seed),
};
TEST_MAIN(tests)
