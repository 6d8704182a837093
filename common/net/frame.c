#include "config.h"

#include "common/net/frame.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/bytes.h"

#define FRAME_HEADER_BYTES 8
#define FRAME_ERROR_BYTES 2
#define FRAME_SEED_BYTES 32

static size_t
packet_bytes(const struct params *p, unsigned layer)
{
	struct onion_geometry g = params_geometry(p);

	return onion_packet_bytes(&g, layer);
}

/* The caller may have built the packet in its place in the frame already. */
static void
write_packet(struct writer *w, const uint8_t *packet, size_t n)
{
	uint8_t *space = writer_space(w, n);

	if (space != NULL && space != packet)
		memmove(space, packet, n);
}

/* The rest of the frame must be zero. */
static enum err
end_in_zeros(struct reader *r)
{
	reader_zeros(r, r->left);
	return reader_end(r);
}

/* ---- node links ---- */

static bool
has_epoch(enum frame_node_type type)
{
	return type == FRAME_NODE_PACKET || type == FRAME_NODE_SEED;
}

static void
write_batch(struct writer *w, const struct frame_node *f)
{
	writer_u8(w, (uint8_t)f->batch_kind);
	writer_u64(w, f->batch);
}

static void
read_batch(struct reader *r, struct frame_node *f)
{
	uint8_t kind = reader_u8(r);

	if (kind > FRAME_BATCH_ENDS)
		reader_fail(r, ERR_MALFORMED);
	f->batch_kind = (enum frame_batch_kind)kind;
	f->batch = reader_u64(r);
}

void
frame_node_encode(uint8_t *out, const struct params *p, unsigned layer, const struct frame_node *f)
{
	struct writer w;

	writer_init(&w, out, params_node_frame_bytes(p, layer));
	writer_u8(&w, (uint8_t)f->type);
	writer_zeros(&w, 3);
	writer_u32(&w, has_epoch(f->type) ? f->epoch : 0);
	switch (f->type) {
	case FRAME_NODE_PACKET:
		write_packet(&w, f->packet, packet_bytes(p, layer));
		break;
	case FRAME_NODE_IDLE:
		break;
	case FRAME_NODE_ANNOUNCEMENT:
		writer_copy(&w, f->announcement, ANNOUNCEMENT_BYTES);
		break;
	case FRAME_NODE_BATCH:
		write_batch(&w, f);
		break;
	case FRAME_NODE_SEED:
		writer_copy(&w, f->seed, FRAME_SEED_BYTES);
		break;
	}
	writer_pad(&w);
	assert(writer_ok(&w));
}

enum err
frame_node_decode(struct frame_node *out, const struct params *p, unsigned layer, const uint8_t *in)
{
	struct frame_node f = {0};
	struct reader r;
	uint8_t type;
	enum err e;

	reader_init(&r, in, params_node_frame_bytes(p, layer));
	type = reader_u8(&r);
	reader_zeros(&r, 3);
	if (type > FRAME_NODE_SEED)
		return ERR_MALFORMED;
	f.type = (enum frame_node_type)type;
	f.epoch = reader_u32(&r);
	if (!has_epoch(f.type) && f.epoch != 0)
		return ERR_MALFORMED;
	switch (f.type) {
	case FRAME_NODE_PACKET:
		f.packet = reader_view(&r, packet_bytes(p, layer));
		break;
	case FRAME_NODE_IDLE:
		break;
	case FRAME_NODE_ANNOUNCEMENT:
		f.announcement = reader_view(&r, ANNOUNCEMENT_BYTES);
		break;
	case FRAME_NODE_BATCH:
		read_batch(&r, &f);
		break;
	case FRAME_NODE_SEED:
		f.seed = reader_view(&r, FRAME_SEED_BYTES);
		break;
	}
	e = end_in_zeros(&r);
	if (e == ERR_OK)
		*out = f;
	return e;
}

/* ---- sessions, up ---- */

static void
write_open(struct writer *w, const struct frame_open *o)
{
	writer_u32(w, o->version);
	writer_u32(w, o->hour);
	writer_copy(w, o->ticket_nonce, sizeof(o->ticket_nonce));
	writer_copy(w, o->ticket_proof, sizeof(o->ticket_proof));
	writer_u8(w, (uint8_t)o->read);
	writer_u32(w, o->read == FRAME_READ_DAY ? o->day : 0);
}

static void
read_open(struct reader *r, struct frame_open *o)
{
	uint8_t read;

	o->version = reader_u32(r);
	if (o->version != FRAME_OPEN_VERSION)
		reader_fail(r, o->version > FRAME_OPEN_VERSION ? ERR_VERSION : ERR_MALFORMED);
	o->hour = reader_u32(r);
	reader_copy(r, o->ticket_nonce, sizeof(o->ticket_nonce));
	reader_copy(r, o->ticket_proof, sizeof(o->ticket_proof));
	read = reader_u8(r);
	if (read > FRAME_READ_NOTICES)
		reader_fail(r, ERR_MALFORMED);
	o->read = (enum frame_read)read;
	o->day = reader_u32(r);
	if (o->day != 0 && o->read != FRAME_READ_DAY)
		reader_fail(r, ERR_MALFORMED);
}

