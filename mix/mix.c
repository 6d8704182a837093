#include "config.h"

#include "mix/mix.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/charterfiles.h"
#include "common/charter/timing.h"
#include "common/journal/chain.h"
#include "common/net/charters.h"
#include "mix/epochkeys.h"
#include "mix/flow.h"
#include "mix/heartbeat.h"
#include "mix/links.h"
#include "mix/proofs.h"
#include "mix/purses.h"
#include "mix/replay.h"
#include "mix/sheets.h"
#include "mix/visits.h"

#define TURN_MS 30000	 /* announcements are repeated, failed writes tried again */
#define STOP_LOOK_MS 20

struct mix {
	struct mix_config cfg;
	struct charters *charters;
	const struct succession *all; /* of charters */
	const struct params *params;  /* the constant ones */
	const struct charter_node *own; /* number, identity and layer, which stay */
	uint16_t gateway;
	struct workq *queue; /* the disk's */
	struct epochkeys *keys;
	struct replay *replay;
	struct chain *chain;
	struct proofs *proofs;
	struct sheets *sheets;
	struct heartbeat *heartbeat;
	struct links *links;
	struct flow *flow;
	struct purses *purses;
	unsigned purse_alarms; /* as they were logged */
	struct visits *visits;
	struct timer *turn, *stop_look;
	bool watching;
	/* what was logged last */
	uint32_t epoch, charter_logged, behind_logged;
	bool place_logged;
	uint64_t full_logged;
	struct unwrap_counts drops_logged;
	/* stopping */
	int64_t stop_by_ms;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static int64_t
wall_ms(const struct mix *m)
{
	return loop_wall_ms(m->cfg.loop);
}

static uint32_t
epoch_now(const struct mix *m)
{
	return timing_epoch(m->params, wall_ms(m));
}

/* ---- announcing ---- */

/* Our key of an epoch goes to the gateway until a sheet of that epoch was seen. */
static void
announce(struct mix *m, uint32_t epoch)
{
	const struct charter *c = succession_at(m->all, epoch);
	uint8_t a[ANNOUNCEMENT_BYTES];

	if (c == NULL || charter_node(c, m->own->number) == NULL || sheets_seen(m->sheets, epoch) || !links_is_up(m->links, m->gateway) ||
	    sheets_announcement(m->sheets, a, epoch) != ERR_OK ||
	    links_send_announcement(m->links, m->gateway, a) != ERR_OK)
		return; /* the next turn tries again */
}

static void
announce_all(struct mix *m)
{
	uint32_t now = epoch_now(m);

	announce(m, now);
	announce(m, now + 1);
}

/* ---- what happened ---- */

static void
key_made(void *arg, uint32_t epoch)
{
	struct mix *m = arg;

	announce(m, epoch);
}

static void
sheet_changed(void *arg, uint32_t epoch)
{
	struct mix *m = arg;

	if (sheets_struck(m->sheets, epoch))
		flow_discard(m->flow);
}

static void
packet_came(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct mix *m = arg;
	const struct charter *c = succession_at(m->all, epoch);
	const struct charter_node *n = c != NULL ? charter_node(c, from) : NULL;

	/* a node that another charter has, or had, has no say in this epoch */
	if (n != NULL && (m->own->layer == 0 ? n->role == CHARTER_GATEWAY
					     : n->layer + 1 == m->own->layer))
		flow_take(m->flow, epoch, packet);
}

static void
link_changed(void *arg, uint16_t peer, bool dialled, bool up)
{
	struct mix *m = arg;

	if (peer == m->gateway && dialled && up)
		announce_all(m);
}

static void
rolled_back(void *arg, uint16_t peer)
{
	struct mix *m = arg;

	(void)peer;
	flow_discard(m->flow);
}

/* ---- heartbeats ---- */

static void
heart_changed(void *arg, bool stopped)
{
	struct mix *m = arg;

	if (m->flow != NULL)
		flow_shut(m->flow, stopped);
}

/* Nothing of the running epoch passes us: without its sheet, or because we sit it out. */
static bool
heart_idle(void *arg)
{
	const struct mix *m = arg;

	return m->cfg.unguarded || m->flow == NULL || sheets_find(m->sheets, epoch_now(m)) == NULL ||
	    flow_sits_out(m->flow, epoch_now(m));
}

static bool
heart_cut_off(void *arg)
{
	const struct mix *m = arg;
	struct visits_status s;

	if (m->visits == NULL)
		return true;
	visits_get_status(m->visits, &s);
	return s.live == 0;
}

/* ---- charters ---- */

/* What follows from the time, and from a charter that was taken. */
static void
turn_charters(struct mix *m)
{
	const struct charter *c = succession_at(m->all, epoch_now(m));

	charters_turn(m->charters);
	links_turn(m->links);
	flow_turn(m->flow);
	if (c != NULL && c->version != m->charter_logged) {
		m->charter_logged = c->version;
		log_event(m->cfg.log, LOG_CHARTER_IN_FORCE, c->version, c->from_epoch, 0);
	}
	if (links_has_place(m->links) == m->place_logged)
		log_event(m->cfg.log, m->place_logged ? LOG_NOT_IN_CHARTER_OVER : LOG_NOT_IN_CHARTER,
		    succession_latest(m->all)->version, epoch_now(m), 0);
	m->place_logged = !links_has_place(m->links);
}

static void
charter_came(void *arg, const uint8_t *text, size_t n)
{
	struct mix *m = arg;
	enum err e = charters_offer(m->charters, text, n, NULL);
	uint32_t latest = succession_latest(m->all)->version;

	if (e == ERR_STATE && m->behind_logged != latest) {
		m->behind_logged = latest;
		log_event(m->cfg.log, LOG_CHARTER_BEHIND, latest, 0, 0);
	}
	if (e != ERR_OK)
		return;
	if (m->behind_logged != 0)
		log_event(m->cfg.log, LOG_CHARTER_BEHIND_OVER, latest, 0, 0);
	m->behind_logged = 0;
	replay_expect(m->replay, replay_tags_max(m->all));
	sheets_again(m->sheets, wall_ms(m));
	turn_charters(m);
	announce_all(m);
}

/* ---- the turn of time ---- */

/* A secret key goes first, then its replay set. */
static bool
set_is_needed(void *arg, uint32_t epoch)
{
	struct mix *m = arg;

	return epochkeys_exists(m->keys, epoch) || flow_uses(m->flow, epoch);
}

/* Once per epoch: how many packets were dropped in it, by cause. */
static void
log_drops(struct mix *m, uint32_t epoch)
{
	const struct unwrap_counts *now = flow_unwrapped(m->flow);

	if (epoch == m->epoch)
		return;
	for (unsigned cause = UNWRAP_PASSED + 1; cause < UNWRAP_CAUSES; cause++) {
		uint64_t n = now->by[cause] - m->drops_logged.by[cause];

		if (n > 0)
			log_event(m->cfg.log, LOG_DROPS, n, cause, m->epoch);
	}
	m->drops_logged = *now;
	m->epoch = epoch;
}

static void
log_full(struct mix *m)
{
	struct flow_status s;

	flow_get_status(m->flow, &s);
	if (s.dropped_full > m->full_logged)
		log_event(m->cfg.log, LOG_POOL_FULL, s.dropped_full - m->full_logged, 0, 0);
	m->full_logged = s.dropped_full;
}

static void
on_turn(void *arg)
{
	struct mix *m = arg;
	int64_t now = wall_ms(m);
	int64_t pause = params_scaled(m->params, TURN_MS);
	int64_t next = succession_turn_ms(m->all, now) - now;

	if (next < pause)
		pause = next;
	turn_charters(m);
	epochkeys_turn(m->keys, now);
	sheets_turn(m->sheets, now);
	proofs_turn(m->proofs);
	replay_prune(m->replay, set_is_needed, m);
	log_drops(m, epoch_now(m));
	log_full(m);
	announce_all(m);
	next = epochkeys_next_ms(m->keys, now) - now;
	timer_after(m->turn, next < pause ? next : pause);
}

static void
key_destroyed(void *arg, uint32_t epoch)
{
	struct mix *m = arg;

	(void)epoch;
	if (m->turn != NULL)
		timer_after(m->turn, 0); /* for the replay set */
}

static void
clock_jumped(void *arg, int64_t delta_ms)
{
	struct mix *m = arg;
	uint64_t seconds = (uint64_t)(delta_ms < 0 ? -delta_ms : delta_ms) / 1000;

	log_event(m->cfg.log, LOG_CLOCK_JUMP, seconds, 0, 0);
	flow_clock_jumped(m->flow);
	heartbeat_jumped(m->heartbeat);
	timer_after(m->turn, 0);
}

static void
on_stop_look(void *arg)
{
	struct mix *m = arg;

	if (links_unsent(m->links) > 0 && loop_boot_ms(m->cfg.loop) < m->stop_by_ms) {
		timer_after(m->stop_look, STOP_LOOK_MS);
		return;
	}
	log_event(m->cfg.log, LOG_STOPPED, m->cfg.number, 0, 0);
	m->stopped(m->stopped_arg);
}

/* ---- life ---- */

static enum err
check_own(struct mix *m, struct diag *d)
{
	unsigned number = m->cfg.number;

	m->own = succession_node(m->all, m->cfg.number);
	if (m->own == NULL || m->own->role != CHARTER_MIX)
		return diag_set(d, ERR_NOT_FOUND, "the charter has no mix %u; see that the node "
		    "number is the one the charter gives our keys", number);
	/* libsodium keeps the public key behind the seed. */
	if (sodium_memcmp(m->cfg.identity_sk + 32, m->own->identity, 32) != 0)
		return diag_set(d, ERR_NOT_FOUND, "the charter has another identity key for mix "
		    "%u; see that this is the node's own key directory", number);
	m->gateway = charter_gateway(succession_first(m->all))->number;
	return ERR_OK;
}

static enum err
open_charters(struct mix *m, struct diag *d)
{
	enum err e = charters_open(&m->charters, m->cfg.disk, m->cfg.charter, m->cfg.log, d);

	m->cfg.charter = NULL;
	if (e != ERR_OK)
		return e;
	m->all = charters_all(m->charters);
	m->params = &succession_first(m->all)->params;
	if (succession_at(m->all, epoch_now(m)) != NULL)
		m->charter_logged = succession_at(m->all, epoch_now(m))->version;
	return charterfiles_check_date(m->all, wall_ms(m), d);
}

static enum err
open_keys(struct mix *m, struct diag *d)
{
	const struct epochkeys_config cfg = {
		.disk = m->cfg.disk,
		.queue = m->queue,
		.params = m->params,
		.keys = m->cfg.keys,
		.log = m->cfg.log,
	};
	const struct epochkeys_events events = { .made = key_made, .destroyed = key_destroyed };

	return epochkeys_open(&m->keys, &cfg, &events, m, d);
}

static enum err
open_sheets(struct mix *m, struct diag *d)
{
	const struct sheets_config cfg = {
		.disk = m->cfg.disk,
		.queue = m->queue,
		.charters = m->all,
		.keys = m->keys,
		.chain = m->chain,
		.proofs = m->proofs,
		.own = m->cfg.number,
		.identity_sk = m->cfg.identity_sk,
		.log = m->cfg.log,
		.changed = sheet_changed,
		.arg = m,
	};
	struct diag why = { "" };
	struct buf state;
	enum err e;

	buf_init(&state);
	e = sheets_open(&m->sheets, &cfg, &state, d);
	if (e == ERR_OK && state.len > 0) {
		e = chain_load(m->chain, state.data, state.len, &why);
		if (e != ERR_OK)
			(void)diag_set(d, e, "chain: %s", why.text);
	}
	buf_release(&state);
	return e;
}

static enum err
open_heartbeat(struct mix *m, struct diag *d)
{
	const struct heartbeat_config cfg = {
		.loop = m->cfg.loop,
		.disk = m->cfg.disk,
		.queue = m->queue,
		.params = m->params,
		.rng = m->cfg.rng,
		.log = m->cfg.log,
		.changed = heart_changed,
		.idle = heart_idle,
		.cut_off = heart_cut_off,
		.arg = m,
	};

	return heartbeat_open(&m->heartbeat, &cfg, d);
}

static enum err
open_links(struct mix *m, struct diag *d)
{
	const struct links_config cfg = {
		.loop = m->cfg.loop,
		.charters = m->all,
		.own = m->cfg.number,
		.link_sk = m->cfg.link_sk,
		.listen = m->cfg.listen,
		.disk = m->cfg.disk,
		.queue = m->queue,
		.rng = m->cfg.rng,
		.keys = m->cfg.keys,
		.log = m->cfg.log,
	};
	const struct links_events events = {
		.packet = packet_came, .state = link_changed, .rolled_back = rolled_back
	};

	return links_open(&m->links, &cfg, &events, m, d);
}

static enum err
open_flow(struct mix *m)
{
	const struct flow_config cfg = {
		.loop = m->cfg.loop,
		.charters = m->all,
		.layer = m->own->layer,
		.keys = m->keys,
		.sheets = m->sheets,
		.replay = m->replay,
		.links = m->links,
		.rng = m->cfg.pool_rng != NULL ? m->cfg.pool_rng : m->cfg.rng,
		.log = m->cfg.log,
		.threads = m->cfg.threads > 0 ? m->cfg.threads : 1,
	};

	enum err e = flow_new(&m->flow, &cfg);

	if (e == ERR_OK && heartbeat_is_stopped(m->heartbeat))
		heart_changed(m, true);
	return e;
}

/* Load everything; nothing moves yet. */
static enum err
open_all(struct mix *m, struct diag *d)
{
	enum err e = open_charters(m, d);

	if (e == ERR_OK)
		e = check_own(m, d);
	if (e != ERR_OK)
		return e;
	m->queue = workq_new(m->cfg.loop, 1);
	m->chain = chain_new(succession_first(m->all), NULL);
	m->turn = timer_new(m->cfg.loop, on_turn, m);
	m->stop_look = timer_new(m->cfg.loop, on_stop_look, m);
	if (m->queue == NULL || m->chain == NULL || m->turn == NULL || m->stop_look == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	charters_set_queue(m->charters, m->queue);
	e = open_keys(m, d);
	if (e == ERR_OK)
		e = replay_open(&m->replay, m->cfg.disk, m->queue, m->cfg.keys,
		    replay_tags_max(m->all), d);
	if (e == ERR_OK)
		e = proofs_open(&m->proofs, m->cfg.disk, m->queue, succession_first(m->all),
		    m->cfg.log, d);
	if (e == ERR_OK)
		e = open_sheets(m, d);
	if (e == ERR_OK)
		e = open_heartbeat(m, d);
	if (e == ERR_OK)
		e = open_links(m, d);
	return e == ERR_OK ? open_flow(m) : e;
}

/* Each trouble is an alarm of its own. */
static void
tokens_changed(void *arg)
{
	struct mix *m = arg;
	struct purse_status s;

	if (m->purses == NULL)
		return;
	purses_get_status(m->purses, &s);
	for (unsigned bit = 1; bit <= PURSE_ALARM_DISK; bit <<= 1) {
		if ((s.alarms & bit) != 0 && (m->purse_alarms & bit) == 0)
			log_event(m->cfg.log, LOG_TOKENS_TROUBLE, bit, 0, 0);
		if ((s.alarms & bit) == 0 && (m->purse_alarms & bit) != 0)
			log_event(m->cfg.log, LOG_TOKENS_TROUBLE_OVER, bit, 0, 0);
	}
	m->purse_alarms = s.alarms;
}

static enum err
open_purses(struct mix *m, struct diag *d)
{
	const struct purse_config cfg = {
		.loop = m->cfg.loop,
		.charters = m->all,
		.disk = m->cfg.disk,
		.queue = m->queue,
		.registrar = m->cfg.registrar,
		.gateway = m->cfg.entrance,
		.socks = m->cfg.socks,
		.held = m->cfg.held,
		.rng = m->cfg.rng,
		.keys = m->cfg.keys,
	};
	enum err e = purses_new(&m->purses, &cfg, m->cfg.codes, tokens_changed, m, d);

	m->cfg.codes = NULL; /* borrowed for the call */
	tokens_changed(m);
	return e;
}

static enum err
open_visits(struct mix *m)
{
	const struct visits_config cfg = {
		.loop = m->cfg.loop,
		.charters = m->all,
		.entrance = m->cfg.entrance,
		.socks = m->cfg.socks,
		.held = m->cfg.held,
		.purses = m->purses,
		.chain = m->chain,
		.sheets = m->sheets,
		.heartbeat = m->heartbeat,
		.proofs = m->proofs,
		.rng = m->cfg.rng,
		.keys = m->cfg.keys,
		.log = m->cfg.log,
		.charter = charter_came,
		.arg = m,
	};

	return visits_new(&m->visits, &cfg);
}

static enum err
begin(struct mix *m, struct diag *d)
{
	enum err e = links_start(m->links, d);

	if (e == ERR_OK)
		e = open_purses(m, d);
	if (e == ERR_OK)
		e = open_visits(m);
	if (e == ERR_OK)
		e = loop_watch_jumps(m->cfg.loop, clock_jumped, m);
	if (e != ERR_OK)
		return e;
	m->watching = true;
	m->epoch = epoch_now(m);
	log_event(m->cfg.log, LOG_STARTED, m->cfg.number, m->epoch, 0);
	on_turn(m);
	return ERR_OK;
}

enum err
mix_new(struct mix **out, const struct mix_config *cfg, struct diag *d)
{
	struct mix *m = calloc(1, sizeof(*m));
	enum err e;

	if (m == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	m->cfg = *cfg;
	e = open_all(m, d);
	if (e == ERR_OK)
		e = begin(m, d);
	if (e != ERR_OK) {
		mix_free(m);
		return e;
	}
	*out = m;
	return ERR_OK;
}

void
mix_hold(struct mix *m, bool held)
{
	if (m->visits != NULL)
		visits_hold(m->visits, held);
	if (m->purses != NULL)
		purses_hold(m->purses, held);
}

/* Everything that takes in or gives out new packets. */
static void
halt(struct mix *m)
{
	if (m->watching)
		loop_unwatch_jumps(m->cfg.loop, m);
	m->watching = false;
	timer_free(m->turn);
	m->turn = NULL;
	visits_free(m->visits);
	m->visits = NULL;
	purses_free(m->purses);
	m->purses = NULL;
	if (m->flow != NULL)
		flow_stop(m->flow);
	if (m->links != NULL)
		links_stop_accepting(m->links);
}

void
mix_stop(struct mix *m, int64_t linger_ms, void (*stopped)(void *arg), void *arg)
{
	if (m->stopped != NULL)
		return;
	halt(m);
	m->stopped = stopped;
	m->stopped_arg = arg;
	m->stop_by_ms = loop_boot_ms(m->cfg.loop) + linger_ms;
	timer_after(m->stop_look, 0);
}

void
mix_free(struct mix *m)
{
	if (m == NULL)
		return;
	halt(m);
	timer_free(m->stop_look);
	/* Its last callbacks come while everything is still there. */
	if (m->queue != NULL)
		workq_free(m->queue);
	flow_free(m->flow);
	links_free(m->links);
	sheets_free(m->sheets);
	heartbeat_free(m->heartbeat);
	proofs_free(m->proofs);
	chain_free(m->chain);
	replay_free(m->replay);
	epochkeys_free(m->keys);
	charters_free(m->charters);
	free(m);
}

void
mix_get_status(const struct mix *m, struct mix_status *out)
{
	const struct charter *now = succession_at(m->all, epoch_now(m));
	const struct charter *next = succession_next(m->all, epoch_now(m));
	const struct sheet *sheet = sheets_find(m->sheets, epoch_now(m));
	size_t evidence = proofs_count(m->proofs);
	struct visits_status visits;
	struct flow_status s;

	flow_get_status(m->flow, &s);
	*out = (struct mix_status){
		.epoch = epoch_now(m),
		.has_sheet = sheet != NULL,
		.sheet_nodes = sheet != NULL ? (unsigned)sheet->count : 0,
		.struck = sheets_struck(m->sheets, epoch_now(m)),
		.sits_out = flow_sits_out(m->flow, epoch_now(m)),
		.held = s.held,
		.pooled = s.pooled,
		.received = s.received,
		.released = s.released,
		.flushes = s.flushes,
		.failed_commits = s.failed_commits,
		.dropped_epoch = s.dropped_epoch,
		.dropped_full = s.dropped_full,
		.dropped_out = s.dropped_out,
		.dropped_link = s.dropped_link,
		.unwrapped = *flow_unwrapped(m->flow),
		.charter = now != NULL ? now->version : 0,
		.coming_charter = next != NULL ? next->version : 0,
		.coming_epoch = next != NULL ? next->from_epoch : 0,
		.serves = now != NULL && charter_node(now, m->own->number) != NULL,
		.has_place = links_has_place(m->links),
		.evidence = evidence,
		.lied_epoch = evidence > 0
		    ? evidence_epoch(proofs_at(m->proofs, evidence - 1), m->params) : 0,
	};

	if (m->purses != NULL)
		purses_get_status(m->purses, &out->tokens);
	heartbeat_get_status(m->heartbeat, &out->heartbeat);
	if (m->visits != NULL) {
		visits_get_status(m->visits, &visits);
		out->sessions = visits.live;
	}
}

size_t
mix_links(const struct mix *m, struct links_peer *out, size_t max)
{
	return links_list(m->links, out, max);
}

const struct proofs *
mix_proofs(const struct mix *m)
{
	return m->proofs;
}
