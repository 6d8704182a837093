#include "config.h"

#include "tests/scenario/month.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client_parts.h"
#include "common/charter/timing.h"
#include "evaluation/world.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"
#include "tests/scenario/script.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
/* A Monday of 2030, midnight UTC, the start of an epoch. */
#define START_MS (INT64_C(21990) * DAY_MS)

#define OPENING_MS 3000            /* circuit and handshake take about as long, and a second */
#define NOTICE_MS (50 * SECOND_MS) /* until the client gives a silent session up */
#define CONNECT_MS (60 * SECOND_MS)
#define TOR_LIFE_MS (24 * HOUR_MS) /* of a circuit, in the mean */
#define LINE_LIFE_MS (12 * HOUR_MS)
#define OUTAGE_MS (2 * MINUTE_MS)
#define RESTART_EVERY_MS (72 * HOUR_MS)
#define NAP_EVERY_MS (4 * HOUR_MS)
#define NAP_MS (30 * MINUTE_MS)
#define DAY_READ_MS (80 * SECOND_MS) /* to fetch a whole day */
#define EPOCHS_READ_MS (10 * SECOND_MS)
#define COVER_EVERY_MS MINUTE_MS
/* As in attend.c; and what rng_between makes 0 of for this range, but does not throw away. */
#define RETRY_MAX_MS (15 * MINUTE_MS)
#define RIGGED_BASE ((uint64_t)(RETRY_MAX_MS + 1) << 30)
#define JOINS_ONE_IN 4 /* where there are tickets */
#define NOTICES_AFTER_MS 20000 /* an epoch's start */
#define AWAY_ONE_IN 8 /* members that stay away for weeks once */

struct member;

/* The double. */
struct session {
	struct member *member;
	struct session_events events;
	struct frame_open open;
	void *arg;
	struct timer *timer; /* connected; ends by itself */
	bool opened, dead;   /* dead: the gateway sees nothing of it any more */
	bool early;          /* what the timer brings is tor's failure */
	bool logged;         /* else it only reads notices */
	struct purse *purse; /* NULL: no ticket */
	size_t entry;        /* in the log */
	LIST_ENTRY(session) sessions;
};

struct scene;

struct member {
	struct scene *scene;
	unsigned number;
	struct world_host *host;
	struct rng_seeded rng;
	struct client client; /* only what client_gap.c uses of it */
	struct timer *cover;
	struct till till;
	LIST_HEAD(, session) sessions;
	bool runs; /* the program does */
	bool line_down, asleep;
	bool office, sleeps;       /* sleeps at night, not shut down */
	int64_t comes_ms, goes_ms; /* usual times of day */
	int64_t nap_until_ms;
	int64_t away_from_ms, away_to_ms; /* 0: never */
	int64_t epochs_ms;                /* its epoch blocks are known up to here; -1: none */
	int64_t last_read_ms;
	/* what the rng gives while a control has it in its hand */
	bool rigged;
	uint64_t rigged_to;
	struct rng rigged_rng;
};

struct scene {
	struct month_config cfg;
	struct world *world;
	struct network *network;
	struct params params;
	struct member *members;
	struct month *out;
	size_t room;
	bool down; /* the gateway */
	int64_t until_ms;
};

enum err __wrap_session_open(struct session **out, struct loop *l, const struct session_config *cfg,
			     const struct session_events *events, void *arg);
void __wrap_session_free(struct session *s);
bool __wrap_chain_latest_epoch(const struct chain *k, struct chain_point *out,
			       uint8_t signature[BLOCK_SIGNATURE_BYTES]);

void
month_params(struct params *p)
{
	params_default(p);
	p->stamps = 3 * ALLOTMENT_BATCH; /* four fetches for an epoch, not thirteen: faster */
}

static int64_t
now_of(const struct member *m)
{
	return world_now_ms(m->scene->world);
}

/* ---- the log ---- */

static struct linker_session *
entry_of(const struct session *s)
{
	return &s->member->scene->out->log[s->entry];
}

