#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/config/options.h"
#include "tests/lib/test.h"

struct global {
	bool check;
	char config[64];
	int64_t level;
};

static const struct config_key global_keys[] = {
    {.name = "check",
	.type = CONFIG_BOOL,
	.fallback = "no",
	.help = "check only",
	CONFIG_FIELD(struct global, check)},
    {.name = "config",
	.letter = 'c',
	.type = CONFIG_PATH,
	.fallback = "/etc/t.conf",
	.unit = "FILE",
	.help = "the configuration",
	CONFIG_FIELD(struct global, config)},
    {.name = "level",
	.letter = 'l',
	.type = CONFIG_INTEGER,
	.max = 9,
	.fallback = "1",
	.help = "how much",
	CONFIG_FIELD(struct global, level)},
};
static const struct config_schema global_schema = {global_keys, 3, sizeof(struct global)};

struct own {
	char to[32];
	bool dry;
};

static const struct config_key own_keys[] = {
    {.name = "to",
	.letter = 't',
	.type = CONFIG_STRING,
	.min = 1,
	.unit = "CONTACT",
	.help = "to whom",
	CONFIG_FIELD(struct own, to)},
    {.name = "dry-run",
	.letter = 'n',
	.type = CONFIG_BOOL,
	.fallback = "no",
	.help = "do nothing",
	CONFIG_FIELD(struct own, dry)},
};
static const struct config_schema own_schema = {own_keys, 2, sizeof(struct own)};

static int
run_daemon(const struct call *c)
{
	const struct global *g = c->options;

	(void)fprintf(c->out, "daemon check=%d config=%s level=%d operands=%zu %s\n", g->check,
	    g->config, (int)g->level, c->operand_count, c->operand_count > 0 ? c->operands[0] : "");
	return 7;
}

static int
run_send(const struct call *c)
{
	const struct global *g = c->options;
	const struct own *o = c->own;

	assert_null(c->operands[c->operand_count]);
	(void)fprintf(c->out, "send level=%d to=%s dry=%d:", (int)g->level, o->to, o->dry);
	for (size_t i = 0; i < c->operand_count; i++)
		(void)fprintf(c->out, " <%s>", c->operands[i]);
	(void)fprintf(c->out, "\n");
	return 0;
}

static int
run_fail(const struct call *c)
{
	struct diag d;

	return options_fail(c, diag_set(&d, ERR_BUSY, "somebody is here"), &d);
}

static const struct command daemon_command = {
    .operands = "FILE", .operands_max = 1, .run = run_daemon};
static const struct program daemon_program = {.name = "restante-test",
    .summary = "Tests",
    .options = &global_schema,
    .config = &own_schema,
    .only = &daemon_command};

static const struct command commands[] = {
    {.name = "send",
	.operands = "TEXT...",
	.summary = "Send a text",
	.operands_min = 1,
	.operands_max = 3,
	.options = &own_schema,
	.run = run_send},
    {.name = "fail", .summary = "Fail", .run = run_fail},
};
static const struct program client_program = {.name = "restante",
    .summary = "Tests commands",
    .options = &global_schema,
    .commands = commands,
    .command_count = 2};

#define ARGS_MAX 10

/* Run p with words separated by blanks; check all that comes out. */
static void
check_run(const struct program *p, const char *line, int code, const char *out, const char *err)
{
	char words[256], *argv[ARGS_MAX + 2] = {NULL}, *o = NULL, *e = NULL, *save = NULL;
	size_t on, en;
	FILE *of = open_memstream(&o, &on), *ef = open_memstream(&e, &en);
	int argc = 0;

	assert_true(of != NULL && ef != NULL);
	(void)snprintf(words, sizeof(words), "program %s", line);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	assert_int_equal(options_run(p, argc, argv, of, ef), code);
	(void)fclose(of);
	(void)fclose(ef);
	if (out != NULL)
		assert_string_equal(o, out);
	assert_string_equal(e, err);
	free(o);
	free(e);
}

static void
test_program_without_commands(void **state)
{
	const struct program *p = &daemon_program;

	(void)state;
	check_run(p, "", 7, "daemon check=0 config=/etc/t.conf level=1 operands=0 \n", "");
	check_run(p, "--check --config=/x --level 3", 7,
	    "daemon check=1 config=/x level=3 operands=0 \n", "");
	check_run(
	    p, "-c /y file -l 0", 7, "daemon check=0 config=/y level=0 operands=1 file\n", "");
	check_run(p, "-- --check", 7,
	    "daemon check=0 config=/etc/t.conf level=1 operands=1 --check\n", "");
	check_run(p, "-", 7, "daemon check=0 config=/etc/t.conf level=1 operands=1 -\n", "");
}

static void
test_wrong_command_lines(void **state)
{
	static const struct {
		const char *line, *err;
	} cases[] = {
	    {"--x", "unknown option --x"},
	    {"--chec", "unknown option --chec"},
	    {"--checks", "unknown option --checks"},
	    {"-x", "unknown option -x"},
	    {"-l3", "unknown option -l3"},
	    {"--help=1", "unknown option --help"},
	    {"--check=yes", "option --check takes no value"},
	    {"--config", "option --config needs a value"},
	    {"-c", "option --config needs a value"},
	    {"--level 1 -l 2", "option --level stands here twice"},
	    {"--level 10", "value out of range of 'level'; it must be a number from 0 to 9"},
	    {"--level=", "bad value of 'level'; it must be a number from 0 to 9"},
	    {"--config x",
		"bad value of 'config'; it must be an absolute path of at most 63 bytes"},
	    {"a b", "too many operands (FILE)"},
	};
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(err, sizeof(err), "restante-test: %s; try --help\n", cases[i].err);
		check_run(&daemon_program, cases[i].line, OPTIONS_EXIT_USAGE, "", err);
	}
}

