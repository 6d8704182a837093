#include "config.h"

#include "mix/epochkeys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "mix/epochfile.h"

/* file = header (epochfile.h) || secret key 32 || public key 32 */
#define FILE_BYTES (EPOCHFILE_HEADER_BYTES + 2 * ONION_KEY_BYTES)
#define KEYS_MAX 8
#define RETRY_MS 10000

static const struct epochfile key_file = { "key", "rstkey", 0 };

/* In secret memory as a whole. */
struct held_key {
	struct epochkey key; /* first: what others see */
	unsigned holders;
	uint8_t sk[ONION_KEY_BYTES];
};

/* What stands for one epoch, from the first attempt to store to the last to remove. */
enum place_state {
	PLACE_FREE,
	PLACE_MADE,   /* in memory, not yet stored */
	PLACE_STORED,
	PLACE_DOOMED, /* the memory is wiped, the file is still there */
};

struct place {
	enum place_state state;
	bool writing; /* a job of this place is under way */
	uint32_t epoch;
	struct held_key *held; /* NULL once doomed */
};

struct epochkeys {
	struct epochkeys_config cfg;
	struct epochkeys_events events;
	void *arg;
	bool failed; /* as log_disk wants it */
	struct place places[KEYS_MAX];
};

/* ---- keys ---- */

