/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_PACKET_H
#define VNET_PACKET_H

/*
 * IP packets as bytes: reading them strictly, rewriting them with the least
 * work, and making the few answers of our own. No system call, no state.
 */

#include <stdint.h>

#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ICMPV6 58

/* Offsets in the IPv4 header (RFC 791 3.1). */
#define IPV4_OFF_TOTAL_LENGTH 2
#define IPV4_OFF_FRAGMENT 6 /* flags and fragment offset */
#define IPV4_OFF_TTL 8
#define IPV4_OFF_PROTOCOL 9
#define IPV4_OFF_CHECKSUM 10
#define IPV4_OFF_SOURCE 12
#define IPV4_OFF_DESTINATION 16

/* Offsets in the IPv6 header (RFC 8200 3). */
#define IPV6_OFF_PAYLOAD_LENGTH 4
#define IPV6_OFF_NEXT_HEADER 6
#define IPV6_OFF_HOP_LIMIT 7
#define IPV6_OFF_SOURCE 8
#define IPV6_OFF_DESTINATION 24

/* Offsets in the TCP header (RFC 9293 3.1). */
#define TCP_OFF_SOURCE_PORT 0
#define TCP_OFF_DESTINATION_PORT 2
#define TCP_OFF_SEQ 4
#define TCP_OFF_ACK 8
#define TCP_OFF_DATA_OFFSET 12
#define TCP_OFF_FLAGS 13
#define TCP_OFF_CHECKSUM 16

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* The longest IPv4 and TCP headers together; a SYN without its payload always fits. */
#define PACKET_HEADERS_LIMIT 120
/* Every answer of packet_unreachable() fits: RFC 1812 4.3.2.3, RFC 4443 2.4(c). */
#define PACKET_ERROR_LIMIT 1280

/* One packet. The first group is the caller's to fill, the second packet_read()'s. */
struct packet {
	uint8_t *data; /* the IP header and what follows */
	uint32_t len;
	uint32_t capacity; /* of data, for answers */
	uint8_t partial; /* checksum of the pseudo header only: VIRTIO_NET_HDR_F_NEEDS_CSUM */
	uint16_t checksum_start; /* with partial, as in the virtio_net_hdr */
	uint16_t checksum_offset;

	uint8_t v6; /* index of the family: 0 or 1 */
	uint8_t address_len;
	uint8_t protocol;
	uint32_t header_len; /* of the IP header */
	uint8_t *source;
	uint8_t *destination;
	uint8_t *transport; /* the header after the IP header */
};

/* What a packet is. */
enum packet_kind {
	PACKET_GOOD,
	PACKET_MALFORMED,
	PACKET_MULTICAST,
	PACKET_FRAGMENT,
	PACKET_EXTENSION, /* IPv6 extension headers, which nobody sends to us */
};

/* Addresses and ports of a TCP segment, ports in network order. */
struct tuple {
	const uint8_t *source;
	const uint8_t *destination;
	uint16_t source_port;
	uint16_t destination_port;
};

/* What a rewriting does to the sums: of addresses alone, and of addresses and ports. */
struct delta {
	uint16_t addresses;
	uint16_t all;
};

/*
 * Reads the IP header; bytes behind the packet are cut off. Only PACKET_GOOD fills everything in.
 */
enum packet_kind packet_read(struct packet *packet);

/* Tells whether a good packet is a TCP segment whose header holds together. */
int packet_tcp_valid(const struct packet *packet);

/* The fields of a TCP segment; ports in network order. */
uint16_t packet_source_port(const struct packet *packet);
uint16_t packet_destination_port(const struct packet *packet);
uint8_t packet_tcp_flags(const struct packet *packet);
uint32_t packet_tcp_sequence(const struct packet *packet); /* network order */

/* What changing one tuple into another adds to the one's complement sum. */
struct delta packet_delta(const struct tuple *from, const struct tuple *to, uint32_t address_len);

/* Rewrites addresses and ports, correcting the checksums by the delta (RFC 1624). */
void packet_rewrite(struct packet *packet, const struct tuple *to, const struct delta *delta);

/*
 * Copies a SYN's headers without its payload; to->data has PACKET_HEADERS_LIMIT bytes. Read it
 * again.
 */
void packet_copy_headers(const struct packet *packet, struct packet *to);

/* Rewrites a SYN and computes its checksums afresh: what is injected must be complete. */
void packet_rebuild(struct packet *packet, const struct tuple *to);

/*
 * Turns a TCP segment into the RST that answers it (RFC 9293 3.10.7.1). Returns 0 if that is
 * silence.
 */
int packet_reset(struct packet *packet);

/* What packet_unreachable() says. */
enum unreachable {
	UNREACHABLE_NETWORK,
	UNREACHABLE_HOST,
	UNREACHABLE_PORT,
	UNREACHABLE_ADMIN,
};

/* Turns a packet into the ICMP error about it. Returns 0 if there is no room. */
int packet_unreachable(struct packet *packet, enum unreachable what);

/*
 * Tells whether a packet is one that vnet sends to its own host: a SYN, a RST, or an ICMP
 * unreachable error.
 */
int packet_is_ours(struct packet *packet);

/* Tells whether a good packet is an ICMP echo request. */
int packet_is_echo(const struct packet *packet);

/* Turns an echo request into its reply. Returns 0 if its checksum is not complete. */
int packet_echo(struct packet *packet);

#endif
