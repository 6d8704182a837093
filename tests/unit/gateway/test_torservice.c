#include "config.h"

#include "gateway/torservice.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/encode.h"
#include "common/base/secret.h"
#include "common/net/control.h"
#include "common/net/link.h"
#include "common/token/issuance.h"
#include "tests/lib/network.h"
#include "tests/lib/test.h"
#include "tests/unit/net/fake_socks.h"
#include "tests/unit/net/fake_tor.h"

#define START_MS INT64_C(1900000000000)
#define SECOND_MS INT64_C(1000)
#define ENTRANCE "unix:/gateway/entrance"
#define GUESTS_MAX 512
#define CIRCUITS_MAX 3000
#define STATES_MAX 4096

/* A gateway's onion service, a tor that plays along, and an entry that answers probes. */
struct scene {
	struct world *world;
	struct world_host *gateway, *other;
	struct network *network;
	struct fake_tor tor;
	struct fake_socks socks;
	struct listener *entrance;
	struct link *guests[GUESTS_MAX];
	size_t guest_count;
	uint8_t link_sk[32], link_pk[32];
	struct onionkey *key;
	struct members members;
	struct torservice_config cfg;
	struct torservice *service;
	struct log log;
	FILE *out;
	char *text;
	size_t text_len;
	/* how the fake tor behaves */
	const char *add_error;	/* instead of the service */
	unsigned add_errors;	/* so often; then as it should be */
	const char *service_id; /* what it says to have made */
	bool no_uploads, failing_uploads, silent_add, no_auth, no_circuit_status, no_fetch;
	bool knows_key;	      /* our probe's; a reload takes it away */
	bool other_socks;     /* the SOCKS port is another tor's */
	bool twin;	      /* the entry does not see the links */
	bool registrar;	      /* its links are not a gateway's */
	unsigned circuits;    /* of ours that are open */
	/* what happened */
	char trace[65536];    /* the first letters of the commands */
	unsigned fetches, adds, dels, closed_circuits, listings, evictions, changes;
	unsigned with_pow, keys; /* of the last ADD_ONION */
	bool there, asked;
	size_t connections; /* what was there belongs to an earlier one */
	enum torservice_state state, past[STATES_MAX];
	size_t past_count, awaited; /* how many of them were awaited, or are past */
};

/* ---- the fake tor ---- */

static void
say_uploads(struct scene *k)
{
	char text[512];

	for (int i = 0; i < 4; i++) {
		(void)snprintf(text, sizeof(text), "650 HS_DESC UPLOAD %s UNKNOWN $AA~r%d blinded "
		    "HSDIR_INDEX=00\r\n", k->key->id, i);
		fake_tor_say(&k->tor, text);
	}
	for (int i = 0; i < 4; i++) {
		(void)snprintf(text, sizeof(text), "650 HS_DESC %s %s UNKNOWN $AA~r%d%s\r\n",
		    k->failing_uploads ? "FAILED" : "UPLOADED", k->key->id, i,
		    k->failing_uploads ? " REASON=UPLOAD_REJECTED" : "");
		fake_tor_say(&k->tor, text);
	}
}

static unsigned
count_of(const char *line, const char *word)
{
	unsigned n = 0;

	for (const char *p = line; (p = strstr(p, word)) != NULL; p++)
		n++;
	return n;
}

static void
take_add(struct scene *k, const char *line)
{
	char text[256];

	k->adds++;
	k->with_pow = count_of(line, " PoWDefensesEnabled=1 ");
	k->keys = count_of(line, " ClientAuthV3=");
	assert_non_null(strstr(line, " Flags=V3Auth MaxStreams=4 "));
	assert_non_null(strstr(line, " Port=80," ENTRANCE " ClientAuthV3="));
	if (k->silent_add)
		return;
	if (k->add_errors > 0) {
		k->add_errors--;
		fake_tor_say(&k->tor, k->add_error);
		return;
	}
	assert_false(k->there);
	k->there = true;
	(void)snprintf(text, sizeof(text), "250-ServiceID=%s\r\n250 OK\r\n",
	    k->service_id != NULL ? k->service_id : k->key->id);
	fake_tor_say(&k->tor, text);
	if (!k->no_uploads)
		say_uploads(k);
}

