/*
 * What happened last, so that a failure can be told with what led to it.
 */
#ifndef TESTS_SOAK_DIARY_H
#define TESTS_SOAK_DIARY_H

#include <stdint.h>
#include <stdio.h>

#define DIARY_LINES 20
#define DIARY_LINE_MAX 120

struct diary {
	char lines[DIARY_LINES][DIARY_LINE_MAX]; /* a ring */
	uint64_t written;
};

/* A line, behind the virtual time. */
void diary_note(struct diary *d, int64_t now_ms, const char *form, ...)
    __attribute__((format(printf, 3, 4)));
/* The last lines, oldest first. */
void diary_print(const struct diary *d, FILE *out);
/* Day, hour, minute and second since the scenario began. */
void diary_time(char out[static 32], int64_t now_ms);

#endif
