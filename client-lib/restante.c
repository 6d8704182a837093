#include "config.h"

#include "client-lib/include/restante/restante.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client-lib/enrolkey.h"
#include "client-lib/handle.h"
#include "client-lib/unfinished.h"
#include "common/base/secret.h"
#include "common/charter/charterfiles.h"
#include "common/net/loop_event.h"
#include "common/net/socks.h"

#define CHARTER_FILE "charter"
#define ARCHIVE_DIRECTORY "archive"
#define PATH_BYTES 4096

const char *
restante_version(void)
{
	return RESTANTE_VERSION;
}

/* ---- errors ---- */

int
handle_code(enum err e)
{
	switch (e) {
	case ERR_OK:
		return RESTANTE_OK;
	case ERR_MEMORY:
		return RESTANTE_E_MEMORY;
	case ERR_IO:
	case ERR_CLOSED:
		return RESTANTE_E_IO;
	case ERR_FULL:
		return RESTANTE_E_FULL;
	case ERR_BUSY:
		return RESTANTE_E_BUSY;
	case ERR_NOT_FOUND:
		return RESTANTE_E_NOT_FOUND;
	case ERR_EXISTS:
		return RESTANTE_E_EXISTS;
	case ERR_TRUNCATED:
	case ERR_TRAILING:
	case ERR_MALFORMED:
	case ERR_RANGE:
	case ERR_USAGE:
		return RESTANTE_E_INVALID;
	case ERR_VERSION:
		return RESTANTE_E_VERSION;
	case ERR_PASSPHRASE:
		return RESTANTE_E_PASSPHRASE;
	case ERR_STATE:
	case ERR_TIMEOUT:
		return RESTANTE_E_STATE;
	case ERR_CRYPTO:
	case ERR_SIGNATURE:
	case ERR_REPLAY:
	case ERR_EPOCH:
	case ERR_CHAIN:
	case ERR_ROLLBACK:
	case ERR_DENIED:
	case ERR_NO_KEY:
		return RESTANTE_E_REFUSED;
	}
	return RESTANTE_E_INVALID;
}

const char *
restante_strerror(int code)
{
	static const char *const texts[] = { "success", "out of memory", "input/output error",
		"full", "in use by another process", "not found", "exists already", "invalid",
		"made by a newer version", "wrong passphrase or key file", "not possible now",
		"refused" };

	if (code > 0 || code < RESTANTE_E_REFUSED)
		return "unknown error";
	return texts[-code];
}

int
handle_fail(struct restante *r, enum err e)
{
	if (e != ERR_OK && r->why.text[0] == '\0')
		(void)diag_set(&r->why, e, "%s", err_text(e));
	return handle_code(e);
}

void
handle_explain(struct restante *r, enum err e)
{
	(void)diag_set(&r->why, e, "%s", e == ERR_OK ? "" : err_text(e));
}

const char *
restante_explain(const struct restante *r)
{
	return r->why.text;
}

int
handle_started(struct restante *r)
{
	r->why.text[0] = '\0';
	if (r->client != NULL)
		return RESTANTE_OK;
	return handle_code(diag_set(&r->why, ERR_STATE, "the handle has not been started"));
}

static int
explain_to(char *explain, enum err e, const struct diag *d)
{
	if (explain != NULL)
		(void)snprintf(explain, sizeof(d->text), "%s",
		    d->text[0] != '\0' ? d->text : err_text(e));
	return handle_code(e);
}

/* ---- making a directory ---- */

static enum err
read_charter_file(struct buf *out, const char *path, struct diag *d)
{
	FILE *f = fopen(path, "re");
	uint8_t *space;
	size_t n = 0;
	enum err e;

	if (f == NULL)
		return diag_set(d, ERR_NOT_FOUND, "%s: the charter cannot be read: %m", path);
	e = buf_reserve(out, CHARTER_BYTES_MAX + 1, CHARTER_BYTES_MAX + 1, &space);
	if (e == ERR_OK)
		n = fread(space, 1, CHARTER_BYTES_MAX + 1, f);
	(void)fclose(f);
	if (n > CHARTER_BYTES_MAX)
		return diag_set(d, ERR_RANGE, "%s: too large for a charter", path);
	out->len = n;
	return e;
}

/* Read what is in a file of that name. */
static enum err
parse_charter(struct charter **out, const struct buf *text, const char *name, struct diag *d)
{
	struct diag why = { "" };
	enum err e = charter_parse(out, text->data, text->len, &why);

	return e == ERR_OK ? ERR_OK : diag_set(d, e, "%s: %s", name, why.text);
}

