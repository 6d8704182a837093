#include "config.h"

#include "tests/scenario/probe.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "tests/lib/test.h"

uint64_t
probe_digest(const uint8_t *p, size_t n)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];

	block_record_digest(digest, p, n);
	return load_u64(digest);
}

/* ---- sending ---- */

static int64_t
now_ms(const struct probe *p)
{
	return loop_wall_ms(world_loop(p->host));
}

const struct sheet *
probe_sheet(const struct probe *p, uint32_t epoch)
{
	const struct sheet *s = p->sheets[epoch % PROBE_SHEETS];

	return s != NULL && s->epoch == epoch ? s : NULL;
}

void
probe_build(struct probe *p, uint8_t *out, struct path *path, const struct onion_command *c)
{
	const struct sheet *sheet = probe_sheet(p, timing_epoch(p->fixture->params, now_ms(p)));

	assert_non_null(sheet);
	path_draw(path, succession_at(p->charters, sheet->epoch), &p->rng.rng);
	assert_err_ok(path_packet(out, path, sheet, p->fixture->params, c, &p->rng.rng, &p->keys.rng));
}

/* What goes in this slot: something of the queue, or a note, or a drop. */
static void
choose(struct probe *p, struct onion_command *c, uint8_t *note, bool real)
{
	const struct probe_packet *q = &p->queue[p->sent];

	p->pending_real = real && p->sent < p->queued;
	*c = (struct onion_command){.kind = ONION_DROP};
	if (p->pending_real) {
		c->kind = q->kind;
		c->mailbox = q->mailbox;
		c->body = q->body;
	} else if (rng_below(&p->rng.rng, p->fixture->params->note_one_in) == 0) {
		rng_bytes(&p->rng.rng, note, BLOCK_DIGEST_BYTES);
		p->pending_note = load_u64(note);
		c->kind = ONION_NOTE;
		c->body = note;
	}
	p->pending = c->kind;
}

static bool
give_raw(struct probe *p, struct session_packet *out)
{
	const struct probe_packet *q = &p->queue[p->sent];
	struct onion_geometry g = params_geometry(p->fixture->params);

	if (p->sent >= p->queued || !q->raw)
		return false;
	memcpy(out->packet, q->body, onion_packet_bytes(&g, 0));
	out->first_mix = q->first_mix;
	out->epoch = q->epoch;
	p->pending_real = true;
	return true;
}

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	struct probe *p = arg;
	const struct params *params = p->fixture->params;
	enum path_time when = path_time(params, now_ms(p));
	const struct sheet *sheet = probe_sheet(p, timing_epoch(params, now_ms(p)));
	uint8_t note[ONION_RECORD_MAX] = {0};
	struct onion_command c;
	struct path path;

	p->slots++;
	if (phase == ATTEND_CURRENT && give_raw(p, out))
		return true;
	if (p->silent || sheet == NULL || when == PATH_CLOSED) {
		p->skipped++;
		return false;
	}
	choose(p, &c, note, phase == ATTEND_CURRENT && when == PATH_OPEN);
	path_draw(&path, succession_at(p->charters, sheet->epoch), &p->rng.rng);
	if (path_packet(out->packet, &path, sheet, params, &c, &p->rng.rng, &p->keys.rng) != ERR_OK) {
		p->skipped++; /* the sheet lacks one of the path's mixes */
		return false;
	}
	out->first_mix = path.node[0];
	out->epoch = sheet->epoch;
	return true;
}

static void
on_sent(void *arg, enum attend_phase phase)
{
	struct probe *p = arg;

	(void)phase;
	if (p->pending_real) {
		p->sent++;
	} else if (p->pending == ONION_NOTE) {
		seen_add(&p->own_notes, p->pending_note);
		p->notes++;
	} else {
		p->drops++;
	}
	p->pending_real = false;
}

/* ---- the journal ---- */

static void
take_charter(struct probe *p, const uint8_t *bytes, size_t n)
{
	enum err e = succession_offer(p->charters, bytes, n, NULL);

	assert_true(e == ERR_OK || e == ERR_EXISTS);
	p->charters_seen++;
}

static void
take_sheet(struct probe *p, const uint8_t *bytes, size_t n)
{
	struct sheet *sheet, **place;

	assert_err_ok(sheet_read(&sheet, bytes, n - SHEET_SIGNATURE_BYTES, p->charters, NULL));
	place = &p->sheets[sheet->epoch % PROBE_SHEETS];
	if (*place != NULL && (*place)->epoch == sheet->epoch)
		assert_memory_equal((*place)->hash, sheet->hash, sizeof(sheet->hash));
	else
		p->sheet_changes++;
	sheet_free(*place);
	*place = sheet;
}

/* False if another session has brought this block before. */
static bool
first_seen(struct probe *p, const struct block *b)
{
	seen_add(&p->rounds, b->round);
	if (seen_count(&p->rounds, b->round) > 1)
		return false;
	if (p->first_round == 0)
		p->first_round = b->round;
	if (b->round > p->last_round)
		p->last_round = b->round;
	p->blocks++;
	p->epoch_blocks += b->epoch_block;
	return true;
}

static void
take_block(struct probe *p, struct probe_run *r, const uint8_t *bytes, size_t n)
{
	struct block b;

	assert_true(n > BLOCK_SIGNATURE_BYTES);
	n -= BLOCK_SIGNATURE_BYTES;
	assert_err_ok(chain_segment_add(r->segment, &b, bytes, n, bytes + n));
	for (size_t i = 0; i < b.entry_count; i++)
		if (b.entries[i].kind == BLOCK_CHARTER)
			take_charter(p, b.entries[i].data, b.entries[i].len);
	for (size_t i = 0; i < b.entry_count; i++) {
		if (b.entries[i].kind == BLOCK_SHEET)
			take_sheet(p, b.entries[i].data, b.entries[i].len);
	}
	r->expect_records = false;
	if (!first_seen(p, &b))
		return;
	for (size_t i = 0; i < b.digest_count; i++)
		seen_add(&p->listed, load_u64(b.digests + i * BLOCK_DIGEST_BYTES));
	r->expect_records = block_mailbox_find(&r->line, &b, 0);
}

