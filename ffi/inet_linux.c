// SPDX-License-Identifier: Apache-2.0
/* UDP in batches, TCP listeners and their guard. Source: udp(7), tcp(7), socket(7) */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "packet.h"
#include "vnet_shim.h"

#define BATCH_LIMIT 64
#define LINKS_LIMIT 8

/* Opens a nonblocking socket bound to one address; IPv6 sockets are for IPv6 alone. */
static int32_t open_bound(int32_t type, const uint8_t *address, uint32_t address_len, uint32_t port)
{
	union endpoint endpoint;
	socklen_t len = endpoint_set(&endpoint, address, address_len, port);
	const int on = 1;
	int32_t fd, ret;

	if (len == 0)
		return -EINVAL;
	fd = socket(endpoint.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (address_len == 16 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		goto fail;
	/*
	 * for TCP only: a restart must not wait for connections in TIME_WAIT; for UDP it would
	 * share the port
	 */
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		goto fail;
	if (bind(fd, &endpoint.any, len) < 0)
		goto fail;
	return fd;

fail:
	ret = -errno;
	close(fd);
	return ret;
}

int32_t vnet_udp_bind(const uint8_t *address, uint32_t address_len, uint32_t port)
{
	return open_bound(SOCK_DGRAM, address, address_len, port);
}

int32_t vnet_tcp_listen(const uint8_t *address, uint32_t address_len, uint32_t port,
			uint32_t backlog)
{
	int32_t fd, ret;

	fd = open_bound(SOCK_STREAM, address, address_len, port);
	if (fd < 0)
		return fd;
	if (listen(fd, backlog > INT32_MAX ? INT32_MAX : (int)backlog) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int32_t vnet_socket_local(int32_t fd, uint8_t *out, uint32_t out_len)
{
	union endpoint endpoint;
	socklen_t len = sizeof(endpoint);

	if (out_len < ENDPOINT_RECORD_SIZE)
		return -ENOSPC;
	if (getsockname(fd, &endpoint.any, &len) < 0)
		return -errno;
	if (endpoint.any.sa_family != AF_INET && endpoint.any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	endpoint_write(&endpoint, out);
	return 0;
}

int32_t vnet_udp_receive(int32_t fd, uint8_t *data, uint32_t slot_len, uint8_t *sources,
			 uint32_t *lengths, uint32_t count)
{
	struct mmsghdr messages[BATCH_LIMIT] = { 0 };
	union endpoint endpoints[BATCH_LIMIT];
	struct iovec iovs[BATCH_LIMIT];
	int32_t received;

	if (count > BATCH_LIMIT)
		count = BATCH_LIMIT;
	for (uint32_t i = 0; i < count; i++) {
		iovs[i].iov_base = data + (size_t)i * slot_len;
		iovs[i].iov_len = slot_len;
		messages[i].msg_hdr.msg_iov = &iovs[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &endpoints[i];
		messages[i].msg_hdr.msg_namelen = sizeof(endpoints[i]);
	}
	do {
		received = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	for (int32_t i = 0; i < received; i++) {
		endpoint_write(&endpoints[i], sources + (size_t)i * ENDPOINT_RECORD_SIZE);
		lengths[i] = messages[i].msg_hdr.msg_flags & MSG_TRUNC ? 0 : messages[i].msg_len;
	}
	return received;
}

int32_t vnet_udp_send(int32_t fd, const uint8_t *data, uint32_t slot_len,
		      const uint8_t *destinations, const uint32_t *lengths, uint32_t count)
{
	struct mmsghdr messages[BATCH_LIMIT] = { 0 };
	union endpoint endpoints[BATCH_LIMIT];
	struct iovec iovs[BATCH_LIMIT];
	int32_t sent;

	if (count > BATCH_LIMIT)
		count = BATCH_LIMIT;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *record = destinations + (size_t)i * ENDPOINT_RECORD_SIZE;
		socklen_t len = endpoint_read(&endpoints[i], record);

		if (len == 0 || lengths[i] > slot_len)
			return -EINVAL;
		iovs[i].iov_base = (void *)(uintptr_t)(data + (size_t)i * slot_len);
		iovs[i].iov_len = lengths[i];
		messages[i].msg_hdr.msg_iov = &iovs[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &endpoints[i];
		messages[i].msg_hdr.msg_namelen = len;
	}
	do {
		sent = sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

/* Tells whether a descriptor is a TCP listener with this local endpoint record. */
static int32_t is_listener(int32_t fd, const uint8_t *wanted)
{
	uint8_t local[ENDPOINT_RECORD_SIZE];
	int listening = 0, protocol = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return 0;
	len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0 || protocol != IPPROTO_TCP)
		return 0;
	return vnet_socket_local(fd, local, sizeof(local)) == 0 &&
	       memcmp(local, wanted, sizeof(local)) == 0;
}

int32_t vnet_listener_find(const uint8_t *address, uint32_t address_len, uint32_t port)
{
	uint8_t wanted[ENDPOINT_RECORD_SIZE];
	union endpoint endpoint;
	struct dirent *entry;
	int32_t found = -ENOENT;
	DIR *directory;

	if (endpoint_set(&endpoint, address, address_len, port) == 0)
		return -EINVAL;
	endpoint_write(&endpoint, wanted);
	directory = opendir("/proc/self/fd");
	if (!directory)
		return -errno;
	while (found < 0 && (entry = readdir(directory))) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && *end == '\0' && is_listener((int32_t)fd, wanted))
			found = (int32_t)fd;
	}
	closedir(directory);
	return found;
}

/* Appends one instruction; the programs here are far shorter than their arrays. */
static void emit(struct sock_fprog *program, uint16_t code, uint32_t k, uint8_t if_true,
		 uint8_t if_false)
{
	program->filter[program->len++] = (struct sock_filter){ code, if_true, if_false, k };
}

/* Appends "if the word at an offset of the IP header is not this one, drop". */
static void emit_match(struct sock_fprog *program, uint32_t offset, const uint8_t *word)
{
	uint32_t value;

	memcpy(&value, word, 4);
	emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + offset, 0, 0);
	emit(program, BPF_JMP | BPF_JEQ | BPF_K, ntohl(value), 1, 0);
	emit(program, BPF_RET | BPF_K, 0, 0, 0);
}

int32_t vnet_listener_guard(int32_t fd, const uint32_t *ifindexes, uint32_t ifindexes_count,
			    const uint8_t *source, uint32_t source_len)
{
	struct sock_filter instructions[LINKS_LIMIT + 16];
	struct sock_fprog program = { .filter = instructions };
	uint32_t source_offset = source_len == 4 ? IPV4_OFF_SOURCE : IPV6_OFF_SOURCE;

	if (ifindexes_count == 0 || ifindexes_count > LINKS_LIMIT)
		return -EINVAL;
	if (source && source_len != 4 && source_len != 16)
		return -EINVAL;
	emit(&program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX), 0, 0);
	/* a match jumps over the other comparisons and the drop after them */
	for (uint32_t i = 0; i < ifindexes_count; i++)
		emit(&program, BPF_JMP | BPF_JEQ | BPF_K, ifindexes[i],
		     (uint8_t)(ifindexes_count - i), 0);
	emit(&program, BPF_RET | BPF_K, 0, 0, 0);
	for (uint32_t at = 0; source && at < source_len; at += 4)
		emit_match(&program, source_offset + at, source + at);
	emit(&program, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

int32_t vnet_socket_congestion(int32_t fd, const char *name)
{
	socklen_t len = (socklen_t)strlen(name);

	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, len) < 0 ? -errno : 0;
}
