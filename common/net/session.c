#include "config.h"

#include "common/net/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/link.h"
#include "common/net/purse.h"
#include "common/token/token.h"

#define FRAME_PACKET_OFFSET 8 /* of the packet in a frame up */
#define SILENT_SLOTS 4
#define SILENT_MS INT64_C(30000)
#define HANDSHAKE_MS INT64_C(60000)
/* Machines are not time-scaled: what a test network shortens stops here. */
#define PATIENCE_MIN_MS INT64_C(5000)

struct session {
	struct loop *loop;
	const struct charter *charter;
	struct session_events events;
	void *arg;
	struct frame_open open;
	const struct rng *rng;
	struct link *link;
	struct timer *slot;
	struct item_assembler *items;
	int64_t first_boot_ms; /* of the slots: phase of the period */
	int64_t due_boot_ms;   /* of the next slot */
	struct purse *purse;   /* NULL: no ticket is needed */
	bool ticketed;	       /* it is there, or not needed */
	bool opened;	       /* the open frame has gone */
	bool over;	       /* `ended` was called */
	bool freed;
	unsigned busy; /* depth of calls that run callbacks */
	uint8_t *frame; /* params_up_frame_bytes */
};

/* ---- life ---- */

static void
destroy(struct session *s)
{
	size_t n = params_up_frame_bytes(&s->charter->params);

	link_free(s->link);
	timer_free(s->slot);
	item_assembler_free(s->items);
	if (s->frame != NULL)
		secret_wipe(s->frame, n);
	free(s->frame);
	secret_wipe(s, sizeof(*s));
	free(s);
}

static void
enter(struct session *s)
{
	s->busy++;
}

static void
leave(struct session *s)
{
	s->busy--;
	if (s->freed && s->busy == 0)
		destroy(s);
}

static void
hang_up(struct session *s)
{
	loop_unwatch_jumps(s->loop, s);
	if (s->purse != NULL)
		purse_cancel(s->purse, s);
	s->purse = NULL;
	link_free(s->link);
	s->link = NULL;
	timer_free(s->slot);
	s->slot = NULL;
}

void
session_free(struct session *s)
{
	if (s == NULL || s->freed)
		return;
	s->freed = true;
	hang_up(s);
	if (s->busy == 0)
		destroy(s);
}

const struct frame_open *
session_what(const struct session *s)
{
	return &s->open;
}

bool
session_is_open(const struct session *s)
{
	return s->opened && !s->over;
}

static void
end(struct session *s, enum err why, enum frame_error error)
{
	if (s->over || s->freed)
		return;
	s->over = true;
	hang_up(s);
	enter(s);
	s->events.ended(s->arg, s, why, error);
	leave(s);
}

/* ---- slots ---- */

static void
arm_slot(struct session *s)
{
	int64_t period_ms = s->charter->params.slot_ms;
	int64_t now_ms = loop_boot_ms(s->loop);
	int64_t since_ms = now_ms - s->first_boot_ms;
	int64_t next_ms = s->first_boot_ms;

	if (s->due_boot_ms > 0 && since_ms >= 0)
		next_ms += (since_ms / period_ms + 1) * period_ms;
	s->due_boot_ms = next_ms;
	timer_after(s->slot, next_ms - now_ms);
}

/* Held up for so long that the slot is rather over than begun. */
static bool
is_missed(const struct session *s)
{
	return loop_boot_ms(s->loop) - s->due_boot_ms > s->charter->params.slot_ms / 2;
}

static void
send_open(struct session *s)
{
	const struct frame_up f = {.type = FRAME_UP_OPEN, .open = s->open};
	enum err e;

	frame_up_encode(s->frame, &s->charter->params, &f);
	e = link_send(s->link, s->frame);
	if (e != ERR_OK) {
		end(s, e, FRAME_ERROR_NONE);
		return;
	}
	s->opened = true;
	if (s->events.opened != NULL)
		s->events.opened(s->arg, s);
}

