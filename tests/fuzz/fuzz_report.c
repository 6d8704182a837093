/*
 * What a report reads: JSON and tables. Whatever is taken can be walked through, and ends;
 * and what is shown of any text is no markup.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/csvread.h"
#include "evaluation/html.h"
#include "evaluation/jsonread.h"

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
check_text(const char *s)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	demand(f != NULL);
	html_text(f, s);
	demand(fclose(f) == 0);
	demand(strpbrk(text, "<>\"'") == NULL);
	free(text);
}

static void
walk(const struct jsonread *j, const struct jsonread_value *v, unsigned depth)
{
	demand(depth <= JSONREAD_DEPTH_MAX + 1);
	demand((v->text != NULL) == (v->type == JSONREAD_STRING));
	if (v->text != NULL)
		check_text(v->text);
	for (const struct jsonread_value *c = jsonread_child(j, v); c != NULL;
	     c = jsonread_next(j, c)) {
		demand((c->key != NULL) == (v->type == JSONREAD_OBJECT));
		demand(c->key == NULL || jsonread_get(j, v, c->key) != NULL);
		walk(j, c, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsonread *j = NULL;
	struct csvread *c = NULL;
	struct diag d = { "" };

	if (jsonread_parse(&j, data, size, &d) == ERR_OK)
		walk(j, jsonread_root(j), 1);
	else
		demand(strncmp(d.text, "byte ", 5) == 0);
	jsonread_free(j);
	d.text[0] = '\0';
	if (csvread_parse(&c, data, size, &d) == ERR_OK) {
		for (size_t r = 0; r < csvread_rows(c); r++)
			for (size_t i = 0; i < csvread_columns(c); i++)
				check_text(csvread_cell(c, r, i));
	} else {
		demand(strncmp(d.text, "line ", 5) == 0);
	}
	csvread_free(c);
	return 0;
}
