#include "config.h"

#include "tests/scenario/script.h"

#include "tests/lib/test.h"

#define MINUTE_MS SCRIPT_MINUTE_MS
#define LOOK_MS (MINUTE_MS + MINUTE_MS / 2) /* a minute's wait, until it is looked for, a slot */

/* What is opened, and within which time. */
struct expected {
	enum linker_read read;
	unsigned hour;
	int64_t from_ms, to_ms;
};

static const struct expected script[] = {
    /* its blocks begin with the founding epoch block, so that nothing is to be fetched */
    {LINKER_LIVE, 0, SCRIPT_START_MS, SCRIPT_START_MS + MINUTE_MS},
    {LINKER_LIVE, 1, 49 * MINUTE_MS, 60 * MINUTE_MS},
    /* asleep; then a wait, and what is missing after it */
    {LINKER_LIVE, 3, SCRIPT_WAKE_MS, SCRIPT_WAKE_MS + 16 * MINUTE_MS},
    {LINKER_EPOCHS, 3, SCRIPT_WAKE_MS, SCRIPT_WAKE_MS + 16 * MINUTE_MS + 2 * LOOK_MS},
    {LINKER_DAY, 3, SCRIPT_WAKE_MS, SCRIPT_WAKE_MS + 16 * MINUTE_MS + 5 * LOOK_MS},
    {LINKER_LIVE, 4, 229 * MINUTE_MS, 240 * MINUTE_MS},
    {LINKER_LIVE, 4, SCRIPT_BREAK_MS, SCRIPT_BREAK_MS + 17 * MINUTE_MS},
    {LINKER_LIVE, 5, 289 * MINUTE_MS, 300 * MINUTE_MS},
};
#define COUNT (sizeof(script) / sizeof(script[0]))

void
script_check(const struct script_session *of, size_t n)
{
	for (size_t i = 0; i < n && n != COUNT; i++)
		print_message("# %zu: read %d of hour %u after %lld s\n", i, (int)of[i].read,
			      of[i].hour, (long long)of[i].at_ms / 1000);
	assert_int_equal(n, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(of[i].read, script[i].read);
		assert_int_equal(of[i].hour, script[i].hour);
		assert_in_range(of[i].at_ms, script[i].from_ms, script[i].to_ms);
	}
}
