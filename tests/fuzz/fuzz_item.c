/* The journal stream of a session: cut in two anywhere, the same items come out. */
#include "config.h"

#include <stdlib.h>

#include "common/crypto/hash.h"
#include "common/journal/item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint8_t hash[HASH_BYTES];
	size_t items;
};

static enum err
each(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct sum *sum = arg;
	uint8_t k = (uint8_t)kind;
	const struct hash_part parts[] = { { sum->hash, HASH_BYTES }, { &k, 1 }, { p, n } };
	uint8_t next[HASH_BYTES];

	hash_parts(next, sizeof(next), parts, 3);
	for (size_t i = 0; i < sizeof(next); i++)
		sum->hash[i] = next[i];
	sum->items++;
	return ERR_OK;
}

static enum err
feed(struct sum *sum, const uint8_t *data, size_t size, size_t cut)
{
	struct item_assembler *a = item_assembler_new(each, sum);
	enum err e;

	if (a == NULL)
		abort();
	e = item_feed(a, data, cut);
	if (e == ERR_OK)
		e = item_feed(a, data + cut, size - cut);
	item_assembler_free(a);
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = {0}, parts = {0};
	size_t cut = size == 0 ? 0 : data[size - 1] % size;

	if (feed(&whole, data, size, size) != feed(&parts, data, size, cut) ||
	    whole.items != parts.items)
		abort();
	for (size_t i = 0; i < HASH_BYTES; i++)
		if (whole.hash[i] != parts.hash[i])
			abort();
	return 0;
}
