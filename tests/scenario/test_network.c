/*
 * A network of real mixes and a real gateway, used by probes: what goes in comes
 * out, whatever happens to nodes, clocks and lines.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/probe.h"

static uint64_t
any_seed(void)
{
	uint64_t seed = rng_u64(test_rng());

	print_message("# scenario seed %llu\n", (unsigned long long)seed);
	return seed;
}

/* A third of the packets and of the blocks, for scenarios of many hours. */
static const struct params *
slow_params(void)
{
	static struct params p;

	fixture_params(&p);
	p.slot_ms = MINUTE_MS;
	p.round_ms = 30000;
	return &p;
}

/* Nodes and a probe that has the sheet. */
static void
begin(struct fixture *f, struct probe *p, const struct fixture_config *cfg)
{
	fixture_new(f, cfg);
	fixture_run_for(f, MINUTE_MS);
	probe_new(p, f);
	fixture_run_for(f, 20 * MINUTE_MS);
}

static void
end(struct fixture *f, struct probe *p)
{
	probe_free(p);
	fixture_free(f);
}

static void
test_deposits_arrive(void **state)
{
	struct fixture_config cfg = {.seed = any_seed()};
	struct fixture f;
	struct probe p;
	uint64_t digests[20];

	(void)state;
	begin(&f, &p, &cfg);
	for (int i = 0; i < 20; i++)
		digests[i] = probe_deposit_any(&p);
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_true(probe_idle(&p));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(probe_listed(&p, digests[i]), 1);
		assert_int_equal(probe_received(&p, digests[i]), 1);
	}
	assert_int_equal(p.records.used, 20);
	assert_true(p.notes > 5 && p.drops > 20);
	assert_true(probe_notes_back(&p) > 0.75);
	assert_int_equal(p.failed, 0);
	end(&f, &p);
}

static struct mix_status
status_of(struct fixture *f, unsigned layer)
{
	struct mix_status s;

	mix_get_status(fixture_mix(f, layer, 0)->mix, &s);
	return s;
}

/* ---- epochs ---- */

struct epoch_files {
	uint32_t epoch;
	bool found;
};

static int
ends_in_epoch(void *arg, const char *name)
{
	struct epoch_files *k = arg;
	char ending[16];

	(void)snprintf(ending, sizeof(ending), "-%08x", k->epoch);
	if (strlen(name) > 9 && strcmp(name + strlen(name) - 9, ending) == 0)
		k->found = true;
	return 0;
}

/* Whether any node's disk has a file of this epoch: its secret key, its replay set. */
static bool
on_disk(const struct fixture *f, uint32_t epoch)
{
	struct epoch_files k = {.epoch = epoch};


	for (size_t i = 0; i < f->node_count; i++)
		assert_err_ok(disk_list(f->nodes[i].disk.medium, ends_in_epoch, &k));
	return k.found;
}

static void
test_epochs_come_and_go(void **state)
{
	struct fixture_config cfg = {.seed = any_seed(), .params = slow_params()};
	struct fixture f;
	struct probe p;
	uint32_t first;
	uint64_t digest;

	(void)state;
	begin(&f, &p, &cfg);
	first = timing_epoch(f.params, world_now_ms(f.world));
	for (uint32_t epoch = first; epoch < first + 3; epoch++) {
		assert_non_null(probe_sheet(&p, epoch));
		assert_true(on_disk(&f, epoch));
		digest = probe_deposit_any(&p);
		fixture_run_until(&f, timing_epoch_start(f.params, epoch + 1) - MINUTE_MS);
		assert_int_equal(probe_listed(&p, digest), 1);
		/* The next is there before it begins; the old one goes after the grace. */
		assert_non_null(probe_sheet(&p, epoch + 1));
		fixture_run_for(&f, f.params->grace_ms);
		assert_true(on_disk(&f, epoch));
		fixture_run_for(&f, 3 * MINUTE_MS);
		assert_false(on_disk(&f, epoch));
	}
	assert_int_equal(p.failed, 0);
	assert_int_equal(p.blocks, p.last_round - p.first_round + 1); /* one every 30 s */
	assert_int_equal(p.epoch_blocks, 4); /* the founding one as well */
	end(&f, &p);
}

