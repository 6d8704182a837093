/* Intersection attack on a trace: who was online whenever a pseudonym's record came. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/finding.h"
#include "evaluation/attack/intersection.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/pseudonym.h"

#define FLOWS 300
#define LEAST_FLOWS 10
#define STEPS 32

struct shrinking {
	const struct suspicion *means;
	uint8_t *suspected, *there;
	double sum[STEPS], squares[STEPS]; /* of the suspects left */
	size_t n[STEPS], alone[STEPS], wrong[STEPS]; /* wrong: the sender is no suspect any more */
	double times, times_squares; /* until one is left */
	size_t found;
};

static void
shrink(struct shrinking *s, const struct pseudonym *p)
{
	uint32_t persons = s->means->trace->persons;
	size_t left = persons, step = 0, found = 0;

	memset(s->suspected, 1, persons);
	for (size_t i = 0; i < p->count && step < STEPS; i++) {
		for (uint32_t k = 0; k < persons; k++)
			s->there[k] = s->suspected[k] && suspicion_may_be(s->means, k, p->times[i]);
		left = intersection_step(s->suspected, s->there, persons);
		if (left == 1 && s->suspected[p->sender] && found == 0)
			found = i + 1;
		if (i + 1 != pseudonym_step(step))
			continue;
		s->sum[step] += (double)left;
		s->squares[step] += (double)left * (double)left;
		s->alone[step] += left == 1 && s->suspected[p->sender];
		s->wrong[step] += !s->suspected[p->sender];
		s->n[step++]++;
	}
	s->found += found > 0;
	s->times += (double)found;
	s->times_squares += (double)found * (double)found;
}

static void
say(struct attack_result *out, const struct attack_curve *left, const struct attack_curve *alone)
{
	char many[FINDING_VALUE_BYTES], share[FINDING_VALUE_BYTES];
	size_t last = left->count;

	if (last-- == 0) {
		finding_add(out, "Too few people wrote to one contact to say anything.");
		return;
	}
	finding_add(out, "After %g message%s %s of %g people may still be the sender; the share of "
	    "senders who were found, nobody else being left, is %s.", left->points[last].x,
	    left->points[last].x > 1 ? "s" : "", finding_value(many, &left->points[last].y),
	    left->chance, finding_value(share, &alone->points[last].y));
}

static enum err
report(struct attack_result *out, const struct shrinking *s, const struct pseudonyms *p)
{
	static const char x_label[] = "messages that were seen of the person";
	struct attack_curve *left = attack_add_curve(out, x_label, "people who may be the sender",
	    "suspects left, mean");
	struct attack_curve *alone = attack_add_curve(out, x_label, "share of senders",
	    "sender found: nobody else is left");
	size_t last = 0;
	enum err e = ERR_OK;

	left->x_log = alone->x_log = true;
	attack_chance(left, s->means->trace->persons);
	attack_chance(alone, 1.0 / s->means->trace->persons);
	for (size_t i = 0; i < STEPS && e == ERR_OK && s->n[i] >= LEAST_FLOWS; i++) {
		double x = (double)pseudonym_step(i);

		e = attack_add_point(left, x, attack_mean(s->sum[i], s->squares[i], s->n[i]));
		if (e == ERR_OK)
			e = attack_add_point(alone, x, attack_share(s->alone[i], s->n[i]));
		last = i;
	}
	attack_figure_chance(attack_add_figure(out, "suspects_left_at_the_most_messages", "people",
	    attack_mean(s->sum[last], s->squares[last], s->n[last])), s->means->trace->persons);
	(void)attack_add_figure(out, "sender_found", "share of pseudonyms",
	    attack_share(s->found, p->count));
	(void)attack_add_figure(out, "sender_lost", "share, at the most messages",
	    attack_share_exact(s->wrong[last], s->n[last]));
	if (s->found > 0)
		(void)attack_add_figure(out, "messages_until_found", "messages, of those found",
		    attack_mean(s->times, s->times_squares, s->found));
	else
		attack_add_missing(out, "messages_until_found", "messages, of those found",
		    "no sender was found in this run");
	say(out, left, alone);
	out->trials = p->count;
	out->censored = p->count - s->found;
	return e;
}

static enum err
shrink_all(struct attack_result *out, const struct suspicion *means, const struct pseudonyms *p)
{
	struct shrinking s = { .means = means,
		.suspected = calloc(means->trace->persons, 1),
		.there = calloc(means->trace->persons, 1) };
	enum err e = ERR_MEMORY;

	if (s.suspected != NULL && s.there != NULL) {
		for (size_t i = 0; i < p->count; i++) {
			shrink(&s, &p->of[i]);
			out->cost.observed += p->of[i].count;
		}
		e = report(out, &s, p);
	}
	free(s.suspected);
	free(s.there);
	return e;
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	struct pseudonyms p = { .of = NULL };
	struct suspicion s;
	enum err e = suspicion_new(&s, in, d);

	if (e != ERR_OK)
		return e;
	e = pseudonyms_new(&p, s.trace, 1, in->trials > 0 ? (size_t)in->trials : FLOWS,
	    (uint64_t)in->scenario->seed, d);
	if (e == ERR_OK)
		e = shrink_all(out, &s, &p);
	out->cost.virtual_ms = s.trace->to_ms - s.trace->from_ms;
	out->cost.rounds = (uint64_t)(out->cost.virtual_ms / s.trace->round_ms);
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %zu pseudonyms among %u people "
	    "over %.3g days; nearly every packet comes out within %.1f s.", p.count,
	    s.trace->persons, (double)out->cost.virtual_ms / 86400000.0,
	    (double)s.delay.p999_ms / 1000);
	pseudonyms_release(&p);
	suspicion_release(&s);
	return e;
}

const struct attack_kind attack_intersection = {
	.name = "intersection",
	.summary = "Who was online each time that a record of one unknown person came",
	.adversary = "The gateway, which also reads every person's link (when packets go, not what "
		     "is in them), knows the longest delay of the network, and has the help of a "
		     "contact, who says which records came from the one unknown person.",
	.measures = "how many people can have sent every record so far; without the attack it is "
		    "everybody. Somebody is struck off whose link carried nothing that could have "
		    "come out when a record did",
	.run = run,
};
