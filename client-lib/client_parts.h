/*
 * What the files of the client share. Internal to client*.c:
 *
 *   client.c        life, status and alarms, what the public calls need
 *   client_state.c  the state file's content
 *   client_backup.c a backup, while it runs
 *   client_runs.c   blocks and records: from sessions to the post
 *   client_gap.c    sessions of their own for what is missing
 *   client_slots.c  what leaves: sealing, and the live session's slots
 *   client_tokens.c tickets and stamps: the purse, and the ready record's stamp
 *   client_sweep.c  own messages past their retention
 */
#ifndef CLIENT_LIB_CLIENT_PARTS_H
#define CLIENT_LIB_CLIENT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/client.h"
#include "client-lib/commit.h"
#include "client-lib/follow.h"
#include "client-lib/gaps.h"
#include "client-lib/lies.h"
#include "client-lib/sheetbook.h"
#include "client-lib/slots.h"
#include "client-lib/spans.h"
#include "common/journal/chain.h"
#include "common/journal/notetest.h"
#include "common/net/attend.h"
#include "common/net/charters.h"
#include "common/net/purse.h"
#include "common/token/token.h"

#define CLIENT_RUNS_MAX 4 /* live sessions at a time: coming, current, former, one more */

/* One session's part of the journal. */
struct run {
	struct client *client;
	bool live;
	uint64_t id;   /* attendance's number */
	uint32_t hour;
	struct follow *follow;
	struct span span; /* what was handed on so far */
	enum err broken;  /* found outside of its own items; ends it at the next one */
	/* how late its blocks come, and since which of them */
	bool timed;
	int64_t late_ms, steady_from_ms;
};

/* The one record on its way out. */
enum ready_state {
	READY_NONE,
	READY_FETCHING, /* its content is being read */
	READY_SEALED,	/* waits for its commit */
	READY_WAITING,	/* waits for a slot */
	READY_LEAVING,	/* in the slot's packet; not handed over yet */
};
struct ready {
	enum ready_state state;
	struct slot_record out;
	uint8_t *record;
	size_t record_size;
	bool stamping;	  /* a stamp is being marked as spent */
	bool stamped;	  /* there is one, for this epoch: */
	uint32_t stamp_epoch;
	uint8_t stamp[TOKEN_SPENT_BYTES];
	bool must_be_there; /* all writes were durable when the content was asked for */
};

struct client_gap {
	struct gaps gaps;
	struct timer *timer;
	struct session *session; /* NULL: none is open */
	bool live;		 /* the live session was up when that was looked at last */
	struct gap what;
	struct run run;
	int64_t heard_ms; /* when its last item came, boot clock */
};

struct client {
	struct loop *loop;
	struct client_config cfg;
	struct charters *charters;
	const struct succession *all;  /* of charters */
	const struct charter *charter; /* that paths and times go by */
	const struct params *params;   /* the constant ones */
	uint32_t behind; /* a version that was shown, but not what leads up to it; 0: none */
	const struct client_events *events;
	void *arg;
	struct post *post;
	struct chain *chain;
	struct sheetbook *sheets;
	struct spans spans;
	struct lies lies;      /* evidence against the gateway */
	struct commit *commit;
	struct slots *slots;
	struct purse *purse; /* tickets and stamps */
	struct notetest *notes;
	bool note_leaving; /* in the current session's slot */
	struct attend *attend;
	struct run *runs[CLIENT_RUNS_MAX];
	struct client_gap gap;
	struct ready ready;
	struct timer *stall, *chores;
	unsigned alarms, told; /* told: what the last status event showed */
	uint64_t chain_run;    /* the newest run when the chain alarm was raised */
	uint64_t newest_run;
	uint64_t round;
	int64_t skew_ms;
	unsigned sheetless;    /* slots without a sheet, in a row */
	unsigned unreached;    /* attempts that did not reach the gateway, in a row */
	struct client_status counters; /* only the counts of slots are used */
	bool sweeping;
	uint64_t sweep_id, sweep_until;
	int64_t sweep_boot_ms; /* when the next one is due */
	uint64_t saves;	       /* of the state, ever */
	uint64_t was_witness, was_inode; /* of the witness and the directory, as the state has them */
	bool closing;
};

