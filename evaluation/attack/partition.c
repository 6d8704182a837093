/*
 * Partitioning: near a change of epoch keys everybody sees by which key a packet goes, so
 * that packets of the two epochs hide among their own alone; and after a stop and a common
 * start all pools are empty. Entropy over people by the time since then, for an adversary who
 * sees every link.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/strategy.h"
#include "evaluation/attack/finding.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/draws.h"
#include "evaluation/metrics.h"
#include "evaluation/simulation.h"
#include "evaluation/traffic.h"
#include "evaluation/view.h"

#define TRIALS 6
#define CLASSES 2 /* epochs: packets of two at most are on their way */
#define BINS 10
#define EACH 4 /* targets of a bin and epoch, in a trial */
#define MESSAGES 24 /* targets with a message, in a trial */
#define DRAWN UINT64_C(0x1d8e4e27c47d124f)

enum question { KEYS_SEEN, KEYS_ALIKE, RESTART };

struct exited {
	uint32_t exit, person;
	int64_t at_ms;
	uint8_t epoch; /* 0: before the change */
	uint8_t kind;
};

/* A network at a change, and what somebody who sees every link makes of it. */
struct scene {
	const struct scenario *scenario;
	enum question question;
	struct simulation *simulation;
	struct simulation_observer observer;
	struct view *view;
	uint32_t *held; /* nodes * CLASSES */
	int64_t change_ms;
	struct exited *exits;
	size_t count, room;
};

/* ---- watching ---- */

static unsigned
class_of(const struct scene *s, const struct token *t)
{
	return s->question == KEYS_SEEN && t->sent_ms >= s->change_ms;
}

static void
fail(struct scene *s, enum err e)
{
	if (e != ERR_OK)
		simulation_fail(s->simulation, e);
}

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct scene *s = arg;
	struct token *t = simulation_token(s->simulation, handle);

	(void)at_ms;
	t->origin = VIEW_PERSONS + t->person;
}

static void
on_arrived(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held)
{
	struct scene *s = arg;
	const struct token *t = simulation_token(s->simulation, handle);
	uint32_t place = node * CLASSES + class_of(s, t);

	(void)at_ms;
	(void)held;
	fail(s, view_arrived(s->view, place, t->origin, ++s->held[place]));
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct scene *s = arg;
	uint32_t leaving[CLASSES] = { 0 };
	view_origin batch[CLASSES] = { 0 };

	(void)at_ms;
	(void)held;
	for (size_t i = 0; i < n; i++)
		leaving[class_of(s, simulation_token(s->simulation, handles[i]))]++;
	for (unsigned c = 0; c < CLASSES; c++) {
		uint32_t place = node * CLASSES + c;

		if (leaving[c] == 0)
			continue;
		fail(s, view_left(s->view, &batch[c], place, leaving[c], s->held[place]));
		s->held[place] -= leaving[c];
	}
	for (size_t i = 0; i < n; i++) {
		struct token *t = simulation_token(s->simulation, handles[i]);

		t->origin = batch[class_of(s, t)];
	}
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct scene *s = arg;
	const struct token *t = simulation_token(s->simulation, handle);
	uint32_t exit = 0;

	fail(s, view_exited(s->view, &exit, t->origin));
	if (s->count == s->room) {
		size_t room = s->room > 0 ? 2 * s->room : 4096;
		struct exited *exits = realloc(s->exits, room * sizeof(*exits));

		if (exits == NULL) {
			fail(s, ERR_MEMORY);
			return;
		}
		s->exits = exits;
		s->room = room;
	}
	s->exits[s->count++] = (struct exited){ exit, t->person, at_ms,
		t->sent_ms >= s->change_ms, t->kind };
}

/* ---- one scene ---- */

/* Where bins end, as shares of the span. */
static const double ends[BINS] = { 1 / 32.0, 1 / 16.0, 3 / 32.0, 1 / 8.0, 3 / 16.0, 1 / 4.0,
	3 / 8.0, 1 / 2.0, 3 / 4.0, 1 };

