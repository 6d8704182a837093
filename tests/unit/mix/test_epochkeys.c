#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/format.h"
#include "common/charter/timing.h"
#include "mix/epochkeys.h"
#include "tests/unit/mix/mix_test.h"

#define EPOCH 5000u

struct told {
	uint32_t made[128], destroyed[128];
	unsigned made_count, destroyed_count;
};

struct keyring {
	struct stand s;
	struct params params;
	struct epochkeys *keys;
	struct told told;
};

static void
on_made(void *arg, uint32_t epoch)
{
	struct told *t = arg;

	t->made[t->made_count++] = epoch;
}

static void
on_destroyed(void *arg, uint32_t epoch)
{
	struct told *t = arg;

	t->destroyed[t->destroyed_count++] = epoch;
}

static enum err
open_keys(struct keyring *k, struct diag *d)
{
	const struct epochkeys_events events = { .made = on_made, .destroyed = on_destroyed };
	const struct epochkeys_config cfg = {
		.disk = k->s.disk, .queue = k->s.queue, .params = &k->params, .keys = rng_system()
	};

	return epochkeys_open(&k->keys, &cfg, &events, &k->told, d);
}

static void
keyring_up(struct keyring *k)
{
	*k = (struct keyring){ 0 };
	params_default(&k->params);
	stand_up(&k->s, timing_epoch_start(&k->params, EPOCH) + 1000);
	assert_err_ok(open_keys(k, NULL));
}

static void
keyring_down(struct keyring *k)
{
	stand_crash(&k->s);
	epochkeys_free(k->keys);
	stand_down(&k->s);
}

static void
restart(struct keyring *k)
{
	stand_crash(&k->s);
	epochkeys_free(k->keys);
	k->keys = NULL;
	stand_again(&k->s);
	assert_err_ok(open_keys(k, NULL));
}

/* Turn at a time, and let the disk work. */
static void
turn(struct keyring *k, int64_t wall_ms)
{
	epochkeys_turn(k->keys, wall_ms);
	stand_run(&k->s, 1000);
}

static int64_t
start_of(const struct keyring *k, uint32_t epoch)
{
	return timing_epoch_start(&k->params, epoch);
}

static bool
on_disk(struct keyring *k, uint32_t epoch)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "key-%08x", epoch);
	return stand_has(&k->s, name);
}

/* Nothing is found, and nobody told, before it is stored. */
static void
test_stored_before_announced(void **state)
{
	struct keyring k;
	uint8_t pk[32];

	(void)state;
	keyring_up(&k);
	epochkeys_turn(k.keys, start_of(&k, EPOCH));
	assert_null(epochkeys_find(k.keys, EPOCH));
	assert_true(epochkeys_exists(k.keys, EPOCH));
	stand_run(&k.s, 1000);
	assert_non_null(epochkeys_find(k.keys, EPOCH));
	assert_true(on_disk(&k, EPOCH));
	assert_int_equal(k.told.made_count, 1);
	assert_int_equal(k.told.made[0], EPOCH);
	assert_int_equal(crypto_scalarmult_base(pk, epochkeys_find(k.keys, EPOCH)->sk), 0);
	assert_memory_equal(pk, epochkeys_find(k.keys, EPOCH)->pk, 32);
	keyring_down(&k);
}

static void
test_schedule(void **state)
{
	struct keyring k;
	int64_t ahead, end;

	(void)state;
	keyring_up(&k);
	ahead = start_of(&k, EPOCH + 1) - 60 * 60 * 1000;
	end = start_of(&k, EPOCH + 1) + k.params.grace_ms;
	turn(&k, start_of(&k, EPOCH));
	assert_int_equal(epochkeys_next_ms(k.keys, start_of(&k, EPOCH)), ahead);
	turn(&k, ahead - 1);
	assert_null(epochkeys_find(k.keys, EPOCH + 1));
	turn(&k, ahead);
	assert_non_null(epochkeys_find(k.keys, EPOCH + 1));
	assert_int_equal(epochkeys_next_ms(k.keys, ahead), start_of(&k, EPOCH + 1));
	turn(&k, end - 1);
	assert_non_null(epochkeys_find(k.keys, EPOCH));
	assert_int_equal(epochkeys_next_ms(k.keys, end - 1), end);
	turn(&k, end);
	assert_null(epochkeys_find(k.keys, EPOCH));
	assert_false(epochkeys_exists(k.keys, EPOCH));
	assert_false(on_disk(&k, EPOCH));
	assert_int_equal(k.told.destroyed_count, 1);
	assert_int_equal(k.told.destroyed[0], EPOCH);
	assert_int_equal(k.told.made_count, 2);
	keyring_down(&k);
}

