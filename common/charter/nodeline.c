#include "config.h"

#include "common/charter/nodeline.h"

#include <stdio.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/config/value.h"
#include "common/crypto/hsid.h"

#define HEAD "restante-node "
#define FORMAT "1 "
#define FIELD_BYTES (CHARTER_ADDRESS_MAX + 16)

/* ---- print ---- */

void
nodeline_print_body(char out[static NODELINE_BYTES], const struct charter_node *n)
{
	bool address = charter_has_address(n->role), entrance = charter_has_entrance(n->role);
	char identity[ENCODE_HEX_SIZE(32)], link[ENCODE_HEX_SIZE(32)];

	encode_hex(identity, n->identity, sizeof(n->identity));
	encode_hex(link, n->link, sizeof(n->link));
	(void)snprintf(out, NODELINE_BYTES, "%s identity=%s link=%s%s%.*s%s%.*s",
	    charter_role_text(n->role), identity, link, address ? " address=" : "",
	    address ? CHARTER_ADDRESS_MAX - 1 : 0, n->address, entrance ? " entrance=" : "",
	    entrance ? CHARTER_ADDRESS_MAX - 1 : 0, n->entrance);
}

void
nodeline_print(char out[static NODELINE_BYTES], const struct charter_node *n)
{
	size_t head = strlen(HEAD FORMAT);
	char body[NODELINE_BYTES];

	nodeline_print_body(body, n);
	memcpy(out, HEAD FORMAT, head);
	memcpy(out + head, body, NODELINE_BYTES - head);
	out[NODELINE_BYTES - 1] = '\0';
}

/* ---- parse ---- */

/* The next word must be "name=value"; its value, and *s behind it and one space. */
static bool
field(char out[static FIELD_BYTES], const char **s, const char *name)
{
	size_t n = strlen(name), len;

	if (strncmp(*s, name, n) != 0)
		return false;
	*s += n;
	len = strcspn(*s, " ");
	if (len >= FIELD_BYTES)
		return false;
	memcpy(out, *s, len);
	out[len] = '\0';
	*s += len;
	if (**s == ' ')
		return *++*s != '\0';
	return true;
}

static bool
key_field(uint8_t out[static 32], const char **s, const char *name)
{
	char hex[FIELD_BYTES];

	return field(hex, s, name) && encode_from_hex(out, 32, hex, strlen(hex)) == ERR_OK;
}

static bool
address_field(char out[static CHARTER_ADDRESS_MAX], const char **s, const char *name)
{
	char text[FIELD_BYTES];

	if (!field(text, s, name) || strlen(text) >= CHARTER_ADDRESS_MAX ||
	    config_address(text) != ERR_OK)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool
role_word(enum charter_role *out, const char **s)
{
	static const enum charter_role roles[] = { CHARTER_MIX, CHARTER_GATEWAY,
		CHARTER_REGISTRAR };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		const char *word = charter_role_text(roles[i]);
		size_t n = strlen(word);

		if (strncmp(*s, word, n) != 0 || (*s)[n] != ' ')
			continue;
		*out = roles[i];
		*s += n + 1;
		return true;
	}
	return false;
}

/* Nodes reach each other without tor; clients may come through it. */
static enum err
check_onion(const struct charter_node *n, struct diag *d)
{
	if (hsid_is_onion(n->address))
		return diag_set(d, ERR_MALFORMED, "address= cannot be an onion address: only an "
		    "entrance= can");
	if (hsid_is_onion(n->entrance) && !hsid_is_address(n->entrance))
		return diag_set(d, ERR_MALFORMED, "the onion address in entrance= is mistyped, or "
		    "not in lower case: copy the node's line anew");
	return ERR_OK;
}

enum err
nodeline_parse_body(struct charter_node *out, const char *body, struct diag *d)
{
	struct charter_node n = { 0 };
	const char *s = body;

	if (!role_word(&n.role, &s))
		return diag_set(d, ERR_MALFORMED, "a node is a \"mix\", a \"gateway\" or a "
		    "\"registrar\"");
	if (!key_field(n.identity, &s, "identity="))
		return diag_set(d, ERR_MALFORMED,
		    "identity= and 64 hexadecimal digits must follow the role: copy the node's "
		    "line anew");
	if (!key_field(n.link, &s, "link="))
		return diag_set(d, ERR_MALFORMED, "link= and 64 hexadecimal digits must follow the "
		    "identity: copy the node's line anew");
	if (charter_has_address(n.role) && !address_field(n.address, &s, "address="))
		return diag_set(d, ERR_MALFORMED, "address= must be host:port, [IPv6]:port or "
		    "unix:/path");
	if (charter_has_entrance(n.role) && !address_field(n.entrance, &s, "entrance="))
		return diag_set(d, ERR_MALFORMED, "a %s's entrance= must be NAME.onion:port, "
		    "host:port, [IPv6]:port or unix:/path", charter_role_text(n.role));
	if (*s != '\0')
		return diag_set(d, ERR_TRAILING, "something follows the end of the node's line");
	if (check_onion(&n, d) != ERR_OK)
		return ERR_MALFORMED;
	*out = n;
	return ERR_OK;
}

enum err
nodeline_parse(struct charter_node *out, const char *line, struct diag *d)
{
	int64_t version;
	char number[8];
	size_t n;

	if (strncmp(line, HEAD, strlen(HEAD)) != 0)
		return diag_set(d, ERR_MALFORMED, "not a node's public line: it begins with \"" HEAD
		    "\" and is printed by the init command of restante-mix, restante-gateway or "
		    "restante-registrar");
	line += strlen(HEAD);
	n = strcspn(line, " ");
	if (n >= sizeof(number))
		return diag_set(d, ERR_MALFORMED, "the node line's version is not a number");
	memcpy(number, line, n);
	number[n] = '\0';
	if (config_integer(&version, number) != ERR_OK || version <= 0)
		return diag_set(d, ERR_MALFORMED, "the node line's version is not a number");
	if (version > 1)
		return diag_set(d, ERR_VERSION,
		    HEAD "%s: made by a newer version of restante; update this one", number);
	if (line[n] != ' ')
		return diag_set(
		    d, ERR_TRUNCATED, "the node's line ends after its version: copy it anew");
	return nodeline_parse_body(out, line + n + 1, d);
}
