/*
 * Restarts: streams that begin anew because a state was lost, or is old.
 * docs/protocol.md, "Founding".
 */
#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/founding.h"
#include "client-lib/post_state.h"
#include "common/charter/timing.h"

#define HOUR_MS ((int64_t)3600000)
#define AHEAD_UNITS 450 /* an hour: how far above its block's time a generation may be */
#define DAY_MS ((int64_t)86400000)
#define QUIET_MS (7 * DAY_MS) /* after which a proof is no sign of two who go on */

static uint32_t
unit_of(int64_t wall_ms)
{
	int64_t unit = wall_ms > 0 ? wall_ms / FOUNDING_UNIT_MS : 0;

	return unit < STREAM_GENERATION_MAX / 2 ? (uint32_t)unit : STREAM_GENERATION_MAX / 2;
}

void
post_begin_block(struct post *p, uint64_t round)
{
	int64_t start = round > (uint64_t)(INT64_MAX / p->cfg.params.round_ms)
	    ? 0 : timing_round_start(&p->cfg.params, round);

	p->block_ms = start;
	if (start > p->newest_ms)
		p->newest_ms = start;
}

static void
parties(const struct post *p, const struct contact *c, struct founding_parties *out)
{
	memcpy(out->restart, c->restart.secret, sizeof(out->restart));
	memcpy(out->own_sk, p->identity_sk, sizeof(out->own_sk));
	memcpy(out->own_pk, p->identity_pk, sizeof(out->own_pk));
	memcpy(out->peer_pk, c->identity, sizeof(out->peer_pk));
	memcpy(out->network_id, p->cfg.network_id, sizeof(out->network_id));
	memset(out->answers, 0, sizeof(out->answers));
}

/* ---- our stream ends, and is founded anew ---- */

/* Whatever was chosen for it is not to be sealed any more. */
static void
forget_choice(struct post *p, const struct contact *c)
{
	if (p->choice_contact == c->id)
		p->choice = POST_CHOICE_NONE;
}

/* The next founding of it is another one: what answered the last is not answered twice. */
static void
begin_founding(struct restart *r, uint8_t flags, const uint8_t *answers, const struct rng *keys)
{
	uint8_t lost_seed[32];

	memcpy(lost_seed, r->lost_seed, sizeof(lost_seed));
	restart_forget(r);
	r->under_way = true;
	r->flags = flags;
	rng_bytes(keys, r->seed, sizeof(r->seed));
	if (answers != NULL)
		memcpy(r->answers, answers, sizeof(r->answers));
	memcpy(r->lost_seed, answers != NULL ? lost_seed : r->seed, sizeof(r->lost_seed));
	sodium_memzero(lost_seed, sizeof(lost_seed));
}

/*
 * The first founding record leaves some time within `most`: it is no automatic reply, and
 * those of all contacts make no burst. answers: a seed, NULL with FOUNDING_LOST.
 */
static enum err
found(struct post *p, struct contact *c, uint8_t flags, const uint8_t *answers, int64_t most,
    int64_t now_ms)
{
	struct post_changed changed = { p, c };
	struct renewal renewal = { .since_ms = 0 };
	struct restart *r = &c->restart;
	enum err e = renewal_init(&renewal, p->cfg.keys);

	if (e == ERR_OK)
		e = contact_end_writer(c, p->cfg.keys);
	if (e == ERR_OK) {
		c->renewal = renewal;
		begin_founding(r, flags, answers, p->cfg.keys);
		r->from_ms = rng_between(p->cfg.rng, now_ms,
		    now_ms + params_scaled(&p->cfg.params, most));
		outbox_restart(&c->outbox, post_message_changed, &changed);
		forget_choice(p, c);
	}
	sodium_memzero(&renewal, sizeof(renewal));
	return e;
}

/* Nothing of the peer's is waited for: what is whole is shown, what is not is dropped. */
static enum err
close_inbox(struct post *p, struct contact *c, int64_t now_ms)
{
	enum err e;

	inbox_close(&c->inbox, true);
	e = post_show_ready(p, c, now_ms);
	inbox_close(&c->inbox, false);
	return e;
}

/*
 * Our state of this contact is old: both streams end. Who was answering an invitation goes
 * on with that: before the inviter has read the answer it cannot follow.
 */
