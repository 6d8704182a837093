/* The registrar's roll: what is understood is written again as the same bytes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "registrar/roll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag d = { "" };
	struct roll r;
	struct buf text;

	roll_init(&r);
	buf_init(&text);
	if (roll_parse(&r, (const char *)data, size, &d) == ERR_OK) {
		if (roll_print(&text, &r) != ERR_OK || text.len != size ||
		    memcmp(text.data, data, size) != 0) /* public */
			abort();
	} else if (d.text[0] == '\0' || r.count != 0) {
		abort(); /* every refusal says why, and leaves nobody */
	}
	buf_release(&text);
	roll_release(&r);
	return 0;
}
