#include "config.h"

#include "client-lib/commit.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/post_state.h"
#include "common/base/disk_fault.h"
#include "evaluation/world.h"
#include "tests/faults/memory.h"
#include "tests/lib/test.h"

#define START_MS INT64_C(1900000000000)

/* A pipeline over a post with nothing in it but what these tests queue as contacts. */
struct scene {
	struct world *world;
	struct world_host *host;
	struct disk *under, *disk;
	struct disk_fault plan;
	struct vault *vault;
	struct archive *archive;
	struct post *post;
	struct commit *commit;
	unsigned saves, news, failures, settled;
	unsigned done, closed;
	enum err save_err;
};

static enum err
on_save(void *arg, struct buf *out)
{
	struct scene *s = arg;

	s->saves++;
	return s->save_err != ERR_OK ? s->save_err : post_save(s->post, out);
}

static void
on_news(void *arg, const struct post_news *n)
{
	struct scene *s = arg;

	(void)n;
	s->news++;
}

static void
on_settled(void *arg, enum err e)
{
	struct scene *s = arg;

	s->settled++;
	s->failures += e != ERR_OK;
}

static void
on_done(void *arg, enum err e)
{
	struct scene *s = arg;

	if (e == ERR_CLOSED)
		s->closed++;
	else
		assert_err_ok(e);
	s->done++;
}

static int
set_up(void **state)
{
	static const struct commit_events events = { on_save, on_news, on_settled };
	static const struct vault_unlock unlock = { "secret", 6, false, VAULT_COST_TEST };
	struct world_config wcfg = { .seed = test_seed(), .wall_ms = START_MS,
		.work_us_max = 2000 };
	struct post_config cfg = { .rng = test_rng(), .keys = test_rng() };
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	params_default(&cfg.params);
	assert_err_ok(world_new(&s->world, &wcfg));
	assert_err_ok(world_host_new(&s->host, s->world));
	s->under = disk_memory();
	s->disk = disk_fault_new(s->under, &s->plan);
	s->archive = archive_memory();
	assert_err_ok(vault_create(&s->vault, s->disk, &unlock, test_rng(), NULL));
	assert_err_ok(post_new(&s->post, &cfg));
	assert_err_ok(commit_new(&s->commit, world_loop(s->host), s->post, s->vault, s->archive,
	    &events, s));
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *s = *state;

	commit_free(s->commit);
	post_free(s->post);
	vault_free(s->vault);
	archive_free(s->archive);
	disk_free(s->disk);
	disk_free(s->under);
	world_free(s->world);
	free(s);
	return 0;
}

static void
run(struct scene *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
}

/* Something new that the state holds, and news of it. */
static void
change(struct scene *s, const char *name)
{
	const struct chain_point epoch = { .round = 1 };
	char text[INVITE_TEXT_MAX];
	uint32_t id;

	assert_err_ok(post_invite(s->post, text, &id, name, &epoch, START_MS, START_MS + 86400000,
	    NULL));
}

static size_t
contacts_on_disk(struct scene *s)
{
	struct post_config cfg = { .rng = test_rng(), .keys = test_rng() };
	struct post *p;
	struct buf b;
	size_t n;

	params_default(&cfg.params);
	buf_init(&b);
	if (vault_read_state(s->vault, &b, NULL) != ERR_OK)
		return 0;
	assert_err_ok(post_load(&p, &cfg, b.data, b.len, NULL));
	n = post_contact_count(p);
	post_free(p);
	buf_release(&b);
	return n;
}

static void
test_done_means_durable(void **state)
{
	struct scene *s = *state;

	change(s, "a");
	assert_err_ok(commit_tell(s->commit, on_done, s));
	assert_int_equal(s->done + s->news, 0); /* never from inside the call */
	run(s, 100);
	assert_int_equal(s->done, 1);
	assert_int_equal(s->news, 1);
	assert_int_equal(contacts_on_disk(s), 1);
	assert_true(commit_is_idle(s->commit));
}

