#include "config.h"

#include "mix/evidencecmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/newfile.h"
#include "mix/charterfile.h"

#define ASK_MS 15000
#define OUTPUT_MAX ((size_t)PROOFS_MAX * EVIDENCE_BYTES_MAX)
#define JSON_MAX ((size_t)4 * OUTPUT_MAX)
#define EVIDENCE_MODE 0644 /* it is for everybody */

static const struct config_key keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the mix's configuration file",
	    CONFIG_FIELD(struct evidencecmd_options, config) },
	{ .name = "output", .type = CONFIG_STRING, .fallback = "", .unit = "FILE", .letter = 'o',
	    .help = "export: a new file, instead of standard output",
	    CONFIG_FIELD(struct evidencecmd_options, output) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "list: print a JSON array", CONFIG_FIELD(struct evidencecmd_options, json) },
};
const struct config_schema evidencecmd_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct evidencecmd_options) };

static enum err
all_texts(struct buf *out, const struct proofs *k)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < proofs_count(k) && e == ERR_OK; i++)
		e = evidence_encode(out, proofs_at(k, i));
	return e;
}

void
evidencecmd_answer(struct desk_call *call, const struct proofs *k)
{
	struct buf out;
	enum err e;

	buf_init(&out);
	e = all_texts(&out, k);
	if (e == ERR_OK)
		desk_answer(call, ERR_OK, out.data, out.len);
	else
		desk_refuse(call, e, NULL);
	buf_release(&out);
}

/* ---- the command ---- */

static enum err
read_directory(struct buf *out, struct disk *disk, const struct charter *c, struct diag *d)
{
	struct proofs *k = NULL;
	enum err e = proofs_open(&k, disk, NULL, c, NULL, d);

	if (e == ERR_OK)
		e = all_texts(out, k);
	proofs_free(k);
	return e;
}

static enum err
fetch(struct buf *out, const struct daemon_settings *s, const struct charter *c, struct diag *d)
{
	char address[CHARTER_ADDRESS_MAX];
	struct disk *disk = NULL;
	enum err e = disk_open(&disk, s->state, d);

	if (e == ERR_OK) {
		e = read_directory(out, disk, c, d);
		disk_free(disk);
		return e;
	}
	if (e != ERR_BUSY)
		return e;
	e = daemon_desk(address, s, d);
	return e == ERR_OK ? desk_ask(out, address, EVIDENCE_VERB, "", 0, ASK_MS, d) : e;
}

/* The texts as evidence; n is how many there are. */
static enum err
split(struct evidence *out, size_t *n, const struct buf *texts, struct diag *d)
{
	const char *at = (const char *)texts->data;
	size_t left = texts->len;

	for (*n = 0; left > 0 && *n < PROOFS_MAX; (*n)++) {
		size_t len = evidence_length(at, left);
		enum err e = evidence_parse(&out[*n], at, len, d);

		if (e != ERR_OK)
			return e;
		at += len;
		left -= len;
	}
	return ERR_OK;
}

static void
list_text(const struct call *c, const struct evidence *at, size_t n, const struct charter *ch)
{
	char sentence[EVIDENCE_SENTENCE_BYTES];

	if (n == 0)
		(void)fputs("there is no evidence against the gateway\n", c->out);
	for (size_t i = 0; i < n; i++) {
		evidence_sentence(sentence, &at[i], ch);
		(void)fprintf(c->out, "%zu  %s\n", i + 1, sentence);
	}
}

static void
json_one(struct json *j, size_t number, const struct evidence *e, const struct charter *ch)
{
	char sentence[EVIDENCE_SENTENCE_BYTES];
	uint64_t about;
	enum evidence_lie lie = evidence_lie(e, &ch->params, &about);

	evidence_sentence(sentence, e, ch);
	json_object(j);
	json_key(j, "number");
	json_u64(j, number);
	json_key(j, "proves");
	json_string(j, evidence_lie_name(lie));
	json_key(j, lie == EVIDENCE_TWO_BLOCKS ? "round" : "epoch");
	json_u64(j, about);
	json_key(j, "sentence");
	json_string(j, sentence);
	json_close(j);
}

