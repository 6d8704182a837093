#include "config.h"

#include "mix/sheets.h"

#include <stdlib.h>
#include <string.h>

#include "common/charter/timing.h"
#include "common/crypto/hash.h"
#include "mix/epochfile.h"

/*
 * sheet   = header (epochfile.h) || length u32 || sheet || the gateway's signature || check 16
 *           or, when there were two: header || 0 u32 || check 16
 * "chain" = what chain_save() gives
 * In version 1 there was no signature: such a sheet is accepted anew.
 */
#define CHECK_BYTES 16
#define SHEET_FILE_MAX (EPOCHFILE_HEADER_BYTES + 4 + SHEET_SHOWN_MAX + CHECK_BYTES)
#define CHAIN_NAME "chain"
#define SHEETS_MAX 8
#define STRUCK_MAX 4 /* the latest: others are over, or a future that a wrong clock saw */
#define RECORDS_MAX (SHEETS_MAX + STRUCK_MAX + 4)
#define EARLY_MAX 2 /* of the running and the coming epoch */

static const struct epochfile sheet_file = { "sheet", "rstsht", 1 };

enum record_state {
	RECORD_SEEN,   /* not accepted: it lacks us, or is no use */
	RECORD_WANTED, /* accepted, to be stored */
	RECORD_STORED, /* in use */
	RECORD_OVER,   /* its epoch is over, the file is to go */
};

/* What is known of one epoch. */
struct record {
	uint32_t epoch;
	enum record_state state;
	bool writing, told_missing;
	bool struck, struck_stored;
	struct sheet *sheet; /* NULL: only known to be struck */
	struct buf bytes;    /* as it was shown, with the signature at the end */
};

struct sheets {
	struct sheets_config cfg;
	const struct params *params; /* the constant ones */
	struct buf early[EARLY_MAX]; /* sheets of charters that are not known yet */
	bool failed; /* as log_disk wants it */
	struct record *records[RECORDS_MAX]; /* NULL: free */
};

/* ---- records ---- */

static void
record_free(struct record *r)
{
	if (r == NULL)
		return;
	sheet_free(r->sheet);
	buf_release(&r->bytes);
	free(r);
}

static struct record **
place_of(const struct sheets *k, uint32_t epoch)
{
	for (size_t i = 0; i < RECORDS_MAX; i++)
		if (k->records[i] != NULL && k->records[i]->epoch == epoch)
			return (struct record **)(uintptr_t)&k->records[i];
	return NULL;
}

static struct record *
record_of(const struct sheets *k, uint32_t epoch)
{
	struct record **at = place_of(k, epoch);

	return at != NULL ? *at : NULL;
}

static struct record *
record_new(struct sheets *k, uint32_t epoch)
{
	struct record *r = NULL;

	for (size_t i = 0; i < RECORDS_MAX; i++) {
		if (k->records[i] != NULL)
			continue;
		r = calloc(1, sizeof(*r));
		if (r == NULL)
			return NULL;
		r->epoch = epoch;
		buf_init(&r->bytes);
		k->records[i] = r;
		break;
	}
	return r;
}

/* A record with the first sheet seen for its epoch; owns s, also on failure. */
static enum err
record_sheet(struct record **out, struct sheets *k, struct sheet *s, const uint8_t *p, size_t n)
{
	struct record *r = record_new(k, s->epoch);
	enum err e = r != NULL ? buf_append(&r->bytes, p, n, SHEET_SHOWN_MAX) : ERR_MEMORY;

	if (e != ERR_OK) {
		if (r != NULL) {
			*place_of(k, r->epoch) = NULL;
			record_free(r);
		}
		sheet_free(s);
		return e;
	}
	r->sheet = s;
	*out = r;
	return ERR_OK;
}

static void
changed(struct sheets *k, uint32_t epoch)
{
	if (k->cfg.changed != NULL)
		k->cfg.changed(k->cfg.arg, epoch);
}

/* ---- writing ---- */

enum work { WORK_STORE, WORK_STRIKE, WORK_REMOVE };

struct job {
	struct sheets *owner;
	struct record *record; /* stays while it is writing */
	enum work work;
	uint32_t epoch;
	struct buf file, chain;
	enum err err;
};

static void
job_free(struct job *j)
{
	buf_release(&j->file);
	buf_release(&j->chain);
	free(j);
}

