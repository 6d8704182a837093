/*
 * The clock: one interface, replaceable. Only clock.c reads a system clock.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC */
	int64_t (*boot_ms)(void *ctx); /* CLOCK_BOOTTIME: steady, counts sleep */
	void *ctx;
};

/* CLOCK_REALTIME and CLOCK_BOOTTIME. */
const struct clock *clock_system(void);

int64_t clock_wall_ms(const struct clock *c);
int64_t clock_boot_ms(const struct clock *c);

#endif
