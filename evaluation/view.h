/*
 * What a global passive adversary sees of a network of mixes, and what follows
 * from it: for every target packet, whose it may be (backward: a posterior over
 * senders) and what may have become of it (forward: over exits).
 *
 * The simulation reports arrivals and departures in the order of time; nothing
 * else is kept of them. Inside an honest mix all packets are alike to somebody
 * who knows only when they came and that they are mixed uniformly, so both
 * posteriors follow from counts, exactly, in one pass for many targets at once:
 * a mix holds a mass of each target, and every packet that leaves a pool of T
 * takes 1/T of it (Serjantov and Danezis 2002; Piotrowska et al. 2017, theorem 1).
 * A corrupt mix hides nothing: its packets keep the origin that they came with.
 */
#ifndef EVALUATION_VIEW_H
#define EVALUATION_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define VIEW_TARGETS 64 /* in one pass */
#define VIEW_PERSONS (UINT32_C(1) << 31)
#define VIEW_UNKNOWN (VIEW_PERSONS - 1) /* from before what is known */

/*
 * Where a packet comes from, as far as the adversary can tell: a batch that left a
 * mix, a sender (person + VIEW_PERSONS), or VIEW_UNKNOWN.
 */
typedef uint32_t view_origin;

struct view;

/* nodes: mixes, numbered from 0. ERR_MEMORY. */
RST_MUST_USE enum err view_new(struct view **out, size_t nodes, size_t persons);
void view_free(struct view *v);

/* A packet with this origin came to an honest mix, which holds `held` with it. ERR_MEMORY. */
RST_MUST_USE enum err view_arrived(struct view *v, uint32_t node, view_origin from,
    uint32_t held);
/*
 * n of the `held` packets of an honest mix leave: *out is the origin that they
 * have from now on. ERR_MEMORY, ERR_FULL after 2^31 batches.
 */
RST_MUST_USE enum err view_left(struct view *v, view_origin *out, uint32_t node, uint32_t n,
    uint32_t held);
/* A packet with this origin left the last layer; *exit numbers the exits from 0. ERR_MEMORY. */
RST_MUST_USE enum err view_exited(struct view *v, uint32_t *exit, view_origin from);

/* What was reported since the last view_forget: a position in it. */
size_t view_length(const struct view *v);
uint32_t view_exits(const struct view *v);
/* Forget everything; origins of packets that are still on their way stay valid. */
void view_forget(struct view *v);
/* Bytes in use. */
size_t view_bytes(const struct view *v);

/*
 * Backward: n targets (at most VIEW_TARGETS), each an exit; weights (n * persons,
 * cleared by the call) take target t's posterior at [t * persons + person].
 * lost[t] is the share that goes back before what is known. ERR_MEMORY, ERR_RANGE.
 */
RST_MUST_USE enum err view_senders(const struct view *v, double *weights, double *lost,
    const uint32_t *exits, size_t n);

/*
 * The same packet by packet: `each` is called for every packet of a sender's that may
 * be a target, with its person, its position (watch.h) and the n shares of it, from
 * the latest packet to the earliest.
 */
typedef void view_each_packet(void *arg, size_t position, uint32_t person,
    const double *shares);
RST_MUST_USE enum err view_packets_of(const struct view *v, const uint32_t *exits, size_t n,
    view_each_packet *each, void *arg);

/*
 * Forward: n targets, each the position (view_length before it was reported) of
 * an arrival or exit of a sender's packet. `each` is called for every exit that
 * may be a target's, with the n shares of it; lost[t] is what has not left yet.
 */
typedef void view_each_exit(void *arg, uint32_t exit, const double *shares);
RST_MUST_USE enum err view_exits_of(const struct view *v, double *lost, const size_t *positions,
    size_t n, view_each_exit *each, void *arg);

#endif
