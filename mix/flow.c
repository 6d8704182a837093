#include "config.h"

#include "mix/flow.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "mix/held.h"
#include "mix/pool.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 60000

/* Packets of one epoch that are to be unwrapped. */
struct intake {
	uint32_t epoch;
	size_t count, room;
	size_t before; /* of these came before the flush that is wanted */
	struct onion_job *jobs; /* only .packet counts */
};

/* The batch that is being unwrapped. */
struct opening {
	const struct epochkey *key; /* held; NULL: none */
	size_t count, room;
	struct onion_job *jobs;
	bool discard;
};

/* A batch that the pool gave out. */
struct batch {
	uint32_t *handles; /* NULL: none is on its way */
	size_t count;	   /* 0: it was discarded */
	bool committing;
	int64_t retry_ms; /* 0: no failure so far */
};

struct flow {
	bool disk_failed; /* as log_disk wants it */
	struct flow_config cfg;
	const struct params *params; /* the constant ones */
	const struct charter *charter; /* that the pool goes by */
	size_t packet_bytes;
	struct unwrap *unwrap;
	struct pool *pool;
	struct held held;
	struct intake intakes[2]; /* of even and odd epochs */
	struct opening opening;
	struct batch batch;
	bool flush_wanted, stopped;
	bool shut; /* by flow_shut */
	struct timer *intake_timer, *flush_timer, *retry_timer;
	struct flow_status status;
};

static void flush_if_drained(struct flow *f);
static void commit(struct flow *f);

static int64_t
now_ms(const struct flow *f)
{
	return loop_wall_ms(f->cfg.loop);
}

/* ---- which packets may pass ---- */

bool
flow_sits_out(const struct flow *f, uint32_t epoch)
{
	return links_sits_out(f->cfg.links, epoch) || sheets_struck(f->cfg.sheets, epoch);
}

/* The running epoch, or the one before it within its grace. */
static bool
epoch_runs(const struct flow *f, uint32_t epoch)
{
	const struct params *p = f->params;
	int64_t now = now_ms(f);
	uint32_t current = timing_epoch(p, now);

	return epoch == current || (epoch + 1 == current &&
	    now < timing_epoch_start(p, current) + p->grace_ms);
}

static bool
can_unwrap(const struct flow *f, uint32_t epoch)
{
	return epoch_runs(f, epoch) && epochkeys_find(f->cfg.keys, epoch) != NULL &&
	    sheets_find(f->cfg.sheets, epoch) != NULL;
}

/* ---- intake ---- */

static void
intake_clear(struct flow *f, struct intake *in, uint64_t *counter)
{
	for (size_t i = 0; i < in->count; i++)
		free(in->jobs[i].packet);
	f->status.held -= in->count;
	*counter += in->count;
	in->count = in->before = 0;
}

static enum err
intake_add(struct intake *in, uint8_t *packet)
{
	struct onion_job *jobs;
	size_t room;

	if (in->count == in->room) {
		room = in->room == 0 ? 64 : in->room * 2;
		jobs = realloc(in->jobs, room * sizeof(*jobs));
		if (jobs == NULL)
			return ERR_MEMORY;
		in->jobs = jobs;
		in->room = room;
	}
	in->jobs[in->count++] = (struct onion_job){ .packet = packet };
	return ERR_OK;
}

static enum err
intake_copy(struct flow *f, uint32_t epoch, const uint8_t *packet)
{
	struct intake *in = &f->intakes[epoch & 1];
	uint8_t *copy = malloc(f->packet_bytes);

	if (in->epoch != epoch) {
		intake_clear(f, in, &f->status.dropped_epoch);
		in->epoch = epoch;
	}
	if (copy == NULL)
		return ERR_MEMORY;
	memcpy(copy, packet, f->packet_bytes);
	if (intake_add(in, copy) == ERR_OK)
		return ERR_OK;
	free(copy);
	return ERR_MEMORY;
}

void
flow_take(struct flow *f, uint32_t epoch, const uint8_t *packet)
{
	if (f->stopped)
		return;
	f->status.received++;
	if (f->shut || flow_sits_out(f, epoch)) {
		f->status.dropped_out++;
		return;
	}
	if (!can_unwrap(f, epoch)) {
		f->status.dropped_epoch++;
		return;
	}
	if (f->status.held >= f->charter->params.pool_max ||
	    intake_copy(f, epoch, packet) != ERR_OK) {
		f->status.dropped_full++;
		return;
	}
	f->status.held++;
	/* At the next turn of the loop, so that what is read at once is one batch. */
	if (!unwrap_busy(f->unwrap) && !timer_armed(f->intake_timer))
		timer_after(f->intake_timer, 0);
}

