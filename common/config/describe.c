#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "common/config/table.h"

/* The tables of configuration, printed for people. */

static void
number_text(char out[static CONFIG_VALUE_BYTES], const struct config_key *k, int64_t v)
{
	if (k->type == CONFIG_DURATION && v >= 0)
		config_duration_text(out, v);
	else if (k->type == CONFIG_DECIMAL && v >= 0)
		config_decimal_text(out, v);
	else if (k->type == CONFIG_SIZE && v >= 0)
		config_size_text(out, v);
	else
		(void)snprintf(out, CONFIG_VALUE_BYTES, "%" PRId64, v);
}

static void
range_form(char *out, size_t size, const struct config_key *k, const char *what)
{
	char min[CONFIG_VALUE_BYTES], max[CONFIG_VALUE_BYTES];

	number_text(min, k, k->min);
	number_text(max, k, k->max);
	(void)snprintf(out, size, "%s from %s to %s", what, min, max);
}

static void
choices_form(char *out, size_t size, const struct config_key *k)
{
	size_t n = (size_t)snprintf(out, size, "one of: ");

	for (size_t i = 0; k->choices[i] != NULL && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "", k->choices[i]);
}

static void
text_form(char *out, size_t size, const struct config_key *k, const char *what)
{
	int64_t max = k->set != NULL ? k->max : (int64_t)k->size - 1;

	if (k->max > 0 && k->max < max)
		max = k->max;
	if (k->min > 0)
		(void)snprintf(
		    out, size, "%s of %" PRId64 " to %" PRId64 " bytes", what, k->min, max);
	else if (max > 0)
		(void)snprintf(out, size, "%s of at most %" PRId64 " bytes", what, max);
	else
		(void)snprintf(out, size, "%s", what);
}

void
config_form(char *out, size_t size, const struct config_key *k)
{
	switch (k->type) {
	case CONFIG_BOOL:
		(void)snprintf(out, size, "yes or no");
		break;
	case CONFIG_INTEGER:
		range_form(out, size, k, "a number");
		break;
	case CONFIG_DECIMAL:
		range_form(out, size, k, "a number (like 2, 0.25)");
		break;
	case CONFIG_DURATION:
		range_form(out, size, k, "a duration (like 200ms, 5s, 10min, 6h, 14d)");
		break;
	case CONFIG_SIZE:
		range_form(out, size, k, "a size (like 4096, 64KiB, 1GiB)");
		break;
	case CONFIG_STRING:
		text_form(out, size, k, "a text");
		break;
	case CONFIG_PATH:
		text_form(out, size, k, "an absolute path");
		break;
	case CONFIG_ADDRESS:
		text_form(out, size, k, "an address (host:port, [IPv6]:port or unix:/path)");
		break;
	case CONFIG_ENUM:
		choices_form(out, size, k);
		break;
	}
}

/* "name: help (unit)" wrapped at 78 columns behind a prefix. */
static void
print_wrapped(FILE *out, const char *prefix, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > 0 && column + 1 + n > 78) {
			(void)fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(out, "%s%.*s", column == 0 ? prefix : " ", (int)n, text);
		text += n + (text[n] == ' ');
	}
	(void)fputc('\n', out);
}

static void
print_about(FILE *out, const char *prefix, const struct config_key *k)
{
	char form[256], text[1024];

	config_form(form, sizeof(form), k);
	(void)snprintf(text, sizeof(text), "%s%s%s%s: %s.%s%s", k->help,
	    k->unit != NULL ? " (" : "", k->unit != NULL ? k->unit : "", k->unit != NULL ? ")" : "",
	    form, k->fallback == NULL ? " Required." : "", k->repeated ? " May be repeated." : "");
	print_wrapped(out, prefix, text);
}

void
config_print_defaults(FILE *out, const struct config_schema *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct config_key *k = &s->keys[i];
		bool absent = k->fallback == NULL || *k->fallback == '\0' || k->repeated;

		print_about(out, "# ", k);
		/* a comment, because there is nothing that it could be set to */
		(void)fprintf(out, "%s%s = %s\n%s", absent ? "# " : "", k->name,
		    k->fallback != NULL ? k->fallback : "", i + 1 < s->count ? "\n" : "");
	}
}

void
config_describe(FILE *out, const struct config_schema *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct config_key *k = &s->keys[i];
		bool has_default = k->fallback != NULL && *k->fallback != '\0' && !k->repeated;

		(void)fprintf(out, "  %s%s%s\n", k->name, has_default ? " = " : "",
		    has_default ? k->fallback : "");
		print_about(out, "      ", k);
	}
}

static void
print_value(FILE *out, const struct config_key *k, const void *target)
{
	const char *at = (const char *)target + k->offset;
	char text[CONFIG_VALUE_BYTES];
	int64_t number;
	bool yes;
	int choice;

	switch (k->type) {
	case CONFIG_BOOL:
		memcpy(&yes, at, sizeof(yes));
		(void)fprintf(out, "%s = %s\n", k->name, yes ? "yes" : "no");
		break;
	case CONFIG_ENUM:
		memcpy(&choice, at, sizeof(choice));
		(void)fprintf(out, "%s = %s\n", k->name, k->choices[choice]);
		break;
	case CONFIG_INTEGER:
	case CONFIG_DECIMAL:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		memcpy(&number, at, sizeof(number));
		number_text(text, k, number);
		(void)fprintf(out, "%s = %s\n", k->name, text);
		break;
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_ADDRESS:
		if (*at != '\0')
			(void)fprintf(out, "%s = %s\n", k->name, at);
		break;
	}
}

void
config_print(FILE *out, const struct config_schema *s, const void *target)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->keys[i].set == NULL)
			print_value(out, &s->keys[i], target);
}
