#include "config.h"

#include "common/journal/chain.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"

#define STATE_CHECK_BYTES 16
#define STATE_MAGIC "rschai"
#define STATE_VERSION 2

/*
 * How many points are kept. Of epochs: more than any retention has. Of blocks: the
 * overlap of two sessions is 11 minutes, and a day's read ends at the mark of a
 * running session. Of one untied run: a whole day of blocks, 10 s apart.
 */
#define EPOCHS_MAX 16384
#define RECENT_MAX 2048
#define UNTIED_MAX 16384
#define POINT_BYTES (8 + 32)

static_assert(FORMAT_BYTES + 32 + 8 + (EPOCHS_MAX + RECENT_MAX) * POINT_BYTES +
	    8 + 2 * CHAIN_SIGNED_MAX * BLOCK_SIGNATURE_BYTES + STATE_CHECK_BYTES <=
	    CHAIN_STATE_BYTES_MAX, "the state fits its bound");

/* A point with the gateway's signature, to prove what it said; zeros: not known. */
struct signed_point {
	struct chain_point point;
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
};

/* Points by ascending round, each round once; the oldest go when there are too many. */
struct points {
	struct signed_point *at;
	size_t count, room, max;
};

struct chain {
	const struct charter *charter;
	struct points epochs; /* verified epoch blocks */
	struct points recent; /* verified blocks of late */
	/* Grows with both, so that a run knows when to look again. */
	uint64_t generation;
	/* A reading of the epoch blocks from the founding on. */
	struct points reading;
	bool reading_tied; /* it has come by a verified epoch block, or there was none */
	bool proven;	   /* proof waits to be taken */
	struct evidence proof;
};

struct chain_segment {
	struct chain *chain;
	struct points untied; /* its blocks, until it is verified */
	struct chain_point first, last;
	uint8_t before[32]; /* what the first block follows */
	bool begun, verified;
	uint64_t judged; /* the chain's generation when it was last found untied */
};

/* ---- points ---- */

static void
points_init(struct points *p, size_t max)
{
	*p = (struct points){ .max = max };
}

static void
points_release(struct points *p)
{
	free(p->at);
	points_init(p, p->max);
}

/* The place of the first point at or after a round. */
static size_t
points_place(const struct points *p, uint64_t round)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->at[middle].point.round < round)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
same_hash(const uint8_t a[static 32], const uint8_t b[static 32])
{
	return memcmp(a, b, 32) == 0; /* public */
}

enum finding { ABSENT, PRESENT, CONTRADICTED };

/* What the set says of a point: another hash for its round is a contradiction. */
static enum finding
points_find(const struct points *p, const struct chain_point *point)
{
	size_t i = points_place(p, point->round);

	if (i == p->count || p->at[i].point.round != point->round)
		return ABSENT;
	return same_hash(p->at[i].point.hash, point->hash) ? PRESENT : CONTRADICTED;
}

static enum err
points_grow(struct points *p)
{
	size_t room = p->room == 0 ? 16 : 2 * p->room;
	struct signed_point *at = realloc(p->at, room * sizeof(*at));

	if (at == NULL)
		return ERR_MEMORY;
	p->at = at;
	p->room = room;
	return ERR_OK;
}

static bool
is_signed(const struct signed_point *s)
{
	return sodium_is_zero(s->signature, sizeof(s->signature)) == 0;
}

/* Insert by round; a point that is there already stays, and may learn its signature. */
static enum err
points_add(struct points *p, const struct signed_point *s)
{
	size_t i = points_place(p, s->point.round);
	enum err e;

	if (i < p->count && p->at[i].point.round == s->point.round) {
		if (!is_signed(&p->at[i]) && same_hash(p->at[i].point.hash, s->point.hash))
			p->at[i] = *s;
		return ERR_OK;
	}
	if (p->count == p->max) {
		if (i == 0)
			return ERR_OK; /* older than all that are kept */
		memmove(p->at, p->at + 1, (p->count - 1) * sizeof(p->at[0]));
		p->count--;
		i--;
	} else if (p->count == p->room && (e = points_grow(p)) != ERR_OK) {
		return e;
	}
	memmove(p->at + i + 1, p->at + i, (p->count - i) * sizeof(p->at[0]));
	p->at[i] = *s;
	p->count++;
	return ERR_OK;
}

