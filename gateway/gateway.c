#include "config.h"

#include "gateway/gateway.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/charterfiles.h"
#include "common/charter/timing.h"
#include "common/net/charters.h"
#include "gateway/announcements.h"
#include "gateway/issuers.h"
#include "gateway/journal.h"
#include "mix/epochkeys.h"
#include "mix/links.h"
#include "mix/replay.h"

#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 60000
#define STOP_LOOK_MS 20
#define MISSING_MS 60000 /* a sheet that is so late is worth a warning */
#define EPOCHS 2
#define NOTICES (ISSUER_AHEAD + 4)
#define SEEDS_MISSING_MS 300000 /* a seed is missed from so long after the start */
#define REFUSALS_LOGGED 8 /* of seeds, in an epoch: a registrar must not fill the disk */

/* The sheet that the entry was given last for each parity of the epoch. */
struct given_sheet {
	bool given;
	uint32_t epoch;
};

struct gateway {
	struct gateway_config cfg;
	struct charters *charters;
	const struct succession *all; /* of charters */
	const struct params *params;  /* the constant ones */
	const struct charter_node *own; /* number and identity, which stay */
	struct workq *queue; /* the disk's */
	struct epochkeys *keys;
	struct replay *replay;
	struct links *links;
	struct announcements *announcements;
	struct journal *journal;
	struct turnstile *turnstile; /* in front of it */
	struct issuers *issuers;
	struct stamps *stamps;
	struct tickets *tickets;
	struct exit *exit;
	struct entry *entry;
	struct timer *round; /* the end of the running round */
	struct timer *retry, *stop_look;
	struct journal_round *putting; /* the block under way */
	int64_t retry_ms;	       /* 0: the last write succeeded */
	struct given_sheet given[EPOCHS];
	struct given_sheet noticed[NOTICES]; /* the same of issuer notices */
	bool dropping;	     /* marks of an epoch that is over */
	bool drop_failed;    /* they could not be destroyed */
	bool spending_fails; /* the last time */
	bool seeds_missing;
	bool unnumbered; /* packets went out since the last batch number */
	bool expiring, watching, closing;
	bool disk_failed; /* the last write to our own disk */
	bool expire_failed; /* a day that is over could not be destroyed */
	int64_t started_ms;
	uint32_t missing_logged, epoch_logged, charter_logged;
	/* a charter that is being made durable */
	gateway_done_cb *publish_done;
	void *publish_arg;
	struct unwrap_counts drops_logged;
	uint64_t unpaid_logged, pool_full_logged, journal_full_logged;
	uint32_t refusals_epoch, refusals; /* of seeds: lines of the log in that epoch */
	uint64_t blocks, forwarded, dropped_in, dropped_journal;
	int64_t stop_by_ms;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static int64_t
wall_ms(const struct gateway *g)
{
	return loop_wall_ms(g->cfg.loop);
}

static uint32_t
epoch_now(const struct gateway *g)
{
	return timing_epoch(g->params, wall_ms(g));
}

static void
disk_answered(struct gateway *g, enum err e)
{
	log_disk(g->cfg.log, &g->disk_failed, e);
}

/* ---- sheets ---- */

/* Our own announcement stands beside the mixes'. */
static void
announce_own(struct gateway *g, uint32_t epoch)
{
	const struct epochkey *key = epochkeys_find(g->keys, epoch);
	struct announcement a = { .node = g->own->number, .epoch = epoch,
		.suite = g->params->suite };
	uint8_t bytes[ANNOUNCEMENT_BYTES];

	if (key == NULL)
		return;
	memcpy(a.pk, key->pk, sizeof(a.pk));
	announcement_sign(&a, succession_first(g->all)->network_id, g->cfg.identity_sk);
	announcement_encode(bytes, &a);
	/* too early for it, or out of memory: the next turn announces again */
	if (announcements_take(g->announcements, a.node, bytes, wall_ms(g)) != ERR_OK)
		return;
}

/* Whether tickets and stamps are needed in an epoch. */
static bool
has_registrar(const struct gateway *g, uint32_t epoch)
{
	const struct charter *c = succession_at(g->all, epoch);

	return c != NULL && charter_registrar(c) != NULL;
}

static enum err
make_sheet(struct gateway *g, uint32_t epoch)
{
	const struct issuer_keys *keys = journal_issuer_keys(g->journal, epoch);
	struct sheet *s = NULL;
	struct buf bytes;
	enum err e;

	/* a sheet without keys would keep everybody out for all of the epoch */
	if (has_registrar(g, epoch) && keys == NULL)
		return ERR_NOT_FOUND;
	buf_init(&bytes);
	e = announcements_sheet(g->announcements, &bytes, epoch,
	    has_registrar(g, epoch) ? keys : NULL);
	if (e == ERR_OK)
		e = sheet_read(&s, bytes.data, bytes.len, g->all, NULL);
	buf_release(&bytes);
	if (e != ERR_OK)
		return e;
	log_event(g->cfg.log, LOG_SHEET_WRITTEN, epoch, s->count, 0);
	return journal_sheet(g->journal, s);
}

/* Once per epoch, a minute into it: the operator should know that nothing can be sent. */
static void
log_missing(struct gateway *g, uint32_t epoch)
{
	int64_t since = timing_epoch_start(g->params, epoch);

	if (since < g->started_ms)
		since = g->started_ms;
	if (epoch != epoch_now(g) || g->missing_logged == epoch ||
	    wall_ms(g) - since < params_scaled(g->params, MISSING_MS))
		return;
	g->missing_logged = epoch;
	log_event(g->cfg.log, LOG_SHEET_MISSING, epoch,
	    announcements_count(g->announcements, epoch), 0);
}

static void
look_for_sheet(struct gateway *g, uint32_t epoch)
{
	if (journal_has_sheet(g->journal, epoch))
		return;
	announce_own(g, epoch);
	if (!announcements_ready(g->announcements, epoch, wall_ms(g)) ||
	    make_sheet(g, epoch) != ERR_OK)
		log_missing(g, epoch);
}

/* A sheet goes to the sessions once its block is durable. */
static void
give_sheet(struct gateway *g, uint32_t epoch)
{
	const struct buf *bytes = journal_sheet_bytes(g->journal, epoch);
	struct given_sheet *given = &g->given[epoch % EPOCHS];

	if (bytes == NULL || (given->given && given->epoch == epoch))
		return;
	/* without memory the next round tries again */
	if (entry_sheet(g->entry, epoch, bytes->data, bytes->len) == ERR_OK)
		*given = (struct given_sheet){ true, epoch };
}

static void
give_sheets(struct gateway *g)
{
	uint32_t epoch = epoch_now(g);

	give_sheet(g, epoch);
	give_sheet(g, epoch + 1);
}

static const uint8_t *
sheet_hash(void *arg, uint32_t epoch)
{
	struct gateway *g = arg;
	const struct sheet *s = journal_sheet_of(g->journal, epoch);

	return s != NULL ? s->hash : NULL;
}

/* ---- issuer seeds ---- */

static bool
seed_fits(void *arg, const struct issuer_keys *keys)
{
	const struct gateway *g = arg;
	const struct issuer_keys *known = journal_issuer_keys(g->journal, keys->epoch);

	return known == NULL || (memcmp(known->tickets, keys->tickets, /* public */
	    sizeof(known->tickets)) == 0 && memcmp(known->stamp, keys->stamp, 32) == 0); /* public */
}

/* The public keys go into the journal, once; without memory the next round does it. */
static void
notice_seed(struct gateway *g, uint32_t epoch)
{
	const struct redeemer *r = issuers_find(g->issuers, epoch);

	if (r != NULL)
		(void)!journal_issuer(g->journal, issuer_keys(r->issuer));
}

static void
seed_stored(void *arg, uint32_t epoch)
{
	notice_seed(arg, epoch);
}

static void
log_refusal(struct gateway *g, uint32_t epoch, enum err e)
{
	if (g->refusals_epoch != epoch_now(g))
		g->refusals = 0;
	g->refusals_epoch = epoch_now(g);
	if (g->refusals++ < REFUSALS_LOGGED)
		log_event(g->cfg.log, LOG_SEED_REFUSED, epoch, (uint64_t)-(int64_t)e, 0);
}

static void
seed_came(void *arg, uint16_t from, uint32_t epoch, const uint8_t *seed)
{
	struct gateway *g = arg;
	enum err e = issuers_take(g->issuers, from, epoch, seed, wall_ms(g));

	/* a clock that differs by a little offers an epoch that is just over */
	if (e != ERR_OK && e != ERR_EPOCH)
		log_refusal(g, epoch, e);
}

/* A notice goes to the sessions once its block is durable. */
static void
give_notices(struct gateway *g)
{
	uint32_t now = epoch_now(g);

	for (uint32_t epoch = now; epoch <= now + ISSUER_AHEAD; epoch++) {
		const struct buf *bytes = journal_notice_bytes(g->journal, epoch);
		struct given_sheet *given = &g->noticed[epoch % NOTICES];

		if (bytes == NULL || (given->given && given->epoch == epoch))
			continue;
		/* without memory the next round tries again */
		if (entry_notice(g->entry, bytes->data, bytes->len) == ERR_OK)
			*given = (struct given_sheet){ true, epoch };
	}
}

/* The registrar gives seeds days ahead; without the next one the network would stop. */
static void
watch_seeds(struct gateway *g)
{
	uint32_t now = epoch_now(g), lacking = now;
	bool missing;

	if (wall_ms(g) - g->started_ms < params_scaled(g->params, SEEDS_MISSING_MS))
		return;
	while (lacking < now + 2 && (!has_registrar(g, lacking) ||
	    issuers_find(g->issuers, lacking) != NULL))
		lacking++;
	missing = lacking < now + 2;
	if (missing && !g->seeds_missing)
		log_event(g->cfg.log, LOG_SEEDS_MISSING, lacking, 0, 0);
	if (!missing && g->seeds_missing)
		log_event(g->cfg.log, LOG_SEEDS_MISSING_OVER, 0, 0, 0);
	g->seeds_missing = missing;
}

static void
spent_answered(void *arg, enum err e)
{
	struct gateway *g = arg;

	if (g->closing)
		return;
	if (e != ERR_OK && !g->spending_fails)
		log_event(g->cfg.log, LOG_SPENT_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	if (e == ERR_OK && g->spending_fails && !g->drop_failed)
		log_event(g->cfg.log, LOG_SPENT_RECOVERED, 0, 0, 0);
	g->spending_fails = e != ERR_OK;
}

static void
on_dropped(void *arg, enum err e)
{
	struct gateway *g = arg;

	g->dropping = false;
	if (e != ERR_OK && !g->drop_failed)
		log_event(g->cfg.log, LOG_SPENT_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	if (e == ERR_OK && g->drop_failed && !g->spending_fails)
		log_event(g->cfg.log, LOG_SPENT_RECOVERED, 0, 0, 0);
	g->drop_failed = e != ERR_OK;
}

/* Whether there are issuer keys for an epoch, or a later one. */
static bool
seeds_reach(const struct gateway *g, uint32_t epoch)
{
	uint32_t last = epoch_now(g) + ISSUER_AHEAD;

	for (; epoch <= last; epoch++)
		if (issuers_exists(g->issuers, epoch) ||
		    journal_issuer_keys(g->journal, epoch) != NULL)
			return true;
	return false;
}

/*
 * Not by our clock alone, for one that is ahead destroys seeds that the registrar then gives
 * again, and what was spent must be known by then. A seed that is as far ahead as any can be
 * says that the registrar's clock has left the epoch behind too.
 */
static bool
over_for_registrar(const struct gateway *g, uint32_t epoch)
{
	uint32_t next = epoch + 1 + ISSUER_AHEAD, now = epoch_now(g);

	/* a wild clock must not make us look through all of the past */
	return charter_registrar(succession_near(g->all, next)) == NULL ||
	    seeds_reach(g, next > now ? next : now);
}

/* Marks go when nothing can be redeemed any more: the seed first, on the disk too. */
static void
drop_spent(struct gateway *g)
{
	uint32_t epoch;

	if (g->dropping || exit_busy(g->exit) || spent_epochs(g->cfg.spent, &epoch, 1) == 0 ||
	    wall_ms(g) < timing_epoch_start(g->params, epoch + 1) + g->params->grace_ms ||
	    issuers_exists(g->issuers, epoch) || !over_for_registrar(g, epoch))
		return;
	g->dropping = spent_drop(g->cfg.spent, epoch, on_dropped, g) == ERR_OK;
}

static void
turn_seeds(struct gateway *g)
{
	uint32_t now = epoch_now(g);

	issuers_turn(g->issuers, wall_ms(g));
	for (uint32_t epoch = now; epoch <= now + ISSUER_AHEAD; epoch++)
		notice_seed(g, epoch);
	give_notices(g);
	drop_spent(g);
	watch_seeds(g);
}

/* ---- packets ---- */

/* Whether we were found to run on old state: then no packet passes in this epoch. */
static bool
sits_out(const struct gateway *g)
{
	return links_sits_out(g->links, epoch_now(g));
}

/* A node as the charter of an epoch says, or NULL. */
static const struct charter_node *
node_in(const struct gateway *g, uint32_t epoch, uint16_t number)
{
	const struct charter *c = succession_at(g->all, epoch);

	return c != NULL ? charter_node(c, number) : NULL;
}

/* From a session to the first mix, at once. */
static void
packet_in(void *arg, uint16_t first_mix, uint32_t epoch, const uint8_t *packet)
{
	struct gateway *g = arg;
	const struct charter_node *mix = node_in(g, epoch, first_mix);
	uint32_t now = epoch_now(g);

	if (mix == NULL || mix->layer != 0 || (epoch != now && epoch + 1 != now) ||
	    sits_out(g) || links_send_packet(g->links, first_mix, epoch, packet) != ERR_OK) {
		g->dropped_in++;
		return;
	}
	g->forwarded++;
	g->unnumbered = true;
}

/* From a mix of the last layer. */
static void
packet_out(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct gateway *g = arg;
	const struct charter_node *mix = node_in(g, epoch, from);

	if (mix != NULL && mix->layer + 1 == g->params->layers && !sits_out(g))
		exit_take(g->exit, epoch, packet);
}

static void
announcement_came(void *arg, uint16_t from, const uint8_t *announcement)
{
	struct gateway *g = arg;

	/* a bad one is a mix's fault or a clock's; its absence shows in the sheet */
	if (announcements_take(g->announcements, from, announcement, wall_ms(g)) != ERR_OK)
		return;
	look_for_sheet(g, epoch_now(g));
}

static void
command(void *arg, const struct onion_command *c)
{
	struct gateway *g = arg;
	enum err e = ERR_OK;

	switch (c->kind) {
	case ONION_DROP:
		break;
	case ONION_DEPOSIT:
		e = turnstile_deposit(g->turnstile, c->mailbox, c->body);
		break;
	case ONION_NOTE:
		e = journal_note(g->journal, c->body);
		break;
	}
	if (e == ERR_FULL || e == ERR_MEMORY)
		g->dropped_journal++;
	else if (e != ERR_OK)
		g->dropped_in++;
}

static void
pass_on(void *arg, uint16_t mailbox, const uint8_t *record)
{
	struct gateway *g = arg;

	if (journal_deposit(g->journal, mailbox, record) != ERR_OK)
		g->dropped_journal++;
}

/* ---- rounds ---- */

static void put(struct gateway *g);

static void
published(struct gateway *g)
{
	const struct store_round *r = &g->putting->put;

	if (store_count(g->cfg.store, r->day) == 1)
		log_event(g->cfg.log, LOG_DAY_OPENED, r->day, 0, 0);
	entry_published(g->entry, r->day, store_count(g->cfg.store, r->day) - 1, r->round, r->block,
	    r->block_len, r->mailboxes, r->mailbox_count);
	journal_advance(g->journal, g->putting);
	journal_round_free(g->putting);
	g->putting = NULL;
	g->blocks++;
	give_notices(g);
	give_sheets(g);
}

static void
on_put(void *arg, enum err e)
{
	struct gateway *g = arg;

	if (e == ERR_OK) {
		if (g->retry_ms > 0 && !g->expire_failed)
			log_event(g->cfg.log, LOG_STORE_RECOVERED, 0, 0, 0);
		g->retry_ms = 0;
		if (!g->closing)
			published(g);
		return;
	}
	if (g->retry_ms == 0)
		log_event(g->cfg.log, LOG_STORE_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	g->retry_ms = g->retry_ms == 0 ? RETRY_MIN_MS : 2 * g->retry_ms;
	if (g->retry_ms > RETRY_MAX_MS)
		g->retry_ms = RETRY_MAX_MS;
	if (!g->closing)
		timer_after(g->retry, g->retry_ms);
}

static void
put(struct gateway *g)
{
	enum err e = store_put(g->cfg.store, &g->putting->put, on_put, g);

	if (e != ERR_OK)
		on_put(g, e);
}

static void
on_retry(void *arg)
{
	put(arg);
}

/* The round that has ended becomes a block, if there is anything to tell. */
static void
on_exit_done(void *arg, enum err e)
{
	struct gateway *g = arg;
	uint64_t ended = timing_round(g->params, wall_ms(g)) - 1;

	disk_answered(g, e);
	if (g->closing || g->putting != NULL)
		return;
	turnstile_pass(g->turnstile, ended, g->cfg.rng, pass_on, g);
	if (!journal_due(g->journal, ended))
		return;
	/* without memory what waits goes on waiting */
	if (journal_build(&g->putting, g->journal, ended, g->cfg.rng) == ERR_OK)
		put(g);
}

/* ---- the turn of time ---- */

static bool
key_exists(void *arg, uint32_t epoch)
{
	struct gateway *g = arg;

	return epochkeys_exists(g->keys, epoch);
}

static void
on_expired(void *arg, enum err e)
{
	struct gateway *g = arg;

	g->expiring = false;
	if (e != ERR_OK && !g->expire_failed)
		log_event(g->cfg.log, LOG_STORE_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	if (e == ERR_OK && g->expire_failed && g->retry_ms == 0)
		log_event(g->cfg.log, LOG_STORE_RECOVERED, 0, 0, 0);
	g->expire_failed = e != ERR_OK;
}

/* The oldest day, if all of it is older than the retention. */
static void
expire(struct gateway *g)
{
	uint32_t day;

	if (g->expiring || store_days(g->cfg.store, &day, 1) == 0 ||
	    timing_day_start(g->params, day + 1) > wall_ms(g) - g->params->retention_ms)
		return;
	g->expiring = store_expire(g->cfg.store, day, on_expired, g) == ERR_OK;
	if (g->expiring)
		log_event(g->cfg.log, LOG_DAY_EXPIRED, day, 0, 0);
}

/* Once per epoch: how many packets were dropped in it, by cause. */
static void
log_drops(struct gateway *g)
{
	const struct unwrap_counts *now = exit_unwrapped(g->exit);
	uint32_t epoch = epoch_now(g);
	struct exit_status exit;

	if (epoch == g->epoch_logged)
		return;
	for (unsigned cause = UNWRAP_PASSED + 1; cause < UNWRAP_CAUSES; cause++) {
		uint64_t n = now->by[cause] - g->drops_logged.by[cause];
		if (n > 0)
			log_event(g->cfg.log, LOG_DROPS, n, cause, g->epoch_logged);
	}
	exit_get_status(g->exit, &exit);
	if (exit.unpaid > g->unpaid_logged)
		log_event(g->cfg.log, LOG_UNPAID, exit.unpaid - g->unpaid_logged,
		    g->epoch_logged, 0);
	g->unpaid_logged = exit.unpaid;
	g->drops_logged = *now;
	g->epoch_logged = epoch;
}

/* What found no room in the last round: its senders seal it anew, the operator should know. */
static void
log_full(struct gateway *g)
{
	struct turnstile_status turnstile;
	struct exit_status exit;
	uint64_t dropped;

	exit_get_status(g->exit, &exit);
	turnstile_get_status(g->turnstile, &turnstile);
	dropped = g->dropped_journal + turnstile.dropped;
	if (exit.dropped_full > g->pool_full_logged)
		log_event(g->cfg.log, LOG_POOL_FULL, exit.dropped_full - g->pool_full_logged, 0, 0);
	if (dropped > g->journal_full_logged)
		log_event(g->cfg.log, LOG_JOURNAL_FULL, dropped - g->journal_full_logged, 0, 0);
	g->pool_full_logged = exit.dropped_full;
	g->journal_full_logged = dropped;
}

/* The mixes are told a number only when it is durable. */
static void
on_numbered(void *arg, enum err e)
{
	struct gateway *g = arg;

	disk_answered(g, e);
	if (e == ERR_OK && !g->closing)
		links_end_batch(g->links);
}

/* What went to the mixes since the last number is a batch. */
static void
number_batch(struct gateway *g)
{
	enum err e;

	if (!g->unnumbered)
		return;
	e = links_commit(g->links, on_numbered, g);
	if (e == ERR_OK)
		g->unnumbered = false;
	else if (e != ERR_BUSY) /* else the disk is slow, and the batch goes on */
		on_numbered(g, e);
}

/* ---- charters ---- */

/* What follows from the time, and from a charter that was taken. */
static void
turn_charters(struct gateway *g)
{
	const struct charter *c = succession_at(g->all, epoch_now(g));

	charters_turn(g->charters);
	links_turn(g->links);
	if (c == NULL || c->version == g->charter_logged)
		return;
	g->charter_logged = c->version;
	log_event(g->cfg.log, LOG_CHARTER_IN_FORCE, c->version, c->from_epoch, 0);
}

static enum err
give_charter(struct gateway *g, const struct charter *c)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = charter_print_signed(&text, c);
	if (e == ERR_OK)
		e = entry_charter(g->entry, text.data, text.len);
	buf_release(&text);
	return e;
}

/* To each session that is opened from now on; the founding one is everybody's own. */
static enum err
give_charters(struct gateway *g)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < succession_count(g->all); i++)
		if (succession_get(g->all, i)->version > 1)
			e = give_charter(g, succession_get(g->all, i));
	return e;
}

static void
on_stored(void *arg, enum err e)
{
	struct gateway *g = arg;

	if (e == ERR_OK && !g->closing) {
		/* without memory the journal still tells it */
		(void)!give_charter(g, succession_latest(g->all));
		replay_expect(g->replay, replay_tags_max(g->all));
		turn_charters(g);
	}
	if (!g->closing)
		g->publish_done(g->publish_arg, e);
}

/* Whether tickets and stamps come from the same registrar, and as many of them. */
static bool
same_issue(const struct charter *a, const struct charter *b)
{
	const struct charter_node *x = charter_registrar(a), *y = charter_registrar(b);

	if (x == NULL || y == NULL)
		return x == y;
	return x->number == y->number && a->params.stamps == b->params.stamps;
}

/* Everybody must know of it before the first announcement for its first epoch. */
static enum err
check_start(const struct gateway *g, const struct charter *c, struct diag *d)
{
	uint32_t first = timing_first_change(g->params, wall_ms(g)), now = epoch_now(g);
	size_t coming = 0;

	for (size_t i = 0; i < succession_count(g->all); i++)
		coming += succession_get(g->all, i)->from_epoch > now;
	if (coming >= SUCCESSION_COMING_MAX)
		return diag_set(d, ERR_FULL, "%zu charters are still to come; publish this one "
		    "when they are in force", coming);
	if (!same_issue(c, succession_latest(g->all)) && seeds_reach(g, c->from_epoch))
		return diag_set(d, ERR_EPOCH, "the registrar has given its keys for epochs up to %"
		    PRIu32 ", and members fetch by them; another registrar, none, or another number "
		    "of stamps, can come from epoch %" PRIu32 " at the earliest: set that from-epoch "
		    "and have it signed again", epoch_now(g) + ISSUER_AHEAD, epoch_now(g) + ISSUER_AHEAD + 1);
	if (c->from_epoch < first)
		return diag_set(d, ERR_EPOCH, "from-epoch is %" PRIu32 ", but a charter that is "
		    "published now can take effect from epoch %" PRIu32 " at the earliest, so that "
		    "everybody knows it in time; set a later one and have it signed again",
		    c->from_epoch, first);
	return ERR_OK;
}

enum err
gateway_publish(struct gateway *g, const void *text, size_t n, gateway_done_cb *done, void *arg,
    struct diag *d)
{
	struct charter *c;
	enum err e = charter_parse(&c, text, n, d);

	if (e != ERR_OK)
		return e;
	e = charter_follows(c, succession_latest(g->all), d);
	if (succession_find(g->all, c->hash) != NULL)
		e = diag_set(d, ERR_EXISTS, "this charter (version %" PRIu32 ") is published already",
		    c->version);
	if (e == ERR_OK)
		e = check_start(g, c, d);
	if (e == ERR_OK)
		e = charters_store(g->charters, c, on_stored, g, d);
	if (e == ERR_OK) {
		g->publish_done = done;
		g->publish_arg = arg;
	}
	charter_free(c);
	return e;
}

static void
arm_round(struct gateway *g)
{
	timer_at_wall(g->round,
	    timing_round_start(g->params, timing_round(g->params, wall_ms(g)) + 1));
}

static void
on_round(void *arg)
{
	struct gateway *g = arg;
	uint32_t epoch = epoch_now(g);
	enum err e;

	arm_round(g);
	turn_charters(g);
	epochkeys_turn(g->keys, wall_ms(g));
	if (!exit_busy(g->exit))
		replay_prune(g->replay, key_exists, g);
	turn_seeds(g);
	look_for_sheet(g, epoch);
	look_for_sheet(g, epoch + 1);
	give_sheets(g);
	expire(g);
	log_drops(g);
	log_full(g);
	number_batch(g);
	/* busy: the last round is still being dealt with; this one joins the next */
	e = exit_round(g->exit, on_exit_done, g);
	if (e != ERR_OK && e != ERR_BUSY)
		disk_answered(g, e);
}

static void
clock_jumped(void *arg, int64_t delta_ms)
{
	struct gateway *g = arg;
	uint64_t seconds = (uint64_t)(delta_ms < 0 ? -delta_ms : delta_ms) / 1000;

	log_event(g->cfg.log, LOG_CLOCK_JUMP, seconds, 0, 0);
	arm_round(g);
}

/* ---- life ---- */

static enum err
open_journal(struct gateway *g, struct diag *d)
{
	size_t n, epochs = store_epoch_count(g->cfg.store);
	const uint8_t *state, *block;
	enum err e = journal_new(&g->journal, g->all, g->cfg.identity_sk);

	if (e == ERR_OK)
		e = turnstile_new(&g->turnstile, g->params);
	if (e != ERR_OK)
		return e;
	store_state(g->cfg.store, &state, &n);
	e = journal_load(g->journal, state, n, d);
	if (e == ERR_OK && epochs > 0) {
		store_epoch(g->cfg.store, epochs - 1, &block, &n);
		e = journal_check_epoch(g->journal, block, n, d);
	}
	if (e != ERR_OK)
		return e;
	g->announcements = announcements_new(g->all);
	return g->announcements != NULL ? ERR_OK : ERR_MEMORY;
}

static enum err
open_disk(struct gateway *g, struct diag *d)
{
	const struct epochkeys_config keys = { .disk = g->cfg.disk,
		.queue = g->queue,
		.params = g->params,
		.keys = g->cfg.keys,
		.log = g->cfg.log };
	const struct epochkeys_events events = { NULL, NULL };
	const struct issuers_config issuers = { .disk = g->cfg.disk,
		.queue = g->queue,
		.charters = g->all,
		.log = g->cfg.log,
		.fits = seed_fits,
		.made = seed_stored,
		.arg = g };
	enum err e = epochkeys_open(&g->keys, &keys, &events, g, d);

	if (e == ERR_OK)
		e = issuers_open(&g->issuers, &issuers, d);
	if (e != ERR_OK)
		return e;
	return replay_open(&g->replay, g->cfg.disk, g->queue, g->cfg.rng, replay_tags_max(g->all), d);
}

static enum err
open_links(struct gateway *g, struct diag *d)
{
	const struct links_config cfg = { .loop = g->cfg.loop,
		.charters = g->all,
		.own = g->own->number,
		.link_sk = g->cfg.link_sk,
		.listen = g->cfg.listen,
		.disk = g->cfg.disk,
		.queue = g->queue,
		.rng = g->cfg.rng,
		.keys = g->cfg.keys,
		.log = g->cfg.log };
	const struct links_events events = { .packet = packet_out,
		.announcement = announcement_came,
		.seed = seed_came };

	return links_open(&g->links, &cfg, &events, g, d);
}

static enum err
open_tokens(struct gateway *g)
{
	const struct stamps_config stamps = { .loop = g->cfg.loop,
		.charters = g->all,
		.issuers = g->issuers,
		.spent = g->cfg.spent,
		.keys = g->cfg.keys,
		.threads = g->cfg.threads > 0 ? g->cfg.threads : 1 };
	const struct tickets_config tickets = { .loop = g->cfg.loop,
		.charters = g->all,
		.issuers = g->issuers,
		.spent = g->cfg.spent,
		.keys = g->cfg.keys,
		.spent_answered = spent_answered,
		.arg = g };
	enum err e = stamps_new(&g->stamps, &stamps);

	return e == ERR_OK ? tickets_new(&g->tickets, &tickets) : e;
}

static enum err
open_exit(struct gateway *g)
{
	const struct exit_config cfg = { .loop = g->cfg.loop,
		.charters = g->all,
		.keys = g->keys,
		.replay = g->replay,
		.stamps = g->stamps,
		.threads = g->cfg.threads > 0 ? g->cfg.threads : 1,
		.sheet_hash = sheet_hash,
		.command = command,
		.spent_answered = spent_answered,
		.arg = g };

	return exit_new(&g->exit, &cfg);
}

static void
linked(void *arg, const uint8_t *hash)
{
	const struct gateway *g = arg;

	if (g->cfg.linked != NULL)
		g->cfg.linked(g->cfg.linked_arg, hash);
}

/* Let clients in at an address. */
static enum err
enter(struct gateway *g, const char *listen, struct diag *d)
{
	static const struct entry_events events = { packet_in, linked };
	const struct entry_config cfg = { .loop = g->cfg.loop,
		.charter = succession_first(g->all),
		.link_sk = g->cfg.link_sk,
		.listen = listen,
		.store = g->cfg.store,
		.rng = g->cfg.rng,
		.keys = g->cfg.keys,
		.log = g->cfg.log,
		.tickets = g->tickets,
		.sessions_max = g->cfg.sessions_max,
		.waiting_max = g->cfg.waiting_max };

	return entry_open(&g->entry, &cfg, &events, g, d);
}

/* As configured, or the first of our good entrances that is this machine's. */
static enum err
open_entry(struct gateway *g, struct diag *d)
{
	const struct charter_node *first = succession_gateway(g->all, wall_ms(g), 0), *other;
	enum err e;

	if (g->cfg.entrance != NULL)
		return enter(g, g->cfg.entrance, d);
	e = enter(g, first->entrance, d);
	for (unsigned i = 1; e != ERR_OK; i++) {
		other = succession_gateway(g->all, wall_ms(g), i);
		if (other == first || (e = enter(g, other->entrance, NULL)) == ERR_OK)
			break;
	}
	return e == ERR_OK ? give_charters(g) : e;
}

static enum err
open_timers(struct gateway *g)
{
	enum err e;

	g->round = timer_new(g->cfg.loop, on_round, g);
	g->retry = timer_new(g->cfg.loop, on_retry, g);
	if (g->round == NULL || g->retry == NULL)
		return ERR_MEMORY;
	e = loop_watch_jumps(g->cfg.loop, clock_jumped, g);
	g->watching = e == ERR_OK;
	return e;
}

static enum err
open_all(struct gateway *g, struct diag *d)
{
	enum err e = open_journal(g, d);

	if (e == ERR_OK)
		e = open_disk(g, d);
	if (e == ERR_OK)
		e = open_links(g, d);
	if (e == ERR_OK)
		e = open_tokens(g);
	if (e == ERR_OK)
		e = open_exit(g);
	if (e == ERR_OK)
		e = open_timers(g);
	if (e == ERR_OK)
		e = open_entry(g, d);
	return e == ERR_OK ? links_start(g->links, d) : e;
}

static enum err
check_own(struct gateway *g, struct diag *d)
{
	g->own = charter_gateway(succession_first(g->all));
	/* libsodium keeps the public key behind the seed */
	if (sodium_memcmp(g->cfg.identity_sk + 32, g->own->identity, 32) != 0)
		return diag_set(d, ERR_NOT_FOUND,
		    "the charter has another identity key for its gateway; see that this is the "
		    "gateway's own key directory");
	return ERR_OK;
}

static enum err
open_charters(struct gateway *g, struct diag *d)
{
	enum err e = charters_open(&g->charters, g->cfg.disk, g->cfg.charter, g->cfg.log, d);

	g->cfg.charter = NULL;
	if (e != ERR_OK)
		return e;
	g->all = charters_all(g->charters);
	g->params = &succession_first(g->all)->params;
	g->epoch_logged = epoch_now(g);
	g->started_ms = wall_ms(g);
	if (succession_at(g->all, epoch_now(g)) == NULL)
		return diag_set(d, ERR_EPOCH, "this charter is not yet in force; name the one before "
		    "it, and publish this one with `restante-gateway charter publish`");
	g->charter_logged = succession_at(g->all, epoch_now(g))->version;
	e = charterfiles_check_date(g->all, wall_ms(g), d);
	if (e != ERR_OK)
		return e;
	g->queue = workq_new(g->cfg.loop, 1);
	if (g->queue == NULL)
		return ERR_MEMORY;
	charters_set_queue(g->charters, g->queue);
	return ERR_OK;
}

enum err
gateway_new(struct gateway **out, const struct gateway_config *cfg, struct diag *d)
{
	struct gateway *g = calloc(1, sizeof(*g));
	enum err e;

	if (g == NULL) {
		store_free(cfg->store);
		spent_free(cfg->spent);
		return ERR_MEMORY;
	}
	g->cfg = *cfg;
	e = open_charters(g, d);
	if (e == ERR_OK)
		e = check_own(g, d);
	if (e == ERR_OK)
		e = open_all(g, d);
	if (e != ERR_OK) {
		gateway_free(g);
		return e;
	}
	log_event(cfg->log, LOG_STARTED, g->own->number, epoch_now(g), 0);
	epochkeys_turn(g->keys, wall_ms(g));
	turn_charters(g);
	turn_seeds(g);
	give_sheets(g);
	arm_round(g);
	*out = g;
	return ERR_OK;
}

void
gateway_free(struct gateway *g)
{
	if (g == NULL)
		return;
	g->closing = true;
	if (g->watching)
		loop_unwatch_jumps(g->cfg.loop, g);
	timer_free(g->round);
	timer_free(g->retry);
	timer_free(g->stop_look);
	entry_free(g->entry);
	/* stores and queue bring their last callbacks from here */
	store_free(g->cfg.store);
	spent_free(g->cfg.spent);
	if (g->queue != NULL)
		workq_free(g->queue);
	stamps_free(g->stamps);
	exit_free(g->exit);
	tickets_free(g->tickets);
	if (g->links != NULL)
		links_free(g->links);
	replay_free(g->replay);
	epochkeys_free(g->keys);
	issuers_free(g->issuers);
	journal_round_free(g->putting);
	journal_free(g->journal);
	turnstile_free(g->turnstile);
	announcements_free(g->announcements);
	charters_free(g->charters);
	free(g);
}

/* ---- stopping ---- */

static void
on_stop_look(void *arg)
{
	struct gateway *g = arg;
	bool waiting = g->putting != NULL || links_unsent(g->links) > 0;

	if (waiting && loop_boot_ms(g->cfg.loop) < g->stop_by_ms) {
		timer_after(g->stop_look, STOP_LOOK_MS);
		return;
	}
	log_event(g->cfg.log, LOG_STOPPED, g->own->number, 0, 0);
	g->stopped(g->stopped_arg);
}

void
gateway_stop(struct gateway *g, int64_t linger_ms, void (*stopped)(void *arg), void *arg)
{
	entry_stop_accepting(g->entry);
	links_stop_accepting(g->links);
	g->stopped = stopped;
	g->stopped_arg = arg;
	g->stop_by_ms = loop_boot_ms(g->cfg.loop) + linger_ms;
	if (g->stop_look == NULL)
		g->stop_look = timer_new(g->cfg.loop, on_stop_look, g);
	if (g->stop_look != NULL)
		timer_after(g->stop_look, 0);
}

void
gateway_close_sessions(struct gateway *g)
{
	entry_close_sessions(g->entry);
}

struct tickets *
gateway_tickets(struct gateway *g)
{
	return g->tickets;
}

struct workq *
gateway_queue(struct gateway *g)
{
	return g->queue;
}

void
gateway_get_status(const struct gateway *g, struct gateway_status *out)
{
	const struct charter *now = succession_at(g->all, epoch_now(g));
	const struct charter *next = succession_next(g->all, epoch_now(g));
	const struct sheet *sheet = journal_sheet_of(g->journal, epoch_now(g));

	memset(out, 0, sizeof(*out));
	out->epoch = epoch_now(g);
	out->charter = now != NULL ? now->version : 0;
	out->coming_charter = next != NULL ? next->version : 0;
	out->coming_epoch = next != NULL ? next->from_epoch : 0;
	out->latest_charter = succession_latest(g->all)->version;
	out->latest_epoch = succession_latest(g->all)->from_epoch;
	out->has_sheet = sheet != NULL;
	out->founded = journal_head(g->journal, &out->round);
	out->storing_failed = g->retry_ms > 0;
	out->sheet_nodes = sheet != NULL ? (unsigned)sheet->count : 0;
	out->sits_out = sits_out(g);
	out->days = store_days(g->cfg.store, NULL, 0);
	out->blocks = g->blocks;
	out->forwarded = g->forwarded;
	out->dropped_in = g->dropped_in;
	turnstile_get_status(g->turnstile, &out->turnstile);
	out->dropped_journal = g->dropped_journal;
	out->registrar = has_registrar(g, epoch_now(g));
	out->seeds = issuers_count(g->issuers, epoch_now(g));
	tickets_get_status(g->tickets, &out->tickets);
	stamps_get_status(g->stamps, &out->stamps);
	entry_get_status(g->entry, &out->entry);
	exit_get_status(g->exit, &out->exit);
	out->unwrapped = *exit_unwrapped(g->exit);
}

size_t
gateway_links(const struct gateway *g, struct links_peer *out, size_t max)
{
	return links_list(g->links, out, max);
}
