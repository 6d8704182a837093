#include "config.h"

#include "tests/soak/town.h"

#include <stdio.h>
#include <string.h>

#include "client-lib/client.h"
#include "common/charter/timing.h"
#include "tests/lib/test.h"

#define FRAGILE_MS (2 * MINUTE_MS)
#define PER_LAYER_MAX 2

int64_t
town_now(const struct town *t)
{
	return world_now_ms(t->f.world);
}

/* ---- nodes ---- */

static void
on_log(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS])
{
	const struct hearer *h = arg;
	struct town *t = h->town;

	if (log_event_level(e) != LOG_ALARM)
		return;
	/* one that a charter has left out says so, rightly, until it is switched off */
	t->alarms += e != LOG_NOT_IN_CHARTER || t->retires_ms[h->node] == 0;
	diary_note(t->diary, town_now(t), "alarm of node %zu: %s %llu", h->node + 1,
	    log_event_name(e), (unsigned long long)values[0]);
}

static void
listen_to(struct town *t, struct fixture_node *n)
{
	size_t i = (size_t)(n - t->f.nodes);

	t->hearers[i] = (struct hearer){.town = t, .node = i};
	t->hearers[i].log = (struct log){
	    .threshold = LOG_ALARM, .observer = on_log, .observer_arg = &t->hearers[i]};
	n->log = &t->hearers[i].log;
}

/* A third of the packets of the fixture's own, so that a day passes in a minute. */
static const struct params *
town_params(void)
{
	static struct params p;

	fixture_params(&p);
	p.slot_ms = MINUTE_MS;
	p.round_ms = 30000;
	p.retention_ms = 48 * HOUR_MS;
	return &p;
}

static void
found(struct town *t, uint64_t seed)
{
	fixture_new(&t->f, &(struct fixture_config){
	    .seed = seed, .params = town_params(), .idle = true});
	for (size_t i = 0; i < t->f.node_count; i++) {
		listen_to(t, &t->f.nodes[i]);
		fixture_start(&t->f.nodes[i]);
	}
	fixture_run_for(&t->f, MINUTE_MS);
}

void
town_begin(struct town *t, uint64_t seed, struct diary *d)
{
	memset(t, 0, sizeof(*t));
	t->diary = d;
	found(t, seed);
	ledger_new(&t->ledger, &t->f);
	while (t->pair_count < TOWN_PAIRS_FIRST)
		(void)town_arrive(t);
}

static void
coming_over(struct town *t)
{
	charter_free(t->coming.charter);
	buf_release(&t->coming.text);
	t->coming = (struct coming){0};
}

void
town_end(struct town *t)
{
	for (size_t i = 0; i < t->pair_count; i++) {
		person_free(&t->pairs[i].people[0]);
		person_free(&t->pairs[i].people[1]);
	}
	if (t->coming.charter != NULL)
		coming_over(t);
	ledger_free(&t->ledger);
	fixture_free(&t->f);
}

/* ---- another charter ---- */

struct change {
	uint16_t remove;
	const struct charter_node *add;
};

static void
apply(struct charter *next, void *arg)
{
	const struct change *x = arg;

	if (x->remove != 0)
		assert_err_ok(charter_remove_node(next, x->remove));
	if (x->add != NULL)
		assert_err_ok(charter_add_node(next, x->add));
}

bool
town_change_charter(struct town *t)
{
	const struct rng *r = world_rng(t->f.world);
	const struct charter *latest = succession_latest(t->f.network->charters);
	const struct charter_node *mixes[FIXTURE_NODES_MAX];
	unsigned layer = rng_below(r, t->f.params->layers);
	size_t n = charter_layer(latest, layer, mixes, FIXTURE_NODES_MAX);
	bool remove = n >= PER_LAYER_MAX || rng_below(r, 2) == 0;
	bool add = n < 2 || rng_below(r, 2) == 0;
	struct coming *c = &t->coming;
	struct change x = {0};

	if (c->charter != NULL || t->f.node_count == FIXTURE_NODES_MAX)
		return false;
	if (remove)
		c->retired = x.remove = mixes[rng_below(r, (uint32_t)n)]->number;
	if (add || !remove) {
		c->fresh = fixture_add(&t->f, layer);
		listen_to(t, c->fresh);
		x.add = &c->fresh->own;
	}
	c->from_epoch = timing_first_change(t->f.params, town_now(t)) + 1;
	if (c->from_epoch <= latest->from_epoch)
		c->from_epoch = latest->from_epoch + 1;
	c->charter = network_next(t->f.network, c->from_epoch, apply, &x);
	buf_init(&c->text);
	assert_err_ok(charter_print_signed(&c->text, c->charter));
	return true;
}

