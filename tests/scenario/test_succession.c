/*
 * The charter changes while the network runs: nothing is restarted for it, nothing is
 * lost and nothing comes twice.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"
#include "tests/scenario/probe.h"

#define DEPOSITS_MAX 200

static uint64_t
any_seed(void)
{
	uint64_t seed = rng_u64(test_rng());

	print_message("# scenario seed %llu\n", (unsigned long long)seed);
	return seed;
}

/* ---- charters ---- */

/* What the next version changes. */
struct change {
	uint16_t remove[2]; /* 0: nobody */
	const struct charter_node *add[2];
	const char *gateway_address, *gateway_entrance;
	enum strategy_kind strategy; /* of layer 0; the founding one's is timed */
};

static void
apply(struct charter *next, void *arg)
{
	const struct change *x = arg;
	struct charter_node gateway = *charter_gateway(next);

	for (size_t i = 0; i < 2; i++) {
		if (x->remove[i] != 0)
			assert_err_ok(charter_remove_node(next, x->remove[i]));
		if (x->add[i] != NULL)
			assert_err_ok(charter_add_node(next, x->add[i]));
	}
	if (x->gateway_address != NULL)
		(void)snprintf(gateway.address, sizeof(gateway.address), "%s", x->gateway_address);
	if (x->gateway_entrance != NULL)
		(void)snprintf(
		    gateway.entrance, sizeof(gateway.entrance), "%s", x->gateway_entrance);
	assert_err_ok(charter_change_node(next, &gateway));
	if (x->strategy == STRATEGY_TIMED_POOL)
		next->params.strategy[0] =
		    (struct strategy){.kind = STRATEGY_TIMED_POOL, .pool_min = 2};
	next->params.note_one_in = 5;
}

/* Published now, for the first epoch that it may have; its start. */
static int64_t
publish(struct fixture *f, struct change *x, const struct charter **next)
{
	uint32_t from = timing_first_change(f->params, world_now_ms(f->world));
	struct buf text;

	buf_init(&text);
	*next = network_succeed(f->network, &text, from, apply, x);
	fixture_publish(f, &text);
	buf_release(&text);
	return timing_epoch_start(f->params, from);
}

static void
start_with(struct fixture_node *n, const struct charter *given)
{
	n->given = given;
	fixture_start(n);
}

static struct mix_status
status_of(const struct fixture_node *n)
{
	struct mix_status s;

	mix_get_status(n->mix, &s);
	return s;
}

static void
check_in_force(const struct fixture *f, uint32_t version)
{
	for (size_t i = 0; i < f->node_count; i++) {
		const struct fixture_node *n = &f->nodes[i];
		struct gateway_status g;

		if (n->mix != NULL)
			assert_int_equal(status_of(n).charter, version);
		if (n->gateway != NULL) {
			gateway_get_status(n->gateway, &g);
			assert_int_equal(g.charter, version);
			assert_int_equal(g.coming_charter, 0);
		}
	}
}

/* ---- packets ---- */

/* A record every minute or so; what was sent is in digests. */
static size_t
deposit_until(struct fixture *f, struct probe *p, uint64_t *digests, size_t n, int64_t until_ms)
{
	while (world_now_ms(f->world) < until_ms) {
		assert_true(n < DEPOSITS_MAX);
		digests[n++] = probe_deposit_any(p);
		fixture_run_for(f, MINUTE_MS);
	}
	return n;
}

static void
check_listed(const struct probe *p, const uint64_t *digests, size_t n)
{
	assert_true(probe_idle(p));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(probe_listed(p, digests[i]), 1);
}

static bool
has_sheet(void *arg)
{
	const struct probe *p = arg;

	return probe_sheet(p, timing_epoch(p->fixture->params, world_now_ms(p->fixture->world)));
}

static void
begin(struct fixture *f, struct probe *p, unsigned mixes)
{
	fixture_new(f, &(struct fixture_config){.seed = any_seed(), .mixes_per_layer = mixes});
	fixture_run_for(f, MINUTE_MS);
	probe_new(p, f);
	fixture_run_until_true(f, has_sheet, p, 30 * MINUTE_MS);
}

