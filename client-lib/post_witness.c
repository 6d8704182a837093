/*
 * Every message quotes the latest epoch block that its sender verified. An
 * epoch has one such block: two different ones, both signed by the gateway,
 * prove that it shows two people two journals.
 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/post_state.h"
#include "common/charter/timing.h"

static uint32_t
epoch_of(const struct post *p, const struct record_epoch_block *b)
{
	int64_t limit = INT64_MAX / p->cfg.params.round_ms;

	return b->round > (uint64_t)limit
	    ? UINT32_MAX
	    : timing_epoch(&p->cfg.params, timing_round_start(&p->cfg.params, b->round));
}

static bool
same_block(const struct record_epoch_block *a, const struct record_epoch_block *b)
{
	return a->round == b->round && sodium_memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

/* Our own block of that epoch, or NULL. */
static const struct record_epoch_block *
own_block(const struct post *p, uint32_t epoch)
{
	if (p->epoch_block.round != 0 && epoch_of(p, &p->epoch_block) == epoch)
		return &p->epoch_block;
	for (uint32_t i = 0; i < p->witness_next && i < POST_WITNESSED; i++)
		if (epoch_of(p, &p->witnessed[i]) == epoch)
			return &p->witnessed[i];
	return NULL;
}

/* Two of one epoch, of which the gateway signed both. */
static void
compare(struct post *p, const struct record_epoch_block *theirs,
    const struct record_epoch_block *own)
{
	if (p->forked || same_block(own, theirs))
		return;
	p->fork = (struct post_fork){ .theirs = *theirs, .own = *own };
	p->forked = true;
}

/* What was quoted before we had a block of its epoch. */
static void
judge_quoted(struct post *p)
{
	for (size_t i = 0; i < POST_QUOTED; i++) {
		struct record_epoch_block *q = &p->quoted[i];
		const struct record_epoch_block *own;

		if (q->round == 0)
			continue;
		own = own_block(p, epoch_of(p, q));
		if (own != NULL)
			compare(p, q, own);
		if (own != NULL || epoch_of(p, q) < epoch_of(p, &p->epoch_block))
			*q = (struct record_epoch_block){ .round = 0 };
	}
}

void
post_set_epoch_block(struct post *p, const struct record_epoch_block *b)
{
	if (p->epoch_block.round != 0 && !same_block(&p->epoch_block, b)) {
		p->witnessed[p->witness_next % POST_WITNESSED] = p->epoch_block;
		p->witness_next++;
	}
	p->epoch_block = *b;
	judge_quoted(p);
}

uint64_t
post_epoch_round(const struct post *p)
{
	return p->epoch_block.round;
}

/* Later than all of ours: a contact may know an epoch before we do. */
static void
remember(struct post *p, const struct record_epoch_block *theirs)
{
	for (size_t i = 0; i < POST_QUOTED; i++)
		if (same_block(&p->quoted[i], theirs))
			return;
	p->quoted[p->quoted_next++ % POST_QUOTED] = *theirs;
}

void
post_judge_quote(struct post *p, const struct record_epoch_block *theirs)
{
	const struct record_epoch_block *own;

	if (p->cfg.gateway_identity == NULL || theirs->round == 0)
		return;
	own = own_block(p, epoch_of(p, theirs));
	if (own != NULL && same_block(own, theirs))
		return;
	/* without the gateway's signature of an epoch block it is only a contact's word */
	if (block_verify(true, p->cfg.gateway, theirs->round, theirs->hash, theirs->signature,
		p->cfg.network_id, p->cfg.gateway_identity) != ERR_OK)
		return;
	if (own != NULL)
		compare(p, theirs, own);
	else if (p->epoch_block.round == 0 ||
	    epoch_of(p, theirs) > epoch_of(p, &p->epoch_block))
		remember(p, theirs);
}

bool
post_take_fork(struct post *p, struct post_fork *out)
{
	bool forked = p->forked;

	if (forked)
		*out = p->fork;
	p->forked = false;
	return forked;
}

/* ---- save and load ---- */

static void
put_block(struct writer *w, const struct record_epoch_block *b)
{
	writer_u64(w, b->round);
	writer_copy(w, b->hash, sizeof(b->hash));
	writer_copy(w, b->signature, sizeof(b->signature));
}

static void
get_block(struct reader *r, struct record_epoch_block *b)
{
	b->round = reader_u64(r);
	reader_copy(r, b->hash, sizeof(b->hash));
	reader_copy(r, b->signature, sizeof(b->signature));
}

void
post_witness_put(struct writer *w, const struct post *p)
{
	uint32_t n = p->witness_next < POST_WITNESSED ? p->witness_next : POST_WITNESSED;

	put_block(w, &p->epoch_block);
	writer_u8(w, p->forked);
	if (p->forked) {
		writer_u32(w, 0);
		put_block(w, &p->fork.theirs);
		put_block(w, &p->fork.own);
	}
	writer_u16(w, (uint16_t)n);
	for (uint32_t i = 0; i < n; i++) /* oldest first */
		put_block(w, &p->witnessed[(p->witness_next - n + i) % POST_WITNESSED]);
}

void
post_witness_get(struct reader *r, struct post *p)
{
	get_block(r, &p->epoch_block);
	p->forked = reader_u8(r) != 0;
	if (p->forked) {
		(void)reader_u32(r); /* once a contact: nobody needs to know whose quote it was */
		get_block(r, &p->fork.theirs);
		get_block(r, &p->fork.own);
	}
	p->witness_next = reader_u16(r);
	if (p->witness_next > POST_WITNESSED) {
		p->witness_next = 0;
		reader_fail(r, ERR_MALFORMED);
	}
	for (uint32_t i = 0; i < p->witness_next; i++)
		get_block(r, &p->witnessed[i]);
}
