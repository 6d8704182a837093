#include "config.h"

#include <string.h>

#include "client-lib/client_parts.h"
#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "common/token/token.h"

static void
on_changed(void *arg)
{
	client_tell(arg);
}

enum err
tokens_open(struct client *c, struct diag *d)
{
	const struct purse_config cfg = { .loop = c->loop,
		.charters = c->all,
		.disk = c->cfg.disk,
		.queue = commit_queue(c->commit),
		.key = vault_wallet_key(c->cfg.vault),
		.code = c->cfg.code,
		.registrar = c->cfg.registrar,
		.gateway = c->cfg.entrance,
		.socks = c->cfg.socks,
		.held = c->cfg.held,
		.rng = c->cfg.rng,
		.keys = c->cfg.keys,
		.changed = on_changed,
		.arg = c };

	enum err e = purse_new(&c->purse, &cfg, d);

	c->cfg.code = NULL; /* borrowed for the call */
	return e;
}

void
tokens_free(struct client *c)
{
	purse_free(c->purse);
	c->purse = NULL;
	secret_wipe(c->ready.stamp, sizeof(c->ready.stamp));
}

unsigned
tokens_alarms(const struct client *c)
{
	static const struct {
		unsigned purse;
		enum client_alarm client;
	} table[] = {
		{ PURSE_ALARM_ENROL | PURSE_ALARM_CODE, CLIENT_ALARM_ENROL },
		{ PURSE_ALARM_AWAY | PURSE_ALARM_SHARED, CLIENT_ALARM_REGISTRAR },
		{ PURSE_ALARM_KEYS, CLIENT_ALARM_ISSUER },
		{ PURSE_ALARM_REFUSED | PURSE_ALARM_TICKETS, CLIENT_ALARM_TICKETS },
		{ PURSE_ALARM_STAMPS, CLIENT_ALARM_STAMPS },
		{ PURSE_ALARM_DISK, CLIENT_ALARM_DISK },
	};
	struct purse_status s;
	unsigned all = 0;

	if (c->purse == NULL)
		return 0;
	purse_get_status(c->purse, &s);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((s.alarms & table[i].purse) != 0)
			all |= (unsigned)table[i].client;
	return all;
}

/* ---- the ready record's stamp ---- */

bool
tokens_for_record(struct client *c)
{
	return purse_has_stamp(c->purse, timing_epoch(c->params, loop_wall_ms(c->loop)));
}

void
tokens_next(struct client *c)
{
	c->ready.stamped = false;
	c->ready.out.stamp = NULL;
	if (c->ready.stamping)
		purse_cancel(c->purse, &c->ready);
	c->ready.stamping = false;
}

/* It is durable now that the stamp is spent. */
static void
on_stamp(void *arg, enum err e, const struct wallet_token *t)
{
	struct ready *r = arg;

	r->stamping = false;
	if (e != ERR_OK)
		return; /* the purse has it again, for the next slot */
	memcpy(r->stamp, t->nonce, TOKEN_NONCE_BYTES);
	token_stamp_proof(r->stamp + TOKEN_NONCE_BYTES, t->output, r->record, r->record_size);
	r->out.stamp = r->stamp;
	r->stamped = true;
}

bool
tokens_stamped(struct client *c, uint32_t epoch)
{
	struct ready *r = &c->ready;

	if (!purse_needed(c->purse, epoch)) {
		r->out.stamp = NULL;
		return true;
	}
	if (r->stamped && r->stamp_epoch == epoch)
		return true;
	if (r->stamping || !purse_has_stamp(c->purse, epoch))
		return false;
	r->stamped = false; /* of an epoch that is over */
	r->stamp_epoch = epoch;
	r->stamping = purse_stamp(c->purse, epoch, on_stamp, r) == ERR_OK;
	return false;
}
