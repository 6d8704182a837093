/*
 * Configuration files. Whatever is refused says why and leaves the target
 * alone; whatever is taken obeys the table, and printed again it is the same.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/table.h"

struct settings {
	bool flag;
	int64_t number, decimal_milli, duration_ms, size_bytes;
	char text[16], path[32], address[48];
	int choice;
	int64_t repeats;
};

static enum err
count_repeat(void *target, const char *value, struct diag *d)
{
	struct settings *s = target;

	if (strcmp(value, "refuse") == 0)
		return diag_set(d, ERR_RANGE, "a value that the setter refuses");
	s->repeats++;
	return ERR_OK;
}

static const char *const choices[] = {"red", "green", "blue", NULL};
static const struct config_key keys[] = {
    {.name = "flag",
	.type = CONFIG_BOOL,
	.fallback = "no",
	.help = "h",
	CONFIG_FIELD(struct settings, flag)},
    {.name = "number",
	.type = CONFIG_INTEGER,
	.min = -1000,
	.max = 1000,
	.fallback = "1",
	.help = "h",
	CONFIG_FIELD(struct settings, number)},
    {.name = "decimal",
	.type = CONFIG_DECIMAL,
	.max = 5000,
	.fallback = "0.5",
	.help = "h",
	CONFIG_FIELD(struct settings, decimal_milli)},
    {.name = "duration",
	.type = CONFIG_DURATION,
	.min = 1,
	.max = INT64_MAX,
	.fallback = "1s",
	.help = "h",
	CONFIG_FIELD(struct settings, duration_ms)},
    {.name = "size",
	.type = CONFIG_SIZE,
	.max = INT64_MAX,
	.fallback = "1KiB",
	.help = "h",
	CONFIG_FIELD(struct settings, size_bytes)},
    {.name = "text",
	.type = CONFIG_STRING,
	.fallback = "",
	.help = "h",
	CONFIG_FIELD(struct settings, text)},
    {.name = "path", .type = CONFIG_PATH, .help = "h", CONFIG_FIELD(struct settings, path)},
    {.name = "address",
	.type = CONFIG_ADDRESS,
	.fallback = "",
	.help = "h",
	CONFIG_FIELD(struct settings, address)},
    {.name = "choice",
	.type = CONFIG_ENUM,
	.fallback = "red",
	.choices = choices,
	.help = "h",
	CONFIG_FIELD(struct settings, choice)},
    {.name = "repeat",
	.type = CONFIG_STRING,
	.fallback = "",
	.set = count_repeat,
	.repeated = true,
	.help = "h"},
};
static const struct config_schema schema = {
    keys, sizeof(keys) / sizeof(keys[0]), sizeof(struct settings)};

static void
demand(bool holds)
{
	if (!holds)
		abort();
}

static void
check_printed(const struct settings *s)
{
	struct settings back;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	demand(f != NULL);
	config_print(f, &schema, s);
	(void)fclose(f);
	demand(config_parse(&back, &schema, "printed", text, n, NULL) == ERR_OK);
	demand(back.flag == s->flag && back.number == s->number && back.choice == s->choice);
	demand(back.decimal_milli == s->decimal_milli);
	demand(back.duration_ms == s->duration_ms && back.size_bytes == s->size_bytes);
	demand(strcmp(back.text, s->text) == 0 && strcmp(back.path, s->path) == 0);
	demand(strcmp(back.address, s->address) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings s, before;
	struct diag d = {""};

	memset(&s, 0x5a, sizeof(s));
	before = s;
	if (config_parse(&s, &schema, "input", data, size, &d) != ERR_OK) {
		demand(memcmp(&s, &before, sizeof(s)) == 0);
		demand(strncmp(d.text, "input", 5) == 0);
		return 0;
	}
	demand(s.number >= -1000 && s.number <= 1000 && s.duration_ms >= 1 && s.size_bytes >= 0);
	demand(s.decimal_milli >= 0 && s.decimal_milli <= 5000);
	demand(s.choice >= 0 && s.choice < 3);
	demand(memchr(s.text, 0, sizeof(s.text)) != NULL && s.path[0] == '/');
	check_printed(&s);
	return 0;
}
