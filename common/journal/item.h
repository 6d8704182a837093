/*
 * The journal stream that a session carries downward: items cut into frames.
 *
 *   item = kind u8 || length u32 || bytes
 *   kind 1 sheet || signature (64); 2 block || signature (64); 3 the records of that block; 4 charter;
 *   5 an issuer notice (common/token/notice.h)
 *
 * Pure. The assembler is bounded: an item longer than its kind allows is
 * ERR_RANGE and ends the session.
 */
#ifndef COMMON_JOURNAL_ITEM_H
#define COMMON_JOURNAL_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

enum item_kind { ITEM_SHEET = 1, ITEM_BLOCK = 2, ITEM_RECORDS = 3, ITEM_CHARTER = 4, ITEM_NOTICE = 5 };

#define ITEM_HEADER_BYTES 5
#define ITEM_RECORDS_MAX (16u << 20) /* of one mailbox in one round */

/* Append one item to a stream buffer bounded by max bytes. ERR_RANGE, ERR_FULL, ERR_MEMORY. */
RST_MUST_USE enum err item_append(struct buf *out, enum item_kind kind, const void *p, size_t n,
    size_t max);

struct item_assembler; /* bytes in, whole items out */

/*
 * Called for each whole item, whose bytes are valid during the call; an error
 * ends item_feed with that error. It must not free the assembler.
 */
typedef enum err item_each(void *arg, enum item_kind kind, const uint8_t *p, size_t n);

struct item_assembler *item_assembler_new(item_each *each, void *arg);
void item_assembler_free(struct item_assembler *a);
/* Errors stay: ERR_MALFORMED (unknown kind), ERR_RANGE (too long), ERR_MEMORY, those of each. */
RST_MUST_USE enum err item_feed(struct item_assembler *a, const uint8_t *p, size_t n);

#endif
