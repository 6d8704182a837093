#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "common/token/notice.h"
#include "tests/lib/network.h"

#define EPOCH 83124

struct world {
	struct network *n;
	const struct charter_node *gateway;
	struct notice notice;
	struct buf bytes;
};

static const uint8_t *
gateway_sk(const struct world *w)
{
	return w->n->keys[network_index(w->n, w->gateway->number)].identity_sk;
}

static void
write_notice(struct world *w)
{
	buf_release(&w->bytes);
	assert_err_ok(notice_encode(&w->bytes, &w->notice, w->gateway->number,
	    w->n->charter->network_id, gateway_sk(w)));
}

static int
set_up(void **state)
{
	static struct world w;
	struct network_config cfg = { .seed = test_seed(), .registrar = true };
	const uint8_t seed[32] = { 5 };
	struct issuer *s;

	w.n = network_new(&cfg);
	w.gateway = charter_gateway(w.n->charter);
	assert_err_ok(issuer_new(&s, &w.n->charter->params, EPOCH, seed));
	w.notice.keys = *issuer_keys(s);
	issuer_free(s);
	buf_init(&w.bytes);
	write_notice(&w);
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	buf_release(&w->bytes);
	network_free(w->n);
	return 0;
}

static enum err
read_notice(struct notice *out, const struct world *w)
{
	return notice_decode(out, w->bytes.data, w->bytes.len, w->n->charter);
}

static void
test_there_and_back(void **state)
{
	struct world *w = *state;
	struct notice n;

	assert_int_equal(w->bytes.len, notice_bytes(&w->n->charter->params));
	assert_int_equal(w->bytes.len, 4 + 7 * 32 + 64);
	assert_err_ok(read_notice(&n, w));
	assert_memory_equal(&n.keys, &w->notice.keys, sizeof(n.keys));
	assert_memory_equal(n.hash, w->notice.hash, 32);
	assert_err_ok(notice_verify(w->gateway->number, EPOCH, n.hash, n.signature,
	    w->n->charter->network_id, w->gateway->identity));
	assert_err(notice_verify(w->gateway->number, EPOCH + 1, n.hash, n.signature,
	    w->n->charter->network_id, w->gateway->identity), ERR_SIGNATURE);
}

static void
test_every_bit_counts(void **state)
{
	struct world *w = *state;
	struct notice n;

	for (size_t i = 0; i < w->bytes.len; i++) {
		uint8_t bit = (uint8_t)(1u << rng_below(test_rng(), 8));

		w->bytes.data[i] ^= bit;
		assert_err(read_notice(&n, w), ERR_SIGNATURE);
		w->bytes.data[i] ^= bit;
	}
	for (size_t len = 0; len < w->bytes.len; len++)
		assert_err(notice_decode(&n, w->bytes.data, len, w->n->charter), ERR_TRUNCATED);
	assert_err_ok(buf_append(&w->bytes, "", 1, SIZE_MAX));
	assert_err(read_notice(&n, w), ERR_TRAILING);
}

/* What the gateway signed may still be no keys. */
static void
test_keys_that_are_none(void **state)
{
	struct world *w = *state;
	struct notice n;

	memset(w->notice.keys.stamp, 0, 32);
	write_notice(w);
	assert_err(read_notice(&n, w), ERR_MALFORMED);
	memset(w->notice.keys.stamp, 0xff, 32);
	write_notice(w);
	assert_err(read_notice(&n, w), ERR_MALFORMED);
	memcpy(w->notice.keys.stamp, w->notice.keys.tickets[0], 32);
	memset(w->notice.keys.tickets[5], 0, 32);
	write_notice(w);
	assert_err(read_notice(&n, w), ERR_MALFORMED);
}

/* A notice of another network, by the same gateway. */
static void
test_another_network(void **state)
{
	struct world *w = *state;
	struct notice n;

	w->n->charter->network_id[0] ^= 1;
	assert_err(read_notice(&n, w), ERR_SIGNATURE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_every_bit_counts, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_keys_that_are_none, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_another_network, set_up, tear_down),
};
TEST_MAIN(tests)
