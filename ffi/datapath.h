/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_DATAPATH_H
#define VNET_DATAPATH_H

/* What the packet thread shares with the functions that start it, ask it and end it. */

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "nat.h"

#define HEADER_SIZE ((uint32_t)sizeof(struct virtio_net_hdr))
/* Where packets start in a buffer: behind the device's header, on a multiple of 4. */
#define HEADROOM 12u
/* A buffer for a packet made of a held SYN. */
#define SMALL_BUFFER_SIZE (HEADROOM + PACKET_HEADERS_LIMIT + 64u)

/* The counters kept here, by their place in vnet_datapath_stats(). */
enum io_counter {
	IO_PACKETS_READ,
	IO_BYTES_READ,
	IO_PACKETS_WRITTEN,
	IO_BYTES_WRITTEN,
	IO_READ_ERRORS,
	IO_WRITE_ERRORS,
	IO_INJECTED,
	IO_INJECT_ERRORS,
	IO_COUNTERS,
};

struct datapath {
	int32_t tun_fd;
	int32_t raw_fds[2];
	int32_t diag_fd;
	int32_t stop_fd;
	uint32_t header_len; /* of the virtio_net_hdr: 0 or HEADER_SIZE */
	uint32_t ifindex;
	uint32_t flags;
	struct nat_config config;
	_Atomic uint64_t counters[IO_COUNTERS];
	pthread_t thread;

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t changed;
	struct nat *nat;
	int32_t error; /* errno that ended the thread, or 0 */
	uint8_t stopped;
	uint8_t woken;
	uint32_t waiters;
};

uint64_t datapath_now_ms(void);

/* Sends a packet where the verdict says. Returns 0, or -errno. */
int32_t datapath_send(struct datapath *datapath, struct packet *packet, enum nat_verdict verdict);

/* The thread, from its start to its end; its argument is the datapath. */
void *datapath_thread(void *argument);

#endif
