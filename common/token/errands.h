/*
 * The fetch law: when a member fetches its tickets and stamps. The same for all, and by
 * nothing that the member does: docs/protocol.md, "Tickets and stamps". Pure.
 *
 * All of an epoch is fetched in one sitting, batch after batch with random waits between.
 * It begins at the first of the epoch's chances at which the member is there: eight times,
 * one in each eighth of the four epochs before, that follow from the wallet's seed alone,
 * so that a return after a night moves no fetch. Only who has nothing for the running
 * epoch (who is new, or was away for longer than a wallet lasts) fetches at once.
 */
#ifndef COMMON_TOKEN_ERRANDS_H
#define COMMON_TOKEN_ERRANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/token/wallet.h"

#define ERRANDS_FROM ISSUER_AHEAD
#define ERRANDS_CHANCES (2 * ERRANDS_FROM)

struct errand {
	enum token_kind kind;
	uint32_t epoch, batch;
	int64_t at_ms; /* not before */
	bool late;     /* its epoch runs */
};

/*
 * Whether an epoch has a registrar whose keys are known, since when, and by which
 * parameters it goes.
 */
struct errands_view {
	/* NULL: not now */
	const struct params *(*open)(void *arg, uint32_t epoch, int64_t *since_ms);
	void *arg;
};

struct errands {
	const struct params *params; /* the constant ones */
	const struct rng *rng;
	int64_t since_ms;      /* chances before it were not ours */
	int64_t not_before_ms; /* nothing is fetched before this */
	unsigned failures;     /* in a row */
};

/* An epoch's chances, k < ERRANDS_CHANCES, in order. */
int64_t errands_chance(const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES],
    uint32_t epoch, unsigned k);

/* Begin, at a start, a release or after the clock was set. */
void errands_init(struct errands *x, const struct params *p, const struct rng *rng,
    int64_t wall_ms);
/* The next one, now or to come; false: there is none. An hour that is over needs no tickets. */
bool errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms);
/* One was tried. */
void errands_done(struct errands *x, bool success, int64_t wall_ms);

#endif
