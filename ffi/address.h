/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_ADDRESS_H
#define VNET_ADDRESS_H

/* Socket addresses from and to bytes; used by the files that speak to sockets. */

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* A socket address of either family. */
union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Fills an endpoint; returns the length of its sockaddr, or 0 for bad arguments. */
static inline socklen_t endpoint_set(union endpoint *endpoint, const uint8_t *address,
				     uint32_t address_len, uint32_t port)
{
	memset(endpoint, 0, sizeof(*endpoint));
	if (port > 65535)
		return 0;
	if (address_len == 4) {
		endpoint->v4.sin_family = AF_INET;
		endpoint->v4.sin_port = htons((uint16_t)port);
		memcpy(&endpoint->v4.sin_addr, address, 4);
		return sizeof(endpoint->v4);
	}
	if (address_len == 16) {
		endpoint->v6.sin6_family = AF_INET6;
		endpoint->v6.sin6_port = htons((uint16_t)port);
		memcpy(&endpoint->v6.sin6_addr, address, 16);
		return sizeof(endpoint->v6);
	}
	return 0;
}

/* The record of an endpoint: family u8 | 0 | port u16 in host order | address 16 bytes. */
#define ENDPOINT_RECORD_SIZE 20
#define ENDPOINT_OFF_FAMILY 0
#define ENDPOINT_OFF_PORT 2
#define ENDPOINT_OFF_ADDRESS 4

static inline void endpoint_write(const union endpoint *endpoint, uint8_t *record)
{
	uint16_t port = ntohs(endpoint->any.sa_family == AF_INET ? endpoint->v4.sin_port :
								   endpoint->v6.sin6_port);

	memset(record, 0, ENDPOINT_RECORD_SIZE);
	record[ENDPOINT_OFF_FAMILY] = endpoint->any.sa_family == AF_INET ? 4 : 6;
	memcpy(record + ENDPOINT_OFF_PORT, &port, sizeof(port));
	if (record[ENDPOINT_OFF_FAMILY] == 4)
		memcpy(record + ENDPOINT_OFF_ADDRESS, &endpoint->v4.sin_addr, 4);
	else
		memcpy(record + ENDPOINT_OFF_ADDRESS, &endpoint->v6.sin6_addr, 16);
}

/* Reads a record; returns the length of the sockaddr, or 0 for a bad one. */
static inline socklen_t endpoint_read(union endpoint *endpoint, const uint8_t *record)
{
	uint8_t family = record[ENDPOINT_OFF_FAMILY];
	uint16_t port;

	memcpy(&port, record + ENDPOINT_OFF_PORT, sizeof(port));
	if (family != 4 && family != 6)
		return 0;
	return endpoint_set(endpoint, record + ENDPOINT_OFF_ADDRESS, family == 4 ? 4 : 16, port);
}

#endif
