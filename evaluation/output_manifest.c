#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"
#include "evaluation/output.h"
#include "evaluation/output_files.h"

/* manifest.json: what made the files, and their hashes. */

#define JSON_MAX_BYTES ((size_t)1 << 24)
#define PART_BYTES 65536
#define PATH_BYTES 2048
#define HEX_BYTES (2 * HASH_BYTES + 1)

/* BLAKE2b-256 of a file. ERR_NOT_FOUND, ERR_IO. */
static enum err
hash_file(char hex[static HEX_BYTES], uint64_t *bytes, const char *path)
{
	crypto_generichash_state state;
	uint8_t part[PART_BYTES], hash[HASH_BYTES];
	FILE *f = fopen(path, "re");
	size_t n;
	bool failed;

	if (f == NULL)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	*bytes = 0;
	(void)crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	while ((n = fread(part, 1, sizeof(part), f)) > 0) {
		(void)crypto_generichash_update(&state, part, n);
		*bytes += n;
	}
	failed = ferror(f) != 0;
	(void)fclose(f);
	(void)crypto_generichash_final(&state, hash, sizeof(hash));
	(void)sodium_bin2hex(hex, HEX_BYTES, hash, sizeof(hash));
	return failed ? ERR_IO : ERR_OK;
}

static void
text_pair(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_string(j, value);
}

static enum err
file_json(struct json *j, const char *path, const char *name)
{
	char hex[HEX_BYTES];
	uint64_t bytes = 0;
	enum err e = hash_file(hex, &bytes, path);

	if (e != ERR_OK)
		return e;
	json_object(j);
	text_pair(j, "name", name);
	json_key(j, "bytes");
	json_u64(j, bytes);
	text_pair(j, "blake2b_256", hex);
	json_close(j);
	return ERR_OK;
}

static enum err
files_json(struct json *j, const struct output_run *r)
{
	enum err e = ERR_OK;

	json_key(j, "files");
	json_array(j);
	for (size_t i = 0; i < r->name_count && e == ERR_OK; i++) {
		char path[PATH_BYTES];
		int n = snprintf(path, sizeof(path), "%s/%s", r->directory, r->names[i]);

		if (n < 0 || (size_t)n >= sizeof(path))
			return ERR_RANGE;
		e = file_json(j, path, r->names[i]);
		if (e == ERR_NOT_FOUND) /* without a trace */
			e = ERR_OK;
	}
	json_close(j);
	return e;
}

static enum err
recording_json(struct json *j, const struct scenario *s)
{
	struct traffic_config traffic;
	char path[TRAFFIC_PATH_BYTES];

	json_key(j, "recording");
	scenario_traffic(&traffic, s);
	traffic_path(path, &traffic, s->recording);
	if (s->workload == TRAFFIC_RECORDED)
		return file_json(j, path, s->recording);
	json_null(j);
	return ERR_OK;
}

static void
formats_json(struct json *j)
{
	static const char *const formats[] = { "manifest", "trace", "truth", "targets", "summary" };

	json_key(j, "formats");
	json_object(j);
	json_key(j, "scenario");
	json_u64(j, SCENARIO_VERSION);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		json_key(j, formats[i]);
		json_u64(j, strcmp(formats[i], "trace") == 0 ? RECORDER_TRACE_VERSION :
		    OUTPUT_VERSION);
	}
	json_close(j);
}

static void
simulation_json(struct json *j, const struct run *r)
{
	const struct simulation_counts *c = run_simulated(r);
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = { { "events", c->events }, { "sent", c->sent }, { "covers", c->cover },
		{ "notes", c->notes }, { "messages", c->real }, { "exited", c->exited },
		{ "lost", c->lost }, { "skipped_slots", c->skipped },
		{ "held_most", c->held_most } };

	json_key(j, "simulation");
	json_object(j);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		json_key(j, counts[i].key);
		json_u64(j, counts[i].value);
	}
	json_close(j);
}

static enum err
manifest_json(struct json *j, const struct output_run *r)
{
	enum err e;

	json_object(j);
	text_pair(j, "format", "restante-manifest");
	json_key(j, "version");
	json_u64(j, OUTPUT_VERSION);
	text_pair(j, "program", "restante-evaluate");
	text_pair(j, "program_version", PACKAGE_VERSION);
	text_pair(j, "libsodium_version", sodium_version_string());
	json_key(j, "seed");
	json_i64(j, r->scenario->seed);
	formats_json(j);
	simulation_json(j, r->run);
	e = scenario_json(j, r->scenario);
	if (e == ERR_OK)
		e = recording_json(j, r->scenario);
	if (e == ERR_OK)
		e = files_json(j, r);
	json_close(j);
	json_newline(j);
	return e;
}

enum err
output_write_manifest(FILE *out, const struct output_run *r)
{
	struct buf text;
	struct json j;
	enum err e;

	buf_init(&text);
	json_init(&j, &text, JSON_MAX_BYTES);
	e = manifest_json(&j, r);
	if (e == ERR_OK)
		e = json_end(&j);
	if (e == ERR_OK)
		(void)fwrite(text.data, 1, text.len, out);
	buf_release(&text);
	return e;
}
