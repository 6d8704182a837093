/*
 * One network for each batching strategy: two people meet, talk, and hear each other
 * in order, although a mix dies on the way.
 */
#include "config.h"

#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"

#define SAYINGS 3

struct scene {
	struct fixture f;
	struct person a, b;
};

static bool
both_verified(void *arg)
{
	struct scene *s = arg;
	struct client_status a, b;

	client_status(s->a.client, &a);
	client_status(s->b.client, &b);
	return a.verified && b.verified;
}

static bool
inviter_knows(void *arg)
{
	return person_has_contact(&((struct scene *)arg)->a);
}

static bool
both_done(void *arg)
{
	struct scene *s = arg;

	return person_is_done(&s->a) && person_is_done(&s->b);
}

static void
talk(const char *strategy)
{
	struct params p;
	struct scene s;
	uint64_t seed = rng_u64(test_rng());

	print_message("# %s: scenario seed %llu\n", strategy, (unsigned long long)seed);
	fixture_params(&p);
	for (unsigned i = 0; i < p.layers; i++)
		assert_err_ok(strategy_parse(&p.strategy[i], strategy, "strategy", NULL));
	fixture_new(&s.f, &(struct fixture_config){.seed = seed, .params = &p});
	fixture_run_for(&s.f, MINUTE_MS);
	person_new(&s.a, &s.f);
	person_new(&s.b, &s.f);
	fixture_run_until_true(&s.f, both_verified, &s, 30 * MINUTE_MS);
	person_meet(&s.a, &s.b);
	fixture_run_until_true(&s.f, inviter_knows, &s, 2 * HOUR_MS);
	for (int i = 0; i < SAYINGS; i++) {
		person_say(&s.a);
		person_say(&s.b);
		fixture_run_for(&s.f, MINUTE_MS);
	}
	fixture_kill(fixture_mix(&s.f, 1, 0), 1000);
	fixture_run_until_true(&s.f, both_done, &s, 5 * HOUR_MS);
	assert_int_equal(person_heard(&s.a), SAYINGS);
	assert_int_equal(person_heard(&s.b), SAYINGS);
	person_check_heard(&s.a, &s.b);
	person_check_heard(&s.b, &s.a);
	person_free(&s.a);
	person_free(&s.b);
	fixture_free(&s.f);
}

/* Some four packets come in each round. */
static void
test_people_talk_whatever_the_strategy(void **state)
{
	(void)state;
	talk("threshold packets=4");
	talk("timed");
	talk("threshold-or-timed packets=3");
	talk("threshold-and-timed packets=5");
	talk("threshold-pool packets=3 min=3");
	talk("timed-pool min=3");
	talk("timed-dynamic-pool min=2 rate=0.6");
	talk("timed-dynamic-pool min=2 rate=0.6 rule=gmix");
	talk("binomial rate=0.8 mean=4 deviation=3");
	talk("stop-and-go mean=10s");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_people_talk_whatever_the_strategy),
};

TEST_MAIN(tests)
