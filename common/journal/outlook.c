#include "config.h"

#include "common/journal/outlook.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/block.h"
#include "common/journal/item.h"

/* ---- how much there is to carry ---- */

double
outlook_sessions(const struct params *p)
{
	unsigned mixes = 0;

	for (unsigned l = 0; l < p->layers; l++)
		mixes += p->mixes[l] > 0 ? p->mixes[l] : 1;
	return (double)p->people + OUTLOOK_MIX_SESSIONS * (double)mixes;
}

double
outlook_deposits_per_round(const struct params *p, double messages_per_day)
{
	return (double)p->people * messages_per_day * OUTLOOK_DEPOSITS_PER_MESSAGE *
	    (double)p->round_ms / (double)TIMING_DAY_MS;
}

double
outlook_record_bytes(const struct params *p)
{
	return p->record_size;
}

/* Lines of the mailboxes that got something in the round. */
static double
mailbox_lines(const struct params *p, double deposits)
{
	return p->mailboxes * (1 - exp(-deposits / p->mailboxes));
}

double
outlook_block_bytes(const struct params *p, double messages_per_day)
{
	double deposits = outlook_deposits_per_round(p, messages_per_day);
	double notes = outlook_sessions(p) * (double)p->round_ms / (double)p->slot_ms /
	    p->note_one_in;

	return BLOCK_EMPTY_BYTES + BLOCK_SIGNATURE_BYTES + ITEM_HEADER_BYTES +
	    BLOCK_DIGEST_BYTES * (notes + deposits) +
	    BLOCK_MAILBOX_BYTES * mailbox_lines(p, deposits);
}

/* Records of the reader's own mailbox in a round. */
static double
mailbox_records(const struct params *p, double messages_per_day)
{
	return outlook_deposits_per_round(p, messages_per_day) / p->mailboxes;
}

static double
frame_room(const struct params *p)
{
	return (double)p->pieces * PARAMS_PIECE_BYTES;
}

double
outlook_stream_load(const struct params *p, double messages_per_day)
{
	double records = mailbox_records(p, messages_per_day);
	double bytes = outlook_block_bytes(p, messages_per_day) +
	    (1 - exp(-records)) * ITEM_HEADER_BYTES + records * outlook_record_bytes(p);

	return bytes / frame_room(p) * (double)p->slot_ms / (double)p->round_ms;
}

/* Deposits of one person in a slot; and the chance that a slot may carry one. */
static double
slot_deposits(const struct params *p, double messages_per_day)
{
	return messages_per_day * OUTLOOK_DEPOSITS_PER_MESSAGE * (double)p->slot_ms /
	    (double)TIMING_DAY_MS;
}

static double
slot_chance(const struct params *p)
{
	return 1 - 1.0 / p->note_one_in;
}

double
outlook_slot_load(const struct params *p, double messages_per_day)
{
	return slot_deposits(p, messages_per_day) / slot_chance(p);
}

/* ---- a law of time on a grid ---- */

/*
 * Mass at base_ms + i * step_ms. Whatever is added is independent of what is there, so that
 * each addition is one pass over the cells; what goes beyond the last cell is lost,
 * and the horizon is chosen so that it is next to nothing.
 */
#define CELLS 16384

struct law {
	double *cells, *spare;
	double step_ms, base_ms;
};

static enum err
law_new(struct law *w, double step_ms)
{
	w->cells = calloc(CELLS, sizeof(*w->cells));
	w->spare = calloc(CELLS, sizeof(*w->spare));
	w->step_ms = step_ms;
	w->base_ms = 0;
	if (w->cells == NULL || w->spare == NULL)
		return ERR_MEMORY;
	w->cells[0] = 1;
	return ERR_OK;
}

static void
law_free(struct law *w)
{
	free(w->cells);
	free(w->spare);
}