static void
test_scaled(void **state)
{
	struct keyring k;

	(void)state;
	keyring_up(&k);
	k.params.time_scale = 60;
	turn(&k, start_of(&k, EPOCH + 1) - 60001);
	assert_false(epochkeys_exists(k.keys, EPOCH + 1));
	turn(&k, start_of(&k, EPOCH + 1) - 60000);
	assert_true(epochkeys_exists(k.keys, EPOCH + 1));
	keyring_down(&k);
}

static void
test_same_keys_after_restart(void **state)
{
	struct keyring k;
	uint8_t pk[2][32];

	(void)state;
	keyring_up(&k);
	turn(&k, start_of(&k, EPOCH + 1) - 1000);
	for (uint32_t i = 0; i < 2; i++)
		memcpy(pk[i], epochkeys_find(k.keys, EPOCH + i)->pk, 32);
	restart(&k);
	turn(&k, start_of(&k, EPOCH + 1));
	for (uint32_t i = 0; i < 2; i++)
		assert_memory_equal(pk[i], epochkeys_find(k.keys, EPOCH + i)->pk, 32);
	assert_int_equal(k.told.made_count, 2);
	keyring_down(&k);
}

/* A key that ended while the node was off goes at the first turn. */
static void
test_destroyed_after_absence(void **state)
{
	struct keyring k;

	(void)state;
	keyring_up(&k);
	turn(&k, start_of(&k, EPOCH));
	restart(&k);
	turn(&k, start_of(&k, EPOCH + 10));
	assert_false(on_disk(&k, EPOCH));
	assert_true(on_disk(&k, EPOCH + 10));
	keyring_down(&k);
}

static void
test_held_key_outlives_its_epoch(void **state)
{
	const struct epochkey *key;
	struct keyring k;
	uint8_t pk[32];

	(void)state;
	keyring_up(&k);
	turn(&k, start_of(&k, EPOCH));
	key = epochkeys_hold(epochkeys_find(k.keys, EPOCH));
	turn(&k, start_of(&k, EPOCH + 2));
	assert_null(epochkeys_find(k.keys, EPOCH));
	assert_int_equal(crypto_scalarmult_base(pk, key->sk), 0);
	assert_memory_equal(pk, key->pk, 32);
	epochkeys_drop(key);
	keyring_down(&k);
}

/* A disk that refuses: no key; then it is tried again, and the key is the same everywhere. */
static void
test_store_is_tried_again(void **state)
{
	struct keyring k;

	(void)state;
	keyring_up(&k);
	k.s.plan = (struct disk_fault){ .at = 1, .err = ERR_FULL, .forever = true };
	for (int i = 0; i < 3; i++)
		turn(&k, start_of(&k, EPOCH) + i);
	assert_null(epochkeys_find(k.keys, EPOCH));
	assert_int_equal(k.told.made_count, 0);
	k.s.plan = (struct disk_fault){ 0 };
	turn(&k, start_of(&k, EPOCH) + 20000);
	assert_non_null(epochkeys_find(k.keys, EPOCH));
	assert_int_equal(k.told.made_count, 1);
	keyring_down(&k);
}

/* The memory is wiped at once, the file as soon as the disk allows. */
static void
test_removal_is_tried_again(void **state)
{
	struct keyring k;
	int64_t end;

	(void)state;
	keyring_up(&k);
	end = start_of(&k, EPOCH + 1) + k.params.grace_ms;
	turn(&k, start_of(&k, EPOCH));
	k.s.plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true };
	turn(&k, end);
	assert_null(epochkeys_find(k.keys, EPOCH));
	assert_true(epochkeys_exists(k.keys, EPOCH));
	assert_int_equal(k.told.destroyed_count, 0);
	assert_true(epochkeys_next_ms(k.keys, end) < end + 60000);
	k.s.plan = (struct disk_fault){ 0 };
	turn(&k, end + 10000);
	assert_false(epochkeys_exists(k.keys, EPOCH));
	assert_int_equal(k.told.destroyed_count, 1);
	keyring_down(&k);
}

