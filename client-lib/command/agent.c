#include "config.h"

#include "client-lib/command/agent.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client-lib/command/place.h"
#include "client-lib/command/talk.h"
#include "client-lib/command/way.h"
#include "client-lib/command/wire.h"
#include "client-lib/include/restante/backup.h"
#include "client-lib/invite.h"
#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/net/loop_event.h"

#define PEERS_MAX 64 /* commands at a time */
#define AWAY_MS 1000 /* for the last word to leave */
#define BUSY_TRIES 20
#define OUT_MAX ((size_t)8 << 20)

struct agent;

/* One command that is connected. */
struct peer {
	struct peer *next;
	struct agent *agent;
	struct conn *conn; /* NULL: gone; freed when `busy` calls have come back */
	unsigned busy;
	bool following;
	bool stopping; /* it asked for the end, and shall have its answer first */
};

struct agent {
	struct event_base *base;
	struct loop *loop;
	struct listener *listener;
	struct restante *r;
	struct way *way;
	struct peer *peers;
	size_t peer_count;
};

/* ---- answering ---- */

static void
answer(struct peer *p, const struct wire *m)
{
	struct buf b;

	if (p->conn == NULL)
		return;
	buf_init(&b);
	/* a peer that does not read its answers loses them, and its connection */
	if (wire_encode(&b, m) != ERR_OK || conn_write(p->conn, b.data, b.len) != ERR_OK) {
		conn_finish(p->conn, 0);
		p->conn = NULL;
	}
	buf_release(&b);
}

static void
answer_done(struct peer *p, int code)
{
	struct wire m = { .type = WIRE_DONE, .code = code };

	m.text = code == RESTANTE_OK ? "" : restante_explain(p->agent->r);
	if (code != RESTANTE_OK && m.text[0] == '\0')
		m.text = restante_strerror(code);
	m.text_len = strlen(m.text);
	answer(p, &m);
}

static void
peer_unlink(struct peer *p)
{
	struct peer **at = &p->agent->peers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->agent->peer_count--;
}

static void
peer_maybe_free(struct peer *p)
{
	if (p->conn != NULL || p->busy > 0)
		return;
	peer_unlink(p);
	free(p);
}

/* restante_done callbacks: the last answer to a request. */
static void
on_done(void *arg, int code)
{
	struct peer *p = arg;

	p->busy--;
	answer_done(p, code);
	peer_maybe_free(p);
}

/* A call that was made (its on_done follows) or failed (and then is answered here). */
static void
called(struct peer *p, int rc)
{
	if (rc == RESTANTE_OK)
		p->busy++;
	else
		answer_done(p, rc);
}

/* ---- requests ---- */

static void
contact_name(const struct agent *a, uint32_t id, char name[static 64])
{
	struct restante_contact c;

	name[0] = '\0';
	for (size_t i = 0; restante_contact_at(a->r, i, &c) == RESTANTE_OK; i++)
		if (c.id == id)
			memcpy(name, c.name, 64);
}

static void
do_status(struct peer *p)
{
	struct wire m = { .type = WIRE_IS_STATUS };
	int rc = restante_status(p->agent->r, &m.status);

	m.through_tor = way_status(p->agent->way, &m.tor);
	if (rc == RESTANTE_OK)
		answer(p, &m);
	answer_done(p, rc);
}

static void
do_contacts(struct peer *p)
{
	struct wire m = { .type = WIRE_IS_CONTACT };

	for (size_t i = 0; restante_contact_at(p->agent->r, i, &m.contact) == RESTANTE_OK; i++)
		answer(p, &m);
	answer_done(p, RESTANTE_OK);
}

static void
do_evidence(struct peer *p)
{
	struct wire m = { .type = WIRE_IS_EVIDENCE };

	for (size_t i = 0; restante_evidence_at(p->agent->r, i, &m.evidence) == RESTANTE_OK; i++)
		answer(p, &m);
	answer_done(p, RESTANTE_OK);
}

/* An invitation waits for its commit: it must not be given away before it is durable. */
struct inviting {
	struct peer *peer;
	char text[INVITE_TEXT_MAX];
};

static void
on_invited(void *arg, int code)
{
	struct inviting *i = arg;
	struct wire m = { .type = WIRE_IS_INVITATION, .text = i->text };

	m.text_len = strlen(i->text);
	if (code == RESTANTE_OK)
		answer(i->peer, &m);
	on_done(i->peer, code);
	secret_free(i);
}

