/*
 * What mixes, gateways and registrars find in their directory when they start: the first byte
 * says which file, the rest is in it, as it is and once more with the file's check behind it.
 * It is taken or refused with a sentence.
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/disk.h"
#include "common/base/format.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "evaluation/world.h"
#include "gateway/daykeys.h"
#include "gateway/epochlog.h"
#include "gateway/issuers.h"
#include "gateway/journal.h"
#include "gateway/onionkey.h"
#include "mix/batches.h"
#include "mix/epochkeys.h"
#include "mix/nodekeys.h"
#include "mix/replay.h"
#include "mix/stops.h"
#include "registrar/seeds.h"
#include "tests/fuzz/script.h"
#include "tests/lib/network.h"

#define EPOCH 78703u
#define DAY 20000u
#define START_MS INT64_C(1700000000000)
#define CHECK_BYTES_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct network *net; /* these as long as the program */
static struct world *world;
static struct loop *loop;

static void
clean_up(void)
{
	network_free(net);
	world_free(world);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct network_config cfg = { .seed = 1, .registrar = true };
	const struct world_config wc = { .seed = 1, .wall_ms = START_MS };
	struct world_host *host;

	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	net = network_new(&cfg);
	must(world_new(&world, &wc) == ERR_OK && world_host_new(&host, world) == ERR_OK);
	loop = world_loop(host);
	return atexit(clean_up);
}

/* One kind of file. */
struct kind {
	const char *name;   /* NULL: bytes that are in no file of their own */
	size_t check_bytes; /* behind the others; 0: none */
	enum err (*read)(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d);
};

/* What was begun is done before its object goes. */
static void
end_queue(struct workq **q)
{
	workq_free(*q);
	*q = NULL;
}

static enum err
read_batches(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	static const uint16_t nodes[] = { 2, 4 };
	struct batches *b;
	enum err e = batches_open(&b, disk, *q, d);

	(void)p;
	(void)n;
	if (e != ERR_OK)
		return e;
	batches_keep(b, nodes, 2);
	(void)batches_told(b, 2, 7, EPOCH);
	must(batches_sent(b, 2) <= BATCHES_NUMBER_MAX && batches_had(b, 4) <= BATCHES_NUMBER_MAX);
	end_queue(q);
	batches_free(b);
	return ERR_OK;
}

static enum err
read_replay(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	static const uint8_t tag[ONION_REPLAY_TAG_BYTES] = { 1 };
	struct replay_set *set;
	struct replay *r;
	enum err e = replay_open(&r, disk, *q, world_rng(world), 1000, d);

	(void)p;
	(void)n;
	if (e != ERR_OK)
		return e;
	must(replay_set(&set, r, EPOCH) == ERR_OK);
	must(replay_count(set) <= 1000);
	(void)replay_check(set, tag);
	end_queue(q);
	replay_free(r);
	return ERR_OK;
}

static enum err
read_nodekeys(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	struct nodekeys *k;
	enum err e = nodekeys_load(&k, disk, d);

	(void)q;
	(void)p;
	(void)n;
	if (e == ERR_OK)
		nodekeys_free(k);
	return e;
}

static enum err
read_epochkeys(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	static const struct epochkeys_events events = { 0 };
	const struct epochkeys_config cfg = { .disk = disk, .queue = *q,
		.params = &net->charter->params, .keys = world_rng(world) };
	struct epochkeys *k;
	enum err e = epochkeys_open(&k, &cfg, &events, NULL, d);

	(void)p;
	(void)n;
	if (e != ERR_OK)
		return e;
	must(epochkeys_find(k, EPOCH) != NULL);
	end_queue(q);
	epochkeys_free(k);
	return ERR_OK;
}

static bool
fits(void *arg, const struct issuer_keys *keys)
{
	(void)arg;
	(void)keys;
	return true;
}

static enum err
read_issuers(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	const struct issuers_config cfg = { .disk = disk, .queue = *q, .charters = net->charters,
		.fits = fits };
	struct issuers *k;
	enum err e = issuers_open(&k, &cfg, d);

	(void)p;
	(void)n;
	if (e != ERR_OK)
		return e;
	end_queue(q);
	issuers_free(k);
	return ERR_OK;
}

