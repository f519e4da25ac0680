// SPDX-License-Identifier: Apache-2.0
/* What belongs to no subject: the version, errno names, descriptors and waiting. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vnet_shim.h"

#define NAME(e)                                                                                    \
	{                                                                                          \
		e, #e                                                                              \
	}

/* The errnos the system calls used here may set. */
static const struct {
	int32_t number;
	const char *name;
} errno_names[] = {
	NAME(EPERM),	    NAME(ENOENT),	NAME(ESRCH),	       NAME(EINTR),
	NAME(EIO),	    NAME(ENXIO),	NAME(E2BIG),	       NAME(ENOEXEC),
	NAME(EBADF),	    NAME(ECHILD),	NAME(EAGAIN),	       NAME(ENOMEM),
	NAME(EACCES),	    NAME(EFAULT),	NAME(EBUSY),	       NAME(EEXIST),
	NAME(EXDEV),	    NAME(ENODEV),	NAME(ENOTDIR),	       NAME(EISDIR),
	NAME(EINVAL),	    NAME(ENFILE),	NAME(EMFILE),	       NAME(ENOTTY),
	NAME(ETXTBSY),	    NAME(EFBIG),	NAME(ENOSPC),	       NAME(ESPIPE),
	NAME(EROFS),	    NAME(EMLINK),	NAME(EPIPE),	       NAME(EDOM),
	NAME(ERANGE),	    NAME(ENAMETOOLONG), NAME(ENOSYS),	       NAME(ENOTEMPTY),
	NAME(ELOOP),	    NAME(ENODATA),	NAME(ETIME),	       NAME(EPROTO),
	NAME(EBADMSG),	    NAME(EOVERFLOW),	NAME(EBADFD),	       NAME(ELIBBAD),
	NAME(EUSERS),	    NAME(ENOTSOCK),	NAME(EDESTADDRREQ),    NAME(EMSGSIZE),
	NAME(EPROTOTYPE),   NAME(ENOPROTOOPT),	NAME(EPROTONOSUPPORT), NAME(EOPNOTSUPP),
	NAME(EAFNOSUPPORT), NAME(EADDRINUSE),	NAME(EADDRNOTAVAIL),   NAME(ENETDOWN),
	NAME(ENETUNREACH),  NAME(ENETRESET),	NAME(ECONNABORTED),    NAME(ECONNRESET),
	NAME(ENOBUFS),	    NAME(EISCONN),	NAME(ENOTCONN),	       NAME(ETOOMANYREFS),
	NAME(ETIMEDOUT),    NAME(ECONNREFUSED), NAME(EHOSTDOWN),       NAME(EHOSTUNREACH),
	NAME(EALREADY),	    NAME(EINPROGRESS),	NAME(ESTALE),	       NAME(EDQUOT),
	NAME(ECANCELED),
};

int32_t vnet_abi_version(void)
{
	return VNET_ABI_VERSION;
}

int32_t vnet_errno_name(int32_t number, char *out, uint32_t out_len)
{
	const char *name = NULL;
	int32_t len;

	for (uint32_t i = 0; i < sizeof(errno_names) / sizeof(errno_names[0]); i++) {
		if (errno_names[i].number == number)
			name = errno_names[i].name;
	}
	if (name)
		len = snprintf(out, out_len, "%s", name);
	else
		len = snprintf(out, out_len, "E%d", number);
	return len < 0 || (uint32_t)len >= out_len ? -ENOSPC : len;
}

int32_t vnet_close(int32_t fd)
{
	/* EINTR: Linux has closed the descriptor all the same, close(2) */
	return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int32_t vnet_wake_open(void)
{
	int32_t fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int32_t vnet_wake(int32_t wake_fd)
{
	return eventfd_write(wake_fd, 1) < 0 ? -errno : 0;
}

int32_t vnet_wait(int32_t fd, uint32_t events, int32_t wake_fd, int32_t timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = fd },
		{ .fd = wake_fd, .events = POLLIN },
	};
	int32_t ret;

	fds[0].events = (short)((events & 1 ? POLLIN : 0) | (events & 2 ? POLLOUT : 0));
	do {
		ret = poll(fds, 2, timeout_ms);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	if (fds[0].revents & POLLNVAL || fds[1].revents & POLLNVAL)
		return -EINVAL;
	if (fds[1].revents)
		return -ECANCELED;
	if (fds[0].revents & (POLLERR | POLLHUP))
		return (int32_t)events;
	return (fds[0].revents & POLLIN ? 1 : 0) | (fds[0].revents & POLLOUT ? 2 : 0);
}
