#include "config.h"

#include "common/charter/params.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/config/value.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

#define FIELD(f) offsetof(struct params, f), sizeof(((struct params *)NULL)->f)
#define STRATEGY_ROW "strategy"

static const struct param_info table[] = {
	{ "suite", PARAM_COUNT, FIELD(suite), ONION_SUITE_X25519, ONION_SUITE_X25519, "1",
	    "cryptographic suite of the packets; 1 is X25519 with ChaCha20-Poly1305" },
	{ "layers", PARAM_COUNT, FIELD(layers), 1, PARAMS_LAYERS_MAX, "3",
	    "mixes on every path, one of each layer" },
	{ "record-size", PARAM_COUNT, FIELD(record_size), ONION_RECORD_MIN, ONION_RECORD_MAX,
	    "4096", "bytes of a record, and so of every packet's innermost part" },
	{ "slot", PARAM_DURATION, FIELD(slot_ms), 20, 10 * MINUTE_MS, "5s",
	    "period at which every client sends one packet" },
	{ "round", PARAM_DURATION, FIELD(round_ms), 100, 30 * SECOND_MS, "10s",
	    "period of the mixes' flushes and of the journal's blocks" },
	{ "epoch", PARAM_DURATION, FIELD(epoch_ms), SECOND_MS, PARAMS_EPOCH_HOURS_MAX * HOUR_MS,
	    "6h", "life of the nodes' packet keys" },
	{ "grace", PARAM_DURATION, FIELD(grace_ms), 100, DAY_MS, "10min",
	    "how long after an epoch its packets are still taken" },
	{ "retention", PARAM_DURATION, FIELD(retention_ms), SECOND_MS, 365 * DAY_MS, "14d",
	    "how long the gateway keeps the journal's records" },
	{ "people", PARAM_COUNT, FIELD(people), 1, 50000, "125",
	    "people expected to use the network" },
	{ "mailboxes", PARAM_COUNT, FIELD(mailboxes), 1, 1000, "1",
	    "mailboxes, each shared by a crowd that collects all of it" },
	{ "pieces", PARAM_COUNT, FIELD(pieces), 1, PARAMS_PIECES_MAX, "2",
	    "pieces of 4224 journal bytes in a frame to a client" },
	{ "note-one-in", PARAM_COUNT, FIELD(note_one_in), 2, 64, "8",
	    "one slot in so many carries a note, by which withheld packets show" },
	{ "stamps", PARAM_COUNT, FIELD(stamps), 1, 1000000, "1500",
	    "deposits that each member may make in an epoch" },
	{ "pool-max", PARAM_COUNT, FIELD(pool_max), 100, 10000000, "100000",
	    "packets that a mix holds at most" },
	{ "time-scale", PARAM_COUNT, FIELD(time_scale), 1, 3600, "1",
	    "divides the protocol's fixed times; above 1 for test networks only" },
	{ STRATEGY_ROW, PARAM_STRATEGY, FIELD(strategy), 0, STRATEGY_COUNT_MAX,
	    "timed-dynamic-pool min=2 rate=0.6", "how the mixes of a layer batch packets" },
};
#define ROW_COUNT (sizeof(table) / sizeof(table[0]))
#define SINGLE_COUNT (ROW_COUNT - 1) /* all rows but the last, which is one per layer */

const struct param_info *
params_info(size_t i)
{
	return i < ROW_COUNT ? &table[i] : NULL;
}

/* ---- keys ---- */

bool
params_key(char out[static PARAMS_KEY_BYTES], const struct params *p, size_t i)
{
	if (i < SINGLE_COUNT) {
		(void)snprintf(out, PARAMS_KEY_BYTES, "%s", table[i].name);
		return true;
	}
	if (i >= SINGLE_COUNT + p->layers)
		return false;
	(void)snprintf(out, PARAMS_KEY_BYTES, STRATEGY_ROW ".%zu", i - SINGLE_COUNT);
	return true;
}

