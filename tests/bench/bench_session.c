/*
 * idle_session_memory, idle_session_cpu: what an open session costs the gateway when
 * nobody has anything to say: in every slot one frame up, whose packet goes to the
 * first mix, and one frame down; in every round a block for all of them. SESSIONS of
 * them are open, over a unix socket as behind an onion service. The floors: a frame
 * in each direction; opening and sealing a slot's frames.
 *
 * The gateway is a process of its own; this one is the mix and all clients.
 */
#include "config.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/rng.h"
#include "common/charter/timing.h"
#include "common/crypto/noise.h"
#include "common/net/attend.h"
#include "common/net/loop_event.h"
#include "common/net/session.h"
#include "gateway/gateway.h"
#include "gateway/spent_leveldb.h"
#include "gateway/store_leveldb.h"
#include "mix/links.h"
#include "tests/bench/bench.h"
#include "tests/lib/network.h"

#define SESSIONS 2000
#define OPENINGS 400 /* at a time: a session opens in its first slot */
#define WINDOWS 3   /* measured, of one round each */
#define FLOOR_SLOTS 2000
#define MIX 1
#define WAIT_MS 120000

struct bench {
	struct network *network;
	const struct charter *charter;
	const char *dir;
	pid_t gateway;
	struct loop *loop;
	struct timer *timer, *patience;
	struct disk *disk; /* the mix's */
	struct workq *queue;
	struct links *links;
	struct session *sessions[SESSIONS];
	size_t begun, opened, first_sheet;
	uint8_t *packet;
};

static void
check(enum err e, const struct diag *d)
{
	if (e != ERR_OK)
		bench_must(false, d->text);
}

/* ---- the network ---- */

static void
make_network(struct bench *b)
{
	struct params p;
	struct network_config cfg = { .seed = rng_u64(rng_system()), .params = &p,
		.unix_dir = b->dir };
	struct onion_geometry g;

	params_default(&p);
	p.layers = 1;
	p.people = SESSIONS;
	p.mailboxes = SESSIONS / 200;
	p.pieces = params_least_pieces(&p);
	b->network = network_new(&cfg);
	b->charter = b->network->charter;
	g = params_geometry(&p);
	b->packet = malloc(onion_packet_bytes(&g, 0));
	bench_must(b->packet != NULL, "no memory");
	rng_bytes(rng_system(), b->packet, onion_packet_bytes(&g, 0));
}

static void
allow_files(void)
{
	struct rlimit limit;

	bench_must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limits");
	limit.rlim_cur = limit.rlim_max;
	bench_must(limit.rlim_max >= SESSIONS + 200 && setrlimit(RLIMIT_NOFILE, &limit) == 0,
	    "too few open files are allowed (ulimit -n)");
}

/* ---- the gateway, a process of its own ---- */

static struct disk *
open_disk(char path[static 300], const struct bench *b, const char *name)
{
	struct disk *disk;
	struct diag d = { "" };
	int n = snprintf(path, 300, "%s/%s", b->dir, name);

	bench_must(n > 0 && n < 300, "the path is too long");
	check(disk_open(&disk, path, &d), &d);
	return disk;
}

static void
run_gateway(const struct bench *b)
{
	const struct network_keys *k =
	    &b->network->keys[network_index(b->network, charter_gateway(b->charter)->number)];
	struct gateway_config cfg = { .charter = b->charter, .identity_sk = k->identity_sk,
		.link_sk = k->link_sk, .rng = rng_system(), .keys = rng_system(), .threads = 1,
		.sessions_max = SESSIONS + 16,
		.waiting_max = SESSIONS + 16 };
	struct store_leveldb_config store = { .keys = rng_system() };
	char path[300], store_path[300];
	struct gateway *g;
	struct diag d = { "" };

	bench_must(loop_event_new(&cfg.loop, NULL) == ERR_OK, "no loop");
	cfg.disk = open_disk(path, b, "gateway");
	store.loop = cfg.loop;
	store.disk = open_disk(store_path, b, "store");
	store.path = store_path;
	check(store_leveldb_open(&cfg.store, &store, &d), &d);
	check(spent_leveldb_open(&cfg.spent, cfg.loop, store_path, &d), &d);
	check(gateway_new(&g, &cfg, &d), &d);
	loop_event_run(cfg.loop); /* until it is killed */
	_exit(1);
}

static double
gateway_cpu_s(const struct bench *b)
{
	clockid_t id;
	struct timespec t;

	bench_must(clock_getcpuclockid(b->gateway, &id) == 0 && clock_gettime(id, &t) == 0,
	    "no clock of the gateway's");
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
gateway_memory(const struct bench *b)
{
	char path[64];
	unsigned long total, resident;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)b->gateway);
	f = fopen(path, "r");
	bench_must(f != NULL && fscanf(f, "%lu %lu", &total, &resident) == 2,
	    "the gateway's memory cannot be read");
	(void)fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* ---- the mix ---- */

