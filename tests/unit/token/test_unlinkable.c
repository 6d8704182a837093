/*
 * What the bytes of issuance and redemption tell of each other. Registrar and gateway put
 * together all that they have: every member's blinded and evaluated elements in their order,
 * the keys, the secret ones too, and every redeemed nonce and output in its order. For each
 * redeemed token a strategy names the element that it takes it to come of, and so a member.
 * Times: tests/scenario/test_tickets.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/token/issuance.h"
#include "common/token/wallet.h"
#include "evaluation/metrics.h"
#include "tests/lib/test.h"

#define MEMBERS 48
#define EPOCH 83124
#define STAMPS 64 /* one batch */
#define ISSUED (MEMBERS * STAMPS)
#define LEAST 20 /* of a member are redeemed, and at most LEAST + SPREAD */
#define SPREAD 21
#define ALPHA 0.01
#define ALPHA_FAIL 2e-7 /* of both sides */

/* Clients that do it wrong, for control. */
enum client {
	HONEST,
	NO_BLINDS,    /* elements go out as they are hashed */
	KNOWN_BLINDS, /* all members have the published code's blind */
	WHEN_NEEDED,  /* fetches just before it spends */
};

struct issued {
	uint8_t blinded[32], evaluated[32];
};
struct redeemed {
	unsigned member;
	uint8_t nonce[32], output[64];
	uint8_t point[32];  /* the nonce hashed to the group, */
	uint8_t signed_[32]; /* and times the secret key */
};

struct scene {
	struct params p;
	struct issuer *issuer;
	struct issued issued[ISSUED]; /* member after member, by index */
	struct redeemed redeemed[ISSUED];
	size_t count;
};

static const uint8_t one[32] = { 1 }, known[32] = { 42 };

/* ---- what happens ---- */

/* As a client that does not blind, or blinds with what everybody knows. */
static void
ask_badly(struct issuance_request *q, const uint8_t seed[static 32], const uint8_t blind[static 32])
{
	uint8_t nonce[32], unused[32];

	for (size_t i = 0; i < STAMPS; i++) {
		const struct token_place at = { .epoch = EPOCH, .kind = TOKEN_STAMP, .index = (uint8_t)i };

		assert_err_ok(token_derive(nonce, unused, seed, &at));
		assert_err_ok(voprf_blind(q->blinded[i], nonce, sizeof(nonce), blind));
	}
}

static void
redeem(struct scene *k, unsigned member, const struct wallet_token *t)
{
	struct redeemed *r = &k->redeemed[k->count++];

	r->member = member;
	memcpy(r->nonce, t->nonce, sizeof(r->nonce));
	memcpy(r->output, t->output, sizeof(r->output));
	assert_err_ok(voprf_blind(r->point, r->nonce, sizeof(r->nonce), one));
	assert_int_equal(crypto_scalarmult_ristretto255(r->signed_, issuer_stamp_key(k->issuer)->sk,
	    r->point), 0);
}

static struct wallet *
fetch(struct scene *k, unsigned member, enum client client)
{
	static struct issuance_request q;
	static struct issuance_answer a;
	static struct issuance_batch b;
	static const uint8_t notice[32] = { 3 };
	uint8_t seed[32], code[32] = { 7, (uint8_t)member };
	struct wallet *w;

	rng_bytes(test_rng(), seed, sizeof(seed));
	w = wallet_new(code, seed);
	assert_non_null(w);
	q = (struct issuance_request){ .kind = TOKEN_STAMP, .epoch = EPOCH };
	assert_err_ok(issuance_ask(&q, &k->p, code, seed));
	if (client == NO_BLINDS || client == KNOWN_BLINDS)
		ask_badly(&q, seed, client == NO_BLINDS ? one : known);
	issuance_serve(&a, k->issuer, &q, &k->p, test_rng());
	assert_int_equal(a.status, ISSUANCE_OK);
	for (size_t i = 0; i < STAMPS; i++) {
		memcpy(k->issued[member * STAMPS + i].blinded, q.blinded[i], 32);
		memcpy(k->issued[member * STAMPS + i].evaluated, a.evaluated[i], 32);
	}
	if (client == NO_BLINDS || client == KNOWN_BLINDS) {
		b.n = STAMPS; /* its tokens are as good as any: an output has nothing of the blind */
		for (size_t i = 0; i < STAMPS; i++) {
			const struct token_place at = { .epoch = EPOCH, .kind = TOKEN_STAMP,
				.index = (uint8_t)i };
			uint8_t unused[32];

			assert_err_ok(token_derive(b.nonce[i], unused, seed, &at));
			assert_err_ok(voprf_output(b.output[i], issuer_stamp_key(k->issuer), b.nonce[i],
			    32));
		}
	} else {
		assert_err_ok(issuance_take(&b, &q, &a, issuer_keys(k->issuer), &k->p, seed));
	}
	assert_err_ok(wallet_put(w, &k->p, &q, &b, notice));
	return w;
}

