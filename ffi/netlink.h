/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_NETLINK_H
#define VNET_NETLINK_H

/* Messages of rtnetlink(7): built, sent, answered. For the files that change links and list routes. */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>

/* A request under construction; big enough for every message built here. */
struct netlink_request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	} body;
	uint8_t attributes[256];
};

void netlink_start(struct netlink_request *request, uint32_t type, uint32_t flags,
		   uint32_t body_len);

/* Appends an attribute; returns it, so that a nest can be closed by netlink_end_nest(). */
struct rtattr *netlink_put(struct netlink_request *request, uint32_t type, const void *data,
			   uint32_t len);
void netlink_end_nest(struct netlink_request *request, struct rtattr *nest);

/* Returns a socket, or -errno. */
int32_t netlink_open(void);
int32_t netlink_send(int32_t fd, const struct netlink_request *request);

/* Receives one datagram of messages; returns its length, or -errno. */
int32_t netlink_receive(int32_t fd, void *buffer, uint32_t buffer_len);

/* Sends a request and waits for the kernel's word on it: 0 or -errno. */
int32_t netlink_transact(struct netlink_request *request);

#endif
