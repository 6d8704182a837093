#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/timing.h"
#include "common/net/link.h"
#include "evaluation/world.h"
#include "mix/links.h"
#include "tests/lib/network.h"

#define START_MS ((int64_t)1700000000000)
#define EPOCH 78703u
#define NODES 4 /* mixes 1, 2, 3 and the gateway 4 */
#define GATEWAY 4
#define REGISTRAR 5 /* in some towns */
#define TAKEN_MAX 512

struct node {
	struct town *town;
	struct world_host *host;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
	uint16_t number;
	/* what came */
	struct {
		uint16_t from;
		uint8_t first; /* byte of the packet */
	} taken[TAKEN_MAX];
	size_t taken_count, batches, announcements, ups, downs, roll_backs, seeds;
	uint32_t seed_epoch;
	uint8_t seed[32];
	uint64_t last_batch;
	uint8_t announced;
};

struct town {
	struct world *world;
	struct network *net;
	uint16_t count;
	struct node nodes[REGISTRAR + 1]; /* by number */
	size_t queue_max;
};

static void
on_packet(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct node *n = arg;

	assert_int_equal(epoch, EPOCH);
	assert_true(n->taken_count < TAKEN_MAX);
	n->taken[n->taken_count].from = from;
	n->taken[n->taken_count++].first = packet[0];
}

static void
on_announcement(void *arg, uint16_t from, const uint8_t *a)
{
	struct node *n = arg;

	(void)from;
	n->announcements++;
	n->announced = a[0];
}

static void
on_seed(void *arg, uint16_t from, uint32_t epoch, const uint8_t *seed)
{
	struct node *n = arg;

	assert_int_equal(from, REGISTRAR);
	n->seeds++;
	n->seed_epoch = epoch;
	memcpy(n->seed, seed, sizeof(n->seed));
}

static void
on_batch(void *arg, uint16_t from, uint64_t number)
{
	struct node *n = arg;

	(void)from;
	n->batches++;
	n->last_batch = number;
}

static void
on_state(void *arg, uint16_t peer, bool dialled, bool up)
{
	struct node *n = arg;

	(void)peer;
	(void)dialled;
	*(up ? &n->ups : &n->downs) += 1;
}

static void
on_rolled_back(void *arg, uint16_t peer)
{
	(void)peer;
	((struct node *)arg)->roll_backs++;
}

static enum err
open_node(struct node *n, struct diag *d)
{
	static const struct links_events events = {
		.packet = on_packet, .announcement = on_announcement, .batch = on_batch,
		.state = on_state, .rolled_back = on_rolled_back, .seed = on_seed
	};
	struct town *t = n->town;
	struct links_config cfg = {
		.loop = world_loop(n->host),
		.charters = t->net->charters,
		.own = n->number,
		.link_sk = t->net->keys[network_index(t->net, n->number)].link_sk,
		.disk = n->disk,
		.queue = n->queue,
		.rng = world_rng(t->world),
		.keys = world_rng(t->world),
		.queue_max = t->queue_max,
	};

	return links_open(&n->links, &cfg, &events, n, d);
}

static void
start_node(struct node *n)
{
	n->queue = workq_new(world_loop(n->host), 1);
	assert_non_null(n->queue);
	assert_err_ok(open_node(n, NULL));
	assert_err_ok(links_start(n->links, NULL));
}

static void
stop_node(struct node *n)
{
	if (n->links == NULL)
		return;
	workq_free(n->queue);
	links_free(n->links);
	n->links = NULL;
}

static void
kill_node(struct node *n)
{
	world_kill(n->host);
	stop_node(n);
	assert_err_ok(world_start(n->host));
}

static void
town_with(struct town *t, bool registrar)
{
	const struct world_config wc = { .seed = test_seed(), .wall_ms = START_MS,
		.out = { .delay_us = 10000, .spread_us = 1000 },
		.in = { .delay_us = 10000, .spread_us = 1000 } };
	const struct network_config nc = { .seed = 5, .registrar = registrar };

	*t = (struct town){ .queue_max = 400, .count = registrar ? REGISTRAR : NODES };
	assert_err_ok(world_new(&t->world, &wc));
	t->net = network_new(&nc);
	for (uint16_t i = 1; i <= t->count; i++) {
		struct node *n = &t->nodes[i];

		n->town = t;
		n->number = i;
		assert_err_ok(world_host_new(&n->host, t->world));
		n->disk = disk_memory();
		assert_non_null(n->disk);
	}
}

