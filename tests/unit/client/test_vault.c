#include "config.h"

#include "client-lib/vault.h"

#include <string.h>

#include "client-lib/keyring.h"
#include "common/base/disk_fault.h"
#include "common/base/secret.h"
#include "tests/lib/test.h"

#define START_MS ((int64_t)1800000000000)
#define HOUR_MS KEYRING_AGE_MS

static const struct vault_unlock right = { "correct horse", 13, false, VAULT_COST_TEST };
static const struct vault_unlock wrong = { "correct hors", 12, false, VAULT_COST_TEST };
static const struct vault_unlock key_file = { "0123456789abcdef0123456789abcdef", 32, true,
	VAULT_COST_TEST };

static struct vault *
create(struct disk *k)
{
	struct vault *v;

	assert_err_ok(vault_create(&v, k, &right, test_rng(), NULL));
	return v;
}

static struct vault *
reopen(struct vault *v, struct disk *k)
{
	struct diag d;
	enum err e;

	vault_free(v);
	e = vault_open(&v, k, &right, test_rng(), &d);
	if (e != ERR_OK)
		print_error("%s\n", d.text);
	assert_err_ok(e);
	return v;
}

static void
write_text(struct vault *v, const char *text, int64_t now_ms)
{
	assert_err_ok(vault_write_state(v, text, strlen(text), now_ms));
}

static void
assert_state(struct vault *v, const char *text)
{
	struct buf b;

	buf_init(&b);
	assert_err_ok(vault_read_state(v, &b, NULL));
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(b.data, text, b.len);
	buf_release(&b);
}

static void
read_file(struct disk *k, struct buf *out, const char *name)
{
	buf_init(out);
	assert_err_ok(disk_read(k, out, name, 1 << 20));
}

static bool
file_has(struct disk *k, const char *name, const void *p, size_t n)
{
	struct buf b;
	bool found;

	read_file(k, &b, name);
	found = memmem(b.data, b.len, p, n) != NULL;
	buf_release(&b);
	return found;
}

static void
test_state_survives(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	uint8_t archive_key[32];
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_err(vault_read_state(v, &b, NULL), ERR_NOT_FOUND);
	memcpy(archive_key, vault_archive_key(v), 32);
	write_text(v, "one secret", START_MS);
	v = reopen(v, k);
	assert_state(v, "one secret");
	assert_memory_equal(archive_key, vault_archive_key(v), 32);
	write_text(v, "another", START_MS + 1);
	v = reopen(v, k);
	assert_state(v, "another");
	vault_free(v);
	disk_free(k);
}

static void
test_nothing_plain_on_disk(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);

	(void)state;
	write_text(v, "one secret", START_MS);
	assert_false(file_has(k, "state", "one secret", 10));
	assert_false(file_has(k, "vault", "correct horse", 13));
	assert_false(file_has(k, "vault", vault_archive_key(v), 32));
	assert_false(file_has(k, "state.key", vault_archive_key(v), 32));
	vault_free(v);
	disk_free(k);
}

static void
test_wrong_passphrase(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k), *none = NULL;
	struct diag d;

	(void)state;
	vault_free(v);
	assert_err(vault_open(&none, k, &wrong, test_rng(), &d), ERR_PASSPHRASE);
	assert_contains(d.text, "wrong passphrase");
	assert_err(vault_open(&none, k, &key_file, test_rng(), &d), ERR_PASSPHRASE);
	assert_contains(d.text, "locked by a passphrase");
	assert_null(none);
	disk_free(k);
}

static void
test_useless_secrets(void **state)
{
	const struct vault_unlock empty = { "", 0, false, VAULT_COST_TEST };
	const struct vault_unlock tiny = { "0123456789abcdef0123456789abcde", 31, true,
		VAULT_COST_TEST };
	struct disk *k = disk_memory();
	struct vault *v = NULL;
	struct diag d;

	(void)state;
	assert_err(vault_create(&v, k, &empty, test_rng(), &d), ERR_USAGE);
	assert_contains(d.text, "empty");
	assert_err(vault_create(&v, k, &tiny, test_rng(), &d), ERR_USAGE);
	assert_contains(d.text, "32");
	disk_free(k);
}

