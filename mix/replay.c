#include "config.h"

#include "mix/replay.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/tagmap.h"
#include "common/crypto/hash.h"
#include "mix/epochfile.h"

/*
 * file   = header (epochfile.h) || records
 * record = count u32 || complement of count u32 || count tags, ascending || check 16
 * check  = BLAKE2b-128 of the check before (of the header, in the first) || the
 *          record up to here
 */
#define CHECK_BYTES 16
#define COUNT_BYTES 8
#define RECORD_BYTES(count) (COUNT_BYTES + (size_t)(count) * TAG_BYTES + CHECK_BYTES)
#define SMALLEST_RECORD RECORD_BYTES(1)

#define TAGS_MARGIN 8 /* sets hold so many times the expected packets */
#define TAGS_MIN 65536
#define TAGS_MAX (1u << 26)

static const struct epochfile replay_file = { "replay", "rstrpl", 0 };

_Static_assert(ONION_REPLAY_TAG_BYTES == TAG_BYTES, "one kind of tag");

struct replay_set {
	uint32_t epoch;
	struct tagmap *tags; /* NULL once the set is doomed */
	struct buf staged;   /* tags in order of arrival: memory only */
	size_t file_bytes;   /* up to the end of the last good record */
	uint8_t check[CHECK_BYTES]; /* of that record */
	bool tail;	     /* something else may stand behind it */
	bool committing;     /* part of the commit under way */
	bool doomed, removing;
	struct replay *owner;
};

struct replay {
	struct disk *disk;
	struct workq *queue;
	const struct rng *rng;
	size_t tags_max;
	struct replay_set *sets[REPLAY_EPOCHS_MAX]; /* NULL: free place */
	bool committing;
};

/* ---- sets ---- */

static void
set_free(struct replay_set *s)
{
	if (s == NULL)
		return;
	tagmap_free(s->tags);
	buf_release(&s->staged);
	free(s);
}

