#include "config.h"

#include "common/net/purse.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/net/purse_parts.h"

/* ---- alarms and status ---- */

void
purse_raise(struct purse *p, enum purse_alarm a)
{
	p->alarms |= (unsigned)a;
}

void
purse_clear(struct purse *p, enum purse_alarm a)
{
	p->alarms &= ~(unsigned)a;
}

void
purse_tell(struct purse *p)
{
	if (p->cfg.changed != NULL)
		p->cfg.changed(p->cfg.arg);
}

const struct charter *
purse_charter(const struct purse *p, uint32_t epoch)
{
	const struct charter *c = succession_at(p->cfg.charters, epoch);

	return c != NULL && charter_registrar(c) != NULL ? c : NULL;
}

static uint32_t
epoch_of_hour(const struct purse *p, uint32_t hour)
{
	return timing_epoch(p->params, timing_hour_start(p->params, hour));
}

static unsigned
hour_of_epoch(const struct purse *p, uint32_t hour)
{
	int64_t start = timing_epoch_start(p->params, epoch_of_hour(p, hour));

	return hour - timing_hour(p->params, start);
}

static bool
whole(const struct purse *p, uint32_t epoch)
{
	const struct charter *c = purse_charter(p, epoch);

	for (int k = TOKEN_TICKET; c != NULL && k <= TOKEN_STAMP; k++) {
		enum token_kind kind = (enum token_kind)k;
		uint32_t n = allotment_batches(&c->params, kind);

		for (uint32_t b = 0; b < n; b++)
			if (wallet_wants(p->wallet, &c->params, kind, epoch, b))
				return false;
	}
	return c != NULL;
}

void
purse_get_status(const struct purse *p, struct purse_status *out)
{
	int64_t now = loop_wall_ms(p->cfg.loop);
	uint32_t epoch = timing_epoch(p->params, now), hour = timing_hour(p->params, now);
	const struct charter *c = purse_charter(p, epoch);

	*out = (struct purse_status){ .needed = c != NULL, .enrolled = p->wallet != NULL,
		.alarms = p->alarms };
	if (c == NULL)
		return;
	out->allotment = allotment_total(&c->params, TOKEN_STAMP);
	if (p->wallet == NULL) {
		out->alarms |= PURSE_ALARM_ENROL;
		return;
	}
	out->tickets = wallet_left(p->wallet, TOKEN_TICKET, epoch, hour_of_epoch(p, hour));
	out->stamps = wallet_left_all(p->wallet, TOKEN_STAMP, epoch);
	while (out->ahead < ISSUER_AHEAD && whole(p, epoch + out->ahead + 1))
		out->ahead++;
}

/* ---- the journal's part ---- */

static struct purse_known *
find_known(struct purse *p, uint32_t epoch)
{
	for (size_t i = 0; i < PURSE_NOTICES; i++)
		if (p->known[i].used && p->known[i].notice.keys.epoch == epoch)
			return &p->known[i];
	return NULL;
}

const struct notice *
purse_find_notice(const struct purse *p, uint32_t epoch)
{
	for (size_t i = 0; i < PURSE_NOTICES; i++)
		if (p->known[i].used && p->known[i].notice.keys.epoch == epoch)
			return &p->known[i].notice;
	return NULL;
}

/* The place of a new one; one that is over gives way. NULL: of no epoch that matters. */
static struct purse_known *
place_for(struct purse *p, uint32_t epoch)
{
	uint32_t now = timing_epoch(p->params, loop_wall_ms(p->cfg.loop));

	if (epoch + 1 < now || epoch > now + ISSUER_AHEAD + 1)
		return NULL;
	for (size_t i = 0; i < PURSE_NOTICES; i++)
		if (!p->known[i].used || p->known[i].notice.keys.epoch + 1 < now)
			return &p->known[i];
	return NULL;
}

