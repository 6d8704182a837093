/*
 * A link with both ends on one loop, for the tests of link.c: what each end
 * sends, what happens to it, and what it does in which callback.
 */
#ifndef TESTS_UNIT_NET_LINK_BENCH_H
#define TESTS_UNIT_NET_LINK_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/link.h"

/* Small frames, so that a test can afford to touch every byte. */
#define DOWN_BYTES 96
#define UP_BYTES LINK_FRAME_MIN
#define FRAMES 3 /* sent by each side once it is up */
#define FRAMES_MAX 64

struct key_pair {
	uint8_t sk[32], pk[32];
};

extern struct key_pair server_key, client_key, other_key;
extern uint8_t network_id[32];

enum end_act { END_NOTHING, END_FREE, END_FINISH, END_STOP };

struct end {
	struct bench *bench;
	struct link *link;
	size_t send_bytes;
	uint8_t tint; /* frames of each side differ */
	unsigned to_send;
	enum end_act on_up, on_frame, on_drained, on_down;
	unsigned up, frames, bad_frames, drained, down;
	unsigned gone; /* freed or finished by END_FREE or END_FINISH */
	enum err why;
	unsigned want; /* frames after which the loop may stop */
};

struct bench {
	struct loop *loop;
	struct listener *listener;
	const char *address;
	struct end server, client;
	struct link_config server_config, client_config;
	const struct link_candidate *candidates; /* server: any of these */
	size_t candidate_count;
};

/* A cmocka setup: fresh keys and a fresh network id. */
int link_keys_make(void **state);
/* The content of frame `number` of a side. */
void link_fill(uint8_t *out, size_t n, uint8_t tint, unsigned number);

/* Both ends configured, a loop, an address; nothing listens yet. */
void bench_init(struct bench *b, enum noise_pattern pattern);
void bench_listen(struct bench *b);
void bench_dial(struct bench *b, const char *address);
/* Listen, dial, and run until both ends are down or have all frames. */
void bench_run(struct bench *b);
/* Fails the test if a frame was not what the peer had sent, or a callback came twice. */
void bench_free(struct bench *b);
void assert_link_works(const struct bench *b);
/* Send e->to_send frames. */
void end_send(struct end *e);
extern const struct link_events link_end_events;

#endif