static void
test_a_late_mix(void **state)
{
	struct fixture_config cfg = {.seed = any_seed(), .idle = true};
	struct fixture f;
	struct probe p;
	uint64_t digest;

	(void)state;
	fixture_new(&f, &cfg);
	fixture_start(fixture_gateway(&f));
	fixture_start(fixture_mix(&f, 0, 0));
	probe_new(&p, &f);
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_int_equal(p.sheet_changes, 0);
	fixture_start(fixture_mix(&f, 1, 0));
	fixture_run_for(&f, 40 * MINUTE_MS);
	assert_true(p.sheet_changes > 0);
	/* only now: a packet dies at a mix that is told of the sheet later than we are */
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 20 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	end(&f, &p);
}

/* What they asked for the sheet before it came up failed; they do not wait as after a failure. */
static void
late_gateway(uint64_t seed)
{
	struct fixture_config cfg = {.seed = seed, .idle = true};
	struct fixture f;

	fixture_new(&f, &cfg);
	fixture_start(fixture_mix(&f, 0, 0));
	fixture_start(fixture_mix(&f, 1, 0));
	fixture_run_for(&f, 5 * MINUTE_MS);
	fixture_start(fixture_gateway(&f));
	fixture_run_for(&f, 4 * MINUTE_MS); /* links and sessions try once a minute by now */
	for (unsigned layer = 0; layer < 2; layer++)
		assert_true(status_of(&f, layer).has_sheet);
	fixture_free(&f);
}

/* Some of the six sessions may come soon by chance: not in all of so many networks. */
static void
test_a_late_gateway(void **state)
{
	uint64_t seed = any_seed();

	(void)state;
	for (uint64_t i = 0; i < 12; i++)
		late_gateway(seed + i);
}

/* ---- one of two mixes of a layer is away ---- */

static void
test_a_mix_that_misses_an_epoch(void **state)
{
	struct fixture_config cfg = {.seed = any_seed(), .mixes_per_layer = 2};
	struct fixture f;
	struct probe p;
	struct fixture_node *away;
	uint32_t epoch;
	unsigned skipped;

	(void)state;
	begin(&f, &p, &cfg);
	epoch = timing_epoch(f.params, world_now_ms(f.world));
	away = fixture_mix(&f, 1, 1);
	assert_non_null(sheet_node(probe_sheet(&p, epoch), away->charter->number));
	fixture_kill(away, -1);
	fixture_run_until(&f, timing_epoch_start(f.params, epoch + 1) + 5 * MINUTE_MS);
	assert_non_null(probe_sheet(&p, epoch + 1));
	assert_null(sheet_node(probe_sheet(&p, epoch + 1), away->charter->number));
	skipped = p.skipped;
	fixture_run_for(&f, 30 * MINUTE_MS);
	/* Half of 90 paths lead through it: those slots are skipped, nobody routes around. */
	assert_in_range(p.skipped - skipped, 25, 65);
	fixture_start(away);
	fixture_run_until(&f, timing_epoch_start(f.params, epoch + 2) + 5 * MINUTE_MS);
	assert_non_null(sheet_node(probe_sheet(&p, epoch + 2), away->charter->number));
	skipped = p.skipped;
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_int_equal(p.skipped, skipped);
	end(&f, &p);
}

/* ---- packets that should not be ---- */

struct hostile {
	struct fixture f;
	struct probe p;
	struct onion_geometry g;
	uint8_t packet[ONION_PACKET_MAX], record[ONION_RECORD_MAX];
	struct path path;
	struct onion_command deposit;
	uint64_t digest;
};

