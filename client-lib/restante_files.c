/*
 * Files between the user's disk and the archive, a few chunks at a time: the
 * user's file is read and written on one work queue, the archive on the
 * client's own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client-lib/handle.h"

#define CHUNKS_AT_ONCE 32

struct handle_transfer {
	struct handle_transfer *next;
	struct restante *r; /* NULL: the handle is gone, free at the next chance */
	int fd;
	char *path;	    /* of a file being written */
	bool created;	    /* by us: to be removed on failure */
	uint64_t message;      /* being sent; 0: being saved */
	struct post_message m; /* as the archive has it */
	uint32_t fragment;     /* the next one */
	uint64_t left;	       /* bytes still to come */
	size_t chunk;	       /* what one record carries */
	crypto_generichash_state hash;
	restante_done *done;
	void *arg;
	/* what one job on the queue carries */
	struct post_write *writes;
	size_t count;
	struct buf bytes;
	enum err err;
};

static struct handle_transfer *
transfer_new(struct restante *r, restante_done *done, void *arg)
{
	struct handle_transfer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->r = r;
	t->fd = -1;
	t->done = done;
	t->arg = arg;
	(void)crypto_generichash_init(&t->hash, NULL, 0, 32);
	t->next = r->transfers;
	r->transfers = t;
	return t;
}

static void
transfer_unlink(struct handle_transfer *t)
{
	struct handle_transfer **at = &t->r->transfers;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

static void
transfer_release(struct handle_transfer *t)
{
	if (t->fd >= 0)
		(void)close(t->fd);
	if (t->path != NULL && t->created)
		(void)unlink(t->path);
	free(t->path);
	post_writes_free(t->writes, t->count);
	buf_release(&t->bytes);
	free(t);
}

/* What was stored of a file that cannot be sent is taken back, whatever became of its message. */
static void
send_undo(struct handle_transfer *t)
{
	struct post *post = client_post(t->r->client);
	enum err e = post_cancel(post, t->message);

	if (e == ERR_NOT_FOUND)
		e = post_delete(post, &t->m);
	if (e == ERR_OK)
		(void)handle_commit(t->r, NULL, NULL);
}

/* Over: tell, and free. A file that was not written whole is removed. */
static void
transfer_end(struct handle_transfer *t, enum err e)
{
	struct diag why = t->r->why;
	restante_done *done = t->done;
	void *arg = t->arg;

	if (e != ERR_OK && t->message != 0)
		send_undo(t);
	t->r->why = why;
	if (e != ERR_OK && why.text[0] == '\0')
		handle_explain(t->r, e);
	transfer_unlink(t);
	if (e == ERR_OK)
		t->created = false;
	transfer_release(t);
	if (done != NULL)
		done(arg, handle_code(e));
}

void
handle_transfers_free(struct restante *r)
{
	/* the queues still call back with these: they see r == NULL and free */
	for (struct handle_transfer *t = r->transfers, *next; t != NULL; t = next) {
		next = t->next;
		t->r = NULL;
	}
	r->transfers = NULL;
}

/* Whether the handle still lives; frees the transfer if not. */
static bool
transfer_alive(struct handle_transfer *t)
{
	if (t->r != NULL) {
		t->r->why.text[0] = '\0'; /* of an earlier call */
		return true;
	}
	transfer_release(t);
	return false;
}

/* ---- into the archive ---- */

static enum err
read_chunk(struct handle_transfer *t, struct post_write *w)
{
	size_t n = t->left < t->chunk ? (size_t)t->left : t->chunk, got = 0;

	post_key_out(w, t->message, t->fragment++);
	w->data = malloc(n);
	w->len = n;
	if (w->data == NULL)
		return ERR_MEMORY;
	while (got < n) {
		ssize_t k = read(t->fd, w->data + got, n - got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return ERR_IO;
		got += (size_t)k;
	}
	(void)crypto_generichash_update(&t->hash, w->data, n);
	t->left -= n;
	return ERR_OK;
}

/* On the queue: the next chunks of the user's file. */
static void
read_chunks(void *arg)
{
	struct handle_transfer *t = arg;

	t->err = ERR_OK;
	t->writes = calloc(CHUNKS_AT_ONCE, sizeof(*t->writes));
	if (t->writes == NULL)
		t->err = ERR_MEMORY;
	while (t->err == ERR_OK && t->left > 0 && t->count < CHUNKS_AT_ONCE)
		t->err = read_chunk(t, &t->writes[t->count++]);
}

static void send_step(struct handle_transfer *t);

static void
on_written(void *arg, enum err e)
{
	struct handle_transfer *t = arg;

	if (!transfer_alive(t))
		return;
	if (e == ERR_OK)
		send_step(t);
	else
		transfer_end(t, e);
}

/* Back on the loop: hand the chunks to the archive. */
static void
on_chunks(void *arg)
{
	struct handle_transfer *t = arg;
	struct post_write *w = t->writes;
	size_t n = t->count;
	enum err e = t->err;

	if (!transfer_alive(t))
		return;
	if (e == ERR_OK) {
		t->writes = NULL;
		t->count = 0;
		e = client_write(t->r->client, w, n, on_written, t);
	}
	if (e != ERR_OK)
		transfer_end(t, e);
}

/* Everything is in the archive: the file may go. */
static void
send_commit(struct handle_transfer *t)
{
	struct restante *r = t->r;
	restante_done *done = t->done;
	void *arg = t->arg;
	uint8_t hash[32];
	enum err e;

	(void)crypto_generichash_final(&t->hash, hash, sizeof(hash));
	e = post_file_commit(client_post(r->client), t->message, hash, &r->why);
	if (e != ERR_OK) {
		transfer_end(t, e);
		return;
	}
	t->done = NULL;
	transfer_end(t, ERR_OK);
	if (handle_commit(r, done, arg) != RESTANTE_OK && done != NULL)
		done(arg, RESTANTE_E_MEMORY);
}

static void
send_step(struct handle_transfer *t)
{
	enum err e;

	if (t->left == 0) {
		send_commit(t);
		return;
	}
	e = workq_add(t->r->files, read_chunks, on_chunks, t);
	if (e != ERR_OK)
		transfer_end(t, e);
}

static enum err
open_source(int *fd, uint64_t *size, const char *path, struct diag *d)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "the file cannot be read: %m");
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(*fd);
		*fd = -1;
		return diag_set(d, ERR_USAGE, "only plain files can be sent");
	}
	*size = (uint64_t)st.st_size;
	return ERR_OK;
}

