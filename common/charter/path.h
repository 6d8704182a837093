/*
 * The path law, the same for clients and mixes: every slot draws its path from
 * the charter's mixes, one per layer, uniformly; if the sheet lacks one of
 * them the slot is skipped. No redraw, no routing around. Pure.
 */
#ifndef COMMON_CHARTER_PATH_H
#define COMMON_CHARTER_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/charter/sheet.h"
#include "common/crypto/onion.h"

/* So long before and after an epoch's boundary only cover is sent; to be scaled. */
#define PATH_BOUNDARY_MS ((int64_t)2 * 60 * 1000)

struct path {
	uint8_t hops; /* layers + 1; the last is the gateway */
	uint16_t node[ONION_HOPS_MAX];
};

void path_draw(struct path *out, const struct charter *c, const struct rng *r);
/*
 * A path that was drawn under another charter: each hop whose node c does not have
 * in that layer takes the one of a fresh draw. Whether anything changed; a path of
 * no hops stays.
 */
bool path_mend(struct path *p, const struct charter *c, const struct rng *r);
/*
 * The hops with the sheet's keys; delays are zero. ERR_NOT_FOUND if the sheet lacks a
 * node of the path.
 */
RST_MUST_USE enum err path_hops(struct onion_hop *out, const struct path *p,
    const struct sheet *s);

/*
 * The delays of one packet: of each stop-and-go layer a fresh draw, 0 elsewhere and at
 * the gateway. Every packet of everybody, real or cover, draws them by this law.
 */
void path_delays(uint32_t delay_ms[static ONION_HOPS_MAX], const struct params *params,
    const struct rng *r);

/*
 * Build a whole packet of the sheet's epoch along a path, with delays drawn from r.
 * command.body is record_size bytes or NULL. out: onion_packet_bytes(g, 0).
 */
RST_MUST_USE enum err path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);

/*
 * Whether a slot at wall_ms may send under an epoch at all, and whether it may
 * carry real traffic: never outside the epoch, only cover within 2 minutes
 * (scaled) of a boundary. path_time answers for the epoch of wall_ms, and is
 * PATH_CLOSED only for a clock before 1970.
 */
enum path_time { PATH_CLOSED, PATH_COVER_ONLY, PATH_OPEN };
enum path_time path_time(const struct params *p, int64_t wall_ms);
enum path_time path_time_in(const struct params *p, uint32_t epoch, int64_t wall_ms);

#endif