static void
say_circuits(struct scene *k)
{
	size_t size = 4096 + 300 * (size_t)CIRCUITS_MAX, n = 0;
	char *text = malloc(size);

	assert_non_null(text);
	k->listings++;
	n += (size_t)snprintf(text + n, size - n, "250+circuit-status=\r\n"
	    "7 BUILT $AA~a PURPOSE=HS_SERVICE_INTRO HS_STATE=HSSI_ESTABLISHED REND_QUERY=%s\r\n"
	    "8 BUILT $AA~a PURPOSE=HS_SERVICE_REND REND_QUERY=another\r\n"
	    "9 BUILT $AA~a PURPOSE=HS_CLIENT_REND REND_QUERY=%s\r\n", k->key->id, k->key->id);
	for (unsigned i = 0; i < k->circuits; i++)
		n += (size_t)snprintf(text + n, size - n, "%u BUILT $AAAAAAAAAAAAAAAA~a,$BB~b,$CC~c "
		    "BUILD_FLAGS=IS_INTERNAL,NEED_CAPACITY PURPOSE=HS_SERVICE_REND "
		    "HS_STATE=HSSR_JOINED REND_QUERY=%s TIME_CREATED=2026-11-28T05:00:00.0\r\n",
		    100 + i, k->key->id);
	(void)snprintf(text + n, size - n, ".\r\n250 OK\r\n");
	fake_tor_say(&k->tor, text);
	free(text);
}

static void
take_command(void *arg, const char *line)
{
	struct scene *k = arg;
	size_t n = strlen(k->trace);
	bool again; /* only to see that tor answers */

	if (k->connections != k->tor.dials)
		k->there = k->asked = false;
	k->connections = k->tor.dials;
	again = k->asked && strcmp(line, "GETINFO status/bootstrap-phase") == 0;
	k->asked |= line[0] == 'G';
	again |= n > 0 && line[0] == 'O' && k->trace[n - 1] == 'O'; /* with every probe */
	if (n + 2 < sizeof(k->trace) && line[0] != 'C' && line[0] != 'H' && !again) {
		k->trace[n] = line[0] == 'G' && strstr(line, "circuit") != NULL ? 'c' : line[0];
		k->trace[n + 1] = '\0';
	}
	if (strncmp(line, "ADD_ONION ", 10) == 0) {
		take_add(k, line);
	} else if (strncmp(line, "DEL_ONION ", 10) == 0) {
		k->dels++;
		assert_true(k->there);
		k->there = false;
		fake_tor_say(&k->tor, "250 OK\r\n");
	} else if (strcmp(line, "GETINFO status/bootstrap-phase") == 0) {
		fake_tor_say(&k->tor, "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=90 "
		    "TAG=x SUMMARY=\"Almost\"\r\n250 OK\r\n650 STATUS_CLIENT NOTICE BOOTSTRAP "
		    "PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n");
	} else if (strcmp(line, "GETINFO circuit-status") == 0 && k->no_circuit_status) {
		fake_tor_say(&k->tor, "551 No\r\n");
	} else if (strcmp(line, "GETINFO circuit-status") == 0) {
		say_circuits(k);
	} else if (strncmp(line, "CLOSECIRCUIT ", 13) == 0) {
		assert_true(strtoul(line + 13, NULL, 10) >= 100);
		k->closed_circuits++;
		k->circuits--;
		fake_tor_say(&k->tor, "250 OK\r\n");
	} else if (strncmp(line, "HSFETCH ", 8) == 0) {
		char text[128];

		assert_string_equal(line + 8, k->key->id);
		(void)snprintf(text, sizeof(text), "250 OK\r\n650 HS_DESC RECEIVED %s NO_AUTH "
		    "$AA~r descriptor\r\n", k->key->id);
		k->fetches++;
		fake_tor_say(&k->tor, k->no_fetch ? "512 No\r\n" : text);
	} else if (strncmp(line, "ONION_CLIENT_AUTH_ADD ", 22) == 0) {
		k->knows_key = !k->no_auth;
		if (k->socks.code == 0xf4 && k->knows_key && !k->other_socks)
			k->socks.code = 0;
		fake_tor_say(&k->tor, k->no_auth ? "553 No\r\n" : "250 OK\r\n");
	} else {
		assert_string_equal(line, "SETEVENTS HS_DESC STATUS_CLIENT");
		fake_tor_say(&k->tor, "250 OK\r\n");
	}
}

