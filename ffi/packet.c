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
#define TTL 64
#define IPV4_DONT_FRAGMENT 0x4000

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
	put16(header + 10, 0);
	put16(header + 10, (uint16_t)~fold(sum_of(header, len)));
}

/* ---- reading --------------------------------------------------------------- */

/* Addresses no sender has: unspecified, loopback, multicast, broadcast. */
static int bad_source4(const uint8_t *address)
{
	return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

static int bad_source6(const uint8_t *address)
{
	static const uint8_t zero[15] = { 0 };

	return address[0] == 0xff || (memcmp(address, zero, 15) == 0 && address[15] <= 1);
}

static enum packet_kind read_ipv4(struct packet *packet)
{
	uint8_t *header = packet->data;
	uint32_t total;

	if (packet->len < IPV4_HEADER_LEN)
		return PACKET_MALFORMED;
	packet->header_len = (header[0] & 15u) * 4;
	total = ntohs(get16(header + 2));
	if (packet->header_len < IPV4_HEADER_LEN || total < packet->header_len ||
	    total > packet->len)
		return PACKET_MALFORMED;
	packet->len = total;
	packet->v6 = 0;
	packet->address_len = 4;
	packet->protocol = header[9];
	packet->source = header + 12;
	packet->destination = header + 16;
	packet->transport = header + packet->header_len;
	if (packet->destination[0] >= 224)
		return PACKET_MULTICAST;
	if (bad_source4(packet->source) || memcmp(packet->source, packet->destination, 4) == 0)
		return PACKET_MALFORMED;
	/* more fragments, or not the first: all but DF of the field */
	if ((ntohs(get16(header + 6)) & 0x3fff) != 0)
		return PACKET_FRAGMENT;
	return PACKET_GOOD;
}

static enum packet_kind read_ipv6(struct packet *packet)
{
	uint8_t *header = packet->data;
	uint32_t total;

	if (packet->len < IPV6_HEADER_LEN)
		return PACKET_MALFORMED;
	total = IPV6_HEADER_LEN + ntohs(get16(header + 4));
	/* a length of zero is a jumbogram, which needs an extension header anyway */
	if (total == IPV6_HEADER_LEN || total > packet->len)
		return PACKET_MALFORMED;
	packet->len = total;
	packet->v6 = 1;
	packet->address_len = 16;
	packet->header_len = IPV6_HEADER_LEN;
	packet->protocol = header[6];
	packet->source = header + 8;
	packet->destination = header + 24;
	packet->transport = header + IPV6_HEADER_LEN;
	if (packet->destination[0] == 0xff)
		return PACKET_MULTICAST;
	if (bad_source6(packet->source) || memcmp(packet->source, packet->destination, 16) == 0)
		return PACKET_MALFORMED;
	switch (packet->protocol) {
	case 0: /* hop-by-hop */
	case 43: /* routing */
	case 51: /* authentication */
	case 60: /* destination options */
	case 135: /* mobility */
	case 139: /* host identity */
	case 140: /* shim6 */
		return PACKET_EXTENSION;
	case 44:
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
	return (packet->transport[12] >> 4) * 4u;
}

int packet_tcp_valid(const struct packet *packet)
{
	uint32_t len = packet->len - packet->header_len;
	uint8_t flags;

	if (len < TCP_HEADER_LEN || tcp_header_len(packet) < TCP_HEADER_LEN ||
	    tcp_header_len(packet) > len)
		return 0;
	if (packet->partial &&
	    (packet->checksum_start != packet->header_len || packet->checksum_offset != 16))
		return 0;
	flags = packet_tcp_flags(packet);
	if (!(flags & (TCP_SYN | TCP_ACK | TCP_RST)) ||
	    (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST)))
		return 0;
	return packet_source_port(packet) != 0 && packet_destination_port(packet) != 0;
}

uint16_t packet_source_port(const struct packet *packet)
{
	return get16(packet->transport);
}

uint16_t packet_destination_port(const struct packet *packet)
{
	return get16(packet->transport + 2);
}

uint8_t packet_tcp_flags(const struct packet *packet)
{
	return packet->transport[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
}

uint32_t packet_tcp_sequence(const struct packet *packet)
{
	return get32(packet->transport + 4);
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
	put16(packet->transport, to->source_port);
	put16(packet->transport + 2, to->destination_port);
}

void packet_rewrite(struct packet *packet, const struct tuple *to, const struct delta *delta)
{
	uint8_t *checksum = packet->transport + 16;

	write_tuple(packet, to);
	if (!packet->v6)
		adjust(packet->data + 10, delta->addresses);
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
		put16(to->data + 4, htons((uint16_t)transport_len));
	else
		put16(to->data + 2, htons((uint16_t)to->len));
	to->partial = 0;
}

void packet_rebuild(struct packet *packet, const struct tuple *to)
{
	write_tuple(packet, to);
	put16(packet->transport + 16, 0);
	put16(packet->transport + 16, transport_checksum(packet, packet->len - packet->header_len));
	if (!packet->v6)
		set_ipv4_checksum(packet->data, packet->header_len);
	packet->partial = 0;
}

/* ---- answers ------------------------------------------------------------------ */

/* Replaces the IP header by ours, from the packet's destination back to its source. */
static void answer_header(struct packet *packet, uint8_t protocol, uint32_t transport_len)
{
	uint8_t source[16], destination[16];
	uint8_t *header = packet->data;

	memcpy(source, packet->destination, packet->address_len);
	memcpy(destination, packet->source, packet->address_len);
	packet->header_len = packet->v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN;
	memset(header, 0, packet->header_len);
	packet->source = header + (packet->v6 ? 8 : 12);
	packet->destination = packet->source + packet->address_len;
	packet->transport = header + packet->header_len;
	packet->protocol = protocol;
	packet->len = packet->header_len + transport_len;
	packet->partial = 0;
	memcpy(packet->source, source, packet->address_len);
	memcpy(packet->destination, destination, packet->address_len);
	if (packet->v6) {
		header[0] = 0x60;
		put16(header + 4, htons((uint16_t)transport_len));
		header[6] = protocol;
		header[7] = TTL;
		return;
	}
	header[0] = 0x45;
	put16(header + 2, htons((uint16_t)packet->len));
	put16(header + 6, htons(IPV4_DONT_FRAGMENT));
	header[8] = TTL;
	header[9] = protocol;
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
		sequence = get32(packet->transport + 8);
	else
		acknowledgement = htonl(ntohl(get32(packet->transport + 4)) + segment_len(packet));
	answer_header(packet, PROTOCOL_TCP, TCP_HEADER_LEN);
	header = packet->transport;
	memset(header, 0, TCP_HEADER_LEN);
	put16(header, source_port);
	put16(header + 2, destination_port);
	put32(header + 4, sequence);
	put32(header + 8, acknowledgement);
	header[12] = TCP_HEADER_LEN / 4 << 4;
	header[13] = flags & TCP_ACK ? TCP_RST : TCP_RST | TCP_ACK;
	put16(header + 16, transport_checksum(packet, TCP_HEADER_LEN));
	return 1;
}

/* Type and code of an ICMP error of either family (RFC 792, RFC 1812 5.2.7.1; RFC 4443 3.1). */
static uint16_t unreachable_type(uint8_t v6, enum unreachable what)
{
	static const uint8_t codes[2][4] = { { 0, 1, 3, 13 }, { 0, 3, 4, 1 } };
	uint8_t bytes[2] = { v6 ? 1 : 3, codes[v6][what] };

	return get16(bytes);
}

int packet_unreachable(struct packet *packet, enum unreachable what)
{
	uint32_t header_len = packet->v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN;
	uint32_t limit = (packet->v6 ? PACKET_ERROR_LIMIT : 576) - header_len - ICMP_HEADER_LEN;
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
	put16(header, unreachable_type(packet->v6, what));
	if (packet->v6)
		put16(header + 2, transport_checksum(packet, ICMP_HEADER_LEN + quoted));
	else
		put16(header + 2, (uint16_t)~fold(sum_of(header, ICMP_HEADER_LEN + quoted)));
	return 1;
}

int packet_is_ours(struct packet *packet)
{
	uint32_t len = packet->len;

	if (packet_read(packet) != PACKET_GOOD || packet->len != len || packet->partial)
		return 0;
	if (packet->protocol == PROTOCOL_TCP)
		return packet_tcp_valid(packet) && packet_tcp_flags(packet) == TCP_SYN;
	return packet->protocol == (packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP) &&
	       packet->len - packet->header_len >= ICMP_HEADER_LEN &&
	       packet->transport[0] == (packet->v6 ? 1 : 3);
}

int packet_is_echo(const struct packet *packet)
{
	uint8_t protocol = packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP;
	uint8_t type = packet->v6 ? 128 : 8;

	return packet->protocol == protocol &&
	       packet->len - packet->header_len >= ICMP_HEADER_LEN &&
	       packet->transport[0] == type && packet->transport[1] == 0;
}

int packet_echo(struct packet *packet)
{
	uint8_t request[2] = { packet->transport[0], 0 };
	uint8_t reply[2] = { packet->v6 ? 129 : 0, 0 };
	uint8_t address[16];

	if (packet->partial)
		return 0;
	/* swapping the addresses changes no sum */
	memcpy(address, packet->source, packet->address_len);
	memcpy(packet->source, packet->destination, packet->address_len);
	memcpy(packet->destination, address, packet->address_len);
	packet->transport[0] = reply[0];
	adjust(packet->transport + 2, fold((uint64_t)(uint16_t)~get16(request) + get16(reply)));
	return 1;
}
