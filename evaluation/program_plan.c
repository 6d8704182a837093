#include "config.h"

#include "evaluation/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "evaluation/plan.h"

/*
 * The defaults of the network's parameters are those of the charter (common/charter/params.c):
 * an option that is not given stays empty.
 */
struct plan_options {
	char people[PARAMS_VALUE_BYTES], slot[PARAMS_VALUE_BYTES], round[PARAMS_VALUE_BYTES],
	    layers[PARAMS_VALUE_BYTES], strategy[PARAMS_VALUE_BYTES], note[PARAMS_VALUE_BYTES],
	    record[PARAMS_VALUE_BYTES], epoch[PARAMS_VALUE_BYTES], grace[PARAMS_VALUE_BYTES],
	    retention[PARAMS_VALUE_BYTES], scale[PARAMS_VALUE_BYTES];
	int64_t messages_milli, to_one_milli, crowd, pieces, online_milli, contacts, unwrap_milli, seal_milli;
	int64_t delay_ms, anonymity, bytes;
	bool json;
};

#define FIELD(member) CONFIG_FIELD(struct plan_options, member)
#define PARAMETER(option, text, member)                                                            \
	{ .name = (option), .type = CONFIG_STRING, .fallback = "", .unit = "VALUE", .help = (text), \
	    FIELD(member) }

static const struct config_key keys[] = {
	PARAMETER("people", "people; this and the next ten as in restante-charter(5), the charter's "
	    "default if not given", people),
	PARAMETER("slot", "period at which every client sends one packet", slot),
	PARAMETER("round", "period of the mixes' flushes and of the journal's blocks", round),
	PARAMETER("layers", "mixes on every path", layers),
	PARAMETER("strategy", "how the mixes of every layer batch packets", strategy),
	PARAMETER("note-one-in", "one slot in so many carries a note", note),
	PARAMETER("record-size", "bytes of a record", record),
	PARAMETER("epoch", "life of the nodes' packet keys", epoch),
	PARAMETER("grace", "how long after an epoch its packets are taken", grace),
	PARAMETER("retention", "how long the gateway keeps records", retention),
	PARAMETER("time-scale", "divides the protocol's fixed times", scale),
	{ .name = "messages", .type = CONFIG_DECIMAL, .min = 0, .max = 1000000000, .fallback = "50",
	    .unit = "N", .letter = 'm', .help = "messages that each person writes in a day",
	    FIELD(messages_milli) },
	{ .name = "to-contact", .type = CONFIG_DECIMAL, .min = 0, .max = 1000000000, .fallback = "0",
	    .unit = "N", .help = "of them to one contact, which are shown in order; 0: all that are "
	    "written, by the contacts", FIELD(to_one_milli) },
	{ .name = "crowd", .type = CONFIG_INTEGER, .min = 0, .max = 50000, .fallback = "0",
	    .unit = "PEOPLE", .help = "people who share a mailbox, at least; 0: as many as the "
	    "charter's rules allow", FIELD(crowd) },
	{ .name = "pieces", .type = CONFIG_INTEGER, .min = 0, .max = PARAMS_PIECES_MAX,
	    .fallback = "0", .unit = "N",
	    .help = "pieces of 4224 journal bytes in a frame; 0: the least that are allowed and enough",
	    FIELD(pieces) },
	{ .name = "online", .type = CONFIG_DECIMAL, .min = 1, .max = 100000, .fallback = "100",
	    .unit = "PERCENT", .help = "how much of the time somebody is online", FIELD(online_milli) },
	{ .name = "contacts", .type = CONFIG_INTEGER, .min = 1, .max = 10000, .fallback = "10",
	    .unit = "N", .help = "contacts of a person", FIELD(contacts) },
	{ .name = "unwrap-us", .type = CONFIG_DECIMAL, .min = 1, .max = 1000000, .fallback = "40",
	    .unit = "N", .help = "microseconds in which a processor unwraps a packet; make bench "
	    "measures it", FIELD(unwrap_milli) },
	{ .name = "seal-us", .type = CONFIG_DECIMAL, .min = 1, .max = 1000000, .fallback = "0.75",
	    .unit = "N", .help = "microseconds in which it seals or opens a KiB of a link",
	    FIELD(seal_milli) },
	{ .name = "delay-p95", .type = CONFIG_DURATION, .min = 0, .max = 86400000, .fallback = "0s",
	    .help = "target: 95 of 100 messages come within this; 0s: none", FIELD(delay_ms) },
	{ .name = "anonymity", .type = CONFIG_INTEGER, .min = 0, .max = 50000, .fallback = "0",
	    .unit = "PEOPLE", .help = "target: a message is always one of so many people's; 0: none",
	    FIELD(anonymity) },
	{ .name = "bytes-per-day", .type = CONFIG_SIZE, .min = 0, .max = INT64_C(1) << 50,
	    .fallback = "0", .help = "target: a client sends and gets at most this; 0: none",
	    FIELD(bytes) },
	{ .name = "json", .type = CONFIG_BOOL, .fallback = "no",
	    .help = "print one JSON object instead of text", FIELD(json) },
};
const struct config_schema program_plan_schema = { keys, sizeof(keys) / sizeof(keys[0]),
	sizeof(struct plan_options) };

