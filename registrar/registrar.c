#include "config.h"

#include "registrar/registrar.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/charterfiles.h"
#include "common/charter/timing.h"
#include "common/net/charters.h"
#include "registrar/seeds.h"

/* Epochs whose keys were dropped while a job may still work with them. */
#define OLD_MAX 64

struct change {
	struct registrar *r;
	struct roll next;
	char code[ENROLMENT_TEXT_BYTES]; /* secret; empty: a revocation */
	registrar_done_cb *done;
	void *arg;
	enum err e;
	struct diag d;
};

/* Seeds in secret memory: what is durable, and what is being written. */
struct vault {
	struct seeds held, next;
};

struct registrar {
	struct registrar_config cfg;
	struct charters *charters;
	const struct params *params;
	struct workq *queue;
	struct ledger *ledger;
	struct links *links;
	struct counter *counter;
	struct roll roll;
	struct change *change;
	struct vault *vault;
	bool saving, pruning;
	enum err save_err;
	bool save_failed;
	struct issuer *issuers[SEEDS_MAX], *old[OLD_MAX];
	size_t issuer_count, old_count;
	struct timer *turn;
	int64_t steady_since; /* boot clock: started, or the wall clock jumped */
	uint32_t pruned, given;
};

static int64_t
now_ms(const struct registrar *r)
{
	return loop_wall_ms(r->cfg.loop);
}

static uint32_t
epoch_now(const struct registrar *r)
{
	return timing_epoch(r->params, now_ms(r));
}

static const struct succession *
all(const struct registrar *r)
{
	return charters_all(r->charters);
}

/* ---- keys ---- */

static void
free_old(struct registrar *r)
{
	if (r->counter != NULL && !counter_idle(r->counter))
		return;
	while (r->old_count > 0)
		issuer_free(r->old[--r->old_count]);
}

static bool
has_issuer(const struct registrar *r, uint32_t epoch)
{
	for (size_t i = 0; i < r->issuer_count; i++)
		if (issuer_keys(r->issuers[i])->epoch == epoch)
			return true;
	return false;
}

/* Keys that are not current go, as soon as nothing works with them. */
static void
drop_issuers(struct registrar *r)
{
	uint32_t now = epoch_now(r);

	for (size_t i = r->issuer_count; i-- > 0;) {
		uint32_t epoch = issuer_keys(r->issuers[i])->epoch;

		if ((seeds_current(epoch, now) && seeds_of(&r->vault->held, epoch) != NULL) ||
		    r->old_count == OLD_MAX)
			continue;
		r->old[r->old_count++] = r->issuers[i];
		r->issuers[i] = r->issuers[--r->issuer_count];
	}
	free_old(r);
}

/* Keys of every current seed that is durable; one that finds no memory comes with the next turn. */
static void
make_issuers(struct registrar *r)
{
	const struct seeds *s = &r->vault->held;
	uint32_t now = epoch_now(r);

	drop_issuers(r);
	for (size_t i = 0; i < s->count && r->issuer_count < SEEDS_MAX; i++) {
		struct issuer **to = &r->issuers[r->issuer_count];

		if (seeds_current(s->list[i].epoch, now) && !has_issuer(r, s->list[i].epoch) &&
		    issuer_new(to, r->params, s->list[i].epoch, s->list[i].bytes) == ERR_OK)
			r->issuer_count++;
	}
}

static void
give_seeds(struct registrar *r)
{
	uint32_t now = epoch_now(r);
	const struct charter *c = succession_near(all(r), now);
	const struct charter_node *gateway = charter_gateway(c);
	const struct seeds *s = &r->vault->held;

	if (r->given > now && !seeds_current(r->given, now))
		r->given = 0; /* by a clock that was ahead */
	for (size_t i = 0; i < s->count; i++) {
		if (!seeds_current(s->list[i].epoch, now))
			continue;
		if (links_send_seed(r->links, gateway->number, s->list[i].epoch,
			s->list[i].bytes) != ERR_OK)
			return;
		if (s->list[i].epoch <= r->given)
			continue;
		r->given = s->list[i].epoch;
		log_event(r->cfg.log, LOG_ISSUER_SEED_GIVEN, r->given, 0, 0);
	}
}