static void
end(struct fixture *f, struct probe *p)
{
	probe_free(p);
	fixture_free(f);
}

/* A second mix in each layer, and another strategy, with packets under way at every moment. */
static void
test_a_second_mix_per_layer(void **state)
{
	struct fixture f;
	struct probe p;
	struct change x = {.strategy = STRATEGY_TIMED_POOL};
	struct fixture_node *more[2];
	const struct charter *next;
	uint64_t digests[DEPOSITS_MAX];
	size_t n = 0;
	int64_t start;

	(void)state;
	begin(&f, &p, 1);
	for (unsigned i = 0; i < 2; i++) {
		more[i] = fixture_add(&f, i);
		x.add[i] = &more[i]->own;
	}
	start = publish(&f, &x, &next);
	fixture_run_until(&f, start - 90 * MINUTE_MS);
	assert_int_equal(status_of(fixture_mix(&f, 0, 0)).coming_charter, 2);
	for (unsigned i = 0; i < 2; i++)
		start_with(more[i], next);
	n = deposit_until(&f, &p, digests, n, start - MINUTE_MS);
	assert_int_equal(status_of(more[0]).received, 0);
	assert_int_equal(status_of(more[0]).charter, 0);
	assert_true(status_of(more[0]).has_place);
	n = deposit_until(&f, &p, digests, n, start + HOUR_MS);
	fixture_run_for(&f, 20 * MINUTE_MS);
	check_listed(&p, digests, n);
	check_in_force(&f, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(status_of(more[i]).released > 10);
	end(&f, &p);
}

/* The dead one's layer has another mix, so that packets go on all the time. */
static void
test_a_dead_mix_is_replaced(void **state)
{
	struct fixture f;
	struct probe p;
	struct change x = {.remove = {1}};
	struct fixture_node *fresh;
	const struct charter *next;
	uint64_t digests[DEPOSITS_MAX];
	size_t n = 0;
	int64_t start;

	(void)state;
	begin(&f, &p, 2);
	assert_int_equal(fixture_mix(&f, 0, 0)->charter->number, 1);
	fixture_kill(fixture_mix(&f, 0, 0), -1);
	/* what was on its way through it is lost; what is sent from the next epoch on is not */
	fixture_run_until(&f, FIXTURE_START_MS + 2 * HOUR_MS + 10 * MINUTE_MS);
	fresh = fixture_add(&f, 0);
	x.add[0] = &fresh->own;
	start = publish(&f, &x, &next);
	start_with(fresh, next);
	fixture_run_until(&f, start - HOUR_MS);
	n = deposit_until(&f, &p, digests, n, start + HOUR_MS);
	fixture_run_for(&f, 20 * MINUTE_MS);
	check_listed(&p, digests, n);
	check_in_force(&f, 2);
	assert_true(status_of(fresh).released > 10);
	end(&f, &p);
}

/* One that keeps running is let go after the grace, and gets nothing any more. */
static void
test_a_compromised_mix_is_removed(void **state)
{
	struct fixture f;
	struct probe p;
	struct change x = {.remove = {1}};
	struct fixture_node *fresh, *old;
	const struct charter *next;
	uint64_t digests[DEPOSITS_MAX], received;
	struct links_peer peers[4];
	size_t n = 0;
	int64_t start;

	(void)state;
	begin(&f, &p, 1);
	old = fixture_mix(&f, 0, 0);
	fresh = fixture_add(&f, 0);
	x.add[0] = &fresh->own;
	start = publish(&f, &x, &next);
	start_with(fresh, next);
	fixture_run_until(&f, start - 30 * MINUTE_MS);
	n = deposit_until(&f, &p, digests, n, start + f.params->grace_ms + 2 * MINUTE_MS);
	assert_false(status_of(old).has_place);
	assert_int_equal(mix_links(old->mix, peers, 4), 0);
	received = status_of(old).received;
	n = deposit_until(&f, &p, digests, n, start + HOUR_MS);
	fixture_run_for(&f, 20 * MINUTE_MS);
	check_listed(&p, digests, n);
	assert_int_equal(status_of(old).received, received);
	/* it is not taken back after a restart either */
	fixture_kill(old, 1000);
	fixture_run_for(&f, 20 * MINUTE_MS);
	assert_false(status_of(old).has_place);
	assert_int_equal(mix_links(fixture_mix(&f, 1, 0)->mix, peers, 4), 2);
	end(&f, &p);
}

/* The gateway's machine moves, at some time between the publication and the end of grace. */
static void
check_move(int64_t before_start_ms)
{
	struct fixture f;
	struct probe p;
	struct change x = {
	    .gateway_address = "127.0.0.1:9100", .gateway_entrance = "127.0.0.1:9101"};
	struct fixture_node *gateway;
	const struct charter *next;
	uint64_t digest;
	int64_t start;

	begin(&f, &p, 1);
	gateway = fixture_gateway(&f);
	start = publish(&f, &x, &next);
	fixture_run_until(&f, start - before_start_ms);
	gateway->listen = x.gateway_address;
	gateway->entrance = x.gateway_entrance;
	fixture_kill(gateway, 20000);
	fixture_run_until(&f, start + 90 * MINUTE_MS);
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 15 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	check_in_force(&f, 2);
	end(&f, &p);
}

static void
test_the_gateway_moves(void **state)
{
	(void)state;
	check_move(HOUR_MS);
	check_move(0);
	check_move(-5 * MINUTE_MS);
}

/* What the gateway does not publish. */
static void
test_what_is_refused(void **state)
{
	struct fixture f;
	struct change x = {.remove = {0}};
	struct diag d = {""};
	struct charter *next;
	struct buf text;
	uint32_t first;

	(void)state;
	fixture_new(&f, &(struct fixture_config){.seed = any_seed()});
	fixture_run_for(&f, MINUTE_MS);
	buf_init(&text);
	first = timing_first_change(f.params, world_now_ms(f.world));
	next = network_next(f.network, first - 1, apply, &x);
	assert_err_ok(charter_print_signed(&text, next));
	assert_err(gateway_publish(fixture_gateway(&f)->gateway, text.data, text.len, NULL, NULL, &d),
	    ERR_EPOCH);
	charter_free(next);
	text.len = 0;
	assert_err_ok(charter_print_signed(&text, f.network->charter));
	assert_err(gateway_publish(fixture_gateway(&f)->gateway, text.data, text.len, NULL, NULL, &d),
	    ERR_EXISTS);
	text.data[text.len - 10] = text.data[text.len - 10] == '0' ? '1' : '0'; /* still a digit */
	assert_err(gateway_publish(fixture_gateway(&f)->gateway, text.data, text.len, NULL, NULL, &d),
	    ERR_SIGNATURE);
	buf_release(&text);
	fixture_free(&f);
}

/* Charters that nobody goes by yet are few at a time. */
static void
test_too_many_to_come(void **state)
{
	struct fixture f;
	struct change x = {.remove = {0}};
	struct diag d = {""};
	struct charter *next;
	struct buf text;
	uint32_t first;

	(void)state;
	fixture_new(&f, &(struct fixture_config){.seed = any_seed()});
	fixture_run_for(&f, MINUTE_MS);
	buf_init(&text);
	first = timing_first_change(f.params, world_now_ms(f.world)) + 1;
	for (uint32_t i = 0; i < SUCCESSION_COMING_MAX; i++) {
		text.len = 0;
		(void)network_succeed(f.network, &text, first + i, apply, &x);
		fixture_publish(&f, &text);
	}
	next = network_next(f.network, first + SUCCESSION_COMING_MAX, apply, &x);
	text.len = 0;
	assert_err_ok(charter_print_signed(&text, next));
	assert_err(gateway_publish(fixture_gateway(&f)->gateway, text.data, text.len, NULL, NULL, &d),
	    ERR_FULL);
	assert_contains(d.text, "still to come");
	charter_free(next);
	buf_release(&text);
	fixture_free(&f);
}

/* ---- people ---- */

struct scene {
	struct fixture f;
	struct person a, b;
};

static bool
inviter_knows(void *arg)
{
	return person_has_contact(&((struct scene *)arg)->a);
}

static bool
is_up(const struct person *p)
{
	struct client_status s;

	client_status(p->client, &s);
	return s.verified && s.caught_up;
}

static bool
both_verified(void *arg)
{
	struct scene *s = arg;

	return is_up(&s->a) && is_up(&s->b);
}

static bool
both_done(void *arg)
{
	struct scene *s = arg;

	return person_is_done(&s->a) && person_is_done(&s->b);
}

static void
meet(struct scene *s, uint64_t seed, const struct params *params)
{
	fixture_new(&s->f, &(struct fixture_config){.seed = seed, .params = params});
	fixture_run_for(&s->f, MINUTE_MS);
	person_new(&s->a, &s->f);
	person_new(&s->b, &s->f);
	fixture_run_until_true(&s->f, both_verified, s, 2 * HOUR_MS);
	person_meet(&s->a, &s->b);
	fixture_run_until_true(&s->f, inviter_knows, s, 6 * HOUR_MS);
	person_say(&s->a);
	/* acknowledgements are put off by up to two hours */
	fixture_run_until_true(&s->f, both_done, s, 6 * HOUR_MS);
}

static void
part(struct scene *s)
{
	person_check_heard(&s->a, &s->b);
	person_check_heard(&s->b, &s->a);
	person_free(&s->a);
	person_free(&s->b);
	fixture_free(&s->f);
}

static uint32_t
version_of(const struct person *p)
{
	struct client_status s;

	client_status(p->client, &s);
	assert_int_equal(s.alarms & (CLIENT_ALARM_SUCCESSION | CLIENT_ALARM_CHAIN), 0);
	return s.charter;
}

/* Everybody talks over two changes; then one is away while the charter changes once more. */
static void
test_people_over_changes(void **state)
{
	struct scene s;
	struct change first = {.remove = {1}}, second = {.remove = {2}}, third = {.remove = {0}};
	struct fixture_node *fresh[2];
	const struct charter *next;
	int64_t start;

	(void)state;
	meet(&s, any_seed(), NULL);
	fresh[0] = fixture_add(&s.f, 0);
	first.add[0] = &fresh[0]->own;
	start = publish(&s.f, &first, &next);
	start_with(fresh[0], next);
	fresh[1] = fixture_add(&s.f, 1);
	second.add[0] = &fresh[1]->own;
	for (int i = 0; world_now_ms(s.f.world) < start + HOUR_MS; i++) {
		person_say(i % 2 == 0 ? &s.a : &s.b);
		fixture_run_for(&s.f, 10 * MINUTE_MS);
	}
	assert_int_equal(version_of(&s.a), 2);
	start = publish(&s.f, &second, &next);
	start_with(fresh[1], next);
	fixture_run_until(&s.f, start - 30 * MINUTE_MS);
	/* what waits was sealed for a path that is no more when it can leave */
	fixture_kill(&s.f.nodes[1], -1);
	for (int i = 0; i < 6; i++) {
		person_say(i % 2 == 0 ? &s.a : &s.b);
		fixture_run_for(&s.f, 10 * MINUTE_MS);
	}
	fixture_run_until_true(&s.f, both_done, &s, 3 * HOUR_MS);
	person_stop(&s.b);
	start = publish(&s.f, &third, &next);
	person_say(&s.a);
	fixture_run_until(&s.f, start + 3 * HOUR_MS);
	person_start(&s.b);
	assert_int_equal(version_of(&s.b), 3);
	fixture_run_for(&s.f, MINUTE_MS);
	assert_int_equal(version_of(&s.b), 4);
	fixture_run_until_true(&s.f, both_done, &s, 6 * HOUR_MS);
	part(&s);
}

/* Longer away than the journal is kept, and than sessions are given charters. */
static void
test_away_beyond_the_retention(void **state)
{
	struct scene s;
	struct params params;
	struct change x = {.remove = {0}};
	const struct charter *next;
	int64_t start = 0;

	(void)state;
	fixture_params(&params);
	params.retention_ms = 48 * HOUR_MS;
	params.epoch_ms = 3 * HOUR_MS;
	params.slot_ms = MINUTE_MS;
	params.round_ms = 30000;
	meet(&s, any_seed(), &params);
	person_stop(&s.b);
	for (int i = 0; i < 10; i++) {
		start = publish(&s.f, &x, &next);
		fixture_run_until(&s.f, start);
	}
	fixture_run_until(&s.f, start + HOUR_MS);
	person_start(&s.b);
	fixture_run_for(&s.f, 30 * MINUTE_MS);
	assert_int_equal(version_of(&s.b), 11);
	person_say(&s.a);
	person_say(&s.b);
	fixture_run_until_true(&s.f, both_done, &s, 6 * HOUR_MS);
	part(&s);
}

static void
kill_somebody(struct scene *s)
{
	const struct rng *r = world_rng(s->f.world);
	size_t who = rng_below(r, (uint32_t)s->f.node_count + 2);
	int64_t down_ms = rng_between(r, 0, rng_below(r, 4) == 0 ? 3 * MINUTE_MS : 5000);
	bool in_write = rng_below(r, 2) == 0;

	if (who < s->f.node_count && in_write)
		fixture_kill_in_write(&s->f.nodes[who], 1 + rng_below(r, 8), down_ms);
	else if (who < s->f.node_count)
		fixture_kill(&s->f.nodes[who], down_ms);
	else if (in_write)
		person_kill_in_write(who % 2 == 0 ? &s->a : &s->b, 1 + rng_below(r, 8), down_ms);
	else
		person_kill(who % 2 == 0 ? &s->a : &s->b, down_ms);
}

/* Whoever dies from the publication to an hour after the change. */
static void
check_deaths(uint64_t seed)
{
	struct scene s;
	struct change x = {.remove = {1}};
	struct fixture_node *fresh;
	const struct charter *next;
	int64_t start;

	meet(&s, seed, NULL);
	fresh = fixture_add(&s.f, 0);
	x.add[0] = &fresh->own;
	start = publish(&s.f, &x, &next);
	for (int i = 0; i < 5; i++) {
		kill_somebody(&s);
		fixture_run_for(&s.f, rng_between(world_rng(s.f.world), 1000, MINUTE_MS));
	}
	if (!fixture_runs(fresh))
		start_with(fresh, next);
	fixture_run_until(&s.f, start - 30 * MINUTE_MS);
	while (world_now_ms(s.f.world) < start + 40 * MINUTE_MS) {
		if (person_runs(&s.a) && rng_below(world_rng(s.f.world), 3) == 0)
			person_say(&s.a);
		kill_somebody(&s);
		fixture_run_for(&s.f, rng_between(world_rng(s.f.world), 1000, 4 * MINUTE_MS));
	}
	fixture_run_until_true(&s.f, both_done, &s, 12 * HOUR_MS);
	check_in_force(&s.f, 2);
	assert_int_equal(version_of(&s.a), 2);
	part(&s);
}

static void
test_deaths_around_a_change(void **state)
{
	(void)state;
	for (unsigned i = fixture_seeds(2); i > 0; i--)
		check_deaths(any_seed());
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_second_mix_per_layer),
    cmocka_unit_test(test_a_dead_mix_is_replaced),
    cmocka_unit_test(test_a_compromised_mix_is_removed),
    cmocka_unit_test(test_the_gateway_moves),
    cmocka_unit_test(test_what_is_refused),
    cmocka_unit_test(test_too_many_to_come),
    cmocka_unit_test(test_people_over_changes),
    cmocka_unit_test(test_away_beyond_the_retention),
    cmocka_unit_test(test_deaths_around_a_change),
};
TEST_MAIN(tests)
