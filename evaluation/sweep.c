#include "config.h"

#include "evaluation/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/figures.h"
#include "evaluation/jobs.h"
#include "evaluation/run.h"

#define NAME_BYTES 1024

struct axis {
	char *text; /* "KEY\0VALUE\0VALUE\0..." */
	char **values;
	size_t count;
};

struct point {
	char name[NAME_BYTES]; /* "people=20 slot=1s", for sentences */
	struct scenario scenario;
	char *rows; /* of the table, once it has run */
	size_t len;
	bool empty;
};

struct sweep {
	struct axis axes[SWEEP_AXES_MAX];
	size_t axis_count;
	struct point *points;
	size_t count;
	/* while it runs */
	size_t over;
	void (*done)(void *arg, size_t n);
	void *arg;
};

/* ---- the grid ---- */

static size_t
commas(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == ',';
	return n;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* Up to the next comma, without the blanks around it, cut off; what follows the comma. */
static char *
cut_value(char **value, char *at)
{
	char *end = at + strcspn(at, ","), *next = end + (*end != '\0');

	while (*at == ' ')
		at++;
	while (end > at && end[-1] == ' ')
		end--;
	*end = '\0';
	*value = at;
	return next;
}

/* "KEY=VALUE,VALUE" taken to pieces. */
static enum err
cut_axis(struct axis *a, const char *text, struct diag *d)
{
	const char *equals = strchr(text, '=');
	char *at;

	if (equals == NULL || equals == text || equals[1] == '\0' || has_control(text))
		return diag_set(d, ERR_USAGE, "'%.100s' is no axis; give a key of the scenario and "
		    "its values, as in people=20,200,2000", text);
	a->text = strdup(text);
	a->count = commas(equals) + 1;
	a->values = calloc(a->count, sizeof(a->values[0]));
	if (a->text == NULL || a->values == NULL)
		return ERR_MEMORY;
	at = a->text + (equals - text);
	*at++ = '\0';
	for (size_t i = 0; i < a->count; i++)
		at = cut_value(&a->values[i], at);
	return ERR_OK;
}

/* Each value by itself, as the key takes it; text is the axis as it was given. */
static enum err
check_values(const struct axis *a, const struct scenario *base, const char *text, struct diag *d)
{
	struct scenario scratch = *base;

	for (size_t i = 0; i < a->count; i++) {
		struct diag why = { "" };
		enum err e = config_set(&scratch, scenario_schema(), a->text, a->values[i], &why);

		if (e != ERR_OK)
			return diag_set(d, e, "'%.60s' in the axis '%.100s': %.300s", a->values[i], text,
			    why.text);
	}
	return ERR_OK;
}

static enum err
add_axis(struct sweep *s, const struct scenario *base, const char *text, struct diag *d)
{
	struct axis *a = &s->axes[s->axis_count++];
	enum err e = cut_axis(a, text, d);

	if (e != ERR_OK)
		return e;
	if (config_find(scenario_schema(), a->text) == NULL)
		return diag_set(d, ERR_NOT_FOUND, "a scenario has no key '%.100s'; "
		    "`restante-evaluate scenario` lists them", a->text);
	for (struct axis *b = s->axes; b < a; b++)
		if (strcmp(a->text, b->text) == 0)
			return diag_set(d, ERR_USAGE, "'%s' is given twice; give its values in one "
			    "list", a->text);
	e = check_values(a, base, text, d);
	if (e != ERR_OK)
		return e;
	s->count *= a->count;
	if (s->count > SWEEP_POINTS_MAX)
		return diag_set(d, ERR_RANGE, "these are more than %d runs; give fewer values",
		    SWEEP_POINTS_MAX);
	return ERR_OK;
}

/* The value that an axis has at a point of the grid. */
static const char *
value_at(const struct sweep *s, size_t axis, size_t point)
{
	for (size_t i = s->axis_count - 1; i > axis; i--)
		point /= s->axes[i].count;
	return s->axes[axis].values[point % s->axes[axis].count];
}

/* The base, its swept keys with the values of the point. */
static enum err
make_point(struct sweep *s, const struct scenario *base, size_t i, struct diag *d)
{
	struct point *p = &s->points[i];
	size_t used = 0;
	enum err e = ERR_OK;

	p->scenario = *base;
	for (size_t k = 0; k < s->axis_count && e == ERR_OK; k++)
		e = config_set(&p->scenario, scenario_schema(), s->axes[k].text, value_at(s, k, i), d);
	for (size_t k = 0; k < s->axis_count && used < sizeof(p->name); k++)
		used += (size_t)snprintf(p->name + used, sizeof(p->name) - used, "%s%s=%s",
		    k > 0 ? " " : "", s->axes[k].text, value_at(s, k, i));
	return e == ERR_OK ? scenario_check(&p->scenario, p->name, d) : e;
}

static enum err
make_points(struct sweep *s, const struct scenario *base, struct diag *d)
{
	enum err e = ERR_OK;

	s->points = calloc(s->count, sizeof(s->points[0]));
	if (s->points == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < s->count && e == ERR_OK; i++)
		e = make_point(s, base, i, d);
	return e;
}

enum err
sweep_new(struct sweep **out, const struct scenario *base, char *const *axes, size_t n,
    struct diag *d)
{
	struct sweep *s;
	enum err e = ERR_OK;

	if (n == 0 || n > SWEEP_AXES_MAX)
		return diag_set(d, ERR_USAGE, "give 1 to %d axes, as in people=20,200", SWEEP_AXES_MAX);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ERR_MEMORY;
	s->count = 1;
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = add_axis(s, base, axes[i], d);
	if (e == ERR_OK)
		e = make_points(s, base, d);
	if (e == ERR_OK)
		*out = s;
	else
		sweep_free(s);
	return e;
}

void
sweep_free(struct sweep *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->axis_count; i++) {
		free(s->axes[i].text);
		free(s->axes[i].values);
	}
	for (size_t i = 0; s->points != NULL && i < s->count; i++)
		free(s->points[i].rows);
	free(s->points);
	free(s);
}

