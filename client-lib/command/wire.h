/*
 * What the command and its agent say to each other over the unix socket:
 * length u32 || type u8 || fields. Strings are length u32 || bytes. Both ends
 * are the same program of the same user; still every message is bounded and
 * parsed strictly. Pure.
 */
#ifndef CLIENT_LIB_COMMAND_WIRE_H
#define CLIENT_LIB_COMMAND_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/include/restante/restante.h"
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/net/tor.h"

#define WIRE_VERSION 1
#define WIRE_MESSAGE_MAX ((size_t)1 << 20)
#define WIRE_PATH_MAX 4096

enum wire_type {
	/* requests; each is answered by zero or more answers and one WIRE_DONE */
	WIRE_STATUS = 1,
	WIRE_INVITE = 2,    /* name, number: seconds */
	WIRE_ACCEPT = 3,    /* name, text */
	WIRE_CONTACTS = 4,
	WIRE_CHANGE = 5,    /* name, number: wire_change, text: new name */
	WIRE_SEND_TEXT = 6, /* name, text */
	WIRE_SEND_FILE = 7, /* name, text: path */
	WIRE_MESSAGE = 8,   /* number: the greatest id wanted, 0: the latest */
	WIRE_FOLLOW = 9,    /* events until the connection ends */
	WIRE_SAVE = 10,	    /* number, text: path */
	WIRE_DELETE = 11,   /* number */
	WIRE_CANCEL = 12,   /* number */
	WIRE_RETENTION = 13,/* number: seconds */
	WIRE_STOP = 14,
	WIRE_EVIDENCE = 20,
	WIRE_BACKUP = 21,   /* number: a key file, text: secret in hexadecimal, blank, path */
	/* answers */
	WIRE_DONE = 64,	      /* code, text: why */
	WIRE_IS_STATUS = 65,
	WIRE_IS_CONTACT = 66,
	WIRE_IS_MESSAGE = 67, /* message, name: of the contact, text */
	WIRE_IS_INVITATION = 68, /* text */
	WIRE_IS_QUEUED = 69,  /* number: id, seconds, bytes; half_ms, most_ms */
	WIRE_IS_EVENT = 70,   /* event, name, text */
	WIRE_IS_EVIDENCE = 76,
};

enum wire_change {
	WIRE_RENAME,
	WIRE_VERIFY,
	WIRE_UNVERIFY,
	WIRE_BLOCK,
	WIRE_UNBLOCK,
	WIRE_REMOVE,
	WIRE_RESTART,
};

/* One message; which fields count depends on the type. */
struct wire {
	enum wire_type type;
	char name[64];
	uint64_t number, seconds, bytes, half_ms, most_ms;
	int32_t code;
	const char *text; /* borrowed; with a NUL after text_len bytes when decoded */
	size_t text_len;
	struct restante_status status;
	bool through_tor;      /* with a status; then tor counts */
	struct tor_status tor;
	struct restante_contact contact;
	struct restante_message message;
	struct restante_evidence evidence;
	enum restante_event_kind event;
};

/* Append the whole message, length included. */
RST_MUST_USE enum err wire_encode(struct buf *out, const struct wire *m);
/*
 * How long the message at the front of n bytes is, with its length field: 0 if
 * more bytes are needed to know or to have it all; ERR_RANGE if too long.
 */
RST_MUST_USE enum err wire_length(size_t *len, const uint8_t *p, size_t n);
/* Decode one whole message of len bytes; text borrows from p. */
RST_MUST_USE enum err wire_decode(struct wire *out, const uint8_t *p, size_t len);

#endif
