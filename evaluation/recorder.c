#include "config.h"

#include "evaluation/recorder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024
#define NAME_BYTES 32

/* What is kept of a packet on its way. */
struct way {
	int64_t written_ms;
	uint64_t number;  /* by which the adversary knows it; 0: as all others */
	uint32_t receiver;
};

struct recorder {
	struct simulation *simulation;
	const struct traffic *traffic;
	FILE *trace, *truth;
	int64_t begin_ms, measured_ms;
	enum scenario_adversary adversary;
	unsigned layers;
	uint32_t people, mailboxes;
	uint32_t widths[PARAMS_LAYERS_MAX];
	bool corrupt[SIMULATION_NODES_MAX];
	struct way *ways; /* by handle */
	size_t room;
	uint64_t numbers, exits;
	uint32_t peers[SIMULATION_WIDTH_MAX]; /* of a flush: packets to each mix */
	struct recorder_counts counts;
};

const char *
recorder_kind(unsigned kind)
{
	switch ((enum token_content)kind) {
	case TOKEN_COVER:
		return "cover";
	case TOKEN_NOTE:
		return "note";
	case TOKEN_REAL:
		break;
	}
	return "message";
}

static struct way *
way_of(struct recorder *r, uint32_t handle)
{
	size_t room = r->room > 0 ? r->room : FIRST_ROOM;
	struct way *ways;

	if (handle < r->room)
		return &r->ways[handle];
	while (room <= handle)
		room *= 2;
	ways = realloc(r->ways, room * sizeof(*ways));
	if (ways == NULL) {
		simulation_fail(r->simulation, ERR_MEMORY);
		return NULL;
	}
	memset(ways + r->room, 0, (room - r->room) * sizeof(*ways));
	r->ways = ways;
	r->room = room;
	return &ways[handle];
}

/* ---- the trace ---- */

static void
mix_name(char out[static NAME_BYTES], const struct recorder *r, uint32_t node)
{
	unsigned layer = simulation_layer(r->simulation, node);

	(void)snprintf(out, NAME_BYTES, "mix-%u-%" PRIu32, layer,
	    node - simulation_node(r->simulation, layer, 0));
}

/* Where the packet comes from when it arrives after `hop` mixes. */
static void
source_name(char out[static NAME_BYTES], const struct token *t, unsigned hop)
{
	if (hop == 0)
		(void)snprintf(out, NAME_BYTES, "person-%" PRIu32, t->person);
	else
		(void)snprintf(out, NAME_BYTES, "mix-%u-%u", hop - 1, t->path[hop - 1]);
}

static void
row(const struct recorder *r, int64_t at_ms, const char *node, const char *peer,
    const char *direction, uint32_t count, int64_t packet)
{
	(void)fprintf(r->trace, "%" PRId64 ",%s,%s,%s,%" PRIu32 ",%" PRId64 ",unknown,-1\n",
	    at_ms - r->begin_ms, node, peer, direction, count, packet);
}

static void
trace_sent(struct recorder *r, int64_t at_ms, const struct token *t)
{
	char from[NAME_BYTES], to[NAME_BYTES];

	if (r->adversary == ADVERSARY_NODES)
		return;
	source_name(from, t, 0);
	(void)snprintf(to, sizeof(to), "mix-0-%u", t->path[0]);
	row(r, at_ms, from, to, "out", 1, -1);
}

static void
trace_arrived(struct recorder *r, int64_t at_ms, uint32_t node, const struct token *t,
    struct way *w)
{
	char at[NAME_BYTES], from[NAME_BYTES];
	bool corrupt = r->corrupt[node];

	if (corrupt && w->number == 0)
		w->number = ++r->numbers;
	if (!corrupt && r->adversary != ADVERSARY_GLOBAL)
		return;
	mix_name(at, r, node);
	source_name(from, t, t->hop);
	row(r, at_ms, at, from, "in", 1, corrupt ? (int64_t)w->number : -1);
}

/* A corrupt mix knows which packet is which. */
static void
trace_each(struct recorder *r, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n)
{
	char at[NAME_BYTES], to[NAME_BYTES];

	mix_name(at, r, node);
	for (size_t i = 0; i < n; i++) {
		const struct token *t = simulation_token(r->simulation, handles[i]);
		unsigned next = t->hop + 1u;

		if (next < r->layers)
			(void)snprintf(to, sizeof(to), "mix-%u-%u", next, t->path[next]);
		else
			(void)snprintf(to, sizeof(to), "gateway");
		row(r, at_ms, at, to, "out", 1, (int64_t)r->ways[handles[i]].number);
	}
}