static void
hostile_begin(struct hostile *h)
{
	struct fixture_config cfg = {.seed = any_seed()};

	begin(&h->f, &h->p, &cfg);
	h->g = params_geometry(h->f.params);
	rng_bytes(&h->p.rng.rng, h->record, h->f.params->record_size);
	h->digest = probe_digest(h->record, h->f.params->record_size);
	h->deposit = (struct onion_command){.kind = ONION_DEPOSIT, .body = h->record};
	probe_build(&h->p, h->packet, &h->path, &h->deposit);
}

static void
hostile_send(struct hostile *h)
{
	probe_raw(&h->p, h->packet, h->path.node[0],
	    timing_epoch(h->f.params, world_now_ms(h->f.world)));
}

static void
hostile_wait(struct hostile *h)
{
	fixture_run_for(&h->f, 15 * MINUTE_MS);
	assert_true(probe_idle(&h->p));
}

static void
test_a_replayed_packet(void **state)
{
	struct hostile h;

	(void)state;
	hostile_begin(&h);
	for (int i = 0; i < 5; i++)
		hostile_send(&h);
	hostile_wait(&h);
	assert_int_equal(probe_listed(&h.p, h.digest), 1);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_REPLAYED], 4);
	/* A restart does not forget it. */
	fixture_kill(fixture_mix(&h.f, 0, 0), 1000);
	fixture_run_for(&h.f, MINUTE_MS);
	hostile_send(&h);
	hostile_wait(&h);
	assert_int_equal(probe_listed(&h.p, h.digest), 1);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_REPLAYED], 1);
	end(&h.f, &h.p);
}

/* The same record in two packets: the journal has it once. */
static void
test_a_record_twice(void **state)
{
	struct hostile h;

	(void)state;
	hostile_begin(&h);
	hostile_send(&h);
	probe_build(&h.p, h.packet, &h.path, &h.deposit);
	hostile_send(&h);
	fixture_run_for(&h.f, 2000);
	hostile_wait(&h);
	assert_in_range(probe_received(&h.p, h.digest), 1, 2);
	assert_int_equal(probe_received(&h.p, h.digest), probe_listed(&h.p, h.digest));
	end(&h.f, &h.p);
}

static void
test_flipped_bits(void **state)
{
	enum { FLIPS = 60 };
	struct hostile h;
	struct mix_status s;
	size_t bytes;

	(void)state;
	hostile_begin(&h);
	bytes = onion_packet_bytes(&h.g, 0);
	for (int i = 0; i < FLIPS; i++) {
		/* The first ones in the ciphertext of the KEM, the others anywhere. */
		size_t at = i < 20 ? (size_t)i : rng_below(&h.p.rng.rng, (uint32_t)bytes);
		uint8_t bit = (uint8_t)(1u << rng_below(&h.p.rng.rng, 8));

		h.packet[at] ^= bit;
		hostile_send(&h);
		h.packet[at] ^= bit;
	}
	fixture_run_for(&h.f, 15 * MINUTE_MS);
	hostile_wait(&h);
	s = status_of(&h.f, 0);
	assert_int_equal(s.unwrapped.by[UNWRAP_FORGED] + s.unwrapped.by[UNWRAP_POINT], FLIPS);
	assert_int_equal(probe_listed(&h.p, h.digest), 0);
	/* None of them spoiled the true one. */
	hostile_send(&h);
	hostile_wait(&h);
	assert_int_equal(probe_listed(&h.p, h.digest), 1);
	end(&h.f, &h.p);
}

static void
test_degenerate_points(void **state)
{
	struct hostile h;

	(void)state;
	hostile_begin(&h);
	memset(h.packet, 0, 32);
	hostile_send(&h);
	h.packet[0] = 1;
	hostile_send(&h);
	hostile_wait(&h);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_POINT], 2);
	end(&h.f, &h.p);
}

