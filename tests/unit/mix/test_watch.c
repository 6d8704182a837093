/* A node's alarms and status, in virtual time, with a node that is what the test says. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/charter/timing.h"
#include "evaluation/world.h"
#include "mix/watch.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"

#define MINUTE_MS ((int64_t)60000)

struct scene {
	struct network *net;
	struct world *world;
	struct world_host *host;
	struct log log;
	char *text;
	size_t len;
	struct watch_view view;
	bool given_epoch; /* else the view's follows the clock */
	uint64_t traffic, counted;
	struct watch *watch;
};

static void
look(void *arg, struct watch_view *out)
{
	struct scene *s = arg;

	*out = s->view;
	if (!s->given_epoch)
		out->epoch = timing_epoch(&s->net->charter->params,
		    loop_wall_ms(world_loop(s->host)));
}

static void
count(void *arg)
{
	struct scene *s = arg;

	s->counted = s->traffic;
}

static void
report(void *arg, struct report *r)
{
	report_section(r, "packets");
	report_count(r, "received", ((struct scene *)arg)->counted);
}

static void
run_for(struct scene *s, int64_t ms)
{
	assert_err_ok(world_run_for(s->world, ms));
	(void)fflush(s->log.out);
}

static unsigned
logged(struct scene *s, const char *what)
{
	unsigned n = 0;

	(void)fflush(s->log.out);
	for (const char *at = s->text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
scene_begin(struct scene *s, const char *state, int64_t disk_low)
{
	static const struct watch_node node = { look, count, report };
	const struct network_config net = { .seed = 1 };
	struct world_config world = { .seed = test_seed() };
	struct watch_config cfg = { .program = "restante-gateway", .state = state,
		.disk_low = disk_low, .node = &node, .arg = s };

	memset(s, 0, sizeof(*s));
	s->net = network_new(&net);
	world.wall_ms = timing_epoch_start(&s->net->charter->params, 1000) + 1;
	assert_err_ok(world_new(&s->world, &world));
	assert_err_ok(world_host_new(&s->host, s->world));
	s->log.out = open_memstream(&s->text, &s->len);
	assert_non_null(s->log.out);
	s->log.clock = loop_clock(world_loop(s->host));
	s->log.threshold = LOG_INFO;
	cfg.loop = world_loop(s->host);
	cfg.log = &s->log;
	cfg.charter = s->net->charter;
	cfg.own = charter_gateway(s->net->charter);
	s->view.has_sheet = s->view.has_place = s->view.serves = true;
	s->view.charter = 1;
	assert_err_ok(watch_new(&s->watch, &cfg));
	watch_begin(s->watch);
	watch_ready(s->watch, NULL);
}

static void
scene_end(struct scene *s)
{
	watch_end(s->watch);
	watch_free(s->watch);
	(void)fclose(s->log.out);
	free(s->text);
	world_free(s->world);
	network_free(s->net);
}

/* The status as text, valid until the next. */
static const char *
status(struct scene *s, bool json, bool *good)
{
	static char text[16384];
	struct buf out;

	buf_init(&out);
	assert_err_ok(watch_status(s->watch, &out, good, json));
	assert_true(out.len < sizeof(text));
	memcpy(text, out.data, out.len);
	text[out.len] = '\0';
	buf_release(&out);
	return text;
}

static void
check_reason(struct scene *s, const char *reason)
{
	char want[256];
	bool good = true;

	(void)snprintf(want, sizeof(want), "\"ready\":false,\"reason\":\"%s\"", reason);
	assert_contains(status(s, true, &good), want);
	assert_false(good);
}

/* ---- alarms ---- */

static void
test_links(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	s.view.link_count = 2;
	s.view.links[0] = (struct links_peer){ .number = 3, .serving = true, .dials = true,
		.dialled_up = true };
	s.view.links[1] = (struct links_peer){ .number = 5, .serving = true, .dials = true,
		.accepts = true,
		.dialled_up = true };
	run_for(&s, 9 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm"), 0);
	s.view.links[1].accepted_up = true; /* in time */
	run_for(&s, MINUTE_MS);
	s.view.links[1].accepted_up = false;
	run_for(&s, 9 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm"), 0);
	(void)status(&s, true, &good);
	assert_true(good);
	run_for(&s, 30 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm link-down node=5 minutes=10\n"), 1);
	assert_int_equal(logged(&s, "alarm"), 1);
	assert_contains(status(&s, true, &good),
	    "{\"name\":\"link-down\",\"number\":5,\"times\":1,\"since\":\"");
	assert_contains(status(&s, true, &good), "\"ready\":true");
	assert_false(good);
	s.view.links[1].accepted_up = true;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "info link-down-over node=5\n"), 1);
	s.view.links[0].dialled_up = s.view.links[1].dialled_up = false;
	check_reason(&s, "no other node is reached");
	run_for(&s, 11 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm link-down"), 3);
	s.view.link_count = 1; /* the charter has node 5 no more */
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "link-down-over node=5\n"), 2);
	assert_int_equal(logged(&s, "link-down-over node=3\n"), 0);
	scene_end(&s);
}

static void
test_sheet(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	s.view.has_sheet = false;
	check_reason(&s, "the running epoch has no sheet of keys yet");
	run_for(&s, MINUTE_MS - 1000);
	assert_int_equal(logged(&s, "alarm"), 0);
	run_for(&s, 5 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm sheet-missing epoch=1000"), 1);
	s.view.has_sheet = true;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "info sheet-missing-over epoch=1000\n"), 1);
	s.view.has_sheet = false;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "alarm sheet-missing epoch=1000"), 2);
	run_for(&s, s.net->charter->params.epoch_ms); /* a new epoch: a new alarm */
	assert_int_equal(logged(&s, "info sheet-missing-over epoch=1000\n"), 2);
	assert_int_equal(logged(&s, "alarm sheet-missing epoch=1001"), 1);
	scene_end(&s);
}