static void
trace_counts(struct recorder *r, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n)
{
	unsigned next = simulation_layer(r->simulation, node) + 1;
	uint32_t width = next < r->layers ? r->widths[next] : 1;
	char at[NAME_BYTES], to[NAME_BYTES];

	memset(r->peers, 0, sizeof(r->peers));
	for (size_t i = 0; i < n; i++) {
		const struct token *t = simulation_token(r->simulation, handles[i]);

		r->peers[next < r->layers ? t->path[next] : 0]++;
		r->ways[handles[i]].number = 0; /* lost among the others */
	}
	if (r->adversary != ADVERSARY_GLOBAL)
		return;
	mix_name(at, r, node);
	for (uint32_t i = 0; i < width; i++) {
		if (r->peers[i] == 0)
			continue;
		if (next < r->layers)
			(void)snprintf(to, sizeof(to), "mix-%u-%" PRIu32, next, i);
		else
			(void)snprintf(to, sizeof(to), "gateway");
		row(r, at_ms, at, to, "out", r->peers[i], -1);
	}
}

/* Only the gateway opens the last layer, and sees which mailbox a record is for. */
static void
trace_exited(struct recorder *r, int64_t at_ms, const struct token *t, const struct way *w)
{
	char from[NAME_BYTES];

	if (r->adversary == ADVERSARY_NODES)
		return;
	source_name(from, t, r->layers);
	if (r->adversary != ADVERSARY_GATEWAY) {
		row(r, at_ms, "gateway", from, "in", 1, -1);
		return;
	}
	(void)fprintf(r->trace, "%" PRId64 ",gateway,%s,in,1,-1,%s,%" PRId64 "\n",
	    at_ms - r->begin_ms, from, recorder_kind(t->kind),
	    t->kind == TOKEN_REAL ? (int64_t)(w->receiver % r->mailboxes) : -1);
}

/* ---- the truth ---- */

static void
truth_exited(struct recorder *r, int64_t at_ms, const struct token *t, const struct way *w)
{
	bool real = t->kind == TOKEN_REAL;

	(void)fprintf(r->truth, "%" PRIu64 ",%" PRIu32 ",%" PRId64 ",%s,%" PRId64 ",%" PRId64
	    ",%" PRId64 ",", r->exits, t->person, real ? (int64_t)w->receiver : -1,
	    recorder_kind(t->kind), real ? w->written_ms - r->begin_ms : -1,
	    t->sent_ms - r->begin_ms, at_ms - r->begin_ms);
	/* "m0-2-1": never read as a number or a date */
	for (unsigned i = 0; i < r->layers; i++)
		(void)fprintf(r->truth, "%s%u", i > 0 ? "-" : "m", t->path[i]);
	(void)fputc('\n', r->truth);
}

/* ---- observing ---- */

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct recorder *r = arg;
	const struct token *t = simulation_token(r->simulation, handle);
	struct way *w = way_of(r, handle);

	if (w == NULL)
		return;
	memset(w, 0, sizeof(*w));
	if (t->kind == TOKEN_REAL) {
		const struct traffic_message *m = traffic_message(r->traffic, t->person);

		w->written_ms = m->written_ms;
		w->receiver = m->receiver;
	}
	if (r->trace != NULL)
		trace_sent(r, at_ms, t);
	if (at_ms < r->measured_ms)
		return;
	r->counts.sent++;
	r->counts.cover += t->kind == TOKEN_COVER;
	r->counts.notes += t->kind == TOKEN_NOTE;
	r->counts.real += t->kind == TOKEN_REAL;
}

static void
on_arrived(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held)
{
	struct recorder *r = arg;

	(void)held;
	if (r->trace != NULL)
		trace_arrived(r, at_ms, node, simulation_token(r->simulation, handle),
		    &r->ways[handle]);
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct recorder *r = arg;

	(void)held;
	if (r->trace == NULL)
		return;
	if (r->corrupt[node])
		trace_each(r, at_ms, node, handles, n);
	else
		trace_counts(r, at_ms, node, handles, n);
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct recorder *r = arg;
	const struct token *t = simulation_token(r->simulation, handle);

	if (r->trace != NULL) {
		trace_exited(r, at_ms, t, &r->ways[handle]);
		truth_exited(r, at_ms, t, &r->ways[handle]);
	}
	r->exits++;
	if (at_ms < r->measured_ms)
		return;
	r->counts.exited++;
	if (t->kind == TOKEN_REAL)
		tally_add(&r->counts.network_ms, at_ms - t->sent_ms);
}

