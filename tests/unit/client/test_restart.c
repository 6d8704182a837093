/*
 * Restarts: a lost state and its backup, old copies, two states that go on in one
 * name, over a toy network that loses, repeats, holds back and reorders, between
 * ends that crash: nothing is shown twice, nothing is lost without being told.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/founding.h"
#include "client-lib/post_state.h"
#include "common/charter/timing.h"
#include "tests/unit/client/toy.h"

#define SCALE 60 /* an hour is a minute */
#define SAID_MAX 2048

/* Trials of each test that draws what happens; docs/hacking.md, "Tests". */
static unsigned
trials(unsigned few)
{
	const char *n = getenv("RESTANTE_RESTART_TRIALS");

	return n != NULL ? (unsigned)strtoul(n, NULL, 10) : few;
}

/* ---- a conversation ---- */

struct talk {
	struct toy *t;
	size_t said_a, said_b;
	bool gone_a[SAID_MAX], gone_b[SAID_MAX]; /* said in a life that was lost */
	uint32_t crash_percent;
};

/* A person's things at one time, as a backup (or a copy of the directory) has them. */
struct past {
	struct buf state;
	struct entry *archive;
	size_t archive_count, shown_count, said;
	char **shown;
	uint64_t at; /* so far the journal was read */
};

static struct end *
end_of(struct talk *k, bool a)
{
	return a ? &k->t->a : &k->t->b;
}

static void
say(struct talk *k, bool a)
{
	char text[64];
	size_t *n = a ? &k->said_a : &k->said_b;

	assert_true(*n < SAID_MAX);
	(void)snprintf(text, sizeof(text), "from %s %zu", a ? "a" : "b", (*n)++);
	send_text(k->t, end_of(k, a), text);
}

static void
go_on(struct talk *k, unsigned turns, unsigned per_cent)
{
	for (unsigned i = 0; i < turns; i++) {
		if (rng_below(test_rng(), 100) < per_cent)
			say(k, rng_below(test_rng(), 2) == 0);
		turn(k->t);
		if (rng_below(test_rng(), 100) < k->crash_percent)
			crash(end_of(k, rng_below(test_rng(), 2) == 0), rng_below(test_rng(), 2) == 0);
	}
}

static void
talk_begin(struct talk *k, uint32_t loss_percent)
{
	memset(k, 0, sizeof(*k));
	k->t = toy_new(loss_percent, SCALE);
	make_contact(k->t);
	go_on(k, 100, 30);
}

static struct post_contact
contact_of(const struct end *e)
{
	struct post_contact c;

	assert_int_equal(post_contact_count(e->post), 1);
	post_contact_at(e->post, 0, &c);
	return c;
}

static struct contact *
inside(const struct end *e)
{
	return e->post->contacts[0];
}

/* ---- the past, and its return ---- */

static void
entry_copy(struct entry *to, const struct entry *from)
{
	*to = *from;
	to->w.data = malloc(from->w.len + 1);
	assert_non_null(to->w.data);
	memcpy(to->w.data, from->w.data, from->w.len);
}

static char **
shown_copy(char *const *from, size_t n)
{
	char **to = calloc(n + 1, sizeof(*to));

	assert_non_null(to);
	for (size_t i = 0; i < n; i++) {
		to[i] = strdup(from[i]);
		assert_non_null(to[i]);
	}
	return to;
}

static void
remember(struct talk *k, bool a, struct past *out, bool backup)
{
	struct end *e = end_of(k, a);

	commit(e);
	buf_init(&out->state);
	assert_err_ok(backup ? post_backup(e->post, &out->state) : post_save(e->post, &out->state));
	out->archive = calloc(e->archive_count + 1, sizeof(*out->archive));
	assert_non_null(out->archive);
	for (size_t i = 0; i < e->archive_count; i++)
		entry_copy(&out->archive[i], &e->archive[i]);
	out->archive_count = e->archive_count;
	out->shown_count = e->shown_count;
	out->shown = shown_copy(e->shown, e->shown_count);
	out->said = a ? k->said_a : k->said_b;
	out->at = e->at;
}

static void
past_free(struct past *p)
{
	for (size_t i = 0; i < p->archive_count; i++)
		free(p->archive[i].w.data);
	for (size_t i = 0; i < p->shown_count; i++)
		free(p->shown[i]);
	free(p->shown);
	free(p->archive);
	buf_release(&p->state);
}

