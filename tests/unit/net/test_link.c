#include "config.h"

#include "common/net/link.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

/* Small frames, so that a test can afford to touch every byte. */
#define DOWN_BYTES 96
#define UP_BYTES LINK_FRAME_MIN
#define FRAMES 3 /* sent by each side once it is up */
#define FRAMES_MAX 64
#define NODES 5

struct key_pair {
	uint8_t sk[32], pk[32];
};

static struct key_pair server_key, client_key, other_key;
static uint8_t network_id[32];

/* ---- one end ---- */

enum end_act { END_NOTHING, END_FREE, END_FINISH, END_STOP };

struct end {
	struct bench *bench;
	struct link *link;
	size_t send_bytes;
	uint8_t tint; /* frames of each side differ */
	unsigned to_send;
	enum end_act on_up, on_frame, on_drained, on_down;
	unsigned up, frames, bad_frames, drained, down;
	unsigned gone; /* freed or finished by END_FREE or END_FINISH */
	enum err why;
	unsigned want; /* frames after which the loop may stop */
};

struct bench {
	struct loop *loop;
	struct listener *listener;
	const char *address;
	struct end server, client;
	struct link_config server_config, client_config;
	const struct link_candidate *candidates; /* server: any of these */
	size_t candidate_count;
};

static void
fill(uint8_t *out, size_t n, uint8_t tint, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(tint + number * 7 + i);
}

static void
stop_if_done(struct bench *b)
{
	const struct end *s = &b->server, *c = &b->client;

	if ((s->down > 0 || s->frames >= s->want) && (c->down > 0 || c->frames >= c->want) &&
	    (s->down > 0) == (c->down > 0))
		loop_event_stop(b->loop);
}

static void
act(struct end *e, enum end_act what)
{
	switch (what) {
	case END_NOTHING:
		break;
	case END_FREE:
		link_free(e->link);
		e->link = NULL;
		e->gone++;
		break;
	case END_FINISH:
		link_finish(e->link, 5000);
		e->link = NULL;
		e->gone++;
		break;
	case END_STOP:
		loop_event_stop(e->bench->loop);
		break;
	}
}

static void
send_frames(struct end *e)
{
	uint8_t plain[LINK_FRAME_MAX];

	for (unsigned i = 0; i < e->to_send; i++) {
		fill(plain, e->send_bytes, e->tint, i);
		if (link_send(e->link, plain) != ERR_OK)
			abort();
	}
}

static void
end_up(void *arg)
{
	struct end *e = arg;

	e->up++;
	send_frames(e);
	act(e, e->on_up);
	stop_if_done(e->bench);
}

static void
end_frame(void *arg, uint8_t *plain, size_t n)
{
	struct end *e = arg;
	struct end *peer = e == &e->bench->server ? &e->bench->client : &e->bench->server;
	uint8_t wanted[LINK_FRAME_MAX];

	fill(wanted, peer->send_bytes, peer->tint, e->frames);
	if (n != peer->send_bytes || memcmp(plain, wanted, n) != 0)
		e->bad_frames++;
	e->frames++;
	act(e, e->on_frame);
	stop_if_done(e->bench);
}

static void
end_drained(void *arg)
{
	struct end *e = arg;

	e->drained++;
	act(e, e->on_drained);
}

static void
end_down(void *arg, enum err why)
{
	struct end *e = arg;

	e->down++;
	e->why = why;
	act(e, e->on_down);
	stop_if_done(e->bench);
}

static const struct link_events end_events = {
	.up = end_up, .frame = end_frame, .drained = end_drained, .down = end_down};

static void
on_accept(void *arg, struct conn *c)
{
	struct bench *b = arg;
	enum err e;

	if (b->candidates != NULL)
		e = link_accept_any(&b->server.link, b->loop, c, &b->server_config, b->candidates,
		    b->candidate_count, &end_events, &b->server);
	else
		e = link_accept(&b->server.link, b->loop, c, &b->server_config, &end_events,
		    &b->server);
	if (e != ERR_OK)
		abort();
}

/* ---- both ends ---- */

