// SPDX-License-Identifier: Apache-2.0
/*
 * Answers requests to the kernel with anything: lists of routes and addresses, ways, owners of
 * sockets, lists of sockets to end. What lies behind each datagram is poisoned, so that ASan sees a
 * length that is believed. The sources are included, with the calls that reach
 * the kernel put aside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, read from the front. */
static struct {
	const uint8_t *data;
	size_t size;
} input;

static uint8_t next(void)
{
	if (input.size == 0)
		return 0;
	input.size--;
	return *input.data++;
}

static const uint16_t types[8] = {
	NLMSG_ERROR,  NLMSG_DONE,  RTM_NEWROUTE,	RTM_NEWADDR,
	RTM_NEWROUTE, RTM_NEWADDR, SOCK_DIAG_BY_FAMILY, NLMSG_NOOP,
};

/* One message whose length is mostly right. */
static uint32_t make_message(uint8_t *buffer, uint32_t room)
{
	struct nlmsghdr header = { .nlmsg_type = types[next() % 8] };
	uint32_t len = (uint32_t)sizeof(header) + next() % 160u, lie = next();

	if (len > room)
		len = room;
	if (len < sizeof(header))
		return 0;
	header.nlmsg_len = lie < 16 ? len + lie - 8 : len;
	memcpy(buffer, &header, sizeof(header));
	for (uint32_t i = (uint32_t)sizeof(header); i < len; i++)
		buffer[i] = next();
	return NLMSG_ALIGN(len) < room ? NLMSG_ALIGN(len) : len;
}

/* What lies behind the last datagram, which may not be read. */
static struct {
	uint8_t *at;
	size_t len;
} behind;

static void forget_behind(void)
{
	ASAN_UNPOISON_MEMORY_REGION(behind.at, behind.len);
	behind.len = 0;
}

static ssize_t fake_recv(void *buffer, size_t len, int flags)
{
	uint32_t used = 0, count = next() % 8u;

	forget_behind();
	if (input.size == 0) {
		errno = ENOTCONN;
		return -1;
	}
	while (count-- > 0)
		used += make_message((uint8_t *)buffer + used,
				     len - used < 1024 ? (uint32_t)(len - used) : 1024);
	behind.at = (uint8_t *)buffer + used;
	behind.len = len - used;
	ASAN_POISON_MEMORY_REGION(behind.at, behind.len);
	return flags & MSG_TRUNC && next() == 7 ? (ssize_t)len + 1 : (ssize_t)used;
}

#define socket(family, type, protocol) ((void)(family), (void)(type), (void)(protocol), 5)
#define sendto(fd, data, len, flags, to, to_len)                                                   \
	((void)(fd), (void)(data), (void)(flags), (void)(to), (void)(to_len), (ssize_t)(len))
#define send(fd, data, len, flags) ((void)(fd), (void)(data), (void)(flags), (ssize_t)(len))
#define recv(fd, buffer, len, flags) ((void)(fd), fake_recv(buffer, len, flags))
/* a function: its result is not used */
static int fake_close(int fd)
{
	return fd < 0;
}
#define close(fd) fake_close(fd)

#include "../netlink_linux.c"
#include "../network_linux.c"
#undef RECORD_SIZE
#include "../diag_linux.c"

static const uint8_t address[16] = { 0xfd, 0x7a, [15] = 9 };

static void ask(uint8_t what)
{
	uint32_t len = what & 8 ? 16 : 4, size = 32u * (what >> 4), owner[2];
	uint8_t *out = malloc(size ? size : 1);
	struct netlink_way way;
	int32_t ret = 0;

	REQUIRE(out != NULL);
	switch (what & 7) {
	case 0:
	case 1:
		ret = vnet_route_dump(len == 4 ? 4 : 6, out, size);
		break;
	case 2:
	case 3:
		ret = vnet_address_dump(len == 4 ? 4 : 6, out, size);
		break;
	case 4:
		netlink_find_way(5, address, len, &way);
		break;
	case 5:
		vnet_socket_owner(address, len, 1, address, 2, 3, owner, 2);
		break;
	default:
		vnet_socket_destroy(address, len, len * 4);
	}
	forget_behind();
	REQUIRE(ret <= (int32_t)size);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input.data = data;
	input.size = size;
	while (input.size > 0)
		ask(next());
	return 0;
}
