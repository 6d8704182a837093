#include "config.h"

#include "gateway/onionkey.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/format.h"
#include "common/base/secret.h"

/* file = header || seed 32 || key 32 */
#define NAME "onionkey"
#define MAGIC "rstoni"
#define VERSION_OF_FILE 1
#define FILE_BYTES (FORMAT_BYTES + 2 * 32)
#define REMEDY "restore it from a backup; without one, make a new key with init in an empty " \
	"directory: that is a new address, and needs a new charter"

static void
derive(struct onionkey *k, const uint8_t seed[static 32])
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	memmove(k->seed, seed, sizeof(k->seed));
	(void)crypto_sign_seed_keypair(k->pk, sk, seed);
	sodium_memzero(sk, sizeof(sk));
	hsid_from_key(k->id, k->pk);
}

static enum err
decode(struct onionkey *k, const struct buf *b, struct diag *d)
{
	const uint8_t *seed, *pk;
	struct reader r;
	enum err e;

	reader_init(&r, b->data, b->len);
	e = format_check(&r, NULL, MAGIC, VERSION_OF_FILE, NAME, d);
	if (e == ERR_VERSION)
		return e;
	seed = reader_view(&r, 32);
	pk = reader_view(&r, 32);
	e = reader_end(&r);
	if (e == ERR_OK) {
		derive(k, seed);
		if (sodium_memcmp(pk, k->pk, 32) != 0)
			e = ERR_MALFORMED;
	}
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": the onion service's key in the state directory is damaged "
	    "(%s); " REMEDY, err_text(e));
}

/* ERR_NOT_FOUND without a sentence. */
static enum err
load(struct onionkey **out, struct disk *disk, struct diag *d)
{
	struct onionkey *k = NULL;
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(disk, &b, NAME, FILE_BYTES);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		e = diag_set(d, e, NAME ": the onion service's key in the state directory cannot "
		    "be read (%s); " REMEDY, err_text(e));
	if (e == ERR_OK) {
		k = secret_new(sizeof(*k));
		e = k != NULL ? decode(k, &b, d) : diag_set(d, ERR_MEMORY, "out of memory");
	}
	buf_release(&b);
	if (e == ERR_OK)
		*out = k;
	else
		onionkey_free(k);
	return e;
}

static enum err
store(struct disk *disk, const struct onionkey *k, struct diag *d)
{
	uint8_t *bytes = secret_new(FILE_BYTES);
	struct writer w;
	enum err e;

	if (bytes == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	writer_init(&w, bytes, FILE_BYTES);
	format_put(&w, MAGIC, VERSION_OF_FILE);
	writer_copy(&w, k->seed, 32);
	writer_copy(&w, k->pk, 32);
	e = writer_end(&w);
	if (e == ERR_OK)
		e = disk_replace(disk, NAME, bytes, FILE_BYTES);
	secret_free(bytes);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": cannot be written (%s); see that there is room and that the "
	    "directory is ours", err_text(e));
}

static enum err
make(struct onionkey **out, struct disk *disk, const struct rng *keys, struct diag *d)
{
	struct onionkey *k = secret_new(sizeof(*k));
	enum err e;

	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	rng_bytes(keys, k->seed, sizeof(k->seed));
	derive(k, k->seed);
	e = store(disk, k, d);
	if (e == ERR_OK)
		*out = k;
	else
		onionkey_free(k);
	return e;
}

enum err
onionkey_make(struct onionkey **out, struct disk *disk, const struct rng *keys, struct diag *d)
{
	enum err e = load(out, disk, d);

	return e == ERR_NOT_FOUND ? make(out, disk, keys, d) : e;
}

enum err
onionkey_load(struct onionkey **out, struct disk *disk, struct diag *d)
{
	enum err e = load(out, disk, d);

	if (e != ERR_NOT_FOUND)
		return e;
	return diag_set(d, e, NAME ": the state directory has no key of an onion service; " REMEDY);
}

void
onionkey_free(struct onionkey *k)
{
	secret_free(k);
}
