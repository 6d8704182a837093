#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/post_state.h"
#include "common/base/secret.h"

/* ---- what a record brought ---- */

static void
describe_partial(const struct contact *c, const struct inbox_partial *m, int64_t now_ms,
    struct post_message *out)
{
	*out = (struct post_message){ .id = m->id,
		.contact = c->id,
		.incoming = true,
		.file = m->type == RECORD_FILE,
		.state = POST_DELIVERED,
		.time_ms = post_minute(now_ms),
		.store = m->store,
		.size = m->size,
		.done = m->got,
		.of = m->of };
	memcpy(out->hash, m->hash, sizeof(out->hash));
	memcpy(out->name, m->name, sizeof(out->name));
}

/* A file is known by an id from its first fragment on, so that its progress shows. */
static enum err
file_progress(struct post *p, const struct contact *c, struct inbox_partial *m, int64_t now_ms)
{
	struct post_news news = { .kind = POST_NEWS_PROGRESS, .contact = c->id };

	if (m->type != RECORD_FILE || m->got == m->of)
		return ERR_OK;
	if (m->id == 0)
		m->id = ++p->last_message;
	describe_partial(c, m, now_ms, &news.message);
	post_tell(p, &news);
	return post_put_message(p, &news.message);
}

enum err
post_show_ready(struct post *p, struct contact *c, int64_t now_ms)
{
	const struct inbox_partial *m;
	struct post_news news = { .kind = POST_NEWS_MESSAGE, .contact = c->id };
	enum err e = ERR_OK;

	while (e == ERR_OK && inbox_ready(&c->inbox, &m)) {
		describe_partial(c, m, now_ms, &news.message);
		if (news.message.id == 0)
			news.message.id = p->last_message + 1;
		e = post_put_message(p, &news.message);
		if (e != ERR_OK)
			break;
		if (m->id == 0)
			p->last_message = news.message.id;
		inbox_shown(&c->inbox, m);
		post_tell(p, &news);
	}
	while (e == ERR_OK &&
	    inbox_dead(&c->inbox, &m, now_ms, OUTBOX_LIVES * p->times.retention_ms)) {
		e = post_delete_partial(p, m);
		if (e == ERR_OK)
			inbox_drop(&c->inbox, m);
	}
	return e;
}

/* Nothing may fail between marking a record as received and keeping its content. */
static enum err
keep_fragment(struct post *p, struct contact *c, enum inbox_verdict *verdict,
    const struct record_header *h, const uint8_t *content, int64_t now_ms)
{
	struct inbox_partial *m;
	struct post_write w, key;
	enum err e = post_put_prepare(p, &w, content, h->length);

	if (e != ERR_OK)
		return e;
	e = inbox_take(&c->inbox, verdict, h, content, post_chunk_bytes(p), now_ms);
	if (e == ERR_OK && *verdict == INBOX_NEW) {
		m = inbox_find(&c->inbox, h->type, h->message);
		if (m->store == 0)
			m->store = ++p->last_store;
		post_key_in(&key, m->store, h->fragment);
		post_put_prepared(p, &key, &w);
	}
	if (e == ERR_OK)
		inbox_owe(&c->inbox, &p->cfg.params, p->cfg.rng, now_ms);
	if (w.data != NULL)
		sodium_memzero(w.data, h->length);
	free(w.data);
	return e;
}

static bool
has_content(const struct contact *c, const struct record_header *h)
{
	return h->type != RECORD_ACK && !c->blocked;
}

static enum err
show_content(struct post *p, struct contact *c, enum inbox_verdict verdict,
    const struct record_header *h, int64_t now_ms)
{
	enum err e = ERR_OK;

	if (verdict == INBOX_NEW)
		e = file_progress(p, c, inbox_find(&c->inbox, h->type, h->message), now_ms);
	return e == ERR_OK ? post_show_ready(p, c, now_ms) : e;
}

/* The inviter is heard for the first time: what we sent before it may not have been for it. */
static void
first_heard(struct post *p, struct contact *c)
{
	contact_establish(c);
	outbox_doubt(&c->outbox, &p->times, p->cfg.rng);
	post_tell_contact(p, c);
}

/* What fails here for want of memory is done at the peer's next record, or at a tick. */
static enum err
take_header(struct post *p, struct contact *c, const struct record_header *h, uint64_t index,
    enum inbox_verdict verdict, int64_t now_ms)
{
	struct post_changed changed = { p, c };
	enum err e;

	outbox_acknowledge(&c->outbox, &h->ack, stream_writer_index(c->writer),
	    post_message_changed, &changed);
	e = renewal_take(&c->renewal, c->writer, c->reader, h, index, p->cfg.keys, now_ms);
	if (e != ERR_OK)
		return e;
	post_judge_quote(p, &h->epoch_block);
	if (c->state == POST_ANSWERING)
		first_heard(p, c);
	if (has_content(c, h))
		e = show_content(p, c, verdict, h, now_ms);
	/* last: it may end the streams */
	return e == ERR_OK ? post_founding_seen(p, c, &h->ack, now_ms) : e;
}

/*
 * The content is kept before the record's key goes: without memory for it the record is
 * read again, and can be opened again.
 */
