/*
 * One page of HTML from what this program has left: directories of runs and of attacks, and
 * tables of sweeps. The page needs nothing else, neither network nor script, and can be read
 * on a telephone. Every text from a file is escaped. docs/evaluation-formats.md, "Report".
 */
#ifndef EVALUATION_REPORT_H
#define EVALUATION_REPORT_H

#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "evaluation/jsonread.h"
#include "evaluation/scenario.h"

#define REPORT_FILE_MAX ((size_t)64 << 20)

/*
 * A section for what is at this path: a directory with attack.json or manifest.json, or a
 * table of `sweep`. ERR_NOT_FOUND, ERR_IO, ERR_MALFORMED, ERR_VERSION, ERR_RANGE, ERR_MEMORY, with a
 * sentence.
 */
RST_MUST_USE enum err report_add(FILE *out, const char *path, struct diag *d);

/* ---- for report*.c ---- */

RST_MUST_USE enum err report_run(FILE *out, const char *directory, struct diag *d);
RST_MUST_USE enum err report_attack(FILE *out, const char *directory, struct diag *d);
RST_MUST_USE enum err report_sweep(FILE *out, const char *path, struct diag *d);

/* A whole file; name NULL: the path alone. */
RST_MUST_USE enum err report_read(struct buf *out, const char *directory, const char *name,
    struct diag *d);
/* A JSON file of this format, whose version must be `version`. */
RST_MUST_USE enum err report_json(struct jsonread **out, const char *directory, const char *name,
    const char *format, double version, struct diag *d);
/* The last part of a path, as a heading of what this is. */
void report_heading(FILE *out, const char *what, const char *path);
/* What the adversary of a scenario is, in words; then what is not as by default, and all of it. */
void report_adversary(FILE *out, const struct scenario *s);
RST_MUST_USE enum err report_scenario(FILE *out, const char *text, struct diag *d);
/* "31.7 s", "0.5 %", "7.64 bit". */
#define REPORT_VALUE_BYTES 48
void report_value(char out[static REPORT_VALUE_BYTES], double v, const char *unit);
/* The same without its unit, and the name of that. */
void report_number(char out[static REPORT_VALUE_BYTES], double v, const char *unit);
const char *report_unit(const char *unit);
/* A cell of a table: a value without its unit; a dash for a NULL. */
void report_cell(FILE *out, const double *v, const char *unit);
/* The values under a key of an object, as a cell, and of two as a cell "low to high". */
void report_cell_of(FILE *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *key, const char *unit);
void report_interval_of(FILE *out, const struct jsonread *j, const struct jsonread_value *object,
    const char *unit);

#endif
