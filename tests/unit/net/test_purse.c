#include "config.h"

#include "common/net/purse.h"

#include <malloc.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/timing.h"
#include "common/journal/item.h"
#include "common/net/attend.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_gateway.h"
#include "tests/unit/net/fake_registrar.h"

#define HOUR_MS INT64_C(3600000)
#define EPOCH 83124
#define USED_MAX 512

static const uint8_t code[32] = { 7 }, key[32] = { 8 };

struct scene {
	struct world *world;
	struct world_host *own, *gateway_host, *registrar_host;
	struct network *network;
	struct fake_gateway gateway;
	struct fake_registrar registrar;
	struct disk *disk, *faulty;
	struct disk_fault plan;
	struct workq *queue;
	struct purse *purse;
	struct attend *attend;
	unsigned items;
	uint8_t used[USED_MAX][32];
	size_t used_count;
	unsigned failed;
};

/* ---- the scene ---- */

static void
open_purse(struct scene *k, bool enrolled)
{
	const struct purse_config cfg = { .loop = world_loop(k->own),
		.charters = k->network->charters,
		.disk = k->faulty,
		.queue = k->queue,
		.key = key,
		.code = enrolled ? code : NULL,
		.rng = world_rng(k->world),
		.keys = world_rng(k->world) };

	assert_err_ok(purse_new(&k->purse, &cfg, NULL));
}

static void
make(struct scene *k, bool registrar)
{
	struct params p;
	const struct world_config cfg = { .seed = rng_u64(test_rng()), .out = { .delay_us = 20000 },
		.wall_ms = (int64_t)EPOCH * 6 * HOUR_MS + HOUR_MS / 2 };

	memset(k, 0, sizeof(*k));
	params_default(&p);
	p.stamps = 150;
	assert_err_ok(world_new(&k->world, &cfg));
	assert_err_ok(world_host_new(&k->own, k->world));
	assert_err_ok(world_host_new(&k->gateway_host, k->world));
	assert_err_ok(world_host_new(&k->registrar_host, k->world));
	k->network = network_new(&(struct network_config){ .seed = 1, .params = &p,
	    .registrar = registrar });
	fake_gateway_start(&k->gateway, k->world, k->gateway_host, k->network);
	if (registrar)
		fake_registrar_start(&k->registrar, k->world, k->registrar_host, k->network);
	k->disk = disk_memory();
	k->plan.writes_only = true;
	k->faulty = disk_fault_new(k->disk, &k->plan);
	k->queue = workq_new(world_loop(k->own), 1);
}

static void
unmake(struct scene *k)
{
	attend_free(k->attend);
	purse_free(k->purse);
	workq_free(k->queue);
	fake_gateway_stop(&k->gateway);
	if (k->registrar.listener != NULL)
		fake_registrar_stop(&k->registrar);
	disk_free(k->faulty);
	disk_free(k->disk);
	world_free(k->world);
	network_free(k->network);
}

static void
show(struct scene *k, uint32_t epoch, bool honest)
{
	struct buf b;

	buf_init(&b);
	fake_registrar_notice(&b, &k->registrar, epoch, honest);
	assert_err_ok(purse_notice(k->purse, b.data, b.len));
	buf_release(&b);
}

static void
show_all(struct scene *k)
{
	for (uint32_t e = 0; e <= ISSUER_AHEAD; e++)
		show(k, EPOCH + e, true);
}

static void
run_for(struct scene *k, int64_t ms)
{
	assert_err_ok(world_run_for(k->world, ms));
}

static struct purse_status
status(const struct scene *k)
{
	struct purse_status s;

	purse_get_status(k->purse, &s);
	return s;
}

/* ---- spending ---- */

static void
on_stamp(void *arg, enum err e, const struct wallet_token *t)
{
	struct scene *k = arg;

	if (e != ERR_OK) {
		assert_null(t);
		k->failed++;
		return;
	}
	assert_int_equal(e, ERR_OK);
	for (size_t i = 0; i < k->used_count; i++)
		assert_memory_not_equal(k->used[i], t->nonce, 32);
	assert_true(k->used_count < USED_MAX);
	memcpy(k->used[k->used_count++], t->nonce, 32);
}

