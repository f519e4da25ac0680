// SPDX-License-Identifier: Apache-2.0
/* Lists routes and addresses, and waits for changes. Source: rtnetlink(7) */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"
#include "vnet_shim.h"

#define RECORD_SIZE 32
/* A dump answers in datagrams of at most 32 KiB when asked with a buffer of that size. */
#define DUMP_BUFFER_SIZE 32768

/* How many records one message can have. */
#define RECORDS_MAX 64

/* The records of one message, cleared before; returns how many it wrote, 0 to skip. */
typedef uint32_t (*record_fn)(const struct nlmsghdr *message, uint8_t *records);

/* Writes the records of one datagram; returns the new length, -errno, and sets *done at the end. */
static int32_t collect(struct netlink_span messages, record_fn record, uint8_t *out,
		       uint32_t out_len, uint32_t used, int32_t *done)
{
	const struct nlmsghdr *message;
	uint8_t entries[RECORDS_MAX * RECORD_SIZE];
	uint32_t len;

	while ((message = netlink_message(&messages))) {
		if (message->nlmsg_type == NLMSG_ERROR)
			return netlink_error(message);
		if (message->nlmsg_type == NLMSG_DONE) {
			*done = 1;
			break;
		}
		memset(entries, 0, sizeof(entries));
		len = record(message, entries) * RECORD_SIZE;
		if (used + len > out_len)
			return -ENOBUFS;
		memcpy(out + used, entries, len);
		used += len;
	}
	return (int32_t)used;
}

static int32_t dump(const struct netlink_request *request, record_fn record, uint8_t *out,
		    uint32_t out_len)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[DUMP_BUFFER_SIZE];
	int32_t fd, ret, done = 0;
	uint32_t used = 0;

	fd = netlink_open();
	if (fd < 0)
		return fd;
	ret = netlink_send(fd, request);
	while (ret >= 0 && !done) {
		ret = netlink_receive(fd, buffer, sizeof(buffer));
		if (ret < 0)
			break;
		ret = collect((struct netlink_span){ buffer, (uint32_t)ret }, record, out, out_len,
			      used, &done);
		if (ret >= 0)
			used = (uint32_t)ret;
	}
	close(fd);
	return ret < 0 ? ret : (int32_t)used;
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

static uint32_t route_record(const struct nlmsghdr *message, uint8_t *record)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	uint32_t table, ifindex = 0, metric = 0;
	const struct rtattr *attribute;
	struct netlink_span rest;

	if (message->nlmsg_type != RTM_NEWROUTE || !netlink_holds(message, sizeof(*route)) ||
	    route->rtm_flags & RTM_F_CLONED)
		return 0;
	table = route->rtm_table;
	rest = netlink_attributes(message, sizeof(*route));
	while ((attribute = netlink_attribute(&rest))) {
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

static uint32_t address_record(const struct nlmsghdr *message, uint8_t *record)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	const struct rtattr *attribute, *local = NULL, *any = NULL;
	struct netlink_span rest;
	uint32_t flags, ifindex;

	if (message->nlmsg_type != RTM_NEWADDR || !netlink_holds(message, sizeof(*address)))
		return 0;
	flags = address->ifa_flags;
	ifindex = address->ifa_index;
	rest = netlink_attributes(message, sizeof(*address));
	while ((attribute = netlink_attribute(&rest))) {
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

/* Writes a gateway's record. Returns 1, or 0 for an attribute that is none. */
static uint32_t gateway_entry(const struct rtattr *attribute, uint8_t family, uint8_t *record)
{
	const struct rtvia *via = RTA_DATA(attribute);

	if (attribute->rta_type == RTA_GATEWAY) {
		record[0] = family == AF_INET ? 4 : 6;
		copy_address(record + 16, attribute);
		return 1;
	}
	/* a gateway of the other family */
	if (attribute->rta_type != RTA_VIA || RTA_PAYLOAD(attribute) != sizeof(*via) + 16 ||
	    via->rtvia_family != AF_INET6)
		return 0;
	record[0] = 6;
	memcpy(record + 16, via->rtvia_addr, 16);
	return 1;
}

/* Writes the gateways among attributes, from the record that is free. Returns the next one. */
static uint32_t gateway_entries(struct netlink_span rest, uint8_t family, uint8_t *records,
				uint32_t count)
{
	const struct rtattr *attribute;

	while (count < RECORDS_MAX && (attribute = netlink_attribute(&rest)))
		count += gateway_entry(attribute, family, records + count * RECORD_SIZE);
	return count;
}

/* Writes the gateways of the hops of one route, from the record that is free. Returns the next. */
static uint32_t hop_entries(const struct rtattr *hops, uint8_t family, uint8_t *records,
			    uint32_t count)
{
	struct netlink_span rest = { RTA_DATA(hops), (uint32_t)RTA_PAYLOAD(hops) }, inner;
	const struct rtnexthop *hop;

	while (rest.left >= sizeof(*hop)) {
		hop = (const struct rtnexthop *)(const void *)rest.at;
		if (!netlink_take(&rest, sizeof(*hop), hop->rtnh_len))
			break;
		inner.at = (const uint8_t *)(hop + 1);
		inner.left = hop->rtnh_len - (uint32_t)sizeof(*hop);
		count = gateway_entries(inner, family, records, count);
	}
	return count;
}

static uint32_t gateway_record(const struct nlmsghdr *message, uint8_t *records)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct rtattr *attribute;
	struct netlink_span rest;
	uint32_t count;

	if (message->nlmsg_type != RTM_NEWROUTE || !netlink_holds(message, sizeof(*route)) ||
	    route->rtm_flags & RTM_F_CLONED)
		return 0;
	rest = netlink_attributes(message, sizeof(*route));
	count = gateway_entries(rest, route->rtm_family, records, 0);
	while ((attribute = netlink_attribute(&rest))) {
		if (attribute->rta_type == RTA_MULTIPATH)
			count = hop_entries(attribute, route->rtm_family, records, count);
	}
	return count;
}

static int32_t dump_request(uint32_t type, uint32_t family, record_fn record, uint8_t *out,
			    uint32_t out_len)
{
	struct netlink_request request;

	if (family != 4 && family != 6)
		return -EINVAL;
	netlink_start(&request, type, NLM_F_DUMP, sizeof(request.body.route));
	request.body.route.rtm_family = family == 4 ? AF_INET : AF_INET6;
	return dump(&request, record, out, out_len);
}

int32_t vnet_route_dump(uint32_t family, uint8_t *out, uint32_t out_len)
{
	return dump_request(RTM_GETROUTE, family, route_record, out, out_len);
}

int32_t vnet_gateway_dump(uint32_t family, uint8_t *out, uint32_t out_len)
{
	return dump_request(RTM_GETROUTE, family, gateway_record, out, out_len);
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
	/* forwarding and the like; nl_groups has room for the first 32 groups, and these are among them */
	const uint32_t settings =
		1u << (RTNLGRP_IPV4_NETCONF - 1) | 1u << (RTNLGRP_IPV6_NETCONF - 1);
	int32_t fd, ret;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	groups.nl_groups |= settings;
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
