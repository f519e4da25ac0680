// SPDX-License-Identifier: Apache-2.0
/* The queue of held SYNs: a doubly linked list in an array made once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"

int32_t queue_init(struct queue *queue, uint32_t limit)
{
	queue->first = queue->last = queue->untaken = HELD_NONE;
	queue->unused = 0;
	queue->count = 0;
	queue->places = calloc(limit, sizeof(*queue->places));
	if (!queue->places)
		return -ENOMEM;
	for (uint32_t i = 0; i < limit; i++)
		queue->places[i].next = i + 1 < limit ? i + 1 : HELD_NONE;
	return 0;
}

void queue_free(struct queue *queue)
{
	free(queue->places);
}

int queue_full(const struct queue *queue)
{
	return queue->unused == HELD_NONE;
}

uint32_t queue_push(struct queue *queue, const struct packet *packet, uint32_t port,
		    uint64_t deadline_ms)
{
	uint32_t place = queue->unused;
	struct held *held = &queue->places[place];
	struct packet copy = { .data = held->syn, .capacity = sizeof(held->syn) };

	queue->unused = held->next;
	held->deadline_ms = deadline_ms;
	held->port = port;
	held->previous = queue->last;
	held->next = HELD_NONE;
	held->v6 = packet->v6;
	packet_copy_headers(packet, &copy);
	held->len = (uint8_t)copy.len;
	if (queue->last == HELD_NONE)
		queue->first = place;
	else
		queue->places[queue->last].next = place;
	queue->last = place;
	if (queue->untaken == HELD_NONE)
		queue->untaken = place;
	queue->count++;
	return place;
}

void queue_remove(struct queue *queue, uint32_t place)
{
	struct held *held = &queue->places[place];

	if (queue->untaken == place)
		queue->untaken = held->next;
	if (held->previous == HELD_NONE)
		queue->first = held->next;
	else
		queue->places[held->previous].next = held->next;
	if (held->next == HELD_NONE)
		queue->last = held->previous;
	else
		queue->places[held->next].previous = held->previous;
	held->next = queue->unused;
	queue->unused = place;
	queue->count--;
}

void queue_pop(struct queue *queue, uint32_t place, struct packet *packet)
{
	const struct held *held = &queue->places[place];

	memcpy(packet->data, held->syn, held->len);
	packet->len = held->len;
	packet->partial = 0;
	packet_read(packet);
	queue_remove(queue, place);
}

const struct held *queue_take(struct queue *queue)
{
	const struct held *held;

	if (queue->untaken == HELD_NONE)
		return NULL;
	held = &queue->places[queue->untaken];
	queue->untaken = held->next;
	return held;
}
