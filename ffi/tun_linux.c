// SPDX-License-Identifier: Apache-2.0
/* TUN devices. Source: kernel Documentation/networking/tuntap.rst, drivers/net/tun.c */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vnet_shim.h"

/* Says that packets come with a virtio_net_hdr and what the kernel may leave to its reader. */
static int32_t enable_offloads(int32_t fd)
{
	int size = sizeof(struct virtio_net_hdr);
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
		return -errno;
	if (ioctl(fd, TUNSETOFFLOAD, offloads) < 0)
		return -errno;
	return 0;
}

int32_t vnet_tun_open(const char *name, uint32_t vnet_header, char *name_out, uint32_t name_out_len)
{
	struct ifreq ifr = { 0 };
	int32_t fd = -1;
	int32_t ret;

	if (name_out_len < IFNAMSIZ)
		return -ENOSPC;
	if (snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;

	/* TUN_EXCL: a device that exists, even an idle persistent one, is somebody else's */
	ifr.ifr_flags =
		(short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | (vnet_header ? IFF_VNET_HDR : 0));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		ret = -errno;
		goto out;
	}
	ret = vnet_header ? enable_offloads(fd) : 0;
	if (ret < 0)
		goto out;
	snprintf(name_out, name_out_len, "%s", ifr.ifr_name);
	return fd;

out:
	close(fd);
	return ret;
}
