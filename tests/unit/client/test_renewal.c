/*
 * The renewal of stream secrets: over a toy network that loses, repeats, holds
 * back and reorders, between ends that crash; what a thief of one end's state
 * reads afterwards; and contacts of the version that had none.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/post_state.h"
#include "common/crypto/ratchet.h"
#include "tests/unit/client/state_v1.h"
#include "tests/unit/client/toy.h"

#define SCALE 60 /* an hour is a minute: a stream may be renewed every 12 slots */
#define HOUR_SLOTS (3600000 / SLOT_MS)

/* ---- a conversation ---- */

struct talk {
	struct toy *t;
	size_t said_a, said_b;
	uint32_t crash_percent;
};

static void
say(struct talk *k, bool a)
{
	char text[64];

	if (a)
		(void)snprintf(text, sizeof(text), "from a %zu", k->said_a++);
	else
		(void)snprintf(text, sizeof(text), "from b %zu", k->said_b++);
	send_text(k->t, a ? &k->t->a : &k->t->b, text);
}

/* Turns with random traffic: a burst, a remark, or silence. */
static void
go_on(struct talk *k, unsigned turns, unsigned per_cent)
{
	for (unsigned i = 0; i < turns; i++) {
		unsigned n = rng_below(test_rng(), 100) < per_cent ? 1 : 0;

		if (n > 0 && rng_below(test_rng(), 10) == 0)
			n = 20;
		while (n-- > 0)
			say(k, rng_below(test_rng(), 2) == 0);
		turn(k->t);
		if (rng_below(test_rng(), 100) < k->crash_percent)
			crash(rng_below(test_rng(), 2) == 0 ? &k->t->a : &k->t->b,
			    rng_below(test_rng(), 2) == 0);
	}
}

static void
talk_begin(struct talk *k, uint32_t loss_percent)
{
	*k = (struct talk){ .t = toy_new(loss_percent, SCALE) };
	make_contact(k->t);
}

/* Until everything said was shown. */
static void
talk_end(struct talk *k)
{
	struct toy *t = k->t;

	for (unsigned i = 0;
	     i < 60000 && (t->a.shown_count < k->said_b || t->b.shown_count < k->said_a); i++)
		turn(t);
	check_shown(&t->b, "from a", k->said_a);
	check_shown(&t->a, "from b", k->said_b);
	commit(&t->a);
	commit(&t->b);
}

static struct post_contact
contact_of(const struct end *e)
{
	struct post_contact c;

	post_contact_at(e->post, 0, &c);
	return c;
}

static const struct contact *
inside(const struct end *e)
{
	return e->post->contacts[0];
}

/* ---- it goes on ---- */

static void
check_counts(const struct toy *t, unsigned least)
{
	struct post_contact a = contact_of(&t->a), b = contact_of(&t->b);

	print_message("# renewed %u and %u times, %zu records\n", a.renewed_sending,
	    b.renewed_sending, t->wire.count);
	assert_true(a.renews && b.renews);
	assert_true(a.renewed_sending >= least && b.renewed_sending >= least);
	/* the reader is at most one behind: it goes over with the first record */
	assert_in_range(a.renewed_sending - b.renewed_receiving, 0, 1);
	assert_in_range(b.renewed_sending - a.renewed_receiving, 0, 1);
}

static void
both_streams_are_renewed_again_and_again(void **state)
{
	struct talk k;

	(void)state;
	talk_begin(&k, 0);
	k.t->repeat_percent = 0;
	go_on(&k, 700, 30);
	talk_end(&k);
	check_counts(k.t, 20);
	toy_free(k.t);
}

static void
renewal_over_loss_disorder_and_crashes(void **state)
{
	struct talk k;

	(void)state;
	talk_begin(&k, 25);
	k.t->repeat_percent = 15;
	k.t->late_percent = 15;
	k.crash_percent = 12;
	go_on(&k, 1200, 25);
	talk_end(&k);
	check_counts(k.t, 20);
	toy_free(k.t);
}

