// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds the flow table anything: bytes choose the acts and the packets. Whatever comes, no byte
 * outside a buffer is touched (ASan), counters stay within their limits, and a packet that came
 * with right checksums leaves with right checksums.
 *
 *   make fuzz          libFuzzer, until stopped
 *   fuzz_main.c        the same from a fixed seed, for the tests
 */
#include <stdio.h>

#include "../nat.h"
#include "../tests/build_packet.h"
#include "require.h"

#define MAX_HELD 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t addresses4[6][4] = {
	{ 100, 64, 0, 1 },  { 100, 64, 0, 2 }, { 100, 70, 7, 9 },
	{ 100, 70, 7, 10 }, { 10, 0, 0, 1 },   { 224, 0, 0, 1 },
};
static const uint8_t addresses6[6][16] = {
	{ 0xfd, 0x7a, [15] = 1 },
	{ 0xfd, 0x7a, [15] = 2 },
	{ 0xfd, 0x7a, [12] = 100, 70, 7, 9 },
	{ 0xfd, 0x7a, [12] = 100, 70, 7, 10 },
	{ 0xfd, 1, [15] = 1 },
	{ 0xff, 2, [15] = 2 },
};

static const uint8_t network4[VNET_NETWORK_RECORD_SIZE] = { 100, 64, 0, 0, 10 };
static const uint8_t network6[16] = { 0xfd, 0x7a };

