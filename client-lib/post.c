#include "config.h"

#include "client-lib/post.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/founding.h"
#include "client-lib/post_state.h"
#include "common/base/format.h"
#include "common/base/secret.h"

#define STATE_MAGIC "RSTPST"
#define STATE_VERSION 3 /* 1: without renewal; 2: without restarts */
#define BACKUP_MAGIC "RSTPBK"
#define BACKUP_VERSION 1
#define STATE_BYTES_MAX ((size_t)64 << 20)

/* ---- life ---- */

static struct post *
post_alloc(const struct post_config *cfg)
{
	struct post *p = secret_new(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->cfg = *cfg;
	p->next_contact = 1;
	p->first_message = 1;
	p->times.forecast_ms = params_forecast_ms(&cfg->params);
	p->times.epoch_ms = cfg->params.epoch_ms;
	p->times.retention_ms = cfg->params.retention_ms;
	return p;
}

enum err
post_new(struct post **out, const struct post_config *cfg)
{
	struct post *p = post_alloc(cfg);

	if (p == NULL)
		return ERR_MEMORY;
	rng_bytes(cfg->keys, p->identity_sk, sizeof(p->identity_sk));
	if (crypto_scalarmult_base(p->identity_pk, p->identity_sk) != 0) {
		post_free(p);
		return ERR_CRYPTO;
	}
	*out = p;
	return ERR_OK;
}

void
post_free(struct post *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->contact_count; i++)
		contact_free(p->contacts[i]);
	post_writes_free(p->writes, p->write_count);
	free(p->news);
	secret_free(p);
}

static void
put_restarted(struct writer *w, const struct post *p)
{
	writer_u8(w, (uint8_t)p->restarted.why);
	writer_u64(w, (uint64_t)p->restarted.when_ms);
	writer_u32(w, p->restarted.invitations);
	writer_u32(w, p->restarted.stranded);
	writer_u32(w, p->void_invitations);
}

static void
get_restarted(struct reader *r, struct post *p)
{
	uint8_t why = reader_u8(r);

	p->restarted.why = why;
	p->restarted.when_ms = (int64_t)reader_u64(r);
	p->restarted.invitations = reader_u32(r);
	p->restarted.stranded = reader_u32(r);
	p->void_invitations = reader_u32(r);
	if (why > POST_RESTART_COPY)
		reader_fail(r, ERR_MALFORMED);
}

/* What state and backup have in common: all but the contacts, of which there are so many. */
static enum err
save_head(const struct post *p, struct buf *out, const char *magic, uint16_t version,
    size_t contacts)
{
	uint8_t head[256 + POST_WITNESS_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	format_put(&w, magic, version);
	writer_copy(&w, p->cfg.network_id, 32);
	writer_u16(&w, p->cfg.mailbox);
	writer_copy(&w, p->identity_sk, 32);
	writer_u32(&w, p->next_contact);
	writer_u64(&w, p->last_message);
	writer_u64(&w, p->first_message);
	writer_u64(&w, p->last_store);
	writer_u64(&w, (uint64_t)p->retention_ms);
	put_restarted(&w, p);
	post_witness_put(&w, p);
	writer_u32(&w, (uint32_t)contacts);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, w.used, STATE_BYTES_MAX);
	sodium_memzero(head, sizeof(head));
	return e;
}

enum err
post_save(const struct post *p, struct buf *out)
{
	enum err e = save_head(p, out, STATE_MAGIC, STATE_VERSION, p->contact_count);

	for (size_t i = 0; i < p->contact_count && e == ERR_OK; i++)
		e = contact_save(p->contacts[i], out, STATE_BYTES_MAX);
	return e;
}

static enum err
load_head(struct post *p, struct reader *r, bool restarts, uint32_t *contacts, struct diag *d)
{
	uint8_t network[32];
	uint16_t mailbox;

	reader_copy(r, network, sizeof(network));
	mailbox = reader_u16(r);
	reader_copy(r, p->identity_sk, 32);
	p->next_contact = reader_u32(r);
	p->last_message = reader_u64(r);
	p->first_message = reader_u64(r);
	p->last_store = reader_u64(r);
	p->retention_ms = (int64_t)reader_u64(r);
	if (restarts)
		get_restarted(r, p);
	post_witness_get(r, p);
	*contacts = reader_u32(r);
	if (!reader_ok(r))
		return diag_set(d, ERR_TRUNCATED, "state: truncated; restore a backup");
	if (sodium_memcmp(network, p->cfg.network_id, sizeof(network)) != 0 ||
	    mailbox != p->cfg.mailbox)
		return diag_set(d, ERR_MALFORMED,
		    "state: belongs to another network or mailbox than the charter here; "
		    "use the directory's own charter");
	return ERR_OK;
}

