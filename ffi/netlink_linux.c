// SPDX-License-Identifier: Apache-2.0
/* Links, addresses and routes. Source: rtnetlink(7), kernel Documentation/userspace-api/netlink */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vnet_shim.h"

#define RECORD_SIZE 32
/* A dump answers in datagrams of at most 32 KiB when asked with a buffer of that size. */
#define DUMP_BUFFER_SIZE 32768
#define DELIVERY_LIMIT_MS 500

/* A request under construction; big enough for every message built here. */
struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	} body;
	uint8_t attributes[256];
};

/* One record of a dump; returns 1 if it wrote RECORD_SIZE bytes, 0 to skip. */
typedef int32_t (*record_fn)(const struct nlmsghdr *message, uint8_t *record);

static void start_request(struct request *request, uint32_t type, uint32_t flags, uint32_t body_len)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_len);
	request->header.nlmsg_type = (uint16_t)type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_seq = 1;
}

/* Appends an attribute; returns it, so that a nest can be closed by end_nest(). */
static struct rtattr *put(struct request *request, uint32_t type, const void *data, uint32_t len)
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

static void end_nest(struct request *request, struct rtattr *nest)
{
	uint8_t *end = (uint8_t *)request + request->header.nlmsg_len;

	nest->rta_len = (uint16_t)(end - (uint8_t *)nest);
}

static int32_t open_netlink(void)
{
	int32_t fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

static int32_t send_request(int32_t fd, const struct request *request)
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
static int32_t receive_messages(int32_t fd, void *buffer, uint32_t buffer_len)
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
static int32_t transact(struct request *request)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;
	int32_t fd, ret;

	fd = open_netlink();
	if (fd < 0)
		return fd;
	request->header.nlmsg_flags |= NLM_F_ACK;
	ret = send_request(fd, request);
	if (ret < 0)
		goto out;
	ret = receive_messages(fd, buffer, sizeof(buffer));
	if (ret < 0)
		goto out;
	if (!NLMSG_OK(answer, (uint32_t)ret) || answer->nlmsg_type != NLMSG_ERROR)
		ret = -EPROTO;
	else
		ret = ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
out:
	close(fd);
	return ret;
}

/* Writes the records of one datagram; returns the new length, -errno, and sets *done at the end. */
static int32_t collect(const void *buffer, uint32_t buffer_len, record_fn record, uint8_t *out,
		       uint32_t out_len, uint32_t used, int32_t *done)
{
	const struct nlmsghdr *message = buffer;
	uint8_t entry[RECORD_SIZE];

	for (; NLMSG_OK(message, buffer_len); message = NLMSG_NEXT(message, buffer_len)) {
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		if (message->nlmsg_type == NLMSG_DONE) {
			*done = 1;
			break;
		}
		memset(entry, 0, sizeof(entry));
		if (!record(message, entry))
			continue;
		if (used + RECORD_SIZE > out_len)
			return -ENOBUFS;
		memcpy(out + used, entry, RECORD_SIZE);
		used += RECORD_SIZE;
	}
	return (int32_t)used;
}

static int32_t dump(const struct request *request, record_fn record, uint8_t *out, uint32_t out_len)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[DUMP_BUFFER_SIZE];
	int32_t fd, ret, done = 0;
	uint32_t used = 0;

	fd = open_netlink();
	if (fd < 0)
		return fd;
	ret = send_request(fd, request);
	while (ret >= 0 && !done) {
		ret = receive_messages(fd, buffer, sizeof(buffer));
		if (ret < 0)
			break;
		ret = collect(buffer, (uint32_t)ret, record, out, out_len, used, &done);
		if (ret >= 0)
			used = (uint32_t)ret;
	}
	close(fd);
	return ret < 0 ? ret : (int32_t)used;
}

