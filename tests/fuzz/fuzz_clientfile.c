/*
 * What a client finds in its directory when it starts: the first byte says which file, the
 * rest is in it, as it is and, where files are sealed, once more behind the right seal: its
 * first 8 bytes are the header, the others are sealed under them.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/client_state.h"
#include "client-lib/enrolkey.h"
#include "client-lib/entrykey.h"
#include "client-lib/keyring.h"
#include "client-lib/lock.h"
#include "client-lib/post.h"
#include "client-lib/vault.h"
#include "common/base/disk.h"
#include "common/base/format.h"
#include "common/base/secret.h"
#include "tests/fuzz/script.h"

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEAL_BYTES (NONCE_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define VAULT_FILE "vault"
#define FILE_MAX 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key_file[32] = { 1, 2, 3 };
static const struct vault_unlock unlock = { .secret = key_file, .len = sizeof(key_file),
	.key_file = true, .cost = VAULT_COST_TEST };
static struct rng_seeded rng;
static struct disk *home; /* these as long as the program */
static struct vault *vault;

static void
clean_up(void)
{
	vault_free(vault);
	disk_free(home);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	rng_seeded_init(&rng, 1);
	home = disk_memory();
	must(home != NULL);
	must(vault_create(&vault, home, &unlock, &rng.rng, NULL) == ERR_OK);
	return atexit(clean_up);
}

/* ---- files ---- */

static enum err
read_keyring(struct disk *disk, struct diag *d)
{
	uint8_t id[KEYRING_ID_BYTES];
	struct keyring *r;
	enum err e = keyring_open(&r, disk, vault_archive_key(vault), &rng.rng, d);

	if (e != ERR_OK)
		return e;
	must(keyring_newest(r, id) != NULL && keyring_find(r, id) != NULL);
	keyring_free(r);
	return ERR_OK;
}

static enum err
read_entrykey(struct disk *disk, struct diag *d)
{
	struct clientauth a;

	return entrykey_load(&a, disk, vault, d);
}

static enum err
read_enrolkey(struct disk *disk, struct diag *d)
{
	uint8_t secret[ENROLMENT_SECRET_BYTES];

	return enrolkey_load(secret, disk, vault, d);
}

static enum err
read_vault(struct disk *disk, struct diag *d)
{
	struct vault *v;
	enum err e = vault_open(&v, disk, &unlock, &rng.rng, d);

	if (e == ERR_OK)
		vault_free(v);
	return e;
}

struct kind {
	const char *name;
	const uint8_t *(*key)(const struct vault *v); /* NULL: not sealed */
	enum err (*read)(struct disk *disk, struct diag *d);
};

static const struct kind kinds[] = {
	{ KEYRING_FILE, vault_archive_key, read_keyring },
	{ ENTRYKEY_FILE, vault_entry_key, read_entrykey },
	{ ENROLKEY_FILE, vault_wallet_key, read_enrolkey },
	{ VAULT_FILE, NULL, read_vault },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
read_one(const struct kind *k, const uint8_t *p, size_t n)
{
	struct disk *disk = disk_memory();
	struct diag d = { "" };

	must(disk != NULL && disk_replace(disk, k->name, p, n) == ERR_OK);
	must(k->read(disk, &d) == ERR_OK || d.text[0] != '\0');
	disk_free(disk);
}

static void
read_sealed(const struct kind *k, const uint8_t *p, size_t n)
{
	uint8_t *file;

	if (n < FORMAT_BYTES || n > FILE_MAX)
		return;
	file = calloc(1, n + SEAL_BYTES);
	must(file != NULL);
	memcpy(file, p, FORMAT_BYTES);
	must(crypto_aead_xchacha20poly1305_ietf_encrypt(file + FORMAT_BYTES + NONCE_BYTES, NULL,
		 p + FORMAT_BYTES, n - FORMAT_BYTES, file, FORMAT_BYTES, NULL, file + FORMAT_BYTES,
		 k->key(vault)) == 0);
	read_one(k, file, n + SEAL_BYTES);
	free(file);
}

/* ---- what is in no file of its own ---- */

static void
read_lock(const uint8_t *p, size_t n)
{
	struct lock l;
	struct reader r;

	reader_init(&r, p, n);
	if (lock_get(&l, &r) == ERR_OK)
		must(l.kind == LOCK_PASSPHRASE || l.kind == LOCK_KEY_FILE);
}

static void
read_state(const uint8_t *p, size_t n)
{
	struct reader reader, post;

	if (client_state_split(&reader, &post, p, n) == ERR_OK)
		must(reader.left + post.left <= n);
}

/* What is decoded is encoded, and decoded as the same. */
static void
read_message(const uint8_t *p, size_t n)
{
	struct post_message m, again;
	struct buf out;

	if (post_message_decode(&m, p, n) != ERR_OK)
		return;
	must(m.state <= POST_FAILED && m.done <= m.of);
	must(memchr(m.name, '\0', sizeof(m.name)) != NULL);
	buf_init(&out);
	must(post_message_encode(&out, &m) == ERR_OK);
	must(post_message_decode(&again, out.data, out.len) == ERR_OK);
	must(again.id == m.id && again.size == m.size && again.time_ms == m.time_ms &&
	    strcmp(again.name, m.name) == 0);
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const others[])(const uint8_t *p, size_t n) = { read_lock, read_state,
		read_message };
	size_t which;

	if (size == 0)
		return 0;
	which = data[0] % (KINDS + sizeof(others) / sizeof(others[0]));
	if (which >= KINDS) {
		others[which - KINDS](data + 1, size - 1);
		return 0;
	}
	read_one(&kinds[which], data + 1, size - 1);
	if (kinds[which].key != NULL)
		read_sealed(&kinds[which], data + 1, size - 1);
	return 0;
}
