#include "config.h"

#include "evaluation/csvread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct csvread {
	char *text; /* cells are cut out of it */
	const char **cells;
	size_t columns, count, room;
};

static enum err
add(struct csvread *c, const char *cell)
{
	const char **cells;
	size_t room = c->room > 0 ? 2 * c->room : 256;

	if (c->count == c->room) {
		if (room > CSVREAD_CELLS_MAX)
			return ERR_FULL;
		cells = realloc(c->cells, room * sizeof(*cells));
		if (cells == NULL)
			return ERR_MEMORY;
		c->cells = cells;
		c->room = room;
	}
	c->cells[c->count++] = cell;
	return ERR_OK;
}

/* One cell from *at on, without quotes; *at is then at what ends it. NULL: malformed. */
static char *
cut(char **at)
{
	char *begin = *at, *to = *at, *s = *at;

	if (*s != '"') {
		s += strcspn(s, ",\n\"");
		*at = s;
		return *s != '"' ? begin : NULL;
	}
	for (s++; *s != '\0'; s++) {
		if (*s == '"' && *++s != '"')
			break;
		*to++ = *s;
	}
	if (s[-1] != '"' || (*s != ',' && *s != '\n'))
		return NULL;
	*at = s;
	if (to < s)
		*to = '\0';
	return begin;
}

/* A line; the first sets how many columns there are. */
static enum err
line(struct csvread *c, char **at)
{
	size_t before = c->count;
	char end;

	do {
		char *cell = cut(at);
		enum err e;

		end = **at;
		if (cell == NULL || end == '\0')
			return ERR_MALFORMED;
		**at = '\0';
		(*at)++;
		e = add(c, cell);
		if (e != ERR_OK)
			return e;
	} while (end == ',');
	if (c->columns == 0)
		c->columns = c->count;
	return c->count - before == c->columns && c->columns <= CSVREAD_COLUMNS_MAX ? ERR_OK :
										      ERR_MALFORMED;
}

enum err
csvread_parse(struct csvread **out, const void *text, size_t len, struct diag *d)
{
	struct csvread *c = calloc(1, sizeof(*c));
	size_t number = 0;
	enum err e = ERR_OK;
	char *at;

	if (c == NULL)
		return ERR_MEMORY;
	at = c->text = malloc(len + 1);
	if (c->text == NULL) {
		free(c);
		return ERR_MEMORY;
	}
	if (len > 0)
		memcpy(c->text, text, len);
	c->text[len] = '\0';
	if (strlen(c->text) != len || len == 0)
		e = ERR_MALFORMED;
	while (e == ERR_OK && *at != '\0') {
		number++;
		e = line(c, &at);
	}
	if (e == ERR_OK) {
		*out = c;
		return ERR_OK;
	}
	(void)diag_set(d, e, "line %zu is not a row of a table like the first", number);
	csvread_free(c);
	return e;
}

void
csvread_free(struct csvread *c)
{
	if (c == NULL)
		return;
	free(c->text);
	free(c->cells);
	free(c);
}

size_t
csvread_columns(const struct csvread *c)
{
	return c->columns;
}

size_t
csvread_rows(const struct csvread *c)
{
	return c->count / c->columns - 1;
}

const char *
csvread_name(const struct csvread *c, size_t column)
{
	return c->cells[column];
}

size_t
csvread_find(const struct csvread *c, const char *name)
{
	size_t i = 0;

	while (i < c->columns && strcmp(c->cells[i], name) != 0)
		i++;
	return i;
}

const char *
csvread_cell(const struct csvread *c, size_t row, size_t column)
{
	return c->cells[(row + 1) * c->columns + column];
}

bool
csvread_number(double *out, const struct csvread *c, size_t row, size_t column)
{
	const char *text;
	char *end;
	double v;

	if (column >= c->columns)
		return false;
	text = csvread_cell(c, row, column);
	if (strspn(text, "+-.0123456789eE") != strlen(text))
		return false; /* strtod takes more than that */
	v = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(v))
		return false;
	*out = v;
	return true;
}
