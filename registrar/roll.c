#include "config.h"

#include "registrar/roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/config/value.h"

#define MAGIC "restante-roll "
#define LINE_BYTES (10 + 1 + ROLL_NAME_MAX + 1 + ENCODE_HEX_SIZE(ENROLMENT_ID_BYTES) + 1)
#define FILE_MAX ((size_t)ROLL_MAX * LINE_BYTES + 64)

void
roll_init(struct roll *r)
{
	*r = (struct roll){ .next = 1 };
}

void
roll_release(struct roll *r)
{
	free(r->list);
	roll_init(r);
}

static enum err
make_room(struct roll *r, size_t wanted)
{
	size_t room = wanted < 64 ? 64 : wanted + wanted / 2;
	struct roll_member *list;

	if (wanted <= r->room)
		return ERR_OK;
	list = realloc(r->list, room * sizeof(*list));
	if (list == NULL)
		return ERR_MEMORY;
	r->list = list;
	r->room = room;
	return ERR_OK;
}

enum err
roll_copy(struct roll *to, const struct roll *from)
{
	enum err e = make_room(to, from->count + 1);

	if (e != ERR_OK)
		return e;
	if (from->count > 0)
		memcpy(to->list, from->list, from->count * sizeof(to->list[0]));
	to->count = from->count;
	to->next = from->next;
	return ERR_OK;
}

/* ---- members ---- */

enum err
roll_check_name(const char *name, struct diag *d)
{
	size_t n = strlen(name);

	if (n > 0 && n <= ROLL_NAME_MAX && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n)
		return ERR_OK;
	return diag_set(d, ERR_USAGE, "a member's name is 1 to %d of a-z, 0-9 and -, with no - in "
	    "front", ROLL_NAME_MAX);
}

static size_t
index_of(const struct roll *r, const char *name)
{
	size_t i = 0;

	while (i < r->count && strcmp(r->list[i].name, name) != 0)
		i++;
	return i;
}

/* Behind the others: numbers ascend. */
static enum err
append(struct roll *r, uint32_t number, const char *name, const uint8_t id[static 32])
{
	struct roll_member *m;
	enum err e = make_room(r, r->count + 1);

	if (e != ERR_OK)
		return e;
	m = &r->list[r->count++];
	memset(m, 0, sizeof(*m));
	m->number = number;
	memcpy(m->name, name, strlen(name));
	memcpy(m->id, id, sizeof(m->id));
	return ERR_OK;
}

enum err
roll_add(struct roll *r, const char *name, const uint8_t id[static ENROLMENT_ID_BYTES],
    struct diag *d)
{
	enum err e;

	if (index_of(r, name) < r->count)
		return diag_set(d, ERR_EXISTS, "%s is enrolled; take another name, or revoke the "
		    "code first", name);
	if (r->count == ROLL_MAX || r->next == UINT32_MAX)
		return diag_set(d, ERR_FULL, "the roll has room for %d members: revoke some",
		    ROLL_MAX);
	e = append(r, r->next, name, id);
	if (e != ERR_OK)
		return diag_set(d, e, "out of memory");
	r->next++;
	return ERR_OK;
}

enum err
roll_remove(struct roll *r, const char *name, struct diag *d)
{
	size_t i = index_of(r, name);

	if (i == r->count)
		return diag_set(d, ERR_NOT_FOUND, "nobody is enrolled by this name: see "
		    "restante-registrar list");
	r->count--;
	memmove(&r->list[i], &r->list[i + 1], (r->count - i) * sizeof(r->list[0]));
	return ERR_OK;
}

const struct roll_member *
roll_find(const struct roll *r, const uint8_t id[static ENROLMENT_ID_BYTES])
{
	/* a hash of a secret: its bytes tell nothing that helps to find another */
	for (size_t i = 0; i < r->count; i++)
		if (memcmp(r->list[i].id, id, ENROLMENT_ID_BYTES) == 0) /* public */
			return &r->list[i];
	return NULL;
}

/* ---- text ---- */

static enum err
put(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text), FILE_MAX);
}

