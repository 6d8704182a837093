/*
 * What is known in closed form, or by an exact recursion, about mixes: what the
 * evaluation is checked against (`restante-evaluate verify`) and, where they
 * are exact, what it computes with. Pure. Entropies are in bits; each has its
 * source. docs/researcher.md, "References".
 */
#ifndef EVALUATION_CLOSED_H
#define EVALUATION_CLOSED_H

#include <stddef.h>

/* Entropy of one toss that comes out with probability p. */
double closed_binary(double p);

/*
 * One pool mix, uniform choice, an adversary who knows the counts: the entropy
 * of every message that is sent in a round with `arrivals` new ones, when `kept`
 * were left whose entropy is h. (Serjantov and Danezis 2002, as a recursion.)
 */
double closed_pool_round(double h, double kept, double arrivals);
/* Threshold pool mix in its steady state: n in and out, keep k. Its mean delay in rounds. */
double closed_threshold_pool(double n, double keep);
double closed_threshold_pool_delay(double n, double keep);
/* Its variance, of the geometric law. */
double closed_threshold_pool_variance(double n, double keep);
/* Timed mix: E[log2(1 + Poisson(m))], per message. */
double closed_timed(double mean);
/* Users behind a threshold mix of n with `users` alike: log2 n - E[log2(1 + Bin(n-1, 1/users))]. */
double closed_threshold_users(size_t n, double users);

/*
 * A mix with exponential delays, rho = arrivals a second times mean delay: the
 * asymptote log2(rho e) (Danezis 2004, eq. 13), and the exact steps of the
 * adversary who sees every arrival and departure (Loopix 2017, theorem 1).
 */
double closed_exponential(double rho);
double closed_count_arrival(double h, size_t inside);
/*
 * The same mix, for an adversary who takes one departure by itself, and knows of the
 * others that they came, not that they left (Danezis 2004, section 4): the weight of
 * an arrival falls as exp(-age), ages being counted in mean delays. A recursion over
 * the sums of weights and of weight * ln weight; starts from zeros.
 */
struct closed_isolated {
	double weight, logs;
};
void closed_isolated_wait(struct closed_isolated *i, double mean_delays);
void closed_isolated_arrival(struct closed_isolated *i);
double closed_isolated(const struct closed_isolated *i);
/* Its expectation for a departure this long after a start with an empty mix (INFINITY: ever). */
double closed_epoch(double rho, double mean_delays);
/* P(nobody else is in the mix during the whole stay). */
double closed_alone(double rho);
/* Differential entropy in bits of Erlang(layers, mean): closed for layers >= 1. */
double closed_erlang_entropy(unsigned layers, double mean);
/* Stratified network of exponential mixes: log2(all arrivals a second) + the former. */
double closed_stratified(double rate, unsigned layers, double mean);
/* With a share b of corrupt mixes: sum over the honest hops (mixture). */
double closed_stratified_corrupt(double rate, unsigned layers, double mean, double b,
    unsigned width);
/* Gain of a sinusoid of frequency f through L exponential delays of this mean. */
double closed_sinusoid_gain(double f, double mean, unsigned layers);

/* All of `layers` mixes, drawn without repetition out of n with b corrupt ones, are corrupt. */
double closed_all_corrupt(unsigned n, unsigned b, unsigned layers);

/*
 * n-1: rounds until all of `pool` packets have left a pool each of whose packets leaves with
 * chance `share` at a flush, nothing unknown coming in: their mean, and the least number within
 * which it happens with probability q. (Serjantov, Dingledine, Syverson 2002; O'Connor 2005.)
 */
double closed_blending_mean(double pool, double share);
double closed_blending_quantile(double pool, double share, double q);
/*
 * Notes until the rule of common/journal/notetest.h fails, each being lost with chance `lost`,
 * after all of the window had returned: the mean, exact for a window of up to 12 notes and, for
 * longer ones, for lost = 1 alone (INFINITY otherwise).
 */
double closed_notes_lost(unsigned window, unsigned least, unsigned most, double lost);
/* Looks until only the one who is always there is left of n, others being there with chance q. */
double closed_intersection(double n, double q);
/*
 * Rounds of statistical disclosure (Danezis 2003): m friends, b messages in a round, n
 * receivers, l standard deviations.
 */
double closed_disclosure(double m, double b, double n, double l);

/* psi(x), the digamma function, x > 0. */
double closed_digamma(double x);

#endif