/* Ten requests while one is under way become one more commit. */
static void
test_coalesces(void **state)
{
	struct scene *s = *state;
	char name[2] = "a";

	for (int i = 0; i < 10; i++, name[0]++) {
		change(s, name);
		assert_err_ok(commit_tell(s->commit, on_done, s));
	}
	run(s, 100);
	assert_int_equal(s->done, 10);
	assert_int_equal(s->saves, 2);
	assert_int_equal(s->news, 10);
	assert_int_equal(contacts_on_disk(s), 10);
}

static void
test_without_hurry(void **state)
{
	struct scene *s = *state;

	change(s, "a");
	commit_within(s->commit, 60000);
	run(s, 30000);
	commit_within(s->commit, 60000); /* does not put it off further */
	run(s, 29000);
	assert_int_equal(s->saves, 0);
	run(s, 2000);
	assert_int_equal(s->saves, 1);
	assert_int_equal(contacts_on_disk(s), 1);
	commit_within(s->commit, 60000);
	commit_now(s->commit); /* takes it along */
	run(s, 120000);
	assert_int_equal(s->saves, 2);
}

/* Nothing is told and nobody is called while the disk is full; then everything, in order. */
static void
test_failing_disk(void **state)
{
	struct scene *s = *state;

	s->plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	change(s, "a");
	assert_err_ok(commit_tell(s->commit, on_done, s));
	run(s, 10000);
	change(s, "b");
	assert_err_ok(commit_tell(s->commit, on_done, s));
	run(s, 300000);
	assert_int_equal(s->done + s->news, 0);
	/* half a second, then twice as long each time up to a minute */
	assert_in_range(s->failures, 8, 13);
	assert_false(commit_is_idle(s->commit));
	s->plan = (struct disk_fault){ 0 };
	assert_int_equal(contacts_on_disk(s), 0);
	run(s, 61000);
	assert_int_equal(s->done, 2);
	assert_int_equal(s->news, 2);
	assert_int_equal(contacts_on_disk(s), 2);
	assert_true(commit_is_idle(s->commit));
}

/* Give it values of a MiB until it takes no more; returns how many it took. */
static size_t
fill(struct scene *s)
{
	static const uint8_t large[1u << 20];
	size_t n = 0;

	for (; !commit_is_full(s->commit); n++) {
		const struct post_write key = { .key = { (uint8_t)n }, .key_len = 1 };

		assert_true(n < 1000);
		assert_err_ok(post_put(s->post, &key, large, sizeof(large)));
		(void)commit_collect(s->commit);
	}
	return n;
}

/* What waits is bounded: then nothing more is taken in, and less of it while the disk is full. */
static void
test_bounded(void **state)
{
	struct scene *s = *state;

	assert_int_equal(fill(s), COMMIT_HEALTHY_MAX >> 20);
	commit_now(s->commit);
	run(s, 10000);
	assert_false(commit_is_full(s->commit));
	s->plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	commit_now(s->commit);
	run(s, 10000);
	assert_int_equal(fill(s), COMMIT_FAILING_MAX >> 20);
	s->plan = (struct disk_fault){ 0 };
	run(s, 122000);
	assert_false(commit_is_full(s->commit));
}

/* A state that cannot be gathered is gathered again. */
static void
test_failing_save(void **state)
{
	struct scene *s = *state;

	s->save_err = ERR_MEMORY;
	change(s, "a");
	assert_err_ok(commit_tell(s->commit, on_done, s));
	run(s, 3000);
	assert_int_equal(s->done, 0);
	assert_true(s->failures > 0);
	change(s, "b");
	s->save_err = ERR_OK;
	run(s, 61000);
	assert_int_equal(s->done, 1);
	assert_int_equal(contacts_on_disk(s), 2);
}

