#include "config.h"

#include <math.h>
#include <string.h>

#include "tests/lib/test.h"

/* Values by hand, so that a test sees exactly which draws are thrown away. */
struct script {
	struct rng rng;
	const uint64_t *values;
	size_t used;
};

static void
script_fill(void *ctx, void *out, size_t n)
{
	struct script *s = ctx;

	assert_int_equal(n, 8);
	for (size_t i = 0; i < 8; i++)
		((uint8_t *)out)[i] = (uint8_t)(s->values[s->used] >> (8 * i));
	s->used++;
}

/*
 * Chi-square of counts against equal expectations, as a normal deviate (Wilson
 * and Hilferty). A limit of 5 is passed wrongly once in 3.5 million runs.
 */
static double
deviate(const unsigned *count, size_t cells, unsigned draws)
{
	double expected = (double)draws / (double)cells, chi = 0;
	double k = (double)cells - 1;

	for (size_t i = 0; i < cells; i++)
		chi += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
	return (cbrt(chi / k) - (1 - 2 / (9 * k))) / sqrt(2 / (9 * k));
}

static void
test_same_seed_same_stream(void **state)
{
	struct rng_seeded a, b, c;
	uint8_t x[100], y[100], z[100];

	(void)state;
	rng_seeded_init(&a, 7);
	rng_seeded_init(&b, 7);
	rng_seeded_init(&c, 8);
	for (int i = 0; i < 3; i++) {
		rng_bytes(&a.rng, x, sizeof(x));
		rng_bytes(&b.rng, y, sizeof(y));
		rng_bytes(&c.rng, z, sizeof(z));
		assert_memory_equal(x, y, sizeof(x));
		assert_memory_not_equal(x, z, sizeof(x));
	}
}

/* A simulation must give the same numbers on another machine, too. */
static void
test_stream_is_chacha20(void **state)
{
	static const uint8_t zero_key_block[8] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90};
	struct rng_seeded s;
	uint8_t out[8];

	(void)state;
	rng_seeded_init(&s, 0);
	rng_bytes(&s.rng, out, sizeof(out));
	assert_memory_equal(out, zero_key_block, sizeof(out));
	rng_seeded_init(&s, 0);
	assert_true(rng_u64(&s.rng) == 0x903df1a0ade0b876);
	assert_int_equal(s.counter, 1);
}

static void
test_below_rejects_the_uneven_rest(void **state)
{
	/* 2^64 = 1 modulo 3, so that 0 alone is drawn again */
	static const uint64_t values[] = {0, 1, UINT64_MAX, 5};
	struct script s = {{script_fill, NULL}, values, 0};

	(void)state;
	s.rng.ctx = &s;
	assert_int_equal(rng_below(&s.rng, 3), 1);
	assert_int_equal(s.used, 2);
	assert_int_equal(rng_below(&s.rng, 3), 0);
	assert_int_equal(rng_below(&s.rng, 1), 0);
	assert_int_equal(s.used, 4);
}

static void
test_below_is_even(void **state)
{
	static const uint32_t bounds[] = {2, 3, 7, 10, 100, 1000};
	unsigned count[1000];

	(void)state;
	for (size_t b = 0; b < sizeof(bounds) / sizeof(bounds[0]); b++) {
		unsigned draws = 100 * bounds[b] + 10000;

		memset(count, 0, sizeof(count));
		for (unsigned i = 0; i < draws; i++) {
			uint32_t v = rng_below(test_rng(), bounds[b]);

			assert_true(v < bounds[b]);
			count[v]++;
		}
		assert_true(fabs(deviate(count, bounds[b], draws)) < 5.5);
	}
}

static void
test_between(void **state)
{
	unsigned count[5] = {0};

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		int64_t v = rng_between(test_rng(), -2, 2);

		assert_true(v >= -2 && v <= 2);
		count[v + 2]++;
	}
	assert_true(fabs(deviate(count, 5, 50000)) < 5.5);
	assert_true(rng_between(test_rng(), INT64_MAX, INT64_MAX) == INT64_MAX);
	assert_true(rng_between(test_rng(), INT64_MIN, INT64_MIN) == INT64_MIN);
	(void)rng_between(test_rng(), INT64_MIN, INT64_MAX);
	assert_true(rng_between(test_rng(), INT64_MIN, -1) < 0);
}

