/*
 * The announcements of the running and the coming epoch, and the sheets made of
 * them. Pure. docs/protocol.md, "Announcements and sheets".
 */
#ifndef GATEWAY_ANNOUNCEMENTS_H
#define GATEWAY_ANNOUNCEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/charter/sheet.h"
#include "common/token/issuer.h"

struct announcements;

/*
 * What an epoch's announcements may be says the charter in force in it. Borrowed. NULL
 * if there is no memory.
 */
struct announcements *announcements_new(const struct succession *s);
void announcements_free(struct announcements *a);

/*
 * Take one from node `from`: ERR_MALFORMED, ERR_SIGNATURE, ERR_NOT_FOUND, ERR_EPOCH
 * (neither the running nor the coming epoch, or too early for it, or before the
 * first charter). Until the sheet
 * is made, a later announcement of the same node replaces an earlier one.
 */
RST_MUST_USE enum err announcements_take(struct announcements *a, uint16_t from,
    const uint8_t bytes[static ANNOUNCEMENT_BYTES], int64_t wall_ms);

/*
 * Whether the sheet of an epoch is to be made now: every node of its charter has
 * announced, or it is less than 30 minutes (scaled) to the epoch and no layer is
 * empty. In the epoch itself (the founding sheet, or a late one) other nodes are
 * given 10 s (scaled, at least one) from when no layer was empty.
 */
bool announcements_ready(struct announcements *a, uint32_t epoch, int64_t wall_ms);
/* How many nodes have announced for an epoch. */
size_t announcements_count(const struct announcements *a, uint32_t epoch);

/*
 * Append the sheet's encoding. issuer: the epoch's keys, NULL without a registrar.
 * ERR_NOT_FOUND if a layer is empty, ERR_MEMORY.
 */
RST_MUST_USE enum err announcements_sheet(const struct announcements *a, struct buf *out,
    uint32_t epoch, const struct issuer_keys *issuer);

#endif
