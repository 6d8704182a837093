#include "config.h"

#include "client-lib/inbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>


#define HOUR_MS ((int64_t)3600000)
/* the most fragments of a message at the least content size (a record of 1024 bytes) */
#define FRAGMENTS_MAX (POST_FILE_MAX / 512 + 1)

void
inbox_init(struct inbox *in)
{
	memset(in, 0, sizeof(*in));
	in->next_missing = 1;
	in->next_text = 1;
}

void
inbox_release(struct inbox *in)
{
	for (size_t i = 0; i < in->partial_count; i++)
		free(in->partials[i].have);
	free(in->partials);
	inbox_init(in);
}

/* ---- record numbers ---- */

static bool
map_get(const struct inbox *in, uint64_t number)
{
	uint64_t bit = number - in->next_missing - 1;

	return (in->map[bit / 8] >> (bit % 8) & 1) != 0;
}

/* Move the whole map down by one number. */
static bool
map_shift(struct inbox *in)
{
	bool lowest = (in->map[0] & 1) != 0;

	for (size_t i = 0; i < sizeof(in->map); i++) {
		uint8_t above = i + 1 < sizeof(in->map) ? in->map[i + 1] : 0;
		in->map[i] = (uint8_t)(in->map[i] >> 1 | above << 7);
	}
	in->next_missing++;
	return lowest;
}

static bool
number_known(const struct inbox *in, uint64_t number)
{
	if (number < in->next_missing)
		return true;
	return number > in->next_missing && map_get(in, number);
}

static void
number_mark(struct inbox *in, uint64_t number)
{
	uint64_t bit;

	if (number == in->next_missing) {
		while (map_shift(in))
			;
		return;
	}
	bit = number - in->next_missing - 1;
	in->map[bit / 8] = (uint8_t)(in->map[bit / 8] | 1u << (bit % 8));
}

/* ---- partial messages ---- */

struct inbox_partial *
inbox_find(const struct inbox *in, enum record_type type, uint64_t number)
{
	for (size_t i = 0; i < in->partial_count; i++)
		if (in->partials[i].type == type && in->partials[i].number == number)
			return &in->partials[i];
	return NULL;
}

