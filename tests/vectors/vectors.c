#include "config.h"

#include "tests/vectors/vectors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"

static void
stop(const struct vectors *v, const char *what)
{
	(void)fprintf(stderr, "%s:%lu: %s\n", v->path, v->line, what);
	exit(1);
}

void
vectors_must(const struct vectors *v, bool ok, const char *what)
{
	if (!ok)
		stop(v, what);
}

void
vectors_same(const struct vectors *v, const void *got, const void *want, size_t n, const char *what)
{
	char text[64];

	if (memcmp(got, want, n) == 0) /* public */
		return;
	(void)snprintf(text, sizeof(text), "%s differs", what);
	stop(v, text);
}

/* Read ahead to the next line that is not for people. */
static void
advance(struct vectors *v)
{
	ssize_t n;

	do {
		n = getline(&v->text, &v->room, v->in);
		v->line++;
	} while (n > 0 && (v->text[0] == '#' || v->text[0] == '\n'));
	if (n > 0 && v->text[n - 1] == '\n') {
		v->text[n - 1] = '\0';
		return;
	}
	vectors_must(v, n < 0 && feof(v->in), "the last line is not whole");
	free(v->text);
	v->text = NULL;
}

void
vectors_open(struct vectors *v, const char *path)
{
	*v = (struct vectors){ .in = fopen(path, "r"), .path = path };
	vectors_must(v, v->in != NULL, "cannot be opened");
	advance(v);
}

void
vectors_close(struct vectors *v)
{
	(void)fclose(v->in);
	free(v->text);
}

bool
vectors_more(struct vectors *v)
{
	return v->text != NULL;
}

/* The text of the next value; valid until advance(). */
static const char *
value(struct vectors *v, const char *name)
{
	size_t n = strlen(name);
	char text[128];

	if (v->text == NULL || strncmp(v->text, name, n) != 0 || v->text[n] != ' ') {
		(void)snprintf(text, sizeof(text), "expected %s", name);
		stop(v, text);
	}
	return v->text + n + 1;
}

uint64_t
vectors_u64(struct vectors *v, const char *name, uint64_t max)
{
	const char *text = value(v, name);
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	vectors_must(v, errno == 0 && end != text && *end == '\0' && n <= max, "not such a number");
	advance(v);
	return n;
}

size_t
vectors_string(struct vectors *v, void *out, size_t max, const char *name)
{
	const char *text = value(v, name);
	size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;

	vectors_must(v, len <= max, "too many bytes");
	vectors_must(v, len == 0 || encode_from_hex(out, len, text, strlen(text)) == ERR_OK,
	    "not hexadecimal");
	advance(v);
	return len;
}

void
vectors_bytes(struct vectors *v, void *out, size_t n, const char *name)
{
	vectors_must(v, vectors_string(v, out, n, name) == n, "too few bytes");
}

void
vectors_put_case(const char *text)
{
	(void)printf("\n# %s\n", text);
}

void
vectors_put_u64(const char *name, uint64_t n)
{
	(void)printf("%s %" PRIu64 "\n", name, n);
}

void
vectors_put_bytes(const char *name, const void *p, size_t n)
{
	const uint8_t *at = p;

	(void)printf("%s %s", name, n == 0 ? "-" : "");
	for (size_t i = 0; i < n; i++)
		(void)printf("%02x", at[i]);
	(void)putchar('\n');
}