/* ---- the entry ---- */

static void
on_up(void *arg)
{
	struct scene *k = arg;

	/* the last one that came is the one that is up: one at a time */
	if (!k->twin && k->service != NULL)
		torservice_saw(k->service, link_hash(k->guests[k->guest_count - 1]));
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
	(void)arg;
	(void)why;
}

static void
on_accept(void *arg, struct conn *c)
{
	static const struct link_events events = { on_up, on_frame, NULL, on_down };
	struct scene *k = arg;
	struct link_config cfg = { .pattern = NOISE_NK,
		.own_sk = k->link_sk,
		.own_pk = k->link_pk,
		.send_bytes = k->cfg.down_bytes,
		.receive_bytes = k->cfg.up_bytes,
		.out_frames_max = 4,
		.handshake_ms = 20000,
		.keys = test_rng() };

	assert_true(k->guest_count < GUESTS_MAX);
	memcpy(cfg.network_id, k->network->charter->network_id, sizeof(cfg.network_id));
	assert_err_ok(link_accept(&k->guests[k->guest_count], world_loop(k->gateway), c, &cfg,
	    &events, k));
	k->guest_count++;
}

/* ---- the scene ---- */

static void
on_changed(void *arg, enum torservice_state s)
{
	struct scene *k = arg;

	k->changes++;
	k->state = s;
	assert_true(k->past_count < STATES_MAX);
	k->past[k->past_count++] = s;
}

static void
on_evict(void *arg)
{
	struct scene *k = arg;

	k->evictions++;
	if (k->circuits > 0 && !k->no_circuit_status)
		fail_msg("sessions are ended before their circuits");
}

static void
add_group(struct scene *k, const char *name)
{
	uint8_t sk[32], pk[32];

	rng_bytes(test_rng(), sk, sizeof(sk));
	assert_int_equal(crypto_scalarmult_base(pk, sk), 0);
	assert_err_ok(members_add(&k->members, name, pk, NULL));
}

static int
set_up(void **state)
{
	struct world_config world = { .seed = test_seed(), .wall_ms = START_MS };
	struct network_config network = { .seed = test_seed() };
	struct scene *k = calloc(1, sizeof(*k));
	struct disk *disk = disk_memory();
	struct diag d = { "" };

	assert_non_null(k);
	world.out.delay_us = world.in.delay_us = 100;
	assert_err_ok(world_new(&k->world, &world));
	assert_err_ok(world_host_new(&k->gateway, k->world));
	assert_err_ok(world_host_new(&k->other, k->world));
	k->network = network_new(&network);
	fake_tor_start(&k->tor, k->world, k->other);
	k->tor.reply = take_command;
	k->tor.reply_arg = k;
	fake_socks_start(&k->socks, world_loop(k->other), FAKE_SOCKS_ADDRESS, ENTRANCE);
	assert_err_ok(listener_open(&k->entrance, world_loop(k->gateway), ENTRANCE, on_accept, k, &d));
	rng_bytes(test_rng(), k->link_sk, sizeof(k->link_sk));
	assert_int_equal(crypto_scalarmult_base(k->link_pk, k->link_sk), 0);
	assert_err_ok(onionkey_make(&k->key, disk, test_rng(), NULL));
	disk_free(disk);
	k->out = open_memstream(&k->text, &k->text_len);
	assert_non_null(k->out);
	k->log = (struct log){ .out = k->out, .clock = loop_clock(world_loop(k->gateway)) };
	add_group(k, "alpha");
	add_group(k, "beta");
	*state = k;
	return 0;
}

static void
start(struct scene *k)
{
	static const struct torservice_events events = { on_changed, on_evict };

	k->cfg = (struct torservice_config){ .loop = world_loop(k->gateway),
		.charter = k->network->charter,
		.key = k->key,
		.link_pk = k->link_pk,
		.up_bytes = k->registrar ? ISSUANCE_REQUEST_BYTES :
			params_up_frame_bytes(&k->network->charter->params),
		.down_bytes = k->registrar ? ISSUANCE_ANSWER_BYTES :
			params_down_frame_bytes(&k->network->charter->params),
		.port = 80,
		.target = ENTRANCE,
		.control = FAKE_TOR_ADDRESS,
		.socks = FAKE_SOCKS_ADDRESS,
		.pow = true,
		.streams = 4,
		.rng = test_rng(),
		.keys = test_rng(),
		.log = &k->log };
	assert_err_ok(torservice_new(&k->service, &k->cfg, &k->members, &events, k));
}

