// SPDX-License-Identifier: Apache-2.0
/* Who owns a TCP connection, and how to end it for its owner. Source: sock_diag(7) */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "diag_linux.h"
#include "netlink.h"
#include "vnet_shim.h"

#define BUFFER_SIZE 32768

struct diag_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

/* Every state of a connection that somebody may be waiting on. */
#define LIVE_STATES                                                                                \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 |   \
	 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

static void start_request(struct diag_request *request, uint32_t type, uint32_t flags,
			  uint8_t family)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = sizeof(*request);
	request->header.nlmsg_type = (uint16_t)type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->body.sdiag_family = family;
	request->body.sdiag_protocol = IPPROTO_TCP;
	request->body.idiag_states = UINT32_MAX;
	request->body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	request->body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

static int32_t send_request(int32_t fd, const struct diag_request *request)
{
	ssize_t sent;

	do {
		sent = send(fd, request, sizeof(*request), 0);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static int32_t receive(int32_t fd, void *buffer, uint32_t buffer_len)
{
	ssize_t len;

	do {
		len = recv(fd, buffer, buffer_len, 0);
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : (int32_t)len;
}

int32_t diag_open(void)
{
	int32_t fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

int32_t vnet_diag_open(void)
{
	return diag_open();
}

/*
 * Tells whether the kernel's answer is about the connection asked for. Without one it looks for a
 * listener of the same port, which is somebody else.
 */
static int32_t answers(const struct inet_diag_msg *answer, const struct inet_diag_req_v2 *question)
{
	/* a socket nobody holds any more has no inode, and would pass for root's */
	return answer->idiag_state != TCP_LISTEN && answer->idiag_inode != 0 &&
	       answer->id.idiag_sport == question->id.idiag_sport &&
	       answer->id.idiag_dport == question->id.idiag_dport;
}

int32_t diag_owner(int32_t fd, const struct diag_query *query, uint32_t *uid, uint32_t *inode)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	const struct nlmsghdr *header;
	struct netlink_span messages;
	const struct inet_diag_msg *answer;
	struct diag_request request;
	int32_t ret;

	start_request(&request, SOCK_DIAG_BY_FAMILY, 0,
		      query->address_len == 4 ? AF_INET : AF_INET6);
	request.body.id.idiag_sport = htons(query->source_port);
	request.body.id.idiag_dport = htons(query->destination_port);
	request.body.id.idiag_if = query->ifindex;
	memcpy(request.body.id.idiag_src, query->source, query->address_len);
	memcpy(request.body.id.idiag_dst, query->destination, query->address_len);
	ret = send_request(fd, &request);
	if (ret < 0)
		return ret;
	ret = receive(fd, buffer, sizeof(buffer));
	if (ret < 0)
		return ret;
	messages = (struct netlink_span){ buffer, (uint32_t)ret };
	header = netlink_message(&messages);
	if (!header)
		return -EPROTO;
	if (header->nlmsg_type == NLMSG_ERROR)
		return netlink_error(header);
	answer = NLMSG_DATA(header);
	if (!netlink_holds(header, sizeof(*answer)) || !answers(answer, &request.body))
		return -ENOENT;
	*uid = answer->idiag_uid;
	*inode = answer->idiag_inode;
	return 0;
}

int32_t vnet_socket_owner(const uint8_t *source, uint32_t address_len, uint32_t source_port,
			  const uint8_t *destination, uint32_t destination_port, uint32_t ifindex,
			  uint32_t *out, uint32_t out_count)
{
	const struct diag_query query = {
		.source = source,
		.destination = destination,
		.address_len = address_len,
		.source_port = (uint16_t)source_port,
		.destination_port = (uint16_t)destination_port,
		.ifindex = ifindex,
	};
	int32_t fd, ret;

	if (out_count < 2 || (address_len != 4 && address_len != 16))
		return -EINVAL;
	fd = diag_open();
	if (fd < 0)
		return fd;
	ret = diag_owner(fd, &query, &out[0], &out[1]);
	close(fd);
	return ret;
}

/* Tells whether the first bits of two addresses are the same. */
static int32_t within(const uint8_t *address, const uint8_t *prefix, uint32_t bits)
{
	uint32_t bytes = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00u >> rest);

	if (memcmp(address, prefix, bytes) != 0)
		return 0;
	return rest == 0 || ((address[bytes] ^ prefix[bytes]) & mask) == 0;
}

/*
 * Tells whether a connection leads into a prefix; an IPv6 socket may speak IPv4 (RFC 4291,
 * 2.5.5.2).
 */
static int32_t leads_into(const struct inet_diag_msg *socket, const uint8_t *prefix,
			  uint32_t prefix_len, uint32_t bits)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	const uint8_t *remote = (const uint8_t *)socket->id.idiag_dst;

	if (socket->idiag_family == AF_INET)
		return prefix_len == 4 && within(remote, prefix, bits);
	if (prefix_len == 16)
		return within(remote, prefix, bits);
	return memcmp(remote, mapped, sizeof(mapped)) == 0 && within(remote + 12, prefix, bits);
}

/* Aborts one connection. Returns 1, 0 if it had ended already, or -errno. */
static int32_t destroy(int32_t fd, uint8_t protocol, const struct inet_diag_msg *socket)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	const struct nlmsghdr *header;
	struct netlink_span messages;
	struct diag_request request;
	int32_t ret;

	start_request(&request, SOCK_DESTROY, NLM_F_ACK, socket->idiag_family);
	request.body.sdiag_protocol = protocol;
	request.body.id = socket->id;
	ret = send_request(fd, &request);
	if (ret < 0)
		return ret;
	ret = receive(fd, buffer, sizeof(buffer));
	if (ret < 0)
		return ret;
	messages = (struct netlink_span){ buffer, (uint32_t)ret };
	header = netlink_message(&messages);
	if (!header || header->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	ret = netlink_error(header);
	if (ret == 0)
		return 1;
	return ret == -ENOENT ? 0 : ret;
}

/* Aborts the fitting connections of one datagram of a dump; sets *done at its end. */
static int32_t destroy_listed(int32_t fd, uint8_t protocol, struct netlink_span messages,
			      const uint8_t *prefix, uint32_t prefix_len, uint32_t bits,
			      int32_t *done)
{
	const struct nlmsghdr *header;
	int32_t count = 0, ret;

	while ((header = netlink_message(&messages))) {
		if (header->nlmsg_type == NLMSG_ERROR)
			return netlink_error(header);
		if (header->nlmsg_type == NLMSG_DONE) {
			*done = 1;
			break;
		}
		if (!netlink_holds(header, sizeof(struct inet_diag_msg)) ||
		    !leads_into(NLMSG_DATA(header), prefix, prefix_len, bits))
			continue;
		ret = destroy(fd, protocol, NLMSG_DATA(header));
		if (ret < 0)
			return ret;
		count += ret;
	}
	return count;
}

/* Aborts the fitting connections among the sockets of one family. Returns how many, or -errno. */
static int32_t destroy_family(uint8_t protocol, uint8_t family, const uint8_t *prefix,
			      uint32_t prefix_len, uint32_t bits)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[BUFFER_SIZE];
	int32_t list_fd = -1, fd = -1, done = 0, count = 0, ret;
	struct diag_request request;

	ret = list_fd = diag_open();
	if (ret < 0)
		return ret;
	ret = fd = diag_open();
	if (ret < 0)
		goto out;
	start_request(&request, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
	request.body.sdiag_protocol = protocol;
	request.body.idiag_states = LIVE_STATES;
	ret = send_request(list_fd, &request);
	while (ret >= 0 && !done) {
		ret = receive(list_fd, buffer, sizeof(buffer));
		if (ret < 0)
			break;
		ret = destroy_listed(fd, protocol, (struct netlink_span){ buffer, (uint32_t)ret },
				     prefix, prefix_len, bits, &done);
		if (ret > 0)
			count += ret;
	}
	close(fd);
out:
	close(list_fd);
	return ret < 0 ? ret : count;
}

/* Aborts the fitting connections of one protocol. Returns how many, or -errno. */
static int32_t destroy_protocol(uint8_t protocol, const uint8_t *prefix, uint32_t prefix_len,
				uint32_t bits)
{
	int32_t count = 0, ret;

	if (prefix_len == 4) {
		ret = destroy_family(protocol, AF_INET, prefix, prefix_len, bits);
		if (ret < 0)
			return ret;
		count += ret;
	}
	ret = destroy_family(protocol, AF_INET6, prefix, prefix_len, bits);
	/* a kernel without IPv6 has no such sockets */
	if (ret == -ENOENT && prefix_len == 4)
		ret = 0;
	return ret < 0 ? ret : count + ret;
}

int32_t vnet_socket_destroy(const uint8_t *prefix, uint32_t prefix_len, uint32_t prefix_length)
{
	int32_t count, ret;

	if ((prefix_len != 4 && prefix_len != 16) || prefix_length > prefix_len * 8)
		return -EINVAL;
	count = destroy_protocol(IPPROTO_TCP, prefix, prefix_len, prefix_length);
	if (count < 0)
		return count;
	/* a UDP socket that is connected to nobody does no harm: a kernel may lack this part */
	ret = destroy_protocol(IPPROTO_UDP, prefix, prefix_len, prefix_length);
	return ret < 0 ? count : count + ret;
}