static enum err
list_json(const struct call *c, const struct evidence *at, size_t n, const struct charter *ch)
{
	struct json j;
	struct buf b;
	enum err e;

	buf_init(&b);
	json_init(&j, &b, JSON_MAX);
	json_array(&j);
	for (size_t i = 0; i < n; i++)
		json_one(&j, i + 1, &at[i], ch);
	json_close(&j);
	json_newline(&j);
	e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(b.data, 1, b.len, c->out);
	buf_release(&b);
	return e;
}

/* A number from 1; 0: it is none. */
static size_t
parse_number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	return *s >= '1' && *s <= '9' && *end == '\0' && v <= PROOFS_MAX ? v : 0;
}

static enum err
export(const struct call *c, const struct evidence *at, size_t n, struct diag *d)
{
	const struct evidencecmd_options *o = c->own;
	size_t i = c->operand_count > 1 ? parse_number(c->operands[1]) : n;
	struct buf text;
	enum err e;

	if (n == 0)
		return diag_set(d, ERR_NOT_FOUND, "there is no evidence against the gateway");
	if (c->operand_count < 2 && n > 1)
		return diag_set(d, ERR_USAGE, "there are %zu pieces of evidence; name one by its "
		    "number (evidence list)", n);
	if (i == 0 || i > n)
		return diag_set(d, ERR_NOT_FOUND, "there is no evidence \"%s\"; evidence list shows "
		    "what there is", c->operands[1]);
	buf_init(&text);
	e = evidence_encode(&text, &at[i - 1]);
	if (e == ERR_OK && o->output[0] != '\0')
		e = newfile_write(o->output, EVIDENCE_MODE, text.data, text.len, d);
	else if (e == ERR_OK)
		(void)fwrite(text.data, 1, text.len, c->out);
	buf_release(&text);
	return e;
}

static enum err
act(const struct call *c, const struct buf *texts, const struct charter *ch, struct diag *d)
{
	const struct evidencecmd_options *o = c->own;
	struct evidence *at = calloc(PROOFS_MAX, sizeof(*at));
	size_t n = 0;
	enum err e = at != NULL ? split(at, &n, texts, d) : ERR_MEMORY;

	if (e == ERR_OK && strcmp(c->operands[0], "export") == 0)
		e = export(c, at, n, d);
	else if (e == ERR_OK && o->json)
		e = list_json(c, at, n, ch);
	else if (e == ERR_OK)
		list_text(c, at, n, ch);
	free(at);
	return e;
}

/* What is given has to mean something. */
static enum err
check_call(const struct call *c, struct diag *d)
{
	const struct evidencecmd_options *o = c->own;
	bool list = strcmp(c->operands[0], "list") == 0;

	if (!list && strcmp(c->operands[0], "export") != 0)
		return diag_set(d, ERR_USAGE, "evidence can list, or export a number that list shows");
	if (list && c->operand_count > 1)
		return diag_set(d, ERR_USAGE, "evidence list shows all; it takes no \"%s\"",
		    c->operands[1]);
	if (list && o->output[0] != '\0')
		return diag_set(d, ERR_USAGE, "--output is for evidence export; list prints");
	if (!list && o->json)
		return diag_set(d, ERR_USAGE, "--json is for evidence list; export gives the text itself");
	return ERR_OK;
}

int
evidencecmd_run(const struct call *c, const struct config_schema *schema, void *settings)
{
	const struct evidencecmd_options *o = c->own;
	const struct daemon_settings *s = settings;
	struct charter *ch = NULL;
	struct diag d = { "" };
	struct buf texts;
	enum err e = ERR_OK;
	int code = OPTIONS_EXIT_OK;

	e = check_call(c, &d);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	code = daemon_settings_load(c, schema, settings, o->config);
	if (code != OPTIONS_EXIT_OK)
		return code;
	buf_init(&texts);
	e = charterfile_load(&ch, s->charter, &d);
	if (e == ERR_OK)
		e = fetch(&texts, s, ch, &d);
	if (e == ERR_OK)
		e = act(c, &texts, ch, &d);
	buf_release(&texts);
	charter_free(ch);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}
