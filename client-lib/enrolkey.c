#include "config.h"

#include "client-lib/enrolkey.h"

#include <sodium.h>

#include "common/base/format.h"

#define MAGIC "RSTENR"
#define VERSION 1
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_BYTES (FORMAT_BYTES + NONCE_BYTES + ENROLMENT_SECRET_BYTES + TAG_SIZE)

enum err
enrolkey_save(const uint8_t secret[static ENROLMENT_SECRET_BYTES], struct disk *k,
    const struct vault *v, const struct rng *keys, struct diag *d)
{
	uint8_t file[FILE_BYTES], *nonce;
	struct writer w;
	enum err e;

	writer_init(&w, file, sizeof(file));
	format_put(&w, MAGIC, VERSION);
	nonce = writer_space(&w, NONCE_BYTES);
	rng_bytes(keys, nonce, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, secret,
	    ENROLMENT_SECRET_BYTES, file, FORMAT_BYTES, NULL, nonce, vault_wallet_key(v));
	e = disk_replace(k, ENROLKEY_FILE, file, sizeof(file));
	if (e != ERR_OK)
		(void)diag_set(d, e, ENROLKEY_FILE ": cannot be written (%s)", err_text(e));
	return e;
}

static enum err
unseal(uint8_t secret[static ENROLMENT_SECRET_BYTES], const struct buf *file,
    const struct vault *v, struct diag *d)
{
	const uint8_t *nonce;
	struct reader r;
	enum err e;

	reader_init(&r, file->data, file->len);
	e = format_check(&r, NULL, MAGIC, VERSION, ENROLKEY_FILE, d);
	if (e != ERR_OK)
		return e;
	if (file->len != FILE_BYTES)
		return diag_set(d, ERR_MALFORMED, ENROLKEY_FILE
		    ": damaged; enter the code again with `restante enrol`");
	nonce = file->data + FORMAT_BYTES;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, nonce + NONCE_BYTES,
		ENROLMENT_SECRET_BYTES + TAG_SIZE, file->data, FORMAT_BYTES, nonce,
		vault_wallet_key(v)) != 0)
		return diag_set(d, ERR_CRYPTO, ENROLKEY_FILE ": damaged, or not of this `vault`; enter "
		    "the code again with `restante enrol`");
	return ERR_OK;
}

enum err
enrolkey_load(uint8_t secret[static ENROLMENT_SECRET_BYTES], struct disk *k,
    const struct vault *v, struct diag *d)
{
	struct buf file;
	enum err e;

	buf_init(&file);
	e = disk_read(k, &file, ENROLKEY_FILE, 4096);
	if (e == ERR_OK)
		e = unseal(secret, &file, v, d);
	else if (e != ERR_NOT_FOUND)
		(void)diag_set(d, e, ENROLKEY_FILE ": cannot be read (%s)", err_text(e));
	buf_release(&file);
	return e;
}
