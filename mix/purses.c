#include "config.h"

#include "mix/purses.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/secret.h"

#define ALL_BYTES ((size_t)VISITS_COUNT * ENROLMENT_SECRET_BYTES)

struct purses {
	struct purse *at[VISITS_COUNT];
	char names[VISITS_COUNT][PURSE_NAME_BYTES];
};

/* ---- the codes ---- */

/* Where the next code begins behind the first byte of this one; its end if there is none. */
static const char *
behind(const char *code)
{
	const char *next = *code != '\0' ? strstr(code + 1, ENROLMENT_PREFIX) : NULL;

	return next != NULL ? next : code + strlen(code);
}

static enum err
read_code(uint8_t *secrets, size_t i, const char *code, const uint8_t *network_id, struct diag *d)
{
	uint8_t *secret = secrets + i * ENROLMENT_SECRET_BYTES;
	size_t n = (size_t)(behind(code) - code);
	char one[ENROLMENT_TEXT_BYTES * 2];
	enum err e;

	if (n >= sizeof(one))
		n = sizeof(one) - 1; /* no code any more, which the decoder says */
	memcpy(one, code, n);
	one[n] = '\0';
	e = enrolment_decode(secret, one, network_id, d);
	secret_wipe(one, sizeof(one));
	for (size_t k = 0; k < i && e == ERR_OK; k++)
		if (sodium_memcmp(secrets + k * ENROLMENT_SECRET_BYTES, secret,
			ENROLMENT_SECRET_BYTES) == 0)
			e = diag_set(d, ERR_USAGE, "one code is there twice: each session needs one of "
			    "its own");
	return e;
}

static size_t
count_codes(const char *text)
{
	size_t n = 0;

	for (text = strstr(text, ENROLMENT_PREFIX); text != NULL && *text != '\0'; n++)
		text = behind(text);
	return n;
}

static enum err
read_codes(uint8_t *secrets, const char *text, const uint8_t *network_id, struct diag *d)
{
	size_t n = count_codes(text);
	enum err e = ERR_OK;

	if (n > 0 && n != VISITS_COUNT)
		return diag_set(d, ERR_USAGE, "%zu codes instead of %d, one for each session: the "
		    "registrar's operator makes them by restante-registrar enrol --count %d NAME", n,
		    VISITS_COUNT, VISITS_COUNT);
	text += strspn(text, " \t\r\n");
	/* What else is before the first, or a text that has none, is a code that was mistyped. */
	for (size_t i = 0; i < VISITS_COUNT && e == ERR_OK; i++) {
		e = read_code(secrets, i, text, network_id, d);
		text = behind(text);
	}
	return e;
}

enum err
purses_read_codes(uint8_t **secrets, const char *text, const uint8_t network_id[static 32],
    struct diag *d)
{
	uint8_t *all = secret_new(ALL_BYTES);
	enum err e;

	if (all == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	e = read_codes(all, text, network_id, d);
	if (e != ERR_OK) {
		secret_free(all);
		return e;
	}
	*secrets = all;
	return ERR_OK;
}

/* ---- life ---- */

enum err
purses_new(struct purses **out, const struct purse_config *cfg, const uint8_t *codes,
    void (*changed)(void *arg), void *arg, struct diag *d)
{
	struct purses *s = calloc(1, sizeof(*s));
	struct purse_config each = *cfg;
	enum err e = ERR_OK;

	if (s == NULL)
		return diag_set(d, ERR_MEMORY, "out of memory");
	*out = s; /* callbacks ask it for its status from here on */
	each.changed = changed;
	each.arg = arg;
	for (size_t i = 0; i < VISITS_COUNT && e == ERR_OK; i++) {
		(void)snprintf(s->names[i], sizeof(s->names[i]), "-%zu", i + 1);
		each.name = s->names[i];
		each.code = codes != NULL ? codes + i * ENROLMENT_SECRET_BYTES : NULL;
		e = purse_new(&s->at[i], &each, d);
	}
	if (e != ERR_OK) {
		purses_free(s);
		*out = NULL;
	}
	return e;
}

void
purses_free(struct purses *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < VISITS_COUNT; i++)
		purse_free(s->at[i]);
	free(s);
}

void
purses_hold(struct purses *s, bool held)
{
	for (size_t i = 0; i < VISITS_COUNT; i++)
		purse_hold(s->at[i], held);
}

struct purse *
purses_at(struct purses *s, size_t i)
{
	return s->at[i];
}

void
purses_get_status(const struct purses *s, struct purse_status *out)
{
	struct purse_status one;
	bool first = true;

	*out = (struct purse_status){ .enrolled = true };
	for (size_t i = 0; i < VISITS_COUNT; i++) {
		if (s->at[i] == NULL) /* while they are made */
			continue;
		purse_get_status(s->at[i], &one);
		out->needed = one.needed;
		out->enrolled = out->enrolled && one.enrolled;
		out->tickets += one.tickets;
		out->stamps += one.stamps;
		out->allotment += one.allotment;
		out->ahead = first || one.ahead < out->ahead ? one.ahead : out->ahead;
		out->alarms |= one.alarms;
		first = false;
	}
}

/* ---- the journal's part ---- */

enum err
purses_notice(struct purses *s, const uint8_t *notice, size_t n)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < VISITS_COUNT && e == ERR_OK; i++)
		e = purse_notice(s->at[i], notice, n);
	return e;
}

bool
purses_take_evidence(struct purses *s, struct evidence *out)
{
	for (size_t i = 0; i < VISITS_COUNT; i++)
		if (purse_take_evidence(s->at[i], out))
			return true;
	return false;
}

bool
purses_sheet(struct purses *s, const struct sheet *sheet)
{
	bool good = true;

	for (size_t i = 0; i < VISITS_COUNT; i++)
		good &= purse_sheet(s->at[i], sheet);
	return good;
}
