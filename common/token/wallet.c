#include "config.h"

#include "common/token/wallet.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define MAGIC "RSTWAL"
#define MARKS_MAGIC "RSTSPT"
#define VERSION 1
#define PAGES (WALLET_EPOCHS * 2) /* while the two images are put together */
#define LABEL_MARK "restante/wallet/mark/1"
#define TOKENS_MAX (PARAMS_EPOCH_HOURS_MAX * ALLOTMENT_TICKETS_PER_HOUR + 1000000)
#define PAGE_HEAD_BYTES (4 + 4 + 4 + 32 + 1)
#define TOKEN_BYTES (TOKEN_NONCE_BYTES + VOPRF_OUTPUT_BYTES)

/*
 * An epoch's. Tokens are numbered: tickets by batch and place in it, which is by hour,
 * then stamps likewise.
 */
struct page {
	bool used;
	bool is_void; /* its keys lie */
	uint32_t epoch, tickets, stamps;
	uint8_t notice[32];
	uint8_t *got, *spent; /* a bit for each token */
	uint8_t *tokens;      /* nonce || output, TOKEN_BYTES each */
};

struct wallet {
	uint8_t enrolment[ENROLMENT_ID_BYTES];
	uint8_t *seed;	 /* secret memory */
	uint32_t oldest; /* what is before was forgotten, and is not fetched again */
	uint32_t first_hour; /* its owner's: no session of an hour before */
	struct page pages[PAGES];
};

/* ---- pages ---- */

static uint32_t
total(const struct page *g)
{
	return g->tickets + g->stamps;
}

static size_t
map_bytes(const struct page *g)
{
	return (total(g) + 7) / 8;
}

static bool
bit(const uint8_t *map, uint32_t i)
{
	return (map[i / 8] >> (i % 8) & 1) != 0;
}

static void
set_bit(uint8_t *map, uint32_t i)
{
	map[i / 8] = (uint8_t)(map[i / 8] | 1u << (i % 8));
}

static void
clear_bit(uint8_t *map, uint32_t i)
{
	map[i / 8] = (uint8_t)(map[i / 8] & ~(1u << (i % 8)));
}

static void
page_clear(struct page *g)
{
	if (g->tokens != NULL)
		secret_wipe(g->tokens, (size_t)total(g) * TOKEN_BYTES);
	free(g->tokens);
	free(g->got);
	free(g->spent);
	memset(g, 0, sizeof(*g));
}

static enum err
page_init(struct page *g, uint32_t epoch, uint32_t tickets, uint32_t stamps)
{
	memset(g, 0, sizeof(*g));
	g->epoch = epoch;
	g->tickets = tickets;
	g->stamps = stamps;
	g->got = calloc(1, map_bytes(g) + 1);
	g->spent = calloc(1, map_bytes(g) + 1);
	g->tokens = calloc((size_t)total(g) + 1, TOKEN_BYTES);
	g->used = g->got != NULL && g->spent != NULL && g->tokens != NULL;
	if (g->used)
		return ERR_OK;
	page_clear(g);
	return ERR_MEMORY;
}

static const struct page *
look(const struct wallet *w, uint32_t epoch)
{
	for (size_t i = 0; i < PAGES; i++)
		if (w->pages[i].used && w->pages[i].epoch == epoch)
			return &w->pages[i];
	return NULL;
}

static struct page *
find(struct wallet *w, uint32_t epoch)
{
	const struct page *g = look(w, epoch);

	return g != NULL ? &w->pages[g - w->pages] : NULL;
}

static uint8_t
page_count(const struct wallet *w)
{
	uint8_t n = 0;

	for (size_t i = 0; i < PAGES; i++)
		n = (uint8_t)(n + w->pages[i].used);
	return n;
}

static enum err
add_page(struct page **out, struct wallet *w, uint32_t epoch, uint32_t tickets, uint32_t stamps)
{
	for (size_t i = 0; i < PAGES; i++) {
		if (w->pages[i].used)
			continue;
		*out = &w->pages[i];
		return page_init(*out, epoch, tickets, stamps);
	}
	return ERR_FULL;
}

static void
spend_page(struct page *g)
{
	for (uint32_t i = 0; i < total(g); i++)
		set_bit(g->spent, i);
}

/* Nothing of it is given any more, nor fetched. */
static void
strike(struct page *g)
{
	g->is_void = true;
	spend_page(g);
	secret_wipe(g->tokens, (size_t)total(g) * TOKEN_BYTES);
}

