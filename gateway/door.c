#include "config.h"

#include "gateway/door.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/civil.h"
#include "common/token/issuance.h"
#include "gateway/members.h"
#include "gateway/onionkey.h"
#include "gateway/toronion.h"
#include "gateway/torservice.h"

/* A change of the groups, while its file is written. */
struct change {
	struct door *door;
	struct desk_call *call;
	struct disk *disk;
	bool removed;
	enum err e;
	struct diag d;
	struct members next;
};

struct door {
	struct daemon *m;
	struct door_settings settings;
	struct onionkey *key;
	uint16_t port;
	struct members members; /* as on the disk */
	struct door_house house;
	struct torservice *tor; /* while started */
	struct change *change;	/* one at a time */
};

/* ---- checks ---- */

/* The charter has our address; its port is then ours. */
static enum err
check_address(struct door *k, struct diag *d)
{
	const char *entrance = k->m->own->entrance;

	if (memcmp(entrance, k->key->id, HSID_CHARS) != 0) /* public */
		return diag_set(d, ERR_USAGE, "the charter's entrance is another onion address than "
		    "that of the file onionkey, %s.onion: restore that file from a backup, or have "
		    "the charter changed", k->key->id);
	k->port = (uint16_t)strtoul(strrchr(entrance, ':') + 1, NULL, 10);
	return ERR_OK;
}

enum err
door_check(const struct door_settings *s, const char *charter_entrance, struct diag *d)
{
	if (s->entrance == NULL)
		return diag_set(d, ERR_USAGE, "with transport = tor the configuration must say "
		    "where tor delivers: entrance = unix:/path, such as "
		    "unix:/run/restante-gateway/entrance");
	if (!toronion_target_ok(s->entrance))
		return diag_set(d, ERR_USAGE, "entrance %s: with transport = tor it must be a unix "
		    "socket, unix:/path, of letters, digits and . _ + - alone", s->entrance);
	if (!hsid_is_address(charter_entrance))
		return diag_set(d, ERR_USAGE, "the charter's entrance is %s, no onion address: with "
		    "transport = tor it must be that of this gateway's onion service; have the "
		    "charter changed, or set transport = loopback", charter_entrance);
	return ERR_OK;
}

enum err
door_needs(gid_t *id, const struct door_settings *s, struct sandbox *sandbox, struct diag *d)
{
	const struct group *g = s->group != NULL ? getgrnam(s->group) : NULL;

	if (s->group != NULL && g == NULL)
		return diag_set(d, ERR_NOT_FOUND, "entrance-group %s: this machine has no such group",
		    s->group);
	if (g != NULL)
		*id = g->gr_gid;
	return sandbox_allow_cookie(sandbox, s->control, s->cookie);
}

/* tor runs as another user: its group gets the socket. */
static enum err
share(const struct door_settings *s, struct diag *d)
{
	const char *path = s->entrance + strlen("unix:"), *group = s->group;

	if (chown(path, (uid_t)-1, s->group_id) != 0 || chmod(path, 0660) != 0)
		return diag_set(d, ERR_IO, "entrance-group %s: the socket %s cannot be given to it "
		    "(%s); the gateway's user must be in that group", group, path, strerror(errno));
	return ERR_OK;
}

/* ---- tor ---- */

static void
on_changed(void *arg, enum torservice_state s)
{
	struct door *k = arg;

	if (s == TORSERVICE_READY)
		daemon_ready(k->m);
	else
		daemon_unready(k->m, torservice_state_text(s));
}

static void
on_evict(void *arg)
{
	struct door *k = arg;

	k->house.evict(k->house.arg);
}

/* Of a session's frames at a gateway, of a request and its answer at a registrar. */
static void
frame_sizes(struct torservice_config *cfg, const struct daemon *m)
{
	bool registrar = m->own->role == CHARTER_REGISTRAR;

	cfg->up_bytes = registrar ? ISSUANCE_REQUEST_BYTES : params_up_frame_bytes(&m->charter->params);
	cfg->down_bytes = registrar ? ISSUANCE_ANSWER_BYTES :
	    params_down_frame_bytes(&m->charter->params);
}

