#include "config.h"

#include "client-lib/command/wire.h"

#include <string.h>

#define LENGTH_BYTES 4

/* ---- fields ---- */

static void
put_string(struct writer *w, const char *s, size_t n)
{
	writer_u32(w, (uint32_t)n);
	writer_copy(w, s, n);
	writer_u8(w, 0); /* so that the reader may use it in place */
}

static const char *
get_string(struct reader *r, size_t *n)
{
	uint32_t len = reader_u32(r);
	const uint8_t *p = reader_view(r, (size_t)len + 1);

	if (p == NULL || p[len] != 0 || memchr(p, 0, len) != NULL) {
		reader_fail(r, ERR_MALFORMED);
		*n = 0;
		return "";
	}
	*n = len;
	return (const char *)p;
}

static void
put_name(struct writer *w, const char *name, size_t size)
{
	put_string(w, name, strnlen(name, size - 1));
}

static void
get_name(struct reader *r, char *name, size_t size)
{
	size_t n;
	const char *s = get_string(r, &n);

	if (n >= size) {
		reader_fail(r, ERR_RANGE);
		return;
	}
	memcpy(name, s, n + 1);
}

static int
get_bool(struct reader *r)
{
	uint8_t v = reader_u8(r);

	if (v > 1)
		reader_fail(r, ERR_MALFORMED);
	return v;
}

static void
put_status(struct writer *w, const struct restante_status *s)
{
	writer_u8(w, s->online != 0);
	writer_u8(w, s->verified != 0);
	writer_u8(w, s->caught_up != 0);
	writer_u32(w, s->gaps);
	writer_u32(w, s->alarms);
	writer_u32(w, s->epoch);
	writer_u32(w, s->people);
	writer_u64(w, s->round);
	writer_u64(w, (uint64_t)s->clock_skew_ms);
	writer_u64(w, (uint64_t)s->forecast_ms);
	writer_u64(w, (uint64_t)s->slot_ms);
	writer_u64(w, s->slots);
	writer_u64(w, s->skipped);
	writer_u64(w, s->real);
	writer_u64(w, s->notes);
	writer_u64(w, s->drops);
	writer_u32(w, s->queued);
	writer_u32(w, s->unacknowledged);
	put_name(w, s->network, sizeof(s->network));
	writer_u32(w, s->time_scale);
	writer_u32(w, s->charter);
	writer_u32(w, s->coming_charter);
	writer_u32(w, s->coming_epoch);
	writer_u8(w, s->tokens_needed != 0);
	writer_u8(w, s->enrolled != 0);
	writer_u32(w, s->tickets);
	writer_u32(w, s->stamps);
	writer_u32(w, s->stamps_allotment);
	writer_u32(w, s->tokens_ahead);
	writer_u8(w, (uint8_t)s->restarted);
	writer_u64(w, (uint64_t)s->restarted_at);
	writer_u32(w, s->void_invitations);
	writer_u64(w, (uint64_t)s->half_ms);
	writer_u64(w, (uint64_t)s->most_ms);
	writer_u32(w, s->people_effective);
	writer_u32(w, s->people_least);
}

