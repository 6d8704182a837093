/*
 * mix_daemon: packets per second through a whole mix on one CPU, from the bytes
 * of a TCP connection (Noise, frames) through unwrapping, the pool, the replay
 * file and the batch number on the disk, to the next node's connection; against
 * unwrapping alone on the same CPU. The other end of both links is the gateway of
 * the network, on another CPU.
 *
 * The network has one layer, so that nothing but the mix is between the links;
 * the batches are of BATCH packets (threshold mixing), so that time waits for no
 * round.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/rng.h"
#include "common/charter/timing.h"
#include "common/journal/chain.h"
#include "common/net/loop_event.h"
#include "mix/epochfile.h"
#include "mix/epochkeys.h"
#include "mix/links.h"
#include "mix/mix.h"
#include "mix/replay.h"
#include "mix/sheets.h"
#include "mix/unwrap.h"
#include "tests/bench/bench.h"
#include "tests/lib/network.h"

#define ROUNDS 9
#define BATCH 1024
#define PACKETS (4 * BATCH) /* through the mix in one round */
#define MIX 1
#define GATEWAY 2
#define MIX_CPU 0
#define GATEWAY_CPU 1
#define WAIT_MS 60000

struct bench {
	struct network *network;
	const struct charter *charter; /* of it */
	struct network_epoch *keys;
	uint32_t epoch;
	const char *dir; /* the mix's state */
	pid_t mix;
	/* the gateway's side */
	struct loop *loop;
	struct disk *disk;
	struct workq *queue;
	struct links *links;
	struct timer *patience;
	size_t links_up, received;
	/* packets of one round, and what unwraps them without a mix */
	size_t packet_bytes;
	uint8_t *packets, *opened;
	struct onion_job *jobs;
	struct replay *replay;
	struct unwrap_ground ground;
};

/* ---- the network ---- */

/* Whether these ports of the loopback address are free at this moment. */
static bool
free_port(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	bool is_free;

	bench_must(s >= 0, "no socket");
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	is_free = bind(s, (const struct sockaddr *)&a, sizeof(a)) == 0;
	(void)close(s);
	return is_free;
}

static uint16_t
free_ports(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t base = (uint16_t)rng_between(rng_system(), 20000, 30000);

		if (free_port((uint16_t)(base + MIX)) && free_port((uint16_t)(base + GATEWAY)))
			return base;
	}
	bench_must(false, "no free ports");
	return 0;
}

static void
make_network(struct bench *b)
{
	struct params p;
	struct network_config cfg = { .seed = rng_u64(rng_system()), .params = &p };

	params_default(&p);
	p.layers = 1;
	p.strategy[0] = (struct strategy){ .kind = STRATEGY_THRESHOLD, .threshold = BATCH };
	cfg.port_base = free_ports();
	b->network = network_new(&cfg);
	b->charter = b->network->charter;
	b->epoch = timing_epoch(&b->charter->params, clock_wall_ms(clock_system()));
	b->keys = network_epoch_new(b->network, b->epoch);
}

/* The mix's epoch key, as epochkeys.c stores it: header || secret key || public key. */
static void
store_key(const struct bench *b, struct disk *disk)
{
	static const struct epochfile key_file = { "key", "rstkey", 0 };
	uint8_t file[EPOCHFILE_HEADER_BYTES + 2 * ONION_KEY_BYTES];
	char name[EPOCHFILE_NAME_BYTES];
	size_t i = network_index(b->network, MIX);
	struct writer w;

	writer_init(&w, file, sizeof(file));
	epochfile_put(&w, &key_file, b->epoch);
	writer_copy(&w, b->keys->sk[i], ONION_KEY_BYTES);
	writer_copy(&w, b->keys->pk[i], ONION_KEY_BYTES);
	bench_must(writer_end(&w) == ERR_OK, "no key file");
	epochfile_name(name, &key_file, b->epoch);
	bench_must(disk_replace(disk, name, file, sizeof(file)) == ERR_OK, "no key on the disk");
}

