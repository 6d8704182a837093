/*
 * The directory that a run leaves: manifest, figures, targets, plots and, if wanted,
 * trace and truth. It is made beside its place, as DIR.partial, and comes there whole; in
 * a directory that is there already, as DIR/restante.partial, of which the files come one
 * by one, the manifest last. docs/evaluation-formats.md.
 */
#ifndef EVALUATION_OUTPUT_H
#define EVALUATION_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/figures.h"
#include "evaluation/run.h"
#include "evaluation/scenario.h"

#define OUTPUT_VERSION 1 /* of the manifest, and of every other format but the trace */

struct output;

/*
 * Before the run: refuses, with ERR_EXISTS, a directory that holds anything, unless
 * `force`. with_trace: trace.csv and truth.csv are opened too. ERR_IO, ERR_MEMORY,
 * ERR_RANGE (the path), with a sentence.
 */
RST_MUST_USE enum err output_begin(struct output **out, const char *directory, bool force,
    bool with_trace, struct diag *d);
/* To be written while the run goes on; NULL without a trace. */
FILE *output_trace(struct output *o);
FILE *output_truth(struct output *o);
/*
 * Write the rest, and put the directory in its place. ERR_IO, ERR_MEMORY. Results that
 * are whole but cannot come to their place stay where the sentence says.
 */
RST_MUST_USE enum err output_finish(struct output *o, const struct scenario *s,
    const struct run *r, const struct figures *f, struct diag *d);
/* Removes what was not finished. */
void output_free(struct output *o);

/* The first line of targets.csv; free. NULL without memory. */
char *output_targets_header(void);

#endif
