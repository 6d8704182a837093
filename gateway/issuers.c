#include "config.h"

#include "gateway/issuers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "mix/epochfile.h"

/* file = header (epochfile.h) || seed 32 */
#define FILE_BYTES (EPOCHFILE_HEADER_BYTES + ISSUER_SEED_BYTES)
#define SEEDS_MAX (ISSUER_AHEAD + 4) /* the former, the running, those to come, and spare */

static const struct epochfile seed_file = { "seed", "rstsed", 0 };

/* In secret memory as a whole, but for the issuer, which has its own. */
struct held {
	struct redeemer redeemer; /* first: what others see */
	unsigned holders;
	struct issuer *issuer;
	uint8_t seed[ISSUER_SEED_BYTES], mark_key[ISSUERS_MARK_KEY_BYTES];
};

enum place_state {
	PLACE_FREE,
	PLACE_TAKEN,  /* in memory, not yet stored */
	PLACE_STORED,
	PLACE_DOOMED, /* the memory is wiped, the file is still there */
};

struct place {
	enum place_state state;
	bool writing; /* a job of this place is under way */
	uint32_t epoch;
	struct held *held; /* NULL once doomed */
};

struct issuers {
	struct issuers_config cfg;
	const struct params *params; /* the constant ones */
	bool failed; /* the last write */
	struct place places[SEEDS_MAX];
};

/* ---- what redeems ---- */

const struct redeemer *
issuers_hold(const struct redeemer *r)
{
	((struct held *)(uintptr_t)r)->holders++;
	return r;
}

void
issuers_drop(const struct redeemer *r)
{
	struct held *h = (struct held *)(uintptr_t)r;

	if (h == NULL || --h->holders > 0)
		return;
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
	h->holders = 1;
	h->redeemer = (struct redeemer){ epoch, h->issuer, h->mark_key };
	*out = h;
	return ERR_OK;
}

static struct place *
place_of(const struct issuers *k, uint32_t epoch)
{
	for (size_t i = 0; i < SEEDS_MAX; i++) {
		const struct place *p = &k->places[i];

		if (p->state != PLACE_FREE && p->epoch == epoch)
			return (struct place *)(uintptr_t)p;
	}
	return NULL;
}

const struct redeemer *
issuers_find(const struct issuers *k, uint32_t epoch)
{
	const struct place *p = place_of(k, epoch);

	return p != NULL && p->state == PLACE_STORED ? &p->held->redeemer : NULL;
}

bool
issuers_exists(const struct issuers *k, uint32_t epoch)
{
	return place_of(k, epoch) != NULL;
}

unsigned
issuers_count(const struct issuers *k, uint32_t from_epoch)
{
	unsigned n = 0;

	for (size_t i = 0; i < SEEDS_MAX; i++)
		n += k->places[i].state == PLACE_STORED && k->places[i].epoch >= from_epoch;
	return n;
}

static void
place_wipe(struct place *p)
{
	if (p->held != NULL)
		issuers_drop(&p->held->redeemer);
	p->held = NULL;
}

/* ---- files ---- */

struct seed_job {
	struct issuers *owner;
	struct place *place;
	const struct redeemer *redeemer; /* held; NULL: remove the file */
	enum err err;
};

