/* Compromised mixes: what is left of the anonymity when more and more of them are the adversary's. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/finding.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/closed.h"
#include "evaluation/draws.h"
#include "evaluation/run.h"

#define STEPS_MOST 12
#define TARGETS_MOST 512
#define LONGEST_MS INT64_C(3600000) /* of a run: entropies are not over time */
#define DRAWN UINT64_C(0xeb44accab455d165)

struct mix {
	uint32_t layer, index;
};

/* All mixes in the order in which they fall, and what came of each number of them. */
struct falling {
	struct scenario scenario;
	struct params params;
	struct mix order[SIMULATION_NODES_MAX];
	size_t nodes;
	struct attack_curve *entropy, *guess, *traced, *exact;
};

static void
draw_order(struct falling *f, uint64_t seed)
{
	struct draws d = { seed ^ DRAWN, 0 };

	for (unsigned l = 0; l < f->params.layers; l++)
		for (uint32_t i = 0; i < f->params.mixes[l]; i++)
			f->order[f->nodes++] = (struct mix){ l, i };
	for (size_t i = f->nodes; i > 1; i--) {
		size_t k = draws_below(&d, (uint32_t)i);
		struct mix one = f->order[i - 1];

		f->order[i - 1] = f->order[k];
		f->order[k] = one;
	}
}

/* ERR_RANGE: there are too many to be named. */
static enum err
name_corrupt(struct scenario *s, const struct falling *f, size_t count)
{
	size_t used = 0;

	s->corrupt[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(s->corrupt + used, sizeof(s->corrupt) - used, "%s%" PRIu32 ".%" PRIu32,
		    i > 0 ? " " : "", f->order[i].layer, f->order[i].index);

		if (n < 0 || (size_t)n >= sizeof(s->corrupt) - used)
			return ERR_RANGE;
		used += (size_t)n;
	}
	return ERR_OK;
}

/* Paths draw the mix of each layer alike. */
static double
exact_share(const struct falling *f, size_t count)
{
	uint32_t corrupt[PARAMS_LAYERS_MAX] = { 0 };
	double share = 1;

	for (size_t i = 0; i < count; i++)
		corrupt[f->order[i].layer]++;
	for (unsigned l = 0; l < f->params.layers; l++)
		share *= (double)corrupt[l] / f->params.mixes[l];
	return share;
}

static enum err
add_points(struct falling *f, const struct run *r, size_t count)
{
	size_t n, traced = 0;
	const struct run_target *t = run_targets(r, &n);
	double h = 0, hh = 0, p = 0, pp = 0;
	enum err e;

	for (size_t i = 0; i < n; i++) {
		h += t[i].score.user.entropy;
		hh += t[i].score.user.entropy * t[i].score.user.entropy;
		p += t[i].score.user.truth;
		pp += t[i].score.user.truth * t[i].score.user.truth;
		traced += t[i].traced;
	}
	e = attack_add_point(f->entropy, (double)count, attack_mean(h, hh, n));
	if (e == ERR_OK)
		e = attack_add_point(f->guess, (double)count, attack_mean(p, pp, n));
	if (e == ERR_OK)
		e = attack_add_point(f->traced, (double)count, attack_share_exact(traced, n));
	if (e == ERR_OK)
		e = attack_add_point(f->exact, (double)count, attack_exact(exact_share(f, count)));
	return e;
}

static enum err
fall(struct falling *f, size_t count, struct diag *d)
{
	struct scenario s = f->scenario;
	struct run *r = NULL;
	enum err e = name_corrupt(&s, f, count);

	if (e == ERR_RANGE)
		return diag_set(d, e, "a scenario cannot name %zu corrupt mixes; use fewer mixes", count);
	e = run_scenario(&r, &s, NULL, d);
	if (e == ERR_OK && run_reason(r) != NULL)
		e = diag_set(d, ERR_RANGE, "%s", run_reason(r));
	if (e == ERR_OK)
		e = add_points(f, r, count);
	run_free(r);
	return e;
}

