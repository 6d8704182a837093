#include "config.h"

#include "common/net/torprocess.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/disk.h"
#include "common/net/address.h"
#include "common/net/child.h"
#include "common/net/tor.h"

#define DEFAULT_PROGRAM "tor"
#define HELPED_LOOK_MS 200 /* whether the helper's has ended */
#define TORRC_FILE "torrc"
#define DEFAULTS_FILE "defaults"
#define PATH_BYTES CHILD_PATH_BYTES

struct torprocess {
	struct torprocess_config cfg; /* its strings are those below */
	const struct torprocess_events *events;
	void *arg;
	char directory[PATH_BYTES], program[PATH_BYTES], extra[PATH_BYTES];
	char cookie[PATH_BYTES];
	char control[TOR_ADDRESS_SIZE], socks[TOR_ADDRESS_SIZE];
	struct disk *disk;
	struct child *child; /* the last one, perhaps ended; NULL before the first */
	struct timer *helped; /* looks at the helper's, while `helping` */
	bool helping;
	struct timer *timer; /* the next start */
	const char *hung;    /* why we ended it, or NULL */
	uint32_t starts;
	unsigned failures; /* in a row */
	int64_t well_ms;   /* since when it works, boot time; 0: not yet */
};

/* ---- torrc ---- */

/* tor reads a quoted string as C does. No path here has control characters. */
static void
put_path(FILE *f, const char *before, const char *path, const char *rest)
{
	(void)fprintf(f, "%s\"", before);
	for (const char *s = path; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', f);
		(void)fputc(*s, f);
	}
	(void)fprintf(f, "%s\"", rest);
}

/*
 * No log on disk or anywhere: at the levels that would help somebody it has
 * the addresses of relays, and of us. Options that stand later win, so that
 * those of the extra file cannot undo what this program relies on.
 */
static void
put_own_lines(FILE *f, const struct torprocess *p)
{
	put_path(f, "DataDirectory ", p->directory, "/data");
	put_path(f, "\nControlSocket ", p->control + strlen("unix:"), "");
	put_path(f, "\nCookieAuthFile ", p->cookie, "");
	put_path(f, "\nSocksPort unix:", p->socks + strlen("unix:"), "");
	(void)fprintf(f, " ExtendedErrors\n"
	    "CookieAuthentication 1\n"
	    "ClientOnly 1\n"
	    "RunAsDaemon 0\n"
	    "DormantCanceledByStartup 1\n"
	    "Log err file /dev/null\n"
	    "__OwningControllerProcess %ld\n", (long)getpid());
}

static enum err
put_extra(FILE *f, const char *path, struct diag *d)
{
	char block[4096];
	size_t n, all = 0;
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return diag_set(d, ERR_NOT_FOUND, "tor-config: %s cannot be read: %m", path);
	while ((n = fread(block, 1, sizeof(block), in)) > 0 && all <= TOR_CONFIG_MAX) {
		(void)fwrite(block, 1, n, f);
		all += n;
	}
	(void)fputc('\n', f);
	if (ferror(in) || all > TOR_CONFIG_MAX) {
		(void)diag_set(d, ERR_RANGE, "tor-config: %s is no file of at most %d bytes", path,
		    TOR_CONFIG_MAX);
		(void)fclose(in);
		return ERR_RANGE;
	}
	(void)fclose(in);
	return ERR_OK;
}

/* A synced write on the event loop, so only if the file has to be another one. */
static enum err
put_file(const struct torprocess *p, const char *name, const char *text, size_t n)
{
	struct buf old;
	bool same;

	buf_init(&old);
	same = disk_read(p->disk, &old, name, n) == ERR_OK && old.len == n &&
	    (n == 0 || memcmp(old.data, text, n) == 0); /* public */
	buf_release(&old);
	return same ? ERR_OK : disk_replace(p->disk, name, text, n);
}

static enum err
write_torrc(const struct torprocess *p, struct diag *d)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	enum err e = ERR_OK;

	if (f == NULL)
		return ERR_MEMORY;
	if (p->extra[0] != '\0')
		e = put_extra(f, p->extra, d);
	put_own_lines(f, p);
	if (fclose(f) != 0 && e == ERR_OK)
		e = ERR_MEMORY;
	if (e == ERR_OK) {
		e = put_file(p, TORRC_FILE, text, n);
		if (e == ERR_OK) /* not /dev/null: tor takes only a file */
			e = put_file(p, DEFAULTS_FILE, "", 0);
		if (e != ERR_OK)
			(void)diag_set(d, e, "%s/" TORRC_FILE ": cannot be written (%s)",
			    p->directory, err_text(e));
	}
	free(text);
	return e;
}

/* ---- one run ---- */

static void
start_later(struct torprocess *p)
{
	int64_t wait = TOR_BACKOFF_MAX_MS;

	if (p->failures < 7)
		wait = TOR_BACKOFF_MIN_MS << p->failures;
	p->failures++;
	timer_after(p->timer, rng_between(p->cfg.rng, wait / 2, wait));
}

