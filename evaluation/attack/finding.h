/*
 * What came out of an attack, in words: a sentence or two from its own figures, so that who
 * reads text, JSON or a page is told what they mean. Each attack ends with it.
 */
#ifndef EVALUATION_ATTACK_FINDING_H
#define EVALUATION_ATTACK_FINDING_H

#include "evaluation/attack/attack.h"

#define FINDING_VALUE_BYTES 80

/* "0.21 (0.15 to 0.27)"; "not known" if there is no value. Returns out. */
const char *finding_value(char out[static FINDING_VALUE_BYTES], const struct attack_value *v);
/*
 * How its interval lies to what somebody gets who guesses, as a clause: "which is more than
 * chance (0.5)".
 */
const char *finding_against(char out[static FINDING_VALUE_BYTES], const struct attack_value *v,
    double chance);
/* The figure of this name, or NULL. Borrowed. */
const struct attack_figure *finding_figure(const struct attack_result *r, const char *name);
/* Appends to r->finding, which it cuts at its end. */
void finding_add(struct attack_result *r, const char *format, ...) RST_PRINTF(2, 3);

#endif
