#include "config.h"

#include "client-lib/client_parts.h"

/*
 * Own messages past their retention are deleted, oldest first, one archive read
 * at a time. Ids grow with time, so that the first young one ends a sweep.
 */

static void sweep_next(struct client *c);

static void
sweep_end(struct client *c)
{
	c->sweeping = false;
	if (commit_collect(c->commit))
		commit_now(c->commit);
}

/* Nothing of this id is left: the next sweep need not look here. */
static void
passed(struct client *c)
{
	if (post_first_message(c->post) == c->sweep_id)
		post_set_first_message(c->post, c->sweep_id + 1);
}

/* Whether to go on after m. */
static bool
judge(struct client *c, const struct post_message *m)
{
	struct post_message live;

	if (m->time_ms > loop_wall_ms(c->loop) - c->cfg.retention_ms)
		return false;
	if (post_live_message(c->post, m->id, &live))
		return true; /* still on its way */
	if (post_delete(c->post, m) != ERR_OK)
		return false;
	passed(c);
	return true;
}

static void
on_message(void *arg, enum err e, const uint8_t *p, size_t n)
{
	struct client *c = arg;
	struct post_message m;
	bool go_on = false;

	if (e == ERR_CLOSED || c->cfg.retention_ms == 0) {
		c->sweeping = false;
		return;
	}
	if (e == ERR_NOT_FOUND) {
		passed(c);
		go_on = true;
	} else if (e == ERR_OK && post_message_decode(&m, p, n) == ERR_OK) {
		go_on = judge(c, &m);
	}
	c->sweep_id++;
	if (go_on && c->sweep_id <= c->sweep_until)
		sweep_next(c);
	else
		sweep_end(c);
}

static void
sweep_next(struct client *c)
{
	struct post_write key;

	post_key_message(&key, c->sweep_id);
	if (commit_read(c->commit, &key, on_message, c) != ERR_OK)
		sweep_end(c);
}

void
sweep_begin(struct client *c)
{
	if (c->sweeping || c->cfg.retention_ms == 0 ||
	    post_first_message(c->post) > post_last_message(c->post))
		return;
	c->sweeping = true;
	c->sweep_id = post_first_message(c->post);
	c->sweep_until = post_last_message(c->post);
	sweep_next(c);
}
