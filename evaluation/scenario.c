#include "config.h"

#include "evaluation/scenario.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/path.h"
#include "common/charter/strategy.h"
#include "common/charter/timing.h"
#include "evaluation/scenario_text.h"

#define DAY_MS TIMING_DAY_MS
#define YEAR_MS (366 * DAY_MS)
#define HOUR_MS INT64_C(3600000)

/* ---- lists ---- */

/* The next whole number of a list that is divided by blanks; false at its end or a fault. */
static bool
next_number(const char **at, uint32_t *out)
{
	uint32_t v = 0;
	const char *p = *at + strspn(*at, " ");
	size_t digits = strspn(p, "0123456789");

	if (digits == 0 || digits > 4)
		return false;
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (uint32_t)(p[i] - '0');
	*at = p + digits;
	*out = v;
	return true;
}

static enum err
check_width(const struct config_key *k, const char *value, struct diag *d)
{
	const char *at = value;
	uint32_t width;
	bool right = false;

	while (next_number(&at, &width)) {
		right = width >= 1 && width <= SIMULATION_WIDTH_MAX && (*at == ' ' || *at == '\0');
		if (!right)
			break;
	}
	if (!right || *at != '\0')
		return diag_set(d, ERR_MALFORMED, "bad value of '%s'; it must be the mixes of each "
		    "layer, 1 to %d: one number for all layers, or one for each, as in '3 2 3'",
		    k->name, SIMULATION_WIDTH_MAX);
	return ERR_OK;
}

/* One "layer.mix" of the list of corrupt mixes. */
static bool
next_mix(const char **at, uint32_t *layer, uint32_t *index)
{
	const char *p = *at;

	if (!next_number(&p, layer) || *p != '.' || p[1] == ' ')
		return false;
	p++;
	if (!next_number(&p, index) || (*p != ' ' && *p != '\0'))
		return false;
	*at = p;
	return true;
}

static enum err
check_corrupt(const struct config_key *k, const char *value, struct diag *d)
{
	const char *at = value;
	uint32_t layer, index;

	while (next_mix(&at, &layer, &index))
		;
	if (at == value || *at != '\0')
		return diag_set(d, ERR_MALFORMED, "bad value of '%s'; it must be a list of mixes "
		    "as layer.mix, both from 0, as in '0.1 2.0'", k->name);
	return ERR_OK;
}

static enum err
check_strategy(const struct config_key *k, const char *value, struct diag *d)
{
	struct strategy s;

	return strategy_parse(&s, value, k->name, d);
}

/* ---- the table ---- */

static const char *const churns[] = { "none", "office", "on-off", NULL };
static const char *const workloads[] = { "poisson", "on-off", "office", "recorded", NULL };
static const char *const sendings[] = { "slots", "poisson", "at-once", NULL };
static const char *const covers[] = { "followed", "counted", NULL };
static const char *const adversaries[] = { "global", "gateway", "none", NULL };
static const char *const rules[] = { "real", "any", "person", NULL };
static const char *const levels[] = { "both", "message", "user", NULL };

