/*
 * A backup file behind its seal: the input is what the pieces have in them. Whatever it
 * is, it is read to an end or refused with a sentence, in items within their bounds.
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client-lib/backup.h"
#include "client-lib/lock.h"
#include "common/base/format.h"
#include "common/base/secret.h"

#define PIECE ((size_t)65536)
#define SEAL crypto_secretstream_xchacha20poly1305_ABYTES
#define STREAM_HEAD crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define HEAD (FORMAT_BYTES + LOCK_BYTES + STREAM_HEAD)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct vault_unlock unlock = { "0123456789abcdef0123456789abcdef", 32, true,
	VAULT_COST_TEST };
static struct rng_seeded seeded;
static char path[64];
static int fd;

static void
must(bool true_)
{
	if (!true_)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rng_seeded_init(&seeded, 1);
	fd = memfd_create("backup", MFD_CLOEXEC);
	must(fd >= 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return secret_setup() == ERR_OK ? 0 : 1;
}

static void
put(const void *p, size_t n)
{
	must(write(fd, p, n) == (ssize_t)n);
}

static void
put_head(crypto_secretstream_xchacha20poly1305_state *stream)
{
	uint8_t head[HEAD], key[32];
	struct writer w;
	struct lock l;

	must(lock_choose(&l, &unlock, &seeded.rng, NULL) == ERR_OK);
	must(lock_key(key, &l, &unlock, "backup", NULL) == ERR_OK);
	writer_init(&w, head, sizeof(head));
	format_put(&w, "RSTBAK", 1);
	lock_put(&w, &l);
	rng_bytes(&seeded.rng, writer_space(&w, STREAM_HEAD), STREAM_HEAD);
	must(crypto_secretstream_xchacha20poly1305_init_pull(stream, head + HEAD - STREAM_HEAD,
		 key) == 0);
	put(head, sizeof(head));
}

static void
put_sealed(const uint8_t *data, size_t size)
{
	crypto_secretstream_xchacha20poly1305_state stream;
	static uint8_t sealed[PIECE + SEAL];
	unsigned long long n;
	bool last;

	must(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	put_head(&stream);
	do {
		size_t some = size < PIECE ? size : PIECE;
		last = some == size;
		must(crypto_secretstream_xchacha20poly1305_push(&stream, sealed, &n, data, some, NULL,
			 0, last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0) == 0);
		put(sealed, (size_t)n);
		data += some;
		size -= some;
	} while (!last);
}

/* How many items there are before the end; -1: refused. */
static int
read_all(struct backup_reader *r, struct diag *d)
{
	struct backup_item item = { .kind = BACKUP_FILE };
	enum err e = ERR_OK;
	int n = 0;

	while (e == ERR_OK && item.kind != BACKUP_END) {
		e = backup_next(r, &item, d);
		if (e != ERR_OK)
			break;
		must(item.kind >= BACKUP_FILE && item.kind <= BACKUP_END);
		must(item.key_len <= BACKUP_KEY_MAX && item.value.len <= BACKUP_ITEM_MAX);
		buf_release(&item.value);
		n++;
	}
	must(e == ERR_OK || d->text[0] != '\0');
	return e == ERR_OK ? n : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct backup_reader *r;
	struct diag d = { "" };
	int n;

	put_sealed(data, size);
	if (backup_open(&r, path, &unlock, &d) != ERR_OK) {
		must(d.text[0] != '\0');
		return 0;
	}
	n = read_all(r, &d);
	/* and the same again */
	if (n >= 0)
		must(backup_rewind(r, &d) == ERR_OK && read_all(r, &d) == n);
	backup_reader_free(r);
	return 0;
}
