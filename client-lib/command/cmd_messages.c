#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/command/commands.h"
#include "client-lib/command/place.h"
#include "client-lib/command/show.h"
#include "client-lib/command/talk.h"
#include "client-lib/post.h"

/* ---- send ---- */

struct send_options {
	char file[PLACE_PATH_MAX];
	int wait; /* enum restante_message_state */
};
static const char *const wait_choices[] = { "queued", "sent", "stored", "delivered", NULL };
static const struct config_key send_keys[] = {
	{ "file", CONFIG_STRING, 0, 0, "", "PATH", "send this file instead of a text", NULL,
	    CONFIG_FIELD(struct send_options, file), NULL, false, 'f' },
	{ "wait", CONFIG_ENUM, 0, 0, "queued", NULL,
	    "return when the message has reached this state", wait_choices,
	    CONFIG_FIELD(struct send_options, wait), NULL, false, 'w' },
};
const struct config_schema cmd_send_schema = {
	.keys = send_keys,
	.count = sizeof(send_keys) / sizeof(send_keys[0]),
	.size = sizeof(struct send_options),
};

struct sending {
	const struct call *call;
	struct wire queued;
	uint64_t id;
	struct restante_message last; /* as last heard */
	bool heard;
};

static void
each_queued(void *arg, const struct wire *a)
{
	struct sending *s = arg;

	if (a->type != WIRE_IS_QUEUED)
		return;
	s->queued = *a;
	s->queued.text = ""; /* theirs is gone when this is shown */
	s->queued.text_len = 0;
	s->id = a->number;
}

static void
each_polled(void *arg, const struct wire *a)
{
	struct sending *s = arg;

	if (a->type != WIRE_IS_MESSAGE || a->message.id != s->id)
		return;
	s->last = a->message;
	s->heard = true;
}

static bool
reached(const struct sending *s, int wanted)
{
	return s->heard && (s->last.state == RESTANTE_FAILED || (int)s->last.state >= wanted);
}

static void
show_progress(const struct sending *s, const struct restante_message *before)
{
	if (talk_json(s->call) || !s->heard ||
	    (s->last.state == before->state && s->last.done == before->done))
		return;
	(void)fprintf(s->call->err, "%s, %u of %u\n", show_message_state(s->last.state),
	    s->last.done, s->last.of);
}

/*
 * Follow first, then ask for the state: nothing between the two can be missed.
 * Every event of this message is a reason to ask again.
 */
static enum err
wait_for(struct sending *s, struct remote *events, int wanted, struct diag *d)
{
	const struct wire follow = { .type = WIRE_FOLLOW, .text = "" };
	const struct wire poll = { .type = WIRE_MESSAGE, .number = s->id, .text = "" };
	struct wire a;
	struct remote asks;
	enum err e = remote_ask(events, &follow, d);

	if (e == ERR_OK)
		e = talk_open(&asks, s->call, d);
	if (e != ERR_OK)
		return e;
	for (;;) {
		struct restante_message before = s->last;
		e = talk_ask(&asks, &poll, each_polled, s, d);
		show_progress(s, &before);
		if (e != ERR_OK || reached(s, wanted))
			break;
		do
			e = remote_answer(events, &a, d);
		while (e == ERR_OK && (a.type != WIRE_IS_EVENT || a.message.id != s->id));
		if (e != ERR_OK)
			break;
	}
	remote_close(&asks);
	if (e == ERR_OK && s->last.state == RESTANTE_FAILED)
		e = diag_set(d, ERR_TIMEOUT, "the message was given up: nobody acknowledged it");
	return e;
}

/* The text: operands joined by blanks, or all of standard input for "-" or none. */
static enum err
take_text(const struct call *c, struct buf *out, struct diag *d)
{
	uint8_t *space;
	enum err e = ERR_OK;

	if (c->operand_count > 1 && strcmp(c->operands[1], "-") != 0) {
		for (size_t i = 1; i < c->operand_count && e == ERR_OK; i++) {
			if (i > 1)
				e = buf_append(out, " ", 1, POST_TEXT_MAX + 1);
			if (e == ERR_OK)
				e = buf_append(out, c->operands[i], strlen(c->operands[i]),
				    POST_TEXT_MAX + 1);
		}
	} else {
		e = buf_reserve(out, POST_TEXT_MAX + 1, POST_TEXT_MAX + 1, &space);
		if (e == ERR_OK)
			out->len = fread(space, 1, POST_TEXT_MAX + 1, stdin);
		while (out->len > 0 && out->data[out->len - 1] == '\n')
			out->len--;
	}
	if (e == ERR_FULL || out->len > POST_TEXT_MAX)
		return diag_set(d, ERR_RANGE, "a message has at most %u bytes; send it as a file",
		    POST_TEXT_MAX);
	if (e == ERR_OK && memchr(out->data, 0, out->len) != NULL)
		return diag_set(d, ERR_MALFORMED, "this is not text; send it with --file");
	return e;
}

