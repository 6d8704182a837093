#include "config.h"

#include "tests/system/flood_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/fetch.h"
#include "common/net/loop_event.h"
#include "common/net/session.h"

#define PATIENCE_MS 20000

void
flood_must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "flood_client: %s\n", what);
	exit(2);
}

/* ---- what every session is shown ---- */

static void
take_sheet(struct flood_tokens *t, const uint8_t *p, size_t n)
{
	struct sheet_shown shown;
	struct sheet *s;

	if (sheet_show_check(&shown, p, n, t->charter) != ERR_OK || shown.epoch != t->epoch ||
	    t->sheet != NULL || sheet_read(&s, p, shown.len, t->charters, NULL) != ERR_OK)
		return;
	t->sheet = s;
}

static enum err
on_item(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct flood_tokens *t = arg;
	struct notice notice;

	(void)s;
	if (kind == ITEM_SHEET)
		take_sheet(t, p, n);
	if (kind == ITEM_NOTICE && notice_decode(&notice, p, n, t->charter) == ERR_OK &&
	    notice.keys.epoch == t->epoch) {
		t->notice = notice;
		t->has_notice = true;
	}
	return ERR_OK;
}

static bool
on_slot(void *arg, struct session *s, struct session_packet *out)
{
	(void)arg;
	(void)s;
	(void)out;
	return false;
}

static void
on_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	struct flood_tokens *t = arg;

	(void)s;
	(void)why;
	(void)error;
	loop_event_stop(t->loop);
}

void
flood_look(struct flood_tokens *t)
{
	static const struct session_events events = { .slot = on_slot, .item = on_item,
		.ended = on_ended };
	int64_t now = loop_wall_ms(t->loop);
	const struct session_config cfg = { .charter = t->charter,
		.address = charter_gateway(t->charter)->entrance,
		.open = { .version = FRAME_OPEN_VERSION,
		    .hour = timing_hour(&t->charter->params, now),
		    .read = FRAME_READ_NOTICES },
		.rng = rng_system(),
		.keys = rng_system() };
	struct session *s;

	t->epoch = timing_epoch(&t->charter->params, now);
	flood_must(session_open(&s, t->loop, &cfg, &events, t) == ERR_OK, "no session");
	loop_event_run(t->loop);
	session_free(s);
}

/* ---- an allotment ---- */

struct errand {
	struct flood_tokens *owner;
	struct issuance_request q;
	uint8_t wallet[32];
};

static void
put(struct flood_list *l, const struct flood_token *token)
{
	l->list = realloc(l->list, (l->count + 1) * sizeof(l->list[0]));
	flood_must(l->list != NULL, "no memory");
	l->list[l->count++] = *token;
}

static void
take_batch(struct errand *x, const struct issuance_batch *b)
{
	struct flood_tokens *t = x->owner;
	const struct params *p = &t->charter->params;
	uint32_t first = timing_hour(p, timing_epoch_start(p, t->epoch));

	for (size_t i = 0; i < b->n; i++) {
		struct flood_token token = { .hour = first + allotment_hour(x->q.batch, i) };

		memcpy(token.nonce, b->nonce[i], sizeof(token.nonce));
		memcpy(token.output, b->output[i], sizeof(token.output));
		put(x->q.kind == TOKEN_TICKET ? &t->tickets : &t->stamps, &token);
	}
}

static void
on_answer(void *arg, enum err e, const struct issuance_answer *a)
{
	static struct issuance_batch batch;
	struct errand *x = arg;
	struct flood_tokens *t = x->owner;

	flood_must(e == ERR_OK, "the registrar does not answer");
	flood_must(a->status == ISSUANCE_OK, issuance_status_text(a->status));
	flood_must(issuance_take(&batch, &x->q, a, &t->notice.keys, &t->charter->params,
	    x->wallet) == ERR_OK, "a batch does not verify");
	take_batch(x, &batch);
	loop_event_stop(t->loop);
}

static void
fetch(struct errand *x)
{
	struct flood_tokens *t = x->owner;
	const struct charter_node *r = charter_registrar(t->charter);
	const struct fetch_config cfg = { .network_id = t->charter->network_id,
		.address = r->entrance,
		.registrar_pk = r->link,
		.patience_ms = PATIENCE_MS,
		.keys = rng_system() };
	struct fetch *f;

	flood_must(fetch_open(&f, t->loop, &cfg, &x->q, on_answer, x) == ERR_OK, "no link");
	loop_event_run(t->loop);
	fetch_free(f);
}

static void
fetch_all(struct errand *x, enum token_kind kind, const uint8_t *secret)
{
	const struct params *p = &x->owner->charter->params;

	for (uint32_t i = 0; i < allotment_batches(p, kind); i++) {
		x->q = (struct issuance_request){ .kind = kind, .epoch = x->owner->epoch, .batch = i };
		flood_must(issuance_ask(&x->q, p, secret, x->wallet) == ERR_OK, "nothing was asked");
		fetch(x);
	}
}

void
flood_fetch(struct flood_tokens *t, const char *code, bool stamps)
{
	uint8_t secret[ENROLMENT_SECRET_BYTES];
	struct errand x = { .owner = t };
	struct diag d = { "" };

	flood_must(charter_registrar(t->charter) != NULL, "the charter has no registrar");
	flood_must(t->has_notice, "no notice of the running epoch was shown");
	flood_must(enrolment_decode(secret, code, t->charter->network_id, &d) == ERR_OK, d.text);
	rng_bytes(rng_system(), x.wallet, sizeof(x.wallet));
	fetch_all(&x, TOKEN_TICKET, secret);
	if (stamps)
		fetch_all(&x, TOKEN_STAMP, secret);
}

const struct flood_token *
flood_ticket(struct flood_tokens *t, uint32_t hour)
{
	struct flood_list *l = &t->tickets;

	for (size_t i = l->used; i < l->count; i++) {
		struct flood_token found = l->list[i];

		if (found.hour != hour)
			continue;
		l->list[i] = l->list[l->used];
		l->list[l->used] = found;
		return &l->list[l->used++];
	}
	return NULL;
}

const struct flood_token *
flood_stamp(struct flood_tokens *t)
{
	return t->stamps.used < t->stamps.count ? &t->stamps.list[t->stamps.used++] : NULL;
}
