#include "config.h"

#include "client-lib/client_backup.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/backup.h"
#include "client-lib/client_parts.h"
#include "client-lib/entrykey.h"
#include "client-lib/profile.h"
#include "common/base/secret.h"

#define VALUE_BYTES_MAX ((size_t)1 << 20) /* of one archive value */
#define FILE_BYTES_MAX ((size_t)1 << 20)

/* ---- the job ---- */

enum err
backup_job_init(struct backup_job *j, const char *path, const struct vault_unlock *u)
{
	uint8_t *secret = secret_new(u->len > 0 ? u->len : 1);

	memset(j, 0, sizeof(*j));
	buf_init(&j->state);
	j->path = strdup(path);
	if (secret == NULL || j->path == NULL) {
		secret_free(secret);
		free(j->path);
		j->path = NULL;
		return ERR_MEMORY;
	}
	memcpy(secret, u->secret, u->len);
	j->unlock = *u;
	j->unlock.secret = secret;
	return ERR_OK;
}

void
backup_job_clear(struct backup_job *j)
{
	secret_free((void *)(uintptr_t)j->unlock.secret);
	free(j->path);
	free(j->more);
	buf_release(&j->state);
	memset(j, 0, sizeof(*j));
}

enum err
backup_job_take(struct backup_job *j, const struct post *p)
{
	size_t at = 0, room = 0;
	struct post_write key, *grown;

	j->first = post_first_message(p);
	j->last = post_last_message(p);
	j->more_count = 0;
	while (post_backup_key(p, &key, &at)) {
		if (j->more_count == room) {
			room = room > 0 ? 2 * room : 16;
			grown = realloc(j->more, room * sizeof(*grown));
			if (grown == NULL)
				return ERR_MEMORY;
			j->more = grown;
		}
		j->more[j->more_count++] = key;
	}
	return ERR_OK;
}

/* ---- writing it ---- */

/* What is not there was deleted: nothing. */
static enum err
copy_value(struct backup_job *j, struct backup_writer *w, const struct post_write *key,
    struct buf *value)
{
	enum err e;

	buf_release(value);
	e = archive_read(j->archive, value, key, VALUE_BYTES_MAX);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return diag_set(&j->why, e, "archive: a message cannot be read (%s)", err_text(e));
	return backup_put(w, BACKUP_VALUE, key->key, key->key_len, value->data, value->len, &j->why);
}

static enum err
copy_message(struct backup_job *j, struct backup_writer *w, uint64_t id, struct buf *value)
{
	struct post_write key;
	struct post_message m;
	enum err e;

	post_key_message(&key, id);
	e = copy_value(j, w, &key, value);
	if (e != ERR_OK || value->len == 0)
		return e;
	if (post_message_decode(&m, value->data, value->len) != ERR_OK)
		return ERR_OK; /* of no use to anybody */
	for (uint32_t i = 0; i < m.of && e == ERR_OK; i++) {
		if (m.incoming)
			post_key_in(&key, m.store, i);
		else
			post_key_out(&key, m.id, i);
		e = copy_value(j, w, &key, value);
	}
	return e;
}

static enum err
copy_archive(struct backup_job *j, struct backup_writer *w)
{
	struct buf value;
	enum err e = ERR_OK;

	buf_init(&value);
	for (uint64_t id = j->first > 0 ? j->first : 1; id <= j->last && e == ERR_OK; id++)
		e = copy_message(j, w, id, &value);
	for (size_t i = 0; i < j->more_count && e == ERR_OK; i++)
		e = copy_value(j, w, &j->more[i], &value);
	buf_release(&value);
	return e;
}

static enum err
copy_file(struct backup_job *j, struct backup_writer *w, const char *name)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = disk_read(j->disk, &text, name, FILE_BYTES_MAX);
	if (e == ERR_OK)
		e = backup_put(w, BACKUP_FILE, name, strlen(name), text.data, text.len, &j->why);
	else
		(void)diag_set(&j->why, e, "%.100s: cannot be read (%s)", name, err_text(e));
	buf_release(&text);
	return e;
}

#define COPIES_MAX 4096

struct charter_copies {
	char (*names)[DISK_NAME_MAX + 1];
	size_t count, room;
	enum err err;
};

