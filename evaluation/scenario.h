/*
 * A scenario: what a run of the evaluation simulates, who looks on, and what is
 * asked. A text in the form of the configuration files (common/config/table.h) under
 * a first line that names the format:
 *
 *   restante-scenario 1
 *   # a comment
 *   people = 200
 *
 * Keys that are absent have their default. docs/evaluation-formats.md, "Scenario".
 */
#ifndef EVALUATION_SCENARIO_H
#define EVALUATION_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/charter/params.h"
#include "common/config/table.h"
#include "evaluation/simulation.h"
#include "evaluation/traffic.h"

#define SCENARIO_VERSION 1
#define SCENARIO_TITLE "restante-scenario"
#define SCENARIO_PEOPLE_MAX 1000000
#define SCENARIO_LIST_BYTES 512
#define SCENARIO_PATH_BYTES 512
#define SCENARIO_DIRECTORY_BYTES 1024
/* Monday 5 January 2026, 0:00 UTC: the week in which every run begins. */
#define SCENARIO_MONDAY_MS INT64_C(1767571200000)

/*
 * ADVERSARY_GLOBAL: reads every link. ADVERSARY_GATEWAY: runs the gateway, and reads
 * only the links into and out of it. ADVERSARY_NODES: has the corrupt mixes alone.
 */
enum scenario_adversary { ADVERSARY_GLOBAL, ADVERSARY_GATEWAY, ADVERSARY_NODES };
/* Which packets that leave the network may become targets. */
enum scenario_rule { TARGETS_REAL, TARGETS_ANY, TARGETS_PERSON };
enum scenario_level { LEVEL_BOTH, LEVEL_MESSAGE, LEVEL_USER };

/*
 * COVER_FOLLOWED: each packet by itself. COVER_COUNTED: between the windows in which
 * targets are looked for, packets without a message are only counted.
 */
enum scenario_cover { COVER_FOLLOWED, COVER_COUNTED };

/* The fields are in the order of the table. */
struct scenario {
	int64_t seed, start_ms, warm_up_ms, duration_ms;
	int64_t people;
	enum traffic_churn churn;
	int64_t online_ms, offline_ms, mailboxes;
	enum traffic_workload workload;
	char recording[SCENARIO_PATH_BYTES];
	int64_t messages_per_day_milli, on_ms, off_ms, contacts, zipf_milli;
	enum sending_law sending;
	int64_t slot_ms, note_one_in;
	enum scenario_cover cover;
	int64_t layers;
	char width[SCENARIO_LIST_BYTES];
	int64_t link_ms, round_ms, epoch_ms, pool_max;
	char strategy[STRATEGY_TEXT_BYTES], of_layer[PARAMS_LAYERS_MAX][STRATEGY_TEXT_BYTES];
	bool crypto;
	enum scenario_adversary adversary;
	int64_t corrupt_per_layer;
	char corrupt[SCENARIO_LIST_BYTES];
	int64_t targets;
	enum scenario_rule rule;
	int64_t target_person;
	enum scenario_level level;
	int64_t lookback_ms;
	/* Not of the table: where a relative recording begins; "" or what ends with a '/'. */
	char directory[SCENARIO_DIRECTORY_BYTES];
};

/* The table of keys. */
const struct config_schema *scenario_schema(void);

/*
 * Parse the bytes of a scenario and check it as a whole; `name` names it in sentences.
 * ERR_MALFORMED, ERR_RANGE, ERR_NOT_FOUND (a key), ERR_EXISTS (twice), ERR_VERSION,
 * ERR_FULL, ERR_MEMORY with file, line, key and what is allowed. On failure *out is
 * not touched.
 */
RST_MUST_USE enum err scenario_parse(struct scenario *out, const char *name, const void *text,
    size_t len, struct diag *d);
/*
 * Parse a file, whose directory becomes that of the scenario. The rules between keys are
 * not checked: values may yet be changed, and scenario_check comes when they are final.
 * ERR_IO and ERR_NOT_FOUND besides.
 */
RST_MUST_USE enum err scenario_load(struct scenario *out, const char *path, struct diag *d);
/* The rules between keys; `name` begins the sentence. ERR_RANGE. */
RST_MUST_USE enum err scenario_check(const struct scenario *s, const char *name, struct diag *d);

/* A whole scenario with the values of s; a recording's path as it was written. */
void scenario_print(FILE *out, const struct scenario *s);
/* The same as the member "scenario" of the open object, a string. ERR_MEMORY. */
RST_MUST_USE enum err scenario_json(struct json *j, const struct scenario *s);
/* The default scenario, every key with its meaning and range. */
void scenario_print_defaults(FILE *out);

/* ---- what follows from a scenario that was checked ---- */

void scenario_params(struct params *out, const struct scenario *s);
/* *out borrows the scenario's directory. */
void scenario_traffic(struct traffic_config *out, const struct scenario *s);
/* All mixes, and which of them are corrupt: corrupt[scenario_nodes(s)], by number. */
size_t scenario_nodes(const struct scenario *s);
size_t scenario_corrupt(bool *corrupt, const struct scenario *s);
/* Wall clock: begin, end of the warm-up, end. */
int64_t scenario_begins_ms(const struct scenario *s);
int64_t scenario_measured_ms(const struct scenario *s);
int64_t scenario_ends_ms(const struct scenario *s);
/* Packets a millisecond that all people send, about, averaged over time. */
double scenario_rate(const struct scenario *s);

/* For people: "global passive adversary, 3 of 9 mixes corrupt". */
#define SCENARIO_SENTENCE_BYTES 160
void scenario_adversary_text(char out[static SCENARIO_SENTENCE_BYTES], const struct scenario *s);
void scenario_rule_text(char out[static SCENARIO_SENTENCE_BYTES], const struct scenario *s);

#endif