static struct replay_set *
set_new(struct replay *r, uint32_t epoch)
{
	struct replay_set *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->owner = r;
	s->epoch = epoch;
	buf_init(&s->staged);
	s->tags = tagmap_new(r->rng, r->tags_max);
	if (s->tags == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

/* The place of an epoch's set, or a free one; NULL if there is none. */
static struct replay_set **
place_of(struct replay *r, uint32_t epoch)
{
	struct replay_set **empty = NULL;

	for (size_t i = 0; i < REPLAY_EPOCHS_MAX; i++) {
		if (r->sets[i] == NULL)
			empty = empty != NULL ? empty : &r->sets[i];
		else if (r->sets[i]->epoch == epoch)
			return &r->sets[i];
	}
	return empty;
}

enum err
replay_set(struct replay_set **out, struct replay *r, uint32_t epoch)
{
	struct replay_set **at = place_of(r, epoch);

	if (at == NULL)
		return ERR_FULL;
	if (*at == NULL)
		*at = set_new(r, epoch);
	if (*at == NULL)
		return ERR_MEMORY;
	if ((*at)->doomed)
		return ERR_STATE;
	*out = *at;
	return ERR_OK;
}

bool
replay_check(const struct replay_set *s, const uint8_t tag[static ONION_REPLAY_TAG_BYTES])
{
	return tagmap_find(s->tags, NULL, tag);
}

enum err
replay_stage(struct replay_set *s, const uint8_t tag[static ONION_REPLAY_TAG_BYTES])
{
	bool fresh;
	enum err e = tagmap_insert(s->tags, &fresh, tag, 0);

	if (e != ERR_OK)
		return e;
	if (!fresh)
		return ERR_REPLAY;
	if (s->owner->queue == NULL)
		return ERR_OK;
	e = buf_append(&s->staged, tag, TAG_BYTES, SIZE_MAX);
	if (e != ERR_OK)
		(void)tagmap_remove(s->tags, tag);
	return e;
}

size_t
replay_staged(const struct replay_set *s)
{
	return s->staged.len / TAG_BYTES;
}

size_t
replay_count(const struct replay_set *s)
{
	return tagmap_count(s->tags);
}

/* ---- the file ---- */

static void
put_header(uint8_t out[static EPOCHFILE_HEADER_BYTES], uint32_t epoch)
{
	struct writer w;

	writer_init(&w, out, EPOCHFILE_HEADER_BYTES);
	epochfile_put(&w, &replay_file, epoch);
}

static void
first_check(uint8_t out[static CHECK_BYTES], uint32_t epoch)
{
	uint8_t header[EPOCHFILE_HEADER_BYTES];
	struct hash_part part = { header, sizeof(header) };

	put_header(header, epoch);
	hash_parts(out, CHECK_BYTES, &part, 1);
}

/* The check of a record whose first n bytes are counts and tags. */
static void
next_check(uint8_t out[static CHECK_BYTES], const uint8_t before[static CHECK_BYTES],
    const uint8_t *record, size_t n)
{
	struct hash_part parts[] = { { before, CHECK_BYTES }, { record, n } };

	hash_parts(out, CHECK_BYTES, parts, 2);
}

static enum err
insert_loaded(struct replay_set *s, const uint8_t *tags, size_t count)
{
	bool fresh;
	enum err e;

	for (size_t i = 0; i < count; i++) {
		e = tagmap_insert(s->tags, &fresh, tags + i * TAG_BYTES, 0);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* How many bytes of a record stand before its check; ERR_TRUNCATED, ERR_MALFORMED. */
static enum err
record_body(size_t *body, const uint8_t *p, size_t left)
{
	uint32_t count;

	if (left < COUNT_BYTES || all_zero(p, left))
		return ERR_TRUNCATED;
	count = load_u32(p);
	if (count == 0 || load_u32(p + 4) != ~count)
		return ERR_MALFORMED;
	if (left < COUNT_BYTES + CHECK_BYTES ||
	    count > (left - COUNT_BYTES - CHECK_BYTES) / TAG_BYTES)
		return ERR_TRUNCATED;
	*body = COUNT_BYTES + count * (size_t)TAG_BYTES;
	return ERR_OK;
}

/*
 * One record at p. ERR_TRUNCATED: it is the torn tail that a crash leaves: cut
 * short, or of its full length but without all its bytes. A wrong check with
 * something behind it is no tail but damage: ERR_MALFORMED.
 */
static enum err
load_record(struct replay_set *s, size_t *used, const uint8_t *p, size_t left)
{
	uint8_t check[CHECK_BYTES];
	size_t body;
	enum err e = record_body(&body, p, left);

	if (e != ERR_OK)
		return e;
	next_check(check, s->check, p, body);
	if (memcmp(check, p + body, CHECK_BYTES) != 0) /* public */
		return body + CHECK_BYTES < left ? ERR_MALFORMED : ERR_TRUNCATED;
	memcpy(s->check, check, CHECK_BYTES);
	*used = body + CHECK_BYTES;
	return insert_loaded(s, p + COUNT_BYTES, (body - COUNT_BYTES) / TAG_BYTES);
}

static enum err
load_records(struct replay_set *s, const uint8_t *p, size_t n)
{
	enum err e = ERR_OK;
	size_t used = 0;

	for (; n > 0; p += used, n -= used) {
		e = load_record(s, &used, p, n);
		if (e != ERR_OK)
			break;
		s->file_bytes += used;
	}
	if (e != ERR_TRUNCATED)
		return e;
	s->tail = true;
	return ERR_OK;
}

static enum err
load_content(struct replay_set *s, const struct buf *b, struct diag *d)
{
	struct reader r;
	enum err e;

	first_check(s->check, s->epoch);
	if (b->len < EPOCHFILE_HEADER_BYTES) { /* torn when it was created */
		s->tail = true;
		return ERR_OK;
	}
	reader_init(&r, b->data, b->len);
	e = epochfile_check(&r, &replay_file, s->epoch, d);
	if (e != ERR_OK)
		return e;
	s->file_bytes = EPOCHFILE_HEADER_BYTES;
	e = load_records(s, r.at, r.left);
	if (e == ERR_OK)
		return ERR_OK;
	return epochfile_damaged(d, e, &replay_file, s->epoch,
	    "restore it, or remove it together with the file \"key-...\" of the same epoch, "
	    "which the node then sits out");
}

/* Cut off what stands behind the last good record. */
static enum err
cut_tail(struct disk *disk, const char *name, size_t good_bytes)
{
	return good_bytes == 0 ? disk_remove(disk, name) : disk_truncate(disk, name, good_bytes);
}

static enum err
load_set(struct replay *r, struct replay_set *s, struct diag *d)
{
	size_t max = EPOCHFILE_HEADER_BYTES + r->tags_max * SMALLEST_RECORD;
	char name[EPOCHFILE_NAME_BYTES];
	struct buf b;
	enum err e;

	epochfile_name(name, &replay_file, s->epoch);
	buf_init(&b);
	e = disk_read(r->disk, &b, name, max);
	if (e != ERR_OK)
		e = diag_set(d, e, "%s: %s; see that the state directory is readable", name,
		    err_text(e));
	else
		e = load_content(s, &b, d);
	if (e == ERR_OK && s->tail) {
		e = cut_tail(r->disk, name, s->file_bytes);
		if (e != ERR_OK)
			e = diag_set(d, e, "%s: its torn end cannot be cut off (%s); see that the "
			    "state directory can be written", name, err_text(e));
		else
			s->tail = false;
	}
	buf_release(&b);
	return e;
}

static enum err
load_all(struct replay *r, struct diag *d)
{
	uint32_t epochs[REPLAY_EPOCHS_MAX];
	size_t n;
	enum err e = epochfile_list(epochs, &n, REPLAY_EPOCHS_MAX, &replay_file, r->disk, d);

	for (size_t i = 0; e == ERR_OK && i < n; i++) {
		r->sets[i] = set_new(r, epochs[i]);
		e = r->sets[i] != NULL ? load_set(r, r->sets[i], d) : ERR_MEMORY;
	}
	return e;
}

size_t
replay_tags_max(const struct succession *s)
{
	uint64_t most = TAGS_MIN;

	for (size_t i = 0; i < succession_count(s); i++) {
		const struct params *p = &succession_get(s, i)->params;
		uint64_t n = TAGS_MARGIN * (uint64_t)p->people * (uint64_t)(p->epoch_ms / p->slot_ms);

		if (n > most)
			most = n;
	}
	return most < TAGS_MAX ? (size_t)most : TAGS_MAX;
}

void
replay_expect(struct replay *r, size_t tags_max)
{
	if (tags_max > r->tags_max)
		r->tags_max = tags_max;
}

enum err
replay_open(struct replay **out, struct disk *disk, struct workq *queue, const struct rng *rng,
    size_t tags_max, struct diag *d)
{
	struct replay *r = calloc(1, sizeof(*r));
	enum err e;

	if (r == NULL)
		return ERR_MEMORY;
	*r = (struct replay){ .disk = disk, .queue = queue, .rng = rng, .tags_max = tags_max };
	e = queue != NULL ? load_all(r, d) : ERR_OK;
	if (e != ERR_OK) {
		replay_free(r);
		return e;
	}
	*out = r;
	return ERR_OK;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < REPLAY_EPOCHS_MAX; i++)
		set_free(r->sets[i]);
	free(r);
}

/* ---- commit ---- */

/* What one commit writes into one file. */
struct part {
	struct replay_set *set;
	struct buf bytes; /* header, if the file is new, and the record */
	size_t tag_count;
	uint8_t check[CHECK_BYTES];
	bool tried;
	enum err err;
};

struct commit {
	struct replay *owner;
	struct part parts[REPLAY_EPOCHS_MAX];
	size_t count;
	replay_done_cb *done;
	void *arg;
};

static void
commit_free(struct commit *c)
{
	for (size_t i = 0; i < c->count; i++)
		buf_release(&c->parts[i].bytes);
	free(c);
}

static int
tag_order(const void *a, const void *b)
{
	return memcmp(a, b, TAG_BYTES); /* public */
}

static enum err
part_fill(struct part *p, struct replay_set *s)
{
	size_t header = s->file_bytes == 0 ? EPOCHFILE_HEADER_BYTES : 0;
	size_t body = COUNT_BYTES + s->staged.len;
	uint8_t *at;
	enum err e;

	p->set = s;
	p->tag_count = replay_staged(s);
	e = buf_reserve(&p->bytes, header + RECORD_BYTES(p->tag_count), SIZE_MAX, &at);
	if (e != ERR_OK)
		return e;
	p->bytes.len = header + RECORD_BYTES(p->tag_count);
	if (header > 0)
		put_header(at, s->epoch);
	at += header;
	store_u32(at, (uint32_t)p->tag_count);
	store_u32(at + 4, ~(uint32_t)p->tag_count);
	memcpy(at + COUNT_BYTES, s->staged.data, s->staged.len);
	qsort(at + COUNT_BYTES, p->tag_count, TAG_BYTES, tag_order);
	if (header > 0)
		first_check(s->check, s->epoch);
	next_check(p->check, s->check, at, body);
	memcpy(at + body, p->check, CHECK_BYTES);
	return ERR_OK;
}

static enum err
part_write(struct part *p, struct disk *disk)
{
	char name[EPOCHFILE_NAME_BYTES];
	enum err e = ERR_OK;

	p->tried = true;
	epochfile_name(name, &replay_file, p->set->epoch);
	if (p->set->tail)
		e = cut_tail(disk, name, p->set->file_bytes);
	return e == ERR_OK ? disk_append(disk, name, p->bytes.data, p->bytes.len) : e;
}

/* On the queue's thread; the sets' files are nobody else's meanwhile. */
static void
commit_run(void *arg)
{
	struct commit *c = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->count && e == ERR_OK; i++) {
		e = part_write(&c->parts[i], c->owner->disk);
		c->parts[i].err = e;
	}
}

static enum err
part_settle(const struct part *p)
{
	struct replay_set *s = p->set;

	s->committing = false;
	if (!p->tried)
		return ERR_OK;
	s->tail = p->err != ERR_OK;
	if (s->tail)
		return p->err;
	s->file_bytes += p->bytes.len;
	memcpy(s->check, p->check, CHECK_BYTES);
	buf_consume(&s->staged, p->tag_count * TAG_BYTES);
	return ERR_OK;
}

static void
commit_done(void *arg)
{
	struct commit *c = arg;
	replay_done_cb *done = c->done;
	void *done_arg = c->arg;
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->count; i++)
		if (part_settle(&c->parts[i]) != ERR_OK)
			e = c->parts[i].err;
	c->owner->committing = false;
	commit_free(c);
	done(done_arg, e);
}

enum err
replay_commit(struct replay *r, replay_done_cb *done, void *arg)
{
	struct commit *c;
	enum err e = ERR_OK;

	if (r->queue == NULL || r->committing)
		return ERR_BUSY;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ERR_MEMORY;
	c->owner = r;
	c->done = done;
	c->arg = arg;
	for (size_t i = 0; i < REPLAY_EPOCHS_MAX && e == ERR_OK; i++)
		if (r->sets[i] != NULL && !r->sets[i]->doomed && r->sets[i]->staged.len > 0)
			e = part_fill(&c->parts[c->count++], r->sets[i]);
	if (e == ERR_OK)
		e = workq_add(r->queue, commit_run, commit_done, c);
	if (e != ERR_OK) {
		commit_free(c);
		return e;
	}
	r->committing = true;
	for (size_t i = 0; i < c->count; i++)
		c->parts[i].set->committing = true;
	return ERR_OK;
}

/* ---- the end of a set ---- */

struct removal {
	struct replay_set *set;
	enum err err;
};

static void
removal_run(void *arg)
{
	struct removal *m = arg;
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, &replay_file, m->set->epoch);
	m->err = disk_remove(m->set->owner->disk, name);
}