static void
test_not_there_and_there_already(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = NULL, *other = NULL;
	struct diag d;

	(void)state;
	assert_err(vault_open(&v, k, &right, test_rng(), &d), ERR_NOT_FOUND);
	assert_contains(d.text, "restante init");
	v = create(k);
	assert_err(vault_create(&other, k, &right, test_rng(), &d), ERR_EXISTS);
	assert_contains(d.text, "`vault`");
	vault_free(v);
	disk_free(k);
}

static void
test_rekey(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct diag d;

	(void)state;
	write_text(v, "kept", START_MS);
	assert_err_ok(vault_rekey(v, &key_file, &d));
	vault_free(v);
	assert_err(vault_open(&v, k, &right, test_rng(), &d), ERR_PASSPHRASE);
	assert_contains(d.text, "key file");
	assert_err_ok(vault_open(&v, k, &key_file, test_rng(), &d));
	assert_state(v, "kept");
	vault_free(v);
	disk_free(k);
}

/* The files of an hour ago must be useless together with a later thief's keys. */
static void
test_state_key_is_replaced(void **state)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct buf old, key;

	(void)state;
	write_text(v, "old", START_MS);
	read_file(k, &old, "state");
	read_file(k, &key, "state.key");
	write_text(v, "young", START_MS + HOUR_MS - 1);
	assert_true(file_has(k, "state.key", key.data, key.len));
	write_text(v, "new", START_MS + HOUR_MS);
	assert_false(file_has(k, "state.key", key.data, key.len));
	assert_err_ok(disk_replace(k, "state", old.data, old.len));
	v = reopen(v, k);
	buf_release(&key);
	assert_err(vault_read_state(v, &key, NULL), ERR_MALFORMED);
	/* a clock set back does not keep a key either */
	write_text(v, "back", START_MS);
	read_file(k, &key, "state.key");
	write_text(v, "back", START_MS - 1);
	assert_false(file_has(k, "state.key", key.data, key.len));
	buf_release(&old);
	buf_release(&key);
	vault_free(v);
	disk_free(k);
}

/* Every file: each bit flipped, each length cut, and a newer version. */
static void
damage(const char *name, enum err newer)
{
	struct disk *k = disk_memory();
	struct vault *v = create(k);
	struct buf file, out;
	struct diag d;
	enum err e;

	write_text(v, "content", START_MS);
	vault_free(v);
	read_file(k, &file, name);
	buf_init(&out);
	for (size_t i = 0; i < 2 * file.len; i++) {
		bool cut = i >= file.len;
		if (!cut)
			file.data[i] ^= (uint8_t)(1u << (i % 8));
		assert_err_ok(disk_replace(k, name, file.data, cut ? i - file.len : file.len));
		d.text[0] = '\0';
		v = NULL;
		e = vault_open(&v, k, &right, test_rng(), &d);
		if (e == ERR_OK)
			e = vault_read_state(v, &out, &d);
		assert_int_not_equal(e, ERR_OK);
		assert_int_not_equal(strlen(d.text), 0);
		vault_free(v);
		if (!cut)
			file.data[i] ^= (uint8_t)(1u << (i % 8));
	}
	file.data[6] = 2; /* the version */
	assert_err_ok(disk_replace(k, name, file.data, file.len));
	e = vault_open(&v, k, &right, test_rng(), &d);
	if (e == ERR_OK) {
		e = vault_read_state(v, &out, &d);
		vault_free(v);
	}
	assert_err(e, newer);
	assert_contains(d.text, name);
	assert_contains(d.text, "newer");
	buf_release(&file);
	buf_release(&out);
	disk_free(k);
}

static void
test_damaged_vault(void **state)
{
	(void)state;
	damage("vault", ERR_VERSION);
}

static void
test_damaged_state_key(void **state)
{
	(void)state;
	damage("state.key", ERR_VERSION);
}

static void
test_damaged_state(void **state)
{
	(void)state;
	damage("state", ERR_VERSION);
}

/* ---- crashes ---- */

/*
 * States "1" to "4", the key being replaced twice. The n-th operation fails; if
 * `crash`, so does everything after it. Then what opens must be the last state
 * that was written, or the one whose write failed.
 */