static void
do_invite(struct peer *p, const struct wire *q)
{
	struct inviting *i = secret_new(sizeof(*i));
	uint32_t seconds = q->number > UINT32_MAX ? UINT32_MAX : (uint32_t)q->number;
	int rc = RESTANTE_E_MEMORY;

	if (i != NULL) {
		i->peer = p;
		rc = restante_invite(p->agent->r, q->name, seconds, i->text, on_invited, i);
	}
	if (rc != RESTANTE_OK)
		secret_free(i);
	called(p, rc);
}

static void
do_change(struct peer *p, const struct wire *q)
{
	struct restante *r = p->agent->r;
	struct restante_contact c;
	int rc = restante_contact_find(r, q->name, &c);

	if (rc == RESTANTE_OK && q->number > WIRE_RESTART)
		rc = RESTANTE_E_INVALID;
	if (rc != RESTANTE_OK) {
		answer_done(p, rc);
		return;
	}
	switch ((enum wire_change)q->number) {
	case WIRE_RENAME:
		rc = restante_rename(r, c.id, q->text, on_done, p);
		break;
	case WIRE_VERIFY:
	case WIRE_UNVERIFY:
		rc = restante_verify(r, c.id, q->number == WIRE_VERIFY, on_done, p);
		break;
	case WIRE_BLOCK:
	case WIRE_UNBLOCK:
		rc = restante_block(r, c.id, q->number == WIRE_BLOCK, on_done, p);
		break;
	case WIRE_REMOVE:
		rc = restante_remove(r, c.id, on_done, p);
		break;
	case WIRE_RESTART:
		rc = restante_restart(r, c.id, on_done, p);
		break;
	}
	called(p, rc);
}

static void
do_send_text(struct peer *p, const struct wire *q)
{
	struct wire m = { .type = WIRE_IS_QUEUED };
	struct restante_forecast f;
	struct restante *r = p->agent->r;
	struct restante_contact c;
	int rc = restante_contact_find(r, q->name, &c);

	if (rc == RESTANTE_OK)
		rc = restante_send_text(r, c.id, q->text, &m.number, on_done, p);
	if (rc == RESTANTE_OK && restante_forecast(r, &f) == RESTANTE_OK) {
		m.half_ms = (uint64_t)f.half_ms;
		m.most_ms = (uint64_t)f.most_ms;
	}
	if (rc == RESTANTE_OK)
		answer(p, &m);
	called(p, rc);
}

static void
do_send_file(struct peer *p, const struct wire *q)
{
	struct wire m = { .type = WIRE_IS_QUEUED, .bytes = q->number };
	struct restante *r = p->agent->r;
	struct restante_contact c;
	int rc = restante_contact_find(r, q->name, &c);

	if (rc == RESTANTE_OK)
		rc = restante_estimate(r, q->number, &m.seconds, &m.bytes);
	p->busy++; /* it may end within the call */
	if (rc == RESTANTE_OK)
		rc = restante_send_file(r, c.id, q->text, &m.number, on_done, p);
	if (rc == RESTANTE_OK) {
		answer(p, &m);
		return;
	}
	p->busy--;
	answer_done(p, rc);
}

static void
on_message(void *arg, int code, const struct restante_message *m, const char *text)
{
	struct peer *p = arg;
	struct wire w = { .type = WIRE_IS_MESSAGE, .text = text != NULL ? text : "" };

	if (code == RESTANTE_OK) {
		w.message = *m;
		w.text_len = strlen(w.text);
		contact_name(p->agent, m->contact, w.name);
		answer(p, &w);
	}
	on_done(p, code);
}

static void
do_backup(struct peer *p, const struct wire *q)
{
	const char *blank = strchr(q->text, ' ');
	size_t n = blank != NULL ? (size_t)(blank - q->text) / 2 : 0;
	struct restante_unlock u = { .is_key_file = q->number != 0 };
	uint8_t *secret = secret_new(n > 0 ? n : 1);
	int rc = RESTANTE_E_INVALID;

	if (secret == NULL)
		rc = RESTANTE_E_MEMORY;
	else if (blank != NULL && (size_t)(blank - q->text) == 2 * n &&
	    encode_from_hex(secret, n, q->text, 2 * n) == ERR_OK) {
		u.secret = secret;
		u.len = n;
		rc = restante_backup(p->agent->r, blank + 1, &u, on_done, p);
	}
	secret_free(secret);
	called(p, rc);
}

static void
do_stop(struct peer *p)
{
	p->stopping = true;
	answer_done(p, RESTANTE_OK);
	if (p->conn == NULL)
		loop_event_stop(p->agent->loop);
}

