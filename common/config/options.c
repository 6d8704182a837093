#include "config.h"

#include "common/config/options.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"

#define HELP_COLUMN 30

static int
exit_code(enum err e)
{
	switch (e) {
	case ERR_OK:
		return OPTIONS_EXIT_OK;
	case ERR_USAGE:
		return OPTIONS_EXIT_USAGE;
	case ERR_TRUNCATED:
	case ERR_TRAILING:
	case ERR_MALFORMED:
	case ERR_RANGE:
	case ERR_VERSION:
	case ERR_SIGNATURE:
		return OPTIONS_EXIT_DATA;
	case ERR_MEMORY:
		return OPTIONS_EXIT_SOFTWARE;
	case ERR_IO:
	case ERR_FULL:
		return OPTIONS_EXIT_IO;
	case ERR_BUSY:
	case ERR_TIMEOUT:
		return OPTIONS_EXIT_BUSY;
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_CLOSED:
	case ERR_CRYPTO:
	case ERR_PASSPHRASE:
	case ERR_REPLAY:
	case ERR_EPOCH:
	case ERR_CHAIN:
	case ERR_ROLLBACK:
	case ERR_STATE:
	case ERR_DENIED:
	case ERR_NO_KEY:
		break;
	}
	return OPTIONS_EXIT_FAILURE;
}

int
options_fail(const struct call *c, enum err e, const struct diag *d)
{
	const char *text = d != NULL && d->text[0] != '\0' ? d->text : err_text(e);

	(void)fprintf(c->err, "%s: %s\n", c->program->name, text);
	return exit_code(e);
}

/* The name that --help and sentences use: "restante-mix" or "restante invite". */
static void
print_name(FILE *f, const struct call *c)
{
	(void)fprintf(f, "%s%s%s", c->program->name,
	    c->command != NULL && c->command != c->program->only ? " " : "",
	    c->command != NULL && c->command != c->program->only ? c->command->name : "");
}

/* A wrong command line: the sentence, what to try, and the exit code. */
RST_PRINTF(2, 3)
static int
refuse(const struct call *c, const char *fmt, ...)
{
	va_list ap;

	print_name(c->err, c);
	(void)fprintf(c->err, ": ");
	va_start(ap, fmt);
	(void)vfprintf(c->err, fmt, ap);
	va_end(ap);
	(void)fprintf(c->err, "; try --help\n");
	return OPTIONS_EXIT_USAGE;
}

static void
print_option(FILE *f, char letter, const char *name, const char *value, const char *help)
{
	int n =
	    letter != 0 ? fprintf(f, "  -%c, --%s", letter, name) : fprintf(f, "      --%s", name);

	if (value != NULL)
		n += fprintf(f, "=%s", value);
	if (n >= HELP_COLUMN) {
		(void)fprintf(f, "\n");
		n = 0;
	}
	(void)fprintf(f, "%*s%s\n", HELP_COLUMN - n, "", help);
}

static void
print_key(FILE *f, const struct config_key *k)
{
	bool has_default = k->type != CONFIG_BOOL && k->fallback != NULL && *k->fallback != '\0';
	const char *value = k->type == CONFIG_BOOL ? NULL : k->unit != NULL ? k->unit : "VALUE";
	char help[512];

	(void)snprintf(help, sizeof(help), "%s%s%s%s%s%s", k->help,
	    k->fallback == NULL ? " (required)" : "", k->repeated ? " (may be repeated)" : "",
	    has_default ? " [" : "", has_default ? k->fallback : "", has_default ? "]" : "");
	print_option(f, k->letter, k->name, value, help);
}

static void
print_options(FILE *f, const struct config_schema *s)
{
	for (size_t i = 0; s != NULL && i < s->count; i++)
		print_key(f, &s->keys[i]);
}

static void
print_commands(FILE *f, const struct program *p)
{
	(void)fprintf(f, "\nCommands (%s COMMAND --help says more):\n", p->name);
	for (size_t i = 0; i < p->command_count; i++)
		(void)fprintf(
		    f, "  %-*s%s\n", HELP_COLUMN - 2, p->commands[i].name, p->commands[i].summary);
}

static void
print_help(const struct call *c)
{
	const struct program *p = c->program;
	const struct command *cmd = c->command;
	bool is_own = cmd != NULL && cmd != p->only;

	(void)fprintf(c->out, "Usage: ");
	print_name(c->out, c);
	(void)fprintf(c->out, " [OPTIONS]%s%s\n",
	    cmd == NULL             ? " COMMAND"
	    : cmd->operands != NULL ? " "
				    : "",
	    cmd != NULL && cmd->operands != NULL ? cmd->operands : "");
	(void)fprintf(c->out, "%s.\n\nOptions:\n", is_own ? cmd->summary : p->summary);
	if (!is_own)
		print_options(c->out, p->options);
	if (cmd != NULL)
		print_options(c->out, cmd->options);
	if (!is_own && p->config != NULL) {
		print_option(
		    c->out, 0, "describe-config", NULL, "explain the configuration file and exit");
		print_option(
		    c->out, 0, "default-config", NULL, "print a configuration file and exit");
	}
	print_option(c->out, 'h', "help", NULL, "print this help and exit");
	if (!is_own)
		print_option(c->out, 0, "version", NULL, "print the version and exit");
	if (cmd == NULL)
		print_commands(c->out, p);
}