static enum err
partials_reserve(struct inbox *in)
{
	size_t room = in->partial_room > 0 ? 2 * in->partial_room : 4;
	struct inbox_partial *grown;

	if (in->partial_count < in->partial_room)
		return ERR_OK;
	grown = realloc(in->partials, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	in->partials = grown;
	in->partial_room = room;
	return ERR_OK;
}

static enum err
partial_add(struct inbox *in, struct inbox_partial **out, enum record_type type, uint64_t number,
    uint32_t of)
{
	struct inbox_partial *m;
	uint8_t *have;
	enum err e = partials_reserve(in);

	if (e != ERR_OK)
		return e;
	have = calloc(1, of / 8 + 1);
	if (have == NULL)
		return ERR_MEMORY;
	m = &in->partials[in->partial_count++];
	*m = (struct inbox_partial){ .type = type, .number = number, .of = of, .have = have };
	*out = m;
	return ERR_OK;
}

/* Whether a fragment fits what is known of its message and our limits. */
static bool
fragment_fits(const struct inbox *in, const struct inbox_partial *m, const struct record_header *h)
{
	if (m != NULL)
		return m->of == h->of && (m->have[h->fragment / 8] >> (h->fragment % 8) & 1) == 0;
	if (in->partial_count >= INBOX_PARTIAL_MAX || h->of > FRAGMENTS_MAX)
		return false;
	if (h->type == RECORD_TEXT)
		return h->message >= in->next_text && h->of <= POST_TEXT_MAX / 512 + 1;
	return h->of >= 2 || h->fragment == 0;
}

static enum err
fragment_store(struct inbox_partial *m, const struct record_header *h, const uint8_t *content)
{
	struct inbox_manifest f;

	if (m->type == RECORD_FILE && h->fragment == 0) {
		enum err e = inbox_manifest_decode(&f, content, h->length);
		if (e != ERR_OK)
			return e;
		m->size = f.size;
		memcpy(m->hash, f.hash, sizeof(m->hash));
		memcpy(m->name, f.name, sizeof(m->name));
	}
	if (m->type == RECORD_TEXT)
		m->size += h->length;
	m->have[h->fragment / 8] = (uint8_t)(m->have[h->fragment / 8] | 1u << (h->fragment % 8));
	m->got++;
	return ERR_OK;
}

enum err
inbox_take(struct inbox *in, enum inbox_verdict *verdict, const struct record_header *h,
    const uint8_t *content, int64_t now_ms)
{
	struct inbox_partial *m;
	enum err e;

	if (number_known(in, h->number)) {
		*verdict = INBOX_KNOWN;
		return ERR_OK;
	}
	if (h->number - in->next_missing > RECORD_ACK_MAP_BITS) {
		*verdict = INBOX_BEYOND;
		return ERR_OK;
	}
	m = inbox_find(in, h->type, h->message);
	*verdict = INBOX_REFUSED;
	if (fragment_fits(in, m, h)) {
		e = m != NULL ? ERR_OK : partial_add(in, &m, h->type, h->message, h->of);
		if (e != ERR_OK)
			return e;
		if (m->got == 0)
			m->first_ms = now_ms;
		if (fragment_store(m, h, content) == ERR_OK)
			*verdict = INBOX_NEW;
		else if (m->got == 0)
			inbox_shown(in, m);
	}
	number_mark(in, h->number);
	return ERR_OK;
}

/* ---- showing ---- */

bool
inbox_ready(const struct inbox *in, const struct inbox_partial **out, int64_t now_ms,
    int64_t retention_ms)
{
	const struct inbox_partial *best = NULL;

	for (size_t i = 0; i < in->partial_count; i++) {
		const struct inbox_partial *m = &in->partials[i];
		if (m->got < m->of)
			continue;
		if (m->type != RECORD_TEXT || m->number <= in->next_text) {
			*out = m;
			return true;
		}
		/* an earlier text is missing: its sender gave it up, or it still comes */
		if (now_ms - m->first_ms >= retention_ms &&
		    (best == NULL || m->number < best->number))
			best = m;
	}
	*out = best;
	return best != NULL;
}

void
inbox_shown(struct inbox *in, const struct inbox_partial *m)
{
	size_t i = (size_t)(m - in->partials);

	if (m->got > 0 && m->type == RECORD_TEXT && m->number >= in->next_text)
		in->next_text = m->number + 1;
	free(in->partials[i].have);
	in->partials[i] = in->partials[--in->partial_count];
}

/* ---- acknowledgements ---- */

void
inbox_ack(const struct inbox *in, struct record_ack *out)
{
	out->next_missing = in->next_missing;
	memcpy(out->map, in->map, sizeof(out->map));
}

void
inbox_owe(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms)
{
	int64_t hour = params_scaled(p, HOUR_MS), from = now_ms;

	in->ack_owed = true;
	if (in->ack_due_ms != 0)
		return;
	/* at most one alone per hour */
	if (in->last_ack_ms != 0 && from < in->last_ack_ms + hour && from >= in->last_ack_ms)
		from = in->last_ack_ms + hour;
	in->ack_due_ms = rng_between(r, from, from + hour);
}

void
inbox_acked(struct inbox *in, bool alone, int64_t now_ms)
{
	in->ack_owed = false;
	in->ack_due_ms = 0;
	if (alone)
		in->last_ack_ms = now_ms;
}

bool
inbox_ack_due(const struct inbox *in, int64_t now_ms)
{
	return in->ack_owed && in->ack_due_ms != 0 && now_ms >= in->ack_due_ms;
}

/* ---- the manifest ---- */

enum err
inbox_manifest_encode(uint8_t out[static INBOX_MANIFEST_MAX], size_t *len,
    const struct inbox_manifest *m)
{
	size_t n = strnlen(m->name, sizeof(m->name));
	struct writer w;
	enum err e;

	if (n == 0 || n >= sizeof(m->name))
		return ERR_RANGE;
	writer_init(&w, out, INBOX_MANIFEST_MAX);
	writer_u64(&w, m->size);
	writer_copy(&w, m->hash, sizeof(m->hash));
	writer_u8(&w, (uint8_t)n);
	writer_copy(&w, m->name, n);
	e = writer_end(&w);
	if (e == ERR_OK)
		*len = w.used;
	return e;
}

/* A name from outside becomes a plain file name: no separators, no controls, no leading dot. */
static void
name_clean(char *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || (i == 0 && c == '.'))
			name[i] = '_';
	}
	name[n] = '\0';
}

