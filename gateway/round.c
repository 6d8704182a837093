#include "config.h"

#include "gateway/round.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/base/tagmap.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/block.h"

#define STATE_MAGIC "RSTRND"
#define STATE_VERSION 1
#define GAP_MS 30000 /* blocks are at most so far apart */
#define DEPOSITS_MAX 16384 /* of one round */
#define NOTES_MAX 32768
#define SEEN_MAX ((size_t)4 << 20) /* digests of an epoch's records */
#define SHEETS 2 /* running and coming epoch */

_Static_assert(DEPOSITS_MAX + NOTES_MAX <= BLOCK_DIGESTS_MAX, "a round's digests fit its block");

struct deposit {
	uint16_t mailbox;
	uint8_t *record;
};

struct kept_sheet {
	uint32_t epoch;
	bool told; /* in some block */
	struct buf bytes;
};

/* The end of the chain, as of the last stored block. */
struct head {
	bool founded;
	uint64_t round;
	uint32_t epoch;
	uint8_t hash[32], epoch_hash[32];
};

struct rounds {
	struct rounds_config cfg;
	struct head head, next; /* next: with the block under way */
	struct kept_sheet sheets[SHEETS];
	struct deposit *deposits;
	uint8_t (*notes)[BLOCK_DIGEST_BYTES];
	size_t deposit_count, note_count;
	struct tagmap *seen; /* digests of seen_epoch's records */
	uint32_t seen_epoch;

	/* the block under way */
	bool busy;
	struct store_round out;
	size_t taken_deposits, taken_notes;
	int told_sheet; /* which sheet it tells, or -1 */
	struct buf block, blobs, state;
	struct store_records *mailboxes;
};

/* ---- life and state ---- */

static enum err
state_encode(struct buf *out, const struct rounds *r, const struct head *h)
{
	uint8_t head[128];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	format_put(&w, STATE_MAGIC, STATE_VERSION);
	writer_u64(&w, h->round);
	writer_u32(&w, h->epoch);
	writer_copy(&w, h->hash, 32);
	writer_copy(&w, h->epoch_hash, 32);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, w.used, STORE_STATE_MAX);
	for (size_t i = 0; i < SHEETS && e == ERR_OK; i++) {
		const struct kept_sheet *s = &r->sheets[i];
		bool told = s->told || r->told_sheet == (int)i;
		writer_init(&w, head, sizeof(head));
		writer_u32(&w, s->epoch);
		writer_u8(&w, told);
		writer_u32(&w, (uint32_t)s->bytes.len);
		e = buf_append(out, head, w.used, STORE_STATE_MAX);
		if (e == ERR_OK && s->bytes.len > 0)
			e = buf_append(out, s->bytes.data, s->bytes.len, STORE_STATE_MAX);
	}
	return e;
}

static enum err
state_decode(struct rounds *r, const uint8_t *p, size_t n, struct diag *d)
{
	struct reader in;
	enum err e;

	reader_init(&in, p, n);
	e = format_check(&in, NULL, STATE_MAGIC, STATE_VERSION, "the journal's state", d);
	if (e != ERR_OK)
		return e;
	r->head.founded = true;
	r->head.round = reader_u64(&in);
	r->head.epoch = reader_u32(&in);
	reader_copy(&in, r->head.hash, 32);
	reader_copy(&in, r->head.epoch_hash, 32);
	for (size_t i = 0; i < SHEETS; i++) {
		struct kept_sheet *s = &r->sheets[i];
		s->epoch = reader_u32(&in);
		s->told = reader_u8(&in) != 0;
		uint32_t len = reader_u32(&in);
		const uint8_t *bytes = reader_view(&in, len);
		if (bytes != NULL && len > 0 &&
		    buf_append(&s->bytes, bytes, len, SHEET_BYTES_MAX) != ERR_OK)
			return ERR_MEMORY;
	}
	if (reader_end(&in) != ERR_OK)
		return diag_set(d, ERR_MALFORMED, "the journal's state is damaged; "
						  "restore the gateway's directory from its backup");
	return ERR_OK;
}

enum err
rounds_new(struct rounds **out, const struct rounds_config *cfg, const uint8_t *state, size_t len,
    struct diag *d)
{
	struct rounds *r = calloc(1, sizeof(*r));
	enum err e = ERR_MEMORY;

