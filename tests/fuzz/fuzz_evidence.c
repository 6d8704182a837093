/* Evidence from a file: what parses is written as the same text, and no other byte passes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/journal/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evidence e;
	struct diag d = { "" };
	struct buf again;
	uint64_t number;
	struct params p;

	if (evidence_parse(&e, data, size, &d) != ERR_OK) {
		if (d.text[0] == '\0')
			abort();
		return 0;
	}
	params_default(&p);
	(void)evidence_lie(&e, &p, &number);
	(void)evidence_epoch(&e, &p);
	buf_init(&again);
	if (evidence_encode(&again, &e) != ERR_OK || again.len != size ||
	    memcmp(again.data, data, size) != 0 || /* public */
	    evidence_length((const char *)data, size) != size)
		abort();
	buf_release(&again);
	return 0;
}
