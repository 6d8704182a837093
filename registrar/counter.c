#include "config.h"

#include "registrar/counter.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/net/link.h"

#define OUT_FRAMES_MAX 2

struct visit {
	LIST_ENTRY(visit) entry;
	struct counter *owner;
	struct link *link;
	struct timer *end;
	struct job *job; /* under way, or NULL */
	unsigned requests;
	bool known; /* it has shown a member's code: */
	uint32_t member; /* whose; of each member one visit at most is known */
	bool last; /* ends when what is queued has left */
};

/* One request on its way through the ledger. */
struct job {
	struct counter *counter;
	struct visit *visit; /* NULL: it has gone */
	const struct issuer *issuer;
	const struct params *params;
	struct ledger_entry claim;
	enum err e;
	struct issuance_request request;
	struct issuance_answer answer;
};

/* How often a member asked in this epoch's time. */
struct asker {
	uint32_t member, times;
};

struct counter {
	struct counter_config cfg;
	struct counter_events events;
	void *arg;
	uint8_t link_pk[32];
	struct listener *listener;
	LIST_HEAD(, visit) visits;
	size_t strangers; /* of the visits, those that have shown no code yet */
	size_t jobs;
	uint32_t asked_epoch;
	struct asker *askers; /* open addressing by member; room is a power of two */
	size_t asker_count, asker_room;
	struct counter_status status;
	uint8_t frame[ISSUANCE_ANSWER_BYTES];
};

/* ---- how often a member asks ---- */

static uint32_t *
times_of(struct counter *k, uint32_t member)
{
	size_t mask = k->asker_room - 1, i = (member * UINT32_C(2654435761)) & mask;

	while (k->askers[i].member != 0 && k->askers[i].member != member)
		i = (i + 1) & mask;
	k->asker_count += k->askers[i].member == 0;
	k->askers[i].member = member;
	return &k->askers[i].times;
}

/* Twice as much room when half of it is taken; false without memory. */
static bool
grow(struct counter *k)
{
	struct counter bigger = *k;

	if (k->asker_room > 0 && k->asker_count < k->asker_room / 2)
		return true;
	bigger.asker_room = k->asker_room == 0 ? 64 : 2 * k->asker_room;
	bigger.asker_count = 0;
	bigger.askers = calloc(bigger.asker_room, sizeof(k->askers[0]));
	if (bigger.askers == NULL)
		return false;
	for (size_t i = 0; i < k->asker_room; i++)
		if (k->askers[i].member != 0)
			*times_of(&bigger, k->askers[i].member) = k->askers[i].times;
	free(k->askers);
	k->askers = bigger.askers;
	k->asker_room = bigger.asker_room;
	k->asker_count = bigger.asker_count;
	return true;
}

/* The same work again and again is a flood, whoever does it. */
static bool
may_ask(struct counter *k, uint32_t member, const struct params *p)
{
	uint32_t epoch = timing_epoch(p, loop_wall_ms(k->cfg.loop));
	uint32_t most = COUNTER_ASKED * (ISSUER_AHEAD + 1) *
	    (allotment_batches(p, TOKEN_TICKET) + allotment_batches(p, TOKEN_STAMP));
	uint32_t *times;

	if (epoch != k->asked_epoch) {
		free(k->askers);
		k->askers = NULL;
		k->asker_room = k->asker_count = 0;
		k->asked_epoch = epoch;
	}
	if (!grow(k))
		return false;
	times = times_of(k, member);
	if (*times >= most)
		return false;
	*times += 1;
	return true;
}

/* ---- answers ---- */

static void
visit_free(struct visit *v)
{
	LIST_REMOVE(v, entry);
	v->owner->status.visitors--;
	v->owner->strangers -= !v->known;
	if (v->job != NULL)
		v->job->visit = NULL;
	timer_free(v->end);
	link_free(v->link);
	free(v);
}

/* Frees v if it cannot be answered: it does not read what it asked for. */
static void
answer(struct visit *v, const struct issuance_answer *a)
{
	struct counter *k = v->owner;
	enum err e;

	*(a->status == ISSUANCE_OK ? &k->status.answered : &k->status.refused) += 1;
	issuance_answer_encode(k->frame, a);
	e = link_send(v->link, k->frame);
	v->last = v->last || !v->known || v->requests >= COUNTER_REQUESTS;
	if (e != ERR_OK)
		visit_free(v);
	else if (!v->last)
		link_pause(v->link, false);
}

