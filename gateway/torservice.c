#include "config.h"

#include "gateway/torservice.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/control.h"
#include "gateway/probe.h"
#include "gateway/toronion.h"

#define CIRCUITS 1024	/* closed after one question */
#define SWEEPS_MAX 16	/* questions until they are all closed */
#define SWEEPS_LOST 3	/* connections that break under them until no more are asked */
#define COMMAND_BYTES 32768 /* the longest command: MEMBERS_MAX groups */
#define FIRST_PROBE_MS 2000
#define DENIALS 2 /* of our own probe, one after the other: that is no old descriptor any more */
#define FETCH_MS 10000 /* for a fresh descriptor to come */
#define KEY_TEXT sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)

struct torservice {
	struct torservice_config cfg;
	struct torservice_events events;
	void *arg;
	char *service_target;
	struct control *control;
	struct members members;
	uint8_t *probe_sk; /* 32 bytes of secret memory */
	uint8_t probe_pk[32];
	struct probe *probe;
	struct timer *retry, *upload, *prober, *patience, *look;
	/* of this control connection */
	bool busy;	 /* a command waits for its answer */
	bool subscribed, asked_phase, authorized, has_probe_key, pow_off;
	bool there;	 /* the service is added */
	bool published;
	bool fetch, fetching; /* a fresh descriptor is to be asked for; is awaited */
	/* what is to be done */
	bool stale;	 /* the service does not do: delete it, add it again */
	unsigned wanted, added; /* which members there should be, and which there are */
	bool sweep;	 /* close the circuits that are open */
	bool given_up;	 /* no more attempts: another address than ours */
	unsigned sweeps, sweeps_lost;
	size_t circuit_count;
	uint32_t circuits[CIRCUITS];
	/* how it went */
	unsigned collisions, denials, failed_probes, failed_uploads;
	int64_t retry_ms, reprobe_ms;
	enum torservice_state down; /* as the log has it; TORSERVICE_READY: none */
	bool twin, sweep_failed;
	struct torservice_status status;
};

static void step(struct torservice *t);

/* ---- the state, for people and the log ---- */

const char *
torservice_state_text(enum torservice_state s)
{
	switch (s) {
	case TORSERVICE_READY:
		return "reached through tor";
	case TORSERVICE_NO_TOR:
		return "tor's control port cannot be used";
	case TORSERVICE_NOBODY:
		return "there are no groups of members, so nothing is published";
	case TORSERVICE_REFUSED:
		return "tor refuses the onion service";
	case TORSERVICE_COLLISION:
		return "this tor serves our onion key already, for another process";
	case TORSERVICE_FOREIGN:
		return "tor made another address of our onion key";
	case TORSERVICE_UPLOADING:
		return "the onion service is being published";
	case TORSERVICE_UPLOADS_FAIL:
		return "tor could not publish the onion service";
	case TORSERVICE_PROBING:
		return "the onion service is published and not yet tried";
	case TORSERVICE_UNREACHED:
		return "the onion service cannot be reached through tor";
	case TORSERVICE_TWIN:
		return "another process serves our onion key";
	}
	return "";
}

static bool
is_alarm(enum torservice_state s)
{
	switch (s) {
	case TORSERVICE_REFUSED:
	case TORSERVICE_COLLISION:
	case TORSERVICE_FOREIGN:
	case TORSERVICE_UPLOADS_FAIL:
	case TORSERVICE_UNREACHED:
		return true;
	case TORSERVICE_READY:
	case TORSERVICE_NO_TOR: /* after a while: on_patience */
	case TORSERVICE_NOBODY:
	case TORSERVICE_UPLOADING:
	case TORSERVICE_PROBING:
	case TORSERVICE_TWIN: /* has its own */
		break;
	}
	return false;
}

static void
raise_down(struct torservice *t, enum torservice_state s, uint64_t code)
{
	if (t->down != s)
		log_event(t->cfg.log, LOG_ONION_DOWN, (uint64_t)s, code, 0);
	t->down = s;
}

