/*
 * A few hours of a member's life, always the same, and the sessions that must come of it,
 * for whole clients and for the doubles of month.h alike.
 */
#ifndef TESTS_SCENARIO_SCRIPT_H
#define TESTS_SCENARIO_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "evaluation/linker.h"

#define SCRIPT_MINUTE_MS INT64_C(60000)
/* From midnight, the start of an epoch; epochs last two hours. */
#define SCRIPT_START_MS (2 * SCRIPT_MINUTE_MS)
#define SCRIPT_SLEEP_MS (90 * SCRIPT_MINUTE_MS)
#define SCRIPT_WAKE_MS (185 * SCRIPT_MINUTE_MS)
#define SCRIPT_BREAK_MS (260 * SCRIPT_MINUTE_MS)
#define SCRIPT_END_MS (330 * SCRIPT_MINUTE_MS)

struct script_session {
	int64_t at_ms; /* since midnight */
	enum linker_read read;
	unsigned hour; /* of the day */
};

/* Fails the test if these, by time, are not the script's. */
void script_check(const struct script_session *of, size_t n);

#endif
