#include "config.h"

#include "tests/unit/gateway/stores.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/net/loop_event.h"
#include "gateway/store_leveldb.h"
#include "tests/lib/test.h"

#define PATH_MAX_BYTES 8192

/* ---- life ---- */

enum err
stores_try_open(struct stores *s, struct diag *d)
{
	struct store_leveldb_config cfg = {
		.loop = s->loop, .path = s->path, .keys = &s->keys.rng
	};
	enum err e;

	if (s->engine == ENGINE_MEMORY)
		return store_memory_new(&s->store, s->loop, s->journal);
	e = disk_open(&s->disk, s->path, d);
	if (e != ERR_OK)
		return e;
	cfg.disk = s->disk;
	e = store_leveldb_open(&s->store, &cfg, d);
	if (e != ERR_OK) {
		s->store = NULL;
		disk_free(s->disk);
		s->disk = NULL;
	}
	return e;
}

void
stores_open(struct stores *s)
{
	struct diag d = { "" };
	enum err e = stores_try_open(s, &d);

	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
}

struct stores *
stores_new(enum engine engine)
{
	struct stores *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->engine = engine;
	assert_err_ok(loop_event_new(&s->loop, NULL));
	rng_seeded_init(&s->keys, test_seed());
	s->journal = memory_journal_new();
	assert_non_null(s->journal);
	snprintf(s->path, sizeof(s->path), "%s/store", test_tmpdir());
	stores_open(s);
	return s;
}

void
stores_close(struct stores *s)
{
	store_free(s->store);
	s->store = NULL;
	disk_free(s->disk);
	s->disk = NULL;
}

void
stores_free(struct stores *s)
{
	stores_close(s);
	memory_journal_free(s->journal);
	loop_event_free(s->loop);
	free(s);
}

/* ---- rounds ---- */

static void
pattern(struct buf *out, const char *what, uint64_t round, uint16_t mailbox, size_t n)
{
	char text[64];

	snprintf(text, sizeof(text), "<%s %llu for %u>", what, (unsigned long long)round, mailbox);
	buf_init(out);
	while (out->len < n)
		assert_err_ok(buf_append(out, text, strlen(text), SIZE_MAX));
}

void
stores_block(struct buf *out, uint64_t round)
{
	pattern(out, "block", round, 0, 200 + round % 100);
}

void
stores_records(struct buf *out, uint64_t round, uint16_t mailbox)
{
	pattern(out, "records", round, mailbox, 4096);
}

/* Waiting for one callback. */
struct answer {
	struct stores *stores;
	bool come;
	enum err err;
	uint32_t index;
	struct stores_read *read;
};

static void
came(struct answer *a, enum err e)
{
	a->come = true;
	a->err = e;
	loop_event_stop(a->stores->loop);
}

static void
on_done(void *arg, enum err e)
{
	came(arg, e);
}

static void
wait_for(struct answer *a)
{
	assert_false(a->come); /* never from inside the call */
	loop_event_run(a->stores->loop);
	assert_true(a->come);
}

enum err
stores_put(struct stores *s, uint32_t day, uint64_t round, bool epoch_block)
{
	struct answer a = { .stores = s };
	struct buf block, state, data[2];
	struct store_records records[2];
	struct store_round r = {
		.day = day, .round = round, .epoch_block = epoch_block, .mailboxes = records
	};
	enum err e;

	stores_block(&block, round);
	pattern(&state, "state", round, 0, 100);
	for (uint16_t i = 0; i < 2; i++) {
		stores_records(&data[i], round, 7 * i);
		records[i] = (struct store_records){ 7 * i, data[i].data, data[i].len };
	}
	r.mailbox_count = round % 2 == 0 ? 2 : 0;
	r.block = block.data;
	r.block_len = block.len;
	r.state = state.data;
	r.state_len = state.len;
	e = store_put(s->store, &r, on_done, &a);
	if (e == ERR_OK)
		wait_for(&a);
	buf_release(&block);
	buf_release(&state);
	buf_release(&data[0]);
	buf_release(&data[1]);
	return e == ERR_OK ? a.err : e;
}

