/*
 * A reader of the journal, and a gateway that shows blocks of two journals, which part on the
 * way, in any order: in runs, as epoch blocks, changed, changed and signed anew. The reader's
 * state is saved and loaded, and loaded with changes. What it takes for a lie verifies as one;
 * what was saved is what is loaded.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/crypto/hash.h"
#include "tests/fuzz/script.h"
#include "tests/lib/test.h"
#include "tests/unit/journal/blocks.h"

#define EPOCH 78703u
#define BLOCKS 120 /* an epoch block in each epoch of these */
#define FORK 70
#define STEPS_MAX 200
#define STATE_CHECK_BYTES 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 12;

struct stand {
	struct chain *chain;
	struct chain_segment *segments[2];
};

static struct network *net; /* as long as the program */
static struct blocks *journals[2];

static void
clean_up(void)
{
	blocks_free(journals[0]);
	blocks_free(journals[1]);
	network_free(net);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(setenv("CMOCKA_TEST_ABORT", "1", 1) == 0);
	must(setenv("RESTANTE_TEST_SEED", "1", 1) == 0);
	test_begin();
	must(secret_setup() == ERR_OK);
	net = blocks_network();
	journals[0] = blocks_new(net, EPOCH, BLOCKS, FORK, 0);
	journals[1] = blocks_new(net, EPOCH, BLOCKS, FORK, UINT64_C(1) << 40);
	return atexit(clean_up);
}

/* Taken, or refused by one of the errors that chain.h names. */
static enum err
named(enum err e)
{
	must(e == ERR_OK || e == ERR_SIGNATURE || e == ERR_CHAIN || e == ERR_MALFORMED ||
	    e == ERR_VERSION);
	return e;
}

/* A block of a journal, as it is or with changes; signed anew, or not. */
static struct blocks_one
pick(struct script *s, struct buf *room)
{
	const struct blocks_one *one = &journals[script_byte(s) % 2]->at[script_byte(s) % BLOCKS];
	unsigned how = script_byte(s);
	struct blocks_one out = *one;
	struct block b;

	buf_init(room);
	must(buf_append(room, one->bytes.data, one->bytes.len, SIZE_MAX) == ERR_OK);
	if (how >= 192)
		script_change(s, room->data, room->len);
	if (how >= 224 && block_decode(&b, room->data, room->len) == ERR_OK)
		block_sign(out.signature, &b, net->charter->network_id,
		    net->keys[network_index(net, charter_gateway(net->charter)->number)].identity_sk);
	out.bytes = *room;
	return out;
}

static void
add(struct stand *t, struct script *s, unsigned which)
{
	struct chain_point last, was = { 0 };
	struct buf room;
	const struct blocks_one one = pick(s, &room);
	struct block b;
	bool had;

	if (t->segments[which] == NULL)
		t->segments[which] = chain_segment_new(t->chain);
	must(t->segments[which] != NULL);
	had = chain_segment_last(t->segments[which], &was);
	if (named(chain_segment_add(t->segments[which], &b, room.data, room.len, one.signature)) ==
	    ERR_OK) {
		must(chain_segment_last(t->segments[which], &last));
		must(last.round == b.round && memcmp(last.hash, b.hash, 32) == 0); /* public */
		must(!had || last.round > was.round);
	}
	(void)chain_segment_verified(t->segments[which]);
	buf_release(&room);
}

static void
add_epoch(struct stand *t, struct script *s)
{
	struct buf room;
	const struct blocks_one one = pick(s, &room);
	struct block b;

	named(chain_epoch_add(t->chain, &b, room.data, room.len, one.signature));
	buf_release(&room);
}

/* The whole epoch chain of a journal. */
static void
read_epochs(struct stand *t, struct script *s)
{
	const struct blocks *j = journals[script_byte(s) % 2];
	size_t most = script_byte(s) % (BLOCKS + 1);
	struct block b;

	for (size_t i = 0; i < most; i++)
		if (j->at[i].epoch_block)
			named(chain_epoch_add(t->chain, &b, j->at[i].bytes.data,
			    j->at[i].bytes.len, j->at[i].signature));
	named(chain_epochs_done(t->chain));
}

/* Saved, changed or not, with the right check or not, and loaded. */
static void
reload(struct stand *t, struct script *s)
{
	struct diag d = { "" };
	struct buf state, again;
	struct hash_part all;
	unsigned how = script_byte(s);
	enum err e;

	buf_init(&state);
	buf_init(&again);
	must(chain_save(t->chain, &state) == ERR_OK && state.len > STATE_CHECK_BYTES);
	if (how >= 128)
		script_change(s, state.data, state.len - STATE_CHECK_BYTES);
	if (how >= 160) {
		all = (struct hash_part){ state.data, state.len - STATE_CHECK_BYTES };
		hash_parts(state.data + state.len - STATE_CHECK_BYTES, STATE_CHECK_BYTES, &all, 1);
	}
	e = chain_load(t->chain, state.data, state.len, &d);
	must(e == ERR_OK || (how >= 128 && d.text[0] != '\0'));
	if (e == ERR_OK) {
		must(chain_save(t->chain, &again) == ERR_OK);
		must(again.len == state.len && memcmp(again.data, state.data, again.len) == 0);
	}
	buf_release(&state);
	buf_release(&again);
}

static void
take_evidence(struct stand *t)
{
	struct evidence e;
	struct diag d = { "" };

	if (chain_take_evidence(t->chain, &e))
		must(evidence_verify(&e, net->charter, &d) == ERR_OK);
}

static void
judge(struct stand *t, struct script *s)
{
	const struct chain_point *p = &journals[script_byte(s) % 2]->at[script_byte(s) % BLOCKS].point;
	uint8_t signature[BLOCK_SIGNATURE_BYTES];
	struct chain_point latest, next;

	(void)chain_judge(t->chain, p);
	if (chain_latest_epoch(t->chain, &latest, NULL))
		must(chain_judge(t->chain, &latest) == CHAIN_SAME);
	if (chain_next_epoch(t->chain, p->round, &next, signature))
		must(next.round > p->round);
}

static void
end_run(struct stand *t, unsigned which)
{
	chain_segment_free(t->segments[which]);
	t->segments[which] = NULL;
}

static void
step(struct stand *t, struct script *s)
{
	unsigned what = script_byte(s), which = what / 128;

	switch (what % 8) {
	case 0: case 1: case 2: add(t, s, which); break;
	case 3: end_run(t, which); break;
	case 4: add_epoch(t, s); break;
	case 5: read_epochs(t, s); break;
	case 6: reload(t, s); break;
	default: judge(t, s); break;
	}
	take_evidence(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s;
	struct stand t = { 0 };
	unsigned anchor;

	script_init(&s, data, size);
	anchor = script_byte(&s);
	t.chain = chain_new(net->charter, anchor < BLOCKS && journals[0]->at[anchor].epoch_block ?
	    &journals[0]->at[anchor].point : NULL);
	must(t.chain != NULL);
	for (unsigned i = 0; i < STEPS_MAX && !script_is_over(&s); i++)
		step(&t, &s);
	end_run(&t, 0);
	end_run(&t, 1);
	chain_free(t.chain);
	return 0;
}
