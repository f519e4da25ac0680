// SPDX-License-Identifier: Apache-2.0
/*
 * Starting and collecting programs. Between fork and exec only async-signal-safe functions and
 * plain system calls are used: the process has many threads, and any lock may be held by one that
 * does not exist in the child. Source: fork(2), signal-safety(7), user_namespaces(7)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vnet_shim.h"

#define KEEP 0xffffffffu
#define KEEP_CAPABILITIES UINT64_MAX
#define DESCRIPTORS_LIMIT 16
#define GROUPS_LIMIT 256
#define STRINGS_LIMIT (1u << 20)
/* Sources are moved above this number first, so that placing one never overwrites another. */
#define FD_PARKING 64

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum step {
	STEP_NONE,
	STEP_GROUPS,
	STEP_FORK,
	STEP_SESSION,
	STEP_NAMESPACES,
	STEP_USER_MAP,
	STEP_MOUNTS,
	STEP_DESCRIPTORS,
	STEP_DIRECTORY,
	STEP_IDENTITY,
	STEP_PRIVILEGES,
	STEP_EXECUTE,
};

/* All a child needs, made ready before the fork. */
struct plan {
	const char *path;
	char **arguments;
	char **environment;
	const char *directory;
	const int32_t *descriptors;
	uint32_t descriptors_count;
	uint32_t uid;
	uint32_t gid;
	gid_t groups[GROUPS_LIMIT];
	int32_t groups_count;
	uint64_t capabilities;
	uint32_t flags;
	pid_t parent;
	char uid_map[64];
	char gid_map[64];
	int32_t report_fd;
};

/* What a child says when it could not execute. */
struct report {
	uint32_t step;
	int32_t error;
};

/*
 * Makes an array of pointers into a block of NUL-terminated strings. Returns NULL without memory or
 * limit.
 */
static char **split_strings(const uint8_t *block, uint32_t block_len)
{
	uint32_t count = 0, at = 0;
	char **strings;

	if (block_len > 0 && block[block_len - 1] != '\0')
		return NULL;
	for (uint32_t i = 0; i < block_len; i++)
		count += block[i] == '\0';
	if (count > STRINGS_LIMIT)
		return NULL;
	strings = calloc((size_t)count + 1, sizeof(*strings));
	for (uint32_t i = 0; strings && i < count; i++) {
		strings[i] = (char *)(uintptr_t)(block + at);
		at += (uint32_t)strlen(strings[i]) + 1;
	}
	return strings;
}

/* Looks up the groups a user belongs to: none for an unknown one. Returns 0, or -errno. */
static int32_t find_groups(struct plan *plan)
{
	struct passwd entry, *found = NULL;
	int count = GROUPS_LIMIT;
	char buffer[16384];
	gid_t gid;
	int ret;

	ret = getpwuid_r(plan->uid, &entry, buffer, sizeof(buffer), &found);
	if (ret != 0 && ret != ENOENT)
		return -ret;
	if (plan->gid == KEEP && !found)
		return -ESRCH;
	gid = plan->gid == KEEP ? found->pw_gid : plan->gid;
	plan->gid = gid;
	if (!found) {
		plan->groups[0] = gid;
		plan->groups_count = 1;
		return 0;
	}
	if (getgrouplist(found->pw_name, gid, plan->groups, &count) < 0)
		return -E2BIG;
	plan->groups_count = count;
	return 0;
}

static void find_maps(struct plan *plan)
{
	uint32_t root = plan->flags & VNET_SPAWN_MAP_ROOT;

	snprintf(plan->uid_map, sizeof(plan->uid_map), "%u %u 1\n", root ? 0 : geteuid(),
		 geteuid());
	snprintf(plan->gid_map, sizeof(plan->gid_map), "%u %u 1\n", root ? 0 : getegid(),
		 getegid());
}

/* ---- in the child ------------------------------------------------------- */

/* What a terminal sends to those in front of it, and to those behind that use it all the same. */
static const int KEYBOARD[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP };

