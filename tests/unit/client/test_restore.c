/*
 * Restores and backups that are cut off: killed before each of their writes and in the
 * middle of it, and with each of them failing. What is left is never taken for a
 * client or a backup, harms nothing else, and the same can be asked again. Each runs
 * in a process of its own.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <leveldb/c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client-lib/backup.h"
#include "client-lib/handle.h"
#include "client-lib/include/restante/backup.h"
#include "common/base/secret.h"
#include "tests/lib/network.h"

#define VALUES 300 /* more than one batch */
#define BIG ((size_t)65536 * 2 + 99)

/* ---- faults ---- */

enum mode { NOTHING, KILLED, TORN, FAILS, FAILS_ON };

struct plan {
	enum mode mode;
	unsigned at, count;
};

static struct plan nothing, *plan = &nothing; /* shared with the children */

/* Whether this write is to fail; it may be the last of this process. */
static bool
strikes(bool *torn)
{
	unsigned n = ++plan->count;

	*torn = plan->mode == TORN && n == plan->at;
	if (plan->mode == KILLED && n == plan->at)
		(void)kill(getpid(), SIGKILL);
	errno = ENOSPC;
	return (plan->mode == FAILS && n == plan->at) || (plan->mode == FAILS_ON && n >= plan->at);
}

/* What is not written in parts is whole, then. */
static void
die_if(bool torn)
{
	if (torn)
		(void)kill(getpid(), SIGKILL);
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
void __real_leveldb_write(leveldb_t *db, const leveldb_writeoptions_t *o, leveldb_writebatch_t *b,
    char **why);
void __wrap_leveldb_write(leveldb_t *db, const leveldb_writeoptions_t *o, leveldb_writebatch_t *b,
    char **why);

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	bool torn;
	ssize_t did = strikes(&torn) ? -1 : __real_write(fd, p, torn ? n / 2 : n);

	die_if(torn);
	return did;
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	bool torn;
	ssize_t did = strikes(&torn) ? -1 : __real_pwrite(fd, p, torn ? n / 2 : n, at);

	die_if(torn);
	return did;
}

int
__wrap_fsync(int fd)
{
	bool torn;
	int rc = strikes(&torn) ? -1 : __real_fsync(fd);

	die_if(torn);
	return rc;
}

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	bool torn;
	int rc = strikes(&torn) ? -1 : __real_renameat(a, from, b, to);

	die_if(torn);
	return rc;
}

int
__wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	bool torn;
	int rc = strikes(&torn) ? -1 : __real_renameat2(a, from, b, to, flags);

	die_if(torn);
	return rc;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	bool torn;
	int rc = strikes(&torn) ? -1 : __real_unlinkat(dir, name, flags);

	die_if(torn);
	return rc;
}

int
__wrap_mkdir(const char *path, mode_t mode)
{
	bool torn;
	int rc = strikes(&torn) ? -1 : __real_mkdir(path, mode);

	die_if(torn);
	return rc;
}

void
__wrap_leveldb_write(leveldb_t *db, const leveldb_writeoptions_t *o, leveldb_writebatch_t *b,
    char **why)
{
	bool torn;

	if (strikes(&torn))
		*why = strdup("IO error: no space left");
	else
		__real_leveldb_write(db, o, b, why);
	die_if(torn);
}

/* What f returns in a child, or -1 if it was killed. */
static int
in_child(int (*f)(void), enum mode mode, unsigned at)
{
	int status;
	pid_t child;

	*plan = (struct plan){ mode, at, 0 };
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(f());
	assert_int_equal(waitpid(child, &status, 0), child);
	*plan = (struct plan){ .mode = NOTHING };
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return -1;
	}
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- a backup and a place for it ---- */

static char directory[] = "/tmp/rstrestore.XXXXXX";
static char home[64], file[64], second[64], part[72];
static struct restante_unlock key;
static const struct vault_unlock vault_key = { "0123456789abcdef0123456789abcdef", 32, true,
	VAULT_COST_TEST };

