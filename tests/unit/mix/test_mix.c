#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/block.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "evaluation/world.h"
#include "mix/links.h"
#include "mix/mix.h"
#include "tests/lib/network.h"

/*
 * Mix 1 of a network of three, whole. Around it a gateway that is only links and
 * a door that serves sheets, and mix 2 that takes what comes.
 */

#define EPOCH 78703u
#define MIX 1
#define NEXT 2
#define GATEWAY 4
#define GUESTS 64
#define SECOND 1000
#define STREAM_MAX (1u << 20)

struct guest {
	struct town *town;
	struct link *link;
	size_t read; /* of the stream */
	bool opened;
};

/* A node that has links only. */
struct stub {
	struct world_host *host;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
};

struct town {
	struct world *world;
	struct network *net;
	struct world_host *host; /* the mix's */
	struct disk *under, *disk;
	struct disk_fault plan;
	struct mix *mix;
	struct stub gateway, next;
	/* the door */
	struct listener *door;
	struct guest guests[GUESTS];
	size_t guest_count, notes;
	struct buf stream;
	/* what the gateway heard, and what mix 2 had */
	struct network_epoch *epoch;
	uint8_t announced[2][ANNOUNCEMENT_BYTES]; /* of EPOCH and of the next */
	size_t announcements[2], arrived, wrong, batches;
	bool stopped;
	struct log log;
	char *log_text;
	size_t log_bytes;
};

/* ---- the door ---- */

static void
guest_up(void *arg)
{
	(void)arg;
}

static void
guest_answer(struct guest *g)
{
	const struct params *p = &g->town->net->charter->params;
	struct frame_down down = { .type = FRAME_DOWN_STREAM };
	size_t room = (size_t)p->pieces * PARAMS_PIECE_BYTES;
	size_t left = g->town->stream.len - g->read;
	static uint8_t frame[65536];

	down.fill = (uint16_t)(left < room ? left : room);
	down.stream = left > 0 ? g->town->stream.data + g->read : frame;
	frame_down_encode(frame, p, &down);
	if (link_send(g->link, frame) == ERR_OK)
		g->read += down.fill;
}

static void
guest_frame(void *arg, uint8_t *plain, size_t n)
{
	struct guest *g = arg;
	struct frame_up up;

	(void)n;
	assert_err_ok(frame_up_decode(&up, &g->town->net->charter->params, plain));
	g->town->notes += up.type == FRAME_UP_PACKET;
	guest_answer(g);
}

static void
guest_down(void *arg, enum err why)
{
	struct guest *g = arg;

	(void)why;
	link_free(g->link);
	g->link = NULL;
}

static void
on_guest(void *arg, struct conn *c)
{
	static const struct link_events events = {
		.up = guest_up, .frame = guest_frame, .down = guest_down
	};
	struct town *t = arg;
	const struct params *p = &t->net->charter->params;
	struct guest *g = &t->guests[t->guest_count++];
	size_t at = network_index(t->net, GATEWAY);
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = t->net->keys[at].link_sk, .own_pk = t->net->charter->nodes[at].link,
		.send_bytes = params_down_frame_bytes(p), .receive_bytes = params_up_frame_bytes(p),
		.out_frames_max = 8, .handshake_ms = 20000, .keys = world_rng(t->world) };

	assert_true(t->guest_count <= GUESTS);
	memcpy(cfg.network_id, t->net->charter->network_id, 32);
	g->town = t;
	assert_err_ok(link_accept(&g->link, world_loop(t->gateway.host), c, &cfg, &events, g));
}

/* ---- the stubs ---- */

static void
on_announcement(void *arg, uint16_t from, const uint8_t *a)
{
	struct town *t = arg;
	struct announcement decoded;
	uint32_t i;

	assert_err_ok(announcement_decode(&decoded, a, t->net->charter));
	assert_int_equal(from, MIX);
	i = decoded.epoch - EPOCH;
	assert_true(i < 2);
	memcpy(t->announced[i], a, ANNOUNCEMENT_BYTES);
	t->announcements[i]++;
}

