/*
 * journal_1024: records per second made durable by the gateway's store, in rounds of
 * 1024 as its journal builds them: sealed, written, synced. journal_whole: the same
 * rounds from the exit's hand on: deposited, shuffled, hashed, signed, then stored.
 * The floor writes bytes of the same sizes into LevelDB with the same settings, one
 * synced batch for each round, and does nothing else.
 */
#include "config.h"

#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk.h"
#include "common/base/rng.h"
#include "common/charter/timing.h"
#include "common/net/loop_event.h"
#include "gateway/daydb.h"
#include "gateway/journal.h"
#include "gateway/store_leveldb.h"
#include "tests/bench/bench.h"
#include "tests/lib/network.h"

#define REPEATS 9
#define ROUNDS 24 /* of one repetition: more than one write buffer */
#define RECORDS 1024
#define START_MS INT64_C(1768438800000) /* an hour after an epoch and a day began */

/* As in gateway/daydb.c. */
#define WRITE_BUFFER_BYTES ((size_t)64 << 20)
#define OPEN_FILES_MAX 64

struct bench {
	struct network *network;
	const struct charter *charter;
	size_t record_size;
	uint8_t *records; /* RECORDS of them */
	struct loop *loop;
	const char *dir;
	/* of one repetition */
	char path[300];
	struct disk *disk;
	struct store *store;
	struct journal *journal;
	struct journal_round *round;
	double store_s; /* what store_put took of it */
	size_t value_bytes[3]; /* of a round: records, block, head */
};

static void
fresh_path(struct bench *b, const char *what, size_t repeat)
{
	int n = snprintf(b->path, sizeof(b->path), "%s/%s-%zu", b->dir, what, repeat);

	bench_must(n > 0 && (size_t)n < sizeof(b->path), "no path");
}

/* ---- the gateway's journal and store ---- */

static void
open_store(struct bench *b)
{
	const uint8_t *sk =
	    b->network->keys[network_index(b->network, charter_gateway(b->charter)->number)]
		.identity_sk;
	struct store_leveldb_config cfg = { .loop = b->loop, .path = b->path,
		.keys = rng_system() };
	struct diag d = { "" };

	if (disk_open(&b->disk, b->path, &d) != ERR_OK)
		bench_must(false, d.text);
	cfg.disk = b->disk;
	if (store_leveldb_open(&b->store, &cfg, &d) != ERR_OK)
		bench_must(false, d.text);
	bench_must(journal_new(&b->journal, b->network->charters, sk) == ERR_OK, "no journal");
}

static void
close_store(struct bench *b)
{
	journal_free(b->journal);
	store_free(b->store);
	disk_free(b->disk);
}

static void
stored(void *arg, enum err e)
{
	struct bench *b = arg;

	bench_must(e == ERR_OK, "a round was not stored");
	journal_advance(b->journal, b->round);
	b->value_bytes[0] = b->round->deposits * b->record_size;
	b->value_bytes[1] = b->round->put.block_len;
	b->value_bytes[2] = b->round->put.state_len;
	journal_round_free(b->round);
	loop_event_stop(b->loop);
}

static void
write_round(struct bench *b, uint64_t round)
{
	double start;

	bench_must(journal_build(&b->round, b->journal, round, rng_system()) == ERR_OK, "no block");
	start = bench_wall_s();
	bench_must(store_put(b->store, &b->round->put, stored, b) == ERR_OK, "a round was refused");
	loop_event_run(b->loop);
	b->store_s += bench_wall_s() - start;
}

/* Other records than in the round before. */
static void
deposit_all(struct bench *b, uint64_t round)
{
	for (size_t i = 0; i < RECORDS; i++) {
		uint8_t *record = b->records + i * b->record_size;

		memcpy(record, &round, sizeof(round));
		bench_must(journal_deposit(b->journal, 0, record) == ERR_OK, "a deposit was refused");
	}
}

