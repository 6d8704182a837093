/* What a year of watching has shown: figures, curves, words. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "evaluation/attack/finding.h"
#include "evaluation/attack/gateway_parts.h"

#define HALF 0.5

static const char *const described[PEOPLE_HABITS] = { "always online, steady line",
	"always online, line breaks daily", "online at work", "online only to talk" };

static struct attack_value
value_of(const struct watcher *w, enum question q, unsigned habit, size_t point)
{
	const struct findings *f = &w->found[habit][point];
	struct attack_value v;

	switch (q) {
	case CONTACT_TWO:
		return duel_value(&f->contact);
	case COUNTS_TWO:
		return duel_value(&f->counts);
	case CONTACT_NAMED:
	case QUESTIONS:
		break;
	}
	v = attack_mean(f->named, f->named_squares, f->sources);
	/* all of them, or none: what shares would have */
	if (v.known && (f->named < GATEWAY_TIE || f->named > (double)f->sources - GATEWAY_TIE))
		return attack_share_exact(f->named < GATEWAY_TIE ? 0 : f->sources, f->sources);
	v.low = fmax(v.low, 0);
	v.high = fmin(v.high, 1);
	return v;
}

/* ---- the result ---- */

static enum err
add_curve(struct attack_result *out, const struct watcher *w, enum question q, unsigned h,
    const char *label, double chance)
{
	struct attack_curve *c = attack_add_curve(out, "days", label, described[h]);
	enum err e = c != NULL ? ERR_OK : ERR_FULL;

	if (c == NULL)
		return e;
	c->x_log = true;
	attack_chance(c, chance);
	for (size_t i = 0; i < w->points && e == ERR_OK; i++)
		e = attack_add_point(c, w->days[i], value_of(w, q, h, i));
	return e;
}

static enum err
add_curves(struct attack_result *out, const struct watcher *w)
{
	static const char *const labels[QUESTIONS] = {
		[CONTACT_TWO] = "advantage, a contact tells, one of two suspects",
		[CONTACT_NAMED] = "share named among all, a contact tells",
		[COUNTS_TWO] = "advantage, counts alone, one of two suspects",
	};
	enum err e = ERR_OK;

	for (unsigned q = 0; q < QUESTIONS; q++)
		for (unsigned h = 0; h < PEOPLE_HABITS && e == ERR_OK; h++)
			e = add_curve(out, w, (enum question)q, h, labels[q],
			    q == CONTACT_NAMED ? 1.0 / w->cfg.count : 0);
	return e;
}

/* "contact_two_office", at the end or on some day. */
static void
add_score_figure(struct attack_result *out, const struct watcher *w, enum question q, unsigned h,
    size_t point)
{
	static const char *const names[QUESTIONS] = { "contact_two", "contact_named", "counts_two" };
	char name[ATTACK_NAME_BYTES];
	struct attack_figure *f;

	(void)snprintf(name, sizeof(name), "%s_%s_%" PRIu32 "_days", names[q],
	    people_habit_name((enum people_habit)h), w->days[point]);
	f = attack_add_figure(out, name, q == CONTACT_NAMED ? "share" : "advantage",
	    value_of(w, q, h, point));
	if (f != NULL)
		attack_figure_chance(f, q == CONTACT_NAMED ? 1.0 / w->cfg.count : 0);
}

static void
add_days_to_half(struct attack_result *out, const struct watcher *w, unsigned h)
{
	char name[ATTACK_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "days_to_half_%s", people_habit_name((enum people_habit)h));
	for (size_t i = 0; i < w->points; i++)
		if (value_of(w, CONTACT_TWO, h, i).value > HALF) {
			(void)attack_add_figure(out, name, "days", attack_exact(w->days[i]));
			return;
		}
	attack_add_missing(out, name, "days", "the advantage of the contact's attack stays below a half");
}

/* What those lose who are online only to talk: the difference, errors added as independent. */
static void
add_loss(struct attack_result *out, const struct watcher *w, size_t point)
{
	struct attack_value a = value_of(w, CONTACT_TWO, PEOPLE_TALKS, point);
	struct attack_value b = value_of(w, CONTACT_TWO, PEOPLE_STEADY, point);
	struct attack_value v = a;
	char name[ATTACK_NAME_BYTES];
	double error = hypot(a.high - a.low, b.high - b.low) / 2;

	v.value = a.value - b.value;
	v.low = v.value - error;
	v.high = fmin(v.value + error, 2);
	v.known = a.known && b.known;
	v.has_interval = a.has_interval && b.has_interval;
	(void)snprintf(name, sizeof(name), "talkers_lose_%" PRIu32 "_days", w->days[point]);
	(void)attack_add_figure(out, name, "advantage", v);
}

static void
add_figures(struct attack_result *out, const struct watcher *w)
{
	size_t last = w->points - 1, early = 0;

	while (early < last && w->days[early] < GATEWAY_EARLY_DAY)
		early++;
	for (unsigned h = 0; h < PEOPLE_HABITS; h++) {
		char name[ATTACK_NAME_BYTES];

		if (early < last)
			add_score_figure(out, w, CONTACT_TWO, h, early);
		for (unsigned q = 0; q < QUESTIONS; q++)
			add_score_figure(out, w, (enum question)q, h, last);
		add_days_to_half(out, w, h);
		(void)snprintf(name, sizeof(name), "online_%s",
		    people_habit_name((enum people_habit)h));
		(void)attack_add_figure(out, name, "share of time",
		    attack_exact(w->online_ms[h] / (double)w->online_n[h] /
			((double)w->cfg.days * (double)PEOPLE_DAY_MS)));
	}
	add_loss(out, w, last);
	if (early < last)
		add_loss(out, w, early);
}

static void
add_finding(struct attack_result *out, const struct watcher *w)
{
	struct attack_value steady = value_of(w, CONTACT_TWO, PEOPLE_STEADY, w->points - 1);
	struct attack_value talks = value_of(w, CONTACT_TWO, PEOPLE_TALKS, w->points - 1);
	char value[FINDING_VALUE_BYTES], against[FINDING_VALUE_BYTES];

	finding_add(out, "With a contact's help, in %" PRIu32 " days, who stays online on a steady line is "
	    "told from another who does with an advantage of %s, %s; ", w->days[w->points - 1],
	    finding_value(value, &steady), finding_against(against, &steady, 0));
	finding_add(out, "who is online only to talk, with one of %s. Suspects are two of the same habit, "
	    "so what is found is not that somebody has a habit. %g messages a day of each who "
	    "writes; 30 %% of people are always online on a line that breaks once a month, 30 %% on one "
	    "that breaks daily, 30 %% are online at work, 10 %% only to talk.",
	    finding_value(value, &talks), w->cfg.messages_per_day);
}

static void
add_words(struct attack_result *out, const struct watcher *w)
{
	(void)snprintf(out->adversary, sizeof(out->adversary), "The owner of the gateway. It logs when "
	    "each session begins and ends, and when each deposit comes out, for %" PRIu32 " days of "
	    "%" PRIu32 " people, of whom one in %d only looks busy and writes nothing. It is told whose "
	    "each session is, which is more than it can know, and has the laws of the network's delay "
	    "and of people's habits. In the first attack a correspondent of the sender's, who gets "
	    "one message on each day on which the sender works, tells it which deposit that is.",
	    w->cfg.days, w->cfg.count, GATEWAY_SILENT_ONE_IN);
}

enum err
gateway_tell(struct attack_result *out, const struct watcher *w)
{
	add_words(out, w);
	add_finding(out, w);
	add_figures(out, w);
	return add_curves(out, w);
}
