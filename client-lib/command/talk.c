#include "config.h"

#include "client-lib/command/talk.h"

#include <string.h>

#include "client-lib/command/place.h"

bool
talk_json(const struct call *c)
{
	const struct place *p = c->options;

	return p->json;
}

enum err
talk_open(struct remote *r, const struct call *c, struct diag *d)
{
	char directory[PLACE_PATH_MAX], socket[PLACE_PATH_MAX];
	enum err e = place_directory(directory, c->options, d);

	if (e == ERR_OK)
		e = place_socket(socket, directory, d);
	return e == ERR_OK ? remote_open(r, socket, d) : e;
}

enum err
talk_code(int code)
{
	switch (code) {
	case RESTANTE_OK:
		return ERR_OK;
	case RESTANTE_E_MEMORY:
		return ERR_MEMORY;
	case RESTANTE_E_IO:
		return ERR_IO;
	case RESTANTE_E_FULL:
		return ERR_FULL;
	case RESTANTE_E_BUSY:
		return ERR_BUSY;
	case RESTANTE_E_NOT_FOUND:
		return ERR_NOT_FOUND;
	case RESTANTE_E_EXISTS:
		return ERR_EXISTS;
	case RESTANTE_E_INVALID:
		return ERR_MALFORMED;
	case RESTANTE_E_VERSION:
		return ERR_VERSION;
	case RESTANTE_E_PASSPHRASE:
		return ERR_PASSPHRASE;
	case RESTANTE_E_REFUSED:
		return ERR_SIGNATURE;
	default:
		return ERR_STATE;
	}
}

enum err
talk_ask(struct remote *r, const struct wire *q, talk_each *each, void *arg, struct diag *d)
{
	struct wire a;
	enum err e = remote_ask(r, q, d);

	while (e == ERR_OK) {
		e = remote_answer(r, &a, d);
		if (e != ERR_OK)
			break;
		if (a.type == WIRE_DONE)
			return diag_set(d, talk_code(a.code), "%s", a.text);
		if (each != NULL)
			each(arg, &a);
	}
	return e;
}

int
talk_once(const struct call *c, const struct wire *q, talk_each *each, void *arg)
{
	struct diag d = { "" };
	struct remote r;
	enum err e = talk_open(&r, c, &d);

	if (e != ERR_OK)
		return options_fail(c, e, &d);
	e = talk_ask(&r, q, each, arg, &d);
	remote_close(&r);
	return e == ERR_OK ? OPTIONS_EXIT_OK : options_fail(c, e, &d);
}

enum err
talk_name(struct wire *q, const char *name, struct diag *d)
{
	size_t n = strlen(name);

	if (n >= sizeof(q->name))
		return diag_set(d, ERR_RANGE, "a contact's name has at most %zu bytes",
		    sizeof(q->name) - 1);
	memcpy(q->name, name, n + 1);
	return ERR_OK;
}
