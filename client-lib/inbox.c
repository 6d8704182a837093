#include "config.h"

#include "client-lib/inbox.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/contact.h"

#define HOUR_MS ((int64_t)3600000)
/* of a saved state: the most fragments of a file at the least size of records */
#define FRAGMENTS_MAX (POST_FILE_MAX / 512 + 2)

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

/* Within the map's reach, or below it. */
static bool
number_in_reach(const struct inbox *in, uint64_t number)
{
	return number <= in->next_missing || number - in->next_missing <= RECORD_ACK_MAP_BITS;
}

static bool
number_known(const struct inbox *in, uint64_t number)
{
	if (number < in->next_missing)
		return true;
	return number != in->next_missing && map_get(in, number);
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

/* All numbers below `floor` are settled. */
static void
numbers_settle(struct inbox *in, uint64_t floor)
{
	if (!number_in_reach(in, floor)) {
		memset(in->map, 0, sizeof(in->map));
		in->next_missing = floor;
	}
	while (in->next_missing < floor)
		if (map_shift(in) && in->next_missing == floor)
			number_mark(in, floor);
}

void
inbox_settle(struct inbox *in, uint64_t floor)
{
	if (floor > in->next_missing)
		numbers_settle(in, floor);
}

/* ---- messages that are done ---- */

bool
inbox_done_has(const struct inbox_done *d, uint64_t number)
{
	uint64_t back;

	if (number > d->top)
		return false;
	back = d->top - number;
	return back >= 8 * INBOX_DONE_BYTES || (d->map[back / 8] >> (back % 8) & 1) != 0;
}

/* Its bit says so: after a restart its sender may not know that we had it. */
static bool
done_surely(const struct inbox_done *d, uint64_t number)
{
	return d->top - number < 8 * INBOX_DONE_BYTES && inbox_done_has(d, number);
}

/* Move the map up by n numbers. */
static void
done_raise(struct inbox_done *d, uint64_t n)
{
	size_t bytes = n / 8 < sizeof(d->map) ? (size_t)(n / 8) : sizeof(d->map);
	unsigned bits = (unsigned)(n % 8);

	memmove(d->map + bytes, d->map, sizeof(d->map) - bytes);
	memset(d->map, 0, bytes);
	for (size_t i = sizeof(d->map); bits > 0 && i-- > 0;) {
		unsigned below = i > 0 ? d->map[i - 1] : 0;
		d->map[i] = (uint8_t)((unsigned)d->map[i] << bits | below >> (8 - bits));
	}
	d->top += n;
}

static void
done_mark(struct inbox_done *d, uint64_t number)
{
	uint64_t back;

	if (number > d->top)
		done_raise(d, number - d->top);
	back = d->top - number;
	if (back < 8 * INBOX_DONE_BYTES)
		d->map[back / 8] = (uint8_t)(d->map[back / 8] | 1u << (back % 8));
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

struct inbox_partial *
inbox_find_id(const struct inbox *in, uint64_t id)
{
	for (size_t i = 0; id != 0 && i < in->partial_count; i++)
		if (in->partials[i].id == id)
			return &in->partials[i];
	return NULL;
}

bool
inbox_partial_has(const struct inbox_partial *m, uint32_t fragment)
{
	return (m->have[fragment / 8] >> (fragment % 8) & 1) != 0;
}

static size_t
count_of(const struct inbox *in, enum record_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < in->partial_count; i++)
		n += in->partials[i].type == type;
	return n;
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

/* Whether a first fragment begins a message that an honest sender would begin. */
static bool
beginning_fits(const struct inbox *in, const struct record_header *h, size_t content_max)
{
	size_t most = h->type == RECORD_TEXT ? POST_TEXT_MAX : POST_FILE_MAX;
	size_t chunks = (most + content_max - 1) / content_max;

	if (h->type == RECORD_TEXT)
		return count_of(in, RECORD_TEXT) < INBOX_TEXTS_MAX && h->of <= chunks;
	return count_of(in, RECORD_FILE) < INBOX_FILES_MAX && h->of <= chunks + 1;
}

/* Whether a fragment fits what is known of its message and our limits. */
static bool
fragment_fits(const struct inbox *in, const struct inbox_partial *m, const struct record_header *h,
    size_t content_max)
{
	if (m == NULL)
		return beginning_fits(in, h, content_max);
	if (m->of != h->of || inbox_partial_has(m, h->fragment))
		return false;
	return m->type != RECORD_TEXT || m->size + h->length <= POST_TEXT_MAX;
}

static bool
manifest_store(struct inbox_partial *m, const struct record_header *h, const uint8_t *content)
{
	struct inbox_manifest f;

	if (inbox_manifest_decode(&f, content, h->length) != ERR_OK)
		return false;
	m->size = f.size;
	memcpy(m->hash, f.hash, sizeof(m->hash));
	memcpy(m->name, f.name, sizeof(m->name));
	return true;
}

static bool
fragment_store(struct inbox_partial *m, const struct record_header *h, const uint8_t *content,
    int64_t now_ms)
{
	if (m->type == RECORD_FILE && h->fragment == 0 && !manifest_store(m, h, content))
		return false;
	if (m->type == RECORD_TEXT)
		m->size += h->length;
	m->have[h->fragment / 8] = (uint8_t)(m->have[h->fragment / 8] | 1u << (h->fragment % 8));
	m->got++;
	m->last_ms = now_ms;
	if (m->lowest == 0 || h->number < m->lowest)
		m->lowest = h->number;
	return !m->unwanted;
}

/* A record whose number is new. */
static enum err
take_new(struct inbox *in, enum inbox_verdict *verdict, const struct record_header *h,
    const uint8_t *content, size_t content_max, int64_t now_ms)
{
	struct inbox_partial *m = inbox_find(in, h->type, h->message);

	*verdict = INBOX_REFUSED;
	if (done_surely(h->type == RECORD_TEXT ? &in->texts : &in->files, h->message))
		return ERR_OK;
	if (!fragment_fits(in, m, h, content_max))
		return ERR_OK;
	if (m == NULL) {
		enum err e = partial_add(in, &m, h->type, h->message, h->of);
		if (e != ERR_OK)
			return e;
	}
	if (fragment_store(m, h, content, now_ms))
		*verdict = INBOX_NEW;
	else if (m->got == 0)
		inbox_drop(in, m);
	return ERR_OK;
}

enum err
inbox_take(struct inbox *in, enum inbox_verdict *verdict, const struct record_header *h,
    const uint8_t *content, size_t content_max, int64_t now_ms)
{
	enum err e = ERR_OK;

	/* behind is at most the map's bits, so that the number is within its reach now */
	numbers_settle(in, h->number - h->behind);
	if (number_known(in, h->number)) {
		*verdict = INBOX_KNOWN;
		return ERR_OK;
	}
	e = take_new(in, verdict, h, content, content_max, now_ms);
	if (e == ERR_OK)
		number_mark(in, h->number);
	return e;
}

/* ---- showing ---- */

/*
 * A text's turn has come if it is the next one, or if every record number below
 * its own is settled: a sender numbers the records of a text before those of
 * the next, so no earlier text is still on its way.
 */
static bool
turn_has_come(const struct inbox *in, const struct inbox_partial *m)
{
	return m->type != RECORD_TEXT || m->number <= in->next_text ||
	    m->lowest < in->next_missing || in->closing;
}

bool
inbox_ready(const struct inbox *in, const struct inbox_partial **out)
{
	const struct inbox_partial *best = NULL;

	for (size_t i = 0; i < in->partial_count; i++) {
		const struct inbox_partial *m = &in->partials[i];
		if (m->got < m->of || m->unwanted || !turn_has_come(in, m))
			continue;
		if (best == NULL || m->type > best->type ||
		    (m->type == best->type && m->number < best->number))
			best = m;
	}
	if (best == NULL)
		return false;
	*out = best;
	return true;
}

void
inbox_drop(struct inbox *in, const struct inbox_partial *m)
{
	size_t i = (size_t)(m - in->partials);

	if (m->got == m->of && m->type == RECORD_TEXT) {
		done_mark(&in->texts, m->number);
		in->done_texts++;
	} else if (m->got == m->of) {
		done_mark(&in->files, m->number);
		in->done_files++;
	}
	free(in->partials[i].have);
	in->partials[i] = in->partials[--in->partial_count];
}

void
inbox_shown(struct inbox *in, const struct inbox_partial *m)
{
	if (m->type == RECORD_TEXT && m->number >= in->next_text)
		in->next_text = m->number + 1;
	inbox_drop(in, m);
}

bool
inbox_dead(const struct inbox *in, const struct inbox_partial **out, int64_t now_ms,
    int64_t given_up_ms)
{
	for (size_t i = 0; i < in->partial_count; i++) {
		const struct inbox_partial *m = &in->partials[i];
		bool whole = m->got == m->of;
		bool passed = m->type == RECORD_TEXT && m->number < in->next_text;
		bool silent = m->type == RECORD_FILE && now_ms - m->last_ms >= given_up_ms;
		if (whole ? !m->unwanted : !passed && !silent && !in->closing)
			continue;
		*out = m;
		return true;
	}
	return false;
}

void
inbox_close(struct inbox *in, bool closing)
{
	uint64_t least = in->texts.top < 8 * INBOX_DONE_BYTES
	    ? 1 : in->texts.top - 8 * INBOX_DONE_BYTES + 1;

	in->closing = closing;
	if (closing)
		return;
	/* those that were passed may come after all */
	while (inbox_done_has(&in->texts, least))
		least++;
	in->next_text = least;
}

/* ---- acknowledgements ---- */

void
inbox_ack(const struct inbox *in, struct record_ack *out)
{
	out->next_missing = in->next_missing;
	memcpy(out->map, in->map, sizeof(out->map));
}

void
inbox_draw(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms)
{
	int64_t hour = params_scaled(p, HOUR_MS), from = now_ms;

	/* a time out of reach was drawn before the clock was set back */
	if (!in->ack_owed || (in->ack_due_ms != 0 && in->ack_due_ms - now_ms <= 2 * hour))
		return;
	/* at most one alone per hour; a clock that was set back does not count */
	if (in->last_ack_ms != 0 && from < in->last_ack_ms + hour && from >= in->last_ack_ms)
		from = in->last_ack_ms + hour;
	in->ack_due_ms = rng_between(r, from, from + hour);
}

void
inbox_owe(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms)
{
	in->ack_owed = true;
	in->ack_serial++;
	inbox_draw(in, p, r, now_ms);
}

void
inbox_ack_alone(struct inbox *in, int64_t now_ms)
{
	in->last_ack_ms = now_ms;
	in->ack_due_ms = 0;
}

void
inbox_acked(struct inbox *in, uint32_t serial)
{
	if (in->ack_serial != serial)
		return;
	in->ack_owed = false;
	in->ack_due_ms = 0;
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
	contact_utf8_clean(name, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || (i == 0 && c == '.'))
			name[i] = '_';
		if (c == 0xc2 && (unsigned char)name[i + 1] < 0xa0) /* C1 */
			name[i] = name[i + 1] = '_';
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
	uint8_t head[1 + 5 * 8 + 2 * 4 + 8 + 1 + 32 + 1 + POST_FILE_NAME_MAX];
	size_t n = strnlen(m->name, sizeof(m->name) - 1);
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	writer_u8(&w, (uint8_t)m->type);
	writer_u64(&w, m->number);
	writer_u64(&w, m->lowest);
	writer_u64(&w, m->store);
	writer_u64(&w, m->id);
	writer_u32(&w, m->of);
	writer_u32(&w, m->got);
	writer_u64(&w, m->size);
	writer_u64(&w, (uint64_t)m->last_ms);
	writer_u8(&w, m->unwanted);
	writer_copy(&w, m->hash, sizeof(m->hash));
	writer_u8(&w, (uint8_t)n);
	writer_copy(&w, m->name, n);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, w.used, max);
	return e == ERR_OK ? buf_append(out, m->have, m->of / 8 + 1, max) : e;
}

static void
put_done(struct writer *w, const struct inbox_done *d, uint64_t count)
{
	writer_u64(w, count);
	writer_u64(w, d->top);
	writer_copy(w, d->map, sizeof(d->map));
}

static void
get_done(struct reader *r, struct inbox_done *d, uint64_t *count)
{
	*count = reader_u64(r);
	d->top = reader_u64(r);
	reader_copy(r, d->map, sizeof(d->map));
	if (d->top > RECORD_NUMBER_MAX)
		reader_fail(r, ERR_RANGE);
}

enum err
inbox_save(const struct inbox *in, struct buf *out, size_t max)
{
	uint8_t head[8 + RECORD_ACK_MAP_BYTES + 8 + 1 + 8 + 8 + 2 * (8 + 8 + INBOX_DONE_BYTES) + 4];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	writer_u64(&w, in->next_missing);
	writer_copy(&w, in->map, sizeof(in->map));
	writer_u64(&w, in->next_text);
	writer_u8(&w, in->ack_owed);
	writer_u64(&w, (uint64_t)in->ack_due_ms);
	writer_u64(&w, (uint64_t)in->last_ack_ms);
	put_done(&w, &in->texts, in->done_texts);
	put_done(&w, &in->files, in->done_files);
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
	size_t n;

	memset(m, 0, sizeof(*m));
	m->type = reader_u8(r);
	m->number = reader_u64(r);
	m->lowest = reader_u64(r);
	m->store = reader_u64(r);
	m->id = reader_u64(r);
	m->of = reader_u32(r);
	m->got = reader_u32(r);
	m->size = reader_u64(r);
	m->last_ms = (int64_t)reader_u64(r);
	m->unwanted = reader_u8(r) != 0;
	reader_copy(r, m->hash, sizeof(m->hash));
	n = reader_u8(r);
	if (n >= sizeof(m->name))
		reader_fail(r, ERR_MALFORMED);
	else
		reader_copy(r, m->name, n);
}

static bool
head_fits(const struct inbox *in, const struct inbox_partial *m)
{
	return (m->type == RECORD_TEXT || m->type == RECORD_FILE) && m->of > 0 &&
	    m->of <= FRAGMENTS_MAX && m->got > 0 && m->got <= m->of &&
	    inbox_find(in, m->type, m->number) == NULL;
}

static enum err
load_partial(struct inbox *in, struct reader *r)
{
	struct inbox_partial head, *m;
	const uint8_t *have;
	enum err e;

	load_head(&head, r);
	if (!reader_ok(r))
		return r->err;
	if (!head_fits(in, &head))
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
inbox_load(struct inbox *in, struct reader *r, bool done)
{
	uint32_t count;
	enum err e;

	inbox_init(in);
	in->next_missing = reader_u64(r);
	reader_copy(r, in->map, sizeof(in->map));
	in->next_text = reader_u64(r);
	in->ack_owed = reader_u8(r) != 0;
	in->ack_due_ms = (int64_t)reader_u64(r);
	in->last_ack_ms = (int64_t)reader_u64(r);
	if (done) {
		get_done(r, &in->texts, &in->done_texts);
		get_done(r, &in->files, &in->done_files);
	}
	count = reader_u32(r);
	if (!reader_ok(r))
		return r->err;
	e = count > INBOX_TEXTS_MAX + INBOX_FILES_MAX || in->next_missing == 0 ||
		in->next_missing > RECORD_NUMBER_MAX + 1
	    ? ERR_RANGE : ERR_OK;
	for (uint32_t i = 0; i < count && e == ERR_OK; i++)
		e = load_partial(in, r);
	if (e != ERR_OK)
		inbox_release(in);
	return e;
}
