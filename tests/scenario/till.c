#include "config.h"

#include "tests/scenario/till.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/fetch.h"
#include "common/net/purse_parts.h"
#include "tests/lib/test.h"

#define FETCH_MS 2000 /* circuit, handshake and answer, in the mean, and a second */
#define LOST_MS 60000

struct fetch {
	struct till *till;
	struct timer *timer;
	fetch_cb *cb;
	void *arg;
	size_t entry;
	bool seen; /* the registrar has seen it */
	bool over; /* what comes is not the answer */
};

static bool at_once;

enum err __wrap_fetch_open(struct fetch **out, struct loop *l, const struct fetch_config *cfg,
    const struct issuance_request *q, fetch_cb *cb, void *arg);
void __wrap_fetch_free(struct fetch *f);
enum err __wrap_issuance_ask(struct issuance_request *out, const struct params *p,
    const uint8_t code[ENROLMENT_SECRET_BYTES], const uint8_t wallet_seed[32]);
enum err __wrap_issuance_take(struct issuance_batch *out, const struct issuance_request *q,
    const struct issuance_answer *a, const struct issuer_keys *keys, const struct params *p,
    const uint8_t wallet_seed[32]);
bool __wrap_errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms);
bool __real_errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms);
bool __wrap_purse_has_ticket(struct purse *p, uint32_t hour, unsigned keep);
bool __real_purse_has_ticket(struct purse *p, uint32_t hour, unsigned keep);

void
till_fetch_at_once(bool yes)
{
	at_once = yes;
}

/* ---- the registrar's log ---- */

static size_t
log_fetch(struct till *t, const struct issuance_request *q)
{
	struct till_log *k = t->log;

	if (k->count == k->room) {
		k->room = k->room > 0 ? 2 * k->room : 1024;
		k->fetch = realloc(k->fetch, k->room * sizeof(*k->fetch));
		assert_non_null(k->fetch);
	}
	k->fetch[k->count] = (struct till_fetch){ .start_ms = loop_wall_ms(t->loop),
		.end_ms = loop_wall_ms(t->loop),
		.member = t->member,
		.epoch = q->epoch,
		.batch = q->batch,
		.kind = q->kind };
	return k->count++;
}

static void
end_entry(struct fetch *f, bool failed)
{
	struct till_fetch *x = &f->till->log->fetch[f->entry];

	if (!f->seen || f->over)
		return;
	x->end_ms = loop_wall_ms(f->till->loop);
	x->failed = failed;
}

/* ---- the link's double ---- */

static void
on_fetched(void *arg)
{
	static const struct issuance_answer answer = { .status = ISSUANCE_OK };
	struct fetch *f = arg;
	bool lost = f->over || f->till->line_down;

	end_entry(f, lost);
	f->over = true;
	f->cb(f->arg, lost ? ERR_TIMEOUT : ERR_OK, lost ? NULL : &answer);
}

enum err
__wrap_fetch_open(struct fetch **out, struct loop *l, const struct fetch_config *cfg,
    const struct issuance_request *q, fetch_cb *cb, void *arg)
{
	struct till *t = (struct till *)(uintptr_t)cfg->keys->ctx;
	struct fetch *f = calloc(1, sizeof(*f));
	int64_t wait = 1000 + rng_exponential_long(t->rng, FETCH_MS);

	assert_non_null(f);
	f->till = t;
	f->cb = cb;
	f->arg = arg;
	f->timer = timer_new(l, on_fetched, f);
	assert_non_null(f->timer);
	f->seen = !t->line_down;
	if (f->seen)
		f->entry = log_fetch(t, q);
	timer_after(f->timer, f->seen ? wait : LOST_MS);
	t->fetch = f;
	*out = f;
	return ERR_OK;
}

void
__wrap_fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	end_entry(f, true);
	f->till->fetch = NULL;
	timer_free(f->timer);
	free(f);
}

void
till_break(struct till *t)
{
	if (t->fetch == NULL)
		return;
	end_entry(t->fetch, true);
	t->fetch->over = true;
	timer_after(t->fetch->timer, LOST_MS);
}

