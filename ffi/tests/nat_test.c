// SPDX-License-Identifier: Apache-2.0
/*
 * The flow table without a machine: packets in, packets out, time as a number. Reports in TAP;
 * c_test.ts compiles it with ASan and UBSan and shows its lines as steps.
 */
#include <errno.h>
#include <stdio.h>

#include "../held.h"
#include "../nat.h"
#include "build_packet.h"
#include "check.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const uint8_t self[2][16] = { { 100, 64, 0, 1 }, { 0xfd, 0x7a, [15] = 1 } };
static const uint8_t peer[2][16] = { { 100, 64, 0, 2 }, { 0xfd, 0x7a, [15] = 2 } };
static const uint8_t network4[VNET_NETWORK_RECORD_SIZE] = { 100, 64, 0, 0, 10 };
static const uint8_t network6[16] = { 0xfd, 0x7a };
static const uint8_t app[2][16] = { { 100, 70, 7, 9 }, { 0xfd, 0x7a, [12] = 100, 70, 7, 9 } };
static const uint8_t nobody[2][16] = { { 100, 70, 7, 10 }, { 0xfd, 0x7a, [12] = 100, 70, 7, 10 } };
static const struct nat_owner owner = { 1000, 4711 };

static struct nat *make(uint32_t max_held)
{
	struct nat_config config = {
		.listen_port = { 40000, 40006 },
		.has_ipv6 = 1,
		.max_held = max_held,
		.held_timeout_ms = 5000,
		.seed = 42,
	};
	struct nat *nat;

	memcpy(config.self, self, sizeof(self));
	memcpy(config.peer, peer, sizeof(peer));
	memcpy(config.network6, network6, sizeof(network6));
	nat = nat_create(&config);
	CHECK(nat != NULL);
	CHECK(nat_set_networks(nat, network4, 1) == 0);
	CHECK(nat_lease(nat, app[0], 1, 1) == 0);
	return nat;
}

static struct packet wrap(const struct built *built, int partial)
{
	return (struct packet){
		.data = built->data,
		.len = built->len,
		.capacity = built->capacity,
		.partial = (uint8_t)partial,
		.checksum_start = (uint16_t)ip_header_len(built->data),
		.checksum_offset = 16,
	};
}

static uint64_t counter(const struct nat *nat, enum nat_counter which)
{
	uint64_t counters[VNET_STATS_COUNT] = { 0 };

	nat_stats(nat, counters);
	return counters[which];
}

/* A segment of a client to the app. */
static struct segment from_client(int v6, uint16_t port, uint8_t flags)
{
	return (struct segment){ .v6 = v6,
				 .source = self[v6],
				 .destination = app[v6],
				 .source_port = port,
				 .destination_port = 443,
				 .sequence = 1000,
				 .flags = flags };
}

/* A segment of the listener to a natport. */
static struct segment from_listener(int v6, uint16_t natport, uint8_t flags)
{
	return (struct segment){ .v6 = v6,
				 .source = self[v6],
				 .destination = peer[v6],
				 .source_port = v6 ? 40006 : 40000,
				 .destination_port = natport,
				 .sequence = 9000,
				 .acknowledgement = 1001,
				 .flags = flags };
}

static const uint8_t *source_of(const struct packet *packet)
{
	return packet->data + (packet->data[0] >> 4 == 4 ? 12 : 8);
}

static const uint8_t *destination_of(const struct packet *packet)
{
	return packet->data + (packet->data[0] >> 4 == 4 ? 16 : 24);
}

static const uint8_t *tcp_of(const struct packet *packet)
{
	return packet->data + ip_header_len(packet->data);
}

static int tuple_is(const struct packet *packet, const uint8_t *source, uint32_t source_port,
		    const uint8_t *destination, uint32_t destination_port)
{
	uint32_t len = packet->data[0] >> 4 == 4 ? 4 : 16;

	return memcmp(source_of(packet), source, len) == 0 &&
	       memcmp(destination_of(packet), destination, len) == 0 &&
	       be16(tcp_of(packet)) == source_port && be16(tcp_of(packet) + 2) == destination_port;
}

static int sums_valid(const struct packet *packet)
{
	return ip_sum_valid(packet->data) && transport_sum_valid(packet->data, packet->len);
}

/*
 * Sends one segment through; the verdict, and if wanted the packet that came out (its data is
 * freed).
 */
static enum nat_verdict pass(struct nat *nat, const struct segment *segment, uint64_t now_ms)
{
	struct built built = build_tcp(segment);
	struct packet packet = wrap(&built, segment->partial);
	enum nat_verdict verdict = nat_packet(nat, &packet, now_ms);

	if (verdict == NAT_SYN)
		verdict = nat_hold(nat, &packet, &owner, now_ms);
	free(built.data);
	return verdict;
}

/* Holds a client's SYN; returns its id. */
static uint64_t hold(struct nat *nat, const struct segment *segment, uint64_t now_ms)
{
	uint8_t record[VNET_FLOW_RECORD_SIZE];
	uint64_t id = 0;

	CHECK(pass(nat, segment, now_ms) == NAT_DROP);
	CHECK(nat_take(nat, record, 1) == 1);
	memcpy(&id, record, 8);
	return id;
}

static enum nat_verdict answer(struct nat *nat, uint64_t id, uint32_t what, struct packet *packet,
			       uint8_t *buffer, uint64_t now_ms)
{
	*packet = (struct packet){ .data = buffer, .capacity = PACKET_HEADERS_LIMIT + 64 };
	return nat_answer(nat, id, what, packet, now_ms);
}

static enum nat_verdict release(struct nat *nat, uint64_t id, uint64_t now_ms)
{
	uint8_t buffer[PACKET_HEADERS_LIMIT + 64];
	struct packet packet;

	return answer(nat, id, VNET_ANSWER_RELEASE, &packet, buffer, now_ms);
}

static uint32_t natport_of(uint64_t id)
{
	return (uint32_t)(id & 0xffff);
}

