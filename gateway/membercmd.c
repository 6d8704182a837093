#include "config.h"

#include "gateway/membercmd.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/json.h"
#include "common/base/secret.h"
#include "gateway/door.h"
#include "gateway/members.h"
#include "gateway/onionkey.h"

#define ASK_MS 15000
#define OUTPUT_MAX (256u << 10)

static const struct config_key keys[] = {
	{ .name = "config", .type = CONFIG_STRING, .min = 1, .unit = "FILE", .letter = 'c',
	    .help = "the gateway's configuration file",
	    CONFIG_FIELD(struct membercmd_options, config) },
	{ .name = "key", .type = CONFIG_STRING, .fallback = "", .unit = "BASE32", .letter = 'k',
	    .help = "add: the group's public key; without it a pair is made and the private half "
		    "printed",
	    CONFIG_FIELD(struct membercmd_options, key) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "list: print a JSON array", CONFIG_FIELD(struct membercmd_options, json) },
};
const struct config_schema membercmd_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct membercmd_options) };

/* Where the groups are: at a running gateway's desk, or in a directory that is ours now. */
struct book {
	struct disk *disk; /* NULL: ask the desk */
	char desk[CHARTER_ADDRESS_MAX];
	struct members members;
};

static enum err
book_open(struct book *b, const struct daemon_settings *s, struct diag *d)
{
	struct diag why = { "" };
	enum err e = disk_open(&b->disk, s->state, &why);

	if (e == ERR_BUSY)
		return daemon_desk(b->desk, s, d);
	if (e == ERR_OK)
		return members_load(&b->members, b->disk, d);
	return diag_set(d, e, "%s", why.text);
}

static enum err
ask(struct buf *out, const struct book *b, const char *verb, const char *payload, struct diag *d)
{
	return desk_ask(out, b->desk, verb, payload, strlen(payload), ASK_MS, d);
}

/* ---- add ---- */

/* The onion id goes to id. */
static enum err
add_to_file(char id[static HSID_SIZE], struct book *b, const char *name,
    const uint8_t key[static 32], struct diag *d)
{
	struct onionkey *onion = NULL;
	enum err e = onionkey_load(&onion, b->disk, d);

	if (e == ERR_OK)
		e = members_add(&b->members, name, key, d);
	if (e == ERR_OK)
		e = members_save(b->disk, &b->members, d);
	if (e == ERR_OK)
		memcpy(id, onion->id, HSID_SIZE);
	onionkey_free(onion);
	return e;
}

static enum err
add_at_desk(char id[static HSID_SIZE], const struct book *b, const char *name,
    const uint8_t key[static 32], struct diag *d)
{
	char payload[MEMBERS_NAME_MAX + MEMBERS_KEY_CHARS + 2], text[ENCODE_BASE32_SIZE(32)];
	struct buf answer;
	enum err e;

	encode_base32(text, key, 32);
	(void)snprintf(payload, sizeof(payload), "%s %s", name, text);
	buf_init(&answer);
	e = ask(&answer, b, DOOR_ADD, payload, d);
	if (e == ERR_OK && answer.len != HSID_CHARS)
		e = diag_set(d, ERR_MALFORMED, "the gateway's answer makes no sense; it is another "
		    "version than this command");
	if (e == ERR_OK) {
		memcpy(id, answer.data, HSID_CHARS);
		id[HSID_CHARS] = '\0';
	}
	buf_release(&answer);
	return e;
}

static enum err
add(char id[static HSID_SIZE], struct book *b, const char *name, const uint8_t key[static 32],
    struct diag *d)
{
	return b->disk != NULL ? add_to_file(id, b, name, key, d) : add_at_desk(id, b, name, key, d);
}

/* A pair of our own: what its owner imports is printed once, and kept nowhere. */
static enum err
add_fresh(const struct call *c, struct book *b, const char *name, struct diag *d)
{
	struct {
		uint8_t sk[32];
		char text[ENCODE_BASE32_SIZE(32)];
	} *own = secret_new(sizeof(*own));
	char id[HSID_SIZE];
	uint8_t pk[32];
	enum err e = ERR_OK;

	if (own == NULL)
		return ERR_MEMORY;
	rng_bytes(rng_system(), own->sk, sizeof(own->sk));
	if (crypto_scalarmult_base(pk, own->sk) != 0)
		e = ERR_CRYPTO;
	if (e == ERR_OK)
		e = add(id, b, name, pk, d);
	if (e == ERR_OK) {
		/* no copy of it stays in a buffer of the C library */
		(void)setvbuf(c->out, NULL, _IONBF, 0);
		encode_base32(own->text, own->sk, sizeof(own->sk));
		(void)fprintf(c->out, "%s:descriptor:x25519:", id);
		(void)fwrite(own->text, 1, strlen(own->text), c->out);
		(void)fputc('\n', c->out);
	}
	secret_free(own);
	return e;
}

