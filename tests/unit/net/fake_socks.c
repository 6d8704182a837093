#include "config.h"

#include "tests/unit/net/fake_socks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"

/* One client and, once it is connected, the way on. */
struct fake_pipe {
	struct fake_socks *owner;
	struct conn *client, *onward;
	unsigned answered; /* questions of the negotiation */
	size_t said;
	bool connected;
};

static const struct conn_limits limits = {.in_max = 1 << 20, .out_max = 4 << 20};

static void
end_pipe(struct fake_pipe *p)
{
	conn_free(p->client);
	conn_free(p->onward);
	p->client = NULL;
	p->onward = NULL;
}

/* ---- the way on ---- */

static size_t
pass_on(struct conn *to, const uint8_t *bytes, size_t n)
{
	if (to == NULL || conn_write(to, bytes, n) != ERR_OK)
		return 0;
	return n;
}

static size_t
on_onward_data(void *arg, const uint8_t *bytes, size_t n)
{
	return pass_on(((struct fake_pipe *)arg)->client, bytes, n);
}

static void
on_closed(void *arg, enum err why)
{
	(void)why;
	end_pipe(arg);
}

static void
connect_onward(struct fake_pipe *p)
{
	static const struct conn_events events = {.data = on_onward_data, .closed = on_closed};

	p->connected = true;
	p->owner->connected++;
	assert_err_ok(
	    conn_open(&p->onward, p->owner->loop, p->owner->to, &limits, &events, p));
}

/* ---- the negotiation ---- */

static void
say(struct fake_pipe *p, const uint8_t *bytes, size_t n)
{
	const struct fake_socks *f = p->owner;

	for (size_t i = 0; i < n && p->client != NULL; i++, p->said++) {
		uint8_t byte = p->said == f->flip_at ? bytes[i] ^ f->flip : bytes[i];

		if (p->said == f->cut_at) {
			conn_finish(p->client, 60000);
			p->client = NULL;
		} else if (p->said < f->hang_at) {
			assert_err_ok(conn_write(p->client, &byte, 1));
		}
	}
}

static void
copy_text(char *out, const uint8_t *bytes, size_t n)
{
	memcpy(out, bytes, n);
	out[n] = '\0';
}

static size_t
take_method(struct fake_pipe *p, const uint8_t *b, size_t n)
{
	if (n < 3)
		return 0;
	assert_memory_equal(b, "\x05\x01\x02", 3);
	say(p, (const uint8_t *)"\x05\x02", 2);
	return 3;
}

static size_t
take_name(struct fake_pipe *p, const uint8_t *b, size_t n)
{
	struct fake_socks *f = p->owner;
	size_t user, pass;
	bool bad;

	if (n < 2 || n < 3u + b[1] || n < 3u + b[1] + b[2 + b[1]])
		return 0;
	user = b[1];
	pass = b[2 + user];
	copy_text(f->user, b + 2, user);
	copy_text(f->pass, b + 3 + user, pass);
	bad = f->no_names || (f->no_isolation_names && f->user[0] == '<');
	say(p, (const uint8_t *)(bad ? "\x05\x01" : "\x01\x00"), 2);
	return 3 + user + pass;
}

static size_t
take_target(struct fake_pipe *p, const uint8_t *b, size_t n)
{
	struct fake_socks *f = p->owner;
	uint8_t reply[4 + 1 + 5 + 2] = {5, f->code, 0, f->type, 5};
	size_t name;

	if (n < 5 || n < 7u + b[4])
		return 0;
	assert_memory_equal(b, "\x05\x01\x00\x03", 4);
	name = b[4];
	copy_text(f->target, b + 5, name);
	snprintf(f->target + name, 8, ":%d", b[5 + name] << 8 | b[6 + name]);
	if (f->type == 4) {
		static const uint8_t zeros[22];
		uint8_t long_reply[22];

		memcpy(long_reply, zeros, 22);
		memcpy(long_reply, reply, 4);
		say(p, long_reply, 22);
	} else {
		say(p, reply, f->type == 1 ? 10 : 12);
	}
	if (f->code == 0 && p->client != NULL)
		connect_onward(p);
	return 7 + name;
}

static size_t
on_client_data(void *arg, const uint8_t *bytes, size_t n)
{
	static size_t (*const take[])(struct fake_pipe *, const uint8_t *, size_t) = {take_method,
	    take_name, take_target};
	struct fake_pipe *p = arg;
	size_t used;

	if (p->connected)
		return pass_on(p->onward, bytes, n);
	used = p->answered < 3 ? take[p->answered](p, bytes, n) : n;
	if (used > 0)
		p->answered++;
	return used;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct conn_events events = {.data = on_client_data, .closed = on_closed};
	struct fake_socks *f = arg;
	struct fake_pipe *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_true(f->dials < FAKE_SOCKS_PIPES_MAX);
	f->pipes[f->dials++] = p;
	p->owner = f;
	p->client = c;
	conn_set_events(c, &events, p, &limits);
}

void
fake_socks_start(struct fake_socks *f, struct loop *l, const char *address, const char *to)
{
	struct diag d = {""};

	*f = (struct fake_socks){
	    .loop = l,
	    .to = to,
	    .type = 4,
	    .hang_at = FAKE_SOCKS_NEVER,
	    .cut_at = FAKE_SOCKS_NEVER,
	    .flip_at = FAKE_SOCKS_NEVER,
	};
	assert_err_ok(listener_open(&f->listener, l, address, on_accept, f, &d));
}

void
fake_socks_stop(struct fake_socks *f)
{
	for (size_t i = 0; i < f->dials; i++) {
		end_pipe(f->pipes[i]);
		free(f->pipes[i]);
	}
	f->dials = 0;
	listener_free(f->listener);
	f->listener = NULL;
}
