#include "config.h"

#include "common/journal/evidence.h"

#include <string.h>

#include "common/charter/sheet.h"
#include "common/charter/timing.h"
#include "common/journal/block.h"
#include "common/token/notice.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define ROUND 170000000

static struct network *network, *stranger;

static int
set_up(void **state)
{
	const struct network_config cfg = { .seed = test_seed() }, other = { .seed = test_seed() + 1 };

	(void)state;
	network = network_new(&cfg);
	stranger = network_new(&other);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	network_free(network);
	network_free(stranger);
	return 0;
}

static const struct charter_node *
gateway(void)
{
	return charter_gateway(network->charter);
}

/* A notice whose stamp key begins with the salt. */
static void
say_notice(struct evidence_statement *s, uint16_t number, const uint8_t *sk, uint8_t salt)
{
	struct notice n = { .keys = { .epoch = (uint32_t)s->number, .hours = 1, .stamp = { salt } } };
	struct buf bytes;

	buf_init(&bytes);
	assert_err_ok(notice_encode(&bytes, &n, number, network->charter->network_id, sk));
	memcpy(s->hash, n.hash, sizeof(s->hash));
	memcpy(s->signature, n.signature, sizeof(s->signature));
	buf_release(&bytes);
}

/* A statement with the key of node, about this network. */
static struct evidence_statement
said_by(const struct network *n, uint16_t node, enum evidence_kind kind, uint64_t number,
    uint8_t salt)
{
	const uint8_t *sk = n->keys[network_index(n, node)].identity_sk;
	struct evidence_statement s = { .kind = kind, .number = number, .hash = { salt } };
	struct block b = { .gateway = gateway()->number, .round = number,
		.epoch_block = kind == EVIDENCE_EPOCH_BLOCK, .hash = { salt } };
	struct sheet sheet = { .epoch = (uint32_t)number, .hash = { salt } };

	if (kind == EVIDENCE_NOTICE)
		say_notice(&s, b.gateway, sk, salt);
	else if (kind == EVIDENCE_SHEET)
		sheet_sign(s.signature, &sheet, b.gateway, network->charter->network_id, sk);
	else
		block_sign(s.signature, &b, network->charter->network_id, sk);
	return s;
}

static struct evidence_statement
said(enum evidence_kind kind, uint64_t number, uint8_t salt)
{
	return said_by(network, gateway()->number, kind, number, salt);
}

static uint64_t
rounds(void)
{
	const struct params *p = &network->charter->params;

	return (uint64_t)(p->epoch_ms / p->round_ms);
}

static enum err
make(struct evidence *e, struct evidence_statement a, struct evidence_statement b)
{
	return evidence_make(e, network->charter, &a, &b);
}

static enum evidence_lie
proves(struct evidence_statement a, struct evidence_statement b)
{
	struct evidence e, turned;
	uint64_t number;

	assert_err_ok(make(&e, a, b));
	assert_err_ok(make(&turned, b, a)); /* nobody sees which was whose */
	assert_memory_equal(e.said, turned.said, sizeof(e.said));
	return evidence_lie(&e, &network->charter->params, &number);
}

static void
test_what_is_a_lie(void **state)
{
	const uint64_t first = ROUND / rounds() * rounds();
	struct evidence e;

	(void)state;
	assert_int_equal(proves(said(EVIDENCE_BLOCK, ROUND, 1), said(EVIDENCE_BLOCK, ROUND, 2)),
	    EVIDENCE_TWO_BLOCKS);
	assert_int_equal(proves(said(EVIDENCE_EPOCH_BLOCK, ROUND, 1),
	    said(EVIDENCE_BLOCK, ROUND, 2)), EVIDENCE_TWO_BLOCKS);
	assert_int_equal(proves(said(EVIDENCE_EPOCH_BLOCK, first, 1),
	    said(EVIDENCE_EPOCH_BLOCK, first + rounds() - 1, 2)), EVIDENCE_TWO_EPOCH_BLOCKS);
	assert_int_equal(proves(said(EVIDENCE_SHEET, 7, 1), said(EVIDENCE_SHEET, 7, 2)),
	    EVIDENCE_TWO_SHEETS);
	assert_int_equal(proves(said(EVIDENCE_NOTICE, 7, 1), said(EVIDENCE_NOTICE, 7, 2)),
	    EVIDENCE_TWO_NOTICES);
	assert_err(make(&e, said(EVIDENCE_NOTICE, 7, 1), said(EVIDENCE_NOTICE, 7, 1)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_NOTICE, 7, 1), said(EVIDENCE_NOTICE, 8, 2)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_NOTICE, 7, 1), said(EVIDENCE_SHEET, 7, 2)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_NOTICE, 7, 1), said(EVIDENCE_BLOCK, 7, 2)), ERR_STATE);
	/* the same twice, other rounds, other epochs, and things that have nothing in common */
	assert_err(make(&e, said(EVIDENCE_BLOCK, ROUND, 1), said(EVIDENCE_BLOCK, ROUND, 1)),
	    ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_SHEET, 7, 1), said(EVIDENCE_SHEET, 7, 1)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_BLOCK, ROUND, 1), said(EVIDENCE_BLOCK, ROUND + 1, 2)),
	    ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_EPOCH_BLOCK, first, 1),
	    said(EVIDENCE_BLOCK, first + 1, 2)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_EPOCH_BLOCK, first, 1),
	    said(EVIDENCE_EPOCH_BLOCK, first + rounds(), 2)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_SHEET, 7, 1), said(EVIDENCE_SHEET, 8, 2)), ERR_STATE);
	assert_err(make(&e, said(EVIDENCE_SHEET, 7, 1), said(EVIDENCE_BLOCK, 7, 2)), ERR_STATE);
}

