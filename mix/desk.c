#include "config.h"

#include "mix/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct verb {
	SLIST_ENTRY(verb) next;
	const char *name;
	desk_verb_cb *run;
	void *arg;
};

enum call_state {
	CALL_READING, /* the request comes */
	CALL_WAITING, /* its verb has it, until desk_answer */
	CALL_LEAVING, /* the answer leaves; then the visitor may hang up */
};

/* A visitor, from its connection to its end. */
struct desk_call {
	LIST_ENTRY(desk_call) others;
	struct desk *desk;
	struct conn *conn; /* NULL: gone, but its verb has not answered yet */
	struct timer *patience;
	enum call_state state;
};

struct desk {
	struct loop *loop;
	struct listener *listener;
	SLIST_HEAD(, verb) verbs;
	LIST_HEAD(, desk_call) calls;
	unsigned visitors;
};

static const struct conn_limits limits = {
	.in_max = DESKWIRE_REQUEST_MAX,
	.out_max = DESKWIRE_ANSWER_MAX,
};

/* ---- a visitor's life ---- */

static void
call_free(struct desk_call *c)
{
	LIST_REMOVE(c, others);
	c->desk->visitors--;
	timer_free(c->patience);
	conn_free(c->conn);
	free(c);
}

/* Nobody is there any more; a call that a verb still has stays until its answer. */
static void
hang_up(struct desk_call *c)
{
	if (c->state != CALL_WAITING) {
		call_free(c);
		return;
	}
	conn_free(c->conn);
	c->conn = NULL;
}

static void
on_patience(void *arg)
{
	call_free(arg); /* not armed while a verb has it */
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	hang_up(arg);
}

/* ---- answering ---- */

void
desk_answer(struct desk_call *c, enum err e, const void *text, size_t n)
{
	static const char too_long[] = "the answer is too long for the desk";
	uint8_t head[DESKWIRE_ANSWER_HEAD];

	if (c->conn == NULL) {
		call_free(c);
		return;
	}
	if (n > DESK_TEXT_MAX) {
		e = ERR_FULL;
		text = too_long;
		n = sizeof(too_long) - 1;
	}
	c->state = CALL_LEAVING;
	deskwire_put_head(head, e, n);
	if (conn_write(c->conn, head, sizeof(head)) != ERR_OK ||
	    (n > 0 && conn_write(c->conn, text, n) != ERR_OK)) {
		call_free(c); /* no memory: the visitor sees that there is no answer */
		return;
	}
	timer_after(c->patience, DESK_PATIENCE_MS);
}

void
desk_refuse(struct desk_call *c, enum err e, const struct diag *d)
{
	const char *text = d != NULL && d->text[0] != '\0' ? d->text : err_text(e);

	desk_answer(c, e, text, strlen(text));
}

/* ---- asking ---- */

static const struct verb *
find_verb(const struct desk *k, const char *name)
{
	const struct verb *v;

	SLIST_FOREACH(v, &k->verbs, next)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static void
run_request(struct desk_call *c, const struct deskwire_request *q)
{
	const struct verb *v = find_verb(c->desk, q->verb);
	struct diag d;

	timer_cancel(c->patience);
	c->state = CALL_WAITING;
	if (v != NULL) {
		v->run(v->arg, c, q->payload, q->n);
		return;
	}
	(void)diag_set(&d, ERR_VERSION, "this daemon does not know \"%s\"; it is another program, "
	    "or another version, than the command that asks", q->verb);
	desk_refuse(c, ERR_VERSION, &d);
}

static size_t
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct desk_call *c = arg;
	struct deskwire_request q;
	enum err e;

	if (c->state != CALL_READING)
		return n; /* nothing else is wanted of this visitor */
	e = deskwire_request(&q, p, n);
	if (e == ERR_TRUNCATED)
		return 0;
	if (e == ERR_OK)
		run_request(c, &q);
	else
		desk_refuse(c, e, NULL);
	return n; /* c may be gone */
}

static void
on_visitor(void *arg, struct conn *conn)
{
	static const struct conn_events events = { .data = on_data, .closed = on_closed };
	struct desk *k = arg;
	struct desk_call *c;

	if (k->visitors >= DESK_VISITORS_MAX || (c = calloc(1, sizeof(*c))) == NULL) {
		conn_free(conn);
		return;
	}
	c->desk = k;
	c->conn = conn;
	c->state = CALL_READING;
	LIST_INSERT_HEAD(&k->calls, c, others);
	k->visitors++;
	c->patience = timer_new(k->loop, on_patience, c);
	if (c->patience == NULL) {
		call_free(c);
		return;
	}
	conn_set_events(conn, &events, c, &limits);
	timer_after(c->patience, DESK_PATIENCE_MS);
}

/* ---- life ---- */

enum err
desk_open(struct desk **out, struct loop *l, const char *address, struct diag *d)
{
	struct desk *k;
	enum err e;

	if (strncmp(address, "unix:", 5) != 0)
		return diag_set(d, ERR_USAGE, "desk %s: it must be a unix socket, such as "
		    "unix:/run/restante/desk: nobody else may reach it", address);
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	k->loop = l;
	SLIST_INIT(&k->verbs);
	LIST_INIT(&k->calls);
	e = listener_open(&k->listener, l, address, on_visitor, k, d);
	if (e != ERR_OK) {
		free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
desk_free(struct desk *k)
{
	struct desk_call *c;
	struct verb *v;

	if (k == NULL)
		return;
	listener_free(k->listener);
	while ((c = LIST_FIRST(&k->calls)) != NULL)
		call_free(c);
	while ((v = SLIST_FIRST(&k->verbs)) != NULL) {
		SLIST_REMOVE_HEAD(&k->verbs, next);
		free(v);
	}
	free(k);
}

enum err
desk_serve(struct desk *k, const char *name, desk_verb_cb *run, void *arg)
{
	size_t n = strlen(name);
	struct verb *v;

	if (n == 0 || n > DESK_VERB_MAX)
		return ERR_USAGE;
	if (find_verb(k, name) != NULL)
		return ERR_EXISTS;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return ERR_MEMORY;
	*v = (struct verb){ .name = name, .run = run, .arg = arg };
	SLIST_INSERT_HEAD(&k->verbs, v, next);
	return ERR_OK;
}
