#include "config.h"

#include "tests/unit/client/town.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/item.h"
#include "common/net/attend.h"
#include "common/net/link.h"
#include "tests/lib/test.h"

#define STREAM_MAX ((size_t)64 << 20)
#define AFTER_ROUND_MS 20

struct town_block {
	uint64_t round;
	uint32_t day;
	bool epoch_block;
	uint8_t hash[32];
	struct buf bytes; /* with the signature */
	struct buf records;
};

struct town_session {
	struct town_session *next, **at;
	struct town *town;
	struct link *link;
	struct timer *timer;
	struct frame_open open;
	bool opened;
	struct buf stream;
	size_t given;	  /* of the stream */
	size_t block;	  /* the next one to look at */
	uint32_t sheets;  /* shown up to this epoch */
	uint32_t notices; /* likewise */
	uint8_t hash[64]; /* of the handshake */
};

/* ---- sheets ---- */

static bool
has_registrar(const struct town *t)
{
	return t->registrar.listener != NULL;
}

/* And its hash, by showing it. */
static void
put_issuer_keys(struct town *t, struct sheet *s)
{
	struct issuer *issuer;
	struct buf shown;

	if (!has_registrar(t))
		return;
	issuer = fake_registrar_issuer(&t->registrar, s->epoch, true);
	issuer_keys_to_sheet(s, issuer_keys(issuer));
	issuer_free(issuer);
	buf_init(&shown);
	network_show(&shown, t->network, s);
	buf_release(&shown);
}

static struct network_epoch *
epoch_keys(struct town *t, uint32_t epoch)
{
	uint32_t i = epoch - t->first_epoch;

	assert_true(epoch >= t->first_epoch && i < TOWN_EPOCHS_MAX);
	if (t->epochs[i] == NULL) {
		t->epochs[i] = network_epoch_new(t->network, epoch);
		put_issuer_keys(t, t->epochs[i]->sheet);
	}
	return t->epochs[i];
}

static void
put_sheet(struct town *t, struct buf *out, uint32_t epoch)
{
	network_show(out, t->network, epoch_keys(t, epoch)->sheet);
}

/* ---- the journal ---- */

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK_DIGEST_BYTES);
}

static const uint8_t *
last_epoch_hash(const struct town *t)
{
	for (size_t i = t->block_count; i > 0; i--)
		if (t->blocks[i - 1].epoch_block)
			return t->blocks[i - 1].hash;
	return NULL;
}

static struct town_block *
new_block(struct town *t, uint64_t round)
{
	struct town_block *b;

	if (t->block_count == t->block_room) {
		t->block_room = t->block_room > 0 ? 2 * t->block_room : 256;
		t->blocks = realloc(t->blocks, t->block_room * sizeof(*t->blocks));
		assert_non_null(t->blocks);
	}
	b = &t->blocks[t->block_count];
	memset(b, 0, sizeof(*b));
	b->round = round;
	b->day = timing_day(t->params, timing_round_start(t->params, round));
	return b;
}

static void
fill_deposits(struct town *t, struct block *b, struct town_block *out, uint8_t *line)
{
	struct block_mailbox m = { .count = (uint16_t)(t->deposits.len / t->params->record_size) };

	out->records = t->deposits;
	buf_init(&t->deposits);
	if (m.count > 0) {
		hash_256(m.hash, out->records.data, out->records.len);
		block_mailbox_put(line, &m);
		b->mailboxes = line;
		b->mailbox_count = 1;
	}
	b->digest_count = t->digests.len / BLOCK_DIGEST_BYTES;
	if (b->digest_count > 0)
		qsort(t->digests.data, b->digest_count, BLOCK_DIGEST_BYTES, by_digest);
	b->digests = t->digests.data;
}