static const struct chain_point *
points_last(const struct points *p)
{
	return p->count == 0 ? NULL : &p->at[p->count - 1].point;
}

/* ---- life ---- */

struct chain *
chain_new(const struct charter *c, const struct chain_point *anchor)
{
	struct chain *k = calloc(1, sizeof(*k));
	struct signed_point first = { .signature = { 0 } };

	if (k == NULL)
		return NULL;
	k->charter = c;
	points_init(&k->epochs, EPOCHS_MAX);
	points_init(&k->recent, RECENT_MAX);
	points_init(&k->reading, EPOCHS_MAX);
	if (anchor != NULL)
		first.point = *anchor;
	if (anchor != NULL && points_add(&k->epochs, &first) != ERR_OK) {
		chain_free(k);
		return NULL;
	}
	return k;
}

void
chain_free(struct chain *k)
{
	if (k == NULL)
		return;
	points_release(&k->epochs);
	points_release(&k->recent);
	points_release(&k->reading);
	free(k);
}

struct chain_segment *
chain_segment_new(struct chain *k)
{
	struct chain_segment *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->chain = k;
	points_init(&s->untied, UNTIED_MAX);
	return s;
}

void
chain_segment_free(struct chain_segment *s)
{
	if (s == NULL)
		return;
	points_release(&s->untied);
	free(s);
}

/* ---- what holds of every block ---- */

static enum err
read_block(struct block *out, const struct chain *k, const void *in, size_t len,
    const uint8_t signature[static BLOCK_SIGNATURE_BYTES])
{
	const struct charter_node *gateway = charter_gateway(k->charter);
	enum err e = block_decode(out, in, len);

	if (e != ERR_OK)
		return e == ERR_VERSION ? e : ERR_MALFORMED;
	if (gateway == NULL || out->gateway != gateway->number)
		return ERR_SIGNATURE;
	return block_verify(out->epoch_block, out->gateway, out->round, out->hash, signature,
	    k->charter->network_id, gateway->identity);
}

static struct signed_point
point_of(const struct block *b, const uint8_t signature[static BLOCK_SIGNATURE_BYTES])
{
	struct signed_point s = { .point.round = b->round };

	memcpy(s.point.hash, b->hash, sizeof(s.point.hash));
	memcpy(s.signature, signature, sizeof(s.signature));
	return s;
}

static uint32_t
epoch_of(const struct chain *k, uint64_t round)
{
	const struct params *p = &k->charter->params;

	return timing_epoch(p, timing_round_start(p, round));
}

/* ---- two blocks where there may be one ---- */

static struct evidence_statement
statement_of(const struct chain *k, const struct signed_point *s)
{
	const struct charter_node *gateway = charter_gateway(k->charter);
	struct evidence_statement said = { .kind = EVIDENCE_BLOCK, .number = s->point.round };

	memcpy(said.hash, s->point.hash, sizeof(said.hash));
	memcpy(said.signature, s->signature, sizeof(said.signature));
	if (block_verify(true, gateway->number, said.number, said.hash, said.signature,
		k->charter->network_id, gateway->identity) == ERR_OK)
		said.kind = EVIDENCE_EPOCH_BLOCK;
	return said;
}

/* Keep both as evidence, if they are: without the signature of the first it is a word only. */
static void
prove(struct chain *k, const struct signed_point *verified, const struct signed_point *other)
{
	struct evidence_statement a, b;

	if (!is_signed(verified) || !is_signed(other))
		return;
	a = statement_of(k, verified);
	b = statement_of(k, other);
	if (evidence_make(&k->proof, k->charter, &a, &b) == ERR_OK)
		k->proven = true;
}

bool
chain_take_evidence(struct chain *k, struct evidence *out)
{
	bool proven = k->proven;

	if (proven)
		*out = k->proof;
	k->proven = false;
	return proven;
}

/* ERR_CHAIN if the set has another block for its round, which is evidence. */
static enum err
agree(struct chain *k, const struct points *p, const struct signed_point *s)
{
	if (points_find(p, &s->point) != CONTRADICTED)
		return ERR_OK;
	prove(k, &p->at[points_place(p, s->point.round)], s);
	return ERR_CHAIN;
}