static void
bench_init(struct bench *b, enum noise_pattern pattern)
{
	memset(b, 0, sizeof(*b));
	b->loop = net_loop_new();
	b->address = net_unix_address();
	b->server = (struct end){.bench = b, .send_bytes = DOWN_BYTES, .tint = 1, .to_send = FRAMES,
	    .want = FRAMES};
	b->client = (struct end){.bench = b, .send_bytes = UP_BYTES, .tint = 99, .to_send = FRAMES,
	    .want = FRAMES};
	b->client_config = (struct link_config){
		.pattern = pattern,
		.initiator = true,
		.own_sk = pattern == NOISE_KK ? client_key.sk : NULL,
		.own_pk = pattern == NOISE_KK ? client_key.pk : NULL,
		.peer_pk = server_key.pk,
		.send_bytes = UP_BYTES,
		.receive_bytes = DOWN_BYTES,
		.out_frames_max = FRAMES_MAX,
		.handshake_ms = 10000,
		.keys = rng_system(),
	};
	b->server_config = b->client_config;
	b->server_config.initiator = false;
	b->server_config.own_sk = server_key.sk;
	b->server_config.own_pk = server_key.pk;
	b->server_config.peer_pk = pattern == NOISE_KK ? client_key.pk : NULL;
	b->server_config.send_bytes = DOWN_BYTES;
	b->server_config.receive_bytes = UP_BYTES;
	memcpy(b->client_config.network_id, network_id, 32);
	memcpy(b->server_config.network_id, network_id, 32);
}

static void
bench_listen(struct bench *b)
{
	b->listener = net_listen(b->loop, b->address, on_accept, b);
}

static void
bench_dial(struct bench *b, const char *address)
{
	assert_err_ok(link_dial(&b->client.link, b->loop, address, &b->client_config, &end_events,
	    &b->client));
	assert_int_equal(b->client.down, 0);
}

static void
bench_run(struct bench *b)
{
	bench_listen(b);
	bench_dial(b, b->address);
	net_run(b->loop);
}

static void
bench_free(struct bench *b)
{
	assert_int_equal(b->server.bad_frames, 0);
	assert_int_equal(b->client.bad_frames, 0);
	assert_true(b->server.down <= 1 && b->client.down <= 1);
	assert_true(b->server.up <= 1 && b->client.up <= 1);
	link_free(b->server.link);
	link_free(b->client.link);
	listener_free(b->listener);
	net_loop_free(b->loop);
}

static void
assert_works(const struct bench *b)
{
	assert_int_equal(b->server.down, 0);
	assert_int_equal(b->client.down, 0);
	assert_int_equal(b->server.frames, FRAMES);
	assert_int_equal(b->client.frames, FRAMES);
	assert_true(link_is_up(b->server.link));
	assert_true(link_is_up(b->client.link));
	assert_memory_equal(link_hash(b->server.link), link_hash(b->client.link), LINK_HASH_BYTES);
}

static void
test_nk(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	bench_run(&b);
	assert_works(&b);
	net_wait(b.loop, &b.client.drained, 1);
	assert_int_equal(link_unsent_frames(b.client.link), 0);
	bench_free(&b);
}

static void
test_kk(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_KK);
	bench_run(&b);
	assert_works(&b);
	bench_free(&b);
}

static void
test_largest_frames(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_KK);
	b.server.send_bytes = b.client.send_bytes = LINK_FRAME_MAX;
	b.server_config.send_bytes = b.server_config.receive_bytes = LINK_FRAME_MAX;
	b.client_config.send_bytes = b.client_config.receive_bytes = LINK_FRAME_MAX;
	bench_run(&b);
	assert_works(&b);
	bench_free(&b);
}

/* ---- finding the peer among candidates ---- */

static void
make_candidates(struct link_candidate *out, size_t client_at)
{
	for (size_t i = 0; i < NODES; i++) {
		out[i] = (struct link_candidate){.node = (uint16_t)(100 + i),
		    .send_bytes = DOWN_BYTES - i, .receive_bytes = UP_BYTES};
		rng_bytes(test_rng(), out[i].peer_pk, 32);
	}
	if (client_at < NODES)
		memcpy(out[client_at].peer_pk, client_key.pk, 32);
}