static void
announce(void *arg, uint16_t peer, bool dialled, bool up)
{
	struct bench *b = arg;
	struct announcement a = { .node = MIX, .suite = b->charter->params.suite };
	uint8_t encoded[ANNOUNCEMENT_BYTES];
	size_t i = network_index(b->network, MIX);

	if (!dialled || !up)
		return;
	a.epoch = timing_epoch(&b->charter->params, loop_wall_ms(b->loop));
	memcpy(a.pk, b->charter->nodes[i].link, sizeof(a.pk)); /* any key will do here */
	announcement_sign(&a, b->charter->network_id, b->network->keys[i].identity_sk);
	announcement_encode(encoded, &a);
	bench_must(links_send_announcement(b->links, peer, encoded) == ERR_OK, "not announced");
}

static void
ignore_packet(void *arg, uint16_t from, uint32_t epoch, uint8_t *packet)
{
	(void)arg;
	(void)from;
	(void)epoch;
	(void)packet;
}

static void
start_mix(struct bench *b)
{
	const struct links_events events = { .packet = ignore_packet, .state = announce };
	struct links_config cfg = { .loop = b->loop, .charters = b->network->charters, .own = MIX,
		.link_sk = b->network->keys[network_index(b->network, MIX)].link_sk,
		.rng = rng_system(), .keys = rng_system(), .queue_max = 64 };
	struct diag d = { "" };

	b->disk = disk_memory();
	b->queue = workq_new(b->loop, 1);
	bench_must(b->disk != NULL && b->queue != NULL, "no memory");
	cfg.disk = b->disk;
	cfg.queue = b->queue;
	check(links_open(&b->links, &cfg, &events, b, &d), &d);
	check(links_start(b->links, &d), &d);
}

/* ---- clients ---- */

static bool
fill_slot(void *arg, struct session *s, struct session_packet *out)
{
	const struct bench *b = arg;
	const struct onion_geometry g = params_geometry(&b->charter->params);

	(void)s;
	out->first_mix = MIX;
	out->epoch = timing_epoch(&b->charter->params, loop_wall_ms(b->loop));
	memcpy(out->packet, b->packet, onion_packet_bytes(&g, 0));
	return true;
}

static void begin_some(struct bench *b);

static void
session_opened(void *arg, struct session *s)
{
	struct bench *b = arg;

	(void)s;
	b->opened++;
	begin_some(b);
}

static enum err
item_came(void *arg, struct session *s, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct bench *b = arg;

	(void)s;
	(void)p;
	(void)n;
	/* the journal has begun when the first session sees a sheet */
	if (kind == ITEM_SHEET && b->first_sheet++ == 0)
		loop_event_stop(b->loop);
	return ERR_OK;
}

static void
session_ended(void *arg, struct session *s, enum err why, enum frame_error error)
{
	(void)arg;
	(void)s;
	(void)fprintf(stderr, "%s, %s\n", err_text(why), frame_error_text(error));
	bench_must(false, "a session ended");
}

static void
begin_one(struct bench *b)
{
	static const struct session_events events = { .opened = session_opened,
		.slot = fill_slot, .item = item_came, .ended = session_ended };
	const struct params *p = &b->charter->params;
	int64_t now = loop_wall_ms(b->loop);
	struct session_config cfg = { .charter = b->charter,
		.address = charter_gateway(b->charter)->entrance, .rng = rng_system(),
		.keys = rng_system() };

	cfg.open.version = FRAME_OPEN_VERSION;
	cfg.open.mailbox = (uint16_t)(b->begun % p->mailboxes);
	cfg.open.hour = timing_hour(p, now);
	if (now >= attend_mark_ms(p, cfg.open.hour + 1))
		cfg.open.hour++;
	bench_must(session_open(&b->sessions[b->begun], b->loop, &cfg, &events, b) == ERR_OK,
	    "a session was not begun");
	b->begun++;
}

static void
begin_some(struct bench *b)
{
	while (b->begun < SESSIONS && b->begun - b->opened < OPENINGS && b->first_sheet > 0)
		begin_one(b);
	if (b->opened == SESSIONS)
		loop_event_stop(b->loop);
}

/* ---- the measurement ---- */

static void
give_up(void *arg)
{
	(void)arg;
	bench_must(false, "the sessions did not open in time");
}

static void
pause_over(void *arg)
{
	loop_event_stop(((struct bench *)arg)->loop);
}

