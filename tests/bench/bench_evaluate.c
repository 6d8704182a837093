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

/*
 * The 200 people of the default scenario: 40 packets a second in all, 1.26 10^9 in a year.
 * Without targets, for what these cost does not grow with the time.
 */
static const char followed[] = "restante-scenario 1\ntargets = 0\nduration = 12h\n";
static const char counted[] = "restante-scenario 1\ntargets = 0\nduration = 30d\n"
			      "cover = counted\n";

/* 200 people, 20 packets a second in all, 3 layers of 3 mixes. */
static const char text[] = "restante-scenario 1\n"
    "people = 200\ncontacts = 10\nmessages-per-day = 8640\nsending = poisson\nslot = 10s\n"
    "note-one-in = 0\nlayers = 3\nwidth = 3\nstrategy = stop-and-go mean=10s\n"
    "warm-up = 10min\nduration = 6h\ntargets = 64\n";

struct rates {
	double events, messages;
};

static void
measure(struct rates *out, const char *scenario, size_t least)
{
	struct scenario s;
	struct diag d = { "" };
	struct run *r = NULL;
	double spent;
	size_t targets;

	if (scenario_parse(&s, "bench", scenario, strlen(scenario), &d) != ERR_OK)
		bench_must(false, d.text);
	spent = bench_thread_s();
	if (run_scenario(&r, &s, NULL, &d) != ERR_OK)
		bench_must(false, d.text);
	spent = bench_thread_s() - spent;
	(void)run_targets(r, &targets);
	bench_must(targets >= least, "targets are missing");
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

static void
compare_with_simpy(int argc, char **argv)
{
	static struct bench_result events = { .name = "evaluate_events", .unit = "events/s",
		.floor = "SimPy, no adversary", .rounds = ROUNDS };
	static struct bench_result messages = { .name = "evaluate_messages", .unit = "messages/s",
		.floor = "SimPy, no adversary", .rounds = ROUNDS };
	bool a = bench_wanted(argc, argv, "evaluate_events");
	bool b = bench_wanted(argc, argv, "evaluate_messages");
	struct rates ours, simpy;

	for (size_t i = 0; i < ROUNDS && (a || b); i++) {
		measure_simpy(&simpy);
		measure(&ours, text, 60);
		events.value[i] = ours.events;
		events.floor_value[i] = simpy.events;
		messages.value[i] = ours.messages;
		messages.floor_value[i] = simpy.messages;
	}
	if (a)
		bench_report(&events);
	if (b)
		bench_report(&messages);
}

/* Packets of the same people in a second of ours, counted beside followed. */
static void
compare_counting(void)
{
	static struct bench_result packets = { .name = "evaluate_counted", .unit = "packets/s",
		.floor = "each packet followed", .rounds = ROUNDS };
	struct rates fast, slow;

	for (size_t i = 0; i < ROUNDS; i++) {
		measure(&slow, followed, 0);
		measure(&fast, counted, 0);
		packets.value[i] = fast.messages;
		packets.floor_value[i] = slow.messages;
	}
	bench_report(&packets);
}

int
main(int argc, char **argv)
{
	bench_begin();
	compare_with_simpy(argc, argv);
	if (bench_wanted(argc, argv, "evaluate_counted"))
		compare_counting();
	return 0;
}
