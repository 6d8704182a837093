#include "config.h"

#include "gateway/days.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "gateway/daydb.h"
#include "gateway/daykeys.h"

#define OPEN_MAX 4 /* databases open at a time */
#define PATH_BYTES 4096
#define DIRECTORY_PREFIX "day-"
#define EPOCHS_FILE "epochs"
#define STATE_FILE "state"
#define STATE_MAGIC "rsgate"
#define STATE_VERSION 1

/* An open day. */
struct slot {
	struct daydb *db; /* NULL: free */
	struct daydb_head head;
	uint32_t day;
	bool last_known;
	uint8_t last[HASH_BYTES]; /* hash of the last block and its signature */
	uint64_t used;
};

struct days {
	char *path;
	struct disk *disk;
	struct slot slots[OPEN_MAX];
	uint64_t uses;
	size_t epochs_len; /* of the sound part of the file */
	uint8_t last_epoch[HASH_BYTES]; /* of the last entry; zero: none */
};

/* ---- open days ---- */

static enum err
path_of(char out[static PATH_BYTES], const struct days *k, uint32_t day)
{
	int n = snprintf(out, PATH_BYTES, "%s/" DIRECTORY_PREFIX "%08" PRIx32, k->path, day);

	return n < 0 || n >= PATH_BYTES ? ERR_USAGE : ERR_OK;
}

static void
slot_close(struct slot *s)
{
	if (s->db == NULL)
		return;
	daydb_close(s->db);
	buf_release(&s->head.state);
	*s = (struct slot){ .db = NULL };
}

static struct slot *
slot_find(struct days *k, uint32_t day)
{
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (k->slots[i].db != NULL && k->slots[i].day == day)
			return &k->slots[i];
	return NULL;
}

/* A free slot; the one that was not used for longest gives way. */
static struct slot *
slot_take(struct days *k)
{
	struct slot *oldest = &k->slots[0];

	for (size_t i = 0; i < OPEN_MAX; i++) {
		if (k->slots[i].db == NULL)
			return &k->slots[i];
		if (k->slots[i].used < oldest->used)
			oldest = &k->slots[i];
	}
	slot_close(oldest);
	return oldest;
}

static enum err
slot_fill(struct slot *s, struct days *k, uint32_t day, const uint8_t *key)
{
	char path[PATH_BYTES];
	enum err e = path_of(path, k, day);

	if (e != ERR_OK)
		return e;
	e = daydb_open(&s->db, path, key);
	if (e != ERR_OK)
		return e;
	e = daydb_head(s->db, &s->head);
	s->day = day;
	if (e != ERR_OK) {
		daydb_close(s->db);
		*s = (struct slot){ .db = NULL };
	}
	return e;
}

/* An open day that has a key. ERR_NOT_FOUND. */
static enum err
use(struct slot **out, struct days *k, uint32_t day, struct diag *d)
{
	struct slot *s = slot_find(k, day);
	uint8_t *key;
	enum err e = ERR_OK;

	if (s == NULL) {
		key = secret_new(DAYDB_KEY_BYTES);
		if (key == NULL)
			return ERR_MEMORY;
		e = daykeys_load(key, k->disk, day, d);
		if (e == ERR_OK) {
			s = slot_take(k);
			e = slot_fill(s, k, day, key);
		}
		secret_free(key);
	}
	if (e != ERR_OK)
		return e;
	s->used = ++k->uses;
	*out = s;
	return ERR_OK;
}

/* Begin a day: its directory, then its key, whose sync holds both; then the database. */
static enum err
begin(struct slot **out, struct days *k, uint32_t day, const uint8_t *key)
{
	char path[PATH_BYTES];
	enum err e = path_of(path, k, day);

	if (e != ERR_OK)
		return e;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	e = daykeys_save(k->disk, day, key);
	return e == ERR_OK ? use(out, k, day, NULL) : e;
}

/* ---- the file of epoch blocks ---- */

static void
remember_epoch(struct days *k, const uint8_t *block, size_t len)
{
	hash_256(k->last_epoch, block, len);
}