/* Crash at every operation of the disk: afterwards there is a key, whole. */
static void
test_crash_at_every_operation(void **state)
{
	(void)state;
	for (uint64_t at = 1; at < 8; at++) {
		for (int effect = DISK_FAULT_NOTHING; effect <= DISK_FAULT_DONE; effect++) {
			struct keyring k;
			bool announced;
			uint8_t pk[32];

			keyring_up(&k);
			k.s.plan = (struct disk_fault){ .at = at, .err = ERR_IO, .forever = true,
				.effect = (enum disk_fault_effect)effect };
			turn(&k, start_of(&k, EPOCH));
			turn(&k, start_of(&k, EPOCH + 1) - 1000);
			announced = epochkeys_find(k.keys, EPOCH) != NULL;
			if (announced)
				memcpy(pk, epochkeys_find(k.keys, EPOCH)->pk, 32);
			restart(&k);
			turn(&k, start_of(&k, EPOCH) + 2000);
			assert_non_null(epochkeys_find(k.keys, EPOCH));
			if (announced)
				assert_memory_equal(pk, epochkeys_find(k.keys, EPOCH)->pk, 32);
			keyring_down(&k);
		}
	}
}

/* Every length and every flipped byte of a key file is refused with its name. */
static void
test_damaged_files(void **state)
{
	struct keyring k;
	struct buf file;

	(void)state;
	keyring_up(&k);
	turn(&k, start_of(&k, EPOCH));
	stand_read(&k.s, &file, "key-00001388");
	for (size_t i = 0; i < 2 * file.len; i++) {
		size_t n = i < file.len ? i : file.len;
		struct diag d = { "" };
		struct epochkeys *before = k.keys;
		enum err e;

		file.data[i % file.len] ^= 0x20;
		stand_write(&k.s, "key-00001388", file.data, n);
		file.data[i % file.len] ^= 0x20;
		e = open_keys(&k, &d);
		assert_true(e != ERR_OK);
		assert_contains(d.text, "key-00001388");
		k.keys = before;
	}
	buf_release(&file);
	keyring_down(&k);
}

static void
test_newer_version_is_named(void **state)
{
	struct diag d = { "" };
	struct keyring k;
	struct buf file;
	struct epochkeys *before;

	(void)state;
	keyring_up(&k);
	turn(&k, start_of(&k, EPOCH));
	stand_read(&k.s, &file, "key-00001388");
	file.data[FORMAT_MAGIC_BYTES]++;
	stand_write(&k.s, "key-00001388", file.data, file.len);
	before = k.keys;
	assert_err(open_keys(&k, &d), ERR_VERSION);
	assert_contains(d.text, "newer");
	k.keys = before;
	buf_release(&file);
	keyring_down(&k);
}

/* A clock set years ahead, many times, leaves a node that still makes its keys. */
static void
test_wild_clocks(void **state)
{
	struct keyring k;

	(void)state;
	keyring_up(&k);
	for (uint32_t i = 0; i < 40; i++)
		turn(&k, start_of(&k, EPOCH + 90000 - 1000 * i));
	for (int i = 0; i < 3; i++)
		turn(&k, start_of(&k, EPOCH) + i);
	assert_non_null(epochkeys_find(k.keys, EPOCH));
	turn(&k, INT64_MAX / 2);
	turn(&k, start_of(&k, EPOCH));
	turn(&k, start_of(&k, EPOCH) + 1);
	assert_non_null(epochkeys_find(k.keys, EPOCH));
	keyring_down(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_stored_before_announced),
	cmocka_unit_test(test_schedule),
	cmocka_unit_test(test_scaled),
	cmocka_unit_test(test_same_keys_after_restart),
	cmocka_unit_test(test_destroyed_after_absence),
	cmocka_unit_test(test_held_key_outlives_its_epoch),
	cmocka_unit_test(test_store_is_tried_again),
	cmocka_unit_test(test_removal_is_tried_again),
	cmocka_unit_test(test_crash_at_every_operation),
	cmocka_unit_test(test_damaged_files),
	cmocka_unit_test(test_newer_version_is_named),
	cmocka_unit_test(test_wild_clocks),
};

TEST_MAIN(tests)
