/*
 * Alone in the pool: a gateway that lets only one session's packets through (n-1), and
 * one that merely loses some.
 *
 * The gateway here is the real one, but what it hands to the first mixes goes through
 * __wrap_links_send_packet, which drops what an attacker in its place would drop. Such an
 * attacker knows which session a packet came by; the test knows by who built it.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/notetest.h"
#include "mix/heartbeat.h"
#include "mix/links.h"
#include "mix/visits.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"
#include "tests/scenario/probe.h"

#define KNOWN 256 /* packets of the victim that are under way, many times over */

static struct attack {
	const struct fixture *fixture; /* NULL: none */
	const struct rng *victim;      /* whose packets pass; NULL: loss */
	uint32_t loss_percent;
	struct rng_seeded dice;
	uint64_t known[KNOWN];
	size_t count;
	unsigned passed, dropped;
} attack;

/* What a scenario's mixes have built. */
static struct {
	const struct fixture *fixture;
	unsigned packets, notes;
} cover;

enum err __real_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);
enum err __wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);
enum err __real_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);

enum err
__wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys)
{
	enum err e = __real_path_packet(out, p, s, params, command, r, keys);

	for (size_t i = 0; cover.fixture != NULL && i < cover.fixture->node_count; i++)
		if (r == &cover.fixture->nodes[i].rng.rng) {
			cover.packets++;
			cover.notes += command->kind == ONION_NOTE;
		}
	if (e == ERR_OK && attack.victim != NULL && r == attack.victim)
		attack.known[attack.count++ % KNOWN] = load_u64(out);
	return e;
}

static bool
lets_through(uint16_t to, const uint8_t *packet)
{
	const struct charter_node *n;

	if (attack.fixture == NULL)
		return true;
	n = charter_node(attack.fixture->network->charter, to);
	if (n == NULL || n->role != CHARTER_MIX || n->layer != 0)
		return true; /* a mix's, not the gateway's */
	if (attack.victim == NULL)
		return !rng_chance(&attack.dice.rng, attack.loss_percent, 100);
	for (size_t i = 0; i < KNOWN; i++)
		if (attack.known[i] == load_u64(packet))
			return true;
	return false;
}

enum err
__wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	if (lets_through(to, packet)) {
		attack.passed++;
		return __real_links_send_packet(k, to, epoch, packet);
	}
	attack.dropped++;
	return ERR_OK;
}

/*
 * A session of an hour is judged by from the hour's mark on, whatever block it begins with:
 * who could begin behind a time, or begin anew, would keep that time from being judged.
 */
static unsigned looked; /* at blocks, in a scenario */

void __real_heartbeat_block(struct heartbeat *h, const struct block *b, int64_t from_ms,
    int64_t start_ms, int64_t end_ms);
void __wrap_heartbeat_block(struct heartbeat *h, const struct block *b, int64_t from_ms,
    int64_t start_ms, int64_t end_ms);

void
__wrap_heartbeat_block(struct heartbeat *h, const struct block *b, int64_t from_ms,
    int64_t start_ms, int64_t end_ms)
{
	int64_t since_mark = (from_ms + 11 * MINUTE_MS) % HOUR_MS;

	/* or, by a clock that is ahead, a block just before it */
	assert_true(since_mark == 0 || since_mark >= HOUR_MS - MINUTE_MS);
	assert_true(from_ms <= start_ms);
	looked++;
	__real_heartbeat_block(h, b, from_ms, start_ms, end_ms);
}

static void
begin_attack(const struct fixture *f, const struct rng *victim, uint32_t loss_percent)
{
	memset(&attack, 0, sizeof(attack));
	attack.fixture = f;
	attack.victim = victim;
	attack.loss_percent = loss_percent;
	rng_seeded_init(&attack.dice, rng_u64(test_rng()));
}

static void
end_attack(void)
{
	memset(&attack, 0, sizeof(attack));
}

/* ---- the scene ---- */

#define CROWD 4

