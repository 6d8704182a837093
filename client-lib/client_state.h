/*
 * What others than the client may know of its stored state: that it has two parts, and
 * where it lies. docs/protocol.md, "Files on disk". Pure.
 */
#ifndef CLIENT_LIB_CLIENT_STATE_H
#define CLIENT_LIB_CLIENT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

/*
 * The two parts of the n bytes at p: the reader's with its length before it, as a backup
 * copies it, and the post's. Both stay in p. ERR_TRUNCATED.
 */
RST_MUST_USE enum err client_state_split(struct reader *reader, struct reader *post,
    const uint8_t *p, size_t n);

/*
 * The reader's part, with its length before it, comes into another directory and is known
 * to be no old copy: its age and place count from here.
 */
void client_state_forget_place(uint8_t *p, size_t n);

#endif
