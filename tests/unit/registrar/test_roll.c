#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "registrar/roll.h"

static const uint8_t A[32] = { 1 }, B[32] = { 2 }, C[32] = { 3 };
#define ZEROS "0000000000000000000000000000000000000000000000000000000000"
#define HEAD "restante-roll 1\n"
#define ANNA "1 anna 0100" ZEROS "00\n"

static int
set_up(void **state)
{
	static struct roll r;

	roll_init(&r);
	*state = &r;
	return 0;
}

static int
tear_down(void **state)
{
	roll_release(*state);
	return 0;
}

static void
test_enrol_and_revoke(void **state)
{
	struct roll *r = *state;
	struct diag d;

	assert_err_ok(roll_add(r, "anna", A, &d));
	assert_err_ok(roll_add(r, "ben", B, &d));
	assert_err(roll_add(r, "anna", C, &d), ERR_EXISTS);
	assert_contains(d.text, "anna is enrolled");
	assert_int_equal(roll_find(r, B)->number, 2);
	assert_null(roll_find(r, C));
	assert_err_ok(roll_remove(r, "anna", &d));
	assert_null(roll_find(r, A));
	assert_err(roll_remove(r, "anna", &d), ERR_NOT_FOUND);
	/* a number is never given again */
	assert_err_ok(roll_add(r, "anna", C, &d));
	assert_int_equal(roll_find(r, C)->number, 3);
	assert_err_ok(roll_remove(r, "anna", &d));
	assert_err_ok(roll_add(r, "anna", C, &d));
	assert_int_equal(roll_find(r, C)->number, 4);
}

/* One line of the file for each number. */
static void
print_line(struct buf *text, uint32_t number)
{
	char line[200];
	int n = snprintf(line, sizeof(line), "%u m%u %064x\n", (unsigned)number, (unsigned)number,
	    (unsigned)number);

	assert_err_ok(buf_append(text, line, (size_t)n, SIZE_MAX));
}

static void
test_full(void **state)
{
	static const char head[] = "restante-roll 1\nnext 60000\n";
	struct roll *r = *state;
	struct buf text;
	struct diag d;

	buf_init(&text);
	assert_err_ok(buf_append(&text, head, sizeof(head) - 1, SIZE_MAX));
	for (uint32_t i = 1; i <= ROLL_MAX; i++)
		print_line(&text, i);
	assert_err_ok(roll_parse(r, (const char *)text.data, text.len, &d));
	assert_int_equal(r->count, ROLL_MAX);
	assert_err(roll_add(r, "late", A, &d), ERR_FULL);
	assert_contains(d.text, "revoke some");
	assert_err_ok(roll_remove(r, "m7", &d));
	assert_err_ok(roll_add(r, "late", A, &d));
	print_line(&text, ROLL_MAX + 1);
	roll_release(r);
	roll_init(r);
	assert_err(roll_parse(r, (const char *)text.data, text.len, &d), ERR_MALFORMED);
	buf_release(&text);
}

static void
test_names(void **state)
{
	static const char *const bad[] = { "", "-a", "Anna", "a b", "a\n", "\xc3\xa4",
		"a23456789012345678901234567890123" };
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_err(roll_check_name(bad[i], &d), ERR_USAGE);
	assert_err_ok(roll_check_name("a2345678901234567890123456789012", &d));
	assert_err_ok(roll_check_name("0-9", &d));
}

static void
test_file(void **state)
{
	struct disk *disk = disk_memory();
	struct roll *r = *state, again;
	struct diag d;

	assert_non_null(disk);
	roll_init(&again);
	assert_err_ok(roll_load(&again, disk, &d));
	assert_int_equal(again.count, 0);
	for (int i = 0; i < 200; i++) {
		char name[16];
		uint8_t id[32];

		(void)snprintf(name, sizeof(name), "m%d", i);
		rng_bytes(test_rng(), id, sizeof(id));
		assert_err_ok(roll_add(r, name, id, &d));
		if (i % 3 == 0)
			assert_err_ok(roll_remove(r, name, &d));
	}
	assert_err_ok(roll_save(disk, r, &d));
	assert_err_ok(roll_load(&again, disk, &d));
	assert_int_equal(again.count, r->count);
	assert_int_equal(again.next, 201);
	assert_memory_equal(again.list, r->list, r->count * sizeof(r->list[0]));
	roll_release(&again);
	disk_free(disk);
}

static void
test_copy(void **state)
{
	struct roll *r = *state, copy;
	struct diag d;

	roll_init(&copy);
	assert_err_ok(roll_copy(&copy, r));
	assert_int_equal(copy.count, 0);
	assert_err_ok(roll_add(r, "anna", A, &d));
	assert_err_ok(roll_copy(&copy, r));
	assert_err_ok(roll_remove(&copy, "anna", &d));
	assert_non_null(roll_find(r, A));
	roll_release(&copy);
}

static void
test_text(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {
		{ HEAD "next 2\n" ANNA, ERR_OK },
		{ HEAD "next 9\n", ERR_OK },
		{ "", ERR_MALFORMED },
		{ "restante-roll 2\nnext 2\n", ERR_VERSION },
		{ "restante-roll 0\nnext 2\n", ERR_MALFORMED },
		{ HEAD, ERR_MALFORMED },
		{ HEAD "next 0\n", ERR_MALFORMED },
		{ HEAD "next 02\n" ANNA, ERR_MALFORMED },
		{ HEAD "next 1\n" ANNA, ERR_MALFORMED },
		{ HEAD "next 2\n" ANNA ANNA, ERR_MALFORMED },
		{ HEAD "next 2\n1 Anna 0100" ZEROS "00\n", ERR_MALFORMED },
		{ HEAD "next 2\n1 anna 0100" ZEROS "0\n", ERR_MALFORMED },
		{ HEAD "next 2\n1 anna\n", ERR_MALFORMED },
		{ HEAD "next 2\n" ANNA "x", ERR_MALFORMED },
	};
	struct roll *r = *state;
	struct diag d;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		roll_release(r);
		d.text[0] = '\0';
		assert_err(roll_parse(r, cases[i].text, strlen(cases[i].text), &d), cases[i].want);
		assert_true(cases[i].want == ERR_OK || strstr(d.text, "backup") != NULL);
		assert_true(cases[i].want == ERR_OK || r->count == 0);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	CASE(test_enrol_and_revoke),
	CASE(test_full),
	CASE(test_names),
	CASE(test_file),
	CASE(test_copy),
	CASE(test_text),
};
TEST_MAIN(tests)