#define FIELD(member) CONFIG_FIELD(struct scenario, member)
#define LAYER_KEY(i)                                                                               \
	{ .name = "strategy-" #i, .type = CONFIG_STRING, .fallback = "", .check = check_strategy,  \
	    .help = "that of layer " #i " alone, instead", FIELD(of_layer[i]) }

static const struct config_key keys[] = {
	{ .name = "seed", .type = CONFIG_INTEGER, .min = 0, .max = INT64_MAX, .fallback = "1",
	    .help = "all that is random follows from it: the same scenario gives the same bytes",
	    FIELD(seed) },
	{ .name = "start", .type = CONFIG_DURATION, .min = 0, .max = 7 * DAY_MS, .fallback = "0ms",
	    .help = "when the run begins, counted from a Monday, 0:00", FIELD(start_ms) },
	{ .name = "warm-up", .type = CONFIG_DURATION, .min = 0, .max = YEAR_MS,
	    .fallback = "30min", .help = "how long it runs before anything is measured",
	    FIELD(warm_up_ms) },
	{ .name = "duration", .type = CONFIG_DURATION, .min = 1000, .max = 10 * YEAR_MS,
	    .fallback = "2h", .help = "how long is measured", FIELD(duration_ms) },
	{ .name = "people", .type = CONFIG_INTEGER, .min = 2, .max = SCENARIO_PEOPLE_MAX,
	    .fallback = "200",
	    .help = "people who use the network; each needs somebody to write to",
	    FIELD(people) },
	{ .name = "churn", .type = CONFIG_ENUM, .fallback = "none", .choices = churns,
	    .help = "when people are online: always, on weekdays from 8 to 18 h give or take an "
	    "hour, or by turns of exponential length", FIELD(churn) },
	{ .name = "online", .type = CONFIG_DURATION, .min = 1000, .max = YEAR_MS, .fallback = "8h",
	    .help = "mean time online, if churn = on-off", FIELD(online_ms) },
	{ .name = "offline", .type = CONFIG_DURATION, .min = 1000, .max = YEAR_MS,
	    .fallback = "16h", .help = "mean time offline, if churn = on-off", FIELD(offline_ms) },
	{ .name = "mailboxes", .type = CONFIG_INTEGER, .min = 1, .max = 1000, .fallback = "4",
	    .help = "mailboxes; the crowd that shares one collects all of it", FIELD(mailboxes) },
	{ .name = "workload", .type = CONFIG_ENUM, .fallback = "poisson", .choices = workloads,
	    .help = "when people write: at any time, in exponential times of activity, on "
	    "weekdays from 8 to 18 h, or as a recording says", FIELD(workload) },
	{ .name = "recording", .type = CONFIG_STRING, .fallback = "", .unit = "PATH",
	    .help = "for workload = recorded, a CSV file of lines 'seconds,sender,receiver', "
	    "from the scenario's directory", FIELD(recording) },
	{ .name = "messages-per-day", .type = CONFIG_DECIMAL, .min = 0, .max = 1000000000,
	    .fallback = "50", .help = "messages that a person writes in a day, averaged over all "
	    "time; not of a recording", FIELD(messages_per_day_milli) },
	{ .name = "on", .type = CONFIG_DURATION, .min = 1000, .max = YEAR_MS, .fallback = "15min",
	    .help = "mean time of activity, if workload = on-off", FIELD(on_ms) },
	{ .name = "off", .type = CONFIG_DURATION, .min = 1000, .max = YEAR_MS, .fallback = "2h",
	    .help = "mean time between two of them, if workload = on-off", FIELD(off_ms) },
	{ .name = "contacts", .type = CONFIG_INTEGER, .min = 1, .max = SCENARIO_PEOPLE_MAX - 1,
	    .fallback = "20", .help = "people to whom a person writes; fewer than people",
	    FIELD(contacts) },
	{ .name = "zipf", .type = CONFIG_DECIMAL, .min = 0, .max = 10000, .fallback = "1",
	    .help = "exponent of the shares of a person's contacts; 0: all alike",
	    FIELD(zipf_milli) },
	{ .name = "sending", .type = CONFIG_ENUM, .fallback = "slots", .choices = sendings,
	    .help = "when packets are sent: one in every slot, real instead of cover; at "
	    "exponential intervals of a mean slot, likewise; or only when there is a message",
	    FIELD(sending) },
	{ .name = "slot", .type = CONFIG_DURATION, .min = 20, .max = DAY_MS, .fallback = "5s",
	    .help = "the slot", FIELD(slot_ms) },
	{ .name = "note-one-in", .type = CONFIG_INTEGER, .min = 0, .max = 1000, .fallback = "8",
	    .help = "one slot in so many carries a note; 0: none does", FIELD(note_one_in) },
	{ .name = "cover", .type = CONFIG_ENUM, .fallback = "followed", .choices = covers,
	    .help = "packets without a message are followed one by one, or only counted where no "
	    "target is looked for: many times as fast, for a year, and of the same law",
	    FIELD(cover) },
	{ .name = "layers", .type = CONFIG_INTEGER, .min = 1, .max = PARAMS_LAYERS_MAX,
	    .fallback = "3", .help = "mixes on every path, one of each layer", FIELD(layers) },
	{ .name = "width", .type = CONFIG_STRING, .min = 1, .fallback = "1", .check = check_width,
	    .help = "mixes of each layer: one number, or one for each layer, as in '3 2 3'",
	    FIELD(width) },
	{ .name = "link-delay", .type = CONFIG_DURATION, .min = 0, .max = HOUR_MS,
	    .fallback = "50ms", .help = "delay of every link", FIELD(link_ms) },
	{ .name = "round", .type = CONFIG_DURATION, .min = 100, .max = HOUR_MS, .fallback = "10s",
	    .help = "period of the mixes' flushes and of the gateway's blocks", FIELD(round_ms) },
	{ .name = "epoch", .type = CONFIG_DURATION, .min = 0, .max = 256 * HOUR_MS,
	    .fallback = "6h", .help = "life of the packet keys; near a change only cover is sent "
	    "in slots; 0ms: one epoch without an end", FIELD(epoch_ms) },
	{ .name = "pool-max", .type = CONFIG_INTEGER, .min = 1, .max = 10000000,
	    .fallback = "100000", .help = "packets that a mix holds at most; more are lost",
	    FIELD(pool_max) },
	{ .name = "strategy", .type = CONFIG_STRING, .min = 1,
	    .fallback = "timed-dynamic-pool min=2 rate=0.6", .check = check_strategy,
	    .help = "how the mixes batch packets, as in a charter", FIELD(strategy) },
	LAYER_KEY(0), LAYER_KEY(1), LAYER_KEY(2), LAYER_KEY(3),
	LAYER_KEY(4), LAYER_KEY(5), LAYER_KEY(6), LAYER_KEY(7),
	{ .name = "crypto", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "packets are real onion packets; the outcome is the same, and slower",
	    FIELD(crypto) },
	{ .name = "adversary", .type = CONFIG_ENUM, .fallback = "global", .choices = adversaries,
	    .help = "whose view it is: of all links, of the gateway, or of the corrupt mixes alone",
	    FIELD(adversary) },
	{ .name = "corrupt-per-layer", .type = CONFIG_INTEGER, .min = 0,
	    .max = SIMULATION_WIDTH_MAX, .fallback = "0",
	    .help = "mixes of every layer that are the adversary's", FIELD(corrupt_per_layer) },
	{ .name = "corrupt", .type = CONFIG_STRING, .fallback = "", .check = check_corrupt,
	    .help = "further ones, each as layer.mix, counted from 0, as in '0.1 2.0'",
	    FIELD(corrupt) },
	{ .name = "targets", .type = CONFIG_INTEGER, .min = 0, .max = 1000000, .fallback = "512",
	    .help = "packets whose sender the adversary looks for, evenly over the duration",
	    FIELD(targets) },
	{ .name = "target-rule", .type = CONFIG_ENUM, .fallback = "any", .choices = rules,
	    .help = "which of the packets that leave the last mix: those with a message, any, or "
	    "those of one person with a message; the adversary takes all packets for alike, "
	    "which is right for any", FIELD(rule) },
	{ .name = "target-person", .type = CONFIG_INTEGER, .min = 0,
	    .max = SCENARIO_PEOPLE_MAX - 1, .fallback = "0",
	    .help = "that person, counted from 0", FIELD(target_person) },
	{ .name = "level", .type = CONFIG_ENUM, .fallback = "both", .choices = levels,
	    .help = "candidates are packets, people, or both are reported", FIELD(level) },
	{ .name = "lookback", .type = CONFIG_DURATION, .min = 0, .max = YEAR_MS, .fallback = "0ms",
	    .help = "how far back the adversary remembers before a target; 0ms: as far as the "
	    "strategies need", FIELD(lookback_ms) },
};
static const struct config_schema schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct scenario) };

