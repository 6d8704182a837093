/* The registrar in a virtual world: a gateway's end of its link, and members who fetch. */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/link.h"
#include "evaluation/world.h"
#include "registrar/registrar.h"
#include "tests/lib/network.h"

#define START_MS ((int64_t)1700000000000)
#define GATEWAY 4
#define REGISTRAR 5
#define VISITORS 4
#define GIVEN_MAX 64

struct town {
	struct world *world;
	struct network *net;
	struct params params;
	struct world_host *registrar_host, *gateway_host, *member_host;
	struct disk *disk, *gateway_disk;
	struct registrar *registrar;
	struct workq *gateway_queue;
	struct links *gateway;
	char ledger[512];
	uint32_t given[GIVEN_MAX];
	uint8_t seeds[GIVEN_MAX][32];
	size_t given_count;
	/* the last change of the roll */
	char code[ENROLMENT_TEXT_BYTES];
	enum err changed;
	bool done;
};

/* One connection of a member. */
struct member {
	struct town *t;
	struct link *link;
	bool up, down;
	unsigned answers;
	struct issuance_answer answer;
};

static struct town t;

/* ---- the gateway ---- */

static void
on_packet(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	(void)arg;
	(void)from;
	(void)epoch;
	(void)packet;
	fail();
}

static void
on_seed(void *arg, uint16_t from, uint32_t epoch, const uint8_t *seed)
{
	(void)arg;
	assert_int_equal(from, REGISTRAR);
	for (size_t i = 0; i < t.given_count; i++) {
		if (t.given[i] != epoch)
			continue;
		assert_memory_equal(t.seeds[i], seed, 32); /* never another for an epoch */
		return;
	}
	assert_true(t.given_count < GIVEN_MAX);
	t.given[t.given_count] = epoch;
	memcpy(t.seeds[t.given_count++], seed, 32);
}

static void
start_gateway(void)
{
	const struct links_events events = { .packet = on_packet, .seed = on_seed };
	struct links_config cfg = { .loop = world_loop(t.gateway_host),
		.charters = t.net->charters,
		.own = GATEWAY,
		.link_sk = t.net->keys[network_index(t.net, GATEWAY)].link_sk,
		.disk = t.gateway_disk,
		.rng = world_rng(t.world),
		.keys = world_rng(t.world),
		.queue_max = 100 };

	t.gateway_queue = workq_new(cfg.loop, 1);
	cfg.queue = t.gateway_queue;
	assert_err_ok(links_open(&t.gateway, &cfg, &events, NULL, NULL));
	assert_err_ok(links_start(t.gateway, NULL));
}

/* ---- the registrar ---- */

static void
start_registrar(void)
{
	const struct registrar_config cfg = { .loop = world_loop(t.registrar_host),
		.disk = t.disk,
		.charter = t.net->charter,
		.own = REGISTRAR,
		.link_sk = t.net->keys[network_index(t.net, REGISTRAR)].link_sk,
		.listen = charter_registrar(t.net->charter)->entrance,
		.ledger = t.ledger,
		.rng = world_rng(t.world),
		.keys = world_rng(t.world),
		.visitors_max = VISITORS };
	struct diag d = { "" };

	assert_err_ok(registrar_new(&t.registrar, &cfg, &d));
}

/* As a process dies: what its queue had begun has happened or not, nothing more. */
static void
kill_registrar(void)
{
	world_kill(t.registrar_host);
	registrar_free(t.registrar);
	t.registrar = NULL;
	assert_err_ok(world_start(t.registrar_host));
}

static void
run(int64_t ms)
{
	assert_err_ok(world_run_for(t.world, ms));
}

static uint32_t
epoch_now(void)
{
	return timing_epoch(&t.params, world_now_ms(t.world));
}

