#include "config.h"

#include "gateway/exit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"

#define EPOCHS 2 /* running, and the last within its grace */

struct batch {
	uint32_t epoch;
	size_t count, room;
	struct onion_job *jobs;
};

/* A command whose tag is staged. */
struct opened {
	uint8_t *packet;
	struct onion_command command; /* leads into packet */
	bool stamped;		      /* it must be paid for */
	struct stamp stamp;
};

struct exit {
	struct exit_config cfg;
	struct onion_geometry geometry;
	size_t packet_bytes;
	struct unwrap *unwrap;
	struct batch intake[EPOCHS]; /* by parity of the epoch */
	struct batch opening;	     /* being unwrapped */
	struct opened **opened;	     /* of this round, and of those that could not be committed */
	size_t opened_count, opened_room;
	struct stamp **stamps;	     /* being judged, or NULL */
	const struct epochkey *key;  /* held while opening */
	size_t next_epoch;	     /* of the intakes to be opened in this round */
	bool busy;
	exit_done_cb *done;
	void *done_arg;
	struct timer *turn;
	struct exit_status status;
};

static void open_next(struct exit *x);

/* ---- batches ---- */

static enum err
batch_reserve(struct batch *b, size_t n)
{
	size_t room = b->room > 0 ? b->room : 64;
	struct onion_job *jobs;

	while (room < b->count + n)
		room *= 2;
	if (room == b->room)
		return ERR_OK;
	jobs = realloc(b->jobs, room * sizeof(*jobs));
	if (jobs == NULL)
		return ERR_MEMORY;
	b->jobs = jobs;
	b->room = room;
	return ERR_OK;
}

/* What was opened says what a packet carried. */
static void
packet_free(const struct exit *x, uint8_t *packet)
{
	secret_wipe(packet, x->packet_bytes);
	free(packet);
}

static void
batch_clear(const struct exit *x, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		packet_free(x, b->jobs[i].packet);
	b->count = 0;
}

static void
batch_release(const struct exit *x, struct batch *b)
{
	batch_clear(x, b);
	free(b->jobs);
	*b = (struct batch){ 0 };
}

/* ---- what comes in ---- */

static bool
epoch_runs(const struct exit *x, uint32_t epoch)
{
	const struct params *p = &succession_first(x->cfg.charters)->params;
	int64_t now = loop_wall_ms(x->cfg.loop);
	uint32_t current = timing_epoch(p, now);

	return epoch == current ||
	    (epoch + 1 == current && now < timing_epoch_start(p, current) + p->grace_ms);
}

static bool
can_open(const struct exit *x, uint32_t epoch)
{
	return epoch_runs(x, epoch) && epochkeys_find(x->cfg.keys, epoch) != NULL &&
	    x->cfg.sheet_hash(x->cfg.arg, epoch) != NULL;
}

static enum err
keep(struct exit *x, struct batch *b, const uint8_t *packet)
{
	const struct charter *c = succession_near(x->cfg.charters, b->epoch);
	uint8_t *copy;

	if (b->count + x->opened_count >= c->params.pool_max)
		return ERR_FULL;
	if (batch_reserve(b, 1) != ERR_OK)
		return ERR_MEMORY;
	copy = malloc(x->packet_bytes);
	if (copy == NULL)
		return ERR_MEMORY;
	memcpy(copy, packet, x->packet_bytes);
	b->jobs[b->count++] = (struct onion_job){ .packet = copy };
	return ERR_OK;
}

void
exit_take(struct exit *x, uint32_t epoch, const uint8_t *packet)
{
	struct batch *b = &x->intake[epoch % EPOCHS];

	x->status.received++;
	if (!can_open(x, epoch)) {
		x->status.dropped_epoch++;
		return;
	}
	if (b->epoch != epoch) {
		x->status.dropped_epoch += b->count;
		batch_clear(x, b);
		b->epoch = epoch;
	}
	if (keep(x, b, packet) != ERR_OK)
		x->status.dropped_full++;
}

