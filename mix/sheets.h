/*
 * The sheets that a mix has seen, and the one it accepted for each epoch.
 * docs/protocol.md, "Mixing", "What a mix takes from a sheet".
 *
 * Sheets come only from the mix's own anonymous sessions (visits.h). A sheet is
 * used after it was accepted and is on disk together with the head of the chain.
 * Two different sheets for one epoch: what the gateway signed goes to the proofs, an
 * alarm is logged, and the mix has no sheet for that epoch, also after a restart.
 *
 * Runs on the loop's thread; files are written on the disk's queue, which must be
 * freed before this object: its last callbacks still come here.
 */
#ifndef MIX_SHEETS_H
#define MIX_SHEETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/sheet.h"
#include "common/charter/succession.h"
#include "common/journal/chain.h"
#include "common/net/loop.h"
#include "mix/epochkeys.h"
#include "mix/proofs.h"

struct sheets;

struct sheets_config {
	struct disk *disk;
	struct workq *queue; /* one thread, the disk's only user */
	const struct succession *charters; /* borrowed */
	const struct epochkeys *keys;	 /* our keys, to find our announcement */
	const struct chain *chain;	 /* whose heads are saved with a sheet */
	struct proofs *proofs;		 /* where evidence goes, borrowed */
	uint16_t own;			 /* our number in the charter */
	const uint8_t *identity_sk;	 /* Ed25519, 64 bytes in secret memory, borrowed */
	struct log *log;
	/* The sheet of this epoch was accepted and stored, or struck. May be NULL. */
	void (*changed)(void *arg, uint32_t epoch);
	void *arg;
};

/*
 * Load what is on the disk (blocks). Sheets of charters that are not known are removed.
 * *chain_state, if it was saved, is appended to chain_state. ERR_MALFORMED,
 * ERR_VERSION, ERR_IO, ERR_MEMORY, with a sentence.
 */
RST_MUST_USE enum err sheets_open(struct sheets **out, const struct sheets_config *cfg,
    struct buf *chain_state, struct diag *d);
void sheets_free(struct sheets *k);

/*
 * A sheet that one of our sessions showed at wall_ms, with the gateway's signature
 * behind it. ERR_OK also if it was not accepted (for another epoch, without us); errors
 * are those of sheet_show_check and sheet_read. A sheet
 * of a charter that is not known yet is ERR_EPOCH, and kept for sheets_again.
 */
RST_MUST_USE enum err sheets_offer(struct sheets *k, const uint8_t *p, size_t n, int64_t wall_ms);

/* A charter came: look again at the sheets that belong to it. */
void sheets_again(struct sheets *k, int64_t wall_ms);

/* The accepted and stored sheet of an epoch; NULL: none, or it was struck. Borrowed. */
const struct sheet *sheets_find(const struct sheets *k, uint32_t epoch);
/* Whether any sheet of the epoch was seen: announcing for it has no use any more. */
bool sheets_seen(const struct sheets *k, uint32_t epoch);
/* Whether two sheets for the epoch were seen. */
bool sheets_struck(const struct sheets *k, uint32_t epoch);
/* Our announcement for an epoch, encoded; ERR_NOT_FOUND without a stored key. */
RST_MUST_USE enum err sheets_announcement(const struct sheets *k,
    uint8_t out[static ANNOUNCEMENT_BYTES], uint32_t epoch);

/* Forget sheets of epochs that ended more than grace ago retry writing. */
void sheets_turn(struct sheets *k, int64_t wall_ms);

#endif
