#include "config.h"

#include "client-lib/sheetbook.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"

#define EARLY_MAX 2 /* of the running and the coming epoch */

struct page {
	bool used, verified, struck;
	uint32_t epoch;
	uint8_t hash[32], signature[SHEET_SIGNATURE_BYTES]; /* the latter zeros: not known */
	struct sheet *sheet; /* NULL: not shown since the start */
};

/* A sheet whose charter is not known yet. */
struct early {
	bool verified;
	struct buf bytes;
};

struct sheetbook {
	const struct succession *charters;
	const struct params *params;
	struct early early[EARLY_MAX];
	bool proven; /* proof waits to be taken */
	struct evidence proof;
	struct page pages[SHEETBOOK_EPOCHS];
};

struct sheetbook *
sheetbook_new(const struct succession *s)
{
	struct sheetbook *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->charters = s;
	k->params = &succession_first(s)->params;
	for (size_t i = 0; i < EARLY_MAX; i++)
		buf_init(&k->early[i].bytes);
	return k;
}

void
sheetbook_free(struct sheetbook *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++)
		sheet_free(k->pages[i].sheet);
	for (size_t i = 0; i < EARLY_MAX; i++)
		buf_release(&k->early[i].bytes);
	free(k);
}

static struct page *
find_page(struct sheetbook *k, uint32_t epoch)
{
	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++)
		if (k->pages[i].used && k->pages[i].epoch == epoch)
			return &k->pages[i];
	return NULL;
}

static struct page *
new_page(struct sheetbook *k, uint32_t epoch, const uint8_t hash[static 32])
{
	struct page *p = NULL;

	for (size_t i = 0; i < SHEETBOOK_EPOCHS && p == NULL; i++)
		if (!k->pages[i].used)
			p = &k->pages[i];
	if (p == NULL)
		return NULL;
	p->used = true;
	p->epoch = epoch;
	memcpy(p->hash, hash, sizeof(p->hash));
	return p;
}

static void
clear_page(struct page *p)
{
	sheet_free(p->sheet);
	memset(p, 0, sizeof(*p));
}

void
sheetbook_turn(struct sheetbook *k, int64_t wall_ms)
{
	uint32_t now = timing_epoch(k->params, wall_ms);

	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++)
		if (k->pages[i].used && k->pages[i].epoch < now)
			clear_page(&k->pages[i]);
}

/* Decode p once; later showings are compared by hash. */
static enum err
take_sheet(struct sheetbook *k, struct page **page, const struct sheet_shown *shown,
    const uint8_t *p)
{
	struct sheet *s;
	enum err e = sheet_read(&s, p, shown->len, k->charters, NULL);

	if (e != ERR_OK)
		return e;
	if (*page == NULL)
		*page = new_page(k, shown->epoch, shown->hash);
	if (*page == NULL) {
		sheet_free(s);
		return ERR_FULL;
	}
	(*page)->sheet = s;
	memcpy((*page)->signature, shown->signature, SHEET_SIGNATURE_BYTES);
	return ERR_OK;
}

/* The latest one; with memory short it comes again. */
static enum err
keep_early(struct early *x, const uint8_t *p, size_t n, bool verified)
{
	bool same = x->bytes.len == n && memcmp(x->bytes.data, p, n) == 0; /* public */
	enum err e;

	x->verified = verified || (same && x->verified);
	if (same)
		return ERR_OK;
	buf_release(&x->bytes);
	e = buf_append(&x->bytes, p, n, SHEET_SHOWN_MAX);
	if (e != ERR_OK)
		buf_release(&x->bytes);
	return e;
}

enum err
sheetbook_again(struct sheetbook *k, int64_t wall_ms)
{
	enum err result = ERR_OK;

	for (size_t i = 0; i < EARLY_MAX; i++) {
		struct early x = k->early[i];
		enum err e;

		buf_init(&k->early[i].bytes);
		e = x.bytes.len > 0
		    ? sheetbook_offer(k, x.bytes.data, x.bytes.len, x.verified, wall_ms) : ERR_OK;
		buf_release(&x.bytes);
		if (result == ERR_OK)
			result = e;
	}
	return result;
}

