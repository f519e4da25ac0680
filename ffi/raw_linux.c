// SPDX-License-Identifier: Apache-2.0
/*
 * Sending packets to this host's own addresses, for a process without privilege. The raw socket
 * stays here, and each packet is looked at: it comes from an address that leads into the link, and
 * goes to one of this host's, which is reached through lo. Where this host's NAT knows it for an
 * answer to a container, it goes on to that. Source: raw(7), kernel net/ipv4/netfilter.c
 * (ip_route_me_harder)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "netlink.h"
#include "packet.h"
#include "vnet_shim.h"

/* How much may wait for the thread: some thousands of SYNs. */
#define QUEUE_BYTES (4 << 20)

/* What the thread owns; it frees all of it at its end. */
struct sender {
	int32_t raw_fd;
	int32_t netlink_fd;
	int32_t fd; /* its end of the pair */
	uint32_t ifindex;
	uint8_t v6;
};

static void send_raw(const struct sender *sender, const struct packet *packet)
{
	union endpoint to;
	/* port 0: for IPv6 raw sockets it would be a protocol number, raw(7) */
	socklen_t to_len = endpoint_set(&to, packet->destination, packet->address_len, 0);
	ssize_t sent;

	do {
		sent = sendto(sender->raw_fd, packet->data, packet->len, MSG_NOSIGNAL, &to.any,
			      to_len);
	} while (sent < 0 && errno == EINTR);
	/* a packet the kernel does not take is a lost packet: a SYN comes again */
}

/* Waits for a message, or for the end. Returns 0, or -errno. */
static int32_t wait_readable(int32_t fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int ret;

	do {
		ret = poll(&poll_fd, 1, -1);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* Tells whether a packet comes from where the link leads, and goes to this host. */
static int in_bounds(const struct sender *sender, const struct packet *packet)
{
	struct netlink_way from, to;

	return netlink_find_way(sender->netlink_fd, packet->source, packet->address_len, &from) ==
		       0 &&
	       from.type == RTN_UNICAST && from.ifindex == sender->ifindex &&
	       netlink_find_way(sender->netlink_fd, packet->destination, packet->address_len,
				&to) == 0 &&
	       to.type == RTN_LOCAL;
}

static void *thread_main(void *argument)
{
	struct sender *sender = argument;
	uint8_t buffer[PACKET_ERROR_LIMIT];
	uint32_t carries;
	int32_t len, hold;

	for (;;) {
		struct packet packet = { .data = buffer, .capacity = sizeof(buffer) };

		if (wait_readable(sender->fd) < 0)
			break;
		len = vnet_peer_receive(sender->fd, buffer, sizeof(buffer), &carries);
		if (len == -EAGAIN)
			continue;
		/* packets fit and carry nothing: whoever sends another thing gets no more sent */
		if (len <= 0 || carries)
			break;
		packet.len = (uint32_t)len;
		if (packet_is_ours(&packet) && packet.v6 == sender->v6 &&
		    in_bounds(sender, &packet))
			send_raw(sender, &packet);
	}
	close(sender->raw_fd);
	close(sender->netlink_fd);
	hold = vnet_peer_leave(sender->fd);
	close(sender->fd);
	if (hold > 0)
		close(hold);
	free(sender);
	return NULL;
}

/* Opens the raw socket. Returns it, or -errno. */
static int32_t open_raw(uint32_t family)
{
	/* IPPROTO_RAW: the caller writes the IP header, and nothing is ever received */
	int32_t fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

/*
 * Makes the pair: pair[0] for the thread, pair[1] nonblocking for the caller. Returns 0, or -errno.
 */
static int32_t open_pair(int pair[2])
{
	const int size = QUEUE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* beyond the limit for everybody where we may; else what everybody may have */
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0 || shutdown(pair[0], SHUT_WR) < 0) {
		int32_t ret = -errno;

		close(pair[0]);
		close(pair[1]);
		return ret;
	}
	return 0;
}

/* Starts the thread, which takes over the sender. Returns 0, or -errno. */
static int32_t start_sender(struct sender *sender)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attributes);
	if (ret)
		return -ret;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* signals are for the runtime's threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attributes, thread_main, sender);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -ret;
}

int32_t vnet_raw_open(uint32_t family, uint32_t ifindex)
{
	int32_t raw_fd = -1, netlink_fd = -1, ret;
	struct sender *sender = NULL;
	int pair[2] = { -1, -1 };
	char name[IFNAMSIZ];

	if (family != 4 && family != 6)
		return -EINVAL;
	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	ret = raw_fd = open_raw(family);
	if (ret < 0)
		return ret;
	ret = netlink_fd = netlink_open();
	if (ret < 0)
		goto fail;
	ret = open_pair(pair);
	if (ret < 0)
		goto fail;
	ret = -ENOMEM;
	sender = malloc(sizeof(*sender));
	if (!sender)
		goto fail;
	*sender = (struct sender){
		.raw_fd = raw_fd,
		.netlink_fd = netlink_fd,
		.fd = pair[0],
		.ifindex = ifindex,
		.v6 = family == 6,
	};
	ret = start_sender(sender);
	if (ret < 0)
		goto fail;
	return pair[1];

fail:
	free(sender);
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	if (netlink_fd >= 0)
		close(netlink_fd);
	close(raw_fd);
	return ret;
}
