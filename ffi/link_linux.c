// SPDX-License-Identifier: Apache-2.0
/* Changes links, addresses and routes. Source: rtnetlink(7), netdevice(7) */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netlink.h"
#include "vnet_shim.h"

#define DELIVERY_LIMIT_MS 500

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
	struct netlink_request request;
	int32_t ret;

	netlink_start(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	spec = netlink_put(&request, IFLA_AF_SPEC | NLA_F_NESTED, NULL, 0);
	family = netlink_put(&request, AF_INET6 | NLA_F_NESTED, NULL, 0);
	netlink_put(&request, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	netlink_end_nest(&request, family);
	netlink_end_nest(&request, spec);
	ret = netlink_transact(&request);
	/* no IPv6 in this kernel, or none on this link: nothing to keep it from */
	return ret == -EAFNOSUPPORT || ret == -EOPNOTSUPP ? 0 : ret;
}

static int32_t set_link(uint32_t ifindex, uint32_t mtu, uint32_t up)
{
	struct netlink_request request;

	netlink_start(&request, RTM_NEWLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	request.body.link.ifi_flags = up ? IFF_UP : 0;
	request.body.link.ifi_change = IFF_UP;
	if (mtu)
		netlink_put(&request, IFLA_MTU, &mtu, sizeof(mtu));
	return netlink_transact(&request);
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
	struct netlink_request request;

	netlink_start(&request, RTM_DELLINK, 0, sizeof(request.body.link));
	request.body.link.ifi_index = (int)ifindex;
	return netlink_transact(&request);
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
	struct netlink_request request;

	if (!valid_address(address_len, prefix_length))
		return -EINVAL;
	netlink_start(&request, type, flags, sizeof(request.body.address));
	request.body.address.ifa_family = family_of(address_len);
	request.body.address.ifa_prefixlen = (uint8_t)prefix_length;
	request.body.address.ifa_index = ifindex;
	netlink_put(&request, IFA_LOCAL, address, address_len);
	netlink_put(&request, IFA_ADDRESS, address, address_len);
	if (address_len == 16 && type == RTM_NEWADDR)
		netlink_put(&request, IFA_FLAGS, &ipv6_flags, sizeof(ipv6_flags));
	return netlink_transact(&request);
}

/* Tells whether the kernel delivers an IPv6 address to this host: 1, 0, or -errno. */
static int32_t is_delivered(const uint8_t *address)
{
	int32_t fd = netlink_open(), ret;
	struct netlink_way way;

	if (fd < 0)
		return fd;
	ret = netlink_find_way(fd, address, 16, &way);
	close(fd);
	/* no way at all is an error, and not the last word */
	return ret == 0 && way.type == RTN_LOCAL;
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
static void start_route(struct netlink_request *request, uint32_t type, uint32_t flags,
			uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
			uint32_t prefix_length)
{
	netlink_start(request, type, flags, sizeof(request->body.route));
	request->body.route.rtm_family = family_of(destination_len);
	request->body.route.rtm_dst_len = (uint8_t)prefix_length;
	request->body.route.rtm_table = RT_TABLE_MAIN;
	request->body.route.rtm_protocol = RTPROT_STATIC;
	request->body.route.rtm_scope = destination_len == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	request->body.route.rtm_type = RTN_UNICAST;
	netlink_put(request, RTA_DST, destination, destination_len);
	netlink_put(request, RTA_OIF, &ifindex, sizeof(ifindex));
}

int32_t vnet_route_add(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
		       uint32_t prefix_length, const uint8_t *source, const char *congestion)
{
	uint32_t congestion_len = (uint32_t)strnlen(congestion, 16);
	struct netlink_request request;
	struct rtattr *metrics;

	if (!valid_address(destination_len, prefix_length) || congestion_len >= 16)
		return -EINVAL;
	start_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, destination,
		    destination_len, prefix_length);
	if (source)
		netlink_put(&request, RTA_PREFSRC, source, destination_len);
	if (congestion_len) {
		metrics = netlink_put(&request, RTA_METRICS | NLA_F_NESTED, NULL, 0);
		netlink_put(&request, RTAX_CC_ALGO, congestion, congestion_len + 1);
		netlink_end_nest(&request, metrics);
	}
	return netlink_transact(&request);
}

int32_t vnet_route_remove(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
			  uint32_t prefix_length)
{
	struct netlink_request request;

	if (!valid_address(destination_len, prefix_length))
		return -EINVAL;
	start_route(&request, RTM_DELROUTE, 0, ifindex, destination, destination_len,
		    prefix_length);
	return netlink_transact(&request);
}
