#include "config.h"

#include "mix/alarmcmd.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define LOOK_MS 50 /* whether it has ended */
#define BY_SIGNAL 128

struct told {
	bool raised;
	const char *name;
	uint64_t number;
};

struct alarmcmd {
	struct loop *loop;
	struct log *log;
	struct helper *helper;
	size_t program;
	struct timer *look;
	bool runs;
	int64_t until_ms;
	struct told waiting[ALARMCMD_WAITING_MAX];
	size_t count;
};

/* ---- one after the other ---- */

static void
failed(struct alarmcmd *x, unsigned code)
{
	log_event(x->log, LOG_ALARM_COMMAND_FAILED, code, 0, 0);
}

static void
start(struct alarmcmd *x, const struct told *t)
{
	char number[24];
	const char *const words[] = { t->raised ? "raised" : "cleared", t->name, number };
	int why;

	(void)snprintf(number, sizeof(number), "%" PRIu64, t->number);
	if (helper_run(x->helper, x->program, words, 3, &why) != ERR_OK) {
		failed(x, HELPER_NOT_STARTED);
		return;
	}
	x->runs = true;
	x->until_ms = loop_boot_ms(x->loop) + ALARMCMD_LIMIT_MS;
	timer_after(x->look, LOOK_MS);
}

static void
start_next(struct alarmcmd *x)
{
	struct told t;

	while (!x->runs && x->count > 0) {
		t = x->waiting[0];
		x->count--;
		memmove(x->waiting, x->waiting + 1, x->count * sizeof(x->waiting[0]));
		start(x, &t);
	}
}

static void
ended(struct alarmcmd *x, int status)
{
	x->runs = false;
	if (WIFSIGNALED(status))
		failed(x, BY_SIGNAL + (unsigned)WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		failed(x, (unsigned)WEXITSTATUS(status));
	start_next(x);
}

static void
on_look(void *arg)
{
	struct alarmcmd *x = arg;
	int status = 0;

	if (!x->runs) {
		start_next(x);
		return;
	}
	if (!helper_runs(x->helper, x->program, &status)) {
		ended(x, status);
		return;
	}
	if (loop_boot_ms(x->loop) >= x->until_ms)
		helper_signal(x->helper, x->program, SIGKILL);
	timer_after(x->look, LOOK_MS);
}

void
alarmcmd_tell(struct alarmcmd *x, bool raised, const char *name, uint64_t number)
{
	if (x->count == ALARMCMD_WAITING_MAX) {
		failed(x, HELPER_NOT_STARTED);
		return;
	}
	x->waiting[x->count++] = (struct told){ raised, name, number };
	if (!x->runs)
		timer_after(x->look, 0); /* not from inside what raised it */
}

/* ---- life ---- */

enum err
alarmcmd_new(struct alarmcmd **out, struct loop *l, struct log *log, struct helper *helper,
    size_t program)
{
	struct alarmcmd *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return ERR_MEMORY;
	x->loop = l;
	x->log = log;
	x->helper = helper;
	x->program = program;
	x->look = timer_new(l, on_look, x);
	if (x->look == NULL) {
		alarmcmd_free(x);
		return ERR_MEMORY;
	}
	*out = x;
	return ERR_OK;
}

void
alarmcmd_free(struct alarmcmd *x)
{
	if (x == NULL)
		return;
	if (x->runs)
		helper_signal(x->helper, x->program, SIGKILL);
	timer_free(x->look);
	free(x);
}
