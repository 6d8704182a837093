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

/*
 * Messages that are not shown yet, per contact. An honest sender has at most as
 * many texts under way as the map of its acknowledgements has bits.
 */
#define INBOX_TEXTS_MAX (RECORD_ACK_MAP_BITS + 1)
#define INBOX_FILES_MAX 64

/* Which of a sender's messages of one type are done with: shown, or unwanted and whole. */
#define INBOX_DONE_BYTES 128
struct inbox_done {
	uint64_t top;			/* the highest of them; 0: none */
	uint8_t map[INBOX_DONE_BYTES]; /* bit i: top - i is one */
};
/* What lies further below `top` than the map reaches counts as done. */
bool inbox_done_has(const struct inbox_done *d, uint64_t number);

/* A message of which fragments have come. */
struct inbox_partial {
	enum record_type type;
	uint64_t number;  /* the sender's message number */
	uint64_t lowest;  /* the least record number of its fragments that came */
	uint64_t store;	  /* local number of its fragments in the archive; 0: none yet */
	uint64_t id;	  /* local id; 0 until a text is shown */
	uint32_t of, got;
	uint64_t size;	  /* texts: bytes so far; files: from the manifest */
	int64_t last_ms;  /* when its last fragment came */
	bool unwanted;	  /* deleted here: what still comes is thrown away */
	uint8_t *have;	  /* bitmap of `of` bits */
	uint8_t hash[32];
	char name[POST_FILE_NAME_MAX];
};

struct inbox {
	uint64_t next_missing;
	uint8_t map[RECORD_ACK_MAP_BYTES]; /* bit i: next_missing + 1 + i was received */
	uint64_t next_text;		   /* the next text to show */
	struct inbox_done texts, files;
	uint64_t done_texts, done_files; /* how many, ever */
	bool closing;		/* within a restart: nothing is waited for; not saved */
	struct inbox_partial *partials;
	size_t partial_count, partial_room;
	bool ack_owed;		/* something came since an acknowledgement left */
	uint32_t ack_serial;	/* rises with everything that is owed; not saved */
	int64_t ack_due_ms;	/* when one may go alone; 0: not drawn */
	int64_t last_ack_ms;	/* when one was last sealed to go alone */
};

void inbox_init(struct inbox *in);
void inbox_release(struct inbox *in);

/* What to do with a record whose header was opened. */
enum inbox_verdict {
	INBOX_KNOWN,   /* had it; acknowledge again */
	INBOX_REFUSED, /* unwanted, or what no honest sender sends (too many messages at
			  once, contradicting fragments): acknowledged and thrown away */
	INBOX_NEW,     /* store the fragment; inbox_find has its message */
};
/* content_max: the most content of a record. Nothing changes on ERR_MEMORY. */
RST_MUST_USE enum err inbox_take(struct inbox *in, enum inbox_verdict *verdict,
    const struct record_header *h, const uint8_t *content, size_t content_max, int64_t now_ms);

/*
 * The next message that is whole and whose turn it is: texts in the sender's
 * order, files when whole. Returns false if there is none. A gap in the order
 * of texts is closed when all lower record numbers are settled: what is missing
 * then was given up by its sender. inbox_shown removes the message afterwards.
 */
bool inbox_ready(const struct inbox *in, const struct inbox_partial **out);
void inbox_shown(struct inbox *in, const struct inbox_partial *m);
/*
 * A message that will never be whole: a text that a later one has passed, a
 * file of which nothing came for so long that its sender has given it up, or
 * one that is unwanted and complete. inbox_drop removes it afterwards.
 */
bool inbox_dead(const struct inbox *in, const struct inbox_partial **out, int64_t now_ms,
    int64_t given_up_ms);
void inbox_drop(struct inbox *in, const struct inbox_partial *m);
/*
 * The sender begins anew, and sends what is not whole here once more: while closing,
 * all that is whole is ready, and all else is dead.
 */
void inbox_close(struct inbox *in, bool closing);
/* Its record numbers below `floor` are settled. */
void inbox_settle(struct inbox *in, uint64_t floor);
struct inbox_partial *inbox_find(const struct inbox *in, enum record_type type, uint64_t number);
/* By its local id (not 0). */
struct inbox_partial *inbox_find_id(const struct inbox *in, uint64_t id);
bool inbox_partial_has(const struct inbox_partial *m, uint32_t fragment);

/* Fill the acknowledgement except highest_index, which the stream knows. */
void inbox_ack(const struct inbox *in, struct record_ack *out);
/* Something came: draw the time at which an acknowledgement may go alone. */
void inbox_owe(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms);
/* Draw it if it is owed and was not drawn. */
void inbox_draw(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms);
/* An acknowledgement was sealed to go alone: the next one not within the hour. */
void inbox_ack_alone(struct inbox *in, int64_t now_ms);
/* One that was filled when ack_serial was `serial` has left. */
void inbox_acked(struct inbox *in, uint32_t serial);
bool inbox_ack_due(const struct inbox *in, int64_t now_ms);

RST_MUST_USE enum err inbox_save(const struct inbox *in, struct buf *out, size_t max);
/* done: false for a state of a version that did not keep what is done. */
RST_MUST_USE enum err inbox_load(struct inbox *in, struct reader *r, bool done);

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