static void
check_stamp(void *arg, enum err e, const struct wallet_token *t)
{
	struct scene *k = arg;
	struct issuer *s = fake_registrar_issuer(&k->registrar, EPOCH, true);
	uint8_t record[100] = { 1 }, stamp[64];

	assert_err_ok(e);
	memcpy(stamp, t->nonce, 32);
	token_stamp_proof(stamp + 32, t->output, record, sizeof(record));
	assert_err_ok(issuer_redeem_stamp(s, stamp, record, sizeof(record)));
	issuer_free(s);
	k->used_count++;
}

/* ---- tests ---- */

static void
test_fetched_ahead_and_spent(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	assert_false(purse_has_stamp(k.purse, EPOCH));
	assert_true((status(&k).alarms & PURSE_ALARM_STAMPS) != 0);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_int_equal(status(&k).stamps, 150);
	assert_true(purse_has_stamp(k.purse, EPOCH));
	assert_int_equal(status(&k).alarms, 0);
	for (unsigned i = 0; i < 20; i++)
		assert_err_ok(purse_stamp(k.purse, EPOCH, check_stamp, &k));
	assert_int_equal(k.used_count, 0); /* not before it is durable */
	run_for(&k, 1000);
	assert_int_equal(k.used_count, 20);
	assert_int_equal(status(&k).stamps, 130);
	run_for(&k, 5 * HOUR_MS); /* into the next epoch */
	assert_int_equal(status(&k).stamps, 150);
	run_for(&k, 17 * HOUR_MS); /* all is there, each asked for once */
	assert_int_equal(status(&k).ahead, 1);
	assert_int_equal(k.registrar.count, 5 * 3);
	unmake(&k);
}

/* With other keys than the journal's nothing is taken, and it is said. */
static void
test_a_registrar_that_marks(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	k.registrar.marks = true;
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_true(k.registrar.count > 0);
	assert_int_equal(status(&k).stamps + status(&k).tickets, 0);
	assert_true((status(&k).alarms & PURSE_ALARM_KEYS) != 0);
	unmake(&k);
}

/* The same keys, but then the journal shows others: what was fetched is not used. */
static void
test_two_notices(void **state)
{
	static struct scene k;
	struct evidence lie;
	uint64_t epoch;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_int_equal(status(&k).stamps, 150);
	assert_false(purse_take_evidence(k.purse, &lie));
	show(&k, EPOCH, false);
	assert_int_equal(status(&k).stamps, 0);
	assert_true((status(&k).alarms & PURSE_ALARM_KEYS) != 0);
	assert_true(purse_take_evidence(k.purse, &lie)); /* whoever has the charter believes it */
	assert_err_ok(evidence_verify(&lie, k.network->charter, NULL));
	assert_int_equal(evidence_lie(&lie, &k.network->charter->params, &epoch),
	    EVIDENCE_TWO_NOTICES);
	assert_int_equal(epoch, EPOCH);
	show(&k, EPOCH, true);
	show(&k, EPOCH, false);
	assert_false(purse_take_evidence(k.purse, &lie)); /* once is enough */
	run_for(&k, 1000);
	purse_free(k.purse);
	open_purse(&k, true); /* nor after a restart */
	assert_int_equal(status(&k).stamps, 0);
	unmake(&k);
}

static void
test_the_sheet_repeats_the_keys(void **state)
{
	static struct scene k;
	struct network_epoch *e;
	struct issuer *s, *other;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	e = network_epoch_new(k.network, EPOCH);
	s = fake_registrar_issuer(&k.registrar, EPOCH, true);
	other = fake_registrar_issuer(&k.registrar, EPOCH, false);
	issuer_keys_to_sheet(e->sheet, issuer_keys(other));
	assert_true(purse_sheet(k.purse, e->sheet)); /* no notice yet */
	show_all(&k);
	assert_false(purse_sheet(k.purse, e->sheet));
	assert_true((status(&k).alarms & PURSE_ALARM_KEYS) != 0);
	issuer_keys_to_sheet(e->sheet, issuer_keys(s));
	assert_true(purse_sheet(k.purse, e->sheet));
	issuer_free(s);
	issuer_free(other);
	network_epoch_free(e);
	unmake(&k);
}