static size_t
cells_of(const struct law *w, double ms)
{
	double n = floor(ms / w->step_ms + 0.5);

	return n < 1 ? 1 : n > CELLS ? CELLS : (size_t)n;
}

static void
law_swap(struct law *w)
{
	double *t = w->cells;

	w->cells = w->spare;
	w->spare = t;
}

/* A time uniform in [0, ms). */
static void
law_add_uniform(struct law *w, double ms)
{
	size_t n = cells_of(w, ms);
	double sum = 0;

	for (size_t i = 0; i < CELLS; i++) {
		sum += w->cells[i];
		sum -= i >= n ? w->cells[i - n] : 0;
		w->spare[i] = sum / (double)n;
	}
	law_swap(w);
	/* n cells from 0 on lie half a cell early, and n steps are not quite ms */
	w->base_ms += ms / 2 - (double)(n - 1) * w->step_ms / 2;
}

/* Periods of `ms`, as many as tosses fail before one of chance `share` comes out. */
static void
law_add_tosses(struct law *w, double ms, double share)
{
	size_t n = cells_of(w, ms);

	for (size_t i = 0; i < CELLS; i++)
		w->cells[i] = share * w->cells[i] + (i >= n ? (1 - share) * w->cells[i - n] : 0);
}

/* Exponential: tosses at every cell, of the same mean. */
static void
law_add_exponential(struct law *w, double mean_ms)
{
	law_add_tosses(w, w->step_ms, 1 / (1 + mean_ms / w->step_ms));
}

/* k periods of `ms` with chance[k], k < n. */
static void
law_add_steps(struct law *w, double ms, const double *chance, size_t n)
{
	size_t period = cells_of(w, ms);

	memset(w->spare, 0, CELLS * sizeof(*w->spare));
	for (size_t k = 0; k < n && k * period < CELLS; k++)
		for (size_t i = k * period; i < CELLS && chance[k] > 0; i++)
			w->spare[i] += chance[k] * w->cells[i - k * period];
	law_swap(w);
}

/* With this chance, a time uniform in [0, ms). */
static void
law_add_for_some(struct law *w, double ms, double chance)
{
	double base = w->base_ms;
	size_t shift;

	law_add_uniform(w, ms); /* leaves in `spare` what was there */
	shift = cells_of(w, fmax(0, w->base_ms - base) + w->step_ms) - 1;
	for (size_t i = 0; i < CELLS; i++) {
		double later = i >= shift ? w->cells[i - shift] : 0;

		w->spare[i] = (1 - chance) * w->spare[i] + chance * later;
	}
	law_swap(w);
	w->base_ms = base;
}

/*
 * The latest of this time and of those that began before it, at random times, so many in a ms:
 * of these those that last beyond t from now are Poisson, of mean the rate times the
 * integral of 1 - F from t on.
 */
static void
law_add_earlier(struct law *w, double per_ms)
{
	double above = 0, mass = 0, beyond_ms = 0;

	for (size_t i = 0; i < CELLS; i++)
		mass += w->cells[i];
	for (size_t i = CELLS; i-- > 0;) {
		w->spare[i] = (1 - above / mass) * exp(-per_ms * beyond_ms);
		above += w->cells[i];
		beyond_ms += above / mass * w->step_ms;
	}
	for (size_t i = CELLS; i-- > 1;)
		w->spare[i] -= w->spare[i - 1];
	law_swap(w);
}

static double
law_mean(const struct law *w)
{
	double sum = 0, mass = 0;

	for (size_t i = 0; i < CELLS; i++) {
		sum += (double)i * w->cells[i];
		mass += w->cells[i];
	}
	return w->base_ms + sum / mass * w->step_ms;
}

static double
law_percentile(const struct law *w, double share)
{
	double mass = 0, sum = 0;
	size_t i = 0;

	for (size_t k = 0; k < CELLS; k++)
		mass += w->cells[k];
	while (i + 1 < CELLS && sum + w->cells[i] < share * mass)
		sum += w->cells[i++];
	return w->base_ms + (double)i * w->step_ms;
}

