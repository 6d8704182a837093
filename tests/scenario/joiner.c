#include "config.h"

#include "tests/scenario/joiner.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "evaluation/linker_parts.h"
#include "tests/lib/test.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define BEGIN_MS (48 * HOUR_MS) /* what is before is not looked at */
#define ITERATIONS 60
#define ROUNDS 3   /* of the fit, one family after the other */
#define SHRINK 0.2 /* as in evaluation/linker.c */

/* What a candidate's weight comes of: its sessions, and its fetches before and after. */
enum { SESSIONS, BEFORE, AFTER, FAMILIES };

struct member_fetches {
	const struct till_fetch **at; /* by start */
	size_t count, room;
};

struct joiner {
	struct params params;
	unsigned members;
	struct linker_choice *choices;
	size_t count, room;
	uint16_t *cells[FAMILIES]; /* of all candidates, one choice after the other */
	size_t cell_count, cell_room;
	double *weight[FAMILIES]; /* a candidate's weight is the product of its cells' */
};

const char *
joiner_situation_name(unsigned s)
{
	return s == JOINER_NEW ? "first session" : s == JOINER_EMPTY ? "had no ticket" :
	    linker_situation_name((enum linker_situation)s);
}

/* ---- a member's fetches ---- */

static struct member_fetches *
by_member(const struct month *m, unsigned members)
{
	struct member_fetches *of = calloc(members, sizeof(*of));

	assert_non_null(of);
	for (size_t i = 0; i < m->fetches.count; i++) {
		struct member_fetches *x = &of[m->fetches.fetch[i].member];

		if (x->count == x->room) {
			x->room = x->room > 0 ? 2 * x->room : 64;
			x->at = realloc(x->at, x->room * sizeof(*x->at));
			assert_non_null(x->at);
		}
		x->at[x->count++] = &m->fetches.fetch[i];
	}
	return of;
}

static void
free_fetches(struct member_fetches *of, unsigned members)
{
	for (unsigned i = 0; i < members; i++)
		free(of[i].at);
	free(of);
}