static void
log_opened(struct session *s)
{
	struct scene *k = s->member->scene;
	struct month *out = k->out;
	int64_t mark = gaps_mark(&k->params, s->open.hour);
	bool leaks = k->cfg.leak == MONTH_POSITION && s->member->last_read_ms > 0;

	if (out->count == k->room) {
		k->room = k->room > 0 ? 2 * k->room : 1024;
		out->log = realloc(out->log, k->room * sizeof(*out->log));
		assert_non_null(out->log);
	}
	s->logged = true;
	s->entry = out->count;
	out->log[out->count++] = (struct linker_session){
	    .start_ms = now_of(s->member),
	    .end_ms = INT64_MAX,
	    .from_ms = leaks ? s->member->last_read_ms : mark,
	    .hour = s->open.hour,
	    .day = s->open.day,
	    .read = s->open.read == FRAME_READ_LIVE  ? LINKER_LIVE
		    : s->open.read == FRAME_READ_DAY ? LINKER_DAY
						     : LINKER_EPOCHS,
	    .member = s->member->number,
	};
}

static void
log_ended(struct session *s, enum linker_end how)
{
	struct linker_session *x;

	if (!s->opened || s->dead)
		return;
	s->dead = true;
	if (!s->logged)
		return;
	x = entry_of(s);
	x->end_ms = now_of(s->member);
	x->end = how;
	x->off = s->member->asleep || !s->member->runs;
	if (s->open.read == FRAME_READ_LIVE)
		s->member->last_read_ms = x->end_ms;
}

/* ---- the session's double ---- */

static void
rigged_fill(void *ctx, void *out, size_t n)
{
	const struct member *m = ctx;

	if (m->rigged && n == sizeof(m->rigged_to))
		memcpy(out, &m->rigged_to, n);
	else
		rng_bytes(&m->rng.rng, out, n);
}

/* Tell the client; what it then draws is its wait, which controls have in their hand. */
static void
tell_end(struct session *s, enum err why, enum frame_error error)
{
	struct member *m = s->member;
	enum month_leak leak = m->scene->cfg.leak;

	m->rigged = why != ERR_OK && s->open.read == FRAME_READ_LIVE &&
		    (leak == MONTH_AT_ONCE || leak == MONTH_FIXED);
	m->rigged_to =
	    RIGGED_BASE + (leak == MONTH_FIXED ? RETRY_MAX_MS / 2 : rng_below(&m->rng.rng, 2000));
	s->events.ended(s->arg, s, why, error);
	m->rigged = false;
}

static int64_t
natural_ms(const struct session *s)
{
	const struct params *p = &s->member->scene->params;
	int64_t now = now_of(s->member), mark = gaps_mark(p, s->open.hour);
	int64_t from = timing_day_start(p, s->open.day), to = timing_day_start(p, s->open.day + 1);

	if (s->open.read == FRAME_READ_LIVE)
		return timing_hour_start(p, s->open.hour + 1) - now;
	if (s->open.read == FRAME_READ_EPOCHS)
		return EPOCHS_READ_MS;
	if (to > mark)
		to = mark;
	return SECOND_MS + DAY_READ_MS * (to - from) / DAY_MS;
}

static void
admit(struct session *s)
{
	int64_t natural = natural_ms(s);
	int64_t life = s->member->scene->cfg.scripted
			   ? INT64_MAX
			   : rng_exponential_long(&s->member->rng.rng, TOR_LIFE_MS);

	s->opened = true;
	log_opened(s);
	s->early = life < natural;
	timer_after(s->timer, s->early ? life : natural > 0 ? natural : 0);
	till_show_notices(&s->member->till);
	s->events.opened(s->arg, s);
}

/* It is durable that the ticket is spent. */
static void
on_ticket(void *arg, enum err e, const struct wallet_token *t)
{
	struct session *s = arg;

	assert_err_ok(e);
	assert_non_null(t);
	admit(s);
}

static void
on_up(struct session *s)
{
	if (s->open.read == FRAME_READ_NOTICES) {
		s->opened = true;
		till_show_notices(&s->member->till);
		timer_after(s->timer, SECOND_MS);
	} else if (s->purse == NULL || !purse_needed_hour(s->purse, s->open.hour)) {
		admit(s);
	} else if (purse_ticket(s->purse, s->open.hour, on_ticket, s) != ERR_OK) {
		tell_end(s, ERR_DENIED, FRAME_ERROR_NONE);
	}
}