/* ---- the epoch chain ---- */

/* The verified epoch block of an epoch, or NULL. */
static const struct signed_point *
block_of_epoch(const struct chain *k, uint32_t epoch)
{
	uint64_t first = timing_round(&k->charter->params,
	    timing_epoch_start(&k->charter->params, epoch));
	size_t i = points_place(&k->epochs, first);

	/* the round in which the epoch begins may begin before it */
	while (i < k->epochs.count && epoch_of(k, k->epochs.at[i].point.round) < epoch)
		i++;
	if (i == k->epochs.count || epoch_of(k, k->epochs.at[i].point.round) != epoch)
		return NULL;
	return &k->epochs.at[i];
}

/*
 * What the verified epochs say of a point. An epoch has one epoch block, and they have
 * no gaps, so that one between two of them that is not among them is made up.
 */
static enum finding
find_epoch(const struct chain *k, const struct chain_point *point)
{
	enum finding found = points_find(&k->epochs, point);

	if (found == ABSENT && block_of_epoch(k, epoch_of(k, point->round)) != NULL)
		return CONTRADICTED;
	if (found == ABSENT && k->epochs.count > 0 && point->round > k->epochs.at[0].point.round &&
	    point->round < points_last(&k->epochs)->round)
		return CONTRADICTED;
	return found;
}

/* The same of a block, of which a contradiction is evidence. */
static enum finding
find_epoch_block(struct chain *k, const struct signed_point *s)
{
	const struct signed_point *known = block_of_epoch(k, epoch_of(k, s->point.round));
	enum finding found = find_epoch(k, &s->point);

	if (found == CONTRADICTED && known != NULL)
		prove(k, known, s);
	return found;
}

static enum err
accept_epoch(struct chain *k, const struct signed_point *s)
{
	enum err e = points_add(&k->epochs, s);

	if (e == ERR_OK)
		k->generation++;
	return e;
}

/*
 * Whether an epoch block of a run belongs to the epoch chain: it is in it, it is
 * the next one, or there is nothing to go by yet and the reader trusts it.
 */
static enum err
judge_epoch(bool *belongs, struct chain *k, const struct block *b, const struct signed_point *s)
{
	const struct chain_point *latest = points_last(&k->epochs);
	enum finding found = find_epoch_block(k, s);

	*belongs = false;
	if (found == CONTRADICTED)
		return ERR_CHAIN;
	/* Older than all, or epoch blocks between them are missing here. */
	if (found == ABSENT && latest != NULL &&
	    (b->round < latest->round || !same_hash(b->previous_epoch, latest->hash)))
		return ERR_OK;
	*belongs = true;
	return accept_epoch(k, s);
}

/* Start to read from the founding block. */
static void
begin_reading(struct chain *k)
{
	points_release(&k->reading);
	k->reading_tied = k->epochs.count == 0;
}

/* Whether b is the next epoch block of the reading. */
static bool
continues_reading(const struct chain *k, const struct block *b)
{
	const struct chain_point *last = points_last(&k->reading);

	return last != NULL && b->round > last->round &&
	    epoch_of(k, b->round) > epoch_of(k, last->round) &&
	    same_hash(b->previous_epoch, last->hash);
}

enum err
chain_epoch_add(struct chain *k, struct block *out, const void *in, size_t len,
    const uint8_t signature[static BLOCK_SIGNATURE_BYTES])
{
	struct signed_point point;
	enum finding found;
	struct block b;
	enum err e = read_block(&b, k, in, len, signature);

	if (e != ERR_OK)
		return e;
	if (!b.epoch_block)
		return ERR_CHAIN;
	if (sodium_is_zero(b.previous, sizeof(b.previous)))
		begin_reading(k);
	else if (!continues_reading(k, &b))
		return ERR_CHAIN;
	point = point_of(&b, signature);
	found = find_epoch_block(k, &point);
	if (found == CONTRADICTED)
		return ERR_CHAIN;
	e = points_add(&k->reading, &point);
	if (e != ERR_OK)
		return e;
	k->reading_tied = k->reading_tied || found == PRESENT;
	*out = b;
	return ERR_OK;
}

