/* librestante: backups, and directories that are made from one. */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/backup.h"
#include "client-lib/client_backup.h"
#include "client-lib/client_state.h"
#include "client-lib/entrykey.h"
#include "client-lib/handle.h"
#include "client-lib/include/restante/backup.h"
#include "client-lib/unfinished.h"
#include "common/base/clock.h"
#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "common/net/loop.h"

#define CHARTER_FILE "charter"
#define PATH_BYTES 4096
#define BATCH_MAX 256
#define BATCH_BYTES ((size_t)4 << 20)

static struct vault_unlock
unlock_of(const struct restante_unlock *u)
{
	return (struct vault_unlock){ u->secret, u->len, u->is_key_file != 0, VAULT_COST_NORMAL };
}

static void
post_config_of(struct post_config *out, const struct charter *c, uint16_t mailbox)
{
	*out = (struct post_config){ .params = c->params,
		.gateway = charter_gateway(c)->number,
		.mailbox = mailbox,
		.gateway_identity = charter_gateway(c)->identity,
		.rng = rng_system(),
		.keys = rng_system() };
	memcpy(out->network_id, c->network_id, sizeof(out->network_id));
}

/* ---- making one ---- */

struct backup_call {
	struct restante *r;
	restante_done *done;
	void *arg;
};

static void
on_backup(void *arg, enum err e)
{
	struct backup_call *b = arg;

	if (e != ERR_OK && b->r->why.text[0] == '\0')
		handle_explain(b->r, e);
	b->done(b->arg, handle_code(e));
	free(b);
}

static enum err
backup_running(struct restante *r, const char *path, const struct vault_unlock *u,
    restante_done *done, void *arg)
{
	struct backup_call *b = malloc(sizeof(*b));
	enum err e = ERR_MEMORY;

	if (b != NULL) {
		*b = (struct backup_call){ r, done, arg };
		e = client_backup(r->client, path, u, on_backup, b, &r->why);
	}
	if (e != ERR_OK)
		free(b);
	return e;
}

/* The reader's part of a stored state as it is, and the post's as a backup has it. */
static enum err
take_stored(struct backup_job *j, struct restante *r, const struct buf *state)
{
	struct post_config cfg;
	struct post *p = NULL;
	struct reader front, in;
	enum err e = client_state_split(&front, &in, state->data, state->len);

	if (e != ERR_OK)
		return diag_set(&r->why, e, "state: truncated; restore a backup");
	post_config_of(&cfg, r->charter, (uint16_t)r->profile.mailbox);
	e = post_load(&p, &cfg, in.at, in.left, &r->why);
	if (e == ERR_OK)
		e = buf_append(&j->state, front.at, front.left, BACKUP_ITEM_MAX);
	if (e == ERR_OK)
		e = post_backup(p, &j->state);
	if (e == ERR_OK)
		e = backup_job_take(j, p);
	post_free(p);
	return e;
}

static enum err
backup_stopped(struct restante *r, const char *path, const struct vault_unlock *u)
{
	struct backup_job j;
	struct buf state;
	enum err e = backup_job_init(&j, path, u);

	if (e != ERR_OK)
		return e;
	j.disk = r->disk;
	j.vault = r->vault;
	j.archive = r->archive;
	buf_init(&state);
	e = vault_read_state(r->vault, &state, &r->why);
	if (e == ERR_NOT_FOUND)
		(void)diag_set(&r->why, e, "this client has never run: there is nothing to back up yet");
	if (e == ERR_OK)
		e = take_stored(&j, r, &state);
	if (e == ERR_OK) {
		e = backup_job_run(&j);
		r->why = j.why;
	}
	buf_release(&state);
	backup_job_clear(&j);
	return e;
}

int
restante_backup(struct restante *r, const char *path, const struct restante_unlock *unlock,
    restante_done *done, void *arg)
{
	struct vault_unlock u = unlock_of(unlock);
	enum err e;

	r->why.text[0] = '\0';
	if (r->client != NULL)
		return handle_fail(r, backup_running(r, path, &u, done, arg));
	e = backup_stopped(r, path, &u);
	if (e == ERR_OK && done != NULL)
		done(arg, RESTANTE_OK);
	return handle_fail(r, e);
}

/* ---- a directory from one ---- */

struct restoring {
	const char *directory;
	struct backup_reader *from;
	struct disk *disk;
	struct vault *vault;
	struct archive *archive;
	struct post_write batch[BATCH_MAX];
	size_t count, bytes;
	struct buf state, profile;
	struct charter *charter;
	struct diag *d;
};