/* The end's things are lost; these are in their place, and what was said since is gone. */
static void
go_back(struct talk *k, bool a, const struct past *p)
{
	struct end *e = end_of(k, a);
	bool *gone = a ? k->gone_a : k->gone_b;

	for (size_t i = 0; i < e->archive_count; i++)
		free(e->archive[i].w.data);
	for (size_t i = 0; i < p->archive_count; i++)
		entry_copy(&e->archive[i], &p->archive[i]);
	e->archive_count = p->archive_count;
	for (size_t i = 0; i < e->shown_count; i++)
		free(e->shown[i]);
	for (size_t i = 0; i < p->shown_count; i++) {
		e->shown[i] = strdup(p->shown[i]);
		assert_non_null(e->shown[i]);
	}
	e->shown_count = p->shown_count;
	for (size_t i = p->said; i < (a ? k->said_a : k->said_b); i++)
		gone[i] = true;
	post_free(e->post);
	e->at = p->at; /* what came since is read again: what the peer founded in it, too */
}

static void
restore(struct talk *k, bool a, const struct past *p)
{
	struct end *e = end_of(k, a);
	struct diag d = { "" };

	go_back(k, a, p);
	if (post_restore(&e->post, &e->cfg, p->state.data, p->state.len, k->t->now_ms, &d) != ERR_OK)
		fail_msg("%s", d.text);
	commit(e);
}

static void
roll_back(struct talk *k, bool a, const struct past *p)
{
	struct end *e = end_of(k, a);
	struct diag d = { "" };

	go_back(k, a, p);
	assert_err_ok(post_load(&e->post, &e->cfg, p->state.data, p->state.len, &d));
	commit(e);
}

/* ---- what must hold at the end ---- */

/* How often each was shown; at most once. */
static void
count_shown(const struct end *e, const char *from, bool seen[static SAID_MAX])
{
	size_t n, len = strlen(from);

	memset(seen, 0, SAID_MAX);
	for (size_t i = 0; i < e->shown_count; i++) {
		assert_memory_equal(e->shown[i], from, len);
		n = strtoul(e->shown[i] + len, NULL, 10);
		assert_true(n < SAID_MAX);
		if (seen[n])
			fail_msg("\"%s\" was shown twice", e->shown[i]);
		seen[n] = true;
	}
}

/* Of how many messages their sender was told that they failed. */
static uint64_t
count_failed(const struct end *e)
{
	struct post_message m;
	uint64_t n = 0;

	for (size_t i = 0; i < e->archive_count; i++) {
		const struct post_write *w = &e->archive[i].w;
		if (w->key[0] == 'm' && post_message_decode(&m, w->data, w->len) == ERR_OK)
			n += !m.incoming && m.state == POST_FAILED;
	}
	return n;
}

/* What was said in a life that was not lost is shown, or told to be lost, to either. */
static bool
side_complete(const struct end *e, const struct end *peer, const char *from, size_t said,
    const bool *gone, bool loud)
{
	bool seen[SAID_MAX];
	uint64_t missing = 0, lost = contact_of(e).lost_texts + count_failed(peer);

	count_shown(e, from, seen);
	for (size_t i = 0; i < said; i++)
		missing += !seen[i] && !gone[i];
	if (loud && missing > lost)
		for (size_t i = 0; i < said; i++)
			if (!seen[i] && !gone[i])
				print_message("# %s%zu is missing\n", from, i);
	return missing <= lost;
}

static bool
settled(const struct end *e)
{
	return !contact_of(e).restarting && e->post->contacts[0]->outbox.message_count == 0;
}

static bool
complete(const struct talk *k, bool loud)
{
	return side_complete(&k->t->b, &k->t->a, "from a ", k->said_a, k->gone_a, loud) &&
	    side_complete(&k->t->a, &k->t->b, "from b ", k->said_b, k->gone_b, loud);
}

/* Where it stuck, if it did. */
static void
tell_restart(const char *who, const struct end *e)
{
	const struct restart *r = &inside(e)->restart;

	if (r->under_way)
		print_message("# %s: generation %u, flags %u, attempts %u, peer's %u, reads %u, "
		    "proofs %u%s\n", who, r->generation, r->flags, r->sealing.count,
		    r->peer_generation, stream_generation(stream_reader_seen(inside(e)->reader)),
		    r->proofs, r->contested ? ", contested" : "");
}

static void
talk_end(struct talk *k)
{
	for (unsigned i = 0; i < 60000; i++) {
		turn(k->t);
		if (i % 16 == 0 && settled(&k->t->a) && settled(&k->t->b) && complete(k, false))
			break;
	}
	tell_restart("a", &k->t->a);
	tell_restart("b", &k->t->b);
	assert_false(contact_of(&k->t->a).restarting);
	assert_false(contact_of(&k->t->b).restarting);
	assert_true(complete(k, true));
}

/* ---- tests ---- */

