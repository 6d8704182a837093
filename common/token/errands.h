/*
 * The fetch law: when a member fetches which batch of tickets and stamps. The same for
 * all, and by nothing that the member does: docs/protocol.md, "Tickets and stamps". Pure.
 *
 * Each batch of an epoch has a time of its own, uniform in the ERRANDS_FROM-th epoch
 * before, which follows from the wallet's seed alone: no restart draws it again. What was
 * missed (by who is new, or was away) is fetched in order, what is needed first first, with
 * random waits between, and with longer ones after failures.
 */
#ifndef COMMON_TOKEN_ERRANDS_H
#define COMMON_TOKEN_ERRANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/charter/params.h"
#include "common/token/wallet.h"

#define ERRANDS_FROM ISSUER_AHEAD

struct errand {
	enum token_kind kind;
	uint32_t epoch, batch;
	int64_t at_ms; /* not before */
	bool late;     /* its own time had passed */
};

/* Whether an epoch has a registrar whose keys are known, and by which parameters it goes. */
struct errands_view {
	const struct params *(*open)(void *arg, uint32_t epoch); /* NULL: not now */
	void *arg;
};

struct errands {
	const struct params *params; /* the constant ones */
	const struct rng *rng;
	int64_t not_before_ms; /* what is late waits for this */
	unsigned failures;     /* in a row */
};

/* A batch's own time. */
int64_t errands_time(const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES],
    enum token_kind kind, uint32_t epoch, uint32_t batch);

/* Begin, at a start or after the clock was set. */
void errands_init(struct errands *x, const struct params *p, const struct rng *rng,
    int64_t wall_ms);
/* The next one, now or to come; false: there is none. An hour that is over needs no tickets. */
bool errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms);
/* It was tried. */
void errands_done(struct errands *x, const struct errand *done, bool success, int64_t wall_ms);

#endif