static enum err
start_tor(struct door *k, struct diag *d)
{
	static const struct torservice_events events = { on_changed, on_evict };
	struct torservice_config cfg = { .loop = k->m->loop,
		.charter = k->m->charter,
		.key = k->key,
		.link_pk = k->m->own->link,
		.port = k->port,
		.target = k->settings.entrance,
		.control = k->settings.control,
		.socks = k->settings.socks,
		.cookie_file = k->settings.cookie,
		.pow = k->settings.pow,
		.streams = k->settings.streams,
		.rng = rng_system(),
		.keys = rng_system(),
		.log = &k->m->log };
	enum err e;

	frame_sizes(&cfg, k->m);
	e = torservice_new(&k->tor, &cfg, &k->members, &events, k);
	if (e == ERR_OK)
		return ERR_OK;
	return diag_set(d, e, "tor-control %s, tor-socks %s: %s; give the addresses of tor's "
	    "sockets, such as unix:/run/tor/control", cfg.control, cfg.socks, err_text(e));
}

/* ---- the verbs ---- */

static void
on_saved(void *arg)
{
	struct change *c = arg;
	struct door *k = c->door;

	k->change = NULL;
	if (c->e == ERR_OK) {
		k->members = c->next;
		if (k->tor != NULL)
			torservice_set_members(k->tor, &k->members, c->removed);
		desk_answer(c->call, ERR_OK, k->key->id, HSID_CHARS);
	} else {
		desk_refuse(c->call, c->e, &c->d);
	}
	free(c);
}

static void
save(void *arg)
{
	struct change *c = arg;

	c->e = members_save(c->disk, &c->next, &c->d);
}

/* A change to begin with, on top of the groups that there are; NULL if that was refused. */
static struct change *
begin(struct door *k, struct desk_call *call)
{
	struct change *c = k->change == NULL ? calloc(1, sizeof(*c)) : NULL;
	struct diag d;

	if (k->change != NULL) {
		(void)diag_set(&d, ERR_BUSY, "another change is being written; try again");
		desk_refuse(call, ERR_BUSY, &d);
	} else if (c == NULL) {
		desk_refuse(call, ERR_MEMORY, NULL);
	} else {
		*c = (struct change){ .door = k, .call = call, .disk = k->m->disk };
		c->next = k->members;
	}
	return c;
}

/* e: whether the change could be made in memory. */
static void
carry_out(struct change *c, enum err e)
{
	if (e == ERR_OK)
		e = workq_add(c->door->house.queue, save, on_saved, c);
	if (e == ERR_OK) {
		c->door->change = c;
		return;
	}
	desk_refuse(c->call, e, &c->d);
	free(c);
}

/* The n bytes of a payload as a text. ERR_USAGE if they are none of this size. */
static enum err
text_of(char *out, size_t size, const uint8_t *p, size_t n, struct diag *d)
{
	if (n >= size || memchr(p, '\0', n) != NULL)
		return diag_set(d, ERR_USAGE, "the request is too long; this command and the daemon "
		    "are of different versions");
	memcpy(out, p, n);
	out[n] = '\0';
	return ERR_OK;
}

static void
on_add(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct change *c = begin(arg, call);
	char text[MEMBERS_NAME_MAX + MEMBERS_KEY_CHARS + 2], *blank;
	uint8_t key[32];
	enum err e;

	if (c == NULL)
		return;
	e = text_of(text, sizeof(text), payload, n, &c->d);
	blank = e == ERR_OK ? strchr(text, ' ') : NULL;
	if (blank != NULL)
		*blank = '\0';
	if (e == ERR_OK)
		e = members_check_name(text, &c->d);
	if (e == ERR_OK)
		e = members_parse_key(key, blank != NULL ? blank + 1 : "", &c->d);
	if (e == ERR_OK)
		e = members_add(&c->next, text, key, &c->d);
	carry_out(c, e);
}

