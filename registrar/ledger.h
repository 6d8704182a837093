/*
 * The ledger: which batches were given to whom, so that each is given once. LevelDB, in
 * a directory of its own; docs/protocol.md, "Files on disk". All calls block: one
 * thread, off the loop. After a failure the next call opens it anew.
 *
 *   name  = epoch u32 || member u32 || kind u8 || batch u32, most significant byte first
 *   value = hash of the request 32
 */
#ifndef REGISTRAR_LEDGER_H
#define REGISTRAR_LEDGER_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/token/allotment.h"

struct ledger;

struct ledger_entry {
	uint32_t epoch, member, batch;
	enum token_kind kind;
	uint8_t hash[32]; /* issuance_hash */
};

/* Made if absent. ERR_BUSY, ERR_MALFORMED, ERR_IO with a sentence. */
RST_MUST_USE enum err ledger_open(struct ledger **out, const char *path, struct diag *d);
/* NULL is a no-op. */
void ledger_close(struct ledger *k);

/*
 * Claim a batch for a request. ERR_OK: it is the request's, durably, now or since
 * before; ERR_EXISTS: it is another's. ERR_IO, ERR_FULL, ERR_MALFORMED: nothing is
 * known, and nothing may be answered.
 */
RST_MUST_USE enum err ledger_claim(struct ledger *k, const struct ledger_entry *x);
/* Forget all epochs before this one; what they took on the disk is free again. */
RST_MUST_USE enum err ledger_prune(struct ledger *k, uint32_t epoch);

#endif
