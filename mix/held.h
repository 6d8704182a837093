/*
 * The packets that a mix holds, by small numbers: what the pool's handles stand
 * for. A number is given again after its packet has gone.
 */
#ifndef MIX_HELD_H
#define MIX_HELD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct held_packet {
	uint8_t *bytes; /* heap memory, owned */
	const uint8_t *inner; /* within bytes: the packet for the next node */
	uint32_t epoch;
	uint16_t next;
};

struct held {
	struct held_slot *slots;
	size_t room;
	uint32_t free; /* the first free slot */
};

void held_init(struct held *h);
/* Take over a packet's memory (on success). ERR_MEMORY. */
RST_MUST_USE enum err held_put(struct held *h, uint32_t *handle, const struct held_packet *p);
const struct held_packet *held_get(const struct held *h, uint32_t handle);
/* Free a packet and its number. */
void held_drop(struct held *h, uint32_t handle);
/* Free everything. */
void held_release(struct held *h);

#endif