static void
test_any(void **state)
{
	struct link_candidate candidates[NODES];

	(void)state;
	for (size_t at = 0; at < NODES; at++) {
		struct bench b;

		make_candidates(candidates, at);
		bench_init(&b, NOISE_KK);
		b.candidates = candidates;
		b.candidate_count = NODES;
		b.server.send_bytes = DOWN_BYTES - at;
		b.client_config.receive_bytes = DOWN_BYTES - at;
		bench_run(&b);
		assert_works(&b);
		assert_int_equal(link_peer(b.server.link), 100 + at);
		bench_free(&b);
	}
}

static void
test_any_but_nobody_fits(void **state)
{
	struct link_candidate candidates[NODES];
	struct bench b;

	(void)state;
	make_candidates(candidates, NODES);
	bench_init(&b, NOISE_KK);
	b.candidates = candidates;
	b.candidate_count = NODES;
	bench_run(&b);
	assert_err(b.server.why, ERR_CRYPTO);
	assert_err(b.client.why, ERR_CLOSED);
	assert_int_equal(b.server.up + b.client.up, 0);
	bench_free(&b);
}

/* ---- peers that do not fit ---- */

static void
refused_by_server(struct bench *b)
{
	bench_run(b);
	assert_int_equal(b->server.up + b->client.up, 0);
	assert_int_equal(b->server.frames + b->client.frames, 0);
	assert_err(b->server.why, ERR_CRYPTO);
	assert_err(b->client.why, ERR_CLOSED);
	bench_free(b);
}

static void
test_wrong_keys(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.client_config.peer_pk = other_key.pk;
	refused_by_server(&b);
	bench_init(&b, NOISE_KK);
	b.client_config.own_sk = other_key.sk;
	b.client_config.own_pk = other_key.pk;
	refused_by_server(&b);
	bench_init(&b, NOISE_KK);
	b.server_config.peer_pk = other_key.pk;
	refused_by_server(&b);
	bench_init(&b, NOISE_NK);
	b.server_config.pattern = NOISE_KK;
	b.server_config.peer_pk = client_key.pk;
	refused_by_server(&b);
}

static void
test_wrong_prologue(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_KK);
	b.client_config.network_id[31] ^= 1;
	refused_by_server(&b);
}

static void
test_wrong_sizes(void **state)
{
	struct bench b;

	(void)state;
	/* Larger than the server takes: the first bytes do not open. */
	bench_init(&b, NOISE_NK);
	b.client_config.send_bytes = b.client.send_bytes = UP_BYTES + 1;
	refused_by_server(&b);
	/* Smaller: the server waits for the rest, for as long as it waits for a handshake. */
	bench_init(&b, NOISE_NK);
	b.server_config.receive_bytes = UP_BYTES + 1;
	b.server_config.handshake_ms = 30;
	bench_run(&b);
	assert_err(b.server.why, ERR_TIMEOUT);
	assert_err(b.client.why, ERR_CLOSED);
	bench_free(&b);
}

static void
test_nonsense_from_a_socket(void **state)
{
	uint8_t bytes[UP_BYTES + 16];

	(void)state;
	for (int i = 0; i < 30; i++) {
		struct bench b;
		int fd;

		bench_init(&b, NOISE_NK);
		b.server.on_down = END_STOP;
		bench_listen(&b);
		fd = net_raw_connect(b.address);
		rng_bytes(test_rng(), bytes, sizeof(bytes));
		if (i == 0)
			memset(bytes, 0, 32); /* a point of low order */
		net_raw_write(fd, bytes, sizeof(bytes));
		net_run(b.loop);
		assert_err(b.server.why, ERR_CRYPTO);
		assert_int_equal(b.server.up, 0);
		close(fd);
		bench_free(&b);
	}
}