static void
on_nothing(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	(void)arg;
	(void)from;
	(void)epoch;
	(void)packet;
}

/* Mix 2 opens each packet: it must be whole, and for it. */
static void
on_arrival(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct town *t = arg;
	struct onion_geometry g = params_geometry(&t->net->charter->params);
	size_t at = network_index(t->net, NEXT);
	struct onion_node_key key = { .epoch = epoch, .layer = 1, .sk = t->epoch->sk[at] };
	struct onion_job job = { .packet = packet };

	assert_int_equal(from, MIX);
	memcpy(key.pk, t->epoch->pk[at], 32);
	memcpy(key.sheet_hash, t->epoch->sheet->hash, 32);
	onion_derive(&job, 1, &g, &key);
	onion_open(&job, 1, &g, &key);
	t->arrived += job.verdict == ONION_OPENED;
	t->wrong += job.verdict != ONION_OPENED;
}

static void
on_batch(void *arg, uint16_t from, uint64_t number)
{
	(void)from;
	(void)number;
	((struct town *)arg)->batches++;
}

static void
stub_up(struct town *t, struct stub *s, uint16_t number, const struct links_events *events)
{
	struct links_config cfg = { .charters = t->net->charters, .own = number,
		.link_sk = t->net->keys[network_index(t->net, number)].link_sk,
		.rng = world_rng(t->world), .keys = world_rng(t->world), .queue_max = 10000 };

	assert_err_ok(world_host_new(&s->host, t->world));
	s->disk = disk_memory();
	s->queue = workq_new(world_loop(s->host), 1);
	assert_true(s->disk != NULL && s->queue != NULL);
	cfg.loop = world_loop(s->host);
	cfg.disk = s->disk;
	cfg.queue = s->queue;
	assert_err_ok(links_open(&s->links, &cfg, events, t, NULL));
	assert_err_ok(links_start(s->links, NULL));
}

static void
stub_down(struct stub *s)
{
	workq_free(s->queue);
	links_free(s->links);
	disk_free(s->disk);
}

/* ---- the town ---- */

static int64_t
epoch_start(const struct town *t, uint32_t epoch)
{
	return timing_epoch_start(&t->net->charter->params, epoch);
}

static void
run(struct town *t, int64_t ms)
{
	assert_err_ok(world_run_for(t->world, ms));
}

static enum err
open_mix(struct town *t, struct diag *d)
{
	const struct network_keys *keys = &t->net->keys[network_index(t->net, MIX)];
	const struct mix_config cfg = {
		.loop = world_loop(t->host),
		.disk = t->disk,
		.charter = t->net->charter,
		.number = MIX,
		.identity_sk = keys->identity_sk,
		.link_sk = keys->link_sk,
		.rng = world_rng(t->world),
		.keys = world_rng(t->world),
		.log = &t->log,
		.threads = 2,
	};

	t->log.clock = loop_clock(world_loop(t->host));
	return mix_new(&t->mix, &cfg, d);
}

static void
start_mix(struct town *t)
{
	t->plan = (struct disk_fault){ 0 };
	t->disk = disk_fault_new(t->under, &t->plan);
	assert_non_null(t->disk);
	assert_err_ok(open_mix(t, NULL));
}

/* kill -9: nothing more reaches the disk. */
static void
kill_mix(struct town *t)
{
	world_kill(t->host);
	t->plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true };
	mix_free(t->mix);
	t->mix = NULL;
	disk_free(t->disk);
	assert_err_ok(world_start(t->host));
}

