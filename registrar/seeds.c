#include "config.h"

#include "registrar/seeds.h"

#include <sodium.h>
#include <string.h>

#include "common/base/format.h"
#include "common/crypto/hash.h"

#define MAGIC "rsseed"
#define VERSION 1
#define CHECK_BYTES 8
#define FILE_MAX (FORMAT_BYTES + 1 + SEEDS_MAX * (4 + ISSUER_SEED_BYTES) + CHECK_BYTES)

bool
seeds_wanted(const struct succession *charters, uint16_t own, uint32_t epoch)
{
	const struct charter *c = succession_at(charters, epoch);
	const struct charter_node *n = c != NULL ? charter_registrar(c) : NULL;

	return n != NULL && n->number == own;
}

const struct seed *
seeds_of(const struct seeds *s, uint32_t epoch)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].epoch == epoch)
			return &s->list[i];
	return NULL;
}

bool
seeds_current(uint32_t of, uint32_t epoch)
{
	return of >= epoch && of - epoch <= ISSUER_AHEAD;
}

/* Over by more than one epoch: no clock that is a little wrong asks for it again. */
static bool
over(const struct seed *x, uint32_t epoch)
{
	return x->epoch < epoch && epoch - x->epoch > 1;
}

static void
take_out(struct seeds *s, size_t i)
{
	s->count--;
	memmove(&s->list[i], &s->list[i + 1], (s->count - i) * sizeof(s->list[0]));
	sodium_memzero(&s->list[s->count], sizeof(s->list[0]));
}

/* A place for one more, which there always is: the current epochs are fewer than the places. */
static void
make_room(struct seeds *s, uint32_t epoch)
{
	if (s->count == SEEDS_MAX)
		take_out(s, over(&s->list[0], epoch) ? 0 : s->count - 1);
}

static void
draw(struct seeds *s, uint32_t of, uint32_t epoch, const struct rng *keys)
{
	size_t i;

	make_room(s, epoch);
	for (i = s->count; i > 0 && s->list[i - 1].epoch > of; i--)
		s->list[i] = s->list[i - 1];
	s->list[i].epoch = of;
	rng_bytes(keys, s->list[i].bytes, sizeof(s->list[i].bytes));
	s->count++;
}

bool
seeds_next(struct seeds *next, const struct seeds *s, const struct succession *charters,
    uint16_t own, uint32_t epoch, bool sure, const struct rng *keys)
{
	bool fresh = false;

	*next = *s;
	for (size_t i = next->count; i-- > 0;)
		if ((sure && over(&next->list[i], epoch)) ||
		    !seeds_wanted(charters, own, next->list[i].epoch))
			take_out(next, i);
	for (uint32_t i = 0; i <= ISSUER_AHEAD && epoch <= UINT32_MAX - i; i++) {
		if (!seeds_wanted(charters, own, epoch + i) || seeds_of(next, epoch + i) != NULL)
			continue;
		draw(next, epoch + i, epoch, keys);
		fresh = true;
	}
	return fresh || next->count != s->count;
}

/* ---- the file: head || count u8 || count (epoch u32 || seed 32) || BLAKE2b-64 of it all ---- */

enum err
seeds_save(struct disk *disk, const struct seeds *s)
{
	uint8_t bytes[FILE_MAX];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, sizeof(bytes));
	format_put(&w, MAGIC, VERSION);
	writer_u8(&w, (uint8_t)s->count);
	for (size_t i = 0; i < s->count; i++) {
		writer_u32(&w, s->list[i].epoch);
		writer_copy(&w, s->list[i].bytes, ISSUER_SEED_BYTES);
	}
	if (writer_ok(&w)) {
		const struct hash_part all = { bytes, w.used };
		uint8_t check[CHECK_BYTES];

		hash_parts(check, sizeof(check), &all, 1);
		writer_copy(&w, check, sizeof(check));
	}
	e = writer_ok(&w) ? disk_replace(disk, SEEDS_FILE, bytes, w.used) : ERR_RANGE;
	sodium_memzero(bytes, sizeof(bytes));
	return e;
}

static enum err
check_sum(const uint8_t *bytes, size_t n)
{
	uint8_t check[CHECK_BYTES];
	struct hash_part all;

	if (n < FORMAT_BYTES + 1 + CHECK_BYTES)
		return ERR_TRUNCATED;
	all = (struct hash_part){ bytes, n - CHECK_BYTES };
	hash_parts(check, sizeof(check), &all, 1);
	return sodium_memcmp(check, bytes + n - CHECK_BYTES, CHECK_BYTES) == 0 ? ERR_OK :
		ERR_MALFORMED;
}

static enum err
parse(struct seeds *s, const uint8_t *bytes, size_t n, struct diag *d)
{
	struct reader r;
	enum err e = check_sum(bytes, n);

	if (e != ERR_OK)
		return e;
	reader_init(&r, bytes, n - CHECK_BYTES);
	e = format_check(&r, NULL, MAGIC, VERSION, SEEDS_FILE, d);
	if (e != ERR_OK)
		return e;
	s->count = reader_u8(&r);
	if (s->count > SEEDS_MAX)
		return ERR_MALFORMED;
	for (size_t i = 0; i < s->count; i++) {
		s->list[i].epoch = reader_u32(&r);
		reader_copy(&r, s->list[i].bytes, ISSUER_SEED_BYTES);
		if (i > 0 && s->list[i].epoch <= s->list[i - 1].epoch)
			return ERR_MALFORMED;
	}
	return reader_end(&r);
}

enum err
seeds_load(struct seeds *s, struct disk *disk, struct diag *d)
{
	struct buf bytes;
	enum err e;

	memset(s, 0, sizeof(*s));
	buf_init(&bytes);
	e = disk_read(disk, &bytes, SEEDS_FILE, FILE_MAX);
	if (e == ERR_NOT_FOUND) {
		buf_release(&bytes);
		return ERR_OK;
	}
	if (e == ERR_OK)
		e = parse(s, bytes.data, bytes.len, d);
	if (bytes.data != NULL)
		sodium_memzero(bytes.data, bytes.len);
	buf_release(&bytes);
	if (e == ERR_OK)
		return ERR_OK;
	memset(s, 0, sizeof(*s));
	return e == ERR_VERSION ? e : diag_set(d, e, "the file " SEEDS_FILE " is damaged (%s): "
	    "restore it from a backup; without it, remove it, and members cannot fetch until the "
	    "epochs that it was for are over", err_text(e));
}
