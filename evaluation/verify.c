#include "config.h"

#include "evaluation/verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "evaluation/jobs.h"
#include "evaluation/verify_parts.h"

#define JSON_MAX ((size_t)4 * 1024 * 1024)

static const struct config_key keys[] = {
	{ .name = "seed", .type = CONFIG_INTEGER, .unit = "N", .fallback = "1", .min = 0,
	    .max = INT64_MAX, .help = "seed of the sampled values",
	    CONFIG_FIELD(struct verify_options, seed) },
	{ .name = "jobs", .type = CONFIG_INTEGER, .fallback = "0", .min = 0, .max = JOBS_MAX,
	    .unit = "N", .letter = 'j',
	    .help = "cases at a time, which changes nothing but the speed; 0: one for each core",
	    CONFIG_FIELD(struct verify_options, jobs) },
	{ .name = "quick", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "leave out what takes seconds", CONFIG_FIELD(struct verify_options, quick) },
	{ .name = "list", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print the names of the cases and run none",
	    CONFIG_FIELD(struct verify_options, list) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print one JSON object instead of text",
	    CONFIG_FIELD(struct verify_options, json) },
};
const struct config_schema verify_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct verify_options) };

static const char *const quantities[VERIFY_QUANTITIES] = {
	[VERIFY_ENTROPY] = "entropy",
	[VERIFY_BATCH_ENTROPY] = "entropy, by batch",
	[VERIFY_LEAST] = "least entropy",
	[VERIFY_MIN_ENTROPY] = "min-entropy",
	[VERIFY_DEGREE] = "degree",
	[VERIFY_CLOSED] = "closed form",
	[VERIFY_ISOLATED] = "entropy, isolated",
	[VERIFY_FORWARD] = "entropy, forward",
	[VERIFY_SENT] = "sent",
	[VERIFY_KEPT] = "kept",
	[VERIFY_DELAY] = "mean delay",
	[VERIFY_VARIANCE] = "variance",
	[VERIFY_DEVIATION] = "deviation",
	[VERIFY_ALONE] = "P(alone)",
	[VERIFY_OCCUPANCY] = "occupancy",
	[VERIFY_SHARE] = "share",
	[VERIFY_OTHER_SHARE] = "share of others",
	[VERIFY_GAIN] = "gain",
	[VERIFY_EPSILON] = "mean |ln p0/p1|",
	[VERIFY_DIFFERENCE] = "difference",
	[VERIFY_TRUE_POSITIVES] = "true positives",
	[VERIFY_FALSE_POSITIVES] = "false positives",
	[VERIFY_SUCCESS] = "success",
	[VERIFY_SQUARED_ERROR] = "squared error",
	[VERIFY_OTHER_ERROR] = "squared error, SDA",
	[VERIFY_TIMES] = "mean times",
	[VERIFY_EQUAL_ERROR] = "equal error",
};

/* ---- one case ---- */

static struct verify_line
judge(const struct verify_case *c, const struct verify_value *v, const struct verify_outcome *o,
    enum err e)
{
	struct verify_line l = { .c = c, .v = v, .tolerance = v->tolerance, .failure = e };

	if (e != ERR_OK || !o->of[v->quantity][v->index].known)
		return l;
	l.known = true;
	l.value = o->of[v->quantity][v->index].value;
	if (v->most > 0) {
		l.error = o->of[v->quantity][v->index].error;
		l.tolerance += VERIFY_SIGMAS * l.error;
	}
	l.ok = fabs(l.value - v->reference) <= l.tolerance &&
	    (v->most <= 0 || l.tolerance <= v->most);
	return l;
}

void
verify_one(const struct verify_case *c, uint64_t seed, verify_each *each, void *arg)
{
	struct verify_outcome o = { 0 };
	enum err e = c->run(&o, &c->setup, seed);

	for (const struct verify_value *v = c->values;
	    v < c->values + VERIFY_VALUES && v->quantity != VERIFY_NONE; v++) {
		struct verify_line l = judge(c, v, &o, e);

		each(arg, &l);
	}
}

