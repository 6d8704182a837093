#include "config.h"

#include <sodium.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/crypto/onion.h"
#include "tests/vectors/vectors.h"

/* What becomes of a packet, as tests/reference/onion.py numbers it. */
enum outcome { OPENED, POINT, AEAD, RESERVED, COMMAND };

struct packet_case {
	struct onion_geometry g;
	uint32_t epoch;
	uint8_t sheet_hash[32];
	struct onion_hop hops[ONION_HOPS_MAX];
	uint8_t sk[ONION_HOPS_MAX][32], ephemeral[ONION_HOPS_MAX][32];
	uint8_t tag[ONION_HOPS_MAX][ONION_REPLAY_TAG_BYTES];
	uint8_t command[68 + ONION_RECORD_MAX], packet[ONION_PACKET_MAX];
	enum outcome outcome;
	unsigned at;
};

/* Hands out the ephemeral keys of a case in the order of the hops. */
struct ephemerals {
	struct rng rng;
	const struct packet_case *c;
	size_t next;
};

static void
next_ephemeral(void *ctx, void *out, size_t n)
{
	struct ephemerals *e = ctx;

	memset(out, 0, n);
	if (n == 32 && e->next < ONION_HOPS_MAX)
		memcpy(out, e->c->ephemeral[e->next++], n);
}

static struct onion_node_key
node_key(const struct packet_case *c, unsigned layer)
{
	struct onion_node_key k = { .epoch = c->epoch, .layer = (uint8_t)layer, .sk = c->sk[layer] };

	memcpy(k.pk, c->hops[layer].pk, sizeof(k.pk));
	memcpy(k.sheet_hash, c->sheet_hash, sizeof(k.sheet_hash));
	return k;
}

static enum err
build(uint8_t *packet, const struct packet_case *c, const struct onion_command *command)
{
	struct ephemerals e = { .rng = { .fill = next_ephemeral }, .c = c };

	e.rng.ctx = &e;
	return onion_build(packet, &c->g, c->epoch, c->sheet_hash, c->hops, command, &e.rng);
}

/* ---- checking ---- */

static void
read_case(struct vectors *v, struct packet_case *c)
{
	unsigned hops;

	memset(c, 0, sizeof(*c));
	c->g.record_size = (uint16_t)vectors_u64(v, "record-size", ONION_RECORD_MAX);
	c->epoch = (uint32_t)vectors_u64(v, "epoch", UINT32_MAX);
	vectors_bytes(v, c->sheet_hash, sizeof(c->sheet_hash), "sheet-hash");
	hops = (unsigned)vectors_u64(v, "hops", ONION_HOPS_MAX);
	vectors_must(v, hops >= 2, "too few hops");
	c->g.layers = (uint8_t)(hops - 1);
	vectors_must(v, onion_geometry_check(&c->g) == ERR_OK, "no such geometry");
	for (unsigned i = 0; i < hops; i++) {
		c->hops[i].node = (uint16_t)vectors_u64(v, "node", UINT16_MAX);
		c->hops[i].delay_ms = (uint32_t)vectors_u64(v, "delay-ms", UINT32_MAX);
		vectors_bytes(v, c->sk[i], sizeof(c->sk[i]), "secret-key");
		vectors_bytes(v, c->ephemeral[i], sizeof(c->ephemeral[i]), "ephemeral");
		vectors_bytes(v, c->tag[i], sizeof(c->tag[i]), "replay-tag");
		(void)crypto_scalarmult_base(c->hops[i].pk, c->sk[i]);
	}
	vectors_bytes(v, c->command, onion_command_bytes(&c->g), "command");
	vectors_bytes(v, c->packet, onion_packet_bytes(&c->g, 0), "packet");
	c->outcome = (enum outcome)vectors_u64(v, "verdict", COMMAND);
	c->at = (unsigned)vectors_u64(v, "verdict-layer", c->g.layers);
}

static enum outcome
outcome_of(enum onion_verdict verdict)
{
	switch (verdict) {
	case ONION_OPENED:
		return OPENED;
	case ONION_BAD_POINT:
		return POINT;
	case ONION_BAD_RESERVED:
		return RESERVED;
	case ONION_PENDING:
	case ONION_FORGOTTEN:
	case ONION_BAD_AEAD:
		break;
	}
	return AEAD;
}

/* Open one layer; job->packet becomes what remains. */
static enum outcome
pass_hop(struct vectors *v, const struct packet_case *c, struct onion_job *job, unsigned layer)
{
	struct onion_node_key key = node_key(c, layer);

	onion_derive(job, 1, &c->g, &key);
	onion_open(job, 1, &c->g, &key);
	if (job->verdict != ONION_OPENED)
		return outcome_of(job->verdict);
	vectors_same(v, job->tag, c->tag[layer], sizeof(job->tag), "the replay tag");
	if (layer < c->g.layers)
		vectors_must(v, job->next_node == c->hops[layer + 1].node &&
			job->delay_ms == c->hops[layer].delay_ms, "the route differs");
	job->packet = job->inner;
	return OPENED;
}

/* Build the packet anew; a command that does not parse is not built. */
static void
check_build(struct vectors *v, const struct packet_case *c, const struct onion_command *command)
{
	static uint8_t packet[ONION_PACKET_MAX];

	vectors_must(v, build(packet, c, command) == ERR_OK, "not built");
	vectors_same(v, packet, c->packet, onion_packet_bytes(&c->g, 0), "the packet");
}

