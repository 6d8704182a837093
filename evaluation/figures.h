/*
 * What a run comes to: one row for each figure, with all that must be known to read
 * it, or with the reason why it is not there. Nothing in it is ever not a number.
 * docs/evaluation-formats.md, "Summary".
 */
#ifndef EVALUATION_FIGURES_H
#define EVALUATION_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "evaluation/metrics.h"
#include "evaluation/run.h"
#include "evaluation/scenario.h"

#define FIGURES_MAX 32

struct figure {
	const char *name, *level, *unit, *weighting;
	char rule[SCENARIO_SENTENCE_BYTES]; /* what the values are of */
	bool known;	   /* else n is 0 */
	bool single;	   /* one value of the whole run: no percentiles */
	struct summary s;
	const char *reason; /* why something is missing; NULL: nothing is */
};

struct figures {
	struct figure rows[FIGURES_MAX];
	size_t count;
	char adversary[SCENARIO_SENTENCE_BYTES];
};

/* Borrows from run and scenario. ERR_MEMORY. */
RST_MUST_USE enum err figures_of(struct figures *out, const struct scenario *s,
    const struct run *r);
/* NULL if there is none of this name at this level. */
const struct figure *figures_find(const struct figures *f, const char *name, const char *level);

/* The columns of a level of targets.csv, and the value of the i-th. */
#define FIGURES_COLUMNS 7
const char *figures_column(size_t i);
double figures_value(const struct score_level *l, size_t i);

#define FIGURES_INTERVAL                                                                           \
	"95 % interval of the mean: Student's t over the means of consecutive groups of values"

/* Nine significant digits: no more are the same with another C library. */
double figures_round(double v);

#define FIGURES_CSV_HEADER                                                                         \
	"figure,level,unit,weighting,adversary,target_rule,n,mean,low,high,min,p1,p5,p25,p50,p75," \
	"p95,p99,max,reason"
void figures_csv(FILE *out, const struct figures *f);
/* One JSON value: an object. */
void figures_json(struct json *j, const struct figures *f, const struct scenario *s,
    const struct run *r);
/* That object alone, a line. ERR_MEMORY, ERR_FULL. */
RST_MUST_USE enum err figures_write_json(FILE *out, const struct figures *f,
    const struct scenario *s, const struct run *r);
/* A table for people. */
void figures_table(FILE *out, const struct figures *f, const struct run *r);

#endif
