#include "config.h"

#include "common/net/control.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/net/address.h"
#include "common/net/torcookie.h"
#include "common/net/torreply.h"

#define CODE_OK 250
/* A connection that was ready for so long has earned a quick redial. */
#define STEADY_MS INT64_C(10000)
#define PATH_SIZE 4096
#define VERSION_SIZE 64
#define CRLF_BYTES 2

enum control_state {
	CONTROL_WAITING, /* for the next attempt */
	CONTROL_OPENING,
	CONTROL_GREETING, /* not authenticated yet */
	CONTROL_READY,
};

/* A command that waits for its answer. */
struct command {
	STAILQ_ENTRY(command) next;
	control_reply_cb *cb;
	void *arg;
	int64_t due_ms;
};

struct control {
	struct loop *loop;
	struct control_events events;
	void *arg;
	char *address;
	char *cookie_file; /* NULL: what PROTOCOLINFO names */
	bool own;
	const struct rng *rng, *keys;

	enum control_state state;
	struct conn *conn; /* NULL while waiting */
	struct timer *timer; /* of the next attempt, of connecting, of the first command */
	struct torreply *parser;
	STAILQ_HEAD(, command) pending;
	size_t pending_count;
	int64_t backoff_ms;
	int64_t ready_ms; /* since when, if ready */

	char version[VERSION_SIZE];
	char cookie_path[PATH_SIZE]; /* of this connection */
	uint8_t nonce[TORCOOKIE_NONCE_BYTES];

	bool freed;
	unsigned busy; /* depth of calls that run callbacks */
};

/* ---- life ---- */

static void
destroy(struct control *c)
{
	torreply_free(c->parser);
	free(c->address);
	free(c->cookie_file);
	secret_wipe(c, sizeof(*c));
	free(c);
}

static void
enter(struct control *c)
{
	c->busy++;
}

static void
leave(struct control *c)
{
	c->busy--;
	if (c->freed && c->busy == 0)
		destroy(c);
}

static void
hang_up(struct control *c)
{
	conn_free(c->conn);
	c->conn = NULL;
	c->state = CONTROL_WAITING;
}

static struct command *
take_pending(struct control *c)
{
	struct command *first = STAILQ_FIRST(&c->pending);

	if (first == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&c->pending, next);
	c->pending_count--;
	return first;
}

void
control_free(struct control *c)
{
	struct command *p;

	if (c == NULL || c->freed)
		return;
	c->freed = true;
	hang_up(c);
	timer_free(c->timer);
	c->timer = NULL;
	while ((p = take_pending(c)) != NULL)
		free(p);
	if (c->busy == 0)
		destroy(c);
}

bool
control_is_ready(const struct control *c)
{
	return c->state == CONTROL_READY;
}

/* ---- losing the connection ---- */

/*
 * Uniform in the upper half of a time that doubles. It doubles after every
 * connection that did not last, refused proofs included: a tor that accepts and
 * hangs up at once must not keep us busy.
 */
static int64_t
draw_wait(struct control *c)
{
	int64_t wait;

	if (c->ready_ms > 0 && loop_boot_ms(c->loop) - c->ready_ms >= STEADY_MS)
		c->backoff_ms = CONTROL_BACKOFF_MIN_MS;
	wait = rng_between(c->rng, c->backoff_ms / 2, c->backoff_ms);
	c->backoff_ms *= 2;
	if (c->backoff_ms > CONTROL_BACKOFF_MAX_MS)
		c->backoff_ms = CONTROL_BACKOFF_MAX_MS;
	return wait;
}

/* The connection is over. What callbacks ask for is refused until the next. */
static void
fail(struct control *c, enum err e, const struct diag *why)
{
	size_t n = c->pending_count;
	struct command *p;

	enter(c);
	hang_up(c);
	timer_after(c->timer, draw_wait(c));
	c->ready_ms = 0;
	torreply_reset(c->parser);
	while (n-- > 0 && (p = take_pending(c)) != NULL) {
		p->cb(p->arg, NULL, e);
		free(p);
	}
	if (!c->freed)
		c->events.lost(c->arg, e, why);
	leave(c);
}

/* ---- commands ---- */

/* The deadline of the first command; those behind it were sent later. */
static void
arm_deadline(struct control *c)
{
	const struct command *first = STAILQ_FIRST(&c->pending);

	if (first == NULL)
		timer_cancel(c->timer);
	else if (first->due_ms > loop_boot_ms(c->loop))
		timer_after(c->timer, first->due_ms - loop_boot_ms(c->loop));
	else
		timer_after(c->timer, 0);
}

