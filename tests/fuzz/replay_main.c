/*
 * Runs a fuzz target over its corpus with any compiler, so that every build
 * repeats what fuzzing found. Files that fuzzing made, whose names begin with
 * "x-", are fed as they are; those that people made also cut at every length,
 * and with each byte flipped; of longer files than MUTATED_BYTES at so
 * many places, spread evenly. Targets with a state, which take milliseconds,
 * ask for fewer places by replay_places.
 *
 * Usage: replay_x [directory...]; without one, tests/fuzz/corpus/x under
 * $srcdir. Every input lies in a heap block of its own size, so that
 * AddressSanitizer sees a read past its end.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATED_BYTES 256
#define PATH_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
extern const size_t replay_places;
extern const size_t replay_places __attribute__((weak));

static void
out_of_memory(void)
{
	puts("Bail out! out of memory");
	exit(1);
}

/* Feeds the first size bytes, with the byte at flip (if inside) inverted. */
static void
feed(const uint8_t *data, size_t size, size_t flip)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	if (copy == NULL)
		out_of_memory();
	if (size > 0)
		memcpy(copy, data, size);
	if (flip < size)
		copy[flip] = (uint8_t)~copy[flip];
	LLVMFuzzerTestOneInput(size == 0 ? copy + 1 : copy, size);
	free(copy);
}

static void
feed_mutants(const uint8_t *data, size_t size)
{
	size_t most = &replay_places != NULL ? replay_places : MUTATED_BYTES;
	size_t end = size < most ? size : most;

	for (size_t i = 0; i < end; i++) {
		size_t at = i * size / end;

		feed(data, at, SIZE_MAX);
		feed(data, size, at);
	}
}

/* Reads a whole file; the caller frees *data. Returns 0, or -1 with errno. */
static int
read_whole(uint8_t **data, size_t *size, FILE *f)
{
	size_t room = 65536, used = 0;
	uint8_t *buf = malloc(room);

	for (;;) {
		if (buf == NULL)
			out_of_memory();
		used += fread(buf + used, 1, room - used, f);
		if (used < room)
			break;
		room *= 2;
		buf = realloc(buf, room);
	}
	if (ferror(f)) {
		free(buf);
		return -1;
	}
	*data = buf;
	*size = used;
	return 0;
}

static int
replay_file(const char *path, bool mutate)
{
	uint8_t *data;
	size_t size;
	int rc;
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return -1;
	rc = read_whole(&data, &size, f);
	fclose(f);
	if (rc != 0)
		return -1;
	feed(data, size, SIZE_MAX);
	if (mutate)
		feed_mutants(data, size);
	free(data);
	return 0;
}

static int
visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Returns the number of files replayed, or -1 after saying what failed. */
static int
replay_directory(const char *dir)
{
	char path[PATH_BYTES];
	struct dirent **list;
	int replayed = 0;
	int n = scandir(dir, &list, visible, alphasort);

	if (n < 0) {
		printf("# %s: %s\n", dir, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
		bool mutate = strncmp(list[i]->d_name, "x-", 2) != 0;

		free(list[i]);
		if (replayed < 0)
			continue;
		if (len < 0 || (size_t)len >= sizeof path || replay_file(path, mutate) != 0) {
			printf("# %s: %s\n", path, strerror(errno));
			replayed = -1;
		} else {
			replayed++;
		}
	}
	free(list);
	return replayed;
}

static int
replay_corpus(int number, const char *dir)
{
	int n = replay_directory(dir);

	printf("%sok %d - %d inputs\n", n > 0 ? "" : "not ", number, n < 0 ? 0 : n);
	if (n == 0)
		printf("# %s is empty\n", dir);
	fflush(stdout);
	return n > 0 ? 0 : 1;
}

/* The corpus of a program called replay_x, or lt-replay_x under libtool. */
static void
default_corpus(char path[static PATH_BYTES], const char *program)
{
	const char *srcdir = getenv("srcdir");
	const char *slash = strrchr(program, '/');
	const char *name = slash == NULL ? program : slash + 1;
	const char *mark = strstr(name, "replay_");

	snprintf(path, PATH_BYTES, "%s/tests/fuzz/corpus/%s", srcdir == NULL ? "." : srcdir,
	    mark == NULL ? name : mark + strlen("replay_"));
}

int
main(int argc, char **argv)
{
	char path[PATH_BYTES];
	int failed = 0;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	printf("1..%d\n", argc > 1 ? argc - 1 : 1);
	if (argc == 1) {
		default_corpus(path, argv[0]);
		return replay_corpus(1, path);
	}
	for (int i = 1; i < argc; i++)
		failed |= replay_corpus(i, argv[i]);
	return failed;
}
