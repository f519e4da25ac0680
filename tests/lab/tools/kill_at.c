// SPDX-License-Identifier: Apache-2.0
/*
 * Kills a process of vnet with SIGKILL right before one of its acts that change something: the n-th call of the
 * functions below. Preloaded into every program of a lab host by /etc/ld.so.preload; only those whose command
 * line fits the role in the switch file take part. The file is shared memory:
 *
 *   role u32      1 the helper, 2 the daemon, 3 the repair, 0 nobody
 *   at u32        which act not to survive, from 1; 0 only counts
 *   count u32     acts so far
 *   killed u32    1 once it happened
 *   guard u32     1: the helper's children, its guard among them, die first
 *   name 44 bytes of the act that did not happen
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct switch_file {
	_Atomic uint32_t role;
	_Atomic uint32_t at;
	_Atomic uint32_t count;
	_Atomic uint32_t killed;
	_Atomic uint32_t guard;
	char name[44];
};

static struct switch_file *control;
static uint32_t own_role;

static int has_argument(const char *line, long len, const char *wanted)
{
	for (const char *at = line; at < line + len; at += strlen(at) + 1) {
		if (strcmp(at, wanted) == 0)
			return 1;
	}
	return 0;
}

static uint32_t find_role(void)
{
	char line[4096] = { 0 };
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	long len = read(fd, line, sizeof(line) - 1);

	close(fd);
	if (len <= 0)
		return 0;
	if (has_argument(line, len, "helper") && has_argument(line, len, "--client"))
		return 1;
	if (has_argument(line, len, "daemon") && has_argument(line, len, "--helper"))
		return 2;
	return has_argument(line, len, "repair") || has_argument(line, len, "down") ? 3 : 0;
}

__attribute__((constructor)) static void start(void)
{
	int fd = open("/run/kill-switch", O_RDWR | O_CLOEXEC);
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	own_role = find_role();
	control = map;
}

static void kill_children(void)
{
	char path[64], list[1024] = { 0 };
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, list, sizeof(list) - 1) > 0) {
		for (char *word = strtok(list, " "); word; word = strtok(NULL, " "))
			kill(atoi(word), SIGKILL);
	}
	close(fd);
}

static void step(const char *name)
{
	uint32_t number;

	if (!control || !own_role || atomic_load(&control->role) != own_role)
		return;
	number = atomic_fetch_add(&control->count, 1) + 1;
	if (number != atomic_load(&control->at))
		return;
	snprintf(control->name, sizeof(control->name), "%s", name);
	atomic_store(&control->killed, 1);
	if (atomic_load(&control->guard))
		kill_children();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static int is_regular(int fd)
{
	struct stat stat;

	return fd > 2 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

static int speaks(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_NETLINK || domain == AF_UNIX);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, parameters, arguments, changes) \
	result name parameters                             \
	{                                                  \
		if (changes)                               \
			step(#name);                       \
		return NEXT(name) arguments;               \
	}

WRAP(int, rename, (const char *a, const char *b), (a, b), 1)
WRAP(int, unlink, (const char *a), (a), 1)
WRAP(int, rmdir, (const char *a), (a), 1)
WRAP(int, symlink, (const char *a, const char *b), (a, b), 1)
WRAP(int, link, (const char *a, const char *b), (a, b), 1)
WRAP(int, mkdir, (const char *a, mode_t m), (a, m), 1)
WRAP(int, chmod, (const char *a, mode_t m), (a, m), 1)
WRAP(int, fchmod, (int fd, mode_t m), (fd, m), 1)
WRAP(int, chown, (const char *a, uid_t u, gid_t g), (a, u, g), 1)
WRAP(int, lchown, (const char *a, uid_t u, gid_t g), (a, u, g), 1)
WRAP(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g), 1)
WRAP(int, ftruncate64, (int fd, off64_t l), (fd, l), is_regular(fd))
WRAP(int, fsync, (int fd), (fd), 1)
WRAP(int, fdatasync, (int fd), (fd), 1)
WRAP(ssize_t, write, (int fd, const void *b, size_t l), (fd, b, l), is_regular(fd))
WRAP(ssize_t, pwrite64, (int fd, const void *b, size_t l, off64_t o), (fd, b, l, o), is_regular(fd))
WRAP(ssize_t, sendto,
     (int fd, const void *b, size_t l, int f, const struct sockaddr *a, socklen_t s),
     (fd, b, l, f, a, s), speaks(fd))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f), speaks(fd))
WRAP(int, bind, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l), 1)
WRAP(int, listen, (int fd, int b), (fd, b), 1)

int open64(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	if (flags & (O_CREAT | O_TRUNC))
		step("open64");
	return NEXT(open64)(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (request == TUNSETIFF || request == TUNSETOFFLOAD || request == TUNSETVNETHDRSZ)
		step("ioctl");
	return NEXT(ioctl)(fd, request, argument);
}
