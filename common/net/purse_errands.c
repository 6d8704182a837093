#include "config.h"

#include <stdlib.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "common/net/purse_parts.h"

#define LOOK_MS INT64_C(60000) /* how often to look at all */
#define PATIENCE_MS INT64_C(60000)
#define PATIENCE_LEAST_MS INT64_C(5000)
#define ATTEMPTS 3

static void
look_again(struct purse *p)
{
	int64_t wait = params_scaled(p->params, LOOK_MS);

	timer_after(p->timer, wait > 100 ? wait : 100);
}

void
purse_errands_look(struct purse *p)
{
	timer_after(p->timer, 0);
}

static void
finish(struct purse *p, bool success)
{
	fetch_free(p->fetch);
	p->fetch = NULL;
	session_free(p->notices);
	p->notices = NULL;
	errands_done(&p->errands, success, loop_wall_ms(p->cfg.loop));
	p->failures = success ? 0 : p->failures + 1;
	if (success)
		purse_clear(p, PURSE_ALARM_AWAY);
	else if (p->failures >= ATTEMPTS && (p->alarms & PURSE_ALARM_CODE) == 0)
		purse_raise(p, PURSE_ALARM_AWAY);
	purse_errands_look(p);
	purse_tell(p);
}

/* ---- a batch ---- */

/*
 * Who had no ticket for the running hour is known to the registrar to be here since now.
 * Its session opens with the next hour, when everybody's does: at once it would be the only
 * one that does.
 */
static void
wait_for_the_hour(struct purse *p)
{
	int64_t now = loop_wall_ms(p->cfg.loop);
	uint32_t hour = timing_hour(p->params, now), epoch = timing_epoch(p->params, now);
	uint32_t first = timing_hour(p->params, timing_epoch_start(p->params, epoch));

	if (p->request->kind != TOKEN_TICKET || p->request->epoch != epoch ||
	    p->request->batch != (hour - first) / ALLOTMENT_HOURS)
		return;
	wallet_set_first_hour(p->wallet,
	    now < attend_mark_ms(p->params, hour + 1) ? hour + 1 : hour + 2);
}

/* Proofs that do not hold were made with keys that the journal does not have. */
static bool
take(struct purse *p, const struct charter *c, const struct notice *n,
    const struct issuance_answer *a)
{
	struct issuance_batch *b = secret_new(sizeof(*b));
	enum err e = ERR_MEMORY;

	if (b != NULL)
		e = issuance_take(b, p->request, a, &n->keys, &c->params, wallet_seed(p->wallet));
	if (e == ERR_SIGNATURE || e == ERR_MALFORMED)
		purse_raise(p, PURSE_ALARM_KEYS);
	if (e == ERR_OK)
		e = wallet_put(p->wallet, &c->params, p->request, b, n->hash);
	if (e == ERR_OK)
		wait_for_the_hour(p);
	if (e == ERR_OK)
		e = purse_write_tokens(p);
	secret_free(b);
	return e == ERR_OK;
}

static void
lose(struct purse *p, const struct charter *c, const struct notice *n)
{
	purse_raise(p, PURSE_ALARM_SHARED);
	if (wallet_lose(p->wallet, &c->params, p->request, n->hash) == ERR_OK &&
	    purse_write_tokens(p) != ERR_OK)
		purse_raise(p, PURSE_ALARM_DISK);
}

/* Whether the errand is done with, for better or worse. */
static bool
judge(struct purse *p, const struct issuance_answer *a)
{
	const struct charter *c = purse_charter(p, p->request->epoch);
	const struct notice *n = purse_find_notice(p, p->request->epoch);

	if (c == NULL || n == NULL)
		return false;
	if (a->status == ISSUANCE_CODE)
		purse_raise(p, PURSE_ALARM_CODE);
	else
		purse_clear(p, PURSE_ALARM_CODE);
	switch (a->status) {
	case ISSUANCE_OK:
		return take(p, c, n, a);
	case ISSUANCE_SPENT:
		lose(p, c, n);
		return true;
	case ISSUANCE_VERSION_UNKNOWN:
	case ISSUANCE_CODE:
	case ISSUANCE_EPOCH:
	case ISSUANCE_BATCH:
	case ISSUANCE_LATER:
	case ISSUANCE_REQUEST:
		return false;
	}
	return false;
}

static void
on_answer(void *arg, enum err e, const struct issuance_answer *a)
{
	struct purse *p = arg;

	finish(p, e == ERR_OK && judge(p, a));
}

static int64_t
patience(const struct purse *p)
{
	int64_t ms = params_scaled(p->params, PATIENCE_MS);

	if (p->cfg.socks != NULL)
		return PATIENCE_MS; /* tor is not time-scaled */
	return ms > PATIENCE_LEAST_MS ? ms : PATIENCE_LEAST_MS;
}

static enum err
open_fetch(struct purse *p)
{
	const struct charter *c = purse_charter(p, p->errand.epoch);
	const struct charter *now = succession_near(p->cfg.charters,
	    timing_epoch(p->params, loop_wall_ms(p->cfg.loop)));
	const struct charter_node *r = charter_registrar(now);
	struct fetch_config cfg;
	enum err e;

	if (c == NULL)
		return ERR_STATE;
	if (r == NULL)
		r = charter_registrar(c);
	cfg = (struct fetch_config){ .network_id = c->network_id,
		.address = p->cfg.registrar != NULL ? p->cfg.registrar : r->entrance,
		.registrar_pk = r->link,
		.socks = p->cfg.socks,
		.patience_ms = patience(p),
		.keys = p->cfg.keys };
	p->request->kind = p->errand.kind;
	p->request->epoch = p->errand.epoch;
	p->request->batch = p->errand.batch;
	e = issuance_ask(p->request, &c->params, p->code, wallet_seed(p->wallet));
	return e == ERR_OK ? fetch_open(&p->fetch, p->cfg.loop, &cfg, p->request, on_answer, p) : e;
}