/* Where a batch is among the epoch's tokens. */
static uint32_t
first_of(const struct page *g, enum token_kind kind, uint32_t batch)
{
	return (kind == TOKEN_STAMP ? g->tickets : 0) + batch * ALLOTMENT_BATCH;
}

/* ---- life ---- */

struct wallet *
wallet_new(const uint8_t enrolment[static ENROLMENT_ID_BYTES],
    const uint8_t seed[static WALLET_SEED_BYTES])
{
	struct wallet *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->seed = secret_new(WALLET_SEED_BYTES);
	if (w->seed == NULL) {
		free(w);
		return NULL;
	}
	memcpy(w->seed, seed, WALLET_SEED_BYTES);
	memcpy(w->enrolment, enrolment, sizeof(w->enrolment));
	return w;
}

void
wallet_free(struct wallet *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < PAGES; i++)
		if (w->pages[i].used)
			page_clear(&w->pages[i]);
	secret_free(w->seed);
	free(w);
}

const uint8_t *
wallet_seed(const struct wallet *w)
{
	return w->seed;
}

const uint8_t *
wallet_enrolment(const struct wallet *w)
{
	return w->enrolment;
}

uint32_t
wallet_first_hour(const struct wallet *w)
{
	return w->first_hour;
}

void
wallet_set_first_hour(struct wallet *w, uint32_t hour)
{
	w->first_hour = hour;
}

/* ---- fetching ---- */

/*
 * Whether an epoch's tokens are numbered as its charter says now: one that came after the
 * first of them were fetched may say otherwise, and then no place is what it was.
 */
static bool
fits(const struct page *g, const struct params *p)
{
	return g->tickets == allotment_total(p, TOKEN_TICKET) &&
	    g->stamps == allotment_total(p, TOKEN_STAMP);
}

bool
wallet_wants(const struct wallet *w, const struct params *p, enum token_kind kind, uint32_t epoch,
    uint32_t batch)
{
	const struct page *g = look(w, epoch);

	if (epoch < w->oldest || allotment_count(p, kind, batch) == 0)
		return false;
	return g == NULL ||
	    (!g->is_void && fits(g, p) && !bit(g->got, first_of(g, kind, batch)));
}

static void
keep(struct page *g, uint32_t first, const struct issuance_batch *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		uint8_t *at = g->tokens + (size_t)(first + i) * TOKEN_BYTES;

		memcpy(at, b->nonce[i], TOKEN_NONCE_BYTES);
		memcpy(at + TOKEN_NONCE_BYTES, b->output[i], VOPRF_OUTPUT_BYTES);
		set_bit(g->got, first + i);
	}
}

enum err
wallet_put(struct wallet *w, const struct params *p, const struct issuance_request *q,
    const struct issuance_batch *b, const uint8_t notice[static 32])
{
	struct page *g = find(w, q->epoch);
	enum err e = ERR_OK;

	if (b->n == 0 || b->n != allotment_count(p, q->kind, q->batch))
		return ERR_RANGE;
	if (q->epoch < w->oldest)
		return ERR_EPOCH;
	if (g != NULL && !wallet_agree(w, q->epoch, notice))
		return ERR_EPOCH;
	if (g != NULL && !fits(g, p))
		return ERR_RANGE;
	if (g != NULL && !wallet_wants(w, p, q->kind, q->epoch, q->batch))
		return ERR_EXISTS;
	if (g == NULL && page_count(w) >= WALLET_EPOCHS)
		return ERR_FULL;
	if (g == NULL)
		e = add_page(&g, w, q->epoch, allotment_total(p, TOKEN_TICKET),
		    allotment_total(p, TOKEN_STAMP));
	if (e != ERR_OK)
		return e;
	memcpy(g->notice, notice, sizeof(g->notice));
	keep(g, first_of(g, q->kind, q->batch), b);
	return ERR_OK;
}

enum err
wallet_lose(struct wallet *w, const struct params *p, const struct issuance_request *q,
    const uint8_t notice[static 32])
{
	struct issuance_batch none = { .n = allotment_count(p, q->kind, q->batch) };
	enum err e = wallet_put(w, p, q, &none, notice);
	struct page *g = find(w, q->epoch);

	for (uint32_t i = 0; e == ERR_OK && i < none.n; i++)
		set_bit(g->spent, first_of(g, q->kind, q->batch) + i);
	return e;
}

