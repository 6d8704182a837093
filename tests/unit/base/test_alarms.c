#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alarms.h"
#include "common/base/bytes.h"
#include "tests/lib/test.h"

/* 2026-11-24T01:57:31.234Z */
#define NOW 1795485451234

struct scene {
	struct test_clock clock;
	struct log log;
	struct alarms alarms;
	char *text;
	size_t len;
	unsigned changes;
	char last[128];
};

static void
on_changed(void *arg, bool raised, const char *name, uint64_t number)
{
	struct scene *s = arg;

	s->changes++;
	(void)snprintf(s->last, sizeof(s->last), "%s %s %llu", raised ? "raised" : "cleared",
	    name, (unsigned long long)number);
}

static void
begin(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	test_clock_init(&s->clock, NOW);
	s->log.out = open_memstream(&s->text, &s->len);
	assert_non_null(s->log.out);
	s->log.clock = &s->clock.clock;
	s->log.threshold = LOG_ALARM; /* what clears is seen all the same */
	alarms_init(&s->alarms, &s->log, on_changed, s);
}

static void
end(struct scene *s)
{
	unsigned changes = s->changes;

	alarms_release(&s->alarms);
	log_event(&s->log, LOG_DISK_FAILED, 3, 0, 0);
	log_event(&s->log, LOG_DISK_RECOVERED, 0, 0, 0);
	assert_int_equal(s->changes, changes);
	(void)fclose(s->log.out);
	free(s->text);
}

static void
test_raise_and_clear(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	log_event(&s.log, LOG_DISK_FAILED, 3, 0, 0);
	assert_string_equal(s.last, "raised disk-failed 3");
	log_event(&s.log, LOG_DISK_FAILED, 2, 0, 0);
	assert_int_equal(s.changes, 1);
	assert_int_equal(s.alarms.count, 1);
	assert_int_equal(s.alarms.held[0].count, 2);
	assert_int_equal(s.alarms.held[0].since_ms % 600000, 0);
	assert_true(s.alarms.held[0].since_ms <= NOW && s.alarms.held[0].since_ms > NOW - 600000);
	assert_true(alarms_hold_any(&s.alarms, LOG_DISK_FAILED));
	assert_false(alarms_hold_any(&s.alarms, LOG_STORE_FAILED));
	log_event(&s.log, LOG_DISK_RECOVERED, 0, 0, 0);
	assert_string_equal(s.last, "cleared disk-failed 3");
	assert_int_equal(s.alarms.count, 0);
	log_event(&s.log, LOG_DISK_RECOVERED, 0, 0, 0);
	log_event(&s.log, LOG_STARTED, 1, 2, 0);
	assert_int_equal(s.changes, 2);
	end(&s);
}

/* Links are told apart by their node. */
static void
test_numbers(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	log_event(&s.log, LOG_LINK_DOWN, 3, 10, 0);
	log_event(&s.log, LOG_LINK_DOWN, 5, 10, 0);
	log_event(&s.log, LOG_LINK_DOWN, 7, 10, 0);
	log_event(&s.log, LOG_LINK_DOWN_OVER, 4, 0, 0);
	assert_int_equal(s.alarms.count, 3);
	log_event(&s.log, LOG_LINK_DOWN_OVER, 5, 0, 0);
	assert_string_equal(s.last, "cleared link-down 5");
	assert_true(alarms_hold(&s.alarms, LOG_LINK_DOWN, 3));
	assert_false(alarms_hold(&s.alarms, LOG_LINK_DOWN, 5));
	assert_true(alarms_hold(&s.alarms, LOG_LINK_DOWN, 7));
	log_event(&s.log, LOG_LINK_DOWN_OVER, 3, 0, 0);
	log_event(&s.log, LOG_LINK_DOWN_OVER, 7, 0, 0);
	end(&s);
}

