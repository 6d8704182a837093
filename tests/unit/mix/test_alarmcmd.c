#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/net/loop_event.h"
#include "mix/alarmcmd.h"
#include "tests/lib/test.h"

#define LOOK_MS 20
#define GUARD_MS 20000

/* A real loop, a command of ours, and the file that it writes. */
struct scene {
	struct loop *loop;
	struct log log;
	struct helper *helper;
	struct alarmcmd *cmd;
	struct timer *look;
	char script[1024], out[1024];
	char *text; /* the log */
	size_t text_len;
	const char *want; /* stop when `out`, or the log, holds it */
	int64_t until_ms;
	bool came;
};

static char *
slurp(const char *path)
{
	char *text = calloc(1, 8192);
	FILE *f = fopen(path, "r");

	assert_non_null(text);
	if (f == NULL)
		return text;
	text[fread(text, 1, 8191, f)] = '\0';
	(void)fclose(f);
	return text;
}

static void
on_look(void *arg)
{
	struct scene *s = arg;
	char *out = slurp(s->out);

	(void)fflush(s->log.out);
	s->came = strstr(out, s->want) != NULL || strstr(s->text, s->want) != NULL;
	free(out);
	if (s->came || loop_boot_ms(s->loop) > s->until_ms)
		loop_event_stop(s->loop);
	else
		timer_after(s->look, LOOK_MS);
}

static void
wait_for(struct scene *s, const char *want)
{
	s->want = want;
	s->until_ms = loop_boot_ms(s->loop) + GUARD_MS;
	timer_after(s->look, 0);
	loop_event_run(s->loop);
	if (!s->came)
		fail_msg("did not come: %s; the log: %s", want, s->text);
}

static void
scene_begin(struct scene *s, const char *body)
{
	const struct helper_program program = { .argv = { s->script }, .words_max = 3 };
	static unsigned number;
	FILE *f;

	memset(s, 0, sizeof(*s));
	number++;
	(void)snprintf(s->script, sizeof(s->script), "%s/command%u", test_tmpdir(), number);
	(void)snprintf(s->out, sizeof(s->out), "%s/out%u", test_tmpdir(), number);
	if (body != NULL) {
		f = fopen(s->script, "w");
		assert_non_null(f);
		(void)fprintf(f, "#!/bin/sh\nout=%s\n%s\n", s->out, body);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(chmod(s->script, 0700), 0);
	}
	s->log.out = open_memstream(&s->text, &s->text_len);
	assert_non_null(s->log.out);
	s->log.clock = clock_system();
	assert_err_ok(loop_event_new(&s->loop, NULL));
	s->look = timer_new(s->loop, on_look, s);
	assert_non_null(s->look);
	assert_err_ok(helper_new(&s->helper, &program, 1, NULL));
	assert_err_ok(alarmcmd_new(&s->cmd, s->loop, &s->log, s->helper, 0));
}

static void
scene_end(struct scene *s)
{
	alarmcmd_free(s->cmd);
	helper_free(s->helper);
	timer_free(s->look);
	loop_event_free(s->loop);
	(void)fclose(s->log.out);
	free(s->text);
}

static void
test_arguments(void **state)
{
	struct scene s;
	char *out;

	(void)state;
	scene_begin(&s, "echo \"$#:$*\" >>\"$out\"");
	alarmcmd_tell(s.cmd, true, "link-down", 3);
	alarmcmd_tell(s.cmd, false, "link-down", 3);
	alarmcmd_tell(s.cmd, true, "disk-low", UINT64_MAX);
	wait_for(&s, "3:raised disk-low 18446744073709551615\n");
	out = slurp(s.out);
	assert_string_equal(out, "3:raised link-down 3\n3:cleared link-down 3\n"
	    "3:raised disk-low 18446744073709551615\n");
	assert_string_equal(s.text, "");
	free(out);
	scene_end(&s);
}