/* Who only listens sends acknowledgements alone; they carry its part of both renewals. */
static void
acknowledgements_alone_carry_it(void **state)
{
	struct talk k;

	(void)state;
	talk_begin(&k, 0);
	for (unsigned i = 0; i < 60; i++) {
		say(&k, true);
		for (unsigned j = 0; j < 30; j++)
			turn(k.t);
	}
	talk_end(&k);
	check_counts(k.t, 10);
	toy_free(k.t);
}

/* A renewal under way waits: nothing goes for its sake. */
static void
silence_stays_silence(void **state)
{
	struct talk k;
	size_t count;

	(void)state;
	talk_begin(&k, 0);
	go_on(&k, 200, 30);
	talk_end(&k);
	for (unsigned i = 0; i < 4 * HOUR_SLOTS / SCALE + 100; i++)
		turn(k.t);
	count = k.t->wire.count;
	for (unsigned i = 0; i < 4000; i++)
		turn(k.t);
	assert_int_equal(k.t->wire.count, count);
	toy_free(k.t);
}

/* At the default times: not more often than 64 records or an hour allow. */
static void
the_rate_is_bounded(void **state)
{
	struct toy *t = toy_new(0, 1);
	struct talk k = { .t = t };
	struct post_contact a;

	(void)state;
	make_contact(t);
	go_on(&k, 4 * HOUR_SLOTS, 5);
	talk_end(&k);
	a = contact_of(&t->a);
	print_message("# renewed %u times\n", a.renewed_sending);
	assert_in_range(a.renewed_sending, 2, 1 + 4 + t->wire.count / RENEWAL_RECORDS);
	toy_free(t);
}

/* ---- what is wiped ---- */

static bool
holds(const struct buf *b, const uint8_t key[static 32])
{
	for (size_t i = 0; i + 32 <= b->len; i++)
		if (memcmp(b->data + i, key, 32) == 0)
			return true;
	return false;
}

/* What an end keeps for the future of its streams. */
struct secrets {
	uint8_t own[32];
	struct buf writer, reader; /* their saved states: C and root stand at fixed places */
};

static void
secrets_of(struct secrets *s, const struct end *e)
{
	memcpy(s->own, inside(e)->renewal.own_sk, 32);
	buf_init(&s->writer);
	buf_init(&s->reader);
	assert_err_ok(stream_writer_save(inside(e)->writer, &s->writer, SIZE_MAX));
	assert_err_ok(stream_reader_save(inside(e)->reader, &s->reader, SIZE_MAX));
}

static void
renewed_secrets_are_nowhere_in_the_state(void **state)
{
	struct secrets old;
	struct talk k;
	size_t n;

	(void)state;
	talk_begin(&k, 0);
	go_on(&k, 300, 30);
	talk_end(&k);
	secrets_of(&old, &k.t->a);
	assert_true(holds(&k.t->a.saved, old.own));
	assert_true(holds(&k.t->a.saved, old.writer.data + 8));
	go_on(&k, 600, 30);
	talk_end(&k);
	assert_true(contact_of(&k.t->a).renewed_sending > load_u64(old.writer.data) >> 32);
	n = old.reader.len - 1 - 32 - 32; /* its root */
	assert_false(holds(&k.t->a.saved, old.own));
	assert_false(holds(&k.t->a.saved, old.writer.data + 8));
	assert_false(holds(&k.t->a.saved, old.writer.data + 8 + 32 + 1));
	assert_false(holds(&k.t->a.saved, old.reader.data + 8));
	assert_false(holds(&k.t->a.saved, old.reader.data + n));
	buf_release(&old.writer);
	buf_release(&old.reader);
	toy_free(k.t);
}

/* ---- a thief ---- */

/*
 * Who copied an end's whole state, and reads the journal on: the peer's stream
 * with the victim's own code, the victim's with a reader made of its writer.
 */
