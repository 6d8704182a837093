#include "config.h"

#include "registrar/ledger.h"

#include <leveldb/c.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/database.h"

#define NAME_BYTES (4 + 4 + 1 + 4)
#define PRUNE_BATCH 1000 /* names in one write */
#define WRITE_BUFFER_BYTES ((size_t)4 << 20)

struct ledger {
	char *path;
	leveldb_t *db; /* NULL after a failure: what was open may not be trusted */
	leveldb_readoptions_t *read;
	leveldb_writeoptions_t *write; /* with sync */
};

static void
put_be(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void
name_of(uint8_t out[static NAME_BYTES], const struct ledger_entry *x)
{
	put_be(out, x->epoch);
	put_be(out + 4, x->member);
	out[8] = (uint8_t)x->kind;
	put_be(out + 9, x->batch);
}

static enum err
open_again(struct ledger *k)
{
	enum err e = database_directory(k->path);

	return e == ERR_OK ? database_open(&k->db, k->path, WRITE_BUFFER_BYTES, NULL) : e;
}

/* LevelDB would write on behind half a record, and nothing behind it could be read again. */
static void
give_up(struct ledger *k)
{
	if (k->db != NULL)
		leveldb_close(k->db);
	k->db = NULL;
}

enum err
ledger_open(struct ledger **out, const char *path, struct diag *d)
{
	struct ledger *k = calloc(1, sizeof(*k));
	enum err e = ERR_MEMORY;

	if (k == NULL)
		return ERR_MEMORY;
	k->read = leveldb_readoptions_create();
	k->write = leveldb_writeoptions_create();
	leveldb_readoptions_set_verify_checksums(k->read, 1);
	leveldb_writeoptions_set_sync(k->write, 1);
	k->path = strdup(path);
	if (k->path != NULL)
		e = open_again(k);
	if (e != ERR_OK) {
		ledger_close(k);
		return diag_set(d, e, "the ledger %s cannot be opened: %s; do not remove it, or "
		    "members get their allotments twice", path, err_text(e));
	}
	*out = k;
	return ERR_OK;
}

void
ledger_close(struct ledger *k)
{
	if (k == NULL)
		return;
	give_up(k);
	leveldb_readoptions_destroy(k->read);
	leveldb_writeoptions_destroy(k->write);
	free(k->path);
	free(k);
}

static enum err
claim(struct ledger *k, const struct ledger_entry *x)
{
	uint8_t name[NAME_BYTES];
	char *why = NULL, *held;
	size_t len = 0;
	enum err e = ERR_OK;

	name_of(name, x);
	held = leveldb_get(k->db, k->read, (const char *)name, sizeof(name), &len, &why);
	if (why != NULL)
		return database_error(why);
	if (held == NULL) {
		leveldb_put(k->db, k->write, (const char *)name, sizeof(name),
		    (const char *)x->hash, sizeof(x->hash), &why);
		return why == NULL ? ERR_OK : database_error(why);
	}
	if (len != sizeof(x->hash))
		e = ERR_MALFORMED;
	else if (sodium_memcmp(held, x->hash, len) != 0)
		e = ERR_EXISTS;
	leveldb_free(held);
	return e;
}

enum err
ledger_claim(struct ledger *k, const struct ledger_entry *x)
{
	enum err e = k->db != NULL ? ERR_OK : open_again(k);

	if (e == ERR_OK)
		e = claim(k, x);
	if (e != ERR_OK && e != ERR_EXISTS)
		give_up(k);
	return e;
}

/* Remove at most PRUNE_BATCH of what is before the bound; *more: there may be others. */
static enum err
prune_some(struct ledger *k, const uint8_t bound[static 4], bool *more)
{
	leveldb_iterator_t *it = leveldb_create_iterator(k->db, k->read);
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	char *why = NULL;
	size_t n = 0, len;
	enum err e;

	for (leveldb_iter_seek_to_first(it); leveldb_iter_valid(it) && n < PRUNE_BATCH;
	    leveldb_iter_next(it)) {
		const char *name = leveldb_iter_key(it, &len);

		if (len >= 4 && memcmp(name, bound, 4) >= 0) /* public */
			break;
		leveldb_writebatch_delete(batch, name, len);
		n++;
	}
	leveldb_iter_get_error(it, &why);
	if (why == NULL && n > 0)
		leveldb_write(k->db, k->write, batch, &why);
	e = why == NULL ? ERR_OK : database_error(why);
	leveldb_writebatch_destroy(batch);
	leveldb_iter_destroy(it);
	*more = n == PRUNE_BATCH;
	return e;
}

enum err
ledger_prune(struct ledger *k, uint32_t epoch)
{
	uint8_t bound[4];
	bool more = true;
	enum err e = k->db != NULL ? ERR_OK : open_again(k);

	put_be(bound, epoch);
	while (e == ERR_OK && more)
		e = prune_some(k, bound, &more);
	/* what was removed takes room until LevelDB has written its files anew */
	if (e == ERR_OK)
		leveldb_compact_range(k->db, NULL, 0, (const char *)bound, sizeof(bound));
	else
		give_up(k);
	return e;
}
