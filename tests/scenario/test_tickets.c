/*
 * What registrar and gateway find out together about whose session it is: months of
 * sessions by the client's own modules, tickets included, the registrar's log beside the
 * gateway's, and who has both against who has the gateway's alone.
 * RESTANTE_TICKETS_MONTH=1 runs what the documents quote (`make tickets-month`).
 * What elements, proofs, nonces and outputs tell: tests/unit/token/test_unlinkable.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "evaluation/metrics.h"
#include "tests/lib/test.h"
#include "tests/scenario/joiner.h"
#include "tests/scenario/month.h"

#define ALPHA 0.01
#define ALPHA_FAIL 2e-7 /* of both sides */

struct size {
	unsigned members, days, lessons, judged;
};

static struct size
size(void)
{
	const char *month = getenv("RESTANTE_TICKETS_MONTH");

	if (month != NULL && month[0] != '\0')
		return (struct size){ 60, 15, 6, 4 };
	return (struct size){ 20, 7, 2, 3 };
}

static void
study(struct joiner_score score[static JOINER_SITUATIONS])
{
	struct size n = size();
	struct month_config cfg = { .members = n.members, .days = n.days, .tickets = true };
	struct joiner *j;
	struct params p;
	struct month m;

	memset(score, 0, JOINER_SITUATIONS * sizeof(*score));
	month_params(&p);
	j = joiner_new(&p, n.members);
	for (unsigned i = 0; i < n.lessons + n.judged; i++) {
		cfg.seed = rng_u64(test_rng());
		month_run(&m, &cfg);
		if (i == n.lessons)
			joiner_fit(j);
		if (i < n.lessons)
			joiner_learn(j, &m);
		else
			joiner_judge(score, j, &m);
		month_release(&m);
	}
	joiner_free(j);
}

static void
print_scores(const char *title, const struct joiner_score *score)
{
	print_message("# %s: sessions named right, in percent, with 99 %% intervals\n", title);
	print_message("# %-18s %8s  %6s  %-22s  %-22s  %s\n", "before the session", "sessions",
	    "chance", "without registrar's", "with registrar's log", "only with : only without");
	for (unsigned i = 0; i < JOINER_SITUATIONS; i++) {
		const struct joiner_score *s = &score[i];
		double low[2], high[2];

		if (s->sessions == 0)
			continue;
		summary_share(&low[0], &high[0], s->alone, s->sessions, ALPHA);
		summary_share(&low[1], &high[1], s->both, s->sessions, ALPHA);
		print_message("# %-18s %8u  %6.1f  %5.1f (%5.1f .. %5.1f)  %5.1f (%5.1f .. %5.1f)  "
		    "%u : %u\n", joiner_situation_name(i), s->sessions,
		    100 * s->chance / s->sessions, 100.0 * s->alone / s->sessions, 100 * low[0],
		    100 * high[0], 100.0 * s->both / s->sessions, 100 * low[1], 100 * high[1],
		    s->only_both, s->only_alone);
	}
}

/* Of the sessions in which the two differ, the share that the one with the log has. */
static double
least_share(const struct joiner_score *s, double alpha)
{
	double low, high;

	if (s->only_both + s->only_alone == 0)
		return 0;
	summary_share(&low, &high, s->only_both, s->only_both + s->only_alone, alpha);
	return low;
}

static void
add(struct joiner_score *sum, const struct joiner_score *s)
{
	sum->sessions += s->sessions;
	sum->chance += s->chance;
	sum->both += s->both;
	sum->only_both += s->only_both;
	sum->only_alone += s->only_alone;
}

/*
 * At the hour's turn the registrar's log tells nothing that the gateway's does not, and who
 * was just seen to fetch tickets for the running hour is not named more often than
 * anybody else then. Elsewhere it adds a little, for who is asleep fetches nothing: that is admitted.
 */
static void
test_honest_members(void **state)
{
	struct joiner_score score[JOINER_SITUATIONS], sum = { 0 }, fresh = { 0 };
	double low, high;

	(void)state;
	study(score);
	print_scores("as it is", score);
	for (unsigned i = 0; i < LINKER_GAP_EPOCHS; i++)
		add(&sum, &score[i]);
	assert_true(sum.sessions > 1000);
	assert_true(least_share(&score[LINKER_TURN], ALPHA_FAIL) <= 0.5);
	assert_true(least_share(&sum, ALPHA_FAIL) <= 0.55);
	add(&fresh, &score[JOINER_NEW]);
	add(&fresh, &score[JOINER_EMPTY]);
	if (fresh.sessions == 0)
		return;
	summary_share(&low, &high, fresh.both, fresh.sessions, ALPHA_FAIL);
	assert_true(low <= (double)score[LINKER_TURN].both / score[LINKER_TURN].sessions);
}

/* Who fetches as soon as anything is missing, and comes at once, is found. */
static void
test_control(void **state)
{
	struct joiner_score score[JOINER_SITUATIONS], sum = { 0 };

	(void)state;
	till_fetch_at_once(true);
	study(score);
	till_fetch_at_once(false);
	print_scores("control: fetches at once, and comes at once", score);
	for (unsigned i = LINKER_FAILED; i < LINKER_GAP_EPOCHS; i++)
		add(&sum, &score[i]);
	assert_true(least_share(&sum, ALPHA) > 0.5);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_honest_members),
	cmocka_unit_test(test_control),
};
TEST_MAIN(tests)
