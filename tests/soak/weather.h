/*
 * What befalls a town, drawn from the world's own source: deaths, disks, lines, clocks.
 * What lasts for a while is undone when its time is over, or when it calms down.
 */
#ifndef TESTS_SOAK_WEATHER_H
#define TESTS_SOAK_WEATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/soak/town.h"

enum weather_kind {
	WEATHER_KILL,	    /* kill -9 of a node; started again after a while */
	WEATHER_KILL_WRITE, /* in one of its next writes, which takes effect, in part, or not */
	WEATHER_UNPLUG,	    /* its peers are not told */
	WEATHER_OUTAGE,	    /* down for hours */
	WEATHER_CLIENT_KILL,
	WEATHER_CLIENT_KILL_WRITE,
	WEATHER_CLIENT_OFF, /* closed in order, for minutes to hours */
	WEATHER_DISK_FULL,
	WEATHER_CUT,	    /* two hosts cannot reach each other */
	WEATHER_BREAK,	    /* all connections of a host */
	WEATHER_REFUSE,	    /* a host takes no new connections */
	WEATHER_BAD_LINE,   /* slow, late and narrow */
	WEATHER_SKEW,	    /* a clock is off by up to 30 s */
	WEATHER_JUMP,	    /* by minutes to two hours */
	WEATHER_SLEEP,
	WEATHER_OLD_DISK,   /* a mix comes back with the disk of minutes ago */
	WEATHER_ECHO,	    /* every other packet is repeated */
	WEATHER_CHARTER,
	WEATHER_NEWCOMERS,
};
#define WEATHER_KINDS (WEATHER_NEWCOMERS + 1)

struct ailment {
	enum weather_kind kind; /* of the host, or the two hosts */
	struct fixture_node *node; /* NULL: a person's */
	struct person *person;
	struct world_host *other;
	int64_t until_ms, delta_ms;
	struct disk *backup;
};
#define WEATHER_AILMENTS 24

struct weather {
	struct town *town;
	struct ailment ailments[WEATHER_AILMENTS];
	size_t count;
	uint64_t struck[WEATHER_KINDS];
};

void weather_begin(struct weather *w, struct town *t);
void weather_end(struct weather *w);
/* Something happens. */
void weather_strike(struct weather *w);
/* End what is over. */
void weather_pass(struct weather *w);
/* End everything: whoever is down is started, clocks are right, lines good. */
void weather_calm(struct weather *w);
const char *weather_name(enum weather_kind k);

#endif
