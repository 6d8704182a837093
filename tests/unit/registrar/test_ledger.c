#include "config.h"

#include "tests/lib/test.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "registrar/ledger.h"

#define EPOCHS 40
#define MEMBERS 100

static const char *
path(void)
{
	static char text[512];
	static unsigned n;

	(void)snprintf(text, sizeof(text), "%s/ledger-%u", test_tmpdir(), n++);
	return text;
}

static struct ledger_entry
entry(uint32_t epoch, uint32_t member, enum token_kind kind, uint32_t batch, uint8_t hash)
{
	return (struct ledger_entry){ .epoch = epoch, .member = member, .kind = kind,
		.batch = batch, .hash = { hash } };
}

static enum err
claim(struct ledger *k, struct ledger_entry x)
{
	return ledger_claim(k, &x);
}

static void
test_each_batch_once(void **state)
{
	struct ledger *k;

	(void)state;
	assert_err_ok(ledger_open(&k, path(), NULL));
	assert_err_ok(claim(k, entry(5, 1, TOKEN_STAMP, 0, 7)));
	assert_err_ok(claim(k, entry(5, 1, TOKEN_STAMP, 0, 7)));
	assert_err(claim(k, entry(5, 1, TOKEN_STAMP, 0, 8)), ERR_EXISTS);
	assert_err_ok(claim(k, entry(5, 1, TOKEN_STAMP, 0, 7)));
	/* everything else is another batch */
	assert_err_ok(claim(k, entry(5, 1, TOKEN_STAMP, 1, 8)));
	assert_err_ok(claim(k, entry(5, 1, TOKEN_TICKET, 0, 8)));
	assert_err_ok(claim(k, entry(5, 2, TOKEN_STAMP, 0, 8)));
	assert_err_ok(claim(k, entry(6, 1, TOKEN_STAMP, 0, 8)));
	assert_err(claim(k, entry(5, 1, TOKEN_TICKET, 0, 7)), ERR_EXISTS);
	ledger_close(k);
}

static void
test_opened_again(void **state)
{
	const char *at = path();
	struct ledger *k, *twice;
	struct diag d;

	(void)state;
	assert_err_ok(ledger_open(&k, at, &d));
	for (uint32_t i = 0; i < 50; i++)
		assert_err_ok(claim(k, entry(5, i, TOKEN_STAMP, i, (uint8_t)i)));
	assert_true(ledger_open(&twice, at, &d) != ERR_OK); /* one process at a time */
	assert_contains(d.text, "do not remove it");
	ledger_close(k);
	assert_err_ok(ledger_open(&k, at, &d));
	for (uint32_t i = 0; i < 50; i++) {
		assert_err_ok(claim(k, entry(5, i, TOKEN_STAMP, i, (uint8_t)i)));
		assert_err(claim(k, entry(5, i, TOKEN_STAMP, i, (uint8_t)(i + 1))), ERR_EXISTS);
	}
	ledger_close(k);
}

/* More than one write's worth, and nothing of the epochs that stay. */
static void
test_prune(void **state)
{
	struct ledger *k;

	(void)state;
	assert_err_ok(ledger_open(&k, path(), NULL));
	for (uint32_t i = 0; i < 60; i++)
		for (uint32_t epoch = 254; epoch <= 257; epoch++)
			assert_err_ok(claim(k, entry(epoch, i, TOKEN_STAMP, 0, 1)));
	assert_err_ok(ledger_prune(k, 256));
	for (uint32_t i = 0; i < 60; i++) {
		assert_err_ok(claim(k, entry(254, i, TOKEN_STAMP, 0, 2)));
		assert_err_ok(claim(k, entry(255, i, TOKEN_STAMP, 0, 2)));
		assert_err(claim(k, entry(256, i, TOKEN_STAMP, 0, 2)), ERR_EXISTS);
		assert_err(claim(k, entry(257, i, TOKEN_STAMP, 0, 2)), ERR_EXISTS);
	}
	assert_err_ok(ledger_prune(k, UINT32_MAX));
	assert_err_ok(claim(k, entry(257, 3, TOKEN_STAMP, 0, 2)));
	ledger_close(k);
}

/* Bytes of all files of a directory. */
static uint64_t
size_of(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	uint64_t total = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char file[1024];
		struct stat st;

		(void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode))
			total += (uint64_t)st.st_size;
	}
	closedir(dir);
	return total;
}

/* It holds the epochs that are there and those to come, however long it runs. */
static void
test_many_epochs(void **state)
{
	const char *at = path();
	uint64_t early = 0, most = 0;
	struct ledger *k;

	(void)state;
	assert_err_ok(ledger_open(&k, at, NULL));
	for (uint32_t epoch = 1; epoch <= EPOCHS; epoch++) {
		uint64_t now;

		for (uint32_t member = 0; member < MEMBERS; member++)
			assert_err_ok(claim(k, entry(epoch + 4, member, TOKEN_STAMP, 0, 1)));
		assert_err_ok(ledger_prune(k, epoch));
		now = size_of(at);
		if (epoch == EPOCHS / 4)
			early = now;
		if (now > most)
			most = now;
	}
	assert_in_range(most, 1, 2 * early + 65536);
	ledger_close(k);
}

/*
 * A disk that is full for a while: what was refused may be claimed or not, but nothing that
 * was answered is lost, and the ledger opens again.
 */
static void
test_full_disk(void **state)
{
	const char *at = path();
	struct rlimit old, tight;
	struct ledger *k;
	uint32_t n = 0;

	(void)state;
	assert_err_ok(ledger_open(&k, at, NULL));
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (unsigned round = 0; round < 8; round++) {
		enum err e = ERR_OK;

		tight = (struct rlimit){ 4000 + 1777 * (round + 1), old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
		for (unsigned i = 0; e == ERR_OK && i < 1000; i++)
			if ((e = claim(k, entry(5, n, TOKEN_STAMP, 0, 1))) == ERR_OK)
				n++;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_true(e == ERR_FULL || e == ERR_IO);
		for (unsigned i = 0; i < 20; i++)
			assert_err_ok(claim(k, entry(5, n++, TOKEN_STAMP, 0, 1)));
	}
	ledger_close(k);
	assert_err_ok(ledger_open(&k, at, NULL));
	for (uint32_t i = 0; i < n; i++)
		assert_err(claim(k, entry(5, i, TOKEN_STAMP, 0, 2)), ERR_EXISTS);
	ledger_close(k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_each_batch_once),
	cmocka_unit_test(test_opened_again),
	cmocka_unit_test(test_prune),
	cmocka_unit_test(test_many_epochs),
	cmocka_unit_test(test_full_disk),
};
TEST_MAIN(tests)
