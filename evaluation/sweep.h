/*
 * A sweep: the runs of a grid over values of a scenario's keys, several at a time, and
 * their figures in one table. Each run depends on its own scenario alone, so that the
 * table does not depend on how many ran at once. docs/evaluation-formats.md, "Sweep".
 */
#ifndef EVALUATION_SWEEP_H
#define EVALUATION_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/scenario.h"

#define SWEEP_AXES_MAX 8
#define SWEEP_POINTS_MAX 10000

struct sweep;

/*
 * The grid of `n` axes, each "KEY=VALUE,VALUE,..."; the last one turns fastest. What is
 * not in an axis is as in base. Every scenario of the grid is checked. ERR_USAGE,
 * ERR_NOT_FOUND, ERR_RANGE, ERR_MALFORMED with a sentence, ERR_MEMORY.
 */
RST_MUST_USE enum err sweep_new(struct sweep **out, const struct scenario *base,
    char *const *axes, size_t n, struct diag *d);
void sweep_free(struct sweep *s);
size_t sweep_count(const struct sweep *s);

/*
 * Run them, `jobs` threads at once. done is told, from any of the threads but never by
 * two at once, how many are over; NULL: nobody. The first error ends it, with a sentence.
 */
RST_MUST_USE enum err sweep_run(struct sweep *s, unsigned jobs,
    void (*done)(void *arg, size_t n), void *arg, struct diag *d);

/* After sweep_run: the header, then the figures of each run, its values in front. */
void sweep_csv(FILE *out, const struct sweep *s);
/* Whether no run had a target. */
bool sweep_empty(const struct sweep *s);

#endif
