/* restante-charter: make, sign and examine the charter of a network. */
#include "config.h"

#include "common/charter/tool/tool.h"

#define OPERANDS_MAX 64

#define SCHEMA(keys, type) { keys, sizeof(keys) / sizeof(keys[0]), sizeof(type) }

static const struct config_key create_keys[] = {
	{ .name = "name", .type = CONFIG_STRING, .unit = "NAME",
	    .help = "the network's name, for people", .min = 1, .max = CHARTER_NAME_MAX - 1,
	    CONFIG_FIELD(struct tool_create_options, name) },
	{ .name = "not-after", .type = CONFIG_STRING, .unit = "TIME", .fallback = "",
	    .help = "end of its validity, such as 2027-11-24 (default: in a year)",
	    CONFIG_FIELD(struct tool_create_options, not_after) },
	{ .name = "threshold", .type = CONFIG_INTEGER, .unit = "K", .fallback = "2", .min = 1,
	    .max = CHARTER_AUTHORITIES_MAX, .help = "authorities that must sign",
	    CONFIG_FIELD(struct tool_create_options, threshold) },
};
static const struct config_schema create_options = SCHEMA(create_keys, struct tool_create_options);

static const struct config_key node_keys[] = {
	{ .name = "layer", .type = CONFIG_INTEGER, .unit = "LAYER", .fallback = "-1", .min = -1,
	    .max = PARAMS_LAYERS_MAX - 1, .help = "a mix's place on the path: 0 is the first",
	    CONFIG_FIELD(struct tool_node_options, layer) },
};
static const struct config_schema node_options = SCHEMA(node_keys, struct tool_node_options);

static const struct config_key next_keys[] = {
	{ .name = "from-epoch", .type = CONFIG_INTEGER, .unit = "EPOCH", .fallback = "0", .min = 0,
	    .max = UINT32_MAX, .help = "where it takes effect; 0: as soon as can be",
	    CONFIG_FIELD(struct tool_next_options, from_epoch) },
};
static const struct config_schema next_options = SCHEMA(next_keys, struct tool_next_options);

static const struct config_key sign_keys[] = {
	{ .name = "key", .type = CONFIG_STRING, .unit = "FILE",
	    .help = "the authority's key file, made by keygen",
	    CONFIG_FIELD(struct tool_sign_options, key) },
};
static const struct config_schema sign_options = SCHEMA(sign_keys, struct tool_sign_options);

static const struct config_key combine_keys[] = {
	{ .name = "output", .type = CONFIG_STRING, .unit = "FILE", .letter = 'o',
	    .help = "the new file", CONFIG_FIELD(struct tool_combine_options, output) },
};
static const struct config_schema combine_options =
    SCHEMA(combine_keys, struct tool_combine_options);

static const struct config_key show_keys[] = {
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print one JSON object instead of text",
	    CONFIG_FIELD(struct tool_show_options, json) },
};
static const struct config_schema show_options = SCHEMA(show_keys, struct tool_show_options);

static const struct config_key verify_keys[] = {
	{ .name = "previous", .type = CONFIG_STRING, .unit = "FILE", .fallback = "",
	    .help = "check that it may follow this charter",
	    CONFIG_FIELD(struct tool_verify_options, previous) },
};
static const struct config_schema verify_options = SCHEMA(verify_keys, struct tool_verify_options);

static const struct command commands[] = {
	{ .name = "create", .operands = "FILE", .operands_min = 1, .operands_max = 1,
	    .options = &create_options, .run = tool_run_create,
	    .summary = "Start a draft with default parameters in a new file" },
	{ .name = "add-node", .operands = "FILE LINE", .operands_min = 2,
	    .operands_max = OPERANDS_MAX, .options = &node_options, .run = tool_run_add_node,
	    .summary = "Add a node by its public line (-: standard input), print its number" },
	{ .name = "change-node", .operands = "FILE LINE", .operands_min = 2,
	    .operands_max = OPERANDS_MAX, .run = tool_run_change_node,
	    .summary = "Give a node the link key and addresses of its new public line" },
	{ .name = "remove-node", .operands = "FILE NUMBER", .operands_min = 2, .operands_max = 2,
	    .run = tool_run_remove_node, .summary = "Remove a node; its number is not used again" },
	{ .name = "add-authority", .operands = "FILE LINE", .operands_min = 2,
	    .operands_max = OPERANDS_MAX, .run = tool_run_add_authority,
	    .summary = "Add an authority by its public line (-: standard input)" },
	{ .name = "remove-authority", .operands = "FILE LINE", .operands_min = 2,
	    .operands_max = OPERANDS_MAX, .run = tool_run_remove_authority,
	    .summary = "Remove an authority by its public line" },
	{ .name = "set", .operands = "FILE NAME VALUE [NAME VALUE ...]", .operands_min = 3,
	    .operands_max = OPERANDS_MAX, .run = tool_run_set,
	    .summary = "Set parameters, or name, not-after, threshold, from-epoch" },
	{ .name = "show", .operands = "FILE", .operands_min = 1, .operands_max = 1,
	    .options = &show_options, .run = tool_run_show,
	    .summary = "Print what a charter or draft says" },
	{ .name = "parameters", .run = tool_run_parameters,
	    .summary = "Explain every parameter, with its range and default" },
	{ .name = "keygen", .operands = "FILE", .operands_min = 1, .operands_max = 1,
	    .run = tool_run_keygen,
	    .summary = "Make an authority's secret key in a new file and print its public line" },
	{ .name = "sign", .operands = "FILE", .operands_min = 1, .operands_max = 1,
	    .options = &sign_options, .run = tool_run_sign,
	    .summary = "Add one authority's signature to a complete draft" },
	{ .name = "combine", .operands = "FILE ...", .operands_min = 1,
	    .operands_max = OPERANDS_MAX, .options = &combine_options, .run = tool_run_combine,
	    .summary = "Gather the signatures of copies of one draft in a new file" },
	{ .name = "verify", .operands = "FILE", .operands_min = 1, .operands_max = 1,
	    .options = &verify_options, .run = tool_run_verify,
	    .summary = "Say whether a charter is whole, signed by enough, and in date" },
	{ .name = "verify-evidence", .operands = "CHARTER ... FILE", .operands_min = 2,
	    .operands_max = OPERANDS_MAX, .options = &show_options,
	    .run = tool_run_verify_evidence,
	    .summary = "Say whether a file proves that the network's gateway lied" },
	{ .name = "next", .operands = "CHARTER FILE", .operands_min = 2, .operands_max = 2,
	    .options = &next_options, .run = tool_run_next,
	    .summary = "Start the draft of a charter's next version in a new file" },
};

static const struct program program = {
	.name = "restante-charter",
	.summary = "Make, sign and examine the charter of a Restante network",
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
};

int
main(int argc, char **argv)
{
	return options_main(&program, argc, argv);
}
