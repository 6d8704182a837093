#include "config.h"

#include "mix/purses.h"

#include <stdio.h>
#include <string.h>

#include "common/base/secret.h"
#include "common/charter/timing.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_registrar.h"

#define HOUR_MS INT64_C(3600000)
#define EPOCH 83124
#define TEXT_BYTES ((VISITS_COUNT + 1) * (ENROLMENT_TEXT_BYTES + 4))

static const uint8_t network_id[32] = { 3 };

/* ---- codes ---- */

/* A line for each, the i-th of secrets that begin with i + 1. */
static void
write_codes(char text[static TEXT_BYTES], size_t count)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		uint8_t secret[ENROLMENT_SECRET_BYTES] = { (uint8_t)(i + 1) };
		char code[ENROLMENT_TEXT_BYTES];

		enrolment_encode(code, secret, network_id);
		at += (size_t)snprintf(text + at, TEXT_BYTES - at, "%s\n", code);
	}
}

static void
test_one_code_a_session(void **state)
{
	char text[TEXT_BYTES];
	uint8_t *secrets;

	(void)state;
	write_codes(text, VISITS_COUNT);
	assert_err_ok(purses_read_codes(&secrets, text, network_id, NULL));
	for (size_t i = 0; i < VISITS_COUNT; i++)
		assert_int_equal(secrets[i * ENROLMENT_SECRET_BYTES], i + 1);
	secret_free(secrets);
}

/* A mail program wrapped them. */
static void
test_wrapped_codes(void **state)
{
	char text[TEXT_BYTES], wrapped[2 * TEXT_BYTES];
	uint8_t *secrets;
	size_t n = 0;

	(void)state;
	write_codes(text, VISITS_COUNT);
	for (size_t i = 0, column = 0; text[i] != '\0'; i++) {
		wrapped[n++] = text[i];
		column = text[i] == '\n' ? 0 : column + 1;
		if (column == 60)
			wrapped[n++] = '\n';
	}
	wrapped[n] = '\0';
	assert_err_ok(purses_read_codes(&secrets, wrapped, network_id, NULL));
	assert_int_equal(secrets[(VISITS_COUNT - 1) * ENROLMENT_SECRET_BYTES], VISITS_COUNT);
	secret_free(secrets);
}

/* A line end or blanks before the first, as an editor or a here-document leaves them. */
static void
test_blanks_before_the_codes(void **state)
{
	static const char *const blanks[] = { "\n", " ", "\t", "\r\n", " \n\n\t " };
	char text[TEXT_BYTES], behind[2 * TEXT_BYTES];
	uint8_t *secrets;

	(void)state;
	write_codes(text, VISITS_COUNT);
	for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
		(void)snprintf(behind, sizeof(behind), "%s%s", blanks[i], text);
		assert_err_ok(purses_read_codes(&secrets, behind, network_id, NULL));
		assert_int_equal(secrets[0], 1);
		assert_int_equal(secrets[(VISITS_COUNT - 1) * ENROLMENT_SECRET_BYTES],
		    VISITS_COUNT);
		secret_free(secrets);
	}
}

static void
refused(const char *text, enum err want, const char *says)
{
	uint8_t *secrets;
	struct diag d = { "" };

	assert_err(purses_read_codes(&secrets, text, network_id, &d), want);
	assert_non_null(strstr(d.text, says));
}

static void
test_other_numbers_of_codes(void **state)
{
	char text[TEXT_BYTES];

	(void)state;
	refused("", ERR_MALFORMED, "mistyped");
	refused("restante", ERR_MALFORMED, "mistyped");
	refused(" \n", ERR_MALFORMED, "mistyped");
	write_codes(text, 1);
	refused(text, ERR_USAGE, "1 codes instead of 6");
	write_codes(text, VISITS_COUNT - 1);
	refused(text, ERR_USAGE, "5 codes instead of 6");
	write_codes(text, VISITS_COUNT + 1);
	refused(text, ERR_USAGE, "7 codes instead of 6");
}

static void
test_a_code_twice(void **state)
{
	char text[TEXT_BYTES], *second;

	(void)state;
	write_codes(text, VISITS_COUNT);
	second = strchr(text, '\n') + 1;
	memcpy(second, text, (size_t)(second - text));
	refused(text, ERR_USAGE, "twice");
}

static void
test_codes_of_another_network(void **state)
{
	static const uint8_t other[32] = { 4 };
	char text[TEXT_BYTES];
	struct diag d = { "" };
	uint8_t *secrets;

	(void)state;
	write_codes(text, VISITS_COUNT);
	assert_err(purses_read_codes(&secrets, text, other, &d), ERR_DENIED);
	assert_non_null(strstr(d.text, "another network"));
}

/* A byte anywhere is another: never taken. */
static void
test_mistyped_codes(void **state)
{
	char text[TEXT_BYTES];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint8_t *secrets = NULL;
		size_t at;

		write_codes(text, VISITS_COUNT);
		at = (size_t)rng_below(test_rng(), (uint32_t)strlen(text));
		if (text[at] == '\n')
			continue;
		text[at] = text[at] == 'x' ? 'y' : 'x';
		assert_int_not_equal(purses_read_codes(&secrets, text, network_id, NULL), ERR_OK);
		assert_null(secrets);
	}
}

/* ---- the purses ---- */