static void
get_status(struct reader *r, struct restante_status *s)
{
	s->online = get_bool(r);
	s->verified = get_bool(r);
	s->caught_up = get_bool(r);
	s->gaps = reader_u32(r);
	s->alarms = reader_u32(r);
	s->epoch = reader_u32(r);
	s->people = reader_u32(r);
	s->round = reader_u64(r);
	s->clock_skew_ms = (int64_t)reader_u64(r);
	s->forecast_ms = (int64_t)reader_u64(r);
	s->slot_ms = (int64_t)reader_u64(r);
	s->slots = reader_u64(r);
	s->skipped = reader_u64(r);
	s->real = reader_u64(r);
	s->notes = reader_u64(r);
	s->drops = reader_u64(r);
	s->queued = reader_u32(r);
	s->unacknowledged = reader_u32(r);
	get_name(r, s->network, sizeof(s->network));
	s->time_scale = reader_u32(r);
	s->charter = reader_u32(r);
	s->coming_charter = reader_u32(r);
	s->coming_epoch = reader_u32(r);
	s->tokens_needed = get_bool(r);
	s->enrolled = get_bool(r);
	s->tickets = reader_u32(r);
	s->stamps = reader_u32(r);
	s->stamps_allotment = reader_u32(r);
	s->tokens_ahead = reader_u32(r);
	s->restarted = reader_u8(r);
	s->restarted_at = (int64_t)reader_u64(r);
	s->void_invitations = reader_u32(r);
	s->half_ms = (int64_t)reader_u64(r);
	s->most_ms = (int64_t)reader_u64(r);
	s->people_effective = reader_u32(r);
	s->people_least = reader_u32(r);
	if (s->restarted > RESTANTE_RESTARTED_COPY)
		reader_fail(r, ERR_MALFORMED);
}

static void
put_tor(struct writer *w, const struct wire *m)
{
	const struct tor_status *t = &m->tor;

	writer_u8(w, m->through_tor);
	if (!m->through_tor)
		return;
	writer_u8(w, t->own);
	writer_u8(w, (uint8_t)t->state);
	writer_u8(w, (uint8_t)t->key);
	writer_u8(w, (uint8_t)t->bootstrap.progress);
	writer_u8(w, t->bootstrap.trouble);
	put_name(w, t->bootstrap.tag, sizeof(t->bootstrap.tag));
	writer_u32(w, t->starts);
	put_name(w, t->version, sizeof(t->version));
	put_name(w, t->why.text, sizeof(t->why.text));
}

static void
get_tor(struct reader *r, struct wire *m)
{
	struct tor_status *t = &m->tor;

	m->through_tor = get_bool(r);
	if (!m->through_tor)
		return;
	t->own = get_bool(r);
	t->state = reader_u8(r);
	t->key = reader_u8(r);
	t->bootstrap.progress = reader_u8(r);
	t->bootstrap.trouble = get_bool(r);
	get_name(r, t->bootstrap.tag, sizeof(t->bootstrap.tag));
	t->starts = reader_u32(r);
	get_name(r, t->version, sizeof(t->version));
	get_name(r, t->why.text, sizeof(t->why.text));
	if (t->state > TOR_READY || t->key > TOR_KEY_REFUSED || t->bootstrap.progress > 100)
		reader_fail(r, ERR_MALFORMED);
}

static void
put_contact(struct writer *w, const struct restante_contact *c)
{
	writer_u32(w, c->id);
	put_name(w, c->name, sizeof(c->name));
	writer_u8(w, (uint8_t)c->state);
	writer_u8(w, c->verified != 0);
	writer_u8(w, c->blocked != 0);
	put_name(w, c->safety_number, sizeof(c->safety_number));
	writer_u32(w, c->queued);
	writer_u32(w, c->unacknowledged);
	writer_u8(w, c->renews != 0);
	writer_u32(w, c->renewed_sending);
	writer_u32(w, c->renewed_receiving);
	writer_u8(w, c->restarting != 0);
	writer_u8(w, c->contested != 0);
	writer_u8(w, c->stranded != 0);
	writer_u64(w, c->lost_texts);
	writer_u64(w, c->lost_files);
	writer_u8(w, c->peer_restored != 0);
	writer_u64(w, (uint64_t)c->peer_restart);
}

