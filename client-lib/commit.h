/*
 * The commit pipeline: everything durable that a client does, on one serial
 * work queue, in the order that post.h demands.
 *
 * One commit at a time runs: the archive's batch, then the state file; what
 * piles up meanwhile becomes the next one. A commit that fails (a full disk) is
 * tried again as it is, with growing pauses, until it succeeds; nothing that
 * waits for it moves before.
 */
#ifndef CLIENT_LIB_COMMIT_H
#define CLIENT_LIB_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/archive.h"
#include "client-lib/client.h"
#include "client-lib/post.h"
#include "client-lib/vault.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/net/loop.h"

#define COMMIT_STATE_MAX ((size_t)80 << 20)
#define COMMIT_HEALTHY_MAX ((size_t)64 << 20) /* bytes not yet durable */
#define COMMIT_FAILING_MAX ((size_t)4 << 20)

struct commit;

struct commit_events {
	/* Append all of the state, the post's included, as it is now. */
	enum err (*save)(void *arg, struct buf *out);
	/* News that are durable now. */
	void (*news)(void *arg, const struct post_news *n);
	/* A commit ended: ERR_OK, or why it has to be tried again. */
	void (*settled)(void *arg, enum err e);
};

RST_MUST_USE enum err commit_new(struct commit **out, struct loop *l, struct post *p,
    struct vault *v, struct archive *a, const struct commit_events *events, void *arg);
/*
 * Runs what is queued, then frees. Callbacks that still wait come from within,
 * with ERR_CLOSED; those of commit_events do not come any more. NULL is a no-op.
 */
void commit_free(struct commit *k);

/* After each commit: how often the state was written, to this file (borrowed). */
void commit_set_witness(struct commit *k, const char *path);

/* Make all that is so far durable. */
void commit_now(struct commit *k);
/* The same, and tell when it is. ERR_MEMORY, ERR_CLOSED: nothing was begun. */
RST_MUST_USE enum err commit_tell(struct commit *k, client_done *done, void *arg);
/* The same without hurry: within after_ms, or with the next commit. */
void commit_within(struct commit *k, int64_t after_ms);
/*
 * Take what the post has to write and to tell. Whether there was anything: then
 * a commit should not be put off.
 */
bool commit_collect(struct commit *k);
/* Whether everything that the post has handed out so far is durable. */
bool commit_is_idle(struct commit *k);
/* More waits to be written than may: stop taking in. */
bool commit_is_full(const struct commit *k);

/* Archive values on the same queue, as client_read and client_write. */
RST_MUST_USE enum err commit_read(struct commit *k, const struct post_write *key,
    client_value *cb, void *arg);
RST_MUST_USE enum err commit_write(struct commit *k, struct post_write *w, size_t n,
    client_done *done, void *arg);

/* The queue itself, for others that write to the directory. */
struct workq *commit_queue(const struct commit *k);

/* Let the archive tidy up, behind what is queued. */
void commit_tidy(struct commit *k);

#endif
