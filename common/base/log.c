#include "config.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/civil.h"

#define ROUND_MS ((int64_t)10 * 60 * 1000)

struct event {
	enum log_level level;
	const char *name;
	const char *counters[LOG_COUNTERS];
};

#define LOG_EVENT(id, level, name, a, b, c) [id] = {level, name, {a, b, c}},
static const struct event events[LOG_EVENT_COUNT] = {
#include "common/base/log_events.h"
};
#undef LOG_EVENT

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ALARM] = "alarm",
};
#define LEVELS (sizeof(level_names) / sizeof(level_names[0]))

int64_t
log_rounded_ms(int64_t wall_ms)
{
	int64_t over = wall_ms % ROUND_MS;

	return wall_ms - (over < 0 ? over + ROUND_MS : over);
}

void
log_event(struct log *l, enum log_event e, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t values[LOG_COUNTERS] = {a, b, c};
	char time[CIVIL_TEXT_BYTES], line[256];
	const struct event *v = &events[e];
	int n;

	if (l == NULL)
		return;
	if (l->observer != NULL)
		l->observer(l->observer_arg, e, values);
	if (l->out == NULL || v->level < l->threshold)
		return;
	civil_text(time, log_rounded_ms(clock_wall_ms(l->clock)));
	n = snprintf(line, sizeof(line), "%s %s %s", time, level_names[v->level], v->name);
	for (size_t i = 0; i < LOG_COUNTERS && v->counters[i] != NULL; i++)
		n += snprintf(
		    line + n, sizeof(line) - (size_t)n, " %s=%" PRIu64, v->counters[i], values[i]);
	/* one call, so that lines of several threads do not mix */
	(void)fprintf(l->out, "%s\n", line);
	(void)fflush(l->out);
}

void
log_disk(struct log *l, bool *failing, enum err e)
{
	bool was = *failing;

	*failing = e != ERR_OK;
	if (l == NULL || *failing == was)
		return;
	if (*failing)
		l->failing++;
	else
		l->failing--;
	if (*failing)
		log_event(l, LOG_DISK_FAILED, (uint64_t)-(int64_t)e, 0, 0);
	else if (l->failing == 0)
		log_event(l, LOG_DISK_RECOVERED, 0, 0, 0);
}

const char *
log_event_name(enum log_event e)
{
	return events[e].name;
}

enum log_level
log_event_level(enum log_event e)
{
	return events[e].level;
}

enum err
log_level_parse(enum log_level *out, const char *s)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (strcmp(s, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return ERR_OK;
		}
	return ERR_MALFORMED;
}
