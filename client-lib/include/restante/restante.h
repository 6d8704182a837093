/*
 * librestante: the client of a Restante network.
 *
 * The library has no global state, prints nothing, never forks and never
 * exits. A handle is driven by the caller's libevent base, or by
 * restante_run(). Functions return RESTANTE_OK (0) or a negative code; a handle
 * keeps a sentence about its last failure (restante_explain).
 *
 * One thread at a time may use a handle. Strings are UTF-8 with a final NUL.
 */
#ifndef RESTANTE_RESTANTE_H
#define RESTANTE_RESTANTE_H

#include <stddef.h>
#include <stdint.h>

#include <restante/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RESTANTE_API __attribute__((visibility("default")))

#define RESTANTE_VERSION "0.1.0"
RESTANTE_API const char *restante_version(void);

enum restante_error {
	RESTANTE_OK = 0,
	RESTANTE_E_MEMORY = -1,
	RESTANTE_E_IO = -2,
	RESTANTE_E_FULL = -3,
	RESTANTE_E_BUSY = -4,	  /* another process uses the directory */
	RESTANTE_E_NOT_FOUND = -5,
	RESTANTE_E_EXISTS = -6,
	RESTANTE_E_INVALID = -7,  /* an argument or a file is malformed */
	RESTANTE_E_VERSION = -8,  /* made by a newer version */
	RESTANTE_E_PASSPHRASE = -9,
	RESTANTE_E_STATE = -10,	  /* not possible now */
	RESTANTE_E_REFUSED = -11, /* a signature or a charter rule */
};
/* A short constant text; never NULL. */
RESTANTE_API const char *restante_strerror(int code);

struct restante;
struct event_base;

struct restante_unlock {
	const void *secret; /* passphrase bytes, or the content of a key file */
	size_t len;
	int is_key_file;
};

/*
 * Make a client directory: checks the charter, makes an identity, locks it.
 * mailbox: the number the operator assigned. explain (may be NULL) takes a
 * sentence of up to 512 bytes on failure.
 */
RESTANTE_API int restante_init(const char *directory, const char *charter_file, uint16_t mailbox,
    const struct restante_unlock *unlock, char *explain);
/*
 * Give the directory a successor of its charter by hand, as its client would take it
 * from the journal. Not while a client runs there (RESTANTE_E_BUSY). explain as above;
 * on success it says from when the charter is in force.
 */
RESTANTE_API int restante_install_charter(const char *directory, const char *charter_file,
    char *explain);

/*
 * Open a directory. base: the caller's event loop, or NULL for an own one run
 * by restante_run(). Nothing is sent before restante_start().
 */
RESTANTE_API int restante_open(struct restante **out, const char *directory,
    const struct restante_unlock *unlock, struct event_base *base, char *explain);
RESTANTE_API void restante_close(struct restante *r);
RESTANTE_API int restante_start(struct restante *r);
RESTANTE_API int restante_run(struct restante *r);
RESTANTE_API void restante_stop(struct restante *r);
/* A sentence about the last failure, of a call or in a callback; empty if there is none. */
RESTANTE_API const char *restante_explain(const struct restante *r);
/* Lock the directory in another way. Only before restante_start(). */
RESTANTE_API int restante_change_unlock(struct restante *r, const struct restante_unlock *unlock);

/* ---- the way to the gateway ---- */

/*
 * The library opens connections but starts no program. A network whose entrance
 * is an onion service ("....onion:port") is reached through the SOCKS port of a
 * tor that the caller provides: restante_set_socks() before restante_start().
 */

/* The address at which sessions enter. */
RESTANTE_API const char *restante_entrance(const struct restante *r);
/* Where tickets and stamps are fetched, with the same authorization; NULL: nowhere. */
RESTANTE_API const char *restante_registrar(const struct restante *r);
/* Sessions go through this SOCKS5 port ("127.0.0.1:9050", "unix:/path"), each on a circuit of its own. */
RESTANTE_API int restante_set_socks(struct restante *r, const char *address);
/*
 * While held, no session is opened, and all else goes on: for a caller whose tor
 * is not connected yet. Otherwise the first attempt fails, and the next one is up
 * to a quarter of an hour later. May be called at any time.
 */
