/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_FLOW_H
#define VNET_FLOW_H

/*
 * The flows of one family. A flow is named by its port at the listener ("natport"), unique while
 * the flow lives; natports are handed out round robin, so that one is reused as late as possible.
 */

#include <stdint.h>

#include "packet.h"

#define FLOW_PORTS 65536u
#define FLOW_FIRST_PORT 1024u

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

/* Whose socket a SYN came from. */
struct nat_owner {
	uint32_t uid;
	uint32_t inode;
};

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
	uint32_t held; /* its place in the queue while FLOW_HELD */
	struct nat_owner owner;
};

struct flows {
	struct flow *flows; /* FLOW_PORTS, by natport */
	uint16_t *buckets; /* first natport of each */
	uint64_t reusable[FLOW_PORTS / 64]; /* bit set: free, or over and kept for stragglers */
	uint32_t reusable_count;
	uint32_t next_port;
	uint32_t address_len;
	uint64_t seed; /* of the hash */
};

/* Makes an empty table for addresses of 4 or 16 bytes. Returns 0, or -ENOMEM. */
int32_t flows_init(struct flows *flows, uint32_t address_len, uint64_t seed);
void flows_free(struct flows *flows);

/* Returns the natport of a client's tuple, or 0. */
uint32_t flows_find(const struct flows *flows, const struct tuple *tuple);

/* Makes a flow of which only the client's tuple is filled in. Returns its natport, or 0. */
uint32_t flows_add(struct flows *flows, const struct tuple *tuple);

/* Forgets a flow. */
void flows_remove(struct flows *flows, uint32_t port);

/* Says whether a flow is over: it is still found, but its port may be given away. */
void flows_set_over(struct flows *flows, uint32_t port, int over);

/* How many flows are not over. */
uint32_t flows_live(const struct flows *flows);

/* A flow as its client sees it. */
static inline struct tuple flow_tuple(const struct flow *flow)
{
	return (struct tuple){ flow->client, flow->virtual, flow->client_port, flow->virtual_port };
}

#endif