/* All 24 orders of 4 elements, and where each of many elements goes. */
static void
test_shuffle_is_even(void **state)
{
	unsigned count[256] = {0}, order[24], place[20] = {0};
	uint8_t p[4], many[20];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 48000; i++) {
		memcpy(p, "\0\1\2\3", 4);
		rng_shuffle(test_rng(), p, 4, 1);
		count[p[0] << 6 | p[1] << 4 | p[2] << 2 | p[3]]++;
	}
	for (size_t i = 0; i < 256; i++)
		if (count[i] > 0) {
			assert_true(n < 24);
			order[n++] = count[i];
		}
	assert_int_equal(n, 24);
	assert_true(fabs(deviate(order, 24, 48000)) < 5.5);
	for (unsigned i = 0; i < 20000; i++) {
		for (uint8_t j = 0; j < 20; j++)
			many[j] = j;
		rng_shuffle(test_rng(), many, 20, 1);
		place[(const uint8_t *)memchr(many, 7, 20) - many]++;
	}
	assert_true(fabs(deviate(place, 20, 20000)) < 5.5);
}

static void
test_shuffle_keeps_elements_whole(void **state)
{
	enum { SIZE = 1021, N = 30 };
	static uint8_t all[N][SIZE];
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		memset(all[i], (int)i, SIZE);
	rng_shuffle(test_rng(), all, N, SIZE);
	for (unsigned i = 0; i < N; i++) {
		for (size_t j = 1; j < SIZE; j++)
			assert_int_equal(all[i][j], all[i][0]);
		seen |= 1U << all[i][0];
	}
	assert_true(seen == (1U << N) - 1);
	rng_shuffle(test_rng(), NULL, 0, 4);
	rng_shuffle(test_rng(), all, 1, SIZE);
}

static void
test_unit_is_uniform(void **state)
{
	static const uint64_t ends[] = {0, UINT64_MAX};
	struct script s = {{script_fill, NULL}, ends, 0};
	unsigned count[10] = {0};
	double sum = 0;

	(void)state;
	s.rng.ctx = &s;
	assert_true(rng_unit(&s.rng) == 0.0);
	assert_true(rng_unit(&s.rng) < 1.0);
	for (unsigned i = 0; i < 100000; i++) {
		double x = rng_unit(test_rng());

		assert_true(x >= 0 && x < 1);
		sum += x;
		count[(unsigned)(10 * x)]++;
	}
	assert_true(fabs(sum / 100000 - 0.5) < 0.0055); /* 6 standard errors */
	assert_true(fabs(deviate(count, 10, 100000)) < 5.5);
}

static void
test_system_source(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	rng_bytes(rng_system(), a, sizeof(a));
	rng_bytes(rng_system(), b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	rng_bytes(rng_system(), NULL, 0);
}

static void
test_chance(void **state)
{
	unsigned hits = 0;

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		hits += rng_chance(test_rng(), 3, 10);
		assert_false(rng_chance(test_rng(), 0, 7));
		assert_true(rng_chance(test_rng(), 7, 7));
	}
	assert_true(fabs(hits - 9000.0) < 6.2 * sqrt(30000 * 0.21));
}

/* Descending runs: (9, 9) has one member, (9, 5, 5) two, (9, 5, 4, 7) three. */
static void
test_exponential_ms_by_hand(void **state)
{
	const uint64_t half = UINT64_C(1) << 63;
	const uint64_t values[] = {
		half, half,	     /* 0.5 */
		9, 5, 5, half, half, /* 1.5 */
		half, 5, 4, 7,	     /* 0.5 */
		9, 5, 5, 7, 5, 6, half, UINT64_MAX, /* 2.5: too long */
		UINT64_MAX, UINT64_MAX,		    /* just below 1 */
	};
	struct script s = {{script_fill, NULL}, values, 0};

	(void)state;
	s.rng.ctx = &s;
	assert_int_equal(rng_exponential_ms(&s.rng, 1000, 2000), 500);
	assert_int_equal(rng_exponential_ms(&s.rng, 1000, 2000), 1500);
	assert_int_equal(rng_exponential_ms(&s.rng, 1000, 2000), 500);
	assert_int_equal(rng_exponential_ms(&s.rng, 1000, 2000), 999);
	assert_int_equal(s.used, sizeof(values) / sizeof(values[0]));
	s.used = 0;
	assert_int_equal(rng_exponential_ms(&s.rng, UINT32_MAX, UINT32_MAX), UINT32_MAX / 2);
}

/* The same on every machine; the values are another implementation's. */
static void
test_exponential_ms_repeats_everywhere(void **state)
{
	static const uint32_t want[] = {5137, 2650, 661, 1113, 354, 1710, 593, 1023};
	struct rng_seeded s;

	(void)state;
	rng_seeded_init(&s, 1);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(rng_exponential_ms(&s.rng, 2000, 32000), want[i]);
}