/* A file whose chunks were still being stored when the program ended is dropped. */
static enum err
drop_unready(struct post *p, struct contact *c)
{
	for (size_t i = 0; i < c->outbox.message_count;) {
		struct outbox_message *m = c->outbox.messages[i];
		struct post_message info = m->info;
		if (m->ready) {
			i++;
			continue;
		}
		enum err e = outbox_cancel(&c->outbox, info.id);
		if (e == ERR_OK)
			e = post_delete(p, &info);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static enum err
load_contact(struct post *p, struct reader *r, uint16_t version)
{
	struct contact *c;
	enum err e = contact_load(&c, r, version, p->cfg.rng);

	if (e != ERR_OK)
		return e;
	p->contacts[p->contact_count++] = c;
	return drop_unready(p, c);
}

static enum err
load_body(struct post *p, struct reader *r, uint16_t version, uint32_t contacts)
{
	enum err e = contacts > POST_CONTACTS_MAX ? ERR_RANGE : ERR_OK;

	if (e == ERR_OK && crypto_scalarmult_base(p->identity_pk, p->identity_sk) != 0)
		e = ERR_CRYPTO;
	for (uint32_t i = 0; e == ERR_OK && i < contacts; i++)
		e = load_contact(p, r, version);
	return e == ERR_OK ? reader_end(r) : e;
}

enum err
post_load(struct post **out, const struct post_config *cfg, const void *in, size_t n,
    struct diag *d)
{
	struct post *p = post_alloc(cfg);
	struct reader r;
	uint16_t version;
	uint32_t contacts;
	enum err e;

	if (p == NULL)
		return ERR_MEMORY;
	reader_init(&r, in, n);
	e = format_check(&r, &version, STATE_MAGIC, STATE_VERSION, "state", d);
	if (e == ERR_OK)
		e = load_head(p, &r, version >= 3, &contacts, d);
	if (e == ERR_OK) {
		e = load_body(p, &r, version, contacts);
		if (e != ERR_OK)
			(void)diag_set(d, e, "state: damaged (%s); restore a backup", err_text(e));
	}
	if (e != ERR_OK) {
		post_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

/* ---- a backup ---- */

static size_t
open_invites(const struct post *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->contact_count; i++)
		n += p->contacts[i]->state == POST_INVITED;
	return n;
}

enum err
post_backup(const struct post *p, struct buf *out)
{
	struct post_restarted none = { .why = POST_RESTART_NONE };
	struct post head = *p;
	enum err e;

	head.restarted = none;
	head.void_invitations = (uint32_t)open_invites(p);
	e = save_head(&head, out, BACKUP_MAGIC, BACKUP_VERSION,
	    p->contact_count - open_invites(p));
	sodium_memzero(&head, sizeof(head));
	for (size_t i = 0; i < p->contact_count && e == ERR_OK; i++)
		if (p->contacts[i]->state != POST_INVITED)
			e = contact_save_backup(p->contacts[i], out, STATE_BYTES_MAX);
	return e;
}

static enum err
restore_contacts(struct post *p, struct reader *r, uint32_t contacts)
{
	enum err e = contacts > POST_CONTACTS_MAX ? ERR_RANGE : ERR_OK;

	if (e == ERR_OK && crypto_scalarmult_base(p->identity_pk, p->identity_sk) != 0)
		e = ERR_CRYPTO;
	for (uint32_t i = 0; e == ERR_OK && i < contacts; i++) {
		struct contact *c;
		e = contact_load_backup(&c, r, p->cfg.rng, p->cfg.keys);
		if (e != ERR_OK)
			break;
		p->contacts[p->contact_count++] = c;
		e = drop_unready(p, c);
	}
	return e == ERR_OK ? reader_end(r) : e;
}

enum err
post_restore(struct post **out, const struct post_config *cfg, const void *in, size_t n,
    int64_t now_ms, struct diag *d)
{
	struct post *p = post_alloc(cfg);
	struct reader r;
	uint32_t contacts;
	enum err e;

	if (p == NULL)
		return ERR_MEMORY;
	reader_init(&r, in, n);
	e = format_check(&r, NULL, BACKUP_MAGIC, BACKUP_VERSION, "backup", d);
	if (e == ERR_OK)
		e = load_head(p, &r, true, &contacts, d);
	if (e == ERR_OK) {
		e = restore_contacts(p, &r, contacts);
		if (e == ERR_OK)
			e = post_restart(p, POST_RESTART_BACKUP, now_ms);
		if (e != ERR_OK)
			(void)diag_set(d, e, "backup: its content is damaged (%s); use another one",
			    err_text(e));
	}
	if (e != ERR_OK) {
		post_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

bool
post_backup_key(const struct post *p, struct post_write *key, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < p->contact_count; i++) {
		const struct inbox *in = &p->contacts[i]->inbox;
		for (size_t k = 0; k < in->partial_count; k++) {
			const struct inbox_partial *m = &in->partials[k];
			for (uint32_t f = 0; m->id == 0 && f < m->of; f++)
				if (inbox_partial_has(m, f) && n++ == *at) {
					post_key_in(key, m->store, f);
					++*at;
					return true;
				}
		}
	}
	return false;
}

/* ---- contacts ---- */

struct contact *
post_contact(const struct post *p, uint32_t id)
{
	for (size_t i = 0; i < p->contact_count; i++)
		if (p->contacts[i]->id == id)
			return p->contacts[i];
	return NULL;
}

static void
describe_streams(const struct contact *c, struct post_contact *out)
{
	const struct restart *r = &c->restart;

	if (c->writer == NULL)
		return;
	out->renews = stream_writer_rooted(c->writer);
	if (!r->under_way)
		out->renewed_sending =
		    stream_generation(stream_writer_index(c->writer)) - r->generation;
	if ((r->flags & FOUNDING_LOST) == 0)
		out->renewed_receiving =
		    stream_generation(stream_reader_seen(c->reader)) - r->peer_generation;
	out->restarting = r->under_way;
	out->contested = r->contested;
	out->stranded = r->stranded;
	out->lost_texts = r->lost_texts;
	out->lost_files = r->lost_files;
	out->peer_restored = (r->peer_flags & FOUNDING_RESTORED) != 0;
	out->peer_restart_ms = r->peer_ms;
}

void
post_contact_describe(const struct post *p, const struct contact *c, struct post_contact *out)
{
	memset(out, 0, sizeof(*out));
	out->id = c->id;
	memcpy(out->name, c->name, sizeof(out->name));
	out->state = c->state;
	out->verified = c->verified;
	out->blocked = c->blocked;
	out->mailbox = c->mailbox;
	memcpy(out->identity, c->identity, sizeof(out->identity));
	if (c->state != POST_INVITED)
		invite_safety_number(out->safety_number, p->identity_pk, c->identity,
		    p->cfg.network_id);
	describe_streams(c, out);
	for (size_t i = 0; i < c->outbox.message_count; i++) {
		if (c->outbox.messages[i]->info.state == POST_QUEUED)
			out->queued++;
		else
			out->unacknowledged++;
	}
}

size_t
post_contact_count(const struct post *p)
{
	return p->contact_count;
}

void
post_contact_at(const struct post *p, size_t i, struct post_contact *out)
{
	post_contact_describe(p, p->contacts[i], out);
}

static struct contact *
find_by_name(const struct post *p, const char *name)
{
	for (size_t i = 0; i < p->contact_count; i++)
		if (strcmp(p->contacts[i]->name, name) == 0)
			return p->contacts[i];
	return NULL;
}

enum err
post_contact_find(const struct post *p, struct post_contact *out, const char *name)
{
	const struct contact *c;
	char *end;

	if (name[0] == '#') {
		unsigned long id = strtoul(name + 1, &end, 10);
		c = *end == '\0' && id <= UINT32_MAX ? post_contact(p, (uint32_t)id) : NULL;
	} else {
		c = find_by_name(p, name);
	}
	if (c == NULL)
		return ERR_NOT_FOUND;
	post_contact_describe(p, c, out);
	return ERR_OK;
}

static enum err
contact_add(struct post *p, struct contact **out, const char *name, struct diag *d)
{
	enum err e = contact_name_check(name, d);

	if (e != ERR_OK)
		return e;
	if (find_by_name(p, name) != NULL)
		return diag_set(d, ERR_EXISTS, "there is a contact \"%s\" already; choose another name",
		    name);
	if (p->contact_count == POST_CONTACTS_MAX)
		return diag_set(d, ERR_FULL, "there are %d contacts already; remove one first",
		    POST_CONTACTS_MAX);
	*out = contact_new(p->next_contact, name);
	return *out != NULL ? ERR_OK : ERR_MEMORY;
}

static void
contact_keep(struct post *p, struct contact *c)
{
	p->contacts[p->contact_count++] = c;
	p->next_contact++;
	post_tell_contact(p, c);
}

static enum err
fill_invite(struct post *p, struct contact *c, const struct chain_point *epoch_block,
    int64_t expires_ms)
{
	struct invite *i = &c->invite;

	memcpy(i->network_id, p->cfg.network_id, sizeof(i->network_id));
	i->epoch_block = *epoch_block;
	i->gateway = p->cfg.gateway;
	i->mailbox = p->cfg.mailbox;
	memcpy(i->identity, p->identity_pk, sizeof(i->identity));
	rng_bytes(p->cfg.keys, i->psk, sizeof(i->psk));
	rng_bytes(p->cfg.keys, c->one_time_sk, sizeof(c->one_time_sk));
	i->expires_ms = expires_ms;
	invite_tags(&c->tags, i->psk);
	return crypto_scalarmult_base(i->one_time, c->one_time_sk) == 0 ? ERR_OK : ERR_CRYPTO;
}

enum err
post_invite(struct post *p, char text[static INVITE_TEXT_MAX], uint32_t *id, const char *name,
    const struct chain_point *epoch_block, int64_t now_ms, int64_t expires_ms, struct diag *d)
{
	struct contact *c;
	enum err e;

	if (expires_ms <= now_ms)
		return diag_set(d, ERR_RANGE, "the invitation would have expired already");
	if (open_invites(p) >= POST_INVITES_MAX)
		return diag_set(d, ERR_FULL,
		    "%d invitations are open already; remove one that is not needed",
		    POST_INVITES_MAX);
	e = contact_add(p, &c, name, d);
	if (e != ERR_OK)
		return e;
	e = fill_invite(p, c, epoch_block, expires_ms);
	if (e == ERR_OK)
		e = invite_encode(text, &c->invite);
	if (e != ERR_OK) {
		contact_free(c);
		return e;
	}
	c->state = POST_INVITED;
	*id = c->id;
	contact_keep(p, c);
	return ERR_OK;
}

/* Whether this invitation may be accepted here, now. */
static enum err
invite_check(const struct post *p, const struct invite *i, int64_t now_ms, struct diag *d)
{
	if (sodium_memcmp(i->network_id, p->cfg.network_id, 32) != 0)
		return diag_set(d, ERR_MALFORMED,
		    "this invitation is for another network than this directory's charter");
	if (i->expires_ms <= now_ms)
		return diag_set(d, ERR_TIMEOUT, "this invitation has expired; ask for a new one");
	if (sodium_memcmp(i->identity, p->identity_pk, 32) == 0)
		return diag_set(d, ERR_USAGE,
		    "this is your own invitation; give it to the person you want to reach");
	if (i->gateway != p->cfg.gateway || i->mailbox >= p->cfg.params.mailboxes)
		return diag_set(d, ERR_MALFORMED,
		    "this invitation names a gateway or mailbox that the charter does not have");
	for (size_t k = 0; k < p->contact_count; k++)
		if (p->contacts[k]->state != POST_INVITED &&
		    sodium_memcmp(p->contacts[k]->identity, i->identity, 32) == 0)
			return diag_set(d, ERR_EXISTS, "you have this contact already, as \"%s\"",
			    p->contacts[k]->name);
	return ERR_OK;
}

static void
own_answer(const struct post *p, const struct contact *c, struct invite_answer *out)
{
	memcpy(out->own_identity_sk, p->identity_sk, 32);
	memcpy(out->own_identity_pk, p->identity_pk, 32);
	out->own_mailbox = p->cfg.mailbox;
	memcpy(out->f, c->f, 32);
}

static enum err
begin_answering(struct post *p, struct contact *c, const struct invite *i)
{
	struct invite_secrets secrets;
	struct invite_answer answer;
	enum err e;

	c->state = POST_ANSWERING;
	c->invite = *i;
	c->mailbox = i->mailbox;
	memcpy(c->identity, i->identity, sizeof(c->identity));
	rng_bytes(p->cfg.keys, c->f, sizeof(c->f));
	own_answer(p, c, &answer);
	e = invite_answer_secrets(&secrets, i, &answer);
	if (e == ERR_OK)
		e = contact_set_streams(c, &secrets, p->cfg.rng, p->cfg.keys);
	sodium_memzero(&secrets, sizeof(secrets));
	sodium_memzero(&answer, sizeof(answer));
	return e;
}

enum err
post_accept(struct post *p, uint32_t *id, const char *name, const char *text, int64_t now_ms,
    struct diag *d)
{
	struct invite i;
	struct contact *c;
	enum err e = invite_decode(&i, text, d);

	if (e == ERR_OK)
		e = invite_check(p, &i, now_ms, d);
	if (e == ERR_OK)
		e = contact_add(p, &c, name, d);
	if (e == ERR_OK) {
		e = begin_answering(p, c, &i);
		if (e == ERR_OK) {
			*id = c->id;
			contact_keep(p, c);
		} else {
			contact_free(c);
			(void)diag_set(d, e, "this invitation's keys are not valid; ask for a new one");
		}
	}
	sodium_memzero(&i, sizeof(i));
	return e;
}

enum err
post_rename(struct post *p, uint32_t id, const char *name, struct diag *d)
{
	struct contact *c = post_contact(p, id), *other = find_by_name(p, name);
	enum err e = contact_name_check(name, d);

	if (c == NULL)
		return ERR_NOT_FOUND;
	if (e != ERR_OK)
		return e;
	if (other != NULL && other != c)
		return diag_set(d, ERR_EXISTS, "there is a contact \"%s\" already; choose another name",
		    name);
	memset(c->name, 0, sizeof(c->name));
	memcpy(c->name, name, strlen(name));
	post_tell_contact(p, c);
	return ERR_OK;
}

enum err
post_set_verified(struct post *p, uint32_t id, bool verified)
{
	struct contact *c = post_contact(p, id);

	if (c == NULL)
		return ERR_NOT_FOUND;
	if (c->state == POST_INVITED)
		return ERR_STATE;
	c->verified = verified;
	post_tell_contact(p, c);
	return ERR_OK;
}

enum err
post_set_blocked(struct post *p, uint32_t id, bool blocked)
{
	struct contact *c = post_contact(p, id);

	if (c == NULL)
		return ERR_NOT_FOUND;
	c->blocked = blocked;
	post_tell_contact(p, c);
	return ERR_OK;
}

enum err
post_delete_partial(struct post *p, const struct inbox_partial *m)
{
	struct post_write key;
	enum err e = ERR_OK;

	for (uint32_t k = 0; k < m->of && e == ERR_OK; k++) {
		if (!inbox_partial_has(m, k))
			continue;
		post_key_in(&key, m->store, k);
		e = post_put(p, &key, NULL, 0);
	}
	if (e == ERR_OK && m->id != 0) {
		post_key_message(&key, m->id);
		e = post_put(p, &key, NULL, 0);
	}
	return e;
}

enum err
post_remove(struct post *p, uint32_t id)
{
	enum err e = ERR_OK;
	size_t i = 0;

	while (i < p->contact_count && p->contacts[i]->id != id)
		i++;
	if (i == p->contact_count)
		return ERR_NOT_FOUND;
	struct contact *c = p->contacts[i];
	for (size_t k = 0; k < c->outbox.message_count && e == ERR_OK; k++)
		e = post_delete(p, &c->outbox.messages[k]->info);
	for (size_t k = 0; k < c->inbox.partial_count && e == ERR_OK; k++)
		e = post_delete_partial(p, &c->inbox.partials[k]);
	if (e != ERR_OK)
		return e;
	p->contacts[i] = p->contacts[--p->contact_count];
	if (p->choice_contact == id)
		p->choice = POST_CHOICE_NONE;
	post_tell_contact(p, c);
	contact_free(c);
	return ERR_OK;
}

/* ---- small things ---- */

int64_t
post_minute(int64_t ms)
{
	return ms - ms % 60000;
}

uint64_t
post_first_message(const struct post *p)
{
	return p->first_message;
}

void
post_set_first_message(struct post *p, uint64_t id)
{
	p->first_message = id;
}

uint64_t
post_last_message(const struct post *p)
{
	return p->last_message;
}

int64_t
post_retention(const struct post *p)
{
	return p->retention_ms;
}

void
post_set_retention(struct post *p, int64_t retention_ms)
{
	p->retention_ms = retention_ms;
}
