/*
 * How a client stands: what restante_status fills. Included by restante/restante.h.
 */
#ifndef RESTANTE_STATUS_H
#define RESTANTE_STATUS_H

#include <stdint.h>

/* Bits of restante_status.alarms; restante(1) says what each means. */
#define RESTANTE_ALARM_STALL 1u
#define RESTANTE_ALARM_CLOCK 2u
#define RESTANTE_ALARM_CHAIN 4u
#define RESTANTE_ALARM_DISK 8u
#define RESTANTE_ALARM_SHEET 16u
#define RESTANTE_ALARM_CHARTER 32u
#define RESTANTE_ALARM_FORK 64u
#define RESTANTE_ALARM_DENIED 128u
#define RESTANTE_ALARM_ENTRY 256u
#define RESTANTE_ALARM_SUCCESSION 512u
#define RESTANTE_ALARM_NOTES 1024u
#define RESTANTE_ALARM_ENROL 2048u
#define RESTANTE_ALARM_REGISTRAR 4096u
#define RESTANTE_ALARM_ISSUER 8192u
#define RESTANTE_ALARM_TICKETS 16384u
#define RESTANTE_ALARM_STAMPS 32768u

/* Why all secrets began anew: a backup was restored, or the directory was an old copy. */
enum restante_restarted {
	RESTANTE_RESTARTED_NEVER,
	RESTANTE_RESTARTED_BACKUP,
	RESTANTE_RESTARTED_COPY,
};
struct restante_status {
	int online, verified, caught_up;
	unsigned gaps, alarms;
	uint32_t epoch, people;
	uint64_t round;
	int64_t clock_skew_ms, forecast_ms, slot_ms;
	uint64_t slots, skipped, real, notes, drops;
	uint32_t queued, unacknowledged;
	char network[64];
	uint32_t time_scale; /* over 1: a test network, not for real use */
	enum restante_restarted restarted;
	int64_t restarted_at; /* seconds, to the minute */
	uint32_t void_invitations; /* that were open then */
	uint32_t charter, coming_charter, coming_epoch; /* versions in force and to come; 0: none */
	/*
	 * Whether the network asks for tickets and stamps, and what is left: tickets for this
	 * hour, stamps in this epoch of an allotment, coming epochs of which all is there.
	 */
	int tokens_needed, enrolled;
	uint32_t tickets, stamps, stamps_allotment, tokens_ahead;
	/*
	 * What to expect of the network, if people write as usual: half and 95 of 100 messages
	 * are stored within so long (0: not known), and among how many people the sender of a
	 * packet is, whoever watches (0: not known for the mixes' strategies).
	 */
	int64_t half_ms, most_ms;
	uint32_t people_effective, people_least;
};

#endif
