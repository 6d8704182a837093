/*
 * The half of a crooked gateway that talks to the mixes and writes the journal, for
 * withhold.sh and loss.sh: the shipped program but for the calls that are wrapped here.
 *
 * RESTANTE_CROOKED names a directory. What it does stands in files there that may come and
 * go, each with a number:
 *
 *     withhold  so many deposits are not written, then none more
 *     garbage   of so many deposits the digest is listed and other bytes are stored
 *     loss      so many percent of what the entry hands to the mixes is lost
 *
 * What it did is in `withheld`, `garbled` and `lost`: a line each, with the first bytes of
 * the record (the key and the tag in front of what is sealed) or a number.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/base/rng.h"
#include "gateway/journal.h"
#include "mix/links.h"

#define RECORD_BYTES 4096 /* of the network in the test: the default */
#define HEAD_BYTES 48   /* E and the tag */

enum err __real_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch,
    const uint8_t *packet);
enum err __real_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record);
enum err __wrap_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record);

/* ---- files of numbers ---- */

static bool
file_path(char *out, size_t size, const char *name)
{
	const char *dir = getenv("RESTANTE_CROOKED");

	if (dir == NULL)
		return false;
	(void)snprintf(out, size, "%s/%s", dir, name);
	return true;
}

static unsigned
number(const char *name)
{
	char path[1024], text[32] = "";
	FILE *f = file_path(path, sizeof(path), name) ? fopen(path, "r") : NULL;

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	(void)fclose(f);
	return (unsigned)strtoul(text, NULL, 10);
}

static void
write_line(const char *name, const char *mode, const char *text)
{
	char path[1024];
	FILE *f = file_path(path, sizeof(path), name) ? fopen(path, mode) : NULL;

	if (f == NULL)
		return;
	(void)fprintf(f, "%s\n", text);
	(void)fclose(f);
}

static void
write_head(const char *name, const uint8_t *record)
{
	char text[ENCODE_HEX_SIZE(HEAD_BYTES)];

	encode_hex(text, record, HEAD_BYTES);
	write_line(name, "a", text);
}

/* Whether one more is to be done; then it is counted down. */
static bool
take_one(const char *name)
{
	unsigned left = number(name);
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", left - 1);
	if (left > 0)
		write_line(name, "w", text);
	return left > 0;
}

/* ---- what it does ---- */

enum err
__wrap_journal_deposit(struct journal *j, uint16_t mailbox, const uint8_t *record)
{
	uint8_t digest[BLOCK_DIGEST_BYTES], garbage[RECORD_BYTES];
	enum err e;

	if (take_one("withhold")) {
		write_head("withheld", record);
		return ERR_OK;
	}
	if (!take_one("garbage"))
		return __real_journal_deposit(j, mailbox, record);
	write_head("garbled", record);
	block_record_digest(digest, record, RECORD_BYTES);
	rng_bytes(rng_system(), garbage, sizeof(garbage));
	e = journal_note(j, digest); /* a digest in the list is a digest in the list */
	return e == ERR_OK ? __real_journal_deposit(j, mailbox, garbage) : e;
}

enum err
__wrap_links_send_packet(struct links *k, uint16_t to, uint32_t epoch, const uint8_t *packet)
{
	static unsigned percent, calls;

	if (calls++ % 64 == 0)
		percent = number("loss");
	if (percent > 0 && rng_chance(rng_system(), percent, 100)) {
		write_line("lost", "a", "1");
		return ERR_OK;
	}
	return __real_links_send_packet(k, to, epoch, packet);
}