/* Exactly what came between the backup and the loss is gone, and it is counted. */
static void
a_backup_brings_all_back_but_what_came_since(void **state)
{
	struct talk k;
	struct past p;
	size_t before;
	struct post_contact a, b;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	remember(&k, true, &p, true);
	before = k.t->a.shown_count;
	for (unsigned i = 0; i < 5; i++)
		say(&k, false);
	talk_end(&k);
	assert_int_equal(k.t->a.shown_count, before + 5);
	restore(&k, true, &p);
	assert_true(contact_of(&k.t->a).restarting);
	say(&k, true); /* waits until Bob has followed */
	say(&k, false);
	talk_end(&k);
	a = contact_of(&k.t->a);
	b = contact_of(&k.t->b);
	assert_int_equal(a.lost_texts, 5);
	assert_int_equal(b.lost_texts, 0);
	assert_int_equal(a.peer_restart_ms, 0);
	assert_true(b.peer_restored && b.peer_restart_ms == k.t->now_ms / TIMING_DAY_MS * TIMING_DAY_MS);
	assert_string_equal(a.safety_number, b.safety_number);
	go_on(&k, 300, 30);
	talk_end(&k);
	/* and renewal goes on, from the first reply */
	assert_true(contact_of(&k.t->a).renewed_sending > 0 && contact_of(&k.t->b).renewed_sending > 0);
	past_free(&p);
	toy_free(k.t);
}

/* What was delivered in the lost life is not sent again; what was not is sent. */
static void
what_waited_is_sent_once(void **state)
{
	struct talk k;
	struct past p;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	for (unsigned i = 0; i < 6; i++)
		say(&k, true);
	remember(&k, true, &p, true); /* six wait */
	for (unsigned i = 0; i < 3; i++)
		turn(k.t); /* three leave */
	k.t->loss_percent = 100;
	for (unsigned i = 0; i < 2; i++)
		turn(k.t); /* two are lost on the way */
	k.t->loss_percent = 0;
	for (unsigned i = 0; i < 20; i++)
		read_journal(k.t, &k.t->b);
	commit(&k.t->b);
	restore(&k, true, &p);
	talk_end(&k);
	assert_int_equal(contact_of(&k.t->a).lost_texts, 0);
	past_free(&p);
	toy_free(k.t);
}

static void
both_lose_and_restore_at_once(void **state)
{
	struct talk k;
	struct past a, b;

	(void)state;
	for (unsigned round = 0, n = trials(4); round < n; round++) {
		talk_begin(&k, round % 2 == 0 ? 0 : 20);
		remember(&k, true, &a, true);
		go_on(&k, 60, 30);
		remember(&k, false, &b, true);
		go_on(&k, 60, 30);
		restore(&k, true, &a);
		if (round % 4 > 1)
			go_on(&k, 30, 30);
		restore(&k, false, &b);
		go_on(&k, 60, 30);
		talk_end(&k);
		past_free(&a);
		past_free(&b);
		toy_free(k.t);
	}
}

/* The end's own message: its state as its archive has it. */
static enum post_state
state_of(struct end *e, uint64_t id)
{
	struct post_message m;
	struct post_write key;
	struct entry *x;

	commit(e);
	post_key_message(&key, id);
	x = archive_find(e, &key);
	assert_non_null(x);
	assert_err_ok(post_message_decode(&m, x->w.data, x->w.len));
	return m.state;
}

/*
 * A backup that is restored twice: in the journal since then is what the peer founded
 * after the first loss. It is no answer to the second one, read before that is told or
 * after.
 */
static void
what_the_peer_founded_before_is_no_answer(void **state)
{
	struct talk k;
	struct past p;
	size_t end;
	uint64_t id;

	(void)state;
	for (unsigned late = 0; late < 4; late++) {
		talk_begin(&k, 0);
		talk_end(&k);
		remember(&k, true, &p, true);
		restore(&k, true, &p);
		talk_end(&k);
		say(&k, true);
		go_on(&k, late % 2 == 0 ? 0 : 200, 30);
		talk_end(&k);
		commit(&k.t->a);
		restore(&k, true, &p);
		end = k.t->wire.count;
		say(&k, true);
		id = post_last_message(k.t->a.post);
		if (late > 1) {
			k.t->a.at = end;
			for (unsigned i = 0; i < 100 && inside(&k.t->a)->restart.sealing.count == 0; i++) {
				k.t->now_ms += SLOT_MS;
				slot(k.t, &k.t->a);
				read_journal(k.t, &k.t->a);
			}
			for (size_t i = p.at; i < end; i++) /* a day of before, fetched now */
				give_block(&k.t->a, &k.t->wire, i, k.t->now_ms);
		}
		assert_int_not_equal(state_of(&k.t->a, id), POST_DELIVERED);
		talk_end(&k);
		assert_int_equal(state_of(&k.t->a, id), POST_DELIVERED);
		past_free(&p);
		toy_free(k.t);
	}
}

static void
lose(struct talk *k, bool a, const struct past *p, bool backup)
{
	if (backup) {
		restore(k, a, p);
		return;
	}
	roll_back(k, a, p);
	assert_err_ok(post_restart(end_of(k, a)->post, POST_RESTART_COPY, k->t->now_ms));
	commit(end_of(k, a));
}

