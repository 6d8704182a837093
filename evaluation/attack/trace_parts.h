/* What the files of trace.h share: trace.c simulates, trace_read.c reads. Internal. */
#ifndef EVALUATION_ATTACK_TRACE_PARTS_H
#define EVALUATION_ATTACK_TRACE_PARTS_H

#include "evaluation/attack/trace.h"

struct attack_person_turn {
	struct attack_turn turn;
	uint32_t person;
};

/* A turn that goes on. */
struct attack_open {
	int64_t from_ms, last_ms;
	bool open;
};

/* A trace in the making. */
struct attack_watch {
	struct attack_trace *trace;
	struct attack_open *open; /* of persons */
	struct attack_person_turn *turns;
	size_t turn_count, turn_room;
};

/* ERR_MEMORY: attack_watch_end is called all the same. */
RST_MUST_USE enum err attack_watch_begin(struct attack_watch *w, const struct scenario *s);
/* *out is the trace, or all is freed if e (what went wrong before) is not ERR_OK. */
RST_MUST_USE enum err attack_watch_end(struct attack_trace **out, struct attack_watch *w,
    enum err e);
/* A packet on a person's link, by the person's own time; or its presence alone. */
RST_MUST_USE enum err attack_see_send(struct attack_watch *w, uint32_t person, int64_t at_ms);
RST_MUST_USE enum err attack_see_there(struct attack_watch *w, uint32_t person, int64_t at_ms);
RST_MUST_USE enum err attack_see_deposit(struct attack_watch *w, const struct attack_deposit *p,
    const struct attack_truth *truth);

/* Room for at least so many of this size. ERR_MEMORY. */
RST_MUST_USE enum err attack_grow(void **p, size_t *room, size_t least, size_t size);

/* attack_trace_new of a directory. */
RST_MUST_USE enum err attack_trace_read(struct attack_trace **out, const struct scenario *s,
    const char *directory, struct diag *d);

#endif
