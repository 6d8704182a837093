#include "config.h"

#include "common/net/link.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/socks.h"

#define READ_AHEAD_BYTES 65536 /* taken in one read, on top of a frame's rest */

enum link_state {
	LINK_SHAKING,
	LINK_UP,
	LINK_DOWN,
};

struct link_keys {
	struct noise_cipher send, receive;
};

/* What link_accept_any needs until the first message. */
struct link_any {
	struct noise_config noise; /* points into this struct */
	uint8_t network_id[32];
	uint8_t own_pk[NOISE_KEY_BYTES];
	uint8_t *own_sk; /* secret memory */
	size_t count;
	struct link_candidate candidates[];
};

/* What is needed until the proxy has connected us. */
struct link_proxy {
	struct socks socks;
	const struct rng *keys;
	char *address, *target; /* to dial once more with another user name */
};

struct link {
	struct loop *loop;
	struct conn *conn; /* NULL once down */
	struct timer *timer;
	struct link_events events;
	void *arg;
	struct noise *noise;    /* until up */
	struct link_any *any;   /* until the first message */
	struct link_proxy *proxy; /* until it has connected us; or NULL */
	struct link_keys *keys; /* secret memory, while up */
	size_t send_wire, receive_wire, out_frames_max;
	int64_t handshake_ms, idle_ms;
	int64_t heard_ms; /* when the last frame came */
	enum link_state state;
	uint16_t peer;
	uint8_t peer_pk[NOISE_KEY_BYTES]; /* the same */
	bool paused;
	bool freed;
	unsigned busy; /* depth of calls that run callbacks */
	uint8_t hash[LINK_HASH_BYTES];
};

/* ---- life ---- */

static void
any_free(struct link_any *any)
{
	if (any == NULL)
		return;
	secret_free(any->own_sk);
	secret_wipe(any, sizeof(*any));
	free(any);
}

static void
proxy_free(struct link_proxy *proxy)
{
	if (proxy == NULL)
		return;
	socks_release(&proxy->socks);
	free(proxy->address);
	free(proxy->target);
	free(proxy);
}

/* Close the connection and wipe every key. */
static void
tear_down(struct link *k)
{
	k->state = LINK_DOWN;
	conn_free(k->conn);
	k->conn = NULL;
	timer_free(k->timer);
	k->timer = NULL;
	noise_free(k->noise);
	k->noise = NULL;
	any_free(k->any);
	k->any = NULL;
	proxy_free(k->proxy);
	k->proxy = NULL;
	secret_free(k->keys);
	k->keys = NULL;
}

static void
destroy(struct link *k)
{
	secret_wipe(k, sizeof(*k));
	free(k);
}

static void
enter(struct link *k)
{
	k->busy++;
}

static void
leave(struct link *k)
{
	k->busy--;
	if (k->freed && k->busy == 0)
		destroy(k);
}

void
link_free(struct link *k)
{
	if (k == NULL || k->freed)
		return;
	k->freed = true;
	tear_down(k);
	if (k->busy == 0)
		destroy(k);
}

void
link_finish(struct link *k, int64_t linger_ms)
{
	if (k->state == LINK_UP) {
		conn_finish(k->conn, linger_ms);
		k->conn = NULL;
	}
	link_free(k);
}

static void
fail(struct link *k, enum err why)
{
	enter(k);
	tear_down(k);
	k->events.down(k->arg, why);
	leave(k);
}

/* ---- through a proxy ---- */

static enum err open_conn(struct link *k, const char *address);

/* The name was refused: once more, on a fresh connection, with an ordinary one. */
static enum err
dial_again(struct link *k)
{
	struct link_proxy *proxy = k->proxy;
	enum err e = socks_init(&proxy->socks, proxy->target, true, proxy->keys);

	if (e != ERR_OK)
		return e;
	conn_free(k->conn);
	k->conn = NULL;
	return open_conn(k, proxy->address);
}

