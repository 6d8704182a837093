/* The text of an invitation: what is understood is written again with the same letters. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(const char *text, const char *canonical)
{
	for (; *text != '\0'; text++) {
		if (strchr(" \t\r\n", *text) != NULL)
			continue;
		if (*text != *canonical++)
			abort();
	}
	if (*canonical != '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), canonical[INVITE_TEXT_MAX];
	struct diag d = { "" };
	struct invite i;

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (invite_decode(&i, text, &d) == ERR_OK) {
		if (invite_encode(canonical, &i) != ERR_OK)
			abort();
		compare(text, canonical);
	} else if (d.text[0] == '\0') {
		abort(); /* every refusal says why */
	}
	free(text);
	return 0;
}