/* ---- waiting for a slot ---- */

#define AHEAD_MAX 64 /* messages of one's own that wait */
#define EXTRA_SLOTS 1024

/* chance[k] = Poisson(mean) = k. */
static void
poisson(double *chance, size_t n, double mean)
{
	chance[0] = exp(-mean);
	for (size_t k = 1; k < n; k++)
		chance[k] = chance[k - 1] * mean / (double)k;
}

/* P(more than, or as many as, k) of a law that has n terms. */
static double
at_least(const double *chance, size_t n, size_t k)
{
	double sum = 0;

	for (size_t i = k; i < n; i++)
		sum += chance[i];
	return sum;
}

/*
 * Messages that wait just after a slot: in each slot some come and at most one goes, with
 * chance s. What goes up over a level equals what comes down over it.
 */
static void
waiting_after_slot(double waiting[static AHEAD_MAX], double arrivals, double s)
{
	double came[AHEAD_MAX + 2], up[AHEAD_MAX + 1], sum = 0;

	poisson(came, AHEAD_MAX + 2, arrivals);
	for (size_t k = 1; k <= AHEAD_MAX; k++)
		up[k] = (1 - s) * at_least(came, AHEAD_MAX + 2, k) +
		    s * at_least(came, AHEAD_MAX + 2, k + 1);
	waiting[0] = 1;
	for (size_t k = 0; k + 1 < AHEAD_MAX; k++) {
		waiting[k + 1] = 0;
		for (size_t i = 0; i <= k; i++)
			waiting[k + 1] += waiting[i] * up[k + 1 - i];
		waiting[k + 1] /= came[0] * s;
	}
	for (size_t k = 0; k < AHEAD_MAX; k++)
		sum += waiting[k];
	for (size_t k = 0; k < AHEAD_MAX; k++)
		waiting[k] /= sum;
}

/* And before a message that comes at any time between two slots: those since the slot too. */
static void
waiting_ahead(double ahead[static AHEAD_MAX], double arrivals, double s)
{
	double waiting[AHEAD_MAX], came[AHEAD_MAX], one[AHEAD_MAX];
	enum { PARTS = 16 };

	waiting_after_slot(waiting, arrivals, s);
	memset(came, 0, sizeof(came));
	for (int i = 0; i < PARTS; i++) {
		poisson(one, AHEAD_MAX, arrivals * (i + 0.5) / PARTS);
		for (size_t k = 0; k < AHEAD_MAX; k++)
			came[k] += one[k] / PARTS;
	}
	for (size_t k = 0; k < AHEAD_MAX; k++) {
		ahead[k] = 0;
		for (size_t i = 0; i <= k; i++)
			ahead[k] += waiting[i] * came[k - i];
	}
}

/* How far the steps go that matter. */
static size_t
steps_of(const double *chance, size_t n)
{
	while (n > 1 && chance[n - 1] < 1e-12)
		n--;
	return n;
}

/*
 * Slots beyond the next one: each message ahead and the message itself take tosses
 * until a slot is no note. Horner's rule in z G, z being a slot and G the tosses.
 */
static void
extra_slots(double extra[static EXTRA_SLOTS], double arrivals, double s)
{
	double ahead[AHEAD_MAX], before = 0;

	waiting_ahead(ahead, arrivals, s);
	memset(extra, 0, EXTRA_SLOTS * sizeof(*extra));
	for (size_t k = steps_of(ahead, AHEAD_MAX); k-- > 0;) {
		memmove(extra + 1, extra, (EXTRA_SLOTS - 1) * sizeof(*extra));
		extra[0] = ahead[k];
		before = 0;
		for (size_t i = 0; i < EXTRA_SLOTS; i++)
			before = extra[i] = s * extra[i] + (1 - s) * before;
	}
}

/*
 * The slot; and for what would leave around an epoch's boundary, when only cover does, the
 * time until that is over.
 */