/* ---- sessions ---- */

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	(void)arg;
	(void)phase;
	out->first_mix = 1;
	return true;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct scene *k = arg;

	(void)run;
	(void)hour;
	k->items++;
	return kind == ITEM_NOTICE ? purse_notice(k->purse, p, n) : ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	(void)arg;
	(void)run;
	(void)hour;
	(void)open;
	(void)why;
	(void)error;
}

static void
open_attend(struct scene *k)
{
	static const struct attend_events events = { .slot = on_slot, .item = on_item,
		.state = on_state };
	const struct attend_config cfg = { .charter = k->network->charter,
		.charters = k->network->charters,
		.purse = k->purse,
		.rng = world_rng(k->world),
		.keys = world_rng(k->world) };

	assert_err_ok(attend_new(&k->attend, world_loop(k->own), &cfg, &events, k));
}

/* Every live session shows a genuine ticket of its hour, none twice. */
static unsigned
check_sessions(struct scene *k)
{
	const struct params *p = &k->network->charter->params;
	unsigned live = 0;

	for (size_t i = 0; i < k->gateway.count; i++) {
		const struct fake_session *s = k->gateway.sessions[i];
		uint32_t epoch = timing_epoch(p, timing_hour_start(p, s->open.hour));
		struct issuer *issuer;

		if (!s->opened || s->open.read != FRAME_READ_LIVE)
			continue;
		issuer = fake_registrar_issuer(&k->registrar, epoch, true);
		assert_err_ok(issuer_redeem_ticket(issuer, s->open.hour % 6, s->open.ticket_nonce,
		    s->open.ticket_proof, s->hash));
		issuer_free(issuer);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(k->gateway.sessions[j]->open.ticket_nonce,
			    s->open.ticket_nonce, 32);
		live++;
	}
	return live;
}

static void
stream_of_notices(struct buf *out, const struct scene *k)
{
	buf_init(out);
	for (uint32_t e = 0; e <= ISSUER_AHEAD; e++) {
		struct buf b;

		buf_init(&b);
		fake_registrar_notice(&b, &k->registrar, EPOCH + e, true);
		assert_err_ok(item_append(out, ITEM_NOTICE, b.data, b.len, SIZE_MAX));
		buf_release(&b);
	}
}

/*
 * Without a ticket it reads the notices, fetches, and opens its first session with the
 * next hour, as if it had been there before.
 */
static void
test_a_new_member(void **state)
{
	static struct scene k;
	struct buf stream;
	uint32_t hour;

	(void)state;
	make(&k, true);
	stream_of_notices(&stream, &k);
	k.gateway.stream = stream.data;
	k.gateway.stream_len = stream.len;
	open_purse(&k, true);
	open_attend(&k);
	run_for(&k, HOUR_MS / 12);
	assert_int_equal(k.gateway.count, 1);
	assert_int_equal(k.gateway.sessions[0]->open.read, FRAME_READ_NOTICES);
	assert_true(k.gateway.sessions[0]->packets == 0);
	assert_int_equal(status(&k).tickets, 4);
	hour = timing_hour(&k.network->charter->params, world_now_ms(k.world));
	assert_true(purse_has_ticket(k.purse, hour + 1, 0));
	assert_false(purse_has_ticket(k.purse, hour, 0));
	assert_int_equal(status(&k).alarms & PURSE_ALARM_TICKETS, 0);
	run_for(&k, HOUR_MS / 5);
	assert_int_equal(k.gateway.count, 1);
	run_for(&k, HOUR_MS / 4);
	assert_true(attend_live(k.attend));
	run_for(&k, 4 * HOUR_MS);
	assert_true(check_sessions(&k) >= 4);
	assert_int_equal(status(&k).alarms & (PURSE_ALARM_TICKETS | PURSE_ALARM_KEYS), 0);
	attend_free(k.attend);
	k.attend = NULL;
	buf_release(&stream);
	unmake(&k);
}

