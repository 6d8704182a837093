/*
 * Two posts over a toy network that loses, repeats and reorders records, and
 * whose ends crash: what was sent arrives, in order, once.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "tests/unit/client/toy.h"

static void
converse(uint32_t loss_percent, uint32_t crash_percent, size_t n)
{
	struct toy *t = toy_new(loss_percent, 1);
	char text[64];
	size_t sent = 0;

	make_contact(t);
	for (unsigned i = 0; i < 60000 && (t->a.shown_count < n || t->b.shown_count < n); i++) {
		if (sent < n && rng_below(test_rng(), 4) == 0) {
			(void)snprintf(text, sizeof(text), "from a %zu", sent);
			send_text(t, &t->a, text);
			(void)snprintf(text, sizeof(text), "from b %zu", sent++);
			send_text(t, &t->b, text);
		}
		turn(t);
		if (rng_below(test_rng(), 100) < crash_percent)
			crash(rng_below(test_rng(), 2) == 0 ? &t->a : &t->b,
			    rng_below(test_rng(), 2) == 0);
	}
	check_shown(&t->b, "from a", n);
	check_shown(&t->a, "from b", n);
	toy_free(t);
}

static void
messages_arrive_in_order_once(void **state)
{
	(void)state;
	converse(0, 0, 100);
}

static void
loss_is_mended_by_resealing(void **state)
{
	(void)state;
	converse(30, 0, 60);
}

static void
crashes_lose_nothing_and_show_nothing_twice(void **state)
{
	(void)state;
	converse(10, 20, 60);
}

static void
both_sides_show_one_safety_number(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_contact a, b;

	(void)state;
	make_contact(t);
	post_contact_at(t->a.post, 0, &a);
	post_contact_at(t->b.post, 0, &b);
	assert_int_equal(strlen(a.safety_number), 71);
	assert_string_equal(a.safety_number, b.safety_number);
	assert_false(a.verified);
	toy_free(t);
}

static void send_file(struct toy *t, uint32_t n);

static void
long_text_and_file_are_cut_and_joined(void **state)
{
	struct toy *t = toy_new(10, 1);
	char *text = malloc(20001);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < 20000; i++)
		text[i] = (char)('a' + i % 26);
	text[20000] = '\0';
	make_contact(t);
	send_text(t, &t->a, text);
	send_file(t, 3);
	for (unsigned i = 0; i < 20000 && (t->b.shown_count < 1 || t->b.files_whole < 1); i++)
		turn(t);
	assert_int_equal(t->b.files_whole, 1);
	assert_string_equal(t->b.shown[0], text);
	free(text);
	toy_free(t);
}

static void
delivered_is_shown_when_the_peer_acknowledged(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_message m;

	(void)state;
	make_contact(t);
	send_text(t, &t->a, "from a 0");
	assert_true(post_live_message(t->a.post, post_last_message(t->a.post), &m));
	assert_int_equal(m.state, POST_QUEUED);
	/* an acknowledgement goes alone within two hours at the latest */
	for (unsigned i = 0; i < 2 * 3600000 / SLOT_MS + 100; i++)
		turn(t);
	assert_false(post_live_message(t->a.post, post_last_message(t->a.post), &m));
	toy_free(t);
}

static void
invitations_are_refused_with_a_reason(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX];
	struct diag d;
	uint32_t id;

	(void)state;
	assert_err_ok(post_invite(t->a.post, text, &id, "bob", &anchor, t->now_ms,
	    t->now_ms + 1000, &d));
	assert_err(post_accept(t->a.post, &id, "me", text, t->now_ms, &d), ERR_USAGE);
	assert_err(post_accept(t->b.post, &id, "alice", text, t->now_ms + 1000, &d), ERR_TIMEOUT);
	text[60] = text[60] == 'A' ? 'B' : 'A';
	assert_err(post_accept(t->b.post, &id, "alice", text, t->now_ms, &d), ERR_MALFORMED);
	assert_contains(d.text, "mistyped");
	assert_err(post_accept(t->b.post, &id, "alice", "hello", t->now_ms, &d), ERR_MALFORMED);
	toy_free(t);
}

