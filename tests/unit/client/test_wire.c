/*
 * What the command and its agent say to each other: every type there and back,
 * cut at every byte, and nothing that is not exact.
 */
#include "config.h"

#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/command/wire.h"

static const enum wire_type types[] = { WIRE_STATUS, WIRE_INVITE, WIRE_ACCEPT, WIRE_CONTACTS,
	WIRE_CHANGE, WIRE_SEND_TEXT, WIRE_SEND_FILE, WIRE_MESSAGE, WIRE_FOLLOW, WIRE_SAVE,
	WIRE_DELETE, WIRE_CANCEL, WIRE_RETENTION, WIRE_STOP, WIRE_DONE, WIRE_IS_STATUS,
	WIRE_IS_CONTACT, WIRE_IS_MESSAGE, WIRE_IS_INVITATION, WIRE_IS_QUEUED, WIRE_IS_EVENT,
	WIRE_EVIDENCE, WIRE_IS_EVIDENCE };
#define TYPES (sizeof(types) / sizeof(types[0]))

static void
fill(char *name, size_t size)
{
	size_t n = rng_below(test_rng(), (uint32_t)size);

	memset(name, 0, size);
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(1 + rng_below(test_rng(), 255));
}

/* Something in every field; text lives as long as the program. */
static struct wire
random_wire(enum wire_type type)
{
	static char text[600];
	struct wire m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	fill(m.name, sizeof(m.name));
	fill(text, sizeof(text));
	m.text = text;
	m.text_len = strlen(text);
	m.number = rng_u64(test_rng());
	m.seconds = rng_u64(test_rng());
	m.bytes = rng_u64(test_rng());
	m.half_ms = rng_u64(test_rng());
	m.most_ms = rng_u64(test_rng());
	m.code = (int32_t)rng_u64(test_rng());
	m.status.online = 1;
	m.status.alarms = (unsigned)rng_u64(test_rng());
	m.status.clock_skew_ms = -(int64_t)rng_below(test_rng(), 100000);
	m.status.round = rng_u64(test_rng());
	m.status.time_scale = 20;
	m.status.half_ms = (int64_t)rng_below(test_rng(), 1000000);
	m.status.most_ms = (int64_t)rng_below(test_rng(), 1000000);
	m.status.people_effective = rng_below(test_rng(), 1000);
	m.status.people_least = rng_below(test_rng(), 1000);
	fill(m.status.network, sizeof(m.status.network));
	m.contact.id = 9;
	fill(m.contact.name, sizeof(m.contact.name));
	m.contact.state = (enum restante_contact_state)rng_below(test_rng(), 3);
	m.contact.verified = (int)rng_below(test_rng(), 2);
	fill(m.contact.safety_number, sizeof(m.contact.safety_number));
	fill(m.evidence.kind, sizeof(m.evidence.kind));
	fill(m.evidence.text, sizeof(m.evidence.text));
	fill(m.evidence.sentence, sizeof(m.evidence.sentence));
	m.evidence.number = rng_u64(test_rng());
	m.message.id = rng_u64(test_rng());
	m.message.late = (int)rng_below(test_rng(), 2);
	m.message.state = (enum restante_message_state)rng_below(test_rng(), 5);
	m.message.time = (int64_t)rng_u64(test_rng());
	m.message.done = (uint32_t)rng_u64(test_rng());
	fill(m.message.name, sizeof(m.message.name));
	m.through_tor = rng_below(test_rng(), 2) == 1;
	m.tor.own = rng_below(test_rng(), 2) == 1;
	m.tor.state = (enum tor_state)rng_below(test_rng(), 4);
	m.tor.key = (enum tor_key)rng_below(test_rng(), 4);
	m.tor.bootstrap.progress = rng_below(test_rng(), 101);
	m.tor.starts = (uint32_t)rng_u64(test_rng());
	fill(m.tor.bootstrap.tag, sizeof(m.tor.bootstrap.tag));
	fill(m.tor.version, sizeof(m.tor.version));
	fill(m.tor.why.text, sizeof(m.tor.why.text));
	m.event = type == WIRE_IS_EVENT ? (enum restante_event_kind)rng_below(test_rng(), 5)
					: RESTANTE_EVENT_MESSAGE;
	return m;
}

static void
every_type_there_and_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40 * TYPES; i++) {
		struct wire m = random_wire(types[i % TYPES]), back;
		struct buf once, twice;
		size_t len;
		buf_init(&once);
		buf_init(&twice);
		assert_err_ok(wire_encode(&once, &m));
		assert_err_ok(wire_length(&len, once.data, once.len));
		assert_int_equal(len, once.len);
		assert_err_ok(wire_decode(&back, once.data, len));
		assert_int_equal(back.type, m.type);
		assert_err_ok(wire_encode(&twice, &back));
		assert_int_equal(twice.len, once.len);
		assert_memory_equal(twice.data, once.data, once.len);
		buf_release(&once);
		buf_release(&twice);
	}
}

