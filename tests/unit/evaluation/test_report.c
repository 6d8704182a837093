/*
 * Reports and what they read with: JSON and tables that are not exact are refused, nothing
 * from a file becomes markup, every value that is there is shown.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evaluation/chart.h"
#include "evaluation/csvread.h"
#include "evaluation/html.h"
#include "evaluation/jsonread.h"
#include "evaluation/report.h"

/* ---- JSON ---- */

static enum err
parse(struct jsonread **j, const char *text)
{
	struct diag d;

	return jsonread_parse(j, text, strlen(text), &d);
}

static void
json_is_read(void **state)
{
	static const char text[] = " {\"a\":[1,-2.5e3,0,true,false,null,\"x\"],\"b\":{\"c\":\"\\u00e9\\n\\\""
				   "\\ud83d\\ude00/\\/\"},\"e\":[],\"o\":{}}\n";
	const struct jsonread_value *v;
	struct jsonread *j;
	double n;

	(void)state;
	assert_err_ok(parse(&j, text));
	v = jsonread_child(j, jsonread_get(j, jsonread_root(j), "a"));
	assert_true(v->type == JSONREAD_NUMBER && v->number == 1);
	v = jsonread_next(j, v);
	assert_true(v->number == -2500);
	v = jsonread_next(j, jsonread_next(j, v));
	assert_true(v->type == JSONREAD_BOOL && v->number == 1);
	v = jsonread_next(j, jsonread_next(j, v));
	assert_true(v->type == JSONREAD_NULL);
	v = jsonread_next(j, v);
	assert_string_equal(v->text, "x");
	assert_null(jsonread_next(j, v));
	v = jsonread_get(j, jsonread_root(j), "b");
	assert_string_equal(jsonread_text(j, v, "c"), "\xc3\xa9\n\"\xf0\x9f\x98\x80//");
	assert_null(jsonread_child(j, jsonread_get(j, jsonread_root(j), "e")));
	assert_null(jsonread_get(j, jsonread_get(j, jsonread_root(j), "none"), "x"));
	assert_string_equal(jsonread_text(j, NULL, "x"), "");
	assert_false(jsonread_number(&n, j, v, "c"));
	jsonread_free(j);
}

static void
what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\" 1}", "{\"a\":1,}", "01", "1.",
		"1e", "-", "+1", ".5", "nul", "tru", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u0000\"",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\t\"", "1 2", "{} x", "[1 2]",
		"{a:1}", "1e999", "NaN", "Infinity", "'a'", "[" "\x01" "]" };
	char deep[2 * JSONREAD_DEPTH_MAX + 8] = "";
	struct jsonread *j = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&j, bad[i]) != ERR_MALFORMED)
			fail_msg("%s was taken", bad[i]);
	memset(deep, '[', JSONREAD_DEPTH_MAX);
	memset(deep + JSONREAD_DEPTH_MAX, ']', JSONREAD_DEPTH_MAX);
	assert_err_ok(parse(&j, deep));
	jsonread_free(j);
	memset(deep, '[', JSONREAD_DEPTH_MAX + 1);
	memset(deep + JSONREAD_DEPTH_MAX + 1, ']', JSONREAD_DEPTH_MAX + 1);
	assert_err(parse(&j, deep), ERR_MALFORMED);
	assert_err(jsonread_parse(&j, "1\0", 2, NULL), ERR_MALFORMED);
}

/* ---- tables ---- */

static enum err
read_table(struct csvread **c, const char *text)
{
	struct diag d;

	return csvread_parse(c, text, strlen(text), &d);
}

