/* Flow matching by the order of packets, of which published values speak. Pure. */
#ifndef EVALUATION_ATTACK_FLOW_H
#define EVALUATION_ATTACK_FLOW_H

#include <stddef.h>

/*
 * The log-likelihood that of n packets that went in and n that came out (both in their order)
 * the k-th is the k-th, each delayed by `layers` exponential mixes of mean 1. What came out
 * before it went in costs FLOW_IMPOSSIBLE.
 */
#define FLOW_IMPOSSIBLE (-1e9)
double flow_in_order(const double *in, const double *out, size_t n, unsigned layers);

#endif