/* The agent has its own working directory: give it the whole path. */
static enum err
take_file(struct wire *q, char real[static PATH_MAX], const char *path, struct diag *d)
{
	struct stat st;

	if (realpath(path, real) == NULL || stat(real, &st) != 0)
		return diag_set(d, ERR_NOT_FOUND, "%s: %m", path);
	q->type = WIRE_SEND_FILE;
	q->number = (uint64_t)st.st_size;
	q->text = real;
	q->text_len = strlen(real);
	return ERR_OK;
}

static enum err
prepare(struct wire *q, const struct call *c, struct buf *text, char real[static PATH_MAX],
    struct diag *d)
{
	const struct send_options *o = c->own;
	enum err e = talk_name(q, c->operands[0], d);

	if (e != ERR_OK)
		return e;
	if (o->file[0] != '\0') {
		if (c->operand_count > 1)
			return diag_set(d, ERR_USAGE, "give either a text or a file");
		return take_file(q, real, o->file, d);
	}
	e = take_text(c, text, d);
	q->text = text->data != NULL ? (const char *)text->data : "";
	q->text_len = text->len;
	return e;
}

/* Queued is said when it is durable, not when it has a number. */
static enum err
hand_over(struct sending *s, struct remote *r, const struct wire *q, struct diag *d)
{
	const struct send_options *o = s->call->own;
	enum err e = talk_ask(r, q, each_queued, s, d);

	if (e == ERR_OK)
		show_queued(s->call->out, &s->queued, talk_json(s->call));
	if (e == ERR_OK && o->wait > RESTANTE_QUEUED)
		e = wait_for(s, r, o->wait, d);
	return e;
}

int
cmd_send(const struct call *c)
{
	struct wire q = { .type = WIRE_SEND_TEXT };
	struct sending s = { .call = c };
	char real[PATH_MAX];
	struct diag d = { "" };
	struct remote r;
	struct buf text;
	enum err e;

	buf_init(&text);
	e = prepare(&q, c, &text, real, &d);
	if (e == ERR_OK) {
		e = talk_open(&r, c, &d);
		if (e == ERR_OK) {
			e = hand_over(&s, &r, &q, &d);
			remote_close(&r);
		}
	}
	buf_release(&text);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

/* ---- inbox ---- */

struct inbox_options {
	bool follow;
	int64_t count, save, remove, cancel, since;
	char retention[CONFIG_VALUE_BYTES];
	char to[PLACE_PATH_MAX];
};
static const struct config_key inbox_keys[] = {
	{ "follow", CONFIG_BOOL, 0, 0, "no", NULL, "go on and print messages as they come", NULL,
	    CONFIG_FIELD(struct inbox_options, follow), NULL, false, 'F' },
	{ "count", CONFIG_INTEGER, 0, 1000000, "20", "messages", "how many of the latest", NULL,
	    CONFIG_FIELD(struct inbox_options, count), NULL, false, 'n' },
	{ "since", CONFIG_INTEGER, 0, INT64_MAX, "0", "id", "only messages with a greater id",
	    NULL, CONFIG_FIELD(struct inbox_options, since), NULL, false, 0 },
	{ "save", CONFIG_INTEGER, 0, INT64_MAX, "0", "id", "write this received file to --to", NULL,
	    CONFIG_FIELD(struct inbox_options, save), NULL, false, 0 },
	{ "to", CONFIG_STRING, 0, 0, "", "PATH", "where --save writes; must not exist", NULL,
	    CONFIG_FIELD(struct inbox_options, to), NULL, false, 0 },
	{ "delete", CONFIG_INTEGER, 0, INT64_MAX, "0", "id", "delete this message here", NULL,
	    CONFIG_FIELD(struct inbox_options, remove), NULL, false, 0 },
	{ "cancel", CONFIG_INTEGER, 0, INT64_MAX, "0", "id",
	    "withdraw this message if nothing of it has left", NULL,
	    CONFIG_FIELD(struct inbox_options, cancel), NULL, false, 0 },
	{ "retention", CONFIG_STRING, 0, 0, "", "duration",
	    "from now on delete own messages when they are older (0s: keep them)", NULL,
	    CONFIG_FIELD(struct inbox_options, retention), NULL, false, 0 },
};
const struct config_schema cmd_inbox_schema = {
	.keys = inbox_keys,
	.count = sizeof(inbox_keys) / sizeof(inbox_keys[0]),
	.size = sizeof(struct inbox_options),
};

/* A message as listed: kept until all are here, then printed oldest first. */
struct listed {
	struct restante_message m;
	char name[64];
	char *text;
};
struct listing {
	const struct call *call;
	struct listed *items;
	size_t count, room;
	bool found;
};

static void
each_listed(void *arg, const struct wire *a)
{
	struct listing *l = arg;
	struct listed *grown;

	if (a->type != WIRE_IS_MESSAGE)
		return;
	if (l->count == l->room) {
		size_t room = l->room > 0 ? 2 * l->room : 32;
		grown = realloc(l->items, room * sizeof(*grown));
		if (grown == NULL)
			return;
		l->items = grown;
		l->room = room;
	}
	l->items[l->count].m = a->message;
	memcpy(l->items[l->count].name, a->name, sizeof(a->name));
	l->items[l->count].text = strdup(a->text);
	l->found = l->items[l->count].text != NULL;
	l->count += l->found;
}

static void
listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].text);
	free(l->items);
}

