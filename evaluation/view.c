#include "config.h"

#include "evaluation/view.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_FIRST 4096
#define NO_SLOT UINT32_MAX
#define KIND_BITS 2

enum record_kind { RECORD_ARRIVED, RECORD_LEFT, RECORD_EXITED };

struct record {
	uint32_t node;	      /* << KIND_BITS | kind; of an exit: its number */
	view_origin origin;   /* from; of a departure: the batch */
	uint32_t held, count; /* at an arrival: with it; departures: before them, and how many */
};

struct view {
	size_t nodes, persons;
	struct record *records;
	size_t count, room;
	uint32_t batches, exits, first_exit;
};

enum err
view_new(struct view **out, size_t nodes, size_t persons)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return ERR_MEMORY;
	v->nodes = nodes;
	v->persons = persons;
	*out = v;
	return ERR_OK;
}

void
view_free(struct view *v)
{
	if (v == NULL)
		return;
	free(v->records);
	free(v);
}

/* ---- reports ---- */

static struct record *
append(struct view *v)
{
	if (v->count == v->room) {
		size_t room = v->room == 0 ? RECORDS_FIRST : v->room + v->room / 2;
		struct record *records = realloc(v->records, room * sizeof(*records));

		if (records == NULL)
			return NULL;
		v->records = records;
		v->room = room;
	}
	return &v->records[v->count++];
}

enum err
view_arrived(struct view *v, uint32_t node, view_origin from, uint32_t held)
{
	struct record *r = append(v);

	if (r == NULL)
		return ERR_MEMORY;
	*r = (struct record){ node << KIND_BITS | RECORD_ARRIVED, from, held, 1 };
	return ERR_OK;
}

enum err
view_left(struct view *v, view_origin *out, uint32_t node, uint32_t n, uint32_t held)
{
	struct record *r;

	if (v->batches == VIEW_UNKNOWN)
		return ERR_FULL;
	r = append(v);
	if (r == NULL)
		return ERR_MEMORY;
	*out = v->batches++;
	*r = (struct record){ node << KIND_BITS | RECORD_LEFT, *out, held, n };
	return ERR_OK;
}

enum err
view_exited(struct view *v, uint32_t *exit, view_origin from)
{
	struct record *r = append(v);

	if (r == NULL)
		return ERR_MEMORY;
	*exit = v->exits++;
	*r = (struct record){ RECORD_EXITED, from, 0, 1 };
	return ERR_OK;
}

size_t
view_length(const struct view *v)
{
	return v->count;
}

uint32_t
view_exits(const struct view *v)
{
	return v->exits;
}

void
view_forget(struct view *v)
{
	v->count = 0;
	v->first_exit = v->exits;
}

size_t
view_bytes(const struct view *v)
{
	return sizeof(*v) + v->room * sizeof(v->records[0]);
}

/* ---- masses of the batches that are between two mixes ---- */

/*
 * A batch is on its way only for the time of a link, so few are alive at once:
 * open addressing from batch to a row of shares.
 */
struct rows {
	size_t targets;
	uint32_t *keys, *left; /* of places; left: members that have not come yet */
	uint32_t *row;	       /* of places */
	size_t places, used;
	double *shares; /* rows of `targets` */
	uint32_t *spare;
	size_t row_room, spare_count;
};

static size_t
place_of(const struct rows *m, uint32_t key)
{
	size_t i = (size_t)(key * UINT32_C(2654435769)) & (m->places - 1);

	while (m->keys[i] != NO_SLOT && m->keys[i] != key)
		i = (i + 1) & (m->places - 1);
	return i;
}

static void
rows_release(struct rows *m)
{
	free(m->keys);
	free(m->left);
	free(m->row);
	free(m->shares);
	free(m->spare);
}

static enum err
rows_places(struct rows *m, size_t places)
{
	m->keys = malloc(places * sizeof(m->keys[0]));
	m->left = malloc(places * sizeof(m->left[0]));
	m->row = malloc(places * sizeof(m->row[0]));
	m->places = places;
	m->used = 0;
	if (m->keys == NULL || m->left == NULL || m->row == NULL)
		return ERR_MEMORY;
	memset(m->keys, 0xff, places * sizeof(m->keys[0]));
	return ERR_OK;
}

static enum err
rows_init(struct rows *m, size_t targets)
{
	memset(m, 0, sizeof(*m));
	m->targets = targets;
	return rows_places(m, 1024);
}

static enum err
grow_places(struct rows *m)
{
	struct rows old = *m;
	enum err e = rows_places(m, old.places * 2);

	for (size_t i = 0; i < old.places && e == ERR_OK; i++) {
		size_t p;

		if (old.keys[i] == NO_SLOT)
			continue;
		p = place_of(m, old.keys[i]);
		m->keys[p] = old.keys[i];
		m->left[p] = old.left[i];
		m->row[p] = old.row[i];
		m->used++;
	}
	free(old.keys);
	free(old.left);
	free(old.row);
	return e;
}