/* ---- a round: open every intake, commit, hand over ---- */

static void
finish(struct exit *x, enum err e)
{
	exit_done_cb *done = x->done;

	x->busy = false;
	done(x->done_arg, e);
}

static void
clear_opened(struct exit *x)
{
	for (size_t i = 0; i < x->opened_count; i++) {
		packet_free(x, x->opened[i]->packet);
		free(x->opened[i]);
	}
	x->opened_count = 0;
}

static void
hand_over(struct exit *x)
{
	for (size_t i = 0; i < x->opened_count; i++) {
		const struct opened *o = x->opened[i];

		x->status.by_kind[o->command.kind]++;
		if (o->stamped && o->stamp.verdict != STAMP_PAID)
			x->status.unpaid++;
		else
			x->cfg.command(x->cfg.arg, &o->command);
	}
	clear_opened(x);
}

/* What is committed is handed over, or else waits for the next round as it is. */
static void
settle(struct exit *x, enum err e)
{
	if (e == ERR_OK)
		hand_over(x);
	else
		x->status.failed_commits++;
	finish(x, e);
}

/* With an error they are tried again, as they are, by the next round. */
static void
on_judged(void *arg, enum err e)
{
	struct exit *x = arg;

	free(x->stamps);
	x->stamps = NULL;
	x->cfg.spent_answered(x->cfg.arg, e);
	if (e == ERR_OK)
		hand_over(x);
	else
		x->status.failed_commits++;
	finish(x, ERR_OK);
}

/* The deposits that must be paid for. */
static void
judge(struct exit *x)
{
	size_t n = 0;
	enum err e = ERR_OK;

	x->stamps = calloc(x->opened_count + 1, sizeof(x->stamps[0]));
	if (x->stamps == NULL) {
		settle(x, ERR_MEMORY);
		return;
	}
	for (size_t i = 0; i < x->opened_count; i++)
		if (x->opened[i]->stamped)
			x->stamps[n++] = &x->opened[i]->stamp;
	if (n > 0)
		e = stamps_judge(x->cfg.stamps, x->stamps, n, on_judged, x);
	if (e != ERR_OK) {
		on_judged(x, e);
	} else if (n == 0) {
		free(x->stamps);
		x->stamps = NULL;
		settle(x, ERR_OK);
	}
}

static void
on_committed(void *arg, enum err e)
{
	struct exit *x = arg;

	if (e == ERR_OK)
		judge(x);
	else
		settle(x, e);
}

static void
commit(struct exit *x)
{
	enum err e = replay_commit(x->cfg.replay, on_committed, x);

	if (e != ERR_OK)
		settle(x, e);
}

static enum err
reserve_opened(struct exit *x, size_t n)
{
	size_t room = x->opened_room > 0 ? x->opened_room : 64;
	struct opened **list;

	while (room < x->opened_count + n)
		room *= 2;
	if (room == x->opened_room)
		return ERR_OK;
	list = realloc(x->opened, room * sizeof(struct opened *));
	if (list == NULL)
		return ERR_MEMORY;
	x->opened = list;
	x->opened_room = room;
	return ERR_OK;
}

/* Takes the packet over if it has a command. */
static bool
take_opened(struct exit *x, const struct onion_job *job, uint32_t epoch)
{
	struct onion_command c;
	struct opened *o;

	if (onion_command_parse(&c, &x->geometry, job->inner) != ERR_OK) {
		x->status.malformed++;
		return false;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL) {
		x->status.dropped_full++;
		return false;
	}
	o->packet = job->packet;
	o->command = c;
	o->stamped = c.kind == ONION_DEPOSIT && stamps_needed(x->cfg.stamps, epoch);
	stamp_init(&o->stamp, epoch, o->command.stamp, c.body);
	x->opened[x->opened_count++] = o;
	return true;
}