static enum err
submit(struct control *c, const char *line, control_reply_cb *cb, void *arg)
{
	size_t n = strlen(line);
	struct command *p;
	uint8_t *out;
	enum err e;

	if (c->pending_count >= CONTROL_PENDING_MAX)
		return ERR_FULL;
	p = malloc(sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	e = conn_space(c->conn, &out, n + CRLF_BYTES);
	if (e != ERR_OK) {
		free(p);
		return e;
	}
	memcpy(out, line, n);
	memcpy(out + n, "\r\n", CRLF_BYTES);
	conn_commit(c->conn, n + CRLF_BYTES); /* its buffer is wiped when it has left */
	*p = (struct command){
	    .cb = cb,
	    .arg = arg,
	    .due_ms = loop_boot_ms(c->loop) + CONTROL_COMMAND_MS,
	};
	STAILQ_INSERT_TAIL(&c->pending, p, next);
	c->pending_count++;
	if (c->pending_count == 1)
		arm_deadline(c);
	return ERR_OK;
}

/* One line: a CR or LF in it would be a second command. */
static bool
is_command(const char *line)
{
	size_t n = 0;

	for (; line[n] != '\0'; n++) {
		unsigned char u = (unsigned char)line[n];

		if (u < 0x20 || u == 0x7f || n >= CONTROL_COMMAND_MAX)
			return false;
	}
	return n > 0;
}

enum err
control_command(struct control *c, const char *line, control_reply_cb *cb, void *arg)
{
	if (!is_command(line))
		return ERR_USAGE;
	if (c->state != CONTROL_READY)
		return ERR_STATE;
	return submit(c, line, cb, arg);
}

/* A command of our own while greeting. */
static void
ask(struct control *c, const char *line, control_reply_cb *cb)
{
	struct diag d;
	enum err e = submit(c, line, cb, c);

	if (e == ERR_OK)
		return;
	(void)diag_set(&d, e, "cannot speak to tor at %s (%s)", c->address, err_text(e));
	fail(c, e, &d);
}

/* ---- greeting ---- */

static void
become_ready(struct control *c)
{
	c->state = CONTROL_READY;
	c->ready_ms = loop_boot_ms(c->loop);
	c->events.ready(c->arg, c->version);
}

static void
on_ownership(void *arg, const struct control_reply *r, enum err why)
{
	struct control *c = arg;
	struct diag d;

	(void)why;
	if (r == NULL)
		return;
	if (r->code == CODE_OK) {
		become_ready(c);
		return;
	}
	(void)diag_set(&d, ERR_STATE, "tor at %s does not let itself be owned (%u): it must be one "
	    "that this program started", c->address, r->code);
	fail(c, ERR_STATE, &d);
}

static void
on_authenticated(void *arg, const struct control_reply *r, enum err why)
{
	struct control *c = arg;
	struct diag d;

	(void)why;
	if (r == NULL)
		return;
	if (r->code != CODE_OK) {
		(void)diag_set(&d, ERR_DENIED, "tor at %s refused the cookie of %s (%u): the file is "
		    "of another tor, or tor has just been started anew", c->address,
		    c->cookie_path, r->code);
		fail(c, ERR_DENIED, &d);
	} else if (c->own) {
		ask(c, "TAKEOWNERSHIP", on_ownership);
	} else {
		become_ready(c);
	}
}

static void
send_proof(struct control *c, uint8_t proof[static TORCOOKIE_HASH_BYTES])
{
	static const char word[] = "AUTHENTICATE ";
	char line[sizeof(word) + ENCODE_HEX_SIZE(TORCOOKIE_HASH_BYTES)];

	memcpy(line, word, sizeof(word) - 1);
	encode_hex(line + sizeof(word) - 1, proof, TORCOOKIE_HASH_BYTES);
	ask(c, line, on_authenticated);
	secret_wipe(line, sizeof(line));
}

/*
 * Read the cookie and prove it. It is a new one at each start of tor, so it is
 * read only now; a read of 32 bytes on the loop, for a file that was written
 * seconds or days ago and lies in memory, is not worth a thread.
 */
static enum err
prove(struct control *c, const uint8_t server_nonce[static TORCOOKIE_NONCE_BYTES],
    const uint8_t server_hash[static TORCOOKIE_HASH_BYTES], struct diag *d)
{
	uint8_t cookie[TORCOOKIE_BYTES], proof[TORCOOKIE_HASH_BYTES];
	enum err e = torcookie_read(cookie, c->cookie_path, d);

	if (e != ERR_OK)
		return e;
	e = torcookie_prove(proof, cookie, c->nonce, server_nonce, server_hash);
	secret_wipe(cookie, sizeof(cookie));
	if (e != ERR_OK)
		return diag_set(d, e, "what answers at %s does not know the cookie of %s: it is not "
		    "the tor that wrote it, or tor has just been started anew", c->address,
		    c->cookie_path);
	send_proof(c, proof);
	secret_wipe(proof, sizeof(proof));
	return ERR_OK;
}

/* The 32 bytes of a word "KEY=<hex in either case>" of a line. */
static enum err
find_hex(uint8_t out[static 32], const struct control_line *line, const char *key)
{
	struct torreply_word w;
	enum err e = torreply_find(&w, line->text, line->len, key);
	size_t n;

	if (e != ERR_OK)
		return e;
	if (w.value_len != 64 ||
	    sodium_hex2bin(out, 32, w.value, w.value_len, NULL, &n, NULL) != 0 || n != 32)
		return ERR_MALFORMED;
	return ERR_OK;
}

static enum err
read_challenge(struct control *c, const struct control_reply *r, struct diag *d)
{
	uint8_t nonce[TORCOOKIE_NONCE_BYTES], hash[TORCOOKIE_HASH_BYTES];

	if (r->code != CODE_OK || find_hex(hash, &r->lines[0], "SERVERHASH") != ERR_OK ||
	    find_hex(nonce, &r->lines[0], "SERVERNONCE") != ERR_OK)
		return diag_set(d, ERR_MALFORMED, "what answers at %s does not know SAFECOOKIE as "
		    "tor does (%u): is it a tor's control port?", c->address, r->code);
	return prove(c, nonce, hash, d);
}

static void
on_challenged(void *arg, const struct control_reply *r, enum err why)
{
	struct control *c = arg;
	struct diag d = {""};
	enum err e;

	(void)why;
	if (r == NULL)
		return;
	e = read_challenge(c, r, &d);
	if (e != ERR_OK)
		fail(c, e, &d);
}

static void
send_challenge(struct control *c)
{
	static const char words[] = "AUTHCHALLENGE SAFECOOKIE ";
	char line[sizeof(words) + ENCODE_HEX_SIZE(TORCOOKIE_NONCE_BYTES)];

	rng_bytes(c->keys, c->nonce, sizeof(c->nonce));
	memcpy(line, words, sizeof(words) - 1);
	encode_hex(line + sizeof(words) - 1, c->nonce, sizeof(c->nonce));
	ask(c, line, on_challenged);
}

/* Whether a comma list has this word. */
static bool
lists(const struct torreply_word *list, const char *word)
{
	const char *p = list->value, *end = p + list->value_len;
	size_t n = strlen(word);

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma != NULL ? comma : end;

		if ((size_t)(stop - p) == n && memcmp(p, word, n) == 0) /* public */
			return true;
		p = stop + 1;
	}
	return false;
}

