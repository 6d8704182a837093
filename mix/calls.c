#include "config.h"

#include "mix/calls.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

bool
calls_sanitized(void)
{
	return SANITIZED;
}

#if defined(HAVE_SECCOMP) && !SANITIZED

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MASKED(arg, mask, value) { arg, SCMP_CMP_MASKED_EQ, mask, value }
#define EQUAL(arg, value) { arg, SCMP_CMP_EQ, value, 0 }
#define CONDITIONS_MAX 2

/* ---- tables ---- */

/* Without regard to arguments. Names that a machine does not have are left out there. */
static const int free_calls[] = {
	/* reading and writing what is open */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(close), SCMP_SYS(fsync),
	SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(fallocate),
	SCMP_SYS(flock), SCMP_SYS(fadvise64), SCMP_SYS(getdents64),
	/* files of the state directory: Landlock says which */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
	SCMP_SYS(stat64), SCMP_SYS(lstat64), SCMP_SYS(fstat64), SCMP_SYS(fstatat64),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
	SCMP_SYS(statfs64), SCMP_SYS(fstatfs64), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	/* connections; sockets themselves below */
	SCMP_SYS(connect), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(send),
	SCMP_SYS(recv), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* the event loop, timers and queues */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_settime64), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64), SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(restart_syscall),
	/* threads of our own, memory, locked memory of secrets */
	SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(set_tid_address), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(membarrier),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock),
	/* signals: how they are taken, not how they are sent */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack),
	/* who and where we are, and randomness */
	SCMP_SYS(getrandom), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(uname),
	/* the end of the helper that runs the alarm command */
	SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(waitpid),
};

/* With arguments that are all as said; a call may have several rows. */
struct conditional {
	int call;
	unsigned count;
	struct scmp_arg_cmp when[CONDITIONS_MAX];
};

static const struct conditional conditional_calls[] = {
	/* threads, and no processes */
	{ SCMP_SYS(clone), 1, { MASKED(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM) } },
	/* memory that is never run */
	{ SCMP_SYS(mmap), 1, { MASKED(2, PROT_EXEC, 0) } },
	{ SCMP_SYS(mmap2), 1, { MASKED(2, PROT_EXEC, 0) } },
	{ SCMP_SYS(mprotect), 1, { MASKED(2, PROT_EXEC, 0) } },
	/* streams to nodes and to tor, and what the service manager is told: no raw sockets */
	{ SCMP_SYS(socket), 2, { EQUAL(0, AF_UNIX), MASKED(1, 0xf, SOCK_STREAM) } },
	{ SCMP_SYS(socket), 2, { EQUAL(0, AF_UNIX), MASKED(1, 0xf, SOCK_DGRAM) } },
	{ SCMP_SYS(socket), 2, { EQUAL(0, AF_INET), MASKED(1, 0xf, SOCK_STREAM) } },
	{ SCMP_SYS(socket), 2, { EQUAL(0, AF_INET6), MASKED(1, 0xf, SOCK_STREAM) } },
	{ SCMP_SYS(setsockopt), 2, { EQUAL(1, IPPROTO_TCP), EQUAL(2, TCP_NODELAY) } },
	/* descriptors' flags, and the locks of LevelDB */
	{ SCMP_SYS(fcntl), 1, { EQUAL(1, F_GETFD) } },
	{ SCMP_SYS(fcntl), 1, { EQUAL(1, F_SETFD) } },
	{ SCMP_SYS(fcntl), 1, { EQUAL(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), 1, { EQUAL(1, F_SETFL) } },
	{ SCMP_SYS(fcntl), 1, { EQUAL(1, F_SETLK) } },
	{ SCMP_SYS(fcntl64), 1, { EQUAL(1, F_GETFD) } },
	{ SCMP_SYS(fcntl64), 1, { EQUAL(1, F_SETFD) } },
	{ SCMP_SYS(fcntl64), 1, { EQUAL(1, F_GETFL) } },
	{ SCMP_SYS(fcntl64), 1, { EQUAL(1, F_SETFL) } },
	{ SCMP_SYS(fcntl64), 1, { EQUAL(1, F_SETLK) } },
	/* limits are read (LevelDB, the C library), never set */
	{ SCMP_SYS(prlimit64), 2, { EQUAL(0, 0), EQUAL(2, 0) } },
};

/* No fault of ours comes near these: whoever calls them has taken the process over. */
static const int deadly_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
	SCMP_SYS(memfd_create), SCMP_SYS(mount), SCMP_SYS(pivot_root), SCMP_SYS(setns),
	SCMP_SYS(unshare), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
};

/* ---- the filter ---- */

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A machine that does not have a call gives it a negative number. */
static int
add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (calls[i] >= 0)
			rc = seccomp_rule_add_array(ctx, action, calls[i], 0, NULL);
	return rc;
}

static int
add_conditional(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (size_t i = 0; i < COUNT(conditional_calls) && rc == 0; i++) {
		const struct conditional *c = &conditional_calls[i];

		if (c->call >= 0)
			rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, c->call, c->count, c->when);
	}
	return rc;
}

/* abort() and raise() signal a thread of ours. */
static int
add_own(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp own = EQUAL(0, (scmp_datum_t)getpid());

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own);
}

static int
fill(scmp_filter_ctx ctx)
{
	int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	if (rc == 0) /* a tree instead of a list: packets pay for each comparison */
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_all(ctx, SCMP_ACT_ALLOW, free_calls, COUNT(free_calls));
	if (rc == 0)
		rc = add_conditional(ctx);
	if (rc == 0)
		rc = add_own(ctx);
	if (rc == 0)
		rc = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls, COUNT(deadly_calls));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

bool
calls_can_filter(const char **why)
{
	*why = NULL;
	return true;
}

enum err
calls_filter(struct diag *d)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (ctx == NULL)
		return ERR_MEMORY;
	rc = fill(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc == 0)
		return ERR_OK;
	return diag_set(d, ERR_IO, "the system calls cannot be filtered (%s): this kernel, or what "
	    "runs us, does not let it; to run without: sandbox = no", strerror(-rc));
}

#else

bool
calls_can_filter(const char **why)
{
	*why = SANITIZED ? "built with sanitizers" : "built without libseccomp";
	return false;
}

enum err
calls_filter(struct diag *d)
{
	return diag_set(d, ERR_VERSION, "system calls are not filtered");
}

#endif