struct thief {
	struct post *post;
	struct contact *c;
	struct stream_reader *victims;
	size_t from; /* position in the journal */
	uint64_t writer_index, reader_seen;
	uint32_t blind_out, blind_in; /* generations from which it must not read any more */
	size_t opened_out, opened_in; /* records before that */
};

/* A reader at the writer's next index, with what it knows of the generation after. */
static struct stream_reader *
reader_of_writer(const struct stream_writer *w)
{
	struct stream_reader *out;
	struct buf saved, made;
	struct reader in;
	uint8_t none[4] = { 0 };

	buf_init(&saved);
	buf_init(&made);
	assert_err_ok(stream_writer_save(w, &saved, SIZE_MAX));
	assert_err_ok(buf_append(&made, saved.data, 40, SIZE_MAX)); /* index and C */
	assert_err_ok(buf_append(&made, none, sizeof(none), SIZE_MAX));
	assert_err_ok(buf_append(&made, saved.data + 40, 66, SIZE_MAX)); /* root and next */
	reader_init(&in, made.data, made.len);
	assert_err_ok(stream_reader_load(&out, &in, true, test_rng()));
	assert_err_ok(reader_end(&in));
	buf_release(&saved);
	buf_release(&made);
	return out;
}

/* What lies on e's disk now. */
static void
steal(struct thief *x, const struct end *e)
{
	struct diag d;

	memset(x, 0, sizeof(*x));
	assert_err_ok(post_load(&x->post, &e->cfg, e->saved.data, e->saved.len, &d));
	x->c = x->post->contacts[0];
	x->from = e->read_from;
	x->victims = reader_of_writer(x->c->writer);
	x->writer_index = stream_writer_index(x->c->writer);
	x->reader_seen = stream_reader_seen(x->c->reader);
	x->blind_out = stream_generation(x->writer_index) + 1 +
	    stream_writer_announced(x->c->writer);
	x->blind_in = stream_generation(x->reader_seen) + 2 + stream_reader_followed(x->c->reader);
}

/* As the victim would: open, and follow what is announced against keys that were stolen. */
static bool
thief_reads(struct thief *x, const uint8_t *record, const struct toy *t)
{
	size_t size = t->wire.record_size;
	uint8_t *plaintext = malloc(record_plaintext_bytes(size));
	struct record_header h;
	const uint8_t *content;
	uint64_t index;
	enum err e;

	assert_non_null(plaintext);
	e = stream_open(x->c->reader, plaintext, &index, record, size, INT64_MAX);
	if (e == ERR_OK) {
		assert_err_ok(record_decode(&h, &content, plaintext, size));
		assert_err_ok(renewal_take(&x->c->renewal, x->c->writer, x->c->reader, &h, index,
		    test_rng(), t->now_ms));
	}
	free(plaintext);
	return e == ERR_OK;
}

static bool
thief_overhears(struct thief *x, const uint8_t *record, const struct toy *t)
{
	uint8_t *plaintext = malloc(record_plaintext_bytes(t->wire.record_size));
	enum err e;

	assert_non_null(plaintext);
	e = stream_open(x->victims, plaintext, NULL, record, t->wire.record_size, INT64_MAX);
	free(plaintext);
	return e == ERR_OK;
}

static bool
seen_before(const struct toy *t, size_t from, size_t i)
{
	for (size_t k = from; k < i; k++)
		if (t->wire.records[k].from == t->wire.records[i].from &&
		    t->wire.records[k].index == t->wire.records[i].index)
			return true;
	return false;
}

