/*
 * Frames of all three kinds: the first byte chooses the kind and layer, the
 * rest is the frame, cut or filled up with zeros to its size. What is taken
 * must encode to the same bytes again.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/frame.h"

#define UP 14
#define DOWN 15

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct params params;

/* Small frames: the fields are the same, and there are more runs. */
static void
set_params(void)
{
	params_default(&params);
	params.record_size = ONION_RECORD_MIN;
	params.pieces = 1;
}

static enum err
recode_node(uint8_t *again, unsigned layer, const uint8_t *frame)
{
	struct frame_node f;
	enum err e = frame_node_decode(&f, &params, layer, frame);

	if (e == ERR_OK)
		frame_node_encode(again, &params, layer, &f);
	return e;
}

static enum err
recode_up(uint8_t *again, const uint8_t *frame)
{
	struct frame_up f;
	enum err e = frame_up_decode(&f, &params, frame);

	if (e == ERR_OK)
		frame_up_encode(again, &params, &f);
	return e;
}

static enum err
recode_down(uint8_t *again, const uint8_t *frame)
{
	struct frame_down f;
	enum err e = frame_down_decode(&f, &params, frame);

	if (e == ERR_OK)
		frame_down_encode(again, &params, &f);
	return e;
}

static size_t
frame_bytes(unsigned kind)
{
	if (kind == UP)
		return params_up_frame_bytes(&params);
	if (kind == DOWN)
		return params_down_frame_bytes(&params);
	return params_node_frame_bytes(&params, kind % (params.layers + 1U));
}

static enum err
recode(uint8_t *again, unsigned kind, const uint8_t *frame)
{
	if (kind == UP)
		return recode_up(again, frame);
	if (kind == DOWN)
		return recode_down(again, frame);
	return recode_node(again, kind % (params.layers + 1U), frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame, *again;
	unsigned kind;
	size_t n;
	enum err e;

	if (size == 0)
		return 0;
	set_params();
	kind = data[0] % 16;
	n = frame_bytes(kind);
	frame = calloc(1, n);
	again = malloc(n);
	if (frame == NULL || again == NULL)
		abort();
	memcpy(frame, data + 1, size - 1 < n ? size - 1 : n);
	memset(again, 0xa5, n);
	e = recode(again, kind, frame);
	if (e == ERR_OK ? memcmp(frame, again, n) != 0 : e != ERR_MALFORMED && e != ERR_VERSION)
		abort();
	free(frame);
	free(again);
	return 0;
}
