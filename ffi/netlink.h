/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_NETLINK_H
#define VNET_NETLINK_H

/* Messages of rtnetlink(7): built, sent, answered. For the files that change links and list routes. */

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/* What a request has room for: the biggest is a filter's program. */
#define NETLINK_ATTRIBUTES 4096

/* Messages, or attributes, one after the other. The macros of the kernel's headers go below zero. */
struct netlink_span {
	const uint8_t *at;
	uint32_t left;
};

/* Takes what is len bytes long, and the padding behind it. Returns where it was; NULL if cut. */
static inline const void *netlink_take(struct netlink_span *span, uint32_t head_len, uint32_t len)
{
	const uint8_t *start = span->at;
	uint32_t whole = NLMSG_ALIGN(len);

	if (len < head_len || len > span->left)
		return NULL;
	if (whole > span->left)
		whole = span->left;
	span->at += whole;
	span->left -= whole;
	return start;
}

/* Takes the next message; NULL at the end, or where the rest is none. */
static inline const struct nlmsghdr *netlink_message(struct netlink_span *span)
{
	if (span->left < sizeof(struct nlmsghdr))
		return NULL;
	return netlink_take(span, sizeof(struct nlmsghdr),
			    ((const struct nlmsghdr *)(const void *)span->at)->nlmsg_len);
}

/* Takes the next attribute; NULL at the end, or where the rest is none. */
static inline const struct rtattr *netlink_attribute(struct netlink_span *span)
{
	if (span->left < sizeof(struct rtattr))
		return NULL;
	return netlink_take(span, sizeof(struct rtattr),
			    ((const struct rtattr *)(const void *)span->at)->rta_len);
}

/* Tells whether a message is long enough for what it should carry. */
static inline int32_t netlink_holds(const struct nlmsghdr *message, uint32_t body_len)
{
	return message->nlmsg_len >= NLMSG_LENGTH(body_len);
}

/* The attributes behind the body of a message that holds it. */
static inline struct netlink_span netlink_attributes(const struct nlmsghdr *message,
						     uint32_t body_len)
{
	uint32_t start = NLMSG_SPACE(body_len);

	if (start > message->nlmsg_len)
		start = message->nlmsg_len;
	return (struct netlink_span){ (const uint8_t *)message + start,
				      message->nlmsg_len - start };
}

/* Reads the kernel's word, NLMSG_ERROR: 0 or -errno. */
static inline int32_t netlink_error(const struct nlmsghdr *message)
{
	const struct nlmsgerr *word = NLMSG_DATA(message);

	if (!netlink_holds(message, sizeof(*word)) || word->error > 0)
		return -EPROTO;
	return word->error;
}

/* A request under construction; big enough for every message built here. */
struct netlink_request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
		struct tcmsg tc;
	} body;
	uint8_t attributes[NETLINK_ATTRIBUTES];
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

/* Where a packet to an address would go. */
struct netlink_way {
	uint8_t type; /* RTN_* */
	uint32_t ifindex;
};

/*
 * Asks the kernel on fd which way leads to an address of 4 or 16 bytes. Returns 0, or -errno; none
 * is -ENETUNREACH, or a way of type RTN_UNREACHABLE.
 */
int32_t netlink_find_way(int32_t fd, const uint8_t *address, uint32_t address_len,
			 struct netlink_way *way);

#endif