/* An honest handshake whose payload is not zero: the format knows no such thing. */
static void
test_payload_must_be_zero(void **state)
{
	uint8_t message[UP_BYTES + 16], payload[UP_BYTES + 16 - 48] = {0};
	struct noise_config config = {.pattern = NOISE_NK, .initiator = true,
	    .prologue = network_id, .prologue_len = 32, .peer_pk = server_key.pk,
	    .keys = rng_system()};
	struct noise *n;
	struct bench b;
	int fd;

	(void)state;
	payload[sizeof(payload) - 1] = 1;
	assert_err_ok(noise_new(&n, &config));
	assert_int_equal(noise_overhead(n), 48);
	assert_err_ok(noise_write(n, message, payload, sizeof(payload)));
	noise_free(n);
	bench_init(&b, NOISE_NK);
	b.server.on_down = END_STOP;
	bench_listen(&b);
	fd = net_raw_connect(b.address);
	net_raw_write(fd, message, sizeof(message));
	net_run(b.loop);
	assert_err(b.server.why, ERR_MALFORMED);
	close(fd);
	bench_free(&b);
}

/* ---- somebody on the wire ---- */

enum tamper { FLIP, DOUBLE, SWAP, DROP, CUT };

/* What is done, once, to one frame (0: the handshake) of one direction. */
struct plan {
	enum tamper what;
	bool up;
	unsigned frame;
	size_t byte;
	uint8_t bits;
};

struct relay_side {
	struct relay *relay;
	struct conn *conn;
	struct relay_side *peer;
	bool up; /* takes what goes up */
	size_t wire;
	unsigned frames;
	uint8_t held[DOWN_BYTES + 16];
	bool holding;
};

struct relay {
	struct loop *loop;
	struct listener *listener;
	const char *server;
	struct plan plan;
	bool done; /* the plan was carried out */
	struct relay_side client, server_side;
};

static void
pass(struct relay_side *s, const uint8_t *frame, size_t n)
{
	if (s->peer->conn != NULL && conn_write(s->peer->conn, frame, n) != ERR_OK)
		abort();
}

static void
tamper(struct relay_side *s, uint8_t *frame)
{
	const struct plan *p = &s->relay->plan;

	s->relay->done = true;
	switch (p->what) {
	case FLIP:
		frame[p->byte] ^= p->bits;
		pass(s, frame, s->wire);
		break;
	case DOUBLE:
		pass(s, frame, s->wire);
		pass(s, frame, s->wire);
		break;
	case SWAP:
		memcpy(s->held, frame, s->wire);
		s->holding = true;
		break;
	case DROP:
		break;
	case CUT:
		pass(s, frame, p->byte);
		conn_finish(s->peer->conn, 1000);
		conn_finish(s->conn, 1000);
		s->peer->conn = NULL;
		s->conn = NULL;
		break;
	}
}

static size_t
relay_data(void *arg, const uint8_t *p, size_t n)
{
	struct relay_side *s = arg;
	uint8_t frame[DOWN_BYTES + 16];
	size_t used = 0;

	while (n - used >= s->wire) {
		memcpy(frame, p + used, s->wire);
		used += s->wire;
		if (s->up == s->relay->plan.up && s->frames == s->relay->plan.frame) {
			tamper(s, frame);
		} else {
			pass(s, frame, s->wire);
			if (s->holding)
				pass(s, s->held, s->wire);
			s->holding = false;
		}
		s->frames++;
	}
	return used;
}

static void
relay_closed(void *arg, enum err why)
{
	struct relay_side *s = arg;

	(void)why;
	if (s->peer->conn != NULL)
		conn_finish(s->peer->conn, 1000);
	s->peer->conn = NULL;
	conn_free(s->conn);
	s->conn = NULL;
}

static const struct conn_events relay_events = {.data = relay_data, .closed = relay_closed};

static void
relay_accept(void *arg, struct conn *c)
{
	struct relay *r = arg;

	r->client.conn = c;
	conn_set_events(c, &relay_events, &r->client, &net_limits);
	if (conn_open(&r->server_side.conn, r->loop, r->server, &net_limits, &relay_events,
		&r->server_side) != ERR_OK)
		abort();
}

