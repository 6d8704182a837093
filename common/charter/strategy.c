#include "config.h"

#include "common/charter/strategy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/normal.h"
#include "common/config/value.h"

#define SHARE_ONE 1000000u /* a share is counted in millionths */
#define MEAN_MIN_MS 100
#define MEAN_MAX_MS (3600 * 1000)

/* ---- the parameters of strategies ---- */

enum word_type { WORD_COUNT, WORD_SHARE, WORD_DURATION, WORD_RULE };

static const struct word {
	const char *name;
	enum word_type type;
	uint32_t offset; /* of the u32 in struct strategy */
	uint32_t min, max;
} words[] = {
	{ "packets", WORD_COUNT, offsetof(struct strategy, threshold), 1, STRATEGY_COUNT_MAX },
	{ "min", WORD_COUNT, offsetof(struct strategy, pool_min), 0, STRATEGY_COUNT_MAX },
	{ "rate", WORD_SHARE, offsetof(struct strategy, rate_ppm), 1, SHARE_ONE },
	{ "rule", WORD_RULE, offsetof(struct strategy, rule), STRATEGY_MIXMINION, STRATEGY_GMIX },
	{ "mean", WORD_COUNT, offsetof(struct strategy, mean), 0, STRATEGY_COUNT_MAX },
	{ "deviation", WORD_COUNT, offsetof(struct strategy, deviation), 1, STRATEGY_COUNT_MAX },
	{ "mean", WORD_DURATION, offsetof(struct strategy, mean_ms), MEAN_MIN_MS, MEAN_MAX_MS },
};
enum { PACKETS, MIN, RATE, RULE, MEAN, DEVIATION, MEAN_MS, NONE };

#define WORDS_MAX 3

static const struct form {
	const char *name;
	enum strategy_kind kind;
	uint8_t words[WORDS_MAX + 1]; /* in their order, up to NONE */
	const char *text, *help;
} forms[] = {
	{ "threshold", STRATEGY_THRESHOLD, { PACKETS, NONE }, "threshold packets=N",
	    "N packets leave as soon as N are there" },
	{ "timed", STRATEGY_TIMED, { NONE }, "timed", "all packets leave at every flush" },
	{ "threshold-or-timed", STRATEGY_THRESHOLD_OR_TIMED, { PACKETS, NONE },
	    "threshold-or-timed packets=N",
	    "all packets leave at every flush, and as soon as N are there" },
	{ "threshold-and-timed", STRATEGY_THRESHOLD_AND_TIMED, { PACKETS, NONE },
	    "threshold-and-timed packets=N",
	    "all packets leave at a flush at which N or more are there" },
	{ "threshold-pool", STRATEGY_THRESHOLD_POOL, { PACKETS, MIN, NONE },
	    "threshold-pool packets=N min=M",
	    "N packets, chosen at random, leave as soon as N + M are there" },
	{ "timed-pool", STRATEGY_TIMED_POOL, { MIN, NONE }, "timed-pool min=M",
	    "at every flush all but M packets leave, chosen at random" },
	{ "timed-dynamic-pool", STRATEGY_TIMED_DYNAMIC_POOL, { MIN, RATE, RULE, NONE },
	    "timed-dynamic-pool min=M rate=R [rule=gmix]",
	    "at a flush with T packets in the pool, if T is greater than M, min(T - M, "
	    "max(1, int(T * R))) of them leave, chosen at random; with rule=gmix "
	    "int(R * (T - M))" },
	{ "binomial", STRATEGY_BINOMIAL, { RATE, MEAN, DEVIATION, NONE },
	    "binomial rate=R mean=N deviation=D",
	    "at a flush with T packets in the pool each of them leaves with probability "
	    "R * Phi((T - N) / D), Phi being the normal distribution" },
	{ "stop-and-go", STRATEGY_STOP_AND_GO, { MEAN_MS, NONE }, "stop-and-go mean=DURATION",
	    "every packet leaves after a delay of its own, which its sender drew "
	    "exponentially with that mean and at most 16 times as long" },
};
#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))
_Static_assert(FORM_COUNT == STRATEGY_KINDS, "each strategy has a text");

