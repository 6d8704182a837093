#include "config.h"

#include "gateway/tickets.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/charter/timing.h"

struct tickets {
	struct tickets_config cfg;
	const struct params *params; /* the constant ones */
	struct tickets_status status;
	int64_t checks_left; /* thousandths of one, at looked_ms of the boot clock */
	int64_t looked_ms;
};

/* One that is being spent. */
struct redemption {
	struct tickets *owner;
	struct spent_mark mark;
	tickets_done_cb *done;
	void *arg;
};

static uint32_t
epoch_of(const struct tickets *t, uint32_t hour)
{
	return timing_epoch(t->params, timing_hour_start(t->params, hour));
}

/* From 0 in its epoch: hours nest in epochs. */
static unsigned
hour_of_epoch(const struct tickets *t, uint32_t hour)
{
	return hour - timing_hour(t->params, timing_epoch_start(t->params, epoch_of(t, hour)));
}

bool
tickets_needed(const struct tickets *t, uint32_t hour)
{
	return charter_registrar(succession_near(t->cfg.charters, epoch_of(t, hour))) != NULL;
}

static bool
is_none(const struct frame_open *o)
{
	return sodium_is_zero(o->ticket_nonce, sizeof(o->ticket_nonce)) &&
	    sodium_is_zero(o->ticket_proof, sizeof(o->ticket_proof));
}

/* Whether there is a check left for this second. */
static bool
take_check(struct tickets *t)
{
	int64_t now = loop_boot_ms(t->cfg.loop), most = (int64_t)TICKETS_CHECKS_BURST * 1000;
	int64_t elapsed = now - t->looked_ms;

	t->looked_ms = now;
	if (elapsed > most / TICKETS_CHECKS_PER_S)
		elapsed = most / TICKETS_CHECKS_PER_S;
	t->checks_left += elapsed * TICKETS_CHECKS_PER_S;
	if (t->checks_left > most)
		t->checks_left = most;
	if (t->checks_left < 1000)
		return false;
	t->checks_left -= 1000;
	return true;
}

static void
on_spent(void *arg, enum err e)
{
	struct redemption *r = arg;
	const struct tickets_config *cfg = &r->owner->cfg;
	struct tickets_status *s = &r->owner->status;

	cfg->spent_answered(cfg->arg, e);
	if (e == ERR_OK && !r->mark.fresh)
		e = ERR_EXISTS;
	if (e == ERR_OK)
		s->redeemed++;
	else if (e == ERR_EXISTS)
		s->spent++;
	else
		s->failed++;
	r->done(r->arg, e);
	free(r);
}

static enum err
spend(struct tickets *t, const struct redeemer *key, const uint8_t *nonce, tickets_done_cb *done,
    void *arg)
{
	struct redemption *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	*r = (struct redemption){ .owner = t, .done = done, .arg = arg };
	spent_mark(r->mark.mark, key->mark_key, TOKEN_TICKET, nonce);
	rng_bytes(t->cfg.keys, r->mark.claim, sizeof(r->mark.claim));
	e = spent_claim(t->cfg.spent, key->epoch, &r->mark, 1, on_spent, r);
	if (e != ERR_OK)
		free(r);
	return e;
}

enum err
tickets_redeem(struct tickets *t, const struct frame_open *o,
    const uint8_t handshake_hash[static TOKEN_HANDSHAKE_BYTES], tickets_done_cb *done, void *arg)
{
	const struct redeemer *key = issuers_find(t->cfg.issuers, epoch_of(t, o->hour));
	enum err e;

	if (is_none(o)) {
		t->status.none++;
		return ERR_DENIED;
	}
	if (key == NULL) {
		t->status.forged++;
		return ERR_DENIED;
	}
	if (!take_check(t)) {
		t->status.limited++;
		return ERR_BUSY;
	}
	if (issuer_redeem_ticket(key->issuer, hour_of_epoch(t, o->hour), o->ticket_nonce,
		o->ticket_proof, handshake_hash) != ERR_OK) {
		t->status.forged++;
		return ERR_DENIED;
	}
	e = spend(t, key, o->ticket_nonce, done, arg);
	t->status.failed += e != ERR_OK;
	return e;
}

void
tickets_get_status(const struct tickets *t, struct tickets_status *out)
{
	*out = t->status;
}

enum err
tickets_new(struct tickets **out, const struct tickets_config *cfg)
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_MEMORY;
	t->cfg = *cfg;
	t->params = &succession_first(cfg->charters)->params;
	t->checks_left = (int64_t)TICKETS_CHECKS_BURST * 1000;
	t->looked_ms = loop_boot_ms(cfg->loop);
	*out = t;
	return ERR_OK;
}

void
tickets_free(struct tickets *t)
{
	free(t);
}
