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
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "diag_linux.h"
#include "nat.h"
#include "vnet_shim.h"

/* A whole IP packet, and room to put an ICMP header before it. */
#define BUFFER_SIZE (65536u + 4096u)
#define HEADER_SIZE ((uint32_t)sizeof(struct virtio_net_hdr))
/* Where packets start in a buffer: behind the device's header, on a multiple of 4. */
#define HEADROOM 12u
/* A buffer for a packet made of a held SYN. */
#define SMALL_BUFFER_SIZE (HEADROOM + PACKET_HEADERS_LIMIT + 64u)

_Static_assert(sizeof(struct virtio_net_hdr) <= HEADROOM, "the device's header fits");
/* Packets per turn, so that timers and the end are never starved. */
#define BURST 256
#define SWEEP_MS 1000
/* How long to leave a device alone that cannot be read but still exists: its link is down. */
#define DOWN_MS 100

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

_Static_assert((int)IO_COUNTERS == (int)NAT_SYNS_HELD, "the counters follow each other");
_Static_assert(NAT_HELD_NOW + 1 == VNET_STATS_COUNT, "every counter has a place");

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

static uint64_t now_ms(void)
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
static int32_t send_answer(struct datapath *datapath, const struct packet *packet,
			   enum nat_verdict verdict)
{
	if (!is_local(datapath, packet, packet->destination)) {
		pthread_mutex_lock(&datapath->lock);
		nat_foreign(datapath->nat);
		pthread_mutex_unlock(&datapath->lock);
		return 0;
	}
	/*
	 * A firewall that accepts only "established" knows a RST for the answer to its SYN, but an
	 * ICMP error is merely "related": that one takes the way through lo where it can.
	 */
	if (verdict == NAT_ERROR && is_self(datapath, packet, packet->destination))
		return inject_packet(datapath, packet);
	memset(packet->data - datapath->header_len, 0, datapath->header_len);
	return write_packet(datapath, packet);
}

