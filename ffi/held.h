/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_HELD_H
#define VNET_HELD_H

/*
 * SYNs that wait for an answer, in the order of their coming, which is that of their deadlines.
 * Bounded; each is taken by the one who answers at most once.
 */

#include <stdint.h>

#include "packet.h"

/* No place in the queue. */
#define HELD_NONE 0xffffffffu

struct held {
	uint64_t deadline_ms;
	uint32_t port; /* its flow */
	uint32_t previous;
	uint32_t next;
	uint8_t v6;
	uint8_t len;
	uint8_t syn[PACKET_HEADERS_LIMIT];
};

struct queue {
	struct held *places;
	uint32_t first;
	uint32_t last;
	uint32_t untaken; /* the first nobody has taken */
	uint32_t unused; /* chained by next */
	uint32_t count;
};

/* Makes an empty queue. Returns 0, or -ENOMEM. */
int32_t queue_init(struct queue *queue, uint32_t limit);
void queue_free(struct queue *queue);

/* Tells whether there is no place left. */
int queue_full(const struct queue *queue);

/* Keeps a SYN's headers; the queue is not full, deadlines never go back. Returns its place. */
uint32_t queue_push(struct queue *queue, const struct packet *packet, uint32_t port,
		    uint64_t deadline_ms);

/* Forgets a SYN. */
void queue_remove(struct queue *queue, uint32_t place);

/* Puts a SYN into a packet of the caller's, which brings a buffer, and forgets it. */
void queue_pop(struct queue *queue, uint32_t place, struct packet *packet);

/* Returns the next SYN nobody has taken, or NULL. */
const struct held *queue_take(struct queue *queue);

#endif
