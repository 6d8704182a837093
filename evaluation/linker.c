#include "config.h"

#include "evaluation/linker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/linker_parts.h"

#define ITERATIONS 60
#define SHRINK 0.2     /* as if each cell had won and lost so much against weight 1 */
#define RESAMPLES 1000 /* of the members, for the intervals */
#define SAME 1e-9      /* probabilities that differ by less are a tie */

struct linker {
	struct params params;
	unsigned members;
	struct linker_choice *choices;
	size_t count, room;
	uint16_t *cells; /* of all candidates, one choice after the other */
	size_t cell_count, cell_room;
	double weight[LINKER_CELLS];
};

const char *
linker_situation_name(enum linker_situation s)
{
	static const char *const names[] = { "hour's turn", "failure", "failure at night",
		"gateway restart", "off < 5 h", "off < 1 day", "off < 7 days", "off longer",
		"fetch: epochs", "fetch: today", "fetch: earlier" };

	return names[s];
}

/* ---- one choice ---- */

void
linker_posterior(double *p, const double *w, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += w[i];
	for (size_t i = 0; i < n; i++)
		p[i] = sum > 0 ? w[i] / sum : 1.0 / (double)n;
}

static double
largest(const double *p, size_t n)
{
	double max = 0;

	for (size_t i = 0; i < n; i++)
		max = fmax(max, p[i]);
	return max;
}

double
linker_hit(const double *p, size_t n, size_t truth)
{
	double max = largest(p, n);
	size_t ties = 0;

	for (size_t i = 0; i < n; i++)
		ties += p[i] > max - SAME;
	return p[truth] > max - SAME ? 1.0 / (double)ties : 0;
}

/* ---- fitting ---- */

/* For each cell: how often it won, and what it was up against. */
static void
count_up(double *against, const double *w, const struct linker_choice *choices, size_t n,
    const uint16_t *cell)
{
	for (size_t c = 0; c < n; c++) {
		const uint16_t *at = cell + choices[c].first;
		double sum = 0;

		for (size_t i = 0; i < choices[c].n; i++)
			sum += w[at[i]];
		for (size_t i = 0; i < choices[c].n; i++)
			against[at[i]] += 1 / sum;
	}
}

void
linker_weights(double *w, size_t cells, const struct linker_choice *choices, size_t n,
    const uint16_t *cell, unsigned iterations)
{
	double *won = calloc(2 * cells, sizeof(*won)), *against = won + cells;

	for (size_t i = 0; i < cells; i++)
		w[i] = 1;
	if (won == NULL)
		return; /* all equal: chance */
	for (size_t c = 0; c < n; c++)
		won[cell[choices[c].first + choices[c].truth]]++;
	for (unsigned k = 0; k < iterations; k++) {
		memset(against, 0, cells * sizeof(*against));
		count_up(against, w, choices, n, cell);
		for (size_t i = 0; i < cells; i++)
			w[i] = (won[i] + SHRINK) / (against[i] + SHRINK);
	}
	free(won);
}

static enum err
make_room(void **at, size_t *room, size_t need, size_t size)
{
	size_t more = *room > 0 ? *room : 1024;
	void *p;

	if (need <= *room)
		return ERR_OK;
	while (more < need)
		more *= 2;
	p = realloc(*at, more * size);
	if (p == NULL)
		return ERR_MEMORY;
	*at = p;
	*room = more;
	return ERR_OK;
}

/* Where in the list of candidates it is; n if it is not. */
static size_t
place_of(const struct linker_candidate *of, size_t n, unsigned wanted)
{
	size_t i = 0;

	while (i < n && of[i].member != wanted)
		i++;
	return i;
}

static enum err
keep_choice(struct linker *l, const struct linker_candidate *of, size_t n, size_t truth)
{
	enum err e = make_room((void **)&l->choices, &l->room, l->count + 1, sizeof(*l->choices));

	if (e == ERR_OK)
		e = make_room((void **)&l->cells, &l->cell_room, l->cell_count + n, sizeof(*l->cells));
	if (e != ERR_OK)
		return e;
	l->choices[l->count++] =
	    (struct linker_choice){ .first = l->cell_count, .n = n, .truth = truth };
	for (size_t i = 0; i < n; i++)
		l->cells[l->cell_count++] = of[i].cell;
	return ERR_OK;
}

/* ---- walking through a log ---- */

/* Room for the candidates of one session. */
struct walk {
	struct linker_candidate *of;
	double *weight, *posterior;
};

static void
walk_release(struct walk *k)
{
	free(k->of);
	free(k->weight);
	free(k->posterior);
}

static enum err
walk_init(struct walk *k, unsigned members)
{
	k->of = calloc((size_t)members + 1, sizeof(*k->of));
	k->weight = calloc(members, sizeof(*k->weight));
	k->posterior = calloc(members, sizeof(*k->posterior));
	if (k->of != NULL && k->weight != NULL && k->posterior != NULL)
		return ERR_OK;
	walk_release(k);
	return ERR_MEMORY;
}

