/*
 * A gateway's entry, in virtual time, and up to CALLERS members and strangers who do what the
 * input says: handshakes, frames of any content, connections that break, time that passes,
 * blocks and sheets that come. After each step: the gateway's figures keep to their bounds and
 * never fall, nothing is passed on that was not sent in a session, nobody is given more
 * frames than the clock and his own allow, or anything after an error. At the end, when
 * everybody has gone, nobody is left.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "evaluation/world.h"
#include "gateway/entry.h"
#include "gateway/store_memory.h"
#include "tests/fuzz/script.h"
#include "tests/lib/network.h"

#define CALLERS 6
#define SESSIONS_MAX 3
#define WAITING_MAX 2
#define STEPS_MAX 60
#define START_MS (INT64_C(20000) * 86400000 + INT64_C(9) * 3600000) /* nine in the morning */
#define CATCH_UP_MS 100 /* between two frames of a session that has not caught up */
#define HEAP_MAX ((size_t)16 << 20)
#define ENTRANCE "unix:/entrance"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 4;

/* A member with a link, or a stranger with a bare connection. */
struct caller {
	struct stand *stand;
	struct link *link;
	struct conn *conn;
	struct item_assembler *items;
	int64_t since_ms;
	uint64_t up, down;   /* frames */
	bool is_up, refused; /* told an error */
};

struct stand {
	struct world *world;
	struct world_host *host, *outside;
	struct memory_journal *journal;
	struct store *store;
	struct entry *entry;
	struct rng_seeded rng;
	struct caller callers[CALLERS];
	struct entry_status last;
	uint64_t round, packets, forwarded, hurries;
	bool jumped; /* the gateway's clock, so that hours come early */
};

static struct network *net; /* as long as the program */
static const struct params *params;

static void
free_network(void)
{
	network_free(net);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct network_config cfg = { .seed = 1 };
	struct params p;

	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	params_default(&p);
	p.record_size = ONION_RECORD_MIN;
	p.mailboxes = 2;
	p.people = 100;
	p.pieces = params_least_pieces(&p);
	cfg.params = &p;
	net = network_new(&cfg);
	params = &net->charter->params;
	return atexit(free_network);
}

/* ---- callers ---- */

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)kind;
	(void)p;
	(void)n;
	return ERR_OK;
}

static void
hang_up(struct caller *k)
{
	link_free(k->link);
	conn_free(k->conn);
	item_assembler_free(k->items);
	*k = (struct caller){ .stand = k->stand };
}

static void
on_up(void *arg)
{
	struct caller *k = arg;

	k->is_up = true;
}

/* What the gateway sends is in order, whatever it was sent. */
static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct caller *k = arg;
	struct frame_down f;

	must(n == params_down_frame_bytes(params));
	must(frame_down_decode(&f, params, plain) == ERR_OK);
	must(!k->refused);
	k->down++;
	if (f.type == FRAME_DOWN_ERROR)
		k->refused = true;
	else
		must(item_feed(k->items, f.stream, f.fill) == ERR_OK);
}

static void
on_link_down(void *arg, enum err why)
{
	(void)why;
	hang_up(arg);
}

/* With the gateway's key, or with another. */
static void
dial(struct caller *k, bool right)
{
	static const struct link_events events = {
		.up = on_up, .frame = on_frame, .down = on_link_down
	};
	struct link_config cfg = {
		.pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = right ? charter_gateway(net->charter)->link : net->charter->nodes[0].link,
		.send_bytes = params_up_frame_bytes(params),
		.receive_bytes = params_down_frame_bytes(params),
		.out_frames_max = 200,
		.handshake_ms = 60000,
		.keys = &k->stand->rng.rng,
	};

	hang_up(k);
	k->since_ms = world_now_ms(k->stand->world);
	memcpy(cfg.network_id, net->charter->network_id, sizeof(cfg.network_id));
	k->items = item_assembler_new(on_item, k);
	must(k->items != NULL);
	must(link_dial(&k->link, world_loop(k->stand->outside), ENTRANCE, &cfg, &events, k) == ERR_OK);
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	return n;
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	hang_up(arg);
}

