#include "config.h"

#include "tests/lib/network.h"
#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"

#define END_MARK "[signatures]\n"

static struct network *
make(unsigned mixes)
{
	struct network_config cfg = { .seed = test_seed(), .mixes_per_layer = mixes };

	return network_new(&cfg);
}

/* ---- texts: a NUL-terminated copy of a file, edited and signed again ---- */

static char *
text_of(const struct network *n)
{
	char *text = malloc(n->text.len + 1);

	assert_non_null(text);
	memcpy(text, n->text.data, n->text.len);
	text[n->text.len] = '\0';
	return text;
}

/* text with the first `from` replaced by `to`; frees text. */
static char *
edit(char *text, const char *from, const char *to)
{
	char *at = strstr(text, from), *out;
	size_t size = strlen(text) + strlen(to) + 1;

	if (at == NULL)
		fail_msg("the text has no \"%s\"", from);
	out = malloc(size);
	assert_non_null(out);
	(void)snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	free(text);
	return out;
}

/* text with more at its end; frees text. */
static char *
append(char *text, const char *more)
{
	size_t n = strlen(text), size = n + strlen(more) + 1;

	text = realloc(text, size);
	assert_non_null(text);
	(void)snprintf(text + n, size - n, "%s", more);
	return text;
}

/* Cut the signatures off. */
static char *
unsign(char *text)
{
	char *end = strstr(text, END_MARK);

	assert_non_null(end);
	end[strlen(END_MARK)] = '\0';
	return text;
}

/* Append one signature over everything up to the mark. */
static char *
countersign(char *text, const uint8_t sk[static 64])
{
	size_t signed_bytes = (size_t)(strstr(text, END_MARK) - text) + strlen(END_MARK);
	char who[ENCODE_HEX_SIZE(32)], what[ENCODE_HEX_SIZE(64)], *out;
	uint8_t pk[32], signature[64];
	size_t size = strlen(text) + 256;

	crypto_sign_ed25519_sk_to_pk(pk, sk);
	crypto_sign_detached(signature, NULL, (const uint8_t *)text, signed_bytes, sk);
	encode_hex(who, pk, 32);
	encode_hex(what, signature, 64);
	out = malloc(size);
	assert_non_null(out);
	(void)snprintf(out, size, "%ssignature = %s %s\n", text, who, what);
	free(text);
	return out;
}

static char *
resign(char *text, const struct network *n)
{
	return countersign(countersign(unsign(text), n->authority_sk[0]), n->authority_sk[1]);
}

static enum err
parse(const char *text, struct diag *d)
{
	struct charter *c;
	enum err e = charter_parse(&c, text, strlen(text), d);

	if (e == ERR_OK)
		charter_free(c);
	return e;
}

static enum err
parse_draft(const char *text, struct diag *d)
{
	struct charter *c;
	enum err e = charter_parse_draft(&c, text, strlen(text), d);

	if (e == ERR_OK)
		charter_free(c);
	return e;
}

/* ---- what a good charter gives ---- */

static void
a_signed_charter_parses_and_prints_the_same(void **state)
{
	struct network *n = make(1);
	struct buf text;
	uint8_t hash[32];
	char *mark;

	(void)state;
	buf_init(&text);
	assert_err_ok(charter_print_signed(&text, n->charter));
	assert_int_equal(text.len, n->text.len);
	assert_memory_equal(text.data, n->text.data, text.len);
	buf_release(&text);
	assert_err_ok(charter_print(&text, n->charter));
	assert_memory_equal(text.data, n->text.data, text.len);
	mark = (char *)text.data + text.len - strlen(END_MARK);
	assert_memory_equal(mark, END_MARK, strlen(END_MARK));
	crypto_generichash(hash, 32, text.data, text.len, NULL, 0);
	assert_memory_equal(n->charter->hash, hash, 32);
	assert_memory_equal(n->charter->network_id, hash, 32);
	assert_int_equal(n->charter->signature_count, 2);
	buf_release(&text);
	network_free(n);
}

