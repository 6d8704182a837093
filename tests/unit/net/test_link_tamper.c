/*
 * Somebody on the wire: a relay between the two ends that changes, doubles,
 * swaps, drops or cuts one frame of one direction.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/unit/net/link_bench.h"
#include "tests/unit/net/net_test.h"

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
	r->client = (struct relay_side){.relay = r,
	    .peer = &r->server_side,
	    .up = true,
	    .wire = UP_BYTES + 16};
	r->server_side =
	    (struct relay_side){.relay = r, .peer = &r->client, .wire = DOWN_BYTES + 16};
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
				struct plan p = {.what = FLIP,
				    .up = up,
				    .frame = frame,
				    .byte = byte,
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
	assert_link_works(&b);
	assert_int_equal(r.client.frames, FRAMES + 1);
	assert_int_equal(r.server_side.frames, FRAMES + 1);
	relay_free(&r);
	bench_free(&b);
}

#define TAMPER_TEST(f) cmocka_unit_test_setup(f, link_keys_make)

static const struct CMUnitTest tests[] = {
    TAMPER_TEST(test_every_byte),
    TAMPER_TEST(test_order_on_the_wire),
    TAMPER_TEST(test_cut),
    TAMPER_TEST(test_wire_has_one_size),
};

TEST_MAIN(tests)