/* A stranger says something that need not be a handshake. */
static void
knock(struct caller *k, struct script *s)
{
	static const struct conn_events events = { .data = on_data, .closed = on_closed };
	const struct conn_limits limits = { 1u << 20, 1u << 20 };
	size_t n = params_up_frame_bytes(params) + NOISE_TAG_BYTES;
	uint8_t *bytes = script_filled(s, n);

	if (script_byte(s) != 0)
		n = script_u16(s) % n;
	hang_up(k);
	must(conn_open(&k->conn, world_loop(k->stand->outside), ENTRANCE, &limits, &events, k) ==
	    ERR_OK);
	must(conn_write(k->conn, bytes, n) == ERR_OK);
	free(bytes);
}

/* ---- frames up ---- */

static void
send_bytes(struct caller *k, const uint8_t *frame)
{
	if (k->link == NULL || link_send(k->link, frame) != ERR_OK)
		return;
	k->up++;
	k->stand->packets++;
}

static void
send_frame(struct caller *k, const struct frame_up *f)
{
	uint8_t *frame = calloc(1, params_up_frame_bytes(params));

	must(frame != NULL);
	frame_up_encode(frame, params, f);
	send_bytes(k, frame);
	free(frame);
}

static void
send_open(struct caller *k, struct script *s)
{
	int64_t now = loop_wall_ms(world_loop(k->stand->host));
	struct frame_up f = { .type = FRAME_UP_OPEN };

	f.open.read = script_byte(s) % 4;
	f.open.version = 1 + script_byte(s) / 250;
	f.open.mailbox = script_byte(s) % 3;
	f.open.hour = timing_hour(params, now) + script_byte(s) % 4 / 3;
	if (f.open.read == FRAME_READ_DAY)
		f.open.day = timing_day(params, now) - script_byte(s) % 2;
	send_frame(k, &f);
}

static void
send_packets(struct caller *k, struct script *s)
{
	uint8_t packet[ONION_PACKET_MAX] = { 0 };
	struct frame_up f = { .type = FRAME_UP_PACKET, .packet = packet };
	unsigned count = script_byte(s) % 100;

	f.first_mix = script_byte(s);
	f.epoch = script_byte(s);
	packet[0] = script_byte(s);
	for (unsigned i = 0; i <= count; i++)
		send_frame(k, &f);
}

static void
send_any(struct caller *k, struct script *s)
{
	uint8_t *frame = script_filled(s, params_up_frame_bytes(params));

	send_bytes(k, frame);
	free(frame);
}

/* ---- the gateway ---- */

static void
on_packet(void *arg, uint16_t first_mix, uint32_t epoch, const uint8_t *packet)
{
	struct stand *t = arg;

	(void)first_mix;
	(void)epoch;
	(void)packet;
	t->forwarded++;
}

static void
on_put(void *arg, enum err e)
{
	must(e == ERR_OK);
	*(bool *)arg = true;
}

/* A block of now, as long as the input says, with a record or none for a mailbox. */
static void
publish(struct stand *t, struct script *s)
{
	static const uint8_t record[ONION_RECORD_MIN] = { 0 };
	int64_t now = loop_wall_ms(world_loop(t->host));
	static const uint8_t block[100 + 64 * 255] = { 0 };
	struct store_records r = { (uint16_t)(script_byte(s) % 2), record, sizeof(record) };
	struct store_round round = {
		.day = timing_day(params, now), .round = timing_round(params, now),
		.epoch_block = script_byte(s) % 4 == 3, .block = block,
		.block_len = 100 + (size_t)64 * script_byte(s), .mailboxes = &r, .state = block, .state_len = 8,
	};
	bool done = false;

	if (round.round <= t->round)
		return;
	t->round = round.round;
	round.mailbox_count = !round.epoch_block;
	must(store_put(t->store, &round, on_put, &done) == ERR_OK);
	while (!done)
		must(world_step(t->world));
	entry_published(t->entry, round.day, store_count(t->store, round.day) - 1, round.round,
	    block, round.block_len, &r, round.mailbox_count);
}

static void
announce(struct stand *t, struct script *s)
{
	size_t n;
	uint8_t *bytes;
	uint8_t kind = script_byte(s) % 3;
	uint32_t epoch = timing_epoch(params, loop_wall_ms(world_loop(t->host))) + script_byte(s) % 2;

	bytes = script_bytes(s, &n);
	if (kind == 0) {
		must(entry_sheet(t->entry, epoch, bytes, n) == ERR_OK);
		t->hurries++;
	} else if (kind == 1) {
		must(entry_notice(t->entry, bytes, n) == ERR_OK);
	} else {
		must(entry_charter(t->entry, bytes, n) == ERR_OK);
	}
	free(bytes);
}

