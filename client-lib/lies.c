#include "config.h"

#include "client-lib/lies.h"

#include <string.h>

bool
lies_add(struct lies *k, const struct evidence *e, const struct params *p)
{
	uint32_t epoch = evidence_epoch(e, p);
	size_t i = k->count;

	if (k->count == LIES_MAX)
		return false;
	for (size_t n = 0; n < k->count; n++)
		if (evidence_about(&k->at[n]) == evidence_about(e) &&
		    evidence_epoch(&k->at[n], p) == epoch)
			return false;
	for (; i > 0 && evidence_epoch(&k->at[i - 1], p) > epoch; i--)
		k->at[i] = k->at[i - 1];
	k->at[i] = *e;
	k->count++;
	return true;
}

/* lies = count u8, each: length u16 || text */
enum err
lies_put(struct writer *w, const struct lies *k)
{
	writer_u8(w, (uint8_t)k->count);
	for (size_t i = 0; i < k->count; i++) {
		struct buf text;
		enum err e;

		buf_init(&text);
		e = evidence_encode(&text, &k->at[i]);
		if (e == ERR_OK) {
			writer_u16(w, (uint16_t)text.len);
			writer_copy(w, text.data, text.len);
		}
		buf_release(&text);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

void
lies_get(struct reader *r, struct lies *k)
{
	uint8_t count = reader_u8(r);

	k->count = 0;
	if (count > LIES_MAX)
		reader_fail(r, ERR_MALFORMED);
	for (uint8_t i = 0; i < count && reader_ok(r); i++) {
		uint16_t n = reader_u16(r);
		const uint8_t *text = reader_view(r, n);

		if (text == NULL)
			return;
		if (evidence_parse(&k->at[i], text, n, NULL) != ERR_OK)
			reader_fail(r, ERR_MALFORMED);
		else
			k->count++;
	}
}
