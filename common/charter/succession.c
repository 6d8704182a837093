#include "config.h"

#include "common/charter/succession.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"

struct succession {
	size_t count;
	struct charter **list; /* ascending versions, without a gap */
};

/* ---- life ---- */

static enum err
copy_of(struct charter **out, const struct charter *c)
{
	struct charter *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return ERR_MEMORY;
	*copy = *c;
	*out = copy;
	return ERR_OK;
}

/* Put a copy of c at place i. */
static enum err
insert(struct succession *s, size_t i, const struct charter *c)
{
	struct charter **list, *copy = NULL;

	if (s->count == SUCCESSION_COUNT_MAX)
		return ERR_FULL;
	list = realloc(s->list, (s->count + 1) * sizeof(list[0]));
	if (list == NULL)
		return ERR_MEMORY;
	s->list = list;
	if (copy_of(&copy, c) != ERR_OK)
		return ERR_MEMORY;
	memmove(&list[i + 1], &list[i], (s->count - i) * sizeof(list[0]));
	list[i] = copy;
	s->count++;
	return ERR_OK;
}

enum err
succession_new(struct succession **out, const struct charter *first)
{
	struct succession *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_MEMORY;
	e = insert(s, 0, first);
	if (e != ERR_OK) {
		succession_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
succession_free(struct succession *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		charter_free(s->list[i]);
	free(s->list);
	free(s);
}

/* ---- growing ---- */

static const struct charter *
version_of(const struct succession *s, uint32_t version)
{
	uint32_t first = s->list[0]->version;

	if (version < first || version - first >= s->count)
		return NULL;
	return s->list[version - first];
}

enum err
succession_add(struct succession *s, const struct charter *c, struct diag *d)
{
	const struct charter *known = version_of(s, c->version);
	bool before = c->version < s->list[0]->version;
	enum err e;

	if (known != NULL && sodium_memcmp(known->hash, c->hash, 32) == 0)
		return ERR_EXISTS;
	if (known != NULL)
		return diag_set(d, ERR_CHAIN, "another charter has this version already");
	e = before ? charter_follows(s->list[0], c, d) : charter_follows(c, s->list[s->count - 1], d);
	if (e == ERR_OK)
		e = insert(s, before ? 0 : s->count, c);
	return e;
}

enum err
succession_offer(struct succession *s, const void *text, size_t n, struct diag *d)
{
	const struct charter *known, *latest = s->list[s->count - 1];
	struct charter *c;
	uint8_t hash[32];
	uint32_t version;
	enum err e = charter_peek(&version, hash, text, n);

	if (e != ERR_OK)
		return diag_set(d, e, "this is no charter");
	known = version_of(s, version);
	if (version < s->list[0]->version ||
	    (known != NULL && sodium_memcmp(known->hash, hash, 32) == 0))
		return ERR_EXISTS;
	if (version > latest->version && version - latest->version > 1)
		return diag_set(d, ERR_STATE, "the versions between are not known");
	e = charter_parse(&c, text, n, d);
	if (e != ERR_OK)
		return e;
	e = succession_add(s, c, d);
	charter_free(c);
	return e;
}

/* ---- asking ---- */

size_t
succession_count(const struct succession *s)
{
	return s->count;
}

const struct charter *
succession_get(const struct succession *s, size_t i)
{
	return i < s->count ? s->list[i] : NULL;
}

const struct charter *
succession_first(const struct succession *s)
{
	return s->list[0];
}

const struct charter *
succession_latest(const struct succession *s)
{
	return s->list[s->count - 1];
}

const struct charter *
succession_find(const struct succession *s, const uint8_t hash[static 32])
{
	for (size_t i = s->count; i > 0; i--)
		if (sodium_memcmp(s->list[i - 1]->hash, hash, 32) == 0)
			return s->list[i - 1];
	return NULL;
}

/* How many are in force in an epoch or were before it. */
static size_t
begun(const struct succession *s, uint32_t epoch)
{
	size_t n = s->count;

	while (n > 0 && s->list[n - 1]->from_epoch > epoch)
		n--;
	return n;
}

const struct charter *
succession_at(const struct succession *s, uint32_t epoch)
{
	size_t n = begun(s, epoch);

	return n > 0 ? s->list[n - 1] : NULL;
}

const struct charter *
succession_next(const struct succession *s, uint32_t epoch)
{
	return succession_get(s, begun(s, epoch));
}

const struct charter *
succession_near(const struct succession *s, uint32_t epoch)
{
	size_t n = begun(s, epoch);

	return s->list[n > 0 ? n - 1 : 0];
}

/* Until when the charter before list[i] counts. */
static int64_t
grace_end(const struct succession *s, size_t i)
{
	const struct params *p = &s->list[0]->params;
	int64_t start = timing_epoch_start(p, s->list[i]->from_epoch);

	return start > INT64_MAX - p->grace_ms ? INT64_MAX : start + p->grace_ms;
}

size_t
succession_current(const struct succession *s,
    const struct charter *out[static SUCCESSION_CURRENT_MAX], int64_t wall_ms)
{
	size_t n = begun(s, timing_epoch(&s->list[0]->params, wall_ms)), count = 0;

	if (n > 0)
		out[count++] = s->list[n - 1];
	for (size_t i = n; i < s->count && count + 1 < SUCCESSION_CURRENT_MAX; i++)
		out[count++] = s->list[i];
	if (n > 1 && wall_ms < grace_end(s, n - 1))
		out[count++] = s->list[n - 2];
	assert(count > 0);
	return count;
}

int64_t
succession_turn_ms(const struct succession *s, int64_t wall_ms)
{
	const struct params *p = &s->list[0]->params;
	size_t n = begun(s, timing_epoch(p, wall_ms));

	if (n > 1 && wall_ms < grace_end(s, n - 1))
		return grace_end(s, n - 1);
	return n < s->count ? timing_epoch_start(p, s->list[n]->from_epoch) : INT64_MAX;
}

const struct charter_node *
succession_node(const struct succession *s, uint16_t number)
{
	const struct charter_node *n = NULL;

	for (size_t i = s->count; i > 0 && n == NULL; i--)
		n = charter_node(s->list[i - 1], number);
	return n;
}

static bool
same_door(const struct charter_node *a, const struct charter_node *b)
{
	return sodium_memcmp(a->link, b->link, 32) == 0 && strcmp(a->entrance, b->entrance) == 0;
}

const struct charter_node *
succession_gateway(const struct succession *s, int64_t wall_ms, unsigned attempt)
{
	const struct charter *current[SUCCESSION_CURRENT_MAX];
	const struct charter_node *doors[SUCCESSION_CURRENT_MAX];
	size_t n = succession_current(s, current, wall_ms), count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct charter_node *g = charter_gateway(current[i]);
		bool known = false;

		for (size_t k = 0; k < count; k++)
			known = known || same_door(g, doors[k]);
		if (!known)
			doors[count++] = g;
	}
	return doors[attempt % count];
}
