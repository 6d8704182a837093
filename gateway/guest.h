/*
 * One session as the gateway sees it, and the reading of the journal for it.
 * Internal to the entry.
 */
#ifndef GATEWAY_GUEST_H
#define GATEWAY_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/net/frame.h"
#include "common/net/link.h"
#include "gateway/chunks.h"
#include "gateway/entry.h"

#define GUEST_SHEETS 2 /* the running and the coming epoch's */
#define GUEST_NOTICES (ISSUER_AHEAD + 1) /* of the running epoch and those to come */
#define GUEST_CHARTERS 8 /* the latest: who missed no more changes needs nothing else */
#define GUEST_ASKS 64  /* reads of the store at a time */
#define GUEST_STARTS 4 /* hours whose first block is remembered */

struct guest;

/*
 * What a connection has shown. Strangers cannot be told apart, so each kind that costs
 * them nothing that is scarce has places of its own, where the newest pushes out the
 * oldest: they take neither the members' places nor, for long, each other's.
 */
enum guest_standing {
	GUEST_STRANGER, /* nothing: no handshake yet */
	GUEST_CALLER,	/* a handshake; or it reads the notices, for which nobody pays */
	GUEST_MEMBER,	/* a ticket that is spent now, or an `open` that needs none: a session */
};
#define GUEST_WAITING 2 /* the first two */

TAILQ_HEAD(guest_queue, guest);

/* A read of the store under way: others that want the same wait for it. */
struct guest_ask {
	bool busy;
	struct guest *by; /* there until the answer, though its session may have ended */
	uint32_t day, index;
	uint16_t mailbox;
};

/* Where an hour's live sessions begin to read. */
struct guest_start {
	bool known;
	uint32_t hour, day, index;
};

/* What all guests share. */
struct guest_house {
	struct loop *loop;
	const struct charter *charter;
	const struct params *params;
	struct store *store;
	struct chunks *chunks;
	const struct rng *keys;
	const uint8_t *link_sk, *link_pk;
	const struct entry_events *events;
	void *arg;
	struct entry_status status;
	size_t sessions_max, waiting_max;
	struct guest_queue waiting[GUEST_WAITING]; /* the oldest first */
	size_t waiting_count[GUEST_WAITING];
	/* sheets in the order in which they came; number counts them all */
	struct chunk *sheets[GUEST_SHEETS];
	uint32_t sheet_epochs[GUEST_SHEETS];
	uint64_t sheet_number;
	struct chunk *charters[GUEST_CHARTERS]; /* the same */
	uint64_t charter_number;
	struct chunk *notices[GUEST_NOTICES]; /* the same */
	uint64_t notice_number;
	struct tickets *tickets; /* NULL: nobody needs one */
	struct guest_ask asks[GUEST_ASKS];
	struct guest_start starts[GUEST_STARTS];
	uint8_t *frame; /* room for one frame down */
	struct guest *first;
};

/* Take over an accepted connection. Failures close it. */
void guest_new(struct guest_house *h, struct conn *c);
void guest_free(struct guest *g);
struct guest *guest_next(const struct guest *g);
/* The house goes, its guests have gone: what the store answers yet leaves it alone. */
void guest_house_left(struct guest_house *h);
/* The hour may be over. */
void guest_turn(struct guest *g);
/* The running epoch's sheet is there. */
void guest_hurry(struct guest *g);

#endif
