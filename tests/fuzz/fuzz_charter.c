/*
 * Charters come as files from outside. What is taken, as a draft or whole, must
 * print as the bytes that were read. The same bytes are also tried as a node's
 * public line.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/charter.h"
#include "common/charter/nodeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int ok)
{
	if (!ok)
		abort();
}

/* The signed bytes come back as they were; signatures may be fewer (one by each signer). */
static void
print_again(const struct charter *c, const uint8_t *data, size_t size)
{
	struct buf text;

	buf_init(&text);
	must(charter_print(&text, c) == ERR_OK);
	must(text.len <= size && memcmp(text.data, data, text.len) == 0); /* public */
	buf_release(&text);
	must(charter_print_signed(&text, c) == ERR_OK && text.len <= size);
	buf_release(&text);
}

static void
try_nodeline(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1), again[NODELINE_BYTES];
	struct charter_node n;

	must(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	if (nodeline_parse(&n, line, NULL) == ERR_OK) {
		nodeline_print(again, &n);
		must(strcmp(again, line) == 0);
	}
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct charter *c;
	struct diag d;

	if (charter_parse_draft(&c, data, size, &d) == ERR_OK) {
		print_again(c, data, size);
		charter_free(c);
	}
	if (charter_parse(&c, data, size, NULL) == ERR_OK) {
		must(charter_check(c, NULL) == ERR_OK && charter_gateway(c) != NULL);
		print_again(c, data, size);
		charter_free(c);
	}
	try_nodeline(data, size);
	return 0;
}
