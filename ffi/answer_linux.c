// SPDX-License-Identifier: Apache-2.0
/*
 * A UDP socket whose known queries are answered where they are received, on the thread that waits
 * for them: only what is not known wakes JavaScript. Source: recvmmsg(2), sendmmsg(2)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "address.h"
#include "answer.h"
#include "vnet_shim.h"

#define BATCH_LIMIT 64
/* So many at once are a rush, in which it is looked again so often before waiting. */
#define BUSY 4
#define SPINS 10
/* After so many looks the caller has its turn, whatever there is. */
#define LOOKS_IN_A_ROW 64

struct responder {
	pthread_mutex_t lock; /* over all that follows */
	struct answers *answers;
	uint64_t given;
};

/* Where what is not known goes: the caller's slots. */
struct slots {
	uint8_t *data;
	uint32_t slot_len;
	uint8_t *sources;
	uint32_t *lengths;
	uint32_t count;
};

/* One batch: datagrams come in through it, replies go out. */
struct batch {
	struct mmsghdr messages[BATCH_LIMIT];
	struct iovec iovs[BATCH_LIMIT];
	union endpoint endpoints[BATCH_LIMIT];
	struct mmsghdr replies[BATCH_LIMIT];
	struct iovec reply_iovs[BATCH_LIMIT];
	uint8_t reply_bytes[BATCH_LIMIT][ANSWER_MAX_SIZE];
};

static struct responder *from_handle(int64_t handle)
{
	return (struct responder *)(uintptr_t)handle;
}

int64_t vnet_answers_open(void)
{
	struct responder *responder = calloc(1, sizeof(*responder));
	uint64_t seed;
	int ret;

	if (!responder)
		return -ENOMEM;
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		free(responder);
		return -EIO;
	}
	responder->answers = answers_create(seed);
	ret = responder->answers ? pthread_mutex_init(&responder->lock, NULL) : ENOMEM;
	if (ret) {
		answers_destroy(responder->answers);
		free(responder);
		return -ret;
	}
	return (int64_t)(uintptr_t)responder;
}

int32_t vnet_answers_put(int64_t handle, const uint8_t *query, uint32_t query_len,
			 const uint8_t *reply, uint32_t reply_len)
{
	struct responder *responder = from_handle(handle);
	int32_t ret;

	pthread_mutex_lock(&responder->lock);
	ret = answers_put(responder->answers, query, query_len, reply, reply_len);
	pthread_mutex_unlock(&responder->lock);
	return ret;
}

int32_t vnet_answers_clear(int64_t handle)
{
	struct responder *responder = from_handle(handle);

	pthread_mutex_lock(&responder->lock);
	answers_clear(responder->answers);
	pthread_mutex_unlock(&responder->lock);
	return 0;
}

int64_t vnet_answers_given(int64_t handle)
{
	struct responder *responder = from_handle(handle);
	int64_t given;

	pthread_mutex_lock(&responder->lock);
	given = (int64_t)responder->given;
	pthread_mutex_unlock(&responder->lock);
	return given;
}

int32_t vnet_answers_free(int64_t handle)
{
	struct responder *responder = from_handle(handle);

	pthread_mutex_destroy(&responder->lock);
	answers_destroy(responder->answers);
	free(responder);
	return 0;
}

static int32_t receive(int32_t fd, struct batch *batch, const struct slots *slots)
{
	int32_t received;

	for (uint32_t i = 0; i < slots->count; i++) {
		batch->iovs[i].iov_base = slots->data + (size_t)i * slots->slot_len;
		batch->iovs[i].iov_len = slots->slot_len;
		batch->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->endpoints[i],
			.msg_namelen = sizeof(batch->endpoints[i]),
			.msg_iov = &batch->iovs[i],
			.msg_iovlen = 1,
		};
	}
	do {
		received = recvmmsg(fd, batch->messages, slots->count, MSG_DONTWAIT, NULL);
	} while (received < 0 && errno == EINTR);
	return received < 0 ? -errno : received;
}

