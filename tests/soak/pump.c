#include "config.h"

#include "tests/soak/pump.h"

#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/crypto/onion.h"
#include "common/journal/block.h"
#include "tests/lib/test.h"

static int64_t
now_ms(const struct pump *p)
{
	return loop_wall_ms(world_loop(p->host));
}

static uint64_t
digest_of(const uint8_t *record, size_t n)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];

	block_record_digest(digest, record, n);
	return load_u64(digest);
}

/* ---- in ---- */

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	struct pump *p = arg;
	const struct params *params = p->fixture->params;
	const struct charter *charter = p->fixture->network->charter;
	uint32_t epoch = timing_epoch(params, now_ms(p));
	const struct sheet *sheet = p->sheets[epoch % PUMP_SHEETS];
	bool real = phase == ATTEND_CURRENT && !p->stopped &&
	    path_time(params, now_ms(p)) == PATH_OPEN;
	struct onion_command c = {.kind = ONION_DROP};
	uint8_t record[ONION_RECORD_MAX];
	struct path path;

	p->pending = 0;
	if (sheet == NULL || sheet->epoch != epoch || path_time(params, now_ms(p)) == PATH_CLOSED)
		return false;
	if (real) {
		rng_bytes(&p->rng.rng, record, params->record_size);
		c = (struct onion_command){.kind = ONION_DEPOSIT, .body = record};
		p->pending = digest_of(record, params->record_size);
	}
	path_draw(&path, charter, &p->rng.rng);
	if (path_packet(out->packet, &path, sheet, params, &c, &p->rng.rng, &p->keys.rng) != ERR_OK)
		return false;
	out->first_mix = path.node[0];
	out->epoch = epoch;
	return true;
}

static void
on_sent(void *arg, enum attend_phase phase)
{
	struct pump *p = arg;

	(void)phase;
	p->in.count += p->pending != 0;
	p->in.digests += p->pending;
	p->pending = 0;
}

/* ---- out ---- */

static void
take_sheet(struct pump *p, const uint8_t *bytes, size_t n)
{
	struct sheet *sheet, **place;

	assert_err_ok(sheet_read(&sheet, bytes, n - SHEET_SIGNATURE_BYTES,
	    p->fixture->network->charters, NULL));
	place = &p->sheets[sheet->epoch % PUMP_SHEETS];
	sheet_free(*place);
	*place = sheet;
}

/*
 * Two sessions overlap at the hour's turn: a block is counted once, and another session's
 * items may come between it and its records.
 */
static void
take_block(struct pump *p, uint64_t run, const uint8_t *bytes, size_t n)
{
	struct block b;

	assert_true(n > BLOCK_SIGNATURE_BYTES);
	assert_err_ok(block_decode(&b, bytes, n - BLOCK_SIGNATURE_BYTES));
	for (size_t i = 0; i < b.entry_count; i++)
		if (b.entries[i].kind == BLOCK_SHEET)
			take_sheet(p, b.entries[i].data, b.entries[i].len);
	p->expect[run % PUMP_RUNS] = b.round > p->last_round;
	if (b.round > p->last_round)
		p->last_round = b.round;
}

static void
take_records(struct pump *p, uint64_t run, const uint8_t *bytes, size_t n)
{
	size_t size = p->fixture->params->record_size;

	for (size_t i = 0; p->reads && p->expect[run % PUMP_RUNS] && i < n; i += size) {
		p->out.count++;
		p->out.digests += digest_of(bytes + i, size);
	}
	p->expect[run % PUMP_RUNS] = false;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *bytes, size_t n)
{
	struct pump *p = arg;

	(void)hour;
	switch (kind) {
	case ITEM_SHEET:
		take_sheet(p, bytes, n);
		break;
	case ITEM_BLOCK:
		take_block(p, run, bytes, n);
		break;
	case ITEM_RECORDS:
		take_records(p, run, bytes, n);
		break;
	case ITEM_CHARTER:
	case ITEM_NOTICE:
		break;
	}
	return ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	struct pump *p = arg;

	(void)run;
	(void)hour;
	(void)error;
	p->lost += !open && why != ERR_OK;
}

/* ---- life ---- */

void
pump_new(struct pump *p, struct fixture *f, bool reads)
{
	static const struct attend_events events = {
	    .slot = on_slot, .sent = on_sent, .item = on_item, .state = on_state};
	struct attend_config cfg = {.charter = f->network->charter};

	*p = (struct pump){.fixture = f, .reads = reads};
	rng_seeded_init(&p->rng, rng_u64(world_rng(f->world)));
	rng_seeded_init(&p->keys, rng_u64(world_rng(f->world)));
	cfg.rng = &p->rng.rng;
	cfg.keys = &p->keys.rng;
	assert_err_ok(world_host_new(&p->host, f->world));
	assert_err_ok(attend_new(&p->attend, world_loop(p->host), &cfg, &events, p));
}

void
pump_free(struct pump *p)
{
	attend_free(p->attend);
	for (size_t i = 0; i < PUMP_SHEETS; i++)
		sheet_free(p->sheets[i]);
}