static void
save_run(void *arg)
{
	struct registrar *r = arg;

	r->save_err = seeds_save(r->cfg.disk, &r->vault->next);
}

static void
note_disk(struct registrar *r, enum err e)
{
	if (e != ERR_OK && !r->save_failed)
		log_event(r->cfg.log, LOG_DISK_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	else if (e == ERR_OK && r->save_failed)
		log_event(r->cfg.log, LOG_DISK_RECOVERED, 0, 0, 0);
	r->save_failed = e != ERR_OK;
}

static void
save_done(void *arg)
{
	struct registrar *r = arg;
	const struct seeds *next = &r->vault->next, *held = &r->vault->held;

	r->saving = false;
	note_disk(r, r->save_err);
	if (r->save_err != ERR_OK)
		return; /* the next turn tries again */
	for (size_t i = 0; i < next->count; i++)
		if (seeds_of(held, next->list[i].epoch) == NULL)
			log_event(r->cfg.log, LOG_ISSUER_SEED_MADE, next->list[i].epoch, 0, 0);
	for (size_t i = 0; i < held->count; i++)
		if (seeds_of(next, held->list[i].epoch) == NULL)
			log_event(r->cfg.log, LOG_ISSUER_SEED_DESTROYED, held->list[i].epoch, 0, 0);
	r->vault->held = *next;
	make_issuers(r);
	give_seeds(r);
}

/* A clock that has run for a whole epoch without a jump is believed when it says what is over. */
static bool
sure(const struct registrar *r)
{
	return loop_boot_ms(r->cfg.loop) - r->steady_since >= r->params->epoch_ms;
}

static void
look_after_seeds(struct registrar *r)
{
	if (r->saving)
		return;
	if (!seeds_next(&r->vault->next, &r->vault->held, all(r), r->cfg.own, epoch_now(r),
		sure(r), r->cfg.keys)) {
		make_issuers(r);
		return;
	}
	r->saving = workq_add(r->queue, save_run, save_done, r) == ERR_OK;
}

/* ---- the ledger's old epochs ---- */

static void
prune_run(void *arg)
{
	struct registrar *r = arg;

	/* what fails is done with the next epoch */
	(void)!ledger_prune(r->ledger, r->pruned);
}

static void
prune_done(void *arg)
{
	struct registrar *r = arg;

	r->pruning = false;
}

/* As long as an epoch's seed is held, so is what was given of it: never a second allotment. */
static void
prune(struct registrar *r)
{
	const struct seeds *s = &r->vault->held;
	uint32_t epoch = epoch_now(r);

	if (s->count > 0 && s->list[0].epoch < epoch)
		epoch = s->list[0].epoch;
	if (r->pruning || epoch <= r->pruned)
		return;
	r->pruned = epoch;
	r->pruning = workq_add(r->queue, prune_run, prune_done, r) == ERR_OK;
}

/* ---- turns ---- */

static void
on_turn(void *arg)
{
	struct registrar *r = arg;
	int64_t next = timing_epoch_start(r->params, epoch_now(r) + 1);
	int64_t soon = now_ms(r) + params_scaled(r->params, REGISTRAR_TURN_MS);

	charters_turn(r->charters);
	links_turn(r->links);
	look_after_seeds(r);
	prune(r);
	give_seeds(r);
	timer_at_wall(r->turn, next < soon ? next : soon);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	struct registrar *r = arg;

	(void)delta_ms;
	r->steady_since = loop_boot_ms(r->cfg.loop);
	on_turn(r);
}

static void
on_link(void *arg, uint16_t peer, bool dialled, bool up)
{
	(void)peer;
	(void)dialled;
	if (up)
		give_seeds(arg);
}

/* Nobody dials us, and what comes over our own link to the gateway means nothing. */
static void
on_packet(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	(void)arg;
	(void)from;
	(void)epoch;
	(void)packet;
}

/* ---- the counter's questions ---- */

static const struct roll_member *
member_of(void *arg, const uint8_t secret[static 32])
{
	struct registrar *r = arg;
	uint8_t id[ENROLMENT_ID_BYTES];

	enrolment_id(id, secret, succession_first(all(r))->network_id);
	return roll_find(&r->roll, id);
}

static const struct issuer *
issuer_of(void *arg, uint32_t epoch)
{
	struct registrar *r = arg;

	if (epoch < epoch_now(r))
		return NULL;
	for (size_t i = 0; i < r->issuer_count; i++)
		if (issuer_keys(r->issuers[i])->epoch == epoch)
			return r->issuers[i];
	return NULL;
}

static void
on_linked(void *arg, const uint8_t *hash)
{
	struct registrar *r = arg;

	if (r->cfg.linked != NULL)
		r->cfg.linked(r->cfg.linked_arg, hash);
}

/* ---- the roll ---- */

static void
change_free(struct change *c)
{
	roll_release(&c->next);
	secret_free(c);
}

static void
change_run(void *arg)
{
	struct change *c = arg;

	c->e = roll_save(c->r->cfg.disk, &c->next, &c->d);
}

static void
change_done(void *arg)
{
	struct change *c = arg;
	struct registrar *r = c->r;

	r->change = NULL;
	if (c->e == ERR_OK) {
		struct roll former = r->roll;

		r->roll = c->next;
		c->next = former;
	}
	c->done(c->arg, c->e, &c->d, c->e == ERR_OK && c->code[0] != '\0' ? c->code : NULL);
	change_free(c);
}

/* A change on top of the roll as it is; NULL with *e if it cannot begin. */
static struct change *
change_new(struct registrar *r, registrar_done_cb *done, void *arg, enum err *e, struct diag *d)
{
	struct change *c;

	*e = ERR_MEMORY;
	if (r->change != NULL) {
		*e = diag_set(d, ERR_BUSY, "another change is being written; try again");
		return NULL;
	}
	c = secret_new(sizeof(*c));
	if (c == NULL)
		return NULL;
	roll_init(&c->next);
	c->r = r;
	c->done = done;
	c->arg = arg;
	*e = roll_copy(&c->next, &r->roll);
	if (*e == ERR_OK)
		return c;
	change_free(c);
	return NULL;
}

static enum err
change_begin(struct change *c, enum err e)
{
	if (e == ERR_OK)
		e = workq_add(c->r->queue, change_run, change_done, c);
	if (e == ERR_OK)
		c->r->change = c;
	else
		change_free(c);
	return e;
}

enum err
registrar_enrol(struct registrar *r, const char *name, registrar_done_cb *done, void *arg,
    struct diag *d)
{
	const uint8_t *network = succession_first(all(r))->network_id;
	uint8_t secret[ENROLMENT_SECRET_BYTES], id[ENROLMENT_ID_BYTES];
	enum err e = roll_check_name(name, d);
	struct change *c = e == ERR_OK ? change_new(r, done, arg, &e, d) : NULL;

	if (c == NULL)
		return e;
	rng_bytes(r->cfg.keys, secret, sizeof(secret));
	enrolment_id(id, secret, network);
	enrolment_encode(c->code, secret, network);
	sodium_memzero(secret, sizeof(secret));
	return change_begin(c, roll_add(&c->next, name, id, d));
}

enum err
registrar_revoke(struct registrar *r, const char *name, registrar_done_cb *done, void *arg,
    struct diag *d)
{
	enum err e;
	struct change *c = change_new(r, done, arg, &e, d);

	return c != NULL ? change_begin(c, roll_remove(&c->next, name, d)) : e;
}

const struct roll *
registrar_roll(const struct registrar *r)
{
	return &r->roll;
}

/* ---- life ---- */

static enum err
open_links(struct registrar *r, struct diag *d)
{
	const struct links_events events = { .packet = on_packet, .state = on_link };
	const struct links_config cfg = { .loop = r->cfg.loop,
		.charters = all(r),
		.own = r->cfg.own,
		.link_sk = r->cfg.link_sk,
		.disk = r->cfg.disk,
		.queue = r->queue,
		.rng = r->cfg.rng,
		.keys = r->cfg.keys,
		.log = r->cfg.log };

	return links_open(&r->links, &cfg, &events, r, d);
}

static enum err
open_counter(struct registrar *r, struct diag *d)
{
	static const struct counter_events events = { member_of, issuer_of, on_linked };
	const struct counter_config cfg = { .loop = r->cfg.loop,
		.charters = all(r),
		.link_sk = r->cfg.link_sk,
		.listen = r->cfg.listen,
		.ledger = r->ledger,
		.queue = r->queue,
		.rng = r->cfg.rng,
		.keys = r->cfg.keys,
		.log = r->cfg.log,
		.visitors_max = r->cfg.visitors_max };

	return counter_open(&r->counter, &cfg, &events, r, d);
}

static enum err
open_state(struct registrar *r, struct diag *d)
{
	enum err e = charters_open(&r->charters, r->cfg.disk, r->cfg.charter, r->cfg.log, d);

	if (e == ERR_OK)
		e = charterfiles_check_date(all(r), now_ms(r), d);
	if (e != ERR_OK)
		return e;
	r->params = &succession_first(all(r))->params;
	charters_set_queue(r->charters, r->queue);
	e = roll_load(&r->roll, r->cfg.disk, d);
	if (e == ERR_OK)
		e = seeds_load(&r->vault->held, r->cfg.disk, d);
	return e == ERR_OK ? ledger_open(&r->ledger, r->cfg.ledger, d) : e;
}

enum err
registrar_new(struct registrar **out, const struct registrar_config *cfg, struct diag *d)
{
	struct registrar *r = calloc(1, sizeof(*r));
	enum err e = ERR_OK;

	if (r == NULL)
		return ERR_MEMORY;
	r->cfg = *cfg;
	r->steady_since = loop_boot_ms(cfg->loop);
	roll_init(&r->roll);
	r->vault = secret_new(sizeof(*r->vault));
	r->queue = workq_new(cfg->loop, 1);
	r->turn = timer_new(cfg->loop, on_turn, r);
	if (r->vault == NULL || r->queue == NULL || r->turn == NULL)
		e = ERR_MEMORY;
	if (e == ERR_OK)
		e = open_state(r, d);
	if (e == ERR_OK)
		e = open_links(r, d);
	if (e == ERR_OK)
		e = open_counter(r, d);
	if (e == ERR_OK)
		e = loop_watch_jumps(cfg->loop, on_jump, r);
	if (e == ERR_OK)
		e = links_start(r->links, d);
	if (e != ERR_OK) {
		registrar_free(r);
		return e;
	}
	log_event(cfg->log, LOG_STARTED, cfg->own, epoch_now(r), 0);
	timer_after(r->turn, 0);
	*out = r;
	return ERR_OK;
}

void
registrar_stop(struct registrar *r)
{
	counter_stop_accepting(r->counter);
	counter_close_visits(r->counter);
}

void
registrar_close_visits(struct registrar *r)
{
	counter_close_visits(r->counter);
}

void
registrar_free(struct registrar *r)
{
	if (r == NULL)
		return;
	loop_unwatch_jumps(r->cfg.loop, r);
	timer_free(r->turn);
	if (r->counter != NULL)
		registrar_stop(r);
	workq_free(r->queue); /* what it had begun ends here */
	counter_free(r->counter);
	r->counter = NULL;
	links_free(r->links);
	ledger_close(r->ledger);
	charters_free(r->charters);
	free_old(r);
	while (r->issuer_count > 0)
		issuer_free(r->issuers[--r->issuer_count]);
	roll_release(&r->roll);
	secret_free(r->vault);
	free(r);
}

struct workq *
registrar_queue(const struct registrar *r)
{
	return r->queue;
}

/* ---- status ---- */

void
registrar_get_status(const struct registrar *r, struct registrar_status *out)
{
	uint32_t epoch = epoch_now(r);
	const struct charter *now = succession_at(all(r), epoch);
	const struct charter *next = succession_next(all(r), epoch);

	*out = (struct registrar_status){ .epoch = epoch,
		.charter = now != NULL ? now->version : 0,
		.coming_charter = next != NULL ? next->version : 0,
		.coming_epoch = next != NULL ? next->from_epoch : 0,
		.serves = seeds_wanted(all(r), r->cfg.own, epoch),
		.has_place = links_has_place(r->links),
		.members = r->roll.count,
		.given = r->given };
	for (size_t i = 0; i < r->vault->held.count; i++)
		out->seeds += seeds_current(r->vault->held.list[i].epoch, epoch);
	counter_get_status(r->counter, &out->counter);
}

size_t
registrar_links(const struct registrar *r, struct links_peer *out, size_t max)
{
	return links_list(r->links, out, max);
}