static enum err
fill_directory(struct disk *k, const struct buf *text, const struct charter *c, uint16_t mailbox,
    const struct vault_unlock *u, struct diag *d)
{
	struct profile profile;
	struct vault *v = NULL;
	enum err e;

	config_defaults(&profile, &profile_schema);
	profile.mailbox = mailbox;
	if (mailbox >= c->params.mailboxes)
		return diag_set(d, ERR_RANGE, "mailbox %u: this network has mailboxes 0 to %u", mailbox,
		    c->params.mailboxes - 1);
	e = vault_create(&v, k, u, rng_system(), d);
	if (e == ERR_OK)
		e = disk_replace(k, CHARTER_FILE, text->data, text->len);
	/* the profile comes last: a directory without it is not a client's */
	if (e == ERR_OK)
		e = profile_save(&profile, k);
	vault_free(v);
	return e;
}

int
restante_init(const char *directory, const char *charter_file, uint16_t mailbox,
    const struct restante_unlock *unlock, char *explain)
{
	struct vault_unlock u = { unlock->secret, unlock->len, unlock->is_key_file != 0,
		VAULT_COST_NORMAL };
	struct diag d = { "" };
	struct charter *c = NULL;
	struct disk *k = NULL;
	struct buf text;
	enum err e = secret_setup();

	buf_init(&text);
	if (e == ERR_OK)
		e = read_charter_file(&text, charter_file, &d);
	if (e == ERR_OK)
		e = parse_charter(&c, &text, charter_file, &d);
	if (e == ERR_OK)
		e = disk_open(&k, directory, &d);
	if (e == ERR_OK)
		e = unfinished_refuse(directory, k, &d);
	if (e == ERR_OK)
		e = fill_directory(k, &text, c, mailbox, &u, &d);
	disk_free(k);
	charter_free(c);
	buf_release(&text);
	return explain_to(explain, e, &d);
}

/* The charter that the directory was made with. */
static enum err
own_charter(struct charter **out, struct disk *k, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = disk_read(k, &text, CHARTER_FILE, CHARTER_BYTES_MAX);
	if (e != ERR_OK)
		(void)diag_set(d, e, CHARTER_FILE ": %s; copy the network's charter there",
		    err_text(e));
	else
		e = parse_charter(out, &text, CHARTER_FILE, d);
	buf_release(&text);
	return e;
}

/* What follows the directory's charters; explained on success too. */
static enum err
install(struct disk *k, const struct charter *given, const struct charter *next, struct diag *d)
{
	struct succession *s;
	enum err e = charterfiles_load(&s, k, given, d);

	if (e != ERR_OK)
		return e;
	e = succession_add(s, next, d);
	if (e == ERR_EXISTS)
		(void)diag_set(d, e, "the directory has this charter (version %" PRIu32 ") already",
		    next->version);
	if (e == ERR_OK)
		e = charterfiles_save(k, next);
	if (e == ERR_OK)
		(void)diag_set(d, e, "version %" PRIu32 " from epoch %" PRIu32, next->version,
		    next->from_epoch);
	succession_free(s);
	return e;
}

int
restante_install_charter(const char *directory, const char *charter_file, char *explain)
{
	struct charter *given = NULL, *next = NULL;
	struct diag d = { "" };
	struct disk *k = NULL;
	struct buf text;
	enum err e = secret_setup();

	buf_init(&text);
	if (e == ERR_OK)
		e = read_charter_file(&text, charter_file, &d);
	if (e == ERR_OK)
		e = parse_charter(&next, &text, charter_file, &d);
	if (e == ERR_OK)
		e = disk_open(&k, directory, &d);
	if (e == ERR_OK)
		e = own_charter(&given, k, &d);
	if (e == ERR_OK)
		e = install(k, given, next, &d);
	disk_free(k);
	charter_free(given);
	charter_free(next);
	buf_release(&text);
	return explain_to(explain, e, &d);
}

/* ---- opening and closing ---- */

static enum err
open_parts(struct restante *r, const char *directory, const struct vault_unlock *u,
    struct diag *d)
{
	char path[PATH_BYTES];
	enum err e = disk_open(&r->disk, directory, d);
	struct stat st;

