/*
 * An operator's question: so many people write so much in a network with these
 * parameters; what does it cost, how long does a message take, among how many is somebody,
 * and what would an attacker need? All of it follows from the code's own sizes and times and
 * from closed forms; nothing is simulated. Delay and anonymity are those of common/journal/outlook.h,
 * which members are shown, too. Pure. docs/operator.md, "Choosing parameters".
 */
#ifndef EVALUATION_PLAN_H
#define EVALUATION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/charter/params.h"
#include "common/journal/outlook.h"

#define PLAN_FIGURES_MAX 96

struct plan_question {
	struct params params;
	double messages_per_day; /* of one person */
	double online;		 /* the share of his time that somebody is online, above 0, to 1 */
	double to_one_per_day;	 /* of them, to the same contact */
	unsigned contacts;	 /* of one person */
	/* What a processor does: unwraps one packet; seals or opens a KiB of a link. */
	double unwrap_us, seal_us_per_kib;
};

/* One figure; what it is for people, and its name in JSON. */
struct plan_figure {
	const char *group, *name, *label, *unit;
	double value;
	const char *reason; /* why there is none; NULL: there is */
};

struct plan {
	struct plan_question question;
	struct outlook_delay delay;
	struct outlook_anonymity anonymity;
	double client_bytes; /* a client's, up and down, in Tor's cells, in a day */
	double least_people; /* of how many a message is always one's */
	struct plan_figure figures[PLAN_FIGURES_MAX];
	size_t count;
};

/*
 * The pieces and the room in pools that the parameters ask for, and as many pieces more as
 * leave a fifth of the frames empty when people write so much; and the fewest mailboxes
 * that the charter's rules allow.
 */
void plan_fit(struct params *p, double messages_per_day);
uint32_t plan_least_mailboxes(const struct params *p);

/* All of it. ERR_RANGE with a sentence if no network can be so; ERR_MEMORY. */
RST_MUST_USE enum err plan_of(struct plan *out, const struct plan_question *q, struct diag *d);
/* What a target is compared with alone, which is quick: figures stay empty. */
RST_MUST_USE enum err plan_brief(struct plan *out, const struct plan_question *q, struct diag *d);

/* For plan*.c: one figure more. */
void plan_add(struct plan *p, const char *group, const char *name, const char *label,
    const char *unit, double value);
void plan_add_missing(struct plan *p, const char *group, const char *name, const char *label,
    const char *unit, const char *reason);
/* plan_attacks.c: what closed forms say of attacks. */
void plan_add_attacks(struct plan *p);

/* ---- targets ---- */

/* 0: not asked for. */
struct plan_target {
	double delay_p95_ms, people, client_bytes;
};
bool plan_meets(const struct plan *p, const struct plan_target *t);

#define PLAN_SENTENCES_BYTES 1200

/*
 * The nearest question that meets the target: of slots, rounds, layers and mailboxes that
 * the charter's rules allow, the one that changes the fewest of them, and then costs a
 * client least. False if there is none; `why` then says what the nearest come to.
 */
bool plan_search(struct plan *out, char why[static PLAN_SENTENCES_BYTES],
    const struct plan_question *q, const struct plan_target *t);
/* What differs between the two, as `restante-charter set` takes it: "slot 10s layers 2". */
void plan_changes(char out[static PLAN_SENTENCES_BYTES], const struct params *from,
    const struct params *to);

/* ---- printing; errors show in ferror(out) ---- */

void plan_print_text(FILE *out, const struct plan *p);
/* With a target: `better` is what reaches it, NULL if nothing does, for the reason. */
struct plan_advice {
	const struct plan_target *target;
	bool met;
	const struct plan *better;
	const char *why;
};
void plan_print_advice(FILE *out, const struct plan *p, const struct plan_advice *a);
/* One object, a line; a may be NULL. ERR_MEMORY, ERR_FULL. */
RST_MUST_USE enum err plan_print_json(FILE *out, const struct plan *p,
    const struct plan_advice *a);

#endif
