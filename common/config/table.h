/*
 * Configuration from one table: the same rows parse a file or a command line,
 * print the defaults, describe the keys in --help, and are what the man page
 * is checked against.
 *
 *   # a comment
 *   key = value
 *
 * A '#' starts a comment at the start of a line or a value, or after a blank. Unknown and
 * repeated keys, values out of range and everything else that may be a mistake
 * are errors with file, line, cause and remedy.
 *
 * (Not config.h: that name is autoconf's. The prefix of this directory is config_.)
 */
#ifndef COMMON_CONFIG_TABLE_H
#define COMMON_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/config/value.h"

#define CONFIG_FILE_MAX 65536 /* bytes of a file */
#define CONFIG_LINE_MAX 1024  /* bytes of a line */
#define CONFIG_KEYS_MAX 64    /* rows of a table */

enum config_type {
	CONFIG_BOOL,     /* bool: "yes", "no" */
	CONFIG_INTEGER,  /* int64_t */
	CONFIG_DECIMAL,  /* int64_t: thousandths */
	CONFIG_DURATION, /* int64_t: milliseconds */
	CONFIG_SIZE,     /* int64_t: bytes */
	CONFIG_STRING,   /* char[size], as the following two */
	CONFIG_PATH,     /* absolute; empty if not given and not required */
	CONFIG_ADDRESS,  /* see config_address(); likewise */
	CONFIG_ENUM,     /* int or an enum: the number of the choice */
};

struct config_key {
	const char *name; /* [a-z0-9-]+ */
	enum config_type type;
	int64_t min, max;           /* of a number; of the length of a string (max 0: as it fits) */
	const char *fallback;       /* the default as text; NULL: the key is required */
	const char *unit;           /* for people: "PATH", "packets"; NULL: by type */
	const char *help;           /* a sentence or a few words, without a full stop */
	const char *const *choices; /* CONFIG_ENUM: NULL-terminated */
	size_t offset, size;        /* CONFIG_FIELD(struct, member) */
	/*
	 * Instead of storing: take a value that passed the checks of its type. For
	 * keys that may be repeated. Called again for an object that is thrown
	 * away, so it stores into target and owns nothing elsewhere.
	 */
	enum err (*set)(void *target, const char *value, struct diag *d);
	bool repeated; /* may stand more than once; needs set, takes no default */
	char letter;   /* on a command line: the short option, or 0 */
	/*
	 * Of a text, besides: whether it is of the form that it must have; the sentence
	 * names the key.
	 */
	enum err (*check)(const struct config_key *k, const char *value, struct diag *d);
};

/* The last fields of a row. */
#define CONFIG_FIELD(type, member)                                                                 \
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

struct config_schema {
	const struct config_key *keys;
	size_t count;
	size_t size; /* of the struct that the offsets point into */
};

/* Store every default; required fields become zero. */
void config_defaults(void *target, const struct config_schema *s);

/*
 * Check one value and store it. The sentence names the key, and never repeats
 * the value (it may be a secret). ERR_NOT_FOUND for an unknown key,
 * ERR_MALFORMED, ERR_RANGE, or what a setter returns.
 */
RST_MUST_USE enum err config_set(void *target, const struct config_schema *s, const char *key,
    const char *value, struct diag *d);

/*
 * Parse the bytes of a file; `file` names it in sentences. Keys that are
 * absent get their default. On failure target is not touched.
 */
RST_MUST_USE enum err config_parse(void *target, const struct config_schema *s, const char *file,
    const void *text, size_t len, struct diag *d);

/* Read a file and parse it. ERR_NOT_FOUND, ERR_IO, and those of config_parse(). */
RST_MUST_USE enum err config_load(
    void *target, const struct config_schema *s, const char *path, struct diag *d);

/* A file with every key, its meaning and its default, as a start for one's own. */
void config_print_defaults(FILE *out, const struct config_schema *s);
/* A file with the values of target (keys with a setter are left out). */
void config_print(FILE *out, const struct config_schema *s, const void *target);
/* One paragraph for each key: name, type, range, default, meaning. */
void config_describe(FILE *out, const struct config_schema *s);

/* "a duration, 1s to 1h", "one of: tor, loopback": what a value of k looks like. */
void config_form(char *out, size_t size, const struct config_key *k);

const struct config_key *config_find(const struct config_schema *s, const char *key);

#endif
