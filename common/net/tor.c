#include "config.h"

#include "common/net/tor.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/address.h"
#include "common/net/control.h"
#include "common/net/torprocess.h"

#define PHASE "status/bootstrap-phase"
#define KEY_COMMAND "ONION_CLIENT_AUTH_ADD "
#define KEY_TYPE " x25519:"
#define KEY_BASE64_SIZE 45 /* 32 bytes with padding, and the NUL */
#define VARIANT sodium_base64_VARIANT_ORIGINAL

struct tor {
	struct tor_config cfg; /* its strings are not used after tor_new */
	struct torprocess *process; /* NULL: somebody else's */
	struct control *control;    /* NULL: nothing to talk to at the moment */
	struct clientauth *key;	    /* secret memory; NULL: none */
	char also[HSID_SIZE];	    /* a second service that it is for; empty: none */
	struct timer *patience;	    /* until it must answer */
	struct timer *look;	    /* the next question */
	char socks[TOR_ADDRESS_SIZE];
	struct tor_status status;
};

static void
tell(struct tor *t)
{
	struct tor_status *s = &t->status;
	bool key = s->key == TOR_KEY_NONE || s->key == TOR_KEY_GIVEN;

	if (s->state == TOR_CLIMBING && s->bootstrap.progress == 100 && key)
		s->state = TOR_READY;
	else if (s->state == TOR_READY && (s->bootstrap.progress < 100 || !key))
		s->state = TOR_CLIMBING;
	if (s->state == TOR_READY && t->process != NULL)
		torprocess_well(t->process);
	if (t->cfg.changed != NULL)
		t->cfg.changed(t->cfg.arg);
}

/* ---- how far it is ---- */

static void
take_phase(struct tor *t, const char *text, size_t n)
{
	struct bootstrap *b = &t->status.bootstrap;

	if (bootstrap_parse(b, text, n) != ERR_OK)
		return;
	if (b->trouble)
		(void)diag_set(&t->status.why, ERR_TIMEOUT, "tor does not get on at %u %% (%s): is "
		    "this computer connected, and is Tor allowed there?", b->progress, b->tag);
	else if (t->status.key != TOR_KEY_REFUSED)
		t->status.why.text[0] = '\0';
	tell(t);
}

static void
on_phase(void *arg, const struct control_reply *r, enum err why)
{
	const char *text;
	size_t n;

	(void)why; /* a lost connection is told by itself */
	if (r != NULL && control_reply_value(&text, &n, r, PHASE))
		take_phase(arg, text, n);
}

/* Whether it tells by itself or not, it is asked. */
static void
on_told(void *arg, const struct control_reply *r, enum err why)
{
	(void)arg;
	(void)r;
	(void)why;
}

/* ---- the key ---- */

static void
refuse_key(struct tor *t, unsigned code)
{
	t->status.key = TOR_KEY_REFUSED;
	(void)diag_set(&t->status.why, ERR_USAGE, "tor refuses the client authorization (%u); is it "
	    "older than 0.4.3, or is the key not one for this network's entrance?", code);
}

static void
on_key(void *arg, const struct control_reply *r, enum err why)
{
	struct tor *t = arg;

	(void)why;
	if (r == NULL)
		return;
	/* added; replaced; added, and a descriptor that waited for it was opened */
	if (r->code >= 250 && r->code <= 252)
		t->status.key = TOR_KEY_GIVEN;
	else
		refuse_key(t, r->code);
	tell(t);
}

static enum err
give_key_for(struct tor *t, const char *service)
{
	char base64[KEY_BASE64_SIZE];
	char line[sizeof(KEY_COMMAND) + HSID_SIZE + sizeof(KEY_TYPE) + KEY_BASE64_SIZE];
	enum err e;

	(void)sodium_bin2base64(base64, sizeof(base64), t->key->secret, 32, VARIANT);
	(void)snprintf(line, sizeof(line), KEY_COMMAND "%s" KEY_TYPE "%s", service, base64);
	e = control_command(t->control, line, on_key, t);
	sodium_memzero(base64, sizeof(base64));
	sodium_memzero(line, sizeof(line));
	return e;
}

