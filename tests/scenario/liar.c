#include "config.h"

#include "tests/scenario/liar.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/journal/block.h"
#include "common/journal/item.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "common/token/notice.h"
#include "tests/lib/test.h"

#define HASHES_MAX 32768
#define STREAM_MAX ((size_t)16 << 20)

/* One session that is passed on. */
struct relay {
	struct liar *liar;
	struct relay *next;
	struct link *client, *gateway;
	bool lies;
	struct item_assembler *items;
	struct buf waiting; /* frames that came before the gateway was reached */
	struct buf stream;  /* what is to go down */
	enum frame_error error;
};

/* A true block's hash and the one that is shown in its place. */
struct pair {
	uint8_t honest[32], shown[32];
};

struct liar {
	struct liar_config cfg;
	const struct charter *charter;
	const struct charter_node *gateway;
	struct listener *listener;
	unsigned sessions;
	struct relay *relays;
	struct pair *pairs;
	size_t pair_count;
};

static const struct params *
params(const struct relay *r)
{
	return &r->liar->charter->params;
}

/* ---- lies ---- */

static const uint8_t *
shown_hash(const struct liar *x, const uint8_t honest[static 32])
{
	for (size_t i = x->pair_count; i-- > 0;)
		if (memcmp(x->pairs[i].honest, honest, 32) == 0)
			return x->pairs[i].shown;
	return honest;
}

/* The same nodes, but the gateway has another key for this one's eyes. */
static void
forge_sheet(struct buf *out, const struct liar *x, const uint8_t *p, size_t n)
{
	uint8_t signature[SHEET_SIGNATURE_BYTES];
	struct announcement *own = NULL;
	struct sheet *s;

	assert_err_ok(sheet_read(&s, p, n - SHEET_SIGNATURE_BYTES, x->cfg.charters, NULL));
	for (size_t i = 0; i < s->count; i++)
		if (s->nodes[i].node == x->gateway->number)
			own = &s->nodes[i];
	assert_non_null(own);
	if (s->epoch >= x->cfg.from_epoch) {
		memcpy(own->pk, x->charter->nodes[0].link, 32); /* some valid key */
		announcement_sign(own, x->charter->network_id, x->cfg.identity_sk);
	}
	assert_err_ok(sheet_encode(out, s));
	sheet_sign(signature, s, x->gateway->number, x->charter->network_id, x->cfg.identity_sk);
	assert_err_ok(buf_append(out, signature, sizeof(signature), STREAM_MAX));
	sheet_free(s);
}

/* A true notice of keys that nobody needs: by it the other journal's epoch blocks are others. */
static void
add_notice(struct block *b, struct buf *out, const struct liar *x)
{
	static const uint8_t seed[ISSUER_SEED_BYTES] = {1};
	const struct params *p = &x->charter->params;
	struct issuer *issuer;
	struct notice n;

	assert_err_ok(issuer_new(&issuer, p,
	    timing_epoch(p, timing_round_start(p, b->round)), seed));
	n.keys = *issuer_keys(issuer);
	issuer_free(issuer);
	assert_err_ok(notice_encode(out, &n, x->gateway->number, x->charter->network_id,
	    x->cfg.identity_sk));
	b->entries[b->entry_count++] =
	    (struct block_entry){BLOCK_ISSUER, out->data, (uint32_t)out->len};
}