/* How many began by then. */
static size_t
begun(const struct member_fetches *x, int64_t at_ms)
{
	size_t lo = 0, hi = x->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (x->at[mid]->start_ms <= at_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Whether it could have a ticket for the hour. */
static bool
has_tickets(const struct member_fetches *x, size_t upto, uint32_t epoch)
{
	for (size_t i = upto; i-- > 0;)
		if (x->at[i]->epoch == epoch && x->at[i]->kind == TOKEN_TICKET && !x->at[i]->failed)
			return true;
	return false;
}

/* ---- cells ---- */

static const int64_t edges[] = { 5 * SECOND_MS, 15 * SECOND_MS, MINUTE_MS, 5 * MINUTE_MS,
	15 * MINUTE_MS, 75 * MINUTE_MS, 6 * HOUR_MS };
#define BINS (sizeof(edges) / sizeof(edges[0]) + 1)
#define AHEADS 4
#define KINDS 3
#define BEFORE_CELLS (KINDS * BINS * AHEADS * 2)
#define AFTER_CELLS (KINDS * BINS * AHEADS)
/* The linker's, and for who was never seen: in the running, in the coming hour. */
#define SESSION_CELLS (LINKER_CELLS + 2)
static const size_t cells_of[FAMILIES] = { SESSION_CELLS, BEFORE_CELLS, AFTER_CELLS };

static size_t
bin(int64_t x)
{
	size_t i = 0;

	while (i < BINS - 1 && x >= edges[i])
		i++;
	return i;
}

/* How far ahead of its epoch it was fetched: none, needed now, late, in time. */
static size_t
ahead(const struct joiner *j, const struct till_fetch *f)
{
	uint32_t n;

	if (f == NULL)
		return 0;
	n = f->epoch - timing_epoch(&j->params, f->start_ms);
	return n == 0 ? 1 : n < ISSUER_AHEAD ? 2 : 3;
}

static void
fetch_cells(uint16_t cell[static FAMILIES], const struct joiner *j,
    const struct member_fetches *x, const struct linker_session *s)
{
	size_t n = begun(x, s->start_ms);
	const struct till_fetch *before = n > 0 ? x->at[n - 1] : NULL;
	const struct till_fetch *after = n < x->count ? x->at[n] : NULL;
	size_t kind = s->read != LINKER_LIVE ? 2 : s->hour > timing_hour(&j->params, s->start_ms);
	size_t at = kind * BINS +
	    (before != NULL ? bin(s->start_ms - before->end_ms) : BINS - 1);

	at = at * AHEADS + ahead(j, before);
	cell[BEFORE] = (uint16_t)(at * 2 + (before != NULL && before->failed));
	at = kind * BINS + (after != NULL ? bin(after->start_ms - s->start_ms) : BINS - 1);
	cell[AFTER] = (uint16_t)(at * AHEADS + ahead(j, after));
}

/* ---- a choice ---- */

struct walk {
	const struct joiner *j;
	struct linker_view view;
	struct member_fetches *fetches;
	struct linker_candidate *of;
	uint16_t (*cells)[FAMILIES];
	size_t n, truth; /* truth: beyond n if it is no candidate */
};

static bool
could(const struct walk *k, unsigned member, const struct linker_session *s)
{
	const struct params *p = &k->j->params;
	const struct member_fetches *x = &k->fetches[member];

	return has_tickets(x, begun(x, s->start_ms),
	    timing_epoch(p, timing_hour_start(p, s->hour)));
}

/*
 * The linker's candidates, and for a live session whoever has never had one; of these, who
 * was issued tickets for the hour.
 */
static void
gather(struct walk *k, const struct linker_session *s)
{
	bool coming = s->hour > timing_hour(&k->j->params, s->start_ms);
	size_t n = linker_candidates(k->of, &k->view, s);

	for (unsigned i = 0; s->read == LINKER_LIVE && i < k->j->members; i++)
		if (k->view.past[i].live_count == 0)
			k->of[n++] = (struct linker_candidate){ .member = i,
				.cell = (uint16_t)(LINKER_CELLS + coming) };
	k->n = 0;
	k->truth = SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		uint16_t *cell = k->cells[k->n];

		if (!could(k, k->of[i].member, s))
			continue;
		if (k->of[i].member == s->member)
			k->truth = k->n;
		cell[SESSIONS] = k->of[i].cell;
		fetch_cells(cell, k->j, &k->fetches[k->of[i].member], s);
		k->n++;
	}
}

static unsigned
situation(const struct walk *k, const struct linker_session *s)
{
	const struct linker_past *past = &k->view.past[s->member];
	const struct member_fetches *x = &k->fetches[s->member];
	size_t n = begun(x, s->start_ms);
	const struct linker_session *last =
	    past->live_count > 0 ? past->live[past->live_count - 1] : NULL;

	if (s->read != LINKER_LIVE)
		return linker_situation_of(&k->view, s);
	if (last == NULL)
		return JOINER_NEW;
	for (size_t i = n; i-- > 0 && x->at[i]->start_ms > last->start_ms;)
		if (ahead(k->j, x->at[i]) == 1 && x->at[i]->kind == TOKEN_TICKET)
			return JOINER_EMPTY;
	return linker_situation_of(&k->view, s);
}

static void
walk_month(const struct joiner *j, const struct month *m, void (*each)(void *arg,
    const struct walk *k, const struct linker_session *s), void *arg)
{
	struct walk k = { .j = j, .fetches = by_member(m, j->members) };

	assert_err_ok(linker_view_init(&k.view, &j->params, j->members, m->log, m->count));
	k.of = calloc(j->members + 1, sizeof(*k.of));
	k.cells = calloc(j->members + 1, sizeof(*k.cells));
	assert_non_null(k.of);
	assert_non_null(k.cells);
	for (size_t i = 0; i < m->count; i++) {
		gather(&k, &m->log[i]);
		if (k.truth < k.n && m->log[i].start_ms >= m->from_ms + BEGIN_MS)
			each(arg, &k, &m->log[i]);
		linker_told(&k.view, &m->log[i]);
	}
	linker_view_release(&k.view);
	free_fetches(k.fetches, j->members);
	free(k.of);
	free(k.cells);
}

/* ---- learning ---- */

static void
keep(void *arg, const struct walk *k, const struct linker_session *s)
{
	struct joiner *j = arg;

	(void)s;
	if (j->count == j->room) {
		j->room = j->room > 0 ? 2 * j->room : 1024;
		j->choices = realloc(j->choices, j->room * sizeof(*j->choices));
		assert_non_null(j->choices);
	}
	if (j->cell_count + k->n > j->cell_room) {
		j->cell_room = 2 * (j->cell_room + k->n);
		for (size_t f = 0; f < FAMILIES; f++) {
			j->cells[f] = realloc(j->cells[f], j->cell_room * sizeof(uint16_t));
			assert_non_null(j->cells[f]);
		}
	}
	j->choices[j->count++] =
	    (struct linker_choice){ .first = j->cell_count, .n = k->n, .truth = k->truth };
	for (size_t i = 0; i < k->n; i++, j->cell_count++)
		for (size_t f = 0; f < FAMILIES; f++)
			j->cells[f][j->cell_count] = k->cells[i][f];
}

void
joiner_learn(struct joiner *j, const struct month *m)
{
	walk_month(j, m, keep, j);
}

/* One step of the fit of evaluation/linker.c, of one family with the others as given. */
static void
count_up(double *against, const struct joiner *j, const double *others, const uint16_t *cell,
    const double *weight)
{
	for (size_t c = 0; c < j->count; c++) {
		size_t first = j->choices[c].first, n = j->choices[c].n;
		double sum = 0;

		for (size_t i = first; i < first + n; i++)
			sum += others[i] * weight[cell[i]];
		for (size_t i = first; i < first + n; i++)
			against[cell[i]] += others[i] / sum;
	}
}

static void
fit_family(struct joiner *j, size_t f, double *others)
{
	double *won = calloc(cells_of[f], sizeof(*won)), *against = calloc(cells_of[f], sizeof(*won));

	assert_non_null(won);
	assert_non_null(against);
	for (size_t i = 0; i < j->cell_count; i++) {
		others[i] = 1;
		for (size_t g = 0; g < FAMILIES; g++)
			others[i] *= g == f ? 1 : j->weight[g][j->cells[g][i]];
	}
	for (size_t c = 0; c < j->count; c++)
		won[j->cells[f][j->choices[c].first + j->choices[c].truth]]++;
	for (unsigned k = 0; k < ITERATIONS; k++) {
		memset(against, 0, cells_of[f] * sizeof(*against));
		count_up(against, j, others, j->cells[f], j->weight[f]);
		for (size_t i = 0; i < cells_of[f]; i++)
			j->weight[f][i] = (won[i] + SHRINK) / (against[i] + SHRINK);
	}
	free(won);
	free(against);
}

/* The sessions' weights are what they are without the registrar's log. */
void
joiner_fit(struct joiner *j)
{
	double *others = calloc(j->cell_count + 1, sizeof(*others));

	assert_non_null(others);
	linker_weights(j->weight[SESSIONS], SESSION_CELLS, j->choices, j->count,
	    j->cells[SESSIONS], ITERATIONS);
	for (unsigned k = 0; k < ROUNDS; k++)
		for (size_t f = BEFORE; f < FAMILIES; f++)
			fit_family(j, f, others);
	free(others);
}

/* ---- judging ---- */

struct judging {
	const struct joiner *j;
	struct joiner_score *out;
};

static bool
names_it(const struct walk *k, const double *weight)
{
	return rng_unit(test_rng()) < linker_hit(weight, k->n, k->truth);
}

static void
judge(void *arg, const struct walk *k, const struct linker_session *s)
{
	const struct judging *x = arg;
	struct joiner_score *out = &x->out[situation(k, s)];
	double *weight = calloc(k->n, sizeof(*weight)), *p = calloc(k->n, sizeof(*p));
	bool alone, both;

	assert_non_null(weight);
	assert_non_null(p);
	for (size_t i = 0; i < k->n; i++)
		weight[i] = x->j->weight[SESSIONS][k->cells[i][SESSIONS]];
	linker_posterior(p, weight, k->n);
	alone = names_it(k, p);
	for (size_t i = 0; i < k->n; i++)
		weight[i] *= x->j->weight[BEFORE][k->cells[i][BEFORE]] *
		    x->j->weight[AFTER][k->cells[i][AFTER]];
	linker_posterior(p, weight, k->n);
	both = names_it(k, p);
	out->sessions++;
	out->chance += 1.0 / (double)k->n;
	out->alone += alone;
	out->both += both;
	out->only_both += both && !alone;
	out->only_alone += alone && !both;
	free(weight);
	free(p);
}

void
joiner_judge(struct joiner_score out[static JOINER_SITUATIONS], struct joiner *j,
    const struct month *m)
{
	struct judging x = { j, out };

	walk_month(j, m, judge, &x);
}

/* ---- life ---- */

struct joiner *
joiner_new(const struct params *p, unsigned members)
{
	struct joiner *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->params = *p;
	j->members = members;
	for (size_t f = 0; f < FAMILIES; f++) {
		j->weight[f] = calloc(cells_of[f], sizeof(double));
		assert_non_null(j->weight[f]);
		for (size_t i = 0; i < cells_of[f]; i++)
			j->weight[f][i] = 1;
	}
	return j;
}

void
joiner_free(struct joiner *j)
{
	free(j->choices);
	for (size_t f = 0; f < FAMILIES; f++) {
		free(j->cells[f]);
		free(j->weight[f]);
	}
	free(j);
}