static enum err
give_key(struct tor *t)
{
	enum err e = ERR_OK;

	if (t->key == NULL || t->status.key == TOR_KEY_REFUSED)
		return ERR_OK;
	if (t->also[0] != '\0')
		e = give_key_for(t, t->also);
	return e == ERR_OK ? give_key_for(t, t->key->service) : e;
}

/* ---- looking after it ---- */

/*
 * Again and again: the key, which tor forgets when it is reloaded or told NEWNYM, and
 * the phase, so that a tor that hangs is noticed by the command's deadline.
 */
static void
on_look(void *arg)
{
	struct tor *t = arg;
	enum err e;

	if (t->control == NULL || !control_is_ready(t->control))
		return;
	e = give_key(t);
	if (e == ERR_OK)
		e = control_command(t->control, "GETINFO " PHASE, on_phase, t);
	timer_after(t->look, e == ERR_OK ? TOR_LOOK_MS : TOR_BACKOFF_MIN_MS);
}

static void
on_event(void *arg, const struct control_reply *event)
{
	static const char kind[] = "STATUS_CLIENT ", signal_kind[] = "SIGNAL ";
	const struct control_line *line = event->lines;

	if (event->count == 0)
		return;
	if (line->len > strlen(kind) && memcmp(line->text, kind, strlen(kind)) == 0) /* public */
		take_phase(arg, line->text + strlen(kind), line->len - strlen(kind));
	else if (line->len > strlen(signal_kind) &&
	    memcmp(line->text, signal_kind, strlen(signal_kind)) == 0) /* public */
		on_look(arg);
}

/* ---- its control port ---- */

static void
keep_version(struct tor_status *s, const char *version)
{
	(void)snprintf(s->version, sizeof(s->version), "%s", version);
}

static void
on_ready(void *arg, const char *version)
{
	struct tor *t = arg;
	enum err e;

	timer_cancel(t->patience);
	keep_version(&t->status, version);
	t->status.state = TOR_CLIMBING;
	t->status.why.text[0] = '\0';
	if (t->key != NULL)
		t->status.key = TOR_KEY_PENDING;
	e = control_command(t->control, "SETEVENTS STATUS_CLIENT SIGNAL", on_told, t);
	if (e != ERR_OK)
		(void)diag_set(&t->status.why, e, "tor cannot be asked (%s)", err_text(e));
	on_look(t);
	tell(t);
}

/* What it knew of us may be gone with it. */
static void
forget(struct tor *t)
{
	memset(&t->status.bootstrap, 0, sizeof(t->status.bootstrap));
	if (t->key != NULL)
		t->status.key = TOR_KEY_PENDING;
	timer_cancel(t->look);
}

static void
on_lost(void *arg, enum err e, const struct diag *why)
{
	struct tor *t = arg;

	(void)e;
	forget(t);
	if (t->process != NULL) {
		/* while it starts nobody listens, which is no news */
		if (t->status.state > TOR_STARTING)
			t->status.why = *why;
		t->status.state = TOR_STARTING;
		if (!timer_armed(t->patience))
			timer_after(t->patience, TOR_PATIENCE_MS);
	} else {
		t->status.why = *why;
		t->status.state = TOR_DOWN;
	}
	tell(t);
}

static enum err
talk(struct tor *t, const char *address, const char *cookie)
{
	static const struct control_events events = { on_ready, on_event, on_lost };
	const struct control_config cfg = { .loop = t->cfg.loop,
		.address = address,
		.cookie_file = cookie,
		.own = t->process != NULL,
		.rng = t->cfg.rng,
		.keys = t->cfg.keys };

	return control_new(&t->control, &cfg, &events, t);
}

/* ---- its process ---- */

static void
on_started(void *arg)
{
	struct tor *t = arg;

	t->status.state = TOR_STARTING;
	t->status.starts = torprocess_starts(t->process);
	timer_after(t->patience, TOR_PATIENCE_MS);
	/* without memory for this the patience ends, and it is tried again */
	if (talk(t, torprocess_control(t->process), torprocess_cookie(t->process)) != ERR_OK)
		t->control = NULL;
	tell(t);
}

static void
on_ended(void *arg, const struct diag *why)
{
	struct tor *t = arg;

	timer_cancel(t->patience);
	control_free(t->control);
	t->control = NULL;
	forget(t);
	t->status.state = TOR_DOWN;
	t->status.why = *why;
	tell(t);
}

