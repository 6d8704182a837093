/*
 * People with real clients in a network of real nodes: what is said is heard, in
 * order and once, whoever dies on the way.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/net/session.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"

struct scene {
	struct fixture f;
	struct person a, b;
};

static uint64_t
any_seed(void)
{
	uint64_t seed = rng_u64(test_rng());

	print_message("# scenario seed %llu\n", (unsigned long long)seed);
	return seed;
}

/* The inviter has the answer. The other one knows when it hears something for the first time. */
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

static bool
both_verified(void *arg)
{
	struct scene *s = arg;
	struct client_status a, b;

	client_status(s->a.client, &a);
	client_status(s->b.client, &b);
	return a.verified && b.verified;
}

/* Two people who have met. */
static void
begin(struct scene *s, uint64_t seed, const struct params *params)
{
	fixture_new(&s->f, &(struct fixture_config){.seed = seed, .params = params});
	fixture_run_for(&s->f, MINUTE_MS);
	person_new(&s->a, &s->f);
	person_new(&s->b, &s->f);
	fixture_run_until_true(&s->f, both_verified, s, 30 * MINUTE_MS);
	person_meet(&s->a, &s->b);
	fixture_run_until_true(&s->f, inviter_knows, s, HOUR_MS);
}

static void
end(struct scene *s)
{
	person_free(&s->a);
	person_free(&s->b);
	fixture_free(&s->f);
}

static void
check_all_heard(struct scene *s)
{
	person_check_heard(&s->a, &s->b);
	person_check_heard(&s->b, &s->a);
}

/* ---- repetition ---- */

struct trace {
	uint8_t hash[32];
	uint64_t seen;
};

static void
on_seen(void *arg, const struct world_seen *seen)
{
	struct trace *t = arg;
	const struct hash_part parts[] = {
	    {t->hash, sizeof(t->hash)},
	    {&seen->at_us, sizeof(seen->at_us)},
	    {&seen->conn, sizeof(seen->conn)},
	    {seen->bytes, seen->n},
	};

	hash_parts(t->hash, sizeof(t->hash), parts, sizeof(parts) / sizeof(parts[0]));
	t->seen++;
}

static struct trace
trace_of(uint64_t seed)
{
	struct trace t = {{0}, 0};
	struct scene s;

	begin(&s, seed, NULL);
	world_set_tap(s.f.world, on_seen, &t);
	for (int i = 0; i < 3; i++) {
		person_say(&s.a);
		fixture_kill_in_write(fixture_mix(&s.f, 1, 0), 3, 5000);
		person_kill_in_write(&s.b, 2, 5000);
		fixture_run_for(&s.f, 3 * MINUTE_MS);
	}
	end(&s);
	return t;
}

/* No byte on any wire depends on anything but the seed: a failure can be repeated. */
static void
test_a_run_repeats_from_its_seed(void **state)
{
	uint64_t seed = any_seed();
	struct trace one = trace_of(seed), again = trace_of(seed), other = trace_of(seed + 1);

	(void)state;
	assert_true(one.seen > 500);
	assert_int_equal(one.seen, again.seen);
	assert_memory_equal(one.hash, again.hash, sizeof(one.hash));
	assert_memory_not_equal(one.hash, other.hash, sizeof(one.hash));
}

/* ---- peaceful times ---- */

static void
test_a_conversation(void **state)
{
	struct post_contact ca, cb;
	struct scene s;

	(void)state;
	begin(&s, any_seed(), NULL);
	person_contact(&s.a, &ca);
	person_contact(&s.b, &cb);
	assert_string_equal(ca.safety_number, cb.safety_number);
	assert_int_equal(strlen(ca.safety_number), 71);
	for (int i = 0; i < 10; i++) {
		person_say(&s.a);
		fixture_run_for(&s.f, MINUTE_MS);
		person_say(&s.b);
	}
	fixture_run_until_true(&s.f, both_done, &s, 3 * HOUR_MS);
	assert_int_equal(person_heard(&s.a), 10);
	assert_int_equal(person_heard(&s.b), 10);
	check_all_heard(&s);
	end(&s);
}

