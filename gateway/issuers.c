#include "config.h"

#include "gateway/issuers.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "mix/shelf.h"

/* The former epoch, the running one, those to come, and spare. */
static_assert(ISSUER_AHEAD + 4 <= SHELF_PLACES, "a seed of each epoch has a place");

/* In secret memory as a whole, but for the issuer, which has its own. */
struct held {
	struct shelf_item item; /* first */
	struct redeemer redeemer; /* what others see */
	struct issuer *issuer;
	uint8_t seed[ISSUER_SEED_BYTES], mark_key[ISSUERS_MARK_KEY_BYTES];
};

struct issuers {
	struct issuers_config cfg;
	const struct params *params; /* the constant ones */
	struct shelf *shelf;
};

/* ---- what redeems ---- */

static struct held *
held_of(const struct redeemer *r)
{
	return (struct held *)((uintptr_t)r - offsetof(struct held, redeemer));
}

static void
destroy_held(struct shelf_item *item)
{
	struct held *h = (struct held *)item;

	issuer_free(h->issuer);
	secret_free(h);
}

static enum err
held_new(struct held **out, const struct params *p, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES])
{
	struct held *h = secret_new(sizeof(*h));
	enum err e;

	if (h == NULL)
		return ERR_MEMORY;
	e = issuer_new(&h->issuer, p, epoch, seed);
	if (e != ERR_OK) {
		secret_free(h);
		return e;
	}
	memcpy(h->seed, seed, sizeof(h->seed));
	hash_derive(h->mark_key, seed, "restante/spent", NULL, 0);
	h->item = (struct shelf_item){ epoch, 1 };
	h->redeemer = (struct redeemer){ epoch, h->issuer, h->mark_key };
	*out = h;
	return ERR_OK;
}

/* file = header (epochfile.h) || seed 32 */
static void
put_seed(struct writer *w, const struct shelf_item *item)
{
	writer_copy(w, ((const struct held *)item)->seed, ISSUER_SEED_BYTES);
}

static enum err
get_seed(struct shelf_item **out, void *arg, uint32_t epoch, struct reader *r)
{
	const struct issuers *k = arg;
	uint8_t seed[ISSUER_SEED_BYTES];
	struct held *h;
	enum err e;

	reader_copy(r, seed, sizeof(seed));
	e = reader_end(r);
	if (e == ERR_OK)
		e = held_new(&h, k->params, epoch, seed);
	if (e == ERR_OK)
		*out = &h->item;
	secret_wipe(seed, sizeof(seed));
	return e;
}

static const struct shelf_kind seed_kind = { .file = { "seed", "rstsed", 0 },
	.body_bytes = ISSUER_SEED_BYTES,
	.remedy = "restore it or remove it; the registrar gives it again",
	.put = put_seed,
	.get = get_seed,
	.destroy = destroy_held };

const struct redeemer *
issuers_hold(const struct redeemer *r)
{
	shelf_hold(&held_of(r)->item);
	return r;
}

void
issuers_drop(const struct redeemer *r)
{
	if (r != NULL)
		shelf_drop(&seed_kind, &held_of(r)->item);
}

const struct redeemer *
issuers_find(const struct issuers *k, uint32_t epoch)
{
	const struct held *h = (const struct held *)shelf_find(k->shelf, epoch);

	return h != NULL ? &h->redeemer : NULL;
}

bool
issuers_exists(const struct issuers *k, uint32_t epoch)
{
	return shelf_exists(k->shelf, epoch);
}

unsigned
issuers_count(const struct issuers *k, uint32_t from_epoch)
{
	uint32_t epochs[SHELF_PLACES];
	size_t count = shelf_epochs(k->shelf, epochs);
	unsigned n = 0;

	for (size_t i = 0; i < count; i++)
		n += epochs[i] >= from_epoch;
	return n;
}

/* ---- seeds that come ---- */

static enum err
check(const struct issuers *k, uint16_t from, uint32_t epoch, int64_t wall_ms)
{
	uint32_t now = timing_epoch(k->params, wall_ms);
	const struct charter *c = succession_at(k->cfg.charters, epoch);
	const struct charter_node *registrar = c != NULL ? charter_registrar(c) : NULL;

	if (epoch < now || epoch - now > ISSUER_AHEAD)
		return ERR_EPOCH;
	return registrar != NULL && registrar->number == from ? ERR_OK : ERR_NOT_FOUND;
}

/* The epoch's seed is there: this one is the same, or refused. */
static enum err
compare(const struct held *h, const uint8_t seed[static ISSUER_SEED_BYTES])
{
	if (h == NULL)
		return ERR_EPOCH;
	return sodium_memcmp(h->seed, seed, ISSUER_SEED_BYTES) == 0 ? ERR_OK : ERR_EXISTS;
}

enum err
issuers_take(struct issuers *k, uint16_t from, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES], int64_t wall_ms)
{
	struct held *h;
	enum err e = check(k, from, epoch, wall_ms);

	if (e != ERR_OK)
		return e;
	if (shelf_exists(k->shelf, epoch))
		return compare((const struct held *)shelf_known(k->shelf, epoch), seed);
	e = held_new(&h, k->params, epoch, seed);
	if (e != ERR_OK)
		return e;
	e = k->cfg.fits(k->cfg.arg, issuer_keys(h->issuer)) ? shelf_add(k->shelf, &h->item) :
							      ERR_EXISTS;
	if (e != ERR_OK)
		destroy_held(&h->item);
	return e;
}

void
issuers_turn(struct issuers *k, int64_t wall_ms)
{
	shelf_turn(k->shelf, wall_ms);
}

/* ---- what the shelf asks and tells ---- */

/*
 * A clock that was set far forward must not leave seeds of a far future in all places:
 * they are given again when it is their time.
 */
static bool
over(void *arg, uint32_t epoch, int64_t wall_ms)
{
	const struct issuers *k = arg;
	uint32_t now = timing_epoch(k->params, wall_ms);

	return wall_ms >= timing_epoch_start(k->params, epoch + 1) + k->params->grace_ms ||
	    (epoch > now && epoch - now > ISSUER_AHEAD + 1);
}

static void
stored(void *arg, uint32_t epoch)
{
	struct issuers *k = arg;

	log_event(k->cfg.log, LOG_SEED_STORED, epoch, 0, 0);
	k->cfg.made(k->cfg.arg, epoch);
}

static void
removed(void *arg, uint32_t epoch)
{
	const struct issuers *k = arg;

	log_event(k->cfg.log, LOG_SEED_DESTROYED, epoch, 0, 0);
}

/* ---- life ---- */

enum err
issuers_open(struct issuers **out, const struct issuers_config *cfg, struct diag *d)
{
	struct issuers *k = calloc(1, sizeof(*k));
	const struct shelf_config shelf = { &seed_kind, cfg->disk, cfg->queue, cfg->log, over,
		stored, removed, k };
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->params = &succession_first(cfg->charters)->params;
	e = shelf_open(&k->shelf, &shelf, d);
	if (e != ERR_OK) {
		free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
issuers_free(struct issuers *k)
{
	if (k == NULL)
		return;
	shelf_free(k->shelf);
	free(k);
}