/* Why we do not go on with what tor offers. */
static enum err
refuse_methods(const struct control *c, const struct torreply_word *methods, struct diag *d)
{
	const char *why = "offers no method of authentication that we know";

	if (lists(methods, "NULL"))
		why = "asks for no authentication, so that everybody could command it";
	else if (lists(methods, "COOKIE"))
		why = "knows only COOKIE, which would show the cookie to whoever answers there";
	else if (lists(methods, "HASHEDPASSWORD"))
		why = "asks for a password, which this program does not use";
	return diag_set(d, ERR_STATE, "tor at %s %s: set CookieAuthentication 1 in its torrc",
	    c->address, why);
}

/* What tor names goes into sentences. */
static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			return false;
	}
	return true;
}

/* Which file has the cookie: the configured one, or what tor says. */
static enum err
choose_cookie(struct control *c, const struct control_line *auth, struct diag *d)
{
	size_t at = strlen("AUTH ");
	struct torreply_word w;

	if (c->cookie_file != NULL) {
		memcpy(c->cookie_path, c->cookie_file, strlen(c->cookie_file) + 1);
		return ERR_OK;
	}
	if (torreply_find(&w, auth->text + at, auth->len - at, "COOKIEFILE") == ERR_OK &&
	    w.value != NULL &&
	    torreply_unquote(c->cookie_path, PATH_SIZE, w.value, w.value_len) == ERR_OK &&
	    c->cookie_path[0] == '/' && is_printable(c->cookie_path))
		return ERR_OK;
	return diag_set(d, ERR_MALFORMED, "tor at %s does not say where its cookie is: name the "
	    "file in the configuration", c->address);
}