static void
on_session_timer(void *arg)
{
	struct session *s = arg;
	bool live = s->open.read == FRAME_READ_LIVE;

	if (s->dead) { /* it was silent for long enough */
		tell_end(s, ERR_TIMEOUT, FRAME_ERROR_NONE);
	} else if (!s->opened && (s->member->line_down || s->member->scene->down)) {
		tell_end(s, ERR_TIMEOUT, FRAME_ERROR_NONE);
	} else if (!s->opened) {
		on_up(s);
	} else if (s->early) {
		log_ended(s, LINKER_CLOSED);
		tell_end(s, ERR_CLOSED, FRAME_ERROR_NONE);
	} else {
		log_ended(s, LINKER_MARK);
		tell_end(s, ERR_OK, live ? FRAME_ERROR_MARK : FRAME_ERROR_COMPLETE);
	}
}

enum err
__wrap_session_open(struct session **out, struct loop *l, const struct session_config *cfg,
		    const struct session_events *events, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));
	struct member *m = cfg->rng->ctx;
	int64_t wait;

	assert_non_null(s);
	s->member = m;
	s->events = *events;
	s->open = cfg->open;
	s->purse = cfg->purse;
	s->arg = arg;
	s->timer = timer_new(l, on_session_timer, s);
	assert_non_null(s->timer);
	LIST_INSERT_HEAD(&m->sessions, s, sessions);
	wait = SECOND_MS + rng_exponential_long(&m->rng.rng, OPENING_MS);
	timer_after(s->timer, m->line_down ? CONNECT_MS : wait);
	*out = s;
	return ERR_OK;
}

void
__wrap_session_free(struct session *s)
{
	if (s == NULL)
		return;
	log_ended(s, LINKER_CLOSED);
	if (s->purse != NULL)
		purse_cancel(s->purse, s);
	timer_free(s->timer);
	LIST_REMOVE(s, sessions);
	free(s);
}

/* All that a member has open falls silent, and it will notice, or sleeps. */
static void
fall_silent(struct member *m)
{
	struct session *s;

	LIST_FOREACH(s, &m->sessions, sessions)
	{
		if (!s->opened || s->dead)
			continue;
		log_ended(s, LINKER_SILENT);
		timer_after(s->timer, NOTICE_MS);
	}
}

/* ---- the journal's double ---- */

static struct member *
member_of(const struct client *c)
{
	return c->cfg.rng->ctx;
}

/* Its blocks are linked to what is known, or go past an epoch block that is. */
static bool
tied(const struct member *m, int64_t from_ms)
{
	const struct params *p = &m->scene->params;
	int64_t epoch_ms =
	    m->epochs_ms < 0 ? -1 : timing_epoch_start(p, timing_epoch(p, m->epochs_ms));

	return epoch_ms >= from_ms || spans_cover(&m->client.spans, from_ms - 1, from_ms);
}

static bool
is_live(const struct session *s)
{
	return s->opened && !s->dead && s->open.read == FRAME_READ_LIVE;
}

bool
runs_verified(const struct client *c, int64_t *from_ms)
{
	const struct member *m = member_of(c);
	const struct session *s;
	bool any = false;

	LIST_FOREACH(s, &m->sessions, sessions)
	{
		int64_t mark = gaps_mark(c->params, s->open.hour);

		if (!is_live(s) || !tied(m, mark))
			continue;
		if (from_ms != NULL && (!any || mark < *from_ms))
			*from_ms = mark;
		any = true;
	}
	return any;
}

/* What live runs have brought by now. */
static void
cover(struct member *m)
{
	struct client *c = &m->client;
	const struct session *s;

	LIST_FOREACH(s, &m->sessions, sessions)
	{
		struct span x = {.from_ms = gaps_mark(c->params, s->open.hour), .to_ms = now_of(m)};

		if (!is_live(s) || !tied(m, x.from_ms))
			continue;
		assert_err_ok(spans_add(&c->spans, &x));
		m->epochs_ms = now_of(m);
	}
	spans_forget(&c->spans, now_of(m) - c->params->retention_ms - DAY_MS);
}

/* The start of the epoch whose block is known latest. */
bool
__wrap_chain_latest_epoch(const struct chain *k, struct chain_point *out,
			  uint8_t signature[BLOCK_SIGNATURE_BYTES])
{
	struct member *m = (struct member *)(uintptr_t)k;
	const struct params *p = &m->scene->params;

	(void)signature;
	cover(m);
	if (m->epochs_ms < 0)
		return false;
	memset(out, 0, sizeof(*out));
	out->round = timing_round(p, timing_epoch_start(p, timing_epoch(p, m->epochs_ms)));
	return true;
}

static void
on_cover(void *arg)
{
	struct member *m = arg;

	cover(m);
	timer_after(m->cover, COVER_EVERY_MS);
}

