#include "config.h"

#include "tests/scenario/odds.h"

#include <stdlib.h>

#include "evaluation/metrics.h"
#include "tests/lib/test.h"

#define ALPHA 0.01
#define ALPHA_FAIL 2e-7 /* of both sides; a check that fails for nothing is believed no more */

unsigned
odds_trials(unsigned usual)
{
	const char *text = getenv("RESTANTE_LEARN_TRIALS");
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;

	return n > 0 && n < 100000 ? (unsigned)n : usual;
}

void
odds_judge(const struct odds_row *r)
{
	double low, high;

	summary_share(&low, &high, r->found, r->tried, ALPHA);
	print_message("# %-46s %-20s %4u of %4u  %.3f [%.3f, %.3f]  chance %.3f\n", r->attack,
	    r->client, r->found, r->tried, (double)r->found / r->tried, low, high, r->chance);
	if (r->control) {
		assert_true(low > r->chance);
		return;
	}
	summary_share(&low, &high, r->found, r->tried, ALPHA_FAIL);
	assert_true(low <= r->most);
}

unsigned
odds_most_likely(const double *weights, unsigned n)
{
	unsigned best = rng_below(test_rng(), n);

	for (unsigned k = 0, i = best; k < n; k++, i = (i + 1) % n)
		if (weights[i] > weights[best])
			best = i;
	return best;
}
