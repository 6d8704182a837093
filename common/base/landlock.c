#include "config.h"

#include "common/base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than the headers of Debian 12. */
#define FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define SCOPE_ABSTRACT_UNIX 1ull  /* ABI 6 */
#define SCOPE_SIGNAL 2ull

#define FS_READ LANDLOCK_ACCESS_FS_READ_FILE
#define FS_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
/* What can be said of a file; all else is of directories. */
#define FS_OF_FILES (FS_READ | FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE)

/* The kernel's struct of ABI 6; older kernels take its beginning. */
struct attributes {
	uint64_t fs, net, scoped;
};

static uint64_t
bits_of(unsigned rights, int abi)
{
	static const uint64_t bits[] = { FS_READ, LANDLOCK_ACCESS_FS_READ_DIR, FS_WRITE,
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
		    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR,
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE,
		LANDLOCK_ACCESS_FS_EXECUTE };
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((rights >> i & 1) != 0)
			all |= bits[i];
	if (abi < 3)
		all &= ~FS_TRUNCATE;
	if (abi < 5)
		all &= ~FS_IOCTL_DEV;
	return all;
}

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

enum err
landlock_begin(struct landlock *x, unsigned guarded, bool alone, bool lonely)
{
	struct attributes a = { 0, 0, 0 };
	int abi = landlock_abi();
	size_t size = abi >= 6 ? sizeof(a) : abi >= 4 ? 2 * sizeof(a.fs) : sizeof(a.fs);
	long fd;

	if (abi == 0)
		return ERR_VERSION;
	a.fs = bits_of(guarded, abi);
	if (abi >= 6)
		a.scoped = (alone ? SCOPE_SIGNAL : 0) | (lonely ? SCOPE_ABSTRACT_UNIX : 0);
	fd = syscall(SYS_landlock_create_ruleset, &a, size, 0);
	if (fd < 0)
		return ERR_IO;
	*x = (struct landlock){ .fd = (int)fd, .abi = abi, .guarded = a.fs };
	return ERR_OK;
}

enum err
landlock_allow(const struct landlock *x, const char *path, unsigned rights)
{
	struct landlock_path_beneath_attr a = { .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;
	enum err e = ERR_OK;

	if (a.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
	a.allowed_access = bits_of(rights, x->abi) & x->guarded;
	if (fstat(a.parent_fd, &st) != 0)
		e = ERR_IO;
	else if (!S_ISDIR(st.st_mode))
		a.allowed_access &= FS_OF_FILES;
	/* the kernel refuses a rule that allows nothing: none of it is guarded, or can be of a file */
	if (e == ERR_OK && a.allowed_access != 0 &&
	    syscall(SYS_landlock_add_rule, x->fd, LANDLOCK_RULE_PATH_BENEATH, &a, 0) != 0)
		e = ERR_IO;
	(void)close(a.parent_fd);
	return e;
}

enum err
landlock_enforce(const struct landlock *x)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ERR_IO;
	return syscall(SYS_landlock_restrict_self, x->fd, 0) == 0 ? ERR_OK : ERR_IO;
}

void
landlock_end(struct landlock *x)
{
	(void)close(x->fd);
	x->fd = -1;
}
