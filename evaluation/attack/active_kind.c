/* Drop, delay, replay and tag: evaluation/attack/active.h, as a row of the table. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/active.h"
#include "evaluation/attack/kinds.h"
#include "evaluation/attack/trace.h"
#include "evaluation/draws.h"

#define TRIALS 60 /* of packets with bytes: crowds of so many */
#define CROWD 60
#define GAME_TRIALS 400 /* of numbers */
#define PEOPLE_MOST 5000
#define DRAIN_MS 3600000
#define WARM_SLOTS 30
#define AFTER_MS 300000
#define HOLD_MS 120000

struct share {
	size_t right, n;
};

/* ---- tags and replays ---- */

/* A crowd of packets, all of which carry a record, in the attacker's hands. */
static enum err
build_crowd(uint32_t packets[static CROWD], struct active *a)
{
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < CROWD && e == ERR_OK; i++)
		e = active_build(&packets[i], a, i, true);
	return e;
}

static enum err
send_all(struct active *a, const uint32_t packets[static CROWD])
{
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < CROWD && e == ERR_OK; i++)
		e = active_send(a, packets[i]);
	return e;
}

/* Every other packet is tagged; what came out of one, or bears a mark, is found. */
static enum err
try_tags(struct share *out, const struct scenario *s, unsigned weakness, uint64_t seed)
{
	uint32_t packets[CROWD];
	const struct active_exit *exits;
	struct active *a;
	size_t n;
	enum err e = active_new(&a, s, weakness, seed);

	if (e != ERR_OK)
		return e;
	e = build_crowd(packets, a);
	for (uint32_t i = 1; i < CROWD && e == ERR_OK; i += 2)
		active_tag(a, packets[i], weakness == ACTIVE_SOUND && i % 4 == 1);
	if (e == ERR_OK)
		e = send_all(a, packets);
	if (e == ERR_OK)
		e = active_run(a, active_now(a) + DRAIN_MS);
	exits = active_exits(a, &n);
	for (size_t i = 0; i < n; i++)
		out->right += exits[i].who % 2 == 1 && (exits[i].marked || weakness == ACTIVE_SOUND);
	out->n += CROWD / 2;
	active_free(a);
	return e;
}

/* All are sent again when the first have gone; a record that comes out twice is found. */
static enum err
try_replays(struct share *out, const struct scenario *s, unsigned weakness, uint64_t seed)
{
	uint32_t packets[CROWD], copies[CROWD];
	const struct active_exit *exits;
	struct active *a;
	size_t n;
	enum err e = active_new(&a, s, weakness, seed);

	if (e != ERR_OK)
		return e;
	e = build_crowd(packets, a);
	for (uint32_t i = 0; i < CROWD && e == ERR_OK; i++)
		e = active_copy(&copies[i], a, packets[i]);
	if (e == ERR_OK)
		e = send_all(a, packets);
	if (e == ERR_OK)
		e = active_run(a, active_now(a) + 3 * s->round_ms);
	if (e == ERR_OK)
		e = send_all(a, copies);
	if (e == ERR_OK)
		e = active_run(a, active_now(a) + DRAIN_MS);
	exits = active_exits(a, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			out->right += memcmp(exits[i].digest, exits[k].digest, /* public */
				      sizeof(exits[i].digest)) == 0;
	out->n += CROWD;
	active_free(a);
	return e;
}

/* ---- a crowd at work, as numbers ---- */

#define TARGET 0
#define OTHER 1

enum game { GAME_WATCH, GAME_DELAY, GAME_DROP };

struct crowd {
	struct active *a;
	struct draws draws;
	const struct scenario *s;
	double writes; /* the chance of others' slots to carry a message */
	uint32_t writer; /* in the slot in question: TARGET or OTHER */
	int64_t sent_ms, released_ms; /* of the target's packet in question */
};

/* One slot of everybody; in the slot in question one of the two suspects writes. */
static enum err
slot_of_all(struct crowd *c, bool question, enum game game, uint32_t *held)
{
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < (uint32_t)c->s->people && e == ERR_OK; i++) {
		bool deposit = i > OTHER ? draws_unit(&c->draws) < c->writes :
					   question && i == c->writer;
		uint32_t packet;

		e = active_build(&packet, c->a, i, deposit);
		if (question && i == TARGET && game != GAME_WATCH)
			*held = packet;
		else if (e == ERR_OK)
			e = active_send(c->a, packet);
	}
	if (question)
		c->sent_ms = active_now(c->a);
	return e;
}

