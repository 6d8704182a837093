/*
 * A month of sessions: members whose attendance, gaps and spans are the client's own
 * modules (common/net/attend.c, client-lib/client_gap.c, gaps.c, spans.c), in virtual
 * time, and what the gateway logs of them.
 *
 * What is a double: the session itself (session_open and session_free are wrapped by
 * the linker, so that no byte is encrypted), and the journal (a run is verified when it
 * touches what is known, or has passed an epoch's start). tests/scenario/test_sessions.c
 * holds the log against whole clients'.
 *
 * Members live as people do: some machines are always on; others are office machines,
 * off at night and at weekends, each at hours of its own, and asleep now and then
 * during the day; some stay away for weeks, longer than the retention. Lines break,
 * tor's circuits break, the gateway is restarted.
 */
#ifndef TESTS_SCENARIO_MONTH_H
#define TESTS_SCENARIO_MONTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evaluation/linker.h"
#include "tests/scenario/till.h"

/* Clients that leak, for control. */
enum month_leak {
	MONTH_HONEST,
	MONTH_POSITION, /* reads on from where the last session ended */
	MONTH_AT_ONCE,  /* comes back within two seconds of a failure */
	MONTH_FIXED,    /* comes back half of the longest wait after it */
};

struct month_config {
	uint64_t seed;
	unsigned members, days;
	enum month_leak leak;
	bool tickets;  /* there is a registrar (till.h), and one in four joins later */
	bool scripted; /* not a month, but the hours of script.h, for each member */
};

struct month {
	struct linker_session *log; /* by start; ended all */
	size_t count;
	int64_t from_ms;
	struct till_log fetches; /* what the registrar logs */
};

/* The parameters that a month goes by: the defaults. */
void month_params(struct params *p);
/* Failures end the test. */
void month_run(struct month *out, const struct month_config *cfg);
void month_release(struct month *m);

#endif