/*
 * Mean, variance and Kolmogorov's distance to the geometric law that whole
 * milliseconds have, at limits that are passed wrongly once in 10^9 runs.
 */
static void
check_exponential(uint32_t mean_ms)
{
	enum { DRAWS = 200000, CELLS = 4096 };
	static unsigned count[CELLS];
	double q = exp(-1.0 / mean_ms), mean = q / (1 - q), variance = q / ((1 - q) * (1 - q));
	double sum = 0, squares = 0, below = 0, distance = 0;

	memset(count, 0, sizeof(count));
	for (unsigned i = 0; i < DRAWS; i++) {
		uint32_t v = rng_exponential_ms(test_rng(), mean_ms, UINT32_MAX);

		sum += v;
		squares += (v - mean) * (v - mean);
		count[v < CELLS ? v : CELLS - 1]++;
	}
	for (unsigned v = 0; v + 1 < CELLS; v++) {
		below += (double)count[v] / DRAWS;
		distance = fmax(distance, fabs(below - (1 - pow(q, v + 1))));
	}
	assert_true(fabs(sum / DRAWS - mean) < 6.2 * sqrt(variance / DRAWS));
	/* the fourth moment of an exponential law is 9 variances squared */
	assert_true(fabs(squares / DRAWS - variance) < 6.2 * (variance + mean + 1) * sqrt(9.0 / DRAWS));
	assert_true(distance < 3.28 / sqrt(DRAWS));
}

static void
test_exponential_ms_has_its_law(void **state)
{
	(void)state;
	check_exponential(1);
	check_exponential(7);
	check_exponential(500);
	check_exponential(3600000);
}

/* Cut off at the mean: uniform it is not, and no draw is clamped. */
static void
test_exponential_ms_above_the_most_is_drawn_again(void **state)
{
	unsigned count[11] = {0}, draws = 200000;
	double q = exp(-0.1), chi = 0;

	(void)state;
	for (unsigned i = 0; i < draws; i++) {
		uint32_t v = rng_exponential_ms(test_rng(), 10, 10);

		assert_true(v <= 10);
		count[v]++;
	}
	for (unsigned v = 0; v <= 10; v++) {
		double expected = draws * (1 - q) * pow(q, v) / (1 - pow(q, 11));

		chi += pow(count[v] - expected, 2) / expected;
	}
	assert_true(chi < 64); /* ten degrees of freedom: once in 10^9 */
}

/* The same draws as with a greatest value, and for times that do not fit into 32 bits. */
static void
test_exponential_long(void **state)
{
	const uint64_t half = UINT64_C(1) << 63;
	const uint64_t values[] = { half, half, 9, 5, 5, half, half, UINT64_MAX, UINT64_MAX };
	const int64_t mean = INT64_C(1) << 40;
	struct script s = {{script_fill, NULL}, values, 0};
	struct rng_seeded a, b;

	(void)state;
	s.rng.ctx = &s;
	assert_true(rng_exponential_long(&s.rng, mean) == mean / 2);
	assert_true(rng_exponential_long(&s.rng, mean) == mean + mean / 2);
	assert_true(rng_exponential_long(&s.rng, mean) >= mean - 2);
	rng_seeded_init(&a, test_seed());
	rng_seeded_init(&b, test_seed());
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rng_exponential_long(&a.rng, 60000),
		    rng_exponential_ms(&b.rng, 60000, UINT32_MAX));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_same_seed_same_stream),
    cmocka_unit_test(test_stream_is_chacha20),
    cmocka_unit_test(test_below_rejects_the_uneven_rest),
    cmocka_unit_test(test_below_is_even),
    cmocka_unit_test(test_between),
    cmocka_unit_test(test_shuffle_is_even),
    cmocka_unit_test(test_shuffle_keeps_elements_whole),
    cmocka_unit_test(test_unit_is_uniform),
    cmocka_unit_test(test_system_source),
    cmocka_unit_test(test_chance),
    cmocka_unit_test(test_exponential_ms_by_hand),
    cmocka_unit_test(test_exponential_ms_repeats_everywhere),
    cmocka_unit_test(test_exponential_ms_has_its_law),
    cmocka_unit_test(test_exponential_ms_above_the_most_is_drawn_again),
    cmocka_unit_test(test_exponential_long),
};
TEST_MAIN(tests)
