#include "config.h"

#include "tests/fuzz/peer.h"

#include <stdlib.h>
#include <string.h>

void
peer_hang_up(struct peer *k)
{
	conn_free(k->conn);
	noise_free(k->noise);
	k->conn = NULL;
	k->noise = NULL;
	k->up = k->spoilt = false;
	k->said = 0;
}

void
peer_say(struct peer *k, const uint8_t *p, size_t n)
{
	if (k->conn == NULL || n == 0 || conn_write(k->conn, p, n) != ERR_OK)
		return;
	k->said += n;
	k->spoilt = k->spoilt || k->said >= k->cfg.send_bytes + NOISE_TAG_BYTES;
}

/* Apply the input's changes; says so if there were any. */
static void
leave(struct peer *k, uint8_t *bytes, size_t n, struct script *s)
{
	uint8_t *was = malloc(n);

	must(was != NULL);
	memcpy(was, bytes, n);
	if (s != NULL)
		script_change(s, bytes, n);
	if (conn_write(k->conn, bytes, n) == ERR_OK)
		k->spoilt = k->spoilt || k->said > 0 || memcmp(was, bytes, n) != 0; /* public */
	else
		k->said = 1; /* the counters are apart: the next is not taken */
	free(was);
}

static void
first_message(struct peer *k, struct script *s)
{
	size_t n = k->cfg.send_bytes + NOISE_TAG_BYTES, len = n - noise_overhead(k->noise);
	uint8_t *message = malloc(n), *payload = calloc(1, len + 1);

	must(message != NULL && payload != NULL);
	if (s != NULL && script_byte(s) == 1)
		payload[len / 2] = 1; /* sealed well, but not zero */
	k->spoilt = payload[len / 2] != 0;
	must(noise_write(k->noise, message, payload, len) == ERR_OK);
	leave(k, message, n, s);
	free(message);
	free(payload);
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct peer *k = arg;
	size_t wire = k->cfg.receive_bytes + NOISE_TAG_BYTES, used = 0;
	uint8_t *plain = malloc(wire);

	must(plain != NULL);
	for (; n - used >= wire; used += wire) {
		if (k->up) {
			must(noise_decrypt(&k->receive, plain, p + used, wire - NOISE_TAG_BYTES) ==
			    ERR_OK);
			if (k->cfg.frame != NULL)
				k->cfg.frame(k->cfg.arg, plain, wire - NOISE_TAG_BYTES);
			continue;
		}
		must(!k->spoilt); /* nobody answers what cannot be read */
		must(noise_read(k->noise, plain, p + used, wire) == ERR_OK);
		must(noise_split(k->noise, &k->send, &k->receive, NULL) == ERR_OK);
		k->up = true;
	}
	free(plain);
	return used;
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	peer_hang_up(arg);
}

void
peer_dial(struct peer *k, const struct peer_config *cfg, struct script *s)
{
	static const struct conn_events events = { .data = on_data, .closed = on_closed };
	const struct conn_limits limits = { 1u << 20, 1u << 22 };

	peer_hang_up(k);
	k->cfg = *cfg;
	must(noise_new(&k->noise, &cfg->noise) == ERR_OK);
	must(conn_open(&k->conn, cfg->loop, cfg->address, &limits, &events, k) == ERR_OK);
	first_message(k, s);
}

bool
peer_send(struct peer *k, const uint8_t *plain, struct script *s)
{
	size_t n = k->cfg.send_bytes;
	uint8_t *sealed;

	if (k->conn == NULL || !k->up)
		return false;
	sealed = malloc(n + NOISE_TAG_BYTES);
	must(sealed != NULL);
	must(noise_encrypt(&k->send, sealed, plain, n) == ERR_OK);
	leave(k, sealed, n + NOISE_TAG_BYTES, s);
	free(sealed);
	return true;
}
