/* The n-1 attack: evaluation/attack/blending.h, as a row of the table. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/blending.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/trace.h"

#define TRIALS 200
#define TRIALS_OTHERS 25
#define PEOPLE_MOST 5000
#define CURVE_MS INT64_C(900000)
#define CURVE_STEP_MS 30000
#define EPOCH_STOPS 6
#define EPOCH_MS INT64_C(21600000)

/* One of each kind, for about the same load; the scenario's own stands before them. */
static const char *const strategies[] = {
	"threshold packets=200",
	"timed",
	"timed-pool min=100",
	"timed-dynamic-pool min=100 rate=0.6",
	"timed-dynamic-pool min=100 rate=0.6 rule=gmix",
	"threshold-or-timed packets=200",
	"threshold-and-timed packets=200",
	"threshold-pool packets=200 min=100",
	"binomial rate=0.8 mean=400 deviation=100",
	"stop-and-go mean=10900ms",
};
#define STRATEGIES (sizeof(strategies) / sizeof(strategies[0]))

struct sums {
	double sum, squares;
	size_t n;
};

/* What came of the trials against one strategy, by one of both ways. */
struct tried {
	int64_t *alone_ms, *stop_ms; /* of each trial */
	size_t n, censored;
	struct sums alone, stop, exposed; /* seconds; exposed: share of the epoch */
	size_t before;			  /* alone before the mixes stopped */
	uint64_t sent, held;
};

static void
add_sum(struct sums *s, double v)
{
	s->sum += v;
	s->squares += v * v;
	s->n++;
}

static struct attack_value
mean_of(const struct sums *s)
{
	return attack_mean(s->sum, s->squares, s->n);
}

static void
release(struct tried *t)
{
	free(t->alone_ms);
	free(t->stop_ms);
	memset(t, 0, sizeof(*t));
}

static enum err
make_room(struct tried *t, size_t trials)
{
	memset(t, 0, sizeof(*t));
	t->alone_ms = calloc(trials, sizeof(*t->alone_ms));
	t->stop_ms = calloc(trials, sizeof(*t->stop_ms));
	return t->alone_ms != NULL && t->stop_ms != NULL ? ERR_OK : ERR_MEMORY;
}

/* How long, in an epoch, the victim is alone while the mixes run: they stop so often in it. */
static double
exposed_share(int64_t alone_ms, int64_t stop_ms)
{
	int64_t each = stop_ms > alone_ms ? stop_ms - alone_ms : 0;

	if (stop_ms == INT64_MAX)
		return alone_ms < EPOCH_MS ? 1 - (double)alone_ms / (double)EPOCH_MS : 0;
	return fmin(EPOCH_STOPS * (double)each / (double)EPOCH_MS, 1);
}

static void
count(struct tried *t, const struct blending_trial *b, int64_t stop_ms)
{
	t->alone_ms[t->n] = b->alone ? b->alone_ms : INT64_MAX;
	t->stop_ms[t->n++] = stop_ms;
	t->censored += b->alone ? 0 : 1;
	if (b->alone)
		add_sum(&t->alone, (double)b->alone_ms / 1000);
	if (stop_ms != INT64_MAX)
		add_sum(&t->stop, (double)stop_ms / 1000);
	add_sum(&t->exposed, b->alone ? exposed_share(b->alone_ms, stop_ms) : 0);
	t->before += b->alone && b->alone_ms < stop_ms ? 1 : 0;
	t->sent += b->sent;
	t->held += b->held;
}

static unsigned
mixes_of(const struct params *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->layers; i++)
		n += p->mixes[i];
	return n;
}

static enum err
try_attack(struct tried *t, const struct scenario *s, const struct attack_delay *delay,
    uint32_t flood, size_t trials)
{
	enum err e = make_room(t, trials);
	struct params p;

	scenario_params(&p, s);
	for (size_t i = 0; i < trials && e == ERR_OK; i++) {
		uint64_t seed = (uint64_t)s->seed * UINT64_C(1000003) + i;
		struct blending_trial b;
		int64_t stop_ms;

		e = blending_network(&b, s, flood, seed);
		if (e == ERR_OK)
			e = blending_stop(&stop_ms, &p, delay, mixes_of(&p), 0, seed);
		if (e == ERR_OK)
			count(t, &b, stop_ms);
	}
	return e;
}

/* ---- the result ---- */

/* The share of attacks in which the victim is alone then, and the mixes run if they watch. */
static enum err
add_curve(struct attack_result *out, const struct tried *t, const char *name, bool watched)
{
	struct attack_curve *c = attack_add_curve(out, "seconds since all others are held back",
	    "share of attacks in which the victim is alone", name);
	enum err e = c != NULL ? ERR_OK : ERR_FULL;

	for (int64_t x = 0; x <= CURVE_MS && e == ERR_OK; x += CURVE_STEP_MS) {
		size_t k = 0;

		for (size_t i = 0; i < t->n; i++)
			k += t->alone_ms[i] <= x && (!watched || t->stop_ms[i] > x) ? 1 : 0;
		e = attack_add_point(c, (double)x / 1000, attack_share(k, t->n));
	}
	return e;
}

static void
add_figure(struct attack_result *out, const char *what, const char *of, const char *unit,
    struct attack_value v, const char *reason)
{
	char name[ATTACK_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "%s_%s", what, of);
	for (char *c = name; *c != '\0'; c++)
		*c = *c == '-' || *c == ' ' || *c == '=' || *c == '.' ? '_' : *c;
	if (v.known)
		(void)attack_add_figure(out, name, unit, v);
	else
		attack_add_missing(out, name, unit, reason);
}

