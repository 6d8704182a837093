/*
 * Whole clients in a network of real nodes open the sessions that the script says, and
 * test_linker shows that its doubles open the same: so that a month of these is one of
 * those.
 */
#include "config.h"

#include "common/charter/timing.h"
#include "common/net/session.h"
#include "tests/lib/test.h"
#include "tests/scenario/fixture.h"
#include "tests/scenario/person.h"
#include "tests/scenario/script.h"

#define PEOPLE 3
#define SESSIONS_MAX 32

struct life {
	struct person person;
	struct script_session log[SESSIONS_MAX];
	size_t count;
};

static struct life lives[PEOPLE];
static struct fixture fixture;

enum err __real_session_open(struct session **out, struct loop *l, const struct session_config *cfg,
			     const struct session_events *events, void *arg);
enum err __wrap_session_open(struct session **out, struct loop *l, const struct session_config *cfg,
			     const struct session_events *events, void *arg);

static void
note(struct life *x, const struct frame_open *open)
{
	assert_true(x->count < SESSIONS_MAX);
	x->log[x->count++] = (struct script_session){
	    .at_ms = world_now_ms(fixture.world) - FIXTURE_START_MS,
	    .read = open->read == FRAME_READ_LIVE  ? LINKER_LIVE
		    : open->read == FRAME_READ_DAY ? LINKER_DAY
						   : LINKER_EPOCHS,
	    .hour = open->hour - timing_hour(fixture.params, FIXTURE_START_MS),
	};
}

/* Mixes visit as well: only people's are noted. */
enum err
__wrap_session_open(struct session **out, struct loop *l, const struct session_config *cfg,
		    const struct session_events *events, void *arg)
{
	for (size_t i = 0; i < PEOPLE; i++)
		if (lives[i].person.host != NULL && world_loop(lives[i].person.host) == l)
			note(&lives[i], &cfg->open);
	return __real_session_open(out, l, cfg, events, arg);
}

static void
test_whole_clients(void **state)
{
	(void)state;
	fixture_new(&fixture, &(struct fixture_config){.seed = rng_u64(test_rng())});
	fixture_run_until(&fixture, FIXTURE_START_MS + SCRIPT_START_MS);
	for (size_t i = 0; i < PEOPLE; i++)
		person_new(&lives[i].person, &fixture);
	fixture_run_until(&fixture, FIXTURE_START_MS + SCRIPT_SLEEP_MS);
	for (size_t i = 0; i < PEOPLE; i++)
		assert_err_ok(world_sleep(lives[i].person.host, SCRIPT_WAKE_MS - SCRIPT_SLEEP_MS));
	fixture_run_until(&fixture, FIXTURE_START_MS + SCRIPT_BREAK_MS);
	for (size_t i = 0; i < PEOPLE; i++)
		world_break(lives[i].person.host, NULL);
	fixture_run_until(&fixture, FIXTURE_START_MS + SCRIPT_END_MS);
	for (size_t i = 0; i < PEOPLE; i++) {
		script_check(lives[i].log, lives[i].count);
		person_free(&lives[i].person);
	}
	fixture_free(&fixture);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_clients),
};
TEST_MAIN(tests)
