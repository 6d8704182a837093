/*
 * The enrolment code's secret, in the client's directory: the file `enrolment`, sealed
 * under a key of the vault. Blocking. docs/protocol.md, "Files on disk".
 */
#ifndef CLIENT_LIB_ENROLKEY_H
#define CLIENT_LIB_ENROLKEY_H

#include "client-lib/vault.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/token/enrolment.h"

#define ENROLKEY_FILE "enrolment"

/* Replace the file. Errors as of disk_replace, with a sentence. */
RST_MUST_USE enum err enrolkey_save(const uint8_t secret[static ENROLMENT_SECRET_BYTES],
    struct disk *k, const struct vault *v, const struct rng *keys, struct diag *d);
/* Wipe secret after use. ERR_NOT_FOUND without a sentence if there is none; else with one. */
RST_MUST_USE enum err enrolkey_load(uint8_t secret[static ENROLMENT_SECRET_BYTES], struct disk *k,
    const struct vault *v, struct diag *d);

#endif
