#include "config.h"

#include "evaluation/attack/finding.h"
#include "evaluation/attack/flow.h"

#include <math.h>
#include <stdlib.h>

#include "evaluation/attack/kinds.h"
#include "evaluation/attack/pseudonym.h"
#include "evaluation/attack/roc.h"
#include "evaluation/draws.h"
#include "evaluation/metrics.h"

#define FLOWS 1000
#define LEAST_FLOWS 40 /* for a curve */
#define IMPOSTORS 50   /* of each pseudonym */
#define LENGTHS 3      /* curves of a plot, the longest that there are */
#define DRAWN UINT64_C(0x8ebc6af09c88c6e3)

double
flow_in_order(const double *in, const double *out, size_t n, unsigned layers)
{
	double sum = 0, scale = metrics_log_gamma(layers);

	for (size_t i = 0; i < n; i++) {
		double delay = out[i] - in[i];

		sum += delay > 0 ? (layers - 1) * log(delay) - delay - scale : FLOW_IMPOSSIBLE;
	}
	return sum;
}

/* ---- on a trace ---- */

/* Scores of pseudonyms of at least so many records, against their senders and others. */
struct match {
	const struct suspicion *means;
	const struct pseudonyms *pseudonyms;
	struct draws draws;
	double *scores, *right, *wrong;
	size_t rights, wrongs;
	size_t records; /* the most that were matched, and what is found of them */
	struct attack_value found;
};

static double
score(struct match *m, const struct pseudonym *p, uint32_t person, size_t n)
{
	suspicion_scores(m->scores, m->means, p, person, n);
	return m->scores[n - 1];
}

static void
score_all(struct match *m, size_t n)
{
	uint32_t persons = m->means->trace->persons;

	m->rights = m->wrongs = 0;
	for (size_t i = 0; i < m->pseudonyms->count; i++) {
		const struct pseudonym *p = &m->pseudonyms->of[i];

		if (p->count < n)
			continue;
		m->right[m->rights++] = score(m, p, p->sender, n);
		for (unsigned k = 0; k < IMPOSTORS; k++) {
			uint32_t other = draws_below(&m->draws, persons - 1);

			m->wrong[m->wrongs++] = score(m, p, other + (other >= p->sender), n);
		}
	}
}

static enum err
add_curve(struct attack_result *out, const struct roc *r, size_t n)
{
	static const double shares[] = { .001, .002, .005, .01, .02, .05, .1, .2, .5 };
	char name[ATTACK_NAME_BYTES];
	struct attack_curve *c;
	enum err e = ERR_OK;

	(void)snprintf(name, sizeof(name), "%zu records", n);
	c = attack_add_curve(out, "false positives", "true positives", name);
	c->x_log = true;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]) && e == ERR_OK; i++)
		e = attack_add_point(c, shares[i], attack_share(roc_taken(r, shares[i]), r->rights));
	return e;
}

static void
add_figure(struct attack_result *out, const char *what, size_t n, struct attack_value v,
    double chance)
{
	char name[ATTACK_NAME_BYTES];
	struct attack_figure *f;

	(void)snprintf(name, sizeof(name), "%s_%zu_records", what, n);
	f = attack_add_figure(out, name, "share", v);
	if (f != NULL)
		attack_figure_chance(f, chance);
}

/* As if the share were counted among the pseudonyms, which are fewer than the impostors. */
static struct attack_value
share_of(double share, size_t n)
{
	struct attack_value v = attack_share((size_t)(share * (double)n + 0.5), n);

	v.value = share;
	return v;
}

static enum err
match_length(struct attack_result *out, struct match *m, size_t n)
{
	struct roc r;
	enum err e;

	score_all(m, n);
	e = roc_new(&r, m->right, m->rights, m->wrong, m->wrongs);
	if (e != ERR_OK)
		return e;
	add_figure(out, "area_under_curve", n, share_of(roc_area(&r), r.rights), 0.5);
	add_figure(out, "equal_error", n, share_of(roc_equal_error(&r), r.rights), 0.5);
	add_figure(out, "true_positives_at_1e-2", n,
	    attack_share(roc_taken(&r, 1e-2), r.rights), 1e-2);
	m->records = n;
	m->found = attack_share(roc_taken(&r, 1e-2), r.rights);
	add_figure(out, "true_positives_at_1e-3", n,
	    attack_share(roc_taken(&r, 1e-3), r.rights), 1e-3);
	e = add_curve(out, &r, n);
	out->cost.observed += r.rights * n;
	roc_release(&r);
	return e;
}

