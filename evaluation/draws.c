#include "config.h"

#include "evaluation/draws.h"

void
draws_fill(void *ctx, void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		uint64_t v = draws_next(ctx);
		size_t part = n < sizeof(v) ? n : sizeof(v);

		for (size_t i = 0; i < part; i++)
			*p++ = (uint8_t)(v >> 8 * i);
		n -= part;
	}
}