static struct evidence_statement
statement(uint32_t epoch, const uint8_t hash[static 32],
    const uint8_t signature[static SHEET_SIGNATURE_BYTES])
{
	struct evidence_statement s = { .kind = EVIDENCE_SHEET, .number = epoch };

	memcpy(s.hash, hash, sizeof(s.hash));
	memcpy(s.signature, signature, sizeof(s.signature));
	return s;
}

/* Without the first one's signature, of an old state, it is no evidence. */
static void
strike(struct sheetbook *k, struct page *page, const struct sheet_shown *other)
{
	const struct evidence_statement a = statement(page->epoch, page->hash, page->signature);
	const struct evidence_statement b = statement(other->epoch, other->hash, other->signature);

	page->struck = true;
	if (evidence_make(&k->proof, succession_first(k->charters), &a, &b) == ERR_OK)
		k->proven = true;
}

bool
sheetbook_take_evidence(struct sheetbook *k, struct evidence *out)
{
	bool proven = k->proven;

	if (proven)
		*out = k->proof;
	k->proven = false;
	return proven;
}

enum err
sheetbook_offer(struct sheetbook *k, const uint8_t *p, size_t n, bool verified, int64_t wall_ms)
{
	uint32_t now = timing_epoch(k->params, wall_ms);
	struct sheet_shown shown;
	struct page *page;
	enum err e = sheet_show_check(&shown, p, n, succession_first(k->charters));

	if (e != ERR_OK)
		return e;
	if (shown.epoch < now || shown.epoch - now > 1)
		return ERR_OK;
	page = find_page(k, shown.epoch);
	if (page == NULL ||
	    (page->sheet == NULL && memcmp(page->hash, shown.hash, 32) == 0)) /* public */
		e = take_sheet(k, &page, &shown, p);
	if (e == ERR_EPOCH)
		return keep_early(&k->early[shown.epoch % EARLY_MAX], p, n, verified);
	if (e != ERR_OK)
		return e;
	if (memcmp(page->hash, shown.hash, 32) != 0) { /* public */
		strike(k, page, &shown);
		return ERR_CHAIN;
	}
	page->verified = page->verified || verified;
	return ERR_OK;
}

const struct sheet *
sheetbook_find(const struct sheetbook *k, uint32_t epoch, bool *verified)
{
	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++) {
		const struct page *p = &k->pages[i];
		if (!p->used || p->epoch != epoch || p->struck || p->sheet == NULL)
			continue;
		if (verified != NULL)
			*verified = p->verified;
		return p->sheet;
	}
	return NULL;
}

/* ---- what outlives the program ---- */

static bool
lasting(const struct page *p)
{
	return p->used && (p->verified || p->struck);
}

void
sheetbook_put(struct writer *w, const struct sheetbook *k)
{
	uint8_t count = 0;

	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++)
		count = (uint8_t)(count + lasting(&k->pages[i]));
	writer_u8(w, count);
	for (size_t i = 0; i < SHEETBOOK_EPOCHS; i++) {
		const struct page *p = &k->pages[i];
		if (!lasting(p))
			continue;
		writer_u32(w, p->epoch);
		writer_u8(w, p->struck);
		writer_copy(w, p->hash, sizeof(p->hash));
		writer_copy(w, p->signature, sizeof(p->signature));
	}
}

void
sheetbook_get(struct reader *r, struct sheetbook *k, bool with_signatures)
{
	uint8_t count = reader_u8(r);

	if (count > SHEETBOOK_EPOCHS)
		reader_fail(r, ERR_MALFORMED);
	for (uint8_t i = 0; i < count && reader_ok(r); i++) {
		uint32_t epoch = reader_u32(r);
		bool struck = reader_u8(r) != 0;
		uint8_t hash[32];
		struct page *p;

		reader_copy(r, hash, sizeof(hash));
		p = find_page(k, epoch) == NULL ? new_page(k, epoch, hash) : NULL;
		if (p == NULL) {
			reader_fail(r, ERR_MALFORMED);
			return;
		}
		p->struck = struck;
		p->verified = !struck;
		if (with_signatures)
			reader_copy(r, p->signature, sizeof(p->signature));
	}
}
