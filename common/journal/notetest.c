#include "config.h"

#include "common/journal/notetest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64
#define LATE_MS 60000	   /* a session that lives brings something within less */
#define LATE_LEAST_MS 5000 /* machines are not time-scaled */

const struct notetest_rule notetest_mix = { .window = 12, .least = 2, .most = 4 };
const struct notetest_rule notetest_client = { .window = 24, .least = 12, .most = 12 };

struct note {
	uint8_t bytes[BLOCK_DIGEST_BYTES];
	bool returned;
	int64_t sent_ms, due_ms, late_ms;
};

struct notetest {
	const struct notetest_rule *rule;
	struct notetest_status status;
	/* notes that wait, in the order of sending: a ring */
	struct note *notes;
	size_t head, count, room;
	/* whether the latest notes were lost: a ring */
	bool lost[NOTETEST_WINDOW_MAX];
	unsigned place;
	/* every block of the rounds in [from_ms, to_ms) was held */
	int64_t from_ms, to_ms;
	int64_t bear_ms; /* until then nothing is late */
};

static struct note *
note_at(const struct notetest *t, size_t i)
{
	return &t->notes[(t->head + i) % t->room];
}

static void
take_first(struct notetest *t)
{
	t->head = (t->head + 1) % t->room;
	t->count--;
}

/* ---- life ---- */

struct notetest *
notetest_new(const struct notetest_rule *rule)
{
	struct notetest *t = calloc(1, sizeof(*t));

	assert(rule->window <= NOTETEST_WINDOW_MAX);
	if (t == NULL)
		return NULL;
	t->rule = rule;
	notetest_clear(t);
	return t;
}

void
notetest_free(struct notetest *t)
{
	if (t == NULL)
		return;
	free(t->notes);
	free(t);
}

void
notetest_forget(struct notetest *t)
{
	t->status.unjudged += t->count;
	t->count = 0;
	t->from_ms = t->to_ms = INT64_MIN;
}

void
notetest_forget_since(struct notetest *t, int64_t since_ms)
{
	while (t->count > 0 && note_at(t, t->count - 1)->sent_ms >= since_ms) {
		t->count--;
		t->status.unjudged++;
	}
}

void
notetest_bear(struct notetest *t, int64_t until_ms)
{
	t->bear_ms = until_ms;
}

void
notetest_clear(struct notetest *t)
{
	notetest_forget(t);
	t->bear_ms = INT64_MIN;
	memset(t->lost, 0, sizeof(t->lost));
	t->status.window_judged = t->status.window_returned = 0;
	t->status.passes = true;
}

/* ---- what is sent ---- */

int64_t
notetest_term_ms(const struct params *p)
{
	return params_forecast_ms(p) + p->round_ms;
}

int64_t
notetest_late_ms(const struct params *p)
{
	int64_t ms = params_scaled(p, LATE_MS);

	return (ms > LATE_LEAST_MS ? ms : LATE_LEAST_MS) + 2 * p->round_ms;
}

static bool
make_room(struct notetest *t)
{
	size_t room = t->room == 0 ? FIRST_ROOM : 2 * t->room;
	struct note *notes;

	if (t->count < t->room)
		return true;
	if (room > NOTETEST_OPEN_MAX) {
		take_first(t);
		t->status.unjudged++;
		return true;
	}
	notes = malloc(room * sizeof(*notes));
	if (notes == NULL)
		return false;
	for (size_t i = 0; i < t->count; i++)
		notes[i] = *note_at(t, i);
	free(t->notes);
	t->notes = notes;
	t->head = 0;
	t->room = room;
	return true;
}

void
notetest_sent(struct notetest *t, const uint8_t note[static BLOCK_DIGEST_BYTES], int64_t sent_ms,
    const struct params *p)
{
	struct note *n;

	if (!make_room(t)) {
		t->status.unjudged++;
		return;
	}
	n = note_at(t, t->count++);
	*n = (struct note){ .sent_ms = sent_ms, .due_ms = sent_ms + notetest_term_ms(p) };
	n->late_ms = n->due_ms + notetest_late_ms(p);
	memcpy(n->bytes, note, sizeof(n->bytes));
}

/* ---- what is judged ---- */

static unsigned
lost_of_window(const struct notetest *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->rule->window; i++)
		n += t->lost[i];
	return n;
}

static void
judge(struct notetest *t, const struct note *n, const struct rng *rng)
{
	const struct notetest_rule *r = t->rule;
	struct notetest_status *s = &t->status;
	unsigned least = r->least, lost;

	if (r->most > r->least)
		least += rng_below(rng, r->most - r->least + 1);
	t->lost[t->place] = !n->returned;
	t->place = (t->place + 1) % r->window;
	lost = lost_of_window(t);
	if (s->window_judged < r->window)
		s->window_judged++;
	s->window_returned = s->window_judged - lost;
	s->passes = r->window - lost >= least;
	s->judged++;
	s->returned += n->returned;
	s->failures += !s->passes;
}

static bool
is_late(const struct notetest *t, const struct note *n, int64_t now_ms)
{
	return now_ms > n->late_ms && now_ms > t->bear_ms;
}

/*
 * All whose term has ended by what is held, and all that are late. One that was sent
 * before what is held waits: another run may still show the rounds that are missing.
 */
static void
judge_all(struct notetest *t, int64_t now_ms, const struct rng *rng)
{
	while (t->count > 0) {
		const struct note *n = note_at(t, 0);
		bool held = n->due_ms <= t->to_ms && n->sent_ms >= t->from_ms;

		if (!held && !is_late(t, n, now_ms))
			return;
		judge(t, n, rng);
		take_first(t);
	}
}

/*
 * Another run may reach further back or further on, or catch up with what is held; one
 * that begins behind a gap takes its place, for nobody will fill the gap.
 */
static void
hold(struct notetest *t, int64_t from_ms, int64_t to_ms)
{
	if (to_ms < t->from_ms)
		return;
	if (from_ms > t->to_ms || from_ms < t->from_ms)
		t->from_ms = from_ms;
	if (to_ms > t->to_ms)
		t->to_ms = to_ms;
}

/* What a round lists is too late for notes whose term was over when it began. */
static void
look_for(struct notetest *t, const struct block *b, int64_t start_ms, int64_t now_ms)
{
	for (size_t i = 0; i < t->count && b->digest_count > 0; i++) {
		struct note *n = note_at(t, i);

		n->returned = n->returned || (n->due_ms > start_ms && !is_late(t, n, now_ms) &&
		    block_has_digest(b, n->bytes));
	}
}

void
notetest_block(struct notetest *t, const struct block *b, int64_t from_ms, int64_t start_ms,
    int64_t end_ms, int64_t now_ms, const struct rng *rng)
{
	look_for(t, b, start_ms, now_ms);
	hold(t, from_ms, end_ms);
	judge_all(t, now_ms, rng);
}

void
notetest_look(struct notetest *t, int64_t now_ms, const struct rng *rng)
{
	judge_all(t, now_ms, rng);
}

void
notetest_get_status(const struct notetest *t, struct notetest_status *out)
{
	*out = t->status;
	out->open = t->count;
}
