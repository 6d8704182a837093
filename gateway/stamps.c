#include "config.h"

#include "gateway/stamps.h"

#include <stdlib.h>
#include <string.h>

/* Of one proof that is checked 60 microseconds: a slice is worth handing over. */
#define SLICE_LEAST 16
#define SLICES_PER_THREAD 4
#define CLAIM_MAX 65536 /* marks at a time: the store has room for others' too */
#define KEYS_MAX 3 /* of the epochs before, running, and to come */
_Static_assert(CLAIM_MAX < SPENT_WAITING_MAX, "a batch of any size is spent, claim by claim");

struct slice {
	struct stamps *owner;
	size_t from, to;
};

struct stamps {
	struct stamps_config cfg;
	size_t record_size;
	struct workq *workers;
	struct stamps_status status;
	/* the batch under way */
	bool busy, closing;
	struct stamp *const *list;
	size_t count;
	const struct redeemer *keys[KEYS_MAX]; /* held; the workers only read them */
	size_t key_count;
	struct spent_mark *marks; /* of one epoch at a time */
	size_t *places;		  /* whose they are */
	size_t mark_count;
	unsigned slices_left;
	stamps_done_cb *done;
	void *arg;
	struct slice slices[];
};

bool
stamps_needed(const struct stamps *k, uint32_t epoch)
{
	const struct charter *c = succession_near(k->cfg.charters, epoch);

	return charter_registrar(c) != NULL;
}

void
stamp_init(struct stamp *s, uint32_t epoch, const uint8_t *bytes, const uint8_t *record)
{
	*s = (struct stamp){ .epoch = epoch, .bytes = bytes, .record = record };
}

/* ---- the keys ---- */

static const struct redeemer *
key_of(const struct stamps *k, uint32_t epoch)
{
	for (size_t i = 0; i < k->key_count; i++)
		if (k->keys[i]->epoch == epoch)
			return k->keys[i];
	return NULL;
}

static void
hold_key(struct stamps *k, uint32_t epoch)
{
	const struct redeemer *r = issuers_find(k->cfg.issuers, epoch);

	if (r != NULL && key_of(k, epoch) == NULL && k->key_count < KEYS_MAX)
		k->keys[k->key_count++] = issuers_hold(r);
}

static void
hold_keys(struct stamps *k)
{
	for (size_t i = 0; i < k->count; i++) {
		hold_key(k, k->list[i]->epoch);
		if (k->list[i]->epoch > 0)
			hold_key(k, k->list[i]->epoch - 1);
	}
}

static void
drop_keys(struct stamps *k)
{
	while (k->key_count > 0)
		issuers_drop(k->keys[--k->key_count]);
}

/* ---- the end ---- */

static void
finish(struct stamps *k, enum err e)
{
	free(k->marks);
	free(k->places);
	k->marks = NULL;
	k->places = NULL;
	drop_keys(k);
	k->busy = false;
	k->done(k->arg, e);
}

/* ---- spending, epoch by epoch ---- */

static void spend(struct stamps *k);

static void
on_spent(void *arg, enum err e)
{
	struct stamps *k = arg;

	if (k->closing)
		return;
	if (e != ERR_OK) {
		finish(k, e);
		return;
	}
	for (size_t i = 0; i < k->mark_count; i++) {
		struct stamp *s = k->list[k->places[i]];

		s->verdict = k->marks[i].fresh ? STAMP_PAID : STAMP_SPENT;
		k->status.paid += k->marks[i].fresh;
		k->status.spent += !k->marks[i].fresh;
	}
	spend(k);
}

/* The genuine ones of the first epoch that is left, as many as go at a time. */
static void
spend(struct stamps *k)
{
	uint32_t epoch = 0;
	enum err e;

	k->mark_count = 0;
	for (size_t i = 0; i < k->count && k->mark_count < CLAIM_MAX; i++) {
		const struct stamp *s = k->list[i];

		if (s->verdict != STAMP_GENUINE ||
		    (k->mark_count > 0 && s->spent_epoch != epoch))
			continue;
		epoch = s->spent_epoch;
		k->places[k->mark_count] = i;
		k->marks[k->mark_count++] = s->mark;
	}
	if (k->mark_count == 0) {
		finish(k, ERR_OK);
		return;
	}
	e = spent_claim(k->cfg.spent, epoch, k->marks, k->mark_count, on_spent, k);
	if (e != ERR_OK)
		finish(k, e);
}

