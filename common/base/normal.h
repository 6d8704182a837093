/*
 * The normal distribution in whole numbers: the same value on every machine and
 * with every compiler, so that one seed gives one run everywhere. Pure.
 */
#ifndef COMMON_BASE_NORMAL_H
#define COMMON_BASE_NORMAL_H

#include <stdint.h>

#define NORMAL_ONE (UINT32_C(1) << 30)

/*
 * Phi((x - mean) / deviation) in units of 1 / NORMAL_ONE, for a deviation from 1 to
 * 10^9. It is off by less than 8 units (2^-27) from the true value, 0 below -6.25
 * and NORMAL_ONE above 6.25.
 */
uint32_t normal_cdf(int64_t x, int64_t mean, uint32_t deviation);

#endif
