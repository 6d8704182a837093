/* The game: which of two people is the one behind a pseudonym. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "evaluation/attack/finding.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/pseudonym.h"
#include "evaluation/draws.h"

#define FLOWS 1000
#define LEAST_FLOWS 20 /* for a point of the curve */
#define DRAWN UINT64_C(0xe7037ed1a0b428db)
#define REACHED 0.5

struct game {
	const struct suspicion *means;
	const struct pseudonyms *pseudonyms;
	struct draws draws;
	double *own, *other; /* scores of one pseudonym */
	size_t wins[64], plays[64]; /* by step */
};

static uint32_t
draw_other(struct game *g, uint32_t sender)
{
	uint32_t other = draws_below(&g->draws, g->means->trace->persons - 1);

	return other + (other >= sender);
}

static void
play(struct game *g, const struct pseudonym *p)
{
	suspicion_scores(g->own, g->means, p, p->sender, p->count);
	suspicion_scores(g->other, g->means, p, draw_other(g, p->sender), p->count);
	for (size_t i = 0; pseudonym_step(i) <= p->count; i++) {
		size_t at = pseudonym_step(i) - 1;
		double more = g->own[at] - g->other[at];
		int coin = draws_unit(&g->draws) < 0.5; /* nothing tells them apart */

		g->plays[i]++;
		g->wins[i] += more > 0 || (!(more < 0) && coin);
	}
}

static void
say(struct attack_result *out, const struct attack_curve *c, double reached)
{
	const struct attack_point *last = c->count > 0 ? &c->points[c->count - 1] : NULL;
	char value[FINDING_VALUE_BYTES], against[FINDING_VALUE_BYTES];

	if (last == NULL) {
		finding_add(out, "Too few people wrote often enough to say anything.");
		return;
	}
	finding_add(out, "By %g messages the right one of two people is picked with an advantage of %s, "
	    "%s", last->x, finding_value(value, &last->y), finding_against(against, &last->y, 0));
	if (reached > 0)
		finding_add(out, "; it is above a half from %g message%s on", reached,
		    reached > 1 ? "s" : "");
	finding_add(out, ".");
}

static enum err
report(struct attack_result *out, const struct game *g)
{
	struct attack_curve *c = attack_add_curve(out, "messages that were seen of the person",
	    "advantage (2 x accuracy - 1)", "one of two senders");
	double reached = -1;
	enum err e = ERR_OK;
	struct attack_value v = { .known = false };

	attack_chance(c, 0);
	c->x_log = true;
	for (size_t i = 0; e == ERR_OK && g->plays[i] >= LEAST_FLOWS; i++) {
		v = attack_scaled(attack_share(g->wins[i], g->plays[i]), 2, -1);
		e = attack_add_point(c, (double)pseudonym_step(i), v);
		if (v.low > REACHED && reached < 0)
			reached = (double)pseudonym_step(i);
	}
	if (c->count > 0)
		attack_figure_chance(attack_add_figure(out, "advantage_at_the_most_messages",
		    "1", v), 0);
	if (reached > 0)
		(void)attack_add_figure(out, "messages_until_advantage_above_half", "messages",
		    (struct attack_value){ reached, reached, reached, true, false });
	else
		attack_add_missing(out, "messages_until_advantage_above_half", "messages",
		    "never reached in this run");
	say(out, c, reached);
	out->trials = g->pseudonyms->count;
	out->censored = reached > 0 ? 0 : g->pseudonyms->count;
	return e;
}

static enum err
play_all(struct attack_result *out, const struct suspicion *s, const struct pseudonyms *p,
    uint64_t seed)
{
	struct game g = { .means = s, .pseudonyms = p, .draws = { seed ^ DRAWN, 0 } };
	size_t most = 1;
	enum err e = ERR_MEMORY;

	for (size_t i = 0; i < p->count; i++)
		most = p->of[i].count > most ? p->of[i].count : most;
	g.own = calloc(most, sizeof(*g.own));
	g.other = calloc(most, sizeof(*g.other));
	if (g.own != NULL && g.other != NULL) {
		for (size_t i = 0; i < p->count; i++) {
			play(&g, &p->of[i]);
			out->cost.observed += p->of[i].count;
		}
		e = report(out, &g);
	}
	free(g.own);
	free(g.other);
	return e;
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	uint64_t seed = (uint64_t)in->scenario->seed;
	struct pseudonyms p = { .of = NULL };
	struct suspicion s;
	enum err e;

	if (in->scenario->people < 2)
		return diag_set(d, ERR_RANGE, "one of two needs two people");
	e = suspicion_new(&s, in, d);
	if (e != ERR_OK)
		return e;
	e = pseudonyms_new(&p, s.trace, 1, in->trials > 0 ? (size_t)in->trials : FLOWS, seed, d);
	if (e == ERR_OK)
		e = play_all(out, &s, &p, seed);
	out->cost.virtual_ms = s.trace->to_ms - s.trace->from_ms;
	out->cost.rounds = (uint64_t)(out->cost.virtual_ms / s.trace->round_ms);
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %zu pseudonyms among %u people "
	    "over %.3g days; packets need %.1f s on average.", p.count, s.trace->persons,
	    (double)out->cost.virtual_ms / 86400000.0, (double)s.delay.mean_ms / 1000);
	pseudonyms_release(&p);
	suspicion_release(&s);
	return e;
}

const struct attack_kind attack_two_senders = {
	.name = "two-senders",
	.summary = "Which of two people writes to a contact who is in league with the gateway",
	.adversary = "The gateway, which also reads every person's link (when packets go, not what "
		     "is in them), knows the network's delays, and has the help of a contact, who "
		     "says which records came from the one unknown person.",
	.measures = "how often it picks the right one of two people by the likelihood of all "
		    "records so far, as advantage over a coin; chance is 0",
	.run = run,
};
