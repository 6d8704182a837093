/*
 * Statistical disclosure: to whom a person writes, from who sent and who received in each of
 * many rounds. Pure; rounds are counts that the adversary has of senders and receivers.
 *
 * SDA (Danezis 2003) takes one sender at a time and everybody else as a background; with a
 * mix that holds messages back, "sent" is what is expected to come out in the round (Danezis
 * and Serjantov 2004). Normalised SDA puts the estimates of all senders together. LSDA
 * (Perez-Gonzalez and Troncoso 2012) solves for all senders at once, by least squares.
 */
#ifndef EVALUATION_ATTACK_DISCLOSURE_H
#define EVALUATION_ATTACK_DISCLOSURE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Of each round a row: messages of each sender that are expected out of it, and what came. */
struct disclosure {
	size_t senders, receivers, rounds;
	const double *sent;	/* rounds * senders */
	const double *received; /* rounds * receivers */
};

/*
 * out[receivers]: of one more message sent, how many each receiver gets, by the
 * covariance of what the sender sends and what they get. All zeros for somebody who sends
 * alike in all rounds.
 */
void disclosure_sda(double *out, const struct disclosure *d, size_t sender);
/*
 * The same from the rounds in which the sender sends, with the mean of all messages as the
 * background of the others in them. Of somebody who never sends: zeros.
 */
void disclosure_sda_population(double *out, const struct disclosure *d, size_t sender);
/*
 * In place, the estimates[senders * receivers] of all: what is negative is cut, and then
 * senders' rows are scaled to sum up to what they sent, receivers' columns to what they got, in
 * turns.
 */
void disclosure_normalise(double *estimates, const struct disclosure *d);
/*
 * out[senders * receivers] = (U'U)^-1 U'Y. ridge (0: none) is added to the diagonal of U'U, as
 * a share of its mean, where senders are so alike that there is no inverse. ERR_RANGE: there is
 * none. ERR_MEMORY.
 */
RST_MUST_USE enum err disclosure_least_squares(double *out, const struct disclosure *d,
    double ridge);

/* The first `wanted` of the greatest values are exactly those whose members[] is set. */
int disclosure_top_is(const double *values, const uint8_t *members, size_t n, size_t wanted);

/* ---- closed forms ---- */

/*
 * Rounds until SDA tells m friends from all N receivers, b messages in each round, by a
 * distance of l deviations (Danezis 2003).
 */
double disclosure_rounds_needed(double m, double b, double n, double l);
/* Variance of one round's background: of a receiver who is no friend. */
double disclosure_background_variance(double b, double n);
/*
 * Mean squared error of LSDA's estimate of one user's profile: N users, t messages in a round,
 * F friends alike, rho rounds; with the factor rho / (rho - N - 1) of a small sample (0 without).
 */
double disclosure_least_squares_error(double n, double t, double friends, double rho, int small);

#endif