/* Holds, releases and opens a connection; returns its id. */
static uint64_t connected(struct nat *nat, int v6, uint16_t port, uint64_t now_ms)
{
	struct segment syn = from_client(v6, port, SYN), segment;
	uint64_t id = hold(nat, &syn, now_ms);

	CHECK(release(nat, id, now_ms) == NAT_INJECT);
	segment = from_listener(v6, (uint16_t)natport_of(id), SYN | ACK);
	CHECK(pass(nat, &segment, now_ms) == NAT_FORWARD);
	segment = from_client(v6, port, ACK);
	CHECK(pass(nat, &segment, now_ms) == NAT_FORWARD);
	return id;
}

/* ---- the way of a connection ------------------------------------------------------- */

static void test_held_syn_is_reported_once(void)
{
	uint8_t records[4 * VNET_FLOW_RECORD_SIZE];
	struct nat *nat = make(8);
	struct segment syn = from_client(1, 5555, SYN);
	uint16_t ports[2];
	uint32_t uid;

	CHECK(pass(nat, &syn, 0) == NAT_DROP);
	CHECK(nat_take(nat, records, 4) == 1);
	CHECK(nat_take(nat, records + VNET_FLOW_RECORD_SIZE, 3) == 0);
	memcpy(&uid, records + 8, 4);
	memcpy(ports, records + 48, 4);
	CHECK(uid == 1000);
	CHECK(memcmp(records + 16, self[1], 16) == 0);
	CHECK(memcmp(records + 32, app[1], 16) == 0);
	CHECK(ports[0] == 5555 && ports[1] == 443 && records[52] == 6);
	CHECK(pass(nat, &syn, 1000) == NAT_DROP);
	CHECK(counter(nat, NAT_SYNS_DUPLICATE) == 1);
	CHECK(nat_take(nat, records, 4) == 0);
	nat_destroy(nat);
}

static void check_release(int v6, uint8_t ip_options_len, uint32_t payload_len, int partial)
{
	uint8_t buffer[PACKET_HEADERS_LIMIT + 64], record[VNET_FLOW_RECORD_SIZE];
	struct segment syn = from_client(v6, 5555, SYN);
	struct nat *nat = make(8);
	struct packet packet;
	uint64_t id;

	syn.options_len = 40;
	syn.ip_options_len = ip_options_len;
	syn.payload_len = payload_len;
	syn.partial = partial;
	id = hold(nat, &syn, 0);
	CHECK(nat_flow(nat, (uint32_t)v6, (uint16_t)natport_of(id), record) < 0);
	CHECK(answer(nat, id, VNET_ANSWER_RELEASE, &packet, buffer, 10) == NAT_INJECT);
	CHECK(tuple_is(&packet, peer[v6], natport_of(id), self[v6], v6 ? 40006 : 40000));
	CHECK(packet.len == (v6 ? 40u : 20u + ip_options_len) + 60);
	CHECK(sums_valid(&packet));
	CHECK(be32(tcp_of(&packet) + 4) == 1000);
	CHECK(nat_flow(nat, (uint32_t)v6, (uint16_t)natport_of(id), record) == 0);
	CHECK(memcmp(record, &id, 8) == 0);
	CHECK(answer(nat, id, VNET_ANSWER_RELEASE, &packet, buffer, 10) == NAT_DROP);
	nat_destroy(nat);
}

static void test_released_syn_is_complete(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (int partial = 0; partial < 2; partial++) {
			check_release(v6, 0, 0, partial);
			check_release(v6, 0, 1001, partial);
			check_release(v6, 40, 0, partial);
		}
	}
}

static void check_forward(struct nat *nat, const struct segment *segment, const uint8_t *source,
			  uint32_t source_port, const uint8_t *destination,
			  uint32_t destination_port)
{
	struct built built = build_tcp(segment);
	struct packet packet = wrap(&built, segment->partial);

	CHECK(nat_packet(nat, &packet, 0) == NAT_FORWARD);
	CHECK(packet.len == built.len);
	CHECK(tuple_is(&packet, source, source_port, destination, destination_port));
	CHECK(ip_sum_valid(packet.data));
	if (segment->partial)
		CHECK(partial_sum_valid(packet.data, packet.len));
	else
		CHECK(transport_sum_valid(packet.data, packet.len));
	free(built.data);
}

static void test_both_directions_are_rewritten(void)
{
	struct nat *nat = make(8);

	for (int v6 = 0; v6 < 2; v6++) {
		uint64_t id = connected(nat, v6, 5555, 0);
		uint32_t port = natport_of(id), listen_port = v6 ? 40006 : 40000;

		for (uint32_t payload = 0; payload < 60000; payload = payload * 3 + 1) {
			struct segment in = from_client(v6, 5555, ACK);
			struct segment out = from_listener(v6, (uint16_t)port, ACK);

			in.payload_len = out.payload_len = payload;
			in.options_len = out.options_len = 12;
			in.partial = out.partial = payload % 2 == 0;
			check_forward(nat, &in, peer[v6], port, self[v6], listen_port);
			check_forward(nat, &out, app[v6], 443, self[v6], 5555);
		}
	}
	nat_destroy(nat);
}

static void test_wrong_checksum_stays_wrong(void)
{
	struct segment segment = from_client(0, 5555, ACK);
	struct nat *nat = make(8);
	struct packet packet;
	struct built built;

	connected(nat, 0, 5555, 0);
	built = build_tcp(&segment);
	built.data[20 + 16] ^= 0x40;
	packet = wrap(&built, 0);
	CHECK(nat_packet(nat, &packet, 0) == NAT_FORWARD);
	CHECK(!transport_sum_valid(packet.data, packet.len));
	free(built.data);
	nat_destroy(nat);
}

/* ---- refusals ----------------------------------------------------------------------- */

/* Sends a segment that belongs to nothing; checks the RST (RFC 9293 3.10.7.1). */
static void check_reset(struct nat *nat, struct segment segment, uint32_t sequence,
			uint32_t acknowledgement, uint8_t flags)
{
	struct built built = build_tcp(&segment);
	struct packet packet = wrap(&built, segment.partial);

	CHECK(nat_packet(nat, &packet, 0) == NAT_ANSWER);
	CHECK(tuple_is(&packet, segment.destination, segment.destination_port, segment.source,
		       segment.source_port));
	CHECK(packet.len == (segment.v6 ? 60u : 40u));
	CHECK(sums_valid(&packet));
	CHECK(packet.partial == 0);
	CHECK(be32(tcp_of(&packet) + 4) == sequence);
	CHECK(be32(tcp_of(&packet) + 8) == acknowledgement);
	CHECK(tcp_of(&packet)[12] == 0x50 && tcp_of(&packet)[13] == flags);
	free(built.data);
}

