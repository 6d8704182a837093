/*
 * A gateway that lists a record's digest and stores garbage in its place: the sender is told
 * that it is stored, which is what he can see, and never that it is delivered; before the
 * day's end of keeping it is sealed anew, and arrives.
 */
#include "config.h"

#include "tests/lib/test.h"
#include "tests/scenario/crowd.h"

struct garbage {
	struct crowd *crowd;
	bool garbles;
	unsigned garbled;
};

static enum crowd_fate
on_deposit(void *arg, unsigned who, uint32_t epoch, uint64_t record)
{
	struct garbage *x = arg;

	(void)epoch;
	(void)record;
	if (!x->garbles || who != 0)
		return CROWD_WRITTEN;
	x->garbled++;
	return CROWD_GARBLED;
}

static bool
has_garbled(void *arg)
{
	return ((struct garbage *)arg)->garbled > 0;
}

static bool
has_come(void *arg)
{
	return person_heard(&((struct garbage *)arg)->crowd->people[1]) == 2;
}

static void
test_garbage_under_a_digest(void **state)
{
	static struct crowd c;
	struct garbage x = {.crowd = &c};
	struct client_status s;
	struct params p;
	int64_t since;

	(void)state;
	fixture_params(&p);
	p.layers = 1;
	p.slot_ms = MINUTE_MS;
	p.round_ms = 30000;
	p.epoch_ms = 6 * HOUR_MS;
	p.retention_ms = 48 * HOUR_MS;
	crowd_begin(&c, 2, CROWD_SOUND, &p);
	crowd_pair(&c);
	c.attack = (struct crowd_attack){NULL, on_deposit, &x};
	x.garbles = true;
	crowd_say(&c, 0);
	fixture_run_until_true(&c.f, has_garbled, &x, HOUR_MS);
	since = crowd_now(&c);
	fixture_run_until(&c.f, since + p.retention_ms / 10 * 8);
	assert_int_equal(x.garbled, 1); /* nothing comes early */
	assert_int_equal(person_heard(&c.people[1]), 1);
	client_status(c.people[0].client, &s);
	assert_int_equal(s.unacknowledged, 1);
	x.garbles = false;
	fixture_run_until_true(&c.f, has_come, &x, p.retention_ms / 10 * 2);
	assert_true(crowd_now(&c) - since >= p.retention_ms / 10 * 9);
	crowd_end(&c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_garbage_under_a_digest),
};
TEST_MAIN(tests)