/* Records per second, of the store and of the whole way. */
static void
journal_rates(struct bench *b, double *store, double *whole, size_t repeat)
{
	uint64_t round = timing_round(&b->charter->params, START_MS);
	double start;

	fresh_path(b, "store", repeat);
	open_store(b);
	write_round(b, round); /* the epoch block */
	b->store_s = 0;
	start = bench_wall_s();
	for (size_t i = 0; i < ROUNDS; i++) {
		deposit_all(b, ++round);
		write_round(b, round);
	}
	start = bench_wall_s() - start;
	bench_must(store_count(b->store, timing_day(&b->charter->params, START_MS)) == ROUNDS + 1,
	    "a round is missing");
	close_store(b);
	*store = ROUNDS * RECORDS / b->store_s;
	*whole = ROUNDS * RECORDS / start;
}

/* ---- LevelDB alone ---- */

static leveldb_t *
open_bare(const char *path)
{
	leveldb_options_t *options = leveldb_options_create();
	char *text = NULL;
	leveldb_t *db;

	leveldb_options_set_create_if_missing(options, 1);
	leveldb_options_set_paranoid_checks(options, 1);
	leveldb_options_set_compression(options, leveldb_no_compression);
	leveldb_options_set_write_buffer_size(options, WRITE_BUFFER_BYTES);
	leveldb_options_set_max_file_size(options, WRITE_BUFFER_BYTES);
	leveldb_options_set_max_open_files(options, OPEN_FILES_MAX);
	db = leveldb_open(options, path, &text);
	leveldb_options_destroy(options);
	bench_must(db != NULL && text == NULL, "no database");
	return db;
}

/* One batch with what a round of the journal writes: its values' sizes, sealed. */
static void
put_bare(struct bench *b, leveldb_t *db, leveldb_writeoptions_t *options)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	char name[32], *text = NULL;

	for (size_t i = 0; i < 3; i++) {
		size_t n = b->value_bytes[i] + DAYDB_NONCE_BYTES + 8 + 16;

		rng_bytes(rng_system(), name, sizeof(name));
		leveldb_writebatch_put(batch, name, sizeof(name), (const char *)b->records, n);
	}
	leveldb_write(db, options, batch, &text);
	bench_must(text == NULL, "LevelDB refused a batch");
	leveldb_writebatch_destroy(batch);
}

static double
bare_rate(struct bench *b, size_t repeat)
{
	leveldb_writeoptions_t *options = leveldb_writeoptions_create();
	leveldb_t *db;
	double start;

	fresh_path(b, "bare", repeat);
	db = open_bare(b->path);
	leveldb_writeoptions_set_sync(options, 1);
	start = bench_wall_s();
	for (size_t i = 0; i < ROUNDS; i++)
		put_bare(b, db, options);
	start = bench_wall_s() - start;
	leveldb_writeoptions_destroy(options);
	leveldb_close(db);
	bench_must(daydb_remove(b->path) == ERR_OK, "a database was not removed");
	return ROUNDS * RECORDS / start;
}

int
main(int argc, char **argv)
{
	static struct bench b;
	static struct bench_result store = { .name = "journal_1024", .unit = "records/s",
		.floor = "leveldb, the same bytes", .rounds = REPEATS };
	static struct bench_result whole = { .name = "journal_whole", .unit = "records/s",
		.floor = "leveldb, the same bytes", .rounds = REPEATS };
	const struct network_config cfg = { .seed = 1 };

	bench_begin();
	b.network = network_new(&cfg);
	b.charter = b.network->charter;
	b.record_size = b.charter->params.record_size;
	b.records = malloc((RECORDS + 64) * b.record_size); /* and room for a seal and a block */
	bench_must(b.records != NULL, "no memory");
	rng_bytes(rng_system(), b.records, (RECORDS + 64) * b.record_size);
	b.dir = bench_directory();
	bench_must(loop_event_new(&b.loop, NULL) == ERR_OK, "no loop");
	for (size_t i = 0; i < REPEATS; i++) {
		journal_rates(&b, &store.value[i], &whole.value[i], i);
		store.floor_value[i] = whole.floor_value[i] = bare_rate(&b, i);
	}
	if (bench_wanted(argc, argv, store.name))
		bench_report(&store);
	if (bench_wanted(argc, argv, whole.name))
		bench_report(&whole);
	loop_event_free(b.loop);
	free(b.records);
	network_free(b.network);
	return 0;
}
