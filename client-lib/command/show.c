#include "config.h"

#include "client-lib/command/show.h"

#include <inttypes.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/civil.h"
#include "common/base/json.h"

#define JSON_MAX ((size_t)4 << 20)

/* ---- small things ---- */

void
show_duration(char out[static 32], uint64_t seconds)
{
	if (seconds < 120)
		(void)snprintf(out, 32, "%" PRIu64 " seconds", seconds);
	else if (seconds < 2 * 3600)
		(void)snprintf(out, 32, "%" PRIu64 " minutes", (seconds + 30) / 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(out, 32, "%" PRIu64 " hours", (seconds + 1800) / 3600);
	else
		(void)snprintf(out, 32, "%" PRIu64 " days", (seconds + 43200) / 86400);
}

const char *
show_message_state(enum restante_message_state s)
{
	switch (s) {
	case RESTANTE_QUEUED:
		return "queued";
	case RESTANTE_SENT:
		return "sent";
	case RESTANTE_STORED:
		return "stored";
	case RESTANTE_DELIVERED:
		return "delivered";
	case RESTANTE_FAILED:
		return "failed";
	}
	return "unknown";
}

static const char *
contact_state(enum restante_contact_state s)
{
	switch (s) {
	case RESTANTE_CONTACT_INVITED:
		return "invited";
	case RESTANTE_CONTACT_ANSWERING:
		return "answering";
	case RESTANTE_CONTACT_ESTABLISHED:
		return "established";
	}
	return "unknown";
}

/*
 * The length of what must not reach the terminal at p: control characters (C0,
 * DEL, C1), and those that turn the direction of writing (U+202A to U+202E,
 * U+2066 to U+2069), by which a name could be made to look like another.
 */
static size_t
harm_at(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
		return 2;
	if (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae)
		return 3;
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)
		return 3;
	return 0;
}

static void
put_harmless(FILE *out, const char *s, const char *newline)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p != '\0') {
		size_t harm = harm_at(p);
		if (*p == '\n')
			(void)fputs(newline, out);
		else if (harm == 0 || *p == '\t')
			(void)fputc(*p, out);
		else
			for (size_t i = 0; i < harm; i++)
				(void)fprintf(out, "\\x%02x", p[i]);
		p += harm > 0 ? harm : 1;
	}
}

/* Begin and end one line of JSON. */
static void
json_start(struct json *j, struct buf *b)
{
	buf_init(b);
	json_init(j, b, JSON_MAX);
	json_object(j);
}

static void
json_finish(FILE *out, struct json *j, struct buf *b)
{
	json_close(j);
	json_newline(j);
	if (json_end(j) == ERR_OK)
		(void)fwrite(b->data, 1, b->len, out);
	buf_release(b);
	(void)fflush(out);
}

static void
field_string(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_string(j, s);
}

