#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/net/loop_event.h"
#include "mix/unwrap.h"
#include "tests/lib/network.h"
#include "tests/unit/mix/mix_test.h"

#define EPOCH 70000
#define TAGS_MAX 100000

/* A network, the keys of an epoch, and replay sets in memory. */
struct field {
	struct network *net;
	struct network_epoch *epoch;
	struct replay *replay;
	struct onion_geometry geometry;
	uint8_t *note;
};

static void
field_up(struct field *f, size_t tags_max)
{
	const struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = 2 };

	f->net = network_new(&cfg);
	f->epoch = network_epoch_new(f->net, EPOCH);
	assert_err_ok(replay_open(&f->replay, NULL, NULL, rng_system(), tags_max, NULL));
	f->geometry = params_geometry(&f->net->charter->params);
	f->note = calloc(1, f->geometry.record_size);
	assert_non_null(f->note);
}

static void
field_down(struct field *f)
{
	free(f->note);
	replay_free(f->replay);
	network_epoch_free(f->epoch);
	network_free(f->net);
}

static struct unwrap_ground
ground_of(const struct field *f, uint16_t node)
{
	size_t i = network_index(f->net, node);
	struct unwrap_ground g = { .charter = f->net->charter };

	g.key.epoch = EPOCH;
	g.key.layer = f->net->charter->nodes[i].layer;
	g.key.sk = f->epoch->sk[i];
	memcpy(g.key.pk, f->epoch->pk[i], 32);
	memcpy(g.key.sheet_hash, f->epoch->sheet->hash, 32);
	assert_err_ok(replay_set(&g.replay, f->replay, EPOCH));
	return g;
}

static uint8_t *
new_packet(const struct field *f, const struct path *path)
{
	struct onion_command c = { .kind = ONION_NOTE, .body = f->note };
	uint8_t *p = malloc(onion_packet_bytes(&f->geometry, 0));

	assert_non_null(p);
	assert_err_ok(path_packet(p, path, f->epoch->sheet, &f->net->charter->params, &c,
	    test_rng(), test_rng()));
	return p;
}

/* A packet whose first hop is a given mix. */
static uint8_t *
packet_through(const struct field *f, uint16_t node)
{
	struct path path;

	do
		path_draw(&path, f->net->charter, test_rng());
	while (path.node[0] != node);
	return new_packet(f, &path);
}

/* ---- a whole path ---- */

static void
test_through_all_layers(void **state)
{
	struct unwrap_counts counts = { { 0 } };
	struct field f;
	struct path path;
	uint8_t *packet;

	(void)state;
	field_up(&f, TAGS_MAX);
	path_draw(&path, f.net->charter, test_rng());
	packet = new_packet(&f, &path);
	for (unsigned hop = 0; hop < path.hops; hop++) {
		struct unwrap_ground g = ground_of(&f, path.node[hop]);
		struct onion_job job = { .packet = packet };

		/* one set would be shared by nodes that share none */
		assert_int_equal(unwrap_batch(&job, 1, &g, &counts), 1);
		if (hop + 1 < path.hops) {
			assert_int_equal(job.next_node, path.node[hop + 1]);
			memmove(packet, job.inner, onion_packet_bytes(&f.geometry, hop + 1));
		} else {
			struct onion_command c;

			assert_err_ok(onion_command_parse(&c, &f.geometry, job.inner));
			assert_int_equal(c.kind, ONION_NOTE);
		}
	}
	assert_int_equal(counts.by[UNWRAP_PASSED], path.hops);
	free(packet);
	field_down(&f);
}

/* ---- a batch against a naive model ---- */

/* Deeds that spoil a packet, and what they must come to. */
enum deed { DEED_NONE, DEED_REPEAT, DEED_FLIP, DEED_POINT, DEED_NEXT, DEED_DELAY, DEEDS };

