#include "config.h"

#include "mix/held.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_ROOM 64
#define NONE UINT32_MAX

struct held_slot {
	struct held_packet packet; /* bytes NULL: free */
	uint32_t next_free;
};

void
held_init(struct held *h)
{
	*h = (struct held){ .free = NONE };
}

static enum err
grow(struct held *h)
{
	size_t room = h->room == 0 ? FIRST_ROOM : h->room * 2;
	struct held_slot *slots;

	if (room >= NONE)
		return ERR_MEMORY;
	slots = realloc(h->slots, room * sizeof(*slots));
	if (slots == NULL)
		return ERR_MEMORY;
	for (size_t i = room; i-- > h->room;) {
		slots[i] = (struct held_slot){ .next_free = h->free };
		h->free = (uint32_t)i;
	}
	h->slots = slots;
	h->room = room;
	return ERR_OK;
}

enum err
held_put(struct held *h, uint32_t *handle, const struct held_packet *p)
{
	enum err e = h->free == NONE ? grow(h) : ERR_OK;

	if (e != ERR_OK)
		return e;
	*handle = h->free;
	h->free = h->slots[*handle].next_free;
	h->slots[*handle].packet = *p;
	return ERR_OK;
}

const struct held_packet *
held_get(const struct held *h, uint32_t handle)
{
	assert(handle < h->room && h->slots[handle].packet.bytes != NULL);
	return &h->slots[handle].packet;
}

void
held_drop(struct held *h, uint32_t handle)
{
	struct held_slot *s = &h->slots[handle];

	free(s->packet.bytes);
	*s = (struct held_slot){ .next_free = h->free };
	h->free = handle;
}

void
held_release(struct held *h)
{
	for (size_t i = 0; i < h->room; i++)
		free(h->slots[i].packet.bytes);
	free(h->slots);
	held_init(h);
}
