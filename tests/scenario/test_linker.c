/*
 * Who links sessions: a month of them by the client's own modules, and the linker,
 * against chance. RESTANTE_LINKER_MONTH=1 runs the whole month that the documents
 * quote (`make sessions-month`); otherwise a few days are enough.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/net/attend.h"
#include "tests/lib/test.h"
#include "tests/scenario/month.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

struct size {
	unsigned members, days, lessons; /* lessons: months that the linker learns from */
};

static struct size
size(void)
{
	const char *month = getenv("RESTANTE_LINKER_MONTH");

	if (month != NULL && month[0] != '\0')
		return (struct size){ 60, 30, 8 };
	return (struct size){ 20, 5, 3 };
}

/* ---- the table ---- */

static void
print_share(const struct linker_share *s)
{
	printf("  %5.1f (%5.1f .. %5.1f)", 100 * s->value, 100 * s->low, 100 * s->high);
}

static void
print_scores(const char *title, const struct linker_score *score)
{
	printf("# %s: right, in percent, with 95 %% intervals\n", title);
	printf("# %-18s %8s  %-22s  %-22s  %-22s  %s\n", "before the session", "sessions", "chance",
	    "linker", "more than chance", "claimed");
	for (size_t i = 0; i < LINKER_SITUATIONS; i++) {
		if (score[i].sessions == 0)
			continue;
		printf("# %-18s %8" PRIu64, linker_situation_name((enum linker_situation)i),
		    score[i].sessions);
		print_share(&score[i].chance);
		print_share(&score[i].right);
		print_share(&score[i].excess);
		printf("  %5.1f\n", 100 * score[i].claimed);
	}
}

/* ---- a study ---- */

/* The linker learns from months like the one that is judged. */
static void
study(struct linker_score score[static LINKER_SITUATIONS], enum month_leak leak)
{
	struct size n = size();
	struct month_config cfg = { .members = n.members, .days = n.days, .leak = leak };
	struct linker *l;
	struct params p;
	struct month m;

	month_params(&p);
	assert_err_ok(linker_new(&l, &p, n.members));
	for (unsigned i = 0; i <= n.lessons; i++) {
		cfg.seed = rng_u64(test_rng());
		month_run(&m, &cfg);
		if (i < n.lessons) {
			assert_err_ok(linker_learn(l, m.log, m.count));
		} else {
			linker_fit(l);
			assert_err_ok(linker_judge(score, l, m.log, m.count, test_rng()));
		}
		month_release(&m);
	}
	linker_free(l);
}

static void
test_honest_clients(void **state)
{
	struct linker_score score[LINKER_SITUATIONS];

	(void)state;
	study(score, MONTH_HONEST);
	print_scores("honest clients", score);
}

static void
test_controls(void **state)
{
	static const char *const names[] = { "", "control: reads on from where it ended",
		"control: comes back at once", "control: comes back after a fixed wait" };

	(void)state;
	for (int leak = MONTH_POSITION; leak <= MONTH_FIXED; leak++) {
		struct linker_score score[LINKER_SITUATIONS];

		study(score, (enum month_leak)leak);
		print_scores(names[leak], score);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_honest_clients),
	cmocka_unit_test(test_controls),
};
TEST_MAIN(tests)
