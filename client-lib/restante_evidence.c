#include "config.h"

#include <string.h>

#include "client-lib/handle.h"
#include "common/journal/evidence.h"

int
restante_evidence_at(struct restante *r, size_t i, struct restante_evidence *out)
{
	const struct charter *charter = succession_first(r->charters);
	const struct evidence *evidence;
	struct buf text;
	enum evidence_lie lie;
	enum err e;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	evidence = client_evidence(r->client, i);
	if (evidence == NULL)
		return RESTANTE_E_NOT_FOUND;
	buf_init(&text);
	e = evidence_encode(&text, evidence);
	if (e == ERR_OK && text.len >= sizeof(out->text))
		e = ERR_RANGE;
	if (e == ERR_OK) {
		memset(out, 0, sizeof(*out));
		memcpy(out->text, text.data, text.len);
		lie = evidence_lie(evidence, &charter->params, &out->number);
		(void)strncpy(out->kind, evidence_lie_name(lie), sizeof(out->kind) - 1);
		evidence_sentence(out->sentence, evidence, charter);
	}
	buf_release(&text);
	return e == ERR_OK ? RESTANTE_OK : handle_fail(r, e);
}