static void
tables_are_read(void **state)
{
	struct csvread *c;
	double v;

	(void)state;
	assert_err_ok(read_table(&c, "a,\"b \"\"x\"\"\",c\n1,\"two, or 2\",\n-3e1,inf,0x10\n"));
	assert_int_equal(csvread_columns(c), 3);
	assert_int_equal(csvread_rows(c), 2);
	assert_string_equal(csvread_name(c, 1), "b \"x\"");
	assert_int_equal(csvread_find(c, "c"), 2);
	assert_int_equal(csvread_find(c, "d"), 3);
	assert_string_equal(csvread_cell(c, 0, 1), "two, or 2");
	assert_string_equal(csvread_cell(c, 0, 2), "");
	assert_true(csvread_number(&v, c, 1, 0) && v == -30);
	assert_false(csvread_number(&v, c, 1, 1) || csvread_number(&v, c, 1, 2) ||
	    csvread_number(&v, c, 0, 2) || csvread_number(&v, c, 0, 3));
	csvread_free(c);
}

static void
what_is_no_table_is_refused(void **state)
{
	static const char *const bad[] = { "", "a,b", "a,b\n1\n", "a\n1,2\n", "a\n\"1\n", "a\n1\"2\n",
		"a\n\"1\"2\n", "a\n\"1\"", "a\n1" };
	struct csvread *c = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (read_table(&c, bad[i]) != ERR_MALFORMED)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_err(csvread_parse(&c, "a\n\0\n", 4, NULL), ERR_MALFORMED);
}

/* ---- HTML ---- */

