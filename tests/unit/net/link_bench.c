#include "config.h"

#include "tests/unit/net/link_bench.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/unit/net/net_test.h"

struct key_pair server_key, client_key, other_key;
uint8_t network_id[32];

void
link_fill(uint8_t *out, size_t n, uint8_t tint, unsigned number)
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

void
end_send(struct end *e)
{
	uint8_t plain[LINK_FRAME_MAX];

	for (unsigned i = 0; i < e->to_send; i++) {
		link_fill(plain, e->send_bytes, e->tint, i);
		if (link_send(e->link, plain) != ERR_OK)
			abort();
	}
}

static void
end_up(void *arg)
{
	struct end *e = arg;

	e->up++;
	end_send(e);
	act(e, e->on_up);
	stop_if_done(e->bench);
}

static void
end_frame(void *arg, uint8_t *plain, size_t n)
{
	struct end *e = arg;
	struct end *peer = e == &e->bench->server ? &e->bench->client : &e->bench->server;
	uint8_t wanted[LINK_FRAME_MAX];

	link_fill(wanted, peer->send_bytes, peer->tint, e->frames);
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

const struct link_events link_end_events = {.up = end_up,
    .frame = end_frame,
    .drained = end_drained,
    .down = end_down};

static void
on_accept(void *arg, struct conn *c)
{
	struct bench *b = arg;
	enum err e;

	if (b->candidates != NULL)
		e = link_accept_any(&b->server.link, b->loop, c, &b->server_config, b->candidates,
		    b->candidate_count, &link_end_events, &b->server);
	else
		e = link_accept(&b->server.link, b->loop, c, &b->server_config, &link_end_events,
		    &b->server);
	if (e != ERR_OK)
		abort();
}

/* ---- both ends ---- */

void
bench_init(struct bench *b, enum noise_pattern pattern)
{
	memset(b, 0, sizeof(*b));
	b->loop = net_loop_new();
	b->address = net_unix_address();
	b->server = (struct end){.bench = b,
	    .send_bytes = DOWN_BYTES,
	    .tint = 1,
	    .to_send = FRAMES,
	    .want = FRAMES};
	b->client = (struct end){.bench = b,
	    .send_bytes = UP_BYTES,
	    .tint = 99,
	    .to_send = FRAMES,
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

void
bench_listen(struct bench *b)
{
	b->listener = net_listen(b->loop, b->address, on_accept, b);
}

void
bench_dial(struct bench *b, const char *address)
{
	assert_err_ok(link_dial(&b->client.link, b->loop, address, &b->client_config,
	    &link_end_events, &b->client));
	assert_int_equal(b->client.down, 0);
}

void
bench_run(struct bench *b)
{
	bench_listen(b);
	bench_dial(b, b->address);
	net_run(b->loop);
}

void
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

void
assert_link_works(const struct bench *b)
{
	assert_int_equal(b->server.down, 0);
	assert_int_equal(b->client.down, 0);
	assert_int_equal(b->server.frames, FRAMES);
	assert_int_equal(b->client.frames, FRAMES);
	assert_true(link_is_up(b->server.link));
	assert_true(link_is_up(b->client.link));
	assert_memory_equal(link_hash(b->server.link), link_hash(b->client.link), LINK_HASH_BYTES);
}

int
link_keys_make(void **state)
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
