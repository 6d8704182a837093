#include "config.h"

#include "tests/scenario/person.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

static const struct vault_unlock unlock = {
    .secret = "correct horse", .len = 13, .cost = VAULT_COST_TEST};

bool
person_runs(const struct person *p)
{
	return p->client != NULL;
}

/* ---- life and death ---- */

static void
clear_run(struct person *p)
{
	client_free(p->client);
	p->client = NULL;
	vault_free(p->vault);
	p->vault = NULL;
	fixture_disk_stop(&p->disk);
}

static void
open_vault(struct person *p)
{
	struct diag d = {""};
	enum err e;

	if (p->starts == 1)
		e = vault_create(&p->vault, p->disk.disk, &unlock, &p->keys.rng, &d);
	else
		e = vault_open(&p->vault, p->disk.disk, &unlock, &p->keys.rng, &d);
	if (e != ERR_OK)
		print_error("the vault does not open: %s\n", d.text);
	assert_err_ok(e);
}

void
person_start(struct person *p)
{
	static const struct client_events events = {0};
	struct client_config cfg = {
	    .charter = p->fixture->network->charter,
	    .archive = p->archive,
	    .rng = &p->rng.rng,
	    .keys = &p->keys.rng,
	    .retention_ms = p->retention_ms,
	    .entrance = p->entrance,
	};
	struct diag d = {""};
	enum err e;

	assert_false(person_runs(p));
	if (p->starts++ > 0)
		assert_err_ok(world_start(p->host));
	fixture_disk_start(&p->disk);
	open_vault(p);
	cfg.vault = p->vault;
	cfg.disk = p->disk.disk;
	e = client_new(&p->client, world_loop(p->host), &cfg, &events, p, &d);
	if (e != ERR_OK)
		print_error("the client does not start: %s\n", d.text);
	assert_err_ok(e);
}

static void
start_later(void *arg)
{
	struct person *p = arg;

	if (!person_runs(p))
		person_start(p);
}

static void
on_died(void *arg)
{
	struct person *p = arg;
	struct fixture *f = p->fixture;

	p->deaths++;
	clear_run(p);
	if (p->down_ms >= 0)
		assert_err_ok(
		    world_at(f->world, world_now_ms(f->world) + p->down_ms, start_later, p));
}

void
person_kill(struct person *p, int64_t down_ms)
{
	if (!person_runs(p))
		return;
	p->down_ms = down_ms;
	fixture_disk_crash(&p->disk, world_rng(p->fixture->world));
	world_kill(p->host);
	on_died(p);
}

void
person_kill_in_write(struct person *p, uint64_t write, int64_t down_ms)
{
	if (!person_runs(p))
		return;
	p->down_ms = down_ms;
	fixture_disk_kill_in(&p->disk, write, world_rng(p->fixture->world));
}

void
person_stop(struct person *p)
{
	if (!person_runs(p))
		return;
	clear_run(p);
	world_kill(p->host);
}

void
person_new(struct person *p, struct fixture *f)
{
	person_new_at(p, f, NULL);
}

void
person_new_at(struct person *p, struct fixture *f, const char *entrance)
{
	memset(p, 0, sizeof(*p));
	p->fixture = f;
	p->entrance = entrance;
	rng_seeded_init(&p->rng, rng_u64(world_rng(f->world)));
	rng_seeded_init(&p->keys, rng_u64(world_rng(f->world)));
	assert_err_ok(world_host_new(&p->host, f->world));
	fixture_disk_init(&p->disk, f->world, p->host, on_died, p);
	p->archive = archive_memory();
	assert_non_null(p->archive);
	person_start(p);
}

void
person_free(struct person *p)
{
	if (person_runs(p))
		clear_run(p);
	archive_free(p->archive);
	fixture_disk_release(&p->disk);
}

/* ---- contacts ---- */

static void
nothing(void *arg, enum err e)
{
	(void)arg;
	(void)e;
}

void
person_meet(struct person *a, struct person *b)
{
	int64_t now = world_now_ms(a->fixture->world);
	char text[INVITE_TEXT_MAX];
	struct chain_point epoch;
	uint32_t id;

	assert_true(client_epoch_block(a->client, &epoch));
	assert_err_ok(post_invite(client_post(a->client), text, &id, "b", &epoch, now,
	    now + 24 * HOUR_MS, NULL));
	assert_err_ok(client_commit(a->client, nothing, NULL));
	assert_err_ok(post_accept(client_post(b->client), &id, "a", text, now, NULL));
	assert_err_ok(client_commit(b->client, nothing, NULL));
}

void
person_contact(const struct person *p, struct post_contact *out)
{
	assert_int_equal(post_contact_count(client_post(p->client)), 1);
	post_contact_at(client_post(p->client), 0, out);
}

bool
person_has_contact(const struct person *p)
{
	struct post_contact c;

	if (!person_runs(p) || post_contact_count(client_post(p->client)) == 0)
		return false;
	person_contact(p, &c);
	return c.state == POST_ESTABLISHED;
}

bool
person_is_done(const struct person *p)
{
	struct client_status s;

	if (!person_runs(p))
		return false;
	client_status(p->client, &s);
	return s.queued == 0 && s.unacknowledged == 0;
}

/* ---- texts ---- */

struct saying {
	struct person *person;
	unsigned number;
};

static void
on_durable(void *arg, enum err e)
{
	struct saying *s = arg;

	if (e == ERR_OK)
		s->person->promised[s->number] = true;
	free(s);
}

