#include "config.h"

#include "client-lib/contact.h"

#include <sodium.h>
#include <string.h>

#include "common/base/secret.h"

struct contact *
contact_new(uint32_t id, const char *name)
{
	struct contact *c = secret_new(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->id = id;
	memcpy(c->name, name, strnlen(name, sizeof(c->name) - 1));
	outbox_init(&c->outbox);
	inbox_init(&c->inbox);
	return c;
}

void
contact_free(struct contact *c)
{
	if (c == NULL)
		return;
	stream_writer_free(c->writer);
	stream_reader_free(c->reader);
	outbox_release(&c->outbox);
	inbox_release(&c->inbox);
	secret_free(c);
}

enum err
contact_set_streams(struct contact *c, const struct invite_secrets *s, const struct rng *r,
    const struct rng *keys)
{
	struct stream_writer *w = stream_writer_new(s->send);
	struct stream_reader *d = stream_reader_new(s->receive, r);
	enum err e = w != NULL && d != NULL ? renewal_init(&c->renewal, keys) : ERR_MEMORY;

	if (e != ERR_OK) {
		stream_writer_free(w);
		stream_reader_free(d);
		return e;
	}
	c->writer = w;
	c->reader = d;
	c->restart.able = true;
	memcpy(c->restart.secret, s->restart, sizeof(c->restart.secret));
	return ERR_OK;
}

enum err
contact_end_writer(struct contact *c, const struct rng *keys)
{
	uint32_t generation =
	    c->writer != NULL ? stream_generation(stream_writer_index(c->writer)) : 0;
	uint8_t nobodys[32];
	struct stream_writer *w;

	rng_bytes(keys, nobodys, sizeof(nobodys));
	w = stream_writer_new_at(nobodys, generation);
	sodium_memzero(nobodys, sizeof(nobodys));
	if (w == NULL)
		return ERR_MEMORY;
	stream_writer_free(c->writer);
	c->writer = w;
	return ERR_OK;
}

enum err
contact_end_reader(struct contact *c, const struct rng *r, const struct rng *keys)
{
	uint32_t generation =
	    c->reader != NULL ? stream_generation(stream_reader_seen(c->reader)) : 0;
	uint8_t nobodys[32];
	struct stream_reader *d;

	rng_bytes(keys, nobodys, sizeof(nobodys));
	d = stream_reader_new_at(nobodys, generation, r);
	sodium_memzero(nobodys, sizeof(nobodys));
	if (d == NULL)
		return ERR_MEMORY;
	stream_reader_free(c->reader);
	c->reader = d;
	return ERR_OK;
}

void
contact_establish(struct contact *c)
{
	sodium_memzero(&c->invite, sizeof(c->invite));
	sodium_memzero(c->one_time_sk, sizeof(c->one_time_sk));
	sodium_memzero(&c->tags, sizeof(c->tags));
	sodium_memzero(c->f, sizeof(c->f));
	sodium_memzero(&c->answering, sizeof(c->answering));
	c->state = POST_ESTABLISHED;
}

bool
contact_writable(const struct contact *c)
{
	if (c->restart.under_way || c->restart.contested || c->restart.stranded)
		return false;
	switch (c->state) {
	case POST_INVITED:
		return false;
	case POST_ANSWERING:
		return c->answering.stored;
	case POST_ESTABLISHED:
		return true;
	}
	return false;
}

/* The length of the UTF-8 sequence that begins with c, 0 if none does. */
static size_t
sequence_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 0;
}

/* The second byte of a sequence has narrower bounds where overlong forms,
 * surrogates and values past U+10FFFF must be kept out (RFC 3629, section 4). */
static bool
second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

