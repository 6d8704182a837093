#include "config.h"

#include "evaluation/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/metrics.h"

/*
 * Packets are too many to be sorted for each target, so guesses and ranks among
 * them are counted in cells: by the exponent and the first 8 bits of a
 * probability times EDGES, which are alike to 0.4 %. Below about 2^-63 all is one cell.
 *
 * EDGES keeps the edges of cells away from the fractions that probabilities are: those
 * that would be equal but for the rounding of their sums, as 1/128 of a batch, share a
 * cell then. The golden section, since no number is farther from all fractions.
 */
#define EDGES 0.6180339887498949
#define CELL_BITS 8
#define CELLS ((64 << CELL_BITS) + 1)
#define ALIKE 1e-9 /* people's probabilities that differ by less were rounded */
#define WEIGHTS_MAX ((size_t)1 << 23) /* doubles: 64 MiB */

struct cell {
	double sum;
	uint64_t count;
};

/* The packets of one target, as they come in. */
struct packets {
	double sum, xlogx, greatest, truth, count;
};

struct scorer {
	size_t persons, most;
	bool messages, users;
	double *weights;    /* of target t and person p at p * most + t, as packets come */
	double *own;	    /* of one target, by person */
	struct cell *cells; /* of target t from t * CELLS on */
	/* the pass under way */
	struct packets packets[VIEW_TARGETS];
	const struct score_target *targets;
	size_t n;
};

static size_t
cell_of(double probability)
{
	double moved = probability * EDGES;
	uint64_t bits;
	size_t below; /* steps below one */

	memcpy(&bits, &moved, sizeof(bits));
	below = (size_t)(((uint64_t)1023 << CELL_BITS) - (bits >> (52 - CELL_BITS)));
	return moved >= 1 ? 0 : below < CELLS ? below : CELLS - 1;
}

static void
add_packet(struct scorer *s, size_t t, size_t position, double share)
{
	struct packets *p = &s->packets[t];
	struct cell *c = &s->cells[t * CELLS + cell_of(share)];

	p->sum += share;
	p->xlogx += share * log2(share);
	p->count++;
	if (share > p->greatest)
		p->greatest = share;
	if (s->targets[t].position == position)
		p->truth += share;
	c->sum += share;
	c->count++;
}

static void
on_packet(void *arg, size_t position, uint32_t person, const double *shares)
{
	struct scorer *s = arg;

	for (size_t t = 0; t < s->n; t++) {
		if (!(shares[t] > 0))
			continue;
		if (s->users)
			s->weights[person * s->most + t] += shares[t];
		if (s->messages)
			add_packet(s, t, position, shares[t]);
		else
			s->packets[t].sum += shares[t];
	}
}

/* Guesses and rank from the cells, the best first. */
static void
count_cells(struct score_level *out, const struct cell *cells, const struct packets *p)
{
	size_t own = p->truth > 0 ? cell_of(p->truth) : CELLS;
	double before = 0;

	for (size_t i = 0; i < CELLS; i++) {
		double n = (double)cells[i].count, middle = before + (n + 1) / 2;

		if (n <= 0)
			continue;
		out->guessing += cells[i].sum / p->sum * middle;
		if (i == own)
			out->rank = middle;
		before += n;
	}
	if (own == CELLS)
		out->rank = before + 1;
}

static void
of_messages(struct score_level *out, const struct scorer *s, size_t t)
{
	const struct packets *p = &s->packets[t];

	out->entropy = log2(p->sum) - p->xlogx / p->sum;
	if (out->entropy < 0 || p->count <= 1) /* rounding */
		out->entropy = 0;
	out->greatest = p->greatest / p->sum;
	out->min_entropy = out->greatest < 1 ? -log2(out->greatest) : 0;
	out->effective = exp2(out->entropy);
	out->truth = p->truth / p->sum;
	count_cells(out, s->cells + t * CELLS, p);
}

static void
rank_person(struct score_level *out, const double *weights, size_t persons, uint32_t person)
{
	double own = weights[person], above = 0, alike = 0;

	for (size_t i = 0; i < persons; i++) {
		bool more = weights[i] > own * (1 + ALIKE);

		above += more;
		alike += !more && weights[i] >= own * (1 - ALIKE);
	}
	out->rank = above + (alike + 1) / 2;
}

static enum err
of_users(struct score_level *out, const struct scorer *s, size_t t)
{
	uint32_t person = s->targets[t].person;
	struct metrics m;
	enum err e;

	for (size_t i = 0; i < s->persons; i++)
		s->own[i] = s->weights[i * s->most + t];
	e = metrics_of(&m, s->own, s->persons, s->persons);
	if (e != ERR_OK)
		return e;
	out->entropy = m.shannon;
	out->min_entropy = m.min_entropy;
	out->greatest = exp2(-m.min_entropy);
	out->guessing = m.guessing;
	out->effective = exp2(m.shannon);
	out->truth = s->own[person] / s->packets[t].sum;
	rank_person(out, s->own, s->persons, person);
	return ERR_OK;
}

static enum err
finish(struct score *out, const struct scorer *s, size_t t)
{
	double sum = s->packets[t].sum;

	memset(out, 0, sizeof(*out));
	out->lost = sum < 1 ? 1 - sum : 0;
	if (!(sum > 0))
		return ERR_OK; /* nothing is known: lost is 1 */
	if (s->messages)
		of_messages(&out->message, s, t);
	return s->users ? of_users(&out->user, s, t) : ERR_OK;
}

enum err
scorer_run(struct scorer *s, struct score *out, const struct view *v,
    const struct score_target *targets, size_t n)
{
	uint32_t exits[VIEW_TARGETS];
	enum err e;

	if (n == 0 || n > s->most)
		return ERR_RANGE;
	for (size_t t = 0; t < n; t++)
		exits[t] = targets[t].exit;
	s->targets = targets;
	s->n = n;
	memset(s->packets, 0, sizeof(s->packets));
	if (s->users)
		memset(s->weights, 0, s->most * s->persons * sizeof(s->weights[0]));
	if (s->messages)
		memset(s->cells, 0, n * CELLS * sizeof(s->cells[0]));
	e = view_packets_of(v, exits, n, on_packet, s);
	for (size_t t = 0; t < n && e == ERR_OK; t++)
		e = finish(&out[t], s, t);
	return e;
}

enum err
scorer_new(struct scorer **out, size_t persons, bool messages, bool users)
{
	struct scorer *s = calloc(1, sizeof(*s));
	bool whole;

	if (s == NULL)
		return ERR_MEMORY;
	s->persons = persons;
	s->messages = messages;
	s->users = users;
	s->most = VIEW_TARGETS;
	if (users && persons > WEIGHTS_MAX / VIEW_TARGETS)
		s->most = WEIGHTS_MAX / persons > 0 ? WEIGHTS_MAX / persons : 1;
	if (users)
		s->weights = calloc(s->most * persons, sizeof(s->weights[0]));
	if (users)
		s->own = calloc(persons, sizeof(s->own[0]));
	if (messages)
		s->cells = calloc(s->most * CELLS, sizeof(s->cells[0]));
	whole = (!users || (s->weights != NULL && s->own != NULL)) && (!messages || s->cells != NULL);
	if (!whole) {
		scorer_free(s);
		return ERR_MEMORY;
	}
	*out = s;
	return ERR_OK;
}

void
scorer_free(struct scorer *s)
{
	if (s == NULL)
		return;
	free(s->weights);
	free(s->own);
	free(s->cells);
	free(s);
}

size_t
scorer_targets(const struct scorer *s)
{
	return s->most;
}
