/*
 * The roll: who is enrolled. Of a member it has a number, the name that the operator
 * chose and the hash of the enrolment code; the file "roll" of the state directory,
 * text. docs/protocol.md, "Files on disk". Pure but for load and save.
 *
 *   restante-roll 1
 *   next 3
 *   1 anna HEX
 *   2 ben HEX
 *
 * Numbers ascend and are never given twice: the ledger goes by them.
 */
#ifndef REGISTRAR_ROLL_H
#define REGISTRAR_ROLL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"
#include "common/token/enrolment.h"

#define ROLL_MAX 50000
#define ROLL_NAME_MAX 32
#define ROLL_FILE "roll"

struct roll_member {
	uint32_t number;
	char name[ROLL_NAME_MAX + 1];
	uint8_t id[ENROLMENT_ID_BYTES];
};

struct roll {
	uint32_t next;
	size_t count, room;
	struct roll_member *list;
};

void roll_init(struct roll *r);
void roll_release(struct roll *r);
/* ERR_MEMORY; to is initialised and empty. */
RST_MUST_USE enum err roll_copy(struct roll *to, const struct roll *from);

/* 1 to ROLL_NAME_MAX of a-z, 0-9 and '-', not '-' in front. ERR_USAGE with a sentence. */
RST_MUST_USE enum err roll_check_name(const char *name, struct diag *d);
/* A name that was checked. ERR_EXISTS, ERR_FULL, ERR_MEMORY, with a sentence. */
RST_MUST_USE enum err roll_add(struct roll *r, const char *name,
    const uint8_t id[static ENROLMENT_ID_BYTES], struct diag *d);
/* ERR_NOT_FOUND with a sentence. */
RST_MUST_USE enum err roll_remove(struct roll *r, const char *name, struct diag *d);
/* The member with this hash, or NULL. */
const struct roll_member *roll_find(const struct roll *r,
    const uint8_t id[static ENROLMENT_ID_BYTES]);

RST_MUST_USE enum err roll_print(struct buf *out, const struct roll *r);
/* Exactly what roll_print writes. ERR_MALFORMED, ERR_VERSION, with a sentence; r is then empty. */
RST_MUST_USE enum err roll_parse(struct roll *r, const char *text, size_t len, struct diag *d);

/* No file: nobody. Errors with a sentence. */
RST_MUST_USE enum err roll_load(struct roll *r, struct disk *disk, struct diag *d);
RST_MUST_USE enum err roll_save(struct disk *disk, const struct roll *r, struct diag *d);

#endif