/* A block of the other journal: it follows others, and in epoch blocks it says more. */
static void
forge_block(struct buf *out, struct liar *x, const uint8_t *p, size_t n)
{
	uint8_t honest[32], signature[BLOCK_SIGNATURE_BYTES];
	struct buf sheets[BLOCK_ENTRIES_MAX], notice;
	size_t sheet_count = 0;
	struct block b;

	assert_err_ok(block_decode(&b, p, n - BLOCK_SIGNATURE_BYTES));
	memcpy(honest, b.hash, sizeof(honest));
	memcpy(b.previous, shown_hash(x, b.previous), 32);
	memcpy(b.previous_epoch, shown_hash(x, b.previous_epoch), 32);
	for (size_t i = 0; i < b.entry_count && (x->cfg.lies & LIAR_SHEETS) != 0; i++)
		if (b.entries[i].kind == BLOCK_SHEET) {
			struct buf *sheet = &sheets[sheet_count++];

			buf_init(sheet);
			forge_sheet(sheet, x, b.entries[i].data, b.entries[i].len);
			b.entries[i].data = sheet->data;
			b.entries[i].len = (uint32_t)sheet->len;
		}
	buf_init(&notice);
	if (b.epoch_block)
		add_notice(&b, &notice, x);
	assert_err_ok(block_encode(out, &b));
	block_sign(signature, &b, x->charter->network_id, x->cfg.identity_sk);
	assert_err_ok(buf_append(out, signature, sizeof(signature), STREAM_MAX));
	if (shown_hash(x, honest) == honest && x->pair_count < HASHES_MAX) {
		memcpy(x->pairs[x->pair_count].honest, honest, 32);
		memcpy(x->pairs[x->pair_count++].shown, b.hash, 32);
	}
	for (size_t i = 0; i < sheet_count; i++)
		buf_release(&sheets[i]);
	buf_release(&notice);
}

/* From the block that first tells of the epoch on. */
static bool
block_is_forged(const struct liar *x, const uint8_t *p, size_t n)
{
	const struct params *pa = &x->charter->params;
	struct block b;

	assert_err_ok(block_decode(&b, p, n - BLOCK_SIGNATURE_BYTES));
	if ((x->cfg.lies & LIAR_JOURNAL) == 0)
		return false;
	for (size_t i = 0; i < b.entry_count; i++)
		if (b.entries[i].kind == BLOCK_SHEET &&
		    load_u32(b.entries[i].data) >= x->cfg.from_epoch)
			return true;
	return timing_epoch(pa, timing_round_start(pa, b.round)) >= x->cfg.from_epoch ||
	    shown_hash(x, b.previous) != b.previous;
}

static enum err
on_item(void *arg, enum item_kind kind, const uint8_t *p, size_t n)
{
	struct relay *r = arg;
	struct liar *x = r->liar;
	struct buf forged;

	buf_init(&forged);
	if (r->lies && kind == ITEM_SHEET && (x->cfg.lies & LIAR_SHEETS) != 0)
		forge_sheet(&forged, x, p, n);
	else if (r->lies && kind == ITEM_BLOCK && block_is_forged(x, p, n))
		forge_block(&forged, x, p, n);
	if (forged.len > 0)
		assert_err_ok(item_append(&r->stream, kind, forged.data, forged.len, STREAM_MAX));
	else
		assert_err_ok(item_append(&r->stream, kind, p, n, STREAM_MAX));
	buf_release(&forged);
	return ERR_OK;
}

/* ---- sessions ---- */

static void
relay_free(struct relay *r)
{
	struct relay **at = &r->liar->relays;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	link_free(r->client);
	link_free(r->gateway);
	item_assembler_free(r->items);
	buf_release(&r->waiting);
	buf_release(&r->stream);
	free(r);
}

static void
say(struct relay *r)
{
	size_t room = params(r)->pieces * (size_t)PARAMS_PIECE_BYTES;
	struct frame_down f = {.type = FRAME_DOWN_STREAM, .stream = (const uint8_t *)""};
	static uint8_t frame[LINK_FRAME_MAX];

	f.fill = (uint16_t)(r->stream.len < room ? r->stream.len : room);
	if (f.fill > 0)
		f.stream = r->stream.data;
	frame_down_encode(frame, params(r), &f);
	if (link_send(r->client, frame) == ERR_OK)
		buf_consume(&r->stream, f.fill);
}

/* What was longer than it had been goes in frames of its own. */
static void
end_session(struct relay *r, enum frame_error error)
{
	struct frame_down f = {.type = FRAME_DOWN_ERROR, .error = error};
	static uint8_t frame[LINK_FRAME_MAX];
	struct link *client = r->client;

	while (r->stream.len > 0)
		say(r);
	frame_down_encode(frame, params(r), &f);
	(void)!link_send(client, frame);
	link_finish(client, 1000);
	r->client = NULL;
	relay_free(r);
}

