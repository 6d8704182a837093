#include "config.h"

#include "client-lib/client.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/journal/outlook.h"
#include "tests/lib/test.h"
#include "tests/unit/client/town.h"
#include "tests/unit/net/fake_socks.h"

/* Run on until the condition holds; fail after `ms`. */
#define run_until(t, condition, ms)                                                                \
	do {                                                                                       \
		int64_t until_ = town_now(t) + (ms);                                               \
		while (!(condition) && town_now(t) < until_)                                       \
			town_run(t, 100);                                                          \
		assert_true(condition);                                                            \
	} while (0)

static bool
settled(const struct person *p)
{
	struct client_status s = person_status(p);

	return s.online && s.verified && s.caught_up && s.alarms == 0;
}

static unsigned
alarms(const struct person *p)
{
	return person_status(p).alarms;
}

/* A town some hours old and people who are at home in it. */
static struct town *
inhabited(struct person **people, size_t n)
{
	struct town *t = town_new(0);

	town_run(t, 2 * TOWN_HOUR_MS + 17 * TOWN_MINUTE_MS);
	for (size_t i = 0; i < n; i++) {
		people[i] = person_new(t);
		person_start(people[i]);
	}
	for (size_t i = 0; i < n; i++)
		run_until(t, settled(people[i]), 10 * TOWN_MINUTE_MS);
	return t;
}

static void
leave(struct town *t, struct person **people, size_t n)
{
	assert_int_equal(t->bad_packets, 0);
	assert_int_equal(t->real_early, 0);
	for (size_t i = 0; i < n; i++)
		person_free(people[i]);
	town_free(t);
}

static bool
are_friends(struct person *a, struct person *b)
{
	struct post_contact x, y;

	post_contact_at(client_post(a->client), 0, &x);
	post_contact_at(client_post(b->client), 0, &y);
	return x.state == POST_ESTABLISHED && y.state == POST_ESTABLISHED;
}

static void
befriend(struct town *t, struct person **people)
{
	people_meet(people[0], people[1]);
	(void)person_say(people[0], "hello");
	(void)person_say(people[1], "hello");
	run_until(t, people[0]->text_count == 1 && people[1]->text_count == 1,
	    2 * TOWN_HOUR_MS);
	assert_true(are_friends(people[0], people[1]));
}

/* ---- coming in ---- */

/* What a member is told is what `restante-evaluate plan` tells the operator. */
static void
check_outlook(const struct town *t, const struct person *p)
{
	struct outlook_anonymity among;
	struct outlook_delay delay;
	struct client_outlook o;

	client_outlook(p->client, &o);
	outlook_anonymity(&among, t->params);
	assert_err_ok(outlook_delay(&delay, t->params, OUTLOOK_MESSAGES_PER_DAY, 0, NULL));
	assert_true(o.half_ms == (int64_t)delay.p50_ms && o.most_ms == (int64_t)delay.p95_ms);
	assert_true(o.half_ms > t->params->round_ms && o.most_ms > o.half_ms);
	assert_int_equal(o.people_effective, t->params->people);
	assert_true(o.people_least > 0 && o.people_least <= among.crowd);
}

/* A new client reads the epoch blocks and the day, is tied, and sends cover only. */
static void
test_a_new_client_finds_its_place(void **state)
{
	struct town *t = town_new(0);
	struct client_status s;
	struct person *p;

	(void)state;
	town_run(t, 3 * TOWN_HOUR_MS + 17 * TOWN_MINUTE_MS);
	p = person_new(t);
	person_start(p);
	assert_false(person_status(p).verified);
	town_run(t, 10 * TOWN_MINUTE_MS);
	s = person_status(p);
	assert_true(s.online && s.verified && s.caught_up);
	assert_int_equal(s.alarms, 0);
	check_outlook(t, p);
	assert_int_equal(p->alarms_seen, 0);
	assert_true(p->status_calls >= 2);
	assert_int_equal(t->live_opened, 1);
	assert_int_equal(t->epochs_opened, 1);
	assert_int_equal(t->days_opened, 1);
	assert_int_equal(t->days[0], timing_day(t->params, town_now(t)));
	assert_int_equal(t->real, 0);
	run_until(t, t->notes > 0 && t->drops > 0, TOWN_HOUR_MS);
	s = person_status(p);
	assert_true(s.slots >= 8 && s.slots == s.notes + s.drops + s.skipped);
	assert_true(s.round + 3 >= timing_round(t->params, town_now(t)));
	leave(t, &p, 1);
}

/* With an anchor that is not in this journal nothing is believed, and nothing real is sent. */
static void
test_another_journals_anchor(void **state)
{
	const struct chain_point anchor = { .round = 1, .hash = { 1, 2, 3 } };
	struct town *t = town_new(0);
	struct person *p;

	(void)state;
	town_run(t, 20 * TOWN_MINUTE_MS);
	p = person_new(t);
	p->anchor = &anchor;
	person_start(p);
	run_until(t, (alarms(p) & CLIENT_ALARM_CHAIN) != 0, TOWN_HOUR_MS);
	town_run(t, 2 * TOWN_HOUR_MS);
	assert_false(person_status(p).verified);
	assert_true((alarms(p) & CLIENT_ALARM_CHAIN) != 0);
	assert_true(t->notes > 0); /* it keeps up appearances */
	leave(t, &p, 1);
}

