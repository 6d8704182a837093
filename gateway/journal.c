#include "config.h"

#include "gateway/journal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "common/journal/item.h"

#define STATE_MAGIC "rsjrnl"
#define STATE_VERSION 3
#define SHEETS_MAX 4 /* former, running and coming epoch, and one to spare */
#define NOTICES_MAX (ISSUER_AHEAD + 2) /* of the running epoch, those to come, one that ends */

struct kept_sheet {
	struct sheet *sheet; /* NULL: free */
	struct buf bytes; /* and our signature: what is shown, and an entry of a block */
	bool written;
};

struct kept_notice {
	struct buf bytes; /* empty: free */
	struct notice notice;
	bool written;
};

struct deposit {
	uint16_t mailbox;
	uint8_t digest[BLOCK_DIGEST_BYTES];
};

struct journal {
	const struct succession *charters;
	const struct charter *charter; /* the first: for what none of them changes */
	const uint8_t *identity_sk;
	/* the latest version that a block had, and that an epoch block had; 0: none */
	uint32_t told, epoch_told;
	/* the head */
	bool begun, building;
	uint64_t round;
	uint8_t hash[32], epoch_hash[32];
	struct kept_sheet sheets[SHEETS_MAX];
	struct kept_notice notices[NOTICES_MAX];
	/* what waits */
	struct deposit *deposits;
	size_t deposit_count, deposit_room;
	uint32_t *per_mailbox; /* how many of them each mailbox has */
	struct buf records; /* of the deposits, in their order */
	struct buf notes;
};

/* ---- life ---- */

enum err
journal_new(struct journal **out, const struct succession *s, const uint8_t *identity_sk)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return ERR_MEMORY;
	j->charters = s;
	j->charter = succession_first(s);
	j->identity_sk = identity_sk;
	j->per_mailbox = calloc(j->charter->params.mailboxes, sizeof(j->per_mailbox[0]));
	if (j->per_mailbox == NULL) {
		free(j);
		return ERR_MEMORY;
	}
	*out = j;
	return ERR_OK;
}

static void
sheet_drop(struct kept_sheet *k)
{
	sheet_free(k->sheet);
	buf_release(&k->bytes);
	*k = (struct kept_sheet){ .sheet = NULL };
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < SHEETS_MAX; i++)
		sheet_drop(&j->sheets[i]);
	for (size_t i = 0; i < NOTICES_MAX; i++)
		buf_release(&j->notices[i].bytes);
	buf_release(&j->records);
	buf_release(&j->notes);
	free(j->deposits);
	free(j->per_mailbox);
	free(j);
}

bool
journal_head(const struct journal *j, uint64_t *round)
{
	if (j->begun)
		*round = j->round;
	return j->begun;
}

static uint32_t
epoch_of(const struct journal *j, uint64_t round)
{
	const struct params *p = &j->charter->params;

	return timing_epoch(p, timing_round_start(p, round));
}

/* ---- sheets ---- */

static const struct kept_sheet *
find_sheet(const struct journal *j, uint32_t epoch)
{
	for (size_t i = 0; i < SHEETS_MAX; i++)
		if (j->sheets[i].sheet != NULL && j->sheets[i].sheet->epoch == epoch)
			return &j->sheets[i];
	return NULL;
}

const struct sheet *
journal_sheet_of(const struct journal *j, uint32_t epoch)
{
	const struct kept_sheet *k = find_sheet(j, epoch);

	return k != NULL && k->written ? k->sheet : NULL;
}

const struct buf *
journal_sheet_bytes(const struct journal *j, uint32_t epoch)
{
	const struct kept_sheet *k = find_sheet(j, epoch);

	return k != NULL && k->written ? &k->bytes : NULL;
}

bool
journal_has_sheet(const struct journal *j, uint32_t epoch)
{
	return find_sheet(j, epoch) != NULL;
}

