/*
 * What a contact can send: plaintexts of records, one after the other. What is
 * decoded is encoded to the same bytes; inbox and outbox take whatever numbers
 * are in it, and can be saved and loaded; as a record of a stream it opens only
 * if it was sealed.
 */
#include "config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/inbox.h"
#include "client-lib/outbox.h"
#include "common/base/secret.h"
#include "common/crypto/stream.h"

#define SIZE 480
#define PLAIN (SIZE - RECORD_OVERHEAD)
#define CHUNK (PLAIN - RECORD_HEADER_BYTES)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stream_reader *reader; /* as long as the program */
static uint8_t tag[RECORD_TAG_BYTES]; /* of its index 5 */

static void
must(bool true_)
{
	if (!true_)
		abort();
}

static void
free_reader(void)
{
	stream_reader_free(reader);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t secret[32] = { 1 }, plain[PLAIN];
	static struct rng_seeded seeded;
	struct stream_writer *w;
	uint8_t record[SIZE];

	(void)argc;
	(void)argv;
	must(secret_setup() == ERR_OK);
	rng_seeded_init(&seeded, 1);
	w = stream_writer_new(secret);
	reader = stream_reader_new(secret, &seeded.rng);
	must(w != NULL && reader != NULL);
	for (unsigned i = 0; i <= 5; i++)
		must(stream_seal(w, record, SIZE, plain, &seeded.rng) == ERR_OK);
	memcpy(tag, record_tag(record), sizeof(tag));
	stream_writer_free(w);
	return atexit(free_reader);
}

static void
ignore(void *arg, const struct outbox_message *m)
{
	(void)arg;
	must(m->info.done <= m->info.of);
}

/* The input as a record under a tag of a stream: it is not ours, and nothing moves. */
static void
try_stream(const uint8_t plain[PLAIN])
{
	uint8_t forged[SIZE] = { 0 }, back[PLAIN];

	memcpy(forged, plain, PLAIN);
	must(stream_open(reader, back, NULL, forged, SIZE, 1) != ERR_OK);
	memcpy(forged + RECORD_E_BYTES, tag, RECORD_TAG_BYTES);
	must(stream_open(reader, back, NULL, forged, SIZE, 1) == ERR_CRYPTO);
	must(stream_reader_seen(reader) == 0 && stream_reader_skipped(reader) == 0);
}

static void
take(struct inbox *in, struct outbox *o, const struct record_header *h, const uint8_t *content)
{
	const struct inbox_partial *m;
	enum inbox_verdict v;

	outbox_acknowledge(o, &h->ack, 10, ignore, NULL);
	if (h->type == RECORD_ACK)
		return;
	must(inbox_take(in, &v, h, content, CHUNK, 5) == ERR_OK);
	while (inbox_ready(in, &m))
		inbox_shown(in, m);
	while (inbox_dead(in, &m, 6, 1))
		inbox_drop(in, m);
}

static void
save_and_load(const struct inbox *in)
{
	struct buf once, twice;
	struct inbox back;
	struct reader r;

	buf_init(&once);
	buf_init(&twice);
	must(inbox_save(in, &once, SIZE_MAX) == ERR_OK);
	reader_init(&r, once.data, once.len);
	must(inbox_load(&back, &r, true) == ERR_OK && reader_end(&r) == ERR_OK);
	must(inbox_save(&back, &twice, SIZE_MAX) == ERR_OK && once.len == twice.len);
	must(sodium_memcmp(once.data, twice.data, once.len) == 0);
	inbox_release(&back);
	buf_release(&once);
	buf_release(&twice);
}

/* Five records of one message are on their way. */
static void
fill_outbox(struct outbox *o)
{
	const struct post_message info = { .id = 1, .of = 5 };
	struct outbox_message *m;
	struct outbox_record *r;
	struct outbox_pick p;

	outbox_init(o);
	must(outbox_add(o, &m, &info, true) == ERR_OK);
	for (unsigned i = 0; i < 5; i++) {
		p = (struct outbox_pick){ .choice = OUTBOX_FRESH, .message = 1, .fragment = i };
		must(outbox_begin(o, &p, &r, &m, 1) == ERR_OK);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t plain[PLAIN], again[PLAIN];
	struct record_header h;
	const uint8_t *content;
	struct outbox o;
	struct inbox in;

	inbox_init(&in);
	fill_outbox(&o);
	for (size_t n; size > 0; data += n, size -= n) {
		n = size < PLAIN ? size : PLAIN;
		memset(plain, 0, sizeof(plain));
		memcpy(plain, data, n);
		if (size == n)
			try_stream(plain);
		if (record_decode(&h, &content, plain, SIZE) != ERR_OK)
			continue;
		must(record_encode(again, SIZE, &h, content) == ERR_OK);
		must(sodium_memcmp(again, plain, PLAIN) == 0);
		take(&in, &o, &h, content);
	}
	save_and_load(&in);
	inbox_release(&in);
	outbox_release(&o);
	return 0;
}
