// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of a peer that is not trusted. Letting go of a descriptor can take for ever: close(2) of
 * a file asks its file system (FUSE: its owner), and the last reference to one with pages to be
 * written waits for that, also in the kernel, when a message is received without room for it or its
 * socket is closed. So this process never has a peer's descriptor: it looks at a message before it
 * takes it, and what carries some is left to a process made for the purpose, which has nothing else
 * open and whose end nobody waits for. Source: unix(7), fuse_flush() and fuse_release() of the
 * kernel's fs/fuse/file.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vnet_shim.h"

/* As many as the kernel lets a message have (SCM_MAX_FD). */
#define CARRIED_LIMIT 253

/* Looks at the first message. Returns its length, or -errno. */
static int32_t look(int32_t fd, uint8_t *data, uint32_t data_len, int *flags)
{
	struct iovec iov = { .iov_base = data, .iov_len = data_len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	do {
		message.msg_flags = 0;
		len = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	*flags = message.msg_flags;
	return len < 0 ? -errno : (int32_t)len;
}

/* Takes the first message, which carries nothing. Returns its length, or -errno. */
static int32_t take(int32_t fd, uint8_t *data, uint32_t data_len)
{
	ssize_t len;

	do {
		len = recv(fd, data, data_len, MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : (int32_t)len;
}

int32_t vnet_peer_receive(int32_t fd, uint8_t *data, uint32_t data_len, uint32_t *carries)
{
	int32_t len;
	int flags;

	*carries = 0;
	len = look(fd, data, data_len, &flags);
	if (len < 0)
		return len;
	/* without room for control data this flag says that there is some */
	*carries = (flags & MSG_CTRUNC) != 0;
	if (flags & MSG_TRUNC)
		return -EMSGSIZE;
	return *carries ? len : take(fd, data, data_len);
}

/* ---- the other process --------------------------------------------------- */

/* Closes the descriptors from first to last. */
static void close_from_to(uint32_t first, uint32_t last)
{
	struct rlimit limit;

	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	/* before Linux 5.9 */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	for (uint32_t fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		close((int)fd);
}

/* Closes all but two descriptors: nothing of this process's parent stays open in it. */
static void keep_two(int32_t one, int32_t other)
{
	uint32_t low = (uint32_t)(one < other ? one : other);
	uint32_t high = (uint32_t)(one < other ? other : one);

	if (low > 0)
		close_from_to(0, low - 1);
	close_from_to(low + 1, high - 1);
	close_from_to(high + 1, ~0u);
}

/*
 * Makes a process that is nobody's child, with no signal but SIGKILL. Between fork and _exit it does
 * only what is async-signal-safe. Returns 0 in it; 1 here, or -errno.
 */
static int32_t fork_away(void)
{
	sigset_t all, before;
	int status = 0;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			return 0;
		_exit(pid < 0 ? 1 : 0);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status == 0 ? 1 : -EAGAIN;
}

/* Takes the one descriptor that the first message carries. Returns it, or -errno. */
static int32_t take_carried(int32_t fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CARRIED_LIMIT * sizeof(int))];
	uint8_t byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	int carried;

	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (message.msg_flags & MSG_CTRUNC || !header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return -EINVAL;
	if (header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -E2BIG;
	memcpy(&carried, CMSG_DATA(header), sizeof(carried));
	return carried;
}

/*
 * Tells whether a descriptor is a TCP socket that listens. Nothing is asked of it but what the
 * kernel answers by itself, without its lock. Returns 0, or -errno.
 */
static int32_t judge_listener(int32_t fd)
{
	static const struct {
		int option, wanted, other, error;
	} RULES[] = {
		{ SO_DOMAIN, AF_INET, AF_INET6, EAFNOSUPPORT },
		{ SO_TYPE, SOCK_STREAM, SOCK_STREAM, EINVAL },
		{ SO_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP, EINVAL },
		{ SO_ACCEPTCONN, 1, 1, EINVAL },
	};

	for (size_t i = 0; i < sizeof(RULES) / sizeof(*RULES); i++) {
		socklen_t len = sizeof(int);
		int value;

		if (getsockopt(fd, SOL_SOCKET, RULES[i].option, &value, &len) < 0)
			return -errno;
		if (value != RULES[i].wanted && value != RULES[i].other)
			return -RULES[i].error;
	}
	return 0;
}

int32_t vnet_peer_guard(int32_t fd, const uint32_t *ifindexes, uint32_t ifindexes_count,
			const uint8_t *source, uint32_t source_len, const char *congestion)
{
	int32_t outcome, listener, ret;
	int report[2];

	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ret = fork_away();
	if (ret == 0) {
		keep_two(fd, report[1]);
		listener = take_carried(fd);
		outcome = listener < 0 ? listener : judge_listener(listener);
		if (outcome == 0)
			outcome = vnet_listener_guard(listener, ifindexes, ifindexes_count, source,
						      source_len);
		if (outcome == 0)
			vnet_socket_congestion(listener, congestion);
		/* said before the descriptor goes: that may take for ever */
		_exit(write(report[1], &outcome, sizeof(outcome)) != sizeof(outcome));
	}
	close(report[1]);
	if (ret > 0)
		return report[0];
	close(report[0]);
	return ret;
}

int32_t vnet_peer_outcome(int32_t fd, int32_t *outcome)
{
	ssize_t len;

	do {
		len = read(fd, outcome, sizeof(*outcome));
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return len == sizeof(*outcome) ? 0 : -EPIPE;
}

/* Takes what carries nothing. Returns 1 if something is left that carries descriptors. */
static int32_t drain(int32_t fd)
{
	uint8_t byte;
	int flags;

	for (;;) {
		if (look(fd, &byte, sizeof(byte), &flags) <= 0)
			return 0;
		if (flags & MSG_CTRUNC)
			return 1;
		if (take(fd, &byte, sizeof(byte)) < 0)
			return 0;
	}
}

int32_t vnet_peer_leave(int32_t fd)
{
	int hold[2];
	int32_t ret;
	char byte;

	/* from here on the peer can send nothing more */
	if (shutdown(fd, SHUT_RDWR) < 0 && errno != ENOTCONN)
		return -errno;
	if (!drain(fd))
		return 0;
	if (pipe2(hold, O_CLOEXEC) < 0)
		return -errno;
	ret = fork_away();
	if (ret == 0) {
		keep_two(fd, hold[0]);
		/* until this process's is the last copy of the socket */
		while (read(hold[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	close(hold[0]);
	if (ret > 0)
		return hold[1];
	close(hold[1]);
	return ret;
}