/* ---- issuance without arithmetic ---- */

enum err
__wrap_issuance_ask(struct issuance_request *out, const struct params *p,
    const uint8_t code[ENROLMENT_SECRET_BYTES], const uint8_t wallet_seed[32])
{
	(void)wallet_seed;
	memcpy(out->code, code, sizeof(out->code));
	return allotment_count(p, out->kind, out->batch) > 0 ? ERR_OK : ERR_RANGE;
}

enum err
__wrap_issuance_take(struct issuance_batch *out, const struct issuance_request *q,
    const struct issuance_answer *a, const struct issuer_keys *keys, const struct params *p,
    const uint8_t wallet_seed[32])
{
	(void)a;
	(void)keys;
	(void)wallet_seed;
	memset(out, 1, sizeof(*out));
	out->n = allotment_count(p, q->kind, q->batch);
	return ERR_OK;
}

/* ---- the control ---- */

bool
__wrap_errands_next(const struct errands *x, struct errand *out, const struct wallet *w,
    const struct errands_view *v, int64_t wall_ms)
{
	struct errands now = *x;
	bool any = __real_errands_next(&now, out, w, v, wall_ms);

	if (any && at_once)
		out->at_ms = x->not_before_ms;
	return any;
}

bool
__wrap_purse_has_ticket(struct purse *p, uint32_t hour, unsigned keep)
{
	if (at_once && p->wallet != NULL)
		wallet_set_first_hour(p->wallet, 0);
	return __real_purse_has_ticket(p, hour, keep);
}

/* ---- notices ---- */

static void
show_notice(struct till *t, uint32_t epoch)
{
	const struct charter *c = t->network->charter;
	const struct charter_node *g = charter_gateway(c);
	const uint8_t seed[32] = { 1, (uint8_t)epoch };
	struct issuer *s;
	struct notice n;
	struct buf b;

	assert_err_ok(issuer_new(&s, &c->params, epoch, seed));
	n = (struct notice){ .keys = *issuer_keys(s) };
	issuer_free(s);
	buf_init(&b);
	assert_err_ok(notice_encode(&b, &n, g->number, c->network_id,
	    t->network->keys[network_index(t->network, g->number)].identity_sk));
	assert_err_ok(purse_notice(t->purse, b.data, b.len));
	buf_release(&b);
}

void
till_show_notices(struct till *t)
{
	uint32_t now = timing_epoch(&t->network->charter->params, loop_wall_ms(t->loop));

	if (charter_registrar(t->network->charter) == NULL)
		return;
	for (uint32_t epoch = now; epoch <= now + ISSUER_AHEAD; epoch++)
		if (purse_find_notice(t->purse, epoch) == NULL)
			show_notice(t, epoch);
}

/* ---- life ---- */

static void
keys_fill(void *ctx, void *out, size_t n)
{
	const struct till *t = ctx;

	rng_bytes(t->rng, out, n);
}

void
till_init(struct till *t, struct till_log *log, struct loop *l, const struct network *n,
    const struct rng *r, unsigned member)
{
	*t = (struct till){ .log = log, .loop = l, .network = n, .rng = r, .member = member };
	t->disk = disk_memory();
	t->queue = workq_new(l, 1);
	assert_non_null(t->disk);
	assert_non_null(t->queue);
}

void
till_open(struct till *t)
{
	uint8_t code[32] = { 7, (uint8_t)t->member };
	struct rng keys = { keys_fill, t };
	struct purse_config cfg = { .loop = t->loop, .charters = t->network->charters,
		.disk = t->disk, .queue = t->queue, .code = code, .rng = t->rng };

	t->keys = keys;
	cfg.keys = &t->keys;
	assert_err_ok(purse_new(&t->purse, &cfg, NULL));
}

void
till_close(struct till *t)
{
	purse_free(t->purse);
	t->purse = NULL;
}

void
till_release(struct till *t)
{
	till_close(t);
	workq_free(t->queue);
	disk_free(t->disk);
}
