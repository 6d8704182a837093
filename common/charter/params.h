/*
 * The parameters of a network: values of the charter, their ranges and
 * defaults. One table (params.c) serves parser, printer, `restante-charter set`
 * and the man page.
 */
#ifndef COMMON_CHARTER_PARAMS_H
#define COMMON_CHARTER_PARAMS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/crypto/onion.h"

#define PARAMS_LAYERS_MAX ONION_LAYERS_MAX

/* Batching strategies by the names of the literature. */
enum strategy_kind {
	STRATEGY_THRESHOLD,
	STRATEGY_TIMED,
	STRATEGY_TIMED_POOL,
	STRATEGY_TIMED_DYNAMIC_POOL, /* Mixminion's rule */
};

struct strategy {
	enum strategy_kind kind;
	uint32_t threshold;   /* threshold: packets of a batch */
	uint32_t pool_min;    /* timed pool, dynamic pool: kept back */
	uint32_t rate_ppm;    /* dynamic pool: share sent per round, in millionths */
};

struct params {
	uint8_t suite, layers;
	uint16_t record_size;
	int64_t slot_ms, round_ms, epoch_ms, grace_ms, retention_ms;
	uint32_t people, mailboxes, pieces, note_one_in, stamps;
	uint32_t pool_max;    /* packets a mix holds at most */
	/*
	 * 1 in a real network. A quickstart or test network divides every fixed
	 * time of the protocol (the session hour, waits, catch-up interval,
	 * announcement times) by this number and says so.
	 */
	uint32_t time_scale;
	struct strategy strategy[PARAMS_LAYERS_MAX];
};

/* Fill with the defaults of docs/protocol.md. */
void params_default(struct params *p);
/* Set one parameter from text ("slot", "5s"); ERR_NOT_FOUND, ERR_RANGE, ERR_MALFORMED. */
RST_MUST_USE enum err params_set(struct params *p, const char *key, const char *value,
    struct diag *d);
/* The rules between parameters (pieces, 50 people to a mailbox, ...). */
RST_MUST_USE enum err params_check(const struct params *p, struct diag *d);
/* The least number of pieces for these people and mailboxes. */
uint32_t params_least_pieces(const struct params *p);
struct onion_geometry params_geometry(const struct params *p);

/* Plain bytes of a frame on a node link into `layer`, up, and down (without Noise's 16). */
size_t params_node_frame_bytes(const struct params *p, unsigned layer);
size_t params_up_frame_bytes(const struct params *p);
size_t params_down_frame_bytes(const struct params *p);
#define PARAMS_PIECE_BYTES 4224

/* A fixed time of the protocol, shortened by time-scale (at least 1 ms). */
int64_t params_scaled(const struct params *p, int64_t ms);

/*
 * The 99.9 % delay of a layer's strategy at the expected traffic, and the
 * forecast: one slot + all layers' delays + one round (protocol, Reliability).
 */
int64_t params_layer_delay_ms(const struct params *p, unsigned layer);
int64_t params_forecast_ms(const struct params *p);

#endif
