/*
 * Memory that runs out on purpose: every allocation of the program's own objects goes
 * through here (the linker's --wrap; libraries are not touched), and the n-th from a
 * given moment fails. Single-threaded programs, or those that arm while only one thread runs.
 */
#ifndef TESTS_FAULTS_MEMORY_H
#define TESTS_FAULTS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on count; the at-th allocation fails (from 1; 0: none), and no other one. */
void memory_arm(uint64_t at);
/* While paused nothing is counted and nothing fails: the test's own doings. */
void memory_pause(bool paused);
/* No more failures; returns how many were asked for since memory_arm. */
uint64_t memory_disarm(void);
/* Whether the failure has happened. */
bool memory_failed(void);
/* Where: an offset into the program, for addr2line. 0: it has not. */
uint64_t memory_where(void);
/* Write it there too, at once, so that who crashes or hangs has told. NULL: no more. */
void memory_tell(uint64_t *place);
/* Allocated and not yet freed, by the program's own objects. */
int64_t memory_live(void);

#endif
