#include "config.h"

#include "evaluation/attack/blending.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/journal/block.h"
#include "common/journal/notetest.h"
#include "evaluation/draws.h"
#include "evaluation/simulation.h"

#define WARM_MS INT64_C(900000)
#define STEP_MS 1000
#define VICTIM 0
#define NOTES_MS (INT64_C(3) * 3600000) /* notes that are looked at, at most */

/* ---- the network ---- */

struct network {
	struct simulation *simulation;
	int64_t block_ms;
	uint32_t people, inside; /* inside: packets that are neither the victim's nor its own */
	uint64_t messages, sent, held;
	int64_t empty_ms;
};

/* The victim always has something to write; the attacker needs no message. */
static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct network *n = arg;

	*message = n->messages++;
	return person == VICTIM ? at_ms + 1 : INT64_MAX;
}

static bool
is_online(void *arg, uint32_t person, int64_t at_ms)
{
	struct network *n = arg;
	bool own = person >= n->people;

	if (at_ms < n->block_ms)
		return !own;
	if (!own && person != VICTIM)
		n->held++;
	return own || person == VICTIM;
}

static bool
is_strange(const struct network *n, uint32_t handle)
{
	const struct token *t = simulation_token(n->simulation, handle);

	return t->person != VICTIM && t->person < n->people;
}

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct network *n = arg;
	uint32_t person = simulation_token(n->simulation, handle)->person;

	(void)at_ms;
	n->inside += is_strange(n, handle) ? 1 : 0;
	n->sent += person >= n->people ? 1 : 0;
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct network *n = arg;

	if (!is_strange(n, handle))
		return;
	if (--n->inside == 0)
		n->empty_ms = at_ms;
}

static void
on_lost(void *arg, int64_t at_ms, uint32_t node, uint32_t handle)
{
	(void)node;
	on_exited(arg, at_ms, handle);
}

enum err
blending_network(struct blending_trial *out, const struct scenario *s, uint32_t flood,
    uint64_t seed)
{
	struct network n = { .people = (uint32_t)s->people };
	struct simulation_observer o = { .sent = on_sent, .exited = on_exited, .lost = on_lost,
		.arg = &n };
	struct simulation_config c = { .persons = n.people + flood, .law = SENDING_SLOTS,
		.start_ms = SCENARIO_MONDAY_MS, .link_ms = s->link_ms, .seed = seed, .observers = &o,
		.observer_count = 1, .traffic = { next_message, is_online, &n } };
	struct draws d = draws_at(seed, 0);
	enum err e;

	scenario_params(&c.params, s);
	n.block_ms = c.start_ms + WARM_MS + draws_below(&d, (uint32_t)s->round_ms);
	e = simulation_new(&n.simulation, &c);
	if (e == ERR_OK)
		e = simulation_run(n.simulation, n.block_ms);
	for (int64_t t = 0; t < BLENDING_LIMIT_MS && n.inside > 0 && e == ERR_OK; t += STEP_MS)
		e = simulation_run(n.simulation, n.block_ms + t + STEP_MS);
	if (e == ERR_OK)
		*out = (struct blending_trial){ .alone = n.inside == 0,
			.alone_ms = n.inside > 0 ? BLENDING_LIMIT_MS :
			    n.empty_ms > n.block_ms ? n.empty_ms - n.block_ms : 0,
			.sent = n.sent, .held = n.held };
	simulation_free(n.simulation);
	return e;
}

/* ---- the notes of one mix ---- */

struct note {
	int64_t sent_ms, came_ms; /* came: INT64_MAX: never */
};

struct notes {
	struct note *of;
	size_t count, room;
};

static double
draw_delay(const struct attack_delay *a, struct draws *d)
{
	double u = draws_unit(d), before;
	size_t i = 0;

	while (i + 1 < ATTACK_DELAY_BINS && a->cdf[i] <= u)
		i++;
	before = i > 0 ? a->cdf[i - 1] : 0;
	return ((double)i + (a->cdf[i] > before ? (u - before) / (a->cdf[i] - before) : 0)) * a->bin_ms;
}

static enum err
add_note(struct notes *n, struct note note)
{
	if (n->count == n->room) {
		size_t room = n->room > 0 ? 2 * n->room : 256;
		struct note *of = realloc(n->of, room * sizeof(*of));

		if (of == NULL)
			return ERR_MEMORY;
		n->of = of;
		n->room = room;
	}
	n->of[n->count++] = note;
	return ERR_OK;
}

static int
by_sending(const void *a, const void *b)
{
	const struct note *x = a, *y = b;

	return (x->sent_ms > y->sent_ms) - (x->sent_ms < y->sent_ms);
}

