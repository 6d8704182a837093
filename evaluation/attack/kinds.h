/* The attacks, one row of attack.c's table each; each file says what it does. */
#ifndef EVALUATION_ATTACK_KINDS_H
#define EVALUATION_ATTACK_KINDS_H

#include "evaluation/attack/attack.h"

/* Passive, on what the adversary sees of a run. */
extern const struct attack_kind attack_disclosure, attack_intersection, attack_flow,
    attack_two_senders, attack_partition, attack_corrupt;

/* Inside the simulation; the first through a year of an agency. */
extern const struct attack_kind attack_gateway, attack_blending, attack_watermark, attack_active;

#endif