static void
nodes_are_found_by_number_and_layer(void **state)
{
	struct network *n = make(2);
	const struct charter_node *mixes[2];

	(void)state;
	assert_int_equal(n->charter->node_count, 7);
	assert_null(charter_node(n->charter, 0));
	assert_null(charter_node(n->charter, 8));
	assert_int_equal(charter_node(n->charter, 3)->layer, 1);
	assert_int_equal(charter_gateway(n->charter)->number, 7);
	assert_int_equal(charter_gateway(n->charter)->layer, 3);
	assert_int_equal(charter_layer(n->charter, 2, mixes, 2), 2);
	assert_int_equal(mixes[0]->number, 5);
	assert_int_equal(mixes[1]->number, 6);
	mixes[1] = NULL;
	assert_int_equal(charter_layer(n->charter, 0, mixes, 1), 2);
	assert_null(mixes[1]);
	assert_int_equal(charter_layer(n->charter, 3, NULL, 0), 0);
	network_free(n);
}

static void
the_forecast_knows_how_wide_layers_are(void **state)
{
	struct params p;
	struct network_config cfg = { .seed = test_seed(), .params = &p, .mixes_per_layer = 4 };
	struct network *n;

	(void)state;
	params_default(&p);
	p.people = 2;
	p.grace_ms = 1200000;
	n = network_new(&cfg);
	/* 4 arrivals for 4 mixes: a third of a pool of 3 leaves each round */
	assert_int_equal(params_forecast_ms(&n->charter->params), 15000 + 3 * 180000);
	/* for one mix, 4 arrivals: four of a pool of 7 */
	assert_int_equal(params_forecast_ms(&p), 15000 + 3 * 90000);
	network_free(n);
}

static void
in_force_means_begun_and_not_over(void **state)
{
	struct network *n = make(1);
	struct charter *c = n->charter;

	(void)state;
	assert_true(charter_in_force(c, 0));
	assert_true(charter_in_force(c, c->not_after_ms));
	assert_false(charter_in_force(c, c->not_after_ms + 1));
	c->version = 2;
	c->from_epoch = 83124;
	assert_false(charter_in_force(c, 83124 * c->params.epoch_ms - 1));
	assert_true(charter_in_force(c, 83124 * c->params.epoch_ms));
	network_free(n);
}

/* ---- random charters ---- */

static const char *
random_strategy(void)
{
	static const char *const texts[] = { "timed", "timed-pool min=5", "threshold packets=20",
		"timed-dynamic-pool min=2 rate=0.6", "timed-dynamic-pool min=9 rate=0.753",
		"timed-dynamic-pool min=9 rate=0.753 rule=gmix", "threshold-or-timed packets=20",
		"threshold-and-timed packets=20", "threshold-pool packets=20 min=5",
		"binomial rate=0.8 mean=20 deviation=9", "stop-and-go mean=100ms" };

	return texts[rng_below(test_rng(), sizeof(texts) / sizeof(texts[0]))];
}

static void
random_params(struct params *p)
{
	static const uint32_t scales[] = { 1, 10, 60, 600 };
	char key[PARAMS_KEY_BYTES];

	params_default(p);
	p->layers = (uint8_t)(1 + rng_below(test_rng(), PARAMS_LAYERS_MAX));
	p->record_size = (uint16_t)(1024 + rng_below(test_rng(), 15361));
	p->time_scale = scales[rng_below(test_rng(), 4)];
	p->round_ms = 10000 / p->time_scale < 100 ? 100 : 10000 / p->time_scale;
	p->round_ms = p->time_scale == 60 ? 200 : p->round_ms;
	p->slot_ms = p->round_ms / 2;
	p->epoch_ms = (24 + (int64_t)rng_below(test_rng(), 232)) * 3600000 / p->time_scale;
	p->grace_ms = p->epoch_ms / 5 < 86400000 ? p->epoch_ms / 5 : 86400000;
	p->people = 25 + rng_below(test_rng(), 700);
	p->pieces = params_least_pieces(p);
	p->note_one_in = 2 + rng_below(test_rng(), 63);
	for (unsigned layer = 0; layer < p->layers; layer++) {
		(void)snprintf(key, sizeof(key), "strategy.%u", layer);
		assert_err_ok(params_set(p, key, random_strategy(), NULL));
	}
}

static void
random_charters_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		struct params p;
		struct network_config cfg = { .seed = rng_u64(test_rng()), .params = &p,
			.mixes_per_layer = 1 + rng_below(test_rng(), 5),
			.unix_dir = i % 2 == 0 ? "/run/restante" : NULL };
		struct network *n;
		struct buf again;

		random_params(&p);
		n = network_new(&cfg); /* signs, prints and parses */
		assert_memory_equal(&n->charter->params.layers, &p.layers, 1);
		assert_int_equal(n->charter->params.grace_ms, p.grace_ms);
		assert_int_equal(n->charter->params.people, p.people);
		buf_init(&again);
		assert_err_ok(charter_print_signed(&again, n->charter));
		assert_int_equal(again.len, n->text.len);
		assert_memory_equal(again.data, n->text.data, again.len);
		buf_release(&again);
		network_free(n);
	}
}

