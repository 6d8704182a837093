#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/base/format.h"
#include "gateway/onionkey.h"

#define FILE_NAME "onionkey"
#define FILE_BYTES (FORMAT_BYTES + 64)

static void
test_made_once(void **state)
{
	struct disk *disk = disk_memory();
	struct onionkey *made, *again, *loaded = NULL;
	struct diag d = { "" };

	(void)state;
	assert_err(onionkey_load(&loaded, disk, &d), ERR_NOT_FOUND);
	assert_null(loaded);
	assert_contains(d.text, "onionkey");
	assert_contains(d.text, "backup");
	assert_contains(d.text, "new charter");
	assert_err_ok(onionkey_make(&made, disk, test_rng(), NULL));
	assert_err_ok(hsid_parse(NULL, made->id));
	assert_err_ok(onionkey_make(&again, disk, test_rng(), NULL)); /* the same, not a new one */
	assert_memory_equal(made, again, sizeof(*made));
	assert_err_ok(onionkey_load(&loaded, disk, NULL));
	assert_memory_equal(made, loaded, sizeof(*made));
	onionkey_free(made);
	onionkey_free(again);
	onionkey_free(loaded);
	disk_free(disk);
}

/* The bytes of docs/protocol.md, section 13, around a key that tor knows. */
static void
test_file(void **state)
{
	uint8_t file[FILE_BYTES] = "rstoni\x01", sk[64];
	struct disk *disk = disk_memory();
	struct onionkey *k;

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		file[FORMAT_BYTES + i] = i;
	assert_int_equal(crypto_sign_seed_keypair(file + FORMAT_BYTES + 32, sk, file + FORMAT_BYTES),
	    0);
	assert_err_ok(disk_replace(disk, FILE_NAME, file, sizeof(file)));
	assert_err_ok(onionkey_load(&k, disk, NULL));
	assert_string_equal(k->id, "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead");
	onionkey_free(k);
	disk_free(disk);
}

/* Whatever bit is wrong, and wherever the file ends, it is said, and no key is made. */
static void
test_damage(void **state)
{
	struct disk *disk = disk_memory();
	struct onionkey *k;
	struct buf b;

	(void)state;
	assert_err_ok(onionkey_make(&k, disk, test_rng(), NULL));
	onionkey_free(k);
	buf_init(&b);
	assert_err_ok(disk_read(disk, &b, FILE_NAME, FILE_BYTES));
	for (size_t i = 0; i < 2 * FILE_BYTES; i++) {
		struct diag d = { "" };
		size_t at = i % FILE_BYTES, n = i < FILE_BYTES ? FILE_BYTES : at;
		uint8_t flip = 0;

		if (i < FILE_BYTES)
			flip = (uint8_t)(1u << rng_below(test_rng(), 8));
		b.data[at] ^= flip;
		assert_err_ok(disk_replace(disk, FILE_NAME, b.data, n));
		b.data[at] ^= flip;
		k = NULL;
		assert_int_not_equal(onionkey_load(&k, disk, &d), ERR_OK);
		assert_contains(d.text, "onionkey");
		assert_int_not_equal(onionkey_make(&k, disk, test_rng(), &d), ERR_OK);
		assert_null(k);
	}
	buf_release(&b);
	disk_free(disk);
}

static void
test_full_disk(void **state)
{
	struct disk *under = disk_memory();
	struct disk_fault plan = { .at = 1, .err = ERR_FULL, .forever = true, .writes_only = true };
	struct disk *disk = disk_fault_new(under, &plan);
	struct onionkey *k = NULL;
	struct diag d = { "" };

	(void)state;
	assert_err(onionkey_make(&k, disk, test_rng(), &d), ERR_FULL);
	assert_null(k);
	assert_contains(d.text, "room");
	disk_free(disk);
	disk_free(under);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_made_once),
	cmocka_unit_test(test_file),
	cmocka_unit_test(test_damage),
	cmocka_unit_test(test_full_disk),
};

TEST_MAIN(tests)