static void
town_up(struct town *t)
{
	town_with(t, false);
}

static void
start_all(struct town *t)
{
	for (uint16_t i = 1; i <= t->count; i++)
		start_node(&t->nodes[i]);
}

static void
run(struct town *t, int64_t ms)
{
	assert_err_ok(world_run_for(t->world, ms));
}

static void
town_down(struct town *t)
{
	for (uint16_t i = 1; i <= t->count; i++) {
		stop_node(&t->nodes[i]);
		disk_free(t->nodes[i].disk);
	}
	world_free(t->world);
	network_free(t->net);
}

static enum err
send_one(struct node *n, uint16_t to, uint8_t first)
{
	static uint8_t packet[ONION_PACKET_MAX];

	packet[0] = first;
	return links_send_packet(n->links, to, EPOCH, packet);
}

struct numbered {
	unsigned calls;
	enum err err;
};

static void
on_numbered(void *arg, enum err e)
{
	struct numbered *o = arg;

	o->calls++;
	o->err = e;
}

static enum err
number_batch(struct node *n)
{
	struct numbered o = { 0 };

	assert_err_ok(links_commit(n->links, on_numbered, &o));
	while (o.calls == 0)
		run(n->town, 1);
	return o.err;
}

static void
test_who_links_to_whom(void **state)
{
	struct town t;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 5000);
	assert_true(links_is_up(t.nodes[1].links, 2));
	assert_true(links_is_up(t.nodes[2].links, 3));
	for (uint16_t i = 1; i <= 3; i++)
		assert_true(links_is_up(t.nodes[i].links, GATEWAY));
	assert_true(links_is_up(t.nodes[GATEWAY].links, 1));
	assert_false(links_is_up(t.nodes[GATEWAY].links, 2));
	assert_false(links_is_up(t.nodes[2].links, 1));
	assert_int_equal(t.nodes[GATEWAY].ups, 4); /* three come in, one goes out */
	for (uint16_t i = 1; i <= NODES; i++)
		assert_int_equal(t.nodes[i].roll_backs, 0);
	assert_err(send_one(&t.nodes[1], 3, 0), ERR_NOT_FOUND);
	assert_err(send_one(&t.nodes[2], 1, 0), ERR_NOT_FOUND);
	town_down(&t);
}

/* In order, over every link of a path, and announcements to the gateway. */
static void
test_packets_arrive(void **state)
{
	static const uint16_t way[] = { GATEWAY, 1, 2, 3, GATEWAY };
	uint8_t a[ANNOUNCEMENT_BYTES] = { 77 };
	struct town t;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 5000);
	for (size_t hop = 0; hop < 4; hop++) {
		struct node *from = &t.nodes[way[hop]], *to = &t.nodes[way[hop + 1]];

		for (uint8_t i = 0; i < 100; i++)
			assert_err_ok(send_one(from, way[hop + 1], i));
		run(&t, 5000);
		assert_int_equal(to->taken_count, 100);
		for (uint8_t i = 0; i < 100; i++) {
			assert_int_equal(to->taken[i].first, i);
			assert_int_equal(to->taken[i].from, way[hop]);
		}
	}
	assert_err_ok(links_send_announcement(t.nodes[2].links, GATEWAY, a));
	run(&t, 1000);
	assert_int_equal(t.nodes[GATEWAY].announcements, 1);
	assert_int_equal(t.nodes[GATEWAY].announced, 77);
	town_down(&t);
}

static void
test_waits_for_a_link(void **state)
{
	struct town t;

	(void)state;
	town_up(&t);
	start_node(&t.nodes[1]);
	for (uint8_t i = 0; i < 50; i++)
		assert_err_ok(send_one(&t.nodes[1], 2, i));
	run(&t, 60000);
	start_node(&t.nodes[2]);
	run(&t, LINKS_BACKOFF_MAX_MS + 1000);
	assert_int_equal(t.nodes[2].taken_count, 50);
	assert_int_equal(links_unsent(t.nodes[1].links), 0);
	town_down(&t);
}

