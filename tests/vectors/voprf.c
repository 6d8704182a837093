#include "config.h"

#include "common/crypto/voprf.h"

#include <string.h>

#include "common/base/rng.h"
#include "tests/vectors/vectors.h"

#define TOKENS_MAX 8
#define INPUT_MAX 64

struct token {
	uint8_t input[INPUT_MAX];
	size_t len;
	uint8_t output[VOPRF_OUTPUT_BYTES];
};

struct voprf_case {
	uint8_t seed[VOPRF_SEED_BYTES], info[INPUT_MAX], r[32], pk[32];
	size_t info_len, n;
	struct token tokens[TOKENS_MAX];
	uint8_t blinds[TOKENS_MAX][32], blinded[TOKENS_MAX][32], evaluated[TOKENS_MAX][32];
	uint8_t proof[VOPRF_PROOF_BYTES];
};

static void
read_case(struct vectors *v, struct voprf_case *c)
{
	memset(c, 0, sizeof(*c));
	vectors_bytes(v, c->seed, sizeof(c->seed), "seed");
	c->info_len = vectors_string(v, c->info, sizeof(c->info), "info");
	vectors_bytes(v, c->r, sizeof(c->r), "random");
	vectors_bytes(v, c->pk, sizeof(c->pk), "public");
	c->n = (size_t)vectors_u64(v, "tokens", TOKENS_MAX);
	for (size_t i = 0; i < c->n; i++) {
		struct token *t = &c->tokens[i];

		t->len = vectors_string(v, t->input, sizeof(t->input), "input");
		vectors_bytes(v, c->blinds[i], 32, "blind");
		vectors_bytes(v, c->blinded[i], 32, "blinded");
		vectors_bytes(v, c->evaluated[i], 32, "evaluated");
		vectors_bytes(v, t->output, sizeof(t->output), "output");
	}
	vectors_bytes(v, c->proof, sizeof(c->proof), "proof");
}

static void
write_case(const char *text, const struct voprf_case *c)
{
	vectors_put_case(text);
	vectors_put_bytes("seed", c->seed, sizeof(c->seed));
	vectors_put_bytes("info", c->info, c->info_len);
	vectors_put_bytes("random", c->r, sizeof(c->r));
	vectors_put_bytes("public", c->pk, sizeof(c->pk));
	vectors_put_u64("tokens", c->n);
	for (size_t i = 0; i < c->n; i++) {
		const struct token *t = &c->tokens[i];

		vectors_put_bytes("input", t->input, t->len);
		vectors_put_bytes("blind", c->blinds[i], 32);
		vectors_put_bytes("blinded", c->blinded[i], 32);
		vectors_put_bytes("evaluated", c->evaluated[i], 32);
		vectors_put_bytes("output", t->output, sizeof(t->output));
	}
	vectors_put_bytes("proof", c->proof, sizeof(c->proof));
}

/* Everything from seed, info, random, inputs and blinds; both ways to each output. */
static bool
go_through(struct voprf_case *c)
{
	uint8_t unblinded[TOKENS_MAX][32], output[VOPRF_OUTPUT_BYTES];
	const struct voprf_batch b = { .n = c->n, .blinds = (const uint8_t (*)[32])c->blinds,
		.blinded = (const uint8_t (*)[32])c->blinded,
		.evaluated = (const uint8_t (*)[32])c->evaluated };
	struct voprf_key k;
	bool ok = voprf_derive_key(&k, c->seed, c->info, c->info_len) == ERR_OK;

	memcpy(c->pk, k.pk, sizeof(c->pk));
	for (size_t i = 0; ok && i < c->n; i++)
		ok = voprf_blind(c->blinded[i], c->tokens[i].input, c->tokens[i].len,
		    c->blinds[i]) == ERR_OK;
	ok = ok && voprf_evaluate(c->evaluated, c->proof, &k, b.blinded, c->n, c->r) == ERR_OK &&
	    voprf_unblind(unblinded, &b, k.pk, c->proof) == ERR_OK;
	for (size_t i = 0; ok && i < c->n; i++) {
		struct token *t = &c->tokens[i];

		voprf_finalize(t->output, t->input, t->len, unblinded[i]);
		ok = voprf_output(output, &k, t->input, t->len) == ERR_OK &&
		    memcmp(output, t->output, sizeof(output)) == 0; /* public */
	}
	return ok;
}

void
voprf_vectors_check(struct vectors *v)
{
	static struct voprf_case c, ours;
	size_t count = 0;

	while (vectors_more(v)) {
		read_case(v, &c);
		ours = c;
		vectors_must(v, go_through(&ours), "not gone through");
		vectors_same(v, ours.pk, c.pk, sizeof(c.pk), "the public key");
		vectors_same(v, ours.blinded, c.blinded, sizeof(c.blinded), "the elements");
		vectors_same(v, ours.evaluated, c.evaluated, sizeof(c.evaluated), "the results");
		vectors_same(v, ours.proof, c.proof, sizeof(c.proof), "the proof");
		for (size_t i = 0; i < c.n; i++)
			vectors_same(v, ours.tokens[i].output, c.tokens[i].output,
			    VOPRF_OUTPUT_BYTES, "an output");
		count++;
	}
	vectors_must(v, count > 0, "no case");
}

/* ---- making ---- */

static bool
random_scalar(uint8_t out[static 32], const struct rng *r)
{
	uint8_t wide[VOPRF_WIDE_BYTES];

	rng_bytes(r, wide, sizeof(wide));
	return voprf_scalar(out, wide) == ERR_OK;
}

static void
make_case(const char *text, const struct rng *r, size_t n, size_t info_len)
{
	static struct voprf_case c;
	bool ok;

	memset(&c, 0, sizeof(c));
	c.n = n;
	c.info_len = info_len;
	rng_bytes(r, c.seed, sizeof(c.seed));
	rng_bytes(r, c.info, info_len);
	ok = random_scalar(c.r, r);
	for (size_t i = 0; ok && i < n; i++) {
		c.tokens[i].len = rng_below(r, INPUT_MAX + 1);
		rng_bytes(r, c.tokens[i].input, c.tokens[i].len);
		ok = random_scalar(c.blinds[i], r);
	}
	if (ok && go_through(&c))
		write_case(text, &c);
}

void
voprf_vectors_make(void)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 9497);
	make_case("one token", &r.rng, 1, 0);
	make_case("three under one proof", &r.rng, 3, 8);
	make_case("eight", &r.rng, TOKENS_MAX, INPUT_MAX);
}