/* What is summed up, of one member in one situation. */
struct tally {
	double sessions, chance, crowd, right, claimed;
};

static void
judge_one(struct tally *t, const struct linker *l, struct walk *k, size_t n, size_t truth)
{
	size_t crowd = 0;

	for (size_t i = 0; i < n; i++) {
		k->weight[i] = l->weight[k->of[i].cell];
		crowd += k->of[i].in_session == k->of[truth].in_session;
	}
	linker_posterior(k->posterior, k->weight, n);
	t->sessions++;
	t->chance += 1.0 / (double)n;
	t->crowd += 1.0 / (double)crowd;
	t->right += linker_hit(k->posterior, n, truth);
	t->claimed += largest(k->posterior, n);
}

/* tallies: by situation, then member; NULL: learn. */
static enum err
walk_log(struct linker *l, struct tally *tallies, const struct linker_session *log, size_t n)
{
	struct linker_view v;
	struct walk k;
	enum err e = walk_init(&k, l->members);

	if (e != ERR_OK)
		return e;
	e = linker_view_init(&v, &l->params, l->members, log, n);
	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		size_t count = linker_candidates(k.of, &v, &log[i]);
		size_t truth = place_of(k.of, count, log[i].member);

		if (truth < count && tallies != NULL)
			judge_one(&tallies[linker_situation_of(&v, &log[i]) * l->members +
			    log[i].member], l, &k, count, truth);
		else if (truth < count)
			e = keep_choice(l, k.of, count, truth);
		linker_told(&v, &log[i]);
	}
	linker_view_release(&v);
	walk_release(&k);
	return e;
}

enum err
linker_learn(struct linker *l, const struct linker_session *log, size_t n)
{
	return walk_log(l, NULL, log, n);
}

void
linker_fit(struct linker *l)
{
	linker_weights(l->weight, LINKER_CELLS, l->choices, l->count, l->cells, ITERATIONS);
}

/* ---- intervals ---- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
interval(struct linker_share *s, double value, double *drawn)
{
	qsort(drawn, RESAMPLES, sizeof(*drawn), by_value);
	s->value = value;
	s->low = drawn[RESAMPLES * 25 / 1000];
	s->high = drawn[RESAMPLES * 975 / 1000 - 1];
}

static void
add_up(struct tally *sum, const struct tally *t)
{
	sum->sessions += t->sessions;
	sum->chance += t->chance;
	sum->crowd += t->crowd;
	sum->right += t->right;
	sum->claimed += t->claimed;
}

static struct tally
resample(const struct tally *of, unsigned members, const struct rng *r)
{
	struct tally sum = { 0 };

	for (unsigned i = 0; i < members; i++)
		add_up(&sum, &of[rng_below(r, members)]);
	return sum;
}

static void
score(struct linker_score *out, const struct tally *of, unsigned members, const struct rng *r)
{
	double chance[RESAMPLES], crowd[RESAMPLES], right[RESAMPLES], excess[RESAMPLES];
	struct tally sum = { 0 };

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < members; i++)
		add_up(&sum, &of[i]);
	if (sum.sessions == 0)
		return;
	for (size_t k = 0; k < RESAMPLES; k++) {
		struct tally t = resample(of, members, r);
		double n = t.sessions > 0 ? t.sessions : 1;

		chance[k] = t.chance / n;
		crowd[k] = t.crowd / n;
		right[k] = t.right / n;
		excess[k] = right[k] - crowd[k];
	}
	out->sessions = (uint64_t)sum.sessions;
	out->claimed = sum.claimed / sum.sessions;
	interval(&out->chance, sum.chance / sum.sessions, chance);
	interval(&out->crowd, sum.crowd / sum.sessions, crowd);
	interval(&out->right, sum.right / sum.sessions, right);
	interval(&out->excess, (sum.right - sum.crowd) / sum.sessions, excess);
}

enum err
linker_judge(struct linker_score out[static LINKER_SITUATIONS], struct linker *l,
    const struct linker_session *log, size_t n, const struct rng *r)
{
	struct tally *tallies = calloc((size_t)LINKER_SITUATIONS * l->members, sizeof(*tallies));
	enum err e = tallies != NULL ? walk_log(l, tallies, log, n) : ERR_MEMORY;

	for (size_t s = 0; s < LINKER_SITUATIONS && e == ERR_OK; s++)
		score(&out[s], tallies + s * l->members, l->members, r);
	free(tallies);
	return e;
}

/* ---- life ---- */

enum err
linker_new(struct linker **out, const struct params *p, unsigned members)
{
	struct linker *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return ERR_MEMORY;
	l->params = *p;
	l->members = members;
	for (size_t i = 0; i < LINKER_CELLS; i++)
		l->weight[i] = 1;
	*out = l;
	return ERR_OK;
}

void
linker_free(struct linker *l)
{
	if (l == NULL)
		return;
	free(l->choices);
	free(l->cells);
	free(l);
}
