/*
 * Secrets as valgrind's memcheck sees them: bytes marked undefined stay so through
 * every computation, and a branch or an address that depends on one is an error that
 * is counted. What becomes public is marked defined, with the reason.
 */
#ifndef TESTS_CONSTANT_MARKED_H
#define TESTS_CONSTANT_MARKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"

/* n bytes are secret from now on. */
void mark_secret(void *p, size_t n);
/* n bytes are public from now on; `why` is printed once, for the report. */
void mark_public(const void *p, size_t n, const char *why);
/* Whether any bit of n bytes is secret, without an error. */
bool is_secret(const void *p, size_t n);
/* Errors so far. */
unsigned long marked_errors(void);

/*
 * ristretto255's multiplication past every suppression: of a point that is public there is
 * nothing to suppress, and the scalar's way can be seen alone.
 */
int bare_multiply(uint8_t out[static 32], const uint8_t scalar[static 32],
    const uint8_t point[static 32]);

/* A source of random bytes that are secret, from a fixed seed. */
const struct rng *secret_rng(void);

#endif