/* A free place; the sheet of the oldest epoch gives way. */
static struct kept_sheet *
take_place(struct journal *j)
{
	struct kept_sheet *oldest = &j->sheets[0];

	for (size_t i = 0; i < SHEETS_MAX; i++) {
		struct kept_sheet *k = &j->sheets[i];

		if (k->sheet == NULL)
			return k;
		if (k->sheet->epoch < oldest->sheet->epoch)
			oldest = k;
	}
	sheet_drop(oldest);
	return oldest;
}

/* It is shown to nobody before a block with it is durable, so that it is the only one we sign. */
static enum err
encode_shown(struct buf *out, struct sheet *s, const struct journal *j)
{
	uint8_t signature[SHEET_SIGNATURE_BYTES];
	enum err e = sheet_encode(out, s);

	if (e != ERR_OK)
		return e;
	sheet_sign(signature, s, charter_gateway(j->charter)->number, j->charter->network_id,
	    j->identity_sk);
	return buf_append(out, signature, sizeof(signature), SHEET_SHOWN_MAX);
}

/* Back behind the head's epoch: by a clock that is wrong, or it was not written in time. */
static bool
is_passed(const struct journal *j, uint32_t epoch)
{
	return j->begun && epoch < epoch_of(j, j->round);
}

enum err
journal_sheet(struct journal *j, struct sheet *s)
{
	struct kept_sheet *k;
	struct buf bytes;
	enum err e;

	buf_init(&bytes);
	e = journal_has_sheet(j, s->epoch) ? ERR_EXISTS :
	    is_passed(j, s->epoch)	   ? ERR_EPOCH :
					     encode_shown(&bytes, s, j);
	if (e != ERR_OK) {
		buf_release(&bytes);
		sheet_free(s);
		return e;
	}
	k = take_place(j);
	k->sheet = s;
	k->bytes = bytes;
	k->written = false;
	return ERR_OK;
}

/* Sheets of epochs that ended long ago. */
static void
forget_sheets(struct journal *j)
{
	uint32_t epoch = epoch_of(j, j->round);

	for (size_t i = 0; i < SHEETS_MAX; i++)
		if (j->sheets[i].sheet != NULL && j->sheets[i].sheet->epoch + 1 < epoch)
			sheet_drop(&j->sheets[i]);
}

/* ---- issuer notices ---- */

static const struct kept_notice *
find_notice(const struct journal *j, uint32_t epoch)
{
	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (j->notices[i].bytes.len > 0 && j->notices[i].notice.keys.epoch == epoch)
			return &j->notices[i];
	return NULL;
}

const struct issuer_keys *
journal_issuer_keys(const struct journal *j, uint32_t epoch)
{
	const struct kept_notice *k = find_notice(j, epoch);

	return k != NULL ? &k->notice.keys : NULL;
}

const struct buf *
journal_notice_bytes(const struct journal *j, uint32_t epoch)
{
	const struct kept_notice *k = find_notice(j, epoch);

	return k != NULL && k->written ? &k->bytes : NULL;
}

static bool
same_keys(const struct issuer_keys *a, const struct issuer_keys *b)
{
	return a->hours == b->hours &&
	    memcmp(a->tickets, b->tickets, a->hours * sizeof(a->tickets[0])) == 0 && /* public */
	    memcmp(a->stamp, b->stamp, sizeof(a->stamp)) == 0; /* public */
}

static struct kept_notice *
free_notice(struct journal *j)
{
	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (j->notices[i].bytes.len == 0)
			return &j->notices[i];
	return NULL;
}

/* It is shown to nobody before a block with it is durable, so that it is the only one we sign. */
enum err
journal_issuer(struct journal *j, const struct issuer_keys *keys)
{
	const struct kept_notice *known = find_notice(j, keys->epoch);
	struct kept_notice *k = free_notice(j);
	enum err e;

	if (known != NULL)
		return same_keys(&known->notice.keys, keys) ? ERR_OK : ERR_EXISTS;
	if (k == NULL)
		return ERR_FULL;
	k->notice.keys = *keys;
	k->written = false;
	e = notice_encode(&k->bytes, &k->notice, charter_gateway(j->charter)->number,
	    j->charter->network_id, j->identity_sk);
	if (e != ERR_OK)
		buf_release(&k->bytes);
	return e;
}