static enum err
send_begin(struct handle_transfer *t, uint32_t contact, const char *path, uint64_t *message)
{
	struct restante *r = t->r;
	const char *slash = strrchr(path, '/');
	struct post *post = client_post(r->client);
	enum err e = open_source(&t->fd, &t->left, path, &r->why);

	if (e == ERR_OK)
		e = post_file_begin(post, &t->message, contact, slash != NULL ? slash + 1 : path,
		    t->left, loop_wall_ms(r->loop), &r->why);
	if (e != ERR_OK)
		return e;
	*message = t->message;
	(void)post_live_message(post, t->message, &t->m);
	t->fragment = 1;
	t->chunk = post_chunk_bytes(post);
	return ERR_OK;
}

int
restante_send_file(struct restante *r, uint32_t contact, const char *path, uint64_t *message,
    restante_done *done, void *arg)
{
	struct handle_transfer *t;
	enum err e;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	t = transfer_new(r, done, arg);
	if (t == NULL)
		return handle_fail(r, ERR_MEMORY);
	e = send_begin(t, contact, path, message);
	if (e != ERR_OK) {
		transfer_unlink(t);
		transfer_release(t);
		return handle_fail(r, e);
	}
	send_step(t);
	return RESTANTE_OK;
}

/* ---- out of the archive ---- */

