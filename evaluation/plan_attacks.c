#include "config.h"

#include <math.h>
#include <string.h>

#include "common/journal/notetest.h"
#include "evaluation/closed.h"
#include "evaluation/plan.h"

/* ---- n-1: emptying the first mix while everybody else's packets are held back ---- */

#define BLOCK_PAUSE_MS 30000 /* blocks are at most so far apart */

static double
pool_of(const struct params *p, unsigned layer, double *share)
{
	double arrivals = outlook_sessions(p) * (double)p->round_ms / (double)p->slot_ms;
	double pool = strategy_pool(&p->strategy[layer], arrivals, p->round_ms);

	*share = pool > 0 ? fmin(1, arrivals / pool) : 1;
	return fmax(pool, 1);
}

/*
 * How long the notes let it go on. All notes but one's own are lost; a mix stops after so
 * many, and hears of it with the next block. (docs/protocol.md, section 7, "How soon".)
 */
static double
noticed_ms(const struct params *p, double notes, double sessions)
{
	return (double)notetest_term_ms(p) +
	    notes * (double)p->slot_ms * p->note_one_in / sessions +
	    (double)params_scaled(p, BLOCK_PAUSE_MS) + (double)p->slot_ms;
}

static void
add_blending(struct plan *p)
{
	const struct params *c = &p->question.params;
	double share, pool = pool_of(c, 0, &share), round = (double)c->round_ms;
	double rounds = closed_blending_quantile(pool, share, 0.99);
	double notes = closed_notes_lost(notetest_mix.window, notetest_mix.least,
	    notetest_mix.most, 1);
	double mix = noticed_ms(c, notes, OUTLOOK_MIX_SESSIONS);
	double client = noticed_ms(c, closed_notes_lost(notetest_client.window,
	    notetest_client.least, notetest_client.most, 1), 1);
	double alone = fmax(0, fmin(mix, client) - rounds * round);

	plan_add(p, "attacks", "blending_rounds_mean", "n-1: rounds to empty the first mix", "rounds",
	    closed_blending_mean(pool, share));
	plan_add(p, "attacks", "blending_rounds_p99", "  99 of 100 times within", "rounds", rounds);
	plan_add(p, "attacks", "blending_packets", "  packets of its own that it takes", "packets",
	    rounds * pool * share);
	plan_add(p, "attacks", "noticed_by_mix", "  the mixes have stopped after", "ms", mix);
	plan_add(p, "attacks", "noticed_half", "  if half is held back, after", "ms", noticed_ms(c,
	    closed_notes_lost(notetest_mix.window, notetest_mix.least, notetest_mix.most, 0.5),
	    OUTLOOK_MIX_SESSIONS));
	plan_add(p, "attacks", "noticed_by_client", "  a client sends nothing real after", "ms",
	    client);
	plan_add(p, "attacks", "blending_alone", "  and so the victim is alone for", "ms", alone);
	plan_add(p, "attacks", "blending_messages", "  in which its messages number", "messages",
	    alone / 86400000 * p->question.messages_per_day);
}

/* ---- who is online when somebody writes ---- */

static void
add_intersection(struct plan *p)
{
	const struct plan_question *q = &p->question;
	static const char *const label = "intersection: messages until one is left";

	if (q->online >= 1)
		plan_add_missing(p, "attacks", "intersection_messages", label, "messages",
		    "everybody is always online, so nobody is ever ruled out; --online says "
		    "otherwise");
	else
		plan_add(p, "attacks", "intersection_messages", label, "messages",
		    closed_intersection(q->params.people, q->online));
}

#define DEVIATIONS 2 /* 97.7 % true positives, 2.3 % false ones */

/*
 * Statistical disclosure sees which mailboxes get something in the rounds after somebody
 * sent. Who sends in every slot shows no such rounds; who comes online to write does.
 */
static void
add_disclosure(struct plan *p)
{
	const struct plan_question *q = &p->question;
	static const char *const label = "statistical disclosure: messages to find a contact's mailbox";
	double n = q->params.mailboxes, b = outlook_deposits_per_round(&q->params, q->messages_per_day);
	double m = fmin(q->contacts, n - 1);

	if (n < 2)
		plan_add_missing(p, "attacks", "disclosure_messages", label, "messages",
		    "all records go to the one mailbox, which tells nothing");
	else if (q->online >= 1)
		plan_add_missing(p, "attacks", "disclosure_messages", label, "messages",
		    "who sends in every slot shows no rounds to begin with; --online says otherwise");
	else
		plan_add(p, "attacks", "disclosure_messages", label, "messages",
		    ceil(closed_disclosure(m, fmax(b, 1), n, DEVIATIONS)));
}

void
plan_add_attacks(struct plan *p)
{
	add_blending(p);
	add_intersection(p);
	add_disclosure(p);
}
