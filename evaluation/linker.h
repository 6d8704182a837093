/*
 * The linker of sessions: a gateway that tries to tell whose session it is that
 * begins. docs/threat-model.md, "Linking sessions". Pure.
 *
 * It is told more than any gateway can know: of all sessions up to the one that
 * begins whose they were (by number). What comes after that session it does not use.
 * For the session that begins, all members that
 * have no session of its hour open are candidates, for one that fetches a gap all
 * that have their live session open. Members act independently of each other, so
 * that the probability of a candidate is in proportion to its hazard, the rate at
 * which somebody who has done what it did opens such a session now. The ratios of
 * the hazards are fitted by partial likelihood (D. R. Cox, Partial likelihood,
 * Biometrika 62, 1975; algorithm: D. R. Hunter, MM algorithms for generalized
 * Bradley-Terry models, Annals of Statistics 32, 2004) to months that the
 * adversary simulates with the published code.
 *
 * Chance is one in the number of candidates: who knows which sessions are open,
 * that nobody has two of one hour, and nothing else. Crowd is chance for whoever is
 * told besides whether the member is in a live session of another hour or in none: what
 * the linker has beyond that it owes to times, ends and reading positions.
 */
#ifndef EVALUATION_LINKER_H
#define EVALUATION_LINKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/charter/params.h"

/* How a session ended, as the gateway sees it. */
enum linker_end {
	LINKER_MARK,	/* by the gateway, all being well */
	LINKER_CLOSED,	/* by the other side, or by tor */
	LINKER_SILENT,	/* frames stopped */
	LINKER_RESTART, /* the gateway itself ended, and with it all sessions */
	LINKER_ENDS,
};
enum linker_read { LINKER_LIVE, LINKER_DAY, LINKER_EPOCHS };

/* What happened to the member before a live session, which the gateway does not see. */
enum linker_situation {
	LINKER_TURN,	/* nothing: the hour turned */
	LINKER_FAILED,	/* a line or a circuit broke, between 6 and 22 UTC */
	LINKER_FAILED_AT_NIGHT,
	LINKER_RESTARTED, /* the gateway was restarted */
	LINKER_NAP,	/* the machine was off for less than five hours */
	LINKER_NIGHT,	/* for less than a day */
	LINKER_DAYS,	/* for less than a week */
	LINKER_WEEKS,	/* longer */
	/* fetches, by what they fetch: to which live session does it belong? */
	LINKER_GAP_EPOCHS,
	LINKER_GAP_TODAY,
	LINKER_GAP_EARLIER,
	LINKER_SITUATIONS,
};
const char *linker_situation_name(enum linker_situation s);

struct linker_session {
	int64_t start_ms, end_ms; /* INT64_MAX: still open */
	int64_t from_ms;	  /* live: what it asked to read from */
	uint32_t hour, day;
	enum linker_read read;
	enum linker_end end;
	/* the truth */
	unsigned member;
	bool off; /* it ended because the machine went off or to sleep */
};

struct linker;

RST_MUST_USE enum err linker_new(struct linker **out, const struct params *p, unsigned members);
void linker_free(struct linker *l);

/* A month whose truth the adversary knows, by start. ERR_MEMORY. Then linker_fit. */
RST_MUST_USE enum err linker_learn(struct linker *l, const struct linker_session *log, size_t n);
void linker_fit(struct linker *l);

/* Shares, each with a 95 % interval by bootstrap over members. */
struct linker_share {
	double value, low, high;
};
struct linker_score {
	uint64_t sessions;
	struct linker_share chance; /* right by chance */
	struct linker_share crowd;
	struct linker_share right;  /* right by the likeliest candidate, ties by lot */
	struct linker_share excess; /* right less crowd */
	double claimed; /* what it said itself that it would get right: calibration */
};
/* Judge another month. ERR_MEMORY. */
RST_MUST_USE enum err linker_judge(struct linker_score out[static LINKER_SITUATIONS],
    struct linker *l, const struct linker_session *log, size_t n, const struct rng *r);

/*
 * The part below is for those above, and for tests. Which of n candidates did it, by
 * weights w: p[i] is the i-th one's probability; all-zero weights are as good as equal ones.
 */
void linker_posterior(double *p, const double *w, size_t n);
/* The share of being right of who names the likeliest, ties by lot, if it was `truth`. */
double linker_hit(const double *p, size_t n, size_t truth);

/* One choice: of the candidates, each in a cell, the truth-th one did it. */
struct linker_choice {
	size_t first, n, truth; /* first: where its candidates' cells begin */
};
/* Weights of cells, fitted by iterations of the algorithm, with a little shrinkage to 1. */
void linker_weights(double *w, size_t cells, const struct linker_choice *choices, size_t n,
    const uint16_t *cell, unsigned iterations);

#endif
