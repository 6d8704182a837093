/*
 * The far end of a link, by hand: handshake and frames over a bare connection, of which the
 * input may change any byte before it leaves. Whoever it speaks to is to notice.
 */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/crypto/noise.h"
#include "common/net/loop.h"
#include "tests/fuzz/script.h"

struct peer_config {
	struct loop *loop;
	const char *address;
	struct noise_config noise; /* of an initiator */
	size_t send_bytes, receive_bytes; /* plain frames */
	/* A whole frame came; may be NULL. */
	void (*frame)(void *arg, const uint8_t *plain, size_t n);
	void *arg;
};

struct peer {
	struct peer_config cfg;
	struct conn *conn; /* NULL: over */
	struct noise *noise;
	struct noise_cipher send, receive;
	bool up;
	size_t said; /* bytes that were no frames: of what follows they make something else */
	bool spoilt; /* a whole frame was sent that no honest receiver can take */
};

/* Dial. s: changes to the first message, or NULL. */
void peer_dial(struct peer *k, const struct peer_config *cfg, struct script *s);
/* One frame, with changes of its sealed bytes or NULL. False if there is no link. */
bool peer_send(struct peer *k, const uint8_t *plain, struct script *s);
/* Any bytes. */
void peer_say(struct peer *k, const uint8_t *p, size_t n);
void peer_hang_up(struct peer *k);

#endif