/* ---- damage ---- */

static void
every_truncation_is_refused(void **state)
{
	struct network *n = make(1);
	struct charter *c;
	struct diag d;

	(void)state;
	for (size_t len = 0; len < n->text.len; len++) {
		/* an exact copy, so that reading past the end is seen */
		uint8_t *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut + 1, n->text.data, len);
		d.text[0] = '\0';
		if (charter_parse(&c, cut + 1, len, &d) == ERR_OK)
			fail_msg("accepted when cut at %zu", len);
		assert_true(d.text[0] != '\0');
		free(cut);
	}
	network_free(n);
}

static void
every_flipped_bit_is_refused(void **state)
{
	struct network *n = make(1);
	struct charter *c;

	(void)state;
	for (size_t i = 0; i < n->text.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			n->text.data[i] ^= (uint8_t)(1u << bit);
			if (charter_parse(&c, n->text.data, n->text.len, NULL) == ERR_OK)
				fail_msg("accepted with bit %u of byte %zu flipped", bit, i);
			n->text.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	network_free(n);
}

/* text with the lines from `from` to before `to` once more, or not at all; signed again. */
static char *
repeat_lines(
    const struct network *n, const char *text, const char *from, const char *to, bool again)
{
	size_t size = strlen(text) + (size_t)(to - from) + 1;
	char *out = malloc(size);

	assert_non_null(out);
	(void)snprintf(out, size, "%.*s%s", (int)((again ? to : from) - text), text,
	    again ? from : to);
	return resign(out, n);
}

static void
every_missing_or_doubled_line_is_refused(void **state)
{
	struct network *n = make(1);
	char *text = text_of(n), *end = strstr(text, END_MARK), *line, *next, *changed;

	(void)state;
	for (line = text; line < end; line = next) {
		next = strchr(line, '\n') + 1;
		changed = repeat_lines(n, text, line, next, true);
		assert_true(parse(changed, NULL) != ERR_OK);
		free(changed);
		if (strncmp(line, "authority", 9) == 0)
			continue; /* one that does not sign need not be there */
		changed = repeat_lines(n, text, line, next, false);
		assert_true(parse(changed, NULL) != ERR_OK);
		free(changed);
	}
	free(text);
	network_free(n);
}

/* ---- well signed, but wrong: every refusal with its line and reason ---- */

static const struct refusal {
	const char *from, *to;
	enum err want;
	const char *line, *why;
} refusals[] = {
	{ "restante-charter 1", "restante-charter 2", ERR_VERSION,
	    "line 1:", "restante-charter 2: made by a newer version" },
	{ "restante-charter 1", "restante-charter 0", ERR_MALFORMED,
	    "line 1:", "not a charter" },
	{ "restante-charter 1", "restante-letter 1", ERR_MALFORMED,
	    "line 1:", "not a charter" },
	{ "restante-charter 1\n", "restante-charter 1\n\n", ERR_MALFORMED,
	    "line 3:", "\"[network]\" is expected" },
	{ "name = ", "title = ", ERR_MALFORMED, "line 4:", "\"name = \" is expected" },
	{ "name = Test network", "name = ", ERR_MALFORMED, "", "the name must have" },
	{ "name = Test network", "name = Test network ", ERR_MALFORMED, "",
	    "the name must" },
	{ "Test network", "Test\tnetwork", ERR_MALFORMED, "line 4:", "column 12" },
	{ "Test network", "Test n\xc3\xa4twork", ERR_MALFORMED,
	    "line 4:", "printable ASCII" },
	{ "Test network",
	    "1234567890123456789012345678901234567890123456789012345678901234", ERR_RANGE,
	    "line 4:", "longer than 63" },
	{ "version = 1", "version = 0", ERR_RANGE, "line 5:", "version must be 1 to" },
	{ "version = 1", "version = 4294967296", ERR_RANGE, "line 5:", "version must be" },
	{ "version = 1", "version = one", ERR_MALFORMED, "line 5:", "not a whole number" },
	{ "version = 1", "version = 2", ERR_MALFORMED, "line 8:", "\"[predecessor]\"" },
	{ "2100-01-01T00:00Z", "2100-02-30T00:00Z", ERR_MALFORMED,
	    "line 6:", "not a time" },
	{ "2100-01-01T00:00Z", "2100-01-01", ERR_MALFORMED, "line 6:", "canonical" },
	{ "suite = 1", "suite = 2", ERR_RANGE, "line 9:", "suite is out of range" },
	{ "slot = 5s", "slot = 5000ms", ERR_MALFORMED, "line 12:", "canonical" },
	{ "slot = 5s", "slot = 5", ERR_MALFORMED, "line 12:", "not a duration" },
	{ "slot = 5s", "slot  = 5s", ERR_MALFORMED, "line 12:", "\"slot = \" is expected" },
	{ "slot = 5s", "slots = 5s", ERR_MALFORMED, "line 12:", "\"slot = \" is expected" },
	{ "slot = 5s\n", "", ERR_MALFORMED, "line 12:", "\"slot = \" is expected" },
	{ "slot = 5s\n", "slot = 5s\nslot = 5s\n", ERR_MALFORMED,
	    "line 13:", "\"round = \" is expected" },
	{ "slot = 5s\nround = 10s\n", "round = 10s\nslot = 5s\n", ERR_MALFORMED,
	    "line 12:", "\"slot = \" is expected" },
	{ "people = 125", "people = 200", ERR_RANGE, "", "pieces is too small" },
	{ "rate=0.6", "rate=0.60", ERR_MALFORMED, "line 24:", "canonical" },
	{ "layers = 3", "layers = 2", ERR_MALFORMED,
	    "line 26:", "an empty line is expected" },
	{ "layers = 3", "layers = 4", ERR_MALFORMED, "line 27:", "\"strategy.3 = \"" },
	{ "[authorities]", "[Authorities]", ERR_MALFORMED,
	    "line 28:", "\"[authorities]\"" },
	{ "threshold = 2", "threshold = 0", ERR_RANGE,
	    "line 29:", "threshold must be 1 to 32" },
	{ "threshold = 2", "threshold = 4", ERR_RANGE, "", "4 authorities must sign" },
	{ "threshold = 2", "threshold = 3", ERR_SIGNATURE, "",
	    "2 of the authorities signed" },
	{ "last-number = 4", "last-number = 3", ERR_RANGE, "",
	    "node 4: numbers go from 1" },
	{ "node = 1 layer", "node = 0 layer", ERR_MALFORMED, "line 36:", "its number" },
	{ "node = 1 layer", "node = 65536 layer", ERR_MALFORMED, "line 36:", "its number" },
	{ "node = 1 layer", "node = 01 layer", ERR_MALFORMED, "line 36:", "its number" },
	{ "node = 1 layer", "node = 2 layer", ERR_MALFORMED, "", "numbers must ascend" },
	{ "layer=1 mix", "layer=3 mix", ERR_RANGE, "line 37:", "layers go from 0 to 2" },
	{ "layer=1 mix", "layer=0 mix", ERR_NOT_FOUND, "", "layer 1 has no mix" },
	{ "layer=1 mix", "mix", ERR_MALFORMED, "line 37:", "a mix has a layer" },
	{ "node = 4 gateway", "node = 4 layer=2 gateway", ERR_MALFORMED,
	    "line 39:", "no other node does" },
	{ "layer=1 mix", "layer=1 relay", ERR_MALFORMED,
	    "line 37:", "\"mix\", a \"gateway\"" },
	{ "mix identity=", "mix identity=zz", ERR_MALFORMED, "line 36:", "identity=" },
	{ " link=", " link=0", ERR_MALFORMED, "line 36:", "link=" },
	{ "address=127.0.0.1:7001", "address=127.0.0.1:0", ERR_MALFORMED,
	    "line 36:", "address=" },
	{ "address=127.0.0.1:7001", "address=127.0.0.1", ERR_MALFORMED,
	    "line 36:", "address=" },
	{ "address=127.0.0.1:7001", "address=127.0.0.1:7001 x", ERR_TRAILING,
	    "line 36:", "follows" },
	{ " entrance=127.0.0.1:7500", "", ERR_MALFORMED, "line 39:", "entrance=" },
	{ " entrance=127.0.0.1:7500", " entrance=mistyped.onion:80", ERR_MALFORMED, "line 39:",
	    "mistyped" },
	{ "address=127.0.0.1:7001", "address=node.onion:7001", ERR_MALFORMED, "line 36:",
	    "cannot be an onion address" },
	{ "\n[signatures]", "\nmore = 1\n\n[signatures]", ERR_MALFORMED,
	    "line 41:", "\"[signatures]\" is expected" },
};

static void
refusals_name_line_and_reason(void **state)
{
	struct network *n = make(1);
	struct diag d;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char *text = resign(edit(text_of(n), refusals[i].from, refusals[i].to), n);
		enum err got = parse(text, &d);

		if (got != refusals[i].want)
			fail_msg("case %zu (%s): %s, %s", i, refusals[i].to, err_text(got), d.text);
		assert_contains(d.text, refusals[i].line);
		assert_contains(d.text, refusals[i].why);
		free(text);
	}
	network_free(n);
}

