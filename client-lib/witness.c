#include "config.h"

#include "client-lib/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/format.h"
#include "common/crypto/hash.h"

#define MAGIC "RSTWIT"
#define VERSION 1
#define CHECK_BYTES 8
#define WITNESS_BYTES (FORMAT_BYTES + 8 + CHECK_BYTES)

static enum err
encode(uint8_t out[static WITNESS_BYTES], uint64_t count)
{
	struct hash_part part = { out, FORMAT_BYTES + 8 };
	struct writer w;
	uint8_t *check;

	writer_init(&w, out, WITNESS_BYTES);
	format_put(&w, MAGIC, VERSION);
	writer_u64(&w, count);
	check = writer_space(&w, CHECK_BYTES);
	if (check != NULL)
		hash_parts(check, CHECK_BYTES, &part, 1);
	return writer_end(&w);
}

enum err
witness_read(uint64_t *count, const char *path)
{
	uint8_t is[WITNESS_BYTES + 1], want[WITNESS_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	*count = 0;
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : ERR_IO;
	n = read(fd, is, sizeof(is));
	(void)close(fd);
	if (n < 0)
		return ERR_IO;
	if (n == WITNESS_BYTES && encode(want, load_u64(is + FORMAT_BYTES)) == ERR_OK &&
	    memcmp(is, want, sizeof(want)) == 0) /* public */
		*count = load_u64(is + FORMAT_BYTES);
	return ERR_OK;
}

uint64_t
witness_inode(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

bool
witness_says_old(const struct witness_place *state, const struct witness_place *found)
{
	if (found->saves > state->saves)
		return true;
	if (found->witness != 0 && state->witness != 0)
		return found->witness != state->witness;
	/* without a witness the directory itself must be the one that it was */
	return found->saves == 0 && state->directory != 0 && found->directory != state->directory;
}

enum err
witness_write(const char *path, uint64_t count)
{
	uint8_t bytes[WITNESS_BYTES];
	enum err e = encode(bytes, count);
	int fd;

	if (e != ERR_OK)
		return e;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ERR_IO;
	if (pwrite(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		e = ERR_IO;
	(void)close(fd);
	return e;
}