const struct config_schema *
scenario_schema(void)
{
	return &schema;
}

const char *
scenario_choice(const char *key, int value)
{
	return config_find(&schema, key)->choices[value];
}

/* ---- what follows ---- */

void
scenario_params(struct params *out, const struct scenario *s)
{
	const char *at = s->width;
	uint32_t width = 1;

	params_default(out);
	out->layers = (uint8_t)s->layers;
	out->slot_ms = s->slot_ms;
	out->round_ms = s->round_ms;
	out->epoch_ms = s->epoch_ms > 0 ? s->epoch_ms : 100 * YEAR_MS;
	out->people = (uint32_t)s->people;
	out->mailboxes = (uint32_t)s->mailboxes;
	out->note_one_in = (uint32_t)s->note_one_in;
	out->pool_max = (uint32_t)s->pool_max;
	for (unsigned i = 0; i < out->layers; i++) {
		const char *own = s->of_layer[i][0] != '\0' ? s->of_layer[i] : s->strategy;

		(void)next_number(&at, &width); /* at its end, the last one stays */
		out->mixes[i] = (uint16_t)width;
		if (strategy_parse(&out->strategy[i], own, "strategy", NULL) != ERR_OK)
			continue; /* the table's check has passed it */
	}
}

void
scenario_traffic(struct traffic_config *out, const struct scenario *s)
{
	int64_t rate = s->messages_per_day_milli;

	*out = (struct traffic_config){ .persons = (uint32_t)s->people,
		.seed = (uint64_t)s->seed,
		.start_ms = scenario_begins_ms(s),
		.ends_ms = scenario_ends_ms(s),
		.workload = s->workload,
		.interval_us = rate > 0 ? DAY_MS * 1000 * 1000 / rate : 0,
		.on_ms = s->on_ms,
		.off_ms = s->off_ms,
		.contacts = (uint32_t)s->contacts,
		.zipf_milli = (uint32_t)s->zipf_milli,
		.churn = s->churn,
		.online_ms = s->online_ms,
		.offline_ms = s->offline_ms,
		.directory = s->directory };
}

