/* The line of a client authorization: what is understood is printed and understood again. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/clientauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char line[CLIENTAUTH_LINE_SIZE];
	struct clientauth a, b;
	struct diag d = { "" };

	if (clientauth_parse(&a, text, size, &d) != ERR_OK) {
		if (d.text[0] == '\0')
			abort(); /* every refusal says why */
	} else {
		clientauth_print(line, &a);
		if (clientauth_parse(&b, line, strlen(line), NULL) != ERR_OK ||
		    strcmp(a.service, b.service) != 0 || memcmp(a.secret, b.secret, 32) != 0)
			abort();
	}
	return 0;
}
