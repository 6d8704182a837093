/*
 * What a member may fetch of an epoch's tickets and stamps, and how they are packed
 * into requests: docs/protocol.md, "Tickets and stamps". The same for all members,
 * from the charter in force in that epoch alone. Pure.
 *
 * Tickets: TICKETS_PER_HOUR for each session hour of the epoch, each hour with a key
 * of its own; a batch has ALLOTMENT_HOURS hours in order, and one proof for each.
 * Stamps: as many as the parameter `stamps` says; a batch has ALLOTMENT_BATCH, and one
 * proof. The last batch of either may be smaller. Batches are numbered from 0.
 */
#ifndef COMMON_TOKEN_ALLOTMENT_H
#define COMMON_TOKEN_ALLOTMENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/charter/params.h"
#include "common/crypto/voprf.h"

enum token_kind { TOKEN_TICKET = 0, TOKEN_STAMP = 1 };

#define ALLOTMENT_TICKETS_PER_HOUR 4
#define ALLOTMENT_BATCH VOPRF_BATCH_MAX
#define ALLOTMENT_HOURS (ALLOTMENT_BATCH / ALLOTMENT_TICKETS_PER_HOUR)
#define ALLOTMENT_PROOFS_MAX ALLOTMENT_HOURS

/* Session hours of an epoch: its ticket keys. */
size_t allotment_hours(const struct params *p);
/* All tokens of a kind that a member has for an epoch. */
uint32_t allotment_total(const struct params *p, enum token_kind kind);
/* The number of batches that they are fetched in. */
uint32_t allotment_batches(const struct params *p, enum token_kind kind);
/* Tokens in a batch; 0 if there is no such batch. */
size_t allotment_count(const struct params *p, enum token_kind kind, uint32_t batch);
/* Keys, and so proofs, of a batch; 0 if there is no such batch. */
size_t allotment_proofs(const struct params *p, enum token_kind kind, uint32_t batch);
/* Of a batch's tokens those under one key: all proofs of a batch have as many. */
size_t allotment_per_proof(const struct params *p, enum token_kind kind, uint32_t batch);
/* The hour of the epoch, from 0, that the i-th ticket of a batch is for. */
uint16_t allotment_hour(uint32_t batch, size_t i);

#endif