/* Backups, copies and losses at random, of both, over a bad network. */
static void
anything_may_happen(void **state)
{
	struct past past[2];
	bool backup[2];
	struct talk k;

	(void)state;
	for (unsigned round = 0, n = trials(2); round < n; round++) {
		talk_begin(&k, 15);
		k.t->late_percent = 10;
		k.crash_percent = 8;
		for (unsigned a = 0; a < 2; a++) {
			backup[a] = rng_below(test_rng(), 2) == 0;
			remember(&k, a == 0, &past[a], backup[a]);
		}
		for (unsigned i = 0; i < 10; i++) {
			unsigned a = rng_below(test_rng(), 2);
			go_on(&k, rng_below(test_rng(), 100), 25);
			if (rng_below(test_rng(), 2) == 0) {
				lose(&k, a == 0, &past[a], backup[a]);
				continue;
			}
			past_free(&past[a]);
			backup[a] = rng_below(test_rng(), 2) == 0;
			remember(&k, a == 0, &past[a], backup[a]);
		}
		talk_end(&k);
		past_free(&past[0]);
		past_free(&past[1]);
		toy_free(k.t);
	}
}

/* An old copy that nobody noticed is mended by whatever the peer founds. */
static void
a_peers_founding_mends_an_old_copy(void **state)
{
	uint64_t id;
	struct talk k;
	struct past p;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	remember(&k, true, &p, false);
	go_on(&k, 300, 30); /* renewed over and over: the old streams meet nothing */
	talk_end(&k);
	roll_back(&k, true, &p);
	k.t->a.at = k.t->wire.count; /* days of before come later, or never */
	assert_false(contact_of(&k.t->a).restarting);
	/* on old streams nothing arrives; Bob restarts too, and tells what he has */
	assert_err_ok(post_restart(k.t->b.post, POST_RESTART_COPY, k.t->now_ms));
	commit(&k.t->b);
	say(&k, false);
	say(&k, true); /* under a number that the lost life has used: its state is told at least */
	id = post_last_message(k.t->a.post);
	k.gone_a[k.said_a - 1] = true;
	talk_end(&k);
	assert_true(contact_of(&k.t->a).lost_texts > 0);
	assert_int_equal(state_of(&k.t->a, id), POST_FAILED);
	past_free(&p);
	toy_free(k.t);
}

/* The same within one generation: a record of the peer's says it. */
static void
one_record_proves_an_old_copy(void **state)
{
	struct toy *t = toy_new(0, 1); /* renewals an hour apart */
	struct talk k = { .t = t };
	struct past p;

	(void)state;
	make_contact(t);
	go_on(&k, 300, 10);
	talk_end(&k);
	remember(&k, true, &p, false);
	say(&k, true);
	say(&k, true);
	for (unsigned i = 0; i < 30; i++)
		turn(t);
	assert_false(contact_of(&t->b).restarting);
	say(&k, false);
	slot(t, &t->b); /* seals an acknowledgement of both */
	roll_back(&k, true, &p);
	k.t->a.at = 0; /* whatever is in the journal */
	for (unsigned i = 0; i < 20 && inside(&t->a)->restart.proofs == 0; i++)
		turn(t);
	assert_int_equal(inside(&t->a)->restart.proofs, 1);
	talk_end(&k);
	past_free(&p);
	toy_free(t);
}

/* ---- what must not work ---- */

static uint32_t
generation(const struct end *e)
{
	return inside(e)->restart.peer_generation;
}

/* Every record that was ever sent comes once more: nothing changes, nobody answers. */
static void
replays_change_nothing(void **state)
{
	struct talk k;
	struct past p;
	uint32_t a, b;
	size_t n;

	(void)state;
	talk_begin(&k, 0);
	remember(&k, true, &p, true);
	go_on(&k, 50, 30);
	restore(&k, true, &p);
	talk_end(&k);
	restore(&k, true, &p);
	talk_end(&k);
	for (unsigned i = 0; i < 2000; i++)
		turn(k.t); /* silence */
	a = generation(&k.t->a);
	b = generation(&k.t->b);
	assert_true(a > 0 && b > 0);
	n = k.t->wire.count;
	for (size_t i = 0; i < n; i++) {
		give_block(&k.t->a, &k.t->wire, i, k.t->now_ms);
		give_block(&k.t->b, &k.t->wire, i, k.t->now_ms);
	}
	for (unsigned i = 0; i < 1000; i++)
		turn(k.t);
	assert_int_equal(k.t->wire.count, n);
	assert_int_equal(generation(&k.t->a), a);
	assert_int_equal(generation(&k.t->b), b);
	go_on(&k, 100, 30);
	talk_end(&k);
	past_free(&p);
	toy_free(k.t);
}

