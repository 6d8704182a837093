#include "config.h"

#include "tests/scenario/fixture.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/spent_memory.h"
#include "gateway/store_memory.h"
#include "tests/lib/test.h"

#define THREADS 2
#define SESSIONS_MAX 1000

/* ---- disks ---- */

/* In the world's next event: not under the feet of whoever was writing. */
static void
tell_died(void *arg)
{
	struct fixture_disk *k = arg;

	k->died(k->arg);
}

/* After each operation: did the power fail in it? */
static enum err
look(struct fixture_disk *k, enum err e)
{
	if (k->fault.failed > 0 && !k->dead && !k->full) {
		k->dead = true;
		world_kill(k->host);
		assert_err_ok(world_at(k->world, 0, tell_died, k));
	}
	return e;
}

static enum err
disk_op_read(void *ctx, struct buf *out, const char *name, size_t max)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_read(k->faulty, out, name, max));
}

static enum err
disk_op_replace(void *ctx, const char *name, const void *p, size_t n)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_replace(k->faulty, name, p, n));
}

static enum err
disk_op_append(void *ctx, const char *name, const void *p, size_t n)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_append(k->faulty, name, p, n));
}

static enum err
disk_op_truncate(void *ctx, const char *name, size_t n)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_truncate(k->faulty, name, n));
}

static enum err
disk_op_remove(void *ctx, const char *name)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_remove(k->faulty, name));
}

static enum err
disk_op_list(void *ctx, int (*each)(void *arg, const char *name), void *arg)
{
	struct fixture_disk *k = ctx;

	return look(k, disk_list(k->faulty, each, arg));
}

static void
disk_op_free(void *ctx)
{
	(void)ctx; /* the fixture's */
}

static const struct disk_ops disk_ops = {
    .read = disk_op_read,
    .replace = disk_op_replace,
    .append = disk_op_append,
    .truncate = disk_op_truncate,
    .remove = disk_op_remove,
    .list = disk_op_list,
    .free = disk_op_free,
};

void
fixture_disk_init(struct fixture_disk *k, struct world *w, struct world_host *host,
    void (*died)(void *arg), void *arg)
{
	*k = (struct fixture_disk){.world = w, .host = host, .died = died, .arg = arg};
	k->medium = disk_memory();
	assert_non_null(k->medium);
}

void
fixture_disk_release(struct fixture_disk *k)
{
	disk_free(k->medium);
	k->medium = NULL;
}

void
fixture_disk_start(struct fixture_disk *k)
{
	k->fault = (struct disk_fault){0};
	k->dead = false;
	k->full = false;
	k->faulty = disk_fault_new(k->medium, &k->fault);
	k->disk = disk_new(&disk_ops, k);
	assert_non_null(k->faulty);
	assert_non_null(k->disk);
}

void
fixture_disk_stop(struct fixture_disk *k)
{
	disk_free(k->disk);
	disk_free(k->faulty);
	k->disk = NULL;
	k->faulty = NULL;
}

/* Fail in the operation with this count and ever after. */
static void
plan_fault(struct fixture_disk *k, uint64_t at, const struct rng *r)
{
	static const enum disk_fault_effect effects[] = {
	    DISK_FAULT_NOTHING, DISK_FAULT_TORN, DISK_FAULT_DONE};

	k->fault.at = at;
	k->fault.err = ERR_IO;
	k->fault.forever = true;
	k->fault.writes_only = true;
	k->fault.effect = effects[rng_below(r, 3)];
	k->fault.keep = rng_below(r, 200);
}

void
fixture_disk_kill_in(struct fixture_disk *k, uint64_t n, const struct rng *r)
{
	k->fault.count = 0;
	plan_fault(k, n, r);
}

void
fixture_disk_crash(struct fixture_disk *k, const struct rng *r)
{
	k->dead = true;
	if (k->fault.failed > 0)
		return; /* nothing more gets there anyhow */
	k->fault.count = 0;
	plan_fault(k, 1 + rng_below(r, 3), r);
}

void
fixture_disk_fill(struct fixture_disk *k, bool full)
{
	k->full = full;
	k->fault = (struct disk_fault){0};
	if (full)
		k->fault = (struct disk_fault){
		    .at = 1, .err = ERR_FULL, .forever = true, .writes_only = true};
}

/* ---- nodes ---- */

static const struct charter *
given(const struct fixture_node *n)
{
	return n->given != NULL ? n->given : n->fixture->network->charter;
}

static void
start_mix(struct fixture_node *n)
{
	struct diag d = {""};
	const struct mix_config cfg = {
	    .loop = world_loop(n->host),
	    .disk = n->disk.disk,
	    .charter = given(n),
	    .listen = n->listen,
	    .entrance = n->entrance,
	    .number = n->charter->number,
	    .identity_sk = n->keys->identity_sk,
	    .link_sk = n->keys->link_sk,
	    .rng = &n->rng.rng,
	    .keys = &n->key_rng.rng,
	    .log = n->log,
	    .threads = THREADS,
	    .unguarded = n->fixture->unguarded,
	};
	enum err e = mix_new(&n->mix, &cfg, &d);

	if (e != ERR_OK)
		print_error("mix %u does not start: %s\n", n->charter->number, d.text);
	assert_err_ok(e);
}