/* Every record of the journal since: all before the stated point are read, none after it. */
static void
thief_goes_through(struct thief *x, const struct toy *t, const struct end *victim)
{
	for (size_t i = x->from; i < t->wire.count; i++) {
		const struct wire_record *r = &t->wire.records[i];
		bool out = r->from == victim, again = seen_before(t, x->from, i);
		bool opened = out ? thief_overhears(x, r->bytes, t) : thief_reads(x, r->bytes, t);
		uint64_t least = out ? x->writer_index : x->reader_seen;

		if (stream_generation(r->index) >= (out ? x->blind_out : x->blind_in)) {
			assert_false(opened);
		} else if (r->index >= least && !again) {
			assert_true(opened);
			*(out ? &x->opened_out : &x->opened_in) += 1;
		}
	}
}

static void
thief_free(struct thief *x)
{
	stream_reader_free(x->victims);
	post_free(x->post);
}

static size_t
records_from(const struct toy *t, const struct end *e, uint32_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < t->wire.count; i++)
		n += t->wire.records[i].from == e &&
		    t->wire.records[i].index != UINT64_MAX &&
		    stream_generation(t->wire.records[i].index) >= generation;
	return n;
}

static void
theft(uint32_t loss_percent, uint32_t late_percent, uint32_t crash_percent)
{
	struct talk k;
	struct thief x;
	struct end *victim;

	talk_begin(&k, loss_percent);
	k.t->late_percent = late_percent;
	k.crash_percent = crash_percent;
	go_on(&k, 150 + rng_below(test_rng(), 350), 30);
	victim = rng_below(test_rng(), 2) == 0 ? &k.t->a : &k.t->b;
	steal(&x, victim);
	go_on(&k, 450, 30);
	talk_end(&k);
	/* they went on beyond the point, on both streams */
	assert_true(records_from(k.t, victim, x.blind_out) > 20);
	assert_true(records_from(k.t, victim == &k.t->a ? &k.t->b : &k.t->a, x.blind_in) > 20);
	thief_goes_through(&x, k.t, victim);
	print_message("# the thief read %zu and %zu of %zu\n", x.opened_out, x.opened_in,
	    k.t->wire.count - x.from);
	assert_true(x.opened_out + x.opened_in > 0);
	thief_free(&x);
	toy_free(k.t);
}

static void
a_thief_is_blind_after_the_stated_point(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		theft(0, 0, 0);
}

static void
a_thief_gains_nothing_from_trouble(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		theft(20, 10, 10);
}

/* The control: without what the honest two renew, a stolen state reads everything. */
static void
without_renewal_a_thief_reads_on(void **state)
{
	struct toy *t = toy_new(0, SCALE);
	struct talk k = { .t = t };
	struct thief x;

	(void)state;
	t->now_ms = STATE_V1_NOW_MS;
	end_load(&t->a, state_v1_a, sizeof(state_v1_a));
	end_load(&t->b, state_v1_b, sizeof(state_v1_b));
	steal(&x, &t->a);
	go_on(&k, 450, 30);
	talk_end(&k);
	thief_goes_through(&x, t, &t->a);
	assert_true(x.opened_out >= k.said_a && x.opened_in >= k.said_b);
	thief_free(&x);
	toy_free(t);
}

/* ---- the version before ---- */

static void
old_contacts_go_on_and_are_not_renewed(void **state)
{
	struct toy *t = toy_new(10, SCALE);
	struct talk k = { .t = t, .crash_percent = 5 };

	(void)state;
	t->now_ms = STATE_V1_NOW_MS;
	end_load(&t->a, state_v1_a, sizeof(state_v1_a));
	end_load(&t->b, state_v1_b, sizeof(state_v1_b));
	assert_int_equal(contact_of(&t->a).state, POST_ESTABLISHED);
	assert_false(contact_of(&t->a).renews);
	go_on(&k, 600, 30);
	talk_end(&k);
	assert_false(contact_of(&t->a).renews || contact_of(&t->b).renews);
	assert_int_equal(contact_of(&t->a).renewed_sending, 0);
	assert_true(sodium_is_zero(inside(&t->b)->renewal.peer_pk, 32));
	toy_free(t);
}