enum err
chain_epochs_done(struct chain *k)
{
	enum err e = ERR_OK;

	if (k->reading.count == 0 || !k->reading_tied)
		return ERR_CHAIN;
	for (size_t i = 0; i < k->reading.count && e == ERR_OK; i++)
		e = accept_epoch(k, &k->reading.at[i]);
	points_release(&k->reading);
	k->reading_tied = false;
	return e;
}

bool
chain_latest_epoch(const struct chain *k, struct chain_point *out,
    uint8_t signature[BLOCK_SIGNATURE_BYTES])
{
	const struct signed_point *latest;

	if (k->epochs.count == 0)
		return false;
	latest = &k->epochs.at[k->epochs.count - 1];
	if (signature != NULL && !is_signed(latest))
		return false;
	*out = latest->point;
	if (signature != NULL)
		memcpy(signature, latest->signature, BLOCK_SIGNATURE_BYTES);
	return true;
}

bool
chain_next_epoch(const struct chain *k, uint64_t after, struct chain_point *out,
    uint8_t signature[static BLOCK_SIGNATURE_BYTES])
{
	size_t i = after == UINT64_MAX ? k->epochs.count : points_place(&k->epochs, after + 1);

	while (i < k->epochs.count && !is_signed(&k->epochs.at[i]))
		i++;
	if (i == k->epochs.count)
		return false;
	*out = k->epochs.at[i].point;
	memcpy(signature, k->epochs.at[i].signature, BLOCK_SIGNATURE_BYTES);
	return true;
}

enum chain_opinion
chain_judge(const struct chain *k, const struct chain_point *quoted)
{
	switch (find_epoch(k, quoted)) {
	case PRESENT:
		return CHAIN_SAME;
	case CONTRADICTED:
		return CHAIN_OTHER;
	case ABSENT:
		break;
	}
	return CHAIN_OPEN;
}

/* ---- runs ---- */

/* Whether b may come after the run's last block. */
static bool
follows(const struct chain_segment *s, const struct block *b)
{
	bool new_epoch;

	if (!s->begun)
		return true;
	new_epoch = epoch_of(s->chain, b->round) != epoch_of(s->chain, s->last.round);
	return b->round > s->last.round && same_hash(b->previous, s->last.hash) &&
	    b->epoch_block == new_epoch;
}

/* Whether the block, or the one before it, is known to be verified. */
static enum err
judge_block(bool *tied, struct chain *k, const struct block *b, const struct signed_point *s)
{
	size_t i = points_place(&k->recent, s->point.round);
	enum err e = agree(k, &k->recent, s);

	if (e != ERR_OK)
		return e;
	*tied = points_find(&k->recent, &s->point) == PRESENT ||
	    (i > 0 && same_hash(b->previous, k->recent.at[i - 1].point.hash));
	return ERR_OK;
}

/* Everything in the run is verified from now on, unless it differs from what is. */
static enum err
tie(struct chain_segment *s)
{
	struct chain *k = s->chain;
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->untied.count && e == ERR_OK; i++)
		e = agree(k, &k->recent, &s->untied.at[i]);
	for (size_t i = 0; i < s->untied.count && e == ERR_OK; i++)
		e = points_add(&k->recent, &s->untied.at[i]);
	if (e != ERR_OK)
		return e;
	s->verified = true;
	points_release(&s->untied);
	k->generation++;
	return ERR_OK;
}

/* Take a block that follows into the run. */
static enum err
take(struct chain_segment *s, const struct block *b, const struct signed_point *point)
{
	bool tied = false, of_chain = false;
	enum err e = judge_block(&tied, s->chain, b, point);

	if (e == ERR_OK && b->epoch_block)
		e = judge_epoch(&of_chain, s->chain, b, point);
	if (e != ERR_OK)
		return e;
	/* A verified run passes every epoch block: one that is not the next is made up. */
	if (s->verified && b->epoch_block && !of_chain &&
	    b->round > points_last(&s->chain->epochs)->round)
		return ERR_CHAIN;
	if (s->verified) {
		s->chain->generation++; /* another run may follow this block */
		return points_add(&s->chain->recent, point);
	}
	e = points_add(&s->untied, point);
	if (e == ERR_OK && (tied || of_chain))
		e = tie(s);
	return e;
}

