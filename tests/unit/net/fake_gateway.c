#include "config.h"

#include "tests/unit/net/fake_gateway.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/link.h"
#include "tests/lib/test.h"

static const struct params *
params_of(const struct fake_gateway *g)
{
	return &g->network->charter->params;
}

static void
say(struct fake_session *s, const struct frame_down *f)
{
	uint8_t frame[LINK_FRAME_MAX];

	frame_down_encode(frame, params_of(s->gateway), f);
	assert_err_ok(link_send(s->link, frame));
}

void
fake_gateway_say(struct fake_gateway *g, size_t i, const struct frame_down *f)
{
	assert_true(i < g->count && g->sessions[i]->link != NULL);
	say(g->sessions[i], f);
}

static void
hang_up(struct fake_session *s)
{
	link_finish(s->link, 1000);
	s->link = NULL;
	s->ended_ms = world_now_ms(s->gateway->world);
}

static void
refuse(struct fake_session *s, enum frame_error error)
{
	say(s, &(struct frame_down){.type = FRAME_DOWN_ERROR, .error = error});
	hang_up(s);
}

/* A frame down for each frame up, with the next piece of the stream. */
static void
answer(struct fake_session *s)
{
	struct fake_gateway *g = s->gateway;
	size_t left = g->stream_len - g->given;
	size_t n = left < g->fill ? left : g->fill;
	struct frame_down f = {.type = FRAME_DOWN_STREAM, .fill = (uint16_t)n, .stream = g->stream};

	if (n > 0)
		f.stream += g->given;
	else
		f.stream = (const uint8_t *)"";
	g->given += n;
	say(s, &f);
}

/* Who has no ticket reads the stream, which is all notices then, and is done. */
static void
show_notices(struct fake_session *s)
{
	struct fake_gateway *g = s->gateway;

	g->fill = params_down_frame_bytes(params_of(g)) - 8;
	for (g->given = 0; g->given < g->stream_len;)
		answer(s);
	refuse(s, FRAME_ERROR_COMPLETE);
}

static void
note(struct fake_session *s, const struct frame_up *f)
{
	int64_t now = world_now_ms(s->gateway->world);

	if (s->first_ms == 0)
		s->first_ms = now;
	if ((now - s->first_ms) % params_of(s->gateway)->slot_ms != 0)
		s->off_beat++;
	s->last_ms = now;
	if (f->type == FRAME_UP_OPEN) {
		assert_false(s->opened);
		s->opened = true;
		s->open = f->open;
		return;
	}
	assert_true(s->opened);
	s->packets++;
	s->last_epoch = f->epoch;
	s->last_mix = f->first_mix;
	memcpy(s->last_packet, f->packet, sizeof(s->last_packet));
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct fake_session *s = arg;
	struct fake_gateway *g = s->gateway;
	uint32_t hour = timing_hour(params_of(g), world_now_ms(g->world));
	struct frame_up f;

	(void)n;
	assert_err_ok(frame_up_decode(&f, params_of(g), plain));
	note(s, &f);
	if (g->silent)
		return;
	if (f.type == FRAME_UP_OPEN && g->error != FRAME_ERROR_NONE)
		refuse(s, g->error);
	else if (g->closes_at_mark && hour > s->open.hour)
		refuse(s, FRAME_ERROR_MARK);
	else if (f.type == FRAME_UP_OPEN && f.open.read == FRAME_READ_NOTICES)
		show_notices(s);
	else
		answer(s);
}

static void
on_up(void *arg)
{
	struct fake_session *s = arg;

	s->accepted_ms = world_now_ms(s->gateway->world);
	memcpy(s->hash, link_hash(s->link), sizeof(s->hash));
}

static void
on_down(void *arg, enum err why)
{
	struct fake_session *s = arg;

	(void)why;
	link_free(s->link);
	s->link = NULL;
	s->ended_ms = world_now_ms(s->gateway->world);
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events events = {.up = on_up, .frame = on_frame, .down = on_down};
	struct fake_gateway *g = arg;
	const struct charter *charter = g->network->charter;
	const struct charter_node *node = charter_gateway(charter);
	struct fake_session *s;
	struct link_config cfg = {
	    .pattern = NOISE_NK,
	    .own_sk = g->network->keys[network_index(g->network, node->number)].link_sk,
	    .own_pk = node->link,
	    .send_bytes = params_down_frame_bytes(&charter->params),
	    .receive_bytes = params_up_frame_bytes(&charter->params),
	    .out_frames_max = 64,
	    .handshake_ms = 60000,
	    .keys = world_rng(g->world),
	};

	if (g->refuses)
		return;
	memcpy(cfg.network_id, charter->network_id, sizeof(cfg.network_id));
	assert_true(g->count < FAKE_SESSIONS_MAX);
	s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->gateway = g;
	g->sessions[g->count++] = s;
	assert_err_ok(link_accept(&s->link, world_loop(g->host), c, &cfg, &events, s));
}

void
fake_gateway_start(struct fake_gateway *g, struct world *w, struct world_host *h,
    const struct network *n)
{
	g->world = w;
	g->host = h;
	g->network = n;
	assert_err_ok(listener_open(&g->listener, world_loop(h),
	    charter_gateway(n->charter)->entrance, on_accept, g, NULL));
}

void
fake_gateway_stop(struct fake_gateway *g)
{
	for (size_t i = 0; i < g->count; i++) {
		link_free(g->sessions[i]->link);
		free(g->sessions[i]);
	}
	g->count = 0;
	listener_free(g->listener);
}

size_t
fake_gateway_live(const struct fake_gateway *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->count; i++)
		n += g->sessions[i]->link != NULL && g->sessions[i]->accepted_ms > 0;
	return n;
}