/* Members fetch one after the other, and spend in turns as it happens, in their wallets' order. */
static void
live(struct scene *k, enum client client)
{
	struct wallet *w[MEMBERS];
	unsigned left[MEMBERS], all = 0;
	struct wallet_token t;

	for (unsigned m = 0; m < MEMBERS; m++) {
		w[m] = fetch(k, m, client);
		left[m] = LEAST + rng_below(test_rng(), SPREAD);
		all += left[m];
	}
	for (unsigned next = 0; all > 0; all--) {
		unsigned m = client == WHEN_NEEDED ? next : rng_below(test_rng(), MEMBERS);

		while (left[m] == 0)
			m = next = (m + 1) % MEMBERS;
		assert_err_ok(wallet_take(w[m], &t, TOKEN_STAMP, EPOCH, 0));
		redeem(k, m, &t);
		left[m]--;
	}
	for (unsigned m = 0; m < MEMBERS; m++)
		wallet_free(w[m]);
}

static struct scene *
scene_new(enum client client)
{
	struct scene *k = calloc(1, sizeof(*k));
	uint8_t seed[32];

	assert_non_null(k);
	params_default(&k->p);
	k->p.stamps = STAMPS;
	rng_bytes(test_rng(), seed, sizeof(seed));
	assert_err_ok(issuer_new(&k->issuer, &k->p, EPOCH, seed));
	live(k, client);
	return k;
}

static void
scene_free(struct scene *k)
{
	issuer_free(k->issuer);
	free(k);
}

/* ---- strategies: the more, the likelier that r comes of i ---- */

static int
bits_alike(const uint8_t *a, const uint8_t *b, size_t n)
{
	int alike = 0;

	for (size_t i = 0; i < n; i++)
		alike += 8 - __builtin_popcount(a[i] ^ b[i]);
	return alike;
}

static int
bytes_first(const uint8_t *a, const uint8_t *b)
{
	int n = 0;

	while (n < 32 && a[n] == b[n])
		n++;
	return n;
}

static int
nonce_and_blinded(const struct issued *i, const struct redeemed *r)
{
	return bits_alike(r->nonce, i->blinded, 32);
}

static int
output_and_evaluated(const struct issued *i, const struct redeemed *r)
{
	return bits_alike(r->output, i->evaluated, 32);
}

static int
point_and_blinded(const struct issued *i, const struct redeemed *r)
{
	return bits_alike(r->point, i->blinded, 32);
}

static int
signed_and_evaluated(const struct issued *i, const struct redeemed *r)
{
	return bits_alike(r->signed_, i->evaluated, 32);
}

static int
beginnings(const struct issued *i, const struct redeemed *r)
{
	return bytes_first(r->point, i->blinded) + bytes_first(r->signed_, i->evaluated) +
	    bytes_first(r->nonce, i->blinded) + bytes_first(r->output, i->evaluated);
}

static const struct guess {
	const char *name;
	int (*score)(const struct issued *i, const struct redeemed *r);
} strategies[] = {
	{ "nonce like blinded", nonce_and_blinded },
	{ "output like evaluated", output_and_evaluated },
	{ "hashed nonce like blinded", point_and_blinded },
	{ "its evaluation like evaluated", signed_and_evaluated },
	{ "equal beginnings", beginnings },
};
#define STRATEGIES (sizeof(strategies) / sizeof(strategies[0]))

