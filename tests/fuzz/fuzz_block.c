/* Blocks from a gateway: what decodes, encodes to the same bytes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/journal/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_around(const struct block *b)
{
	struct block_mailbox m;

	for (size_t i = 0; i < b->mailbox_count; i++) {
		block_mailbox_at(&m, b, i);
		if (!block_mailbox_find(&m, b, m.mailbox))
			abort();
	}
	for (size_t i = 0; i < b->digest_count; i++)
		if (!block_has_digest(b, b->digests + i * BLOCK_DIGEST_BYTES))
			abort();
	if (b->entry_count > 0 && block_entry_find(b, b->entries[0].kind) != &b->entries[0])
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block b;
	struct buf again;

	if (block_decode(&b, data, size) != ERR_OK)
		return 0;
	look_around(&b);
	buf_init(&again);
	if (block_encode(&again, &b) != ERR_OK || again.len != size ||
	    memcmp(again.data, data, size) != 0) /* public */
		abort();
	buf_release(&again);
	return 0;
}