/* The running epoch's sheet in its first block, the next one's half an hour before its end. */
static void
fill_sheet(struct town *t, struct block *b, struct buf *sheet, bool new_epoch)
{
	int64_t start = timing_round_start(t->params, b->round);
	uint32_t epoch = timing_epoch(t->params, start);
	int64_t left = timing_epoch_start(t->params, epoch + 1) - start;

	if (new_epoch) {
		put_sheet(t, sheet, epoch);
	} else if (left <= 30 * TOWN_MINUTE_MS && t->sheets_made == epoch) {
		put_sheet(t, sheet, epoch + 1);
		t->sheets_made = epoch + 1;
	} else {
		return;
	}
	b->entries[0] = (struct block_entry){ BLOCK_SHEET, sheet->data, (uint32_t)sheet->len };
	b->entry_count = 1;
}

static void
write_block(struct town *t, uint64_t round)
{
	const struct charter_node *gateway = charter_gateway(t->network->charter);
	const struct params *p = t->params;
	struct town_block *out = new_block(t, round), *last = out - 1;
	struct block b = { .gateway = gateway->number, .round = round };
	uint8_t line[BLOCK_MAILBOX_BYTES], signature[BLOCK_SIGNATURE_BYTES];
	struct buf sheet;

	buf_init(&sheet);
	out->epoch_block = t->block_count == 0 ||
	    timing_epoch(p, timing_round_start(p, round)) !=
		timing_epoch(p, timing_round_start(p, last->round));
	if (t->block_count > 0)
		memcpy(b.previous, last->hash, 32);
	if (t->block_count > 0 && out->epoch_block)
		memcpy(b.previous_epoch, last_epoch_hash(t), 32);
	if (!out->epoch_block)
		fill_deposits(t, &b, out, line);
	fill_sheet(t, &b, &sheet, out->epoch_block);
	buf_init(&out->bytes);
	assert_err_ok(block_encode(&out->bytes, &b));
	block_sign(signature, &b, t->network->charter->network_id,
	    t->network->keys[network_index(t->network, gateway->number)].identity_sk);
	assert_err_ok(buf_append(&out->bytes, signature, sizeof(signature), SIZE_MAX));
	memcpy(out->hash, b.hash, 32);
	t->block_count++;
	buf_release(&sheet);
	if (!out->epoch_block)
		buf_release(&t->digests);
}

/* ---- what is sent down ---- */

static void
put_block(struct town_session *s, const struct town_block *b)
{
	const struct town_faults *f = &s->town->faults;
	size_t at = s->stream.len + ITEM_HEADER_BYTES;
	struct buf records = { b->records.data, b->records.len, 0 };

	assert_err_ok(item_append(&s->stream, ITEM_BLOCK, b->bytes.data, b->bytes.len, STREAM_MAX));
	if (f->flip_block && s->open.read == FRAME_READ_LIVE)
		s->stream.data[at + 20] ^= 1;
	if (records.len == 0 || s->open.read == FRAME_READ_EPOCHS)
		return;
	if (f->drop_record) {
		records.data += s->town->params->record_size;
		records.len -= s->town->params->record_size;
	}
	at = s->stream.len + ITEM_HEADER_BYTES;
	assert_err_ok(item_append(&s->stream, ITEM_RECORDS, records.data, records.len, STREAM_MAX));
	if (f->flip_record)
		s->stream.data[at + 100] ^= 1;
}

static void
put_sheets(struct town_session *s)
{
	struct town *t = s->town;
	uint32_t now = timing_epoch(t->params, town_now(t));
	struct buf b;

	for (uint32_t e = s->sheets < now ? now : s->sheets + 1; e <= t->sheets_made; e++) {
		s->sheets = e;
		if (t->faults.no_sheet)
			continue;
		buf_init(&b);
		if (t->faults.other_sheet && s->open.read == FRAME_READ_LIVE) {
			struct network_epoch *other = network_epoch_new(t->network, e);
			network_show(&b, t->network, other->sheet);
			network_epoch_free(other);
		} else {
			put_sheet(t, &b, e);
		}
		assert_err_ok(item_append(&s->stream, ITEM_SHEET, b.data, b.len, STREAM_MAX));
		buf_release(&b);
	}
}