/* The line that begins with this word and a blank. */
static const struct control_line *
find_line(const struct control_reply *r, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < r->count; i++) {
		const struct control_line *line = &r->lines[i];

		if (line->len > n && memcmp(line->text, word, n) == 0 && /* public */
		    line->text[n] == ' ')
			return line;
	}
	return NULL;
}

static bool
read_version(struct control *c, const struct control_reply *r)
{
	const struct control_line *line = find_line(r, "VERSION");
	struct torreply_word w;

	if (line == NULL || torreply_find(&w, line->text, line->len, "Tor") != ERR_OK ||
	    w.value == NULL ||
	    torreply_unquote(c->version, sizeof(c->version), w.value, w.value_len) != ERR_OK)
		return false;
	return c->version[0] != '\0' && is_printable(c->version);
}

static enum err
read_info(struct control *c, const struct control_reply *r, struct diag *d)
{
	const struct control_line *auth = find_line(r, "AUTH");
	struct torreply_word methods;

	if (r->code != CODE_OK || auth == NULL || !read_version(c, r) ||
	    torreply_find(&methods, auth->text, auth->len, "METHODS") != ERR_OK ||
	    methods.value == NULL)
		return diag_set(d, ERR_MALFORMED, "what answers at %s does not say what a tor says "
		    "(%u): is it a tor's control port?", c->address, r->code);
	if (!lists(&methods, "SAFECOOKIE"))
		return refuse_methods(c, &methods, d);
	return choose_cookie(c, auth, d);
}

static void
on_info(void *arg, const struct control_reply *r, enum err why)
{
	struct control *c = arg;
	struct diag d = {""};
	enum err e;

	(void)why;
	if (r == NULL)
		return;
	e = read_info(c, r, &d);
	if (e == ERR_OK)
		send_challenge(c);
	else
		fail(c, e, &d);
}

/* ---- the connection ---- */

static void
on_opened(void *arg)
{
	struct control *c = arg;

	enter(c);
	c->state = CONTROL_GREETING;
	ask(c, "PROTOCOLINFO 1", on_info);
	leave(c);
}

/* What a stranger tells before he has proved himself is nothing to us. */
static void
take_event(struct control *c, const struct control_reply *r)
{
	if (c->state == CONTROL_READY && c->events.event != NULL)
		c->events.event(c->arg, r);
}

static enum err
take_reply(struct control *c, const struct control_reply *r)
{
	struct command *p;

	if (r->code >= TORREPLY_EVENT_CODE) {
		take_event(c, r);
		return ERR_OK;
	}
	p = take_pending(c);
	if (p == NULL)
		return ERR_MALFORMED; /* an answer to nothing */
	arm_deadline(c);
	p->cb(p->arg, r, ERR_OK);
	free(p);
	return ERR_OK;
}

static void
broke_the_rules(struct control *c, enum err e)
{
	struct diag d;

	(void)diag_set(&d, e, "what answers at %s breaks the rules of tor's control protocol (%s): "
	    "is it a tor's control port?", c->address, err_text(e));
	fail(c, e, &d);
}

static size_t
on_data(void *arg, const uint8_t *bytes, size_t n)
{
	struct control *c = arg;
	struct conn *conn = c->conn;
	uint8_t *p = conn_own_bytes(conn, bytes);
	size_t at = 0;

	enter(c);
	while (at < n && c->conn == conn) {
		const struct control_reply *reply;
		size_t used = 0;
		enum err e = torreply_feed(c->parser, &reply, &used, p + at, n - at);

		at += used;
		if (e == ERR_OK && reply != NULL)
			e = take_reply(c, reply);
		if (e != ERR_OK)
			broke_the_rules(c, e);
	}
	secret_wipe(p, n); /* there may be keys in what tor tells */
	leave(c);
	return n;
}