static void test_resets_follow_the_rfc(void)
{
	struct nat *nat = make(8);
	struct segment segment;

	for (int v6 = 0; v6 < 2; v6++) {
		segment = from_client(v6, 5555, SYN);
		segment.destination = nobody[v6];
		check_reset(nat, segment, 0, 1001, RST | ACK);
		segment.payload_len = 100;
		segment.options_len = 20;
		segment.ip_options_len = 8;
		check_reset(nat, segment, 0, 1101, RST | ACK);
		segment.sequence = 0xffffffff;
		check_reset(nat, segment, 0, 100, RST | ACK);
		segment.flags = ACK;
		segment.acknowledgement = 77;
		segment.partial = 1;
		check_reset(nat, segment, 77, 0, RST);
		segment.flags = SYN | ACK;
		check_reset(nat, segment, 77, 0, RST);
		segment = from_listener(v6, 2000, ACK);
		check_reset(nat, segment, 1001, 0, RST);
		segment.flags = RST | ACK;
		CHECK(pass(nat, &segment, 0) == NAT_DROP);
		segment = from_client(v6, 5555, RST);
		CHECK(pass(nat, &segment, 0) == NAT_DROP);
	}
	CHECK(counter(nat, NAT_REFUSED_UNLEASED) == 6);
	CHECK(counter(nat, NAT_REFUSED_NO_FLOW) == 6);
	nat_destroy(nat);
}

static void test_answers_of_a_held_syn(void)
{
	static const struct {
		uint32_t answer;
		uint8_t type[2], code[2];
	} cases[] = {
		{ VNET_ANSWER_NETWORK_UNREACHABLE, { 3, 1 }, { 0, 0 } },
		{ VNET_ANSWER_HOST_UNREACHABLE, { 3, 1 }, { 1, 3 } },
		{ VNET_ANSWER_PORT_UNREACHABLE, { 3, 1 }, { 3, 4 } },
		{ VNET_ANSWER_ADMIN_PROHIBITED, { 3, 1 }, { 13, 1 } },
	};
	uint8_t buffer[PACKET_HEADERS_LIMIT + 64];
	struct nat *nat = make(8);
	struct segment syn;
	struct packet packet;
	uint64_t id;

	for (int v6 = 0; v6 < 2; v6++) {
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t header = v6 ? 40 : 20;

			syn = from_client(v6, 5555, SYN);
			syn.options_len = 40;
			syn.ip_options_len = 40;
			id = hold(nat, &syn, 0);
			CHECK(answer(nat, id, cases[i].answer, &packet, buffer, 0) == NAT_ERROR);
			CHECK(packet.data[header] == cases[i].type[v6]);
			CHECK(packet.data[header + 1] == cases[i].code[v6]);
			CHECK(sums_valid(&packet));
			CHECK(memcmp(source_of(&packet), app[v6], v6 ? 16 : 4) == 0);
			CHECK(memcmp(destination_of(&packet), self[v6], v6 ? 16 : 4) == 0);
			CHECK(packet.len == header + 8 + (v6 ? 100u : 120u));
			CHECK(be32(packet.data + header + 8 + (v6 ? 40 : 60) + 4) == 1000);
		}
		syn = from_client(v6, 5555, SYN);
		id = hold(nat, &syn, 0);
		CHECK(answer(nat, id, VNET_ANSWER_REFUSE, &packet, buffer, 0) == NAT_ANSWER);
		CHECK(tcp_of(&packet)[13] == (RST | ACK) && sums_valid(&packet));
		CHECK(tuple_is(&packet, app[v6], 443, self[v6], 5555));
	}
	CHECK(counter(nat, NAT_SYNS_REJECTED) == 8 && counter(nat, NAT_SYNS_REFUSED) == 2);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 0 && counter(nat, NAT_HELD_NOW) == 0);
	nat_destroy(nat);
}

static void test_queue_is_bounded_and_times_out(void)
{
	uint8_t buffer[PACKET_HEADERS_LIMIT + 64];
	struct packet packet = { .data = buffer, .capacity = sizeof(buffer) };
	struct nat *nat = make(3);
	struct segment syn;
	uint64_t ids[3];

	CHECK(nat_deadline(nat) == UINT64_MAX);
	for (uint32_t i = 0; i < 3; i++) {
		syn = from_client(0, (uint16_t)(5000 + i), SYN);
		ids[i] = hold(nat, &syn, i * 1000);
	}
	syn = from_client(1, 5555, SYN);
	CHECK(pass(nat, &syn, 0) == NAT_ANSWER);
	CHECK(counter(nat, NAT_REFUSED_OVERLOAD) == 1);
	CHECK(nat_deadline(nat) == 5000);
	CHECK(nat_expire(nat, &packet, 4999) == NAT_DROP);
	CHECK(release(nat, ids[1], 4999) == NAT_INJECT);
	CHECK(nat_expire(nat, &packet, 5000) == NAT_ANSWER);
	CHECK(tuple_is(&packet, app[0], 443, self[0], 5000) && sums_valid(&packet));
	CHECK(nat_expire(nat, &packet, 5000) == NAT_DROP);
	CHECK(nat_deadline(nat) == 7000);
	CHECK(release(nat, ids[0], 5000) == NAT_DROP);
	CHECK(pass(nat, &syn, 5000) == NAT_DROP);
	CHECK(nat_refuse_held(nat, &packet) == NAT_ANSWER);
	CHECK(nat_refuse_held(nat, &packet) == NAT_ANSWER);
	CHECK(nat_refuse_held(nat, &packet) == NAT_DROP);
	CHECK(counter(nat, NAT_HELD_NOW) == 0);
	nat_destroy(nat);
}

