#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/post_state.h"

#define MESSAGE_FORMAT 1
#define WRITES_MAX ((size_t)1 << 20)
#define NEWS_MAX 65536

/* ---- keys of the archive ---- */

static void
key_begin(struct post_write *key, struct writer *w, char kind)
{
	memset(key, 0, sizeof(*key));
	writer_init(w, key->key, sizeof(key->key));
	writer_u8(w, (uint8_t)kind);
}

void
post_key_out(struct post_write *key, uint64_t message, uint32_t fragment)
{
	struct writer w;

	key_begin(key, &w, 'o');
	writer_u64(&w, message);
	writer_u32(&w, fragment);
	key->key_len = (uint8_t)w.used;
}

void
post_key_in(struct post_write *key, uint64_t store, uint32_t fragment)
{
	struct writer w;

	key_begin(key, &w, 'i');
	writer_u64(&w, store);
	writer_u32(&w, fragment);
	key->key_len = (uint8_t)w.used;
}

void
post_key_message(struct post_write *key, uint64_t message)
{
	struct writer w;

	key_begin(key, &w, 'm');
	writer_u64(&w, message);
	key->key_len = (uint8_t)w.used;
}

/* ---- a message's value ---- */

enum err
post_message_encode(struct buf *out, const struct post_message *m)
{
	uint8_t bytes[256];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	writer_u8(&w, MESSAGE_FORMAT);
	writer_u64(&w, m->id);
	writer_u32(&w, m->contact);
	writer_u8(&w, m->incoming);
	writer_u8(&w, m->file);
	writer_u8(&w, m->late);
	writer_u8(&w, (uint8_t)m->state);
	writer_u64(&w, (uint64_t)m->time_ms);
	writer_u64(&w, m->store);
	writer_u64(&w, m->size);
	writer_u32(&w, m->done);
	writer_u32(&w, m->of);
	writer_copy(&w, m->hash, sizeof(m->hash));
	writer_copy(&w, m->name, sizeof(m->name));
	e = writer_end(&w);
	return e == ERR_OK ? buf_append(out, bytes, w.used, out->len + w.used) : e;
}

enum err
post_message_decode(struct post_message *out, const void *in, size_t n)
{
	struct post_message m;
	struct reader r;
	enum err e;

	memset(&m, 0, sizeof(m));
	reader_init(&r, in, n);
	if (reader_u8(&r) > MESSAGE_FORMAT)
		return ERR_VERSION;
	m.id = reader_u64(&r);
	m.contact = reader_u32(&r);
	m.incoming = reader_u8(&r) != 0;
	m.file = reader_u8(&r) != 0;
	m.late = reader_u8(&r) != 0;
	m.state = reader_u8(&r);
	m.time_ms = (int64_t)reader_u64(&r);
	m.store = reader_u64(&r);
	m.size = reader_u64(&r);
	m.done = reader_u32(&r);
	m.of = reader_u32(&r);
	reader_copy(&r, m.hash, sizeof(m.hash));
	reader_copy(&r, m.name, sizeof(m.name));
	m.name[sizeof(m.name) - 1] = '\0';
	e = reader_end(&r);
	if (e == ERR_OK && (m.state > POST_FAILED || m.done > m.of))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		*out = m;
	return e;
}

/* ---- writes ---- */

static enum err
writes_reserve(struct post *p)
{
	size_t room = p->write_room > 0 ? 2 * p->write_room : 32;
	struct post_write *grown;

	if (p->write_count < p->write_room)
		return ERR_OK;
	if (p->write_count >= WRITES_MAX)
		return ERR_FULL;
	grown = realloc(p->writes, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_MEMORY;
	p->writes = grown;
	p->write_room = room;
	return ERR_OK;
}

enum err
post_put_prepare(struct post *p, struct post_write *w, const void *data, size_t n)
{
	enum err e = writes_reserve(p);

	if (e != ERR_OK)
		return e;
	w->data = NULL;
	w->len = n;
	if (data == NULL)
		return ERR_OK;
	w->data = malloc(n > 0 ? n : 1);
	if (w->data == NULL)
		return ERR_MEMORY;
	if (n > 0)
		memcpy(w->data, data, n);
	return ERR_OK;
}

void
post_put_prepared(struct post *p, const struct post_write *key, struct post_write *w)
{
	memcpy(w->key, key->key, sizeof(w->key));
	w->key_len = key->key_len;
	p->writes[p->write_count++] = *w;
	w->data = NULL;
}

enum err
post_put(struct post *p, const struct post_write *key, const void *data, size_t n)
{
	struct post_write w;
	enum err e = post_put_prepare(p, &w, data, n);

	if (e == ERR_OK)
		post_put_prepared(p, key, &w);
	return e;
}

enum err
post_put_message_prepare(struct post *p, struct post_write *w, const struct post_message *m)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = post_message_encode(&b, m);
	if (e == ERR_OK)
		e = post_put_prepare(p, w, b.data, b.len);
	buf_release(&b);
	return e;
}