static enum err
job_remove(const struct job *j)
{
	char name[EPOCHFILE_NAME_BYTES];

	epochfile_name(name, &sheet_file, j->epoch);
	return disk_remove(j->owner->cfg.disk, name);
}

/* The chain's head first: a sheet in use must never be without it. */
static enum err
job_store(const struct job *j)
{
	struct disk *disk = j->owner->cfg.disk;
	char name[EPOCHFILE_NAME_BYTES];
	enum err e = ERR_OK;

	epochfile_name(name, &sheet_file, j->epoch);
	if (j->chain.len > 0)
		e = disk_replace(disk, CHAIN_NAME, j->chain.data, j->chain.len);
	return e == ERR_OK ? disk_replace(disk, name, j->file.data, j->file.len) : e;
}

static void
job_run(void *arg)
{
	struct job *j = arg;

	j->err = j->work == WORK_REMOVE ? job_remove(j) : job_store(j);
}

static void
settle(struct sheets *k, struct record *r, enum work work)
{
	uint32_t epoch = r->epoch;

	switch (work) {
	case WORK_STORE:
		if (r->state != RECORD_WANTED)
			return;
		r->state = RECORD_STORED;
		log_event(k->cfg.log, LOG_SHEET_ACCEPTED, epoch, r->sheet->count, 0);
		changed(k, epoch);
		return;
	case WORK_STRIKE:
		r->struck_stored = true;
		return;
	case WORK_REMOVE:
		*place_of(k, epoch) = NULL;
		record_free(r);
		return;
	}
}

static void pursue(struct sheets *k, struct record *r);

static void
job_done(void *arg)
{
	struct job *j = arg;
	struct sheets *k = j->owner;
	struct record *r = j->record;

	r->writing = false;
	log_disk(k->cfg.log, &k->failed, j->err);
	if (j->err == ERR_OK && r->struck && j->work == WORK_STORE)
		pursue(k, r); /* struck meanwhile: nobody is to find it accepted */
	else if (j->err == ERR_OK)
		settle(k, r, j->work);
	job_free(j);
}

/* A sheet that was struck is none: only that is kept. */
static enum err
fill_file(struct buf *out, const struct record *r, bool struck)
{
	uint8_t head[EPOCHFILE_HEADER_BYTES + 4], check[CHECK_BYTES];
	size_t n = struck ? 0 : r->bytes.len;
	struct hash_part part;
	struct writer w;
	enum err e;

	writer_init(&w, head, sizeof(head));
	epochfile_put(&w, &sheet_file, r->epoch);
	writer_u32(&w, (uint32_t)n);
	e = buf_append(out, head, sizeof(head), SIZE_MAX);
	if (e == ERR_OK && n > 0)
		e = buf_append(out, r->bytes.data, n, SIZE_MAX);
	if (e != ERR_OK)
		return e;
	part = (struct hash_part){ out->data, out->len };
	hash_parts(check, CHECK_BYTES, &part, 1);
	return buf_append(out, check, CHECK_BYTES, SIZE_MAX);
}

static enum err
fill_job(struct job *j)
{
	const struct chain *chain = j->owner->cfg.chain;
	enum err e = ERR_OK;

	if (j->work == WORK_REMOVE)
		return ERR_OK;
	if (j->work == WORK_STORE && chain != NULL)
		e = chain_save(chain, &j->chain);
	return e == ERR_OK ? fill_file(&j->file, j->record, j->work == WORK_STRIKE) : e;
}

/* A failure is tried again by sheets_turn. */
static void
start(struct sheets *k, struct record *r, enum work work)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return;
	j->owner = k;
	j->record = r;
	j->work = work;
	j->epoch = r->epoch;
	buf_init(&j->file);
	buf_init(&j->chain);
	if (fill_job(j) == ERR_OK && workq_add(k->cfg.queue, job_run, job_done, j) == ERR_OK)
		r->writing = true;
	else
		job_free(j);
}

/* Whatever of this record is not yet as it should be on the disk. */
static void
pursue(struct sheets *k, struct record *r)
{
	if (r->writing)
		return;
	if (r->state == RECORD_OVER)
		start(k, r, WORK_REMOVE);
	else if (r->struck && !r->struck_stored)
		start(k, r, WORK_STRIKE);
	else if (r->state == RECORD_WANTED && !r->struck)
		start(k, r, WORK_STORE);
}