/* ---- unwrapping ---- */

static enum err
opening_room(struct opening *o, size_t n)
{
	struct onion_job *jobs;

	if (n <= o->room)
		return ERR_OK;
	jobs = realloc(o->jobs, n * sizeof(*jobs));
	if (jobs == NULL)
		return ERR_MEMORY;
	o->jobs = jobs;
	o->room = n;
	return ERR_OK;
}

/* How many packets of an intake the next batch takes. */
static size_t
share_of(const struct flow *f, const struct intake *in)
{
	size_t most = (size_t)UNWRAP_BATCH * f->cfg.threads;
	size_t n = f->flush_wanted ? in->before : in->count;

	return n < most ? n : most;
}

static void
arm_flush(struct flow *f)
{
	int64_t due = pool_due(f->pool);

	if (f->stopped || f->flush_wanted || f->batch.handles != NULL)
		return;
	if (due == POOL_NEVER)
		timer_cancel(f->flush_timer);
	else
		timer_at_wall(f->flush_timer, due);
}

static void
add_survivor(struct flow *f, const struct onion_job *job, uint32_t epoch)
{
	const struct held_packet p = {
		.bytes = job->packet, .inner = job->inner, .epoch = epoch, .next = job->next_node
	};
	uint32_t handle;

	if (held_put(&f->held, &handle, &p) != ERR_OK) {
		free(job->packet);
	} else if (pool_add(f->pool, handle, job->delay_ms, now_ms(f)) != ERR_OK) {
		held_drop(&f->held, handle);
	} else {
		return;
	}
	f->status.held--;
	f->status.dropped_full++;
}

static void next_opening(struct flow *f);

static void
on_unwrapped(void *arg, size_t survivors)
{
	struct flow *f = arg;
	struct opening *o = &f->opening;
	uint32_t epoch = o->key->epoch;

	if (o->discard) {
		f->status.dropped_out += survivors;
		survivors = 0;
	}
	for (size_t i = survivors; i < o->count; i++)
		free(o->jobs[i].packet);
	f->status.held -= o->count - survivors;
	for (size_t i = 0; i < survivors; i++)
		add_survivor(f, &o->jobs[i], epoch);
	epochkeys_drop(o->key);
	o->key = NULL;
	o->count = 0;
	next_opening(f);
	flush_if_drained(f);
	arm_flush(f);
}

static enum err
ground_of(const struct flow *f, struct unwrap_ground *g, const struct epochkey *key)
{
	const struct sheet *sheet = sheets_find(f->cfg.sheets, key->epoch);

	*g = (struct unwrap_ground){ .charter = succession_near(f->cfg.charters, key->epoch) };
	g->key.epoch = key->epoch;
	g->key.layer = (uint8_t)f->cfg.layer;
	g->key.sk = key->sk;
	memcpy(g->key.pk, key->pk, sizeof(g->key.pk));
	memcpy(g->key.sheet_hash, sheet->hash, sizeof(g->key.sheet_hash));
	return replay_set(&g->replay, f->cfg.replay, key->epoch);
}

/* Move the first n packets of the intake into the batch and start it. */
static enum err
open_batch(struct flow *f, struct intake *in, size_t n)
{
	const struct epochkey *key = epochkeys_find(f->cfg.keys, in->epoch);
	struct opening *o = &f->opening;
	struct unwrap_ground ground;
	enum err e = ground_of(f, &ground, key);

	if (e == ERR_OK)
		e = opening_room(o, n);
	if (e != ERR_OK)
		return e;
	memcpy(o->jobs, in->jobs, n * sizeof(o->jobs[0]));
	e = unwrap_start(f->unwrap, o->jobs, n, &ground, on_unwrapped, f);
	if (e != ERR_OK)
		return e;
	o->key = epochkeys_hold(key);
	o->count = n;
	o->discard = false;
	in->count -= n;
	in->before -= n < in->before ? n : in->before;
	memmove(in->jobs, in->jobs + n, in->count * sizeof(in->jobs[0]));
	return ERR_OK;
}