/* No version of ours has a longer name: such a file is somebody else's. */
static int
each_name(void *arg, const char *name)
{
	struct charter_copies *c = arg;
	size_t n = strnlen(name, DISK_NAME_MAX + 1);
	void *grown;

	if (strncmp(name, "charter", 7) != 0 || n > DISK_NAME_MAX)
		return 0;
	if (c->count == c->room) {
		grown = c->room < COPIES_MAX
		    ? realloc(c->names, (c->room + 64) * sizeof(*c->names)) : NULL;
		if (grown == NULL) {
			c->err = c->room < COPIES_MAX ? ERR_MEMORY : ERR_FULL;
			return 1;
		}
		c->names = grown;
		c->room += 64;
	}
	memcpy(c->names[c->count++], name, n + 1);
	return 0;
}

static enum err
copy_files(struct backup_job *j, struct backup_writer *w)
{
	struct charter_copies c = { .names = NULL };
	enum err e = disk_list(j->disk, each_name, &c);

	if (e == ERR_OK)
		e = c.err;
	if (e == ERR_FULL)
		(void)diag_set(&j->why, e, "more than %d files named charter*; remove those that are "
		    "not this network's", COPIES_MAX);
	for (size_t i = 0; e == ERR_OK && i < c.count; i++)
		e = copy_file(j, w, c.names[i]);
	free(c.names);
	return e == ERR_OK ? copy_file(j, w, PROFILE_FILE) : e;
}

static enum err
copy_entry(struct backup_job *j, struct backup_writer *w)
{
	struct clientauth a = { .service = "" };
	char line[CLIENTAUTH_LINE_SIZE];
	enum err e = entrykey_load(&a, j->disk, j->vault, &j->why);

	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK) {
		clientauth_print(line, &a);
		e = backup_put(w, BACKUP_ENTRY, NULL, 0, line, strlen(line), &j->why);
	}
	sodium_memzero(&a, sizeof(a));
	sodium_memzero(line, sizeof(line));
	return e;
}

enum err
backup_job_run(struct backup_job *j)
{
	struct backup_writer *w = NULL;
	enum err e = backup_create(&w, j->path, &j->unlock, rng_system(), &j->why);

	if (e == ERR_OK)
		e = copy_files(j, w);
	if (e == ERR_OK)
		e = copy_entry(j, w);
	if (e == ERR_OK)
		e = copy_archive(j, w);
	/* last of all that counts: with it the archive was complete */
	if (e == ERR_OK)
		e = backup_put(w, BACKUP_STATE, NULL, 0, j->state.data, j->state.len, &j->why);
	if (e == ERR_OK)
		e = backup_finish(w, &j->why);
	backup_writer_free(w);
	return e;
}

/* ---- while the client runs ---- */

struct backup_wish {
	struct client *client;
	struct backup_job job;
	client_done *done;
	void *arg;
	struct diag *why;
	enum err err;
};

static void
wish_end(struct backup_wish *b, enum err e)
{
	client_done *done = b->done;
	void *arg = b->arg;

	if (e != ERR_CLOSED)
		*b->why = b->job.why;
	backup_job_clear(&b->job);
	free(b);
	done(arg, e);
}

static void
wish_run(void *arg)
{
	struct backup_wish *b = arg;

	b->err = backup_job_run(&b->job);
}

static void
wish_ran(void *arg)
{
	struct backup_wish *b = arg;

	wish_end(b, b->client->closing ? ERR_CLOSED : b->err);
}

static void
wish_begin(void *arg, enum err e)
{
	struct backup_wish *b = arg;
	struct client *c = b->client;

	if (e == ERR_OK && !commit_is_idle(c->commit)) {
		/* more came meanwhile: the archive has to have that too */
		e = commit_tell(c->commit, wish_begin, b);
		if (e == ERR_OK)
			return;
	}
	if (e == ERR_OK)
		e = client_save_backup(c, &b->job.state);
	if (e == ERR_OK)
		e = backup_job_take(&b->job, c->post);
	if (e == ERR_OK)
		e = workq_add(commit_queue(c->commit), wish_run, wish_ran, b);
	if (e != ERR_OK)
		wish_end(b, e);
}

enum err
client_backup(struct client *c, const char *path, const struct vault_unlock *u,
    client_done *done, void *arg, struct diag *d)
{
	struct backup_wish *b = calloc(1, sizeof(*b));
	enum err e = b != NULL ? backup_job_init(&b->job, path, u) : ERR_MEMORY;

	if (e != ERR_OK) {
		free(b);
		return e;
	}
	b->client = c;
	b->job.disk = c->cfg.disk;
	b->job.vault = c->cfg.vault;
	b->job.archive = c->cfg.archive;
	b->done = done;
	b->arg = arg;
	b->why = d;
	e = commit_tell(c->commit, wish_begin, b);
	if (e != ERR_OK) {
		backup_job_clear(&b->job);
		free(b);
	}
	return e;
}
