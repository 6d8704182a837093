#include "config.h"

#include "mix/batches.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/format.h"
#include "common/crypto/hash.h"

/*
 * file = header || sits out u8 || epoch u32 || count u16 ||
 *        count times (node u16 || sent u64 || had u64) || check 16
 */
#define NAME "batches"
#define MAGIC "rstbat"
#define FILE_VERSION 1
#define CHECK_BYTES 16
#define FIXED_BYTES (FORMAT_BYTES + 1 + 4 + 2 + CHECK_BYTES)
#define ENTRY_BYTES 18
#define FILE_BYTES_MAX (FIXED_BYTES + BATCHES_NODES_MAX * ENTRY_BYTES)

struct entry {
	uint16_t node;
	bool giving; /* a commit is giving it sent + 1 */
	uint64_t sent, had;
};

struct batches {
	struct disk *disk;
	struct workq *queue;
	bool committing;
	bool sits_out; /* out_epoch and all before it */
	uint32_t out_epoch;
	size_t count;
	struct entry entries[BATCHES_NODES_MAX];
};

static struct entry *
entry_of(const struct batches *b, uint16_t node)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->entries[i].node == node)
			return (struct entry *)(uintptr_t)&b->entries[i];
	return NULL;
}

/* ---- the file ---- */

static void
check_of(uint8_t out[static CHECK_BYTES], const uint8_t *p, size_t n)
{
	struct hash_part part = { p, n };

	hash_parts(out, CHECK_BYTES, &part, 1);
}

static size_t
encode(uint8_t out[static FILE_BYTES_MAX], const struct batches *b)
{
	struct writer w;

	writer_init(&w, out, FILE_BYTES_MAX);
	format_put(&w, MAGIC, FILE_VERSION);
	writer_u8(&w, b->sits_out);
	writer_u32(&w, b->out_epoch);
	writer_u16(&w, (uint16_t)b->count);
	for (size_t i = 0; i < b->count; i++) {
		writer_u16(&w, b->entries[i].node);
		writer_u64(&w, b->entries[i].sent + b->entries[i].giving);
		writer_u64(&w, b->entries[i].had);
	}
	check_of(out + w.used, out, w.used);
	return w.used + CHECK_BYTES;
}

static enum err
decode_entries(struct batches *b, struct reader *r)
{
	uint8_t flag = reader_u8(r);
	uint32_t epoch = reader_u32(r);
	size_t count = reader_u16(r);

	if (flag > 1 || count > BATCHES_NODES_MAX)
		return ERR_MALFORMED;
	b->sits_out = flag == 1;
	b->out_epoch = epoch;
	for (size_t i = 0; i < count && reader_ok(r); i++) {
		struct entry n = { .node = reader_u16(r) };

		n.sent = reader_u64(r);
		n.had = reader_u64(r);
		if (n.sent > BATCHES_NUMBER_MAX || n.had > BATCHES_NUMBER_MAX ||
		    entry_of(b, n.node) != NULL)
			return ERR_MALFORMED;
		b->entries[b->count++] = n;
	}
	return reader_end(r);
}

static enum err
decode(struct batches *b, const struct buf *in, struct diag *d)
{
	uint8_t check[CHECK_BYTES];
	struct reader r;
	enum err e;

	reader_init(&r, in->data, in->len < CHECK_BYTES ? 0 : in->len - CHECK_BYTES);
	e = format_check(&r, NULL, MAGIC, FILE_VERSION, NAME, d);
	if (e != ERR_OK)
		return e;
	check_of(check, in->data, in->len - CHECK_BYTES);
	e = ERR_MALFORMED;
	if (memcmp(check, in->data + in->len - CHECK_BYTES, CHECK_BYTES) == 0) /* public */
		e = decode_entries(b, &r);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, NAME ": %s; restore it or remove it: without it the node sits the "
	    "running epoch out", err_text(e));
}

static enum err
load(struct batches *b, struct diag *d)
{
	struct buf in;
	enum err e;

	buf_init(&in);
	e = disk_read(b->disk, &in, NAME, FILE_BYTES_MAX);
	if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	else if (e != ERR_OK)
		e = diag_set(d, e, NAME ": %s; see that the file is ours and readable",
		    err_text(e));
	else
		e = decode(b, &in, d);
	buf_release(&in);
	return e;
}

