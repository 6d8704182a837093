/*
 * The feed: journal streams for sessions, out of the store. docs/protocol.md,
 * "Sessions" and "The gateway".
 *
 * Many sessions read the same rounds at about the same time. The encoded items of a
 * round and mailbox are made once, counted by reference and kept in a cache of
 * bounded size; a session has only a place in them.
 */
#ifndef GATEWAY_FEED_H
#define GATEWAY_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/net/frame.h"
#include "common/net/loop.h"
#include "gateway/store.h"

struct feed;
struct feed_chunk;

struct feed_config {
	struct loop *loop;
	struct store *store;	       /* borrowed, as all */
	const struct charter *charter;
	size_t cache_bytes;	       /* what nobody is reading is dropped beyond this */
};

RST_MUST_USE enum err feed_new(struct feed **out, const struct feed_config *cfg);
/* After all readers; the store must be freed before: its last callbacks still come here. */
void feed_free(struct feed *f);

/* The sheets that every stream begins with from now on, as items (copied). ERR_MEMORY. */
RST_MUST_USE enum err feed_sheets(struct feed *f, const uint8_t *items, size_t len);
/* A round is durable: keep it at hand for those who read its mailboxes. */
void feed_publish(struct feed *f, const struct store_round *r);

/* A place in a stream. */
struct feed_reader {
	struct feed *feed; /* NULL: not open */
	enum frame_read read;
	uint16_t mailbox;
	bool placed;	   /* day and index are known */
	bool bounded;	   /* end is known */
	uint32_t day, index;
	uint32_t end;	   /* of a day's read: an index */
	uint64_t from, until; /* rounds */
	size_t epoch, epoch_end;
	struct feed_chunk *chunk; /* what is being sent, or NULL */
	size_t offset;
};

/* Live: from the first block of from_ms (wall clock) on, without end. */
void feed_open_live(struct feed_reader *r, struct feed *f, uint16_t mailbox, int64_t from_ms);
/* One day, up to the blocks of until_ms if the day has them. ERR_NOT_FOUND. */
RST_MUST_USE enum err feed_open_day(struct feed_reader *r, struct feed *f, uint16_t mailbox,
    uint32_t day, int64_t until_ms);
/* All epoch blocks there are now. */
void feed_open_epochs(struct feed_reader *r, struct feed *f);
/* Leave; a no-op if not open. */
void feed_close(struct feed_reader *r);

enum feed_state {
	FEED_MORE,   /* there is more than fits */
	FEED_END,    /* all there is now (live), or the whole of it */
	FEED_WAIT,   /* more is being fetched from the store */
	FEED_FAILED, /* the store cannot read it now */
	FEED_GONE,   /* the day has expired */
};
/* Fill out with the next bytes of the stream, at most max; *n says how many. */
enum feed_state feed_read(struct feed_reader *r, uint8_t *out, size_t *n, size_t max);

/* Bytes of chunks in the cache; reads that wait for the store. */
size_t feed_cached(const struct feed *f);
size_t feed_loading(const struct feed *f);

#endif
