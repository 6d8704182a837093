/*
 * Sheets come from the gateway. What is taken must encode to the bytes that
 * were read. Each input is tried as it is, and once more with the charter hash
 * put in and every announcement of a known node signed, so that signatures do
 * not keep the fuzzer from what lies behind them.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/sheet.h"
#include "tests/lib/network.h"

#define HEAD_BYTES (4 + 32 + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 100;
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct network *net; /* as tests/fuzz/seeds_charter.c makes it */

static void
must(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct params p;
	struct network_config cfg = { .seed = 1, .params = &p, .mixes_per_layer = 2 };

	(void)argc;
	(void)argv;
	params_default(&p);
	p.layers = 1;
	net = network_new(&cfg);
	return 0;
}

static void
try_sheet(const uint8_t *data, size_t size)
{
	struct sheet *s;
	struct buf again;
	uint8_t hash[32];
	struct diag d;

	if (sheet_decode(&s, data, size, net->charter, &d) != ERR_OK)
		return;
	memcpy(hash, s->hash, sizeof(hash));
	buf_init(&again);
	must(sheet_encode(&again, s) == ERR_OK);
	must(again.len == size && memcmp(again.data, data, size) == 0);	   /* public */
	must(memcmp(hash, s->hash, sizeof(hash)) == 0); /* public */
	buf_release(&again);
	sheet_free(s);
}

/* Sign the announcement at `at` if its node is one of ours. */
static void
mend_announcement(uint8_t *at)
{
	struct announcement a = { .node = load_u16(at), .epoch = load_u32(at + 2), .suite = at[6] };

	if (charter_node(net->charter, a.node) == NULL)
		return;
	memcpy(a.pk, at + 7, sizeof(a.pk));
	announcement_sign(&a, net->charter->network_id,
	    net->keys[network_index(net, a.node)].identity_sk);
	announcement_encode(at, &a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *mended;

	try_sheet(data, size);
	if (size < HEAD_BYTES || size > SHEET_BYTES_MAX)
		return 0;
	mended = malloc(size);
	must(mended != NULL);
	memcpy(mended, data, size);
	memcpy(mended + 4, net->charter->hash, 32);
	for (size_t at = HEAD_BYTES; at + ANNOUNCEMENT_BYTES <= size; at += ANNOUNCEMENT_BYTES)
		mend_announcement(mended + at);
	try_sheet(mended, size);
	free(mended);
	return 0;
}
