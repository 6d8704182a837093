#include "config.h"

#include "common/net/link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/unit/net/link_bench.h"
#include "tests/unit/net/net_test.h"

#define NODES 5

static void
test_nk(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, NOISE_NK);
	bench_run(&b);
	assert_link_works(&b);
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
	assert_link_works(&b);
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
	assert_link_works(&b);
	bench_free(&b);
}

/* ---- finding the peer among candidates ---- */

static void
make_candidates(struct link_candidate *out, size_t client_at)
{
	for (size_t i = 0; i < NODES; i++) {
		out[i] = (struct link_candidate){.node = (uint16_t)(100 + i),
		    .send_bytes = DOWN_BYTES - i,
		    .receive_bytes = UP_BYTES};
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
		assert_link_works(&b);
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
	struct noise_config config = {.pattern = NOISE_NK,
	    .initiator = true,
	    .prologue = network_id,
	    .prologue_len = 32,
	    .peer_pk = server_key.pk,
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
		end_send(&b.client);
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
		link_fill(plain, UP_BYTES, b.client.tint, i);
		assert_err_ok(link_send(b.client.link, plain));
		assert_int_equal(link_unsent_frames(b.client.link), i + 1);
	}
	assert_err(link_send(b.client.link, plain), ERR_FULL);
	b.server.want = 10;
	net_run(b.loop);
	/* What was refused has not used up a number. */
	link_fill(plain, UP_BYTES, b.client.tint, 10);
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
		assert_err(link_dial(&k, b.loop, b.address, &bad[i], &link_end_events, &b.client),
		    ERR_USAGE);
	assert_err(link_dial(&k, b.loop, "nowhere", &b.client_config, &link_end_events, &b.client),
	    ERR_USAGE);
	b.client_config.peer_pk = NULL;
	assert_err(link_dial(&k, b.loop, b.address, &b.client_config, &link_end_events, &b.client),
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
		    a->candidates, a->count - 1, &link_end_events, &a->bench->server);
	else
		a->got = link_accept(&k, a->bench->loop, c, &a->bench->client_config,
		    &link_end_events, &a->bench->server);
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
		link_fill(plain, UP_BYTES, e->tint, p->next);
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
	assert_err_ok(link_dial(&b.client.link, b.loop, b.address, &b.client_config, &events, &p));
	net_run(b.loop);
	assert_int_equal(b.server.frames, p.total);
	assert_int_equal(b.client.down, 0);
	bench_free(&b);
}

#define LINK_TEST(f) cmocka_unit_test_setup(f, link_keys_make)

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
