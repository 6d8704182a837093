/*
 * Writes the seeds of the client's corpora (record, invitation, wire, post, kept,
 * backup, founding), always the same ones (post/X_format1 are of the version before renewal):
 *
 *   seeds_client tests/fuzz/corpus
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/backup.h"
#include "client-lib/command/wire.h"
#include "client-lib/founding.h"
#include "client-lib/inbox.h"
#include "client-lib/post.h"
#include "common/base/secret.h"

#define SIZE 480
#define PLAIN (SIZE - RECORD_OVERHEAD)
#define NOW INT64_C(1800000000000)

static const char *corpus;

static void
write_seed(const char *name, const void *p, size_t n)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", corpus, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void
must(enum err e)
{
	if (e != ERR_OK)
		abort();
}

/* ---- records ---- */

static void
append(uint8_t *all, size_t *n, const struct record_header *h, const void *content)
{
	must(record_encode(all + *n, SIZE, h, content));
	*n += PLAIN;
}

static void
write_records(void)
{
	const struct record_header ack = { .type = RECORD_ACK, .ack = { .next_missing = 3 } };
	const struct inbox_manifest f = { .size = 20, .name = "a.txt" };
	struct record_header h = { .type = RECORD_TEXT, .number = 2, .behind = 1, .message = 1,
		.of = 2, .fragment = 1, .length = 5 };
	uint8_t all[6 * PLAIN], manifest[INBOX_MANIFEST_MAX];
	size_t n = 0, len;

	append(all, &n, &ack, NULL);
	write_seed("record/ack", all, n);
	append(all, &n, &h, "world");
	h.fragment = 0;
	h.number = 1;
	h.behind = 0;
	append(all, &n, &h, "hello");
	write_seed("record/text", all, n);
	must(inbox_manifest_encode(manifest, &len, &f));
	h = (struct record_header){ .type = RECORD_FILE, .number = 9, .behind = 3, .message = 1,
		.of = 2, .length = (uint32_t)len };
	append(all, &n, &h, manifest);
	h.number = 1500;
	h.behind = 7;
	h.fragment = 1;
	h.length = 20;
	append(all, &n, &h, "twenty bytes of file");
	write_seed("record/file", all, n);
}

/* ---- the wire ---- */

static void
write_wire(void)
{
	static const struct wire messages[] = {
		{ .type = WIRE_STATUS, .text = "" },
		{ .type = WIRE_SEND_TEXT, .name = "bob", .text = "hello", .text_len = 5 },
		{ .type = WIRE_DONE, .code = -5, .text = "no contact of that name", .text_len = 23 },
		{ .type = WIRE_IS_STATUS, .text = "", .status = { .online = 1, .network = "agency" } },
		{ .type = WIRE_IS_CONTACT, .text = "", .contact = { .id = 1, .name = "bob" } },
		{ .type = WIRE_IS_EVENT, .event = RESTANTE_EVENT_MESSAGE, .name = "bob",
		    .message = { .id = 7, .incoming = 1, .name = "a.txt" }, .text = "" },
		{ .type = WIRE_IS_QUEUED, .number = 7, .seconds = 60, .text = "" },
	};
	char name[32];

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct buf b;
		buf_init(&b);
		must(wire_encode(&b, &messages[i]));
		(void)snprintf(name, sizeof(name), "wire/%u", (unsigned)messages[i].type);
		write_seed(name, b.data, b.len);
		buf_release(&b);
	}
}

/* ---- two posts, and the invitation between them ---- */

static void
write_state(const char *name, const struct post *p)
{
	struct buf b;

	buf_init(&b);
	must(post_save(p, &b));
	write_seed(name, b.data, b.len);
	buf_release(&b);
}

static void
write_kept(const char *name, const struct post *p)
{
	struct buf b;

	buf_init(&b);
	must(post_backup(p, &b));
	write_seed(name, b.data, b.len);
	buf_release(&b);
}

/* What post_next chooses, sealed, sent and read by the other. */
static void
pass_one(struct post *from, struct post *to, const char *content, const struct params *params)
{
	const struct path path = { .hops = 4 };
	uint8_t *record = malloc(params->record_size), digest[BLOCK_DIGEST_BYTES];
	const struct block b = { .round = 1, .digest_count = 1, .digests = digest };
	struct post_need need;
	struct path taken;
	uint16_t mailbox;

	if (record == NULL || !post_next(from, &need, NOW))
		abort();
	must(post_seal(from, record, &mailbox, &taken, &path, content,
	    need.kind == POST_NEED_CONTENT ? strlen(content) : 0, NOW));
	post_sent(from, NOW);
	block_record_digest(digest, record, params->record_size);
	must(post_block(from, &b, NOW, NOW));
	must(post_record(to, record, NOW));
	free(record);
}

