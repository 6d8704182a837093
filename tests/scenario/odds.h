/*
 * What an attacker finds out, against chance: the rows of a table, each of so many trials.
 * RESTANTE_LEARN_TRIALS says of how many; the table is in docs/threat-model.md.
 */
#ifndef TESTS_SCENARIO_ODDS_H
#define TESTS_SCENARIO_ODDS_H

#include <stdbool.h>

struct odds_row {
	const char *attack, *client;
	double chance, most; /* most: what the documents admit; of the real client */
	bool control;
	unsigned tried, found;
};

/* How many trials a row is to have. */
unsigned odds_trials(unsigned usual);
/*
 * Print the row with its 99 % interval, and fail: of a control, if it does not lie above
 * chance; of the real client, if what was found would be so with less than 1e-7 by what
 * the documents admit.
 */
void odds_judge(const struct odds_row *r);
/* The place of the greatest weight; of equal ones, any. */
unsigned odds_most_likely(const double *weights, unsigned n);

#endif