static void
on_gateway_frame(void *arg, uint8_t *plain, size_t n)
{
	struct relay *r = arg;
	struct frame_down f;

	(void)n;
	assert_err_ok(frame_down_decode(&f, params(r), plain));
	if (f.type == FRAME_DOWN_ERROR) {
		end_session(r, f.error);
		return;
	}
	assert_err_ok(item_feed(r->items, f.stream, f.fill));
	say(r);
}

static void
on_gateway_up(void *arg)
{
	struct relay *r = arg;
	size_t size = params_up_frame_bytes(params(r));

	for (size_t at = 0; at < r->waiting.len; at += size)
		(void)!link_send(r->gateway, r->waiting.data + at);
	buf_release(&r->waiting);
}

static void
on_client_frame(void *arg, uint8_t *plain, size_t n)
{
	struct relay *r = arg;

	struct frame_up f;

	assert_err_ok(frame_up_decode(&f, params(r), plain));
	if (r->lies && (r->liar->cfg.lies & LIAR_DROPS) != 0 && f.type == FRAME_UP_PACKET)
		plain[n - 1] ^= 1; /* it dies at the first mix, and the frame is still answered */
	if (link_is_up(r->gateway))
		(void)!link_send(r->gateway, plain);
	else
		assert_err_ok(buf_append(&r->waiting, plain, n, STREAM_MAX));
}

static void
on_client_up(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, enum err why)
{
	(void)why;
	relay_free(arg);
}

static struct link_config
link_config(const struct liar *x)
{
	struct link_config cfg = {.pattern = NOISE_NK,
	    .out_frames_max = 4096,
	    .handshake_ms = 60000,
	    .keys = x->cfg.keys};

	memcpy(cfg.network_id, x->charter->network_id, sizeof(cfg.network_id));
	return cfg;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events client = {
	    .up = on_client_up, .frame = on_client_frame, .down = on_down};
	static const struct link_events gateway = {
	    .up = on_gateway_up, .frame = on_gateway_frame, .down = on_down};
	struct liar *x = arg;
	struct relay *r = calloc(1, sizeof(*r));
	struct link_config down = link_config(x), up = link_config(x);

	assert_non_null(r);
	r->liar = x;
	r->next = x->relays;
	x->relays = r;
	r->lies = x->sessions++ % x->cfg.one_in == 0;
	r->items = item_assembler_new(on_item, r);
	buf_init(&r->waiting);
	buf_init(&r->stream);
	down.own_sk = x->cfg.link_sk;
	down.own_pk = x->gateway->link;
	down.send_bytes = up.receive_bytes = params_down_frame_bytes(params(r));
	down.receive_bytes = up.send_bytes = params_up_frame_bytes(params(r));
	up.initiator = true;
	up.peer_pk = x->gateway->link;
	assert_err_ok(link_accept(&r->client, x->cfg.loop, c, &down, &client, r));
	assert_err_ok(link_dial(&r->gateway, x->cfg.loop, x->cfg.entrance, &up, &gateway, r));
}

struct liar *
liar_new(const struct liar_config *cfg)
{
	struct liar *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->cfg = *cfg;
	x->charter = succession_first(cfg->charters);
	x->gateway = charter_gateway(x->charter);
	x->pairs = calloc(HASHES_MAX, sizeof(x->pairs[0]));
	assert_non_null(x->pairs);
	assert_err_ok(listener_open(&x->listener, cfg->loop, cfg->listen, on_accept, x, NULL));
	return x;
}

void
liar_turn(struct liar *x, unsigned lies, uint32_t from_epoch)
{
	x->cfg.lies = lies;
	x->cfg.from_epoch = from_epoch;
}

void
liar_free(struct liar *x)
{
	while (x->relays != NULL)
		relay_free(x->relays);
	listener_free(x->listener);
	free(x->pairs);
	free(x);
}
