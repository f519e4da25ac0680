// SPDX-License-Identifier: Apache-2.0
/* The table of replies against a slow and simple one. Reports in TAP, as nat_test.c does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../answer.h"
#include "check.h"

/* Bytes in memory of just their length, so that a sanitizer sees a step beyond them. */
static uint8_t *copy_of(const void *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

static int32_t put(struct answers *answers, const void *query, uint32_t query_len,
		   const void *reply, uint32_t reply_len)
{
	uint8_t *query_copy = copy_of(query, query_len), *reply_copy = copy_of(reply, reply_len);
	int32_t ret = answers_put(answers, query_copy, query_len, reply_copy, reply_len);

	free(query_copy);
	free(reply_copy);
	return ret;
}

static uint32_t find(const struct answers *answers, const void *query, uint32_t query_len,
		     uint8_t *reply)
{
	uint8_t *query_copy = copy_of(query, query_len);
	uint32_t len = answers_find(answers, query_copy, query_len, reply);

	free(query_copy);
	return len;
}

static void gives_the_reply_with_the_id_asked_with(void)
{
	struct answers *answers = answers_create(1);
	uint8_t reply[ANSWER_MAX_SIZE];

	CHECK(put(answers, "idquestion", 10, "xxreply", 7) == 0);
	CHECK(find(answers, "IDquestion", 10, reply) == 7);
	CHECK(memcmp(reply, "IDreply", 7) == 0);
	CHECK(find(answers, "idquestioN", 10, reply) == 0);
	CHECK(find(answers, "idquestion!", 11, reply) == 0);
	CHECK(find(answers, "idquestio", 9, reply) == 0);
	CHECK(put(answers, "idquestion", 10, "xxanother", 9) == 0);
	CHECK(answers_count(answers) == 1);
	CHECK(find(answers, "..question", 10, reply) == 9);
	CHECK(memcmp(reply, "..another", 9) == 0);
	answers_clear(answers);
	CHECK(answers_count(answers) == 0);
	CHECK(find(answers, "idquestion", 10, reply) == 0);
	answers_destroy(answers);
}

static void keeps_what_fits_and_nothing_more(void)
{
	struct answers *answers = answers_create(2);
	uint8_t reply[ANSWER_MAX_SIZE], long_reply[ANSWER_MAX_SIZE + 1];

	memset(long_reply, 7, sizeof(long_reply));
	CHECK(put(answers, "id", 2, "xxreply", 7) == -EINVAL);
	CHECK(put(answers, "", 0, "xxreply", 7) == -EINVAL);
	CHECK(put(answers, "idq", 3, "xx", 2) == -EINVAL);
	CHECK(put(answers, "idq", 3, long_reply, ANSWER_MAX_SIZE) == -EMSGSIZE);
	CHECK(put(answers, long_reply, sizeof(long_reply), "xxr", 3) == -EMSGSIZE);
	CHECK(answers_count(answers) == 0);
	CHECK(put(answers, "idq", 3, long_reply, ANSWER_MAX_SIZE - 1) == 0);
	CHECK(find(answers, "..q", 3, reply) == ANSWER_MAX_SIZE - 1);
	CHECK(find(answers, long_reply, sizeof(long_reply), reply) == 0);
	CHECK(find(answers, "id", 2, reply) == 0);
	CHECK(find(answers, "", 0, reply) == 0);
	answers_destroy(answers);
}

static void starts_anew_when_full(void)
{
	struct answers *answers = answers_create(3);
	uint8_t reply[ANSWER_MAX_SIZE], query[6] = { 0 };

	for (uint32_t i = 0; i < VNET_ANSWERS_LIMIT; i++) {
		memcpy(query + 2, &i, sizeof(i));
		CHECK(put(answers, query, sizeof(query), query, sizeof(query)) == 0);
	}
	CHECK(answers_count(answers) == VNET_ANSWERS_LIMIT);
	for (uint32_t i = 0; i < VNET_ANSWERS_LIMIT; i++) {
		memcpy(query + 2, &i, sizeof(i));
		CHECK(find(answers, query, sizeof(query), reply) == sizeof(query));
		CHECK(memcmp(reply, query, sizeof(query)) == 0);
	}
	CHECK(put(answers, query, sizeof(query), "xxsame", 6) == 0);
	CHECK(answers_count(answers) == VNET_ANSWERS_LIMIT);
	CHECK(put(answers, "one more", 8, "xxlast", 6) == 0);
	CHECK(answers_count(answers) == 1);
	CHECK(find(answers, "..e more", 8, reply) == 6);
	CHECK(find(answers, query, sizeof(query), reply) == 0);
	answers_destroy(answers);
}

/* A list that is searched from end to end. */
static struct {
	uint8_t query[40];
	uint32_t query_len;
	uint8_t reply[40];
	uint32_t reply_len;
} plain[VNET_ANSWERS_LIMIT];
static uint32_t plain_count;

static uint32_t plain_index(const uint8_t *query, uint32_t len)
{
	uint32_t i = 0;

	while (i < plain_count &&
	       (plain[i].query_len != len || memcmp(plain[i].query + 2, query + 2, len - 2) != 0))
		i++;
	return i;
}

static void agrees_with_a_plain_list(void)
{
	struct answers *answers = answers_create(4);
	uint8_t query[40] = { 0 }, bytes[40], reply[ANSWER_MAX_SIZE];

	srand(7);
	for (int round = 0; round < 20000; round++) {
		uint32_t query_len = 3 + (uint32_t)rand() % 4, i;

		for (i = 0; i < query_len; i++)
			query[i] = (uint8_t)(rand() % 6);
		i = plain_index(query, query_len);
		if (rand() % 500 == 0) {
			answers_clear(answers);
			plain_count = 0;
		} else if (rand() % 3 == 0) {
			uint32_t len = 3 + (uint32_t)rand() % 37;

			memset(bytes, rand(), sizeof(bytes));
			CHECK(put(answers, query, query_len, bytes, len) == 0);
			memcpy(plain[i].query, query, query_len);
			memcpy(plain[i].reply, bytes, len);
			plain[i].query_len = query_len;
			plain[i].reply_len = len;
			plain_count += i == plain_count;
		} else {
			uint32_t len = find(answers, query, query_len, reply);

			CHECK(len == (i < plain_count ? plain[i].reply_len : 0));
			CHECK(len == 0 || (memcmp(reply, query, 2) == 0 &&
					   memcmp(reply + 2, plain[i].reply + 2, len - 2) == 0));
		}
		CHECK(answers_count(answers) == plain_count);
	}
	answers_destroy(answers);
}

int main(void)
{
	run("gives the reply with the id it was asked with",
	    gives_the_reply_with_the_id_asked_with);
	run("keeps what fits, and nothing more", keeps_what_fits_and_nothing_more);
	run("starts anew when it is full", starts_anew_when_full);
	run("agrees with a plain list", agrees_with_a_plain_list);
	printf("1..%d\n", tests);
	return failures != 0;
}
