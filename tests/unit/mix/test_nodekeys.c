#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base/disk_fault.h"
#include "common/charter/nodeline.h"
#include "mix/charterfile.h"
#include "mix/nodekeys.h"
#include "tests/lib/network.h"

static void
test_made_once(void **state)
{
	struct disk *disk = disk_memory();
	struct nodekeys *made, *loaded, *again = NULL;
	struct diag d = { "" };

	(void)state;
	assert_err(nodekeys_load(&again, disk, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "init");
	assert_err_ok(nodekeys_create(&made, disk, test_rng(), NULL));
	assert_err_ok(nodekeys_load(&loaded, disk, NULL));
	assert_memory_equal(made, loaded, sizeof(*made));
	assert_err(nodekeys_create(&again, disk, test_rng(), &d), ERR_EXISTS);
	assert_null(again);
	nodekeys_free(made);
	nodekeys_free(loaded);
	disk_free(disk);
}

/* The public line has the public halves, and nothing of the others. */
static void
test_public_line(void **state)
{
	struct disk *disk = disk_memory();
	struct charter_node node, parsed;
	char line[NODELINE_BYTES];
	struct nodekeys *k;
	uint8_t pk[32];

	(void)state;
	assert_err_ok(nodekeys_create(&k, disk, test_rng(), NULL));
	nodekeys_public(&node, k, CHARTER_MIX);
	(void)snprintf(node.address, sizeof(node.address), "192.0.2.7:7001");
	nodeline_print(line, &node);
	assert_err_ok(nodeline_parse(&parsed, line, NULL));
	assert_int_equal(crypto_scalarmult_base(pk, k->link_sk), 0);
	assert_memory_equal(parsed.link, pk, 32);
	assert_int_equal(crypto_sign_ed25519_sk_to_pk(pk, k->identity_sk), 0);
	assert_memory_equal(parsed.identity, pk, 32);
	nodekeys_free(k);
	disk_free(disk);
}

/* A disk that refuses leaves no half of a key behind. */
static void
test_full_disk(void **state)
{
	struct disk *under = disk_memory();
	struct disk_fault plan = { .at = 1, .err = ERR_FULL, .forever = true, .writes_only = true };
	struct disk *disk = disk_fault_new(under, &plan);
	struct nodekeys *k = NULL;
	struct diag d = { "" };

	(void)state;
	assert_err(nodekeys_create(&k, disk, test_rng(), &d), ERR_FULL);
	assert_null(k);
	assert_contains(d.text, "room");
	plan = (struct disk_fault){ 0 };
	assert_err_ok(nodekeys_create(&k, disk, test_rng(), NULL));
	nodekeys_free(k);
	disk_free(disk);
	disk_free(under);
}

static void
test_damage(void **state)
{
	struct disk *disk = disk_memory();
	struct nodekeys *k;
	struct buf file;

	(void)state;
	assert_err_ok(nodekeys_create(&k, disk, test_rng(), NULL));
	nodekeys_free(k);
	buf_init(&file);
	assert_err_ok(disk_read(disk, &file, "nodekeys", 4096));
	for (size_t i = 0; i < 2 * file.len; i++) {
		struct diag d = { "" };
		enum err e;

		file.data[i % file.len] ^= 0x40;
		assert_err_ok(disk_replace(disk, "nodekeys", file.data,
		    i < file.len ? i : file.len));
		file.data[i % file.len] ^= 0x40;
		k = NULL;
		e = nodekeys_load(&k, disk, &d);
		/* three bits of an X25519 secret are no part of the key */
		if (e == ERR_OK)
			assert_true(i - file.len == 8 + 64 + 31 || i - file.len == 8 + 64);
		else
			assert_contains(d.text, "nodekeys");
		nodekeys_free(k);
	}
	buf_release(&file);
	disk_free(disk);
}

static void
test_found_in_the_charter(void **state)
{
	const struct network_config cfg = { .seed = 8 };
	struct network *n = network_new(&cfg);
	const struct charter_node *node = NULL;
	struct nodekeys k = { 0 };
	struct diag d = { "" };

	(void)state;
	memcpy(k.identity_pk, n->charter->nodes[1].identity, 32);
	assert_err_ok(nodekeys_find(&node, &k, n->charter, CHARTER_MIX, NULL));
	assert_int_equal(node->number, 2);
	assert_err(nodekeys_find(&node, &k, n->charter, CHARTER_GATEWAY, &d), ERR_NOT_FOUND);
	assert_contains(d.text, "node line");
	k.identity_pk[0] ^= 1;
	assert_err(nodekeys_find(&node, &k, n->charter, CHARTER_MIX, &d), ERR_NOT_FOUND);
	network_free(n);
}

static void
write_file(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void
test_charter_file(void **state)
{
	const struct network_config cfg = { .seed = 8 };
	struct network *n = network_new(&cfg);
	static uint8_t long_text[CHARTER_BYTES_MAX + 1];
	struct charter *c = NULL;
	struct diag d = { "" };
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/charter", test_tmpdir());
	assert_err(charterfile_load(&c, path, &d), ERR_NOT_FOUND);
	assert_contains(d.text, path);
	write_file(path, n->text.data, n->text.len);
	assert_err_ok(charterfile_load(&c, path, NULL));
	assert_memory_equal(c->hash, n->charter->hash, 32);
	charter_free(c);
	write_file(path, n->text.data, n->text.len / 2);
	assert_true(charterfile_load(&c, path, &d) != ERR_OK);
	assert_contains(d.text, path);
	write_file(path, long_text, sizeof(long_text));
	assert_err(charterfile_load(&c, path, &d), ERR_RANGE);
	network_free(n);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_made_once),
	cmocka_unit_test(test_public_line),
	cmocka_unit_test(test_full_disk),
	cmocka_unit_test(test_damage),
	cmocka_unit_test(test_found_in_the_charter),
	cmocka_unit_test(test_charter_file),
};

TEST_MAIN(tests)
