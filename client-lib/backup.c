#include "config.h"

#include "client-lib/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-lib/lock.h"
#include "common/base/format.h"
#include "common/base/secret.h"

#define MAGIC "RSTBAK"
#define VERSION 1
#define PIECE_BYTES 65536
#define SEAL_BYTES crypto_secretstream_xchacha20poly1305_ABYTES
#define STREAM_HEAD crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define HEAD_BYTES (FORMAT_BYTES + LOCK_BYTES + STREAM_HEAD)
#define ITEM_HEAD (1 + 4 + 4)

/* ---- writing ---- */

struct backup_writer {
	crypto_secretstream_xchacha20poly1305_state stream;
	int fd;
	bool ours; /* the file of the name `part` is this one */
	char path[PATH_MAX], part[PATH_MAX];
	uint8_t piece[PIECE_BYTES]; /* plain */
	size_t used;
	uint8_t sealed[PIECE_BYTES + SEAL_BYTES];
};

static enum err
write_fail(const struct backup_writer *w, struct diag *d)
{
	enum err e = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;

	return diag_set(d, e, "%.300s: cannot be written: %m", w->part);
}

static enum err
write_all(struct backup_writer *w, const uint8_t *p, size_t n, struct diag *d)
{
	while (n > 0) {
		ssize_t k = write(w->fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return write_fail(w, d);
		p += k;
		n -= (size_t)k;
	}
	return ERR_OK;
}

static enum err
flush(struct backup_writer *w, uint8_t tag, struct diag *d)
{
	unsigned long long n;

	(void)crypto_secretstream_xchacha20poly1305_push(&w->stream, w->sealed, &n, w->piece,
	    w->used, NULL, 0, tag);
	w->used = 0;
	return write_all(w, w->sealed, (size_t)n, d);
}

static enum err
put(struct backup_writer *w, const uint8_t *p, size_t n, struct diag *d)
{
	enum err e = ERR_OK;

	while (n > 0 && e == ERR_OK) {
		size_t some = PIECE_BYTES - w->used < n ? PIECE_BYTES - w->used : n;
		/* full: and more follows, so that this piece is not the last */
		if (some == 0) {
			e = flush(w, 0, d);
			continue;
		}
		memcpy(w->piece + w->used, p, some);
		w->used += some;
		p += some;
		n -= some;
	}
	return e;
}

static enum err
write_head(struct backup_writer *w, const struct vault_unlock *u, const struct rng *keys,
    struct diag *d)
{
	uint8_t head[HEAD_BYTES], key[32];
	struct writer to;
	struct lock l;
	enum err e = lock_choose(&l, u, keys, d);

	if (e == ERR_OK)
		e = lock_key(key, &l, u, "backup", d);
	if (e != ERR_OK)
		return e;
	writer_init(&to, head, sizeof(head));
	format_put(&to, MAGIC, VERSION);
	lock_put(&to, &l);
	rng_bytes(keys, writer_space(&to, STREAM_HEAD), STREAM_HEAD);
	/* from a header of ours: push and pull begin alike, and randomness is drawn in one place */
	if (crypto_secretstream_xchacha20poly1305_init_pull(&w->stream,
		head + HEAD_BYTES - STREAM_HEAD, key) != 0)
		e = ERR_CRYPTO;
	sodium_memzero(key, sizeof(key));
	return e == ERR_OK ? write_all(w, head, sizeof(head), d) : e;
}

/*
 * What a backup left that was cut off is of no use. Whoever still writes one holds the
 * lock, and a file of that name that is nothing of ours is not removed.
 */
static enum err
remove_part(const struct backup_writer *w, struct diag *d)
{
	uint8_t is[sizeof(MAGIC) - 1];
	int fd = open(w->part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum err e = ERR_OK;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? ERR_OK : write_fail(w, d);
	n = read(fd, is, sizeof(is));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		e = diag_set(d, ERR_BUSY, "%.300s: another backup is being written there; wait for it, "
		    "or choose another name", w->part);
	else if (n < 0 || memcmp(is, MAGIC, (size_t)n) != 0) /* public */
		e = diag_set(d, ERR_EXISTS, "%.300s: is in the way, and no backup; choose another name",
		    w->part);
	else if (unlink(w->part) != 0)
		e = write_fail(w, d);
	(void)close(fd);
	return e;
}

/* Ours if nobody took it for a left one between its making and its lock. */
static enum err
lock_part(const struct backup_writer *w, struct diag *d)
{
	struct stat st;

	bool busy = flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (!busy && fstat(w->fd, &st) == 0 && st.st_nlink == 1)
		return ERR_OK;
	return diag_set(d, ERR_BUSY, "%.300s: another backup is being written there; wait for it, or "
	    "choose another name", w->part);
}

static enum err
create_part(struct backup_writer *w, const char *path, struct diag *d)
{
	struct stat st;
	enum err e;
	int fd;

	if (snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path) ||
	    snprintf(w->part, sizeof(w->part), "%s.part", path) >= (int)sizeof(w->part))
		return diag_set(d, ERR_RANGE, "the path of the backup is too long");
	if (lstat(path, &st) == 0)
		return diag_set(d, ERR_EXISTS, "%.300s: exists already; choose another name", path);
	e = remove_part(w, d);
	if (e != ERR_OK)
		return e;
	fd = open(w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return write_fail(w, d);
	w->fd = fd;
	e = lock_part(w, d);
	if (e == ERR_OK)
		w->ours = true;
	return e;
}

enum err
backup_create(struct backup_writer **out, const char *path, const struct vault_unlock *u,
    const struct rng *keys, struct diag *d)
{
	struct backup_writer *w = secret_new(sizeof(*w));
	enum err e;

	if (w == NULL)
		return ERR_MEMORY;
	w->fd = -1;
	e = create_part(w, path, d);
	if (e == ERR_OK)
		e = write_head(w, u, keys, d);
	if (e != ERR_OK) {
		backup_writer_free(w);
		return e;
	}
	*out = w;
	return ERR_OK;
}

enum err
backup_put(struct backup_writer *w, enum backup_kind kind, const void *key, size_t key_len,
    const void *p, size_t n, struct diag *d)
{
	uint8_t head[ITEM_HEAD];
	enum err e;

	if (key_len > BACKUP_KEY_MAX || n > BACKUP_ITEM_MAX)
		return diag_set(d, ERR_RANGE, "something is too large for a backup");
	head[0] = (uint8_t)kind;
	store_u32(head + 1, (uint32_t)key_len);
	store_u32(head + 5, (uint32_t)n);
	e = put(w, head, sizeof(head), d);
	if (e == ERR_OK)
		e = put(w, key, key_len, d);
	return e == ERR_OK ? put(w, p, n, d) : e;
}

/* The name is durable when its directory is. */
static enum err
sync_parent(const struct backup_writer *w, struct diag *d)
{
	char path[PATH_MAX];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "%s", w->path);
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return write_fail(w, d);
	rc = fsync(fd);
	(void)close(fd);
	/* some file systems of sticks have no such thing */
	return rc == 0 || errno == EINVAL ? ERR_OK : write_fail(w, d);
}

/* It replaces nothing, whatever came there meanwhile. */
static enum err
give_name(struct backup_writer *w, struct diag *d)
{
	struct stat st;
	int rc = renameat2(AT_FDCWD, w->part, AT_FDCWD, w->path, RENAME_NOREPLACE);

	/* some file systems cannot be asked so */
	if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) {
		if (lstat(w->path, &st) == 0)
			errno = EEXIST;
		else
			rc = rename(w->part, w->path);
	}
	if (rc == 0)
		return ERR_OK;
	return errno != EEXIST ? write_fail(w, d)
	    : diag_set(d, ERR_EXISTS, "%.300s: exists by now; choose another name", w->path);
}

