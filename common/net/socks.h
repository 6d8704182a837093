/*
 * The client's side of SOCKS5 (RFC 1928, 1929) as tor speaks it, with its
 * extended errors (tor's socks-extensions). Pure: bytes in, bytes out.
 *
 * Every connection shows a user name and a password of its own, so that tor
 * gives it a circuit of its own: "<torS0X>0" with a random password, which tor
 * knows for this since 0.4.9. A proxy that refuses that name has to be asked
 * anew, on a fresh connection, with a random ordinary name.
 */
#ifndef COMMON_NET_SOCKS_H
#define COMMON_NET_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"

#define SOCKS_HOST_MAX 255
#define SOCKS_REPLY_MAX 262  /* bytes of the longest answer */
#define SOCKS_SEND_MAX 262   /* bytes of the longest request */
#define SOCKS_SECRET_BYTES 16 /* random bytes of a password, in hex on the wire */

/* Answers to CONNECT; RFC 1928 section 6, and tor's from 0xf0 on. */
enum socks_code {
	SOCKS_CODE_OK = 0x00,
	SOCKS_CODE_FAILURE = 0x01,
	SOCKS_CODE_FORBIDDEN = 0x02,
	SOCKS_CODE_NETWORK = 0x03,
	SOCKS_CODE_HOST = 0x04,
	SOCKS_CODE_REFUSED = 0x05,
	SOCKS_CODE_EXPIRED = 0x06,
	SOCKS_CODE_COMMAND = 0x07,
	SOCKS_CODE_ADDRESS_TYPE = 0x08,
	SOCKS_CODE_DESC_NOT_FOUND = 0xf0,
	SOCKS_CODE_DESC_INVALID = 0xf1,
	SOCKS_CODE_INTRO_FAILED = 0xf2,
	SOCKS_CODE_REND_FAILED = 0xf3,
	SOCKS_CODE_NO_AUTH = 0xf4,
	SOCKS_CODE_WRONG_AUTH = 0xf5,
	SOCKS_CODE_BAD_ADDRESS = 0xf6,
	SOCKS_CODE_INTRO_TIMEOUT = 0xf7,
};

enum socks_stage {
	SOCKS_START,
	SOCKS_METHOD,  /* asked for the method */
	SOCKS_AUTH,    /* sent name and password */
	SOCKS_CONNECT, /* asked for the stream */
	SOCKS_DONE,    /* what follows is the stream */
	SOCKS_FAILED,
};

struct socks {
	enum socks_stage stage;
	char host[SOCKS_HOST_MAX + 1]; /* without brackets */
	uint16_t port;
	bool ordinary;	   /* an ordinary user name */
	bool name_refused; /* failed at the name: try anew with an ordinary one */
	uint8_t code;	   /* of the answer to CONNECT, once there was one */
	uint8_t user[SOCKS_SECRET_BYTES], pass[SOCKS_SECRET_BYTES];
	size_t have;
	uint8_t in[SOCKS_REPLY_MAX];
};

/*
 * A target is "host:port": an onion name, an IPv4 address, or an IPv6 address
 * in brackets. Other names are refused (ERR_USAGE): they would be told to an
 * exit. Draws a new user and password.
 */
RST_MUST_USE enum err socks_init(struct socks *s, const char *target, bool ordinary,
    const struct rng *keys);
/* Wipe it. */
void socks_release(struct socks *s);
/* Whether a target is one that needs a proxy: its host ends in ".onion". */
bool socks_is_onion(const char *target);

/*
 * Take n bytes of the proxy's answers; none at the start. *used of them were
 * taken: all, up to SOCKS_DONE. *out_len bytes at out are to be sent then.
 * An error ends it: ERR_MALFORMED for what is no SOCKS5, ERR_STATE when the
 * proxy takes no name and password, or not this one (name_refused), and what
 * socks_err says of the code.
 */
RST_MUST_USE enum err socks_step(struct socks *s, uint8_t out[static SOCKS_SEND_MAX],
    size_t *out_len, size_t *used, const uint8_t *p, size_t n);

/* What a code means for us; ERR_NO_KEY, ERR_DENIED: client authorization missing, or wrong. */
enum err socks_err(uint8_t code);
/* The same for people: a short clause, constant; never NULL. */
const char *socks_reason(uint8_t code);

#endif