static int
tear_down(void **state)
{
	struct scene *k = *state;

	torservice_free(k->service);
	for (size_t i = 0; i < k->guest_count; i++)
		link_free(k->guests[i]);
	listener_free(k->entrance);
	fake_socks_stop(&k->socks);
	fake_tor_stop(&k->tor);
	world_free(k->world);
	network_free(k->network);
	onionkey_free(k->key);
	(void)fclose(k->out);
	free(k->text);
	free(k);
	return 0;
}

static void
run(struct scene *k, int64_t seconds)
{
	assert_err_ok(world_run_for(k->world, seconds * SECOND_MS));
}

/* Whether this state came since what was awaited last. */
static bool
came(struct scene *k, enum torservice_state s)
{
	while (k->awaited < k->past_count)
		if (k->past[k->awaited++] == s)
			return true;
	return false;
}

/* Until this state comes, for at most so many seconds. */
static void
await(struct scene *k, enum torservice_state s, int64_t seconds)
{
	bool there = came(k, s);

	for (int64_t i = 0; i < 10 * seconds && !there; i++) {
		assert_err_ok(world_run_for(k->world, 100));
		there = came(k, s);
	}
	if (!there)
		fail_msg("state %d and not %d; %s", (int)k->state, (int)s, k->trace);
}

/* Forget what has come up to now. */
static void
from_now(struct scene *k)
{
	k->awaited = k->past_count;
}

static unsigned
logged(struct scene *k, const char *what)
{
	assert_int_equal(fflush(k->out), 0);
	return count_of(k->text, what);
}

static struct torservice_status
status(const struct scene *k)
{
	struct torservice_status s;

	torservice_get_status(k->service, &s);
	return s;
}

/* ---- tests ---- */

static void
test_published_and_reached(void **state)
{
	struct scene *k = *state;
	struct torservice_status s;
	char target[80];

	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_string_equal(k->trace, "SGAO");
	assert_int_equal(k->with_pow, 1);
	assert_int_equal(k->keys, 3); /* two groups and the probe */
	s = status(k);
	assert_true(s.connected && s.published && s.probed && s.probe_ok);
	assert_string_equal(s.version, "0.4.9.11");
	assert_string_equal(s.trouble, "");
	assert_int_equal(s.groups, 2);
	assert_int_equal(s.uploaded, 4);
	(void)snprintf(target, sizeof(target), "%s.onion:80", k->key->id);
	assert_string_equal(k->socks.target, target);
	assert_int_equal(logged(k, "onion-ready"), 1);
	/* a probe every ten minutes or so, and nothing else */
	run(k, 7200);
	assert_string_equal(k->trace, "SGAO");
	assert_in_range(k->socks.dials, 8, 26);
	assert_int_equal(k->fetches, k->socks.dials);
	assert_int_equal(logged(k, "alarm"), 0);
	assert_int_equal(k->evictions, 0);
}

/* The line that is sent is what a tor needs, to the last character. */
static void
test_command(void **state)
{
	struct scene *k = *state;
	uint8_t expanded[64];
	char base64[89], key[53], want[512];
	const char *heard;

	k->members.count = 1;
	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_err_ok(buf_append(&k->tor.heard, "", 1, SIZE_MAX));
	hsid_expand(expanded, k->key->seed);
	(void)sodium_bin2base64(base64, sizeof(base64), expanded, 64,
	    sodium_base64_VARIANT_ORIGINAL);
	encode_base32(key, k->members.list[0].key, 32);
	(void)snprintf(want, sizeof(want), "ADD_ONION ED25519-V3:%s Flags=V3Auth MaxStreams=4 "
	    "PoWDefensesEnabled=1 Port=80," ENTRANCE " ClientAuthV3=", base64);
	heard = strstr((const char *)k->tor.heard.data, want);
	assert_non_null(heard);
	heard += strlen(want) + 52; /* the probe's */
	(void)snprintf(want, sizeof(want), " ClientAuthV3=%s\r\n", key);
	assert_memory_equal(heard, want, strlen(want));
}