static void
handle(struct peer *p, const struct wire *q)
{
	struct restante *r = p->agent->r;
	uint32_t seconds = q->number > UINT32_MAX ? UINT32_MAX : (uint32_t)q->number;

	switch (q->type) {
	case WIRE_STATUS:
		do_status(p);
		return;
	case WIRE_INVITE:
		do_invite(p, q);
		return;
	case WIRE_ACCEPT:
		called(p, restante_accept(r, q->name, q->text, on_done, p));
		return;
	case WIRE_CONTACTS:
		do_contacts(p);
		return;
	case WIRE_CHANGE:
		do_change(p, q);
		return;
	case WIRE_SEND_TEXT:
		do_send_text(p, q);
		return;
	case WIRE_SEND_FILE:
		do_send_file(p, q);
		return;
	case WIRE_MESSAGE:
		called(p, restante_message(r, q->number, on_message, p));
		return;
	case WIRE_FOLLOW:
		p->following = true;
		return;
	case WIRE_SAVE:
		called(p, restante_save_file(r, q->number, q->text, on_done, p));
		return;
	case WIRE_DELETE:
		called(p, restante_delete(r, q->number, on_done, p));
		return;
	case WIRE_CANCEL:
		called(p, restante_cancel(r, q->number, on_done, p));
		return;
	case WIRE_RETENTION:
		called(p, restante_set_retention(r, seconds, on_done, p));
		return;
	case WIRE_STOP:
		do_stop(p);
		return;
	case WIRE_BACKUP:
		do_backup(p, q);
		return;
	case WIRE_EVIDENCE:
		do_evidence(p);
		return;
	case WIRE_DONE:
	case WIRE_IS_STATUS:
	case WIRE_IS_CONTACT:
	case WIRE_IS_MESSAGE:
	case WIRE_IS_INVITATION:
	case WIRE_IS_QUEUED:
	case WIRE_IS_EVENT:
	case WIRE_IS_EVIDENCE:
		break;
	}
	answer_done(p, RESTANTE_E_INVALID);
}

/* ---- connections ---- */

static size_t
on_data(void *arg, const uint8_t *bytes, size_t n)
{
	struct peer *p = arg;
	size_t used = 0, len;
	struct wire q;

	p->busy++; /* keeps p alive */
	while (p->conn != NULL) {
		if (wire_length(&len, bytes + used, n - used) != ERR_OK ||
		    (len > 0 && wire_decode(&q, bytes + used, len) != ERR_OK)) {
			conn_free(p->conn);
			p->conn = NULL;
			break;
		}
		if (len == 0)
			break;
		handle(p, &q);
		used += len;
	}
	p->busy--;
	peer_maybe_free(p);
	return used;
}

static void
on_drained(void *arg)
{
	struct peer *p = arg;

	if (p->stopping)
		loop_event_stop(p->agent->loop);
}

static void
on_closed(void *arg, enum err why)
{
	struct peer *p = arg;

	(void)why;
	if (p->stopping)
		loop_event_stop(p->agent->loop);
	conn_free(p->conn);
	p->conn = NULL;
	peer_maybe_free(p);
}

static const struct conn_limits limits = { WIRE_MESSAGE_MAX, OUT_MAX };

static size_t
nothing_taken(void *arg, const uint8_t *bytes, size_t n)
{
	(void)arg;
	(void)bytes;
	return n;
}

static void
nobody_closed(void *arg, enum err why)
{
	(void)arg;
	(void)why;
}

/* One command too many: it is told so. */
static void
turn_away(struct conn *c)
{
	static const struct conn_events events = { .data = nothing_taken,
		.closed = nobody_closed };
	static const char text[] = "too many commands are connected to the agent; end one that "
				   "follows";
	const struct wire m = { .type = WIRE_DONE, .code = RESTANTE_E_BUSY, .text = text,
		.text_len = sizeof(text) - 1 };
	struct buf b;

	buf_init(&b);
	conn_set_events(c, &events, NULL, &limits);
	if (wire_encode(&b, &m) == ERR_OK && conn_write(c, b.data, b.len) == ERR_OK)
		conn_finish(c, AWAY_MS);
	else
		conn_free(c);
	buf_release(&b);
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct conn_events events = { .data = on_data,
		.drained = on_drained,
		.closed = on_closed };
	struct agent *a = arg;
	struct peer *p = a->peer_count < PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL) {
		turn_away(c);
		return;
	}
	p->agent = a;
	p->conn = c;
	p->next = a->peers;
	a->peers = p;
	a->peer_count++;
	conn_set_events(c, &events, p, &limits);
}

