#include "config.h"

#include "evaluation/watch.h"

#include <stdlib.h>
#include <string.h>

#define UNSEEN SIZE_MAX

struct watch {
	struct view *view;
	struct simulation *simulation;
	bool *corrupt;
	size_t *positions; /* of handles; UNSEEN: before what is known, or not yet arrived */
	size_t position_room;
	struct watch_exit *exits;
	size_t count, room;
};

static enum err
room_for(struct watch *w, uint32_t handle)
{
	size_t room = w->position_room > 0 ? w->position_room : 1024;
	size_t *p;

	if (handle < w->position_room)
		return ERR_OK;
	while (room <= handle)
		room *= 2;
	p = realloc(w->positions, room * sizeof(*p));
	if (p == NULL)
		return ERR_MEMORY;
	w->positions = p;
	w->position_room = room;
	return ERR_OK;
}

static void
on_sent(void *arg, int64_t at_ms, uint32_t handle)
{
	struct watch *w = arg;
	struct token *t = simulation_token(w->simulation, handle);

	(void)at_ms;
	if (room_for(w, handle) != ERR_OK) {
		simulation_fail(w->simulation, ERR_MEMORY);
		return;
	}
	t->origin = VIEW_PERSONS + t->person;
	w->positions[handle] = UNSEEN;
}

/* It was only counted so far: on its way to the first mix it is seen, elsewhere forgotten. */
static void
on_resumed(void *arg, uint32_t handle)
{
	struct watch *w = arg;
	struct token *t = simulation_token(w->simulation, handle);

	if (room_for(w, handle) != ERR_OK) {
		simulation_fail(w->simulation, ERR_MEMORY);
		return;
	}
	t->origin = t->hop == 0 && t->person != SIMULATION_NOBODY ? VIEW_PERSONS + t->person :
								    VIEW_UNKNOWN;
	w->positions[handle] = UNSEEN;
}

/* The first time that an honest mix, or the exit, sees the packet. */
static void
note_position(struct watch *w, const struct token *t, uint32_t handle)
{
	if (t->origin >= VIEW_PERSONS && w->positions[handle] == UNSEEN)
		w->positions[handle] = view_length(w->view);
}

static void
on_arrived(void *arg, int64_t at_ms, uint32_t node, uint32_t handle, size_t held)
{
	struct watch *w = arg;
	const struct token *t = simulation_token(w->simulation, handle);
	enum err e;

	(void)at_ms;
	if (w->corrupt != NULL && w->corrupt[node])
		return;
	note_position(w, t, handle);
	e = view_arrived(w->view, node, t->origin, (uint32_t)held);
	if (e != ERR_OK)
		simulation_fail(w->simulation, e);
}

static void
on_left(void *arg, int64_t at_ms, uint32_t node, const uint32_t *handles, size_t n, size_t held)
{
	struct watch *w = arg;
	view_origin batch = 0;
	enum err e;

	(void)at_ms;
	if (n == 0 || (w->corrupt != NULL && w->corrupt[node]))
		return;
	e = view_left(w->view, &batch, node, (uint32_t)n, (uint32_t)held);
	if (e != ERR_OK)
		simulation_fail(w->simulation, e);
	for (size_t i = 0; i < n; i++)
		simulation_token(w->simulation, handles[i])->origin = batch;
}

static struct watch_exit *
append(struct watch *w)
{
	size_t room = w->room > 0 ? w->room + w->room / 2 : 1024;
	struct watch_exit *exits;

	if (w->count < w->room)
		return &w->exits[w->count++];
	exits = realloc(w->exits, room * sizeof(*exits));
	if (exits == NULL)
		return NULL;
	w->exits = exits;
	w->room = room;
	return &w->exits[w->count++];
}

static void
on_exited(void *arg, int64_t at_ms, uint32_t handle)
{
	struct watch *w = arg;
	const struct token *t = simulation_token(w->simulation, handle);
	struct watch_exit *x = append(w);
	enum err e = x != NULL ? ERR_OK : ERR_MEMORY;

	note_position(w, t, handle);
	if (e == ERR_OK) {
		*x = (struct watch_exit){ .position = w->positions[handle],
			.sent_ms = t->sent_ms,
			.exited_ms = at_ms,
			.message = t->message,
			.person = t->person,
			.kind = t->kind,
			.traced = t->origin >= VIEW_PERSONS };
		e = view_exited(w->view, &x->exit, t->origin);
	}
	if (e != ERR_OK)
		simulation_fail(w->simulation, e);
}

/* ---- life ---- */

enum err
watch_new(struct watch **out, size_t nodes, size_t persons, const bool *corrupt)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum err e = w != NULL ? view_new(&w->view, nodes, persons) : ERR_MEMORY;

	if (e == ERR_OK && corrupt != NULL) {
		w->corrupt = malloc(nodes * sizeof(*corrupt));
		if (w->corrupt != NULL)
			memcpy(w->corrupt, corrupt, nodes * sizeof(*corrupt));
		else
			e = ERR_MEMORY;
	}
	if (e != ERR_OK) {
		watch_free(w);
		return e;
	}
	*out = w;
	return ERR_OK;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	view_free(w->view);
	free(w->corrupt);
	free(w->positions);
	free(w->exits);
	free(w);
}

void
watch_observer(struct watch *w, struct simulation_observer *out)
{
	*out = (struct simulation_observer){ .sent = on_sent,
		.arrived = on_arrived,
		.left = on_left,
		.exited = on_exited,
		.resumed = on_resumed,
		.arg = w };
}

void
watch_begin(struct watch *w, struct simulation *s)
{
	w->simulation = s;
}

const struct view *
watch_view(const struct watch *w)
{
	return w->view;
}

const struct watch_exit *
watch_exits(const struct watch *w, size_t *n)
{
	*n = w->count;
	return w->exits;
}

void
watch_forget_exits(struct watch *w)
{
	w->count = 0;
}

void
watch_forget(struct watch *w)
{
	view_forget(w->view);
	w->count = 0;
	for (size_t i = 0; i < w->position_room; i++)
		w->positions[i] = UNSEEN;
}

size_t
watch_bytes(const struct watch *w)
{
	return sizeof(*w) + view_bytes(w->view) + w->position_room * sizeof(w->positions[0]) +
	    w->room * sizeof(w->exits[0]);
}