/* The sheet, as if a session of the mix had brought it. */
static void
store_sheet(const struct bench *b, struct disk *disk)
{
	struct workq *queue = workq_new(b->loop, 1);
	struct chain *chain = chain_new(b->charter, NULL);
	const struct epochkeys_config keys_cfg = { .disk = disk, .queue = queue,
		.params = &b->charter->params, .keys = rng_system() };
	const struct epochkeys_events events = { 0 };
	struct sheets_config cfg = { .disk = disk, .queue = queue, .charters = b->network->charters,
		.chain = chain, .own = MIX,
		.identity_sk = b->network->keys[network_index(b->network, MIX)].identity_sk };
	struct epochkeys *keys;
	struct proofs *proofs;
	struct sheets *sheets;
	struct buf text, state;

	buf_init(&text);
	buf_init(&state);
	bench_must(queue != NULL && chain != NULL, "no memory");
	bench_must(epochkeys_open(&keys, &keys_cfg, &events, NULL, NULL) == ERR_OK, "no keys");
	cfg.keys = keys;
	bench_must(proofs_open(&proofs, disk, queue, b->charter, NULL, NULL) == ERR_OK, "no proofs");
	cfg.proofs = proofs;
	bench_must(sheets_open(&sheets, &cfg, &state, NULL) == ERR_OK, "no sheets");
	network_show(&text, b->network, b->keys->sheet);
	bench_must(sheets_offer(sheets, text.data, text.len, loop_wall_ms(b->loop)) == ERR_OK,
	    "the sheet is refused");
	workq_free(queue);
	bench_must(sheets_find(sheets, b->epoch) != NULL, "the sheet was not accepted");
	sheets_free(sheets);
	proofs_free(proofs);
	epochkeys_free(keys);
	chain_free(chain);
	buf_release(&text);
	buf_release(&state);
}

static struct disk *
open_disk(const char *path)
{
	struct diag d = { "" };
	struct disk *disk;

	if (disk_open(&disk, path, &d) != ERR_OK)
		bench_must(false, d.text);
	return disk;
}

static void
store_state(const struct bench *b)
{
	struct disk *disk = open_disk(b->dir);

	store_key(b, disk);
	store_sheet(b, disk);
	disk_free(disk);
}

/* ---- the mix, a process of its own ---- */

static void
run_mix(const struct bench *b)
{
	const struct network_keys *k = &b->network->keys[network_index(b->network, MIX)];
	struct mix_config cfg = { .charter = b->charter, .number = MIX, .threads = 1,
		.identity_sk = k->identity_sk, .link_sk = k->link_sk, .rng = rng_system(),
		.keys = rng_system() };
	struct diag d = { "" };
	struct mix *m;

	bench_pin(MIX_CPU);
	bench_must(loop_event_new(&cfg.loop, NULL) == ERR_OK, "no loop");
	cfg.disk = open_disk(b->dir);
	if (mix_new(&m, &cfg, &d) != ERR_OK)
		bench_must(false, d.text);
	loop_event_run(cfg.loop); /* until it is killed */
	_exit(1);
}

static void
start_mix(struct bench *b)
{
	b->mix = bench_fork();
	if (b->mix == 0)
		run_mix(b);
}

static void
stop_mix(const struct bench *b)
{
	bench_must(kill(b->mix, SIGKILL) == 0 && waitpid(b->mix, NULL, 0) == b->mix,
	    "the mix cannot be stopped");
}

/* ---- the gateway's side ---- */

static void
give_up(void *arg)
{
	(void)arg;
	bench_must(false, "the packets did not come through the mix in time");
}

static void
link_changed(void *arg, uint16_t peer, bool dialled, bool up)
{
	struct bench *b = arg;

	(void)peer;
	(void)dialled;
	bench_must(up, "a link was lost");
	if (++b->links_up == 2)
		loop_event_stop(b->loop);
}

static void
packet_came(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	struct bench *b = arg;

	(void)from;
	(void)epoch;
	(void)packet;
	if (++b->received == PACKETS)
		loop_event_stop(b->loop);
}

/* Run until one of the callbacks above is content. */
static void
run_loop(struct bench *b)
{
	timer_after(b->patience, WAIT_MS);
	loop_event_run(b->loop);
	timer_cancel(b->patience);
}

static void
open_links(struct bench *b)
{
	const struct links_config cfg = { .loop = b->loop, .charters = b->network->charters, .own = GATEWAY,
		.link_sk = b->network->keys[network_index(b->network, GATEWAY)].link_sk,
		.disk = b->disk, .queue = b->queue, .rng = rng_system(), .keys = rng_system(),
		.queue_max = PACKETS };
	const struct links_events events = { .packet = packet_came, .state = link_changed };
	struct diag d = { "" };

	if (links_open(&b->links, &cfg, &events, b, &d) != ERR_OK ||
	    links_start(b->links, &d) != ERR_OK)
		bench_must(false, d.text);
	run_loop(b);
}

/* ---- the measurement ---- */

static void
build(const struct bench *b, uint8_t *packet)
{
	const struct onion_geometry g = params_geometry(&b->charter->params);
	const struct onion_command cover = { .kind = ONION_DROP };
	struct onion_hop hops[2] = { { .node = MIX }, { .node = GATEWAY } };

	for (size_t i = 0; i < 2; i++)
		memcpy(hops[i].pk, b->keys->pk[network_index(b->network, hops[i].node)],
		    sizeof(hops[i].pk));
	bench_must(onion_build(packet, &g, b->epoch, b->keys->sheet->hash, hops, &cover,
		       rng_system()) == ERR_OK, "a packet was not built");
}

