/*
 * The literals of the charter's text: counts, durations and shares. Each has
 * exactly one canonical spelling. The parsers also take another unit for a
 * duration ("60s" for "1min") and zeros at a share's end, which a person may
 * type; a charter whose text is not canonical is refused as a whole.
 */
#ifndef COMMON_CHARTER_LITERAL_H
#define COMMON_CHARTER_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any literal with its NUL. */
#define LITERAL_BYTES 32
#define LITERAL_SHARE_ONE 1000000u /* a share is counted in millionths */

/* Decimal digits without sign or leading zero, at most 18 of them. */
bool literal_count(uint64_t *out, const char *s);

/* A count and one of the units ms, s, min, h, d: milliseconds. */
bool literal_duration(int64_t *out, const char *s);
/* In the largest unit that leaves no rest; ms >= 0. */
void literal_duration_print(char out[static LITERAL_BYTES], int64_t ms);

/* "0.6", "1", at most six decimals, at most 1: millionths. */
bool literal_share(uint32_t *ppm, const char *s);
void literal_share_print(char out[static LITERAL_BYTES], uint32_t ppm);

#endif
