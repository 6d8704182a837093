#include "config.h"

#include "gateway/probe.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/link.h"

struct probe {
	struct probe_config cfg;
	char *socks, *target;
	probe_done_cb *done;
	void *arg;
	struct link *link;     /* while one is under way */
	struct timer *failing; /* it could not even be dialled */
	enum err why;
	/* links of our entry since the probe began, the oldest is overwritten */
	size_t seen_count;
	uint8_t seen[PROBE_SEEN][PROBE_HASH_BYTES];
};

static void
forget(struct probe *p)
{
	link_free(p->link);
	p->link = NULL;
	timer_cancel(p->failing);
	sodium_memzero(p->seen, sizeof(p->seen));
	p->seen_count = 0;
}

static void
finish(struct probe *p, enum err e)
{
	forget(p);
	p->done(p->arg, e);
}

static bool
is_ours(const struct probe *p, const uint8_t *hash)
{
	size_t n = p->seen_count < PROBE_SEEN ? p->seen_count : PROBE_SEEN;

	for (size_t i = 0; i < n; i++)
		if (sodium_memcmp(p->seen[i], hash, PROBE_HASH_BYTES) == 0)
			return true;
	return false;
}

/* The responder is up before the initiator is: what we reached has told us by now. */
static void
on_up(void *arg)
{
	struct probe *p = arg;

	finish(p, is_ours(p, link_hash(p->link)) ? ERR_OK : ERR_EXISTS);
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	/* It was freed when it came up. */
	(void)arg;
	(void)plain;
	(void)n;
}

static void
on_down(void *arg, enum err why)
{
	finish(arg, why);
}

static void
on_failing(void *arg)
{
	struct probe *p = arg;

	finish(p, p->why);
}

enum err
probe_new(struct probe **out, const struct probe_config *cfg, probe_done_cb *done, void *arg)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_MEMORY;
	p->cfg = *cfg;
	p->done = done;
	p->arg = arg;
	p->socks = strdup(cfg->socks);
	p->target = strdup(cfg->target);
	p->failing = timer_new(cfg->loop, on_failing, p);
	if (p->socks == NULL || p->target == NULL || p->failing == NULL) {
		probe_free(p);
		return ERR_MEMORY;
	}
	*out = p;
	return ERR_OK;
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	if (p->failing != NULL)
		forget(p);
	timer_free(p->failing);
	free(p->socks);
	free(p->target);
	free(p);
}

enum err
probe_start(struct probe *p)
{
	static const struct link_events events = { on_up, on_frame, NULL, on_down };
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = p->cfg.link_pk,
		.send_bytes = p->cfg.up_bytes,
		.receive_bytes = p->cfg.down_bytes,
		.out_frames_max = 1,
		.handshake_ms = PROBE_MS,
		.keys = p->cfg.keys,
		.socks = p->socks };

	if (p->link != NULL || timer_armed(p->failing))
		return ERR_STATE;
	memcpy(cfg.network_id, p->cfg.charter->network_id, sizeof(cfg.network_id));
	p->why = link_dial(&p->link, p->cfg.loop, p->target, &cfg, &events, p);
	if (p->why != ERR_OK)
		timer_after(p->failing, 0);
	return ERR_OK;
}

void
probe_stop(struct probe *p)
{
	forget(p);
}

void
probe_saw(struct probe *p, const uint8_t hash[static 32])
{
	if (p->link != NULL)
		memcpy(p->seen[p->seen_count++ % PROBE_SEEN], hash, PROBE_HASH_BYTES);
}