	if (r == NULL)
		return ERR_MEMORY;
	r->cfg = *cfg;
	r->told_sheet = -1;
	r->deposits = calloc(DEPOSITS_MAX, sizeof(*r->deposits));
	r->notes = calloc(NOTES_MAX, sizeof(*r->notes));
	r->mailboxes = calloc(cfg->charter->params.mailboxes, sizeof(*r->mailboxes));
	r->seen = tagmap_new(cfg->rng, SEEN_MAX);
	if (r->deposits != NULL && r->notes != NULL && r->mailboxes != NULL && r->seen != NULL)
		e = len > 0 ? state_decode(r, state, len, d) : ERR_OK;
	if (e != ERR_OK) {
		rounds_free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

void
rounds_free(struct rounds *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->deposit_count; i++)
		free(r->deposits[i].record);
	for (size_t i = 0; i < SHEETS; i++)
		buf_release(&r->sheets[i].bytes);
	free(r->deposits);
	free(r->notes);
	free(r->mailboxes);
	tagmap_free(r->seen);
	buf_release(&r->block);
	buf_release(&r->blobs);
	buf_release(&r->state);
	free(r);
}

/* ---- what comes in ---- */

/* The digests of one epoch are remembered: a copy of an old record is dropped. */
static enum err
first_time(struct rounds *r, const uint8_t *record)
{
	uint8_t digest[TAG_BYTES];
	struct hash_part part = { record, r->cfg.charter->params.record_size };
	bool fresh;
	enum err e;

	hash_parts(digest, sizeof(digest), &part, 1);
	if (r->seen_epoch != r->head.epoch) {
		struct tagmap *empty = tagmap_new(r->cfg.rng, SEEN_MAX);
		if (empty == NULL)
			return ERR_MEMORY;
		tagmap_free(r->seen);
		r->seen = empty;
		r->seen_epoch = r->head.epoch;
	}
	e = tagmap_insert(r->seen, &fresh, digest, 0);
	if (e != ERR_OK)
		return e;
	return fresh ? ERR_OK : ERR_REPLAY;
}

enum err
rounds_deposit(struct rounds *r, uint16_t mailbox, const uint8_t *record)
{
	size_t size = r->cfg.charter->params.record_size;
	uint8_t *copy;
	enum err e;

	if (mailbox >= r->cfg.charter->params.mailboxes)
		return ERR_RANGE;
	if (r->deposit_count == DEPOSITS_MAX)
		return ERR_FULL;
	e = first_time(r, record);
	if (e != ERR_OK)
		return e;
	copy = malloc(size);
	if (copy == NULL)
		return ERR_MEMORY;
	memcpy(copy, record, size);
	r->deposits[r->deposit_count++] = (struct deposit){ mailbox, copy };
	return ERR_OK;
}

enum err
rounds_note(struct rounds *r, const uint8_t note[static 8])
{
	if (r->note_count == NOTES_MAX)
		return ERR_FULL;
	memcpy(r->notes[r->note_count++], note, BLOCK_DIGEST_BYTES);
	return ERR_OK;
}

enum err
rounds_sheet(struct rounds *r, uint32_t epoch, const uint8_t *sheet, size_t len)
{
	struct kept_sheet *s = &r->sheets[epoch % SHEETS];
	struct buf fresh;
	enum err e;

	buf_init(&fresh);
	e = buf_append(&fresh, sheet, len, SHEET_BYTES_MAX);
	if (e != ERR_OK)
		return e;
	buf_release(&s->bytes);
	*s = (struct kept_sheet){ .epoch = epoch, .bytes = fresh };
	return ERR_OK;
}

/* ---- when ---- */

static uint32_t
epoch_of(const struct rounds *r, uint64_t round)
{
	const struct params *p = &r->cfg.charter->params;

	return timing_epoch(p, timing_round_start(p, round));
}

static const struct kept_sheet *
sheet_of(const struct rounds *r, uint32_t epoch)
{
	const struct kept_sheet *s = &r->sheets[epoch % SHEETS];

	return s->epoch == epoch && s->bytes.len > 0 ? s : NULL;
}

static int
untold_sheet(const struct rounds *r)
{
	for (int i = 0; i < SHEETS; i++)
		if (r->sheets[i].bytes.len > 0 && !r->sheets[i].told)
			return i;
	return -1;
}

bool
rounds_due(const struct rounds *r, uint64_t round)
{
	const struct params *p = &r->cfg.charter->params;
	uint64_t gap = (uint64_t)(params_scaled(p, GAP_MS) / p->round_ms);

	if (r->busy || (r->head.founded && round <= r->head.round))
		return false;
	if (!r->head.founded)
		return sheet_of(r, epoch_of(r, round)) != NULL;
	/* the gap is kept when the next chance is taken into account */
	return epoch_of(r, round) != r->head.epoch || r->deposit_count + r->note_count > 0 ||
	    untold_sheet(r) >= 0 || round + 1 - r->head.round >= gap;
}

size_t
rounds_waiting(const struct rounds *r)
{
	return r->deposit_count + r->note_count;
}

bool
rounds_founded(const struct rounds *r, uint64_t *last)
{
	*last = r->head.round;
	return r->head.founded;
}

/* ---- making a block ---- */

/* The records of each mailbox in (shuffled) order, and the mailboxes' lines. */
static enum err
gather_records(struct rounds *r, uint8_t *lines, size_t *line_count)
{
	size_t size = r->cfg.charter->params.record_size, total = r->deposit_count * size;
	uint8_t *space;
	enum err e = buf_reserve(&r->blobs, total, total, &space);

	if (e != ERR_OK)
		return e;
	r->blobs.len = total;
	*line_count = 0;
	for (uint32_t m = 0; m < r->cfg.charter->params.mailboxes; m++) {
		struct store_records *x = &r->mailboxes[*line_count];
		*x = (struct store_records){ (uint16_t)m, space, 0 };
		for (size_t i = 0; i < r->deposit_count; i++) {
			if (r->deposits[i].mailbox != m)
				continue;
			memcpy(space, r->deposits[i].record, size);
			space += size;
			x->len += size;
		}
		if (x->len == 0)
			continue;
		struct block_mailbox line = { .mailbox = (uint16_t)m,
			.count = (uint16_t)(x->len / size) };
		hash_256(line.hash, x->data, x->len);
		block_mailbox_put(lines + *line_count * BLOCK_MAILBOX_BYTES, &line);
		++*line_count;
	}
	return ERR_OK;
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK_DIGEST_BYTES); /* public */
}

