/*
 * A shelf of secrets, one per epoch, each with a file of its own: stored before it is
 * used, loaded at a restart, wiped from memory and then from the disk when it is over.
 * A node's epoch keys and a gateway's issuer seeds are kept so.
 *
 * Runs on the loop's thread; files are written on the disk's queue, which must be freed
 * before this object: its last callbacks still come here.
 */
#ifndef MIX_SHELF_H
#define MIX_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/net/loop.h"
#include "mix/epochfile.h"

#define SHELF_PLACES 8
/* The most that a file has behind its header. */
#define SHELF_BODY_MAX 64

struct shelf;

/* What is kept for an epoch begins with this; whoever hands it to a worker holds it. */
struct shelf_item {
	uint32_t epoch;
	unsigned holders; /* 1 when it is made */
};

/* One kind of secret. All functions run on the loop's thread, but for put. */
struct shelf_kind {
	struct epochfile file;
	size_t body_bytes;  /* SHELF_BODY_MAX at most */
	const char *remedy; /* for a damaged file: what to do, and what is lost */
	/* The body of its file; on the queue's thread, while the item is held. */
	void (*put)(struct writer *w, const struct shelf_item *item);
	/* An item from such a body, of which nothing may be left over; any error. */
	enum err (*get)(struct shelf_item **out, void *arg, uint32_t epoch, struct reader *r);
	void (*destroy)(struct shelf_item *item);
};

struct shelf_config {
	const struct shelf_kind *kind;
	struct disk *disk;
	struct workq *queue; /* one thread, the disk's only user */
	struct log *log;
	/* Whether an epoch's secret has served its time. */
	bool (*over)(void *arg, uint32_t epoch, int64_t wall_ms);
	void (*stored)(void *arg, uint32_t epoch);
	void (*removed)(void *arg, uint32_t epoch); /* from memory and disk */
	void *arg; /* of these three and of kind->get */
};

/*
 * Load what is on the disk (blocks). ERR_MALFORMED for a damaged file, ERR_VERSION,
 * ERR_IO, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err shelf_open(struct shelf **out, const struct shelf_config *cfg,
    struct diag *d);
/* Wipe from memory; the files stay. NULL is a no-op. */
void shelf_free(struct shelf *s);

/* Keep an item of an epoch that has none, and begin to store it. ERR_FULL; else it is ours. */
RST_MUST_USE enum err shelf_add(struct shelf *s, struct shelf_item *item);
/* Make room at a full shelf: what is stored for the last epoch after this one goes. */
void shelf_make_room(struct shelf *s, uint32_t epoch);
/* Destroy what is over; try failed writes again. */
void shelf_turn(struct shelf *s, int64_t wall_ms);

/* What is stored for an epoch, or NULL. Valid until the next turn. */
struct shelf_item *shelf_find(const struct shelf *s, uint32_t epoch);
/* What is in memory for an epoch, stored or not yet, or NULL. */
struct shelf_item *shelf_known(const struct shelf *s, uint32_t epoch);
/* Whether anything is left of an epoch's secret, in memory or on disk. */
bool shelf_exists(const struct shelf *s, uint32_t epoch);
/* The epochs of what is stored, in no order; returns how many. */
size_t shelf_epochs(const struct shelf *s, uint32_t out[static SHELF_PLACES]);
/* Whether a file is still to be written or removed. */
bool shelf_busy(const struct shelf *s);

void shelf_hold(struct shelf_item *item);
/* NULL is a no-op. */
void shelf_drop(const struct shelf_kind *kind, struct shelf_item *item);

#endif