struct scene {
	struct fixture f;
	struct probe victim, crowd[CROWD];
};

static void
begin(struct scene *s, bool unguarded)
{
	struct fixture_config cfg = { .seed = rng_u64(test_rng()), .unguarded = unguarded };

	print_message("# scenario seed %llu\n", (unsigned long long)cfg.seed);
	end_attack();
	memset(&cover, 0, sizeof(cover));
	cover.fixture = &s->f;
	fixture_new(&s->f, &cfg);
	fixture_run_for(&s->f, MINUTE_MS);
	probe_new(&s->victim, &s->f);
	for (size_t i = 0; i < CROWD; i++)
		probe_new(&s->crowd[i], &s->f);
	fixture_run_for(&s->f, 30 * MINUTE_MS + rng_below(test_rng(), 20 * 60000));
}

static void
end(struct scene *s)
{
	end_attack();
	cover.fixture = NULL;
	probe_free(&s->victim);
	for (size_t i = 0; i < CROWD; i++)
		probe_free(&s->crowd[i]);
	fixture_free(&s->f);
}

static struct mix_status
mix_of(const struct fixture *f, size_t i)
{
	struct mix_status s;

	mix_get_status(f->nodes[i].mix, &s);
	return s;
}

static bool
is_mix(const struct fixture *f, size_t i)
{
	return f->nodes[i].charter->role == CHARTER_MIX;
}

/* Mixes that stand. */
static unsigned
standing(const struct fixture *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->node_count; i++)
		if (is_mix(f, i))
			n += mix_of(f, i).heartbeat.state == HEARTBEAT_STOPPED ||
			    mix_of(f, i).heartbeat.state == HEARTBEAT_BLIND;
	return n;
}

static uint64_t
released(const struct fixture *f)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->node_count; i++)
		if (is_mix(f, i))
			n += mix_of(f, i).released;
	return n;
}

/* The most packets that a pool held at a time, over some minutes: looked at each second. */
static size_t
most_pooled(struct fixture *f, int64_t ms)
{
	size_t most = 0;

	for (int64_t t = 0; t < ms; t += 1000) {
		fixture_run_for(f, 1000);
		for (size_t i = 0; i < f->node_count; i++)
			if (is_mix(f, i) && mix_of(f, i).pooled > most)
				most = mix_of(f, i).pooled;
	}
	return most;
}

/* In how many slots a mix's sessions send eleven notes, but for once in ten thousand. */
static int64_t
slots_of_eleven(const struct params *p)
{
	double one = 1.0 / p->note_one_in, below = 1;
	int64_t slots = 0;

	while (below > 1e-4) { /* the chance of ten or less */
		unsigned n = (unsigned)++slots * VISITS_COUNT;
		double term = pow(1 - one, n);

		below = 0;
		for (unsigned k = 0; k <= 10 && k <= n; k++) {
			below += term;
			term *= (double)(n - k) / (k + 1) * one / (1 - one);
		}
	}
	return slots;
}

/*
 * In what time an attack is noticed: the term of the notes, the slots in which the sessions
 * send eleven, a block, which are at most 30 s apart, and the slot that brings it.
 */
static int64_t
notice_ms(const struct params *p)
{
	return notetest_term_ms(p) + (slots_of_eleven(p) + 1) * p->slot_ms + 30000 +
	    p->round_ms;
}

/* ---- n-1 ---- */

/* What the attack achieves where nobody looks: the deposit is alone in every pool. */
static void
test_without_heartbeats_the_deposit_is_alone(void **state)
{
	uint64_t digests[5];
	struct scene s;

	(void)state;
	begin(&s, true);
	assert_true(looked > 0);
	assert_true(most_pooled(&s.f, 5 * MINUTE_MS) >= 4); /* in peace it is not */
	begin_attack(&s.f, &s.victim.rng.rng, 0);
	fixture_run_for(&s.f, 2 * MINUTE_MS); /* what was under way has left */
	for (int i = 0; i < 5; i++) {
		digests[i] = probe_deposit_any(&s.victim);
		/* its own packets alone: at the turn of an hour it has two sessions */
		assert_in_range(most_pooled(&s.f, 10 * MINUTE_MS), 1, 2);
		assert_int_equal(probe_listed(&s.victim, digests[i]), 1);
	}
	assert_true(attack.dropped > 5 * attack.count);
	end(&s);
}