static int
set_up(void **state)
{
	static unsigned ledgers;
	const struct world_config wc = { .seed = test_seed(), .wall_ms = START_MS,
		.out = { .delay_us = 10000, .spread_us = 1000 },
		.in = { .delay_us = 10000, .spread_us = 1000 },
		.work_us_max = 20000 };
	struct network_config nc = { .seed = 5, .registrar = true, .params = &t.params };

	(void)state;
	memset(&t, 0, sizeof(t));
	params_default(&t.params);
	t.params.stamps = 130;
	assert_err_ok(world_new(&t.world, &wc));
	t.net = network_new(&nc);
	t.params = t.net->charter->params;
	assert_err_ok(world_host_new(&t.registrar_host, t.world));
	assert_err_ok(world_host_new(&t.gateway_host, t.world));
	assert_err_ok(world_host_new(&t.member_host, t.world));
	t.disk = disk_memory();
	t.gateway_disk = disk_memory();
	(void)snprintf(t.ledger, sizeof(t.ledger), "%s/ledger-%u", test_tmpdir(), ledgers++);
	start_gateway();
	start_registrar();
	run(3000);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	registrar_free(t.registrar);
	workq_free(t.gateway_queue);
	links_free(t.gateway);
	disk_free(t.disk);
	disk_free(t.gateway_disk);
	world_free(t.world);
	network_free(t.net);
	return 0;
}

/* ---- the roll ---- */

static void
on_changed(void *arg, enum err e, const struct diag *d, const char *code)
{
	(void)arg;
	(void)d;
	t.changed = e;
	t.done = true;
	(void)snprintf(t.code, sizeof(t.code), "%s", code != NULL ? code : "");
}

static void
enrol(uint8_t secret[static 32], const char *name)
{
	struct diag d;

	t.done = false;
	assert_err_ok(registrar_enrol(t.registrar, name, on_changed, NULL, &d));
	run(1000);
	assert_true(t.done);
	assert_err_ok(t.changed);
	assert_err_ok(enrolment_decode(secret, t.code, t.net->charter->network_id, &d));
}

static void
revoke(const char *name)
{
	struct diag d;

	t.done = false;
	assert_err_ok(registrar_revoke(t.registrar, name, on_changed, NULL, &d));
	run(1000);
	assert_true(t.done);
	assert_err_ok(t.changed);
	assert_string_equal(t.code, "");
}

/* ---- members ---- */

static void
on_up(void *arg)
{
	((struct member *)arg)->up = true;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct member *m = arg;

	assert_int_equal(n, ISSUANCE_ANSWER_BYTES);
	assert_err_ok(issuance_answer_decode(&m->answer, plain));
	m->answers++;
}

static void
on_down(void *arg, enum err why)
{
	struct member *m = arg;

	(void)why;
	m->down = true;
}

static void
dial(struct member *m)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame,
		.down = on_down };
	const struct charter_node *r = charter_registrar(t.net->charter);
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = r->link,
		.send_bytes = ISSUANCE_REQUEST_BYTES,
		.receive_bytes = ISSUANCE_ANSWER_BYTES,
		.out_frames_max = 40,
		.handshake_ms = 20000,
		.keys = world_rng(t.world) };

	memcpy(cfg.network_id, t.net->charter->network_id, 32);
	memset(m, 0, sizeof(*m));
	assert_err_ok(link_dial(&m->link, world_loop(t.member_host), r->entrance, &cfg, &events, m));
	run(1000);
}

static void
hang_up(struct member *m)
{
	link_free(m->link);
	m->link = NULL;
}

static void
send_request(struct member *m, const struct issuance_request *q)
{
	static uint8_t frame[ISSUANCE_REQUEST_BYTES];

	issuance_request_encode(frame, q);
	assert_err_ok(link_send(m->link, frame));
}

static struct issuance_request
request(enum token_kind kind, uint32_t epoch, uint32_t batch, const uint8_t code[static 32],
    uint8_t wallet)
{
	const uint8_t seed[32] = { wallet };
	struct issuance_request q = { .kind = kind, .epoch = epoch, .batch = batch };

	assert_err_ok(issuance_ask(&q, &t.params, code, seed));
	return q;
}

/* One request on a connection of its own. */
static enum issuance_status
fetch(struct issuance_answer *a, const struct issuance_request *q)
{
	struct member m;

	dial(&m);
	assert_true(m.up);
	send_request(&m, q);
	run(1000);
	assert_int_equal(m.answers, 1);
	*a = m.answer;
	hang_up(&m);
	return a->status;
}

static const uint8_t *
given(uint32_t epoch)
{
	for (size_t i = 0; i < t.given_count; i++)
		if (t.given[i] == epoch)
			return t.seeds[i];
	return NULL;
}

