/*
 * The replay sets: the tags of the packets that went through a node, one set and
 * one append-only file per epoch. docs/protocol.md, "Files on disk".
 *
 * A tag is first staged (in memory), then committed with the others of its round
 * as one synced record whose tags are sorted, so that the file tells no order of
 * arrival. A packet leaves its node only after the commit that holds its tag.
 *
 * Everything here runs on the loop's thread but the writing itself, which runs on
 * the disk's queue. The queue must be freed before the replay sets: its last
 * callbacks still come here.
 */
#ifndef MIX_REPLAY_H
#define MIX_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/succession.h"
#include "common/crypto/onion.h"
#include "common/net/loop.h"

#define REPLAY_EPOCHS_MAX 8 /* sets at a time; two are in use around a boundary */

struct replay;
struct replay_set;

/*
 * Load the sets that are on the disk (blocks). queue has one thread and is the
 * only user of the disk from now on. queue NULL: sets in memory only, for
 * benchmarks and evaluation; nothing can be committed. tags_max bounds each set.
 * A torn last record is cut off; ERR_MALFORMED for a file that is damaged before
 * its end, ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err replay_open(struct replay **out, struct disk *disk, struct workq *queue,
    const struct rng *rng, size_t tags_max, struct diag *d);
void replay_free(struct replay *r);
/* How many tags a set needs under these charters: several times the packets of an epoch. */
size_t replay_tags_max(const struct succession *s);
/* Sets that are made from now on hold so many tags, if that is more than before. */
void replay_expect(struct replay *r, size_t tags_max);

/* The set of an epoch, made if absent. ERR_FULL, ERR_MEMORY. */
RST_MUST_USE enum err replay_set(struct replay_set **out, struct replay *r, uint32_t epoch);
/* Whether the tag is known, committed or staged. */
bool replay_check(const struct replay_set *s, const uint8_t tag[static ONION_REPLAY_TAG_BYTES]);
/* Add a tag, to be committed. ERR_REPLAY if it is known, ERR_FULL, ERR_MEMORY. */
RST_MUST_USE enum err replay_stage(struct replay_set *s,
    const uint8_t tag[static ONION_REPLAY_TAG_BYTES]);
/* Tags staged and not yet committed; tags in all. */
size_t replay_staged(const struct replay_set *s);
size_t replay_count(const struct replay_set *s);

typedef void replay_done_cb(void *arg, enum err e);

/*
 * Write what is staged in all sets at this moment, one synced append per file.
 * done comes on the loop, never from inside the call; after a failure the tags
 * are still staged, and the next commit first cuts off what the failed one may
 * have left. ERR_BUSY while a commit is under way, ERR_MEMORY (no done then).
 */
RST_MUST_USE enum err replay_commit(struct replay *r, replay_done_cb *done, void *arg);

/*
 * Destroy the sets of the epochs for which keep says false: memory at once, the
 * file through the queue. Call it again some time later: a file that could not
 * be removed, or a set that a commit is using, is then tried again. Pointers to
 * destroyed sets are invalid: not while a batch that uses one is under way.
 */
void replay_prune(struct replay *r, bool (*keep)(void *arg, uint32_t epoch), void *arg);

#endif
