#include "config.h"

#include "tests/lib/network.h"
#include "tests/lib/test.h"

#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"

#define EPOCH 83124
#define WIDTH 4
#define DRAWS 24000

static struct network *
make(unsigned mixes)
{
	struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = mixes };

	return network_new(&cfg);
}

/* ---- the law ---- */

/*
 * All 64 paths of 3 layers of 4 mixes must come equally often: chi-square with
 * 63 degrees of freedom is below 131 in all but one of a million runs. The seed
 * is fixed, so that this test cannot fail by chance.
 */
static void
all_paths_are_equally_likely(void **state)
{
	struct network *n = make(WIDTH);
	unsigned counts[WIDTH * WIDTH * WIDTH] = { 0 };
	double expected = (double)DRAWS / (WIDTH * WIDTH * WIDTH), chi = 0;
	struct rng_seeded r;

	(void)state;
	rng_seeded_init(&r, 20261124);
	for (int i = 0; i < DRAWS; i++) {
		struct path p;
		unsigned which = 0;

		path_draw(&p, n->charter, &r.rng);
		assert_int_equal(p.hops, 4);
		assert_int_equal(p.node[3], 13);
		for (unsigned layer = 0; layer < 3; layer++) {
			assert_int_equal(charter_node(n->charter, p.node[layer])->layer, layer);
			which = which * WIDTH + (p.node[layer] - 1u) % WIDTH;
		}
		counts[which]++;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		double diff = counts[i] - expected;

		chi += diff * diff / expected;
	}
	assert_true(chi < 131);
	assert_true(chi > 25); /* nor more even than chance */
	network_free(n);
}

static void
one_mix_to_a_layer_gives_one_path(void **state)
{
	struct network *n = make(1);
	struct path p;

	(void)state;
	path_draw(&p, n->charter, test_rng());
	assert_int_equal(p.hops, 4);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(p.node[i], i + 1);
	network_free(n);
}

/* ---- hops and packets ---- */

static void
hops_carry_the_sheets_keys(void **state)
{
	struct network *n = make(2);
	struct network_epoch *e = network_epoch_new(n, EPOCH);
	struct onion_hop hops[ONION_HOPS_MAX];
	struct path p;

	(void)state;
	path_draw(&p, n->charter, test_rng());
	assert_err_ok(path_hops(hops, &p, e->sheet));
	for (size_t i = 0; i < p.hops; i++) {
		assert_int_equal(hops[i].node, p.node[i]);
		assert_int_equal(hops[i].delay_ms, 0);
		assert_memory_equal(hops[i].pk, e->pk[network_index(n, p.node[i])], 32);
	}
	e->sheet->count--; /* the gateway has not announced */
	assert_err(path_hops(hops, &p, e->sheet), ERR_NOT_FOUND);
	network_epoch_free(e);
	network_free(n);
}

/* What the mixes of the path read. */
static void
assert_delays(const struct network *n, const struct network_epoch *e, const struct path *p,
    uint8_t *packet, const uint32_t *delay_ms)
{
	struct onion_geometry g = params_geometry(&n->charter->params);

	for (unsigned layer = 0; layer < p->hops; layer++) {
		size_t at = network_index(n, p->node[layer]);
		struct onion_node_key key = { .epoch = EPOCH, .layer = (uint8_t)layer,
			.sk = e->sk[at] };
		struct onion_job job = { .packet = packet };

		memcpy(key.pk, e->pk[at], sizeof(key.pk));
		memcpy(key.sheet_hash, e->sheet->hash, sizeof(key.sheet_hash));
		onion_derive(&job, 1, &g, &key);
		onion_open(&job, 1, &g, &key);
		assert_int_equal(job.verdict, ONION_OPENED);
		assert_int_equal(job.delay_ms, delay_ms[layer]);
		packet = job.inner;
	}
}

/* Open the packet at every node of its path, as the nodes would. */
static void
follow(const struct network *n, const struct network_epoch *e, const struct path *p,
    uint8_t *packet, const uint8_t *body)
{
	struct onion_geometry g = params_geometry(&n->charter->params);
	struct onion_command command;

	for (unsigned layer = 0; layer < p->hops; layer++) {
		size_t at = network_index(n, p->node[layer]);
		struct onion_node_key key = { .epoch = EPOCH, .layer = (uint8_t)layer,
			.sk = e->sk[at] };
		struct onion_job job = { .packet = packet };

		memcpy(key.pk, e->pk[at], sizeof(key.pk));
		memcpy(key.sheet_hash, e->sheet->hash, sizeof(key.sheet_hash));
		onion_derive(&job, 1, &g, &key);
		onion_open(&job, 1, &g, &key);
		assert_int_equal(job.verdict, ONION_OPENED);
		assert_int_equal(job.next_node, layer + 1u < p->hops ? p->node[layer + 1] : 0);
		packet = job.inner;
	}
	assert_err_ok(onion_command_parse(&command, &g, packet));
	assert_int_equal(command.kind, ONION_DEPOSIT);
	assert_memory_equal(command.body, body, g.record_size);
}

