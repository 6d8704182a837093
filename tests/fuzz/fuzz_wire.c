/* The agent's socket: what is decoded is encoded to the same bytes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/command/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire m;
	struct buf b;
	size_t len;

	if (wire_length(&len, data, size) != ERR_OK || len == 0)
		return 0;
	if (len > size)
		abort();
	if (wire_decode(&m, data, len) != ERR_OK)
		return 0;
	if (strlen(m.text) != m.text_len)
		abort();
	buf_init(&b);
	if (wire_encode(&b, &m) != ERR_OK || b.len != len)
		abort();
	for (size_t i = 0; i < len; i++)
		if (b.data[i] != data[i])
			abort();
	buf_release(&b);
	return 0;
}