static void
town_up(struct town *t, const struct params *params)
{
	static const struct links_events gateway = {
		.packet = on_nothing, .announcement = on_announcement
	};
	static const struct links_events next = { .packet = on_arrival, .batch = on_batch };
	const struct network_config nc = { .seed = 6, .params = params };
	struct world_config wc = { .seed = test_seed(),
		.out = { .delay_us = 5000, .spread_us = 1000 },
		.in = { .delay_us = 5000, .spread_us = 1000 } };

	*t = (struct town){ .net = network_new(&nc) };
	t->log.out = open_memstream(&t->log_text, &t->log_bytes);
	assert_non_null(t->log.out);
	wc.wall_ms = epoch_start(t, EPOCH) + 600 * SECOND;
	buf_init(&t->stream);
	assert_err_ok(world_new(&t->world, &wc));
	stub_up(t, &t->gateway, GATEWAY, &gateway);
	stub_up(t, &t->next, NEXT, &next);
	assert_err_ok(listener_open(&t->door, world_loop(t->gateway.host),
	    charter_gateway(t->net->charter)->entrance, on_guest, t, NULL));
	assert_err_ok(world_host_new(&t->host, t->world));
	t->under = disk_memory();
	assert_non_null(t->under);
	start_mix(t);
}

static void
town_down(struct town *t)
{
	if (t->mix != NULL) {
		mix_free(t->mix);
		disk_free(t->disk);
	}
	listener_free(t->door);
	for (size_t i = 0; i < t->guest_count; i++)
		link_free(t->guests[i].link);
	stub_down(&t->gateway);
	stub_down(&t->next);
	disk_free(t->under);
	buf_release(&t->stream);
	if (t->epoch != NULL)
		network_epoch_free(t->epoch);
	world_free(t->world);
	network_free(t->net);
	assert_int_equal(fclose(t->log.out), 0);
	free(t->log_text);
}

/* What the mix's operator was told so far. */
static bool
logged(const struct town *t, const char *event)
{
	return strstr(t->log_text, event) != NULL;
}

/* A sheet with the mix's announcement. */
static void
make_sheet(struct town *t, struct buf *out, uint32_t epoch)
{
	struct network_epoch *e = network_epoch_new(t->net, epoch);
	size_t at = network_index(t->net, MIX);

	assert_true(t->announcements[epoch - EPOCH] > 0);
	assert_err_ok(announcement_decode(&e->sheet->nodes[at], t->announced[epoch - EPOCH],
	    t->net->charter));
	buf_init(out);
	assert_err_ok(sheet_encode(out, e->sheet));
	if (t->epoch != NULL)
		network_epoch_free(t->epoch);
	t->epoch = e;
}

/* Put it into the journal stream as an item of its own. */
static void
serve_sheet(struct town *t, uint32_t epoch)
{
	struct buf sheet;

	make_sheet(t, &sheet, epoch);
	assert_err_ok(item_append(&t->stream, ITEM_SHEET, sheet.data, sheet.len, STREAM_MAX));
	buf_release(&sheet);
}

/* Put it there in a block, signed by the gateway. */
static void
serve_block(struct town *t, uint32_t epoch, bool good)
{
	const struct charter *c = t->net->charter;
	const struct network_keys *keys = &t->net->keys[network_index(t->net, GATEWAY)];
	struct block b = { .gateway = GATEWAY, .entry_count = 1,
		.round = timing_round(&c->params, world_now_ms(t->world)), .previous = { 1 } };
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	struct buf sheet, bytes;

	make_sheet(t, &sheet, epoch);
	b.entries[0] = (struct block_entry){ BLOCK_SHEET, sheet.data, (uint32_t)sheet.len };
	buf_init(&bytes);
	assert_err_ok(block_encode(&bytes, &b));
	block_sign(signature, &b, c->network_id, keys->identity_sk);
	signature[7] ^= !good;
	assert_err_ok(buf_append(&bytes, signature, sizeof(signature), STREAM_MAX));
	assert_err_ok(item_append(&t->stream, ITEM_BLOCK, bytes.data, bytes.len, STREAM_MAX));
	buf_release(&sheet);
	buf_release(&bytes);
}

static struct mix_status
status(const struct town *t)
{
	struct mix_status s;

	mix_get_status(t->mix, &s);
	return s;
}

/* Until the mix has the sheet of EPOCH. */
static void
settle(struct town *t)
{
	run(t, 30 * SECOND);
	serve_sheet(t, EPOCH);
	for (int i = 0; i < 3600 && !status(t).has_sheet; i++)
		run(t, SECOND);
	assert_true(status(t).has_sheet);
}

