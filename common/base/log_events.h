/*
 * The table of log events: LOG_EVENT(id, level, "name", counters...).
 * No include guard: log.h and log.c include it with different LOG_EVENT.
 * Counters are numbers that give no person away: node numbers of the charter,
 * epochs, rounds rounded by the caller, counts.
 */
/* common */
LOG_EVENT(LOG_STARTED, LOG_INFO, "started", "node", "epoch", NULL)
LOG_EVENT(LOG_STOPPED, LOG_INFO, "stopped", "node", NULL, NULL)
LOG_EVENT(LOG_CLOCK_JUMP, LOG_WARNING, "clock-jump", "seconds", NULL, NULL)
LOG_EVENT(LOG_DISK_FAILED, LOG_ALARM, "disk-failed", "code", NULL, NULL)
LOG_EVENT(LOG_DISK_RECOVERED, LOG_INFO, "disk-recovered", NULL, NULL, NULL)
LOG_EVENT(LOG_DISK_LOW, LOG_ALARM, "disk-low", "free-mib", NULL, NULL)
LOG_EVENT(LOG_DISK_LOW_OVER, LOG_INFO, "disk-low-over", "free-mib", NULL, NULL)
LOG_EVENT(LOG_LINK_DOWN, LOG_ALARM, "link-down", "node", "minutes", NULL)
LOG_EVENT(LOG_LINK_DOWN_OVER, LOG_INFO, "link-down-over", "node", NULL, NULL)
LOG_EVENT(LOG_ALARM_COMMAND_FAILED, LOG_WARNING, "alarm-command-failed", "code", NULL, NULL)
LOG_EVENT(LOG_LINK_UP, LOG_INFO, "link-up", "node", NULL, NULL)
LOG_EVENT(LOG_LINK_LOST, LOG_WARNING, "link-lost", "node", "attempts", NULL)
LOG_EVENT(LOG_ROLLED_BACK, LOG_ALARM, "rolled-back", "node", "epoch", NULL)
LOG_EVENT(LOG_ROLLED_BACK_OVER, LOG_INFO, "rolled-back-over", "epoch", NULL, NULL)
LOG_EVENT(LOG_EPOCH_KEY_MADE, LOG_INFO, "epoch-key-made", "epoch", NULL, NULL)
LOG_EVENT(LOG_EPOCH_KEY_DESTROYED, LOG_INFO, "epoch-key-destroyed", "epoch", NULL, NULL)
LOG_EVENT(LOG_SHEET_ACCEPTED, LOG_INFO, "sheet-accepted", "epoch", "nodes", NULL)
LOG_EVENT(LOG_SHEET_REFUSED, LOG_ALARM, "sheet-refused", "epoch", "code", NULL)
LOG_EVENT(LOG_SHEET_EQUIVOCATION, LOG_ALARM, "sheet-equivocation", "epoch", NULL, NULL)
LOG_EVENT(LOG_SHEET_REFUSED_OVER, LOG_INFO, "sheet-refused-over", "epoch", NULL, NULL)
LOG_EVENT(LOG_SHEET_EQUIVOCATION_OVER, LOG_INFO, "sheet-equivocation-over", "epoch", NULL, NULL)
LOG_EVENT(LOG_SHEET_MISSING, LOG_ALARM, "sheet-missing", "epoch", "announced", NULL)
LOG_EVENT(LOG_SHEET_MISSING_OVER, LOG_INFO, "sheet-missing-over", "epoch", NULL, NULL)
LOG_EVENT(LOG_SHEET_WITHOUT_US, LOG_WARNING, "sheet-without-us", "epoch", "nodes", NULL)
LOG_EVENT(LOG_DROPS, LOG_INFO, "drops", "packets", "cause", "epoch")
LOG_EVENT(LOG_POOL_FULL, LOG_WARNING, "pool-full", "dropped", NULL, NULL)
/* gateway */
LOG_EVENT(LOG_SHEET_WRITTEN, LOG_INFO, "sheet-written", "epoch", "nodes", NULL)
LOG_EVENT(LOG_DAY_OPENED, LOG_INFO, "day-opened", "day", NULL, NULL)
LOG_EVENT(LOG_DAY_EXPIRED, LOG_INFO, "day-expired", "day", NULL, NULL)
LOG_EVENT(LOG_STORE_FAILED, LOG_ALARM, "store-failed", "code", NULL, NULL)
LOG_EVENT(LOG_STORE_RECOVERED, LOG_INFO, "store-recovered", NULL, NULL, NULL)
LOG_EVENT(LOG_JOURNAL_SILENT, LOG_ALARM, "journal-silent", "minutes", NULL, NULL)
LOG_EVENT(LOG_JOURNAL_SILENT_OVER, LOG_INFO, "journal-silent-over", NULL, NULL, NULL)
LOG_EVENT(LOG_SESSIONS, LOG_INFO, "sessions", "open", "refused", NULL)
LOG_EVENT(LOG_SESSIONS_LIMITED, LOG_WARNING, "sessions-limited", "sessions", "files", NULL)
/* client sessions (mix and client) */
LOG_EVENT(LOG_SESSION_ENDED, LOG_DEBUG, "session-ended", "reason", NULL, NULL)
LOG_EVENT(LOG_CHAIN_BROKEN, LOG_ALARM, "chain-broken", "epoch", "code", NULL)
LOG_EVENT(LOG_CHAIN_BROKEN_OVER, LOG_INFO, "chain-broken-over", "epoch", NULL, NULL)
LOG_EVENT(LOG_CLOCK_SKEW, LOG_WARNING, "clock-skew", "seconds", NULL, NULL)
