#include "config.h"

#include "common/base/tagmap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"

#define FIRST_SLOTS 64

struct slot {
	uint8_t tag[TAG_BYTES];
	uint64_t value;
	uint64_t hash; /* 0: empty */
};

/*
 * Linear probing in a power of two of slots, at most three quarters full. A
 * removal moves the followers of its run back, so that there are no tombstones
 * and a long-lived map stays as fast as a new one.
 */
struct tagmap {
	uint8_t key[crypto_shorthash_KEYBYTES];
	size_t count, max, mask;
	struct slot *slots;
};

static uint64_t
hash_of(const struct tagmap *m, const uint8_t tag[static TAG_BYTES])
{
	uint8_t h[crypto_shorthash_BYTES];

	(void)crypto_shorthash(h, tag, TAG_BYTES, m->key);
	return load_u64(h) | (uint64_t)1 << 63; /* never 0 */
}

static bool
holds(const struct slot *s, uint64_t hash, const uint8_t tag[static TAG_BYTES])
{
	return s->hash == hash && memcmp(s->tag, tag, TAG_BYTES) == 0; /* public: see tagmap.h */
}

/* The slot that holds tag, or the empty one where it belongs. */
static size_t
slot_of(const struct tagmap *m, uint64_t hash, const uint8_t tag[static TAG_BYTES])
{
	size_t i = (size_t)hash & m->mask;

	while (m->slots[i].hash != 0 && !holds(&m->slots[i], hash, tag))
		i = (i + 1) & m->mask;
	return i;
}

static void
slots_free(struct slot *slots, size_t n)
{
	if (slots != NULL)
		secret_wipe(slots, n * sizeof(*slots));
	free(slots);
}

struct tagmap *
tagmap_new(const struct rng *key_source, size_t max)
{
	struct tagmap *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->slots = calloc(FIRST_SLOTS, sizeof(*m->slots));
	if (m->slots == NULL) {
		free(m);
		return NULL;
	}
	rng_bytes(key_source, m->key, sizeof(m->key));
	m->max = max;
	m->mask = FIRST_SLOTS - 1;
	return m;
}

void
tagmap_free(struct tagmap *m)
{
	if (m == NULL)
		return;
	slots_free(m->slots, m->mask + 1);
	secret_wipe(m, sizeof(*m));
	free(m);
}

static enum err
grow(struct tagmap *m)
{
	size_t old_count = m->mask + 1;
	struct slot *old = m->slots;
	struct slot *new = calloc(old_count, 2 * sizeof(*new));

	if (new == NULL)
		return ERR_MEMORY;
	m->slots = new;
	m->mask = 2 * old_count - 1;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].hash != 0)
			new[slot_of(m, old[i].hash, old[i].tag)] = old[i];
	slots_free(old, old_count);
	return ERR_OK;
}

enum err
tagmap_insert(struct tagmap *m, bool *fresh, const uint8_t tag[static TAG_BYTES], uint64_t value)
{
	uint64_t hash = hash_of(m, tag);
	size_t i = slot_of(m, hash, tag);
	enum err e;

	if (m->slots[i].hash != 0) {
		*fresh = false;
		return ERR_OK;
	}
	if (m->count >= m->max)
		return ERR_FULL;
	if (m->count >= (m->mask + 1) / 4 * 3) {
		e = grow(m);
		if (e != ERR_OK)
			return e;
		i = slot_of(m, hash, tag);
	}
	memcpy(m->slots[i].tag, tag, TAG_BYTES);
	m->slots[i].value = value;
	m->slots[i].hash = hash;
	m->count++;
	*fresh = true;
	return ERR_OK;
}

bool
tagmap_find(const struct tagmap *m, uint64_t *value, const uint8_t tag[static TAG_BYTES])
{
	const struct slot *s = &m->slots[slot_of(m, hash_of(m, tag), tag)];

	if (s->hash == 0)
		return false;
	if (value != NULL)
		*value = s->value;
	return true;
}

bool
tagmap_remove(struct tagmap *m, const uint8_t tag[static TAG_BYTES])
{
	size_t hole = slot_of(m, hash_of(m, tag), tag);

	if (m->slots[hole].hash == 0)
		return false;
	for (size_t i = (hole + 1) & m->mask; m->slots[i].hash != 0; i = (i + 1) & m->mask) {
		size_t home = (size_t)m->slots[i].hash & m->mask;

		/* it may move back unless its home lies behind the hole */
		if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	secret_wipe(&m->slots[hole], sizeof(m->slots[hole]));
	m->count--;
	return true;
}

size_t
tagmap_count(const struct tagmap *m)
{
	return m->count;
}
