/*
 * A strict reader of JSON (RFC 8259), for what this program itself has written: a tree of
 * values in one piece of memory. Pure.
 *
 * More than this is refused: a depth above 32, text behind the value, a NUL in a string, a
 * key twice in an object is taken at its first place.
 */
#ifndef EVALUATION_JSONREAD_H
#define EVALUATION_JSONREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define JSONREAD_DEPTH_MAX 32
#define JSONREAD_VALUES_MAX 4000000

enum jsonread_type {
	JSONREAD_NULL,
	JSONREAD_BOOL,
	JSONREAD_NUMBER,
	JSONREAD_STRING,
	JSONREAD_ARRAY,
	JSONREAD_OBJECT,
};

struct jsonread;
struct jsonread_value {
	enum jsonread_type type;
	const char *key;  /* in an object; else NULL */
	const char *text; /* of a string, with its NUL; else NULL */
	double number;	  /* and 1 of true */
	size_t child, next; /* places of the first child and of the next in the parent; 0: none */
};

/* ERR_MALFORMED with the place, ERR_FULL, ERR_MEMORY. text is copied. */
RST_MUST_USE enum err jsonread_parse(struct jsonread **out, const void *text, size_t len,
    struct diag *d);
void jsonread_free(struct jsonread *j);

/* NULLs are passed on, so that look-ups can be chained. */
const struct jsonread_value *jsonread_root(const struct jsonread *j);
const struct jsonread_value *jsonread_get(const struct jsonread *j,
    const struct jsonread_value *object, const char *key);
const struct jsonread_value *jsonread_child(const struct jsonread *j,
    const struct jsonread_value *v);
const struct jsonread_value *jsonread_next(const struct jsonread *j,
    const struct jsonread_value *v);
/* What is there under a key; "" and false if there is nothing of that type. */
const char *jsonread_text(const struct jsonread *j, const struct jsonread_value *object,
    const char *key);
bool jsonread_number(double *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *key);

#endif
