/*
 * A message's life while memory runs out: the n-th allocation of client, mix or gateway
 * fails, from the moment a text is said until its answer is there. Nothing crashes,
 * nothing that was promised is lost, nothing is shown twice, no memory is lost.
 *
 * Each n is a process of its own, forked from two people who have met. The run is
 * outside of cmocka, so that a failed assertion ends that process.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/memory.h"
#include "tests/faults/tally.h"
#include "tests/lib/test.h"
#include "tests/scenario/person.h"

#define USUAL 40
#define SECONDS 300
#define PATIENCE_MS (12 * HOUR_MS)

struct scene {
	struct fixture f;
	struct person a, b;
	bool refused, answered;
	int64_t done_ms; /* of the run without a fault: from the text to the end */
	int64_t took_ms; /* of this one */
	uint64_t operations[FIXTURE_NODES_MAX + 2]; /* of the disks, in done_ms */
};

/* ---- two people ---- */

static bool
both_verified(void *arg)
{
	struct scene *s = arg;
	struct client_status a, b;

	client_status(s->a.client, &a);
	client_status(s->b.client, &b);
	return a.verified && b.verified;
}

static bool
have_met(void *arg)
{
	struct scene *s = arg;

	return person_has_contact(&s->a) && person_has_contact(&s->b) && person_is_done(&s->a) &&
	    person_is_done(&s->b);
}

static bool
inviter_knows(void *arg)
{
	return person_has_contact(&((struct scene *)arg)->a);
}

static void
begin(struct scene *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	fixture_new(&s->f, &(struct fixture_config){ .seed = seed, .unguarded = true });
	fixture_run_for(&s->f, MINUTE_MS);
	person_new(&s->a, &s->f);
	person_new(&s->b, &s->f);
	fixture_run_until_true(&s->f, both_verified, s, 30 * MINUTE_MS);
	person_meet(&s->a, &s->b);
	fixture_run_until_true(&s->f, inviter_knows, s, HOUR_MS);
	person_say(&s->a);
	fixture_run_until_true(&s->f, have_met, s, 3 * HOUR_MS);
}

static void
end(struct scene *s)
{
	person_free(&s->a);
	person_free(&s->b);
	fixture_free(&s->f);
}

/* ---- a text and its answer ---- */

static void
on_durable(void *arg, enum err e)
{
	if (e == ERR_OK)
		*(bool *)arg = true;
}

/* Say the next number; false if the client could not take it. */
static bool
try_to_say(struct person *p)
{
	int64_t now = world_now_ms(p->fixture->world);
	struct post_contact c;
	char text[16];
	uint64_t id;

	person_contact(p, &c);
	(void)snprintf(text, sizeof(text), "%u", p->said);
	return post_send_text(client_post(p->client), &id, c.id, text, strlen(text), now, NULL) ==
	    ERR_OK;
}

/* A refusal is told, and the same can be asked for again; what was taken is kept. */
static void
say(struct scene *s, struct person *p)
{
	for (unsigned i = 0; !try_to_say(p); i++) {
		s->refused = true;
		assert_true(i < 3);
	}
	for (unsigned i = 0; client_commit(p->client, on_durable, &p->promised[p->said]) != ERR_OK;
	     i++) {
		s->refused = true;
		assert_true(i < 3);
	}
	p->said++;
}

/* The text was heard, answered and acknowledged, and so on. */
static bool
step(struct scene *s)
{
	memory_pause(true);
	bool heard = person_heard(&s->b) == s->a.said;
	memory_pause(false);

	if (heard && !s->answered) {
		s->answered = true;
		say(s, &s->b);
	}
	memory_pause(true);
	bool over = s->answered && person_is_done(&s->a) && person_heard(&s->a) == s->b.said;
	memory_pause(false);
	return over;
}

/* Until it is over; how long that took, or -1. */
static int64_t
live(struct scene *s)
{
	int64_t start = world_now_ms(s->f.world);

	say(s, &s->a);
	while (!step(s)) {
		if (world_now_ms(s->f.world) > start + PATIENCE_MS)
			return -1;
		fixture_run_for(&s->f, 1000);
	}
	return world_now_ms(s->f.world) - start;
}

/* One process: with the n-th allocation failing; 0: without, to learn how many there are. */
static void
run(void *arg, uint64_t n, struct tally_run *r)
{
	struct scene *s = arg;
	int64_t took_ms, lost;
	uint64_t count;

	if (n > 0)
		memory_tell(&r->where);
	memory_arm(n);
	took_ms = live(s);
	count = memory_disarm();
	r->where = r->where != 0 && n == 0 ? r->where : memory_where();
	if (took_ms < 0) {
		r->outcome = TALLY_LOST;
		return;
	}
	person_check_heard(&s->a, &s->b);
	person_check_heard(&s->b, &s->a);
	end(s);
	lost = memory_live();
	r->value = n == 0 ? (int64_t)count : lost != 0 ? lost : took_ms;
	s->took_ms = took_ms;
	if (lost != 0)
		r->outcome = TALLY_LEAK;
	else if (n > 0 && r->where == 0)
		r->outcome = TALLY_NONE;
	else if (s->refused)
		r->outcome = TALLY_REFUSED;
	else
		r->outcome = n == 0 || took_ms <= s->done_ms ? TALLY_UNHARMED : TALLY_LATE;
}