struct file_scene {
	struct scene s;
	struct buf bytes;
	struct post_message m;
};

static bool
file_is_there(void *arg)
{
	struct file_scene *k = arg;

	buf_release(&k->bytes);
	return person_received_file(&k->s.b, &k->bytes, &k->m);
}

static void
test_a_file(void **state)
{
	enum { BYTES = 20000 };
	struct file_scene k = {0};
	uint8_t *bytes = malloc(BYTES);

	(void)state;
	assert_non_null(bytes);
	rng_bytes(test_rng(), bytes, BYTES);
	begin(&k.s, any_seed(), NULL);
	(void)person_send_file(&k.s.a, bytes, BYTES);
	/* The file goes on after both have died. */
	fixture_run_for(&k.s.f, 20 * MINUTE_MS);
	person_kill(&k.s.a, 30000);
	person_kill(&k.s.b, 60000);
	person_say(&k.s.a);
	fixture_run_until_true(&k.s.f, file_is_there, &k, 3 * HOUR_MS);
	assert_int_equal(k.bytes.len, BYTES);
	assert_memory_equal(k.bytes.data, bytes, BYTES);
	assert_string_equal(k.m.name, "file.bin");
	buf_release(&k.bytes);
	free(bytes);
	end(&k.s);
}

/* Mixes lose their pools again and again: what was in them is sealed anew. */
static void
test_losses(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, any_seed(), NULL);
	for (int i = 0; i < 12; i++) {
		person_say(&s.a);
		person_say(&s.b);
		for (int j = 0; j < 6; j++) {
			fixture_run_for(&s.f, 10000 + rng_between(world_rng(s.f.world), 0, 9000));
			fixture_kill(fixture_mix(&s.f, (unsigned)j % 2, 0), 0);
		}
	}
	fixture_run_until_true(&s.f, both_done, &s, 6 * HOUR_MS);
	check_all_heard(&s);
	assert_int_equal(person_heard(&s.a), 12);
	assert_int_equal(person_heard(&s.b), 12);
	end(&s);
}

/* A disk that is full for ten minutes, one after the other, while they talk. */
static void
test_full_disks(void **state)
{
	struct fixture_disk *disks[FIXTURE_NODES_MAX + 2];
	struct scene s;
	size_t n = 0;

	(void)state;
	begin(&s, any_seed(), NULL);
	for (size_t i = 0; i < s.f.node_count; i++)
		disks[n++] = &s.f.nodes[i].disk;
	disks[n++] = &s.a.disk;
	disks[n++] = &s.b.disk;
	for (size_t i = 0; i < n; i++) {
		fixture_disk_fill(disks[i], true);
		for (int j = 0; j < 5; j++) {
			person_say(&s.a);
			person_say(&s.b);
			fixture_run_for(&s.f, 2 * MINUTE_MS);
		}
		fixture_disk_fill(disks[i], false);
		fixture_run_for(&s.f, MINUTE_MS);
	}
	fixture_run_until_true(&s.f, both_done, &s, 6 * HOUR_MS);
	check_all_heard(&s);
	assert_int_equal(person_heard(&s.a), 25);
	assert_int_equal(person_heard(&s.b), 25);
	end(&s);
}

/* ---- kill -9 at any moment ---- */

static void
kill_somebody(struct scene *s)
{
	const struct rng *r = world_rng(s->f.world);
	int64_t down_ms = rng_between(r, 0, rng_below(r, 5) == 0 ? 2 * MINUTE_MS : 3000);
	bool in_write = rng_below(r, 2) == 0;
	uint32_t who = rng_below(r, 8);
	struct person *p = who % 2 == 0 ? &s->a : &s->b;
	struct fixture_node *n = &s->f.nodes[who % s->f.node_count];

	if (who < 4 && in_write)
		person_kill_in_write(p, 1 + rng_below(r, 6), down_ms);
	else if (who < 4)
		person_kill(p, down_ms);
	else if (in_write)
		fixture_kill_in_write(n, 1 + rng_below(r, 12), down_ms);
	else
		fixture_kill(n, down_ms);
}

