// SPDX-License-Identifier: Apache-2.0
/*
 * Becoming a program in namespaces that another process holds. A process of several threads can
 * enter none of them, so that vnet executes the dynamic loader on this very library: with one
 * thread and nothing of the runtime it begins anew at vnet_launch_start(). The command is then the
 * process that was started: number, parent, terminal, process group, status and signals are its
 * own, and nobody stands between. Source: setns(2), user_namespaces(7), capabilities(7), ld.so(8)
 *
 *   argv[1]   "user net mount root directory library", descriptors; -1 for no user namespace
 *   argv[2]   "files ignored": the limit of open files, soft, 0 leaves it alone; the signals to
 *             ignore, bit n is signal n + 1
 *   argv[3]   how many of the next arguments are NAME=VALUE, for the environment: what the
 *             dynamic loader would take for its own
 *   …         those, then the file to execute, then its argv
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { USER, NET, MOUNT, ROOT, DIRECTORY, LIBRARY, DESCRIPTORS };

/* As shells say that a command cannot be executed, or is not there. */
#define CANNOT_EXECUTE 126
#define NOT_FOUND 127

#if defined(__x86_64__)
__asm__(".text\n"
	".globl vnet_launch_start\n"
	".hidden vnet_launch_start\n"
	".type vnet_launch_start, @function\n"
	"vnet_launch_start:\n"
	"  xor %ebp, %ebp\n"
	"  mov %rsp, %rdi\n"
	"  and $-16, %rsp\n"
	"  call vnet_launch_main\n"
	"  hlt\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl vnet_launch_start\n"
	".hidden vnet_launch_start\n"
	".type vnet_launch_start, %function\n"
	"vnet_launch_start:\n"
	"  mov x29, #0\n"
	"  mov x30, #0\n"
	"  mov x0, sp\n"
	"  bl vnet_launch_main\n");
#else
#error "launch_linux.c has no entry point for this processor"
#endif

static _Noreturn void fail(const char *act, int status)
{
	fprintf(stderr, "error: Cannot start the command: %s: %s [run-failed]\n", act,
		strerror(errno));
	_exit(status);
}

static void read_descriptors(const char *text, int descriptors[DESCRIPTORS])
{
	char *rest = (char *)(uintptr_t)text;

	for (int i = 0; i < DESCRIPTORS; i++)
		descriptors[i] = (int)strtol(rest, &rest, 10);
}

/* The root and the directory are those of the process that holds the namespaces. */
static void enter(const int descriptors[DESCRIPTORS])
{
	if (descriptors[USER] >= 0 && setns(descriptors[USER], CLONE_NEWUSER) < 0)
		fail("entering the user namespace", CANNOT_EXECUTE);
	if (setns(descriptors[NET], CLONE_NEWNET) < 0)
		fail("entering the network namespace", CANNOT_EXECUTE);
	if (setns(descriptors[MOUNT], CLONE_NEWNS) < 0)
		fail("entering the mount namespace", CANNOT_EXECUTE);
	if (fchdir(descriptors[ROOT]) < 0 || chroot(".") < 0)
		fail("changing the root", CANNOT_EXECUTE);
	if (fchdir(descriptors[DIRECTORY]) < 0)
		fail("changing the directory", CANNOT_EXECUTE);
	for (int i = 0; i < DESCRIPTORS; i++) {
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	}
}

/* What entering gave: all power over the namespaces. Nothing of it comes back by executing. */
static void give_up_power(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) ||
	    syscall(SYS_capset, &header, none) < 0)
		fail("giving up privileges", CANNOT_EXECUTE);
}

/* The runtime ignores SIGPIPE, raises the limit of open files, and may not wait for its input. */
static void restore(const char *wishes)
{
	char *rest = (char *)(uintptr_t)wishes;
	rlim_t files = (rlim_t)strtoull(rest, &rest, 10);
	unsigned long long ignored = strtoull(rest, &rest, 10);
	struct rlimit limit;

	signal(SIGPIPE, SIG_DFL);
	for (int number = 1; number < NSIG; number++) {
		if (ignored >> (number - 1) & 1)
			signal(number, SIG_IGN);
	}
	if (files > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 && files < limit.rlim_cur) {
		limit.rlim_cur = files;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (int fd = 0; fd < 3; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags >= 0 && flags & O_NONBLOCK)
			fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	}
}

__attribute__((used, visibility("hidden"))) _Noreturn void vnet_launch_main(char **stack)
{
	long count = *(long *)(void *)stack;
	char **argv = stack + 1;
	int descriptors[DESCRIPTORS];
	long extra;

	if (count < 6)
		_exit(CANNOT_EXECUTE);
	read_descriptors(argv[1], descriptors);
	extra = strtol(argv[3], NULL, 10);
	if (extra < 0 || extra > count - 6)
		_exit(CANNOT_EXECUTE);
	environ = argv + count + 1;
	enter(descriptors);
	if (descriptors[USER] >= 0)
		give_up_power();
	restore(argv[2]);
	for (long i = 0; i < extra; i++) {
		if (putenv(argv[4 + i]) != 0)
			fail("setting the environment", CANNOT_EXECUTE);
	}
	argv += 4 + extra;
	/* as execvp(3) does, a script that names no interpreter is the shell's */
	execvp(argv[0], argv + 1);
	fail(argv[0], errno == ENOENT ? NOT_FOUND : CANNOT_EXECUTE);
}
