/*
 * The sealed client authorization in a client's directory.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "client-lib/entrykey.h"

#define SERVICE "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead"

static const struct vault_unlock unlock = { "correct horse", 13, false, VAULT_COST_TEST };

static struct vault *
create(struct disk *k)
{
	struct vault *v;

	assert_err_ok(vault_create(&v, k, &unlock, test_rng(), NULL));
	return v;
}

static void
file_read(struct buf *out, struct disk *k)
{
	buf_init(out);
	assert_err_ok(disk_read(k, out, ENTRYKEY_FILE, 4096));
}

static void
what_is_saved_is_loaded(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct clientauth a, b;
	struct diag d = { "" };

	(void)state;
	assert_err(entrykey_load(&b, k, v, &d), ERR_NOT_FOUND);
	assert_string_equal(d.text, "");
	for (int i = 0; i < 3; i++) {
		clientauth_make(&a, SERVICE, test_rng());
		assert_err_ok(entrykey_save(&a, k, v, test_rng(), NULL));
		vault_free(v);
		assert_err_ok(vault_open(&v, k, &unlock, test_rng(), NULL));
		assert_err_ok(entrykey_load(&b, k, v, NULL));
		assert_memory_equal(&a, &b, sizeof(a));
	}
	vault_free(v);
	disk_free(k);
}

static bool
contains(const struct buf *b, const void *p, size_t n)
{
	for (size_t i = 0; i + n <= b->len; i++)
		if (memcmp(b->data + i, p, n) == 0)
			return true;
	return false;
}

/* Neither the secret nor the service is to be found in it; each time it is another one. */
static void
it_is_sealed(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct clientauth a;
	struct buf first, second;

	(void)state;
	clientauth_make(&a, SERVICE, test_rng());
	assert_err_ok(entrykey_save(&a, k, v, test_rng(), NULL));
	file_read(&first, k);
	assert_false(contains(&first, a.secret, 8));
	assert_false(contains(&first, a.service, 8));
	assert_err_ok(entrykey_save(&a, k, v, test_rng(), NULL));
	file_read(&second, k);
	assert_int_equal(first.len, second.len);
	assert_memory_not_equal(first.data + 8, second.data + 8, 24);
	buf_release(&first);
	buf_release(&second);
	vault_free(v);
	disk_free(k);
}

static void
another_vault_does_not_open_it(void **state)
{
	struct disk *k = disk_memory(), *other = disk_memory();
	struct vault *v = create(k), *w = create(other);
	struct clientauth a, b;
	struct diag d = { "" };
	struct buf file;

	(void)state;
	clientauth_make(&a, SERVICE, test_rng());
	assert_err_ok(entrykey_save(&a, k, v, test_rng(), NULL));
	file_read(&file, k);
	assert_err_ok(disk_replace(other, ENTRYKEY_FILE, file.data, file.len));
	assert_err(entrykey_load(&b, other, w, &d), ERR_CRYPTO);
	assert_contains(d.text, "entry.key");
	assert_contains(d.text, "restante authorize");
	buf_release(&file);
	vault_free(v);
	vault_free(w);
	disk_free(k);
	disk_free(other);
}

static void
damage_is_named(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct clientauth a, b;
	struct buf file;

	(void)state;
	clientauth_make(&a, SERVICE, test_rng());
	assert_err_ok(entrykey_save(&a, k, v, test_rng(), NULL));
	file_read(&file, k);
	for (size_t n = 0; n < file.len; n++) {
		struct diag d = { "" };

		assert_err_ok(disk_replace(k, ENTRYKEY_FILE, file.data, n));
		assert_true(entrykey_load(&b, k, v, &d) != ERR_OK);
		assert_contains(d.text, "entry.key");
		file.data[n] ^= 1;
		assert_err_ok(disk_replace(k, ENTRYKEY_FILE, file.data, file.len));
		file.data[n] ^= 1;
		assert_true(entrykey_load(&b, k, v, &d) != ERR_OK);
		assert_contains(d.text, "entry.key");
	}
	assert_err_ok(disk_replace(k, ENTRYKEY_FILE, file.data, file.len));
	assert_err_ok(entrykey_load(&b, k, v, NULL));
	buf_release(&file);
	vault_free(v);
	disk_free(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_saved_is_loaded),
	cmocka_unit_test(it_is_sealed),
	cmocka_unit_test(another_vault_does_not_open_it),
	cmocka_unit_test(damage_is_named),
};

TEST_MAIN(tests)