static void
check_case(struct vectors *v, const struct packet_case *c)
{
	static uint8_t packet[ONION_PACKET_MAX];
	struct onion_command command;
	struct onion_job job = { .packet = packet };
	enum outcome outcome = OPENED;
	unsigned layer = 0;

	memcpy(packet, c->packet, sizeof(packet));
	while ((outcome = pass_hop(v, c, &job, layer)) == OPENED && layer < c->g.layers)
		layer++;
	if (outcome == OPENED) {
		vectors_same(v, job.inner, c->command, onion_command_bytes(&c->g), "the command");
		if (onion_command_parse(&command, &c->g, job.inner) != ERR_OK)
			outcome = COMMAND;
		else
			check_build(v, c, &command);
	}
	vectors_must(v, outcome == c->outcome && layer == c->at, "the verdict differs");
}

void
onion_vectors_check(struct vectors *v)
{
	static struct packet_case c;
	unsigned seen[COMMAND + 1] = { 0 };

	while (vectors_more(v)) {
		read_case(v, &c);
		check_case(v, &c);
		seen[c.outcome]++;
	}
	vectors_must(v, seen[OPENED] > 0, "no packet that opens");
}

/* ---- making ---- */

static void
write_case(const char *text, const struct packet_case *c)
{
	vectors_put_case(text);
	vectors_put_u64("record-size", c->g.record_size);
	vectors_put_u64("epoch", c->epoch);
	vectors_put_bytes("sheet-hash", c->sheet_hash, sizeof(c->sheet_hash));
	vectors_put_u64("hops", c->g.layers + 1u);
	for (unsigned i = 0; i <= c->g.layers; i++) {
		vectors_put_u64("node", c->hops[i].node);
		vectors_put_u64("delay-ms", c->hops[i].delay_ms);
		vectors_put_bytes("secret-key", c->sk[i], sizeof(c->sk[i]));
		vectors_put_bytes("ephemeral", c->ephemeral[i], sizeof(c->ephemeral[i]));
		vectors_put_bytes("replay-tag", c->tag[i], sizeof(c->tag[i]));
	}
	vectors_put_bytes("command", c->command, onion_command_bytes(&c->g));
	vectors_put_bytes("packet", c->packet, onion_packet_bytes(&c->g, 0));
	vectors_put_u64("verdict", c->outcome);
	vectors_put_u64("verdict-layer", c->at);
}

static void
draw_path(struct packet_case *c, const struct rng *r, uint16_t record_size, uint8_t layers)
{
	memset(c, 0, sizeof(*c));
	c->g = (struct onion_geometry){ .record_size = record_size, .layers = layers };
	c->epoch = (uint32_t)rng_u64(r);
	rng_bytes(r, c->sheet_hash, sizeof(c->sheet_hash));
	for (unsigned i = 0; i <= layers; i++) {
		c->hops[i].node = (uint16_t)rng_u64(r);
		c->hops[i].delay_ms = (uint32_t)rng_u64(r);
		rng_bytes(r, c->sk[i], sizeof(c->sk[i]));
		rng_bytes(r, c->ephemeral[i], sizeof(c->ephemeral[i]));
		(void)crypto_scalarmult_base(c->hops[i].pk, c->sk[i]);
	}
	c->at = layers;
}

/* Replay tags and the command as it stands in the packet, by taking it apart. */
static void
take_apart(struct packet_case *c)
{
	static uint8_t packet[ONION_PACKET_MAX];
	struct onion_job job = { .packet = packet };

	memcpy(packet, c->packet, sizeof(packet));
	for (unsigned i = 0; i <= c->g.layers; i++) {
		struct onion_node_key key = node_key(c, i);

		onion_derive(&job, 1, &c->g, &key);
		onion_open(&job, 1, &c->g, &key);
		memcpy(c->tag[i], job.tag, sizeof(c->tag[i]));
		job.packet = job.inner;
	}
	memcpy(c->command, job.inner, onion_command_bytes(&c->g));
}

static void
make_packet(const char *text, const struct rng *r, enum onion_kind kind, uint16_t record_size,
    uint8_t layers)
{
	static struct packet_case c;
	static uint8_t body[ONION_RECORD_MAX];
	struct onion_command command = { .kind = kind, .body = body };

	draw_path(&c, r, record_size, layers);
	memset(body, 0, sizeof(body));
	if (kind == ONION_DEPOSIT) {
		command.mailbox = (uint16_t)rng_u64(r);
		rng_bytes(r, command.stamp, sizeof(command.stamp));
		rng_bytes(r, body, record_size);
	} else if (kind == ONION_NOTE) {
		rng_bytes(r, body, 8);
	}
	if (build(c.packet, &c, &command) != ERR_OK)
		return;
	take_apart(&c);
	write_case(text, &c);
}

void
onion_vectors_make(void)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 4380);
	make_packet("a drop", &r.rng, ONION_DROP, 1024, 2);
	make_packet("a note", &r.rng, ONION_NOTE, 1024, 3);
	make_packet("a deposit at the defaults", &r.rng, ONION_DEPOSIT, 4096, 3);
	make_packet("a deposit through one mix", &r.rng, ONION_DEPOSIT, 1025, 1);
	make_packet("a note through eight", &r.rng, ONION_NOTE, 2000, 8);
}