/* Within it 99.9 % of packets leave the network. */
static int64_t
span_of(const struct scenario *s)
{
	struct params p;
	int64_t sum;

	scenario_params(&p, s);
	sum = s->link_ms * (p.layers + 1);
	for (unsigned i = 0; i < p.layers; i++) {
		double arrivals = scenario_rate(s) * (double)p.round_ms / p.mixes[i];

		sum += strategy_delay_ms(&p.strategy[i], arrivals > 1e-6 ? arrivals : 1e-6,
		    p.round_ms);
	}
	return sum;
}

static enum err
make_simulation(struct scene *s, struct traffic *traffic, int64_t start_ms, uint64_t seed)
{
	const struct scenario *sc = s->scenario;
	struct simulation_config cfg = { .persons = (uint32_t)sc->people,
		.law = sc->sending,
		.start_ms = start_ms,
		.link_ms = sc->link_ms,
		.epochs = s->question != RESTART && sc->epoch_ms > 0,
		.seed = seed,
		.observers = &s->observer,
		.observer_count = 1 };

	s->observer = (struct simulation_observer){ .sent = on_sent, .arrived = on_arrived,
		.left = on_left, .exited = on_exited, .arg = s };
	scenario_params(&cfg.params, sc);
	traffic_source(traffic, &cfg.traffic);
	return simulation_new(&s->simulation, &cfg);
}

/* From long before the change, or from a start with empty pools. */
static enum err
play(struct scene *s, int64_t span_ms, uint64_t seed, struct diag *d)
{
	int64_t start_ms = s->question == RESTART ? s->change_ms : s->change_ms - 2 * span_ms;
	size_t nodes = scenario_nodes(s->scenario);
	struct traffic *traffic = NULL;
	struct traffic_config cfg;
	enum err e;

	scenario_traffic(&cfg, s->scenario);
	cfg.seed = seed;
	cfg.start_ms = start_ms;
	cfg.ends_ms = s->change_ms + span_ms;
	cfg.workload = cfg.workload == TRAFFIC_RECORDED ? TRAFFIC_POISSON : cfg.workload;
	s->held = calloc(nodes * CLASSES, sizeof(s->held[0]));
	if (s->held == NULL)
		return ERR_MEMORY;
	e = view_new(&s->view, nodes * CLASSES, (size_t)s->scenario->people);
	if (e == ERR_OK)
		e = traffic_new(&traffic, &cfg, d);
	if (e == ERR_OK)
		e = make_simulation(s, traffic, start_ms, seed);
	if (e == ERR_OK)
		e = simulation_run(s->simulation, s->change_ms + span_ms);
	simulation_free(s->simulation);
	traffic_free(traffic);
	return e;
}

static void
release(struct scene *s)
{
	view_free(s->view);
	free(s->held);
	free(s->exits);
}

/* ---- what comes of it ---- */

struct moments {
	double sum, squares;
	size_t n;
};

struct outcome {
	struct moments bins[CLASSES][BINS]; /* by the packet's epoch */
	struct moments messages;
	size_t message_count; /* that left within the span, in all trials */
	uint64_t observed;    /* packets that left the network */
};

/* Targets of a pass: their exits, and where their entropy counts. */
struct pass {
	uint32_t exits[VIEW_TARGETS];
	struct moments *of[VIEW_TARGETS];
	size_t n;
};

static void
count(struct moments *m, double v)
{
	m->sum += v;
	m->squares += v * v;
	m->n++;
}

static enum err
look(struct pass *p, const struct scene *s)
{
	size_t persons = (size_t)s->scenario->people;
	double lost[VIEW_TARGETS], entropy;
	double *weights = p->n > 0 ? calloc(p->n * persons, sizeof(*weights)) : NULL;
	enum err e = p->n == 0 ? ERR_OK : weights == NULL ? ERR_MEMORY :
	    view_senders(s->view, weights, lost, p->exits, p->n);

	for (size_t i = 0; i < p->n && e == ERR_OK; i++) {
		e = metrics_shannon(&entropy, weights + i * persons, persons);
		if (e == ERR_OK)
			count(p->of[i], entropy);
	}
	free(weights);
	p->n = 0;
	return e;
}

