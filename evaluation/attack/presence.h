/*
 * What presence tells: who could have sent what came out, given who was online when. Two
 * questions of somebody who watches sessions and deposits.
 *
 * Whose deposits are these? One correspondent is known to write once on each day on which he
 * works, and the time at which each of these messages came out is known; of the others
 * nothing. Each person gets the likelihood of all of it: that a packet of that hour was
 * sent while the person was online, that the person wrote at all on that day, and that none
 * came on the other days.
 *
 * Who writes, and how much? What comes out in each piece of time is the sum of what
 * those who were online wrote: rates by weighted least squares with a prior
 * (Perez-Gonzalez and Troncoso 2012 without its rounds; the prior makes it their
 * small-sample form). Pure.
 */
#ifndef EVALUATION_ATTACK_PRESENCE_H
#define EVALUATION_ATTACK_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "evaluation/attack/people.h"
#include "evaluation/attack/trace.h"

#define PRESENCE_PARTS 288 /* of a day, five minutes each */

/* How somebody of one habit writes, as everybody can learn it. */
struct presence_law {
	double writes;		       /* P(writes on a day on which he might) */
	double profile[PRESENCE_PARTS]; /* when, relative to the mean: of those always online */
	double day_ms; /* the time of such a day in which he might, weighted by the profile */
	bool always;   /* the profile counts, and working days; else time online alone */
};

/* From the lives of other people than those that are watched. */
void presence_learn(struct presence_law laws[static PEOPLE_HABITS], const struct people *p,
    uint32_t count, uint32_t days, int64_t begins_ms);

/*
 * P(a packet that came out at at_ms was sent while one of these spans lasted), by the law of the
 * network's delay.
 */
double presence_mass(const struct people_span *spans, size_t n, const struct attack_delay *delay,
    int64_t at_ms);

/* The time of a day in which the person might write, weighted by the profile; ms. */
double presence_might_ms(const struct people_person *p, const struct presence_law *law,
    int64_t day_begins_ms, bool workday);
/*
 * ln of the likelihood of one day: a message came out at at_ms, or none (at_ms < 0). What is
 * impossible by the law has PRESENCE_DOUBT of what a person unknown would have. might_ms as
 * above.
 */
#define PRESENCE_DOUBT 1e-3
double presence_day(const struct people_person *p, const struct presence_law *law,
    const struct attack_delay *delay, int64_t day_begins_ms, double might_ms, int64_t at_ms);
/* How many messages are to be expected of a part of a day by somebody who writes one a day. */
double presence_part(const struct people_person *p, const struct presence_law *law,
    int64_t part_begins_ms, size_t part, bool workday);

/* ---- rates ---- */

struct presence_rates;

/* Rates of n people, whose prior has this mean and deviation. ERR_MEMORY. */
RST_MUST_USE enum err presence_rates_new(struct presence_rates **out, size_t n, double mean,
    double deviation);
void presence_rates_free(struct presence_rates *r);
/*
 * A piece of time in which `came` deposits came: of each of `k` people (index who[i]) x[i] would
 * have been expected with rate 1.
 */
void presence_rates_add(struct presence_rates *r, const uint32_t *who, const double *x, size_t k,
    double came);
/* rates[n] for all that was added. ERR_MEMORY, ERR_RANGE if the numbers do not hold. */
RST_MUST_USE enum err presence_rates_solve(const struct presence_rates *r, double *rates);

#endif
