#include "config.h"

#include "client-lib/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/founding.h"
#include "common/crypto/stream.h"

#define BULK_RESERVE 200 /* bulk stops so many indices before texts do */

void
outbox_init(struct outbox *o)
{
	memset(o, 0, sizeof(*o));
	o->next_number = 1;
	o->next_text = 1;
	o->next_file = 1;
}

void
outbox_release(struct outbox *o)
{
	for (size_t i = 0; i < o->message_count; i++)
		free(o->messages[i]);
	free(o->messages);
	free(o->records);
	outbox_init(o);
}

/* ---- messages ---- */

static enum err
messages_reserve(struct outbox *o)
{
	size_t room = o->message_room > 0 ? 2 * o->message_room : 16;
	struct outbox_message **grown;

	if (o->message_count < o->message_room)
		return ERR_OK;
	if (o->message_count >= OUTBOX_MESSAGES_MAX)
		return ERR_FULL;
	grown = realloc(o->messages, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	o->messages = grown;
	o->message_room = room;
	return ERR_OK;
}

enum err
outbox_add(struct outbox *o, struct outbox_message **out, const struct post_message *info,
    bool ready)
{
	struct outbox_message *m;
	enum err e = messages_reserve(o);

	if (e != ERR_OK)
		return e;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ERR_MEMORY;
	m->info = *info;
	m->ready = ready;
	o->messages[o->message_count++] = m;
	*out = m;
	return ERR_OK;
}

void
outbox_number(struct outbox *o, struct outbox_message *m)
{
	if (m->number == 0)
		m->number = m->info.file ? o->next_file++ : o->next_text++;
}

static size_t
message_position(const struct outbox *o, uint64_t id)
{
	size_t i = 0;

	while (i < o->message_count && o->messages[i]->info.id != id)
		i++;
	return i;
}

struct outbox_message *
outbox_find(const struct outbox *o, uint64_t id)
{
	size_t i = message_position(o, id);

	return i < o->message_count ? o->messages[i] : NULL;
}

static void
message_remove(struct outbox *o, size_t i)
{
	free(o->messages[i]);
	o->message_count--;
	memmove(&o->messages[i], &o->messages[i + 1],
	    (o->message_count - i) * sizeof(o->messages[0]));
}

enum err
outbox_cancel(struct outbox *o, uint64_t id)
{
	size_t i = message_position(o, id);

	if (i == o->message_count)
		return ERR_NOT_FOUND;
	if (o->messages[i]->next_fragment > 0)
		return ERR_STATE;
	message_remove(o, i);
	return ERR_OK;
}

/* ---- choosing ---- */

/* Indices in use above what the peer has seen, of this generation of the stream. */
static uint64_t
index_lead(const struct outbox *o, uint64_t index)
{
	uint64_t start = stream_generation_start(index);
	uint64_t seen = o->seen_index > start ? o->seen_index : start;

	return index > seen ? index - seen : 0;
}

bool
outbox_window_closed(const struct outbox *o, uint64_t index)
{
	return index_lead(o, index) >= STREAM_WINDOW / 2;
}

/* The least record number that is alive. */
static uint64_t
floor_number(const struct outbox *o)
{
	return o->record_count > 0 ? o->records[0].number : o->next_number;
}

uint16_t
outbox_behind(const struct outbox *o, const struct outbox_record *r)
{
	return (uint16_t)(r->number - floor_number(o));
}

/* The peer's map reaches so far above the oldest record. */
static bool
number_free(const struct outbox *o)
{
	return o->next_number - floor_number(o) <= RECORD_ACK_MAP_BITS;
}

static bool
pick_again(struct outbox_pick *out, const struct outbox *o, bool bulk)
{
	for (size_t i = 0; i < o->record_count; i++) {
		const struct outbox_record *r = &o->records[i];
		if (r->bulk != bulk || !outbox_sealing_due(&r->sealing))
			continue;
		*out = (struct outbox_pick){ .choice = OUTBOX_AGAIN,
			.message = r->message,
			.fragment = r->fragment,
			.record = i,
			.bulk = bulk };
		return true;
	}
	return false;
}

static bool
pick_fresh(struct outbox_pick *out, const struct outbox *o, bool bulk)
{
	for (size_t i = 0; i < o->message_count && number_free(o); i++) {
		const struct outbox_message *m = o->messages[i];
		if (!m->ready || m->info.file != bulk || m->next_fragment >= m->info.of)
			continue;
		*out = (struct outbox_pick){ .choice = OUTBOX_FRESH,
			.message = m->info.id,
			.fragment = m->next_fragment,
			.bulk = bulk };
		return true;
	}
	return false;
}

static void
pick_exception(struct outbox_pick *out, const struct outbox *o, bool bulk, uint32_t epoch)
{
	if (o->exception_epoch == epoch + 1)
		return;
	if (o->record_count == 0 && !pick_fresh(out, o, false) && bulk)
		(void)pick_fresh(out, o, true);
	if (o->record_count > 0 && (bulk || !o->records[0].bulk))
		*out = (struct outbox_pick){ .choice = OUTBOX_AGAIN,
			.message = o->records[0].message,
			.fragment = o->records[0].fragment,
			.record = 0,
			.bulk = o->records[0].bulk };
	out->exception = out->choice != OUTBOX_NOTHING;
}

void
outbox_choose(struct outbox_pick *out, const struct outbox *o, uint64_t index, bool bulk,
    uint32_t epoch)
{
	uint64_t lead = index_lead(o, index);

	*out = (struct outbox_pick){ .choice = OUTBOX_NOTHING };
	if (outbox_window_closed(o, index)) {
		if (lead < STREAM_WINDOW)
			pick_exception(out, o, bulk, epoch);
		return;
	}
	if (pick_again(out, o, false) || pick_fresh(out, o, false))
		return;
	if (!bulk || lead >= STREAM_WINDOW / 2 - BULK_RESERVE)
		return;
	if (!pick_again(out, o, true))
		(void)pick_fresh(out, o, true);
}

static enum err
records_reserve(struct outbox *o)
{
	size_t room = o->record_room > 0 ? 2 * o->record_room : 16;
	struct outbox_record *grown;

	if (o->record_count < o->record_room)
		return ERR_OK;
	grown = realloc(o->records, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	o->records = grown;
	o->record_room = room;
	return ERR_OK;
}

static enum err
begin_fresh(struct outbox *o, struct outbox_message *m, struct outbox_record **out)
{
	struct outbox_record *r;
	enum err e = records_reserve(o);

	if (e != ERR_OK)
		return e;
	outbox_number(o, m);
	r = &o->records[o->record_count++];
	*r = (struct outbox_record){ .number = o->next_number++,
		.message = m->info.id,
		.fragment = m->next_fragment++,
		.bulk = m->info.file };
	*out = r;
	return ERR_OK;
}

static enum err
begin_again(struct outbox *o, const struct outbox_pick *p, struct outbox_record **out)
{
	if (p->record >= o->record_count || o->records[p->record].message != p->message ||
	    o->records[p->record].fragment != p->fragment)
		return ERR_STATE;
	*out = &o->records[p->record];
	return ERR_OK;
}

enum err
outbox_begin(struct outbox *o, const struct outbox_pick *p, struct outbox_record **record,
    struct outbox_message **message, uint32_t epoch)
{
	struct outbox_message *m = outbox_find(o, p->message);
	enum err e = ERR_STATE;

	if (m == NULL)
		return ERR_STATE;
	if (p->choice == OUTBOX_AGAIN)
		e = begin_again(o, p, record);
	else if (p->choice == OUTBOX_FRESH && m->next_fragment == p->fragment)
		e = begin_fresh(o, m, record);
	if (e != ERR_OK)
		return e;
	if (p->exception)
		o->exception_epoch = epoch + 1;
	*message = m;
	return ERR_OK;
}

/* ---- sealings ---- */

/* Uniform in [least, 4 least], neither beyond an epoch; the next one is twice as long. */
static void
draw_wait(struct outbox_sealing *s, const struct outbox_times *t, const struct rng *r)
{
	int64_t least = s->backoff_ms > 0 ? s->backoff_ms : 2 * t->forecast_ms;

	if (least > t->epoch_ms)
		least = t->epoch_ms;
	s->wait_ms = rng_between(r, least, 4 * least < t->epoch_ms ? 4 * least : t->epoch_ms);
	s->backoff_ms = 2 * least;
}

void
outbox_sealing_made(struct outbox_sealing *s, const uint8_t digest[static BLOCK_DIGEST_BYTES],
    const struct outbox_times *t, const struct rng *r)
{
	memcpy(s->digests[s->count % OUTBOX_DIGESTS], digest, BLOCK_DIGEST_BYTES);
	s->count++;
	s->sent = false;
	s->stored = false;
	draw_wait(s, t, r);
}

bool
outbox_sealing_block(struct outbox_sealing *s, const struct block *b, int64_t passed_ms,
    int64_t now_ms)
{
	uint32_t n = s->count < OUTBOX_DIGESTS ? s->count : OUTBOX_DIGESTS;

	if (s->stored)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!block_has_digest(b, s->digests[i]))
			continue;
		s->stored = true;
		s->stored_ms = now_ms;
		return true;
	}
	if (s->sent)
		s->wait_ms -= passed_ms;
	return false;
}

