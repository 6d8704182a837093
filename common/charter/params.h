/*
 * The parameters of a network: values of the charter, their ranges and
 * defaults. One table (params.c) serves parser, printer, `restante-charter set`
 * and the man page.
 */
#ifndef COMMON_CHARTER_PARAMS_H
#define COMMON_CHARTER_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/charter/strategy.h"
#include "common/crypto/onion.h"

#define PARAMS_LAYERS_MAX ONION_LAYERS_MAX
#define PARAMS_PIECE_BYTES 4224
#define PARAMS_PIECES_MAX 15	  /* the fill of a downward frame is a u16 */
#define PARAMS_EPOCH_HOURS_MAX 256 /* a sheet has a ticket key for each hour */
#define PARAMS_KEY_BYTES 32	  /* room for a parameter's name with its NUL */
#define PARAMS_VALUE_BYTES STRATEGY_TEXT_BYTES /* room for a value's text with its NUL */

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
	/* Not a parameter: how many mixes a layer has, as the charter fills in; 0 counts as 1. */
	uint16_t mixes[PARAMS_LAYERS_MAX];
};

/* ---- the table ---- */

enum param_type { PARAM_COUNT, PARAM_DURATION, PARAM_STRATEGY };

/* One row. The row "strategy" stands for strategy.0 .. strategy.(layers - 1). */
struct param_info {
	const char *name;
	enum param_type type;
	uint16_t offset, size; /* of the field; for params.c */
	int64_t min, max;      /* counts, or milliseconds */
	const char *standard;  /* the default, as text */
	const char *help;      /* what it is, half a sentence */
};

/* The i-th row, NULL past the last one. */
const struct param_info *params_info(size_t i);

/*
 * The i-th key in the order of the charter ("suite" .. "strategy.2"); false
 * past the last one. Which keys there are depends on p->layers alone.
 */
bool params_key(char out[static PARAMS_KEY_BYTES], const struct params *p, size_t i);
/* The canonical text of a value; ERR_NOT_FOUND. */
RST_MUST_USE enum err params_get(char out[static PARAMS_VALUE_BYTES], const struct params *p,
    const char *key);

/* Fill with the defaults of docs/protocol.md. */
void params_default(struct params *p);
/* Set one parameter from text ("slot", "5s"); ERR_NOT_FOUND, ERR_RANGE, ERR_MALFORMED. */
RST_MUST_USE enum err params_set(struct params *p, const char *key, const char *value,
    struct diag *d);
/* The rules between parameters (pieces, 50 people to a mailbox, ...). */
RST_MUST_USE enum err params_check(const struct params *p, struct diag *d);
/* The least number of pieces for these people and mailboxes; may pass PARAMS_PIECES_MAX. */
uint32_t params_least_pieces(const struct params *p);
struct onion_geometry params_geometry(const struct params *p);

/* Plain bytes of a frame on a node link into `layer`, up, and down (without Noise's 16). */
size_t params_node_frame_bytes(const struct params *p, unsigned layer);
size_t params_up_frame_bytes(const struct params *p);
size_t params_down_frame_bytes(const struct params *p);

/* A fixed time of the protocol, shortened by time-scale (at least 1 ms). */
int64_t params_scaled(const struct params *p, int64_t ms);

/*
 * The 99.9 % delay of a layer's strategy at the expected traffic, which the
 * mixes of the layer share, and the forecast: one slot + all layers' delays +
 * one round (docs/protocol.md, "Time").
 */
int64_t params_layer_delay_ms(const struct params *p, unsigned layer);
int64_t params_forecast_ms(const struct params *p);
/* The longest delay of its own that a packet may bring to a layer; 0 at the gateway. */
uint32_t params_delay_max_ms(const struct params *p, unsigned layer);

#endif
