/*
 * Scenarios. Whatever is refused says why and leaves the target alone; whatever is
 * taken obeys the rules between keys, and printed again it is the same.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/scenario.h"

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
check_printed(const struct scenario *s)
{
	struct scenario back;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	demand(f != NULL);
	scenario_print(f, s);
	(void)fclose(f);
	demand(scenario_parse(&back, "printed", text, n, NULL) == ERR_OK);
	demand(memcmp(&back, s, sizeof(back)) == 0); /* public */
	free(text);
}

static void
check_taken(const struct scenario *s)
{
	bool corrupt[SIMULATION_NODES_MAX];
	struct params p;
	struct traffic_config t;
	size_t nodes = scenario_nodes(s);

	demand(nodes >= 1 && nodes <= SIMULATION_NODES_MAX);
	demand(scenario_corrupt(corrupt, s) <= nodes);
	scenario_params(&p, s);
	for (unsigned i = 0; i < p.layers; i++)
		demand(p.mixes[i] >= 1 && p.mixes[i] <= SIMULATION_WIDTH_MAX);
	scenario_traffic(&t, s);
	demand(t.persons >= 2 && t.contacts >= 1 && t.contacts < t.persons && t.interval_us >= 0);
	demand(scenario_rate(s) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scenario s, before;
	struct diag d = { "" };

	memset(&s, 0x5a, sizeof(s));
	before = s;
	if (scenario_parse(&s, "input", data, size, &d) != ERR_OK) {
		demand(memcmp(&s, &before, sizeof(s)) == 0); /* public */
		demand(strncmp(d.text, "input", 5) == 0);
		return 0;
	}
	check_taken(&s);
	check_printed(&s);
	return 0;
}