static void
test_most_groups_fit(void **state)
{
	struct scene *k = *state;

	for (int i = 2; i < MEMBERS_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "g%d", i);
		add_group(k, name);
	}
	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_int_equal(k->keys, MEMBERS_MAX + 1);
}

static void
test_nobody(void **state)
{
	struct scene *k = *state;
	struct members some = k->members, none = { .count = 0 };

	k->members = none;
	start(k);
	await(k, TORSERVICE_NOBODY, 10);
	run(k, 3600);
	assert_int_equal(k->adds, 0);
	assert_int_equal(k->socks.dials, 0);
	assert_int_equal(logged(k, "onion-no-members"), 1);
	assert_int_equal(logged(k, "alarm"), 0);
	torservice_set_members(k->service, &some, false);
	await(k, TORSERVICE_READY, 10);
	torservice_set_members(k->service, &none, true);
	await(k, TORSERVICE_NOBODY, 10);
	assert_false(k->there);
	assert_int_equal(k->evictions, 1);
}

static void
test_added_again_after_loss(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	for (unsigned i = 1; i <= 5; i++) {
		fake_tor_hang_up(&k->tor);
		await(k, TORSERVICE_NO_TOR, 5);
		assert_string_not_equal(status(k).trouble, "");
		await(k, TORSERVICE_READY, 20);
		assert_int_equal(k->adds, 1 + i);
		assert_string_equal(status(k).trouble, "");
	}
	assert_int_equal(logged(k, "alarm"), 0);
	assert_int_equal(logged(k, "tor-lost"), 5);
}

/* Nothing is to be asked of it, and it does not hang up: it is noticed all the same. */
static void
test_tor_hangs(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	run(k, 3600);
	assert_int_equal(k->tor.dials, 1);
	k->tor.hang = FAKE_TOR_COMMANDS;
	await(k, TORSERVICE_NO_TOR, (TORSERVICE_LOOK_MS + CONTROL_COMMAND_MS) / 1000 + 1);
	assert_non_null(strstr(status(k).trouble, "has not answered"));
	k->tor.hang = FAKE_TOR_STAGES;
	await(k, TORSERVICE_READY, 120);
	assert_int_equal(k->adds, 2);
}

/* A tor that stays away is an alarm after two minutes, and one that comes back ends it. */
static void
test_tor_away(void **state)
{
	struct scene *k = *state;
	unsigned dials;

	world_refuse(k->other, true);
	start(k);
	run(k, 100);
	assert_int_equal(logged(k, "onion-down "), 0);
	run(k, 7200);
	assert_int_equal(logged(k, "onion-down state=1"), 1);
	dials = k->tor.dials;
	assert_int_equal(dials, 0);
	world_refuse(k->other, false);
	await(k, TORSERVICE_READY, 70);
	assert_int_equal(logged(k, "onion-down-over"), 1);
}

static void
test_older_tor_without_pow(void **state)
{
	struct scene *k = *state;

	k->add_error = "512 Bad arguments to ADD_ONION: Unrecognized keyword argument "
		       "\"PoWDefensesEnabled\"\r\n";
	k->add_errors = 1;
	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_string_equal(k->trace, "SGAAO");
	assert_int_equal(k->with_pow, 0);
	assert_int_equal(logged(k, "onion-no-pow"), 1);
	assert_int_equal(logged(k, "alarm"), 0);
}

/* Whatever tor says to ADD_ONION, it is asked less and less often, and that is said. */
static void
test_refused(void **state)
{
	static const char *const errors[] = { "512 Invalid VIRTPORT/TARGET\r\n", "513 Invalid key\r\n",
		"551 Failed to generate onion address\r\n", "552 Unrecognized\r\n" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct scene *k;
		void *own = NULL;

		assert_int_equal(set_up(&own), 0);
		k = own;
		k->add_error = errors[i];
		k->add_errors = 100000;
		start(k);
		await(k, TORSERVICE_REFUSED, 10);
		assert_contains(status(k).trouble, "tor answers 5");
		run(k, 3600);
		assert_in_range(k->adds, 40, 150);
		assert_int_equal(logged(k, "onion-down state=3"), 1);
		k->add_errors = 0;
		from_now(k);
		await(k, TORSERVICE_READY, 70);
		assert_int_equal(logged(k, "onion-down-over"), 1);
		assert_int_equal(tear_down(&own), 0);
	}
}

