#include "config.h"

#include "common/net/socks.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "common/base/bytes.h"
#include "common/base/encode.h"
#include "common/base/secret.h"

#define VERSION 0x05
#define METHOD_PASSWORD 0x02
#define AUTH_VERSION 0x01
#define COMMAND_CONNECT 0x01
#define ISOLATION_NAME "<torS0X>0" /* tor: stream isolation, format 0 */
#define ONION_SUFFIX ".onion"

enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

/* ---- targets ---- */

static bool
ends_in_onion(const char *host, size_t n)
{
	size_t suffix = strlen(ONION_SUFFIX);

	return n > suffix && strncasecmp(host + n - suffix, ONION_SUFFIX, suffix) == 0;
}

bool
socks_is_onion(const char *target)
{
	const char *colon = strrchr(target, ':');

	return colon != NULL && ends_in_onion(target, (size_t)(colon - target));
}

static bool
is_name(const char *host)
{
	for (const char *p = host; *p != '\0'; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

		if (!letter && !(*p >= '0' && *p <= '9') && *p != '-' && *p != '.')
			return false;
	}
	return ends_in_onion(host, strlen(host));
}

static enum err
parse_port(uint16_t *out, const char *p)
{
	unsigned port = 0;

	if (*p < '1' || *p > '9')
		return ERR_USAGE;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return ERR_USAGE;
		port = port * 10 + (unsigned)(*p - '0');
		if (port > 65535)
			return ERR_USAGE;
	}
	*out = (uint16_t)port;
	return ERR_OK;
}

static enum err
parse_target(struct socks *s, const char *target)
{
	const char *colon = strrchr(target, ':');
	uint8_t ip[16];
	size_t n;
	bool brackets;

	if (colon == NULL || parse_port(&s->port, colon + 1) != ERR_OK)
		return ERR_USAGE;
	n = (size_t)(colon - target);
	brackets = n > 2 && target[0] == '[' && target[n - 1] == ']';
	if (brackets) {
		target++;
		n -= 2;
	}
	if (n == 0 || n > SOCKS_HOST_MAX)
		return ERR_USAGE;
	memcpy(s->host, target, n);
	s->host[n] = '\0';
	if (brackets)
		return inet_pton(AF_INET6, s->host, ip) == 1 ? ERR_OK : ERR_USAGE;
	return inet_pton(AF_INET, s->host, ip) == 1 || is_name(s->host) ? ERR_OK : ERR_USAGE;
}

enum err
socks_init(struct socks *s, const char *target, bool ordinary, const struct rng *keys)
{
	struct socks fresh = {.stage = SOCKS_START, .ordinary = ordinary};
	enum err e = parse_target(&fresh, target);

	if (e != ERR_OK)
		return e;
	*s = fresh;
	rng_bytes(keys, s->user, sizeof(s->user));
	rng_bytes(keys, s->pass, sizeof(s->pass));
	return ERR_OK;
}

void
socks_release(struct socks *s)
{
	secret_wipe(s, sizeof(*s));
}

/* ---- requests ---- */

static void
put_text(struct writer *w, const char *text)
{
	size_t n = strlen(text);

	writer_u8(w, (uint8_t)n);
	writer_copy(w, text, n);
}

static void
ask_method(struct writer *w)
{
	writer_u8(w, VERSION);
	writer_u8(w, 1);
	writer_u8(w, METHOD_PASSWORD);
}

static void
send_name(const struct socks *s, struct writer *w)
{
	char text[ENCODE_HEX_SIZE(SOCKS_SECRET_BYTES)];

	writer_u8(w, AUTH_VERSION);
	encode_hex(text, s->user, sizeof(s->user));
	put_text(w, s->ordinary ? text : ISOLATION_NAME);
	encode_hex(text, s->pass, sizeof(s->pass));
	put_text(w, text);
	secret_wipe(text, sizeof(text));
}

static void
ask_stream(const struct socks *s, struct writer *w)
{
	uint8_t ip[16];

	writer_u8(w, VERSION);
	writer_u8(w, COMMAND_CONNECT);
	writer_u8(w, 0);
	if (inet_pton(AF_INET, s->host, ip) == 1) {
		writer_u8(w, TYPE_IPV4);
		writer_copy(w, ip, 4);
	} else if (inet_pton(AF_INET6, s->host, ip) == 1) {
		writer_u8(w, TYPE_IPV6);
		writer_copy(w, ip, 16);
	} else {
		writer_u8(w, TYPE_NAME);
		put_text(w, s->host);
	}
	writer_u8(w, (uint8_t)(s->port >> 8));
	writer_u8(w, (uint8_t)s->port);
}

/* ---- answers ---- */

/* How long the answer is, as far as what is there tells; 0: it is no answer. */
static size_t
reply_bytes(const struct socks *s)
{
	if (s->stage != SOCKS_CONNECT)
		return 2;
	if (s->have < 5)
		return 5;
	switch (s->in[3]) {
	case TYPE_IPV4:
		return 4 + 4 + 2;
	case TYPE_IPV6:
		return 4 + 16 + 2;
	case TYPE_NAME:
		return 4 + 1 + (size_t)s->in[4] + 2;
	default:
		return 0;
	}
}

static enum err
take_method(struct socks *s, struct writer *w)
{
	if (s->in[0] != VERSION)
		return ERR_MALFORMED;
	if (s->in[1] != METHOD_PASSWORD)
		return ERR_STATE;
	s->stage = SOCKS_AUTH;
	send_name(s, w);
	return ERR_OK;
}

