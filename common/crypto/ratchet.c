#include "config.h"

#include "common/crypto/ratchet.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

void
ratchet_tag(uint8_t tag[static RECORD_TAG_BYTES], const uint8_t c[static 32])
{
	static const char label[] = "restante/stream/tag";
	const struct hash_part part = { label, sizeof(label) - 1 };

	hash_parts_keyed(tag, RECORD_TAG_BYTES, c, &part, 1);
}

void
ratchet_message_key(uint8_t key[static 32], const uint8_t c[static 32])
{
	hash_derive(key, c, "restante/stream/message", NULL, 0);
}

void
ratchet_advance(uint8_t c[static 32])
{
	uint8_t next[32];

	hash_derive(next, c, "restante/stream/next", NULL, 0);
	memcpy(c, next, sizeof(next));
	sodium_memzero(next, sizeof(next));
}

void
ratchet_root(uint8_t root[static 32], const uint8_t s[static 32])
{
	hash_derive(root, s, "restante/stream/root", NULL, 0);
}

void
ratchet_key_id(uint8_t id[static RATCHET_ID_BYTES], const uint8_t key[static 32])
{
	static const char label[] = "restante/renewal/id";
	const struct hash_part parts[] = { { label, sizeof(label) - 1 }, { key, 32 } };

	hash_parts(id, RATCHET_ID_BYTES, parts, 2);
}

enum err
ratchet_renew(uint8_t s[static 32], const uint8_t root[static 32], const uint8_t sk[static 32],
    const uint8_t other[static 32], const struct ratchet_renewal *t)
{
	uint8_t context[32 + 32 + 32 + 4];
	enum err e = ERR_CRYPTO;

	if (crypto_scalarmult(context, sk, other) == 0) {
		memcpy(context + 32, t->fresh, 32);
		memcpy(context + 64, t->renewal, 32);
		store_u32(context + 96, t->generation);
		hash_derive(s, root, "restante/stream/renew", context, sizeof(context));
		e = ERR_OK;
	}
	sodium_memzero(context, sizeof(context));
	return e;
}
