/*
 * What the files of `verify` share: verify.c (command, lines), verify_table.c (the
 * references), and those that compute: verify_forms.c, verify_pools.c,
 * verify_delays.c, verify_networks.c, verify_attacks.c. Internal.
 */
#ifndef EVALUATION_VERIFY_PARTS_H
#define EVALUATION_VERIFY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/reference.h"

#define VERIFY_INDEXES 6 /* values of one kind: rounds of a trace */
#define VERIFY_VALUES 16
#define VERIFY_SIGMAS 5 /* standard errors in the tolerance of a sampled value */

/* What a case can find out. */
enum verify_quantity {
	VERIFY_NONE,
	VERIFY_ENTROPY,	      /* mean over messages */
	VERIFY_BATCH_ENTROPY, /* mean over batches that are not empty */
	VERIFY_LEAST,	      /* least entropy of a message */
	VERIFY_MIN_ENTROPY,
	VERIFY_DEGREE,
	VERIFY_CLOSED, /* the closed form of the same */
	VERIFY_ISOLATED,
	VERIFY_FORWARD,
	VERIFY_SENT,
	VERIFY_KEPT,
	VERIFY_DELAY,
	VERIFY_VARIANCE,
	VERIFY_DEVIATION,
	VERIFY_ALONE,
	VERIFY_OCCUPANCY,
	VERIFY_SHARE,
	VERIFY_OTHER_SHARE,
	VERIFY_GAIN,
	VERIFY_EPSILON,
	VERIFY_DIFFERENCE,
	VERIFY_TRUE_POSITIVES,
	VERIFY_FALSE_POSITIVES,
	VERIFY_SUCCESS,
	VERIFY_SQUARED_ERROR,
	VERIFY_OTHER_ERROR,
	VERIFY_TIMES,
	VERIFY_EQUAL_ERROR,
	VERIFY_QUANTITIES,
};

/* What is run; each runner says what it heeds. */
struct verify_setup {
	const char *strategy;
	double load; /* messages of a round, or of a mean delay, of all mixes together */
	unsigned layers, width, corrupt; /* corrupt mixes of each layer */
	uint32_t persons;
	size_t samples;
	uint8_t counts[VERIFY_INDEXES + 1], count_count; /* arrivals of each round */
	double x, y;
};

/* One reference. */
struct verify_value {
	enum verify_quantity quantity;
	double reference, tolerance;
	/*
	 * Of a sampled value: VERIFY_SIGMAS standard errors are added to the tolerance, and
	 * if that is more than `most` there is nothing to say. 0: not sampled.
	 */
	double most;
	unsigned index;
};

struct verify_outcome {
	struct {
		double value, error; /* standard error; 0: exact */
		bool known;
	} of[VERIFY_QUANTITIES][VERIFY_INDEXES];
};

typedef enum err verify_runner(struct verify_outcome *out, const struct verify_setup *s,
    uint64_t seed);

struct verify_case {
	const char *name; /* begins with the number of its group: "2.2 ..." */
	const char *source;
	const char *note; /* how it is run, if that is not plain; may be NULL */
	verify_runner *run;
	bool slow; /* not in the quick half */
	struct verify_setup setup;
	struct verify_value values[VERIFY_VALUES];
};

extern const struct verify_case verify_table[];
extern const size_t verify_table_count;

/* ---- outcomes ---- */

void verify_set(struct verify_outcome *out, enum verify_quantity q, unsigned index, double value,
    double error);

/* Values that grow. */
struct verify_list {
	double *v;
	size_t n, room;
};
RST_MUST_USE enum err verify_add(struct verify_list *l, double v);
void verify_list_release(struct verify_list *l);
/* Set q to the mean with its error. ERR_RANGE for less than 32 values, ERR_MEMORY. */
RST_MUST_USE enum err verify_mean(struct verify_outcome *out, enum verify_quantity q,
    const struct verify_list *l);
/* A further error of q's mean, independent of the one that its values show. */
void verify_widen(struct verify_outcome *out, enum verify_quantity q, double error);
/*
 * That of entropies of targets that were all among the same messages: if there happen
 * to be more of these, all are hidden the better, which the targets do not show.
 */
double verify_common_error(double messages);
/* The same of the variance about the mean, and of its root. */
RST_MUST_USE enum err verify_variance(struct verify_outcome *out, const struct verify_list *l);
/* Mean weighted by w, of as many. */
RST_MUST_USE enum err verify_weighted(struct verify_outcome *out, enum verify_quantity q,
    const struct verify_list *l, const struct verify_list *w);

/* ---- runners ---- */

/* Formulas alone: verify_forms.c. */
verify_runner verify_half, verify_exponential_form, verify_stratified_form,
    verify_gain_form, verify_timed_form, verify_users_form,
    verify_paths_form, verify_epoch_form;
/* Pools that count: verify_pools.c. */
verify_runner verify_threshold_pool, verify_rounds, verify_trace, verify_startup, verify_least,
    verify_users, verify_recursion;
/* Mixes that delay: verify_delays.c. */
verify_runner verify_exponential, verify_exponential_steps, verify_wave, verify_epochs;
/* Networks: verify_networks.c. */
verify_runner verify_stratified, verify_two_ways, verify_delays, verify_labels,
    verify_cascade, verify_paths;
/* Attacks: verify_attacks.c. */
verify_runner verify_sda_form, verify_sda_test, verify_sda_pool, verify_least_squares,
    verify_least_squares_form, verify_intersection_form, verify_intersection, verify_flows;

#endif
