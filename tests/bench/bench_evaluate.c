#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/run.h"
#include "evaluation/scenario.h"
#include "tests/bench/bench.h"

/*
 * restante-evaluate beside SimPy, on which the published simulators run: the same
 * senders and mixes; here with 64 targets whose posteriors are computed, there without.
 * PYTHON is an interpreter that has SimPy, and the model's path is an argument of
 * scripts/bench's: SIMPY_MODEL.
 */

#define ROUNDS 5
#define SIMPY_MESSAGES "50000"

/* 200 people, 20 packets a second in all, 3 layers of 3 mixes. */
static const char text[] = "restante-scenario 1\n"
    "people = 200\ncontacts = 10\nmessages-per-day = 8640\nsending = poisson\nslot = 10s\n"
    "note-one-in = 0\nlayers = 3\nwidth = 3\nstrategy = stop-and-go mean=10s\n"
    "warm-up = 10min\nduration = 6h\ntargets = 64\n";

struct rates {
	double events, messages;
};

static void
measure(struct rates *out)
{
	struct scenario s;
	struct diag d = { "" };
	struct run *r = NULL;
	double spent;
	size_t targets;

	if (scenario_parse(&s, "bench", text, sizeof(text) - 1, &d) != ERR_OK)
		bench_must(false, d.text);
	spent = bench_thread_s();
	if (run_scenario(&r, &s, NULL, &d) != ERR_OK)
		bench_must(false, d.text);
	spent = bench_thread_s() - spent;
	(void)run_targets(r, &targets);
	bench_must(targets >= 60, "targets are missing");
	out->events = (double)run_simulated(r)->events / spent;
	out->messages = (double)run_simulated(r)->sent / spent;
	run_free(r);
}

static void
measure_simpy(struct rates *out)
{
	const char *python = getenv("PYTHON"), *model = getenv("SIMPY_MODEL");
	char command[4096], line[128] = "";
	FILE *f;

	bench_must(python != NULL && model != NULL, "PYTHON and SIMPY_MODEL are not set");
	(void)snprintf(command, sizeof(command), "'%s' '%s' " SIMPY_MESSAGES, python, model);
	f = popen(command, "r");
	bench_must(f != NULL && fgets(line, sizeof(line), f) != NULL, "SimPy printed nothing");
	bench_must(pclose(f) == 0, "SimPy failed");
	bench_must(sscanf(line, "%lf %lf", &out->events, &out->messages) == 2, "SimPy printed no rates");
}

int
main(int argc, char **argv)
{
	static struct bench_result events = { .name = "evaluate_events", .unit = "events/s",
		.floor = "SimPy, no adversary", .rounds = ROUNDS };
	static struct bench_result messages = { .name = "evaluate_messages", .unit = "messages/s",
		.floor = "SimPy, no adversary", .rounds = ROUNDS };
	struct rates ours, simpy;

	bench_begin();
	for (size_t i = 0; i < ROUNDS; i++) {
		measure_simpy(&simpy);
		measure(&ours);
		events.value[i] = ours.events;
		events.floor_value[i] = simpy.events;
		messages.value[i] = ours.messages;
		messages.floor_value[i] = simpy.messages;
	}
	if (bench_wanted(argc, argv, "evaluate_events"))
		bench_report(&events);
	if (bench_wanted(argc, argv, "evaluate_messages"))
		bench_report(&messages);
	return 0;
}