/* What was answered is worth tokens by the keys that the gateway has. */
static void
check_answer(const struct issuance_request *q, const struct issuance_answer *a, uint8_t wallet)
{
	static struct issuance_batch batch;
	const uint8_t seed[32] = { wallet };
	uint8_t stamp[64], record[64] = { 1 };
	struct issuer *s;

	assert_non_null(given(q->epoch));
	assert_err_ok(issuer_new(&s, &t.params, q->epoch, given(q->epoch)));
	assert_err_ok(issuance_take(&batch, q, a, issuer_keys(s), &t.params, seed));
	if (q->kind == TOKEN_STAMP) {
		memcpy(stamp, batch.nonce[0], 32);
		token_stamp_proof(stamp + 32, batch.output[0], record, sizeof(record));
		assert_err_ok(issuer_redeem_stamp(s, stamp, record, sizeof(record)));
	}
	issuer_free(s);
}

/* ---- tests ---- */

static void
test_seeds_reach_the_gateway(void **state)
{
	struct registrar_status s;

	(void)state;
	assert_int_equal(t.given_count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_non_null(given(epoch_now() + i));
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.seeds, 5);
	assert_int_equal(s.given, epoch_now() + 4);
	assert_true(s.serves && s.has_place);
	run(2 * t.params.epoch_ms);
	assert_int_equal(t.given_count, 7);
	kill_registrar(); /* and comes again with the same ones: on_seed looks */
	start_registrar();
	run(60000);
	assert_int_equal(t.given_count, 7);
}

/* The registrar's clock is wrong for a while, running and at a start, and then right again. */
static void
wrong_clock(int64_t off_ms, bool restarts)
{
	world_set_clock(t.registrar_host, off_ms);
	if (restarts) {
		kill_registrar();
		start_registrar();
	}
	run(REGISTRAR_TURN_MS + 60000);
	world_set_clock(t.registrar_host, -off_ms);
	if (restarts) {
		kill_registrar();
		start_registrar();
	}
	run(REGISTRAR_TURN_MS + 60000);
}

/*
 * No seed that the gateway has is replaced (on_seed looks), and no batch is given a second
 * time, whatever the clock was for a while.
 */
static void
test_a_wrong_clock(void **state)
{
	static const int64_t epochs[] = { 1, -1, 3, -3, 1000, -1000 };
	static struct issuance_answer a;
	uint32_t first = epoch_now();
	struct issuance_request q, other;
	struct registrar_status s;
	uint8_t code[32];

	(void)state;
	enrol(code, "anna");
	q = request(TOKEN_STAMP, first + 4, 0, code, 1);
	other = request(TOKEN_STAMP, first + 4, 0, code, 2);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
	for (size_t i = 0; i < 2 * sizeof(epochs) / sizeof(epochs[0]); i++) {
		wrong_clock(epochs[i / 2] * t.params.epoch_ms, i % 2 == 1);
		registrar_get_status(t.registrar, &s);
		assert_int_equal(s.seeds, 5);
		assert_int_equal(s.given, epoch_now() + 4);
		assert_int_equal(fetch(&a, &other), ISSUANCE_SPENT);
		assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
		check_answer(&q, &a, 1);
	}
	assert_in_range(epoch_now(), first, first + 4);
}

static void
test_a_whole_allotment(void **state)
{
	static struct issuance_answer a;
	uint8_t code[32];

	(void)state;
	enrol(code, "anna");
	for (uint32_t epoch = epoch_now(); epoch <= epoch_now() + 4; epoch++)
		for (uint32_t i = 0; i < 3; i++) {
			struct issuance_request q = i == 0 ?
			    request(TOKEN_TICKET, epoch, 0, code, 1) :
			    request(TOKEN_STAMP, epoch, i - 1, code, 1);

			assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
			check_answer(&q, &a, 1);
		}
}

