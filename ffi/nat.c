// SPDX-License-Identifier: Apache-2.0
/*
 * What becomes of each packet. Puts together the flows of both families (flow.c), the SYNs that
 * wait (held.c) and the addresses that answer (lease.c). Memory is allocated once, in nat_create().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "held.h"
#include "lease.h"
#include "nat.h"

/* Seconds without a packet after which a flow is forgotten (RFC 5382 REQ-5 for an open one). */
#define SYN_SECONDS 60u
#define OPEN_SECONDS 7440u
#define CLOSED_SECONDS 120u

/* A sixteenth of the table per second; each flow is looked at every 16 s. */
#define SWEEP_PORTS (FLOW_PORTS / 16)

/* ICMP errors and echo replies: at most this many at once, and per second. */
#define ICMP_BURST 200u
#define ICMP_PER_SECOND 1000u

struct nat {
	struct nat_config config;
	struct flows flows[2];
	struct queue queue;
	struct leases leases;
	uint32_t sweep_port;
	uint64_t generation;
	uint32_t icmp_tokens;
	uint64_t icmp_refilled_ms;
	uint64_t counters[VNET_STATS_COUNT];
};

static void count(struct nat *nat, enum nat_counter counter)
{
	nat->counters[counter]++;
}

/* ---- making and freeing ------------------------------------------------------ */

static int config_valid(const struct nat_config *config)
{
	return config->max_held >= 1 && config->max_held <= FLOW_PORTS &&
	       config->held_timeout_ms >= 1 && config->listen_port[0] != 0 &&
	       (!config->has_ipv6 || config->listen_port[1] != 0);
}

struct nat *nat_create(const struct nat_config *config)
{
	struct nat *nat;

	if (!config_valid(config))
		return NULL;
	nat = calloc(1, sizeof(*nat));
	if (!nat)
		return NULL;
	nat->config = *config;
	nat->icmp_tokens = ICMP_BURST;
	if (flows_init(&nat->flows[0], 4, config->seed) < 0 ||
	    flows_init(&nat->flows[1], 16, config->seed) < 0 ||
	    queue_init(&nat->queue, config->max_held) < 0 ||
	    leases_init(&nat->leases, config->seed) < 0) {
		nat_destroy(nat);
		return NULL;
	}
	return nat;
}

void nat_destroy(struct nat *nat)
{
	flows_free(&nat->flows[0]);
	flows_free(&nat->flows[1]);
	queue_free(&nat->queue);
	leases_free(&nat->leases);
	free(nat);
}

/* ---- addresses ---------------------------------------------------------------- */

static uint32_t host32(const uint8_t *address)
{
	uint32_t value;

	memcpy(&value, address, 4);
	return ntohl(value);
}

/* The IPv4 address that an address stands for, host order; 0 for one that is no twin. */
static uint32_t plain(const struct nat *nat, uint8_t v6, const uint8_t *address)
{
	static const uint8_t zero[4] = { 0 };

	if (!v6)
		return host32(address);
	if (memcmp(address, nat->config.network6, 8) != 0 || memcmp(address + 8, zero, 4) != 0)
		return 0;
	return host32(address + 12);
}

static int in_range(const struct nat *nat, uint8_t v6, const uint8_t *address)
{
	if (v6)
		return memcmp(address, nat->config.network6, 8) == 0;
	return leases_cover(&nat->leases, host32(address));
}

static int is_leased(const struct nat *nat, uint8_t v6, const uint8_t *address)
{
	return leases_has(&nat->leases, plain(nat, v6, address));
}

/* The link's own addresses answer for nobody. */
static int may_lease(const struct nat *nat, const uint8_t *address)
{
	return leases_cover(&nat->leases, host32(address)) &&
	       memcmp(address, nat->config.self[0], 4) != 0 &&
	       memcmp(address, nat->config.peer[0], 4) != 0;
}

int32_t nat_set_networks(struct nat *nat, const uint8_t *records, uint32_t count)
{
	return leases_set_networks(&nat->leases, records, count);
}

