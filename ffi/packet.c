// SPDX-License-Identifier: Apache-2.0
/*
 * IP packets as bytes. Sums are kept in the machine's byte order, which the one's complement sum
 * allows (RFC 1071, 2.B); multi-byte fields are copied, never cast, since packets start at any
 * address.
 */
#include <arpa/inet.h>
#include <string.h>

#include "packet.h"

#define IPV4_HEADER_LEN 20u
#define IPV6_HEADER_LEN 40u
#define TCP_HEADER_LEN 20u
#define ICMP_HEADER_LEN 8u
#define IPV4_ADDRESS_LEN 4u
#define IPV6_ADDRESS_LEN 16u
#define TTL 64
/* The first byte of our headers: version, and IPv4's header length in words. */
#define IPV4_VERSION_IHL 0x45
#define IPV6_VERSION 0x60
#define IPV4_DONT_FRAGMENT 0x4000
/* MF and the fragment offset: not zero in every fragment. */
#define IPV4_FRAGMENT_MASK 0x3fff
/* The first byte from which IPv4 addresses are multicast or reserved; that of IPv6 multicast. */
#define IPV4_MULTICAST_FIRST 224
#define IPV6_MULTICAST 0xff
#define IPV4_LOOPBACK 127

/* Offsets, types and sizes of ICMP (RFC 792, RFC 4443). */
#define ICMP_OFF_TYPE 0
#define ICMP_OFF_CODE 1
#define ICMP_OFF_CHECKSUM 2
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
/* An IPv4 error is at most this long (RFC 1812 4.3.2.3). */
#define IPV4_ERROR_LIMIT 576u

/* IPv6 next headers that are extensions (IANA, "IPv6 Extension Header Types"). */
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_AUTHENTICATION 51
#define IPV6_DESTINATION_OPTIONS 60
#define IPV6_MOBILITY 135
#define IPV6_HOST_IDENTITY 139
#define IPV6_SHIM6 140

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, 2);
	return value;
}

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, 2);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, 4);
	return value;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

/* ---- sums ----------------------------------------------------------------- */

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum of bytes as 16-bit words; an odd last byte is padded with zero. */
static uint64_t sum_of(const uint8_t *bytes, uint32_t len)
{
	uint8_t last[2] = { 0 };
	uint64_t sum = 0;

	for (; len > 1; bytes += 2, len -= 2)
		sum += get16(bytes);
	if (len) {
		last[0] = bytes[0];
		sum += get16(last);
	}
	return sum;
}

/* The sum of the complements: what taking the bytes out adds. */
static uint64_t sum_out(const uint8_t *bytes, uint32_t len)
{
	uint64_t sum = 0;

	for (; len > 1; bytes += 2, len -= 2)
		sum += (uint16_t)~get16(bytes);
	return sum;
}

/* Adds to the sum behind a checksum (RFC 1624, equation 3). */
static void adjust(uint8_t *checksum, uint16_t delta)
{
	put16(checksum, (uint16_t)~fold((uint64_t)(uint16_t)~get16(checksum) + delta));
}

/* The sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) and the bytes after the IP header. */
static uint16_t transport_checksum(const struct packet *packet, uint32_t len)
{
	uint64_t sum = sum_of(packet->source, packet->address_len);

	sum += sum_of(packet->destination, packet->address_len);
	sum += htons((uint16_t)len);
	sum += htons(packet->protocol);
	return (uint16_t)~fold(sum + sum_of(packet->transport, len));
}

static void set_ipv4_checksum(uint8_t *header, uint32_t len)
{
	put16(header + IPV4_OFF_CHECKSUM, 0);
	put16(header + IPV4_OFF_CHECKSUM, (uint16_t)~fold(sum_of(header, len)));
}

/* ---- reading --------------------------------------------------------------- */

/* Addresses no sender has: unspecified, loopback, multicast, broadcast. */
static int bad_source4(const uint8_t *address)
{
	return address[0] == 0 || address[0] == IPV4_LOOPBACK || address[0] >= IPV4_MULTICAST_FIRST;
}

static int bad_source6(const uint8_t *address)
{
	static const uint8_t zero[IPV6_ADDRESS_LEN - 1] = { 0 };

	return address[0] == IPV6_MULTICAST ||
	       (memcmp(address, zero, sizeof(zero)) == 0 && address[sizeof(zero)] <= 1);
}

static enum packet_kind read_ipv4(struct packet *packet)
{
	uint8_t *header = packet->data;
	uint32_t total;

