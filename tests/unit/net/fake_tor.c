#include "config.h"

#include "tests/unit/net/fake_tor.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "tests/lib/test.h"

#define CLIENT_KEY "Tor safe cookie authentication controller-to-server hash"

static const struct conn_limits limits = {.in_max = 1 << 20, .out_max = 4 << 20};

void
fake_tor_hang_up(struct fake_tor *t)
{
	if (t->conn != NULL)
		conn_finish(t->conn, 60000);
	t->conn = NULL;
}

void
fake_tor_say(struct fake_tor *t, const char *text)
{
	size_t n = strlen(text);
	char *copy = strdup(text);
	bool cut = t->cut_at != FAKE_TOR_NEVER && t->said + n >= t->cut_at;

	if (t->conn == NULL) {
		free(copy);
		return;
	}
	if (cut)
		n = t->cut_at > t->said ? t->cut_at - t->said : 0;
	if (t->flip_at >= t->said && t->flip_at - t->said < n)
		copy[t->flip_at - t->said] = (char)(copy[t->flip_at - t->said] ^ t->flip);
	assert_err_ok(conn_write(t->conn, copy, n));
	t->said += n;
	free(copy);
	if (cut)
		fake_tor_hang_up(t);
}

/* ---- the conversation ---- */

static void
say_info(struct fake_tor *t)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "250-PROTOCOLINFO 1\r\n"
	    "250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"%s\"\r\n"
	    "250-VERSION Tor=\"0.4.9.11\"\r\n"
	    "250 OK\r\n",
	    t->cookie_path);
	fake_tor_say(t, t->info != NULL ? t->info : text);
}

static void
say_challenge(struct fake_tor *t, const char *hex)
{
	uint8_t server_nonce[TORCOOKIE_NONCE_BYTES], hash[TORCOOKIE_HASH_BYTES];
	char nonce_hex[ENCODE_HEX_SIZE(sizeof(server_nonce))];
	char hash_hex[ENCODE_HEX_SIZE(sizeof(hash))], text[512];

	assert_err_ok(encode_from_hex(t->nonce, sizeof(t->nonce), hex, strlen(hex)));
	memset(server_nonce, 0x5a, sizeof(server_nonce));
	torcookie_server_hash(hash, t->cookie, t->nonce, server_nonce);
	if (t->lies)
		hash[7] ^= 1;
	encode_hex(nonce_hex, server_nonce, sizeof(server_nonce));
	encode_hex(hash_hex, hash, sizeof(hash));
	for (char *p = hash_hex; *p != '\0'; p++)
		*p = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p); /* as tor writes it */
	snprintf(text, sizeof(text), "250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s\r\n", hash_hex,
	    nonce_hex);
	fake_tor_say(t, text);
}

/* The check is written anew here, from the specification. */
static bool
proves(const struct fake_tor *t, const char *hex)
{
	crypto_auth_hmacsha256_state st;
	uint8_t server_nonce[TORCOOKIE_NONCE_BYTES], want[32], got[32];

	memset(server_nonce, 0x5a, sizeof(server_nonce));
	crypto_auth_hmacsha256_init(&st, (const uint8_t *)CLIENT_KEY, sizeof(CLIENT_KEY) - 1);
	crypto_auth_hmacsha256_update(&st, t->cookie, sizeof(t->cookie));
	crypto_auth_hmacsha256_update(&st, t->nonce, sizeof(t->nonce));
	crypto_auth_hmacsha256_update(&st, server_nonce, sizeof(server_nonce));
	crypto_auth_hmacsha256_final(&st, want);
	return encode_from_hex(got, sizeof(got), hex, strlen(hex)) == ERR_OK &&
	    memcmp(got, want, sizeof(got)) == 0;
}

static void
take_auth(struct fake_tor *t, const char *hex)
{
	if (t->auth != NULL) {
		fake_tor_say(t, t->auth);
	} else if (proves(t, hex)) {
		t->authenticated++;
		fake_tor_say(t, "250 OK\r\n");
	} else {
		fake_tor_say(t, "515 Authentication failed: Safe cookie response did not match\r\n");
		fake_tor_hang_up(t);
	}
}