static void
clear_down(struct torservice *t)
{
	if (t->down != TORSERVICE_READY)
		log_event(t->cfg.log, LOG_ONION_DOWN_OVER, 0, 0, 0);
	t->down = TORSERVICE_READY;
}

/*
 * trouble: a sentence, or NULL; the last one stays until all is well, as the alarm
 * does. code: tor's, for the log.
 */
static void
become(struct torservice *t, enum torservice_state s, uint64_t code, const char *trouble)
{
	enum torservice_state before = t->status.state;

	t->status.state = s;
	if (trouble != NULL || s == TORSERVICE_READY || s == TORSERVICE_NOBODY)
		(void)snprintf(t->status.trouble, sizeof(t->status.trouble), "%s",
		    trouble != NULL ? trouble : "");
	if (is_alarm(s))
		raise_down(t, s, code);
	if (s == TORSERVICE_READY || s == TORSERVICE_NOBODY) {
		timer_cancel(t->patience);
		clear_down(t);
	}
	if (s == TORSERVICE_READY && t->twin) {
		t->twin = false;
		log_event(t->cfg.log, LOG_ONION_TWIN_OVER, 0, 0, 0);
	}
	if (s == TORSERVICE_NOBODY && before != s)
		log_event(t->cfg.log, LOG_ONION_NO_MEMBERS, 0, 0, 0);
	if (s == TORSERVICE_READY && before != s)
		log_event(t->cfg.log, LOG_ONION_READY, 0, 0, 0);
	t->events.changed(t->arg, s);
}

/* ---- commands, one at a time ---- */

static int64_t
jittered(const struct torservice *t, int64_t ms)
{
	return rng_between(t->cfg.rng, ms / 2, ms);
}

static void
later(struct torservice *t)
{
	timer_after(t->retry, jittered(t, t->retry_ms));
	t->retry_ms *= 2;
	if (t->retry_ms > TORSERVICE_RETRY_MAX_MS)
		t->retry_ms = TORSERVICE_RETRY_MAX_MS;
}

static void
say(struct torservice *t, const char *line, control_reply_cb *cb)
{
	enum err e = control_command(t->control, line, cb, t);

	if (e == ERR_OK)
		t->busy = true;
	else
		later(t);
}

/* Whether there is an answer; without one the connection is lost, and that comes by itself. */
static bool
answered(struct torservice *t, const struct control_reply *r)
{
	t->busy = false;
	return r != NULL;
}

static void
refused(struct torservice *t, const char *what, const struct control_reply *r)
{
	struct diag d;

	(void)diag_set(&d, ERR_STATE, "tor answers %u to %s; see tor's own log, and that it is "
	    "version " CONTROL_TOR_MIN " or later", r->code, what);
	become(t, TORSERVICE_REFUSED, r->code, d.text);
	later(t);
}

static void
on_subscribed(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;

	(void)why;
	if (!answered(t, r))
		return;
	if (r->code == 250)
		t->subscribed = true;
	else
		refused(t, "SETEVENTS", r);
	step(t);
}

static void
on_phase(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;
	const char *text;
	size_t len;

	(void)why;
	if (!answered(t, r))
		return;
	t->asked_phase = true;
	timer_after(t->look, TORSERVICE_LOOK_MS);
	if (control_reply_value(&text, &len, r, "status/bootstrap-phase"))
		(void)toronion_bootstrap(&t->status.bootstrap, text, len);
	step(t);
}

/* The answer makes no difference. */
static void
on_whatever(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;

	(void)why;
	if (answered(t, r))
		step(t);
}

/* ---- adding ---- */

static void
watch_uploads(struct torservice *t)
{
	t->there = true;
	t->stale = false;
	t->collisions = 0;
	t->retry_ms = TORSERVICE_RETRY_MIN_MS;
	t->status.uploads = t->status.uploaded = t->failed_uploads = 0;
	timer_after(t->upload, TORSERVICE_UPLOAD_MS);
	become(t, TORSERVICE_UPLOADING, 0, NULL);
}