static void
test_bounded_queue(void **state)
{
	struct town t;
	size_t sent = 0;

	(void)state;
	town_up(&t);
	start_node(&t.nodes[1]);
	while (send_one(&t.nodes[1], 2, 1) == ERR_OK)
		sent++;
	assert_int_equal(sent, t.queue_max);
	assert_err(send_one(&t.nodes[1], 2, 1), ERR_FULL);
	assert_int_equal(links_dropped(t.nodes[1].links), 2);
	start_node(&t.nodes[2]);
	run(&t, LINKS_BACKOFF_MAX_MS + 5000);
	assert_int_equal(t.nodes[2].taken_count, sent);
	town_down(&t);
}

static void
test_reconnects(void **state)
{
	struct town t;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 5000);
	for (uint8_t i = 0; i < 5; i++) {
		kill_node(&t.nodes[2]);
		run(&t, 20000);
		assert_false(links_is_up(t.nodes[1].links, 2));
		start_node(&t.nodes[2]);
		run(&t, LINKS_BACKOFF_MAX_MS + 1000);
		assert_true(links_is_up(t.nodes[1].links, 2));
		assert_err_ok(send_one(&t.nodes[1], 2, i));
		run(&t, 1000);
		assert_int_equal(t.nodes[2].taken_count, i + 1);
	}
	town_down(&t);
}

/* A peer whose cable was cut is noticed by its silence, an idle one is not. */
/* Links that always end soon after they came up are not dialled ever faster: a twin's, say. */
static void
test_flapping_is_slowed(void **state)
{
	struct town t;
	size_t before, steady;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 30000);
	before = t.nodes[1].ups;
	for (unsigned i = 0; i < 300; i++) { /* five minutes in which no link lives for long */
		run(&t, 1000);
		world_break(t.nodes[1].host, t.nodes[2].host);
	}
	/* mix 1 dials mix 2 and the gateway; without a pause it would be thousands */
	assert_in_range(t.nodes[1].ups - before, 5, 60);
	run(&t, LINKS_BACKOFF_MAX_MS + 1000);
	assert_true(links_is_up(t.nodes[1].links, 2));
	/* once it was up for long, a loss is mended as fast as ever */
	run(&t, 60000);
	steady = t.nodes[1].ups;
	world_break(t.nodes[1].host, t.nodes[2].host);
	run(&t, 2000);
	assert_true(t.nodes[1].ups > steady);
	town_down(&t);
}

static void
test_idle_and_silent(void **state)
{
	struct town t;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 3600000);
	assert_true(links_is_up(t.nodes[1].links, 2));
	assert_int_equal(t.nodes[1].downs, 0);
	world_unplug(t.nodes[2].host);
	run(&t, LINKS_SILENT_MS + LINKS_IDLE_MS + 1000);
	assert_false(links_is_up(t.nodes[1].links, 2));
	town_down(&t);
}

static void
test_batch_numbers(void **state)
{
	struct town t;
	struct node *one, *two;

	(void)state;
	town_up(&t);
	one = &t.nodes[1];
	two = &t.nodes[2];
	start_all(&t);
	run(&t, 5000);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_err_ok(number_batch(one));
		assert_err_ok(send_one(one, 2, (uint8_t)i));
		links_end_batch(one->links);
		run(&t, 1000);
		assert_int_equal(two->batches, i);
		assert_int_equal(two->last_batch, i);
		assert_int_equal(two->taken_count, i);
	}
	/* Both restart with their disks: nobody was rolled back. */
	kill_node(one);
	start_node(one);
	run(&t, LINKS_BACKOFF_MAX_MS);
	assert_err_ok(number_batch(two)); /* what it had is durable now */
	kill_node(two);
	start_node(two);
	run(&t, LINKS_BACKOFF_MAX_MS);
	assert_int_equal(one->roll_backs + two->roll_backs, 0);
	assert_err_ok(number_batch(one));
	links_end_batch(one->links);
	run(&t, 1000);
	assert_int_equal(two->last_batch, 4);
	town_down(&t);
}

static void
copy_disk(struct disk *to, struct disk *from)
{
	struct buf b;

	buf_init(&b);
	assert_err_ok(disk_read(from, &b, "batches", 65536));
	assert_err_ok(disk_replace(to, "batches", b.data, b.len));
	buf_release(&b);
}