/* Every operation of the disk fails once: it is durable all the same, later. */
static void
test_each_operation_fails(void **state)
{
	struct scene *s = *state;
	char name[3] = "aa";

	for (uint64_t at = 1; at <= 12; at++, name[1]++) {
		s->plan = (struct disk_fault){ .at = at % 4 + 1, .err = ERR_IO,
			.effect = at % 2 ? DISK_FAULT_DONE : DISK_FAULT_NOTHING };
		change(s, name);
		assert_err_ok(commit_tell(s->commit, on_done, s));
		run(s, 4000000); /* over an hour: the state key is replaced */
		assert_int_equal(s->done, at);
		s->plan = (struct disk_fault){ 0 };
		assert_int_equal(contacts_on_disk(s), at);
	}
	assert_true(s->failures > 0);
}

static struct post_write
small_key(unsigned number)
{
	return (struct post_write){ .key = { (uint8_t)number }, .key_len = 1 };
}

static void
put_small(struct scene *s, unsigned number)
{
	const struct post_write key = small_key(number);

	assert_err_ok(post_put(s->post, &key, "small", 5));
}

static bool
has_small(struct scene *s, unsigned number)
{
	const struct post_write key = small_key(number);
	struct buf b;
	enum err e;

	buf_init(&b);
	e = archive_read(s->archive, &b, &key, 5);
	buf_release(&b);
	return e == ERR_OK;
}

/* Each allocation fails once: done means durable all the same, of writes gathered before too. */
static void
test_each_allocation_fails(void **state)
{
	struct scene *s = *state;
	unsigned n = 0;

	do {
		n++;
		put_small(s, 2 * n);
		(void)commit_collect(s->commit);
		put_small(s, 2 * n + 1);
		memory_arm(n);
		if (commit_tell(s->commit, on_done, s) != ERR_OK)
			assert_err_ok(commit_tell(s->commit, on_done, s));
		run(s, 400);
		(void)memory_disarm();
		assert_true(s->done < n || (has_small(s, 2 * n) && has_small(s, 2 * n + 1)));
		run(s, 61000);
		assert_int_equal(s->done, n);
		assert_true(has_small(s, 2 * n) && has_small(s, 2 * n + 1));
	} while (memory_failed());
	print_message("# %u allocations\n", n - 1);
	assert_in_range(n, 5, 100);
}

static struct post_write *
chunks(size_t n, size_t len)
{
	struct post_write *w = calloc(n, sizeof(*w));

	assert_non_null(w);
	for (size_t i = 0; i < n; i++) {
		post_key_out(&w[i], 1, (uint32_t)i);
		w[i].data = calloc(1, len);
		w[i].len = len;
		assert_non_null(w[i].data);
	}
	return w;
}

static void
on_value(void *arg, enum err e, const uint8_t *p, size_t n)
{
	(void)p;
	if (e == ERR_OK)
		assert_int_equal(n, 1000);
	on_done(arg, e);
}

static void
test_values(void **state)
{
	struct scene *s = *state;
	struct post_write key;

	post_key_out(&key, 1, 4);
	assert_err_ok(commit_write(s->commit, chunks(5, 1000), 5, on_done, s));
	assert_err_ok(commit_read(s->commit, &key, on_value, s));
	run(s, 100);
	assert_int_equal(s->done, 2);
	assert_int_equal(s->saves, 0); /* not the post's business */
}

static void
test_closing(void **state)
{
	struct scene *s = *state;
	struct post_write key;

	post_key_out(&key, 1, 4);
	assert_err_ok(commit_write(s->commit, chunks(5, 1000), 5, on_done, s));
	assert_err_ok(commit_read(s->commit, &key, on_value, s));
	change(s, "a");
	assert_err_ok(commit_tell(s->commit, on_done, s));
	assert_err_ok(commit_tell(s->commit, on_done, s));
	commit_free(s->commit);
	s->commit = NULL;
	assert_int_equal(s->done, 4);
	assert_int_equal(s->closed, 4);
	assert_int_equal(s->news, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_done_means_durable, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_coalesces, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_without_hurry, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_failing_disk, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_failing_save, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_each_operation_fails, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_each_allocation_fails, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_closing, set_up, tear_down),
};

TEST_MAIN(tests)