static void
test_whose_word(void **state)
{
	struct evidence_statement a = said(EVIDENCE_SHEET, 7, 1), b = said(EVIDENCE_SHEET, 7, 2);
	struct evidence_statement wrong;
	struct diag d = { "" };
	struct evidence e;

	(void)state;
	assert_err(make(&e, a, said_by(network, 1, EVIDENCE_SHEET, 7, 2)), ERR_SIGNATURE); /* a mix */
	assert_err(make(&e, said_by(stranger, gateway()->number, EVIDENCE_SHEET, 7, 1), b),
	    ERR_SIGNATURE);
	/* a block is not to be passed off for an epoch block, nor for a sheet */
	wrong = said(EVIDENCE_BLOCK, ROUND, 2);
	wrong.kind = EVIDENCE_EPOCH_BLOCK;
	assert_err(make(&e, said(EVIDENCE_EPOCH_BLOCK, ROUND, 1), wrong), ERR_SIGNATURE);
	wrong = said(EVIDENCE_BLOCK, 7, 2);
	wrong.kind = EVIDENCE_SHEET;
	assert_err(make(&e, a, wrong), ERR_SIGNATURE);
	/* another network's charter, another gateway */
	assert_err_ok(make(&e, a, b));
	assert_err(evidence_verify(&e, stranger->charter, &d), ERR_STATE);
	assert_non_null(strstr(d.text, "another network"));
	e.gateway++;
	assert_err(evidence_verify(&e, network->charter, &d), ERR_NOT_FOUND);
	assert_non_null(strstr(d.text, "not the gateway"));
}

/* Two notices as a reader holds them, and their text. */
static void
test_notices(void **state)
{
	struct notice a = { .keys = { .epoch = 9, .hours = 2, .stamp = { 1 } } }, b = a;
	uint16_t number = gateway()->number;
	const uint8_t *sk = network->keys[network_index(network, number)].identity_sk;
	struct evidence e, again;
	struct buf bytes, text;
	uint64_t epoch;

	(void)state;
	buf_init(&bytes);
	buf_init(&text);
	b.keys.tickets[1][5] ^= 1;
	assert_err_ok(notice_encode(&bytes, &a, number, network->charter->network_id, sk));
	assert_err_ok(notice_encode(&bytes, &b, number, network->charter->network_id, sk));
	assert_err(evidence_of_notices(&e, network->charter, &a, &a), ERR_STATE);
	assert_err_ok(evidence_of_notices(&e, network->charter, &a, &b));
	assert_err_ok(evidence_encode(&text, &e));
	assert_err_ok(evidence_parse(&again, text.data, text.len, NULL));
	assert_err_ok(evidence_verify(&again, network->charter, NULL));
	assert_int_equal(evidence_lie(&again, &network->charter->params, &epoch),
	    EVIDENCE_TWO_NOTICES);
	assert_int_equal(epoch, 9);
	assert_int_equal(evidence_about(&again), EVIDENCE_ABOUT_NOTICES);
	b.signature[0] ^= 1;
	assert_err(evidence_of_notices(&e, network->charter, &a, &b), ERR_SIGNATURE);
	buf_release(&bytes);
	buf_release(&text);
}