static void
add_slots(struct law *w, const struct params *p, double messages_per_day)
{
	double quiet_ms = 2 * (double)params_scaled(p, PATH_BOUNDARY_MS);
	double chance = quiet_ms / (double)p->epoch_ms, extra[EXTRA_SLOTS];

	extra_slots(extra, slot_deposits(p, messages_per_day), slot_chance(p));
	law_add_uniform(w, (double)p->slot_ms);
	law_add_steps(w, (double)p->slot_ms, extra, steps_of(extra, EXTRA_SLOTS));
	if (chance >= 1)
		return; /* nothing real ever leaves: the rules between parameters refuse it */
	law_add_for_some(w, quiet_ms, chance);
}

/* ---- the mixes ---- */

/* Packets that come to one mix of a layer in a round. */
static double
arrivals_of(const struct params *p, unsigned layer)
{
	double mixes = p->mixes[layer] > 0 ? p->mixes[layer] : 1;

	return outlook_sessions(p) * (double)p->round_ms / (double)p->slot_ms / mixes;
}

/* The chance of each packet in the pool to leave with a flush, and the time between two. */
static double
layer_share(const struct params *p, unsigned layer)
{
	const struct strategy *s = &p->strategy[layer];
	double a = arrivals_of(p, layer);

	switch (s->kind) {
	case STRATEGY_TIMED:
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_OR_TIMED:
	case STRATEGY_THRESHOLD_AND_TIMED:
	case STRATEGY_STOP_AND_GO:
		return 1;
	case STRATEGY_THRESHOLD_POOL:
		return s->threshold / ((double)s->threshold + s->pool_min);
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
	case STRATEGY_BINOMIAL:
		return fmin(1, a / strategy_pool(s, a, p->round_ms));
	}
	return 1;
}

static double
layer_period_ms(const struct params *p, unsigned layer)
{
	const struct strategy *s = &p->strategy[layer];
	double a = arrivals_of(p, layer), round = (double)p->round_ms;

	switch (s->kind) {
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_POOL:
		return round * s->threshold / a;
	case STRATEGY_THRESHOLD_OR_TIMED:
		return fmin(round, round * s->threshold / a);
	case STRATEGY_THRESHOLD_AND_TIMED:
		return round * fmax(1, ceil(s->threshold / a));
	case STRATEGY_TIMED:
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
	case STRATEGY_BINOMIAL:
	case STRATEGY_STOP_AND_GO:
		return round;
	}
	return round;
}

/* Flushes once in every round, and only then. */
static bool
by_round(const struct params *p, unsigned layer)
{
	switch (p->strategy[layer].kind) {
	case STRATEGY_TIMED:
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
	case STRATEGY_BINOMIAL:
		return true;
	case STRATEGY_THRESHOLD_OR_TIMED:
	case STRATEGY_THRESHOLD_AND_TIMED:
		return layer_period_ms(p, layer) == (double)p->round_ms;
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_POOL:
	case STRATEGY_STOP_AND_GO:
		return false;
	}
	return false;
}

/*
 * Layers flush one after the other, an even part of the round apart; so does the gateway
 * after the last. Only a packet that comes at any time waits for its flush.
 */
static void
add_mixes(struct law *w, const struct params *p)
{
	double part = (double)p->round_ms / p->layers;
	bool in_step = false;

	for (unsigned l = 0; l < p->layers; l++) {
		double period = layer_period_ms(p, l);

		if (p->strategy[l].kind == STRATEGY_STOP_AND_GO) {
			law_add_exponential(w, p->strategy[l].mean_ms);
			law_add_uniform(w, STRATEGY_TICK_MS);
		} else if (by_round(p, l) && in_step) {
			w->base_ms += part;
			law_add_tosses(w, period, layer_share(p, l));
		} else {
			law_add_uniform(w, period);
			law_add_tosses(w, period, layer_share(p, l));
		}
		in_step = by_round(p, l);
	}
}