bool
verify_matches(const struct verify_case *c, const char *beginning)
{
	size_t n = strlen(beginning);
	char next;

	if (strncmp(c->name, beginning, n) != 0)
		return false;
	next = c->name[n];
	return n == 0 || next < '0' || next > '9' || beginning[n - 1] < '0' ||
	    beginning[n - 1] > '9';
}

/* ---- text and JSON ---- */

struct report {
	const struct call *call;
	size_t ok, failed;
	struct json json;
	bool as_json;
};

static const char *
fault(const struct verify_line *l)
{
	if (l->failure != ERR_OK)
		return err_text(l->failure);
	if (!l->known)
		return "no value";
	return l->v->most > 0 && l->tolerance > l->v->most ? "too few samples to tell" : "";
}

static void
name_quantity(char out[static 32], const struct verify_value *v, const struct verify_case *c)
{
	bool many = c->values[1].quantity != VERIFY_NONE && c->setup.count_count > 0;

	if (many && v->index < VERIFY_INDEXES - 1)
		(void)snprintf(out, 32, "%s %u", quantities[v->quantity], v->index + 1);
	else
		(void)snprintf(out, 32, "%s", quantities[v->quantity]);
}

static void
print_text(FILE *f, const struct verify_line *l)
{
	char quantity[32];

	name_quantity(quantity, l->v, l->c);
	(void)fprintf(f, "%-6s  %-42s  %-18s ", l->ok ? "ok" : "FAILED", l->c->name, quantity);
	if (l->known)
		(void)fprintf(f, "%12.7g", l->value);
	else
		(void)fprintf(f, "%12s", "-");
	(void)fprintf(f, " %12.7g %9.2g %c  %s%s%s\n", l->v->reference, l->tolerance,
	    l->v->most > 0 ? 's' : ' ', l->c->source, fault(l)[0] != '\0' ? "; " : "", fault(l));
}

static void
print_json(struct json *j, const struct verify_line *l)
{
	char quantity[32];

	name_quantity(quantity, l->v, l->c);
	json_object(j);
	json_key(j, "name"), json_string(j, l->c->name);
	json_key(j, "quantity"), json_string(j, quantity);
	json_key(j, "source"), json_string(j, l->c->source);
	if (l->c->note != NULL)
		json_key(j, "note"), json_string(j, l->c->note);
	json_key(j, "value");
	if (l->known)
		json_double(j, l->value);
	else
		json_null(j);
	json_key(j, "reference"), json_double(j, l->v->reference);
	json_key(j, "tolerance"), json_double(j, l->tolerance);
	if (l->v->most > 0) {
		json_key(j, "standard_error"), json_double(j, l->error);
		json_key(j, "tolerance_most"), json_double(j, l->v->most);
	}
	json_key(j, "ok"), json_bool(j, l->ok);
	if (fault(l)[0] != '\0')
		json_key(j, "reason"), json_string(j, fault(l));
	json_close(j);
}

static void
on_line(void *arg, const struct verify_line *l)
{
	struct report *r = arg;

	r->ok += l->ok ? 1 : 0;
	r->failed += l->ok ? 0 : 1;
	if (r->as_json) {
		print_json(&r->json, l);
		return;
	}
	print_text(r->call->out, l);
	(void)fflush(r->call->out);
}

/* ---- the command ---- */

static bool
wanted(const struct call *call, const struct verify_case *c)
{
	const struct verify_options *o = call->own;

	if (o->quick && c->slow)
		return false;
	for (size_t i = 0; i < call->operand_count; i++)
		if (verify_matches(c, call->operands[i]))
			return true;
	return call->operand_count == 0;
}

static void
list_case(FILE *f, const struct verify_case *c)
{
	(void)fprintf(f, "%-40s%s%s%s\n", c->name, c->source, c->note != NULL ? "; " : "",
	    c->note != NULL ? c->note : "");
}

/* The cases that are wanted, and what came of them. */
struct cases {
	struct report *report;
	struct outcome {
		size_t place; /* in the table */
		struct verify_line lines[VERIFY_VALUES];
		size_t count;
		bool over;
	} *of;
	size_t count, reported;
};

