#include "config.h"

#include "gateway/epochlog.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/format.h"
#include "common/crypto/hash.h"
#include "common/journal/block.h"

#define FILE_MAGIC "rsepbl"
#define FILE_VERSION 1
#define CHECK_BYTES 8
#define ENTRY_MAX (BLOCK_BYTES_MAX + BLOCK_SIGNATURE_BYTES)

void
epochlog_init(struct epochlog *k)
{
	*k = (struct epochlog){ .blocks = NULL };
}

void
epochlog_release(struct epochlog *k)
{
	for (size_t i = 0; i < k->count; i++)
		buf_release(&k->blocks[i]);
	free(k->blocks);
	epochlog_init(k);
}

static enum err
grow(struct epochlog *k)
{
	size_t room = k->room == 0 ? 64 : 2 * k->room;
	struct buf *blocks = realloc(k->blocks, room * sizeof(*blocks));

	if (blocks == NULL)
		return ERR_MEMORY;
	k->blocks = blocks;
	k->room = room;
	return ERR_OK;
}

enum err
epochlog_add(struct epochlog *k, const uint8_t *block, size_t len)
{
	struct buf *to;
	enum err e;

	if (k->count == k->room && (e = grow(k)) != ERR_OK)
		return e;
	to = &k->blocks[k->count];
	buf_init(to);
	e = buf_append(to, block, len, len);
	if (e == ERR_OK)
		k->count++;
	return e;
}

bool
epochlog_ends_with(const struct epochlog *k, const uint8_t *block, size_t len)
{
	const struct buf *last = k->count == 0 ? NULL : &k->blocks[k->count - 1];

	return last != NULL && last->len == len && memcmp(last->data, block, len) == 0; /* public */
}

/* entry = length u32 || block and signature || BLAKE2b-64 of both */
static void
check_of(uint8_t out[static CHECK_BYTES], const uint8_t *block, size_t len)
{
	uint8_t length[4];
	const struct hash_part parts[] = { { length, sizeof(length) }, { block, len } };

	store_u32(length, (uint32_t)len);
	hash_parts(out, CHECK_BYTES, parts, 2);
}

enum err
epochlog_encode(struct buf *out, const uint8_t *block, size_t len, size_t before)
{
	size_t n = (before == 0 ? (size_t)FORMAT_BYTES : 0) + 4 + len + CHECK_BYTES;
	struct writer w;
	uint8_t *space;
	enum err e;

	if (len > ENTRY_MAX)
		return ERR_RANGE;
	if (before > EPOCHLOG_BYTES_MAX || n > EPOCHLOG_BYTES_MAX - before)
		return ERR_FULL; /* a file that is longer would not be read again */
	e = buf_reserve(out, n, out->len + n, &space);
	if (e != ERR_OK)
		return e;
	writer_init(&w, space, n);
	if (before == 0)
		format_put(&w, FILE_MAGIC, FILE_VERSION);
	writer_u32(&w, (uint32_t)len);
	writer_copy(&w, block, len);
	check_of(writer_space(&w, CHECK_BYTES), block, len);
	e = writer_end(&w);
	if (e == ERR_OK)
		out->len += n;
	return e;
}

/* One entry; ERR_MALFORMED for a length or check that is wrong, ERR_TRUNCATED. */
static enum err
read_entry(const uint8_t **block, size_t *len, struct reader *r)
{
	uint32_t n = reader_u32(r);
	const uint8_t *p, *check;
	uint8_t want[CHECK_BYTES];

	if (reader_ok(r) && (n == 0 || n > ENTRY_MAX))
		return ERR_MALFORMED;
	p = reader_view(r, n);
	check = reader_view(r, CHECK_BYTES);
	if (!reader_ok(r))
		return ERR_TRUNCATED;
	check_of(want, p, n);
	if (memcmp(want, check, CHECK_BYTES) != 0) /* public */
		return ERR_MALFORMED;
	*block = p;
	*len = n;
	return ERR_OK;
}

/* Whether a crash while appending explains an entry that is not sound. */
static bool
torn(enum err e, const struct reader *before, const struct reader *after)
{
	return e == ERR_TRUNCATED || (e == ERR_MALFORMED &&
	    (after->left == 0 || sodium_is_zero(before->at, before->left) == 1));
}

enum err
epochlog_parse(struct epochlog *k, size_t *good, const void *p, size_t n, struct diag *d)
{
	struct reader r;
	enum err e = ERR_OK;

	reader_init(&r, p, n);
	*good = 0;
	if (n < FORMAT_BYTES)
		return ERR_OK; /* torn before anything was in it */
	e = format_check(&r, NULL, FILE_MAGIC, FILE_VERSION, "the file of epoch blocks", d);
	if (e == ERR_OK)
		*good = FORMAT_BYTES;
	while (e == ERR_OK && r.left > 0) {
		struct reader before = r;
		const uint8_t *block = NULL;
		size_t len = 0;

		e = read_entry(&block, &len, &r);
		if (torn(e, &before, &r))
			return ERR_OK;
		if (e != ERR_OK)
			return diag_set(d, e, "the file of epoch blocks is damaged after block "
			    "%zu: restore it from a backup", k->count);
		e = epochlog_add(k, block, len);
		*good = n - r.left;
	}
	return e;
}