static unsigned
name_by(const struct scene *k, const struct guess *s, const struct redeemed *r)
{
	size_t from = rng_below(test_rng(), ISSUED), best = from;
	int most = -1;

	for (size_t n = 0; n < ISSUED; n++) {
		size_t i = (from + n) % ISSUED;
		int score = s->score(&k->issued[i], r);

		if (score > most) {
			most = score;
			best = i;
		}
	}
	return (unsigned)(best / STAMPS);
}

static unsigned
found_by(const struct scene *k, const struct guess *s)
{
	unsigned found = 0;

	for (size_t i = 0; i < k->count; i++)
		found += name_by(k, s, &k->redeemed[i]) == k->redeemed[i].member;
	return found;
}

static const uint8_t guessed[] = { 1, 2, 3, 4, 5, 7, 42 };
#define GUESSES sizeof(guessed)

/* Whether an element is the nonce's times a blind that somebody might have used. */
static unsigned
found_by_guessed_blinds(const struct scene *k)
{
	unsigned found = 0;

	for (size_t n = 0; n < k->count; n++) {
		const struct redeemed *r = &k->redeemed[n];
		unsigned named = rng_below(test_rng(), MEMBERS);
		uint8_t guess[GUESSES][32];

		for (size_t b = 0; b < GUESSES; b++) {
			const uint8_t blind[32] = { guessed[b] };

			assert_int_equal(crypto_scalarmult_ristretto255(guess[b], blind, r->point), 0);
		}
		for (size_t i = 0; i < ISSUED; i++)
			for (size_t b = 0; b < GUESSES; b++)
				if (memcmp(guess[b], k->issued[i].blinded, 32) == 0)
					named = (unsigned)(i / STAMPS);
		found += named == r->member;
	}
	return found;
}

/* Who fetched first spends first. */
static unsigned
found_by_order(const struct scene *k)
{
	unsigned found = 0;

	for (size_t n = 0; n < k->count; n++)
		found += n * MEMBERS / k->count == k->redeemed[n].member;
	return found;
}

/* The k-th of a batch is the k-th that is spent: of all that are, in the order of indices. */
static unsigned
found_by_index(const struct scene *k)
{
	unsigned found = 0;

	for (size_t n = 0; n < k->count; n++)
		found += n % MEMBERS == k->redeemed[n].member;
	return found;
}

/*
 * The wallet gives its tokens in the order of their indices: whether nonces, hashed nonces
 * or outputs tell which of two was the earlier one of its batch.
 */
static unsigned
ordered_pairs(const struct scene *k, unsigned *pairs)
{
	unsigned found = 0;

	*pairs = 0;
	for (size_t n = 0; n < k->count; n++)
		for (size_t m = n + 1; m < k->count; m++) {
			if (k->redeemed[m].member != k->redeemed[n].member)
				continue;
			++*pairs;
			found += memcmp(k->redeemed[n].nonce, k->redeemed[m].nonce, 32) < 0;
			break;
		}
	return found;
}

/* ---- judging ---- */

static void
judge(const char *name, unsigned found, unsigned tried, double chance, bool control)
{
	double low, high;

	summary_share(&low, &high, found, tried, ALPHA);
	print_message("# %-32s %5u of %5u  %.4f [%.4f, %.4f]  chance %.4f%s\n", name, found, tried,
	    (double)found / tried, low, high, chance, control ? "  (control)" : "");
	if (control) {
		assert_true(low > chance);
		return;
	}
	summary_share(&low, &high, found, tried, ALPHA_FAIL);
	assert_true(low <= chance);
}

static void
test_bytes_tell_nothing(void **state)
{
	struct scene *k = scene_new(HONEST);
	unsigned n = (unsigned)k->count, pairs, found;

	(void)state;
	for (size_t i = 0; i < STRATEGIES; i++)
		judge(strategies[i].name, found_by(k, &strategies[i]), n, 1.0 / MEMBERS, false);
	judge("guessed blinds", found_by_guessed_blinds(k), n, 1.0 / MEMBERS, false);
	judge("first fetched, first spent", found_by_order(k), n, 1.0 / MEMBERS, false);
	judge("in turns by index", found_by_index(k), n, 1.0 / MEMBERS, false);
	found = ordered_pairs(k, &pairs);
	judge("earlier of a batch by its nonce", found, pairs, 0.5, false);
	scene_free(k);
}