static void
add_round(struct law *w, const struct params *p)
{
	if (by_round(p, p->layers - 1u))
		w->base_ms += (double)p->round_ms / p->layers;
	else
		law_add_uniform(w, (double)p->round_ms);
}

/* ---- reading ---- */

#define FRAMES_MAX 64

/* The reader's next frame, and as many more as the block and the records of the round take. */
static void
add_fetch(struct law *w, const struct params *p, double messages_per_day)
{
	double others[4 * FRAMES_MAX], frames[FRAMES_MAX] = { 0 };
	double block = outlook_block_bytes(p, messages_per_day) + ITEM_HEADER_BYTES;

	poisson(others, 4 * FRAMES_MAX, mailbox_records(p, messages_per_day));
	for (size_t k = 0; k < 4 * FRAMES_MAX; k++) {
		double n = ceil((block + (double)(k + 1) * outlook_record_bytes(p)) / frame_room(p));

		frames[n > FRAMES_MAX ? FRAMES_MAX - 1 : (size_t)n - 1] += others[k];
	}
	law_add_uniform(w, (double)p->slot_ms);
	law_add_steps(w, (double)p->slot_ms, frames, steps_of(frames, FRAMES_MAX));
}

/* ---- all of it ---- */

static int64_t
common_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* A step that slot and round are multiples of, if the horizon allows. */
static double
grid_step(const struct params *p, double messages_per_day)
{
	double horizon = (double)params_forecast_ms(p) * 1.5 +
	    2 * (double)params_scaled(p, PATH_BOUNDARY_MS) +
	    (double)p->slot_ms * (24 + 24 / (1 - outlook_slot_load(p, messages_per_day))) +
	    4 * (double)p->round_ms;
	double least = horizon / CELLS, divisor = (double)common_divisor(p->slot_ms, p->round_ms);

	return divisor >= least ? divisor / floor(divisor / least) : least;
}

#define LOAD_MAX 0.9

static enum err
check_loads(const struct params *p, double messages_per_day, struct diag *d)
{
	double slots = outlook_slot_load(p, messages_per_day);
	double stream = outlook_stream_load(p, messages_per_day);

	if (slots > LOAD_MAX)
		return diag_set(d, ERR_RANGE, "%.6g messages a day are %.0f %% of what a slot of "
		    "%" PRId64 " ms can carry: choose a shorter slot", messages_per_day, 100 * slots,
		    p->slot_ms);
	if (stream > LOAD_MAX)
		return diag_set(d, ERR_RANGE, "the journal takes %.0f %% of the frames down: choose "
		    "more pieces, more mailboxes or a shorter slot", 100 * stream);
	for (unsigned l = 0; l < p->layers; l++)
		if (!(layer_share(p, l) > 1e-3) || layer_period_ms(p, l) > (double)p->grace_ms)
			return diag_set(d, ERR_RANGE, "the mix of layer %u holds packets too long at "
			    "this traffic: choose another strategy", l);
	return ERR_OK;
}

enum err
outlook_delay(struct outlook_delay *out, const struct params *p, double messages_per_day,
    double to_one_per_day, struct diag *d)
{
	struct outlook_delay o;
	struct law w = { NULL, NULL, 0, 0 };
	enum err e = check_loads(p, messages_per_day, d);

	if (e == ERR_OK)
		e = law_new(&w, grid_step(p, messages_per_day));
	if (e == ERR_OK) {
		add_slots(&w, p, messages_per_day);
		o.slot_ms = law_mean(&w);
		add_mixes(&w, p);
		o.mixes_ms = law_mean(&w) - o.slot_ms;
		add_round(&w, p);
		o.round_ms = law_mean(&w) - o.slot_ms - o.mixes_ms;
		add_fetch(&w, p, messages_per_day);
		o.mean_ms = law_mean(&w);
		o.fetch_ms = o.mean_ms - o.slot_ms - o.mixes_ms - o.round_ms;
		o.p50_ms = law_percentile(&w, 0.50);
		o.p95_ms = law_percentile(&w, 0.95);
		o.p99_ms = law_percentile(&w, 0.99);
		law_add_earlier(&w, to_one_per_day / (double)TIMING_DAY_MS);
		o.shown_mean_ms = law_mean(&w);
		o.shown_p50_ms = law_percentile(&w, 0.50);
		o.shown_p95_ms = law_percentile(&w, 0.95);
		*out = o;
	}
	law_free(&w);
	return e;
}