static void
drop_batch(struct restoring *s)
{
	for (size_t i = 0; i < s->count; i++) {
		sodium_memzero(s->batch[i].data, s->batch[i].len);
		free(s->batch[i].data);
	}
	s->count = s->bytes = 0;
}

static enum err
write_batch(struct restoring *s)
{
	enum err e = archive_write(s->archive, s->batch, s->count);

	drop_batch(s);
	return e == ERR_OK ? e : diag_set(s->d, e, "archive: cannot be written (%s)", err_text(e));
}

static enum err
take_value(struct restoring *s, const struct backup_item *item)
{
	struct post_write *w = &s->batch[s->count];

	if (item->key_len == 0 || item->key_len > sizeof(w->key))
		return ERR_MALFORMED;
	memcpy(w->key, item->key, item->key_len);
	w->key_len = (uint8_t)item->key_len;
	w->len = item->value.len;
	w->data = malloc(w->len > 0 ? w->len : 1);
	if (w->data == NULL)
		return ERR_MEMORY;
	if (w->len > 0)
		memcpy(w->data, item->value.data, w->len);
	s->count++;
	s->bytes += w->len;
	return s->count == BATCH_MAX || s->bytes >= BATCH_BYTES ? write_batch(s) : ERR_OK;
}

/* Names of ours alone: nobody's file is written elsewhere by a backup. */
static enum err
take_file(struct restoring *s, const struct backup_item *item)
{
	char name[BACKUP_KEY_MAX + 1];

	memcpy(name, item->key, item->key_len);
	name[item->key_len] = '\0';
	if (strcmp(name, PROFILE_FILE) == 0)
		return buf_append(&s->profile, item->value.data, item->value.len, CONFIG_FILE_MAX);
	if (strncmp(name, CHARTER_FILE, strlen(CHARTER_FILE)) != 0)
		return ERR_MALFORMED;
	if (strcmp(name, CHARTER_FILE) == 0 && s->charter == NULL) {
		enum err e = charter_parse(&s->charter, item->value.data, item->value.len, s->d);
		if (e != ERR_OK)
			return e;
	}
	return disk_replace(s->disk, name, item->value.data, item->value.len);
}

static enum err
take_entry(struct restoring *s, const struct backup_item *item)
{
	struct clientauth a = { .service = "" };
	enum err e = clientauth_parse(&a, (const char *)item->value.data, item->value.len, s->d);

	if (e == ERR_OK)
		e = entrykey_save(&a, s->disk, s->vault, rng_system(), s->d);
	sodium_memzero(&a, sizeof(a));
	return e;
}

static enum err
take_item(struct restoring *s, const struct backup_item *item)
{
	switch (item->kind) {
	case BACKUP_FILE:
		return take_file(s, item);
	case BACKUP_STATE:
		return buf_append(&s->state, item->value.data, item->value.len, BACKUP_ITEM_MAX);
	case BACKUP_ENTRY:
		return take_entry(s, item);
	case BACKUP_VALUE:
		return take_value(s, item);
	case BACKUP_END:
		return write_batch(s);
	}
	return ERR_MALFORMED;
}

/* All of it; take false: only to see that it is whole, before anything is written. */
static enum err
read_all(struct restoring *s, bool take)
{
	struct backup_item item;
	bool end = false;
	enum err e = ERR_OK;

	while (!end && e == ERR_OK) {
		e = backup_next(s->from, &item, s->d);
		if (e != ERR_OK)
			break;
		end = item.kind == BACKUP_END;
		if (take)
			e = take_item(s, &item);
		if (e != ERR_OK && s->d->text[0] == '\0')
			(void)diag_set(s->d, e, "the backup has what does not belong there (%s)",
			    err_text(e));
		buf_release(&item.value);
	}
	return e;
}

static enum err
open_target(struct restoring *s, const struct vault_unlock *u)
{
	char path[PATH_BYTES];
	enum err e = disk_open(&s->disk, s->directory, s->d);

	if (snprintf(path, sizeof(path), "%s/archive", s->directory) >= (int)sizeof(path))
		return diag_set(s->d, ERR_RANGE, "the directory's path is too long");
	if (e == ERR_OK)
		e = unfinished_begin(s->directory, s->disk, s->d);
	if (e == ERR_OK)
		e = vault_create(&s->vault, s->disk, u, rng_system(), s->d);
	if (e == ERR_OK)
		e = archive_open(&s->archive, path, vault_archive_key(s->vault), rng_system(), s->d);
	return e;
}