static void
test_who_and_what_is_refused(void **state)
{
	static struct issuance_answer a;
	uint8_t code[32], stranger[32] = { 9 };
	struct issuance_request q;

	(void)state;
	enrol(code, "anna");
	q = request(TOKEN_TICKET, epoch_now(), 0, stranger, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_CODE);
	q = request(TOKEN_TICKET, epoch_now() - 1, 0, code, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_EPOCH);
	q = request(TOKEN_TICKET, epoch_now() + 5, 0, code, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_EPOCH);
	q = request(TOKEN_STAMP, epoch_now(), 0, code, 1);
	q.batch = 2;
	assert_int_equal(fetch(&a, &q), ISSUANCE_BATCH);
	q.batch = 1;
	assert_int_equal(fetch(&a, &q), ISSUANCE_REQUEST);
	/* nothing of this used up a batch */
	q = request(TOKEN_STAMP, epoch_now(), 1, code, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
	check_answer(&q, &a, 1);
}

static void
test_each_batch_once(void **state)
{
	static struct issuance_answer a, again;
	uint8_t code[32], other[32];
	struct issuance_request q, second;

	(void)state;
	enrol(code, "anna");
	enrol(other, "ben");
	q = request(TOKEN_STAMP, epoch_now(), 0, code, 1);
	second = request(TOKEN_STAMP, epoch_now(), 0, code, 2);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
	assert_int_equal(fetch(&again, &second), ISSUANCE_SPENT);
	assert_int_equal(fetch(&again, &q), ISSUANCE_OK);
	assert_memory_equal(a.evaluated, again.evaluated, sizeof(a.evaluated));
	kill_registrar();
	start_registrar();
	run(3000);
	assert_int_equal(fetch(&again, &second), ISSUANCE_SPENT);
	assert_int_equal(fetch(&again, &q), ISSUANCE_OK);
	check_answer(&q, &again, 1);
	q = request(TOKEN_STAMP, epoch_now(), 0, other, 2);
	assert_int_equal(fetch(&again, &q), ISSUANCE_OK);
}

static void
test_revoked(void **state)
{
	static struct issuance_answer a;
	struct issuance_request q;
	uint8_t code[32], fresh[32];
	struct diag d;

	(void)state;
	enrol(code, "anna");
	assert_err(registrar_revoke(t.registrar, "ben", on_changed, NULL, &d), ERR_NOT_FOUND);
	assert_err(registrar_enrol(t.registrar, "anna", on_changed, NULL, &d), ERR_EXISTS);
	revoke("anna");
	q = request(TOKEN_TICKET, epoch_now(), 0, code, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_CODE);
	enrol(fresh, "anna");
	assert_memory_not_equal(code, fresh, 32);
	kill_registrar();
	start_registrar();
	run(3000);
	assert_int_equal(fetch(&a, &q), ISSUANCE_CODE);
	q = request(TOKEN_TICKET, epoch_now(), 0, fresh, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
}

/* Many requests at once on one connection: answered in order, one at a time. */
static void
test_in_order(void **state)
{
	struct issuance_request q;
	uint8_t code[32];
	struct member m;

	(void)state;
	enrol(code, "anna");
	dial(&m);
	q = request(TOKEN_TICKET, epoch_now(), 0, code, 1);
	for (int i = 0; i < 10; i++)
		send_request(&m, &q);
	q.epoch = epoch_now() - 1;
	send_request(&m, &q);
	run(5000);
	assert_int_equal(m.answers, 11);
	assert_int_equal(m.answer.status, ISSUANCE_EPOCH);
	assert_false(m.down);
	hang_up(&m);
}

/* After a code that is nobody's, or no request at all, there is nothing more to say. */
static void
test_strangers_are_shown_out(void **state)
{
	const uint8_t nobody[32] = { 1 };
	struct issuance_request q = request(TOKEN_TICKET, epoch_now(), 0, nobody, 1);
	uint8_t nonsense[ISSUANCE_REQUEST_BYTES] = { 0 };
	struct member m;

	(void)state;
	dial(&m);
	assert_err_ok(link_send(m.link, nonsense));
	run(2000);
	assert_int_equal(m.answers, 1);
	assert_true(m.down);
	hang_up(&m);
	dial(&m);
	send_request(&m, &q);
	send_request(&m, &q);
	run(2000);
	assert_int_equal(m.answers, 1);
	assert_int_equal(m.answer.status, ISSUANCE_CODE);
	assert_true(m.down);
	hang_up(&m);
}

/*
 * Connections that do nothing fill the places, but keep nobody out: one of them makes room for
 * who comes. Those of members stay, and when all are members' the new one is closed.
 */
static void
test_places(void **state)
{
	struct member crowd[VISITORS], late;
	struct issuance_request q;
	struct registrar_status s;
	uint8_t code[VISITORS][32];
	size_t out = 0;

	(void)state;
	for (size_t i = 0; i < VISITORS; i++)
		enrol(code[i], (const char *[VISITORS]){ "anna", "ben", "cleo", "dan" }[i]);
	q = request(TOKEN_TICKET, epoch_now(), 0, code[VISITORS - 1], 1);
	for (size_t i = 0; i < VISITORS; i++)
		dial(&crowd[i]);
	dial(&late);
	assert_true(late.up);
	send_request(&late, &q);
	run(1000);
	assert_int_equal(late.answer.status, ISSUANCE_OK);
	for (size_t i = 0; i < VISITORS; i++)
		out += crowd[i].down;
	assert_int_equal(out, 1);
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.counter.visitors, VISITORS);
	assert_int_equal(s.counter.turned_away, 1);
	/* the rest of the crowd gives way, the member does not */
	for (size_t i = 0; i < VISITORS; i++)
		hang_up(&crowd[i]);
	for (size_t i = 0; i < VISITORS - 1; i++) {
		dial(&crowd[i]);
		q = request(TOKEN_TICKET, epoch_now(), 0, code[i], 1);
		send_request(&crowd[i], &q);
		run(1000);
	}
	dial(&crowd[VISITORS - 1]);
	assert_true(crowd[VISITORS - 1].down);
	for (size_t i = 0; i < VISITORS; i++)
		hang_up(&crowd[i]);
	assert_false(late.down);
	hang_up(&late);
}

/* Whoever shows a code again ends its own visit before: one member cannot take the places. */
static void
test_one_visit_of_a_member(void **state)
{
	struct member visits[2 * VISITORS], other;
	struct issuance_request q, asked;
	struct registrar_status s;
	uint8_t code[32], bens[32];

	(void)state;
	enrol(code, "anna");
	enrol(bens, "ben");
	q = request(TOKEN_TICKET, epoch_now(), 0, code, 1);
	asked = request(TOKEN_TICKET, epoch_now(), 0, bens, 2);
	dial(&other);
	send_request(&other, &asked);
	run(1000);
	for (size_t i = 0; i < 2 * VISITORS; i++) {
		dial(&visits[i]);
		assert_true(visits[i].up);
		if (i % 2 == 1)
			send_request(&visits[i - 1], &q); /* it may be at work when it ends */
		send_request(&visits[i], &q);
		run(i % 2 == 1 ? 1000 : 5);
	}
	run(2000);
	assert_int_equal(visits[2 * VISITORS - 1].answer.status, ISSUANCE_OK);
	assert_false(visits[2 * VISITORS - 1].down);
	for (size_t i = 0; i < 2 * VISITORS - 1; i++)
		assert_true(visits[i].down);
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.counter.visitors, 2);
	assert_int_equal(s.counter.turned_away, 0);
	/* nobody else's ends */
	send_request(&other, &asked);
	run(1000);
	assert_int_equal(other.answers, 2);
	assert_false(other.down);
	for (size_t i = 0; i < 2 * VISITORS; i++)
		hang_up(&visits[i]);
	hang_up(&other);
}

