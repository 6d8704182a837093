#include "config.h"

#include "tests/scenario/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/inbox.h"
#include "client-lib/outbox.h"
#include "common/base/bytes.h"
#include "common/charter/path.h"
#include "common/net/link.h"
#include "gateway/journal.h"
#include "mix/links.h"
#include "tests/lib/test.h"

#define PACKETS 1024 /* that are remembered: many more than are under way */
#define SEALS 4096
#define HELD_MAX 256
#define LINKS_MAX 64
#define NOBODY UINT32_MAX
#define TOO_MANY 10000 /* frames: more than any queue takes */

struct made {
	uint64_t head;	 /* of the packet */
	uint8_t digest[BLOCK_DIGEST_BYTES]; /* of its record, if it has one */
	uint32_t who, epoch;
};

struct held {
	struct links *links;
	uint16_t to;
	uint32_t epoch;
	uint8_t *packet;
};

static struct {
	struct crowd *crowd; /* NULL: none */
	size_t packet_bytes;
	struct made made[PACKETS];
	size_t made_count;
	struct held held[HELD_MAX];
	size_t held_count;
	struct {
		const struct link *link;
		uint32_t who;
	} links[LINKS_MAX];
	size_t link_count;
	struct {
		uint8_t digest[BLOCK_DIGEST_BYTES];
		uint64_t record;
	} seals[SEALS]; /* a ring: what seals the same */
	size_t seal_count;
	uint32_t sender;	/* whose packet came up in ... */
	uint64_t sender_event;	/* ... this event of the world */
} scene;

/* ---- what is wrapped ---- */

enum err __real_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);
enum err __wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys);
enum err __real_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __real_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record);
enum err __wrap_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record);
size_t __real_link_unsent_frames(const struct link *l);
size_t __wrap_link_unsent_frames(const struct link *l);
void __real_outbox_sealing_made(struct outbox_sealing *s,
    const uint8_t digest[static BLOCK_DIGEST_BYTES], const struct outbox_times *t,
    const struct rng *r);
void __wrap_outbox_sealing_made(struct outbox_sealing *s,
    const uint8_t digest[static BLOCK_DIGEST_BYTES], const struct outbox_times *t,
    const struct rng *r);
void __real_inbox_owe(struct inbox *in, const struct params *p, const struct rng *r,
    int64_t now_ms);
void __wrap_inbox_owe(struct inbox *in, const struct params *p, const struct rng *r,
    int64_t now_ms);
enum path_time __real_path_time_in(const struct params *p, uint32_t epoch, int64_t wall_ms);
enum path_time __wrap_path_time_in(const struct params *p, uint32_t epoch, int64_t wall_ms);

static bool
is_weak(enum crowd_weakness w)
{
	return scene.crowd != NULL && (scene.crowd->weakness & w) != 0;
}

/* ---- who made it ---- */

static uint32_t
person_of(const struct rng *r)
{
	for (uint32_t i = 0; i < scene.crowd->count; i++)
		if (r == &scene.crowd->people[i].rng.rng)
			return i;
	return NOBODY;
}

enum err
__wrap_path_packet(uint8_t *out, const struct path *p, const struct sheet *s,
    const struct params *params, const struct onion_command *command, const struct rng *r,
    const struct rng *keys)
{
	enum err e = __real_path_packet(out, p, s, params, command, r, keys);
	uint32_t who = scene.crowd != NULL ? person_of(r) : NOBODY;
	struct made *m = &scene.made[scene.made_count % PACKETS];

	if (e != ERR_OK || who == NOBODY)
		return e;
	scene.made_count++;
	*m = (struct made){.head = load_u64(out), .who = who, .epoch = s->epoch};
	if (command->kind == ONION_DEPOSIT)
		block_record_digest(m->digest, command->body, params->record_size);
	return ERR_OK;
}

static uint32_t
sender_of(const uint8_t *packet)
{
	for (size_t i = 0; i < PACKETS; i++)
		if (scene.made[i].head == load_u64(packet) && scene.made[i].epoch != 0)
			return scene.made[i].who;
	return NOBODY;
}

/* ---- at the door ---- */

static bool
is_first_mix(uint16_t to)
{
	const struct charter_node *n = charter_node(scene.crowd->f.network->charter, to);

	return n != NULL && n->role == CHARTER_MIX && n->layer == 0;
}

static void
hold(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	struct held *h = &scene.held[scene.held_count++];

	assert_true(scene.held_count < HELD_MAX);
	*h = (struct held){.links = k, .to = to, .epoch = epoch};
	h->packet = malloc(scene.packet_bytes);
	assert_non_null(h->packet);
	memcpy(h->packet, packet, scene.packet_bytes);
}