/* Run until both mixes stand, which has to be in time, or at most so much later. */
static void
check_noticed(struct scene *s, int64_t since, int64_t later_ms)
{
	while (standing(&s->f) < 2 && world_now_ms(s->f.world) - since < HOUR_MS)
		fixture_run_for(&s->f, 1000);
	print_message("# both mixes stand after %lld s, at most %lld s\n",
	    (long long)(world_now_ms(s->f.world) - since) / 1000,
	    (long long)(notice_ms(s->f.params) + later_ms) / 1000);
	assert_true(world_now_ms(s->f.world) - since <= notice_ms(s->f.params) + later_ms);
}

/*
 * Who can tell a mix's sessions from members' lets them through beside the victim's. They
 * have a note in one slot of so many, as everybody's: no more, no less.
 */
static void
test_a_mix_sends_notes_as_members_do(void **state)
{
	struct scene s;
	double one;

	(void)state;
	begin(&s, false);
	fixture_run_for(&s.f, 3 * HOUR_MS);
	one = 1.0 / s.f.params->note_one_in;
	print_message("# %u notes in %u packets of mixes\n", cover.notes, cover.packets);
	assert_true(cover.packets > 5000);
	assert_true(fabs(cover.notes - one * cover.packets) <
	    5 * sqrt(cover.packets * one * (1 - one)));
	end(&s);
}

/* The same with heartbeats: noticed in time, and then nothing leaves. */
static void
test_with_heartbeats_it_is_noticed(void **state)
{
	uint64_t before, digest;
	int64_t until;
	struct scene s;

	(void)state;
	begin(&s, false);
	assert_int_equal(standing(&s.f), 0);
	begin_attack(&s.f, &s.victim.rng.rng, 0);
	check_noticed(&s, world_now_ms(s.f.world), 0);
	before = released(&s.f);
	assert_true(is_mix(&s.f, 0));
	until = mix_of(&s.f, 0).heartbeat.until_ms;
	digest = probe_deposit_any(&s.victim);
	assert_int_equal(most_pooled(&s.f, until - world_now_ms(s.f.world) - 2000), 0);
	assert_true(released(&s.f) == before);
	assert_int_equal(probe_listed(&s.victim, digest), 0);
	end(&s);
}

/*
 * While each mix has two sessions in each visit, the former and the coming hour's. An hour
 * may be an epoch's end as well, and notes near that are not judged.
 */
static void
test_at_the_hour_it_is_noticed_as_soon(void **state)
{
	(void)state;
	for (int64_t minutes = 6; minutes <= 11; minutes++) {
		struct scene s;
		int64_t hour;

		begin(&s, false);
		hour = (world_now_ms(s.f.world) / HOUR_MS + 1) * HOUR_MS;
		if (world_now_ms(s.f.world) >= hour - minutes * MINUTE_MS)
			hour += HOUR_MS;
		fixture_run_until(&s.f, hour - minutes * MINUTE_MS);
		begin_attack(&s.f, &s.victim.rng.rng, 0);
		check_noticed(&s, world_now_ms(s.f.world), 2 * MINUTE_MS);
		end(&s);
	}
}

static bool
all_listen(void *arg)
{
	struct scene *s = arg;

	for (size_t i = 0; i < s->f.node_count; i++)
		if (is_mix(&s->f, i) && mix_of(&s->f, i).heartbeat.state != HEARTBEAT_RUNS)
			return false;
	return true;
}

/*
 * Hour after hour: it gains no more than the moments before it is noticed again; and when
 * it ends, the network comes back without anybody's help.
 */