bool
wallet_agree(struct wallet *w, uint32_t epoch, const uint8_t notice[static 32])
{
	struct page *g = find(w, epoch);

	if (g == NULL)
		return true;
	if (!g->is_void && memcmp(g->notice, notice, sizeof(g->notice)) != 0) /* public */
		strike(g);
	return !g->is_void;
}

/* ---- spending ---- */

/* The tokens that would do: [*from, *to). */
static void
range(uint32_t *from, uint32_t *to, const struct page *g, enum token_kind kind, unsigned hour)
{
	*from = *to = 0;
	switch (kind) {
	case TOKEN_TICKET:
		if (hour < g->tickets / ALLOTMENT_TICKETS_PER_HOUR) {
			*from = hour * ALLOTMENT_TICKETS_PER_HOUR;
			*to = *from + ALLOTMENT_TICKETS_PER_HOUR;
		}
		return;
	case TOKEN_STAMP:
		*from = g->tickets;
		*to = total(g);
		return;
	}
}

static uint32_t
count(const struct page *g, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += bit(g->got, i) && !bit(g->spent, i);
	return n;
}

uint32_t
wallet_left(const struct wallet *w, enum token_kind kind, uint32_t epoch, unsigned hour)
{
	const struct page *g = look(w, epoch);
	uint32_t from, to;

	if (g == NULL)
		return 0;
	range(&from, &to, g, kind, hour);
	return count(g, from, to);
}

uint32_t
wallet_left_all(const struct wallet *w, enum token_kind kind, uint32_t epoch)
{
	const struct page *g = look(w, epoch);

	if (g == NULL)
		return 0;
	return kind == TOKEN_TICKET ? count(g, 0, g->tickets) : count(g, g->tickets, total(g));
}

enum err
wallet_take(struct wallet *w, struct wallet_token *out, enum token_kind kind, uint32_t epoch,
    unsigned hour)
{
	struct page *g = find(w, epoch);
	uint32_t i, to;
	uint8_t *at;

	if (g == NULL)
		return ERR_NOT_FOUND;
	range(&i, &to, g, kind, hour);
	while (i < to && (!bit(g->got, i) || bit(g->spent, i)))
		i++;
	if (i == to)
		return ERR_NOT_FOUND;
	set_bit(g->spent, i);
	at = g->tokens + (size_t)i * TOKEN_BYTES;
	memcpy(out->nonce, at, TOKEN_NONCE_BYTES);
	memcpy(out->output, at + TOKEN_NONCE_BYTES, VOPRF_OUTPUT_BYTES);
	out->epoch = epoch;
	out->place = i;
	secret_wipe(at, TOKEN_BYTES);
	return ERR_OK;
}

void
wallet_return(struct wallet *w, const struct wallet_token *t)
{
	struct page *g = find(w, t->epoch);
	uint8_t *at;

	if (g == NULL || g->is_void || t->place >= total(g) || !bit(g->spent, t->place))
		return;
	at = g->tokens + (size_t)t->place * TOKEN_BYTES;
	memcpy(at, t->nonce, TOKEN_NONCE_BYTES);
	memcpy(at + TOKEN_NONCE_BYTES, t->output, VOPRF_OUTPUT_BYTES);
	clear_bit(g->spent, t->place);
}

/*
 * Only what really went is closed for good, since it would come again without its marks.
 * An epoch of which there was nothing stays open: the clock that says it is over may lie.
 */
bool
wallet_turn(struct wallet *w, uint32_t first)
{
	bool any = false;

	for (size_t i = 0; i < PAGES; i++) {
		struct page *g = &w->pages[i];

		if (!g->used || g->epoch >= first)
			continue;
		if (g->epoch >= w->oldest)
			w->oldest = g->epoch + 1;
		page_clear(g);
		any = true;
	}
	return any;
}

/* ---- images ---- */

/*
 * tokens = header || enrolment id 32 || seed 32 || oldest epoch u32 || first hour u32
 *          || epochs u8 || for each:
 *          epoch u32 || tickets u32 || stamps u32 || notice 32 || void u8 || got map
 *          || nonce 32, output 64 of each token that is got, zeros if it is spent
 * marks  = header || mark of the wallet 32 || oldest epoch u32 || epochs u8 || for each:
 *          epoch u32 || tickets u32 || stamps u32 || notice 32 || void u8 || spent map
 */
static void
mark_of(uint8_t out[static 32], const struct wallet *w)
{
	hash_derive(out, w->seed, LABEL_MARK, NULL, 0);
}