bool
outbox_sealing_due(const struct outbox_sealing *s)
{
	return !s->stored && (s->count == 0 || (s->sent && s->wait_ms <= 0));
}

/* ---- what the network tells ---- */

static struct outbox_record *
record_find(struct outbox *o, uint64_t number)
{
	for (size_t i = 0; i < o->record_count; i++)
		if (o->records[i].number == number)
			return &o->records[i];
	return NULL;
}

/* A message's state is that of its slowest fragment. */
static enum post_state
message_state(const struct outbox_message *m)
{
	if (m->info.done == m->info.of)
		return POST_DELIVERED;
	if (m->stored == m->info.of)
		return POST_STORED;
	if (m->sent == m->info.of)
		return POST_SENT;
	return POST_QUEUED;
}

/* Count the fragments anew; whether anything a person sees has changed. States only go up. */
static bool
message_update(const struct outbox *o, struct outbox_message *m)
{
	uint32_t sent = m->sent;
	enum post_state state;

	m->sent = m->stored = m->info.done;
	for (size_t i = 0; i < o->record_count; i++) {
		if (o->records[i].message != m->info.id)
			continue;
		m->sent += o->records[i].sealing.left;
		m->stored += o->records[i].sealing.stored;
	}
	state = message_state(m);
	if (state <= m->info.state)
		return m->sent != sent;
	m->info.state = state;
	return true;
}