/* A founding that claims to be of the future is not believed. */
static void
a_founding_of_the_future_is_passed_over(void **state)
{
	struct talk k;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
	commit(&k.t->a);
	read_journal(k.t, &k.t->a);
	k.t->now_ms += 2 * TIMING_DAY_MS; /* its clock goes wrong when it draws */
	for (unsigned i = 0; i < 8; i++)
		slot(k.t, &k.t->a);
	k.t->now_ms -= 2 * TIMING_DAY_MS;
	for (size_t i = 0; i < k.t->wire.count; i++)
		if (k.t->wire.times[i] > k.t->now_ms)
			k.t->wire.times[i] = k.t->now_ms;
	for (unsigned i = 0; i < 200; i++)
		turn(k.t);
	assert_int_not_equal(inside(&k.t->a)->restart.generation, 0);
	assert_int_equal(generation(&k.t->b), 0);
	toy_free(k.t);
}

/* The restored one and the old device both go on: it ends, and the one that lost is told. */
static void
two_devices_do_not_fight_for_ever(void **state)
{
	struct talk k;
	struct past p;
	struct end *other = calloc(1, sizeof(*other));
	struct toy *t;
	size_t n;

	(void)state;
	assert_non_null(other);
	talk_begin(&k, 0);
	talk_end(&k);
	t = k.t;
	remember(&k, true, &p, true);
	/* the old device lives on, apart */
	other->cfg = t->a.cfg;
	buf_init(&other->saved);
	assert_err_ok(post_save(t->a.post, &other->saved));
	struct diag d;
	assert_err_ok(post_load(&other->post, &other->cfg, other->saved.data, other->saved.len, &d));
	other->at = t->wire.count;
	restore(&k, true, &p);
	for (unsigned i = 0; i < 4000; i++) {
		turn(t);
		if (i % 4 == 0) {
			slot(t, other);
			read_journal(t, other);
			commit(other);
		}
		if (i % 50 == 0)
			say(&k, false);
	}
	print_message("# contested: restored %d, old %d\n", contact_of(&t->a).contested,
	    contact_of(other).contested);
	assert_true(contact_of(&t->a).contested != contact_of(other).contested);
	n = inside(&t->b)->restart.peer_generation;
	for (unsigned i = 0; i < 2000; i++) {
		turn(t);
		slot(t, other);
		read_journal(t, other);
	}
	assert_int_equal(inside(&t->b)->restart.peer_generation, n);
	post_free(other->post);
	buf_release(&other->saved);
	for (size_t i = 0; i < other->archive_count; i++)
		free(other->archive[i].w.data);
	for (size_t i = 0; i < other->shown_count; i++)
		free(other->shown[i]);
	free(other);
	past_free(&p);
	toy_free(t);
}

/* ---- the backup itself ---- */

static bool
holds(const struct buf *b, const uint8_t *key)
{
	for (size_t i = 0; i + 32 <= b->len; i++)
		if (memcmp(b->data + i, key, 32) == 0)
			return true;
	return false;
}

static void
check_absent(const struct buf *backup, const uint8_t *key)
{
	assert_false(sodium_is_zero(key, 32));
	assert_false(holds(backup, key));
}

static void
a_backup_holds_no_key_of_a_stream(void **state)
{
	struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX];
	struct buf backup, writer, reader;
	struct talk k;
	struct diag d;
	uint32_t id;

	(void)state;
	talk_begin(&k, 10);
	assert_err_ok(post_invite(k.t->a.post, text, &id, "carol", &anchor, k.t->now_ms,
	    k.t->now_ms + TIMING_DAY_MS, &d));
	buf_init(&backup);
	buf_init(&writer);
	buf_init(&reader);
	const struct contact *c = inside(&k.t->a), *carol = k.t->a.post->contacts[1];
	assert_err_ok(post_backup(k.t->a.post, &backup));
	assert_err_ok(stream_writer_save(c->writer, &writer, SIZE_MAX));
	assert_err_ok(stream_reader_save(c->reader, &reader, SIZE_MAX));
	check_absent(&backup, writer.data + 8);		  /* C */
	check_absent(&backup, writer.data + 8 + 32 + 1);  /* root */
	check_absent(&backup, reader.data + 8);
	check_absent(&backup, c->renewal.own_sk);
	check_absent(&backup, carol->one_time_sk);
	check_absent(&backup, carol->invite.psk);
	assert_true(holds(&backup, c->restart.secret));
	assert_true(holds(&backup, k.t->a.post->identity_sk));
	buf_release(&backup);
	buf_release(&writer);
	buf_release(&reader);
	toy_free(k.t);
}

