/*
 * The slot law: what a slot carries. docs/protocol.md, "Slots". Pure.
 *
 * A path is drawn from the charter's mixes; if the sheet lacks one of them the
 * slot is skipped, whatever is queued. Else it is a note with probability
 * 1/note-one-in, whatever is queued. Else the real record, if there is one that
 * may go and whose own path the sheet has. Else a drop.
 */
#ifndef CLIENT_LIB_SLOTS_H
#define CLIENT_LIB_SLOTS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/path.h"
#include "common/charter/sheet.h"
#include "common/charter/succession.h"
#include "common/net/session.h"

struct slots;

enum slot_kind { SLOT_SKIP, SLOT_DROP, SLOT_NOTE, SLOT_REAL };

/* A record that waits for its slot, along the path that it keeps. */
struct slot_record {
	const uint8_t *record; /* record_size bytes */
	const uint8_t *stamp;  /* 64 bytes; NULL: none is needed */
	uint16_t mailbox;
	struct path path;
};

struct slots *slots_new(const struct succession *s, const struct rng *rng,
    const struct rng *keys);
void slots_free(struct slots *s);
/* The 8 bytes of the note that was built last. */
const uint8_t *slots_note(const struct slots *s);
/*
 * Fill out for a slot at wall_ms under the sheet of that time's epoch (NULL:
 * none, skip), by the charter of that epoch. real: NULL if nothing waits or it may not go now.
 */
enum slot_kind slots_build(struct slots *s, struct session_packet *out, const struct sheet *sheet,
    const struct slot_record *real, int64_t wall_ms);

#endif
