/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_NAT_H
#define VNET_NAT_H

/*
 * The flow table: which connection of a virtual address is which connection
 * of the listener, which SYNs wait for an answer, and what becomes of each
 * packet. Computes on buffers and asks the machine nothing: time is an
 * argument, owners of sockets are, chance is a seed. Not thread-safe.
 */

#include <stdint.h>

#include "flow.h"
#include "packet.h"
#include "vnet_shim.h"

/* The counters kept here, by their place in vnet_datapath_stats(). */
enum nat_counter {
	NAT_SYNS_HELD = 8,
	NAT_SYNS_RELEASED,
	NAT_SYNS_REFUSED,
	NAT_SYNS_REJECTED,
	NAT_SYNS_TIMED_OUT,
	NAT_SYNS_DUPLICATE,
	NAT_REFUSED_UNLEASED,
	NAT_REFUSED_NO_OWNER,
	NAT_REFUSED_OVERLOAD,
	NAT_REFUSED_NO_FLOW,
	NAT_DROPPED_MALFORMED,
	NAT_DROPPED_FRAGMENT,
	NAT_DROPPED_EXTENSION,
	NAT_DROPPED_MULTICAST,
	NAT_DROPPED_OUTSIDE,
	NAT_DROPPED_FOREIGN,
	NAT_DROPPED_OTHER,
	NAT_ICMP_ECHOED,
	NAT_ICMP_UNREACHABLE,
	NAT_ICMP_LIMITED,
	NAT_FLOWS_CREATED,
	NAT_FLOWS_EXPIRED,
	NAT_FLOWS_LIVE,
	NAT_HELD_NOW,
};

/* What to do with a packet; its bytes have been changed accordingly. */
enum nat_verdict {
	NAT_DROP, /* nothing */
	NAT_FORWARD, /* back to the device, its offloads unchanged */
	NAT_INJECT, /* to the listener so that it arrives on lo; checksums are complete */
	NAT_ANSWER, /* our own RST or echo reply, to the device, without offloads */
	NAT_ERROR, /* our own ICMP error, likewise */
	NAT_SYN, /* unchanged: find the owner, then nat_hold() or nat_refuse() */
};

/* Addresses and limits; index 0 is IPv4, which uses 4 bytes, 1 is IPv6. */
struct nat_config {
	uint8_t self[2][16];
	uint8_t peer[2][16];
	uint8_t network6[16]; /* a /64 whose low 32 bits are an IPv4 address */
	uint16_t listen_port[2];
	uint8_t has_ipv6;
	uint32_t max_held;
	uint32_t held_timeout_ms;
	uint64_t seed; /* of the hash; unknown to those who choose ports */
};

#define NAT_NO_OWNER 0xffffffffu

struct nat;

/* Makes a table. Returns NULL without memory, or for limits that make no sense. */
struct nat *nat_create(const struct nat_config *config);
void nat_destroy(struct nat *nat);

/*
 * Sets the IPv4 networks to just these, records of VNET_NETWORK_RECORD_SIZE; none to begin with.
 * Leases outside them end. Returns 0, or -EINVAL with nothing changed.
 */
int32_t nat_set_networks(struct nat *nat, const uint8_t *records, uint32_t count);

/*
 * Leases IPv4 addresses (4 bytes each) and their twins, or takes them back; all or none. Returns 0,
 * -EINVAL for one outside the networks, or -ENOSPC beyond VNET_LEASES_LIMIT.
 */
int32_t nat_lease(struct nat *nat, const uint8_t *addresses, uint32_t count, uint32_t add);

/* Takes one packet of the device. */
enum nat_verdict nat_packet(struct nat *nat, struct packet *packet, uint64_t now_ms);

/* After NAT_SYN: keeps it for an answer (NAT_DROP), or has no room (NAT_ANSWER with RST). */
enum nat_verdict nat_hold(struct nat *nat, struct packet *packet, const struct nat_owner *owner,
			  uint64_t now_ms);

/* After NAT_SYN: nobody here sent it. Makes the RST. */
enum nat_verdict nat_refuse(struct nat *nat, struct packet *packet);

/* Counts a packet or answer the caller dropped because its sender is not of this host. */
void nat_foreign(struct nat *nat);

/*
 * Answers a held SYN by VNET_ANSWER_*; the packet to send is made in packet, which brings a buffer
 * of at least PACKET_HEADERS_LIMIT + 64 bytes. Returns NAT_DROP if the id is not held.
 */
enum nat_verdict nat_answer(struct nat *nat, uint64_t id, uint32_t answer, struct packet *packet,
			    uint64_t now_ms);

/* Refuses one SYN that was held too long, or at the end any; NAT_DROP when there is none. */
enum nat_verdict nat_expire(struct nat *nat, struct packet *packet, uint64_t now_ms);
enum nat_verdict nat_refuse_held(struct nat *nat, struct packet *packet);

/* When nat_expire() has something to do, in ms; UINT64_MAX for never. */
uint64_t nat_deadline(const struct nat *nat);

/* Forgets flows of one part of the table that are over or too old; call it once a second. */
void nat_sweep(struct nat *nat, uint64_t now_ms);

/*
 * Takes held SYNs that were not taken yet, as records of vnet_datapath_events(). Returns how many.
 */
uint32_t nat_take(struct nat *nat, uint8_t *records, uint32_t records_limit);

/* Finds a flow by family index and port of the listener's side. Returns 0, or -ENOENT. */
int32_t nat_flow(const struct nat *nat, uint32_t v6, uint16_t port, uint8_t *record);

/* Copies the counters to their places among VNET_STATS_COUNT. */
void nat_stats(const struct nat *nat, uint64_t *out);

#endif
