#include "config.h"

#include "mix/shelf.h"

#include <stdlib.h>

#include "common/base/secret.h"

/* What stands for one epoch, from the first attempt to store to the last to remove. */
enum place_state {
	PLACE_FREE,
	PLACE_TAKEN,  /* in memory, not yet stored */
	PLACE_STORED,
	PLACE_DOOMED, /* the memory is wiped, the file is still there */
};

struct place {
	enum place_state state;
	bool writing; /* a job of this place is under way */
	uint32_t epoch;
	struct shelf_item *item; /* NULL once doomed */
};

struct shelf {
	struct shelf_config cfg;
	bool failed; /* as log_disk wants it */
	struct place places[SHELF_PLACES];
};

/* ---- items ---- */

void
shelf_hold(struct shelf_item *item)
{
	item->holders++;
}

void
shelf_drop(const struct shelf_kind *kind, struct shelf_item *item)
{
	if (item != NULL && --item->holders == 0)
		kind->destroy(item);
}

static const struct place *
place_of(const struct shelf *s, uint32_t epoch)
{
	for (size_t i = 0; i < SHELF_PLACES; i++)
		if (s->places[i].state != PLACE_FREE && s->places[i].epoch == epoch)
			return &s->places[i];
	return NULL;
}

struct shelf_item *
shelf_find(const struct shelf *s, uint32_t epoch)
{
	const struct place *p = place_of(s, epoch);

	return p != NULL && p->state == PLACE_STORED ? p->item : NULL;
}

struct shelf_item *
shelf_known(const struct shelf *s, uint32_t epoch)
{
	const struct place *p = place_of(s, epoch);

	return p != NULL ? p->item : NULL;
}

bool
shelf_exists(const struct shelf *s, uint32_t epoch)
{
	return place_of(s, epoch) != NULL;
}

size_t
shelf_epochs(const struct shelf *s, uint32_t out[static SHELF_PLACES])
{
	size_t n = 0;

	for (size_t i = 0; i < SHELF_PLACES; i++)
		if (s->places[i].state == PLACE_STORED)
			out[n++] = s->places[i].epoch;
	return n;
}

bool
shelf_busy(const struct shelf *s)
{
	for (size_t i = 0; i < SHELF_PLACES; i++)
		if (s->places[i].state == PLACE_TAKEN || s->places[i].state == PLACE_DOOMED)
			return true;
	return false;
}

/* ---- files ---- */

struct file_job {
	struct shelf *owner;
	struct place *place;
	struct shelf_item *item; /* held; NULL: remove the file */
	enum err err;
};

static enum err
write_file(const struct shelf_config *cfg, const char *name, const struct shelf_item *item)
{
	uint8_t bytes[EPOCHFILE_HEADER_BYTES + SHELF_BODY_MAX];
	struct writer w;
	enum err e;

	writer_init(&w, bytes, EPOCHFILE_HEADER_BYTES + cfg->kind->body_bytes);
	epochfile_put(&w, &cfg->kind->file, item->epoch);
	cfg->kind->put(&w, item);
	e = disk_replace(cfg->disk, name, bytes, EPOCHFILE_HEADER_BYTES + cfg->kind->body_bytes);
	secret_wipe(bytes, sizeof(bytes));
	return e;
}

/* On the queue's thread. place->epoch does not change while it is writing. */
static void
file_run(void *arg)
{
	struct file_job *j = arg;
	const struct shelf_config *cfg = &j->owner->cfg;
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, &cfg->kind->file, j->place->epoch);
	j->err = j->item != NULL ? write_file(cfg, name, j->item) : disk_remove(cfg->disk, name);
}

static void
stored(struct shelf *s, struct place *p)
{
	if (p->state != PLACE_TAKEN) /* its epoch ended meanwhile: the file goes next */
		return;
	p->state = PLACE_STORED;
	s->cfg.stored(s->cfg.arg, p->epoch);
}

static void
removed(struct shelf *s, struct place *p)
{
	uint32_t epoch = p->epoch;

	*p = (struct place){ .state = PLACE_FREE };
	s->cfg.removed(s->cfg.arg, epoch);
}

static void
file_done(void *arg)
{
	struct file_job *j = arg;
	struct shelf *s = j->owner;
	struct place *p = j->place;
	bool store = j->item != NULL;
	enum err e = j->err;

	shelf_drop(s->cfg.kind, j->item);
	free(j);
	p->writing = false;
	log_disk(s->cfg.log, &s->failed, e);
	if (e != ERR_OK)
		return;
	if (store)
		stored(s, p);
	else
		removed(s, p);
}