/* ---- what must hold ---- */

/* A frame when it is let in, then for each frame up, each tick of the clock, each sheet. */
static void
check_caller(const struct stand *t, const struct caller *k)
{
	int64_t spent = world_now_ms(t->world) - k->since_ms;

	must(k->down <= 2 + k->up + t->hurries + (uint64_t)spent / CATCH_UP_MS);
	must(k->down == 0 || k->up > 0); /* not before it asks */
}

static void
check(struct stand *t)
{
	struct entry_status now;

	entry_get_status(t->entry, &now);
	must(now.members <= SESSIONS_MAX && now.members <= now.sessions);
	must(now.sessions - now.members <= 2 * WAITING_MAX);
	must(now.opened >= t->last.opened && now.refused >= t->last.refused);
	must(now.looked >= t->last.looked && now.looked <= now.opened);
	must(now.malformed >= t->last.malformed && now.pushed_out >= t->last.pushed_out);
	must(t->forwarded <= t->packets && (t->forwarded == 0 || now.opened > 0));
	for (unsigned i = 0; i < CALLERS; i++)
		check_caller(t, &t->callers[i]);
	t->last = now;
}

/* ---- the run ---- */

static void
stand_up(struct stand *t)
{
	static const struct entry_events events = { on_packet, NULL };
	const struct world_config world = { .seed = 1, .wall_ms = START_MS,
		.out = { .delay_us = 1000 }, .in = { .delay_us = 1000 } };
	size_t at = network_index(net, charter_gateway(net->charter)->number);
	struct entry_config cfg = { .charter = net->charter, .link_sk = net->keys[at].link_sk,
		.listen = ENTRANCE, .sessions_max = SESSIONS_MAX, .waiting_max = WAITING_MAX };

	*t = (struct stand){ 0 };
	must(world_new(&t->world, &world) == ERR_OK);
	must(world_host_new(&t->host, t->world) == ERR_OK);
	must(world_host_new(&t->outside, t->world) == ERR_OK);
	rng_seeded_init(&t->rng, 1);
	t->journal = memory_journal_new();
	must(t->journal != NULL);
	must(store_memory_new(&t->store, world_loop(t->host), t->journal) == ERR_OK);
	cfg.loop = world_loop(t->host);
	cfg.store = t->store;
	cfg.rng = cfg.keys = &t->rng.rng;
	must(entry_open(&t->entry, &cfg, &events, t, NULL) == ERR_OK);
	for (unsigned i = 0; i < CALLERS; i++)
		t->callers[i].stand = t;
}

static void
stand_down(struct stand *t)
{
	entry_free(t->entry);
	store_free(t->store);
	memory_journal_free(t->journal);
	world_free(t->world);
}

static void
pass(struct stand *t, int64_t ms)
{
	must(world_run_for(t->world, ms) == ERR_OK);
}

static void
step(struct stand *t, struct script *s)
{
	static const uint16_t times_ms[] = { 5, 50, 1000, 5000, 20000, 61000 };
	uint8_t what = script_byte(s);
	struct caller *k = &t->callers[what / 16 % CALLERS];

	switch (what % 16) {
	case 0: case 1: dial(k, true); break;
	case 2: dial(k, false); break;
	case 3: knock(k, s); break;
	case 4: case 5: send_open(k, s); break;
	case 6: case 7: send_packets(k, s); break;
	case 8: send_any(k, s); break;
	case 9: hang_up(k); break;
	case 10: publish(t, s); break;
	case 11: announce(t, s); break;
	case 12: if (k->link != NULL) link_pause(k->link, script_byte(s) % 2 != 0); break;
	case 13: world_set_clock(t->host, (script_byte(s) - 100) * INT64_C(60000)); break;
	case 14: world_break(t->host, t->outside); break;
	default: break;
	}
	pass(t, times_ms[script_byte(s) % 6]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s;
	struct stand t;
	size_t heap = script_heap_bytes();

	script_init(&s, data, size);
	stand_up(&t);
	for (unsigned i = 0; i < STEPS_MAX && !script_is_over(&s); i++) {
		step(&t, &s);
		check(&t);
		must(heap == 0 || script_heap_bytes() - heap < HEAP_MAX);
	}
	for (unsigned i = 0; i < CALLERS; i++)
		hang_up(&t.callers[i]);
	pass(&t, 30000);
	check(&t);
	must(t.last.sessions == 0 && t.last.members == 0);
	stand_down(&t);
	return 0;
}
