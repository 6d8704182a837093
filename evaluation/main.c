/* restante-evaluate: how much anonymity a configuration gives, in virtual time. */
#include "config.h"

#include "evaluation/program.h"
#include "evaluation/sweep.h"
#include "evaluation/verify.h"

static const struct command commands[] = {
	{ .name = "attack", .operands = "NAME SCENARIO|DIR", .operands_max = 2,
	    .options = &program_attack_schema, .run = program_attack,
	    .summary = "Attack a scenario, or what a run has left, and say what comes of it" },
	{ .name = "plan", .options = &program_plan_schema, .run = program_plan,
	    .summary = "Say what a network costs, how fast it is and what it protects, before it is "
	    "there" },
	{ .name = "report", .operands = "PATH ...", .operands_min = 1,
	    .operands_max = PROGRAM_REPORTS_MAX, .options = &program_report_schema,
	    .run = program_report,
	    .summary = "Make one page of HTML from the results of runs, attacks and sweeps" },
	{ .name = "run", .operands = "SCENARIO", .operands_min = 1, .operands_max = 1,
	    .options = &program_run_schema, .run = program_run,
	    .summary = "Simulate a scenario and say what its adversary learns" },
	{ .name = "scenario", .run = program_scenario,
	    .summary = "Print the default scenario, with every key explained" },
	{ .name = "sweep", .operands = "SCENARIO KEY=VALUE,VALUE...", .operands_min = 2,
	    .operands_max = 1 + SWEEP_AXES_MAX, .options = &program_sweep_schema,
	    .run = program_sweep,
	    .summary = "Run a scenario at every point of a grid of its values" },
	{ .name = "verify", .operands = "[NAME ...]", .operands_max = VERIFY_NAMES_MAX,
	    .options = &verify_schema, .run = verify_run,
	    .summary = "Check this program against closed forms and published values" },
};

static const struct program program = {
	.name = "restante-evaluate",
	.summary = "Measure the anonymity that a Restante network gives, with its own code",
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}
