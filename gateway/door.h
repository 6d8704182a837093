/*
 * The door through which members come: the onion service of a running gateway, or
 * registrar, its key and its groups, and the operator's verbs that change them (member-add,
 * member-remove, member-list).
 */
#ifndef GATEWAY_DOOR_H
#define GATEWAY_DOOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "common/net/loop.h"
#include "mix/daemon.h"
#include "mix/report.h"

/* Verbs of the desk. */
#define DOOR_ADD "member-add"	    /* payload: NAME, a blank, KEY; answers the onion id */
#define DOOR_REMOVE "member-remove" /* payload: NAME */
#define DOOR_LIST "member-list"	    /* answers the text of the file */

struct door;

struct door_settings {
	const char *entrance;	     /* "unix:/path" */
	const char *group;	     /* that may use it (tor's); NULL: nobody else */
	gid_t group_id;		     /* of that, by door_needs */
	const char *control, *socks; /* of tor */
	const char *cookie;	     /* NULL: as tor says */
	bool pow;
	unsigned streams;
};

/*
 * What can be seen of the configuration and the charter alone: the entrance's form, and
 * that the charter's is an onion address. ERR_USAGE with a sentence.
 */
RST_MUST_USE enum err door_check(const struct door_settings *s, const char *charter_entrance,
    struct diag *d);
/*
 * Look the group up (*id, if there is one), which the sandbox would not let us later, and
 * say what it has to allow. ERR_NOT_FOUND with a sentence.
 */
RST_MUST_USE enum err door_needs(gid_t *id, const struct door_settings *s, struct sandbox *sandbox,
    struct diag *d);
/*
 * Load key and groups, check this too, and that the charter's entrance is our onion address.
 * Everything is borrowed. Errors with a sentence.
 */
RST_MUST_USE enum err door_open(struct door **out, struct daemon *m, const struct door_settings *s,
    struct diag *d);
/* Whose door it is. */
struct door_house {
	struct workq *queue;	     /* one thread, the only user of the daemon's disk */
	void (*evict)(void *arg);    /* end everybody's connections: a group was removed */
	void *arg;
};
/* The house listens: hand its socket to the group, talk to tor, serve the verbs. */
RST_MUST_USE enum err door_start(struct door *k, const struct door_house *house, struct diag *d);
/* Before the house and its queue go: away from tor. NULL is a no-op, as for door_free after it. */
void door_stop(struct door *k);
void door_free(struct door *k);

/* A link was made at the entrance, with this handshake hash. */
void door_saw(struct door *k, const uint8_t *hash);
/* The section "tor" of `status`. */
void door_report(const struct door *k, struct report *r);

#endif
