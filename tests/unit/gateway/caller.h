/*
 * A client for the tests of this area: one raw session with a gateway, frame by
 * frame, which keeps what came down.
 */
#ifndef TESTS_UNIT_GATEWAY_CALLER_H
#define TESTS_UNIT_GATEWAY_CALLER_H

#include <stdbool.h>

#include "common/charter/charter.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "common/net/loop.h"

#define CALLER_ITEMS_MAX 4000

struct caller_item {
	enum item_kind kind;
	size_t len;
	uint8_t head[64]; /* its first bytes */
};

struct caller {
	struct loop *loop;
	const struct charter *charter;
	struct link *link; /* NULL: over */
	struct item_assembler *assembler;
	/* May be set: called for each item. */
	void (*each)(void *arg, enum item_kind kind, const uint8_t *p, size_t n);
	void *arg;
	struct caller_item items[CALLER_ITEMS_MAX];
	size_t count;
	unsigned frames;       /* of stream, that came down */
	unsigned empty;	       /* of these without content */
	int64_t last_ms;       /* when the last came */
	enum frame_error error; /* the gateway's word */
	bool up, ended;
};

/* Dial; the handshake goes on as the world does. */
struct caller *caller_new(struct loop *l, const struct charter *c, const char *address,
    const struct rng *keys);
void caller_free(struct caller *k);
/* Frames up. They go as they are, whatever the gateway thinks of it. */
void caller_open(struct caller *k, const struct frame_open *open);
void caller_packet(struct caller *k, uint16_t first_mix, uint32_t epoch);
void caller_raw(struct caller *k, const uint8_t *frame);
/* How many items of a kind came. */
size_t caller_count(const struct caller *k, enum item_kind kind);

#endif