static enum err
restart_contact(struct post *p, struct contact *c, uint8_t flags, int64_t now_ms)
{
	enum err e = close_inbox(p, c, now_ms);

	if (e == ERR_OK)
		e = contact_end_reader(c, p->cfg.rng, p->cfg.keys);
	if (e == ERR_OK && c->restart.able)
		e = found(p, c, FOUNDING_LOST | flags, NULL, HOUR_MS / 2, now_ms);
	else if (e == ERR_OK)
		e = contact_end_writer(c, p->cfg.keys);
	if (e != ERR_OK)
		return e;
	c->restart.stranded = !c->restart.able;
	if (c->state != POST_ANSWERING || !c->restart.able)
		contact_establish(c);
	post_tell_contact(p, c);
	return ERR_OK;
}

/* Whether a message that has no number was sent since nobody knows: it is not sent twice. */
static enum err
restart_old(struct post *p, struct contact *c, uint8_t flags, int64_t now_ms)
{
	struct post_changed changed = { p, c };

	if (c->restart.able)
		outbox_fail_unnumbered(&c->outbox, post_message_changed, &changed);
	c->restart.proofs = 0;
	c->restart.contested = c->restart.doubtful = false;
	return restart_contact(p, c, flags, now_ms);
}

enum err
post_restart(struct post *p, enum post_restart_why why, int64_t now_ms)
{
	uint8_t flags = why == POST_RESTART_BACKUP ? FOUNDING_RESTORED : 0;
	struct post_restarted told = { .why = why, .when_ms = post_minute(now_ms) };

	for (size_t i = 0; i < p->contact_count;) {
		struct contact *c = p->contacts[i];
		bool invited = c->state == POST_INVITED;
		enum err e = invited ? post_remove(p, c->id) : restart_old(p, c, flags, now_ms);

		if (e != ERR_OK)
			return e;
		told.invitations += invited;
		told.stranded += !invited && c->restart.stranded;
		i += !invited;
	}
	told.invitations += p->void_invitations;
	p->void_invitations = 0;
	p->restarted = told;
	return ERR_OK;
}

enum err
post_restart_contact(struct post *p, uint32_t id, int64_t now_ms, struct diag *d)
{
	struct contact *c = post_contact(p, id);

	if (c == NULL)
		return diag_set(d, ERR_NOT_FOUND, "no such contact");
	if (c->state == POST_INVITED)
		return diag_set(d, ERR_STATE, "\"%s\" has not answered the invitation yet", c->name);
	if (!c->restart.able)
		return diag_set(d, ERR_STATE, "\"%s\" was made by a version that had no restarts; "
		    "remove the contact on both sides and invite anew", c->name);
	c->restart.proofs = 0;
	c->restart.contested = false;
	return restart_contact(p, c, 0, now_ms);
}

void
post_restarted(const struct post *p, struct post_restarted *out)
{
	*out = p->restarted;
}

/* The peer acknowledges what this state never gave: it is old, or somebody else goes on. */
static enum err
proven_old(struct post *p, struct contact *c, int64_t now_ms)
{
	if (c->restart.contested)
		return ERR_OK;
	if (!c->restart.under_way && now_ms - c->restart.from_ms >= QUIET_MS)
		c->restart.proofs = 0;
	if (c->restart.proofs >= RESTART_PROOFS) {
		c->restart.contested = true;
		forget_choice(p, c);
		post_tell_contact(p, c);
		return ERR_OK;
	}
	c->restart.proofs++;
	c->restart.doubtful = true;
	return restart_contact(p, c, 0, now_ms);
}

/* ---- sending founding records ---- */

static bool
waits(const struct restart *r)
{
	return r->under_way && (r->flags & FOUNDING_LOST) != 0;
}

static bool
may_leave(const struct post *p, const struct restart *r, int64_t now_ms)
{
	if (!r->under_way || r->stranded || now_ms < r->from_ms || p->newest_ms == 0)
		return false;
	/* later than any that this identity drew before it was restarted */
	if (r->generation == 0 && waits(r) && unit_of(now_ms) <= unit_of(r->from_ms))
		return false;
	return outbox_sealing_due(&r->sealing);
}

