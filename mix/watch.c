#include "config.h"

#include "mix/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/notify.h"
#include "common/charter/timing.h"
#include "mix/alarmcmd.h"
#include "mix/diskroom.h"

#define MINUTE_MS 60000
#define MIB ((uint64_t)1 << 20)
#define FORMAT 1 /* of the JSON; docs/operator.md */

/* A peer one of whose links is down. */
struct down {
	uint16_t number;
	int64_t since_ms; /* boot time */
	bool seen;	  /* at this look */
};

struct watch {
	struct watch_config cfg;
	struct alarms alarms;
	struct alarmcmd *command; /* NULL: none */
	struct timer *look, *watchdog;
	struct workq *queue; /* for measuring the disk */
	const char *why_not;
	const char *told; /* the sentence that the service manager has; NULL: none yet */
	bool ready_told, begun;
	struct watch_view view; /* of the last look */
	int64_t started_ms, counted_ms; /* boot time */
	int64_t block_ms;		/* when there was another block */
	uint64_t blocks;
	struct down downs[CHARTER_NODES_MAX];
	size_t down_count;
	/* the disk; the queue's thread writes `room` while measuring is set */
	bool measuring, measured;
	enum err room_err;
	struct diskroom room, shown; /* shown: of the last count */
};

static int64_t
boot_ms(const struct watch *w)
{
	return loop_boot_ms(w->cfg.loop);
}

static int64_t
scaled(const struct watch *w, int64_t ms)
{
	return params_scaled(&w->cfg.charter->params, ms);
}

/* ---- readiness ---- */

/* The first thing that keeps the node from its work; NULL: nothing. */
static const char *
why_not(const struct watch *w)
{
	const struct watch_view *v = &w->view;
	bool dials = false, reaches = false;

	if (w->why_not != NULL)
		return w->why_not;
	if (alarms_hold_any(&w->alarms, LOG_DISK_FAILED) ||
	    alarms_hold_any(&w->alarms, LOG_STORE_FAILED))
		return "the disk refuses to be written; make room or mend it";
	if (!v->has_place)
		return "the charter does not have this node";
	if (!v->serves)
		return "the charter that has this node is not in force";
	if (v->struck)
		return "two sheets were shown for the running epoch, which is sat out";
	if (v->sits_out)
		return "an old state was restored; the running epoch is sat out";
	if (!v->has_sheet)
		return "the running epoch has no sheet of keys yet";
	if (v->stands != NULL)
		return v->stands;
	for (size_t i = 0; i < v->link_count; i++) {
		dials = dials || v->links[i].dials;
		reaches = reaches || v->links[i].dialled_up;
	}
	return dials && !reaches ? "no other node is reached" : NULL;
}

/* The service manager has a socket or not; either way it is not our trouble. */
static void
tell_manager(const char *lines)
{
	if (notify_send(lines) != ERR_OK)
		return;
}

static void
tell_state(struct watch *w)
{
	const char *reason = why_not(w), *sentence = reason != NULL ? reason : "ready";
	bool ready = w->why_not == NULL && !w->ready_told;
	char lines[512];

	if (!ready && w->told != NULL && strcmp(w->told, sentence) == 0)
		return;
	w->told = sentence;
	w->ready_told = w->ready_told || ready;
	(void)snprintf(lines, sizeof(lines), "%sSTATUS=%s", ready ? "READY=1\n" : "", sentence);
	tell_manager(lines);
}

void
watch_ready(struct watch *w, const char *reason)
{
	w->why_not = reason;
	if (w->begun)
		timer_after(w->look, 0);
}

void
watch_stopping(struct watch *w)
{
	if (w->begun)
		tell_manager("STOPPING=1\nSTATUS=ending");
}

static void
on_watchdog(void *arg)
{
	struct watch *w = arg;

	tell_manager("WATCHDOG=1");
	timer_after(w->watchdog, notify_watchdog_ms() / 2);
}

/* ---- the disk ---- */

static void
measure(void *arg)
{
	struct watch *w = arg;

	w->room_err = diskroom_measure(&w->room, w->cfg.state);
}

