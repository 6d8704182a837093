/*
 * A store that counts what is asked of it, and fails on demand, over another one.
 */
#ifndef TESTS_UNIT_GATEWAY_FAULTS_H
#define TESTS_UNIT_GATEWAY_FAULTS_H

#include "common/net/loop.h"
#include "gateway/store.h"

struct faults {
	enum err put;  /* what a put comes to, if not ERR_OK; */
	bool put_done; /* though it takes effect */
	enum err read, find, expire;
	unsigned puts, reads, finds, expiries; /* asked so far */
	unsigned published;		       /* puts that were answered with ERR_OK */
};

/* Owns under; the plan is the caller's and may be changed at any time. */
struct store *faults_new(struct store *under, struct loop *l, struct faults *plan);

#endif