static void
remove_home(void)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "rm -rf %s %s %s", home, second, part);
	assert_int_equal(system(command), 0);
}

static void
put_profile(struct backup_writer *w, struct diag *d)
{
	struct disk *k = disk_memory();
	struct profile profile;
	struct buf text;

	assert_non_null(k);
	buf_init(&text);
	config_defaults(&profile, &profile_schema);
	assert_err_ok(profile_save(&profile, k));
	assert_err_ok(disk_read(k, &text, PROFILE_FILE, 65536));
	assert_err_ok(backup_put(w, BACKUP_FILE, PROFILE_FILE, strlen(PROFILE_FILE), text.data,
	    text.len, d));
	buf_release(&text);
	disk_free(k);
}

static void
put_state(struct backup_writer *w, const struct charter *c, struct diag *d)
{
	struct post_config cfg = { .params = c->params, .gateway = charter_gateway(c)->number,
		.gateway_identity = charter_gateway(c)->identity, .rng = test_rng(),
		.keys = test_rng() };
	uint8_t front[4] = { 0 };
	struct post *p;
	struct buf b;

	memcpy(cfg.network_id, c->network_id, sizeof(cfg.network_id));
	buf_init(&b);
	assert_err_ok(post_new(&p, &cfg));
	assert_err_ok(buf_append(&b, front, sizeof(front), SIZE_MAX));
	assert_err_ok(post_backup(p, &b));
	assert_err_ok(backup_put(w, BACKUP_STATE, NULL, 0, b.data, b.len, d));
	buf_release(&b);
	post_free(p);
}

static int
setup(void **state)
{
	struct network_config cfg = { .seed = 1 };
	struct network *n = network_new(&cfg);
	struct backup_writer *w;
	struct diag d = { "" };
	struct post_write value;

	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/rstrestore.XXXXXX");
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(plan != MAP_FAILED && mkdtemp(directory) != NULL);
	(void)snprintf(home, sizeof(home), "%s/home", directory);
	(void)snprintf(file, sizeof(file), "%s/file", directory);
	(void)snprintf(second, sizeof(second), "%s/second", directory);
	(void)snprintf(part, sizeof(part), "%s.part", second);
	key = (struct restante_unlock){ .secret = vault_key.secret, .len = vault_key.len,
		.is_key_file = 1 };
	assert_err_ok(secret_setup());
	assert_err_ok(backup_create(&w, file, &vault_key, test_rng(), &d));
	assert_err_ok(backup_put(w, BACKUP_FILE, "charter", 7, n->text.data, n->text.len, &d));
	put_profile(w, &d);
	for (uint64_t i = 1; i <= VALUES; i++) {
		post_key_message(&value, i);
		assert_err_ok(backup_put(w, BACKUP_VALUE, value.key, value.key_len, &i, sizeof(i), &d));
	}
	put_state(w, n->charter, &d);
	assert_err_ok(backup_finish(w, &d));
	backup_writer_free(w);
	network_free(n);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	remove_home();
	(void)unlink(file);
	(void)munmap(plan, sizeof(*plan));
	plan = &nothing;
	return rmdir(directory);
}

/* ---- what the children do ---- */

static int
do_restore(void)
{
	char why[512];

	return -restante_restore(home, file, &key, &key, NULL, why);
}

/* 0: a client's directory with all that is in the backup. */
static int
do_check(void)
{
	struct post_write value;
	struct restante *r;
	struct buf b;
	char why[512];
	int bad = 0;

	if (restante_open(&r, home, &key, NULL, why) != RESTANTE_OK)
		return 100;
	buf_init(&b);
	for (uint64_t i = 1; i <= VALUES && bad == 0; i++) {
		post_key_message(&value, i);
		b.len = 0;
		bad = archive_read(r->archive, &b, &value, 64) != ERR_OK || b.len != sizeof(i) ||
		    memcmp(b.data, &i, sizeof(i)) != 0;
	}
	b.len = 0;
	if (bad == 0 && vault_read_state(r->vault, &b, &r->why) != ERR_OK)
		bad = 2;
	buf_release(&b);
	restante_close(r);
	return bad;
}

