#include "config.h"

#include "tests/scenario/rehearsal.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/outbox.h"
#include "common/journal/notetest.h"
#include "tests/lib/test.h"
#include "tests/scenario/crowd.h"
#include "tests/scenario/odds.h"

#define PENDING_MAX 64
#define MIXES 2
#define SESSIONS 6 /* of a mix, and each carries what a client's does */
#define TRANSIT 2  /* rounds */
#define PACKETS_MAX 64 /* that come out in one round */
#define SAMPLES 20000
#define PATIENCE 100000 /* rounds until somebody has written */

struct pending {
	struct outbox_sealing sealing;
	uint64_t record;
};

struct packet {
	uint8_t digest[BLOCK_DIGEST_BYTES];
	uint64_t record; /* 0: a note */
	unsigned who;
};

struct writer_person {
	struct pending pending[PENDING_MAX];
	size_t count;
	struct notetest *notes;
	bool pauses, alarmed;
};

struct rehearsal {
	const struct rehearsal_config *cfg;
	const struct rng *rng;
	struct outbox_times times;
	struct bisector attack;
	struct writer_person people[BISECTOR_PEOPLE];
	struct notetest *mixes[MIXES];
	struct packet on_way[TRANSIT + 1][PACKETS_MAX];
	size_t on_way_count[TRANSIT + 1];
	uint8_t listed[PACKETS_MAX][BLOCK_DIGEST_BYTES];
	size_t listed_count;
	uint64_t records;
	int64_t round, from; /* from: when the first was withheld; <0: not yet */
	uint64_t withheld;   /* the record, for the score */
	unsigned target;
	bool stopped;
};

unsigned
rehearsal_step(const struct params *p)
{
	return (unsigned)(2 * params_forecast_ms(p) / p->round_ms);
}

static unsigned
slot_rounds(const struct params *p)
{
	return (unsigned)(p->slot_ms / p->round_ms);
}

static struct outbox_times
times_of(const struct params *p)
{
	return (struct outbox_times){.forecast_ms = params_forecast_ms(p),
	    .epoch_ms = p->epoch_ms, .retention_ms = p->retention_ms};
}

/* As the client does it, or as the control. */
static void
seal(struct outbox_sealing *s, const uint8_t digest[static BLOCK_DIGEST_BYTES],
    const struct outbox_times *t, const struct rehearsal_config *cfg)
{
	outbox_sealing_made(s, digest, t, cfg->rng);
	if ((cfg->weakness & CROWD_RESEALS_ON_TIME) != 0) {
		s->wait_ms = 2 * t->forecast_ms;
		s->backoff_ms = 0;
	}
	s->sent = true;
}

/* ---- the law, from a record of one's own ---- */

static unsigned
gap(struct outbox_sealing *s, const struct outbox_times *t, const struct rehearsal_config *cfg)
{
	static const struct block nothing;
	const struct params *p = cfg->params;
	uint8_t digest[BLOCK_DIGEST_BYTES];
	unsigned rounds = 0, slot = slot_rounds(p);

	while (!outbox_sealing_due(s) && rounds < 4 * BISECTOR_ROUNDS) {
		(void)outbox_sealing_block(s, &nothing, p->round_ms, 0);
		rounds++;
	}
	rounds += (slot - rounds % slot) % slot;
	while (rng_chance(cfg->rng, 1, p->note_one_in))
		rounds += slot;
	rng_bytes(cfg->rng, digest, sizeof(digest));
	seal(s, digest, t, cfg);
	return rounds;
}

void
rehearsal_learn(struct bisector_law *l, const struct rehearsal_config *cfg)
{
	static unsigned gaps[SAMPLES][BISECTOR_WAITS];
	struct outbox_times t = times_of(cfg->params);

	for (size_t i = 0; i < SAMPLES; i++) {
		struct outbox_sealing s = {.count = 0};
		uint8_t digest[BLOCK_DIGEST_BYTES] = {1};

		seal(&s, digest, &t, cfg);
		for (size_t k = 0; k < BISECTOR_WAITS; k++)
			gaps[i][k] = gap(&s, &t, cfg);
	}
	bisector_learn(l, (const unsigned(*)[BISECTOR_WAITS])gaps, SAMPLES);
}

/* ---- what leaves ---- */

static bool
dropped(const struct rehearsal *x, unsigned who)
{
	return x->from >= 0 && bisector_drops(&x->attack, x->round - x->from, who);
}

static void
send(struct rehearsal *x, const uint8_t digest[static BLOCK_DIGEST_BYTES], uint64_t record,
    unsigned who)
{
	size_t at = (size_t)(x->round + TRANSIT) % (TRANSIT + 1);
	struct packet *k = &x->on_way[at][x->on_way_count[at]++];

	assert_true(x->on_way_count[at] <= PACKETS_MAX);
	memcpy(k->digest, digest, sizeof(k->digest));
	k->record = record;
	k->who = who;
}

static struct pending *
due(struct writer_person *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (outbox_sealing_due(&w->pending[i].sealing))
			return &w->pending[i];
	return NULL;
}

/* A note, a record, or a drop, which nobody needs to know of. */
static void
person_slot(struct rehearsal *x, unsigned who)
{
	const struct params *p = x->cfg->params;
	struct writer_person *w = &x->people[who];
	struct pending *d = w->pauses ? NULL : due(w);
	uint8_t digest[BLOCK_DIGEST_BYTES];
	uint64_t record = 0;

	rng_bytes(x->rng, digest, sizeof(digest));
	if (rng_chance(x->rng, 1, p->note_one_in)) {
		notetest_sent(w->notes, digest, x->round * p->round_ms, p);
	} else if (d != NULL) {
		seal(&d->sealing, digest, &x->times, x->cfg);
		record = d->record;
	} else {
		return;
	}
	if (!dropped(x, who))
		send(x, digest, record, who);
}

