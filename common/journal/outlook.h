/*
 * What a network with these parameters is like for its people, before anybody has
 * measured it: how long a message takes, and among how many somebody is. The client
 * shows it (`restante status`, `restante send`), and `restante-evaluate plan` computes with it, so
 * that what an operator was promised is what a member is told. docs/protocol.md, "Time".
 *
 * The laws are exact for what they state: everybody is online and sends in every slot,
 * rounds follow the wall clock, and the slots' phases are uniform. What is not in them:
 * tor and links (some hundred milliseconds), records that are lost and sealed anew,
 * receivers who are away. Pure.
 */
#ifndef COMMON_JOURNAL_OUTLOOK_H
#define COMMON_JOURNAL_OUTLOOK_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/charter/params.h"

/* Sessions of one mix, which send like a person's and stand for nobody. */
#define OUTLOOK_MIX_SESSIONS 6
/* What a person is taken to write in a day if nobody says otherwise. */
#define OUTLOOK_MESSAGES_PER_DAY 50
/*
 * Deposits for a message: its own, and at most one for an acknowledgement by itself
 * (those that ride in an answer cost nothing).
 */
#define OUTLOOK_DEPOSITS_PER_MESSAGE 2

/* Sessions that send in every slot: everybody's, and those of the mixes. */
double outlook_sessions(const struct params *p);
/* Records that the whole network deposits in a round. */
double outlook_deposits_per_round(const struct params *p, double messages_per_day);
/* Bytes of the journal's stream to one mailbox: of a round's block, and of a record. */
double outlook_block_bytes(const struct params *p, double messages_per_day);
double outlook_record_bytes(const struct params *p);
/* What of the frames down they take, 0 to 1 and more. */
double outlook_stream_load(const struct params *p, double messages_per_day);
/* And what of a client's slots that may carry a message. */
double outlook_slot_load(const struct params *p, double messages_per_day);

/*
 * A message's way: written, sent in a slot, mixed, published at the end of a round, read
 * by whoever is online. Its sender sees it in the journal by the same law (`stored`).
 */
struct outlook_delay {
	/* Means of the parts, which add up to mean_ms. */
	double slot_ms, mixes_ms, round_ms, fetch_ms;
	double mean_ms;
	double p50_ms, p95_ms, p99_ms;
	/*
	 * Until it is shown: texts of one contact are shown in the order in which they were
	 * written, so a message that overtook one before it waits for that. As if written at
	 * random times, and all of the mixes' delays independent: who writes in bursts waits longer.
	 */
	double shown_mean_ms, shown_p50_ms, shown_p95_ms;
};
/*
 * What one person writes in a day: in all, and to the one to whom the message goes (which
 * shown_* alone depend on). ERR_RANGE with a sentence if people write more than their slots or
 * the frames down can carry, or a strategy holds packets for ever; ERR_MEMORY.
 */
RST_MUST_USE enum err outlook_delay(struct outlook_delay *out, const struct params *p,
    double messages_per_day, double to_one_per_day, struct diag *d);

/*
 * Among how many the sender of a packet is, to somebody who sees every link: 2 to the
 * power of the entropy, and 1 over the greatest probability. With the mixes of all layers
 * honest, and with only one that is (all others tell what they know).
 */
struct outlook_set {
	double effective, least;
};
struct outlook_anonymity {
	bool known; /* strategies that flush by the round, one mix in a layer */
	struct outlook_set people, people_one, packets, packets_one;
	double crowd; /* people who share a mailbox, of whom each may be who a record is for */
};
void outlook_anonymity(struct outlook_anonymity *out, const struct params *p);
/* The least of all that: of how many people a message is always one's, whoever watches. */
double outlook_least_people(const struct outlook_anonymity *a);

#endif
