#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/founding.h"
#include "client-lib/post_state.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"

#define BULK_ONE_IN 4 /* bulk takes at most one slot in four */
#define FOUNDING_ONE_IN 4 /* slots */

size_t
post_chunk_bytes(const struct post *p)
{
	return record_content_max(p->cfg.params.record_size);
}

/* ---- queueing ---- */

static enum err
recipient(const struct post *p, struct contact **out, uint32_t id, struct diag *d)
{
	struct contact *c = post_contact(p, id);

	if (c == NULL)
		return diag_set(d, ERR_NOT_FOUND, "no such contact");
	if (c->blocked)
		return diag_set(d, ERR_STATE, "\"%s\" is blocked; unblock the contact first", c->name);
	*out = c;
	return ERR_OK;
}

static enum err
queue_message(struct post *p, struct contact *c, const struct post_message *info, bool ready,
    struct diag *d)
{
	struct outbox_message *m;
	struct post_write key, w;
	enum err e = post_put_message_prepare(p, &w, info);

	if (e != ERR_OK)
		return e;
	e = outbox_add(&c->outbox, &m, info, ready);
	if (e != ERR_OK) { /* nothing is left behind that would be sent, or shown */
		sodium_memzero(w.data, w.len);
		free(w.data);
	}
	if (e == ERR_FULL)
		return diag_set(d, e, "%d messages are waiting for \"%s\" already; wait or cancel some",
		    OUTBOX_MESSAGES_MAX, c->name);
	if (e != ERR_OK)
		return e;
	/* while it is not known which numbers were used, it has none */
	if ((c->restart.flags & FOUNDING_LOST) == 0)
		outbox_number(&c->outbox, m);
	post_key_message(&key, info->id);
	post_put_prepared(p, &key, &w);
	p->last_message = info->id;
	return ERR_OK;
}

static enum err
put_text(struct post *p, uint64_t id, const char *text, size_t n, uint32_t of)
{
	size_t chunk = post_chunk_bytes(p);
	struct post_write key;
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < of && e == ERR_OK; i++) {
		size_t at = i * chunk, len = n - at < chunk ? n - at : chunk;
		post_key_out(&key, id, i);
		e = post_put(p, &key, text + at, len);
	}
	return e;
}

enum err
post_send_text(struct post *p, uint64_t *message, uint32_t contact, const char *text, size_t n,
    int64_t now_ms, struct diag *d)
{
	struct post_message info = { .id = p->last_message + 1,
		.contact = contact,
		.time_ms = post_minute(now_ms),
		.size = n };
	struct contact *c;
	enum err e = recipient(p, &c, contact, d);

	if (e != ERR_OK)
		return e;
	if (n == 0 || n > POST_TEXT_MAX)
		return diag_set(d, ERR_RANGE, "a message has 1 to %u bytes; send longer ones as a file",
		    POST_TEXT_MAX);
	if (!contact_utf8(text, n))
		return diag_set(d, ERR_MALFORMED,
		    "the message is not UTF-8 text; send it as a file instead");
	info.of = (uint32_t)((n + post_chunk_bytes(p) - 1) / post_chunk_bytes(p));
	e = put_text(p, info.id, text, n, info.of);
	if (e == ERR_OK)
		e = queue_message(p, c, &info, true, d);
	if (e == ERR_OK)
		*message = info.id;
	return e;
}

enum err
post_file_begin(struct post *p, uint64_t *message, uint32_t contact, const char *name,
    uint64_t size, int64_t now_ms, struct diag *d)
{
	struct post_message info = { .id = p->last_message + 1,
		.contact = contact,
		.file = true,
		.time_ms = post_minute(now_ms),
		.size = size };
	size_t n = strnlen(name, sizeof(info.name)), chunk = post_chunk_bytes(p);
	struct contact *c;
	enum err e = recipient(p, &c, contact, d);

	if (e != ERR_OK)
		return e;
	if (size > POST_FILE_MAX)
		return diag_set(d, ERR_RANGE, "a file has at most %u MiB; this one is larger",
		    POST_FILE_MAX >> 20);
	if (n == 0 || n >= sizeof(info.name) || !contact_utf8(name, n))
		return diag_set(d, ERR_MALFORMED, "a file's name has 1 to %d bytes of UTF-8",
		    POST_FILE_NAME_MAX - 1);
	memcpy(info.name, name, n);
	info.of = 1 + (uint32_t)((size + chunk - 1) / chunk);
	e = queue_message(p, c, &info, false, d);
	if (e == ERR_OK)
		*message = info.id;
	return e;
}