/* Our own former connection may collide with us once; a second time somebody else does. */
static void
test_collision(void **state)
{
	struct scene *k = *state;

	k->add_error = "550 Onion address collision\r\n";
	k->add_errors = 1;
	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_int_equal(logged(k, "alarm"), 0);
	fake_tor_hang_up(&k->tor);
	k->add_errors = 5;
	await(k, TORSERVICE_COLLISION, 10);
	assert_contains(status(k).trouble, "other gateway");
	await(k, TORSERVICE_READY, 120);
	assert_int_equal(logged(k, "onion-down state=4"), 1);
	assert_int_equal(logged(k, "onion-down-over"), 1);
}

/* Another address than ours is taken away again, and nothing is tried any more. */
static void
test_foreign_address(void **state)
{
	struct scene *k = *state;

	k->service_id = "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead";
	start(k);
	await(k, TORSERVICE_FOREIGN, 10);
	run(k, 3600);
	assert_string_equal(k->trace, "SGAD");
	fake_tor_hang_up(&k->tor);
	run(k, 3600);
	assert_int_equal(k->adds, 1);
	assert_int_equal(k->state, TORSERVICE_FOREIGN);
	assert_int_equal(logged(k, "onion-down state=5"), 1);
	assert_int_equal(logged(k, "onion-down-over"), 0);
}

/* Uploads that fail, or do not even begin: an alarm, and a new attempt every minute or two. */
static void
test_uploads_fail(void **state)
{
	struct scene *k = *state;

	k->failing_uploads = true;
	start(k);
	await(k, TORSERVICE_UPLOADS_FAIL, 120);
	assert_contains(status(k).trouble, "100 %");
	run(k, 3600);
	assert_in_range(k->adds, 30, 45);
	assert_int_equal(k->dels + (unsigned)k->there, k->adds);
	assert_int_equal(k->socks.dials, 0);
	assert_int_equal(logged(k, "onion-down state=7"), 1);
	k->failing_uploads = false;
	k->no_uploads = true;
	run(k, 1800);
	assert_int_equal(k->socks.dials, 0);
	k->no_uploads = false;
	from_now(k);
	await(k, TORSERVICE_READY, 200);
	assert_int_equal(logged(k, "onion-down-over"), 1);
}

/* A tor that stops answering is hung up on; a new connection goes on where it was. */
static void
test_hang(void **state)
{
	struct scene *k = *state;

	k->silent_add = true;
	start(k);
	run(k, 600);
	assert_in_range(k->adds, 5, 31); /* a deadline each */
	k->silent_add = false;
	await(k, TORSERVICE_READY, 120);
	world_hold(k->other, true);
	run(k, 900);
	world_hold(k->other, false);
	from_now(k);
	await(k, TORSERVICE_READY, 200);
}

/* Probes that fail: at the third the service is added anew, with an alarm. */
static void
test_unreached(void **state)
{
	struct scene *k = *state;

	k->socks.code = 0xf0;
	start(k);
	await(k, TORSERVICE_PROBING, 10);
	await(k, TORSERVICE_UNREACHED, 120);
	assert_contains(status(k).trouble, "3 attempts");
	assert_in_range(k->adds, 1, 2);
	run(k, 10);
	assert_int_equal(k->adds, 2);
	run(k, 7200);
	assert_in_range(k->adds, 4, 12);
	assert_in_range(k->socks.dials, 10, 36);
	assert_int_equal(logged(k, "onion-down state=9"), 1);
	assert_false(status(k).probe_ok);
	k->socks.code = 0;
	from_now(k);
	await(k, TORSERVICE_READY, 700);
	assert_int_equal(logged(k, "onion-down-over"), 1);
	assert_int_equal(k->evictions, 0);
}

/* One failure among many is no alarm. */
static void
test_one_probe_fails(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	k->socks.code = 0x06;
	while (!status(k).probed || status(k).probe_ok)
		run(k, 1);
	assert_int_equal(k->state, TORSERVICE_READY);
	k->socks.code = 0;
	run(k, 20);
	assert_true(status(k).probe_ok);
	assert_int_equal(k->adds, 1);
	assert_int_equal(logged(k, "alarm"), 0);
}

