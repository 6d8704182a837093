#include "config.h"

#include "mix/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/log.h"

#define COARSE 10
#define LINE 512
#define VALUE 4 /* columns of a value in a row, so that most rows align */

static void put(struct report *r, const char *fmt, ...) RST_PRINTF(2, 3);

static void
put(struct report *r, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	if (r->err == ERR_OK)
		r->err = buf_append(r->out, line, (size_t)n, REPORT_MAX);
}

void
report_begin(struct report *r, struct buf *out, bool json)
{
	*r = (struct report){ .out = out, .json = json };
	if (json) {
		json_init(&r->j, out, REPORT_MAX);
		json_object(&r->j);
	}
}

static void
close_section(struct report *r)
{
	if (r->in_section && r->json)
		json_close(&r->j);
	r->in_section = false;
}

enum err
report_end(struct report *r)
{
	close_section(r);
	if (!r->json)
		return r->err;
	json_close(&r->j);
	json_newline(&r->j);
	return json_end(&r->j);
}

/* A key as people read it. */
static void
words(char out[static 32], const char *key)
{
	(void)snprintf(out, 32, "%s", key);
	for (char *s = out; *s != '\0'; s++)
		if (*s == '_')
			*s = ' ';
}

static void
heading(struct report *r, const char *key)
{
	char text[32];

	words(text, key);
	put(r, "%s\n", text);
}

void
report_section(struct report *r, const char *key)
{
	close_section(r);
	r->in_section = true;
	if (r->json) {
		json_key(&r->j, key);
		json_object(&r->j);
	} else {
		heading(r, key);
	}
}

void
report_list(struct report *r, const char *key)
{
	close_section(r);
	r->in_row = false;
	if (r->json) {
		json_key(&r->j, key);
		json_array(&r->j);
	} else {
		heading(r, key);
	}
}

static void
close_row(struct report *r)
{
	if (r->in_row && r->json)
		json_close(&r->j);
	else if (r->in_row)
		put(r, "\n");
}

void
report_row(struct report *r)
{
	close_row(r);
	r->in_row = true;
	r->pad = 2;
	if (r->json)
		json_object(&r->j);
}

void
report_close_list(struct report *r)
{
	close_row(r);
	if (r->json)
		json_close(&r->j);
	else if (!r->in_row)
		put(r, "  none\n");
	r->in_row = false;
}

static void
text_value(struct report *r, const char *key, const char *v)
{
	char name[32];

	words(name, key);
	if (r->in_row) {
		put(r, "%*s%s %s", (int)r->pad, "", name, v);
		r->pad = 2 + (strlen(v) < VALUE ? VALUE - (unsigned)strlen(v) : 0);
	} else if (r->in_section) {
		put(r, "  %-16s %s\n", name, v);
	} else {
		put(r, "%-18s %s\n", name, v);
	}
}

void
report_u64(struct report *r, const char *key, uint64_t v)
{
	char text[24];

	if (r->json) {
		json_key(&r->j, key);
		json_u64(&r->j, v);
		return;
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	text_value(r, key, text);
}

void
report_count(struct report *r, const char *key, uint64_t v)
{
	report_u64(r, key, v - v % COARSE);
}

void
report_bool(struct report *r, const char *key, bool v)
{
	if (r->json) {
		json_key(&r->j, key);
		json_bool(&r->j, v);
		return;
	}
	text_value(r, key, v ? "yes" : "no");
}

void
report_text(struct report *r, const char *key, const char *v)
{
	if (r->json) {
		json_key(&r->j, key);
		if (v != NULL)
			json_string(&r->j, v);
		else
			json_null(&r->j);
		return;
	}
	if (v != NULL)
		text_value(r, key, v);
}

void
report_time(struct report *r, const char *key, int64_t wall_ms)
{
	char text[CIVIL_TEXT_BYTES];

	civil_text(text, log_rounded_ms(wall_ms));
	report_text(r, key, wall_ms != 0 ? text : NULL);
}
