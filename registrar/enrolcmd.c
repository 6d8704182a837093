#include "config.h"

#include "registrar/enrolcmd.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"

#define ASK_MS 15000
#define COUNT_MAX 64
#define TEXT_MAX ((size_t)ROLL_MAX * (ROLL_NAME_MAX + 12))

#define CONFIG_ROW \
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c', \
	    .help = "the registrar's configuration file", \
	    CONFIG_FIELD(struct enrolcmd_options, config) }

static const struct config_key keys[] = {
	CONFIG_ROW,
	{ .name = "count", .type = CONFIG_INTEGER, .min = 0, .max = COUNT_MAX, .fallback = "0",
	    .unit = "N", .help = "NAME-1 to NAME-N instead of NAME: 6 for a mix, one a session",
	    CONFIG_FIELD(struct enrolcmd_options, count) },
};
static const struct config_key list_keys[] = {
	CONFIG_ROW,
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no", .help = "print a JSON array",
	    CONFIG_FIELD(struct enrolcmd_options, json) },
};
const struct config_schema enrolcmd_schema = { keys, 2, sizeof(struct enrolcmd_options) };
const struct config_schema enrolcmd_list_schema = { list_keys, 2,
	sizeof(struct enrolcmd_options) };

/* ---- the verbs ---- */

static void
on_changed(void *arg, enum err e, const struct diag *d, const char *code)
{
	struct desk_call *call = arg;

	if (e == ERR_OK)
		desk_answer(call, ERR_OK, code, code != NULL ? strlen(code) : 0);
	else
		desk_refuse(call, e, d);
}

typedef enum err change_roll(struct registrar *r, const char *name, registrar_done_cb *done,
    void *arg, struct diag *d);

static void
change(struct registrar *r, struct desk_call *call, const uint8_t *payload, size_t n,
    change_roll *what)
{
	char name[ROLL_NAME_MAX + 1];
	struct diag d = { "" };
	enum err e;

	if (n > ROLL_NAME_MAX || memchr(payload, '\0', n) != NULL) {
		e = diag_set(&d, ERR_USAGE, "a member's name has at most %d characters",
		    ROLL_NAME_MAX);
	} else {
		memcpy(name, payload, n);
		name[n] = '\0';
		e = what(r, name, on_changed, call, &d);
	}
	if (e != ERR_OK)
		desk_refuse(call, e, &d);
}

static void
on_enrol(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	change(arg, call, payload, n, registrar_enrol);
}

static void
on_revoke(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	change(arg, call, payload, n, registrar_revoke);
}

static void
on_list(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	const struct roll *r = registrar_roll(arg);
	char line[ROLL_NAME_MAX + 16];
	enum err e = ERR_OK;
	struct buf text;

	(void)payload;
	(void)n;
	buf_init(&text);
	for (size_t i = 0; e == ERR_OK && i < r->count; i++) {
		(void)snprintf(line, sizeof(line), "%" PRIu32 " %s\n", r->list[i].number,
		    r->list[i].name);
		e = buf_append(&text, line, strlen(line), TEXT_MAX);
	}
	if (e == ERR_OK)
		desk_answer(call, ERR_OK, text.data, text.len);
	else
		desk_refuse(call, e, NULL);
	buf_release(&text);
}

enum err
enrolcmd_serve(struct desk *desk, struct registrar *r)
{
	enum err e = desk_serve(desk, ENROL_VERB, on_enrol, r);

	if (e == ERR_OK)
		e = desk_serve(desk, REVOKE_VERB, on_revoke, r);
	return e == ERR_OK ? desk_serve(desk, LIST_VERB, on_list, r) : e;
}

/* ---- the commands ---- */

typedef enum err print_answer(const struct call *c, const struct buf *answer);

/* Ask, and print; the answer may be a secret. */
static enum err
ask_one(const struct call *c, const char *address, const char *verb, const char *payload,
    print_answer *print, struct diag *d)
{
	struct buf answer;
	enum err e;

	buf_init(&answer);
	e = desk_ask(&answer, address, verb, payload, strlen(payload), ASK_MS, d);
	if (e == ERR_OK)
		e = print(c, &answer);
	if (answer.data != NULL)
		sodium_memzero(answer.data, answer.len);
	buf_release(&answer);
	return e;
}

