/*
 * What the onion service and tor say to each other, as text. Pure. tor's
 * control-spec: ADD_ONION, HS_DESC, circuit-status.
 */
#ifndef GATEWAY_TORONION_H
#define GATEWAY_TORONION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/control.h"
#include "gateway/members.h"
#include "gateway/onionkey.h"

/* What a service is added with. */
struct toronion_service {
	const struct onionkey *key;
	const struct members *members;
	const uint8_t *probe_pk; /* one more key that is let in */
	uint16_t port;
	const char *target; /* "unix:/path" */
	bool pow;
	unsigned streams;
};

/*
 * The command that adds a service, with its NUL, into size bytes of secret memory.
 * ERR_FULL.
 */
RST_MUST_USE enum err toronion_add(char *out, size_t size, const struct toronion_service *s);
/* Whether a path can stand in that command: tor takes no blank and no quote in it. */
bool toronion_target_ok(const char *target);

/* What happened to one of a service's descriptors. */
enum toronion_event {
	TORONION_OTHER,
	TORONION_UPLOAD,   /* it is on its way to a directory */
	TORONION_UPLOADED, /* it got there */
	TORONION_FAILED,   /* it did not */
	TORONION_RECEIVED, /* it was fetched from one */
};
/* An HS_DESC event about the service `id`; TORONION_OTHER for every other text. */
enum toronion_event toronion_hs_desc(const char *text, size_t len, const char *id);
/* The progress in "... BOOTSTRAP PROGRESS=100 ..."; false if there is none. */
bool toronion_bootstrap(unsigned *percent, const char *text, size_t len);

/* The next line of a text, without its end; *at moves behind it. NULL at the end. */
const char *toronion_line(size_t *len, const char **at, const char *end);
/* Whether a line of circuit-status is a client's rendezvous with the service; its id then. */
bool toronion_rendezvous(uint32_t *circuit, const char *line, size_t len, const char *id);

#endif