size_t
sweep_count(const struct sweep *s)
{
	return s->count;
}

/* ---- running ---- */

static enum err
keep_rows(struct point *p, const struct run *r)
{
	struct figures f;
	FILE *out = NULL;
	enum err e = figures_of(&f, &p->scenario, r);

	if (e == ERR_OK && (out = open_memstream(&p->rows, &p->len)) == NULL)
		e = ERR_MEMORY;
	if (e != ERR_OK)
		return e;
	figures_csv(out, &f);
	p->empty = run_empty(r);
	return fclose(out) == 0 ? ERR_OK : ERR_MEMORY;
}

static enum err
run_point(struct point *p, struct diag *d)
{
	struct diag why = { "" };
	struct run *r = NULL;
	enum err e = run_scenario(&r, &p->scenario, NULL, &why);

	if (e == ERR_OK)
		e = keep_rows(p, r);
	run_free(r);
	if (e != ERR_OK)
		(void)diag_set(d, e, "%.200s: %.250s", p->name,
		    why.text[0] != '\0' ? why.text : err_text(e));
	return e;
}

static enum err
run_piece(void *arg, size_t i, struct diag *d)
{
	struct sweep *s = arg;

	return run_point(&s->points[i], d);
}

static void
point_over(void *arg, size_t i)
{
	struct sweep *s = arg;

	(void)i;
	s->over++;
	if (s->done != NULL)
		s->done(s->arg, s->over);
}

enum err
sweep_run(struct sweep *s, unsigned jobs, void (*done)(void *arg, size_t n), void *arg,
    struct diag *d)
{
	const struct jobs work = { s->count, run_piece, point_over, s };

	s->done = done;
	s->arg = arg;
	s->over = 0;
	return jobs_run(&work, jobs, d);
}

/* ---- the table ---- */

/* As RFC 4180: in quotes, the quotes within doubled, where it is not plain. */
static void
put_value(FILE *out, const char *value)
{
	if (strpbrk(value, " \"") == NULL) {
		(void)fputs(value, out);
		return;
	}
	(void)fputc('"', out);
	for (; *value != '\0'; value++) {
		if (*value == '"')
			(void)fputc('"', out);
		(void)fputc(*value, out);
	}
	(void)fputc('"', out);
}

static void
put_values(FILE *out, const struct sweep *s, size_t point)
{
	for (size_t i = 0; i < s->axis_count; i++) {
		put_value(out, value_at(s, i, point));
		(void)fputc(',', out);
	}
}

void
sweep_csv(FILE *out, const struct sweep *s)
{
	for (size_t i = 0; i < s->axis_count; i++)
		(void)fprintf(out, "%s,", s->axes[i].text);
	(void)fprintf(out, "%s\n", FIGURES_CSV_HEADER);
	for (size_t i = 0; i < s->count; i++) {
		const char *at = s->points[i].rows;

		at += strcspn(at, "\n") + 1; /* its own header */
		for (size_t n; *at != '\0'; at += n) {
			n = strcspn(at, "\n") + 1;
			put_values(out, s, i);
			(void)fwrite(at, 1, n, out);
		}
	}
}

bool
sweep_empty(const struct sweep *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->points[i].empty)
			return false;
	return true;
}