static void
unusable_and_shared_keys_are_refused(void **state)
{
	struct network *n = make(1);
	struct charter_node *node = n->charter->nodes;
	struct charter_node kept = node[0];
	uint8_t authority[32];
	struct diag d;

	(void)state;
	memset(node[0].identity, 0xff, 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_CRYPTO);
	node[0] = kept;
	memset(node[0].link, 0, 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_CRYPTO);
	assert_contains(d.text, "low order");
	node[0] = kept;
	memcpy(node[0].link, node[1].link, 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_MALFORMED);
	assert_contains(d.text, "nodes 1 and 2 have the same key");
	node[0] = kept;
	memcpy(node[0].identity, node[2].identity, 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_MALFORMED);
	node[0] = kept;
	memcpy(authority, n->charter->authorities[0], 32);
	memset(n->charter->authorities[0], 0, 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_CRYPTO);
	memcpy(n->charter->authorities[0], n->charter->authorities[1], 32);
	assert_err(charter_check_draft(n->charter, &d), ERR_MALFORMED);
	memcpy(n->charter->authorities[0], authority, 32);
	assert_err_ok(charter_check(n->charter, &d));
	network_free(n);
}

static void
other_sizes_are_refused(void **state)
{
	uint8_t *large = calloc(1, CHARTER_BYTES_MAX + 1);
	struct network *n = make(1);
	struct charter *c;
	struct diag d;
	char *text;

	(void)state;
	assert_non_null(large);
	assert_err(charter_parse(&c, large, CHARTER_BYTES_MAX + 1, &d), ERR_RANGE);
	assert_err(charter_parse(&c, large, CHARTER_BYTES_MAX, &d), ERR_MALFORMED);
	assert_err(charter_parse(&c, large, 0, &d), ERR_MALFORMED);
	memset(large, 'a', CHARTER_BYTES_MAX);
	assert_err(charter_parse(&c, large, CHARTER_BYTES_MAX, &d), ERR_MALFORMED);
	assert_contains(d.text, "longer than");
	text = text_of(n);
	n->text.data[20] = '\0';
	assert_err(charter_parse(&c, n->text.data, n->text.len, &d), ERR_MALFORMED);
	free(text);
	free(large);
	network_free(n);
}

