#include "config.h"

#include "common/net/torsettings.h"

#include "common/crypto/hsid.h"
#include "common/net/socks.h"

const char *const torsettings_transports[] = { "auto", "tor", "direct", NULL };
const char *const torsettings_whoses[] = { "own", "named", NULL };

static const char *
given(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

/* Keys that would do nothing are a mistake. */
static enum err
check_whose(const struct torsettings *s, struct diag *d)
{
	bool control = s->control[0] != '\0', socks = s->socks[0] != '\0';

	if (s->whose == TORSETTINGS_NAMED && !(control && socks))
		return diag_set(d, ERR_USAGE, "tor = named needs tor-control and tor-socks");
	if (s->whose == TORSETTINGS_OWN && (control || socks || s->cookie[0] != '\0'))
		return diag_set(d, ERR_USAGE,
		    "tor-control, tor-cookie and tor-socks are for tor = named; write that, too");
	if (s->whose == TORSETTINGS_NAMED && s->config[0] != '\0')
		return diag_set(d, ERR_USAGE, "tor-config is for tor = own: a named tor has its own");
	return ERR_OK;
}

enum err
torsettings_decide(bool *through_tor, const struct torsettings *s, const char *entrance,
    struct diag *d)
{
	bool onion = socks_is_onion(entrance);
	enum err e = check_whose(s, d);

	if (e != ERR_OK)
		return e;
	if (onion && !hsid_is_address(entrance))
		return diag_set(d, ERR_USAGE, "the entrance %s is misspelt: its checksum does not fit; "
		    "compare it with what the gateway's operator published", entrance);
	if (onion && s->transport == TORSETTINGS_DIRECT)
		return diag_set(d, ERR_USAGE, "the entrance is an onion address, which is reached "
		    "through tor only: remove transport = direct, or name another entrance");
	*through_tor = onion || s->transport == TORSETTINGS_TOR;
	return ERR_OK;
}

void
torsettings_fill(struct tor_config *out, const struct torsettings *s, const char *directory,
    const char *sockets)
{
	if (s->whose == TORSETTINGS_NAMED) {
		out->control = given(s->control);
		out->socks = given(s->socks);
		out->cookie = given(s->cookie);
		return;
	}
	out->directory = directory;
	out->sockets = sockets;
	out->program = given(s->program);
	out->extra = given(s->config);
}