void
crowd_let_go(struct crowd *c)
{
	(void)c;
	for (size_t i = 0; i < scene.held_count; i++) {
		struct held *h = &scene.held[i];

		assert_err_ok(__real_links_send_packet(h->links, h->to, h->epoch, h->packet));
		free(h->packet);
	}
	scene.held_count = 0;
}

enum err
__wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	const struct crowd_attack *a = scene.crowd != NULL ? &scene.crowd->attack : NULL;
	enum crowd_verdict v = CROWD_PASS;
	uint32_t who = NOBODY;

	if (a != NULL && is_first_mix(to))
		who = sender_of(packet);
	if (who != NOBODY) {
		scene.sender = who;
		scene.sender_event = world_event_count(scene.crowd->f.world);
	}
	if (a != NULL && is_first_mix(to) && a->packet != NULL)
		v = a->packet(a->arg, who != NOBODY ? who : CROWD_MIX);
	if (v == CROWD_HOLD)
		hold(k, to, epoch, packet);
	return v == CROWD_PASS ? __real_links_send_packet(k, to, epoch, packet) : ERR_OK;
}

/* ---- what seals the same ---- */

/* The first sealing names the record. */
static uint64_t
record_of(const uint8_t digest[static BLOCK_DIGEST_BYTES])
{
	for (size_t i = 0; i < SEALS; i++)
		if (memcmp(scene.seals[i].digest, digest, BLOCK_DIGEST_BYTES) == 0)
			return scene.seals[i].record;
	return load_u64(digest);
}

static void
note_seal(const struct outbox_sealing *s, const uint8_t digest[static BLOCK_DIGEST_BYTES])
{
	size_t i = scene.seal_count++ % SEALS;
	uint64_t record = load_u64(digest);

	if (s->count > 0)
		record = record_of(s->digests[(s->count - 1) % OUTBOX_DIGESTS]);
	memcpy(scene.seals[i].digest, digest, BLOCK_DIGEST_BYTES);
	scene.seals[i].record = record;
}

/* ---- at the exit ---- */

static enum err
garble(struct journal *j, uint16_t mailbox, const uint8_t digest[static BLOCK_DIGEST_BYTES])
{
	uint8_t garbage[ONION_RECORD_MAX];
	enum err e = journal_note(j, digest);

	rng_bytes(test_rng(), garbage, sizeof(garbage));
	return e == ERR_OK ? __real_journal_deposit(j, mailbox, garbage) : e;
}

enum err
__wrap_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record)
{
	const struct crowd_attack *a = scene.crowd != NULL ? &scene.crowd->attack : NULL;
	uint8_t digest[BLOCK_DIGEST_BYTES];
	const struct made *m = NULL;

	if (a == NULL || a->deposit == NULL)
		return __real_journal_deposit(j, mailbox, record);
	block_record_digest(digest, record, scene.crowd->f.params->record_size);
	for (size_t i = 0; i < PACKETS && m == NULL; i++)
		if (memcmp(scene.made[i].digest, digest, sizeof(digest)) == 0)
			m = &scene.made[i];
	if (m == NULL)
		return __real_journal_deposit(j, mailbox, record);
	switch (a->deposit(a->arg, m->who, m->epoch, record_of(digest))) {
	case CROWD_WRITTEN:
		break;
	case CROWD_WITHHELD:
		return ERR_OK;
	case CROWD_GARBLED:
		return garble(j, mailbox, digest);
	}
	return __real_journal_deposit(j, mailbox, record);
}

/* ---- on the way down ---- */

/*
 * A session is asked for its queue after a packet of it has gone on, in the same event:
 * that is how the attack knows whose it is. A full queue is what stalls it.
 */
size_t
__wrap_link_unsent_frames(const struct link *l)
{
	size_t i = 0;

	if (scene.crowd == NULL)
		return __real_link_unsent_frames(l);
	while (i < LINKS_MAX && scene.links[i].link != l)
		i++;
	if (scene.sender != NOBODY &&
	    scene.sender_event == world_event_count(scene.crowd->f.world)) {
		if (i == LINKS_MAX)
			i = scene.link_count++ % LINKS_MAX;
		scene.links[i].link = l;
		scene.links[i].who = scene.sender;
	}
	scene.sender = NOBODY;
	if (i < LINKS_MAX && scene.crowd->stalled[scene.links[i].who])
		return TOO_MANY;
	return __real_link_unsent_frames(l);
}

/* ---- controls ---- */

void
__wrap_outbox_sealing_made(struct outbox_sealing *s,
    const uint8_t digest[static BLOCK_DIGEST_BYTES], const struct outbox_times *t,
    const struct rng *r)
{
	if (scene.crowd != NULL)
		note_seal(s, digest);
	__real_outbox_sealing_made(s, digest, t, r);
	if (is_weak(CROWD_RESEALS_ON_TIME)) {
		s->wait_ms = 2 * t->forecast_ms;
		s->backoff_ms = 0;
	}
}

