#include "config.h"

#include "mix/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/landlock.h"
#include "common/base/secret.h"
#include "mix/calls.h"

#define UNIX_PREFIX "unix:"

void
sandbox_init(struct sandbox *s, bool off)
{
	memset(s, 0, sizeof(*s));
	s->off = off;
	s->why = off ? "switched off by the configuration" : "the daemon is starting";
}

/* ---- what is allowed ---- */

enum err
sandbox_allow(struct sandbox *s, enum sandbox_right right, const char *path)
{
	if (s->count == SANDBOX_PATHS_MAX)
		return ERR_FULL;
	if (strlen(path) >= SANDBOX_PATH_BYTES)
		return ERR_RANGE;
	s->paths[s->count].right = right;
	memcpy(s->paths[s->count].path, path, strlen(path) + 1);
	s->count++;
	return ERR_OK;
}

/* The directory that has this path; nothing if there is none, or it is the root. */
static enum err
allow_directory_of(struct sandbox *s, enum sandbox_right right, const char *path)
{
	char copy[SANDBOX_PATH_BYTES], *slash, *directory;
	enum err e = ERR_OK;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	slash = strrchr(copy, '/');
	if (slash == NULL || slash == copy)
		return ERR_OK;
	*slash = '\0';
	directory = realpath(copy, NULL);
	if (directory != NULL && strcmp(directory, "/") != 0)
		e = sandbox_allow(s, right, directory);
	free(directory);
	return e;
}

/* Of a path that may be a link: both where it is and where it leads to. */
static enum err
allow_both_directories_of(struct sandbox *s, enum sandbox_right right, const char *path)
{
	char *real = realpath(path, NULL);
	enum err e = allow_directory_of(s, right, path);

	if (e == ERR_OK && real != NULL && strcmp(real, path) != 0)
		e = allow_directory_of(s, right, real);
	free(real);
	return e;
}

enum err
sandbox_allow_socket(struct sandbox *s, const char *address)
{
	if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		return ERR_OK;
	return allow_directory_of(s, SANDBOX_SOCKETS, address + strlen(UNIX_PREFIX));
}

