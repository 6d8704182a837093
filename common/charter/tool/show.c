/* The commands that only look. */
#include "config.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/clock.h"
#include "common/base/encode.h"
#include "common/base/json.h"
#include "common/charter/timing.h"
#include "common/charter/tool/tool.h"

#define JSON_MAX (1u << 20)

/* What stands in the way of using a charter now; "" if nothing does. */
static const char *
status_of(const struct charter *ch, struct diag *d)
{
	int64_t now = clock_wall_ms(clock_system());

	d->text[0] = '\0';
	if (charter_check(ch, d) != ERR_OK || charter_check_signatures(ch, d) != ERR_OK)
		return d->text;
	if (now > ch->not_after_ms)
		(void)diag_set(d, ERR_STATE, "it has expired: sign a successor");
	return d->text;
}

static bool
has_signed(const struct charter *ch, const uint8_t pk[static 32])
{
	for (size_t i = 0; i < ch->held_count; i++)
		if (sodium_memcmp(ch->held[i].authority, pk, 32) == 0)
			return true;
	return false;
}

/* ---- text ---- */

static void
print_hex(FILE *f, const char *name, const uint8_t v[static 32])
{
	char hex[ENCODE_HEX_SIZE(32)];

	encode_hex(hex, v, 32);
	(void)fprintf(f, "%-14s%s\n", name, hex);
}

static void
print_head(FILE *f, const struct charter *ch)
{
	char time[CIVIL_TEXT_BYTES];
	struct diag d;
	const char *status = status_of(ch, &d);

	civil_text(time, ch->not_after_ms);
	(void)fprintf(f, "%-14s%s\n", "name", ch->name);
	(void)fprintf(f, "%-14s%" PRIu32 "\n", "version", ch->version);
	print_hex(f, "network id", ch->network_id);
	print_hex(f, "hash", ch->hash);
	if (ch->version > 1) {
		print_hex(f, "predecessor", ch->previous);
		(void)fprintf(f, "%-14s%" PRIu32 "\n", "from epoch", ch->from_epoch);
	}
	(void)fprintf(f, "%-14s%s\n", "not after", time);
	(void)fprintf(f, "%-14s%s\n", "status", status[0] == '\0' ? "valid" : status);
}

static void
print_params(FILE *f, const struct charter *ch)
{
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];

	(void)fprintf(f, "\n");
	for (size_t i = 0; params_key(key, &ch->params, i); i++)
		if (params_get(value, &ch->params, key) == ERR_OK)
			(void)fprintf(f, "%-14s%s\n", key, value);
	config_duration_text(value, params_forecast_ms(&ch->params));
	(void)fprintf(f, "%-14s%s (99.9 %% of packets are through)\n", "forecast", value);
}

static void
print_keys(FILE *f, const struct charter *ch, const char *name, const uint8_t (*keys)[32],
    size_t count)
{
	char hex[ENCODE_HEX_SIZE(32)];

	for (size_t i = 0; i < count; i++) {
		encode_hex(hex, keys[i], 32);
		(void)fprintf(
		    f, "%-14s%s%s\n", name, hex, has_signed(ch, keys[i]) ? " signed" : "");
	}
}

static void
print_nodes(FILE *f, const struct charter *ch)
{
	char hex[ENCODE_HEX_SIZE(32)];

	(void)fprintf(f, "\n");
	for (size_t i = 0; i < ch->node_count; i++) {
		const struct charter_node *n = &ch->nodes[i];

		encode_hex(hex, n->identity, 32);
		(void)fprintf(f, "node %-9u%s", n->number, charter_role_text(n->role));
		if (n->role == CHARTER_MIX)
			(void)fprintf(f, ", layer %u", n->layer);
		if (charter_has_address(n->role))
			(void)fprintf(f, ", at %s", n->address);
		if (charter_has_entrance(n->role))
			(void)fprintf(f, ", entrance %s", n->entrance);
		(void)fprintf(f, ", identity %s\n", hex);
	}
}

static void
print_text(FILE *f, const struct charter *ch)
{
	print_head(f, ch);
	print_params(f, ch);
	(void)fprintf(f, "\n%-14s%u of %zu\n", "threshold", ch->threshold, ch->authority_count);
	print_keys(f, ch, "authority", ch->authorities, ch->authority_count);
	if (ch->version > 1) {
		(void)fprintf(
		    f, "%-14s%u of %zu\n", "formerly", ch->former_threshold, ch->former_count);
		print_keys(f, ch, "former", ch->former, ch->former_count);
	}
	print_nodes(f, ch);
}

/* ---- JSON ---- */

static void
json_hex(struct json *j, const char *key, const uint8_t v[static 32])
{
	char hex[ENCODE_HEX_SIZE(32)];

	encode_hex(hex, v, 32);
	json_key(j, key);
	json_string(j, hex);
}

static void
json_text(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_string(j, s);
}