/* tor has added a service, but not ours: away with it, and never again. */
static void
give_up(struct torservice *t, const char *id, size_t len)
{
	char text[HSID_SIZE], line[sizeof("DEL_ONION ") + HSID_SIZE];

	t->given_up = true;
	become(t, TORSERVICE_FOREIGN, 250, "tor made another address of our onion key than the "
	    "charter has; nothing is published: see that tor is a genuine one, and start anew");
	if (len != HSID_CHARS)
		return;
	memcpy(text, id, len);
	text[len] = '\0';
	if (hsid_parse(NULL, text) != ERR_OK)
		return;
	(void)snprintf(line, sizeof(line), "DEL_ONION %s", text);
	say(t, line, on_whatever);
}

static void
not_added(struct torservice *t, const struct control_reply *r)
{
	if (r->code == 512 && t->cfg.pow && !t->pow_off) {
		/* tor before 0.4.9 does not know the word */
		t->pow_off = true;
		log_event(t->cfg.log, LOG_ONION_NO_POW, r->code, 0, 0);
	} else if (r->code == 550 && t->collisions++ == 0) {
		later(t); /* our own former connection, perhaps */
	} else if (r->code == 550) {
		become(t, TORSERVICE_COLLISION, r->code, "this tor has a service with our onion "
		    "key already: stop the other gateway that uses it, or remove the key from "
		    "torrc");
		later(t);
	} else {
		refused(t, "ADD_ONION", r);
	}
}

static void
on_added(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;
	const char *id = "";
	size_t len = 0;

	(void)why;
	if (!answered(t, r))
		return;
	if (r->code != 250)
		not_added(t, r);
	else if (control_reply_value(&id, &len, r, "ServiceID") && len == HSID_CHARS &&
	    memcmp(id, t->cfg.key->id, len) == 0) /* public */
		watch_uploads(t);
	else
		give_up(t, id, len);
	step(t);
}

static void
add(struct torservice *t)
{
	const struct toronion_service s = { .key = t->cfg.key,
		.members = &t->members,
		.probe_pk = t->probe_pk,
		.port = t->cfg.port,
		.target = t->cfg.target,
		.pow = t->cfg.pow && !t->pow_off,
		.streams = t->cfg.streams };
	char *line = secret_new(COMMAND_BYTES);

	t->added = t->wanted;
	if (line != NULL && toronion_add(line, COMMAND_BYTES, &s) == ERR_OK)
		say(t, line, on_added);
	else
		later(t);
	secret_free(line);
}

/* ---- deleting ---- */

static void
stop_probing(struct torservice *t)
{
	timer_cancel(t->prober);
	probe_stop(t->probe);
	t->fetch = t->fetching = false;
}

static void
is_gone(struct torservice *t)
{
	t->there = t->published = t->status.published = false;
	timer_cancel(t->upload);
	stop_probing(t);
}

static void
on_deleted(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;

	(void)why;
	if (!answered(t, r))
		return;
	/* 552: it was gone already */
	if (r->code == 250 || r->code == 552) {
		is_gone(t);
		t->stale = false;
		become(t, TORSERVICE_UPLOADING, 0, NULL);
	} else {
		refused(t, "DEL_ONION", r);
	}
	step(t);
}

static void
delete(struct torservice *t)
{
	char line[sizeof("DEL_ONION ") + HSID_SIZE];

	stop_probing(t);
	(void)snprintf(line, sizeof(line), "DEL_ONION %s", t->cfg.key->id);
	say(t, line, on_deleted);
}

/* ---- closing the circuits of a group that was removed ---- */

static void
swept(struct torservice *t)
{
	t->sweep = false;
	if (t->sweep_failed)
		log_event(t->cfg.log, LOG_ONION_EVICTION_DONE, 0, 0, 0);
	t->sweep_failed = false;
	log_event(t->cfg.log, LOG_ONION_EVICTED, t->members.count, 0, 0);
	t->events.evict(t->arg);
}

