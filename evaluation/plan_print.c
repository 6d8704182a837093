#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/json.h"
#include "evaluation/figures.h"
#include "evaluation/plan.h"

#define JSON_MAX_BYTES ((size_t)1 << 20)

/* ---- for people ---- */

/* "1.23 GB", of thousands. */
static void
bytes_text(char *out, size_t size, double v, const char *per)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	size_t i = 0;

	while (v >= 999.5 && i + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		i++;
	}
	(void)snprintf(out, size, "%.3g %s%s", v, units[i], per);
}

static void
time_text(char *out, size_t size, double ms)
{
	if (ms < 120000)
		(void)snprintf(out, size, "%.3g s", ms / 1000);
	else if (ms < 7200000)
		(void)snprintf(out, size, "%.1f min", ms / 60000);
	else
		(void)snprintf(out, size, "%.1f h", ms / 3600000);
}

static void
value_text(char *out, size_t size, const struct plan_figure *f)
{
	if (strcmp(f->unit, "bytes/day") == 0)
		bytes_text(out, size, f->value, " a day");
	else if (strcmp(f->unit, "bytes") == 0)
		bytes_text(out, size, f->value, "");
	else if (strcmp(f->unit, "ms") == 0)
		time_text(out, size, f->value);
	else if (strcmp(f->unit, "share") == 0)
		(void)snprintf(out, size, "%.3g %%", 100 * f->value);
	else if (f->value >= 1000)
		(void)snprintf(out, size, "%.0f", f->value);
	else
		(void)snprintf(out, size, "%.4g", f->value);
}

static const char *
title_of(const char *group)
{
	static const char *const titles[][2] = { { "client", "A client" },
		{ "delay", "A message" }, { "anonymity", "Among how many" },
		{ "gateway", "The gateway" }, { "mix", "A mix" },
		{ "attacks", "Attacks, by closed forms" } };

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (strcmp(titles[i][0], group) == 0)
			return titles[i][1];
	return group;
}

static void
print_parameters(FILE *out, const struct params *p)
{
	char value[PARAMS_VALUE_BYTES];
	static const char *const keys[] = { "slot", "round", "layers", "mailboxes", "pieces",
		"strategy.0" };

	(void)fprintf(out, "%u people; ", p->people);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (params_get(value, p, keys[i]) == ERR_OK)
			(void)fprintf(out, "%s%s %s", i > 0 ? ", " : "", keys[i], value);
	(void)fputc('\n', out);
}

void
plan_print_text(FILE *out, const struct plan *p)
{
	const char *group = "";
	char value[64];

	print_parameters(out, &p->question.params);
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_figure *f = &p->figures[i];

		if (strcmp(group, f->group) != 0)
			(void)fprintf(out, "\n%s\n", title_of(f->group));
		group = f->group;
		if (f->reason != NULL) {
			(void)fprintf(out, "  %-58s -\n      (%s)\n", f->label, f->reason);
			continue;
		}
		value_text(value, sizeof(value), f);
		(void)fprintf(out, "  %-58s %s\n", f->label, value);
	}
}

/* A line of what reaches a target, or of what was asked about. */
static void
print_brief(FILE *out, const char *what, const struct plan *p)
{
	char bytes[64], time[64];

	bytes_text(bytes, sizeof(bytes), p->client_bytes, " a day and client");
	time_text(time, sizeof(time), p->delay.p95_ms);
	(void)fprintf(out, "  %s: 95 of 100 messages within %s, one of at least %.0f people, %s\n",
	    what, time, floor(p->least_people + 1e-9), bytes);
}

void
plan_print_advice(FILE *out, const struct plan *p, const struct plan_advice *a)
{
	char changes[PLAN_SENTENCES_BYTES];

	(void)fprintf(out, "\nTarget\n");
	print_brief(out, "as it is", p);
	if (a->met) {
		(void)fprintf(out, "  It is met: nothing needs to be changed.\n");
	} else if (a->better != NULL) {
		plan_changes(changes, &p->question.params, &a->better->question.params);
		print_brief(out, "changed", a->better);
		(void)fprintf(out, "  To reach it: restante-charter set DRAFT %s\n", changes);
	} else {
		(void)fprintf(out, "  It cannot be reached. %s\n", a->why);
	}
}

/* ---- for programs ---- */

static void
json_parameters(struct json *j, const struct params *p)
{
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];

	json_object(j);
	for (size_t i = 0; params_key(key, p, i); i++)
		if (params_get(value, p, key) == ERR_OK) {
			json_key(j, key);
			json_string(j, value);
		}
	json_close(j);
}

static void
json_number(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_double(j, figures_round(v));
}

static void
json_brief(struct json *j, const struct plan *p)
{
	json_number(j, "delay_p95_ms", p->delay.p95_ms);
	json_number(j, "least_people", p->least_people);
	json_number(j, "client_bytes_per_day", p->client_bytes);
}

static void
json_figures(struct json *j, const struct plan *p)
{
	json_key(j, "figures");
	json_array(j);
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_figure *f = &p->figures[i];

		json_object(j);
		json_key(j, "group");
		json_string(j, f->group);
		json_key(j, "figure");
		json_string(j, f->name);
		json_key(j, "unit");
		json_string(j, f->unit);
		json_number(j, "value", f->reason == NULL ? f->value : (double)NAN);
		json_key(j, "reason");
		if (f->reason != NULL)
			json_string(j, f->reason);
		else
			json_null(j);
		json_close(j);
	}
	json_close(j);
}

static void
json_advice(struct json *j, const struct plan_advice *a)
{
	json_key(j, "target");
	json_object(j);
	json_number(j, "delay_p95_ms", a->target->delay_p95_ms);
	json_number(j, "least_people", a->target->people);
	json_number(j, "client_bytes_per_day", a->target->client_bytes);
	json_key(j, "met");
	json_bool(j, a->met);
	json_key(j, "change");
	if (a->better != NULL) {
		json_object(j);
		json_brief(j, a->better);
		json_key(j, "parameters");
		json_parameters(j, &a->better->question.params);
		json_close(j);
	} else {
		json_null(j);
	}
	json_key(j, "reason");
	if (!a->met && a->better == NULL)
		json_string(j, a->why);
	else
		json_null(j);
	json_close(j);
}

enum err
plan_print_json(FILE *out, const struct plan *p, const struct plan_advice *a)
{
	struct buf b;
	struct json j;
	enum err e;

	buf_init(&b);
	json_init(&j, &b, JSON_MAX_BYTES);
	json_object(&j);
	json_key(&j, "format");
	json_string(&j, "restante-plan");
	json_key(&j, "version");
	json_u64(&j, 1);
	json_number(&j, "messages_per_day", p->question.messages_per_day);
	json_number(&j, "online", p->question.online);
	json_brief(&j, p);
	json_key(&j, "parameters");
	json_parameters(&j, &p->question.params);
	json_figures(&j, p);
	if (a != NULL)
		json_advice(&j, a);
	json_close(&j);
	json_newline(&j);
	e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(b.data, 1, b.len, out);
	buf_release(&b);
	return e;
}
