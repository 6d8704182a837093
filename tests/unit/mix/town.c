#include "config.h"

#include "tests/unit/mix/town.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/journal/block.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "tests/lib/test.h"

#define STREAM_MAX (1u << 20)

/* ---- the door ---- */

static void
guest_up(void *arg)
{
	(void)arg;
}

static void
guest_answer(struct town_guest *g)
{
	const struct params *p = &g->town->net->charter->params;
	struct frame_down down = { .type = FRAME_DOWN_STREAM };
	size_t room = (size_t)p->pieces * PARAMS_PIECE_BYTES;
	size_t left = g->town->stream.len - g->read;
	static uint8_t frame[65536];

	down.fill = (uint16_t)(left < room ? left : room);
	down.stream = left > 0 ? g->town->stream.data + g->read : frame;
	frame_down_encode(frame, p, &down);
	if (link_send(g->link, frame) == ERR_OK)
		g->read += down.fill;
}

static void
guest_frame(void *arg, uint8_t *plain, size_t n)
{
	struct town_guest *g = arg;
	struct frame_up up;

	(void)n;
	assert_err_ok(frame_up_decode(&up, &g->town->net->charter->params, plain));
	g->town->notes += up.type == FRAME_UP_PACKET;
	guest_answer(g);
}

static void
guest_down(void *arg, enum err why)
{
	struct town_guest *g = arg;

	(void)why;
	link_free(g->link);
	g->link = NULL;
}

static void
on_guest(void *arg, struct conn *c)
{
	static const struct link_events events = {
		.up = guest_up, .frame = guest_frame, .down = guest_down
	};
	struct town *t = arg;
	const struct params *p = &t->net->charter->params;
	struct town_guest *g = &t->guests[t->guest_count++];
	size_t at = network_index(t->net, TOWN_GATEWAY);
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = t->net->keys[at].link_sk, .own_pk = t->net->charter->nodes[at].link,
		.send_bytes = params_down_frame_bytes(p), .receive_bytes = params_up_frame_bytes(p),
		.out_frames_max = 8, .handshake_ms = 20000, .keys = world_rng(t->world) };

	assert_true(t->guest_count <= TOWN_GUESTS);
	memcpy(cfg.network_id, t->net->charter->network_id, 32);
	g->town = t;
	assert_err_ok(link_accept(&g->link, world_loop(t->gateway.host), c, &cfg, &events, g));
}

/* ---- the stubs ---- */

static void
on_announcement(void *arg, uint16_t from, const uint8_t *a)
{
	struct town *t = arg;
	struct announcement decoded;
	uint32_t i;

	assert_err_ok(announcement_decode(&decoded, a, t->net->charter));
	assert_int_equal(from, TOWN_MIX);
	i = decoded.epoch - TOWN_EPOCH;
	assert_true(i < 2);
	memcpy(t->announced[i], a, ANNOUNCEMENT_BYTES);
	t->announcements[i]++;
}

static void
on_nothing(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	(void)arg;
	(void)from;
	(void)epoch;
	(void)packet;
}

/* Mix 2 opens each packet: it must be whole, and for it. */
static void
on_arrival(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct town *t = arg;
	struct onion_geometry g = params_geometry(&t->net->charter->params);
	size_t at = network_index(t->net, TOWN_NEXT);
	struct onion_node_key key = { .epoch = epoch, .layer = 1, .sk = t->epoch->sk[at] };
	struct onion_job job = { .packet = packet };

	assert_int_equal(from, TOWN_MIX);
	memcpy(key.pk, t->epoch->pk[at], 32);
	memcpy(key.sheet_hash, t->epoch->sheet->hash, 32);
	onion_derive(&job, 1, &g, &key);
	onion_open(&job, 1, &g, &key);
	t->arrived += job.verdict == ONION_OPENED;
	t->wrong += job.verdict != ONION_OPENED;
	if (t->saw != NULL && job.verdict == ONION_OPENED)
		t->saw(t->arg, &job);
}

static void
on_batch(void *arg, uint16_t from, uint64_t number)
{
	(void)from;
	(void)number;
	((struct town *)arg)->batches++;
}