static struct held_key *
held_new(uint32_t epoch)
{
	struct held_key *h = secret_new(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->key.epoch = epoch;
	h->key.sk = h->sk;
	h->holders = 1;
	return h;
}

const struct epochkey *
epochkeys_hold(const struct epochkey *key)
{
	((struct held_key *)(uintptr_t)key)->holders++;
	return key;
}

void
epochkeys_drop(const struct epochkey *key)
{
	struct held_key *h = (struct held_key *)(uintptr_t)key;

	if (h != NULL && --h->holders == 0)
		secret_free(h);
}

static struct place *
place_of(const struct epochkeys *k, uint32_t epoch)
{
	for (size_t i = 0; i < KEYS_MAX; i++) {
		const struct place *p = &k->places[i];

		if (p->state != PLACE_FREE && p->epoch == epoch)
			return (struct place *)(uintptr_t)p;
	}
	return NULL;
}

const struct epochkey *
epochkeys_find(const struct epochkeys *k, uint32_t epoch)
{
	const struct place *p = place_of(k, epoch);

	return p != NULL && p->state == PLACE_STORED ? &p->held->key : NULL;
}

bool
epochkeys_exists(const struct epochkeys *k, uint32_t epoch)
{
	return place_of(k, epoch) != NULL;
}

/* ---- loading ---- */

static enum err
parse_key(struct held_key *h, const struct buf *b, struct diag *d)
{
	uint8_t pk[ONION_KEY_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, b->data, b->len);
	e = epochfile_check(&r, &key_file, h->key.epoch, d);
	if (e != ERR_OK)
		return e;
	reader_copy(&r, h->sk, sizeof(h->sk));
	reader_copy(&r, h->key.pk, sizeof(h->key.pk));
	e = reader_end(&r);
	if (e == ERR_OK && (crypto_scalarmult_base(pk, h->sk) != 0 ||
	    sodium_memcmp(pk, h->key.pk, sizeof(pk)) != 0))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		return ERR_OK;
	return epochfile_damaged(d, e, &key_file, h->key.epoch,
	    "restore it or remove it; without it the node sits that epoch out");
}

static enum err
load_key(struct epochkeys *k, struct place *p, uint32_t epoch, struct diag *d)
{
	struct held_key *h = held_new(epoch);
	char name[EPOCHFILE_NAME_BYTES];
	struct buf b;
	enum err e;

	if (h == NULL)
		return ERR_MEMORY;
	epochfile_name(name, &key_file, epoch);
	buf_init(&b);
	e = disk_read(k->cfg.disk, &b, name, FILE_BYTES);
	if (e == ERR_OK)
		e = parse_key(h, &b, d);
	else
		e = epochfile_damaged(d, e, &key_file, epoch,
		    "see that the file is ours and readable, or remove it");
	buf_release(&b);
	if (e == ERR_OK)
		*p = (struct place){ .state = PLACE_STORED, .epoch = epoch, .held = h };
	else
		epochkeys_drop(&h->key);
	return e;
}

enum err
epochkeys_open(struct epochkeys **out, const struct epochkeys_config *cfg,
    const struct epochkeys_events *events, void *arg, struct diag *d)
{
	struct epochkeys *k = calloc(1, sizeof(*k));
	uint32_t epochs[KEYS_MAX];
	size_t n = 0;
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->events = *events;
	k->arg = arg;
	e = epochfile_list(epochs, &n, KEYS_MAX, &key_file, cfg->disk, d);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = load_key(k, &k->places[i], epochs[i], d);
	if (e != ERR_OK) {
		epochkeys_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

static void
place_wipe(struct place *p)
{
	if (p->held != NULL)
		epochkeys_drop(&p->held->key);
	p->held = NULL;
}

void
epochkeys_free(struct epochkeys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < KEYS_MAX; i++)
		place_wipe(&k->places[i]);
	free(k);
}

/* ---- files ---- */

struct key_job {
	struct epochkeys *owner;
	struct place *place;
	const struct epochkey *key; /* held; NULL: remove the file */
	enum err err;
};

static enum err
write_key(struct disk *disk, const char *name, const struct epochkey *key)
{
	uint8_t bytes[FILE_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	epochfile_put(&w, &key_file, key->epoch);
	writer_copy(&w, key->sk, ONION_KEY_BYTES);
	writer_copy(&w, key->pk, ONION_KEY_BYTES);
	e = disk_replace(disk, name, bytes, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
	return e;
}

/* On the queue's thread. place->epoch does not change while it is writing. */
static void
key_run(void *arg)
{
	struct key_job *j = arg;
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, &key_file, j->place->epoch);
	j->err = j->key != NULL ? write_key(j->owner->cfg.disk, name, j->key)
				: disk_remove(j->owner->cfg.disk, name);
}

static void
stored(struct epochkeys *k, struct place *p)
{
	if (p->state != PLACE_MADE) /* its epoch ended meanwhile: the file goes next */
		return;
	p->state = PLACE_STORED;
	log_event(k->cfg.log, LOG_EPOCH_KEY_MADE, p->epoch, 0, 0);
	if (k->events.made != NULL)
		k->events.made(k->arg, p->epoch);
}

static void
removed(struct epochkeys *k, struct place *p)
{
	uint32_t epoch = p->epoch;

	*p = (struct place){ .state = PLACE_FREE };
	log_event(k->cfg.log, LOG_EPOCH_KEY_DESTROYED, epoch, 0, 0);
	if (k->events.destroyed != NULL)
		k->events.destroyed(k->arg, epoch);
}

static void
key_done(void *arg)
{
	struct key_job *j = arg;
	struct epochkeys *k = j->owner;
	struct place *p = j->place;
	bool store = j->key != NULL;
	enum err e = j->err;

	epochkeys_drop(j->key);
	free(j);
	p->writing = false;
	log_disk(k->cfg.log, &k->failed, e);
	if (e != ERR_OK)
		return;
	if (store)
		stored(k, p);
	else
		removed(k, p);
}

static void
start_job(struct epochkeys *k, struct place *p)
{
	struct key_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return; /* the next turn tries again */
	j->owner = k;
	j->place = p;
	if (p->state == PLACE_MADE)
		j->key = epochkeys_hold(&p->held->key);
	if (workq_add(k->cfg.queue, key_run, key_done, j) == ERR_OK) {
		p->writing = true;
		return;
	}
	epochkeys_drop(j->key);
	free(j);
}

/* ---- the turn of time ---- */

static void
place_doom(struct place *p)
{
	place_wipe(p);
	p->state = PLACE_DOOMED;
}

/*
 * A free place. If there is none, the key of the farthest future makes room: a
 * clock that was set far forward must not leave us without keys for ever.
 */
static struct place *
place_for(struct epochkeys *k, uint32_t epoch)
{
	struct place *farthest = NULL;

	for (size_t i = 0; i < KEYS_MAX; i++) {
		struct place *p = &k->places[i];

		if (p->state == PLACE_FREE)
			return p;
		if (p->state == PLACE_STORED && p->epoch > epoch + 1 &&
		    (farthest == NULL || p->epoch > farthest->epoch))
			farthest = p;
	}
	if (farthest != NULL)
		place_doom(farthest);
	return NULL; /* until the next turn */
}

static void
make_key(struct epochkeys *k, uint32_t epoch)
{
	struct place *p = place_for(k, epoch);
	struct held_key *h = p != NULL ? held_new(epoch) : NULL;

	if (h == NULL)
		return;
	rng_bytes(k->cfg.keys, h->sk, sizeof(h->sk));
	if (crypto_scalarmult_base(h->key.pk, h->sk) != 0) {
		epochkeys_drop(&h->key);
		return;
	}
	*p = (struct place){ .state = PLACE_MADE, .epoch = epoch, .held = h };
}

static int64_t
end_of_use(const struct params *p, uint32_t epoch)
{
	return timing_epoch_start(p, epoch + 1) + p->grace_ms;
}

static int64_t
making_time(const struct params *p, uint32_t epoch)
{
	return timing_epoch_start(p, epoch) - params_scaled(p, EPOCHKEYS_AHEAD_MS);
}

static void
turn_place(struct epochkeys *k, struct place *p, int64_t wall_ms)
{
	if (p->state == PLACE_FREE)
		return;
	if (p->state != PLACE_DOOMED && wall_ms >= end_of_use(k->cfg.params, p->epoch))
		place_doom(p);
	if (!p->writing && p->state != PLACE_STORED)
		start_job(k, p);
}

void
epochkeys_turn(struct epochkeys *k, int64_t wall_ms)
{
	const struct params *params = k->cfg.params;
	uint32_t now = timing_epoch(params, wall_ms);

	if (place_of(k, now) == NULL)
		make_key(k, now);
	if (place_of(k, now + 1) == NULL && wall_ms >= making_time(params, now + 1))
		make_key(k, now + 1);
	for (size_t i = 0; i < KEYS_MAX; i++)
		turn_place(k, &k->places[i], wall_ms);
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
	uint32_t now = timing_epoch(params, wall_ms);
	int64_t next = timing_epoch_start(params, now + 1);

	sooner(&next, making_time(params, now + 1), wall_ms);
	for (size_t i = 0; i < KEYS_MAX; i++) {
		const struct place *p = &k->places[i];

		if (p->state == PLACE_STORED)
			sooner(&next, end_of_use(params, p->epoch), wall_ms);
		else if (p->state != PLACE_FREE)
			sooner(&next, wall_ms + params_scaled(params, RETRY_MS), wall_ms);
	}
	return next;
}
