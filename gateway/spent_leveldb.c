#include "config.h"

#include "gateway/spent_leveldb.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/database.h"

#define OPEN_MAX 3 /* of the former, the running and the coming epoch */
#define PATH_BYTES 4096
#define PREFIX "spent-"
#define WRITE_BUFFER_BYTES ((size_t)4 << 20)
#define FILTER_BITS 10 /* for a mark; nearly all that are looked for are not there */

struct slot {
	leveldb_t *db; /* NULL: free */
	uint32_t epoch;
	uint64_t used;
};

/* The thread's. */
struct engine {
	char *path;
	leveldb_filterpolicy_t *filter;
	struct slot slots[OPEN_MAX];
	uint64_t uses;
};

/* ---- databases ---- */

static enum err
path_of(char out[static PATH_BYTES], const struct engine *k, uint32_t epoch)
{
	int n = snprintf(out, PATH_BYTES, "%s/" PREFIX "%08" PRIx32, k->path, epoch);

	return n < 0 || n >= PATH_BYTES ? ERR_USAGE : ERR_OK;
}

static void
slot_close(struct slot *s)
{
	if (s->db != NULL)
		leveldb_close(s->db);
	*s = (struct slot){ .db = NULL };
}

/* The slot of an epoch, or else the one that was not used for longest. */
static struct slot *
slot_for(struct engine *k, uint32_t epoch)
{
	struct slot *oldest = &k->slots[0];

	for (size_t i = 0; i < OPEN_MAX; i++) {
		struct slot *s = &k->slots[i];

		if (s->db != NULL && s->epoch == epoch)
			return s;
		if (s->used < oldest->used)
			oldest = s;
	}
	return oldest;
}

static enum err
use(leveldb_t **out, struct engine *k, uint32_t epoch)
{
	struct slot *s = slot_for(k, epoch);
	char path[PATH_BYTES];
	enum err e = ERR_OK;

	if (s->db == NULL || s->epoch != epoch) {
		slot_close(s);
		e = path_of(path, k, epoch);
		if (e == ERR_OK)
			e = database_directory(path);
		if (e == ERR_OK)
			e = database_open(&s->db, path, WRITE_BUFFER_BYTES, k->filter);
		s->epoch = epoch;
	}
	if (e != ERR_OK)
		return e;
	s->used = ++k->uses;
	*out = s->db;
	return ERR_OK;
}

/* After a failure nothing that is open may be trusted. */
static void
give_up(struct engine *k, uint32_t epoch)
{
	struct slot *s = slot_for(k, epoch);

	if (s->epoch == epoch)
		slot_close(s);
}

/* ---- spending ---- */

/* Whether it is spent already, by whom: *fresh is true for its own claim. */
static enum err
look_up(struct spent_mark *m, bool *there, leveldb_t *db, const leveldb_readoptions_t *options)
{
	char *text = NULL, *value;
	size_t n = 0;

	value = leveldb_get(db, options, (const char *)m->mark, SPENT_MARK_BYTES, &n, &text);
	if (text != NULL)
		return database_error(text);
	*there = value != NULL;
	m->fresh = value == NULL || (n == SPENT_CLAIM_BYTES &&
	    memcmp(value, m->claim, SPENT_CLAIM_BYTES) == 0); /* public */
	leveldb_free(value);
	return ERR_OK;
}

/* By mark, and then in the order in which they came. */
struct entry {
	struct spent_mark *mark;
	size_t place;
};

static int
by_mark(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = memcmp(x->mark->mark, y->mark->mark, SPENT_MARK_BYTES); /* public */

	if (order != 0)
		return order;
	return x->place < y->place ? -1 : 1;
}

static enum err
fill(leveldb_writebatch_t *batch, size_t *new_marks, leveldb_t *db, struct entry *list, size_t n)
{
	leveldb_readoptions_t *options = leveldb_readoptions_create();
	enum err e = ERR_OK;

	leveldb_readoptions_set_verify_checksums(options, 1);
	for (size_t i = 0; i < n && e == ERR_OK; i++) {
		struct spent_mark *m = list[i].mark;
		bool there = false;

		if (i > 0 && memcmp(list[i - 1].mark->mark, m->mark, SPENT_MARK_BYTES) == 0) {
			m->fresh = false; /* public */
			continue;
		}
		e = look_up(m, &there, db, options);
		if (e != ERR_OK || there)
			continue;
		leveldb_writebatch_put(batch, (const char *)m->mark, SPENT_MARK_BYTES,
		    (const char *)m->claim, SPENT_CLAIM_BYTES);
		(*new_marks)++;
	}
	leveldb_readoptions_destroy(options);
	return e;
}

