#include "config.h"

#include "evaluation/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes what must not be there yet: 0 or a file descriptor, or -1 and errno. */
typedef int maker(const char *path);

static int
make_directory(const char *path)
{
	return mkdir(path, 0777);
}

static int
make_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
}

static enum err
make(int *made, maker *how, char *path, size_t size, const char *place, struct diag *d)
{
	for (int i = 1; i <= PARTIAL_MAX; i++) {
		char number[8] = "";
		int n;

		if (i > 1)
			(void)snprintf(number, sizeof(number), "-%d", i);
		n = snprintf(path, size, "%s.partial%s", place, number);
		if (n < 0 || (size_t)n >= size)
			return diag_set(d, ERR_RANGE, "the path of the output is too long");
		*made = how(path);
		if (*made >= 0)
			return ERR_OK;
		if (errno != EEXIST)
			return diag_set(d, ERR_IO, "cannot create %s: %s", path, strerror(errno));
	}
	return diag_set(d, ERR_EXISTS, "%s.partial and %d more of that name are there; remove those "
	    "that no run is writing", place, PARTIAL_MAX - 1);
}

enum err
partial_directory(char *path, size_t size, const char *place, struct diag *d)
{
	int made;

	return make(&made, make_directory, path, size, place, d);
}

enum err
partial_file(FILE **out, char *path, size_t size, const char *place, struct diag *d)
{
	int fd;
	enum err e = make(&fd, make_file, path, size, place, d);

	if (e != ERR_OK)
		return e;
	*out = fdopen(fd, "w");
	if (*out != NULL)
		return ERR_OK;
	(void)close(fd);
	(void)unlink(path);
	return ERR_MEMORY;
}