static void
drafts_may_lack_what_charters_may_not(void **state)
{
	struct charter *c = charter_new(), *parsed;
	struct buf text;
	struct diag d;

	(void)state;
	assert_non_null(c);
	(void)snprintf(c->name, sizeof(c->name), "Draft");
	c->threshold = 2;
	buf_init(&text);
	assert_err_ok(charter_print_signed(&text, c));
	assert_err_ok(charter_parse_draft(&parsed, text.data, text.len, &d));
	charter_free(parsed);
	assert_err(charter_parse(&parsed, text.data, text.len, &d), ERR_RANGE);
	assert_contains(d.text, "2 authorities must sign, but there are 0");
	buf_release(&text);
	charter_free(c);
}

/* ---- signatures ---- */

static void
too_few_signatures_are_refused(void **state)
{
	struct network *n = make(1);
	char *text = unsign(text_of(n));
	struct diag d;

	(void)state;
	assert_err(parse(text, &d), ERR_SIGNATURE);
	assert_contains(d.text, "0 of the authorities signed, but 2 must");
	assert_err_ok(parse_draft(text, &d));
	text = countersign(text, n->authority_sk[2]);
	assert_err(parse(text, &d), ERR_SIGNATURE);
	assert_contains(d.text, "1 of the authorities signed");
	text = countersign(text, n->authority_sk[0]);
	assert_err_ok(parse(text, &d));
	free(text);
	network_free(n);
}

