/* librestante: the way to the gateway's entrance, which is the caller's affair. */
#include "config.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client-lib/enrolkey.h"
#include "client-lib/entrykey.h"
#include "client-lib/handle.h"
#include "common/charter/timing.h"
#include "common/net/address.h"

const char *
restante_entrance(const struct restante *r)
{
	if (r->profile.entrance[0] != '\0')
		return r->profile.entrance;
	return succession_gateway(r->charters, loop_wall_ms(r->loop), 0)->entrance;
}

const char *
restante_registrar(const struct restante *r)
{
	uint32_t epoch = timing_epoch(&r->charter->params, loop_wall_ms(r->loop));
	const struct charter_node *n = charter_registrar(succession_near(r->charters, epoch));

	if (n != NULL && r->profile.registrar[0] != '\0')
		return r->profile.registrar;
	return n != NULL ? n->entrance : NULL;
}

/* A call that is for before restante_start. */
static int
not_started(struct restante *r)
{
	r->why.text[0] = '\0';
	if (r->client == NULL)
		return RESTANTE_OK;
	return handle_code(diag_set(&r->why, ERR_STATE,
	    "the client runs; this is possible only before it is started"));
}

int
restante_set_socks(struct restante *r, const char *address)
{
	int rc = not_started(r);
	size_t n = strlen(address);

	if (rc != RESTANTE_OK)
		return rc;
	if (n >= sizeof(r->socks) || address_check(address) != ERR_OK)
		return handle_code(diag_set(&r->why, ERR_USAGE,
		    "a SOCKS port is 127.0.0.1:9050, [::1]:9050 or unix:/path"));
	memcpy(r->socks, address, n + 1);
	return RESTANTE_OK;
}

void
restante_hold(struct restante *r, int held)
{
	r->held = held != 0;
	if (r->client != NULL)
		client_hold(r->client, r->held);
}

/* ---- the client authorization ---- */

/* The service's part of the entrance: its first HSID_CHARS characters. */
static enum err
entrance_service(const char **out, struct restante *r)
{
	const char *entrance = restante_entrance(r);

	if (!hsid_is_address(entrance))
		return diag_set(&r->why, ERR_USAGE, "the entrance of this network is no onion service, "
		    "which no client authorization is for: %s", entrance);
	*out = entrance;
	return ERR_OK;
}

int
restante_authorize(struct restante *r, const char *line, size_t len)
{
	struct clientauth a = { .service = "" };
	const char *service;
	int rc = not_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = clientauth_parse(&a, line, len, &r->why);
	if (e == ERR_OK)
		e = entrance_service(&service, r);
	if (e == ERR_OK && memcmp(a.service, service, HSID_CHARS) != 0) /* public */
		e = diag_set(&r->why, ERR_USAGE, "this client authorization is for another onion "
		    "service than the entrance of this network; ask its operator for the right one");
	if (e == ERR_OK)
		e = entrykey_save(&a, r->disk, r->vault, rng_system(), &r->why);
	sodium_memzero(&a, sizeof(a));
	return handle_fail(r, e);
}

int
restante_make_authorization(struct restante *r, char *public_key)
{
	struct clientauth a = { .service = "" };
	const char *service;
	int rc = not_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = entrance_service(&service, r);
	if (e == ERR_OK) {
		clientauth_make(&a, service, rng_system());
		e = entrykey_save(&a, r->disk, r->vault, rng_system(), &r->why);
	}
	if (e == ERR_OK)
		clientauth_public(public_key, &a);
	sodium_memzero(&a, sizeof(a));
	return handle_fail(r, e);
}

int
restante_authorization(struct restante *r, char *line)
{
	struct clientauth a = { .service = "" };
	int rc = not_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = entrykey_load(&a, r->disk, r->vault, &r->why);
	if (e == ERR_OK)
		clientauth_print(line, &a);
	sodium_memzero(&a, sizeof(a));
	return handle_fail(r, e);
}

/* ---- enrolment ---- */

int
restante_enrol(struct restante *r, const char *code)
{
	uint8_t secret[ENROLMENT_SECRET_BYTES];
	int rc = not_started(r);
	enum err e;

	if (rc != RESTANTE_OK)
		return rc;
	e = enrolment_decode(secret, code, r->charter->network_id, &r->why);
	if (e == ERR_OK)
		e = enrolkey_save(secret, r->disk, r->vault, rng_system(), &r->why);
	sodium_memzero(secret, sizeof(secret));
	return handle_fail(r, e);
}