static void
build(struct town *t, uint8_t *packet)
{
	struct onion_command c = { .kind = ONION_DROP };
	struct path path;

	path_draw(&path, t->net->charter, test_rng());
	assert_err_ok(path_packet(packet, &path, t->epoch->sheet, &t->net->charter->params, &c,
	    test_rng(), test_rng()));
}

static void
pass_on(struct town *t, const uint8_t *packet)
{
	assert_err_ok(links_send_packet(t->gateway.links, MIX, t->epoch->sheet->epoch, packet));
}

static void
send(struct town *t, size_t n)
{
	uint8_t packet[ONION_PACKET_MAX];

	while (n-- > 0) {
		build(t, packet);
		pass_on(t, packet);
	}
}

/* ---- tests ---- */

static void
test_packets_pass(void **state)
{
	struct town t;
	struct mix_status s;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	assert_true(t.announcements[0] > 0);
	send(&t, 500);
	run(&t, 300 * SECOND);
	s = status(&t);
	assert_int_equal(s.received, 500);
	assert_int_equal(t.arrived + s.pooled, 500);
	assert_int_equal(s.pooled, 2); /* pool_min stays */
	assert_int_equal(s.held, s.pooled);
	assert_int_equal(s.released, t.arrived);
	assert_int_equal(t.wrong, 0);
	assert_true(t.batches > 2);
	assert_true(t.notes > 20); /* three sessions send them all the time */
	assert_int_equal(s.unwrapped.by[UNWRAP_PASSED], 500);
	town_down(&t);
}

/* ---- every strategy ---- */

#define SOME 60

/* What goes in comes out but for what the strategy keeps, and not a second time. */
static void
check_strategy(const char *strategy, size_t kept)
{
	static uint8_t packet[SOME][ONION_PACKET_MAX];
	struct params p;
	struct mix_status s;
	struct town t;

	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		assert_err_ok(strategy_parse(&p.strategy[i], strategy, "strategy", NULL));
	town_up(&t, &p);
	settle(&t);
	for (size_t i = 0; i < SOME; i++) {
		build(&t, packet[i]);
		pass_on(&t, packet[i]);
		run(&t, (int64_t)rng_below(test_rng(), 400));
	}
	run(&t, 400 * SECOND);
	s = status(&t);
	if (s.pooled != kept)
		fail_msg("%s: %zu kept", strategy, s.pooled);
	assert_int_equal(s.unwrapped.by[UNWRAP_PASSED], SOME);
	assert_int_equal(t.arrived, SOME - kept);
	assert_int_equal(s.released, t.arrived);
	assert_int_equal(s.held, kept);
	assert_int_equal(t.wrong, 0);
	kill_mix(&t);
	start_mix(&t);
	run(&t, 60 * SECOND);
	for (size_t i = 0; i < SOME; i++)
		pass_on(&t, packet[i]);
	run(&t, 400 * SECOND);
	assert_true(t.arrived <= SOME); /* those that were lost with the pool may come now */
	assert_true(status(&t).unwrapped.by[UNWRAP_REPLAYED] >= SOME - kept);
	town_down(&t);
}

static void
test_every_strategy(void **state)
{
	(void)state;
	check_strategy("threshold packets=25", 10);
	check_strategy("timed", 0);
	check_strategy("threshold-or-timed packets=20", 0);
	check_strategy("threshold-and-timed packets=1", 0);
	check_strategy("threshold-and-timed packets=61", SOME);
	check_strategy("threshold-pool packets=10 min=12", 20);
	check_strategy("timed-pool min=7", 7);
	check_strategy("timed-dynamic-pool min=2 rate=0.6", 2);
	check_strategy("timed-dynamic-pool min=2 rate=0.6 rule=gmix", 3);
	check_strategy("binomial rate=0.9 mean=0 deviation=1", 0);
	check_strategy("stop-and-go mean=5s", 0);
}