static void
one_authority_counts_once(void **state)
{
	struct network *n = make(1);
	char *text = unsign(text_of(n));
	struct charter *c;
	struct diag d;

	(void)state;
	for (int i = 0; i < 5; i++)
		text = countersign(text, n->authority_sk[1]);
	assert_err(parse(text, &d), ERR_SIGNATURE);
	assert_contains(d.text, "1 of the authorities signed");
	assert_err_ok(charter_parse_draft(&c, text, strlen(text), &d));
	assert_int_equal(c->signature_count, 1);
	assert_int_equal(c->held_count, 1);
	charter_free(c);
	free(text);
	network_free(n);
}

static void
an_unknown_signer_is_refused_even_beside_enough_others(void **state)
{
	struct network *n = make(1);
	uint8_t pk[32], sk[64], seed[32];
	struct diag d;
	char *text;

	(void)state;
	rng_bytes(test_rng(), seed, sizeof(seed));
	crypto_sign_seed_keypair(pk, sk, seed);
	text = countersign(text_of(n), sk);
	assert_err(parse(text, &d), ERR_SIGNATURE);
	assert_contains(d.text, "is not an authority");
	assert_err(parse_draft(text, &d), ERR_SIGNATURE);
	free(text);
	network_free(n);
}

static void
a_signature_of_another_text_is_refused_even_beside_enough_others(void **state)
{
	struct network *n = make(1);
	char *other = edit(text_of(n), "Test network", "Best network");
	char *text = text_of(n), *forged;
	struct diag d;

	(void)state;
	other = countersign(unsign(other), n->authority_sk[2]);
	forged = strstr(other, "signature = ");
	text = append(text, forged);
	assert_err(parse(text, &d), ERR_SIGNATURE);
	assert_contains(d.text, "line 44:");
	assert_contains(d.text, "does not verify");
	free(text);
	free(other);
	network_free(n);
}

static void
only_signatures_may_follow_the_mark(void **state)
{
	static const char *const tails[] = { "\n", "x\n", "signature = \n", "signature = 00 00\n",
		"Signature = 00\n", "name = Test network\n" };
	struct network *n = make(1);

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		char *text = append(text_of(n), tails[i]);

		assert_true(parse(text, NULL) != ERR_OK);
		free(text);
	}
	network_free(n);
}

static void
signing_holds_one_signature_of_each_authority(void **state)
{
	struct network *n = make(1);
	uint8_t pk[32], sk[64], seed[32] = { 1 };

	(void)state;
	crypto_sign_seed_keypair(pk, sk, seed);
	assert_err(charter_sign(n->charter, sk), ERR_NOT_FOUND);
	assert_err(charter_sign(n->charter, n->authority_sk[0]), ERR_EXISTS);
	assert_err_ok(charter_sign(n->charter, n->authority_sk[2]));
	assert_int_equal(n->charter->signature_count, 3);
	assert_err_ok(charter_changed(n->charter));
	assert_int_equal(n->charter->signature_count, 0);
	assert_int_equal(n->charter->held_count, 0);
	network_free(n);
}

/* ---- changing and succeeding ---- */

static void
numbers_are_never_given_twice(void **state)
{
	struct network *n = make(1);
	struct charter_node gone = n->charter->nodes[1];
	uint8_t before[32];

	(void)state;
	memcpy(before, n->charter->hash, 32);
	assert_err(charter_add_node(n->charter, &gone), ERR_EXISTS);
	assert_err_ok(charter_remove_node(n->charter, 2));
	assert_memory_not_equal(n->charter->hash, before, 32);
	assert_err(charter_remove_node(n->charter, 2), ERR_NOT_FOUND);
	assert_err(charter_check(n->charter, NULL), ERR_NOT_FOUND);
	assert_err(charter_add_node(n->charter, &gone), ERR_EXISTS);
	gone.number = 5;
	assert_err_ok(charter_add_node(n->charter, &gone));
	assert_int_equal(n->charter->last_number, 5);
	assert_err_ok(charter_check(n->charter, NULL));
	network_free(n);
}