static void
test_wrong_epochs(void **state)
{
	struct hostile h;
	struct gateway_status g;
	uint32_t epoch;
	uint64_t dropped, dropped_in;

	(void)state;
	hostile_begin(&h);
	epoch = timing_epoch(h.f.params, world_now_ms(h.f.world));
	/* mixes' own first notes may have died at a mix that had no sheet yet */
	dropped = status_of(&h.f, 0).dropped_epoch;
	gateway_get_status(fixture_gateway(&h.f)->gateway, &g);
	dropped_in = g.dropped_in;
	probe_raw(&h.p, h.packet, h.path.node[0], epoch + 1);
	probe_raw(&h.p, h.packet, h.path.node[0], epoch - 2);
	probe_raw(&h.p, h.packet, h.path.node[0], epoch - 1);
	hostile_wait(&h);
	gateway_get_status(fixture_gateway(&h.f)->gateway, &g);
	assert_int_equal(g.dropped_in, dropped_in + 2);
	assert_int_equal(status_of(&h.f, 0).dropped_epoch, dropped + 1);
	/* A packet that waited until its epoch's keys are gone. */
	fixture_run_until(&h.f,
	    timing_epoch_start(h.f.params, epoch + 1) + h.f.params->grace_ms + 3 * MINUTE_MS);
	probe_raw(&h.p, h.packet, h.path.node[0], epoch);
	hostile_wait(&h);
	assert_int_equal(status_of(&h.f, 0).dropped_epoch, dropped + 2);
	assert_int_equal(probe_listed(&h.p, h.digest), 0);
	end(&h.f, &h.p);
}

static void
test_wrong_layers(void **state)
{
	struct hostile h;
	struct gateway_status g;
	uint32_t epoch;
	const struct sheet *sheet;

	(void)state;
	hostile_begin(&h);
	epoch = timing_epoch(h.f.params, world_now_ms(h.f.world));
	sheet = probe_sheet(&h.p, epoch);
	/* To the second layer, to the gateway, to nobody. */
	probe_raw(&h.p, h.packet, h.path.node[1], epoch);
	probe_raw(&h.p, h.packet, h.path.node[2], epoch);
	probe_raw(&h.p, h.packet, 999, epoch);
	/* Built for the second layer's key; and with the first layer twice. */
	h.path.node[0] = h.path.node[1];
	assert_err_ok(path_packet(h.packet, &h.path, sheet, h.f.params, &h.deposit, &h.p.rng.rng,
	    &h.p.keys.rng));
	h.path.node[0] = fixture_mix(&h.f, 0, 0)->charter->number;
	hostile_send(&h);
	h.path.node[1] = h.path.node[0];
	assert_err_ok(path_packet(h.packet, &h.path, sheet, h.f.params, &h.deposit, &h.p.rng.rng,
	    &h.p.keys.rng));
	hostile_send(&h);
	hostile_wait(&h);
	gateway_get_status(fixture_gateway(&h.f)->gateway, &g);
	assert_int_equal(g.dropped_in, 3);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_FORGED], 1);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_NEXT], 1);
	assert_int_equal(probe_listed(&h.p, h.digest), 0);
	end(&h.f, &h.p);
}

static void
test_a_packet_under_another_sheet(void **state)
{
	struct hostile h;
	struct sheet *other = malloc(sizeof(*other));
	const struct sheet *sheet;

	(void)state;
	assert_non_null(other);
	hostile_begin(&h);
	sheet = probe_sheet(&h.p, timing_epoch(h.f.params, world_now_ms(h.f.world)));
	*other = *sheet;
	other->hash[31] ^= 1;
	assert_err_ok(path_packet(h.packet, &h.path, other, h.f.params, &h.deposit, &h.p.rng.rng,
	    &h.p.keys.rng));
	hostile_send(&h);
	hostile_wait(&h);
	assert_int_equal(status_of(&h.f, 0).unwrapped.by[UNWRAP_FORGED], 1);
	assert_int_equal(probe_listed(&h.p, h.digest), 0);
	free(other);
	end(&h.f, &h.p);
}

/* ---- death at any moment ---- */