void
outbox_sent(struct outbox *o, uint64_t number, int64_t now_ms, outbox_changed *each, void *arg)
{
	struct outbox_record *r = record_find(o, number);
	struct outbox_message *m;

	if (r == NULL)
		return;
	r->sealing.sent = true;
	r->sealing.left = true;
	if (r->sealing.left_ms == 0)
		r->sealing.left_ms = now_ms;
	m = outbox_find(o, r->message);
	if (m != NULL && message_update(o, m))
		each(arg, m);
}

void
outbox_unsent(struct outbox *o, uint64_t number)
{
	struct outbox_record *r = record_find(o, number);

	if (r == NULL)
		return;
	r->sealing.sent = true;
	r->sealing.wait_ms = 0;
}

void
outbox_block(struct outbox *o, const struct block *b, int64_t passed_ms, int64_t now_ms,
    outbox_changed *each, void *arg)
{
	for (size_t i = 0; i < o->record_count; i++) {
		struct outbox_record *r = &o->records[i];
		if (!outbox_sealing_block(&r->sealing, b, passed_ms, now_ms))
			continue;
		struct outbox_message *m = outbox_find(o, r->message);
		if (m != NULL && message_update(o, m))
			each(arg, m);
	}
}

static bool
ack_covers(const struct record_ack *a, uint64_t number)
{
	if (number < a->next_missing)
		return true;
	if (number == a->next_missing || number - a->next_missing > RECORD_ACK_MAP_BITS)
		return false;
	uint64_t bit = number - a->next_missing - 1;
	return (a->map[bit / 8] >> (bit % 8) & 1) != 0;
}

/* Take the acknowledged records out; their messages have `info.done` raised. */
static void
records_done(struct outbox *o, const struct record_ack *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->record_count; i++) {
		struct outbox_record *r = &o->records[i];
		if (!ack_covers(a, r->number)) {
			o->records[kept++] = *r;
			continue;
		}
		struct outbox_message *m = outbox_find(o, r->message);
		if (m != NULL)
			m->info.done++;
	}
	o->record_count = kept;
}

/* The peer has it: count it, and forget it. */
static void
message_given(struct outbox *o, size_t i)
{
	if (o->messages[i]->info.file)
		o->given_files++;
	else
		o->given_texts++;
	message_remove(o, i);
}