static uint8_t *
packet_with_hops(const struct field *f, uint16_t next, uint32_t delay_ms, uint16_t first)
{
	struct onion_command c = { .kind = ONION_DROP };
	struct onion_hop hops[ONION_HOPS_MAX];
	uint8_t *p = malloc(onion_packet_bytes(&f->geometry, 0));
	struct path path;

	assert_non_null(p);
	do
		path_draw(&path, f->net->charter, test_rng());
	while (path.node[0] != first);
	assert_err_ok(path_hops(hops, &path, f->epoch->sheet));
	if (next != 0)
		hops[1].node = next;
	hops[0].delay_ms = delay_ms;
	assert_err_ok(onion_build(p, &f->geometry, EPOCH, f->epoch->sheet->hash, hops, &c,
	    test_rng()));
	return p;
}

static uint8_t *
spoiled(const struct field *f, enum deed deed, const uint8_t *earlier, uint16_t first)
{
	size_t n = onion_packet_bytes(&f->geometry, 0);
	uint8_t *p;

	switch (deed) {
	case DEED_REPEAT:
		p = malloc(n);
		assert_non_null(p);
		memcpy(p, earlier, n);
		return p;
	case DEED_FLIP:
		p = packet_through(f, first);
		/* not the point's top bit, which X25519 ignores but the hash does not */
		p[rng_below(test_rng(), (uint32_t)n)] ^= (uint8_t)(1u << rng_below(test_rng(), 8));
		return p;
	case DEED_POINT:
		p = packet_through(f, first);
		memset(p, 0, ONION_CT_BYTES);
		return p;
	case DEED_NEXT: /* a mix of our own layer, of the last layer, or none at all */
		return packet_with_hops(f, (uint16_t[]){ 2, 5, 999 }[rng_below(test_rng(), 3)], 0,
		    first);
	case DEED_DELAY:
		return packet_with_hops(f, 0, 1 + rng_below(test_rng(), 1000), first);
	case DEED_NONE:
	case DEEDS:
		break;
	}
	return packet_through(f, first);
}

static const enum unwrap_cause cause_of[DEEDS] = {
	[DEED_NONE] = UNWRAP_PASSED, [DEED_REPEAT] = UNWRAP_REPLAYED, [DEED_FLIP] = UNWRAP_FORGED,
	[DEED_POINT] = UNWRAP_POINT, [DEED_NEXT] = UNWRAP_NEXT, [DEED_DELAY] = UNWRAP_RESERVED,
};

struct batch {
	size_t count, good_count;
	struct onion_job *jobs;
	uint8_t **good; /* the packets that must survive, in order */
	struct unwrap_counts want;
};

/* n packets for a mix, of which about half are spoiled. */
static void
make_batch(struct batch *b, const struct field *f, size_t n, uint16_t first)
{
	const uint8_t *earlier = NULL;
	uint8_t *copy = malloc(onion_packet_bytes(&f->geometry, 0));

	assert_non_null(copy);
	*b = (struct batch){ .count = n };
	b->jobs = calloc(n, sizeof(b->jobs[0]));
	b->good = calloc(n, sizeof(b->good[0]));
	assert_true(b->jobs != NULL && b->good != NULL);
	for (size_t i = 0; i < n; i++) {
		enum deed deed = DEED_NONE;

		if (rng_below(test_rng(), 2) == 0)
			deed = (enum deed)rng_below(test_rng(), DEEDS);
		if (deed == DEED_REPEAT && earlier == NULL)
			deed = DEED_NONE;
		b->jobs[i].packet = spoiled(f, deed, earlier, first);
		b->want.by[cause_of[deed]]++;
		if (deed != DEED_NONE)
			continue;
		b->good[b->good_count++] = b->jobs[i].packet;
		memcpy(copy, b->jobs[i].packet, onion_packet_bytes(&f->geometry, 0));
		earlier = copy;
	}
	free(copy);
}

static void
check_batch(const struct batch *b, size_t survivors, const struct unwrap_counts *counts)
{
	assert_int_equal(survivors, b->good_count);
	for (size_t i = 0; i < survivors; i++)
		assert_ptr_equal(b->jobs[i].packet, b->good[i]);
	for (size_t i = 0; i < UNWRAP_CAUSES; i++)
		assert_int_equal(counts->by[i], b->want.by[i]);
}

static void
free_batch(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->jobs[i].packet);
	free(b->jobs);
	free(b->good);
}

