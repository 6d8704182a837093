/*
 * A member that fetches, for registrar.sh:
 *
 *   registrar_client CHARTER SEEDS CODE WALLET FIRST COUNT
 *
 * SEEDS: a directory with a copy of the registrar's file `seeds`, for what the gateway
 * would publish. CODE: the enrolment code. WALLET: a number, another one for another
 * wallet. The batches of all epochs that there are keys for are counted through, tickets
 * first; COUNT of them are asked for from FIRST on, one line for each answer:
 *
 *   INDEX STATUS HASH          HASH: of all its tokens, which were verified and redeemed
 *
 * It dials again while nobody listens, and ends with 1 when the registrar hangs up.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "common/net/link.h"
#include "common/net/loop_event.h"
#include "common/token/issuance.h"
#include "mix/charterfile.h"
#include "registrar/seeds.h"

#define DIALS_MAX 400
#define DIAL_MS 25

struct client {
	struct loop *loop;
	struct timer *again;
	struct charter *charter;
	struct seeds seeds;
	uint8_t code[ENROLMENT_SECRET_BYTES], wallet[32];
	struct link *link;
	uint32_t index, end;
	unsigned dials;
	bool up;
	int result;
	struct issuance_request q;
	struct issuance_batch batch;
};

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "registrar_client: %s\n", what);
	exit(2);
}

/* ---- which batch an index is ---- */

static bool
place(struct client *c)
{
	const struct params *p = &c->charter->params;
	uint32_t tickets = allotment_batches(p, TOKEN_TICKET);
	uint32_t all = tickets + allotment_batches(p, TOKEN_STAMP), i = c->index % all;

	if (c->index >= c->end || c->index / all >= c->seeds.count)
		return false;
	c->q = (struct issuance_request){ .epoch = c->seeds.list[c->index / all].epoch,
		.kind = i < tickets ? TOKEN_TICKET : TOKEN_STAMP,
		.batch = i < tickets ? i : i - tickets };
	must(issuance_ask(&c->q, p, c->code, c->wallet) == ERR_OK, "nothing was asked");
	return true;
}

static void
finish(struct client *c, int result)
{
	c->result = result;
	loop_event_stop(c->loop);
}

static void
ask_next(struct client *c)
{
	static uint8_t frame[ISSUANCE_REQUEST_BYTES];

	if (!place(c)) {
		finish(c, 0);
		return;
	}
	issuance_request_encode(frame, &c->q);
	must(link_send(c->link, frame) == ERR_OK, "nothing was sent");
}

/* ---- what an answer is worth ---- */

static void
redeem(const struct client *c, const struct issuer *s)
{
	uint8_t proof[TOKEN_PROOF_BYTES], stamp[TOKEN_SPENT_BYTES], bytes[64] = { 1 };

	for (size_t i = 0; i < c->batch.n; i += 41) { /* some of them */
		if (c->q.kind == TOKEN_TICKET) {
			token_ticket_proof(proof, c->batch.output[i], bytes);
			must(issuer_redeem_ticket(s, allotment_hour(c->q.batch, i),
			    c->batch.nonce[i], proof, bytes) == ERR_OK, "a ticket is worthless");
		} else {
			memcpy(stamp, c->batch.nonce[i], TOKEN_NONCE_BYTES);
			token_stamp_proof(stamp + TOKEN_NONCE_BYTES, c->batch.output[i], bytes,
			    sizeof(bytes));
			must(issuer_redeem_stamp(s, stamp, bytes, sizeof(bytes)) == ERR_OK,
			    "a stamp is worthless");
		}
	}
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	static struct issuance_answer a;
	struct client *c = arg;
	const struct seed *seed = seeds_of(&c->seeds, c->q.epoch);
	char hex[ENCODE_HEX_SIZE(8)] = "-";
	uint8_t hash[HASH_BYTES];
	struct issuer *s;

	must(n == ISSUANCE_ANSWER_BYTES && issuance_answer_decode(&a, plain) == ERR_OK,
	    "an answer makes no sense");
	if (a.status == ISSUANCE_OK) {
		must(issuer_new(&s, &c->charter->params, c->q.epoch, seed->bytes) == ERR_OK,
		    "no keys");
		must(issuance_take(&c->batch, &c->q, &a, issuer_keys(s), &c->charter->params,
		    c->wallet) == ERR_OK, "an answer does not verify");
		redeem(c, s);
		hash_256(hash, c->batch.output, c->batch.n * sizeof(c->batch.output[0]));
		encode_hex(hex, hash, 8);
		issuer_free(s);
	}
	printf("%" PRIu32 " %d %s\n", c->index, (int)a.status, hex);
	(void)fflush(stdout);
	c->index++;
	ask_next(c);
}

/* ---- the link ---- */

static void
on_up(void *arg)
{
	struct client *c = arg;

	c->up = true;
	ask_next(c);
}

static void
on_down(void *arg, enum err why)
{
	struct client *c = arg;

	(void)why;
	link_free(c->link);
	c->link = NULL;
	if (c->up || c->dials >= DIALS_MAX)
		finish(c, 1);
	else
		timer_after(c->again, DIAL_MS);
}

static void
dial(void *arg)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame,
		.down = on_down };
	struct client *c = arg;
	const struct charter_node *r = charter_registrar(c->charter);
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = r->link,
		.send_bytes = ISSUANCE_REQUEST_BYTES,
		.receive_bytes = ISSUANCE_ANSWER_BYTES,
		.out_frames_max = 2,
		.handshake_ms = 20000,
		.keys = rng_system() };

	c->dials++;
	memcpy(cfg.network_id, c->charter->network_id, sizeof(cfg.network_id));
	must(link_dial(&c->link, c->loop, r->entrance, &cfg, &events, c) == ERR_OK, "no link");
}

int
main(int argc, char **argv)
{
	static struct client c;
	struct diag d = { "" };
	struct disk *disk;

	must(argc == 7, "CHARTER SEEDS CODE WALLET FIRST COUNT");
	must(secret_setup() == ERR_OK && loop_event_new(&c.loop, NULL) == ERR_OK, "no loop");
	must(charterfile_load(&c.charter, argv[1], &d) == ERR_OK, d.text);
	must(disk_open(&disk, argv[2], &d) == ERR_OK, d.text);
	must(seeds_load(&c.seeds, disk, &d) == ERR_OK && c.seeds.count > 0, "no seeds");
	must(enrolment_decode(c.code, argv[3], c.charter->network_id, &d) == ERR_OK, d.text);
	c.wallet[0] = (uint8_t)atoi(argv[4]);
	c.index = (uint32_t)atoi(argv[5]);
	c.end = c.index + (uint32_t)atoi(argv[6]);
	c.again = timer_new(c.loop, dial, &c);
	must(c.again != NULL, "no timer");
	disk_free(disk);
	dial(&c);
	loop_event_run(c.loop);
	link_free(c.link);
	timer_free(c.again);
	loop_event_free(c.loop);
	charter_free(c.charter);
	return c.result;
}