static enum err
read_onionkey(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	struct onionkey *k;
	enum err e = onionkey_load(&k, disk, d);

	(void)q;
	(void)p;
	(void)n;
	if (e == ERR_OK)
		onionkey_free(k);
	return e;
}

/* Whoever opens a day says what it means; there is no sentence for each damage. */
static enum err
read_daykey(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	uint8_t key[DAYDB_KEY_BYTES];
	enum err e = daykeys_load(key, disk, DAY, d);

	(void)q;
	(void)p;
	(void)n;
	if (e != ERR_OK)
		(void)diag_set(d, e, "a day's key");
	return e;
}

static enum err
read_seeds(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	struct seeds s;
	enum err e = seeds_load(&s, disk, d);

	(void)q;
	(void)p;
	(void)n;
	if (e == ERR_OK)
		must(s.count <= SEEDS_MAX);
	return e;
}

static enum err
read_epochlog(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	struct epochlog k;
	size_t good = 0;
	enum err e;

	(void)disk;
	(void)q;
	epochlog_init(&k);
	e = epochlog_parse(&k, &good, p, n, d);
	if (e == ERR_OK)
		must(good <= n && k.count <= n);
	epochlog_release(&k);
	return e;
}

/* Of this network, so that more is read than its name. */
static enum err
read_journal(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	uint8_t *bytes = malloc(n + 1);
	struct journal *j;
	enum err e;

	(void)disk;
	(void)q;
	must(bytes != NULL);
	memcpy(bytes, p, n);
	if (n >= FORMAT_BYTES + 32)
		memcpy(bytes + FORMAT_BYTES, net->charter->network_id, 32);
	must(journal_new(&j, net->charters, net->keys[3].identity_sk) == ERR_OK);
	e = journal_load(j, bytes, n, d);
	if (e == ERR_OK)
		(void)journal_waiting(j);
	journal_free(j);
	free(bytes);
	return e;
}

static enum err
read_stops(struct disk *disk, struct workq **q, const uint8_t *p, size_t n, struct diag *d)
{
	const struct params *params = &net->charter->params;
	struct stops s = { 0 };
	struct reader r;
	enum err e;

	(void)disk;
	(void)q;
	reader_init(&r, p, n);
	e = stops_get(&r, &s, params, START_MS);
	if (e == ERR_OK)
		must(s.in_hour <= STOPS_PER_HOUR && s.until_ms <= START_MS + 2 * params->epoch_ms);
	else
		(void)diag_set(d, e, "stops");
	return e;
}

static const struct kind kinds[] = {
	{ "batches", 16, read_batches },
	{ "replay-0001336f", 0, read_replay },
	{ "nodekeys", 0, read_nodekeys },
	{ "key-0001336f", 0, read_epochkeys },
	{ "seed-0001336f", 0, read_issuers },
	{ "onionkey", 0, read_onionkey },
	{ "key-00004e20", 0, read_daykey },
	{ "seeds", 8, read_seeds },
	{ NULL, 0, read_epochlog },
	{ NULL, 0, read_journal },
	{ NULL, 0, read_stops },
};

static void
read_one(const struct kind *k, const uint8_t *p, size_t n)
{
	struct disk *disk = disk_memory();
	struct workq *q = workq_new(loop, 1);
	struct diag d = { "" };

	must(disk != NULL && q != NULL);
	if (k->name != NULL)
		must(disk_replace(disk, k->name, p, n) == ERR_OK);
	if (k->read(disk, &q, p, n, &d) != ERR_OK)
		must(d.text[0] != '\0');
	workq_free(q);
	disk_free(disk);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kind *k;
	struct hash_part all;
	uint8_t *mended;

	if (size == 0)
		return 0;
	k = &kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];
	read_one(k, data + 1, size - 1);
	if (k->check_bytes == 0)
		return 0;
	mended = malloc(size + CHECK_BYTES_MAX);
	must(mended != NULL);
	memcpy(mended, data + 1, size - 1);
	all = (struct hash_part){ mended, size - 1 };
	hash_parts(mended + size - 1, k->check_bytes, &all, 1);
	read_one(k, mended, size - 1 + k->check_bytes);
	free(mended);
	return 0;
}