/* Notices of epochs that are over: their tickets are, and no seed is taken for them. */
static void
forget_notices(struct journal *j)
{
	uint32_t epoch = epoch_of(j, j->round);

	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (j->notices[i].bytes.len > 0 && j->notices[i].notice.keys.epoch < epoch)
			buf_release(&j->notices[i].bytes);
}

/* ---- what waits ---- */

size_t
journal_waiting(const struct journal *j)
{
	return j->deposit_count + j->notes.len / BLOCK_DIGEST_BYTES;
}

static enum err
grow_deposits(struct journal *j)
{
	size_t room = j->deposit_room == 0 ? 256 : 2 * j->deposit_room;
	struct deposit *deposits = realloc(j->deposits, room * sizeof(*deposits));

	if (deposits == NULL)
		return ERR_MEMORY;
	j->deposits = deposits;
	j->deposit_room = room;
	return ERR_OK;
}

enum err
journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record)
{
	size_t size = j->charter->params.record_size;
	struct deposit *d;
	enum err e;

	if (mailbox >= j->charter->params.mailboxes)
		return ERR_NOT_FOUND;
	if (journal_waiting(j) >= BLOCK_DIGESTS_MAX ||
	    (j->per_mailbox[mailbox] + 1) * size > ITEM_RECORDS_MAX)
		return ERR_FULL;
	if (j->deposit_count == j->deposit_room && (e = grow_deposits(j)) != ERR_OK)
		return e;
	e = buf_append(&j->records, record, size, JOURNAL_WAITING_BYTES_MAX);
	if (e != ERR_OK)
		return e;
	j->per_mailbox[mailbox]++;
	d = &j->deposits[j->deposit_count++];
	d->mailbox = mailbox;
	block_record_digest(d->digest, record, size);
	return ERR_OK;
}

enum err
journal_note(struct journal *j, const uint8_t note[static BLOCK_DIGEST_BYTES])
{
	if (journal_waiting(j) >= BLOCK_DIGESTS_MAX)
		return ERR_FULL;
	return buf_append(&j->notes, note, BLOCK_DIGEST_BYTES,
	    (size_t)BLOCK_DIGESTS_MAX * BLOCK_DIGEST_BYTES);
}

/* ---- when ---- */

static bool
begins_epoch(const struct journal *j, uint64_t round)
{
	return !j->begun || epoch_of(j, round) > epoch_of(j, j->round);
}

static bool
has_unwritten(const struct journal *j)
{
	for (size_t i = 0; i < SHEETS_MAX; i++)
		if (j->sheets[i].sheet != NULL && !j->sheets[i].written &&
		    !is_passed(j, j->sheets[i].sheet->epoch))
			return true;
	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (j->notices[i].bytes.len > 0 && !j->notices[i].written)
			return true;
	return false;
}

bool
journal_due(const struct journal *j, uint64_t round)
{
	const struct params *p = &j->charter->params;

	if (j->begun && round <= j->round)
		return false;
	if (begins_epoch(j, round) || journal_waiting(j) > 0 || has_unwritten(j) ||
	    j->told < succession_latest(j->charters)->version)
		return true;
	/* A block at the end of the next round would come too late. */
	return (int64_t)(round + 1 - j->round) * p->round_ms >
	    params_scaled(p, JOURNAL_SILENCE_MS);
}

/* ---- deposits in a round ---- */

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK_DIGEST_BYTES); /* public */
}

/*
 * By mailbox, then as the shuffle left them: qsort is not stable, so that the order
 * of the shuffle is drawn as a key of its own.
 */
struct place {
	uint32_t deposit, rank;
	uint16_t mailbox;
	bool dropped;
};

