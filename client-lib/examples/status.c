/*
 * An example of librestante: open a client directory, making it first if a
 * charter is given, attend for a while, and print what the library says.
 *
 *     cc status.c $(pkg-config --cflags --libs restante) -o status
 *     ./status DIRECTORY KEY-FILE [CHARTER]
 *
 * KEY-FILE holds at least 32 random bytes, which lock the directory.
 */
#include <inttypes.h>
#include <restante/restante.h>
#include <stdio.h>

#define KEY_MAX 4096

static int
complain(const char *what, int code, const char *why)
{
	(void)fprintf(stderr, "%s: %s (%s)\n", what, why, restante_strerror(code));
	return 1;
}

static int
read_key(struct restante_unlock *u, unsigned char key[KEY_MAX], const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return complain(path, RESTANTE_E_IO, "the key file cannot be opened");
	u->secret = key;
	u->len = fread(key, 1, KEY_MAX, f);
	u->is_key_file = 1;
	return fclose(f) == 0 ? 0 : 1;
}

static int
print_status(struct restante *r)
{
	struct restante_status s;
	struct restante_contact c;
	int rc = restante_status(r, &s);

	if (rc != RESTANTE_OK)
		return complain("status", rc, restante_explain(r));
	(void)printf("network %s, epoch %" PRIu32 ", %" PRIu32 " people to a mailbox\n", s.network,
	    s.epoch, s.people);
	(void)printf("%s, %s, %u alarms\n", s.online ? "online" : "offline",
	    s.verified ? "verified" : "not verified", s.alarms);
	for (size_t i = 0; restante_contact_at(r, i, &c) == RESTANTE_OK; i++)
		(void)printf("contact %s%s\n", c.name, c.verified ? "" : " (unverified)");
	return 0;
}

static void
on_event(void *arg, const struct restante_event *e)
{
	(void)arg;
	if (e->kind == RESTANTE_EVENT_MESSAGE)
		(void)printf("message %" PRIu64 " has come\n", e->message.id);
}

int
main(int argc, char **argv)
{
	unsigned char key[KEY_MAX];
	char why[512] = "";
	struct restante_unlock unlock;
	struct restante *r;
	int rc;

	if (argc < 3 || argc > 4) {
		(void)fprintf(stderr, "usage: status DIRECTORY KEY-FILE [CHARTER]\n");
		return 64;
	}
	if (read_key(&unlock, key, argv[2]) != 0)
		return 1;
	if (argc == 4) {
		rc = restante_init(argv[1], argv[3], 0, &unlock, why);
		if (rc != RESTANTE_OK)
			return complain("init", rc, why);
	}
	rc = restante_open(&r, argv[1], &unlock, NULL, why);
	if (rc != RESTANTE_OK)
		return complain("open", rc, why);
	restante_set_events(r, on_event, NULL);
	rc = restante_start(r); /* restante_run(r) would now attend until restante_stop(r) */
	if (rc == RESTANTE_OK)
		rc = print_status(r);
	else
		rc = complain("start", rc, restante_explain(r));
	restante_close(r);
	return rc;
}