/* The row of a key and, for a strategy, its layer; NULL if there is none such. */
static const struct param_info *
find_row(unsigned *layer, const struct params *p, const char *key)
{
	char name[PARAMS_KEY_BYTES];

	for (size_t i = 0; params_key(name, p, i); i++) {
		if (strcmp(name, key) != 0)
			continue;
		*layer = i < SINGLE_COUNT ? 0 : (unsigned)(i - SINGLE_COUNT);
		return i < SINGLE_COUNT ? &table[i] : &table[SINGLE_COUNT];
	}
	return NULL;
}

/* ---- numbers in fields of their own width ---- */

static int64_t
field_load(const struct params *p, const struct param_info *row)
{
	const uint8_t *at = (const uint8_t *)p + row->offset;
	uint16_t u16;
	uint32_t u32;
	int64_t i64;

	switch (row->size) {
	case sizeof(uint8_t):
		return *at;
	case sizeof(uint16_t):
		memcpy(&u16, at, sizeof(u16));
		return u16;
	case sizeof(uint32_t):
		memcpy(&u32, at, sizeof(u32));
		return u32;
	default:
		assert(row->size == sizeof(int64_t));
		memcpy(&i64, at, sizeof(i64));
		return i64;
	}
}

/* v is within the row's range, which its field can hold. */
static void
field_store(struct params *p, const struct param_info *row, int64_t v)
{
	uint8_t *at = (uint8_t *)p + row->offset;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	switch (row->size) {
	case sizeof(uint8_t):
		*at = (uint8_t)v;
		return;
	case sizeof(uint16_t):
		memcpy(at, &u16, sizeof(u16));
		return;
	case sizeof(uint32_t):
		memcpy(at, &u32, sizeof(u32));
		return;
	default:
		assert(row->size == sizeof(int64_t));
		memcpy(at, &v, sizeof(v));
	}
}

static void
number_print(char out[static PARAMS_VALUE_BYTES], const struct param_info *row, int64_t v)
{
	if (row->type == PARAM_DURATION)
		config_duration_text(out, v);
	else
		(void)snprintf(out, PARAMS_VALUE_BYTES, "%" PRId64, v);
}

static enum err
number_set(struct params *p, const struct param_info *row, const char *value, struct diag *d)
{
	char min[PARAMS_VALUE_BYTES], max[PARAMS_VALUE_BYTES];
	int64_t v = 0;
	enum err e;

	if (row->type == PARAM_DURATION) {
		e = config_duration(&v, value);
		if (e == ERR_MALFORMED)
			return diag_set(d, ERR_MALFORMED,
			    "%s is not a duration: write a whole number and ms, s, min, h or d, "
			    "such as %s",
			    row->name, row->standard);
	} else {
		e = config_integer(&v, value);
		if (e == ERR_MALFORMED)
			return diag_set(d, ERR_MALFORMED, "%s is not a whole number such as %s",
			    row->name, row->standard);
	}
	if (e != ERR_OK || v < row->min || v > row->max) {
		number_print(min, row, row->min);
		number_print(max, row, row->max);
		return diag_set(d, ERR_RANGE, "%s is out of range: choose a value from %s to %s",
		    row->name, min, max);
	}
	field_store(p, row, v);
	return ERR_OK;
}

/* ---- set and get ---- */

enum err
params_set(struct params *p, const char *key, const char *value, struct diag *d)
{
	unsigned layer;
	const struct param_info *row = find_row(&layer, p, key);

	if (row == NULL)
		return diag_set(d, ERR_NOT_FOUND,
		    "unknown parameter \"%.40s\": restante-charter parameters lists them", key);
	if (row->type != PARAM_STRATEGY)
		return number_set(p, row, value, d);
	return strategy_parse(&p->strategy[layer], value, key, d);
}

