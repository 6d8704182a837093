#include "config.h"

#include "tests/soak/ledger.h"

#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "gateway/store_memory.h"
#include "tests/lib/test.h"

#define READ_BYTES (256u << 10)
#define AGAIN_ONE_IN 64 /* blocks, that is remembered to be read again */

void
ledger_new(struct ledger *l, struct fixture *f)
{
	*l = (struct ledger){.fixture = f};
	assert_err_ok(world_host_new(&l->host, f->world));
	assert_err_ok(store_memory_new(&l->store, world_loop(l->host), f->journal));
	l->chain = chain_new(f->network->charter, NULL);
	assert_non_null(l->chain);
	l->segment = chain_segment_new(l->chain);
	assert_non_null(l->segment);
}

void
ledger_free(struct ledger *l)
{
	store_free(l->store);
	chain_segment_free(l->segment);
	chain_free(l->chain);
	seen_release(&l->digests);
	seen_release(&l->records);
}

static void
check_records(struct ledger *l, const struct block *b, const struct store_block *s)
{
	size_t size = l->fixture->params->record_size;
	struct block_mailbox line;
	uint8_t hash[32], digest[BLOCK_DIGEST_BYTES];

	if (!block_mailbox_find(&line, b, 0)) {
		assert_int_equal(s->records_len, 0);
		return;
	}
	assert_int_equal(s->records_len, line.count * size);
	hash_256(hash, s->records, s->records_len);
	assert_memory_equal(hash, line.hash, sizeof(hash));
	for (size_t i = 0; i < line.count; i++) {
		block_record_digest(digest, s->records + i * size, size);
		assert_true(block_has_digest(b, digest));
		assert_int_equal(seen_add(&l->records, load_u64(digest)), 1);
	}
	l->record_count += line.count;
}

static void
check_block(struct ledger *l, const struct store_block *s)
{
	size_t n = s->block_len - BLOCK_SIGNATURE_BYTES;
	struct block b;

	assert_true(s->block_len > BLOCK_SIGNATURE_BYTES);
	assert_err_ok(chain_segment_add(l->segment, &b, s->block, n, s->block + n));
	assert_int_equal(b.round, s->round);
	for (size_t i = 0; i < b.digest_count; i++)
		assert_int_equal(
		    seen_add(&l->digests, load_u64(b.digests + i * BLOCK_DIGEST_BYTES)), 1);
	check_records(l, &b, s);
	l->blocks++;
	l->epoch_blocks += b.epoch_block;
	if (l->blocks % AGAIN_ONE_IN == 0 && !l->reads_again) {
		l->again_day = l->day;
		l->again_index = l->index;
		hash_256(l->again_hash, s->block, s->block_len);
	}
}

static void
on_again(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct ledger *l = arg;
	uint8_t hash[32];

	l->reads_again = false;
	if (e == ERR_NOT_FOUND)
		return; /* its day has passed */
	assert_err_ok(e);
	assert_true(n > 0);
	hash_256(hash, blocks[0].block, blocks[0].block_len);
	assert_memory_equal(hash, l->again_hash, sizeof(hash));
	l->again_count++;
}

static void read_on(struct ledger *l);

static void
on_blocks(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct ledger *l = arg;

	l->reading = false;
	assert_err_ok(e);
	for (size_t i = 0; i < n; i++) {
		check_block(l, &blocks[i]);
		l->index++;
	}
	if (n > 0)
		read_on(l);
}

/* The next day that is kept, once the present one is read to its end. */
static void
turn_page(struct ledger *l)
{
	uint32_t days[STORE_DAYS_MAX];
	size_t n = store_days(l->store, days, STORE_DAYS_MAX);

	if (l->day != 0 && l->index < store_count(l->store, l->day))
		return;
	for (size_t i = 0; i < n; i++)
		if (days[i] > l->day) {
			l->day = days[i];
			l->index = 0;
			return;
		}
}

static void
read_on(struct ledger *l)
{
	if (l->reading)
		return;
	turn_page(l);
	if (l->day == 0 || l->index >= store_count(l->store, l->day))
		return;
	l->reading = true;
	assert_err_ok(store_read(l->store, l->day, l->index, 0, READ_BYTES, on_blocks, l));
}

void
ledger_look(struct ledger *l)
{
	read_on(l);
	if (l->again_day == 0 || l->reads_again)
		return;
	l->reads_again = true;
	assert_err_ok(store_read(l->store, l->again_day, l->again_index, 0, 1, on_again, l));
}