/* An invitation of somebody else is accepted, or the error. */
static enum err
accept_another(struct toy *t, unsigned number, struct diag *d)
{
	const struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX], name[32];
	struct post *other;
	uint32_t id;
	enum err e;

	(void)snprintf(name, sizeof(name), "contact %u", number);
	assert_err_ok(post_new(&other, &t->a.cfg));
	assert_err_ok(post_invite(other, text, &id, "b", &anchor, t->now_ms, t->now_ms + 1000, d));
	e = post_accept(t->b.post, &id, name, text, t->now_ms, d);
	post_free(other);
	return e;
}

/* Open invitations, and contacts, are so many; one that goes makes room. */
static void
contacts_and_invitations_are_bounded(void **state)
{
	struct toy *t = toy_new(0, 1);
	const struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX], name[32];
	uint32_t id = 0;
	struct diag d;

	(void)state;
	for (unsigned i = 0; i <= POST_INVITES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "invited %u", i);
		assert_err(post_invite(t->b.post, text, &id, name, &anchor, t->now_ms,
		    t->now_ms + 1000, &d), i < POST_INVITES_MAX ? ERR_OK : ERR_FULL);
	}
	assert_contains(d.text, "invitations are open already");
	for (unsigned i = POST_INVITES_MAX; i < POST_CONTACTS_MAX; i++)
		assert_err_ok(accept_another(t, i, &d));
	assert_int_equal(post_contact_count(t->b.post), POST_CONTACTS_MAX);
	assert_err(accept_another(t, POST_CONTACTS_MAX, &d), ERR_FULL);
	assert_contains(d.text, "remove one first");
	assert_err_ok(post_remove(t->b.post, id));
	assert_err_ok(accept_another(t, POST_CONTACTS_MAX, &d));
	toy_free(t);
}

static void
damaged_state_is_refused_at_every_length(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post *p;
	struct diag d;

	(void)state;
	make_contact(t);
	send_text(t, &t->a, "hello");
	for (size_t n = 0; n < t->a.saved.len; n++)
		assert_int_not_equal(post_load(&p, &t->a.cfg, t->a.saved.data, n, &d), ERR_OK);
	t->a.saved.data[6] = 4;
	assert_err(post_load(&p, &t->a.cfg, t->a.saved.data, t->a.saved.len, &d), ERR_VERSION);
	assert_contains(d.text, "newer");
	toy_free(t);
}

/* ---- order, and what is given up ---- */

/* More texts than a page of them wait behind one whose record was lost at first. */
static void
many_texts_wait_for_a_lost_one(void **state)
{
	struct toy *t = toy_new(0, 1);
	char text[64];

	(void)state;
	make_contact(t);
	t->loss_percent = 100;
	send_text(t, &t->a, "from a 0");
	for (unsigned i = 0; i < 10; i++)
		turn(t);
	t->loss_percent = 0;
	for (unsigned i = 1; i < 150; i++) {
		(void)snprintf(text, sizeof(text), "from a %u", i);
		send_text(t, &t->a, text);
		turn(t);
	}
	for (unsigned i = 0; i < 20000 && t->b.shown_count < 150; i++)
		turn(t);
	check_shown(&t->b, "from a", 150);
	toy_free(t);
}

/* A message whose content is gone fails; the others go on, in order. */
static void
a_lost_content_fails_alone(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_news n;
	struct post_need need;
	uint64_t failed;

	(void)state;
	make_contact(t);
	while (post_next_news(t->a.post, &n))
		;
	send_text(t, &t->a, "from a 9");
	failed = post_last_message(t->a.post);
	send_text(t, &t->a, "from a 0");
	post_tick(t->a.post, t->now_ms);
	assert_true(post_next(t->a.post, &need, t->now_ms));
	assert_int_equal(need.message, failed);
	post_content_lost(t->a.post);
	assert_true(post_next_news(t->a.post, &n));
	assert_int_equal(n.message.id, failed);
	assert_int_equal(n.message.state, POST_FAILED);
	for (unsigned i = 0; i < 2000 && t->b.shown_count < 1; i++)
		turn(t);
	check_shown(&t->b, "from a", 1);
	toy_free(t);
}

