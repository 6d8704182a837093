#include "config.h"

#include "tests/unit/client/toy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/post_state.h"
#include "common/charter/timing.h"
#include "tests/lib/test.h"

struct entry *
archive_find(struct end *e, const struct post_write *key)
{
	for (size_t i = 0; i < e->archive_count; i++)
		if (e->archive[i].w.key_len == key->key_len &&
		    memcmp(e->archive[i].w.key, key->key, key->key_len) == 0)
			return &e->archive[i];
	return NULL;
}

void
archive_apply(struct end *e, struct post_write *w)
{
	struct entry *x = archive_find(e, w);

	if (x == NULL && w->data != NULL) {
		assert_true(e->archive_count < ARCHIVE_MAX);
		x = &e->archive[e->archive_count++];
		x->w = *w;
		w->data = NULL;
	} else if (x != NULL && w->data != NULL) {
		free(x->w.data);
		x->w = *w;
		w->data = NULL;
	} else if (x != NULL) {
		free(x->w.data);
		*x = e->archive[--e->archive_count];
	}
}

/* The text of a message as the archive holds it. */
static char *
message_text(struct end *e, const struct post_message *m)
{
	char *text = calloc(1, m->size + 1);
	size_t at = 0;

	assert_non_null(text);
	for (uint32_t i = 0; i < m->of; i++) {
		struct post_write key;
		post_key_in(&key, m->store, i);
		struct entry *x = archive_find(e, &key);
		assert_non_null(x);
		memcpy(text + at, x->w.data, x->w.len);
		at += x->w.len;
	}
	assert_int_equal(at, m->size);
	return text;
}

static void
show_news(struct end *e)
{
	struct post_news n;

	while (post_next_news(e->post, &n)) {
		if (n.kind != POST_NEWS_MESSAGE)
			continue;
		if (n.message.file) {
			e->files_whole++;
			continue;
		}
		assert_true(e->shown_count < TEXTS_MAX);
		e->shown[e->shown_count++] = message_text(e, &n.message);
	}
}

void
commit(struct end *e)
{
	struct post_write *w;
	size_t n;

	assert_err_ok(post_take_writes(e->post, &w, &n));
	for (size_t i = 0; i < n; i++)
		archive_apply(e, &w[i]);
	post_writes_free(w, n);
	buf_release(&e->saved);
	assert_err_ok(post_save(e->post, &e->saved));
	e->read_from = e->at;
	show_news(e);
}

void
crash(struct end *e, bool archive_written)
{
	struct post_write *w;
	struct diag d;
	size_t n;

	assert_err_ok(post_take_writes(e->post, &w, &n));
	for (size_t i = 0; archive_written && i < n; i++)
		archive_apply(e, &w[i]);
	post_writes_free(w, n);
	post_free(e->post);
	assert_err_ok(post_load(&e->post, &e->cfg, e->saved.data, e->saved.len, &d));
	e->at = e->read_from;
}

void
end_load(struct end *e, const void *state, size_t n)
{
	buf_release(&e->saved);
	assert_err_ok(buf_append(&e->saved, state, n, SIZE_MAX));
	crash(e, true);
}

static void
put_on_wire(struct wire *w, const struct wire_record *r, int64_t now_ms)
{
	assert_true(w->count < WIRE_MAX);
	w->records[w->count] = *r;
	w->times[w->count++] = now_ms;
}

static void
deposit(struct toy *t, const struct end *from, uint64_t index, const uint8_t *record)
{
	struct wire *w = &t->wire;
	struct wire_record r = { malloc(w->record_size), from, index };

	assert_non_null(r.bytes);
	memcpy(r.bytes, record, w->record_size);
	if (w->held_count < HELD_MAX && rng_below(test_rng(), 100) < t->late_percent)
		w->held[w->held_count++] = r;
	else
		put_on_wire(w, &r, t->now_ms);
}

/* What was held back comes at any time. */
static void
release_held(struct toy *t)
{
	struct wire *w = &t->wire;

	for (size_t i = 0; i < w->held_count;) {
		if (rng_below(test_rng(), 100) != 0) {
			i++;
			continue;
		}
		put_on_wire(w, &w->held[i], t->now_ms);
		w->held[i] = w->held[--w->held_count];
	}
}

/* Where the record that was just sealed stands in its stream. */
static uint64_t
sealed_index(const struct end *e)
{
	const struct contact *c = post_contact(e->post, e->post->sealed_contact);

	assert_non_null(c);
	return e->post->sealed == POST_CHOICE_ANSWER || e->post->sealed == POST_CHOICE_FOUNDING
	    ? UINT64_MAX : stream_writer_index(c->writer) - 1;
}

/* Somewhere among the last few records: the mixes reorder. */
static void
shuffle_tail(struct wire *w, size_t from)
{
	rng_shuffle(test_rng(), &w->records[from], w->count - from, sizeof(w->records[0]));
}