void
outbox_acknowledge(struct outbox *o, const struct record_ack *a, uint64_t index,
    outbox_changed *each, void *arg)
{
	if (a->next_missing > o->next_number || a->highest_index > index)
		return;
	records_done(o, a);
	if (a->highest_index > o->seen_index)
		o->seen_index = a->highest_index;
	for (size_t i = 0; i < o->message_count;) {
		struct outbox_message *m = o->messages[i];
		bool moved = m->acknowledged != m->info.done;
		m->acknowledged = m->info.done;
		if (message_update(o, m) || moved)
			each(arg, m);
		if (m->info.state == POST_DELIVERED)
			message_given(o, i);
		else
			i++;
	}
}

void
outbox_doubt(struct outbox *o, const struct outbox_times *t, const struct rng *r)
{
	for (size_t i = 0; i < o->record_count; i++) {
		struct outbox_sealing *s = &o->records[i].sealing;
		if (!s->stored)
			continue;
		s->stored = false;
		s->sent = true;
		s->backoff_ms = 0;
		draw_wait(s, t, r);
	}
}

/*
 * Seal anew when nine tenths of the retention are over. Given up after so many
 * lives, or so long after it first left if the journal never showed it.
 */
static bool
renew_life(struct outbox_sealing *s, const struct outbox_times *t, int64_t now_ms)
{
	if (s->left && s->left_ms == 0)
		s->left_ms = now_ms; /* it was so before a restart */
	if (s->left && now_ms - s->left_ms >= OUTBOX_LIVES * t->retention_ms)
		return false;
	if (!s->stored || now_ms - s->stored_ms < t->retention_ms / 10 * 9)
		return true;
	if (s->lives + 1 >= OUTBOX_LIVES)
		return false;
	s->lives++;
	s->stored = false;
	s->sent = true;
	s->wait_ms = 0;
	s->backoff_ms = 0;
	return true;
}

static void
message_fail(struct outbox *o, struct outbox_message *m, outbox_changed *each, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->record_count; i++)
		if (o->records[i].message != m->info.id)
			o->records[kept++] = o->records[i];
	o->record_count = kept;
	m->info.state = POST_FAILED;
	each(arg, m);
	message_remove(o, message_position(o, m->info.id));
}

void
outbox_fail(struct outbox *o, uint64_t id, outbox_changed *each, void *arg)
{
	struct outbox_message *m = outbox_find(o, id);

	if (m != NULL)
		message_fail(o, m, each, arg);
}

/* A message is late while a record of it is not in the journal so long after it left. */
static void
messages_late(struct outbox *o, const struct outbox_times *t, int64_t now_ms,
    outbox_changed *each, void *arg)
{
	for (size_t i = 0; i < o->record_count; i++) {
		const struct outbox_sealing *s = &o->records[i].sealing;
		if (!s->left || s->stored || now_ms - s->left_ms <= 3 * t->forecast_ms)
			continue;
		struct outbox_message *m = outbox_find(o, o->records[i].message);
		if (m != NULL)
			m->overdue = m->info.state < POST_STORED;
	}
	for (size_t i = 0; i < o->message_count; i++) {
		struct outbox_message *m = o->messages[i];
		bool late = m->overdue;
		m->overdue = false;
		if (late == m->info.late)
			continue;
		m->info.late = late;
		each(arg, m);
	}
}

void
outbox_tick(struct outbox *o, const struct outbox_times *t, int64_t now_ms,
    outbox_changed *each, void *arg)
{
	for (size_t i = 0; i < o->record_count;) {
		struct outbox_message *m = outbox_find(o, o->records[i].message);
		if (m == NULL || renew_life(&o->records[i].sealing, t, now_ms)) {
			i++;
			continue;
		}
		message_fail(o, m, each, arg);
		i = 0;
	}
	messages_late(o, t, now_ms, each, arg);
}

/* ---- a restart ---- */

uint64_t
outbox_floor(const struct outbox *o)
{
	return floor_number(o);
}

void
outbox_restart(struct outbox *o, outbox_changed *each, void *arg)
{
	o->record_count = 0;
	o->exception_epoch = 0;
	for (size_t i = 0; i < o->message_count; i++) {
		struct outbox_message *m = o->messages[i];
		m->next_fragment = m->sent = m->stored = m->acknowledged = 0;
		m->info.done = 0;
		if (m->info.state == POST_QUEUED && !m->info.late)
			continue;
		/* each state is proven: of the new stream nothing is yet */
		m->info.state = POST_QUEUED;
		m->info.late = false;
		each(arg, m);
	}
}