static void
stub_up(struct town *t, struct town_stub *s, uint16_t number, const struct links_events *events)
{
	struct links_config cfg = { .charters = t->net->charters, .own = number,
		.link_sk = t->net->keys[network_index(t->net, number)].link_sk,
		.rng = world_rng(t->world), .keys = world_rng(t->world), .queue_max = 10000 };

	assert_err_ok(world_host_new(&s->host, t->world));
	s->disk = disk_memory();
	s->queue = workq_new(world_loop(s->host), 1);
	assert_true(s->disk != NULL && s->queue != NULL);
	cfg.loop = world_loop(s->host);
	cfg.disk = s->disk;
	cfg.queue = s->queue;
	assert_err_ok(links_open(&s->links, &cfg, events, t, NULL));
	assert_err_ok(links_start(s->links, NULL));
}

static void
stub_down(struct town_stub *s)
{
	workq_free(s->queue);
	links_free(s->links);
	disk_free(s->disk);
}

/* ---- the town ---- */

int64_t
town_epoch_start(const struct town *t, uint32_t epoch)
{
	return timing_epoch_start(&t->net->charter->params, epoch);
}

void
town_run(struct town *t, int64_t ms)
{
	assert_err_ok(world_run_for(t->world, ms));
}

enum err
town_open_mix(struct town *t, struct diag *d)
{
	const struct network_keys *keys = &t->net->keys[network_index(t->net, TOWN_MIX)];
	const struct mix_config cfg = {
		.loop = world_loop(t->host),
		.disk = t->disk,
		.charter = t->net->charter,
		.number = TOWN_MIX,
		.identity_sk = keys->identity_sk,
		.link_sk = keys->link_sk,
		.rng = world_rng(t->world),
		.pool_rng = t->pool_rng,
		.keys = world_rng(t->world),
		.log = &t->log,
		.threads = 2,
		.unguarded = !t->guarded, /* there is no journal here */
	};

	t->log.clock = loop_clock(world_loop(t->host));
	return mix_new(&t->mix, &cfg, d);
}

void
town_start_mix(struct town *t)
{
	t->plan = (struct disk_fault){ 0 };
	t->disk = disk_fault_new(t->under, &t->plan);
	assert_non_null(t->disk);
	assert_err_ok(town_open_mix(t, NULL));
}

/* kill -9: nothing more reaches the disk. */
void
town_kill_mix(struct town *t)
{
	world_kill(t->host);
	t->plan = (struct disk_fault){ .at = 1, .err = ERR_IO, .forever = true };
	mix_free(t->mix);
	t->mix = NULL;
	disk_free(t->disk);
	assert_err_ok(world_start(t->host));
}

void
town_found(struct town *t, const struct params *params, const struct world_line *line)
{
	static const struct links_events gateway = {
		.packet = on_nothing, .announcement = on_announcement
	};
	static const struct links_events next = { .packet = on_arrival, .batch = on_batch };
	const struct network_config nc = { .seed = 6, .params = params };
	struct world_config wc = { .seed = test_seed(), .out = *line, .in = *line };

	*t = (struct town){ .net = network_new(&nc) };
	t->log.out = open_memstream(&t->log_text, &t->log_bytes);
	assert_non_null(t->log.out);
	wc.wall_ms = town_epoch_start(t, TOWN_EPOCH) + 600 * TOWN_SECOND;
	buf_init(&t->stream);
	assert_err_ok(world_new(&t->world, &wc));
	stub_up(t, &t->gateway, TOWN_GATEWAY, &gateway);
	stub_up(t, &t->next, TOWN_NEXT, &next);
	assert_err_ok(listener_open(&t->door, world_loop(t->gateway.host),
	    charter_gateway(t->net->charter)->entrance, on_guest, t, NULL));
	assert_err_ok(world_host_new(&t->host, t->world));
	t->under = disk_memory();
	assert_non_null(t->under);
}

void
town_up(struct town *t, const struct params *params)
{
	static const struct world_line line = { .delay_us = 5000, .spread_us = 1000 };

	town_found(t, params, &line);
	town_start_mix(t);
}

