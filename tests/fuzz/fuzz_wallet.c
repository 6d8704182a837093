/*
 * A wallet's two images: tokens length u32 || tokens || marks. What is understood is
 * written again, and read from that once more it is the same wallet: nothing comes back
 * that was spent. Without its marks nothing is left of it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/token/wallet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (secret_setup() != ERR_OK)
		abort();
	return 0;
}

static struct wallet *
load(const uint8_t *tokens, size_t n, const uint8_t *marks, size_t marks_len)
{
	struct wallet *w = NULL;
	struct diag d = { "" };
	enum err e = wallet_load(&w, tokens, n, marks, marks_len, &d);

	if (e == ERR_OK)
		return w;
	if (d.text[0] == '\0' && e != ERR_MEMORY)
		abort(); /* every refusal says why */
	return NULL;
}

static void
save(struct buf *tokens, struct buf *marks, const struct wallet *w)
{
	buf_init(tokens);
	buf_init(marks);
	if (wallet_save(w, tokens) != ERR_OK || wallet_save_marks(w, marks) != ERR_OK)
		abort();
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0; /* public */
}

/* Pages begin behind header, enrolment, seed, oldest epoch, first hour and count; one will do. */
static uint32_t
first_epoch(const struct buf *tokens)
{
	return tokens->len > 8 + 64 + 9 + 4 ? load_u32(tokens->data + 8 + 64 + 9) : 0;
}

/* What there is, is given once. */
static void
use_up(struct wallet *w, uint32_t epoch)
{
	uint32_t left = wallet_left_all(w, TOKEN_STAMP, epoch);
	struct wallet_token t;

	while (wallet_take(w, &t, TOKEN_STAMP, epoch, 0) == ERR_OK)
		if (left-- == 0)
			abort();
	if (left != 0)
		abort();
	for (unsigned hour = 0; hour < 4; hour++) {
		left = wallet_left(w, TOKEN_TICKET, epoch, hour);
		while (wallet_take(w, &t, TOKEN_TICKET, epoch, hour) == ERR_OK)
			if (left-- == 0)
				abort();
	}
}

static void
try_again(const struct wallet *w)
{
	struct buf tokens, marks, tokens_again, marks_again;
	struct wallet *again, *bare;

	save(&tokens, &marks, w);
	again = load(tokens.data, tokens.len, marks.data, marks.len);
	bare = load(tokens.data, tokens.len, NULL, 0);
	if (again == NULL || bare == NULL)
		abort();
	save(&tokens_again, &marks_again, again);
	if (!same(&tokens, &tokens_again) || !same(&marks, &marks_again))
		abort();
	if (wallet_left_all(bare, TOKEN_STAMP, first_epoch(&tokens)) != 0 ||
	    wallet_left_all(bare, TOKEN_TICKET, first_epoch(&tokens)) != 0)
		abort();
	use_up(again, first_epoch(&tokens));
	wallet_free(again);
	wallet_free(bare);
	buf_release(&tokens);
	buf_release(&marks);
	buf_release(&tokens_again);
	buf_release(&marks_again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wallet *w;
	size_t n;

	if (size < 4)
		return 0;
	n = load_u32(data);
	data += 4;
	size -= 4;
	if (n > size)
		n = size;
	w = load(data, n, data + n, size - n);
	if (w != NULL)
		try_again(w);
	wallet_free(w);
	return 0;
}
