/*
 * Flat: a million records, each deposited by a client's session, through the gateway and
 * two mixes, into the store on LevelDB, and read again by sessions; what the process holds
 * is written down on the way and must stay as it was. docs/soak.md.
 */
#include "config.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/charter/timing.h"
#include "gateway/store_leveldb.h"
#include "tests/faults/memory.h"
#include "tests/lib/test.h"
#include "tests/soak/cheap.h"
#include "tests/soak/pump.h"

#define PUMPS 48
#define PIECES 15 /* of a frame down: as much as 52 records in a slot */
#define MARKS 4
#define MARGIN 10 /* percent by which the last mark may be above the one before */
#define MESSAGES_PER_PIECE 10
/* With fewer the days that the store keeps are still becoming more at the last mark but one. */
#define ALL_MESSAGES 1000000
#define PHASE_MS (10 * MINUTE_MS) /* of an epoch, when is looked: replay sets are small */
#define EPOCHS_BEFORE 1 /* until sessions and sheets are as always */

struct mark {
	unsigned percent;
	uint64_t records, pieces, allocated, resident, files; /* pieces: allocations of ours */
	int64_t real_s, virtual_h;
};

struct flat {
	struct fixture f;
	struct pump pumps[PUMPS];
	struct disk *disk; /* the store's */
	char path[300];
	struct rng_seeded keys;
	uint64_t wanted;
	struct mark marks[MARKS];
	int64_t began_s;
};

static struct flat flat;

/* ---- what the process holds ---- */

static uint64_t
open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n - 3; /* ".", "..", and the directory itself */
}

static uint64_t
resident_bytes(void)
{
	unsigned long total, resident;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &resident), 2);
	(void)fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t
real_s(void)
{
	return clock_boot_ms(clock_system()) / 1000;
}

/* ---- the network ---- */

static struct store *
open_store(void *arg, struct loop *l)
{
	struct flat *x = arg;
	struct store_leveldb_config cfg = {
	    .loop = l, .path = x->path, .disk = x->disk, .keys = &x->keys.rng};
	struct diag d = {""};
	struct store *s;
	enum err e = store_leveldb_open(&s, &cfg, &d);

	if (e != ERR_OK)
		print_error("the store does not open: %s\n", d.text);
	assert_err_ok(e);
	return s;
}

static void
begin(struct flat *x)
{
	struct diag d = {""};
	struct params p;

	fixture_params(&p);
	p.epoch_ms = HOUR_MS;
	p.retention_ms = 48 * HOUR_MS;
	p.people = PUMPS;
	p.pieces = PIECES;
	rng_seeded_init(&x->keys, rng_u64(test_rng()));
	(void)snprintf(x->path, sizeof(x->path), "%s/store", test_tmpdir());
	assert_err_ok(disk_open(&x->disk, x->path, &d));
	fixture_new(&x->f, &(struct fixture_config){.seed = rng_u64(test_rng()), .params = &p,
	    .open_store = open_store, .store_arg = x});
	fixture_run_for(&x->f, MINUTE_MS);
	for (unsigned i = 0; i < PUMPS; i++)
		pump_new(&x->pumps[i], &x->f, i == 0);
}

static void
end(struct flat *x)
{
	for (unsigned i = 0; i < PUMPS; i++)
		pump_free(&x->pumps[i]);
	fixture_free(&x->f);
	disk_free(x->disk);
}

static void
sum(const struct flat *x, struct pump_sum *in, struct pump_sum *out)
{
	*in = *out = (struct pump_sum){0};
	for (unsigned i = 0; i < PUMPS; i++) {
		in->count += x->pumps[i].in.count;
		in->digests += x->pumps[i].in.digests;
		out->count += x->pumps[i].out.count;
		out->digests += x->pumps[i].out.digests;
	}
}

/* ---- marks ---- */

/* The same moment of an epoch, so that what grows and goes with each is as large. */
static void
next_look(struct flat *x)
{
	const struct params *p = x->f.params;
	uint32_t epoch = timing_epoch(p, world_now_ms(x->f.world) - PHASE_MS);

	fixture_run_until(&x->f, timing_epoch_start(p, epoch + 1) + PHASE_MS);
}

static void
mark(struct flat *x, struct mark *m, unsigned percent, uint64_t records)
{
	*m = (struct mark){.percent = percent, .records = records,
	    .pieces = (uint64_t)memory_live(),
	    .allocated = mallinfo2().uordblks + mallinfo2().hblkhd,
	    .resident = resident_bytes(), .files = open_files(),
	    .real_s = real_s() - x->began_s,
	    .virtual_h = (world_now_ms(x->f.world) - FIXTURE_START_MS) / HOUR_MS};
	print_message("# | %u %% | %" PRIu64 " | %" PRId64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64
	    " | %" PRIu64 " | %" PRId64 " |\n", m->percent, m->records, m->virtual_h, m->pieces,
	    m->allocated / 1024, m->resident / 1024, m->files, m->real_s);
}

static void
run_until_marked(struct flat *x, struct mark *m, unsigned percent)
{
	struct pump_sum in, out;

	do {
		next_look(x);
		sum(x, &in, &out);
	} while (out.count < x->wanted / 100 * percent);
	mark(x, m, percent, out.count);
}

static void
check_within(uint64_t now, uint64_t before)
{
	assert_true(now <= before + before * MARGIN / 100);
}

static void
check_flat(const struct flat *x)
{
	const struct mark *before = &x->marks[MARKS - 2], *last = &x->marks[MARKS - 1];

	/* a round in the gateway's cache has some, a message none that stay */
	assert_true(last->pieces <=
	    before->pieces + (last->records - before->records) / MESSAGES_PER_PIECE);
	if (x->wanted < ALL_MESSAGES)
		return;
	check_within(last->allocated, before->allocated);
	check_within(last->resident, before->resident);
	assert_true(last->files <= before->files);
}

/* Nothing goes in any more: what went in has come out, each record once. */
static void
check_all_came(struct flat *x)
{
	struct pump_sum in, out;
	uint64_t lost = 0;

	for (unsigned i = 0; i < PUMPS; i++) {
		x->pumps[i].stopped = true;
		lost += x->pumps[i].lost;
	}
	fixture_run_for(&x->f, 10 * MINUTE_MS);
	sum(x, &in, &out);
	print_message("# %" PRIu64 " deposited, %" PRIu64 " read, digests %s, %" PRIu64
	    " sessions lost\n", in.count, out.count,
	    in.digests == out.digests ? "the same" : "others", lost);
	assert_int_equal(in.count, out.count);
	assert_true(in.digests == out.digests);
	assert_int_equal(lost, 0);
}

static void
test_flat(void **state)
{
	static const unsigned percents[MARKS] = {1, 10, 50, 100};
	const char *text = getenv("RESTANTE_FLAT_MESSAGES");

	(void)state;
	cheap_use(getenv("RESTANTE_FLAT_X25519") == NULL);
	flat.wanted = text != NULL ? strtoull(text, NULL, 10) : ALL_MESSAGES;
	flat.began_s = real_s();
	begin(&flat);
	for (unsigned i = 0; i < EPOCHS_BEFORE; i++)
		next_look(&flat);
	print_message("# | of all | records read | virtual hours | allocations | allocated, KiB | resident, KiB "
	    "| descriptors | real seconds |\n# |---|---|---|---|---|---|---|---|\n");
	for (unsigned i = 0; i < MARKS; i++)
		run_until_marked(&flat, &flat.marks[i], percents[i]);
	check_all_came(&flat);
	check_flat(&flat);
	end(&flat);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_flat),
};
TEST_MAIN(tests)