/* Tokens that were made with other keys are void; that must outlive a crash. */
static void
agree(struct purse *p, const struct notice *n)
{
	uint32_t epoch = n->keys.epoch;
	bool had;

	if (p->wallet == NULL)
		return;
	had = wallet_left_all(p->wallet, TOKEN_TICKET, epoch) +
	    wallet_left_all(p->wallet, TOKEN_STAMP, epoch) > 0;
	if (wallet_agree(p->wallet, epoch, n->hash))
		return;
	purse_raise(p, PURSE_ALARM_KEYS);
	if (had && purse_write_marks(p, NULL, NULL, NULL) != ERR_OK)
		purse_raise(p, PURSE_ALARM_DISK);
}

static void
begin_with(struct purse *p, struct purse_known *k, const struct notice *n)
{
	memset(k, 0, sizeof(*k));
	k->used = true;
	k->since_ms = loop_wall_ms(p->cfg.loop);
	k->notice = *n;
	agree(p, n);
	purse_errands_look(p);
}

/* The first pair of an epoch is enough. */
static void
contradict(struct purse *p, struct purse_known *k, const struct notice *n)
{
	agree(p, n);
	purse_raise(p, PURSE_ALARM_KEYS);
	if (k->lied)
		return;
	k->lied = true;
	k->told = evidence_of_notices(&k->evidence, succession_first(p->cfg.charters), &k->notice,
	    n) != ERR_OK;
}

bool
purse_take_evidence(struct purse *p, struct evidence *out)
{
	for (size_t i = 0; i < PURSE_NOTICES; i++) {
		struct purse_known *k = &p->known[i];

		if (!k->used || !k->lied || k->told)
			continue;
		k->told = true;
		*out = k->evidence;
		return true;
	}
	return false;
}

enum err
purse_notice(struct purse *p, const uint8_t *notice, size_t n)
{
	struct notice *shown = malloc(sizeof(*shown));
	struct purse_known *known, *k;
	enum err e;

	if (shown == NULL)
		return ERR_MEMORY;
	e = notice_decode(shown, notice, n, succession_first(p->cfg.charters));
	if (e != ERR_OK) {
		free(shown);
		return e;
	}
	known = find_known(p, shown->keys.epoch);
	k = known == NULL ? place_for(p, shown->keys.epoch) : NULL;
	if (k != NULL)
		begin_with(p, k, shown);
	else if (known != NULL && memcmp(known->notice.hash, shown->hash, 32) != 0) /* public */
		contradict(p, known, shown);
	free(shown);
	purse_tell(p);
	return ERR_OK;
}

bool
purse_sheet(struct purse *p, const struct sheet *s)
{
	const struct notice *n = purse_find_notice(p, s->epoch);

	if (n == NULL || purse_charter(p, s->epoch) == NULL || issuer_keys_in_sheet(s, &n->keys))
		return true;
	purse_raise(p, PURSE_ALARM_KEYS);
	purse_tell(p);
	return false;
}

/* ---- spending ---- */

bool
purse_needed(const struct purse *p, uint32_t epoch)
{
	return purse_charter(p, epoch) != NULL;
}

bool
purse_needed_hour(const struct purse *p, uint32_t hour)
{
	return purse_needed(p, epoch_of_hour(p, hour));
}

static void
judge(struct purse *p, bool there, enum purse_alarm a)
{
	unsigned before = p->alarms;

	if (there)
		purse_clear(p, a);
	else
		purse_raise(p, a);
	if (p->alarms != before)
		purse_tell(p);
}

bool
purse_has_ticket(struct purse *p, uint32_t hour, unsigned keep)
{
	uint32_t left = 0;

	if (!purse_needed_hour(p, hour))
		return true;
	if (p->wallet != NULL)
		left = wallet_left(p->wallet, TOKEN_TICKET, epoch_of_hour(p, hour),
		    hour_of_epoch(p, hour));
	if (keep == 0 && hour == timing_hour(p->params, loop_wall_ms(p->cfg.loop)))
		judge(p, left > 0, PURSE_ALARM_TICKETS);
	return left > keep && hour >= wallet_first_hour(p->wallet);
}

