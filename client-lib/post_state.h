/*
 * What the files of the post share: its state and its two queues. Internal to
 * post*.c.
 */
#ifndef CLIENT_LIB_POST_STATE_H
#define CLIENT_LIB_POST_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/contact.h"
#include "client-lib/post.h"

#define POST_QUOTED 8 /* epoch blocks that are later than our own */
#define POST_WITNESSED 64 /* epochs: more than a retention at the default lengths */

/* What post_next chose, and what post_seal made of it. */
enum post_choice { POST_CHOICE_NONE, POST_CHOICE_ANSWER, POST_CHOICE_RECORD,
	POST_CHOICE_ACK, POST_CHOICE_FOUNDING };

struct post {
	struct post_config cfg;
	uint8_t identity_sk[32], identity_pk[32];
	struct contact *contacts[POST_CONTACTS_MAX];
	size_t contact_count;
	uint32_t next_contact;
	uint64_t last_message, first_message;
	uint64_t last_store; /* numbers of incoming messages' fragments in the archive */
	int64_t retention_ms; /* of own messages; 0: kept */
	struct outbox_times times;

	uint64_t slot; /* of this run, and the last that carried bulk, that founded */
	uint64_t bulk_slot, founding_slot;
	size_t turn;		  /* fairness: where the next search begins */

	enum post_choice choice; /* chosen by post_next */
	uint32_t choice_contact;
	struct outbox_pick pick;
	enum post_choice sealed; /* sealed, neither sent nor unsent yet */
	uint32_t sealed_contact;
	uint64_t sealed_number;
	bool sealed_bulk;
	uint32_t sealed_serial; /* of the acknowledgement that it carries */

	int64_t block_ms;  /* start of the round whose records are being given */
	int64_t newest_ms; /* of the latest round that this run has verified; 0: none */
	struct post_restarted restarted; /* the last one of all contacts */
	uint32_t void_invitations;	 /* open when the backup was made; until it is restarted */

	bool clock_runs; /* last_round_ms is set */
	int64_t last_round_ms;
	struct record_epoch_block epoch_block; /* the latest; round 0: none yet */
	struct record_epoch_block witnessed[POST_WITNESSED]; /* a ring of those before */
	uint32_t witness_next;
	struct record_epoch_block quoted[POST_QUOTED]; /* a ring; of this run */
	uint32_t quoted_next;
	bool forked; /* fork is evidence against the gateway */
	struct post_fork fork;

	struct post_write *writes;
	size_t write_count, write_room;
	enum err failure; /* a write that was lost for want of memory, told by post_take_writes */
	struct post_news *news;
	size_t news_head, news_count, news_room;
};

struct contact *post_contact(const struct post *p, uint32_t id);
void post_contact_describe(const struct post *p, const struct contact *c, struct post_contact *out);

/* Queue an archive write (data copied) or, with data NULL, a deletion. ERR_MEMORY. */
RST_MUST_USE enum err post_put(struct post *p, const struct post_write *key, const void *data,
    size_t n);
/* The same in two steps, of which the second cannot fail: make *w, name it, add it. */
RST_MUST_USE enum err post_put_prepare(struct post *p, struct post_write *w, const void *data,
    size_t n);
void post_put_prepared(struct post *p, const struct post_write *key, struct post_write *w);
RST_MUST_USE enum err post_put_message(struct post *p, const struct post_message *m);
/* The first of the two steps for it; its key is post_key_message's. */
RST_MUST_USE enum err post_put_message_prepare(struct post *p, struct post_write *w,
    const struct post_message *m);
/* Where no error can be returned: post_take_writes returns it. */
void post_note_failure(struct post *p, enum err e);
/* News never fail: without memory the oldest is dropped (the archive has the truth). */
void post_tell(struct post *p, const struct post_news *n);
void post_tell_contact(struct post *p, const struct contact *c);
/* The outbox_changed callback; arg is a struct post_changed. */
struct post_changed {
	struct post *post;
	const struct contact *contact;
};
void post_message_changed(void *arg, const struct outbox_message *m);
/* The fragments of an incoming message that never will be shown. */
RST_MUST_USE enum err post_delete_partial(struct post *p, const struct inbox_partial *m);
/* Show every message whose turn has come, and forget those that will never be whole. */
RST_MUST_USE enum err post_show_ready(struct post *p, struct contact *c, int64_t now_ms);

/* ---- post_restart.c ---- */

/* Whether a founding record for this contact is due; seal the next one. */
bool post_founding_due(const struct post *p, const struct contact *c, int64_t now_ms);
RST_MUST_USE enum err post_founding_seal(struct post *p, struct contact *c, uint8_t *record,
    int64_t now_ms);
/* A verified block, a slot. */
void post_founding_block(struct contact *c, int64_t passed_ms);
void post_founding_tick(struct post *p, struct contact *c, int64_t now_ms);
/* What a record of the peer's acknowledges: that it has followed, or that our state is old. */
RST_MUST_USE enum err post_founding_seen(struct post *p, struct contact *c,
    const struct record_ack *a, int64_t now_ms);
/* A record that is in no table: ERR_NOT_FOUND if it is no founding either. */
RST_MUST_USE enum err post_try_founding(struct post *p, const uint8_t *record, int64_t now_ms);

/* Compare what a contact quotes with what was verified here. */
void post_judge_quote(struct post *p, const struct record_epoch_block *theirs);
#define POST_EPOCH_BLOCK_BYTES (8 + 32 + 64)
#define POST_WITNESS_BYTES (1 + 4 + 2 + (3 + POST_WITNESSED) * POST_EPOCH_BLOCK_BYTES)
void post_witness_put(struct writer *w, const struct post *p);
void post_witness_get(struct reader *r, struct post *p);
/* Times on disk are coarse: rounded down to the minute. */
int64_t post_minute(int64_t ms);

#endif