static void
test_roll_back_is_noticed(void **state)
{
	struct town t;
	struct node *one;
	struct disk *backup = disk_memory();

	(void)state;
	assert_non_null(backup);
	town_up(&t);
	one = &t.nodes[1];
	start_all(&t);
	run(&t, 5000);
	for (int i = 0; i < 4; i++) {
		assert_err_ok(number_batch(one));
		links_end_batch(one->links);
		run(&t, 100);
		if (i == 1)
			copy_disk(backup, one->disk);
	}
	kill_node(one);
	copy_disk(one->disk, backup); /* two batches are forgotten */
	start_node(one);
	assert_false(links_sits_out(one->links, EPOCH));
	run(&t, LINKS_BACKOFF_MAX_MS);
	assert_int_equal(one->roll_backs, 1);
	assert_true(links_sits_out(one->links, EPOCH));
	assert_false(links_sits_out(one->links, EPOCH + 1));
	kill_node(one); /* it still knows, and the figure no longer surprises */
	start_node(one);
	assert_true(links_sits_out(one->links, EPOCH));
	run(&t, LINKS_BACKOFF_MAX_MS);
	assert_int_equal(one->roll_backs, 1);
	disk_free(backup);
	town_down(&t);
}

static void
test_number_needs_the_disk(void **state)
{
	struct disk_fault plan = { .at = 1, .err = ERR_FULL, .forever = true };
	struct town t;
	struct node *one;
	struct disk *good;

	(void)state;
	town_up(&t);
	one = &t.nodes[1];
	good = one->disk;
	one->disk = disk_fault_new(good, &plan);
	plan.at = 0;
	start_all(&t);
	plan.at = plan.count + 1;
	assert_err(number_batch(one), ERR_FULL);
	plan = (struct disk_fault){ 0 };
	assert_err_ok(number_batch(one));
	links_end_batch(one->links);
	run(&t, 5000);
	assert_int_equal(t.nodes[2].last_batch, 1);
	stop_node(one);
	disk_free(one->disk);
	one->disk = good;
	town_down(&t);
}

/* ---- strangers ---- */

struct stranger {
	struct link *link;
	unsigned ups, downs;
};

static void
stranger_up(void *arg)
{
	((struct stranger *)arg)->ups++;
}

static void
stranger_frame(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
}

static void
stranger_down(void *arg, enum err why)
{
	struct stranger *s = arg;

	(void)why;
	s->downs++;
	link_free(s->link);
	s->link = NULL;
}

static const struct link_events stranger_events = {
	.up = stranger_up, .frame = stranger_frame, .down = stranger_down
};

/* Nobody comes in with another key, or for another network. */
static void
test_strangers_are_refused(void **state)
{
	const struct charter_node *two;
	struct world_host *host;
	struct town t;

	(void)state;
	town_up(&t);
	start_all(&t);
	assert_err_ok(world_host_new(&host, t.world));
	run(&t, 5000);
	two = charter_node(t.net->charter, 2);
	for (int way = 0; way < 3; way++) {
		const struct params *p = &t.net->charter->params;
		/* a stranger; mix 1 in another network; a node that may not dial */
		size_t as = network_index(t.net, way == 1 ? 1 : 3);
		uint8_t sk[32], pk[32];
		struct stranger s = { 0 };
		struct link_config cfg = { .pattern = NOISE_KK, .initiator = true,
			.own_sk = sk, .own_pk = pk, .peer_pk = two->link,
			.send_bytes = params_node_frame_bytes(p, two->layer),
			.receive_bytes = params_node_frame_bytes(p, two->layer),
			.out_frames_max = 4, .handshake_ms = 5000, .keys = rng_system() };

		memcpy(sk, t.net->keys[as].link_sk, 32);
		memcpy(pk, t.net->charter->nodes[as].link, 32);
		sk[4] ^= way == 0;
		memcpy(cfg.network_id, t.net->charter->network_id, 32);
		cfg.network_id[0] ^= way == 1;
		assert_err_ok(link_dial(&s.link, world_loop(host), two->address, &cfg,
		    &stranger_events, &s));
		run(&t, 10000);
		assert_int_equal(s.ups, 0);
		assert_int_equal(s.downs, 1);
	}
	assert_int_equal(t.nodes[2].downs, 0);
	town_down(&t);
}

/* ---- a crowd that only waits ---- */

#define CROWD (4 * LINKS_STRANGERS_MAX)

struct waiter {
	struct conn *conn;
	bool closed;
};

static size_t
waiter_data(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	return n;
}

