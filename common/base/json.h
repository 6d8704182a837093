/*
 * A streaming JSON writer (RFC 8259) for --json outputs and reports.
 *
 *   json_init(&j, &buf, max);
 *   json_object(&j);
 *   json_key(&j, "epoch"), json_u64(&j, 7);
 *   json_close(&j);
 *   e = json_end(&j);
 *
 * The first failure is sticky; json_end() reports it. Strings are text from
 * anywhere: bytes that are not UTF-8 become U+FFFD, control characters (C1 and
 * DEL too, for terminals) are escaped.
 */
#ifndef COMMON_BASE_JSON_H
#define COMMON_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define JSON_DEPTH_MAX 32

struct json {
	struct buf *out;
	size_t max;
	enum err err;
	unsigned depth;
	uint32_t objects;  /* bit i: level i is an object */
	uint32_t nonempty; /* bit i: level i has a value */
	bool keyed;        /* a key waits for its value */
	bool done;         /* a whole value stands there */
};

/* Append one JSON value to out, which may grow to max bytes. */
void json_init(struct json *j, struct buf *out, size_t max);
/* Open an object or an array, close the innermost one. */
void json_object(struct json *j);
void json_array(struct json *j);
void json_close(struct json *j);
/* The key of the next value of an object. */
void json_key(struct json *j, const char *key);
void json_string(struct json *j, const char *s);
void json_string_n(struct json *j, const char *s, size_t n);
void json_i64(struct json *j, int64_t v);
void json_u64(struct json *j, uint64_t v);
/* 17 significant digits; null for infinities and NaN, which JSON lacks. */
void json_double(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* A newline: after the value, or between values of a stream of lines. */
void json_newline(struct json *j);
/* The sticky error; ERR_STATE if the calls did not form complete values. */
RST_MUST_USE enum err json_end(const struct json *j);

#endif