	if (packet->len < IPV4_HEADER_LEN)
		return PACKET_MALFORMED;
	packet->header_len = (header[0] & 15u) * 4;
	total = ntohs(get16(header + IPV4_OFF_TOTAL_LENGTH));
	if (packet->header_len < IPV4_HEADER_LEN || total < packet->header_len ||
	    total > packet->len)
		return PACKET_MALFORMED;
	packet->len = total;
	packet->v6 = 0;
	packet->address_len = IPV4_ADDRESS_LEN;
	packet->protocol = header[IPV4_OFF_PROTOCOL];
	packet->source = header + IPV4_OFF_SOURCE;
	packet->destination = header + IPV4_OFF_DESTINATION;
	packet->transport = header + packet->header_len;
	if (packet->destination[0] >= IPV4_MULTICAST_FIRST)
		return PACKET_MULTICAST;
	if (bad_source4(packet->source) ||
	    memcmp(packet->source, packet->destination, IPV4_ADDRESS_LEN) == 0)
		return PACKET_MALFORMED;
	/* more fragments, or not the first: all but DF of the field */
	if ((ntohs(get16(header + IPV4_OFF_FRAGMENT)) & IPV4_FRAGMENT_MASK) != 0)
		return PACKET_FRAGMENT;
	return PACKET_GOOD;
}

static enum packet_kind read_ipv6(struct packet *packet)
{
	uint8_t *header = packet->data;
	uint32_t total;

	if (packet->len < IPV6_HEADER_LEN)
		return PACKET_MALFORMED;
	total = IPV6_HEADER_LEN + ntohs(get16(header + IPV6_OFF_PAYLOAD_LENGTH));
	/* a length of zero is a jumbogram, which needs an extension header anyway */
	if (total == IPV6_HEADER_LEN || total > packet->len)
		return PACKET_MALFORMED;
	packet->len = total;
	packet->v6 = 1;
	packet->address_len = IPV6_ADDRESS_LEN;
	packet->header_len = IPV6_HEADER_LEN;
	packet->protocol = header[IPV6_OFF_NEXT_HEADER];
	packet->source = header + IPV6_OFF_SOURCE;
	packet->destination = header + IPV6_OFF_DESTINATION;
	packet->transport = header + IPV6_HEADER_LEN;
	if (packet->destination[0] == IPV6_MULTICAST)
		return PACKET_MULTICAST;
	if (bad_source6(packet->source) ||
	    memcmp(packet->source, packet->destination, IPV6_ADDRESS_LEN) == 0)
		return PACKET_MALFORMED;
	switch (packet->protocol) {
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_AUTHENTICATION:
	case IPV6_DESTINATION_OPTIONS:
	case IPV6_MOBILITY:
	case IPV6_HOST_IDENTITY:
	case IPV6_SHIM6:
		return PACKET_EXTENSION;
	case IPV6_FRAGMENT:
		return PACKET_FRAGMENT;
	default:
		return PACKET_GOOD;
	}
}

enum packet_kind packet_read(struct packet *packet)
{
	if (packet->len == 0)
		return PACKET_MALFORMED;
	switch (packet->data[0] >> 4) {
	case 4:
		return read_ipv4(packet);
	case 6:
		return read_ipv6(packet);
	default:
		return PACKET_MALFORMED;
	}
}

static uint32_t tcp_header_len(const struct packet *packet)
{
	return (packet->transport[TCP_OFF_DATA_OFFSET] >> 4) * 4u;
}

int packet_tcp_valid(const struct packet *packet)
{
	uint32_t len = packet->len - packet->header_len;
	uint8_t flags;

	if (len < TCP_HEADER_LEN || tcp_header_len(packet) < TCP_HEADER_LEN ||
	    tcp_header_len(packet) > len)
		return 0;
	if (packet->partial && (packet->checksum_start != packet->header_len ||
				packet->checksum_offset != TCP_OFF_CHECKSUM))
		return 0;
	flags = packet_tcp_flags(packet);
	if (!(flags & (TCP_SYN | TCP_ACK | TCP_RST)) ||
	    (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST)))
		return 0;
	return packet_source_port(packet) != 0 && packet_destination_port(packet) != 0;
}

uint16_t packet_source_port(const struct packet *packet)
{
	return get16(packet->transport + TCP_OFF_SOURCE_PORT);
}

uint16_t packet_destination_port(const struct packet *packet)
{
	return get16(packet->transport + TCP_OFF_DESTINATION_PORT);
}

uint8_t packet_tcp_flags(const struct packet *packet)
{
	return packet->transport[TCP_OFF_FLAGS] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
}

uint32_t packet_tcp_sequence(const struct packet *packet)
{
	return get32(packet->transport + TCP_OFF_SEQ);
}

/* ---- rewriting --------------------------------------------------------------- */

struct delta packet_delta(const struct tuple *from, const struct tuple *to, uint32_t address_len)
{
	uint64_t sum = sum_out(from->source, address_len) +
		       sum_out(from->destination, address_len) + sum_of(to->source, address_len) +
		       sum_of(to->destination, address_len);
	struct delta delta = { .addresses = fold(sum) };

