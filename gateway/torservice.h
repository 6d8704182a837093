/*
 * The gateway's onion service on a tor that is not ours: one control connection
 * that stays open, over which the service is added under our own key, watched
 * until its descriptors are uploaded, tried from outside, and added again whenever
 * it may be gone. docs/protocol.md, "The onion service".
 *
 * Who is reached is what counts: the probe dials our own address through tor and
 * makes a link. Its handshake hash must be one that our entry has seen, and the
 * descriptor must be one that admits the probe, as all of ours do; else another
 * process serves our key.
 */
#ifndef GATEWAY_TORSERVICE_H
#define GATEWAY_TORSERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/net/loop.h"
#include "gateway/members.h"
#include "gateway/onionkey.h"

/* So long a service may take to have its descriptors uploaded. */
#define TORSERVICE_UPLOAD_MS 90000
/* So long tor may be away until it is an alarm. */
#define TORSERVICE_PATIENCE_MS 120000
/* How often tor is asked something, to see that it answers. */
#define TORSERVICE_LOOK_MS 60000
/* Between two probes that succeed (each is drawn from half to one and a half of it). */
#define TORSERVICE_PROBE_MS 600000
/* After a probe that failed: doubled each time, up to TORSERVICE_PROBE_MS. */
#define TORSERVICE_REPROBE_MS 10000
/* So many probes in a row must fail until the service is added anew, with an alarm. */
#define TORSERVICE_PROBES 3
/* Before the next attempt after tor has refused: doubled each time. */
#define TORSERVICE_RETRY_MIN_MS 1000
#define TORSERVICE_RETRY_MAX_MS 60000

struct torservice;

/* How it stands; the numbers are those of the log. */
enum torservice_state {
	TORSERVICE_READY = 0,	   /* a probe came through */
	TORSERVICE_NO_TOR = 1,	   /* no control connection */
	TORSERVICE_NOBODY = 2,	   /* no groups: nothing is published */
	TORSERVICE_REFUSED = 3,	   /* tor refuses the service */
	TORSERVICE_COLLISION = 4,  /* tor has a service with our key already */
	TORSERVICE_FOREIGN = 5,	   /* tor made another address of our key: given up */
	TORSERVICE_UPLOADING = 6,  /* descriptors are on their way */
	TORSERVICE_UPLOADS_FAIL = 7, /* they do not get there */
	TORSERVICE_PROBING = 8,	   /* published, and not yet tried */
	TORSERVICE_UNREACHED = 9,  /* probes fail */
	TORSERVICE_TWIN = 10,	   /* a probe reached somebody else with our keys */
};
/* A clause for people, constant, without a full stop. */
const char *torservice_state_text(enum torservice_state s);

struct torservice_config {
	struct loop *loop;
	const struct charter *charter; /* borrowed, as all that follows */
	const struct onionkey *key;
	const uint8_t *link_pk;	    /* ours, for the probe */
	size_t up_bytes, down_bytes; /* frames of the links at our entry, likewise */
	uint16_t port;		    /* of the onion address */
	const char *target;	    /* "unix:/path" that our entry listens at; no blanks */
	const char *control, *socks; /* addresses of tor */
	const char *cookie_file;    /* NULL: as tor says */
	bool pow;		    /* proof-of-work defence, if this tor has it */
	unsigned streams;	    /* at most, per circuit */
	const struct rng *rng, *keys;
	struct log *log;
};

struct torservice_events {
	/* The state is another one, or its sentence is (torservice_get_status). */
	void (*changed)(void *arg, enum torservice_state s);
	/*
	 * A group was removed, and its circuits are closed: end all sessions, for
	 * nobody knows which were its own.
	 */
	void (*evict)(void *arg);
};

struct torservice_status {
	enum torservice_state state;
	bool connected;		   /* to tor's control port */
	char version[32];	   /* of that tor; empty before */
	unsigned bootstrap;	   /* per cent */
	bool published;
	unsigned uploads, uploaded; /* of descriptors since the service was added */
	bool probed, probe_ok;	   /* the last probe */
	int64_t probed_ms;	   /* wall clock of the last one that came through; 0: none */
	size_t groups;
	char trouble[512];	   /* a sentence; empty: none */
};

/* Begin to dial tor. The members are copied. ERR_MEMORY, ERR_USAGE. */
RST_MUST_USE enum err torservice_new(struct torservice **out, const struct torservice_config *cfg,
    const struct members *m, const struct torservice_events *events, void *arg);
/* Closing the control connection ends the service. NULL is a no-op. */
void torservice_free(struct torservice *t);

/*
 * Other groups: the service is deleted and added anew. With `removed` also the
 * circuits that are open are closed, and evict comes.
 */
void torservice_set_members(struct torservice *t, const struct members *m, bool removed);
/* Our entry has made a link with this handshake hash. */
void torservice_saw(struct torservice *t, const uint8_t hash[static 32]);

void torservice_get_status(const struct torservice *t, struct torservice_status *out);

#endif
