#include "config.h"

#include <string.h>

#include "mix/report.h"
#include "tests/lib/test.h"

static void
write_report(struct buf *out, bool json)
{
	struct report r;

	buf_init(out);
	report_begin(&r, out, json);
	report_text(&r, "program", "restante-mix");
	report_bool(&r, "ready", true);
	report_text(&r, "reason", NULL);
	report_section(&r, "epoch");
	report_u64(&r, "number", UINT64_MAX);
	report_u64(&r, "sheet_nodes", 4);
	report_list(&r, "links");
	report_row(&r);
	report_u64(&r, "node", 2);
	report_text(&r, "dialled", "down");
	report_text(&r, "accepted", NULL);
	report_row(&r);
	report_u64(&r, "node", 10);
	report_text(&r, "dialled", "up");
	report_text(&r, "accepted", "up");
	report_close_list(&r);
	report_section(&r, "packets");
	report_count(&r, "received", 1239);
	report_count(&r, "held", 9);
	report_list(&r, "alarms");
	report_close_list(&r);
	assert_err_ok(report_end(&r));
	assert_err_ok(buf_append(out, "", 1, REPORT_MAX + 1));
}

static void
test_text(void **state)
{
	struct buf out;

	(void)state;
	write_report(&out, false);
	assert_string_equal((const char *)out.data,
	    "program            restante-mix\n"
	    "ready              yes\n"
	    "epoch\n"
	    "  number           18446744073709551615\n"
	    "  sheet nodes      4\n"
	    "links\n"
	    "  node 2     dialled down\n"
	    "  node 10    dialled up    accepted up\n"
	    "packets\n"
	    "  received         1230\n"
	    "  held             0\n"
	    "alarms\n"
	    "  none\n");
	buf_release(&out);
}

static void
test_json(void **state)
{
	struct buf out;

	(void)state;
	write_report(&out, true);
	assert_string_equal((const char *)out.data,
	    "{\"program\":\"restante-mix\",\"ready\":true,\"reason\":null,"
	    "\"epoch\":{\"number\":18446744073709551615,\"sheet_nodes\":4},"
	    "\"links\":[{\"node\":2,\"dialled\":\"down\",\"accepted\":null},"
	    "{\"node\":10,\"dialled\":\"up\",\"accepted\":\"up\"}],"
	    "\"packets\":{\"received\":1230,\"held\":0},\"alarms\":[]}\n");
	buf_release(&out);
}

/* More than fits is an error of the whole, not a cut report. */
static void
test_too_long(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		struct report r;
		struct buf out;

		buf_init(&out);
		report_begin(&r, &out, json == 1);
		report_list(&r, "rows");
		for (int i = 0; i < 50000; i++) {
			report_row(&r);
			report_u64(&r, "node", 1);
		}
		report_close_list(&r);
		assert_err(report_end(&r), ERR_FULL);
		assert_true(out.len <= REPORT_MAX);
		buf_release(&out);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_text),
	cmocka_unit_test(test_json),
	cmocka_unit_test(test_too_long),
};
TEST_MAIN(tests)
