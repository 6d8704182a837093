/*
 * The post's part of the state file: what is loaded can go on, and be saved
 * and loaded again.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/post.h"
#include "common/base/secret.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 4;

#define NOW INT64_C(1800000000000)

static struct rng_seeded seeded;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rng_seeded_init(&seeded, 1);
	return secret_setup() == ERR_OK ? 0 : 1;
}

/* A few slots, records and blocks. */
static void
go_on(struct post *p, const struct post_config *cfg)
{
	static const uint8_t content[8];
	const struct block b = { .round = 1 };
	const struct path path = { .hops = 4 };
	uint8_t *record = calloc(1, cfg->params.record_size);
	struct post_need need;
	struct path taken;
	uint16_t mailbox;

	if (record == NULL)
		abort();
	for (int64_t i = 0; i < 6; i++) {
		int64_t now = NOW + i * 5000;
		post_tick(p, now);
		if (post_next(p, &need, now)) {
			if (i == 4)
				post_content_lost(p);
			else if (post_seal(p, record, &mailbox, &taken, &path, content,
				     need.kind == POST_NEED_CONTENT ? sizeof(content) : 0, now) == ERR_OK)
				post_sent(p, now);
		}
		if (post_record(p, record, now) != ERR_OK || post_block(p, &b, now, now) != ERR_OK)
			abort();
	}
	free(record);
}

static void
save_and_load(struct post *p, const struct post_config *cfg)
{
	struct post *back;
	struct post_write *w;
	struct diag d;
	struct buf b;
	size_t n;

	if (post_take_writes(p, &w, &n) != ERR_OK)
		abort();
	post_writes_free(w, n);
	buf_init(&b);
	if (post_save(p, &b) != ERR_OK || post_load(&back, cfg, b.data, b.len, &d) != ERR_OK)
		abort();
	post_free(back);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct post_config cfg = { .gateway = 4, .rng = &seeded.rng, .keys = &seeded.rng };
	struct diag d = { "" };
	struct post *p;

	params_default(&cfg.params);
	if (post_load(&p, &cfg, data, size, &d) != ERR_OK) {
		if (d.text[0] == '\0')
			abort();
		return 0;
	}
	go_on(p, &cfg);
	save_and_load(p, &cfg);
	post_free(p);
	return 0;
}
