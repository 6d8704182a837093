/* verify-evidence: what two statements of a gateway prove to whoever has the charter. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/json.h"
#include "common/charter/succession.h"
#include "common/charter/tool/file.h"
#include "common/charter/tool/tool.h"
#include "common/journal/evidence.h"

#define JSON_MAX (1u << 16)

/* All but the last operand are charters, one version after the other. */
static int
load_charters(struct succession **out, const struct call *c)
{
	struct succession *s = NULL;
	int code = TOOL_OK;

	for (size_t i = 0; i + 1 < c->operand_count && code == TOOL_OK; i++) {
		struct charter *ch = NULL;
		struct diag d = { "" };
		enum err e = ERR_OK;

		code = tool_load(&ch, c, c->operands[i], TOOL_CHARTER);
		if (code != TOOL_OK)
			break;
		e = s == NULL ? succession_new(&s, ch) : succession_add(s, ch, &d);
		charter_free(ch);
		if (e == ERR_OK)
			continue;
		if (d.text[0] == '\0')
			(void)diag_set(&d, e, "%s", e == ERR_EXISTS ? "it was given twice"
								    : err_text(e));
		code = tool_complain(c, TOOL_REFUSED, c->operands[i], &d);
	}
	if (code != TOOL_OK) {
		succession_free(s);
		return code;
	}
	*out = s;
	return TOOL_OK;
}

static int
load_evidence(struct evidence *out, const struct call *c, const char *path)
{
	struct diag d = { "" };
	struct buf text;
	int code = TOOL_OK;
	enum err e;

	buf_init(&text);
	e = file_read(&text, path, EVIDENCE_BYTES_MAX, &d);
	if (e == ERR_NOT_FOUND || e == ERR_IO)
		code = tool_complain(c, TOOL_NO_INPUT, NULL, &d);
	else if (e != ERR_OK)
		code = tool_complain(c, TOOL_REFUSED, NULL, &d);
	else if (evidence_parse(out, text.data, text.len, &d) != ERR_OK)
		code = tool_complain(c, TOOL_REFUSED, path, &d);
	buf_release(&text);
	return code;
}

static void
json_field(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_string(j, s);
}

static void
json_said(struct json *j, const struct evidence *e)
{
	char hash[ENCODE_HEX_SIZE(32)];

	json_key(j, "statements");
	json_array(j);
	for (size_t i = 0; i < 2; i++) {
		encode_hex(hash, e->said[i].hash, 32);
		json_object(j);
		json_field(j, "kind", evidence_kind_name(e->said[i].kind));
		json_key(j, evidence_of_round(e->said[i].kind) ? "round" : "epoch");
		json_u64(j, e->said[i].number);
		json_field(j, "hash", hash);
		json_close(j);
	}
	json_close(j);
}

static int
print_json(const struct call *c, const struct evidence *e, const struct charter *ch,
    const char *sentence)
{
	char network[ENCODE_HEX_SIZE(32)];
	struct json j;
	struct buf out;
	uint64_t number;
	struct diag d;
	enum err err;

	encode_hex(network, e->network_id, 32);
	buf_init(&out);
	json_init(&j, &out, JSON_MAX);
	json_object(&j);
	json_field(&j, "proves", evidence_lie_name(evidence_lie(e, &ch->params, &number)));
	json_field(&j, "network", ch->name);
	json_field(&j, "network_id", network);
	json_key(&j, "gateway");
	json_u64(&j, e->gateway);
	json_key(&j, "epoch");
	json_u64(&j, evidence_epoch(e, &ch->params));
	json_said(&j, e);
	json_field(&j, "sentence", sentence);
	json_close(&j);
	json_newline(&j);
	err = json_end(&j);
	if (err == ERR_OK)
		(void)fwrite(out.data, 1, out.len, c->out);
	buf_release(&out);
	if (err == ERR_OK)
		return TOOL_OK;
	(void)diag_set(&d, err, "%s", err_text(err));
	return tool_complain(c, TOOL_REFUSED, NULL, &d);
}

static int
judge(const struct call *c, const struct evidence *e, const struct charter *ch)
{
	const struct tool_show_options *o = c->own;
	char sentence[EVIDENCE_SENTENCE_BYTES];
	struct diag d;

	if (evidence_verify(e, ch, &d) != ERR_OK)
		return tool_complain(c, TOOL_REFUSED, c->operands[c->operand_count - 1], &d);
	evidence_sentence(sentence, e, ch);
	if (o->json)
		return print_json(c, e, ch, sentence);
	(void)fprintf(c->out, "%s\n", sentence);
	return TOOL_OK;
}

int
tool_run_verify_evidence(const struct call *c)
{
	struct succession *s = NULL;
	struct evidence e;
	int code = load_charters(&s, c);

	if (code != TOOL_OK)
		return code;
	code = load_evidence(&e, c, c->operands[c->operand_count - 1]);
	if (code == TOOL_OK)
		code = judge(c, &e, succession_latest(s));
	succession_free(s);
	return code;
}