static int32_t reset_signals(const struct plan *plan)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* an ignored signal stays ignored across execve(2), and the runtime ignores SIGPIPE */
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; plan->flags & VNET_SPAWN_DEAF && i < sizeof(KEYBOARD) / sizeof(int); i++)
		sigaction(KEYBOARD[i], &action, NULL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int32_t write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int32_t ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int32_t enter_namespaces(const struct plan *plan)
{
	int kinds = 0;

	kinds |= plan->flags & VNET_SPAWN_USER_NAMESPACE ? CLONE_NEWUSER : 0;
	kinds |= plan->flags & VNET_SPAWN_NET_NAMESPACE ? CLONE_NEWNET : 0;
	kinds |= plan->flags & VNET_SPAWN_MOUNT_NAMESPACE ? CLONE_NEWNS : 0;
	return kinds && unshare(kinds) < 0 ? -errno : 0;
}

static int32_t map_user(const struct plan *plan)
{
	int32_t ret;

	if (!(plan->flags & VNET_SPAWN_USER_NAMESPACE))
		return 0;
	ret = write_file("/proc/self/uid_map", plan->uid_map);
	if (ret < 0)
		return ret;
	/* without privilege outside, a group map is allowed only where setgroups(2) is not */
	ret = write_file("/proc/self/setgroups", "deny");
	if (ret < 0 && ret != -ENOENT)
		return ret;
	return write_file("/proc/self/gid_map", plan->gid_map);
}

static int32_t separate_mounts(const struct plan *plan)
{
	if (!(plan->flags & VNET_SPAWN_MOUNT_NAMESPACE))
		return 0;
	return vnet_mount_private();
}

/* /dev/null; in a root without one a file that is empty and stays so. */
static int32_t open_nothing(void)
{
	int32_t fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	/* Linux 6.3 has the first form, and with vm.memfd_noexec=2 only that. */
	fd = (int32_t)syscall(SYS_memfd_create, "null", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		fd = (int32_t)syscall(SYS_memfd_create, "null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0)
		return fd;
	close(fd);
	return -EPERM;
}

static int32_t place_descriptors(const struct plan *plan)
{
	int32_t parked[DESCRIPTORS_LIMIT];
	uint32_t count = plan->descriptors_count;
	int32_t fd;

	for (uint32_t i = 0; i < count; i++) {
		if (plan->descriptors[i] < 0) {
			fd = open_nothing();
			if (fd < 0)
				return fd;
			parked[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_PARKING);
			close(fd);
		} else {
			parked[i] = fcntl(plan->descriptors[i], F_DUPFD_CLOEXEC, FD_PARKING);
		}
		if (parked[i] < 0)
			return -errno;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (dup2(parked[i], (int32_t)i) < 0)
			return -errno;
		/* standard input and output block, as every program expects of them */
		if (i < 3 &&
		    fcntl((int32_t)i, F_SETFL, fcntl((int32_t)i, F_GETFL) & ~O_NONBLOCK) < 0)
			return -errno;
	}
	/*
	 * all of ours are closed on exec already; this is for what libraries forgot, on kernels
	 * that can
	 */
	if (syscall(SYS_close_range, count, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS &&
	    errno != EINVAL)
		return -errno;
	return 0;
}

/* Raw system calls: the C library's own would signal threads that do not exist here. */
static int32_t change_identity(const struct plan *plan)
{
	if (plan->uid != KEEP &&
	    syscall(SYS_setgroups, (size_t)plan->groups_count, plan->groups) < 0)
		return -errno;
	if (plan->gid != KEEP && syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0)
		return -errno;
	if (plan->uid != KEEP && syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0)
		return -errno;
	return 0;
}

/*
 * What is not in the bounding set cannot be in any other after execve(2), not even root's.
 * Source: capabilities(7)
 */
static int32_t bound_capabilities(const struct plan *plan)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	/* who is not root loses all of them by execve(2), but for ambient ones */
	int32_t keeps = plan->flags & VNET_SPAWN_USER_NAMESPACE &&
			!(plan->flags & VNET_SPAWN_MAP_ROOT);

	if (plan->capabilities == KEEP_CAPABILITIES)
		return 0;
	for (unsigned long bit = 0; prctl(PR_CAPBSET_READ, bit, 0, 0, 0) >= 0; bit++) {
		if (bit < 64 && plan->capabilities >> bit & 1)
			continue;
		/* EPERM: the user is none who has some, or could give them to others */
		if (prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (uint32_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].inheritable =
			keeps ? data[i].permitted & (uint32_t)(plan->capabilities >> 32 * i) : 0;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned long bit = 0; keeps && bit < 64; bit++) {
		if (plan->capabilities >> bit & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int32_t set_privileges(const struct plan *plan)
{
	if (plan->flags & VNET_SPAWN_NO_NEW_PRIVILEGES &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* after the identity: changing it would clear this, prctl(2) */
	if (plan->flags & VNET_SPAWN_DIE_WITH_PARENT) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			return -errno;
		if (getppid() != plan->parent)
			raise(SIGKILL);
	}
	return 0;
}

static int32_t prepare_child(const struct plan *plan, uint32_t *step)
{
	int32_t ret;

	*step = STEP_SESSION;
	ret = reset_signals(plan);
	if (ret < 0)
		return ret;
	if (plan->flags & VNET_SPAWN_NEW_SESSION && setsid() < 0)
		return -errno;
	*step = STEP_NAMESPACES;
	ret = enter_namespaces(plan);
	if (ret < 0)
		return ret;
	*step = STEP_USER_MAP;
	ret = map_user(plan);
	if (ret < 0)
		return ret;
	*step = STEP_MOUNTS;
	ret = separate_mounts(plan);
	if (ret < 0)
		return ret;
	*step = STEP_DESCRIPTORS;
	ret = place_descriptors(plan);
	if (ret < 0)
		return ret;
	/* before the identity, which takes along the right to do so */
	*step = STEP_PRIVILEGES;
	ret = bound_capabilities(plan);
	if (ret < 0)
		return ret;
	*step = STEP_IDENTITY;
	ret = change_identity(plan);
	if (ret < 0)
		return ret;
	/* as the new user: a directory only root may enter is not for it */
	*step = STEP_DIRECTORY;
	if (plan->directory[0] != '\0' && chdir(plan->directory) < 0)
		return -errno;
	*step = STEP_PRIVILEGES;
	return set_privileges(plan);
}

static _Noreturn void run_child(const struct plan *plan)
{
	struct report report = { 0 };
	ssize_t written;

	report.error = prepare_child(plan, &report.step);
	if (report.error == 0) {
		report.step = STEP_EXECUTE;
		execve(plan->path, plan->arguments, plan->environment);
		report.error = -errno;
	}
	written = write(plan->report_fd, &report, sizeof(report));
	_exit(written == sizeof(report) ? 127 : 126);
}

/* ---- in the parent ------------------------------------------------------- */

/* Forks again: whose parent has ended gets another one. */
static _Noreturn void leave_orphan(const struct plan *plan)
{
	pid_t pid = fork();

	if (pid == 0)
		run_child(plan);
	_exit(pid < 0 ? errno : 0);
}

/* Collects the process between us and an orphan. Returns 0, or -errno. */
static int32_t reap_middle(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static pid_t fork_with_signals_blocked(const struct plan *plan)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	/* no handler of the runtime may run in the child */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0 && plan->flags & VNET_SPAWN_ORPHAN)
		leave_orphan(plan);
	if (pid == 0)
		run_child(plan);
	error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid > 0 && plan->flags & VNET_SPAWN_ORPHAN)
		return reap_middle(pid);
	return pid < 0 ? -error : pid;
}

/*
 * Waits for a child's report; its absence means that it executes. Returns 0, or what the child
 * said.
 */
static int32_t read_report(int32_t fd, pid_t pid, uint32_t *step)
{
	struct report report;
	ssize_t len;

	do {
		len = read(fd, &report, sizeof(report));
	} while (len < 0 && errno == EINTR);
	if (len != sizeof(report))
		return 0;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*step = report.step;
	return report.error;
}

static int32_t start_child(struct plan *plan, uint32_t *step)
{
	int pipe_fds[2];
	int32_t ret;
	pid_t pid;

	*step = STEP_FORK;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	/* out of the way of the descriptors the child places */
	plan->report_fd = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, FD_PARKING);
	close(pipe_fds[1]);
	if (plan->report_fd < 0) {
		ret = -errno;
		goto out;
	}
	pid = fork_with_signals_blocked(plan);
	close(plan->report_fd);
	if (pid < 0) {
		ret = pid;
		goto out;
	}
	ret = read_report(pipe_fds[0], pid, step);
	if (ret == 0)
		ret = pid;
out:
	close(pipe_fds[0]);
	return ret;
}

int32_t vnet_spawn(const char *path, const uint8_t *arguments, uint32_t arguments_len,
		   const uint8_t *environment, uint32_t environment_len, const char *directory,
		   const int32_t *descriptors, uint32_t descriptors_count, uint32_t uid,
		   uint32_t gid, uint64_t capabilities, uint32_t flags, uint32_t *step)
{
	struct plan plan = {
		.path = path,
		.directory = directory,
		.descriptors = descriptors,
		.descriptors_count = descriptors_count,
		.uid = uid,
		.gid = gid,
		.capabilities = capabilities,
		.flags = flags,
		.parent = getpid(),
	};
	int32_t ret;

	*step = STEP_NONE;
	if (descriptors_count < 3 || descriptors_count > DESCRIPTORS_LIMIT)
		return -EINVAL;
	/* in a user namespace of one user there is no other to become */
	if (flags & VNET_SPAWN_USER_NAMESPACE && (uid != KEEP || gid != KEEP))
		return -EINVAL;
	plan.arguments = split_strings(arguments, arguments_len);
	plan.environment = split_strings(environment, environment_len);
	if (!plan.arguments || !plan.environment || !plan.arguments[0]) {
		ret = -E2BIG;
		goto out;
	}
	if (uid != KEEP) {
		*step = STEP_GROUPS;
		ret = find_groups(&plan);
		if (ret < 0)
			goto out;
	}
	find_maps(&plan);
	ret = start_child(&plan, step);
out:
	free(plan.arguments);
	free(plan.environment);
	return ret;
}

/* Says whether descriptors stay open when another program takes over. Returns 0, or -errno. */
static int32_t set_inherited(const int32_t *descriptors, uint32_t count, int inherited)
{
	for (uint32_t i = 0; i < count; i++) {
		if (fcntl(descriptors[i], F_SETFD, inherited ? 0 : FD_CLOEXEC) < 0)
			return -errno;
	}
	return 0;
}

int32_t vnet_execute(const char *path, const uint8_t *arguments, uint32_t arguments_len,
		     const uint8_t *environment, uint32_t environment_len,
		     const int32_t *descriptors, uint32_t descriptors_count)
{
	char **argv = split_strings(arguments, arguments_len);
	char **envp = split_strings(environment, environment_len);
	int32_t ret = -E2BIG;

	if (!argv || !envp || !argv[0])
		goto out;
	ret = set_inherited(descriptors, descriptors_count, 1);
	if (ret < 0)
		goto out;
	execve(path, argv, envp);
	ret = -errno;
	set_inherited(descriptors, descriptors_count, 0);
out:
	free(argv);
	free(envp);
	return ret;
}

int32_t vnet_file_open(const char *path, uint32_t directory)
{
	int32_t fd = open(path, O_CLOEXEC | (directory ? O_PATH | O_DIRECTORY : O_RDONLY));

	return fd < 0 ? -errno : fd;
}

int32_t vnet_append_open(const char *path, uint32_t mode)
{
	int32_t fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);

	return fd < 0 ? -errno : fd;
}

int32_t vnet_process_open(int32_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int32_t)fd;
}

int32_t vnet_process_reap(int32_t pid)
{
	int status;
	pid_t ended;

	if (pid <= 0)
		return -EINVAL;
	do {
		ended = waitpid(pid, &status, WNOHANG);
	} while (ended < 0 && errno == EINTR);
	if (ended < 0)
		return -errno;
	if (ended == 0)
		return -EAGAIN;
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- mounts --------------------------------------------------------------- */

int32_t vnet_mount_bind(const char *source, const char *target, uint32_t flags)
{
	const unsigned long recursive = flags & VNET_BIND_RECURSIVE ? MS_REC : 0;
	int32_t ret;

	if (mount(source, target, NULL, MS_BIND | recursive, NULL) < 0)
		return -errno;
	/* MS_RDONLY does not take effect on the first call, mount(2) */
	if ((flags & VNET_BIND_READ_ONLY) &&
	    mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0) {
		ret = -errno;
		umount2(target, MNT_DETACH);
		return ret;
	}
	return 0;
}

int32_t vnet_mount_tmpfs(const char *target, const char *options)
{
	return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

int32_t vnet_mount_remove(const char *target)
{
	return umount2(target, MNT_DETACH) < 0 ? -errno : 0;
}

int32_t vnet_mount_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}