enum err
run_begin(struct run *r, struct client *c, enum follow_what what)
{
	(void)what;
	r->client = c;
	return ERR_OK;
}

void
run_end(struct run *r)
{
	memset(r, 0, sizeof(*r));
}

enum err
run_item(struct run *r, enum item_kind kind, const uint8_t *p, size_t n)
{
	(void)r;
	(void)kind;
	(void)p;
	(void)n;
	return ERR_OK;
}

enum err
run_done(struct run *r)
{
	struct client *c = r->client;

	if (c->gap.what.kind == GAP_EPOCHS)
		member_of(c)->epochs_ms = now_of(member_of(c));
	return ERR_OK;
}

uint64_t
follow_blocks(const struct follow *f)
{
	(void)f;
	return 1;
}

bool
follow_verified(struct follow *f)
{
	(void)f;
	return true;
}

int64_t
client_scaled(const struct client *c, int64_t ms)
{
	return params_scaled(c->params, ms);
}

void
client_tell(struct client *c)
{
	(void)c;
}

void
client_chain_broke(struct client *c)
{
	(void)c;
	fail_msg("spans without blocks always fit");
}

bool
slots_cover(struct client *c, struct session_packet *out)
{
	(void)c;
	(void)out;
	return false;
}

void
commit_now(struct commit *k)
{
	(void)k;
}

bool
commit_is_full(const struct commit *k)
{
	(void)k;
	return false;
}

/* ---- the program ---- */

static bool
on_slot(void *arg, enum attend_phase phase, struct session_packet *out)
{
	(void)arg;
	(void)phase;
	(void)out;
	return false;
}

static enum err
on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)run;
	(void)hour;
	(void)kind;
	(void)p;
	(void)n;
	return ERR_OK;
}

static void
on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why, enum frame_error error)
{
	(void)arg;
	(void)run;
	(void)hour;
	(void)open;
	(void)why;
	(void)error;
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	(void)delta_ms;
	gap_jumped(arg);
}

static void
program_start(struct member *m)
{
	static const struct attend_events events = {on_slot, NULL, on_item, on_state};
	struct client *c = &m->client;
	struct attend_config cfg = {
	    .charter = m->scene->network->charter, .rng = c->cfg.rng, .keys = c->cfg.rng};

	m->runs = true;
	till_open(&m->till);
	c->purse = cfg.purse = m->till.purse;
	assert_err_ok(loop_watch_jumps(c->loop, on_jump, c));
	assert_err_ok(attend_new(&c->attend, c->loop, &cfg, &events, c));
	assert_err_ok(gap_init(c));
	timer_after(m->cover, COVER_EVERY_MS);
}

static void
program_stop(struct member *m)
{
	struct client *c = &m->client;

	cover(m);
	m->runs = false;
	loop_unwatch_jumps(c->loop, c);
	gap_free(c);
	memset(&c->gap, 0, sizeof(c->gap));
	attend_free(c->attend);
	c->attend = NULL;
	c->purse = NULL;
	till_close(&m->till);
	timer_cancel(m->cover);
}

/* ---- how a member lives ---- */

static void
later(struct member *m, int64_t at_ms, void (*cb)(void *arg))
{
	assert_err_ok(world_at(m->scene->world, at_ms, cb, m));
}

static int64_t
exponential(const struct member *m, int64_t mean_ms)
{
	return rng_exponential_long(&m->rng.rng, mean_ms);
}

/* About normal: the sum of four uniform draws, of this standard deviation. */
static int64_t
about(const struct member *m, int64_t mean_ms, int64_t deviation_ms)
{
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += rng_unit(&m->rng.rng) - 0.5;
	return mean_ms + (int64_t)(sum * 1.7320508 * (double)deviation_ms);
}

static void
on_line_back(void *arg)
{
	struct member *m = arg;

	m->line_down = m->till.line_down = false;
}

static void
on_line_break(void *arg)
{
	struct member *m = arg;

	if (m->runs && !m->asleep && !m->line_down) {
		cover(m);
		m->line_down = m->till.line_down = true;
		fall_silent(m);
		till_break(&m->till);
		later(m, now_of(m) + exponential(m, OUTAGE_MS), on_line_back);
	}
	later(m, now_of(m) + exponential(m, LINE_LIFE_MS), on_line_break);
}

static void
on_awake(void *arg)
{
	((struct member *)arg)->asleep = false;
}