/* Which statement fails is said. */
static void
test_which_part(void **state)
{
	struct diag d = { "" };
	struct evidence e;

	(void)state;
	assert_err_ok(make(&e, said(EVIDENCE_SHEET, 7, 1), said(EVIDENCE_SHEET, 7, 2)));
	e.said[1].signature[9] ^= 1;
	assert_err(evidence_verify(&e, network->charter, &d), ERR_SIGNATURE);
	assert_non_null(strstr(d.text, "second"));
	e.said[0].hash[9] ^= 1;
	assert_err(evidence_verify(&e, network->charter, &d), ERR_SIGNATURE);
	assert_non_null(strstr(d.text, "first"));
	e.said[0] = e.said[1];
	assert_err(evidence_verify(&e, network->charter, &d), ERR_STATE);
	assert_non_null(strstr(d.text, "contradict"));
}

static void
text_of(struct buf *out, enum evidence_kind kind, uint64_t number)
{
	struct evidence e;

	buf_init(out);
	assert_err_ok(make(&e, said(kind, number, 1), said(kind, number, 2)));
	assert_err_ok(evidence_encode(out, &e));
	assert_true(out->len <= EVIDENCE_BYTES_MAX);
}

static void
test_text(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 10, ROUND, UINT32_MAX };

	(void)state;
	for (int kind = EVIDENCE_BLOCK; kind <= EVIDENCE_SHEET; kind++)
		for (size_t i = 0; i < 5; i++) {
			struct buf text, again;
			struct evidence e;

			text_of(&text, (enum evidence_kind)kind, numbers[i]);
			assert_err_ok(evidence_parse(&e, text.data, text.len, NULL));
			assert_err_ok(evidence_verify(&e, network->charter, NULL));
			buf_init(&again);
			assert_err_ok(evidence_encode(&again, &e));
			assert_int_equal(again.len, text.len);
			assert_memory_equal(again.data, text.data, text.len);
			buf_release(&again);
			buf_release(&text);
		}
}

/* Every byte counts: none can be another, none can be missing, none can be added. */
static void
test_every_byte(void **state)
{
	struct evidence e;
	struct buf text;
	struct diag d;

	(void)state;
	text_of(&text, EVIDENCE_EPOCH_BLOCK, ROUND);
	for (size_t i = 0; i < text.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			text.data[i] ^= (uint8_t)(1u << bit);
			d.text[0] = '\0';
			assert_int_not_equal(evidence_parse(&e, text.data, text.len, &d), ERR_OK);
			assert_true(d.text[0] != '\0');
			text.data[i] ^= (uint8_t)(1u << bit);
		}
	for (size_t n = 0; n < text.len; n++)
		assert_int_not_equal(evidence_parse(&e, text.data, n, &d), ERR_OK);
	assert_err_ok(buf_append(&text, "\n", 1, SIZE_MAX));
	assert_err(evidence_parse(&e, text.data, text.len, &d), ERR_MALFORMED);
	buf_release(&text);
}

static void
test_newer_format(void **state)
{
	static const char newer[] = "restante-evidence 2\nnetwork = 00\n";
	static const char other[] = "restante-charter 1\n";
	struct evidence e;
	struct diag d;

	(void)state;
	assert_err(evidence_parse(&e, newer, sizeof(newer) - 1, &d), ERR_VERSION);
	assert_err(evidence_parse(&e, other, sizeof(other) - 1, &d), ERR_MALFORMED);
	assert_err(evidence_parse(&e, "", 0, &d), ERR_MALFORMED);
}

/* Several, one after the other, are told apart. */
static void
test_lengths(void **state)
{
	struct buf one, two;
	size_t n;

	(void)state;
	text_of(&one, EVIDENCE_SHEET, 7);
	text_of(&two, EVIDENCE_BLOCK, ROUND);
	n = one.len;
	assert_err_ok(buf_append(&one, two.data, two.len, SIZE_MAX));
	assert_int_equal(evidence_length((const char *)one.data, one.len), n);
	assert_int_equal(evidence_length((const char *)one.data + n, one.len - n), two.len);
	assert_int_equal(evidence_length("nothing", 7), 7);
	buf_release(&one);
	buf_release(&two);
}

static void
test_sentence(void **state)
{
	char sentence[EVIDENCE_SENTENCE_BYTES];
	struct evidence e;

	(void)state;
	assert_err_ok(make(&e, said(EVIDENCE_SHEET, 7, 0xab), said(EVIDENCE_SHEET, 7, 0xcd)));
	evidence_sentence(sentence, &e, network->charter);
	assert_non_null(strstr(sentence, network->charter->name));
	assert_non_null(strstr(sentence, "two sheets for epoch 7 "));
	assert_non_null(strstr(sentence, "ab000000"));
	assert_non_null(strstr(sentence, "cd000000"));
	assert_true(sentence[strlen(sentence) - 1] == '.');
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_what_is_a_lie, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_whose_word, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_notices, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_which_part, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_every_byte, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_newer_format, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_lengths, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_sentence, set_up, tear_down),
};

TEST_MAIN(tests)