void
slot(struct toy *t, struct end *e)
{
	uint8_t *record = malloc(t->wire.record_size);
	struct post_need need;
	struct path path;
	uint16_t mailbox;
	uint64_t index;

	assert_non_null(record);
	post_tick(e->post, t->now_ms);
	if (post_next(e->post, &need, t->now_ms)) {
		const void *content = NULL;
		size_t n = 0;
		if (need.kind == POST_NEED_CONTENT) {
			struct post_write key;
			post_key_out(&key, need.message, need.fragment);
			commit(e);
			struct entry *x = archive_find(e, &key);
			assert_non_null(x);
			content = x->w.data;
			n = x->w.len;
		}
		assert_err_ok(post_seal(e->post, record, &mailbox, &path, &t->path, content, n,
		    t->now_ms));
		index = sealed_index(e);
		commit(e);
		post_sent(e->post, t->now_ms);
		if (rng_below(test_rng(), 100) >= t->loss_percent)
			deposit(t, e, index, record);
		if (rng_below(test_rng(), 100) < t->repeat_percent)
			deposit(t, e, index, record);
	}
	free(record);
}

void
give_block(struct end *e, struct wire *w, size_t i, int64_t now_ms)
{
	uint8_t digest[BLOCK_DIGEST_BYTES];
	struct block b = { .round = i + 1, .digest_count = 1, .digests = digest };

	block_record_digest(digest, w->records[i].bytes, w->record_size);
	post_begin_block(e->post, timing_round(&e->cfg.params, w->times[i]));
	assert_err_ok(post_record(e->post, w->records[i].bytes, now_ms));
	assert_err_ok(post_block(e->post, &b, w->times[i], now_ms));
}

void
read_journal(struct toy *t, struct end *e)
{
	struct block empty = { .round = 1 };

	while (e->at < t->wire.count)
		give_block(e, &t->wire, e->at++, t->now_ms);
	post_begin_block(e->post, timing_round(&e->cfg.params, t->now_ms));
	assert_err_ok(post_block(e->post, &empty, t->now_ms, t->now_ms));
}

void
turn(struct toy *t)
{
	size_t from = t->wire.count;

	t->now_ms += SLOT_MS;
	slot(t, &t->a);
	slot(t, &t->b);
	release_held(t);
	shuffle_tail(&t->wire, from > 3 && t->a.at < from - 3 && t->b.at < from - 3 ? from - 3
										      : from);
	if (rng_below(test_rng(), 3) == 0) {
		read_journal(t, &t->a);
		if (rng_below(test_rng(), 2) == 0)
			commit(&t->a);
		read_journal(t, &t->b);
		if (rng_below(test_rng(), 2) == 0)
			commit(&t->b);
	}
}

static void
end_init(struct toy *t, struct end *e, uint32_t time_scale)
{
	e->cfg.rng = test_rng();
	e->cfg.keys = test_rng();
	params_default(&e->cfg.params);
	e->cfg.params.time_scale = time_scale;
	e->cfg.gateway = 9;
	t->wire.record_size = e->cfg.params.record_size;
	buf_init(&e->saved);
	assert_err_ok(post_new(&e->post, &e->cfg));
	commit(e);
}

struct toy *
toy_new(uint32_t loss_percent, uint32_t time_scale)
{
	struct toy *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->now_ms = 1800000000000;
	t->loss_percent = loss_percent;
	t->repeat_percent = 3;
	t->path.hops = 4;
	end_init(t, &t->a, time_scale);
	end_init(t, &t->b, time_scale);
	return t;
}

static void
end_free(struct end *e)
{
	for (size_t i = 0; i < e->archive_count; i++)
		free(e->archive[i].w.data);
	for (size_t i = 0; i < e->shown_count; i++)
		free(e->shown[i]);
	buf_release(&e->saved);
	post_free(e->post);
}

void
toy_free(struct toy *t)
{
	for (size_t i = 0; i < t->wire.count; i++)
		free(t->wire.records[i].bytes);
	for (size_t i = 0; i < t->wire.held_count; i++)
		free(t->wire.held[i].bytes);
	end_free(&t->a);
	end_free(&t->b);
	free(t);
}

enum post_contact_state
contact_state(const struct end *e)
{
	struct post_contact c;

	assert_int_equal(post_contact_count(e->post), 1);
	post_contact_at(e->post, 0, &c);
	return c.state;
}

void
make_contact(struct toy *t)
{
	struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX];
	struct diag d;
	uint32_t id;

	assert_err_ok(post_invite(t->a.post, text, &id, "bob", &anchor, t->now_ms,
	    t->now_ms + TIMING_DAY_MS, &d));
	assert_err_ok(post_accept(t->b.post, &id, "alice", text, t->now_ms, &d));
	commit(&t->a);
	commit(&t->b);
	for (unsigned i = 0; i < 20000 && contact_state(&t->a) != POST_ESTABLISHED; i++)
		turn(t);
	assert_int_equal(contact_state(&t->a), POST_ESTABLISHED);
}

void
send_text(struct toy *t, struct end *e, const char *text)
{
	struct post_contact c;
	struct diag d;
	uint64_t id;

	post_contact_at(e->post, 0, &c);
	assert_err_ok(post_send_text(e->post, &id, c.id, text, strlen(text), t->now_ms, &d));
	commit(e);
}

void
check_shown(const struct end *e, const char *from, size_t n)
{
	char want[64];

	assert_int_equal(e->shown_count, n);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(want, sizeof(want), "%s %zu", from, i);
		assert_string_equal(e->shown[i], want);
	}
}
