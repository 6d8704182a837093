/* The attacks, one row of attack.c's table each; each file says what it does. */
#ifndef EVALUATION_ATTACK_KINDS_H
#define EVALUATION_ATTACK_KINDS_H

#include "evaluation/attack/attack.h"

/* Passive, on what the adversary sees of a run. */
extern const struct attack_kind attack_disclosure, attack_intersection, attack_flow,
    attack_two_senders, attack_partition, attack_corrupt;

#endif