static enum err
grow_rows(struct rows *m)
{
	size_t room = m->row_room == 0 ? 256 : m->row_room * 2;
	double *shares = realloc(m->shares, room * m->targets * sizeof(*shares));
	uint32_t *spare;

	if (shares == NULL)
		return ERR_MEMORY;
	m->shares = shares;
	spare = realloc(m->spare, room * sizeof(*spare));
	if (spare == NULL)
		return ERR_MEMORY;
	m->spare = spare;
	for (size_t i = room; i > m->row_room; i--)
		m->spare[m->spare_count++] = (uint32_t)(i - 1);
	m->row_room = room;
	return ERR_OK;
}

/* The row of a batch, made with zeros if absent; NULL without memory. */
static double *
rows_need(struct rows *m, uint32_t batch, uint32_t members)
{
	size_t i = place_of(m, batch);
	double *row;

	if (m->keys[i] == batch)
		return m->shares + m->row[i] * m->targets;
	if (m->spare_count == 0 && grow_rows(m) != ERR_OK)
		return NULL;
	if (2 * m->used >= m->places) {
		if (grow_places(m) != ERR_OK)
			return NULL;
		i = place_of(m, batch);
	}
	m->keys[i] = batch;
	m->left[i] = members;
	m->row[i] = m->spare[--m->spare_count];
	m->used++;
	row = m->shares + m->row[i] * m->targets;
	memset(row, 0, m->targets * sizeof(*row));
	return row;
}

static double *
rows_find(const struct rows *m, uint32_t batch)
{
	size_t i = place_of(m, batch);

	return m->keys[i] == batch ? m->shares + m->row[i] * m->targets : NULL;
}

/* Take a place out, and move those behind it that would not be found any more. */
static void
rows_drop(struct rows *m, uint32_t batch)
{
	size_t hole = place_of(m, batch), i = hole;

	if (m->keys[hole] != batch)
		return;
	m->spare[m->spare_count++] = m->row[hole];
	m->used--;
	for (;;) {
		size_t home;

		i = (i + 1) & (m->places - 1);
		if (m->keys[i] == NO_SLOT)
			break;
		home = (size_t)(m->keys[i] * UINT32_C(2654435769)) & (m->places - 1);
		if (((i - home) & (m->places - 1)) < ((i - hole) & (m->places - 1)))
			continue;
		m->keys[hole] = m->keys[i];
		m->left[hole] = m->left[i];
		m->row[hole] = m->row[i];
		hole = i;
	}
	m->keys[hole] = NO_SLOT;
}

/* One member of a batch has come: the batch goes when all have. */
static void
rows_came(struct rows *m, uint32_t batch)
{
	size_t i = place_of(m, batch);

	if (m->keys[i] == batch && --m->left[i] == 0)
		rows_drop(m, batch);
}

/* ---- passes ---- */

static enum record_kind
kind_of(const struct record *r)
{
	return (enum record_kind)(r->node & ((1u << KIND_BITS) - 1));
}

static void
add(double *to, const double *from, double factor, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += factor * from[i];
}

static void
scale(double *v, double factor, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] *= factor;
}

struct backward {
	const struct view *view;
	struct rows rows;
	double *pools; /* nodes * targets */
	size_t n, position;
	view_each_packet *each;
	void *arg;
};

static void
tell_packet(struct backward *b, uint32_t person, const double *shares, double factor)
{
	double own[VIEW_TARGETS];
	bool any = false;

	for (size_t t = 0; t < b->n; t++) {
		own[t] = factor * shares[t];
		any = any || own[t] > 0;
	}
	if (any)
		b->each(b->arg, b->position, person, own);
}

/* The origin of one packet has a share of every target. */
static enum err
give_back(struct backward *b, view_origin to, const double *shares, double factor)
{
	double *row;

	if (to >= VIEW_PERSONS) {
		tell_packet(b, to - VIEW_PERSONS, shares, factor);
		return ERR_OK;
	}
	row = rows_need(&b->rows, to, 1);
	if (row == NULL)
		return ERR_MEMORY;
	add(row, shares, factor, b->n);
	return ERR_OK;
}

static enum err
back_over(struct backward *b, const struct record *r)
{
	double *pool = b->pools + (r->node >> KIND_BITS) * b->n;
	double *row;
	enum err e;

	switch (kind_of(r)) {
	case RECORD_ARRIVED:
		e = give_back(b, r->origin, pool, 1.0 / r->held);
		scale(pool, 1 - 1.0 / r->held, b->n);
		return e;
	case RECORD_LEFT:
		row = rows_find(&b->rows, r->origin);
		if (row != NULL)
			add(pool, row, 1, b->n);
		rows_drop(&b->rows, r->origin);
		break;
	case RECORD_EXITED:
		break;
	}
	return ERR_OK;
}

/* Start the targets whose exit this is. */
static enum err
back_from_exit(struct backward *b, const struct record *r, uint32_t exit, const uint32_t *exits)
{
	double one[VIEW_TARGETS] = { 0 };
	bool any = false;

	for (size_t t = 0; t < b->n; t++)
		if (exits[t] == exit) {
			one[t] = 1;
			any = true;
		}
	return any ? give_back(b, r->origin, one, 1) : ERR_OK;
}

