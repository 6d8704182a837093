/*
 * The spent store: what was redeemed, so that it is redeemed once. docs/protocol.md,
 * "Tickets and stamps", "The gateway's store".
 *
 * A token leaves a mark, its nonce hashed under a key that is destroyed with the
 * epoch's seed; marks are kept by epoch, and dropped with it. A mark is durable before
 * the token has any effect. What waits is written together: one sync for all of it.
 *
 * One interface, two engines: LevelDB, one database per epoch (spent_leveldb.h), and
 * memory for tests and simulations (spent_memory.h). Everything is called on the
 * loop's thread; callbacks come on it, never from inside the call.
 */
#ifndef GATEWAY_SPENT_H
#define GATEWAY_SPENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/loop.h"
#include "common/token/token.h"

#define SPENT_MARK_BYTES 32
#define SPENT_CLAIM_BYTES 16
#define SPENT_EPOCHS_MAX 64   /* databases that are there at a time */
#define SPENT_WAITING_MAX 262144 /* marks that wait to be written */

/*
 * One token to be spent. The claim is random and of this attempt alone: who tries
 * again after a failure, when the mark may be there or not, shows the same and is
 * told that it is fresh. It is in memory only, so a crash between mark and effect
 * costs the token.
 */
struct spent_mark {
	uint8_t mark[SPENT_MARK_BYTES], claim[SPENT_CLAIM_BYTES];
	bool fresh; /* out: it was not spent before, but is now */
};

/* The mark of a token's nonce; key: of its epoch. */
void spent_mark(uint8_t mark[static SPENT_MARK_BYTES], const uint8_t key[static 32],
    enum token_kind kind, const uint8_t nonce[static TOKEN_NONCE_BYTES]);

struct spent;

typedef void spent_done_cb(void *arg, enum err e);
/*
 * Spend n tokens of an epoch, all or none; of two with one mark the first is fresh.
 * marks are borrowed until done. After ERR_FULL, ERR_IO, ERR_MALFORMED or ERR_MEMORY
 * by done they may be there or not, and fresh says nothing. ERR_FULL (too much
 * waits), ERR_MEMORY: nothing was begun.
 */
RST_MUST_USE enum err spent_claim(struct spent *s, uint32_t epoch, struct spent_mark *marks,
    size_t n, spent_done_cb *done, void *arg);
/* Forget an epoch, of which nothing can be redeemed any more: its keys are gone. */
RST_MUST_USE enum err spent_drop(struct spent *s, uint32_t epoch, spent_done_cb *done, void *arg);
/* The epochs that there are marks of, ascending; returns how many, at most max. */
size_t spent_epochs(const struct spent *s, uint32_t *out, size_t max);
/* Waits for what is under way, whose callbacks still come, and frees. NULL is a no-op. */
void spent_free(struct spent *s);

/* ---- the engines' side: these block, and run on one thread, one at a time ---- */

struct spent_ops {
	/* As spent_claim; the marks of several calls may come at once. */
	enum err (*insert)(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n);
	enum err (*drop)(void *ctx, uint32_t epoch);
	void (*free)(void *ctx);
};

/*
 * A store over an engine that has marks of these epochs. Owns ctx, also on failure.
 * ERR_MEMORY, ERR_FULL.
 */
RST_MUST_USE enum err spent_new(struct spent **out, struct loop *l, const struct spent_ops *ops,
    void *ctx, const uint32_t *epochs, size_t n);

#endif