/* Packets leave one by one when their time comes, at most one batch for each tick. */
static void
test_stop_and_go_batches(void **state)
{
	struct params p;
	struct town t;

	(void)state;
	params_default(&p);
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		p.strategy[i] = (struct strategy){ .kind = STRATEGY_STOP_AND_GO, .mean_ms = 2000 };
	town_up(&t, &p);
	settle(&t);
	send(&t, 3000);
	run(&t, 10 * SECOND);
	/* a hundred ticks; the replay tags were all on the disk with the first batch */
	assert_in_range(t.batches, 50, 100);
	assert_true(t.arrived > 2900); /* exp(-5) of them stay: 20 */
	run(&t, 40 * SECOND);
	assert_int_equal(t.arrived, 3000);
	assert_int_equal(status(&t).held, 0);
	/* while the disk refuses, what is ready waits, and then leaves as one batch */
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true,
		.writes_only = true };
	send(&t, 500);
	run(&t, 50 * SECOND);
	assert_int_equal(t.arrived, 3000);
	t.plan = (struct disk_fault){ 0 };
	run(&t, 70 * SECOND);
	assert_int_equal(t.arrived, 3500);
	/* set back, the clock keeps nobody for longer than 16 means */
	send(&t, 500);
	run(&t, SECOND);
	world_set_clock(t.host, -3600 * SECOND / 6);
	run(&t, 45 * SECOND);
	assert_int_equal(t.arrived, 4000);
	town_down(&t);
}

/* A sheet in a block counts if the gateway signed the block. */
static void
test_sheet_in_a_block(void **state)
{
	(void)state;
	for (int good = 0; good < 2; good++) {
		struct town t;

		town_up(&t, NULL);
		run(&t, 30 * SECOND);
		serve_block(&t, EPOCH, good == 1);
		run(&t, 1200 * SECOND); /* in which every session came in anew */
		assert_int_equal(status(&t).has_sheet, good);
		assert_int_equal(logged(&t, "alarm chain-broken"), !good);
		assert_false(logged(&t, "clock-skew"));
		town_down(&t);
	}
}

static void
test_slow_clock_is_told(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	run(&t, 1600 * SECOND);
	serve_block(&t, EPOCH, true);
	world_set_clock(t.host, -1500 * SECOND);
	run(&t, 1200 * SECOND); /* in which every session came in anew */
	assert_true(logged(&t, "warning clock-jump seconds=1500"));
	assert_true(logged(&t, "warning clock-skew seconds="));
	town_down(&t);
}

/* Announced until seen in a sheet, and no longer. */
static void
test_announces(void **state)
{
	struct town t;
	size_t n;

	(void)state;
	town_up(&t, NULL);
	run(&t, 300 * SECOND);
	assert_true(t.announcements[0] >= 5);
	assert_int_equal(t.announcements[1], 0);
	settle(&t);
	n = t.announcements[0];
	run(&t, 300 * SECOND);
	assert_int_equal(t.announcements[0], n);
	town_down(&t);
}

static void
test_no_sheet_no_packets(void **state)
{
	uint8_t packet[ONION_PACKET_MAX] = { 0 };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	run(&t, 5 * SECOND);
	assert_err_ok(links_send_packet(t.gateway.links, MIX, EPOCH, packet));
	settle(&t);
	assert_err_ok(links_send_packet(t.gateway.links, MIX, EPOCH - 1, packet));
	assert_err_ok(links_send_packet(t.gateway.links, MIX, EPOCH + 1, packet));
	run(&t, 60 * SECOND);
	assert_int_equal(status(&t).dropped_epoch, 3);
	assert_int_equal(t.arrived + t.wrong, 0);
	town_down(&t);
}