static char *
shown(void (*show)(FILE *, const char *), const char *s)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	show(f, s);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void
no_text_becomes_markup(void **state)
{
	char *text = shown(html_text, "<script>\"a\" & 'b'</script>\x01\x7f\xc2\x85\n\t\xff\xc0\xaf"
				      "\xed\xa0\x80\xc3\xa9");

	(void)state;
	assert_string_equal(text, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;\n\t"
				  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
	free(text);
	/* whatever bytes: no < and no quote that is not a reference, and it ends */
	for (int k = 0; k < 2000; k++) {
		char s[24] = { 0 };

		rng_bytes(test_rng(), s, rng_below(test_rng(), sizeof(s)));
		text = shown(html_text, s);
		assert_null(strpbrk(text, "<>\"'"));
		free(text);
	}
}

static void
show_chart(FILE *out, const char *title)
{
	const struct chart_point points[] = { { 1, 0.5, 0.4, 0.6 }, { 10, 0.7, 0.6, 0.9 },
		{ 1000, 0.7, 0.7, 0.7 } };
	const struct chart_series series[] = { { title, points, 3 }, { "none", NULL, 0 } };
	struct chart c = { .title = title, .x_label = title, .y_label = title, .x_log = true,
		.has_level = true, .level = 0.5, .level_name = title, .series = series, .count = 2,
		.nothing = "nothing" };

	for (int form = CHART_LINES; form <= CHART_POINTS; form++) {
		c.form = (enum chart_form)form;
		chart_write(out, &c);
	}
	c.series = &series[1];
	c.count = 1;
	c.has_level = false;
	chart_write(out, &c);
}

static void
charts_are_whole_and_escaped(void **state)
{
	char *text = shown(show_chart, "\"><script>x");

	(void)state;
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	assert_non_null(strstr(text, "nothing"));
	assert_non_null(strstr(text, ">1000</text>"));
	free(text);
}

/* ---- sections ---- */

static void
put(const char *directory, const char *name, const char *text)
{
	char path[600];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static char *
report_of(const char *path, enum err want, const char *sentence)
{
	struct diag d = { "" };
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	assert_err(report_add(f, path, &d), want);
	assert_int_equal(fclose(f), 0);
	if (sentence != NULL)
		assert_contains(d.text, sentence);
	return text;
}

#define ATTACK                                                                                     \
	"{\"format\":\"restante-attack\",\"version\":%d,\"program_version\":\"0.1.0\",\"attack\":\"a\","      \
	"\"summary\":\"<b>sum\",\"adversary\":\"sees & hears\",\"given\":\"this\",\"measured\":\"that\"," \
	"\"finding\":\"\",\"seed\":77,\"figures\":[{\"name\":\"right\",\"unit\":\"share\",\"value\":0.625," \
	"\"low\":0.5,\"high\":0.75,\"chance\":0.005,\"reason\":null},{\"name\":\"n\",\"unit\":\"rounds\"," \
	"\"value\":null,\"low\":null,\"high\":null,\"chance\":null,\"reason\":\"too few\"}],\"curves\":["  \
	"{\"name\":\"one\",\"x_label\":\"rounds\",\"y_label\":\"share\",\"chance\":0.1,\"points\":["       \
	"{\"x\":1,\"value\":0.2,\"low\":0.1,\"high\":0.3},{\"x\":1000,\"value\":null,\"low\":null,"         \
	"\"high\":null}]}],\"cost\":{\"sent\":3,\"held\":0,\"observed\":12,\"rounds\":5,"                   \
	"\"virtual_ms\":7200000},\"trials\":9,\"censored\":4,"                                             \
	"\"scenario\":\"restante-scenario 1\\npeople = 77\\n\"}\n"

static void
attacks_are_shown(void **state)
{
	static const char *const want[] = { "&lt;b&gt;sum", "sees &amp; hears", "62.5", "50 to 75",
		"too few", "by chance", "<td>2h</td>", "<td>77</td>", "people" };
	const char *directory = test_tmpdir();
	char json[4096], *text;

	(void)state;
	(void)snprintf(json, sizeof(json), ATTACK, 1);
	put(directory, "attack.json", json);
	text = report_of(directory, ERR_OK, NULL);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		if (strstr(text, want[i]) == NULL)
			fail_msg("%s is missing", want[i]);
	assert_null(strstr(text, "<b>"));
	free(text);
	(void)snprintf(json, sizeof(json), ATTACK, 2);
	put(directory, "attack.json", json);
	free(report_of(directory, ERR_VERSION, "newer"));
	put(directory, "attack.json", "{\"format\":\"other\",\"version\":1}");
	free(report_of(directory, ERR_MALFORMED, "restante-attack"));
	put(directory, "attack.json", "{");
	free(report_of(directory, ERR_MALFORMED, "attack.json"));
}

static void
sweeps_are_shown(void **state)
{
	const char *directory = test_tmpdir();
	char path[600], *text;

	(void)state;
	put(directory, "s.csv", "slot,figure,level,adversary,mean,low,high,p5,p95\n"
				    "5s,min_entropy,user,<i>all,7.25,7.2,7.3,7,8\n"
				    "5s,network_delay,message,<i>all,31000,30000,32000,9000,66000\n"
				    "9s,min_entropy,user,<i>all,6.5,6.4,6.6,6,7\n");
	(void)snprintf(path, sizeof(path), "%s/s.csv", directory);
	text = report_of(path, ERR_OK, NULL);
	assert_non_null(strstr(text, "&lt;i&gt;all"));
	assert_non_null(strstr(text, "<td>7.25</td>"));
	assert_non_null(strstr(text, "<td>31</td>"));
	assert_non_null(strstr(text, "<td class=\"text\">9s</td>"));
	assert_non_null(strstr(text, "No run has both figures"));
	free(text);
	put(directory, "s.csv", "a,b\n1,2\n");
	free(report_of(path, ERR_MALFORMED, "figure and level"));
	free(report_of("/nonexistent", ERR_NOT_FOUND, "nonexistent"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(json_is_read),
	cmocka_unit_test(what_is_no_json_is_refused),
	cmocka_unit_test(tables_are_read),
	cmocka_unit_test(what_is_no_table_is_refused),
	cmocka_unit_test(no_text_becomes_markup),
	cmocka_unit_test(charts_are_whole_and_escaped),
	cmocka_unit_test(attacks_are_shown),
	cmocka_unit_test(sweeps_are_shown),
};

TEST_MAIN(tests)