RESTANTE_API void restante_hold(struct restante *r, int held);

/*
 * The client authorization of the entrance, as tor knows it: the line that the
 * gateway's operator gave (len characters), kept sealed in the directory. It is
 * refused if it is for another service. Only before restante_start().
 */
RESTANTE_API int restante_authorize(struct restante *r, const char *line, size_t len);
/*
 * Make one here instead. public_key (RESTANTE_PUBLIC_KEY_SIZE bytes) takes what the
 * operator admits. What was there before is replaced.
 */
#define RESTANTE_PUBLIC_KEY_SIZE 53
RESTANTE_API int restante_make_authorization(struct restante *r, char *public_key);
/*
 * The line, for the caller's tor (RESTANTE_AUTHORIZATION_SIZE bytes; wipe them).
 * RESTANTE_E_NOT_FOUND if there is none.
 */
#define RESTANTE_AUTHORIZATION_SIZE 128
RESTANTE_API int restante_authorization(struct restante *r, char *line);

/*
 * The enrolment code that the registrar's operator gave (NUL-terminated), kept sealed in
 * the directory: who has one fetches tickets and stamps. Another one than before begins
 * anew. Only before restante_start().
 */
RESTANTE_API int restante_enrol(struct restante *r, const char *code);

/* ---- contacts ---- */

enum restante_contact_state {
	RESTANTE_CONTACT_INVITED,
	RESTANTE_CONTACT_ANSWERING,
	RESTANTE_CONTACT_ESTABLISHED,
};
struct restante_contact {
	uint32_t id;
	char name[64];
	enum restante_contact_state state;
	int verified, blocked;
	char safety_number[72];
	uint32_t queued, unacknowledged;
	/*
	 * How often the secrets of each direction were renewed. renews is 0 while nobody
	 * has answered, and for contacts that an older version made: those are never
	 * renewed; remove them on both sides and invite anew.
	 */
	int renews;
	uint32_t renewed_sending, renewed_receiving;
	/*
	 * Of restarts (restante_restore): our secrets begin anew and the contact has not
	 * followed yet; somebody else goes on with it in our name, and nothing is sent
	 * until restante_restart(); or it is too old to begin anew: invite again.
	 */
	int restarting, contested, stranded;
	uint64_t lost_texts, lost_files; /* that had come before a restart, and are gone */
	int peer_restored;    /* the contact's last restart: from a backup, or an old copy (0) */
	int64_t peer_restart; /* about when, in seconds, by the day; 0: never */
};
/* i = 0, 1, ... until RESTANTE_E_NOT_FOUND. */
RESTANTE_API int restante_contact_at(struct restante *r, size_t i, struct restante_contact *out);
RESTANTE_API int restante_contact_find(struct restante *r, const char *name,
    struct restante_contact *out);

/* done(arg, code) is called on the loop when the change is durable. */
typedef void restante_done(void *arg, int code);

/*
 * text: 512 bytes for the invitation. It may be given to the person once done
 * was called with RESTANTE_OK.
 */
RESTANTE_API int restante_invite(struct restante *r, const char *name, uint32_t valid_seconds,
    char *text, restante_done *done, void *arg);
RESTANTE_API int restante_accept(struct restante *r, const char *name, const char *invitation,
    restante_done *done, void *arg);
RESTANTE_API int restante_rename(struct restante *r, uint32_t contact, const char *name,
    restante_done *done, void *arg);
RESTANTE_API int restante_verify(struct restante *r, uint32_t contact, int verified,
    restante_done *done, void *arg);
RESTANTE_API int restante_block(struct restante *r, uint32_t contact, int blocked,
    restante_done *done, void *arg);
RESTANTE_API int restante_remove(struct restante *r, uint32_t contact, restante_done *done,
    void *arg);

/* Begin both directions' secrets anew, at the owner's word: after `contested`. */
RESTANTE_API int restante_restart(struct restante *r, uint32_t contact, restante_done *done,
    void *arg);