/* ---- messages ---- */

static void
test_texts_both_ways(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	for (int i = 0; i < 5; i++) {
		(void)person_say(people[0], "from a");
		(void)person_say(people[1], "from b");
	}
	run_until(t, people[0]->text_count == 6 && people[1]->text_count == 6, TOWN_HOUR_MS);
	run_until(t, people[0]->delivered == 6 && people[1]->delivered == 6, 4 * TOWN_HOUR_MS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(person_status(people[i]).queued, 0);
		assert_int_equal(person_status(people[i]).unacknowledged, 0);
		assert_true(person_status(people[i]).real >= 6);
		assert_int_equal(people[i]->alarms_seen, 0);
	}
	leave(t, people, 2);
}

/* Hour after hour, epoch after epoch: always tied, and never more sessions than one an hour. */
static void
test_a_day_passes(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned live = t->live_opened, days = t->days_opened;

	(void)state;
	befriend(t, people);
	for (int hour = 1; hour <= 26; hour++) {
		(void)person_say(people[hour % 2], "hourly");
		town_run(t, TOWN_HOUR_MS);
		assert_true(settled(people[0]) && settled(people[1]));
	}
	assert_int_equal(people[0]->text_count, 14);
	assert_int_equal(people[1]->text_count, 14);
	assert_true(t->live_opened - live <= 2 * 29);
	assert_int_equal(t->days_opened, days);
	assert_int_equal(t->epochs_opened, 2);
	assert_int_equal(people[0]->alarms_seen | people[1]->alarms_seen, 0);
	leave(t, people, 2);
}

/* What the gateway lost is sealed again until it arrives. */
static void
test_lost_deposits(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned sent;

	(void)state;
	befriend(t, people);
	t->faults.drop_deposits = true;
	(void)person_say(people[0], "lost at first");
	sent = t->real;
	run_until(t, t->real > sent, TOWN_MINUTE_MS * 10);
	town_run(t, 5 * TOWN_MINUTE_MS);
	assert_int_equal(people[1]->text_count, 1);
	t->faults.drop_deposits = false;
	run_until(t, people[1]->text_count == 2, TOWN_DAY_MS);
	leave(t, people, 2);
}

/* What the archive has lost is given up, and does not hold up what comes after it. */
static void
test_lost_content(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	struct post_write *w = calloc(1, sizeof(*w));

	(void)state;
	people_meet(people[0], people[1]);
	post_key_out(w, person_say(people[0], "lost"), 0);
	town_run(t, 100);
	assert_err_ok(client_write(people[0]->client, w, 1, NULL, NULL));
	(void)person_say(people[0], "kept");
	(void)person_say(people[1], "hello");
	run_until(t, people[1]->text_count == 1, 2 * TOWN_HOUR_MS);
	run_until(t, people[0]->delivered == 1, 4 * TOWN_HOUR_MS);
	assert_int_equal(people[0]->failed, 1);
	leave(t, people, 2);
}

/* ---- away, and back ---- */

static void
test_stop_and_start(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned days, epochs;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	(void)person_say(people[0], "while you were out");
	town_run(t, 5 * TOWN_MINUTE_MS);
	days = t->days_opened;
	epochs = t->epochs_opened;
	person_start(people[1]);
	run_until(t, people[1]->text_count == 2, 3 * TOWN_MINUTE_MS);
	run_until(t, settled(people[1]), 3 * TOWN_MINUTE_MS);
	town_run(t, 10 * TOWN_MINUTE_MS);
	/* the live session reached back far enough: nothing had to be fetched */
	assert_int_equal(t->days_opened, days);
	assert_int_equal(t->epochs_opened, epochs);
	leave(t, people, 2);
}

/* Away for an hour and a half of one day: its blocks are fetched, once. */
static void
test_a_gap_within_the_day(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned days, epochs;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	(void)person_say(people[0], "while you were out");
	town_run(t, 90 * TOWN_MINUTE_MS);
	days = t->days_opened;
	epochs = t->epochs_opened;
	person_start(people[1]);
	run_until(t, people[1]->text_count == 2, 5 * TOWN_MINUTE_MS);
	run_until(t, settled(people[1]), 5 * TOWN_MINUTE_MS);
	town_run(t, TOWN_HOUR_MS);
	assert_int_equal(t->days_opened, days + 1);
	assert_int_equal(t->epochs_opened, epochs);
	leave(t, people, 2);
}