/* What the kernel will not take is lost, as UDP may be. */
static void send_replies(int32_t fd, struct batch *batch, uint32_t count)
{
	for (uint32_t at = 0; at < count;) {
		int32_t sent =
			sendmmsg(fd, batch->replies + at, count - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		/* the first one cannot be sent: the others still can */
		at += sent > 0 ? (uint32_t)sent : 1;
	}
}

/* Makes the reply to a datagram the next one to go. Returns whether there is one. */
static uint32_t prepare_reply(const struct answers *answers, struct batch *batch, uint32_t i,
			      uint32_t reply)
{
	struct msghdr *from = &batch->messages[i].msg_hdr;
	uint32_t len;

	if (from->msg_flags & MSG_TRUNC)
		return 0;
	len = answers_find(answers, from->msg_iov->iov_base, batch->messages[i].msg_len,
			   batch->reply_bytes[reply]);
	if (len == 0)
		return 0;
	batch->reply_iovs[reply] = (struct iovec){ batch->reply_bytes[reply], len };
	batch->replies[reply].msg_hdr = (struct msghdr){
		.msg_name = from->msg_name,
		.msg_namelen = from->msg_namelen,
		.msg_iov = &batch->reply_iovs[reply],
		.msg_iovlen = 1,
	};
	return 1;
}

/* Moves what is not known to the slots' beginning. */
static void keep(const struct batch *batch, uint32_t i, const struct slots *slots, uint32_t kept)
{
	uint32_t len = batch->messages[i].msg_len;

	if (batch->messages[i].msg_hdr.msg_flags & MSG_TRUNC)
		len = 0;
	if (kept != i)
		memcpy(slots->data + (size_t)kept * slots->slot_len,
		       slots->data + (size_t)i * slots->slot_len, len);
	slots->lengths[kept] = len;
	endpoint_write(&batch->endpoints[i], slots->sources + (size_t)kept * ENDPOINT_RECORD_SIZE);
}

/*
 * Receives one batch and answers what is known. Returns how many datagrams were not, or -errno;
 * *received is set to how many there were.
 */
static int32_t serve_batch(struct responder *responder, int32_t fd, struct batch *batch,
			   const struct slots *slots, int32_t *received)
{
	uint32_t replies = 0, kept = 0;

	*received = receive(fd, batch, slots);
	if (*received < 0)
		return *received;
	pthread_mutex_lock(&responder->lock);
	for (uint32_t i = 0; i < (uint32_t)*received; i++) {
		if (prepare_reply(responder->answers, batch, i, replies))
			replies++;
		else
			keep(batch, i, slots, kept++);
	}
	responder->given += replies;
	pthread_mutex_unlock(&responder->lock);
	send_replies(fd, batch, replies);
	return (int32_t)kept;
}

/*
 * Serves until something is not known, nothing is there, or so many looks are done: then 0. In a
 * rush the next datagrams come sooner than a thread could go to sleep and be woken for them.
 */
static int32_t serve(int64_t handle, int32_t fd, struct slots slots)
{
	struct batch batch;
	uint32_t patience = 0;

	if (slots.count > BATCH_LIMIT)
		slots.count = BATCH_LIMIT;
	memset(batch.messages, 0, sizeof(batch.messages));
	memset(batch.replies, 0, sizeof(batch.replies));
	for (uint32_t looks = 0; looks < LOOKS_IN_A_ROW; looks++) {
		int32_t received = 0;
		int32_t kept = serve_batch(from_handle(handle), fd, &batch, &slots, &received);

		if (kept > 0 || (kept < 0 && kept != -EAGAIN))
			return kept;
		if (received >= BUSY)
			patience = SPINS;
		else if (received < 0 && patience-- == 0)
			return 0;
	}
	return 0;
}

int32_t vnet_answers_receive(int64_t handle, int32_t fd, uint8_t *data, uint32_t slot_len,
			     uint8_t *sources, uint32_t *lengths, uint32_t count)
{
	return serve(handle, fd, (struct slots){ data, slot_len, sources, lengths, count });
}

int32_t vnet_answers_wait(int64_t handle, int32_t fd, uint8_t *data, uint32_t slot_len,
			  uint8_t *sources, uint32_t *lengths, uint32_t count, int32_t wake_fd)
{
	struct slots slots = { data, slot_len, sources, lengths, count };
	int32_t kept = 0;

	while (kept == 0) {
		int32_t ready = vnet_wait(fd, 1, wake_fd, -1);

		if (ready < 0)
			return ready;
		kept = serve(handle, fd, slots);
	}
	return kept;
}