/* The length of the whole character at p, of which n bytes are there; 0 if there is none. */
static size_t
character(const unsigned char *p, size_t n)
{
	size_t len = sequence_length(p[0]);

	if (p[0] == 0 || len == 0 || len > n)
		return 0;
	if (len > 1 && !second_fits(p[0], p[1]))
		return 0;
	for (size_t k = 2; k < len; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool
contact_utf8(const void *text, size_t n)
{
	const unsigned char *p = text;

	for (size_t i = 0, len; i < n; i += len) {
		len = character(p + i, n - i);
		if (len == 0)
			return false;
	}
	return true;
}

void
contact_utf8_clean(char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = character((const unsigned char *)text + i, n - i);
		if (len == 0)
			text[i] = '?';
		i += len > 0 ? len : 1;
	}
}

/* C0, DEL, or C1 (U+0080 to U+009F), at p of a valid text. */
static bool
is_control(const unsigned char *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

enum err
contact_name_check(const char *name, struct diag *d)
{
	size_t n = strnlen(name, POST_NAME_MAX);

	if (n == 0 || n >= POST_NAME_MAX)
		return diag_set(d, ERR_RANGE, "a contact's name has 1 to %d bytes",
		    POST_NAME_MAX - 1);
	if (name[0] == '#')
		return diag_set(d, ERR_MALFORMED,
		    "a contact's name must not begin with '#' (that is how numbers are given)");
	if (!contact_utf8(name, n))
		return diag_set(d, ERR_MALFORMED, "a contact's name must be UTF-8");
	for (size_t i = 0; i < n; i++)
		if (is_control((const unsigned char *)name + i))
			return diag_set(d, ERR_MALFORMED,
			    "a contact's name must not have control characters");
	return ERR_OK;
}

/* ---- save and load ---- */

static enum err
put_answering(struct writer *w, const struct contact *c)
{
	outbox_sealing_put(w, &c->answering);
	writer_copy(w, c->invite.network_id, 32);
	writer_u64(w, c->invite.epoch_block.round);
	writer_copy(w, c->invite.epoch_block.hash, 32);
	writer_u16(w, c->invite.gateway);
	writer_u16(w, c->invite.mailbox);
	writer_copy(w, c->invite.identity, 32);
	writer_copy(w, c->invite.one_time, 32);
	writer_copy(w, c->invite.psk, 32);
	writer_u64(w, (uint64_t)c->invite.expires_ms);
	writer_copy(w, c->one_time_sk, 32);
	writer_copy(w, c->f, 32);
	writer_u32(w, c->attempt);
	return writer_end(w);
}

static void
get_answering(struct reader *r, struct contact *c)
{
	outbox_sealing_get(r, &c->answering);
	reader_copy(r, c->invite.network_id, 32);
	c->invite.epoch_block.round = reader_u64(r);
	reader_copy(r, c->invite.epoch_block.hash, 32);
	c->invite.gateway = reader_u16(r);
	c->invite.mailbox = reader_u16(r);
	reader_copy(r, c->invite.identity, 32);
	reader_copy(r, c->invite.one_time, 32);
	reader_copy(r, c->invite.psk, 32);
	c->invite.expires_ms = (int64_t)reader_u64(r);
	reader_copy(r, c->one_time_sk, 32);
	reader_copy(r, c->f, 32);
	c->attempt = reader_u32(r);
}

#define HEAD_MAX 1024

static enum err
save_head(const struct contact *c, enum post_contact_state state, struct buf *out, size_t max)
{
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, HEAD_MAX, max, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, HEAD_MAX);
	writer_u32(&w, c->id);
	writer_copy(&w, c->name, sizeof(c->name));
	writer_u8(&w, (uint8_t)state);
	writer_u8(&w, c->verified);
	writer_u8(&w, c->blocked);
	writer_u16(&w, c->mailbox);
	writer_copy(&w, c->identity, sizeof(c->identity));
	if (state != POST_ESTABLISHED)
		e = put_answering(&w, c);
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e == ERR_OK)
		out->len += w.used;
	return e;
}

static enum err
save_restart(const struct restart *restart, struct buf *out, size_t max)
{
	uint8_t bytes[RESTART_BYTES_MAX];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	restart_put(&w, restart);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, bytes, w.used, max);
	sodium_memzero(bytes, sizeof(bytes));
	return e;
}

static enum err
save_streams(const struct contact *c, struct buf *out, size_t max)
{
	uint8_t bytes[RENEWAL_BYTES];
	struct writer w;
	enum err e = stream_writer_save(c->writer, out, max);

	if (e == ERR_OK)
		e = stream_reader_save(c->reader, out, max);
	writer_init(&w, bytes, sizeof(bytes));
	renewal_put(&w, &c->renewal);
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, bytes, sizeof(bytes), max);
	sodium_memzero(bytes, sizeof(bytes));
	return e == ERR_OK ? save_restart(&c->restart, out, max) : e;
}

enum err
contact_save(const struct contact *c, struct buf *out, size_t max)
{
	enum err e = save_head(c, c->state, out, max);

	if (e == ERR_OK && c->state != POST_INVITED)
		e = save_streams(c, out, max);
	if (e == ERR_OK)
		e = outbox_save(&c->outbox, out, max);
	return e == ERR_OK ? inbox_save(&c->inbox, out, max) : e;
}