enum err
chain_segment_add(struct chain_segment *s, struct block *out, const void *in, size_t len,
    const uint8_t signature[static BLOCK_SIGNATURE_BYTES])
{
	struct signed_point point;
	struct block b;
	enum err e = read_block(&b, s->chain, in, len, signature);

	if (e != ERR_OK)
		return e;
	if (!follows(s, &b))
		return ERR_CHAIN;
	point = point_of(&b, signature);
	e = take(s, &b, &point);
	if (e != ERR_OK)
		return e;
	if (!s->begun) {
		s->first = point.point;
		memcpy(s->before, b.previous, sizeof(s->before));
	}
	s->begun = true;
	s->last = point.point;
	*out = b;
	return ERR_OK;
}

/*
 * Whether what the chain learned since ties the run: one of its blocks, or the one
 * that it begins after (a day's read ends where the live one begins).
 */
static bool
tied_by_now(const struct chain_segment *s)
{
	const struct chain *k = s->chain;
	size_t place = s->begun ? points_place(&k->recent, s->first.round) : 0;

	if (place > 0 && same_hash(s->before, k->recent.at[place - 1].point.hash))
		return true;
	for (size_t i = 0; i < s->untied.count; i++) {
		const struct chain_point *point = &s->untied.at[i].point;

		if (points_find(&k->epochs, point) == PRESENT ||
		    points_find(&k->recent, point) == PRESENT)
			return true;
	}
	return false;
}

bool
chain_segment_verified(struct chain_segment *s)
{
	if (!s->verified && s->judged != s->chain->generation) {
		s->judged = s->chain->generation;
		if (tied_by_now(s) && tie(s) == ERR_MEMORY)
			s->judged = s->chain->generation - 1; /* look again */
	}
	return s->verified;
}

bool
chain_segment_first(const struct chain_segment *s, struct chain_point *out)
{
	if (s->begun)
		*out = s->first;
	return s->begun;
}

bool
chain_segment_last(const struct chain_segment *s, struct chain_point *out)
{
	if (s->begun)
		*out = s->last;
	return s->begun;
}

/* ---- state ---- */

static void
write_points(struct writer *w, const struct points *p)
{
	writer_u32(w, (uint32_t)p->count);
	for (size_t i = 0; i < p->count; i++) {
		writer_u64(w, p->at[i].point.round);
		writer_copy(w, p->at[i].point.hash, sizeof(p->at[i].point.hash));
	}
}

static size_t
signed_count(const struct points *p)
{
	return p->count < CHAIN_SIGNED_MAX ? p->count : CHAIN_SIGNED_MAX;
}

/* Of the latest. */
static void
write_signatures(struct writer *w, const struct points *p)
{
	size_t n = signed_count(p);

	writer_u32(w, (uint32_t)n);
	for (size_t i = p->count - n; i < p->count; i++)
		writer_copy(w, p->at[i].signature, sizeof(p->at[i].signature));
}

static enum err
read_points(struct points *out, struct reader *r)
{
	uint32_t count = reader_u32(r);
	enum err e = ERR_OK;

	if (count > out->max)
		reader_fail(r, ERR_RANGE);
	for (uint32_t i = 0; i < count && reader_ok(r) && e == ERR_OK; i++) {
		struct signed_point s = { .point.round = reader_u64(r) };

		reader_copy(r, s.point.hash, sizeof(s.point.hash));
		if (i > 0 && out->count > 0 && s.point.round <= points_last(out)->round)
			reader_fail(r, ERR_MALFORMED);
		if (reader_ok(r))
			e = points_add(out, &s);
	}
	return e;
}

static void
read_signatures(struct points *p, struct reader *r)
{
	uint32_t n = reader_u32(r);

	if (n > signed_count(p))
		reader_fail(r, ERR_MALFORMED);
	for (size_t i = p->count - n; reader_ok(r) && i < p->count; i++)
		reader_copy(r, p->at[i].signature, sizeof(p->at[i].signature));
}

/*
 * state = header || network id 32 || epoch points || recent points
 *         || signatures of the latest epoch points || of the latest recent points || check,
 * points = count u32, each round u64 || hash 32; signatures = count u32, each 64, zeros if not
 * known; check = BLAKE2b-128 of what is before it. Version 1 had one signature, of the latest
 * epoch point.
 */
