#include "config.h"

#include <fcntl.h>
#include <leveldb/c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/archive_store.h"

/* Own messages are few and small: small buffers keep the agent small. */
#define WRITE_BUFFER_BYTES ((size_t)4 << 20)
#define OPEN_FILES 64
#define PATH_BYTES 4096

struct level {
	leveldb_t *db; /* NULL: closed after a failure */
	leveldb_options_t *options;
	leveldb_writeoptions_t *synced;
	leveldb_readoptions_t *checked;
	bool deleted; /* since the files were last tidied */
	char path[PATH_BYTES];
};

/* LevelDB tells what failed by the system's text only. Frees the text. */
static enum err
level_err(char *text)
{
	enum err e = ERR_IO;

	if (strstr(text, "No space left") != NULL || strstr(text, "quota exceeded") != NULL ||
	    strstr(text, "File too large") != NULL)
		e = ERR_FULL;
	else if (strstr(text, "already held by process") != NULL || strstr(text, "lock ") != NULL)
		e = ERR_BUSY;
	else if (strstr(text, "Corruption") != NULL)
		e = ERR_MALFORMED;
	leveldb_free(text);
	return e;
}

/* LevelDB's own log tells fine times and counts; it cannot be switched off from C. */
static void
remove_log(const struct level *l, const char *name)
{
	char path[PATH_BYTES + 16];

	if (l->path[0] == '\0')
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", l->path, name);
	(void)unlink(path);
}

static enum err
level_open(struct level *l)
{
	char *text = NULL;

	if (l->db != NULL)
		return ERR_OK;
	l->db = leveldb_open(l->options, l->path, &text);
	remove_log(l, "LOG");
	remove_log(l, "LOG.old");
	if (text != NULL)
		return level_err(text);
	return l->db != NULL ? ERR_OK : ERR_IO;
}

/*
 * A failed write leaves the end of LevelDB's log in doubt, and it refuses every
 * further one. To open the database anew settles it.
 */
static void
level_close(struct level *l)
{
	if (l->db != NULL)
		leveldb_close(l->db);
	l->db = NULL;
}

static enum err
level_write(void *ctx, const struct archive_item *items, size_t n)
{
	struct level *l = ctx;
	leveldb_writebatch_t *batch;
	char *text = NULL;
	enum err e = level_open(l);

	if (e != ERR_OK)
		return e;
	batch = leveldb_writebatch_create();
	for (size_t i = 0; i < n; i++) {
		const char *name = (const char *)items[i].name;
		if (items[i].value != NULL)
			leveldb_writebatch_put(batch, name, ARCHIVE_NAME_BYTES,
			    (const char *)items[i].value, items[i].len);
		else
			leveldb_writebatch_delete(batch, name, ARCHIVE_NAME_BYTES);
		l->deleted = l->deleted || items[i].value == NULL;
	}
	leveldb_write(l->db, l->synced, batch, &text);
	leveldb_writebatch_destroy(batch);
	if (text == NULL)
		return ERR_OK;
	level_close(l);
	return level_err(text);
}

static enum err
level_read(void *ctx, struct buf *out, const uint8_t name[static ARCHIVE_NAME_BYTES], size_t max)
{
	struct level *l = ctx;
	char *text = NULL, *value;
	size_t n = 0;
	enum err e = level_open(l);

	if (e != ERR_OK)
		return e;
	value = leveldb_get(l->db, l->checked, (const char *)name, ARCHIVE_NAME_BYTES, &n, &text);
	if (text != NULL)
		return level_err(text);
	if (value == NULL)
		return ERR_NOT_FOUND;
	e = n > max ? ERR_RANGE : buf_append(out, value, n, SIZE_MAX);
	leveldb_free(value);
	return e;
}

/*
 * Compaction alone may leave deleted values where they are: the table with the
 * deletions is moved down whole if no other overlaps it. Two names, below and
 * above all others, make it overlap with everything.
 */
static enum err
level_tidy(void *ctx)
{
	static const char edges[2][ARCHIVE_NAME_BYTES] = { { 0 }, { [0] = -1, [1] = -1 } };
	struct level *l = ctx;
	char *text = NULL;
	enum err e;

	if (!l->deleted)
		return ERR_OK;
	e = level_open(l);
	for (int i = 0; i < 2 && e == ERR_OK; i++) {
		leveldb_put(l->db, l->synced, edges[i], ARCHIVE_NAME_BYTES, "", 0, &text);
		if (text == NULL)
			continue;
		level_close(l);
		e = level_err(text);
	}
	if (e != ERR_OK)
		return e;
	leveldb_compact_range(l->db, NULL, 0, NULL, 0);
	l->deleted = false;
	return ERR_OK;
}

static void
level_free(void *ctx)
{
	struct level *l = ctx;

	level_close(l);
	remove_log(l, "LOG");
	remove_log(l, "LOG.old");
	leveldb_readoptions_destroy(l->checked);
	leveldb_writeoptions_destroy(l->synced);
	leveldb_options_destroy(l->options);
	free(l);
}

static void
level_options(struct level *l)
{
	l->options = leveldb_options_create();
	leveldb_options_set_create_if_missing(l->options, 1);
	leveldb_options_set_paranoid_checks(l->options, 1);
	leveldb_options_set_compression(l->options, leveldb_no_compression);
	leveldb_options_set_write_buffer_size(l->options, WRITE_BUFFER_BYTES);
	leveldb_options_set_max_open_files(l->options, OPEN_FILES);
	l->synced = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(l->synced, 1);
	l->checked = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(l->checked, 1);
}

/* A new database's own directory entry; LevelDB syncs only what is inside. */
static enum err
sync_parent(const struct level *l)
{
	char path[PATH_BYTES + 16];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "%s/..", l->path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	rc = fsync(fd);
	(void)close(fd);
	return rc == 0 ? ERR_OK : ERR_IO;
}

static enum err
explain(struct diag *d, enum err e, const char *path)
{
	if (e == ERR_BUSY)
		return diag_set(d, e, "%s: another process uses the archive; stop it first", path);
	if (e == ERR_MALFORMED)
		return diag_set(d, e, "%s: the archive is damaged; restore a backup", path);
	return diag_set(d, e, "%s: the archive cannot be opened (%s)", path, err_text(e));
}

enum err
archive_store_leveldb(struct archive_store *out, const char *path, struct diag *d)
{
	struct level *l = calloc(1, sizeof(*l));
	enum err e;

	if (l == NULL)
		return ERR_MEMORY;
	level_options(l);
	if ((size_t)snprintf(l->path, sizeof(l->path), "%s", path) >= sizeof(l->path)) {
		l->path[0] = '\0';
		e = ERR_RANGE;
	} else {
		e = level_open(l);
		if (e == ERR_OK)
			e = sync_parent(l);
	}
	if (e != ERR_OK) {
		level_free(l);
		return explain(d, e, path);
	}
	*out = (struct archive_store){ level_write, level_read, level_tidy, level_free, l };
	return ERR_OK;
}