static enum err
run_add(const struct call *c, struct book *b, struct diag *d)
{
	const struct membercmd_options *o = c->own;
	const char *name = c->operands[1];
	char id[HSID_SIZE];
	uint8_t key[32];
	enum err e = members_check_name(name, d);

	if (e == ERR_OK && o->key[0] == '\0')
		return add_fresh(c, b, name, d);
	if (e == ERR_OK)
		e = members_parse_key(key, o->key, d);
	return e == ERR_OK ? add(id, b, name, key, d) : e;
}

/* ---- remove ---- */

static enum err
run_remove(const struct call *c, struct book *b, struct diag *d)
{
	struct buf answer;
	enum err e;

	if (b->disk != NULL) {
		e = members_remove(&b->members, c->operands[1], d);
		return e == ERR_OK ? members_save(b->disk, &b->members, d) : e;
	}
	buf_init(&answer);
	e = ask(&answer, b, DOOR_REMOVE, c->operands[1], d);
	buf_release(&answer);
	return e;
}

/* ---- list ---- */

static enum err
to_json(struct buf *out, const struct members *m)
{
	struct json j;

	json_init(&j, out, OUTPUT_MAX);
	json_array(&j);
	for (size_t i = 0; i < m->count; i++) {
		char key[ENCODE_BASE32_SIZE(32)];

		encode_base32(key, m->list[i].key, 32);
		json_object(&j);
		json_key(&j, "name"), json_string(&j, m->list[i].name);
		json_key(&j, "key"), json_string(&j, key);
		json_close(&j);
	}
	json_close(&j);
	json_newline(&j);
	return json_end(&j);
}

static enum err
fetch(struct book *b, struct diag *d)
{
	struct buf text;
	enum err e;

	if (b->disk != NULL)
		return ERR_OK;
	buf_init(&text);
	e = ask(&text, b, DOOR_LIST, "", d);
	if (e == ERR_OK)
		e = members_parse(&b->members, (const char *)text.data, text.len, d);
	buf_release(&text);
	return e;
}

static enum err
run_list(const struct call *c, struct book *b, struct diag *d)
{
	const struct membercmd_options *o = c->own;
	struct buf out;
	enum err e = fetch(b, d);

	if (e != ERR_OK)
		return e;
	buf_init(&out);
	e = o->json ? to_json(&out, &b->members) : members_print(&out, &b->members);
	if (e == ERR_OK)
		(void)fwrite(out.data != NULL ? (const char *)out.data : "", 1, out.len, c->out);
	buf_release(&out);
	return e;
}

/* ---- all three ---- */

static const struct {
	const char *name;
	size_t operands;
	enum err (*run)(const struct call *c, struct book *b, struct diag *d);
} actions[] = { { "add", 2, run_add }, { "remove", 2, run_remove }, { "list", 1, run_list } };
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static enum err
choose(size_t *out, const struct call *c, struct diag *d)
{
	for (*out = 0; *out < ACTIONS; ++*out)
		if (strcmp(c->operands[0], actions[*out].name) == 0 &&
		    c->operand_count == actions[*out].operands)
			return ERR_OK;
	return diag_set(d, ERR_USAGE, "say member add NAME, member remove NAME or member list");
}

int
membercmd_run(const struct call *c, const struct config_schema *schema, void *settings)
{
	const struct membercmd_options *o = c->own;
	struct book *b = calloc(1, sizeof(*b));
	struct diag d = { "" };
	size_t which = 0;
	enum err e = b != NULL ? choose(&which, c, &d) : ERR_MEMORY;
	int code = OPTIONS_EXIT_OK;

	if (e == ERR_OK)
		code = daemon_settings_load(c, schema, settings, o->config);
	if (e == ERR_OK && code == OPTIONS_EXIT_OK) {
		e = book_open(b, settings, &d);
		if (e == ERR_OK)
			e = actions[which].run(c, b, &d);
		disk_free(b->disk);
	}
	free(b);
	return e == ERR_OK ? code : options_fail(c, e, &d);
}