void
__wrap_inbox_owe(struct inbox *in, const struct params *p, const struct rng *r, int64_t now_ms)
{
	__real_inbox_owe(in, p, r, now_ms);
	if (is_weak(CROWD_ANSWERS_AT_ONCE))
		in->ack_due_ms = now_ms;
}

enum path_time
__wrap_path_time_in(const struct params *p, uint32_t epoch, int64_t wall_ms)
{
	enum path_time t = __real_path_time_in(p, epoch, wall_ms);

	return t == PATH_COVER_ONLY && is_weak(CROWD_WRITES_AT_TURNS) ? PATH_OPEN : t;
}

/* ---- the crowd ---- */

uint64_t
crowd_stops(const struct crowd *c)
{
	struct mix_status s;
	uint64_t n = 0;

	for (size_t i = 0; i < c->f.node_count; i++)
		if (c->f.nodes[i].mix != NULL) {
			mix_get_status(c->f.nodes[i].mix, &s);
			n += s.heartbeat.stops;
		}
	return n;
}

bool
crowd_mixes_run(void *crowd)
{
	const struct crowd *c = crowd;
	struct mix_status s;

	for (size_t i = 0; i < c->f.node_count; i++)
		if (c->f.nodes[i].mix != NULL) {
			mix_get_status(c->f.nodes[i].mix, &s);
			if (s.heartbeat.state != HEARTBEAT_RUNS)
				return false;
		}
	return true;
}

int64_t
crowd_now(const struct crowd *c)
{
	return world_now_ms(c->f.world);
}

static bool
all_verified(void *arg)
{
	struct crowd *c = arg;
	struct client_status s;

	for (unsigned i = 0; i < c->count; i++) {
		client_status(c->people[i].client, &s);
		if (!s.verified)
			return false;
	}
	return true;
}

void
crowd_begin(struct crowd *c, unsigned count, unsigned weakness, const struct params *params)
{
	memset(c, 0, sizeof(*c));
	c->count = count;
	c->weakness = weakness;
	memset(&scene, 0, sizeof(scene));
	scene.sender = NOBODY;
	fixture_new(&c->f,
	    &(struct fixture_config){.seed = rng_u64(test_rng()), .params = params});
	scene.crowd = c;
	scene.packet_bytes = params_up_frame_bytes(c->f.params) - 8;
	fixture_run_for(&c->f, MINUTE_MS);
	for (unsigned i = 0; i < count; i++)
		person_new(&c->people[i], &c->f);
	fixture_run_until_true(&c->f, all_verified, c, 30 * MINUTE_MS);
}

void
crowd_end(struct crowd *c)
{
	for (size_t i = 0; i < scene.held_count; i++)
		free(scene.held[i].packet);
	for (unsigned i = 0; i < c->count; i++)
		person_free(&c->people[i]);
	fixture_free(&c->f);
	memset(&scene, 0, sizeof(scene));
}

/* All contacts of everybody are established: the inviters heard from have been answered. */
static bool
all_met(void *arg)
{
	struct crowd *c = arg;
	struct post_contact contact;

	for (unsigned i = 0; i < c->count; i++) {
		struct post *p = client_post(c->people[i].client);

		for (size_t k = 0; k < post_contact_count(p); k++) {
			post_contact_at(p, k, &contact);
			if (contact.state != POST_ESTABLISHED || contact.queued > 0 ||
			    contact.unacknowledged > 0)
				return false;
		}
	}
	return true;
}

void
crowd_pair(struct crowd *c)
{
	unsigned half = c->count / 2;

	for (unsigned i = 0; i < half; i++)
		person_meet(&c->people[i], &c->people[i + half]);
	fixture_run_for(&c->f, 10 * MINUTE_MS);
	for (unsigned i = 0; i < half; i++)
		crowd_say(c, i);
	fixture_run_until_true(&c->f, all_met, c, 6 * HOUR_MS);
	fixture_run_for(&c->f, 2 * HOUR_MS); /* acknowledgements that go alone */
}

static void
nothing(void *arg, enum err e)
{
	(void)arg;
	(void)e;
}

void
crowd_say(struct crowd *c, unsigned who)
{
	struct client *client = c->people[who].client;
	struct post_contact to;
	uint64_t id;

	post_contact_at(client_post(client), 0, &to);
	assert_err_ok(post_send_text(client_post(client), &id, to.id, "a word", 6, crowd_now(c),
	    NULL));
	assert_err_ok(client_commit(client, nothing, NULL));
}