/* The latest messages downward, at most `count`, with ids above `since`. */
static enum err
list_messages(struct remote *r, struct listing *l, size_t count, uint64_t since, struct diag *d)
{
	struct wire q = { .type = WIRE_MESSAGE, .text = "" };
	enum err e = ERR_OK;

	while (l->count < count) {
		l->found = false;
		e = talk_ask(r, &q, each_listed, l, d);
		if (e != ERR_OK || !l->found)
			break;
		if (l->items[l->count - 1].m.id <= since) {
			free(l->items[--l->count].text);
			break;
		}
		if (l->items[l->count - 1].m.id == 1)
			break;
		q.number = l->items[l->count - 1].m.id - 1;
	}
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void
print_listed(const struct call *c, const struct listed *x)
{
	show_message(c->out, &x->m, x->name, x->text, talk_json(c));
}

/* ---- inbox --follow ---- */

/* Ids that were printed, so that a reconnection prints nothing twice. */
struct printed {
	uint64_t *ids;
	size_t count, room;
	uint64_t base; /* everything up to here is history */
};

static bool
printed_has(const struct printed *p, uint64_t id)
{
	for (size_t i = p->count; i-- > 0;)
		if (p->ids[i] == id)
			return true;
	return false;
}

static void
printed_add(struct printed *p, uint64_t id)
{
	if (p->count == p->room) {
		size_t room = p->room > 0 ? 2 * p->room : 64;
		uint64_t *grown = realloc(p->ids, room * sizeof(*grown));
		if (grown == NULL)
			return;
		p->ids = grown;
		p->room = room;
	}
	p->ids[p->count++] = id;
}

static void
print_new(const struct call *c, struct printed *p, const struct listing *l)
{
	for (size_t i = l->count; i-- > 0;) {
		const struct listed *x = &l->items[i];
		if (!x->m.incoming || x->m.done < x->m.of || printed_has(p, x->m.id))
			continue;
		print_listed(c, x);
		printed_add(p, x->m.id);
	}
}

/* Everything above the base that has come and was not printed yet. */
static enum err
catch_up(const struct call *c, struct remote *r, struct printed *p, struct diag *d)
{
	struct listing l = { .call = c };
	enum err e = list_messages(r, &l, SIZE_MAX, p->base, d);

	if (e == ERR_OK)
		print_new(c, p, &l);
	listing_release(&l);
	return e;
}

/* Until the connection ends: each event of an arrived message is a reason to look. */
static enum err
follow_once(const struct call *c, struct printed *p, struct diag *d)
{
	const struct wire follow = { .type = WIRE_FOLLOW, .text = "" };
	struct remote events, asks;
	struct wire a;
	enum err e = talk_open(&events, c, d);

	if (e != ERR_OK)
		return e;
	e = talk_open(&asks, c, d);
	if (e != ERR_OK) {
		remote_close(&events);
		return e;
	}
	e = remote_ask(&events, &follow, d);
	if (e == ERR_OK)
		e = catch_up(c, &asks, p, d);
	while (e == ERR_OK) {
		e = remote_answer(&events, &a, d);
		if (e == ERR_OK && a.type == WIRE_IS_EVENT && a.event == RESTANTE_EVENT_MESSAGE)
			e = catch_up(c, &asks, p, d);
	}
	remote_close(&asks);
	remote_close(&events);
	return e;
}

/* The agent may be restarted meanwhile: connect again, for as long as it takes. */
static int
follow(const struct call *c, struct printed *p)
{
	const struct timespec second = { .tv_sec = 1 };
	struct diag d = { "" };

	for (;;) {
		enum err e = follow_once(c, p, &d);
		if (e != ERR_CLOSED && e != ERR_STATE && e != ERR_IO)
			return options_fail(c, e, &d);
		(void)nanosleep(&second, NULL);
	}
}

/* The id of the latest message, 0 if there is none. */
static enum err
latest_id(uint64_t *id, struct remote *r, const struct call *c, struct diag *d)
{
	struct listing l = { .call = c };
	enum err e = list_messages(r, &l, 1, 0, d);

	*id = l.count > 0 ? l.items[0].m.id : 0;
	listing_release(&l);
	return e;
}

/* Print what was listed, oldest first; what is above p->base and was not is new. */
static void
print_history(const struct call *c, struct printed *p, const struct listing *l)
{
	for (size_t i = l->count; i-- > 0;) {
		const struct listed *x = &l->items[i];
		print_listed(c, x);
		if (!x->m.incoming || x->m.done == x->m.of)
			printed_add(p, x->m.id);
	}
	if (p->base == 0 && l->count > 0)
		p->base = l->items[l->count - 1].m.id - 1;
}

static int
list(const struct call *c, const struct inbox_options *o)
{
	struct printed p = { .base = (uint64_t)o->since };
	struct listing l = { .call = c };
	struct diag d = { "" };
	struct remote r;
	enum err e = talk_open(&r, c, &d);

	if (e != ERR_OK)
		return options_fail(c, e, &d);
	if (o->count == 0 && o->since == 0)
		e = latest_id(&p.base, &r, c, &d);
	else
		e = list_messages(&r, &l, (size_t)o->count, p.base, &d);
	remote_close(&r);
	print_history(c, &p, &l);
	listing_release(&l);
	if (e != ERR_OK)
		return options_fail(c, e, &d);
	return o->follow ? follow(c, &p) : OPTIONS_EXIT_OK;
}

static int
save(const struct call *c, const struct inbox_options *o)
{
	struct wire q = { .type = WIRE_SAVE, .number = (uint64_t)o->save };
	char path[2 * PLACE_PATH_MAX + 2], here[PLACE_PATH_MAX];
	struct diag d;

	if (o->to[0] == '\0')
		return options_fail(c, diag_set(&d, ERR_USAGE, "say where with --to PATH"), &d);
	if (o->to[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		(void)snprintf(path, sizeof(path), "%s", o->to);
	else
		(void)snprintf(path, sizeof(path), "%s/%s", here, o->to);
	q.text = path;
	q.text_len = strlen(path);
	return talk_once(c, &q, NULL, NULL);
}

static int
simple(const struct call *c, enum wire_type type, int64_t number)
{
	const struct wire q = { .type = type, .number = (uint64_t)number, .text = "" };

	return talk_once(c, &q, NULL, NULL);
}

static int
set_retention(const struct call *c, const char *text)
{
	struct diag d;
	int64_t ms;
	enum err e = config_duration(&ms, text);

	if (e != ERR_OK || ms < 0)
		return options_fail(c,
		    diag_set(&d, ERR_USAGE, "--retention takes a duration such as 30d"), &d);
	return simple(c, WIRE_RETENTION, ms / 1000);
}

int
cmd_inbox(const struct call *c)
{
	const struct inbox_options *o = c->own;

	if (o->save > 0)
		return save(c, o);
	if (o->remove > 0)
		return simple(c, WIRE_DELETE, o->remove);
	if (o->cancel > 0)
		return simple(c, WIRE_CANCEL, o->cancel);
	if (o->retention[0] != '\0')
		return set_retention(c, o->retention);
	return list(c, o);
}