/* ---- what is seen ---- */

enum err
sheets_announcement(const struct sheets *k, uint8_t out[static ANNOUNCEMENT_BYTES], uint32_t epoch)
{
	const struct epochkey *key = epochkeys_find(k->cfg.keys, epoch);
	struct announcement a = {
		.node = k->cfg.own, .epoch = epoch, .suite = k->params->suite
	};

	if (key == NULL)
		return ERR_NOT_FOUND;
	memcpy(a.pk, key->pk, sizeof(a.pk));
	announcement_sign(&a, succession_first(k->cfg.charters)->network_id, k->cfg.identity_sk);
	announcement_encode(out, &a);
	return ERR_OK;
}

/* ERR_OK if our announcement is in the sheet verbatim; ERR_NOT_FOUND, ERR_MALFORMED. */
static enum err
find_ourselves(const struct sheets *k, const struct sheet *s)
{
	uint8_t ours[ANNOUNCEMENT_BYTES], theirs[ANNOUNCEMENT_BYTES];
	const struct announcement *a = sheet_node(s, k->cfg.own);
	enum err e;

	if (a == NULL)
		return ERR_NOT_FOUND;
	e = sheets_announcement(k, ours, s->epoch);
	if (e != ERR_OK)
		return ERR_MALFORMED;
	announcement_encode(theirs, a);
	return memcmp(ours, theirs, sizeof(ours)) == 0 ? ERR_OK : ERR_MALFORMED; /* public */
}

static void
consider(struct sheets *k, struct record *r)
{
	enum err e = find_ourselves(k, r->sheet);

	if (e == ERR_OK) {
		r->state = RECORD_WANTED;
		pursue(k, r);
		return;
	}
	if (r->told_missing)
		return;
	r->told_missing = true;
	if (e == ERR_NOT_FOUND &&
	    charter_node(succession_near(k->cfg.charters, r->epoch), k->cfg.own) == NULL)
		return; /* its charter has not got us, or no more */
	if (e == ERR_NOT_FOUND)
		log_event(k->cfg.log, LOG_SHEET_WITHOUT_US, r->epoch, r->sheet->count, 0);
	else
		log_event(k->cfg.log, LOG_SHEET_REFUSED, r->epoch, (uint64_t)-(int64_t)e, 0);
}

static struct evidence_statement
statement_of(const struct sheet_shown *shown)
{
	struct evidence_statement s = { .kind = EVIDENCE_SHEET, .number = shown->epoch };

	memcpy(s.hash, shown->hash, sizeof(s.hash));
	memcpy(s.signature, shown->signature, sizeof(s.signature));
	return s;
}

static void
strike(struct sheets *k, struct record *r, const struct sheet_shown *other)
{
	const struct charter *c = succession_first(k->cfg.charters);
	struct evidence_statement one, two = statement_of(other);
	struct sheet_shown first;
	struct evidence evidence;

	if (r->struck)
		return;
	r->struck = true;
	log_event(k->cfg.log, LOG_SHEET_EQUIVOCATION, r->epoch, 0, 0);
	pursue(k, r); /* before the evidence, which somebody may move away */
	if (sheet_show_check(&first, r->bytes.data, r->bytes.len, c) == ERR_OK) {
		one = statement_of(&first);
		if (evidence_make(&evidence, c, &one, &two) == ERR_OK)
			proofs_add(k->cfg.proofs, &evidence);
	}
	changed(k, r->epoch);
}

/* A sheet of this or the next epoch; owns s. */
static enum err
take(struct sheets *k, struct sheet *s, const uint8_t *p, size_t n,
    const struct sheet_shown *shown, uint32_t now)
{
	struct record *r = record_of(k, s->epoch);
	bool same;
	enum err e;

	if (r == NULL) {
		if (s->epoch < now) { /* over: it can only be compared */
			sheet_free(s);
			return ERR_OK;
		}
		e = record_sheet(&r, k, s, p, n);
		if (e == ERR_OK)
			consider(k, r);
		return e;
	}
	same = r->sheet == NULL || memcmp(r->sheet->hash, s->hash, 32) == 0; /* public */
	sheet_free(s);
	if (!same)
		strike(k, r, shown);
	else if (r->state == RECORD_SEEN && r->sheet != NULL && !r->struck && r->epoch >= now)
		consider(k, r);
	return ERR_OK;
}

