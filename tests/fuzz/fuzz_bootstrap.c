/* tor's progress: what is understood is within its bounds and fit for a terminal. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/bootstrap.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data;
	struct bootstrap b;

	if (bootstrap_parse(&b, text, size) == ERR_OK) {
		size_t n = strnlen(b.tag, sizeof(b.tag));

		if (b.progress > 100 || n == 0 || n == sizeof(b.tag) ||
		    strspn(b.tag, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n)
			abort();
	}
	return 0;
}
