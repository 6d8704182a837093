#include "config.h"

#include "evaluation/plan.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/crypto/noise.h"
#include "common/net/attend.h"
#include "gateway/daydb.h"

/*
 * tor's cells (tor-spec, "Cells" and "Relay cells"): a cell of link protocol 4 or later, and
 * what of it a stream's bytes may fill.
 */
#define TOR_CELL_BYTES 514
#define TOR_DATA_BYTES 498

#define HOUR_MS INT64_C(3600000)
#define FRAMES_USED 0.8 /* as the charter's rule for pieces has it */

/* ---- figures ---- */

void
plan_add(struct plan *p, const char *group, const char *name, const char *label, const char *unit,
    double value)
{
	assert(p->count < PLAN_FIGURES_MAX);
	p->figures[p->count++] = (struct plan_figure){ .group = group, .name = name,
		.label = label, .unit = unit, .value = value };
}

void
plan_add_missing(struct plan *p, const char *group, const char *name, const char *label,
    const char *unit, const char *reason)
{
	plan_add(p, group, name, label, unit, 0);
	p->figures[p->count - 1].reason = reason;
}

/* ---- a client's bytes ---- */

/* What one session after the other sends and gets in a day: frames of one size each way. */
struct frames {
	double up, down;
};

/*
 * A session is opened at a uniform time of its window before the hour that it is for, and reads
 * from the window's beginning on, faster than by the slot until it has caught up. Its handshake
 * and its `open` are frames like others.
 */
static struct frames
frames_per_day(const struct plan_question *q)
{
	const struct params *p = &q->params;
	double hour = (double)params_scaled(p, HOUR_MS);
	double mark = (double)params_scaled(p, ATTEND_MARK_BEFORE_MS);
	double until = (double)params_scaled(p, ATTEND_OPEN_UNTIL_MS);
	double hours = (double)TIMING_DAY_MS / hour * q->online;
	double slots = (hour + (mark + until) / 2) / (double)p->slot_ms;
	double behind = (mark - until) / 2 / (double)p->slot_ms *
	    outlook_stream_load(p, q->messages_per_day);

	return (struct frames){ .up = hours * (slots + 2), .down = hours * (slots + 2 + behind) };
}

static double
wire_bytes(size_t frame)
{
	return (double)frame + NOISE_TAG_BYTES;
}

/* A frame is written by itself, and fills cells of its own. */
static double
tor_bytes(size_t frame)
{
	return ceil(wire_bytes(frame) / TOR_DATA_BYTES) * TOR_CELL_BYTES;
}

static double
client_bytes(const struct plan_question *q)
{
	struct frames f = frames_per_day(q);

	return f.up * tor_bytes(params_up_frame_bytes(&q->params)) +
	    f.down * tor_bytes(params_down_frame_bytes(&q->params));
}

static void
add_way(struct plan *p, const char *const names[static 5], const char *const labels[static 5],
    double frames, size_t frame, size_t payload)
{
	double plain = frames * (double)frame, wire = frames * wire_bytes(frame);

	plan_add(p, "client", names[0], labels[0], "frames/day", frames);
	plan_add(p, "client", names[1], labels[1], "bytes/day", frames * (double)payload);
	plan_add(p, "client", names[2], labels[2], "bytes/day", plain - frames * (double)payload);
	plan_add(p, "client", names[3], labels[3], "bytes/day", wire - plain);
	plan_add(p, "client", names[4], labels[4], "bytes/day", frames * tor_bytes(frame) - wire);
}

/* Of a frame up, the record is what is wanted; of one down, the stream. */
static void
add_client(struct plan *p)
{
	static const char *const up[5] = { "up_frames", "up_records", "up_headers", "up_noise",
		"up_tor" };
	static const char *const up_labels[5] = { "frames up", "  records", "  headers of packet and frame",
		"  Noise", "  tor's cells" };
	static const char *const down[5] = { "down_frames", "down_stream", "down_headers", "down_noise",
		"down_tor" };
	static const char *const down_labels[5] = { "frames down", "  journal stream", "  headers of frame",
		"  Noise", "  tor's cells" };
	const struct params *c = &p->question.params;
	struct frames f = frames_per_day(&p->question);

	add_way(p, up, up_labels, f.up, params_up_frame_bytes(c), c->record_size);
	add_way(p, down, down_labels, f.down, params_down_frame_bytes(c),
	    (size_t)c->pieces * PARAMS_PIECE_BYTES);
	plan_add(p, "client", "up_bytes", "all up", "bytes/day",
	    f.up * tor_bytes(params_up_frame_bytes(c)));
	plan_add(p, "client", "down_bytes", "all down", "bytes/day",
	    f.down * tor_bytes(params_down_frame_bytes(c)));
	plan_add(p, "client", "bytes", "all", "bytes/day", p->client_bytes);
	plan_add(p, "client", "slot_load", "slots that its messages take", "share",
	    outlook_slot_load(c, p->question.messages_per_day));
	plan_add(p, "client", "stream_load", "of the frames down, what the journal takes", "share",
	    outlook_stream_load(c, p->question.messages_per_day));
}