static size_t
width_of(const struct scenario *s, uint32_t layer)
{
	const char *at = s->width;
	uint32_t width = 1;

	for (uint32_t i = 0; i <= layer && next_number(&at, &width); i++)
		;
	return width;
}

size_t
scenario_nodes(const struct scenario *s)
{
	size_t nodes = 0;

	for (uint32_t i = 0; i < s->layers; i++)
		nodes += width_of(s, i);
	return nodes;
}

size_t
scenario_corrupt(bool *corrupt, const struct scenario *s)
{
	const char *at = s->corrupt;
	size_t nodes = scenario_nodes(s), first = 0, count = 0;
	uint32_t layer, index;

	memset(corrupt, 0, nodes * sizeof(*corrupt));
	for (uint32_t i = 0; i < s->layers; i++) {
		for (uint32_t k = 0; k < s->corrupt_per_layer; k++)
			corrupt[first + k] = true;
		first += width_of(s, i);
	}
	while (next_mix(&at, &layer, &index)) {
		first = index;
		for (uint32_t i = 0; i < layer; i++)
			first += width_of(s, i);
		corrupt[first] = true;
	}
	for (size_t i = 0; i < nodes; i++)
		count += corrupt[i];
	return count;
}

int64_t
scenario_begins_ms(const struct scenario *s)
{
	return SCENARIO_MONDAY_MS + s->start_ms;
}