/* What was given up half way holds up nothing, and nothing of it is left. */
static void
a_text_given_up_half_way_is_passed(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_need need;
	char *text = malloc(8001);
	size_t before;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 8000);
	text[8000] = '\0';
	make_contact(t);
	for (unsigned i = 0; i < 50; i++)
		turn(t);
	commit(&t->b);
	before = t->b.archive_count;
	send_text(t, &t->a, text);
	slot(t, &t->a); /* its first record */
	post_tick(t->a.post, t->now_ms);
	assert_true(post_next(t->a.post, &need, t->now_ms));
	assert_int_equal(need.fragment, 1);
	post_content_lost(t->a.post);
	send_text(t, &t->a, "from a 0");
	for (unsigned i = 0; i < 2000 && t->b.shown_count < 1; i++)
		turn(t);
	check_shown(&t->b, "from a", 1);
	post_tick(t->b.post, t->now_ms);
	commit(&t->b);
	assert_int_equal(t->b.archive_count, before + 2); /* the text and its envelope */
	free(text);
	toy_free(t);
}

/* ---- first contact out of order ---- */

/* The inviter reads the acceptor's texts before the answer that explains them. */
static void
texts_read_before_the_answer_come_again(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct chain_point anchor = { 7, { 1 } };
	struct block empty = { .round = 1 };
	char text[INVITE_TEXT_MAX];
	struct diag d;
	uint32_t id;

	(void)state;
	t->repeat_percent = 0; /* records are counted */
	assert_err_ok(post_invite(t->a.post, text, &id, "bob", &anchor, t->now_ms,
	    t->now_ms + TIMING_DAY_MS, &d));
	assert_err_ok(post_accept(t->b.post, &id, "alice", text, t->now_ms, &d));
	commit(&t->a);
	commit(&t->b);
	send_text(t, &t->b, "from b 0");
	for (unsigned i = 0; i < 20; i++) { /* the acceptor alone is in session */
		t->now_ms += SLOT_MS;
		slot(t, &t->b);
		read_journal(t, &t->b);
	}
	assert_int_equal(t->wire.count, 2); /* the answer, then the text */
	give_block(&t->a, &t->wire, 1, t->now_ms);
	give_block(&t->a, &t->wire, 0, t->now_ms);
	assert_err_ok(post_block(t->a.post, &empty, t->now_ms, t->now_ms));
	t->a.at = t->wire.count;
	assert_int_equal(contact_state(&t->a), POST_ESTABLISHED);
	send_text(t, &t->a, "from a 0");
	for (unsigned i = 0; i < 5000 && t->a.shown_count < 1; i++)
		turn(t);
	check_shown(&t->a, "from b", 1);
	toy_free(t);
}

/* ---- files ---- */

/* Put a file of n chunks in a's archive and queue it. */
static void
send_file(struct toy *t, uint32_t n)
{
	struct post_write w = { 0 };
	struct post_contact c;
	uint8_t hash[32] = { 1 };
	struct diag d;
	uint64_t id;

	post_contact_at(t->a.post, 0, &c);
	assert_err_ok(post_file_begin(t->a.post, &id, c.id, "x.bin",
	    n * post_chunk_bytes(t->a.post), t->now_ms, &d));
	for (uint32_t i = 1; i <= n; i++) {
		post_key_out(&w, id, i);
		w.len = post_chunk_bytes(t->a.post);
		w.data = calloc(1, w.len);
		assert_non_null(w.data);
		archive_apply(&t->a, &w);
	}
	assert_err_ok(post_file_commit(t->a.post, id, hash, &d));
	commit(&t->a);
}

