#include "config.h"

#include "evaluation/eventheap.h"

#include <assert.h>
#include <stdlib.h>

void
eventheap_init(struct eventheap *h)
{
	*h = (struct eventheap){0};
}

void
eventheap_release(struct eventheap *h)
{
	assert(h->events == 0);
	free(h->entries);
	eventheap_init(h);
}

enum err
eventheap_join(struct eventheap *h, struct event *e, event_fire *fire, void *arg,
    struct world_host *host)
{
	if (h->events == h->room) {
		size_t room = h->room > 0 ? h->room * 2 : 64;
		struct eventheap_entry *entries = reallocarray(h->entries, room, sizeof(*entries));

		if (entries == NULL)
			return ERR_MEMORY;
		h->entries = entries;
		h->room = room;
	}
	h->events++;
	*e = (struct event){.fire = fire, .arg = arg, .host = host, .place = EVENT_IDLE};
	return ERR_OK;
}

void
eventheap_leave(struct eventheap *h, struct event *e)
{
	eventheap_remove(h, e);
	assert(e->place == EVENT_IDLE && h->events > h->count);
	h->events--;
}

bool
event_scheduled(const struct event *e)
{
	return e->place != EVENT_IDLE;
}

static bool
before(const struct eventheap_entry *a, const struct eventheap_entry *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->sequence < b->sequence);
}

static void
set(struct eventheap *h, size_t place, const struct eventheap_entry *entry)
{
	h->entries[place] = *entry;
	entry->event->place = place;
}

/* Move an entry from `place` towards the top as far as it belongs, and set it. */
static size_t
rise(struct eventheap *h, const struct eventheap_entry *entry, size_t place)
{
	while (place > 0 && before(entry, &h->entries[(place - 1) / 2])) {
		set(h, place, &h->entries[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	set(h, place, entry);
	return place;
}

/* The same towards the bottom. */
static void
sink(struct eventheap *h, const struct eventheap_entry *entry, size_t place)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && before(&h->entries[child + 1], &h->entries[child]))
			child++;
		if (!before(&h->entries[child], entry))
			break;
		set(h, place, &h->entries[child]);
		place = child;
	}
	set(h, place, entry);
}

void
eventheap_remove(struct eventheap *h, struct event *e)
{
	size_t place = e->place;
	struct eventheap_entry last;

	if (place >= h->count)
		return;
	assert(h->entries[place].event == e);
	h->count--;
	if (place < h->count) {
		last = h->entries[h->count];
		if (rise(h, &last, place) == place)
			sink(h, &last, place);
	}
	e->place = EVENT_IDLE;
}

void
eventheap_put(struct eventheap *h, struct event *e, int64_t at_us)
{
	struct eventheap_entry entry = {.at_us = at_us, .event = e};

	eventheap_remove(h, e);
	assert(e->place == EVENT_IDLE && h->count < h->events);
	entry.sequence = h->next_sequence++;
	e->at_us = at_us;
	(void)rise(h, &entry, h->count++);
}

struct event *
eventheap_pop(struct eventheap *h, int64_t until_us)
{
	struct event *first;

	if (h->count == 0 || h->entries[0].at_us > until_us)
		return NULL;
	first = h->entries[0].event;
	eventheap_remove(h, first);
	return first;
}