enum err
post_put_message(struct post *p, const struct post_message *m)
{
	struct post_write key, w;
	enum err e = post_put_message_prepare(p, &w, m);

	post_key_message(&key, m->id);
	if (e == ERR_OK)
		post_put_prepared(p, &key, &w);
	return e;
}

static enum err
delete_fragments(struct post *p, const struct post_message *m)
{
	struct post_write key;
	enum err e = ERR_OK;

	for (uint32_t i = 0; i < m->of && e == ERR_OK; i++) {
		if (m->incoming)
			post_key_in(&key, m->store, i);
		else
			post_key_out(&key, m->id, i);
		e = post_put(p, &key, NULL, 0);
	}
	return e;
}

enum err
post_delete(struct post *p, const struct post_message *m)
{
	struct contact *c = m->incoming ? post_contact(p, m->contact) : NULL;
	struct inbox_partial *partial = c != NULL ? inbox_find_id(&c->inbox, m->id) : NULL;
	struct post_write key;
	enum err e = delete_fragments(p, m);

	post_key_message(&key, m->id);
	if (e == ERR_OK)
		e = post_put(p, &key, NULL, 0);
	if (e == ERR_OK && partial != NULL)
		partial->unwanted = true;
	return e;
}

void
post_note_failure(struct post *p, enum err e)
{
	if (e != ERR_OK)
		p->failure = e;
}

enum err
post_take_writes(struct post *p, struct post_write **out, size_t *n)
{
	*out = p->writes;
	*n = p->write_count;
	p->writes = NULL;
	p->write_count = 0;
	p->write_room = 0;
	enum err e = p->failure;
	p->failure = ERR_OK;
	return e;
}

size_t
post_write_count(const struct post *p)
{
	return p->write_count;
}

void
post_writes_free(struct post_write *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (w[i].data != NULL)
			sodium_memzero(w[i].data, w[i].len);
		free(w[i].data);
	}
	free(w);
}

/* ---- news ---- */

static bool
news_reserve(struct post *p)
{
	size_t room = p->news_room > 0 ? 2 * p->news_room : 16;
	struct post_news *grown;

	if (p->news_count < p->news_room)
		return true;
	grown = room <= NEWS_MAX ? malloc(room * sizeof(*grown)) : NULL;
	if (grown == NULL)
		return false;
	for (size_t i = 0; i < p->news_count; i++)
		grown[i] = p->news[(p->news_head + i) % p->news_room];
	free(p->news);
	p->news = grown;
	p->news_head = 0;
	p->news_room = room;
	return true;
}

void
post_tell(struct post *p, const struct post_news *n)
{
	if (!news_reserve(p)) {
		if (p->news_room == 0)
			return;
		p->news_head = (p->news_head + 1) % p->news_room;
		p->news_count--;
	}
	p->news[(p->news_head + p->news_count++) % p->news_room] = *n;
}

void
post_tell_contact(struct post *p, const struct contact *c)
{
	struct post_news n = { .kind = POST_NEWS_CONTACT, .contact = c->id };

	post_tell(p, &n);
}

/* A delivered or failed file's chunks are not needed any more; texts stay to be read. */
void
post_message_changed(void *arg, const struct outbox_message *m)
{
	struct post_changed *changed = arg;
	struct post_news n = { .kind = POST_NEWS_STATE,
		.contact = changed->contact->id,
		.message = m->info };

	post_note_failure(changed->post, post_put_message(changed->post, &m->info));
	if (m->info.file && m->info.state >= POST_DELIVERED)
		post_note_failure(changed->post, delete_fragments(changed->post, &m->info));
	post_tell(changed->post, &n);
}

bool
post_next_news(struct post *p, struct post_news *out)
{
	if (p->news_count == 0)
		return false;
	*out = p->news[p->news_head];
	p->news_head = (p->news_head + 1) % p->news_room;
	p->news_count--;
	return true;
}