static void test_expired_syn_is_never_reported(void)
{
	uint8_t buffer[PACKET_HEADERS_LIMIT + 64], records[4 * VNET_FLOW_RECORD_SIZE];
	struct packet packet = { .data = buffer, .capacity = sizeof(buffer) };
	struct segment first = from_client(0, 5000, SYN), second = from_client(0, 5001, SYN);
	struct nat *nat = make(4);

	CHECK(pass(nat, &first, 0) == NAT_DROP);
	CHECK(pass(nat, &second, 1) == NAT_DROP);
	CHECK(nat_expire(nat, &packet, 5000) == NAT_ANSWER);
	CHECK(nat_take(nat, records, 4) == 1);
	CHECK(records[49] == 5001 >> 8 || records[48] == 5001 >> 8);
	nat_destroy(nat);
}

/* ---- tables against their obvious equals ------------------------------------------------ */

/* splitmix64 */
static uint64_t random64(uint64_t *state)
{
	uint64_t value = *state += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

#define MODEL_CLIENTS 512u

/* Few clients and one bucket at times: every flow is found by its tuple, and no other is. */
static void test_flows_against_a_list(void)
{
	uint8_t client[4] = { 10, 0, 0, 0 }, destination[4] = { 100, 70, 7, 9 };
	uint32_t ports[MODEL_CLIENTS] = { 0 };
	struct flows flows;
	uint64_t state = 5;

	CHECK(flows_init(&flows, 4, 99) == 0);
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t which = (uint32_t)(random64(&state) % MODEL_CLIENTS);
		struct tuple tuple = { client, destination, (uint16_t)(which + 1), 443 };

		CHECK(flows_find(&flows, &tuple) == ports[which]);
		if (ports[which]) {
			flows_remove(&flows, ports[which]);
			ports[which] = 0;
		} else {
			ports[which] = flows_add(&flows, &tuple);
			flows.flows[ports[which]].state = FLOW_OPEN;
		}
	}
	for (uint32_t which = 0; which < MODEL_CLIENTS; which++) {
		if (ports[which])
			flows_remove(&flows, ports[which]);
	}
	CHECK(flows_live(&flows) == 0);
	for (uint32_t i = 0; i < 65536; i++)
		CHECK(flows.buckets[i] == 0);
	flows_free(&flows);
}

#define MODEL_PLACES 5u

/* Random pushes, removals and takings: the order holds, every place comes back. */
static void test_queue_against_a_list(void)
{
	struct segment syn = from_client(0, 5555, SYN);
	struct built built = build_tcp(&syn);
	struct packet packet = wrap(&built, 0);
	uint32_t list[MODEL_PLACES], taken = 0, len = 0, port = 0;
	struct queue queue;
	uint64_t state = 6;

	CHECK(packet_read(&packet) == PACKET_GOOD && queue_init(&queue, MODEL_PLACES) == 0);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t act = random64(&state);
		const struct held *held;

		CHECK(queue.count == len && queue_full(&queue) == (len == MODEL_PLACES));
		CHECK((queue.first == HELD_NONE) == (len == 0));
		if (len > 0)
			CHECK(queue.places[queue.first].port == queue.places[list[0]].port);
		if (act % 4 < 2 && len < MODEL_PLACES) {
			list[len++] = queue_push(&queue, &packet, ++port, i);
		} else if (act % 4 == 2 && len > 0) {
			uint32_t at = (uint32_t)(act >> 8) % len;

			queue_remove(&queue, list[at]);
			taken -= at < taken;
			for (len--; at < len; at++)
				list[at] = list[at + 1];
		} else if (act % 4 == 3) {
			held = queue_take(&queue);
			CHECK((held == NULL) == (taken == len));
			if (held)
				CHECK(held == &queue.places[list[taken++]]);
		}
	}
	queue_free(&queue);
	free(built.data);
}

/* ---- tuples and ports that come again -------------------------------------------------- */

static void test_another_connection_on_a_held_tuple(void)
{
	struct segment syn = from_client(0, 5555, SYN);
	struct nat *nat = make(8);
	uint64_t first = hold(nat, &syn, 0), second;

	syn.sequence = 2000;
	second = hold(nat, &syn, 10);
	CHECK(first != second);
	CHECK(release(nat, first, 20) == NAT_DROP);
	CHECK(release(nat, second, 20) == NAT_INJECT);
	CHECK(counter(nat, NAT_HELD_NOW) == 0);
	nat_destroy(nat);
}

static void test_syn_repeated_after_release_is_injected_again(void)
{
	struct segment syn = from_client(1, 5555, SYN);
	struct nat *nat = make(8);
	uint64_t id = hold(nat, &syn, 0);
	struct packet packet;
	struct built built;

	CHECK(release(nat, id, 0) == NAT_INJECT);
	syn.partial = 1;
	syn.payload_len = 33;
	built = build_tcp(&syn);
	packet = wrap(&built, 1);
	CHECK(nat_packet(nat, &packet, 1000) == NAT_INJECT);
	CHECK(tuple_is(&packet, peer[1], natport_of(id), self[1], 40006));
	CHECK(sums_valid(&packet) && packet.len == 60);
	free(built.data);
	syn.sequence = 7;
	CHECK(hold(nat, &syn, 2000) != id);
	nat_destroy(nat);
}

static void test_client_reset_ends_a_held_syn(void)
{
	struct segment segment = from_client(0, 5555, SYN);
	struct nat *nat = make(8);
	uint64_t id = hold(nat, &segment, 0);

	segment.flags = ACK;
	CHECK(pass(nat, &segment, 0) == NAT_DROP);
	segment.flags = RST;
	CHECK(pass(nat, &segment, 0) == NAT_DROP);
	CHECK(release(nat, id, 0) == NAT_DROP);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 0 && counter(nat, NAT_HELD_NOW) == 0);
	nat_destroy(nat);
}

static void test_syn_on_an_open_connection_reaches_the_listener(void)
{
	struct nat *nat = make(8);
	uint64_t id = connected(nat, 0, 5555, 0);
	struct segment syn = from_client(0, 5555, SYN);

	syn.sequence = 123456;
	check_forward(nat, &syn, peer[0], natport_of(id), self[0], 40000);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 1);
	nat_destroy(nat);
}