static uint32_t
word_load(const struct strategy *s, const struct word *w)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)s + w->offset, sizeof(v));
	return v;
}

static void
word_store(struct strategy *s, const struct word *w, uint32_t v)
{
	memcpy((uint8_t *)s + w->offset, &v, sizeof(v));
}

/* ---- shares: "0.6", "1", at most six decimals ---- */

static bool
share_parse(uint32_t *ppm, const char *s)
{
	uint32_t v = 0, unit = SHARE_ONE;

	if (strcmp(s, "1") == 0) {
		*ppm = SHARE_ONE;
		return true;
	}
	if (strncmp(s, "0.", 2) != 0)
		return false;
	for (s += 2; *s != '\0'; s++) {
		unit /= 10;
		if (unit == 0 || *s < '0' || *s > '9')
			return false;
		v += (uint32_t)(*s - '0') * unit;
	}
	*ppm = v;
	return true;
}

static void
share_print(char out[static CONFIG_VALUE_BYTES], uint32_t ppm)
{
	size_t n;

	(void)snprintf(out, CONFIG_VALUE_BYTES, "%u.%06u", ppm / SHARE_ONE, ppm % SHARE_ONE);
	n = strlen(out);
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = '\0';
}

/* ---- printing ---- */

static void
value_print(char out[static CONFIG_VALUE_BYTES], const struct word *w, uint32_t v)
{
	switch (w->type) {
	case WORD_COUNT:
		(void)snprintf(out, CONFIG_VALUE_BYTES, "%" PRIu32, v);
		return;
	case WORD_SHARE:
		share_print(out, v);
		return;
	case WORD_DURATION:
		config_duration_text(out, v);
		return;
	case WORD_RULE:
		(void)snprintf(out, CONFIG_VALUE_BYTES, "%s",
		    v == STRATEGY_GMIX ? "gmix" : "mixminion");
		return;
	}
}

static const struct form *
form_of(enum strategy_kind kind)
{
	size_t i = 0;

	while (i + 1 < FORM_COUNT && forms[i].kind != kind)
		i++;
	return &forms[i];
}

void
strategy_print(char out[static STRATEGY_TEXT_BYTES], const struct strategy *s)
{
	const struct form *f = form_of(s->kind);
	size_t used = (size_t)snprintf(out, STRATEGY_TEXT_BYTES, "%s", f->name);
	char value[CONFIG_VALUE_BYTES];

	for (const uint8_t *i = f->words; *i != NONE && used < STRATEGY_TEXT_BYTES; i++) {
		const struct word *w = &words[*i];
		uint32_t v = word_load(s, w);

		if (w->type == WORD_RULE && v == STRATEGY_MIXMINION)
			continue; /* the default is not written */
		value_print(value, w, v);
		used += (size_t)snprintf(out + used, STRATEGY_TEXT_BYTES - used, " %s=%s",
		    w->name, value);
	}
}

bool
strategy_info(struct strategy_info *out, size_t i)
{
	char min[CONFIG_VALUE_BYTES], max[CONFIG_VALUE_BYTES];
	size_t used = 0;

	if (i >= FORM_COUNT)
		return false;
	*out = (struct strategy_info){ .form = forms[i].text, .help = forms[i].help };
	(void)snprintf(out->ranges, sizeof(out->ranges), "no parameters");
	for (const uint8_t *at = forms[i].words; *at != NONE; at++) {
		const struct word *w = &words[*at];

		value_print(min, w, w->min);
		value_print(max, w, w->max);
		used += (size_t)snprintf(out->ranges + used, sizeof(out->ranges) - used,
		    w->type == WORD_RULE ? "%s%s %s or %s" : "%s%s %s to %s",
		    used > 0 ? ", " : "", w->name, min, max);
	}
	return true;
}

/* ---- parsing ---- */

