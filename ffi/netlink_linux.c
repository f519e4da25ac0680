// SPDX-License-Identifier: Apache-2.0
/* Requests to the kernel's network, and its word on them. Source: rtnetlink(7) */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

void netlink_start(struct netlink_request *request, uint32_t type, uint32_t flags,
		   uint32_t body_len)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len);
	request->header.nlmsg_type = (uint16_t)type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_seq = 1;
}

/* Appends an attribute; returns it, so that a nest can be closed by netlink_end_nest(). */
struct rtattr *netlink_put(struct netlink_request *request, uint32_t type, const void *data,
			   uint32_t len)
{
	uint32_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)((uint8_t *)request + at);

	attribute->rta_type = (uint16_t)type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attribute), data, len);
	request->header.nlmsg_len = at + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

void netlink_end_nest(struct netlink_request *request, struct rtattr *nest)
{
	uint8_t *end = (uint8_t *)request + request->header.nlmsg_len;

	nest->rta_len = (uint16_t)(end - (uint8_t *)nest);
}

int32_t netlink_open(void)
{
	int32_t fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

int32_t netlink_send(int32_t fd, const struct netlink_request *request)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent;

	do {
		sent = sendto(fd, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel,
			      sizeof(kernel));
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Receives one datagram of messages; returns its length, or -errno. */
int32_t netlink_receive(int32_t fd, void *buffer, uint32_t buffer_len)
{
	ssize_t len;

	do {
		len = recv(fd, buffer, buffer_len, MSG_TRUNC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return (uint32_t)len > buffer_len ? -EMSGSIZE : (int32_t)len;
}

/* Sends a request and waits for the kernel's word on it: 0 or -errno. */
int32_t netlink_transact(struct netlink_request *request)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	const struct nlmsghdr *answer;
	struct netlink_span answers;
	int32_t fd, ret;

	fd = netlink_open();
	if (fd < 0)
		return fd;
	request->header.nlmsg_flags |= NLM_F_ACK;
	ret = netlink_send(fd, request);
	if (ret < 0)
		goto out;
	ret = netlink_receive(fd, buffer, sizeof(buffer));
	if (ret < 0)
		goto out;
	answers = (struct netlink_span){ buffer, (uint32_t)ret };
	answer = netlink_message(&answers);
	if (!answer || answer->nlmsg_type != NLMSG_ERROR)
		ret = -EPROTO;
	else
		ret = netlink_error(answer);
out:
	close(fd);
	return ret;
}

/* Reads the answer to a question for a way. Returns 0, or -errno. */
static int32_t read_way(struct netlink_span answers, struct netlink_way *way)
{
	const struct nlmsghdr *answer = netlink_message(&answers);
	const struct rtattr *attribute;
	const struct rtmsg *route;
	struct netlink_span rest;

	if (!answer)
		return -EPROTO;
	if (answer->nlmsg_type == NLMSG_ERROR && netlink_error(answer) < 0)
		return netlink_error(answer);
	if (answer->nlmsg_type != RTM_NEWROUTE || !netlink_holds(answer, sizeof(*route)))
		return -EPROTO;
	route = NLMSG_DATA(answer);
	*way = (struct netlink_way){ .type = route->rtm_type };
	rest = netlink_attributes(answer, sizeof(*route));
	while ((attribute = netlink_attribute(&rest)))
		if (attribute->rta_type == RTA_OIF && RTA_PAYLOAD(attribute) >= sizeof(uint32_t))
			memcpy(&way->ifindex, RTA_DATA(attribute), sizeof(way->ifindex));
	return 0;
}

int32_t netlink_find_way(int32_t fd, const uint8_t *address, uint32_t address_len,
			 struct netlink_way *way)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	struct netlink_request request;
	int32_t ret;

	netlink_start(&request, RTM_GETROUTE, 0, sizeof(request.body.route));
	request.body.route.rtm_family = address_len == 4 ? AF_INET : AF_INET6;
	request.body.route.rtm_dst_len = (uint8_t)(address_len * 8);
	netlink_put(&request, RTA_DST, address, address_len);
	ret = netlink_send(fd, &request);
	if (ret == 0)
		ret = netlink_receive(fd, buffer, sizeof(buffer));
	if (ret < 0)
		return ret;
	return read_way((struct netlink_span){ buffer, (uint32_t)ret }, way);
}