/* Run a whole link through a relay that carries out the plan. */
static void
run_tampered(struct bench *b, struct relay *r, enum noise_pattern pattern, const struct plan *plan)
{
	const char *front;

	bench_init(b, pattern);
	bench_listen(b);
	memset(r, 0, sizeof(*r));
	r->loop = b->loop;
	r->server = b->address;
	r->plan = *plan;
	r->client = (struct relay_side){.relay = r, .peer = &r->server_side, .up = true,
	    .wire = UP_BYTES + 16};
	r->server_side = (struct relay_side){.relay = r, .peer = &r->client,
	    .wire = DOWN_BYTES + 16};
	front = net_unix_address();
	r->listener = net_listen(b->loop, front, relay_accept, r);
	bench_dial(b, front);
	net_run(b->loop);
	assert_true(r->done);
}

static void
relay_free(struct relay *r)
{
	conn_free(r->client.conn);
	conn_free(r->server_side.conn);
	listener_free(r->listener);
}

/* The end that must notice, with what it took before (all of it good: bench_free). */
static void
noticed(struct bench *b, const struct plan *p, unsigned frames_before, enum err why)
{
	const struct end *victim = p->up ? &b->server : &b->client;
	const struct end *other = p->up ? &b->client : &b->server;

	assert_int_equal(victim->down, 1);
	assert_err(victim->why, why);
	assert_int_equal(victim->frames, frames_before);
	assert_int_equal(victim->up, p->frame > 0);
	assert_err(other->why, ERR_CLOSED);
}

static void
test_every_byte(void **state)
{
	(void)state;
	for (unsigned frame = 0; frame <= 2; frame++) {
		for (int up = 0; up <= 1; up++) {
			size_t wire = (up ? UP_BYTES : DOWN_BYTES) + 16;

			for (size_t byte = 0; byte < wire; byte++) {
				struct plan p = {.what = FLIP, .up = up, .frame = frame, .byte = byte,
				    .bits = (uint8_t)(1U << rng_below(test_rng(), 8))};
				struct relay r;
				struct bench b;

				run_tampered(&b, &r, byte % 2 ? NOISE_NK : NOISE_KK, &p);
				noticed(&b, &p, frame > 0 ? frame - 1 : 0, ERR_CRYPTO);
				relay_free(&r);
				bench_free(&b);
			}
		}
	}
}

static void
test_order_on_the_wire(void **state)
{
	static const enum tamper kinds[] = {DOUBLE, SWAP, DROP};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int up = 0; up <= 1; up++) {
			struct plan p = {.what = kinds[i], .up = up, .frame = 2};
			struct relay r;
			struct bench b;

			run_tampered(&b, &r, NOISE_KK, &p);
			noticed(&b, &p, kinds[i] == DOUBLE ? 2 : 1, ERR_CRYPTO);
			relay_free(&r);
			bench_free(&b);
		}
	}
}

/* The stream ends inside a frame: nothing of that frame is seen. */
static void
test_cut(void **state)
{
	(void)state;
	for (size_t byte = 0; byte < UP_BYTES + 16; byte += 19) {
		for (unsigned frame = 0; frame <= 2; frame++) {
			struct plan p = {.what = CUT, .up = true, .frame = frame, .byte = byte};
			struct relay r;
			struct bench b;

			run_tampered(&b, &r, NOISE_NK, &p);
			noticed(&b, &p, frame > 0 ? frame - 1 : 0, ERR_CLOSED);
			relay_free(&r);
			bench_free(&b);
		}
	}
}

/* All that goes over the wire are whole frames, the handshake included. */
static void
test_wire_has_one_size(void **state)
{
	struct plan p = {.what = FLIP, .up = true, .frame = FRAMES, .bits = 0};
	struct relay r;
	struct bench b;

	(void)state;
	run_tampered(&b, &r, NOISE_NK, &p);
	assert_works(&b);
	assert_int_equal(r.client.frames, FRAMES + 1);
	assert_int_equal(r.server_side.frames, FRAMES + 1);
	relay_free(&r);
	bench_free(&b);
}