static void
test_twin(void **state)
{
	struct scene *k = *state;

	k->twin = true;
	start(k);
	await(k, TORSERVICE_TWIN, 20);
	assert_contains(status(k).trouble, "another process");
	run(k, 3600);
	assert_int_equal(logged(k, "onion-twin\n"), 1);
	assert_in_range(k->adds, 2, 7);
	k->twin = false;
	from_now(k);
	await(k, TORSERVICE_READY, 1000);
	assert_int_equal(logged(k, "onion-twin-over"), 1);
}

/* A twin that does not share our probe's key: its descriptor does not admit us. */
static void
test_twin_denies(void **state)
{
	struct scene *k = *state;

	k->socks.code = 0xf5;
	start(k);
	await(k, TORSERVICE_TWIN, 60);
	run(k, 3600);
	assert_int_equal(logged(k, "onion-twin\n"), 1);
	assert_in_range(k->adds, 2, 7); /* no fight over it */
	k->socks.code = 0;
	from_now(k);
	await(k, TORSERVICE_READY, 1000);
	assert_int_equal(logged(k, "onion-twin-over"), 1);
}

/* A group comes: the service is added anew, and nobody's session ends. */
static void
test_member_added(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	k->circuits = 3;
	add_group(k, "gamma");
	torservice_set_members(k->service, &k->members, false);
	await(k, TORSERVICE_UPLOADING, 10);
	await(k, TORSERVICE_READY, 10);
	assert_string_equal(k->trace, "SGAODAO");
	assert_int_equal(k->keys, 4);
	assert_int_equal(k->evictions, 0);
	assert_int_equal(k->circuits, 3);
}

/* A group goes: out of the service, then every circuit closed, then the sessions, then the rest anew. */
static void
test_member_removed(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	k->circuits = 2500; /* more than one listing takes */
	assert_err_ok(members_remove(&k->members, "alpha", NULL));
	torservice_set_members(k->service, &k->members, true);
	await(k, TORSERVICE_UPLOADING, 60);
	await(k, TORSERVICE_READY, 10);
	assert_string_equal(k->trace, "SGAODccccAO");
	assert_int_equal(k->closed_circuits, 2500);
	assert_int_equal(k->keys, 2);
	assert_int_equal(k->evictions, 1);
	assert_int_equal(logged(k, "onion-evicted"), 1);
	assert_int_equal(logged(k, "alarm"), 0);
}

/* Changes while another is under way, and while the connection is lost, are not forgotten. */
static void
test_changes_meet(void **state)
{
	struct scene *k = *state;

	start(k);
	/* before anything was added, and while it is being added */
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		add_group(k, name);
		torservice_set_members(k->service, &k->members, false);
		assert_err_ok(world_run_for(k->world, rng_below(test_rng(), 3)));
	}
	await(k, TORSERVICE_READY, 20);
	assert_int_equal(k->keys, 23);
	assert_err_ok(members_remove(&k->members, "n3", NULL));
	torservice_set_members(k->service, &k->members, true);
	fake_tor_hang_up(&k->tor);
	k->circuits = 2;
	k->no_circuit_status = true; /* only so that on_evict does not mind */
	run(k, 1);
	k->no_circuit_status = false;
	await(k, TORSERVICE_NO_TOR, 5);
	await(k, TORSERVICE_READY, 120);
	assert_int_equal(k->keys, 22);
	assert_int_equal(k->circuits, 0);
	assert_true(k->evictions >= 1);
}

/* A tor that does not tell its circuits: an alarm, the sessions end once, nothing is published. */
static void
test_circuits_not_told(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	k->circuits = 1;
	k->no_circuit_status = true;
	assert_err_ok(members_remove(&k->members, "alpha", NULL));
	torservice_set_members(k->service, &k->members, true);
	run(k, 3600);
	assert_false(k->there);
	assert_int_equal(k->evictions, 1);
	assert_int_equal(logged(k, "onion-eviction-failed"), 1);
	assert_in_range(k->listings + count_of(k->trace, "c"), 40, 150);
	k->no_circuit_status = false;
	from_now(k);
	await(k, TORSERVICE_UPLOADING, 70);
	await(k, TORSERVICE_READY, 10);
	assert_int_equal(k->circuits, 0);
	assert_int_equal(logged(k, "onion-eviction-done"), 1);
}

