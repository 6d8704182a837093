#include "config.h"

#include "common/config/table.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/secret.h"

static bool
is_text(const struct config_key *k)
{
	return k->type == CONFIG_STRING || k->type == CONFIG_PATH || k->type == CONFIG_ADDRESS;
}

const struct config_key *
config_find(const struct config_schema *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->keys[i].name, key) == 0)
			return &s->keys[i];
	return NULL;
}

static const char *
name_at(const void *arg, size_t i)
{
	const struct config_schema *s = arg;

	return s->keys[i].name;
}

static enum err
unknown_key(const struct config_schema *s, const char *key, struct diag *d)
{
	const char *similar = config_similar(key, s->count, name_at, s);

	if (similar != NULL)
		return diag_set(
		    d, ERR_NOT_FOUND, "unknown key '%s'; did you mean '%s'?", key, similar);
	return diag_set(d, ERR_NOT_FOUND, "unknown key '%s'; remove the line", key);
}

/* The longest text that k takes. */
static size_t
text_max(const struct config_key *k)
{
	size_t fits = k->set != NULL ? CONFIG_LINE_MAX : k->size - 1;

	return k->max > 0 && (uint64_t)k->max < fits ? (size_t)k->max : fits;
}

static enum err
check_text(const struct config_key *k, const char *value)
{
	size_t n = strlen(value);

	if (n > text_max(k) || n < (size_t)k->min)
		return ERR_RANGE;
	if (k->type == CONFIG_PATH)
		return config_path(value);
	return k->type == CONFIG_ADDRESS ? config_address(value) : ERR_OK;
}

static enum err
read_choice(int64_t *out, const struct config_key *k, const char *value)
{
	for (int i = 0; k->choices[i] != NULL; i++)
		if (strcmp(k->choices[i], value) == 0) {
			*out = i;
			return ERR_OK;
		}
	return ERR_MALFORMED;
}

/* The value as a number; texts are checked and give 0. */
static enum err
read_value(int64_t *out, const struct config_key *k, const char *value)
{
	bool yes = false;
	enum err e = ERR_OK;

	switch (k->type) {
	case CONFIG_BOOL:
		e = config_bool(&yes, value);
		*out = yes;
		return e;
	case CONFIG_ENUM:
		return read_choice(out, k, value);
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_ADDRESS:
		return check_text(k, value);
	case CONFIG_INTEGER:
		e = config_integer(out, value);
		break;
	case CONFIG_DECIMAL:
		e = config_decimal(out, value);
		break;
	case CONFIG_DURATION:
		e = config_duration(out, value);
		break;
	case CONFIG_SIZE:
		e = config_size(out, value);
		break;
	}
	if (e == ERR_OK && (*out < k->min || *out > k->max))
		e = ERR_RANGE;
	return e;
}

static void
store(void *target, const struct config_key *k, int64_t number, const char *value)
{
	char *at = (char *)target + k->offset;
	bool yes = number != 0;
	int choice = (int)number;

	switch (k->type) {
	case CONFIG_BOOL:
		assert(k->size == sizeof(yes));
		memcpy(at, &yes, sizeof(yes));
		break;
	case CONFIG_ENUM:
		assert(k->size == sizeof(choice));
		memcpy(at, &choice, sizeof(choice));
		break;
	case CONFIG_INTEGER:
	case CONFIG_DECIMAL:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		assert(k->size == sizeof(number));
		memcpy(at, &number, sizeof(number));
		break;
	case CONFIG_STRING:
	case CONFIG_PATH:
	case CONFIG_ADDRESS:
		memset(at, 0, k->size);
		memcpy(at, value, strlen(value));
		break;
	}
}

static enum err
set_key(void *target, const struct config_key *k, const char *value, struct diag *d)
{
	int64_t number = 0;
	char form[256];
	enum err e = read_value(&number, k, value);

	if (e != ERR_OK) {
		config_form(form, sizeof(form), k);
		return diag_set(d, e, "%s of '%s'; it must be %s",
		    e == ERR_RANGE ? "value out of range" : "bad value", k->name, form);
	}
	if (k->check != NULL) {
		e = k->check(k, value, d);
		if (e != ERR_OK)
			return e;
	}
	if (k->set != NULL)
		return k->set(target, value, d);
	store(target, k, number, value);
	return ERR_OK;
}

enum err
config_set(
    void *target, const struct config_schema *s, const char *key, const char *value, struct diag *d)
{
	const struct config_key *k = config_find(s, key);

	return k != NULL ? set_key(target, k, value, d) : unknown_key(s, key, d);
}

static void
set_default(void *target, const struct config_key *k)
{
	bool absent = k->fallback == NULL || k->repeated || (is_text(k) && *k->fallback == '\0');
	enum err e = ERR_OK;

	if (!absent)
		e = set_key(target, k, k->fallback, NULL);
	assert(e == ERR_OK); /* the table's own defaults obey its limits */
	(void)e;
}

void
config_defaults(void *target, const struct config_schema *s)
{
	memset(target, 0, s->size);
	for (size_t i = 0; i < s->count; i++)
		set_default(target, &s->keys[i]);
}

/* One file on its way into a copy of the target. */
struct parse {
	const struct config_schema *schema;
	void *copy;
	const char *file;
	unsigned line;
	uint64_t seen; /* bit i: key i stood in the file */
	struct diag *d;
};