	sum += (uint16_t)~from->source_port;
	sum += (uint16_t)~from->destination_port;
	sum += to->source_port;
	sum += to->destination_port;
	delta.all = fold(sum);
	return delta;
}

static void write_tuple(struct packet *packet, const struct tuple *to)
{
	memcpy(packet->source, to->source, packet->address_len);
	memcpy(packet->destination, to->destination, packet->address_len);
	put16(packet->transport + TCP_OFF_SOURCE_PORT, to->source_port);
	put16(packet->transport + TCP_OFF_DESTINATION_PORT, to->destination_port);
}

void packet_rewrite(struct packet *packet, const struct tuple *to, const struct delta *delta)
{
	uint8_t *checksum = packet->transport + TCP_OFF_CHECKSUM;

	write_tuple(packet, to);
	if (!packet->v6)
		adjust(packet->data + IPV4_OFF_CHECKSUM, delta->addresses);
	/*
	 * a partial checksum is the sum of the pseudo header itself, not its complement, and has no
	 * ports
	 */
	if (packet->partial)
		put16(checksum, fold((uint64_t)get16(checksum) + delta->addresses));
	else
		adjust(checksum, delta->all);
}

void packet_copy_headers(const struct packet *packet, struct packet *to)
{
	uint32_t transport_len = tcp_header_len(packet);

	to->len = packet->header_len + transport_len;
	memcpy(to->data, packet->data, to->len);
	if (packet->v6)
		put16(to->data + IPV6_OFF_PAYLOAD_LENGTH, htons((uint16_t)transport_len));
	else
		put16(to->data + IPV4_OFF_TOTAL_LENGTH, htons((uint16_t)to->len));
	to->partial = 0;
}

void packet_rebuild(struct packet *packet, const struct tuple *to)
{
	write_tuple(packet, to);
	put16(packet->transport + TCP_OFF_CHECKSUM, 0);
	put16(packet->transport + TCP_OFF_CHECKSUM,
	      transport_checksum(packet, packet->len - packet->header_len));
	if (!packet->v6)
		set_ipv4_checksum(packet->data, packet->header_len);
	packet->partial = 0;
}

/* ---- answers ------------------------------------------------------------------ */

/* Replaces the IP header by ours, from the packet's destination back to its source. */
static void answer_header(struct packet *packet, uint8_t protocol, uint32_t transport_len)
{
	uint8_t source[IPV6_ADDRESS_LEN], destination[IPV6_ADDRESS_LEN];
	uint8_t *header = packet->data;

	memcpy(source, packet->destination, packet->address_len);
	memcpy(destination, packet->source, packet->address_len);
	packet->header_len = packet->v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN;
	memset(header, 0, packet->header_len);
	packet->source = header + (packet->v6 ? IPV6_OFF_SOURCE : IPV4_OFF_SOURCE);
	packet->destination = packet->source + packet->address_len;
	packet->transport = header + packet->header_len;
	packet->protocol = protocol;
	packet->len = packet->header_len + transport_len;
	packet->partial = 0;
	memcpy(packet->source, source, packet->address_len);
	memcpy(packet->destination, destination, packet->address_len);
	if (packet->v6) {
		header[0] = IPV6_VERSION;
		put16(header + IPV6_OFF_PAYLOAD_LENGTH, htons((uint16_t)transport_len));
		header[IPV6_OFF_NEXT_HEADER] = protocol;
		header[IPV6_OFF_HOP_LIMIT] = TTL;
		return;
	}
	header[0] = IPV4_VERSION_IHL;
	put16(header + IPV4_OFF_TOTAL_LENGTH, htons((uint16_t)packet->len));
	put16(header + IPV4_OFF_FRAGMENT, htons(IPV4_DONT_FRAGMENT));
	header[IPV4_OFF_TTL] = TTL;
	header[IPV4_OFF_PROTOCOL] = protocol;
	set_ipv4_checksum(header, packet->header_len);
}

/* How much of the sequence space a segment without ACK takes; only a SYN comes without. */
static uint32_t segment_len(const struct packet *packet)
{
	return packet->len - packet->header_len - tcp_header_len(packet) +
	       (packet_tcp_flags(packet) & TCP_SYN ? 1 : 0);
}

