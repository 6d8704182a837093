/*
 * A node's desk: the unix socket at which its operator asks it things while it
 * runs (`status`, `member add`, `charter publish`). Used by both daemons and by
 * their command lines. The socket is the owner's alone (mode 0600).
 *
 *   request = verb length u8 || verb || payload length u32 || payload
 *   answer  = code i32 (enum err) || text length u32 || text
 *
 * (deskwire.h). One request a connection. What is answered is text: on success
 * what the verb's command prints, else a sentence.
 */
#ifndef MIX_DESK_H
#define MIX_DESK_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/net/loop.h"
#include "mix/deskwire.h"

#define DESK_VISITORS_MAX 16   /* connections at a time */
#define DESK_PATIENCE_MS 10000 /* for a request to come, and for its answer to leave */

struct desk;
struct desk_call; /* one request that waits for its answer */

/*
 * The payload is valid during the call. Must answer once, in the call or later;
 * the daemon's visitor waits as long as its own time-out. Never desk_free from here.
 */
typedef void desk_verb_cb(void *arg, struct desk_call *call, const uint8_t *payload, size_t n);

/* Listen at "unix:/path", and nowhere else. ERR_BUSY, ERR_USAGE with a sentence. */
RST_MUST_USE enum err desk_open(struct desk **out, struct loop *l, const char *address,
    struct diag *d);
/* Waiting calls are gone: desk_answer must not be called with them any more. */
void desk_free(struct desk *k);
/* Serve a verb; its name is borrowed. ERR_MEMORY, ERR_EXISTS, ERR_USAGE (too long, or none). */
RST_MUST_USE enum err desk_serve(struct desk *k, const char *verb, desk_verb_cb *run, void *arg);
/*
 * Answer and free the call. text may be NULL if n is 0; a text beyond DESK_TEXT_MAX
 * becomes ERR_FULL with a sentence.
 */
void desk_answer(struct desk_call *call, enum err e, const void *text, size_t n);
/* The same with a sentence (err_text(e) if d has none). */
void desk_refuse(struct desk_call *call, enum err e, const struct diag *d);

/*
 * The command line's side: ask, and append the text of the answer to out.
 * Blocks, at most timeout_ms. The daemon's own error comes back with its sentence;
 * ERR_NOT_FOUND with a sentence if no daemon listens there, ERR_BUSY, ERR_TIMEOUT,
 * ERR_CLOSED likewise. A verb that the daemon does not know is ERR_VERSION.
 */
RST_MUST_USE enum err desk_ask(struct buf *out, const char *address, const char *verb,
    const void *payload, size_t n, int64_t timeout_ms, struct diag *d);

#endif