/* 0: nothing that could run; a begun one says what to do. */
static int
do_refuse(void)
{
	char marker[128], why[512] = "";
	struct restante *r;
	struct stat st;

	if (restante_open(&r, home, &key, NULL, why) == RESTANTE_OK)
		return 100;
	(void)snprintf(marker, sizeof(marker), "%s/unfinished", home);
	if (stat(marker, &st) == 0 && strstr(why, "a restore was cut off here") == NULL)
		return 1;
	return 0;
}

static int
do_init(void)
{
	char why[512] = "", charter[128];
	int rc;

	/* any charter would do: it is the directory that is refused */
	(void)snprintf(charter, sizeof(charter), "%s/charter", home);
	rc = restante_init(home, charter, 0, &key, why);
	return rc == RESTANTE_E_STATE && strstr(why, "restore was cut off") != NULL ? 0 : 1;
}

static int
do_backup(void)
{
	struct restante *r;
	char why[512];
	int rc = restante_open(&r, home, &key, NULL, why);

	if (rc == RESTANTE_OK) {
		rc = restante_backup(r, second, &key, NULL, NULL);
		restante_close(r);
	}
	return -rc;
}

/* Some pieces, straight into the file. */
static int
do_write(void)
{
	struct backup_writer *w;
	struct diag d = { "" };
	uint8_t *p = calloc(1, BIG);
	enum err e = p != NULL ? backup_create(&w, second, &vault_key, rng_system(), &d) : ERR_MEMORY;

	if (e == ERR_OK) {
		e = backup_put(w, BACKUP_VALUE, "k", 1, p, BIG, &d);
		if (e == ERR_OK)
			e = backup_finish(w, &d);
		backup_writer_free(w);
	}
	free(p);
	return e == ERR_OK ? 0 : 1;
}

/* 0: the second backup is whole; 50: there is none. */
static int
do_read(void)
{
	struct backup_reader *r;
	struct backup_item item = { .kind = BACKUP_FILE };
	struct diag d = { "" };
	enum err e = backup_open(&r, second, &vault_key, &d);

	if (e == ERR_NOT_FOUND)
		return 50;
	while (e == ERR_OK && item.kind != BACKUP_END) {
		e = backup_next(r, &item, &d);
		if (e == ERR_OK)
			buf_release(&item.value);
	}
	return e == ERR_OK ? 0 : 1;
}

/* Killed: everywhere. What merely fails, or is torn: at some places, unless more are asked for. */
static unsigned
stride(enum mode mode)
{
	return mode == KILLED || getenv("RESTANTE_RESTART_TRIALS") != NULL ? 1 : 4;
}

static unsigned
first(enum mode mode)
{
	return 1 + rng_below(test_rng(), stride(mode));
}

/* ---- restores ---- */

/* One cut at one place; whether it was cut at all. */
static bool
cut_restore(enum mode mode, unsigned at, unsigned *begun)
{
	int rc = in_child(do_restore, mode, at), whole;

	if (rc == 0) { /* to the end, or past what may fail */
		assert_int_equal(in_child(do_check, NOTHING, 0), 0);
		return false;
	}
	whole = in_child(do_check, NOTHING, 0);
	if (whole == 0) { /* in its very last step */
		assert_int_equal(in_child(do_restore, NOTHING, 0), -RESTANTE_E_EXISTS);
		return true;
	}
	assert_int_equal(whole, 100);
	assert_int_equal(in_child(do_refuse, NOTHING, 0), 0);
	rc = in_child(do_restore, NOTHING, 0);
	if (rc != 0)
		fail_msg("cut at %u (mode %u), the next restore ended with %d", at, (unsigned)mode, rc);
	assert_int_equal(in_child(do_check, NOTHING, 0), 0);
	++*begun;
	return true;
}

