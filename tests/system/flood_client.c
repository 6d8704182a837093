/*
 * Somebody who floods the gateway's entrance, for flood.sh:
 *
 *   flood_client CHARTER KIND CIRCUITS RATE SECONDS MAILBOX [CODES]
 *
 * CIRCUITS are open at a time; over all of them RATE times what a member does in a slot is
 * done: a connection, a handshake, an `open` or a frame, whichever KIND comes to next. What
 * the gateway closes is opened again. CODES is a file of enrolment codes, one a line, whose
 * whole allotments are fetched first. KIND is one of
 *
 *     look      nothing but what a newcomer does: read what every session is shown; fails if
 *               the sheet is not there
 *     silent    connect, and say nothing
 *     half      connect, and send part of a handshake
 *     shake     a handshake, and nothing more
 *     churn     a handshake, close, again
 *     unpaid    open sessions without tickets
 *     forged    open sessions with random tickets
 *     spent     open sessions with one and the same ticket
 *     cover     sessions with tickets; valid packets, ahead of schedule
 *     junk      sessions with tickets; random packets, ahead of schedule
 *     deposit   sessions with tickets; deposits with stamps at MAILBOX, as many as are taken
 *     unstamped sessions with tickets; deposits with random stamps at MAILBOX, the same
 *
 * "As many as are taken": 60 at once, then one a slot. Prints one line of JSON at the end.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/secret.h"
#include "common/charter/path.h"
#include "common/charter/timing.h"
#include "common/net/frame.h"
#include "common/net/link.h"
#include "common/net/loop_event.h"
#include "common/token/enrolment.h"
#include "mix/charterfile.h"
#include "tests/system/flood_tokens.h"

#define TICK_MS 10
#define HEAD_START 60 /* frames that are taken ahead of schedule; 64 in truth */
#define ERRORS 16

enum kind {
	LOOK, SILENT, HALF, SHAKE, CHURN, UNPAID, FORGED, SPENT, COVER, JUNK, DEPOSIT, UNSTAMPED, KINDS
};
static const char *const names[KINDS] = { "look", "silent", "half", "shake", "churn", "unpaid",
	"forged", "spent", "cover", "junk", "deposit", "unstamped" };

struct flood;

struct circuit {
	struct flood *flood;
	struct conn *conn; /* of who never shakes hands */
	struct link *link;
	bool up, opened;
	int64_t opened_ms;
	uint64_t frames;
};

struct flood {
	struct flood_tokens tokens;
	const struct params *params;
	enum kind kind;
	uint16_t mailbox;
	struct timer *tick;
	int64_t began_ms, end_ms;
	double rate_per_ms;
	uint64_t acts;
	size_t count, next, dry;
	struct circuit *circuits;
	struct flood_token first; /* what SPENT shows again and again */
	uint8_t *frame, *packet, *record;
	uint64_t connects, shaken, opens, frames, closed, errors[ERRORS];
	size_t most_open;
};

/* ---- connections that never shake hands ---- */

static void
conn_opened(void *arg)
{
	static const uint8_t part[100] = { 9 };
	struct circuit *c = arg;

	if (c->flood->kind == HALF)
		flood_must(conn_write(c->conn, part, sizeof(part)) == ERR_OK, "no write");
}

static size_t
conn_data(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	return n;
}

static void
conn_closed(void *arg, enum err why)
{
	struct circuit *c = arg;

	(void)why;
	c->flood->closed++;
	conn_free(c->conn);
	c->conn = NULL;
}

static void
connect_only(struct circuit *c)
{
	static const struct conn_events events = { .opened = conn_opened, .data = conn_data,
		.closed = conn_closed };
	static const struct conn_limits limits = { 65536, 65536 };
	struct flood *f = c->flood;

	if (conn_open(&c->conn, f->tokens.loop, charter_gateway(f->tokens.charter)->entrance,
		&limits, &events, c) != ERR_OK)
		c->conn = NULL;
}

/* ---- links ---- */

static void
hang_up(struct circuit *c)
{
	link_free(c->link);
	c->link = NULL;
	c->up = c->opened = false;
	c->frames = 0;
}

static void
on_up(void *arg)
{
	struct circuit *c = arg;

	c->flood->shaken++;
	c->up = true;
	if (c->flood->kind == CHURN)
		hang_up(c);
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	struct circuit *c = arg;
	struct frame_down d;

	(void)n;
	if (frame_down_decode(&d, c->flood->params, plain) != ERR_OK)
		return;
	if (d.type == FRAME_DOWN_ERROR) {
		c->flood->errors[d.error % ERRORS]++;
		hang_up(c);
	}
}

static void
on_down(void *arg, enum err why)
{
	struct circuit *c = arg;

	(void)why;
	c->flood->closed++;
	hang_up(c);
}

