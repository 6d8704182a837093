#include "config.h"

#include "evaluation/attack/pseudonym.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/attack.h"
#include "evaluation/draws.h"

#define FROM_NOWHERE 0.01
#define DRAWN UINT64_C(0xa0761d6478bd642f) /* the key of who is drawn */

/* A deposit under the pair that it is of. */
struct entry {
	uint64_t pair; /* sender << 32 | receiver */
	int64_t at_ms;
};

static int
by_pair(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->pair != y->pair)
		return x->pair < y->pair ? -1 : 1;
	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static struct entry *
entries_of(size_t *n, const struct attack_trace *t)
{
	struct entry *e = calloc(t->deposit_count + 1, sizeof(*e));

	*n = 0;
	for (size_t i = 0; e != NULL && i < t->deposit_count; i++)
		if (t->deposits[i].at_ms >= t->from_ms)
			e[(*n)++] = (struct entry){ (uint64_t)t->truth[i].sender << 32 |
				    t->truth[i].receiver, t->deposits[i].at_ms };
	if (e != NULL)
		qsort(e, *n, sizeof(*e), by_pair);
	return e;
}

/* Any order is as likely as any other. */
static void
shuffle(struct pseudonyms *p, uint64_t seed)
{
	struct draws d = { seed ^ DRAWN, 0 };

	for (size_t i = p->count; i > 1; i--) {
		size_t k = draws_below(&d, (uint32_t)i);
		struct pseudonym one = p->of[i - 1];

		p->of[i - 1] = p->of[k];
		p->of[k] = one;
	}
}

static void
collect(struct pseudonyms *p, const struct entry *e, size_t n, size_t least)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && e[end].pair == e[i].pair; end++)
			p->times[end] = e[end].at_ms;
		if (end - i >= least)
			p->of[p->count++] = (struct pseudonym){ (uint32_t)(e[i].pair >> 32),
				p->times + i, end - i };
	}
}

enum err
pseudonyms_new(struct pseudonyms *out, const struct attack_trace *t, size_t least, size_t most,
    uint64_t seed, struct diag *d)
{
	struct pseudonyms p = { .of = NULL };
	size_t n;
	struct entry *e = entries_of(&n, t);

	p.of = calloc(n + 1, sizeof(*p.of));
	p.times = calloc(n + 1, sizeof(*p.times));
	if (e == NULL || p.of == NULL || p.times == NULL) {
		free(e);
		pseudonyms_release(&p);
		return ERR_MEMORY;
	}
	collect(&p, e, n, least);
	free(e);
	if (p.count == 0) {
		pseudonyms_release(&p);
		return diag_set(d, ERR_RANGE, "nobody wrote %zu messages to one contact in the measured "
		    "time; make the duration longer, or messages-per-day higher", least);
	}
	shuffle(&p, seed);
	p.count = p.count < most ? p.count : most;
	*out = p;
	return ERR_OK;
}

void
pseudonyms_release(struct pseudonyms *p)
{
	free(p->of);
	free(p->times);
	memset(p, 0, sizeof(*p));
}

size_t
pseudonyms_with(const struct pseudonyms *p, size_t deposits)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->of[i].count >= deposits;
	return n;
}

size_t
pseudonym_step(size_t i)
{
	static const size_t steps[] = { 1, 2, 5 };
	size_t v = steps[i % 3];

	for (; i >= 3; i -= 3)
		v *= 10;
	return v;
}

/* ---- suspicion ---- */

enum err
suspicion_new(struct suspicion *out, const struct attack_input *in, struct diag *d)
{
	enum err e;

	memset(out, 0, sizeof(*out));
	e = attack_trace_new(&out->trace, in->scenario, in->directory, in->progress,
	    in->progress_arg, d);
	if (e == ERR_OK)
		e = attack_flows_new(&out->flows, out->trace);
	if (e == ERR_OK)
		e = attack_delay_learn(&out->delay, in->scenario, d);
	if (e != ERR_OK)
		suspicion_release(out);
	return e;
}

void
suspicion_release(struct suspicion *s)
{
	attack_flows_free(s->flows);
	attack_trace_free(s->trace);
	memset(s, 0, sizeof(*s));
}

void
suspicion_scores(double *scores, const struct suspicion *s, const struct pseudonym *p,
    uint32_t person, size_t n)
{
	double messages = attack_flows_messages(s->flows, person), sum = 0;
	double all_ms = (double)s->trace->to_ms;

	for (size_t i = 0; i < n; i++) {
		double here = attack_flows_intensity(s->flows, &s->delay, person, p->times[i]);
		double share = messages > 0 ? here / messages : 0;

		sum += log((1 - FROM_NOWHERE) * share * all_ms + FROM_NOWHERE);
		scores[i] = sum;
	}
}

int
suspicion_may_be(const struct suspicion *s, uint32_t person, int64_t at_ms)
{
	return attack_flows_intensity(s->flows, &s->delay, person, at_ms) > 0;
}