enum err
backup_finish(struct backup_writer *w, struct diag *d)
{
	enum err e = backup_put(w, BACKUP_END, NULL, 0, NULL, 0, d);

	if (e == ERR_OK)
		e = flush(w, crypto_secretstream_xchacha20poly1305_TAG_FINAL, d);
	if (e == ERR_OK && fsync(w->fd) != 0)
		e = write_fail(w, d);
	if (e == ERR_OK)
		e = give_name(w, d);
	if (e != ERR_OK)
		return e;
	w->ours = false;
	return sync_parent(w, d);
}

void
backup_writer_free(struct backup_writer *w)
{
	if (w == NULL)
		return;
	if (w->ours)
		(void)unlink(w->part);
	if (w->fd >= 0)
		(void)close(w->fd);
	secret_free(w);
}

/* ---- reading ---- */

struct backup_reader {
	crypto_secretstream_xchacha20poly1305_state stream;
	int fd;
	uint8_t key[32];
	uint8_t piece[PIECE_BYTES];
	size_t used, len;
	bool first, last; /* no piece was opened yet; the last one was */
	uint8_t sealed[PIECE_BYTES + SEAL_BYTES];
	char path[PATH_MAX];
};

static enum err
read_some(struct backup_reader *r, uint8_t *p, size_t n, size_t *got, struct diag *d)
{
	*got = 0;
	while (*got < n) {
		ssize_t k = read(r->fd, p + *got, n - *got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return diag_set(d, ERR_IO, "%.300s: cannot be read: %m", r->path);
		if (k == 0)
			break;
		*got += (size_t)k;
	}
	return ERR_OK;
}

static enum err
damaged(const struct backup_reader *r, struct diag *d)
{
	return diag_set(d, ERR_MALFORMED, "%.300s: this backup is damaged or cut off; use another one",
	    r->path);
}

static enum err
next_piece(struct backup_reader *r, struct diag *d)
{
	unsigned long long n;
	uint8_t tag;
	size_t got;
	enum err e = r->last ? damaged(r, d)
			     : read_some(r, r->sealed, sizeof(r->sealed), &got, d);

	if (e != ERR_OK)
		return e;
	if (got < SEAL_BYTES)
		return damaged(r, d);
	if (crypto_secretstream_xchacha20poly1305_pull(&r->stream, r->piece, &n, &tag, r->sealed, got,
		NULL, 0) != 0) {
		if (!r->first)
			return damaged(r, d);
		return diag_set(d, ERR_PASSPHRASE,
		    "%.300s: wrong passphrase or key file (or the backup is damaged)", r->path);
	}
	r->first = false;
	r->last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	r->used = 0;
	r->len = (size_t)n;
	return r->len > 0 ? ERR_OK : damaged(r, d);
}

static enum err
get(struct backup_reader *r, uint8_t *p, size_t n, struct diag *d)
{
	enum err e = ERR_OK;

	while (n > 0 && e == ERR_OK) {
		size_t some = r->len - r->used < n ? r->len - r->used : n;
		if (some == 0) {
			e = next_piece(r, d);
			continue;
		}
		memcpy(p, r->piece + r->used, some);
		r->used += some;
		p += some;
		n -= some;
	}
	return e;
}

static enum err
read_head(struct backup_reader *r, const struct vault_unlock *u, struct diag *d)
{
	uint8_t head[HEAD_BYTES];
	struct reader from;
	struct lock l;
	size_t got;
	enum err e = read_some(r, head, sizeof(head), &got, d);

	if (e != ERR_OK)
		return e;
	reader_init(&from, head, got);
	e = format_check(&from, NULL, MAGIC, VERSION, "backup", d);
	if (e != ERR_OK)
		return e;
	if (got < sizeof(head) || lock_get(&l, &from) != ERR_OK)
		return damaged(r, d);
	if (u != NULL)
		e = lock_key(r->key, &l, u, "backup", d);
	if (e == ERR_OK && crypto_secretstream_xchacha20poly1305_init_pull(&r->stream, from.at,
		r->key) != 0)
		e = damaged(r, d);
	r->used = r->len = 0;
	r->first = true;
	r->last = false;
	return e;
}

enum err
backup_open(struct backup_reader **out, const char *path, const struct vault_unlock *u,
    struct diag *d)
{
	struct backup_reader *r = secret_new(sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	(void)snprintf(r->path, sizeof(r->path), "%s", path);
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		e = diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "%.300s: cannot be read: %m", path);
	else
		e = read_head(r, u, d);
	if (e == ERR_OK)
		e = next_piece(r, d);
	if (e != ERR_OK) {
		backup_reader_free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

enum err
backup_rewind(struct backup_reader *r, struct diag *d)
{
	if (lseek(r->fd, 0, SEEK_SET) != 0)
		return diag_set(d, ERR_IO, "%.300s: cannot be read again: %m", r->path);
	return read_head(r, NULL, d);
}

void
backup_reader_free(struct backup_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	secret_free(r);
}

static enum err
get_value(struct backup_reader *r, struct backup_item *out, size_t n, struct diag *d)
{
	enum err e = ERR_OK;

	/* piece by piece: a length that lies costs no memory */
	while (out->value.len < n && e == ERR_OK) {
		size_t some = n - out->value.len < PIECE_BYTES ? n - out->value.len : PIECE_BYTES;
		uint8_t *space;
		e = buf_reserve(&out->value, some, n, &space);
		if (e == ERR_OK)
			e = get(r, space, some, d);
		if (e == ERR_OK)
			out->value.len += some;
	}
	return e;
}

/* Nothing follows, sealed or not. */
static enum err
check_end(struct backup_reader *r, struct diag *d)
{
	uint8_t byte;
	size_t got;
	enum err e = read_some(r, &byte, 1, &got, d);

	if (e != ERR_OK)
		return e;
	return r->last && r->used == r->len && got == 0 ? ERR_OK : damaged(r, d);
}

enum err
backup_next(struct backup_reader *r, struct backup_item *out, struct diag *d)
{
	uint8_t head[ITEM_HEAD];
	size_t key_len, n;
	enum err e = get(r, head, sizeof(head), d);

	buf_init(&out->value);
	if (e != ERR_OK)
		return e;
	key_len = load_u32(head + 1);
	n = load_u32(head + 5);
	if (head[0] < BACKUP_FILE || head[0] > BACKUP_END || key_len > BACKUP_KEY_MAX ||
	    n > BACKUP_ITEM_MAX || (head[0] == BACKUP_END && key_len + n > 0))
		return damaged(r, d);
	out->kind = head[0];
	out->key_len = key_len;
	e = get(r, out->key, key_len, d);
	if (e == ERR_OK)
		e = get_value(r, out, n, d);
	if (e == ERR_OK && out->kind == BACKUP_END)
		e = check_end(r, d);
	if (e != ERR_OK)
		buf_release(&out->value);
	return e;
}
