/*
 * What the two node daemons, restante-mix and restante-gateway, share: `init`,
 * which makes a node's keys, and `run`, from the configuration to the end by a
 * signal. What runs on it is a struct daemon_node.
 */
#ifndef MIX_DAEMON_H
#define MIX_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/charter/charter.h"
#include "common/config/options.h"
#include "common/net/helper.h"
#include "common/net/loop.h"
#include "common/net/tor.h"
#include "mix/desk.h"
#include "mix/nodekeys.h"
#include "mix/sandbox.h"
#include "mix/watch.h"

#define DAEMON_PATH_BYTES 1024
#define DAEMON_USER_BYTES 64

/* Programs of the helper. */
#define DAEMON_ALARM_COMMAND 0
#define DAEMON_TOR 1

/* The keys that both configuration files have: the first member of their structs. */
struct daemon_settings {
	char state[DAEMON_PATH_BYTES], charter[DAEMON_PATH_BYTES];
	char listen[CHARTER_ADDRESS_MAX], entrance[CHARTER_ADDRESS_MAX];
	char desk[CHARTER_ADDRESS_MAX]; /* empty: unix:STATE/desk */
	char alarm_command[DAEMON_PATH_BYTES];
	char user[DAEMON_USER_BYTES];	 /* empty: who starts it */
	bool sandbox;
	int64_t disk_low;
	int64_t threads;
	enum log_level log_level;
};
/* "debug" to "alarm", for a CONFIG_ENUM row. */
extern const char *const daemon_levels[];

/*
 * The rows of a table, for a struct daemon_settings that is a member of target: what all
 * daemons have but for their addresses.
 */
#define DAEMON_ROWS(target, member)                                                                \
	{ .name = "desk", .type = CONFIG_ADDRESS, .fallback = "",                                  \
	    .help = "the unix socket at which the running daemon is asked; else STATE/desk",       \
	    CONFIG_FIELD(target, member.desk) },                                                   \
	{ .name = "alarm-command", .type = CONFIG_PATH, .fallback = "", .unit = "PROGRAM",         \
	    .help = "run with raised|cleared, the name and the number of each alarm",              \
	    CONFIG_FIELD(target, member.alarm_command) },                                          \
	{ .name = "disk-low", .type = CONFIG_SIZE, .min = 0, .max = (int64_t)1 << 50,              \
	    .fallback = "256MiB", .help = "less free space than this is an alarm",                 \
	    CONFIG_FIELD(target, member.disk_low) },                                               \
	{ .name = "user", .type = CONFIG_STRING, .fallback = "", .unit = "USER",                   \
	    .help = "the account to run as, if started as root",                                   \
	    CONFIG_FIELD(target, member.user) },                                                   \
	{ .name = "sandbox", .type = CONFIG_BOOL, .fallback = "yes",                               \
	    .help = "give up files and system calls that are not needed; no: for debugging",       \
	    CONFIG_FIELD(target, member.sandbox) },                                                \
	{ .name = "log-level", .type = CONFIG_ENUM, .choices = daemon_levels, .fallback = "info",  \
	    .help = "the least level that is logged, on standard error",                           \
	    CONFIG_FIELD(target, member.log_level) }

/* Options of `run`. */
struct daemon_run_options {
	char config[DAEMON_PATH_BYTES];
	bool check;
};
extern const struct config_schema daemon_run_schema;

/* Options of `status`. */
struct daemon_status_options {
	char config[DAEMON_PATH_BYTES];
	bool json;
};
extern const struct config_schema daemon_status_schema;

/* Exit codes of `status` beside those of common/config/options.h. */
#define DAEMON_EXIT_ALARM 1	   /* not ready, or an alarm */
#define DAEMON_EXIT_UNAVAILABLE 69 /* no daemon runs there */

/* What is open while a node runs. */
struct daemon {
	const struct daemon_settings *settings;
	struct log log;
	struct charter *charter;
	struct disk *disk;
	struct nodekeys *keys;
	struct loop *loop;
	const struct charter_node *own;
	struct desk *desk; /* for verbs of the node's own: desk_serve in `start` */
	struct watch *watch;
	struct sandbox *sandbox;
	struct helper *helper; /* NULL: nothing is to be run */
};

/* What a node needs besides what all have. */
struct daemon_needs {
	struct sandbox *sandbox; /* to be told its paths */
	bool runs_tor;
	struct helper_program tor;
	struct tor_helped tor_strings;
};

struct daemon_node {
	enum charter_role role;
	/* Make the node on m's loop; arg is daemon_run's. */
	enum err (*start)(void *arg, struct daemon *m, struct diag *d);
	void (*stop)(void *arg, int64_t linger_ms, void (*stopped)(void *arg), void *stopped_arg);
	/* Also after a start that failed half-way. */
	void (*free)(void *arg);
	struct watch_node watch; /* what `status` and the alarms are made of */
	/* What else of the configuration must be right: m has settings and charter. May be NULL. */
	enum err (*check)(void *arg, const struct daemon *m, struct diag *d);
	/* What the sandbox has to allow; m as for check. */
	enum err (*needs)(void *arg, const struct daemon *m, struct daemon_needs *n, struct diag *d);
};

/* The configured text, or NULL if it is empty: "as the charter says". */
const char *daemon_given(const char *s);

/*
 * Ask the system for so many open files at a time; returns how many there may
 * be. A node that runs out of them cannot write its state either.
 */
uint64_t daemon_want_files(uint64_t wanted);

/*
 * The node is there for others, from the next turn of the loop on: `status` and the
 * service manager are told. daemon_unready: it is not (any more); why is a sentence
 * without a full stop that lives for ever. Before either it is not ready.
 */
void daemon_ready(struct daemon *m);
void daemon_unready(struct daemon *m, const char *why);

/* Where the desk is. ERR_USAGE with a sentence for a path too long for a socket. */
RST_MUST_USE enum err daemon_desk(char out[static CHARTER_ADDRESS_MAX],
    const struct daemon_settings *s, struct diag *d);
/*
 * The configuration alone, for the commands that ask a running daemon: into settings,
 * whose first member is a struct daemon_settings. OPTIONS_EXIT_OK, or the exit code
 * after a sentence.
 */
int daemon_settings_load(const struct call *c, const struct config_schema *schema,
    void *settings, const char *config);
/* options_fail for what desk_ask came to. */
int daemon_ask_failed(const struct call *c, enum err e, const struct diag *d);
/* The command `status`: ask the running daemon, print, and return the exit code. */
int daemon_status(const struct call *c, const struct config_schema *schema, void *settings);

/*
 * Say where a gateway's clients come in, once its keys are made in this directory: a
 * text into out. Errors with a sentence.
 */
typedef enum err daemon_entrance_cb(void *arg, char out[static CHARTER_ADDRESS_MAX],
    struct disk *disk, struct diag *d);
/*
 * Make keys in dir and print the node's public line; returns the exit code. entrance:
 * NULL for mixes; address: "" for the registrar, which has none.
 */
int daemon_init(const struct call *c, const char *dir, enum charter_role role,
    const char *address, daemon_entrance_cb *entrance, void *arg);

/*
 * Read the configuration that c's daemon_run_options name into settings (whose
 * first member is a struct daemon_settings), and run the node until SIGTERM,
 * SIGINT or SIGHUP; with --check-config only check. Returns the exit code.
 */
int daemon_run(const struct call *c, const struct config_schema *schema, void *settings,
    const struct daemon_node *node, void *arg);

#endif