static void test_half_closed_is_not_closed(void)
{
	struct nat *nat = make(8);
	uint64_t id = connected(nat, 0, 5555, 0);
	struct segment in = from_client(0, 5555, FIN | ACK);
	struct segment out = from_listener(0, (uint16_t)natport_of(id), ACK);
	uint8_t record[VNET_FLOW_RECORD_SIZE];

	CHECK(pass(nat, &in, 0) == NAT_FORWARD);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 1);
	for (uint64_t now = 0; now < 7000000; now += 1000)
		nat_sweep(nat, now);
	CHECK(pass(nat, &out, 7000000) == NAT_FORWARD);
	out.flags = FIN | ACK;
	CHECK(pass(nat, &out, 7000000) == NAT_FORWARD);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 0);
	in.flags = ACK;
	CHECK(pass(nat, &in, 7000000) == NAT_FORWARD);
	CHECK(nat_flow(nat, 0, (uint16_t)natport_of(id), record) == 0);
	in = from_client(0, 5555, SYN);
	CHECK(hold(nat, &in, 7000000) != id);
	CHECK(nat_flow(nat, 0, (uint16_t)natport_of(id), record) < 0);
	nat_destroy(nat);
}

static void test_reset_that_changed_nothing(void)
{
	struct nat *nat = make(8);
	uint64_t id = connected(nat, 0, 5555, 0);
	struct segment segment = from_client(0, 5555, RST);

	CHECK(pass(nat, &segment, 0) == NAT_FORWARD);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 0);
	segment = from_listener(0, (uint16_t)natport_of(id), ACK);
	CHECK(pass(nat, &segment, 0) == NAT_FORWARD);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 1);
	nat_destroy(nat);
}

static void sweep_all(struct nat *nat, uint64_t now_ms)
{
	for (uint32_t i = 0; i < 16; i++)
		nat_sweep(nat, now_ms);
}

static void test_flows_age(void)
{
	struct nat *nat = make(8);
	struct segment syn = from_client(0, 1, SYN), out;
	uint64_t ids[3];

	ids[0] = hold(nat, &syn, 0);
	CHECK(release(nat, ids[0], 0) == NAT_INJECT);
	ids[1] = connected(nat, 1, 2, 0);
	ids[2] = connected(nat, 0, 3, 0);
	out = from_listener(0, (uint16_t)natport_of(ids[2]), RST);
	CHECK(pass(nat, &out, 0) == NAT_FORWARD);
	syn = from_client(0, 4, SYN);
	hold(nat, &syn, 0);
	sweep_all(nat, 60000);
	CHECK(counter(nat, NAT_FLOWS_EXPIRED) == 0);
	sweep_all(nat, 61000);
	CHECK(counter(nat, NAT_FLOWS_EXPIRED) == 1);
	sweep_all(nat, 121000);
	CHECK(counter(nat, NAT_FLOWS_EXPIRED) == 2);
	sweep_all(nat, 7440000);
	CHECK(counter(nat, NAT_FLOWS_EXPIRED) == 2);
	sweep_all(nat, 7441000);
	CHECK(counter(nat, NAT_FLOWS_EXPIRED) == 3);
	CHECK(counter(nat, NAT_FLOWS_LIVE) == 1 && counter(nat, NAT_HELD_NOW) == 1);
	nat_destroy(nat);
}

/* Every port of one family is used once before any is used again; then SYNs are refused. */
static void test_ports_are_used_up_round_robin(void)
{
	static uint8_t seen[65536];
	struct nat *nat = make(1);
	struct segment segment;
	uint64_t id = 0, first;
	uint8_t client[4] = { 100, 64, 0, 1 };

	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < 64512; i++) {
		segment = from_client(0, (uint16_t)(1 + i % 60000), SYN);
		client[3] = (uint8_t)(1 + i / 60000);
		segment.source = client;
		id = hold(nat, &segment, 0);
		CHECK(natport_of(id) >= 1024 && !seen[natport_of(id)]);
		seen[natport_of(id)] = 1;
		CHECK(release(nat, id, 0) == NAT_INJECT);
	}
	segment = from_client(0, 65000, SYN);
	CHECK(pass(nat, &segment, 0) == NAT_ANSWER);
	CHECK(counter(nat, NAT_REFUSED_OVERLOAD) == 1 && counter(nat, NAT_FLOWS_LIVE) == 64512);
	segment = from_client(1, 65000, SYN);
	first = hold(nat, &segment, 0);
	CHECK(first >> 16 & 1);
	CHECK(release(nat, first, 0) == NAT_INJECT);
	segment = from_listener(0, 3000, RST);
	CHECK(pass(nat, &segment, 0) == NAT_FORWARD);
	segment = from_client(0, 65000, SYN);
	id = hold(nat, &segment, 0);
	CHECK(natport_of(id) == 3000);
	nat_destroy(nat);
}

static void test_a_held_flow_is_not_the_listeners(void)
{
	struct segment syn = from_client(0, 5555, SYN);
	struct nat *nat = make(8);
	uint64_t id = hold(nat, &syn, 0);

	check_reset(nat, from_listener(0, (uint16_t)natport_of(id), ACK), 1001, 0, RST);
	/* the same port in another life */
	CHECK(release(nat, id ^ 1ull << 40, 0) == NAT_DROP);
	CHECK(release(nat, id, 0) == NAT_INJECT);
	nat_destroy(nat);
}

static void test_ids_never_come_again(void)
{
	struct nat *nat = make(1);
	uint64_t last = 0;

	for (uint32_t i = 0; i < 200000; i++) {
		struct segment syn = from_client((int)(i & 1), 5555, SYN);
		uint64_t id = hold(nat, &syn, 0);
		uint8_t buffer[PACKET_HEADERS_LIMIT + 64];
		struct packet packet;

		CHECK(id >> 17 > last >> 17);
		CHECK(nat_answer(nat, last, VNET_ANSWER_REFUSE, &packet, 0) == NAT_DROP);
		last = id;
		CHECK(answer(nat, id, VNET_ANSWER_REFUSE, &packet, buffer, 0) == NAT_ANSWER);
	}
	nat_destroy(nat);
}

/* ---- leases ---------------------------------------------------------------------------- */

