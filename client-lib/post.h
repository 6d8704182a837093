/*
 * The post: everything a client knows about contacts, streams and messages,
 * and the rules of reliability. Pure: records, blocks and `now` come in;
 * records to send, things to store and news come out. It does no I/O.
 * docs/protocol.md, "Reliability".
 *
 * Durability is the caller's duty, in this order:
 *   1. what post_take_writes() hands out goes to the archive (synced),
 *   2. post_save() goes to the state file,
 *   3. only then a record from post_seal() may leave, and news may be shown.
 * A crash between any two of them loses nothing and shows nothing twice: after
 * a restart the journal is read again from the saved position.
 */
#ifndef CLIENT_LIB_POST_H
#define CLIENT_LIB_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/invite.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/charter/path.h"
#include "common/journal/block.h"

#define POST_NAME_MAX 64
#define POST_CONTACTS_MAX 512
#define POST_INVITES_MAX 64
#define POST_TEXT_MAX (256u << 10)
#define POST_FILE_MAX (64u << 20)
#define POST_FILE_NAME_MAX 128

struct post;
struct post_write;

struct post_config {
	struct params params;
	uint8_t network_id[32];
	uint16_t gateway, mailbox;
	const uint8_t *gateway_identity; /* Ed25519, borrowed; NULL: quoted blocks are not judged */
	const struct rng *rng, *keys;
};

/* ---- life ---- */

/* A new post with a fresh identity. */
RST_MUST_USE enum err post_new(struct post **out, const struct post_config *cfg);
void post_free(struct post *p);
/* The live secrets and all states as bytes; versioned. Wipe the buffer after use. */
RST_MUST_USE enum err post_save(const struct post *p, struct buf *out);
RST_MUST_USE enum err post_load(struct post **out, const struct post_config *cfg, const void *in,
    size_t n, struct diag *d);

/* ---- contacts ---- */

enum post_contact_state {
	POST_INVITED,	  /* we invited; nobody has answered */
	POST_ANSWERING,	  /* we answered; the inviter has not been heard */
	POST_ESTABLISHED,
};
struct post_contact {
	uint32_t id; /* local, never reused */
	char name[POST_NAME_MAX];
	enum post_contact_state state;
	bool verified, blocked;
	uint16_t mailbox;
	uint8_t identity[32];
	char safety_number[72]; /* empty until the peer is known */
	uint32_t queued, unacknowledged; /* messages */
	bool renews; /* false: made by a version that had no renewal */
	uint32_t renewed_sending, renewed_receiving; /* how often each stream was */
	bool restarting; /* our stream begins anew, and the peer has not followed yet */
	bool contested;	 /* somebody else goes on with it: nothing is sent (post_restart_contact) */
	bool stranded;	 /* too old to begin anew: invite again */
	uint64_t lost_texts, lost_files; /* shown before a restart, gone since */
	bool peer_restored;    /* of its last restart: a backup (false: an old copy) */
	int64_t peer_restart_ms; /* about when, by the day; 0: never */
};

size_t post_contact_count(const struct post *p);
void post_contact_at(const struct post *p, size_t i, struct post_contact *out);
/* By name or "#id"; ERR_NOT_FOUND. */
RST_MUST_USE enum err post_contact_find(const struct post *p, struct post_contact *out,
    const char *name);
/* Make an invitation: a contact in state INVITED; text goes to the person. ERR_EXISTS (name), ERR_FULL. */
RST_MUST_USE enum err post_invite(struct post *p, char text[static INVITE_TEXT_MAX], uint32_t *id,
    const char *name, const struct chain_point *epoch_block, int64_t now_ms, int64_t expires_ms,
    struct diag *d);
/* Accept one: network, expiry, own invitation, used before: refused with a sentence. */
RST_MUST_USE enum err post_accept(struct post *p, uint32_t *id, const char *name,
    const char *text, int64_t now_ms, struct diag *d);
RST_MUST_USE enum err post_rename(struct post *p, uint32_t id, const char *name, struct diag *d);
RST_MUST_USE enum err post_set_verified(struct post *p, uint32_t id, bool verified);
RST_MUST_USE enum err post_set_blocked(struct post *p, uint32_t id, bool blocked);
/* Forget the contact, its secrets and what is queued for it. */
RST_MUST_USE enum err post_remove(struct post *p, uint32_t id);

/* ---- restarts: docs/protocol.md, "Founding" ---- */