static void
take_records(struct probe *p, struct probe_run *r, const uint8_t *bytes, size_t n)
{
	size_t size = p->fixture->params->record_size;
	uint8_t hash[32];

	if (!r->expect_records)
		return;
	r->expect_records = false;
	assert_int_equal(n, r->line.count * size);
	hash_256(hash, bytes, n);
	assert_memory_equal(hash, r->line.hash, sizeof(hash));
	for (size_t i = 0; i < n; i += size)
		seen_add(&p->records, probe_digest(bytes + i, size));
}

static struct probe_run *
run_of(struct probe *p, uint64_t run)
{
	struct probe_run *r = &p->runs[run % PROBE_RUNS];

	if (r->segment != NULL && r->run == run)
		return r;
	assert_true(run > r->run);
	chain_segment_free(r->segment);
	*r = (struct probe_run){.run = run, .segment = chain_segment_new(p->chain)};
	assert_non_null(r->segment);
	return r;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *bytes, size_t n)
{
	struct probe *p = arg;
	struct probe_run *r = run_of(p, run);

	(void)hour;
	switch (kind) {
	case ITEM_SHEET:
		take_sheet(p, bytes, n);
		break;
	case ITEM_BLOCK:
		take_block(p, r, bytes, n);
		break;
	case ITEM_RECORDS:
		take_records(p, r, bytes, n);
		break;
	case ITEM_CHARTER:
		take_charter(p, bytes, n);
		break;
	case ITEM_NOTICE:
		break;
	}
	return ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	struct probe *p = arg;

	(void)run;
	(void)hour;
	(void)error;
	p->ended += !open;
	p->failed += !open && why != ERR_OK;
}

/* ---- life ---- */

void
probe_new(struct probe *p, struct fixture *f)
{
	static const struct attend_events events = {
	    .slot = on_slot, .sent = on_sent, .item = on_item, .state = on_state};
	struct attend_config cfg = {
	    .charter = f->network->charter,
	};

	memset(p, 0, sizeof(*p));
	p->fixture = f;
	rng_seeded_init(&p->rng, rng_u64(world_rng(f->world)));
	rng_seeded_init(&p->keys, rng_u64(world_rng(f->world)));
	assert_err_ok(world_host_new(&p->host, f->world));
	p->chain = chain_new(f->network->charter, NULL);
	assert_non_null(p->chain);
	assert_err_ok(succession_new(&p->charters, f->network->charter));
	cfg.charters = p->charters;
	cfg.rng = &p->rng.rng;
	cfg.keys = &p->keys.rng;
	assert_err_ok(attend_new(&p->attend, world_loop(p->host), &cfg, &events, p));
}

void
probe_free(struct probe *p)
{
	attend_free(p->attend);
	for (size_t i = 0; i < PROBE_RUNS; i++)
		chain_segment_free(p->runs[i].segment);
	chain_free(p->chain);
	succession_free(p->charters);
	for (size_t i = 0; i < PROBE_SHEETS; i++)
		sheet_free(p->sheets[i]);
	for (size_t i = 0; i < p->queued; i++)
		free(p->queue[i].body);
	seen_release(&p->listed);
	seen_release(&p->records);
	seen_release(&p->own_notes);
	seen_release(&p->rounds);
}

static void
enqueue(struct probe *p, const struct probe_packet *packet, const uint8_t *body, size_t n)
{
	struct probe_packet *q = &p->queue[p->queued];

	assert_true(p->queued < PROBE_PACKETS_MAX);
	*q = *packet;
	q->body = malloc(n);
	assert_non_null(q->body);
	memcpy(q->body, body, n);
	p->queued++;
}

uint64_t
probe_deposit(struct probe *p, uint16_t mailbox, const uint8_t *record)
{
	size_t n = p->fixture->params->record_size;

	enqueue(p, &(struct probe_packet){.kind = ONION_DEPOSIT, .mailbox = mailbox}, record, n);
	return probe_digest(record, n);
}

uint64_t
probe_deposit_any(struct probe *p)
{
	uint8_t record[ONION_RECORD_MAX];

	rng_bytes(&p->rng.rng, record, p->fixture->params->record_size);
	return probe_deposit(p, 0, record);
}

void
probe_raw(struct probe *p, const uint8_t *packet, uint16_t first_mix, uint32_t epoch)
{
	struct onion_geometry g = params_geometry(p->fixture->params);

	struct probe_packet raw = {.raw = true, .first_mix = first_mix, .epoch = epoch};

	enqueue(p, &raw, packet, onion_packet_bytes(&g, 0));
}

unsigned
probe_listed(const struct probe *p, uint64_t digest)
{
	return seen_count(&p->listed, digest);
}

unsigned
probe_received(const struct probe *p, uint64_t digest)
{
	return seen_count(&p->records, digest);
}

bool
probe_idle(const struct probe *p)
{
	return p->sent == p->queued;
}

double
probe_notes_back(const struct probe *p)
{
	size_t back = 0;

	for (size_t i = 0; i < p->own_notes.size; i++)
		back += p->own_notes.counts[i] > 0 && seen_count(&p->listed, p->own_notes.digests[i]) > 0;
	return p->notes > 0 ? (double)back / p->notes : 1;
}
