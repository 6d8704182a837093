#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/disk.h"

#define LOCK_NAME "lock"
#define TEMP_PREFIX ".new-"
#define GONE_PREFIX ".old-"
#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Every name is opened relative to dir, which outlives renames of the path. */
struct posix {
	int dir, lock;
};

static enum err
err_of_errno(void)
{
	switch (errno) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case ENOMEM:
		return ERR_MEMORY;
	default:
		return ERR_IO;
	}
}

/* Open a regular file and learn its size. Anything else of that name is ERR_IO. */
static enum err
open_file(int *out, size_t *size, const struct posix *x, const char *name, int flags)
{
	int fd = openat(x->dir, name, flags | OPEN_FLAGS, 0600);
	struct stat st;

	if (fd < 0)
		return err_of_errno();
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0) {
		(void)close(fd);
		return ERR_IO;
	}
	*out = fd;
	*size = (size_t)st.st_size;
	return ERR_OK;
}

static enum err
write_at(int fd, const uint8_t *p, size_t n, size_t at)
{
	while (n > 0) {
		ssize_t did = pwrite(fd, p, n, (off_t)at);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return err_of_errno();
		if (did == 0)
			return ERR_IO;
		p += did;
		n -= (size_t)did;
		at += (size_t)did;
	}
	return ERR_OK;
}

static enum err
sync_data(int fd)
{
	return fdatasync(fd) == 0 ? ERR_OK : err_of_errno();
}

static enum err
sync_dir(const struct posix *x)
{
	return fsync(x->dir) == 0 ? ERR_OK : err_of_errno();
}

/*
 * As far as the medium allows: a copy-on-write file system or a flash
 * controller may keep the old blocks, so a failure here is not reported.
 */
static void
overwrite(int fd, size_t size)
{
	static const uint8_t zeros[4096];
	size_t at = 0;

	while (at < size) {
		size_t n = size - at < sizeof(zeros) ? size - at : sizeof(zeros);

		if (write_at(fd, zeros, n, at) != ERR_OK)
			return;
		at += n;
	}
	(void)sync_data(fd);
}

/* Read size bytes and then ask for more, so that a file that grew is noticed. */
static enum err
read_all(int fd, struct buf *out, size_t size)
{
	size_t got = 0;
	uint8_t *to;
	enum err e = buf_reserve(out, size + 1, SIZE_MAX, &to);

	if (e != ERR_OK)
		return e;
	while (got <= size) {
		ssize_t did = read(fd, to + got, size + 1 - got);

		if (did < 0 && errno == EINTR)
			continue;
		if (did < 0)
			return err_of_errno();
		if (did == 0)
			break;
		got += (size_t)did;
	}
	if (got != size)
		return ERR_IO;
	out->len += size;
	return ERR_OK;
}

static enum err
posix_read(void *ctx, struct buf *out, const char *name, size_t max)
{
	size_t size;
	int fd;
	enum err e = open_file(&fd, &size, ctx, name, O_RDONLY);

	if (e != ERR_OK)
		return e;
	e = size > max ? ERR_RANGE : read_all(fd, out, size);
	(void)close(fd);
	return e;
}

static enum err
write_new(const struct posix *x, const char *temp, const void *p, size_t n)
{
	size_t size;
	int fd;
	enum err e;

	(void)unlinkat(x->dir, temp, 0);
	e = open_file(&fd, &size, x, temp, O_WRONLY | O_CREAT | O_EXCL);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_IO : e;
	e = write_at(fd, p, n, 0);
	if (e == ERR_OK && fsync(fd) != 0)
		e = err_of_errno();
	if (close(fd) != 0 && e == ERR_OK)
		e = err_of_errno();
	return e;
}

/* Wipe a file that lost its last name; one that has another (a backup) is left alone. */
static void
wipe_unlinked(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size > 0)
		overwrite(fd, (size_t)st.st_size);
	(void)close(fd);
}