/* An end that can renew shows keys to one that cannot: nothing comes of it. */
static void
one_end_alone_does_not_renew(void **state)
{
	struct talk k;
	struct contact *c;

	(void)state;
	talk_begin(&k, 0);
	commit(&k.t->b);
	c = k.t->b.post->contacts[0];
	{ /* b's state as the version before would have it */
		struct buf saved;
		struct reader in;

		buf_init(&saved);
		assert_err_ok(stream_writer_save(c->writer, &saved, SIZE_MAX));
		stream_writer_free(c->writer);
		reader_init(&in, saved.data, 40);
		assert_err_ok(stream_writer_load(&c->writer, &in, false));
		buf_release(&saved);
		assert_err_ok(stream_reader_save(c->reader, &saved, SIZE_MAX));
		stream_reader_free(c->reader);
		reader_init(&in, saved.data, saved.len - 66);
		assert_err_ok(stream_reader_load(&c->reader, &in, false, test_rng()));
		buf_release(&saved);
		memset(&c->renewal, 0, sizeof(c->renewal));
	}
	go_on(&k, 600, 30);
	talk_end(&k);
	assert_int_equal(contact_of(&k.t->a).renewed_sending, 0);
	assert_int_equal(contact_of(&k.t->b).renewed_sending, 0);
	toy_free(k.t);
}

/* ---- one header at a time ---- */

struct side {
	struct renewal r;
	struct stream_writer *w;
	struct stream_reader *reader;
};

static void
sides_new(struct side *a, struct side *b)
{
	uint8_t one[32], two[32];

	rng_bytes(test_rng(), one, sizeof(one));
	rng_bytes(test_rng(), two, sizeof(two));
	memset(a, 0, sizeof(*a));
	memset(b, 0, sizeof(*b));
	assert_err_ok(renewal_init(&a->r, test_rng()));
	assert_err_ok(renewal_init(&b->r, test_rng()));
	a->w = stream_writer_new(one);
	b->w = stream_writer_new(two);
	a->reader = stream_reader_new(two, test_rng());
	b->reader = stream_reader_new(one, test_rng());
	assert_true(a->w != NULL && b->w != NULL && a->reader != NULL && b->reader != NULL);
}

static void
side_free(struct side *s)
{
	stream_writer_free(s->w);
	stream_reader_free(s->reader);
}

/* What the next header says; the index is not used up. */
static struct record_header
says(struct side *s, uint64_t seen_index, int64_t now_ms)
{
	struct record_header h = { .type = RECORD_ACK };

	renewal_begin(&s->r, s->w, seen_index, RENEWAL_MS, test_rng(), now_ms);
	renewal_fill(&s->r, s->w, &h);
	return h;
}

static void
hears(struct side *s, const struct record_header *h, uint64_t index, int64_t now_ms)
{
	assert_err_ok(renewal_take(&s->r, s->w, s->reader, h, index, test_rng(), now_ms));
}

static void
an_announcement_goes_until_it_was_followed(void **state)
{
	struct record_header hello, announce, again, old;
	struct side a, b;
	uint8_t shown[32], id[8];

	(void)state;
	sides_new(&a, &b);
	hello = says(&b, 0, 1); /* knows no key of a's */
	assert_true(sodium_is_zero(hello.fresh, 32) && sodium_is_zero(hello.peer_renewal_id, 8));
	memcpy(shown, b.r.own_pk, 32);
	assert_memory_equal(hello.own_renewal, shown, 32);
	hears(&a, &hello, 0, 2);
	announce = says(&a, 0, 3);
	again = says(&a, 0, 4);
	assert_false(sodium_is_zero(announce.fresh, 32));
	assert_memory_equal(announce.fresh, again.fresh, 32);
	ratchet_key_id(id, shown);
	assert_memory_equal(announce.peer_renewal_id, id, 8);
	old = says(&b, 0, 5);
	hears(&b, &announce, 0, 6);
	assert_true(stream_reader_followed(b.reader));
	assert_memory_not_equal(b.r.own_pk, shown, 32);
	memcpy(shown, b.r.own_pk, 32);
	hears(&b, &again, 1, 7); /* the same once more: nothing happens */
	assert_memory_equal(b.r.own_pk, shown, 32);
	hello = says(&b, 0, 8);
	hears(&a, &hello, 5, 9);
	assert_false(stream_writer_announced(a.w));
	assert_int_equal(stream_generation(stream_writer_index(a.w)), 1);
	hears(&a, &old, 3, 10); /* sealed before: it does not count any more */
	assert_memory_equal(a.r.peer_pk, shown, 32);
	side_free(&a);
	side_free(&b);
}