int64_t
scenario_measured_ms(const struct scenario *s)
{
	return scenario_begins_ms(s) + s->warm_up_ms;
}

int64_t
scenario_ends_ms(const struct scenario *s)
{
	return scenario_measured_ms(s) + s->duration_ms;
}

double
scenario_rate(const struct scenario *s)
{
	double online = 1;

	if (s->sending == SENDING_AT_ONCE)
		return (double)s->people * (double)s->messages_per_day_milli / 1000 /
		    (double)DAY_MS;
	if (s->churn == CHURN_OFFICE)
		online = 5.0 * 10 / (7 * 24);
	if (s->churn == CHURN_ON_OFF)
		online = (double)s->online_ms / (double)(s->online_ms + s->offline_ms);
	return (double)s->people * online / (double)s->slot_ms;
}

/* ---- rules between keys ---- */

/* What simulation_count asks for; there it is known by the pools themselves. */
static bool
goes_by_rounds(const struct strategy *s)
{
	switch (s->kind) {
	case STRATEGY_TIMED:
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
	case STRATEGY_THRESHOLD_AND_TIMED:
	case STRATEGY_BINOMIAL:
		return true;
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_OR_TIMED:
	case STRATEGY_THRESHOLD_POOL:
	case STRATEGY_STOP_AND_GO:
		break;
	}
	return false;
}

static enum err
check_cover(const struct scenario *s, const char *name, struct diag *d)
{
	struct params p;

	if (s->cover != COVER_COUNTED)
		return ERR_OK;
	if (s->sending != SENDING_SLOTS)
		return diag_set(d, ERR_RANGE, "%s: 'cover = counted' is for 'sending = slots'; "
		    "follow all packets of other laws (cover = followed)", name);
	if (s->crypto)
		return diag_set(d, ERR_RANGE, "%s: 'cover = counted' has no packets to encrypt; "
		    "set 'cover = followed', or 'crypto = no'", name);
	scenario_params(&p, s);
	for (unsigned i = 0; i < p.layers; i++)
		if (!goes_by_rounds(&p.strategy[i]))
			return diag_set(d, ERR_RANGE, "%s: 'cover = counted' is for strategies that "
			    "flush by the round alone (timed, timed-pool, timed-dynamic-pool, "
			    "threshold-and-timed, binomial); layer %u has another", name, i);
	return ERR_OK;
}

static enum err
check_lists(const struct scenario *s, const char *name, struct diag *d)
{
	const char *at = s->width;
	uint32_t layer, index;
	int64_t widths = 0;

	while (next_number(&at, &index))
		widths++;
	if (widths != 1 && widths != s->layers)
		return diag_set(d, ERR_RANGE, "%s: 'width' has %" PRId64 " numbers; it must have "
		    "one, or one for each of the %" PRId64 " layers", name, widths, s->layers);
	for (uint32_t i = 0; i < s->layers; i++)
		if ((size_t)s->corrupt_per_layer > width_of(s, i))
			return diag_set(d, ERR_RANGE, "%s: 'corrupt-per-layer' is out of range; "
			    "layer %" PRIu32 " has %zu mixes", name, i, width_of(s, i));
	at = s->corrupt;
	while (next_mix(&at, &layer, &index))
		if (layer >= s->layers || index >= width_of(s, layer))
			return diag_set(d, ERR_RANGE, "%s: 'corrupt' names mix %" PRIu32 ".%" PRIu32
			    "; layers are 0 to %" PRId64 ", and the mixes of each from 0 to one "
			    "below its width", name, layer, index, s->layers - 1);
	return ERR_OK;
}