static int32_t send_packet(struct datapath *datapath, const struct packet *packet,
			   enum nat_verdict verdict)
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

	if (!known)
		known = !(datapath->flags & VNET_DATAPATH_OWNER_REQUIRED) &&
			is_local(datapath, packet, packet->source);
	pthread_mutex_lock(&datapath->lock);
	if (known)
		verdict = nat_hold(datapath->nat, packet, &owner, now);
	else
		verdict = nat_refuse(datapath->nat, packet);
	if (verdict == NAT_DROP)
		pthread_cond_broadcast(&datapath->changed);
	pthread_mutex_unlock(&datapath->lock);
	send_packet(datapath, packet, verdict);
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
		send_packet(datapath, &packet, verdict);
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
		send_packet(datapath, &packet, verdict);
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
	uint64_t now = now_ms(), next_sweep = now + SWEEP_MS, deadline;
	int32_t ret = 0;

	while (ret >= 0) {
		now = now_ms();
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

static void *thread_main(void *argument)
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

/* ---- the functions of vnet_shim.h ----------------------------------------------------- */

static struct datapath *from_handle(int64_t handle)
{
	return (struct datapath *)(uintptr_t)handle;
}

static void read_config(struct nat_config *config, const uint8_t *addresses, uint32_t addresses_len)
{
	memcpy(config->self[0], addresses, 4);
	memcpy(config->peer[0], addresses + 4, 4);
	if (addresses_len < 56)
		return;
	memcpy(config->self[1], addresses + 8, 16);
	memcpy(config->peer[1], addresses + 24, 16);
	memcpy(config->network6, addresses + 40, 16);
	config->has_ipv6 = 1;
}

static int32_t init_lock(struct datapath *datapath)
{
	pthread_condattr_t attributes;
	int ret;

	ret = pthread_mutex_init(&datapath->lock, NULL);
	if (ret)
		return -ret;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	ret = pthread_cond_init(&datapath->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (ret)
		pthread_mutex_destroy(&datapath->lock);
	return -ret;
}

static int32_t start_thread(struct datapath *datapath)
{
	sigset_t all, before;
	int ret;

	/* signals are for the runtime's threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&datapath->thread, NULL, thread_main, datapath);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret == 0)
		pthread_setname_np(datapath->thread, "vnet-packets");
	return -ret;
}

static void free_datapath(struct datapath *datapath)
{
	if (datapath->diag_fd >= 0)
		close(datapath->diag_fd);
	if (datapath->stop_fd >= 0)
		close(datapath->stop_fd);
	if (datapath->nat)
		nat_destroy(datapath->nat);
	pthread_cond_destroy(&datapath->changed);
	pthread_mutex_destroy(&datapath->lock);
	free(datapath);
}

/* Opens what the thread needs and starts it. Returns 0, or -errno. */
static int32_t start(struct datapath *datapath)
{
	if (getrandom(&datapath->config.seed, sizeof(datapath->config.seed), 0) !=
	    sizeof(datapath->config.seed))
		return -EIO;
	datapath->nat = nat_create(&datapath->config);
	if (!datapath->nat)
		return -EINVAL;
	datapath->diag_fd = diag_open();
	if (datapath->diag_fd < 0)
		return datapath->diag_fd;
	datapath->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (datapath->stop_fd < 0)
		return -errno;
	return start_thread(datapath);
}

int64_t vnet_datapath_start(int32_t tun_fd, uint32_t vnet_header, int32_t raw4_fd, int32_t raw6_fd,
			    uint32_t ifindex, const uint8_t *addresses, uint32_t addresses_len,
			    uint32_t listen_port4, uint32_t listen_port6, uint32_t max_held,
			    uint32_t held_timeout_ms, uint32_t flags)
{
	struct datapath *datapath;
	int32_t ret;

	if ((addresses_len != 8 && addresses_len != 56) || listen_port4 > 65535 ||
	    listen_port6 > 65535 || (addresses_len == 56 && raw6_fd < 0))
		return -EINVAL;
	datapath = calloc(1, sizeof(*datapath));
	if (!datapath)
		return -ENOMEM;
	datapath->tun_fd = tun_fd;
	datapath->raw_fds[0] = raw4_fd;
	datapath->raw_fds[1] = raw6_fd;
	datapath->diag_fd = datapath->stop_fd = -1;
	datapath->header_len = vnet_header ? HEADER_SIZE : 0;
	datapath->ifindex = ifindex;
	datapath->flags = flags;
	read_config(&datapath->config, addresses, addresses_len);
	datapath->config.listen_port[0] = (uint16_t)listen_port4;
	datapath->config.listen_port[1] = (uint16_t)listen_port6;
	datapath->config.max_held = max_held;
	datapath->config.held_timeout_ms = held_timeout_ms;
	ret = init_lock(datapath);
	if (ret < 0) {
		free(datapath);
		return ret;
	}
	ret = start(datapath);
	if (ret < 0) {
		free_datapath(datapath);
		return ret;
	}
	return (int64_t)(uintptr_t)datapath;
}

int32_t vnet_datapath_networks(int64_t handle, const uint8_t *networks, uint32_t networks_len)
{
	struct datapath *datapath = from_handle(handle);
	int32_t ret;

	if (networks_len % VNET_NETWORK_RECORD_SIZE)
		return -EINVAL;
	pthread_mutex_lock(&datapath->lock);
	ret = nat_set_networks(datapath->nat, networks, networks_len / VNET_NETWORK_RECORD_SIZE);
	pthread_mutex_unlock(&datapath->lock);
	return ret;
}

int32_t vnet_datapath_leases(int64_t handle, const uint8_t *addresses, uint32_t addresses_len,
			     uint32_t add)
{
	struct datapath *datapath = from_handle(handle);
	int32_t ret;

	if (addresses_len % 4)
		return -EINVAL;
	pthread_mutex_lock(&datapath->lock);
	ret = nat_lease(datapath->nat, addresses, addresses_len / 4, add);
	pthread_mutex_unlock(&datapath->lock);
	return ret;
}

static struct timespec deadline_in(int32_t timeout_ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += timeout_ms / 1000;
	deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (deadline.tv_nsec >= 1000000000L) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000L;
	}
	return deadline;
}

/* With the lock: waits until something changed. Returns 0, or ETIMEDOUT. */
static int wait_for_change(struct datapath *datapath, int32_t timeout_ms,
			   const struct timespec *deadline)
{
	if (timeout_ms < 0)
		return pthread_cond_wait(&datapath->changed, &datapath->lock);
	return pthread_cond_timedwait(&datapath->changed, &datapath->lock, deadline);
}

int32_t vnet_datapath_events(int64_t handle, uint8_t *out, uint32_t out_len, int32_t timeout_ms)
{
	struct timespec deadline = deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
	struct datapath *datapath = from_handle(handle);
	uint32_t limit = out_len / VNET_FLOW_RECORD_SIZE, taken = 0;
	int32_t ret;

	if (limit == 0)
		return -ENOSPC;
	pthread_mutex_lock(&datapath->lock);
	datapath->waiters++;
	for (;;) {
		if (datapath->stopped || datapath->error) {
			ret = datapath->stopped ? -ECANCELED : -datapath->error;
			break;
		}
		taken = nat_take(datapath->nat, out, limit);
		ret = (int32_t)taken;
		if (taken || datapath->woken ||
		    wait_for_change(datapath, timeout_ms, &deadline) == ETIMEDOUT)
			break;
	}
	datapath->woken = 0;
	datapath->waiters--;
	pthread_mutex_unlock(&datapath->lock);
	return ret;
}

int32_t vnet_datapath_wake(int64_t handle)
{
	struct datapath *datapath = from_handle(handle);

	pthread_mutex_lock(&datapath->lock);
	datapath->woken = 1;
	pthread_cond_broadcast(&datapath->changed);
	pthread_mutex_unlock(&datapath->lock);
	return 0;
}

int32_t vnet_datapath_answer(int64_t handle, uint64_t id, uint32_t answer)
{
	uint8_t buffer[SMALL_BUFFER_SIZE];
	struct packet packet = { .data = buffer + HEADROOM, .capacity = sizeof(buffer) - HEADROOM };
	struct datapath *datapath = from_handle(handle);
	enum nat_verdict verdict;

	pthread_mutex_lock(&datapath->lock);
	verdict = nat_answer(datapath->nat, id, answer, &packet, now_ms());
	pthread_mutex_unlock(&datapath->lock);
	return verdict == NAT_DROP ? -ENOENT : send_packet(datapath, &packet, verdict);
}

int32_t vnet_datapath_flow(int64_t handle, uint32_t family, uint32_t port, uint8_t *out,
			   uint32_t out_len)
{
	struct datapath *datapath = from_handle(handle);
	int32_t ret;

	if ((family != 4 && family != 6) || port > 65535 || out_len < VNET_FLOW_RECORD_SIZE)
		return -EINVAL;
	pthread_mutex_lock(&datapath->lock);
	ret = nat_flow(datapath->nat, family == 6, (uint16_t)port, out);
	pthread_mutex_unlock(&datapath->lock);
	return ret;
}

int32_t vnet_datapath_stats(int64_t handle, uint64_t *out, uint32_t out_count)
{
	struct datapath *datapath = from_handle(handle);

	if (out_count < VNET_STATS_COUNT)
		return -ENOSPC;
	for (uint32_t i = 0; i < IO_COUNTERS; i++)
		out[i] = atomic_load_explicit(&datapath->counters[i], memory_order_relaxed);
	pthread_mutex_lock(&datapath->lock);
	nat_stats(datapath->nat, out);
	pthread_mutex_unlock(&datapath->lock);
	return 0;
}

static void refuse_all(struct datapath *datapath)
{
	uint8_t buffer[SMALL_BUFFER_SIZE];
	struct packet packet = { .data = buffer + HEADROOM, .capacity = sizeof(buffer) - HEADROOM };
	enum nat_verdict verdict;

	do {
		pthread_mutex_lock(&datapath->lock);
		verdict = nat_refuse_held(datapath->nat, &packet);
		pthread_mutex_unlock(&datapath->lock);
		send_packet(datapath, &packet, verdict);
	} while (verdict != NAT_DROP);
}

int32_t vnet_datapath_stop(int64_t handle)
{
	struct datapath *datapath = from_handle(handle);
	int32_t ret;

	if (datapath->stopped)
		return 0;
	if (eventfd_write(datapath->stop_fd, 1) < 0)
		return -errno;
	ret = pthread_join(datapath->thread, NULL);
	if (ret)
		return -ret;
	refuse_all(datapath);
	pthread_mutex_lock(&datapath->lock);
	datapath->stopped = 1;
	pthread_cond_broadcast(&datapath->changed);
	pthread_mutex_unlock(&datapath->lock);
	return 0;
}

int32_t vnet_datapath_free(int64_t handle)
{
	struct datapath *datapath = from_handle(handle);
	int busy;

	pthread_mutex_lock(&datapath->lock);
	busy = !datapath->stopped || datapath->waiters > 0;
	pthread_mutex_unlock(&datapath->lock);
	if (busy)
		return -EBUSY;
	free_datapath(datapath);
	return 0;
}
