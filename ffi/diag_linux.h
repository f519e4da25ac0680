/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_DIAG_LINUX_H
#define VNET_DIAG_LINUX_H

/* Socket owners through one open netlink socket, for the packet thread. */

#include <stdint.h>

/* Whose connection is asked for; addresses of 4 or 16 bytes, ports in host order. */
struct diag_query {
	const uint8_t *source;
	const uint8_t *destination;
	uint32_t address_len;
	uint16_t source_port;
	uint16_t destination_port;
	uint32_t ifindex;
};

/* Opens a socket for diag_owner(). Returns it, or -errno. */
int32_t diag_open(void);

/* Finds uid and inode of one connection. Returns 0, -ENOENT, or another -errno. */
int32_t diag_owner(int32_t fd, const struct diag_query *query, uint32_t *uid, uint32_t *inode);

#endif
