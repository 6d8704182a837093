#include "config.h"

#include "common/token/allotment.h"

#include "common/charter/sheet.h"

size_t
allotment_hours(const struct params *p)
{
	return sheet_ticket_keys(p);
}

uint32_t
allotment_total(const struct params *p, enum token_kind kind)
{
	switch (kind) {
	case TOKEN_TICKET:
		return (uint32_t)allotment_hours(p) * ALLOTMENT_TICKETS_PER_HOUR;
	case TOKEN_STAMP:
		return p->stamps;
	}
	return 0;
}

uint32_t
allotment_batches(const struct params *p, enum token_kind kind)
{
	uint32_t total = allotment_total(p, kind);

	return total / ALLOTMENT_BATCH + (total % ALLOTMENT_BATCH > 0 ? 1 : 0);
}

size_t
allotment_count(const struct params *p, enum token_kind kind, uint32_t batch)
{
	uint32_t whole = allotment_total(p, kind) / ALLOTMENT_BATCH;

	if (batch < whole)
		return ALLOTMENT_BATCH;
	return batch == whole ? allotment_total(p, kind) % ALLOTMENT_BATCH : 0;
}

size_t
allotment_per_proof(const struct params *p, enum token_kind kind, uint32_t batch)
{
	return kind == TOKEN_TICKET ? ALLOTMENT_TICKETS_PER_HOUR : allotment_count(p, kind, batch);
}

size_t
allotment_proofs(const struct params *p, enum token_kind kind, uint32_t batch)
{
	size_t count = allotment_count(p, kind, batch);

	return count == 0 ? 0 : count / allotment_per_proof(p, kind, batch);
}

uint16_t
allotment_hour(uint32_t batch, size_t i)
{
	return (uint16_t)(batch * ALLOTMENT_HOURS + i / ALLOTMENT_TICKETS_PER_HOUR);
}