static size_t
page_bytes(const struct page *g)
{
	return PAGE_HEAD_BYTES + map_bytes(g) + (size_t)total(g) * TOKEN_BYTES;
}

static void
put_head(struct writer *w, const struct page *g)
{
	writer_u32(w, g->epoch);
	writer_u32(w, g->tickets);
	writer_u32(w, g->stamps);
	writer_copy(w, g->notice, sizeof(g->notice));
	writer_u8(w, g->is_void);
}

static void
put_page(struct writer *w, const struct page *g)
{
	put_head(w, g);
	writer_copy(w, g->got, map_bytes(g));
	for (uint32_t i = 0; i < total(g); i++)
		if (bit(g->got, i))
			writer_copy(w, g->tokens + (size_t)i * TOKEN_BYTES, TOKEN_BYTES);
}

enum err
wallet_save(const struct wallet *w, struct buf *out)
{
	size_t n = FORMAT_BYTES + 32 + 32 + 4 + 4 + 1;
	struct writer to;
	uint8_t *space;
	enum err e;

	for (size_t i = 0; i < PAGES; i++)
		n += w->pages[i].used ? page_bytes(&w->pages[i]) : 0;
	e = buf_reserve(out, n, WALLET_BYTES_MAX, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&to, space, n);
	format_put(&to, MAGIC, VERSION);
	writer_copy(&to, w->enrolment, sizeof(w->enrolment));
	writer_copy(&to, w->seed, WALLET_SEED_BYTES);
	writer_u32(&to, w->oldest);
	writer_u32(&to, w->first_hour);
	writer_u8(&to, page_count(w));
	for (size_t i = 0; i < PAGES; i++)
		if (w->pages[i].used)
			put_page(&to, &w->pages[i]);
	out->len += to.used;
	return writer_end(&to);
}

enum err
wallet_save_marks(const struct wallet *w, struct buf *out)
{
	size_t n = FORMAT_BYTES + 32 + 4 + 1;
	uint8_t mark[32], *space;
	struct writer to;
	enum err e;

	for (size_t i = 0; i < PAGES; i++)
		n += w->pages[i].used ? PAGE_HEAD_BYTES + map_bytes(&w->pages[i]) : 0;
	e = buf_reserve(out, n, WALLET_MARKS_MAX, &space);
	if (e != ERR_OK)
		return e;
	mark_of(mark, w);
	writer_init(&to, space, n);
	format_put(&to, MARKS_MAGIC, VERSION);
	writer_copy(&to, mark, sizeof(mark));
	writer_u32(&to, w->oldest);
	writer_u8(&to, page_count(w));
	for (size_t i = 0; i < PAGES; i++) {
		const struct page *g = &w->pages[i];

		if (!g->used)
			continue;
		put_head(&to, g);
		writer_copy(&to, g->spent, map_bytes(g));
	}
	out->len += to.used;
	return writer_end(&to);
}

static bool
map_ends(const uint8_t *map, uint32_t bits)
{
	return bits % 8 == 0 || map[bits / 8] >> (bits % 8) == 0;
}

/* An epoch's page, made if there is none; NULL (the reader fails) if it does not fit. */
static struct page *
get_head(struct reader *r, struct wallet *w)
{
	uint32_t epoch = reader_u32(r), tickets = reader_u32(r), stamps = reader_u32(r);
	struct page *g = find(w, epoch);
	uint8_t notice[32], is_void;
	enum err e = ERR_OK;

	reader_copy(r, notice, sizeof(notice));
	is_void = reader_u8(r);
	if (is_void > 1 || tickets > TOKENS_MAX || stamps > TOKENS_MAX ||
	    r->left < ((size_t)tickets + stamps) / 8 ||
	    (g != NULL && (g->tickets != tickets || g->stamps != stamps)))
		reader_fail(r, ERR_MALFORMED);
	if (!reader_ok(r))
		return NULL;
	if (g == NULL) {
		e = add_page(&g, w, epoch, tickets, stamps);
		if (e == ERR_OK)
			memcpy(g->notice, notice, sizeof(notice));
	}
	if (e != ERR_OK) {
		reader_fail(r, e);
		return NULL;
	}
	if (is_void != 0 || memcmp(g->notice, notice, sizeof(notice)) != 0) /* public */
		strike(g);
	return g;
}