/* What was released once is not released again, whatever happens in between. */
static void
test_replay_after_a_kill(void **state)
{
	uint8_t packet[20][ONION_PACKET_MAX];
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	for (int i = 0; i < 20; i++) {
		build(&t, packet[i]);
		pass_on(&t, packet[i]);
	}
	run(&t, 100 * SECOND);
	assert_int_equal(t.arrived, 18);
	kill_mix(&t);
	start_mix(&t);
	assert_true(status(&t).has_sheet); /* from the disk */
	run(&t, 60 * SECOND);
	arrived = t.arrived;
	for (int i = 0; i < 20; i++)
		pass_on(&t, packet[i]);
	run(&t, 100 * SECOND);
	assert_int_equal(status(&t).unwrapped.by[UNWRAP_REPLAYED], 20);
	assert_int_equal(t.arrived, arrived);
	send(&t, 20); /* and new ones pass */
	run(&t, 100 * SECOND);
	assert_int_equal(t.arrived, arrived + 18);
	town_down(&t);
}

static void
test_full_disk_holds_everything(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true,
		.writes_only = true };
	send(&t, 50);
	run(&t, 300 * SECOND);
	assert_int_equal(t.arrived, 0);
	assert_int_equal(status(&t).held, 50);
	assert_true(status(&t).failed_commits > 3);
	assert_true(logged(&t, "alarm disk-failed"));
	t.plan = (struct disk_fault){ 0 };
	run(&t, 200 * SECOND);
	assert_int_equal(t.arrived, 48);
	assert_true(logged(&t, "info disk-recovered"));
	town_down(&t);
}

/* Any single failing write, at any place: all packets leave in the end, none twice. */
static void
test_every_single_fault(void **state)
{
	(void)state;
	for (uint64_t at = 1; at <= 6; at++) {
		struct town t;

		town_up(&t, NULL);
		settle(&t);
		t.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .writes_only = true,
			.effect = DISK_FAULT_TORN, .keep = 17 * at };
		for (int i = 0; i < 3; i++) {
			send(&t, 10);
			run(&t, 20 * SECOND);
		}
		run(&t, 200 * SECOND);
		assert_true(t.plan.failed == 1);
		assert_int_equal(t.arrived, 28);
		kill_mix(&t); /* and what is on the disk loads */
		start_mix(&t);
		assert_true(status(&t).has_sheet);
		town_down(&t);
	}
}

static void
test_bounded(void **state)
{
	struct params p;
	struct town t;

	(void)state;
	params_default(&p);
	p.people = 50;
	p.pool_max = 400;
	p.pieces = params_least_pieces(&p);
	town_up(&t, &p);
	settle(&t);
	t.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	send(&t, 700);
	run(&t, 60 * SECOND);
	assert_int_equal(status(&t).held, 400);
	assert_int_equal(status(&t).dropped_full, 300);
	town_down(&t);
}

static void
test_two_sheets_stop_it(void **state)
{
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	send(&t, 50);
	run(&t, 15 * SECOND);
	arrived = t.arrived;
	assert_true(status(&t).pooled > 0);
	serve_sheet(&t, EPOCH); /* another one */
	run(&t, 20 * SECOND);
	assert_true(status(&t).sits_out);
	assert_true(logged(&t, "alarm sheet-equivocation epoch="));
	assert_false(status(&t).has_sheet);
	assert_int_equal(status(&t).held, 0);
	arrived = t.arrived;
	send(&t, 50);
	run(&t, 100 * SECOND);
	assert_int_equal(t.arrived, arrived);
	kill_mix(&t);
	start_mix(&t);
	run(&t, 60 * SECOND);
	assert_true(status(&t).sits_out);
	town_down(&t);
}

static void
test_roll_back_stops_it(void **state)
{
	struct buf old;
	struct town t;
	size_t arrived;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	send(&t, 10);
	run(&t, 30 * SECOND);
	buf_init(&old);
	assert_err_ok(disk_read(t.under, &old, "batches", 65536));
	send(&t, 10);
	run(&t, 60 * SECOND);
	kill_mix(&t);
	assert_err_ok(disk_replace(t.under, "batches", old.data, old.len));
	start_mix(&t);
	run(&t, 60 * SECOND);
	assert_true(status(&t).sits_out);
	assert_true(logged(&t, "alarm rolled-back node=2"));
	arrived = t.arrived;
	send(&t, 20);
	run(&t, 60 * SECOND);
	assert_int_equal(t.arrived, arrived);
	assert_int_equal(status(&t).dropped_out, 20);
	buf_release(&old);
	town_down(&t);
}

