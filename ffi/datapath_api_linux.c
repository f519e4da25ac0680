// SPDX-License-Identifier: Apache-2.0
/* Starts the packet thread, asks it and tells it things, and ends it: the functions of vnet_shim.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
#include "datapath.h"
#include "diag_linux.h"
#include "nat.h"
#include "vnet_shim.h"

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
	ret = pthread_create(&datapath->thread, NULL, datapath_thread, datapath);
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

/* The given one stays the caller's. Returns a socket, or -errno. */
static int32_t copy_or_open_diag(int32_t diag_fd)
{
	int32_t fd;

	if (diag_fd < 0)
		return diag_open();
	fd = fcntl(diag_fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Opens what the thread needs and starts it. Returns 0, or -errno. */
static int32_t start(struct datapath *datapath, int32_t diag_fd)
{
	if (getrandom(&datapath->config.seed, sizeof(datapath->config.seed), 0) !=
	    sizeof(datapath->config.seed))
		return -EIO;
	datapath->nat = nat_create(&datapath->config);
	if (!datapath->nat)
		return -EINVAL;
	datapath->diag_fd = copy_or_open_diag(diag_fd);
	if (datapath->diag_fd < 0)
		return datapath->diag_fd;
	datapath->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (datapath->stop_fd < 0)
		return -errno;
	return start_thread(datapath);
}

int64_t vnet_datapath_start(int32_t tun_fd, uint32_t vnet_header, int32_t raw4_fd, int32_t raw6_fd,
			    int32_t diag_fd, uint32_t ifindex, const uint8_t *addresses, uint32_t addresses_len,
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
	ret = start(datapath, diag_fd);
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
	verdict = nat_answer(datapath->nat, id, answer, &packet, datapath_now_ms());
	pthread_mutex_unlock(&datapath->lock);
	return verdict == NAT_DROP ? -ENOENT : datapath_send(datapath, &packet, verdict);
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
		datapath_send(datapath, &packet, verdict);
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