static bool
wanted(const struct town_session *s, const struct town_block *b)
{
	const struct params *p = s->town->params;
	uint64_t mark = timing_round(p, attend_mark_ms(p, s->open.hour));

	switch (s->open.read) {
	case FRAME_READ_LIVE:
		return b->round >= mark &&
		    (!s->town->faults.skip_block || b->round % 10 != 0 || b->epoch_block);
	case FRAME_READ_DAY:
		return b->day == s->open.day && b->round < mark;
	case FRAME_READ_EPOCHS:
		return b->epoch_block;
	case FRAME_READ_NOTICES:
		break;
	}
	return false;
}

static bool
lies_about_keys(const struct town_session *s)
{
	return s->town->faults.other_notice ||
	    (s->town->faults.league && s->open.read == FRAME_READ_NOTICES);
}

/* Of the running epoch and all that members fetch for. */
static void
put_notices(struct town_session *s)
{
	struct town *t = s->town;
	uint32_t now = timing_epoch(t->params, town_now(t));

	if (!has_registrar(t))
		return;
	if (s->notices < now)
		s->notices = now - 1;
	for (; s->notices < now + ISSUER_AHEAD; s->notices++) {
		struct buf b;

		buf_init(&b);
		fake_registrar_notice(&b, &t->registrar, s->notices + 1, !lies_about_keys(s));
		assert_err_ok(item_append(&s->stream, ITEM_NOTICE, b.data, b.len, STREAM_MAX));
		buf_release(&b);
	}
}

static bool
is_slow(const struct town_session *s)
{
	return s->town->faults.slow_days && s->open.read == FRAME_READ_DAY;
}

static void
gather(struct town_session *s)
{
	put_notices(s);
	put_sheets(s);
	if (s->town->faults.mute_live && s->open.read == FRAME_READ_LIVE)
		return;
	for (; s->block < s->town->block_count; s->block++)
		if (wanted(s, &s->town->blocks[s->block])) {
			put_block(s, &s->town->blocks[s->block]);
			if (is_slow(s)) {
				s->block++;
				return;
			}
		}
}

static void
session_free_town(struct town_session *s)
{
	*s->at = s->next;
	if (s->next != NULL)
		s->next->at = s->at;
	link_free(s->link);
	timer_free(s->timer);
	buf_release(&s->stream);
	free(s);
}

static void
say(struct town_session *s, const struct frame_down *f)
{
	uint8_t frame[LINK_FRAME_MAX];

	if (!link_is_up(s->link))
		return;
	frame_down_encode(frame, s->town->params, f);
	(void)!link_send(s->link, frame); /* a slow reader gets less */
}

static void
end_session(struct town_session *s, enum frame_error why)
{
	say(s, &(struct frame_down){ .type = FRAME_DOWN_ERROR, .error = why });
	link_finish(s->link, 1000);
	s->link = NULL;
	session_free_town(s);
}

static void
say_next(struct town_session *s)
{
	size_t room = s->town->params->pieces * (size_t)PARAMS_PIECE_BYTES;
	struct frame_down f = { .type = FRAME_DOWN_STREAM, .stream = (const uint8_t *)"" };

	gather(s);
	if (s->given == s->stream.len && s->open.read != FRAME_READ_LIVE) {
		end_session(s, FRAME_ERROR_COMPLETE);
		return;
	}
	f.fill = (uint16_t)(s->stream.len - s->given < room ? s->stream.len - s->given : room);
	if (f.fill > 0)
		f.stream = s->stream.data + s->given;
	s->given += f.fill;
	say(s, &f);
	if (s->given == s->stream.len) {
		buf_release(&s->stream);
		s->given = 0;
	}
}

static void
on_catch_up(void *arg)
{
	struct town_session *s = arg;

	timer_after(s->timer, is_slow(s) ? 1000 : params_scaled(s->town->params, 100));
	if (!is_slow(s))
		gather(s);
	if (s->given < s->stream.len || s->open.read != FRAME_READ_LIVE)
		say_next(s);
}