static struct outbox_message *
find_message(const struct post *p, struct contact **contact, uint64_t id)
{
	for (size_t i = 0; i < p->contact_count; i++) {
		struct outbox_message *m = outbox_find(&p->contacts[i]->outbox, id);
		if (m == NULL)
			continue;
		*contact = p->contacts[i];
		return m;
	}
	return NULL;
}

enum err
post_file_commit(struct post *p, uint64_t message, const uint8_t hash[static 32], struct diag *d)
{
	uint8_t manifest[INBOX_MANIFEST_MAX];
	struct inbox_manifest f = { 0 };
	struct post_write key;
	struct contact *c;
	size_t n;
	struct outbox_message *m = find_message(p, &c, message);
	enum err e;

	if (m == NULL)
		return diag_set(d, ERR_NOT_FOUND, "no such message");
	f.size = m->info.size;
	memcpy(f.hash, hash, sizeof(f.hash));
	memcpy(f.name, m->info.name, sizeof(f.name));
	memcpy(m->info.hash, hash, sizeof(m->info.hash));
	e = inbox_manifest_encode(manifest, &n, &f);
	post_key_out(&key, message, 0);
	if (e == ERR_OK)
		e = post_put(p, &key, manifest, n);
	if (e == ERR_OK)
		e = post_put_message(p, &m->info);
	if (e == ERR_OK)
		m->ready = true;
	return e;
}

enum err
post_cancel(struct post *p, uint64_t message)
{
	struct contact *c;
	struct outbox_message *m = find_message(p, &c, message);
	struct post_message info;
	enum err e;

	if (m == NULL)
		return ERR_NOT_FOUND;
	info = m->info;
	e = outbox_cancel(&c->outbox, message);
	return e == ERR_OK ? post_delete(p, &info) : e;
}

bool
post_live_message(const struct post *p, uint64_t id, struct post_message *out)
{
	struct contact *c;
	const struct outbox_message *m = find_message(p, &c, id);

	if (m == NULL)
		return false;
	*out = m->info;
	return true;
}

/* ---- choosing ---- */

static struct contact *
turn_contact(const struct post *p, size_t i)
{
	return p->contacts[(p->turn + i) % p->contact_count];
}

static bool
choose(struct post *p, enum post_choice choice, const struct contact *c)
{
	p->choice = choice;
	p->choice_contact = c->id;
	return true;
}

static bool
choose_answer(struct post *p, int64_t now_ms)
{
	for (size_t i = 0; i < p->contact_count; i++) {
		const struct contact *c = turn_contact(p, i);
		if (c->state != POST_ANSWERING || c->blocked || c->attempt >= INVITE_ATTEMPTS ||
		    now_ms >= c->invite.expires_ms)
			continue;
		if (c->answering.count == 0 || outbox_sealing_due(&c->answering))
			return choose(p, POST_CHOICE_ANSWER, c);
	}
	return false;
}

static bool
choose_founding(struct post *p, int64_t now_ms)
{
	/* a restart founds for all contacts: that is to be no burst */
	if (p->slot + 1 < p->founding_slot + FOUNDING_ONE_IN)
		return false;
	for (size_t i = 0; i < p->contact_count; i++) {
		const struct contact *c = turn_contact(p, i);
		if (post_founding_due(p, c, now_ms))
			return choose(p, POST_CHOICE_FOUNDING, c);
	}
	return false;
}

static bool
choose_record(struct post *p, struct post_need *need, bool bulk, int64_t now_ms)
{
	uint32_t epoch = timing_epoch(&p->cfg.params, now_ms);

	for (size_t i = 0; i < p->contact_count; i++) {
		const struct contact *c = turn_contact(p, i);
		if (c->blocked || !contact_writable(c))
			continue;
		outbox_choose(&p->pick, &c->outbox, stream_writer_index(c->writer), bulk, epoch);
		if (p->pick.choice == OUTBOX_NOTHING)
			continue;
		*need = (struct post_need){ .kind = POST_NEED_CONTENT,
			.message = p->pick.message,
			.fragment = p->pick.fragment };
		return choose(p, POST_CHOICE_RECORD, c);
	}
	return false;
}

static bool
choose_ack(struct post *p, int64_t now_ms)
{
	for (size_t i = 0; i < p->contact_count; i++) {
		const struct contact *c = turn_contact(p, i);
		if (c->blocked || !contact_writable(c) || !inbox_ack_due(&c->inbox, now_ms) ||
		    outbox_window_closed(&c->outbox, stream_writer_index(c->writer)))
			continue;
		return choose(p, POST_CHOICE_ACK, c);
	}
	return false;
}

