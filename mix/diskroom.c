#include "config.h"

#include "mix/diskroom.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DEPTH_MAX 4 /* state, journal, a day's database */
#define BLOCK 512   /* the unit of st_blocks */

static uint64_t add_directory(int fd, unsigned depth);

static uint64_t
add_entry(int at, const char *name, unsigned depth)
{
	struct stat st;
	uint64_t bytes;
	int fd;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	bytes = (uint64_t)st.st_blocks * BLOCK;
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return bytes;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? bytes + add_directory(fd, depth + 1) : bytes;
}

/* Takes fd over. */
static uint64_t
add_directory(int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	uint64_t bytes = 0;

	if (dir == NULL) {
		(void)close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL)
		bytes += add_entry(fd, entry->d_name, depth);
	(void)closedir(dir);
	return bytes;
}

enum err
diskroom_measure(struct diskroom *out, const char *path)
{
	struct statvfs vfs;
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &st) != 0 || fstatvfs(fd, &vfs) != 0) {
		(void)close(fd);
		return ERR_IO;
	}
	out->free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	out->used_bytes = (uint64_t)st.st_blocks * BLOCK + add_directory(fd, 1);
	return ERR_OK;
}