static void
kill_somebody(struct fixture *f)
{
	const struct rng *r = world_rng(f->world);
	struct fixture_node *n = &f->nodes[rng_below(r, (uint32_t)f->node_count)];
	int64_t down_ms = rng_between(r, 0, rng_below(r, 4) == 0 ? 3 * MINUTE_MS : 5000);

	if (rng_below(r, 2) == 0)
		fixture_kill_in_write(n, 1 + rng_below(r, 12), down_ms);
	else
		fixture_kill(n, down_ms);
}

static bool
knows_sheet(void *arg)
{
	const struct probe *p = arg;
	const struct fixture *f = p->fixture;

	return probe_sheet(p, timing_epoch(f->params, world_now_ms(f->world))) != NULL;
}

/* Two hours of deaths over an epoch's end; then it works as before. */
static void
check_deaths(uint64_t seed)
{
	struct fixture_config cfg = {.seed = seed, .params = slow_params()};
	struct fixture f;
	struct probe p;
	uint64_t digests[40], last;

	begin(&f, &p, &cfg);
	fixture_run_until(&f, FIXTURE_START_MS + HOUR_MS);
	for (int i = 0; i < 40; i++) {
		digests[i] = probe_deposit_any(&p);
		kill_somebody(&f);
		fixture_run_for(&f, rng_between(world_rng(f.world), 1000, 6 * MINUTE_MS));
	}
	/* At the latest in the next epoch everything goes its way again. */
	fixture_run_until(&f, timing_epoch_start(f.params,
	    timing_epoch(f.params, world_now_ms(f.world)) + 1) + 20 * MINUTE_MS);
	fixture_run_until_true(&f, knows_sheet, &p, 30 * MINUTE_MS);
	last = probe_deposit_any(&p);
	fixture_run_for(&f, 40 * MINUTE_MS);
	for (int i = 0; i < 40; i++)
		assert_true(probe_listed(&p, digests[i]) <= 1);
	assert_int_equal(probe_listed(&p, last), 1);
	end(&f, &p);
}

static void
test_deaths(void **state)
{
	(void)state;
	for (unsigned i = fixture_seeds(2); i > 0; i--)
		check_deaths(any_seed());
}

/* Peers go on believing in it until its silence, or its return, tells them. */
static void
test_an_unplugged_node(void **state)
{
	struct fixture_config cfg = {.seed = any_seed(), .params = slow_params()};
	struct fixture f;
	struct probe p;
	uint64_t digest;

	(void)state;
	begin(&f, &p, &cfg);
	for (size_t i = 0; i < f.node_count; i++) {
		fixture_unplug(&f.nodes[i], i % 2 == 0 ? 2000 : 5 * MINUTE_MS);
		fixture_run_for(&f, 30 * MINUTE_MS);
		digest = probe_deposit_any(&p);
		fixture_run_for(&f, 15 * MINUTE_MS);
		assert_int_equal(probe_listed(&p, digest), 1);
	}
	end(&f, &p);
}

/*
 * A mix that comes back with the disk of twenty minutes ago has forgotten tags.
 * Its peers know, and it sits the epoch out.
 */
static void
check_old_disk(bool empty)
{
	struct fixture_config cfg = {.seed = any_seed()};
	struct fixture f;
	struct probe p;
	struct fixture_node *mix;
	struct disk *backup;
	uint64_t digest;

	begin(&f, &p, &cfg);
	mix = fixture_mix(&f, 0, 0);
	backup = empty ? disk_memory() : fixture_backup(mix);
	fixture_run_for(&f, 20 * MINUTE_MS);
	fixture_kill(mix, -1);
	fixture_restore(mix, backup);
	disk_free(backup);
	fixture_start(mix);
	fixture_run_for(&f, 2 * MINUTE_MS);
	assert_true(status_of(&f, 0).sits_out);
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 20 * MINUTE_MS);
	assert_true(probe_idle(&p));
	assert_int_equal(probe_listed(&p, digest), 0);
	assert_int_equal(status_of(&f, 0).released, 0);
	fixture_run_until(
	    &f, timing_epoch_start(f.params, status_of(&f, 0).epoch + 1) + 5 * MINUTE_MS);
	assert_false(status_of(&f, 0).sits_out);
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 15 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	end(&f, &p);
}