static bool
is_last_epoch(const struct days *k, const uint8_t *block, size_t len)
{
	uint8_t hash[HASH_BYTES];

	hash_256(hash, block, len);
	return memcmp(hash, k->last_epoch, sizeof(hash)) == 0; /* public */
}

/* Cut off what a crash or a failed append left behind the sound part. */
static enum err
cut_epochs(struct days *k)
{
	enum err e = disk_truncate(k->disk, EPOCHS_FILE, k->epochs_len);

	return e == ERR_NOT_FOUND && k->epochs_len == 0 ? ERR_OK : e;
}

static enum err
append_epoch(struct days *k, const uint8_t *block, size_t len)
{
	struct buf entry;
	enum err e;

	if (is_last_epoch(k, block, len))
		return ERR_OK;
	buf_init(&entry);
	e = epochlog_encode(&entry, block, len, k->epochs_len);
	if (e == ERR_OK)
		e = cut_epochs(k);
	if (e == ERR_OK)
		e = disk_append(k->disk, EPOCHS_FILE, entry.data, entry.len);
	if (e == ERR_OK) {
		k->epochs_len += entry.len;
		remember_epoch(k, block, len);
	}
	buf_release(&entry);
	return e;
}

static enum err
load_epochs(struct days *k, struct epochlog *out, struct diag *d)
{
	struct buf file;
	enum err e;

	buf_init(&file);
	e = disk_read(k->disk, &file, EPOCHS_FILE, EPOCHLOG_BYTES_MAX);
	if (e == ERR_OK)
		e = epochlog_parse(out, &k->epochs_len, file.data, file.len, d);
	else if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	if (e == ERR_OK && k->epochs_len != file.len)
		e = cut_epochs(k);
	if (e == ERR_OK && out->count > 0) {
		const struct buf *last = &out->blocks[out->count - 1];

		remember_epoch(k, last->data, last->len);
	}
	buf_release(&file);
	return e;
}

/* A crash may have come between a day and the file: the day's last epoch block goes there. */
static enum err
mend_epochs(struct days *k, struct epochlog *log, struct slot *s)
{
	struct buf block;
	uint64_t round;
	enum err e;

	if (s->head.epoch_index == DAYDB_NONE)
		return ERR_OK;
	buf_init(&block);
	e = daydb_block(s->db, &block, &round, s->head.epoch_index);
	if (e == ERR_OK && !is_last_epoch(k, block.data, block.len)) {
		e = append_epoch(k, block.data, block.len);
		if (e == ERR_OK)
			e = epochlog_add(log, block.data, block.len);
	}
	buf_release(&block);
	return e;
}

/* ---- the state ---- */

static enum err
save_state(struct days *k, const struct buf *state)
{
	size_t n = FORMAT_BYTES + state->len;
	struct writer w;
	struct buf file;
	uint8_t *space;
	enum err e;

	buf_init(&file);
	e = buf_reserve(&file, n, n, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	format_put(&w, STATE_MAGIC, STATE_VERSION);
	writer_copy(&w, state->data, state->len);
	e = disk_replace(k->disk, STATE_FILE, space, n);
	buf_release(&file);
	return e;
}

static enum err
load_state(struct days *k, struct buf *out, struct diag *d)
{
	enum err e = disk_read(k->disk, out, STATE_FILE, STORE_STATE_MAX + FORMAT_BYTES);
	struct reader r;

	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK)
		return e;
	reader_init(&r, out->data, out->len);
	e = format_check(&r, NULL, STATE_MAGIC, STATE_VERSION, "the store's state", d);
	if (e == ERR_OK)
		buf_consume(out, FORMAT_BYTES);
	return e;
}

/* ---- the start ---- */

static bool
listed(const uint32_t *days, size_t n, uint32_t day)
{
	for (size_t i = 0; i < n; i++)
		if (days[i] == day)
			return true;
	return false;
}

