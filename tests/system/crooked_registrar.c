/*
 * A crooked registrar, for marked.sh: the shipped program but for one call. The file that
 * RESTANTE_CROOKED names has the enrolment code of one member, whom it answers with keys of
 * his own, under which his tickets would be known again; proofs are proper, for those keys.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/token/issuance.h"

#define PREFIX "restante-code:"
#define CODE_BYTES 45 /* version, network, secret, check */
#define SECRET_AT 9

void __real_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys);
void __wrap_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys);

static bool
is_marked(const struct issuance_request *q)
{
	const char *path = getenv("RESTANTE_CROOKED");
	FILE *f = path != NULL ? fopen(path, "r") : NULL;
	char text[ENROLMENT_TEXT_BYTES] = "";
	uint8_t code[CODE_BYTES];

	if (f == NULL)
		return false;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	(void)fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return strlen(text) > strlen(PREFIX) &&
	    encode_from_base64(code, CODE_BYTES, text + strlen(PREFIX),
		strlen(text) - strlen(PREFIX)) == ERR_OK &&
	    memcmp(code + SECRET_AT, q->code, sizeof(q->code)) == 0; /* a test's */
}

void
__wrap_issuance_serve(struct issuance_answer *out, const struct issuer *s,
    const struct issuance_request *q, const struct params *p, const struct rng *keys)
{
	static const uint8_t seed[ISSUER_SEED_BYTES] = { 66 };
	struct issuer *other = NULL;

	if (is_marked(q) && issuer_new(&other, p, q->epoch, seed) == ERR_OK)
		s = other;
	__real_issuance_serve(out, s, q, p, keys);
	issuer_free(other);
}