/* Go one step with what the proxy says; *used of it. */
static enum err
step_proxy(struct link *k, size_t *used, const uint8_t *p, size_t n)
{
	struct socks *s = &k->proxy->socks;
	uint8_t out[SOCKS_SEND_MAX];
	size_t len = 0;
	enum err e = socks_step(s, out, &len, used, p, n);

	if (e == ERR_STATE && s->name_refused)
		return dial_again(k);
	if (e == ERR_OK && len > 0)
		e = conn_write(k->conn, out, len);
	secret_wipe(out, sizeof(out));
	return e;
}

/* ---- the handshake ---- */

/* One handshake message: as large as a frame, the payload zero. */
static enum err
write_message(struct link *k)
{
	size_t len = k->send_wire - noise_overhead(k->noise);
	uint8_t *payload, *out;
	enum err e = conn_space(k->conn, &out, k->send_wire);

	if (e != ERR_OK)
		return e;
	payload = calloc(1, len + 1);
	if (payload == NULL)
		return ERR_MEMORY;
	e = noise_write(k->noise, out, payload, len);
	free(payload);
	if (e == ERR_OK)
		conn_commit(k->conn, k->send_wire);
	return e;
}

/* Read a message with one handshake state. */
static enum err
read_message(struct noise *noise, const uint8_t *msg, size_t n)
{
	size_t len = n - noise_overhead(noise);
	uint8_t *payload = malloc(len + 1);
	enum err e;

	if (payload == NULL)
		return ERR_MEMORY;
	e = noise_read(noise, payload, msg, n);
	if (e == ERR_OK && !sodium_is_zero(payload, len))
		e = ERR_MALFORMED;
	free(payload);
	return e;
}

/* Try one candidate; *out is a handshake that has read msg, if it fits. */
static enum err
try_candidate(struct noise **out, struct link *k, size_t i, const uint8_t *msg)
{
	struct noise_config config = k->any->noise;
	struct noise *noise;
	enum err e;

	config.peer_pk = k->any->candidates[i].peer_pk;
	e = noise_new(&noise, &config);
	if (e != ERR_OK)
		return e;
	e = read_message(noise, msg, k->receive_wire);
	if (e == ERR_OK)
		*out = noise;
	else
		noise_free(noise);
	return e;
}

/* Find who speaks. All candidates are tried, whichever fits. */
static enum err
read_first_of_any(struct link *k, const uint8_t *msg)
{
	enum err result = ERR_CRYPTO;

	for (size_t i = 0; i < k->any->count; i++) {
		struct noise *noise = NULL;
		enum err e = try_candidate(&noise, k, i, msg);

		if (e == ERR_OK && k->noise == NULL) {
			k->noise = noise;
			k->peer = k->any->candidates[i].node;
			memcpy(k->peer_pk, k->any->candidates[i].peer_pk, sizeof(k->peer_pk));
			k->send_wire = k->any->candidates[i].send_bytes + NOISE_TAG_BYTES;
			result = ERR_OK;
		} else {
			noise_free(noise);
			if (e != ERR_OK && e != ERR_CRYPTO && result != ERR_OK)
				result = e;
		}
	}
	any_free(k->any);
	k->any = NULL;
	return result;
}

static enum err
go_up(struct link *k)
{
	enum err e;

	k->keys = secret_new(sizeof(*k->keys));
	if (k->keys == NULL)
		return ERR_MEMORY;
	e = noise_split(k->noise, &k->keys->send, &k->keys->receive, k->hash);
	if (e != ERR_OK)
		return e;
	noise_free(k->noise);
	k->noise = NULL;
	k->state = LINK_UP;
	if (k->idle_ms > 0)
		timer_after(k->timer, k->idle_ms);
	else
		timer_cancel(k->timer);
	k->events.up(k->arg);
	return ERR_OK;
}

