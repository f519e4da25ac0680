/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_TESTS_BUILD_PACKET_H
#define VNET_TESTS_BUILD_PACKET_H

/*
 * Packets for tests, built and checked byte by byte and without a line of
 * packet.c: sums are taken big-endian over the whole packet, as the RFCs say.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A packet on the heap with exactly its capacity, so that ASan sees every byte too far. */
struct built {
	uint8_t *data;
	uint32_t len;
	uint32_t capacity;
};

/* What build_tcp() makes; zero fields are sensible. */
struct segment {
	int v6;
	const uint8_t *source;
	const uint8_t *destination;
	uint16_t source_port;
	uint16_t destination_port;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint8_t flags;
	uint8_t options_len; /* of TCP, a multiple of 4 */
	uint8_t ip_options_len; /* of IPv4, likewise */
	uint32_t payload_len;
	int partial;
};

static inline void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

static inline uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

static inline uint32_t add_be(uint32_t sum, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t ip_header_len(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? (packet[0] & 15u) * 4 : 40;
}

static inline uint32_t protocol_of(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

static inline uint32_t pseudo_sum(const uint8_t *packet, uint32_t len)
{
	uint32_t transport_len = len - ip_header_len(packet);
	uint8_t tail[4] = { (uint8_t)(transport_len >> 8), (uint8_t)transport_len, 0,
			    (uint8_t)protocol_of(packet) };
	uint32_t sum = packet[0] >> 4 == 4 ? add_be(0, packet + 12, 8) : add_be(0, packet + 8, 32);

	return add_be(sum, tail, 4);
}

/* Whether the sum over pseudo header and everything after the IP header is right. */
static inline int transport_sum_valid(const uint8_t *packet, uint32_t len)
{
	uint32_t header_len = ip_header_len(packet);
	uint32_t sum = protocol_of(packet) == 1 ? 0 : pseudo_sum(packet, len);

	return add_be(sum, packet + header_len, len - header_len) == 0xffff;
}

static inline int ip_sum_valid(const uint8_t *packet)
{
	return packet[0] >> 4 == 6 || add_be(0, packet, ip_header_len(packet)) == 0xffff;
}

/*
 * Whether a TCP checksum holds exactly the sum of the pseudo header, for a device that finishes it.
 */
static inline int partial_sum_valid(const uint8_t *packet, uint32_t len)
{
	uint32_t found = be16(packet + ip_header_len(packet) + 16);

	/* one's complement has two zeros */
	return found % 0xffff == pseudo_sum(packet, len) % 0xffff;
}

static inline void set_ip_sum(uint8_t *packet)
{
	put_be16(packet + 10, 0);
	put_be16(packet + 10, 0xffff ^ add_be(0, packet, ip_header_len(packet)));
}

static inline struct built build_ip(int v6, const uint8_t *source, const uint8_t *destination,
				    uint8_t protocol, uint32_t ip_options_len,
				    uint32_t transport_len, uint32_t room)
{
	uint32_t header_len = v6 ? 40 : 20 + ip_options_len;
	struct built built = { .len = header_len + transport_len };

	built.capacity = built.len + room;
	built.data = calloc(1, built.capacity);
	if (!built.data)
		abort();
	if (v6) {
		built.data[0] = 0x60;
		put_be16(built.data + 4, transport_len);
		built.data[6] = protocol;
		built.data[7] = 64;
		memcpy(built.data + 8, source, 16);
		memcpy(built.data + 24, destination, 16);
		return built;
	}
	built.data[0] = (uint8_t)(0x40 | header_len / 4);
	put_be16(built.data + 2, built.len);
	built.data[6] = 0x40;
	built.data[8] = 64;
	built.data[9] = protocol;
	memcpy(built.data + 12, source, 4);
	memcpy(built.data + 16, destination, 4);
	/* no operation */
	memset(built.data + 20, 1, ip_options_len);
	set_ip_sum(built.data);
	return built;
}

static inline void set_transport_sum(struct built *built, uint32_t offset)
{
	uint32_t header_len = ip_header_len(built->data);
	uint8_t *checksum = built->data + header_len + offset;
	uint32_t sum = protocol_of(built->data) == 1 ? 0 : pseudo_sum(built->data, built->len);

	put_be16(checksum, 0);
	put_be16(checksum, 0xffff ^ add_be(sum, built->data + header_len, built->len - header_len));
}

static inline struct built build_tcp(const struct segment *segment)
{
	uint32_t tcp_len = 20u + segment->options_len;
	struct built built = build_ip(segment->v6, segment->source, segment->destination, 6,
				      segment->v6 ? 0 : segment->ip_options_len,
				      tcp_len + segment->payload_len, 64);
	uint8_t *tcp = built.data + ip_header_len(built.data);

	put_be16(tcp, segment->source_port);
	put_be16(tcp + 2, segment->destination_port);
	put_be32(tcp + 4, segment->sequence);
	put_be32(tcp + 8, segment->acknowledgement);
	tcp[12] = (uint8_t)(tcp_len / 4 << 4);
	tcp[13] = segment->flags;
	put_be16(tcp + 14, 64240);
	memset(tcp + 20, 1, segment->options_len);
	for (uint32_t i = 0; i < segment->payload_len; i++)
		tcp[tcp_len + i] = (uint8_t)(i * 13 + 5);
	if (segment->partial)
		put_be16(tcp + 16, pseudo_sum(built.data, built.len));
	else
		set_transport_sum(&built, 16);
	return built;
}

#endif
