/*
 * A person with a client, on a host of its own in a fixture's network: vault and
 * archive outlive the client, which can be killed at any moment.
 */
#ifndef TESTS_SCENARIO_PERSON_H
#define TESTS_SCENARIO_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/client.h"
#include "tests/scenario/fixture.h"

#define PERSON_TEXTS_MAX 512

struct person {
	struct fixture *fixture;
	struct world_host *host;
	struct fixture_disk disk;
	struct archive *archive;
	struct vault *vault;   /* while it runs */
	struct client *client; /* while it runs */
	struct rng_seeded rng, keys;
	unsigned starts;
	int64_t down_ms; /* after a death: how long until it is started; <0: it is not */
	int64_t retention_ms;
	const char *entrance; /* NULL: as the charter says */
	/* what it did: texts are numbers, in decimal */
	unsigned said;	      /* the numbers given so far */
	bool promised[PERSON_TEXTS_MAX]; /* the client said that it is durable */
	unsigned deaths;
};

/* Starts at once. */
void person_new(struct person *p, struct fixture *f);
/* The same, with sessions that enter elsewhere. */
void person_new_at(struct person *p, struct fixture *f, const char *entrance);
void person_free(struct person *p);
void person_start(struct person *p);
/* Close in order. */
void person_stop(struct person *p);
/* kill -9, now or in the n-th write from now; down_ms as above. */
void person_kill(struct person *p, int64_t down_ms);
void person_kill_in_write(struct person *p, uint64_t write, int64_t down_ms);
bool person_runs(const struct person *p);

/* a invites b, who accepts; both must run. The contacts are there after a while. */
void person_meet(struct person *a, struct person *b);
/* Whether its only contact is established. */
bool person_has_contact(const struct person *p);
void person_contact(const struct person *p, struct post_contact *out);
/* Say the next number to the only contact; if it runs. */
void person_say(struct person *p);
/* Send a file of these bytes; returns the message. */
uint64_t person_send_file(struct person *p, const uint8_t *bytes, size_t n);
/* Whether nothing waits for the peer's acknowledgement. */
bool person_is_done(const struct person *p);

/* How far the peer's texts have been looked at. Begins as zero. */
struct person_reading {
	uint64_t next;	 /* message */
	int64_t last;	 /* number of the text before, plus one */
	unsigned starts; /* the run whose messages these were */
	unsigned heard;
};
/*
 * What came since the last look, all of it after a restart: numbers ascend, none is
 * there twice. p must run.
 */
void person_check_order(struct person_reading *r, const struct person *p,
    const struct person *peer);

/*
 * The peer's texts as they stand in the archive: numbers ascend, none is there
 * twice, all that were promised are there.
 */
void person_check_heard(const struct person *p, const struct person *peer);
/* How many of them are there. */
unsigned person_heard(const struct person *p);
/* The first file that was received; its bytes into out. False if there is none yet. */
bool person_received_file(const struct person *p, struct buf *out, struct post_message *m);

#endif
