/*
 * Recordings of traffic. Whatever is refused says why; whatever is taken comes out
 * again, every line once, in the order of time.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "evaluation/traffic.h"

#define PERSONS 7
#define START_MS INT64_C(1000000)

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
check_taken(struct traffic *t)
{
	struct simulation_traffic source;
	size_t lines = 0;

	traffic_source(t, &source);
	for (uint32_t p = 0; p < PERSONS; p++) {
		int64_t at = START_MS, next;
		uint64_t message;

		while ((next = source.next(source.arg, p, at, &message)) != INT64_MAX) {
			demand(next >= at && traffic_message(t, p)->receiver < PERSONS);
			demand(traffic_message(t, p)->receiver != p);
			at = next;
			lines++;
		}
	}
	demand(lines == traffic_lines(t));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct traffic_config cfg = { .persons = PERSONS, .start_ms = START_MS, .contacts = 1,
		.workload = TRAFFIC_RECORDED };
	struct traffic *t = NULL;
	struct diag d = { "" };

	demand(traffic_new(&t, &cfg, NULL) == ERR_OK);
	if (traffic_parse(t, "input", data, size, &d) == ERR_OK)
		check_taken(t);
	else
		demand(strncmp(d.text, "input", 5) == 0);
	traffic_free(t);
	return 0;
}
