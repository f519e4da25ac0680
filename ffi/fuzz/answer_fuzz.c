// SPDX-License-Identifier: Apache-2.0
/*
 * Puts replies into the table and looks queries up, as bytes choose, beside a plain list of what was
 * put: what is found is what was put last, with the id of who asks.
 */
#include <stdlib.h>
#include <string.h>

#include "../answer.h"
#include "require.h"

#define QUERIES 16
#define LIMIT (2 + VNET_ANSWER_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the table should know of one query. */
struct known {
	uint8_t query[LIMIT], reply[LIMIT];
	uint32_t query_len, reply_len;
	int there;
};

struct input {
	const uint8_t *data;
	size_t size;
};

/* Takes up to a number of bytes, as the input says, into a buffer of just that size. */
static uint8_t *take(struct input *input, uint32_t *len)
{
	uint8_t *bytes;

	*len = 0;
	if (input->size >= 2) {
		*len = (uint32_t)(input->data[0] | input->data[1] << 8) % (LIMIT + 2);
		input->data += 2;
		input->size -= 2;
	}
	if (*len > input->size)
		*len = (uint32_t)input->size;
	bytes = malloc(*len ? *len : 1);
	REQUIRE(bytes != NULL);
	memcpy(bytes, input->data, *len);
	input->data += *len;
	input->size -= *len;
	return bytes;
}

static struct known *find(struct known *all, const uint8_t *query, uint32_t len)
{
	for (uint32_t i = 0; i < QUERIES; i++)
		if (all[i].there && all[i].query_len == len &&
		    memcmp(all[i].query + 2, query + 2, len - 2) == 0)
			return &all[i];
	return NULL;
}

static void put(struct answers *answers, struct known *all, uint32_t at, struct input *input)
{
	uint32_t query_len, reply_len;
	uint8_t *query = take(input, &query_len), *reply = take(input, &reply_len);
	int fits = query_len > 2 && reply_len > 2 &&
		   query_len - 2 + reply_len - 2 <= VNET_ANSWER_BYTES;

	REQUIRE((answers_put(answers, query, query_len, reply, reply_len) == 0) == fits);
	if (fits) {
		struct known *same = find(all, query, query_len);
		struct known *known = same ? same : &all[at];

		/* the list forgets what the table goes on knowing: nobody asks for that */
		known->there = 1;
		memcpy(known->query, query, known->query_len = query_len);
		memcpy(known->reply, reply, known->reply_len = reply_len);
	}
	free(query);
	free(reply);
}

static void ask(const struct answers *answers, const struct known *known)
{
	uint8_t *query = malloc(known->query_len), reply[LIMIT];

	REQUIRE(query != NULL);
	memcpy(query, known->query, known->query_len);
	query[0] ^= 0xff;
	REQUIRE(answers_find(answers, query, known->query_len, reply) == known->reply_len);
	REQUIRE(memcmp(reply, query, 2) == 0);
	REQUIRE(memcmp(reply + 2, known->reply + 2, known->reply_len - 2) == 0);
	free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct known all[QUERIES];
	struct answers *answers = answers_create(7);
	struct input input = { data, size };
	uint8_t reply[LIMIT], *query;
	uint32_t puts = 0, len;

	REQUIRE(answers != NULL);
	memset(all, 0, sizeof(all));
	while (input.size > 0 && puts < VNET_ANSWERS_LIMIT) {
		uint8_t act = *input.data++;

		input.size--;
		if (act % 4 == 0) {
			put(answers, all, act / 4 % QUERIES, &input);
			puts++;
		} else if (act % 4 == 1 && all[act / 4 % QUERIES].there) {
			ask(answers, &all[act / 4 % QUERIES]);
		} else if (act % 4 == 2) {
			query = take(&input, &len);
			REQUIRE(answers_find(answers, query, len, reply) <= sizeof(reply));
			free(query);
		} else if (act == 255) {
			answers_clear(answers);
			memset(all, 0, sizeof(all));
			REQUIRE(answers_count(answers) == 0);
		}
	}
	answers_destroy(answers);
	return 0;
}