/* The latest sheet of an epoch that comes before its charter; without memory it comes again. */
static void
keep_early(struct sheets *k, const uint8_t *p, size_t n, uint32_t now)
{
	uint32_t epoch = load_u32(p);
	struct buf *b = &k->early[epoch % EARLY_MAX];

	if (epoch < now || epoch > now + 1)
		return;
	buf_release(b);
	if (buf_append(b, p, n, SHEET_SHOWN_MAX) != ERR_OK)
		buf_release(b);
}

void
sheets_again(struct sheets *k, int64_t wall_ms)
{
	for (size_t i = 0; i < EARLY_MAX; i++) {
		struct buf b = k->early[i];
		enum err e;

		buf_init(&k->early[i]);
		e = b.len > 0 ? sheets_offer(k, b.data, b.len, wall_ms) : ERR_OK;
		if (e != ERR_OK && e != ERR_EPOCH)
			log_event(k->cfg.log, LOG_SHEET_REFUSED, timing_epoch(k->params, wall_ms),
			    (uint64_t)-(int64_t)e, 0);
		buf_release(&b);
	}
}

enum err
sheets_offer(struct sheets *k, const uint8_t *p, size_t n, int64_t wall_ms)
{
	uint32_t now = timing_epoch(k->params, wall_ms);
	struct sheet_shown shown;
	struct sheet *s;
	enum err e = sheet_show_check(&shown, p, n, succession_first(k->cfg.charters));

	if (e == ERR_OK)
		e = sheet_read(&s, p, shown.len, k->cfg.charters, NULL);
	if (e == ERR_EPOCH)
		keep_early(k, p, n, now);
	if (e != ERR_OK)
		return e;
	if (s->epoch > now + 1 || s->epoch + 1 < now) {
		sheet_free(s);
		return ERR_OK;
	}
	return take(k, s, p, n, &shown, now);
}

const struct sheet *
sheets_find(const struct sheets *k, uint32_t epoch)
{
	const struct record *r = record_of(k, epoch);

	return r != NULL && r->state == RECORD_STORED && !r->struck ? r->sheet : NULL;
}

bool
sheets_seen(const struct sheets *k, uint32_t epoch)
{
	return record_of(k, epoch) != NULL;
}

bool
sheets_struck(const struct sheets *k, uint32_t epoch)
{
	const struct record *r = record_of(k, epoch);

	return r != NULL && r->struck;
}

void
sheets_turn(struct sheets *k, int64_t wall_ms)
{
	const struct params *p = k->params;

	for (size_t i = 0; i < RECORDS_MAX; i++) {
		struct record *r = k->records[i];

		if (r == NULL)
			continue;
		if (wall_ms >= timing_epoch_start(p, r->epoch + 1) + p->grace_ms)
			r->state = RECORD_OVER;
		pursue(k, r);
	}
}

/* ---- loading ---- */

static enum err
read_file(struct buf *out, struct sheets *k, uint32_t epoch, struct reader *r, struct diag *d)
{
	char name[EPOCHFILE_NAME_BYTES];
	uint8_t check[CHECK_BYTES];
	struct hash_part part;
	enum err e;

	epochfile_name(name, &sheet_file, epoch);
	e = disk_read(k->cfg.disk, out, name, SHEET_FILE_MAX);
	if (e != ERR_OK)
		return diag_set(d, e, "%s: %s; see that the file is ours and readable", name,
		    err_text(e));
	reader_init(r, out->data, out->len < CHECK_BYTES ? 0 : out->len - CHECK_BYTES);
	e = epochfile_check(r, &sheet_file, epoch, d);
	if (e != ERR_OK)
		return e;
	part = (struct hash_part){ out->data, out->len - CHECK_BYTES };
	hash_parts(check, CHECK_BYTES, &part, 1);
	if (memcmp(check, out->data + out->len - CHECK_BYTES, CHECK_BYTES) == 0) /* public */
		return ERR_OK;
	return epochfile_damaged(d, ERR_MALFORMED, &sheet_file, epoch,
	    "restore it or remove it; without it the node accepts the sheet anew");
}