/* ---- delay and anonymity ---- */

static void
add_delay(struct plan *p)
{
	const struct outlook_delay *o = &p->delay;

	plan_add(p, "delay", "p50", "half of the messages are there within", "ms", o->p50_ms);
	plan_add(p, "delay", "p95", "95 of 100 within", "ms", o->p95_ms);
	plan_add(p, "delay", "p99", "99 of 100 within", "ms", o->p99_ms);
	plan_add(p, "delay", "mean", "in the mean", "ms", o->mean_ms);
	plan_add(p, "delay", "mean_slot", "  waiting for a slot", "ms", o->slot_ms);
	plan_add(p, "delay", "mean_mixes", "  in the mixes", "ms", o->mixes_ms);
	plan_add(p, "delay", "mean_round", "  until the round is published", "ms", o->round_ms);
	plan_add(p, "delay", "mean_fetch", "  until the reader has it", "ms", o->fetch_ms);
	plan_add(p, "delay", "shown_p50", "shown behind those written before it, half within", "ms",
	    o->shown_p50_ms);
	plan_add(p, "delay", "shown_p95", "  95 of 100 within", "ms", o->shown_p95_ms);
	plan_add(p, "delay", "shown_mean", "  in the mean", "ms", o->shown_mean_ms);
	plan_add(p, "delay", "forecast", "the protocol's forecast, after which it is sought", "ms",
	    (double)params_forecast_ms(&p->question.params));
}

static void
add_set(struct plan *p, const char *const names[static 2], const char *const labels[static 2],
    const char *unit, const struct outlook_set *s)
{
	static const char *const reason = "known for one mix in a layer, whose strategy flushes by "
					  "the round: `restante-evaluate run` measures others";

	if (!p->anonymity.known) {
		plan_add_missing(p, "anonymity", names[0], labels[0], unit, reason);
		plan_add_missing(p, "anonymity", names[1], labels[1], unit, reason);
		return;
	}
	plan_add(p, "anonymity", names[0], labels[0], unit, s->effective);
	plan_add(p, "anonymity", names[1], labels[1], unit, s->least);
}

static void
add_anonymity(struct plan *p)
{
	static const char *const names[4][2] = { { "people_effective", "people_least" },
		{ "people_effective_one", "people_least_one" },
		{ "packets_effective", "packets_least" },
		{ "packets_effective_one", "packets_least_one" } };
	static const char *const labels[4][2] = {
		{ "who sent a packet, effective", "  at least" },
		{ "with only one honest mix, effective", "  at least" },
		{ "which packet it was, effective", "  at least" },
		{ "with only one honest mix, effective", "  at least" } };
	const struct outlook_anonymity *a = &p->anonymity;

	add_set(p, names[0], labels[0], "people", &a->people);
	add_set(p, names[1], labels[1], "people", &a->people_one);
	add_set(p, names[2], labels[2], "packets", &a->packets);
	add_set(p, names[3], labels[3], "packets", &a->packets_one);
	plan_add(p, "anonymity", "crowd", "whom a record is for", "people", a->crowd);
}

/* ---- nodes ---- */

/* Packets a second that all sessions together send. */
static double
packets_per_second(const struct plan_question *q)
{
	return outlook_sessions(&q->params) * 1000 / (double)q->params.slot_ms;
}

static double
link_bytes(const struct plan_question *q, unsigned layer)
{
	double batches = (double)TIMING_DAY_MS / (double)q->params.round_ms;

	return (packets_per_second(q) * (double)TIMING_DAY_MS / 1000 + batches) *
	    wire_bytes(params_node_frame_bytes(&q->params, layer));
}

static double
unwrap_share(const struct plan_question *q)
{
	return packets_per_second(q) * q->unwrap_us / 1e6;
}

static double
seal_share(const struct plan_question *q, double bytes_per_day)
{
	return bytes_per_day / 1024 * q->seal_us_per_kib / 1e6 / ((double)TIMING_DAY_MS / 1000);
}