/* It will be tried again; what can be done without tor is done now, once. */
static void
sweep_fails(struct torservice *t, uint64_t code)
{
	if (t->sweep_failed)
		return;
	t->sweep_failed = true;
	log_event(t->cfg.log, LOG_ONION_EVICTION_FAILED, code, 0, 0);
	t->events.evict(t->arg);
}

/*
 * Each time we ask tor for its circuits the connection breaks: others must be let
 * in some day. The alarm stays.
 */
static void
sweep_lost(struct torservice *t, uint64_t code)
{
	sweep_fails(t, code);
	if (++t->sweeps_lost >= SWEEPS_LOST)
		t->sweep = false;
}

static void
find_circuits(struct torservice *t, const struct control_reply *r)
{
	const char *text = NULL, *at, *line;
	size_t len = 0, line_len;

	t->circuit_count = 0;
	if (!control_reply_value(&text, &len, r, "circuit-status"))
		return;
	at = text;
	while (t->circuit_count < CIRCUITS &&
	    (line = toronion_line(&line_len, &at, text + len)) != NULL)
		if (toronion_rendezvous(&t->circuits[t->circuit_count], line, line_len,
			t->cfg.key->id))
			t->circuit_count++;
}

static void
on_circuits(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;

	(void)why;
	if (!answered(t, r))
		return;
	if (r->code != 250) {
		sweep_fails(t, r->code);
		later(t);
		return;
	}
	find_circuits(t, r);
	if (t->circuit_count == 0 || ++t->sweeps > SWEEPS_MAX)
		swept(t);
	step(t);
}

static void
sweep(struct torservice *t)
{
	char line[sizeof("CLOSECIRCUIT 4294967295")];

	if (t->circuit_count == 0) {
		say(t, "GETINFO circuit-status", on_circuits);
		return;
	}
	(void)snprintf(line, sizeof(line), "CLOSECIRCUIT %" PRIu32, t->circuits[--t->circuit_count]);
	say(t, line, on_whatever); /* 552: it was gone already */
}

/* ---- the probe ---- */

static void
on_authorized(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;
	struct diag d;

	(void)why;
	if (!answered(t, r))
		return;
	t->authorized = true;
	t->has_probe_key = r->code >= 250 && r->code <= 252;
	if (!t->has_probe_key) {
		(void)diag_set(&d, ERR_STATE, "tor answers %u to ONION_CLIENT_AUTH_ADD, so that the "
		    "onion service cannot be tried; see tor's own log", r->code);
		become(t, TORSERVICE_UNREACHED, r->code, d.text);
	}
	step(t);
}

