/*
 * A mix's own visits to the gateway: six anonymous sessions through the front door, by
 * the clients' law. Their slots carry cover, notes and drops as clients' do; what they
 * bring (blocks and sheets) is verified as a client does and handed to sheets.h.
 * A mix's start is seen by the gateway, its sessions are not to be: they open minutes later,
 * each at its own time, but for one that fetches the sheet if there is none.
 * docs/protocol.md, "Mixing".
 */
#ifndef MIX_VISITS_H
#define MIX_VISITS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/journal/chain.h"
#include "common/net/loop.h"
#include "mix/heartbeat.h"
#include "mix/sheets.h"

/*
 * With a note in one slot of eight as everybody, six sessions send the eleven that tell of
 * an attack within a minute or two.
 */
#define VISITS_COUNT 6

struct purses;
struct visits;

struct visits_config {
	struct loop *loop;
	const struct succession *charters; /* borrowed */
	const char *entrance; /* where the gateway's clients enter; NULL: as the charters say */
	const char *socks;    /* as in common/net/link.h; NULL: directly */
	bool held;	      /* begin as after visits_hold(v, true) */
	struct purses *purses;	       /* where tickets come from, borrowed; NULL: none is needed */
	struct chain *chain;	       /* that segments belong to, borrowed */
	struct sheets *sheets;
	struct proofs *proofs;	       /* where evidence of two journals goes, borrowed */
	const struct rng *rng, *keys;
	struct log *log;
	/* Told of the notes of current sessions, and of blocks. */
	struct heartbeat *heartbeat;
	/* A charter that the gateway shows; whoever owns the charters judges it. */
	void (*charter)(void *arg, const uint8_t *text, size_t n);
	void *arg;
};

struct visits_status {
	uint64_t notes_sent, blocks, sheets, refused;
	unsigned live; /* sessions of the current hour that are open */
};

/* Open the sessions. ERR_MEMORY, ERR_USAGE. */
RST_MUST_USE enum err visits_new(struct visits **out, const struct visits_config *cfg);
/* While held, no session is opened (attend_hold). */
void visits_hold(struct visits *v, bool held);
void visits_free(struct visits *v);
void visits_get_status(const struct visits *v, struct visits_status *out);

#endif
