/*
 * unwrap, unwrap_two_workers: packets per second through a mix's unwrapping, from
 * the bytes of a packet to the survivor with its tag in the replay set, against
 * X25519 alone. build_packet: a client's packets against two X25519 for each hop.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/charter/charter.h"
#include "common/crypto/onion.h"
#include "common/net/loop_event.h"
#include "mix/replay.h"
#include "mix/unwrap.h"
#include "tests/bench/bench.h"

#define EPOCH 7
#define WORKERS 2
#define PACKETS (4 * UNWRAP_BATCH)	/* of one round, in batches as a mix makes them */
#define BATCH (WORKERS * UNWRAP_BATCH)	/* on the workers */
#define BUILDS 256			/* packets built in one round */
/* An epoch of 125 people at the defaults is in the set already. */
#define TAGS_BEFORE (125 * 6 * 3600 / 5)
#define TAGS_MAX (2 * TAGS_BEFORE)

/* A network of one mix per layer, and packets for its first mix. */
struct ground {
	struct charter *charter;
	struct onion_geometry geometry;
	struct onion_hop hops[ONION_HOPS_MAX];
	uint8_t sk[ONION_HOPS_MAX][32];
	struct unwrap_ground unwrap;
	struct replay *replay;
	size_t packet_bytes;
	uint8_t *packets, *opened; /* PACKETS of them, and the copies that are opened in place */
	uint8_t (*tags)[ONION_REPLAY_TAG_BYTES]; /* TAGS_BEFORE */
	struct onion_job *jobs;
};

static void
make_charter(struct ground *g)
{
	const struct rng *r = rng_system();

	g->charter = charter_new();
	bench_must(g->charter != NULL, "no memory");
	g->geometry = params_geometry(&g->charter->params);
	for (unsigned i = 0; i <= g->geometry.layers; i++) {
		struct charter_node n = { .number = (uint16_t)(i + 1), .layer = (uint8_t)i,
			.role = i < g->geometry.layers ? CHARTER_MIX : CHARTER_GATEWAY };

		bench_must(charter_add_node(g->charter, &n) == ERR_OK, "no node");
		rng_bytes(r, g->sk[i], sizeof(g->sk[i]));
		(void)crypto_scalarmult_base(g->hops[i].pk, g->sk[i]);
		g->hops[i].node = n.number;
	}
}

static bool
keep_none(void *arg, uint32_t epoch)
{
	(void)arg;
	(void)epoch;
	return false;
}

/* A replay set as it is late in an epoch, without the packets' own tags. */
static void
renew_replay_set(struct ground *g)
{
	replay_prune(g->replay, keep_none, NULL);
	bench_must(replay_set(&g->unwrap.replay, g->replay, EPOCH) == ERR_OK, "no replay set");
	for (size_t i = 0; i < TAGS_BEFORE; i++)
		bench_must(replay_stage(g->unwrap.replay, g->tags[i]) == ERR_OK,
		    "no room for a tag");
}

static void
build(uint8_t *packet, const struct ground *g)
{
	const struct onion_command cover = { .kind = ONION_DROP };

	bench_must(onion_build(packet, &g->geometry, EPOCH, g->unwrap.key.sheet_hash, g->hops, &cover,
		       rng_system()) == ERR_OK, "a packet was not built");
}

static void
ground_init(struct ground *g)
{
	struct onion_node_key *k = &g->unwrap.key;

	memset(g, 0, sizeof(*g));
	make_charter(g);
	bench_must(replay_open(&g->replay, NULL, NULL, rng_system(), TAGS_MAX, NULL) == ERR_OK,
	    "no replay sets");
	g->unwrap.charter = g->charter;
	k->epoch = EPOCH;
	k->sk = g->sk[0];
	memcpy(k->pk, g->hops[0].pk, sizeof(k->pk));
	g->packet_bytes = onion_packet_bytes(&g->geometry, 0);
	g->packets = malloc(PACKETS * g->packet_bytes);
	g->opened = malloc(PACKETS * g->packet_bytes);
	g->tags = malloc(TAGS_BEFORE * sizeof(*g->tags));
	g->jobs = malloc(PACKETS * sizeof(*g->jobs));
	bench_must(g->packets != NULL && g->opened != NULL && g->tags != NULL && g->jobs != NULL,
	    "no memory");
	rng_bytes(rng_system(), g->tags, TAGS_BEFORE * sizeof(*g->tags));
}

static void
ground_release(struct ground *g)
{
	free(g->packets);
	free(g->opened);
	free(g->tags);
	free(g->jobs);
	replay_free(g->replay);
	charter_free(g->charter);
}

static void
build_packets(struct ground *g)
{
	for (size_t i = 0; i < PACKETS; i++)
		build(g->packets + i * g->packet_bytes, g);
}

/* The packets as they come off a link, and a node that has not seen them. */
static void
prepare(struct ground *g)
{
	renew_replay_set(g);
	memcpy(g->opened, g->packets, PACKETS * g->packet_bytes);
	for (size_t i = 0; i < PACKETS; i++)
		g->jobs[i].packet = g->opened + i * g->packet_bytes;
}

