/*
 * Evidence of a gateway's lie: two statements that it signed and that cannot both be
 * honest. Whoever has the network's charter can verify it, without trusting who
 * kept it. docs/protocol.md, "Evidence". Pure.
 *
 * It is a text of lines, so that people can look at it and mail it. It says nothing
 * about who found it, when, or which of the two statements they were shown: the
 * statements stand in an order of their own.
 */
#ifndef COMMON_JOURNAL_EVIDENCE_H
#define COMMON_JOURNAL_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/charter/charter.h"
#include "common/token/notice.h"

#define EVIDENCE_BYTES_MAX 1024
#define EVIDENCE_SENTENCE_BYTES 640

/* What a statement is about; in the order in which statements stand. */
enum evidence_kind { EVIDENCE_BLOCK, EVIDENCE_EPOCH_BLOCK, EVIDENCE_SHEET, EVIDENCE_NOTICE };

struct evidence_statement {
	enum evidence_kind kind;
	uint64_t number; /* a block's round, a sheet's or notice's epoch */
	uint8_t hash[32], signature[64];
};

struct evidence {
	uint8_t network_id[32];
	uint16_t gateway;
	struct evidence_statement said[2];
};

/* What two statements prove if the signatures hold. */
enum evidence_lie {
	EVIDENCE_NO_LIE,
	EVIDENCE_TWO_BLOCKS,	   /* for one round */
	EVIDENCE_TWO_EPOCH_BLOCKS, /* for one epoch */
	EVIDENCE_TWO_SHEETS,	   /* for one epoch */
	EVIDENCE_TWO_NOTICES,	   /* of issuer keys for one epoch */
};

/*
 * Two statements of the charter's gateway, in whatever order, verified. ERR_SIGNATURE
 * if it did not make one of them, ERR_STATE if they are no lie.
 */
RST_MUST_USE enum err evidence_make(struct evidence *out, const struct charter *c,
    const struct evidence_statement *a, const struct evidence_statement *b);
/* The same of two issuer notices, as a reader was shown them. */
RST_MUST_USE enum err evidence_of_notices(struct evidence *out, const struct charter *c,
    const struct notice *a, const struct notice *b);
/* Append the text. */
RST_MUST_USE enum err evidence_encode(struct buf *out, const struct evidence *e);
/* How long the first of several texts in n bytes is, by its last line; n if there is none. */
size_t evidence_length(const char *text, size_t n);
/*
 * Read exactly one text of len bytes: there is one text for one evidence, and a check
 * over all of it. ERR_VERSION for a newer format, ERR_MALFORMED, with a sentence.
 * Nothing is verified.
 */
RST_MUST_USE enum err evidence_parse(struct evidence *out, const void *text, size_t len,
    struct diag *d);
/*
 * Whether it proves a lie of this network's gateway: ERR_STATE (another network, or
 * no contradiction), ERR_NOT_FOUND (another gateway), ERR_SIGNATURE, each with a
 * sentence that says which part fails. Any version of the charter will do: network
 * id, gateway, its identity and the clocks are the same in all of them.
 */
RST_MUST_USE enum err evidence_verify(const struct evidence *e, const struct charter *c,
    struct diag *d);
/*
 * What is kept of evidence: one for an epoch of each of these, for more of the same
 * proves no more.
 */
enum evidence_about { EVIDENCE_ABOUT_BLOCKS, EVIDENCE_ABOUT_SHEETS, EVIDENCE_ABOUT_NOTICES };
enum evidence_about evidence_about(const struct evidence *e);
/* Whether a statement's number is a round, else an epoch. */
bool evidence_of_round(enum evidence_kind k);
/* As the text has it: "block", "epoch-block", "sheet", "notice". */
const char *evidence_kind_name(enum evidence_kind k);
/* What it would prove; *number is the round or epoch. The parameters are any version's. */
enum evidence_lie evidence_lie(const struct evidence *e, const struct params *p, uint64_t *number);
/* The epoch that it belongs to. */
uint32_t evidence_epoch(const struct evidence *e, const struct params *p);
/* "blocks", "epoch-blocks", "sheets", "notices", "nothing": for programs. */
const char *evidence_lie_name(enum evidence_lie l);
/* What it proves, for people, in one or two sentences; only after evidence_verify. */
void evidence_sentence(char out[static EVIDENCE_SENTENCE_BYTES], const struct evidence *e,
    const struct charter *c);

#endif
