#include "config.h"

#include "mix/pool_strategy.h"

/*
 * Stop-and-go mix: every packet leaves when the delay is over that its sender drew for
 * this mix, exponentially distributed (Kesdogan, Egner and Bueschkes, "Stop-and-Go
 * MIXes Providing Probabilistic Security in an Open System", Information Hiding 1998;
 * "exponential mix" in Danezis, "The Traffic Analysis of Continuous-Time Mixes",
 * Privacy Enhancing Technologies 2004). The time windows of the first paper are not
 * part of it: packets of an epoch that is over are dropped before they come here.
 *
 * A packet leaves at the first multiple of STRATEGY_TICK_MS of the wall clock after its
 * delay; all that leave at one of them are shuffled. What is late leaves at the next.
 *
 * The items are a binary heap, the earliest first.
 */

static int64_t
next_tick(int64_t ms)
{
	int64_t past = ms % STRATEGY_TICK_MS;

	return past <= 0 ? ms - past : ms - past + STRATEGY_TICK_MS;
}

static void
swap(struct pool *k, size_t a, size_t b)
{
	struct pool_item item = k->items[a];

	k->items[a] = k->items[b];
	k->items[b] = item;
}

/* Move items[i] down in the heap of the first n. */
static void
sink(struct pool *k, size_t i, size_t n)
{
	for (;;) {
		size_t least = i, child = 2 * i + 1;

		if (child < n && k->items[child].ready_ms < k->items[least].ready_ms)
			least = child;
		if (child + 1 < n && k->items[child + 1].ready_ms < k->items[least].ready_ms)
			least = child + 1;
		if (least == i)
			return;
		swap(k, i, least);
		i = least;
	}
}

static void
arm(struct pool *k, int64_t now_ms)
{
	int64_t ready = k->count > 0 ? k->items[0].ready_ms : POOL_NEVER;

	if (ready != POOL_NEVER)
		ready = next_tick(ready > now_ms ? ready : now_ms);
	k->due_ms = ready;
}

/* A flush that is due stays due, whatever comes in before it is made. */
static void
added(struct pool *k, int64_t now_ms)
{
	size_t i = k->count - 1;
	int64_t tick = next_tick(k->items[i].ready_ms);

	(void)now_ms;
	if (tick < k->due_ms)
		k->due_ms = tick;
	for (; i > 0 && k->items[i].ready_ms < k->items[(i - 1) / 2].ready_ms; i = (i - 1) / 2)
		swap(k, i, (i - 1) / 2);
}

/* A clock that was set back would make packets wait for more than their delay. */
static void
adopt(struct pool *k, int64_t now_ms)
{
	int64_t last = now_ms + strategy_delay_max_ms(&k->params);

	for (size_t i = 0; i < k->count; i++)
		if (k->items[i].ready_ms > last)
			k->items[i].ready_ms = last;
	for (size_t i = k->count / 2; i-- > 0;)
		sink(k, i, k->count);
}

/* As in a heap sort: each first one goes behind the rest. */
static size_t
choose(struct pool *k, int64_t now_ms, const struct rng *rng)
{
	size_t stays = k->count;

	(void)rng;
	while (stays > 0 && k->items[0].ready_ms <= now_ms) {
		swap(k, 0, --stays);
		sink(k, 0, stays);
	}
	return k->count - stays;
}

const struct pool_strategy pool_stop_and_go = {
	.name = "stop-and-go", .adopt = adopt, .arm = arm, .added = added, .choose = choose
};