/* Without the probe's key nothing can be tried, but members are served. */
static void
test_no_key_for_the_probe(void **state)
{
	struct scene *k = *state;

	k->no_auth = true;
	k->socks.code = 0xf4;
	start(k);
	await(k, TORSERVICE_UNREACHED, 10);
	assert_contains(status(k).trouble, "553");
	assert_true(k->there);
}

/* A tor that is reloaded, or told NEWNYM, forgets the key: that is no twin, and nobody notices. */
static void
test_key_is_forgotten(void **state)
{
	struct scene *k = *state;
	size_t dials;

	start(k);
	await(k, TORSERVICE_READY, 10);
	for (int i = 0; i < 20; i++) {
		k->knows_key = false;
		k->socks.code = 0xf4;
		dials = k->socks.dials;
		while (k->socks.dials < dials + 2)
			run(k, 10);
		assert_true(k->knows_key);
	}
	assert_int_equal(k->state, TORSERVICE_READY);
	assert_int_equal(k->adds, 1);
	assert_int_equal(logged(k, "alarm"), 0);
}

/* The SOCKS port of another tor, which has no key of ours, is not taken for a twin. */
static void
test_socks_of_another_tor(void **state)
{
	struct scene *k = *state;

	k->other_socks = true;
	k->socks.code = 0xf4;
	start(k);
	await(k, TORSERVICE_PROBING, 10);
	await(k, TORSERVICE_UNREACHED, 200);
	assert_contains(status(k).trouble, "tor-socks is a port of this tor");
	run(k, 7200);
	assert_int_equal(logged(k, "onion-twin"), 0);
	assert_int_equal(logged(k, "onion-down state=9"), 1);
}

/* Nobody can get in while tor restarts again and again: that is an alarm too. */
static void
test_tor_comes_and_goes(void **state)
{
	struct scene *k = *state;

	start(k);
	await(k, TORSERVICE_READY, 10);
	k->no_uploads = true;
	for (int i = 0; i < 20; i++) {
		fake_tor_hang_up(&k->tor);
		run(k, 45);
	}
	assert_int_equal(logged(k, "onion-down state=1"), 1);
	k->no_uploads = false;
	fake_tor_hang_up(&k->tor);
	from_now(k);
	await(k, TORSERVICE_READY, 120);
	assert_int_equal(logged(k, "onion-down-over"), 1);
}

/* A tor that fetches nothing is probed all the same. */
static void
test_no_fresh_descriptor(void **state)
{
	struct scene *k = *state;

	k->no_fetch = true;
	start(k);
	await(k, TORSERVICE_READY, 20);
	run(k, 7200);
	assert_in_range(k->socks.dials, 8, 26);
	assert_int_equal(logged(k, "alarm"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* Handshakes are as large as frames, and those of a registrar have another size. */
static void
test_a_registrar_is_reached(void **state)
{
	struct scene *k = *state;

	k->registrar = true;
	start(k);
	await(k, TORSERVICE_READY, 10);
	assert_true(status(k).probe_ok);
}

static const struct CMUnitTest tests[] = {
	TEST(test_published_and_reached),
	TEST(test_a_registrar_is_reached),
	TEST(test_command),
	TEST(test_most_groups_fit),
	TEST(test_nobody),
	TEST(test_added_again_after_loss),
	TEST(test_tor_hangs),
	TEST(test_tor_away),
	TEST(test_older_tor_without_pow),
	cmocka_unit_test(test_refused),
	TEST(test_collision),
	TEST(test_foreign_address),
	TEST(test_uploads_fail),
	TEST(test_hang),
	TEST(test_unreached),
	TEST(test_one_probe_fails),
	TEST(test_twin),
	TEST(test_twin_denies),
	TEST(test_member_added),
	TEST(test_member_removed),
	TEST(test_changes_meet),
	TEST(test_circuits_not_told),
	TEST(test_no_key_for_the_probe),
	TEST(test_key_is_forgotten),
	TEST(test_socks_of_another_tor),
	TEST(test_tor_comes_and_goes),
	TEST(test_no_fresh_descriptor),
};

TEST_MAIN(tests)