static void
dial(struct circuit *c)
{
	static const struct link_events events = { .up = on_up, .frame = on_frame,
		.down = on_down };
	struct flood *f = c->flood;
	const struct charter_node *gateway = charter_gateway(f->tokens.charter);
	struct link_config cfg = { .pattern = NOISE_NK,
		.initiator = true,
		.peer_pk = gateway->link,
		.send_bytes = params_up_frame_bytes(f->params),
		.receive_bytes = params_down_frame_bytes(f->params),
		.out_frames_max = 128,
		.handshake_ms = 60000,
		.keys = rng_system() };

	memcpy(cfg.network_id, f->tokens.charter->network_id, sizeof(cfg.network_id));
	if (link_dial(&c->link, f->tokens.loop, gateway->entrance, &cfg, &events, c) != ERR_OK)
		c->link = NULL;
}

/* ---- opening ---- */

static bool
pays(const struct flood *f)
{
	return f->kind >= SPENT && f->tokens.tickets.count > 0;
}

/* The ticket of an open frame; false: there is none left. */
static bool
take_ticket(struct circuit *c, struct frame_open *o)
{
	struct flood *f = c->flood;
	const struct flood_token *t;

	if (f->kind == FORGED) {
		rng_bytes(rng_system(), o->ticket_nonce, sizeof(o->ticket_nonce));
		rng_bytes(rng_system(), o->ticket_proof, sizeof(o->ticket_proof));
	}
	if (!pays(f))
		return true;
	if (f->kind == SPENT && f->first.hour == o->hour)
		t = &f->first;
	else
		t = flood_ticket(&f->tokens, o->hour);
	if (t == NULL)
		return false;
	f->first = *t;
	memcpy(o->ticket_nonce, t->nonce, sizeof(o->ticket_nonce));
	token_ticket_proof(o->ticket_proof, t->output, link_hash(c->link));
	return true;
}

static bool
send_open(struct circuit *c)
{
	struct flood *f = c->flood;
	struct frame_up up = { .type = FRAME_UP_OPEN,
		.open = { .version = FRAME_OPEN_VERSION, .mailbox = f->mailbox } };

	up.open.hour = timing_hour(f->params, loop_wall_ms(f->tokens.loop));
	if (!take_ticket(c, &up.open))
		return false;
	frame_up_encode(f->frame, f->params, &up);
	flood_must(link_send(c->link, f->frame) == ERR_OK, "nothing was sent");
	f->opens++;
	c->opened = true;
	c->opened_ms = loop_boot_ms(f->tokens.loop);
	return true;
}

/* ---- packets ---- */

static void
deposit(struct flood *f, struct onion_command *o, const struct flood_token *stamp)
{
	size_t n = f->params->record_size;

	rng_bytes(rng_system(), f->record, n);
	o->kind = ONION_DEPOSIT;
	o->mailbox = f->mailbox;
	o->body = f->record;
	rng_bytes(rng_system(), o->stamp, sizeof(o->stamp));
	if (stamp == NULL)
		return;
	memcpy(o->stamp, stamp->nonce, sizeof(stamp->nonce));
	token_stamp_proof(o->stamp + sizeof(stamp->nonce), stamp->output, f->record, n);
}

/* False: there is no sheet, or no stamp left. */
static bool
make_packet(struct flood *f, struct frame_up *up)
{
	struct onion_command o = { .kind = ONION_DROP };
	const struct flood_token *stamp = NULL;
	struct path path;

	path_draw(&path, f->tokens.charter, rng_system());
	up->first_mix = path.node[0];
	up->epoch = f->tokens.epoch;
	up->packet = f->packet;
	if (f->kind == JUNK) {
		rng_bytes(rng_system(), f->packet, params_up_frame_bytes(f->params) - 8);
		return true;
	}
	if (f->kind == DEPOSIT && f->tokens.stamps.count > 0) {
		stamp = flood_stamp(&f->tokens);
		if (stamp == NULL)
			return false;
	}
	if (f->kind == DEPOSIT || f->kind == UNSTAMPED)
		deposit(f, &o, stamp);
	return f->tokens.sheet != NULL && path_packet(f->packet, &path, f->tokens.sheet, f->params,
	    &o, rng_system(), rng_system()) == ERR_OK;
}

/* Whether the schedule allows another frame, for who keeps to it. */
static bool
is_due(const struct circuit *c)
{
	const struct flood *f = c->flood;
	int64_t since = loop_boot_ms(f->tokens.loop) - c->opened_ms;

	return f->kind < DEPOSIT ||
	    c->frames < HEAD_START + (uint64_t)(since / f->params->slot_ms);
}

static bool
send_packet(struct circuit *c)
{
	struct flood *f = c->flood;
	struct frame_up up = { .type = FRAME_UP_PACKET };

	if (!is_due(c) || link_unsent_frames(c->link) > 64 || !make_packet(f, &up))
		return false;
	frame_up_encode(f->frame, f->params, &up);
	if (link_send(c->link, f->frame) != ERR_OK)
		return false;
	c->frames++;
	f->frames++;
	return true;
}

/* ---- the flood ---- */

