// SPDX-License-Identifier: Apache-2.0
/*
 * Replies by their queries: entries one after the other, found through a table of their numbers
 * (open addressing with linear probing, never more than half full).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "hash.h"

#define ID_SIZE 2
#define SLOTS (2 * VNET_ANSWERS_LIMIT)
#define SLOT_MASK (SLOTS - 1)

struct entry {
	uint64_t hash;
	uint16_t query_len;
	uint16_t reply_len;
	uint8_t bytes[VNET_ANSWER_BYTES]; /* the query, then the reply; neither with its id */
};

struct answers {
	uint64_t seed;
	uint32_t count;
	uint16_t slots[SLOTS]; /* number of an entry plus 1, or 0 where free */
	struct entry entries[VNET_ANSWERS_LIMIT];
};

struct answers *answers_create(uint64_t seed)
{
	struct answers *answers = calloc(1, sizeof(*answers));

	if (answers)
		answers->seed = seed;
	return answers;
}

void answers_destroy(struct answers *answers)
{
	free(answers);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, uint32_t len)
{
	uint64_t word;

	hash = mix(hash ^ len);
	for (; len >= sizeof(word); bytes += sizeof(word), len -= (uint32_t)sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = mix(hash ^ word);
	}
	word = 0;
	memcpy(&word, bytes, len);
	return mix(hash ^ word);
}

/* The slot a query is in, or the free one where it would go. */
static uint32_t slot_of(const struct answers *answers, uint64_t hash, const uint8_t *query,
			uint32_t query_len)
{
	uint32_t slot = (uint32_t)hash & SLOT_MASK;

	for (; answers->slots[slot]; slot = (slot + 1) & SLOT_MASK) {
		const struct entry *entry = &answers->entries[answers->slots[slot] - 1];

		if (entry->hash == hash && entry->query_len == query_len &&
		    memcmp(entry->bytes, query, query_len) == 0)
			break;
	}
	return slot;
}

int32_t answers_put(struct answers *answers, const uint8_t *query, uint32_t query_len,
		    const uint8_t *reply, uint32_t reply_len)
{
	struct entry *entry;
	uint64_t hash;
	uint32_t slot;

	if (query_len <= ID_SIZE || reply_len <= ID_SIZE)
		return -EINVAL;
	query_len -= ID_SIZE;
	reply_len -= ID_SIZE;
	if (query_len > VNET_ANSWER_BYTES || reply_len > VNET_ANSWER_BYTES - query_len)
		return -EMSGSIZE;
	hash = hash_bytes(answers->seed, query + ID_SIZE, query_len);
	slot = slot_of(answers, hash, query + ID_SIZE, query_len);
	if (!answers->slots[slot]) {
		if (answers->count == VNET_ANSWERS_LIMIT) {
			answers_clear(answers);
			slot = (uint32_t)hash & SLOT_MASK;
		}
		answers->slots[slot] = (uint16_t)++answers->count;
	}
	entry = &answers->entries[answers->slots[slot] - 1];
	entry->hash = hash;
	entry->query_len = (uint16_t)query_len;
	entry->reply_len = (uint16_t)reply_len;
	memcpy(entry->bytes, query + ID_SIZE, query_len);
	memcpy(entry->bytes + query_len, reply + ID_SIZE, reply_len);
	return 0;
}

uint32_t answers_find(const struct answers *answers, const uint8_t *query, uint32_t query_len,
		      uint8_t *reply)
{
	const struct entry *entry;
	uint64_t hash;
	uint32_t slot;

	if (query_len <= ID_SIZE || query_len > ID_SIZE + VNET_ANSWER_BYTES)
		return 0;
	hash = hash_bytes(answers->seed, query + ID_SIZE, query_len - ID_SIZE);
	slot = slot_of(answers, hash, query + ID_SIZE, query_len - ID_SIZE);
	if (!answers->slots[slot])
		return 0;
	entry = &answers->entries[answers->slots[slot] - 1];
	memcpy(reply, query, ID_SIZE);
	memcpy(reply + ID_SIZE, entry->bytes + entry->query_len, entry->reply_len);
	return ID_SIZE + entry->reply_len;
}

void answers_clear(struct answers *answers)
{
	memset(answers->slots, 0, sizeof(answers->slots));
	answers->count = 0;
}

uint32_t answers_count(const struct answers *answers)
{
	return answers->count;
}