static void
test_an_attack_of_hours_and_its_end(void **state)
{
	int64_t open_ms = 0, hours = 4;
	struct scene s;
	uint64_t digest;

	(void)state;
	begin(&s, false);
	begin_attack(&s.f, &s.victim.rng.rng, 0);
	for (int64_t t = 0; t < hours * HOUR_MS; t += 5000) {
		fixture_run_for(&s.f, 5000);
		open_ms += standing(&s.f) == 0 ? 5000 : 0;
	}
	print_message("# in %d hours both mixes ran for %lld s\n", (int)hours,
	    (long long)open_ms / 1000);
	assert_true(open_ms <= 2 * (hours + 1) * notice_ms(s.f.params));
	end_attack();
	fixture_run_until_true(&s.f, all_listen, &s, 75 * MINUTE_MS);
	digest = probe_deposit_any(&s.victim);
	fixture_run_for(&s.f, 5 * MINUTE_MS);
	assert_int_equal(probe_listed(&s.victim, digest), 1);
	end(&s);
}

static void
hold_mixes(struct scene *s, bool held)
{
	for (size_t i = 0; i < s->f.node_count; i++)
		if (is_mix(&s->f, i))
			mix_hold(s->f.nodes[i].mix, held);
	if (held)
		world_break(fixture_gateway(&s->f)->host, NULL);
}

/*
 * A gateway that keeps everybody out but the victim: the mixes see nothing, and stand. It
 * might be a restart, which they bear once; then it takes as long as any other attack.
 */
static void
test_cut_off_mixes_stand(void **state)
{
	int64_t patience, longest;
	struct scene s;

	(void)state;
	begin(&s, false);
	patience = notetest_term_ms(s.f.params) + notetest_late_ms(s.f.params) + MINUTE_MS +
	    2 * s.f.params->round_ms;
	longest = 16 * MINUTE_MS + 2 * notetest_term_ms(s.f.params) + 2 * s.f.params->round_ms;
	fixture_run_until(&s.f, (world_now_ms(s.f.world) / (2 * HOUR_MS) + 1) * 2 * HOUR_MS +
	    5 * MINUTE_MS); /* all in one epoch */
	hold_mixes(&s, true);
	fixture_run_for(&s.f, longest);
	assert_int_equal(standing(&s.f), 2);
	assert_int_equal(mix_of(&s.f, 0).heartbeat.state, HEARTBEAT_BLIND);
	assert_int_equal(mix_of(&s.f, 0).heartbeat.until_ms, 0);
	hold_mixes(&s, false); /* the first session is back within a quarter of an hour */
	fixture_run_until_true(&s.f, all_listen, &s, 45 * MINUTE_MS);
	hold_mixes(&s, true);
	fixture_run_for(&s.f, patience);
	assert_int_equal(standing(&s.f), 2);
	hold_mixes(&s, false);
	fixture_run_for(&s.f, 15 * MINUTE_MS);
	assert_int_equal(mix_of(&s.f, 0).heartbeat.until_ms % HOUR_MS, 0);
	fixture_run_until_true(&s.f, all_listen, &s, 75 * MINUTE_MS);
	end(&s);
}

/* A gateway that is down for a minute: nobody stops, whenever the sessions come back. */
static void
test_a_restart_of_the_gateway_is_no_attack(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct scene s;

		begin(&s, false);
		fixture_kill(fixture_gateway(&s.f), MINUTE_MS);
		fixture_run_for(&s.f, 45 * MINUTE_MS);
		for (size_t k = 0; k < s.f.node_count; k++) {
			if (!is_mix(&s.f, k))
				continue;
			assert_int_equal(mix_of(&s.f, k).heartbeat.stops, 0);
			assert_int_equal(mix_of(&s.f, k).heartbeat.state, HEARTBEAT_RUNS);
		}
		end(&s);
	}
}

/* ---- honest loss ---- */

