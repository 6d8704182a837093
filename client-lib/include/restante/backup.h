/*
 * librestante: backups, and old copies of a client directory.
 */
#ifndef RESTANTE_BACKUP_H
#define RESTANTE_BACKUP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef RESTANTE_API
#define RESTANTE_API __attribute__((visibility("default")))
#endif

/* restante.h has the first two; the third as there. */
struct restante;
struct restante_unlock;
typedef void restante_done(void *arg, int code);

/*
 * Write a backup to path, which must not exist, under a lock of its own: everything
 * but the keys of messages, and of open invitations. While the client runs it is made
 * beside; before restante_start() the call blocks, and done (may be NULL) comes from within.
 */
RESTANTE_API int restante_backup(struct restante *r, const char *path,
    const struct restante_unlock *unlock, restante_done *done, void *arg);
/*
 * Make a client directory from a backup; it must not exist, be empty, or have been
 * left by a restore that was cut off, which begins anew. No key of a message comes back:
 * all secrets begin anew, and the contacts follow by themselves.
 * explain as for restante_init; out may be NULL.
 */
struct restante_restored {
	uint32_t invitations; /* that were open: void; invite again */
	uint32_t stranded;    /* contacts of an older version: invite again */
};
RESTANTE_API int restante_restore(const char *directory, const char *backup_file,
    const struct restante_unlock *backup_unlock, const struct restante_unlock *unlock,
    struct restante_restored *out, char *explain);

/*
 * Keep, in the directory of this path, a file that says how often the state was written:
 * an old copy of the client directory is then noticed when it is started, and all
 * secrets begin anew. Without one it is noticed later, by what contacts acknowledge.
 * Only before restante_start().
 */
RESTANTE_API int restante_set_witness(struct restante *r, const char *directory);

#ifdef __cplusplus
}
#endif

#endif
