#include "config.h"

#include "client-lib/command/way.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/command/place.h"
#include "client-lib/command/talk.h"
#include "client-lib/profile.h"
#include "common/base/secret.h"

struct way {
	struct restante *r;
	struct tor *tor; /* NULL: direct */
	void (*changed)(void *arg);
	void *arg;
	struct profile profile;
	char sockets[PLACE_PATH_MAX]; /* of an own tor; empty: in its directory */
};

static void
on_changed(void *arg)
{
	struct way *w = arg;

	restante_hold(w->r, !tor_is_ready(w->tor));
	w->changed(w->arg);
}

/* ---- opening ---- */

static enum err
load_profile(struct way *w, const char *directory, struct diag *d)
{
	char path[PLACE_PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" PROFILE_FILE, directory) >= (int)sizeof(path))
		return diag_set(d, ERR_RANGE, "the path of the client directory is too long");
	return config_load(&w->profile, &profile_schema, path, d);
}

/* *key stays NULL if there is none. Secret memory. */
static enum err
load_key(struct clientauth **key, struct restante *r, struct diag *d)
{
	char line[RESTANTE_AUTHORIZATION_SIZE];
	struct clientauth *a;
	int rc = restante_authorization(r, line);
	enum err e;

	if (rc == RESTANTE_E_NOT_FOUND)
		return ERR_OK;
	if (rc != RESTANTE_OK)
		return diag_set(d, talk_code(rc), "%s", restante_explain(r));
	a = secret_new(sizeof(*a));
	e = a != NULL ? clientauth_parse(a, line, strlen(line), d) : ERR_MEMORY;
	sodium_memzero(line, sizeof(line));
	if (e != ERR_OK) {
		secret_free(a);
		return e;
	}
	*key = a;
	return ERR_OK;
}

/* A tor's directory within the client's, as an absolute path. */
static enum err
tor_directory(char out[static PLACE_PATH_MAX], const char *directory, struct diag *d)
{
	if (snprintf(out, PLACE_PATH_MAX, "%s/tor", directory) >= PLACE_PATH_MAX)
		return diag_set(d, ERR_RANGE, "the path of the client directory is too long");
	return ERR_OK;
}

static enum err
start_tor(struct way *w, struct loop *l, const char *directory, struct diag *d)
{
	struct tor_config cfg = { .loop = l,
		.rng = rng_system(),
		.keys = rng_system(),
		.changed = on_changed,
		.arg = w };
	struct clientauth *key = NULL;
	char path[PLACE_PATH_MAX];
	enum err e = tor_directory(path, directory, d);

	if (e == ERR_OK)
		e = place_tor(w->sockets, directory, d);
	if (e == ERR_OK)
		e = load_key(&key, w->r, d);
	if (e == ERR_OK) {
		cfg.key = key;
		cfg.also = restante_registrar(w->r);
		torsettings_fill(&cfg, &w->profile.tor, path,
		    w->sockets[0] != '\0' ? w->sockets : NULL);
		e = tor_new(&w->tor, &cfg, d);
	}
	secret_free(key);
	return e;
}

static enum err
open_way(struct way *w, struct loop *l, const char *directory, struct diag *d)
{
	bool through_tor = false;
	enum err e = load_profile(w, directory, d);

	if (e == ERR_OK)
		e = torsettings_decide(&through_tor, &w->profile.tor, restante_entrance(w->r), d);
	if (e == ERR_USAGE)
		e = ERR_MALFORMED; /* a file of the directory, not the command line */
	if (e != ERR_OK || !through_tor)
		return e;
	e = start_tor(w, l, directory, d);
	if (e != ERR_OK)
		return e;
	if (restante_set_socks(w->r, tor_socks(w->tor)) != RESTANTE_OK)
		return diag_set(d, ERR_USAGE, "%s", restante_explain(w->r));
	restante_hold(w->r, 1);
	return ERR_OK;
}

enum err
way_open(struct way **out, struct restante *r, struct loop *l, const char *directory,
    void (*changed)(void *arg), void *arg, struct diag *d)
{
	struct way *w = calloc(1, sizeof(*w));
	enum err e;

	if (w == NULL)
		return ERR_MEMORY;
	w->r = r;
	w->changed = changed;
	w->arg = arg;
	e = open_way(w, l, directory, d);
	if (e != ERR_OK) {
		way_free(w);
		return e;
	}
	*out = w;
	return ERR_OK;
}

void
way_free(struct way *w)
{
	if (w == NULL)
		return;
	tor_free(w->tor);
	if (w->sockets[0] != '\0')
		(void)rmdir(w->sockets);
	free(w);
}

bool
way_status(const struct way *w, struct tor_status *out)
{
	if (w->tor == NULL)
		return false;
	tor_get_status(w->tor, out);
	return true;
}