/* And for a while only. */
static void
test_patience(void **state)
{
	struct registrar_status s;
	struct member m;

	(void)state;
	dial(&m);
	assert_true(m.up);
	run(COUNTER_PATIENCE_MS + 5000);
	assert_true(m.down);
	hang_up(&m);
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.counter.visitors, 0);
}

/* Neither requests nor time are without end on one connection. */
static void
test_a_long_visit(void **state)
{
	struct issuance_request q;
	uint8_t code[32];
	struct member m;

	(void)state;
	enrol(code, "anna");
	q = request(TOKEN_TICKET, epoch_now() + ISSUER_AHEAD + 1, 0, code, 1);
	dial(&m);
	for (unsigned i = 0; i < COUNTER_REQUESTS + 1; i++) {
		if (!m.down)
			send_request(&m, &q);
		run(50);
	}
	assert_int_equal(m.answers, COUNTER_REQUESTS);
	assert_true(m.down);
	hang_up(&m);
	dial(&m);
	for (int64_t spent = 0; spent <= COUNTER_VISIT_MS && !m.down; spent += 30000) {
		send_request(&m, &q);
		run(30000);
	}
	assert_true(m.down);
	assert_in_range(m.answers, COUNTER_VISIT_MS / 30000 - 2, COUNTER_VISIT_MS / 30000 + 1);
	hang_up(&m);
}

static size_t
on_bytes(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	return n;
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	*(bool *)arg = true;
}