/* Our own key for our own service; what tor forgets when it ends. */
static void
authorize(struct torservice *t)
{
	char key[KEY_TEXT], line[HSID_SIZE + sizeof(key) + 64];

	(void)sodium_bin2base64(key, sizeof(key), t->probe_sk, 32, sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(line, sizeof(line), "ONION_CLIENT_AUTH_ADD %s x25519:%s", t->cfg.key->id,
	    key);
	say(t, line, on_authorized);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(line, sizeof(line));
}

static void
probe_again(struct torservice *t)
{
	timer_after(t->prober, jittered(t, t->reprobe_ms));
	t->reprobe_ms *= 2;
	if (t->reprobe_ms > TORSERVICE_PROBE_MS)
		t->reprobe_ms = TORSERVICE_PROBE_MS;
}

static void
probe_failed(struct torservice *t, enum err e)
{
	struct diag d;

	t->failed_probes++;
	log_event(t->cfg.log, LOG_ONION_PROBE_FAILED, t->failed_probes, (uint64_t)-(int64_t)e, 0);
	if (t->failed_probes % TORSERVICE_PROBES != 0)
		return;
	(void)diag_set(&d, e, "%u attempts in a row to reach our own onion address failed (%s); see "
	    "that tor-socks is a port of this tor, and what its log says", t->failed_probes,
	    err_text(e));
	become(t, TORSERVICE_UNREACHED, (uint64_t)-(int64_t)e, d.text);
	t->stale = true;
}

static void
found_twin(struct torservice *t)
{
	if (!t->twin)
		log_event(t->cfg.log, LOG_ONION_TWIN, 0, 0, 0);
	t->twin = true;
	/* No fight over it; but what a twin that is gone has left is to be replaced. */
	if (++t->failed_probes % TORSERVICE_PROBES == 0)
		t->stale = true;
	become(t, TORSERVICE_TWIN, 0, "our onion address leads to another process that has our keys: "
	    "stop the other gateway; if there is none that you know of, the keys were stolen and "
	    "the charter must be changed");
}

/*
 * Whether a descriptor that is out there does not admit our probe, which all of ours
 * do: somebody else has published it.
 */
static bool
is_denied(struct torservice *t, enum err e)
{
	t->denials = e == ERR_DENIED && t->has_probe_key ? t->denials + 1 : 0;
	return t->denials >= DENIALS;
}

static void
on_probed(void *arg, enum err e)
{
	struct torservice *t = arg;

	t->status.probed = true;
	t->status.probe_ok = e == ERR_OK;
	if (e == ERR_OK) {
		t->failed_probes = t->denials = 0;
		t->reprobe_ms = TORSERVICE_REPROBE_MS;
		t->status.probed_ms = loop_wall_ms(t->cfg.loop);
		timer_after(t->prober,
		    rng_between(t->cfg.rng, TORSERVICE_PROBE_MS / 2, TORSERVICE_PROBE_MS * 3 / 2));
		become(t, TORSERVICE_READY, 0, NULL);
		return;
	}
	probe_again(t);
	if (e == ERR_EXISTS || is_denied(t, e))
		found_twin(t);
	else
		probe_failed(t, e);
	step(t);
}

static void
on_fetched(void *arg, const struct control_reply *r, enum err why)
{
	struct torservice *t = arg;

	(void)why;
	if (!answered(t, r))
		return;
	t->fetching = true;
	step(t);
}

/*
 * tor would reach us by the descriptor that it remembers. What others find is what a
 * directory has now.
 */
static void
fetch(struct torservice *t)
{
	char line[sizeof("HSFETCH ") + HSID_SIZE];

	t->fetch = false;
	(void)snprintf(line, sizeof(line), "HSFETCH %s", t->cfg.key->id);
	say(t, line, on_fetched);
}

/* First for a fresh descriptor; then, when it has come or is late, for the probe. */
static void
on_prober(void *arg)
{
	struct torservice *t = arg;

	if (!t->published)
		return;
	if (!t->fetch && !t->fetching) {
		t->authorized = false; /* a reload of tor's, or a NEWNYM, takes the key away */
		t->fetch = true;
		timer_after(t->prober, FETCH_MS);
		step(t);
		return;
	}
	t->fetch = t->fetching = false;
	if (probe_start(t->probe) != ERR_OK)
		probe_again(t);
}

/* ---- publication ---- */

static void
publish(struct torservice *t)
{
	if (t->published)
		return;
	t->published = t->status.published = true;
	timer_cancel(t->upload);
	timer_cancel(t->patience);
	log_event(t->cfg.log, LOG_ONION_PUBLISHED, t->members.count, t->status.uploaded, 0);
	become(t, TORSERVICE_PROBING, 0, NULL);
	timer_after(t->prober, jittered(t, t->failed_probes == 0 ? FIRST_PROBE_MS : t->reprobe_ms));
}

static void
on_upload_late(void *arg)
{
	struct torservice *t = arg;
	struct diag d;

	if (t->status.uploaded > 0) {
		publish(t);
		return;
	}
	(void)diag_set(&d, ERR_TIMEOUT, "tor has not published the onion service in %d seconds (it "
	    "is connected to its network by %u %%); see tor's log, the clock and the line",
	    TORSERVICE_UPLOAD_MS / 1000, t->status.bootstrap);
	become(t, TORSERVICE_UPLOADS_FAIL, t->failed_uploads, d.text);
	t->stale = true;
	step(t);
}

static void
on_descriptor(struct torservice *t, enum toronion_event e)
{
	switch (e) {
	case TORONION_UPLOAD:
		t->status.uploads++;
		return;
	case TORONION_UPLOADED:
		t->status.uploaded++;
		break;
	case TORONION_FAILED:
		t->failed_uploads++;
		break;
	case TORONION_RECEIVED:
		if (t->fetching)
			timer_after(t->prober, 0);
		return;
	case TORONION_OTHER:
		return;
	}
	if (t->there && t->status.uploaded > 0 &&
	    t->status.uploaded + t->failed_uploads >= t->status.uploads)
		publish(t);
}

/* ---- the connection ---- */

static void
on_ready(void *arg, const char *version)
{
	struct torservice *t = arg;

	timer_cancel(t->retry);
	t->busy = t->subscribed = t->asked_phase = t->authorized = t->pow_off = false;
	t->circuit_count = 0;
	t->sweeps = 0;
	t->status.connected = true;
	t->status.bootstrap = 0;
	(void)snprintf(t->status.version, sizeof(t->status.version), "%s", version);
	log_event(t->cfg.log, LOG_TOR_CONNECTED, 0, 0, 0);
	if (control_version_is_old(version))
		log_event(t->cfg.log, LOG_TOR_OLD, 0, 0, 0);
	step(t);
}

static void
on_event(void *arg, const struct control_reply *r)
{
	struct torservice *t = arg;

	for (size_t i = 0; i < r->count; i++) {
		const struct control_line *l = &r->lines[i];

		on_descriptor(t, toronion_hs_desc(l->text, l->len, t->cfg.key->id));
		(void)toronion_bootstrap(&t->status.bootstrap, l->text, l->len);
	}
}

static void
on_lost(void *arg, enum err e, const struct diag *why)
{
	struct torservice *t = arg;
	bool was_connected = t->status.connected;

	if (was_connected)
		log_event(t->cfg.log, LOG_TOR_LOST, (uint64_t)-(int64_t)e, 0, 0);
	t->status.connected = false;
	t->busy = false;
	timer_cancel(t->retry);
	timer_cancel(t->look);
	is_gone(t);
	t->stale = false;
	if (!timer_armed(t->patience))
		timer_after(t->patience, TORSERVICE_PATIENCE_MS);
	if (t->sweep && was_connected)
		sweep_lost(t, (uint64_t)-(int64_t)e);
	if (!t->given_up)
		become(t, TORSERVICE_NO_TOR, 0, why->text);
}

static void
on_patience(void *arg)
{
	struct torservice *t = arg;

	if (t->down == TORSERVICE_READY)
		raise_down(t, TORSERVICE_NO_TOR, 0);
}

/* A tor that hangs keeps the connection, and says nothing: it is asked something. */
static void
on_look(void *arg)
{
	struct torservice *t = arg;

	t->asked_phase = false;
	step(t);
}

static void
on_retry(void *arg)
{
	step(arg);
}

/* Do the next thing that is to be done, if nothing is under way. */
static void
step(struct torservice *t)
{
	if (!control_is_ready(t->control) || t->busy || timer_armed(t->retry))
		return;
	if (!t->subscribed)
		say(t, "SETEVENTS HS_DESC STATUS_CLIENT", on_subscribed);
	else if (!t->asked_phase)
		say(t, "GETINFO status/bootstrap-phase", on_phase);
	else if (t->there && (t->stale || t->added != t->wanted))
		delete(t);
	else if (t->sweep)
		sweep(t);
	else if (t->members.count == 0 && !t->given_up)
		become(t, TORSERVICE_NOBODY, 0, NULL);
	else if (!t->there && !t->given_up)
		add(t);
	else if (t->fetch && !t->authorized)
		authorize(t);
	else if (t->fetch)
		fetch(t);
}

/* ---- life ---- */

static enum err
make_probe(struct torservice *t)
{
	char target[HSID_SIZE + sizeof(".onion:65535")];
	const struct probe_config cfg = { .loop = t->cfg.loop,
		.socks = t->cfg.socks,
		.target = target,
		.charter = t->cfg.charter,
		.link_pk = t->cfg.link_pk,
		.up_bytes = t->cfg.up_bytes,
		.down_bytes = t->cfg.down_bytes,
		.keys = t->cfg.keys };

	t->probe_sk = secret_new(32);
	if (t->probe_sk == NULL)
		return ERR_MEMORY;
	rng_bytes(t->cfg.keys, t->probe_sk, 32);
	if (crypto_scalarmult_base(t->probe_pk, t->probe_sk) != 0)
		return ERR_CRYPTO;
	(void)snprintf(target, sizeof(target), "%s.onion:%u", t->cfg.key->id, (unsigned)t->cfg.port);
	return probe_new(&t->probe, &cfg, on_probed, t);
}

static enum err
make_parts(struct torservice *t)
{
	t->service_target = strdup(t->cfg.target);
	t->retry = timer_new(t->cfg.loop, on_retry, t);
	t->upload = timer_new(t->cfg.loop, on_upload_late, t);
	t->prober = timer_new(t->cfg.loop, on_prober, t);
	t->patience = timer_new(t->cfg.loop, on_patience, t);
	t->look = timer_new(t->cfg.loop, on_look, t);
	if (t->service_target == NULL || t->retry == NULL || t->upload == NULL ||
	    t->prober == NULL || t->patience == NULL || t->look == NULL)
		return ERR_MEMORY;
	t->cfg.target = t->service_target;
	return make_probe(t);
}

enum err
torservice_new(struct torservice **out, const struct torservice_config *cfg,
    const struct members *m, const struct torservice_events *events, void *arg)
{
	static const struct control_events control_events = { on_ready, on_event, on_lost };
	const struct control_config control = { .loop = cfg->loop,
		.address = cfg->control,
		.cookie_file = cfg->cookie_file,
		.rng = cfg->rng,
		.keys = cfg->keys };
	struct torservice *t;
	enum err e;

	if (!toronion_target_ok(cfg->target))
		return ERR_USAGE;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return ERR_MEMORY;
	t->cfg = *cfg;
	t->events = *events;
	t->arg = arg;
	t->members = *m;
	t->retry_ms = TORSERVICE_RETRY_MIN_MS;
	t->reprobe_ms = TORSERVICE_REPROBE_MS;
	t->status.state = TORSERVICE_NO_TOR;
	e = make_parts(t);
	if (e == ERR_OK)
		e = control_new(&t->control, &control, &control_events, t);
	if (e != ERR_OK) {
		torservice_free(t);
		return e;
	}
	timer_after(t->patience, TORSERVICE_PATIENCE_MS);
	*out = t;
	return ERR_OK;
}

void
torservice_free(struct torservice *t)
{
	if (t == NULL)
		return;
	control_free(t->control);
	probe_free(t->probe);
	timer_free(t->retry);
	timer_free(t->upload);
	timer_free(t->prober);
	timer_free(t->patience);
	timer_free(t->look);
	secret_free(t->probe_sk);
	free(t->service_target);
	free(t);
}

/* ---- use ---- */

void
torservice_set_members(struct torservice *t, const struct members *m, bool removed)
{
	t->members = *m;
	t->wanted++;
	if (removed) {
		t->sweep = true;
		t->sweeps = t->sweeps_lost = 0;
	}
	if (control_is_ready(t->control)) {
		timer_cancel(t->retry);
		step(t);
	} else if (removed) {
		t->events.evict(t->arg);
	}
}

void
torservice_saw(struct torservice *t, const uint8_t hash[static 32])
{
	probe_saw(t->probe, hash);
}

void
torservice_get_status(const struct torservice *t, struct torservice_status *out)
{
	*out = t->status;
	out->groups = t->members.count;
}