enum err
inbox_manifest_decode(struct inbox_manifest *out, const uint8_t *p, size_t n)
{
	struct inbox_manifest m;
	struct reader r;
	size_t len;

	memset(&m, 0, sizeof(m));
	reader_init(&r, p, n);
	m.size = reader_u64(&r);
	reader_copy(&r, m.hash, sizeof(m.hash));
	len = reader_u8(&r);
	if (len == 0 || len >= sizeof(m.name) || m.size > POST_FILE_MAX)
		return ERR_RANGE;
	reader_copy(&r, m.name, len);
	name_clean(m.name, len);
	if (reader_end(&r) != ERR_OK)
		return reader_end(&r);
	*out = m;
	return ERR_OK;
}

/* ---- save and load ---- */

static enum err
save_partial(const struct inbox_partial *m, struct buf *out, size_t max)
{
	uint8_t head[1 + 8 + 8 + 4 + 4 + 8 + 8 + 32 + POST_FILE_NAME_MAX];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	writer_u8(&w, (uint8_t)m->type);
	writer_u64(&w, m->number);
	writer_u64(&w, m->id);
	writer_u32(&w, m->of);
	writer_u32(&w, m->got);
	writer_u64(&w, m->size);
	writer_u64(&w, (uint64_t)m->first_ms);
	writer_copy(&w, m->hash, sizeof(m->hash));
	writer_copy(&w, m->name, sizeof(m->name));
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, sizeof(head), max);
	return e == ERR_OK ? buf_append(out, m->have, m->of / 8 + 1, max) : e;
}

enum err
inbox_save(const struct inbox *in, struct buf *out, size_t max)
{
	uint8_t head[8 + RECORD_ACK_MAP_BYTES + 8 + 8 + 8 + 4];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	writer_u64(&w, in->next_missing);
	writer_copy(&w, in->map, sizeof(in->map));
	writer_u64(&w, in->next_text);
	writer_u64(&w, (uint64_t)in->ack_due_ms);
	writer_u64(&w, (uint64_t)in->last_ack_ms);
	writer_u32(&w, (uint32_t)in->partial_count);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, sizeof(head), max);
	for (size_t i = 0; i < in->partial_count && e == ERR_OK; i++)
		e = save_partial(&in->partials[i], out, max);
	return e;
}

static void
load_head(struct inbox_partial *m, struct reader *r)
{
	memset(m, 0, sizeof(*m));
	m->type = reader_u8(r);
	m->number = reader_u64(r);
	m->id = reader_u64(r);
	m->of = reader_u32(r);
	m->got = reader_u32(r);
	m->size = reader_u64(r);
	m->first_ms = (int64_t)reader_u64(r);
	reader_copy(r, m->hash, sizeof(m->hash));
	reader_copy(r, m->name, sizeof(m->name));
	m->name[sizeof(m->name) - 1] = '\0';
}

static enum err
load_partial(struct inbox *in, struct reader *r)
{
	struct inbox_partial head, *m;
	const uint8_t *have;
	enum err e;

	load_head(&head, r);
	if (reader_ok(r) && (head.of == 0 || head.of > FRAGMENTS_MAX || head.got > head.of))
		return ERR_MALFORMED;
	have = reader_view(r, head.of / 8 + 1);
	if (have == NULL)
		return ERR_TRUNCATED;
	e = partial_add(in, &m, head.type, head.number, head.of);
	if (e != ERR_OK)
		return e;
	memcpy(m->have, have, head.of / 8 + 1);
	head.have = m->have;
	*m = head;
	return ERR_OK;
}

enum err
inbox_load(struct inbox *in, struct reader *r)
{
	uint32_t count;
	enum err e;

	inbox_init(in);
	in->next_missing = reader_u64(r);
	reader_copy(r, in->map, sizeof(in->map));
	in->next_text = reader_u64(r);
	/* nobody knows whether the last acknowledgement left: owe one again */
	in->ack_owed = in->next_missing > 1 || sodium_is_zero(in->map, sizeof(in->map)) == 0;
	in->ack_due_ms = (int64_t)reader_u64(r);
	in->last_ack_ms = (int64_t)reader_u64(r);
	count = reader_u32(r);
	if (!reader_ok(r))
		return ERR_TRUNCATED;
	e = count > INBOX_PARTIAL_MAX || in->next_missing == 0 ? ERR_RANGE : ERR_OK;
	for (uint32_t i = 0; i < count && e == ERR_OK; i++)
		e = load_partial(in, r);
	if (e != ERR_OK)
		inbox_release(in);
	return e;
}