/* n times X25519, each with another point. */
static void
curve(const uint8_t sk[static 32], size_t n)
{
	uint8_t point[32] = { 9 };

	for (size_t i = 0; i < n; i++)
		bench_must(crypto_scalarmult(point, sk, point) == 0, "low order");
}

static double
curve_rate(const uint8_t sk[static 32], size_t n)
{
	double start = bench_thread_s();

	curve(sk, n);
	return (double)n / (bench_thread_s() - start);
}

/* ---- unwrap ---- */

static double
unwrap_rate(struct ground *g)
{
	struct unwrap_counts counts = { { 0 } };
	double start;
	size_t passed;

	prepare(g);
	start = bench_thread_s();
	passed = unwrap_batch(g->jobs, PACKETS, &g->unwrap, &counts);
	start = bench_thread_s() - start;
	bench_must(passed == PACKETS, "a packet did not pass");
	return (double)PACKETS / start;
}

static void
bench_unwrap(void)
{
	static struct ground g;
	static struct bench_result r = { .name = "unwrap", .unit = "packets/s", .floor = "x25519",
		.rounds = BENCH_ROUNDS };

	ground_init(&g);
	build_packets(&g);
	bench_pin(0);
	for (size_t i = 0; i < BENCH_ROUNDS; i++) {
		r.floor_value[i] = curve_rate(g.sk[0], PACKETS);
		r.value[i] = unwrap_rate(&g);
	}
	bench_report(&r);
	ground_release(&g);
}

/* ---- two workers ---- */

struct crew {
	struct ground *g;
	struct loop *loop;
	struct unwrap *unwrap;
	size_t begun, passed;
};

static void unwrapped(void *arg, size_t survivors);

static void
next_batch(struct crew *c)
{
	bench_must(unwrap_start(c->unwrap, c->g->jobs + c->begun, BATCH, &c->g->unwrap, unwrapped,
		       c) == ERR_OK, "a batch was not begun");
	c->begun += BATCH;
}

static void
unwrapped(void *arg, size_t survivors)
{
	struct crew *c = arg;

	c->passed += survivors;
	if (c->begun < PACKETS)
		next_batch(c);
	else
		loop_event_stop(c->loop);
}

static double
crew_rate(struct crew *c)
{
	double start;

	prepare(c->g);
	c->begun = c->passed = 0;
	start = bench_wall_s();
	next_batch(c);
	loop_event_run(c->loop);
	start = bench_wall_s() - start;
	bench_must(c->passed == PACKETS, "a packet did not pass");
	return (double)PACKETS / start;
}

static void
curve_share(void *arg, unsigned member)
{
	(void)member;
	curve(arg, PACKETS / WORKERS);
}

static void
bench_unwrap_two_workers(void)
{
	static struct ground g;
	static struct bench_result r = { .name = "unwrap_two_workers", .unit = "packets/s",
		.floor = "x25519 in two processes", .rounds = BENCH_ROUNDS };
	struct crew c = { .g = &g };
	struct bench_team floor;

	ground_init(&g);
	bench_team_start(&floor, WORKERS, curve_share, g.sk[0]);
	build_packets(&g);
	bench_must(loop_event_new(&c.loop, NULL) == ERR_OK, "no loop");
	bench_must(unwrap_new(&c.unwrap, c.loop, WORKERS) == ERR_OK, "no workers");
	for (size_t i = 0; i < BENCH_ROUNDS; i++) {
		r.floor_value[i] = (double)PACKETS / bench_team_run(&floor);
		r.value[i] = crew_rate(&c);
	}
	bench_report(&r);
	bench_team_stop(&floor);
	unwrap_free(c.unwrap);
	loop_event_free(c.loop);
	ground_release(&g);
}

/* ---- build_packet ---- */

static void
bench_build_packet(void)
{
	static struct ground g;
	static struct bench_result r = { .name = "build_packet", .unit = "packets/s",
		.floor = "two x25519 per hop", .rounds = BENCH_ROUNDS };
	size_t curves;
	double start;

	ground_init(&g);
	curves = 2 * (g.geometry.layers + 1u);
	bench_pin(0);
	for (size_t i = 0; i < BENCH_ROUNDS; i++) {
		r.floor_value[i] = curve_rate(g.sk[0], BUILDS * curves) / (double)curves;
		start = bench_thread_s();
		for (size_t k = 0; k < BUILDS; k++)
			build(g.packets, &g);
		r.value[i] = BUILDS / (bench_thread_s() - start);
	}
	bench_report(&r);
	ground_release(&g);
}

int
main(int argc, char **argv)
{
	bench_begin();
	/* first: its threads must not inherit that the others are tied to one CPU */
	if (bench_wanted(argc, argv, "unwrap_two_workers") && bench_cpus() >= WORKERS)
		bench_unwrap_two_workers();
	if (bench_wanted(argc, argv, "unwrap"))
		bench_unwrap();
	if (bench_wanted(argc, argv, "build_packet"))
		bench_build_packet();
	return 0;
}
