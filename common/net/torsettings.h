/*
 * The keys of a configuration file that say how the gateway's entrance is
 * reached: restante.conf(5), restante-mix.conf(5).
 */
#ifndef COMMON_NET_TORSETTINGS_H
#define COMMON_NET_TORSETTINGS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/config/table.h"
#include "common/net/tor.h"

#define TORSETTINGS_PATH_SIZE 1024

enum torsettings_transport { TORSETTINGS_AUTO, TORSETTINGS_TOR, TORSETTINGS_DIRECT };
enum torsettings_whose { TORSETTINGS_OWN, TORSETTINGS_NAMED };

struct torsettings {
	enum torsettings_transport transport;
	enum torsettings_whose whose;
	char program[TORSETTINGS_PATH_SIZE], config[TORSETTINGS_PATH_SIZE];
	char control[TOR_ADDRESS_SIZE], cookie[TORSETTINGS_PATH_SIZE], socks[TOR_ADDRESS_SIZE];
};

/* "auto", "tor", "direct"; "own", "named": for the rows below. */
extern const char *const torsettings_transports[], *const torsettings_whoses[];

/* The rows of a table, for a struct torsettings that is a member of type. */
#define TORSETTINGS_ROWS(target, member)                                                           \
	{ .name = "transport", .type = CONFIG_ENUM, .choices = torsettings_transports,             \
	    .fallback = "auto", .help = "how the entrance is reached; auto: through tor if it is " \
	    "an onion address", CONFIG_FIELD(target, member.transport) },                          \
	{ .name = "tor", .type = CONFIG_ENUM, .choices = torsettings_whoses, .fallback = "own",    \
	    .help = "start a tor of our own, or use the one at tor-control and tor-socks",         \
	    CONFIG_FIELD(target, member.whose) },                                                  \
	{ .name = "tor-program", .type = CONFIG_STRING, .fallback = "tor",                         \
	    .unit = "PROGRAM", .help = "the program of our own tor, a path or a name",             \
	    CONFIG_FIELD(target, member.program) },                                                \
	{ .name = "tor-config", .type = CONFIG_PATH, .fallback = "",                               \
	    .help = "a file of more lines for our own tor, for a network of its own",              \
	    CONFIG_FIELD(target, member.config) },                                                 \
	{ .name = "tor-control", .type = CONFIG_ADDRESS, .fallback = "",                           \
	    .help = "the control port of a named tor", CONFIG_FIELD(target, member.control) },     \
	{ .name = "tor-cookie", .type = CONFIG_PATH, .fallback = "",                               \
	    .help = "the file of its cookie, if not the one that it names itself",                 \
	    CONFIG_FIELD(target, member.cookie) },                                                 \
	{ .name = "tor-socks", .type = CONFIG_ADDRESS, .fallback = "",                             \
	    .help = "the SOCKS port of a named tor", CONFIG_FIELD(target, member.socks) }

/*
 * Whether this entrance is reached through tor, and that the keys fit together.
 * ERR_USAGE with a sentence.
 */
RST_MUST_USE enum err torsettings_decide(bool *through_tor, const struct torsettings *s,
    const char *entrance, struct diag *d);
/* Fill what the settings say of a tor_config; the directory is for an own one. */
void torsettings_fill(struct tor_config *out, const struct torsettings *s, const char *directory,
    const char *sockets);

#endif