enum post_restart_why { POST_RESTART_NONE, POST_RESTART_BACKUP, POST_RESTART_COPY };
struct post_restarted { /* the last restart of all contacts */
	enum post_restart_why why;
	int64_t when_ms;
	uint32_t invitations; /* that were open, and are void since */
	uint32_t stranded;    /* contacts that cannot begin anew */
};
/*
 * The state is not the latest: nothing is ever sealed again with a key of it. All
 * streams end and are founded anew, open invitations are void; messages that wait
 * go on when their contact has followed. ERR_MEMORY, ERR_CRYPTO: call it again.
 */
RST_MUST_USE enum err post_restart(struct post *p, enum post_restart_why why, int64_t now_ms);
void post_restarted(const struct post *p, struct post_restarted *out);
/* The same for one contact, at its owner's word. ERR_NOT_FOUND, ERR_STATE. */
RST_MUST_USE enum err post_restart_contact(struct post *p, uint32_t id, int64_t now_ms,
    struct diag *d);
/*
 * What a backup holds of the post: contacts, numbers and what waits; no key of a
 * stream, no open invitation. Wipe the buffer after use.
 */
RST_MUST_USE enum err post_backup(const struct post *p, struct buf *out);
/* A post from it, restarted. ERR_* with a sentence. */
RST_MUST_USE enum err post_restore(struct post **out, const struct post_config *cfg,
    const void *in, size_t n, int64_t now_ms, struct diag *d);
/*
 * The archive keys of incoming messages that have no envelope yet, from *at = 0 on;
 * false: there are no more.
 */
bool post_backup_key(const struct post *p, struct post_write *key, size_t *at);

/* ---- sending ---- */

enum post_state {
	POST_QUEUED,
	POST_SENT,	/* every record has left at least once */
	POST_STORED,	/* every record's digest was seen in a verified block */
	POST_DELIVERED, /* every record was acknowledged */
	POST_FAILED,	/* four retentions without an acknowledgement */
};
/*
 * Queue a text (UTF-8, checked) or a file; its bytes are handed out as writes.
 * *message is the local message id. ERR_STATE while the contact is not there
 * yet to be written to is not an error: messages wait until it is.
 */
RST_MUST_USE enum err post_send_text(struct post *p, uint64_t *message, uint32_t contact,
    const char *text, size_t n, int64_t now_ms, struct diag *d);
/*
 * A file: its chunks must already be in the archive under POST_WRITE_OUT keys
 * (post_file_begin gives the message id, then the caller stores chunk after
 * chunk with post_chunk_key, then post_file_commit queues it).
 */
RST_MUST_USE enum err post_file_begin(struct post *p, uint64_t *message, uint32_t contact,
    const char *name, uint64_t size, int64_t now_ms, struct diag *d);
RST_MUST_USE enum err post_file_commit(struct post *p, uint64_t message,
    const uint8_t hash[static 32], struct diag *d);
/* Bytes of file content in each fragment but the last. */
size_t post_chunk_bytes(const struct post *p);
/* Withdraw a message of which nothing has left yet; ERR_STATE otherwise. */
RST_MUST_USE enum err post_cancel(struct post *p, uint64_t message);

/*
 * What to send next, if anything is due: fills *need with the archive key whose
 * content the caller must fetch (need->kind POST_NEED_NONE: nothing to fetch).
 * Texts first, bulk at most one slot in four, the limits of the stream window,
 * reseals when due, acknowledgements alone at their slot.
 */
enum post_need_kind { POST_NEED_NONE, POST_NEED_CONTENT };
struct post_need {
	enum post_need_kind kind;
	uint64_t message;
	uint32_t fragment;
};
bool post_next(struct post *p, struct post_need *need, int64_t now_ms);
/*
 * Seal what post_next chose (content as fetched, may be NULL for POST_NEED_NONE)
 * at the stream's next index. The record may leave after a save. *path: the
 * record's path; a fresh record takes and keeps `drawn`, a resealed one keeps its own.
 * ERR_STATE: what was chosen is gone or changed; ERR_MEMORY: it is due again.
 */
RST_MUST_USE enum err post_seal(struct post *p, uint8_t *record, uint16_t *mailbox,
    struct path *path, const struct path *drawn, const void *content, size_t n, int64_t now_ms);
/*
 * Go by this charter from now on: what it expects of the network, and paths of its
 * nodes alone. A kept path that names a node which is no more takes that hop from a
 * fresh draw; *leaving is the path of the record sealed last (hops 0: none).
 */
void post_change(struct post *p, const struct charter *c, struct path *leaving);
/* The record sealed last was handed to the network / will not be sent after all. */
void post_sent(struct post *p, int64_t now_ms);
void post_unsent(struct post *p);
/* The archive has lost the content that post_next asked for: give that message up. */
void post_content_lost(struct post *p);

