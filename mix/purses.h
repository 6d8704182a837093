/*
 * The purses of a mix: each of its sessions is enrolled as a member is, with a code, a
 * wallet and an allotment of its own, so that the registrar sees members alone and six
 * sessions live by the law of six members. docs/protocol.md, "Tickets and stamps".
 *
 * What one session shows of the journal all purses hear: it is the same for everybody.
 */
#ifndef MIX_PURSES_H
#define MIX_PURSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/purse.h"
#include "common/token/enrolment.h"
#include "mix/visits.h"

struct purses;

/*
 * Of a text with one code for each of VISITS_COUNT sessions, and nothing else, the secrets
 * one behind the other: secret memory, secret_free. Errors of enrolment_decode; ERR_USAGE:
 * another number of codes, or one twice; each with a sentence that repeats no code.
 */
RST_MUST_USE enum err purses_read_codes(uint8_t **secrets, const char *text,
    const uint8_t network_id[static 32], struct diag *d);

/*
 * One for each session, from what is the same for all: cfg without code, name and callback.
 * codes: as purses_read_codes gave them, for this call; NULL: the mix is not enrolled.
 * changed: as in purse_config. Blocks; errors with a sentence.
 */
RST_MUST_USE enum err purses_new(struct purses **out, const struct purse_config *cfg,
    const uint8_t *codes, void (*changed)(void *arg), void *arg, struct diag *d);
/* As purse_free. NULL is a no-op. */
void purses_free(struct purses *s);
void purses_hold(struct purses *s, bool held);
/* Of the session i, below VISITS_COUNT. Owned by s. */
struct purse *purses_at(struct purses *s, size_t i);
/*
 * Of all: tickets summed up, the fewest epochs ahead, every alarm that one has. Enrolled is
 * the mix when every session is.
 */
void purses_get_status(const struct purses *s, struct purse_status *out);

/* As purse_notice, purse_take_evidence and purse_sheet, for each of them. */
RST_MUST_USE enum err purses_notice(struct purses *s, const uint8_t *notice, size_t n);
bool purses_take_evidence(struct purses *s, struct evidence *out);
bool purses_sheet(struct purses *s, const struct sheet *sheet);

#endif
