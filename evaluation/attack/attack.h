/*
 * Attacks: what an adversary achieves over time, against a scenario or against what a
 * run has left of it. Each is one struct attack_kind in a table: what the adversary is given,
 * in words, what is measured, and a function that fills one struct attack_result. Who adds
 * an attack adds a file pair, a line here and a row in attack.c; printing, options,
 * the directory of results and the list come from here.
 *
 * Rules for an attack: it is a function of its input and the seed; what it decides
 * from is the adversary's trace and what the scenario makes public, never the truth, which is
 * for the score alone; every value has a 95 % interval or says why it has none; runs that came
 * to no end are counted (censored), not left out. docs/evaluation-formats.md, "Attacks".
 */
#ifndef EVALUATION_ATTACK_ATTACK_H
#define EVALUATION_ATTACK_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"

#define ATTACK_VERSION 1 /* of the formats */
#define ATTACK_CURVES_MAX 12
#define ATTACK_FIGURES_MAX 48
#define ATTACK_NAME_BYTES 64
#define ATTACK_TEXT_BYTES 640

struct attack_trace;

/* ---- what an attack is given ---- */

struct attack_input {
	const struct scenario *scenario; /* checked; its seed is the one to use */
	/* A run's directory, whose trace.csv is read; NULL: the scenario is simulated. */
	const char *directory;
	int64_t trials; /* of attacks that repeat themselves; 0: as many as the attack thinks fit */
	/* Told from time to time how much is done, 0 to 1. May be NULL. */
	void (*progress)(void *arg, double share);
	void *progress_arg;
};

/* ---- what it comes to ---- */

/*
 * A value with its 95 % interval. An exact one has low = high = value. has_interval false:
 * there are too few observations to say how good it is; known false: there is no value.
 */
struct attack_value {
	double value, low, high;
	bool known, has_interval;
};

struct attack_point {
	double x;
	struct attack_value y;
};

/* Curves that follow each other and have the same labels are drawn in one plot (at most 4). */
struct attack_curve {
	char name[ATTACK_NAME_BYTES];
	const char *x_label, *y_label; /* with units; constants */
	bool x_log;	  /* drawn over a logarithmic axis: every x is above 0 */
	bool has_chance;
	double chance;	  /* what somebody gets who guesses */
	struct attack_point *points; /* owned, of rising x */
	size_t count, room;
};

struct attack_figure {
	char name[ATTACK_NAME_BYTES]; /* lower_case */
	const char *unit;	      /* constant */
	struct attack_value v;
	bool has_chance;
	double chance;
	const char *reason; /* why there is none (constant); NULL: there is */
};

/* What the adversary spends. 0: nothing. */
struct attack_cost {
	uint64_t sent;	   /* packets of its own */
	uint64_t held;	   /* packets of others that it drops or holds back */
	uint64_t observed; /* packets or deposits that it looks at */
	uint64_t rounds;   /* of the gateway */
	int64_t virtual_ms; /* how long it takes */
};

struct attack_result {
	char adversary[ATTACK_TEXT_BYTES]; /* what it was given in this run, in words */
	char finding[ATTACK_TEXT_BYTES];   /* a sentence or two on what came out; finding.h */
	struct attack_curve curves[ATTACK_CURVES_MAX];
	size_t curve_count;
	struct attack_figure figures[ATTACK_FIGURES_MAX];
	size_t figure_count;
	struct attack_cost cost;
	uint64_t trials, censored; /* repetitions; of them those that came to no end */
};

/* ---- the attacks ---- */

struct attack_kind {
	const char *name;      /* of the command line: lower-case, with hyphens */
	const char *summary;   /* a line, without a full stop */
	const char *adversary; /* what it is given, in words: a sentence or two */
	const char *measures;  /* what is measured, and what chance gives */
	/*
	 * *out is all zeros, and released by the caller whatever is returned. ERR_RANGE with a
	 * sentence if the attack does not fit the scenario; ERR_MEMORY, ERR_IO, ERR_MALFORMED.
	 */
	enum err (*run)(struct attack_result *out, const struct attack_input *in, struct diag *d);
};

extern const struct attack_kind *const attack_table[];
extern const size_t attack_table_count;
/* NULL if there is none of this name. */
const struct attack_kind *attack_find(const char *name);

/* ---- filling a result ---- */

/*
 * The next curve, whose strings are constants, or NULL if there are ATTACK_CURVES_MAX:
 * an error of the attack's. It has no chance level until the caller sets one.
 */
struct attack_curve *attack_add_curve(struct attack_result *r, const char *x_label,
    const char *y_label, const char *name);
void attack_chance(struct attack_curve *c, double chance);
/* ERR_MEMORY. */
RST_MUST_USE enum err attack_add_point(struct attack_curve *c, double x, struct attack_value y);
/* NULL if there are ATTACK_FIGURES_MAX. */
struct attack_figure *attack_add_figure(struct attack_result *r, const char *name,
    const char *unit, struct attack_value v);
void attack_figure_chance(struct attack_figure *f, double chance);
/* A figure that there is none of, and why. */
void attack_add_missing(struct attack_result *r, const char *name, const char *unit,
    const char *reason);
void attack_release(struct attack_result *r);

/* ---- values ---- */

struct attack_value attack_exact(double v);
/* A share: k of n came true; Wilson's interval. n = 0: unknown. */
struct attack_value attack_share(size_t k, size_t n);
/* The same with Clopper and Pearson's, for what is to be shown rare: k = 0 gives high > 0. */
struct attack_value attack_share_exact(size_t k, size_t n);
/* A mean of n independent values by its sums; Student's t. n < 4: no interval. */
struct attack_value attack_mean(double sum, double sum_of_squares, size_t n);
/* a * v + b of value and interval: 2 * accuracy - 1, say. */
struct attack_value attack_scaled(struct attack_value v, double a, double b);

/* ---- printing; errors show in ferror(out) ---- */

/* For people: adversary, figures, curves (every point), cost. */
void attack_print_text(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r);
/* A row for each point and figure. */
#define ATTACK_CSV_HEADER "attack,series,x_label,x,y_label,value,low,high,chance,reason"
void attack_print_csv(FILE *out, const struct attack_kind *k, const struct attack_result *r);
/* One object, a line. ERR_MEMORY, ERR_FULL. */
RST_MUST_USE enum err attack_print_json(FILE *out, const struct attack_kind *k,
    const struct attack_input *in, const struct attack_result *r);
/* The curves of plot `number` (from 0); false if there is none, and nothing is written. */
bool attack_print_svg(FILE *out, const struct attack_kind *k, const struct attack_input *in,
    const struct attack_result *r, size_t number);

#endif
