#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/net/purse_parts.h"

#define SEALED_MAGIC "RSTPRS"
#define SEALED_VERSION 1
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_BYTES (FORMAT_BYTES + NONCE_BYTES)

/* ---- sealing: header || nonce 24 || XChaCha20-Poly1305(image, ad = header || name) ---- */

static void
ad_of(uint8_t out[static FORMAT_BYTES + 8], const char *file)
{
	struct writer w;

	writer_init(&w, out, FORMAT_BYTES + 8);
	format_put(&w, SEALED_MAGIC, SEALED_VERSION);
	writer_copy(&w, file, strlen(file));
	writer_pad(&w);
}

static enum err
seal(struct buf *image, const struct purse *p, const char *file)
{
	uint8_t ad[FORMAT_BYTES + 8], *space;
	struct buf sealed;
	enum err e;

	if (p->key == NULL)
		return ERR_OK;
	buf_init(&sealed);
	e = buf_reserve(&sealed, HEAD_BYTES + image->len + TAG_SIZE, WALLET_BYTES_MAX, &space);
	if (e != ERR_OK)
		return e;
	ad_of(ad, file);
	memcpy(space, ad, FORMAT_BYTES);
	rng_bytes(p->cfg.keys, space + FORMAT_BYTES, NONCE_BYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(space + HEAD_BYTES, NULL, image->data,
	    image->len, ad, sizeof(ad), NULL, space + FORMAT_BYTES, p->key);
	sealed.len = HEAD_BYTES + image->len + TAG_SIZE;
	buf_release(image);
	*image = sealed;
	return ERR_OK;
}

static enum err
unseal(struct buf *image, const struct purse *p, const char *file, struct diag *d)
{
	uint8_t ad[FORMAT_BYTES + 8];
	struct reader r;
	struct buf sealed = *image;
	uint8_t *space;
	enum err e;

	if (p->key == NULL)
		return ERR_OK;
	reader_init(&r, sealed.data, sealed.len);
	e = format_check(&r, NULL, SEALED_MAGIC, SEALED_VERSION, file, d);
	if (e == ERR_OK && sealed.len < HEAD_BYTES + TAG_SIZE)
		e = diag_set(d, ERR_TRUNCATED, "%s: truncated", file);
	if (e != ERR_OK)
		return e;
	ad_of(ad, file);
	buf_init(image);
	e = buf_reserve(image, sealed.len, WALLET_BYTES_MAX, &space);
	if (e == ERR_OK &&
	    crypto_aead_xchacha20poly1305_ietf_decrypt(space, NULL, NULL, sealed.data + HEAD_BYTES,
		sealed.len - HEAD_BYTES, ad, sizeof(ad), sealed.data + FORMAT_BYTES, p->key) != 0)
		e = diag_set(d, ERR_CRYPTO, "%s: damaged, or of another vault; remove it and enrol with "
		    "a new code", file);
	if (e == ERR_OK)
		image->len = sealed.len - HEAD_BYTES - TAG_SIZE;
	buf_release(&sealed);
	return e;
}

/* ---- at the start ---- */

static enum err
read_file(struct buf *out, const struct purse *p, const char *file, struct diag *d)
{
	enum err e = ERR_NOT_FOUND;

	if (p->cfg.disk != NULL)
		e = disk_read(p->cfg.disk, out, file, WALLET_BYTES_MAX);
	if (e == ERR_OK)
		return unseal(out, p, file, d);
	return e == ERR_NOT_FOUND ? e : diag_set(d, e, "%s: cannot be read (%s)", file, err_text(e));
}

static enum err
image_of(struct buf *out, const struct purse *p, bool marks)
{
	enum err e = marks ? wallet_save_marks(p->wallet, out) : wallet_save(p->wallet, out);

	return e == ERR_OK ? seal(out, p, marks ? p->marks_file : p->wallet_file) : e;
}

static enum err
write_now(const struct purse *p, bool marks, struct diag *d)
{
	const char *file = marks ? p->marks_file : p->wallet_file;
	struct buf image;
	enum err e;

	if (p->cfg.disk == NULL)
		return ERR_OK;
	buf_init(&image);
	e = image_of(&image, p, marks);
	if (e == ERR_OK)
		e = disk_replace(p->cfg.disk, file, image.data, image.len);
	buf_release(&image);
	return e == ERR_OK ? e : diag_set(d, e, "%s: cannot be written (%s)", file, err_text(e));
}

/* The marks first: a wallet without its own counts as spent. */
static enum err
make(struct purse *p, const uint8_t id[static ENROLMENT_ID_BYTES], struct diag *d)
{
	uint8_t seed[WALLET_SEED_BYTES];
	enum err e;

	rng_bytes(p->cfg.keys, seed, sizeof(seed));
	p->wallet = wallet_new(id, seed);
	secret_wipe(seed, sizeof(seed));
	if (p->wallet == NULL)
		return ERR_MEMORY;
	e = write_now(p, true, d);
	return e == ERR_OK ? write_now(p, false, d) : e;
}

static enum err
read_both(struct purse *p, struct diag *d)
{
	struct buf tokens, marks;
	enum err e, f;

	buf_init(&tokens);
	buf_init(&marks);
	e = read_file(&tokens, p, p->wallet_file, d);
	if (e == ERR_OK) {
		f = read_file(&marks, p, p->marks_file, d);
		e = f == ERR_OK || f == ERR_NOT_FOUND ? ERR_OK : f;
		if (e == ERR_OK)
			e = wallet_load(&p->wallet, tokens.data, tokens.len,
			    f == ERR_OK ? marks.data : NULL, marks.len, d);
	}
	buf_release(&tokens);
	buf_release(&marks);
	return e;
}

static void
name_files(struct purse *p)
{
	const char *name = p->cfg.name != NULL ? p->cfg.name : "";

	(void)snprintf(p->wallet_file, sizeof(p->wallet_file), PURSE_WALLET_FILE "%s", name);
	(void)snprintf(p->marks_file, sizeof(p->marks_file), PURSE_MARKS_FILE "%s", name);
}

enum err
purse_load(struct purse *p, struct diag *d)
{
	uint8_t id[ENROLMENT_ID_BYTES];
	enum err e;

	name_files(p);
	e = read_both(p, d);
	if (e != ERR_OK && e != ERR_NOT_FOUND)
		return e;
	enrolment_id(id, p->code, succession_first(p->cfg.charters)->network_id);
	if (p->wallet != NULL && sodium_memcmp(id, wallet_enrolment(p->wallet), sizeof(id)) == 0)
		return ERR_OK;
	wallet_free(p->wallet);
	p->wallet = NULL;
	return make(p, id, d);
}

/* ---- while it runs ---- */

static void
job_free(struct purse_job *j)
{
	buf_release(&j->image);
	secret_wipe(j, sizeof(*j));
	free(j);
}

/* On the queue's thread. */
static void
run(void *arg)
{
	struct purse_job *j = arg;

	if (j->disk != NULL)
		j->result = disk_replace(j->disk, j->file, j->image.data, j->image.len);
}

static void
done(void *arg)
{
	struct purse_job *j = arg;
	struct purse *p = j->purse;

	if (p == NULL) {
		job_free(j);
		return;
	}
	LIST_REMOVE(j, all);
	if (j->result == ERR_OK)
		purse_clear(p, PURSE_ALARM_DISK);
	else
		purse_raise(p, PURSE_ALARM_DISK);
	if (j->result != ERR_OK && j->has_token)
		wallet_return(p->wallet, &j->token); /* or a full disk burns the allotment */
	if (j->cb != NULL)
		j->cb(j->arg, j->result, j->result == ERR_OK ? &j->token : NULL);
	job_free(j);
}

static enum err
write_later(struct purse *p, bool marks, const struct wallet_token *t, purse_cb *cb, void *arg)
{
	struct purse_job *j = calloc(1, sizeof(*j));
	enum err e;

	if (j == NULL)
		return ERR_MEMORY;
	j->purse = p;
	j->disk = p->cfg.disk;
	memcpy(j->file, marks ? p->marks_file : p->wallet_file, sizeof(j->file));
	j->cb = cb;
	j->arg = arg;
	j->has_token = t != NULL;
	if (t != NULL)
		j->token = *t;
	buf_init(&j->image);
	e = image_of(&j->image, p, marks);
	if (e == ERR_OK)
		e = workq_add(p->cfg.queue, run, done, j);
	if (e != ERR_OK) {
		job_free(j);
		return e;
	}
	LIST_INSERT_HEAD(&p->jobs, j, all);
	return ERR_OK;
}

enum err
purse_write_tokens(struct purse *p)
{
	return write_later(p, false, NULL, NULL, NULL);
}

enum err
purse_write_marks(struct purse *p, const struct wallet_token *t, purse_cb *cb, void *arg)
{
	return write_later(p, true, t, cb, arg);
}

void
purse_forget_jobs(struct purse *p)
{
	struct purse_job *j;

	LIST_FOREACH(j, &p->jobs, all) {
		j->purse = NULL;
		j->cb = NULL;
	}
	LIST_INIT(&p->jobs);
}
