/*
 * A whole mix, in virtual time, and up to PEERS that link to it as the gateway, as a node that
 * should not, or as nobody: changed handshakes, changed and unchanged frames, packets that are
 * good, damaged, of another epoch, or come again, rounds, journal streams of any content,
 * clocks that jump. After each step: the mix's figures never fall and add up, it holds no more
 * than pool-max, what reaches the next mix was whole and came once, and who sent what cannot
 * be read has no link any more.
 */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "tests/fuzz/peer.h"
#include "tests/lib/test.h"
#include "tests/unit/mix/town.h"

#define PEERS 3
#define STEPS_MAX 40
#define PEOPLE 50
#define POOL_MAX 340 /* the least that a charter may have for these people */
#define STREAM_MAX (1u << 20)
#define HEAP_MAX ((size_t)32 << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 0; /* tens of milliseconds each */

struct stand {
	struct town town;
	struct peer peers[PEERS];
	struct mix_status last;
	size_t built; /* good packets, however often they were sent */
	uint8_t packet[ONION_PACKET_MAX]; /* the last of them */
	bool has_packet;
	int64_t run_ms; /* since the last step began */
};

static struct params params;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* A failed assertion of the town is a finding; its draws are the same in every run. */
	must(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0);
	must(setenv("RESTANTE_TEST_SEED", "1", 1) == 0);
	test_begin();
	must(secret_setup() == ERR_OK);
	params_default(&params);
	params.record_size = ONION_RECORD_MIN;
	params.people = PEOPLE;
	params.pool_max = POOL_MAX;
	return 0;
}

/* ---- peers ---- */

/* As one of the nodes, or with a key that no charter has. */
static void
dial(struct stand *t, struct peer *k, struct script *s)
{
	static uint8_t stranger_sk[32] = { 9 }, stranger_pk[32], key[32];
	const struct network *net = t->town.net;
	unsigned who = script_byte(s);
	size_t at = network_index(net, who % 4 == 1 ? TOWN_NEXT : TOWN_GATEWAY);
	size_t bytes = params_node_frame_bytes(&net->charter->params, 0);
	struct peer_config cfg = {
		.loop = world_loop(t->town.gateway.host), .address = net->charter->nodes[0].address,
		.send_bytes = bytes, .receive_bytes = bytes,
		.noise = { .pattern = NOISE_KK, .initiator = true,
			.prologue = net->charter->network_id, .prologue_len = 32,
			.own_sk = net->keys[at].link_sk, .own_pk = net->charter->nodes[at].link,
			.peer_pk = net->charter->nodes[0].link, .keys = world_rng(t->town.world) },
	};

	if (who % 4 == 2) {
		must(crypto_scalarmult_base(stranger_pk, stranger_sk) == 0);
		memcpy(key, stranger_sk, sizeof(key));
		cfg.noise.own_sk = key;
		cfg.noise.own_pk = stranger_pk;
	}
	peer_dial(k, &cfg, who % 4 == 3 ? s : NULL);
	k->spoilt = k->spoilt || who % 4 == 1 || who % 4 == 2; /* nobody who may dial */
}

static void
say_anything(struct peer *k, struct script *s)
{
	size_t n;
	uint8_t *bytes = script_bytes(s, &n);

	peer_say(k, bytes, n);
	free(bytes);
}

static void
send_frame(struct stand *t, struct peer *k, const struct frame_node *f, struct script *changes)
{
	const struct params *p = &t->town.net->charter->params;
	uint8_t *plain = calloc(1, params_node_frame_bytes(p, 0));

	must(plain != NULL);
	frame_node_encode(plain, p, 0, f);
	peer_send(k, plain, changes);
	free(plain);
}

/* A packet: a good one, the last one again, or the last one with changes. */
static void
send_packet(struct stand *t, struct peer *k, struct script *s)
{
	unsigned how = script_byte(s);
	uint8_t packet[ONION_PACKET_MAX];
	struct frame_node f = { .type = FRAME_NODE_PACKET, .packet = packet };
	const struct onion_geometry g = params_geometry(&t->town.net->charter->params);
	const size_t packet_bytes = onion_packet_bytes(&g, 0);

	if (how % 4 < 2 || !t->has_packet) {
		town_build(&t->town, t->packet);
		t->has_packet = true;
		t->built++;
	}
	memcpy(packet, t->packet, sizeof(packet));
	f.epoch = t->town.epoch->sheet->epoch + (how >= 240 ? how % 3 : 0);
	if (how % 4 == 3)
		script_change(s, packet, packet_bytes);
	send_frame(t, k, &f, how >= 224 && how < 240 ? s : NULL);
}