/* ---- checking, on the workers ---- */

static bool
redeem(struct stamp *s, const struct redeemer *r, size_t record_size)
{
	if (r == NULL || issuer_redeem_stamp(r->issuer, s->bytes, s->record, record_size) != ERR_OK)
		return false;
	s->verdict = STAMP_GENUINE;
	s->spent_epoch = r->epoch;
	spent_mark(s->mark.mark, r->mark_key, TOKEN_STAMP, s->bytes);
	return true;
}

static void
slice_run(void *arg)
{
	const struct slice *part = arg;
	const struct stamps *k = part->owner;

	for (size_t i = part->from; i < part->to; i++) {
		struct stamp *s = k->list[i];

		if (s->verdict != STAMP_OPEN || redeem(s, key_of(k, s->epoch), k->record_size))
			continue;
		if (s->epoch == 0 || !redeem(s, key_of(k, s->epoch - 1), k->record_size))
			s->verdict = STAMP_FORGED;
	}
}

static void
count_forged(struct stamps *k)
{
	for (size_t i = 0; i < k->count; i++)
		k->status.forged += k->list[i]->verdict == STAMP_FORGED;
}

static void
slice_done(void *arg)
{
	struct stamps *k = ((struct slice *)arg)->owner;

	if (--k->slices_left > 0 || k->closing)
		return;
	count_forged(k);
	spend(k);
}

static size_t
slice_count(const struct stamps *k)
{
	size_t most = (size_t)k->cfg.threads * SLICES_PER_THREAD, worth = k->count / SLICE_LEAST;

	if (worth == 0)
		return 1;
	return worth < most ? worth : most;
}

/* An error if the first slice cannot be handed over; what cannot be later is done here. */
static enum err
spread(struct stamps *k)
{
	size_t slices = slice_count(k);
	enum err e;

	for (size_t i = 0; i < slices; i++) {
		struct slice *part = &k->slices[i];

		*part = (struct slice){ k, k->count * i / slices, k->count * (i + 1) / slices };
		e = workq_add(k->workers, slice_run, slice_done, part);
		if (e == ERR_OK)
			k->slices_left++;
		else if (i == 0)
			return e;
		else
			slice_run(part);
	}
	return ERR_OK;
}

/* A claim for each that is judged for the first time; it stays over failures. */
static void
draw_claims(struct stamps *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->list[i]->verdict == STAMP_OPEN)
			rng_bytes(k->cfg.keys, k->list[i]->mark.claim, SPENT_CLAIM_BYTES);
}

enum err
stamps_judge(struct stamps *k, struct stamp *const *list, size_t n, stamps_done_cb *done, void *arg)
{
	enum err e = ERR_MEMORY;

	if (k->busy)
		return ERR_BUSY;
	k->list = list;
	k->count = n;
	k->done = done;
	k->arg = arg;
	k->slices_left = 0;
	k->marks = calloc(n, sizeof(k->marks[0]));
	k->places = calloc(n, sizeof(k->places[0]));
	if (k->marks != NULL && k->places != NULL) {
		hold_keys(k);
		draw_claims(k);
		e = spread(k);
	}
	k->busy = e == ERR_OK;
	if (e == ERR_OK)
		return ERR_OK;
	drop_keys(k);
	free(k->marks);
	free(k->places);
	k->marks = NULL;
	k->places = NULL;
	return e;
}

void
stamps_get_status(const struct stamps *k, struct stamps_status *out)
{
	*out = k->status;
}

/* ---- life ---- */

enum err
stamps_new(struct stamps **out, const struct stamps_config *cfg)
{
	size_t slices = (size_t)cfg->threads * SLICES_PER_THREAD;
	struct stamps *k = calloc(1, sizeof(*k) + slices * sizeof(k->slices[0]));

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->record_size = succession_first(cfg->charters)->params.record_size;
	k->workers = workq_new(cfg->loop, cfg->threads);
	if (k->workers == NULL) {
		free(k);
		return ERR_MEMORY;
	}
	*out = k;
	return ERR_OK;
}

void
stamps_free(struct stamps *k)
{
	if (k == NULL)
		return;
	k->closing = true;
	workq_free(k->workers);
	drop_keys(k);
	free(k->marks);
	free(k->places);
	free(k);
}
