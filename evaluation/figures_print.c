#include "config.h"

#include <inttypes.h>

#include "common/base/bytes.h"
#include "evaluation/figures.h"

/* Figures as CSV, JSON, and a table for people. */

struct place {
	const char *name;
	double value;
};

#define JSON_MAX_BYTES ((size_t)1 << 24)
#define PLACES 9 /* min to max */

static void
places_of(struct place out[static PLACES], const struct summary *s)
{
	const struct place places[PLACES] = { { "min", s->least }, { "p1", s->p1 }, { "p5", s->p5 },
		{ "p25", s->p25 }, { "p50", s->p50 }, { "p75", s->p75 }, { "p95", s->p95 },
		{ "p99", s->p99 }, { "max", s->greatest } };

	for (size_t i = 0; i < PLACES; i++)
		out[i] = places[i];
}

/* Sentences have commas, and never quotes. */
static void
quoted(FILE *out, const char *text)
{
	(void)fprintf(out, "\"%s\"", text);
}

static void
number(FILE *out, bool known, double v)
{
	(void)fputc(',', out);
	if (known)
		(void)fprintf(out, "%.9g", figures_round(v));
}

void
figures_csv(FILE *out, const struct figures *f)
{
	struct place places[PLACES];

	(void)fprintf(out, "%s\n", FIGURES_CSV_HEADER);
	for (size_t i = 0; i < f->count; i++) {
		const struct figure *g = &f->rows[i];

		(void)fprintf(out, "%s,%s,%s,", g->name, g->level, g->unit);
		quoted(out, g->weighting);
		(void)fputc(',', out);
		quoted(out, f->adversary);
		(void)fputc(',', out);
		quoted(out, g->rule);
		(void)fprintf(out, ",%zu", g->s.n);
		number(out, g->known, g->s.mean);
		number(out, g->known && g->s.has_interval, g->s.low);
		number(out, g->known && g->s.has_interval, g->s.high);
		places_of(places, &g->s);
		for (size_t k = 0; k < PLACES; k++)
			number(out, g->known && !g->single, places[k].value);
		(void)fputc(',', out);
		if (g->reason != NULL)
			quoted(out, g->reason);
		(void)fputc('\n', out);
	}
}

/* ---- JSON ---- */

static void
json_number(struct json *j, const char *key, bool known, double v)
{
	json_key(j, key);
	if (known)
		json_double(j, figures_round(v));
	else
		json_null(j);
}

static void
json_text(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	if (text != NULL)
		json_string(j, text);
	else
		json_null(j);
}