/* ---- what comes up ---- */

/* A nonce comes once. */
static void
spend(struct town *t, const uint8_t *nonce)
{
	for (size_t i = 0; i < t->spent.len; i += 32)
		assert_memory_not_equal(t->spent.data + i, nonce, 32);
	assert_err_ok(buf_append(&t->spent, nonce, 32, STREAM_MAX));
}

static void
redeem_stamp(struct town *t, uint32_t epoch, const struct onion_command *c)
{
	struct issuer *issuer;

	if (!has_registrar(t)) {
		for (size_t i = 0; i < sizeof(c->stamp); i++)
			assert_int_equal(c->stamp[i], 0);
		return;
	}
	issuer = fake_registrar_issuer(&t->registrar, epoch, true);
	assert_err_ok(issuer_redeem_stamp(issuer, c->stamp, c->body, t->params->record_size));
	issuer_free(issuer);
	spend(t, c->stamp);
	t->stamps++;
}

static bool
redeem_ticket(struct town_session *s)
{
	struct town *t = s->town;
	const struct frame_open *o = &s->open;
	int64_t start = timing_hour_start(t->params, o->hour);
	uint32_t epoch = timing_epoch(t->params, start);
	unsigned hour = o->hour - timing_hour(t->params, timing_epoch_start(t->params, epoch));
	enum err e = ERR_DENIED;

	if (!has_registrar(t) || o->read == FRAME_READ_NOTICES)
		return true;
	for (int honest = 1; e != ERR_OK && honest >= !t->faults.league; honest--) {
		struct issuer *i = fake_registrar_issuer(&t->registrar, epoch, honest != 0);

		e = issuer_redeem_ticket(i, hour, o->ticket_nonce, o->ticket_proof, s->hash);
		issuer_free(i);
		t->marked += e == ERR_OK && honest == 0;
	}
	if (e == ERR_OK)
		spend(t, o->ticket_nonce);
	t->tickets += e == ERR_OK;
	t->refused_tickets += e != ERR_OK;
	return e == ERR_OK;
}

static void
deposit(struct town *t, const struct town_session *s, const uint8_t *record)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];

	t->real++;
	if (s->open.read != FRAME_READ_LIVE ||
	    s->open.hour > timing_hour(t->params, town_now(t)))
		t->real_early++;
	if (t->faults.drop_deposits)
		return;
	block_record_digest(digest, record, t->params->record_size);
	assert_err_ok(buf_append(&t->deposits, record, t->params->record_size, STREAM_MAX));
	assert_err_ok(buf_append(&t->digests, digest, sizeof(digest), STREAM_MAX));
}

/* Through every node of its path; false if one of them would have dropped it. */
static bool
unwrap(struct town *t, struct onion_job *job, uint32_t epoch, uint16_t node)
{
	struct onion_geometry g = params_geometry(t->params);
	const struct network_epoch *k = epoch_keys(t, epoch);

	for (unsigned layer = 0; layer <= t->params->layers; layer++) {
		size_t i = network_index(t->network, node);
		struct onion_node_key key = { .epoch = epoch, .layer = (uint8_t)layer,
			.sk = k->sk[i] };
		memcpy(key.pk, k->pk[i], 32);
		memcpy(key.sheet_hash, k->sheet->hash, 32);
		onion_derive(job, 1, &g, &key);
		onion_open(job, 1, &g, &key);
		if (job->verdict != ONION_OPENED)
			return false;
		node = job->next_node;
		job->packet = job->inner;
	}
	return true;
}

