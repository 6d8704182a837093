/* A trace from the directory of a run: manifest.json, trace.csv, and truth.csv beside it. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/attack/trace_parts.h"
#include "evaluation/recorder.h"

#define MANIFEST_MAX ((size_t)1 << 22)
#define LINE_BYTES 512
#define FIELDS 8
#define TIME_MAX_MS (INT64_C(1) << 53) /* of no run; sums and differences of two stay in range */

/* ---- the scenario within the manifest ---- */

static FILE *
open_in(const char *directory, const char *name, struct diag *d)
{
	char path[SCENARIO_DIRECTORY_BYTES + 32];
	int n = snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *f = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;

	if (f == NULL)
		(void)diag_set(d, ERR_IO, "cannot read %s in %.200s (%s); the directory must be that "
		    "of 'restante-evaluate run --output'", name, directory, strerror(errno));
	return f;
}

/* All of a file, with a NUL behind it; free. */
static enum err
slurp(char **out, FILE *f, struct diag *d)
{
	char *text = malloc(MANIFEST_MAX + 1);
	size_t n;

	if (text == NULL)
		return ERR_MEMORY;
	n = fread(text, 1, MANIFEST_MAX, f);
	text[n] = '\0';
	*out = text;
	if (ferror(f) != 0 || n == MANIFEST_MAX) {
		free(text);
		return diag_set(d, ERR_IO, "the manifest cannot be read, or is too long");
	}
	return ERR_OK;
}

/* What a writer of JSON escapes in a scenario: the ends of lines, tabs, quotes, backslashes. */
static bool
unescape(char *s)
{
	char *to = s;

	for (; *s != '"'; s++) {
		if (*s == '\0')
			return false;
		if (*s != '\\') {
			*to++ = *s;
			continue;
		}
		s++;
		if (*s == 'n')
			*to++ = '\n';
		else if (*s == 't')
			*to++ = '\t';
		else if (*s == '"' || *s == '\\' || *s == '/')
			*to++ = *s;
		else
			return false;
	}
	*to = '\0';
	return true;
}

enum err
attack_trace_scenario(struct scenario *out, const char *directory, struct diag *d)
{
	static const char key[] = "\"scenario\":\"";
	FILE *f = open_in(directory, "manifest.json", d);
	char *text = NULL, *at;
	enum err e;

	if (f == NULL)
		return ERR_IO;
	e = slurp(&text, f, d);
	(void)fclose(f);
	if (e != ERR_OK)
		return e;
	at = strstr(text, key);
	if (at == NULL || !unescape(at + sizeof(key) - 1))
		e = diag_set(d, ERR_MALFORMED, "the manifest in %.200s has no scenario", directory);
	else
		e = scenario_parse(out, "the manifest's scenario", at + sizeof(key) - 1,
		    strlen(at + sizeof(key) - 1), d);
	free(text);
	return e;
}

/* ---- lines ---- */

struct lines {
	FILE *file;
	const char *name;
	size_t number;
	char text[LINE_BYTES];
	char *fields[FIELDS];
};

static enum err
malformed(const struct lines *l, struct diag *d)
{
	return diag_set(d, ERR_MALFORMED, "%s, line %zu: not what a run writes", l->name, l->number);
}

/* The next line's fields; ERR_NOT_FOUND at the end. */
static enum err
next_line(struct lines *l, size_t fields, struct diag *d)
{
	size_t n = 0;

	l->number++;
	if (fgets(l->text, sizeof(l->text), l->file) == NULL)
		return ferror(l->file) != 0 ? diag_set(d, ERR_IO, "%s cannot be read", l->name) :
					      ERR_NOT_FOUND;
	for (char *s = l->text; n < FIELDS; s++) {
		l->fields[n++] = s;
		s += strcspn(s, ",\n");
		if (*s != ',') {
			*s = '\0';
			break;
		}
		*s = '\0';
	}
	return n == fields ? ERR_OK : malformed(l, d);
}

static enum err
first_line(struct lines *l, const char *directory, const char *name, const char *header,
    struct diag *d)
{
	char text[LINE_BYTES] = "";

	*l = (struct lines){ .file = open_in(directory, name, d), .name = name, .number = 1 };
	if (l->file == NULL)
		return ERR_IO;
	if (fgets(text, sizeof(text), l->file) != NULL)
		text[strcspn(text, "\n")] = '\0';
	return strcmp(text, header) == 0 ? ERR_OK :
	    diag_set(d, ERR_MALFORMED, "%s is of another version: its first line must be %s", name,
		header);
}

