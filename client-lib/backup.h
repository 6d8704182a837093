/*
 * The backup file: items one after the other, sealed in pieces under a lock of its
 * own, so that neither end needs more memory than one item. docs/protocol.md,
 * "Files on disk". Blocking.
 */
#ifndef CLIENT_LIB_BACKUP_H
#define CLIENT_LIB_BACKUP_H

#include <stddef.h>
#include <stdint.h>

#include "client-lib/vault.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/rng.h"

enum backup_kind {
	BACKUP_FILE = 1,  /* a plain file of the directory; key: its name */
	BACKUP_STATE = 2, /* length of reader u32 || reader || post_backup() */
	BACKUP_ENTRY = 3, /* the client authorization, as its line */
	BACKUP_VALUE = 4, /* of the archive; key: the plain key */
	BACKUP_END = 5,	  /* nothing; always the last */
};
#define BACKUP_KEY_MAX 200
#define BACKUP_ITEM_MAX ((size_t)96 << 20)

struct backup_item {
	enum backup_kind kind;
	uint8_t key[BACKUP_KEY_MAX];
	size_t key_len;
	struct buf value;
};

/* ---- writing ---- */

struct backup_writer;
/*
 * Begin a file that must not exist: it gets its name when it is whole. ERR_EXISTS,
 * ERR_BUSY (another one is being written there), ERR_FULL, ERR_IO.
 */
RST_MUST_USE enum err backup_create(struct backup_writer **out, const char *path,
    const struct vault_unlock *u, const struct rng *keys, struct diag *d);
RST_MUST_USE enum err backup_put(struct backup_writer *w, enum backup_kind kind, const void *key,
    size_t key_len, const void *p, size_t n, struct diag *d);
/* End and sync it, and give it its name. */
RST_MUST_USE enum err backup_finish(struct backup_writer *w, struct diag *d);
/* What was not finished is removed. NULL is a no-op. */
void backup_writer_free(struct backup_writer *w);

/* ---- reading ---- */

struct backup_reader;
/* ERR_NOT_FOUND, ERR_PASSPHRASE, ERR_VERSION, ERR_MALFORMED with a sentence. */
RST_MUST_USE enum err backup_open(struct backup_reader **out, const char *path,
    const struct vault_unlock *u, struct diag *d);
void backup_reader_free(struct backup_reader *r);
/*
 * The next item; release its value (buf_release). BACKUP_END comes last, after
 * everything before it and the end of the file were checked.
 */
RST_MUST_USE enum err backup_next(struct backup_reader *r, struct backup_item *out,
    struct diag *d);
/* From the beginning again. */
RST_MUST_USE enum err backup_rewind(struct backup_reader *r, struct diag *d);

#endif