int32_t nat_lease(struct nat *nat, const uint8_t *addresses, uint32_t count, uint32_t add)
{
	for (uint32_t i = 0; add && i < count; i++) {
		if (!may_lease(nat, addresses + (size_t)i * 4))
			return -EINVAL;
	}
	/*
	 * those that are leased already count twice: a caller that sends only what differs never
	 * notices
	 */
	if (add && count > VNET_LEASES_LIMIT - nat->leases.count)
		return -ENOSPC;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t address = host32(addresses + (size_t)i * 4);

		if (add)
			leases_add(&nat->leases, address);
		else
			leases_remove(&nat->leases, address);
	}
	return 0;
}

/* ---- flows -------------------------------------------------------------------- */

static struct tuple tuple_of(const struct packet *packet)
{
	return (struct tuple){
		.source = packet->source,
		.destination = packet->destination,
		.source_port = packet_source_port(packet),
		.destination_port = packet_destination_port(packet),
	};
}

/* A flow as the listener sees it. */
static struct tuple listener_side(const struct nat *nat, uint32_t v6, uint32_t port)
{
	return (struct tuple){ nat->config.peer[v6], nat->config.self[v6], htons((uint16_t)port),
			       htons(nat->config.listen_port[v6]) };
}

static struct tuple reversed(struct tuple tuple)
{
	return (struct tuple){ tuple.destination, tuple.source, tuple.destination_port,
			       tuple.source_port };
}

static struct flow *flow_at(struct nat *nat, uint32_t v6, uint32_t port)
{
	return &nat->flows[v6].flows[port];
}

/* Makes a flow for a SYN. Returns its natport, or 0 if there is none left. */
static uint32_t make_flow(struct nat *nat, const struct packet *packet,
			  const struct nat_owner *owner, uint64_t now_ms)
{
	struct tuple outer = tuple_of(packet), inner;
	uint32_t port = flows_add(&nat->flows[packet->v6], &outer);
	struct flow *flow = flow_at(nat, packet->v6, port);

	if (!port)
		return 0;
	flow->id = ++nat->generation << 17 | (uint64_t)packet->v6 << 16 | port;
	flow->state = FLOW_HELD;
	flow->sequence = packet_tcp_sequence(packet);
	flow->seen_s = (uint32_t)(now_ms / 1000);
	flow->owner = *owner;
	inner = listener_side(nat, packet->v6, port);
	flow->inward = packet_delta(&outer, &inner, packet->address_len);
	outer = reversed(outer);
	inner = reversed(inner);
	flow->outward = packet_delta(&inner, &outer, packet->address_len);
	count(nat, NAT_FLOWS_CREATED);
	return port;
}

/* ---- packets --------------------------------------------------------------------- */

static enum nat_verdict refuse(struct nat *nat, struct packet *packet, enum nat_counter reason)
{
	if (!packet_reset(packet))
		return NAT_DROP;
	count(nat, reason);
	return NAT_ANSWER;
}

static enum nat_verdict drop(struct nat *nat, enum nat_counter reason)
{
	count(nat, reason);
	return NAT_DROP;
}

/* One of the ICMP packets we may send, if there is one left. */
static int take_icmp_token(struct nat *nat, uint64_t now_ms)
{
	uint64_t due = (now_ms - nat->icmp_refilled_ms) * ICMP_PER_SECOND / 1000;

	if (due > 0) {
		due += nat->icmp_tokens;
		nat->icmp_tokens = due > ICMP_BURST ? ICMP_BURST : (uint32_t)due;
		nat->icmp_refilled_ms = now_ms;
	}
	if (nat->icmp_tokens == 0)
		return 0;
	nat->icmp_tokens--;
	return 1;
}

static enum nat_verdict unreachable(struct nat *nat, struct packet *packet, enum unreachable what,
				    uint64_t now_ms)
{
	if (!take_icmp_token(nat, now_ms))
		return drop(nat, NAT_ICMP_LIMITED);
	if (!packet_unreachable(packet, what))
		return drop(nat, NAT_DROPPED_MALFORMED);
	count(nat, NAT_ICMP_UNREACHABLE);
	return NAT_ERROR;
}