/* All that the six sessions send; what goes up after the block comes with chance `passing`. */
static enum err
send_notes(struct notes *n, const struct params *p, const struct attack_delay *delay,
    int64_t begin_ms, int64_t block_ms, double passing, struct draws *d)
{
	enum err e = ERR_OK;

	if (p->note_one_in == 0)
		return ERR_OK;
	for (unsigned session = 0; session < BLENDING_SESSIONS; session++)
		for (int64_t at = begin_ms + draws_below(d, (uint32_t)p->slot_ms);
		     at < begin_ms + NOTES_MS && e == ERR_OK; at += p->slot_ms) {
			bool passes = at < block_ms || draws_unit(d) < passing;

			if (draws_below(d, p->note_one_in) == 0)
				e = add_note(n, (struct note){ at, passes ?
					at + (int64_t)draw_delay(delay, d) : INT64_MAX });
		}
	if (e == ERR_OK)
		qsort(n->of, n->count, sizeof(*n->of), by_sending);
	return e;
}

/* One round's block, with the notes that came in it. */
static void
show_block(struct notetest *t, const struct notes *n, size_t sent, int64_t begin_ms,
    int64_t start_ms, const struct params *p, const struct rng *rng)
{
	uint8_t digests[NOTETEST_OPEN_MAX / 16][BLOCK_DIGEST_BYTES];
	struct block b = { .digests = digests[0] };

	for (size_t i = 0; i < sent && b.digest_count < sizeof(digests) / sizeof(digests[0]); i++)
		if (n->of[i].came_ms >= start_ms && n->of[i].came_ms < start_ms + p->round_ms) {
			uint8_t *at = digests[b.digest_count++];

			for (unsigned k = 0; k < BLOCK_DIGEST_BYTES; k++) /* sorted as bytes are */
				at[k] = (uint8_t)((uint64_t)i >> 8 * (BLOCK_DIGEST_BYTES - 1 - k));
		}
	notetest_block(t, &b, begin_ms, start_ms, start_ms + p->round_ms, start_ms + p->round_ms,
	    rng);
}

/* Until it stops: rounds one after the other, notes as they leave. */
static int64_t
watch_notes(struct notetest *t, const struct notes *n, const struct params *p, int64_t begin_ms,
    const struct rng *rng)
{
	size_t sent = 0;

	for (int64_t round = begin_ms; round + p->round_ms < begin_ms + NOTES_MS;
	     round += p->round_ms) {
		struct notetest_status status;

		for (; sent < n->count && n->of[sent].sent_ms < round + p->round_ms; sent++) {
			uint8_t bytes[BLOCK_DIGEST_BYTES];

			for (unsigned k = 0; k < BLOCK_DIGEST_BYTES; k++)
				bytes[k] = (uint8_t)((uint64_t)sent >> 8 * (BLOCK_DIGEST_BYTES - 1 - k));
			notetest_sent(t, bytes, n->of[sent].sent_ms, p);
		}
		show_block(t, n, sent, begin_ms, round, p, rng);
		notetest_get_status(t, &status);
		if (!status.passes)
			return round + p->round_ms;
	}
	return INT64_MAX;
}

static enum err
stop_of_one(int64_t *stop_ms, const struct params *p, const struct attack_delay *delay,
    int64_t begin_ms, int64_t block_ms, double passing, struct draws *d)
{
	struct notetest *t = notetest_new(&notetest_mix);
	const struct rng rng = { draws_fill, d };
	struct notes n = { 0 };
	enum err e = t != NULL ? send_notes(&n, p, delay, begin_ms, block_ms, passing, d) : ERR_MEMORY;

	if (e == ERR_OK)
		*stop_ms = watch_notes(t, &n, p, begin_ms, &rng);
	free(n.of);
	notetest_free(t);
	return e;
}

enum err
blending_stop(int64_t *stop_ms, const struct params *p, const struct attack_delay *delay,
    unsigned mixes, double passing, uint64_t seed)
{
	struct draws d = draws_at(seed, 1);
	int64_t begin_ms = SCENARIO_MONDAY_MS, first = INT64_MAX;
	int64_t block_ms = begin_ms + WARM_MS + draws_below(&d, (uint32_t)p->round_ms);
	enum err e = ERR_OK;

	for (unsigned i = 0; i < mixes && e == ERR_OK; i++) {
		int64_t at = INT64_MAX;

		e = stop_of_one(&at, p, delay, begin_ms, block_ms, passing, &d);
		first = at < first ? at : first;
	}
	if (e == ERR_OK)
		*stop_ms = first == INT64_MAX ? INT64_MAX : first - block_ms;
	return e;
}
