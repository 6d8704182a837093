/*
 * `restante-evaluate verify`: holds this tree's mixes and its evaluation against what
 * is known about mixes in closed form, and against values that others have published.
 * Every value is computed by the code that a run uses: pools of the mixes in the
 * simulation, watched by the adversary of evaluation/watch.h.
 */
#ifndef EVALUATION_VERIFY_H
#define EVALUATION_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/config/options.h"

#define VERIFY_NAMES_MAX 64

struct verify_case;
struct verify_value;

struct verify_options {
	int64_t seed, jobs; /* jobs 0: one for each core */
	bool json, list, quick;
};
extern const struct config_schema verify_schema; /* of the options above */

/* The command. Its operands are beginnings of names; without any, all cases are run. */
int verify_run(const struct call *c);

/* One value beside its reference. */
struct verify_line {
	const struct verify_case *c;
	const struct verify_value *v;
	double value, error;  /* standard error; 0 if it is not sampled */
	double tolerance;     /* all of it */
	bool known;	      /* there is a value */
	bool ok;
	enum err failure; /* why there is none */
};
typedef void verify_each(void *arg, const struct verify_line *line);

/* Run one case. */
void verify_one(const struct verify_case *c, uint64_t seed, verify_each *each, void *arg);
/* Whether a case's name begins with this, as a word: "2.1" is no beginning of "2.10". */
bool verify_matches(const struct verify_case *c, const char *beginning);

#endif
