/*
 * A running node under its operator's eyes: the alarms that come from how it stands,
 * what `status` answers, and what the service manager is told.
 *
 * Coarse on purpose, so that what it says gives no traffic away: counts of traffic
 * are those of the last full ten minutes and rounded down to tens, times are
 * rounded down to ten minutes, and there is nothing of a single session.
 */
#ifndef MIX_WATCH_H
#define MIX_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/alarms.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/charter.h"
#include "common/net/helper.h"
#include "common/net/loop.h"
#include "mix/links.h"
#include "mix/report.h"
#include "mix/sandbox.h"

#define WATCH_LOOK_MS 30000	      /* between two looks */
#define WATCH_COUNT_MS (10 * 60000)   /* between two counts of traffic */
#define WATCH_LINK_MS (10 * 60000)    /* a link that is down for so long is an alarm */
#define WATCH_SHEET_MS 60000	      /* so long an epoch may be without a sheet */
#define WATCH_SILENT_MS (2 * 60000)   /* so long the journal may stand still */

struct watch;

/* How a node stands at this moment. */
struct watch_view {
	uint32_t epoch;
	bool has_sheet;	      /* of this epoch */
	unsigned sheet_nodes; /* that it has keys of */
	bool sits_out;	      /* this epoch: it runs on old state */
	bool struck;	      /* this epoch: it has two sheets */
	const char *stands;   /* a mix that lets nothing through: why; NULL: it does */
	uint32_t charter;	  /* the version in force; 0: none yet */
	uint32_t coming_charter, coming_epoch; /* the next one; 0: none */
	bool serves;	      /* the charter in force has it */
	bool has_place;	      /* that, or one to come, or that was in force until now */
	size_t evidence;      /* of the gateway's lies, that it keeps */
	uint32_t lied_epoch;  /* the latest that it is about */
	bool journal;	      /* it writes one, and has begun */
	uint64_t blocks;      /* written so far */
	size_t link_count;
	struct links_peer links[CHARTER_NODES_MAX];
};

struct watch_node {
	void (*look)(void *arg, struct watch_view *out);
	/* Remember the counts of traffic as they are now. */
	void (*count)(void *arg);
	/* Write the sections with the counts that were remembered. */
	void (*report)(void *arg, struct report *r);
};

struct watch_config {
	struct loop *loop;
	struct log *log;
	const char *program;
	const struct charter *charter;	  /* borrowed, as all that follows */
	const struct charter_node *own;
	const char *state;		  /* the directory */
	int64_t disk_low;		  /* bytes; less free is an alarm */
	struct helper *alarm_helper;	  /* that runs the command for alarms; NULL: none */
	size_t alarm_program;
	const struct sandbox *sandbox;	  /* for the report */
	const struct watch_node *node;
	void *arg;
};

/* Alarms are seen from now on. ERR_MEMORY. */
RST_MUST_USE enum err watch_new(struct watch **out, const struct watch_config *cfg);
/* The node has been made: look at it from now on. */
void watch_begin(struct watch *w);
/* The node is to be freed: look no more. */
void watch_end(struct watch *w);
void watch_free(struct watch *w);

/*
 * Whether the node is there for others; why_not is a sentence without a full stop and
 * lives for ever, NULL: it is. Not ready before this was called. The service manager
 * is told the first time.
 */
void watch_ready(struct watch *w, const char *why_not);
/* Tell the service manager that the daemon ends. */
void watch_stopping(struct watch *w);

/* What `status` prints. *good: ready, and no alarm. ERR_MEMORY, ERR_FULL. */
RST_MUST_USE enum err watch_status(struct watch *w, struct buf *out, bool *good, bool json);

#endif