static void
let_pass(struct bench *b, int64_t ms)
{
	timer_after(b->timer, ms);
	loop_event_run(b->loop);
}

/* Until the callbacks above are content. */
static void
run_loop(struct bench *b)
{
	timer_after(b->patience, WAIT_MS);
	loop_event_run(b->loop);
	timer_cancel(b->patience);
}

/* A session that opens now must not end before the measurement does. */
static void
wait_for_a_good_moment(const struct params *p)
{
	for (;;) {
		int64_t now = clock_wall_ms(clock_system());
		int64_t mark = attend_mark_ms(p, timing_hour(p, now) + 1);

		if (now >= mark || now < mark - 3 * WAIT_MS / 2)
			return;
		(void)sleep(1);
	}
}

/* Microseconds of CPU for the frames of one slot: open one, seal one for the mix, one down. */
static double
floor_cpu(const struct params *p)
{
	static uint8_t frame[65536 + NOISE_TAG_BYTES];
	struct noise_cipher c = { .counter = 0 }, d = c;
	size_t up = params_up_frame_bytes(p), down = params_down_frame_bytes(p);
	size_t node = params_node_frame_bytes(p, 0);
	double start = bench_thread_s();

	for (size_t i = 0; i < FLOOR_SLOTS; i++) {
		/* sealing costs what opening does */
		bench_must(noise_encrypt(&c, frame, frame, up) == ERR_OK &&
			noise_encrypt(&c, frame, frame, node) == ERR_OK &&
			noise_encrypt(&d, frame, frame, down) == ERR_OK, "a frame was not sealed");
	}
	return (bench_thread_s() - start) / FLOOR_SLOTS * 1e6;
}

static void
measure_cpu(struct bench *b, struct bench_result *r)
{
	const struct params *p = &b->charter->params;
	double slots = SESSIONS * (double)p->round_ms / (double)p->slot_ms;

	for (size_t i = 0; i < WINDOWS; i++) {
		double start = gateway_cpu_s(b);

		let_pass(b, p->round_ms);
		r->value[i] = (gateway_cpu_s(b) - start) / slots * 1e6;
		r->floor_value[i] = floor_cpu(p);
	}
}

static void
begin_world(struct bench *b)
{
	b->dir = bench_directory();
	allow_files();
	make_network(b);
	wait_for_a_good_moment(&b->charter->params);
	b->gateway = bench_fork();
	if (b->gateway == 0)
		run_gateway(b);
	bench_must(loop_event_new(&b->loop, NULL) == ERR_OK, "no loop");
	b->timer = timer_new(b->loop, pause_over, b);
	b->patience = timer_new(b->loop, give_up, b);
	bench_must(b->timer != NULL && b->patience != NULL, "no memory");
	let_pass(b, 1000); /* until the gateway listens */
	start_mix(b);
}

static void
end_world(struct bench *b)
{
	for (size_t i = 0; i < SESSIONS; i++)
		session_free(b->sessions[i]);
	workq_free(b->queue);
	links_free(b->links);
	disk_free(b->disk);
	timer_free(b->timer);
	timer_free(b->patience);
	loop_event_free(b->loop);
	bench_must(kill(b->gateway, SIGKILL) == 0 && waitpid(b->gateway, NULL, 0) == b->gateway,
	    "the gateway cannot be stopped");
	free(b->packet);
	network_free(b->network);
}

int
main(int argc, char **argv)
{
	static struct bench b;
	static struct bench_result memory = { .name = "idle_session_memory", .unit = "bytes",
		.floor = "a frame in each direction", .rounds = 1, .less_is_better = true };
	static struct bench_result cpu = { .name = "idle_session_cpu", .unit = "us/slot",
		.floor = "opening and sealing frames", .rounds = WINDOWS, .less_is_better = true };
	const struct params *p;
	double before;

	bench_begin();
	begin_world(&b);
	p = &b.charter->params;
	begin_one(&b);
	run_loop(&b);
	let_pass(&b, p->slot_ms);
	before = gateway_memory(&b);
	begin_some(&b);
	run_loop(&b);
	let_pass(&b, p->round_ms + p->slot_ms); /* everybody has caught up */
	measure_cpu(&b, &cpu);
	memory.value[0] = (gateway_memory(&b) - before) / (SESSIONS - 1);
	memory.floor_value[0] =
	    (double)(params_up_frame_bytes(p) + params_down_frame_bytes(p) + 2 * NOISE_TAG_BYTES);
	if (bench_wanted(argc, argv, memory.name))
		bench_report(&memory);
	if (bench_wanted(argc, argv, cpu.name))
		bench_report(&cpu);
	end_world(&b);
	return 0;
}
