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
save_head(const struct contact *c, struct buf *out, size_t max)
{
	struct writer w;
	uint8_t *space;
	enum err e = buf_reserve(out, HEAD_MAX, max, &space);

	if (e != ERR_OK)
		return e;
	writer_init(&w, space, HEAD_MAX);
	writer_u32(&w, c->id);
	writer_copy(&w, c->name, sizeof(c->name));
	writer_u8(&w, (uint8_t)c->state);
	writer_u8(&w, c->verified);
	writer_u8(&w, c->blocked);
	writer_u16(&w, c->mailbox);
	writer_copy(&w, c->identity, sizeof(c->identity));
	if (c->state != POST_ESTABLISHED)
		e = put_answering(&w, c);
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e == ERR_OK)
		out->len += w.used;
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
	return e;
}

enum err
contact_save(const struct contact *c, struct buf *out, size_t max)
{
	enum err e = save_head(c, out, max);

	if (e == ERR_OK && c->state != POST_INVITED)
		e = save_streams(c, out, max);
	if (e == ERR_OK)
		e = outbox_save(&c->outbox, out, max);
	return e == ERR_OK ? inbox_save(&c->inbox, out, max) : e;
}

static enum err
load_streams(struct contact *c, struct reader *r, bool renewals, const struct rng *rng)
{
	enum err e = stream_writer_load(&c->writer, r, renewals);

	if (e == ERR_OK)
		e = stream_reader_load(&c->reader, r, renewals, rng);
	if (e == ERR_OK && renewals)
		renewal_get(r, &c->renewal);
	return e;
}

static enum err
load_parts(struct contact *c, struct reader *r, bool renewals, const struct rng *rng)
{
	enum err e = ERR_OK;

	if (c->state != POST_INVITED)
		e = load_streams(c, r, renewals, rng);
	if (e == ERR_OK)
		e = outbox_load(&c->outbox, r);
	return e == ERR_OK ? inbox_load(&c->inbox, r) : e;
}

enum err
contact_load(struct contact **out, struct reader *r, bool renewals, const struct rng *rng)
{
	struct contact *c = contact_new(reader_u32(r), "");
	enum err e;

	if (c == NULL)
		return ERR_MEMORY;
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
	e = reader_ok(r) ? load_parts(c, r, renewals, rng) : r->err;
	if (e != ERR_OK) {
		contact_free(c);
		return e;
	}
	*out = c;
	return ERR_OK;
}
