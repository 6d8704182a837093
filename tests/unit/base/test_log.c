#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "tests/lib/test.h"

/* 2026-11-24T01:57:31.234Z */
#define NOW 1795485451234

struct capture {
	struct test_clock clock;
	struct log log;
	char *text;
	size_t len;
};

static void
capture_init(struct capture *c, enum log_level threshold)
{
	memset(c, 0, sizeof(*c));
	test_clock_init(&c->clock, NOW);
	c->text = NULL;
	c->log.out = open_memstream(&c->text, &c->len);
	assert_non_null(c->log.out);
	c->log.clock = &c->clock.clock;
	c->log.threshold = threshold;
}

static void
capture_clear(struct capture *c)
{
	(void)fclose(c->log.out);
	free(c->text);
}

static void
test_line(void **state)
{
	struct capture c;

	(void)state;
	capture_init(&c, LOG_DEBUG);
	log_event(&c.log, LOG_LINK_LOST, 3, 2, 99);
	assert_string_equal(c.text, "2026-11-24T01:50Z warning link-lost node=3 attempts=2\n");
	capture_clear(&c);
	capture_init(&c, LOG_DEBUG);
	log_event(&c.log, LOG_DISK_RECOVERED, 1, 2, 3);
	assert_string_equal(c.text, "2026-11-24T01:50Z info disk-recovered\n");
	capture_clear(&c);
	capture_init(&c, LOG_DEBUG);
	log_event(&c.log, LOG_DROPS, UINT64_MAX, 0, 1);
	assert_string_equal(
	    c.text, "2026-11-24T01:50Z info drops packets=18446744073709551615 cause=0 epoch=1\n");
	capture_clear(&c);
}

/* Two times of the same ten minutes cannot be told apart in the log. */
static void
test_time_is_coarse(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct capture c;
		unsigned minute;

		capture_init(&c, LOG_DEBUG);
		c.clock.wall_ms = rng_between(test_rng(), -86400000, 4102444800000);
		log_event(&c.log, LOG_STOPPED, 1, 0, 0);
		minute = (unsigned)(c.text[14] - '0') * 10 + (unsigned)(c.text[15] - '0');
		assert_int_equal(minute % 10, 0);
		assert_int_equal(
		    minute / 10, ((c.clock.wall_ms % 3600000 + 3600000) % 3600000) / 600000);
		assert_memory_equal(c.text + 16, "Z info ", 7);
		capture_clear(&c);
	}
}

/*
 * What a line may consist of: a time, words of the tables, and decimal numbers
 * of ours. Nothing that could carry a name, an address or a key.
 */
static void
check_shape(const char *line)
{
	const char *p = line + strlen("2026-11-24T01:50Z");

	while (*p == ' ') {
		size_t word = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz-");

		assert_true(word > 0 && word < 40);
		p += 1 + word;
		if (*p == '=') {
			size_t number = strspn(p + 1, "0123456789");

			assert_true(number > 0 && number <= 20);
			p += 1 + number;
		}
	}
	assert_string_equal(p, "\n");
}

static void
test_every_event_is_words_and_numbers(void **state)
{
	(void)state;
	for (unsigned e = 0; e < LOG_EVENT_COUNT; e++) {
		struct capture c;

		capture_init(&c, LOG_DEBUG);
		log_event(&c.log, (enum log_event)e, UINT64_MAX, UINT64_MAX, UINT64_MAX);
		check_shape(c.text);
		capture_clear(&c);
	}
}

static void
test_event_names_are_unique(void **state)
{
#define LOG_EVENT(id, level, name, a, b, c) name,
	static const char *const names[] = {
#include "common/base/log_events.h"
	};
#undef LOG_EVENT

	(void)state;
	for (size_t i = 0; i < LOG_EVENT_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
}

static void
test_threshold(void **state)
{
	struct capture c;

	(void)state;
	capture_init(&c, LOG_WARNING);
	log_event(&c.log, LOG_STARTED, 1, 2, 0);
	(void)fflush(c.log.out);
	assert_int_equal(c.len, 0);
	log_event(&c.log, LOG_POOL_FULL, 1, 0, 0);
	log_event(&c.log, LOG_DISK_FAILED, 1, 0, 0);
	assert_string_equal(c.text, "2026-11-24T01:50Z warning pool-full dropped=1\n"
				    "2026-11-24T01:50Z alarm disk-failed code=1\n");
	capture_clear(&c);
}

static void
count_event(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS])
{
	uint64_t *sum = arg;

	*sum += 1000 * (uint64_t)(e == LOG_LINK_UP) + values[0];
}

/* An observer is told of what the threshold keeps out, and without a file. */
static void
test_observer(void **state)
{
	uint64_t sum = 0;
	struct capture c;
	struct log silent = { .observer = count_event, .observer_arg = &sum };

	(void)state;
	capture_init(&c, LOG_ALARM);
	c.log.observer = count_event;
	c.log.observer_arg = &sum;
	log_event(&c.log, LOG_LINK_UP, 7, 0, 0);
	assert_int_equal(sum, 1007);
	assert_int_equal(c.len, 0);
	log_event(&silent, LOG_LINK_UP, 1, 0, 0);
	assert_int_equal(sum, 2008);
	capture_clear(&c);
}

static void
test_no_log(void **state)
{
	struct log silent = { .threshold = LOG_DEBUG };

	(void)state;
	log_event(NULL, LOG_STARTED, 0, 0, 0);
	log_event(&silent, LOG_STARTED, 0, 0, 0);
}

static void
test_level_names(void **state)
{
	enum log_level level = LOG_DEBUG;

	(void)state;
	assert_err_ok(log_level_parse(&level, "alarm"));
	assert_int_equal(level, LOG_ALARM);
	assert_err_ok(log_level_parse(&level, "debug"));
	assert_int_equal(level, LOG_DEBUG);
	assert_err(log_level_parse(&level, "Alarm"), ERR_MALFORMED);
	assert_err(log_level_parse(&level, ""), ERR_MALFORMED);
}

/* Several write to one disk: it has recovered when the last of them has. */
static void
test_writers_of_a_disk(void **state)
{
	bool one = false, two = false;
	struct capture c;

	(void)state;
	capture_init(&c, LOG_DEBUG);
	log_disk(NULL, &one, ERR_OK); /* nobody listens */
	log_disk(&c.log, &one, ERR_OK);
	assert_int_equal(c.len, 0);
	log_disk(&c.log, &one, ERR_FULL);
	log_disk(&c.log, &one, ERR_FULL);
	log_disk(&c.log, &two, ERR_FULL);
	log_disk(&c.log, &one, ERR_OK);
	log_disk(&c.log, &one, ERR_OK);
	assert_null(strstr(c.text, "disk-recovered"));
	log_disk(&c.log, &two, ERR_OK);
	assert_non_null(strstr(c.text, "disk-recovered"));
	assert_false(one || two);
	capture_clear(&c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_line),
    cmocka_unit_test(test_time_is_coarse),
    cmocka_unit_test(test_every_event_is_words_and_numbers),
    cmocka_unit_test(test_event_names_are_unique),
    cmocka_unit_test(test_threshold),
    cmocka_unit_test(test_no_log),
    cmocka_unit_test(test_observer),
    cmocka_unit_test(test_level_names),
    cmocka_unit_test(test_writers_of_a_disk),
};
TEST_MAIN(tests)