static void
json_count(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

static void
figure_json(struct json *j, const struct figures *f, const struct figure *g)
{
	struct place places[PLACES];

	json_object(j);
	json_text(j, "figure", g->name);
	json_text(j, "level", g->level);
	json_text(j, "unit", g->unit);
	json_text(j, "weighting", g->weighting);
	json_text(j, "adversary", f->adversary);
	json_text(j, "target_rule", g->rule);
	json_count(j, "n", g->s.n);
	json_number(j, "mean", g->known, g->s.mean);
	json_number(j, "low", g->known && g->s.has_interval, g->s.low);
	json_number(j, "high", g->known && g->s.has_interval, g->s.high);
	places_of(places, &g->s);
	for (size_t k = 0; k < PLACES; k++)
		json_number(j, places[k].name, g->known && !g->single, places[k].value);
	json_text(j, "reason", g->reason);
	json_close(j);
}

static void
counts_json(struct json *j, const struct run *r)
{
	const struct recorder_counts *c = run_counts(r);
	size_t n;

	(void)run_targets(r, &n);
	json_key(j, "counts");
	json_object(j);
	json_count(j, "targets_wanted", run_wanted(r));
	json_count(j, "targets", n);
	json_count(j, "targets_refused", run_refused(r));
	json_count(j, "sent", c->sent);
	json_count(j, "messages", c->real);
	json_count(j, "covers", c->cover);
	json_count(j, "notes", c->notes);
	json_count(j, "exited", c->exited);
	json_count(j, "lost", c->lost);
	json_count(j, "lost_messages", c->lost_real);
	json_count(j, "dropped_messages", c->dropped);
	json_count(j, "waiting_messages", run_waiting(r));
	json_close(j);
}

void
figures_json(struct json *j, const struct figures *f, const struct scenario *s,
    const struct run *r)
{
	json_object(j);
	json_text(j, "format", "restante-summary");
	json_count(j, "version", 1);
	json_count(j, "seed", (uint64_t)s->seed);
	json_text(j, "status", run_empty(r) ? "empty" : "complete");
	json_text(j, "reason", run_reason(r));
	json_text(j, "interval", FIGURES_INTERVAL);
	json_text(j, "posterior",
	    "of a packet of which its way alone is known: packets are alike inside an honest mix, "
	    "whatever they carry. Exact for packets drawn from all (target-rule = any), but for "
	    "the 100 ms ticks of stop-and-go; of those with a message only where every packet "
	    "is as likely to carry one");
	json_count(j, "lookback_ms", (uint64_t)run_lookback_ms(r));
	json_count(j, "parts", run_parts(r));
	counts_json(j, r);
	json_key(j, "figures");
	json_array(j);
	for (size_t i = 0; i < f->count; i++)
		figure_json(j, f, &f->rows[i]);
	json_close(j);
	json_close(j);
}

enum err
figures_write_json(FILE *out, const struct figures *f, const struct scenario *s,
    const struct run *r)
{
	struct buf text;
	struct json j;
	enum err e;

	buf_init(&text);
	json_init(&j, &text, JSON_MAX_BYTES);
	figures_json(&j, f, s, r);
	json_newline(&j);
	e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(text.data, 1, text.len, out);
	buf_release(&text);
	return e;
}

/* ---- a table ---- */

/* before: the row above, or NULL. */
static void
table_row(FILE *out, const struct figure *g, const struct figure *before)
{
	bool same = before != NULL && !before->known && before->reason == g->reason;

	(void)fprintf(out, "%-20s %-8s %-8s %8zu", g->name, g->level, g->unit, g->s.n);
	if (!g->known) {
		(void)fprintf(out, "  - %s\n", same ? "as above" : g->reason);
		return;
	}
	(void)fprintf(out, " %11.6g", g->s.mean);
	if (g->s.has_interval)
		(void)fprintf(out, "  [%.6g, %.6g]", g->s.low, g->s.high);
	if (!g->single)
		(void)fprintf(out, "  %.6g / %.6g / %.6g / %.6g", g->s.p1, g->s.p5, g->s.p50,
		    g->s.p95);
	(void)fputc('\n', out);
}

void
figures_table(FILE *out, const struct figures *f, const struct run *r)
{
	const char *rule = f->count > 0 ? f->rows[0].rule : "";
	size_t n;

	(void)run_targets(r, &n);
	(void)fprintf(out, "Adversary: %s\nTargets: %zu of %zu, %s; %s\n", f->adversary, n,
	    run_wanted(r), rule, f->count > 0 ? f->rows[0].weighting : "");
	if (run_refused(r) > 0)
		(void)fprintf(out, "Refused: %zu targets, whose senders may be from before the "
		    "lookback of %" PRId64 " ms\n", run_refused(r), run_lookback_ms(r));
	(void)fprintf(out, "Interval: %s\n\n%-20s %-8s %-8s %8s %11s  %s\n", FIGURES_INTERVAL,
	    "figure", "level", "unit", "n", "mean", "[95 % interval]  p1 / p5 / p50 / p95");
	for (size_t i = 0; i < f->count; i++)
		table_row(out, &f->rows[i], i > 0 ? &f->rows[i - 1] : NULL);
}