static void
test_an_old_disk(void **state)
{
	(void)state;
	check_old_disk(false);
	check_old_disk(true);
}

/* ---- clocks and lines ---- */

static void
check_clock(unsigned who, int64_t delta_ms)
{
	struct fixture_config cfg = {.seed = any_seed(), .params = slow_params()};
	struct fixture f;
	struct probe p;
	struct world_host *host;
	uint64_t digest;

	begin(&f, &p, &cfg);
	host = who < f.node_count ? f.nodes[who].host : p.host;
	world_set_clock(host, delta_ms);
	fixture_run_for(&f, 20 * MINUTE_MS);
	world_set_clock(host, -delta_ms);
	fixture_run_until(&f, FIXTURE_START_MS + 2 * HOUR_MS + 30 * MINUTE_MS);
	fixture_run_until_true(&f, knows_sheet, &p, 30 * MINUTE_MS);
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	end(&f, &p);
}

/* Mixes, gateway and client, an hour forward and back, and right again. */
static void
test_clocks_set_wrong_and_right(void **state)
{
	(void)state;
	check_clock(0, HOUR_MS);
	check_clock(1, -HOUR_MS);
	check_clock(2, HOUR_MS);
	check_clock(2, -HOUR_MS);
	check_clock(3, HOUR_MS);
	check_clock(3, -HOUR_MS);
}

static void
test_sleep(void **state)
{
	struct fixture_config cfg = {.seed = any_seed(), .params = slow_params()};
	struct fixture f;
	struct probe p;
	uint64_t digest;

	(void)state;
	begin(&f, &p, &cfg);
	assert_err_ok(world_sleep(fixture_mix(&f, 0, 0)->host, 30 * MINUTE_MS));
	assert_err_ok(world_sleep(p.host, 3 * HOUR_MS));
	fixture_run_for(&f, 3 * HOUR_MS + 20 * MINUTE_MS);
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	end(&f, &p);
}

static void
test_a_cut_and_its_end(void **state)
{
	struct fixture_config cfg = {.seed = any_seed()};
	struct fixture f;
	struct probe p;
	struct world_host *a, *b;
	uint64_t digest;

	(void)state;
	begin(&f, &p, &cfg);
	a = fixture_mix(&f, 0, 0)->host;
	b = fixture_mix(&f, 1, 0)->host;
	/* Short: what waited comes through. Long: links are given up and made again. */
	for (int64_t ms = 20000; ms < HOUR_MS; ms *= 7) {
		fixture_run_for(&f, MINUTE_MS);
		assert_err_ok(world_cut(a, b));
		digest = probe_deposit_any(&p);
		fixture_run_for(&f, ms);
		assert_int_equal(probe_listed(&p, digest), 0);
		world_join(a, b);
		fixture_run_for(&f, 15 * MINUTE_MS);
		if (ms < 30000)
			assert_int_equal(probe_listed(&p, digest), 1);
		digest = probe_deposit_any(&p);
		fixture_run_for(&f, 15 * MINUTE_MS);
		assert_int_equal(probe_listed(&p, digest), 1);
	}
	assert_int_equal(p.failed, 0);
	end(&f, &p);
}

static void
test_bad_lines(void **state)
{
	static const struct world_line bad = {.delay_us = 400000, .spread_us = 300000,
	    .bytes_per_s = 4000};
	/* mixes that are cut off every few minutes would rightly stand: test_alone */
	struct fixture_config cfg = {.seed = any_seed(), .unguarded = true};
	struct fixture f;
	struct probe p;
	uint64_t digest;

	(void)state;
	begin(&f, &p, &cfg);
	world_set_lines(p.host, &bad, &bad);
	for (int i = 0; i < 20; i++) {
		fixture_run_for(&f, 3 * MINUTE_MS);
		for (size_t n = 0; n < f.node_count; n++)
			world_break(f.nodes[n].host, f.nodes[(n + 1) % f.node_count].host);
	}
	digest = probe_deposit_any(&p);
	fixture_run_for(&f, 20 * MINUTE_MS);
	assert_int_equal(probe_listed(&p, digest), 1);
	assert_int_equal(p.failed, 0);
	end(&f, &p);
}