/* Directories and not the files: tor makes a new cookie each time that it starts. */
enum err
sandbox_allow_cookie(struct sandbox *s, const char *control, const char *cookie)
{
	static const char *const usual[] = { "/run/tor", "/var/lib/tor" };
	enum err e = ERR_OK;

	if (cookie != NULL)
		return allow_both_directories_of(s, SANDBOX_READ, cookie);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]) && e == ERR_OK; i++)
		e = sandbox_allow(s, SANDBOX_READ, usual[i]);
	if (e != ERR_OK || strncmp(control, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		return e;
	return allow_both_directories_of(s, SANDBOX_READ, control + strlen(UNIX_PREFIX));
}

/* ---- the account ---- */

static enum err
drop_to(const struct passwd *p, struct diag *d)
{
	if (initgroups(p->pw_name, p->pw_gid) != 0 ||
	    setresgid(p->pw_gid, p->pw_gid, p->pw_gid) != 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0)
		return diag_set(d, ERR_IO, "user %s: cannot become that user: %m", p->pw_name);
	if (setuid(0) == 0 || seteuid(0) == 0 || getuid() != p->pw_uid || geteuid() != p->pw_uid)
		return diag_set(d, ERR_IO, "user %s: root's rights are not gone", p->pw_name);
	/* the change of account has made the process dumpable again, on some kernels */
	return secret_undumpable() == ERR_OK ? ERR_OK : diag_set(d, ERR_IO,
	    "core dumps cannot be switched off: %m");
}

enum err
sandbox_become(const char *user, struct diag *d)
{
	const struct passwd *p;

	if (user[0] == '\0')
		return ERR_OK;
	p = getpwnam(user);
	if (p == NULL)
		return diag_set(d, ERR_NOT_FOUND, "user %s: this machine has no such user", user);
	if (p->pw_uid == 0)
		return diag_set(d, ERR_USAGE, "user %s: that is root; name an account of the "
		    "daemon's own", user);
	if (getuid() == p->pw_uid && geteuid() == p->pw_uid)
		return ERR_OK;
	if (geteuid() != 0)
		return diag_set(d, ERR_USAGE, "user %s: only root can become that user; start the "
		    "daemon as root, or as that user", user);
	return drop_to(p, d);
}

/* ---- files ---- */

static unsigned
rights_of(enum sandbox_right right)
{
	switch (right) {
	case SANDBOX_READ:
		return LANDLOCK_READ;
	case SANDBOX_STATE:
		return LANDLOCK_ALL & ~LANDLOCK_RUN;
	case SANDBOX_SOCKETS:
		return LANDLOCK_SOCKETS;
	}
	return 0;
}

static enum err
allow_all(const struct landlock *rules, const struct sandbox *s, struct diag *d)
{
	for (size_t i = 0; i < s->count; i++) {
		const char *path = s->paths[i].path;
		enum err e = landlock_allow(rules, path, rights_of(s->paths[i].right));

		if (e == ERR_OK || (e == ERR_NOT_FOUND && s->paths[i].right != SANDBOX_STATE))
			continue;
		/* a file that we may not read anyway; who reads it says so */
		if (errno == EACCES && s->paths[i].right != SANDBOX_STATE)
			continue;
		return diag_set(d, ERR_IO, "sandbox: %s cannot be kept open for us: %m", path);
	}
	return ERR_OK;
}

/* The service manager may wait at an abstract socket, which is then not ours to forbid. */
static bool
is_told_abstractly(void)
{
	const char *name = getenv("NOTIFY_SOCKET");

	return name != NULL && name[0] == '@';
}

static enum err
enforce(struct sandbox *s, struct landlock *rules, struct diag *d)
{
	enum err e = allow_all(rules, s, d);

	if (e != ERR_OK)
		return e;
	if (landlock_enforce(rules) != ERR_OK)
		return diag_set(d, ERR_IO, "sandbox: Landlock's rules are refused: %m");
	s->abi = rules->abi;
	return ERR_OK;
}

enum err
sandbox_files(struct sandbox *s, struct diag *d)
{
	const unsigned writing = LANDLOCK_WRITE | LANDLOCK_CHANGE | LANDLOCK_SOCKETS;
	struct landlock rules;
	enum err e;

	if (s->off)
		return ERR_OK;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return diag_set(d, ERR_IO, "sandbox: no_new_privs is refused: %m");
	e = landlock_begin(&rules, calls_sanitized() ? writing : LANDLOCK_ALL, true,
	    !is_told_abstractly());
	if (e == ERR_VERSION)
		return ERR_OK; /* sandbox_calls warns */
	if (e != ERR_OK)
		return diag_set(d, e, "sandbox: Landlock is there and refuses its rules: %m");
	e = enforce(s, &rules, d);
	landlock_end(&rules);
	return e;
}

/* ---- system calls ---- */

static void
tell(const struct sandbox *s, struct log *log)
{
	if (s->off)
		log_event(log, LOG_SANDBOX_OFF, 0, 0, 0);
	else
		log_event(log, LOG_SANDBOX, s->filtered, (uint64_t)s->abi, 0);
	if (!s->off && !s->filtered)
		log_event(log, LOG_SANDBOX_NO_FILTER, 0, 0, 0);
	if (!s->off && s->abi == 0)
		log_event(log, LOG_SANDBOX_NO_LANDLOCK, 0, 0, 0);
	if (geteuid() == 0)
		log_event(log, LOG_SANDBOX_ROOT, 0, 0, 0);
	if (secret_unlocked() > 0)
		log_event(log, LOG_MEMORY_NOT_LOCKED, secret_unlocked(), 0, 0);
}

enum err
sandbox_calls(struct sandbox *s, struct log *log, struct diag *d)
{
	enum err e = ERR_OK;

	if (!s->off && calls_can_filter(&s->why)) {
		e = calls_filter(d);
		s->filtered = e == ERR_OK;
	}
	if (e == ERR_OK)
		tell(s, log);
	return e;
}

void
sandbox_report(const struct sandbox *s, struct report *r)
{
	report_section(r, "sandbox");
	report_bool(r, "seccomp", s->filtered);
	report_text(r, "seccomp_off", s->why);
	report_u64(r, "landlock", (uint64_t)s->abi);
	report_bool(r, "runs_as_root", geteuid() == 0);
	report_bool(r, "memory_locked", secret_unlocked() == 0);
}