static enum err
write_seed(struct disk *disk, const char *name, const struct held *h)
{
	uint8_t bytes[FILE_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	epochfile_put(&w, &seed_file, h->redeemer.epoch);
	writer_copy(&w, h->seed, sizeof(h->seed));
	e = disk_replace(disk, name, bytes, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
	return e;
}

/* On the queue's thread. place->epoch does not change while it is writing. */
static void
seed_run(void *arg)
{
	struct seed_job *j = arg;
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, &seed_file, j->place->epoch);
	j->err = j->redeemer != NULL ?
	    write_seed(j->owner->cfg.disk, name, (const struct held *)j->redeemer) :
	    disk_remove(j->owner->cfg.disk, name);
}

static void
settle(struct issuers *k, struct place *p, bool stored)
{
	uint32_t epoch = p->epoch;

	if (!stored) {
		*p = (struct place){ .state = PLACE_FREE };
		log_event(k->cfg.log, LOG_SEED_DESTROYED, epoch, 0, 0);
		return;
	}
	if (p->state != PLACE_TAKEN) /* its epoch ended meanwhile: the file goes next */
		return;
	p->state = PLACE_STORED;
	log_event(k->cfg.log, LOG_SEED_STORED, epoch, 0, 0);
	k->cfg.made(k->cfg.arg, epoch);
}

static void
seed_done(void *arg)
{
	struct seed_job *j = arg;
	struct issuers *k = j->owner;
	struct place *p = j->place;
	bool store = j->redeemer != NULL;
	enum err e = j->err;

	issuers_drop(j->redeemer);
	free(j);
	p->writing = false;
	if (e != ERR_OK)
		log_event(k->cfg.log, LOG_DISK_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	else if (k->failed)
		log_event(k->cfg.log, LOG_DISK_RECOVERED, 0, 0, 0);
	k->failed = e != ERR_OK;
	if (e == ERR_OK)
		settle(k, p, store);
}

/* What fails is tried again by issuers_turn. */
static void
start_job(struct issuers *k, struct place *p)
{
	struct seed_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return;
	j->owner = k;
	j->place = p;
	if (p->state == PLACE_TAKEN)
		j->redeemer = issuers_hold(&p->held->redeemer);
	if (workq_add(k->cfg.queue, seed_run, seed_done, j) == ERR_OK) {
		p->writing = true;
		return;
	}
	issuers_drop(j->redeemer);
	free(j);
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
compare(const struct place *p, const uint8_t seed[static ISSUER_SEED_BYTES])
{
	if (p->held == NULL)
		return ERR_EPOCH;
	return sodium_memcmp(p->held->seed, seed, ISSUER_SEED_BYTES) == 0 ? ERR_OK : ERR_EXISTS;
}

enum err
issuers_take(struct issuers *k, uint16_t from, uint32_t epoch,
    const uint8_t seed[static ISSUER_SEED_BYTES], int64_t wall_ms)
{
	struct place *p = place_of(k, epoch), *free_place = NULL;
	struct held *h;
	enum err e = check(k, from, epoch, wall_ms);

	if (e != ERR_OK)
		return e;
	if (p != NULL)
		return compare(p, seed);
	for (size_t i = 0; i < SEEDS_MAX && free_place == NULL; i++)
		if (k->places[i].state == PLACE_FREE)
			free_place = &k->places[i];
	if (free_place == NULL)
		return ERR_FULL;
	e = held_new(&h, k->params, epoch, seed);
	if (e != ERR_OK)
		return e;
	if (!k->cfg.fits(k->cfg.arg, issuer_keys(h->issuer))) {
		issuers_drop(&h->redeemer);
		return ERR_EXISTS;
	}
	*free_place = (struct place){ .state = PLACE_TAKEN, .epoch = epoch, .held = h };
	start_job(k, free_place);
	return ERR_OK;
}

/* ---- the turn of time ---- */

/*
 * A clock that was set far forward must not leave seeds of a far future in all places:
 * they are given again when it is their time.
 */
static bool
over(const struct issuers *k, uint32_t epoch, int64_t wall_ms)
{
	uint32_t now = timing_epoch(k->params, wall_ms);

	return wall_ms >= timing_epoch_start(k->params, epoch + 1) + k->params->grace_ms ||
	    (epoch > now && epoch - now > ISSUER_AHEAD + 1);
}

void
issuers_turn(struct issuers *k, int64_t wall_ms)
{
	for (size_t i = 0; i < SEEDS_MAX; i++) {
		struct place *p = &k->places[i];

		if (p->state == PLACE_FREE)
			continue;
		if (p->state != PLACE_DOOMED && over(k, p->epoch, wall_ms)) {
			place_wipe(p);
			p->state = PLACE_DOOMED;
		}
		if (!p->writing && p->state != PLACE_STORED)
			start_job(k, p);
	}
}

/* ---- life ---- */

static enum err
parse_seed(struct held **out, const struct issuers *k, uint32_t epoch, const struct buf *b,
    struct diag *d)
{
	uint8_t seed[ISSUER_SEED_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, b->data, b->len);
	e = epochfile_check(&r, &seed_file, epoch, d);
	if (e != ERR_OK)
		return e;
	reader_copy(&r, seed, sizeof(seed));
	e = reader_end(&r);
	if (e == ERR_OK)
		e = held_new(out, k->params, epoch, seed);
	secret_wipe(seed, sizeof(seed));
	if (e == ERR_OK)
		return ERR_OK;
	return epochfile_damaged(d, e, &seed_file, epoch,
	    "restore it or remove it; the registrar gives it again");
}

static enum err
load_seed(struct issuers *k, struct place *p, uint32_t epoch, struct diag *d)
{
	char name[EPOCHFILE_NAME_BYTES];
	struct held *h = NULL;
	struct buf b;
	enum err e;

	epochfile_name(name, &seed_file, epoch);
	buf_init(&b);
	e = disk_read(k->cfg.disk, &b, name, FILE_BYTES);
	if (e == ERR_OK)
		e = parse_seed(&h, k, epoch, &b, d);
	else
		e = epochfile_damaged(d, e, &seed_file, epoch,
		    "see that the file is ours and readable, or remove it");
	if (b.len > 0)
		secret_wipe(b.data, b.len);
	buf_release(&b);
	if (e == ERR_OK)
		*p = (struct place){ .state = PLACE_STORED, .epoch = epoch, .held = h };
	return e;
}

enum err
issuers_open(struct issuers **out, const struct issuers_config *cfg, struct diag *d)
{
	struct issuers *k = calloc(1, sizeof(*k));
	uint32_t epochs[SEEDS_MAX];
	size_t n = 0;
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->params = &succession_first(cfg->charters)->params;
	e = epochfile_list(epochs, &n, SEEDS_MAX, &seed_file, cfg->disk, d);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = load_seed(k, &k->places[i], epochs[i], d);
	if (e != ERR_OK) {
		issuers_free(k);
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
	for (size_t i = 0; i < SEEDS_MAX; i++)
		place_wipe(&k->places[i]);
	free(k);
}
