#include "config.h"

#include <sodium.h>
#include <string.h>

#include "client-lib/handle.h"

static void
describe(struct restante_contact *out, const struct post_contact *c)
{
	memset(out, 0, sizeof(*out));
	out->id = c->id;
	memcpy(out->name, c->name, sizeof(out->name));
	out->state = (enum restante_contact_state)c->state;
	out->verified = c->verified;
	out->blocked = c->blocked;
	memcpy(out->safety_number, c->safety_number, sizeof(out->safety_number));
	out->queued = c->queued;
	out->unacknowledged = c->unacknowledged;
	out->renews = c->renews;
	out->renewed_sending = c->renewed_sending;
	out->renewed_receiving = c->renewed_receiving;
	out->restarting = c->restarting;
	out->contested = c->contested;
	out->stranded = c->stranded;
	out->lost_texts = c->lost_texts;
	out->lost_files = c->lost_files;
	out->peer_restored = c->peer_restored;
	out->peer_restart = c->peer_restart_ms / 1000;
}

int
restante_contact_at(struct restante *r, size_t i, struct restante_contact *out)
{
	struct post_contact c;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	if (i >= post_contact_count(client_post(r->client)))
		return RESTANTE_E_NOT_FOUND;
	post_contact_at(client_post(r->client), i, &c);
	describe(out, &c);
	return RESTANTE_OK;
}

int
restante_contact_find(struct restante *r, const char *name, struct restante_contact *out)
{
	struct post_contact c;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	if (post_contact_find(client_post(r->client), &c, name) != ERR_OK)
		return handle_code(diag_set(&r->why, ERR_NOT_FOUND,
		    "no contact of that name; `restante contacts` lists them"));
	describe(out, &c);
	return RESTANTE_OK;
}

int
restante_invite(struct restante *r, const char *name, uint32_t valid_seconds, char *text,
    restante_done *done, void *arg)
{
	int64_t now = loop_wall_ms(r->loop);
	struct chain_point anchor;
	uint32_t id;
	enum err e;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	if (!client_epoch_block(r->client, &anchor))
		return handle_code(diag_set(&r->why, ERR_STATE,
		    "the journal has not been verified yet; wait until `restante status` says so"));
	e = post_invite(client_post(r->client), text, &id, name, &anchor, now,
	    now + (int64_t)valid_seconds * 1000, &r->why);
	if (e != ERR_OK)
		return handle_fail(r, e);
	rc = handle_commit(r, done, arg);
	if (rc != RESTANTE_OK)
		sodium_memzero(text, INVITE_TEXT_MAX);
	return rc;
}

/*
 * The invitation's epoch block is the anchor between two people: whoever is shown
 * another journal than the inviter finds out here, before anything is sent.
 */
static enum err
check_anchor(struct restante *r, const char *invitation)
{
	struct invite i;
	enum err e = invite_decode(&i, invitation, &r->why);

	if (e != ERR_OK)
		return e;
	if (sodium_memcmp(i.network_id, r->charter->network_id, sizeof(i.network_id)) == 0) {
		switch (client_judge(r->client, &i.epoch_block)) {
		case CHAIN_SAME:
			break;
		case CHAIN_OTHER:
			e = diag_set(&r->why, ERR_CHAIN,
			    "the inviter is shown another journal than you are: the gateway lies to one "
			    "of you. Do not go on; tell the operator and the inviter");
			break;
		case CHAIN_OPEN:
			e = diag_set(&r->why, ERR_STATE,
			    "the journal has not been verified up to the invitation's epoch yet; wait "
			    "until `restante status` says so, then accept again");
			break;
		}
	}
	sodium_memzero(&i, sizeof(i));
	return e;
}

int
restante_accept(struct restante *r, const char *name, const char *invitation, restante_done *done,
    void *arg)
{
	uint32_t id;
	enum err e;
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	e = check_anchor(r, invitation);
	if (e == ERR_OK)
		e = post_accept(client_post(r->client), &id, name, invitation,
		    loop_wall_ms(r->loop), &r->why);
	return e == ERR_OK ? handle_commit(r, done, arg) : handle_fail(r, e);
}

/* A change that was made, or not: commit it or say why. */
static int
changed(struct restante *r, enum err e, restante_done *done, void *arg)
{
	return e == ERR_OK ? handle_commit(r, done, arg) : handle_fail(r, e);
}

int
restante_rename(struct restante *r, uint32_t contact, const char *name, restante_done *done,
    void *arg)
{
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	return changed(r, post_rename(client_post(r->client), contact, name, &r->why), done, arg);
}

int
restante_verify(struct restante *r, uint32_t contact, int verified, restante_done *done, void *arg)
{
	int rc = handle_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = post_set_verified(client_post(r->client), contact, verified != 0);
	if (e == ERR_STATE)
		(void)diag_set(&r->why, e, "nobody has answered this invitation yet");
	return changed(r, e, done, arg);
}

int
restante_block(struct restante *r, uint32_t contact, int blocked, restante_done *done, void *arg)
{
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	return changed(r, post_set_blocked(client_post(r->client), contact, blocked != 0), done,
	    arg);
}

int
restante_restart(struct restante *r, uint32_t contact, restante_done *done, void *arg)
{
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	return changed(r, post_restart_contact(client_post(r->client), contact,
	    loop_wall_ms(r->loop), &r->why), done, arg);
}

int
restante_remove(struct restante *r, uint32_t contact, restante_done *done, void *arg)
{
	int rc = handle_started(r);

	if (rc != RESTANTE_OK)
		return rc;
	return changed(r, post_remove(client_post(r->client), contact), done, arg);
}
