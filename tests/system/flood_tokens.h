/*
 * What an attacker who is a member fetches before he floods: the sheet, the notice, and
 * the tickets and stamps of some enrolment codes, as much as each allotment gives. Blocks.
 */
#ifndef TESTS_SYSTEM_FLOOD_TOKENS_H
#define TESTS_SYSTEM_FLOOD_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/charter/succession.h"
#include "common/net/loop.h"
#include "common/token/notice.h"
#include "common/token/token.h"

struct flood_token {
	uint32_t hour; /* tickets: the session hour */
	uint8_t nonce[TOKEN_NONCE_BYTES], output[VOPRF_OUTPUT_BYTES];
};
struct flood_list {
	struct flood_token *list;
	size_t count, used;
};

struct flood_tokens {
	struct loop *loop;
	const struct charter *charter;
	struct succession *charters;
	uint32_t epoch;
	struct sheet *sheet;  /* of the running epoch; NULL: none was shown */
	struct notice notice; /* the same, if has_notice */
	bool has_notice;
	struct flood_list tickets, stamps;
};

/* Read what every session is shown, by one that needs no ticket. */
void flood_look(struct flood_tokens *t);
/* Fetch the tickets of a code, and the stamps if they are wanted. Ends the program if that fails. */
void flood_fetch(struct flood_tokens *t, const char *code, bool stamps);
/* One that was not used yet (a ticket: of this hour), or NULL. */
const struct flood_token *flood_ticket(struct flood_tokens *t, uint32_t hour);
const struct flood_token *flood_stamp(struct flood_tokens *t);
/* End the program with what is wrong. */
void flood_must(bool ok, const char *what);

#endif
