/*
 * What common/net says to a real tor, for tor_control.sh:
 *
 *   tor_probe control ADDRESS [own]   authenticate again and again; at each time
 *                                     ask a few things, then one each second
 *   tor_probe socks PORT TARGET       dial a link through a SOCKS port, once
 *
 * One line for each thing that happens.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/net/control.h"
#include "common/net/link.h"
#include "common/net/loop_event.h"

#define ASK_MS 1000

struct probe {
	struct loop *loop;
	struct control *control;
	struct timer *timer;
	bool asking; /* the question of each second is out */
};

/* ---- control ---- */

static void
on_answer(void *arg, const struct control_reply *r, enum err why)
{
	const char *value;
	size_t n;

	(void)arg;
	if (r == NULL)
		printf("unanswered: %s\n", err_text(why));
	else if (control_reply_value(&value, &n, r, "config-text"))
		printf("text %u, %zu bytes\n", r->code, n);
	else
		printf("answer %u %.*s\n", r->code, (int)r->lines[0].len, r->lines[0].text);
}

static void
on_second(void *arg, const struct control_reply *r, enum err why)
{
	struct probe *p = arg;

	(void)why;
	p->asking = false;
	if (r != NULL)
		printf("alive\n");
}

static void
on_timer(void *arg)
{
	struct probe *p = arg;

	timer_after(p->timer, ASK_MS);
	if (!p->asking && control_is_ready(p->control))
		p->asking = control_command(p->control, "GETINFO uptime", on_second, p) == ERR_OK;
}

static void
on_ready(void *arg, const char *version)
{
	static const char *const lines[] = {"SETEVENTS SIGNAL", "GETINFO version",
	    "GETINFO config-text", "GETINFO nothing/of/this/name", "SIGNAL DUMP"};
	struct probe *p = arg;

	printf("ready %s%s\n", version, control_version_is_old(version) ? " (old)" : "");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		enum err e = control_command(p->control, lines[i], on_answer, p);

		if (e != ERR_OK)
			printf("not sent %s: %s\n", lines[i], err_text(e));
	}
}

static void
on_event(void *arg, const struct control_reply *r)
{
	(void)arg;
	printf("event %.*s\n", (int)r->lines[0].len, r->lines[0].text);
}

static void
on_lost(void *arg, enum err e, const struct diag *why)
{
	(void)arg;
	printf("lost %s: %s\n", err_text(e), why->text);
}

static enum err
probe_control(struct probe *p, const char *address, bool own)
{
	static const struct control_events events = {on_ready, on_event, on_lost};
	const struct control_config cfg = {
	    .loop = p->loop,
	    .address = address,
	    .own = own,
	    .rng = rng_system(),
	    .keys = rng_system(),
	};

	p->timer = timer_new(p->loop, on_timer, p);
	if (p->timer == NULL)
		return ERR_MEMORY;
	timer_after(p->timer, ASK_MS);
	return control_new(&p->control, &cfg, &events, p);
}

/* ---- SOCKS ---- */

static void
on_up(void *arg)
{
	(void)arg;
	printf("up\n");
}

static void
on_frame(void *arg, uint8_t *plain, size_t n)
{
	(void)arg;
	(void)plain;
	(void)n;
}

static void
on_down(void *arg, enum err why)
{
	struct probe *p = arg;

	printf("down %s\n", err_text(why));
	loop_event_stop(p->loop);
}

static enum err
probe_socks(struct probe *p, struct link **out, const char *port, const char *target)
{
	static const struct link_events events = {.up = on_up, .frame = on_frame, .down = on_down};
	static const uint8_t peer_pk[32] = {9};
	const struct link_config cfg = {
	    .pattern = NOISE_NK,
	    .initiator = true,
	    .peer_pk = peer_pk,
	    .send_bytes = LINK_FRAME_MIN,
	    .receive_bytes = LINK_FRAME_MIN,
	    .out_frames_max = 1,
	    .handshake_ms = 30000,
	    .keys = rng_system(),
	    .socks = port,
	};

	return link_dial(out, p->loop, target, &cfg, &events, p);
}

/* ---- main ---- */

static void
on_signal(void *arg)
{
	loop_event_stop(arg);
}

static enum err
run(struct probe *p, struct link **link, int argc, char **argv)
{
	enum err e = loop_event_new(&p->loop, NULL);

	if (e == ERR_OK)
		e = loop_event_signal(p->loop, SIGTERM, on_signal, p->loop);
	if (e == ERR_OK && strcmp(argv[1], "control") == 0)
		e = probe_control(p, argv[2], argc > 3);
	else if (e == ERR_OK)
		e = argc > 3 ? probe_socks(p, link, argv[2], argv[3]) : ERR_USAGE;
	if (e == ERR_OK)
		loop_event_run(p->loop);
	return e;
}

int
main(int argc, char **argv)
{
	struct probe p = {NULL};
	struct link *link = NULL;
	enum err e = argc > 2 ? secret_setup() : ERR_USAGE;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (e == ERR_OK)
		e = run(&p, &link, argc, argv);
	if (e != ERR_OK)
		(void)fprintf(stderr, "tor_probe: %s\n", err_text(e));
	link_free(link);
	control_free(p.control);
	timer_free(p.timer);
	loop_event_free(p.loop);
	return e == ERR_OK ? 0 : 1;
}
