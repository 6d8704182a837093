/* `restante-mix evidence` on a state directory, as an operator runs it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mix/evidencecmd.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define EPOCH 70000

static struct daemon_settings settings;

static const struct config_key setting_keys[] = {
	{ .name = "state", .type = CONFIG_PATH, .unit = "DIRECTORY", .help = "the state",
	    CONFIG_FIELD(struct daemon_settings, state) },
	{ .name = "charter", .type = CONFIG_PATH, .unit = "FILE", .help = "the charter",
	    CONFIG_FIELD(struct daemon_settings, charter) },
};
static const struct config_schema schema = { setting_keys, 2, sizeof(struct daemon_settings) };

static int
run_evidence(const struct call *c)
{
	return evidencecmd_run(c, &schema, &settings);
}

static const struct command command = { .name = "evidence", .operands = "list | export [N]",
	.operands_min = 1, .operands_max = 2, .options = &evidencecmd_schema,
	.run = run_evidence, .summary = "the command" };
static const struct program program = { .name = "restante-mix", .summary = "a mix",
	.commands = &command, .command_count = 1 };

struct place {
	struct network *net;
	char state[512], config[512], charter[512], output[512];
	char *out, *err; /* of the last run */
};

static void
write_text(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
begin(struct place *x)
{
	const struct network_config cfg = { .seed = test_seed() };
	const char *dir = test_tmpdir();
	char text[2048];
	int n;

	memset(x, 0, sizeof(*x));
	x->net = network_new(&cfg);
	(void)snprintf(x->state, sizeof(x->state), "%s/state", dir);
	(void)snprintf(x->config, sizeof(x->config), "%s/mix.conf", dir);
	(void)snprintf(x->charter, sizeof(x->charter), "%s/charter", dir);
	(void)snprintf(x->output, sizeof(x->output), "%s/evidence.txt", dir);
	assert_int_equal(mkdir(x->state, 0700), 0);
	n = snprintf(text, sizeof(text), "state = %s\ncharter = %s\n", x->state, x->charter);
	write_text(x->config, text, (size_t)n);
	write_text(x->charter, x->net->text.data, x->net->text.len);
}

static void
end(struct place *x)
{
	free(x->out);
	free(x->err);
	network_free(x->net);
}

static void
add_lie(struct place *x, uint32_t epoch, struct buf *text)
{
	const struct charter_node *g = charter_gateway(x->net->charter);
	const uint8_t *sk = x->net->keys[network_index(x->net, g->number)].identity_sk;
	struct evidence_statement said[2];
	char path[600];
	struct evidence e;

	for (uint8_t i = 0; i < 2; i++) {
		const struct sheet s = { .epoch = epoch, .hash = { i } };

		said[i] = (struct evidence_statement){ .kind = EVIDENCE_SHEET, .number = epoch,
			.hash = { i } };
		sheet_sign(said[i].signature, &s, g->number, x->net->charter->network_id, sk);
	}
	buf_init(text);
	assert_err_ok(evidence_make(&e, x->net->charter, &said[0], &said[1]));
	assert_err_ok(evidence_encode(text, &e));
	(void)snprintf(path, sizeof(path), "%s/evidence-sheets-%08x", x->state, epoch);
	write_text(path, text->data, text->len);
}

/* verb and what follows, up to NULL. */
static int
run(struct place *x, const char *verb, const char *a, const char *b)
{
	const char *argv[] = { "restante-mix", "evidence", "--config", x->config, verb, a, b };
	int argc = a == NULL ? 5 : b == NULL ? 6 : 7, code;
	size_t n;
	FILE *out, *err;

	free(x->out);
	free(x->err);
	out = open_memstream(&x->out, &n);
	err = open_memstream(&x->err, &n);
	assert_true(out != NULL && err != NULL);
	code = options_run(&program, argc, (char **)(uintptr_t)argv, out, err);
	assert_int_equal(fclose(out) + fclose(err), 0);
	return code;
}

static void
test_nothing(void **state)
{
	struct place x;

	(void)state;
	begin(&x);
	assert_int_equal(run(&x, "list", NULL, NULL), 0);
	assert_string_equal(x.out, "there is no evidence against the gateway\n");
	assert_int_equal(run(&x, "list", "--json", NULL), 0);
	assert_string_equal(x.out, "[]\n");
	assert_int_not_equal(run(&x, "export", NULL, NULL), 0);
	assert_non_null(strstr(x.err, "there is no evidence"));
	assert_int_equal(run(&x, "burn", NULL, NULL), OPTIONS_EXIT_USAGE);
	/* what would mean nothing */
	assert_int_equal(run(&x, "list", "5", NULL), OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(x.err, "takes no \"5\""));
	assert_int_equal(run(&x, "list", "--output=x", NULL), OPTIONS_EXIT_USAGE);
	assert_int_equal(run(&x, "export", "--json", NULL), OPTIONS_EXIT_USAGE);
	end(&x);
}

static void
test_list_and_export(void **state)
{
	struct buf one, two;
	struct place x;
	char *line;

	(void)state;
	begin(&x);
	add_lie(&x, EPOCH + 1, &two);
	assert_int_equal(run(&x, "export", NULL, NULL), 0); /* the only one */
	assert_int_equal(strlen(x.out), two.len);
	assert_memory_equal(x.out, two.data, two.len);
	add_lie(&x, EPOCH, &one);
	assert_int_equal(run(&x, "list", NULL, NULL), 0);
	assert_int_equal(strncmp(x.out, "1  The gateway of the network", 29), 0);
	line = strchr(x.out, '\n') + 1;
	assert_int_equal(strncmp(line, "2  ", 3), 0);
	assert_non_null(strstr(x.out, "two sheets for epoch 70000 "));
	assert_int_equal(run(&x, "list", "--json", NULL), 0);
	assert_non_null(strstr(x.out, "\"proves\":\"sheets\",\"epoch\":70001"));
	assert_int_not_equal(run(&x, "export", NULL, NULL), 0);
	assert_non_null(strstr(x.err, "name one"));
	assert_int_equal(run(&x, "export", "1", NULL), 0);
	assert_memory_equal(x.out, one.data, one.len);
	assert_int_not_equal(run(&x, "export", "3", NULL), 0);
	assert_int_not_equal(run(&x, "export", "1x", NULL), 0);
	buf_release(&one);
	buf_release(&two);
	end(&x);
}

static void
test_to_a_file(void **state)
{
	char option[600];
	struct buf text;
	struct place x;
	struct stat st;

	(void)state;
	begin(&x);
	add_lie(&x, EPOCH, &text);
	(void)snprintf(option, sizeof(option), "--output=%s", x.output);
	assert_int_equal(run(&x, "export", option, NULL), 0);
	assert_string_equal(x.out, "");
	assert_int_equal(stat(x.output, &st), 0);
	assert_int_equal(st.st_size, text.len);
	assert_int_not_equal(run(&x, "export", option, NULL), 0); /* never over another */
	assert_non_null(strstr(x.err, "it exists"));
	assert_int_equal(unlink(x.output), 0);
	buf_release(&text);
	end(&x);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_nothing),
	cmocka_unit_test(test_list_and_export),
	cmocka_unit_test(test_to_a_file),
};

TEST_MAIN(tests)