/* All digests of the round, sorted, none twice. */
static size_t
gather_digests(const struct rounds *r, uint8_t (*out)[BLOCK_DIGEST_BYTES])
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < r->deposit_count; i++)
		block_record_digest(out[n++], r->deposits[i].record,
		    r->cfg.charter->params.record_size);
	memcpy(out[n], r->notes, r->note_count * BLOCK_DIGEST_BYTES);
	n += r->note_count;
	qsort(out, n, BLOCK_DIGEST_BYTES, compare_digests);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || compare_digests(out[i], out[kept - 1]) != 0)
			memmove(out[kept++], out[i], BLOCK_DIGEST_BYTES);
	return kept;
}

static void
add_entry(struct block *b, enum block_entry_kind kind, const void *p, size_t n)
{
	b->entries[b->entry_count++] = (struct block_entry){ kind, p, (uint32_t)n };
}

/* An epoch block repeats charter and sheet; any block tells a sheet that no block has told. */
static void
add_entries(struct rounds *r, struct block *b, bool epoch_block, uint32_t epoch)
{
	const struct kept_sheet *s = sheet_of(r, epoch);
	int untold = untold_sheet(r);

	r->told_sheet = -1;
	if (epoch_block) {
		add_entry(b, BLOCK_CHARTER, r->cfg.charter_text, r->cfg.charter_len);
		if (s != NULL) {
			add_entry(b, BLOCK_SHEET, s->bytes.data, s->bytes.len);
			r->told_sheet = (int)(s - r->sheets);
		}
	} else if (untold >= 0) {
		add_entry(b, BLOCK_SHEET, r->sheets[untold].bytes.data,
		    r->sheets[untold].bytes.len);
		r->told_sheet = untold;
	}
}

