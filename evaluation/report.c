#include "config.h"

#include "evaluation/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evaluation/html.h"

#define PATH_BYTES 4096

/* ---- files ---- */

static enum err
path_of(char out[static PATH_BYTES], const char *directory, const char *name, struct diag *d)
{
	int n = snprintf(out, PATH_BYTES, "%s%s%s", directory, name != NULL ? "/" : "",
	    name != NULL ? name : "");

	return n > 0 && n < PATH_BYTES ? ERR_OK : diag_set(d, ERR_RANGE, "a path is too long");
}

static enum err
read_all(struct buf *out, FILE *f, const char *path, struct diag *d)
{
	uint8_t *space;
	enum err e = ERR_OK;

	for (size_t n = 1; n > 0 && e == ERR_OK;) {
		e = buf_reserve(out, 65536, REPORT_FILE_MAX + 65536, &space);
		n = e == ERR_OK ? fread(space, 1, 65536, f) : 0;
		out->len += n;
		if (out->len > REPORT_FILE_MAX)
			e = ERR_FULL;
	}
	if (e == ERR_FULL)
		return diag_set(d, ERR_RANGE, "%.200s is larger than %zu MiB", path,
		    REPORT_FILE_MAX >> 20);
	return e == ERR_OK && ferror(f) ?
	    diag_set(d, ERR_IO, "%.200s: %s", path, strerror(errno)) : e;
}

enum err
report_read(struct buf *out, const char *directory, const char *name, struct diag *d)
{
	char path[PATH_BYTES];
	enum err e = path_of(path, directory, name, d);
	FILE *f;

	if (e != ERR_OK)
		return e;
	f = fopen(path, "re");
	if (f == NULL)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%.200s: %s", path,
		    strerror(errno));
	e = read_all(out, f, path, d);
	(void)fclose(f);
	return e;
}

enum err
report_json(struct jsonread **out, const char *directory, const char *name, const char *format,
    double version, struct diag *d)
{
	struct diag why = { "" };
	struct jsonread *j = NULL;
	struct buf text;
	double found = 0;
	enum err e;

	buf_init(&text);
	e = report_read(&text, directory, name, d);
	if (e == ERR_OK) {
		e = jsonread_parse(&j, text.data, text.len, &why);
		if (e != ERR_OK)
			(void)diag_set(d, e, "%.150s/%s: %.150s", directory, name, why.text);
	}
	buf_release(&text);
	if (e != ERR_OK)
		return e;
	if (strcmp(jsonread_text(j, jsonread_root(j), "format"), format) != 0)
		e = diag_set(d, ERR_MALFORMED, "%.150s/%s is not of the format %s", directory, name,
		    format);
	else if (!jsonread_number(&found, j, jsonread_root(j), "version") || found > version)
		e = diag_set(d, ERR_VERSION, "%.150s/%s was written by a newer restante-evaluate",
		    directory, name);
	if (e == ERR_OK)
		*out = j;
	else
		jsonread_free(j);
	return e;
}

static bool
has(const char *directory, const char *name)
{
	char path[PATH_BYTES];
	struct stat st;

	return path_of(path, directory, name, NULL) == ERR_OK && stat(path, &st) == 0 &&
	    S_ISREG(st.st_mode);
}

enum err
report_add(FILE *out, const char *path, struct diag *d)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return diag_set(d, ERR_NOT_FOUND, "%.200s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return report_sweep(out, path, d);
	if (has(path, "attack.json"))
		return report_attack(out, path, d);
	if (has(path, "manifest.json"))
		return report_run(out, path, d);
	return diag_set(d, ERR_NOT_FOUND, "%.200s has neither manifest.json nor attack.json: name the "
	    "output directory of a run or an attack that has ended, or the table of a sweep", path);
}

/* ---- parts of sections ---- */

void
report_heading(FILE *out, const char *what, const char *path)
{
	size_t n = strlen(path), begin;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (begin = n; begin > 0 && path[begin - 1] != '/'; begin--)
		continue;
	(void)fputs("<h2>", out);
	html_text(out, what);
	(void)fputs(": ", out);
	for (size_t i = begin; i < n; i++) {
		char one[2] = { path[i], '\0' };

		if ((unsigned char)path[i] < 0x80)
			html_text(out, one);
		else
			(void)fputc('?', out);
	}
	(void)fputs("</h2>\n", out);
}

static const char *
adversary_words(const struct scenario *s)
{
	switch (s->adversary) {
	case ADVERSARY_GLOBAL:
		return "It reads every link: who sends and takes how many packets at which time. It "
		       "cannot look into packets, and an honest mix does not tell it which packet that "
		       "leaves is which that came.";
	case ADVERSARY_GATEWAY:
		return "It runs the gateway: it reads the links into and out of it, by which all "
		       "people come in, and sees of each packet that it opens whether it is cover, a "
		       "note or a message.";
	case ADVERSARY_NODES:
		return "It has the corrupt mixes alone, and reads no other link.";
	}
	return "";
}

