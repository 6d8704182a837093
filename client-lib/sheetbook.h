/*
 * The sheets that a client knows, of the running and the next epoch.
 *
 * A sheet that a session opens with is provisional until a verified block
 * carries it. Two sheets for one epoch, both signed by the gateway: it lies, and the
 * client has none for that epoch any more. Pure.
 */
#ifndef CLIENT_LIB_SHEETBOOK_H
#define CLIENT_LIB_SHEETBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/sheet.h"
#include "common/charter/succession.h"
#include "common/journal/evidence.h"

#define SHEETBOOK_EPOCHS 4

struct sheetbook;

/* The charters, by which each epoch's sheet is read, are borrowed. NULL without memory. */
struct sheetbook *sheetbook_new(const struct succession *s);
void sheetbook_free(struct sheetbook *k);
/*
 * A sheet was shown with the gateway's signature behind it, in a verified block or not.
 * One of another epoch than the running (by wall_ms) and the next is passed over, one
 * of a charter that is not known yet is kept for sheetbook_again. Errors of
 * sheet_show_check and sheet_read; ERR_CHAIN: it differs from another one for its
 * epoch, which is struck.
 */
RST_MUST_USE enum err sheetbook_offer(struct sheetbook *k, const uint8_t *p, size_t n,
    bool verified, int64_t wall_ms);
/* A charter came: look again at the sheets that belong to it. ERR_CHAIN as above. */
RST_MUST_USE enum err sheetbook_again(struct sheetbook *k, int64_t wall_ms);
/* The sheet of an epoch or NULL; *verified may be NULL. Valid until the next offer or turn. */
const struct sheet *sheetbook_find(const struct sheetbook *k, uint32_t epoch, bool *verified);
/* The two sheets of an ERR_CHAIN, if that was not taken yet; false: none. */
bool sheetbook_take_evidence(struct sheetbook *k, struct evidence *out);
/* Forget epochs that are over. */
void sheetbook_turn(struct sheetbook *k, int64_t wall_ms);

/* What is verified or struck, as epochs, hashes and the gateway's signatures. */
void sheetbook_put(struct writer *w, const struct sheetbook *k);
/* with_signatures: false for a state of before there were any. */
void sheetbook_get(struct reader *r, struct sheetbook *k, bool with_signatures);
#define SHEETBOOK_BYTES (1 + SHEETBOOK_EPOCHS * (4 + 1 + 32 + SHEET_SIGNATURE_BYTES))

#endif
