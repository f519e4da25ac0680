// SPDX-License-Identifier: Apache-2.0
/* The flows of one family: an array by natport, and a hash over the clients' tuples into it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "hash.h"

#define BUCKETS 65536u
#define BUCKET_MASK (BUCKETS - 1)

int32_t flows_init(struct flows *flows, uint32_t address_len, uint64_t seed)
{
	memset(flows, 0, sizeof(*flows));
	flows->flows = calloc(FLOW_PORTS, sizeof(*flows->flows));
	flows->buckets = calloc(BUCKETS, sizeof(*flows->buckets));
	flows->next_port = FLOW_FIRST_PORT;
	flows->address_len = address_len;
	flows->seed = seed;
	for (uint32_t port = FLOW_FIRST_PORT; port < FLOW_PORTS; port++)
		flows->reusable[port / 64] |= 1ull << port % 64;
	flows->reusable_count = FLOW_PORTS - FLOW_FIRST_PORT;
	return flows->flows && flows->buckets ? 0 : -ENOMEM;
}

void flows_free(struct flows *flows)
{
	free(flows->flows);
	free(flows->buckets);
}

static uint16_t *bucket_of(const struct flows *flows, const struct tuple *tuple)
{
	uint64_t hash = flows->seed;
	uint32_t source, destination;

	for (uint32_t at = 0; at < flows->address_len; at += 4) {
		memcpy(&source, tuple->source + at, 4);
		memcpy(&destination, tuple->destination + at, 4);
		hash = mix(hash ^ ((uint64_t)source << 32 | destination));
	}
	hash = mix(hash ^ ((uint64_t)tuple->source_port << 16 | tuple->destination_port));
	return &flows->buckets[hash >> 20 & BUCKET_MASK];
}

uint32_t flows_find(const struct flows *flows, const struct tuple *tuple)
{
	uint32_t port = *bucket_of(flows, tuple);

	for (; port; port = flows->flows[port].next) {
		const struct flow *flow = &flows->flows[port];

		if (flow->client_port == tuple->source_port &&
		    flow->virtual_port == tuple->destination_port &&
		    memcmp(flow->client, tuple->source, flows->address_len) == 0 &&
		    memcmp(flow->virtual, tuple->destination, flows->address_len) == 0)
			return port;
	}
	return 0;
}

void flows_set_over(struct flows *flows, uint32_t port, int over)
{
	uint64_t bit = 1ull << port % 64, *word = &flows->reusable[port / 64];

	if (!over == !(*word & bit))
		return;
	*word ^= bit;
	flows->reusable_count += over ? 1u : UINT32_MAX;
}

uint32_t flows_live(const struct flows *flows)
{
	return FLOW_PORTS - FLOW_FIRST_PORT - flows->reusable_count;
}

void flows_remove(struct flows *flows, uint32_t port)
{
	struct flow *flow = &flows->flows[port];
	struct tuple tuple = flow_tuple(flow);
	uint16_t *link = bucket_of(flows, &tuple);

	while (*link && *link != port)
		link = &flows->flows[*link].next;
	if (*link)
		*link = flow->next;
	flow->state = FLOW_FREE;
	flow->id = 0;
	flows_set_over(flows, port, 1);
}

/* Returns the next port round robin that is free or over, or 0 if all are in use. */
static uint32_t choose_port(const struct flows *flows)
{
	uint32_t word = flows->next_port / 64;
	uint64_t bits = flows->reusable[word] & ~0ull << flows->next_port % 64;

	if (flows->reusable_count == 0)
		return 0;
	/* ports below FLOW_FIRST_PORT are never set, so the way around needs no care */
	while (!bits) {
		word = (word + 1) % (FLOW_PORTS / 64);
		bits = flows->reusable[word];
	}
	return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

uint32_t flows_add(struct flows *flows, const struct tuple *tuple)
{
	uint16_t *bucket = bucket_of(flows, tuple);
	uint32_t port = choose_port(flows);
	struct flow *flow = &flows->flows[port];

	if (!port)
		return 0;
	if (flow->state != FLOW_FREE)
		flows_remove(flows, port);
	flows->next_port = (port + 1) % FLOW_PORTS;
	memset(flow, 0, sizeof(*flow));
	memcpy(flow->client, tuple->source, flows->address_len);
	memcpy(flow->virtual, tuple->destination, flows->address_len);
	flow->client_port = tuple->source_port;
	flow->virtual_port = tuple->destination_port;
	flow->next = *bucket;
	*bucket = (uint16_t)port;
	flows_set_over(flows, port, 0);
	return port;
}