/* ---- disks ---- */

static struct fixture_disk *
disk_at(struct scene *s, size_t i)
{
	if (i < s->f.node_count)
		return &s->f.nodes[i].disk;
	return i == s->f.node_count ? &s->a.disk : &s->b.disk;
}

/* One process: the n-th operation of all disks, one disk after the other, fails once. */
static void
run_disk(void *arg, uint64_t n, struct tally_run *r)
{
	static const enum disk_fault_effect effects[] = { DISK_FAULT_NOTHING, DISK_FAULT_TORN,
		DISK_FAULT_DONE };
	struct scene *s = arg;
	struct fixture_disk *k;
	size_t i = 0;

	for (uint64_t at = n; at > s->operations[i]; i++)
		n = at -= s->operations[i];
	k = disk_at(s, i);
	k->full = true; /* the fixture shall not end the host for it */
	k->fault = (struct disk_fault){ .at = n, .err = n % 2 == 0 ? ERR_IO : ERR_FULL,
		.effect = effects[n % 3], .keep = n % 50 };
	run(arg, 0, r);
	r->where = i + 1;
	if (k->fault.failed == 0)
		r->outcome = TALLY_NONE;
	else if (r->outcome == TALLY_UNHARMED && s->took_ms > s->done_ms)
		r->outcome = s->refused ? TALLY_REFUSED : TALLY_LATE;
}

/* How many operations the undisturbed run has on each disk. */
static void
count_disk(void *arg, uint64_t n, struct tally_run *r)
{
	struct scene *s = arg;
	struct fixture_disk *k = disk_at(s, (size_t)n - 1);

	k->fault = (struct disk_fault){ 0 };
	r->value = live(s) < 0 ? -1 : (int64_t)k->fault.count;
	r->outcome = TALLY_UNHARMED;
}

/* How long it takes undisturbed; the parent has to know, and its scene stays as it is. */
static void
time_it(void *arg, uint64_t n, struct tally_run *r)
{
	(void)n;
	r->value = live(arg);
	r->outcome = TALLY_UNHARMED;
}

/* Try some n of total, or all; prints the table. Returns whether all is well. */
static bool
campaign(struct scene *s, uint64_t total, uint64_t usual,
    void (*job)(void *arg, uint64_t n, struct tally_run *run), size_t *n)
{
	uint64_t step_n = tally_step(total, usual);
	uint64_t first = 1 + rng_below(test_rng(), (uint32_t)step_n);
	struct tally_run *runs;
	size_t bad;

	memory_pause(true);
	runs = calloc(total / step_n + 2, sizeof(*runs));
	memory_pause(false);
	if (runs == NULL)
		return false;
	*n = 0;
	for (uint64_t i = first; i <= total; i += step_n)
		tally_fork(&runs[(*n)++], job, s, i, SECONDS);
	bad = tally_print(runs, *n);
	memory_pause(true);
	free(runs);
	memory_pause(false);
	return bad == 0;
}

static const char *
who(const struct scene *s, size_t i)
{
	if (i < s->f.node_count)
		return s->f.nodes[i].charter->role == CHARTER_MIX ? "a mix" : "the gateway";
	return i == s->f.node_count ? "the writer" : "the reader";
}

static uint64_t
count_disks(struct scene *s)
{
	struct tally_run run;
	uint64_t total = 0;

	for (size_t i = 0; i < s->f.node_count + 2; i++) {
		tally_fork(&run, count_disk, s, i + 1, SECONDS);
		s->operations[i] = run.value > 0 ? (uint64_t)run.value : 0;
		total += s->operations[i];
		printf("# part %zu is %s: %llu operations of its disk\n", i + 1, who(s, i),
		    (unsigned long long)s->operations[i]);
	}
	return total;
}

static bool
report(unsigned number, bool good, const char *what, size_t n)
{
	printf("%sok %u - %s in each of %zu runs\n", good ? "" : "not ", number, what, n);
	return good;
}

int
main(void)
{
	struct tally_run whole, timed;
	static struct scene s;
	size_t n = 0;
	bool good;

	test_begin();
	begin(&s, rng_u64(test_rng()));
	tally_fork(&timed, time_it, &s, 0, SECONDS);
	s.done_ms = timed.value;
	tally_fork(&whole, run, &s, 0, SECONDS);
	printf("1..3\n%sok 1 - undisturbed: %lld allocations in %lld s\n",
	    whole.outcome == TALLY_UNHARMED ? "" : "not ", (long long)whole.value,
	    (long long)s.done_ms / 1000);
	if (whole.outcome != TALLY_UNHARMED)
		return 1;
	good = campaign(&s, count_disks(&s), USUAL, run_disk, &n);
	good = report(2, good, "one operation of a disk failed", n);
	n = 0;
	bool all = campaign(&s, (uint64_t)whole.value, USUAL, run, &n);
	good = report(3, all, "one allocation failed", n) && good;
	end(&s);
	return good ? 0 : 1;
}
