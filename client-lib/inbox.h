/*
 * The inbox of one contact: which record numbers have come, which messages are
 * whole, in which order they are shown, and when an acknowledgement is due.
 * Pure. docs/protocol.md, "Reliability".
 */
#ifndef CLIENT_LIB_INBOX_H
#define CLIENT_LIB_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/post.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/crypto/record.h"

#define INBOX_PARTIAL_MAX 64 /* messages begun and not whole, per contact */

/* A message of which fragments have come. */
struct inbox_partial {
	enum record_type type;
	uint64_t number;  /* the sender's message number */
	uint64_t id;	  /* local id; 0 until a text is shown */
	uint32_t of, got;
	uint64_t size;	  /* texts: bytes so far; files: from the manifest */
	int64_t first_ms;
	uint8_t *have;	  /* bitmap of `of` bits */
	uint8_t hash[32];
	char name[POST_FILE_NAME_MAX];
};

struct inbox {
	uint64_t next_missing;
	uint8_t map[RECORD_ACK_MAP_BYTES]; /* bit i: next_missing + 1 + i was received */
	uint64_t next_text;		   /* the next text to show */
	struct inbox_partial *partials;
	size_t partial_count, partial_room;
	bool ack_owed;		/* something came since an acknowledgement left */
	int64_t ack_due_ms;	/* when one may go alone; 0: not drawn */
	int64_t last_ack_ms;	/* when one last went alone */
};

void inbox_init(struct inbox *in);
void inbox_release(struct inbox *in);

/* What to do with a record whose header was opened. */
enum inbox_verdict {
	INBOX_KNOWN,   /* had it; acknowledge again */
	INBOX_BEYOND,  /* its number cannot be tracked: as if it had not come */
	INBOX_REFUSED, /* too many partial messages, or it contradicts earlier fragments:
			  acknowledged and thrown away */
	INBOX_NEW,     /* store the fragment under its key */
};
RST_MUST_USE enum err inbox_take(struct inbox *in, enum inbox_verdict *verdict,
    const struct record_header *h, const uint8_t *content, int64_t now_ms);

/*
 * The next message that is whole and whose turn it is: texts in the sender's
 * order (a gap in it is waited out for `retention_ms`), files when whole.
 * Returns false if there is none. inbox_shown removes it afterwards.
 */
bool inbox_ready(const struct inbox *in, const struct inbox_partial **out, int64_t now_ms,
    int64_t retention_ms);
void inbox_shown(struct inbox *in, const struct inbox_partial *m);
struct inbox_partial *inbox_find(const struct inbox *in, enum record_type type, uint64_t number);

/* Fill the acknowledgement except highest_index, which the stream knows. */
void inbox_ack(const struct inbox *in, struct record_ack *out);
/* Something came: draw the time at which an acknowledgement may go alone. */
void inbox_owe(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms);
/* An acknowledgement left, in a message or alone. */
void inbox_acked(struct inbox *in, bool alone, int64_t now_ms);
bool inbox_ack_due(const struct inbox *in, int64_t now_ms);

RST_MUST_USE enum err inbox_save(const struct inbox *in, struct buf *out, size_t max);
RST_MUST_USE enum err inbox_load(struct inbox *in, struct reader *r);

/* The manifest of a file, fragment 0 of its message. */
struct inbox_manifest {
	uint64_t size;
	uint8_t hash[32];
	char name[POST_FILE_NAME_MAX];
};
#define INBOX_MANIFEST_MAX (8 + 32 + 1 + POST_FILE_NAME_MAX)
RST_MUST_USE enum err inbox_manifest_encode(uint8_t out[static INBOX_MANIFEST_MAX], size_t *len,
    const struct inbox_manifest *m);
RST_MUST_USE enum err inbox_manifest_decode(struct inbox_manifest *out, const uint8_t *p, size_t n);

#endif