/* ---- among how many ---- */

#define ROUNDS_MAX 512

/* Rounds that a packet is kept in the first `layers` mixes besides the least. */
static size_t
rounds_law(double chance[static ROUNDS_MAX], const struct params *p, unsigned layers)
{
	memset(chance, 0, ROUNDS_MAX * sizeof(*chance));
	chance[0] = 1;
	for (unsigned l = 0; l < layers; l++) {
		double share = layer_share(p, l);

		for (size_t i = 0; i < ROUNDS_MAX; i++)
			chance[i] = share * chance[i] + (i > 0 ? (1 - share) * chance[i - 1] : 0);
	}
	return steps_of(chance, ROUNDS_MAX);
}

/* Any of the round's packets, in whichever round it came. */
static struct outlook_set
packets_set(const double *chance, size_t n, double arrivals)
{
	double bits = log2(arrivals), greatest = 0;

	for (size_t i = 0; i < n; i++) {
		bits -= chance[i] > 0 ? chance[i] * log2(chance[i]) : 0;
		greatest = fmax(greatest, chance[i]);
	}
	return (struct outlook_set){ exp2(bits), arrivals / greatest };
}

/* How many packets somebody whose slots have this phase sent in the round i before the last. */
static double
sent_in_round(double slots, double phase, size_t i)
{
	double from = (double)i * slots, to = from + slots;

	return ceil(to - phase) - ceil(from - phase);
}

/*
 * Somebody's weight is what he sent in each round times the chance that the packet is of
 * that round: with a round of whole slots it is the same for all. Phases are uniform.
 */
static struct outlook_set
people_set(const struct params *p, const double *chance, size_t n)
{
	enum { PHASES = 512 };
	double slots = (double)p->round_ms / (double)p->slot_ms, lost = 0, greatest = 0;

	for (int k = 0; k < PHASES; k++) {
		double weight = 0;

		for (size_t i = 0; i < n; i++)
			weight += chance[i] * sent_in_round(slots, (k + 0.5) / PHASES, i) / slots;
		lost += weight > 0 ? weight * log2(weight) / PHASES : 0;
		greatest = fmax(greatest, weight);
	}
	return (struct outlook_set){ fmax(1, p->people / exp2(lost)), fmax(1, p->people / greatest) };
}

void
outlook_anonymity(struct outlook_anonymity *out, const struct params *p)
{
	double chance[ROUNDS_MAX];
	size_t n;

	*out = (struct outlook_anonymity){ .known = true,
		.crowd = (double)(p->mailboxes > 0 ? p->people / p->mailboxes : p->people) };
	for (unsigned l = 0; l < p->layers; l++)
		out->known = out->known && by_round(p, l) && p->mixes[l] <= 1;
	if (!out->known)
		return;
	n = rounds_law(chance, p, p->layers);
	out->packets = packets_set(chance, n, arrivals_of(p, 0));
	out->people = people_set(p, chance, n);
	n = rounds_law(chance, p, 1);
	out->packets_one = packets_set(chance, n, arrivals_of(p, 0));
	out->people_one = people_set(p, chance, n);
}

double
outlook_least_people(const struct outlook_anonymity *a)
{
	double least = a->crowd;

	if (a->known)
		least = fmin(least, fmin(a->people.least, a->people_one.least));
	return least;
}