static enum err
fail_at(const struct parse *p, enum err e, const char *cause)
{
	return diag_set(p->d, e, "%s, line %u: %s", p->file, p->line, cause);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut a comment off, then the blanks around what is left. */
static char *
trim(char *s)
{
	char *end;

	while (is_blank(*s))
		s++;
	for (end = s; *end != '\0'; end++)
		if (*end == '#' && (end == s || is_blank(end[-1])))
			break;
	while (end > s && is_blank(end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Where the value of "key = value" begins, with the key cut off; NULL: another form. */
static char *
split(char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
	char *value = s + n;

	while (is_blank(*value))
		value++;
	if (n == 0 || *value != '=')
		return NULL;
	value++;
	while (is_blank(*value))
		value++;
	if (*value == '#') /* "key =# comment": no blank, but no value either */
		*value = '\0';
	s[n] = '\0';
	return value;
}

static enum err
parse_pair(struct parse *p, const char *key, const char *value)
{
	const struct config_key *k = config_find(p->schema, key);
	struct diag why = {""};
	uint64_t bit;
	enum err e;

	if (k == NULL) {
		e = unknown_key(p->schema, key, &why);
		return fail_at(p, e, why.text);
	}
	bit = (uint64_t)1 << (k - p->schema->keys);
	if ((p->seen & bit) != 0 && !k->repeated)
		return diag_set(p->d, ERR_EXISTS, "%s, line %u: '%s' stands here twice; keep one",
		    p->file, p->line, k->name);
	p->seen |= bit;
	e = set_key(p->copy, k, value, &why);
	return e == ERR_OK ? e : fail_at(p, e, why.text);
}

static enum err
parse_line(struct parse *p, const char *start, size_t n)
{
	char line[CONFIG_LINE_MAX + 1], *key, *value;
	enum err e = ERR_OK;

	if (n > CONFIG_LINE_MAX)
		return fail_at(p, ERR_FULL, "the line is too long; 1024 bytes are allowed");
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)start[i] < 0x20 && start[i] != '\t') || start[i] == 0x7f)
			return fail_at(p, ERR_MALFORMED,
			    "a control character; save the file as plain text with Unix line ends");
	memcpy(line, start, n);
	line[n] = '\0';
	key = trim(line);
	if (*key != '\0') {
		value = split(key);
		e = value != NULL ? parse_pair(p, key, value)
				  : fail_at(p, ERR_MALFORMED, "not of the form 'key = value'");
	}
	secret_wipe(line, sizeof(line));
	return e;
}

static enum err
parse_lines(struct parse *p, const char *text, size_t len)
{
	enum err e = ERR_OK;

	while (len > 0 && e == ERR_OK) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;
		size_t step = end != NULL ? n + 1 : n;

		p->line++;
		e = parse_line(p, text, n);
		text += step;
		len -= step;
	}
	return e;
}

static enum err
check_required(const struct parse *p)
{
	for (size_t i = 0; i < p->schema->count; i++) {
		const struct config_key *k = &p->schema->keys[i];
		char form[256];

		if (k->fallback != NULL || (p->seen >> i & 1) != 0)
			continue;
		config_form(form, sizeof(form), k);
		return diag_set(p->d, ERR_NOT_FOUND,
		    "%s: '%s' is missing; add a line '%s = ...', %s", p->file, k->name, k->name,
		    form);
	}
	return ERR_OK;
}

enum err
config_parse(void *target, const struct config_schema *s, const char *file, const void *text,
    size_t len, struct diag *d)
{
	struct parse p = {.schema = s, .file = file, .d = d};
	enum err e;

	assert(s->count <= CONFIG_KEYS_MAX);
	if (len > CONFIG_FILE_MAX)
		return diag_set(d, ERR_FULL, "%s: the file is too large; %d bytes are allowed",
		    file, CONFIG_FILE_MAX);
	p.copy = malloc(s->size);
	if (p.copy == NULL)
		return diag_set(d, ERR_MEMORY, "%s: out of memory", file);
	config_defaults(p.copy, s);
	e = parse_lines(&p, text, len);
	if (e == ERR_OK)
		e = check_required(&p);
	if (e == ERR_OK)
		memcpy(target, p.copy, s->size);
	secret_wipe(p.copy, s->size);
	free(p.copy);
	return e;
}

/* Up to one byte more than is allowed, so that config_parse() can say so. */
static enum err
read_file(struct buf *out, const char *path, struct diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t did = 0;
	uint8_t *to;
	enum err e = ERR_OK;

	if (fd < 0)
		return diag_set(d, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s",
		    path, strerror(errno));
	while (out->len <= CONFIG_FILE_MAX) {
		e = buf_reserve(out, 4096, CONFIG_FILE_MAX + 8192, &to);
		if (e != ERR_OK)
			break;
		did = read(fd, to, 4096);
		if (did > 0)
			out->len += (size_t)did;
		else if (did == 0 || errno != EINTR)
			break;
	}
	if (e != ERR_OK)
		(void)diag_set(d, e, "cannot read %s: %s", path, err_text(e));
	else if (did < 0)
		e = diag_set(d, ERR_IO, "cannot read %s: %s", path, strerror(errno));
	(void)close(fd);
	return e;
}

enum err
config_load(void *target, const struct config_schema *s, const char *path, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = read_file(&text, path, d);
	if (e == ERR_OK)
		e = config_parse(target, s, path, text.data, text.len, d);
	buf_release(&text);
	return e;
}