static void
on_patience(void *arg)
{
	struct tor *t = arg;

	torprocess_kill(t->process, "tor does not answer at its control port; it was ended, and is "
	    "started again");
}

/* ---- life ---- */

static enum err
start_own(struct tor *t, struct diag *d)
{
	static const struct torprocess_events events = { on_started, on_ended };
	const struct torprocess_config cfg = { .loop = t->cfg.loop,
		.rng = t->cfg.rng,
		.directory = t->cfg.directory,
		.sockets = t->cfg.sockets,
		.program = t->cfg.program,
		.extra = t->cfg.extra,
		.helper = t->cfg.helper,
		.helper_program = t->cfg.helper_program };
	enum err e = torprocess_new(&t->process, &cfg, &events, t, d);

	if (e == ERR_OK)
		(void)snprintf(t->socks, sizeof(t->socks), "%s", torprocess_socks(t->process));
	t->status.own = true;
	t->status.state = TOR_DOWN;
	return e;
}

static enum err
use_theirs(struct tor *t, struct diag *d)
{
	const struct tor_config *c = &t->cfg;

	if (c->control == NULL || c->socks == NULL)
		return diag_set(d, ERR_USAGE, "a tor that is not our own is named by the addresses of "
		    "its control port and its SOCKS port: tor-control and tor-socks");
	if (address_check(c->control) != ERR_OK || address_check(c->socks) != ERR_OK ||
	    strlen(c->socks) >= sizeof(t->socks))
		return diag_set(d, ERR_USAGE, "tor-control and tor-socks take numbers and ports, such as "
		    "127.0.0.1:9051, or unix:/path");
	memcpy(t->socks, c->socks, strlen(c->socks) + 1);
	t->status.state = TOR_STARTING;
	return talk(t, c->control, c->cookie);
}

static enum err
set_up(struct tor *t, struct diag *d)
{
	if (t->cfg.key != NULL) {
		t->key = secret_new(sizeof(*t->key));
		if (t->key == NULL)
			return ERR_MEMORY;
		*t->key = *t->cfg.key;
		t->status.key = TOR_KEY_PENDING;
	}
	t->patience = timer_new(t->cfg.loop, on_patience, t);
	t->look = timer_new(t->cfg.loop, on_look, t);
	if (t->patience == NULL || t->look == NULL)
		return ERR_MEMORY;
	return t->cfg.directory != NULL ? start_own(t, d) : use_theirs(t, d);
}

enum err
tor_new(struct tor **out, const struct tor_config *cfg, struct diag *d)
{
	struct tor *t = calloc(1, sizeof(*t));
	enum err e;

	if (t == NULL)
		return ERR_MEMORY;
	t->cfg = *cfg;
	if (cfg->also != NULL && hsid_is_address(cfg->also))
		memcpy(t->also, cfg->also, HSID_CHARS);
	e = set_up(t, d);
	if (e != ERR_OK) {
		tor_free(t);
		return e;
	}
	*out = t;
	return ERR_OK;
}

void
tor_free(struct tor *t)
{
	if (t == NULL)
		return;
	control_free(t->control);
	torprocess_free(t->process);
	if (t->patience != NULL)
		timer_free(t->patience);
	if (t->look != NULL)
		timer_free(t->look);
	secret_free(t->key);
	free(t);
}

const char *
tor_socks(const struct tor *t)
{
	return t->socks;
}

bool
tor_is_ready(const struct tor *t)
{
	return t->status.state == TOR_READY;
}

void
tor_get_status(const struct tor *t, struct tor_status *out)
{
	*out = t->status;
}

const char *
tor_state_text(enum tor_state s)
{
	switch (s) {
	case TOR_DOWN:
		return "down";
	case TOR_STARTING:
		return "starting";
	case TOR_CLIMBING:
		return "connecting";
	case TOR_READY:
		return "ready";
	}
	return "unknown";
}

const char *
tor_key_text(enum tor_key k)
{
	switch (k) {
	case TOR_KEY_NONE:
		return "none";
	case TOR_KEY_PENDING:
		return "pending";
	case TOR_KEY_GIVEN:
		return "given";
	case TOR_KEY_REFUSED:
		return "refused";
	}
	return "unknown";
}