void
town_down(struct town *t)
{
	if (t->mix != NULL) {
		mix_free(t->mix);
		disk_free(t->disk);
	}
	listener_free(t->door);
	for (size_t i = 0; i < t->guest_count; i++)
		link_free(t->guests[i].link);
	stub_down(&t->gateway);
	stub_down(&t->next);
	disk_free(t->under);
	buf_release(&t->stream);
	if (t->epoch != NULL)
		network_epoch_free(t->epoch);
	world_free(t->world);
	network_free(t->net);
	assert_int_equal(fclose(t->log.out), 0);
	free(t->log_text);
}

/* What the mix's operator was told so far. */
bool
town_logged(const struct town *t, const char *event)
{
	return strstr(t->log_text, event) != NULL;
}

/* A sheet with the mix's announcement. */
void
town_make_sheet(struct town *t, struct buf *out, uint32_t epoch)
{
	struct network_epoch *e = network_epoch_new(t->net, epoch);
	size_t at = network_index(t->net, TOWN_MIX);

	assert_true(t->announcements[epoch - TOWN_EPOCH] > 0);
	assert_err_ok(announcement_decode(&e->sheet->nodes[at], t->announced[epoch - TOWN_EPOCH],
	    t->net->charter));
	buf_init(out);
	network_show(out, t->net, e->sheet);
	if (t->epoch != NULL)
		network_epoch_free(t->epoch);
	t->epoch = e;
}

/* Put it into the journal stream as an item of its own. */
void
town_serve_sheet(struct town *t, uint32_t epoch)
{
	struct buf sheet;

	town_make_sheet(t, &sheet, epoch);
	assert_err_ok(item_append(&t->stream, ITEM_SHEET, sheet.data, sheet.len, STREAM_MAX));
	buf_release(&sheet);
}

/* Put it there in a block, signed by the gateway. */
void
town_serve_block(struct town *t, uint32_t epoch, bool good)
{
	const struct charter *c = t->net->charter;
	const struct network_keys *keys = &t->net->keys[network_index(t->net, TOWN_GATEWAY)];
	struct block b = { .gateway = TOWN_GATEWAY, .entry_count = 1,
		.round = timing_round(&c->params, world_now_ms(t->world)), .previous = { 1 } };
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	struct buf sheet, bytes;

	town_make_sheet(t, &sheet, epoch);
	b.entries[0] = (struct block_entry){ BLOCK_SHEET, sheet.data, (uint32_t)sheet.len };
	buf_init(&bytes);
	assert_err_ok(block_encode(&bytes, &b));
	block_sign(signature, &b, c->network_id, keys->identity_sk);
	signature[7] ^= !good;
	assert_err_ok(buf_append(&bytes, signature, sizeof(signature), STREAM_MAX));
	assert_err_ok(item_append(&t->stream, ITEM_BLOCK, bytes.data, bytes.len, STREAM_MAX));
	buf_release(&sheet);
	buf_release(&bytes);
}

struct mix_status
town_status(const struct town *t)
{
	struct mix_status s;

	mix_get_status(t->mix, &s);
	return s;
}

/* Until the mix has the sheet of TOWN_EPOCH. */
void
town_settle(struct town *t)
{
	town_run(t, 30 * TOWN_SECOND);
	town_serve_sheet(t, TOWN_EPOCH);
	for (int i = 0; i < 3600 && !town_status(t).has_sheet; i++)
		town_run(t, TOWN_SECOND);
	assert_true(town_status(t).has_sheet);
}

void
town_build(struct town *t, uint8_t *packet)
{
	struct onion_command c = { .kind = ONION_DROP };
	struct path path;

	path_draw(&path, t->net->charter, test_rng());
	assert_err_ok(path_packet(packet, &path, t->epoch->sheet, &t->net->charter->params, &c,
	    test_rng(), test_rng()));
}

void
town_pass_on(struct town *t, const uint8_t *packet)
{
	assert_err_ok(links_send_packet(t->gateway.links, TOWN_MIX, t->epoch->sheet->epoch, packet));
}

void
town_send(struct town *t, size_t n)
{
	uint8_t packet[ONION_PACKET_MAX];

	while (n-- > 0) {
		town_build(t, packet);
		town_pass_on(t, packet);
	}
}