/* What somebody did in an epoch is over with it. */
static void
test_epochs(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	log_event(&s.log, LOG_ROLLED_BACK, 2, 70, 0); /* node, epoch */
	log_event(&s.log, LOG_ROLLED_BACK, 1, 70, 0);
	log_event(&s.log, LOG_SHEET_EQUIVOCATION, 71, 0, 0);
	log_event(&s.log, LOG_LINK_DOWN, 3, 10, 0);
	assert_int_equal(s.alarms.count, 3);
	assert_true(alarms_hold(&s.alarms, LOG_ROLLED_BACK, 70));
	alarms_epoch(&s.alarms, 70);
	assert_int_equal(s.alarms.count, 3);
	alarms_epoch(&s.alarms, 71);
	assert_string_equal(s.last, "cleared rolled-back 70");
	assert_int_equal(s.alarms.count, 2);
	alarms_epoch(&s.alarms, 80);
	assert_int_equal(s.alarms.count, 1);
	log_event(&s.log, LOG_LINK_DOWN_OVER, 3, 0, 0);
	end(&s);
}

static void
test_more_than_fit(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	for (uint64_t i = 0; i < 2 * ALARMS_MAX; i++)
		log_event(&s.log, LOG_LINK_DOWN, i, 10, 0);
	assert_int_equal(s.alarms.count, ALARMS_MAX);
	for (uint64_t i = 0; i < 2 * ALARMS_MAX; i++)
		log_event(&s.log, LOG_LINK_DOWN_OVER, i, 0, 0);
	end(&s);
}

/* Any sequence of events: the set holds what a plain list of the table's rules would. */
static void
test_random(void **state)
{
	const struct alarm_kind *kinds;
	size_t n = alarms_table(&kinds);
	uint64_t model[24][4]; /* by kind and number: how often raised */
	struct scene s;

	(void)state;
	assert_true(n <= 24);
	memset(model, 0, sizeof(model));
	begin(&s);
	for (int run = 0; run < 3000; run++) {
		size_t k = rng_below(test_rng(), (uint32_t)n);
		uint64_t number = rng_below(test_rng(), 4), v[LOG_COUNTERS] = { 9, 9, 9 };
		bool raise = rng_below(test_rng(), 2) == 0;
		size_t held = 0;
		uint64_t *at = &model[k][kinds[k].counter < 0 ? 0 : number];

		v[raise && kinds[k].counter > 0 ? kinds[k].counter : 0] = number;
		log_event(&s.log, raise ? kinds[k].raise : kinds[k].clear, v[0], v[1], v[2]);
		*at = raise ? *at + 1 : 0;
		for (size_t i = 0; i < s.alarms.count; i++) {
			const struct alarm *h = &s.alarms.held[i];
			size_t row = (size_t)(h->kind - kinds);
			assert_int_equal(h->count, model[row][h->kind->counter < 0 ? 0 : h->number]);
			held++;
		}
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < 4; j++)
				held -= model[i][j] > 0;
		assert_int_equal(held, 0);
	}
	end(&s);
}

/* Every alarm of the log is in the table, ends with another line, and is explained. */
static void
test_table(void **state)
{
	const char *dir = getenv("srcdir");
	const struct alarm_kind *kinds;
	size_t n = alarms_table(&kinds);
	char path[1024], name[64];
	struct buf guide;
	FILE *f;
	int c;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/docs/operator.md", dir != NULL ? dir : ".");
	f = fopen(path, "r");
	if (f == NULL)
		skip();
	buf_init(&guide);
	while ((c = getc(f)) != EOF)
		assert_err_ok(buf_append(&guide, &(char){ (char)c }, 1, 1 << 20));
	(void)fclose(f);
	assert_err_ok(buf_append(&guide, "", 1, 1 << 20));
	for (int e = 0; e < LOG_EVENT_COUNT; e++) {
		size_t found = 0;
		for (size_t i = 0; i < n; i++)
			found += kinds[i].raise == (enum log_event)e;
		assert_int_equal(found, log_event_level((enum log_event)e) == LOG_ALARM);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_not_equal(log_event_level(kinds[i].clear), LOG_ALARM);
		(void)snprintf(name, sizeof(name), "\n| %s | alarm |", log_event_name(kinds[i].raise));
		assert_contains((const char *)guide.data, name);
		assert_contains((const char *)guide.data, log_event_name(kinds[i].clear));
	}
	buf_release(&guide);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_raise_and_clear),
	cmocka_unit_test(test_numbers),
	cmocka_unit_test(test_epochs),
	cmocka_unit_test(test_more_than_fit),
	cmocka_unit_test(test_random),
	cmocka_unit_test(test_table),
};
TEST_MAIN(tests)
