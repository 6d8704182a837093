#include "config.h"

#include "gateway/announcements.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"

#define AHEAD_MS ((int64_t)60 * 60 * 1000) /* announcements for an epoch are taken from here */
#define LEAD_MS ((int64_t)30 * 60 * 1000)  /* then a sheet is made of what there is */
#define STRAGGLERS_MS 10000
#define STRAGGLERS_MIN_MS 1000
#define EPOCHS 2

/* One epoch's announcements, by position of the node in the charter of the epoch. */
struct epoch_list {
	uint32_t epoch;
	const struct charter *charter; /* NULL: no list yet */
	size_t count;
	bool there[CHARTER_NODES_MAX];
	struct announcement list[CHARTER_NODES_MAX];
	int64_t complete_ms; /* since when no layer is empty; 0: some layer is */
};

struct announcements {
	const struct succession *charters;
	const struct params *params;
	struct epoch_list epochs[EPOCHS];
};

struct announcements *
announcements_new(const struct succession *s)
{
	struct announcements *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->charters = s;
	a->params = &succession_first(s)->params;
	return a;
}

void
announcements_free(struct announcements *a)
{
	free(a);
}

/* The list of an epoch, emptied if it was another's, or another charter's. */
static struct epoch_list *
list_for(struct announcements *a, uint32_t epoch, const struct charter *c)
{
	struct epoch_list *l = &a->epochs[epoch % EPOCHS];

	if (l->epoch == epoch && l->charter == c)
		return l;
	memset(l->there, 0, sizeof(l->there));
	l->epoch = epoch;
	l->charter = c;
	l->count = 0;
	l->complete_ms = 0;
	return l;
}

static const struct epoch_list *
list_of(const struct announcements *a, uint32_t epoch)
{
	const struct epoch_list *l = &a->epochs[epoch % EPOCHS];

	return l->epoch == epoch && l->charter == succession_at(a->charters, epoch) ? l : NULL;
}

static bool
epoch_open(const struct announcements *a, uint32_t epoch, int64_t wall_ms)
{
	const struct params *p = a->params;
	uint32_t now = timing_epoch(p, wall_ms);

	if (epoch == now)
		return true;
	return epoch == now + 1 &&
	    wall_ms >= timing_epoch_start(p, epoch) - params_scaled(p, AHEAD_MS);
}

static bool
no_layer_empty(const struct epoch_list *l)
{
	bool layer[PARAMS_LAYERS_MAX + 1] = { false };

	for (size_t i = 0; i < l->charter->node_count; i++)
		if (l->there[i]) /* so it announces, and has a layer */
			layer[l->charter->nodes[i].layer] = true;
	for (unsigned i = 0; i <= l->charter->params.layers; i++)
		if (!layer[i])
			return false;
	return true;
}

enum err
announcements_take(struct announcements *a, uint16_t from,
    const uint8_t bytes[static ANNOUNCEMENT_BYTES], int64_t wall_ms)
{
	/* node u16 || epoch u32 || .. */
	const struct charter *c = succession_at(a->charters, load_u32(bytes + 2));
	struct announcement x;
	struct epoch_list *l;
	size_t i = 0;
	enum err e = c != NULL ? announcement_decode(&x, bytes, c) : ERR_EPOCH;

	if (e != ERR_OK)
		return e;
	if (x.node != from)
		return ERR_SIGNATURE;
	if (!epoch_open(a, x.epoch, wall_ms))
		return ERR_EPOCH;
	while (c->nodes[i].number != from)
		i++;
	l = list_for(a, x.epoch, c);
	l->list[i] = x;
	l->count += !l->there[i];
	l->there[i] = true;
	if (l->complete_ms == 0 && no_layer_empty(l))
		l->complete_ms = wall_ms;
	return ERR_OK;
}

static bool
stragglers_had_time(const struct announcements *a, const struct epoch_list *l, int64_t wall_ms)
{
	int64_t wait = params_scaled(a->params, STRAGGLERS_MS);

	if (wait < STRAGGLERS_MIN_MS)
		wait = STRAGGLERS_MIN_MS;
	return wall_ms - l->complete_ms >= wait || wall_ms < l->complete_ms;
}

bool
announcements_ready(struct announcements *a, uint32_t epoch, int64_t wall_ms)
{
	const struct params *p = a->params;
	const struct epoch_list *l = list_of(a, epoch);
	int64_t start = timing_epoch_start(p, epoch);

	if (l == NULL || l->complete_ms == 0)
		return false;
	if (l->count == charter_announcers(l->charter))
		return true;
	if (wall_ms >= start)
		return stragglers_had_time(a, l, wall_ms);
	return wall_ms >= start - params_scaled(p, LEAD_MS);
}

size_t
announcements_count(const struct announcements *a, uint32_t epoch)
{
	const struct epoch_list *l = list_of(a, epoch);

	return l != NULL ? l->count : 0;
}

enum err
announcements_sheet(const struct announcements *a, struct buf *out, uint32_t epoch,
    const struct issuer_keys *issuer)
{
	const struct epoch_list *l = list_of(a, epoch);
	struct sheet *s;
	enum err e;

	if (l == NULL || l->complete_ms == 0)
		return ERR_NOT_FOUND;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ERR_MEMORY;
	s->epoch = epoch;
	memcpy(s->charter_hash, l->charter->hash, sizeof(s->charter_hash));
	for (size_t i = 0; i < l->charter->node_count; i++)
		if (l->there[i])
			s->nodes[s->count++] = l->list[i];
	s->ticket_key_count = sheet_ticket_keys(a->params);
	if (issuer != NULL)
		issuer_keys_to_sheet(s, issuer);
	e = sheet_encode(out, s);
	sheet_free(s);
	return e;
}