/* The mixes' clocks are off as well, by as much as they may be. */
static void
test_honest_loss_is_no_attack(void **state)
{
	static const uint32_t percents[] = { 1, 5, 10 };

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct scene s;
		uint64_t judged;

		begin(&s, false);
		world_set_clock(fixture_mix(&s.f, 0, 0)->host, 29000);
		world_set_clock(fixture_mix(&s.f, 1, 0)->host, -29000);
		begin_attack(&s.f, NULL, percents[k]);
		fixture_run_for(&s.f, 6 * HOUR_MS);
		assert_true(attack.dropped > 0);
		for (size_t i = 0; i < s.f.node_count; i++) {
			if (!is_mix(&s.f, i))
				continue;
			judged = mix_of(&s.f, i).heartbeat.judged;
			assert_true(judged > 600);
			assert_true(mix_of(&s.f, i).heartbeat.returned < judged);
			assert_int_equal(mix_of(&s.f, i).heartbeat.stops, 0);
		}
		end(&s);
	}
}

/* ---- people ---- */

struct pair {
	struct fixture f;
	struct person a, b;
};

/* The other one knows when it hears something for the first time. */
static bool
inviter_knows(void *arg)
{
	return person_has_contact(&((struct pair *)arg)->a);
}

static struct client_status
client_of(const struct person *p)
{
	struct client_status s;

	client_status(p->client, &s);
	return s;
}

static bool
is_told(void *arg)
{
	return (client_of(arg).alarms & CLIENT_ALARM_NOTES) != 0;
}

static bool
is_well(void *arg)
{
	return !is_told(arg);
}

static bool
both_verified(void *arg)
{
	struct pair *p = arg;

	return client_of(&p->a).verified && client_of(&p->b).verified;
}

static bool
has_heard(void *arg)
{
	return person_heard(&((struct pair *)arg)->b) == 1;
}

/* Real traffic waits while a client's notes are lost; nothing is lost with it. */
static void
test_a_client_waits_and_loses_nothing(void **state)
{
	const struct rng *nobody = test_rng();
	struct pair p;
	uint64_t real;

	(void)state;
	end_attack();
	fixture_new(&p.f, &(struct fixture_config){ .seed = rng_u64(test_rng()) });
	fixture_run_for(&p.f, MINUTE_MS);
	person_new(&p.a, &p.f);
	person_new(&p.b, &p.f);
	fixture_run_until_true(&p.f, both_verified, &p, 30 * MINUTE_MS);
	person_meet(&p.a, &p.b);
	fixture_run_until_true(&p.f, inviter_knows, &p, 2 * HOUR_MS);
	begin_attack(&p.f, nobody, 0); /* all of ours is dropped */
	fixture_run_until_true(&p.f, is_told, &p.a, 2 * HOUR_MS);
	real = client_of(&p.a).real;
	person_say(&p.a);
	fixture_run_for(&p.f, HOUR_MS);
	assert_int_equal(client_of(&p.a).real, real);
	assert_true(is_told(&p.a));
	assert_int_equal(client_of(&p.a).queued + client_of(&p.a).unacknowledged, 1);
	end_attack();
	fixture_run_until_true(&p.f, is_well, &p.a, 4 * HOUR_MS);
	fixture_run_until_true(&p.f, has_heard, &p, 2 * HOUR_MS);
	person_check_heard(&p.b, &p.a);
	person_free(&p.a);
	person_free(&p.b);
	fixture_free(&p.f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_without_heartbeats_the_deposit_is_alone),
	cmocka_unit_test(test_a_mix_sends_notes_as_members_do),
	cmocka_unit_test(test_with_heartbeats_it_is_noticed),
	cmocka_unit_test(test_at_the_hour_it_is_noticed_as_soon),
	cmocka_unit_test(test_an_attack_of_hours_and_its_end),
	cmocka_unit_test(test_cut_off_mixes_stand),
	cmocka_unit_test(test_a_restart_of_the_gateway_is_no_attack),
	cmocka_unit_test(test_honest_loss_is_no_attack),
	cmocka_unit_test(test_a_client_waits_and_loses_nothing),
};

TEST_MAIN(tests)
