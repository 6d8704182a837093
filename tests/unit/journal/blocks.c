#include "config.h"

#include "tests/unit/journal/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/lib/test.h"

#define HOUR_SCALE 600 /* a session hour of 6 s */

struct network *
blocks_network(void)
{
	struct params params;
	struct network_config cfg = { .seed = test_seed(), .params = &params };

	params_default(&params);
	params.time_scale = HOUR_SCALE;
	params.slot_ms = 50;
	params.round_ms = 100;
	params.epoch_ms = 12000;
	params.grace_ms = 2900;
	params.retention_ms = 400000;
	return network_new(&cfg);
}

static const struct network_keys *
gateway_keys(const struct network *n)
{
	return &n->keys[network_index(n, charter_gateway(n->charter)->number)];
}

void
blocks_sign(struct blocks_one *b, const struct network *network)
{
	struct block block;

	assert_err_ok(block_decode(&block, b->bytes.data, b->bytes.len));
	block_sign(b->signature, &block, network->charter->network_id,
	    gateway_keys(network)->identity_sk);
	b->point.round = block.round;
	memcpy(b->point.hash, block.hash, 32);
	b->epoch_block = block.epoch_block;
}

struct blocks *
blocks_new(struct network *network, uint32_t epoch, size_t n, size_t fork, uint64_t salt)
{
	const struct params *p = &network->charter->params;
	struct blocks *b = calloc(1, sizeof(*b));
	uint8_t last_epoch[32] = {0};
	uint64_t round = timing_round(p, timing_epoch_start(p, epoch));

	assert_non_null(b);
	b->network = network;
	b->at = calloc(n, sizeof(b->at[0]));
	assert_non_null(b->at);
	for (size_t i = 0; i < n; i++, round++) {
		uint32_t now = timing_epoch(p, timing_round_start(p, round));
		uint32_t then = timing_epoch(p, timing_round_start(p, round - 1));
		uint8_t note[8];
		struct block block = {
			.gateway = charter_gateway(network->charter)->number,
			.round = round,
			.digests = note,
			.digest_count = now == then,
		};

		store_u64(note, (i >= fork ? salt : 0) + i);
		if (i > 0)
			memcpy(block.previous, b->at[i - 1].point.hash, 32);
		if (i > 0 && now != then)
			memcpy(block.previous_epoch, last_epoch, 32);
		buf_init(&b->at[i].bytes);
		assert_err_ok(block_encode(&b->at[i].bytes, &block));
		blocks_sign(&b->at[i], network);
		if (b->at[i].epoch_block)
			memcpy(last_epoch, b->at[i].point.hash, 32);
	}
	b->count = n;
	return b;
}

void
blocks_free(struct blocks *b)
{
	for (size_t i = 0; i < b->count; i++)
		buf_release(&b->at[i].bytes);
	free(b->at);
	free(b);
}
