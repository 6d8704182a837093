/* Disclosure on a trace: who writes to which mailbox, and how much. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/disclosure.h"
#include "evaluation/attack/finding.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/trace.h"
#include "evaluation/draws.h"

#define ROUNDS_MOST 20000 /* longer ones then, so that a year can be solved */
#define PARTS 4		  /* of the run: the curve's points */
#define RIDGE 1e-9
#define CELLS_MOST ((size_t)1 << 27)
#define DRAWN UINT64_C(0x589965cc75374cc3)

enum method { SDA, NORMALISED, LEAST_SQUARES, METHODS };
static const char *const names[METHODS] = { "SDA", "normalised SDA", "least squares" };

/* What is estimated from, and what it comes to. */
struct attempt {
	const struct attack_trace *trace;
	struct disclosure d;
	double *sent, *received;
	int64_t round_ms;
	double *estimates[METHODS]; /* senders * receivers */
	bool known[METHODS];
	uint32_t *written; /* the truth: persons * mailboxes, until now */
	uint32_t *order;   /* of people, to be compared in pairs */
};

/* ---- rounds ---- */

static enum err
plan(struct attempt *a, struct diag *d)
{
	const struct attack_trace *t = a->trace;
	int64_t all = t->to_ms - t->from_ms, k = all / t->round_ms / ROUNDS_MOST + 1;

	a->round_ms = t->round_ms * k;
	a->d = (struct disclosure){ .senders = t->persons, .receivers = t->mailboxes,
		.rounds = (size_t)(all / a->round_ms) };
	if (a->d.rounds < PARTS)
		return diag_set(d, ERR_RANGE, "the run has %zu rounds; make the duration longer",
		    a->d.rounds);
	if (a->d.rounds > CELLS_MOST / t->persons)
		return diag_set(d, ERR_RANGE, "%u people are too many for this attack", t->persons);
	return ERR_OK;
}

static enum err
make_room(struct attempt *a)
{
	size_t cells = a->d.senders * a->d.receivers;
	bool ok = true;

	a->sent = calloc(a->d.rounds * a->d.senders, sizeof(*a->sent));
	a->received = calloc(a->d.rounds * a->d.receivers, sizeof(*a->received));
	a->written = calloc(cells, sizeof(*a->written));
	a->order = calloc(a->d.senders, sizeof(*a->order));
	for (int m = 0; m < METHODS; m++) {
		a->estimates[m] = calloc(cells, sizeof(*a->estimates[m]));
		ok = ok && a->estimates[m] != NULL;
	}
	a->d.sent = a->sent;
	a->d.received = a->received;
	return ok && a->sent != NULL && a->received != NULL && a->written != NULL &&
		a->order != NULL ? ERR_OK : ERR_MEMORY;
}

/* `much` of a person's packets, one that went at at_ms, in the rounds in which it comes out. */
static void
spread(struct attempt *a, const struct attack_delay *delay, uint32_t person, int64_t at_ms,
    double much)
{
	int64_t first = (at_ms - a->trace->from_ms) / a->round_ms;
	double before = 0;

	if (at_ms < a->trace->from_ms)
		first = 0;
	for (int64_t r = first; r < (int64_t)a->d.rounds && before < 1; r++) {
		double end = (double)(a->trace->from_ms + (r + 1) * a->round_ms - at_ms);
		double share = attack_delay_cdf(delay, end);

		if (r == 0) /* what came out before the first round */
			before = attack_delay_cdf(delay, (double)(a->trace->from_ms - at_ms));
		a->sent[(size_t)r * a->d.senders + person] += much * (share - before);
		before = share;
	}
}