static enum err
take_message(struct link *k, const uint8_t *msg)
{
	enum err e;

	if (k->any != NULL)
		e = read_first_of_any(k, msg);
	else if (noise_to_write(k->noise))
		e = ERR_CRYPTO; /* the peer speaks out of turn */
	else
		e = read_message(k->noise, msg, k->receive_wire);
	if (e == ERR_OK && !noise_done(k->noise))
		e = write_message(k);
	if (e == ERR_OK && noise_done(k->noise))
		e = go_up(k);
	return e;
}

/* ---- frames ---- */

static enum err
take_frame(struct link *k, uint8_t *frame)
{
	size_t n = k->receive_wire - NOISE_TAG_BYTES;
	enum err e = noise_decrypt(&k->keys->receive, frame, frame, n);

	if (e != ERR_OK)
		return e;
	k->events.frame(k->arg, frame, n);
	secret_wipe(frame, n);
	return ERR_OK;
}

/* A frame of the wire, handshake or not. */
static void
take(struct link *k, uint8_t *frame)
{
	enum err e = k->state == LINK_UP ? take_frame(k, frame) : take_message(k, frame);

	if (e != ERR_OK && !k->freed)
		fail(k, e);
}

/*
 * What comes while there is a proxy. Once it has connected us the stream is the
 * peer's, and the handshake begins.
 */
static size_t
take_from_proxy(struct link *k, const uint8_t *p, size_t n)
{
	struct conn *conn = k->conn;
	size_t used = 0;
	enum err e = step_proxy(k, &used, p, n);

	if (e == ERR_OK && k->conn == conn && k->proxy->socks.stage == SOCKS_DONE) {
		proxy_free(k->proxy);
		k->proxy = NULL;
		e = write_message(k);
	}
	if (e != ERR_OK)
		fail(k, e);
	return used;
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct link *k = arg;
	size_t wire = k->receive_wire;
	size_t used = 0;

	enter(k);
	if (k->proxy != NULL) {
		used = take_from_proxy(k, p, n);
		if (k->proxy != NULL || k->state == LINK_DOWN) {
			leave(k);
			return used;
		}
	}
	if (n >= wire)
		k->heard_ms = loop_boot_ms(k->loop);
	while (n - used >= wire && k->state != LINK_DOWN && !k->paused) {
		take(k, conn_own_bytes(k->conn, p + used));
		used += wire;
	}
	leave(k);
	return used;
}

static void
on_opened(void *arg)
{
	struct link *k = arg;
	size_t none = 0;
	enum err e = k->proxy != NULL ? step_proxy(k, &none, NULL, 0) : write_message(k);

	if (e != ERR_OK)
		fail(k, e);
}

static void
on_drained(void *arg)
{
	struct link *k = arg;

	if (k->state == LINK_UP && k->events.drained != NULL)
		k->events.drained(k->arg);
}

static void
on_closed(void *arg, enum err why)
{
	fail(arg, why);
}

static void
on_timer(void *arg)
{
	struct link *k = arg;
	int64_t silent;

	if (k->state != LINK_UP) {
		fail(k, ERR_TIMEOUT);
		return;
	}
	if (k->paused)
		k->heard_ms = loop_boot_ms(k->loop);
	silent = loop_boot_ms(k->loop) - k->heard_ms;
	if (silent >= k->idle_ms)
		fail(k, ERR_TIMEOUT);
	else
		timer_after(k->timer, k->idle_ms - silent);
}

/* ---- making one ---- */

static const struct conn_events conn_events = {
    .opened = on_opened,
    .data = on_data,
    .drained = on_drained,
    .closed = on_closed,
};

static bool
good_size(size_t n)
{
	return n >= LINK_FRAME_MIN && n <= LINK_FRAME_MAX;
}