/* What is not TCP: only TCP is carried, and whoever asked is told so. */
static enum nat_verdict other_packet(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	int icmp = packet->protocol == (packet->v6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP);

	if (!in_range(nat, packet->v6, packet->destination))
		return drop(nat, NAT_DROPPED_OUTSIDE);
	/* IP options in anything but TCP: nobody's but an attacker's */
	if (!packet->v6 && packet->header_len != 20)
		return drop(nat, NAT_DROPPED_OTHER);
	if (icmp && !packet_is_echo(packet))
		return drop(nat, NAT_DROPPED_OTHER);
	if (!icmp)
		return unreachable(nat, packet, UNREACHABLE_PORT, now_ms);
	if (!is_leased(nat, packet->v6, packet->destination))
		return unreachable(nat, packet, UNREACHABLE_HOST, now_ms);
	if (!take_icmp_token(nat, now_ms))
		return drop(nat, NAT_ICMP_LIMITED);
	if (!packet_echo(packet))
		return drop(nat, NAT_DROPPED_OTHER);
	count(nat, NAT_ICMP_ECHOED);
	return NAT_ANSWER;
}

/*
 * Notes what a segment means for its flow: its port is reusable once both sides are done with it.
 */
static void note_segment(struct nat *nat, uint32_t v6, uint32_t port, uint8_t flags, uint8_t fin,
			 uint64_t now_ms)
{
	struct flow *flow = flow_at(nat, v6, port);

	flow->seen_s = (uint32_t)(now_ms / 1000);
	if (flags & TCP_FIN)
		flow->fins |= fin;
	if (flags & TCP_RST)
		flow->state = FLOW_RESET;
	else if (flow->state == FLOW_RESET || (flow->state == FLOW_SYN && !(flags & TCP_SYN)))
		/* a RST outside the window changed nothing: whoever is gone will say so again */
		flow->state = FLOW_OPEN;
	flows_set_over(&nat->flows[v6], port, flow->state == FLOW_RESET || flow->fins == FIN_BOTH);
}

static enum nat_verdict forward_inward(struct nat *nat, struct packet *packet, uint32_t port,
				       uint64_t now_ms)
{
	const struct flow *flow = flow_at(nat, packet->v6, port);
	struct tuple to = listener_side(nat, packet->v6, port);

	note_segment(nat, packet->v6, port, packet_tcp_flags(packet), FIN_CLIENT, now_ms);
	packet_rewrite(packet, &to, &flow->inward);
	return NAT_FORWARD;
}

static enum nat_verdict from_listener(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	uint32_t port = ntohs(packet_destination_port(packet));
	const struct flow *flow = flow_at(nat, packet->v6, port);
	struct tuple to = reversed(flow_tuple(flow));

	if (flow->state == FLOW_FREE || flow->state == FLOW_HELD)
		return refuse(nat, packet, NAT_REFUSED_NO_FLOW);
	note_segment(nat, packet->v6, port, packet_tcp_flags(packet), FIN_LISTENER, now_ms);
	packet_rewrite(packet, &to, &flow->outward);
	return NAT_FORWARD;
}

/* Makes the SYN of a released flow that the listener shall see. */
static enum nat_verdict inject(struct nat *nat, struct packet *packet, uint32_t port,
			       uint64_t now_ms)
{
	struct tuple to = listener_side(nat, packet->v6, port);

	flow_at(nat, packet->v6, port)->seen_s = (uint32_t)(now_ms / 1000);
	packet_rebuild(packet, &to);
	return NAT_INJECT;
}

/*
 * A client that starts over before its first SYN came through: its SYN once more, without payload.
 */
static enum nat_verdict inject_again(struct nat *nat, struct packet *packet, uint32_t port,
				     uint64_t now_ms)
{
	uint8_t headers[PACKET_HEADERS_LIMIT];
	struct packet copy = { .data = headers, .capacity = sizeof(headers) };

	packet_copy_headers(packet, &copy);
	memcpy(packet->data, headers, copy.len);
	packet->len = copy.len;
	packet_read(packet);
	return inject(nat, packet, port, now_ms);
}