/* Neither a lid that is closed for a minute nor a restart cuts the wait short. */
static void
test_a_new_member_comes_back(void **state)
{
	static struct scene k;
	uint32_t hour;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, HOUR_MS / 12);
	hour = timing_hour(&k.network->charter->params, world_now_ms(k.world));
	assert_int_equal(status(&k).tickets, 4);
	world_set_clock(k.own, 60000);
	run_for(&k, 1000);
	assert_false(purse_has_ticket(k.purse, hour, 0));
	assert_true(purse_has_ticket(k.purse, hour + 1, 0));
	purse_free(k.purse);
	open_purse(&k, true);
	assert_false(purse_has_ticket(k.purse, hour, 0));
	assert_true(purse_has_ticket(k.purse, hour + 1, 0));
	world_set_clock(k.own, -4 * HOUR_MS); /* but nobody waits for ever */
	run_for(&k, 4 * HOUR_MS);
	assert_true(purse_has_ticket(k.purse, hour, 0));
	unmake(&k);
}

/* Four tickets an hour, whatever the gateway does; two are kept back from others. */
static void
test_out_of_tickets(void **state)
{
	static struct scene k;
	uint32_t hour;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, 3 * HOUR_MS / 4);
	k.gateway.error = FRAME_ERROR_TICKET;
	hour = timing_hour(&k.network->charter->params, world_now_ms(k.world));
	assert_true(purse_has_ticket(k.purse, hour, 2));
	open_attend(&k);
	run_for(&k, 60000);
	assert_true((status(&k).alarms & PURSE_ALARM_REFUSED) != 0);
	for (unsigned i = 0; i < 2; i++)
		if (purse_has_ticket(k.purse, hour, 2))
			assert_err_ok(purse_ticket(k.purse, hour, on_stamp, &k));
	assert_false(purse_has_ticket(k.purse, hour, 2));
	assert_true(purse_has_ticket(k.purse, hour, 0));
	for (unsigned i = 0; i < 2; i++)
		assert_err_ok(purse_ticket(k.purse, hour, on_stamp, &k));
	assert_int_equal(purse_ticket(k.purse, hour, on_stamp, &k), ERR_NOT_FOUND);
	assert_false(purse_has_ticket(k.purse, hour, 0));
	assert_true((status(&k).alarms & PURSE_ALARM_TICKETS) != 0);
	run_for(&k, 1000);
	assert_int_equal(check_sessions(&k), 1);
	unmake(&k);
}

/* ---- failures ---- */

static void
test_refusals(void **state)
{
	static const struct {
		enum issuance_status status;
		unsigned alarm;
	} table[] = { { ISSUANCE_CODE, PURSE_ALARM_CODE }, { ISSUANCE_SPENT, PURSE_ALARM_SHARED },
		{ ISSUANCE_LATER, 0 } };
	static struct scene k;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		make(&k, true);
		open_purse(&k, true);
		show_all(&k);
		k.registrar.status = table[i].status;
		run_for(&k, HOUR_MS / 4);
		assert_true(k.registrar.count > 0);
		assert_int_equal(status(&k).alarms & (PURSE_ALARM_CODE | PURSE_ALARM_SHARED),
		    table[i].alarm);
		assert_int_equal(status(&k).stamps, 0);
		k.registrar.status = ISSUANCE_OK;
		run_for(&k, 4 * HOUR_MS);
		assert_int_equal(status(&k).stamps, table[i].status == ISSUANCE_SPENT ? 0 : 150);
		assert_int_equal(status(&k).alarms & PURSE_ALARM_CODE, 0);
		unmake(&k);
	}
}

