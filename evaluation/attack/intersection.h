/*
 * Intersection: who was there each time that something of one unknown person happened. Pure.
 */
#ifndef EVALUATION_ATTACK_INTERSECTION_H
#define EVALUATION_ATTACK_INTERSECTION_H

#include <stddef.h>
#include <stdint.h>

/* Of those who are still suspected, keep who was there; how many are left. */
size_t intersection_step(uint8_t *suspected, const uint8_t *there, size_t n);

/*
 * Expected number of times until one is left, when the person is always there and each of
 * n - 1 others with probability q: sum over t of 1 - (1 - q^t)^(n-1).
 */
double intersection_times(double n, double q);

#endif
