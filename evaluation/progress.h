/* How much of a long computation is done, on one line of a terminal. */
#ifndef EVALUATION_PROGRESS_H
#define EVALUATION_PROGRESS_H

#include <stdio.h>

struct progress {
	FILE *out;
	int shown; /* per cent; -1 at the start */
};

/* arg is a struct progress; share from 0 to 1. The last ends the line. */
void progress_show(void *arg, double share);

#endif
