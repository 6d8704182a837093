/*
 * The post's part of a backup: what is restored can go on, and be backed up and
 * restored again. (fuzz_post has what is saved.)
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/post.h"
#include "common/base/secret.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 48;

#define NOW INT64_C(1800000000000)
#define STEP INT64_C(5000)

static struct rng_seeded seeded;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rng_seeded_init(&seeded, 1);
	return secret_setup() == ERR_OK ? 0 : 1;
}

static void
must(bool true_)
{
	if (!true_)
		abort();
}

/* A few slots and blocks: founding records leave. */
static void
go_on(struct post *p, const struct post_config *cfg)
{
	const struct block b = { .round = 1 };
	const struct path path = { .hops = 4 };
	uint8_t *record = calloc(1, cfg->params.record_size);
	struct post_need need;
	struct path taken;
	uint16_t mailbox;

	must(record != NULL);
	for (int64_t i = 1; i < 4; i++) {
		int64_t now = NOW + i * STEP;
		post_begin_block(p, (uint64_t)(now / cfg->params.round_ms));
		must(post_block(p, &b, now, now) == ERR_OK);
		post_tick(p, now);
		if (post_next(p, &need, now) &&
		    post_seal(p, record, &mailbox, &taken, &path, NULL, 0, now) == ERR_OK)
			post_sent(p, now);
		must(post_record(p, record, now) == ERR_OK);
	}
	free(record);
}

static void
keep_again(struct post *p, const struct post_config *cfg)
{
	struct post *back;
	struct post_write *w;
	struct diag d = { "" };
	struct buf kept;
	size_t n;

	must(post_take_writes(p, &w, &n) == ERR_OK);
	post_writes_free(w, n);
	buf_init(&kept);
	must(post_backup(p, &kept) == ERR_OK);
	must(post_restore(&back, cfg, kept.data, kept.len, NOW, &d) == ERR_OK);
	must(post_contact_count(back) <= post_contact_count(p));
	post_free(back);
	buf_release(&kept);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct post_config cfg = { .gateway = 4, .rng = &seeded.rng, .keys = &seeded.rng };
	struct diag d = { "" };
	struct post *p;

	params_default(&cfg.params);
	if (post_restore(&p, &cfg, data, size, NOW, &d) != ERR_OK) {
		must(d.text[0] != '\0');
		return 0;
	}
	go_on(p, &cfg);
	keep_again(p, &cfg);
	post_free(p);
	return 0;
}