/* ---- client.c ---- */

void client_raise(struct client *c, enum client_alarm a);
void client_clear(struct client *c, enum client_alarm a);
/* Tell the owner if the alarms or what is online changed. */
void client_tell(struct client *c);
/* Another charter may be in force now. */
void client_turn(struct client *c);
/* A charter that the gateway shows. */
void client_offer(struct client *c, const uint8_t *p, size_t n);
/* A fixed time of the protocol for this network. */
int64_t client_scaled(const struct client *c, int64_t ms);

/* ---- client_state.c ---- */

RST_MUST_USE enum err client_save(void *arg, struct buf *out);
/* Fill post, chain, sheets and spans; a new client's if there is no state yet. */
RST_MUST_USE enum err client_load(struct client *c, struct diag *d);

/* Append what a backup has of the state: likewise, but for the post's keys. */
RST_MUST_USE enum err client_save_backup(struct client *c, struct buf *out);

/* ---- client_runs.c ---- */

/* The alarm stays until a live session that is opened later brings a verified block. */
void client_chain_broke(struct client *c);
RST_MUST_USE enum err run_begin(struct run *r, struct client *c, enum follow_what what);
void run_end(struct run *r);
/* One item of a session: everything that follows from it. */
RST_MUST_USE enum err run_item(struct run *r, enum item_kind kind, const uint8_t *p, size_t n);
/* The session says that this was all. */
RST_MUST_USE enum err run_done(struct run *r);
/* Whether a live run is tied to the anchor; if so from when on it reads. */
bool runs_verified(const struct client *c, int64_t *from_ms);
/* Attendance's callbacks. */
enum err runs_on_item(void *arg, uint64_t run, uint32_t hour, enum item_kind kind,
    const uint8_t *p, size_t n);
void runs_on_state(void *arg, uint64_t run, uint32_t hour, bool open, enum err why,
    enum frame_error error);
void runs_free(struct client *c);

/* ---- client_gap.c ---- */

RST_MUST_USE enum err gap_init(struct client *c);
void gap_free(struct client *c);
void gap_view(const struct client *c, struct gaps_view *out);
/* The clock was set: what was drawn holds no more. */
void gap_jumped(struct client *c);

/* ---- client_slots.c ---- */

RST_MUST_USE enum err slots_init(struct client *c);
void slots_release(struct client *c);
/* Choose, fetch and seal the next record, if one is due and may go soon. */
void slots_feed(struct client *c);
bool slots_on_slot(void *arg, enum attend_phase phase, struct session_packet *out);
void slots_on_sent(void *arg, enum attend_phase phase);
/* The note test, after a block of a live run that shows all from from_ms on. */
void slots_judge(struct client *c, const struct block *b, int64_t from_ms);
/* Time has passed: notes that no block has listed are lost when they are late. */
void slots_judge_late(struct client *c);
/* A slot of a gap's session: cover only. */
bool slots_cover(struct client *c, struct session_packet *out);

/* ---- client_tokens.c ---- */

RST_MUST_USE enum err tokens_open(struct client *c, struct diag *d);
void tokens_free(struct client *c);
/* What the purse's alarms are for the client. */
unsigned tokens_alarms(const struct client *c);
/* Whether there is a stamp for one more record that is sealed now. */
bool tokens_for_record(struct client *c);
/* Whether the ready record may go in this epoch; if it lacks a stamp, take one. */
bool tokens_stamped(struct client *c, uint32_t epoch);
/* The ready record is another, or none: it needs a stamp of its own. */
void tokens_next(struct client *c);

/* ---- client_sweep.c ---- */

void sweep_begin(struct client *c);

#endif
