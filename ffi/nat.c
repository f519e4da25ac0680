// SPDX-License-Identifier: Apache-2.0
/*
 * The flow table. A flow is named by its port at the listener ("natport"), unique in its family
 * while the flow lives; natports are handed out round robin, so that one is reused as late as
 * possible. Memory is allocated once, in nat_create().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat.h"

#define PORTS 65536u
#define FIRST_PORT 1024u
#define BUCKETS 65536u
#define BUCKET_MASK (BUCKETS - 1)
#define NONE 0xffffffffu
#define LEASE_SLOTS (2 * VNET_LEASES_LIMIT)
#define LEASE_MASK (LEASE_SLOTS - 1)

/* Seconds without a packet after which a flow is forgotten (RFC 5382 REQ-5 for an open one). */
#define SYN_SECONDS 60u
#define OPEN_SECONDS 7440u
#define CLOSED_SECONDS 120u

/* A sixteenth of the table per second; each flow is looked at every 16 s. */
#define SWEEP_PORTS (PORTS / 16)

/* ICMP errors and echo replies: at most this many at once, and per second. */
#define ICMP_BURST 200u
#define ICMP_PER_SECOND 1000u

enum flow_state {
	FLOW_FREE,
	FLOW_HELD, /* its SYN waits for an answer */
	FLOW_SYN, /* the listener got the SYN */
	FLOW_OPEN,
	FLOW_RESET, /* one side sent RST; its port may be reused */
};

#define FIN_CLIENT 1u
#define FIN_LISTENER 2u
#define FIN_BOTH 3u

/* One connection; its place in the table is its natport. */
struct flow {
	uint64_t id;
	uint8_t client[16];
	uint8_t virtual[16];
	uint16_t client_port; /* network order */
	uint16_t virtual_port;
	uint8_t state;
	uint8_t fins;
	uint16_t next; /* in its bucket, 0 at the end */
	struct delta inward; /* client to listener */
	struct delta outward;
	uint32_t sequence; /* of its SYN, network order */
	uint32_t seen_s; /* when the last packet came */
	uint32_t held; /* its place in the queue, or NONE */
	struct nat_owner owner;
};

/* The flows of one family. */
struct table {
	struct flow *flows; /* PORTS, by natport */
	uint16_t *buckets; /* BUCKETS, first natport of each */
	uint64_t reusable[PORTS / 64]; /* bit set: free, or over and kept for stragglers */
	uint32_t reusable_count;
	uint32_t next_port;
};

/* A SYN that waits for an answer. */
struct held {
	uint64_t deadline_ms;
	uint32_t port;
	uint32_t previous; /* in the order of their coming, which is that of the deadlines */
	uint32_t next;
	uint8_t v6;
	uint8_t taken;
	uint8_t len;
	uint8_t syn[PACKET_HEADERS_LIMIT];
};

/* An IPv4 network, host order. */
struct network {
	uint32_t first;
	uint32_t mask;
};

struct nat {
	struct nat_config config;
	struct table tables[2];
	struct network networks[VNET_NETWORKS_LIMIT];
	uint32_t networks_count;
	uint32_t *leased; /* IPv4 addresses in host order, 0 where free; at most half full */
	uint32_t leased_count;
	struct held *held;
	uint32_t held_first;
	uint32_t held_last;
	uint32_t held_untaken; /* the first nobody has taken */
	uint32_t held_free; /* chained by next */
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

static uint32_t host32(const uint8_t *address)
{
	uint32_t value;

	memcpy(&value, address, 4);
	return ntohl(value);
}

/* ---- making and freeing ------------------------------------------------------ */

static int config_valid(const struct nat_config *config)
{
	return config->max_held >= 1 && config->max_held <= PORTS && config->held_timeout_ms >= 1 &&
	       config->listen_port[0] != 0 && (!config->has_ipv6 || config->listen_port[1] != 0);
}

static int make_table(struct table *table)
{
	table->flows = calloc(PORTS, sizeof(*table->flows));
	table->buckets = calloc(BUCKETS, sizeof(*table->buckets));
	table->next_port = FIRST_PORT;
	for (uint32_t port = FIRST_PORT; port < PORTS; port++)
		table->reusable[port / 64] |= 1ull << port % 64;
	table->reusable_count = PORTS - FIRST_PORT;
	return table->flows && table->buckets;
}

static void make_queue(struct nat *nat)
{
	nat->held_first = nat->held_last = nat->held_untaken = NONE;
	nat->held_free = 0;
	for (uint32_t i = 0; i < nat->config.max_held; i++)
		nat->held[i].next = i + 1 < nat->config.max_held ? i + 1 : NONE;
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
	nat->leased = calloc(LEASE_SLOTS, sizeof(*nat->leased));
	nat->held = calloc(config->max_held, sizeof(*nat->held));
	if (!nat->leased || !nat->held || !make_table(&nat->tables[0]) ||
	    !make_table(&nat->tables[1])) {
		nat_destroy(nat);
		return NULL;
	}
	make_queue(nat);
	return nat;
}

void nat_destroy(struct nat *nat)
{
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		free(nat->tables[v6].flows);
		free(nat->tables[v6].buckets);
	}
	free(nat->leased);
	free(nat->held);
	free(nat);
}