static void
send_packet(struct session *s)
{
	struct session_packet packet = {.packet = s->frame + FRAME_PACKET_OFFSET};
	struct frame_up f = {.type = FRAME_UP_PACKET, .packet = packet.packet};

	/* What has not left yet leaves late enough: do not pile up behind it. */
	if (link_unsent_frames(s->link) > 0)
		return;
	if (!s->events.slot(s->arg, s, &packet) || s->freed || s->over)
		return;
	f.first_mix = packet.first_mix;
	f.epoch = packet.epoch;
	frame_up_encode(s->frame, &s->charter->params, &f);
	if (link_send(s->link, s->frame) == ERR_OK && s->events.sent != NULL)
		s->events.sent(s->arg, s);
}

static void
on_slot(void *arg)
{
	struct session *s = arg;

	bool missed = is_missed(s);

	enter(s);
	arm_slot(s);
	if (!missed && s->opened)
		send_packet(s);
	else if (!missed && s->ticketed)
		send_open(s);
	leave(s);
}

/* ---- the stream ---- */

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct session *s = arg;
	enum err e;

	if (s->freed)
		return ERR_CLOSED;
	e = s->events.item(s->arg, s, kind, p, n);
	return s->freed ? ERR_CLOSED : e;
}

/* What an error frame means for a session that reads what this one reads. */
static enum err
meaning(const struct session *s, enum frame_error error)
{
	bool live = s->open.read == FRAME_READ_LIVE;

	switch (error) {
	case FRAME_ERROR_NONE:
		return ERR_MALFORMED;
	case FRAME_ERROR_VERSION:
		return ERR_VERSION;
	case FRAME_ERROR_HOUR:
	case FRAME_ERROR_RATE:
		return ERR_RANGE;
	case FRAME_ERROR_MAILBOX:
	case FRAME_ERROR_DAY:
		return ERR_NOT_FOUND;
	case FRAME_ERROR_BUSY:
		return ERR_BUSY;
	case FRAME_ERROR_TICKET:
		return ERR_CRYPTO;
	case FRAME_ERROR_MARK:
		return live ? ERR_OK : ERR_RANGE;
	case FRAME_ERROR_NOT_READY:
		return ERR_STATE;
	case FRAME_ERROR_STORE:
		return ERR_IO;
	case FRAME_ERROR_COMPLETE:
		return live ? ERR_MALFORMED : ERR_OK;
	}
	return ERR_MALFORMED;
}

static void
take_down(struct session *s, const struct frame_down *f)
{
	enum err e;

	switch (f->type) {
	case FRAME_DOWN_STREAM:
		if (s->purse != NULL)
			purse_refused(s->purse, false);
		e = item_feed(s->items, f->stream, f->fill);
		if (e != ERR_OK)
			end(s, e, FRAME_ERROR_NONE);
		return;
	case FRAME_DOWN_ERROR:
		if (s->purse != NULL && f->error == FRAME_ERROR_TICKET)
			purse_refused(s->purse, true);
		end(s, meaning(s, f->error), f->error);
		return;
	}
}

/* ---- the link ---- */

/* It is durable now that the ticket is spent: it may be shown. */
static void
on_ticket(void *arg, enum err e, const struct wallet_token *t)
{
	struct session *s = arg;

	if (e != ERR_OK) {
		end(s, e, FRAME_ERROR_NONE);
		return;
	}
	memcpy(s->open.ticket_nonce, t->nonce, sizeof(s->open.ticket_nonce));
	token_ticket_proof(s->open.ticket_proof, t->output, link_hash(s->link));
	s->ticketed = true;
}

static void
ask_for_ticket(struct session *s)
{
	enum err e;

	s->ticketed = s->purse == NULL || s->open.read == FRAME_READ_NOTICES ||
	    !purse_needed_hour(s->purse, s->open.hour);
	if (s->ticketed)
		return;
	e = purse_ticket(s->purse, s->open.hour, on_ticket, s);
	if (e != ERR_OK)
		end(s, e, FRAME_ERROR_NONE);
}

