#include "config.h"

#include "common/charter/tool/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- read ---- */

static enum err
open_to_read(int *fd, const char *path, struct diag *d)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd >= 0)
		return ERR_OK;
	if (errno == ENOENT)
		return diag_set(d, ERR_NOT_FOUND, "%s: there is no such file", path);
	return diag_set(d, ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
}

/* Up to n bytes; *got is less only at the end of the file. */
static enum err
read_up_to(int fd, void *p, size_t n, size_t *got)
{
	uint8_t *at = p;
	size_t used = 0;

	while (used < n) {
		ssize_t r = read(fd, at + used, n - used);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ERR_IO;
		if (r == 0)
			break;
		used += (size_t)r;
	}
	*got = used;
	return ERR_OK;
}

enum err
file_read(struct buf *out, const char *path, size_t max, struct diag *d)
{
	uint8_t *space;
	size_t got;
	int fd;
	enum err e = open_to_read(&fd, path, d);

	if (e != ERR_OK)
		return e;
	e = buf_reserve(out, max + 1, out->len + max + 1, &space);
	if (e != ERR_OK) {
		(void)diag_set(d, e, "%s: %s", path, err_text(e));
		goto done;
	}
	e = read_up_to(fd, space, max + 1, &got);
	if (e != ERR_OK)
		(void)diag_set(d, e, "%s: cannot be read: %s", path, strerror(errno));
	else if (got > max)
		e = diag_set(d, ERR_RANGE, "%s: larger than %zu bytes", path, max);
	else
		out->len += got;
done:
	(void)close(fd);
	return e;
}

static enum err
check_secret(int fd, size_t n, const char *path, struct diag *d)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return diag_set(d, ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size != n)
		return diag_set(d, ERR_MALFORMED, "%s: not a key file of restante-charter", path);
	if ((st.st_mode & 077) != 0)
		return diag_set(d, ERR_STATE,
		    "%s: others may read or change this secret key: run chmod 600 on it, and make "
		    "a new key if they did",
		    path);
	return ERR_OK;
}

enum err
file_read_secret(void *secret, size_t n, const char *path, struct diag *d)
{
	size_t got = 0;
	int fd;
	enum err e = open_to_read(&fd, path, d);

	if (e != ERR_OK)
		return e;
	e = check_secret(fd, n, path, d);
	if (e == ERR_OK) {
		e = read_up_to(fd, secret, n, &got);
		if (e != ERR_OK || got != n)
			e = diag_set(d, ERR_IO, "%s: cannot be read", path);
	}
	(void)close(fd);
	return e;
}

/* ---- write ---- */

/* Write, give the mode whatever the umask is, sync and close. */
static bool
fill(int fd, unsigned mode, const void *p, size_t n)
{
	const uint8_t *at = p;
	bool ok = fchmod(fd, (mode_t)mode) == 0;
	int saved;

	while (ok && n > 0) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			ok = false;
			break;
		}
		at += w;
		n -= (size_t)w;
	}
	ok = ok && fsync(fd) == 0;
	saved = errno;
	ok = close(fd) == 0 && ok;
	errno = saved;
	return ok;
}

/* The directory's entry must last too. */
static enum err
sync_directory(const char *path, struct diag *d)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int n, fd;
	bool ok;

	if (slash == NULL)
		n = snprintf(dir, sizeof(dir), ".");
	else
		n = snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	if (n < 0 || (size_t)n >= sizeof(dir))
		return diag_set(d, ERR_IO, "%.200s: the path is too long", path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok ? ERR_OK : diag_set(d, ERR_IO, "%s: its directory cannot be synced: %s", path,
	    strerror(errno));
}

enum err
file_create(const char *path, unsigned mode, const void *p, size_t n, struct diag *d)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_SECRET);

	if (fd < 0 && errno == EEXIST)
		return diag_set(d, ERR_EXISTS,
		    "%s: exists already and is not overwritten: choose another name", path);
	if (fd < 0)
		return diag_set(d, ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
	if (!fill(fd, mode, p, n)) {
		(void)diag_set(d, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
		(void)unlink(path);
		return ERR_IO;
	}
	return sync_directory(path, d);
}

enum err
file_replace(const char *path, unsigned mode, const void *p, size_t n, struct diag *d)
{
	char temporary[PATH_MAX];
	int fd, len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);

	if (len < 0 || (size_t)len >= sizeof(temporary))
		return diag_set(d, ERR_IO, "%.200s: the path is too long", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return diag_set(d, ERR_IO, "%s: cannot be updated: %s", path, strerror(errno));
	if (!fill(fd, mode, p, n) || rename(temporary, path) != 0) {
		(void)diag_set(d, ERR_IO, "%s: cannot be updated: %s", path, strerror(errno));
		(void)unlink(temporary);
		return ERR_IO;
	}
	return sync_directory(path, d);
}