static void
add_own(struct attack_result *out, const struct tried *t, const char *way)
{
	add_figure(out, "alone_after", way, "s", mean_of(&t->alone),
	    "in no trial was the victim ever alone");
	add_figure(out, "alone_before_the_stop", way, "share", attack_share(t->before, t->n), NULL);
	add_figure(out, "exposed_with_notes", way, "share of an epoch", mean_of(&t->exposed), NULL);
	add_figure(out, "packets_sent", way, "packets in each attack",
	    attack_exact((double)t->sent / (double)t->n), NULL);
}

/* Kind and rule, as they make a name. */
static void
short_name(char out[static STRATEGY_TEXT_BYTES], const char *strategy)
{
	size_t n = strcspn(strategy, " ");

	(void)snprintf(out, STRATEGY_TEXT_BYTES, "%.*s%s", (int)n, strategy,
	    strstr(strategy, "gmix") != NULL ? "-gmix" : "");
}

static enum err
add_strategy(struct attack_result *out, const struct scenario *own, const char *strategy,
    size_t trials, struct diag *d)
{
	struct scenario s = *own;
	char name[STRATEGY_TEXT_BYTES];
	struct attack_delay delay;
	enum err e;

	memset(s.of_layer, 0, sizeof(s.of_layer));
	(void)snprintf(s.strategy, sizeof(s.strategy), "%s", strategy);
	short_name(name, strategy);
	e = attack_delay_learn(&delay, &s, d);
	for (unsigned flood = 0; flood < 2 && e == ERR_OK; flood++) {
		struct tried t;

		e = try_attack(&t, &s, &delay, flood != 0 ? (uint32_t)s.people : 0, trials);
		if (e == ERR_OK)
			add_figure(out, flood != 0 ? "flood" : "trickle", name,
			    "s until the victim is alone", mean_of(&t.alone),
			    "nobody was alone within an hour");
		release(&t);
	}
	return e;
}

static void
add_words(struct attack_result *out, const struct scenario *s, size_t trials)
{
	(void)snprintf(out->adversary, sizeof(out->adversary), "Holds the gateway, and with it all that "
	    "goes into and comes out of the mixes. It holds back everybody's packets but one "
	    "session's, the victim's; in a flood it sends %" PRId64 " sessions' worth of its own. It "
	    "counts what comes out, and knows its own. It does not know which sessions are the mixes', "
	    "so that their notes are held back with the rest.", s->people);
	(void)snprintf(out->finding, sizeof(out->finding), "Once the last packet of others has left, each "
	    "deposit is the victim's for certain, until a mix misses its notes and stops; without "
	    "notes for ever. Stopped mixes start again up to %d times in an epoch of 6 h. %zu attacks "
	    "each way on the scenario's own strategy, %d on each of the others.",
	    EPOCH_STOPS, trials, TRIALS_OTHERS);
}

static enum err
attack_own(struct attack_result *out, const struct scenario *s, size_t trials, struct diag *d)
{
	struct tried trickle = { 0 }, flood = { 0 };
	struct attack_delay delay;
	enum err e = attack_delay_learn(&delay, s, d);

	if (e == ERR_OK)
		e = try_attack(&trickle, s, &delay, 0, trials);
	if (e == ERR_OK)
		e = try_attack(&flood, s, &delay, (uint32_t)s->people, trials);
	if (e == ERR_OK)
		e = add_curve(out, &trickle, "trickle, without notes", false);
	if (e == ERR_OK)
		e = add_curve(out, &trickle, "trickle, with notes", true);
	if (e == ERR_OK)
		e = add_curve(out, &flood, "flood, without notes", false);
	if (e == ERR_OK)
		e = add_curve(out, &flood, "flood, with notes", true);
	if (e == ERR_OK) {
		add_figure(out, "first", "mix_stops", "s", mean_of(&flood.stop), "no mix sends notes");
		add_own(out, &trickle, "trickle");
		add_own(out, &flood, "flood");
		out->cost.sent = flood.sent;
		out->cost.held = trickle.held + flood.held;
		out->cost.virtual_ms = (int64_t)((trickle.alone.sum + flood.alone.sum) * 1000);
		out->trials = trickle.n + flood.n;
		out->censored = trickle.censored + flood.censored;
	}
	release(&trickle);
	release(&flood);
	return e;
}

static enum err
run_blending(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	const struct scenario *s = in->scenario;
	size_t trials = in->trials > 0 ? (size_t)in->trials : TRIALS;
	enum err e;

	if (s->sending != SENDING_SLOTS)
		return diag_set(d, ERR_RANGE, "the attack 'blending' holds sessions back, which "
		    "'sending = slots' has alone");
	if (s->people < 2 || s->people > PEOPLE_MOST)
		return diag_set(d, ERR_RANGE, "the attack 'blending' is for 2 to %d people: set 'people'",
		    PEOPLE_MOST);
	e = attack_own(out, s, trials, d);
	for (size_t i = 0; i < STRATEGIES && e == ERR_OK; i++) {
		e = add_strategy(out, s, strategies[i], trials < TRIALS_OTHERS ? trials :
									 TRIALS_OTHERS, d);
		if (in->progress != NULL)
			in->progress(in->progress_arg, (double)(i + 1) / STRATEGIES);
	}
	if (e == ERR_OK)
		add_words(out, s, trials);
	return e;
}

const struct attack_kind attack_blending = {
	.name = "blending",
	.summary = "n-1: let one session through alone, by trickle and by flood",
	.adversary = "Holds the gateway: lets one session through and holds all others back, and floods "
		     "the mixes with its own packets or waits.",
	.measures = "When nobody else's packet is left in any mix, so that each deposit is the victim's; "
		    "with the mixes' notes also how long that lasts until they stop. By chance it is "
		    "never so.",
	.run = run_blending,
};