static void
a_packet_opens_along_its_path(void **state)
{
	struct network *n = make(3);
	struct network_epoch *e = network_epoch_new(n, EPOCH);
	uint8_t packet[ONION_PACKET_MAX], body[4096];
	struct onion_command command = { .kind = ONION_DEPOSIT, .body = body };
	struct path p;

	(void)state;
	rng_bytes(test_rng(), body, sizeof(body));
	path_draw(&p, n->charter, test_rng());
	assert_err_ok(path_packet(packet, &p, e->sheet, &n->charter->params, &command, test_rng(),
	    test_rng()));
	follow(n, e, &p, packet, body);
	p.hops--;
	assert_err(path_packet(packet, &p, e->sheet, &n->charter->params, &command, test_rng(),
	    test_rng()), ERR_USAGE);
	network_epoch_free(e);
	network_free(n);
}

/* Only stop-and-go layers have delays, every packet has its own, and mixes find them. */
static void
packets_carry_drawn_delays(void **state)
{
	struct network *n = make(1);
	struct network_epoch *e = network_epoch_new(n, EPOCH);
	struct params *params = &n->charter->params;
	uint8_t packet[ONION_PACKET_MAX];
	struct onion_command command = { .kind = ONION_DROP };
	uint32_t delay_ms[ONION_HOPS_MAX];
	struct rng_seeded one, again;
	double sum = 0;
	struct path p;

	(void)state;
	assert_err_ok(params_set(params, "strategy.0", "stop-and-go mean=2s", NULL));
	assert_err_ok(params_set(params, "strategy.2", "stop-and-go mean=100ms", NULL));
	path_draw(&p, n->charter, test_rng());
	rng_seeded_init(&one, 8);
	rng_seeded_init(&again, 8);
	for (int i = 0; i < 1000; i++) {
		path_delays(delay_ms, params, &one.rng);
		assert_true(delay_ms[0] <= 32000 && delay_ms[2] <= 1600);
		assert_int_equal(delay_ms[1], 0);
		for (size_t hop = 3; hop < ONION_HOPS_MAX; hop++)
			assert_int_equal(delay_ms[hop], 0);
		sum += delay_ms[0];
		if (i >= 5)
			continue;
		assert_err_ok(path_packet(packet, &p, e->sheet, params, &command, &again.rng,
		    test_rng()));
		assert_delays(n, e, &p, packet, delay_ms);
	}
	assert_true(sum > 1600e3 && sum < 2400e3); /* six deviations */
	network_epoch_free(e);
	network_free(n);
}

static void
a_missing_mix_means_no_packet(void **state)
{
	struct network *n = make(1);
	struct network_epoch *e = network_epoch_new(n, EPOCH);
	uint8_t packet[ONION_PACKET_MAX];
	struct onion_command command = { .kind = ONION_DROP };
	struct path p;

	(void)state;
	path_draw(&p, n->charter, test_rng());
	e->sheet->nodes[1].node = 99;
	assert_err(path_packet(packet, &p, e->sheet, &n->charter->params, &command, test_rng(),
	    test_rng()), ERR_NOT_FOUND);
	network_epoch_free(e);
	network_free(n);
}

/* ---- when ---- */

static void
only_cover_goes_near_a_boundary_and_nothing_beyond(void **state)
{
	struct params p;
	int64_t start, end;

	(void)state;
	params_default(&p);
	start = timing_epoch_start(&p, EPOCH);
	end = start + p.epoch_ms;
	assert_int_equal(path_time_in(&p, EPOCH, start - 1), PATH_CLOSED);
	assert_int_equal(path_time_in(&p, EPOCH, start), PATH_COVER_ONLY);
	assert_int_equal(path_time_in(&p, EPOCH, start + 119999), PATH_COVER_ONLY);
	assert_int_equal(path_time_in(&p, EPOCH, start + 120000), PATH_OPEN);
	assert_int_equal(path_time_in(&p, EPOCH, end - 120001), PATH_OPEN);
	assert_int_equal(path_time_in(&p, EPOCH, end - 120000), PATH_COVER_ONLY);
	assert_int_equal(path_time_in(&p, EPOCH, end - 1), PATH_COVER_ONLY);
	assert_int_equal(path_time_in(&p, EPOCH, end), PATH_CLOSED);
	assert_int_equal(path_time(&p, end), PATH_COVER_ONLY);
	assert_int_equal(path_time(&p, start + 7200000), PATH_OPEN);
	assert_int_equal(path_time(&p, -1), PATH_CLOSED);
	assert_int_equal(path_time(&p, INT64_MIN), PATH_CLOSED);
}

static void
the_boundary_is_scaled(void **state)
{
	struct params p;

	(void)state;
	params_default(&p);
	p.time_scale = 60;
	p.epoch_ms = 360000;
	assert_int_equal(path_time_in(&p, 1, 361999), PATH_COVER_ONLY);
	assert_int_equal(path_time_in(&p, 1, 362000), PATH_OPEN);
	assert_int_equal(path_time_in(&p, 1, 717999), PATH_OPEN);
	assert_int_equal(path_time_in(&p, 1, 718000), PATH_COVER_ONLY);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(all_paths_are_equally_likely),
	cmocka_unit_test(one_mix_to_a_layer_gives_one_path),
	cmocka_unit_test(hops_carry_the_sheets_keys),
	cmocka_unit_test(a_packet_opens_along_its_path),
	cmocka_unit_test(packets_carry_drawn_delays),
	cmocka_unit_test(a_missing_mix_means_no_packet),
	cmocka_unit_test(only_cover_goes_near_a_boundary_and_nothing_beyond),
	cmocka_unit_test(the_boundary_is_scaled),
};

TEST_MAIN(tests)
