#include "config.h"

#include "tests/faults/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const char __executable_start; /* the linker's */

static _Atomic uint64_t count, at, where;
static _Atomic int64_t live;
static _Atomic bool is_paused;
static uint64_t *told;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
void *__real_sodium_malloc(size_t n);
void *__wrap_sodium_malloc(size_t n);
void __real_free(void *p);
void __wrap_free(void *p);
void __real_sodium_free(void *p);
void __wrap_sodium_free(void *p);

void
memory_arm(uint64_t n)
{
	count = 0;
	where = 0;
	at = n;
}

void
memory_pause(bool paused)
{
	is_paused = paused;
}

uint64_t
memory_disarm(void)
{
	at = 0;
	return count;
}

bool
memory_failed(void)
{
	return where != 0;
}

uint64_t
memory_where(void)
{
	return where;
}

void
memory_tell(uint64_t *place)
{
	told = place;
}

int64_t
memory_live(void)
{
	return live;
}

static bool
strikes(const void *caller)
{
	if (is_paused || ++count != at)
		return false;
	where = (uint64_t)((const char *)caller - &__executable_start);
	if (told != NULL)
		*told = where;
	errno = ENOMEM;
	return true;
}

static void *
keep(void *p)
{
	live += p != NULL && !is_paused;
	return p;
}

#define CALLER __builtin_return_address(0)

void *
__wrap_malloc(size_t n)
{
	return strikes(CALLER) ? NULL : keep(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return strikes(CALLER) ? NULL : keep(__real_calloc(n, size));
}

static void *
moved(const void *before, void *after)
{
	live += before == NULL && after != NULL && !is_paused;
	return after;
}

void *
__wrap_realloc(void *p, size_t n)
{
	const void *before = p;

	return strikes(CALLER) ? NULL : moved(before, __real_realloc(p, n));
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	const void *before = p;

	return strikes(CALLER) ? NULL : moved(before, __real_reallocarray(p, n, size));
}

char *
__wrap_strdup(const char *s)
{
	return strikes(CALLER) ? NULL : keep(__real_strdup(s));
}

void *
__wrap_sodium_malloc(size_t n)
{
	return strikes(CALLER) ? NULL : keep(__real_sodium_malloc(n));
}

void
__wrap_free(void *p)
{
	live -= p != NULL && !is_paused;
	__real_free(p);
}

void
__wrap_sodium_free(void *p)
{
	live -= p != NULL && !is_paused;
	__real_sodium_free(p);
}
