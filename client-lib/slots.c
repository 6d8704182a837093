#include "config.h"

#include "client-lib/slots.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/journal/block.h"

struct slots {
	const struct succession *charters;
	const struct params *params; /* the constant ones */
	const struct rng *rng, *keys;
	uint8_t note[]; /* a record's size; zero but for the first bytes */
};

struct slots *
slots_new(const struct succession *charters, const struct rng *rng, const struct rng *keys)
{
	const struct params *p = &succession_first(charters)->params;
	struct slots *s = calloc(1, sizeof(*s) + p->record_size);

	if (s == NULL)
		return NULL;
	s->charters = charters;
	s->params = p;
	s->rng = rng;
	s->keys = keys;
	return s;
}

void
slots_free(struct slots *s)
{
	free(s);
}

const uint8_t *
slots_note(const struct slots *s)
{
	return s->note;
}

static bool
has_path(const struct sheet *sheet, const struct path *p)
{
	struct onion_hop hops[ONION_HOPS_MAX];

	return path_hops(hops, p, sheet) == ERR_OK;
}

static enum slot_kind
choose(const struct slots *s, const struct charter *c, const struct sheet *sheet,
    const struct path *drawn, const struct slot_record *real, int64_t wall_ms)
{
	if (path_time_in(s->params, sheet->epoch, wall_ms) == PATH_CLOSED ||
	    !has_path(sheet, drawn))
		return SLOT_SKIP;
	if (rng_below(s->rng, c->params.note_one_in) == 0)
		return SLOT_NOTE;
	if (real != NULL && has_path(sheet, &real->path) &&
	    path_time_in(s->params, sheet->epoch, wall_ms) == PATH_OPEN)
		return SLOT_REAL;
	return SLOT_DROP;
}

static void
command_for(struct onion_command *out, struct slots *s, enum slot_kind kind,
    const struct slot_record *real)
{
	memset(out, 0, sizeof(*out));
	out->kind = ONION_DROP;
	if (kind == SLOT_NOTE) {
		rng_bytes(s->rng, s->note, BLOCK_DIGEST_BYTES);
		out->kind = ONION_NOTE;
		out->body = s->note;
	} else if (kind == SLOT_REAL) {
		out->kind = ONION_DEPOSIT;
		out->mailbox = real->mailbox;
		out->body = real->record;
		if (real->stamp != NULL)
			memcpy(out->stamp, real->stamp, sizeof(out->stamp));
	}
}

enum slot_kind
slots_build(struct slots *s, struct session_packet *out, const struct sheet *sheet,
    const struct slot_record *real, int64_t wall_ms)
{
	const struct charter *c = succession_at(s->charters, timing_epoch(s->params, wall_ms));
	struct onion_command command;
	enum slot_kind kind;
	struct path path;

	if (c == NULL)
		return SLOT_SKIP;
	path_draw(&path, c, s->rng);
	if (sheet == NULL)
		return SLOT_SKIP;
	kind = choose(s, c, sheet, &path, real, wall_ms);
	if (kind == SLOT_SKIP)
		return kind;
	if (kind == SLOT_REAL)
		path = real->path;
	command_for(&command, s, kind, real);
	out->first_mix = path.node[0];
	out->epoch = sheet->epoch;
	if (path_packet(out->packet, &path, sheet, &c->params, &command, s->rng, s->keys) != ERR_OK)
		return SLOT_SKIP;
	return kind;
}