enum err
stores_expire(struct stores *s, uint32_t day)
{
	struct answer a = { .stores = s };

	assert_err_ok(store_expire(s->store, day, on_done, &a));
	wait_for(&a);
	return a.err;
}

static void
on_found(void *arg, enum err e, uint32_t index)
{
	struct answer *a = arg;

	a->index = index;
	came(a, e);
}

enum err
stores_find(struct stores *s, uint32_t *index, uint32_t day, uint64_t round)
{
	struct answer a = { .stores = s };

	assert_err_ok(store_find(s->store, day, round, on_found, &a));
	wait_for(&a);
	*index = a.index;
	return a.err;
}

static void
on_read(void *arg, enum err e, const struct store_block *blocks, size_t n)
{
	struct answer *a = arg;
	struct stores_read *r = a->read;

	assert_true(n <= 300);
	r->count = n;
	for (size_t i = 0; i < n; i++) {
		r->at[i].round = blocks[i].round;
		assert_err_ok(buf_append(&r->at[i].block, blocks[i].block, blocks[i].block_len,
		    SIZE_MAX));
		assert_err_ok(buf_append(&r->at[i].records, blocks[i].records,
		    blocks[i].records_len, SIZE_MAX));
	}
	came(a, e);
}

struct stores_read *
stores_read(struct stores *s, uint32_t day, uint32_t index, uint16_t mailbox, size_t max_bytes)
{
	struct answer a = { .stores = s, .read = calloc(1, sizeof(*a.read)) };

	assert_non_null(a.read);
	assert_err_ok(store_read(s->store, day, index, mailbox, max_bytes, on_read, &a));
	wait_for(&a);
	a.read->err = a.err;
	return a.read;
}

void
stores_read_free(struct stores_read *r)
{
	for (size_t i = 0; i < r->count; i++) {
		buf_release(&r->at[i].block);
		buf_release(&r->at[i].records);
	}
	free(r);
}

void
stores_check(const struct stores_read *r, size_t i, uint64_t round, uint16_t mailbox)
{
	struct buf block, records;

	assert_true(i < r->count);
	assert_true(r->at[i].round == round);
	stores_block(&block, round);
	assert_int_equal(r->at[i].block.len, block.len);
	assert_memory_equal(r->at[i].block.data, block.data, block.len);
	buf_release(&block);
	if (round % 2 != 0 || (mailbox != 0 && mailbox != 7)) {
		assert_int_equal(r->at[i].records.len, 0);
		return;
	}
	stores_records(&records, round, mailbox);
	assert_int_equal(r->at[i].records.len, records.len);
	assert_memory_equal(r->at[i].records.data, records.data, records.len);
	buf_release(&records);
}

/* ---- looking at the disk ---- */

struct search {
	const void *p;
	size_t n;
	bool found;
	size_t files;
};

static void
look_into(struct search *s, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf all;
	uint8_t part[65536];
	size_t n;

	s->files++;
	assert_non_null(f);
	buf_init(&all);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		assert_err_ok(buf_append(&all, part, n, SIZE_MAX));
	fclose(f);
	if (s->n > 0 && all.len >= s->n && memmem(all.data, all.len, s->p, s->n) != NULL)
		s->found = true;
	buf_release(&all);
}

static void
walk(struct search *s, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char below[PATH_MAX_BYTES];
	struct stat st;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		assert_int_equal(stat(below, &st), 0);
		if (S_ISDIR(st.st_mode))
			walk(s, below);
		else
			look_into(s, below);
	}
	closedir(dir);
}

bool
stores_holds(const struct stores *s, const void *p, size_t n)
{
	struct search search = { .p = p, .n = n };

	walk(&search, s->path);
	return search.found;
}

size_t
stores_files(const struct stores *s, const char *below)
{
	struct search search = {0};
	char path[PATH_MAX_BYTES];

	snprintf(path, sizeof(path), "%s/%s", s->path, below);
	walk(&search, path);
	return search.files;
}