static void
write_bytes(void *arg)
{
	struct handle_transfer *t = arg;
	size_t at = 0;

	t->err = ERR_OK;
	(void)crypto_generichash_update(&t->hash, t->bytes.data, t->bytes.len);
	while (at < t->bytes.len && t->err == ERR_OK) {
		ssize_t k = write(t->fd, t->bytes.data + at, t->bytes.len - at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			t->err = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
		else
			at += (size_t)k;
	}
	if (t->err == ERR_OK && t->fragment == t->m.of && fsync(t->fd) != 0)
		t->err = ERR_IO;
}

static void save_step(struct handle_transfer *t);

static void
on_bytes_written(void *arg)
{
	struct handle_transfer *t = arg;

	if (!transfer_alive(t))
		return;
	if (t->err == ERR_OK)
		save_step(t);
	else
		transfer_end(t, t->err);
}

static void
on_saved_fragment(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct handle_transfer *t = arg;

	if (!transfer_alive(t))
		return;
	buf_release(&t->bytes);
	if (e == ERR_OK)
		e = buf_append(&t->bytes, p, n, n);
	if (e == ERR_OK && n > t->left)
		e = ERR_MALFORMED;
	if (e == ERR_OK) {
		t->left -= n;
		t->fragment++;
		e = workq_add(t->r->files, write_bytes, on_bytes_written, t);
	}
	if (e != ERR_OK)
		transfer_end(t, e);
}

/* The whole file was written: is it what the sender sent? */
static enum err
save_check(struct handle_transfer *t)
{
	uint8_t hash[32];

	(void)crypto_generichash_final(&t->hash, hash, sizeof(hash));
	if (t->left != 0 || sodium_memcmp(hash, t->m.hash, sizeof(hash)) != 0)
		return diag_set(&t->r->why, ERR_CRYPTO,
		    "the file is not what its sender announced; ask for it again");
	return ERR_OK;
}

static void
save_step(struct handle_transfer *t)
{
	struct post_write key;
	enum err e;

	if (t->fragment == t->m.of) {
		transfer_end(t, save_check(t));
		return;
	}
	post_key_in(&key, t->m.store, t->fragment);
	e = client_read(t->r->client, &key, on_saved_fragment, t);
	if (e != ERR_OK)
		transfer_end(t, e);
}

static enum err
save_open(struct handle_transfer *t)
{
	struct diag *d = &t->r->why;

	if (!t->m.incoming || !t->m.file)
		return diag_set(d, ERR_USAGE, "this message is not a received file");
	if (t->m.done < t->m.of)
		return diag_set(d, ERR_STATE, "%u of %u parts of this file have come so far",
		    t->m.done, t->m.of);
	t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->fd < 0) {
		enum err e = errno == EEXIST ? ERR_EXISTS : ERR_IO;
		return diag_set(d, e, "the file cannot be written: %m");
	}
	t->created = true;
	t->left = t->m.size;
	t->fragment = 1;
	return ERR_OK;
}

static void
on_save_envelope(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct handle_transfer *t = arg;

	if (!transfer_alive(t))
		return;
	if (e == ERR_OK)
		e = post_message_decode(&t->m, p, n);
	if (e == ERR_OK)
		e = save_open(t);
	if (e == ERR_OK)
		save_step(t);
	else
		transfer_end(t, e);
}

int
restante_save_file(struct restante *r, uint64_t message, const char *path, restante_done *done,
    void *arg)
{
	struct handle_transfer *t;
	struct post_write key;
	enum err e = ERR_MEMORY;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	t = transfer_new(r, done, arg);
	if (t == NULL)
		return handle_fail(r, ERR_MEMORY);
	t->path = strdup(path);
	post_key_message(&key, message);
	if (t->path != NULL)
		e = client_read(r->client, &key, on_save_envelope, t);
	if (e != ERR_OK) {
		transfer_unlink(t);
		transfer_release(t);
	}
	return handle_fail(r, e);
}