/* Start the next batch, if there is one and none is under way. */
static void
next_opening(struct flow *f)
{
	for (size_t i = 0; i < 2 && !unwrap_busy(f->unwrap); i++) {
		struct intake *in = &f->intakes[i];
		size_t n = share_of(f, in);

		if (n == 0)
			continue;
		if (!can_unwrap(f, in->epoch))
			intake_clear(f, in, &f->status.dropped_epoch);
		else if (open_batch(f, in, n) != ERR_OK)
			intake_clear(f, in, &f->status.dropped_full);
	}
}

static void
on_intake(void *arg)
{
	next_opening(arg);
}

/* ---- flush, commit, release ---- */

static void
flush(struct flow *f)
{
	size_t n = pool_count(f->pool);
	struct batch *b = &f->batch;

	b->handles = calloc(n + 1, sizeof(b->handles[0]));
	if (b->handles == NULL) {
		pool_rearm(f->pool, now_ms(f)); /* the round is missed */
		return;
	}
	b->retry_ms = 0;
	b->count = pool_flush(f->pool, b->handles, now_ms(f), f->cfg.rng);
	if (b->count > 0) {
		commit(f);
		return;
	}
	f->status.flushes++;
	free(b->handles);
	b->handles = NULL;
}

/* A flush happens when all that came before it is in the pool. */
static void
flush_if_drained(struct flow *f)
{
	if (!f->flush_wanted || unwrap_busy(f->unwrap) ||
	    f->intakes[0].before + f->intakes[1].before > 0)
		return;
	f->flush_wanted = false;
	flush(f);
	next_opening(f);
}

static void
on_flush(void *arg)
{
	struct flow *f = arg;

	if (now_ms(f) >= pool_due(f->pool)) {
		f->flush_wanted = true;
		for (size_t i = 0; i < 2; i++)
			f->intakes[i].before = f->intakes[i].count;
		next_opening(f);
		flush_if_drained(f);
	}
	arm_flush(f);
}

static void
batch_over(struct flow *f)
{
	free(f->batch.handles);
	f->batch = (struct batch){ 0 };
	if (f->stopped)
		return;
	pool_rearm(f->pool, now_ms(f));
	next_opening(f);
	arm_flush(f);
}

/* Without a word to the links. */
static void
batch_discard(struct flow *f)
{
	for (size_t i = 0; i < f->batch.count; i++)
		held_drop(&f->held, f->batch.handles[i]);
	f->status.held -= f->batch.count;
	f->status.dropped_out += f->batch.count;
	f->batch.count = 0;
}

static void
release_one(struct flow *f, uint32_t handle)
{
	const struct held_packet *p = held_get(&f->held, handle);

	if (f->shut || flow_sits_out(f, p->epoch))
		f->status.dropped_out++;
	else if (links_send_packet(f->cfg.links, p->next, p->epoch, p->inner) == ERR_OK)
		f->status.released++;
	else
		f->status.dropped_link++;
	f->status.held--;
	held_drop(&f->held, handle);
}

static void
release(struct flow *f)
{
	for (size_t i = 0; i < f->batch.count; i++)
		release_one(f, f->batch.handles[i]);
	links_end_batch(f->cfg.links);
	f->status.flushes++;
	log_disk(f->cfg.log, &f->disk_failed, ERR_OK);
	batch_over(f);
}

static void
retry_later(struct flow *f, enum err e)
{
	struct batch *b = &f->batch;

	f->status.failed_commits++;
	log_disk(f->cfg.log, &f->disk_failed, e);
	b->retry_ms = b->retry_ms == 0 ? RETRY_MIN_MS : 2 * b->retry_ms;
	if (b->retry_ms > RETRY_MAX_MS)
		b->retry_ms = RETRY_MAX_MS;
	timer_after(f->retry_timer, b->retry_ms);
}

/* A commit step ended: whether the batch is still to go on. */
static bool
goes_on(struct flow *f, enum err e)
{
	f->batch.committing = false;
	if (f->stopped || f->batch.count == 0) {
		batch_discard(f);
		batch_over(f);
		return false;
	}
	if (e != ERR_OK)
		retry_later(f, e);
	return e == ERR_OK;
}

static void
on_numbered(void *arg, enum err e)
{
	struct flow *f = arg;

	if (goes_on(f, e))
		release(f);
}

static void
on_tags_stored(void *arg, enum err e)
{
	struct flow *f = arg;

	if (!goes_on(f, e))
		return;
	e = links_commit(f->cfg.links, on_numbered, f);
	if (e != ERR_OK)
		retry_later(f, e);
	else
		f->batch.committing = true;
}

