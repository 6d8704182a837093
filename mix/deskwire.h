/*
 * The bytes at a node's desk (desk.h). Little-endian, as everywhere:
 *
 *   request = verb length u8 || verb || payload length u32 || payload
 *   answer  = code i32 (enum err) || text length u32 || text
 */
#ifndef MIX_DESKWIRE_H
#define MIX_DESKWIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

#define DESK_VERB_MAX 32
#define DESK_PAYLOAD_MAX (1u << 20)
#define DESK_TEXT_MAX (1u << 20)

#define DESKWIRE_REQUEST_MAX (1 + DESK_VERB_MAX + 4 + DESK_PAYLOAD_MAX)
#define DESKWIRE_ANSWER_HEAD 8
#define DESKWIRE_ANSWER_MAX (DESKWIRE_ANSWER_HEAD + DESK_TEXT_MAX)

struct deskwire_request {
	char verb[DESK_VERB_MAX + 1]; /* printable */
	const uint8_t *payload;	      /* inside what was parsed */
	size_t n;
};

/*
 * Parse what has come of a request so far. ERR_TRUNCATED: more must come;
 * ERR_RANGE: a length beyond its limit; ERR_MALFORMED: no verb; ERR_TRAILING.
 */
RST_MUST_USE enum err deskwire_request(struct deskwire_request *out, const uint8_t *p, size_t n);
/* Append a request. ERR_USAGE for a verb or a payload beyond its limit, ERR_MEMORY. */
RST_MUST_USE enum err deskwire_put_request(struct buf *out, const char *verb, const void *payload,
    size_t n);

/* The head of an answer; n is at most DESK_TEXT_MAX. */
void deskwire_put_head(uint8_t out[static DESKWIRE_ANSWER_HEAD], enum err code, size_t n);
/* The reverse. ERR_RANGE for a text beyond its limit, ERR_MALFORMED for a code that is none. */
RST_MUST_USE enum err deskwire_head(enum err *code, size_t *n,
    const uint8_t p[static DESKWIRE_ANSWER_HEAD]);

#endif