static void
field_number(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

static void
field_bool(struct json *j, const char *key, int v)
{
	json_key(j, key);
	json_bool(j, v != 0);
}

/* ---- status ---- */

static const struct {
	unsigned bit;
	const char *name, *text;
} alarms[] = {
	{ RESTANTE_ALARM_STALL, "stall", "no block of the journal has come for two minutes" },
	{ RESTANTE_ALARM_CLOCK, "clock",
	    "this computer's clock is wrong; nothing real is sent until it is set" },
	{ RESTANTE_ALARM_CHAIN, "chain", "the journal does not verify: tell the operator" },
	{ RESTANTE_ALARM_DISK, "disk", "the state cannot be saved: make room on the disk" },
	{ RESTANTE_ALARM_SHEET, "sheet", "no verified keys for this epoch yet" },
	{ RESTANTE_ALARM_FORK, "fork",
	    "the gateway lied: it signed two journals, or two lists of keys, for one time. Export "
	    "the evidence (`restante evidence export`) and give it to the authorities and to others" },
	{ RESTANTE_ALARM_CHARTER, "charter", "the charter's date has passed: get the new one" },
	{ RESTANTE_ALARM_SUCCESSION, "succession",
	    "the gateway showed a charter that the authorities did not make: tell them" },
	{ RESTANTE_ALARM_DENIED, "denied",
	    "the gateway does not admit us: the client authorization key is missing, wrong, or "
	    "was removed" },
	{ RESTANTE_ALARM_ENTRY, "entry",
	    "the gateway could not be reached three times in a row: tor or the gateway is down" },
	{ RESTANTE_ALARM_NOTES, "notes",
	    "test packets of ours do not come back: a mix is down, or somebody holds packets back "
	    "to find out who writes; what you write waits here and leaves when they come back" },
	{ RESTANTE_ALARM_ENROL, "enrol",
	    "this network asks for tickets, and there is no enrolment code that the registrar knows: "
	    "ask its operator for one and enter it with `restante enrol`" },
	{ RESTANTE_ALARM_REGISTRAR, "registrar",
	    "the registrar cannot be reached, or gave what is ours to somebody else with the same "
	    "enrolment code: tell its operator" },
	{ RESTANTE_ALARM_ISSUER, "issuer",
	    "tickets were to be made with keys that are not in the journal, by which members could be "
	    "told apart; they were refused. Tell the authorities and others (it cannot be proven)" },
	{ RESTANTE_ALARM_TICKETS, "tickets",
	    "no ticket is left for this hour, or the gateway refused one: the next session begins when "
	    "there is one again" },
	{ RESTANTE_ALARM_STAMPS, "stamps",
	    "no stamp is left in this epoch: what you write waits here and leaves in the next" },
};
#define ALARM_COUNT (sizeof(alarms) / sizeof(alarms[0]))

static void
tor_json(struct json *j, const struct tor_status *t)
{
	json_key(j, "tor");
	if (t == NULL) {
		json_null(j);
		return;
	}
	json_object(j);
	field_bool(j, "own", t->own);
	field_string(j, "state", tor_state_text(t->state));
	field_number(j, "progress", t->bootstrap.progress);
	field_string(j, "phase", t->bootstrap.tag);
	field_string(j, "authorization", tor_key_text(t->key));
	field_string(j, "version", t->version);
	field_number(j, "starts", t->starts);
	field_string(j, "problem", t->why.text);
	json_close(j);
}

/* The day of a time in seconds: "2026-11-24". */
static void
day_text(char out[static 16], int64_t seconds)
{
	struct civil c = civil_date(seconds / 86400);

	(void)snprintf(out, 16, "%04u-%02u-%02u", (unsigned)c.year % 10000, c.month % 100, c.day % 100);
}

static const char *
restarted_name(enum restante_restarted r)
{
	static const char *const names[] = { "never", "backup", "old copy" };

	return names[r];
}

/* Why everything begins anew, and what it cost. */
static void
show_restarted(FILE *out, const struct restante_status *s)
{
	char day[16];

	if (s->restarted == RESTANTE_RESTARTED_NEVER)
		return;
	day_text(day, s->restarted_at);
	(void)fprintf(out, "restarted   on %s: %s; contacts follow by themselves "
	    "(`restante contacts`)\n", day, s->restarted == RESTANTE_RESTARTED_BACKUP
	    ? "a backup was restored" : "this directory was an old copy of itself");
	if (s->void_invitations > 0)
		(void)fprintf(out, "            %u open invitations are void since; invite again\n",
		    s->void_invitations);
}

static void
show_tor(FILE *out, const struct tor_status *t)
{
	(void)fprintf(out, "tor         %s", tor_state_text(t->state));
	if (t->state == TOR_CLIMBING)
		(void)fprintf(out, ", %u %%", t->bootstrap.progress);
	(void)fprintf(out, "%s\n", t->key == TOR_KEY_NONE ? ", no client authorization" : "");
	if (t->why.text[0] != '\0') {
		(void)fputs("            ", out);
		put_harmless(out, t->why.text, " ");
		(void)fputc('\n', out);
	}
}

static void
status_json(FILE *out, const struct restante_status *s, const struct tor_status *t)
{
	struct json j;
	struct buf b;

	json_start(&j, &b);
	field_string(&j, "network", s->network);
	field_bool(&j, "online", s->online);
	field_bool(&j, "verified", s->verified);
	field_bool(&j, "caught_up", s->caught_up);
	field_number(&j, "days_to_fetch", s->gaps);
	field_number(&j, "epoch", s->epoch);
	field_number(&j, "people", s->people);
	field_number(&j, "queued", s->queued);
	field_number(&j, "unacknowledged", s->unacknowledged);
	field_number(&j, "forecast_seconds", (uint64_t)s->forecast_ms / 1000);
	field_number(&j, "half_stored_ms", (uint64_t)s->half_ms);
	field_number(&j, "most_stored_ms", (uint64_t)s->most_ms);
	field_number(&j, "people_effective", s->people_effective);
	field_number(&j, "people_least", s->people_least);
	field_number(&j, "slots", s->slots);
	field_number(&j, "slots_skipped", s->skipped);
	field_number(&j, "time_scale", s->time_scale);
	field_number(&j, "charter", s->charter);
	field_number(&j, "coming_charter", s->coming_charter);
	field_number(&j, "coming_charter_epoch", s->coming_epoch);
	field_bool(&j, "tokens_needed", s->tokens_needed);
	field_bool(&j, "enrolled", s->enrolled);
	field_number(&j, "tickets", s->tickets);
	field_number(&j, "stamps", s->stamps);
	field_number(&j, "stamps_allotment", s->stamps_allotment);
	field_number(&j, "tokens_ahead_epochs", s->tokens_ahead);
	field_string(&j, "restarted", restarted_name(s->restarted));
	field_number(&j, "restarted_at", (uint64_t)s->restarted_at);
	field_number(&j, "void_invitations", s->void_invitations);
	json_key(&j, "alarms");
	json_array(&j);
	for (size_t i = 0; i < ALARM_COUNT; i++)
		if ((s->alarms & alarms[i].bit) != 0)
			json_string(&j, alarms[i].name);
	json_close(&j);
	tor_json(&j, t);
	json_finish(out, &j, &b);
}

/* The whole seconds that a time takes at most. */
static uint64_t
seconds_of(int64_t ms)
{
	return ((uint64_t)ms + 999) / 1000;
}

static void
show_outlook(FILE *out, const struct restante_status *s, const char *forecast)
{
	char half[32], most[32];

	show_duration(half, seconds_of(s->half_ms));
	show_duration(most, seconds_of(s->most_ms));
	if (s->half_ms > 0)
		(void)fprintf(out, "forecast    half of the messages are stored within %s, 95 of 100 within "
		    "%s, nearly all within %s\n", half, most, forecast);
	else
		(void)fprintf(out, "forecast    a message is stored within about %s\n", forecast);
	if (s->people_effective > 0)
		(void)fprintf(out, "anonymity   who sent a packet is one of %u people, while they are "
		    "online; whoever watches, of at least %u\n", s->people_effective, s->people_least);
	else
		(void)fputs("anonymity   not known by a formula for these mixes; the operator can "
			    "have it measured\n", out);
}

static const char *
session_text(const struct restante_status *s)
{
	if (!s->online)
		return "not connected";
	return s->verified ? "connected, the journal is verified"
			   : "connected, the journal is being verified (only cover is sent)";
}

void
show_status(FILE *out, const struct restante_status *s, const struct tor_status *tor, bool json)
{
	char forecast[32];

	if (json) {
		status_json(out, s, tor);
		return;
	}
	show_duration(forecast, (uint64_t)s->forecast_ms / 1000);
	(void)fprintf(out, "network     %s\n", s->network);
	if (s->time_scale > 1)
		(void)fprintf(out,
		    "            TEST NETWORK: all waits are divided by %u; do not use it in earnest\n",
		    s->time_scale);
	(void)fprintf(out, "charter     version %u", s->charter);
	if (s->coming_charter > 0)
		(void)fprintf(out, ", version %u from epoch %u (now %u)", s->coming_charter,
		    s->coming_epoch, s->epoch);
	(void)fputc('\n', out);
	if (tor != NULL)
		show_tor(out, tor);
	(void)fprintf(out, "session     %s\n", session_text(s));
	if (s->gaps > 0)
		(void)fprintf(out, "fetching    %u day%s of the journal still to come\n", s->gaps,
		    s->gaps == 1 ? "" : "s");
	show_restarted(out, s);
	(void)fprintf(out, "crowd       %u people share your mailbox\n", s->people);
	(void)fprintf(out, "messages    %u waiting, %u on their way\n", s->queued,
	    s->unacknowledged);
	show_outlook(out, s, forecast);
	if (s->tokens_needed && s->enrolled)
		(void)fprintf(out, "left        %u ticket%s for this hour; %u of %u stamps until the epoch "
		    "ends; %u epoch%s ahead\n", s->tickets, s->tickets == 1 ? "" : "s", s->stamps,
		    s->stamps_allotment, s->tokens_ahead, s->tokens_ahead == 1 ? "" : "s");
	for (size_t i = 0; i < ALARM_COUNT; i++)
		if ((s->alarms & alarms[i].bit) != 0)
			(void)fprintf(out, "ALARM       %s\n", alarms[i].text);
}

/* ---- contacts ---- */

static void
show_renewal(FILE *out, const struct restante_contact *c)
{
	if (c->state == RESTANTE_CONTACT_INVITED)
		return;
	if (c->renews)
		(void)fprintf(out, "    secrets renewed  sending %u, receiving %u times\n",
		    c->renewed_sending, c->renewed_receiving);
	else
		(void)fprintf(out, "    secrets NOT RENEWED: an older version made this contact; "
				   "remove it on both sides and invite anew\n");
}

/* What a person has to know of restarts, ours and the contact's. */
static void
show_restart(FILE *out, const struct restante_contact *c)
{
	char day[16];

	if (c->stranded)
		(void)fputs("    CANNOT FOLLOW the restart: an older version made this contact, or "
			    "it has long not been heard; remove it on both sides and invite anew\n", out);
	else if (c->contested)
		(void)fputs("    STOPPED: another device goes on with this contact in your name (a "
			    "restored backup, or a copy); if it is not yours, somebody has stolen it. "
			    "`restante contacts restart` goes on here\n", out);
	else if (c->restarting)
		(void)fputs("    restarting: messages wait until this contact has followed\n", out);
	if (c->lost_texts + c->lost_files > 0)
		(void)fprintf(out, "    lost in a restart  %" PRIu64 " messages and %" PRIu64
		    " files that had come before; ask for them again\n", c->lost_texts, c->lost_files);
	if (c->peer_restart != 0) {
		day_text(day, c->peer_restart);
		(void)fprintf(out, "    this contact's device was %s on %s\n", c->peer_restored
		    ? "restored from a backup" : "restarted from an old copy", day);
	}
}

void
show_contact(FILE *out, const struct restante_contact *c, bool json)
{
	struct json j;
	struct buf b;

	if (!json) {
		put_harmless(out, c->name, " ");
		(void)fprintf(out, "  #%u  %s%s%s\n", c->id, contact_state(c->state),
		    c->state == RESTANTE_CONTACT_INVITED ? ""
			: c->verified			 ? ", verified"
							 : ", UNVERIFIED",
		    c->blocked ? ", blocked" : "");
		if (c->safety_number[0] != '\0')
			(void)fprintf(out, "    safety number  %s\n", c->safety_number);
		show_renewal(out, c);
		show_restart(out, c);
		return;
	}
	json_start(&j, &b);
	field_number(&j, "id", c->id);
	field_string(&j, "name", c->name);
	field_string(&j, "state", contact_state(c->state));
	field_bool(&j, "verified", c->verified);
	field_bool(&j, "blocked", c->blocked);
	field_string(&j, "safety_number", c->safety_number);
	field_number(&j, "queued", c->queued);
	field_number(&j, "unacknowledged", c->unacknowledged);
	field_bool(&j, "renews", c->renews);
	field_number(&j, "renewed_sending", c->renewed_sending);
	field_number(&j, "renewed_receiving", c->renewed_receiving);
	field_bool(&j, "restarting", c->restarting);
	field_bool(&j, "contested", c->contested);
	field_bool(&j, "stranded", c->stranded);
	field_number(&j, "lost_messages", c->lost_texts);
	field_number(&j, "lost_files", c->lost_files);
	field_bool(&j, "peer_restored", c->peer_restored);
	field_number(&j, "peer_restart", (uint64_t)c->peer_restart);
	json_finish(out, &j, &b);
}

/* ---- messages ---- */

static void
message_json(FILE *out, const struct restante_message *m, const char *name, const char *text)
{
	struct json j;
	struct buf b;

	json_start(&j, &b);
	field_number(&j, "id", m->id);
	field_string(&j, "contact", name);
	field_string(&j, "direction", m->incoming ? "in" : "out");
	field_string(&j, "kind", m->is_file ? "file" : "text");
	json_key(&j, "time");
	json_i64(&j, m->time);
	field_number(&j, "bytes", m->size);
	field_number(&j, "records_done", m->done);
	field_number(&j, "records", m->of);
	if (!m->incoming) {
		field_string(&j, "state", show_message_state(m->state));
		field_bool(&j, "late", m->late);
	} else {
		field_bool(&j, "complete", m->done == m->of);
	}
	field_string(&j, m->is_file ? "name" : "text", m->is_file ? m->name : text);
	json_finish(out, &j, &b);
}

static void
message_state_text(FILE *out, const struct restante_message *m)
{
	if (m->is_file && m->done < m->of)
		(void)fprintf(out, "%u of %u parts%s", m->done, m->of, m->incoming ? "" : ", ");
	if (!m->incoming)
		(void)fprintf(out, "%s%s", show_message_state(m->state), m->late ? ", LATE" : "");
}

void
show_message(FILE *out, const struct restante_message *m, const char *name, const char *text,
    bool json)
{
	char when[CIVIL_TEXT_BYTES];

	if (json) {
		message_json(out, m, name, text);
		return;
	}
	civil_text(when, m->time * 1000);
	(void)fprintf(out, "%" PRIu64 "  %s  %s ", m->id, when, m->incoming ? "from" : "to");
	put_harmless(out, name[0] != '\0' ? name : "(removed contact)", " ");
	(void)fputs("  ", out);
	message_state_text(out, m);
	(void)fputs("\n    ", out);
	if (m->is_file) {
		(void)fprintf(out, "file, %" PRIu64 " bytes: ", m->size);
		put_harmless(out, m->name, " ");
	} else {
		put_harmless(out, text, "\n    ");
	}
	(void)fputc('\n', out);
	(void)fflush(out);
}

void
show_queued(FILE *out, const struct wire *m, bool json)
{
	char takes[32], half[32], most[32];
	struct json j;
	struct buf b;

	if (!json) {
		(void)fprintf(out, "message %" PRIu64 " is queued", m->number);
		show_duration(takes, m->seconds);
		if (m->seconds > 0)
			(void)fprintf(out,
			    "; it will take about %s and adds %" PRIu64
			    " KiB to what everybody in the mailbox receives",
			    takes, m->bytes / 1024);
		show_duration(half, seconds_of((int64_t)m->half_ms));
		show_duration(most, seconds_of((int64_t)m->most_ms));
		if (m->half_ms > 0)
			(void)fprintf(out, "; half of such messages are stored within %s, 95 of 100 "
			    "within %s", half, most);
		(void)fputc('\n', out);
		(void)fflush(out);
		return;
	}
	json_start(&j, &b);
	field_number(&j, "id", m->number);
	if (m->seconds > 0) {
		field_number(&j, "seconds", m->seconds);
		field_number(&j, "journal_bytes", m->bytes);
	}
	if (m->half_ms > 0) {
		field_number(&j, "half_stored_ms", m->half_ms);
		field_number(&j, "most_stored_ms", m->most_ms);
	}
	json_finish(out, &j, &b);
}

/* ---- the rest ---- */

void
show_evidence(FILE *out, uint64_t number, const struct restante_evidence *e, bool json)
{
	struct json j;
	struct buf b;

	if (!json) {
		(void)fprintf(out, "%" PRIu64 "  ", number);
		put_harmless(out, e->sentence, " ");
		(void)fputc('\n', out);
		return;
	}
	json_start(&j, &b);
	field_number(&j, "number", number);
	field_string(&j, "proves", e->kind);
	field_number(&j, strcmp(e->kind, "blocks") == 0 ? "round" : "epoch", e->number);
	field_string(&j, "sentence", e->sentence);
	field_string(&j, "text", e->text);
	json_finish(out, &j, &b);
}

void
show_directory(FILE *out, const char *directory, bool json)
{
	struct json j;
	struct buf b;

	if (!json) {
		(void)fprintf(out, "%s is ready; start `restante agent` next\n", directory);
		return;
	}
	json_start(&j, &b);
	field_string(&j, "directory", directory);
	json_finish(out, &j, &b);
}

void
show_backup(FILE *out, const char *path, bool json)
{
	struct json j;
	struct buf b;

	if (!json) {
		(void)fprintf(out, "%s is written; keep its passphrase apart from it\n", path);
		return;
	}
	json_start(&j, &b);
	field_string(&j, "backup", path);
	json_finish(out, &j, &b);
}

void
show_restored(FILE *out, const char *directory, const struct restante_restored *r, bool json)
{
	struct json j;
	struct buf b;

	if (json) {
		json_start(&j, &b);
		field_string(&j, "directory", directory);
		field_number(&j, "void_invitations", r->invitations);
		field_number(&j, "stranded", r->stranded);
		json_finish(out, &j, &b);
		return;
	}
	(void)fprintf(out, "%s is restored; start `restante agent` next. Your contacts follow by "
	    "themselves\n", directory);
	if (r->invitations > 0)
		(void)fprintf(out, "%u open invitations are void; invite again\n", r->invitations);
	if (r->stranded > 0)
		(void)fprintf(out, "%u contacts are of an older version and cannot follow "
		    "(`restante contacts` says which); invite them again\n", r->stranded);
}

void
show_authorization(FILE *out, const char *public_key, bool json)
{
	struct json j;
	struct buf b;

	if (!json && public_key == NULL) {
		(void)fputs("the client authorization is kept; the agent gives it to its tor\n", out);
		return;
	}
	if (!json) {
		(void)fprintf(out, "%s\n", public_key);
		return;
	}
	json_start(&j, &b);
	field_bool(&j, "authorized", 1);
	if (public_key != NULL)
		field_string(&j, "public_key", public_key);
	json_finish(out, &j, &b);
}

/* Two modules to a character: upper and lower half block, light on dark and dark on light alike. */
static void
put_qr(FILE *out, const QRcode *q)
{
	static const char *const cell[] = { "\xe2\x96\x88", "\xe2\x96\x84", "\xe2\x96\x80", " " };
	const int quiet = 2;

	for (int y = -quiet; y < q->width + quiet; y += 2) {
		for (int x = -quiet; x < q->width + quiet; x++) {
			unsigned black = 0;
			for (int k = 0; k < 2; k++)
				if (x >= 0 && x < q->width && y + k >= 0 && y + k < q->width &&
				    (q->data[(y + k) * q->width + x] & 1) != 0)
					black |= k == 0 ? 1u : 2u;
			(void)fputs(cell[black], out);
		}
		(void)fputc('\n', out);
	}
}

void
show_invitation(FILE *out, const char *text, bool qr, bool json)
{
	struct json j;
	struct buf b;
	QRcode *q;

	if (json) {
		json_start(&j, &b);
		field_string(&j, "invitation", text);
		json_finish(out, &j, &b);
		return;
	}
	(void)fprintf(out, "%s\n", text);
	if (!qr)
		return;
	q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (q == NULL) {
		(void)fputs("(no QR code could be made: out of memory)\n", out);
		return;
	}
	put_qr(out, q);
	QRcode_free(q);
}