static void
on_packet(struct town_session *s, const struct frame_up *f)
{
	struct town *t = s->town;
	struct onion_geometry g = params_geometry(t->params);
	static uint8_t packet[ONION_PACKET_MAX];
	struct onion_job job = { .packet = packet };
	struct onion_command c;

	memcpy(packet, f->packet, onion_packet_bytes(&g, 0));
	if (!unwrap(t, &job, f->epoch, f->first_mix) ||
	    onion_command_parse(&c, &g, job.inner) != ERR_OK) {
		t->bad_packets++;
		return;
	}
	switch (c.kind) {
	case ONION_DROP:
		t->drops++;
		break;
	case ONION_DEPOSIT:
		redeem_stamp(t, f->epoch, &c);
		deposit(t, s, c.body);
		break;
	case ONION_NOTE:
		t->notes++;
		assert_err_ok(buf_append(&t->digests, c.body, BLOCK_DIGEST_BYTES, STREAM_MAX));
		break;
	}
}

/* The running hour, or the coming one from its mark on; clocks may be off by 30 s. */
static bool
right_hour(const struct town *t, uint32_t hour)
{
	int64_t now = town_now(t), slack = params_scaled(t->params, 30000);

	return hour == timing_hour(t->params, now) || hour == timing_hour(t->params, now - slack) ||
	    (hour == timing_hour(t->params, now) + 1 &&
		now + slack >= attend_mark_ms(t->params, hour));
}

static void
on_open(struct town_session *s, const struct frame_up *f)
{
	struct town *t = s->town;

	s->opened = true;
	s->open = f->open;
	if (!right_hour(t, s->open.hour)) { /* it was under way over the end of an hour */
		end_session(s, FRAME_ERROR_HOUR);
		return;
	}
	if (!redeem_ticket(s)) {
		end_session(s, FRAME_ERROR_TICKET);
		return;
	}
	switch (s->open.read) {
	case FRAME_READ_LIVE:
		t->live_opened++;
		break;
	case FRAME_READ_DAY:
		assert_true(t->days_opened < 256);
		t->days[t->days_opened++] = s->open.day;
		break;
	case FRAME_READ_EPOCHS:
		t->epochs_opened++;
		break;
	case FRAME_READ_NOTICES:
		t->notices_opened++;
		break;
	}
	if (s->open.read == FRAME_READ_DAY && t->faults.deny_days)
		end_session(s, FRAME_ERROR_DAY);
	else if (s->open.read != FRAME_READ_DAY || !t->faults.silent_days)
		timer_after(s->timer, 0);
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct town_session *s = arg;
	struct frame_up f;

	(void)n;
	assert_err_ok(frame_up_decode(&f, s->town->params, plain));
	assert_int_equal(f.type, s->opened ? FRAME_UP_PACKET : FRAME_UP_OPEN);
	if (!s->opened) {
		on_open(s, &f);
		return;
	}
	on_packet(s, &f);
	if (s->open.read == FRAME_READ_DAY && s->town->faults.silent_days)
		say(s, &(struct frame_down){ .type = FRAME_DOWN_STREAM,
			.stream = (const uint8_t *)"" });
	else
		say_next(s);
}

static void
on_down(void *arg, enum err why)
{
	(void)why;
	session_free_town(arg);
}

static void
on_up(void *arg)
{
	struct town_session *s = arg;

	memcpy(s->hash, link_hash(s->link), sizeof(s->hash));
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events events = { .up = on_up,
		.frame = on_frame,
		.down = on_down };
	struct town *t = arg;
	const struct charter_node *node = charter_gateway(t->network->charter);
	struct town_session *s;
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = t->network->keys[network_index(t->network, node->number)].link_sk,
		.own_pk = node->link,
		.send_bytes = params_down_frame_bytes(t->params),
		.receive_bytes = params_up_frame_bytes(t->params),
		.out_frames_max = 64,
		.handshake_ms = 60000,
		.keys = world_rng(t->world) };

	if (t->faults.refuse)
		return;
	memcpy(cfg.network_id, t->network->charter->network_id, sizeof(cfg.network_id));
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->town = t;
	s->next = t->sessions;
	s->at = &t->sessions;
	if (s->next != NULL)
		s->next->at = &s->next;
	t->sessions = s;
	s->timer = timer_new(world_loop(t->host), on_catch_up, s);
	assert_err_ok(link_accept(&s->link, world_loop(t->host), c, &cfg, &events, s));
}

