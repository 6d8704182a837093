#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config/table.h"
#include "tests/lib/test.h"

enum transport { TOR, LOOPBACK };

struct settings {
	bool verbose;
	int64_t people, slot_ms, cache_bytes;
	char name[16], state[64], listen[64];
	enum transport transport;
	char peers[4][32]; /* by a setter */
	int64_t peer_count;
};

static enum err
add_peer(void *target, const char *value, struct diag *d)
{
	struct settings *s = target;

	if (s->peer_count == 4)
		return diag_set(d, ERR_FULL, "more than 4 peers; remove one");
	(void)snprintf(s->peers[s->peer_count++], sizeof(s->peers[0]), "%s", value);
	return ERR_OK;
}

static const char *const transports[] = {"tor", "loopback", NULL};

static const struct config_key keys[] = {
    {.name = "verbose",
	.type = CONFIG_BOOL,
	.fallback = "no",
	.help = "say more",
	CONFIG_FIELD(struct settings, verbose)},
    {.name = "people",
	.type = CONFIG_INTEGER,
	.min = -5,
	.max = 1000,
	.fallback = "50",
	.unit = "people",
	.help = "members of the network",
	CONFIG_FIELD(struct settings, people)},
    {.name = "slot",
	.type = CONFIG_DURATION,
	.min = 100,
	.max = 3600000,
	.fallback = "5s",
	.help = "time between two packets",
	CONFIG_FIELD(struct settings, slot_ms)},
    {.name = "cache",
	.type = CONFIG_SIZE,
	.min = 0,
	.max = 1 << 30,
	.fallback = "64MiB",
	.help = "memory for blocks",
	CONFIG_FIELD(struct settings, cache_bytes)},
    {.name = "name",
	.type = CONFIG_STRING,
	.min = 2,
	.fallback = "",
	.help = "what it is called",
	CONFIG_FIELD(struct settings, name)},
    {.name = "state",
	.type = CONFIG_PATH,
	.help = "where keys and state live",
	CONFIG_FIELD(struct settings, state)},
    {.name = "listen",
	.type = CONFIG_ADDRESS,
	.fallback = "unix:/run/restante",
	.help = "where to listen",
	CONFIG_FIELD(struct settings, listen)},
    {.name = "transport",
	.type = CONFIG_ENUM,
	.fallback = "tor",
	.choices = transports,
	.help = "how clients come in",
	CONFIG_FIELD(struct settings, transport)},
    {.name = "peer",
	.type = CONFIG_STRING,
	.min = 1,
	.max = 31,
	.fallback = "",
	.set = add_peer,
	.repeated = true,
	.help = "another one"},
};
static const struct config_schema schema = {
    keys, sizeof(keys) / sizeof(keys[0]), sizeof(struct settings)};

static enum err
parse(struct settings *s, const char *text, struct diag *d)
{
	return config_parse(s, &schema, "test.conf", text, strlen(text), d);
}

static void
test_defaults_and_required(void **state)
{
	struct settings s;
	struct diag d;

	(void)state;
	config_defaults(&s, &schema);
	assert_false(s.verbose);
	assert_int_equal(s.people, 50);
	assert_int_equal(s.slot_ms, 5000);
	assert_int_equal(s.cache_bytes, 64 << 20);
	assert_string_equal(s.name, "");
	assert_string_equal(s.state, "");
	assert_string_equal(s.listen, "unix:/run/restante");
	assert_int_equal(s.transport, TOR);
	assert_int_equal(s.peer_count, 0);
	assert_err(parse(&s, "", &d), ERR_NOT_FOUND);
	assert_string_equal(d.text, "test.conf: 'state' is missing; add a line 'state = ...', an "
				    "absolute path of at most 63 bytes");
}