static void
open_invitations_are_void_and_counted(void **state)
{
	struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX];
	struct post_restarted told;
	struct past p;
	struct talk k;
	struct diag d;
	uint32_t id;

	(void)state;
	talk_begin(&k, 0);
	assert_err_ok(post_invite(k.t->a.post, text, &id, "carol", &anchor, k.t->now_ms,
	    k.t->now_ms + TIMING_DAY_MS, &d));
	remember(&k, true, &p, true);
	restore(&k, true, &p);
	post_restarted(k.t->a.post, &told);
	assert_int_equal(told.why, POST_RESTART_BACKUP);
	assert_int_equal(told.invitations, 1);
	assert_int_equal(post_contact_count(k.t->a.post), 1);
	/* and in the saved state */
	crash(&k.t->a, true);
	post_restarted(k.t->a.post, &told);
	assert_int_equal(told.invitations, 1);
	past_free(&p);
	toy_free(k.t);
}

static void
a_damaged_backup_is_refused_at_every_length(void **state)
{
	struct talk k;
	struct past p;
	struct post *post;
	struct diag d;

	(void)state;
	talk_begin(&k, 0);
	remember(&k, true, &p, true);
	/* each length of the head and of the end; between them, where maps are, a draw */
	for (size_t n = 0; n < p.state.len; n++) {
		if (n > 400 && n + 400 < p.state.len)
			n += rng_below(test_rng(), 24);
		d.text[0] = '\0';
		assert_int_not_equal(post_restore(&post, &k.t->a.cfg, p.state.data, n, k.t->now_ms, &d),
		    ERR_OK);
		assert_true(d.text[0] != '\0');
	}
	p.state.data[6] = 2;
	assert_err(post_restore(&post, &k.t->a.cfg, p.state.data, p.state.len, k.t->now_ms, &d),
	    ERR_VERSION);
	assert_contains(d.text, "newer");
	past_free(&p);
	toy_free(k.t);
}

/*
 * A thief of the backup, passphrase and all: nothing of what goes on is his, and nothing
 * of what is founded after the restart: for the peer's answer he lacks a seed.
 */
static void
a_thief_of_the_backup_is_blind(void **state)
{
	struct talk k;
	struct past p;
	struct post *thief;
	struct diag d;
	uint8_t *plain;
	size_t opened_a = 0, opened_b = 0, later = 0, from;
	uint64_t index;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	remember(&k, true, &p, true);
	assert_err_ok(post_restore(&thief, &k.t->a.cfg, p.state.data, p.state.len, k.t->now_ms, &d));
	go_on(&k, 100, 30);
	restore(&k, true, &p); /* Alice restores the same backup */
	from = k.t->wire.count;
	go_on(&k, 300, 30);
	talk_end(&k);
	plain = malloc(record_plaintext_bytes(k.t->wire.record_size));
	assert_non_null(plain);
	const struct contact *c = thief->contacts[0];
	for (size_t i = 0; i < k.t->wire.count; i++) {
		const struct wire_record *w = &k.t->wire.records[i];
		bool by_bob = w->from == &k.t->b;
		if (w->index == UINT64_MAX) {
			post_begin_block(thief, timing_round(&k.t->a.cfg.params, k.t->wire.times[i]));
			assert_err_ok(post_record(thief, w->bytes, k.t->now_ms));
			continue;
		}
		if (stream_open(c->reader, plain, &index, w->bytes, k.t->wire.record_size,
			INT64_MAX) != ERR_OK) {
			later += by_bob && i >= from;
			continue;
		}
		opened_a += !by_bob;
		opened_b += by_bob;
	}
	print_message("# the thief opened %zu of Bob's records, %zu later ones not\n", opened_b, later);
	assert_int_equal(opened_a, 0);
	assert_int_equal(opened_b, 0);
	assert_true(later > 0);
	assert_int_equal(c->restart.peer_generation, 0);
	post_free(thief);
	free(plain);
	past_free(&p);
	toy_free(k.t);
}

/* In Bob's name, by who has Alice's backup: instead of Bob's secret he has hers, for the same DH. */
static enum err
forge(uint8_t *record, const struct talk *k, uint8_t flags)
{
	const struct post *a = k->t->a.post, *b = k->t->b.post;
	struct founding f = { .flags = flags,
		.generation = (uint32_t)(k->t->now_ms / FOUNDING_UNIT_MS) + 2,
		.ack = { .next_missing = 1 },
		.floor = 1 };
	struct founding_parties who = { .restart = { 0 } };

	memcpy(who.restart, inside(&k->t->a)->restart.secret, 32);
	memcpy(who.own_sk, b->identity_sk, 32);
	memcpy(who.own_pk, b->identity_pk, 32);
	memcpy(who.peer_pk, a->identity_pk, 32);
	memcpy(who.network_id, k->t->a.cfg.network_id, 32);
	return founding_seal(record, k->t->wire.record_size, &f, &who, test_rng());
}

