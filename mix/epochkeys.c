#include "config.h"

#include "mix/epochkeys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "mix/shelf.h"

/* file = header (epochfile.h) || secret key 32 || public key 32 */
#define BODY_BYTES (2 * ONION_KEY_BYTES)
#define RETRY_MS 10000

/* In secret memory as a whole. */
struct held_key {
	struct shelf_item item; /* first */
	struct epochkey key;	/* what others see */
	uint8_t sk[ONION_KEY_BYTES];
};

struct epochkeys {
	struct epochkeys_config cfg;
	struct epochkeys_events events;
	void *arg;
	struct shelf *shelf;
};

/* ---- keys ---- */

static struct held_key *
held_new(uint32_t epoch)
{
	struct held_key *h = secret_new(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->item = (struct shelf_item){ epoch, 1 };
	h->key.epoch = epoch;
	h->key.sk = h->sk;
	return h;
}

static struct held_key *
held_of(const struct epochkey *key)
{
	return (struct held_key *)((uintptr_t)key - offsetof(struct held_key, key));
}

static void
put_key(struct writer *w, const struct shelf_item *item)
{
	const struct held_key *h = (const struct held_key *)item;

	writer_copy(w, h->sk, sizeof(h->sk));
	writer_copy(w, h->key.pk, sizeof(h->key.pk));
}

static enum err
parse_key(struct held_key *h, struct reader *r)
{
	uint8_t pk[ONION_KEY_BYTES];
	enum err e;

	reader_copy(r, h->sk, sizeof(h->sk));
	reader_copy(r, h->key.pk, sizeof(h->key.pk));
	e = reader_end(r);
	if (e == ERR_OK && (crypto_scalarmult_base(pk, h->sk) != 0 ||
	    sodium_memcmp(pk, h->key.pk, sizeof(pk)) != 0))
		e = ERR_MALFORMED;
	return e;
}

static enum err
get_key(struct shelf_item **out, void *arg, uint32_t epoch, struct reader *r)
{
	struct held_key *h = held_new(epoch);
	enum err e;

	(void)arg;
	if (h == NULL)
		return ERR_MEMORY;
	e = parse_key(h, r);
	if (e == ERR_OK)
		*out = &h->item;
	else
		secret_free(h);
	return e;
}

static void
destroy_key(struct shelf_item *item)
{
	secret_free(item);
}

static const struct shelf_kind key_kind = { .file = { "key", "rstkey", 0 },
	.body_bytes = BODY_BYTES,
	.remedy = "restore it or remove it; without it the node sits that epoch out",
	.put = put_key,
	.get = get_key,
	.destroy = destroy_key };

const struct epochkey *
epochkeys_hold(const struct epochkey *key)
{
	shelf_hold(&held_of(key)->item);
	return key;
}

void
epochkeys_drop(const struct epochkey *key)
{
	if (key != NULL)
		shelf_drop(&key_kind, &held_of(key)->item);
}

const struct epochkey *
epochkeys_find(const struct epochkeys *k, uint32_t epoch)
{
	const struct held_key *h = (const struct held_key *)shelf_find(k->shelf, epoch);

	return h != NULL ? &h->key : NULL;
}

bool
epochkeys_exists(const struct epochkeys *k, uint32_t epoch)
{
	return shelf_exists(k->shelf, epoch);
}

/* ---- what the shelf asks and tells ---- */

static int64_t
end_of_use(const struct params *p, uint32_t epoch)
{
	return timing_epoch_start(p, epoch + 1) + p->grace_ms;
}

static bool
over(void *arg, uint32_t epoch, int64_t wall_ms)
{
	const struct epochkeys *k = arg;

	return wall_ms >= end_of_use(k->cfg.params, epoch);
}

static void
stored(void *arg, uint32_t epoch)
{
	struct epochkeys *k = arg;

	log_event(k->cfg.log, LOG_EPOCH_KEY_MADE, epoch, 0, 0);
	if (k->events.made != NULL)
		k->events.made(k->arg, epoch);
}

static void
removed(void *arg, uint32_t epoch)
{
	struct epochkeys *k = arg;

	log_event(k->cfg.log, LOG_EPOCH_KEY_DESTROYED, epoch, 0, 0);
	if (k->events.destroyed != NULL)
		k->events.destroyed(k->arg, epoch);
}

/* ---- life ---- */

enum err
epochkeys_open(struct epochkeys **out, const struct epochkeys_config *cfg,
    const struct epochkeys_events *events, void *arg, struct diag *d)
{
	struct epochkeys *k = calloc(1, sizeof(*k));
	const struct shelf_config shelf = { &key_kind, cfg->disk, cfg->queue, cfg->log, over, stored,
		removed, k };
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->events = *events;
	k->arg = arg;
	e = shelf_open(&k->shelf, &shelf, d);
	if (e != ERR_OK) {
		free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
epochkeys_free(struct epochkeys *k)
{
	if (k == NULL)
		return;
	shelf_free(k->shelf);
	free(k);
}

/* ---- the turn of time ---- */

/*
 * If there is no room, the key of the farthest future makes some: a clock that was set
 * far forward must not leave us without keys for ever. The next turn tries again.
 */
static void
make_key(struct epochkeys *k, uint32_t epoch)
{
	struct held_key *h = held_new(epoch);

	if (h == NULL)
		return;
	rng_bytes(k->cfg.keys, h->sk, sizeof(h->sk));
	if (crypto_scalarmult_base(h->key.pk, h->sk) != 0) {
		secret_free(h);
		return;
	}
	if (shelf_add(k->shelf, &h->item) == ERR_OK)
		return;
	secret_free(h);
	shelf_make_room(k->shelf, epoch + 1);
}

static int64_t
making_time(const struct params *p, uint32_t epoch)
{
	return timing_epoch_start(p, epoch) - params_scaled(p, EPOCHKEYS_AHEAD_MS);
}

void
epochkeys_turn(struct epochkeys *k, int64_t wall_ms)
{
	const struct params *params = k->cfg.params;
	uint32_t now = timing_epoch(params, wall_ms);

	if (!shelf_exists(k->shelf, now))
		make_key(k, now);
	if (!shelf_exists(k->shelf, now + 1) && wall_ms >= making_time(params, now + 1))
		make_key(k, now + 1);
	shelf_turn(k->shelf, wall_ms);
}

/* The least time later than wall_ms. */
static void
sooner(int64_t *next, int64_t t, int64_t wall_ms)
{
	if (t > wall_ms && t < *next)
		*next = t;
}

int64_t
epochkeys_next_ms(const struct epochkeys *k, int64_t wall_ms)
{
	const struct params *params = k->cfg.params;
	uint32_t now = timing_epoch(params, wall_ms), epochs[SHELF_PLACES];
	size_t n = shelf_epochs(k->shelf, epochs);
	int64_t next = timing_epoch_start(params, now + 1);

	sooner(&next, making_time(params, now + 1), wall_ms);
	for (size_t i = 0; i < n; i++)
		sooner(&next, end_of_use(params, epochs[i]), wall_ms);
	if (shelf_busy(k->shelf))
		sooner(&next, wall_ms + params_scaled(params, RETRY_MS), wall_ms);
	return next;
}