/* Whether it has it is seen when it is asked again. */
static void
on_published(void *arg, enum err e)
{
	(void)arg;
	(void)e;
}

/* It is the gateway's: who joins starts, who leaves goes after the grace. */
static void
publish_is_done(struct town *t)
{
	struct coming *c = &t->coming;
	struct diag d;
	int64_t start = timing_epoch_start(t->f.params, c->from_epoch);

	assert_err_ok(succession_add(t->f.network->charters, c->charter, &d));
	if (c->fresh != NULL) {
		c->fresh->given = succession_latest(t->f.network->charters);
		fixture_start(c->fresh);
	}
	if (c->retired != 0)
		t->retires_ms[c->retired - 1] = start + t->f.params->grace_ms + 10 * MINUTE_MS;
	t->counts.charters++;
	diary_note(t->diary, town_now(t), "charter %u is published, from epoch %u",
	    c->charter->version, c->from_epoch);
	coming_over(t);
}

/* Whoever was to join with it never runs; its number is not used again. */
static void
give_up_charter(struct town *t)
{
	if (t->coming.fresh != NULL)
		t->retired[t->coming.fresh - t->f.nodes] = true;
	t->counts.charters_late++;
	diary_note(t->diary, town_now(t), "a charter came too late to be published");
	coming_over(t);
}

/* Asked again and again until it says that it has it. */
static void
publish(struct town *t)
{
	struct gateway *g = fixture_gateway(&t->f)->gateway;
	struct coming *c = &t->coming;
	struct diag d = {""};
	enum err e;

	if (c->charter == NULL || g == NULL)
		return;
	if (world_clock_offset_ms(fixture_gateway(&t->f)->host) != 0)
		return; /* its operator looks at the clock first */
	e = gateway_publish(g, c->text.data, c->text.len, on_published, t, &d);
	if (e == ERR_EXISTS)
		publish_is_done(t);
	else if (e == ERR_EPOCH)
		give_up_charter(t);
	else if (e != ERR_OK && e != ERR_BUSY)
		diary_note(t->diary, town_now(t), "charter refused, %d: %s", e, d.text);
	assert_true(e == ERR_OK || e == ERR_BUSY || e == ERR_EXISTS || e == ERR_EPOCH || e == ERR_FULL);
}

static void
retire(struct town *t)
{
	for (size_t i = 0; i < t->f.node_count; i++) {
		struct fixture_node *n = &t->f.nodes[i];

		if (t->retires_ms[i] == 0 || town_now(t) < t->retires_ms[i])
			continue;
		t->retired[i] = true;
		t->retires_ms[i] = 0;
		fixture_kill(n, -1);
		diary_note(t->diary, town_now(t), "node %u is gone", n->charter->number);
	}
}

/* ---- people ---- */

bool
town_arrive(struct town *t)
{
	struct pair *p = &t->pairs[t->pair_count];

	if (t->pair_count == TOWN_PAIRS)
		return false;
	*p = (struct pair){.state = PAIR_ARRIVES, .since_ms = town_now(t)};
	person_new(&p->people[0], &t->f);
	person_new(&p->people[1], &t->f);
	t->pair_count++;
	return true;
}

bool
town_is_fragile(const struct town *t, const struct person *p)
{
	for (size_t i = 0; i < t->pair_count; i++) {
		const struct pair *k = &t->pairs[i];

		if (p == &k->people[0] || p == &k->people[1])
			return k->state == PAIR_MEETS && town_now(t) < k->since_ms + FRAGILE_MS;
	}
	return false;
}

static bool
is_ready(const struct person *p)
{
	struct client_status s;
	struct chain_point epoch;

	if (!person_runs(p) || p->disk.fault.at != 0 || p->disk.dead)
		return false;
	client_status(p->client, &s);
	return s.verified && s.caught_up && s.online && client_epoch_block(p->client, &epoch) &&
	    s.alarms == 0 && world_clock_offset_ms(p->host) == 0;
}

static void
advance(struct town *t, struct pair *p)
{
	switch (p->state) {
	case PAIR_ARRIVES:
		if (!is_ready(&p->people[0]) || !is_ready(&p->people[1]))
			return;
		person_meet(&p->people[0], &p->people[1]);
		p->state = PAIR_MEETS;
		p->since_ms = town_now(t);
		break;
	case PAIR_MEETS:
		if (!person_has_contact(&p->people[0]) || town_is_fragile(t, &p->people[0]))
			return;
		p->state = PAIR_TALKS;
		diary_note(t->diary, town_now(t), "pair %zu has met", (size_t)(p - t->pairs));
		break;
	case PAIR_TALKS:
		break;
	}
}