static void
test_a_whole_file(void **state)
{
	struct settings s;
	struct diag d;

	(void)state;
	assert_err_ok(parse(&s,
	    "# a comment\n"
	    "\n"
	    "  \t \n"
	    "verbose=yes\n"
	    "\tpeople =\t-5   # few\n"
	    "slot = 10min\n"
	    "cache = 1GiB\n"
	    "name = a#b  c\t#comment # again\n"
	    "state = /var/lib/x\n"
	    "listen = [::1]:7000\n"
	    "transport = loopback\n"
	    "peer = one\n"
	    "peer = two = 2",
	    &d));
	assert_true(s.verbose);
	assert_int_equal(s.people, -5);
	assert_int_equal(s.slot_ms, 600000);
	assert_int_equal(s.cache_bytes, 1 << 30);
	assert_string_equal(s.name, "a#b  c");
	assert_string_equal(s.state, "/var/lib/x");
	assert_string_equal(s.listen, "[::1]:7000");
	assert_int_equal(s.transport, LOOPBACK);
	assert_int_equal(s.peer_count, 2);
	assert_string_equal(s.peers[0], "one");
	assert_string_equal(s.peers[1], "two = 2");
}

/* Each is appended to a good first line, so that line 2 is the bad one. */
static void
test_refused(void **state)
{
	static const struct {
		const char *line;
		enum err want;
		const char *sentence;
	} cases[] = {
	    {"slto = 5s", ERR_NOT_FOUND, "unknown key 'slto'; did you mean 'slot'?"},
	    {"quite-other = 5", ERR_NOT_FOUND, "unknown key 'quite-other'; remove the line"},
	    {"state = /other", ERR_EXISTS, "'state' stands here twice; keep one"},
	    {"people", ERR_MALFORMED, "not of the form 'key = value'"},
	    {"= 5", ERR_MALFORMED, "not of the form 'key = value'"},
	    {"People = 5", ERR_MALFORMED, "not of the form 'key = value'"},
	    {"peo ple = 5", ERR_MALFORMED, "not of the form 'key = value'"},
	    {"[section]", ERR_MALFORMED, "not of the form 'key = value'"},
	    {"people = many", ERR_MALFORMED,
		"bad value of 'people'; it must be a number from -5 to 1000"},
	    {"people =", ERR_MALFORMED, "bad value of 'people'"},
	    {"people = 1001", ERR_RANGE,
		"value out of range of 'people'; it must be a number from -5 to 1000"},
	    {"people = -6", ERR_RANGE, "value out of range of 'people'"},
	    {"slot = 99ms", ERR_RANGE, "(like 200ms, 5s, 10min, 6h, 14d) from 100ms to 1h"},
	    {"slot = 5", ERR_MALFORMED, "bad value of 'slot'; it must be a duration"},
	    {"cache = 2GiB", ERR_RANGE, "from 0 to 1GiB"},
	    {"verbose = true", ERR_MALFORMED, "it must be yes or no"},
	    {"name = a", ERR_RANGE, "a text of 2 to 15 bytes"},
	    {"name = 1234567890123456", ERR_RANGE, "a text of 2 to 15 bytes"},
	    {"listen = nowhere", ERR_MALFORMED, "an address (host:port, "},
	    {"transport = pigeon", ERR_MALFORMED, "it must be one of: tor, loopback"},
	    {"transport =", ERR_MALFORMED, "it must be one of: tor, loopback"},
	    {"name = a\rb", ERR_MALFORMED, "a control character; save the file as plain text"},
	    {"people = 5\r", ERR_MALFORMED, "a control character"},
	    {"name = \x1b[2J", ERR_MALFORMED, "a control character"},
	    {"name = \x7f\x7f", ERR_MALFORMED, "a control character"},
	    {"people =#5", ERR_MALFORMED, "bad value of 'people'"},
	    {"peer = 1\npeer = 2\npeer = 3\npeer = 4\npeer = 5", ERR_FULL, "more than 4 peers"},
	};
	char text[256];
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings s, before;

		memset(&s, 0x5a, sizeof(s));
		before = s;
		(void)snprintf(text, sizeof(text), "state = /x\n%s\n", cases[i].line);
		d.text[0] = '\0';
		assert_err(parse(&s, text, &d), cases[i].want);
		assert_contains(d.text, cases[i].sentence);
		assert_contains(d.text,
		    cases[i].want == ERR_FULL ? "test.conf, line 6: " : "test.conf, line 2: ");
		assert_memory_equal(&s, &before, sizeof(s));
		assert_err(parse(&s, text, NULL), cases[i].want);
	}
}