bool
post_founding_due(const struct post *p, const struct contact *c, int64_t now_ms)
{
	return c->state != POST_INVITED && !c->blocked && !c->restart.contested &&
	    may_leave(p, &c->restart, now_ms);
}

/*
 * The time becomes the stream's first generation: our own clock's, for what our session has
 * seen last would tell the contact which session that is.
 */
static enum err
draw_generation(struct contact *c, const struct founding_parties *who, int64_t now_ms)
{
	struct restart *r = &c->restart;
	uint32_t least = stream_generation(stream_writer_index(c->writer)) + 1;
	uint32_t generation = unit_of(now_ms);
	struct stream_writer *w;
	uint8_t secret[32];
	enum err e;

	if (generation < least)
		generation = least;
	if (generation > STREAM_GENERATION_MAX)
		return ERR_FULL;
	e = founding_stream(secret, who, true, r->seed, generation);
	if (e != ERR_OK)
		return e;
	w = stream_writer_new_at(secret, generation);
	sodium_memzero(secret, sizeof(secret));
	if (w == NULL)
		return ERR_MEMORY;
	stream_writer_free(c->writer);
	c->writer = w;
	c->outbox.seen_index = stream_writer_index(w);
	r->generation = generation;
	return ERR_OK;
}

static void
fill(const struct contact *c, struct founding *f)
{
	const struct restart *r = &c->restart;

	memset(f, 0, sizeof(*f));
	f->flags = r->flags;
	f->generation = r->generation;
	f->attempt = r->sealing.count;
	memcpy(f->seed, r->seed, sizeof(f->seed));
	memcpy(f->renewal, c->renewal.own_pk, sizeof(f->renewal));
	inbox_ack(&c->inbox, &f->ack);
	f->ack.highest_index = stream_reader_seen(c->reader);
	f->floor = outbox_floor(&c->outbox);
	f->given_texts = c->outbox.given_texts;
	f->given_files = c->outbox.given_files;
	f->done_texts = c->inbox.done_texts;
	f->done_files = c->inbox.done_files;
	f->texts = c->inbox.texts;
	f->files = c->inbox.files;
}

enum err
post_founding_seal(struct post *p, struct contact *c, uint8_t *record, int64_t now_ms)
{
	struct founding_parties who;
	struct founding f;
	enum err e = ERR_OK;

	parties(p, c, &who);
	memcpy(who.answers, c->restart.answers, sizeof(who.answers));
	if (c->restart.generation == 0)
		e = draw_generation(c, &who, now_ms);
	if (e == ERR_OK) {
		fill(c, &f);
		e = founding_seal(record, p->cfg.params.record_size, &f, &who, p->cfg.keys);
	}
	sodium_memzero(&who, sizeof(who));
	sodium_memzero(&f, sizeof(f));
	return e;
}

/* Not by digests: what the journal shows the peer may read much later, or never. */
void
post_founding_block(struct contact *c, int64_t passed_ms)
{
	if (c->restart.under_way && c->restart.sealing.sent)
		c->restart.sealing.wait_ms -= passed_ms;
}

/*
 * A time out of reach was drawn before the clock was set back. Nobody follows for as long
 * as any record is sent anew: it is told, and given up until the contact is heard.
 */
void
post_founding_tick(struct post *p, struct contact *c, int64_t now_ms)
{
	struct restart *r = &c->restart;

	if (r->under_way && r->from_ms - now_ms > 2 * params_scaled(&p->cfg.params, HOUR_MS))
		r->from_ms = now_ms;
	if (r->under_way && !r->stranded && r->generation != 0 &&
	    now_ms - r->from_ms >= OUTBOX_LIVES * p->times.retention_ms) {
		r->stranded = true;
		post_tell_contact(p, c);
	}
}

/* ---- the peer has followed ---- */

/*
 * What the peer saw last of our streams, from a record of its own: that it reads the
 * one that is being founded, or more than there ever was of it.
 */