/* ---- time-outs ---- */

static void
test_silent_peer(void **state)
{
	struct bench b;
	int listening, fd;

	(void)state;
	bench_init(&b, NOISE_NK);
	listening = net_raw_listen(b.address);
	b.client_config.handshake_ms = 20;
	b.client.on_down = END_STOP;
	bench_dial(&b, b.address);
	net_run(b.loop);
	assert_err(b.client.why, ERR_TIMEOUT);
	close(listening);
	bench_free(&b);

	bench_init(&b, NOISE_NK);
	b.server_config.handshake_ms = 20;
	b.server.on_down = END_STOP;
	bench_listen(&b);
	fd = net_raw_connect(b.address);
	net_run(b.loop);
	assert_err(b.server.why, ERR_TIMEOUT);
	close(fd);
	bench_free(&b);
}

static void
test_nobody_there(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.client.on_down = END_STOP;
	bench_dial(&b, b.address);
	net_run(b.loop);
	assert_err(b.client.why, ERR_NOT_FOUND);
	assert_int_equal(b.client.up, 0);
	bench_free(&b);
}

/* A loop whose clock moves only when the test says so. */
static struct test_clock idle_clock;

static int64_t
idle_awake(void *ctx)
{
	(void)ctx;
	return idle_clock.boot_ms;
}

static void
use_idle_clock(struct bench *b)
{
	const struct loop_event_time time = {.clock = &idle_clock.clock, .awake_ms = idle_awake};

	net_loop_free(b->loop);
	test_clock_init(&idle_clock, INT64_C(1790000000000));
	assert_err_ok(loop_event_new_timed(&b->loop, NULL, &time));
}

/* Idle counts from the last frame, not from the handshake. */
static void
test_idle(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	use_idle_clock(&b);
	b.server_config.idle_ms = 20;
	bench_run(&b);
	for (unsigned i = 0; i < 5; i++) {
		test_clock_advance(&idle_clock, b.server_config.idle_ms - 1);
		b.server.frames = 0; /* number 0 again */
		send_frames(&b.client);
		net_wait(b.loop, &b.server.frames, FRAMES);
	}
	assert_int_equal(b.server.down, 0); /* five times almost too long */
	test_clock_advance(&idle_clock, b.server_config.idle_ms);
	net_wait(b.loop, &b.server.down, 1);
	assert_err(b.server.why, ERR_TIMEOUT);
	bench_free(&b);
}

static void
test_paused_is_not_idle(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.server_config.idle_ms = 20;
	b.server.on_up = END_STOP;
	bench_run(&b);
	link_pause(b.server.link, true);
	net_settle(b.loop, 100);
	assert_int_equal(b.server.down, 0);
	assert_int_equal(b.server.frames, 0);
	link_pause(b.server.link, false);
	net_wait(b.loop, &b.server.down, 1);
	assert_int_equal(b.server.frames, FRAMES);
	assert_err(b.server.why, ERR_TIMEOUT);
	bench_free(&b);
}

/* ---- use ---- */

static void
test_send_states(void **state)
{
	uint8_t plain[UP_BYTES] = {0};
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.client.on_down = END_STOP;
	bench_dial(&b, b.address); /* nobody listens */
	assert_err(link_send(b.client.link, plain), ERR_STATE);
	assert_false(link_is_up(b.client.link));
	net_run(b.loop);
	assert_err(link_send(b.client.link, plain), ERR_CLOSED);
	assert_int_equal(link_unsent_frames(b.client.link), 0);
	link_pause(b.client.link, true); /* harmless */
	bench_free(&b);
}

