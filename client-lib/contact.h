/*
 * One contact: who it is, how far first contact has come, its two streams, its
 * outbox and inbox. Lives in secret memory. Internal to the post.
 */
#ifndef CLIENT_LIB_CONTACT_H
#define CLIENT_LIB_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/inbox.h"
#include "client-lib/invite.h"
#include "client-lib/outbox.h"
#include "client-lib/post.h"
#include "client-lib/renewal.h"
#include "client-lib/restart.h"
#include "common/crypto/stream.h"

struct contact {
	uint32_t id;
	char name[POST_NAME_MAX];
	enum post_contact_state state;
	bool verified, blocked;
	uint16_t mailbox;
	uint8_t identity[32];

	/* INVITED and ANSWERING only; wiped when established */
	struct invite invite;
	uint8_t one_time_sk[32];	  /* inviter */
	struct invite_tags tags;	  /* inviter: what to look for */
	uint8_t f[32];			  /* acceptor: the same in all attempts */
	uint32_t attempt;		  /* acceptor: the next one */
	struct outbox_sealing answering;  /* acceptor: the answer's reseal clock */

	struct stream_writer *writer; /* NULL while INVITED */
	struct stream_reader *reader;
	struct renewal renewal; /* of both */
	struct restart restart; /* likewise */
	struct outbox outbox;
	struct inbox inbox;
};

/* Secret memory, zeroed and initialised; NULL if there is none. */
struct contact *contact_new(uint32_t id, const char *name);
void contact_free(struct contact *c);
/* Both streams from their secrets, and our first renewal key. ERR_MEMORY, ERR_CRYPTO. */
RST_MUST_USE enum err contact_set_streams(struct contact *c, const struct invite_secrets *s,
    const struct rng *r, const struct rng *keys);
/* First contact is over: forget the invitation, its psk and one-time key. */
void contact_establish(struct contact *c);
/* Whether messages may be sealed for it: established, or our answer is stored; and our stream
 * is one that the peer reads. */
bool contact_writable(const struct contact *c);
/* 1..63 bytes of UTF-8 without control characters (C0, DEL, C1), not beginning with '#'. */
RST_MUST_USE enum err contact_name_check(const char *name, struct diag *d);
/* Strict UTF-8 (RFC 3629) without NUL. */
bool contact_utf8(const void *p, size_t n);
/* Make it so: every byte that does not belong becomes '?'. For what others send. */
void contact_utf8_clean(char *text, size_t n);

/*
 * In place of a stream that is over: one that nobody knows, in the same generation, so
 * that what is founded later has a higher one. ERR_MEMORY.
 */
RST_MUST_USE enum err contact_end_writer(struct contact *c, const struct rng *keys);
RST_MUST_USE enum err contact_end_reader(struct contact *c, const struct rng *r,
    const struct rng *keys);

RST_MUST_USE enum err contact_save(const struct contact *c, struct buf *out, size_t max);
/*
 * version: of the post's state. 1 had no renewals: such streams are never renewed; 2 no
 * restarts: such a contact cannot be restored.
 */
RST_MUST_USE enum err contact_load(struct contact **out, struct reader *r, uint16_t version,
    const struct rng *rng);

/*
 * For a backup: the same without any key of a stream, and without what is under way.
 * Loaded, both streams are over (contact_end_writer, contact_end_reader); an answer
 * to an invitation counts as established. Not for a contact that is INVITED.
 */
RST_MUST_USE enum err contact_save_backup(const struct contact *c, struct buf *out, size_t max);
RST_MUST_USE enum err contact_load_backup(struct contact **out, struct reader *r,
    const struct rng *rng, const struct rng *keys);

#endif
