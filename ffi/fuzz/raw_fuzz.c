// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds what decides about the packets of an unprivileged process (raw_linux.c) anything. No byte
 * outside the packet is touched, and what passes is whole: a version, a length and a protocol that
 * agree with the bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../packet.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t get16be(const uint8_t *bytes)
{
	return (uint32_t)(bytes[0] << 8 | bytes[1]);
}

static void check(const struct packet *packet, const uint8_t *data, size_t size)
{
	uint32_t version = data[0] >> 4;

	REQUIRE(version == (packet->v6 ? 6 : 4));
	REQUIRE(packet->len == size);
	REQUIRE(packet->address_len == (packet->v6 ? 16 : 4));
	REQUIRE(packet->source == data + (packet->v6 ? 8 : 12));
	REQUIRE(packet->destination == packet->source + packet->address_len);
	REQUIRE(packet->header_len < size && packet->transport == data + packet->header_len);
	REQUIRE(get16be(data + (packet->v6 ? 4 : 2)) + (packet->v6 ? 40u : 0u) == size);
	if (packet->protocol == 6)
		REQUIRE(!(packet->transport[13] & TCP_FIN) &&
			(packet->transport[13] & (TCP_SYN | TCP_RST)));
	else
		REQUIRE(packet->transport[0] == (packet->v6 ? 1 : 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a buffer of just its size, so that ASan sees one byte too far */
	uint8_t *copy = malloc(size ? size : 1);
	struct packet packet = { .data = copy, .len = (uint32_t)size, .capacity = (uint32_t)size };

	REQUIRE(copy != NULL);
	memcpy(copy, data, size);
	if (packet_is_ours(&packet))
		check(&packet, copy, size);
	free(copy);
	return 0;
}
