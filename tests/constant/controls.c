#include "config.h"

#include "tests/constant/controls.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/crypto/onion.h"
#include "tests/constant/marked.h"

#define N 32

/* What a control comes to; volatile, so that the compiler computes it. */
static volatile unsigned outcome;

static void
secret(uint8_t out[static N])
{
	rng_bytes(secret_rng(), out, N);
}

void
control_compare(void)
{
	uint8_t key[N], guess[N] = { 0 };

	secret(key);
	outcome = memcmp(key, guess, N) == 0;
}

static bool __attribute__((noinline))
equal_early(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

void
control_loop(void)
{
	uint8_t key[N], guess[N] = { 0 };

	secret(key);
	outcome = equal_early(key, guess, N);
}

void
control_table(void)
{
	static const uint8_t squares[16] = { 0, 1, 4, 9, 0, 9, 4, 1, 0, 1, 4, 9, 0, 9, 4, 1 };
	uint8_t key[N];

	secret(key);
	outcome = squares[key[0] & 15];
}

static unsigned __attribute__((noinline))
slow(unsigned x)
{
	for (unsigned i = 0; i < 100; i++)
		outcome = x + i;
	return x;
}

void
control_branch(void)
{
	uint8_t key[N];

	secret(key);
	if ((key[0] & 1) != 0)
		outcome = slow(1);
}

void
control_early(void)
{
	static const struct onion_geometry g = { .record_size = ONION_RECORD_MIN, .layers = 1 };
	static uint8_t packet[ONION_PACKET_MAX] = { 9 };
	struct onion_node_key key = { .epoch = 1 };
	struct onion_job job = { .packet = packet };
	uint8_t sk[N];

	secret(sk);
	key.sk = sk;
	onion_derive(&job, 1, &g, &key);
	outcome = job.verdict == ONION_PENDING && equal_early(job.key, packet, sizeof(job.key));
	onion_forget(&job);
}