static void
on_remove(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	struct change *c = begin(arg, call);
	char name[MEMBERS_NAME_MAX + 1];
	enum err e;

	if (c == NULL)
		return;
	c->removed = true;
	e = text_of(name, sizeof(name), payload, n, &c->d);
	if (e == ERR_OK)
		e = members_remove(&c->next, name, &c->d);
	carry_out(c, e);
}

static void
on_list(void *arg, struct desk_call *call, const uint8_t *payload, size_t n)
{
	const struct door *k = arg;
	struct buf text;

	(void)payload;
	(void)n;
	buf_init(&text);
	if (members_print(&text, &k->members) == ERR_OK)
		desk_answer(call, ERR_OK, text.data, text.len);
	else
		desk_refuse(call, ERR_MEMORY, NULL);
	buf_release(&text);
}

static enum err
serve(struct door *k)
{
	enum err e = desk_serve(k->m->desk, DOOR_ADD, on_add, k);

	if (e == ERR_OK)
		e = desk_serve(k->m->desk, DOOR_REMOVE, on_remove, k);
	return e == ERR_OK ? desk_serve(k->m->desk, DOOR_LIST, on_list, k) : e;
}

/* ---- life ---- */

enum err
door_open(struct door **out, struct daemon *m, const struct door_settings *s, struct diag *d)
{
	struct door *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->m = m;
	k->settings = *s;
	e = door_check(s, m->own->entrance, d);
	if (e == ERR_OK)
		e = onionkey_load(&k->key, m->disk, d);
	if (e == ERR_OK)
		e = check_address(k, d);
	if (e == ERR_OK)
		e = members_load(&k->members, m->disk, d);
	if (e == ERR_OK)
		*out = k;
	else
		door_free(k);
	return e;
}

enum err
door_start(struct door *k, const struct door_house *house, struct diag *d)
{
	enum err e = ERR_OK;

	k->house = *house;
	if (k->settings.group != NULL)
		e = share(&k->settings, d);
	if (e == ERR_OK)
		e = start_tor(k, d);
	if (e == ERR_OK)
		e = serve(k);
	if (e == ERR_OK)
		daemon_unready(k->m, torservice_state_text(TORSERVICE_NO_TOR));
	return e;
}

void
door_stop(struct door *k)
{
	if (k == NULL)
		return;
	torservice_free(k->tor);
	k->tor = NULL;
}

void
door_free(struct door *k)
{
	if (k == NULL)
		return;
	door_stop(k);
	onionkey_free(k->key);
	free(k);
}

/* ---- for others ---- */

void
door_saw(struct door *k, const uint8_t *hash)
{
	if (k->tor != NULL)
		torservice_saw(k->tor, hash);
}

void
door_report(const struct door *k, struct report *r)
{
	struct torservice_status s;
	char when[CIVIL_TEXT_BYTES];

	torservice_get_status(k->tor, &s);
	civil_text(when, log_rounded_ms(s.probed_ms));
	report_section(r, "tor");
	report_bool(r, "connected", s.connected);
	report_text(r, "version", s.version[0] != '\0' ? s.version : NULL);
	report_u64(r, "bootstrap", s.bootstrap);
	report_bool(r, "published", s.published);
	report_u64(r, "descriptors", s.uploaded);
	report_u64(r, "groups", s.groups);
	report_bool(r, "last_probe_ok", s.probe_ok);
	report_text(r, "reached", s.probed_ms > 0 ? when : NULL);
	report_text(r, "state", torservice_state_text(s.state));
	report_text(r, "trouble", s.trouble[0] != '\0' ? s.trouble : NULL);
}