static void
spread_all(struct attempt *a, const struct attack_delay *delay)
{
	const struct attack_trace *t = a->trace;

	for (size_t i = 0; i < t->send_count; i++)
		spread(a, delay, t->sends[i].person, t->sends[i].at_ms, 1);
	for (uint32_t p = 0; t->counted && p < t->persons; p++) {
		size_t n;
		const struct attack_turn *turns = attack_trace_turns(t, p, &n);

		/* a packet in every slot, taken together by the round */
		for (size_t i = 0; i < n; i++)
			for (int64_t at = turns[i].from_ms; at < turns[i].to_ms; at += a->round_ms) {
				int64_t end = turns[i].to_ms - at;

				end = end < a->round_ms ? end : a->round_ms;
				spread(a, delay, p, at + end / 2, (double)end / (double)t->slot_ms);
			}
	}
	for (size_t i = 0; i < t->deposit_count; i++) {
		int64_t r = (t->deposits[i].at_ms - t->from_ms) / a->round_ms;

		if (t->deposits[i].at_ms >= t->from_ms && r < (int64_t)a->d.rounds)
			a->received[(size_t)r * a->d.receivers + t->deposits[i].mailbox]++;
	}
}

/* ---- estimates ---- */

static enum err
estimate(struct attempt *a, size_t rounds)
{
	struct disclosure d = a->d;
	size_t bytes = d.senders * d.receivers * sizeof(double);
	enum err e;

	d.rounds = rounds;
	for (size_t s = 0; s < d.senders; s++)
		disclosure_sda(a->estimates[SDA] + s * d.receivers, &d, s);
	memcpy(a->estimates[NORMALISED], a->estimates[SDA], bytes);
	disclosure_normalise(a->estimates[NORMALISED], &d);
	a->known[SDA] = a->known[NORMALISED] = true;
	e = rounds > d.senders ? disclosure_least_squares(a->estimates[LEAST_SQUARES], &d, RIDGE) :
				 ERR_RANGE;
	a->known[LEAST_SQUARES] = e == ERR_OK;
	return e == ERR_RANGE ? ERR_OK : e;
}

/* The truth until this round. */
static void
count_written(struct attempt *a, size_t rounds)
{
	const struct attack_trace *t = a->trace;
	int64_t end = t->from_ms + (int64_t)rounds * a->round_ms;

	memset(a->written, 0, a->d.senders * a->d.receivers * sizeof(*a->written));
	for (size_t i = 0; i < t->deposit_count; i++)
		if (t->deposits[i].at_ms >= t->from_ms && t->deposits[i].at_ms < end)
			a->written[t->truth[i].sender * a->d.receivers + t->deposits[i].mailbox]++;
}

/* ---- scores ---- */

static size_t
greatest(const double *v, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = v[i] > v[best] ? i : best;
	return best;
}

/* Whether the mailbox with the greatest estimate is one that got as much as any. */
static struct attack_value
score_mailboxes(const struct attempt *a, enum method m)
{
	size_t right = 0, n = 0, width = a->d.receivers;

	for (size_t s = 0; s < a->d.senders; s++) {
		const uint32_t *w = a->written + s * width;
		uint32_t most = 0;

		for (size_t i = 0; i < width; i++)
			most = w[i] > most ? w[i] : most;
		n += most > 0;
		right += most > 0 && w[greatest(a->estimates[m] + s * width, width)] == most;
	}
	return attack_share(right, n);
}

/* What somebody gets who names the mailbox that gets most of all. */
static double
chance_of_mailboxes(const struct attempt *a)
{
	size_t width = a->d.receivers, best = 0;

	for (size_t guess = 0; guess < width; guess++) {
		size_t right = 0, n = 0;

		for (size_t s = 0; s < a->d.senders; s++) {
			const uint32_t *w = a->written + s * width;
			uint32_t most = 0;

			for (size_t i = 0; i < width; i++)
				most = w[i] > most ? w[i] : most;
			n += most > 0;
			right += most > 0 && w[guess] == most;
		}
		best = right > best ? right : best;
		if (guess + 1 == width)
			return n > 0 ? (double)best / (double)n : 0;
	}
	return 0;
}