static void
start_gateway(struct fixture_node *n)
{
	struct fixture *f = n->fixture;
	struct diag d = {""};
	struct gateway_config cfg = {
	    .loop = world_loop(n->host),
	    .disk = n->disk.disk,
	    .charter = given(n),
	    .listen = n->listen,
	    .entrance = n->entrance,
	    .identity_sk = n->keys->identity_sk,
	    .link_sk = n->keys->link_sk,
	    .rng = &n->rng.rng,
	    .keys = &n->key_rng.rng,
	    .log = n->log,
	    .threads = THREADS,
	    .sessions_max = SESSIONS_MAX,
	    .waiting_max = SESSIONS_MAX,
	};
	enum err e;

	if (f->open_store != NULL)
		cfg.store = f->open_store(f->store_arg, cfg.loop);
	else
		assert_err_ok(store_memory_new(&cfg.store, cfg.loop, f->journal));
	assert_err_ok(spent_memory_new(&cfg.spent, cfg.loop, f->spent));
	e = gateway_new(&n->gateway, &cfg, &d);
	if (e != ERR_OK)
		print_error("the gateway does not start: %s\n", d.text);
	assert_err_ok(e);
}

bool
fixture_runs(const struct fixture_node *n)
{
	return n->mix != NULL || n->gateway != NULL;
}

/* Free what a run has made; its host is dead, or the network comes down. */
static void
clear_run(struct fixture_node *n)
{
	mix_free(n->mix);
	gateway_free(n->gateway);
	n->mix = NULL;
	n->gateway = NULL;
	fixture_disk_stop(&n->disk);
}

void
fixture_start(struct fixture_node *n)
{
	assert_false(fixture_runs(n));
	if (n->starts++ > 0)
		assert_err_ok(world_start(n->host));
	fixture_disk_start(&n->disk);
	if (n->charter->role == CHARTER_MIX)
		start_mix(n);
	else
		start_gateway(n);
}

static void
start_later(void *arg)
{
	struct fixture_node *n = arg;

	if (!fixture_runs(n))
		fixture_start(n);
}

static void
on_died(void *arg)
{
	struct fixture_node *n = arg;
	struct fixture *f = n->fixture;

	clear_run(n);
	if (n->down_ms >= 0)
		assert_err_ok(
		    world_at(f->world, world_now_ms(f->world) + n->down_ms, start_later, n));
}

void
fixture_kill(struct fixture_node *n, int64_t down_ms)
{
	if (!fixture_runs(n))
		return;
	n->down_ms = down_ms;
	fixture_disk_crash(&n->disk, world_rng(n->fixture->world));
	world_kill(n->host);
	on_died(n);
}

void
fixture_unplug(struct fixture_node *n, int64_t down_ms)
{
	if (!fixture_runs(n))
		return;
	n->down_ms = down_ms;
	fixture_disk_crash(&n->disk, world_rng(n->fixture->world));
	world_unplug(n->host);
	on_died(n);
}

void
fixture_kill_in_write(struct fixture_node *n, uint64_t write, int64_t down_ms)
{
	if (!fixture_runs(n))
		return;
	n->down_ms = down_ms;
	fixture_disk_kill_in(&n->disk, write, world_rng(n->fixture->world));
}

struct copying {
	struct disk *from, *to;
};

static int
copy_file(void *arg, const char *name)
{
	const struct copying *c = arg;
	struct buf bytes;

	buf_init(&bytes);
	assert_err_ok(disk_read(c->from, &bytes, name, SIZE_MAX));
	assert_err_ok(disk_replace(c->to, name, bytes.data, bytes.len));
	buf_release(&bytes);
	return 0;
}

static struct disk *
copy_disk(struct disk *from)
{
	struct copying c = {.from = from, .to = disk_memory()};

	assert_non_null(c.to);
	assert_err_ok(disk_list(from, copy_file, &c));
	return c.to;
}

struct disk *
fixture_backup(const struct fixture_node *n)
{
	return copy_disk(n->disk.medium);
}

void
fixture_restore(struct fixture_node *n, struct disk *backup)
{
	assert_false(fixture_runs(n));
	disk_free(n->disk.medium);
	n->disk.medium = copy_disk(backup);
}

/* ---- the network ---- */

void
fixture_params(struct params *p)
{
	params_default(p);
	p->layers = 2;
	p->record_size = 1024;
	p->slot_ms = 20000;
	p->round_ms = 10000;
	p->epoch_ms = 2 * HOUR_MS;
	p->people = 12;
	p->pieces = 1;
	for (unsigned i = 0; i < PARAMS_LAYERS_MAX; i++)
		p->strategy[i] = (struct strategy){.kind = STRATEGY_TIMED};
}

