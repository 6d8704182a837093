#include "config.h"

#include "common/token/errands.h"

#include "common/base/bytes.h"
#include "common/charter/timing.h"
#include "common/crypto/hash.h"

#define LABEL "restante/token/fetch/1"
#define BEGIN_MS INT64_C(10000)	  /* after a start, at most */
#define BETWEEN_MS INT64_C(60000)  /* two that are late, at most */
#define RETRY_MS INT64_C(900000)   /* after the first failure, at most; doubled each time */
#define RETRY_DOUBLINGS 2

int64_t
errands_time(const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES],
    enum token_kind kind, uint32_t epoch, uint32_t batch)
{
	uint32_t from = epoch > ERRANDS_FROM ? epoch - ERRANDS_FROM : 0;
	int64_t start = timing_epoch_start(p, from);
	uint64_t width = (uint64_t)(timing_epoch_start(p, from + 1) - start);
	uint8_t place[9] = { (uint8_t)kind }, drawn[8];
	const struct hash_part parts[] = { { LABEL, sizeof(LABEL) - 1 }, { place, sizeof(place) } };

	store_u32(place + 1, epoch);
	store_u32(place + 5, batch);
	hash_parts_keyed(drawn, sizeof(drawn), seed, parts, 2);
	/* an epoch has less than 2^33 ms: the remainder's bias is below 2^-30 */
	return start + (int64_t)(load_u64(drawn) % width);
}

static void
wait_up_to(struct errands *x, int64_t max_ms, int64_t wall_ms)
{
	x->not_before_ms = wall_ms + rng_between(x->rng, 0, params_scaled(x->params, max_ms));
}

void
errands_init(struct errands *x, const struct params *p, const struct rng *rng, int64_t wall_ms)
{
	*x = (struct errands){ .params = p, .rng = rng };
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

/* Whether a is to be done before b. */
static bool
before(const struct errand *a, const struct errand *b)
{
	if (a->late != b->late)
		return a->late ? a->at_ms <= b->at_ms : a->at_ms < b->at_ms;
	return !a->late && a->at_ms < b->at_ms; /* late ones come in order */
}

static void
consider(const struct errands *x, struct errand *best, bool *any, struct errand *e,
    const struct params *p, const uint8_t seed[static WALLET_SEED_BYTES], int64_t wall_ms)
{
	if (!useful(x, p, e, wall_ms))
		return;
	e->at_ms = errands_time(x->params, seed, e->kind, e->epoch, e->batch);
	e->late = e->at_ms <= wall_ms;
	if (e->late)
		e->at_ms = x->not_before_ms;
	else if (e->at_ms < x->not_before_ms && x->failures > 0)
		e->at_ms = x->not_before_ms;
	if (!*any || before(e, best))
		*best = *e;
	*any = true;
}

bool
errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms)
{
	uint32_t now = timing_epoch(x->params, wall_ms);
	bool any = false;

	for (uint32_t epoch = now; epoch - now <= ISSUER_AHEAD; epoch++) {
		const struct params *p = v->open(v->arg, epoch);

		for (int k = TOKEN_TICKET; p != NULL && k <= TOKEN_STAMP; k++) {
			struct errand e = { .kind = (enum token_kind)k, .epoch = epoch };
			uint32_t n = allotment_batches(p, e.kind);

			for (e.batch = 0; e.batch < n; e.batch++)
				if (wallet_wants(w, p, e.kind, epoch, e.batch))
					consider(x, out, &any, &e, p, wallet_seed(w), wall_ms);
		}
	}
	return any;
}

void
errands_done(struct errands *x, const struct errand *done, bool success, int64_t wall_ms)
{
	unsigned doublings = x->failures < RETRY_DOUBLINGS ? x->failures : RETRY_DOUBLINGS;

	if (success) {
		x->failures = 0;
		if (done->late)
			wait_up_to(x, BETWEEN_MS, wall_ms);
		return;
	}
	x->failures++;
	wait_up_to(x, RETRY_MS << doublings, wall_ms);
}
