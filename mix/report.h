/*
 * What `status` prints, written once for people and for programs: sections of keys
 * and values, and lists of rows. As text:
 *
 *   epoch
 *     number        1234
 *     sheet         yes
 *   links
 *     node 2  dialled up  accepted down
 *
 * and as JSON an object for a section, an array of objects for a list.
 */
#ifndef MIX_REPORT_H
#define MIX_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/base/json.h"

#define REPORT_MAX (256u << 10)

struct report {
	struct buf *out;
	bool json;
	struct json j;
	enum err err; /* of the text, sticky */
	bool in_section, in_row;
	unsigned pad; /* blanks between two values of a row */
};

/* Append to out, which is the caller's. */
void report_begin(struct report *r, struct buf *out, bool json);
/* The sticky error, or ERR_OK. */
RST_MUST_USE enum err report_end(struct report *r);

/* Open a section; closes the one before. Values before the first belong to the node. */
void report_section(struct report *r, const char *key);
/* Open a list, and in it a row after the other. report_close_list before what follows. */
void report_list(struct report *r, const char *key);
void report_row(struct report *r);
void report_close_list(struct report *r);

void report_u64(struct report *r, const char *key, uint64_t v);
/* A count of traffic: rounded down to a multiple of ten. */
void report_count(struct report *r, const char *key, uint64_t v);
void report_bool(struct report *r, const char *key, bool v);
/* Rounded down to ten minutes; 0: as NULL of report_text. */
void report_time(struct report *r, const char *key, int64_t wall_ms);
/* NULL: null, or left out of the text. */
void report_text(struct report *r, const char *key, const char *v);

#endif