static void test_leases(void)
{
	static const uint8_t outside[4] = { 100, 128, 0, 1 }, last[4] = { 100, 127, 255, 255 };
	uint8_t not_twin[16];
	struct nat *nat = make(8);
	struct segment syn = from_client(1, 5555, SYN);

	CHECK(nat_lease(nat, outside, 1, 1) == -EINVAL);
	CHECK(nat_lease(nat, self[0], 1, 1) == -EINVAL);
	CHECK(nat_lease(nat, peer[0], 1, 1) == -EINVAL);
	CHECK(nat_lease(nat, last, 1, 1) == 0);
	memcpy(not_twin, app[1], 16);
	not_twin[10] = 1;
	syn.destination = not_twin;
	CHECK(pass(nat, &syn, 0) == NAT_ANSWER);
	syn.destination = app[1];
	CHECK(pass(nat, &syn, 0) == NAT_DROP);
	CHECK(nat_lease(nat, app[0], 1, 0) == 0);
	syn.source_port = 1;
	CHECK(pass(nat, &syn, 0) == NAT_ANSWER);
	CHECK(counter(nat, NAT_REFUSED_UNLEASED) == 2);
	syn.destination = peer[1];
	CHECK(pass(nat, &syn, 0) == NAT_ANSWER);
	nat_destroy(nat);
}

static enum nat_verdict syn_to(struct nat *nat, const uint8_t *address, uint16_t port)
{
	struct segment syn = from_client(0, port, SYN);

	syn.destination = address;
	return pass(nat, &syn, 0);
}

static void test_networks(void)
{
	static const uint8_t two[] = { 10, 9, 0, 0, 16, 192, 168, 7, 32, 27 };
	static const uint8_t ten[4] = { 10, 9, 255, 255 }, small[4] = { 192, 168, 7, 63 };
	static const uint8_t past[4] = { 192, 168, 7, 64 };
	static const uint8_t wrong[][5] = {
		{ 10, 9, 0, 1, 16 },
		{ 10, 0, 0, 0, 7 },
		{ 10, 0, 0, 0, 33 },
		{ 0, 0, 0, 0, 8 },
	};
	uint8_t many[(VNET_NETWORKS_LIMIT + 1) * VNET_NETWORK_RECORD_SIZE];
	struct nat *nat = make(8);

	for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK(nat_set_networks(nat, wrong[i], 1) == -EINVAL);
	for (uint32_t i = 0; i <= VNET_NETWORKS_LIMIT; i++)
		memcpy(many + i * VNET_NETWORK_RECORD_SIZE, network4, sizeof(network4));
	CHECK(nat_set_networks(nat, many, VNET_NETWORKS_LIMIT + 1) == -EINVAL);
	CHECK(syn_to(nat, app[0], 1) == NAT_DROP);
	CHECK(counter(nat, NAT_SYNS_HELD) == 1);

	CHECK(nat_set_networks(nat, two, 2) == 0);
	CHECK(nat_lease(nat, ten, 1, 1) == 0);
	CHECK(nat_lease(nat, small, 1, 1) == 0);
	CHECK(nat_lease(nat, past, 1, 1) == -EINVAL);
	CHECK(nat_lease(nat, app[0], 1, 1) == -EINVAL);
	CHECK(syn_to(nat, ten, 2) == NAT_DROP);
	CHECK(syn_to(nat, small, 3) == NAT_DROP);
	CHECK(counter(nat, NAT_SYNS_HELD) == 3);
	/* the lease of the network that is gone ended, and comes back with neither */
	CHECK(syn_to(nat, app[0], 4) == NAT_DROP);
	CHECK(counter(nat, NAT_DROPPED_OUTSIDE) == 1);
	CHECK(nat_set_networks(nat, network4, 1) == 0);
	CHECK(syn_to(nat, app[0], 5) == NAT_ANSWER);
	CHECK(nat_set_networks(nat, two, 2) == 0);
	CHECK(syn_to(nat, ten, 6) == NAT_ANSWER);
	nat_destroy(nat);
}

/* The set of leases against an array that has a place for each of 2^17 addresses. */
static void test_many_leases(void)
{
	static const uint8_t wide[VNET_NETWORK_RECORD_SIZE] = { 10, 0, 0, 0, 8 };
	static uint8_t model[1u << 17];
	uint32_t random = 1, held = 0, refused = 0;
	struct nat *nat = make(1);

	memset(model, 0, sizeof(model));
	CHECK(nat_set_networks(nat, wide, 1) == 0);
	for (uint32_t i = 0; i < 400000; i++) {
		uint32_t place, add;
		int32_t ret;

		random = random * 1664525 + 1013904223;
		place = random >> 15;
		add = i < 200000 || random % 3 == 0;
		ret = nat_lease(nat,
				(uint8_t[]){ 10, 0x7f & (uint8_t)(place >> 16),
					     (uint8_t)(place >> 8), (uint8_t)place },
				1, add);
		if (add && held == VNET_LEASES_LIMIT) {
			CHECK(ret == -ENOSPC);
			refused++;
			continue;
		}
		CHECK(ret == 0);
		held += add - model[place];
		model[place] = (uint8_t)add;
	}
	CHECK(refused > 0);
	for (uint32_t place = 0; place < 1u << 17; place++) {
		uint64_t before = counter(nat, NAT_REFUSED_UNLEASED);
		uint8_t address[4] = { 10, (uint8_t)(place >> 16), (uint8_t)(place >> 8),
				       (uint8_t)place };

		if (place % 16 == 0) {
			syn_to(nat, address, 7);
			CHECK((counter(nat, NAT_REFUSED_UNLEASED) == before) == model[place]);
		}
	}
	nat_destroy(nat);
}

static void test_limits_that_make_no_sense(void)
{
	struct nat_config config = { .listen_port = { 1, 1 }, .max_held = 1, .held_timeout_ms = 1 };
	struct nat_config bad = config;

	bad.max_held = 0;
	CHECK(nat_create(&bad) == NULL);
	bad = config;
	bad.listen_port[0] = 0;
	CHECK(nat_create(&bad) == NULL);
	bad = config;
	bad.has_ipv6 = 1;
	bad.listen_port[1] = 0;
	CHECK(nat_create(&bad) == NULL);
}

