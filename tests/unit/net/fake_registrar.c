#include "config.h"

#include "tests/unit/net/fake_registrar.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/link.h"
#include "common/token/notice.h"
#include "tests/lib/test.h"

struct fake_call {
	struct fake_call *next;
	struct fake_registrar *owner;
	struct link *link; /* NULL once it ended */
};

struct issuer *
fake_registrar_issuer(const struct fake_registrar *r, uint32_t epoch, bool honest)
{
	const uint8_t seed[32] = { honest ? 1 : 2, (uint8_t)epoch };
	struct issuer *s;

	assert_err_ok(issuer_new(&s, &r->network->charter->params, epoch, seed));
	return s;
}

void
fake_registrar_notice(struct buf *out, const struct fake_registrar *r, uint32_t epoch, bool honest)
{
	const struct charter *c = r->network->charter;
	const struct charter_node *g = charter_gateway(c);
	struct issuer *s = fake_registrar_issuer(r, epoch, honest);
	struct notice n = { .keys = *issuer_keys(s) };

	assert_err_ok(notice_encode(out, &n, g->number, c->network_id,
	    r->network->keys[network_index(r->network, g->number)].identity_sk));
	issuer_free(s);
}

static void
serve(struct fake_call *k, const struct issuance_request *q)
{
	struct fake_registrar *r = k->owner;
	const struct params *p = &r->network->charter->params;
	static struct issuance_answer a;
	static uint8_t bytes[ISSUANCE_ANSWER_BYTES];
	struct fake_request *seen = &r->requests[r->count++];
	struct issuer *s;

	assert_true(r->count < FAKE_REQUESTS_MAX);
	*seen = (struct fake_request){ .kind = q->kind, .epoch = q->epoch, .batch = q->batch,
		.at_ms = world_now_ms(r->world) };
	issuance_hash(seen->hash, q);
	if (r->status != ISSUANCE_OK) {
		issuance_refuse(&a, r->status);
	} else {
		assert_int_equal(issuance_check(q, p), ISSUANCE_OK);
		s = fake_registrar_issuer(r, q->epoch, !r->marks);
		issuance_serve(&a, s, q, p, world_rng(r->world));
		issuer_free(s);
	}
	issuance_answer_encode(bytes, &a);
	assert_err_ok(link_send(k->link, bytes));
}

static void
on_up(void *arg)
{
	(void)arg;
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	static struct issuance_request q;

	(void)n;
	assert_err_ok(issuance_request_decode(&q, plain));
	serve(arg, &q);
}

static void
on_down(void *arg, enum err why)
{
	struct fake_call *k = arg;

	(void)why;
	link_free(k->link);
	k->link = NULL;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame, .down = on_down };
	struct fake_registrar *r = arg;
	const struct charter_node *node = charter_registrar(r->network->charter);
	struct fake_call *k;
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = r->network->keys[network_index(r->network, node->number)].link_sk,
		.own_pk = node->link,
		.send_bytes = ISSUANCE_ANSWER_BYTES,
		.receive_bytes = ISSUANCE_REQUEST_BYTES,
		.out_frames_max = 1,
		.handshake_ms = 60000,
		.keys = world_rng(r->world) };

	if (r->refuses)
		return;
	memcpy(cfg.network_id, r->network->charter->network_id, sizeof(cfg.network_id));
	k = calloc(1, sizeof(*k));
	assert_non_null(k);
	k->owner = r;
	k->next = r->calls;
	r->calls = k;
	assert_err_ok(link_accept(&k->link, world_loop(r->host), c, &cfg, &events, k));
}

void
fake_registrar_start(struct fake_registrar *r, struct world *w, struct world_host *h,
    const struct network *n)
{
	r->world = w;
	r->host = h;
	r->network = n;
	assert_err_ok(listener_open(&r->listener, world_loop(h),
	    charter_registrar(n->charter)->entrance, on_accept, r, NULL));
}

void
fake_registrar_stop(struct fake_registrar *r)
{
	while (r->calls != NULL) {
		struct fake_call *k = r->calls;

		r->calls = k->next;
		link_free(k->link);
		free(k);
	}
	listener_free(r->listener);
}
