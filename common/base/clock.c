#include "config.h"

#include "common/base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t
read_ms(clockid_t id)
{
	struct timespec t = {0};

	(void)clock_gettime(id, &t); /* cannot fail for the two clocks we pass */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t
system_wall_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_REALTIME);
}

static int64_t
system_boot_ms(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_BOOTTIME);
}

const struct clock *
clock_system(void)
{
	static const struct clock system = {system_wall_ms, system_boot_ms, NULL};

	return &system;
}

int64_t
clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c->ctx);
}

int64_t
clock_boot_ms(const struct clock *c)
{
	return c->boot_ms(c->ctx);
}
