#include "config.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

#include "common/base/disk.h"
#include "gateway/door.h"
#include "gateway/onionkey.h"

static const struct door_settings good = { .entrance = "unix:/run/restante-gateway/entrance",
	.control = "unix:/run/tor/control", .socks = "unix:/run/tor/socks", .streams = 1 };

/* A state directory with an onion key, and a charter whose entrance is its address. */
struct ground {
	struct disk *disk;
	struct charter_node own;
	struct daemon m;
	char id[HSID_CHARS + 1];
};

static void
ground_up(struct ground *g)
{
	struct onionkey *key;

	memset(g, 0, sizeof(*g));
	g->disk = disk_memory();
	assert_err_ok(onionkey_make(&key, g->disk, test_rng(), NULL));
	memcpy(g->id, key->id, HSID_CHARS);
	onionkey_free(key);
	assert_true(snprintf(g->own.entrance, sizeof(g->own.entrance), "%s.onion:7000", g->id) > 0);
	g->m.disk = g->disk;
	g->m.own = &g->own;
}

static void
ground_down(struct ground *g)
{
	disk_free(g->disk);
}

/* It does not open: e, and a sentence with these words. */
static void
refused(struct ground *g, const struct door_settings *s, enum err e, const char *cause,
    const char *remedy)
{
	struct door *k = NULL;
	struct diag d = { "" };

	assert_err(door_open(&k, &g->m, s, &d), e);
	assert_null(k);
	assert_contains(d.text, cause);
	assert_contains(d.text, remedy);
}

static void
test_opens(void **state)
{
	struct ground g;
	struct door *k;

	(void)state;
	ground_up(&g);
	assert_err_ok(door_open(&k, &g.m, &good, NULL)); /* no groups yet: none may come */
	door_stop(k);
	door_free(k);
	door_stop(NULL);
	door_free(NULL);
	ground_down(&g);
}

static void
test_entrance(void **state)
{
	static const char *const wrong[] = { "127.0.0.1:7000", "unix:", "unix:relative/path",
		"unix:/with blank", "unix:/with\"quote", "unix:/a\r\nQUIT" };
	struct door_settings s = good;
	struct ground g;

	(void)state;
	ground_up(&g);
	s.entrance = NULL;
	refused(&g, &s, ERR_USAGE, "must say where tor delivers", "entrance = unix:/path");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		s.entrance = wrong[i];
		refused(&g, &s, ERR_USAGE, "entrance ", "unix socket");
	}
	ground_down(&g);
}

static void
test_charters_address(void **state)
{
	struct ground g, other;

	(void)state;
	ground_up(&g);
	ground_up(&other);
	assert_string_not_equal(g.id, other.id);
	memcpy(g.own.entrance, other.own.entrance, sizeof(g.own.entrance));
	refused(&g, &good, ERR_USAGE, g.id, "have the charter changed");
	memcpy(g.own.entrance, "192.0.2.1:7000", sizeof("192.0.2.1:7000"));
	refused(&g, &good, ERR_USAGE, "192.0.2.1:7000", "transport = loopback");
	memcpy(g.own.entrance, other.own.entrance, sizeof(g.own.entrance));
	g.own.entrance[0] = g.own.entrance[0] == 'a' ? 'b' : 'a'; /* its checksum is wrong now */
	refused(&g, &good, ERR_USAGE, "no onion address", "have the charter changed");
	ground_down(&g);
	ground_down(&other);
}

static void
test_files(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g);
	assert_err_ok(disk_replace(g.disk, "members", (const uint8_t *)"?\n", 2));
	refused(&g, &good, ERR_MALFORMED, "members", "line 1");
	assert_err_ok(disk_remove(g.disk, "members"));
	assert_err_ok(disk_remove(g.disk, "onionkey"));
	refused(&g, &good, ERR_NOT_FOUND, "onionkey", "backup");
	ground_down(&g);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_opens),
	cmocka_unit_test(test_entrance),
	cmocka_unit_test(test_charters_address),
	cmocka_unit_test(test_files),
};

TEST_MAIN(tests)
