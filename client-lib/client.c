#include "config.h"

#include "client-lib/client.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client_parts.h"
#include "common/charter/timing.h"
#include "common/journal/outlook.h"

#define CHORES_MS 60000
#define CHORES_LEAST_MS 1000
#define SWEEP_MS 3600000

/* ---- alarms and status ---- */

void
client_raise(struct client *c, enum client_alarm a)
{
	c->alarms |= (unsigned)a;
}

void
client_clear(struct client *c, enum client_alarm a)
{
	c->alarms &= ~(unsigned)a;
}

int64_t
client_scaled(const struct client *c, int64_t ms)
{
	return params_scaled(c->params, ms);
}

#define TOLD_ONLINE 0x1000000u
#define TOLD_VERIFIED 0x2000000u
#define TOLD_CAUGHT_UP 0x4000000u
#define TOLD_ANYTHING 0x8000000u

static unsigned
missing_days(const struct client *c, bool *caught_up)
{
	uint32_t days[GAPS_DAYS_MAX];
	struct gaps_view view;
	size_t n;

	gap_view(c, &view);
	n = gaps_missing(days, GAPS_DAYS_MAX, &c->gap.gaps, &view, loop_wall_ms(c->loop));
	*caught_up = n == 0 && view.live && !view.epochs_due;
	return (unsigned)n;
}

void
client_tell(struct client *c)
{
	unsigned now = c->alarms | tokens_alarms(c) | TOLD_ANYTHING;
	bool caught_up;

	if (c->closing || c->attend == NULL)
		return;
	(void)missing_days(c, &caught_up);
	now |= attend_live(c->attend) ? TOLD_ONLINE : 0;
	now |= runs_verified(c, NULL) ? TOLD_VERIFIED : 0;
	now |= caught_up ? TOLD_CAUGHT_UP : 0;
	if (now == c->told)
		return;
	c->told = now;
	if (c->events->status != NULL)
		c->events->status(c->arg);
}

/* restante-evaluate plan says the same to operators. */
void
client_outlook(const struct client *c, struct client_outlook *out)
{
	const struct params *p = &c->charter->params;
	struct outlook_delay delay;
	struct outlook_anonymity among;

	memset(out, 0, sizeof(*out));
	outlook_anonymity(&among, p);
	if (among.known) {
		out->people_effective = (uint32_t)(among.people.effective + 1e-6);
		out->people_least = (uint32_t)(outlook_least_people(&among) + 1e-6);
	}
	if (outlook_delay(&delay, p, OUTLOOK_MESSAGES_PER_DAY, 0, NULL) == ERR_OK) {
		out->half_ms = (int64_t)delay.p50_ms;
		out->most_ms = (int64_t)delay.p95_ms;
	}
}

void
client_status(const struct client *c, struct client_status *out)
{
	const struct params *p = &c->charter->params;
	uint32_t epoch = timing_epoch(p, loop_wall_ms(c->loop));
	const struct charter *now = succession_at(c->all, epoch);
	const struct charter *next = succession_next(c->all, epoch);

	*out = c->counters;
	out->online = attend_live(c->attend);
	out->verified = runs_verified(c, NULL);
	out->gaps = missing_days(c, &out->caught_up);
	out->epoch = epoch;
	out->charter = now != NULL ? now->version : 0;
	out->coming_charter = next != NULL ? next->version : 0;
	out->coming_epoch = next != NULL ? next->from_epoch : 0;
	out->round = c->round;
	post_restarted(c->post, &out->restarted);
	out->people = p->mailboxes > 0 ? p->people / p->mailboxes : p->people;
	out->alarms = c->alarms | tokens_alarms(c);
	purse_get_status(c->purse, &out->tokens);
	out->clock_skew_ms = c->skew_ms;
	out->forecast_ms = params_forecast_ms(p);
	for (size_t i = 0; i < post_contact_count(c->post); i++) {
		struct post_contact contact;
		post_contact_at(c->post, i, &contact);
		out->queued += contact.queued;
		out->unacknowledged += contact.unacknowledged;
	}
}