static int32_t link_ioctl(unsigned long request, struct ifreq *ifr)
{
	int32_t fd, ret;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int32_t vnet_link_index(const char *name)
{
	struct ifreq ifr = { 0 };
	int32_t ret;

	if (snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	ret = link_ioctl(SIOCGIFINDEX, &ifr);
	return ret < 0 ? ret : ifr.ifr_ifindex;
}

int32_t vnet_link_name(uint32_t ifindex, char *out, uint32_t out_len)
{
	struct ifreq ifr = { .ifr_ifindex = (int)ifindex };
	int32_t ret;

	if (out_len < IFNAMSIZ)
		return -ENOSPC;
	ret = link_ioctl(SIOCGIFNAME, &ifr);
	if (ret == 0)
		snprintf(out, out_len, "%s", ifr.ifr_name);
	return ret;
}

/* Keeps the kernel from making an fe80:: address when the link comes up. */
static int32_t disable_link_local(uint32_t ifindex)
{
	const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	struct rtattr *spec, *family;
	struct request request;
	int32_t ret;

	start_request(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	spec = put(&request, IFLA_AF_SPEC | NLA_F_NESTED, NULL, 0);
	family = put(&request, AF_INET6 | NLA_F_NESTED, NULL, 0);
	put(&request, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	end_nest(&request, family);
	end_nest(&request, spec);
	ret = transact(&request);
	/* no IPv6 in this kernel, or none on this link: nothing to keep it from */
	return ret == -EAFNOSUPPORT || ret == -EOPNOTSUPP ? 0 : ret;
}

static int32_t set_link(uint32_t ifindex, uint32_t mtu, uint32_t up)
{
	struct request request;

	start_request(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	request.body.link.ifi_flags = up ? IFF_UP : 0;
	request.body.link.ifi_change = IFF_UP;
	if (mtu)
		put(&request, IFLA_MTU, &mtu, sizeof(mtu));
	return transact(&request);
}

int32_t vnet_link_up(uint32_t ifindex, uint32_t mtu)
{
	/*
	 * In a request of its own: in one message with IFF_UP the kernel brings the link up first
	 * and makes the address we do not want.
	 */
	int32_t ret = disable_link_local(ifindex);

	return ret < 0 ? ret : set_link(ifindex, mtu, 1);
}

int32_t vnet_link_down(uint32_t ifindex)
{
	return set_link(ifindex, 0, 0);
}

int32_t vnet_link_delete(uint32_t ifindex)
{
	struct request request;

	start_request(&request, RTM_DELLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	return transact(&request);
}

/* Returns the address family of an address by its length; the caller checked it. */
static uint8_t family_of(uint32_t address_len)
{
	return address_len == 4 ? AF_INET : AF_INET6;
}

static int32_t valid_address(uint32_t address_len, uint32_t prefix_length)
{
	return (address_len == 4 || address_len == 16) && prefix_length <= address_len * 8;
}

static int32_t change_address(uint32_t type, uint32_t flags, uint32_t ifindex,
			      const uint8_t *address, uint32_t address_len, uint32_t prefix_length)
{
	const uint32_t ipv6_flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE;
	struct request request;

	if (!valid_address(address_len, prefix_length))
		return -EINVAL;
	start_request(&request, type, flags, sizeof(request.body.address));
	request.body.address.ifa_family = family_of(address_len);
	request.body.address.ifa_prefixlen = (uint8_t)prefix_length;
	request.body.address.ifa_index = ifindex;
	put(&request, IFA_LOCAL, address, address_len);
	put(&request, IFA_ADDRESS, address, address_len);
	if (address_len == 16 && type == RTM_NEWADDR)
		put(&request, IFA_FLAGS, &ipv6_flags, sizeof(ipv6_flags));
	return transact(&request);
}

/* Tells whether the kernel delivers an IPv6 address to this host: 1, 0, or -errno. */
static int32_t is_delivered(const uint8_t *address)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[4096];
	const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;
	struct request request;
	int32_t fd, ret;

	start_request(&request, RTM_GETROUTE, 0, sizeof(request.body.route));
	request.body.route.rtm_family = AF_INET6;
	request.body.route.rtm_dst_len = 128;
	put(&request, RTA_DST, address, 16);
	fd = open_netlink();
	if (fd < 0)
		return fd;
	ret = send_request(fd, &request);
	if (ret == 0)
		ret = receive_messages(fd, buffer, sizeof(buffer));
	close(fd);
	if (ret < 0)
		return ret;
	return NLMSG_OK(answer, (uint32_t)ret) && answer->nlmsg_type == RTM_NEWROUTE &&
	       ((const struct rtmsg *)NLMSG_DATA(answer))->rtm_type == RTN_LOCAL;
}

static int32_t is_up(uint32_t ifindex)
{
	struct ifreq ifr = { 0 };

	if (vnet_link_name(ifindex, ifr.ifr_name, IFNAMSIZ) < 0)
		return 0;
	return link_ioctl(SIOCGIFFLAGS, &ifr) == 0 && ifr.ifr_flags & IFF_UP;
}

/*
 * The kernel makes the local route of an IPv6 address in a work queue, even without duplicate
 * detection (net/ipv6/addrconf.c, addrconf_dad_work); until then packets to it are lost.
 */
static void wait_until_delivered(uint32_t ifindex, const uint8_t *address)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (!is_up(ifindex))
		return;
	for (uint32_t i = 0; i < DELIVERY_LIMIT_MS && is_delivered(address) == 0; i++)
		nanosleep(&pause, NULL);
}

int32_t vnet_address_add(uint32_t ifindex, const uint8_t *address, uint32_t address_len,
			 uint32_t prefix_length)
{
	int32_t ret = change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, address,
				     address_len, prefix_length);

	if (ret == 0 && address_len == 16)
		wait_until_delivered(ifindex, address);
	return ret;
}

int32_t vnet_address_remove(uint32_t ifindex, const uint8_t *address, uint32_t address_len,
			    uint32_t prefix_length)
{
	return change_address(RTM_DELADDR, 0, ifindex, address, address_len, prefix_length);
}

/* Starts a request about a route of the main table into a link. */
static void start_route(struct request *request, uint32_t type, uint32_t flags, uint32_t ifindex,
			const uint8_t *destination, uint32_t destination_len,
			uint32_t prefix_length)
{
	start_request(request, type, flags, sizeof(request->body.route));
	request->body.route.rtm_family = family_of(destination_len);
	request->body.route.rtm_dst_len = (uint8_t)prefix_length;
	request->body.route.rtm_table = RT_TABLE_MAIN;
	request->body.route.rtm_protocol = RTPROT_STATIC;
	request->body.route.rtm_scope = destination_len == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	request->body.route.rtm_type = RTN_UNICAST;
	put(request, RTA_DST, destination, destination_len);
	put(request, RTA_OIF, &ifindex, sizeof(ifindex));
}

int32_t vnet_route_add(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
		       uint32_t prefix_length, const uint8_t *source, const char *congestion)
{
	uint32_t congestion_len = (uint32_t)strnlen(congestion, 16);
	struct request request;
	struct rtattr *metrics;

	if (!valid_address(destination_len, prefix_length) || congestion_len >= 16)
		return -EINVAL;
	start_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, destination,
		    destination_len, prefix_length);
	if (source)
		put(&request, RTA_PREFSRC, source, destination_len);
	if (congestion_len) {
		metrics = put(&request, RTA_METRICS | NLA_F_NESTED, NULL, 0);
		put(&request, RTAX_CC_ALGO, congestion, congestion_len + 1);
		end_nest(&request, metrics);
	}
	return transact(&request);
}

int32_t vnet_route_remove(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
			  uint32_t prefix_length)
{
	struct request request;

	if (!valid_address(destination_len, prefix_length))
		return -EINVAL;
	start_route(&request, RTM_DELROUTE, 0, ifindex, destination, destination_len,
		    prefix_length);
	return transact(&request);
}

static uint32_t word_of(const struct rtattr *attribute)
{
	uint32_t word = 0;

	if (RTA_PAYLOAD(attribute) >= sizeof(word))
		memcpy(&word, RTA_DATA(attribute), sizeof(word));
	return word;
}

static void copy_address(uint8_t *to, const struct rtattr *attribute)
{
	memcpy(to, RTA_DATA(attribute), RTA_PAYLOAD(attribute) < 16 ? RTA_PAYLOAD(attribute) : 16);
}

static int32_t route_record(const struct nlmsghdr *message, uint8_t *record)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct rtattr *attribute = RTM_RTA(route);
	uint32_t left = (uint32_t)RTM_PAYLOAD(message);
	uint32_t table = route->rtm_table, ifindex = 0, metric = 0;

	if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_flags & RTM_F_CLONED)
		return 0;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		switch (attribute->rta_type) {
		case RTA_DST:
			copy_address(record + 16, attribute);
			break;
		case RTA_TABLE:
			table = word_of(attribute);
			break;
		case RTA_OIF:
			ifindex = word_of(attribute);
			break;
		case RTA_PRIORITY:
			metric = word_of(attribute);
			break;
		}
	}
	record[0] = route->rtm_family == AF_INET ? 4 : 6;
	record[1] = route->rtm_dst_len;
	record[2] = route->rtm_type;
	record[3] = route->rtm_protocol;
	memcpy(record + 4, &table, 4);
	memcpy(record + 8, &ifindex, 4);
	memcpy(record + 12, &metric, 4);
	return 1;
}

