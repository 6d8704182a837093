/*
 * Replies of a tor's control port, from bytes in whatever pieces they come to
 * whole replies (control-spec 2.3), and the words of their lines. Pure: it
 * knows lengths and form, not meaning. Limits: control.h (CONTROL_*_MAX).
 *
 * Lines end with CRLF or LF. The lines of a reply may differ in their codes
 * (tor's MAPADDRESS does that), but an event's lines are all an event's.
 */
#ifndef COMMON_NET_TORREPLY_H
#define COMMON_NET_TORREPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/control.h"

#define TORREPLY_EVENT_CODE 600 /* and above: asynchronous */

struct torreply;

/* NULL if there is no memory. */
struct torreply *torreply_new(void);
/* Wipe and free. NULL is a no-op. */
void torreply_free(struct torreply *t);
/* Forget everything, for a new connection; wipes what it held. */
void torreply_reset(struct torreply *t);

/*
 * Take bytes up to the end of a reply: *used of the n at p. *out is then that
 * reply, valid until the next call, or NULL if it is not whole yet (and all n
 * are used). ERR_FULL at a limit, ERR_MALFORMED, ERR_MEMORY: the stream cannot
 * be read any further, and every later call says the same until torreply_reset.
 */
RST_MUST_USE enum err torreply_feed(struct torreply *t, const struct control_reply **out,
    size_t *used, const uint8_t *p, size_t n);

/* One word of a line: key=value, key="quoted", or a word alone (value NULL). */
struct torreply_word {
	const char *key, *value; /* a quoted value with its quotes */
	size_t key_len, value_len;
};
/*
 * The next word of [*at, end); *at moves behind it. ERR_NOT_FOUND at the end,
 * ERR_MALFORMED for a quote that does not end, or ends within a word.
 */
RST_MUST_USE enum err torreply_word(struct torreply_word *out, const char **at, const char *end);
/* The word with this key among the words of a text; ERR_NOT_FOUND, ERR_MALFORMED. */
RST_MUST_USE enum err torreply_find(struct torreply_word *out, const char *text, size_t len,
    const char *key);
bool torreply_word_is(const struct torreply_word *w, const char *key);
/*
 * Undo a quoted C string ("..." with \n \t \r \" \\ \' and octal) into out, NUL
 * added; a text without quotes is copied. ERR_FULL if size is too small,
 * ERR_MALFORMED (a NUL or a character of control in it, too).
 */
RST_MUST_USE enum err torreply_unquote(char *out, size_t size, const char *p, size_t n);

#endif