static void
on_dropped(void *arg, int64_t at_ms, uint32_t person)
{
	struct recorder *r = arg;

	(void)person;
	r->counts.dropped += at_ms >= r->measured_ms;
}

static void
on_lost(void *arg, int64_t at_ms, uint32_t node, uint32_t handle)
{
	struct recorder *r = arg;
	const struct token *t = simulation_token(r->simulation, handle);

	(void)node;
	if (at_ms < r->measured_ms)
		return;
	r->counts.lost++;
	r->counts.lost_real += t->kind == TOKEN_REAL;
}

static void
on_counted(void *arg, const struct simulation_counted *c)
{
	struct recorder *r = arg;

	if (c->at_ms < r->measured_ms)
		return;
	r->counts.sent += c->covers + c->notes;
	r->counts.cover += c->covers;
	r->counts.notes += c->notes;
	r->counts.exited += c->exited;
	r->exits += c->exited;
}

/* Person n has mailbox n modulo their number: so many share it. */
static uint32_t
crowd_of(const struct recorder *r, uint32_t person)
{
	uint32_t mailbox = person % r->mailboxes;

	return r->people / r->mailboxes + (mailbox < r->people % r->mailboxes);
}

static void
on_round(void *arg, uint64_t round, const uint32_t *handles, size_t n)
{
	struct recorder *r = arg;
	int64_t now_ms = simulation_now(r->simulation);

	(void)round;
	if (now_ms < r->measured_ms)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct token *t = simulation_token(r->simulation, handles[i]);

		if (t->kind != TOKEN_REAL)
			continue;
		tally_add(&r->counts.message_ms, now_ms - r->ways[handles[i]].written_ms);
		tally_add(&r->counts.crowd, crowd_of(r, r->ways[handles[i]].receiver));
	}
}

void
recorder_observer(struct recorder *r, struct simulation_observer *out)
{
	*out = (struct simulation_observer){ .sent = on_sent,
		.arrived = on_arrived,
		.left = on_left,
		.exited = on_exited,
		.lost = on_lost,
		.dropped = on_dropped,
		.round = on_round,
		.counts = true,
		.counted = on_counted,
		.arg = r };
}

void
recorder_begin(struct recorder *r, struct simulation *s)
{
	r->simulation = s;
}

const struct recorder_counts *
recorder_counts(const struct recorder *r)
{
	return &r->counts;
}

/* ---- life ---- */

enum err
recorder_new(struct recorder **out, const struct scenario *s, const struct traffic *t,
    FILE *trace, FILE *truth)
{
	struct recorder *r = calloc(1, sizeof(*r));
	struct params p;
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	scenario_params(&p, s);
	*r = (struct recorder){ .traffic = t, .trace = trace, .truth = truth,
		.begin_ms = scenario_begins_ms(s), .measured_ms = scenario_measured_ms(s),
		.adversary = s->adversary, .layers = p.layers,
		.people = p.people, .mailboxes = p.mailboxes };
	for (unsigned i = 0; i < p.layers; i++)
		r->widths[i] = p.mixes[i];
	(void)scenario_corrupt(r->corrupt, s);
	e = tally_init(&r->counts.network_ms);
	if (e == ERR_OK)
		e = tally_init(&r->counts.message_ms);
	if (e == ERR_OK)
		e = tally_init(&r->counts.crowd);
	if (e != ERR_OK) {
		recorder_free(r);
		return e;
	}
	if (trace != NULL)
		(void)fprintf(trace, "%s\n", RECORDER_TRACE_HEADER);
	if (truth != NULL)
		(void)fprintf(truth, "%s\n", RECORDER_TRUTH_HEADER);
	*out = r;
	return ERR_OK;
}

void
recorder_free(struct recorder *r)
{
	if (r == NULL)
		return;
	tally_release(&r->counts.network_ms);
	tally_release(&r->counts.message_ms);
	tally_release(&r->counts.crowd);
	free(r->ways);
	free(r);
}
