#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evaluation/plan.h"

/* ---- what may be tried ---- */

static const int64_t slots_ms[] = { 1000, 2000, 3000, 5000, 10000, 15000, 20000, 30000, 60000 };
static const int64_t rounds_ms[] = { 2000, 5000, 10000, 20000, 30000 };
static const uint32_t mailbox_counts[] = { 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 100, 200, 400 };
static const uint8_t layer_counts[] = { 2, 3, 4, 5 };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One place more in each list: what was asked about. */
struct place {
	size_t slot, round, mailboxes, layers;
};

static void
set_layers(struct params *p, uint8_t layers)
{
	for (size_t l = p->layers; l < layers; l++) {
		p->strategy[l] = p->strategy[0];
		p->mixes[l] = p->mixes[0];
	}
	p->layers = layers;
}

/* False if it is the question's own value once more. */
static bool
candidate(struct params *out, const struct plan_question *q, const struct place *at)
{
	const struct params *p = &q->params;
	bool again = false;

	*out = *p;
	if (at->slot > 0) {
		out->slot_ms = slots_ms[at->slot - 1];
		again = again || out->slot_ms == p->slot_ms;
	}
	if (at->round > 0) {
		out->round_ms = rounds_ms[at->round - 1];
		again = again || out->round_ms == p->round_ms;
	}
	if (at->mailboxes > 0) {
		out->mailboxes = mailbox_counts[at->mailboxes - 1];
		again = again || out->mailboxes == p->mailboxes;
	}
	if (at->layers > 0) {
		set_layers(out, layer_counts[at->layers - 1]);
		again = again || out->layers == p->layers;
	}
	plan_fit(out, q->messages_per_day);
	return !again;
}

static bool
next_place(struct place *at)
{
	if (++at->slot <= COUNT(slots_ms))
		return true;
	at->slot = 0;
	if (++at->round <= COUNT(rounds_ms))
		return true;
	at->round = 0;
	if (++at->mailboxes <= COUNT(mailbox_counts))
		return true;
	at->mailboxes = 0;
	return ++at->layers <= COUNT(layer_counts);
}

static unsigned
changes_at(const struct place *at)
{
	return 0u + (at->slot > 0) + (at->round > 0) + (at->mailboxes > 0) + (at->layers > 0);
}

/* ---- the search ---- */

static bool
meets_delay(const struct plan *p, const struct plan_target *t)
{
	return t->delay_p95_ms <= 0 || p->delay.p95_ms <= t->delay_p95_ms;
}

static bool
meets_people(const struct plan *p, const struct plan_target *t)
{
	return t->people <= 0 || p->least_people >= t->people - 1e-9;
}

static bool
meets_bytes(const struct plan *p, const struct plan_target *t)
{
	return t->client_bytes <= 0 || p->client_bytes <= t->client_bytes;
}

bool
plan_meets(const struct plan *p, const struct plan_target *t)
{
	return meets_delay(p, t) && meets_people(p, t) && meets_bytes(p, t);
}

/* The best that there is of each, among what meets the two others; negative: nothing does. */
struct nearest {
	double delay_ms, people, bytes;
	double any_delay_ms, any_bytes; /* whatever the others are */
};

static void
note_nearest(struct nearest *n, const struct plan *p, const struct plan_target *t)
{
	bool delay = meets_delay(p, t), people = meets_people(p, t), bytes = meets_bytes(p, t);

	if (n->any_delay_ms < 0 || p->delay.p95_ms < n->any_delay_ms)
		n->any_delay_ms = p->delay.p95_ms;
	if (n->any_bytes < 0 || p->client_bytes < n->any_bytes)
		n->any_bytes = p->client_bytes;
	if (people && bytes && (n->delay_ms < 0 || p->delay.p95_ms < n->delay_ms))
		n->delay_ms = p->delay.p95_ms;
	if (delay && bytes && p->least_people > n->people)
		n->people = p->least_people;
	if (delay && people && (n->bytes < 0 || p->client_bytes < n->bytes))
		n->bytes = p->client_bytes;
}

static void
say(char out[static PLAN_SENTENCES_BYTES], const char *before, double value, const char *after)
{
	size_t used = strlen(out);

	(void)snprintf(out + used, PLAN_SENTENCES_BYTES - used, "%s%.6g%s", before, value, after);
}

static void
explain(char why[static PLAN_SENTENCES_BYTES], const struct plan_question *q,
    const struct plan_target *t, const struct nearest *n)
{
	why[0] = '\0';
	if (t->people > q->params.people) {
		say(why, "There are only ", q->params.people, " people, and nobody can be one of more.");
		return;
	}
	if (t->delay_p95_ms > 0 && n->delay_ms >= 0)
		say(why, "With all else as asked, 95 of 100 messages take at least ",
		    ceil(n->delay_ms / 100) / 10, " s. ");
	if (t->people > 0 && n->people >= 0)
		say(why, "With all else as asked, a message is one of at most ", floor(n->people),
		    " people's. ");
	if (t->client_bytes > 0 && n->bytes >= 0)
		say(why, "With all else as asked, a client needs at least ",
		    ceil(n->bytes / 1e5) / 10, " MB a day.");
	if (why[0] != '\0')
		return;
	say(why, "Even with nothing else asked for, 95 of 100 messages take at least ",
	    ceil(n->any_delay_ms / 100) / 10, " s, ");
	say(why, "and a client needs at least ", ceil(n->any_bytes / 1e5) / 10,
	    " MB a day, each with parameters of its own.");
}

/* Fewer changes first, then what costs a client less. */
static bool
is_better(unsigned changes, const struct plan *p, unsigned best_changes, const struct plan *best)
{
	if (changes != best_changes)
		return changes < best_changes;
	return p->client_bytes < best->client_bytes;
}

bool
plan_search(struct plan *out, char why[static PLAN_SENTENCES_BYTES],
    const struct plan_question *q, const struct plan_target *t)
{
	struct nearest nearest = { -1, -1, -1, -1, -1 };
	struct plan_question one = *q;
	struct place at = { 0, 0, 0, 0 };
	struct plan p;
	unsigned best = 5; /* changes; more than there can be */

	do {
		if (changes_at(&at) > best || !candidate(&one.params, q, &at) ||
		    plan_brief(&p, &one, NULL) != ERR_OK)
			continue;
		note_nearest(&nearest, &p, t);
		if (plan_meets(&p, t) && is_better(changes_at(&at), &p, best, out)) {
			best = changes_at(&at);
			*out = p;
		}
	} while (next_place(&at));
	explain(why, q, t, &nearest);
	return best < 5;
}

/* ---- what changed ---- */

void
plan_changes(char out[static PLAN_SENTENCES_BYTES], const struct params *from,
    const struct params *to)
{
	char key[PARAMS_KEY_BYTES], before[PARAMS_VALUE_BYTES], after[PARAMS_VALUE_BYTES];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; params_key(key, to, i) && used < PLAN_SENTENCES_BYTES; i++) {
		if (params_get(after, to, key) != ERR_OK)
			continue;
		if (params_get(before, from, key) == ERR_OK && strcmp(before, after) == 0)
			continue;
		if (strncmp(key, "strategy.", strlen("strategy.")) == 0)
			continue; /* the same of every layer */
		used += (size_t)snprintf(out + used, PLAN_SENTENCES_BYTES - used, "%s%s %s",
		    used > 0 ? " " : "", key, after);
	}
}