bool
post_next(struct post *p, struct post_need *need, int64_t now_ms)
{
	bool bulk = p->slot + 1 >= p->bulk_slot + BULK_ONE_IN;

	*need = (struct post_need){ .kind = POST_NEED_NONE };
	p->choice = POST_CHOICE_NONE;
	if (p->sealed != POST_CHOICE_NONE || p->contact_count == 0)
		return false;
	if (choose_answer(p, now_ms) || choose_founding(p, now_ms) || choose_record(p, need, false, now_ms) ||
	    choose_ack(p, now_ms))
		return true;
	return bulk && choose_record(p, need, true, now_ms);
}

/* ---- sealing ---- */

/* Of a founded stream the peer knows the first generation before anything goes on it. */
static uint64_t
seen_index(const struct contact *c)
{
	uint64_t index = stream_writer_index(c->writer);

	return c->restart.generation != 0 && stream_generation(index) == c->restart.generation
	    ? stream_generation_start(index) + 1 : c->outbox.seen_index;
}

static void
fill_header(struct post *p, struct contact *c, struct record_header *h, int64_t now_ms)
{
	renewal_begin(&c->renewal, c->writer, seen_index(c),
	    params_scaled(&p->cfg.params, RENEWAL_MS), p->cfg.keys, now_ms);
	renewal_fill(&c->renewal, c->writer, h);
	inbox_ack(&c->inbox, &h->ack);
	p->sealed_serial = c->inbox.ack_serial;
	h->ack.highest_index = stream_reader_seen(c->reader);
	h->epoch_block = p->epoch_block;
}

static enum err
seal_plaintext(struct post *p, struct contact *c, uint8_t *record, struct record_header *h,
    const void *content, int64_t now_ms)
{
	size_t size = p->cfg.params.record_size;
	uint8_t *plaintext = secret_new(record_plaintext_bytes(size));
	enum err e;

	if (plaintext == NULL)
		return ERR_MEMORY;
	fill_header(p, c, h, now_ms);
	e = record_encode(plaintext, size, h, content);
	if (e == ERR_OK)
		e = stream_seal(c->writer, record, size, plaintext, p->cfg.keys);
	secret_free(plaintext);
	return e;
}

static void
made(struct post *p, struct outbox_sealing *s, const uint8_t *record, struct path *path,
    const struct path *drawn)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];

	block_record_digest(digest, record, p->cfg.params.record_size);
	if (s->path.hops == 0)
		s->path = *drawn;
	*path = s->path;
	outbox_sealing_made(s, digest, &p->times, p->cfg.rng);
}

static enum err
seal_answer(struct post *p, struct contact *c, uint8_t *record, struct path *path,
    const struct path *drawn)
{
	struct invite_answer a;
	enum err e;

	memcpy(a.own_identity_sk, p->identity_sk, 32);
	memcpy(a.own_identity_pk, p->identity_pk, 32);
	memcpy(a.f, c->f, 32);
	a.own_mailbox = p->cfg.mailbox;
	e = invite_answer_record(record, p->cfg.params.record_size, &c->invite, &a, c->attempt,
	    p->cfg.keys);
	sodium_memzero(&a, sizeof(a));
	if (e != ERR_OK)
		return e;
	c->attempt++;
	made(p, &c->answering, record, path, drawn);
	return ERR_OK;
}

static enum err
seal_founding(struct post *p, struct contact *c, uint8_t *record, struct path *path,
    const struct path *drawn, int64_t now_ms)
{
	enum err e = post_founding_seal(p, c, record, now_ms);

	if (e == ERR_OK)
		made(p, &c->restart.sealing, record, path, drawn);
	return e;
}

static enum err
seal_record(struct post *p, struct contact *c, uint8_t *record, struct path *path,
    const struct path *drawn, const void *content, size_t n, int64_t now_ms)
{
	struct outbox_record *r;
	struct outbox_message *m;
	struct record_header h = { .length = (uint32_t)n };
	enum err e = outbox_begin(&c->outbox, &p->pick, &r, &m,
	    timing_epoch(&p->cfg.params, now_ms));

	if (e != ERR_OK)
		return e;
	h.type = m->info.file ? RECORD_FILE : RECORD_TEXT;
	h.number = r->number;
	h.behind = outbox_behind(&c->outbox, r);
	h.message = m->number;
	h.fragment = r->fragment;
	h.of = m->info.of;
	e = seal_plaintext(p, c, record, &h, content, now_ms);
	if (e != ERR_OK)
		return e;
	made(p, &r->sealing, record, path, drawn);
	p->sealed_number = r->number;
	p->sealed_bulk = r->bulk;
	return ERR_OK;
}

static enum err
seal_ack(struct post *p, struct contact *c, uint8_t *record, struct path *path,
    const struct path *drawn, int64_t now_ms)
{
	struct record_header h = { .type = RECORD_ACK };
	enum err e = seal_plaintext(p, c, record, &h, NULL, now_ms);

	if (e != ERR_OK)
		return e;
	inbox_ack_alone(&c->inbox, now_ms);
	*path = *drawn;
	return ERR_OK;
}

