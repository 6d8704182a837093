/*
 * A gateway that shows one person, or one mix, another sheet or another journal: what
 * is built on it dies, and what it signed proves the lie to whoever has the charter.
 */
#include "config.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/charter/timing.h"
#include "mix/epochkeys.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/liar.h"
#include "tests/scenario/person.h"

#define TOOL "common/charter/tool/restante-charter" /* make runs tests at the top */

struct scene {
	struct fixture f;
	struct person a, b; /* b goes by the liar */
	struct liar *liar;
};

/* One on a host of its own, with the gateway's keys. */
static struct liar *
new_liar(struct fixture *f, unsigned lies, uint32_t from_epoch, unsigned one_in)
{
	const struct fixture_node *gateway = fixture_gateway(f);
	struct world_host *host;

	assert_err_ok(world_host_new(&host, f->world));
	return liar_new(&(struct liar_config){.loop = world_loop(host),
	    .charters = f->network->charters,
	    .identity_sk = gateway->keys->identity_sk,
	    .link_sk = gateway->keys->link_sk,
	    .listen = LIAR_ADDRESS,
	    .entrance = gateway->charter->entrance,
	    .keys = world_rng(f->world),
	    .lies = lies,
	    .one_in = one_in,
	    .from_epoch = from_epoch});
}

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
inviter_knows(void *arg)
{
	return person_has_contact(&((struct scene *)arg)->a);
}

static bool
both_done(void *arg)
{
	struct scene *s = arg;

	return person_is_done(&s->a) && person_is_done(&s->b);
}

static bool
b_has_evidence(void *arg)
{
	return client_evidence(((struct scene *)arg)->b.client, 0) != NULL;
}

static uint32_t
epoch_now(const struct scene *s)
{
	return timing_epoch(s->f.params, world_now_ms(s->f.world));
}

/*
 * Two people who have met, and talked, before the lies begin: with the first epoch of which
 * no mix has made a key, and so nobody has seen a sheet, when they are done.
 */
static void
begin(struct scene *s, unsigned lies)
{
	uint64_t seed = rng_u64(test_rng());
	uint32_t from_epoch;

	memset(s, 0, sizeof(*s));
	print_message("# scenario seed %llu\n", (unsigned long long)seed);
	fixture_new(&s->f, &(struct fixture_config){.seed = seed});
	fixture_run_for(&s->f, MINUTE_MS);
	s->liar = new_liar(&s->f, 0, epoch_now(s) + 1, 1);
	person_new(&s->a, &s->f);
	person_new_at(&s->b, &s->f, LIAR_ADDRESS);
	fixture_run_until_true(&s->f, both_verified, s, 30 * MINUTE_MS);
	person_meet(&s->a, &s->b);
	fixture_run_until_true(&s->f, inviter_knows, s, HOUR_MS);
	person_say(&s->a);
	person_say(&s->b);
	fixture_run_until_true(&s->f, both_done, s, 2 * HOUR_MS);
	assert_null(client_evidence(s->b.client, 0));
	from_epoch = timing_epoch(s->f.params,
	    world_now_ms(s->f.world) + EPOCHKEYS_AHEAD_MS + 5 * MINUTE_MS) + 1;
	liar_turn(s->liar, lies, from_epoch);
	fixture_run_until(&s->f, timing_epoch_start(s->f.params, from_epoch) + 3 * MINUTE_MS);
}

static void
end(struct scene *s)
{
	person_free(&s->a);
	person_free(&s->b);
	liar_free(s->liar);
	fixture_free(&s->f);
}

static void
write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