static enum err
choose_cases(struct cases *all, const struct call *call)
{
	all->of = calloc(verify_table_count, sizeof(*all->of));
	if (all->of == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < verify_table_count; i++)
		if (wanted(call, &verify_table[i]))
			all->of[all->count++].place = i;
	return ERR_OK;
}

static void
keep_line(void *arg, const struct verify_line *l)
{
	struct outcome *o = arg;

	o->lines[o->count++] = *l;
}

/* A case has the same draws whichever others are run. */
static enum err
run_case(void *arg, size_t i, struct diag *d)
{
	const struct cases *all = arg;
	const struct verify_options *own = all->report->call->own;
	struct outcome *o = &all->of[i];

	(void)d; /* a case that cannot be run is a line too */
	verify_one(&verify_table[o->place], (uint64_t)own->seed * UINT64_C(1000003) + o->place,
	    keep_line, o);
	return ERR_OK;
}

/* Lines are printed as soon as all before them are, so that their order is the table's. */
static void
case_over(void *arg, size_t i)
{
	struct cases *all = arg;

	all->of[i].over = true;
	while (all->reported < all->count && all->of[all->reported].over) {
		const struct outcome *o = &all->of[all->reported++];

		for (size_t k = 0; k < o->count; k++)
			on_line(all->report, &o->lines[k]);
	}
}

static enum err
run_cases(struct report *r, struct diag *d)
{
	const struct verify_options *own = r->call->own;
	struct cases all = { .report = r };
	enum err e = choose_cases(&all, r->call);

	if (e == ERR_OK && all.count == 0)
		e = diag_set(d, ERR_USAGE,
		    "no case has a name that begins so: see restante-evaluate verify --list");
	for (size_t i = 0; i < all.count && own->list; i++)
		list_case(r->call->out, &verify_table[all.of[i].place]);
	if (e == ERR_OK && !own->list) {
		const struct jobs jobs = { all.count, run_case, case_over, &all };

		e = jobs_run(&jobs, jobs_threads(own->jobs), d);
	}
	free(all.of);
	return e;
}

static int
end_json(struct report *r, struct buf *out)
{
	enum err e;

	json_close(&r->json);
	json_key(&r->json, "ok"), json_u64(&r->json, r->ok);
	json_key(&r->json, "failed"), json_u64(&r->json, r->failed);
	json_close(&r->json);
	json_newline(&r->json);
	e = json_end(&r->json);
	if (e != ERR_OK)
		return options_fail(r->call, e, NULL);
	(void)fwrite(out->data, 1, out->len, r->call->out);
	return OPTIONS_EXIT_OK;
}

static void
begin_json(struct report *r, struct buf *out)
{
	const struct verify_options *o = r->call->own;

	json_init(&r->json, out, JSON_MAX);
	json_object(&r->json);
	json_key(&r->json, "seed"), json_i64(&r->json, o->seed);
	json_key(&r->json, "sigmas"), json_u64(&r->json, VERIFY_SIGMAS);
	json_key(&r->json, "checks");
	json_array(&r->json);
}

int
verify_run(const struct call *call)
{
	const struct verify_options *o = call->own;
	struct report r = { .call = call, .as_json = o->json && !o->list };
	int code = OPTIONS_EXIT_OK;
	struct diag d = { "" };
	struct buf out;
	enum err e;

	buf_init(&out);
	if (r.as_json)
		begin_json(&r, &out);
	else if (!o->list)
		(void)fprintf(call->out, "%-6s  %-42s  %-18s %12s %12s %9s    %s\n", "", "case",
		    "quantity", "value", "reference", "tolerance", "source");
	e = run_cases(&r, &d);
	if (e != ERR_OK) {
		buf_release(&out);
		return options_fail(call, e, &d);
	}
	if (r.as_json)
		code = end_json(&r, &out);
	else if (!o->list)
		(void)fprintf(call->out, "%zu ok, %zu failed, seed %" PRId64 "\n", r.ok, r.failed,
		    o->seed);
	buf_release(&out);
	return code == OPTIONS_EXIT_OK && r.failed > 0 ? OPTIONS_EXIT_FAILURE : code;
}