static void
a_restore_that_was_cut_off_is_asked_again(void **state)
{
	unsigned begun, writes;

	(void)state;
	remove_home();
	assert_int_equal(in_child(do_restore, NOTHING, 0), 0);
	for (enum mode mode = KILLED; mode <= FAILS_ON; mode++) {
		begun = 0;
		writes = 0;
		for (unsigned at = first(mode); at < 300; at += stride(mode)) {
			remove_home();
			if (cut_restore(mode, at, &begun))
				writes = at;
			else if (mode < FAILS || at > writes + 8)
				break;
		}
		print_message("# mode %u: cut at %u places, the last %u\n", (unsigned)mode, begun, writes);
		assert_true(begun > 30 / stride(mode) && writes < 250);
	}
	remove_home();
}

/* What the second attempt removes may be cut off as well. */
static void
so_is_one_that_began_again(void **state)
{
	unsigned begun = 0;

	(void)state;
	for (unsigned at = first(TORN); at < 200; at += stride(TORN)) {
		remove_home();
		assert_int_equal(in_child(do_restore, KILLED, 28), -1);
		if (!cut_restore(KILLED, at, &begun))
			break;
	}
	assert_true(begun > 25 / stride(TORN));
	remove_home();
}

static void
nobody_elses_directory_is_touched(void **state)
{
	char path[128];
	struct stat st;
	FILE *f;

	(void)state;
	remove_home();
	assert_int_equal(mkdir(home, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/unfinished", home);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("symphony\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(in_child(do_restore, NOTHING, 0), -RESTANTE_E_EXISTS);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 9);
	/* nor is an unfinished one made a new client */
	remove_home();
	for (unsigned at = 28; at < 40; at++) {
		(void)snprintf(path, sizeof(path), "%s/charter", home);
		if (in_child(do_restore, KILLED, at) == -1 && stat(path, &st) == 0)
			break;
	}
	assert_int_equal(in_child(do_init, NOTHING, 0), 0);
	remove_home();
}

/* ---- backups ---- */

static void
cut_backup(int (*make)(void), enum mode mode)
{
	unsigned cut = 0;
	int rc, is;

	for (unsigned at = 1; at < 100; at++) {
		(void)unlink(second);
		rc = in_child(make, mode, at);
		is = in_child(do_read, NOTHING, 0);
		assert_true(is == 0 || is == 50); /* whole, or none of that name */
		if (rc == 0) {
			assert_int_equal(is, 0);
			if (mode != FAILS)
				break;
		}
		cut += is == 50;
		(void)unlink(second);
		assert_int_equal(in_child(make, NOTHING, 0), 0);
		assert_int_equal(in_child(do_read, NOTHING, 0), 0);
		assert_int_equal(access(part, F_OK), -1);
		if (mode == FAILS && rc == 0 && at > 20)
			break;
	}
	assert_true(cut >= 4);
}

static void
a_backup_that_was_cut_off_leaves_none(void **state)
{
	(void)state;
	remove_home();
	assert_int_equal(in_child(do_restore, NOTHING, 0), 0);
	for (enum mode mode = KILLED; mode <= FAILS_ON; mode++) {
		cut_backup(do_write, mode);
		if (mode == KILLED || mode == FAILS_ON)
			cut_backup(do_backup, mode);
	}
	remove_home();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_restore_that_was_cut_off_is_asked_again, setup, teardown),
	cmocka_unit_test_setup_teardown(so_is_one_that_began_again, setup, teardown),
	cmocka_unit_test_setup_teardown(nobody_elses_directory_is_touched, setup, teardown),
	cmocka_unit_test_setup_teardown(a_backup_that_was_cut_off_leaves_none, setup, teardown),
};

TEST_MAIN(tests);