/* The word at *s up to a space or the end, into out; *s moves past it and one space. */
static bool
next_word(char out[static STRATEGY_TEXT_BYTES], const char **s)
{
	size_t n = strcspn(*s, " ");

	if (n == 0 || n >= STRATEGY_TEXT_BYTES)
		return false;
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n;
	if (**s == ' ') {
		(*s)++;
		return **s != '\0';
	}
	return true;
}

static bool
value_parse(uint32_t *out, const struct word *w, const char *s)
{
	bool gmix = strcmp(s, "gmix") == 0;
	int64_t v = -1;
	uint32_t share;

	switch (w->type) {
	case WORD_COUNT:
		if (config_integer(&v, s) != ERR_OK)
			return false;
		break;
	case WORD_DURATION:
		if (config_duration(&v, s) != ERR_OK)
			return false;
		break;
	case WORD_SHARE:
		if (!share_parse(&share, s))
			return false;
		v = share;
		break;
	case WORD_RULE:
		if (!gmix && strcmp(s, "mixminion") != 0)
			return false;
		v = gmix ? STRATEGY_GMIX : STRATEGY_MIXMINION;
		break;
	}
	if (v < w->min || v > w->max)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* "name=value" of w. */
static bool
word_parse(struct strategy *s, const struct word *w, const char *text)
{
	size_t n = strlen(w->name);
	uint32_t v;

	if (strncmp(text, w->name, n) != 0 || text[n] != '=' ||
	    !value_parse(&v, w, text + n + 1))
		return false;
	word_store(s, w, v);
	return true;
}

static bool
words_parse(struct strategy *s, const struct form *f, const char *text)
{
	char word[STRATEGY_TEXT_BYTES];

	for (const uint8_t *i = f->words; *i != NONE; i++) {
		if (words[*i].type == WORD_RULE && *text == '\0')
			continue;
		if (!next_word(word, &text) || !word_parse(s, &words[*i], word))
			return false;
	}
	return *text == '\0';
}

enum err
strategy_parse(struct strategy *out, const char *text, const char *key, struct diag *d)
{
	struct strategy s = { 0 };
	struct strategy_info info;
	char name[STRATEGY_TEXT_BYTES];
	size_t i = 0;

	if (!next_word(name, &text))
		name[0] = '\0';
	while (i < FORM_COUNT && strcmp(name, forms[i].name) != 0)
		i++;
	if (!strategy_info(&info, i))
		return diag_set(d, ERR_MALFORMED,
		    "%.40s is not a strategy: write \"threshold packets=N\", \"timed\", "
		    "\"timed-pool min=M\", \"timed-dynamic-pool min=M rate=R\" or one of the "
		    "others that restante-charter parameters lists", key);
	s.kind = forms[i].kind;
	if (!words_parse(&s, &forms[i], text))
		return diag_set(d, ERR_MALFORMED, "%.40s is not a strategy: write \"%s\" (%s)",
		    key, info.form, info.ranges);
	*out = s;
	return ERR_OK;
}

/* ---- what follows ---- */

/* Longer than any `grace`, whatever the round: the rules between parameters refuse it. */
#define DELAY_ROUNDS_MAX 1000000

/* A whole number of arrivals, at least 1. */
static uint64_t
whole(double arrivals)
{
	uint64_t n = (uint64_t)arrivals;

	return (double)n < arrivals || n == 0 ? n + 1 : n;
}

/* The least pool of which a flush by the rule sends n. */
static double
dynamic_pool(const struct strategy *s, uint64_t n)
{
	uint64_t by_rate = (n * SHARE_ONE + s->rate_ppm - 1) / s->rate_ppm;
	uint64_t by_min = n + s->pool_min;

	if (s->rule == STRATEGY_GMIX)
		return (double)(s->pool_min + by_rate);
	if (n == 1) /* at least one goes, however low the rate */
		return (double)by_min;
	return (double)(by_min > by_rate ? by_min : by_rate);
}

uint32_t
strategy_chance(const struct strategy *s, size_t held)
{
	uint64_t v = normal_cdf((int64_t)held, s->mean, s->deviation);

	return (uint32_t)(v * s->rate_ppm / SHARE_ONE);
}

/* The least pool of which n are expected to leave at a flush. */
static double
binomial_pool(const struct strategy *s, double n)
{
	size_t low = 0;
	size_t high = (size_t)s->mean + 7 * (size_t)s->deviation +
	    (size_t)(n * (SHARE_ONE + 1) / s->rate_ppm) + 1;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		double leave = (double)middle * strategy_chance(s, middle) / NORMAL_ONE;

		if (leave < n)
			low = middle;
		else
			high = middle;
	}
	return (double)high;
}