static void
build_all(struct bench *b)
{
	for (size_t i = 0; i < PACKETS; i++)
		build(b, b->packets + i * b->packet_bytes);
}

/* Packets per second of wall time through the mix. */
static double
mix_rate(struct bench *b)
{
	double start;

	b->received = 0;
	start = bench_wall_s();
	for (size_t i = 0; i < PACKETS; i++)
		bench_must(links_send_packet(b->links, MIX, b->epoch,
			       b->packets + i * b->packet_bytes) == ERR_OK, "a packet was not sent");
	run_loop(b);
	return PACKETS / (bench_wall_s() - start);
}

/* The same packets, unwrapped by this process on the mix's CPU. */
static double
unwrap_rate(struct bench *b)
{
	struct unwrap_counts counts = { { 0 } };
	double start;
	size_t passed;

	memcpy(b->opened, b->packets, PACKETS * b->packet_bytes);
	for (size_t i = 0; i < PACKETS; i++)
		b->jobs[i].packet = b->opened + i * b->packet_bytes;
	bench_pin(MIX_CPU);
	start = bench_wall_s();
	passed = unwrap_batch(b->jobs, PACKETS, &b->ground, &counts);
	start = bench_wall_s() - start;
	bench_pin(GATEWAY_CPU);
	bench_must(passed == PACKETS, "a packet was not unwrapped");
	return PACKETS / start;
}

static void
ground_init(struct bench *b)
{
	size_t i = network_index(b->network, MIX);
	struct onion_node_key *k = &b->ground.key;

	b->ground.charter = b->charter;
	k->epoch = b->epoch;
	k->sk = b->keys->sk[i];
	memcpy(k->pk, b->keys->pk[i], sizeof(k->pk));
	memcpy(k->sheet_hash, b->keys->sheet->hash, sizeof(k->sheet_hash));
	bench_must(replay_open(&b->replay, NULL, NULL, rng_system(), 2 * ROUNDS * PACKETS, NULL) ==
		ERR_OK && replay_set(&b->ground.replay, b->replay, b->epoch) == ERR_OK,
	    "no replay set");
}

static void
bench_init(struct bench *b)
{
	struct onion_geometry g;

	make_network(b);
	b->dir = bench_directory();
	bench_must(loop_event_new(&b->loop, NULL) == ERR_OK, "no loop");
	store_state(b);
	loop_event_free(b->loop);
	g = params_geometry(&b->charter->params);
	b->packet_bytes = onion_packet_bytes(&g, 0);
	b->packets = malloc(PACKETS * b->packet_bytes);
	b->opened = malloc(PACKETS * b->packet_bytes);
	b->jobs = malloc(PACKETS * sizeof(*b->jobs));
	bench_must(b->packets != NULL && b->opened != NULL && b->jobs != NULL, "no memory");
	ground_init(b);
}

/* After the mix was started: no thread of ours is in it. */
static void
gateway_init(struct bench *b)
{
	bench_pin(GATEWAY_CPU);
	bench_must(loop_event_new(&b->loop, NULL) == ERR_OK, "no loop");
	b->disk = disk_memory();
	b->queue = workq_new(b->loop, 1);
	b->patience = timer_new(b->loop, give_up, b);
	bench_must(b->disk != NULL && b->queue != NULL && b->patience != NULL, "no memory");
	open_links(b);
}

static void
bench_release(struct bench *b)
{
	workq_free(b->queue);
	links_free(b->links);
	timer_free(b->patience);
	disk_free(b->disk);
	loop_event_free(b->loop);
	replay_free(b->replay);
	free(b->packets);
	free(b->opened);
	free(b->jobs);
	network_epoch_free(b->keys);
	network_free(b->network);
}

int
main(void)
{
	static struct bench b;
	static struct bench_result r = { .name = "mix_daemon", .unit = "packets/s",
		.floor = "unwrap on the same core", .rounds = ROUNDS };

	bench_begin();
	if (bench_cpus() < 2)
		return 0;
	bench_init(&b);
	start_mix(&b);
	gateway_init(&b);
	for (size_t i = 0; i < ROUNDS; i++) {
		build_all(&b);
		r.floor_value[i] = unwrap_rate(&b);
		r.value[i] = mix_rate(&b);
	}
	bench_report(&r);
	stop_mix(&b);
	bench_release(&b);
	return 0;
}
