#include "config.h"

#include "tests/lib/test.h"

#include <string.h>

#include "common/charter/path.h"
#include "common/charter/strategy.h"
#include "evaluation/simulation.h"
#include "evaluation/stream.h"
#include "tests/unit/mix/town.h"

/*
 * The daemon and the evaluation are the same code: a whole restante-mix, with its links,
 * epoch keys, unwrapping and disk, and a node of restante-evaluate's simulation get the
 * same arrivals and the same seed, and release the same packets in the same order at the
 * same times, under every strategy.
 *
 * Packets arrive at times that are 1 modulo 4 and stay for delays that are 1 modulo 4, and
 * rounds end at multiples of 4 ms: so nothing depends on which of two things at one
 * instant comes first. Several packets may come at one instant.
 */

#define PACKETS 500
#define REST_MS 120000 /* after the last arrival */

struct arrival {
	int64_t at_ms;
	uint32_t delay_ms;
};

/* Packet `id` left at a time; a list of them in their order is what is compared. */
struct departure {
	int64_t at_ms;
	uint32_t id;
};

struct departures {
	struct departure list[PACKETS];
	size_t count;
};

struct schedule {
	struct params params;
	struct arrival in[PACKETS];
	int64_t start_ms, end_ms;
	uint64_t seed;
};

static void
add(struct departures *d, int64_t at_ms, uint32_t id)
{
	assert_true(d->count < PACKETS && id < PACKETS);
	d->list[d->count++] = (struct departure){ at_ms, id };
}

/* Bursts, lulls and packets that come together. */
static void
draw_arrivals(struct schedule *s, int64_t start_ms)
{
	bool delayed = params_delay_max_ms(&s->params, 0) > 0;
	int64_t at = start_ms + 1;

	assert_int_equal(start_ms % 4, 0);
	s->start_ms = start_ms;
	for (size_t i = 0; i < PACKETS; i++) {
		uint32_t most = i % 100 < 50 ? 60 : 500;

		if (rng_below(test_rng(), 4) != 0)
			at += 4 * (int64_t)rng_below(test_rng(), most);
		s->in[i].at_ms = at;
		s->in[i].delay_ms = delayed ? 4 * rng_below(test_rng(), 5000) + 1 : 0;
	}
	s->end_ms = at + REST_MS;
}

/* ---- the evaluation ---- */

struct model {
	const struct schedule *schedule;
	struct simulation *simulation;
	struct departures out;
	size_t next;
	uint32_t id_of[PACKETS]; /* by handle */
};

static int64_t
next_message(void *arg, uint32_t person, int64_t at_ms, uint64_t *message)
{
	struct model *m = arg;

	(void)person;
	(void)at_ms;
	*message = m->next;
	return m->next < PACKETS ? m->schedule->in[m->next++].at_ms : INT64_MAX;
}

static enum err
wrap(void *arg, uint32_t handle, const struct token *t, const uint32_t *delays_ms)
{
	struct model *m = arg;

	(void)delays_ms;
	assert_true(handle < PACKETS);
	m->id_of[handle] = (uint32_t)t->message;
	return ERR_OK;
}

static bool
unwrap(void *arg, uint32_t handle, unsigned layer, uint32_t *delay_ms)
{
	const struct model *m = arg;

	if (layer == 0)
		*delay_ms = m->schedule->in[m->id_of[handle]].delay_ms;
	return true;
}

static void
end(void *arg, uint32_t handle)
{
	(void)arg;
	(void)handle;
}

static void
left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct model *m = arg;

	(void)held;
	if (node != simulation_node(m->simulation, 0, 0))
		return;
	for (size_t i = 0; i < n; i++)
		add(&m->out, at_ms, m->id_of[handles[i]]);
}

static void
run_model(struct model *m, const struct schedule *s)
{
	const struct simulation_carrier carrier = { wrap, unwrap, end, m };
	const struct simulation_observer observer = { .left = left, .arg = m };
	const struct simulation_config cfg = { .params = s->params,
		.persons = 1,
		.law = SENDING_AT_ONCE,
		.start_ms = s->start_ms,
		.seed = s->seed,
		.traffic = { next_message, NULL, m },
		.carrier = &carrier,
		.observers = &observer,
		.observer_count = 1 };

	*m = (struct model){ .schedule = s };
	assert_err_ok(simulation_new(&m->simulation, &cfg));
	assert_err_ok(simulation_run(m->simulation, s->end_ms + 1));
	simulation_free(m->simulation);
}

/* ---- the daemon ---- */

struct daemon_run {
	struct town town;
	struct departures out;
};

/* Mix 2 has opened it: what it should wait there is its number. */
static void
saw(void *arg, const struct onion_job *job)
{
	struct daemon_run *d = arg;

	add(&d->out, world_now_ms(d->town.world), job->delay_ms);
}