/* ---- receiving ---- */

/* The records of this round's verified block follow, and then post_block. */
void post_begin_block(struct post *p, uint64_t round);
/*
 * A record of the mailbox from a verified run. Tries contacts and invitations.
 * Not ours: nothing happens.
 */
RST_MUST_USE enum err post_record(struct post *p, const uint8_t *record, int64_t now_ms);
/*
 * A verified block: looks for our digests, moves the reliability clock by the
 * journal time that passed since the last verified block.
 */
RST_MUST_USE enum err post_block(struct post *p, const struct block *b, int64_t round_start_ms,
    int64_t now_ms);
/* Expire keys and invitations; update late and failed states. Call once in every slot. */
void post_tick(struct post *p, int64_t now_ms);
/*
 * A verified epoch block, one after the other: the latest is quoted in every message
 * from now on, and what contacts quote is held against all of the last ones.
 */
void post_set_epoch_block(struct post *p, const struct record_epoch_block *b);
/* The round of the latest; 0: there is none yet. */
uint64_t post_epoch_round(const struct post *p);
/*
 * Two epoch blocks of one epoch, both signed by the gateway: what a contact, never
 * mind who, quoted and what was verified here. Kept with the state until it is taken.
 */
struct post_fork {
	struct record_epoch_block theirs, own;
};
bool post_take_fork(struct post *p, struct post_fork *out);

/* ---- what comes out ---- */

/* A value for the archive; data NULL: delete. Keys are plain; the archive hashes them. */
struct post_write {
	uint8_t key[32];
	uint8_t key_len;
	uint8_t *data;
	size_t len;
};
/*
 * Take all pending writes in order; the caller frees with post_writes_free.
 * ERR_MEMORY: some state could not be queued since the last call (what is
 * handed out is still good and must be written).
 */
RST_MUST_USE enum err post_take_writes(struct post *p, struct post_write **out, size_t *n);
/* How many those are. */
size_t post_write_count(const struct post *p);
void post_writes_free(struct post_write *w, size_t n);
/* The archive key of an outgoing fragment, an incoming fragment, a message. */
void post_key_out(struct post_write *key, uint64_t message, uint32_t fragment);
void post_key_in(struct post_write *key, uint64_t store, uint32_t fragment);
void post_key_message(struct post_write *key, uint64_t message);

/* The archive's value of a message (both directions), encoded by post.c. */
struct post_message {
	uint64_t id; /* local, from 1, in order of queueing or delivery */
	uint32_t contact;
	bool incoming, file, late;
	enum post_state state;
	int64_t time_ms;     /* queued or delivered, by our clock, rounded to the minute */
	uint64_t store;	     /* incoming: the number of its fragments in the archive */
	uint64_t size;	     /* of text or file */
	uint32_t done, of;   /* fragments */
	uint8_t hash[32];    /* files: BLAKE2b-256 */
	char name[POST_FILE_NAME_MAX]; /* files */
};
RST_MUST_USE enum err post_message_encode(struct buf *out, const struct post_message *m);
RST_MUST_USE enum err post_message_decode(struct post_message *out, const void *in, size_t n);

/* News since the last call: message states, new messages, contacts established, progress. */
enum post_news_kind {
	POST_NEWS_MESSAGE, /* a whole message arrived (text or complete file) */
	POST_NEWS_STATE,   /* an outgoing message changed its state or progress */
	POST_NEWS_PROGRESS,/* an incoming file progressed */
	POST_NEWS_CONTACT, /* a contact was established or changed */
};
struct post_news {
	enum post_news_kind kind;
	uint32_t contact;
	struct post_message message;
};
bool post_next_news(struct post *p, struct post_news *out);

/*
 * Delete a message with its fragments from the archive (m as read from it). What
 * still comes of an incoming one is thrown away.
 */
RST_MUST_USE enum err post_delete(struct post *p, const struct post_message *m);
/* The lowest id that may still exist (kept by the caller's retention sweep), and the highest. */
uint64_t post_first_message(const struct post *p);
void post_set_first_message(struct post *p, uint64_t id);
uint64_t post_last_message(const struct post *p);
/* How long own messages are kept (for the sweep); 0: for ever. */
int64_t post_retention(const struct post *p);
void post_set_retention(struct post *p, int64_t retention_ms);
/* The state of an outgoing message that is still alive. */
bool post_live_message(const struct post *p, uint64_t id, struct post_message *out);

#endif