/* One level of a command line: the options of a program or of a command. */
struct level {
	struct call *call;
	const struct config_schema *schema[2];
	void *target[2];
	uint64_t seen[2];
	int argc, at;
	char **argv;
	bool stop_at_operand; /* the command's own arguments begin there */
	bool finished;        /* --help and the like: nothing else is to be done */
};

static const struct config_key *
find_key(const struct level *l, int *which, const char *name, char letter)
{
	for (*which = 0; *which < 2; ++*which) {
		const struct config_schema *s = l->schema[*which];

		for (size_t i = 0; s != NULL && i < s->count; i++)
			if (name != NULL ? strcmp(s->keys[i].name, name) == 0
					 : s->keys[i].letter == letter && letter != 0)
				return &s->keys[i];
	}
	return NULL;
}

/* --help, --version, ...: whether name was one of them. */
static bool
is_built_in(struct level *l, const char *name)
{
	const struct program *p = l->call->program;
	bool is_own = l->call->command != NULL && l->call->command != p->only;

	if (strcmp(name, "help") == 0)
		print_help(l->call);
	else if (!is_own && strcmp(name, "version") == 0)
		(void)fprintf(l->call->out, "%s (Restante) %s\n", p->name, PACKAGE_VERSION);
	else if (!is_own && p->config != NULL && strcmp(name, "describe-config") == 0)
		config_describe(l->call->out, p->config);
	else if (!is_own && p->config != NULL && strcmp(name, "default-config") == 0)
		config_print_defaults(l->call->out, p->config);
	else
		return false;
	l->finished = true;
	return true;
}

/* Store an option; value is what stood behind '=', or NULL. */
static int
take_option(struct level *l, const struct config_key *k, int which, const char *value)
{
	uint64_t bit = (uint64_t)1 << (k - l->schema[which]->keys);
	bool is_switch = k->type == CONFIG_BOOL;
	struct diag d = {""};

	if (is_switch && value != NULL)
		return refuse(l->call, "option --%s takes no value", k->name);
	if (is_switch)
		value = "yes";
	else if (value == NULL && l->at < l->argc)
		value = l->argv[l->at++];
	if (value == NULL)
		return refuse(l->call, "option --%s needs a value", k->name);
	if ((l->seen[which] & bit) != 0 && !k->repeated)
		return refuse(l->call, "option --%s stands here twice", k->name);
	l->seen[which] |= bit;
	if (config_set(l->target[which], l->schema[which], k->name, value, &d) != ERR_OK)
		return refuse(l->call, "%s", d.text);
	return OPTIONS_EXIT_OK;
}

static int
long_option(struct level *l, const char *arg)
{
	size_t n = strcspn(arg, "=");
	const struct config_key *k;
	char name[64];
	int which;

	if (n < sizeof(name)) {
		memcpy(name, arg, n);
		name[n] = '\0';
		k = find_key(l, &which, name, 0);
		if (k != NULL)
			return take_option(l, k, which, arg[n] == '=' ? arg + n + 1 : NULL);
		if (arg[n] == '\0' && is_built_in(l, name))
			return OPTIONS_EXIT_OK;
	}
	return refuse(l->call, "unknown option --%.*s", (int)(n < 64 ? n : 64), arg);
}

static int
short_option(struct level *l, const char *arg)
{
	const struct config_key *k;
	int which;

	k = find_key(l, &which, NULL, arg[0]);
	if (k != NULL && arg[1] == '\0')
		return take_option(l, k, which, NULL);
	if (strcmp(arg, "h") == 0 && is_built_in(l, "help"))
		return OPTIONS_EXIT_OK;
	return refuse(l->call, "unknown option -%.64s", arg);
}

/* Read up to the end, or to the command. Operands are gathered in call->operands. */
static int
read_level(struct level *l)
{
	bool all_operands = false;
	int code = OPTIONS_EXIT_OK;

	while (l->at < l->argc && code == OPTIONS_EXIT_OK && !l->finished) {
		char *arg = l->argv[l->at];

		if (!all_operands && strcmp(arg, "--") == 0) {
			all_operands = true;
			l->at++;
		} else if (all_operands || arg[0] != '-' || arg[1] == '\0') {
			if (l->stop_at_operand)
				break;
			l->call->operands[l->call->operand_count++] = arg;
			l->at++;
		} else {
			l->at++;
			code = arg[1] == '-' ? long_option(l, arg + 2) : short_option(l, arg + 1);
		}
	}
	return code;
}

