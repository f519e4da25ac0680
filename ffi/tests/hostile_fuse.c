// SPDX-License-Identifier: Apache-2.0
/*
 * A file system with one file, "f", that leaves some of what it is asked unanswered: whoever asks
 * is in uninterruptible sleep until this process ends, which it does by itself after LIFETIME_S.
 *
 *   hostile_fuse serve MOUNTPOINT OPERATION...   mounts itself (root), says "ready", and tells of
 *                                                each request that it leaves unanswered
 *   hostile_fuse send FILE MESSAGE [dirty]       sends a message with a descriptor of the file to
 *                                                the socket of messages that it has as descriptor 3;
 *                                                dirty: with a socket in whose queue it is, and
 *                                                the file has pages to be written.
 *                                                Says "sent" when it has let go of it itself
 *
 * Source: fuse(4), linux/fuse.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_NODE 2
#define FILE_SIZE 4096
#define BUFFER_SIZE (1024 * 1024 + 4096)
#define MAX_WRITE 131072
#define LIFETIME_S 20
#define SOCKET_FD 3

static const struct {
	const char *name;
	uint32_t opcode;
} KINDS[] = {
	{ "flush", FUSE_FLUSH },
	{ "getattr", FUSE_GETATTR },
	{ "release", FUSE_RELEASE },
	{ "write", FUSE_WRITE },
	{ "read", FUSE_READ },
};

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void answer(int device, uint64_t unique, int32_t error, const void *body, size_t len)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + len), .error = error, .unique = unique
	};
	struct iovec parts[2] = { { &header, sizeof(header) }, { (void *)(uintptr_t)body, len } };

	/* ENOENT: whoever asked was killed meanwhile */
	if (writev(device, parts, len > 0 ? 2 : 1) < 0 && errno != ENOENT)
		fail("writev");
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = node == FILE_NODE ? FILE_SIZE : 0,
		.mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
	};
}

static void serve(int device, const struct fuse_in_header *in, const void *body)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = FUSE_KERNEL_MINOR_VERSION,
				      .max_write = MAX_WRITE,
				      .flags = FUSE_WRITEBACK_CACHE };
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { .fh = 1 };
	static const char zeros[FILE_SIZE];

	switch (in->opcode) {
	case FUSE_INIT:
		answer(device, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		if (strcmp(body, "f") == 0)
			answer(device, in->unique, 0, &entry, sizeof(entry));
		else
			answer(device, in->unique, -ENOENT, NULL, 0);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		answer(device, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(device, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		answer(device, in->unique, 0, zeros, sizeof(zeros));
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		answer(device, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(device, in->unique, -ENOSYS, NULL, 0);
	}
}

static int serve_all(const char *mountpoint, uint64_t silent)
{
	static uint8_t buffer[BUFFER_SIZE];
	char options[64];
	int device;

	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 device);
	if (mount("hostile", mountpoint, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		fail("mount");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	alarm(LIFETIME_S);
	for (;;) {
		ssize_t len = read(device, buffer, sizeof(buffer));
		const struct fuse_in_header *in = (const void *)buffer;

		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < (ssize_t)sizeof(*in))
			return 0; /* unmounted */
		if (in->opcode < 64 && silent >> in->opcode & 1)
			printf("left %u of %u\n", in->opcode, in->pid);
		else
			serve(device, in, buffer + sizeof(*in));
	}
}

static void send_descriptor(int to, const char *text, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
		fail("sendmsg");
	close(fd);
}

static int send_file(const char *path, const char *text, int dirty)
{
	int writer = open(path, O_RDWR), fd = open(path, O_RDWR), pair[2];

	if (fd < 0 || writer < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		fail(path);
	if (dirty) {
		/* in a socket's queue it is nobody's when the pages become dirty */
		send_descriptor(pair[0], "queued", fd);
		if (write(writer, "dirty", 5) != 5)
			fail("write");
		fd = pair[1];
	}
	close(pair[0]);
	send_descriptor(SOCKET_FD, text, fd);
	close(SOCKET_FD);
	puts("sent");
	fflush(stdout);
	pause();
	return 0;
}

int main(int count, char **words)
{
	uint64_t silent = 0;

	if (count >= 4 && strcmp(words[1], "send") == 0)
		return send_file(words[2], words[3], count > 4);
	if (count < 3)
		return 2;
	for (int i = 3; i < count; i++)
		for (size_t k = 0; k < sizeof(KINDS) / sizeof(*KINDS); k++)
			if (strcmp(words[i], KINDS[k].name) == 0)
				silent |= 1ull << KINDS[k].opcode;
	return serve_all(words[2], silent);
}
