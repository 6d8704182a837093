#include "config.h"

#include "client-lib/unfinished.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/format.h"

#define MARKER "unfinished"
#define MAGIC "RSTUNF"
#define VERSION 1
#define ARCHIVE_DIRECTORY "archive"
#define MARKER_BYTES_MAX 64
#define PATH_BYTES 4096

/* ---- what is there ---- */

struct found {
	bool marker, other;
};

/* The lock and a marker without its name come before the marker. */
static bool
is_nothing(const char *name)
{
	static const char *const names[] = { ".", "..", "lock", ".new-" MARKER };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static enum err
look(struct found *out, const char *directory, struct diag *d)
{
	DIR *dir = opendir(directory);
	const struct dirent *x;

	*out = (struct found){ false, false };
	if (dir == NULL && errno == ENOENT)
		return ERR_OK;
	if (dir == NULL)
		return diag_set(d, ERR_IO, "%.300s: cannot be opened: %m", directory);
	while ((x = readdir(dir)) != NULL) {
		if (strcmp(x->d_name, MARKER) == 0)
			out->marker = true;
		else if (!is_nothing(x->d_name))
			out->other = true;
	}
	(void)closedir(dir);
	return ERR_OK;
}

static enum err
look_and_judge(struct found *out, const char *directory, struct diag *d)
{
	enum err e = look(out, directory, d);

	if (e == ERR_OK && out->other && !out->marker)
		e = diag_set(d, ERR_EXISTS, "%.300s: is not empty; a backup is restored into a new "
		    "directory only", directory);
	return e;
}

enum err
unfinished_may_begin(const char *directory, struct diag *d)
{
	struct found is;

	return look_and_judge(&is, directory, d);
}

/* ---- the marker ---- */

static void
marker_bytes(uint8_t out[static FORMAT_BYTES])
{
	struct writer w;

	writer_init(&w, out, FORMAT_BYTES);
	format_put(&w, MAGIC, VERSION);
}

/* Its removal overwrites it with zeros, and may be cut off there. */
static bool
is_marker(const struct buf *b)
{
	uint8_t want[FORMAT_BYTES];

	marker_bytes(want);
	for (size_t i = 0; i < b->len && b->len == sizeof(want); i++)
		if (b->data[i] != want[i] && b->data[i] != 0)
			return false;
	return b->len == sizeof(want);
}

/* A file of that name that is not ours is no leave to remove what stands beside it. */
static enum err
check_marker(const char *directory, struct disk *k, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(k, &b, MARKER, MARKER_BYTES_MAX);
	if (e == ERR_OK && !is_marker(&b))
		e = ERR_EXISTS;
	if (e != ERR_OK)
		(void)diag_set(d, e, "%.300s/" MARKER ": is not of a restore; a backup is restored into "
		    "a new directory only", directory);
	buf_release(&b);
	return e;
}

static enum err
put_marker(struct disk *k, struct diag *d)
{
	uint8_t bytes[FORMAT_BYTES];
	enum err e;

	marker_bytes(bytes);
	e = disk_replace(k, MARKER, bytes, sizeof(bytes));
	return e == ERR_OK ? e : diag_set(d, e, MARKER ": cannot be written (%s)", err_text(e));
}

/* ---- what an earlier restore left ---- */

struct first_name {
	char name[DISK_NAME_MAX + 1];
};

static int
take_first(void *arg, const char *name)
{
	struct first_name *f = arg;

	if (strcmp(name, MARKER) == 0)
		return 0;
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	return 1;
}

static enum err
remove_files(struct disk *k)
{
	struct first_name f;
	enum err e;

	do {
		f.name[0] = '\0';
		e = disk_list(k, take_first, &f);
		if (e == ERR_OK && f.name[0] != '\0')
			e = disk_remove(k, f.name);
	} while (e == ERR_OK && f.name[0] != '\0');
	return e;
}

/* The database's own files; its values are sealed under a key of the vault that goes too. */
static enum err
remove_archive(const char *directory)
{
	char path[PATH_BYTES];
	const struct dirent *x;
	bool all = true;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/" ARCHIVE_DIRECTORY, directory) >= (int)sizeof(path))
		return ERR_RANGE;
	dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT ? ERR_OK : ERR_IO;
	while ((x = readdir(dir)) != NULL)
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			all = unlinkat(dirfd(dir), x->d_name, 0) == 0 && all;
	(void)closedir(dir);
	return all && rmdir(path) == 0 ? ERR_OK : ERR_IO;
}

/* ---- beginning and end ---- */

enum err
unfinished_begin(const char *directory, struct disk *k, struct diag *d)
{
	struct found is;
	enum err e = look_and_judge(&is, directory, d);

	if (e == ERR_OK && !is.marker)
		return put_marker(k, d);
	if (e == ERR_OK)
		e = check_marker(directory, k, d);
	if (e != ERR_OK)
		return e;
	e = remove_archive(directory);
	if (e == ERR_OK)
		e = remove_files(k);
	return e == ERR_OK ? e : diag_set(d, e, "%.300s: what an earlier restore left cannot be "
	    "removed; remove the directory", directory);
}

enum err
unfinished_end(struct disk *k, struct diag *d)
{
	enum err e = disk_remove(k, MARKER);

	return e == ERR_OK ? e : diag_set(d, e, MARKER ": cannot be removed (%s)", err_text(e));
}

enum err
unfinished_refuse(const char *directory, struct disk *k, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(k, &b, MARKER, MARKER_BYTES_MAX);
	buf_release(&b);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	return diag_set(d, ERR_STATE, "%.300s: a restore was cut off here; run `restante restore` with "
	    "the backup again", directory);
}
