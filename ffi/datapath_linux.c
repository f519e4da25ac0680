// SPDX-License-Identifier: Apache-2.0
/*
 * The packet thread: reads the TUN device, lets nat.c decide, and sends. Everything that decides is
 * in nat.c; what needs the machine (sockets' owners, what an address of this host is, the clock) is
 * asked here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "datapath.h"
#include "diag_linux.h"
#include "nat.h"
#include "vnet_shim.h"

/* Packets per turn, so that timers and the end are never starved. */
#define BURST 256
#define SWEEP_MS 1000
/* How long to leave a device alone that cannot be read but still exists: its link is down. */
#define DOWN_MS 100
/* A whole IP packet, and room to put an ICMP header before it. */
#define BUFFER_SIZE (65536u + 4096u)

_Static_assert(sizeof(struct virtio_net_hdr) <= HEADROOM, "the device's header fits");
_Static_assert((int)IO_COUNTERS == (int)NAT_SYNS_HELD, "the counters follow each other");
_Static_assert(NAT_HELD_NOW + 1 == VNET_STATS_COUNT, "every counter has a place");

uint64_t datapath_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void count(struct datapath *datapath, enum io_counter counter, uint64_t amount)
{
	atomic_fetch_add_explicit(&datapath->counters[counter], amount, memory_order_relaxed);
}

/* ---- sending ---------------------------------------------------------------------- */

/* Writes a packet to the device; its header lies before the data. */
static int32_t write_packet(struct datapath *datapath, const struct packet *packet)
{
	const uint8_t *start = packet->data - datapath->header_len;
	ssize_t written;

	do {
		written = write(datapath->tun_fd, start, packet->len + datapath->header_len);
	} while (written < 0 && errno == EINTR);
	if (written < 0) {
		count(datapath, IO_WRITE_ERRORS, 1);
		return -errno;
	}
	count(datapath, IO_PACKETS_WRITTEN, 1);
	count(datapath, IO_BYTES_WRITTEN, packet->len);
	return 0;
}

