#include "config.h"

#include "mix/proofs.h"

#include <stdlib.h>
#include <string.h>

#include "mix/epochfile.h"

/* Texts, which begin with a magic of their own. */
static const struct epochfile sheets_file = { "evidence-sheets", "", 0 };
static const struct epochfile blocks_file = { "evidence-blocks", "", 0 };
static const struct epochfile notices_file = { "evidence-notices", "", 0 };

struct proof {
	struct evidence evidence;
	uint32_t epoch;
	enum evidence_about about;
	bool stored, writing;
};

struct proofs {
	struct disk *disk;
	struct workq *queue;
	const struct charter *charter;
	struct log *log;
	bool failed; /* as log_disk wants it */
	uint32_t full[EVIDENCE_ABOUT_NOTICES + 1]; /* of what kind, about which epoch, there was no room: the last one */
	size_t count;
	struct proof *at[PROOFS_MAX]; /* each stays at its address: jobs point to it */
};

static const struct epochfile *
file_of(const struct proof *p)
{
	return p->about == EVIDENCE_ABOUT_SHEETS ? &sheets_file :
	    p->about == EVIDENCE_ABOUT_NOTICES ? &notices_file : &blocks_file;
}

static const struct proof *
find(const struct proofs *k, uint32_t epoch, enum evidence_about about)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->at[i]->epoch == epoch && k->at[i]->about == about)
			return k->at[i];
	return NULL;
}

/* A new one at its place; NULL without room or memory. */
static struct proof *
insert(struct proofs *k, const struct evidence *e)
{
	struct proof *p = k->count < PROOFS_MAX ? calloc(1, sizeof(*p)) : NULL;
	size_t i = k->count;

	if (p == NULL)
		return NULL;
	p->evidence = *e;
	p->epoch = evidence_epoch(e, &k->charter->params);
	p->about = evidence_about(e);
	for (; i > 0 && k->at[i - 1]->epoch > p->epoch; i--)
		k->at[i] = k->at[i - 1];
	k->at[i] = p;
	k->count++;
	return p;
}

/* ---- writing ---- */

struct job {
	struct proofs *owner;
	struct proof *proof;
	char name[EPOCHFILE_NAME_BYTES];
	struct buf text;
	enum err err;
};

static void
job_run(void *arg)
{
	struct job *j = arg;

	j->err = disk_replace(j->owner->disk, j->name, j->text.data, j->text.len);
}

static void
job_free(struct job *j)
{
	buf_release(&j->text);
	free(j);
}

static void
job_done(void *arg)
{
	struct job *j = arg;
	struct proofs *k = j->owner;

	j->proof->writing = false;
	j->proof->stored = j->err == ERR_OK;
	log_disk(k->log, &k->failed, j->err);
	job_free(j);
}

/* What fails is tried again by proofs_turn. */
static void
store(struct proofs *k, struct proof *p)
{
	struct job *j;

	if (p->stored || p->writing)
		return;
	j = calloc(1, sizeof(*j));
	if (j == NULL)
		return;
	j->owner = k;
	j->proof = p;
	epochfile_name(j->name, file_of(p), p->epoch);
	buf_init(&j->text);
	if (evidence_encode(&j->text, &p->evidence) == ERR_OK &&
	    workq_add(k->queue, job_run, job_done, j) == ERR_OK)
		p->writing = true;
	else
		job_free(j);
}

void
proofs_turn(struct proofs *k)
{
	for (size_t i = 0; i < k->count; i++)
		store(k, k->at[i]);
}

void
proofs_add(struct proofs *k, const struct evidence *e)
{
	uint32_t epoch = evidence_epoch(e, &k->charter->params);
	enum evidence_about about = evidence_about(e);
	struct proof *p;

	if (find(k, epoch, about) != NULL ||
	    (k->count == PROOFS_MAX && k->full[about] == epoch))
		return;
	if (k->count == PROOFS_MAX)
		k->full[about] = epoch;
	log_event(k->log, LOG_GATEWAY_LIED, epoch, 0, 0);
	p = insert(k, e);
	if (p != NULL)
		store(k, p);
}

/* ---- looking ---- */

size_t
proofs_count(const struct proofs *k)
{
	return k->count;
}

const struct evidence *
proofs_at(const struct proofs *k, size_t i)
{
	return &k->at[i]->evidence;
}

bool
proofs_has_sheets(const struct proofs *k, uint32_t epoch)
{
	return find(k, epoch, EVIDENCE_ABOUT_SHEETS) != NULL;
}

/* ---- loading ---- */

static enum err
load_one(struct proofs *k, const struct epochfile *f, uint32_t epoch, struct diag *d)
{
	char name[EPOCHFILE_NAME_BYTES];
	struct diag why = { "" };
	struct evidence evidence;
	struct proof *p = NULL;
	struct buf text;
	enum err e;

	epochfile_name(name, f, epoch);
	buf_init(&text);
	e = disk_read(k->disk, &text, name, EVIDENCE_BYTES_MAX);
	if (e == ERR_OK)
		e = evidence_parse(&evidence, text.data, text.len, &why);
	if (e == ERR_OK)
		e = evidence_verify(&evidence, k->charter, &why);
	buf_release(&text);
	if (e != ERR_OK)
		return diag_set(d, e, "%s: %s; restore the file, or move it away", name,
		    why.text[0] != '\0' ? why.text : err_text(e));
	p = insert(k, &evidence);
	if (p == NULL)
		return ERR_MEMORY;
	p->stored = true;
	return ERR_OK;
}

static enum err
load(struct proofs *k, const struct epochfile *f, struct diag *d)
{
	uint32_t epochs[PROOFS_MAX];
	size_t n = 0;
	enum err e = epochfile_list(epochs, &n, PROOFS_MAX - k->count, f, k->disk, d);

	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = load_one(k, f, epochs[i], d);
	return e;
}

enum err
proofs_open(struct proofs **out, struct disk *disk, struct workq *queue, const struct charter *c,
    struct log *log, struct diag *d)
{
	struct proofs *k = calloc(1, sizeof(*k));
	enum err e;

	if (k == NULL)
		return ERR_MEMORY;
	k->disk = disk;
	k->queue = queue;
	k->charter = c;
	k->log = log;
	e = load(k, &sheets_file, d);
	if (e == ERR_OK)
		e = load(k, &blocks_file, d);
	if (e == ERR_OK)
		e = load(k, &notices_file, d);
	if (e != ERR_OK) {
		proofs_free(k);
		return e;
	}
	*out = k;
	return ERR_OK;
}

void
proofs_free(struct proofs *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->count; i++)
		free(k->at[i]);
	free(k);
}