static enum err
take_plaintext(struct post *p, struct contact *c, const uint8_t *plaintext, uint64_t index,
    int64_t now_ms)
{
	enum inbox_verdict verdict = INBOX_KNOWN;
	size_t record_size = p->cfg.params.record_size;
	struct record_header h;
	const uint8_t *content;
	/* authentic but malformed: the peer's program is broken; nothing to tell it */
	bool formed = record_decode(&h, &content, plaintext, record_size) == ERR_OK;
	enum err e = ERR_OK;

	if (formed && has_content(c, &h))
		e = keep_fragment(p, c, &verdict, &h, content, now_ms);
	if (e == ERR_OK)
		stream_consume(c->reader, index, plaintext, record_size,
		    now_ms + p->cfg.params.retention_ms);
	if (e == ERR_OK && formed)
		e = take_header(p, c, &h, index, verdict, now_ms);
	if (formed)
		sodium_memzero(&h, sizeof(h));
	return e;
}

/* ---- finding whose record it is ---- */

static enum err
try_stream(struct post *p, struct contact *c, const uint8_t *record, uint8_t *plaintext,
    int64_t now_ms)
{
	uint64_t index;
	enum err e;

	if (c->reader == NULL)
		return ERR_NOT_FOUND;
	e = stream_look(c->reader, plaintext, &index, record, p->cfg.params.record_size);
	return e == ERR_OK ? take_plaintext(p, c, plaintext, index, now_ms) : e;
}

static enum err
try_invite(struct post *p, struct contact *c, const uint8_t *record)
{
	struct invite_secrets secrets;
	struct invite_acceptor a;
	enum err e;

	if (c->state != POST_INVITED || !invite_tags_have(&c->tags, record))
		return ERR_NOT_FOUND;
	e = invite_open(&a, &secrets, record, p->cfg.params.record_size, &c->invite, p->identity_sk,
	    c->one_time_sk);
	if (e == ERR_OK && a.mailbox >= p->cfg.params.mailboxes)
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = contact_set_streams(c, &secrets, p->cfg.rng, p->cfg.keys);
	sodium_memzero(&secrets, sizeof(secrets));
	if (e != ERR_OK)
		return e;
	memcpy(c->identity, a.identity, sizeof(c->identity));
	c->mailbox = a.mailbox;
	contact_establish(c);
	post_tell_contact(p, c);
	return ERR_OK;
}

/* Only these end the reading of the journal; everything else is somebody else's record. */
static bool
fatal(enum err e)
{
	return e == ERR_MEMORY || e == ERR_FULL;
}

enum err
post_record(struct post *p, const uint8_t *record, int64_t now_ms)
{
	uint8_t *plaintext = secret_new(record_plaintext_bytes(p->cfg.params.record_size));
	enum err e = ERR_NOT_FOUND;

	if (plaintext == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < p->contact_count && e == ERR_NOT_FOUND; i++)
		e = try_stream(p, p->contacts[i], record, plaintext, now_ms);
	for (size_t i = 0; i < p->contact_count && e == ERR_NOT_FOUND; i++)
		e = try_invite(p, p->contacts[i], record);
	if (e == ERR_NOT_FOUND)
		e = post_try_founding(p, record, now_ms);
	secret_free(plaintext);
	return fatal(e) ? e : ERR_OK;
}

/* ---- blocks and time ---- */

/*
 * Journal time that passed between two verified blocks. Blocks are at most 30 s
 * apart, so more than a minute means that rounds are missing here: those do
 * not count, whatever they held.
 */
static int64_t
passed(struct post *p, int64_t round_start_ms)
{
	int64_t most = params_scaled(&p->cfg.params, 60000), d = 0;

	if (most < 2 * p->cfg.params.round_ms)
		most = 2 * p->cfg.params.round_ms;
	if (p->clock_runs && round_start_ms > p->last_round_ms)
		d = round_start_ms - p->last_round_ms;
	if (!p->clock_runs || round_start_ms > p->last_round_ms)
		p->last_round_ms = round_start_ms;
	p->clock_runs = true;
	return d > most ? 0 : d;
}

enum err
post_block(struct post *p, const struct block *b, int64_t round_start_ms, int64_t now_ms)
{
	int64_t d = passed(p, round_start_ms);

	for (size_t i = 0; i < p->contact_count; i++) {
		struct contact *c = p->contacts[i];
		struct post_changed changed = { p, c };
		if (c->state == POST_ANSWERING)
			(void)outbox_sealing_block(&c->answering, b, d, now_ms);
		post_founding_block(c, d);
		outbox_block(&c->outbox, b, d, now_ms, post_message_changed, &changed);
	}
	return ERR_OK;
}

void
post_tick(struct post *p, int64_t now_ms)
{
	p->slot++;
	for (size_t i = 0; i < p->contact_count; i++) {
		struct contact *c = p->contacts[i];
		struct post_changed changed = { p, c };
		if (c->reader != NULL)
			stream_reader_expire(c->reader, now_ms);
		post_founding_tick(p, c, now_ms);
		outbox_tick(&c->outbox, &p->times, now_ms, post_message_changed, &changed);
		post_note_failure(p, post_show_ready(p, c, now_ms));
		inbox_draw(&c->inbox, &p->cfg.params, p->cfg.rng, now_ms);
	}
	/* an invitation that nobody answered is forgotten with its secrets */
	for (size_t i = 0; i < p->contact_count;) {
		struct contact *c = p->contacts[i];
		if (c->state != POST_INVITED || now_ms < c->invite.expires_ms ||
		    post_remove(p, c->id) != ERR_OK)
			i++;
	}
}
