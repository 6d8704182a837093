#include "config.h"

#include <string.h>

#include "client-lib/client_parts.h"
#include "common/charter/timing.h"

#define LOOK_MS 30000	 /* how often to look what is missing */
#define SILENCE_MS 120000 /* without an item the session is given up */
#define SILENCE_LEAST_MS 20000
#define TICKETS_KEPT 2	 /* for the live sessions of the hour */
#define TAIL_MS 120000	 /* time for an epoch's first block to come by itself */

/*
 * Epoch blocks come with the live run as long as that is tied, but charters of long ago
 * do not.
 */
static bool
epochs_due(const struct client *c)
{
	int64_t now = loop_wall_ms(c->loop) - client_scaled(c, TAIL_MS);
	struct chain_point latest;

	if (!chain_latest_epoch(c->chain, &latest, NULL) ||
	    c->behind > succession_latest(c->all)->version)
		return true;
	if (runs_verified(c, NULL))
		return false;
	return timing_epoch(c->params, timing_round_start(c->params, latest.round)) <
	    timing_epoch(c->params, now);
}

void
gap_view(const struct client *c, struct gaps_view *out)
{
	*out = (struct gaps_view){ .spans = &c->spans, .epochs_due = epochs_due(c) };
	out->live = runs_verified(c, &out->live_ms);
}

/* ---- a session ---- */

static bool
on_slot(void *arg, struct session *s, struct session_packet *out)
{
	(void)s;
	return slots_cover(arg, out);
}

static void
on_opened(void *arg, struct session *s)
{
	struct client *c = arg;

	(void)s;
	gaps_opened(&c->gap.gaps, &c->gap.what);
}

static enum err
on_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct client *c = arg;

	(void)s;
	c->gap.heard_ms = loop_boot_ms(c->loop);
	return run_item(&c->gap.run, kind, p, n);
}

/*
 * What the day's session brought is known now. An earlier day of which the gateway
 * has nothing is held to be one without blocks: if that is not so, then what is
 * known before and after it will not fit together.
 */
static enum err
keep_day(struct client *c)
{
	const struct client_gap *g = &c->gap;
	struct span x = g->run.span;

	if (follow_blocks(g->run.follow) > 0 && !follow_verified(g->run.follow))
		return ERR_STATE;
	x.from_ms = g->what.from_ms;
	x.to_ms = g->what.to_ms;
	return spans_add(&c->spans, &x);
}

static enum err
complete(struct client *c)
{
	enum err e = run_done(&c->gap.run);

	if (e == ERR_OK && c->gap.what.kind == GAP_DAY)
		e = keep_day(c);
	if (e == ERR_OK && c->gap.what.kind == GAP_EPOCHS)
		c->behind = 0; /* what there was has been seen */
	if (e == ERR_CHAIN)
		client_chain_broke(c);
	return e;
}

static void
look_again(struct client *c)
{
	timer_after(c->gap.timer, client_scaled(c, LOOK_MS));
}

static void
close_session(struct client *c, bool success)
{
	session_free(c->gap.session);
	c->gap.session = NULL;
	run_end(&c->gap.run);
	gaps_ended(&c->gap.gaps, success, loop_wall_ms(c->loop));
	if (success)
		commit_now(c->commit);
	look_again(c);
	client_tell(c);
}

static void
on_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct client *c = arg;
	bool all = why == ERR_OK && error == FRAME_ERROR_COMPLETE;
	bool nothing = error == FRAME_ERROR_DAY && c->gap.what.kind == GAP_DAY &&
	    c->gap.what.day != timing_day(c->params, loop_wall_ms(c->loop)) &&
	    follow_blocks(c->gap.run.follow) == 0;

	(void)s;
	close_session(c, (all || nothing) && complete(c) == ERR_OK);
}

static const struct session_events gap_events = { on_opened, on_slot, NULL, on_item, on_ended };

static enum err
open_session(struct client *c)
{
	struct client_gap *g = &c->gap;
	bool day = g->what.kind == GAP_DAY;
	const struct charter_node *gateway = attend_gateway(c->attend);
	struct session_config cfg = { .charter = succession_first(c->all),
		.address = c->cfg.entrance != NULL ? c->cfg.entrance : gateway->entrance,
		.gateway_pk = gateway->link,
		.socks = c->cfg.socks,
		.purse = c->purse,
		.open = { .version = 1,
		    .mailbox = c->cfg.mailbox,
		    .hour = g->what.hour,
		    .read = day ? FRAME_READ_DAY : FRAME_READ_EPOCHS,
		    .day = day ? g->what.day : 0 },
		.rng = c->cfg.rng,
		.keys = c->cfg.keys };
	enum err e = run_begin(&g->run, c, day ? FOLLOW_BLOCKS : FOLLOW_EPOCHS);

	if (e == ERR_OK)
		e = session_open(&g->session, c->loop, &cfg, &gap_events, c);
	if (e != ERR_OK)
		run_end(&g->run);
	return e;
}

/* ---- when ---- */

static void
watch(struct client *c)
{
	int64_t silence = client_scaled(c, SILENCE_MS);

	if (silence < SILENCE_LEAST_MS)
		silence = SILENCE_LEAST_MS;
	if (loop_boot_ms(c->loop) - c->gap.heard_ms > silence)
		close_session(c, false);
	else
		look_again(c);
}

static void
try_next(struct client *c)
{
	int64_t now = loop_wall_ms(c->loop), wait = client_scaled(c, LOOK_MS);
	struct gaps_view view;

	gap_view(c, &view);
	gaps_next(&c->gap.what, &c->gap.gaps, &view, now);
	if (c->gap.what.kind == GAP_EPOCHS || c->gap.what.kind == GAP_DAY) {
		c->gap.heard_ms = loop_boot_ms(c->loop);
		if (!purse_has_ticket(c->purse, c->gap.what.hour, TICKETS_KEPT)) {
			look_again(c);
			return;
		}
		if (open_session(c) != ERR_OK)
			gaps_ended(&c->gap.gaps, false, now);
	} else if (c->gap.what.kind == GAP_WAIT && c->gap.what.at_ms - now < wait) {
		wait = c->gap.what.at_ms - now;
	}
	timer_after(c->gap.timer, wait > 0 ? wait : 1);
}

/*
 * Without a live session the gateway is not there for this one either. When there is one
 * again the waits begin anew: one that ran out meanwhile would let the fetch follow the
 * live session at once, and name it.
 */
static void
on_timer(void *arg)
{
	struct client *c = arg;
	bool live = attend_live(c->attend);

	if (live && !c->gap.live)
		gaps_live(&c->gap.gaps, loop_wall_ms(c->loop));
	c->gap.live = live;
	if (c->gap.session != NULL)
		watch(c);
	else if (live && !commit_is_full(c->commit))
		try_next(c);
	else
		look_again(c);
}

enum err
gap_init(struct client *c)
{
	gaps_init(&c->gap.gaps, c->params, c->cfg.rng, loop_wall_ms(c->loop));
	c->gap.timer = timer_new(c->loop, on_timer, c);
	if (c->gap.timer == NULL)
		return ERR_MEMORY;
	timer_after(c->gap.timer, 0);
	return ERR_OK;
}

void
gap_free(struct client *c)
{
	session_free(c->gap.session);
	if (c->gap.run.follow != NULL)
		run_end(&c->gap.run);
	timer_free(c->gap.timer);
}

void
gap_jumped(struct client *c)
{
	if (c->gap.session != NULL)
		close_session(c, false);
	c->gap.live = false;
	gaps_init(&c->gap.gaps, c->params, c->cfg.rng, loop_wall_ms(c->loop));
}
