/* The file of groups is edited by hand now and then. What is taken prints to the bytes that were read. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct members m;
	struct buf again;
	struct diag d;

	if (members_parse(&m, (const char *)data, size, &d) != ERR_OK)
		return 0;
	buf_init(&again);
	if (members_print(&again, &m) != ERR_OK || again.len != size ||
	    (size > 0 && memcmp(again.data, data, size) != 0)) /* public */
		abort();
	buf_release(&again);
	return 0;
}