static void
go_to_sleep(struct member *m, int64_t until_ms)
{
	cover(m);
	m->asleep = true;
	fall_silent(m);
	till_break(&m->till);
	later(m, until_ms, on_awake); /* before it wakes: events go by the order of calls */
	assert_err_ok(world_sleep(m->host, until_ms - now_of(m)));
}

static void
on_start(void *arg)
{
	struct member *m = arg;

	if (!m->runs)
		program_start(m);
}

/* Off until then: asleep, or shut down. */
static void
go_off(struct member *m, int64_t until_ms)
{
	if (!m->runs || m->asleep)
		return;
	if (m->sleeps) {
		go_to_sleep(m, until_ms);
		return;
	}
	program_stop(m);
	later(m, until_ms, on_start);
}

static bool
is_workday(int64_t at_ms)
{
	return (at_ms / DAY_MS + 3) % 7 < 5;
}

/* The next workday's morning. */
static int64_t
next_morning(const struct member *m)
{
	int64_t day = now_of(m) / DAY_MS * DAY_MS;

	do
		day += DAY_MS;
	while (!is_workday(day) || (day >= m->away_from_ms && day < m->away_to_ms));
	return day + about(m, m->comes_ms, 15 * MINUTE_MS);
}

static void
on_evening(void *arg)
{
	struct member *m = arg;
	int64_t morning = next_morning(m);

	go_off(m, morning);
	later(m, morning / DAY_MS * DAY_MS + about(m, m->goes_ms, 30 * MINUTE_MS), on_evening);
}

static void
on_nap(void *arg)
{
	struct member *m = arg;

	if (m->runs && !m->asleep)
		go_to_sleep(m, now_of(m) + 10 * SECOND_MS + exponential(m, NAP_MS));
	later(m, now_of(m) + exponential(m, NAP_EVERY_MS), on_nap);
}

/* Those whose machine is always on may be away for weeks too. */
static void
on_away(void *arg)
{
	struct member *m = arg;

	go_off(m, m->away_to_ms + about(m, 10 * HOUR_MS, HOUR_MS));
}

static void
on_script_sleep(void *arg)
{
	go_to_sleep(arg, START_MS + SCRIPT_WAKE_MS);
}

static void
on_script_break(void *arg)
{
	struct member *m = arg;

	cover(m);
	fall_silent(m);
}

static void
begin_script(struct member *m)
{
	later(m, START_MS + SCRIPT_START_MS, on_start);
	later(m, START_MS + SCRIPT_SLEEP_MS, on_script_sleep);
	later(m, START_MS + SCRIPT_BREAK_MS, on_script_break);
}

static void
begin_life(void *arg)
{
	struct member *m = arg;
	int64_t now = now_of(m);

	if (m->scene->cfg.scripted) {
		begin_script(m);
		return;
	}
	later(m, now + exponential(m, LINE_LIFE_MS), on_line_break);
	later(m, now + rng_between(&m->rng.rng, 0, 10 * MINUTE_MS), on_start);
	if (m->office) {
		later(m, now + about(m, m->goes_ms, 30 * MINUTE_MS), on_evening);
		later(m, now + exponential(m, NAP_EVERY_MS), on_nap);
	} else if (m->away_to_ms > 0) {
		later(m, m->away_from_ms, on_away);
	}
}

static void
member_init(struct member *m, struct scene *k, unsigned number)
{
	const struct rng *r;

	m->scene = k;
	m->number = number;
	m->epochs_ms = -1;
	LIST_INIT(&m->sessions);
	rng_seeded_init(&m->rng, rng_u64(world_rng(k->world)));
	r = &m->rng.rng;
	m->rigged_rng = (struct rng){rigged_fill, m};
	m->office = number % 5 < 2;
	m->sleeps = rng_chance(r, 1, 2);
	m->comes_ms = about(m, 8 * HOUR_MS + 30 * MINUTE_MS, 45 * MINUTE_MS);
	m->goes_ms = about(m, 17 * HOUR_MS + 30 * MINUTE_MS, 45 * MINUTE_MS);
	if (number % AWAY_ONE_IN == 0) {
		m->away_from_ms = START_MS + (int64_t)rng_below(r, 10) * DAY_MS;
		m->away_to_ms = m->away_from_ms + rng_between(r, 15, 18) * DAY_MS;
	}
	assert_err_ok(world_host_new(&m->host, k->world));
	m->client.loop = world_loop(m->host);
	m->client.cfg.rng = m->client.cfg.keys = &m->rigged_rng;
	m->client.all = k->network->charters;
	m->client.params = &k->params;
	m->client.chain = (struct chain *)(void *)m;
	/* a new member holds everything before its first day for known */
	m->client.spans.count = 1;
	m->client.spans.at[0] = (struct span){.from_ms = 0, .to_ms = START_MS};
	m->cover = timer_new(m->client.loop, on_cover, m);
	assert_non_null(m->cover);
	till_init(&m->till, &k->out->fetches, m->client.loop, k->network, &m->rigged_rng, number);
	if (k->cfg.tickets && number % JOINS_ONE_IN == JOINS_ONE_IN - 1)
		later(m, START_MS + rng_between(r, DAY_MS, k->cfg.days * DAY_MS - DAY_MS),
		      begin_life);
	else
		begin_life(m);
}

