/*
 * Writes the seeds of the charter, sheet, evidence, token and wallet corpora, always the same ones:
 *
 *   seeds_charter tests/fuzz/corpus
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/nodeline.h"
#include "common/journal/block.h"
#include "common/journal/evidence.h"
#include "common/token/issuance.h"
#include "common/token/notice.h"
#include "common/token/wallet.h"
#include "tests/lib/network.h"

#define EPOCH 83124

static const char *corpus;

static void
write_seed(const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", corpus, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void
must(enum err e)
{
	if (e != ERR_OK)
		abort();
}

/* Signed by two, by three, by nobody; the successor; a node's line. */
static void
write_charters(void)
{
	struct network_config cfg = { .seed = 2, .mixes_per_layer = 1 };
	struct network *n = network_new(&cfg);
	struct charter *next;
	char line[NODELINE_BYTES];
	struct buf text;

	write_seed("charter/two", n->text.data, n->text.len);
	buf_init(&text);
	must(charter_print(&text, n->charter));
	write_seed("charter/draft", text.data, text.len);
	buf_release(&text);
	must(charter_successor(&next, n->charter, EPOCH));
	for (size_t i = 0; i < NETWORK_AUTHORITIES; i++)
		must(charter_sign(next, n->authority_sk[i]));
	must(charter_print_signed(&text, next));
	write_seed("charter/next", text.data, text.len);
	buf_release(&text);
	nodeline_print(line, &n->charter->nodes[0]);
	write_seed("charter/mix-line", line, strlen(line));
	nodeline_print(line, charter_gateway(n->charter));
	write_seed("charter/gateway-line", line, strlen(line));
	charter_free(next);
	network_free(n);
}

/* With a registrar, and its line. */
static void
write_registrar(void)
{
	struct network_config cfg = { .seed = 2, .mixes_per_layer = 1, .registrar = true };
	struct network *n = network_new(&cfg);
	char line[NODELINE_BYTES];

	write_seed("charter/registrar", n->text.data, n->text.len);
	nodeline_print(line, charter_registrar(n->charter));
	write_seed("charter/registrar-line", line, strlen(line));
	network_free(n);
}

/* The network of fuzz_sheet.c: whole, and without one mix. */
static void
write_sheets(void)
{
	struct params p;
	struct network_config cfg = { .seed = 1, .params = &p, .mixes_per_layer = 2 };
	struct network_epoch *e;
	struct network *n;
	struct buf text;

	params_default(&p);
	p.layers = 1;
	n = network_new(&cfg);
	e = network_epoch_new(n, EPOCH);
	buf_init(&text);
	must(sheet_encode(&text, e->sheet));
	write_seed("sheet/whole", text.data, text.len);
	buf_release(&text);
	e->sheet->count--;
	memmove(&e->sheet->nodes[1], &e->sheet->nodes[2], sizeof(e->sheet->nodes[1]));
	must(sheet_encode(&text, e->sheet));
	write_seed("sheet/one-mix", text.data, text.len);
	buf_release(&text);
	network_epoch_free(e);
	network_free(n);
}

static struct evidence_statement
said(const struct network *n, enum evidence_kind kind, uint64_t number, uint8_t salt)
{
	const uint8_t *sk = n->keys[network_index(n, charter_gateway(n->charter)->number)].identity_sk;
	struct evidence_statement s = { .kind = kind, .number = number, .hash = { salt } };
	struct block b = { .gateway = charter_gateway(n->charter)->number, .round = number,
		.epoch_block = kind == EVIDENCE_EPOCH_BLOCK, .hash = { salt } };
	struct sheet sheet = { .epoch = (uint32_t)number, .hash = { salt } };

	if (kind == EVIDENCE_SHEET)
		sheet_sign(s.signature, &sheet, b.gateway, n->charter->network_id, sk);
	else
		block_sign(s.signature, &b, n->charter->network_id, sk);
	return s;
}

/* One of each kind, of the network of the charters. */
static void
write_evidence(void)
{
	static const char *const names[] = { "evidence/blocks", "evidence/epoch-blocks",
		"evidence/sheets" };
	struct network_config cfg = { .seed = 2, .mixes_per_layer = 1 };
	struct network *n = network_new(&cfg);

	for (int kind = EVIDENCE_BLOCK; kind <= EVIDENCE_SHEET; kind++) {
		const struct evidence_statement a = said(n, (enum evidence_kind)kind, EPOCH, 1);
		const struct evidence_statement b = said(n, (enum evidence_kind)kind, EPOCH, 2);
		struct evidence e;
		struct buf text;

		buf_init(&text);
		must(evidence_make(&e, n->charter, &a, &b));
		must(evidence_encode(&text, &e));
		write_seed(names[kind], text.data, text.len);
		buf_release(&text);
	}
	network_free(n);
}