/* ---- leases ------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	hash ^= hash >> 29;
	return hash;
}

static int in_networks(const struct nat *nat, uint32_t address)
{
	for (uint32_t i = 0; i < nat->networks_count; i++) {
		if ((address & nat->networks[i].mask) == nat->networks[i].first)
			return 1;
	}
	return 0;
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
	return in_networks(nat, host32(address));
}

static uint32_t home_slot(const struct nat *nat, uint32_t address)
{
	return (uint32_t)mix(nat->config.seed ^ address) & LEASE_MASK;
}

/* The slot an address is in, or the free one where it would go. */
static uint32_t slot_of(const struct nat *nat, uint32_t address)
{
	uint32_t slot = home_slot(nat, address);

	while (nat->leased[slot] && nat->leased[slot] != address)
		slot = (slot + 1) & LEASE_MASK;
	return slot;
}

static int is_leased(const struct nat *nat, uint8_t v6, const uint8_t *address)
{
	uint32_t value = plain(nat, v6, address);

	return value && nat->leased[slot_of(nat, value)] == value;
}

static void insert_lease(struct nat *nat, uint32_t address)
{
	uint32_t slot = slot_of(nat, address);

	nat->leased_count += !nat->leased[slot];
	nat->leased[slot] = address;
}

/* Frees a slot and moves up those that had to go past it (Knuth, TAOCP 6.4, algorithm R). */
static void remove_lease(struct nat *nat, uint32_t address)
{
	uint32_t hole = slot_of(nat, address), slot = hole;

	if (!nat->leased[hole])
		return;
	for (;;) {
		slot = (slot + 1) & LEASE_MASK;
		if (!nat->leased[slot])
			break;
		if (((slot - home_slot(nat, nat->leased[slot])) & LEASE_MASK) <
		    ((slot - hole) & LEASE_MASK))
			continue;
		nat->leased[hole] = nat->leased[slot];
		hole = slot;
	}
	nat->leased[hole] = 0;
	nat->leased_count--;
}

static int read_network(const uint8_t *record, struct network *network)
{
	if (record[4] < 8 || record[4] > 32)
		return 0;
	network->first = host32(record);
	network->mask = NONE << (32 - record[4]);
	return (network->first & ~network->mask) == 0 && network->first != 0;
}

static void end_leases_outside(struct nat *nat)
{
	uint32_t slot = 0;

	while (slot < LEASE_SLOTS) {
		uint32_t address = nat->leased[slot];

		/* another may move up into the slot: it is looked at again */
		if (address && !in_networks(nat, address))
			remove_lease(nat, address);
		else
			slot++;
	}
}

int32_t nat_set_networks(struct nat *nat, const uint8_t *records, uint32_t count)
{
	struct network networks[VNET_NETWORKS_LIMIT];

	if (count > VNET_NETWORKS_LIMIT)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!read_network(records + (size_t)i * VNET_NETWORK_RECORD_SIZE, &networks[i]))
			return -EINVAL;
	}
	memcpy(nat->networks, networks, count * sizeof(networks[0]));
	nat->networks_count = count;
	end_leases_outside(nat);
	return 0;
}

/* The link's own addresses answer for nobody. */
static int may_lease(const struct nat *nat, const uint8_t *address)
{
	return in_networks(nat, host32(address)) && memcmp(address, nat->config.self[0], 4) != 0 &&
	       memcmp(address, nat->config.peer[0], 4) != 0;
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
	if (add && count > VNET_LEASES_LIMIT - nat->leased_count)
		return -ENOSPC;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t address = host32(addresses + (size_t)i * 4);

		if (add)
			insert_lease(nat, address);
		else
			remove_lease(nat, address);
	}
	return 0;
}

/* ---- flows -------------------------------------------------------------------- */

