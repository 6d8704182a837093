/*
 * Known answers of this implementation, and the check of those that the second
 * one (tests/reference/) made. Randomness is seeded: each run prints the same.
 *
 *   known_answers make NAME         print vectors
 *   known_answers check NAME FILE   check a file of vectors
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "tests/vectors/vectors.h"

static const struct kind {
	const char *name;
	void (*make)(void);
	void (*check)(struct vectors *v);
} kinds[] = {
	{ "onion", onion_vectors_make, onion_vectors_check },
	{ "record", record_vectors_make, record_vectors_check },
	{ "block", block_vectors_make, block_vectors_check },
	{ "contact", contact_vectors_make, contact_vectors_check },
	{ "renewal", renewal_vectors_make, renewal_vectors_check },
	{ "voprf", voprf_vectors_make, voprf_vectors_check },
	{ "founding", founding_vectors_make, founding_vectors_check },
};

static const struct kind *
find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static int
make(const struct kind *k)
{
	(void)printf("# Known answers for %s, made by tests/vectors/ (C).\n", k->name);
	(void)printf("# What the values are: docs/protocol.md. How they are written: "
		     "tests/vectors/vectors.h.\n");
	k->make();
	return fflush(stdout) == 0 ? 0 : 1;
}

static int
check(const struct kind *k, const char *path)
{
	struct vectors v;

	vectors_open(&v, path);
	k->check(&v);
	vectors_close(&v);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct kind *k = argc >= 3 ? find(argv[2]) : NULL;

	if (sodium_init() < 0)
		return 1;
	if (k != NULL && argc == 3 && strcmp(argv[1], "make") == 0)
		return make(k);
	if (k != NULL && argc == 4 && strcmp(argv[1], "check") == 0)
		return check(k, argv[3]);
	(void)fprintf(stderr, "usage: known_answers make NAME | check NAME FILE\n");
	return 2;
}
