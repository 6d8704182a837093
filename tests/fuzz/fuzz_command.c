/*
 * The command that the gateway finds in the innermost layer: whoever has a
 * sheet can put any bytes there. What parses is sent through a packet again and
 * must come out as it was. Short inputs are filled up with zeros.
 */
#include "config.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/onion.h"

#define FIXED_BYTES (ONION_COMMAND_HEADER_BYTES + ONION_STAMP_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 100;

static void
must(int ok)
{
	if (!ok)
		abort();
}

/* One mix and the gateway share a key pair. */
static void
whole_way(const struct onion_geometry *g, const struct onion_command *c, const uint8_t *inner)
{
	static const uint8_t sk[32] = { 8, 1 }, sheet_hash[32] = { 0 };
	struct onion_node_key key = { .sk = sk };
	struct onion_hop hops[2] = { { .node = 1 }, { .node = 2 } };
	struct rng_seeded keys;
	struct onion_job job;
	uint8_t *packet = malloc(onion_packet_bytes(g, 0));

	must(packet != NULL);
	rng_seeded_init(&keys, 1);
	must(crypto_scalarmult_base(key.pk, sk) == 0);
	memcpy(hops[0].pk, key.pk, sizeof(key.pk));
	memcpy(hops[1].pk, key.pk, sizeof(key.pk));
	must(onion_build(packet, g, 0, sheet_hash, hops, c, &keys.rng) == ERR_OK);
	job.packet = packet;
	for (key.layer = 0; key.layer <= g->layers; key.layer++) {
		onion_derive(&job, 1, g, &key);
		onion_open(&job, 1, g, &key);
		must(job.verdict == ONION_OPENED);
		job.packet = job.inner;
	}
	must(memcmp(job.inner, inner, onion_command_bytes(g)) == 0); /* public */
	free(packet);
}

static void
parse(const uint8_t *inner, uint16_t record_size)
{
	const struct onion_geometry g = { .record_size = record_size, .layers = 1 };
	struct onion_command c;

	if (onion_command_parse(&c, &g, inner) != ERR_OK)
		return;
	must(c.body == inner + FIXED_BYTES);
	whole_way(&g, &c, inner);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *padded;

	if (size > FIXED_BYTES + ONION_RECORD_MAX)
		return 0;
	if (size >= FIXED_BYTES + ONION_RECORD_MIN) {
		parse(data, (uint16_t)(size - FIXED_BYTES));
		return 0;
	}
	padded = calloc(1, FIXED_BYTES + ONION_RECORD_MIN);
	must(padded != NULL);
	if (size > 0)
		memcpy(padded, data, size);
	parse(padded, ONION_RECORD_MIN);
	free(padded);
	return 0;
}