/* A directory without its key can be read by nobody any more. */
static enum err
remove_keyless(struct days *k, const uint32_t *days, size_t n)
{
	DIR *dir = opendir(k->path);
	struct dirent *entry;
	char path[PATH_BYTES];
	enum err e = ERR_OK;

	if (dir == NULL)
		return ERR_IO;
	while (e == ERR_OK && (entry = readdir(dir)) != NULL) {
		size_t prefix = sizeof(DIRECTORY_PREFIX) - 1;
		uint32_t day;

		if (strncmp(entry->d_name, DIRECTORY_PREFIX, prefix) != 0)
			continue;
		day = (uint32_t)strtoul(entry->d_name + prefix, NULL, 16);
		e = path_of(path, k, day);
		if (e == ERR_OK && !listed(days, n, day))
			e = daydb_remove(path);
	}
	closedir(dir);
	return e;
}

/* Look at a day; one in which nothing was written is removed. */
static enum err
survey(struct days *k, struct days_found *found, uint32_t day, struct diag *d)
{
	struct slot *s;
	enum err e = use(&s, k, day, d);

	if (e == ERR_FULL || e == ERR_IO || e == ERR_MEMORY)
		return e; /* the day is sound, as far as we know */
	if (e != ERR_OK)
		return diag_set(d, e, "day %" PRIu32 " of the journal is damaged (%s): to give "
		    "it up, remove its " DIRECTORY_PREFIX "%08" PRIx32 " and key-%08" PRIx32, day,
		    err_text(e), day, day);
	if (s->head.count == 0)
		return days_expire(k, day, NULL);
	if (found->count == STORE_DAYS_MAX)
		return diag_set(d, ERR_FULL, "the journal has more than %d days: remove the "
		    DIRECTORY_PREFIX "* and key-* of those that are long over", STORE_DAYS_MAX);
	found->days[found->count++] = (struct days_day){ .day = day, .count = s->head.count };
	return ERR_OK;
}

/* The newest day has the state, and perhaps an epoch block to be mended. */
static enum err
survey_newest(struct days *k, struct days_found *found, struct diag *d)
{
	struct slot *s;
	enum err e;

	if (found->count == 0)
		return load_state(k, &found->state, d);
	e = use(&s, k, found->days[found->count - 1].day, d);
	if (e == ERR_OK)
		e = buf_append(&found->state, s->head.state.data, s->head.state.len,
		    STORE_STATE_MAX);
	return e == ERR_OK ? mend_epochs(k, &found->epochs, s) : e;
}

static enum err
load(struct days *k, struct days_found *found, struct diag *d)
{
	uint32_t numbers[2 * STORE_DAYS_MAX]; /* with those of days that were not begun for long */
	size_t n = 0;
	enum err e = daykeys_list(numbers, &n, 2 * STORE_DAYS_MAX, k->disk);

	if (e == ERR_OK)
		e = remove_keyless(k, numbers, n);
	if (e == ERR_OK)
		e = load_epochs(k, &found->epochs, d);
	for (size_t i = 0; i < n && e == ERR_OK; i++)
		e = survey(k, found, numbers[i], d);
	return e == ERR_OK ? survey_newest(k, found, d) : e;
}

