#include "config.h"

#include "tests/soak/diary.h"

#include <stdarg.h>

#include "tests/scenario/fixture.h"

void
diary_time(char out[static 32], int64_t now_ms)
{
	long long s = (long long)(now_ms - FIXTURE_START_MS) / 1000;

	(void)snprintf(out, 32, "day %lld %02lld:%02lld:%02lld", s / 86400 + 1, s / 3600 % 24,
	    s / 60 % 60, s % 60);
}

void
diary_note(struct diary *d, int64_t now_ms, const char *form, ...)
{
	char *line = d->lines[d->written++ % DIARY_LINES], when[32];
	va_list args;
	int n;

	diary_time(when, now_ms);
	n = snprintf(line, DIARY_LINE_MAX, "%s  ", when);
	va_start(args, form);
	(void)vsnprintf(line + n, DIARY_LINE_MAX - (size_t)n, form, args);
	va_end(args);
}

void
diary_print(const struct diary *d, FILE *out)
{
	uint64_t from = d->written > DIARY_LINES ? d->written - DIARY_LINES : 0;

	for (uint64_t i = from; i < d->written; i++)
		(void)fprintf(out, "  %s\n", d->lines[i % DIARY_LINES]);
}