static enum err
posix_replace(void *ctx, const char *name, const void *p, size_t n)
{
	const struct posix *x = ctx;
	char temp[sizeof(TEMP_PREFIX) + DISK_NAME_MAX];
	size_t size;
	int old;
	enum err e;

	(void)snprintf(temp, sizeof(temp), TEMP_PREFIX "%s", name);
	e = write_new(x, temp, p, n);
	if (e != ERR_OK) {
		(void)unlinkat(x->dir, temp, 0);
		return e;
	}
	if (open_file(&old, &size, x, name, O_WRONLY) != ERR_OK)
		old = -1;
	if (renameat(x->dir, temp, x->dir, name) != 0) {
		e = err_of_errno();
		(void)unlinkat(x->dir, temp, 0);
	} else {
		e = sync_dir(x);
	}
	if (old >= 0 && e == ERR_OK)
		wipe_unlinked(old);
	else if (old >= 0)
		(void)close(old);
	return e;
}

static enum err
open_for_append(int *fd, size_t *size, bool *created, const struct posix *x, const char *name)
{
	enum err e = open_file(fd, size, x, name, O_WRONLY);

	*created = e == ERR_NOT_FOUND;
	if (*created)
		e = open_file(fd, size, x, name, O_WRONLY | O_CREAT | O_EXCL);
	return e;
}

static enum err
posix_append(void *ctx, const char *name, const void *p, size_t n)
{
	const struct posix *x = ctx;
	bool created;
	size_t size;
	int fd;
	enum err e = open_for_append(&fd, &size, &created, x, name);

	if (e != ERR_OK)
		return e;
	e = write_at(fd, p, n, size);
	if (e == ERR_OK)
		e = sync_data(fd);
	if (e == ERR_OK && created)
		e = sync_dir(x);
	if (e != ERR_OK && ftruncate(fd, (off_t)size) == 0)
		(void)sync_data(fd);
	if (e != ERR_OK && created)
		(void)unlinkat(x->dir, name, 0);
	(void)close(fd);
	return e;
}

static enum err
posix_truncate(void *ctx, const char *name, size_t n)
{
	size_t size;
	int fd;
	enum err e = open_file(&fd, &size, ctx, name, O_WRONLY);

	if (e != ERR_OK)
		return e;
	if (n > size)
		e = ERR_RANGE;
	else if (ftruncate(fd, (off_t)n) != 0)
		e = err_of_errno();
	else
		e = sync_data(fd);
	(void)close(fd);
	return e;
}

/* Overwrite and remove; a file that is not there is gone already. */
static enum err
destroy_file(const struct posix *x, const char *name)
{
	size_t size;
	int fd;

	if (open_file(&fd, &size, x, name, O_WRONLY) == ERR_OK) {
		overwrite(fd, size);
		(void)close(fd);
	}
	if (unlinkat(x->dir, name, 0) != 0)
		return errno == ENOENT ? ERR_OK : err_of_errno();
	return sync_dir(x);
}