static void
commit(struct flow *f)
{
	enum err e = replay_commit(f->cfg.replay, on_tags_stored, f);

	if (e != ERR_OK)
		retry_later(f, e);
	else
		f->batch.committing = true;
}

static void
on_retry(void *arg)
{
	commit(arg);
}

/* ---- life ---- */

void
flow_discard(struct flow *f)
{
	size_t n = pool_count(f->pool);
	uint32_t *handles = calloc(n + 1, sizeof(*handles));

	for (size_t i = 0; i < 2; i++)
		intake_clear(f, &f->intakes[i], &f->status.dropped_out);
	f->opening.discard = true;
	/* Without the memory to empty it, release_one() stops what is in the pool. */
	n = handles != NULL ? pool_drain(f->pool, handles) : 0;
	for (size_t i = 0; i < n; i++)
		held_drop(&f->held, handles[i]);
	f->status.held -= n;
	f->status.dropped_out += n;
	free(handles);
	batch_discard(f);
	if (!f->batch.committing && f->batch.handles != NULL) {
		timer_cancel(f->retry_timer);
		batch_over(f);
	}
}

void
flow_shut(struct flow *f, bool shut)
{
	flow_discard(f);
	f->shut = shut;
}

/* The charter of the running epoch; before there is one, the first. */
static const struct charter *
charter_now(const struct flow *f)
{
	return succession_near(f->cfg.charters, timing_epoch(f->params, now_ms(f)));
}

void
flow_turn(struct flow *f)
{
	if (f->stopped || f->charter == charter_now(f))
		return;
	f->charter = charter_now(f);
	pool_change(f->pool, &f->charter->params, f->cfg.layer, now_ms(f));
	arm_flush(f);
}

void
flow_clock_jumped(struct flow *f)
{
	if (f->stopped)
		return;
	pool_rearm(f->pool, now_ms(f));
	arm_flush(f);
}

void
flow_stop(struct flow *f)
{
	f->stopped = true;
	f->flush_wanted = false;
	timer_cancel(f->intake_timer);
	timer_cancel(f->flush_timer);
	timer_cancel(f->retry_timer);
	flow_discard(f);
}

enum err
flow_new(struct flow **out, const struct flow_config *cfg)
{
	const struct params *params = &succession_first(cfg->charters)->params;
	struct onion_geometry g = params_geometry(params);
	struct flow *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_MEMORY;
	f->cfg = *cfg;
	f->params = params;
	f->charter = charter_now(f);
	f->packet_bytes = onion_packet_bytes(&g, cfg->layer);
	held_init(&f->held);
	f->intake_timer = timer_new(cfg->loop, on_intake, f);
	f->flush_timer = timer_new(cfg->loop, on_flush, f);
	f->retry_timer = timer_new(cfg->loop, on_retry, f);
	e = unwrap_new(&f->unwrap, cfg->loop, cfg->threads);
	if (e == ERR_OK)
		e = pool_new(&f->pool, &f->charter->params, cfg->layer, now_ms(f));
	if (e == ERR_OK && (f->intake_timer == NULL || f->flush_timer == NULL ||
	    f->retry_timer == NULL))
		e = ERR_MEMORY;
	if (e != ERR_OK) {
		flow_free(f);
		return e;
	}
	arm_flush(f);
	*out = f;
	return ERR_OK;
}

void
flow_free(struct flow *f)
{
	if (f == NULL)
		return;
	unwrap_free(f->unwrap);
	for (size_t i = 0; i < f->opening.count; i++)
		free(f->opening.jobs[i].packet);
	epochkeys_drop(f->opening.key);
	for (size_t i = 0; i < 2; i++) {
		intake_clear(f, &f->intakes[i], &f->status.dropped_out);
		free(f->intakes[i].jobs);
	}
	free(f->opening.jobs);
	free(f->batch.handles);
	held_release(&f->held);
	pool_free(f->pool);
	timer_free(f->intake_timer);
	timer_free(f->flush_timer);
	timer_free(f->retry_timer);
	free(f);
}

bool
flow_uses(const struct flow *f, uint32_t epoch)
{
	return f->opening.key != NULL && f->opening.key->epoch == epoch;
}

void
flow_get_status(const struct flow *f, struct flow_status *out)
{
	*out = f->status;
	out->pooled = pool_count(f->pool);
}

const struct unwrap_counts *
flow_unwrapped(const struct flow *f)
{
	return unwrap_counts(f->unwrap);
}