static void
on_stall(void *arg)
{
	struct client *c = arg;

	client_raise(c, CLIENT_ALARM_STALL);
	client_tell(c);
}

/* ---- charters ---- */

const struct charter *
client_charter(const struct client *c)
{
	return succession_near(c->all, timing_epoch(c->params, loop_wall_ms(c->loop)));
}

void
client_turn(struct client *c)
{
	const struct charter *now = client_charter(c);

	if (now == c->charter)
		return;
	c->charter = now;
	post_change(c->post, now, &c->ready.out.path);
	if (c->commit != NULL)
		commit_now(c->commit);
}

void
client_offer(struct client *c, const uint8_t *p, size_t n)
{
	enum err e = charters_offer(c->charters, p, n, NULL);
	uint8_t hash[32];

	if (e == ERR_OK) {
		client_clear(c, CLIENT_ALARM_SUCCESSION);
		if (sheetbook_again(c->sheets, loop_wall_ms(c->loop)) == ERR_CHAIN)
			client_chain_broke(c);
		client_turn(c);
	} else if (e == ERR_STATE) { /* the epoch blocks have what is between */
		if (charter_peek(&c->behind, hash, p, n) != ERR_OK)
			c->behind = 0;
	} else if (e != ERR_EXISTS && e != ERR_MEMORY && e != ERR_FULL) {
		client_raise(c, CLIENT_ALARM_SUCCESSION);
	}
}

/* ---- what the pipeline tells ---- */

static void
on_news(void *arg, const struct post_news *n)
{
	struct client *c = arg;

	if (c->events->news != NULL)
		c->events->news(c->arg, n);
}

static void
on_settled(void *arg, enum err e)
{
	struct client *c = arg;

	if (e == ERR_OK)
		client_clear(c, CLIENT_ALARM_DISK);
	else
		client_raise(c, CLIENT_ALARM_DISK);
	if (e == ERR_OK)
		slots_feed(c);
	client_tell(c);
}

static const struct commit_events commit_events = { client_save, on_news, on_settled };

/* ---- time ---- */

static void
look_at_charter(struct client *c, int64_t now)
{
	charters_turn(c->charters);
	client_turn(c);
	if (now <= c->charter->not_after_ms)
		client_clear(c, CLIENT_ALARM_CHARTER);
	else
		client_raise(c, CLIENT_ALARM_CHARTER);
}

static void
on_chores(void *arg)
{
	struct client *c = arg;
	int64_t now = loop_wall_ms(c->loop), wait = client_scaled(c, CHORES_MS);

	look_at_charter(c, now);
	slots_judge_late(c);
	sheetbook_turn(c->sheets, now);
	spans_forget(&c->spans, now - c->params->retention_ms - client_scaled(c, TIMING_DAY_MS));
	if (!attend_live(c->attend)) {
		post_tick(c->post, now); /* no slots, but time passes */
		if (commit_collect(c->commit))
			commit_now(c->commit);
	}
	if (loop_boot_ms(c->loop) >= c->sweep_boot_ms) {
		c->sweep_boot_ms = loop_boot_ms(c->loop) + SWEEP_MS;
		sweep_begin(c);
		commit_tidy(c->commit);
	}
	client_tell(c);
	timer_after(c->chores, wait > CHORES_LEAST_MS ? wait : CHORES_LEAST_MS);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	struct client *c = arg;

	(void)delta_ms;
	c->skew_ms = 0;
	gap_jumped(c);
	notetest_forget(c->notes);
	timer_after(c->chores, 0);
}

/* ---- life ---- */

static enum err
attend(struct client *c)
{
	static const struct attend_events events = { slots_on_slot, slots_on_sent, runs_on_item,
		runs_on_state };
	struct attend_config cfg = { .charter = succession_first(c->all),
		.charters = c->all,
		.address = c->cfg.entrance,
		.socks = c->cfg.socks,
		.mailbox = c->cfg.mailbox,
		.held = c->cfg.held,
		.purse = c->purse,
		.rng = c->cfg.rng,
		.keys = c->cfg.keys };

	return attend_new(&c->attend, c->loop, &cfg, &events, c);
}

