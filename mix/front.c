#include "config.h"

#include "mix/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/secret.h"
#include "mix/secretfile.h"

#define PATH_BYTES 4096

struct front {
	struct tor *tor; /* NULL: direct */
	struct log *log;
	bool was_open;
	void (*open)(void *arg, bool is);
	void *arg;
};

/* ---- the client authorization ---- */

static enum err
parse_for(struct clientauth *a, const char *line, size_t n, const char *entrance, struct diag *d)
{
	struct diag why = { "" };
	enum err e = clientauth_parse(a, line, n, &why);

	if (e != ERR_OK)
		return diag_set(d, e, "authorization: %.400s", why.text);
	if (strncmp(a->service, entrance, HSID_CHARS) != 0)
		return diag_set(d, ERR_USAGE, "authorization: this key is for another onion service "
		    "than the gateway's entrance; ask its operator for the right one");
	return ERR_OK;
}

/* *key stays NULL if there is none. Secret memory. */
static enum err
load_key(struct clientauth **key, const struct front_config *cfg, struct diag *d)
{
	struct clientauth *a;
	size_t n = 0;
	char *line;
	enum err e;

	if (cfg->authorization[0] == '\0')
		return ERR_OK;
	e = secretfile_read(&line, &n, cfg->authorization, "authorization", d);
	if (e != ERR_OK)
		return e;
	a = secret_new(sizeof(*a));
	e = a != NULL ? parse_for(a, line, n, cfg->entrance, d) : ERR_MEMORY;
	secret_free(line);
	if (e != ERR_OK) {
		secret_free(a);
		return e;
	}
	*key = a;
	return ERR_OK;
}

static enum err
decide(bool *through_tor, const struct front_config *cfg, struct diag *d)
{
	enum err e = torsettings_decide(through_tor, cfg->settings, cfg->entrance, d);

	if (e == ERR_OK && !*through_tor && cfg->authorization[0] != '\0')
		return diag_set(d, ERR_USAGE, "authorization: the entrance is no onion service, which "
		    "no client authorization is for; remove the key");
	return e;
}

enum err
front_check(const struct front_config *cfg, struct diag *d)
{
	struct clientauth *key = NULL;
	bool through_tor;
	enum err e = decide(&through_tor, cfg, d);

	if (e == ERR_OK)
		e = load_key(&key, cfg, d);
	secret_free(key);
	return e;
}

/* ---- for the sandbox ---- */

/* tor's directory, as tor.h has it. It must be there before what it may write is limited to it. */
static enum err
own_needs(const struct front_config *cfg, struct helper_program *program, struct tor_helped *x,
    struct diag *d)
{
	const char *sought = cfg->settings->program;
	char directory[PATH_BYTES];

	if (snprintf(directory, sizeof(directory), "%s/tor", cfg->state) >= PATH_BYTES)
		return diag_set(d, ERR_RANGE, "the path of the state directory is too long");
	/* without a state directory there is nothing to run, and who opens it says so */
	if (mkdir(directory, 0700) != 0 && errno != EEXIST && errno != ENOENT)
		return diag_set(d, ERR_IO, "%s: cannot be made: %m", directory);
	return tor_helped(program, x, sought[0] != '\0' ? sought : NULL, directory, d);
}

enum err
front_needs(const struct front_config *cfg, struct sandbox *s, bool *own,
    struct helper_program *program, struct tor_helped *x, struct diag *d)
{
	const struct torsettings *tor = cfg->settings;
	bool through_tor = false;
	enum err e = decide(&through_tor, cfg, d);

	*own = false;
	if (e != ERR_OK || !through_tor)
		return e;
	if (cfg->authorization[0] != '\0')
		e = sandbox_allow(s, SANDBOX_READ, cfg->authorization);
	if (e == ERR_OK && tor->config[0] != '\0')
		e = sandbox_allow(s, SANDBOX_READ, tor->config);
	if (e != ERR_OK)
		return e;
	if (tor->whose == TORSETTINGS_NAMED)
		return sandbox_allow_cookie(s, tor->control, tor->cookie[0] != '\0' ? tor->cookie : NULL);
	*own = true;
	return own_needs(cfg, program, x, d);
}

/* ---- life ---- */

static void
on_changed(void *arg)
{
	struct front *f = arg;
	struct tor_status s;

	if (tor_is_ready(f->tor) == f->was_open)
		return;
	f->was_open = !f->was_open;
	tor_get_status(f->tor, &s);
	log_event(f->log, f->was_open ? LOG_TOR_READY : LOG_TOR_GONE, s.starts, 0, 0);
	f->open(f->arg, f->was_open);
}

static enum err
start(struct front *f, const struct front_config *cfg, struct diag *d)
{
	struct tor_config tor = { .loop = cfg->loop,
		.rng = rng_system(),
		.keys = rng_system(),
		.changed = on_changed,
		.arg = f };
	struct clientauth *key = NULL;
	char directory[PATH_BYTES];
	enum err e = load_key(&key, cfg, d);

	if (e == ERR_OK && snprintf(directory, sizeof(directory), "%s/tor", cfg->state) >= PATH_BYTES)
		e = diag_set(d, ERR_RANGE, "the path of the state directory is too long");
	if (e == ERR_OK) {
		tor.key = key;
		tor.also = cfg->registrar;
		tor.helper = cfg->helper;
		tor.helper_program = cfg->helper_program;
		torsettings_fill(&tor, cfg->settings, directory, NULL);
		e = tor_new(&f->tor, &tor, d);
	}
	secret_free(key);
	return e;
}

enum err
front_new(struct front **out, const struct front_config *cfg, void (*open)(void *arg, bool is),
    void *arg, struct diag *d)
{
	struct front *f = calloc(1, sizeof(*f));
	bool through_tor = false;
	enum err e;

	if (f == NULL)
		return ERR_MEMORY;
	f->log = cfg->log;
	f->open = open;
	f->arg = arg;
	e = decide(&through_tor, cfg, d);
	if (e == ERR_OK && through_tor)
		e = start(f, cfg, d);
	if (e != ERR_OK) {
		front_free(f);
		return e;
	}
	*out = f;
	return ERR_OK;
}

void
front_free(struct front *f)
{
	if (f == NULL)
		return;
	tor_free(f->tor);
	free(f);
}

const char *
front_socks(const struct front *f)
{
	return f->tor != NULL ? tor_socks(f->tor) : NULL;
}

bool
front_is_open(const struct front *f)
{
	return f->tor == NULL || tor_is_ready(f->tor);
}

void
front_report(const struct front *f, struct report *r)
{
	struct tor_status s;

	if (f->tor == NULL)
		return;
	tor_get_status(f->tor, &s);
	report_section(r, "tor");
	report_bool(r, "own", s.own);
	report_text(r, "state", tor_state_text(s.state));
	report_u64(r, "progress", s.bootstrap.progress);
	report_text(r, "authorization", tor_key_text(s.key));
	report_text(r, "version", s.version[0] != '\0' ? s.version : NULL);
	report_u64(r, "starts", s.starts);
	report_text(r, "problem", s.why.text[0] != '\0' ? s.why.text : NULL);
}