enum err
post_founding_seen(struct post *p, struct contact *c, const struct record_ack *a, int64_t now_ms)
{
	struct restart *r = &c->restart;
	uint64_t index = stream_writer_index(c->writer);

	if (!r->able || (r->under_way && r->generation == 0))
		return ERR_OK;
	/* who waits knows that its numbers are old */
	if (a->highest_index > index || (!waits(r) && a->next_missing > c->outbox.next_number))
		return proven_old(p, c, now_ms);
	if (!r->under_way || a->highest_index < stream_generation_start(index))
		return ERR_OK;
	r->under_way = r->stranded = false;
	r->flags = 0;
	sodium_memzero(r->seed, sizeof(r->seed));
	sodium_memzero(r->answers, sizeof(r->answers));
	sodium_memzero(&r->sealing, sizeof(r->sealing));
	post_tell_contact(p, c);
	return ERR_OK;
}

/* ---- the peer's founding ---- */

static uint64_t
missing(uint64_t given, uint64_t *done)
{
	uint64_t n = given > *done ? given - *done : 0;

	*done += n;
	return n;
}

/*
 * What the peer knows that we had, and we know no more: gone. Told once, so that from
 * then on it counts as done.
 */
static bool
count_lost(struct contact *c, const struct founding *f)
{
	uint64_t texts = missing(f->given_texts, &c->inbox.done_texts);
	uint64_t files = missing(f->given_files, &c->inbox.done_files);

	c->restart.lost_texts += texts;
	c->restart.lost_files += files;
	return texts + files > 0;
}

static enum err
new_reader(struct stream_reader **out, struct post *p, const struct founding_parties *who,
    const struct founding *f)
{
	uint8_t secret[32];
	struct founding_parties streams = *who;
	enum err e;

	/* what is founded anew for a loss answers nothing */
	if (!f->answers)
		memset(streams.answers, 0, sizeof(streams.answers));
	e = founding_stream(secret, &streams, false, f->seed, f->generation);

	if (e == ERR_OK) {
		*out = stream_reader_new_at(secret, f->generation, p->cfg.rng);
		e = *out != NULL ? ERR_OK : ERR_MEMORY;
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&streams, sizeof(streams));
	return e;
}

/*
 * What a founding says of what was, to both directions' numbers. If our state was old
 * and nobody knew, messages were given numbers that had been used: of such a one that
 * the peer has nobody can say whether it is the same.
 */
static void
learn(struct post *p, struct contact *c, const struct founding *f)
{
	struct post_changed changed = { p, c };
	struct restart *r = &c->restart;
	bool old = count_lost(c, f) || f->texts.top >= c->outbox.next_text ||
	    f->files.top >= c->outbox.next_file;

	inbox_settle(&c->inbox, f->floor);
	outbox_learn(&c->outbox, f, r->doubtful || (old && !waits(r)), post_message_changed, &changed);
	r->doubtful = false;
	if (c->outbox.given_texts < f->done_texts)
		c->outbox.given_texts = f->done_texts;
	if (c->outbox.given_files < f->done_files)
		c->outbox.given_files = f->done_files;
}

/* The founding's own stream is to replace the one that was read; ours follows if it must. */
static enum err
change_streams(struct post *p, struct contact *c, const struct founding *f, int64_t now_ms)
{
	bool lost = (f->flags & FOUNDING_LOST) != 0, went_on;
	enum err e = close_inbox(p, c, now_ms);

	if (e != ERR_OK)
		return e;
	learn(p, c, f);
	went_on = !waits(&c->restart) && (stream_writer_announced(c->writer) ||
	    stream_generation(stream_writer_index(c->writer)) > c->restart.generation);
	c->restart.flags = 0;
	if (lost)
		e = found(p, c, 0, f->seed, HOUR_MS, now_ms);
	else if (went_on) /* against a key that the founder, an old copy, has no more */
		e = found(p, c, FOUNDING_LOST, NULL, HOUR_MS, now_ms);
	if (e == ERR_OK && lost) {
		c->restart.peer_flags = f->flags;
		c->restart.peer_ms = (int64_t)f->generation * FOUNDING_UNIT_MS / DAY_MS * DAY_MS;
	}
	return e;
}