/* What else a node says: figures of batches, announcements, seeds, any bytes. */
static void
send_other(struct stand *t, struct peer *k, struct script *s)
{
	const struct params *p = &t->town.net->charter->params;
	unsigned what = script_byte(s);
	uint8_t *bytes = script_filled(s, params_node_frame_bytes(p, 0));
	struct frame_node f = { .type = FRAME_NODE_IDLE, .announcement = bytes, .seed = bytes };

	switch (what % 6) {
	case 0:
	case 1:
		f.type = FRAME_NODE_BATCH;
		f.batch_kind = what % 6 == 0 ? FRAME_BATCH_HAD : FRAME_BATCH_ENDS;
		f.batch = load_u16(bytes);
		break;
	case 2:
		f.type = FRAME_NODE_ANNOUNCEMENT;
		break;
	case 3:
		f.type = FRAME_NODE_SEED;
		break;
	case 4:
		peer_send(k, bytes, NULL);
		free(bytes);
		return;
	default:
		break;
	}
	send_frame(t, k, &f, NULL);
	free(bytes);
}

/* ---- the journal that the mix reads ---- */

/* Any bytes, an item of them, or a second sheet of this epoch. */
static void
show(struct stand *t, struct script *s)
{
	struct network_epoch *was = t->town.epoch;
	unsigned what = script_byte(s);
	struct buf sheet;
	size_t n;
	uint8_t *bytes = script_bytes(s, &n);

	if (what % 3 == 0) {
		must(buf_append(&t->town.stream, bytes, n, STREAM_MAX) == ERR_OK);
	} else if (what % 3 == 1) {
		must(item_append(&t->town.stream, ITEM_SHEET + what / 3 % 5, bytes, n,
		    STREAM_MAX) == ERR_OK);
	} else {
		t->town.epoch = NULL;
		town_make_sheet(&t->town, &sheet, TOWN_EPOCH);
		network_epoch_free(t->town.epoch);
		t->town.epoch = was;
		must(item_append(&t->town.stream, ITEM_SHEET, sheet.data, sheet.len, STREAM_MAX) ==
		    ERR_OK);
		buf_release(&sheet);
	}
	free(bytes);
}

/* ---- what must hold ---- */

static void
check_counts(const struct mix_status *now, const struct mix_status *was)
{
	must(now->received >= was->received && now->released >= was->released);
	must(now->flushes >= was->flushes && now->failed_commits == 0);
	must(now->dropped_epoch >= was->dropped_epoch && now->dropped_full >= was->dropped_full);
	must(now->dropped_out >= was->dropped_out && now->dropped_link >= was->dropped_link);
	for (size_t i = 0; i < UNWRAP_CAUSES; i++)
		must(now->unwrapped.by[i] >= was->unwrapped.by[i]);
	must(now->held <= POOL_MAX && now->pooled <= now->held);
	must(now->held + now->released + now->dropped_epoch + now->dropped_full +
		now->dropped_out <= now->received);
}

static void
check(struct stand *t)
{
	struct mix_status now = town_status(&t->town);

	check_counts(&now, &t->last);
	must(t->town.wrong == 0 && t->town.arrived <= t->built);
	must(t->town.arrived <= now.released);
	must(now.unwrapped.by[UNWRAP_PASSED] <= t->built);
	for (unsigned i = 0; i < PEERS; i++)
		must(!t->peers[i].spoilt || t->peers[i].conn == NULL || t->run_ms < 1000 ||
		    !t->peers[i].up);
	t->last = now;
}

/* ---- the run ---- */

static void
set_clock(struct stand *t, struct script *s)
{
	int64_t offset = (script_byte(s) % 31 - 5) * INT64_C(60000);

	world_set_clock(t->town.host, offset - world_clock_offset_ms(t->town.host));
}

/* From the gateway's own link. */
static void
crowd(struct stand *t, size_t n)
{
	town_send(&t->town, n);
	t->built += n;
}

static void
step(struct stand *t, struct script *s)
{
	static const uint16_t times_ms[] = { 1, 50, 1000, 5000, 20000, 61000 };
	uint8_t what = script_byte(s);
	struct peer *k = &t->peers[what / 16 % PEERS];

	switch (what % 16) {
	case 0: case 1: case 2: dial(t, k, s); break;
	case 3: say_anything(k, s); break;
	case 4: case 5: case 6: case 7: send_packet(t, k, s); break;
	case 8: case 9: send_other(t, k, s); break;
	case 10: peer_hang_up(k); break;
	case 11: show(t, s); break;
	case 12: set_clock(t, s); break;
	case 13: world_break(t->town.host, NULL); break;
	case 14: crowd(t, script_byte(s) % 32); break;
	default: break;
	}
	t->run_ms = times_ms[script_byte(s) % 6];
	town_run(&t->town, t->run_ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stand t;
	struct script s;
	size_t heap;

	t = (struct stand){ 0 };
	script_init(&s, data, size);
	town_up(&t.town, &params);
	town_settle(&t.town);
	t.last = town_status(&t.town);
	heap = script_heap_bytes();
	for (unsigned i = 0; i < STEPS_MAX && !script_is_over(&s) &&
	     t.town.guest_count < TOWN_GUESTS / 2; i++) {
		step(&t, &s);
		check(&t);
		must(heap == 0 || script_heap_bytes() < heap + HEAP_MAX);
	}
	for (unsigned i = 0; i < PEERS; i++)
		peer_hang_up(&t.peers[i]);
	town_down(&t.town);
	return 0;
}