/* The input, read from the front; zero when it is used up. */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t next(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static struct nat *make(void)
{
	struct nat_config config = {
		.listen_port = { 1025, 1026 },
		.has_ipv6 = 1,
		.max_held = MAX_HELD,
		.held_timeout_ms = 100,
		.seed = 7,
	};
	struct nat *nat;

	memcpy(config.self[0], addresses4[0], 4);
	memcpy(config.peer[0], addresses4[1], 4);
	memcpy(config.self[1], addresses6[0], 16);
	memcpy(config.peer[1], addresses6[1], 16);
	memcpy(config.network6, network6, sizeof(network6));
	nat = nat_create(&config);
	REQUIRE(nat != NULL);
	REQUIRE(nat_set_networks(nat, network4, 1) == 0);
	REQUIRE(nat_lease(nat, addresses4[2], 1, 1) == 0);
	return nat;
}

/*
 * A segment that is right but for what mutate() does to it: few addresses and ports, so that flows
 * meet.
 */
static struct built make_packet(struct input *input, int *partial)
{
	static const uint16_t ports[4] = { 1024, 1025, 1026, 1027 };
	uint8_t kind = next(input), ends = next(input), shape = next(input);
	int v6 = kind & 1;
	struct segment segment = {
		.v6 = v6,
		.source = v6 ? addresses6[ends % 6] : addresses4[ends % 6],
		.destination = v6 ? addresses6[ends / 6 % 6] : addresses4[ends / 6 % 6],
		.source_port = ports[shape & 3],
		.destination_port = ports[shape >> 2 & 3],
		.sequence = next(input) & 1,
		.flags = next(input) & 0x17,
		.options_len = (uint8_t)((shape >> 4 & 3) * 12),
		.ip_options_len = (uint8_t)((shape >> 6 & 1) * 40),
		.payload_len = next(input),
		.partial = kind >> 1 & 1,
	};

	*partial = segment.partial;
	return build_tcp(&segment);
}

/* Overwrites up to three bytes, or cuts the packet. Returns whether anything changed. */
static int mutate(struct input *input, struct built *built)
{
	uint8_t how = next(input);

	if (how < 128)
		return 0;
	for (uint32_t i = 0; i < how % 4u; i++)
		built->data[next(input) % built->len] = next(input);
	if (how & 4)
		built->len = next(input) % (built->len + 1);
	return 1;
}

static void check_sums(const struct packet *packet, int was_right)
{
	REQUIRE(packet->len >= 40 && packet->len <= packet->capacity);
	if (!was_right)
		return;
	REQUIRE(ip_sum_valid(packet->data));
	if (packet->partial)
		REQUIRE(partial_sum_valid(packet->data, packet->len));
	else
		REQUIRE(transport_sum_valid(packet->data, packet->len));
}

static void feed(struct nat *nat, struct input *input, uint64_t now)
{
	struct nat_owner owner = { next(input), 1 };
	int partial, mutated;
	struct built built = make_packet(input, &partial);
	struct packet packet = { 0 };
	enum nat_verdict verdict;

	mutated = mutate(input, &built);
	packet.data = built.data;
	packet.len = built.len;
	packet.capacity = built.capacity;
	packet.partial = (uint8_t)partial;
	packet.checksum_start = (uint16_t)ip_header_len(built.data);
	packet.checksum_offset = 16;
	verdict = nat_packet(nat, &packet, now);
	if (verdict == NAT_SYN)
		verdict = owner.uid & 1 ? nat_hold(nat, &packet, &owner, now) :
					  nat_refuse(nat, &packet);
	REQUIRE(verdict != NAT_SYN);
	/* what we make ourselves is right whatever it answers */
	if (verdict != NAT_DROP)
		check_sums(&packet, !mutated || (verdict == NAT_ANSWER && packet.data[9] == 6 &&
						 packet.data[0] >> 4 == 4));
	free(built.data);
}

static void settle(struct nat *nat, struct input *input, uint64_t now)
{
	uint8_t records[MAX_HELD * VNET_FLOW_RECORD_SIZE];
	uint8_t *buffer = malloc(PACKET_HEADERS_LIMIT + 64);
	struct packet packet = { .data = buffer, .capacity = PACKET_HEADERS_LIMIT + 64 };
	uint32_t taken = nat_take(nat, records, 1 + next(input) % MAX_HELD);
	enum nat_verdict verdict;
	uint64_t id;

	REQUIRE(buffer != NULL);
	for (uint32_t i = 0; i < taken; i++) {
		memcpy(&id, records + i * VNET_FLOW_RECORD_SIZE, 8);
		verdict = nat_answer(nat, id, next(input) % 7, &packet, now);
		/* it was held a moment ago */
		REQUIRE(verdict != NAT_DROP);
		REQUIRE(nat_answer(nat, id, 0, &packet, now) == NAT_DROP);
		if (verdict == NAT_INJECT)
			check_sums(&packet, 1);
	}
	free(buffer);
}

static void expire(struct nat *nat, uint64_t now)
{
	uint8_t *buffer = malloc(PACKET_HEADERS_LIMIT + 64);
	struct packet packet = { .data = buffer, .capacity = PACKET_HEADERS_LIMIT + 64 };
	uint32_t count = 0;

	REQUIRE(buffer != NULL);
	while (nat_expire(nat, &packet, now) != NAT_DROP)
		count++;
	REQUIRE(count <= MAX_HELD && nat_deadline(nat) > now);
	free(buffer);
}

static void check_counters(const struct nat *nat)
{
	uint64_t counters[VNET_STATS_COUNT] = { 0 };
	uint8_t record[VNET_FLOW_RECORD_SIZE];
	uint32_t found = 0;

	nat_stats(nat, counters);
	REQUIRE(counters[NAT_HELD_NOW] <= MAX_HELD);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		for (uint32_t port = 0; port < 65536; port++)
			found += nat_flow(nat, v6, (uint16_t)port, record) == 0;
	}
	/* flows that are over are found, but do not live */
	REQUIRE(counters[NAT_FLOWS_LIVE] <= found + counters[NAT_HELD_NOW]);
	REQUIRE(found <= counters[NAT_FLOWS_CREATED]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct nat *nat = make();
	uint64_t now = 1000;

	while (input.size > 0) {
		uint8_t act = next(&input);

		now += act >> 4;
		if (act % 16 == 0)
			nat_sweep(nat, now += 30000);
		else if (act % 16 == 1)
			expire(nat, now);
		else if (act % 16 < 5)
			settle(nat, &input, now);
		else
			feed(nat, &input, now);
	}
	check_counters(nat);
	nat_destroy(nat);
	return 0;
}
