/*
 * How far a tor has come in connecting to its network, as it says so: in the
 * value of `GETINFO status/bootstrap-phase` and in STATUS_CLIENT events. tor's
 * control-spec, "Bootstrap phases". Pure.
 *
 *   NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"
 *   WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY="..." WARNING="..." REASON=NOROUTE ...
 */
#ifndef COMMON_NET_BOOTSTRAP_H
#define COMMON_NET_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define BOOTSTRAP_TAG_SIZE 32

struct bootstrap {
	unsigned progress;	      /* 0 to 100 */
	char tag[BOOTSTRAP_TAG_SIZE]; /* "handshake", "done"; letters, digits, '_' and '-' */
	bool trouble;		      /* it warns that it does not get on */
};

/*
 * Read n characters. ERR_NOT_FOUND if they are about something else, ERR_MALFORMED
 * if they are about this but not in its form.
 */
RST_MUST_USE enum err bootstrap_parse(struct bootstrap *out, const char *text, size_t n);

#endif