enum err
params_get(char out[static PARAMS_VALUE_BYTES], const struct params *p, const char *key)
{
	unsigned layer;
	const struct param_info *row = find_row(&layer, p, key);

	if (row == NULL)
		return ERR_NOT_FOUND;
	if (row->type == PARAM_STRATEGY)
		strategy_print(out, &p->strategy[layer]);
	else
		number_print(out, row, field_load(p, row));
	return ERR_OK;
}

void
params_default(struct params *p)
{
	bool ok = true;

	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < SINGLE_COUNT; i++)
		ok = ok && number_set(p, &table[i], table[i].standard, NULL) == ERR_OK;
	for (size_t layer = 0; layer < PARAMS_LAYERS_MAX; layer++)
		ok = ok && strategy_parse(&p->strategy[layer], table[SINGLE_COUNT].standard,
		    STRATEGY_ROW, NULL) == ERR_OK;
	assert(ok);
	(void)ok;
}

/* ---- sizes and times that follow ---- */

struct onion_geometry
params_geometry(const struct params *p)
{
	return (struct onion_geometry){ .record_size = p->record_size, .layers = p->layers };
}

#define FRAME_HEADER_BYTES 8

size_t
params_node_frame_bytes(const struct params *p, unsigned layer)
{
	struct onion_geometry g = params_geometry(p);

	return FRAME_HEADER_BYTES + onion_packet_bytes(&g, layer);
}

size_t
params_up_frame_bytes(const struct params *p)
{
	return params_node_frame_bytes(p, 0);
}

size_t
params_down_frame_bytes(const struct params *p)
{
	return FRAME_HEADER_BYTES + (size_t)p->pieces * PARAMS_PIECE_BYTES;
}

int64_t
params_scaled(const struct params *p, int64_t ms)
{
	int64_t scaled = ms / p->time_scale;

	return scaled < 1 ? 1 : scaled;
}

/* Bytes that a crowd's slot brings down: records and their share of blocks, times mailboxes. */
static uint64_t
crowd_bytes(const struct params *p)
{
	uint64_t people = p->people, mailboxes = p->mailboxes;

	return 51 * people + (people + 100 + 18 * mailboxes) * mailboxes;
}

uint32_t
params_least_pieces(const struct params *p)
{
	uint64_t piece = 4 * PARAMS_PIECE_BYTES * (uint64_t)p->mailboxes; /* 5/5 of 0.8 piece */

	return (uint32_t)((5 * crowd_bytes(p) + piece - 1) / piece);
}

/* ---- delays ---- */

/* Packets that reach one of a layer's mixes in a round. */
static double
arrivals_per_round(const struct params *p, unsigned layer)
{
	double mixes = p->mixes[layer] > 0 ? p->mixes[layer] : 1;

	return (double)p->people * (double)p->round_ms / (double)p->slot_ms / mixes;
}

/* The pool just before a flush, at the expected traffic. */
static double
expected_pool(const struct params *p, unsigned layer)
{
	return strategy_pool(&p->strategy[layer], arrivals_per_round(p, layer), p->round_ms);
}

int64_t
params_layer_delay_ms(const struct params *p, unsigned layer)
{
	return strategy_delay_ms(&p->strategy[layer], arrivals_per_round(p, layer), p->round_ms);
}

uint32_t
params_delay_max_ms(const struct params *p, unsigned layer)
{
	return layer < p->layers ? strategy_delay_max_ms(&p->strategy[layer]) : 0;
}

int64_t
params_forecast_ms(const struct params *p)
{
	int64_t ms = p->slot_ms + p->round_ms;

	for (unsigned layer = 0; layer < p->layers; layer++)
		ms += params_layer_delay_ms(p, layer);
	return ms;
}

/* ---- rules between parameters ---- */