/* ---- what is not TCP --------------------------------------------------------------------- */

static struct built build_udp(int v6, const uint8_t *destination, uint32_t payload_len)
{
	struct built built = build_ip(v6, self[v6], destination, 17, 0, 8 + payload_len, 64);
	uint8_t *udp = built.data + ip_header_len(built.data);

	put_be16(udp, 5353);
	put_be16(udp + 2, 53);
	put_be16(udp + 4, 8 + payload_len);
	set_transport_sum(&built, 6);
	return built;
}

static void test_udp_is_unreachable(void)
{
	struct nat *nat = make(8);

	for (int v6 = 0; v6 < 2; v6++) {
		for (uint32_t payload = 0; payload < 9000; payload = payload * 5 + 1) {
			struct built built = build_udp(v6, app[v6], payload);
			uint32_t header = v6 ? 40 : 20, limit = v6 ? 1280 : 576;
			struct packet packet = wrap(&built, payload % 2 == 0);
			uint32_t want = header + 8 + built.len;

			CHECK(nat_packet(nat, &packet, 0) == NAT_ERROR);
			CHECK(packet.len == (want < limit ? want : limit));
			CHECK(packet.data[header] == (v6 ? 1 : 3));
			CHECK(packet.data[header + 1] == (v6 ? 4 : 3));
			CHECK(sums_valid(&packet));
			CHECK(memcmp(source_of(&packet), app[v6], v6 ? 16 : 4) == 0);
			free(built.data);
		}
	}
	nat_destroy(nat);
}

static void test_errors_are_limited_and_need_room(void)
{
	struct nat *nat = make(8);
	uint32_t answered = 0;
	struct packet packet;
	struct built built;

	for (uint32_t i = 0; i < 1000; i++) {
		built = build_udp(0, app[0], 10);
		packet = wrap(&built, 0);
		answered += nat_packet(nat, &packet, 0) == NAT_ERROR;
		free(built.data);
	}
	CHECK(answered == 200 && counter(nat, NAT_ICMP_LIMITED) == 800);
	built = build_udp(1, app[1], 10);
	packet = wrap(&built, 0);
	packet.capacity = packet.len + 47;
	CHECK(nat_packet(nat, &packet, 1000) == NAT_DROP);
	free(built.data);
	nat_destroy(nat);
}

static struct built build_icmp(int v6, const uint8_t *destination, uint8_t type)
{
	struct built built = build_ip(v6, self[v6], destination, v6 ? 58 : 1, 0, 64, 64);
	uint8_t *icmp = built.data + ip_header_len(built.data);

	icmp[0] = type;
	for (uint32_t i = 4; i < 64; i++)
		icmp[i] = (uint8_t)(i * 7);
	set_transport_sum(&built, 2);
	return built;
}

static enum nat_verdict pass_icmp(struct nat *nat, int v6, const uint8_t *destination, uint8_t type,
				  uint64_t now_ms)
{
	struct built built = build_icmp(v6, destination, type);
	struct packet packet = wrap(&built, 0);
	enum nat_verdict verdict = nat_packet(nat, &packet, now_ms);

	if (verdict == NAT_ANSWER) {
		CHECK(packet.data[ip_header_len(packet.data)] == (v6 ? 129 : 0));
		CHECK(sums_valid(&packet));
		CHECK(memcmp(source_of(&packet), destination, v6 ? 16 : 4) == 0);
		CHECK(memcmp(destination_of(&packet), self[v6], v6 ? 16 : 4) == 0);
	}
	free(built.data);
	return verdict;
}

static void test_icmp(void)
{
	static const uint8_t multicast[2][16] = { { 224, 0, 0, 1 }, { 0xff, 2, [15] = 2 } };
	struct nat *nat = make(8);
	uint32_t answered = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t echo = v6 ? 128 : 8, error = v6 ? 1 : 3;

		CHECK(pass_icmp(nat, v6, app[v6], echo, 0) == NAT_ANSWER);
		CHECK(pass_icmp(nat, v6, nobody[v6], echo, 0) == NAT_ERROR);
		CHECK(pass_icmp(nat, v6, app[v6], error, 0) == NAT_DROP);
		CHECK(pass_icmp(nat, v6, multicast[v6], echo, 0) == NAT_DROP);
	}
	CHECK(counter(nat, NAT_DROPPED_MULTICAST) == 2);
	for (uint32_t i = 0; i < 10000; i++)
		answered += pass_icmp(nat, 0, app[0], 8, 1) == NAT_ANSWER;
	CHECK(answered > 100 && answered <= 200);
	CHECK(counter(nat, NAT_ICMP_LIMITED) == 10000 - answered);
	CHECK(pass_icmp(nat, 0, app[0], 8, 1000) == NAT_ANSWER);
	nat_destroy(nat);
}

/* ---- bad packets ---------------------------------------------------------------------------- */

/* Changes one byte of a good SYN (or cuts it) and says which counter must rise. */
static void check_bad(int v6, uint32_t at, uint8_t value, uint32_t len, enum nat_counter reason)
{
	struct segment syn = from_client(v6, 5555, SYN);
	struct built built = build_tcp(&syn);
	struct nat *nat = make(8);
	struct packet packet;

	built.data[at] = value;
	packet = wrap(&built, 0);
	if (len < packet.len)
		packet.len = len;
	CHECK(nat_packet(nat, &packet, 0) == NAT_DROP);
	if (counter(nat, reason) != 1)
		printf("# byte %u = %u, length %u\n", at, value, len);
	CHECK(counter(nat, reason) == 1);
	free(built.data);
	nat_destroy(nat);
}