static void
add_gateway(struct plan *p)
{
	const struct plan_question *q = &p->question;
	const struct params *c = &q->params;
	struct plan_question always = *q;
	struct frames f;
	double up, down, in, out;

	always.online = 1; /* who is not there today may be tomorrow */
	f = frames_per_day(&always);
	up = f.up * outlook_sessions(c) * wire_bytes(params_up_frame_bytes(c));
	down = f.down * outlook_sessions(c) * wire_bytes(params_down_frame_bytes(c));
	out = link_bytes(q, 0);
	in = link_bytes(q, c->layers);
	plan_add(p, "gateway", "sessions", "sessions, the mixes' included", "sessions",
	    outlook_sessions(c));
	plan_add(p, "gateway", "session_bytes_in", "from sessions, without tor", "bytes/day", up);
	plan_add(p, "gateway", "session_bytes_out", "to sessions, without tor", "bytes/day", down);
	plan_add(p, "gateway", "tor_bytes_in", "from sessions, tor's cells", "bytes/day",
	    f.up * outlook_sessions(c) * tor_bytes(params_up_frame_bytes(c)));
	plan_add(p, "gateway", "tor_bytes_out", "to sessions, tor's cells", "bytes/day",
	    f.down * outlook_sessions(c) * tor_bytes(params_down_frame_bytes(c)));
	plan_add(p, "gateway", "link_bytes_in", "from the last mixes", "bytes/day", in);
	plan_add(p, "gateway", "link_bytes_out", "to the first mixes", "bytes/day", out);
	plan_add(p, "gateway", "processor", "of one core, without tor", "share",
	    unwrap_share(q) + seal_share(q, up + down + in + out));
}

/* What is written for a day: records and blocks, each value with nonce and tag. */
static void
add_disk(struct plan *p)
{
	const struct params *c = &p->question.params;
	double m = p->question.messages_per_day, sealed = DAYDB_NONCE_BYTES +
	    crypto_aead_xchacha20poly1305_ietf_ABYTES;
	double rounds = (double)TIMING_DAY_MS / (double)c->round_ms;
	double records = outlook_deposits_per_round(c, m) * rounds;
	double day = records * (outlook_record_bytes(c) + sealed) +
	    rounds * (outlook_block_bytes(c, m) + sealed);

	plan_add(p, "gateway", "deposits", "records deposited", "records/day", records);
	plan_add(p, "gateway", "disk_day", "journal", "bytes/day", day);
	plan_add(p, "gateway", "disk_kept", "journal, over the retention", "bytes",
	    day * (double)c->retention_ms / (double)TIMING_DAY_MS);
	plan_add(p, "gateway", "disk_replay", "replay tags, of two epochs", "bytes",
	    2 * packets_per_second(&p->question) * (double)c->epoch_ms / 1000 *
		ONION_REPLAY_TAG_BYTES);
}

static void
add_mix(struct plan *p)
{
	const struct plan_question *q = &p->question;
	double in = link_bytes(q, 0), out = link_bytes(q, 1);

	plan_add(p, "mix", "link_bytes_in", "the first mix, in", "bytes/day", in);
	plan_add(p, "mix", "link_bytes_out", "the first mix, out", "bytes/day", out);
	plan_add(p, "mix", "processor", "of one core", "share",
	    unwrap_share(q) + seal_share(q, in + out));
}

/* ---- all of it ---- */

void
plan_fit(struct params *p, double messages_per_day)
{
	uint32_t pieces = params_least_pieces(p);

	p->pieces = pieces > PARAMS_PIECES_MAX ? PARAMS_PIECES_MAX : pieces;
	while (p->pieces < PARAMS_PIECES_MAX && outlook_stream_load(p, messages_per_day) > FRAMES_USED)
		p->pieces++;
	for (unsigned l = 0; l < p->layers; l++) {
		double arrivals = (double)p->people * (double)p->round_ms / (double)p->slot_ms;
		double room = ceil(2 * strategy_pool(&p->strategy[l], arrivals, p->round_ms)) + 1;

		if (room > p->pool_max)
			p->pool_max = (uint32_t)fmin(room, UINT32_MAX);
	}
}

uint32_t
plan_least_mailboxes(const struct params *p)
{
	struct params q = *p;
	uint32_t most = p->people / 50 > 0 ? p->people / 50 : 1;

	for (q.mailboxes = 1; q.mailboxes < most; q.mailboxes++)
		if (params_least_pieces(&q) <= PARAMS_PIECES_MAX)
			break;
	return q.mailboxes;
}

enum err
plan_brief(struct plan *out, const struct plan_question *q, struct diag *d)
{
	enum err e;

	memset(out, 0, sizeof(*out));
	out->question = *q;
	e = params_check(&q->params, d);
	if (e != ERR_OK)
		return ERR_RANGE;
	outlook_anonymity(&out->anonymity, &q->params);
	out->least_people = outlook_least_people(&out->anonymity);
	out->client_bytes = client_bytes(q);
	return outlook_delay(&out->delay, &q->params, q->messages_per_day,
	    q->to_one_per_day, d);
}

enum err
plan_of(struct plan *out, const struct plan_question *q, struct diag *d)
{
	enum err e = plan_brief(out, q, d);

	if (e != ERR_OK)
		return e;
	add_client(out);
	add_delay(out);
	add_anonymity(out);
	add_gateway(out);
	add_disk(out);
	add_mix(out);
	plan_add_attacks(out);
	return ERR_OK;
}
