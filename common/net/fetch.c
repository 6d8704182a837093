#include "config.h"

#include "common/net/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/link.h"

struct fetch {
	struct link *link;
	fetch_cb *cb;
	void *arg;
	bool over;
	uint8_t request[ISSUANCE_REQUEST_BYTES];
};

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	link_free(f->link);
	secret_wipe(f, sizeof(*f));
	free(f);
}

static void
end(struct fetch *f, enum err e, const struct issuance_answer *a)
{
	if (f->over)
		return;
	f->over = true;
	f->cb(f->arg, e, a); /* may free f */
}

static void
on_up(void *arg)
{
	struct fetch *f = arg;
	enum err e = link_send(f->link, f->request);

	if (e != ERR_OK)
		end(f, e, NULL);
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct issuance_answer *a = malloc(sizeof(*a));
	enum err e = ERR_MEMORY;

	(void)n;
	if (a != NULL)
		e = issuance_answer_decode(a, plain);
	end(arg, e, e == ERR_OK ? a : NULL);
	free(a);
}

static void
on_down(void *arg, enum err why)
{
	end(arg, why, NULL);
}

enum err
fetch_open(struct fetch **out, struct loop *l, const struct fetch_config *cfg,
    const struct issuance_request *q, fetch_cb *cb, void *arg)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame, .down = on_down };
	struct link_config link = { .pattern = NOISE_NK,
		.initiator = true,
		.send_bytes = ISSUANCE_REQUEST_BYTES,
		.receive_bytes = ISSUANCE_ANSWER_BYTES,
		.out_frames_max = 1,
		.handshake_ms = cfg->patience_ms,
		.idle_ms = cfg->patience_ms,
		.peer_pk = cfg->registrar_pk,
		.keys = cfg->keys,
		.socks = cfg->socks };
	struct fetch *f = calloc(1, sizeof(*f));
	enum err e;

	if (f == NULL)
		return ERR_MEMORY;
	f->cb = cb;
	f->arg = arg;
	issuance_request_encode(f->request, q);
	memcpy(link.network_id, cfg->network_id, sizeof(link.network_id));
	e = link_dial(&f->link, l, cfg->address, &link, &events, f);
	if (e != ERR_OK) {
		fetch_free(f);
		return e;
	}
	*out = f;
	return ERR_OK;
}
