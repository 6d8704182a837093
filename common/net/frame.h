/*
 * The plain bytes of every frame: encode and decode, side by side.
 * docs/protocol.md, "Frames". Pure.
 */
#ifndef COMMON_NET_FRAME_H
#define COMMON_NET_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/params.h"
#include "common/charter/sheet.h"

/*
 * ---- node links: type || 0 || 0 u16 || epoch || packet of that layer ----
 *
 * The encoders write every byte and take the packet or stream from anywhere,
 * its place in `out` (byte 8) included. Fields that a type does not use are
 * written as zero and refused if they are not: the epoch of all but packets and seeds,
 * the day of all but FRAME_READ_DAY, everything behind the content.
 */

enum frame_node_type {
	FRAME_NODE_PACKET = 0,
	FRAME_NODE_IDLE = 1,
	FRAME_NODE_ANNOUNCEMENT = 2,
	FRAME_NODE_BATCH = 3,
	FRAME_NODE_SEED = 4,
};
enum frame_batch_kind {
	FRAME_BATCH_HAD = 0,  /* on opening: the highest batch I had from you */
	FRAME_BATCH_ENDS = 1, /* the packets since the last such frame were this batch */
};

struct frame_node {
	enum frame_node_type type;
	uint32_t epoch;
	const uint8_t *packet;       /* packet: layer's packet bytes, inside the frame */
	const uint8_t *announcement; /* ANNOUNCEMENT_BYTES, inside the frame */
	const uint8_t *seed;	     /* 32 bytes, inside the frame: an issuer seed of `epoch` */
	enum frame_batch_kind batch_kind;
	uint64_t batch;
};

/* out has params_node_frame_bytes(p, layer) bytes, all written. */
void frame_node_encode(uint8_t *out, const struct params *p, unsigned layer,
    const struct frame_node *f);
/* ERR_MALFORMED for an unknown type or reserved bytes that are not zero. */
RST_MUST_USE enum err frame_node_decode(struct frame_node *out, const struct params *p,
    unsigned layer, const uint8_t *in);

/* ---- sessions, up ---- */

enum frame_up_type { FRAME_UP_PACKET = 0, FRAME_UP_OPEN = 1 };
enum frame_read {
	FRAME_READ_LIVE = 0,
	FRAME_READ_DAY = 1,
	FRAME_READ_EPOCHS = 2,
	FRAME_READ_NOTICES = 3, /* the issuer notices alone; no ticket is asked for */
};

#define FRAME_OPEN_VERSION 1

struct frame_open {
	uint32_t version; /* FRAME_OPEN_VERSION */
	uint16_t mailbox;
	uint32_t hour;
	uint8_t ticket_nonce[32], ticket_proof[32]; /* zero until tickets exist */
	enum frame_read read;
	uint32_t day;
};
struct frame_up {
	enum frame_up_type type;
	uint16_t first_mix;
	uint32_t epoch;
	const uint8_t *packet; /* packet of layer 0, inside the frame */
	struct frame_open open;
};
void frame_up_encode(uint8_t *out, const struct params *p, const struct frame_up *f);
/* ERR_MALFORMED, ERR_VERSION (open). */
RST_MUST_USE enum err frame_up_decode(struct frame_up *out, const struct params *p,
    const uint8_t *in);

/* ---- sessions, down ---- */

enum frame_down_type { FRAME_DOWN_STREAM = 0, FRAME_DOWN_ERROR = 1 };
enum frame_error {
	FRAME_ERROR_NONE = 0,
	FRAME_ERROR_VERSION = 1,   /* open: a version this gateway does not know */
	FRAME_ERROR_HOUR = 2,      /* open: not the coming or current session hour */
	FRAME_ERROR_MAILBOX = 3,   /* no such mailbox */
	FRAME_ERROR_DAY = 4,       /* day unknown or expired */
	FRAME_ERROR_BUSY = 5,      /* too many sessions */
	FRAME_ERROR_TICKET = 6,    /* refused */
	FRAME_ERROR_MARK = 7,      /* this session's hour is over */
	FRAME_ERROR_NOT_READY = 8, /* no sheet yet */
	FRAME_ERROR_STORE = 9,     /* the journal cannot be read now */
	FRAME_ERROR_RATE = 10,     /* frames ahead of schedule */
	FRAME_ERROR_COMPLETE = 11, /* day or epoch blocks: everything was sent (not a failure) */
};
struct frame_down {
	enum frame_down_type type;
	enum frame_error error;
	uint16_t fill;         /* bytes of stream in this frame */
	const uint8_t *stream; /* inside the frame */
};
void frame_down_encode(uint8_t *out, const struct params *p, const struct frame_down *f);
/* ERR_MALFORMED, also for an error code this version does not know. */
RST_MUST_USE enum err frame_down_decode(struct frame_down *out, const struct params *p,
    const uint8_t *in);
const char *frame_error_text(enum frame_error e);

#endif