	if (stat(directory, &st) == 0)
		r->inode = (uint64_t)st.st_ino;
	if (snprintf(path, sizeof(path), "%s/" ARCHIVE_DIRECTORY, directory) >= (int)sizeof(path))
		return diag_set(d, ERR_RANGE, "the directory's path is too long");
	if (e == ERR_OK)
		e = unfinished_refuse(directory, r->disk, d);
	if (e == ERR_OK)
		e = profile_load(&r->profile, r->disk, d);
	if (e == ERR_OK)
		e = own_charter(&r->charter, r->disk, d);
	if (e == ERR_OK)
		e = charterfiles_load(&r->charters, r->disk, r->charter, d);
	if (e == ERR_OK)
		e = vault_open(&r->vault, r->disk, u, rng_system(), d);
	if (e == ERR_OK)
		e = archive_open(&r->archive, path, vault_archive_key(r->vault), rng_system(), d);
	return e;
}

int
restante_open(struct restante **out, const char *directory, const struct restante_unlock *unlock,
    struct event_base *base, char *explain)
{
	struct vault_unlock u = { unlock->secret, unlock->len, unlock->is_key_file != 0,
		VAULT_COST_NORMAL };
	struct diag d = { "" };
	struct restante *r;
	enum err e = secret_setup();

	if (e != ERR_OK)
		return explain_to(explain, e, &d);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return explain_to(explain, ERR_MEMORY, &d);
	e = loop_event_new(&r->loop, base);
	if (e == ERR_OK)
		e = open_parts(r, directory, &u, &d);
	if (e == ERR_OK) {
		r->files = workq_new(r->loop, 1);
		e = r->files != NULL ? ERR_OK : ERR_MEMORY;
	}
	if (e != ERR_OK) {
		restante_close(r);
		return explain_to(explain, e, &d);
	}
	*out = r;
	return RESTANTE_OK;
}

void
restante_close(struct restante *r)
{
	if (r == NULL)
		return;
	handle_transfers_free(r);
	client_free(r->client);
	if (r->files != NULL)
		workq_free(r->files);
	archive_free(r->archive);
	vault_free(r->vault);
	succession_free(r->charters);
	charter_free(r->charter);
	disk_free(r->disk);
	if (r->loop != NULL)
		loop_event_free(r->loop);
	free(r);
}

/* ---- events ---- */

void
handle_message(struct restante_message *out, const struct post_message *m)
{
	memset(out, 0, sizeof(*out));
	out->id = m->id;
	out->contact = m->contact;
	out->incoming = m->incoming;
	out->is_file = m->file;
	out->late = m->late;
	out->state = (enum restante_message_state)m->state;
	out->time = m->time_ms / 1000;
	out->size = m->size;
	out->done = m->done;
	out->of = m->of;
	memcpy(out->name, m->name, sizeof(out->name));
}

static void
on_news(void *arg, const struct post_news *n)
{
	struct restante *r = arg;
	struct restante_event e = { .contact = n->contact };

	switch (n->kind) {
	case POST_NEWS_MESSAGE:
		e.kind = RESTANTE_EVENT_MESSAGE;
		break;
	case POST_NEWS_STATE:
		e.kind = RESTANTE_EVENT_STATE;
		break;
	case POST_NEWS_PROGRESS:
		e.kind = RESTANTE_EVENT_PROGRESS;
		break;
	case POST_NEWS_CONTACT:
		e.kind = RESTANTE_EVENT_CONTACT;
		break;
	}
	handle_message(&e.message, &n->message);
	if (r->event != NULL)
		r->event(r->event_arg, &e);
}

static void
on_status(void *arg)
{
	struct restante *r = arg;
	struct restante_event e = { .kind = RESTANTE_EVENT_STATUS };

	if (r->event != NULL)
		r->event(r->event_arg, &e);
}

void
restante_set_events(struct restante *r, restante_event_cb *cb, void *arg)
{
	r->event = cb;
	r->event_arg = arg;
}

/* ---- running ---- */