/* How much a person writes, by the estimate (a packet's messages times packets) and in truth. */
static void
volumes(double *guess, double *truth, const struct attempt *a, enum method m, size_t s,
    size_t rounds)
{
	double packets = 0;

	*guess = *truth = 0;
	for (size_t i = 0; i < a->d.receivers; i++) {
		*guess += a->estimates[m][s * a->d.receivers + i];
		*truth += a->written[s * a->d.receivers + i];
	}
	for (size_t r = 0; r < rounds; r++)
		packets += a->sent[r * a->d.senders + s];
	*guess *= packets;
}

/* Of two people, who wrote more: pairs that have nobody in common. */
static struct attack_value
score_volumes(const struct attempt *a, enum method m, size_t rounds)
{
	size_t right = 0, n = 0;

	for (size_t i = 0; i + 1 < a->d.senders; i += 2) {
		double g1, t1, g2, t2;

		volumes(&g1, &t1, a, m, a->order[i], rounds);
		volumes(&g2, &t2, a, m, a->order[i + 1], rounds);
		if (!(t1 < t2) && !(t1 > t2))
			continue;
		n++;
		right += (g1 > g2) == (t1 > t2);
	}
	return attack_share(right, n);
}

static void
draw_order(struct attempt *a, uint64_t seed)
{
	struct draws d = { seed ^ DRAWN, 0 };

	for (size_t i = 0; i < a->d.senders; i++)
		a->order[i] = (uint32_t)i;
	for (size_t i = a->d.senders; i > 1; i--) {
		size_t k = draws_below(&d, (uint32_t)i);
		uint32_t one = a->order[i - 1];

		a->order[i - 1] = a->order[k];
		a->order[k] = one;
	}
}

/* ---- the attack ---- */

struct curves {
	struct attack_curve *mailboxes[METHODS], *volumes[METHODS];
};

static void
add_curves(struct curves *c, struct attack_result *out, const struct attempt *a)
{
	static const char x_label[] = "days of observation";

	memset(c, 0, sizeof(*c));
	for (int m = 0; m < METHODS && a->d.receivers > 1; m++)
		c->mailboxes[m] = attack_add_curve(out, x_label,
		    "share of people whose first mailbox is named", names[m]);
	for (int m = 0; m < METHODS; m++) {
		if (m == NORMALISED) /* its rows sum up to one: it does not say who writes */
			continue;
		c->volumes[m] = attack_add_curve(out, x_label,
		    "pairs of people: who writes more, right", names[m]);
		attack_chance(c->volumes[m], 0.5);
	}
}

static enum err
add_points(struct curves *c, const struct attempt *a, size_t rounds)
{
	double days = (double)rounds * (double)a->round_ms / 86400000.0;
	const struct attack_value none = { .known = false };
	enum err e = ERR_OK;

	for (int m = 0; m < METHODS && e == ERR_OK; m++) {
		bool known = a->known[m];

		if (c->mailboxes[m] != NULL)
			e = attack_add_point(c->mailboxes[m], days,
			    known ? score_mailboxes(a, (enum method)m) : none);
		if (e == ERR_OK && c->volumes[m] != NULL)
			e = attack_add_point(c->volumes[m], days,
			    known ? score_volumes(a, (enum method)m, rounds) : none);
	}
	return e;
}

/* The last points again, under names. */
static void
add_figures(struct attack_result *out, const struct curves *c, double chance)
{
	static const char *const of_mailboxes[METHODS] = { "first_mailbox_sda",
		"first_mailbox_normalised_sda", "first_mailbox_least_squares" };
	static const char *const of_volumes[METHODS] = { "who_writes_more_sda", NULL,
		"who_writes_more_least_squares" };

	for (int m = 0; m < METHODS; m++) {
		const struct attack_curve *b = c->mailboxes[m];

		if (b != NULL && b->count > 0)
			attack_figure_chance(attack_add_figure(out, of_mailboxes[m],
			    "share of people", b->points[b->count - 1].y), chance);
		if (b == NULL)
			attack_add_missing(out, of_mailboxes[m], "share of people",
			    "there is one mailbox, so that a deposit says nothing of its receiver");
		b = c->volumes[m];
		if (b != NULL && b->count > 0)
			attack_figure_chance(attack_add_figure(out, of_volumes[m],
			    "share of pairs", b->points[b->count - 1].y), 0.5);
	}
}