static enum err
follow(struct post *p, struct contact *c, const struct founding *f,
    const struct founding_parties *who, int64_t now_ms)
{
	struct stream_reader *reader;
	enum err e = new_reader(&reader, p, who, f);

	if (e == ERR_OK) {
		e = change_streams(p, c, f, now_ms);
		if (e != ERR_OK)
			stream_reader_free(reader);
	}
	if (e != ERR_OK)
		return e;
	stream_reader_free(c->reader);
	c->reader = reader;
	c->restart.peer_generation = f->generation;
	c->restart.peer_attempt = f->attempt;
	c->restart.stranded = false;
	if (f->answers)
		sodium_memzero(c->restart.lost_seed, sizeof(c->restart.lost_seed));
	memcpy(c->renewal.peer_pk, f->renewal, sizeof(c->renewal.peer_pk));
	c->renewal.peer_index = 0;
	inbox_owe(&c->inbox, &p->cfg.params, p->cfg.rng, now_ms);
	if (c->state == POST_ANSWERING)
		contact_establish(c);
	post_tell_contact(p, c);
	return ERR_OK;
}

/* It is what we follow already, sent once more: the peer does not know that we do. */
static enum err
again(struct post *p, struct contact *c, const struct founding *f, int64_t now_ms)
{
	if (f->generation != c->restart.peer_generation || f->attempt <= c->restart.peer_attempt)
		return ERR_OK;
	c->restart.peer_attempt = f->attempt;
	inbox_owe(&c->inbox, &p->cfg.params, p->cfg.rng, now_ms);
	return post_founding_seen(p, c, &f->ack, now_ms);
}

/*
 * While we wait for an answer a founding of the peer's, which has lost its state too, is no
 * answer, and may be of long ago. If both are new, the later one stands, and is answered.
 */
static bool
is_behind(const struct post *p, const struct contact *c, const struct founding *f)
{
	const struct restart *r = &c->restart;

	if (!waits(r) || (f->flags & FOUNDING_LOST) == 0)
		return false;
	if (r->generation == 0 || f->generation != r->generation)
		return r->generation == 0 || f->generation < r->generation;
	return memcmp(c->identity, p->identity_pk, sizeof(c->identity)) < 0; /* public */
}

static enum err
take_founding(struct post *p, struct contact *c, const struct founding *f,
    const struct founding_parties *who, int64_t now_ms)
{
	enum err e;

	if (c->restart.contested)
		return ERR_OK;
	if (f->generation <= stream_generation(stream_reader_seen(c->reader)))
		return again(p, c, f, now_ms);
	if (f->generation > unit_of(p->block_ms) + AHEAD_UNITS || is_behind(p, c, f))
		return ERR_OK;
	/* of a founding that this state never made: of an earlier life, or somebody else's */
	if ((f->flags & FOUNDING_LOST) == 0 && !f->answers)
		return waits(&c->restart) ? ERR_OK : proven_old(p, c, now_ms);
	e = follow(p, c, f, who, now_ms);
	return e == ERR_OK ? post_founding_seen(p, c, &f->ack, now_ms) : e;
}

static enum err
open_founding(struct post *p, struct contact *c, const uint8_t *record,
    const uint8_t dh[static 32], int64_t now_ms)
{
	struct founding_parties who;
	struct founding f;
	enum err e;

	parties(p, c, &who);
	memcpy(who.answers, c->restart.lost_seed, sizeof(who.answers));
	e = founding_open(&f, record, p->cfg.params.record_size, dh, &who);
	if (e == ERR_OK)
		e = take_founding(p, c, &f, &who, now_ms);
	sodium_memzero(&who, sizeof(who));
	sodium_memzero(&f, sizeof(f));
	return e;
}

/* One DH for a record that is in no table, and one hash per contact. */
enum err
post_try_founding(struct post *p, const uint8_t *record, int64_t now_ms)
{
	uint8_t dh[32];
	enum err e = founding_dh(dh, record, p->identity_sk) == ERR_OK ? ERR_NOT_FOUND : ERR_OK;

	for (size_t i = 0; i < p->contact_count && e == ERR_NOT_FOUND; i++) {
		struct contact *c = p->contacts[i];
		if (c->restart.able && founding_is_by(record, dh, c->restart.secret,
			p->identity_pk, c->identity))
			e = open_founding(p, c, record, dh, now_ms);
	}
	sodium_memzero(dh, sizeof(dh));
	return e;
}