/* ---- rounds ---- */

static void
on_round(void *arg)
{
	struct town *t = arg;
	int64_t now = town_now(t);
	uint64_t round = timing_round(t->params, now);
	struct town_session *next;

	if (!t->faults.stopped)
		write_block(t, round - 1);
	for (struct town_session *s = t->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->opened && s->open.read == FRAME_READ_LIVE &&
		    s->open.hour < timing_hour(t->params, now))
			end_session(s, FRAME_ERROR_MARK);
	}
	timer_at_wall(t->round_timer, timing_round_start(t->params, round + 1) + AFTER_ROUND_MS);
}

/* ---- the town ---- */

static void
town_params(struct params *p)
{
	params_default(p);
	p->time_scale = TOWN_SCALE;
	p->slot_ms = 1000;
	p->round_ms = 1000;
	p->epoch_ms = 6 * TOWN_HOUR_MS;
	p->retention_ms = 3 * TOWN_DAY_MS;
	p->grace_ms = 60000;
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		p->strategy[i] = (struct strategy){ .kind = STRATEGY_TIMED };
}

static struct town *
found(unsigned hours, uint32_t stamps)
{
	int64_t start = INT64_C(1900000000000) / TOWN_DAY_MS * TOWN_DAY_MS +
	    (int64_t)hours * TOWN_HOUR_MS;
	struct world_config cfg = { .seed = test_seed(), .wall_ms = start, .work_us_max = 3000 };
	struct params params;
	struct network_config ncfg = { .seed = test_seed(), .params = &params };
	struct town *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	town_params(&params);
	ncfg.registrar = stamps > 0;
	if (stamps > 0)
		params.stamps = stamps;
	t->network = network_new(&ncfg);
	t->params = &t->network->charter->params;
	cfg.out = cfg.in = (struct world_line){ .delay_us = 1000, .spread_us = 200 };
	assert_err_ok(world_new(&t->world, &cfg));
	assert_err_ok(world_host_new(&t->host, t->world));
	t->first_epoch = t->sheets_made = timing_epoch(t->params, start);
	buf_init(&t->deposits);
	buf_init(&t->digests);
	buf_init(&t->spent);
	if (stamps > 0) {
		struct world_host *host;

		assert_err_ok(world_host_new(&host, t->world));
		fake_registrar_start(&t->registrar, t->world, host, t->network);
	}
	assert_err_ok(listener_open(&t->listener, world_loop(t->host),
	    charter_gateway(t->network->charter)->entrance, on_accept, t, NULL));
	t->round_timer = timer_new(world_loop(t->host), on_round, t);
	timer_at_wall(t->round_timer, start + t->params->round_ms + AFTER_ROUND_MS);
	return t;
}

struct town *
town_new(unsigned hours)
{
	return found(hours, 0);
}

struct town *
town_with_registrar(unsigned hours, uint32_t stamps)
{
	return found(hours, stamps);
}

void
town_free(struct town *t)
{
	if (has_registrar(t))
		fake_registrar_stop(&t->registrar);
	buf_release(&t->spent);
	while (t->sessions != NULL)
		session_free_town(t->sessions);
	listener_free(t->listener);
	timer_free(t->round_timer);
	for (size_t i = 0; i < t->block_count; i++) {
		buf_release(&t->blocks[i].bytes);
		buf_release(&t->blocks[i].records);
	}
	free(t->blocks);
	buf_release(&t->deposits);
	buf_release(&t->digests);
	for (size_t i = 0; i < TOWN_EPOCHS_MAX; i++)
		if (t->epochs[i] != NULL)
			network_epoch_free(t->epochs[i]);
	world_free(t->world);
	network_free(t->network);
	free(t);
}

int64_t
town_now(const struct town *t)
{
	return world_now_ms(t->world);
}

void
town_run(struct town *t, int64_t ms)
{
	assert_err_ok(world_run_for(t->world, ms));
}

