#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/contact.h"
#include "client-lib/handle.h"

int
restante_send_text(struct restante *r, uint32_t contact, const char *text, uint64_t *message,
    restante_done *done, void *arg)
{
	int rc = handle_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = post_send_text(client_post(r->client), message, contact, text, strlen(text),
	    loop_wall_ms(r->loop), &r->why);
	return e == ERR_OK ? handle_commit(r, done, arg) : handle_fail(r, e);
}

/*
 * Bulk takes one slot in four, and a slot is a note with probability
 * 1/note-one-in; a crowd's journal carries every record to everybody.
 */
int
restante_estimate(struct restante *r, uint64_t size, uint64_t *seconds, uint64_t *journal_bytes)
{
	const struct params *p;
	int rc = handle_started(r);
	uint64_t chunk, records, slots;

	if (rc != RESTANTE_OK)
		return rc;
	p = &client_charter(r->client)->params;
	chunk = post_chunk_bytes(client_post(r->client));
	records = 1 + (size + chunk - 1) / chunk;
	slots = records * 4 * p->note_one_in / (p->note_one_in - 1);
	*seconds = (slots * (uint64_t)p->slot_ms + (uint64_t)params_forecast_ms(p)) / 1000 + 1;
	*journal_bytes = records * p->record_size;
	return RESTANTE_OK;
}

int
restante_forecast(struct restante *r, struct restante_forecast *out)
{
	const struct params *p;
	struct client_status s;
	struct client_outlook o;
	int rc = handle_started(r);
	int64_t ahead;

	if (rc != RESTANTE_OK)
		return rc;
	client_status(r->client, &s);
	client_outlook(r->client, &o);
	p = &client_charter(r->client)->params;
	ahead = (s.queued > 1 ? s.queued - 1 : 0) * p->slot_ms * p->note_one_in /
	    (p->note_one_in - 1);
	*out = (struct restante_forecast){ 0, 0 };
	if (o.half_ms > 0)
		*out = (struct restante_forecast){ o.half_ms + ahead, o.most_ms + ahead };
	return RESTANTE_OK;
}

static enum err
cancel(struct restante *r, uint64_t message)
{
	enum err e = post_cancel(client_post(r->client), message);

	if (e == ERR_STATE)
		return diag_set(&r->why, e,
		    "part of this message has left already; wait until it is delivered or failed");
	if (e == ERR_NOT_FOUND)
		return diag_set(&r->why, e, "no message of that number is waiting");
	return e;
}

int
restante_cancel(struct restante *r, uint64_t message, restante_done *done, void *arg)
{
	int rc = handle_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = cancel(r, message);
	return e == ERR_OK ? handle_commit(r, done, arg) : handle_fail(r, e);
}

/* ---- reading one message ---- */

struct reading {
	struct restante *r;
	uint64_t id;
	restante_message_cb *cb;
	restante_done *deleted; /* instead of cb: delete what is found */
	void *arg;
	struct post_message m;
	uint32_t fragment;
	struct buf text;
};

static void
reading_end(struct reading *x, enum err e)
{
	struct restante_message m;
	char *text = NULL;

	if (e == ERR_OK && x->text.len > 0) {
		text = (char *)x->text.data;
		contact_utf8_clean(text, x->text.len - 1);
	}
	handle_message(&m, &x->m);
	handle_explain(x->r, e);
	x->cb(x->arg, handle_code(e), e == ERR_OK ? &m : NULL, text);
	buf_release(&x->text);
	sodium_memzero(x, sizeof(*x));
	free(x);
}

static void read_fragment(struct reading *x);

static void
on_fragment(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct reading *x = arg;

	if (e == ERR_OK)
		e = buf_append(&x->text, p, n, POST_TEXT_MAX);
	if (e != ERR_OK) {
		/* the message is shown all the same, without its text */
		buf_release(&x->text);
		reading_end(x, e == ERR_CLOSED || e == ERR_MEMORY ? e : ERR_OK);
		return;
	}
	x->fragment++;
	read_fragment(x);
}

/* The next fragment of the text, or the end of it. */
static void
read_fragment(struct reading *x)
{
	struct post_write key;
	enum err e;

	if (x->m.file) {
		reading_end(x, ERR_OK);
		return;
	}
	if (x->fragment == x->m.of) {
		reading_end(x, buf_append(&x->text, "", 1, POST_TEXT_MAX + 1));
		return;
	}
	if (x->m.incoming)
		post_key_in(&key, x->m.store, x->fragment);
	else
		post_key_out(&key, x->m.id, x->fragment);
	e = client_read(x->r->client, &key, on_fragment, x);
	if (e != ERR_OK)
		reading_end(x, e);
}

static enum err read_envelope(struct reading *x);

/* Delete what the envelope describes. */
static void
reading_delete(struct reading *x, enum err e)
{
	struct restante *r = x->r;
	restante_done *done = x->deleted;
	void *arg = x->arg;

	handle_explain(r, e);
	if (e == ERR_OK && post_live_message(client_post(r->client), x->m.id, &x->m))
		e = cancel(r, x->m.id);
	else if (e == ERR_OK)
		e = post_delete(client_post(r->client), &x->m);
	free(x);
	if (e == ERR_OK && handle_commit(r, done, arg) == RESTANTE_OK)
		return;
	if (done != NULL)
		done(arg, handle_code(e != ERR_OK ? e : ERR_IO));
}

static void
on_envelope(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct reading *x = arg;

	if (e == ERR_NOT_FOUND && x->deleted == NULL && x->id > 1) {
		x->id--;
		e = read_envelope(x);
		if (e == ERR_OK)
			return;
	} else if (e == ERR_OK) {
		e = post_message_decode(&x->m, p, n);
	}
	if (x->deleted != NULL)
		reading_delete(x, e);
	else if (e != ERR_OK)
		reading_end(x, e);
	else
		read_fragment(x);
}

static enum err
read_envelope(struct reading *x)
{
	struct post_write key;

	if (x->deleted == NULL && x->id < post_first_message(client_post(x->r->client)))
		return ERR_NOT_FOUND;
	post_key_message(&key, x->id);
	return client_read(x->r->client, &key, on_envelope, x);
}

static int
reading_begin(struct restante *r, const struct reading *what)
{
	struct reading *x = malloc(sizeof(*x));
	enum err e = ERR_MEMORY;

	if (x != NULL) {
		*x = *what;
		e = read_envelope(x);
	}
	if (e != ERR_OK)
		free(x);
	return handle_fail(r, e);
}

int
restante_message(struct restante *r, uint64_t from, restante_message_cb *cb, void *arg)
{
	struct reading x = { .r = r, .cb = cb, .arg = arg };
	uint64_t last;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	last = post_last_message(client_post(r->client));
	x.id = from == 0 || from > last ? last : from;
	if (x.id == 0)
		return handle_code(diag_set(&r->why, ERR_NOT_FOUND, "there are no messages yet"));
	return reading_begin(r, &x);
}

static void
nothing_to_tell(void *arg, int code)
{
	(void)arg;
	(void)code;
}

int
restante_delete(struct restante *r, uint64_t message, restante_done *done, void *arg)
{
	struct reading x = { .r = r,
		.id = message,
		.deleted = done != NULL ? done : nothing_to_tell,
		.arg = arg };
	int rc = handle_started(r);

	return rc == RESTANTE_OK ? reading_begin(r, &x) : rc;
}