enum err
view_packets_of(const struct view *v, const uint32_t *exits, size_t n, view_each_packet *each,
    void *arg)
{
	struct backward b = { .view = v, .n = n, .each = each, .arg = arg };
	uint32_t exit = v->exits;
	enum err e;

	if (n == 0 || n > VIEW_TARGETS)
		return ERR_RANGE;
	e = rows_init(&b.rows, n);
	b.pools = calloc(v->nodes * n + 1, sizeof(*b.pools));
	if (b.pools == NULL)
		e = ERR_MEMORY;
	for (size_t i = v->count; i > 0 && e == ERR_OK; i--) {
		const struct record *r = &v->records[i - 1];

		b.position = i - 1;
		e = kind_of(r) == RECORD_EXITED ? back_from_exit(&b, r, --exit, exits) :
						  back_over(&b, r);
	}
	free(b.pools);
	rows_release(&b.rows);
	return e;
}

/* Sum up by person. */
struct by_person {
	double *weights;
	size_t persons, n;
};

static void
add_to_person(void *arg, size_t position, uint32_t person, const double *shares)
{
	struct by_person *p = arg;

	(void)position;
	for (size_t t = 0; t < p->n; t++)
		p->weights[t * p->persons + person] += shares[t];
}

static void
what_is_lost(double *lost, const struct by_person *p)
{
	for (size_t t = 0; t < p->n; t++) {
		double sum = 0;

		for (size_t i = 0; i < p->persons; i++)
			sum += p->weights[t * p->persons + i];
		lost[t] = sum < 1 ? 1 - sum : 0;
	}
}

enum err
view_senders(const struct view *v, double *weights, double *lost, const uint32_t *exits, size_t n)
{
	struct by_person p = { weights, v->persons, n };
	enum err e;

	if (n == 0 || n > VIEW_TARGETS)
		return ERR_RANGE;
	memset(weights, 0, n * v->persons * sizeof(*weights));
	e = view_packets_of(v, exits, n, add_to_person, &p);
	if (e == ERR_OK)
		what_is_lost(lost, &p);
	return e;
}

struct forward {
	const struct view *view;
	struct rows rows;
	double *pools;
	const size_t *positions;
	size_t n;
	view_each_exit *each;
	void *arg;
	double *lost;
	uint32_t exit;
};

/* What this packet is of the targets: a batch's share, or all of one target, or nothing. */
static const double *
shares_of(const struct forward *f, double one[static VIEW_TARGETS], size_t position,
    view_origin from)
{
	bool any = false;

	if (from < VIEW_PERSONS)
		return rows_find(&f->rows, from);
	memset(one, 0, VIEW_TARGETS * sizeof(one[0]));
	for (size_t t = 0; t < f->n; t++)
		if (f->positions[t] == position) {
			one[t] = 1;
			any = true;
		}
	return any ? one : NULL;
}

static enum err
forth_left(struct forward *f, const struct record *r)
{
	double *pool = f->pools + (r->node >> KIND_BITS) * f->n;
	double *row = rows_need(&f->rows, r->origin, r->count);

	if (row == NULL)
		return ERR_MEMORY;
	add(row, pool, 1.0 / r->held, f->n);
	scale(pool, 1 - (double)r->count / r->held, f->n);
	return ERR_OK;
}

static enum err
forth_over(struct forward *f, const struct record *r, size_t position)
{
	double one[VIEW_TARGETS];
	const double *shares;

	if (kind_of(r) == RECORD_LEFT)
		return forth_left(f, r);
	shares = shares_of(f, one, position, r->origin);
	if (shares != NULL && kind_of(r) == RECORD_ARRIVED)
		add(f->pools + (r->node >> KIND_BITS) * f->n, shares, 1, f->n);
	if (shares != NULL && kind_of(r) == RECORD_EXITED) {
		f->each(f->arg, f->exit, shares);
		add(f->lost, shares, -1, f->n);
	}
	if (kind_of(r) == RECORD_EXITED)
		f->exit++;
	if (r->origin < VIEW_PERSONS)
		rows_came(&f->rows, r->origin);
	return ERR_OK;
}

enum err
view_exits_of(const struct view *v, double *lost, const size_t *positions, size_t n,
    view_each_exit *each, void *arg)
{
	struct forward f = { .view = v, .positions = positions, .n = n, .each = each, .arg = arg,
		.lost = lost, .exit = v->first_exit };
	enum err e;

	if (n == 0 || n > VIEW_TARGETS)
		return ERR_RANGE;
	for (size_t t = 0; t < n; t++)
		lost[t] = 1;
	e = rows_init(&f.rows, n);
	f.pools = calloc(v->nodes * n + 1, sizeof(*f.pools));
	if (f.pools == NULL)
		e = ERR_MEMORY;
	for (size_t i = 0; i < v->count && e == ERR_OK; i++)
		e = forth_over(&f, &v->records[i], i);
	for (size_t t = 0; t < n; t++)
		if (lost[t] < 0) /* rounding */
			lost[t] = 0;
	free(f.pools);
	rows_release(&f.rows);
	return e;
}