struct scene {
	struct world *world;
	struct world_host *own, *registrar_host;
	struct network *network;
	struct fake_registrar registrar;
	struct disk *disk;
	struct workq *queue;
	struct purses *purses;
	unsigned told;
};

static void
on_changed(void *arg)
{
	struct scene *k = arg;
	struct purse_status s;

	k->told++;
	if (k->purses != NULL)
		purses_get_status(k->purses, &s);
}

static void
open_purses(struct scene *k, const uint8_t *codes)
{
	const struct purse_config cfg = { .loop = world_loop(k->own),
		.charters = k->network->charters,
		.disk = k->disk,
		.queue = k->queue,
		.rng = world_rng(k->world),
		.keys = world_rng(k->world) };

	assert_err_ok(purses_new(&k->purses, &cfg, codes, on_changed, k, NULL));
}

static void
make(struct scene *k)
{
	const struct world_config cfg = { .seed = rng_u64(test_rng()), .out = { .delay_us = 20000 },
		.wall_ms = (int64_t)EPOCH * 6 * HOUR_MS + HOUR_MS / 2 };
	struct params p;

	memset(k, 0, sizeof(*k));
	params_default(&p);
	p.stamps = 150;
	assert_err_ok(world_new(&k->world, &cfg));
	assert_err_ok(world_host_new(&k->own, k->world));
	assert_err_ok(world_host_new(&k->registrar_host, k->world));
	k->network = network_new(&(struct network_config){ .seed = 1, .params = &p,
	    .registrar = true });
	fake_registrar_start(&k->registrar, k->world, k->registrar_host, k->network);
	k->disk = disk_memory();
	k->queue = workq_new(world_loop(k->own), 1);
}

static void
unmake(struct scene *k)
{
	purses_free(k->purses);
	workq_free(k->queue);
	fake_registrar_stop(&k->registrar);
	disk_free(k->disk);
	world_free(k->world);
	network_free(k->network);
}

static void
show(struct scene *k, bool honest)
{
	struct buf b;

	buf_init(&b);
	fake_registrar_notice(&b, &k->registrar, EPOCH, honest);
	assert_err_ok(purses_notice(k->purses, b.data, b.len));
	buf_release(&b);
}

static const uint8_t codes[VISITS_COUNT * ENROLMENT_SECRET_BYTES] = {
	[0] = 1, [32] = 2, [64] = 3, [96] = 4, [128] = 5, [160] = 6,
};

/* Six members: each fetches its own allotment, and keeps it in files of its own. */
static void
test_each_session_is_a_member(void **state)
{
	struct purse_status one, all;
	struct scene k;

	(void)state;
	make(&k);
	open_purses(&k, codes);
	show(&k, true);
	assert_err_ok(world_run_for(k.world, HOUR_MS / 4));
	purses_get_status(k.purses, &all);
	assert_true(all.needed && all.enrolled);
	assert_int_equal(all.alarms, 0);
	assert_int_equal(all.tickets, VISITS_COUNT * ALLOTMENT_TICKETS_PER_HOUR);
	for (size_t i = 0; i < VISITS_COUNT; i++) {
		purse_get_status(purses_at(k.purses, i), &one);
		assert_int_equal(one.tickets, ALLOTMENT_TICKETS_PER_HOUR);
	}
	assert_true(k.told > 0);
	unmake(&k);
}

static void
test_they_come_back_with_their_own(void **state)
{
	struct purse_status all;
	struct scene k;

	(void)state;
	make(&k);
	open_purses(&k, codes);
	show(&k, true);
	assert_err_ok(world_run_for(k.world, HOUR_MS / 4));
	purses_free(k.purses);
	fake_registrar_stop(&k.registrar);
	open_purses(&k, codes);
	fake_registrar_start(&k.registrar, k.world, k.registrar_host, k.network);
	purses_get_status(k.purses, &all);
	assert_int_equal(all.tickets, VISITS_COUNT * ALLOTMENT_TICKETS_PER_HOUR);
	unmake(&k);
}

static void
test_without_codes(void **state)
{
	struct purse_status all;
	struct scene k;

	(void)state;
	make(&k);
	open_purses(&k, NULL);
	purses_get_status(k.purses, &all);
	assert_true(all.needed);
	assert_false(all.enrolled);
	assert_true((all.alarms & PURSE_ALARM_ENROL) != 0);
	unmake(&k);
}

/* What is shown to one session, all are warned of. */
static void
test_another_notice_is_everybodys_alarm(void **state)
{
	struct purse_status one;
	struct scene k;

	(void)state;
	make(&k);
	open_purses(&k, codes);
	show(&k, true);
	show(&k, false);
	for (size_t i = 0; i < VISITS_COUNT; i++) {
		purse_get_status(purses_at(k.purses, i), &one);
		assert_true((one.alarms & PURSE_ALARM_KEYS) != 0);
	}
	unmake(&k);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_one_code_a_session),
	cmocka_unit_test(test_wrapped_codes),
	cmocka_unit_test(test_blanks_before_the_codes),
	cmocka_unit_test(test_other_numbers_of_codes),
	cmocka_unit_test(test_a_code_twice),
	cmocka_unit_test(test_codes_of_another_network),
	cmocka_unit_test(test_mistyped_codes),
	cmocka_unit_test(test_each_session_is_a_member),
	cmocka_unit_test(test_they_come_back_with_their_own),
	cmocka_unit_test(test_without_codes),
	cmocka_unit_test(test_another_notice_is_everybodys_alarm),
};
TEST_MAIN(tests)