static enum err
add_target(struct pass *p, const struct scene *s, const struct exited *x, struct moments *of)
{
	p->exits[p->n] = x->exit;
	p->of[p->n++] = of;
	return p->n == VIEW_TARGETS ? look(p, s) : ERR_OK;
}

static unsigned
bin_of(const struct exited *x, const struct scene *s, int64_t span_ms)
{
	double share = (double)(x->at_ms - s->change_ms) / (double)span_ms;
	unsigned bin = 0;

	while (bin < BINS - 1 && share >= ends[bin])
		bin++;
	return bin;
}

/* So many of each bin and epoch, those that come first in an order that is drawn. */
static enum err
score(struct outcome *o, struct scene *s, int64_t span_ms, uint64_t seed)
{
	size_t taken[CLASSES][BINS] = { { 0 } }, messages = 0;
	struct draws d = { seed ^ DRAWN, 0 };
	struct pass p = { .n = 0 };
	enum err e = ERR_OK;

	o->observed += s->count;
	for (size_t i = s->count; i > 0 && e == ERR_OK; i--) {
		size_t k = draws_below(&d, (uint32_t)i);
		struct exited x = s->exits[k];
		unsigned bin;

		s->exits[k] = s->exits[i - 1];
		if (x.at_ms < s->change_ms)
			continue;
		bin = bin_of(&x, s, span_ms);
		if (taken[x.epoch][bin]++ < EACH)
			e = add_target(&p, s, &x, &o->bins[x.epoch][bin]);
		if (x.kind != TOKEN_REAL)
			continue;
		o->message_count++;
		if (e == ERR_OK && messages++ < MESSAGES)
			e = add_target(&p, s, &x, &o->messages);
	}
	return e == ERR_OK ? look(&p, s) : e;
}

static enum err
try_once(struct outcome *o, const struct scenario *sc, enum question q, uint64_t trial,
    struct diag *d)
{
	int64_t span_ms = span_of(sc), begin = scenario_begins_ms(sc) + 2 * span_ms;
	uint64_t seed = (uint64_t)sc->seed * UINT64_C(1000003) + trial;
	struct scene s = { .scenario = sc, .question = q };
	enum err e;

	s.change_ms = begin + (int64_t)trial * INT64_C(600000);
	if (sc->epoch_ms > 0)
		s.change_ms = (begin / sc->epoch_ms + 1 + (int64_t)trial) * sc->epoch_ms;
	e = play(&s, span_ms, seed, d);
	if (e == ERR_OK)
		e = score(o, &s, span_ms, seed);
	release(&s);
	return e;
}

/* ---- the attack ---- */

static enum err
add_curve(struct attack_result *out, const struct outcome *o, unsigned epoch, double span_s,
    double best, const char *name)
{
	struct attack_curve *c = attack_add_curve(out, "seconds since the change",
	    "entropy over people, bit", name);
	double before = 0;
	enum err e = ERR_OK;

	attack_chance(c, best);
	for (unsigned i = 0; i < BINS && e == ERR_OK; i++) {
		const struct moments *m = &o->bins[epoch][i];
		double middle = (before + ends[i]) / 2 * span_s;

		before = ends[i];
		if (m->n > 0)
			e = attack_add_point(c, middle, attack_mean(m->sum, m->squares, m->n));
	}
	return e;
}

static void
add_least(struct attack_result *out, const char *name, const struct attack_curve *c, double best)
{
	const struct attack_point *least = NULL;

	for (size_t i = 0; i < c->count; i++)
		if (least == NULL || c->points[i].y.value < least->y.value)
			least = &c->points[i];
	if (least != NULL)
		attack_figure_chance(attack_add_figure(out, name, "bit", least->y), best);
	else
		attack_add_missing(out, name, "bit", "no packet left within the span");
}