/* What he has is not enough for an answer, be it waited for or not. */
static void
a_thief_of_the_backup_cannot_answer(void **state)
{
	struct talk k;
	struct past p;
	uint8_t *record;
	uint32_t before;

	(void)state;
	talk_begin(&k, 0);
	remember(&k, true, &p, true);
	restore(&k, true, &p);
	record = malloc(k.t->wire.record_size);
	assert_non_null(record);
	for (unsigned i = 0; i < 100 && inside(&k.t->a)->restart.generation == 0; i++) {
		k.t->now_ms += SLOT_MS;
		slot(k.t, &k.t->a);
		read_journal(k.t, &k.t->a);
	}
	for (unsigned twice = 0; twice < 2; twice++) {
		before = inside(&k.t->a)->restart.peer_generation;
		assert_err_ok(forge(record, &k, 0));
		assert_err_ok(post_record(k.t->a.post, record, k.t->now_ms));
		assert_int_equal(inside(&k.t->a)->restart.peer_generation, before);
		talk_end(&k);
	}
	free(record);
	past_free(&p);
	toy_free(k.t);
}

/* Two restarts at one time, of sessions that lag differently. */
static void
a_founding_does_not_tell_what_its_session_has_seen(void **state)
{
	uint32_t g[2];
	struct talk k;
	struct past p;

	(void)state;
	talk_begin(&k, 0);
	remember(&k, true, &p, false);
	for (unsigned late = 0; late < 2; late++) {
		struct end *a = &k.t->a;
		end_load(a, p.state.data, p.state.len);
		assert_err_ok(post_restart(a->post, POST_RESTART_COPY, k.t->now_ms));
		post_begin_block(a->post, timing_round(&a->cfg.params,
		    k.t->now_ms - (late == 0 ? 0 : 40000)));
		inside(a)->restart.from_ms = k.t->now_ms - 2 * FOUNDING_UNIT_MS;
		for (unsigned i = 0; i < 4; i++)
			slot(k.t, a);
		g[late] = inside(a)->restart.generation;
	}
	assert_int_not_equal(g[0], 0);
	assert_int_equal(g[0], g[1]);
	past_free(&p);
	toy_free(k.t);
}

/* Each at a time of its own, and at most one slot in four. */
static void
a_restart_is_no_burst(void **state)
{
	unsigned slots = 0, founded = 0, since = 4;
	struct talk k;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	for (unsigned i = 0; i < 200; i++) {
		uint32_t count = inside(&k.t->a)->restart.sealing.count;
		if (count == 0 && !inside(&k.t->a)->restart.under_way) {
			assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
			assert_true(inside(&k.t->a)->restart.from_ms >= k.t->now_ms);
			assert_true(inside(&k.t->a)->restart.from_ms <=
			    k.t->now_ms + TIMING_DAY_MS / 48 / SCALE);
			slots += inside(&k.t->a)->restart.from_ms > k.t->now_ms;
		}
		inside(&k.t->a)->restart.sealing.wait_ms = 0; /* as if there were many */
		k.t->now_ms += SLOT_MS;
		slot(k.t, &k.t->a);
		read_journal(k.t, &k.t->a);
		since++;
		if (inside(&k.t->a)->restart.sealing.count == count)
			continue;
		assert_true(since >= 3); /* here a slot's record is sealed within it */
		since = 0;
		founded++;
	}
	assert_true(slots > 0 && founded >= 30);
	toy_free(k.t);
}

/* Of the new stream nothing is stored yet, whatever of the old one was. */
static void
messages_are_queued_again_by_a_restart(void **state)
{
	struct talk k;
	uint64_t id;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	say(&k, true);
	id = post_last_message(k.t->a.post);
	for (unsigned i = 0; i < 20 && state_of(&k.t->a, id) != POST_STORED; i++) {
		k.t->now_ms += SLOT_MS;
		slot(k.t, &k.t->a);
		read_journal(k.t, &k.t->a);
		commit(&k.t->a);
	}
	assert_int_equal(state_of(&k.t->a, id), POST_STORED);
	assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
	commit(&k.t->a);
	assert_int_equal(state_of(&k.t->a, id), POST_QUEUED);
	talk_end(&k);
	assert_int_equal(state_of(&k.t->a, id), POST_DELIVERED);
	toy_free(k.t);
}

/* The invitation is accepted, and before the answer has left an old copy is put back. */
static void
an_old_copy_goes_on_answering(void **state)
{
	struct chain_point anchor = { 7, { 1 } };
	struct talk k = { .t = toy_new(0, SCALE) };
	char text[INVITE_TEXT_MAX];
	struct diag d;
	uint32_t id;

	(void)state;
	assert_err_ok(post_invite(k.t->b.post, text, &id, "a", &anchor, k.t->now_ms,
	    k.t->now_ms + TIMING_DAY_MS, &d));
	assert_err_ok(post_accept(k.t->a.post, &id, "b", text, k.t->now_ms, &d));
	commit(&k.t->a);
	commit(&k.t->b);
	assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
	commit(&k.t->a);
	say(&k, true);
	for (unsigned i = 0; i < 2000 && contact_state(&k.t->b) != POST_ESTABLISHED; i++)
		turn(k.t);
	assert_int_equal(contact_state(&k.t->b), POST_ESTABLISHED);
	say(&k, false);
	talk_end(&k);
	assert_int_equal(contact_state(&k.t->a), POST_ESTABLISHED);
	toy_free(k.t);
}

