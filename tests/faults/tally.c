#include "config.h"

#include "tests/faults/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS_MAX 256
#define PLACE_BYTES 200

static const char *const names[TALLY_OUTCOMES] = { "wrong", "none", "unharmed", "late", "refused",
	"leak", "lost", "crash" };

bool
tally_good(const struct tally_run *run)
{
	switch (run->outcome) {
	case TALLY_NONE:
	case TALLY_UNHARMED:
	case TALLY_LATE:
	case TALLY_REFUSED:
		return true;
	case TALLY_WRONG:
	case TALLY_LEAK:
	case TALLY_LOST:
	case TALLY_CRASH:
		break;
	}
	return false;
}

static struct tally_run *
shared_run(void)
{
	static struct tally_run *run;

	if (run == NULL) {
		run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
		if (run == MAP_FAILED)
			exit(1);
	}
	memset(run, 0, sizeof(*run));
	return run;
}

static uint64_t
only(void)
{
	const char *text = getenv("RESTANTE_FAULTS_AT");

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void
tally_fork(struct tally_run *out, void (*job)(void *arg, uint64_t n, struct tally_run *run),
    void *arg, uint64_t n, unsigned seconds)
{
	struct tally_run *run = shared_run();
	int status;
	pid_t pid;

	run->number = n;
	(void)fflush(NULL);
	pid = only() == 0 || n == 0 ? fork() : only() == n ? 0 : -2;
	if (pid == -2) {
		out->outcome = TALLY_NONE;
		return;
	}
	if (pid < 0)
		exit(1);
	if (pid == 0) {
		(void)alarm(seconds);
		job(arg, n, run);
		_exit(tally_good(run) ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid)
		exit(1);
	*out = *run;
	if (WIFSIGNALED(status)) {
		out->outcome = TALLY_CRASH;
		out->signal = WTERMSIG(status);
	} else if (status != 0 && tally_good(out)) {
		out->outcome = TALLY_WRONG; /* an assertion ended it */
	}
}

/* ---- the table ---- */

struct row {
	char place[PLACE_BYTES];
	unsigned counts[TALLY_OUTCOMES];
};

struct table {
	struct row rows[ROWS_MAX];
	size_t n;
};

static struct row *
row_of(struct table *t, const char *place)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].place, place) == 0)
			return &t->rows[i];
	if (t->n == ROWS_MAX)
		return &t->rows[ROWS_MAX - 1];
	(void)snprintf(t->rows[t->n].place, PLACE_BYTES, "%s", place);
	return &t->rows[t->n++];
}

/* The source and line of a return address, by addr2line; what is before it is the call. */
static void
place_of(char out[static PLACE_BYTES], uint64_t where)
{
	char command[PLACE_BYTES + 64], line[4096] = "";
	char *at;
	FILE *f;

	(void)snprintf(command, sizeof(command), "addr2line -e /proc/%ld/exe 0x%" PRIx64,
	    (long)getpid(), where - 1);
	f = popen(command, "r");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		(void)snprintf(line, sizeof(line), "0x%" PRIx64, where);
	if (f != NULL)
		(void)pclose(f);
	line[strcspn(line, " \n")] = '\0';
	at = strstr(line, "../../");
	(void)snprintf(out, PLACE_BYTES, "%.*s", PLACE_BYTES - 1, at != NULL ? at + 6 : line);
}

/* Places are asked for once: many runs fail at the same. */
static const char *
known_place(uint64_t where)
{
	static struct { uint64_t where; char place[PLACE_BYTES]; } known[1024];
	static size_t n;

	for (size_t i = 0; i < n; i++)
		if (known[i].where == where)
			return known[i].place;
	if (n == sizeof(known) / sizeof(*known))
		return "elsewhere";
	known[n].where = where;
	if (where < 256)
		(void)snprintf(known[n].place, PLACE_BYTES, "part %" PRIu64, where);
	else
		place_of(known[n].place, where);
	return known[n++].place;
}

static void
file_of(char out[static PLACE_BYTES], const char *place)
{
	(void)snprintf(out, PLACE_BYTES, "%s", place);
	out[strcspn(out, ":")] = '\0';
}

static int
by_place(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->place, ((const struct row *)b)->place);
}

static void
print_table(struct table *t)
{
	qsort(t->rows, t->n, sizeof(*t->rows), by_place);
	for (size_t i = 0; i < t->n; i++) {
		printf("# %-40s", t->rows[i].place);
		for (unsigned k = 0; k < TALLY_OUTCOMES; k++)
			if (t->rows[i].counts[k] > 0)
				printf(" %s %u", names[k], t->rows[i].counts[k]);
		printf("\n");
	}
}

size_t
tally_print(const struct tally_run *runs, size_t n)
{
	static struct table t;
	char file[PLACE_BYTES];
	size_t bad = 0;

	memset(&t, 0, sizeof(t));
	for (size_t i = 0; i < n; i++) {
		const char *place = runs[i].where != 0 ? known_place(runs[i].where) : "nowhere";

		file_of(file, place);
		row_of(&t, file)->counts[runs[i].outcome]++;
		row_of(&t, "all of them")->counts[runs[i].outcome]++;
		if (tally_good(&runs[i]))
			continue;
		bad++;
		printf("# %s: number %" PRIu64 " at %s (signal %d, %" PRId64 ")\n",
		    names[runs[i].outcome], runs[i].number, place, runs[i].signal,
		    runs[i].value);
	}
	print_table(&t);
	return bad;
}

uint64_t
tally_step(uint64_t total, uint64_t usual)
{
	const char *text = getenv("RESTANTE_FAULTS");

	if ((text != NULL && strcmp(text, "all") == 0) || total <= usual || only() != 0)
		return 1;
	if (text != NULL && strtoull(text, NULL, 10) > 0)
		usual = strtoull(text, NULL, 10);
	return total / usual > 0 ? total / usual : 1;
}