/* Nothing of ours goes along: no variable, no open file, no ignored signal. */
static void
test_clean(void **state)
{
	struct scene s;
	char *out;

	(void)state;
	assert_int_equal(setenv("RESTANTE_SECRET", "x", 1), 0);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	scene_begin(&s,
	    "exec 9>\"$out\"\n"
	    "tr '\\0' '\\n' </proc/$$/environ >&9\n"
	    "for fd in 0 1 2; do at=$(readlink /proc/$$/fd/$fd); echo $at >&9; done\n"
	    "ps=$(cut -d' ' -f5 /proc/$$/stat); [ $ps = $$ ] && echo own-group >&9\n"
	    "grep SigIgn /proc/$$/status | tr -d '\\t ' >&9\n"
	    "echo end >&9");
	alarmcmd_tell(s.cmd, true, "disk-failed", 2);
	wait_for(&s, "end\n");
	out = slurp(s.out);
	assert_contains(out, "PATH=/usr/local/sbin:");
	assert_null(strstr(out, "RESTANTE"));
	assert_null(strstr(out, "HOME="));
	assert_contains(out, "/dev/null\n/dev/null\n/dev/null\n");
	assert_contains(out, "own-group\n");
	/* the C library ignores two of its own, 32 and 33, whatever one asks for */
	assert_non_null(strstr(out, "SigIgn:"));
	assert_int_equal(strtoull(strstr(out, "SigIgn:") + 7, NULL, 16) & 0x7fffffff, 0);
	free(out);
	assert_int_equal(unsetenv("RESTANTE_SECRET"), 0);
	scene_end(&s);
}

static void
test_failures(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, NULL); /* there is no such file */
	alarmcmd_tell(s.cmd, true, "disk-failed", 2);
	wait_for(&s, "warning alarm-command-failed code=127\n");
	scene_end(&s);
	scene_begin(&s, "exit 7");
	alarmcmd_tell(s.cmd, true, "disk-failed", 2);
	wait_for(&s, "warning alarm-command-failed code=7\n");
	scene_end(&s);
	scene_begin(&s, "kill -9 $$");
	alarmcmd_tell(s.cmd, true, "disk-failed", 2);
	wait_for(&s, "warning alarm-command-failed code=137\n");
	scene_end(&s);
}

/* One at a time, and no more than fit wait; an end of the daemon ends it. */
static void
test_bounds(void **state)
{
	struct scene s;
	char *out;

	(void)state;
	scene_begin(&s, "echo begun >>\"$out\"; sleep 600 & wait");
	for (unsigned i = 0; i < ALARMCMD_WAITING_MAX + 3; i++)
		alarmcmd_tell(s.cmd, true, "link-down", i);
	wait_for(&s, "begun\n");
	out = slurp(s.out);
	assert_string_equal(out, "begun\n");
	free(out);
	assert_string_equal(s.text + strlen(s.text) - strlen(" code=127\n"), " code=127\n");
	scene_end(&s);
}

/* ---- one that does not end ---- */

static int64_t
shifted_ms(void *ctx)
{
	return clock_boot_ms(clock_system()) + *(const int64_t *)ctx;
}

static int64_t
wall_now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms(clock_system());
}

/* Half a minute passes at once, by the loop's clock. */
static void
test_killed(void **state)
{
	int64_t shift = 0;
	const struct clock clock = { .wall_ms = wall_now_ms, .boot_ms = shifted_ms,
		.ctx = &shift };
	const struct loop_event_time time = { .clock = &clock, .awake_ms = shifted_ms,
		.ctx = &shift };
	struct scene s;

	(void)state;
	scene_begin(&s, "echo begun >>\"$out\"; sleep 600 & wait");
	alarmcmd_free(s.cmd);
	timer_free(s.look);
	loop_event_free(s.loop);
	assert_err_ok(loop_event_new_timed(&s.loop, NULL, &time));
	s.look = timer_new(s.loop, on_look, &s);
	assert_non_null(s.look);
	assert_err_ok(alarmcmd_new(&s.cmd, s.loop, &s.log, s.helper, 0));
	alarmcmd_tell(s.cmd, true, "link-down", 1);
	wait_for(&s, "begun\n");
	assert_string_equal(s.text, "");
	shift = ALARMCMD_LIMIT_MS;
	wait_for(&s, "warning alarm-command-failed code=137\n");
	scene_end(&s);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_arguments),
	cmocka_unit_test(test_clean),
	cmocka_unit_test(test_failures),
	cmocka_unit_test(test_bounds),
	cmocka_unit_test(test_killed),
};
TEST_MAIN(tests)