int packet_reset(struct packet *packet)
{
	uint8_t flags = packet_tcp_flags(packet);
	uint16_t source_port = packet_destination_port(packet);
	uint16_t destination_port = packet_source_port(packet);
	uint32_t sequence = 0, acknowledgement = 0;
	uint8_t *header;

	if (flags & TCP_RST)
		return 0;
	if (flags & TCP_ACK)
		sequence = get32(packet->transport + TCP_OFF_ACK);
	else
		acknowledgement = htonl(ntohl(packet_tcp_sequence(packet)) + segment_len(packet));
	answer_header(packet, PROTOCOL_TCP, TCP_HEADER_LEN);
	header = packet->transport;
	memset(header, 0, TCP_HEADER_LEN);
	put16(header + TCP_OFF_SOURCE_PORT, source_port);
	put16(header + TCP_OFF_DESTINATION_PORT, destination_port);
	put32(header + TCP_OFF_SEQ, sequence);
	put32(header + TCP_OFF_ACK, acknowledgement);
	header[TCP_OFF_DATA_OFFSET] = TCP_HEADER_LEN / 4 << 4;
	header[TCP_OFF_FLAGS] = flags & TCP_ACK ? TCP_RST : TCP_RST | TCP_ACK;
	put16(header + TCP_OFF_CHECKSUM, transport_checksum(packet, TCP_HEADER_LEN));
	return 1;
}

/* Type and code of an ICMP error of either family (RFC 792, RFC 1812 5.2.7.1; RFC 4443 3.1). */
static uint16_t unreachable_type(uint8_t v6, enum unreachable what)
{
	static const uint8_t codes[2][4] = { { 0, 1, 3, 13 }, { 0, 3, 4, 1 } };
	uint8_t bytes[2] = { v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE, codes[v6][what] };

	return get16(bytes);
}

int packet_unreachable(struct packet *packet, enum unreachable what)
{
	uint32_t header_len = packet->v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN;
	uint32_t limit =
		(packet->v6 ? PACKET_ERROR_LIMIT : IPV4_ERROR_LIMIT) - header_len - ICMP_HEADER_LEN;
	uint32_t quoted = packet->len < limit ? packet->len : limit;
	uint32_t shift = header_len + ICMP_HEADER_LEN;
	struct packet original = *packet;
	uint8_t *header;

	if (packet->capacity < shift + quoted)
		return 0;
	memmove(packet->data + shift, packet->data, quoted);
	/*
	 * the addresses moved with the rest; the header written over their old place must not lose
	 * them
	 */
	original.source += shift;
	original.destination += shift;
	packet->source = original.source;
	packet->destination = original.destination;
	answer_header(packet, packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP,
		      ICMP_HEADER_LEN + quoted);
	header = packet->transport;
	memset(header, 0, ICMP_HEADER_LEN);
	put16(header + ICMP_OFF_TYPE, unreachable_type(packet->v6, what));
	if (packet->v6)
		put16(header + ICMP_OFF_CHECKSUM,
		      transport_checksum(packet, ICMP_HEADER_LEN + quoted));
	else
		put16(header + ICMP_OFF_CHECKSUM,
		      (uint16_t)~fold(sum_of(header, ICMP_HEADER_LEN + quoted)));
	return 1;
}

int packet_is_ours(struct packet *packet)
{
	uint32_t len = packet->len;

	if (packet_read(packet) != PACKET_GOOD || packet->len != len || packet->partial)
		return 0;
	if (packet->protocol == PROTOCOL_TCP) {
		uint8_t flags = packet_tcp_valid(packet) ? packet_tcp_flags(packet) : 0;

		return flags == TCP_SYN || (flags & ~TCP_ACK) == TCP_RST;
	}
	return packet->protocol == (packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP) &&
	       packet->len - packet->header_len >= ICMP_HEADER_LEN &&
	       packet->transport[ICMP_OFF_TYPE] ==
		       (packet->v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE);
}

int packet_is_echo(const struct packet *packet)
{
	uint8_t protocol = packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP;
	uint8_t type = packet->v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST;

	return packet->protocol == protocol &&
	       packet->len - packet->header_len >= ICMP_HEADER_LEN &&
	       packet->transport[ICMP_OFF_TYPE] == type && packet->transport[ICMP_OFF_CODE] == 0;
}

int packet_echo(struct packet *packet)
{
	uint8_t request[2] = { packet->transport[ICMP_OFF_TYPE], 0 };
	uint8_t reply[2] = { packet->v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY, 0 };
	uint8_t address[IPV6_ADDRESS_LEN];

	if (packet->partial)
		return 0;
	/* swapping the addresses changes no sum */
	memcpy(address, packet->source, packet->address_len);
	memcpy(packet->source, packet->destination, packet->address_len);
	memcpy(packet->destination, address, packet->address_len);
	packet->transport[ICMP_OFF_TYPE] = reply[0];
	adjust(packet->transport + ICMP_OFF_CHECKSUM,
	       fold((uint64_t)(uint16_t)~get16(request) + get16(reply)));
	return 1;
}
