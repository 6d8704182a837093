/*
 * Code as it must not be: each of these has to be found by the same means that find
 * nothing in the real code.
 */
#ifndef TESTS_CONSTANT_CONTROLS_H
#define TESTS_CONSTANT_CONTROLS_H

void control_compare(void); /* memcmp, which ends at the first difference */
void control_loop(void);    /* the same written by hand */
void control_table(void);   /* a table look-up by a secret */
void control_branch(void);  /* a branch on a bit of a secret */
void control_early(void);   /* a branch on a real packet's key, behind libsodium's curve and hash */

#endif