/* An epoch of which there were two. */
static enum err
record_struck(struct record **out, struct sheets *k, uint32_t epoch, bool stored)
{
	struct record *r = record_new(k, epoch);

	if (r == NULL)
		return ERR_MEMORY;
	r->struck = true;
	r->struck_stored = stored;
	if (out != NULL)
		*out = r;
	return ERR_OK;
}

/* The sheet in a file, or ERR_OK without a record if it does not hold. */
static enum err
parse_sheet(struct record **out, struct sheets *k, uint32_t epoch, struct reader *r)
{
	size_t n = reader_u32(r);
	const uint8_t *p = reader_view(r, n);
	struct sheet_shown shown;
	struct sheet *s;

	if (n == 0 && reader_end(r) == ERR_OK)
		return record_struck(out, k, epoch, true);
	if (p == NULL || reader_end(r) != ERR_OK ||
	    sheet_show_check(&shown, p, n, succession_first(k->cfg.charters)) != ERR_OK ||
	    sheet_read(&s, p, shown.len, k->cfg.charters, NULL) != ERR_OK)
		return ERR_OK;
	return record_sheet(out, k, s, p, n);
}

/* A sheet that does not hold under the charter of its epoch is removed. */
static enum err
load_sheet(struct sheets *k, uint32_t epoch, struct diag *d)
{
	struct record *record = NULL;
	struct buf file;
	struct reader r;
	enum err e;

	buf_init(&file);
	e = read_file(&file, k, epoch, &r, d);
	if (e == ERR_OK)
		e = parse_sheet(&record, k, epoch, &r);
	buf_release(&file);
	if (e != ERR_OK)
		return e;
	if (record != NULL) {
		record->state = record->struck ? RECORD_SEEN : RECORD_STORED;
		return ERR_OK;
	}
	record = record_new(k, epoch);
	if (record == NULL)
		return ERR_MEMORY;
	record->state = RECORD_OVER;
	return ERR_OK;
}

/* The latest that there is evidence for. */
static enum err
load_struck(struct sheets *k)
{
	size_t n = proofs_count(k->cfg.proofs), done = 0;

	for (size_t i = n; i-- > 0 && done < STRUCK_MAX;) {
		const struct evidence *e = proofs_at(k->cfg.proofs, i);
		uint32_t epoch = evidence_epoch(e, k->params);
		struct record *r = record_of(k, epoch);

		if (!proofs_has_sheets(k->cfg.proofs, epoch) || (r != NULL && r->struck))
			continue;
		if (r != NULL)
			r->struck = true; /* and to be stored as such */
		else if (record_struck(NULL, k, epoch, false) != ERR_OK)
			return ERR_MEMORY;
		done++;
	}
	return ERR_OK;
}

static enum err
load_chain(struct sheets *k, struct buf *out, struct diag *d)
{
	enum err e = disk_read(k->cfg.disk, out, CHAIN_NAME, CHAIN_STATE_BYTES_MAX);

	if (e == ERR_OK && out->len == 0)
		return diag_set(d, ERR_TRUNCATED,
		    CHAIN_NAME ": empty; remove it to verify the journal anew");
	if (e == ERR_OK || e == ERR_NOT_FOUND)
		return ERR_OK;
	return diag_set(d, e, CHAIN_NAME ": %s; see that the file is ours and readable",
	    err_text(e));
}

enum err
sheets_open(struct sheets **out, const struct sheets_config *cfg, struct buf *chain_state,
    struct diag *d)
{
	struct sheets *k = calloc(1, sizeof(*k));
	uint32_t epochs[SHEETS_MAX];
	size_t n = 0;
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->cfg = *cfg;
	k->params = &succession_first(cfg->charters)->params;
	for (size_t i = 0; i < EARLY_MAX; i++)
		buf_init(&k->early[i]);
	e = epochfile_list(epochs, &n, SHEETS_MAX, &sheet_file, cfg->disk, d);
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = load_sheet(k, epochs[i], d);
	if (e == ERR_OK)
		e = load_struck(k);
	if (e == ERR_OK)
		e = load_chain(k, chain_state, d);
	if (e != ERR_OK) {
		sheets_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
sheets_free(struct sheets *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < RECORDS_MAX; i++)
		record_free(k->records[i]);
	for (size_t i = 0; i < EARLY_MAX; i++)
		buf_release(&k->early[i]);
	free(k);
}