static int
by_mailbox(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static const uint8_t *
record_of(const struct journal *j, uint32_t deposit)
{
	return j->records.data + (size_t)deposit * j->charter->params.record_size;
}

static bool
same_deposit(const struct journal *j, uint32_t a, uint32_t b)
{
	size_t size = j->charter->params.record_size;

	return j->deposits[a].mailbox == j->deposits[b].mailbox &&
	    memcmp(record_of(j, a), record_of(j, b), size) == 0; /* public */
}

struct by_content {
	uint8_t digest[BLOCK_DIGEST_BYTES];
	uint32_t place;
};

/* Mark all but one of equal deposits. */
static enum err
drop_duplicates(struct place *places, const struct journal *j)
{
	size_t n = j->deposit_count;
	struct by_content *list = calloc(n + 1, sizeof(list[0]));

	if (list == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		memcpy(list[i].digest, j->deposits[places[i].deposit].digest, BLOCK_DIGEST_BYTES);
		list[i].place = (uint32_t)i;
	}
	qsort(list, n, sizeof(list[0]), by_digest);
	for (size_t first = 0, i = 1; i < n; i++) {
		if (by_digest(list[first].digest, list[i].digest) != 0)
			first = i;
		for (size_t k = first; k < i; k++)
			if (same_deposit(j, places[list[k].place].deposit,
				places[list[i].place].deposit)) {
				places[list[i].place].dropped = true;
				break;
			}
	}
	free(list);
	return ERR_OK;
}

/* The deposits in an order that says nothing of their arrival, by mailbox. */
static enum err
arrange(struct place **out, const struct journal *j, const struct rng *rng)
{
	size_t n = j->deposit_count;
	struct place *places = calloc(n + 1, sizeof(places[0]));
	enum err e;

	if (places == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		places[i].deposit = (uint32_t)i;
		places[i].mailbox = j->deposits[i].mailbox;
	}
	rng_shuffle(rng, places, n, sizeof(places[0]));
	for (size_t i = 0; i < n; i++)
		places[i].rank = (uint32_t)i;
	e = drop_duplicates(places, j);
	if (e != ERR_OK) {
		free(places);
		return e;
	}
	qsort(places, n, sizeof(places[0]), by_mailbox);
	*out = places;
	return ERR_OK;
}

/* One mailbox: places[from, to) without those that were dropped. */
static enum err
add_mailbox(struct journal_round *r, const struct journal *j, const struct place *places,
    size_t from, size_t to)
{
	size_t size = j->charter->params.record_size, i = r->put.mailbox_count;
	struct block_mailbox line = { .mailbox = places[from].mailbox };
	uint8_t encoded[BLOCK_MAILBOX_BYTES];
	struct buf *bytes = &r->bytes[i];
	uint8_t *space;
	enum err e = buf_reserve(bytes, (to - from) * size, SIZE_MAX, &space);

	r->put.mailbox_count++;
	for (size_t k = from; k < to && e == ERR_OK; k++) {
		if (places[k].dropped)
			continue;
		line.count++;
		e = buf_append(bytes, record_of(j, places[k].deposit), size, SIZE_MAX);
		if (e == ERR_OK)
			e = buf_append(&r->digests, j->deposits[places[k].deposit].digest,
			    BLOCK_DIGEST_BYTES, SIZE_MAX);
	}
	if (e != ERR_OK)
		return e;
	hash_256(line.hash, bytes->data, bytes->len);
	block_mailbox_put(encoded, &line);
	r->records[i] = (struct store_records){ line.mailbox, bytes->data, bytes->len };
	r->deposits += line.count;
	return buf_append(&r->lines, encoded, sizeof(encoded), SIZE_MAX);
}

static size_t
count_mailboxes(const struct place *places, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (i == 0 || places[i].mailbox != places[i - 1].mailbox)
			count++;
	return count;
}

static enum err
add_mailboxes(struct journal_round *r, const struct journal *j, const struct place *places)
{
	size_t n = j->deposit_count, mailboxes = count_mailboxes(places, n), from = 0;
	enum err e = ERR_OK;

	r->records = calloc(mailboxes + 1, sizeof(r->records[0]));
	r->bytes = calloc(mailboxes + 1, sizeof(r->bytes[0]));
	if (r->records == NULL || r->bytes == NULL)
		return ERR_MEMORY;
	for (size_t i = 1; i <= n && e == ERR_OK; i++)
		if (i == n || places[i].mailbox != places[from].mailbox) {
			e = add_mailbox(r, j, places, from, i);
			from = i;
		}
	return e;
}

/* Sort the digests; one that is there twice is listed once. */
static void
sort_digests(struct buf *digests)
{
	size_t n = digests->len / BLOCK_DIGEST_BYTES, kept = 0;
	uint8_t *d = digests->data;

	if (n == 0)
		return;
	qsort(d, n, BLOCK_DIGEST_BYTES, by_digest);
	for (size_t i = 1; i < n; i++)
		if (by_digest(d + kept * BLOCK_DIGEST_BYTES, d + i * BLOCK_DIGEST_BYTES) != 0) {
			kept++;
			memmove(d + kept * BLOCK_DIGEST_BYTES, d + i * BLOCK_DIGEST_BYTES,
			    BLOCK_DIGEST_BYTES);
		}
	digests->len = (kept + 1) * BLOCK_DIGEST_BYTES;
}

/* Everything that waits goes into the round. */
static enum err
gather(struct journal_round *r, const struct journal *j, const struct rng *rng)
{
	struct place *places = NULL;
	enum err e = arrange(&places, j, rng);

	if (e == ERR_OK)
		e = add_mailboxes(r, j, places);
	if (e == ERR_OK)
		e = buf_append(&r->digests, j->notes.data, j->notes.len, SIZE_MAX);
	if (e == ERR_OK) {
		r->notes = j->notes.len / BLOCK_DIGEST_BYTES;
		sort_digests(&r->digests);
	}
	free(places);
	return e;
}

/* ---- the block ---- */

static void
add_entry(struct block *b, enum block_entry_kind kind, const struct buf *bytes)
{
	b->entries[b->entry_count++] =
	    (struct block_entry){ kind, bytes->data, (uint32_t)bytes->len };
}

/*
 * Whether a block has a charter: one that no block had before, and an epoch block
 * besides what is in force, what is to come, and what no epoch block had, so that
 * who reads epoch blocks alone can follow from version to version.
 */
static bool
tells(const struct journal *j, const struct charter *c, bool epoch_block, uint32_t epoch)
{
	if (!epoch_block)
		return c->version > j->told;
	return c->version > j->epoch_told || c->from_epoch > epoch ||
	    c == succession_at(j->charters, epoch);
}

/* What finds no room, which is unheard of, waits for the next block. */
static enum err
add_charters(struct block *b, struct journal_round *r, const struct journal *j, bool epoch_block)
{
	uint32_t epoch = epoch_of(j, b->round);
	size_t room = BLOCK_ENTRIES_MAX - SHEETS_MAX - NOTICES_MAX;

	for (size_t i = 0; i < succession_count(j->charters) && r->charter_count < room; i++) {
		const struct charter *c = succession_get(j->charters, i);
		struct buf *text = &r->charters[r->charter_count];
		enum err e;

		if (!tells(j, c, epoch_block, epoch))
			continue;
		e = charter_print_signed(text, c);
		if (e != ERR_OK) {
			buf_release(text);
			return e;
		}
		r->charter_count++;
		add_entry(b, BLOCK_CHARTER, text);
		if (c->version > r->told)
			r->told = c->version;
		if (epoch_block && c->version > r->epoch_told)
			r->epoch_told = c->version;
	}
	return ERR_OK;
}

/* An epoch block has those of its epoch and of all that come; others what is new. */
static void
add_notices(struct block *b, struct journal_round *r, const struct journal *j, bool epoch_block)
{
	uint32_t epoch = epoch_of(j, b->round);

	for (uint32_t i = 0; i < NOTICES_MAX; i++) {
		const struct kept_notice *k = &j->notices[i];

		if (k->bytes.len == 0 || k->notice.keys.epoch < epoch ||
		    (!epoch_block && k->written))
			continue;
		add_entry(b, BLOCK_ISSUER, &k->bytes);
		r->new_notices |= 1u << i;
	}
}

/* An epoch block has charter and sheet in force; others what is new. */
static enum err
add_entries(struct block *b, struct journal_round *r, const struct journal *j, bool epoch_block)
{
	uint32_t epoch = epoch_of(j, b->round);
	enum err e = add_charters(b, r, j, epoch_block);

	if (e == ERR_OK)
		add_notices(b, r, j, epoch_block);
	for (uint32_t i = 0; e == ERR_OK && i < SHEETS_MAX; i++) {
		const struct kept_sheet *k = &j->sheets[i];
		bool in_force = k->sheet != NULL && k->sheet->epoch == epoch;

		if (k->sheet == NULL || (epoch_block ? !in_force : k->written) ||
		    is_passed(j, k->sheet->epoch))
			continue;
		add_entry(b, BLOCK_SHEET, &k->bytes);
		r->new_sheets |= 1u << i;
	}
	return e;
}

static enum err
encode_block(struct journal_round *r, const struct journal *j)
{
	bool epoch_block = begins_epoch(j, r->put.round);
	struct block b = {
		.gateway = charter_gateway(j->charter)->number,
		.round = r->put.round,
		.mailbox_count = r->put.mailbox_count,
		.mailboxes = r->lines.data,
		.digest_count = r->digests.len / BLOCK_DIGEST_BYTES,
		.digests = r->digests.data,
	};
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	enum err e;

	if (j->begun)
		memcpy(b.previous, j->hash, sizeof(b.previous));
	if (j->begun && epoch_block)
		memcpy(b.previous_epoch, j->epoch_hash, sizeof(b.previous_epoch));
	r->told = j->told;
	r->epoch_told = j->epoch_told;
	e = add_entries(&b, r, j, epoch_block);
	if (e == ERR_OK)
		e = block_encode(&r->block, &b);
	if (e != ERR_OK)
		return e;
	assert(b.epoch_block == epoch_block);
	memcpy(r->hash, b.hash, sizeof(r->hash));
	r->put.epoch_block = epoch_block;
	block_sign(signature, &b, j->charter->network_id, j->identity_sk);
	return buf_append(&r->block, signature, sizeof(signature), SIZE_MAX);
}

/* ---- the state ---- */

static size_t
state_bytes(const struct journal *j)
{
	size_t n = FORMAT_BYTES + 32 + 8 + 32 + 32 + 4 + 4 + 1 + 1;

	for (size_t i = 0; i < SHEETS_MAX; i++)
		if (j->sheets[i].sheet != NULL)
			n += 1 + 4 + j->sheets[i].bytes.len - SHEET_SIGNATURE_BYTES;
	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (j->notices[i].bytes.len > 0)
			n += 1 + j->notices[i].bytes.len;
	return n;
}

static void
put_notices(struct writer *w, const struct journal_round *r, const struct journal *j)
{
	uint8_t count = 0;

	for (size_t i = 0; i < NOTICES_MAX; i++)
		count = (uint8_t)(count + (j->notices[i].bytes.len > 0));
	writer_u8(w, count);
	for (size_t i = 0; i < NOTICES_MAX; i++) {
		const struct kept_notice *k = &j->notices[i];

		if (k->bytes.len == 0)
			continue;
		writer_u8(w, k->written || (r->new_notices >> i & 1) != 0);
		writer_copy(w, k->bytes.data, k->bytes.len);
	}
}

/*
 * state = header || network id 32 || round u64 || hash 32 || hash of the last epoch block 32
 *         || charter in a block u32 || in an epoch block u32
 *         || count u8, each written u8 || length u32 || sheet
 *         || count u8, each written u8 || notice
 * as it is after r. Version 1 had no numbers of charters, 2 no notices.
 */
static enum err
encode_state(struct journal_round *r, const struct journal *j)
{
	const uint8_t *epoch_hash = r->put.epoch_block ? r->hash : j->epoch_hash;
	size_t n = state_bytes(j);
	struct writer w;
	uint8_t *space, count = 0;
	enum err e = buf_reserve(&r->state, n, n, &space);

	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < SHEETS_MAX; i++)
		count = (uint8_t)(count + (j->sheets[i].sheet != NULL));
	writer_init(&w, space, n);
	format_put(&w, STATE_MAGIC, STATE_VERSION);
	writer_copy(&w, j->charter->network_id, 32);
	writer_u64(&w, r->put.round);
	writer_copy(&w, r->hash, 32);
	writer_copy(&w, epoch_hash, 32);
	writer_u32(&w, r->told);
	writer_u32(&w, r->epoch_told);
	writer_u8(&w, count);
	for (size_t i = 0; i < SHEETS_MAX; i++) {
		const struct kept_sheet *k = &j->sheets[i];
		size_t len = k->bytes.len - SHEET_SIGNATURE_BYTES; /* it is signed anew, the same */

		if (k->sheet == NULL)
			continue;
		writer_u8(&w, k->written || (r->new_sheets >> i & 1) != 0);
		writer_u32(&w, (uint32_t)len);
		writer_copy(&w, k->bytes.data, len);
	}
	put_notices(&w, r, j);
	assert(writer_ok(&w) && w.used == n);
	r->state.len = n;
	return ERR_OK;
}