static void
state_check(uint8_t out[static STATE_CHECK_BYTES], const uint8_t *p, size_t n)
{
	const struct hash_part part = { p, n };

	hash_parts(out, STATE_CHECK_BYTES, &part, 1);
}

static size_t
state_bytes(const struct chain *k)
{
	return FORMAT_BYTES + 32 + 2 * 4 + (k->epochs.count + k->recent.count) * POINT_BYTES +
	    2 * 4 + (signed_count(&k->epochs) + signed_count(&k->recent)) * BLOCK_SIGNATURE_BYTES +
	    STATE_CHECK_BYTES;
}

enum err
chain_save(const struct chain *k, struct buf *out)
{
	size_t n = state_bytes(k);
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, n, out->len + n, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	format_put(&w, STATE_MAGIC, STATE_VERSION);
	writer_copy(&w, k->charter->network_id, 32);
	write_points(&w, &k->epochs);
	write_points(&w, &k->recent);
	write_signatures(&w, &k->epochs);
	write_signatures(&w, &k->recent);
	state_check(writer_space(&w, STATE_CHECK_BYTES), space, n - STATE_CHECK_BYTES);
	e = writer_end(&w);
	if (e == ERR_OK)
		out->len += n;
	return e;
}

static enum err
read_state(struct chain *k, struct reader *r, uint16_t version)
{
	const uint8_t *network = reader_view(r, 32);
	uint8_t latest[BLOCK_SIGNATURE_BYTES];
	enum err e;

	if (network != NULL && !same_hash(network, k->charter->network_id))
		return ERR_MALFORMED;
	e = read_points(&k->epochs, r);
	if (e == ERR_OK)
		e = read_points(&k->recent, r);
	if (e != ERR_OK)
		return e;
	if (version > 1) {
		read_signatures(&k->epochs, r);
		read_signatures(&k->recent, r);
		return reader_end(r);
	}
	reader_copy(r, latest, sizeof(latest));
	if (reader_ok(r) && k->epochs.count > 0)
		memcpy(k->epochs.at[k->epochs.count - 1].signature, latest, sizeof(latest));
	return reader_end(r);
}

/* The last bytes of n are the check of those before them. */
static bool
state_is_whole(const uint8_t *p, size_t n)
{
	uint8_t check[STATE_CHECK_BYTES];

	if (n < sizeof(check))
		return false;
	state_check(check, p, n - sizeof(check));
	return memcmp(check, p + n - sizeof(check), sizeof(check)) == 0; /* public */
}

/* Whether what k goes by, its anchor, agrees with the loaded epochs. */
static bool
holds_anchor(const struct chain *k, const struct chain *loaded)
{
	for (size_t i = 0; i < k->epochs.count; i++)
		if (find_epoch(loaded, &k->epochs.at[i].point) == CONTRADICTED)
			return false;
	return true;
}

enum err
chain_load(struct chain *k, const void *p, size_t n, struct diag *d)
{
	struct chain loaded = { .charter = k->charter };
	uint16_t version = 0;
	struct reader r;
	enum err e;

	points_init(&loaded.epochs, EPOCHS_MAX);
	points_init(&loaded.recent, RECENT_MAX);
	points_init(&loaded.reading, EPOCHS_MAX);
	reader_init(&r, p, n > STATE_CHECK_BYTES ? n - STATE_CHECK_BYTES : 0);
	e = format_check(&r, &version, STATE_MAGIC, STATE_VERSION, "the saved state of the chain", d);
	if (e != ERR_OK)
		return e;
	e = state_is_whole(p, n) ? read_state(&loaded, &r, version) : ERR_MALFORMED;
	if (e == ERR_OK && !holds_anchor(k, &loaded))
		e = ERR_CHAIN;
	if (e != ERR_OK) {
		points_release(&loaded.epochs);
		points_release(&loaded.recent);
		return diag_set(d, e, "the saved state of the chain cannot be used (%s): "
		    "remove it to verify the journal anew", err_text(e));
	}
	loaded.generation = k->generation + 1;
	points_release(&k->epochs);
	points_release(&k->recent);
	points_release(&k->reading);
	*k = loaded;
	return ERR_OK;
}
