/*
 * restante-evaluate: its commands. Each reads its operands, does one thing, and
 * returns the exit code. A command is one row of main.c and one function here.
 */
#ifndef EVALUATION_PROGRAM_H
#define EVALUATION_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config/options.h"
#include "evaluation/scenario.h"

/* Beside those of enum options_exit. */
enum program_exit {
	PROGRAM_EMPTY = 2, /* whole, but no target was observed; plan: none can be reached */
};

#define PROGRAM_PATH_BYTES 1000

struct program_run_options {
	char output[PROGRAM_PATH_BYTES];
	bool force, no_trace, json, progress, crypto, print_scenario;
	int64_t seed; /* -1: that of the scenario */
};

struct program_sweep_options {
	char output[PROGRAM_PATH_BYTES];
	bool force;
	int64_t jobs; /* 0: one for each core */
	bool progress;
};

struct program_attack_options {
	bool list;
	char output[PROGRAM_PATH_BYTES];
	bool json, csv;
	int64_t seed; /* -1: that of the scenario */
	int64_t trials;
	bool progress;
};

extern const struct config_schema program_run_schema, program_sweep_schema, program_plan_schema,
    program_report_schema, program_attack_schema;

/* scenario_load of the first operand; ERR_MALFORMED for what is wrong in it. */
RST_MUST_USE enum err program_load(struct scenario *out, const struct call *c, struct diag *d);

int program_run(const struct call *c);
int program_scenario(const struct call *c);
int program_sweep(const struct call *c);
int program_plan(const struct call *c);
int program_report(const struct call *c);

#define PROGRAM_REPORTS_MAX 64 /* paths of one report */
int program_attack(const struct call *c);

#endif