static void
the_next_one_waits_for_its_time_and_the_reader(void **state)
{
	const uint64_t first = (uint64_t)1 << 32;
	struct record_header h;
	struct side a, b;

	(void)state;
	sides_new(&a, &b);
	h = says(&b, 0, 1);
	hears(&a, &h, 0, 1);
	h = says(&a, 0, 1);
	hears(&b, &h, 0, 1);
	h = says(&b, 0, 1);
	hears(&a, &h, 1, 1000);
	assert_int_equal(stream_writer_index(a.w), first);
	(void)says(&a, first + 1, 1000 + RENEWAL_MS - 1); /* too early */
	assert_false(stream_writer_announced(a.w));
	(void)says(&a, first, 1000 + RENEWAL_MS); /* the peer has not seen this generation */
	assert_false(stream_writer_announced(a.w));
	(void)says(&a, first + 1, 999); /* a clock that was set back holds nothing up */
	assert_true(stream_writer_announced(a.w));
	side_free(&a);
	side_free(&b);
}

/* Keys of low order, from a peer that means harm, renew nothing and end nothing. */
static void
bad_keys_change_nothing(void **state)
{
	struct record_header h = { .type = RECORD_ACK, .own_renewal = { 1 } };
	struct side a, b;
	uint8_t shown[32];

	(void)state;
	sides_new(&a, &b);
	hears(&a, &h, 0, 1);
	h = says(&a, 0, 2);
	assert_false(stream_writer_announced(a.w));
	assert_true(sodium_is_zero(h.fresh, 32));
	memcpy(shown, a.r.own_pk, 32);
	memset(&h, 0, sizeof(h));
	h.fresh[0] = 1;
	ratchet_key_id(h.peer_renewal_id, shown);
	hears(&a, &h, 1, 3);
	assert_false(stream_reader_followed(a.reader));
	assert_memory_equal(a.r.own_pk, shown, 32);
	h = says(&b, 0, 4); /* and a good one later is taken */
	hears(&a, &h, 2, 5);
	(void)says(&a, 0, 6);
	assert_true(stream_writer_announced(a.w));
	side_free(&a);
	side_free(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_announcement_goes_until_it_was_followed),
	cmocka_unit_test(the_next_one_waits_for_its_time_and_the_reader),
	cmocka_unit_test(bad_keys_change_nothing),
	cmocka_unit_test(both_streams_are_renewed_again_and_again),
	cmocka_unit_test(renewal_over_loss_disorder_and_crashes),
	cmocka_unit_test(acknowledgements_alone_carry_it),
	cmocka_unit_test(silence_stays_silence),
	cmocka_unit_test(the_rate_is_bounded),
	cmocka_unit_test(renewed_secrets_are_nowhere_in_the_state),
	cmocka_unit_test(a_thief_is_blind_after_the_stated_point),
	cmocka_unit_test(a_thief_gains_nothing_from_trouble),
	cmocka_unit_test(without_renewal_a_thief_reads_on),
	cmocka_unit_test(old_contacts_go_on_and_are_not_renewed),
	cmocka_unit_test(one_end_alone_does_not_renew),
};

TEST_MAIN(tests)