static uint32_t bucket_of(const struct nat *nat, uint32_t address_len, const struct tuple *tuple)
{
	uint64_t hash = nat->config.seed;
	uint32_t source, destination;

	for (uint32_t at = 0; at < address_len; at += 4) {
		memcpy(&source, tuple->source + at, 4);
		memcpy(&destination, tuple->destination + at, 4);
		hash = mix(hash ^ ((uint64_t)source << 32 | destination));
	}
	hash = mix(hash ^ ((uint64_t)tuple->source_port << 16 | tuple->destination_port));
	return (uint32_t)(hash >> 20) & BUCKET_MASK;
}

static struct tuple tuple_of(const struct packet *packet)
{
	return (struct tuple){
		.source = packet->source,
		.destination = packet->destination,
		.source_port = packet_source_port(packet),
		.destination_port = packet_destination_port(packet),
	};
}

/* The flow as its client sees it, and as the listener does. */
static struct tuple client_side(const struct flow *flow)
{
	return (struct tuple){ flow->client, flow->virtual, flow->client_port, flow->virtual_port };
}

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

/* Returns the natport of a client's tuple, or 0. */
static uint32_t find_flow(const struct nat *nat, const struct packet *packet)
{
	const struct table *table = &nat->tables[packet->v6];
	struct tuple tuple = tuple_of(packet);
	uint32_t port = table->buckets[bucket_of(nat, packet->address_len, &tuple)];

	for (; port; port = table->flows[port].next) {
		const struct flow *flow = &table->flows[port];

		if (flow->client_port == tuple.source_port &&
		    flow->virtual_port == tuple.destination_port &&
		    memcmp(flow->client, tuple.source, packet->address_len) == 0 &&
		    memcmp(flow->virtual, tuple.destination, packet->address_len) == 0)
			return port;
	}
	return 0;
}

static void set_reusable(struct nat *nat, struct table *table, uint32_t port, int reusable)
{
	uint64_t bit = 1ull << port % 64, *word = &table->reusable[port / 64];

	if (!reusable == !(*word & bit))
		return;
	*word ^= bit;
	table->reusable_count += reusable ? 1u : UINT32_MAX;
	nat->counters[NAT_FLOWS_LIVE] += reusable ? UINT64_MAX : 1u;
}

static void free_flow(struct nat *nat, uint32_t v6, uint32_t port)
{
	struct table *table = &nat->tables[v6];
	struct flow *flow = &table->flows[port];
	struct tuple tuple = client_side(flow);
	uint16_t *link = &table->buckets[bucket_of(nat, v6 ? 16 : 4, &tuple)];

	while (*link && *link != port)
		link = &table->flows[*link].next;
	if (*link)
		*link = flow->next;
	flow->state = FLOW_FREE;
	flow->id = 0;
	set_reusable(nat, table, port, 1);
}