/* ---- people ---- */

static const struct vault_unlock unlock = { "secret", 6, false, VAULT_COST_TEST };

static void
on_news(void *arg, const struct post_news *n)
{
	struct person *p = arg;

	if (n->kind == POST_NEWS_MESSAGE) {
		assert_true(p->text_count < TOWN_TEXTS_MAX);
		p->texts[p->text_count++] = n->message.id;
	} else if (n->kind == POST_NEWS_STATE && n->message.state == POST_DELIVERED) {
		p->delivered++;
	} else if (n->kind == POST_NEWS_STATE && n->message.state == POST_FAILED) {
		p->failed++;
	} else if (n->kind == POST_NEWS_CONTACT) {
		p->contacts++;
	}
}

static void
on_status(void *arg)
{
	struct person *p = arg;

	p->status_calls++;
	p->alarms_seen |= person_status(p).alarms;
}

struct person *
person_new(struct town *t)
{
	struct person *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->town = t;
	assert_err_ok(world_host_new(&p->host, t->world));
	p->under = disk_memory();
	p->disk = disk_fault_new(p->under, &p->plan);
	p->archive = archive_memory();
	assert_err_ok(vault_create(&p->vault, p->disk, &unlock, test_rng(), NULL));
	return p;
}

void
person_start(struct person *p)
{
	static const struct client_events events = { on_news, on_status };
	struct client_config cfg = { .charter = p->town->network->charter,
		.code = p->code,
		.vault = p->vault,
		.archive = p->archive,
		.rng = test_rng(),
		.keys = test_rng(),
		.anchor = p->anchor,
		.socks = p->socks,
		.entrance = p->entrance,
		.retention_ms = p->retention_ms };
	struct diag d = { "" };

	p->started = client_new(&p->client, world_loop(p->host), &cfg, &events, p, &d);
	if (p->started != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(p->started);
}

void
person_stop(struct person *p)
{
	client_free(p->client);
	p->client = NULL;
}

void
person_kill(struct person *p)
{
	world_kill(p->host);
	p->plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true };
	person_stop(p);
	vault_free(p->vault);
	p->plan = (struct disk_fault){ 0 };
	assert_err_ok(vault_open(&p->vault, p->disk, &unlock, test_rng(), NULL));
}

void
person_restart(struct person *p)
{
	assert_err_ok(world_start(p->host));
	person_start(p);
}

void
person_free(struct person *p)
{
	person_stop(p);
	vault_free(p->vault);
	archive_free(p->archive);
	disk_free(p->disk);
	disk_free(p->under);
	free(p);
}

struct client_status
person_status(const struct person *p)
{
	struct client_status s = { 0 };

	if (p->client != NULL)
		client_status(p->client, &s);
	return s;
}

static void
nothing(void *arg, enum err e)
{
	(void)arg;
	(void)e;
}

void
people_meet(struct person *a, struct person *b)
{
	char text[INVITE_TEXT_MAX];
	struct chain_point epoch;
	uint32_t id;
	int64_t now = town_now(a->town);

	assert_true(client_epoch_block(a->client, &epoch));
	assert_err_ok(post_invite(client_post(a->client), text, &id, "b", &epoch, now,
	    now + 10 * TOWN_DAY_MS, NULL));
	assert_err_ok(client_commit(a->client, nothing, NULL));
	assert_err_ok(post_accept(client_post(b->client), &id, "a", text, now, NULL));
	assert_err_ok(client_commit(b->client, nothing, NULL));
}

uint64_t
person_say(struct person *p, const char *text)
{
	struct post_contact c;
	uint64_t id;

	assert_int_equal(post_contact_count(client_post(p->client)), 1);
	post_contact_at(client_post(p->client), 0, &c);
	assert_err_ok(post_send_text(client_post(p->client), &id, c.id, text, strlen(text),
	    town_now(p->town), NULL));
	assert_err_ok(client_commit(p->client, nothing, NULL));
	return id;
}