void
town_live(struct town *t, unsigned say_one_in)
{
	const struct rng *r = world_rng(t->f.world);

	publish(t);
	retire(t);
	for (size_t i = 0; i < t->pair_count; i++) {
		struct pair *p = &t->pairs[i];

		advance(t, p);
		for (size_t k = 0; k < 2 && p->state == PAIR_TALKS; k++)
			if (say_one_in > 0 && rng_below(r, say_one_in) == 0 &&
			    p->people[k].said < PERSON_TEXTS_MAX)
				person_say(&p->people[k]);
	}
}

void
town_say_now(struct town *t, struct person *p)
{
	for (size_t i = 0; i < t->pair_count; i++)
		for (size_t k = 0; k < 2 && t->pairs[i].state == PAIR_TALKS; k++)
			if (p == &t->pairs[i].people[k] && p->said < PERSON_TEXTS_MAX)
				person_say(p);
}

void
town_say(struct town *t)
{
	for (size_t i = 0; i < t->pair_count; i++)
		for (size_t k = 0; k < 2 && t->pairs[i].state == PAIR_TALKS; k++)
			person_say(&t->pairs[i].people[k]);
}

/* ---- what always holds ---- */

static void
check_gateway(struct town *t, const struct gateway *g)
{
	struct gateway_status s;

	gateway_get_status(g, &s);
	assert_int_equal(s.dropped_journal, 0);
	assert_int_equal(s.exit.malformed, 0);
	assert_int_equal(s.exit.dropped_full, 0);
	assert_int_equal(s.entry.malformed, 0);
	assert_int_equal(s.turnstile.dropped, 0);
	assert_true(s.days <= (size_t)(t->f.params->retention_ms / (24 * HOUR_MS)) + 2);
	assert_true(s.entry.sessions <= 8 * (t->f.node_count + TOWN_PEOPLE));
}

static void
check_mix(struct town *t, const struct fixture_node *n)
{
	size_t i = (size_t)(n - t->f.nodes);
	struct mix_status s;

	mix_get_status(n->mix, &s);
	assert_true(s.held <= t->f.params->pool_max);
	assert_true(s.pooled <= s.held);
	assert_int_equal(s.dropped_full, 0);
	assert_int_equal(s.evidence, 0); /* nobody lied */
	assert_false(s.struck);
	if (n->starts != t->starts[i]) {
		t->stops_before[i] += t->stops_now[i];
		t->starts[i] = n->starts;
	}
	t->stops_now[i] = s.heartbeat.stops;
}

static void
check_person(const struct person *p)
{
	struct client_status s;

	client_status(p->client, &s);
	assert_null(client_evidence(p->client, 0));
	assert_int_equal(s.alarms & (CLIENT_ALARM_CHAIN | CLIENT_ALARM_FORK |
	    CLIENT_ALARM_SUCCESSION | CLIENT_ALARM_ISSUER), 0);
	assert_true(s.queued <= p->said + 4u);
}

void
town_check(struct town *t)
{
	ledger_look(&t->ledger);
	for (size_t i = 0; i < t->f.node_count; i++) {
		const struct fixture_node *n = &t->f.nodes[i];

		if (n->mix != NULL)
			check_mix(t, n);
		if (n->gateway != NULL)
			check_gateway(t, n->gateway);
	}
	for (size_t i = 0; i < t->pair_count; i++) {
		struct pair *p = &t->pairs[i];

		for (size_t k = 0; k < 2; k++) {
			if (!person_runs(&p->people[k]))
				continue;
			check_person(&p->people[k]);
			person_check_order(&p->readings[k], &p->people[k], &p->people[1 - k]);
		}
	}
}

/* ---- what holds in the end ---- */

static const char *
ill_mix(const struct mix *m)
{
	struct mix_status s;
	struct links_peer peers[FIXTURE_NODES_MAX];
	size_t n = mix_links(m, peers, FIXTURE_NODES_MAX);

	mix_get_status(m, &s);
	if (!s.serves)
		return NULL; /* its charter is still to come, or has passed */
	if (!s.has_sheet || s.sits_out)
		return s.sits_out ? "a mix sits out" : "a mix without a sheet";
	if (s.heartbeat.state != HEARTBEAT_RUNS)
		return heartbeat_state_name(s.heartbeat.state);
	if (s.sessions == 0) /* it is asked for again within a quarter of an hour */
		return "a mix without a session";
	for (size_t i = 0; i < n; i++)
		if (peers[i].serving && ((peers[i].dials && !peers[i].dialled_up) ||
		    (peers[i].accepts && !peers[i].accepted_up)))
			return "a mix's link is down";
	return NULL;
}