/* What was done in an epoch is an alarm until its end, also if only the disk tells. */
/* As long as evidence is kept there is an alarm, whatever the epoch. */
static void
test_evidence(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	run_for(&s, MINUTE_MS);
	s.view.evidence = 2;
	s.view.lied_epoch = 999;
	run_for(&s, 3 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm gateway-lied epoch=999\n"), 1);
	run_for(&s, 2 * s.net->charter->params.epoch_ms);
	(void)status(&s, true, &good);
	assert_false(good);
	s.view.evidence = 0;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "info gateway-lied-over\n"), 1);
	(void)status(&s, true, &good);
	assert_true(good);
	scene_end(&s);
}

static void
test_epoch(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	log_event(&s.log, LOG_CHAIN_BROKEN, 1000, 45, 0);
	s.view.sits_out = true;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "alarm rolled-back"), 1);
	check_reason(&s, "an old state was restored; the running epoch is sat out");
	s.view.struck = true;
	check_reason(&s, "two sheets were shown for the running epoch, which is sat out");
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "alarm sheet-equivocation epoch=1000\n"), 1);
	run_for(&s, s.net->charter->params.epoch_ms - 5 * MINUTE_MS);
	assert_int_equal(logged(&s, "over"), 0);
	s.view.struck = s.view.sits_out = false;
	run_for(&s, 5 * MINUTE_MS);
	assert_int_equal(logged(&s, "info rolled-back-over epoch=1000\n"), 1);
	assert_int_equal(logged(&s, "info sheet-equivocation-over epoch=1000\n"), 1);
	assert_int_equal(logged(&s, "info chain-broken-over epoch=1000\n"), 1);
	(void)status(&s, true, &good);
	assert_true(good);
	scene_end(&s);
}