static void
test_queue_is_bounded(void **state)
{
	uint8_t plain[UP_BYTES];
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.client_config.out_frames_max = 10;
	b.client.to_send = 0;
	b.server.want = 0;
	bench_run(&b);
	for (unsigned i = 0; i < 10; i++) {
		fill(plain, UP_BYTES, b.client.tint, i);
		assert_err_ok(link_send(b.client.link, plain));
		assert_int_equal(link_unsent_frames(b.client.link), i + 1);
	}
	assert_err(link_send(b.client.link, plain), ERR_FULL);
	b.server.want = 10;
	net_run(b.loop);
	/* What was refused has not used up a number. */
	fill(plain, UP_BYTES, b.client.tint, 10);
	assert_err_ok(link_send(b.client.link, plain));
	b.server.want = 11;
	net_run(b.loop);
	assert_int_equal(b.server.frames, 11);
	bench_free(&b);
}

static void
test_usage(void **state)
{
	struct bench b;
	struct link *k = NULL;
	struct link_config bad[8];

	(void)state;
	bench_init(&b, NOISE_NK);
	for (size_t i = 0; i < 8; i++)
		bad[i] = b.client_config;
	bad[0].send_bytes = LINK_FRAME_MIN - 1;
	bad[1].receive_bytes = LINK_FRAME_MIN - 1;
	bad[2].send_bytes = LINK_FRAME_MAX + 1;
	bad[3].receive_bytes = LINK_FRAME_MAX + 1;
	bad[4].out_frames_max = 0;
	bad[5].handshake_ms = 0;
	bad[6].idle_ms = -1;
	bad[7].initiator = false;
	for (size_t i = 0; i < 8; i++)
		assert_err(link_dial(&k, b.loop, b.address, &bad[i], &end_events, &b.client),
		    ERR_USAGE);
	assert_err(link_dial(&k, b.loop, "nowhere", &b.client_config, &end_events, &b.client),
	    ERR_USAGE);
	b.client_config.peer_pk = NULL;
	assert_err(link_dial(&k, b.loop, b.address, &b.client_config, &end_events, &b.client),
	    ERR_USAGE);
	assert_null(k);
	bench_free(&b);
}

/* Two that do not take the same size. */
static void
make_bad_candidates(struct link_candidate out[static 2])
{
	for (uint16_t i = 0; i < 2; i++)
		out[i] = (struct link_candidate){
		    .node = i, .send_bytes = DOWN_BYTES, .receive_bytes = UP_BYTES + i};
}

struct accept_bad {
	struct bench *bench;
	struct link_candidate candidates[2];
	size_t count;
	enum err got;
};

static void
on_accept_bad(void *arg, struct conn *c)
{
	struct accept_bad *a = arg;
	struct link *k;

	if (a->count > 0)
		a->got = link_accept_any(&k, a->bench->loop, c, &a->bench->server_config,
		    a->candidates, a->count - 1, &end_events, &a->bench->server);
	else
		a->got = link_accept(&k, a->bench->loop, c, &a->bench->client_config, &end_events,
		    &a->bench->server);
	loop_event_stop(a->bench->loop);
}

/* A refused accept has closed the connection. */
static void
test_accept_usage(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 3; count++) {
		struct accept_bad a = {.count = count};
		struct bench b;
		char c;
		int fd;

		make_bad_candidates(a.candidates);
		a.bench = &b;
		bench_init(&b, NOISE_KK);
		b.server_config.initiator = count == 2;
		b.listener = net_listen(b.loop, b.address, on_accept_bad, &a);
		fd = net_raw_connect(b.address);
		net_run(b.loop);
		assert_err(a.got, ERR_USAGE);
		assert_int_equal(read(fd, &c, 1), 0);
		close(fd);
		bench_free(&b);
	}
}

static void
test_free_in_callbacks(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		for (int at = 0; at < 4; at++) {
			for (int how = 0; how < 2; how++) {
				enum end_act what = how ? END_FINISH : END_FREE;
				struct bench b;
				struct end *e = side ? &b.server : &b.client;
				struct end *other = side ? &b.client : &b.server;

				bench_init(&b, NOISE_NK);
				e->on_up = at == 0 ? what : END_NOTHING;
				e->on_frame = at == 1 ? what : END_NOTHING;
				e->on_drained = at == 2 ? what : END_NOTHING;
				e->on_down = at == 3 ? what : END_NOTHING;
				if (at == 3)
					other->on_frame = END_FREE;
				bench_listen(&b);
				bench_dial(&b, b.address);
				net_wait(b.loop, &e->gone, 1);
				net_settle(b.loop, 2);
				assert_int_equal(e->down, at == 3 ? 1 : 0);
				bench_free(&b);
			}
		}
	}
}