static void
get_contact(struct reader *r, struct restante_contact *c)
{
	c->id = reader_u32(r);
	get_name(r, c->name, sizeof(c->name));
	c->state = reader_u8(r);
	c->verified = get_bool(r);
	c->blocked = get_bool(r);
	get_name(r, c->safety_number, sizeof(c->safety_number));
	c->queued = reader_u32(r);
	c->unacknowledged = reader_u32(r);
	c->renews = get_bool(r);
	c->renewed_sending = reader_u32(r);
	c->renewed_receiving = reader_u32(r);
	c->restarting = get_bool(r);
	c->contested = get_bool(r);
	c->stranded = get_bool(r);
	c->lost_texts = reader_u64(r);
	c->lost_files = reader_u64(r);
	c->peer_restored = get_bool(r);
	c->peer_restart = (int64_t)reader_u64(r);
	if (c->state > RESTANTE_CONTACT_ESTABLISHED)
		reader_fail(r, ERR_MALFORMED);
}

static void
put_message(struct writer *w, const struct restante_message *m)
{
	writer_u64(w, m->id);
	writer_u32(w, m->contact);
	writer_u8(w, m->incoming != 0);
	writer_u8(w, m->is_file != 0);
	writer_u8(w, m->late != 0);
	writer_u8(w, (uint8_t)m->state);
	writer_u64(w, (uint64_t)m->time);
	writer_u64(w, m->size);
	writer_u32(w, m->done);
	writer_u32(w, m->of);
	put_name(w, m->name, sizeof(m->name));
}

static void
get_message(struct reader *r, struct restante_message *m)
{
	m->id = reader_u64(r);
	m->contact = reader_u32(r);
	m->incoming = get_bool(r);
	m->is_file = get_bool(r);
	m->late = get_bool(r);
	m->state = reader_u8(r);
	m->time = (int64_t)reader_u64(r);
	m->size = reader_u64(r);
	m->done = reader_u32(r);
	m->of = reader_u32(r);
	get_name(r, m->name, sizeof(m->name));
	if (m->state > RESTANTE_FAILED)
		reader_fail(r, ERR_MALFORMED);
}

static void
put_evidence(struct writer *w, const struct restante_evidence *e)
{
	put_name(w, e->kind, sizeof(e->kind));
	writer_u64(w, e->number);
	put_name(w, e->text, sizeof(e->text));
	put_name(w, e->sentence, sizeof(e->sentence));
}

static void
get_evidence(struct reader *r, struct restante_evidence *e)
{
	get_name(r, e->kind, sizeof(e->kind));
	e->number = reader_u64(r);
	get_name(r, e->text, sizeof(e->text));
	get_name(r, e->sentence, sizeof(e->sentence));
}

/* ---- messages: each type's fields, written and read side by side ---- */

static void
put_fields(struct writer *w, const struct wire *m)
{
	switch (m->type) {
	case WIRE_STATUS:
	case WIRE_CONTACTS:
	case WIRE_FOLLOW:
	case WIRE_STOP:
	case WIRE_EVIDENCE:
		break;
	case WIRE_INVITE:
	case WIRE_ACCEPT:
	case WIRE_CHANGE:
	case WIRE_SEND_TEXT:
	case WIRE_SEND_FILE:
	case WIRE_MESSAGE:
	case WIRE_SAVE:
	case WIRE_DELETE:
	case WIRE_CANCEL:
	case WIRE_RETENTION:
	case WIRE_BACKUP:
	case WIRE_IS_INVITATION:
		put_name(w, m->name, sizeof(m->name));
		writer_u64(w, m->number);
		put_string(w, m->text, m->text_len);
		break;
	case WIRE_DONE:
		writer_u32(w, (uint32_t)m->code);
		put_string(w, m->text, m->text_len);
		break;
	case WIRE_IS_STATUS:
		put_status(w, &m->status);
		put_tor(w, m);
		break;
	case WIRE_IS_CONTACT:
		put_contact(w, &m->contact);
		break;
	case WIRE_IS_EVENT:
	case WIRE_IS_MESSAGE:
		writer_u8(w, (uint8_t)m->event);
		put_message(w, &m->message);
		put_name(w, m->name, sizeof(m->name));
		put_string(w, m->text, m->text_len);
		break;
	case WIRE_IS_QUEUED:
		writer_u64(w, m->number);
		writer_u64(w, m->seconds);
		writer_u64(w, m->bytes);
		writer_u64(w, m->half_ms);
		writer_u64(w, m->most_ms);
		break;
	case WIRE_IS_EVIDENCE:
		put_evidence(w, &m->evidence);
		break;
	}
}