static enum err
load_sheet(struct journal *j, struct reader *r)
{
	bool written = reader_u8(r) != 0;
	uint32_t len = reader_u32(r);
	const uint8_t *p = reader_view(r, len);
	struct sheet *s = NULL;
	enum err e;

	if (p == NULL)
		return ERR_TRUNCATED;
	e = sheet_read(&s, p, len, j->charters, NULL);
	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return ERR_OK; /* of another charter */
	e = journal_sheet(j, s);
	for (size_t i = 0; i < SHEETS_MAX && e == ERR_OK; i++)
		if (j->sheets[i].sheet == s)
			j->sheets[i].written = written;
	return e;
}

static enum err
load_notice(struct journal *j, struct reader *r)
{
	size_t n = notice_bytes(&j->charter->params);
	bool written = reader_u8(r) != 0;
	const uint8_t *p = reader_view(r, n);
	struct kept_notice *k = free_notice(j);
	enum err e;

	if (p == NULL)
		return ERR_TRUNCATED;
	if (k == NULL)
		return ERR_RANGE;
	e = notice_decode(&k->notice, p, n, j->charter);
	if (e != ERR_OK)
		return e;
	k->written = written;
	return buf_append(&k->bytes, p, n, NOTICE_BYTES_MAX);
}

static enum err
load(struct journal *j, struct reader *r, uint16_t version)
{
	const uint8_t *network = reader_view(r, 32);
	uint8_t count;
	enum err e = ERR_OK;

	if (network != NULL && memcmp(network, j->charter->network_id, 32) != 0) /* public */
		return ERR_MALFORMED;
	j->round = reader_u64(r);
	reader_copy(r, j->hash, sizeof(j->hash));
	reader_copy(r, j->epoch_hash, sizeof(j->epoch_hash));
	j->told = version > 1 ? reader_u32(r) : j->charter->version;
	j->epoch_told = version > 1 ? reader_u32(r) : j->charter->version;
	count = reader_u8(r);
	for (uint8_t i = 0; i < count && e == ERR_OK; i++)
		e = load_sheet(j, r);
	count = version > 2 && e == ERR_OK ? reader_u8(r) : 0;
	for (uint8_t i = 0; i < count && e == ERR_OK; i++)
		e = load_notice(j, r);
	return e == ERR_OK ? reader_end(r) : e;
}

