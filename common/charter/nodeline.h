/*
 * A node's public line: what the `init` commands of restante-mix, restante-gateway
 * and restante-registrar print and `restante-charter add-node` reads.
 *
 *   restante-node 1 mix identity=HEX link=HEX address=HOST:PORT
 *   restante-node 1 gateway identity=HEX link=HEX address=... entrance=...
 *   restante-node 1 registrar identity=HEX link=HEX entrance=...
 *
 * An entrance may be an onion address (common/crypto/hsid.h), spelled rightly.
 *
 * A charter has the part from the role on in its node lines. Pure.
 */
#ifndef COMMON_CHARTER_NODELINE_H
#define COMMON_CHARTER_NODELINE_H

#include "common/charter/charter.h"

#define NODELINE_BYTES 512 /* room for any line with its NUL */

/* Print role, keys, address and entrance of n; number and layer do not appear. */
void nodeline_print(char out[static NODELINE_BYTES], const struct charter_node *n);
/*
 * Parse a whole line without line end; out->number and ->layer become 0.
 * ERR_VERSION, ERR_MALFORMED with a sentence.
 */
RST_MUST_USE enum err nodeline_parse(struct charter_node *out, const char *line, struct diag *d);

/* The same from the role on, as a charter has it. */
void nodeline_print_body(char out[static NODELINE_BYTES], const struct charter_node *n);
RST_MUST_USE enum err nodeline_parse_body(struct charter_node *out, const char *body,
    struct diag *d);

#endif