static void
test_a_sentence_never_repeats_a_value(void **state)
{
	struct settings s;
	struct diag d;

	(void)state;
	assert_err(parse(&s, "people = hunter2\n", &d), ERR_MALFORMED);
	assert_null(strstr(d.text, "hunter2"));
	assert_err(parse(&s, "hunter2 secret\n", &d), ERR_MALFORMED);
	assert_null(strstr(d.text, "hunter2"));
}

static void
test_nul_and_lengths(void **state)
{
	static const char nul[] = "state = /x\nname = a\0b\n";
	static char much[CONFIG_FILE_MAX + 1];
	struct settings s;
	struct diag d;

	(void)state;
	assert_err(config_parse(&s, &schema, "f", nul, sizeof(nul) - 1, &d), ERR_MALFORMED);
	assert_contains(d.text, "f, line 2: a control character");
	memset(much, '#', sizeof(much));
	assert_err(config_parse(&s, &schema, "f", much, sizeof(much), &d), ERR_FULL);
	assert_contains(d.text, "f: the file is too large; 65536 bytes are allowed");
	assert_err(config_parse(&s, &schema, "f", much, CONFIG_LINE_MAX + 1, &d), ERR_FULL);
	assert_contains(d.text, "f, line 1: the line is too long; 1024 bytes are allowed");
	assert_err(config_parse(&s, &schema, "f", much, CONFIG_LINE_MAX, &d), ERR_NOT_FOUND);
	memset(much, '\n', sizeof(much));
	memcpy(much + CONFIG_FILE_MAX - 10, "state = /x", 10);
	assert_err_ok(config_parse(&s, &schema, "f", much, CONFIG_FILE_MAX, &d));
	much[CONFIG_FILE_MAX - 1] = 1;
	assert_err(config_parse(&s, &schema, "f", much, CONFIG_FILE_MAX, &d), ERR_MALFORMED);
	assert_contains(d.text, "f, line 65527: ");
}

static void
test_set(void **state)
{
	struct settings s;
	struct diag d;

	(void)state;
	config_defaults(&s, &schema);
	assert_err_ok(config_set(&s, &schema, "people", "7", &d));
	assert_int_equal(s.people, 7);
	assert_err(config_set(&s, &schema, "people", "x", &d), ERR_MALFORMED);
	assert_int_equal(s.people, 7);
	assert_err(config_set(&s, &schema, "peeple", "7", &d), ERR_NOT_FOUND);
	assert_contains(d.text, "did you mean 'people'?");
	assert_err_ok(config_set(&s, &schema, "name", "longer name", &d));
	assert_err_ok(config_set(&s, &schema, "name", "short", &d));
	assert_string_equal(s.name, "short");
	assert_null(config_find(&schema, "peeple"));
	assert_ptr_equal(config_find(&schema, "slot"), &keys[2]);
}

static void
write_file(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	(void)close(fd);
}

