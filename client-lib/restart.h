/*
 * Where one contact's restart stands: the secret that is for it, our stream if it is
 * being founded anew, and what is known of the peer's. docs/protocol.md, "Founding".
 * Lives in its contact's secret memory.
 */
#ifndef CLIENT_LIB_RESTART_H
#define CLIENT_LIB_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/outbox.h"
#include "common/base/bytes.h"

/* Restarts that a peer's word alone may cause: then two states go on in one name. */
#define RESTART_PROOFS 1

struct restart {
	bool able;	     /* there is a secret; false: made by a version that had none */
	uint8_t secret[32];  /* both sides', for the contact's life */

	/* our stream */
	bool under_way;	     /* it is founded anew, and the peer is not known to have followed */
	uint8_t flags;	     /* of its founding records; FOUNDING_LOST: we still wait for theirs */
	uint32_t generation; /* its first; 0: of first contact, or not drawn yet */
	uint8_t seed[32];
	uint8_t answers[32]; /* the seed of the peer's founding that it answers; zeros: none */
	int64_t from_ms;     /* no founding record leaves before */
	struct outbox_sealing sealing;

	/* of our last founding with FOUNDING_LOST, until it is answered: only who read it can */
	uint8_t lost_seed[32];

	/* the peer's stream */
	uint32_t peer_generation; /* its first */
	uint32_t peer_attempt;	  /* the highest that came of its founding */
	uint8_t peer_flags;	  /* of the last founding with FOUNDING_LOST */
	int64_t peer_ms;	  /* about when that was, by the day; 0: never */

	uint64_t lost_texts, lost_files; /* of the peer's, shown before a restart, gone since */
	uint8_t proofs;	     /* restarts for the peer's word alone */
	bool contested;	     /* too many: somebody else goes on with this contact */
	bool doubtful;	     /* the state was old when messages were numbered, until they are told */
	bool stranded;	     /* there is nothing to begin anew with */
};

#define RESTART_BYTES_MAX 512
void restart_put(struct writer *w, const struct restart *r);
void restart_get(struct reader *in, struct restart *r);
/* What a backup has of it: nothing of a founding under way. */
void restart_forget(struct restart *r);

#endif