static void
describe_end(const struct torprocess *p, int status, struct diag *d)
{
	if (p->hung != NULL)
		(void)diag_set(d, ERR_TIMEOUT, "%s", p->hung);
	else if (WIFSIGNALED(status))
		(void)diag_set(d, ERR_CLOSED, "tor was killed by signal %d; it is started again",
		    WTERMSIG(status));
	else
		(void)diag_set(d, ERR_CLOSED, "tor ended with status %d; it is started again. See "
		    "what it says to: %s --verify-config --defaults-torrc %s/" DEFAULTS_FILE
		    " -f %s/" TORRC_FILE, WEXITSTATUS(status), p->program, p->directory,
		    p->directory);
}

static void
on_ended(void *arg, int status)
{
	struct torprocess *p = arg;
	struct diag why = { "" };

	if (p->well_ms != 0 && loop_boot_ms(p->cfg.loop) - p->well_ms >= TOR_STABLE_MS)
		p->failures = 0;
	describe_end(p, status, &why);
	start_later(p);
	p->events->ended(p->arg, &why);
}

/* What a killed one left would be taken for the new one's. */
static void
remove_stale(const struct torprocess *p)
{
	(void)unlink(p->control + strlen("unix:"));
	(void)unlink(p->socks + strlen("unix:"));
	(void)unlink(p->cookie);
}

static void
on_helped(void *arg)
{
	struct torprocess *p = arg;
	int status = 0;

	if (helper_runs(p->cfg.helper, p->cfg.helper_program, &status)) {
		timer_after(p->helped, HELPED_LOOK_MS);
		return;
	}
	p->helping = false;
	on_ended(p, status);
}

static enum err
start_helped(struct torprocess *p, struct diag *d)
{
	int why = 0;
	enum err e = helper_run(p->cfg.helper, p->cfg.helper_program, NULL, 0, &why);

	if (e != ERR_OK)
		return diag_set(d, e, "%s: cannot be started: %s", p->program,
		    why != 0 ? strerror(why) : err_text(e));
	p->helping = true;
	timer_after(p->helped, HELPED_LOOK_MS);
	return ERR_OK;
}

/* Its end, by force if need be; nothing if there is none. */
static void
end_child(struct torprocess *p)
{
	child_free(p->child);
	p->child = NULL;
	if (p->helping)
		helper_end(p->cfg.helper, p->cfg.helper_program);
	p->helping = false;
}

static enum err
start(struct torprocess *p, struct diag *d)
{
	char torrc[PATH_BYTES + 16], defaults[PATH_BYTES + 16];
	char option_defaults[] = "--defaults-torrc", option_torrc[] = "-f", quiet[] = "--quiet";
	char *argv[] = { p->program, option_defaults, defaults, option_torrc, torrc, quiet, NULL };
	enum err e = write_torrc(p, d);

	if (e != ERR_OK)
		return e;
	remove_stale(p);
	if (p->cfg.helper != NULL)
		return start_helped(p, d);
	(void)snprintf(torrc, sizeof(torrc), "%s/" TORRC_FILE, p->directory);
	(void)snprintf(defaults, sizeof(defaults), "%s/" DEFAULTS_FILE, p->directory);
	return child_start(&p->child, p->cfg.loop, p->program, argv, on_ended, p, d);
}

static void
on_timer(void *arg)
{
	struct torprocess *p = arg;
	struct diag why = { "" };
	enum err e;

	end_child(p);
	p->hung = NULL;
	p->well_ms = 0;
	e = start(p, &why);
	if (e == ERR_OK) {
		p->starts++;
		p->events->started(p->arg);
		return;
	}
	if (why.text[0] == '\0')
		(void)diag_set(&why, e, "tor cannot be started (%s)", err_text(e));
	start_later(p);
	p->events->ended(p->arg, &why);
}

void
torprocess_well(struct torprocess *p)
{
	if (p->well_ms == 0)
		p->well_ms = loop_boot_ms(p->cfg.loop);
}

void
torprocess_kill(struct torprocess *p, const char *why)
{
	if (p->helping) {
		p->hung = why;
		helper_signal(p->cfg.helper, p->cfg.helper_program, SIGKILL);
	} else if (p->child != NULL && child_runs(p->child)) {
		p->hung = why;
		child_signal(p->child, SIGKILL);
	}
}

/* ---- what is checked once ---- */

static enum err
find_program(struct torprocess *p, const char *program, struct diag *d)
{
	if (program == NULL)
		program = DEFAULT_PROGRAM;
	if (child_find(p->program, program) == ERR_OK)
		return ERR_OK;
	return diag_set(d, ERR_NOT_FOUND, "there is no program %s: install the package `tor`, or say "
	    "in the configuration where it is: tor-program = /path/to/tor", program);
}