static void
a_file_deleted_half_way_does_not_come_back(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_message m;
	struct post_write key;
	size_t before;

	(void)state;
	make_contact(t);
	commit(&t->b);
	before = t->b.archive_count;
	/* of many chunks: a journal not read for a while brings several at once, but not all */
	send_file(t, 40);
	while (t->b.archive_count < before + 4) {
		turn(t);
		commit(&t->b);
	}
	post_key_message(&key, post_last_message(t->b.post));
	struct entry *x = archive_find(&t->b, &key);
	assert_non_null(x);
	assert_err_ok(post_message_decode(&m, x->w.data, x->w.len));
	assert_true(m.incoming && m.file && m.done < m.of);
	assert_err_ok(post_delete(t->b.post, &m));
	commit(&t->b);
	assert_int_equal(t->b.archive_count, before);
	for (unsigned i = 0; i < 400; i++)
		turn(t);
	commit(&t->b);
	assert_int_equal(t->b.files_whole, 0);
	assert_int_equal(t->b.archive_count, before);
	toy_free(t);
}

static void
bulk_takes_one_slot_in_four(void **state)
{
	struct toy *t = toy_new(0, 1);
	size_t from, slots = 80;

	(void)state;
	t->repeat_percent = 0;
	make_contact(t);
	for (unsigned i = 0; i < 50; i++)
		turn(t);
	send_file(t, 60);
	from = t->wire.count;
	for (size_t i = 0; i < slots; i++) {
		t->now_ms += SLOT_MS;
		slot(t, &t->a);
		if (i % 2 == 0)
			read_journal(t, &t->a);
	}
	assert_in_range(t->wire.count - from, slots / 4 - 1, slots / 4 + 10);
	toy_free(t);
}

/* ---- blocked contacts ---- */

static void
from_a_blocked_contact_nothing_is_shown_or_acknowledged(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct post_contact c;
	struct post_message m;
	struct diag d;
	uint64_t id;

	(void)state;
	make_contact(t);
	post_contact_at(t->b.post, 0, &c);
	assert_err_ok(post_set_blocked(t->b.post, c.id, true));
	assert_err(post_send_text(t->b.post, &id, c.id, "x", 1, t->now_ms, &d), ERR_STATE);
	send_text(t, &t->a, "from a 0");
	for (unsigned i = 0; i < 2 * 3600000 / SLOT_MS + 100; i++)
		turn(t);
	assert_int_equal(t->b.shown_count, 0);
	assert_true(post_live_message(t->a.post, post_last_message(t->a.post), &m));
	assert_int_equal(m.state, POST_STORED);
	toy_free(t);
}

/* ---- two journals ---- */

static struct record_epoch_block
signed_block(uint64_t round, uint8_t salt, const uint8_t sk[64])
{
	static const uint8_t network[32];
	struct block b = { .gateway = 9, .round = round, .hash = { salt }, .epoch_block = true };
	struct record_epoch_block out = { .round = round, .hash = { salt } };

	block_sign(out.signature, &b, network, sk);
	return out;
}

static struct record_epoch_block
other_block(uint64_t round, uint8_t salt, const uint8_t sk[64])
{
	static const uint8_t network[32];
	struct block b = { .gateway = 9, .round = round, .hash = { salt } };
	struct record_epoch_block out = { .round = round, .hash = { salt } };

	block_sign(out.signature, &b, network, sk);
	return out;
}

/* b says what it was shown; a has seen its own. */
static void
quote(struct toy *t, const struct record_epoch_block *own, const struct record_epoch_block *theirs)
{
	size_t shown = t->a.shown_count;

	if (own->round != post_epoch_round(t->a.post))
		post_set_epoch_block(t->a.post, own);
	post_set_epoch_block(t->b.post, theirs);
	send_text(t, &t->b, "from b");
	for (unsigned i = 0; i < 2000 && t->a.shown_count == shown; i++)
		turn(t);
	assert_int_equal(t->a.shown_count, shown + 1);
}

/* The same; whether a holds evidence then. */
static bool
quoted(struct toy *t, const struct record_epoch_block *own, const struct record_epoch_block *theirs)
{
	struct post_fork f;

	quote(t, own, theirs);
	return post_take_fork(t->a.post, &f);
}

