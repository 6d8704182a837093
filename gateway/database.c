#include "config.h"

#include "gateway/database.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FILES_MAX 64
#define PATH_BYTES 4096

enum err
database_error(char *text)
{
	static const char *const full[] = { "No space left", "File too large", "quota exceeded" };
	enum err e = ERR_IO;

	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
		if (strstr(text, full[i]) != NULL)
			e = ERR_FULL;
	if (strstr(text, "Corruption") != NULL)
		e = ERR_MALFORMED;
	leveldb_free(text);
	return e;
}

enum err
database_directory(const char *path)
{
	char parent[PATH_BYTES];
	int n = snprintf(parent, sizeof(parent), "%s/..", path), fd;
	enum err e;

	if (n < 0 || (size_t)n >= sizeof(parent))
		return ERR_USAGE;
	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? ERR_OK :
		    errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	e = fsync(fd) == 0 ? ERR_OK : ERR_IO;
	(void)close(fd);
	return e;
}

/* LevelDB's own log has fine times and sizes; it goes on writing into nothing. */
static void
remove_logs(const char *path)
{
	static const char *const names[] = { "LOG", "LOG.old" };
	char file[PATH_BYTES];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int n = snprintf(file, sizeof(file), "%s/%s", path, names[i]);

		if (n > 0 && (size_t)n < sizeof(file))
			(void)unlink(file);
	}
}

enum err
database_open(leveldb_t **out, const char *path, size_t write_buffer,
    leveldb_filterpolicy_t *filter)
{
	leveldb_options_t *options = leveldb_options_create();
	char *text = NULL;

	leveldb_options_set_create_if_missing(options, 1);
	leveldb_options_set_paranoid_checks(options, 1);
	leveldb_options_set_compression(options, leveldb_no_compression);
	leveldb_options_set_write_buffer_size(options, write_buffer);
	leveldb_options_set_max_file_size(options, write_buffer);
	leveldb_options_set_max_open_files(options, OPEN_FILES_MAX);
	if (filter != NULL)
		leveldb_options_set_filter_policy(options, filter);
	*out = leveldb_open(options, path, &text);
	leveldb_options_destroy(options);
	remove_logs(path);
	if (text != NULL)
		return database_error(text);
	return *out == NULL ? ERR_IO : ERR_OK;
}

/* Unlink every file of a directory; LevelDB makes no directories but "lost". */
static enum err
empty_directory(const char *path, unsigned depth)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[PATH_BYTES];
	enum err e = ERR_OK;

	if (dir == NULL)
		return errno == ENOENT ? ERR_OK : ERR_IO;
	while ((entry = readdir(dir)) != NULL) {
		int n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (n < 0 || (size_t)n >= sizeof(file))
			e = ERR_IO;
		else if (unlink(file) != 0 && (depth == 0 ||
			empty_directory(file, depth - 1) != ERR_OK))
			e = ERR_IO;
	}
	closedir(dir);
	if (e == ERR_OK && rmdir(path) != 0 && errno != ENOENT)
		e = ERR_IO;
	return e;
}

enum err
database_remove(const char *path)
{
	return empty_directory(path, 1);
}
