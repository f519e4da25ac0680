/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_LEASE_H
#define VNET_LEASE_H

/* Which IPv4 networks are ours, and which addresses in them answer. In host order, all of it. */

#include <stdint.h>

#include "vnet_shim.h"

struct network {
	uint32_t first;
	uint32_t mask;
};

struct leases {
	struct network networks[VNET_NETWORKS_LIMIT];
	uint32_t networks_count;
	uint32_t *slots; /* addresses, 0 where free; at most half full */
	uint32_t count;
	uint64_t seed; /* of the hash */
};

/* Makes an empty set without networks. Returns 0, or -ENOMEM. */
int32_t leases_init(struct leases *leases, uint64_t seed);
void leases_free(struct leases *leases);

/*
 * Sets the networks to just these, records of VNET_NETWORK_RECORD_SIZE. Leases outside them end.
 * Returns 0, or -EINVAL with nothing changed.
 */
int32_t leases_set_networks(struct leases *leases, const uint8_t *records, uint32_t count);

/* Tells whether an address lies in one of the networks. */
int leases_cover(const struct leases *leases, uint32_t address);

/* Tells whether an address is leased. */
int leases_has(const struct leases *leases, uint32_t address);

/* Leases an address in one of the networks; there is room for VNET_LEASES_LIMIT. */
void leases_add(struct leases *leases, uint32_t address);

/* Takes an address back; one that is not leased is no error. */
void leases_remove(struct leases *leases, uint32_t address);

#endif
