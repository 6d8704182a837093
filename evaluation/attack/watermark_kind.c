/* The timing watermark: evaluation/attack/watermark.h, as a row of the table. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evaluation/attack/kinds.h"
#include "evaluation/attack/trace.h"
#include "evaluation/attack/watermark.h"

#define TRIALS 200
#define GAIN_PERIODS 64
#define PEOPLE_MOST 20000
#define NO_MIXING "threshold packets=1" /* each packet leaves as it comes */

static const int64_t looks_ms[WATERMARK_LOOKS] = { 900000, 1800000, 3600000, 7200000, 14400000 };

struct setting {
	const char *name;
	int64_t period_ms;
	double per_hour;
	bool control; /* without mixing */
};

static const struct setting settings[] = {
	{ "6 messages an hour, period 4 min", 240000, 6, false },
	{ "30 an hour, period 4 min", 240000, 30, false },
	{ "30 an hour, period 1 min", 60000, 30, false },
	{ "30 an hour, period 1 min, control: no mixing", 60000, 30, true },
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const int64_t gain_periods_ms[] = { 30000, 60000, 120000, 240000, 480000 };
#define GAINS (sizeof(gain_periods_ms) / sizeof(gain_periods_ms[0]))

static void
unmixed(struct scenario *s)
{
	memset(s->of_layer, 0, sizeof(s->of_layer));
	(void)snprintf(s->strategy, sizeof(s->strategy), NO_MIXING);
}

/* Right, or a tie, which is half of it. */
static enum err
try_setting(struct attack_result *out, const struct scenario *own, const struct setting *of,
    size_t trials, struct diag *d)
{
	struct scenario s = *own;
	struct attack_delay delay;
	size_t right[WATERMARK_LOOKS] = { 0 };
	struct attack_curve *c = attack_add_curve(out, "hours",
	    "advantage, which of two suspects writes", of->name);
	enum err e;

	if (c == NULL)
		return ERR_FULL;
	if (of->control)
		unmixed(&s);
	e = attack_delay_learn(&delay, &s, d);
	for (size_t i = 0; i < trials && e == ERR_OK; i++) {
		struct watermark_config cfg = { .scenario = &s, .period_ms = of->period_ms,
			.per_hour = of->per_hour, .writer = (uint32_t)i % 2,
			.delay_ms = delay.mean_ms,
			.seed = (uint64_t)s.seed * UINT64_C(1000003) + i };
		struct watermark_trial t;

		memcpy(cfg.looks_ms, looks_ms, sizeof(looks_ms));
		e = watermark_run(&t, &cfg);
		for (size_t k = 0; k < WATERMARK_LOOKS; k++)
			right[k] += (t.score[k] > 0) == (cfg.writer == 0) ? 1 : 0;
		out->cost.observed += t.deposits;
		out->cost.held += t.held;
		out->trials++;
	}
	attack_chance(c, 0);
	for (size_t k = 0; k < WATERMARK_LOOKS && e == ERR_OK; k++)
		e = attack_add_point(c, (double)looks_ms[k] / 3600000,
		    attack_scaled(attack_share(right[k], trials), 2, -1));
	return e;
}

static enum err
add_gains(struct attack_result *out, const struct scenario *s)
{
	struct attack_curve *c = attack_add_curve(out, "period, s",
	    "share of the wave that comes through", "gain");
	enum err e = c != NULL ? ERR_OK : ERR_FULL;

	for (size_t i = 0; i < GAINS && e == ERR_OK; i++) {
		struct attack_value v = { .known = true, .has_interval = true };
		double error;

		e = watermark_gain(&v.value, &error, s, gain_periods_ms[i], GAIN_PERIODS,
		    (uint64_t)s->seed);
		v.low = fmax(v.value - 2 * error, 0);
		v.high = v.value + 2 * error;
		if (e == ERR_OK)
			e = attack_add_point(c, (double)gain_periods_ms[i] / 1000, v);
	}
	return e;
}

static enum err
run_watermark(struct attack_result *out, const struct attack_input *in, struct diag *d)
{
	const struct scenario *s = in->scenario;
	size_t trials = in->trials > 0 ? (size_t)in->trials : TRIALS;
	enum err e = ERR_OK;

	if (s->sending != SENDING_SLOTS)
		return diag_set(d, ERR_RANGE, "the attack 'watermark' holds sessions back, which "
		    "'sending = slots' has alone");
	if (s->people < 2 || s->people > PEOPLE_MOST)
		return diag_set(d, ERR_RANGE, "the attack 'watermark' is for 2 to %d people: set "
		    "'people'", PEOPLE_MOST);
	for (size_t i = 0; i < SETTINGS && e == ERR_OK; i++) {
		e = try_setting(out, s, &settings[i], trials, d);
		if (in->progress != NULL)
			in->progress(in->progress_arg, (double)(i + 1) / (SETTINGS + 1));
	}
	if (e == ERR_OK)
		e = add_gains(out, s);
	out->cost.virtual_ms = (int64_t)out->trials * looks_ms[WATERMARK_LOOKS - 1];
	(void)snprintf(out->adversary, sizeof(out->adversary), "Holds the gateway. It holds back what two "
	    "suspects send, by turns for half of a period each, and sees when deposits of all %" PRId64
	    " people come out. One of the two writes at the rate given, the other nothing; all others "
	    "write %g messages a day.", s->people, (double)s->messages_per_day_milli / 1000);
	(void)snprintf(out->finding, sizeof(out->finding), "No client and no mix notices a hold of two "
	    "minutes: notes that come by then are in time. Half of a period of a minute is less than "
	    "what the mixes spread a packet over.");
	return e;
}

const struct attack_kind attack_watermark = {
	.name = "watermark",
	.summary = "Timing watermark: hold suspects by turns, look for the wave at the exit",
	.adversary = "Holds the gateway: delays the packets of two suspects in waves, and sees when "
		     "deposits come out.",
	.measures = "Advantage (2 * accuracy - 1, chance 0) in saying which of the two writes, by a "
		    "matched filter; and how much of a wave comes through the mixes.",
	.run = run_watermark,
};