static void
make_node(struct fixture *f, size_t i, const struct charter_node *charter,
    const struct network_keys *keys)
{
	struct fixture_node *n = &f->nodes[i];

	n->fixture = f;
	n->charter = charter;
	n->keys = keys;
	rng_seeded_init(&n->rng, rng_u64(world_rng(f->world)));
	rng_seeded_init(&n->key_rng, rng_u64(world_rng(f->world)));
	assert_err_ok(world_host_new(&n->host, f->world));
	fixture_disk_init(&n->disk, f->world, n->host, on_died, n);
}

void
fixture_new(struct fixture *f, const struct fixture_config *cfg)
{
	struct params p;
	const struct world_config world = {
	    .seed = cfg->seed,
	    .wall_ms = FIXTURE_START_MS,
	    .out = {.delay_us = 5000, .spread_us = 20000},
	    .in = {.delay_us = 5000},
	    .work_us_max = 20000,
	};

	memset(f, 0, sizeof(*f));
	f->seed = cfg->seed;
	f->unguarded = cfg->unguarded;
	f->open_store = cfg->open_store;
	f->store_arg = cfg->store_arg;
	fixture_params(&p);
	if (cfg->params != NULL)
		p = *cfg->params;
	assert_err_ok(world_new(&f->world, &world));
	f->network = network_new(&(struct network_config){.seed = cfg->seed,
	    .params = &p,
	    .mixes_per_layer = cfg->mixes_per_layer});
	f->params = &f->network->charter->params;
	f->journal = memory_journal_new();
	f->spent = memory_spent_new();
	assert_non_null(f->spent);
	assert_non_null(f->journal);
	f->node_count = f->network->charter->node_count;
	assert_true(f->node_count <= FIXTURE_NODES_MAX);
	for (size_t i = 0; i < f->node_count; i++)
		make_node(f, i, &f->network->charter->nodes[i], &f->network->keys[i]);
	for (size_t i = 0; i < f->node_count && !cfg->idle; i++)
		fixture_start(&f->nodes[i]);
}

void
fixture_free(struct fixture *f)
{
	for (size_t i = 0; i < f->node_count; i++) {
		struct fixture_node *n = &f->nodes[i];

		if (fixture_runs(n))
			clear_run(n);
		fixture_disk_release(&n->disk);
	}
	world_free(f->world);
	memory_journal_free(f->journal);
	memory_spent_free(f->spent);
	network_free(f->network);
}

struct fixture_node *
fixture_gateway(struct fixture *f)
{
	return &f->nodes[network_index(f->network, charter_gateway(f->network->charter)->number)];
}

struct fixture_node *
fixture_mix(struct fixture *f, unsigned layer, unsigned i)
{
	const struct charter_node *mixes[FIXTURE_NODES_MAX];
	size_t n = charter_layer(f->network->charter, layer, mixes, FIXTURE_NODES_MAX);

	assert_true(i < n);
	return &f->nodes[network_index(f->network, mixes[i]->number)];
}

/* ---- another charter ---- */

struct fixture_node *
fixture_add(struct fixture *f, unsigned layer)
{
	struct fixture_node *n = &f->nodes[f->node_count];
	char address[CHARTER_ADDRESS_MAX];

	assert_true(f->node_count < FIXTURE_NODES_MAX);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%zu", 7001 + f->node_count);
	network_keys_new(&n->own_keys, &n->own, f->network, CHARTER_MIX, layer, address);
	n->own.number = (uint16_t)(f->node_count + 1);
	make_node(f, f->node_count, &n->own, &n->own_keys);
	f->node_count++;
	return n;
}

static void
on_published(void *arg, enum err e)
{
	assert_err_ok(e);
	*(bool *)arg = true;
}

static bool
is_set(void *arg)
{
	return *(bool *)arg;
}

void
fixture_publish(struct fixture *f, const struct buf *text)
{
	struct diag d = {""};
	bool done = false;
	enum err e = gateway_publish(
	    fixture_gateway(f)->gateway, text->data, text->len, on_published, &done, &d);

	if (e != ERR_OK)
		print_error("the charter is refused: %s\n", d.text);
	assert_err_ok(e);
	fixture_run_until_true(f, is_set, &done, MINUTE_MS);
}

/* ---- time ---- */

void
fixture_run_until(struct fixture *f, int64_t wall_ms)
{
	assert_err_ok(world_run_until(f->world, wall_ms));
}

void
fixture_run_for(struct fixture *f, int64_t ms)
{
	fixture_run_until(f, world_now_ms(f->world) + ms);
}

void
fixture_run_until_true(struct fixture *f, bool (*check)(void *arg), void *arg, int64_t ms)
{
	int64_t until = world_now_ms(f->world) + ms;

	while (!check(arg) && world_now_ms(f->world) < until)
		fixture_run_for(f, 1000);
	assert_true(check(arg));
}

unsigned
fixture_seeds(unsigned usual)
{
	const char *text = getenv("RESTANTE_SCENARIO_SEEDS");
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;

	return n > 0 && n < 1000000 ? (unsigned)n : usual;
}