/* ---- the gateway ---- */

static void
on_gateway_up(void *arg)
{
	((struct scene *)arg)->down = false;
}

static void
tell_all(struct member *m)
{
	struct session *s, *next;

	cover(m);
	for (s = LIST_FIRST(&m->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, sessions);
		if (!s->opened || s->dead)
			continue;
		log_ended(s, LINKER_RESTART);
		timer_after(s->timer, 0);
	}
}

static void
on_gateway_down(void *arg)
{
	struct scene *k = arg;
	const struct rng *r = world_rng(k->world);
	int64_t now = world_now_ms(k->world);

	k->down = true;
	for (unsigned i = 0; i < k->cfg.members; i++)
		tell_all(&k->members[i]);
	assert_err_ok(
	    world_at(k->world, now + rng_between(r, MINUTE_MS, 5 * MINUTE_MS), on_gateway_up, k));
	assert_err_ok(world_at(k->world, now + rng_exponential_long(r, RESTART_EVERY_MS),
			       on_gateway_down, k));
}

/* A new seed came: who is in session sees its notice in a block. */
static void
on_epoch(void *arg)
{
	struct scene *k = arg;
	int64_t now = world_now_ms(k->world);

	for (unsigned i = 0; i < k->cfg.members && !k->down; i++) {
		const struct session *s;

		LIST_FOREACH(s, &k->members[i].sessions, sessions)
			if (is_live(s)) {
				till_show_notices(&k->members[i].till);
				break;
			}
	}
	assert_err_ok(world_at(k->world, now + k->params.epoch_ms, on_epoch, k));
}

/* ---- all of it ---- */

static void
end_log(struct month *out, int64_t until_ms)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->log[i].end_ms == INT64_MAX)
			out->log[i].end_ms = until_ms;
}

static void
member_release(struct member *m)
{
	if (m->runs)
		program_stop(m);
	till_release(&m->till);
	timer_free(m->cover);
}

void
month_run(struct month *out, const struct month_config *cfg)
{
	struct scene k = {.cfg = *cfg, .out = out};
	const struct world_config world = {.seed = cfg->seed, .wall_ms = START_MS};

	memset(out, 0, sizeof(*out));
	out->from_ms = START_MS;
	month_params(&k.params);
	if (cfg->scripted)
		k.params.epoch_ms = 2 * HOUR_MS;
	assert_err_ok(world_new(&k.world, &world));
	k.network = network_new(&(struct network_config){
	    .seed = 1, .params = &k.params, .registrar = cfg->tickets});
	k.members = calloc(cfg->members, sizeof(*k.members));
	assert_non_null(k.members);
	for (unsigned i = 0; i < cfg->members; i++)
		member_init(&k.members[i], &k, i);
	if (!cfg->scripted)
		assert_err_ok(world_at(
		    k.world, START_MS + rng_exponential_long(world_rng(k.world), RESTART_EVERY_MS),
		    on_gateway_down, &k));
	assert_err_ok(world_at(k.world, START_MS + NOTICES_AFTER_MS, on_epoch, &k));
	assert_err_ok(
	    world_run_for(k.world, cfg->scripted ? SCRIPT_END_MS : (int64_t)cfg->days * DAY_MS));
	end_log(out, world_now_ms(k.world));
	for (unsigned i = 0; i < cfg->members; i++)
		member_release(&k.members[i]);
	free(k.members);
	network_free(k.network);
	world_free(k.world);
}

void
month_release(struct month *m)
{
	free(m->log);
	free(m->fetches.fetch);
	memset(m, 0, sizeof(*m));
}