static enum err
write_batch(leveldb_t *db, leveldb_writebatch_t *batch)
{
	leveldb_writeoptions_t *options = leveldb_writeoptions_create();
	char *text = NULL;

	leveldb_writeoptions_set_sync(options, 1);
	leveldb_write(db, options, batch, &text);
	leveldb_writeoptions_destroy(options);
	return text == NULL ? ERR_OK : database_error(text);
}

/* Ordered by mark, so that what is written says nothing of the order in a batch. */
static enum err
insert_sorted(leveldb_t *db, struct entry *list, size_t n)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	size_t new_marks = 0;
	enum err e;

	qsort(list, n, sizeof(list[0]), by_mark);
	e = fill(batch, &new_marks, db, list, n);
	if (e == ERR_OK && new_marks > 0)
		e = write_batch(db, batch);
	leveldb_writebatch_destroy(batch);
	return e;
}

static enum err
leveldb_insert(void *ctx, uint32_t epoch, struct spent_mark *const *marks, size_t n)
{
	struct engine *k = ctx;
	struct entry *list = calloc(n, sizeof(list[0]));
	leveldb_t *db;
	enum err e;

	if (list == NULL)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct entry){ marks[i], i };
	e = use(&db, k, epoch);
	if (e == ERR_OK)
		e = insert_sorted(db, list, n);
	if (e != ERR_OK)
		give_up(k, epoch);
	free(list);
	return e;
}

static enum err
leveldb_drop(void *ctx, uint32_t epoch)
{
	struct engine *k = ctx;
	char path[PATH_BYTES];
	enum err e = path_of(path, k, epoch);

	give_up(k, epoch);
	return e == ERR_OK ? database_remove(path) : e;
}

/* ---- life ---- */

static void
leveldb_engine_free(void *ctx)
{
	struct engine *k = ctx;

	for (size_t i = 0; i < OPEN_MAX; i++)
		slot_close(&k->slots[i]);
	if (k->filter != NULL)
		leveldb_filterpolicy_destroy(k->filter);
	free(k->path);
	free(k);
}

static bool
epoch_of_name(uint32_t *epoch, const char *name)
{
	char again[sizeof(PREFIX) + 8];
	unsigned long v;

	if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 || strlen(name) != sizeof(again) - 1)
		return false;
	v = strtoul(name + sizeof(PREFIX) - 1, NULL, 16);
	(void)snprintf(again, sizeof(again), PREFIX "%08" PRIx32, (uint32_t)v);
	*epoch = (uint32_t)v;
	return strcmp(again, name) == 0;
}

static enum err
list_epochs(uint32_t *out, size_t *count, const char *path, struct diag *d)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	uint32_t epoch;

	*count = 0;
	if (dir == NULL)
		return diag_set(d, ERR_IO, "%s: %s; make the directory readable to us", path,
		    strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		if (!epoch_of_name(&epoch, entry->d_name))
			continue;
		if (*count == SPENT_EPOCHS_MAX) {
			closedir(dir);
			return diag_set(d, ERR_FULL, "%s: too many directories " PREFIX "*; remove "
			    "those of epochs that are long over", path);
		}
		out[(*count)++] = epoch;
	}
	closedir(dir);
	return ERR_OK;
}

enum err
spent_leveldb_open(struct spent **out, struct loop *l, const char *path, struct diag *d)
{
	static const struct spent_ops ops = { leveldb_insert, leveldb_drop, leveldb_engine_free };
	struct engine *k = calloc(1, sizeof(*k));
	uint32_t epochs[SPENT_EPOCHS_MAX];
	size_t n;
	enum err e = ERR_MEMORY;

	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	k->path = strdup(path);
	k->filter = leveldb_filterpolicy_create_bloom(FILTER_BITS);
	if (k->path != NULL && k->filter != NULL)
		e = list_epochs(epochs, &n, path, d);
	if (e != ERR_OK) {
		leveldb_engine_free(k);
		return e;
	}
	e = spent_new(out, l, &ops, k, epochs, n);
	return e == ERR_OK ? ERR_OK : diag_set(d, e, "the spent store's thread could not be started");
}