/* Away for days: epochs, today, then the whole days between, at most two sessions an hour. */
static void
test_a_gap_of_days(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	uint32_t today, seen = 0;
	unsigned days, opened;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	(void)person_say(people[0], "one");
	town_run(t, TOWN_HOUR_MS);
	person_stop(people[0]);
	town_run(t, 2 * TOWN_DAY_MS);
	person_start(people[0]);
	(void)person_say(people[0], "two");
	town_run(t, 5 * TOWN_HOUR_MS);
	days = opened = t->days_opened;
	today = timing_day(t->params, town_now(t));
	person_start(people[1]);
	run_until(t, person_status(people[1]).verified, 10 * TOWN_MINUTE_MS);
	run_until(t, person_status(people[1]).gaps == 2, TOWN_MINUTE_MS);
	assert_int_equal(t->days[days], today); /* first of all */
	for (int hour = 0; hour < 10 && !settled(people[1]); hour++) {
		town_run(t, TOWN_HOUR_MS);
		assert_true(t->days_opened - opened <= 3);
		opened = t->days_opened;
	}
	assert_true(settled(people[1]));
	assert_int_equal(people[1]->text_count, 3);
	assert_int_equal(t->days_opened, days + 3);
	for (unsigned i = days + 1; i < t->days_opened; i++) {
		assert_true(t->days[i] < today && today - t->days[i] <= 2);
		seen |= 1u << (today - t->days[i]);
	}
	assert_int_equal(seen, 6); /* each of the two, once */
	leave(t, people, 2);
}