static void
say(struct attack_result *out, double best)
{
	const struct attack_figure *keys = finding_figure(out, "least_entropy_under_new_keys");
	const struct attack_figure *restart = finding_figure(out, "least_entropy_after_a_restart");
	char value[FINDING_VALUE_BYTES];

	if (keys != NULL && keys->v.known)
		finding_add(out, "Near a change of keys the entropy of who sent a packet under the new ones "
		    "is at least %s of %.4g bits.", finding_value(value, &keys->v), best);
	if (restart != NULL && restart->v.known)
		finding_add(out, "%sAfter all mixes started empty the entropy is at least %s of %.4g bits.",
		    out->finding[0] != '\0' ? " " : "", finding_value(value, &restart->v), best);
	if (out->finding[0] == '\0')
		finding_add(out, "No packet left the network in the spans that were looked at.");
}

static enum err
report(struct attack_result *out, const struct outcome *o, const struct scenario *sc)
{
	double best = log2((double)sc->people), span_s = (double)span_of(sc) / 1000;
	enum err e = ERR_OK;

	if (sc->epoch_ms > 0) {
		e = add_curve(out, &o[KEYS_SEEN], 1, span_s, best, "keys seen: packets under the new");
		if (e == ERR_OK)
			e = add_curve(out, &o[KEYS_SEEN], 0, span_s, best, "keys seen: under the old");
		if (e == ERR_OK)
			e = add_curve(out, &o[KEYS_ALIKE], 1, span_s, best, "keys not seen: the new");
		if (e != ERR_OK)
			return e;
		add_least(out, "least_entropy_under_new_keys", &out->curves[0], best);
		add_least(out, "least_entropy_under_old_keys", &out->curves[1], best);
		add_least(out, "least_entropy_if_keys_were_not_seen", &out->curves[2], best);
		(void)attack_add_figure(out, "messages_within_the_span", "messages, of all trials",
		    attack_exact((double)o[KEYS_SEEN].message_count));
		attack_figure_chance(attack_add_figure(out, "entropy_of_messages_within_the_span",
		    "bit", attack_mean(o[KEYS_SEEN].messages.sum, o[KEYS_SEEN].messages.squares,
		    o[KEYS_SEEN].messages.n)), best);
	} else {
		attack_add_missing(out, "least_entropy_under_new_keys", "bit",
		    "the scenario has no epochs");
	}
	e = add_curve(out, &o[RESTART], 1, span_s, best, "after a common restart");
	if (e == ERR_OK)
		add_least(out, "least_entropy_after_a_restart", &out->curves[out->curve_count - 1], best);
	say(out, best);
	return e;
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	const struct scenario *sc = in->scenario;
	uint64_t trials = in->trials > 0 ? (uint64_t)in->trials : TRIALS;
	struct outcome o[3];
	enum err e = ERR_OK;

	memset(o, 0, sizeof(o));
	for (int q = KEYS_SEEN; q <= RESTART; q++)
		for (uint64_t i = 0; i < trials && e == ERR_OK; i++) {
			if (q == RESTART || sc->epoch_ms > 0)
				e = try_once(&o[q], sc, (enum question)q, i, d);
			if (in->progress != NULL)
				in->progress(in->progress_arg, ((double)q + (double)i / (double)trials) / 3);
		}
	if (e == ERR_OK)
		e = report(out, o, sc);
	out->trials = trials;
	out->cost.virtual_ms = span_of(sc);
	out->cost.rounds = (uint64_t)(span_of(sc) / sc->round_ms);
	for (int q = KEYS_SEEN; q <= RESTART; q++)
		out->cost.observed += o[q].observed;
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %lld people, changes of keys and "
	    "restarts, %llu of each; 99.9 %% of packets pass the network within %.0f s.",
	    (long long)sc->people, (unsigned long long)trials, (double)span_of(sc) / 1000);
	return e;
}

const struct attack_kind attack_partition = {
	.name = "partition",
	.summary = "Packets told apart by the epoch of their key, and pools that have just started",
	.adversary = "Everything on every link: it sees by which epoch's key each packet goes, and "
		     "how many each mix takes and sends. No mix is corrupt.",
	.measures = "entropy over people of packets that leave near a change of keys, or soon after "
		    "all mixes started empty; without the attack it is nearly log2 of the people "
		    "who are online. A run's directory gives its scenario alone: scenes of its own "
		    "are simulated",
	.run = run,
};