/* People send, before and after; the target's packet of one slot is what the game says. */
static enum err
play(struct crowd *c, enum game game)
{
	int64_t slots = WARM_SLOTS + AFTER_MS / c->s->slot_ms;
	uint32_t held = 0;
	enum err e = ERR_OK;

	for (int64_t i = 0; i < slots && e == ERR_OK; i++) {
		bool due = c->released_ms == 0 && i > WARM_SLOTS && game == GAME_DELAY &&
		    active_now(c->a) >= c->sent_ms + HOLD_MS;

		e = slot_of_all(c, i == WARM_SLOTS, game, &held);
		if (e == ERR_OK && due) {
			c->released_ms = active_now(c->a);
			e = active_send(c->a, held);
		}
		if (e == ERR_OK)
			e = active_run(c->a, active_now(c->a) + c->s->slot_ms);
	}
	if (game != GAME_DELAY)
		c->released_ms = c->sent_ms;
	return e;
}

static enum err
begin_crowd(struct crowd *c, const struct scenario *s, unsigned weakness, double writes,
    uint32_t writer, uint64_t seed)
{
	*c = (struct crowd){ .draws = draws_at(seed, 2), .s = s, .writes = writes, .writer = writer };
	return active_new(&c->a, s, weakness | ACTIVE_NUMBERS, seed);
}

/* Names the deposit that came when one let go at that time is likeliest to come. */
static enum err
try_naming(struct share *out, const struct scenario *s, const struct attack_delay *delay,
    unsigned weakness, enum game game, double writes, uint64_t seed)
{
	const struct active_exit *exits;
	double best = -1;
	uint32_t named = UINT32_MAX;
	struct crowd c;
	size_t n, alike = 0;
	enum err e = begin_crowd(&c, s, weakness, writes, TARGET, seed);

	if (e != ERR_OK)
		return e;
	e = play(&c, game);
	exits = active_exits(c.a, &n);
	for (size_t i = 0; i < n; i++) {
		/* there are no links here, which the law has */
		double likely = attack_delay_density(delay, (double)(exits[i].at_ms - c.released_ms +
		    s->link_ms * (s->layers + 1)));

		if (!exits[i].deposit || likely < best)
			continue;
		alike = likely > best ? 1 : alike + 1;
		if (draws_below(&c.draws, (uint32_t)alike) == 0)
			named = exits[i].who;
		best = likely;
	}
	out->right += named == TARGET ? 1 : 0;
	out->n++;
	active_free(c.a);
	return e;
}

/* One of the two wrote; drops the target's packet and counts what comes within the delay. */
static enum err
try_dropping(struct share *out, const struct scenario *s, const struct attack_delay *delay,
    enum game game, double writes, uint64_t seed)
{
	double expected = writes * (double)s->people * (double)(delay->p999_ms + s->slot_ms) /
	    (double)s->slot_ms, came = 0;
	const struct active_exit *exits;
	struct crowd c;
	size_t n;
	enum err e = begin_crowd(&c, s, ACTIVE_SOUND, writes, seed % 2 == 0 ? TARGET : OTHER, seed);

	if (e != ERR_OK)
		return e;
	e = play(&c, game);
	exits = active_exits(c.a, &n);
	for (size_t i = 0; i < n; i++)
		came += exits[i].deposit && exits[i].at_ms >= c.sent_ms &&
			exits[i].at_ms <= c.sent_ms + delay->p999_ms + s->slot_ms ? 1 : 0;
	out->right += (came < expected + 0.5) == (c.writer == TARGET) ? 1 : 0;
	out->n++;
	active_free(c.a);
	return e;
}

/* ---- the result ---- */

static void
add_share(struct attack_result *out, const char *name, const struct share *s, double chance)
{
	struct attack_figure *f = attack_add_figure(out, name, "share",
	    attack_share_exact(s->right, s->n));

	if (f != NULL && chance >= 0)
		attack_figure_chance(f, chance);
	out->trials += s->n;
}

static enum err
try_bytes(struct attack_result *out, const struct attack_input *in, size_t trials)
{
	struct share tag = { 0 }, tag_control = { 0 }, replay = { 0 }, replay_control = { 0 };
	enum err e = ERR_OK;

	for (size_t i = 0; i < trials && e == ERR_OK; i++) {
		uint64_t seed = (uint64_t)in->scenario->seed * UINT64_C(1000003) + i;

		e = try_tags(&tag, in->scenario, ACTIVE_SOUND, seed);
		if (e == ERR_OK)
			e = try_replays(&replay, in->scenario, ACTIVE_SOUND, seed);
		if (e == ERR_OK && i % 3 == 0)
			e = try_tags(&tag_control, in->scenario, ACTIVE_OPENS_ALL, seed);
		if (e == ERR_OK && i % 3 == 0)
			e = try_replays(&replay_control, in->scenario, ACTIVE_FORGETS, seed);
		if (in->progress != NULL)
			in->progress(in->progress_arg, 0.5 * (double)(i + 1) / (double)trials);
	}
	add_share(out, "tag_found", &tag, 0);
	add_share(out, "tag_found_control_hops_do_not_check", &tag_control, 0);
	add_share(out, "replay_found", &replay, 0);
	add_share(out, "replay_found_control_no_replay_set", &replay_control, 0);
	out->cost.sent += replay.n + replay_control.n;
	return e;
}

