/*
 * The outbox of one contact: messages waiting, records on their way, and the
 * rules of reliability (docs/protocol.md, "Reliability"). Pure.
 *
 * A message is cut into fragments. A fragment becomes a record, with a record
 * number for life, when it is sealed for the first time. A record is sealed
 * anew, always at the stream's next index, while its digest does not appear in
 * the journal, and kept until the peer acknowledges it.
 */
#ifndef CLIENT_LIB_OUTBOX_H
#define CLIENT_LIB_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/post.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/path.h"
#include "common/crypto/record.h"
#include "common/journal/block.h"

#define OUTBOX_DIGESTS 8	 /* sealings of one record watched for */
#define OUTBOX_MESSAGES_MAX 4096 /* waiting per contact */
#define OUTBOX_LIVES 4		 /* retentions before a record is given up */

/* The times of a network that reliability goes by. */
struct outbox_times {
	int64_t forecast_ms, epoch_ms, retention_ms;
};

/* The reseal clock of anything that is sealed until the journal shows it. */
struct outbox_sealing {
	uint8_t digests[OUTBOX_DIGESTS][BLOCK_DIGEST_BYTES]; /* a ring */
	uint32_t count;	     /* sealings so far */
	bool left;	     /* some sealing has left */
	bool sent, stored;   /* the last sealing left; some digest was seen */
	struct path path;    /* kept for life; hops 0: none yet */
	int64_t wait_ms;     /* journal time until the next sealing */
	int64_t backoff_ms;  /* lower bound of the next wait */
	int64_t left_ms;     /* when the first one left; 0: none, or before a restart */
	int64_t stored_ms;   /* when one was seen */
	uint32_t lives;	     /* retentions begun */
};

struct outbox_record {
	uint64_t number;
	uint64_t message; /* local id */
	uint32_t fragment;
	bool bulk;
	struct outbox_sealing sealing;
};

struct outbox_message {
	struct post_message info; /* done: fragments acknowledged */
	uint64_t number;	  /* within its type, given when it is queued; 0: none yet */
	uint32_t next_fragment;	  /* the first that was never sealed */
	uint32_t sent, stored;	  /* fragments that reached the state, acknowledged ones too */
	uint32_t acknowledged;	  /* info.done when it was last reported */
	bool overdue;		  /* a record of it is late; for outbox_tick */
	bool ready;		  /* false: a file whose chunks are still being stored */
};

struct outbox {
	struct outbox_message **messages; /* in order of queueing */
	size_t message_count, message_room;
	struct outbox_record *records; /* alive, in order of number */
	size_t record_count, record_room;
	uint64_t next_number, next_text, next_file;
	uint64_t given_texts, given_files; /* messages that the peer has acknowledged, ever */
	uint64_t seen_index; /* the most that the peer has told: its highest index plus one */
	uint32_t exception_epoch; /* when the window's limit was last passed, plus one */
};

void outbox_init(struct outbox *o);
void outbox_release(struct outbox *o);

/* Queue a message (copied); *out is the outbox's own, valid until it is done. ERR_FULL. */
RST_MUST_USE enum err outbox_add(struct outbox *o, struct outbox_message **out,
    const struct post_message *info, bool ready);
struct outbox_message *outbox_find(const struct outbox *o, uint64_t id);
/*
 * Number a message that has no number yet. Those that are queued are numbered at once,
 * so that after a restart both sides can tell which the peer has; those that are queued
 * during one are numbered when it is known which numbers were used before.
 */
void outbox_number(struct outbox *o, struct outbox_message *m);
/* Remove a message of which nothing was sealed; ERR_STATE otherwise, ERR_NOT_FOUND. */
RST_MUST_USE enum err outbox_cancel(struct outbox *o, uint64_t id);

/* What to seal next. */
enum outbox_choice { OUTBOX_NOTHING, OUTBOX_FRESH, OUTBOX_AGAIN };
struct outbox_pick {
	enum outbox_choice choice;
	uint64_t message;  /* local id */
	uint32_t fragment;
	size_t record;	   /* OUTBOX_AGAIN: index into records */
	bool bulk;
	bool exception;	   /* passes the window's limit, once per epoch */
};
/*
 * Choose by the rules: reseals that are due and texts first, files only if
 * `bulk` is allowed; index is the stream writer's next one. At the window's
 * limit only the oldest record goes (or, if none is alive, the first fresh one),
 * once per epoch, up to the whole window.
 */
