/*
 * Traces of runs that an attack reads: manifest, trace and truth, in this order, with a byte
 * 0xff between them. Whatever is refused is refused with a sentence; what is taken lies within
 * its scenario's persons and mailboxes.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluation/attack/trace.h"
#include "tests/fuzz/script.h"

#define FILES 3
#define PEOPLE_MAX 2000 /* larger scenarios take long to prepare */
#define TIME_MAX_MS (INT64_C(1) << 53) /* later than any: sums of two stay in range */
#define SEPARATOR 0xff	 /* in no text */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const size_t replay_places;
const size_t replay_places = 64;

static const char *const names[FILES] = { "manifest.json", "trace.csv", "truth.csv" };
static char directory[4096];

static void
path_of(char out[static 5000], unsigned i)
{
	must(snprintf(out, 5000, "%s/%s", directory, names[i]) < 5000);
}

static void
clean_up(void)
{
	char path[5000];

	for (unsigned i = 0; i < FILES; i++) {
		path_of(path, i);
		(void)unlink(path);
	}
	(void)rmdir(directory);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp = getenv("TMPDIR");

	(void)argc;
	(void)argv;
	must(snprintf(directory, sizeof(directory), "%s/restante-trace-XXXXXX",
		 tmp != NULL ? tmp : "/tmp") < (int)sizeof(directory));
	must(mkdtemp(directory) != NULL);
	return atexit(clean_up);
}

static void
write_file(unsigned i, const uint8_t *p, size_t n)
{
	char path[5000];
	FILE *f;

	path_of(path, i);
	f = fopen(path, "wb");
	must(f != NULL && fwrite(p, 1, n, f) == n);
	must(fclose(f) == 0);
}

static void
look(const struct attack_trace *t)
{
	for (size_t i = 0; i < t->deposit_count; i++)
		must(t->deposits[i].mailbox < t->mailboxes && t->truth[i].sender < t->persons &&
		    t->truth[i].receiver < t->persons);
	for (size_t i = 0; i < t->send_count; i++)
		must(t->sends[i].at_ms >= (i > 0 ? t->sends[i - 1].at_ms : 0) &&
		    t->sends[i].at_ms <= TIME_MAX_MS);
	must(t->deposit_count <= t->deposit_room && t->send_count <= t->send_room);
}

static void
read_all(void)
{
	static struct scenario s;
	struct attack_trace *t = NULL;
	struct diag d = { "" };

	memset(&s, 0, sizeof(s));
	if (attack_trace_scenario(&s, directory, &d) != ERR_OK) {
		must(d.text[0] != '\0');
		return;
	}
	if (s.people > PEOPLE_MAX)
		return;
	if (attack_trace_new(&t, &s, directory, NULL, NULL, &d) != ERR_OK) {
		must(d.text[0] != '\0');
		return;
	}
	look(t);
	attack_trace_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < FILES; i++) {
		const uint8_t *end = size > 0 ? memchr(data, SEPARATOR, size) : NULL;
		size_t n = end == NULL || i == FILES - 1 ? size : (size_t)(end - data);

		write_file(i, data, n);
		data += n;
		size -= n;
		if (size > 0 && *data == SEPARATOR) {
			data++;
			size--;
		}
	}
	read_all();
	return 0;
}