void
frame_up_encode(uint8_t *out, const struct params *p, const struct frame_up *f)
{
	bool packet = f->type == FRAME_UP_PACKET;
	struct writer w;

	writer_init(&w, out, params_up_frame_bytes(p));
	writer_u8(&w, (uint8_t)f->type);
	writer_u8(&w, 0);
	writer_u16(&w, packet ? f->first_mix : f->open.mailbox);
	writer_u32(&w, packet ? f->epoch : 0);
	if (packet)
		write_packet(&w, f->packet, packet_bytes(p, 0));
	else
		write_open(&w, &f->open);
	writer_pad(&w);
	assert(writer_ok(&w));
}

enum err
frame_up_decode(struct frame_up *out, const struct params *p, const uint8_t *in)
{
	struct frame_up f = {0};
	struct reader r;
	uint16_t number;
	uint8_t type;
	enum err e;

	reader_init(&r, in, params_up_frame_bytes(p));
	type = reader_u8(&r);
	reader_zeros(&r, 1);
	number = reader_u16(&r);
	f.epoch = reader_u32(&r);
	if (type > FRAME_UP_OPEN || (type == FRAME_UP_OPEN && f.epoch != 0))
		return ERR_MALFORMED;
	f.type = (enum frame_up_type)type;
	if (f.type == FRAME_UP_PACKET) {
		f.first_mix = number;
		f.packet = reader_view(&r, packet_bytes(p, 0));
	} else {
		f.open.mailbox = number;
		read_open(&r, &f.open);
	}
	e = end_in_zeros(&r);
	if (e == ERR_OK)
		*out = f;
	return e;
}

/* ---- sessions, down ---- */

void
frame_down_encode(uint8_t *out, const struct params *p, const struct frame_down *f)
{
	bool stream = f->type == FRAME_DOWN_STREAM;
	struct writer w;

	writer_init(&w, out, params_down_frame_bytes(p));
	writer_u8(&w, (uint8_t)f->type);
	writer_u8(&w, 0);
	writer_u16(&w, stream ? f->fill : FRAME_ERROR_BYTES);
	writer_u32(&w, 0);
	if (stream)
		write_packet(&w, f->stream, f->fill);
	else
		writer_u16(&w, (uint16_t)f->error);
	writer_pad(&w);
	assert(writer_ok(&w));
}

static void
read_error(struct reader *r, struct frame_down *f)
{
	uint16_t code;

	if (f->fill != FRAME_ERROR_BYTES)
		reader_fail(r, ERR_MALFORMED);
	f->fill = 0;
	code = reader_u16(r);
	if (code == FRAME_ERROR_NONE || code > FRAME_ERROR_COMPLETE)
		reader_fail(r, ERR_MALFORMED);
	f->error = (enum frame_error)code;
}

enum err
frame_down_decode(struct frame_down *out, const struct params *p, const uint8_t *in)
{
	struct frame_down f = {0};
	struct reader r;
	uint8_t type;
	enum err e;

	reader_init(&r, in, params_down_frame_bytes(p));
	type = reader_u8(&r);
	reader_zeros(&r, 1);
	f.fill = reader_u16(&r);
	reader_zeros(&r, 4);
	if (type > FRAME_DOWN_ERROR || f.fill > r.left)
		return ERR_MALFORMED;
	f.type = (enum frame_down_type)type;
	if (f.type == FRAME_DOWN_STREAM)
		f.stream = reader_view(&r, f.fill);
	else
		read_error(&r, &f);
	e = end_in_zeros(&r);
	if (e == ERR_OK)
		*out = f;
	return e;
}

const char *
frame_error_text(enum frame_error e)
{
	switch (e) {
	case FRAME_ERROR_NONE:
		return "no error";
	case FRAME_ERROR_VERSION:
		return "the gateway does not know this version of the protocol";
	case FRAME_ERROR_HOUR:
		return "the session is for another hour: check the clock";
	case FRAME_ERROR_MAILBOX:
		return "the network has no such mailbox";
	case FRAME_ERROR_DAY:
		return "the gateway does not hold that day";
	case FRAME_ERROR_BUSY:
		return "the gateway has too many sessions";
	case FRAME_ERROR_TICKET:
		return "the gateway refused the ticket";
	case FRAME_ERROR_MARK:
		return "the session's hour is over";
	case FRAME_ERROR_NOT_READY:
		return "the gateway has no sheet yet";
	case FRAME_ERROR_STORE:
		return "the gateway cannot read its journal now";
	case FRAME_ERROR_RATE:
		return "frames came ahead of schedule";
	case FRAME_ERROR_COMPLETE:
		return "everything was sent";
	}
	return "an unknown error";
}
