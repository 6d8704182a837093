#include "config.h"

#include "mix/secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"

/* A regular file that is its owner's alone. */
static enum err
open_secret(int *out, const char *path, const char *what, struct diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "%s: %s cannot be read: %m", what, path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) == 0) {
		*out = fd;
		return ERR_OK;
	}
	(void)close(fd);
	return diag_set(d, ERR_USAGE, "%s: %s holds a secret, and others can read it; run: "
	    "chmod 600 %s", what, path, path);
}

enum err
secretfile_read(char **out, size_t *len, const char *path, const char *what, struct diag *d)
{
	char *p = secret_new(SECRETFILE_BYTES);
	enum err e = ERR_MEMORY;
	ssize_t n = 0;
	int fd;

	if (p == NULL)
		return ERR_MEMORY;
	e = open_secret(&fd, path, what, d);
	if (e == ERR_OK) {
		do
			n = read(fd, p, SECRETFILE_BYTES - 1);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			e = diag_set(d, ERR_IO, "%s: %s cannot be read: %m", what, path);
		(void)close(fd);
	}
	if (e != ERR_OK) {
		secret_free(p);
		return e;
	}
	*out = p;
	*len = (size_t)n;
	return ERR_OK;
}