/* A node whose charter is to come is not ready, and has nothing to be alarmed about. */
static void
test_before_its_charter(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	s.view.serves = s.view.has_sheet = false;
	s.view.charter = 0;
	s.view.coming_charter = 2;
	s.view.coming_epoch = 1007;
	s.view.link_count = 1;
	s.view.links[0] = (struct links_peer){ .number = 3, .accepts = true };
	run_for(&s, 40 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm"), 0);
	check_reason(&s, "the charter that has this node is not in force");
	assert_contains(status(&s, true, &good),
	    "\"version\":0,\"coming_version\":2,\"coming_epoch\":1007}");
	s.view.has_place = false;
	check_reason(&s, "the charter does not have this node");
	scene_end(&s);
}

static void
test_journal(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	run_for(&s, 5 * MINUTE_MS); /* none was begun */
	assert_int_equal(logged(&s, "alarm"), 0);
	s.view.journal = true;
	for (int i = 0; i < 10; i++) {
		s.view.blocks++;
		run_for(&s, MINUTE_MS);
	}
	assert_int_equal(logged(&s, "alarm"), 0);
	run_for(&s, 3 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm journal-silent minutes=2\n"), 1);
	s.view.blocks++;
	run_for(&s, MINUTE_MS);
	assert_int_equal(logged(&s, "info journal-silent-over\n"), 1);
	scene_end(&s);
}

static void
test_disk(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), INT64_MAX);
	run_for(&s, 2 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm disk-low free-mib="), 1);
	assert_contains(status(&s, true, &good), "\"disk\":{\"state\":\"low\",\"used_mib\":");
	log_event(&s.log, LOG_STORE_FAILED, 3, 0, 0);
	assert_contains(status(&s, true, &good), "\"disk\":{\"state\":\"failing\"");
	check_reason(&s, "the disk refuses to be written; make room or mend it");
	scene_end(&s);
	scene_begin(&s, "/nonexistent", INT64_MAX);
	run_for(&s, 2 * MINUTE_MS);
	assert_int_equal(logged(&s, "alarm"), 0);
	assert_contains(status(&s, true, &good), "\"disk\":{\"state\":\"ok\"}");
	scene_end(&s);
}

/* ---- status ---- */

/* Traffic is told as of the last ten minutes, in tens, whenever one asks. */
static void
test_coarse(void **state)
{
	struct scene s;
	bool good;

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	for (int minute = 0; minute < 60; minute++) {
		unsigned shown = 0;
		const char *at;

		s.traffic = (uint64_t)(minute + 1) * 7;
		run_for(&s, MINUTE_MS);
		at = strstr(status(&s, true, &good), "\"received\":");
		assert_non_null(at);
		assert_int_equal(sscanf(at, "\"received\":%u", &shown), 1);
		assert_int_equal(shown % 10, 0);
		assert_int_equal(shown, (unsigned)(minute + 1) / 10 * 70);
	}
	assert_contains(status(&s, true, &good), "\"uptime_minutes\":60,");
	run_for(&s, 9 * MINUTE_MS);
	assert_contains(status(&s, true, &good), "\"uptime_minutes\":60,");
	assert_contains(status(&s, false, &good), "uptime minutes     60\n");
	assert_true(good);
	scene_end(&s);
}

/* Another second of the same ten minutes answers the same bytes. */
static void
test_no_fine_time(void **state)
{
	struct scene s;
	bool good;
	char before[16384];

	(void)state;
	scene_begin(&s, test_tmpdir(), 0);
	log_event(&s.log, LOG_LINK_DOWN, 2, 10, 0);
	(void)snprintf(before, sizeof(before), "%s", status(&s, true, &good));
	s.traffic = 100000;
	run_for(&s, 59000);
	assert_non_null(strstr(before, "\"alarms\":[{"));
	/* the disk is measured once at the beginning */
	*strstr(before, "\"disk\"") = '\0';
	assert_int_equal(strncmp(status(&s, true, &good), before, strlen(before)), 0);
	scene_end(&s);
}

/* ---- the service manager ---- */

static void
test_manager(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char got[512] = "";
	struct scene s;

	(void)state;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/notify", test_tmpdir());
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "120000000", 1), 0);
	scene_begin(&s, test_tmpdir(), 0);
	watch_ready(s.watch, "tor does not answer");
	run_for(&s, 1000);
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "WATCHDOG=1");
	memset(got, 0, sizeof(got));
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "STATUS=tor does not answer");
	check_reason(&s, "tor does not answer");
	watch_ready(s.watch, NULL);
	run_for(&s, 1000);
	memset(got, 0, sizeof(got));
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "READY=1\nSTATUS=ready");
	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), -1);
	run_for(&s, MINUTE_MS);
	memset(got, 0, sizeof(got));
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "WATCHDOG=1");
	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), -1);
	watch_stopping(s.watch);
	memset(got, 0, sizeof(got));
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	assert_string_equal(got, "STOPPING=1\nSTATUS=ending");
	assert_int_equal(unsetenv("NOTIFY_SOCKET") | unsetenv("WATCHDOG_USEC"), 0);
	scene_end(&s);
	(void)close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_links),
	cmocka_unit_test(test_sheet),
	cmocka_unit_test(test_evidence),
	cmocka_unit_test(test_epoch),
	cmocka_unit_test(test_before_its_charter),
	cmocka_unit_test(test_journal),
	cmocka_unit_test(test_disk),
	cmocka_unit_test(test_coarse),
	cmocka_unit_test(test_no_fine_time),
	cmocka_unit_test(test_manager),
};
TEST_MAIN(tests)
