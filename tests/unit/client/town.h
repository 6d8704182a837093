/*
 * A network for tests of the client, in virtual time: one gateway host that
 * keeps a true journal and serves sessions, and people with clients. Packets
 * are unwrapped with all nodes' keys on arrival; there are no mixes.
 *
 * Times are a sixtieth: an hour is a minute, a day 24 minutes, an epoch six.
 */
#ifndef TESTS_UNIT_CLIENT_TOWN_H
#define TESTS_UNIT_CLIENT_TOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/client.h"
#include "common/base/disk_fault.h"
#include "common/net/frame.h"
#include "evaluation/world.h"
#include "tests/lib/network.h"
#include "tests/unit/net/fake_registrar.h"

#define TOWN_SCALE 60
#define TOWN_MINUTE_MS 1000
#define TOWN_HOUR_MS (60 * TOWN_MINUTE_MS)
#define TOWN_DAY_MS (24 * TOWN_HOUR_MS)
#define TOWN_EPOCHS_MAX 512
#define TOWN_PEOPLE_MAX 4
#define TOWN_TEXTS_MAX 64

struct town_block;
struct town_session;

/* What the gateway does wrong, on purpose. */
struct town_faults {
	bool stopped;	    /* makes no blocks */
	bool drop_deposits; /* loses what people send */
	bool drop_record;   /* leaves the first record out of a round's records */
	bool flip_record;   /* changes a byte of a record */
	bool flip_block;    /* changes a byte of live blocks */
	bool skip_block;    /* leaves every tenth block out of live sessions */
	bool other_sheet;   /* shows live sessions another sheet than the journal's */
	bool no_sheet;      /* shows none */
	bool refuse;	    /* takes no connections */
	bool deny_days;	    /* says that days are not kept */
	bool other_notice;  /* shows issuer notices that are not the registrar's */
	bool league;	    /* shows such notices to those without a ticket, and takes tickets of both */
	bool silent_days;   /* opens sessions for days, and says nothing */
	bool slow_days;	    /* shows them a block in a second */
	bool mute_live;	    /* shows live sessions no block: they come later */
};

struct town {
	struct world *world;
	struct world_host *host;
	struct network *network;
	const struct params *params;
	struct listener *listener;
	struct timer *round_timer;
	struct town_block *blocks;
	size_t block_count, block_room;
	struct network_epoch *epochs[TOWN_EPOCHS_MAX];
	uint32_t first_epoch, sheets_made; /* sheets are out up to this epoch */
	struct buf deposits;		   /* of the running round */
	struct buf digests;
	struct town_session *sessions;
	struct town_faults faults;
	struct fake_registrar registrar; /* of town_with_registrar */
	struct buf spent;		 /* nonces of tickets and stamps */
	/* what it saw */
	unsigned notices_opened, tickets, stamps, refused_tickets;
	unsigned marked; /* tickets under other keys than the journal's */
	unsigned live_opened, days_opened, epochs_opened;
	uint32_t days[256];	/* asked for, in order */
	unsigned real, notes, drops;
	unsigned real_early;	/* deposits in a session before its mark or of a gap */
	unsigned bad_packets;
};

/* Founded at the start of an epoch `hours` after a day's start. */
struct town *town_new(unsigned hours);
/* The same with a registrar, and so many stamps for everybody. */
struct town *town_with_registrar(unsigned hours, uint32_t stamps);
void town_free(struct town *t);
void town_run(struct town *t, int64_t ms);
int64_t town_now(const struct town *t);

struct person {
	struct town *town;
	struct world_host *host;
	struct disk *under, *disk;
	struct disk_fault plan;
	struct vault *vault;
	struct archive *archive;
	struct client *client;
	int64_t retention_ms;
	const struct chain_point *anchor;
	const uint8_t *code;	     /* of the enrolment; NULL: none */
	const char *socks, *entrance; /* NULL: directly to the charter's */
	unsigned alarms_seen;
	unsigned status_calls;
	uint64_t texts[TOWN_TEXTS_MAX]; /* ids, as they were told */
	size_t text_count;
	uint64_t delivered, failed;	/* messages told to be so */
	unsigned contacts;
	enum err started;
};

/* With a vault and an empty archive; not started. */
struct person *person_new(struct town *t);
void person_start(struct person *p);
/* Close the client in order. */
void person_stop(struct person *p);
/* kill -9: the disk stands still, nothing more is sent. */
void person_kill(struct person *p);
void person_restart(struct person *p);
void person_free(struct person *p);
struct client_status person_status(const struct person *p);
/* Both must be started and see an epoch block. */
void people_meet(struct person *a, struct person *b);
/* Queue and commit a text to the only contact. */
uint64_t person_say(struct person *p, const char *text);

#endif