static void
on_up(void *arg)
{
	struct session *s = arg;

	s->first_boot_ms =
	    loop_boot_ms(s->loop) + rng_between(s->rng, 0, s->charter->params.slot_ms - 1);
	arm_slot(s);
	ask_for_ticket(s);
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct session *s = arg;
	struct frame_down f;
	enum err e;

	(void)n;
	enter(s);
	e = frame_down_decode(&f, &s->charter->params, plain);
	if (e != ERR_OK)
		end(s, e, FRAME_ERROR_NONE);
	else if (!s->opened)
		end(s, ERR_MALFORMED, FRAME_ERROR_NONE); /* answers before it was asked */
	else
		take_down(s, &f);
	leave(s);
}

static void
on_down(void *arg, enum err why)
{
	end(arg, why, FRAME_ERROR_NONE);
}

static void
on_jump(void *arg, int64_t delta_ms)
{
	(void)delta_ms;
	end(arg, ERR_CLOSED, FRAME_ERROR_NONE);
}

/* ---- opening ---- */

static int64_t
at_least(int64_t ms, int64_t least_ms)
{
	return ms > least_ms ? ms : least_ms;
}

static enum err
dial(struct session *s, const struct session_config *cfg)
{
	static const struct link_events events = {.up = on_up, .frame = on_frame, .down = on_down};
	const struct params *p = &cfg->charter->params;
	const struct charter_node *gateway = charter_gateway(cfg->charter);
	/* Tor is not time-scaled either: its circuits take what they take. */
	bool scaled = cfg->socks == NULL;
	struct link_config link = {
		.pattern = NOISE_NK,
		.initiator = true,
		.send_bytes = params_up_frame_bytes(p),
		.receive_bytes = params_down_frame_bytes(p),
		.out_frames_max = 1,
		.handshake_ms = at_least(params_scaled(p, HANDSHAKE_MS),
		    scaled ? PATIENCE_MIN_MS : HANDSHAKE_MS),
		.idle_ms = at_least(SILENT_SLOTS * p->slot_ms + params_scaled(p, SILENT_MS),
		    scaled ? PATIENCE_MIN_MS : SILENT_MS),
		.keys = cfg->keys,
		.socks = cfg->socks,
	};

	if (gateway == NULL)
		return ERR_USAGE;
	link.peer_pk = cfg->gateway_pk != NULL ? cfg->gateway_pk : gateway->link;
	memcpy(link.network_id, cfg->charter->network_id, sizeof(link.network_id));
	return link_dial(&s->link, s->loop, cfg->address, &link, &events, s);
}

static enum err
set_up(struct session *s, const struct session_config *cfg)
{
	s->frame = calloc(1, params_up_frame_bytes(&cfg->charter->params));
	s->items = item_assembler_new(on_item, s);
	s->slot = timer_new(s->loop, on_slot, s);
	if (s->frame == NULL || s->items == NULL || s->slot == NULL)
		return ERR_MEMORY;
	memset(s->open.ticket_nonce, 0, sizeof(s->open.ticket_nonce));
	memset(s->open.ticket_proof, 0, sizeof(s->open.ticket_proof));
	if (loop_watch_jumps(s->loop, on_jump, s) != ERR_OK)
		return ERR_MEMORY;
	return dial(s, cfg);
}

enum err
session_open(struct session **out, struct loop *l, const struct session_config *cfg,
    const struct session_events *events, void *arg)
{
	struct session *s;
	enum err e;

	assert(events->slot != NULL && events->item != NULL && events->ended != NULL);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ERR_MEMORY;
	s->loop = l;
	s->charter = cfg->charter;
	s->events = *events;
	s->arg = arg;
	s->open = cfg->open;
	s->rng = cfg->rng;
	s->purse = cfg->purse;
	e = set_up(s, cfg);
	if (e != ERR_OK) {
		session_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}