static int
check_required(const struct level *l)
{
	for (int which = 0; which < 2; which++) {
		const struct config_schema *s = l->schema[which];

		for (size_t i = 0; s != NULL && i < s->count; i++)
			if (s->keys[i].fallback == NULL && (l->seen[which] >> i & 1) == 0)
				return refuse(l->call, "option --%s is missing", s->keys[i].name);
	}
	return OPTIONS_EXIT_OK;
}

static int
check_operands(const struct call *c)
{
	const char *names = c->command->operands != NULL ? c->command->operands : "none";

	if (c->operand_count < c->command->operands_min)
		return refuse(c, "too few operands (%s)", names);
	if (c->operand_count > c->command->operands_max)
		return refuse(c, "too many operands (%s)", names);
	return OPTIONS_EXIT_OK;
}

static void *
new_target(const struct config_schema *s)
{
	void *target = malloc(s->size);

	if (target != NULL)
		config_defaults(target, s);
	return target;
}

static void
free_target(void *target, const struct config_schema *s)
{
	if (target != NULL)
		secret_wipe(target, s->size);
	free(target);
}

/* The rest of the command line belongs to c->command: read it, and run. */
static int
run_command(struct call *c, struct level *l)
{
	const struct config_schema *own = c->command->options;
	void *target = own != NULL ? new_target(own) : NULL;
	int code;

	if (own != NULL && target == NULL)
		return options_fail(c, ERR_MEMORY, NULL);
	l->schema[1] = own;
	l->target[1] = target;
	l->stop_at_operand = false;
	code = read_level(l);
	if (code == OPTIONS_EXIT_OK && !l->finished)
		code = check_required(l);
	if (code == OPTIONS_EXIT_OK && !l->finished)
		code = check_operands(c);
	if (code == OPTIONS_EXIT_OK && !l->finished) {
		c->own = target;
		code = c->command->run(c);
	}
	free_target(target, own);
	return code;
}

static const char *
command_name(const void *arg, size_t i)
{
	const struct program *p = arg;

	return p->commands[i].name;
}

static int
unknown_command(const struct call *c, const char *name)
{
	const struct program *p = c->program;
	const char *similar = config_similar(name, p->command_count, command_name, p);

	if (similar != NULL)
		return refuse(c, "unknown command '%.64s'; did you mean '%s'?", name, similar);
	return refuse(c, "unknown command '%.64s'", name);
}

/* The options of the program up to the name of a command, then that command. */
static int
choose_command(struct call *c, struct level *l)
{
	const struct program *p = c->program;
	const char *name;
	int code;

	l->stop_at_operand = true;
	code = read_level(l);
	if (code != OPTIONS_EXIT_OK || l->finished)
		return code;
	if (l->at == l->argc)
		return refuse(c, "a command is missing");
	code = check_required(l);
	if (code != OPTIONS_EXIT_OK)
		return code;
	name = l->argv[l->at++];
	for (size_t i = 0; i < p->command_count; i++)
		if (strcmp(p->commands[i].name, name) == 0) {
			c->command = &p->commands[i];
			l->schema[0] = NULL; /* its own options only from here on */
			return run_command(c, l);
		}
	return unknown_command(c, name);
}

int
options_run(const struct program *p, int argc, char **argv, FILE *out, FILE *err)
{
	struct call c = {.program = p, .out = out, .err = err};
	void *target = p->options != NULL ? new_target(p->options) : NULL;
	struct level l = {.call = &c, .argc = argc, .at = 1, .argv = argv};
	int code;

	c.operands = calloc((size_t)argc + 1, sizeof(*c.operands));
	c.options = target;
	l.schema[0] = p->options;
	l.target[0] = target;
	if (c.operands == NULL || (p->options != NULL && target == NULL)) {
		code = options_fail(&c, ERR_MEMORY, NULL);
	} else if (p->command_count == 0) {
		c.command = p->only;
		code = run_command(&c, &l);
	} else {
		code = choose_command(&c, &l);
	}
	free(c.operands);
	free_target(target, p->options);
	return code;
}

int
options_main(const struct program *p, int argc, char **argv)
{
	enum err e = secret_setup();
	int code;

	if (e != ERR_OK) {
		(void)fprintf(stderr, "%s: cannot start: %s\n", p->name, err_text(e));
		return OPTIONS_EXIT_SOFTWARE;
	}
	code = options_run(p, argc, argv, stdout, stderr);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fprintf(stderr, "%s: cannot write the output\n", p->name);
		if (code == OPTIONS_EXIT_OK)
			code = OPTIONS_EXIT_IO;
	}
	return code;
}
