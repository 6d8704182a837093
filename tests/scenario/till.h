/*
 * The members' purses in a month of sessions (month.h), and what the registrar logs of them.
 *
 * The purse is the real one (common/net/purse.c, common/token: wallet, errands, files on a
 * disk in memory). Doubles are the link to the registrar (fetch_open and fetch_free are
 * wrapped: it takes some seconds, and breaks with the member's line), and the arithmetic of
 * issuance (issuance_ask, issuance_take), so that months pass in seconds: what elements and
 * outputs tell is tests/scenario/test_tickets' other part. Notices are genuine.
 */
#ifndef TESTS_SCENARIO_TILL_H
#define TESTS_SCENARIO_TILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/net/purse.h"
#include "tests/lib/network.h"

/* What the registrar sees of a fetch: a name, a batch, times. */
struct till_fetch {
	int64_t start_ms, end_ms;
	unsigned member;
	uint32_t epoch, batch;
	enum token_kind kind;
	bool failed;
};

struct till_log {
	struct till_fetch *fetch; /* by start */
	size_t count, room;
};

/* One member's. */
struct till {
	struct till_log *log; /* borrowed */
	struct loop *loop;
	const struct network *network;
	const struct rng *rng; /* whose ctx is the month's member */
	struct rng keys;
	unsigned member;
	struct disk *disk;
	struct workq *queue;
	struct purse *purse;
	struct fetch *fetch; /* under way */
	bool line_down;
};

/* A loop's member; no purse is open yet. */
void till_init(struct till *t, struct till_log *log, struct loop *l, const struct network *n,
    const struct rng *r, unsigned member);
/* The program starts and stops; what it had is on the disk. */
void till_open(struct till *t);
void till_close(struct till *t);
void till_release(struct till *t);
/* The line broke: what is being fetched ends, which the registrar sees. */
void till_break(struct till *t);
/* The gateway shows the notices of the running epoch and all that members fetch for. */
void till_show_notices(struct till *t);

/*
 * Control: everything that is missing is fetched at once, at a start and when it is needed
 * first, and a session opens as soon as there is a ticket.
 */
void till_fetch_at_once(bool yes);

#endif