/* An eighth more must be free before the alarm ends, so that it does not flicker. */
static void
measured(void *arg)
{
	struct watch *w = arg;
	uint64_t least = (uint64_t)w->cfg.disk_low, has = w->room.free_bytes;
	bool low = alarms_hold_any(&w->alarms, LOG_DISK_LOW);

	w->measuring = false;
	if (w->room_err != ERR_OK)
		return;
	if (!w->measured)
		w->shown = w->room;
	w->measured = true;
	if (!low && has < least)
		log_event(w->cfg.log, LOG_DISK_LOW, has / MIB, 0, 0);
	else if (low && has >= least + least / 8)
		log_event(w->cfg.log, LOG_DISK_LOW_OVER, has / MIB, 0, 0);
}

static void
look_at_disk(struct watch *w)
{
	if (!w->measuring)
		w->measuring = workq_add(w->queue, measure, measured, w) == ERR_OK;
}

/* ---- the links ---- */

static struct down *
down_of(struct watch *w, uint16_t number)
{
	for (size_t i = 0; i < w->down_count; i++)
		if (w->downs[i].number == number)
			return &w->downs[i];
	return NULL;
}

static bool
is_whole(const struct links_peer *p)
{
	return (!p->dials || p->dialled_up) && (!p->accepts || p->accepted_up);
}

static void
look_at_link(struct watch *w, const struct links_peer *p)
{
	struct down *d = down_of(w, p->number);
	int64_t since;

	if (is_whole(p) || !p->serving)
		return;
	if (d == NULL && w->down_count < CHARTER_NODES_MAX) {
		d = &w->downs[w->down_count++];
		*d = (struct down){ .number = p->number, .since_ms = boot_ms(w) };
	}
	if (d == NULL)
		return;
	d->seen = true;
	since = boot_ms(w) - d->since_ms;
	if (since >= scaled(w, WATCH_LINK_MS) && !alarms_hold(&w->alarms, LOG_LINK_DOWN, p->number))
		log_event(w->cfg.log, LOG_LINK_DOWN, p->number, WATCH_LINK_MS / MINUTE_MS, 0);
}

/* Those that are up again, or that the charter has no more. */
static void
forget_links(struct watch *w)
{
	for (size_t i = w->down_count; i-- > 0;) {
		struct down *d = &w->downs[i];

		if (d->seen)
			continue;
		if (alarms_hold(&w->alarms, LOG_LINK_DOWN, d->number))
			log_event(w->cfg.log, LOG_LINK_DOWN_OVER, d->number, 0, 0);
		*d = w->downs[--w->down_count];
	}
}

static void
look_at_links(struct watch *w)
{
	for (size_t i = 0; i < w->down_count; i++)
		w->downs[i].seen = false;
	for (size_t i = 0; i < w->view.link_count; i++)
		look_at_link(w, &w->view.links[i]);
	forget_links(w);
}

/* ---- the epoch and the journal ---- */

static void
raise_of_epoch(struct watch *w, enum log_event e, uint64_t a, uint64_t b)
{
	if (!alarms_hold(&w->alarms, e, w->view.epoch))
		log_event(w->cfg.log, e, a, b, 0);
}

/* Also after a restart, when what happened before is known from the disk alone. */
static void
look_at_epoch(struct watch *w)
{
	const struct watch_view *v = &w->view;
	int64_t into = loop_wall_ms(w->cfg.loop) -
	    timing_epoch_start(&w->cfg.charter->params, v->epoch);
	int64_t runs = boot_ms(w) - w->started_ms;

	alarms_epoch(&w->alarms, v->epoch);
	if (v->has_sheet && alarms_hold(&w->alarms, LOG_SHEET_MISSING, v->epoch))
		log_event(w->cfg.log, LOG_SHEET_MISSING_OVER, v->epoch, 0, 0);
	if (v->struck)
		raise_of_epoch(w, LOG_SHEET_EQUIVOCATION, v->epoch, 0);
	else if (v->serves && charter_announces(w->cfg.own) && !v->has_sheet && into >= scaled(w, WATCH_SHEET_MS) &&
	    runs >= scaled(w, WATCH_SHEET_MS))
		raise_of_epoch(w, LOG_SHEET_MISSING, v->epoch, 0);
	if (v->sits_out && !v->struck)
		raise_of_epoch(w, LOG_ROLLED_BACK, w->cfg.own->number, v->epoch);
}