static void
test_commands(void **state)
{
	const struct program *p = &client_program;

	(void)state;
	check_run(p, "send --to anna hello", 0, "send level=1 to=anna dry=0: <hello>\n", "");
	check_run(p, "-l 5 send a -n -t x b", 0, "send level=5 to=x dry=1: <a> <b>\n", "");
	check_run(p, "send -t x -- -n", 0, "send level=1 to=x dry=0: <-n>\n", "");
	check_run(p, "fail", OPTIONS_EXIT_BUSY, "", "restante: somebody is here\n");
	check_run(p, "", 64, "", "restante: a command is missing; try --help\n");
	check_run(p, "sned", 64, "",
	    "restante: unknown command 'sned'; did you mean 'send'?; try --help\n");
	check_run(p, "other", 64, "", "restante: unknown command 'other'; try --help\n");
	check_run(
	    p, "send -t x", 64, "", "restante send: too few operands (TEXT...); try --help\n");
	check_run(p, "send -t x 1 2 3 4", 64, "",
	    "restante send: too many operands (TEXT...); try --help\n");
	check_run(p, "send a", 64, "", "restante send: option --to is missing; try --help\n");
	check_run(p, "send -l 5 -t x a", 64, "", "restante send: unknown option -l; try --help\n");
	check_run(
	    p, "send --version", 64, "", "restante send: unknown option --version; try --help\n");
	check_run(p, "fail x", 64, "", "restante fail: too many operands (none); try --help\n");
}

static void
test_help(void **state)
{
	static const char *const help =
	    "Usage: restante-test [OPTIONS] FILE\n"
	    "Tests.\n"
	    "\n"
	    "Options:\n"
	    "      --check                 check only\n"
	    "  -c, --config=FILE           the configuration [/etc/t.conf]\n"
	    "  -l, --level=VALUE           how much [1]\n"
	    "      --describe-config       explain the configuration file and exit\n"
	    "      --default-config        print a configuration file and exit\n"
	    "  -h, --help                  print this help and exit\n"
	    "      --version               print the version and exit\n";

	(void)state;
	check_run(&daemon_program, "--help", 0, help, "");
	check_run(&daemon_program, "-h --x", 0, help, "");
	check_run(&client_program, "-h", 0,
	    "Usage: restante [OPTIONS] COMMAND\n"
	    "Tests commands.\n"
	    "\n"
	    "Options:\n"
	    "      --check                 check only\n"
	    "  -c, --config=FILE           the configuration [/etc/t.conf]\n"
	    "  -l, --level=VALUE           how much [1]\n"
	    "  -h, --help                  print this help and exit\n"
	    "      --version               print the version and exit\n"
	    "\n"
	    "Commands (restante COMMAND --help says more):\n"
	    "  send                        Send a text\n"
	    "  fail                        Fail\n",
	    "");
	check_run(&client_program, "send --help", 0,
	    "Usage: restante send [OPTIONS] TEXT...\n"
	    "Send a text.\n"
	    "\n"
	    "Options:\n"
	    "  -t, --to=CONTACT            to whom (required)\n"
	    "  -n, --dry-run               do nothing\n"
	    "  -h, --help                  print this help and exit\n",
	    "");
}

static void
test_version_and_config_help(void **state)
{
	(void)state;
	check_run(
	    &daemon_program, "--version", 0, "restante-test (Restante) " PACKAGE_VERSION "\n", "");
	check_run(&client_program, "--version", 0, "restante (Restante) " PACKAGE_VERSION "\n", "");
	check_run(&daemon_program, "--describe-config", 0, NULL, "");
	check_run(&daemon_program, "--default-config", 0, NULL, "");
	check_run(&client_program, "--default-config", 64, "",
	    "restante: unknown option --default-config; try --help\n");
}

static void
test_exit_codes(void **state)
{
	FILE *nowhere = fopen("/dev/null", "we");
	struct call c = {.program = &daemon_program, .err = nowhere};

	(void)state;
	assert_non_null(nowhere);
	assert_int_equal(options_fail(&c, ERR_USAGE, NULL), 64);
	assert_int_equal(options_fail(&c, ERR_MALFORMED, NULL), 65);
	assert_int_equal(options_fail(&c, ERR_MEMORY, NULL), 70);
	assert_int_equal(options_fail(&c, ERR_IO, NULL), 74);
	assert_int_equal(options_fail(&c, ERR_NOT_FOUND, NULL), 1);
	/* whatever it is, a failure is not a success */
	for (int e = -60; e < 0; e++)
		assert_int_not_equal(options_fail(&c, (enum err)e, NULL), 0);
	(void)fclose(nowhere);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_program_without_commands),
    cmocka_unit_test(test_wrong_command_lines),
    cmocka_unit_test(test_commands),
    cmocka_unit_test(test_help),
    cmocka_unit_test(test_version_and_config_help),
    cmocka_unit_test(test_exit_codes),
};
TEST_MAIN(tests)