static enum err
rule_hours(const struct params *p, struct diag *d)
{
	int64_t hour = params_scaled(p, HOUR_MS);

	if (HOUR_MS % p->time_scale != 0)
		return diag_set(d, ERR_RANGE,
		    "time-scale must divide an hour's 3600000 ms: choose 1, 10, 60 or 600, for "
		    "example");
	if (hour % p->round_ms != 0)
		return diag_set(d, ERR_RANGE,
		    "round must divide the session hour of %" PRId64 " ms", hour);
	if (p->epoch_ms % hour != 0 || p->epoch_ms / hour > PARAMS_EPOCH_HOURS_MAX)
		return diag_set(d, ERR_RANGE,
		    "epoch must be 1 to %d session hours of %" PRId64 " ms", PARAMS_EPOCH_HOURS_MAX,
		    hour);
	return ERR_OK;
}

static enum err
rule_periods(const struct params *p, struct diag *d)
{
	int64_t minute = params_scaled(p, MINUTE_MS);

	if (p->slot_ms > minute)
		return diag_set(d, ERR_RANGE,
		    "slot is longer than a minute divided by time-scale (%" PRId64
		    " ms): a session may be open for no longer before its mark",
		    minute);
	if (p->round_ms > minute)
		return diag_set(d, ERR_RANGE,
		    "round is longer than a minute divided by time-scale (%" PRId64 " ms): readers "
		    "would take every pause for a stall", minute);
	return ERR_OK;
}

static enum err
rule_grace(const struct params *p, struct diag *d)
{
	int64_t forecast = params_forecast_ms(p);

	if (p->grace_ms >= (p->epoch_ms + 3) / 4)
		return diag_set(d, ERR_RANGE, "grace must be shorter than a quarter of epoch");
	if (p->grace_ms < forecast)
		return diag_set(d, ERR_RANGE,
		    "grace is shorter than the %" PRId64
		    " ms that a packet may take through the mixes: lengthen it, shorten round, or "
		    "choose strategies that hold less",
		    forecast);
	return ERR_OK;
}

static enum err
rule_retention(const struct params *p, struct diag *d)
{
	int64_t least = 2 * params_scaled(p, DAY_MS);

	if (p->retention_ms < least)
		return diag_set(d, ERR_RANGE,
		    "retention must be at least two days divided by time-scale (%" PRId64 " ms)",
		    least);
	return ERR_OK;
}

static enum err
rule_crowd(const struct params *p, struct diag *d)
{
	uint32_t least = params_least_pieces(p);

	if (p->mailboxes > 1 && p->people / p->mailboxes < 50)
		return diag_set(d, ERR_RANGE,
		    "more than one mailbox needs 50 people to each: choose at most %" PRIu32,
		    p->people < 50 ? 1 : p->people / 50);
	if (least > PARAMS_PIECES_MAX)
		return diag_set(d, ERR_RANGE,
		    "%" PRIu32 " people with %" PRIu32
		    " mailboxes need frames of more than %d pieces: choose more mailboxes, or "
		    "fewer if there are hundreds",
		    p->people, p->mailboxes, PARAMS_PIECES_MAX);
	if (p->pieces < least)
		return diag_set(d, ERR_RANGE,
		    "pieces is too small for %" PRIu32 " people with %" PRIu32
		    " mailboxes: set it to at least %" PRIu32,
		    p->people, p->mailboxes, least);
	return ERR_OK;
}

static enum err
rule_pool(const struct params *p, struct diag *d)
{
	for (unsigned layer = 0; layer < p->layers; layer++) {
		double least = 2 * expected_pool(p, layer);

		if ((double)p->pool_max < least)
			return diag_set(d, ERR_RANGE,
			    "pool-max must be twice what strategy.%u holds at the expected "
			    "traffic: set it to at least %.0f",
			    layer, least + 0.5);
	}
	return ERR_OK;
}

enum err
params_check(const struct params *p, struct diag *d)
{
	static enum err (*const rules[])(const struct params *, struct diag *) = {
		rule_hours, rule_periods, rule_grace, rule_retention, rule_crowd, rule_pool
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		enum err e = rules[i](p, d);

		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}
