#include "config.h"

#include "evaluation/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *of_message, *of_user; /* units */
} columns[FIGURES_COLUMNS] = {
	{ "entropy", "bit", "bit" },
	{ "min_entropy", "bit", "bit" },
	{ "guessing", "packets", "people" },
	{ "effective_size", "packets", "people" },
	{ "max_probability", "1", "1" },
	{ "true_probability", "1", "1" },
	{ "true_rank", "packets", "people" },
};

static const char each_target[] = "every target alike; as many from each equal part of the "
				  "measured time, as far as it has them";
static const char each_packet[] = "every packet alike";
static const char each_message[] = "every message alike";

const char *
figures_column(size_t i)
{
	return columns[i].name;
}

double
figures_value(const struct score_level *l, size_t i)
{
	const double values[FIGURES_COLUMNS] = { l->entropy, l->min_entropy, l->guessing,
		l->effective, l->greatest, l->truth, l->rank };

	return values[i];
}

double
figures_round(double v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.9g", v);
	v = strtod(text, NULL);
	return v < 0 || v > 0 ? v : 0; /* no minus zero */
}

static struct figure *
add(struct figures *f, const char *name, const char *level, const char *unit,
    const char *weighting, const char *rule)
{
	struct figure *g = &f->rows[f->count++];

	memset(g, 0, sizeof(*g));
	g->name = name;
	g->level = level;
	g->unit = unit;
	g->weighting = weighting;
	(void)snprintf(g->rule, sizeof(g->rule), "%s", rule);
	return g;
}

/* ---- of the targets ---- */

static double
value_of(const struct run_target *t, bool users, size_t i, double people)
{
	if (i == FIGURES_COLUMNS) /* Diaz' degree of anonymity */
		return t->score.user.entropy / log2(people);
	return figures_value(users ? &t->score.user : &t->score.message, i);
}

static enum err
add_column(struct figures *f, const struct scenario *s, const struct run *r, bool users, size_t i,
    double *values)
{
	bool degree = i == FIGURES_COLUMNS;
	bool wanted = s->level == LEVEL_BOTH || (s->level == LEVEL_USER) == users;
	char rule[SCENARIO_SENTENCE_BYTES];
	struct figure *g;
	size_t n;
	const struct run_target *t = run_targets(r, &n);
	enum err e;

	scenario_rule_text(rule, s);
	g = add(f, degree ? "degree" : columns[i].name, users ? "user" : "message",
	    degree ? "1" : users ? columns[i].of_user : columns[i].of_message, each_target, rule);
	g->reason = run_reason(r);
	if (!wanted)
		g->reason = "not asked for (level)";
	if (g->reason != NULL)
		return ERR_OK;
	for (size_t k = 0; k < n; k++)
		values[k] = value_of(&t[k], users, i, (double)s->people);
	e = summary_of(&g->s, values, n);
	g->known = e == ERR_OK;
	if (e == ERR_OK && !g->s.has_interval)
		g->reason = "no interval: fewer than 4 targets";
	return e;
}

/* The share of targets all of whose mixes are corrupt. */
static void
add_traced(struct figures *f, const struct scenario *s, const struct run *r)
{
	char rule[SCENARIO_SENTENCE_BYTES];
	struct figure *g;
	size_t n, traced = 0;
	const struct run_target *t = run_targets(r, &n);

	scenario_rule_text(rule, s);
	g = add(f, "traced", "message", "share", each_target, rule);
	g->single = true;
	g->reason = run_reason(r);
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		traced += t[i].traced;
	g->known = true;
	g->s.n = n;
	g->s.mean = (double)traced / (double)n;
	g->s.has_interval = true;
	summary_share(&g->s.low, &g->s.high, traced, n, 0.05);
}

static enum err
add_targets(struct figures *f, const struct scenario *s, const struct run *r)
{
	size_t n;
	double *values;
	enum err e = ERR_OK;

	(void)run_targets(r, &n);
	values = calloc(n + 1, sizeof(*values));
	if (values == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < FIGURES_COLUMNS && e == ERR_OK; i++)
		e = add_column(f, s, r, false, i, values);
	for (size_t i = 0; i <= FIGURES_COLUMNS && e == ERR_OK; i++)
		e = add_column(f, s, r, true, i, values);
	free(values);
	add_traced(f, s, r);
	return e;
}

/* ---- of the network ---- */

static void
add_tally(struct figures *f, const char *name, const char *level, const char *unit,
    const char *weighting, const char *rule, const struct tally *t)
{
	struct figure *g = add(f, name, level, unit, weighting, rule);

	if (tally_summary(&g->s, t) != ERR_OK) {
		g->reason = "no message came through within the duration";
		return;
	}
	g->known = true;
	if (!g->s.has_interval)
		g->reason = "no interval: fewer than 4 values";
}

static void
refuse(struct figure *g, const char *reason)
{
	memset(&g->s, 0, sizeof(g->s));
	g->known = false;
	g->reason = reason;
}

static void
add_ratio(struct figures *f, const char *name, const char *unit, const char *weighting,
    const char *rule, uint64_t part, uint64_t whole, const char *otherwise)
{
	struct figure *g = add(f, name, "message", unit, weighting, rule);

	g->single = true;
	g->reason = otherwise;
	if (whole == 0)
		return;
	g->known = true;
	g->s.n = (size_t)whole;
	g->s.mean = (double)part / (double)whole;
	g->reason = "no interval: one value of the whole run";
}

enum err
figures_of(struct figures *out, const struct scenario *s, const struct run *r)
{
	static const char real[] = "all packets with a message that left within the duration";
	static const char messages[] = "all messages that came through within the duration";
	static const char all[] = "all packets that were sent within the duration";
	const struct recorder_counts *c = run_counts(r);
	enum err e;

	memset(out, 0, sizeof(*out));
	scenario_adversary_text(out->adversary, s);
	e = add_targets(out, s, r);
	if (e != ERR_OK)
		return e;
	add_tally(out, "network_delay", "message", "ms", each_packet, real, &c->network_ms);
	add_tally(out, "message_delay", "message", "ms", each_message, messages, &c->message_ms);
	if (run_waiting(r) > (uint64_t)s->people && run_waiting(r) > c->real / 10)
		refuse(&out->rows[out->count - 1], "messages piled up: at the end more than one "
		    "for ten that were sent still waited to be (waiting_messages); people write "
		    "more than their slots carry, or are offline for long, or the run is short");
	add_tally(out, "receiver_crowd", "user", "people", each_message, messages, &c->crowd);
	add_ratio(out, "packets_per_message", "packets", each_message, all, c->sent, c->real,
	    "no message was sent within the duration");
	add_ratio(out, "cover_share", "share", each_packet, all, c->cover + c->notes, c->sent,
	    "no packet was sent within the duration");
	add_ratio(out, "loss", "share", each_packet, all, c->lost, c->sent,
	    "no packet was sent within the duration");
	return ERR_OK;
}

const struct figure *
figures_find(const struct figures *f, const char *name, const char *level)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->rows[i].name, name) == 0 && strcmp(f->rows[i].level, level) == 0)
			return &f->rows[i];
	return NULL;
}
