// SPDX-License-Identifier: Apache-2.0
/* A set of addresses: open addressing with linear probing, never more than half full. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "lease.h"

#define SLOTS (2 * VNET_LEASES_LIMIT)
#define SLOT_MASK (SLOTS - 1)

int32_t leases_init(struct leases *leases, uint64_t seed)
{
	memset(leases, 0, sizeof(*leases));
	leases->seed = seed;
	leases->slots = calloc(SLOTS, sizeof(*leases->slots));
	return leases->slots ? 0 : -ENOMEM;
}

void leases_free(struct leases *leases)
{
	free(leases->slots);
}

int leases_cover(const struct leases *leases, uint32_t address)
{
	for (uint32_t i = 0; i < leases->networks_count; i++) {
		if ((address & leases->networks[i].mask) == leases->networks[i].first)
			return 1;
	}
	return 0;
}

static uint32_t home_slot(const struct leases *leases, uint32_t address)
{
	return (uint32_t)mix(leases->seed ^ address) & SLOT_MASK;
}

/* The slot an address is in, or the free one where it would go. */
static uint32_t slot_of(const struct leases *leases, uint32_t address)
{
	uint32_t slot = home_slot(leases, address);

	while (leases->slots[slot] && leases->slots[slot] != address)
		slot = (slot + 1) & SLOT_MASK;
	return slot;
}

int leases_has(const struct leases *leases, uint32_t address)
{
	return address && leases->slots[slot_of(leases, address)] == address;
}

void leases_add(struct leases *leases, uint32_t address)
{
	uint32_t slot = slot_of(leases, address);

	leases->count += !leases->slots[slot];
	leases->slots[slot] = address;
}

/* Frees the slot and moves up those that had to go past it (Knuth, TAOCP 6.4, algorithm R). */
void leases_remove(struct leases *leases, uint32_t address)
{
	uint32_t hole = slot_of(leases, address), slot = hole;

	if (!leases->slots[hole])
		return;
	for (;;) {
		slot = (slot + 1) & SLOT_MASK;
		if (!leases->slots[slot])
			break;
		if (((slot - home_slot(leases, leases->slots[slot])) & SLOT_MASK) <
		    ((slot - hole) & SLOT_MASK))
			continue;
		leases->slots[hole] = leases->slots[slot];
		hole = slot;
	}
	leases->slots[hole] = 0;
	leases->count--;
}

/* Offset in the record of a network of what follows its address. */
#define NETWORK_OFF_PREFIX_LEN 4

static int read_network(const uint8_t *record, struct network *network)
{
	uint8_t prefix_len = record[NETWORK_OFF_PREFIX_LEN];
	uint32_t address;

	if (prefix_len < 8 || prefix_len > 32)
		return 0;
	memcpy(&address, record, sizeof(address));
	network->first = ntohl(address);
	network->mask = 0xffffffffu << (32 - prefix_len);
	return (network->first & ~network->mask) == 0 && network->first != 0;
}

static void end_leases_outside(struct leases *leases)
{
	uint32_t slot = 0;

	while (slot < SLOTS) {
		uint32_t address = leases->slots[slot];

		/* another may move up into the slot: it is looked at again */
		if (address && !leases_cover(leases, address))
			leases_remove(leases, address);
		else
			slot++;
	}
}

int32_t leases_set_networks(struct leases *leases, const uint8_t *records, uint32_t count)
{
	struct network networks[VNET_NETWORKS_LIMIT];

	if (count > VNET_NETWORKS_LIMIT)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!read_network(records + (size_t)i * VNET_NETWORK_RECORD_SIZE, &networks[i]))
			return -EINVAL;
	}
	memcpy(leases->networks, networks, count * sizeof(networks[0]));
	leases->networks_count = count;
	end_leases_outside(leases);
	return 0;
}
