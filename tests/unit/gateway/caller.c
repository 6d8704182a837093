#include "config.h"

#include "tests/unit/gateway/caller.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct caller *k = arg;
	struct caller_item *item = &k->items[k->count];

	assert_true(k->count < CALLER_ITEMS_MAX);
	k->count++;
	item->kind = kind;
	item->len = n;
	memcpy(item->head, p, n < sizeof(item->head) ? n : sizeof(item->head));
	if (k->each != NULL)
		k->each(k->arg, kind, p, n);
	return ERR_OK;
}

static void
on_up(void *arg)
{
	struct caller *k = arg;

	k->up = true;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct caller *k = arg;
	struct frame_down f;

	(void)n;
	assert_err_ok(frame_down_decode(&f, &k->charter->params, plain));
	if (f.type == FRAME_DOWN_ERROR) {
		k->error = f.error;
		return;
	}
	k->frames++;
	k->empty += f.fill == 0;
	k->last_ms = loop_wall_ms(k->loop);
	assert_err_ok(item_feed(k->assembler, f.stream, f.fill));
}

static void
on_down(void *arg, enum err why)
{
	struct caller *k = arg;

	(void)why;
	k->ended = true;
	link_free(k->link);
	k->link = NULL;
}

struct caller *
caller_new(struct loop *l, const struct charter *c, const char *address, const struct rng *keys)
{
	static const struct link_events events = {
		.up = on_up, .frame = on_frame, .down = on_down
	};
	struct link_config cfg = {
		.pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = charter_gateway(c)->link,
		.send_bytes = params_up_frame_bytes(&c->params),
		.receive_bytes = params_down_frame_bytes(&c->params),
		.out_frames_max = 1000,
		.handshake_ms = 60000,
		.keys = keys,
	};
	struct caller *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->loop = l;
	k->charter = c;
	k->assembler = item_assembler_new(on_item, k);
	assert_non_null(k->assembler);
	memcpy(cfg.network_id, c->network_id, sizeof(cfg.network_id));
	assert_err_ok(link_dial(&k->link, l, address, &cfg, &events, k));
	return k;
}

void
caller_free(struct caller *k)
{
	link_free(k->link);
	item_assembler_free(k->assembler);
	free(k);
}

void
caller_raw(struct caller *k, const uint8_t *frame)
{
	if (k->link != NULL)
		assert_err_ok(link_send(k->link, frame));
}

static void
send(struct caller *k, const struct frame_up *f)
{
	uint8_t *frame = calloc(1, params_up_frame_bytes(&k->charter->params));

	assert_non_null(frame);
	frame_up_encode(frame, &k->charter->params, f);
	caller_raw(k, frame);
	free(frame);
}

void
caller_open(struct caller *k, const struct frame_open *open)
{
	const struct frame_up f = { .type = FRAME_UP_OPEN, .open = *open };

	send(k, &f);
}

void
caller_packet(struct caller *k, uint16_t first_mix, uint32_t epoch)
{
	static const uint8_t packet[ONION_PACKET_MAX];
	const struct frame_up f = {
		.type = FRAME_UP_PACKET, .first_mix = first_mix, .epoch = epoch, .packet = packet
	};

	send(k, &f);
}

size_t
caller_count(const struct caller *k, enum item_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < k->count; i++)
		n += k->items[i].kind == kind;
	return n;
}