static void
test_controls(void **state)
{
	struct scene *k = scene_new(NO_BLINDS);

	(void)state;
	judge("no blinds: hashed nonce", found_by(k, &strategies[2]), (unsigned)k->count,
	    1.0 / MEMBERS, true);
	judge("no blinds: its evaluation", found_by(k, &strategies[3]), (unsigned)k->count,
	    1.0 / MEMBERS, true);
	scene_free(k);
	k = scene_new(KNOWN_BLINDS);
	judge("known blinds: guessed", found_by_guessed_blinds(k), (unsigned)k->count,
	    1.0 / MEMBERS, true);
	scene_free(k);
	k = scene_new(WHEN_NEEDED);
	judge("fetched when needed: by order", found_by_order(k), (unsigned)k->count, 1.0 / MEMBERS,
	    true);
	scene_free(k);
}

/*
 * Why no strategy can do better: every redeemed token goes with every element. With hashes
 * to the group whose logarithms are known (which nobody has of the real ones) the blind
 * is computed that makes any nonce's point P the blinded element B; unblinded by it, the
 * evaluated element comes out as the very one that the token has.
 */
#define PAIRS 40
static void
test_every_pairing_is_consistent(void **state)
{
	uint8_t h[PAIRS][32], blind[PAIRS][32], key[32], p[PAIRS][32], b[PAIRS][32], z[PAIRS][32];

	(void)state;
	crypto_core_ristretto255_scalar_random(key);
	for (size_t i = 0; i < PAIRS; i++) {
		crypto_core_ristretto255_scalar_random(h[i]);
		crypto_core_ristretto255_scalar_random(blind[i]);
		assert_int_equal(crypto_scalarmult_ristretto255_base(p[i], h[i]), 0);
		assert_int_equal(crypto_scalarmult_ristretto255(b[i], blind[i], p[i]), 0);
		assert_int_equal(crypto_scalarmult_ristretto255(z[i], key, b[i]), 0);
	}
	for (size_t i = 0; i < PAIRS; i++)
		for (size_t j = 0; j < PAIRS; j++) {
			uint8_t other[32], inverse[32], made[32], token[32], unblinded[32];

			assert_int_equal(crypto_core_ristretto255_scalar_invert(inverse, h[j]), 0);
			crypto_core_ristretto255_scalar_mul(other, blind[i], h[i]);
			crypto_core_ristretto255_scalar_mul(other, other, inverse);
			assert_true(voprf_scalar_valid(other));
			assert_int_equal(crypto_scalarmult_ristretto255(made, other, p[j]), 0);
			assert_memory_equal(made, b[i], 32);
			assert_int_equal(crypto_core_ristretto255_scalar_invert(inverse, other), 0);
			assert_int_equal(crypto_scalarmult_ristretto255(unblinded, inverse, z[i]), 0);
			assert_int_equal(crypto_scalarmult_ristretto255(token, key, p[j]), 0);
			assert_memory_equal(unblinded, token, 32);
		}
}

/* What is shown is a function of key and nonce alone: nothing of the issuance is in it. */
static void
test_outputs_have_nothing_of_the_blind(void **state)
{
	struct scene *k = scene_new(HONEST);
	uint8_t output[64];

	(void)state;
	for (size_t i = 0; i < k->count; i++) {
		assert_err_ok(voprf_output(output, issuer_stamp_key(k->issuer), k->redeemed[i].nonce,
		    32));
		assert_memory_equal(output, k->redeemed[i].output, 64);
	}
	scene_free(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_every_pairing_is_consistent),
	cmocka_unit_test(test_outputs_have_nothing_of_the_blind),
	cmocka_unit_test(test_bytes_tell_nothing),
	cmocka_unit_test(test_controls),
};
TEST_MAIN(tests)
