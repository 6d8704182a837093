/*
 * Known-answer files, read and written: one "name value" per line, in a fixed
 * order; a value is a decimal number or hexadecimal bytes ("-" for none). Lines
 * that begin with # and empty lines are for people. The same format as in
 * tests/reference/vectors.py.
 *
 * Whatever is wrong with a file or an answer ends the program with a sentence.
 */
#ifndef TESTS_VECTORS_VECTORS_H
#define TESTS_VECTORS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vectors {
	FILE *in;
	const char *path;
	unsigned long line;
	char *text; /* the line read ahead, or NULL at the end */
	size_t room;
};

void vectors_open(struct vectors *v, const char *path);
void vectors_close(struct vectors *v);
/* Whether another value follows. */
bool vectors_more(struct vectors *v);
/* The next value, which must have this name, and lie in 0..max. */
uint64_t vectors_u64(struct vectors *v, const char *name, uint64_t max);
/* Exactly n bytes. */
void vectors_bytes(struct vectors *v, void *out, size_t n, const char *name);
/* At most max bytes; returns how many. */
size_t vectors_string(struct vectors *v, void *out, size_t max, const char *name);

void vectors_put_case(const char *text);
void vectors_put_u64(const char *name, uint64_t value);
void vectors_put_bytes(const char *name, const void *p, size_t n);

/* End the program unless ok: the case before this line of the file is wrong. */
void vectors_must(const struct vectors *v, bool ok, const char *what);
void vectors_same(const struct vectors *v, const void *got, const void *want, size_t n,
    const char *what);

/* One kind of vectors. */
void onion_vectors_make(void);
void onion_vectors_check(struct vectors *v);
void record_vectors_make(void);
void record_vectors_check(struct vectors *v);
void block_vectors_make(void);
void block_vectors_check(struct vectors *v);
void contact_vectors_make(void);
void contact_vectors_check(struct vectors *v);
void renewal_vectors_make(void);
void renewal_vectors_check(struct vectors *v);
void voprf_vectors_make(void);
void voprf_vectors_check(struct vectors *v);
void founding_vectors_make(void);
void founding_vectors_check(struct vectors *v);

#endif