/* One more thing on a circuit; false if there is nothing to do on it now. */
static bool
act(struct circuit *c)
{
	struct flood *f = c->flood;

	if (c->conn == NULL && c->link == NULL) {
		f->connects++;
		if (f->kind <= HALF)
			connect_only(c);
		else
			dial(c);
		return true;
	}
	if (f->kind <= CHURN || !c->up)
		return false;
	if (!c->opened)
		return send_open(c);
	return f->kind >= COVER && send_packet(c);
}

static void
count_open(struct flood *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->circuits[i].conn != NULL || f->circuits[i].link != NULL;
	if (n > f->most_open)
		f->most_open = n;
}

static void
on_tick(void *arg)
{
	struct flood *f = arg;
	int64_t now = loop_boot_ms(f->tokens.loop);
	uint64_t due = (uint64_t)((double)(now - f->began_ms) * f->rate_per_ms) + 1;

	for (size_t idle = 0; f->acts < due && idle < f->count;) {
		struct circuit *c = &f->circuits[f->next++ % f->count];

		if (act(c)) {
			f->acts++;
			idle = 0;
		} else {
			idle++;
		}
	}
	if (f->acts < due)
		f->acts = due; /* what could not be done is not made up for */
	count_open(f);
	if (now >= f->end_ms)
		loop_event_stop(f->tokens.loop);
	else
		timer_after(f->tick, TICK_MS);
}

static void
report(const struct flood *f)
{
	printf("{\"kind\":\"%s\",\"circuits\":%zu,\"most_open\":%zu,\"connects\":%" PRIu64
	    ",\"shaken\":%" PRIu64 ",\"opens\":%" PRIu64 ",\"frames\":%" PRIu64
	    ",\"closed\":%" PRIu64 ",\"tickets\":%zu,\"stamps\":%zu,\"errors\":{", names[f->kind],
	    f->count, f->most_open, f->connects, f->shaken, f->opens, f->frames, f->closed,
	    f->tokens.tickets.used, f->tokens.stamps.used);
	for (size_t i = 0, n = 0; i < ERRORS; i++)
		if (f->errors[i] > 0)
			printf("%s\"%s\":%" PRIu64, n++ > 0 ? "," : "",
			    frame_error_text((enum frame_error)i), f->errors[i]);
	printf("}}\n");
}

static void
fetch_all(struct flood *f, const char *path)
{
	char line[ENROLMENT_TEXT_BYTES + 2];
	FILE *codes = fopen(path, "r");

	flood_must(codes != NULL, "no file of codes");
	while (fgets(line, sizeof(line), codes) != NULL)
		flood_fetch(&f->tokens, line, f->kind == DEPOSIT);
	(void)fclose(codes);
}

static void
set_up(struct flood *f, char **argv)
{
	static struct charter *charter;
	struct rlimit files;
	struct diag d = { "" };

	flood_must(secret_setup() == ERR_OK && loop_event_new(&f->tokens.loop, NULL) == ERR_OK,
	    "no loop");
	flood_must(charterfile_load(&charter, argv[1], &d) == ERR_OK, d.text);
	flood_must(succession_new(&f->tokens.charters, charter) == ERR_OK, "no memory");
	f->tokens.charter = charter;
	f->params = &charter->params;
	while (f->kind < KINDS && strcmp(names[f->kind], argv[2]) != 0)
		f->kind++;
	flood_must(f->kind < KINDS, "no such kind of flood");
	f->count = (size_t)strtoul(argv[3], NULL, 10);
	f->rate_per_ms = strtod(argv[4], NULL) / (double)f->params->slot_ms;
	f->mailbox = (uint16_t)strtoul(argv[6], NULL, 10);
	f->circuits = calloc(f->count, sizeof(f->circuits[0]));
	f->frame = calloc(1, params_up_frame_bytes(f->params));
	f->packet = calloc(1, params_up_frame_bytes(f->params));
	f->record = calloc(1, f->params->record_size);
	f->tick = timer_new(f->tokens.loop, on_tick, f);
	flood_must(f->count > 0 && f->circuits != NULL && f->frame != NULL && f->packet != NULL &&
	    f->record != NULL && f->tick != NULL, "no memory");
	for (size_t i = 0; i < f->count; i++)
		f->circuits[i].flood = f;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int
main(int argc, char **argv)
{
	static struct flood f;

	flood_must(argc == 7 || argc == 8, "CHARTER KIND CIRCUITS RATE SECONDS MAILBOX [CODES]");
	set_up(&f, argv);
	flood_look(&f.tokens);
	if (f.kind == LOOK)
		return f.tokens.sheet != NULL ? 0 : 1;
	if (argc == 8)
		fetch_all(&f, argv[7]);
	printf("floods\n");
	(void)fflush(stdout);
	f.began_ms = loop_boot_ms(f.tokens.loop);
	f.end_ms = f.began_ms + (int64_t)(strtod(argv[5], NULL) * 1000);
	timer_after(f.tick, 0);
	loop_event_run(f.tokens.loop);
	report(&f);
	return 0;
}
