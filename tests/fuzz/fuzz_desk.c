/* Requests at a node's desk: what is taken must encode to the same bytes again. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mix/deskwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deskwire_request q;
	enum err code;
	size_t n;
	struct buf again;

	if (size >= DESKWIRE_ANSWER_HEAD && deskwire_head(&code, &n, data) == ERR_OK) {
		uint8_t head[DESKWIRE_ANSWER_HEAD];

		deskwire_put_head(head, code, n);
		if (memcmp(head, data, sizeof(head)) != 0)
			abort();
	}
	if (deskwire_request(&q, data, size) != ERR_OK)
		return 0;
	buf_init(&again);
	if (deskwire_put_request(&again, q.verb, q.payload, q.n) != ERR_OK ||
	    again.len != size || memcmp(again.data, data, size) != 0)
		abort();
	buf_release(&again);
	return 0;
}