static void
a_second_gateway_is_refused(void **state)
{
	struct network *n = make(1);
	struct network_config cfg = { .seed = test_seed() + 1 };
	struct network *other = network_new(&cfg);
	struct charter_node second = *charter_gateway(other->charter);
	struct diag d;

	(void)state;
	second.number = 5;
	assert_err_ok(charter_add_node(n->charter, &second));
	assert_err(charter_check_draft(n->charter, &d), ERR_RANGE);
	assert_contains(d.text, "exactly one");
	network_free(other);
	network_free(n);
}

static struct network *
with_registrar(void)
{
	struct network_config cfg = { .seed = test_seed(), .registrar = true };

	return network_new(&cfg);
}

/* Printed, signed and parsed it was by network_new already. */
static void
a_registrar_is_in_no_layer(void **state)
{
	struct network *n = with_registrar();
	const struct charter_node *r = charter_registrar(n->charter);

	(void)state;
	assert_int_equal(n->charter->node_count, 5);
	assert_int_equal(r->number, 5);
	assert_int_equal(r->layer, CHARTER_NO_LAYER);
	assert_string_equal(r->address, "");
	assert_string_equal(r->entrance, "127.0.0.1:7501");
	assert_int_equal(charter_gateway(n->charter)->number, 4);
	assert_int_equal(charter_announcers(n->charter), 4);
	for (unsigned layer = 0; layer < PARAMS_LAYERS_MAX; layer++)
		assert_int_equal(charter_layer(n->charter, layer, NULL, 0), layer < 3 ? 1 : 0);
	for (unsigned layer = 0; layer < 3; layer++)
		assert_int_equal(n->charter->params.mixes[layer], 1);
	network_free(n);
	n = make(1);
	assert_null(charter_registrar(n->charter));
	network_free(n);
}

static void
what_a_registrar_may_not_be(void **state)
{
	struct network *n = with_registrar();
	struct charter_node second = *charter_registrar(n->charter);
	struct network_keys keys;
	struct diag d;

	(void)state;
	n->charter->nodes[4].layer = 3;
	assert_err(charter_check_draft(n->charter, &d), ERR_RANGE);
	assert_contains(d.text, "a registrar has no layer");
	n->charter->nodes[4].layer = CHARTER_NO_LAYER;
	(void)snprintf(n->charter->nodes[4].entrance, CHARTER_ADDRESS_MAX, "mistyped.onion:80");
	assert_err(charter_check_draft(n->charter, &d), ERR_MALFORMED);
	assert_contains(d.text, "mistyped");
	memcpy(n->charter->nodes[4].entrance, second.entrance, CHARTER_ADDRESS_MAX);
	assert_err_ok(charter_check(n->charter, &d));
	network_keys_new(&keys, &second, n, CHARTER_REGISTRAR, 0, "");
	second.number = 6;
	(void)snprintf(second.entrance, CHARTER_ADDRESS_MAX, "127.0.0.1:1");
	assert_err_ok(charter_add_node(n->charter, &second));
	assert_err(charter_check_draft(n->charter, &d), ERR_RANGE);
	assert_contains(d.text, "both registrars: a network has at most one");
	network_free(n);
}

/* The successor of n's charter, changed by `change`, signed by the given authorities, parsed. */
static enum err
succeed(struct charter **out, const struct network *n, void (*change)(struct charter *),
    size_t signers, struct diag *d)
{
	struct charter *next;
	struct buf text;
	enum err e;

	assert_err_ok(charter_successor(&next, n->charter, 90000));
	if (change != NULL) {
		change(next);
		assert_err_ok(charter_changed(next));
	}
	for (size_t i = 0; i < signers; i++)
		(void)!charter_sign(next, n->authority_sk[i]);
	buf_init(&text);
	assert_err_ok(charter_print_signed(&text, next));
	e = charter_parse(out, text.data, text.len, d);
	buf_release(&text);
	charter_free(next);
	return e;
}

static void
a_successor_names_and_follows_its_predecessor(void **state)
{
	struct network *n = make(1);
	struct charter *next;
	struct diag d;

	(void)state;
	assert_err_ok(succeed(&next, n, NULL, 2, &d));
	assert_int_equal(next->version, 2);
	assert_int_equal(next->from_epoch, 90000);
	assert_memory_equal(next->network_id, n->charter->network_id, 32);
	assert_memory_not_equal(next->hash, n->charter->hash, 32);
	assert_memory_equal(next->previous, n->charter->hash, 32);
	assert_err_ok(charter_follows(next, n->charter, &d));
	assert_err(charter_follows(n->charter, next, &d), ERR_CHAIN);
	assert_err(charter_follows(next, next, &d), ERR_CHAIN);
	charter_free(next);
	assert_err(succeed(&next, n, NULL, 1, &d), ERR_SIGNATURE);
	network_free(n);
}

