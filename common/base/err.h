/*
 * Errors: one enum for the whole tree, and a sentence for the person.
 *
 * Every function that can fail returns `enum err`; 0 is success. A function
 * whose failure a person must mend also fills a `struct diag` with one
 * sentence that names the cause and the remedy.
 */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include <stdarg.h>

#define RST_MUST_USE __attribute__((warn_unused_result))
#define RST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
	ERR_OK = 0,
	/* resources */
	ERR_MEMORY = -1,    /* allocation failed */
	ERR_IO = -2,	    /* the operating system refused a file or socket */
	ERR_FULL = -3,	    /* a bound of ours, or the disk, is reached */
	ERR_BUSY = -4,	    /* held by another process, or already running */
	ERR_NOT_FOUND = -5, /* no such thing */
	ERR_EXISTS = -6,    /* there already */
	ERR_CLOSED = -7,    /* the other side, or we, ended it */
	ERR_TIMEOUT = -8,   /* not in time */
	/* input */
	ERR_TRUNCATED = -20, /* fewer bytes than the format needs */
	ERR_TRAILING = -21,  /* bytes after the end */
	ERR_MALFORMED = -22, /* violates the format */
	ERR_RANGE = -23,     /* a value outside its limits */
	ERR_VERSION = -24,   /* a format newer than this program */
	ERR_USAGE = -25,     /* the caller's arguments make no sense */
	/* cryptography and protocol */
	ERR_CRYPTO = -40,    /* authentication failed, or a degenerate point */
	ERR_SIGNATURE = -41, /* a signature does not verify */
	ERR_PASSPHRASE = -42, /* wrong passphrase or key file */
	ERR_REPLAY = -43,    /* seen before */
	ERR_EPOCH = -44,     /* wrong or unknown epoch */
	ERR_CHAIN = -45,     /* a block does not follow its predecessor */
	ERR_ROLLBACK = -46,  /* state older than what a peer has seen of us */
	ERR_STATE = -47,     /* not possible in this state */
	ERR_DENIED = -48,    /* the other side does not admit us */
	ERR_NO_KEY = -49,    /* we have no key to be admitted with */
};

/* A short constant text for e ("truncated", "wrong passphrase"); never NULL. */
const char *err_text(enum err e);

/* One sentence for the person: cause, place, remedy. */
struct diag {
	char text[512];
};

/*
 * Write a sentence into d (cut to fit); d may be NULL. Returns e, so that a
 * failing function can say `return diag_set(d, ERR_RANGE, "...")`. Never pass
 * secrets, and bytes from outside only after they were checked printable.
 */
enum err diag_set(struct diag *d, enum err e, const char *fmt, ...)
    RST_PRINTF(3, 4);

#endif