/* ---- a day, and what an observer of every wire sees of it ---- */

#define CONNS_MAX 4096

struct observer {
	const struct fixture *f;
	const struct world_host *client;
	struct {
		unsigned messages; /* chunks from the client */
		int64_t first_us;  /* of its first frame behind the handshake */
	} conns[CONNS_MAX];
	unsigned frames, odd_sizes, off_beat;
};

static void
on_seen(void *arg, const struct world_seen *seen)
{
	struct observer *o = arg;
	size_t frame = params_up_frame_bytes(o->f->params) + 16, i = seen->conn % CONNS_MAX;
	int64_t slot_us = o->f->params->slot_ms * 1000, late_us;

	if (seen->from != o->client || seen->kind != WORLD_SEEN_BYTES)
		return;
	o->odd_sizes += seen->n != frame;
	if (o->conns[i].messages++ == 0)
		return; /* the handshake */
	if (o->conns[i].messages == 2)
		o->conns[i].first_us = seen->at_us;
	late_us = (seen->at_us - o->conns[i].first_us) % slot_us;
	o->off_beat += late_us > 1000 && late_us < slot_us - 1000;
	o->frames++;
}

/* Real or cover, awake or idle: frames of one size, a slot apart. */
static void
test_a_day_under_observation(void **state)
{
	struct fixture_config cfg = {.seed = any_seed()};
	struct fixture f;
	struct probe p;
	struct params params = *slow_params();
	static struct observer o;

	(void)state;
	params.epoch_ms = 6 * HOUR_MS;
	cfg.params = &params;
	fixture_new(&f, &cfg);
	probe_new(&p, &f);
	o = (struct observer){.f = &f, .client = p.host};
	world_set_tap(f.world, on_seen, &o);
	for (int hour = 0; hour < 24; hour++) {
		for (unsigned i = rng_below(world_rng(f.world), 8); i > 0; i--)
			(void)probe_deposit_any(&p);
		fixture_run_for(&f, HOUR_MS);
	}
	fixture_run_for(&f, 30 * MINUTE_MS);
	assert_true(probe_idle(&p));
	assert_int_equal(p.records.used, p.sent);
	assert_int_equal(p.sheet_changes, 5);
	assert_int_equal(p.epoch_blocks, 5);
	assert_int_equal(p.blocks, p.last_round - p.first_round + 1); /* one every 30 s */
	assert_true(probe_notes_back(&p) > 0.95);
	assert_int_equal(o.odd_sizes, 0);
	assert_int_equal(o.off_beat, 0);
	assert_true(o.frames > 24 * 55);
	end(&f, &p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_deposits_arrive),
    cmocka_unit_test(test_epochs_come_and_go),
    cmocka_unit_test(test_a_late_mix),
    cmocka_unit_test(test_a_late_gateway),
    cmocka_unit_test(test_a_mix_that_misses_an_epoch),
    cmocka_unit_test(test_a_replayed_packet),
    cmocka_unit_test(test_a_record_twice),
    cmocka_unit_test(test_flipped_bits),
    cmocka_unit_test(test_degenerate_points),
    cmocka_unit_test(test_wrong_epochs),
    cmocka_unit_test(test_wrong_layers),
    cmocka_unit_test(test_a_packet_under_another_sheet),
    cmocka_unit_test(test_deaths),
    cmocka_unit_test(test_an_unplugged_node),
    cmocka_unit_test(test_an_old_disk),
    cmocka_unit_test(test_clocks_set_wrong_and_right),
    cmocka_unit_test(test_sleep),
    cmocka_unit_test(test_a_cut_and_its_end),
    cmocka_unit_test(test_bad_lines),
    cmocka_unit_test(test_a_day_under_observation),
};
TEST_MAIN(tests)