static unsigned
check_kills(uint64_t seed)
{
	struct scene s;
	unsigned deaths;

	begin(&s, seed, NULL);
	for (int i = 0; i < 60; i++) {
		const struct rng *r = world_rng(s.f.world);

		if (rng_below(r, 2) == 0)
			person_say(&s.a);
		if (rng_below(r, 3) == 0)
			person_say(&s.b);
		kill_somebody(&s);
		fixture_run_for(&s.f, rng_between(r, 1, 3 * MINUTE_MS));
	}
	fixture_run_for(&s.f, 10 * MINUTE_MS);
	fixture_run_until_true(&s.f, both_done, &s, 12 * HOUR_MS);
	check_all_heard(&s);
	deaths = s.a.deaths + s.b.deaths;
	for (size_t i = 0; i < s.f.node_count; i++)
		deaths += s.f.nodes[i].starts - 1;
	end(&s);
	return deaths;
}

static void
test_kills(void **state)
{
	unsigned deaths = 0, seeds = fixture_seeds(4);

	(void)state;
	for (unsigned i = 0; i < seeds; i++)
		deaths += check_kills(any_seed());
	print_message("# %u deaths\n", deaths);
	assert_true(deaths >= 30 * seeds);
}

/* ---- renewal ---- */

static void
check_renewed(const struct scene *s, unsigned least)
{
	struct post_contact a, b;

	person_contact(&s->a, &a);
	person_contact(&s->b, &b);
	print_message("# renewed %u and %u times\n", a.renewed_sending, b.renewed_sending);
	assert_true(a.renewed_sending >= least && b.renewed_sending >= least);
	/* the reader goes over with the first record of the new generation */
	assert_in_range(a.renewed_sending - b.renewed_receiving, 0, 1);
	assert_in_range(b.renewed_sending - a.renewed_receiving, 0, 1);
}

/* About once in an hour, on both streams, whoever dies in whichever write. */
static void
test_renewals(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, any_seed(), NULL);
	for (int i = 0; i < 60; i++) {
		const struct rng *r = world_rng(s.f.world);

		person_say(rng_below(r, 2) == 0 ? &s.a : &s.b);
		if (rng_below(r, 2) == 0)
			kill_somebody(&s);
		fixture_run_for(&s.f, rng_between(r, 1, 16 * MINUTE_MS));
	}
	fixture_run_for(&s.f, 10 * MINUTE_MS);
	fixture_run_until_true(&s.f, both_done, &s, 12 * HOUR_MS);
	check_all_heard(&s);
	check_renewed(&s, 3);
	end(&s);
}

/* ---- days ---- */

static const struct params *
long_params(void)
{
	static struct params p;

	fixture_params(&p);
	p.layers = 1;
	p.slot_ms = MINUTE_MS;
	p.round_ms = 30000;
	p.epoch_ms = 6 * HOUR_MS;
	p.retention_ms = 48 * HOUR_MS;
	return &p;
}

static bool
b_caught_up(void *arg)
{
	struct scene *s = arg;
	struct client_status status;

	client_status(s->b.client, &status);
	return status.caught_up && person_heard(&s->b) == s->a.said;
}

struct day_reader {
	bool over;
	enum frame_error error;
};

static bool
no_slot(void *arg, struct session *s, struct session_packet *out)
{
	(void)arg;
	(void)s;
	(void)out;
	return false;
}

static enum err
any_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)s;
	(void)kind;
	(void)p;
	(void)n;
	return ERR_OK;
}

static void
day_is_over(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct day_reader *r = arg;

	(void)why;
	r->over = true;
	r->error = error;
	session_free(s);
}

static bool
reader_is_done(void *arg)
{
	return ((struct day_reader *)arg)->over;
}

