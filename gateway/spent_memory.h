/*
 * The spent store in memory, for tests and simulations. What is spent lives in an object
 * of its own, so that a gateway can be stopped and started over it.
 */
#ifndef GATEWAY_SPENT_MEMORY_H
#define GATEWAY_SPENT_MEMORY_H

#include "common/base/err.h"
#include "common/net/loop.h"
#include "gateway/spent.h"

struct memory_spent;

/* Empty; NULL if there is no memory. */
struct memory_spent *memory_spent_new(void);
void memory_spent_free(struct memory_spent *m);
/* Marks of an epoch. */
size_t memory_spent_count(const struct memory_spent *m, uint32_t epoch);

/* A store over m, which is borrowed. ERR_MEMORY. */
RST_MUST_USE enum err spent_memory_new(struct spent **out, struct loop *l,
    struct memory_spent *m);

#endif