static void
say(struct attack_result *out)
{
	const struct attack_figure *more = finding_figure(out, "who_writes_more_least_squares");
	const struct attack_figure *named = finding_figure(out, "first_mailbox_least_squares");
	char value[FINDING_VALUE_BYTES], against[FINDING_VALUE_BYTES];

	if (more != NULL && more->v.known)
		finding_add(out, "Of two people, it is told right who writes more in a share of %s, %s, "
		    "by least squares. ", finding_value(value, &more->v),
		    finding_against(against, &more->v, more->chance));
	else
		finding_add(out, "Who writes more cannot be told by least squares: what people send is too "
		    "alike. ");
	if (named != NULL && named->v.known)
		finding_add(out, "Of a share of %s of all people the mailbox is named that they write to "
		    "most, %s.", finding_value(value, &named->v),
		    finding_against(against, &named->v, named->chance));
	else
		finding_add(out, "To which mailbox somebody writes most is not named.");
}

static enum err
attack(struct attack_result *out, struct attempt *a, const struct attack_input *in,
    struct diag *d)
{
	struct attack_delay delay;
	struct curves c;
	double chance = 0;
	enum err e = plan(a, d);

	if (e == ERR_OK)
		e = make_room(a);
	if (e == ERR_OK)
		e = attack_delay_learn(&delay, in->scenario, d);
	if (e != ERR_OK)
		return e;
	spread_all(a, &delay);
	draw_order(a, (uint64_t)in->scenario->seed);
	add_curves(&c, out, a);
	for (unsigned i = 1; i <= PARTS && e == ERR_OK; i++) {
		size_t rounds = a->d.rounds >> (PARTS - i);

		e = estimate(a, rounds);
		count_written(a, rounds);
		if (e == ERR_OK)
			e = add_points(&c, a, rounds);
	}
	chance = chance_of_mailboxes(a);
	for (int m = 0; m < METHODS && a->d.receivers > 1; m++)
		attack_chance(c.mailboxes[m], chance);
	add_figures(out, &c, chance);
	say(out);
	return e;
}

static void
release(struct attempt *a)
{
	free(a->sent);
	free(a->received);
	free(a->written);
	free(a->order);
	for (int m = 0; m < METHODS; m++)
		free(a->estimates[m]);
}

static enum err
run(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	struct attempt a = { .trace = NULL };
	struct attack_trace *t = NULL;
	enum err e = attack_trace_new(&t, in->scenario, in->directory, in->progress,
	    in->progress_arg, d);

	if (e != ERR_OK)
		return e;
	a.trace = t;
	e = attack(out, &a, in, d);
	out->trials = t->persons;
	out->cost.observed = t->packets + t->deposit_count;
	out->cost.rounds = a.d.rounds;
	out->cost.virtual_ms = t->to_ms - t->from_ms;
	(void)snprintf(out->adversary, sizeof(out->adversary), "Here: %u people, %u mailbox%s, %zu "
	    "rounds of %.3g s, %zu deposits.", t->persons, t->mailboxes,
	    t->mailboxes == 1 ? "" : "es", a.d.rounds, (double)a.round_ms / 1000,
	    t->deposit_count);
	release(&a);
	attack_trace_free(t);
	return e;
}

const struct attack_kind attack_disclosure = {
	.name = "disclosure",
	.summary = "Statistical disclosure: which mailbox each person writes to, and how much",
	.adversary = "The gateway, which also reads every person's link (when packets go, not what "
		     "is in them), sees the deposits of every round by mailbox, and knows the "
		     "network's delays.",
	.measures = "the share of people whose most used mailbox is named, against always naming the "
		    "best one; and of pairs of people, how often it is known who wrote more, "
		    "against one half",
	.run = run,
};