static void
get_fields(struct reader *r, struct wire *m)
{
	switch (m->type) {
	case WIRE_STATUS:
	case WIRE_CONTACTS:
	case WIRE_FOLLOW:
	case WIRE_STOP:
	case WIRE_EVIDENCE:
		return;
	case WIRE_INVITE:
	case WIRE_ACCEPT:
	case WIRE_CHANGE:
	case WIRE_SEND_TEXT:
	case WIRE_SEND_FILE:
	case WIRE_MESSAGE:
	case WIRE_SAVE:
	case WIRE_DELETE:
	case WIRE_CANCEL:
	case WIRE_RETENTION:
	case WIRE_BACKUP:
	case WIRE_IS_INVITATION:
		get_name(r, m->name, sizeof(m->name));
		m->number = reader_u64(r);
		m->text = get_string(r, &m->text_len);
		return;
	case WIRE_DONE:
		m->code = (int32_t)reader_u32(r);
		m->text = get_string(r, &m->text_len);
		return;
	case WIRE_IS_STATUS:
		get_status(r, &m->status);
		get_tor(r, m);
		return;
	case WIRE_IS_CONTACT:
		get_contact(r, &m->contact);
		return;
	case WIRE_IS_EVENT:
	case WIRE_IS_MESSAGE:
		m->event = reader_u8(r);
		get_message(r, &m->message);
		get_name(r, m->name, sizeof(m->name));
		m->text = get_string(r, &m->text_len);
		if (m->event > RESTANTE_EVENT_STATUS)
			reader_fail(r, ERR_MALFORMED);
		return;
	case WIRE_IS_QUEUED:
		m->number = reader_u64(r);
		m->seconds = reader_u64(r);
		m->bytes = reader_u64(r);
		m->half_ms = reader_u64(r);
		m->most_ms = reader_u64(r);
		return;
	case WIRE_IS_EVIDENCE:
		get_evidence(r, &m->evidence);
		return;
	}
	reader_fail(r, ERR_MALFORMED); /* a type of no message */
}

enum err
wire_encode(struct buf *out, const struct wire *m)
{
	size_t room = 2048 + m->text_len;
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, room, out->len + room, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, room);
	writer_u32(&w, 0);
	writer_u8(&w, (uint8_t)m->type);
	put_fields(&w, m);
	e = writer_end(&w);
	if (e == ERR_OK && w.used > WIRE_MESSAGE_MAX)
		e = ERR_RANGE;
	if (e != ERR_OK)
		return e;
	store_u32(space, (uint32_t)(w.used - LENGTH_BYTES));
	out->len += w.used;
	return ERR_OK;
}

enum err
wire_length(size_t *len, const uint8_t *p, size_t n)
{
	size_t want;

	*len = 0;
	if (n < LENGTH_BYTES)
		return ERR_OK;
	want = (size_t)load_u32(p) + LENGTH_BYTES;
	if (want > WIRE_MESSAGE_MAX)
		return ERR_RANGE;
	if (n >= want)
		*len = want;
	return ERR_OK;
}

enum err
wire_decode(struct wire *out, const uint8_t *p, size_t len)
{
	struct wire m;
	struct reader r;
	enum err e;

	memset(&m, 0, sizeof(m));
	m.text = "";
	reader_init(&r, p, len);
	(void)reader_u32(&r);
	m.type = reader_u8(&r);
	get_fields(&r, &m);
	e = reader_end(&r);
	if (e == ERR_OK)
		*out = m;
	return e;
}
