#include "config.h"

#include "registrar/ledger.h"

#include <leveldb/c.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_BYTES (4 + 4 + 1 + 4)
#define PRUNE_BATCH 1000 /* names in one write */
#define OPEN_FILES_MAX 64

struct ledger {
	leveldb_t *db;
	leveldb_options_t *options;
	leveldb_readoptions_t *read;
	leveldb_writeoptions_t *write; /* with sync */
};

/* Free LevelDB's sentence; it says what happened in no other way. */
static enum err
take_error(char *text)
{
	static const char *const full[] = { "No space left", "File too large", "quota exceeded" };
	enum err e = ERR_IO;

	if (text == NULL)
		return ERR_OK;
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
		if (strstr(text, full[i]) != NULL)
			e = ERR_FULL;
	if (strstr(text, "Corruption") != NULL)
		e = ERR_MALFORMED;
	leveldb_free(text);
	return e;
}

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

enum err
ledger_open(struct ledger **out, const char *path, struct diag *d)
{
	struct ledger *k = calloc(1, sizeof(*k));
	char *why = NULL;
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->options = leveldb_options_create();
	k->read = leveldb_readoptions_create();
	k->write = leveldb_writeoptions_create();
	leveldb_options_set_create_if_missing(k->options, 1);
	leveldb_options_set_paranoid_checks(k->options, 1);
	leveldb_options_set_max_open_files(k->options, OPEN_FILES_MAX);
	leveldb_readoptions_set_verify_checksums(k->read, 1);
	leveldb_writeoptions_set_sync(k->write, 1);
	(void)mkdir(path, 0700); /* what it cannot make, the next line says */
	k->db = leveldb_open(k->options, path, &why);
	e = take_error(why);
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
	if (k->db != NULL)
		leveldb_close(k->db);
	leveldb_options_destroy(k->options);
	leveldb_readoptions_destroy(k->read);
	leveldb_writeoptions_destroy(k->write);
	free(k);
}

enum err
ledger_claim(struct ledger *k, const struct ledger_entry *x)
{
	uint8_t name[NAME_BYTES];
	char *why = NULL, *held;
	size_t len = 0;
	enum err e;

	name_of(name, x);
	held = leveldb_get(k->db, k->read, (const char *)name, sizeof(name), &len, &why);
	e = take_error(why);
	if (e == ERR_OK && held != NULL) {
		if (len != sizeof(x->hash))
			e = ERR_MALFORMED;
		else if (sodium_memcmp(held, x->hash, len) != 0)
			e = ERR_EXISTS;
	} else if (e == ERR_OK) {
		why = NULL;
		leveldb_put(k->db, k->write, (const char *)name, sizeof(name),
		    (const char *)x->hash, sizeof(x->hash), &why);
		e = take_error(why);
	}
	leveldb_free(held);
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
	e = take_error(why);
	why = NULL;
	if (e == ERR_OK && n > 0) {
		leveldb_write(k->db, k->write, batch, &why);
		e = take_error(why);
	}
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
	enum err e = ERR_OK;

	put_be(bound, epoch);
	while (e == ERR_OK && more)
		e = prune_some(k, bound, &more);
	return e;
}