static void
refuse(struct visit *v, enum issuance_status status)
{
	static struct issuance_answer a;

	issuance_refuse(&a, status);
	answer(v, &a);
}

/* ---- the ledger's thread ---- */

static void
run_job(void *arg)
{
	struct job *j = arg;
	enum issuance_status status = issuance_check(&j->request, j->params);

	j->e = ERR_OK;
	if (status == ISSUANCE_OK) {
		j->e = ledger_claim(j->counter->cfg.ledger, &j->claim);
		if (j->e == ERR_EXISTS)
			status = ISSUANCE_SPENT;
		else if (j->e != ERR_OK)
			status = ISSUANCE_LATER;
	}
	if (status == ISSUANCE_OK)
		issuance_serve(&j->answer, j->issuer, &j->request, j->params,
		    j->counter->cfg.keys);
	else
		issuance_refuse(&j->answer, status);
}

static void
note_ledger(struct counter *k, enum err e)
{
	bool failed = e != ERR_OK && e != ERR_EXISTS;

	if (failed && !k->status.failed)
		log_event(k->cfg.log, LOG_STORE_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	else if (!failed && k->status.failed)
		log_event(k->cfg.log, LOG_STORE_RECOVERED, 0, 0, 0);
	k->status.failed = failed;
}

static void
job_done(void *arg)
{
	struct job *j = arg;
	struct visit *v = j->visit;

	j->counter->jobs--;
	note_ledger(j->counter, j->e);
	if (v != NULL) {
		v->job = NULL;
		answer(v, &j->answer);
	}
	sodium_memzero(j, sizeof(*j));
	free(j);
}

/* ---- requests ---- */

/*
 * Whose visit it is. Another one of the same member ends: known ones are never drawn to make
 * room, so that one member could take all places. An honest purse has one at a time, and when
 * it comes again the former is a link that broke.
 */
static void
know(struct visit *v, uint32_t member)
{
	struct counter *k = v->owner;
	struct visit *x, *next;

	if (v->known && v->member == member)
		return;
	for (x = LIST_FIRST(&k->visits); x != NULL; x = next) {
		next = LIST_NEXT(x, entry);
		if (x != v && x->known && x->member == member)
			visit_free(x);
	}
	k->strangers -= !v->known;
	v->known = true;
	v->member = member;
}

/* Make the job of a request, or say why there is none. */
static enum issuance_status
job_new(struct job **out, struct visit *v, const struct issuance_request *q)
{
	struct counter *k = v->owner;
	const struct charter *c = succession_at(k->cfg.charters, q->epoch);
	const struct roll_member *m = k->events.member(k->arg, q->code);
	const struct issuer *s = k->events.issuer(k->arg, q->epoch);
	struct job *j;

	if (m == NULL)
		return ISSUANCE_CODE;
	know(v, m->number);
	if (s == NULL || c == NULL)
		return ISSUANCE_EPOCH;
	if (!may_ask(k, m->number, &c->params))
		return ISSUANCE_LATER;
	j = calloc(1, sizeof(*j));
	if (j == NULL)
		return ISSUANCE_LATER;
	j->counter = k;
	j->issuer = s;
	j->params = &c->params;
	j->request = *q;
	j->claim = (struct ledger_entry){ .epoch = q->epoch, .member = m->number,
		.batch = q->batch, .kind = q->kind };
	issuance_hash(j->claim.hash, q);
	*out = j;
	return ISSUANCE_OK;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct visit *v = arg;
	struct counter *k = v->owner;
	struct issuance_request q;
	struct job *j = NULL;
	enum err e = issuance_request_decode(&q, plain);
	enum issuance_status status = e == ERR_OK ? ISSUANCE_OK :
	    e == ERR_VERSION ? ISSUANCE_VERSION_UNKNOWN : ISSUANCE_REQUEST;

	(void)n;
	v->requests++;
	link_pause(v->link, true); /* one at a time */
	if (status == ISSUANCE_OK)
		status = job_new(&j, v, &q);
	sodium_memzero(&q, sizeof(q));
	if (status == ISSUANCE_OK && workq_add(k->cfg.queue, run_job, job_done, j) != ERR_OK) {
		sodium_memzero(j, sizeof(*j));
		free(j);
		status = ISSUANCE_LATER;
	}
	if (status != ISSUANCE_OK) {
		refuse(v, status);
		return;
	}
	k->jobs++;
	j->visit = v;
	v->job = j;
}

/* ---- visits ---- */

static void
on_up(void *arg)
{
	struct visit *v = arg;

	if (v->owner->events.linked != NULL)
		v->owner->events.linked(v->owner->arg, link_hash(v->link));
}

static void
on_drained(void *arg)
{
	struct visit *v = arg;

	if (v->last)
		visit_free(v);
}

static void
on_down(void *arg, enum err why)
{
	(void)why;
	visit_free(arg);
}

static void
on_end(void *arg)
{
	visit_free(arg);
}

static struct link_config
link_of(const struct counter *k)
{
	struct link_config cfg = {
		.pattern = NOISE_NK,
		.own_sk = k->cfg.link_sk,
		.own_pk = k->link_pk,
		.send_bytes = ISSUANCE_ANSWER_BYTES,
		.receive_bytes = ISSUANCE_REQUEST_BYTES,
		.out_frames_max = OUT_FRAMES_MAX,
		.handshake_ms = COUNTER_HANDSHAKE_MS,
		.idle_ms = COUNTER_PATIENCE_MS,
		.keys = k->cfg.keys,
	};

	memcpy(cfg.network_id, succession_first(k->cfg.charters)->network_id,
	    sizeof(cfg.network_id));
	return cfg;
}

/*
 * Room for one more visitor. When all places are taken a stranger at random has to go: a
 * crowd that only waits could otherwise keep the members out.
 */
static bool
make_room(struct counter *k)
{
	struct visit *v;
	uint32_t skip;

	if (k->status.visitors < k->cfg.visitors_max)
		return true;
	k->status.turned_away++;
	if (k->strangers == 0)
		return false;
	skip = rng_below(k->cfg.rng, (uint32_t)k->strangers);
	LIST_FOREACH(v, &k->visits, entry)
		if (!v->known && skip-- == 0)
			break;
	visit_free(v);
	return true;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame,
		.drained = on_drained, .down = on_down };
	struct counter *k = arg;
	const struct link_config cfg = link_of(k);
	struct visit *v = make_room(k) ? calloc(1, sizeof(*v)) : NULL;

	if (v != NULL)
		v->end = timer_new(k->cfg.loop, on_end, v);
	if (v == NULL || v->end == NULL) {
		conn_free(c);
		free(v);
		return;
	}
	v->owner = k;
	if (link_accept(&v->link, k->cfg.loop, c, &cfg, &events, v) != ERR_OK) {
		timer_free(v->end);
		free(v);
		return;
	}
	LIST_INSERT_HEAD(&k->visits, v, entry);
	k->status.visitors++;
	k->strangers++;
	timer_after(v->end, COUNTER_VISIT_MS);
}

/* ---- life ---- */

enum err
counter_open(struct counter **out, const struct counter_config *cfg,
    const struct counter_events *events, void *arg, struct diag *d)
{
	struct counter *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->events = *events;
	k->arg = arg;
	LIST_INIT(&k->visits);
	e = crypto_scalarmult_base(k->link_pk, cfg->link_sk) == 0 ? ERR_OK : ERR_CRYPTO;
	if (e == ERR_OK)
		e = listener_open(&k->listener, cfg->loop, cfg->listen, on_accept, k, d);
	if (e != ERR_OK) {
		counter_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
counter_stop_accepting(struct counter *k)
{
	if (k->listener != NULL)
		listener_free(k->listener);
	k->listener = NULL;
}

void
counter_close_visits(struct counter *k)
{
	while (!LIST_EMPTY(&k->visits))
		visit_free(LIST_FIRST(&k->visits));
}

void
counter_free(struct counter *k)
{
	if (k == NULL)
		return;
	counter_stop_accepting(k);
	counter_close_visits(k);
	free(k->askers);
	free(k);
}

bool
counter_idle(const struct counter *k)
{
	return k->jobs == 0;
}

void
counter_get_status(const struct counter *k, struct counter_status *out)
{
	*out = k->status;
}