enum err
days_open(struct days **out, struct days_found *found, const char *path, struct disk *disk,
    struct diag *d)
{
	struct days *k = calloc(1, sizeof(*k));
	enum err e = ERR_MEMORY;

	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	k->disk = disk;
	k->path = strdup(path);
	if (d != NULL)
		d->text[0] = '\0';
	if (k->path != NULL)
		e = load(k, found, d);
	if (e != ERR_OK) {
		days_close(k);
		if (d != NULL && d->text[0] == '\0')
			(void)diag_set(d, e, "the journal's store cannot be opened: %s; look at "
			    "the disk's space and the owner of the directory", err_text(e));
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
days_close(struct days *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < OPEN_MAX; i++)
		slot_close(&k->slots[i]);
	free(k->path);
	free(k);
}

/* ---- rounds ---- */

/* Whether a write that seemed to fail is there after all. */
static enum err
there_already(bool *there, struct slot *s, const uint8_t hash[static HASH_BYTES])
{
	struct buf last;
	uint64_t round;
	enum err e = ERR_OK;

	buf_init(&last);
	if (!s->last_known && s->head.count > 0) {
		e = daydb_block(s->db, &last, &round, s->head.count - 1);
		if (e == ERR_OK)
			hash_256(s->last, last.data, last.len);
	}
	s->last_known = e == ERR_OK;
	*there = s->head.count > 0 && memcmp(s->last, hash, HASH_BYTES) == 0; /* public */
	buf_release(&last);
	return e;
}

static enum err
write_round(struct slot *s, const struct store_round *r, const uint8_t *nonces)
{
	struct daydb_head head = {
		.count = s->head.count + 1,
		.epoch_index = r->epoch_block ? s->head.count : s->head.epoch_index,
	};
	enum err e;

	buf_init(&head.state);
	e = buf_append(&head.state, r->state, r->state_len, STORE_STATE_MAX);
	if (e == ERR_OK)
		e = daydb_put(s->db, r, &head, nonces);
	if (e != ERR_OK) {
		buf_release(&head.state);
		return e;
	}
	buf_release(&s->head.state);
	s->head = head;
	return ERR_OK;
}

/* Write into an open day, and into the file of epoch blocks. */
static enum err
put_into(struct days *k, struct slot *s, const struct store_round *r, const uint8_t *nonces)
{
	uint8_t hash[HASH_BYTES];
	bool there = false;
	enum err e;

	if (s->head.count >= STORE_BLOCKS_MAX)
		return ERR_RANGE;
	hash_256(hash, r->block, r->block_len);
	e = there_already(&there, s, hash);
	if (e == ERR_OK && !there)
		e = write_round(s, r, nonces);
	if (e != ERR_OK)
		return e;
	memcpy(s->last, hash, sizeof(hash));
	return r->epoch_block ? append_epoch(k, r->block, r->block_len) : ERR_OK;
}

enum err
days_put(struct days *k, uint32_t *count, const struct store_round *r, const uint8_t *key,
    const uint8_t *nonces)
{
	struct slot *s = NULL;
	enum err e = use(&s, k, r->day, NULL);

	if (e == ERR_NOT_FOUND)
		e = begin(&s, k, r->day, key);
	if (e != ERR_OK)
		return e;
	e = put_into(k, s, r, nonces);
	if (e == ERR_OK)
		*count = s->head.count;
	else
		slot_close(s); /* LevelDB writes no more after an error */
	return e;
}

enum err
days_get(struct days *k, struct buf *block, struct buf *records, uint64_t *round, uint32_t day,
    uint32_t index, uint16_t mailbox)
{
	struct slot *s;
	enum err e = use(&s, k, day, NULL);

	if (e == ERR_OK)
		e = daydb_block(s->db, block, round, index);
	if (e == ERR_OK)
		e = daydb_records(s->db, records, index, mailbox);
	return e;
}

static enum err
round_at(struct slot *s, uint64_t *round, uint32_t index)
{
	struct buf block;
	enum err e;

	buf_init(&block);
	e = daydb_block(s->db, &block, round, index);
	buf_release(&block);
	return e;
}

enum err
days_find(struct days *k, uint32_t *index, uint32_t day, uint64_t round)
{
	uint32_t low = 0, high;
	struct slot *s;
	enum err e = use(&s, k, day, NULL);

	if (e != ERR_OK)
		return e;
	high = s->head.count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint64_t there;

		e = round_at(s, &there, middle);
		if (e != ERR_OK)
			return e;
		if (there < round)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return ERR_OK;
}

enum err
days_expire(struct days *k, uint32_t day, const struct buf *state)
{
	struct slot *s = slot_find(k, day);
	char path[PATH_BYTES];
	enum err e = path_of(path, k, day);

	if (s != NULL)
		slot_close(s);
	if (e == ERR_OK && state != NULL && state->len > 0)
		e = save_state(k, state);
	if (e == ERR_OK)
		e = daykeys_destroy(k->disk, day);
	return e == ERR_OK ? daydb_remove(path) : e;
}