/* The state, restarted: behind the reader's part as it was. */
static enum err
finish_state(struct restoring *s, const struct profile *profile, struct post_restarted *told)
{
	struct post_config cfg;
	struct post_write *w;
	struct post *p = NULL;
	struct reader front, in;
	struct buf state;
	size_t n;
	int64_t now_ms = clock_wall_ms(clock_system());
	enum err e = client_state_split(&front, &in, s->state.data, s->state.len);

	if (e != ERR_OK)
		return diag_set(s->d, e, "the backup's state is cut off; use another one");
	post_config_of(&cfg, s->charter, (uint16_t)profile->mailbox);
	e = post_restore(&p, &cfg, in.at, in.left, now_ms, s->d);
	if (e != ERR_OK)
		return e;
	buf_init(&state);
	e = post_take_writes(p, &w, &n);
	if (e == ERR_OK)
		e = archive_write(s->archive, w, n);
	post_writes_free(w, n);
	if (e == ERR_OK)
		e = buf_append(&state, front.at, front.left, BACKUP_ITEM_MAX);
	if (e == ERR_OK)
		client_state_forget_place(state.data, state.len);
	if (e == ERR_OK)
		e = post_save(p, &state);
	if (e == ERR_OK)
		e = vault_write_state(s->vault, state.data, state.len, now_ms);
	post_restarted(p, told);
	buf_release(&state);
	post_free(p);
	return e;
}

static enum err
finish(struct restoring *s, struct post_restarted *told)
{
	struct profile profile;
	enum err e;

	if (s->charter == NULL || s->state.len == 0)
		return diag_set(s->d, ERR_MALFORMED, "the backup has no charter or no state; "
		    "use another one");
	e = config_parse(&profile, &profile_schema, PROFILE_FILE, s->profile.data, s->profile.len,
	    s->d);
	if (e == ERR_OK)
		e = finish_state(s, &profile, told);
	if (e == ERR_OK)
		e = disk_replace(s->disk, PROFILE_FILE, s->profile.data, s->profile.len);
	return e == ERR_OK ? unfinished_end(s->disk, s->d) : e;
}

static void
restoring_clear(struct restoring *s)
{
	drop_batch(s);
	buf_release(&s->state);
	buf_release(&s->profile);
	charter_free(s->charter);
	archive_free(s->archive);
	vault_free(s->vault);
	disk_free(s->disk);
	backup_reader_free(s->from);
	free(s);
}

int
restante_restore(const char *directory, const char *backup_file,
    const struct restante_unlock *backup_unlock, const struct restante_unlock *unlock,
    struct restante_restored *out, char *explain)
{
	struct vault_unlock theirs = unlock_of(backup_unlock), own = unlock_of(unlock);
	struct post_restarted told = { .why = POST_RESTART_NONE };
	struct diag d = { "" };
	struct restoring *s = calloc(1, sizeof(*s));
	enum err e = s != NULL ? secret_setup() : ERR_MEMORY;

	if (e == ERR_OK) {
		s->directory = directory;
		s->d = &d;
		e = unfinished_may_begin(directory, &d);
	}
	if (e == ERR_OK)
		e = backup_open(&s->from, backup_file, &theirs, &d);
	if (e == ERR_OK)
		e = read_all(s, false);
	if (e == ERR_OK)
		e = backup_rewind(s->from, &d);
	if (e == ERR_OK)
		e = open_target(s, &own);
	if (e == ERR_OK)
		e = read_all(s, true);
	if (e == ERR_OK)
		e = finish(s, &told);
	if (s != NULL)
		restoring_clear(s);
	if (e == ERR_OK && out != NULL)
		*out = (struct restante_restored){ told.invitations, told.stranded };
	if (explain != NULL)
		(void)snprintf(explain, sizeof(d.text), "%s",
		    d.text[0] != '\0' ? d.text : err_text(e));
	return handle_code(e);
}

/* ---- the witness ---- */

int
restante_set_witness(struct restante *r, const char *directory)
{
	char name[2 * 8 + 1];
	uint8_t id[32];
	int n;

	r->why.text[0] = '\0';
	if (r->client != NULL)
		return handle_code(diag_set(&r->why, ERR_STATE, "the client runs already"));
	/* of the vault, not of its place: a copy has the same */
	hash_derive(id, vault_archive_key(r->vault), "restante/vault/witness", NULL, 0);
	encode_hex(name, id, 8);
	n = snprintf(r->witness, sizeof(r->witness), "%s/%s", directory, name);
	if (n < 0 || (size_t)n >= sizeof(r->witness)) {
		r->witness[0] = '\0';
		return handle_code(diag_set(&r->why, ERR_RANGE, "the witness's path is too long"));
	}
	return RESTANTE_OK;
}
