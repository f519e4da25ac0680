// SPDX-License-Identifier: Apache-2.0
/* Unix sockets that keep message borders and carry descriptors. Source: unix(7), cmsg(3) */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vnet_shim.h"

#define FDS_LIMIT 8
#define BACKLOG 64
#define KEEP 0xffffffffu

static int32_t set_path(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (len == 0 || len >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, len + 1);
	return 0;
}

static int32_t open_socket(void)
{
	int32_t fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Removes a socket nobody listens on. Returns 0, or -EADDRINUSE for anything else at the path. */
static int32_t remove_stale(const struct sockaddr_un *address)
{
	struct stat status;
	int32_t fd, ret;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EADDRINUSE;
	fd = open_socket();
	if (fd < 0)
		return fd;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	close(fd);
	if (ret != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int32_t bind_path(int32_t fd, const struct sockaddr_un *address)
{
	int32_t ret;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	ret = remove_stale(address);
	if (ret < 0)
		return ret;
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

int32_t vnet_unix_listen(const char *path, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct sockaddr_un address;
	int32_t fd, ret;

	ret = set_path(&address, path);
	if (ret < 0)
		return ret;
	fd = open_socket();
	if (fd < 0)
		return fd;
	/*
	 * the file inherits the socket's mode, less the umask: never wider than wanted, not even at
	 * first
	 */
	if (fchmod(fd, mode) < 0) {
		ret = -errno;
		goto fail;
	}
	ret = bind_path(fd, &address);
	if (ret < 0)
		goto fail;
	if ((uid != KEEP || gid != KEEP) && lchown(path, uid, gid) < 0) {
		ret = -errno;
		goto unbind;
	}
	if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		ret = -errno;
		goto unbind;
	}
	return fd;

unbind:
	unlink(path);
fail:
	close(fd);
	return ret;
}

int32_t vnet_unix_accept(int32_t fd)
{
	int32_t accepted;

	do {
		accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
	return accepted < 0 ? -errno : accepted;
}

int32_t vnet_unix_connect(const char *path)
{
	struct sockaddr_un address;
	int32_t fd, ret;

	ret = set_path(&address, path);
	if (ret < 0)
		return ret;
	fd = open_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int32_t vnet_unix_pair(int32_t *out, uint32_t out_count)
{
	int pair[2];

	if (out_count < 2)
		return -ENOSPC;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	out[0] = pair[0];
	out[1] = pair[1];
	return 0;
}

int32_t vnet_unix_send(int32_t fd, const uint8_t *data, uint32_t data_len, const int32_t *fds,
		       uint32_t fds_count)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FDS_LIMIT * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = data_len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *header;
	ssize_t sent;

	if (fds_count > FDS_LIMIT || data_len == 0)
		return -EINVAL;
	if (fds_count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fds_count * sizeof(int));
	}
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : (int32_t)sent;
}

/*
 * Copies the descriptors of a message, and closes those that do not fit. Returns how many there
 * were.
 */
static uint32_t take_fds(struct msghdr *message, int32_t *fds, uint32_t fds_count)
{
	uint32_t found = 0, count;
	struct cmsghdr *header;
	int fd;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (uint32_t i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (found < fds_count)
				fds[found] = fd;
			else
				close(fd);
			found++;
		}
	}
	return found;
}

int32_t vnet_unix_receive(int32_t fd, uint8_t *data, uint32_t data_len, int32_t *fds,
			  uint32_t fds_count, int32_t *received)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FDS_LIMIT * sizeof(int))];
	struct iovec iov = { .iov_base = data, .iov_len = data_len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint32_t found;
	ssize_t len;

	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	*received = 0;
	do {
		len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	found = take_fds(&message, fds, fds_count);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || found > fds_count) {
		for (uint32_t i = 0; i < found && i < fds_count; i++)
			close(fds[i]);
		return -EMSGSIZE;
	}
	*received = (int32_t)found;
	return (int32_t)len;
}

int32_t vnet_unix_peer(int32_t fd, uint32_t *out, uint32_t out_count)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	if (out_count < 3)
		return -ENOSPC;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
		return -errno;
	out[0] = (uint32_t)credentials.pid;
	out[1] = credentials.uid;
	out[2] = credentials.gid;
	return 0;
}