/* A link without a connection and without keys. */
static enum err
make(struct link **out, struct loop *l, const struct link_config *cfg,
    const struct link_events *events, void *arg)
{
	struct link *k;

	if (!good_size(cfg->send_bytes) || !good_size(cfg->receive_bytes) ||
	    cfg->out_frames_max == 0 || cfg->handshake_ms <= 0 || cfg->idle_ms < 0)
		return ERR_USAGE;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return ERR_MEMORY;
	k->loop = l;
	k->events = *events;
	k->arg = arg;
	k->send_wire = cfg->send_bytes + NOISE_TAG_BYTES;
	k->receive_wire = cfg->receive_bytes + NOISE_TAG_BYTES;
	k->out_frames_max = cfg->out_frames_max;
	k->handshake_ms = cfg->handshake_ms;
	k->idle_ms = cfg->idle_ms;
	k->timer = timer_new(l, on_timer, k);
	if (k->timer == NULL) {
		link_free(k);
		return ERR_MEMORY;
	}
	*out = k;
	return ERR_OK;
}

static enum err
make_noise(struct link *k, const struct link_config *cfg)
{
	const struct noise_config config = {
	    .pattern = cfg->pattern,
	    .initiator = cfg->initiator,
	    .prologue = cfg->network_id,
	    .prologue_len = sizeof(cfg->network_id),
	    .own_sk = cfg->own_sk,
	    .own_pk = cfg->own_pk,
	    .peer_pk = cfg->peer_pk,
	    .keys = cfg->keys,
	};

	return noise_new(&k->noise, &config);
}

static struct conn_limits
limits_of(const struct link *k)
{
	/* One frame more out: the last handshake message may still be there. */
	size_t out_max = (k->out_frames_max + 1) * k->send_wire;

	return (struct conn_limits){
	    .in_max = READ_AHEAD_BYTES + k->receive_wire,
	    .out_max = out_max > SOCKS_SEND_MAX ? out_max : SOCKS_SEND_MAX,
	};
}

static enum err
open_conn(struct link *k, const char *address)
{
	struct conn_limits limits = limits_of(k);

	return conn_open(&k->conn, k->loop, address, &limits, &conn_events, k);
}

static enum err
make_proxy(struct link *k, const char *target, const struct link_config *cfg)
{
	struct link_proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL)
		return ERR_MEMORY;
	k->proxy = proxy;
	proxy->keys = cfg->keys;
	proxy->address = strdup(cfg->socks);
	proxy->target = strdup(target);
	if (proxy->address == NULL || proxy->target == NULL)
		return ERR_MEMORY;
	return socks_init(&proxy->socks, target, false, cfg->keys);
}

enum err
link_dial(struct link **out, struct loop *l, const char *address, const struct link_config *cfg,
    const struct link_events *events, void *arg)
{
	struct link *k;
	enum err e;

	if (!cfg->initiator)
		return ERR_USAGE;
	e = make(&k, l, cfg, events, arg);
	if (e != ERR_OK)
		return e;
	e = make_noise(k, cfg);
	if (e == ERR_OK && cfg->socks != NULL)
		e = make_proxy(k, address, cfg);
	if (e == ERR_OK)
		e = open_conn(k, cfg->socks != NULL ? cfg->socks : address);
	if (e != ERR_OK) {
		link_free(k);
		return e;
	}
	timer_after(k->timer, k->handshake_ms);
	*out = k;
	return ERR_OK;
}

/* Take over c; from here on the link speaks. */
static void
adopt(struct link *k, struct conn *c)
{
	struct conn_limits limits = limits_of(k);

	k->conn = c;
	conn_set_events(c, &conn_events, k, &limits);
	timer_after(k->timer, k->handshake_ms);
}

enum err
link_accept(struct link **out, struct loop *l, struct conn *c, const struct link_config *cfg,
    const struct link_events *events, void *arg)
{
	struct link *k = NULL;
	enum err e = cfg->initiator ? ERR_USAGE : make(&k, l, cfg, events, arg);

	if (e == ERR_OK)
		e = make_noise(k, cfg);
	if (e != ERR_OK) {
		link_free(k);
		conn_free(c);
		return e;
	}
	adopt(k, c);
	*out = k;
	return ERR_OK;
}