/* At a stop-and-go layer a delay passes up to the cap; at others none does. */
static void
test_delays_are_bounded(void **state)
{
	static const struct {
		const char *strategy;
		uint32_t delay_ms;
		bool passes;
	} cases[] = {
		{ "timed", 0, true }, { "timed", 1, false }, { "stop-and-go mean=2s", 0, true },
		{ "stop-and-go mean=2s", 1, true }, { "stop-and-go mean=2s", 32000, true },
		{ "stop-and-go mean=2s", 32001, false },
		{ "stop-and-go mean=2s", UINT32_MAX, false },
	};
	struct field f;

	(void)state;
	field_up(&f, TAGS_MAX);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct unwrap_counts counts = { { 0 } };
		struct unwrap_ground g = ground_of(&f, 1);
		struct onion_job job = { .packet = packet_with_hops(&f, 0, cases[i].delay_ms, 1) };

		assert_err_ok(params_set(&f.net->charter->params, "strategy.0", cases[i].strategy,
		    NULL));
		assert_int_equal(unwrap_batch(&job, 1, &g, &counts), cases[i].passes);
		assert_int_equal(counts.by[UNWRAP_RESERVED], !cases[i].passes);
		assert_int_equal(job.delay_ms, cases[i].delay_ms);
		free(job.packet);
	}
	field_down(&f);
}

static void
test_against_model(void **state)
{
	(void)state;
	for (int run = 0; run < 8; run++) {
		struct unwrap_counts counts = { { 0 } };
		struct unwrap_ground g;
		struct field f;
		struct batch b;

		field_up(&f, TAGS_MAX);
		g = ground_of(&f, 1);
		make_batch(&b, &f, rng_below(test_rng(), 60), 1);
		check_batch(&b, unwrap_batch(b.jobs, b.count, &g, &counts), &counts);
		assert_int_equal(replay_count(g.replay), b.good_count);
		free_batch(&b);
		field_down(&f);
	}
}

/* More than fits one pass of the pure core. */
static void
test_large_batch(void **state)
{
	struct unwrap_counts counts = { { 0 } };
	struct unwrap_ground g;
	struct field f;
	struct batch b;

	(void)state;
	field_up(&f, TAGS_MAX);
	g = ground_of(&f, 2);
	make_batch(&b, &f, UNWRAP_BATCH + 100, 2);
	check_batch(&b, unwrap_batch(b.jobs, b.count, &g, &counts), &counts);
	free_batch(&b);
	field_down(&f);
}

static void
test_replays_of_an_earlier_batch(void **state)
{
	struct unwrap_counts counts = { { 0 } };
	struct unwrap_ground g;
	struct field f;
	size_t n;

	(void)state;
	field_up(&f, TAGS_MAX);
	g = ground_of(&f, 1);
	n = onion_packet_bytes(&f.geometry, 0);
	for (int i = 0; i < 3; i++) {
		struct onion_job job = { .packet = malloc(n) };
		static uint8_t first[ONION_PACKET_MAX];
		uint8_t *p = packet_through(&f, 1);

		assert_non_null(job.packet);
		if (i == 0)
			memcpy(first, p, n);
		free(p);
		memcpy(job.packet, first, n);
		assert_int_equal(unwrap_batch(&job, 1, &g, &counts), i == 0);
		free(job.packet);
	}
	assert_int_equal(counts.by[UNWRAP_REPLAYED], 2);
	field_down(&f);
}

/* Another sheet, epoch, layer or node: the packet does not open. */
static void
test_bound_to_its_place(void **state)
{
	struct field f;

	(void)state;
	field_up(&f, TAGS_MAX);
	for (int way = 0; way < 4; way++) {
		struct unwrap_counts counts = { { 0 } };
		struct unwrap_ground g = ground_of(&f, way == 3 ? 2 : 1);
		struct onion_job job = { .packet = packet_through(&f, 1) };

		g.key.sheet_hash[0] ^= way == 0;
		g.key.epoch += way == 1;
		g.key.pk[5] ^= way == 2;
		assert_int_equal(unwrap_batch(&job, 1, &g, &counts), 0);
		assert_int_equal(counts.by[UNWRAP_FORGED], 1);
		free(job.packet);
	}
	field_down(&f);
}