/* Returns the next port round robin that is free or over, or 0 if all are in use. */
static uint32_t choose_port(struct table *table)
{
	uint32_t word = table->next_port / 64;
	uint64_t bits = table->reusable[word] & ~0ull << table->next_port % 64;

	if (table->reusable_count == 0)
		return 0;
	/* ports below FIRST_PORT are never set, so the way around needs no care */
	while (!bits) {
		word = (word + 1) % (PORTS / 64);
		bits = table->reusable[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

/* Makes a flow for a SYN. Returns its natport, or 0 if there is none left. */
static uint32_t make_flow(struct nat *nat, const struct packet *packet,
			  const struct nat_owner *owner, uint64_t now_ms)
{
	struct table *table = &nat->tables[packet->v6];
	struct tuple outer = tuple_of(packet), inner;
	uint32_t port = choose_port(table);
	uint16_t *bucket = &table->buckets[bucket_of(nat, packet->address_len, &outer)];
	struct flow *flow = &table->flows[port];

	if (!port)
		return 0;
	if (flow->state != FLOW_FREE)
		free_flow(nat, packet->v6, port);
	table->next_port = (port + 1) % PORTS;
	memset(flow, 0, sizeof(*flow));
	flow->id = ++nat->generation << 17 | (uint64_t)packet->v6 << 16 | port;
	memcpy(flow->client, packet->source, packet->address_len);
	memcpy(flow->virtual, packet->destination, packet->address_len);
	flow->client_port = outer.source_port;
	flow->virtual_port = outer.destination_port;
	flow->state = FLOW_HELD;
	flow->sequence = packet_tcp_sequence(packet);
	flow->seen_s = (uint32_t)(now_ms / 1000);
	flow->held = NONE;
	flow->owner = *owner;
	inner = listener_side(nat, packet->v6, port);
	flow->inward = packet_delta(&outer, &inner, packet->address_len);
	outer = reversed(outer);
	inner = reversed(inner);
	flow->outward = packet_delta(&inner, &outer, packet->address_len);
	flow->next = *bucket;
	*bucket = (uint16_t)port;
	set_reusable(nat, table, port, 0);
	count(nat, NAT_FLOWS_CREATED);
	return port;
}

/* ---- the queue of held SYNs ------------------------------------------------------ */

static uint32_t push_held(struct nat *nat, const struct packet *packet, uint32_t port,
			  uint64_t now_ms)
{
	uint32_t at = nat->held_free;
	struct held *held = &nat->held[at];
	struct packet copy = { .data = held->syn, .capacity = sizeof(held->syn) };

	nat->held_free = held->next;
	held->deadline_ms = now_ms + nat->config.held_timeout_ms;
	held->port = port;
	held->previous = nat->held_last;
	held->next = NONE;
	held->v6 = packet->v6;
	held->taken = 0;
	packet_copy_headers(packet, &copy);
	held->len = (uint8_t)copy.len;
	if (nat->held_last == NONE)
		nat->held_first = at;
	else
		nat->held[nat->held_last].next = at;
	nat->held_last = at;
	if (nat->held_untaken == NONE)
		nat->held_untaken = at;
	nat->counters[NAT_HELD_NOW]++;
	return at;
}

static void remove_held(struct nat *nat, uint32_t at)
{
	struct held *held = &nat->held[at];

	if (nat->held_untaken == at)
		nat->held_untaken = held->next;
	if (held->previous == NONE)
		nat->held_first = held->next;
	else
		nat->held[held->previous].next = held->next;
	if (held->next == NONE)
		nat->held_last = held->previous;
	else
		nat->held[held->next].previous = held->previous;
	held->next = nat->held_free;
	nat->held_free = at;
	nat->counters[NAT_HELD_NOW]--;
}

/* Puts a held SYN into a packet of the caller's and takes it off the queue. */
static void take_syn(struct nat *nat, uint32_t at, struct packet *packet)
{
	const struct held *held = &nat->held[at];

	memcpy(packet->data, held->syn, held->len);
	packet->len = held->len;
	packet->partial = 0;
	packet_read(packet);
	remove_held(nat, at);
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
	struct table *table = &nat->tables[v6];
	struct flow *flow = &table->flows[port];

	flow->seen_s = (uint32_t)(now_ms / 1000);
	if (flags & TCP_FIN)
		flow->fins |= fin;
	if (flags & TCP_RST)
		flow->state = FLOW_RESET;
	else if (flow->state == FLOW_RESET || (flow->state == FLOW_SYN && !(flags & TCP_SYN)))
		/* a RST outside the window changed nothing: whoever is gone will say so again */
		flow->state = FLOW_OPEN;
	set_reusable(nat, table, port, flow->state == FLOW_RESET || flow->fins == FIN_BOTH);
}

static enum nat_verdict forward_inward(struct nat *nat, struct packet *packet, uint32_t port,
				       uint64_t now_ms)
{
	const struct flow *flow = &nat->tables[packet->v6].flows[port];
	struct tuple to = listener_side(nat, packet->v6, port);

	note_segment(nat, packet->v6, port, packet_tcp_flags(packet), FIN_CLIENT, now_ms);
	packet_rewrite(packet, &to, &flow->inward);
	return NAT_FORWARD;
}

static enum nat_verdict from_listener(struct nat *nat, struct packet *packet, uint64_t now_ms)
{
	uint32_t port = ntohs(packet_destination_port(packet));
	const struct flow *flow = &nat->tables[packet->v6].flows[port];
	struct tuple to = reversed(client_side(flow));

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

	nat->tables[packet->v6].flows[port].seen_s = (uint32_t)(now_ms / 1000);
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
	const struct flow *flow = &nat->tables[v6].flows[port];

	if (flow->state == FLOW_HELD)
		remove_held(nat, flow->held);
	free_flow(nat, v6, port);
}

/* A SYN for a tuple that has a flow already. */
static enum nat_verdict syn_again(struct nat *nat, struct packet *packet, uint32_t port,
				  uint64_t now_ms)
{
	const struct flow *flow = &nat->tables[packet->v6].flows[port];
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
	uint32_t port = find_flow(nat, packet);
	const struct flow *flow = &nat->tables[packet->v6].flows[port];
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

	if (nat->held_free == NONE)
		return refuse(nat, packet, NAT_REFUSED_OVERLOAD);
	port = make_flow(nat, packet, owner, now_ms);
	if (!port)
		return refuse(nat, packet, NAT_REFUSED_OVERLOAD);
	nat->tables[packet->v6].flows[port].held = push_held(nat, packet, port, now_ms);
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
	uint32_t v6 = nat->held[at].v6, port = nat->held[at].port;

	take_syn(nat, at, packet);
	free_flow(nat, v6, port);
	count(nat, NAT_SYNS_REJECTED);
	return packet_unreachable(packet, what) ? NAT_ERROR : NAT_DROP;
}

static enum nat_verdict refuse_held(struct nat *nat, uint32_t at, struct packet *packet,
				    enum nat_counter reason)
{
	uint32_t v6 = nat->held[at].v6, port = nat->held[at].port;

	take_syn(nat, at, packet);
	free_flow(nat, v6, port);
	return refuse(nat, packet, reason);
}

static enum nat_verdict release_held(struct nat *nat, uint32_t at, struct packet *packet,
				     uint64_t now_ms)
{
	uint32_t port = nat->held[at].port;
	struct flow *flow = &nat->tables[nat->held[at].v6].flows[port];

	take_syn(nat, at, packet);
	flow->state = FLOW_SYN;
	flow->held = NONE;
	count(nat, NAT_SYNS_RELEASED);
	return inject(nat, packet, port, now_ms);
}

enum nat_verdict nat_answer(struct nat *nat, uint64_t id, uint32_t answer, struct packet *packet,
			    uint64_t now_ms)
{
	const struct flow *flow = &nat->tables[id >> 16 & 1].flows[id & 0xffff];

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
	return refuse_held(nat, nat->held_first, packet, NAT_SYNS_TIMED_OUT);
}

enum nat_verdict nat_refuse_held(struct nat *nat, struct packet *packet)
{
	if (nat->held_first == NONE)
		return NAT_DROP;
	return refuse_held(nat, nat->held_first, packet, NAT_SYNS_REFUSED);
}

uint64_t nat_deadline(const struct nat *nat)
{
	return nat->held_first == NONE ? UINT64_MAX : nat->held[nat->held_first].deadline_ms;
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
		uint32_t port = (nat->sweep_port + i) % PORTS;

		for (uint32_t v6 = 0; v6 < 2; v6++) {
			const struct flow *flow = &nat->tables[v6].flows[port];

			if (flow->state == FLOW_FREE || flow->state == FLOW_HELD ||
			    !is_expired(flow, now_s))
				continue;
			free_flow(nat, v6, port);
			count(nat, NAT_FLOWS_EXPIRED);
		}
	}
	nat->sweep_port = (nat->sweep_port + SWEEP_PORTS) % PORTS;
}

/* ---- questions -------------------------------------------------------------------- */

static void write_record(const struct flow *flow, uint32_t v6, uint8_t *record)
{
	uint16_t source_port = ntohs(flow->client_port);
	uint16_t destination_port = ntohs(flow->virtual_port);

	memset(record, 0, VNET_FLOW_RECORD_SIZE);
	memcpy(record, &flow->id, 8);
	memcpy(record + 8, &flow->owner.uid, 4);
	memcpy(record + 12, &flow->owner.inode, 4);
	memcpy(record + 16, flow->client, 16);
	memcpy(record + 32, flow->virtual, 16);
	memcpy(record + 48, &source_port, 2);
	memcpy(record + 50, &destination_port, 2);
	record[52] = v6 ? 6 : 4;
}

uint32_t nat_take(struct nat *nat, uint8_t *records, uint32_t records_limit)
{
	uint32_t taken = 0;

	while (taken < records_limit && nat->held_untaken != NONE) {
		struct held *held = &nat->held[nat->held_untaken];

		write_record(&nat->tables[held->v6].flows[held->port], held->v6,
			     records + (size_t)taken * VNET_FLOW_RECORD_SIZE);
		held->taken = 1;
		nat->held_untaken = held->next;
		taken++;
	}
	return taken;
}

int32_t nat_flow(const struct nat *nat, uint32_t v6, uint16_t port, uint8_t *record)
{
	const struct flow *flow = &nat->tables[v6].flows[port];

	if (flow->state == FLOW_FREE || flow->state == FLOW_HELD)
		return -ENOENT;
	write_record(flow, v6, record);
	return 0;
}

void nat_stats(const struct nat *nat, uint64_t *out)
{
	for (uint32_t i = NAT_SYNS_HELD; i <= NAT_HELD_NOW; i++)
		out[i] = nat->counters[i];
}