static enum err
copy_candidates(struct link *k, const struct link_config *cfg,
    const struct link_candidate *candidates, size_t n)
{
	struct link_any *any = calloc(1, sizeof(*any) + n * sizeof(candidates[0]));

	if (any == NULL)
		return ERR_MEMORY;
	k->any = any;
	any->own_sk = secret_new(NOISE_KEY_BYTES);
	if (any->own_sk == NULL)
		return ERR_MEMORY;
	memcpy(any->own_sk, cfg->own_sk, NOISE_KEY_BYTES);
	memcpy(any->own_pk, cfg->own_pk, NOISE_KEY_BYTES);
	memcpy(any->network_id, cfg->network_id, sizeof(any->network_id));
	memcpy(any->candidates, candidates, n * sizeof(candidates[0]));
	any->count = n;
	any->noise = (struct noise_config){
	    .pattern = cfg->pattern,
	    .prologue = any->network_id,
	    .prologue_len = sizeof(any->network_id),
	    .own_sk = any->own_sk,
	    .own_pk = any->own_pk,
	    .keys = cfg->keys,
	};
	return ERR_OK;
}

/* The largest frame to send, if the candidates make sense together; else 0. */
static size_t
largest_send(const struct link_candidate *candidates, size_t n)
{
	size_t largest = 0;

	for (size_t i = 0; i < n; i++) {
		if (!good_size(candidates[i].send_bytes) ||
		    candidates[i].receive_bytes != candidates[0].receive_bytes)
			return 0;
		if (candidates[i].send_bytes > largest)
			largest = candidates[i].send_bytes;
	}
	return largest;
}

enum err
link_accept_any(struct link **out, struct loop *l, struct conn *c, const struct link_config *cfg,
    const struct link_candidate *candidates, size_t n, const struct link_events *events, void *arg)
{
	struct link_config sized = *cfg;
	struct link *k = NULL;
	enum err e = ERR_USAGE;

	sized.send_bytes = largest_send(candidates, n);
	if (n > 0)
		sized.receive_bytes = candidates[0].receive_bytes;
	if (!cfg->initiator && cfg->own_sk != NULL && cfg->own_pk != NULL)
		e = make(&k, l, &sized, events, arg);
	if (e == ERR_OK)
		e = copy_candidates(k, cfg, candidates, n);
	if (e != ERR_OK) {
		link_free(k);
		conn_free(c);
		return e;
	}
	adopt(k, c);
	*out = k;
	return ERR_OK;
}

/* ---- use ---- */

enum err
link_send(struct link *k, const uint8_t *plain)
{
	uint8_t *out;
	enum err e;

	if (k->state != LINK_UP)
		return k->state == LINK_DOWN ? ERR_CLOSED : ERR_STATE;
	if (link_unsent_frames(k) >= k->out_frames_max)
		return ERR_FULL;
	e = conn_space(k->conn, &out, k->send_wire);
	if (e == ERR_OK)
		e = noise_encrypt(&k->keys->send, out, plain, k->send_wire - NOISE_TAG_BYTES);
	if (e == ERR_OK)
		conn_commit(k->conn, k->send_wire);
	return e;
}

size_t
link_unsent_frames(const struct link *k)
{
	if (k->conn == NULL)
		return 0;
	return (conn_unsent(k->conn) + k->send_wire - 1) / k->send_wire;
}

bool
link_is_up(const struct link *k)
{
	return k->state == LINK_UP;
}

void
link_pause(struct link *k, bool paused)
{
	if (k->paused == paused || k->conn == NULL)
		return;
	k->paused = paused;
	k->heard_ms = loop_boot_ms(k->loop);
	conn_pause(k->conn, paused);
}

const uint8_t *
link_hash(const struct link *k)
{
	return k->hash;
}

uint16_t
link_peer(const struct link *k)
{
	return k->peer;
}

const uint8_t *
link_peer_pk(const struct link *k)
{
	return k->peer_pk;
}