/* Days that the gateway does not keep any more are not asked for. */
static void
test_away_for_longer_than_the_retention(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned days;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	person_stop(people[0]);
	town_run(t, 4 * TOWN_DAY_MS);
	days = t->days_opened;
	person_start(people[1]);
	run_until(t, settled(people[1]), 12 * TOWN_HOUR_MS);
	assert_true(t->days_opened - days >= 2 && t->days_opened - days <= 4);
	for (unsigned i = days; i < t->days_opened; i++)
		assert_true(timing_day_start(t->params, t->days[i]) >=
		    town_now(t) - t->params->retention_ms);
	person_start(people[0]);
	(void)person_say(people[0], "welcome back");
	run_until(t, people[1]->text_count == 2, 12 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* A gateway that denies today, or never says anything about it, is asked again in measure. */
static void
test_days_denied_and_silent(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned days;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	(void)person_say(people[0], "kept from you");
	town_run(t, 90 * TOWN_MINUTE_MS);
	days = t->days_opened;
	t->faults.deny_days = true;
	person_start(people[1]);
	town_run(t, 3 * TOWN_HOUR_MS);
	assert_true(t->days_opened > days && t->days_opened - days <= 8);
	assert_false(person_status(people[1]).caught_up);
	t->faults.deny_days = false;
	t->faults.silent_days = true;
	days = t->days_opened;
	town_run(t, 3 * TOWN_HOUR_MS);
	assert_true(t->days_opened > days && t->days_opened - days <= 8);
	assert_false(person_status(people[1]).caught_up);
	t->faults.silent_days = false;
	run_until(t, people[1]->text_count == 2, 3 * TOWN_HOUR_MS);
	run_until(t, settled(people[1]), 2 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* That a whole day had no blocks does not fit to what is known on both sides of it. */
static void
test_a_day_denied(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	(void)person_say(people[0], "kept from you");
	town_run(t, 22 * TOWN_HOUR_MS);
	person_start(people[1]);
	run_until(t, person_status(people[1]).verified, TOWN_HOUR_MS);
	t->faults.deny_days = true;
	run_until(t, (alarms(people[1]) & CLIENT_ALARM_CHAIN) != 0, 3 * TOWN_HOUR_MS);
	t->faults.deny_days = false;
	run_until(t, people[1]->text_count == 2, 3 * TOWN_HOUR_MS);
	run_until(t, settled(people[1]), 3 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* ---- crashes ---- */

static void
test_kill_at_any_moment(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned said = 1;

	(void)state;
	befriend(t, people);
	for (int i = 0; i < 40; i++) {
		struct person *p = people[rng_below(test_rng(), 2)];
		if (i % 3 == 0) {
			(void)person_say(people[0], "counted");
			town_run(t, 30); /* time to become durable */
			said++;
		}
		town_run(t, rng_between(test_rng(), 0, 3 * TOWN_MINUTE_MS));
		person_kill(p);
		town_run(t, rng_between(test_rng(), 0, TOWN_MINUTE_MS));
		person_restart(p);
	}
	run_until(t, people[1]->text_count >= said, 6 * TOWN_HOUR_MS);
	town_run(t, 2 * TOWN_HOUR_MS);
	for (size_t i = 1; i < people[1]->text_count; i++)
		assert_true(people[1]->texts[i] > people[1]->texts[i - 1]);
	assert_int_equal(people[1]->text_count, said); /* and none twice */
	leave(t, people, 2);
}

/* ---- disks ---- */

/*
 * A full disk: what is said is neither lost nor sent before it is safe; it goes on
 * by itself when there is room.
 */
static void
test_full_disk(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	uint64_t sent;

	(void)state;
	befriend(t, people);
	town_run(t, TOWN_MINUTE_MS * 5);
	people[0]->plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true,
		.writes_only = true };
	sent = person_status(people[0]).real;
	(void)person_say(people[0], "waits for room");
	run_until(t, (alarms(people[0]) & CLIENT_ALARM_DISK) != 0, TOWN_MINUTE_MS);
	town_run(t, 30 * TOWN_MINUTE_MS);
	assert_int_equal(person_status(people[0]).real, sent);
	assert_int_equal(people[1]->text_count, 1);
	assert_true(person_status(people[0]).online); /* cover goes on */
	people[0]->plan = (struct disk_fault){ 0 };
	run_until(t, people[1]->text_count == 2, 10 * TOWN_HOUR_MS);
	run_until(t, settled(people[0]), TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* What arrives while nothing can be written is shown only when it is safe. */
static void
test_full_disk_of_the_reader(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	people[1]->plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true,
		.writes_only = true };
	(void)person_say(people[0], "arrives, and waits");
	town_run(t, 10 * TOWN_MINUTE_MS);
	assert_true((alarms(people[1]) & CLIENT_ALARM_DISK) != 0);
	assert_int_equal(people[1]->text_count, 1);
	person_kill(people[1]); /* nothing was promised, so nothing is lost */
	person_restart(people[1]);
	run_until(t, people[1]->text_count == 2, TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* ---- a gateway that lies ---- */

static void
lie(bool *fault, struct town *t, struct person **people, bool say)
{
	*fault = true;
	if (say)
		(void)person_say(people[0], "through all of it");
	run_until(t, (alarms(people[1]) & CLIENT_ALARM_CHAIN) != 0, 2 * TOWN_HOUR_MS);
	*fault = false;
	run_until(t, settled(people[1]) && settled(people[0]), 6 * TOWN_HOUR_MS);
}

static void
test_lies(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	lie(&t->faults.flip_block, t, people, false);
	lie(&t->faults.skip_block, t, people, false);
	lie(&t->faults.flip_record, t, people, true);
	run_until(t, people[1]->text_count == 2, 6 * TOWN_HOUR_MS);
	lie(&t->faults.drop_record, t, people, true);
	run_until(t, people[1]->text_count == 3, 6 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* As settled, with evidence that is kept. */
static bool
settled_with_evidence(const struct person *p)
{
	struct client_status s = person_status(p);

	return s.online && s.verified && s.caught_up && s.alarms == CLIENT_ALARM_FORK;
}

/*
 * Another sheet than the journal's: an alarm, and not one packet under it or the other.
 * Both were signed, which is kept.
 */
static void
test_another_sheet(void **state)
{
	struct person *people[1];
	struct town *t = inhabited(people, 1);
	const struct evidence *e;
	uint64_t number;
	unsigned packets;

	(void)state;
	t->faults.other_sheet = true;
	run_until(t, (alarms(people[0]) & CLIENT_ALARM_CHAIN) != 0, 2 * TOWN_HOUR_MS);
	t->faults.other_sheet = false;
	packets = t->notes + t->drops;
	town_run(t, 10 * TOWN_MINUTE_MS);
	assert_int_equal(t->notes + t->drops, packets);
	/* the next epoch; its first slot may come a little later */
	run_until(t, settled_with_evidence(people[0]) && t->notes + t->drops > packets,
	    8 * TOWN_HOUR_MS);
	person_kill(people[0]);
	person_restart(people[0]);
	e = client_evidence(people[0]->client, 0);
	assert_non_null(e);
	assert_err_ok(evidence_verify(e, t->network->charter, NULL));
	assert_int_equal(evidence_lie(e, t->params, &number), EVIDENCE_TWO_SHEETS);
	assert_true((alarms(people[0]) & CLIENT_ALARM_FORK) != 0);
	/* the alarm ends when that journal is over, the proof stays */
	person_kill(people[0]);
	town_run(t, t->params->retention_ms + 2 * t->params->epoch_ms);
	person_restart(people[0]);
	assert_int_equal(alarms(people[0]) & CLIENT_ALARM_FORK, 0);
	assert_non_null(client_evidence(people[0]->client, 0));
	leave(t, people, 1);
}

static void
test_no_sheet(void **state)
{
	struct town *t = town_new(0);
	struct person *p;

	(void)state;
	town_run(t, TOWN_HOUR_MS);
	t->faults.no_sheet = true;
	p = person_new(t);
	person_start(p);
	/* the journal has it all the same: until that is read slots are skipped */
	run_until(t, t->notes + t->drops > 0, 10 * TOWN_MINUTE_MS);
	assert_true(t->epochs_opened > 0);
	leave(t, &p, 1);
}

/* ---- the way in ---- */

#define ONION "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion:443"

struct proxied {
	struct town *town;
	struct world_host *tor;
	struct fake_socks socks;
	struct person *person;
};

/* A person who is in session through a SOCKS port. */
static void
proxied_begin(struct proxied *x)
{
	memset(x, 0, sizeof(*x));
	x->town = town_new(0);
	assert_err_ok(world_host_new(&x->tor, x->town->world));
	fake_socks_start(&x->socks, world_loop(x->tor), FAKE_SOCKS_ADDRESS,
	    charter_gateway(x->town->network->charter)->entrance);
	town_run(x->town, 2 * TOWN_HOUR_MS + 17 * TOWN_MINUTE_MS);
	x->person = person_new(x->town);
	x->person->socks = FAKE_SOCKS_ADDRESS;
	x->person->entrance = ONION;
	person_start(x->person);
	run_until(x->town, settled(x->person), TOWN_HOUR_MS);
}

static void
proxied_end(struct proxied *x)
{
	person_free(x->person);
	fake_socks_stop(&x->socks);
	town_free(x->town);
}

static void
cut_off(struct proxied *x)
{
	world_break(x->tor, NULL);
	run_until(x->town, !person_status(x->person).online, TOWN_MINUTE_MS);
}

/* Sessions of every kind go through the port, each with a password of its own. */
static void
test_through_a_socks_port(void **state)
{
	struct proxied x;

	(void)state;
	proxied_begin(&x);
	assert_string_equal(x.socks.target, ONION);
	assert_int_equal(x.town->live_opened + x.town->days_opened + x.town->epochs_opened,
	    x.socks.connected);
	assert_true(x.town->days_opened > 0 && x.town->epochs_opened > 0);
	assert_int_equal(x.person->alarms_seen, 0);
	proxied_end(&x);
}

/* Not admitted: said at once, and until a session opens; that is no failure to reach it. */
static void
test_denied(void **state)
{
	struct proxied x;

	(void)state;
	proxied_begin(&x);
	x.socks.code = 0xf4;
	cut_off(&x);
	run_until(x.town, (alarms(x.person) & CLIENT_ALARM_DENIED) != 0, TOWN_HOUR_MS);
	x.socks.code = 0xf5;
	town_run(x.town, 2 * TOWN_HOUR_MS);
	assert_true((alarms(x.person) & CLIENT_ALARM_DENIED) != 0);
	assert_int_equal(alarms(x.person) & CLIENT_ALARM_ENTRY, 0);
	x.socks.code = 0;
	run_until(x.town, settled(x.person), 2 * TOWN_HOUR_MS);
	proxied_end(&x);
}

/* Three attempts in a row that did not reach it; two are no alarm. */
static void
test_not_reached(void **state)
{
	struct proxied x;
	size_t dials;

	(void)state;
	proxied_begin(&x);
	x.socks.code = 0xf0;
	dials = x.socks.dials;
	cut_off(&x);
	while ((alarms(x.person) & CLIENT_ALARM_ENTRY) == 0 && x.socks.dials < dials + 9)
		assert_true(world_step(x.town->world));
	assert_int_equal(x.socks.dials, dials + 3);
	assert_int_equal(alarms(x.person) & CLIENT_ALARM_DENIED, 0);
	/* a tor that is not there at all is the same to us */
	listener_free(x.socks.listener);
	x.socks.listener = NULL;
	town_run(x.town, 2 * TOWN_HOUR_MS);
	assert_true((alarms(x.person) & CLIENT_ALARM_ENTRY) != 0);
	fake_socks_stop(&x.socks);
	fake_socks_start(&x.socks, world_loop(x.tor), FAKE_SOCKS_ADDRESS,
	    charter_gateway(x.town->network->charter)->entrance);
	run_until(x.town, settled(x.person), 2 * TOWN_HOUR_MS);
	proxied_end(&x);
}

/* ---- time ---- */

static void
test_stall(void **state)
{
	struct person *people[1];
	struct town *t = inhabited(people, 1);

	(void)state;
	t->faults.stopped = true;
	town_run(t, 3 * TOWN_MINUTE_MS);
	assert_int_equal(alarms(people[0]) & CLIENT_ALARM_STALL, 0);
	run_until(t, (alarms(people[0]) & CLIENT_ALARM_STALL) != 0, 4 * TOWN_MINUTE_MS);
	assert_true(person_status(people[0]).online);
	t->faults.stopped = false;
	run_until(t, settled(people[0]), TOWN_HOUR_MS);
	leave(t, people, 1);
}

/* Who withholds the journal may hold others' packets back with it: nothing real leaves. */
static void
test_nothing_real_leaves_in_a_stall(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	uint64_t real, slots;

	(void)state;
	befriend(t, people);
	t->faults.stopped = true;
	run_until(t, (alarms(people[0]) & CLIENT_ALARM_STALL) != 0, 6 * TOWN_MINUTE_MS);
	real = person_status(people[0]).real;
	slots = person_status(people[0]).slots;
	(void)person_say(people[0], "when it comes again");
	town_run(t, 20 * TOWN_MINUTE_MS);
	assert_true((alarms(people[0]) & CLIENT_ALARM_STALL) != 0);
	assert_int_equal(person_status(people[0]).real, real);
	assert_true(person_status(people[0]).slots > slots); /* cover goes on */
	t->faults.stopped = false;
	run_until(t, people[1]->text_count == 2, 3 * TOWN_HOUR_MS);
	run_until(t, settled(people[0]), TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* Nor while it is withheld from the live session alone, and a day of the past is fed. */
static void
test_a_gap_that_is_fed_hides_no_stall(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	unsigned days;
	uint64_t real;

	(void)state;
	befriend(t, people);
	person_stop(people[1]);
	town_run(t, TOWN_DAY_MS);
	days = t->days_opened;
	t->faults.slow_days = true;
	person_start(people[1]);
	run_until(t, t->days_opened > days, 3 * TOWN_HOUR_MS);
	assert_int_equal(alarms(people[1]) & CLIENT_ALARM_STALL, 0);
	t->faults.mute_live = true;
	run_until(t, (alarms(people[1]) & CLIENT_ALARM_STALL) != 0, 6 * TOWN_MINUTE_MS);
	real = person_status(people[1]).real;
	(void)person_say(people[1], "when it comes again");
	for (int i = 0; i < 10; i++) {
		town_run(t, TOWN_MINUTE_MS);
		assert_true((alarms(people[1]) & CLIENT_ALARM_STALL) != 0);
	}
	assert_int_equal(person_status(people[1]).real, real);
	t->faults = (struct town_faults){ 0 };
	run_until(t, people[0]->text_count == 1, 12 * TOWN_HOUR_MS);
	run_until(t, settled(people[1]), 12 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

/* A wrong clock is named, and nothing real leaves by it; set right, all goes on. */
static void
test_wrong_clock(void **state)
{
	static const int64_t wrong[] = { -20000, 20000, TOWN_HOUR_MS, -TOWN_HOUR_MS };
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	size_t texts = 1;

	(void)state;
	befriend(t, people);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t sent;
		world_set_clock(people[0]->host, wrong[i]);
		run_until(t, (alarms(people[0]) & CLIENT_ALARM_CLOCK) != 0, 3 * TOWN_HOUR_MS);
		town_run(t, TOWN_MINUTE_MS);
		sent = person_status(people[0]).real;
		(void)person_say(people[0], "at the wrong time");
		town_run(t, 20 * TOWN_MINUTE_MS);
		assert_int_equal(person_status(people[0]).real, sent);
		assert_true((alarms(people[0]) & CLIENT_ALARM_CLOCK) != 0);
		world_set_clock(people[0]->host, -wrong[i]);
		texts++;
		run_until(t, people[1]->text_count == texts, 12 * TOWN_HOUR_MS);
		run_until(t, settled(people[0]), 3 * TOWN_HOUR_MS);
		assert_true(llabs(person_status(people[0]).clock_skew_ms) < 2000);
	}
	leave(t, people, 2);
}

static void
test_sleep(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	assert_err_ok(world_sleep(people[1]->host, 5 * TOWN_HOUR_MS));
	(void)person_say(people[0], "sleep well");
	town_run(t, 5 * TOWN_HOUR_MS);
	run_until(t, people[1]->text_count == 2, 4 * TOWN_HOUR_MS);
	run_until(t, settled(people[1]), 4 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

static void
test_gateway_out_of_reach(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);

	(void)state;
	befriend(t, people);
	t->faults.refuse = true;
	world_break(people[0]->host, NULL);
	town_run(t, TOWN_HOUR_MS);
	assert_false(person_status(people[0]).online);
	assert_true((alarms(people[0]) & CLIENT_ALARM_STALL) != 0);
	(void)person_say(people[0], "when you can");
	t->faults.refuse = false;
	run_until(t, people[1]->text_count == 2, 3 * TOWN_HOUR_MS);
	run_until(t, settled(people[0]), 3 * TOWN_HOUR_MS);
	leave(t, people, 2);
}

static void
test_charter_out_of_date(void **state)
{
	struct person *people[1];
	struct town *t = inhabited(people, 1);
	int64_t away = t->network->charter->not_after_ms - town_now(t);

	(void)state;
	world_set_clock(people[0]->host, away + 1000);
	town_run(t, 2 * TOWN_MINUTE_MS);
	assert_true((alarms(people[0]) & CLIENT_ALARM_CHARTER) != 0);
	world_set_clock(people[0]->host, -away - 1000);
	run_until(t, settled(people[0]), 3 * TOWN_HOUR_MS);
	leave(t, people, 1);
}

/* ---- what the owner asks ---- */

struct answer {
	enum err err;
	unsigned calls;
	struct buf value;
};

static void
on_done(void *arg, enum err e)
{
	struct answer *a = arg;

	a->err = e;
	a->calls++;
}

static void
on_value(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct answer *a = arg;

	on_done(arg, e);
	buf_init(&a->value);
	if (e == ERR_OK)
		assert_err_ok(buf_append(&a->value, p, n, n));
}

static struct post_write *
chunk(const char *text)
{
	struct post_write *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	post_key_out(w, 4711, 1);
	w->len = strlen(text);
	w->data = malloc(w->len);
	assert_non_null(w->data);
	memcpy(w->data, text, w->len);
	return w;
}

static void
test_values_and_commits(void **state)
{
	struct person *people[1];
	struct town *t = inhabited(people, 1);
	struct answer wrote = { 0 }, read = { 0 }, absent = { 0 }, kept = { 0 };
	struct post_write key;

	(void)state;
	post_key_out(&key, 4711, 1);
	assert_err_ok(client_write(people[0]->client, chunk("a chunk"), 1, on_done, &wrote));
	assert_err_ok(client_read(people[0]->client, &key, on_value, &read));
	assert_err_ok(client_commit(people[0]->client, on_done, &kept));
	post_key_out(&key, 4711, 2);
	assert_err_ok(client_read(people[0]->client, &key, on_value, &absent));
	assert_int_equal(wrote.calls + read.calls + kept.calls + absent.calls, 0);
	town_run(t, 100);
	assert_int_equal(wrote.calls, 1);
	assert_err_ok(wrote.err);
	assert_int_equal(read.calls, 1);
	assert_int_equal(read.value.len, 7);
	assert_memory_equal(read.value.data, "a chunk", 7);
	assert_int_equal(kept.calls, 1);
	assert_err_ok(kept.err);
	assert_err(absent.err, ERR_NOT_FOUND);
	buf_release(&read.value);
	leave(t, people, 1);
}

/* Who waits is told, whatever happens. */
static void
test_closing_with_requests(void **state)
{
	struct person *people[1];
	struct town *t = inhabited(people, 1);
	struct answer wrote = { 0 }, read = { 0 }, kept = { 0 };
	struct post_write key;

	(void)state;
	people[0]->plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	assert_err_ok(client_commit(people[0]->client, on_done, &kept));
	town_run(t, 3 * TOWN_MINUTE_MS);
	assert_int_equal(kept.calls, 0); /* it is not durable, so it is not done */
	post_key_out(&key, 4711, 1);
	assert_err_ok(client_write(people[0]->client, chunk("late"), 1, on_done, &wrote));
	assert_err_ok(client_read(people[0]->client, &key, on_value, &read));
	person_stop(people[0]);
	assert_int_equal(wrote.calls + read.calls + kept.calls, 3);
	assert_err(wrote.err, ERR_CLOSED);
	assert_err(read.err, ERR_CLOSED);
	assert_err(kept.err, ERR_CLOSED);
	leave(t, people, 1);
}

/* Own messages go when their time is over, and only those. */
static void
test_own_retention(void **state)
{
	struct person *people[2];
	struct town *t = inhabited(people, 2);
	struct answer read = { 0 };
	struct post_write key;

	(void)state;
	befriend(t, people);
	post_key_message(&key, people[1]->texts[0]);
	client_set_retention(people[1]->client, 2 * TOWN_HOUR_MS);
	town_run(t, TOWN_MINUTE_MS);
	assert_err_ok(client_read(people[1]->client, &key, on_value, &read));
	town_run(t, 100);
	assert_err_ok(read.err);
	buf_release(&read.value);
	town_run(t, 4 * TOWN_HOUR_MS);
	(void)person_say(people[0], "young");
	run_until(t, people[1]->text_count == 2, TOWN_HOUR_MS);
	client_set_retention(people[1]->client, 2 * TOWN_HOUR_MS);
	town_run(t, TOWN_MINUTE_MS);
	assert_err_ok(client_read(people[1]->client, &key, on_value, &read));
	town_run(t, 100);
	assert_err(read.err, ERR_NOT_FOUND);
	post_key_message(&key, people[1]->texts[1]);
	assert_err_ok(client_read(people[1]->client, &key, on_value, &read));
	town_run(t, 100);
	assert_err_ok(read.err);
	buf_release(&read.value);
	leave(t, people, 2);
}

/* ---- tickets and stamps ---- */

static const uint8_t code[32] = { 7 };

static struct town *
enrolled(struct person **people, size_t n, uint32_t stamps)
{
	struct town *t = town_with_registrar(0, stamps);

	town_run(t, 2 * TOWN_HOUR_MS + 17 * TOWN_MINUTE_MS);
	for (size_t i = 0; i < n; i++) {
		people[i] = person_new(t);
		people[i]->code = code;
		person_start(people[i]);
	}
	for (size_t i = 0; i < n; i++) /* with the next hour */
		run_until(t, settled(people[i]), 2 * TOWN_HOUR_MS);
	return t;
}

/* Every session has a ticket, every record a stamp; none twice, none refused. */
static void
test_tickets_and_stamps(void **state)
{
	struct person *people[2];
	struct town *t = enrolled(people, 2, 150);

	(void)state;
	assert_int_equal(t->notices_opened, 2); /* both were new */
	befriend(t, people);
	town_run(t, 5 * TOWN_HOUR_MS);
	assert_true(t->stamps >= 4 && t->stamps == t->real);
	assert_true(t->tickets >= 12);
	assert_int_equal(t->refused_tickets, 0);
	assert_int_equal(t->notices_opened, 2);
	assert_int_equal(person_status(people[0]).alarms, 0);
	town_run(t, 18 * TOWN_HOUR_MS);
	assert_true(person_status(people[0]).tokens.ahead >= 3);
	leave(t, people, 2);
}

/* Out of stamps what is written waits, cover goes on, and the next epoch takes it. */
static void
test_out_of_stamps(void **state)
{
	struct person *people[2];
	struct town *t = enrolled(people, 2, 6);
	unsigned before;

	(void)state;
	befriend(t, people);
	for (unsigned i = 0; i < 8; i++)
		(void)person_say(people[0], "more than there are stamps for");
	run_until(t, (alarms(people[0]) & CLIENT_ALARM_STAMPS) != 0, 6 * TOWN_HOUR_MS);
	assert_int_equal(person_status(people[0]).tokens.stamps, 0);
	before = t->drops + t->notes;
	run_until(t, people[1]->text_count >= 9, 12 * TOWN_HOUR_MS);
	assert_true(t->drops + t->notes > before);
	assert_int_equal(t->stamps, t->real);
	leave(t, people, 2);
}

/* Where tickets are asked for and there is no code nothing is dialled, and it is said. */
static void
test_not_enrolled(void **state)
{
	struct town *t = town_with_registrar(0, 150);
	struct person *p = person_new(t);

	(void)state;
	person_start(p);
	town_run(t, TOWN_HOUR_MS);
	assert_true((alarms(p) & CLIENT_ALARM_ENROL) != 0);
	assert_int_equal(t->live_opened + t->notices_opened + t->refused_tickets, 0);
	leave(t, &p, 1);
}

/* Keys that are not those of the sheet: no tokens are taken with them, and it is said. */
static void
test_issuer_keys_of_ones_own(void **state)
{
	struct town *t = town_with_registrar(0, 150);
	struct person *p = person_new(t);

	(void)state;
	t->faults.other_notice = true;
	p->code = code;
	person_start(p);
	run_until(t, (alarms(p) & CLIENT_ALARM_ISSUER) != 0, TOWN_HOUR_MS);
	town_run(t, TOWN_HOUR_MS);
	assert_int_equal(person_status(p).tokens.stamps, 0);
	assert_int_equal(t->tickets + t->refused_tickets, 0);
	leave(t, &p, 1);
}

/*
 * The registrar marks one member with keys of its own, and the gateway does not know of it:
 * nothing is taken, the person is told, and nothing that is marked is ever shown.
 */
static void
test_a_member_is_marked(void **state)
{
	struct person *people[2];
	struct town *t = enrolled(people, 1, 150);

	(void)state;
	t->registrar.marks = true;
	people[1] = person_new(t);
	people[1]->code = code;
	person_start(people[1]);
	run_until(t, (alarms(people[1]) & CLIENT_ALARM_ISSUER) != 0, TOWN_HOUR_MS);
	assert_int_equal(person_status(people[1]).tokens.tickets, 0);
	t->faults.league = true; /* from now on a marked ticket would be seen */
	town_run(t, 2 * TOWN_HOUR_MS);
	assert_int_equal(t->marked, 0);
	leave(t, people, 2);
}

/*
 * Gateway and registrar in league: a new member is shown other keys before its first ticket,
 * and gets tickets of them. The first session shows what all see: two notices that the
 * gateway signed, which are kept as evidence, and no further token of these is shown.
 */
static void
test_a_league(void **state)
{
	struct town *t = town_with_registrar(0, 150);
	struct person *p = person_new(t);
	const struct evidence *e;
	unsigned marked;
	uint64_t number;

	(void)state;
	t->faults.league = true;
	t->registrar.marks = true;
	p->code = code;
	person_start(p);
	run_until(t, (alarms(p) & CLIENT_ALARM_FORK) != 0, 2 * TOWN_HOUR_MS);
	assert_true((alarms(p) & CLIENT_ALARM_ISSUER) != 0);
	assert_int_equal(person_status(p).tokens.tickets + person_status(p).tokens.stamps, 0);
	marked = t->marked;
	assert_int_equal(marked, 1);
	town_run(t, 2 * TOWN_HOUR_MS);
	assert_int_equal(t->marked, marked);
	person_kill(p);
	person_restart(p);
	e = client_evidence(p->client, 0);
	assert_non_null(e);
	assert_err_ok(evidence_verify(e, t->network->charter, NULL));
	assert_int_equal(evidence_lie(e, t->params, &number), EVIDENCE_TWO_NOTICES);
	leave(t, &p, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_member_is_marked),
	cmocka_unit_test(test_a_league),
	cmocka_unit_test(test_tickets_and_stamps),
	cmocka_unit_test(test_out_of_stamps),
	cmocka_unit_test(test_not_enrolled),
	cmocka_unit_test(test_issuer_keys_of_ones_own),
	cmocka_unit_test(test_a_new_client_finds_its_place),
	cmocka_unit_test(test_another_journals_anchor),
	cmocka_unit_test(test_texts_both_ways),
	cmocka_unit_test(test_a_day_passes),
	cmocka_unit_test(test_lost_deposits),
	cmocka_unit_test(test_lost_content),
	cmocka_unit_test(test_stop_and_start),
	cmocka_unit_test(test_a_gap_within_the_day),
	cmocka_unit_test(test_a_gap_of_days),
	cmocka_unit_test(test_away_for_longer_than_the_retention),
	cmocka_unit_test(test_days_denied_and_silent),
	cmocka_unit_test(test_a_day_denied),
	cmocka_unit_test(test_kill_at_any_moment),
	cmocka_unit_test(test_full_disk),
	cmocka_unit_test(test_full_disk_of_the_reader),
	cmocka_unit_test(test_lies),
	cmocka_unit_test(test_another_sheet),
	cmocka_unit_test(test_no_sheet),
	cmocka_unit_test(test_through_a_socks_port),
	cmocka_unit_test(test_denied),
	cmocka_unit_test(test_not_reached),
	cmocka_unit_test(test_stall),
	cmocka_unit_test(test_nothing_real_leaves_in_a_stall),
	cmocka_unit_test(test_a_gap_that_is_fed_hides_no_stall),
	cmocka_unit_test(test_wrong_clock),
	cmocka_unit_test(test_sleep),
	cmocka_unit_test(test_gateway_out_of_reach),
	cmocka_unit_test(test_charter_out_of_date),
	cmocka_unit_test(test_values_and_commits),
	cmocka_unit_test(test_closing_with_requests),
	cmocka_unit_test(test_own_retention),
};

TEST_MAIN(tests)