/* ---- the question ---- */

static enum err
set(struct params *p, const char *key, const char *value, struct diag *d)
{
	enum err e = value[0] != '\0' ? params_set(p, key, value, d) : ERR_OK;

	return e == ERR_OK ? ERR_OK : ERR_USAGE;
}

static enum err
set_strategy(struct params *p, const char *value, struct diag *d)
{
	char key[PARAMS_KEY_BYTES];
	enum err e = ERR_OK;

	for (unsigned l = 0; l < p->layers && e == ERR_OK; l++) {
		(void)snprintf(key, sizeof(key), "strategy.%u", l);
		e = set(p, key, value, d);
	}
	return e;
}

static enum err
set_all(struct params *p, const struct plan_options *o, struct diag *d)
{
	const struct {
		const char *key, *value;
	} given[] = { { "people", o->people }, { "slot", o->slot }, { "round", o->round },
		{ "layers", o->layers }, { "note-one-in", o->note }, { "record-size", o->record },
		{ "epoch", o->epoch }, { "grace", o->grace }, { "retention", o->retention },
		{ "time-scale", o->scale } };
	enum err e = ERR_OK;

	params_default(p);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]) && e == ERR_OK; i++)
		e = set(p, given[i].key, given[i].value, d);
	return e == ERR_OK ? set_strategy(p, o->strategy, d) : e;
}

static enum err
question_of(struct plan_question *q, const struct plan_options *o, struct diag *d)
{
	struct params *p = &q->params;
	enum err e = set_all(p, o, d);

	if (e != ERR_OK)
		return e;
	if (o->crowd > p->people)
		return diag_set(d, ERR_USAGE, "--crowd is more than the %" PRIu32 " people", p->people);
	p->mailboxes = o->crowd > 0 ? p->people / (uint32_t)o->crowd : plan_least_mailboxes(p);
	q->messages_per_day = (double)o->messages_milli / 1000;
	plan_fit(p, q->messages_per_day);
	if (o->pieces > 0)
		p->pieces = (uint32_t)o->pieces;
	q->online = (double)o->online_milli / 100000;
	q->contacts = (unsigned)o->contacts;
	q->to_one_per_day = o->to_one_milli > 0 ? (double)o->to_one_milli / 1000 :
	    q->messages_per_day / q->contacts;
	q->unwrap_us = (double)o->unwrap_milli / 1000;
	q->seal_us_per_kib = (double)o->seal_milli / 1000;
	return ERR_OK;
}

/* ---- the answer ---- */

static bool
target_of(struct plan_target *t, const struct plan_options *o)
{
	*t = (struct plan_target){ .delay_p95_ms = (double)o->delay_ms,
		.people = (double)o->anonymity, .client_bytes = (double)o->bytes };
	return o->delay_ms > 0 || o->anonymity > 0 || o->bytes > 0;
}

static enum err
answer(const struct call *c, const struct plan *p, const struct plan_advice *a)
{
	const struct plan_options *o = c->own;

	if (o->json)
		return plan_print_json(c->out, p, a);
	plan_print_text(c->out, p);
	if (a != NULL)
		plan_print_advice(c->out, p, a);
	return ERR_OK;
}

int
program_plan(const struct call *c)
{
	const struct plan_options *o = c->own;
	char why[PLAN_SENTENCES_BYTES];
	struct plan_question q;
	struct plan_target t;
	struct plan p, better;
	struct plan_advice a = { .target = &t, .why = why };
	struct diag d = { "" };
	bool wanted = target_of(&t, o);
	enum err e = question_of(&q, o, &d);

	if (e == ERR_OK)
		e = plan_of(&p, &q, &d);
	if (e == ERR_OK && wanted) {
		a.met = plan_meets(&p, &t);
		if (!a.met && plan_search(&better, why, &q, &t))
			a.better = &better;
	}
	if (e == ERR_OK)
		e = answer(c, &p, wanted ? &a : NULL);
	if (e != ERR_OK)
		return options_fail(c, e == ERR_RANGE ? ERR_MALFORMED : e, &d);
	return wanted && !a.met && a.better == NULL ? PROGRAM_EMPTY : OPTIONS_EXIT_OK;
}