/* The same for each of NAME-1 to NAME-count; what was done when one fails stays done. */
static enum err
ask_each(const struct call *c, const char *address, const char *verb, const char *name,
    print_answer *print, struct diag *d)
{
	const struct enrolcmd_options *o = c->own;
	char one[2 * ROLL_NAME_MAX];
	enum err e = ERR_OK;

	for (int64_t i = 1; i <= o->count && e == ERR_OK; i++) {
		struct diag why = { "" };

		(void)snprintf(one, sizeof(one), "%.*s-%" PRId64, ROLL_NAME_MAX, name, i);
		e = ask_one(c, address, verb, one, print, &why);
		if (e != ERR_OK)
			(void)diag_set(d, e, "%s: %.400s", one, why.text);
	}
	return e;
}

static int
ask(const struct call *c, const struct config_schema *schema, void *settings, const char *verb,
    const char *payload, print_answer *print)
{
	const struct enrolcmd_options *o = c->own;
	char address[CHARTER_ADDRESS_MAX];
	struct diag d = { "" };
	int code = daemon_settings_load(c, schema, settings, o->config);
	enum err e;

	if (code != OPTIONS_EXIT_OK)
		return code;
	e = daemon_desk(address, settings, &d);
	if (e == ERR_OK)
		e = o->count > 0 ? ask_each(c, address, verb, payload, print, &d)
				 : ask_one(c, address, verb, payload, print, &d);
	return e == ERR_OK ? OPTIONS_EXIT_OK : daemon_ask_failed(c, e, &d);
}

static enum err
print_code(const struct call *c, const struct buf *answer)
{
	/* no copy of it stays in a buffer of the C library */
	(void)setvbuf(c->out, NULL, _IONBF, 0);
	(void)fwrite(answer->data, 1, answer->len, c->out);
	(void)fputc('\n', c->out);
	return ERR_OK;
}

static enum err
print_nothing(const struct call *c, const struct buf *answer)
{
	(void)c;
	(void)answer;
	return ERR_OK;
}

static enum err
print_json(struct buf *out, const char *text, size_t len)
{
	struct json j;

	json_init(&j, out, 4 * TEXT_MAX);
	json_array(&j);
	while (len > 0) {
		const char *end = memchr(text, '\n', len), *name = memchr(text, ' ', len);

		if (end == NULL || name == NULL || name > end)
			return ERR_MALFORMED;
		json_object(&j);
		json_key(&j, "number"), json_u64(&j, strtoul(text, NULL, 10));
		json_key(&j, "name"), json_string_n(&j, name + 1, (size_t)(end - name - 1));
		json_close(&j);
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	json_close(&j);
	json_newline(&j);
	return json_end(&j);
}

static enum err
print_list(const struct call *c, const struct buf *answer)
{
	const struct enrolcmd_options *o = c->own;
	const char *text = answer->data != NULL ? (const char *)answer->data : "";
	struct buf out;
	enum err e = ERR_OK;

	buf_init(&out);
	if (o->json)
		e = print_json(&out, text, answer->len);
	else
		(void)fwrite(text, 1, answer->len, c->out);
	if (e == ERR_OK && o->json)
		(void)fwrite(out.data, 1, out.len, c->out);
	buf_release(&out);
	return e;
}

int
enrolcmd_enrol(const struct call *c, const struct config_schema *schema, void *settings)
{
	return ask(c, schema, settings, ENROL_VERB, c->operands[0], print_code);
}

int
enrolcmd_revoke(const struct call *c, const struct config_schema *schema, void *settings)
{
	return ask(c, schema, settings, REVOKE_VERB, c->operands[0], print_nothing);
}

int
enrolcmd_list(const struct call *c, const struct config_schema *schema, void *settings)
{
	return ask(c, schema, settings, LIST_VERB, "", print_list);
}
