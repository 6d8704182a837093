/*
 * A reader of the tables that this program writes (RFC 4180): a line of names, then rows
 * of as many cells. Pure.
 */
#ifndef EVALUATION_CSVREAD_H
#define EVALUATION_CSVREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define CSVREAD_COLUMNS_MAX 256
#define CSVREAD_CELLS_MAX 16000000

struct csvread;

/* ERR_MALFORMED with the line, ERR_FULL, ERR_MEMORY. text is copied. */
RST_MUST_USE enum err csvread_parse(struct csvread **out, const void *text, size_t len,
    struct diag *d);
void csvread_free(struct csvread *c);

size_t csvread_columns(const struct csvread *c);
size_t csvread_rows(const struct csvread *c); /* without the names */
const char *csvread_name(const struct csvread *c, size_t column);
/* The column of this name, or csvread_columns(). */
size_t csvread_find(const struct csvread *c, const char *name);
const char *csvread_cell(const struct csvread *c, size_t row, size_t column);
/* False if there is no finite number, or no such column. */
bool csvread_number(double *out, const struct csvread *c, size_t row, size_t column);

#endif
