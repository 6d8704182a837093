/*
 * Two posts over a toy network that loses, repeats, holds back and reorders
 * records, and whose ends crash.
 */
#ifndef TESTS_UNIT_CLIENT_TOY_H
#define TESTS_UNIT_CLIENT_TOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/post.h"

#define SLOT_MS 5000
#define ARCHIVE_MAX 8192
#define WIRE_MAX 32768
#define HELD_MAX 64
#define TEXTS_MAX 8192

/* A value of the toy archive. */
struct entry {
	struct post_write w;
};

struct end {
	struct post *post;
	struct post_config cfg;
	struct buf saved;		/* the last durable state */
	struct entry archive[ARCHIVE_MAX];
	size_t archive_count;
	char *shown[TEXTS_MAX];		/* what the person saw, in order */
	size_t shown_count;
	uint64_t files_whole;
	uint64_t read_from;		/* durable position: index into the journal */
	uint64_t at;			/* position in memory */
};

/* What was sealed, by whom, at which index of the stream (UINT64_MAX: an answer, a founding). */
struct wire_record {
	uint8_t *bytes;
	const struct end *from;
	uint64_t index;
};

/* The journal: every deposited record, in order; a block per record. */
struct wire {
	struct wire_record records[WIRE_MAX];
	int64_t times[WIRE_MAX];
	size_t count;
	size_t record_size;
	struct wire_record held[HELD_MAX]; /* not deposited yet */
	size_t held_count;
};

struct toy {
	struct end a, b;
	struct wire wire;
	int64_t now_ms;
	uint32_t loss_percent, repeat_percent, late_percent; /* of what a slot sends */
	struct path path;
};

/* Times of the protocol are divided by time_scale. */
struct toy *toy_new(uint32_t loss_percent, uint32_t time_scale);
void toy_free(struct toy *t);
/* a invites b, and knows of the answer. */
void make_contact(struct toy *t);
/* A slot of both, and perhaps a look at the journal. */
void turn(struct toy *t);
void slot(struct toy *t, struct end *e);
void read_journal(struct toy *t, struct end *e);
/* One block that lists the record at i. */
void give_block(struct end *e, struct wire *w, size_t i, int64_t now_ms);
/* Archive, then state, then news: the order that post.h demands. */
void commit(struct end *e);
/* Writes reach the archive, then the power goes: the state file stays old. */
void crash(struct end *e, bool archive_written);
/* Load another state in the place of what is there. */
void end_load(struct end *e, const void *state, size_t n);
void send_text(struct toy *t, struct end *e, const char *text);
/* "from 0", "from 1", ... and nothing else was shown. */
void check_shown(const struct end *e, const char *from, size_t n);
enum post_contact_state contact_state(const struct end *e);
struct entry *archive_find(struct end *e, const struct post_write *key);
void archive_apply(struct end *e, struct post_write *w);

#endif