/* A code that was revoked is one alarm, and the registrar is not said to be away. */
static void
test_revoked(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	k.registrar.status = ISSUANCE_CODE;
	run_for(&k, 4 * HOUR_MS);
	assert_true(k.registrar.count > 3);
	assert_int_equal(status(&k).alarms & (PURSE_ALARM_CODE | PURSE_ALARM_AWAY),
	    PURSE_ALARM_CODE);
	unmake(&k);
}

/* A registrar that is away: random waits, an alarm, and the same request when it is back. */
static void
test_registrar_away(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	k.registrar.refuses = true;
	run_for(&k, 2 * HOUR_MS);
	assert_true((status(&k).alarms & PURSE_ALARM_AWAY) != 0);
	k.registrar.refuses = false;
	run_for(&k, 3 * HOUR_MS);
	assert_int_equal(status(&k).alarms & PURSE_ALARM_AWAY, 0);
	assert_int_equal(status(&k).stamps, 150);
	unmake(&k);
}

/* Lives that end at any write, the answers lost or not: nothing is used twice. */
static void
test_crash_at_every_write(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	for (uint64_t at = 1; at < 14; at++) {
		struct purse_config cfg = { .loop = world_loop(k.own),
			.charters = k.network->charters, .disk = k.faulty, .queue = k.queue, .key = key,
			.code = code, .rng = world_rng(k.world), .keys = world_rng(k.world) };

		k.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .forever = true,
			.writes_only = true,
			.effect = at % 2 == 0 ? DISK_FAULT_DONE : DISK_FAULT_NOTHING };
		if (purse_new(&k.purse, &cfg, NULL) != ERR_OK)
			continue;
		show_all(&k);
		run_for(&k, HOUR_MS / 8);
		for (unsigned i = 0; i < 6; i++)
			if (purse_has_stamp(k.purse, EPOCH))
				assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
		run_for(&k, 1000);
		purse_free(k.purse);
		k.purse = NULL;
		run_for(&k, 1000);
	}
	assert_true(k.used_count > 10);
	assert_true(k.failed > 0);
	/* and what was asked for again was the very same */
	for (size_t i = 0; i < k.registrar.count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct fake_request *a = &k.registrar.requests[i];
			const struct fake_request *b = &k.registrar.requests[j];

			if (a->kind == b->kind && a->epoch == b->epoch && a->batch == b->batch)
				assert_memory_equal(a->hash, b->hash, 32);
		}
	unmake(&k);
}

/* A disk that is full for a while costs nothing: an attempt a slot, and the allotment is whole. */
static void
test_a_full_disk_burns_nothing(void **state)
{
	static struct scene k;
	unsigned spent;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	k.plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true,
		.writes_only = true };
	for (unsigned i = 0; i < 300; i++) {
		assert_true(purse_has_stamp(k.purse, EPOCH));
		assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
		run_for(&k, 1000);
	}
	for (unsigned i = 0; i < 20; i++) /* and many at once, some with nobody who waits */
		assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
	purse_cancel(k.purse, &k);
	run_for(&k, 1000);
	assert_int_equal(k.used_count, 0);
	assert_int_equal(k.failed, 300);
	assert_true((status(&k).alarms & PURSE_ALARM_DISK) != 0);
	assert_int_equal(status(&k).stamps, 150);
	k.plan = (struct disk_fault){ .writes_only = true };
	for (spent = 0; purse_has_stamp(k.purse, EPOCH); spent++)
		assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
	run_for(&k, 1000);
	assert_int_equal(spent, 150);
	assert_int_equal(k.used_count, 150);
	assert_int_equal(status(&k).alarms & PURSE_ALARM_DISK, 0);
	unmake(&k);
}

