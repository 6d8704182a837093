#include "config.h"

#include "common/base/secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/*
 * A process that cannot be dumped cannot be traced either, and the leak
 * checker of the sanitizers traces its own process.
 */
#if defined(__SANITIZE_ADDRESS__)
#define KEEP_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_DUMPABLE 1
#endif
#endif
#ifndef KEEP_DUMPABLE
#define KEEP_DUMPABLE 0
#endif

static atomic_size_t unlocked;

enum err
secret_undumpable(void)
{
	return KEEP_DUMPABLE || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? ERR_OK : ERR_IO;
}

enum err
secret_setup(void)
{
	const struct rlimit none = {0, 0};

	(void)umask(077);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return ERR_IO;
	if (secret_undumpable() != ERR_OK)
		return ERR_IO;
	return sodium_init() < 0 ? ERR_CRYPTO : ERR_OK;
}

void *
secret_new(size_t n)
{
	void *p = sodium_malloc(n);

	if (p == NULL)
		return NULL;
	sodium_memzero(p, n);
	/* sodium_malloc locks too, and does not say whether it could */
	if (n > 0 && mlock(p, n) != 0)
		atomic_fetch_add(&unlocked, 1);
	return p;
}

size_t
secret_unlocked(void)
{
	return atomic_load(&unlocked);
}

void
secret_free(void *p)
{
	sodium_free(p); /* wipes; takes NULL */
}

void
secret_wipe(void *p, size_t n)
{
	if (n > 0)
		sodium_memzero(p, n);
}