/* ---- messages ---- */

enum restante_message_state {
	RESTANTE_QUEUED,
	RESTANTE_SENT,
	RESTANTE_STORED,
	RESTANTE_DELIVERED,
	RESTANTE_FAILED,
};
struct restante_message {
	uint64_t id;
	uint32_t contact;
	int incoming, is_file, late;
	enum restante_message_state state; /* outgoing */
	int64_t time;			   /* seconds, rounded to the minute */
	uint64_t size;
	uint32_t done, of;		   /* records */
	char name[128];			   /* files */
};
/* *message is the local id; states come as events. */
RESTANTE_API int restante_send_text(struct restante *r, uint32_t contact, const char *text,
    uint64_t *message, restante_done *done, void *arg);
RESTANTE_API int restante_send_file(struct restante *r, uint32_t contact, const char *path,
    uint64_t *message, restante_done *done, void *arg);
/* How long a file of `size` bytes will take, in seconds, and what it adds to the crowd's journal. */
RESTANTE_API int restante_estimate(struct restante *r, uint64_t size, uint64_t *seconds,
    uint64_t *journal_bytes);
/*
 * Within which half, and 95 of 100, of the messages that are queued now are stored: as
 * restante_status has it, and the time of those that wait already. 0: not known.
 */
struct restante_forecast {
	int64_t half_ms, most_ms;
};
RESTANTE_API int restante_forecast(struct restante *r, struct restante_forecast *out);
RESTANTE_API int restante_cancel(struct restante *r, uint64_t message, restante_done *done,
    void *arg);

/*
 * The message with the greatest id <= from (0: the latest); on the loop. text:
 * NULL for files, and for a text whose bytes are damaged. Others wrote it: what
 * is no UTF-8 was replaced by '?', but control characters may be in it.
 */
typedef void restante_message_cb(void *arg, int code, const struct restante_message *m,
    const char *text);
RESTANTE_API int restante_message(struct restante *r, uint64_t from, restante_message_cb *cb,
    void *arg);
/* Write a received file to path (must not exist). */
RESTANTE_API int restante_save_file(struct restante *r, uint64_t message, const char *path,
    restante_done *done, void *arg);
RESTANTE_API int restante_delete(struct restante *r, uint64_t message, restante_done *done,
    void *arg);
/* Delete own messages after so many seconds; 0: keep. */
RESTANTE_API int restante_set_retention(struct restante *r, uint32_t seconds,
    restante_done *done, void *arg);

/* ---- events and status ---- */

enum restante_event_kind {
	RESTANTE_EVENT_MESSAGE,	 /* a message or file has arrived */
	RESTANTE_EVENT_STATE,	 /* an outgoing message moved on */
	RESTANTE_EVENT_PROGRESS, /* an incoming file progressed */
	RESTANTE_EVENT_CONTACT,	 /* a contact was established or changed */
	RESTANTE_EVENT_STATUS,	 /* online state or alarms changed */
};
struct restante_event {
	enum restante_event_kind kind;
	uint32_t contact;
	struct restante_message message;
};
typedef void restante_event_cb(void *arg, const struct restante_event *e);
RESTANTE_API void restante_set_events(struct restante *r, restante_event_cb *cb, void *arg);

/* Of restante/status.h. */
RESTANTE_API int restante_status(struct restante *r, struct restante_status *out);

/* ---- evidence ---- */

/*
 * What proves that the gateway lied (RESTANTE_ALARM_FORK): two statements that it
 * signed. The text is for everybody who has the charter (`restante-charter
 * verify-evidence`); it says nothing of this client or its contacts.
 */
struct restante_evidence {
	char kind[16];	    /* "sheets", "epoch-blocks", "blocks" */
	uint64_t number;    /* of the epoch, or round */
	char text[1024];
	char sentence[640]; /* what it proves, for people */
};
/* i = 0, 1, ... until RESTANTE_E_NOT_FOUND. */
RESTANTE_API int restante_evidence_at(struct restante *r, size_t i,
    struct restante_evidence *out);

#ifdef __cplusplus
}
#endif

#endif
