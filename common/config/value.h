/*
 * Values as text: what configuration files, charters and command lines share.
 * Each parser takes the whole string, without blanks around it; ERR_MALFORMED
 * for another form, ERR_RANGE for a number that does not fit. Pure.
 */
#ifndef COMMON_CONFIG_VALUE_H
#define COMMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Room for any number, duration or size as text. */
#define CONFIG_VALUE_BYTES 32

/* "yes" or "no". */
RST_MUST_USE enum err config_bool(bool *out, const char *s);
/* Decimal digits, perhaps after a minus; no plus, no leading zero. */
RST_MUST_USE enum err config_integer(int64_t *out, const char *s);
/* "2", "0.25": at most three places behind the point. Thousandths, never negative. */
RST_MUST_USE enum err config_decimal(int64_t *milli, const char *s);
/* A count and a unit: "200ms", "5s", "10min", "6h", "14d". Milliseconds. */
RST_MUST_USE enum err config_duration(int64_t *ms, const char *s);
/* A count, alone or with "KiB", "MiB" or "GiB". Bytes. */
RST_MUST_USE enum err config_size(int64_t *bytes, const char *s);
/* An absolute path of printable characters. */
RST_MUST_USE enum err config_path(const char *s);
/*
 * "host:port" with a host name, an .onion name or an IPv4 address,
 * "[IPv6]:port", or "unix:/path". The form only: common/net/address.h says
 * which of them can be used where.
 */
RST_MUST_USE enum err config_address(const char *s);

/* The text of a duration or size (>= 0) in the largest unit that leaves no rest. */
void config_duration_text(char out[static CONFIG_VALUE_BYTES], int64_t ms);
void config_decimal_text(char out[static CONFIG_VALUE_BYTES], int64_t milli);
void config_size_text(char out[static CONFIG_VALUE_BYTES], int64_t bytes);

/*
 * Of the n names, the one that differs from s by at most two inserted, lost or
 * changed characters, or NULL: "did you mean ...?". name gives the i-th.
 */
const char *config_similar(
    const char *s, size_t n, const char *(*name)(const void *arg, size_t i), const void *arg);

#endif