static enum nat_verdict new_flow(struct nat *nat, struct packet *packet)
{
	if (!in_range(nat, packet->v6, packet->destination))
		return drop(nat, NAT_DROPPED_OUTSIDE);
	if (packet_tcp_flags(packet) != TCP_SYN)
		return refuse(nat, packet, NAT_REFUSED_NO_FLOW);
	if (!is_leased(nat, packet->v6, packet->destination))
		return refuse(nat, packet, NAT_REFUSED_UNLEASED);
	return NAT_SYN;
}

/* Forgets a flow, held or not. */
static void end_flow(struct nat *nat, uint32_t v6, uint32_t port)
{
	const struct flow *flow = flow_at(nat, v6, port);

	if (flow->state == FLOW_HELD)
		queue_remove(&nat->queue, flow->held);
	flows_remove(&nat->flows[v6], port);
}

/* A SYN for a tuple that has a flow already. */
static enum nat_verdict syn_again(struct nat *nat, struct packet *packet, uint32_t port,
				  uint64_t now_ms)
{
	const struct flow *flow = flow_at(nat, packet->v6, port);
	int same = flow->sequence == packet_tcp_sequence(packet);

	if (flow->state == FLOW_HELD && same)
		return drop(nat, NAT_SYNS_DUPLICATE);
	if (flow->state == FLOW_SYN && same)
		return inject_again(nat, packet, port, now_ms);
	/*
	 * the listener's TCP still knows the old connection: its challenge ACK makes the client
	 * reset it
	 */
	if (flow->state == FLOW_OPEN && flow->fins != FIN_BOTH)
		return forward_inward(nat, packet, port, now_ms);
	/*
	 * another connection, perhaps another user's, took over the tuple: it must be asked about
	 * again
	 */
	end_flow(nat, packet->v6, port);
	return new_flow(nat, packet);
}

static enum nat_verdict from_client(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	struct tuple tuple = tuple_of(packet);
	uint32_t port = flows_find(&nat->flows[packet->v6], &tuple);
	const struct flow *flow = flow_at(nat, packet->v6, port);
	uint8_t flags = packet_tcp_flags(packet);

	if (!port)
		return new_flow(nat, packet);
	if (flags == TCP_SYN)
		return syn_again(nat, packet, port, now_ms);
	if (flow->state != FLOW_HELD)
		return forward_inward(nat, packet, port, now_ms);
	if (flags & TCP_RST)
		end_flow(nat, packet->v6, port);
	return drop(nat, NAT_DROPPED_OTHER);
}

/* Tells whether a segment comes from a connection of the listener. */
static int is_from_listener(const struct nat *nat, const struct packet *packet)
{
	uint8_t v6 = packet->v6;

	return packet_source_port(packet) == htons(nat->config.listen_port[v6]) &&
	       memcmp(packet->source, nat->config.self[v6], packet->address_len) == 0 &&
	       memcmp(packet->destination, nat->config.peer[v6], packet->address_len) == 0;
}

static enum nat_verdict drop_kind(struct nat *nat, enum packet_kind kind)
{
	switch (kind) {
	case PACKET_MULTICAST:
		return drop(nat, NAT_DROPPED_MULTICAST);
	case PACKET_FRAGMENT:
		return drop(nat, NAT_DROPPED_FRAGMENT);
	case PACKET_EXTENSION:
		return drop(nat, NAT_DROPPED_EXTENSION);
	default:
		return drop(nat, NAT_DROPPED_MALFORMED);
	}
}

enum nat_verdict nat_packet(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	enum packet_kind kind = packet_read(packet);

	if (kind != PACKET_GOOD)
		return drop_kind(nat, kind);
	if (packet->v6 && !nat->config.has_ipv6)
		return drop(nat, NAT_DROPPED_OTHER);
	if (packet->protocol != PROTOCOL_TCP)
		return other_packet(nat, packet, now_ms);
	if (!packet_tcp_valid(packet))
		return drop(nat, NAT_DROPPED_MALFORMED);
	if (is_from_listener(nat, packet))
		return from_listener(nat, packet, now_ms);
	return from_client(nat, packet, now_ms);
}