bool
purse_has_stamp(struct purse *p, uint32_t epoch)
{
	bool there = !purse_needed(p, epoch) ||
	    (p->wallet != NULL && wallet_left(p->wallet, TOKEN_STAMP, epoch, 0) > 0);

	judge(p, there, PURSE_ALARM_STAMPS);
	return there;
}

static enum err
spend(struct purse *p, enum token_kind kind, uint32_t epoch, unsigned hour, purse_cb *cb, void *arg)
{
	struct wallet_token t;
	enum err e;

	if (p->wallet == NULL)
		return ERR_NOT_FOUND;
	e = wallet_take(p->wallet, &t, kind, epoch, hour);
	if (e == ERR_OK)
		e = purse_write_marks(p, &t, cb, arg);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		wallet_return(p->wallet, &t);
	secret_wipe(&t, sizeof(t));
	return e;
}

enum err
purse_ticket(struct purse *p, uint32_t hour, purse_cb *cb, void *arg)
{
	return spend(p, TOKEN_TICKET, epoch_of_hour(p, hour), hour_of_epoch(p, hour), cb, arg);
}

enum err
purse_stamp(struct purse *p, uint32_t epoch, purse_cb *cb, void *arg)
{
	return spend(p, TOKEN_STAMP, epoch, 0, cb, arg);
}

void
purse_cancel(struct purse *p, const void *arg)
{
	struct purse_job *j;

	LIST_FOREACH(j, &p->jobs, all)
		if (j->arg == arg)
			j->cb = NULL;
}

void
purse_refused(struct purse *p, bool refused)
{
	judge(p, !refused, PURSE_ALARM_REFUSED);
}

/* ---- life ---- */

static enum err
keep_secret(uint8_t **out, const uint8_t *secret)
{
	if (secret == NULL)
		return ERR_OK;
	*out = secret_new(32);
	if (*out == NULL)
		return ERR_MEMORY;
	memcpy(*out, secret, 32);
	return ERR_OK;
}

/*
 * The wait for the first session outlasts a lid that was closed and a restart. Nobody waits
 * for more than two hours, but who was told to by a clock that was ahead.
 */
static void
check_wait(struct purse *p)
{
	uint32_t now = timing_hour(p->params, loop_wall_ms(p->cfg.loop));

	if (p->wallet != NULL && wallet_first_hour(p->wallet) > now + 2)
		wallet_set_first_hour(p->wallet, 0);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	struct purse *p = arg;
	int64_t now = loop_wall_ms(p->cfg.loop);

	(void)delta_ms;
	errands_init(&p->errands, p->params, p->cfg.rng, now);
	for (size_t i = 0; i < PURSE_NOTICES; i++)
		if (p->known[i].since_ms > now)
			p->known[i].since_ms = now;
	check_wait(p);
	purse_errands_look(p);
}

enum err
purse_new(struct purse **out, const struct purse_config *cfg, struct diag *d)
{
	struct purse *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	p->cfg = *cfg;
	p->params = &succession_first(cfg->charters)->params;
	LIST_INIT(&p->jobs);
	e = keep_secret(&p->key, cfg->key);
	if (e == ERR_OK)
		e = keep_secret(&p->code, cfg->code);
	p->cfg.key = p->key;
	p->cfg.code = p->code;
	if (e == ERR_OK && p->code != NULL)
		e = purse_load(p, d);
	check_wait(p);
	if (e == ERR_OK)
		e = purse_errands_init(p);
	if (e == ERR_OK)
		e = loop_watch_jumps(cfg->loop, on_jump, p);
	if (e != ERR_OK) {
		purse_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

void
purse_free(struct purse *p)
{
	if (p == NULL)
		return;
	loop_unwatch_jumps(p->cfg.loop, p);
	p->cfg.changed = NULL;
	purse_errands_free(p);
	purse_forget_jobs(p);
	wallet_free(p->wallet);
	secret_free(p->key);
	secret_free(p->code);
	free(p);
}
