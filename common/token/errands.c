#include "config.h"

#include "common/token/errands.h"

#include "common/base/bytes.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"

#define LABEL "restante/token/fetch/1"
#define BEGIN_MS INT64_C(10000)	  /* after a start, at most */
#define BETWEEN_MS INT64_C(60000)  /* two of a sitting, at most */
#define RETRY_MS INT64_C(900000)   /* after the first failure, at most; doubled each time */
#define RETRY_DOUBLINGS 2
#define SPARE_MS INT64_C(1800000)  /* from the last chance to the epoch, at least */

/* Where the chances end. */
static int64_t
chances_end(const struct params *p, uint32_t epoch)
{
	int64_t start = timing_epoch_start(p, epoch), spare = params_scaled(p, SPARE_MS);

	return spare < p->epoch_ms ? start - spare : start;
}

/* A number below width that belongs to a place. */
static int64_t
drawn(const uint8_t seed[static WALLET_SEED_BYTES], uint32_t epoch, unsigned k, int64_t width)
{
	uint8_t place[5], bytes[8];
	const struct hash_part parts[] = { { LABEL, sizeof(LABEL) - 1 }, { place, sizeof(place) } };

	store_u32(place, epoch);
	place[4] = (uint8_t)k;
	hash_parts_keyed(bytes, sizeof(bytes), seed, parts, 2);
	/* the width has less than 2^33 ms: the remainder's bias is below 2^-30 */
	return width > 0 ? (int64_t)(load_u64(bytes) % (uint64_t)width) : 0;
}

int64_t
errands_chance(const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES],
    uint32_t epoch, unsigned k)
{
	uint32_t from = epoch > ERRANDS_FROM ? epoch - ERRANDS_FROM : 0;
	int64_t start = timing_epoch_start(p, from);
	int64_t eighth = (chances_end(p, epoch) - start) / ERRANDS_CHANCES;

	return start + (int64_t)k * eighth + drawn(seed, epoch, k, eighth);
}

/*
 * The first chance from a time on. When none is left, a time in what is left, if anything:
 * who comes that late is seen to have come.
 */
static int64_t
chance_from(const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES], uint32_t epoch,
    int64_t from_ms)
{
	for (unsigned k = 0; k < ERRANDS_CHANCES; k++) {
		int64_t at = errands_chance(p, seed, epoch, k);

		if (at >= from_ms)
			return at;
	}
	return from_ms + drawn(seed, epoch, ERRANDS_CHANCES, chances_end(p, epoch) - from_ms);
}

static void
wait_up_to(struct errands *x, int64_t max_ms, int64_t wall_ms)
{
	x->not_before_ms = wall_ms + rng_between(x->rng, 0, params_scaled(x->params, max_ms));
}

void
errands_init(struct errands *x, const struct params *p, const struct rng *rng, int64_t wall_ms)
{
	*x = (struct errands){ .params = p, .rng = rng, .since_ms = wall_ms };
	wait_up_to(x, BEGIN_MS, wall_ms);
}

/* Whether any of a batch's tickets is for an hour that is not over. */
static bool
useful(const struct errands *x, const struct params *p, const struct errand *e, int64_t wall_ms)
{
	size_t n = allotment_count(p, e->kind, e->batch);
	uint32_t first;

	if (e->kind == TOKEN_STAMP)
		return true;
	first = timing_hour(x->params, timing_epoch_start(x->params, e->epoch));
	return first + allotment_hour(e->batch, n - 1) >= timing_hour(x->params, wall_ms);
}

/* When an epoch's sitting begins. */
static int64_t
sitting(const struct errands *x, const uint8_t seed[static WALLET_SEED_BYTES], uint32_t epoch,
    int64_t known_ms, int64_t wall_ms)
{
	int64_t from = known_ms > x->since_ms ? known_ms : x->since_ms, at;

	if (epoch <= timing_epoch(x->params, wall_ms))
		return x->not_before_ms;
	at = chance_from(x->params, seed, epoch, from);
	return at > x->not_before_ms ? at : x->not_before_ms;
}

/* The first that an epoch still lacks and has a use for. */
static bool
lacks(const struct errands *x, struct errand *e, const struct wallet *w, const struct params *p,
    int64_t wall_ms)
{
	for (int k = TOKEN_TICKET; k <= TOKEN_STAMP; k++) {
		uint32_t n = allotment_batches(p, (enum token_kind)k);

		e->kind = (enum token_kind)k;
		for (e->batch = 0; e->batch < n; e->batch++)
			if (wallet_wants(w, p, e->kind, e->epoch, e->batch) &&
			    useful(x, p, e, wall_ms))
				return true;
	}
	return false;
}

bool
errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms)
{
	uint32_t now = timing_epoch(x->params, wall_ms);
	bool any = false;

	for (uint32_t epoch = now; epoch - now <= ISSUER_AHEAD; epoch++) {
		struct errand e = { .epoch = epoch, .late = epoch == now };
		int64_t since = 0;
		const struct params *p = v->open(v->arg, epoch, &since);

		if (p == NULL || !lacks(x, &e, w, p, wall_ms))
			continue;
		e.at_ms = sitting(x, wallet_seed(w), epoch, since, wall_ms);
		if (!any || e.at_ms < out->at_ms)
			*out = e;
		any = true;
	}
	return any;
}

void
errands_done(struct errands *x, bool success, int64_t wall_ms)
{
	unsigned doublings = x->failures < RETRY_DOUBLINGS ? x->failures : RETRY_DOUBLINGS;

	x->failures = success ? 0 : x->failures + 1;
	wait_up_to(x, success ? BETWEEN_MS : RETRY_MS << doublings, wall_ms);
}
