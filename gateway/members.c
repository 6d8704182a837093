#include "config.h"

#include "gateway/members.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/charter/charter.h"

#define LINE_MAX_BYTES (MEMBERS_NAME_MAX + 1 + MEMBERS_KEY_CHARS + 1)
#define FILE_MAX_BYTES ((size_t)MEMBERS_MAX * LINE_MAX_BYTES)

/* ---- checks ---- */

enum err
members_check_name(const char *name, struct diag *d)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || n > MEMBERS_NAME_MAX || name[n] != '\0' || name[0] == '-')
		return diag_set(d, ERR_USAGE, "a group's name is 1 to %d of a-z, 0-9 and '-', not "
		    "'-' in front", MEMBERS_NAME_MAX);
	if (strcmp(name, MEMBERS_PROBE) == 0)
		return diag_set(d, ERR_USAGE, "the name \"" MEMBERS_PROBE "\" is the gateway's own; "
		    "choose another");
	return ERR_OK;
}

/* Exactly the one text of a usable key. */
static enum err
read_key(uint8_t key[static 32], const char *text, size_t len)
{
	enum err e = encode_from_base32(key, 32, text, len);

	return e == ERR_OK && !charter_key_usable(key) ? ERR_CRYPTO : e;
}

enum err
members_parse_key(uint8_t key[static 32], const char *text, struct diag *d)
{
	char lower[MEMBERS_KEY_CHARS];
	size_t n = strnlen(text, MEMBERS_KEY_CHARS + 1);

	for (size_t i = 0; i < n && i < MEMBERS_KEY_CHARS; i++)
		lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
	if (n == MEMBERS_KEY_CHARS && read_key(key, lower, n) == ERR_OK)
		return ERR_OK;
	return diag_set(d, ERR_USAGE, "a group's key is the public half of an x25519 pair, %d "
	    "characters of base32 (a-z, 2-7) without '='", MEMBERS_KEY_CHARS);
}

/* ---- changes ---- */

/* Where name is, or belongs. */
static size_t
place(const struct members *m, const char *name)
{
	size_t at = 0;

	while (at < m->count && strcmp(m->list[at].name, name) < 0)
		at++;
	return at;
}

static const struct member *
find_key(const struct members *m, const uint8_t key[static 32])
{
	for (size_t i = 0; i < m->count; i++)
		if (memcmp(m->list[i].key, key, 32) == 0) /* public */
			return &m->list[i];
	return NULL;
}

enum err
members_add(struct members *m, const char *name, const uint8_t key[static 32], struct diag *d)
{
	const struct member *same = find_key(m, key);
	size_t at = place(m, name);

	if (at < m->count && strcmp(m->list[at].name, name) == 0)
		return diag_set(d, ERR_EXISTS, "there is a group %s already; remove it first, or "
		    "choose another name", name);
	if (same != NULL)
		return diag_set(d, ERR_EXISTS, "the group %s has this key already", same->name);
	if (m->count == MEMBERS_MAX)
		return diag_set(d, ERR_FULL, "there are %d groups already, and no more can be; "
		    "remove one, or let people share a group's key", MEMBERS_MAX);
	memmove(&m->list[at + 1], &m->list[at], (m->count - at) * sizeof(m->list[0]));
	m->list[at] = (struct member){ .name = "" };
	memcpy(m->list[at].name, name, strlen(name) + 1);
	memcpy(m->list[at].key, key, 32);
	m->count++;
	return ERR_OK;
}

enum err
members_remove(struct members *m, const char *name, struct diag *d)
{
	size_t at = place(m, name);

	if (at == m->count || strcmp(m->list[at].name, name) != 0)
		return diag_set(d, ERR_NOT_FOUND, "there is no group of this name; member list "
		    "shows them");
	m->count--;
	memmove(&m->list[at], &m->list[at + 1], (m->count - at) * sizeof(m->list[0]));
	return ERR_OK;
}

/* ---- text ---- */

enum err
members_print(struct buf *out, const struct members *m)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < m->count && e == ERR_OK; i++) {
		char key[ENCODE_BASE32_SIZE(32)];

		encode_base32(key, m->list[i].key, 32);
		e = buf_append(out, m->list[i].name, strlen(m->list[i].name), SIZE_MAX);
		if (e == ERR_OK)
			e = buf_append(out, " ", 1, SIZE_MAX);
		if (e == ERR_OK)
			e = buf_append(out, key, MEMBERS_KEY_CHARS, SIZE_MAX);
		if (e == ERR_OK)
			e = buf_append(out, "\n", 1, SIZE_MAX);
	}
	return e;
}

/* One line without its end into the list behind the others. */
static enum err
parse_line(struct members *m, const char *line, size_t len, struct diag *why)
{
	const char *blank = memchr(line, ' ', len);
	size_t n = blank != NULL ? (size_t)(blank - line) : len;
	char name[MEMBERS_NAME_MAX + 1];
	uint8_t key[32];

	if (blank == NULL || n > MEMBERS_NAME_MAX)
		return diag_set(why, ERR_MALFORMED, "not a name, a blank and a key");
	memcpy(name, line, n);
	name[n] = '\0';
	if (strlen(name) != n || members_check_name(name, why) != ERR_OK)
		return diag_set(why, ERR_MALFORMED, "not the name of a group");
	if (read_key(key, blank + 1, len - n - 1) != ERR_OK)
		return diag_set(why, ERR_MALFORMED, "not a key");
	if (m->count > 0 && strcmp(m->list[m->count - 1].name, name) >= 0)
		return diag_set(why, ERR_MALFORMED, "the names do not ascend");
	return members_add(m, name, key, why);
}

static enum err
parse_lines(struct members *m, const char *text, size_t len, struct diag *d)
{
	enum err e = ERR_OK;

	for (unsigned line = 1; len > 0 && e == ERR_OK; line++) {
		const char *end = memchr(text, '\n', len);
		struct diag why = { "" };

		if (end == NULL)
			e = diag_set(&why, ERR_MALFORMED, "the line has no end");
		else
			e = parse_line(m, text, (size_t)(end - text), &why);
		if (e != ERR_OK)
			return diag_set(d, e, MEMBERS_FILE ", line %u: %s; mend the file in the "
			    "state directory, or remove it and add the groups anew", line, why.text);
		len -= (size_t)(end - text) + 1;
		text = end + 1;
	}
	return e;
}

enum err
members_parse(struct members *out, const char *text, size_t len, struct diag *d)
{
	struct members *m = calloc(1, sizeof(*m));
	enum err e;

	if (m == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	e = parse_lines(m, text, len, d);
	if (e == ERR_OK)
		*out = *m;
	free(m);
	return e;
}

/* ---- file ---- */

enum err
members_load(struct members *out, struct disk *disk, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(disk, &b, MEMBERS_FILE, FILE_MAX_BYTES);
	if (e == ERR_OK)
		e = members_parse(out, (const char *)b.data, b.len, d);
	else if (e == ERR_NOT_FOUND)
		*out = (struct members){ .count = 0 }, e = ERR_OK;
	else
		e = diag_set(d, e, MEMBERS_FILE ": cannot be read from the state directory (%s); "
		    "mend or remove it", err_text(e));
	buf_release(&b);
	return e;
}

enum err
members_save(struct disk *disk, const struct members *m, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = members_print(&b, m);
	if (e == ERR_OK)
		e = disk_replace(disk, MEMBERS_FILE, b.data, b.len);
	buf_release(&b);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, MEMBERS_FILE ": cannot be written (%s); see that there is room in the "
	    "state directory", err_text(e));
}