static enum err
start(struct client *c, struct diag *d)
{
	enum err e = slots_init(c);

	if (e == ERR_OK)
		e = commit_new(&c->commit, c->loop, c->post, c->cfg.vault, c->cfg.archive,
		    &commit_events, c);
	if (e == ERR_OK)
		charters_set_queue(c->charters, commit_queue(c->commit));
	if (e == ERR_OK)
		e = tokens_open(c, d);
	if (e == ERR_OK && c->cfg.witness != NULL)
		commit_set_witness(c->commit, c->cfg.witness);
	c->stall = timer_new(c->loop, on_stall, c);
	c->chores = timer_new(c->loop, on_chores, c);
	if (e == ERR_OK && (c->stall == NULL || c->chores == NULL))
		e = ERR_MEMORY;
	if (e == ERR_OK)
		e = loop_watch_jumps(c->loop, on_jump, c);
	if (e == ERR_OK)
		e = attend(c);
	if (e == ERR_OK)
		e = gap_init(c);
	if (e != ERR_OK)
		return e;
	timer_after(c->stall, client_scaled(c, 120000) + 4 * c->params->round_ms);
	timer_after(c->chores, 0);
	commit_now(c->commit);
	return ERR_OK;
}

static enum err
open_charters(struct client *c, struct diag *d)
{
	enum err e = charters_open(&c->charters, c->cfg.disk, c->cfg.charter, NULL, d);

	c->cfg.charter = NULL;
	if (e != ERR_OK)
		return e;
	c->all = charters_all(c->charters);
	c->params = &succession_first(c->all)->params;
	return ERR_OK;
}

enum err
client_new(struct client **out, struct loop *l, const struct client_config *cfg,
    const struct client_events *events, void *arg, struct diag *d)
{
	struct client *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	c->loop = l;
	c->cfg = *cfg;
	c->events = events;
	c->arg = arg;
	e = open_charters(c, d);
	if (e == ERR_OK)
		e = client_load(c, d);
	if (e == ERR_OK) {
		e = start(c, d);
		if (e != ERR_OK && (d == NULL || d->text[0] == '\0'))
			(void)diag_set(d, e, "the client cannot start (%s)", err_text(e));
	}
	if (e != ERR_OK) {
		client_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	c->closing = true;
	loop_unwatch_jumps(c->loop, c);
	gap_free(c);
	attend_free(c->attend);
	runs_free(c);
	tokens_free(c);
	commit_free(c->commit);
	timer_free(c->stall);
	timer_free(c->chores);
	slots_release(c);
	sheetbook_free(c->sheets);
	chain_free(c->chain);
	post_free(c->post);
	charters_free(c->charters);
	free(c);
}

/* ---- the owner's calls ---- */

void
client_hold(struct client *c, bool held)
{
	attend_hold(c->attend, held);
	purse_hold(c->purse, held);
}

struct post *
client_post(struct client *c)
{
	return c->post;
}

enum err
client_commit(struct client *c, client_done *done, void *arg)
{
	enum err e = commit_tell(c->commit, done, arg);

	if (e == ERR_OK)
		slots_feed(c);
	return e;
}

void
client_set_retention(struct client *c, int64_t retention_ms)
{
	c->cfg.retention_ms = retention_ms;
	c->sweep_boot_ms = 0;
	timer_after(c->chores, 0);
}

bool
client_epoch_block(const struct client *c, struct chain_point *out)
{
	return chain_latest_epoch(c->chain, out, NULL);
}

enum chain_opinion
client_judge(const struct client *c, const struct chain_point *quoted)
{
	return chain_judge(c->chain, quoted);
}

const struct evidence *
client_evidence(const struct client *c, size_t i)
{
	return i < c->lies.count ? &c->lies.at[i] : NULL;
}

enum err
client_read(struct client *c, const struct post_write *key, client_value *cb, void *arg)
{
	return commit_read(c->commit, key, cb, arg);
}

enum err
client_write(struct client *c, struct post_write *w, size_t n, client_done *done, void *arg)
{
	return commit_write(c->commit, w, n, done, arg);
}