/* The highest number that an acknowledgement covers. */
static uint64_t
ack_top(const struct record_ack *a)
{
	for (size_t bit = RECORD_ACK_MAP_BITS; bit-- > 0;)
		if ((a->map[bit / 8] >> (bit % 8) & 1) != 0)
			return a->next_missing + 1 + bit;
	return a->next_missing - 1;
}

static void
raise(uint64_t *next, uint64_t used)
{
	if (*next <= used)
		*next = used + 1;
}

void
outbox_learn(struct outbox *o, const struct founding *f, bool doubtful, outbox_changed *each,
    void *arg)
{
	raise(&o->next_number, ack_top(&f->ack));
	raise(&o->next_text, f->texts.top);
	raise(&o->next_file, f->files.top);
	for (size_t i = 0; i < o->message_count;) {
		struct outbox_message *m = o->messages[i];
		outbox_number(o, m);
		if (!inbox_done_has(m->info.file ? &f->files : &f->texts, m->number)) {
			i++;
			continue;
		}
		if (doubtful) {
			message_fail(o, m, each, arg);
			continue;
		}
		m->info.done = m->info.of;
		m->info.state = POST_DELIVERED;
		each(arg, m);
		message_given(o, i);
	}
}

void
outbox_fail_unnumbered(struct outbox *o, outbox_changed *each, void *arg)
{
	for (size_t i = 0; i < o->message_count;) {
		if (o->messages[i]->number != 0)
			i++;
		else
			message_fail(o, o->messages[i], each, arg);
	}
}

/* ---- save and load ---- */

#define SEALING_BYTES \
	(OUTBOX_DIGESTS * BLOCK_DIGEST_BYTES + 4 + 1 + 1 + 2 * ONION_HOPS_MAX + 4 * 8 + 4)

void
outbox_sealing_put(struct writer *w, const struct outbox_sealing *s)
{
	writer_copy(w, s->digests, sizeof(s->digests));
	writer_u32(w, s->count);
	writer_u8(w, s->stored);
	writer_u8(w, s->path.hops);
	for (size_t i = 0; i < ONION_HOPS_MAX; i++)
		writer_u16(w, s->path.node[i]);
	writer_u64(w, (uint64_t)s->wait_ms);
	writer_u64(w, (uint64_t)s->backoff_ms);
	writer_u64(w, (uint64_t)s->left_ms);
	writer_u64(w, (uint64_t)s->stored_ms);
	writer_u32(w, s->lives);
}

void
outbox_sealing_get(struct reader *r, struct outbox_sealing *s)
{
	reader_copy(r, s->digests, sizeof(s->digests));
	s->count = reader_u32(r);
	/* after a crash nobody knows whether the last sealing left: wait as if it had */
	s->left = s->count > 0;
	s->sent = s->left;
	s->stored = reader_u8(r) != 0;
	s->path.hops = reader_u8(r);
	for (size_t i = 0; i < ONION_HOPS_MAX; i++)
		s->path.node[i] = reader_u16(r);
	s->wait_ms = (int64_t)reader_u64(r);
	s->backoff_ms = (int64_t)reader_u64(r);
	s->left_ms = (int64_t)reader_u64(r);
	s->stored_ms = (int64_t)reader_u64(r);
	s->lives = reader_u32(r);
	if (s->path.hops > ONION_HOPS_MAX)
		reader_fail(r, ERR_MALFORMED);
}

static enum err
save_message(const struct outbox_message *m, struct buf *out, size_t max)
{
	uint8_t head[4 + 8 + 4 + 1];
	struct buf info;
	struct writer w;
	enum err e;

	buf_init(&info);
	e = post_message_encode(&info, &m->info);
	writer_init(&w, head, sizeof(head));
	writer_u32(&w, (uint32_t)info.len);
	writer_u64(&w, m->number);
	writer_u32(&w, m->next_fragment);
	writer_u8(&w, m->ready);
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, sizeof(head), max);
	if (e == ERR_OK)
		e = buf_append(out, info.data, info.len, max);
	buf_release(&info);
	return e;
}