static void test_bad_packets_are_counted(void)
{
	const uint32_t all = 100;

	for (uint32_t len = 0; len < 40; len++)
		check_bad(0, 0, 0x45, len, NAT_DROPPED_MALFORMED);
	for (uint32_t len = 0; len < 60; len++)
		check_bad(1, 0, 0x60, len, NAT_DROPPED_MALFORMED);
	check_bad(0, 0, 0x55, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 0, 0x44, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 0, 0x4f, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 3, 41, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 3, 19, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 3, 39, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 6, 0x20, all, NAT_DROPPED_FRAGMENT);
	check_bad(0, 7, 1, all, NAT_DROPPED_FRAGMENT);
	check_bad(0, 12, 0, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 12, 127, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 12, 239, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 16, 239, all, NAT_DROPPED_MULTICAST);
	check_bad(0, 16, 8, all, NAT_DROPPED_OUTSIDE);
	check_bad(0, 20 + 12, 0x40, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 20 + 12, 0x60, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 20 + 13, SYN | FIN, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 20 + 13, SYN | RST, all, NAT_DROPPED_MALFORMED);
	check_bad(0, 20 + 13, 0, all, NAT_DROPPED_MALFORMED);
	check_bad(1, 5, 19, all, NAT_DROPPED_MALFORMED);
	check_bad(1, 5, 21, all, NAT_DROPPED_MALFORMED);
	check_bad(1, 5, 0, all, NAT_DROPPED_MALFORMED);
	check_bad(1, 6, 44, all, NAT_DROPPED_FRAGMENT);
	check_bad(1, 6, 0, all, NAT_DROPPED_EXTENSION);
	check_bad(1, 6, 60, all, NAT_DROPPED_EXTENSION);
	check_bad(1, 8, 0xff, all, NAT_DROPPED_MALFORMED);
	check_bad(1, 24, 0xff, all, NAT_DROPPED_MULTICAST);
	check_bad(1, 24, 0x20, all, NAT_DROPPED_OUTSIDE);
}

static void test_partial_checksum_elsewhere(void)
{
	struct segment syn = from_client(0, 5555, SYN);
	struct nat *nat = make(8);
	struct built built;
	struct packet packet;

	syn.partial = 1;
	for (uint32_t i = 0; i < 2; i++) {
		built = build_tcp(&syn);
		packet = wrap(&built, 1);
		packet.checksum_start = (uint16_t)(packet.checksum_start + (i == 0 ? 4 : 0));
		packet.checksum_offset = i == 1 ? 6 : 16;
		CHECK(nat_packet(nat, &packet, 0) == NAT_DROP);
		free(built.data);
	}
	CHECK(counter(nat, NAT_DROPPED_MALFORMED) == 2);
	nat_destroy(nat);
}

static void test_bytes_behind_the_packet_are_cut(void)
{
	struct segment syn = from_client(0, 5555, SYN);
	struct nat *nat = make(8);
	struct built built = build_tcp(&syn);
	struct packet packet = wrap(&built, 0);

	packet.len += 10;
	packet.destination = NULL;
	built.data[19] = 10; /* nobody */
	CHECK(nat_packet(nat, &packet, 0) == NAT_ANSWER);
	CHECK(be32(tcp_of(&packet) + 8) == 1001);
	free(built.data);
	nat_destroy(nat);
}

/*
 * What may go to this host through lo: single SYNs, RSTs and ICMP unreachable errors, whole and
 * nothing behind.
 */
static void test_only_our_packets_are_injected(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (uint32_t flags = 0; flags < 32; flags++) {
			struct segment segment = from_client(v6, 5555, (uint8_t)flags);
			struct built built = build_tcp(&segment);
			struct packet packet = wrap(&built, 0);

			/* PSH, 8, does not matter */
			CHECK(packet_is_ours(&packet) ==
			      ((flags & ~8u) == SYN || (flags & ~24u) == RST));
			packet = wrap(&built, 0);
			packet.len++;
			CHECK(!packet_is_ours(&packet));
			packet = wrap(&built, 0);
			packet.len--;
			CHECK(!packet_is_ours(&packet));
			free(built.data);
		}
		for (uint32_t type = 0; type < 256; type++) {
			struct built built = build_icmp(v6, app[v6], (uint8_t)type);
			struct packet packet = wrap(&built, 0);

			CHECK(packet_is_ours(&packet) == (type == (v6 ? 1 : 3)));
			free(built.data);
		}
		struct built built = build_udp(v6, app[v6], 30);
		struct packet packet = wrap(&built, 0);

		CHECK(!packet_is_ours(&packet));
		free(built.data);
	}
}

int main(void)
{
	run("a held SYN is reported once", test_held_syn_is_reported_once);
	run("a released SYN is complete", test_released_syn_is_complete);
	run("both directions are rewritten, sums recomputed", test_both_directions_are_rewritten);
	run("a wrong checksum stays wrong", test_wrong_checksum_stays_wrong);
	run("resets follow RFC 9293", test_resets_follow_the_rfc);
	run("the answers of a held SYN", test_answers_of_a_held_syn);
	run("the queue is bounded and times out", test_queue_is_bounded_and_times_out);
	run("an expired SYN is never reported", test_expired_syn_is_never_reported);
	run("another connection on a held tuple", test_another_connection_on_a_held_tuple);
	run("a SYN repeated after release", test_syn_repeated_after_release_is_injected_again);
	run("a client's RST ends a held SYN", test_client_reset_ends_a_held_syn);
	run("a SYN on an open connection", test_syn_on_an_open_connection_reaches_the_listener);
	run("half-closed is not closed", test_half_closed_is_not_closed);
	run("a RST that changed nothing", test_reset_that_changed_nothing);
	run("flows age", test_flows_age);
	run("ports are used up round robin", test_ports_are_used_up_round_robin);
	run("flows against a list", test_flows_against_a_list);
	run("the queue against a list", test_queue_against_a_list);
	run("a held flow is not the listener's", test_a_held_flow_is_not_the_listeners);
	run("ids never come again", test_ids_never_come_again);
	run("leases and their twins", test_leases);
	run("networks come and go with their leases", test_networks);
	run("many leases", test_many_leases);
	run("limits that make no sense", test_limits_that_make_no_sense);
	run("UDP is unreachable", test_udp_is_unreachable);
	run("errors are limited and need room", test_errors_are_limited_and_need_room);
	run("ICMP: echo, errors, multicast, limit", test_icmp);
	run("bad packets are counted", test_bad_packets_are_counted);
	run("a partial checksum elsewhere", test_partial_checksum_elsewhere);
	run("bytes behind the packet are cut", test_bytes_behind_the_packet_are_cut);
	run("only our packets are injected", test_only_our_packets_are_injected);
	printf("1..%d\n", tests);
	return failures != 0;
}
