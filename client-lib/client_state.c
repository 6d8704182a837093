#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client_parts.h"
#include "client-lib/client_state.h"
#include "client-lib/witness.h"
#include "common/base/format.h"
#include "common/charter/timing.h"

#define READER_MAGIC "RSTRDR"
#define READER_VERSION 3 /* 1: without lies; 2: without the age and place of the state */
#define PLACE_SINCE 3 /* the version that has it */
#define PLACE_BYTES (3 * 8)
#define READER_HEAD_BYTES (FORMAT_BYTES + PLACE_BYTES + SHEETBOOK_BYTES + SPANS_BYTES + LIES_BYTES)

/*
 * state  = reader length u32 || reader || post
 * reader = header || saves u64 || witness u64 || inode u64 || sheets || spans || lies || chain;
 *          version 1 had no lies, and no signatures in sheets; 2 no saves and no place
 */
static enum err
save_reader(struct client *c, struct buf *out)
{
	uint8_t head[READER_HEAD_BYTES];
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	format_put(&w, READER_MAGIC, READER_VERSION);
	writer_u64(&w, ++c->saves);
	writer_u64(&w, c->cfg.witness != NULL ? witness_inode(c->cfg.witness) : 0);
	writer_u64(&w, c->cfg.inode);
	sheetbook_put(&w, c->sheets);
	spans_put(&w, &c->spans);
	e = lies_put(&w, &c->lies);
	if (e == ERR_OK)
		e = writer_end(&w);
	if (e == ERR_OK)
		e = buf_append(out, head, w.used, COMMIT_STATE_MAX);
	return e == ERR_OK ? chain_save(c->chain, out) : e;
}

/* The reader's part, behind its length. */
static enum err
save_front(struct client *c, struct buf *out)
{
	static const uint8_t length[4];
	size_t at = out->len + sizeof(length);
	enum err e = buf_append(out, length, sizeof(length), COMMIT_STATE_MAX);

	if (e == ERR_OK)
		e = save_reader(c, out);
	if (e != ERR_OK)
		return e;
	store_u32(out->data + at - sizeof(length), (uint32_t)(out->len - at));
	return ERR_OK;
}

enum err
client_save(void *arg, struct buf *out)
{
	struct client *c = arg;
	enum err e = save_front(c, out);

	return e == ERR_OK ? post_save(c->post, out) : e;
}

enum err
client_save_backup(struct client *c, struct buf *out)
{
	enum err e = save_front(c, out);

	return e == ERR_OK ? post_backup(c->post, out) : e;
}

static enum err
load_reader(struct client *c, const uint8_t *p, size_t n, struct diag *d)
{
	uint16_t version = 0;
	struct reader r;
	enum err e;

	reader_init(&r, p, n);
	e = format_check(&r, &version, READER_MAGIC, READER_VERSION, "state", d);
	if (e != ERR_OK)
		return e;
	if (version >= PLACE_SINCE) {
		c->saves = reader_u64(&r);
		c->was_witness = reader_u64(&r);
		c->was_inode = reader_u64(&r);
	}
	sheetbook_get(&r, c->sheets, version > 1);
	spans_get(&r, &c->spans);
	if (version > 1)
		lies_get(&r, &c->lies);
	if (!reader_ok(&r))
		return diag_set(d, r.err, "state: damaged; restore a backup");
	return chain_load(c->chain, r.at, r.left, d);
}

enum err
client_state_split(struct reader *reader, struct reader *post, const uint8_t *p, size_t n)
{
	uint32_t len;

	reader_init(post, p, n);
	len = reader_u32(post);
	if (reader_view(post, len) == NULL)
		return ERR_TRUNCATED;
	reader_init(reader, p, 4 + (size_t)len);
	return ERR_OK;
}

void
client_state_forget_place(uint8_t *p, size_t n)
{
	const size_t at = 4 + FORMAT_BYTES;

	if (n >= at + PLACE_BYTES && load_u16(p + at - 2) >= PLACE_SINCE)
		memset(p + at, 0, PLACE_BYTES);
}

static enum err
load_all(struct client *c, const struct post_config *cfg, const struct buf *state, struct diag *d)
{
	struct reader reader, post;
	enum err e = client_state_split(&reader, &post, state->data, state->len);

	if (e != ERR_OK)
		return diag_set(d, e, "state: truncated; restore a backup");
	e = load_reader(c, reader.at + 4, reader.left - 4, d);
	return e == ERR_OK ? post_load(&c->post, cfg, post.at, post.left, d) : e;
}

/* Nobody can have written to a new client before today. */
static enum err
make_new(struct client *c, const struct post_config *cfg)
{
	uint32_t today = timing_day(c->params, loop_wall_ms(c->loop));
	struct span past = { .to_ms = timing_day_start(c->params, today) };
	enum err e = spans_add(&c->spans, &past);

	return e == ERR_OK ? post_new(&c->post, cfg) : e;
}

static bool
state_is_old(struct client *c)
{
	struct witness_place found = { .directory = c->cfg.inode };
	struct witness_place state = { c->saves, c->was_witness, c->was_inode };

	if (c->cfg.witness == NULL || witness_read(&found.saves, c->cfg.witness) != ERR_OK)
		return false;
	found.witness = witness_inode(c->cfg.witness);
	/* there before the first state that is to know it */
	if (found.witness == 0)
		(void)!witness_write(c->cfg.witness, c->saves);
	/* another copy, if there is one, is behind from now on */
	if (found.saves > c->saves)
		c->saves = found.saves;
	return witness_says_old(&state, &found);
}

/* The alarm ends when the journal of that time is over; what proves the lie is kept. */
static bool
lies_are_over(const struct client *c)
{
	const struct params *p = c->params;
	uint32_t latest;

	if (c->lies.count == 0)
		return true;
	latest = evidence_epoch(&c->lies.at[c->lies.count - 1], p);
	return timing_epoch_start(p, latest) + p->epoch_ms + p->retention_ms <
	    loop_wall_ms(c->loop);
}

enum err
client_load(struct client *c, struct diag *d)
{
	const struct charter *charter = succession_first(c->all);
	struct post_config cfg = { .params = *c->params,
		.gateway = charter_gateway(charter)->number,
		.mailbox = c->cfg.mailbox,
		.gateway_identity = charter_gateway(charter)->identity,
		.rng = c->cfg.rng,
		.keys = c->cfg.keys };
	struct buf state;
	enum err e;

	memcpy(cfg.network_id, charter->network_id, sizeof(cfg.network_id));
	c->chain = chain_new(charter, c->cfg.anchor);
	c->sheets = sheetbook_new(c->all);
	if (c->chain == NULL || c->sheets == NULL)
		return ERR_MEMORY;
	buf_init(&state);
	e = vault_read_state(c->cfg.vault, &state, d);
	if (e == ERR_OK)
		e = load_all(c, &cfg, &state, d);
	else if (e == ERR_NOT_FOUND)
		e = make_new(c, &cfg);
	buf_release(&state);
	if (e == ERR_OK && state_is_old(c)) {
		e = post_restart(c->post, POST_RESTART_COPY, loop_wall_ms(c->loop));
		if (e != ERR_OK)
			(void)diag_set(d, e, "state: an old copy, and cannot begin anew (%s)",
			    err_text(e));
	}
	if (e == ERR_OK && !lies_are_over(c))
		client_raise(c, CLIENT_ALARM_FORK);
	if (e == ERR_OK)
		client_turn(c);
	return e;
}