static void
build(struct town *t, uint8_t *packet, uint32_t delay_ms, uint32_t id)
{
	struct onion_geometry g = params_geometry(&t->net->charter->params);
	const struct onion_command drop = { .kind = ONION_DROP };
	const struct sheet *sheet = t->epoch->sheet;
	struct onion_hop hops[ONION_HOPS_MAX];
	struct path path;

	path_draw(&path, t->net->charter, test_rng());
	assert_err_ok(path_hops(hops, &path, sheet));
	hops[0].delay_ms = delay_ms;
	hops[1].delay_ms = id;
	assert_err_ok(onion_build(packet, &g, sheet->epoch, sheet->hash, hops, &drop, test_rng()));
}

/* Start it; the arrivals begin at the end of a round. */
static int64_t
daemon_up(struct daemon_run *d, const struct params *params, const struct rng *pool_rng)
{
	static const struct world_line line = { 0 };
	int64_t round_ms = params->round_ms;

	town_found(&d->town, params, &line);
	d->out.count = 0;
	d->town.pool_rng = pool_rng;
	d->town.saw = saw;
	d->town.arg = d;
	town_start_mix(&d->town);
	town_settle(&d->town);
	return (world_now_ms(d->town.world) / round_ms + 1) * round_ms;
}

static void
run_daemon(struct daemon_run *d, const struct schedule *s)
{
	uint8_t packet[ONION_PACKET_MAX];

	for (uint32_t i = 0; i < PACKETS; i++) {
		build(&d->town, packet, s->in[i].delay_ms, i);
		/* those of one instant are there before anything goes on */
		if (i == 0 || s->in[i].at_ms > s->in[i - 1].at_ms)
			assert_err_ok(world_run_until(d->town.world, s->in[i].at_ms));
		town_pass_on(&d->town, packet);
	}
	assert_err_ok(world_run_until(d->town.world, s->end_ms));
	assert_int_equal(town_status(&d->town).received, PACKETS);
	assert_int_equal(d->town.wrong, 0);
}

/* ---- both ---- */

/* Where they first differ; SIZE_MAX: nowhere. */
static size_t
differ(const struct departures *a, const struct departures *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->list[i].at_ms != b->list[i].at_ms || a->list[i].id != b->list[i].id)
			return i;
	return a->count == b->count ? SIZE_MAX : a->count < b->count ? a->count : b->count;
}

/* The daemon's pool draws from stream `of` of the seed. */
static size_t
compare(struct departures *out, const char *strategy, uint64_t of)
{
	static struct daemon_run d;
	static struct model m;
	struct schedule s = { .seed = rng_u64(test_rng()) };
	struct stream stream;

	params_default(&s.params);
	assert_err_ok(strategy_parse(&s.params.strategy[0], strategy, "strategy", NULL));
	for (unsigned i = 0; i < s.params.layers; i++)
		s.params.mixes[i] = 1;
	stream_init(&stream, s.seed, of);
	draw_arrivals(&s, daemon_up(&d, &s.params, &stream.rng));
	run_daemon(&d, &s);
	run_model(&m, &s);
	town_down(&d.town);
	*out = d.out;
	return differ(&d.out, &m.out);
}

static void
check_same(const char *strategy)
{
	static struct departures out;
	size_t at = compare(&out, strategy, SIMULATION_STREAM_NODES);

	if (at != SIZE_MAX)
		fail_msg("%s: departure %zu of %zu is not the same", strategy, at, out.count);
	if (out.count < PACKETS / 2)
		fail_msg("%s: only %zu packets left", strategy, out.count);
}

static void
test_same(void **state)
{
	(void)state;
	check_same("threshold packets=25");
	check_same("timed");
	check_same("threshold-or-timed packets=20");
	check_same("threshold-and-timed packets=8");
	check_same("threshold-pool packets=10 min=12");
	check_same("timed-pool min=7");
	check_same("timed-dynamic-pool min=2 rate=0.6");
	check_same("timed-dynamic-pool min=2 rate=0.6 rule=gmix");
	check_same("binomial rate=0.8 mean=10 deviation=8");
	check_same("stop-and-go mean=5s");
}

/* The comparison can fail: other draws, another order. */
static void
test_another_stream(void **state)
{
	static struct departures out;

	(void)state;
	assert_int_not_equal(compare(&out, "threshold packets=25", SIMULATION_STREAM_NODES + 1),
	    SIZE_MAX);
	assert_int_not_equal(compare(&out, "timed-dynamic-pool min=2 rate=0.6",
				 SIMULATION_STREAM_NODES + 1),
	    SIZE_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_same),
	cmocka_unit_test(test_another_stream),
};

TEST_MAIN(tests)