/* What fails is tried again by the next turn. */
static void
start_job(struct shelf *s, struct place *p)
{
	struct file_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return;
	j->owner = s;
	j->place = p;
	if (p->state == PLACE_TAKEN) {
		j->item = p->item;
		shelf_hold(j->item);
	}
	if (workq_add(s->cfg.queue, file_run, file_done, j) == ERR_OK) {
		p->writing = true;
		return;
	}
	shelf_drop(s->cfg.kind, j->item);
	free(j);
}

/* ---- what comes and goes ---- */

enum err
shelf_add(struct shelf *s, struct shelf_item *item)
{
	for (size_t i = 0; i < SHELF_PLACES; i++) {
		struct place *p = &s->places[i];

		if (p->state != PLACE_FREE)
			continue;
		*p = (struct place){ .state = PLACE_TAKEN, .epoch = item->epoch, .item = item };
		start_job(s, p);
		return ERR_OK;
	}
	return ERR_FULL;
}

static void
place_wipe(const struct shelf *s, struct place *p)
{
	shelf_drop(s->cfg.kind, p->item);
	p->item = NULL;
}

static void
place_doom(const struct shelf *s, struct place *p)
{
	place_wipe(s, p);
	p->state = PLACE_DOOMED;
}

void
shelf_make_room(struct shelf *s, uint32_t epoch)
{
	struct place *farthest = NULL;

	for (size_t i = 0; i < SHELF_PLACES; i++) {
		struct place *p = &s->places[i];

		if (p->state == PLACE_FREE)
			return;
		if (p->state == PLACE_STORED && p->epoch > epoch &&
		    (farthest == NULL || p->epoch > farthest->epoch))
			farthest = p;
	}
	if (farthest != NULL)
		place_doom(s, farthest);
}

void
shelf_turn(struct shelf *s, int64_t wall_ms)
{
	for (size_t i = 0; i < SHELF_PLACES; i++) {
		struct place *p = &s->places[i];

		if (p->state == PLACE_FREE)
			continue;
		if (p->state != PLACE_DOOMED && s->cfg.over(s->cfg.arg, p->epoch, wall_ms))
			place_doom(s, p);
		if (!p->writing && p->state != PLACE_STORED)
			start_job(s, p);
	}
}

/* ---- life ---- */

static enum err
read_item(struct shelf_item **out, const struct shelf_config *cfg, uint32_t epoch,
    const struct buf *b, struct diag *d)
{
	struct reader r;
	enum err e;

	reader_init(&r, b->data, b->len);
	e = epochfile_check(&r, &cfg->kind->file, epoch, d);
	if (e != ERR_OK)
		return e;
	e = cfg->kind->get(out, cfg->arg, epoch, &r);
	if (e == ERR_OK)
		return ERR_OK;
	return epochfile_damaged(d, e, &cfg->kind->file, epoch, cfg->kind->remedy);
}

static enum err
load(struct shelf *s, struct place *p, uint32_t epoch, struct diag *d)
{
	const struct shelf_config *cfg = &s->cfg;
	char name[EPOCHFILE_NAME_BYTES];
	struct shelf_item *item = NULL;
	struct buf b;
	enum err e;

	epochfile_name(name, &cfg->kind->file, epoch);
	buf_init(&b);
	e = disk_read(cfg->disk, &b, name, EPOCHFILE_HEADER_BYTES + cfg->kind->body_bytes);
	if (e == ERR_OK)
		e = read_item(&item, cfg, epoch, &b, d);
	else
		e = epochfile_damaged(d, e, &cfg->kind->file, epoch,
		    "see that the file is ours and readable, or remove it");
	if (b.len > 0)
		secret_wipe(b.data, b.len);
	buf_release(&b);
	if (e == ERR_OK)
		*p = (struct place){ .state = PLACE_STORED, .epoch = epoch, .item = item };
	return e;
}

enum err
shelf_open(struct shelf **out, const struct shelf_config *cfg, struct diag *d)
{
	struct shelf *s = calloc(1, sizeof(*s));
	uint32_t epochs[SHELF_PLACES];
	size_t n = 0;
	enum err e;

	if (s == NULL)
		return ERR_MEMORY;
	s->cfg = *cfg;
	e = epochfile_list(epochs, &n, SHELF_PLACES, &cfg->kind->file, cfg->disk, d);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = load(s, &s->places[i], epochs[i], d);
	if (e != ERR_OK) {
		shelf_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void
shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SHELF_PLACES; i++)
		place_wipe(s, &s->places[i]);
	free(s);
}