enum err
contact_save_backup(const struct contact *c, struct buf *out, size_t max)
{
	struct restart restart = c->restart;
	uint8_t generations[8];
	enum err e = save_head(c, POST_ESTABLISHED, out, max);

	store_u32(generations, stream_generation(stream_writer_index(c->writer)));
	store_u32(generations + 4, stream_generation(stream_reader_seen(c->reader)));
	restart_forget(&restart);
	if (e == ERR_OK)
		e = buf_append(out, generations, sizeof(generations), max);
	if (e == ERR_OK)
		e = save_restart(&restart, out, max);
	if (e == ERR_OK)
		e = outbox_save(&c->outbox, out, max);
	sodium_memzero(&restart, sizeof(restart));
	return e == ERR_OK ? inbox_save(&c->inbox, out, max) : e;
}

static enum err
load_streams(struct contact *c, struct reader *r, uint16_t version, const struct rng *rng)
{
	bool renewals = version >= 2;
	enum err e = stream_writer_load(&c->writer, r, renewals);

	if (e == ERR_OK)
		e = stream_reader_load(&c->reader, r, renewals, rng);
	if (e == ERR_OK && renewals)
		renewal_get(r, &c->renewal);
	if (e == ERR_OK && version >= 3)
		restart_get(r, &c->restart);
	return e;
}

static enum err
load_parts(struct contact *c, struct reader *r, uint16_t version, const struct rng *rng)
{
	enum err e = ERR_OK;

	if (c->state != POST_INVITED)
		e = load_streams(c, r, version, rng);
	if (e == ERR_OK)
		e = outbox_load(&c->outbox, r, version >= 3);
	return e == ERR_OK ? inbox_load(&c->inbox, r, version >= 3) : e;
}

static void
load_head(struct contact *c, struct reader *r)
{
	reader_copy(r, c->name, sizeof(c->name));
	c->name[sizeof(c->name) - 1] = '\0';
	c->state = reader_u8(r);
	c->verified = reader_u8(r) != 0;
	c->blocked = reader_u8(r) != 0;
	c->mailbox = reader_u16(r);
	reader_copy(r, c->identity, sizeof(c->identity));
	if (c->state > POST_ESTABLISHED)
		reader_fail(r, ERR_MALFORMED);
	if (c->state != POST_ESTABLISHED)
		get_answering(r, c);
	if (c->state == POST_INVITED)
		invite_tags(&c->tags, c->invite.psk);
}

enum err
contact_load(struct contact **out, struct reader *r, uint16_t version, const struct rng *rng)
{
	struct contact *c = contact_new(reader_u32(r), "");
	enum err e;

	if (c == NULL)
		return ERR_MEMORY;
	load_head(c, r);
	e = reader_ok(r) ? load_parts(c, r, version, rng) : r->err;
	if (e != ERR_OK) {
		contact_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}

/* Streams that are over, of the generations that were. */
static enum err
load_ended(struct contact *c, struct reader *r, const struct rng *rng, const struct rng *keys)
{
	static const uint8_t none[32];
	uint32_t writer = reader_u32(r), reader = reader_u32(r);
	enum err e = ERR_MEMORY;

	restart_get(r, &c->restart);
	if (writer > STREAM_GENERATION_MAX || reader > STREAM_GENERATION_MAX)
		reader_fail(r, ERR_RANGE);
	if (!reader_ok(r))
		return r->err;
	c->writer = stream_writer_new_at(none, writer);
	c->reader = stream_reader_new_at(none, reader, rng);
	if (c->writer != NULL && c->reader != NULL)
		e = contact_end_writer(c, keys);
	return e == ERR_OK ? contact_end_reader(c, rng, keys) : e;
}

enum err
contact_load_backup(struct contact **out, struct reader *r, const struct rng *rng,
    const struct rng *keys)
{
	struct contact *c = contact_new(reader_u32(r), "");
	enum err e;

	if (c == NULL)
		return ERR_MEMORY;
	load_head(c, r);
	if (c->state != POST_ESTABLISHED)
		reader_fail(r, ERR_MALFORMED);
	e = reader_ok(r) ? load_ended(c, r, rng, keys) : r->err;
	if (e == ERR_OK)
		e = outbox_load(&c->outbox, r, true);
	if (e == ERR_OK)
		e = inbox_load(&c->inbox, r, true);
	if (e != ERR_OK) {
		contact_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}