/* The exit code of restante-charter verify-evidence. */
static int
verdict(const struct buf *charter, const struct buf *evidence)
{
	char dir[] = "/tmp/restante-lies.XXXXXX", paths[2][64];
	char tool[] = TOOL, verb[] = "verify-evidence";
	char *const argv[] = {tool, verb, paths[0], paths[1], NULL};
	char *const environment[] = {NULL};
	int status = -1;
	pid_t child;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(paths[0], sizeof(paths[0]), "%s/charter", dir);
	(void)snprintf(paths[1], sizeof(paths[1]), "%s/evidence", dir);
	write_file(paths[0], charter);
	write_file(paths[1], evidence);
	assert_int_equal(posix_spawn(&child, TOOL, NULL, NULL, argv, environment), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(unlink(paths[0]) + unlink(paths[1]) + rmdir(dir), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What anybody makes of it with the charter alone, and with another network's. */
static void
check_evidence(const struct scene *s, const struct evidence *e, enum evidence_lie lie,
    uint32_t epoch)
{
	const struct network_config other = {.seed = s->f.seed + 1};
	struct network *stranger = network_new(&other);
	uint64_t number;
	struct buf text;

	assert_non_null(e);
	assert_int_equal(evidence_lie(e, s->f.params, &number), lie);
	assert_int_equal(evidence_epoch(e, s->f.params), epoch);
	buf_init(&text);
	assert_err_ok(evidence_encode(&text, e));
	assert_int_equal(verdict(&s->f.network->text, &text), 0);
	assert_int_equal(verdict(&stranger->text, &text), 1);
	text.data[text.len / 2] ^= 1;
	assert_int_equal(verdict(&s->f.network->text, &text), 1);
	buf_release(&text);
	network_free(stranger);
}

/*
 * Another sheet and another journal for b: its packets die at the first honest node,
 * and the next thing that a says convicts the gateway. What b keeps outlives it.
 */
static void
test_another_journal(void **state)
{
	const struct evidence *e;
	struct client_status status;
	struct scene s;
	unsigned heard;

	(void)state;
	begin(&s, LIAR_SHEETS | LIAR_JOURNAL);
	heard = person_heard(&s.a);
	person_say(&s.b); /* in packets that nobody can open */
	fixture_run_for(&s.f, 20 * MINUTE_MS);
	assert_int_equal(person_heard(&s.a), heard);
	person_say(&s.a);
	fixture_run_until_true(&s.f, b_has_evidence, &s, HOUR_MS);
	client_status(s.b.client, &status);
	assert_true((status.alarms & CLIENT_ALARM_FORK) != 0);
	fixture_run_for(&s.f, MINUTE_MS);
	person_kill(&s.b, 1000);
	fixture_run_for(&s.f, MINUTE_MS);
	client_status(s.b.client, &status);
	assert_true((status.alarms & CLIENT_ALARM_FORK) != 0);
	e = client_evidence(s.b.client, 0);
	check_evidence(&s, e, EVIDENCE_TWO_BLOCKS, epoch_now(&s));
	end(&s);
}

/* Another sheet in the sessions' first items, the true one in the blocks: b sees it itself. */
static void
test_another_sheet(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, LIAR_SHEETS);
	fixture_run_until_true(&s.f, b_has_evidence, &s, HOUR_MS);
	check_evidence(&s, client_evidence(s.b.client, 0), EVIDENCE_TWO_SHEETS, epoch_now(&s));
	end(&s);
}

static bool
mix_has_evidence(void *arg)
{
	struct mix_status status;

	mix_get_status(arg, &status);
	return status.evidence > 0;
}

/* One of a mix's sessions is shown another sheet: it releases nothing that epoch. */
static void
test_a_mix_is_lied_to(void **state)
{
	struct fixture_node *n;
	struct mix_status before, after;
	struct scene s = {.liar = NULL};
	uint32_t epoch;

	(void)state;
	fixture_new(&s.f, &(struct fixture_config){.seed = rng_u64(test_rng())});
	n = fixture_mix(&s.f, 0, 0);
	fixture_run_for(&s.f, MINUTE_MS);
	person_new(&s.a, &s.f); /* some traffic */
	epoch = epoch_now(&s) + 1;
	s.liar = new_liar(&s.f, LIAR_SHEETS, epoch, 3);
	fixture_kill(n, -1);
	n->entrance = LIAR_ADDRESS;
	fixture_start(n);
	fixture_run_for(&s.f, 30 * MINUTE_MS);
	assert_false(mix_has_evidence(n->mix));
	fixture_run_until(&s.f, timing_epoch_start(s.f.params, epoch) - 10 * MINUTE_MS);
	fixture_run_until_true(&s.f, mix_has_evidence, n->mix, 10 * MINUTE_MS);
	fixture_run_until(&s.f, timing_epoch_start(s.f.params, epoch) + 2 * MINUTE_MS);
	mix_get_status(n->mix, &before);
	assert_true(before.struck && !before.has_sheet);
	fixture_run_for(&s.f, 30 * MINUTE_MS);
	mix_get_status(n->mix, &after);
	assert_true(after.received > before.received);
	assert_int_equal(after.released, before.released);
	fixture_kill(n, -1);
	fixture_start(n);
	assert_true(mix_has_evidence(n->mix)); /* on the disk */
	mix_get_status(n->mix, &after);
	assert_true(after.struck && !after.has_sheet);
	check_evidence(&s, proofs_at(mix_proofs(n->mix), 0), EVIDENCE_TWO_SHEETS, epoch);
	person_free(&s.a);
	liar_free(s.liar);
	fixture_free(&s.f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_another_journal),
    cmocka_unit_test(test_another_sheet),
    cmocka_unit_test(test_a_mix_is_lied_to),
};
TEST_MAIN(tests)