static int32_t address_record(const struct nlmsghdr *message, uint8_t *record)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	const struct rtattr *attribute = IFA_RTA(address), *local = NULL, *any = NULL;
	uint32_t left = (uint32_t)IFA_PAYLOAD(message);
	uint32_t flags = address->ifa_flags, ifindex = address->ifa_index;

	if (message->nlmsg_type != RTM_NEWADDR)
		return 0;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFA_LOCAL)
			local = attribute;
		else if (attribute->rta_type == IFA_ADDRESS)
			any = attribute;
		else if (attribute->rta_type == IFA_FLAGS)
			flags = word_of(attribute);
	}
	/* with both, IFA_ADDRESS is the other end of a point-to-point link */
	if (local || any)
		copy_address(record + 16, local ? local : any);
	record[0] = address->ifa_family == AF_INET ? 4 : 6;
	record[1] = address->ifa_prefixlen;
	record[2] = address->ifa_scope;
	memcpy(record + 4, &ifindex, 4);
	memcpy(record + 8, &flags, 4);
	return 1;
}

static int32_t dump_request(uint32_t type, uint32_t family, record_fn record, uint8_t *out,
			    uint32_t out_len)
{
	struct request request;

	if (family != 4 && family != 6)
		return -EINVAL;
	start_request(&request, type, NLM_F_DUMP, sizeof(request.body.route));
	request.body.route.rtm_family = family == 4 ? AF_INET : AF_INET6;
	return dump(&request, record, out, out_len);
}

int32_t vnet_route_dump(uint32_t family, uint8_t *out, uint32_t out_len)
{
	return dump_request(RTM_GETROUTE, family, route_record, out, out_len);
}

int32_t vnet_address_dump(uint32_t family, uint8_t *out, uint32_t out_len)
{
	return dump_request(RTM_GETADDR, family, address_record, out, out_len);
}

/* ---- changes -------------------------------------------------------------------- */

int32_t vnet_network_watch(void)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	int32_t fd, ret;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int32_t vnet_network_changes(int32_t fd)
{
	uint8_t rest[1];
	int32_t count = 0;

	/* what changed is looked up afresh: the messages themselves may be cut */
	while (count < INT32_MAX) {
		if (recv(fd, rest, sizeof(rest), MSG_TRUNC) < 0) {
			if (errno == EAGAIN)
				break;
			if (errno == EINTR)
				continue;
			if (errno != ENOBUFS)
				return -errno;
		}
		count++;
	}
	return count;
}