/* A peer that never finishes its handshake. */
static void
test_half_open(void **state)
{
	static const struct conn_events silent = { .data = on_bytes, .closed = on_closed };
	const struct conn_limits limits = { 65536, 65536 };
	struct registrar_status s;
	bool closed = false;
	struct conn *c;

	(void)state;
	assert_err_ok(conn_open(&c, world_loop(t.member_host),
	    charter_registrar(t.net->charter)->entrance, &limits, &silent, &closed));
	run(1000);
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.counter.visitors, 1);
	run(COUNTER_HANDSHAKE_MS + 1000);
	registrar_get_status(t.registrar, &s);
	assert_int_equal(s.counter.visitors, 0);
	assert_true(closed);
	conn_free(c);
}

/* A member that asks for the same over and over is told to wait, and others are served. */
static void
test_a_member_that_floods(void **state)
{
	unsigned most = COUNTER_ASKED * 5 * 3;
	static struct issuance_answer a;
	struct issuance_request q;
	uint8_t code[32], other[32];
	struct member m;

	(void)state;
	enrol(code, "anna");
	enrol(other, "ben");
	q = request(TOKEN_TICKET, epoch_now(), 0, code, 1);
	dial(&m);
	for (unsigned i = 0; i < most; i++) {
		send_request(&m, &q);
		run(300);
	}
	assert_int_equal(m.answers, most);
	assert_int_equal(m.answer.status, ISSUANCE_OK);
	send_request(&m, &q);
	run(1000);
	assert_int_equal(m.answer.status, ISSUANCE_LATER);
	hang_up(&m);
	q = request(TOKEN_TICKET, epoch_now(), 0, other, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
	run(t.params.epoch_ms);
	q = request(TOKEN_TICKET, epoch_now(), 0, code, 1);
	assert_int_equal(fetch(&a, &q), ISSUANCE_OK);
}

/* Two wallets with one code, deaths at any moment: each batch goes to one of them. */
static void
test_deaths(void **state)
{
	static struct issuance_answer a;
	uint8_t code[32], owner[5][3] = { { 0 } };
	uint32_t first = epoch_now();

	(void)state;
	enrol(code, "anna");
	for (int i = 0; i < 100; i++) {
		uint32_t e = rng_below(test_rng(), 5), b = rng_below(test_rng(), 3);
		uint8_t wallet = (uint8_t)(1 + rng_below(test_rng(), 2));
		struct issuance_request q = b == 2 ?
		    request(TOKEN_TICKET, first + e, 0, code, wallet) :
		    request(TOKEN_STAMP, first + e, b, code, wallet);
		struct member m;

		dial(&m);
		send_request(&m, &q);
		run(rng_below(test_rng(), 80));
		kill_registrar();
		if (m.answers > 0 && m.answer.status == ISSUANCE_OK) {
			assert_true(owner[e][b] == 0 || owner[e][b] == wallet);
			owner[e][b] = wallet;
		} else if (m.answers > 0) {
			assert_int_equal(m.answer.status, ISSUANCE_SPENT);
			assert_true(owner[e][b] == 0 || owner[e][b] == 3 - wallet);
			owner[e][b] = (uint8_t)(3 - wallet);
		}
		hang_up(&m);
		start_registrar();
		run(3000);
	}
	for (uint32_t e = 0; e < 5; e++)
		for (uint32_t b = 0; b < 3; b++) {
			unsigned answered = 0;

			for (uint8_t wallet = 1; wallet <= 2; wallet++) {
				struct issuance_request q = b == 2 ?
				    request(TOKEN_TICKET, first + e, 0, code, wallet) :
				    request(TOKEN_STAMP, first + e, b, code, wallet);

				if (fetch(&a, &q) != ISSUANCE_OK)
					continue;
				answered++;
				check_answer(&q, &a, wallet);
				assert_true(owner[e][b] == 0 || owner[e][b] == wallet);
			}
			assert_int_equal(answered, 1);
		}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	CASE(test_seeds_reach_the_gateway),
	CASE(test_a_wrong_clock),
	CASE(test_a_whole_allotment),
	CASE(test_who_and_what_is_refused),
	CASE(test_each_batch_once),
	CASE(test_revoked),
	CASE(test_in_order),
	CASE(test_strangers_are_shown_out),
	CASE(test_places),
	CASE(test_one_visit_of_a_member),
	CASE(test_patience),
	CASE(test_a_long_visit),
	CASE(test_half_open),
	CASE(test_a_member_that_floods),
	CASE(test_deaths),
};
TEST_MAIN(tests)
