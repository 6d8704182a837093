/*
 * A program that is started in tor's place: reads the torrc that tor would, has
 * a control port, and behaves as a line "Double ..." of the torrc says:
 *
 *   (none)   it is ready at once
 *   exit     ends at once
 *   hang     never listens, and is deaf to SIGTERM
 *   mute     takes connections and says nothing
 *   half     stays at 50 %, with a warning
 *   slow     is at 50 %, and ready once it has the key
 *   refuse   takes no key
 *   stale    falls silent once it has said that it is ready, and is deaf to SIGTERM
 *
 * Beside its cookie it keeps `pid` and `heard`, the commands after authentication.
 */
#include "config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/encode.h"
#include "common/net/torcookie.h"

#define TEXT 1024

static char control[TEXT], cookie_file[TEXT], data[TEXT], mode[TEXT];
static uint8_t cookie[TORCOOKIE_BYTES];
static bool owned;

static bool
mode_is(const char *m)
{
	return strcmp(mode, m) == 0;
}

/* ---- torrc ---- */

/* The value of a line "key value" or "key \"value\"", as C has it. */
static void
take(char out[static TEXT], const char *line, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0 || line[n] != ' ')
		return;
	line += n + 1;
	if (*line == '"')
		line++;
	for (; *line != '\0' && *line != '"' && *line != '\n'; line++) {
		if (*line == '\\')
			line++;
		*out++ = *line;
	}
	*out = '\0';
}

static void
read_torrc(const char *path)
{
	char line[TEXT];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		exit(2);
	while (fgets(line, sizeof(line), f) != NULL) {
		take(control, line, "ControlSocket");
		take(cookie_file, line, "CookieAuthFile");
		take(data, line, "DataDirectory");
		take(mode, line, "Double");
	}
	(void)fclose(f);
}

/* A file beside the cookie. */
static FILE *
beside(const char *name, const char *how)
{
	char path[TEXT + 16];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s", cookie_file);
	(void)snprintf(strrchr(path, '/'), 16, "/%s", name);
	f = fopen(path, how);
	if (f == NULL)
		exit(4);
	return f;
}

/* ---- control port ---- */

static void
say(FILE *to, const char *text)
{
	(void)fputs(text, to);
	(void)fputs("\r\n", to);
	(void)fflush(to);
}

static void
challenge(FILE *to, const char *hex)
{
	uint8_t client[TORCOOKIE_NONCE_BYTES], server[TORCOOKIE_NONCE_BYTES] = { 1 },
		hash[TORCOOKIE_HASH_BYTES];
	char hash_hex[2 * sizeof(hash) + 1], server_hex[2 * sizeof(server) + 1];

	for (size_t i = 0; i < sizeof(client); i++) {
		unsigned byte = 0;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			exit(5);
		client[i] = (uint8_t)byte;
	}
	torcookie_server_hash(hash, cookie, client, server);
	encode_hex(hash_hex, hash, sizeof(hash));
	encode_hex(server_hex, server, sizeof(server));
	(void)fprintf(to, "250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s\r\n", hash_hex, server_hex);
	(void)fflush(to);
}

static void
greet(FILE *to)
{
	(void)fprintf(to, "250-PROTOCOLINFO 1\r\n"
	    "250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"%s\"\r\n"
	    "250-VERSION Tor=\"0.4.9.11\"\r\n", cookie_file);
	say(to, "250 OK");
}

static void
phase(FILE *to)
{
	bool half = mode_is("half") || mode_is("slow");

	(void)fprintf(to, "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=%d TAG=%s SUMMARY=\"x\"\r\n",
	    half ? 50 : 100, half ? "loading_descriptors" : "done");
	say(to, "250 OK");
	if (mode_is("half"))
		say(to, "650 STATUS_CLIENT WARN BOOTSTRAP PROGRESS=50 TAG=conn SUMMARY=\"x\" "
		    "WARNING=\"Network is unreachable\" REASON=NOROUTE");
	if (mode_is("stale"))
		(void)snprintf(mode, sizeof(mode), "mute");
}

static void
take_key(FILE *to)
{
	say(to, mode_is("refuse") ? "512 Invalid v3 address" : "250 OK");
	if (mode_is("reloaded")) { /* once; the key is gone then */
		say(to, "650 SIGNAL RELOAD");
		mode[0] = '\0';
	}
	if (mode_is("slow")) {
		say(to, "650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"");
		mode[0] = '\0';
	}
}

static bool
starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void
answer(FILE *to, const char *line)
{
	if (mode_is("mute"))
		return;
	if (starts(line, "PROTOCOLINFO"))
		greet(to);
	else if (starts(line, "AUTHCHALLENGE SAFECOOKIE "))
		challenge(to, line + strlen("AUTHCHALLENGE SAFECOOKIE "));
	else if (starts(line, "GETINFO status/bootstrap-phase"))
		phase(to);
	else if (starts(line, "ONION_CLIENT_AUTH_ADD "))
		take_key(to);
	else
		say(to, "250 OK");
	owned |= starts(line, "TAKEOWNERSHIP");
}

static void
serve(int fd)
{
	FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w"), *heard = beside("heard", "ae");
	char line[TEXT];

	if (from == NULL || to == NULL)
		exit(6);
	while (fgets(line, sizeof(line), from) != NULL) {
		if (!starts(line, "AUTH") && !starts(line, "PROTO"))
			(void)fputs(line, heard);
		(void)fflush(heard);
		answer(to, line);
	}
	(void)fclose(from);
	(void)fclose(to);
	(void)fclose(heard);
	if (owned)
		exit(0);
}

static int
listen_on(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		exit(7);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4) != 0)
		exit(7);
	return fd;
}

/* Where tor would be: its arguments, an empty file of defaults, a directory for its data. */
static void
check_arguments(int argc, char **argv)
{
	struct stat st;

	if (argc != 6 || strcmp(argv[1], "--defaults-torrc") != 0 || strcmp(argv[3], "-f") != 0)
		exit(3);
	if (stat(argv[2], &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != 0)
		exit(3);
	read_torrc(argv[4]);
	if (data[0] != '/' || cookie_file[0] != '/' || control[0] != '/')
		exit(3);
}

int
main(int argc, char **argv)
{
	FILE *f;
	int fd;

	check_arguments(argc, argv);
	if (mode_is("exit"))
		return 1;
	if (mode_is("hang") || mode_is("stale"))
		(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	f = beside("pid", "we");
	(void)fprintf(f, "%ld\n", (long)getpid());
	(void)fclose(f);
	while (mode_is("hang"))
		(void)pause();
	memset(cookie, 'c', sizeof(cookie));
	f = beside("cookie", "we");
	(void)fwrite(cookie, 1, sizeof(cookie), f);
	(void)fclose(f);
	fd = listen_on(control);
	for (;;)
		serve(accept(fd, NULL, NULL));
}