static enum err
copy_path(char out[static PATH_BYTES], const char *path, const char *rest, struct diag *d)
{
	if (path[0] != '/')
		return diag_set(d, ERR_USAGE, "tor's directory must be an absolute path");
	for (const char *s = path; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return diag_set(d, ERR_USAGE,
			    "tor's directory has a control character in its path");
	if (snprintf(out, PATH_BYTES, "%s%s", path, rest) >= PATH_BYTES - 16)
		return diag_set(d, ERR_RANGE, "the path of tor's directory is too long");
	return ERR_OK;
}

static enum err
socket_address(char out[static TOR_ADDRESS_SIZE], const char *directory, const char *name,
    struct diag *d)
{
	int n = snprintf(out, TOR_ADDRESS_SIZE, "unix:%s/%s", directory, name);

	if (n < TOR_ADDRESS_SIZE && address_check(out) == ERR_OK)
		return ERR_OK;
	return diag_set(d, ERR_RANGE, "%s: tor's sockets cannot be here: a socket's path has at most "
	    "107 printable characters; use a shorter directory, or set XDG_RUNTIME_DIR to one",
	    directory);
}

/* tor refuses a directory that others can enter. */
static enum err
make_private(const char *directory, struct diag *d)
{
	struct stat st;

	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return diag_set(d, ERR_IO, "%s: cannot be made: %m", directory);
	if (lstat(directory, &st) != 0)
		return diag_set(d, ERR_IO, "%s: %m", directory);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return diag_set(d, ERR_USAGE, "%s: must be a directory of yours alone; run: chmod 700",
		    directory);
	return ERR_OK;
}

static enum err
set_up(struct torprocess *p, const struct torprocess_config *cfg, struct diag *d)
{
	const char *sockets = cfg->sockets != NULL ? cfg->sockets : cfg->directory;
	enum err e = find_program(p, cfg->program, d);

	if (e == ERR_OK)
		e = copy_path(p->directory, cfg->directory, "", d);
	if (e == ERR_OK)
		e = copy_path(p->cookie, cfg->directory, "/cookie", d);
	if (e == ERR_OK && cfg->extra != NULL)
		e = copy_path(p->extra, cfg->extra, "", d);
	if (e == ERR_OK)
		e = socket_address(p->control, sockets, "control", d);
	if (e == ERR_OK)
		e = socket_address(p->socks, sockets, "socks", d);
	if (e == ERR_OK)
		e = disk_open(&p->disk, cfg->directory, d);
	if (e == ERR_OK)
		e = make_private(sockets, d);
	if (e != ERR_OK)
		return e;
	p->timer = timer_new(cfg->loop, on_timer, p);
	p->helped = timer_new(cfg->loop, on_helped, p);
	return p->timer != NULL && p->helped != NULL ? ERR_OK : ERR_MEMORY;
}

enum err
tor_helped(struct helper_program *out, struct tor_helped *x, const char *program,
    const char *directory, struct diag *d)
{
	const char *sought = program != NULL ? program : DEFAULT_PROGRAM;

	if (strlen(directory) >= sizeof(x->directory))
		return diag_set(d, ERR_RANGE, "the path of tor's directory is too long");
	if (child_find(x->program, sought) != ERR_OK)
		return diag_set(d, ERR_NOT_FOUND, "there is no program %s: install the package `tor`, "
		    "or say in the configuration where it is: tor-program = /path/to/tor", sought);
	memcpy(x->directory, directory, strlen(directory) + 1);
	(void)snprintf(x->torrc, sizeof(x->torrc), "%s/" TORRC_FILE, directory);
	(void)snprintf(x->defaults, sizeof(x->defaults), "%s/" DEFAULTS_FILE, directory);
	*out = (struct helper_program){ .argv = { x->program, "--defaults-torrc", x->defaults, "-f",
	    x->torrc, "--quiet", "--NoExec", "1" }, .writes = x->directory };
	return ERR_OK;
}

/* ---- life ---- */

enum err
torprocess_new(struct torprocess **out, const struct torprocess_config *cfg,
    const struct torprocess_events *events, void *arg, struct diag *d)
{
	struct torprocess *p = calloc(1, sizeof(*p));
	enum err e;

	if (p == NULL)
		return ERR_MEMORY;
	p->cfg = *cfg;
	p->events = events;
	p->arg = arg;
	e = set_up(p, cfg, d);
	if (e != ERR_OK) {
		torprocess_free(p);
		return e;
	}
	timer_after(p->timer, 0);
	*out = p;
	return ERR_OK;
}

void
torprocess_free(struct torprocess *p)
{
	if (p == NULL)
		return;
	end_child(p);
	timer_free(p->timer);
	timer_free(p->helped);
	if (p->disk != NULL)
		remove_stale(p);
	disk_free(p->disk);
	free(p);
}

const char *
torprocess_control(const struct torprocess *p)
{
	return p->control;
}

const char *
torprocess_socks(const struct torprocess *p)
{
	return p->socks;
}

const char *
torprocess_cookie(const struct torprocess *p)
{
	return p->cookie;
}

uint32_t
torprocess_starts(const struct torprocess *p)
{
	return p->starts;
}