/* The survivors join what earlier rounds opened and could not commit. */
static void
on_unwrapped(void *arg, size_t survivors)
{
	struct exit *x = arg;
	bool room = reserve_opened(x, survivors) == ERR_OK;

	epochkeys_drop(x->key);
	x->key = NULL;
	for (size_t i = 0; i < x->opening.count; i++)
		if (i >= survivors || !room ||
		    !take_opened(x, &x->opening.jobs[i], x->opening.epoch))
			packet_free(x, x->opening.jobs[i].packet);
	x->opening.count = 0;
	open_next(x);
}

/* Start on one intake; false if there is nothing in it that can be opened. */
static bool
open_intake(struct exit *x, struct batch *in)
{
	const struct epochkey *key = epochkeys_find(x->cfg.keys, in->epoch);
	const uint8_t *hash = x->cfg.sheet_hash(x->cfg.arg, in->epoch);
	struct unwrap_ground g = { .charter = succession_near(x->cfg.charters, in->epoch),
		.key = { .epoch = in->epoch, .layer = x->geometry.layers } };
	struct batch empty = x->opening;

	if (in->count == 0)
		return false;
	if (key == NULL || hash == NULL ||
	    replay_set(&g.replay, x->cfg.replay, in->epoch) != ERR_OK) {
		x->status.dropped_epoch += in->count;
		batch_clear(x, in);
		return false;
	}
	memcpy(g.key.pk, key->pk, sizeof(g.key.pk));
	memcpy(g.key.sheet_hash, hash, sizeof(g.key.sheet_hash));
	g.key.sk = key->sk;
	x->opening = *in;
	*in = empty;
	in->epoch = x->opening.epoch;
	x->key = epochkeys_hold(key);
	if (unwrap_start(x->unwrap, x->opening.jobs, x->opening.count, &g, on_unwrapped, x) ==
	    ERR_OK)
		return true;
	epochkeys_drop(x->key);
	x->key = NULL;
	x->status.dropped_full += x->opening.count;
	batch_clear(x, &x->opening);
	return false;
}

static void
open_next(struct exit *x)
{
	while (x->next_epoch < EPOCHS)
		if (open_intake(x, &x->intake[x->next_epoch++]))
			return;
	commit(x);
}

static void
on_turn(void *arg)
{
	open_next(arg);
}

enum err
exit_round(struct exit *x, exit_done_cb *done, void *arg)
{
	if (x->busy)
		return ERR_BUSY;
	x->busy = true;
	x->done = done;
	x->done_arg = arg;
	x->next_epoch = 0;
	timer_after(x->turn, 0);
	return ERR_OK;
}

bool
exit_busy(const struct exit *x)
{
	return x->busy || x->opened_count > 0;
}

/* ---- life ---- */

enum err
exit_new(struct exit **out, const struct exit_config *cfg)
{
	struct exit *x = calloc(1, sizeof(*x));
	enum err e = ERR_MEMORY;

	if (x == NULL)
		return ERR_MEMORY;
	x->cfg = *cfg;
	x->geometry = params_geometry(&succession_first(cfg->charters)->params);
	x->packet_bytes = onion_packet_bytes(&x->geometry, x->geometry.layers);
	x->turn = timer_new(cfg->loop, on_turn, x);
	if (x->turn != NULL)
		e = unwrap_new(&x->unwrap, cfg->loop, cfg->threads);
	if (e != ERR_OK) {
		exit_free(x);
		return e;
	}
	*out = x;
	return ERR_OK;
}

void
exit_free(struct exit *x)
{
	if (x == NULL)
		return;
	if (x->unwrap != NULL)
		unwrap_free(x->unwrap);
	if (x->key != NULL)
		epochkeys_drop(x->key);
	timer_free(x->turn);
	for (size_t i = 0; i < EPOCHS; i++)
		batch_release(x, &x->intake[i]);
	batch_release(x, &x->opening);
	clear_opened(x);
	free(x->opened);
	free(x->stamps);
	free(x);
}

void
exit_get_status(const struct exit *x, struct exit_status *out)
{
	*out = x->status;
}

const struct unwrap_counts *
exit_unwrapped(const struct exit *x)
{
	return unwrap_counts(x->unwrap);
}