static void
say(struct attack_result *out, const struct match *m)
{
	char value[FINDING_VALUE_BYTES], against[FINDING_VALUE_BYTES];

	if (m->records == 0)
		finding_add(out, "Too few people wrote to one contact to say anything.");
	else
		finding_add(out, "By %zu records, of the right pairs of a person and a pseudonym a share of "
		    "%s is found if one in 100 of the wrong pairs is taken, %s.", m->records,
		    finding_value(value, &m->found), finding_against(against, &m->found, 1e-2));
}

static enum err
match_all(struct attack_result *out, struct match *m)
{
	size_t steps = 0, pairs = m->pseudonyms->count * (IMPOSTORS + 1);
	enum err e = ERR_MEMORY;

	while (pseudonyms_with(m->pseudonyms, pseudonym_step(steps)) >= LEAST_FLOWS)
		steps++;
	m->scores = calloc(pseudonym_step(steps), sizeof(*m->scores));
	m->right = calloc(pairs, sizeof(*m->right));
	m->wrong = calloc(pairs, sizeof(*m->wrong));
	if (m->scores != NULL && m->right != NULL && m->wrong != NULL)
		e = ERR_OK;
	for (size_t i = steps > LENGTHS ? steps - LENGTHS : 0; i < steps && e == ERR_OK; i++)
		e = match_length(out, m, pseudonym_step(i));
	if (e == ERR_OK)
		say(out, m);
	free(m->scores);
	free(m->right);
	free(m->wrong);
	return e;
}

static enum err
match_trace(struct attack_result *out, const struct attack_input *in, const struct suspicion *s,
    struct diag *d)
{
	uint64_t seed = (uint64_t)in->scenario->seed;
	struct match m = { .means = s, .draws = { seed ^ DRAWN, 0 } };
	struct pseudonyms p = { .of = NULL };
	enum err e = pseudonyms_new(&p, s->trace, 1,
	    in->trials > 0 ? (size_t)in->trials : FLOWS, seed, d);

	m.pseudonyms = &p;
	if (e == ERR_OK && p.count < LEAST_FLOWS)
		e = diag_set(d, ERR_RANGE, "there are %zu pairs of sender and contact, and a curve "
		    "needs %d; make the duration longer, or let more people write", p.count,
		    LEAST_FLOWS);
	if (e == ERR_OK)
		e = match_all(out, &m);
	out->trials = p.count;
	pseudonyms_release(&p);
	return e;
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	struct suspicion s;
	enum err e;

	if (in->scenario->people < 2)
		return diag_set(d, ERR_RANGE, "matching needs two people");
	e = suspicion_new(&s, in, d);
	if (e != ERR_OK)
		return e;
	e = match_trace(out, in, &s, d);
	out->cost.virtual_ms = s.trace->to_ms - s.trace->from_ms;
	out->cost.rounds = (uint64_t)(out->cost.virtual_ms / s.trace->round_ms);
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %u people over %.3g days, each "
	    "pseudonym against its sender and %d others; packets need %.1f s on average.",
	    s.trace->persons, (double)out->cost.virtual_ms / 86400000.0, IMPOSTORS,
	    (double)s.delay.mean_ms / 1000);
	suspicion_release(&s);
	return e;
}

const struct attack_kind attack_flow = {
	.name = "flow-matching",
	.summary = "Whether the records of one unknown person match the packets of a given one",
	.adversary = "The gateway, which also reads every person's link (when packets go, not what "
		     "is in them), knows the network's delays, and has the help of a contact, who "
		     "says which records came from the one unknown person.",
	.measures = "true positives against false positives of the likelihood ratio that a person's "
		    "packets became the records (Danezis 2004); by chance both are equal. Intervals "
		    "are over pseudonyms, the threshold being given",
	.run = run,
};