double
strategy_pool(const struct strategy *s, double arrivals, int64_t round_ms)
{
	switch (s->kind) {
	case STRATEGY_THRESHOLD:
	case STRATEGY_THRESHOLD_OR_TIMED:
		return s->threshold;
	case STRATEGY_TIMED:
		return arrivals;
	case STRATEGY_THRESHOLD_AND_TIMED:
		return arrivals + s->threshold;
	case STRATEGY_THRESHOLD_POOL:
		return (double)s->threshold + s->pool_min;
	case STRATEGY_TIMED_POOL:
		return arrivals + s->pool_min;
	case STRATEGY_TIMED_DYNAMIC_POOL:
		return dynamic_pool(s, whole(arrivals));
	case STRATEGY_BINOMIAL:
		return binomial_pool(s, arrivals);
	case STRATEGY_STOP_AND_GO:
		return arrivals * s->mean_ms / (double)round_ms;
	}
	return 0;
}

/* Flushes after which 999 of 1000 packets have left a pool that loses a share each time. */
static int64_t
flushes(double share)
{
	double left = 1;
	int64_t n = 0;

	while (left > 0.001 && n < DELAY_ROUNDS_MAX) {
		left *= 1 - share;
		n++;
	}
	return n;
}

/* The least whole number whose square is at least n. */
static uint64_t
root_up(uint64_t n)
{
	uint64_t low = 0, high = (uint64_t)1 << 31;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (middle * middle < n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Rounds in which n packets come: 99.9 % of gamma-distributed waits end within
 * n + 3.1 sqrt(n) + 3 mean intervals. And one, up to the flush.
 */
static double
waiting_rounds(uint64_t n, double arrivals)
{
	double intervals = (double)n + 3.1 * (double)root_up(n) + 3;
	double rounds = intervals / arrivals + 1;

	return rounds < DELAY_ROUNDS_MAX ? rounds : DELAY_ROUNDS_MAX;
}

int64_t
strategy_delay_ms(const struct strategy *s, double arrivals, int64_t round_ms)
{
	double pool = strategy_pool(s, arrivals, round_ms), rounds = 1;

	switch (s->kind) {
	case STRATEGY_TIMED:
	case STRATEGY_THRESHOLD_OR_TIMED:
		break;
	case STRATEGY_THRESHOLD:
		rounds = waiting_rounds(s->threshold, arrivals);
		break;
	case STRATEGY_THRESHOLD_AND_TIMED:
		rounds = waiting_rounds(s->threshold - 1, arrivals);
		break;
	case STRATEGY_THRESHOLD_POOL:
		rounds = waiting_rounds((uint64_t)flushes(s->threshold / pool) * s->threshold,
		    arrivals);
		break;
	case STRATEGY_TIMED_POOL:
	case STRATEGY_TIMED_DYNAMIC_POOL:
	case STRATEGY_BINOMIAL:
		return flushes(arrivals / pool) * round_ms;
	case STRATEGY_STOP_AND_GO: /* ln 1000 = 6.908 */
		return ((int64_t)s->mean_ms * 6908 + 999) / 1000 + STRATEGY_TICK_MS;
	}
	return (int64_t)(rounds * (double)round_ms);
}

uint32_t
strategy_delay_max_ms(const struct strategy *s)
{
	return s->kind == STRATEGY_STOP_AND_GO ? STRATEGY_MEANS_MAX * s->mean_ms : 0;
}