static enum err
save_record(const struct outbox_record *r, struct buf *out, size_t max)
{
	uint8_t bytes[8 + 8 + 4 + 1 + SEALING_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	writer_u64(&w, r->number);
	writer_u64(&w, r->message);
	writer_u32(&w, r->fragment);
	writer_u8(&w, r->bulk);
	outbox_sealing_put(&w, &r->sealing);
	e = writer_end(&w);
	return e == ERR_OK ? buf_append(out, bytes, sizeof(bytes), max) : e;
}

static enum err
save_head(const struct outbox *o, struct buf *out, size_t max)
{
	uint8_t head[5 * 8 + 8 + 4 + 4 + 4];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	writer_u64(&w, o->next_number);
	writer_u64(&w, o->next_text);
	writer_u64(&w, o->next_file);
	writer_u64(&w, o->seen_index);
	writer_u32(&w, o->exception_epoch);
	writer_u64(&w, o->given_texts);
	writer_u64(&w, o->given_files);
	writer_u32(&w, (uint32_t)o->message_count);
	writer_u32(&w, (uint32_t)o->record_count);
	e = writer_end(&w);
	return e == ERR_OK ? buf_append(out, head, sizeof(head), max) : e;
}

enum err
outbox_save(const struct outbox *o, struct buf *out, size_t max)
{
	enum err e = save_head(o, out, max);

	for (size_t i = 0; i < o->message_count && e == ERR_OK; i++)
		e = save_message(o->messages[i], out, max);
	for (size_t i = 0; i < o->record_count && e == ERR_OK; i++)
		e = save_record(&o->records[i], out, max);
	return e;
}

static enum err
load_message(struct outbox *o, struct reader *r)
{
	uint32_t n = reader_u32(r);
	struct outbox_message fixed = { .number = reader_u64(r) }, *m;
	struct post_message info;
	const uint8_t *bytes;
	enum err e;

	fixed.next_fragment = reader_u32(r);
	fixed.ready = reader_u8(r) != 0;
	bytes = reader_view(r, n);
	if (bytes == NULL)
		return ERR_TRUNCATED;
	e = post_message_decode(&info, bytes, n);
	if (e == ERR_OK && (info.of == 0 || fixed.next_fragment > info.of))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = outbox_add(o, &m, &info, fixed.ready);
	if (e != ERR_OK)
		return e;
	fixed.info = info;
	fixed.acknowledged = info.done;
	*m = fixed;
	return ERR_OK;
}

/* Of a message that is there, and in order. */
static bool
record_fits(const struct outbox *o, const struct outbox_record *x)
{
	const struct outbox_message *m = outbox_find(o, x->message);
	uint64_t last = o->record_count > 0 ? o->records[o->record_count - 1].number : 0;

	return m != NULL && x->fragment < m->next_fragment && x->number > last &&
	    x->number < o->next_number && o->next_number - floor_number(o) <= RECORD_ACK_MAP_BITS + 1;
}

static enum err
load_record(struct outbox *o, struct reader *r)
{
	struct outbox_record *x;
	enum err e = records_reserve(o);

	if (e != ERR_OK)
		return e;
	x = &o->records[o->record_count];
	x->number = reader_u64(r);
	x->message = reader_u64(r);
	x->fragment = reader_u32(r);
	x->bulk = reader_u8(r) != 0;
	outbox_sealing_get(r, &x->sealing);
	if (!reader_ok(r))
		return r->err;
	if (!record_fits(o, x))
		return ERR_MALFORMED;
	o->record_count++;
	return ERR_OK;
}

enum err
outbox_load(struct outbox *o, struct reader *r, bool given)
{
	uint32_t messages, records;
	enum err e;

	outbox_init(o);
	o->next_number = reader_u64(r);
	o->next_text = reader_u64(r);
	o->next_file = reader_u64(r);
	o->seen_index = reader_u64(r);
	o->exception_epoch = reader_u32(r);
	if (given) {
		o->given_texts = reader_u64(r);
		o->given_files = reader_u64(r);
	}
	messages = reader_u32(r);
	records = reader_u32(r);
	e = reader_ok(r) ? ERR_OK : ERR_TRUNCATED;
	if (e == ERR_OK && (o->next_number == 0 || o->next_number > RECORD_NUMBER_MAX))
		e = ERR_RANGE;
	for (uint32_t i = 0; i < messages && e == ERR_OK; i++)
		e = load_message(o, r);
	for (uint32_t i = 0; i < records && e == ERR_OK; i++)
		e = load_record(o, r);
	for (size_t i = 0; i < o->message_count && e == ERR_OK; i++)
		(void)message_update(o, o->messages[i]);
	if (e != ERR_OK)
		outbox_release(o);
	return e;
}
