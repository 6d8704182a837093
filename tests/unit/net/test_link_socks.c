#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/net/link.h"
#include "common/net/socks.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_socks.h"
#include "tests/unit/net/link_bench.h"
#include "tests/unit/net/net_test.h"

#define ONION "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead.onion:443"
#define NEGOTIATION_BYTES (2 + 2 + 22)

struct scene {
	struct bench b;
	struct fake_socks f;
};

/* A bench whose client goes through a proxy, which leads to its server. */
static void
set_up(struct scene *k)
{
	const char *proxy = net_unix_address();

	bench_init(&k->b, NOISE_NK);
	fake_socks_start(&k->f, k->b.loop, proxy, k->b.address);
	k->b.client_config.socks = proxy;
	k->b.client.on_down = END_STOP;
	bench_listen(&k->b);
}

static void
tear_down(struct scene *k)
{
	fake_socks_stop(&k->f);
	bench_free(&k->b);
}

static void
run(struct scene *k)
{
	bench_dial(&k->b, ONION);
	net_run(k->b.loop);
}

static void
expect_down(struct scene *k, enum err why)
{
	run(k);
	assert_int_equal(k->b.client.down, 1);
	assert_int_equal(k->b.client.up, 0);
	assert_err(k->b.client.why, why);
}

static void
test_every_form_of_address(void **state)
{
	static const uint8_t types[] = {1, 3, 4};

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		struct scene k;

		set_up(&k);
		k.f.type = types[i];
		run(&k);
		assert_link_works(&k.b);
		assert_string_equal(k.f.target, ONION);
		assert_string_equal(k.f.user, "<torS0X>0");
		assert_int_equal(strlen(k.f.pass), 2 * SOCKS_SECRET_BYTES);
		tear_down(&k);
	}
}

/* One that refuses tor's names is asked once more, and only once. */
static void
test_names_refused(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.f.no_isolation_names = true;
	run(&k);
	assert_link_works(&k.b);
	assert_int_equal(k.f.dials, 2);
	assert_int_equal(strlen(k.f.user), 2 * SOCKS_SECRET_BYTES);
	tear_down(&k);
	set_up(&k);
	k.f.no_names = true;
	expect_down(&k, ERR_STATE);
	assert_int_equal(k.f.dials, 2);
	tear_down(&k);
}

static void
test_codes(void **state)
{
	static const uint8_t codes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4,
	    0xf5, 0xf6, 0xf7, 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(codes); i++) {
		struct scene k;

		set_up(&k);
		k.f.code = codes[i];
		expect_down(&k, socks_err(codes[i]));
		assert_int_equal(k.f.connected, 0);
		tear_down(&k);
	}
}

static void
test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t at = 0; at < NEGOTIATION_BYTES; at++) {
		struct scene k;

		set_up(&k);
		k.f.cut_at = at;
		expect_down(&k, ERR_CLOSED);
		tear_down(&k);
	}
}

/* The deadline of the handshake is that of the proxy, too. */
static void
test_hangs_anywhere(void **state)
{
	(void)state;
	for (size_t at = 0; at < NEGOTIATION_BYTES; at++) {
		struct scene k;

		set_up(&k);
		k.f.hang_at = at;
		k.b.client_config.handshake_ms = 20;
		expect_down(&k, ERR_TIMEOUT);
		tear_down(&k);
	}
}

/* The address bytes of the answer mean nothing to us; every other byte counts. */
static void
test_every_byte_flipped(void **state)
{
	(void)state;
	for (size_t at = 0; at < NEGOTIATION_BYTES; at++) {
		struct scene k;

		set_up(&k);
		k.f.flip_at = at;
		k.f.flip = 0x08;
		run(&k);
		assert_int_equal(k.b.client.up, at >= 2 + 2 + 4 ? 1 : 0);
		tear_down(&k);
	}
}

static void
test_nobody_at_the_port(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	listener_free(k.f.listener);
	k.f.listener = NULL;
	expect_down(&k, ERR_NOT_FOUND);
	tear_down(&k);
}

static void
test_addresses_are_checked(void **state)
{
	struct link *link;
	struct scene k;

	(void)state;
	set_up(&k);
	assert_err(link_dial(&link, k.b.loop, "example.org:80", &k.b.client_config,
	    &link_end_events, &k.b.client), ERR_USAGE);
	k.b.client_config.socks = "localhost:9050";
	assert_err(link_dial(&link, k.b.loop, ONION, &k.b.client_config, &link_end_events,
	    &k.b.client), ERR_USAGE);
	k.b.client_config.socks = NULL;
	assert_err(link_dial(&link, k.b.loop, ONION, &k.b.client_config, &link_end_events,
	    &k.b.client), ERR_USAGE);
	assert_int_equal(k.f.dials, 0);
	tear_down(&k);
}

/* The smallest frames leave less room in the buffer than the proxy needs. */
static void
test_smallest_frames(void **state)
{
	struct scene k;

	(void)state;
	set_up(&k);
	k.b.client_config.send_bytes = k.b.client_config.receive_bytes = LINK_FRAME_MIN;
	k.b.server_config.send_bytes = k.b.server_config.receive_bytes = LINK_FRAME_MIN;
	k.b.client.send_bytes = k.b.server.send_bytes = LINK_FRAME_MIN;
	k.b.client_config.out_frames_max = 1;
	k.b.client.to_send = k.b.server.want = 1;
	run(&k);
	assert_int_equal(k.b.client.up, 1);
	assert_int_equal(k.b.server.frames, 1);
	tear_down(&k);
}

static void
test_freed_in_between(void **state)
{
	(void)state;
	for (size_t at = 0; at <= NEGOTIATION_BYTES; at++) {
		struct scene k;

		set_up(&k);
		k.f.hang_at = at;
		bench_dial(&k.b, ONION);
		net_settle(k.b.loop, 1);
		link_free(k.b.client.link);
		k.b.client.link = NULL;
		net_settle(k.b.loop, 1);
		assert_int_equal(k.b.client.down, 0);
		tear_down(&k);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_every_form_of_address, link_keys_make),
	cmocka_unit_test_setup(test_names_refused, link_keys_make),
	cmocka_unit_test_setup(test_codes, link_keys_make),
	cmocka_unit_test_setup(test_cut_anywhere, link_keys_make),
	cmocka_unit_test_setup(test_hangs_anywhere, link_keys_make),
	cmocka_unit_test_setup(test_every_byte_flipped, link_keys_make),
	cmocka_unit_test_setup(test_nobody_at_the_port, link_keys_make),
	cmocka_unit_test_setup(test_addresses_are_checked, link_keys_make),
	cmocka_unit_test_setup(test_smallest_frames, link_keys_make),
	cmocka_unit_test_setup(test_freed_in_between, link_keys_make),
};

TEST_MAIN(tests)