/* link_finish: what is queued arrives. */
static void
test_finish_delivers(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	b.server.to_send = 50;
	b.server.on_up = END_FINISH;
	b.client.want = 50;
	b.client.on_down = END_STOP;
	bench_run(&b);
	net_wait(b.loop, &b.client.down, 1);
	assert_int_equal(b.client.frames, 50);
	assert_err(b.client.why, ERR_CLOSED);
	bench_free(&b);
}

/* More frames than fit a read, or the queue: all arrive, in order. */
struct pump {
	struct bench *bench;
	unsigned next, total;
};

static void
pump_more(struct pump *p)
{
	uint8_t plain[UP_BYTES];
	struct end *e = &p->bench->client;

	while (p->next < p->total) {
		fill(plain, UP_BYTES, e->tint, p->next);
		if (link_send(e->link, plain) != ERR_OK)
			return;
		p->next++;
	}
}

static void
on_pump(void *arg)
{
	struct pump *p = arg;

	p->bench->client.up = 1;
	pump_more(p);
}

static void
pump_frame(void *arg, uint8_t *plain, size_t n)
{
	(void)arg;
	(void)plain;
	(void)n;
}

static void
pump_down(void *arg, enum err why)
{
	struct pump *p = arg;

	p->bench->client.down = 1;
	p->bench->client.why = why;
}

static void
test_many_frames(void **state)
{
	static const struct link_events events = {
	    .up = on_pump, .frame = pump_frame, .drained = on_pump, .down = pump_down};
	struct bench b;
	struct pump p = {.bench = &b, .total = 5000};

	(void)state;
	bench_init(&b, NOISE_NK);
	b.server.to_send = 0;
	b.server.want = p.total;
	b.client.want = 0;
	bench_listen(&b);
	assert_err_ok(
	    link_dial(&b.client.link, b.loop, b.address, &b.client_config, &events, &p));
	net_run(b.loop);
	assert_int_equal(b.server.frames, p.total);
	assert_int_equal(b.client.down, 0);
	bench_free(&b);
}

static int
make_keys(void **state)
{
	struct key_pair *all[] = {&server_key, &client_key, &other_key};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		rng_bytes(test_rng(), all[i]->sk, 32);
		if (crypto_scalarmult_base(all[i]->pk, all[i]->sk) != 0)
			return 1;
	}
	rng_bytes(test_rng(), network_id, 32);
	return 0;
}

#define LINK_TEST(f) cmocka_unit_test_setup(f, make_keys)

static const struct CMUnitTest tests[] = {
	LINK_TEST(test_nk),
	LINK_TEST(test_kk),
	LINK_TEST(test_largest_frames),
	LINK_TEST(test_any),
	LINK_TEST(test_any_but_nobody_fits),
	LINK_TEST(test_wrong_keys),
	LINK_TEST(test_wrong_prologue),
	LINK_TEST(test_wrong_sizes),
	LINK_TEST(test_nonsense_from_a_socket),
	LINK_TEST(test_payload_must_be_zero),
	LINK_TEST(test_every_byte),
	LINK_TEST(test_order_on_the_wire),
	LINK_TEST(test_cut),
	LINK_TEST(test_wire_has_one_size),
	LINK_TEST(test_silent_peer),
	LINK_TEST(test_nobody_there),
	LINK_TEST(test_idle),
	LINK_TEST(test_paused_is_not_idle),
	LINK_TEST(test_send_states),
	LINK_TEST(test_queue_is_bounded),
	LINK_TEST(test_usage),
	LINK_TEST(test_accept_usage),
	LINK_TEST(test_free_in_callbacks),
	LINK_TEST(test_finish_delivers),
	LINK_TEST(test_many_frames),
};

TEST_MAIN(tests)
