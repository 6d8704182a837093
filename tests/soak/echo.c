#include "config.h"

#include "tests/soak/echo.h"

#include <string.h>

#include "common/crypto/onion.h"
#include "mix/links.h"
#include "tests/lib/test.h"

#define KEPT 512 /* about as many as pass in an hour */

struct kept {
	const struct links *links;
	uint16_t to;
	uint32_t epoch;
	uint8_t packet[ONION_PACKET_MAX];
};

static struct {
	const struct fixture *fixture; /* NULL: it does nothing */
	struct rng_seeded rng;
	unsigned one_in;
	struct echo_counts counts;
	struct kept kept[KEPT]; /* a ring */
} echo;

enum err __real_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
void __real_links_free(struct links *k);
void __wrap_links_free(struct links *k);

/* Nodes are numbered as the fixture has them. */
static size_t
packet_bytes(uint16_t to)
{
	struct onion_geometry g = params_geometry(echo.fixture->params);

	assert_in_range(to, 1, echo.fixture->node_count);
	return onion_packet_bytes(&g, echo.fixture->nodes[to - 1].charter->layer);
}

/*
 * Whoever sends repeats what he himself has sent: his links are there, which
 * those of a run before need not be.
 */
static void
repeat(struct links *k)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		const struct kept *old = &echo.kept[rng_below(&echo.rng.rng, KEPT)];

		if (old->links != k)
			continue;
		if (__real_links_send_packet(k, old->to, old->epoch, old->packet) == ERR_OK)
			echo.counts.repeated++;
		return;
	}
}

void
__wrap_links_free(struct links *k)
{
	for (size_t i = 0; i < KEPT && echo.fixture != NULL; i++)
		if (echo.kept[i].links == k)
			echo.kept[i].links = NULL;
	__real_links_free(k);
}

enum err
__wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	enum err e = __real_links_send_packet(k, to, epoch, packet);
	struct kept *place;

	if (echo.fixture == NULL || e != ERR_OK)
		return e;
	place = &echo.kept[echo.counts.passed++ % KEPT];
	*place = (struct kept){.links = k, .to = to, .epoch = epoch};
	memcpy(place->packet, packet, packet_bytes(to));
	if (echo.one_in > 0 && rng_below(&echo.rng.rng, echo.one_in) == 0)
		repeat(k);
	return e;
}

void
echo_begin(uint64_t seed, const struct fixture *f, unsigned one_in)
{
	memset(&echo, 0, sizeof(echo));
	echo.fixture = f;
	echo.one_in = one_in;
	rng_seeded_init(&echo.rng, seed);
}

void
echo_rate(unsigned one_in)
{
	echo.one_in = one_in;
}

void
echo_end(void)
{
	memset(&echo, 0, sizeof(echo));
}

struct echo_counts
echo_counts(void)
{
	return echo.counts;
}