/* As long as evidence is there, somebody has to deal with it. */
static void
look_at_evidence(struct watch *w)
{
	bool told = alarms_hold_any(&w->alarms, LOG_GATEWAY_LIED);

	if (w->view.evidence > 0 && !told)
		log_event(w->cfg.log, LOG_GATEWAY_LIED, w->view.lied_epoch, 0, 0);
	else if (w->view.evidence == 0 && told)
		log_event(w->cfg.log, LOG_GATEWAY_LIED_OVER, 0, 0, 0);
}

static void
look_at_journal(struct watch *w)
{
	const struct watch_view *v = &w->view;
	bool silent = alarms_hold_any(&w->alarms, LOG_JOURNAL_SILENT);

	if (!v->journal || v->blocks != w->blocks) {
		w->block_ms = boot_ms(w);
		w->blocks = v->blocks;
		if (silent)
			log_event(w->cfg.log, LOG_JOURNAL_SILENT_OVER, 0, 0, 0);
		return;
	}
	if (!silent && boot_ms(w) - w->block_ms >= scaled(w, WATCH_SILENT_MS))
		log_event(w->cfg.log, LOG_JOURNAL_SILENT, WATCH_SILENT_MS / MINUTE_MS, 0, 0);
}

/* ---- looks ---- */

static void
take_view(struct watch *w)
{
	memset(&w->view, 0, sizeof(w->view));
	w->cfg.node->look(w->cfg.arg, &w->view);
}

static void
count(struct watch *w)
{
	if (boot_ms(w) - w->counted_ms < scaled(w, WATCH_COUNT_MS))
		return;
	w->counted_ms = boot_ms(w);
	w->cfg.node->count(w->cfg.arg);
	if (w->measured && !w->measuring)
		w->shown = w->room;
}

static void
on_look(void *arg)
{
	struct watch *w = arg;

	take_view(w);
	count(w);
	look_at_epoch(w);
	look_at_evidence(w);
	look_at_links(w);
	look_at_journal(w);
	look_at_disk(w);
	tell_state(w);
	timer_after(w->look, scaled(w, WATCH_LOOK_MS));
}

static void
alarm_changed(void *arg, bool raised, const char *name, uint64_t number)
{
	struct watch *w = arg;

	if (w->command != NULL)
		alarmcmd_tell(w->command, raised, name, number);
}

/* ---- status ---- */

static void
report_node(struct report *r, struct watch *w)
{
	const struct charter_node *own = w->cfg.own;
	const char *reason = why_not(w);
	int64_t minutes = (boot_ms(w) - w->started_ms) / MINUTE_MS;

	if (r->json)
		report_u64(r, "format", FORMAT);
	report_text(r, "program", w->cfg.program);
	report_text(r, "version", PACKAGE_VERSION);
	report_bool(r, "ready", reason == NULL);
	report_text(r, "reason", reason);
	report_u64(r, "uptime_minutes", (uint64_t)(minutes - minutes % 10));
	report_u64(r, "node", own->number);
	report_text(r, "role", charter_role_text(own->role));
	if (own->role == CHARTER_MIX)
		report_u64(r, "layer", own->layer);
}

static void
report_charter(struct report *r, const struct watch *w)
{
	report_section(r, "charter");
	report_text(r, "network", w->cfg.charter->name);
	report_u64(r, "version", w->view.charter);
	if (w->view.coming_charter == 0)
		return;
	report_u64(r, "coming_version", w->view.coming_charter);
	report_u64(r, "coming_epoch", w->view.coming_epoch);
}

static void
report_epoch(struct report *r, const struct watch *w)
{
	report_section(r, "epoch");
	report_u64(r, "number", w->view.epoch);
	if (!charter_announces(w->cfg.own))
		return; /* it has no part in sheets */
	report_bool(r, "sheet", w->view.has_sheet);
	report_u64(r, "sheet_nodes", w->view.sheet_nodes);
	report_bool(r, "sits_out", w->view.sits_out);
	if (w->cfg.own->role == CHARTER_MIX)
		report_u64(r, "evidence", w->view.evidence);
}