static const char *
ill_gateway(const struct gateway *g)
{
	struct gateway_status s;

	gateway_get_status(g, &s);
	if (!s.has_sheet || s.sits_out)
		return "the gateway without a sheet, or sitting out";
	return s.storing_failed ? "the gateway cannot write" : NULL;
}

/* What was promised last has been shown; with the order, so has all before it. */
static bool
is_heard(const struct person *p, const struct person_reading *by_peer)
{
	for (unsigned n = p->said; n-- > 0;)
		if (p->promised[n])
			return by_peer->last > (int64_t)n;
	return true;
}

static const char *
ill_person(const struct person *p)
{
	struct client_status s;

	if (!person_runs(p))
		return "somebody is away";
	client_status(p->client, &s);
	if (!s.online || !s.verified || !s.caught_up)
		return "somebody has not caught up";
	return s.alarms != 0 ? "a client's alarm" : NULL;
}

const char *
town_ill(struct town *t)
{
	const char *ill = t->coming.charter != NULL ? "a charter is to be published" : NULL;

	for (size_t i = 0; i < t->f.node_count && ill == NULL; i++) {
		const struct fixture_node *n = &t->f.nodes[i];

		if (!t->retired[i] && !fixture_runs(n) && t->coming.fresh != n)
			ill = "a node is down";
		else if (n->mix != NULL && !t->retired[i])
			ill = ill_mix(n->mix);
		else if (n->gateway != NULL)
			ill = ill_gateway(n->gateway);
	}
	for (size_t i = 0; i < t->pair_count && ill == NULL; i++) {
		if (t->pairs[i].state != PAIR_TALKS)
			ill = "a pair has not met";
		for (size_t k = 0; k < 2 && ill == NULL; k++)
			ill = ill_person(&t->pairs[i].people[k]);
		for (size_t k = 0; k < 2 && ill == NULL; k++)
			if (!is_heard(&t->pairs[i].people[k], &t->pairs[i].readings[1 - k]))
				ill = "something is not shown yet";
	}
	return ill;
}

static void
tell_person(const struct town *t, const struct pair *p, size_t k, FILE *out)
{
	const struct person *who = &p->people[k];
	struct client_status s;

	(void)fprintf(out, "  person %zu.%zu, host %u: ", (size_t)(p - t->pairs), k,
	    world_host_number(who->host));
	if (!person_runs(who)) {
		(void)fprintf(out, "away\n");
		return;
	}
	client_status(who->client, &s);
	(void)fprintf(out, "said %u, heard %u, waiting %u, unacknowledged %u, online %d, verified %d, "
	    "caught up %d, alarms %x, clock %lld ms off\n", who->said, p->readings[k].heard, s.queued,
	    s.unacknowledged, s.online, s.verified, s.caught_up, s.alarms,
	    (long long)world_clock_offset_ms(who->host));
}

void
town_tell(struct town *t, FILE *out)
{
	for (size_t i = 0; i < t->f.node_count; i++) {
		const struct fixture_node *n = &t->f.nodes[i];
		const char *ill = NULL;

		if (n->mix != NULL)
			ill = ill_mix(n->mix);
		else if (n->gateway != NULL)
			ill = ill_gateway(n->gateway);
		(void)fprintf(out, "  node %u: %s, %s\n", n->charter->number,
		    t->retired[i] ? "retired" : fixture_runs(n) ? "runs" : "down",
		    ill != NULL ? ill : "nothing to say");
	}
	for (size_t i = 0; i < t->pair_count; i++)
		for (size_t k = 0; k < 2; k++)
			tell_person(t, &t->pairs[i], k, out);
}

bool
town_is_well(struct town *t)
{
	return town_ill(t) == NULL;
}

void
town_check_heard(struct town *t)
{
	for (size_t i = 0; i < t->pair_count; i++) {
		struct pair *p = &t->pairs[i];

		person_check_heard(&p->people[0], &p->people[1]);
		person_check_heard(&p->people[1], &p->people[0]);
	}
}

void
town_count(struct town *t)
{
	t->counts.said = t->counts.promised = t->counts.heard = t->counts.stops = 0;
	for (size_t i = 0; i < t->pair_count; i++)
		for (size_t k = 0; k < 2; k++) {
			const struct person *p = &t->pairs[i].people[k];

			t->counts.said += p->said;
			for (unsigned n = 0; n < p->said; n++)
				t->counts.promised += p->promised[n];
			t->counts.heard += t->pairs[i].readings[k].heard;
		}
	for (size_t i = 0; i < t->f.node_count; i++)
		t->counts.stops += t->stops_before[i] + t->stops_now[i];
}