static bool
run_with_fault(uint64_t at, bool crash, enum disk_fault_effect effect)
{
	struct disk_fault plan = { .err = ERR_FULL, .forever = crash, .effect = effect };
	struct disk *under = disk_memory(), *k = disk_fault_new(under, &plan);
	struct vault *v = create(k);
	char text[2] = "0", last = 0;
	bool reached;

	write_text(v, "0", START_MS);
	plan.count = 0;
	plan.at = at;
	last = '0';
	for (int i = 1; i <= 4; i++) {
		text[0] = (char)('0' + i);
		if (vault_write_state(v, text, 1, START_MS + i * HOUR_MS * 2 / 3) == ERR_OK)
			last = text[0];
		else if (crash)
			break;
	}
	reached = plan.failed > 0;
	plan.at = 0;
	v = reopen(v, under);
	struct buf b;
	buf_init(&b);
	assert_err_ok(vault_read_state(v, &b, NULL));
	assert_int_equal(b.len, 1);
	if (b.data[0] != last)
		assert_int_equal(b.data[0], text[0]); /* it failed, and yet it is there */
	/* and it goes on from there */
	write_text(v, "after", START_MS + 10 * HOUR_MS);
	v = reopen(v, under);
	assert_state(v, "after");
	buf_release(&b);
	vault_free(v);
	disk_free(k);
	disk_free(under);
	return reached;
}

static void
test_every_operation_fails(void **state)
{
	static const enum disk_fault_effect effects[] = { DISK_FAULT_NOTHING, DISK_FAULT_DONE };
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (int crash = 0; crash < 2; crash++)
			for (uint64_t at = 1; run_with_fault(at, crash != 0, effects[i]); at++)
				tried++;
	assert_true(tried >= 4 * 8); /* four states, two of them under new keys */
}

/* A creation that did not finish is no client, and can be tried again. */
static void
test_creation_crashes(void **state)
{
	struct disk *under = disk_memory();
	struct vault *v = NULL;

	(void)state;
	for (uint64_t at = 1;; at++) {
		struct disk_fault plan = { .at = at, .err = ERR_IO, .forever = true };
		struct disk *k = disk_fault_new(under, &plan);
		enum err e = vault_create(&v, k, &right, test_rng(), NULL);
		disk_free(k);
		if (e == ERR_OK)
			break;
		assert_err(vault_open(&v, under, &right, test_rng(), NULL), ERR_NOT_FOUND);
	}
	v = reopen(v, under);
	write_text(v, "made", START_MS);
	assert_state(v, "made");
	vault_free(v);
	disk_free(under);
}

/* A new passphrase takes effect as a whole or not at all. */
static void
test_rekey_crashes(void **state)
{
	(void)state;
	for (int done = 0; done < 2; done++) {
		struct disk_fault plan = { .err = ERR_IO, .forever = true,
			.effect = done ? DISK_FAULT_DONE : DISK_FAULT_NOTHING };
		struct disk *under = disk_memory(), *k = disk_fault_new(under, &plan);
		struct vault *v = create(k);

		write_text(v, "kept", START_MS);
		plan.count = 0;
		plan.at = 1;
		assert_err(vault_rekey(v, &key_file, NULL), ERR_IO);
		plan.at = 0;
		vault_free(v);
		assert_err_ok(vault_open(&v, under, done ? &key_file : &right, test_rng(), NULL));
		assert_state(v, "kept");
		vault_free(v);
		disk_free(k);
		disk_free(under);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_state_survives),
	cmocka_unit_test(test_nothing_plain_on_disk),
	cmocka_unit_test(test_wrong_passphrase),
	cmocka_unit_test(test_useless_secrets),
	cmocka_unit_test(test_not_there_and_there_already),
	cmocka_unit_test(test_rekey),
	cmocka_unit_test(test_state_key_is_replaced),
	cmocka_unit_test(test_damaged_vault),
	cmocka_unit_test(test_damaged_state_key),
	cmocka_unit_test(test_damaged_state),
	cmocka_unit_test(test_every_operation_fails),
	cmocka_unit_test(test_creation_crashes),
	cmocka_unit_test(test_rekey_crashes),
};

TEST_MAIN(tests)
