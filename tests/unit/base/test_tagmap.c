#include "config.h"

#include <string.h>

#include "common/base/tagmap.h"
#include "tests/lib/test.h"

#define UNIVERSE 600
#define MOST 400

struct model {
	bool in[UNIVERSE];
	uint64_t value[UNIVERSE];
	size_t count;
};

static void
tag_of(uint8_t tag[static TAG_BYTES], unsigned i)
{
	memset(tag, 0, TAG_BYTES);
	tag[0] = (uint8_t)(i & 0xff);
	tag[15] = (uint8_t)(i >> 8);
}

static void
try_insert(struct tagmap *m, struct model *o, unsigned i)
{
	uint8_t tag[TAG_BYTES];
	uint64_t value = rng_u64(test_rng());
	bool fresh;

	tag_of(tag, i);
	if (!o->in[i] && o->count == MOST) {
		assert_err(tagmap_insert(m, &fresh, tag, value), ERR_FULL);
		return;
	}
	assert_err_ok(tagmap_insert(m, &fresh, tag, value));
	assert_true(fresh == !o->in[i]);
	if (fresh) {
		o->in[i] = true;
		o->value[i] = value;
		o->count++;
	}
}

static void
try_remove(struct tagmap *m, struct model *o, unsigned i)
{
	uint8_t tag[TAG_BYTES];

	tag_of(tag, i);
	assert_true(tagmap_remove(m, tag) == o->in[i]);
	o->count -= o->in[i];
	o->in[i] = false;
}

static void
check_all(const struct tagmap *m, const struct model *o)
{
	uint8_t tag[TAG_BYTES];
	uint64_t value;

	assert_int_equal(tagmap_count(m), o->count);
	for (unsigned i = 0; i < UNIVERSE; i++) {
		tag_of(tag, i);
		assert_true(tagmap_find(m, &value, tag) == o->in[i]);
		assert_true(tagmap_find(m, NULL, tag) == o->in[i]);
		if (o->in[i])
			assert_true(value == o->value[i]);
	}
}

/* Phases that mostly fill and mostly empty, through growth and the bound. */
static void
test_against_model(void **state)
{
	struct tagmap *m = tagmap_new(test_rng(), MOST);
	struct model o = {0};

	(void)state;
	assert_non_null(m);
	for (unsigned phase = 0; phase < 40; phase++) {
		uint32_t inserts = 1 + rng_below(test_rng(), 9);

		for (unsigned step = 0; step < 500; step++) {
			unsigned i = rng_below(test_rng(), UNIVERSE);

			if (rng_below(test_rng(), 10) < inserts)
				try_insert(m, &o, i);
			else
				try_remove(m, &o, i);
		}
		check_all(m, &o);
	}
	tagmap_free(m);
}

static void
test_present_tag_keeps_its_value(void **state)
{
	static const uint8_t tag[TAG_BYTES] = {1};
	struct tagmap *m = tagmap_new(test_rng(), 1);
	uint64_t value = 0;
	bool fresh = false;

	(void)state;
	assert_err_ok(tagmap_insert(m, &fresh, tag, 5));
	assert_true(fresh);
	assert_err_ok(tagmap_insert(m, &fresh, tag, 6)); /* also when it is full */
	assert_false(fresh);
	assert_true(tagmap_find(m, &value, tag));
	assert_int_equal(value, 5);
	tagmap_free(m);
}

static void
test_full(void **state)
{
	static const uint8_t one[TAG_BYTES] = {1}, two[TAG_BYTES] = {2};
	struct tagmap *m = tagmap_new(test_rng(), 1), *none = tagmap_new(test_rng(), 0);
	bool fresh = true;

	(void)state;
	assert_err(tagmap_insert(none, &fresh, one, 0), ERR_FULL);
	assert_err_ok(tagmap_insert(m, &fresh, one, 0));
	assert_err(tagmap_insert(m, &fresh, two, 0), ERR_FULL);
	assert_false(tagmap_find(m, NULL, two));
	assert_true(tagmap_remove(m, one));
	assert_err_ok(tagmap_insert(m, &fresh, two, 0));
	assert_true(tagmap_find(m, NULL, two));
	tagmap_free(m);
	tagmap_free(none);
	tagmap_free(NULL);
}

/* As large as an epoch's replay set may become. */
static void
test_many(void **state)
{
	enum { N = 200000 };
	struct tagmap *m = tagmap_new(test_rng(), N);
	struct rng_seeded s;
	uint8_t tag[TAG_BYTES];
	bool fresh;

	(void)state;
	rng_seeded_init(&s, test_seed());
	for (uint64_t i = 0; i < N; i++) {
		rng_bytes(&s.rng, tag, TAG_BYTES);
		assert_err_ok(tagmap_insert(m, &fresh, tag, i));
		assert_true(fresh);
	}
	rng_seeded_init(&s, test_seed());
	for (uint64_t i = 0; i < N; i++) {
		uint64_t value = 0;

		rng_bytes(&s.rng, tag, TAG_BYTES);
		assert_true(tagmap_find(m, &value, tag));
		assert_true(value == i);
		if (i % 2 == 0)
			assert_true(tagmap_remove(m, tag));
	}
	assert_int_equal(tagmap_count(m), N / 2);
	tagmap_free(m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_against_model),
    cmocka_unit_test(test_present_tag_keeps_its_value),
    cmocka_unit_test(test_full),
    cmocka_unit_test(test_many),
};
TEST_MAIN(tests)