void
person_say(struct person *p)
{
	int64_t now = world_now_ms(p->fixture->world);
	struct post_contact c;
	struct saying *s;
	char text[16];
	uint64_t id;

	if (!person_runs(p))
		return;
	assert_true(p->said < PERSON_TEXTS_MAX);
	person_contact(p, &c);
	(void)snprintf(text, sizeof(text), "%u", p->said);
	assert_err_ok(
	    post_send_text(client_post(p->client), &id, c.id, text, strlen(text), now, NULL));
	s = malloc(sizeof(*s));
	assert_non_null(s);
	*s = (struct saying){.person = p, .number = p->said++};
	assert_err_ok(client_commit(p->client, on_durable, s));
}

/* The text of an incoming message of one fragment. */
static unsigned
read_number(const struct person *p, const struct post_message *m)
{
	struct post_write key;
	struct buf bytes;
	unsigned number;

	buf_init(&bytes);
	post_key_in(&key, m->store, 0);
	assert_err_ok(archive_read(p->archive, &bytes, &key, 100));
	assert_err_ok(buf_append(&bytes, "", 1, 100));
	number = (unsigned)strtoul((const char *)bytes.data, NULL, 10);
	buf_release(&bytes);
	return number;
}

/* The message with an id, if the archive has it. */
static bool
read_message(const struct person *p, struct post_message *m, uint64_t id)
{
	struct post_write key;
	struct buf bytes;
	enum err e;

	buf_init(&bytes);
	post_key_message(&key, id);
	e = archive_read(p->archive, &bytes, &key, 65536);
	if (e == ERR_OK)
		e = post_message_decode(m, bytes.data, bytes.len);
	buf_release(&bytes);
	assert_true(e == ERR_OK || e == ERR_NOT_FOUND);
	return e == ERR_OK;
}

unsigned
person_heard(const struct person *p)
{
	uint64_t last = post_last_message(client_post(p->client));
	struct post_message m;
	unsigned n = 0;

	for (uint64_t id = 1; id <= last; id++)
		n += read_message(p, &m, id) && m.incoming && !m.file;
	return n;
}

void
person_check_order(struct person_reading *r, const struct person *p, const struct person *peer)
{
	uint64_t last = post_last_message(client_post(p->client));
	struct post_message m;

	if (r->starts != p->starts) /* what was not durable is gone, its number is another's */
		*r = (struct person_reading){.next = 1, .starts = p->starts};
	for (; r->next <= last; r->next++) {
		unsigned number;

		if (!read_message(p, &m, r->next))
			return; /* not yet durable */
		if (!m.incoming || m.file)
			continue;
		number = read_number(p, &m);
		assert_true(number < peer->said);
		assert_true((int64_t)number >= r->last);
		r->last = (int64_t)number + 1;
		r->heard++;
	}
}

void
person_check_heard(const struct person *p, const struct person *peer)
{
	uint64_t last = post_last_message(client_post(p->client));
	bool heard[PERSON_TEXTS_MAX] = {false};
	struct post_message m;
	int64_t before = -1;

	for (uint64_t id = 1; id <= last; id++) {
		unsigned number;

		if (!read_message(p, &m, id) || !m.incoming || m.file)
			continue;
		number = read_number(p, &m);
		assert_true(number < peer->said);
		assert_true((int64_t)number > before); /* in order, none twice */
		before = number;
		heard[number] = true;
	}
	for (unsigned i = 0; i < peer->said; i++)
		assert_true(heard[i] || !peer->promised[i]);
}

/* ---- files ---- */

static void
write_chunks(struct person *p, uint64_t message, const uint8_t *bytes, size_t n)
{
	size_t chunk = post_chunk_bytes(client_post(p->client));
	uint32_t fragment = 1;

	for (size_t at = 0; at < n; at += chunk) {
		struct post_write *w = calloc(1, sizeof(*w));

		assert_non_null(w);
		post_key_out(w, message, fragment++);
		w->len = n - at < chunk ? n - at : chunk;
		w->data = malloc(w->len);
		assert_non_null(w->data);
		memcpy(w->data, bytes + at, w->len);
		assert_err_ok(client_write(p->client, w, 1, nothing, NULL));
	}
}

uint64_t
person_send_file(struct person *p, const uint8_t *bytes, size_t n)
{
	int64_t now = world_now_ms(p->fixture->world);
	struct post_contact c;
	uint64_t message;
	uint8_t hash[32];

	person_contact(p, &c);
	crypto_generichash(hash, sizeof(hash), bytes, n, NULL, 0);
	assert_err_ok(
	    post_file_begin(client_post(p->client), &message, c.id, "file.bin", n, now, NULL));
	write_chunks(p, message, bytes, n);
	assert_err_ok(post_file_commit(client_post(p->client), message, hash, NULL));
	assert_err_ok(client_commit(p->client, nothing, NULL));
	return message;
}

static void
read_file(const struct person *p, struct buf *out, const struct post_message *m)
{
	for (uint32_t i = 1; i < m->of; i++) {
		struct post_write key;

		post_key_in(&key, m->store, i);
		assert_err_ok(archive_read(p->archive, out, &key, 65536));
	}
}

bool
person_received_file(const struct person *p, struct buf *out, struct post_message *m)
{
	uint64_t last = person_runs(p) ? post_last_message(client_post(p->client)) : 0;

	for (uint64_t id = 1; id <= last; id++) {
		if (read_message(p, m, id) && m->incoming && m->file && m->done == m->of) {
			read_file(p, out, m);
			return true;
		}
	}
	return false;
}
