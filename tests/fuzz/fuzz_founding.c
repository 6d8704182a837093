/*
 * Founding records as a contact can make them: any plaintext under the right seal. What
 * is opened is sealed to the same plaintext again; any bytes as a record are nobody's.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/founding.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "common/crypto/onion.h"

#define SIZE ((size_t)1024)
#define PLAIN (SIZE - RECORD_OVERHEAD)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 100;

static const uint8_t e_sk[32] = { 3 };
static struct founding_parties founder, receiver;
static uint8_t e[32], dh[32], key[32];

static void
must(bool true_)
{
	if (!true_)
		abort();
}

/* k of docs/protocol.md, "Founding". */
static void
make_key(void)
{
	uint8_t input[32 + 32 + 32 + 64 + 32];

	must(crypto_scalarmult(dh, e_sk, founder.peer_pk) == 0);
	memcpy(input, dh, 32);
	must(crypto_scalarmult(input + 32, founder.own_sk, founder.peer_pk) == 0);
	memcpy(input + 64, e, 32);
	memcpy(input + 96, founder.own_pk, 32);
	memcpy(input + 128, founder.peer_pk, 32);
	memcpy(input + 160, founder.network_id, 32);
	hash_derive(key, founder.restart, "restante/found/key", input, sizeof(input));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	founder.restart[0] = receiver.restart[0] = 9;
	founder.own_sk[0] = 1;
	receiver.own_sk[0] = 2;
	must(crypto_scalarmult_base(founder.own_pk, founder.own_sk) == 0);
	must(crypto_scalarmult_base(receiver.own_pk, receiver.own_sk) == 0);
	memcpy(founder.peer_pk, receiver.own_pk, 32);
	memcpy(receiver.peer_pk, founder.own_pk, 32);
	must(crypto_scalarmult_base(e, e_sk) == 0);
	make_key();
	return 0;
}

static void
seal_again(const struct founding *f, const uint8_t record[SIZE])
{
	uint8_t again[SIZE];

	must(founding_seal_with(again, SIZE, f, &founder, e_sk) == ERR_OK);
	must(founding_is_by(again, dh, receiver.restart, receiver.own_pk, receiver.peer_pk));
	/* all but the tag, which the target does not make */
	must(sodium_memcmp(again, record, RECORD_E_BYTES) == 0);
	must(sodium_memcmp(again + RECORD_E_BYTES + RECORD_TAG_BYTES,
		 record + RECORD_E_BYTES + RECORD_TAG_BYTES,
		 SIZE - RECORD_E_BYTES - RECORD_TAG_BYTES) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t tag[RECORD_TAG_BYTES];
	uint8_t plain[PLAIN] = { 0 }, record[SIZE], raw[SIZE] = { 0 }, other[32];
	size_t n = size < PLAIN ? size : PLAIN;
	struct founding f;

	if (n > 0)
		memcpy(plain, data, n);
	must(record_seal_with(record, SIZE, e, tag, key, plain) == ERR_OK);
	/* An answer's proof, to which nobody here has the key, is not made again. */
	if (founding_open(&f, record, SIZE, dh, &receiver) == ERR_OK) {
		if ((f.flags & FOUNDING_LOST) != 0)
			seal_again(&f, record);
		else
			must(!f.answers);
	}
	memcpy(raw, plain, PLAIN);
	if (founding_dh(other, raw, receiver.own_sk) == ERR_OK) {
		must(!founding_is_by(raw, other, receiver.restart, receiver.own_pk, receiver.peer_pk));
		must(founding_open(&f, raw, SIZE, other, &receiver) != ERR_OK);
	}
	return 0;
}