/* ---- notices without a ticket ---- */

static bool
on_slot(void *arg, struct session *s, struct session_packet *out)
{
	(void)arg;
	(void)s;
	(void)out;
	return false; /* nothing goes up but `open` */
}

static enum err
on_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *b, size_t n)
{
	struct purse *p = arg;

	(void)s;
	if (kind != ITEM_NOTICE)
		return ERR_OK;
	return purse_notice(p, b, n);
}

static void
on_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct purse *p = arg;
	uint32_t now = timing_epoch(p->params, loop_wall_ms(p->cfg.loop));

	(void)s;
	(void)error;
	finish(p, why == ERR_OK && purse_find_notice(p, now) != NULL);
}

static enum err
open_notices(struct purse *p)
{
	static const struct session_events events = { .slot = on_slot, .item = on_item,
		.ended = on_ended };
	int64_t now = loop_wall_ms(p->cfg.loop);
	const struct charter_node *g = succession_gateway(p->cfg.charters, now, p->failures);
	const struct session_config cfg = { .charter = succession_first(p->cfg.charters),
		.address = p->cfg.gateway != NULL ? p->cfg.gateway : g->entrance,
		.gateway_pk = g->link,
		.socks = p->cfg.socks,
		.open = { .version = FRAME_OPEN_VERSION,
		    .hour = timing_hour(p->params, now),
		    .read = FRAME_READ_NOTICES },
		.rng = p->cfg.rng,
		.keys = p->cfg.keys };

	return session_open(&p->notices, p->cfg.loop, &cfg, &events, p);
}

/* Whether no session of ours can bring the notices, for want of a ticket. */
static bool
stranded(const struct purse *p)
{
	int64_t now = loop_wall_ms(p->cfg.loop);
	struct purse_status s;

	purse_get_status(p, &s);
	return s.needed && s.tickets == 0 &&
	    purse_find_notice(p, timing_epoch(p->params, now)) == NULL;
}

/* ---- when ---- */

static const struct params *
is_open(void *arg, uint32_t epoch, int64_t *since_ms)
{
	const struct purse *p = arg;
	const struct charter *c = purse_charter(p, epoch);

	for (size_t i = 0; c != NULL && i < PURSE_NOTICES; i++) {
		const struct purse_known *k = &p->known[i];

		if (!k->used || k->notice.keys.epoch != epoch)
			continue;
		*since_ms = k->since_ms;
		return &c->params;
	}
	return NULL;
}

/*
 * The first epoch that is not over: by the own clock, but none of which the journal does not
 * say so too. A notice is in it four epochs ahead at the earliest. A clock that was wrong for
 * a moment must not give away, for good, what cannot be fetched twice.
 */
static uint32_t
first_epoch(const struct purse *p)
{
	uint32_t now = timing_epoch(p->params, loop_wall_ms(p->cfg.loop)), newest = 0;

	for (size_t i = 0; i < PURSE_NOTICES; i++)
		if (p->known[i].used && p->known[i].notice.keys.epoch > newest)
			newest = p->known[i].notice.keys.epoch;
	newest = newest > ISSUER_AHEAD ? newest - ISSUER_AHEAD : 0;
	return newest < now ? newest : now;
}

static void
forget(struct purse *p)
{
	/* the former epoch's stamps are good for its grace, but nothing is sent under it */
	if (wallet_turn(p->wallet, first_epoch(p)) && purse_write_tokens(p) != ERR_OK)
		purse_raise(p, PURSE_ALARM_DISK);
}

static void
begin(struct purse *p, enum err (*open)(struct purse *p), int64_t at_ms)
{
	int64_t now = loop_wall_ms(p->cfg.loop);

	if (at_ms > now) {
		int64_t wait = at_ms - now, most = params_scaled(p->params, LOOK_MS);

		timer_after(p->timer, wait < most || most < 1 ? wait : most);
		return;
	}
	if (open(p) != ERR_OK)
		finish(p, false);
}

static void
on_timer(void *arg)
{
	struct purse *p = arg;
	const struct errands_view view = { is_open, p };
	int64_t now = loop_wall_ms(p->cfg.loop);

	if (p->wallet == NULL || p->fetch != NULL || p->notices != NULL)
		return;
	forget(p);
	if (p->cfg.held) {
		look_again(p);
	} else if (stranded(p)) {
		p->errand = (struct errand){ .late = true };
		begin(p, open_notices, p->errands.not_before_ms);
	} else if (errands_next(&p->errands, &p->errand, p->wallet, &view, now)) {
		begin(p, open_fetch, p->errand.at_ms);
	} else {
		look_again(p);
	}
}

void
purse_hold(struct purse *p, bool held)
{
	if (p->cfg.held && !held)
		errands_init(&p->errands, p->params, p->cfg.rng, loop_wall_ms(p->cfg.loop));
	p->cfg.held = held;
	if (!held)
		purse_errands_look(p);
}

enum err
purse_errands_init(struct purse *p)
{
	errands_init(&p->errands, p->params, p->cfg.rng, loop_wall_ms(p->cfg.loop));
	p->request = secret_new(sizeof(*p->request));
	p->timer = timer_new(p->cfg.loop, on_timer, p);
	if (p->request == NULL || p->timer == NULL)
		return ERR_MEMORY;
	timer_after(p->timer, 0);
	return ERR_OK;
}

void
purse_errands_free(struct purse *p)
{
	fetch_free(p->fetch);
	session_free(p->notices);
	timer_free(p->timer);
	secret_free(p->request);
}