static void
json_count(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

static void
json_head(struct json *j, const struct charter *ch)
{
	char time[CIVIL_TEXT_BYTES];
	struct diag d;
	const char *status = status_of(ch, &d);

	civil_text(time, ch->not_after_ms);
	json_text(j, "name", ch->name);
	json_count(j, "version", ch->version);
	json_hex(j, "network_id", ch->network_id);
	json_hex(j, "hash", ch->hash);
	if (ch->version > 1) {
		json_hex(j, "predecessor", ch->previous);
		json_count(j, "from_epoch", ch->from_epoch);
		json_count(j, "former_threshold", ch->former_threshold);
		json_count(j, "former_signatures", ch->former_signature_count);
	}
	json_text(j, "not_after", time);
	json_key(j, "valid");
	json_bool(j, status[0] == '\0');
	json_text(j, "status", status[0] == '\0' ? "valid" : status);
	json_count(j, "threshold", ch->threshold);
	json_count(j, "signatures", ch->signature_count);
	json_count(j, "forecast_ms", (uint64_t)params_forecast_ms(&ch->params));
}

static void
json_params(struct json *j, const struct params *p)
{
	char key[PARAMS_KEY_BYTES], value[PARAMS_VALUE_BYTES];

	json_key(j, "parameters");
	json_object(j);
	for (size_t i = 0; params_key(key, p, i); i++)
		if (params_get(value, p, key) == ERR_OK)
			json_text(j, key, value);
	json_close(j);
}

static void
json_authorities(struct json *j, const struct charter *ch)
{
	json_key(j, "authorities");
	json_array(j);
	for (size_t i = 0; i < ch->authority_count; i++) {
		json_object(j);
		json_hex(j, "key", ch->authorities[i]);
		json_key(j, "signed");
		json_bool(j, has_signed(ch, ch->authorities[i]));
		json_close(j);
	}
	json_close(j);
}

static void
json_nodes(struct json *j, const struct charter *ch)
{
	json_key(j, "nodes");
	json_array(j);
	for (size_t i = 0; i < ch->node_count; i++) {
		const struct charter_node *n = &ch->nodes[i];

		json_object(j);
		json_count(j, "number", n->number);
		json_text(j, "role", charter_role_text(n->role));
		if (n->role != CHARTER_REGISTRAR)
			json_count(j, "layer", n->layer);
		json_hex(j, "identity", n->identity);
		json_hex(j, "link", n->link);
		if (charter_has_address(n->role))
			json_text(j, "address", n->address);
		if (charter_has_entrance(n->role))
			json_text(j, "entrance", n->entrance);
		json_close(j);
	}
	json_close(j);
}

static int
print_json(const struct call *c, const struct charter *ch)
{
	struct diag d;
	struct json j;
	struct buf text;
	enum err e;

	buf_init(&text);
	json_init(&j, &text, JSON_MAX);
	json_object(&j);
	json_head(&j, ch);
	json_params(&j, &ch->params);
	json_authorities(&j, ch);
	json_nodes(&j, ch);
	json_close(&j);
	json_newline(&j);
	e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(text.data, 1, text.len, c->out);
	buf_release(&text);
	if (e == ERR_OK)
		return TOOL_OK;
	(void)diag_set(&d, e, "%s", err_text(e));
	return tool_complain(c, TOOL_REFUSED, NULL, &d);
}

int
tool_run_show(const struct call *c)
{
	const struct tool_show_options *o = c->own;
	struct charter *ch;
	int code = tool_load(&ch, c, c->operands[0], TOOL_DRAFT);

	if (code != TOOL_OK)
		return code;
	if (o->json)
		code = print_json(c, ch);
	else
		print_text(c->out, ch);
	charter_free(ch);
	return code;
}

/* ---- verify ---- */

static int
verify_previous(const struct call *c, const struct charter *ch, const char *path)
{
	struct charter *previous;
	struct diag d;
	int code = tool_load(&previous, c, path, TOOL_CHARTER);

	if (code != TOOL_OK)
		return code;
	if (charter_follows(ch, previous, &d) != ERR_OK)
		code = tool_complain(c, TOOL_REFUSED, c->operands[0], &d);
	charter_free(previous);
	return code;
}

int
tool_run_verify(const struct call *c)
{
	const struct tool_verify_options *o = c->own;
	char id[ENCODE_HEX_SIZE(32)];
	const char *status;
	struct charter *ch;
	struct diag d;
	int code = tool_load(&ch, c, c->operands[0], TOOL_CHARTER);

	if (code != TOOL_OK)
		return code;
	status = status_of(ch, &d);
	if (status[0] != '\0')
		code = tool_complain(c, TOOL_REFUSED, c->operands[0], &d);
	if (code == TOOL_OK && o->previous[0] != '\0')
		code = verify_previous(c, ch, o->previous);
	if (code == TOOL_OK) {
		encode_hex(id, ch->network_id, 32);
		(void)fprintf(c->out,
		    "%s: valid: %s, version %" PRIu32
		    ", %zu signatures of %u needed, network id %s\n",
		    c->operands[0], ch->name, ch->version, ch->signature_count, ch->threshold, id);
	}
	charter_free(ch);
	return code;
}

/* ---- parameters ---- */

static void
print_range(FILE *f, const struct param_info *row)
{
	char min[CONFIG_VALUE_BYTES], max[CONFIG_VALUE_BYTES];

	switch (row->type) {
	case PARAM_COUNT:
		(void)fprintf(f, "%" PRId64 " to %" PRId64, row->min, row->max);
		return;
	case PARAM_DURATION:
		config_duration_text(min, row->min);
		config_duration_text(max, row->max);
		(void)fprintf(f, "%s to %s", min, max);
		return;
	case PARAM_STRATEGY:
		(void)fprintf(f, "one of the strategies below");
		return;
	}
}

int
tool_run_parameters(const struct call *c)
{
	const struct param_info *row;
	struct strategy_info info;

	for (size_t i = 0; (row = params_info(i)) != NULL; i++) {
		(void)fprintf(c->out, "%s%s\n    %s\n    ", row->name,
		    row->type == PARAM_STRATEGY ? ".LAYER" : "", row->help);
		print_range(c->out, row);
		(void)fprintf(c->out, "; default %s\n", row->standard);
	}
	(void)fprintf(c->out, "\nStrategies:\n");
	for (size_t i = 0; strategy_info(&info, i); i++)
		(void)fprintf(c->out, "%s\n    %s\n    %s\n", info.form, info.help, info.ranges);
	return TOOL_OK;
}