static void
on_stopped(void *arg)
{
	((struct town *)arg)->stopped = true;
}

static void
test_stop_releases_nothing(void **state)
{
	struct town t;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	send(&t, 50);
	run(&t, 300);
	mix_stop(t.mix, 2000, on_stopped, &t);
	assert_false(t.stopped);
	run(&t, 30 * SECOND);
	assert_true(t.stopped);
	assert_int_equal(t.arrived, 0);
	town_down(&t);
}

/* Into the next epoch: key, announcement, sheet; and the old key and its set are gone. */
static void
test_next_epoch(void **state)
{
	const struct charter *c;
	struct town t;

	(void)state;
	town_up(&t, NULL);
	c = t.net->charter;
	settle(&t);
	send(&t, 20);
	assert_err_ok(world_run_until(t.world, epoch_start(&t, EPOCH + 1) - 3000 * SECOND));
	assert_true(t.announcements[1] > 0);
	assert_int_equal(t.arrived, 18);
	serve_sheet(&t, EPOCH + 1);
	assert_err_ok(world_run_until(t.world, epoch_start(&t, EPOCH + 1) + 60 * SECOND));
	assert_true(status(&t).has_sheet);
	send(&t, 20);
	run(&t, 100 * SECOND);
	assert_true(t.arrived + t.wrong >= 36); /* what was left of the old ones does not open */
	assert_true(t.wrong <= 2);
	assert_err_ok(world_run_until(t.world,
	    epoch_start(&t, EPOCH + 1) + c->params.grace_ms + 120 * SECOND));
	for (int i = 0; i < 2; i++) {
		char name[32];
		struct buf b;

		(void)snprintf(name, sizeof(name), "%s-%08x", i == 0 ? "key" : "replay", EPOCH);
		buf_init(&b);
		assert_err(disk_read(t.under, &b, name, 1u << 20), ERR_NOT_FOUND);
		buf_release(&b);
	}
	town_down(&t);
}

/* A clock that was set back or forward by some minutes: rounds go on by the new time. */
static void
test_clock_is_set(void **state)
{
	static const int64_t jumps[] = { 300 * SECOND, -400 * SECOND };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	settle(&t);
	for (size_t i = 0; i < 2; i++) {
		size_t before = t.arrived + status(&t).pooled;

		world_set_clock(t.host, jumps[i]);
		run(&t, 30 * SECOND);
		send(&t, 40);
		run(&t, 120 * SECOND);
		assert_int_equal(t.arrived + status(&t).pooled, before + 40);
		assert_int_equal(status(&t).pooled, 2);
	}
	town_down(&t);
}

static void
test_wrong_keys_are_named(void **state)
{
	struct diag d = { "" };
	struct town t;

	(void)state;
	town_up(&t, NULL);
	mix_free(t.mix);
	t.mix = NULL;
	t.net->keys[network_index(t.net, MIX)].identity_sk[40] ^= 1;
	assert_err(open_mix(&t, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "identity key");
	disk_free(t.disk);
	town_down(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_packets_pass),
	cmocka_unit_test(test_every_strategy),
	cmocka_unit_test(test_stop_and_go_batches),
	cmocka_unit_test(test_sheet_in_a_block),
	cmocka_unit_test(test_slow_clock_is_told),
	cmocka_unit_test(test_announces),
	cmocka_unit_test(test_no_sheet_no_packets),
	cmocka_unit_test(test_replay_after_a_kill),
	cmocka_unit_test(test_full_disk_holds_everything),
	cmocka_unit_test(test_every_single_fault),
	cmocka_unit_test(test_bounded),
	cmocka_unit_test(test_two_sheets_stop_it),
	cmocka_unit_test(test_roll_back_stops_it),
	cmocka_unit_test(test_stop_releases_nothing),
	cmocka_unit_test(test_next_epoch),
	cmocka_unit_test(test_clock_is_set),
	cmocka_unit_test(test_wrong_keys_are_named),
};

TEST_MAIN(tests)