enum nat_verdict nat_hold(struct nat *nat, struct packet *packet, const struct nat_owner *owner,
			  uint64_t now_ms)
{
	uint32_t port;

	if (queue_full(&nat->queue))
		return refuse(nat, packet, NAT_REFUSED_OVERLOAD);
	port = make_flow(nat, packet, owner, now_ms);
	if (!port)
		return refuse(nat, packet, NAT_REFUSED_OVERLOAD);
	flow_at(nat, packet->v6, port)->held =
		queue_push(&nat->queue, packet, port, now_ms + nat->config.held_timeout_ms);
	return drop(nat, NAT_SYNS_HELD);
}

enum nat_verdict nat_refuse(struct nat *nat, struct packet *packet)
{
	return refuse(nat, packet, NAT_REFUSED_NO_OWNER);
}

void nat_foreign(struct nat *nat)
{
	count(nat, NAT_DROPPED_FOREIGN);
}

/* ---- answers ----------------------------------------------------------------------- */

static enum nat_verdict reject_held(struct nat *nat, uint32_t at, struct packet *packet,
				    enum unreachable what)
{
	const struct held *held = &nat->queue.places[at];
	uint32_t v6 = held->v6, port = held->port;

	queue_pop(&nat->queue, at, packet);
	flows_remove(&nat->flows[v6], port);
	count(nat, NAT_SYNS_REJECTED);
	return packet_unreachable(packet, what) ? NAT_ERROR : NAT_DROP;
}

static enum nat_verdict refuse_held(struct nat *nat, uint32_t at, struct packet *packet,
				    enum nat_counter reason)
{
	const struct held *held = &nat->queue.places[at];
	uint32_t v6 = held->v6, port = held->port;

	queue_pop(&nat->queue, at, packet);
	flows_remove(&nat->flows[v6], port);
	return refuse(nat, packet, reason);
}

static enum nat_verdict release_held(struct nat *nat, uint32_t at, struct packet *packet,
				     uint64_t now_ms)
{
	uint32_t port = nat->queue.places[at].port;

	queue_pop(&nat->queue, at, packet);
	flow_at(nat, packet->v6, port)->state = FLOW_SYN;
	count(nat, NAT_SYNS_RELEASED);
	return inject(nat, packet, port, now_ms);
}

enum nat_verdict nat_answer(struct nat *nat, uint64_t id, uint32_t answer, struct packet *packet,
			    uint64_t now_ms)
{
	const struct flow *flow = flow_at(nat, id >> 16 & 1, id & 0xffff);

	if (flow->id != id || flow->state != FLOW_HELD)
		return NAT_DROP;
	switch (answer) {
	case VNET_ANSWER_RELEASE:
		return release_held(nat, flow->held, packet, now_ms);
	case VNET_ANSWER_NETWORK_UNREACHABLE:
		return reject_held(nat, flow->held, packet, UNREACHABLE_NETWORK);
	case VNET_ANSWER_HOST_UNREACHABLE:
		return reject_held(nat, flow->held, packet, UNREACHABLE_HOST);
	case VNET_ANSWER_PORT_UNREACHABLE:
		return reject_held(nat, flow->held, packet, UNREACHABLE_PORT);
	case VNET_ANSWER_ADMIN_PROHIBITED:
		return reject_held(nat, flow->held, packet, UNREACHABLE_ADMIN);
	default:
		return refuse_held(nat, flow->held, packet, NAT_SYNS_REFUSED);
	}
}

enum nat_verdict nat_expire(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	if (now_ms < nat_deadline(nat))
		return NAT_DROP;
	return refuse_held(nat, nat->queue.first, packet, NAT_SYNS_TIMED_OUT);
}

enum nat_verdict nat_refuse_held(struct nat *nat, struct packet *packet)
{
	if (nat->queue.first == HELD_NONE)
		return NAT_DROP;
	return refuse_held(nat, nat->queue.first, packet, NAT_SYNS_REFUSED);
}

uint64_t nat_deadline(const struct nat *nat)
{
	uint32_t first = nat->queue.first;

	return first == HELD_NONE ? UINT64_MAX : nat->queue.places[first].deadline_ms;
}