static void
test_load(void **state)
{
	static char much[CONFIG_FILE_MAX + 5000];
	char path[600];
	struct settings s;
	struct diag d;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/mix.conf", test_tmpdir());
	assert_err(config_load(&s, &schema, path, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "cannot open /");
	assert_contains(d.text, "mix.conf: No such file");
	write_file(path, "state = /x\npeople = 9\n", 22);
	assert_err_ok(config_load(&s, &schema, path, &d));
	assert_int_equal(s.people, 9);
	memset(much, '\n', sizeof(much));
	memcpy(much, "state = /x", 10);
	write_file(path, much, CONFIG_FILE_MAX);
	assert_err_ok(config_load(&s, &schema, path, &d));
	write_file(path, much, CONFIG_FILE_MAX + 1);
	assert_err(config_load(&s, &schema, path, &d), ERR_FULL);
	write_file(path, much, sizeof(much));
	assert_err(config_load(&s, &schema, path, &d), ERR_FULL);
	*strrchr(path, '/') = '\0';
	assert_err(config_load(&s, &schema, path, &d), ERR_IO);
	assert_contains(d.text, "cannot read");
}

static void
draw(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->verbose = rng_below(test_rng(), 2) == 1;
	s->people = rng_between(test_rng(), -5, 1000);
	s->slot_ms = rng_between(test_rng(), 100, 3600000);
	s->cache_bytes = rng_between(test_rng(), 0, 1 << 20) << rng_below(test_rng(), 10);
	s->transport = rng_below(test_rng(), 2) == 1 ? LOOPBACK : TOR;
	(void)snprintf(s->name, sizeof(s->name), "name %u", rng_below(test_rng(), 1000));
	(void)snprintf(s->state, sizeof(s->state), "/x/%u", rng_below(test_rng(), 1000));
	(void)snprintf(s->listen, sizeof(s->listen), "h:%u", 1 + rng_below(test_rng(), 65535));
}

/* What is printed is read back to the same values. */
static void
test_print_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++) {
		struct settings s, back;
		char *text = NULL;
		struct diag d;
		size_t n;
		FILE *f = open_memstream(&text, &n);

		assert_non_null(f);
		draw(&s);
		config_print(f, &schema, &s);
		(void)fclose(f);
		assert_err_ok(config_parse(&back, &schema, "f", text, n, &d));
		assert_true(back.verbose == s.verbose && back.people == s.people);
		assert_true(back.slot_ms == s.slot_ms && back.cache_bytes == s.cache_bytes);
		assert_true(back.transport == s.transport);
		assert_string_equal(back.name, s.name);
		assert_string_equal(back.state, s.state);
		assert_string_equal(back.listen, s.listen);
		free(text);
	}
}

static void
test_printed_defaults_are_a_valid_file(void **state)
{
	struct settings s, defaults;
	char *text = NULL, *line;
	struct diag d;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	config_print_defaults(f, &schema);
	(void)fclose(f);
	config_defaults(&defaults, &schema);
	line = strstr(text, "# state = ");
	assert_non_null(line); /* required: the one thing to fill in */
	memcpy(line, "state = /x\n#    ", 11);
	assert_err_ok(config_parse(&s, &schema, "f", text, n, &d));
	assert_int_equal(s.people, defaults.people);
	assert_string_equal(s.listen, defaults.listen);
	assert_contains(text, "\nslot = 5s\n");
	assert_contains(text, "Required.");
	free(text);
}

static void
test_describe_names_every_key(void **state)
{
	char *text = NULL, needle[64];
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_non_null(f);
	config_describe(f, &schema);
	(void)fclose(f);
	for (size_t i = 0; i < schema.count; i++) {
		(void)snprintf(needle, sizeof(needle), "  %s", keys[i].name);
		assert_contains(text, needle);
		assert_contains(text, keys[i].help);
	}
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 90);
	free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_defaults_and_required),
    cmocka_unit_test(test_a_whole_file),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_a_sentence_never_repeats_a_value),
    cmocka_unit_test(test_nul_and_lengths),
    cmocka_unit_test(test_set),
    cmocka_unit_test(test_load),
    cmocka_unit_test(test_print_round_trip),
    cmocka_unit_test(test_printed_defaults_are_a_valid_file),
    cmocka_unit_test(test_describe_names_every_key),
};
TEST_MAIN(tests)