static bool
is_file(const struct posix *x, const char *name)
{
	struct stat st;

	return fstatat(x->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/*
 * Under another name first, durably: who is cut off from here on leaves no file of zeros
 * behind that its owner would take for damaged. disk_open does the rest then, or we do when
 * we are asked again. A full disk may have no room for the name: a key must go all the same.
 */
static enum err
posix_remove(void *ctx, const char *name)
{
	const struct posix *x = ctx;
	char gone[sizeof(GONE_PREFIX) + DISK_NAME_MAX];
	enum err e;

	(void)snprintf(gone, sizeof(gone), GONE_PREFIX "%s", name);
	e = is_file(x, gone) ? destroy_file(x, gone) : ERR_OK;
	if (e != ERR_OK)
		return e;
	if (!is_file(x, name))
		return destroy_file(x, name);
	if (renameat(x->dir, name, x->dir, gone) != 0) {
		e = err_of_errno();
		return e == ERR_FULL ? destroy_file(x, name) : e;
	}
	e = sync_dir(x);
	return e == ERR_OK ? destroy_file(x, gone) : e;
}

static bool
is_listed(const struct posix *x, const char *name)
{
	return name[0] != '.' && strcmp(name, LOCK_NAME) != 0 && is_file(x, name);
}

/* A stream of its own on the directory, so that positions are not shared. */
static DIR *
open_listing(const struct posix *x)
{
	int fd = openat(x->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;

	if (listing == NULL && fd >= 0)
		(void)close(fd);
	return listing;
}

static enum err
posix_list(void *ctx, int (*each)(void *arg, const char *name), void *arg)
{
	const struct posix *x = ctx;
	DIR *listing = open_listing(x);
	const struct dirent *entry;
	enum err e = ERR_OK;

	if (listing == NULL)
		return ERR_IO;
	for (;;) {
		errno = 0;
		entry = readdir(listing);
		if (entry == NULL) {
			e = errno == 0 ? ERR_OK : ERR_IO;
			break;
		}
		if (is_listed(x, entry->d_name) && each(arg, entry->d_name) != 0)
			break;
	}
	(void)closedir(listing);
	return e;
}

static void
posix_free(void *ctx)
{
	struct posix *x = ctx;

	if (x->lock >= 0)
		(void)close(x->lock); /* the lock goes with its last descriptor */
	if (x->dir >= 0)
		(void)close(x->dir);
	free(x);
}

static enum err
open_dir(struct posix *x, const char *path, struct diag *d)
{
	bool created = mkdir(path, 0700) == 0;
	struct stat st;
	int parent;

	if (!created && errno != EEXIST)
		return diag_set(
		    d, ERR_IO, "cannot create the directory %s: %s", path, strerror(errno));
	x->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dir < 0 || fstat(x->dir, &st) != 0)
		return diag_set(
		    d, ERR_IO, "cannot open the directory %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return diag_set(d, ERR_USAGE,
		    "the directory %s belongs to another user; chown it or choose another", path);
	if ((st.st_mode & 077) != 0)
		return diag_set(d, ERR_USAGE,
		    "others have access to the directory %s (mode %04o); run: chmod 700 %s", path,
		    (unsigned)(st.st_mode & 07777), path);
	parent = created ? openat(x->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (parent >= 0) {
		(void)fsync(parent);
		(void)close(parent);
	}
	return ERR_OK;
}

static enum err
take_lock(struct posix *x, const char *path, struct diag *d)
{
	x->lock = openat(x->dir, LOCK_NAME, O_RDWR | O_CREAT | OPEN_FLAGS, 0600);
	if (x->lock < 0)
		return diag_set(d, ERR_IO, "cannot create the lock file %s/" LOCK_NAME ": %s", path,
		    strerror(errno));
	if (flock(x->lock, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	if (errno == EWOULDBLOCK)
		return diag_set(
		    d, ERR_BUSY, "another process uses the directory %s; stop it first", path);
	return diag_set(d, ERR_IO, "cannot lock %s/" LOCK_NAME ": %s", path, strerror(errno));
}

/* New files that never got their name may hold secrets, and so may those that were to be removed. */
static void
remove_leftovers(struct posix *x)
{
	DIR *listing = open_listing(x);
	const struct dirent *entry;

	if (listing == NULL)
		return;
	while ((entry = readdir(listing)) != NULL)
		if (strncmp(entry->d_name, TEMP_PREFIX, sizeof(TEMP_PREFIX) - 1) == 0 ||
		    strncmp(entry->d_name, GONE_PREFIX, sizeof(GONE_PREFIX) - 1) == 0)
			(void)destroy_file(x, entry->d_name);
	(void)closedir(listing);
}

static const struct disk_ops posix_ops = {
    .read = posix_read,
    .replace = posix_replace,
    .append = posix_append,
    .truncate = posix_truncate,
    .remove = posix_remove,
    .list = posix_list,
    .free = posix_free,
};

enum err
disk_open(struct disk **out, const char *path, struct diag *d)
{
	struct posix *x = malloc(sizeof(*x));
	struct disk *k;
	enum err e;

	if (x == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	x->dir = x->lock = -1;
	e = open_dir(x, path, d);
	if (e == ERR_OK)
		e = take_lock(x, path, d);
	if (e != ERR_OK) {
		posix_free(x);
		return e;
	}
	remove_leftovers(x);
	k = disk_new(&posix_ops, x);
	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	*out = k;
	return ERR_OK;
}