/* tor refuses a name with the version of SOCKS in front, others with that of the step. */
static enum err
take_auth(struct socks *s, struct writer *w)
{
	if (s->in[0] != AUTH_VERSION && s->in[0] != VERSION)
		return ERR_MALFORMED;
	if (s->in[1] != 0) {
		s->name_refused = !s->ordinary;
		return ERR_STATE;
	}
	s->stage = SOCKS_CONNECT;
	ask_stream(s, w);
	return ERR_OK;
}

static enum err
take_connect(struct socks *s)
{
	if (s->in[0] != VERSION || s->in[2] != 0)
		return ERR_MALFORMED;
	s->code = s->in[1];
	if (s->code != SOCKS_CODE_OK)
		return socks_err(s->code);
	s->stage = SOCKS_DONE;
	return ERR_OK;
}

/* The answer of this stage is whole. */
static enum err
take_reply(struct socks *s, struct writer *w)
{
	s->have = 0;
	switch (s->stage) {
	case SOCKS_METHOD:
		return take_method(s, w);
	case SOCKS_AUTH:
		return take_auth(s, w);
	case SOCKS_CONNECT:
		return take_connect(s);
	case SOCKS_START:
	case SOCKS_DONE:
	case SOCKS_FAILED:
		break;
	}
	return ERR_STATE;
}

/*
 * One answer at most: the next request waits for it, so that whatever comes
 * behind it before that is out of turn.
 */
static enum err
take(struct socks *s, struct writer *w, size_t *used, const uint8_t *p, size_t n)
{
	for (*used = 0; *used < n;) {
		size_t want = reply_bytes(s);

		if (want == 0)
			return ERR_MALFORMED;
		if (s->have < want) {
			s->in[s->have++] = p[(*used)++];
			want = reply_bytes(s);
		}
		if (s->have == want)
			return take_reply(s, w);
	}
	return ERR_OK;
}

enum err
socks_step(struct socks *s, uint8_t out[static SOCKS_SEND_MAX], size_t *out_len, size_t *used,
    const uint8_t *p, size_t n)
{
	struct writer w;
	size_t taken = 0;
	enum err e = ERR_OK;

	writer_init(&w, out, SOCKS_SEND_MAX);
	if (s->stage == SOCKS_DONE || s->stage == SOCKS_FAILED)
		return ERR_STATE;
	if (s->stage == SOCKS_START) {
		ask_method(&w);
		s->stage = SOCKS_METHOD;
	} else {
		e = take(s, &w, &taken, p, n);
	}
	if (e == ERR_OK && s->stage != SOCKS_DONE && taken < n)
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e != ERR_OK) {
		s->stage = SOCKS_FAILED;
		return e;
	}
	*out_len = w.used;
	*used = taken;
	return ERR_OK;
}

/* ---- codes ---- */

static const struct {
	uint8_t code;
	enum err err;
	const char *text;
} codes[] = {
	{ SOCKS_CODE_OK, ERR_OK, "connected" },
	{ SOCKS_CODE_FAILURE, ERR_CLOSED, "the service does not answer" },
	{ SOCKS_CODE_FORBIDDEN, ERR_STATE, "the proxy does not allow it" },
	{ SOCKS_CODE_NETWORK, ERR_CLOSED, "tor has no way into its network" },
	{ SOCKS_CODE_HOST, ERR_CLOSED, "the service cannot be reached" },
	{ SOCKS_CODE_REFUSED, ERR_NOT_FOUND, "the service refuses this port or has too many streams" },
	{ SOCKS_CODE_EXPIRED, ERR_TIMEOUT, "the service did not answer in time" },
	{ SOCKS_CODE_COMMAND, ERR_STATE, "the proxy does not know CONNECT" },
	{ SOCKS_CODE_ADDRESS_TYPE, ERR_STATE, "the proxy does not take this kind of address" },
	{ SOCKS_CODE_DESC_NOT_FOUND, ERR_NOT_FOUND, "the service is not published" },
	{ SOCKS_CODE_DESC_INVALID, ERR_CLOSED, "the service's descriptor is not valid" },
	{ SOCKS_CODE_INTRO_FAILED, ERR_CLOSED, "the introduction to the service failed" },
	{ SOCKS_CODE_REND_FAILED, ERR_CLOSED, "the rendezvous with the service failed" },
	{ SOCKS_CODE_NO_AUTH, ERR_NO_KEY, "the client authorization key is missing" },
	{ SOCKS_CODE_WRONG_AUTH, ERR_DENIED, "the client authorization key is wrong, or was removed" },
	{ SOCKS_CODE_BAD_ADDRESS, ERR_USAGE, "the onion address is not valid" },
	{ SOCKS_CODE_INTRO_TIMEOUT, ERR_TIMEOUT, "the introduction to the service took too long" },
};
#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]))

enum err
socks_err(uint8_t code)
{
	for (size_t i = 0; i < CODE_COUNT; i++) {
		if (codes[i].code == code)
			return codes[i].err;
	}
	return ERR_MALFORMED;
}

const char *
socks_reason(uint8_t code)
{
	for (size_t i = 0; i < CODE_COUNT; i++) {
		if (codes[i].code == code)
			return codes[i].text;
	}
	return "the proxy gave an unknown answer";
}
