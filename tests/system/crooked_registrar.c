/*
 * A crooked registrar, for marked.sh: the shipped program but for one call. While the file
 * that RESTANTE_CROOKED names is there it answers with keys of its own, under which the
 * tickets of whoever fetches then would be known again; proofs are proper, for those keys.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/token/issuance.h"

void __real_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys);
void __wrap_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys);

void
__wrap_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys)
{
	static const uint8_t seed[ISSUER_SEED_BYTES] = { 66 };
	const char *mark = getenv("RESTANTE_CROOKED");
	struct issuer *other = NULL;

	if (mark != NULL && access(mark, F_OK) == 0 &&
	    issuer_new(&other, p, q->epoch, seed) == ERR_OK)
		s = other;
	__real_issuance_serve(out, s, q, p, keys);
	issuer_free(other);
}
