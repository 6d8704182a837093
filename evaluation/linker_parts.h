/*
 * What the files of the linker share. Internal to linker*.c:
 *
 *   linker.c        fitting and judging
 *   linker_cells.c  who is a candidate, and what of its past counts
 */
#ifndef EVALUATION_LINKER_PARTS_H
#define EVALUATION_LINKER_PARTS_H

#include "evaluation/linker.h"

/* What is known of one member up to now. */
struct linker_past {
	/* Its last live sessions, latest start last; each of them numbers the log's. */
	const struct linker_session *live[4];
	size_t live_count;
	const struct linker_session *fetch; /* its last one */
	int64_t first_ms;  /* when it was seen first; meaningful if live_count > 0 */
	int64_t since_ms;  /* live without a break since */
	int64_t covered_ms; /* up to when `covered` has its live sessions */
	double habit_ms;   /* the usual time of day after a night */
	unsigned nights;
	uint8_t *covered;  /* slots of ten minutes that it has read */
};

struct linker_view {
	const struct params *params;
	struct linker_past *past;
	unsigned members;
	int64_t from_ms; /* of the log */
	size_t slots;	 /* in each `covered` */
};

#define LINKER_CELLS 12000

RST_MUST_USE enum err linker_view_init(struct linker_view *v, const struct params *p,
    unsigned members, const struct linker_session *log, size_t n);
void linker_view_release(struct linker_view *v);
struct linker_candidate {
	unsigned member;
	uint16_t cell;
	bool in_session; /* in a live one, of another hour */
};
/* The candidates for a session that begins, with room for all members; how many there are. */
size_t linker_candidates(struct linker_candidate *out, struct linker_view *v,
    const struct linker_session *s);
/* Whose it was is told. */
void linker_told(struct linker_view *v, const struct linker_session *s);
/* What had happened, by the truth, before a session whose member is a candidate. */
enum linker_situation linker_situation_of(const struct linker_view *v,
    const struct linker_session *s);

#endif
