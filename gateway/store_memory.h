/*
 * The store in memory, for tests and simulations. What is stored lives in an object
 * of its own, so that a gateway can be stopped and started over it.
 */
#ifndef GATEWAY_STORE_MEMORY_H
#define GATEWAY_STORE_MEMORY_H

#include "common/base/err.h"
#include "common/net/loop.h"
#include "gateway/store.h"

struct memory_journal;

/* Empty; NULL if there is no memory. */
struct memory_journal *memory_journal_new(void);
void memory_journal_free(struct memory_journal *m);

/* A store over m, which is borrowed. ERR_MEMORY. */
RST_MUST_USE enum err store_memory_new(struct store **out, struct loop *l,
    struct memory_journal *m);

#endif