static void
two_signed_blocks_of_one_epoch_are_evidence(void **state)
{
	uint8_t pk[32], sk[64], other_pk[32], other_sk[64];
	struct toy *t = toy_new(0, 1);
	const uint64_t rounds = (uint64_t)(t->a.cfg.params.epoch_ms / t->a.cfg.params.round_ms);
	struct record_epoch_block own, theirs;
	struct post_fork f;

	(void)state;
	assert_int_equal(crypto_sign_keypair(pk, sk), 0);
	assert_int_equal(crypto_sign_keypair(other_pk, other_sk), 0);
	make_contact(t);
	commit(&t->a);
	t->a.cfg.gateway_identity = pk;
	crash(&t->a, true);
	own = signed_block(5 * rounds, 1, sk);
	assert_false(quoted(t, &own, &own));
	theirs = signed_block(5 * rounds, 2, other_sk); /* not the gateway's */
	assert_false(quoted(t, &own, &theirs));
	theirs = other_block(5 * rounds + 1, 2, sk); /* the gateway's, but no epoch block */
	assert_false(quoted(t, &own, &theirs));
	theirs = signed_block(6 * rounds, 2, sk); /* an epoch that a has not read yet */
	assert_false(quoted(t, &own, &theirs));
	own = signed_block(6 * rounds + 1, 9, sk);
	post_set_epoch_block(t->a.post, &own); /* now it has, and it is another one */
	assert_true(post_take_fork(t->a.post, &f));
	assert_memory_equal(&f.own, &own, sizeof(own));
	assert_memory_equal(&f.theirs, &theirs, sizeof(theirs));
	assert_false(post_take_fork(t->a.post, &f));
	own = signed_block(7 * rounds, 3, sk);
	theirs = signed_block(5 * rounds + 1, 2, sk); /* of an epoch before a's latest */
	assert_true(quoted(t, &own, &theirs));
	assert_false(quoted(t, &own, &own));
	quote(t, &own, &theirs);
	commit(&t->a);
	crash(&t->a, true);
	assert_true(post_take_fork(t->a.post, &f)); /* kept until it is taken */
	assert_int_equal(f.own.round, 5 * rounds);
	assert_int_equal(f.theirs.round, 5 * rounds + 1);
	assert_memory_equal(&f.theirs, &theirs, sizeof(theirs));
	toy_free(t);
}

/* ---- acknowledgements ---- */

/* A restart is nothing that a contact should see. */
static void
a_restart_owes_no_acknowledgement(void **state)
{
	struct toy *t = toy_new(0, 1);
	size_t count;

	(void)state;
	make_contact(t);
	send_text(t, &t->a, "from a 0");
	for (unsigned i = 0; i < 2 * 3600000 / SLOT_MS + 100; i++)
		turn(t);
	count = t->wire.count;
	commit(&t->a);
	commit(&t->b);
	crash(&t->a, true);
	crash(&t->b, true);
	for (unsigned i = 0; i < 2 * 3600000 / SLOT_MS + 100; i++)
		turn(t);
	assert_int_equal(t->wire.count, count);
	toy_free(t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(messages_arrive_in_order_once),
	cmocka_unit_test(loss_is_mended_by_resealing),
	cmocka_unit_test(crashes_lose_nothing_and_show_nothing_twice),
	cmocka_unit_test(both_sides_show_one_safety_number),
	cmocka_unit_test(long_text_and_file_are_cut_and_joined),
	cmocka_unit_test(delivered_is_shown_when_the_peer_acknowledged),
	cmocka_unit_test(invitations_are_refused_with_a_reason),
	cmocka_unit_test(contacts_and_invitations_are_bounded),
	cmocka_unit_test(damaged_state_is_refused_at_every_length),
	cmocka_unit_test(many_texts_wait_for_a_lost_one),
	cmocka_unit_test(a_lost_content_fails_alone),
	cmocka_unit_test(a_text_given_up_half_way_is_passed),
	cmocka_unit_test(texts_read_before_the_answer_come_again),
	cmocka_unit_test(a_file_deleted_half_way_does_not_come_back),
	cmocka_unit_test(bulk_takes_one_slot_in_four),
	cmocka_unit_test(from_a_blocked_contact_nothing_is_shown_or_acknowledged),
	cmocka_unit_test(two_signed_blocks_of_one_epoch_are_evidence),
	cmocka_unit_test(a_restart_owes_no_acknowledgement),
};

TEST_MAIN(tests)