static enum err
try_games(struct attack_result *out, const struct attack_input *in, size_t trials, double writes,
    struct diag *d)
{
	const struct scenario *s = in->scenario;
	struct share watched = { 0 }, delayed = { 0 }, unmixed = { 0 };
	struct share counted = { 0 }, dropped = { 0 }, quiet = { 0 };
	struct attack_delay delay, none;
	struct scenario plain = *s;
	enum err e = attack_delay_learn(&delay, s, d);

	memset(plain.of_layer, 0, sizeof(plain.of_layer));
	(void)snprintf(plain.strategy, sizeof(plain.strategy), "threshold packets=1");
	if (e == ERR_OK)
		e = attack_delay_learn(&none, &plain, d);
	for (size_t i = 0; i < trials && e == ERR_OK; i++) {
		uint64_t seed = (uint64_t)s->seed * UINT64_C(1000003) + i;

		e = try_naming(&watched, s, &delay, ACTIVE_SOUND, GAME_WATCH, writes, seed);
		if (e == ERR_OK)
			e = try_naming(&delayed, s, &delay, ACTIVE_SOUND, GAME_DELAY, writes, seed);
		if (e == ERR_OK)
			e = try_naming(&unmixed, s, &none, ACTIVE_NO_MIXING, GAME_DELAY, writes, seed);
		if (e == ERR_OK)
			e = try_dropping(&counted, s, &delay, GAME_WATCH, writes, seed);
		if (e == ERR_OK)
			e = try_dropping(&dropped, s, &delay, GAME_DROP, writes, seed);
		if (e == ERR_OK)
			e = try_dropping(&quiet, s, &delay, GAME_DROP, 0, seed);
		if (in->progress != NULL)
			in->progress(in->progress_arg, 0.5 + 0.5 * (double)(i + 1) / (double)trials);
	}
	add_share(out, "deposit_named_without_a_delay", &watched, -1);
	add_share(out, "deposit_named_after_a_delay", &delayed,
	    watched.n > 0 ? (double)watched.right / (double)watched.n : 0);
	add_share(out, "deposit_named_after_a_delay_control_no_mixing", &unmixed, -1);
	add_share(out, "writer_told_without_a_drop", &counted, 0.5);
	add_share(out, "writer_told_by_a_drop", &dropped, 0.5);
	add_share(out, "writer_told_by_a_drop_control_nobody_else_writes", &quiet, 0.5);
	out->cost.held = delayed.n + unmixed.n + dropped.n + quiet.n;
	return e;
}

static enum err
run_active(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	const struct scenario *s = in->scenario;
	double writes = (double)s->messages_per_day_milli / 1000 * (double)s->slot_ms / 86400000;
	size_t trials = in->trials > 0 ? (size_t)in->trials : 0;
	enum err e;

	if (s->people < 2 || s->people > PEOPLE_MOST)
		return diag_set(d, ERR_RANGE, "the attack 'active' is for 2 to %d people: set 'people'",
		    PEOPLE_MOST);
	if (writes > 1 || s->layers < 1)
		return diag_set(d, ERR_RANGE, "the attack 'active' needs slots enough for all messages: "
		    "set 'messages-per-day' or 'slot' lower");
	e = try_bytes(out, in, trials > 0 ? trials : TRIALS);
	if (e == ERR_OK)
		e = try_games(out, in, trials > 0 ? trials : GAME_TRIALS, writes, d);
	(void)snprintf(out->adversary, sizeof(out->adversary), "Holds the gateway: has every packet in "
	    "hand before the first mix and opens what comes out of the last. It changes a bit of "
	    "packets, sends them twice (crowds of %d, nothing behind them: what the last pools keep is not "
	    "found in the controls either), holds one for %d s, or drops one, among %" PRId64 " people who "
	    "write %g messages a day. Tags and replays go through real onion packets, one mix in each "
	    "layer.", CROWD, HOLD_MS / 1000, s->people, (double)s->messages_per_day_milli / 1000);
	(void)snprintf(out->finding, sizeof(out->finding), "Of 0 found in n, the true share is below 3 / n "
	    "with 95 %%. A delay is judged against watching alone. A drop tells the less, the "
	    "more others write: a deposit is missing among theirs. Who writes while nobody else "
	    "does is found.");
	return e;
}

const struct attack_kind attack_active = {
	.name = "active",
	.summary = "Drop, delay, replay and tag single packets, each with a control",
	.adversary = "Holds the gateway: has every packet in hand before the first mix, and opens what "
		     "comes out of the last.",
	.measures = "How often the packet is known again at the exit (chance 0), its deposit is named, or "
		    "which of two wrote is told (chance 1/2); each again with the defence away.",
	.run = run_active,
};
