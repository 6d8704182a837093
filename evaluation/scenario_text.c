#include "config.h"

#include "evaluation/scenario_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/scenario.h"

/* A scenario as text: its first line, files, and sentences about it. */

/* The first line: "restante-scenario 1". *rest is what follows it. */
static enum err
check_title(size_t *rest, const char *name, const char *text, size_t len, struct diag *d)
{
	static const char title[] = SCENARIO_TITLE " ";
	const char *end = len > 0 ? memchr(text, '\n', len) : NULL;
	size_t n = end != NULL ? (size_t)(end - text) : len, digits;

	*rest = n;
	if (n > sizeof(title) - 1 && memcmp(text, title, sizeof(title) - 1) == 0) {
		text += sizeof(title) - 1;
		n -= sizeof(title) - 1;
		for (digits = 0; digits < n && text[digits] >= '0' && text[digits] <= '9'; digits++)
			;
		if (n == 1 && *text == '0' + SCENARIO_VERSION)
			return ERR_OK;
		if (digits == n && n < 6)
			return diag_set(d, ERR_VERSION, "%s, line 1: this program reads version %d "
			    "of the format; use a newer restante-evaluate", name, SCENARIO_VERSION);
	}
	return diag_set(d, ERR_MALFORMED, "%s, line 1: no scenario; the first line must be '%s %d'",
	    name, SCENARIO_TITLE, SCENARIO_VERSION);
}

/* All but the rules between keys. */
static enum err
parse_keys(struct scenario *out, const char *name, const void *text, size_t len, struct diag *d)
{
	size_t title = 0;
	char *copy;
	enum err e = check_title(&title, name, text, len, d);

	if (e != ERR_OK)
		return e;
	copy = malloc(len + 1);
	if (copy == NULL)
		return diag_set(d, ERR_MEMORY, "%s: out of memory", name);
	/* the title as a comment, so that lines keep their numbers */
	memcpy(copy, text, len);
	copy[0] = '#';
	e = config_parse(out, scenario_schema(), name, copy, len, d);
	free(copy);
	return e;
}

enum err
scenario_parse(struct scenario *out, const char *name, const void *text, size_t len,
    struct diag *d)
{
	struct scenario s;
	enum err e = parse_keys(&s, name, text, len, d);

	if (e == ERR_OK)
		e = scenario_check(&s, name, d);
	if (e == ERR_OK)
		*out = s;
	return e;
}

/* The path up to its last '/', or nothing. */
static enum err
set_directory(struct scenario *s, const char *path, struct diag *d)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) + 1 : 0;

	if (n >= sizeof(s->directory))
		return diag_set(d, ERR_RANGE, "the path of the scenario's directory is longer than "
		    "%d bytes; change into it", SCENARIO_DIRECTORY_BYTES - 1);
	memcpy(s->directory, path, n);
	s->directory[n] = '\0';
	return ERR_OK;
}

static enum err
read_file(char **out, size_t *len, const char *path, struct diag *d)
{
	FILE *f = fopen(path, "re");
	char *text;
	enum err e = ERR_OK;

	if (f == NULL)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s",
		    path, strerror(errno));
	text = malloc(CONFIG_FILE_MAX + 1);
	if (text == NULL) {
		(void)fclose(f);
		return ERR_MEMORY;
	}
	/* one byte more than is allowed, so that the parser says so */
	*len = fread(text, 1, CONFIG_FILE_MAX + 1, f);
	if (ferror(f))
		e = diag_set(d, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	(void)fclose(f);
	if (e == ERR_OK)
		*out = text;
	else
		free(text);
	return e;
}

enum err
scenario_load(struct scenario *out, const char *path, struct diag *d)
{
	struct scenario s;
	char *text = NULL;
	size_t len = 0;
	enum err e = read_file(&text, &len, path, d);

	if (e == ERR_OK)
		e = parse_keys(&s, path, text, len, d);
	if (e == ERR_OK)
		e = set_directory(&s, path, d);
	if (e == ERR_OK)
		*out = s;
	free(text);
	return e;
}

void
scenario_print(FILE *out, const struct scenario *s)
{
	(void)fprintf(out, "%s %d\n", SCENARIO_TITLE, SCENARIO_VERSION);
	config_print(out, scenario_schema(), s);
}

enum err
scenario_json(struct json *j, const struct scenario *s)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		return ERR_MEMORY;
	scenario_print(f, s);
	if (fclose(f) != 0) {
		free(text);
		return ERR_MEMORY;
	}
	json_key(j, "scenario");
	json_string(j, text);
	free(text);
	return ERR_OK;
}

void
scenario_print_defaults(FILE *out)
{
	(void)fprintf(out, "%s %d\n"
	    "# Every key with its meaning, what it may be, and its default. Times are of the\n"
	    "# simulation, in UTC. Keys that are left out have their default.\n\n",
	    SCENARIO_TITLE, SCENARIO_VERSION);
	config_print_defaults(out, scenario_schema());
}

/* ---- sentences ---- */

void
scenario_adversary_text(char out[static SCENARIO_SENTENCE_BYTES], const struct scenario *s)
{
	static const char *const who[] = { "global passive adversary",
		"adversary who runs the gateway", "adversary without links" };
	size_t nodes = scenario_nodes(s), corrupt;
	bool which[SIMULATION_NODES_MAX];

	corrupt = scenario_corrupt(which, s);
	(void)snprintf(out, SCENARIO_SENTENCE_BYTES, "%s; %zu of %zu mixes corrupt",
	    who[s->adversary], corrupt, nodes);
}

void
scenario_rule_text(char out[static SCENARIO_SENTENCE_BYTES], const struct scenario *s)
{
	switch (s->rule) {
	case TARGETS_REAL:
		(void)snprintf(out, SCENARIO_SENTENCE_BYTES,
		    "packets with a message, drawn uniformly as they leave the last mix");
		return;
	case TARGETS_ANY:
		(void)snprintf(out, SCENARIO_SENTENCE_BYTES,
		    "packets of any kind, drawn uniformly as they leave the last mix");
		return;
	case TARGETS_PERSON:
		(void)snprintf(out, SCENARIO_SENTENCE_BYTES, "packets with a message of person %"
		    PRId64 ", drawn uniformly as they leave the last mix", s->target_person);
		return;
	}
	out[0] = '\0';
}