/* The same question for everybody, short, and about packets of people. */
static void
ask(struct falling *f, const struct scenario *s)
{
	struct scenario *own = &f->scenario;

	*own = *s;
	own->adversary = ADVERSARY_GLOBAL;
	own->corrupt_per_layer = 0;
	own->level = LEVEL_USER;
	own->rule = TARGETS_ANY;
	own->cover = COVER_FOLLOWED;
	if (own->duration_ms > LONGEST_MS && own->churn == CHURN_NONE &&
	    own->workload == TRAFFIC_POISSON)
		own->duration_ms = LONGEST_MS;
	if (own->targets > TARGETS_MOST || own->targets == 0)
		own->targets = TARGETS_MOST;
	scenario_params(&f->params, own);
}

static void
add_curves(struct falling *f, struct attack_result *out)
{
	static const char x_label[] = "corrupt mixes";

	f->entropy = attack_add_curve(out, x_label, "entropy over people, bit", "entropy");
	attack_chance(f->entropy, log2((double)f->scenario.people));
	f->guess = attack_add_curve(out, x_label, "probability of the right person",
	    "right at one guess drawn from the posterior");
	attack_chance(f->guess, 1.0 / (double)f->scenario.people);
	f->traced = attack_add_curve(out, x_label, "share of packets whose mixes are all corrupt",
	    "observed");
	f->exact = attack_add_curve(out, x_label, "share of packets whose mixes are all corrupt",
	    "product over layers");
}

static void
say(const struct falling *f, struct attack_result *out, size_t last)
{
	const struct attack_point *all = &f->guess->points[f->guess->count - 1];
	char value[FINDING_VALUE_BYTES];

	finding_add(out, "With %g of %zu mixes corrupt, while every path still has an honest one, the "
	    "entropy of who sent a packet is %s of %.4g bits; ", f->entropy->points[last].x, f->nodes,
	    finding_value(value, &f->entropy->points[last].y), f->entropy->chance);
	finding_add(out, "with %g of them a guess is right with probability %s.", all->x,
	    finding_value(value, &all->y));
}

/* All but one of a layer, of all layers: what one honest mix is worth. */
static void
add_figures(const struct falling *f, struct attack_result *out)
{
	const struct attack_curve *h = f->entropy, *x = f->exact;
	size_t last = 0;

	for (size_t i = 0; i < h->count; i++)
		if (x->points[i].y.value <= 0)
			last = i;
	attack_figure_chance(attack_add_figure(out, "entropy_without_corrupt_mixes", "bit",
	    h->points[0].y), h->chance);
	attack_figure_chance(attack_add_figure(out, "entropy_while_no_path_is_corrupt", "bit",
	    h->points[last].y), h->chance);
	(void)attack_add_figure(out, "corrupt_mixes_while_no_path_is_corrupt", "mixes",
	    attack_exact(h->points[last].x));
	say(f, out, last);
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	struct falling *f = calloc(1, sizeof(*f));
	size_t step;
	enum err e = ERR_OK;

	if (f == NULL)
		return ERR_MEMORY;
	ask(f, in->scenario);
	draw_order(f, (uint64_t)in->scenario->seed);
	add_curves(f, out);
	step = (f->nodes + STEPS_MOST - 1) / STEPS_MOST;
	for (size_t count = 0; count <= f->nodes && e == ERR_OK; count += step) {
		e = fall(f, count, d);
		out->trials++;
		if (in->progress != NULL)
			in->progress(in->progress_arg, (double)count / (double)f->nodes);
	}
	if (e == ERR_OK)
		add_figures(f, out);
	out->cost.virtual_ms = f->scenario.duration_ms;
	out->cost.rounds = (uint64_t)(f->scenario.duration_ms / f->scenario.round_ms);
	out->cost.observed = out->trials * (uint64_t)f->scenario.targets;
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %zu mixes in %u layers fall one "
	    "after the other in an order that is drawn; %lld people, %lld packets looked at for "
	    "each number.", f->nodes, f->params.layers, (long long)f->scenario.people,
	    (long long)f->scenario.targets);
	free(f);
	return e;
}

const struct attack_kind attack_corrupt = {
	.name = "corrupt-mixes",
	.summary = "More and more mixes tell the adversary which packet is which",
	.adversary = "Every link, and some of the mixes, which tell which packet is which.",
	.measures = "entropy over people, the posterior probability of the right person, and the share "
		    "of packets that meet no honest mix, by the number of corrupt mixes. A run's "
		    "directory gives its scenario alone: runs of their own are simulated",
	.run = run,
};
