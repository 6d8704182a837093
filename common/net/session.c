#include "config.h"

#include "common/net/session.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/link.h"

#define HANDSHAKE_MS 60000
#define SILENCE_MS 30000 /* and four slots: then the gateway is gone */
#define QUEUE_FRAMES 4

struct session {
	struct loop *loop;
	struct session_config cfg;
	const struct params *params;
	const struct session_events *events;
	void *arg;
	struct link *link;
	struct item_assembler *items;
	struct timer *slot;
	int64_t next_slot_ms; /* boot clock */
	int64_t heard_ms;     /* when the last frame came, boot clock */
	bool open_sent, told; /* the open frame left; `ended` was called */
	uint8_t *frame, *packet;
};

/* The owner must free the session from here, or later. */
static void
end(struct session *s, enum err why, enum frame_error error)
{
	if (s->told)
		return;
	s->told = true;
	timer_cancel(s->slot);
	link_free(s->link);
	s->link = NULL;
	s->events->ended(s->arg, s, why, error);
}

/* ---- slots ---- */

/* The next slot of the fixed period that is still to come. */
static void
slot_arm(struct session *s)
{
	int64_t now = loop_boot_ms(s->loop), period = s->params->slot_ms;

	s->next_slot_ms += period;
	if (s->next_slot_ms <= now)
		s->next_slot_ms += (now - s->next_slot_ms) / period * period + period;
	timer_after(s->slot, s->next_slot_ms - now);
}

static bool
send_frame(struct session *s, const struct frame_up *f)
{
	frame_up_encode(s->frame, s->params, f);
	return link_send(s->link, s->frame) == ERR_OK;
}

static void
send_open(struct session *s)
{
	const struct frame_up f = { .type = FRAME_UP_OPEN, .open = s->cfg.open };

	s->open_sent = send_frame(s, &f);
}

static void
send_packet(struct session *s)
{
	struct session_packet p = { .packet = s->packet };
	struct frame_up f = { .type = FRAME_UP_PACKET, .packet = s->packet };

	if (!s->events->slot(s->arg, s, &p))
		return;
	f.first_mix = p.first_mix;
	f.epoch = p.epoch;
	if (send_frame(s, &f) && s->events->sent != NULL)
		s->events->sent(s->arg, s);
}

static void
on_slot(void *arg)
{
	struct session *s = arg;
	int64_t silence = 4 * s->params->slot_ms + params_scaled(s->params, SILENCE_MS);

	if (loop_boot_ms(s->loop) - s->heard_ms > silence) {
		end(s, ERR_TIMEOUT, FRAME_ERROR_NONE);
		return;
	}
	slot_arm(s);
	/* a frame that has not left yet means that this slot cannot be sent */
	if (link_unsent_frames(s->link) > 0)
		return;
	if (s->open_sent)
		send_packet(s);
	else
		send_open(s);
}

/* ---- the link ---- */

static void
on_up(void *arg)
{
	struct session *s = arg;
	int64_t phase = rng_between(s->cfg.rng, 0, s->params->slot_ms - 1);

	s->heard_ms = loop_boot_ms(s->loop);
	s->next_slot_ms = s->heard_ms + phase;
	timer_after(s->slot, phase);
	if (s->events->opened != NULL)
		s->events->opened(s->arg, s);
}

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct session *s = arg;

	return s->events->item(s->arg, s, kind, p, n);
}

/* What the gateway says at the end of what was asked for is no failure. */
static bool
is_complete(enum frame_error e)
{
	return e == FRAME_ERROR_MARK || e == FRAME_ERROR_COMPLETE;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct session *s = arg;
	struct frame_down f;
	enum err e = frame_down_decode(&f, s->params, plain);

	(void)n;
	s->heard_ms = loop_boot_ms(s->loop);
	if (e == ERR_OK && f.type == FRAME_DOWN_ERROR) {
		end(s, is_complete(f.error) ? ERR_OK : ERR_CLOSED, f.error);
		return;
	}
	if (e == ERR_OK)
		e = item_feed(s->items, f.stream, f.fill);
	if (e != ERR_OK)
		end(s, e, FRAME_ERROR_NONE);
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
	end(arg, ERR_STATE, FRAME_ERROR_NONE);
}

/* ---- life ---- */

static enum err
dial(struct session *s)
{
	static const struct link_events events = { on_up, on_frame, NULL, on_down };
	const struct charter_node *gateway = charter_gateway(s->cfg.charter);
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = gateway->link,
		.send_bytes = params_up_frame_bytes(s->params),
		.receive_bytes = params_down_frame_bytes(s->params),
		.out_frames_max = QUEUE_FRAMES,
		.handshake_ms = HANDSHAKE_MS,
		.keys = s->cfg.keys };

	memcpy(cfg.network_id, s->cfg.charter->network_id, sizeof(cfg.network_id));
	return link_dial(&s->link, s->loop, s->cfg.address, &cfg, &events, s);
}

enum err
session_open(struct session **out, struct loop *l, const struct session_config *cfg,
    const struct session_events *events, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));
	const struct params *p = &cfg->charter->params;
	struct onion_geometry g = params_geometry(p);
	enum err e = ERR_MEMORY;

	if (s == NULL)
		return ERR_MEMORY;
	s->loop = l;
	s->cfg = *cfg;
	s->params = p;
	s->events = events;
	s->arg = arg;
	s->frame = malloc(params_up_frame_bytes(p));
	s->packet = malloc(onion_packet_bytes(&g, 0));
	s->items = item_assembler_new(on_item, s);
	s->slot = timer_new(l, on_slot, s);
	if (s->frame != NULL && s->packet != NULL && s->items != NULL && s->slot != NULL)
		e = loop_watch_jumps(l, on_jump, s);
	if (e == ERR_OK)
		e = dial(s);
	if (e != ERR_OK) {
		session_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	loop_unwatch_jumps(s->loop, s);
	link_free(s->link);
	timer_free(s->slot);
	item_assembler_free(s->items);
	free(s->frame);
	free(s->packet);
	free(s);
}

const struct frame_open *
session_what(const struct session *s)
{
	return &s->cfg.open;
}

bool
session_is_open(const struct session *s)
{
	return s->link != NULL && link_is_up(s->link);
}