void
report_adversary(FILE *out, const struct scenario *s)
{
	char text[SCENARIO_SENTENCE_BYTES];

	scenario_adversary_text(text, s);
	(void)fputs("<div class=\"words\"><p><strong>The adversary</strong> (", out);
	html_text(out, text);
	(void)fputs("). ", out);
	html_text(out, adversary_words(s));
	(void)fputs("</p></div>\n", out);
}

/* ---- the scenario ---- */

static char *
printed(const struct scenario *s)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		return NULL;
	scenario_print(f, s);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Whether a whole line of the text is this one. */
static bool
has_line(const char *text, const char *begin, size_t n)
{
	while (*text != '\0') {
		size_t m = strcspn(text, "\n");

		if (m == n && memcmp(text, begin, n) == 0) /* public */
			return true;
		text += m + (text[m] == '\n');
	}
	return false;
}

/* The lines "key = value" of text that standard does not have, as rows. */
static void
rows_that_differ(FILE *out, const char *text, const char *standard)
{
	char key[128], value[1024];

	(void)fputs("<table class=\"pairs\"><tbody>\n", out);
	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), k = strcspn(text, "=");

		if (!has_line(standard, text, n) && k + 2 < n) {
			(void)snprintf(key, sizeof(key), "%.*s", (int)(k > 0 ? k - 1 : 0), text);
			(void)snprintf(value, sizeof(value), "%.*s", (int)(n - k - 2), text + k + 2);
			html_row(out, key, value);
		}
		text += n + (text[n] == '\n');
	}
	(void)fputs("</tbody></table>\n", out);
}

enum err
report_scenario(FILE *out, const char *text, struct diag *d)
{
	static const char empty[] = SCENARIO_TITLE " 1\n";
	struct scenario s;
	char *standard = NULL;
	enum err e = scenario_parse(&s, "default", empty, sizeof(empty) - 1, d);

	if (e == ERR_OK)
		standard = printed(&s);
	if (standard == NULL)
		return e != ERR_OK ? e : ERR_MEMORY;
	(void)fputs("<h3>The scenario, where it is not the default</h3>\n", out);
	rows_that_differ(out, text, standard);
	(void)fputs("<details><summary>All of it, as <code>restante-evaluate run</code> reads it"
		    "</summary>\n<pre>", out);
	html_text(out, text);
	(void)fputs("</pre></details>\n", out);
	free(standard);
	return ERR_OK;
}

/* ---- values ---- */

const char *
report_unit(const char *unit)
{
	return strcmp(unit, "share") == 0 ? "%" : strcmp(unit, "ms") == 0 ? "s" :
	    strcmp(unit, "1") == 0	 ? "" : unit;
}

void
report_number(char out[static REPORT_VALUE_BYTES], double v, const char *unit)
{
	double shown = strcmp(unit, "share") == 0 ? 100 * v : strcmp(unit, "ms") == 0 ? v / 1000 : v;

	(void)snprintf(out, REPORT_VALUE_BYTES, fabs(shown) >= 1e4 ? "%.0f" : "%.4g", shown);
}

void
report_value(char out[static REPORT_VALUE_BYTES], double v, const char *unit)
{
	const char *name = report_unit(unit);
	size_t n;

	report_number(out, v, unit);
	n = strlen(out);
	if (name[0] != '\0')
		(void)snprintf(out + n, REPORT_VALUE_BYTES - n, " %s", name);
}

void
report_cell(FILE *out, const double *v, const char *unit)
{
	char text[REPORT_VALUE_BYTES] = "–";

	if (v != NULL)
		report_number(text, *v, unit);
	html_element(out, "td", text);
}

void
report_cell_of(FILE *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *key, const char *unit)
{
	double v;
	bool known = jsonread_number(&v, j, object, key);

	report_cell(out, known ? &v : NULL, unit);
}

void
report_interval_of(FILE *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *unit)
{
	char low_text[REPORT_VALUE_BYTES], high_text[REPORT_VALUE_BYTES];
	char text[2 * REPORT_VALUE_BYTES + 8] = "–";
	double low, high;

	if (jsonread_number(&low, j, object, "low") && jsonread_number(&high, j, object, "high")) {
		report_number(low_text, low, unit);
		report_number(high_text, high, unit);
		(void)snprintf(text, sizeof(text), "%s to %s", low_text, high_text);
	}
	html_element(out, "td", text);
}