enum err
journal_load(struct journal *j, const uint8_t *state, size_t n, struct diag *d)
{
	struct reader r;
	uint16_t version;
	enum err e;

	if (n == 0)
		return ERR_OK;
	reader_init(&r, state, n);
	e = format_check(&r, &version, STATE_MAGIC, STATE_VERSION, "the journal's state", d);
	if (e != ERR_OK)
		return e;
	e = load(j, &r, version);
	if (e != ERR_OK)
		return diag_set(d, e, "the journal's state does not belong to this network or is "
		    "damaged (%s): use the store of this charter's network", err_text(e));
	j->begun = true;
	return ERR_OK;
}

enum err
journal_check_epoch(const struct journal *j, const uint8_t *block, size_t len, struct diag *d)
{
	const struct charter_node *gateway = charter_gateway(j->charter);
	struct block b;
	enum err e = len > BLOCK_SIGNATURE_BYTES ? ERR_OK : ERR_TRUNCATED;

	if (e == ERR_OK)
		e = block_decode(&b, block, len - BLOCK_SIGNATURE_BYTES);
	if (e == ERR_OK)
		e = block_verify(true, b.gateway, b.round, b.hash,
		    block + len - BLOCK_SIGNATURE_BYTES, j->charter->network_id,
		    gateway->identity);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, "the journal's latest epoch block does not verify (%s): it was written "
	    "by an earlier version that signed otherwise, or with another key. No reader could "
	    "follow this journal on: found the network anew, or go on with that version",
	    err_text(e));
}