/* Sends a packet to an address of ours through lo, where every firewall lets it in. */
static int32_t inject_packet(struct datapath *datapath, const struct packet *packet)
{
	ssize_t sent;

	do {
		sent = send(datapath->raw_fds[packet->v6], packet->data, packet->len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	count(datapath, sent < 0 ? IO_INJECT_ERRORS : IO_INJECTED, 1);
	return sent < 0 ? -errno : 0;
}

static int is_self(const struct datapath *datapath, const struct packet *packet,
		   const uint8_t *address)
{
	return memcmp(address, datapath->config.self[packet->v6], packet->address_len) == 0;
}

/* Tells whether an address is one of this host's: only such can be bound. */
static int is_local(const struct datapath *datapath, const struct packet *packet,
		    const uint8_t *address)
{
	union endpoint endpoint;
	socklen_t len = endpoint_set(&endpoint, address, packet->address_len, 0);
	int local, fd;

	if (is_self(datapath, packet, address))
		return 1;
	fd = socket(endpoint.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	local = bind(fd, &endpoint.any, len) == 0;
	close(fd);
	return local;
}

/* Sends an answer of our own, but only to this host: from outside, the network does not exist. */
static int32_t send_answer(struct datapath *datapath, struct packet *packet,
			   enum nat_verdict verdict)
{
	if (!is_local(datapath, packet, packet->destination)) {
		pthread_mutex_lock(&datapath->lock);
		nat_foreign(datapath->nat);
		pthread_mutex_unlock(&datapath->lock);
		return 0;
	}
	/*
	 * A firewall that accepts only "established" drops an ICMP error, which is merely "related",
	 * unless it comes through lo; and out of the link nothing is forwarded, not even the RST that
	 * NAT would lead on to a container.
	 */
	if (is_self(datapath, packet, packet->destination) &&
	    (verdict == NAT_ERROR || packet_is_ours(packet)))
		return inject_packet(datapath, packet);
	memset(packet->data - datapath->header_len, 0, datapath->header_len);
	return write_packet(datapath, packet);
}

int32_t datapath_send(struct datapath *datapath, struct packet *packet, enum nat_verdict verdict)
{
	switch (verdict) {
	case NAT_FORWARD:
		return write_packet(datapath, packet);
	case NAT_INJECT:
		return inject_packet(datapath, packet);
	case NAT_ANSWER:
	case NAT_ERROR:
		return send_answer(datapath, packet, verdict);
	default:
		return 0;
	}
}

/* ---- the thread --------------------------------------------------------------------- */

/* Finds whose SYN this is. Returns 0, or -errno. */
static int32_t find_owner(struct datapath *datapath, const struct packet *packet,
			  struct nat_owner *owner)
{
	const struct diag_query query = {
		.source = packet->source,
		.destination = packet->destination,
		.address_len = packet->address_len,
		.source_port = ntohs(packet_source_port(packet)),
		.destination_port = ntohs(packet_destination_port(packet)),
		.ifindex = datapath->ifindex,
	};

	owner->uid = NAT_NO_OWNER;
	owner->inode = 0;
	return diag_owner(datapath->diag_fd, &query, &owner->uid, &owner->inode);
}

static void handle_syn(struct datapath *datapath, struct packet *packet, uint64_t now)
{
	enum nat_verdict verdict;
	struct nat_owner owner;
	int known = find_owner(datapath, packet, &owner) == 0;

	/*
	 * NAT for containers has them come from the link's own address. Any other address of this host
	 * can be written by its neighbours, where it forwards: IPv6 finds no martians.
	 */
	if (!known)
		known = !(datapath->flags & VNET_DATAPATH_OWNER_REQUIRED) &&
			is_self(datapath, packet, packet->source);
	pthread_mutex_lock(&datapath->lock);
	if (known)
		verdict = nat_hold(datapath->nat, packet, &owner, now);
	else
		verdict = nat_refuse(datapath->nat, packet);
	if (verdict == NAT_DROP)
		pthread_cond_broadcast(&datapath->changed);
	pthread_mutex_unlock(&datapath->lock);
	datapath_send(datapath, packet, verdict);
}

/* Reads the virtio_net_hdr into the packet, and leaves in it what may go back to the device. */
static void read_header(struct datapath *datapath, struct packet *packet)
{
	struct virtio_net_hdr header;

	if (!datapath->header_len)
		return;
	memcpy(&header, packet->data - HEADER_SIZE, HEADER_SIZE);
	/* DATA_VALID is a promise of the kernel to us; it does not take it from us */
	header.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	memcpy(packet->data - HEADER_SIZE, &header, HEADER_SIZE);
	packet->partial = header.flags != 0;
	packet->checksum_start = header.csum_start;
	packet->checksum_offset = header.csum_offset;
}

static void handle_packet(struct datapath *datapath, uint8_t *data, uint32_t len, uint64_t now)
{
	struct packet packet = {
		.data = data,
		.len = len,
		.capacity = BUFFER_SIZE - HEADROOM,
	};
	enum nat_verdict verdict;

	read_header(datapath, &packet);
	pthread_mutex_lock(&datapath->lock);
	verdict = nat_packet(datapath->nat, &packet, now);
	pthread_mutex_unlock(&datapath->lock);
	if (verdict == NAT_SYN)
		handle_syn(datapath, &packet, now);
	else
		datapath_send(datapath, &packet, verdict);
}

/* Reads up to a burst. Returns 0 when there is no more, 1 when there may be, or -errno. */
static int32_t read_burst(struct datapath *datapath, uint8_t *data, uint64_t now)
{
	uint8_t *start = data - datapath->header_len;

	for (uint32_t i = 0; i < BURST; i++) {
		ssize_t len = read(datapath->tun_fd, start, BUFFER_SIZE - HEADROOM);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		count(datapath, IO_PACKETS_READ, 1);
		count(datapath, IO_BYTES_READ, (uint64_t)len);
		if ((uint64_t)len > datapath->header_len)
			handle_packet(datapath, data, (uint32_t)len - datapath->header_len, now);
	}
	return 1;
}

/* Refuses what was held too long. Returns when there is more to do, in ms; UINT64_MAX for never. */
static uint64_t expire(struct datapath *datapath, uint64_t now)
{
	uint8_t buffer[SMALL_BUFFER_SIZE];
	struct packet packet = { .data = buffer + HEADROOM, .capacity = sizeof(buffer) - HEADROOM };
	enum nat_verdict verdict;
	uint64_t deadline;

	do {
		pthread_mutex_lock(&datapath->lock);
		verdict = nat_expire(datapath->nat, &packet, now);
		deadline = nat_deadline(datapath->nat);
		pthread_mutex_unlock(&datapath->lock);
		datapath_send(datapath, &packet, verdict);
	} while (verdict != NAT_DROP);
	return deadline;
}

static void sweep(struct datapath *datapath, uint64_t now)
{
	pthread_mutex_lock(&datapath->lock);
	nat_sweep(datapath->nat, now);
	pthread_mutex_unlock(&datapath->lock);
}

/* Waits for packets, the end, or a deadline. Returns 0 to go on, -ECANCELED at the end. */
static int32_t wait_for_work(struct datapath *datapath, uint64_t until, uint64_t now)
{
	struct pollfd fds[2] = {
		{ .fd = datapath->tun_fd, .events = POLLIN },
		{ .fd = datapath->stop_fd, .events = POLLIN },
	};
	int timeout = until <= now ? 0 : (int)(until - now);

	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		return -errno;
	return fds[1].revents ? -ECANCELED : 0;
}

/* Leaves a device alone whose link is down. Returns 0 to go on, or -errno when it is gone. */
static int32_t wait_for_link(struct datapath *datapath, int32_t error)
{
	struct pollfd stop = { .fd = datapath->stop_fd, .events = POLLIN };

	count(datapath, IO_READ_ERRORS, 1);
	if (error == -EBADFD || error == -EBADF || error == -ENODEV)
		return error;
	return poll(&stop, 1, DOWN_MS) > 0 ? -ECANCELED : 0;
}

static int32_t run(struct datapath *datapath, uint8_t *data)
{
	uint64_t now = datapath_now_ms(), next_sweep = now + SWEEP_MS, deadline;
	int32_t ret = 0;

	while (ret >= 0) {
		now = datapath_now_ms();
		ret = read_burst(datapath, data, now);
		if (ret < 0)
			ret = wait_for_link(datapath, ret);
		if (ret < 0)
			break;
		deadline = expire(datapath, now);
		if (now >= next_sweep) {
			sweep(datapath, now);
			next_sweep = now + SWEEP_MS;
		}
		if (deadline > next_sweep)
			deadline = next_sweep;
		ret = wait_for_work(datapath, ret ? now : deadline, now);
	}
	return ret;
}

void *datapath_thread(void *argument)
{
	struct datapath *datapath = argument;
	uint8_t *buffer = malloc(BUFFER_SIZE);
	int32_t error = ENOMEM;

	if (buffer)
		error = -run(datapath, buffer + HEADROOM);
	free(buffer);
	pthread_mutex_lock(&datapath->lock);
	if (error != ECANCELED)
		datapath->error = error;
	pthread_cond_broadcast(&datapath->changed);
	pthread_mutex_unlock(&datapath->lock);
	return NULL;
}
