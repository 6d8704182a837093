#include "config.h"

#include "mix/deskwire.h"

#include <stdbool.h>
#include <string.h>

#define CODE_LEAST (-99) /* room for errors of newer daemons */

static bool
is_verb(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n > 0 && n <= DESK_VERB_MAX;
}

enum err
deskwire_request(struct deskwire_request *out, const uint8_t *p, size_t n)
{
	struct deskwire_request q = { .n = 0 };
	struct reader r;
	size_t verb;

	reader_init(&r, p, n);
	verb = reader_u8(&r);
	if (reader_ok(&r) && verb == 0)
		return ERR_MALFORMED;
	if (verb > DESK_VERB_MAX)
		return ERR_RANGE;
	reader_copy(&r, q.verb, verb);
	if (reader_ok(&r) && !is_verb(q.verb, verb))
		return ERR_MALFORMED;
	q.n = reader_u32(&r);
	if (q.n > DESK_PAYLOAD_MAX)
		return ERR_RANGE;
	q.payload = reader_view(&r, q.n);
	if (reader_end(&r) != ERR_OK)
		return reader_end(&r);
	*out = q;
	return ERR_OK;
}

enum err
deskwire_put_request(struct buf *out, const char *verb, const void *payload, size_t n)
{
	size_t len = strlen(verb), had = out->len;
	uint8_t *at;
	struct writer w;
	enum err e;

	if (!is_verb(verb, len) || n > DESK_PAYLOAD_MAX)
		return ERR_USAGE;
	e = buf_reserve(out, 1 + len + 4 + n, had + DESKWIRE_REQUEST_MAX, &at);
	if (e != ERR_OK)
		return e;
	writer_init(&w, at, 1 + len + 4 + n);
	writer_u8(&w, (uint8_t)len);
	writer_copy(&w, verb, len);
	writer_u32(&w, (uint32_t)n);
	if (n > 0)
		writer_copy(&w, payload, n);
	out->len += 1 + len + 4 + n;
	return writer_end(&w);
}

void
deskwire_put_head(uint8_t out[static DESKWIRE_ANSWER_HEAD], enum err code, size_t n)
{
	store_u32(out, (uint32_t)(int32_t)code);
	store_u32(out + 4, (uint32_t)n);
}

enum err
deskwire_head(enum err *code, size_t *n, const uint8_t p[static DESKWIRE_ANSWER_HEAD])
{
	uint32_t raw = load_u32(p), len = load_u32(p + 4);
	int64_t value = raw <= INT32_MAX ? (int64_t)raw : (int64_t)raw - ((int64_t)1 << 32);

	if (value > 0 || value < CODE_LEAST)
		return ERR_MALFORMED;
	if (len > DESK_TEXT_MAX)
		return ERR_RANGE;
	*code = (enum err)value;
	*n = len;
	return ERR_OK;
}
