#include "config.h"

#include "common/charter/path.h"

#include <assert.h>
#include <string.h>

#include "common/charter/timing.h"

void
path_draw(struct path *out, const struct charter *c, const struct rng *r)
{
	const struct charter_node *mixes[CHARTER_NODES_MAX];
	const struct charter_node *gateway = charter_gateway(c);

	assert(gateway != NULL);
	memset(out, 0, sizeof(*out));
	for (unsigned layer = 0; layer < c->params.layers; layer++) {
		size_t n = charter_layer(c, layer, mixes, CHARTER_NODES_MAX);

		assert(n > 0);
		out->node[layer] = mixes[rng_below(r, (uint32_t)n)]->number;
	}
	out->node[c->params.layers] = gateway->number;
	out->hops = (uint8_t)(c->params.layers + 1);
}

bool
path_mend(struct path *p, const struct charter *c, const struct rng *r)
{
	struct path fresh = { .hops = 0 };

	for (unsigned i = 0; i < p->hops; i++) {
		const struct charter_node *n = charter_node(c, p->node[i]);

		if (n != NULL && n->layer == i)
			continue;
		if (fresh.hops == 0)
			path_draw(&fresh, c, r);
		if (i < fresh.hops)
			p->node[i] = fresh.node[i];
	}
	return fresh.hops > 0;
}

enum err
path_hops(struct onion_hop *out, const struct path *p, const struct sheet *s)
{
	for (size_t i = 0; i < p->hops; i++) {
		const struct announcement *a = sheet_node(s, p->node[i]);

		if (a == NULL)
			return ERR_NOT_FOUND;
		out[i].node = a->node;
		out[i].delay_ms = 0;
		memcpy(out[i].pk, a->pk, sizeof(out[i].pk));
	}
	return ERR_OK;
}

void
path_delays(uint32_t delay_ms[static ONION_HOPS_MAX], const struct params *params,
    const struct rng *r)
{
	for (unsigned layer = 0; layer < ONION_HOPS_MAX; layer++) {
		uint32_t most = params_delay_max_ms(params, layer);

		delay_ms[layer] = most > 0 ?
		    rng_exponential_ms(r, params->strategy[layer].mean_ms, most) : 0;
	}
}

enum err
path_packet(uint8_t *out, const struct path *p, const struct sheet *s, const struct params *params,
    const struct onion_command *command, const struct rng *r, const struct rng *keys)
{
	struct onion_geometry g = params_geometry(params);
	struct onion_hop hops[ONION_HOPS_MAX];
	uint32_t delay_ms[ONION_HOPS_MAX];
	enum err e;

	if (p->hops != params->layers + 1)
		return ERR_USAGE;
	e = path_hops(hops, p, s);
	if (e != ERR_OK)
		return e;
	path_delays(delay_ms, params, r);
	for (size_t i = 0; i < p->hops; i++)
		hops[i].delay_ms = delay_ms[i];
	return onion_build(out, &g, s->epoch, s->hash, hops, command, keys);
}

enum path_time
path_time_in(const struct params *p, uint32_t epoch, int64_t wall_ms)
{
	int64_t margin = params_scaled(p, PATH_BOUNDARY_MS), since;

	if (wall_ms < 0)
		return PATH_CLOSED;
	since = wall_ms - timing_epoch_start(p, epoch);
	if (since < 0 || since >= p->epoch_ms)
		return PATH_CLOSED;
	if (since < margin || p->epoch_ms - since <= margin)
		return PATH_COVER_ONLY;
	return PATH_OPEN;
}

enum path_time
path_time(const struct params *p, int64_t wall_ms)
{
	return path_time_in(p, timing_epoch(p, wall_ms), wall_ms);
}