static void
set_forget(struct replay_set *s)
{
	struct replay *r = s->owner;

	*place_of(r, s->epoch) = NULL;
	set_free(s);
}

static void
removal_done(void *arg)
{
	struct removal *m = arg;

	m->set->removing = false;
	if (m->err == ERR_OK)
		set_forget(m->set);
	free(m);
}

/* A failure leaves the set doomed, for the next replay_prune. */
static void
set_remove(struct replay_set *s)
{
	struct removal *m = malloc(sizeof(*m));

	if (m == NULL)
		return;
	*m = (struct removal){ .set = s };
	if (workq_add(s->owner->queue, removal_run, removal_done, m) == ERR_OK)
		s->removing = true;
	else
		free(m);
}

static void
set_doom(struct replay_set *s)
{
	s->doomed = true;
	tagmap_free(s->tags);
	s->tags = NULL;
	buf_release(&s->staged);
}

void
replay_prune(struct replay *r, bool (*keep)(void *arg, uint32_t epoch), void *arg)
{
	for (size_t i = 0; i < REPLAY_EPOCHS_MAX; i++) {
		struct replay_set *s = r->sets[i];

		if (s == NULL || s->removing || s->committing ||
		    (!s->doomed && keep(arg, s->epoch)))
			continue;
		if (!s->doomed)
			set_doom(s);
		if (r->queue == NULL)
			set_forget(s);
		else
			set_remove(s);
	}
}
