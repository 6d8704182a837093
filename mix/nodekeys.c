#include "config.h"

#include "mix/nodekeys.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/format.h"
#include "common/base/secret.h"

/* file = header || identity seed 32 || identity key 32 || link secret 32 || link key 32 */
#define NAME "nodekeys"
#define MAGIC "rstnod"
#define VERSION_OF_FILE 1
#define FILE_BYTES (FORMAT_BYTES + 4 * 32)

struct file {
	uint8_t bytes[FILE_BYTES];
};

static enum err
derive(struct nodekeys *k, const uint8_t seed[static 32], const uint8_t link_sk[static 32])
{
	(void)crypto_sign_seed_keypair(k->identity_pk, k->identity_sk, seed);
	memcpy(k->link_sk, link_sk, sizeof(k->link_sk));
	return crypto_scalarmult_base(k->link_pk, k->link_sk) == 0 ? ERR_OK : ERR_CRYPTO;
}

static void
encode(struct file *f, const struct nodekeys *k)
{
	struct writer w;

	writer_init(&w, f->bytes, sizeof(f->bytes));
	format_put(&w, MAGIC, VERSION_OF_FILE);
	writer_copy(&w, k->identity_sk, 32); /* libsodium keeps the seed in front */
	writer_copy(&w, k->identity_pk, 32);
	writer_copy(&w, k->link_sk, 32);
	writer_copy(&w, k->link_pk, 32);
}

static enum err
decode(struct nodekeys *k, const struct buf *b, struct diag *d)
{
	const uint8_t *seed, *identity, *link_sk, *link;
	struct reader r;
	enum err e;

	reader_init(&r, b->data, b->len);
	e = format_check(&r, NULL, MAGIC, VERSION_OF_FILE, NAME, d);
	if (e != ERR_OK)
		return e;
	seed = reader_view(&r, 32);
	identity = reader_view(&r, 32);
	link_sk = reader_view(&r, 32);
	link = reader_view(&r, 32);
	e = reader_end(&r);
	if (e == ERR_OK)
		e = derive(k, seed, link_sk);
	if (e == ERR_OK && (sodium_memcmp(identity, k->identity_pk, 32) != 0 ||
	    sodium_memcmp(link, k->link_pk, 32) != 0))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": %s; restore it from a backup, or make new keys in an empty "
	    "directory and have the charter changed", err_text(e));
}

static enum err
store(struct disk *disk, const struct nodekeys *k, struct diag *d)
{
	struct file *f = secret_new(sizeof(*f));
	enum err e;

	if (f == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	encode(f, k);
	e = disk_replace(disk, NAME, f->bytes, sizeof(f->bytes));
	secret_free(f);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": cannot be written (%s); see that there is room and that the "
	    "directory is ours", err_text(e));
}

static enum err
check_absent(struct disk *disk, struct diag *d)
{
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(disk, &b, NAME, FILE_BYTES);
	buf_release(&b);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	return diag_set(d, ERR_EXISTS, "this directory has keys already; choose another directory, "
	    "or remove the file \"" NAME "\" if nobody needs them");
}

enum err
nodekeys_create(struct nodekeys **out, struct disk *disk, const struct rng *keys, struct diag *d)
{
	struct nodekeys *k;
	uint8_t *seeds;
	enum err e = check_absent(disk, d);

	if (e != ERR_OK)
		return e;
	k = secret_new(sizeof(*k));
	seeds = secret_new(64);
	if (k == NULL || seeds == NULL) {
		e = diag_set(d, ERR_MEMORY, "out of memory");
	} else {
		rng_bytes(keys, seeds, 64);
		e = derive(k, seeds, seeds + 32);
		if (e == ERR_OK)
			e = store(disk, k, d);
	}
	secret_free(seeds);
	if (e == ERR_OK)
		*out = k;
	else
		nodekeys_free(k);
	return e;
}

enum err
nodekeys_load(struct nodekeys **out, struct disk *disk, struct diag *d)
{
	struct nodekeys *k;
	struct buf b;
	enum err e;

	buf_init(&b);
	e = disk_read(disk, &b, NAME, FILE_BYTES);
	if (e != ERR_OK)
		e = diag_set(d, e, NAME ": %s in the state directory; make keys with the command "
		    "init, or name the directory where they are", err_text(e));
	k = e == ERR_OK ? secret_new(sizeof(*k)) : NULL;
	if (e == ERR_OK)
		e = k != NULL ? decode(k, &b, d) : diag_set(d, ERR_MEMORY, "out of memory");
	buf_release(&b);
	if (e == ERR_OK)
		*out = k;
	else
		nodekeys_free(k);
	return e;
}

void
nodekeys_free(struct nodekeys *k)
{
	secret_free(k);
}

void
nodekeys_public(struct charter_node *out, const struct nodekeys *k, enum charter_role role)
{
	*out = (struct charter_node){ .role = role };
	memcpy(out->identity, k->identity_pk, sizeof(out->identity));
	memcpy(out->link, k->link_pk, sizeof(out->link));
}

enum err
nodekeys_find(const struct charter_node **out, const struct nodekeys *k, const struct charter *c,
    enum charter_role role, struct diag *d)
{
	for (size_t i = 0; i < c->node_count; i++) {
		const struct charter_node *n = &c->nodes[i];

		if (n->role != role || sodium_memcmp(n->identity, k->identity_pk, 32) != 0)
			continue;
		*out = n;
		return ERR_OK;
	}
	return diag_set(d, ERR_NOT_FOUND, "the charter has no %s with our identity key: have our "
	    "node line added to it, or name the charter that has it",
	    charter_role_text(role));
}