/* ---- rounds ---- */

void
journal_round_free(struct journal_round *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; r->bytes != NULL && i < r->put.mailbox_count; i++)
		buf_release(&r->bytes[i]);
	free(r->bytes);
	free(r->records);
	buf_release(&r->block);
	buf_release(&r->lines);
	buf_release(&r->digests);
	buf_release(&r->state);
	for (size_t i = 0; i < r->charter_count; i++)
		buf_release(&r->charters[i]);
	free(r);
}

static enum err
build(struct journal_round *r, const struct journal *j, const struct rng *rng)
{
	enum err e = ERR_OK;

	if (!begins_epoch(j, r->put.round))
		e = gather(r, j, rng);
	if (e == ERR_OK)
		e = encode_block(r, j);
	if (e == ERR_OK)
		e = encode_state(r, j);
	r->put.mailboxes = r->records;
	r->put.block = r->block.data;
	r->put.block_len = r->block.len;
	r->put.state = r->state.data;
	r->put.state_len = r->state.len;
	return e;
}

/* What went into a round waits no more. */
static void
clear_waiting(struct journal *j)
{
	buf_release(&j->records);
	buf_release(&j->notes);
	free(j->deposits);
	j->deposits = NULL;
	j->deposit_count = j->deposit_room = 0;
	memset(j->per_mailbox, 0, j->charter->params.mailboxes * sizeof(j->per_mailbox[0]));
}

