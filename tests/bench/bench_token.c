/*
 * What a token costs each party: blinded and verified + unblinded by the client,
 * issued by the registrar, redeemed by the gateway; per token, in batches of 128 under
 * one proof, beside one multiplication in ristretto255.
 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/voprf.h"
#include "tests/bench/bench.h"

#define N VOPRF_BATCH_MAX

struct ground {
	struct voprf_key key;
	uint8_t nonce[N][32], blinds[N][32], r[32];
	uint8_t blinded[N][32], evaluated[N][32], unblinded[N][32], proof[VOPRF_PROOF_BYTES];
};

static void
random_scalar(uint8_t out[static 32])
{
	uint8_t wide[VOPRF_WIDE_BYTES];

	rng_bytes(rng_system(), wide, sizeof(wide));
	bench_must(voprf_scalar(out, wide) == ERR_OK, "no scalar");
}

static const uint8_t (*view(const uint8_t a[][32]))[32]
{
	return (const uint8_t (*)[32])a;
}

static void
blind(struct ground *g)
{
	for (size_t i = 0; i < N; i++)
		bench_must(voprf_blind(g->blinded[i], g->nonce[i], 32, g->blinds[i]) == ERR_OK,
		    "not blinded");
}

static void
issue(struct ground *g)
{
	bench_must(voprf_evaluate(g->evaluated, g->proof, &g->key, view(g->blinded), N, g->r) ==
	    ERR_OK, "not issued");
}

static void
unblind(struct ground *g)
{
	const struct voprf_batch b = { N, view(g->blinds), view(g->blinded), view(g->evaluated) };
	uint8_t out[VOPRF_OUTPUT_BYTES];

	bench_must(voprf_unblind(g->unblinded, &b, g->key.pk, g->proof) == ERR_OK, "no proof");
	for (size_t i = 0; i < N; i++)
		voprf_finalize(out, g->nonce[i], 32, g->unblinded[i]);
}

static void
redeem(struct ground *g)
{
	uint8_t out[VOPRF_OUTPUT_BYTES];

	for (size_t i = 0; i < N; i++)
		bench_must(voprf_output(out, &g->key, g->nonce[i], 32) == ERR_OK, "not redeemed");
}

static void
multiply(struct ground *g)
{
	uint8_t out[32];

	for (size_t i = 0; i < N; i++)
		bench_must(crypto_scalarmult_ristretto255(out, g->blinds[i], g->key.pk) == 0,
		    "not multiplied");
}

static double
rate(struct ground *g, void (*what)(struct ground *))
{
	double start = bench_thread_s();

	what(g);
	return N / (bench_thread_s() - start);
}

static void
ground_init(struct ground *g)
{
	uint8_t seed[VOPRF_SEED_BYTES];

	rng_bytes(rng_system(), seed, sizeof(seed));
	bench_must(voprf_derive_key(&g->key, seed, "bench", 5) == ERR_OK, "no key");
	random_scalar(g->r);
	rng_bytes(rng_system(), g->nonce, sizeof(g->nonce));
	for (size_t i = 0; i < N; i++)
		random_scalar(g->blinds[i]);
	blind(g);
	issue(g);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct ground *);
	} benches[] = { { "token_blind", blind }, { "token_issue", issue },
		{ "token_unblind", unblind }, { "token_redeem", redeem } };
	static struct ground g;

	bench_begin();
	ground_init(&g);
	bench_pin(0);
	for (size_t b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
		static struct bench_result r;

		if (!bench_wanted(argc, argv, benches[b].name))
			continue;
		r = (struct bench_result){ .name = benches[b].name, .unit = "tokens/s",
			.floor = "ristretto255", .rounds = BENCH_ROUNDS };
		for (size_t i = 0; i < BENCH_ROUNDS; i++) {
			r.floor_value[i] = rate(&g, multiply);
			r.value[i] = rate(&g, benches[b].run);
		}
		bench_report(&r);
	}
	return 0;
}