/* The first authority leaves, and one signature is enough from now on. */
static void
drop_first_authority(struct charter *c)
{
	c->threshold = 1;
	assert_err_ok(charter_remove_authority(c, c->authorities[0]));
}

static void
former_authorities_must_agree_to_a_change_of_authorities(void **state)
{
	struct network *n = make(1);
	struct charter *next;
	struct diag d;

	(void)state;
	assert_err(succeed(&next, n, drop_first_authority, 1, &d), ERR_SIGNATURE);
	assert_err_ok(succeed(&next, n, drop_first_authority, 3, &d));
	assert_int_equal(next->signature_count, 2);
	assert_int_equal(next->former_signature_count, 3);
	assert_err_ok(charter_follows(next, n->charter, &d));
	next->former_threshold = 1; /* says that fewer were needed */
	assert_err(charter_follows(next, n->charter, &d), ERR_CHAIN);
	charter_free(next);
	network_free(n);
}

static void
change_epoch(struct charter *c)
{
	c->params.epoch_ms *= 2;
}

static void
swap_node(struct charter *c)
{
	uint8_t sk[64], seed[32] = { 7 };

	crypto_sign_seed_keypair(c->nodes[0].identity, sk, seed);
}

static void
same_start(struct charter *c)
{
	c->from_epoch = 1;
}

static void
what_may_not_change_is_refused(void **state)
{
	struct network *n = make(1), *other;
	struct network_config cfg = { .seed = test_seed() + 7 };
	struct charter *next;
	struct diag d;

	(void)state;
	assert_err_ok(succeed(&next, n, change_epoch, 2, &d));
	assert_err(charter_follows(next, n->charter, &d), ERR_CHAIN);
	assert_contains(d.text, "fixed for a network's life");
	charter_free(next);
	assert_err_ok(succeed(&next, n, swap_node, 2, &d));
	assert_err(charter_follows(next, n->charter, &d), ERR_CHAIN);
	assert_contains(d.text, "belonged to another node");
	charter_free(next);
	assert_err_ok(succeed(&next, n, same_start, 2, &d));
	n->charter->from_epoch = 1;
	assert_err(charter_follows(next, n->charter, &d), ERR_CHAIN);
	n->charter->from_epoch = 0;
	other = network_new(&cfg);
	assert_err(charter_follows(next, other->charter, &d), ERR_CHAIN);
	assert_contains(d.text, "different networks");
	network_free(other);
	charter_free(next);
	network_free(n);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_signed_charter_parses_and_prints_the_same),
	cmocka_unit_test(nodes_are_found_by_number_and_layer),
	cmocka_unit_test(the_forecast_knows_how_wide_layers_are),
	cmocka_unit_test(in_force_means_begun_and_not_over),
	cmocka_unit_test(random_charters_round_trip),
	cmocka_unit_test(every_truncation_is_refused),
	cmocka_unit_test(every_flipped_bit_is_refused),
	cmocka_unit_test(every_missing_or_doubled_line_is_refused),
	cmocka_unit_test(refusals_name_line_and_reason),
	cmocka_unit_test(unusable_and_shared_keys_are_refused),
	cmocka_unit_test(other_sizes_are_refused),
	cmocka_unit_test(drafts_may_lack_what_charters_may_not),
	cmocka_unit_test(too_few_signatures_are_refused),
	cmocka_unit_test(one_authority_counts_once),
	cmocka_unit_test(an_unknown_signer_is_refused_even_beside_enough_others),
	cmocka_unit_test(a_signature_of_another_text_is_refused_even_beside_enough_others),
	cmocka_unit_test(only_signatures_may_follow_the_mark),
	cmocka_unit_test(signing_holds_one_signature_of_each_authority),
	cmocka_unit_test(numbers_are_never_given_twice),
	cmocka_unit_test(a_second_gateway_is_refused),
	cmocka_unit_test(a_registrar_is_in_no_layer),
	cmocka_unit_test(what_a_registrar_may_not_be),
	cmocka_unit_test(a_successor_names_and_follows_its_predecessor),
	cmocka_unit_test(former_authorities_must_agree_to_a_change_of_authorities),
	cmocka_unit_test(what_may_not_change_is_refused),
};

TEST_MAIN(tests)
