#include "config.h"

#include "common/base/alarms.h"

#include <string.h>

static const struct alarm_kind kinds[] = {
	{ LOG_DISK_FAILED, LOG_DISK_RECOVERED, -1, false },
	{ LOG_STORE_FAILED, LOG_STORE_RECOVERED, -1, false },
	{ LOG_SPENT_FAILED, LOG_SPENT_RECOVERED, -1, false },
	{ LOG_SEEDS_MISSING, LOG_SEEDS_MISSING_OVER, -1, false },
	{ LOG_DISK_LOW, LOG_DISK_LOW_OVER, -1, false },
	{ LOG_LINK_DOWN, LOG_LINK_DOWN_OVER, 0, false },
	{ LOG_ONION_DOWN, LOG_ONION_DOWN_OVER, -1, false },
	{ LOG_ONION_TWIN, LOG_ONION_TWIN_OVER, -1, false },
	{ LOG_ONION_EVICTION_FAILED, LOG_ONION_EVICTION_DONE, -1, false },
	{ LOG_JOURNAL_SILENT, LOG_JOURNAL_SILENT_OVER, -1, false },
	{ LOG_ROLLED_BACK, LOG_ROLLED_BACK_OVER, 1, true },
	{ LOG_SHEET_EQUIVOCATION, LOG_SHEET_EQUIVOCATION_OVER, 0, true },
	{ LOG_GATEWAY_LIED, LOG_GATEWAY_LIED_OVER, -1, false },
	{ LOG_SHEET_REFUSED, LOG_SHEET_REFUSED_OVER, 0, true },
	{ LOG_SHEET_MISSING, LOG_SHEET_MISSING_OVER, 0, true },
	{ LOG_CHAIN_BROKEN, LOG_CHAIN_BROKEN_OVER, 0, true },
	{ LOG_CHARTER_REFUSED, LOG_CHARTER_REFUSED_OVER, -1, false },
	{ LOG_CHARTER_BEHIND, LOG_CHARTER_BEHIND_OVER, -1, false },
	{ LOG_HEARTBEAT_LOST, LOG_HEARTBEAT_LOST_OVER, -1, false },
	{ LOG_HEARTBEAT_BLIND, LOG_HEARTBEAT_BLIND_OVER, -1, false },
	{ LOG_TOKENS_TROUBLE, LOG_TOKENS_TROUBLE_OVER, 0, false },
	{ LOG_NOT_IN_CHARTER, LOG_NOT_IN_CHARTER_OVER, -1, false },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

size_t
alarms_table(const struct alarm_kind **out)
{
	*out = kinds;
	return KINDS;
}

static uint64_t
number_of(const struct alarm_kind *k, const uint64_t *values)
{
	return values[k->counter > 0 ? k->counter : 0];
}

/* The condition of this kind and number; the number of a single one is no matter. */
static struct alarm *
find(struct alarms *a, const struct alarm_kind *k, uint64_t number)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->held[i].kind == k && (k->counter < 0 || a->held[i].number == number))
			return &a->held[i];
	return NULL;
}

static void
tell(struct alarms *a, bool raised, const struct alarm_kind *k, uint64_t number)
{
	if (a->changed != NULL)
		a->changed(a->arg, raised, log_event_name(k->raise), number);
}

static void
raise_alarm(struct alarms *a, const struct alarm_kind *k, uint64_t number)
{
	struct alarm *h = find(a, k, number);

	if (h != NULL) {
		h->count++;
		return;
	}
	if (a->count == ALARMS_MAX)
		return;
	a->held[a->count++] = (struct alarm){ .kind = k, .number = number, .count = 1,
		.since_ms = log_rounded_ms(clock_wall_ms(a->log->clock)) };
	tell(a, true, k, number);
}

static void
clear_alarm(struct alarms *a, const struct alarm_kind *k, uint64_t number)
{
	struct alarm *h = find(a, k, number);
	size_t behind;

	if (h == NULL)
		return;
	number = h->number;
	behind = a->count - 1 - (size_t)(h - a->held);
	memmove(h, h + 1, behind * sizeof(*h));
	a->count--;
	tell(a, false, k, number);
}

static void
observe(void *arg, enum log_event e, const uint64_t values[static LOG_COUNTERS])
{
	struct alarms *a = arg;

	for (size_t i = 0; i < KINDS; i++) {
		if (kinds[i].raise == e)
			raise_alarm(a, &kinds[i], number_of(&kinds[i], values));
		else if (kinds[i].clear == e)
			clear_alarm(a, &kinds[i], values[0]);
	}
}

void
alarms_init(struct alarms *a, struct log *log, alarms_cb *changed, void *arg)
{
	a->log = log;
	a->changed = changed;
	a->arg = arg;
	a->count = 0;
	log->observer = observe;
	log->observer_arg = a;
}

void
alarms_release(struct alarms *a)
{
	if (a->log == NULL || a->log->observer_arg != a)
		return;
	a->log->observer = NULL;
	a->log->observer_arg = NULL;
}

bool
alarms_hold(const struct alarms *a, enum log_event raise, uint64_t number)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->held[i].kind->raise == raise && a->held[i].number == number)
			return true;
	return false;
}

bool
alarms_hold_any(const struct alarms *a, enum log_event raise)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->held[i].kind->raise == raise)
			return true;
	return false;
}

void
alarms_epoch(struct alarms *a, uint32_t epoch)
{
	for (size_t i = a->count; i-- > 0;) {
		const struct alarm *h = &a->held[i];

		if (h->kind->epoch && h->number < epoch)
			log_event(a->log, h->kind->clear, h->number, 0, 0);
	}
}
