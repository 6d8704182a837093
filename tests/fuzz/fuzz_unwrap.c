/*
 * Packets as they arrive at the first of two layers: the input is any bytes, and once more a
 * list of changes to a packet that was good. Only the unchanged one opens, and what opens goes
 * on to the next layer and opens there.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/crypto/onion.h"
#include "tests/fuzz/script.h"

#define EPOCH 7

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 64;

static const struct onion_geometry geometry = { .layers = 1, .record_size = ONION_RECORD_MIN };
static const uint8_t mix_sk[32] = { 8, 1 }, gateway_sk[32] = { 8, 2 };
static struct onion_node_key mix = { .epoch = EPOCH, .layer = 0, .sk = mix_sk };
static struct onion_node_key gateway = { .epoch = EPOCH, .layer = 1, .sk = gateway_sk };
static uint8_t good[ONION_PACKET_MAX];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t body[ONION_RECORD_MIN] = { 5 };
	struct onion_command c = { .kind = ONION_DEPOSIT, .body = body };
	struct onion_hop hops[2] = { { .node = 1 }, { .node = 2 } };
	struct rng_seeded keys;

	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	must(crypto_scalarmult_base(mix.pk, mix_sk) == 0);
	must(crypto_scalarmult_base(gateway.pk, gateway_sk) == 0);
	memcpy(hops[0].pk, mix.pk, 32);
	memcpy(hops[1].pk, gateway.pk, 32);
	rng_seeded_init(&keys, 1);
	must(onion_build(good, &geometry, EPOCH, mix.sheet_hash, hops, &c, &keys.rng) == ERR_OK);
	return 0;
}

static enum onion_verdict
unwrap(uint8_t **inner, uint8_t *packet, const struct onion_node_key *key)
{
	struct onion_job job = { .packet = packet };

	onion_derive(&job, 1, &geometry, key);
	must(job.verdict == ONION_PENDING || job.verdict == ONION_BAD_POINT);
	onion_open(&job, 1, &geometry, key);
	must(job.verdict != ONION_PENDING && sodium_is_zero(job.key, sizeof(job.key)));
	*inner = job.inner;
	return job.verdict;
}

/* Any bytes open at nobody. */
static void
try_bytes(const uint8_t *data, size_t size)
{
	size_t n = onion_packet_bytes(&geometry, 0);
	uint8_t *packet = calloc(1, n), *inner;

	must(packet != NULL);
	memcpy(packet, data, size < n ? size : n);
	if (memcmp(packet, good, n) != 0) /* public */
		must(unwrap(&inner, packet, &mix) != ONION_OPENED);
	free(packet);
}

static void
try_changes(const uint8_t *data, size_t size)
{
	size_t n = onion_packet_bytes(&geometry, 0), next = onion_packet_bytes(&geometry, 1);
	uint8_t *packet = malloc(n), *inner, *second;
	struct onion_command c;
	struct script s;
	bool same;

	must(packet != NULL);
	memcpy(packet, good, n);
	script_init(&s, data, size);
	script_change(&s, packet, n);
	same = memcmp(packet, good, n) == 0; /* public */
	must((unwrap(&inner, packet, &mix) == ONION_OPENED) == same);
	if (same) {
		second = malloc(next);
		must(second != NULL);
		memcpy(second, inner, next);
		must(unwrap(&inner, second, &gateway) == ONION_OPENED);
		must(onion_command_parse(&c, &geometry, inner) == ERR_OK && c.kind == ONION_DEPOSIT);
		free(second);
	}
	free(packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_bytes(data, size);
	try_changes(data, size);
	return 0;
}
