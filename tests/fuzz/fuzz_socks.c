/*
 * What a SOCKS proxy answers: the first byte chooses the user name, and how
 * much of the rest comes at once. Nothing beyond the last answer is taken.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct socks *s, enum err e, size_t len, size_t used, size_t given)
{
	if (len > SOCKS_SEND_MAX || used > given)
		abort();
	if (e == ERR_OK && s->stage != SOCKS_DONE && used != given)
		abort();
	if ((e != ERR_OK) != (s->stage == SOCKS_FAILED))
		abort();
	if (s->stage == SOCKS_DONE && s->code != SOCKS_CODE_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rng_seeded keys;
	struct socks s;
	uint8_t out[SOCKS_SEND_MAX];
	size_t len = 0, used = 0, at = 1, piece;
	enum err e;

	if (size < 1)
		return 0;
	rng_seeded_init(&keys, 1);
	piece = 1 + (data[0] >> 1) % 32;
	if (socks_init(&s, "abcd.onion:443", (data[0] & 1) != 0, &keys.rng) != ERR_OK)
		abort();
	e = socks_step(&s, out, &len, &used, NULL, 0);
	while (at < size && e == ERR_OK && s.stage != SOCKS_DONE) {
		size_t take = size - at < piece ? size - at : piece;

		/* no answer before its question */
		if (s.stage != SOCKS_CONNECT && take > 2 - s.have)
			take = 2 - s.have;
		len = used = 0;
		e = socks_step(&s, out, &len, &used, data + at, take);
		check(&s, e, len, used, take);
		at += used;
	}
	socks_release(&s);
	return 0;
}