void outbox_choose(struct outbox_pick *out, const struct outbox *o, uint64_t index, bool bulk,
    uint32_t epoch);
/* Whether the stream's next index is at the limit: half a window above what the peer has seen. */
bool outbox_window_closed(const struct outbox *o, uint64_t index);
/*
 * Turn a pick into a record that is about to be sealed: numbers it, and returns
 * it (valid until the outbox changes) with its message. ERR_MEMORY, ERR_STATE.
 */
RST_MUST_USE enum err outbox_begin(struct outbox *o, const struct outbox_pick *p,
    struct outbox_record **record, struct outbox_message **message, uint32_t epoch);

/* How far r is above the oldest record that is alive: `behind` of its header. */
uint16_t outbox_behind(const struct outbox *o, const struct outbox_record *r);

/* ---- sealings, also used for the answer to an invitation ---- */

/* A sealing was made: remembers its digest, draws the next wait (2..8 forecasts, doubling to one epoch). */
void outbox_sealing_made(struct outbox_sealing *s, const uint8_t digest[static BLOCK_DIGEST_BYTES],
    const struct outbox_times *t, const struct rng *r);
/* Journal time passed; digests of a block. Returns whether `stored` became true. */
bool outbox_sealing_block(struct outbox_sealing *s, const struct block *b, int64_t passed_ms,
    int64_t now_ms);
/* Whether it must be sealed anew now. */
bool outbox_sealing_due(const struct outbox_sealing *s);
void outbox_sealing_put(struct writer *w, const struct outbox_sealing *s);
/* What may have left counts as having left. */
void outbox_sealing_get(struct reader *r, struct outbox_sealing *s);

/* ---- what the network tells ---- */

/* Called for messages whose state or progress changed. */
typedef void outbox_changed(void *arg, const struct outbox_message *m);
/* The record's last sealing was handed to the network. */
void outbox_sent(struct outbox *o, uint64_t number, int64_t now_ms, outbox_changed *each,
    void *arg);
/* It will never be handed over: the record is due again at once. */
void outbox_unsent(struct outbox *o, uint64_t number);
/* A verified block. */
void outbox_block(struct outbox *o, const struct block *b, int64_t passed_ms, int64_t now_ms,
    outbox_changed *each, void *arg);
/*
 * The peer's acknowledgement; done messages are reported, then removed. One
 * that claims what we never sent (index: our stream's next) is passed over.
 */
void outbox_acknowledge(struct outbox *o, const struct record_ack *a, uint64_t index,
    outbox_changed *each, void *arg);
/*
 * The peer may have read the journal's days in another order than they were
 * written, and not have had our stream when it met what is stored: send it again.
 */
void outbox_doubt(struct outbox *o, const struct outbox_times *t, const struct rng *r);
/* `late` after three forecasts; reseals before the retention ends; failed after four. */
void outbox_tick(struct outbox *o, const struct outbox_times *t, int64_t now_ms,
    outbox_changed *each, void *arg);
/* Give a message up: it is reported as failed and removed. */
void outbox_fail(struct outbox *o, uint64_t id, outbox_changed *each, void *arg);

/* ---- a restart: docs/protocol.md, "Founding" ---- */

/* The stream ends: no record is under way any more, and every message is queued again. */
void outbox_restart(struct outbox *o, outbox_changed *each, void *arg);
/*
 * The peer tells what it has: its messages are reported as delivered and removed, and
 * what is numbered from now on lies above all numbers that it knows. Messages that have
 * waited for that are numbered. doubtful: its number may be another message's: such a
 * one has failed, for its owner to send again.
 */
struct founding;
void outbox_learn(struct outbox *o, const struct founding *f, bool doubtful, outbox_changed *each,
    void *arg);
/* The numbers below it are settled. */
uint64_t outbox_floor(const struct outbox *o);
/* Of an old state: whether a message without a number was sent later nobody knows. */
void outbox_fail_unnumbered(struct outbox *o, outbox_changed *each, void *arg);

/* Versioned by the post's format. On load, what may have left counts as having left. */
RST_MUST_USE enum err outbox_save(const struct outbox *o, struct buf *out, size_t max);
/* given: false for a state of a version that did not count what was given. */
RST_MUST_USE enum err outbox_load(struct outbox *o, struct reader *r, bool given);

#endif
