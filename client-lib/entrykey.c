#include "config.h"

#include "client-lib/entrykey.h"

#include <sodium.h>
#include <string.h>

#include "common/base/format.h"

#define MAGIC "RSTENT"
#define VERSION 1
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define PLAIN_BYTES (HSID_CHARS + 32)
#define FILE_BYTES (FORMAT_BYTES + NONCE_BYTES + PLAIN_BYTES + TAG_SIZE)

enum err
entrykey_save(const struct clientauth *a, struct disk *k, const struct vault *v,
    const struct rng *keys, struct diag *d)
{
	uint8_t file[FILE_BYTES], plain[PLAIN_BYTES];
	struct writer w;
	uint8_t *nonce;
	enum err e;

	memcpy(plain, a->service, HSID_CHARS);
	memcpy(plain + HSID_CHARS, a->secret, sizeof(a->secret));
	writer_init(&w, file, sizeof(file));
	format_put(&w, MAGIC, VERSION);
	nonce = writer_space(&w, NONCE_BYTES);
	rng_bytes(keys, nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain,
	    sizeof(plain), file, FORMAT_BYTES, NULL, nonce, vault_entry_key(v));
	sodium_memzero(plain, sizeof(plain));
	e = disk_replace(k, ENTRYKEY_FILE, file, sizeof(file));
	if (e != ERR_OK)
		(void)diag_set(d, e, ENTRYKEY_FILE ": cannot be written (%s)", err_text(e));
	return e;
}

static enum err
unseal(struct clientauth *out, const struct buf *file, const struct vault *v, struct diag *d)
{
	const uint8_t *nonce;
	uint8_t plain[PLAIN_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, MAGIC, VERSION, ENTRYKEY_FILE, d);
	if (e != ERR_OK)
		return e;
	if (file->len != FILE_BYTES)
		return diag_set(d, ERR_MALFORMED, ENTRYKEY_FILE
		    ": damaged; import the client authorization again with `restante authorize`");
	nonce = file->data + FORMAT_BYTES;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, nonce + NONCE_BYTES,
		PLAIN_BYTES + TAG_SIZE, file->data, FORMAT_BYTES, nonce, vault_entry_key(v)) != 0)
		return diag_set(d, ERR_CRYPTO, ENTRYKEY_FILE ": damaged, or not of this `vault`; import "
		    "the client authorization again with `restante authorize`");
	memcpy(out->service, plain, HSID_CHARS);
	out->service[HSID_CHARS] = '\0';
	memcpy(out->secret, plain + HSID_CHARS, sizeof(out->secret));
	sodium_memzero(plain, sizeof(plain));
	return ERR_OK;
}

enum err
entrykey_load(struct clientauth *out, struct disk *k, const struct vault *v, struct diag *d)
{
	struct buf file;
	enum err e;

	buf_init(&file);
	e = disk_read(k, &file, ENTRYKEY_FILE, 4096);
	if (e == ERR_OK)
		e = unseal(out, &file, v, d);
	else if (e != ERR_NOT_FOUND)
		(void)diag_set(d, e, ENTRYKEY_FILE ": cannot be read (%s)", err_text(e));
	buf_release(&file);
	return e;
}