enum err
batches_open(struct batches **out, struct disk *disk, struct workq *queue, struct diag *d)
{
	struct batches *b = calloc(1, sizeof(*b));
	enum err e;

	if (b == NULL)
		return ERR_MEMORY;
	b->disk = disk;
	b->queue = queue;
	e = load(b, d);
	if (e != ERR_OK) {
		free(b);
		return e;
	}
	*out = b;
	return ERR_OK;
}

void
batches_free(struct batches *b)
{
	free(b);
}

void
batches_keep(struct batches *b, const uint16_t *nodes, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		bool wanted = false;

		for (size_t k = 0; k < n && !wanted; k++)
			wanted = nodes[k] == b->entries[i].node;
		if (wanted)
			b->entries[kept++] = b->entries[i];
	}
	b->count = kept;
	for (size_t k = 0; k < n && b->count < BATCHES_NODES_MAX; k++)
		if (entry_of(b, nodes[k]) == NULL)
			b->entries[b->count++] = (struct entry){ .node = nodes[k] };
}

/* ---- numbers ---- */

uint64_t
batches_sent(const struct batches *b, uint16_t node)
{
	const struct entry *n = entry_of(b, node);

	return n != NULL ? n->sent : 0;
}

uint64_t
batches_had(const struct batches *b, uint16_t node)
{
	const struct entry *n = entry_of(b, node);

	return n != NULL ? n->had : 0;
}

void
batches_received(struct batches *b, uint16_t node, uint64_t number)
{
	struct entry *n = entry_of(b, node);

	if (n != NULL && number > n->had && number <= BATCHES_NUMBER_MAX)
		n->had = number;
}

bool
batches_sits_out(const struct batches *b, uint32_t epoch)
{
	return b->sits_out && epoch <= b->out_epoch;
}

/* ---- saving ---- */

struct save {
	struct batches *owner;
	enum err err;
	batches_done_cb *done; /* NULL: nobody waits, and no number was given */
	void *arg;
	size_t len;
	uint8_t bytes[FILE_BYTES_MAX];
};

static void
save_run(void *arg)
{
	struct save *s = arg;

	s->err = disk_replace(s->owner->disk, NAME, s->bytes, s->len);
}

/* The numbers are given, or not. */
static void
settle(struct batches *b, bool given)
{
	b->committing = false;
	for (size_t i = 0; i < b->count; i++) {
		b->entries[i].sent += given && b->entries[i].giving;
		b->entries[i].giving = false;
	}
}

static void
save_done(void *arg)
{
	struct save *s = arg;
	batches_done_cb *done = s->done;
	void *done_arg = s->arg;
	enum err e = s->err;

	if (done != NULL)
		settle(s->owner, e == ERR_OK);
	free(s);
	if (done != NULL)
		done(done_arg, e);
}

static enum err
save(struct batches *b, batches_done_cb *done, void *arg)
{
	struct save *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return ERR_MEMORY;
	s->owner = b;
	s->done = done;
	s->arg = arg;
	s->len = encode(s->bytes, b);
	e = workq_add(b->queue, save_run, save_done, s);
	if (e != ERR_OK)
		free(s);
	return e;
}

bool
batches_told(struct batches *b, uint16_t node, uint64_t figure, uint32_t epoch)
{
	struct entry *n = entry_of(b, node);

	if (n == NULL || figure > BATCHES_NUMBER_MAX || figure <= n->sent + n->giving)
		return false;
	n->sent = figure - n->giving;
	b->sits_out = true;
	b->out_epoch = epoch;
	/* If this fails, or the process dies first, the peer will tell us again. */
	(void)save(b, NULL, NULL);
	return true;
}

enum err
batches_commit(struct batches *b, const uint16_t *nodes, size_t n, batches_done_cb *done, void *arg)
{
	enum err e;

	if (b->committing)
		return ERR_BUSY;
	for (size_t i = 0; i < n; i++) {
		struct entry *at = entry_of(b, nodes[i]);

		if (at != NULL && at->sent < BATCHES_NUMBER_MAX)
			at->giving = true;
	}
	b->committing = true;
	e = save(b, done, arg);
	if (e != ERR_OK)
		settle(b, false);
	return e;
}
