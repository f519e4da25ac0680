// SPDX-License-Identifier: Apache-2.0
/*
 * The packet thread, and all that may call it at the same time, over socket pairs in place of the
 * device and the raw sockets. Made for TSan (make tsan); reports in TAP.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../vnet_shim.h"
#include "build_packet.h"
#include "check.h"

#define CONNECTIONS 2000u
#define ROUNDS 60000u
#define SYN 2

static const uint8_t addresses[56] = {
	100, 64,	   0,		1,    100,	     64,	  0,
	2,   [8 + 15] = 1, [24] = 0xfd, 0x7a, [24 + 15] = 2, [40] = 0xfd, 0x7a,
};
static const uint8_t self4[4] = { 100, 64, 0, 1 };
static const uint8_t app4[4] = { 100, 70, 7, 9 };
static const uint8_t network4[VNET_NETWORK_RECORD_SIZE] = { 100, 64, 0, 0, 10 };

static int tun[2], raw[2];
static int64_t handle;
static atomic_uint held;

static void *feed(void *unused)
{
	(void)unused;
	for (uint32_t i = 0; i < CONNECTIONS; i++) {
		struct segment syn = {
			.source = self4,
			.destination = app4,
			.source_port = (uint16_t)(10000 + i),
			.destination_port = 443,
			.sequence = i,
			.flags = SYN,
		};
		struct built built = build_tcp(&syn);

		CHECK(send(tun[1], built.data, built.len, 0) == (ssize_t)built.len);
		free(built.data);
	}
	return NULL;
}

static void *drain(void *fd)
{
	uint8_t buffer[2048];

	while (recv(*(int *)fd, buffer, sizeof(buffer), 0) > 0)
		;
	return NULL;
}

static void *answer(void *unused)
{
	uint8_t records[16 * VNET_FLOW_RECORD_SIZE], record[VNET_FLOW_RECORD_SIZE];
	uint64_t id;
	int32_t count;

	(void)unused;
	while ((count = vnet_datapath_events(handle, records, sizeof(records), 1000)) >= 0) {
		for (int32_t i = 0; i < count; i++) {
			memcpy(&id, records + i * VNET_FLOW_RECORD_SIZE, sizeof(id));
			vnet_datapath_answer(handle, id, (uint32_t)(id % 6));
			vnet_datapath_flow(handle, 4, (uint32_t)(1024 + id % 1000), record,
					   sizeof(record));
			atomic_fetch_add(&held, 1);
		}
	}
	CHECK(count == -ECANCELED);
	return NULL;
}

static void test_everybody_at_once(void)
{
	pthread_t threads[4];
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t stats[VNET_STATS_COUNT];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, tun) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw) == 0);
	CHECK(fcntl(tun[0], F_SETFL, O_NONBLOCK) == 0);
	handle = vnet_datapath_start(tun[0], 0, raw[0], raw[0], -1, 1, addresses,
				     sizeof(addresses), 1025, 1026, 64, 200, 0);
	CHECK(handle > 0);
	CHECK(vnet_datapath_networks(handle, network4, sizeof(network4)) == 0);
	CHECK(vnet_datapath_leases(handle, app4, sizeof(app4), 1) == 0);
	CHECK(pthread_create(&threads[0], NULL, drain, &tun[1]) == 0);
	CHECK(pthread_create(&threads[1], NULL, drain, &raw[1]) == 0);
	CHECK(pthread_create(&threads[2], NULL, answer, NULL) == 0);
	CHECK(pthread_create(&threads[3], NULL, feed, NULL) == 0);
	stats[0] = 0;
	for (uint32_t i = 0; i < ROUNDS && stats[0] < CONNECTIONS; i++) {
		/* so that the packet thread gets the lock, too */
		nanosleep(&pause, NULL);
		CHECK(vnet_datapath_stats(handle, stats, VNET_STATS_COUNT) == 0);
		CHECK(vnet_datapath_leases(handle, app4, sizeof(app4), i % 8 != 0) == 0);
		CHECK(vnet_datapath_wake(handle) == 0);
	}
	CHECK(pthread_join(threads[3], NULL) == 0);
	CHECK(vnet_datapath_stop(handle) == 0);
	CHECK(pthread_join(threads[2], NULL) == 0);
	CHECK(vnet_datapath_free(handle) == 0);
	CHECK(shutdown(tun[1], SHUT_RD) == 0 && shutdown(raw[1], SHUT_RD) == 0);
	CHECK(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
	for (uint32_t i = 0; i < 2; i++)
		CHECK(close(tun[i]) == 0 && close(raw[i]) == 0);
	CHECK(stats[0] == CONNECTIONS);
	CHECK(atomic_load(&held) > 0);
}

int main(void)
{
	run("whoever calls the packet thread, and when", test_everybody_at_once);
	printf("1..%d\n", tests);
	return failures > 0;
}
