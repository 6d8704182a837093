#include "config.h"

#include "tests/faults/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t count, at;
static _Atomic int error, struck = -1;
static _Atomic bool forever;

void
files_arm(uint64_t n, int e, bool on)
{
	count = 0;
	struck = -1;
	error = e;
	forever = on;
	at = n;
}

uint64_t
files_disarm(void)
{
	at = 0;
	return count;
}

int
files_struck(void)
{
	return struck;
}

static bool
strikes(enum files_call call)
{
	uint64_t n = ++count;

	if (at == 0 || (n != at && !(forever && n > at)))
		return false;
	if (struck < 0)
		struck = (int)call;
	errno = error;
	return true;
}

static bool
is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* Named apart, because the headers have inline forms of some. */
int files_open(const char *path, int flags, ...) __asm__("open");
int files_openat(int dir, const char *path, int flags, ...) __asm__("openat");
ssize_t files_write(int fd, const void *p, size_t n) __asm__("write");
ssize_t files_pwrite(int fd, const void *p, size_t n, off_t where) __asm__("pwrite");
int files_fsync(int fd) __asm__("fsync");
int files_fdatasync(int fd) __asm__("fdatasync");
int files_rename(const char *from, const char *to) __asm__("rename");
int files_renameat(int a, const char *from, int b, const char *to) __asm__("renameat");
int files_unlink(const char *path) __asm__("unlink");
int files_unlinkat(int dir, const char *path, int flags) __asm__("unlinkat");
int files_mkdir(const char *path, mode_t mode) __asm__("mkdir");

static int
open_with(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_CREAT) != 0 && strikes(FILES_OPEN))
		return -1;
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

int
files_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_with(AT_FDCWD, path, flags, mode);
}

int
files_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_with(dir, path, flags, mode);
}

/* A write that fails leaves half of what it was given. */
ssize_t
files_write(int fd, const void *p, size_t n)
{
	if (is_file(fd) && strikes(FILES_WRITE)) {
		int e = errno;

		(void)syscall(SYS_write, fd, p, n / 2);
		errno = e;
		return -1;
	}
	return syscall(SYS_write, fd, p, n);
}

ssize_t
files_pwrite(int fd, const void *p, size_t n, off_t where)
{
	return strikes(FILES_WRITE) ? -1 : syscall(SYS_pwrite64, fd, p, n, where);
}

int
files_fsync(int fd)
{
	return strikes(FILES_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
files_fdatasync(int fd)
{
	return strikes(FILES_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
files_rename(const char *from, const char *to)
{
	return strikes(FILES_RENAME) ? -1 : (int)syscall(SYS_rename, from, to);
}

int
files_renameat(int a, const char *from, int b, const char *to)
{
	return strikes(FILES_RENAME) ? -1 : (int)syscall(SYS_renameat, a, from, b, to);
}

int
files_unlink(const char *path)
{
	return strikes(FILES_UNLINK) ? -1 : (int)syscall(SYS_unlink, path);
}

int
files_unlinkat(int dir, const char *path, int flags)
{
	return strikes(FILES_UNLINK) ? -1 : (int)syscall(SYS_unlinkat, dir, path, flags);
}

int
files_mkdir(const char *path, mode_t mode)
{
	return strikes(FILES_MKDIR) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}