enum err
journal_build(struct journal_round **out, struct journal *j, uint64_t round,
    const struct rng *rng)
{
	const struct params *p = &j->charter->params;
	struct journal_round *r;
	enum err e;

	if (j->building || (j->begun && round <= j->round))
		return ERR_STATE;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ERR_MEMORY;
	r->put.round = round;
	r->put.day = timing_day(p, timing_round_start(p, round));
	e = build(r, j, rng);
	if (e != ERR_OK) {
		journal_round_free(r);
		return e;
	}
	if (!r->put.epoch_block)
		clear_waiting(j);
	j->building = true;
	*out = r;
	return ERR_OK;
}

void
journal_advance(struct journal *j, const struct journal_round *r)
{
	j->building = false;
	j->begun = true;
	j->round = r->put.round;
	j->told = r->told;
	j->epoch_told = r->epoch_told;
	memcpy(j->hash, r->hash, sizeof(j->hash));
	if (r->put.epoch_block)
		memcpy(j->epoch_hash, r->hash, sizeof(j->epoch_hash));
	for (size_t i = 0; i < SHEETS_MAX; i++)
		if ((r->new_sheets >> i & 1) != 0)
			j->sheets[i].written = true;
	for (size_t i = 0; i < NOTICES_MAX; i++)
		if ((r->new_notices >> i & 1) != 0)
			j->notices[i].written = true;
	forget_sheets(j);
	forget_notices(j);
}
