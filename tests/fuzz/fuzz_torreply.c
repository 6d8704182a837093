/*
 * Replies of a control port: the first byte is the size of the pieces they come
 * in. Whole or in pieces the result is the same, every line lies within the
 * reply, and its words and their quotes can be taken apart.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/torreply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a stream came to. */
struct outcome {
	size_t replies, lines, bytes;
	unsigned last_code;
	enum err e;
};

static void
use_words(const struct control_line *line)
{
	const char *at = line->text;
	struct torreply_word w;
	char out[64];

	while (torreply_word(&w, &at, line->text + line->len) == ERR_OK) {
		if (w.key + w.key_len > line->text + line->len || at > line->text + line->len)
			abort();
		if (w.value != NULL &&
		    torreply_unquote(out, sizeof(out), w.value, w.value_len) == ERR_OK &&
		    strlen(out) > w.value_len)
			abort();
	}
}

static void
use_reply(struct outcome *o, const struct control_reply *r)
{
	const char *value;
	size_t n;

	if (r->count == 0 || r->code < 200 || r->code > 699)
		abort();
	o->replies++;
	o->last_code = r->code;
	for (size_t i = 0; i < r->count; i++) {
		const struct control_line *line = &r->lines[i];

		o->lines++;
		o->bytes += line->len + line->data_len;
		if (memchr(line->text, '\n', line->len) != NULL ||
		    (line->data_len > 0 && line->data[line->data_len - 1] != '\n'))
			abort();
		use_words(line);
	}
	(void)control_reply_value(&value, &n, r, "a");
}

static struct outcome
run(const uint8_t *p, size_t n, size_t piece)
{
	struct torreply *t = torreply_new();
	struct outcome o = {.e = ERR_OK};
	size_t at = 0;

	if (t == NULL)
		return o;
	while (at < n && o.e == ERR_OK) {
		const struct control_reply *r = NULL;
		size_t used = 0, take = n - at < piece ? n - at : piece;

		o.e = torreply_feed(t, &r, &used, p + at, take);
		if (o.e == ERR_OK && (used == 0 || used > take))
			abort();
		if (o.e == ERR_OK && r != NULL)
			use_reply(&o, r);
		at += used;
	}
	torreply_free(t);
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (size < 1)
		return 0;
	whole = run(data + 1, size - 1, size);
	pieces = run(data + 1, size - 1, 1 + data[0] % 64);
	if (whole.replies != pieces.replies || whole.lines != pieces.lines ||
	    whole.bytes != pieces.bytes || whole.last_code != pieces.last_code ||
	    whole.e != pieces.e)
		abort();
	return 0;
}