static void
waiter_closed(void *arg, enum err why)
{
	struct waiter *w = arg;

	(void)why;
	w->closed = true;
	conn_free(w->conn);
	w->conn = NULL;
}

static size_t
still_there(const struct waiter *crowd)
{
	size_t n = 0;

	for (size_t i = 0; i < CROWD; i++)
		n += !crowd[i].closed;
	return n;
}

/* Connections that say nothing are few at a time, for a while, and keep no peer out. */
static void
test_crowd_of_strangers(void **state)
{
	static const struct conn_events events = { .data = waiter_data, .closed = waiter_closed };
	const struct conn_limits limits = { 65536, 65536 };
	struct waiter crowd[CROWD] = { { NULL, false } };
	struct world_host *host;
	struct town t;

	(void)state;
	town_up(&t);
	for (uint16_t i = 2; i <= t.count; i++)
		start_node(&t.nodes[i]);
	assert_err_ok(world_host_new(&host, t.world));
	for (size_t i = 0; i < CROWD; i++)
		assert_err_ok(conn_open(&crowd[i].conn, world_loop(host),
		    charter_node(t.net->charter, 2)->address, &limits, &events, &crowd[i]));
	run(&t, 1000);
	assert_int_equal(still_there(crowd), LINKS_STRANGERS_MAX);
	start_node(&t.nodes[1]); /* a peer finds all places taken */
	run(&t, 1000);
	assert_true(links_is_up(t.nodes[1].links, 2));
	assert_err_ok(send_one(&t.nodes[1], 2, 7));
	run(&t, 1000);
	assert_int_equal(t.nodes[2].taken_count, 1);
	run(&t, LINKS_HANDSHAKE_MS + 1000);
	assert_int_equal(still_there(crowd), 0);
	assert_true(links_is_up(t.nodes[1].links, 2));
	town_down(&t);
}

/* ---- a recorded handshake ---- */

struct recorder {
	const struct world_host *from, *to;
	uint64_t conn;
	uint8_t bytes[8192];
	size_t n;
};

static void
record(void *arg, const struct world_seen *seen)
{
	struct recorder *r = arg;

	if (seen->kind == WORLD_SEEN_OPEN && seen->from == r->from && seen->to == r->to)
		r->conn = seen->conn;
	if (seen->kind != WORLD_SEEN_BYTES || seen->conn != r->conn || seen->from != r->from ||
	    r->n + seen->n > sizeof(r->bytes))
		return;
	memcpy(r->bytes + r->n, seen->bytes, seen->n);
	r->n += seen->n;
}

static void
replay_opened(void *arg)
{
	(void)arg;
}

static size_t
replay_data(void *arg, const uint8_t *p, size_t n)
{
	(void)p;
	*(size_t *)arg += n;
	return n;
}

static void
replay_closed(void *arg, enum err why)
{
	(void)arg;
	(void)why;
}

/* The first message of a handshake, played again, does not displace the real link. */
static void
test_recorded_handshake(void **state)
{
	static const struct conn_events events = {
		.opened = replay_opened, .data = replay_data, .closed = replay_closed
	};
	const struct conn_limits limits = { 65536, 65536 };
	struct recorder *r = calloc(1, sizeof(*r));
	struct world_host *host;
	struct conn *c;
	struct town t;
	size_t answered = 0, ups, wire;

	(void)state;
	assert_non_null(r);
	town_up(&t);
	assert_err_ok(world_host_new(&host, t.world));
	r->from = t.nodes[1].host;
	r->to = t.nodes[2].host;
	world_set_tap(t.world, record, r);
	start_all(&t);
	run(&t, 5000);
	wire = params_node_frame_bytes(&t.net->charter->params, 1) + 16;
	assert_true(r->n >= wire);
	ups = t.nodes[2].ups;
	assert_err_ok(conn_open(&c, world_loop(host), charter_node(t.net->charter, 2)->address,
	    &limits, &events, &answered));
	assert_err_ok(conn_write(c, r->bytes, wire));
	run(&t, 5000);
	assert_true(answered >= wire); /* the handshake passes as far as it can be replayed */
	assert_int_equal(t.nodes[2].ups, ups);
	assert_int_equal(t.nodes[2].downs, 0);
	assert_err_ok(send_one(&t.nodes[1], 2, 9));
	run(&t, 1000);
	assert_int_equal(t.nodes[2].taken_count, 1);
	conn_free(c);
	town_down(&t);
	free(r);
}