static const char *
up_or_down(bool there, bool up)
{
	if (!there)
		return NULL;
	return up ? "up" : "down";
}

static void
report_links(struct report *r, const struct watch *w)
{
	report_list(r, "links");
	for (size_t i = 0; i < w->view.link_count; i++) {
		const struct links_peer *p = &w->view.links[i];

		report_row(r);
		report_u64(r, "node", p->number);
		report_text(r, "dialled", up_or_down(p->dials, p->dialled_up));
		report_text(r, "accepted", up_or_down(p->accepts, p->accepted_up));
	}
	report_close_list(r);
}

static void
report_disk(struct report *r, const struct watch *w)
{
	bool failing = alarms_hold_any(&w->alarms, LOG_DISK_FAILED) ||
	    alarms_hold_any(&w->alarms, LOG_STORE_FAILED);
	bool low = alarms_hold_any(&w->alarms, LOG_DISK_LOW);

	report_section(r, "disk");
	report_text(r, "state", failing ? "failing" : low ? "low" : "ok");
	if (!w->measured)
		return;
	report_u64(r, "used_mib", w->shown.used_bytes / MIB);
	report_u64(r, "free_mib", w->shown.free_bytes / MIB);
}

static void
report_alarms(struct report *r, const struct watch *w)
{
	report_list(r, "alarms");
	for (size_t i = 0; i < w->alarms.count; i++) {
		const struct alarm *h = &w->alarms.held[i];

		report_row(r);
		report_text(r, "name", log_event_name(h->kind->raise));
		report_u64(r, "number", h->number);
		report_u64(r, "times", h->count);
		report_time(r, "since", h->since_ms);
	}
	report_close_list(r);
}

enum err
watch_status(struct watch *w, struct buf *out, bool *good, bool json)
{
	struct report r;

	take_view(w);
	report_begin(&r, out, json);
	report_node(&r, w);
	if (w->cfg.sandbox != NULL)
		sandbox_report(w->cfg.sandbox, &r);
	report_charter(&r, w);
	report_epoch(&r, w);
	report_links(&r, w);
	w->cfg.node->report(w->cfg.arg, &r);
	report_disk(&r, w);
	report_alarms(&r, w);
	*good = why_not(w) == NULL && w->alarms.count == 0;
	return report_end(&r);
}

/* ---- life ---- */

enum err
watch_new(struct watch **out, const struct watch_config *cfg)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum err e = ERR_OK;

	if (w == NULL)
		return ERR_MEMORY;
	w->cfg = *cfg;
	w->why_not = "the daemon is starting";
	w->look = timer_new(cfg->loop, on_look, w);
	w->watchdog = timer_new(cfg->loop, on_watchdog, w);
	w->queue = workq_new(cfg->loop, 1);
	if (w->look == NULL || w->watchdog == NULL || w->queue == NULL)
		e = ERR_MEMORY;
	if (e == ERR_OK && cfg->alarm_helper != NULL)
		e = alarmcmd_new(&w->command, cfg->loop, cfg->log, cfg->alarm_helper,
		    cfg->alarm_program);
	if (e != ERR_OK) {
		watch_free(w);
		return e;
	}
	alarms_init(&w->alarms, cfg->log, alarm_changed, w);
	*out = w;
	return ERR_OK;
}

void
watch_begin(struct watch *w)
{
	w->begun = true;
	w->started_ms = w->counted_ms = w->block_ms = boot_ms(w);
	timer_after(w->look, 0);
	if (notify_watchdog_ms() > 0)
		timer_after(w->watchdog, 0);
}

void
watch_end(struct watch *w)
{
	if (w == NULL)
		return;
	w->begun = false;
	timer_cancel(w->look);
	timer_cancel(w->watchdog);
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	if (w->queue != NULL)
		workq_free(w->queue); /* its last measurement comes from here */
	alarms_release(&w->alarms);
	alarmcmd_free(w->command);
	timer_free(w->look);
	timer_free(w->watchdog);
	free(w);
}
