/* The files of an output, one function each; for output.c. */
#ifndef EVALUATION_OUTPUT_FILES_H
#define EVALUATION_OUTPUT_FILES_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "evaluation/figures.h"

struct output_run {
	const struct scenario *scenario;
	const struct run *run;
	const struct figures *figures;
	/* for the manifest: where the files are, and all that may be there */
	const char *directory;
	const char *const *names;
	size_t name_count;
};

/* ERR_MEMORY, ERR_IO (reading); what cannot be written shows in ferror(). */
typedef enum err output_writer(FILE *out, const struct output_run *r);
output_writer output_write_targets, output_write_summary_csv, output_write_summary_json,
    output_write_entropy_svg, output_write_delay_svg, output_write_manifest;

#endif