enum err
post_seal(struct post *p, uint8_t *record, uint16_t *mailbox, struct path *path,
    const struct path *drawn, const void *content, size_t n, int64_t now_ms)
{
	struct contact *c = post_contact(p, p->choice_contact);
	enum err e = ERR_STATE;

	p->sealed_bulk = false;
	if (c == NULL || p->sealed != POST_CHOICE_NONE)
		return ERR_STATE;
	switch (p->choice) {
	case POST_CHOICE_NONE:
		break;
	case POST_CHOICE_ANSWER:
		e = seal_answer(p, c, record, path, drawn);
		break;
	case POST_CHOICE_RECORD:
		e = seal_record(p, c, record, path, drawn, content, n, now_ms);
		break;
	case POST_CHOICE_ACK:
		e = seal_ack(p, c, record, path, drawn, now_ms);
		break;
	case POST_CHOICE_FOUNDING:
		e = seal_founding(p, c, record, path, drawn, now_ms);
		break;
	}
	if (e == ERR_OK) {
		*mailbox = c->mailbox;
		p->sealed = p->choice;
		p->sealed_contact = c->id;
		p->turn = (p->turn + 1) % p->contact_count;
	}
	p->choice = POST_CHOICE_NONE;
	return e;
}

static void
mend_contact(struct post *p, struct contact *c, const struct charter *charter,
    struct path *leaving)
{
	(void)path_mend(&c->answering.path, charter, p->cfg.rng);
	if (p->sealed == POST_CHOICE_ANSWER && p->sealed_contact == c->id)
		*leaving = c->answering.path;
	(void)path_mend(&c->restart.sealing.path, charter, p->cfg.rng);
	if (p->sealed == POST_CHOICE_FOUNDING && p->sealed_contact == c->id)
		*leaving = c->restart.sealing.path;
	for (size_t i = 0; i < c->outbox.record_count; i++) {
		struct outbox_record *r = &c->outbox.records[i];

		(void)path_mend(&r->sealing.path, charter, p->cfg.rng);
		if (p->sealed == POST_CHOICE_RECORD && p->sealed_contact == c->id &&
		    p->sealed_number == r->number)
			*leaving = r->sealing.path;
	}
}

void
post_change(struct post *p, const struct charter *c, struct path *leaving)
{
	p->cfg.params = c->params;
	p->times.forecast_ms = params_forecast_ms(&c->params);
	for (size_t i = 0; i < p->contact_count; i++)
		mend_contact(p, p->contacts[i], c, leaving);
	if (p->sealed == POST_CHOICE_ACK)
		(void)path_mend(leaving, c, p->cfg.rng);
}

void
post_sent(struct post *p, int64_t now_ms)
{
	struct contact *c = post_contact(p, p->sealed_contact);
	struct post_changed changed = { p, c };

	if (c != NULL && p->sealed == POST_CHOICE_ANSWER)
		c->answering.sent = c->answering.left = true;
	if (c != NULL && p->sealed == POST_CHOICE_FOUNDING)
		c->restart.sealing.sent = c->restart.sealing.left = true;
	if (p->sealed == POST_CHOICE_FOUNDING)
		p->founding_slot = p->slot;
	if (c != NULL && p->sealed == POST_CHOICE_RECORD)
		outbox_sent(&c->outbox, p->sealed_number, now_ms, post_message_changed, &changed);
	if (c != NULL && (p->sealed == POST_CHOICE_RECORD || p->sealed == POST_CHOICE_ACK))
		inbox_acked(&c->inbox, p->sealed_serial);
	if (p->sealed_bulk)
		p->bulk_slot = p->slot;
	p->sealed = POST_CHOICE_NONE;
}

void
post_unsent(struct post *p)
{
	struct contact *c = post_contact(p, p->sealed_contact);

	if (c != NULL && p->sealed == POST_CHOICE_ANSWER) {
		c->answering.sent = true;
		c->answering.wait_ms = 0;
	}
	if (c != NULL && p->sealed == POST_CHOICE_FOUNDING) {
		c->restart.sealing.sent = true;
		c->restart.sealing.wait_ms = 0;
	}
	if (c != NULL && p->sealed == POST_CHOICE_RECORD)
		outbox_unsent(&c->outbox, p->sealed_number);
	p->sealed = POST_CHOICE_NONE;
}

void
post_content_lost(struct post *p)
{
	struct contact *c = post_contact(p, p->choice_contact);
	struct post_changed changed = { p, c };

	if (c != NULL && p->choice == POST_CHOICE_RECORD)
		outbox_fail(&c->outbox, p->pick.message, post_message_changed, &changed);
	p->choice = POST_CHOICE_NONE;
}