static void
send_text(struct post *p, const char *text)
{
	struct post_contact c;
	struct diag d;
	uint64_t id;

	post_contact_at(p, post_contact_count(p) - 1, &c);
	must(post_send_text(p, &id, c.id, text, strlen(text), NOW, &d));
}

static void
write_posts(void)
{
	static struct rng_seeded seeded;
	struct post_config cfg = { .gateway = 4, .rng = &seeded.rng, .keys = &seeded.rng };
	const struct chain_point anchor = { 7, { 1 } };
	char text[INVITE_TEXT_MAX];
	struct post *a, *b;
	struct diag d;
	uint32_t id;

	rng_seeded_init(&seeded, 3);
	params_default(&cfg.params);
	must(post_new(&a, &cfg));
	must(post_new(&b, &cfg));
	write_state("post/new", a);
	must(post_invite(a, text, &id, "bob", &anchor, NOW, NOW + 86400000, &d));
	write_seed("invitation/whole", text, strlen(text));
	write_seed("invitation/cut", text, 100);
	text[60] = '\n';
	write_seed("invitation/mistyped", text, strlen(text));
	must(post_invite(a, text, &id, "eve", &anchor, NOW, NOW + 86400000, &d));
	must(post_remove(a, id));
	must(post_invite(a, text, &id, "ben", &anchor, NOW, NOW + 86400000, &d));
	must(post_accept(b, &id, "ann", text, NOW, &d));
	write_state("post/invited", a);
	write_state("post/answering", b);
	pass_one(b, a, "", &cfg.params);
	send_text(b, "hello");
	send_text(b, "again");
	pass_one(b, a, "hello", &cfg.params);
	write_state("post/established", a);
	write_state("post/sending", b);
	send_text(a, "well");
	pass_one(a, b, "well", &cfg.params);
	write_state("post/renewing", a); /* it has announced */
	write_state("post/followed", b);
	write_kept("kept/two", a);
	post_free(a);
	post_free(b);
}

/* ---- backups and foundings ---- */

static void
put_item(struct buf *b, enum backup_kind kind, const char *key, const void *p, size_t n)
{
	uint8_t head[9] = { (uint8_t)kind };

	store_u32(head + 1, (uint32_t)strlen(key));
	store_u32(head + 5, (uint32_t)n);
	must(buf_append(b, head, sizeof(head), SIZE_MAX));
	must(buf_append(b, key, strlen(key), SIZE_MAX));
	must(buf_append(b, p, n, SIZE_MAX));
}

static void
write_backups(void)
{
	static const uint8_t big[70000];
	struct buf b;

	buf_init(&b);
	put_item(&b, BACKUP_END, "", "", 0);
	write_seed("backup/empty", b.data, b.len);
	buf_release(&b);
	put_item(&b, BACKUP_FILE, "charter", "restante-charter 1\n", 19);
	put_item(&b, BACKUP_ENTRY, "", "x", 1);
	put_item(&b, BACKUP_VALUE, "m1", "hello", 5);
	put_item(&b, BACKUP_STATE, "", "state", 5);
	write_seed("backup/no-end", b.data, b.len);
	put_item(&b, BACKUP_END, "", "", 0);
	write_seed("backup/whole", b.data, b.len);
	put_item(&b, BACKUP_END, "", "", 0);
	write_seed("backup/two-ends", b.data, b.len);
	buf_release(&b);
	put_item(&b, BACKUP_VALUE, "m1", big, sizeof(big));
	put_item(&b, BACKUP_END, "", "", 0);
	write_seed("backup/pieces", b.data, b.len);
	buf_release(&b);
}

/* Its layout as docs/protocol.md has it: 530 bytes, the rest are zeros. */
static void
write_foundings(void)
{
	uint8_t p[530] = { [0] = 1, [1] = FOUNDING_LOST | FOUNDING_RESTORED };

	store_u32(p + 2, 225000000);
	store_u64(p + 74, 4);  /* next missing */
	store_u64(p + 218, 1); /* floor */
	write_seed("founding/lost", p, sizeof(p));
	p[1] = 0;
	store_u32(p + 6, 7);
	store_u64(p + 82, (uint64_t)225000000 << 32);
	for (size_t at = 226; at < 266; at += 8)
		store_u64(p + at, 3);
	write_seed("founding/in-turn", p, sizeof(p));
	store_u32(p + 2, UINT32_MAX);
	write_seed("founding/too-high", p, sizeof(p));
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fputs("usage: seeds_client CORPUS\n", stderr);
		return 64;
	}
	corpus = argv[1];
	must(secret_setup());
	write_records();
	write_wire();
	write_posts();
	write_backups();
	write_foundings();
	return 0;
}