/* ---- events ---- */

static void
tell_all(struct agent *a, const struct wire *m)
{
	for (struct peer *p = a->peers, *next; p != NULL; p = next) {
		next = p->next;
		if (!p->following)
			continue;
		answer(p, m);
		peer_maybe_free(p);
	}
}

static void
on_event(void *arg, const struct restante_event *e)
{
	struct agent *a = arg;
	struct wire m = { .type = WIRE_IS_EVENT, .event = e->kind, .text = "" };

	m.message = e->message;
	m.message.contact = e->contact;
	contact_name(a, e->contact, m.name);
	tell_all(a, &m);
}

/* Commands that follow ask for the status anew. */
static void
on_way(void *arg)
{
	const struct restante_event e = { .kind = RESTANTE_EVENT_STATUS };

	on_event(arg, &e);
}

static void
on_signal(void *arg)
{
	struct agent *a = arg;

	loop_event_stop(a->loop);
}

/* ---- life ---- */

/* An agent that was killed just now holds the directory until the system has cleaned up. */
static int
open_directory(struct agent *a, const char *directory, const struct restante_unlock *unlock,
    struct diag *d)
{
	const struct timespec wait = { .tv_nsec = 100000000 };
	int rc = RESTANTE_E_BUSY;

	for (unsigned i = 0; i < BUSY_TRIES && rc == RESTANTE_E_BUSY; i++) {
		if (i > 0)
			(void)nanosleep(&wait, NULL);
		rc = restante_open(&a->r, directory, unlock, a->base, d->text);
	}
	return rc;
}

/* Outside of the client directory, so that a copy of that does not bring it along. */
static enum err
set_witness(struct restante *r, struct diag *d)
{
	char directory[PLACE_PATH_MAX];
	enum err e = place_witness(directory, d);
	int rc;

	if (e != ERR_OK || directory[0] == '\0')
		return e;
	rc = restante_set_witness(r, directory);
	return rc == RESTANTE_OK ? ERR_OK : diag_set(d, talk_code(rc), "%s", restante_explain(r));
}

static enum err
open_library(struct agent *a, const char *directory, const struct restante_unlock *unlock,
    struct diag *d)
{
	int rc = open_directory(a, directory, unlock, d);
	enum err e = talk_code(rc);

	if (e == ERR_OK)
		e = way_open(&a->way, a->r, a->loop, directory, on_way, a, d);
	if (e != ERR_OK)
		return e;
	restante_set_events(a->r, on_event, a);
	e = set_witness(a->r, d);
	if (e != ERR_OK)
		return e;
	rc = restante_start(a->r);
	if (rc != RESTANTE_OK)
		(void)diag_set(d, ERR_STATE, "%s", restante_explain(a->r));
	return talk_code(rc);
}

static enum err
agent_open(struct agent *a, const char *directory, const char *socket,
    const struct restante_unlock *unlock, struct diag *d)
{
	enum err e;

	a->base = event_base_new();
	if (a->base == NULL)
		return ERR_MEMORY;
	e = loop_event_new(&a->loop, a->base);
	if (e == ERR_OK)
		e = open_library(a, directory, unlock, d);
	if (e == ERR_OK)
		e = listener_open(&a->listener, a->loop, socket, on_accept, a, d);
	if (e == ERR_OK)
		e = loop_event_signal(a->loop, SIGTERM, on_signal, a);
	if (e == ERR_OK)
		e = loop_event_signal(a->loop, SIGINT, on_signal, a);
	return e;
}

static void
agent_close(struct agent *a)
{
	if (a->listener != NULL)
		listener_free(a->listener);
	if (a->r != NULL)
		restante_set_events(a->r, NULL, NULL);
	/* calls that were under way come back from here, with an error */
	restante_close(a->r);
	way_free(a->way);
	for (struct peer *p = a->peers, *next; p != NULL; p = next) {
		next = p->next;
		conn_free(p->conn);
		free(p);
	}
	if (a->loop != NULL)
		loop_event_free(a->loop);
	if (a->base != NULL)
		event_base_free(a->base);
}

enum err
agent_run(const char *directory, const char *socket, const struct restante_unlock *unlock,
    struct diag *d)
{
	struct agent a = { 0 };
	enum err e = agent_open(&a, directory, socket, unlock, d);

	if (e == ERR_OK) {
		(void)puts("ready");
		(void)fflush(stdout);
		loop_event_run(a.loop);
	}
	agent_close(&a);
	return e;
}
