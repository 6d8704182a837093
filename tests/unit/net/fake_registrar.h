/*
 * A scripted registrar for tests: real links on a host of a virtual world, real keys and
 * proofs, and every way to answer otherwise.
 */
#ifndef TESTS_UNIT_NET_FAKE_REGISTRAR_H
#define TESTS_UNIT_NET_FAKE_REGISTRAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/token/issuance.h"
#include "evaluation/world.h"
#include "tests/lib/network.h"

#define FAKE_REQUESTS_MAX 1024

struct fake_request {
	enum token_kind kind;
	uint32_t epoch, batch;
	uint8_t hash[32];
	int64_t at_ms;
};

struct fake_registrar {
	struct world *world;
	struct world_host *host;
	const struct network *network;
	struct listener *listener;
	struct fake_call *calls;
	bool refuses;		     /* close every connection at once */
	bool marks;		     /* answer with other keys than the notice's */
	enum issuance_status status; /* unless ISSUANCE_OK: refuse with it */
	struct fake_request requests[FAKE_REQUESTS_MAX];
	size_t count;
};

void fake_registrar_start(struct fake_registrar *r, struct world *w, struct world_host *h,
    const struct network *n);
void fake_registrar_stop(struct fake_registrar *r);
/* The keys of an epoch, the honest ones or those that it marks members with; issuer_free. */
struct issuer *fake_registrar_issuer(const struct fake_registrar *r, uint32_t epoch, bool honest);
/* Append an epoch's notice as the gateway signs it. */
void fake_registrar_notice(struct buf *out, const struct fake_registrar *r, uint32_t epoch,
    bool honest);

#endif