/* ---- ageing ----------------------------------------------------------------------- */

static int is_expired(const struct flow *flow, uint32_t now_s)
{
	uint32_t age = now_s - flow->seen_s;

	if (flow->state == FLOW_RESET || flow->fins == FIN_BOTH)
		return age > CLOSED_SECONDS;
	/* half-closed is open: the other half may be idle as long as it likes */
	return age > (flow->state == FLOW_SYN ? SYN_SECONDS : OPEN_SECONDS);
}

void nat_sweep(struct nat *nat, uint64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	for (uint32_t i = 0; i < SWEEP_PORTS; i++) {
		uint32_t port = (nat->sweep_port + i) % FLOW_PORTS;

		for (uint32_t v6 = 0; v6 < 2; v6++) {
			const struct flow *flow = flow_at(nat, v6, port);

			if (flow->state == FLOW_FREE || flow->state == FLOW_HELD ||
			    !is_expired(flow, now_s))
				continue;
			flows_remove(&nat->flows[v6], port);
			count(nat, NAT_FLOWS_EXPIRED);
		}
	}
	nat->sweep_port = (nat->sweep_port + SWEEP_PORTS) % FLOW_PORTS;
}

/* ---- questions -------------------------------------------------------------------- */

/* Offsets in the record of a flow, as vnet_shim.h has it. */
#define RECORD_OFF_ID 0
#define RECORD_OFF_UID 8
#define RECORD_OFF_INODE 12
#define RECORD_OFF_CLIENT 16
#define RECORD_OFF_VIRTUAL 32
#define RECORD_OFF_SOURCE_PORT 48
#define RECORD_OFF_DESTINATION_PORT 50
#define RECORD_OFF_FAMILY 52

static void write_record(const struct flow *flow, uint32_t v6, uint8_t *record)
{
	uint16_t source_port = ntohs(flow->client_port);
	uint16_t destination_port = ntohs(flow->virtual_port);

	memset(record, 0, VNET_FLOW_RECORD_SIZE);
	memcpy(record + RECORD_OFF_ID, &flow->id, sizeof(flow->id));
	memcpy(record + RECORD_OFF_UID, &flow->owner.uid, sizeof(flow->owner.uid));
	memcpy(record + RECORD_OFF_INODE, &flow->owner.inode, sizeof(flow->owner.inode));
	memcpy(record + RECORD_OFF_CLIENT, flow->client, sizeof(flow->client));
	memcpy(record + RECORD_OFF_VIRTUAL, flow->virtual, sizeof(flow->virtual));
	memcpy(record + RECORD_OFF_SOURCE_PORT, &source_port, sizeof(source_port));
	memcpy(record + RECORD_OFF_DESTINATION_PORT, &destination_port, sizeof(destination_port));
	record[RECORD_OFF_FAMILY] = v6 ? 6 : 4;
}

uint32_t nat_take(struct nat *nat, uint8_t *records, uint32_t records_limit)
{
	const struct held *held;
	uint32_t taken = 0;

	while (taken < records_limit && (held = queue_take(&nat->queue))) {
		write_record(flow_at(nat, held->v6, held->port), held->v6,
			     records + (size_t)taken * VNET_FLOW_RECORD_SIZE);
		taken++;
	}
	return taken;
}

int32_t nat_flow(const struct nat *nat, uint32_t v6, uint16_t port, uint8_t *record)
{
	const struct flow *flow = &nat->flows[v6].flows[port];

	if (flow->state == FLOW_FREE || flow->state == FLOW_HELD)
		return -ENOENT;
	write_record(flow, v6, record);
	return 0;
}

void nat_stats(const struct nat *nat, uint64_t *out)
{
	for (uint32_t i = NAT_SYNS_HELD; i <= NAT_HELD_NOW; i++)
		out[i] = nat->counters[i];
	out[NAT_FLOWS_LIVE] = flows_live(&nat->flows[0]) + flows_live(&nat->flows[1]);
	out[NAT_HELD_NOW] = nat->queue.count;
}