static void
get_page(struct reader *r, struct wallet *w)
{
	uint8_t before = page_count(w);
	struct page *g = get_head(r, w);

	if (g == NULL)
		return;
	if (page_count(w) == before || g->epoch < w->oldest)
		reader_fail(r, ERR_MALFORMED); /* one epoch twice, or one that was forgotten */
	reader_copy(r, g->got, map_bytes(g));
	if (!map_ends(g->got, total(g)))
		reader_fail(r, ERR_MALFORMED);
	for (uint32_t i = 0; i < total(g) && reader_ok(r); i++) {
		uint8_t *at = g->tokens + (size_t)i * TOKEN_BYTES;

		if (!bit(g->got, i))
			continue;
		reader_copy(r, at, TOKEN_BYTES);
		if (sodium_is_zero(at, TOKEN_BYTES))
			set_bit(g->spent, i); /* also if its mark was never written */
	}
	if (g->is_void)
		strike(g); /* what it brought, too */
}

/*
 * A page that the marks do not have was fetched after they were written. One that the
 * tokens do not have was lost after some of it was spent: it is fetched again, and the
 * same tokens come.
 */
static void
get_marks_page(struct reader *r, struct wallet *w)
{
	struct page *g = get_head(r, w);
	const uint8_t *map;

	if (g == NULL)
		return;
	map = reader_view(r, map_bytes(g));
	if (map == NULL)
		return;
	if (!map_ends(map, total(g)))
		reader_fail(r, ERR_MALFORMED);
	for (size_t i = 0; i < map_bytes(g) && reader_ok(r); i++)
		g->spent[i] |= map[i];
}

static void
spend_all(struct wallet *w)
{
	for (size_t i = 0; i < PAGES; i++)
		if (w->pages[i].used)
			spend_page(&w->pages[i]);
}

static enum err
load_marks(struct wallet *w, const void *p, size_t n, struct diag *d)
{
	uint8_t mark[32], own[32];
	struct reader r;
	uint32_t oldest;
	uint8_t count;
	enum err e;

	reader_init(&r, p, n);
	e = format_check(&r, NULL, MARKS_MAGIC, VERSION, "spent", d);
	if (e != ERR_OK)
		return e;
	reader_copy(&r, mark, sizeof(mark));
	oldest = reader_u32(&r);
	count = reader_u8(&r);
	mark_of(own, w);
	if (reader_ok(&r) && sodium_memcmp(mark, own, sizeof(own)) != 0) {
		spend_all(w);
		return ERR_OK;
	}
	if (oldest > w->oldest)
		w->oldest = oldest; /* also if the tokens never had what went */
	(void)wallet_turn(w, w->oldest);
	for (uint8_t i = 0; i < count && reader_ok(&r); i++)
		get_marks_page(&r, w);
	e = reader_end(&r);
	if (e != ERR_OK)
		return diag_set(d, e, "spent: damaged; remove it and what is left of the wallet is given "
		    "up");
	(void)wallet_turn(w, w->oldest); /* what only older marks had */
	return ERR_OK;
}

enum err
wallet_load(struct wallet **out, const void *p, size_t n, const void *marks, size_t marks_len,
    struct diag *d)
{
	uint8_t enrolment[ENROLMENT_ID_BYTES], seed[WALLET_SEED_BYTES];
	struct wallet *w = NULL;
	struct reader r;
	uint8_t count;
	enum err e;

	reader_init(&r, p, n);
	e = format_check(&r, NULL, MAGIC, VERSION, "wallet", d);
	if (e != ERR_OK)
		return e;
	reader_copy(&r, enrolment, sizeof(enrolment));
	reader_copy(&r, seed, sizeof(seed));
	w = wallet_new(enrolment, seed);
	secret_wipe(seed, sizeof(seed));
	if (w == NULL)
		return ERR_MEMORY;
	w->oldest = reader_u32(&r);
	w->first_hour = reader_u32(&r);
	count = reader_u8(&r);
	for (uint8_t i = 0; i < count && reader_ok(&r); i++)
		get_page(&r, w);
	e = reader_end(&r);
	if (e != ERR_OK)
		(void)diag_set(d, e, "wallet: damaged; remove it, and enrol again with a new code");
	if (e == ERR_OK && marks == NULL)
		spend_all(w);
	else if (e == ERR_OK)
		e = load_marks(w, marks, marks_len, d);
	if (e != ERR_OK) {
		wallet_free(w);
		return e;
	}
	*out = w;
	return ERR_OK;
}
