/*
 * What goes into a backup: taken at one moment, written on a work queue.
 */
#ifndef CLIENT_LIB_CLIENT_BACKUP_H
#define CLIENT_LIB_CLIENT_BACKUP_H

#include "client-lib/archive.h"
#include "client-lib/post.h"
#include "client-lib/vault.h"
#include "common/base/disk.h"

struct backup_job {
	struct disk *disk; /* borrowed, as the next two */
	struct vault *vault;
	struct archive *archive;
	char *path;
	struct vault_unlock unlock; /* its secret is our own copy */
	struct buf state;	    /* as client_save_backup and post_backup fill it */
	uint64_t first, last;	    /* messages */
	struct post_write *more;    /* archive keys of what is no message yet */
	size_t more_count;
	struct diag why;
};

/* ERR_MEMORY. */
RST_MUST_USE enum err backup_job_init(struct backup_job *j, const char *path,
    const struct vault_unlock *u);
void backup_job_clear(struct backup_job *j);
/* What the post says of the archive, besides the state. Nothing may be waiting to be written. */
RST_MUST_USE enum err backup_job_take(struct backup_job *j, const struct post *p);
/* Blocking. */
RST_MUST_USE enum err backup_job_run(struct backup_job *j);

#endif
