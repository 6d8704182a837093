#include "config.h"

#include "common/base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

static enum err
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd) == 0 ? ERR_OK : ERR_IO;
}

enum err
newfile_write(const char *path, unsigned mode, const void *p, size_t n, struct diag *d)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
	enum err e;

	if (fd < 0 && errno == EEXIST)
		return diag_set(d, ERR_EXISTS, "%s: it exists; name a new file", path);
	if (fd < 0)
		return diag_set(d, ERR_IO, "%s: it cannot be made: %m", path);
	e = write_all(fd, p, n);
	if (close(fd) != 0 && e == ERR_OK)
		e = ERR_IO;
	if (e == ERR_OK)
		return ERR_OK;
	(void)unlink(path);
	return diag_set(d, e, "%s: it cannot be written: %s", path, err_text(e));
}