static void
fields_arrive(void **state)
{
	struct wire m = random_wire(WIRE_IS_EVENT), back;
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_err_ok(wire_encode(&b, &m));
	assert_err_ok(wire_decode(&back, b.data, b.len));
	assert_string_equal(back.name, m.name);
	assert_string_equal(back.text, m.text);
	assert_int_equal(back.text_len, m.text_len);
	assert_int_equal(back.event, m.event);
	assert_int_equal(back.message.id, m.message.id);
	assert_int_equal(back.message.time, m.message.time);
	assert_string_equal(back.message.name, m.message.name);
	buf_release(&b);
	m = random_wire(WIRE_IS_EVIDENCE);
	assert_err_ok(wire_encode(&b, &m));
	assert_err_ok(wire_decode(&back, b.data, b.len));
	assert_string_equal(back.evidence.kind, m.evidence.kind);
	assert_string_equal(back.evidence.text, m.evidence.text);
	assert_string_equal(back.evidence.sentence, m.evidence.sentence);
	assert_true(back.evidence.number == m.evidence.number);
	buf_release(&b);
	m = random_wire(WIRE_IS_STATUS);
	assert_err_ok(wire_encode(&b, &m));
	assert_err_ok(wire_decode(&back, b.data, b.len));
	assert_int_equal(back.status.clock_skew_ms, m.status.clock_skew_ms);
	assert_string_equal(back.status.network, m.status.network);
	assert_int_equal(back.status.time_scale, 20);
	assert_int_equal(back.through_tor, m.through_tor);
	if (m.through_tor) {
		assert_int_equal(back.tor.state, m.tor.state);
		assert_int_equal(back.tor.starts, m.tor.starts);
		assert_string_equal(back.tor.why.text, m.tor.why.text);
	}
	buf_release(&b);
	m = random_wire(WIRE_DONE);
	assert_err_ok(wire_encode(&b, &m));
	assert_err_ok(wire_decode(&back, b.data, b.len));
	assert_int_equal(back.code, m.code);
	buf_release(&b);
}

static void
every_truncation_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < TYPES; i++) {
		struct wire m = random_wire(types[i]), back;
		struct buf b;
		size_t len;
		buf_init(&b);
		assert_err_ok(wire_encode(&b, &m));
		for (size_t n = 0; n < b.len; n++) {
			assert_err_ok(wire_length(&len, b.data, n));
			assert_int_equal(len, 0); /* more is needed */
			assert_int_not_equal(wire_decode(&back, b.data, n), ERR_OK);
		}
		assert_err_ok(buf_append(&b, "x", 1, SIZE_MAX));
		assert_err(wire_decode(&back, b.data, b.len), ERR_TRAILING);
		buf_release(&b);
	}
}

static void
spoilt_messages_are_refused(void **state)
{
	uint8_t type_only[5] = { 1, 0, 0, 0, 0 };
	struct wire m = { .type = WIRE_SEND_TEXT, .name = "bob", .text = "hello", .text_len = 5 }, back;
	struct buf b;
	size_t len;

	(void)state;
	for (unsigned t = 0; t < 256; t++) {
		bool bare = t == WIRE_STATUS || t == WIRE_CONTACTS || t == WIRE_FOLLOW || t == WIRE_STOP ||
		    t == WIRE_EVIDENCE;
		type_only[4] = (uint8_t)t;
		assert_int_equal(wire_decode(&back, type_only, 5) == ERR_OK, bare);
	}
	store_u32(type_only, WIRE_MESSAGE_MAX);
	assert_err(wire_length(&len, type_only, 5), ERR_RANGE);
	store_u32(type_only, UINT32_MAX);
	assert_err(wire_length(&len, type_only, 5), ERR_RANGE);
	buf_init(&b);
	assert_err_ok(wire_encode(&b, &m));
	b.data[b.len - 1] = 'x'; /* the final NUL */
	assert_err(wire_decode(&back, b.data, b.len), ERR_MALFORMED);
	b.data[b.len - 1] = 0;
	b.data[b.len - 3] = 0; /* one within the text */
	assert_err(wire_decode(&back, b.data, b.len), ERR_MALFORMED);
	buf_release(&b);
}

static void
names_and_numbers_have_their_range(void **state)
{
	struct wire m = random_wire(WIRE_IS_CONTACT), back;
	struct buf b;

	(void)state;
	memset(m.contact.name, 0, sizeof(m.contact.name));
	buf_init(&b);
	assert_err_ok(wire_encode(&b, &m));
	/* length u32, type, id u32, name: length u32 and NUL; then the state */
	b.data[4 + 1 + 4 + 4 + 1] = 3;
	assert_err(wire_decode(&back, b.data, b.len), ERR_MALFORMED);
	b.data[4 + 1 + 4 + 4 + 1] = 2;
	assert_err_ok(wire_decode(&back, b.data, b.len));
	b.data[4 + 1 + 4 + 4 + 2] = 2; /* verified */
	assert_err(wire_decode(&back, b.data, b.len), ERR_MALFORMED);
	buf_release(&b);
	m = random_wire(WIRE_ACCEPT);
	m.text_len = 0;
	m.text = "";
	assert_err_ok(wire_encode(&b, &m));
	buf_release(&b);
	m.text_len = WIRE_MESSAGE_MAX;
	char *huge = calloc(1, WIRE_MESSAGE_MAX);
	assert_non_null(huge);
	m.text = huge;
	assert_err(wire_encode(&b, &m), ERR_RANGE);
	assert_int_equal(b.len, 0);
	free(huge);
	buf_release(&b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_type_there_and_back),
	cmocka_unit_test(fields_arrive),
	cmocka_unit_test(every_truncation_is_refused),
	cmocka_unit_test(spoilt_messages_are_refused),
	cmocka_unit_test(names_and_numbers_have_their_range),
};

TEST_MAIN(tests)