/* In slots a message is sent only out of reach of a change; the middle is the farthest. */
static enum err
check_epoch(const struct scenario *s, const char *name, struct diag *d)
{
	struct params p;

	if (s->epoch_ms == 0)
		return ERR_OK;
	if (s->epoch_ms < 1000)
		return diag_set(d, ERR_RANGE, "%s: 'epoch' is out of range; it must be 0ms, or "
		    "from 1s to 256h", name);
	scenario_params(&p, s);
	if (s->sending == SENDING_SLOTS && path_time_in(&p, 1,
	    timing_epoch_start(&p, 1) + p.epoch_ms / 2) != PATH_OPEN)
		return diag_set(d, ERR_RANGE, "%s: 'epoch' is too short: in slots only cover is "
		    "sent within 2 min of a change of keys, so that no message ever would be; make "
		    "it longer than 4min, or 0ms for one epoch without an end", name);
	return ERR_OK;
}

/* The packets that a strategy must hold before it sends any; none waits for fewer. */
static int64_t
least_held(const struct strategy *s)
{
	switch (s->kind) {
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_AND_TIMED:
		return s->threshold;
	case STRATEGY_THRESHOLD_POOL:
		return (int64_t)s->threshold + s->pool_min;
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
		return (int64_t)s->pool_min + 1;
	case STRATEGY_THRESHOLD_OR_TIMED: /* at the end of the round any number */
	case STRATEGY_TIMED:
	case STRATEGY_BINOMIAL:
	case STRATEGY_STOP_AND_GO:
		break;
	}
	return 1;
}

static enum err
check_pools(const struct scenario *s, const char *name, struct diag *d)
{
	struct params p;

	scenario_params(&p, s);
	for (unsigned i = 0; i < p.layers; i++) {
		int64_t least = least_held(&p.strategy[i]);

		if (s->pool_max < least)
			return diag_set(d, ERR_RANGE, "%s: 'pool-max' is %" PRId64 ", but the mixes "
			    "of layer %u send nothing before they hold %" PRId64 " packets; make it "
			    "at least that, or change the strategy", name, s->pool_max, i, least);
	}
	return ERR_OK;
}

enum err
scenario_check(const struct scenario *s, const char *name, struct diag *d)
{
	enum err e;

	if (s->contacts >= s->people)
		return diag_set(d, ERR_RANGE, "%s: 'contacts' is out of range; with %" PRId64
		    " people it must be 1 to %" PRId64, name, s->people, s->people - 1);
	if (s->rule == TARGETS_PERSON && s->target_person >= s->people)
		return diag_set(d, ERR_RANGE, "%s: 'target-person' is out of range; with %" PRId64
		    " people it must be 0 to %" PRId64, name, s->people, s->people - 1);
	if (s->note_one_in == 1)
		return diag_set(d, ERR_RANGE, "%s: 'note-one-in' is 1, so that no slot would be "
		    "left for messages; it must be 0 or from 2 to 1000", name);
	if (s->workload == TRAFFIC_RECORDED && s->recording[0] == '\0')
		return diag_set(d, ERR_RANGE, "%s: 'workload = recorded' needs a file; add a line "
		    "'recording = PATH'", name);
	if (s->workload != TRAFFIC_RECORDED && s->recording[0] != '\0')
		return diag_set(d, ERR_RANGE, "%s: 'recording' is given, but nothing reads it; add "
		    "'workload = recorded', or remove the line", name);
	for (size_t i = (size_t)s->layers; i < PARAMS_LAYERS_MAX; i++)
		if (s->of_layer[i][0] != '\0')
			return diag_set(d, ERR_RANGE, "%s: 'strategy-%zu' is given, but there are "
			    "only the layers 0 to %" PRId64, name, i, s->layers - 1);
	if (s->sending == SENDING_SLOTS && s->slot_ms > HOUR_MS)
		return diag_set(d, ERR_RANGE, "%s: 'slot' is out of range; with 'sending = slots' it "
		    "must be at most 1h, for each hour is a session of its own", name);
	e = check_lists(s, name, d);
	if (e == ERR_OK)
		e = check_epoch(s, name, d);
	if (e == ERR_OK)
		e = check_pools(s, name, d);
	return e == ERR_OK ? check_cover(s, name, d) : e;
}