static void
test_wrong_keys_are_named(void **state)
{
	struct diag d = { "" };
	struct town t;
	struct node *n;

	(void)state;
	town_up(&t);
	n = &t.nodes[1];
	n->queue = workq_new(world_loop(n->host), 1);
	assert_non_null(n->queue);
	t.net->keys[network_index(t.net, 1)].link_sk[3] ^= 1;
	assert_err(open_node(n, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "link key");
	t.net->keys[network_index(t.net, 1)].link_sk[3] ^= 1;
	workq_free(n->queue);
	town_down(&t);
}

/* ---- another charter ---- */

static void
other_key(struct charter *next, void *arg)
{
	struct charter_node n = *charter_node(next, 2);

	memcpy(n.link, arg, sizeof(n.link));
	(void)snprintf(n.address, sizeof(n.address), "127.0.0.1:7702");
	assert_err_ok(charter_change_node(next, &n));
}

static void
without_first(struct charter *next, void *arg)
{
	struct charter_node *fresh = arg;

	assert_err_ok(charter_remove_node(next, 1));
	fresh->number = (uint16_t)(next->last_number + 1);
	assert_err_ok(charter_add_node(next, fresh));
}

static void
turn_all(struct town *t)
{
	for (uint16_t i = 1; i <= NODES; i++)
		if (t->nodes[i].links != NULL)
			links_turn(t->nodes[i].links);
}

/* A mix takes another link key and another address some time before they are in force. */
static void
test_another_key(void **state)
{
	struct town t;
	uint8_t *sk, old[32], pk[32];
	int64_t start;

	(void)state;
	town_up(&t);
	start_all(&t);
	run(&t, 5000);
	sk = t.net->keys[network_index(t.net, 2)].link_sk;
	memcpy(old, sk, sizeof(old));
	sk[3] ^= 1;
	assert_int_equal(crypto_scalarmult_base(pk, sk), 0);
	start = timing_epoch_start(&t.net->charter->params, EPOCH + 1);
	(void)network_succeed(t.net, NULL, EPOCH + 1, other_key, pk);
	turn_all(&t);
	run(&t, 5000);
	assert_true(links_is_up(t.nodes[1].links, 2)); /* by the old one, that is still good */
	kill_node(&t.nodes[2]);
	start_node(&t.nodes[2]);
	run(&t, 60000);
	assert_true(links_is_up(t.nodes[1].links, 2)); /* by the new one */
	assert_true(links_is_up(t.nodes[2].links, 3));
	assert_true(links_is_up(t.nodes[2].links, GATEWAY));
	/* whoever has the old key is let in until the grace is over, and then no more */
	memcpy(sk, old, sizeof(old));
	kill_node(&t.nodes[2]);
	start_node(&t.nodes[2]);
	run(&t, 60000);
	assert_true(links_is_up(t.nodes[2].links, 3));
	assert_err_ok(world_run_until(
	    t.world, start + t.net->charter->params.grace_ms + 1000));
	for (uint16_t i = 1; i <= NODES; i++)
		if (i != 2)
			links_turn(t.nodes[i].links);
	run(&t, 60000);
	assert_false(links_is_up(t.nodes[2].links, 3));
	assert_false(links_is_up(t.nodes[1].links, 2));
	town_down(&t);
}

/* Peers come when their charter is known, and go when the grace of theirs is over. */
static void
test_peers_come_and_go(void **state)
{
	struct links_peer peers[8];
	struct network_keys keys;
	struct charter_node fresh;
	struct town t;
	int64_t start;

	(void)state;
	town_up(&t);
	start_all(&t);
	network_keys_new(&keys, &fresh, t.net, CHARTER_MIX, 0, "127.0.0.1:7701");
	start = timing_epoch_start(&t.net->charter->params, EPOCH + 1);
	(void)network_succeed(t.net, NULL, EPOCH + 1, without_first, &fresh);
	turn_all(&t);
	run(&t, 5000);
	assert_int_equal(links_list(t.nodes[2].links, peers, 8), 4);
	assert_int_equal(peers[3].number, fresh.number);
	assert_false(peers[3].serving);
	/* nothing is numbered for who is not in force */
	assert_err_ok(number_batch(&t.nodes[GATEWAY]));
	assert_err_ok(send_one(&t.nodes[GATEWAY], 1, 1));
	assert_err_ok(world_run_until(t.world, start + 1000));
	turn_all(&t);
	run(&t, 1000);
	assert_true(links_has_place(t.nodes[1].links));
	assert_true(links_is_up(t.nodes[1].links, 2));
	assert_int_equal(links_list(t.nodes[2].links, peers, 8), 4);
	assert_true(peers[0].serving && peers[3].serving);
	assert_err_ok(world_run_until(
	    t.world, start + t.net->charter->params.grace_ms + 1000));
	turn_all(&t);
	run(&t, 1000);
	assert_int_equal(links_list(t.nodes[2].links, peers, 8), 3);
	assert_int_equal(links_list(t.nodes[1].links, peers, 8), 0);
	assert_false(links_has_place(t.nodes[1].links));
	assert_false(links_is_up(t.nodes[1].links, 2));
	assert_err(send_one(&t.nodes[GATEWAY], 1, 1), ERR_NOT_FOUND);
	town_down(&t);
}

/* A registrar dials the gateway and nobody else, and says nothing there but seeds. */
static void
test_registrar(void **state)
{
	static const uint8_t announcement[ANNOUNCEMENT_BYTES], seed[32] = { 9, 8, 7 };
	struct links_peer peers[8];
	struct town t;
	struct node *r, *g;

	(void)state;
	town_with(&t, true);
	r = &t.nodes[REGISTRAR];
	g = &t.nodes[GATEWAY];
	start_node(r);
	assert_err(links_send_seed(r->links, GATEWAY, EPOCH, seed), ERR_STATE);
	assert_err(links_send_seed(r->links, 1, EPOCH, seed), ERR_NOT_FOUND);
	for (uint16_t i = 1; i <= NODES; i++)
		start_node(&t.nodes[i]);
	run(&t, 35000);
	assert_int_equal(links_list(r->links, peers, 8), 1);
	assert_true(peers[0].number == GATEWAY && peers[0].dialled_up && !peers[0].accepts);
	assert_int_equal(links_list(g->links, peers, 8), 4);
	assert_true(peers[3].number == REGISTRAR && peers[3].accepted_up && !peers[3].dials);
	for (uint16_t i = 1; i <= 3; i++)
		for (size_t j = links_list(t.nodes[i].links, peers, 8); j-- > 0;)
			assert_true(peers[j].number != REGISTRAR);
	assert_err_ok(links_send_seed(r->links, GATEWAY, EPOCH + 3, seed));
	assert_err_ok(links_send_announcement(r->links, GATEWAY, announcement));
	assert_err_ok(send_one(r, GATEWAY, 1));
	assert_err_ok(send_one(&t.nodes[3], GATEWAY, 2));
	run(&t, 2000);
	assert_int_equal(g->seeds, 1);
	assert_int_equal(g->seed_epoch, EPOCH + 3);
	assert_memory_equal(g->seed, seed, sizeof(seed));
	assert_int_equal(g->announcements, 0);
	assert_int_equal(g->taken_count, 1);
	assert_int_equal(g->taken[0].first, 2);
	/* a mix has no seeds to give */
	assert_err_ok(links_send_seed(t.nodes[2].links, 3, EPOCH, seed));
	assert_err_ok(links_send_seed(t.nodes[3].links, GATEWAY, EPOCH, seed));
	run(&t, 2000);
	assert_int_equal(t.nodes[3].seeds, 0);
	assert_int_equal(g->seeds, 1);
	town_down(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_who_links_to_whom),
	cmocka_unit_test(test_packets_arrive),
	cmocka_unit_test(test_waits_for_a_link),
	cmocka_unit_test(test_bounded_queue),
	cmocka_unit_test(test_reconnects),
	cmocka_unit_test(test_flapping_is_slowed),
	cmocka_unit_test(test_idle_and_silent),
	cmocka_unit_test(test_batch_numbers),
	cmocka_unit_test(test_roll_back_is_noticed),
	cmocka_unit_test(test_number_needs_the_disk),
	cmocka_unit_test(test_strangers_are_refused),
	cmocka_unit_test(test_crowd_of_strangers),
	cmocka_unit_test(test_recorded_handshake),
	cmocka_unit_test(test_wrong_keys_are_named),
	cmocka_unit_test(test_another_key),
	cmocka_unit_test(test_peers_come_and_go),
	cmocka_unit_test(test_registrar),
};

TEST_MAIN(tests)
