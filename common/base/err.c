#include "config.h"

#include "common/base/err.h"

#include <stdio.h>

const char *
err_text(enum err e)
{
	switch (e) {
	case ERR_OK:
		return "success";
	case ERR_MEMORY:
		return "out of memory";
	case ERR_IO:
		return "input/output error";
	case ERR_FULL:
		return "full";
	case ERR_BUSY:
		return "in use";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_EXISTS:
		return "exists already";
	case ERR_CLOSED:
		return "closed";
	case ERR_TIMEOUT:
		return "timed out";
	case ERR_TRUNCATED:
		return "truncated";
	case ERR_TRAILING:
		return "bytes after the end";
	case ERR_MALFORMED:
		return "malformed";
	case ERR_RANGE:
		return "out of range";
	case ERR_VERSION:
		return "made by a newer version";
	case ERR_USAGE:
		return "invalid argument";
	case ERR_CRYPTO:
		return "authentication failed";
	case ERR_SIGNATURE:
		return "bad signature";
	case ERR_PASSPHRASE:
		return "wrong passphrase or key file";
	case ERR_REPLAY:
		return "replayed";
	case ERR_EPOCH:
		return "wrong epoch";
	case ERR_CHAIN:
		return "broken chain";
	case ERR_ROLLBACK:
		return "rolled back";
	case ERR_STATE:
		return "not possible now";
	case ERR_DENIED:
		return "not admitted";
	case ERR_NO_KEY:
		return "no key to be admitted with";
	}
	return "unknown error";
}

enum err
diag_set(struct diag *d, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (d == NULL)
		return e;
	va_start(ap, fmt);
	(void)vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return e;
}