static bool
number(int64_t *out, const char *s, int64_t least, int64_t most)
{
	char *end;

	errno = 0;
	*out = strtoll(s, &end, 10);
	return errno == 0 && *s != '\0' && *end == '\0' && *out >= least && *out <= most;
}

/* ---- trace.csv beside truth.csv ---- */

struct reading {
	struct attack_watch watch;
	struct lines trace, truth;
	int64_t last_ms; /* of the line before */
};

/* The line of truth that belongs to the next exit. */
static enum err
next_truth(struct reading *r, struct attack_truth *out, struct diag *d)
{
	int64_t sender, receiver, most = r->watch.trace->persons - 1;
	enum err e = next_line(&r->truth, 8, d);

	if (e == ERR_NOT_FOUND)
		return diag_set(d, ERR_MALFORMED, "truth.csv has fewer lines than trace.csv has "
		    "packets that left the network");
	if (e != ERR_OK)
		return e;
	if (!number(&sender, r->truth.fields[1], 0, most) ||
	    !number(&receiver, r->truth.fields[2], -1, most) ||
	    !number(&out->sent_ms, r->truth.fields[5], 0, TIME_MAX_MS))
		return malformed(&r->truth, d);
	out->sender = (uint32_t)sender;
	out->receiver = receiver < 0 ? UINT32_MAX : (uint32_t)receiver;
	return ERR_OK;
}

static enum err
take_exit(struct reading *r, int64_t at_ms, struct diag *d)
{
	struct attack_truth truth;
	int64_t mailbox;
	enum err e = next_truth(r, &truth, d);

	if (e != ERR_OK)
		return e;
	if (strcmp(r->trace.fields[6], "unknown") == 0)
		return diag_set(d, ERR_RANGE, "this trace is of somebody who opens no packet; run the "
		    "scenario with 'adversary = gateway', or attack the scenario itself");
	if (strcmp(r->trace.fields[6], "message") != 0)
		return ERR_OK;
	if (!number(&mailbox, r->trace.fields[7], 0, r->watch.trace->mailboxes - 1) ||
	    truth.receiver == UINT32_MAX)
		return malformed(&r->trace, d);
	return attack_see_deposit(&r->watch,
	    &(struct attack_deposit){ at_ms, (uint32_t)mailbox }, &truth);
}

static enum err
take_line(struct reading *r, struct diag *d)
{
	static const char person[] = "person-";
	const char *node = r->trace.fields[1];
	int64_t at_ms, who;

	if (!number(&at_ms, r->trace.fields[0], 0, TIME_MAX_MS))
		return malformed(&r->trace, d);
	if (at_ms < r->last_ms) /* whoever is online is known from the order */
		return diag_set(d, ERR_MALFORMED, "trace.csv, line %zu: earlier than the line before; "
		    "a run writes its lines in order", r->trace.number);
	r->last_ms = at_ms;
	if (strncmp(node, person, sizeof(person) - 1) == 0) {
		if (!number(&who, node + sizeof(person) - 1, 0, r->watch.trace->persons - 1))
			return malformed(&r->trace, d);
		return attack_see_send(&r->watch, (uint32_t)who, at_ms);
	}
	return strcmp(node, "gateway") == 0 ? take_exit(r, at_ms, d) : ERR_OK;
}

static enum err
read_lines(struct reading *r, struct diag *d)
{
	enum err e = next_line(&r->trace, FIELDS, d);

	while (e == ERR_OK) {
		e = take_line(r, d);
		if (e == ERR_OK)
			e = next_line(&r->trace, FIELDS, d);
	}
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err
attack_trace_read(struct attack_trace **out, const struct scenario *s, const char *directory,
    struct diag *d)
{
	struct reading r = { .trace = { .file = NULL } };
	enum err e = attack_watch_begin(&r.watch, s);

	if (e == ERR_OK)
		e = first_line(&r.trace, directory, "trace.csv", RECORDER_TRACE_HEADER, d);
	if (e == ERR_OK)
		e = first_line(&r.truth, directory, "truth.csv", RECORDER_TRUTH_HEADER, d);
	if (e == ERR_OK)
		e = read_lines(&r, d);
	if (r.trace.file != NULL)
		(void)fclose(r.trace.file);
	if (r.truth.file != NULL)
		(void)fclose(r.truth.file);
	return r.watch.trace != NULL ? attack_watch_end(out, &r.watch, e) : e;
}