/* An old copy that the contact proves: the first one, and days later another. */
static void
a_second_old_copy_years_later_is_no_second_device(void **state)
{
	struct record_ack never = { .next_missing = 1, .highest_index = UINT64_MAX };
	struct talk k;

	(void)state;
	for (unsigned days = 0; days <= 8; days += 8) {
		talk_begin(&k, 0);
		talk_end(&k);
		assert_err_ok(post_founding_seen(k.t->a.post, inside(&k.t->a), &never, k.t->now_ms));
		assert_int_equal(inside(&k.t->a)->restart.proofs, 1);
		talk_end(&k);
		assert_err_ok(post_founding_seen(k.t->a.post, inside(&k.t->a), &never,
		    k.t->now_ms + days * TIMING_DAY_MS));
		assert_true(contact_of(&k.t->a).contested == (days == 0));
		toy_free(k.t);
	}
}

/* A contact that is gone, or has no restart secret: it is told, and heard all the same. */
static void
who_never_follows_is_told(void **state)
{
	struct talk k;
	size_t n;

	(void)state;
	talk_begin(&k, 0);
	talk_end(&k);
	k.t->b.at = k.t->wire.count + WIRE_MAX; /* Bob reads nothing */
	assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
	commit(&k.t->a);
	for (unsigned i = 0; i < 500; i++)
		turn(k.t);
	assert_true(inside(&k.t->a)->restart.sealing.count > 0);
	assert_false(contact_of(&k.t->a).stranded);
	k.t->now_ms += OUTBOX_LIVES * k.t->a.cfg.params.retention_ms;
	n = k.t->wire.count;
	for (unsigned i = 0; i < 500; i++)
		turn(k.t);
	assert_true(contact_of(&k.t->a).stranded);
	assert_int_equal(k.t->wire.count, n);
	k.t->b.at = 0; /* he was only away */
	for (unsigned i = 0; i < 500; i++)
		turn(k.t);
	assert_false(contact_of(&k.t->a).stranded);
	talk_end(&k);
	toy_free(k.t);
}

/* ---- contacts that are too old ---- */

static void
a_contact_without_a_restart_secret_is_stranded(void **state)
{
	struct talk k;
	struct post_restarted told;
	struct diag d;

	(void)state;
	talk_begin(&k, 0);
	inside(&k.t->a)->restart.able = false;
	assert_err(post_restart_contact(k.t->a.post, 1, k.t->now_ms, &d), ERR_STATE);
	assert_contains(d.text, "invite anew");
	assert_err_ok(post_restart(k.t->a.post, POST_RESTART_COPY, k.t->now_ms));
	post_restarted(k.t->a.post, &told);
	assert_int_equal(told.stranded, 1);
	assert_true(contact_of(&k.t->a).stranded);
	for (unsigned i = 0; i < 500; i++)
		turn(k.t);
	assert_false(contact_of(&k.t->b).restarting);
	toy_free(k.t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_backup_brings_all_back_but_what_came_since),
	cmocka_unit_test(what_waited_is_sent_once),
	cmocka_unit_test(both_lose_and_restore_at_once),
	cmocka_unit_test(what_the_peer_founded_before_is_no_answer),
	cmocka_unit_test(anything_may_happen),
	cmocka_unit_test(a_peers_founding_mends_an_old_copy),
	cmocka_unit_test(one_record_proves_an_old_copy),
	cmocka_unit_test(replays_change_nothing),
	cmocka_unit_test(a_founding_of_the_future_is_passed_over),
	cmocka_unit_test(two_devices_do_not_fight_for_ever),
	cmocka_unit_test(a_backup_holds_no_key_of_a_stream),
	cmocka_unit_test(open_invitations_are_void_and_counted),
	cmocka_unit_test(a_damaged_backup_is_refused_at_every_length),
	cmocka_unit_test(a_thief_of_the_backup_is_blind),
	cmocka_unit_test(a_thief_of_the_backup_cannot_answer),
	cmocka_unit_test(a_founding_does_not_tell_what_its_session_has_seen),
	cmocka_unit_test(a_restart_is_no_burst),
	cmocka_unit_test(messages_are_queued_again_by_a_restart),
	cmocka_unit_test(an_old_copy_goes_on_answering),
	cmocka_unit_test(a_second_old_copy_years_later_is_no_second_device),
	cmocka_unit_test(who_never_follows_is_told),
	cmocka_unit_test(a_contact_without_a_restart_secret_is_stranded),
};

TEST_MAIN(tests);