/* A kind's letter and its bytes. */
static void
write_token(const char *name, char letter, const void *p, size_t n)
{
	static char bytes[1 + ISSUANCE_ANSWER_BYTES];

	bytes[0] = letter;
	memcpy(bytes + 1, p, n);
	write_seed(name, bytes, 1 + n);
}

/* Of one batch, its question and two answers; the notice of its epoch; a code. */
static void
write_tokens(void)
{
	static struct issuance_request q = { .kind = TOKEN_TICKET, .epoch = EPOCH };
	static struct issuance_answer a;
	static uint8_t up[ISSUANCE_REQUEST_BYTES], down[ISSUANCE_ANSWER_BYTES];
	struct network_config cfg = { .seed = 2, .registrar = true };
	struct network *n = network_new(&cfg);
	const struct params *p = &n->charter->params;
	const uint8_t seed[32] = { 1 }, network[32] = { 0 };
	char code[ENROLMENT_TEXT_BYTES] = "";
	struct rng_seeded rng;
	struct notice notice;
	struct issuer *s;
	struct buf text;

	rng_seeded_init(&rng, 4);
	must(issuer_new(&s, p, EPOCH, seed));
	must(issuance_ask(&q, p, seed, seed));
	issuance_request_encode(up, &q);
	write_token("token/request", 'q', up, sizeof(up));
	issuance_serve(&a, s, &q, p, &rng.rng);
	issuance_answer_encode(down, &a);
	write_token("token/answer", 'a', down, sizeof(down));
	issuance_refuse(&a, ISSUANCE_CODE);
	issuance_answer_encode(down, &a);
	write_token("token/refusal", 'a', down, sizeof(down));
	notice.keys = *issuer_keys(s);
	buf_init(&text);
	must(notice_encode(&text, &notice, charter_gateway(n->charter)->number,
	    n->charter->network_id,
	    n->keys[network_index(n, charter_gateway(n->charter)->number)].identity_sk));
	write_token("token/notice", 'n', text.data, text.len);
	buf_release(&text);
	enrolment_encode(code, seed, network);
	write_token("token/code", 'c', code, strlen(code));
	issuer_free(s);
	network_free(n);
}

/* Both images of a wallet in one, as fuzz_wallet takes them. */
static void
write_images(const char *name, const struct wallet *w)
{
	struct buf tokens, marks, both;
	uint8_t len[4];

	buf_init(&tokens);
	buf_init(&marks);
	buf_init(&both);
	must(wallet_save(w, &tokens));
	must(wallet_save_marks(w, &marks));
	store_u32(len, (uint32_t)tokens.len);
	must(buf_append(&both, len, sizeof(len), SIZE_MAX));
	must(buf_append(&both, tokens.data, tokens.len, SIZE_MAX));
	must(buf_append(&both, marks.data, marks.len, SIZE_MAX));
	write_seed(name, both.data, both.len);
	buf_release(&tokens);
	buf_release(&marks);
	buf_release(&both);
}

/* Empty; with a few stamps of two epochs, one of them spent; with false keys. */
static void
write_wallets(void)
{
	static const uint8_t member[32] = { 1 }, seed[32] = { 2 }, notice[32] = { 3 }, other[32];
	static struct issuance_batch b = { .n = 3, .nonce = { { 4 } }, .output = { { 5 } } };
	struct issuance_request q = { .kind = TOKEN_STAMP, .epoch = EPOCH };
	struct wallet *w = wallet_new(member, seed);
	struct wallet_token t;
	struct params p;

	if (w == NULL)
		abort();
	params_default(&p);
	p.stamps = 3;
	wallet_set_first_hour(w, EPOCH * 6 + 1);
	write_images("wallet/empty", w);
	must(wallet_put(w, &p, &q, &b, notice));
	must(wallet_take(w, &t, TOKEN_STAMP, EPOCH, 0));
	q.epoch++;
	must(wallet_put(w, &p, &q, &b, notice));
	write_images("wallet/two", w);
	if (wallet_agree(w, EPOCH, other))
		abort();
	write_images("wallet/void", w);
	wallet_free(w);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: seeds_charter CORPUS\n", stderr);
		return 64;
	}
	corpus = argv[1];
	must(secret_setup());
	write_charters();
	write_registrar();
	write_sheets();
	write_evidence();
	write_tokens();
	write_wallets();
	return 0;
}