/* Ask the gateway for a day, as anybody can. */
static bool
day_is_kept(struct fixture *f, uint32_t day)
{
	static const struct session_events events = {
	    .slot = no_slot, .item = any_item, .ended = day_is_over};
	struct session_config cfg = {
	    .charter = f->network->charter,
	    .address = charter_gateway(f->network->charter)->entrance,
	    .open = {.version = FRAME_OPEN_VERSION, .read = FRAME_READ_DAY, .day = day},
	    .rng = world_rng(f->world),
	    .keys = world_rng(f->world),
	};
	struct day_reader r = {0};
	struct world_host *host;
	struct session *session;

	assert_err_ok(world_host_new(&host, f->world));
	cfg.open.hour = timing_hour(f->params, world_now_ms(f->world));
	assert_err_ok(session_open(&session, world_loop(host), &cfg, &events, &r));
	fixture_run_until_true(f, reader_is_done, &r, 30 * MINUTE_MS);
	assert_true(r.error == FRAME_ERROR_COMPLETE || r.error == FRAME_ERROR_DAY);
	return r.error == FRAME_ERROR_COMPLETE;
}

/*
 * b's journal was verified through the epoch blocks since `before`, to which its day is
 * not kept any more: what it knew is part of it, nothing else is, and a who never left
 * has the same one.
 */
static void
check_bridge(struct scene *s, const struct chain_point *before)
{
	struct chain_point now, wrong = *before;
	struct client_status status;

	client_status(s->b.client, &status);
	assert_true(status.verified);
	assert_true(client_epoch_block(s->b.client, &now));
	assert_true(timing_round_start(&s->f.network->charter->params, now.round - before->round) >
	    s->f.network->charter->params.retention_ms);
	assert_int_equal(client_judge(s->b.client, before), CHAIN_SAME);
	assert_int_equal(client_judge(s->a.client, &now), CHAIN_SAME);
	wrong.hash[0] ^= 1;
	assert_int_equal(client_judge(s->b.client, &wrong), CHAIN_OTHER);
	assert_null(client_evidence(s->b.client, 0)); /* nobody lied */
}

/* Away over a day's end; then for longer than the journal keeps anything. */
static void
test_absence(void **state)
{
	uint32_t first_day = timing_day(long_params(), FIXTURE_START_MS);
	struct chain_point before;
	struct scene s;

	(void)state;
	begin(&s, any_seed(), long_params());
	person_stop(&s.b);
	for (int i = 0; i < 5; i++) {
		person_say(&s.a);
		fixture_run_for(&s.f, 5 * HOUR_MS);
	}
	person_start(&s.b);
	fixture_run_until_true(&s.f, b_caught_up, &s, 4 * HOUR_MS);
	check_all_heard(&s);

	/* Nothing in between is kept but the epoch blocks: from the anchor they lead to now. */
	assert_true(client_epoch_block(s.b.client, &before));
	person_stop(&s.b);
	person_say(&s.a);
	fixture_run_for(&s.f, 55 * HOUR_MS);
	person_start(&s.b);
	fixture_run_until_true(&s.f, b_caught_up, &s, 12 * HOUR_MS);
	check_all_heard(&s);
	check_bridge(&s, &before);
	/* What the journal no longer keeps, and what its owner no longer wants to keep. */
	assert_false(day_is_kept(&s.f, first_day));
	assert_true(day_is_kept(&s.f, first_day + 2));
	client_set_retention(s.b.client, HOUR_MS);
	fixture_run_for(&s.f, 3 * HOUR_MS);
	assert_int_equal(person_heard(&s.b), 0);
	end(&s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_run_repeats_from_its_seed),
    cmocka_unit_test(test_a_conversation),
    cmocka_unit_test(test_a_file),
    cmocka_unit_test(test_losses),
    cmocka_unit_test(test_full_disks),
    cmocka_unit_test(test_kills),
    cmocka_unit_test(test_renewals),
    cmocka_unit_test(test_absence),
};
TEST_MAIN(tests)