static enum err
encode_block(struct rounds *r, struct block *b)
{
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	enum err e;

	buf_release(&r->block);
	e = block_encode(&r->block, b);
	if (e != ERR_OK)
		return e;
	block_sign(signature, b, r->cfg.charter->network_id, r->cfg.identity_sk);
	return buf_append(&r->block, signature, sizeof(signature),
	    BLOCK_BYTES_MAX + sizeof(signature));
}

/* Deposits and notes of the round; an epoch block carries none. */
static enum err
encode_round(struct rounds *r, struct block *b, bool epoch_block)
{
	size_t digests = r->deposit_count + r->note_count;
	uint8_t *lines = NULL;
	uint8_t (*list)[BLOCK_DIGEST_BYTES] = NULL;
	enum err e = ERR_OK;

	r->taken_deposits = r->taken_notes = 0;
	if (!epoch_block && digests > 0) {
		lines = calloc(r->cfg.charter->params.mailboxes, BLOCK_MAILBOX_BYTES);
		list = calloc(digests, sizeof(*list));
		if (lines == NULL || list == NULL) {
			e = ERR_MEMORY;
		} else {
			rng_shuffle(r->cfg.rng, r->deposits, r->deposit_count,
			    sizeof(*r->deposits));
			e = gather_records(r, lines, &b->mailbox_count);
			b->mailboxes = lines;
			b->digest_count = gather_digests(r, list);
			b->digests = (const uint8_t *)list;
		}
	}
	if (e == ERR_OK)
		e = encode_block(r, b);
	if (e == ERR_OK && !epoch_block) {
		r->taken_deposits = r->deposit_count;
		r->taken_notes = r->note_count;
	}
	free(lines);
	free(list);
	return e;
}

/* The head as it will be when this block is stored, and the state that says so. */
static enum err
encode_state(struct rounds *r, const struct block *b, uint32_t epoch, bool epoch_block)
{
	r->next = (struct head){ .founded = true, .round = b->round, .epoch = epoch };
	memcpy(r->next.hash, b->hash, 32);
	memcpy(r->next.epoch_hash, epoch_block ? b->hash : r->head.epoch_hash, 32);
	buf_release(&r->state);
	return state_encode(&r->state, r, &r->next);
}

enum err
rounds_close(struct rounds *r, struct store_round *out, uint64_t round)
{
	uint32_t epoch = epoch_of(r, round);
	bool epoch_block = !r->head.founded || epoch != r->head.epoch;
	struct block b = { .gateway = charter_gateway(r->cfg.charter)->number, .round = round };
	enum err e;

	if (r->busy)
		return ERR_BUSY;
	memcpy(b.previous, r->head.hash, 32);
	if (epoch_block)
		memcpy(b.previous_epoch, r->head.epoch_hash, 32);
	add_entries(r, &b, epoch_block, epoch);
	e = encode_round(r, &b, epoch_block);
	if (e == ERR_OK)
		e = encode_state(r, &b, epoch, epoch_block);
	if (e != ERR_OK)
		return e;
	r->out = (struct store_round){
		.day = timing_day(&r->cfg.charter->params,
		    timing_round_start(&r->cfg.charter->params, round)),
		.round = round,
		.epoch_block = epoch_block,
		.block = r->block.data,
		.block_len = r->block.len,
		.mailboxes = r->mailboxes,
		.mailbox_count = b.mailbox_count,
		.state = r->state.data,
		.state_len = r->state.len,
	};
	r->busy = true;
	*out = r->out;
	return ERR_OK;
}

const struct store_round *
rounds_under_way(const struct rounds *r)
{
	return r->busy ? &r->out : NULL;
}

/* Deposits that came while the block was under way stand behind those it took. */
void
rounds_stored(struct rounds *r)
{
	for (size_t i = 0; i < r->taken_deposits; i++)
		free(r->deposits[i].record);
	r->deposit_count -= r->taken_deposits;
	memmove(r->deposits, r->deposits + r->taken_deposits,
	    r->deposit_count * sizeof(*r->deposits));
	r->note_count -= r->taken_notes;
	memmove(r->notes, r->notes + r->taken_notes, r->note_count * sizeof(*r->notes));
	if (r->told_sheet >= 0)
		r->sheets[r->told_sheet].told = true;
	r->told_sheet = -1;
	r->head = r->next;
	r->busy = false;
	buf_release(&r->block);
	buf_release(&r->blobs);
	buf_release(&r->state);
}
