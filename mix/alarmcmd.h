/*
 * The operator's own command for alarms: run once for each that begins or ends, as
 *
 *   PATH raised|cleared NAME NUMBER
 *
 * by the daemon's helper (common/net/helper.h), without a shell, with an environment of
 * PATH alone and /dev/null for standard input, output and error. One runs at a time, the
 * others wait in order; one that takes longer than ALARMCMD_LIMIT_MS is killed with its
 * group.
 */
#ifndef MIX_ALARMCMD_H
#define MIX_ALARMCMD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/net/helper.h"
#include "common/net/loop.h"

#define ALARMCMD_LIMIT_MS 30000
#define ALARMCMD_WAITING_MAX 32 /* beyond, an alarm is not told to the command */

struct alarmcmd;

/* The command is this program of the helper, which is borrowed. ERR_MEMORY. */
RST_MUST_USE enum err alarmcmd_new(struct alarmcmd **out, struct loop *l, struct log *log,
    struct helper *helper, size_t program);
/* Kill what still runs, and free. NULL is a no-op. */
void alarmcmd_free(struct alarmcmd *x);

/*
 * Run it for this alarm when its turn comes; name is borrowed for ever. A command that
 * cannot be run, or fails, is a warning of the log (alarm-command-failed): code is its
 * exit status, 128 and the signal that ended it, or 127 if it could not be started.
 */
void alarmcmd_tell(struct alarmcmd *x, bool raised, const char *name, uint64_t number);

#endif
