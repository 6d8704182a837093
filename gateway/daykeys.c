#include "config.h"

#include "gateway/daykeys.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"

#define KEY_MAGIC "rsdayk"
#define KEY_VERSION 1
#define CHECK_BYTES 8 /* so that a damaged key is not taken for that of an empty day */
#define FILE_BYTES (FORMAT_BYTES + DAYDB_KEY_BYTES + CHECK_BYTES)
#define PREFIX "key-"
#define NAME_BYTES (sizeof(PREFIX) + 8)

static void
name_of(char out[static NAME_BYTES], uint32_t day)
{
	snprintf(out, NAME_BYTES, PREFIX "%08" PRIx32, day);
}

struct listing {
	uint32_t *out;
	size_t count, max;
	bool more; /* than max */
};

static int
take_name(void *arg, const char *name)
{
	struct listing *l = arg;
	char again[NAME_BYTES];
	uint32_t day;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0)
		return 0;
	day = (uint32_t)strtoul(name + sizeof(PREFIX) - 1, NULL, 16);
	name_of(again, day);
	if (strcmp(again, name) != 0)
		return 0;
	l->more = l->count == l->max;
	if (l->more)
		return 1;
	l->out[l->count++] = day;
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

enum err
daykeys_list(uint32_t *out, size_t *count, size_t max, struct disk *disk)
{
	struct listing l = { .out = out, .max = max };
	enum err e = disk_list(disk, take_name, &l);

	if (e != ERR_OK)
		return e;
	if (l.more)
		return ERR_FULL;
	qsort(out, l.count, sizeof(out[0]), by_number);
	*count = l.count;
	return ERR_OK;
}

static void
check_of(uint8_t out[static CHECK_BYTES], const uint8_t key[static DAYDB_KEY_BYTES])
{
	const struct hash_part part = { key, DAYDB_KEY_BYTES };

	hash_parts(out, CHECK_BYTES, &part, 1);
}

/* file = header || key 32 || BLAKE2b-64 of the key */
static enum err
parse(uint8_t key[static DAYDB_KEY_BYTES], const struct buf *file, struct diag *d)
{
	uint8_t check[CHECK_BYTES], want[CHECK_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, KEY_MAGIC, KEY_VERSION, "a day's key", d);
	if (e != ERR_OK)
		return e;
	reader_copy(&r, key, DAYDB_KEY_BYTES);
	reader_copy(&r, check, sizeof(check));
	check_of(want, key);
	e = reader_end(&r);
	if (e == ERR_OK && sodium_memcmp(check, want, sizeof(check)) != 0)
		e = ERR_MALFORMED;
	secret_wipe(check, sizeof(check));
	secret_wipe(want, sizeof(want));
	return e;
}

enum err
daykeys_load(uint8_t key[static DAYDB_KEY_BYTES], struct disk *disk, uint32_t day, struct diag *d)
{
	char name[NAME_BYTES];
	struct buf file;
	enum err e;

	name_of(name, day);
	buf_init(&file);
	e = disk_read(disk, &file, name, FILE_BYTES);
	if (e == ERR_OK)
		e = parse(key, &file, d);
	buf_release(&file);
	return e;
}

enum err
daykeys_save(struct disk *disk, uint32_t day, const uint8_t key[static DAYDB_KEY_BYTES])
{
	uint8_t file[FILE_BYTES];
	char name[NAME_BYTES];
	struct writer w;
	enum err e;

	name_of(name, day);
	writer_init(&w, file, sizeof(file));
	format_put(&w, KEY_MAGIC, KEY_VERSION);
	writer_copy(&w, key, DAYDB_KEY_BYTES);
	check_of(writer_space(&w, CHECK_BYTES), key);
	e = disk_replace(disk, name, file, sizeof(file));
	secret_wipe(file, sizeof(file));
	return e;
}

enum err
daykeys_destroy(struct disk *disk, uint32_t day)
{
	char name[NAME_BYTES];

	name_of(name, day);
	return disk_remove(disk, name);
}
