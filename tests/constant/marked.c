#include "config.h"

#include "tests/constant/marked.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define REASONS_MAX 64

void
mark_secret(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

/* Reasons are constants of the program: each is known by its address. */
static bool
is_new(const char *why)
{
	static const char *told[REASONS_MAX];
	static size_t n;

	for (size_t i = 0; i < n; i++)
		if (told[i] == why)
			return false;
	if (n < REASONS_MAX)
		told[n++] = why;
	return true;
}

void
mark_public(const void *p, size_t n, const char *why)
{
	if (is_secret(p, n) && is_new(why))
		printf("# made public: %s\n", why);
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

bool
is_secret(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint8_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		(void)VALGRIND_GET_VBITS(bytes + i, &bits, 1);
		if (bits != 0)
			return true;
	}
	return false;
}

unsigned long
marked_errors(void)
{
	return VALGRIND_COUNT_ERRORS;
}

static void
fill(void *ctx, void *out, size_t n)
{
	rng_bytes(ctx, out, n);
	mark_secret(out, n);
}

const struct rng *
secret_rng(void)
{
	static struct rng_seeded seeded;
	static struct rng rng;

	if (rng.fill == NULL) {
		rng_seeded_init(&seeded, 8);
		rng = (struct rng){ fill, &seeded.rng };
	}
	return &rng;
}