static void
test_full_replay_set(void **state)
{
	struct unwrap_counts counts = { { 0 } };
	struct unwrap_ground g;
	struct field f;

	(void)state;
	field_up(&f, 2);
	g = ground_of(&f, 1);
	for (int i = 0; i < 4; i++) {
		struct onion_job job = { .packet = packet_through(&f, 1) };

		assert_int_equal(unwrap_batch(&job, 1, &g, &counts), i < 2);
		free(job.packet);
	}
	assert_int_equal(counts.by[UNWRAP_NO_ROOM], 2);
	field_down(&f);
}

/* ---- on workers ---- */

struct waiter {
	struct loop *loop; /* a real one, or NULL */
	unsigned calls;
	size_t survivors;
};

static void
on_done(void *arg, size_t survivors)
{
	struct waiter *w = arg;

	w->calls++;
	w->survivors = survivors;
	if (w->loop != NULL)
		loop_event_stop(w->loop);
}

static void
test_workers_in_the_world(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 4; threads++) {
		struct waiter w = { 0 };
		struct unwrap_ground g;
		struct unwrap *u;
		struct stand s;
		struct field f;
		struct batch b;

		field_up(&f, TAGS_MAX);
		stand_up(&s, 1700000000000);
		g = ground_of(&f, 1);
		make_batch(&b, &f, threads == 4 ? 3 : 50, 1); /* also fewer than workers */
		assert_err_ok(unwrap_new(&u, s.loop, threads));
		assert_err_ok(unwrap_start(u, b.jobs, b.count, &g, on_done, &w));
		assert_true(unwrap_busy(u));
		assert_err(unwrap_start(u, b.jobs, b.count, &g, on_done, &w), ERR_BUSY);
		assert_int_equal(w.calls, 0);
		stand_run(&s, 1000);
		assert_int_equal(w.calls, 1);
		assert_false(unwrap_busy(u));
		check_batch(&b, w.survivors, unwrap_counts(u));
		unwrap_free(u);
		free_batch(&b);
		stand_down(&s);
		field_down(&f);
	}
}

static void
test_workers_are_threads(void **state)
{
	struct waiter w = { 0 };
	struct unwrap_ground g;
	struct unwrap *u;
	struct field f;
	struct batch b;

	(void)state;
	field_up(&f, TAGS_MAX);
	g = ground_of(&f, 1);
	make_batch(&b, &f, 200, 1);
	assert_err_ok(loop_event_new(&w.loop, NULL));
	assert_err_ok(unwrap_new(&u, w.loop, 3));
	assert_err_ok(unwrap_start(u, b.jobs, b.count, &g, on_done, &w));
	loop_event_run(w.loop);
	check_batch(&b, w.survivors, unwrap_counts(u));
	unwrap_free(u);
	loop_event_free(w.loop);
	free_batch(&b);
	field_down(&f);
}

/* Freed in the middle: no callback, and the keys of the jobs are wiped. */
static void
test_abandoned(void **state)
{
	static const uint8_t zero[32];
	struct waiter w = { 0 };
	struct unwrap_ground g;
	struct unwrap *u;
	struct stand s;
	struct field f;
	struct batch b;

	(void)state;
	field_up(&f, TAGS_MAX);
	stand_up(&s, 1700000000000);
	g = ground_of(&f, 1);
	make_batch(&b, &f, 20, 1);
	assert_err_ok(unwrap_new(&u, s.loop, 2));
	assert_err_ok(unwrap_start(u, b.jobs, b.count, &g, on_done, &w));
	unwrap_free(u);
	stand_run(&s, 1000);
	assert_int_equal(w.calls, 0);
	for (size_t i = 0; i < b.count; i++)
		assert_memory_equal(b.jobs[i].key, zero, sizeof(zero));
	free_batch(&b);
	stand_down(&s);
	field_down(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_through_all_layers),
	cmocka_unit_test(test_delays_are_bounded),
	cmocka_unit_test(test_against_model),
	cmocka_unit_test(test_large_batch),
	cmocka_unit_test(test_replays_of_an_earlier_batch),
	cmocka_unit_test(test_bound_to_its_place),
	cmocka_unit_test(test_full_replay_set),
	cmocka_unit_test(test_workers_in_the_world),
	cmocka_unit_test(test_workers_are_threads),
	cmocka_unit_test(test_abandoned),
};

TEST_MAIN(tests)
