/*
 * Files behind an interface, so that tests can fail any single operation,
 * lose what was not synced, or keep everything in memory.
 *
 * A disk is one directory of the owner's alone. Names are plain file names
 * without '/'. All calls block: a daemon makes them on a work queue
 * (common/net/loop.h), never on the loop.
 */
#ifndef COMMON_BASE_DISK_H
#define COMMON_BASE_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

/*
 * A name is 1 to DISK_NAME_MAX bytes, has no '/', no leading '.' and is not
 * "lock"; every operation answers others with ERR_USAGE. One caller at a time.
 */
#define DISK_NAME_MAX 200

struct disk; /* opaque */

/* What a disk does; the functions below say what each operation promises. */
struct disk_ops {
	enum err (*read)(void *ctx, struct buf *out, const char *name, size_t max);
	enum err (*replace)(void *ctx, const char *name, const void *p, size_t n);
	enum err (*append)(void *ctx, const char *name, const void *p, size_t n);
	enum err (*truncate)(void *ctx, const char *name, size_t n);
	enum err (*remove)(void *ctx, const char *name);
	enum err (*list)(void *ctx, int (*each)(void *arg, const char *name), void *arg);
	void (*free)(void *ctx);
};

/*
 * Make a disk from operations (memory, fault injection). Owns ctx, also when
 * it fails: NULL if there is no memory.
 */
struct disk *disk_new(const struct disk_ops *ops, void *ctx);

/*
 * The directory path, created 0700 if absent (parents must exist). It must be
 * ours alone (ERR_USAGE). Takes the lock file `lock`; ERR_BUSY with a sentence
 * if another process holds it. What a crash left of disk_replace() (".new-*") and
 * disk_remove() (".old-*") is overwritten and removed.
 */
RST_MUST_USE enum err disk_open(struct disk **out, const char *path, struct diag *d);

/* A disk in memory, empty; NULL if there is no memory. */
struct disk *disk_memory(void);

/* Unlock and free; NULL is a no-op. */
void disk_free(struct disk *k);

/*
 * Read a whole file of at most max bytes into out (appended). ERR_NOT_FOUND,
 * ERR_RANGE if longer, ERR_IO.
 */
RST_MUST_USE enum err disk_read(struct disk *k, struct buf *out, const char *name, size_t max);

/*
 * Replace a file as a whole: temporary file, fsync, rename, fsync of the
 * directory. After a crash the old or the new content is there, never a mix.
 * The old content is then overwritten where the medium allows.
 * ERR_FULL for a full disk or quota, ERR_IO otherwise.
 */
RST_MUST_USE enum err disk_replace(struct disk *k, const char *name, const void *p, size_t n);

/*
 * Append and fdatasync; creates the file (and syncs the directory) if absent.
 * On failure the file is cut back to its former length where possible.
 */
RST_MUST_USE enum err disk_append(struct disk *k, const char *name, const void *p, size_t n);

/* Cut to n bytes and sync. ERR_NOT_FOUND, ERR_RANGE if it is shorter already. */
RST_MUST_USE enum err disk_truncate(struct disk *k, const char *name, size_t n);

/*
 * Overwrite with zeros where the medium allows, unlink, fsync the directory.
 * A missing file is success. After a crash the file is whole, or no file of that name
 * is there (of zeros, if the disk had no room for another name). After an error ask
 * again: its content may be there still.
 */
RST_MUST_USE enum err disk_remove(struct disk *k, const char *name);

/*
 * Call each for every file name until it returns non-zero; order undefined.
 * each must not change the disk. Directories and our own files are left out.
 */
RST_MUST_USE enum err disk_list(
    struct disk *k, int (*each)(void *arg, const char *name), void *arg);

#endif