/* *code stays NULL if there is none. Secret memory. */
static enum err
load_code(uint8_t **code, struct restante *r)
{
	enum err e;

	*code = secret_new(ENROLMENT_SECRET_BYTES);
	if (*code == NULL)
		return ERR_MEMORY;
	e = enrolkey_load(*code, r->disk, r->vault, &r->why);
	if (e == ERR_OK)
		return e;
	secret_free(*code);
	*code = NULL;
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

int
restante_start(struct restante *r)
{
	static const struct client_events events = { on_news, on_status };
	struct client_config cfg = { .charter = r->charter,
		.disk = r->disk,
		.entrance = r->profile.entrance[0] != '\0' ? r->profile.entrance : NULL,
		.registrar = r->profile.registrar[0] != '\0' ? r->profile.registrar : NULL,
		.mailbox = (uint16_t)r->profile.mailbox,
		.held = r->held,
		.socks = r->socks[0] != '\0' ? r->socks : NULL,
		.vault = r->vault,
		.witness = r->witness[0] != '\0' ? r->witness : NULL,
		.inode = r->inode,
		.archive = r->archive,
		.rng = rng_system(),
		.keys = rng_system() };
	uint8_t *code = NULL;
	enum err e;

	r->why.text[0] = '\0';
	if (r->client != NULL)
		return handle_code(diag_set(&r->why, ERR_STATE, "the handle has been started already"));
	if (r->socks[0] == '\0' && socks_is_onion(restante_entrance(r)))
		return handle_code(diag_set(&r->why, ERR_STATE, "the entrance %s is an onion service, and "
		    "no SOCKS port of a tor is set", restante_entrance(r)));
	e = load_code(&code, r);
	cfg.code = code;
	if (e == ERR_OK)
		e = client_new(&r->client, r->loop, &cfg, &events, r, &r->why);
	secret_free(code);
	if (e == ERR_OK)
		client_set_retention(r->client, post_retention(client_post(r->client)));
	return handle_fail(r, e);
}

int
restante_run(struct restante *r)
{
	int rc = handle_started(r);

	if (rc == RESTANTE_OK)
		loop_event_run(r->loop);
	return rc;
}

void
restante_stop(struct restante *r)
{
	loop_event_stop(r->loop);
}

int
restante_change_unlock(struct restante *r, const struct restante_unlock *unlock)
{
	struct vault_unlock u = { unlock->secret, unlock->len, unlock->is_key_file != 0,
		VAULT_COST_NORMAL };

	r->why.text[0] = '\0';
	/* the client's queue writes to the same directory */
	if (r->client != NULL)
		return handle_code(diag_set(&r->why, ERR_STATE,
		    "the directory's lock cannot be changed while the client runs"));
	return handle_fail(r, vault_rekey(r->vault, &u, &r->why));
}

/* ---- durable changes ---- */

struct pending {
	struct restante *r;
	restante_done *done;
	void *arg;
};

static void
on_durable(void *arg, enum err e)
{
	struct pending *p = arg;

	handle_explain(p->r, e);
	if (p->done != NULL)
		p->done(p->arg, handle_code(e));
	free(p);
}

int
handle_commit(struct restante *r, restante_done *done, void *arg)
{
	struct pending *p = malloc(sizeof(*p));
	enum err e = ERR_MEMORY;

	if (p != NULL) {
		p->r = r;
		p->done = done;
		p->arg = arg;
		e = client_commit(r->client, on_durable, p);
	}
	if (e != ERR_OK)
		free(p);
	return handle_fail(r, e);
}

int
restante_set_retention(struct restante *r, uint32_t seconds, restante_done *done, void *arg)
{
	int64_t ms = (int64_t)seconds * 1000;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	post_set_retention(client_post(r->client), ms);
	client_set_retention(r->client, ms);
	return handle_commit(r, done, arg);
}

int
restante_status(struct restante *r, struct restante_status *out)
{
	struct client_status s;
	struct client_outlook o;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	client_status(r->client, &s);
	client_outlook(r->client, &o);
	memset(out, 0, sizeof(*out));
	out->online = s.online;
	out->verified = s.verified;
	out->caught_up = s.caught_up;
	out->gaps = s.gaps;
	out->alarms = s.alarms;
	out->epoch = s.epoch;
	out->people = s.people;
	out->round = s.round;
	out->clock_skew_ms = s.clock_skew_ms;
	out->forecast_ms = s.forecast_ms;
	out->half_ms = o.half_ms;
	out->most_ms = o.most_ms;
	out->people_effective = o.people_effective;
	out->people_least = o.people_least;
	out->charter = s.charter;
	out->coming_charter = s.coming_charter;
	out->coming_epoch = s.coming_epoch;
	out->slot_ms = r->charter->params.slot_ms;
	out->slots = s.slots;
	out->skipped = s.skipped;
	out->real = s.real;
	out->notes = s.notes;
	out->drops = s.drops;
	out->queued = s.queued;
	out->unacknowledged = s.unacknowledged;
	out->tokens_needed = s.tokens.needed;
	out->enrolled = s.tokens.enrolled;
	out->tickets = s.tokens.tickets;
	out->stamps = s.tokens.stamps;
	out->stamps_allotment = s.tokens.allotment;
	out->tokens_ahead = s.tokens.ahead;
	out->restarted = (enum restante_restarted)s.restarted.why;
	out->restarted_at = s.restarted.when_ms / 1000;
	out->void_invitations = s.restarted.invitations;
	memcpy(out->network, client_charter(r->client)->name, sizeof(out->network));
	out->time_scale = r->charter->params.time_scale;
	return RESTANTE_OK;
}