/* A clock that is days ahead for an hour, over a restart too, gives nothing away. */
static void
test_a_clock_that_was_ahead(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
	world_set_clock(k.own, 90 * 24 * HOUR_MS);
	run_for(&k, HOUR_MS / 2);
	purse_free(k.purse);
	open_purse(&k, true);
	run_for(&k, HOUR_MS / 2);
	world_set_clock(k.own, -90 * 24 * HOUR_MS);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_int_equal(status(&k).stamps, 149);
	while (purse_has_stamp(k.purse, EPOCH))
		assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
	run_for(&k, 24 * HOUR_MS); /* and the epochs to come are fetched and used as ever */
	assert_int_equal(k.used_count, 150);
	assert_int_equal(status(&k).stamps, 150);
	unmake(&k);
}

static size_t
wallet_bytes(const struct scene *k)
{
	struct buf b;
	size_t n;

	buf_init(&b);
	assert_err_ok(disk_read(k->disk, &b, PURSE_WALLET_FILE, WALLET_BYTES_MAX));
	n = b.len;
	buf_release(&b);
	return n;
}

/* What is over goes as soon as the journal says so too. */
static void
test_what_is_over_goes(void **state)
{
	static struct scene k;
	size_t before;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, 6 * HOUR_MS);
	before = wallet_bytes(&k);
	show(&k, EPOCH + 1 + ISSUER_AHEAD, true);
	run_for(&k, 1000);
	assert_true(wallet_bytes(&k) < before);
	assert_int_equal(status(&k).stamps, 150);
	unmake(&k);
}

/* So that what is read after it was freed shows without a sanitizer too. */
static void
spoil_freed_memory(bool spoil)
{
#ifdef M_PERTURB
	(void)mallopt(M_PERTURB, spoil ? 0x5a : 0);
#else
	(void)spoil;
#endif
}

/* What is being written when the purse goes is written, where it belongs. */
static void
test_the_queue_outlasts_it(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, true);
	show_all(&k);
	run_for(&k, HOUR_MS / 2);
	assert_err_ok(purse_stamp(k.purse, EPOCH, on_stamp, &k));
	spoil_freed_memory(true);
	purse_free(k.purse);
	run_for(&k, 1000);
	spoil_freed_memory(false);
	assert_int_equal(k.used_count, 0);
	open_purse(&k, true);
	assert_int_equal(status(&k).stamps, 149);
	unmake(&k);
}

static void
test_without_a_registrar(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, false);
	open_purse(&k, false);
	open_attend(&k);
	run_for(&k, HOUR_MS / 4);
	assert_true(purse_has_stamp(k.purse, EPOCH));
	assert_false(purse_needed(k.purse, EPOCH));
	assert_int_equal(status(&k).alarms, 0);
	assert_true(attend_live(k.attend));
	assert_int_equal(k.gateway.sessions[0]->open.ticket_nonce[0], 0);
	unmake(&k);
}

/* No code where one is needed: it says so, and dials nobody. */
static void
test_not_enrolled(void **state)
{
	static struct scene k;

	(void)state;
	make(&k, true);
	open_purse(&k, false);
	open_attend(&k);
	run_for(&k, HOUR_MS / 4);
	assert_int_equal(k.gateway.count + k.registrar.count, 0);
	assert_true((status(&k).alarms & PURSE_ALARM_ENROL) != 0);
	unmake(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_fetched_ahead_and_spent),
	cmocka_unit_test(test_a_registrar_that_marks),
	cmocka_unit_test(test_two_notices),
	cmocka_unit_test(test_the_sheet_repeats_the_keys),
	cmocka_unit_test(test_a_new_member),
	cmocka_unit_test(test_a_new_member_comes_back),
	cmocka_unit_test(test_out_of_tickets),
	cmocka_unit_test(test_refusals),
	cmocka_unit_test(test_revoked),
	cmocka_unit_test(test_registrar_away),
	cmocka_unit_test(test_crash_at_every_write),
	cmocka_unit_test(test_a_full_disk_burns_nothing),
	cmocka_unit_test(test_a_clock_that_was_ahead),
	cmocka_unit_test(test_what_is_over_goes),
	cmocka_unit_test(test_the_queue_outlasts_it),
	cmocka_unit_test(test_without_a_registrar),
	cmocka_unit_test(test_not_enrolled),
};
TEST_MAIN(tests)
