// SPDX-License-Identifier: Apache-2.0
/* The table of replies behind a real socket, with a thread that waits. Reports in TAP. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../address.h"
#include "../vnet_shim.h"
#include "check.h"

#define SLOT 16
#define COUNT 8

static const uint8_t loopback[4] = { 127, 0, 0, 1 };
static int32_t server, client, wake;
static int64_t answers;
static union endpoint server_endpoint;
static socklen_t server_len = sizeof(server_endpoint);

/* On the heap, of just their size: a step beyond them is seen. */
static uint8_t *data, *sources;
static uint32_t *lengths;

static void begin(void)
{
	server = vnet_udp_bind(loopback, 4, 0);
	client = vnet_udp_bind(loopback, 4, 0);
	wake = vnet_wake_open();
	answers = vnet_answers_open();
	server_len = sizeof(server_endpoint);
	CHECK(getsockname(server, &server_endpoint.any, &server_len) == 0);
	CHECK(connect(client, &server_endpoint.any, server_len) == 0);
	CHECK(vnet_answers_put(answers, (const uint8_t *)"..known", 7, (const uint8_t *)"..reply!",
			       8) == 0);
	data = malloc(SLOT * COUNT);
	sources = malloc(ENDPOINT_RECORD_SIZE * COUNT);
	lengths = malloc(sizeof(*lengths) * COUNT);
}

static void end(void)
{
	CHECK(vnet_answers_free(answers) == 0);
	CHECK(close(server) == 0 && close(client) == 0 && close(wake) == 0);
	free(data);
	free(sources);
	free(lengths);
}

static void ask(const char *query)
{
	CHECK(send(client, query, strlen(query), 0) == (ssize_t)strlen(query));
}

static void expect_reply(const char *want)
{
	char reply[64] = { 0 };

	/* an answer over loopback is there when the call that gave it has returned */
	CHECK(recv(client, reply, sizeof(reply) - 1, MSG_DONTWAIT) == (ssize_t)strlen(want));
	CHECK(strcmp(reply, want) == 0);
}

static int32_t receive(void)
{
	return vnet_answers_receive(answers, server, data, SLOT, sources, lengths, COUNT);
}

static void expect_slot(uint32_t slot, const char *want)
{
	CHECK(lengths[slot] == strlen(want));
	CHECK(memcmp(data + slot * SLOT, want, strlen(want)) == 0);
	CHECK(sources[slot * ENDPOINT_RECORD_SIZE] == 4);
	CHECK(memcmp(sources + slot * ENDPOINT_RECORD_SIZE + 4, loopback, 4) == 0);
}

static void answers_what_is_known_and_hands_over_the_rest(void)
{
	begin();
	CHECK(receive() == 0);
	ask("aaknown");
	ask("bbother");
	ask("ccknown");
	ask("");
	ask("dd");
	ask("eeknow");
	ask("longer than a slot is");
	CHECK(receive() == 5);
	expect_slot(0, "bbother");
	expect_slot(1, "");
	expect_slot(2, "dd");
	expect_slot(3, "eeknow");
	expect_slot(4, "");
	expect_reply("aareply!");
	expect_reply("ccreply!");
	CHECK(vnet_answers_given(answers) == 2);
	CHECK(receive() == 0);
	end();
}

static void answers_more_than_a_batch_in_one_call(void)
{
	begin();
	for (uint32_t i = 0; i < 3 * COUNT; i++)
		ask("aaknown");
	CHECK(receive() == 0);
	for (uint32_t i = 0; i < 3 * COUNT; i++)
		expect_reply("aareply!");
	CHECK(vnet_answers_given(answers) == 3 * COUNT);
	end();
}

static void hands_everything_over_once_cleared(void)
{
	begin();
	CHECK(vnet_answers_clear(answers) == 0);
	ask("aaknown");
	CHECK(receive() == 1);
	expect_slot(0, "aaknown");
	end();
}

static void goes_on_when_nobody_takes_a_reply(void)
{
	begin();
	ask("aaknown");
	close(client);
	client = vnet_udp_bind(loopback, 4, 0);
	CHECK(connect(client, &server_endpoint.any, server_len) == 0);
	ask("bbknown");
	CHECK(receive() == 0);
	expect_reply("bbreply!");
	end();
}

static int32_t waited;

static void *wait_there(void *unused)
{
	(void)unused;
	waited = vnet_answers_wait(answers, server, data, SLOT, sources, lengths, COUNT, wake);
	return NULL;
}

static void waits_on_another_thread(void)
{
	pthread_t thread;
	char reply[64] = { 0 };

	begin();
	CHECK(pthread_create(&thread, NULL, wait_there, NULL) == 0);
	for (int round = 0; round < 100; round++) {
		CHECK(vnet_answers_put(answers, (const uint8_t *)"..known", 7,
				       (const uint8_t *)"..again!", 8) == 0);
		ask("aaknown");
		while (recv(client, reply, sizeof(reply) - 1, 0) < 0 && errno == EAGAIN)
			CHECK(vnet_wait(client, 1, -1, 10000) == 1);
		CHECK(strcmp(reply, "aaagain!") == 0);
	}
	ask("bbother");
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(waited == 1);
	expect_slot(0, "bbother");
	CHECK(pthread_create(&thread, NULL, wait_there, NULL) == 0);
	CHECK(vnet_wake(wake) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(waited == -ECANCELED);
	end();
}

int main(void)
{
	run("answers what is known and hands over the rest",
	    answers_what_is_known_and_hands_over_the_rest);
	run("answers more than a batch in one call", answers_more_than_a_batch_in_one_call);
	run("hands everything over once it is cleared", hands_everything_over_once_cleared);
	run("goes on when nobody takes a reply", goes_on_when_nobody_takes_a_reply);
	run("waits on another thread, until woken", waits_on_another_thread);
	printf("1..%d\n", tests);
	return failures != 0;
}