static void
answer(struct fake_tor *t, const char *line)
{
	static char text[1 << 17];

	t->commands++;
	if (t->reply != NULL) {
		t->reply(t->reply_arg, line);
		return;
	}
	if (t->answer == NULL)
		snprintf(text, sizeof(text), "250-echo=%.100s\r\n250 OK\r\n", line);
	else
		snprintf(text, sizeof(text), "%s", t->answer);
	fake_tor_say(t, text);
}

/* The word that a line begins with, and what follows the blank behind it. */
static const char *
after(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 ? line + n : NULL;
}

static enum fake_tor_stage
stage_of(const char *line)
{
	static const char *const words[] = {"PROTOCOLINFO", "AUTHCHALLENGE", "AUTHENTICATE",
	    "TAKEOWNERSHIP"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (after(line, words[i]) != NULL)
			return (enum fake_tor_stage)i;
	}
	return FAKE_TOR_COMMANDS;
}

static void
take_line(struct fake_tor *t, const char *line)
{
	t->stage = stage_of(line);
	if (t->stage >= t->hang)
		return;
	if (t->stage == t->close) {
		fake_tor_hang_up(t);
		return;
	}
	if (t->before != NULL)
		fake_tor_say(t, t->before);
	switch (t->stage) {
	case FAKE_TOR_INFO:
		say_info(t);
		break;
	case FAKE_TOR_CHALLENGE:
		say_challenge(t, after(line, "AUTHCHALLENGE SAFECOOKIE "));
		break;
	case FAKE_TOR_AUTH:
		take_auth(t, after(line, "AUTHENTICATE "));
		break;
	case FAKE_TOR_OWN:
		t->owned++;
		fake_tor_say(t, "250 OK\r\n");
		break;
	case FAKE_TOR_COMMANDS:
	case FAKE_TOR_STAGES:
		answer(t, line);
		break;
	}
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct fake_tor *t = arg;
	const uint8_t *lf;
	size_t at = 0;

	assert_err_ok(buf_append(&t->heard, p, n, SIZE_MAX));
	while (t->conn != NULL && (lf = memchr(p + at, '\n', n - at)) != NULL) {
		size_t len = (size_t)(lf - p) - at;

		assert_true(len > 0 && p[at + len - 1] == '\r');
		t->line.len = 0;
		assert_err_ok(buf_append(&t->line, p + at, len - 1, SIZE_MAX));
		assert_err_ok(buf_append(&t->line, "", 1, SIZE_MAX));
		at += len + 1;
		take_line(t, (const char *)t->line.data);
	}
	return at;
}

static void
on_closed(void *arg, enum err why)
{
	struct fake_tor *t = arg;

	(void)why;
	conn_free(t->conn);
	t->conn = NULL;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct conn_events events = {.data = on_data, .closed = on_closed};
	struct fake_tor *t = arg;

	fake_tor_hang_up(t);
	t->dials++;
	t->said = 0;
	t->heard.len = 0;
	t->conn = c;
	conn_set_events(c, &events, t, &limits);
}

/* ---- life ---- */

void
fake_tor_write_cookie(const struct fake_tor *t, const void *p, size_t n)
{
	FILE *f = fopen(t->cookie_path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

void
fake_tor_start(struct fake_tor *t, struct world *w, struct world_host *h)
{
	struct diag d = {""};

	*t = (struct fake_tor){
	    .world = w,
	    .host = h,
	    .hang = FAKE_TOR_STAGES,
	    .close = FAKE_TOR_STAGES,
	    .cut_at = FAKE_TOR_NEVER,
	    .flip_at = FAKE_TOR_NEVER,
	};
	snprintf(t->cookie_path, sizeof(t->cookie_path), "%s/cookie", test_tmpdir());
	rng_bytes(test_rng(), t->cookie, sizeof(t->cookie));
	fake_tor_write_cookie(t, t->cookie, sizeof(t->cookie));
	assert_err_ok(
	    listener_open(&t->listener, world_loop(h), FAKE_TOR_ADDRESS, on_accept, t, &d));
}

void
fake_tor_stop(struct fake_tor *t)
{
	conn_free(t->conn);
	t->conn = NULL;
	listener_free(t->listener);
	t->listener = NULL;
	buf_release(&t->heard);
	buf_release(&t->line);
	(void)remove(t->cookie_path);
}
