/*
 * Who may reach the gateway through tor: groups, each with the public half of a
 * client authorization key (x25519). Text, kept in the file "members" of the state
 * directory: one line "NAME KEY" a group, KEY being 52 characters of base32,
 * sorted by name. Pure but for load and save.
 */
#ifndef GATEWAY_MEMBERS_H
#define GATEWAY_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/disk.h"
#include "common/base/err.h"

#define MEMBERS_MAX 330 /* groups: an ADD_ONION line must hold them all */
#define MEMBERS_NAME_MAX 32
#define MEMBERS_KEY_CHARS 52
#define MEMBERS_FILE "members"
/* The group of the gateway's own probe. It is in no file. */
#define MEMBERS_PROBE "probe"

struct member {
	char name[MEMBERS_NAME_MAX + 1];
	uint8_t key[32];
};

struct members {
	size_t count;
	struct member list[MEMBERS_MAX]; /* ascending by name; no key twice */
};

/*
 * A name: 1 to MEMBERS_NAME_MAX of a-z, 0-9 and '-', not '-' in front. ERR_USAGE
 * with a sentence, also for MEMBERS_PROBE.
 */
RST_MUST_USE enum err members_check_name(const char *name, struct diag *d);
/* A key as people give it, in either case. ERR_USAGE with a sentence; small order, too. */
RST_MUST_USE enum err members_parse_key(uint8_t key[static 32], const char *text, struct diag *d);

/*
 * Add a group that passed the checks above. ERR_EXISTS (name or key), ERR_FULL, with a
 * sentence; m is then unchanged.
 */
RST_MUST_USE enum err members_add(struct members *m, const char *name,
    const uint8_t key[static 32], struct diag *d);
/* ERR_NOT_FOUND with a sentence. */
RST_MUST_USE enum err members_remove(struct members *m, const char *name, struct diag *d);

/* Append the file's text. */
RST_MUST_USE enum err members_print(struct buf *out, const struct members *m);
/* Exactly what members_print writes. ERR_MALFORMED, ERR_FULL with a sentence; out is then untouched. */
RST_MUST_USE enum err members_parse(struct members *out, const char *text, size_t len,
    struct diag *d);

/* No file: no groups. ERR_MALFORMED, ERR_IO, ... with a sentence. */
RST_MUST_USE enum err members_load(struct members *out, struct disk *disk, struct diag *d);
RST_MUST_USE enum err members_save(struct disk *disk, const struct members *m, struct diag *d);

#endif
