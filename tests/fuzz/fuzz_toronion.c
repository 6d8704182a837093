/* What a tor says of our service: every reader takes every text, and none reads beyond it. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/toronion.h"

#define ID "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* of exactly this size, so that a byte too far is seen */
	char *text = malloc(size > 0 ? size : 1);
	const char *at = text, *line;
	unsigned percent = 0;
	uint32_t circuit = 0;
	size_t len, lines = 0;

	if (text == NULL)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	(void)toronion_hs_desc(text, size, ID);
	if (toronion_bootstrap(&percent, text, size) && percent > 100)
		abort();
	while ((line = toronion_line(&len, &at, text + size)) != NULL) {
		(void)toronion_hs_desc(line, len, ID);
		if (toronion_rendezvous(&circuit, line, len, ID) && circuit > 999999999)
			abort();
		lines++;
	}
	if (lines > size)
		abort();
	free(text);
	return 0;
}