static void
on_closed(void *arg, enum err why)
{
	struct control *c = arg;
	struct diag d;

	if (why == ERR_NOT_FOUND)
		(void)diag_set(&d, why, "nobody listens at %s: start tor, or correct the address of "
		    "its control port", c->address);
	else if (c->state == CONTROL_OPENING)
		(void)diag_set(&d, why, "cannot connect to tor's control port at %s (%s): this user "
		    "must be in the group of tor (debian-tor)", c->address, err_text(why));
	else
		(void)diag_set(&d, why, "the connection to tor at %s ended (%s): see tor's log if it "
		    "does not come back", c->address, err_text(why));
	fail(c, why, &d);
}

static void
dial(struct control *c)
{
	static const struct conn_events events = {
	    .opened = on_opened,
	    .data = on_data,
	    .closed = on_closed,
	};
	const struct conn_limits limits = {
	    .in_max = CONTROL_LINE_MAX,
	    .out_max = 4 * CONTROL_COMMAND_MAX,
	};
	struct diag d;
	enum err e = conn_open(&c->conn, c->loop, c->address, &limits, &events, c);

	if (e == ERR_OK) {
		c->state = CONTROL_OPENING;
		timer_after(c->timer, CONTROL_COMMAND_MS);
		return;
	}
	(void)diag_set(&d, e, "cannot connect to tor's control port at %s (%s)", c->address,
	    err_text(e));
	fail(c, e, &d);
}

static void
on_timer(void *arg)
{
	struct control *c = arg;
	struct diag d;

	if (c->state == CONTROL_WAITING) {
		dial(c);
		return;
	}
	(void)diag_set(&d, ERR_TIMEOUT, "tor at %s has not answered for %d seconds: is it stopped, "
	    "or the machine overloaded?", c->address, CONTROL_COMMAND_MS / 1000);
	fail(c, ERR_TIMEOUT, &d);
}

/* ---- the object ---- */

static enum err
set_up(struct control *c, const struct control_config *cfg)
{
	c->address = strdup(cfg->address);
	if (cfg->cookie_file != NULL)
		c->cookie_file = strdup(cfg->cookie_file);
	c->parser = torreply_new();
	c->timer = timer_new(c->loop, on_timer, c);
	if (c->address == NULL || (cfg->cookie_file != NULL && c->cookie_file == NULL) ||
	    c->parser == NULL || c->timer == NULL)
		return ERR_MEMORY;
	return ERR_OK;
}

enum err
control_new(struct control **out, const struct control_config *cfg,
    const struct control_events *events, void *arg)
{
	struct control *c;
	enum err e;

	assert(events->ready != NULL && events->lost != NULL);
	if (address_check(cfg->address) != ERR_OK ||
	    (cfg->cookie_file != NULL && strlen(cfg->cookie_file) >= PATH_SIZE))
		return ERR_USAGE;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ERR_MEMORY;
	STAILQ_INIT(&c->pending);
	c->loop = cfg->loop;
	c->events = *events;
	c->arg = arg;
	c->own = cfg->own;
	c->rng = cfg->rng;
	c->keys = cfg->keys;
	c->backoff_ms = CONTROL_BACKOFF_MIN_MS;
	e = set_up(c, cfg);
	if (e != ERR_OK) {
		control_free(c);
		return e;
	}
	timer_after(c->timer, 0);
	*out = c;
	return ERR_OK;
}

/* ---- helpers for those who use it ---- */

bool
control_reply_value(const char **out, size_t *len, const struct control_reply *r, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < r->count; i++) {
		const struct control_line *line = &r->lines[i];

		if (line->len <= n || memcmp(line->text, key, n) != 0 || /* public */
		    line->text[n] != '=')
			continue;
		*out = line->data != NULL ? line->data : line->text + n + 1;
		*len = line->data != NULL ? line->data_len : line->len - n - 1;
		return true;
	}
	return false;
}

/* The next number of a dotted version; -1 at its end. */
static long
next_number(const char **p)
{
	long v = 0;

	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (v < 1000000)
			v = v * 10 + (**p - '0');
	}
	if (**p == '.')
		(*p)++;
	return v;
}

bool
control_version_is_old(const char *version)
{
	const char *least = CONTROL_TOR_MIN;

	for (;;) {
		long has = next_number(&version), wants = next_number(&least);

		if (wants < 0)
			return false;
		if (has != wants)
			return has < wants;
	}
}