/* Which of the mixes' sessions is in which half nobody needs to know. */
static void
mix_slot(struct rehearsal *x, unsigned mix)
{
	const struct params *p = x->cfg->params;
	uint8_t digest[BLOCK_DIGEST_BYTES];
	unsigned like = rng_below(x->rng, BISECTOR_PEOPLE);

	if (!rng_chance(x->rng, 1, p->note_one_in))
		return;
	rng_bytes(x->rng, digest, sizeof(digest));
	notetest_sent(x->mixes[mix], digest, x->round * p->round_ms, p);
	if (x->cfg->spares_mixes || !dropped(x, like))
		send(x, digest, 0, 0);
}

static void
write_one(struct rehearsal *x, unsigned who)
{
	struct writer_person *w = &x->people[who];

	if (w->count < PENDING_MAX)
		w->pending[w->count++] = (struct pending){.record = ++x->records};
}

static void
slots(struct rehearsal *x)
{
	bool slot = x->round % slot_rounds(x->cfg->params) == 0;

	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++) {
		if (x->cfg->mean_ms > 0 && rng_unit(x->rng) * (double)x->cfg->mean_ms <
		    (double)x->cfg->params->round_ms)
			write_one(x, i);
		if (slot)
			person_slot(x, i);
	}
	for (unsigned m = 0; m < MIXES; m++)
		for (unsigned i = 0; slot && i < SESSIONS; i++)
			mix_slot(x, m);
}

/* ---- what comes out ---- */

/* Whether it is withheld. */
static bool
take(struct rehearsal *x, const struct packet *k)
{
	if (k->record == 0)
		return false;
	if (x->from >= 0)
		return bisector_takes(&x->attack, x->round - x->from, k->record == x->withheld);
	x->from = x->round;
	x->withheld = k->record;
	x->target = k->who;
	return true;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, BLOCK_DIGEST_BYTES); /* public */
}

static void
come_out(struct rehearsal *x)
{
	size_t at = (size_t)x->round % (TRANSIT + 1);

	x->listed_count = 0;
	for (size_t i = 0; i < x->on_way_count[at]; i++)
		if (!take(x, &x->on_way[at][i]))
			memcpy(x->listed[x->listed_count++], x->on_way[at][i].digest,
			    BLOCK_DIGEST_BYTES);
	x->on_way_count[at] = 0;
	qsort(x->listed, x->listed_count, BLOCK_DIGEST_BYTES, compare);
}

/* ---- what a block tells ---- */

static bool
passes(struct rehearsal *x, struct notetest *t, const struct block *b)
{
	int64_t round_ms = x->cfg->params->round_ms, start = x->round * round_ms;
	struct notetest_status s;

	notetest_block(t, b, 0, start, start + round_ms, start + round_ms, x->rng);
	notetest_get_status(t, &s);
	return s.passes;
}

static void
person_block(struct rehearsal *x, struct writer_person *w, const struct block *b)
{
	int64_t passed = w->pauses ? 0 : x->cfg->params->round_ms;
	size_t kept = 0;

	for (size_t i = 0; i < w->count; i++)
		if (!outbox_sealing_block(&w->pending[i].sealing, b, passed, 0))
			w->pending[kept++] = w->pending[i];
	w->count = kept;
	w->pauses = !passes(x, w->notes, b);
	w->alarmed = w->alarmed || w->pauses;
}

static void
one_round(struct rehearsal *x)
{
	struct block b = {.digests = x->listed[0]};

	slots(x);
	come_out(x);
	b.digest_count = x->listed_count;
	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		person_block(x, &x->people[i], &b);
	for (unsigned m = 0; m < MIXES; m++)
		x->stopped = !passes(x, x->mixes[m], &b) || x->stopped;
	x->round++;
}

/* ---- one attack ---- */

static void
begin(struct rehearsal *x, const struct bisector_law *l, const struct rehearsal_config *cfg)
{
	*x = (struct rehearsal){.cfg = cfg, .rng = cfg->rng, .times = times_of(cfg->params),
	    .from = -1};
	bisector_begin(&x->attack, l, rehearsal_step(cfg->params), cfg->steps,
	    (cfg->weakness & CROWD_REPEATS) != 0, cfg->rng);
	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		assert_non_null(x->people[i].notes = notetest_new(&notetest_client));
	for (unsigned m = 0; m < MIXES; m++)
		assert_non_null(x->mixes[m] = notetest_new(&notetest_mix));
	if (cfg->mean_ms == 0)
		write_one(x, rng_below(cfg->rng, BISECTOR_PEOPLE));
}

static void
end(struct rehearsal *x)
{
	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		notetest_free(x->people[i].notes);
	for (unsigned m = 0; m < MIXES; m++)
		notetest_free(x->mixes[m]);
}

void
rehearsal_run(struct rehearsal_result *out, const struct bisector_law *l,
    const struct rehearsal_config *cfg)
{
	static struct rehearsal x;
	double weights[BISECTOR_PEOPLE];

	begin(&x, l, cfg);
	while (x.from < 0 && x.round < PATIENCE)
		one_round(&x);
	while (x.round - x.from < bisector_length(&x.attack) && !x.stopped)
		one_round(&x);
	x.attack.end = (unsigned)(x.round - x.from);
	bisector_weigh(&x.attack, weights);
	*out = (struct rehearsal_result){.target = x.target,
	    .guess = odds_most_likely(weights, BISECTOR_PEOPLE), .stopped = x.stopped};
	for (unsigned i = 0; i < BISECTOR_PEOPLE; i++)
		out->alarmed += x.people[i].alarmed;
	end(&x);
}
