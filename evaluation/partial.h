/*
 * Names beside which results are made, before they come to their place whole:
 * PATH.partial, or if that is there already, PATH.partial-2 and so on. What is there is
 * somebody else's, or of a run that was cut off, and stays as it is.
 */
#ifndef EVALUATION_PARTIAL_H
#define EVALUATION_PARTIAL_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"

#define PARTIAL_MAX 1000
#define PARTIAL_SUFFIX_BYTES 16 /* ".partial-1000" with its NUL */

/*
 * Make it, a directory or a file to write, and put its path into `path[size]`. ERR_IO,
 * ERR_EXISTS (all names are taken), ERR_RANGE (too long), with a sentence.
 */
RST_MUST_USE enum err partial_directory(char *path, size_t size, const char *place,
    struct diag *d);
RST_MUST_USE enum err partial_file(FILE **out, char *path, size_t size, const char *place,
    struct diag *d);

#endif