enum err
roll_print(struct buf *out, const struct roll *r)
{
	char line[LINE_BYTES + 8], id[ENCODE_HEX_SIZE(ENROLMENT_ID_BYTES)];
	enum err e;

	(void)snprintf(line, sizeof(line), MAGIC "1\nnext %" PRIu32 "\n", r->next);
	e = put(out, line);
	for (size_t i = 0; e == ERR_OK && i < r->count; i++) {
		const struct roll_member *m = &r->list[i];

		encode_hex(id, m->id, sizeof(m->id));
		(void)snprintf(line, sizeof(line), "%" PRIu32 " %s %s\n", m->number, m->name, id);
		e = put(out, line);
	}
	return e;
}

/* The next line, without its end, into line; false at the end or if it is too long. */
static bool
next_line(char line[static LINE_BYTES], const char **text, size_t *len)
{
	const char *end = memchr(*text, '\n', *len);
	size_t n = end != NULL ? (size_t)(end - *text) : 0;

	if (end == NULL || n >= LINE_BYTES)
		return false;
	memcpy(line, *text, n);
	line[n] = '\0';
	*text += n + 1;
	*len -= n + 1;
	return strlen(line) == n;
}

static bool
number_of(uint32_t *out, const char *text)
{
	int64_t v;

	/* one text for one number */
	if (text[0] == '0' || text[strspn(text, "0123456789")] != '\0' ||
	    config_integer(&v, text) != ERR_OK || v < 1 || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static enum err
parse_member(struct roll *r, char *line)
{
	char *name = strchr(line, ' '), *hex = name != NULL ? strchr(name + 1, ' ') : NULL;
	uint32_t number, before = r->count > 0 ? r->list[r->count - 1].number : 0;
	uint8_t id[ENROLMENT_ID_BYTES];

	if (hex == NULL || r->count == ROLL_MAX)
		return ERR_MALFORMED;
	*name++ = '\0';
	*hex++ = '\0';
	if (!number_of(&number, line) || number <= before || number >= r->next ||
	    roll_check_name(name, NULL) != ERR_OK ||
	    encode_from_hex(id, sizeof(id), hex, strlen(hex)) != ERR_OK)
		return ERR_MALFORMED;
	return append(r, number, name, id);
}

static enum err
parse_head(struct roll *r, const char **text, size_t *len)
{
	char line[LINE_BYTES];
	uint32_t version;

	if (!next_line(line, text, len) || strncmp(line, MAGIC, strlen(MAGIC)) != 0 ||
	    !number_of(&version, line + strlen(MAGIC)))
		return ERR_MALFORMED;
	if (version > 1)
		return ERR_VERSION;
	if (!next_line(line, text, len) || strncmp(line, "next ", 5) != 0 ||
	    !number_of(&r->next, line + 5))
		return ERR_MALFORMED;
	return ERR_OK;
}

enum err
roll_parse(struct roll *r, const char *text, size_t len, struct diag *d)
{
	char line[LINE_BYTES];
	enum err e = parse_head(r, &text, &len);

	while (e == ERR_OK && len > 0)
		e = next_line(line, &text, &len) ? parse_member(r, line) : ERR_MALFORMED;
	if (e == ERR_OK)
		return ERR_OK;
	roll_release(r);
	return diag_set(d, e, "the file " ROLL_FILE ": %s; restore it from a backup",
	    e == ERR_VERSION ? "made by a newer version of restante" : err_text(e));
}

enum err
roll_load(struct roll *r, struct disk *disk, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = disk_read(disk, &text, ROLL_FILE, FILE_MAX);
	if (e == ERR_OK)
		e = roll_parse(r, (const char *)text.data, text.len, d);
	else if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	else
		(void)diag_set(d, e, "the file " ROLL_FILE " cannot be read: %s", err_text(e));
	buf_release(&text);
	return e;
}

enum err
roll_save(struct disk *disk, const struct roll *r, struct diag *d)
{
	struct buf text;
	enum err e;

	buf_init(&text);
	e = roll_print(&text, r);
	if (e == ERR_OK)
		e = disk_replace(disk, ROLL_FILE, text.data, text.len);
	buf_release(&text);
	return e == ERR_OK ? ERR_OK :
	    diag_set(d, e, "the file " ROLL_FILE " cannot be written: %s", err_text(e));
}
