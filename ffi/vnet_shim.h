/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VNET_SHIM_H
#define VNET_SHIM_H

/*
 * The only header TypeScript knows. Every function does one system-call-sized
 * act and returns >= 0 or -errno; vnet_errno_name() turns the number into the
 * name. Buffers are the caller's and are not kept after the return, strings are
 * NUL-terminated, descriptors are closed on exec. Addresses are in network
 * byte order, 4 bytes for IPv4 and 16 for IPv6; ports, indexes and times are
 * plain integers in host order. "family" is 4 or 6, the IP version.
 *
 * ffi/mod.ts holds the same table for Deno; ffi/tests/abi_test.ts compares the
 * two name by name and type by type.
 */

#include <stdint.h>

#define VNET_ABI_VERSION 5

/* The library is built with hidden symbols; these are the ones it shows. */
#pragma GCC visibility push(default)

/* ---- shim.c ----------------------------------------------------------- */

/* Returns VNET_ABI_VERSION of the library that was loaded. */
int32_t vnet_abi_version(void);

/*
 * Writes the name of an errno ("EPERM") into out, NUL-terminated; "E<number>"
 * for one without a name here. Returns the length, or -ENOSPC.
 */
int32_t vnet_errno_name(int32_t number, char *out, uint32_t out_len);

/* Closes a descriptor. Returns 0, or -EBADF. See close(2). */
int32_t vnet_close(int32_t fd);

/* Makes an eventfd with which vnet_wait() can be woken. See eventfd(2). */
int32_t vnet_wake_open(void);

/* Wakes every vnet_wait() on wake_fd, the present one and all later ones. */
int32_t vnet_wake(int32_t wake_fd);

/*
 * Waits until fd is ready. BLOCKS: call it off the JavaScript thread.
 *
 *   events      1 readable, 2 writable, added
 *   wake_fd     an eventfd of vnet_wake_open(), or -1
 *   timeout_ms  -1 waits for ever
 *
 * Returns the ready events (an error or a hang-up counts as ready), 0 when the
 * time is over, or -ECANCELED when woken; -EINVAL for a closed descriptor.
 */
int32_t vnet_wait(int32_t fd, uint32_t events, int32_t wake_fd, int32_t timeout_ms);

/* ---- tun_linux.c ------------------------------------------------------- */

/*
 * Creates a TUN device in packet mode, for this descriptor only (never
 * persistent, never multi-queue, never one that exists). Nonblocking.
 *
 *   name         wanted name, shorter than 16 bytes; "" lets the kernel choose
 *   vnet_header  1: 10-byte virtio_net_hdr before each packet, checksum and TSO offload
 *   name_out     receives the name in force, NUL-terminated; at least 16 bytes
 *
 * Returns the descriptor, or -errno; expect -EPERM without CAP_NET_ADMIN,
 * -ENOENT without /dev/net/tun, -EBUSY if the name is taken, -EINVAL from a
 * kernel without the offloads. Source: kernel Documentation/networking/tuntap.rst
 */
int32_t vnet_tun_open(const char *name, uint32_t vnet_header, char *name_out,
		      uint32_t name_out_len);

/* ---- link_linux.c, network_linux.c: rtnetlink(7), CAP_NET_ADMIN to change -- */

/* Returns the index of a link, or -ENODEV. */
int32_t vnet_link_index(const char *name);

/* Writes the name of a link, NUL-terminated, at least 16 bytes. Returns 0, or -ENXIO. */
int32_t vnet_link_name(uint32_t ifindex, char *out, uint32_t out_len);

/*
 * Brings a link up. Before that: no IPv6 link-local address will be made
 * (addrgenmode none), and the MTU is set unless mtu is 0. A kernel without
 * IPv6 is no error. Returns 0, or -errno; expect -ENODEV, -EPERM, -EINVAL
 * for an MTU the device cannot have.
 */
int32_t vnet_link_up(uint32_t ifindex, uint32_t mtu);

/* Takes a link down. Returns 0, or -errno; expect -ENODEV, -EPERM. */
int32_t vnet_link_down(uint32_t ifindex);

/* Deletes a link. Returns 0, or -errno; expect -ENODEV, -EPERM, -EOPNOTSUPP. */
int32_t vnet_link_delete(uint32_t ifindex);

/* Size of one record of vnet_link_sources(), and how many there may be. */
#define VNET_SOURCE_RECORD_SIZE 20
#define VNET_SOURCES_LIMIT 32

/* What a record says: not from there, from there, or to this very address alone (these first). */
#define VNET_SOURCE_REFUSED 0u
#define VNET_SOURCE_ALLOWED 1u
#define VNET_SOURCE_ONLY_TO 2u

/*
 * Drops what comes out of a link unless its source is allowed: by the first record it matches, and
 * dropped without one. A record is family u8 (4 or 6) | prefix length u8 | VNET_SOURCE_* u8 | 0 |
 * address 16 bytes. What was set before is replaced in one step; it lasts as long as the link.
 * Returns 0, or -errno; expect -ENOENT or -EOPNOTSUPP on a kernel without clsact or cls_bpf.
 */
int32_t vnet_link_sources(uint32_t ifindex, const uint8_t *records, uint32_t records_len);

/*
 * Adds an address to a link; IPv6 without duplicate detection and without a
 * route of its own, so that it can be used at once. Returns 0, or -errno;
 * expect -EEXIST, -EPERM, -EACCES or -EOPNOTSUPP with IPv6 switched off.
 */
int32_t vnet_address_add(uint32_t ifindex, const uint8_t *address, uint32_t address_len,
			 uint32_t prefix_length);

/* Removes an address. Returns 0, or -errno; expect -EADDRNOTAVAIL when absent. */
int32_t vnet_address_remove(uint32_t ifindex, const uint8_t *address, uint32_t address_len,
			    uint32_t prefix_length);

/*
 * Adds a route of the main table that leads into a link.
 *
 *   source      preferred source address of the same length, or NULL
 *   congestion  congestion control of its connections, or ""; see ip-route(8) congctl
 *
 * Returns 0, or -errno; expect -EEXIST for the identical route, -EPERM,
 * -EINVAL for an unknown congestion control, -EACCES with IPv6 switched off.
 */
int32_t vnet_route_add(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
		       uint32_t prefix_length, const uint8_t *source, const char *congestion);

/* Removes a route that vnet_route_add() made. Returns 0, or -errno; expect -ESRCH when absent. */
int32_t vnet_route_remove(uint32_t ifindex, const uint8_t *destination, uint32_t destination_len,
			  uint32_t prefix_length);

/*
 * Lists the routes of all tables of one family as records of 32 bytes:
 * family u8 | prefix length u8 | type u8 | protocol u8 | table u32 | link
 * index u32 | metric u32 | destination 16 bytes, all in host order.
 *
 * Returns the number of bytes, or -errno; -ENOBUFS asks for a bigger buffer.
 */
int32_t vnet_route_dump(uint32_t family, uint8_t *out, uint32_t out_len);

/*
 * Lists the gateways of the routes of one family, of all hops (at most 64 a
 * route), as records of 32 bytes: family of the gateway u8 | 15 times 0 |
 * address 16 bytes. Returns as vnet_route_dump().
 */
int32_t vnet_gateway_dump(uint32_t family, uint8_t *out, uint32_t out_len);

/*
 * Lists the addresses of one family as records of 32 bytes: family u8 |
 * prefix length u8 | scope u8 | 0 | link index u32 | flags u32 | 0 u32 |
 * address 16 bytes. Returns as vnet_route_dump().
 */
int32_t vnet_address_dump(uint32_t family, uint8_t *out, uint32_t out_len);

/*
 * Opens a socket that becomes readable when a link, an address or a route of
 * this network namespace changes. Nonblocking. Returns the descriptor, or -errno.
 */
int32_t vnet_network_watch(void);

/*
 * Takes what a socket of vnet_network_watch() has. Returns how many changes
 * there were, 0 for none; those the kernel had no room for count as one.
 */
int32_t vnet_network_changes(int32_t fd);

/* ---- unix_linux.c, peer_linux.c, inet_linux.c, raw_linux.c, diag_linux.c: sockets ------- */

/*
 * Listens on a unix SOCK_SEQPACKET socket; a stale file at path is removed
 * only if it is a socket nobody answers on. The file gets mode and, unless
 * they are 0xffffffff, owner and group before the first accept can happen.
 * Nonblocking. Returns the descriptor, or -errno; expect -EADDRINUSE, -EACCES,
 * -ENAMETOOLONG. See unix(7).
 */
int32_t vnet_unix_listen(const char *path, uint32_t mode, uint32_t uid, uint32_t gid);

/* Accepts one connection. Nonblocking. Returns the descriptor, or -EAGAIN. */
int32_t vnet_unix_accept(int32_t fd);

/* Connects to a unix SOCK_SEQPACKET socket. Returns the descriptor, or -errno. */
int32_t vnet_unix_connect(const char *path);

/* Makes a connected SOCK_SEQPACKET pair; out receives two descriptors. */
int32_t vnet_unix_pair(int32_t *out, uint32_t out_count);

/*
 * Sends one message with up to 8 descriptors; the descriptors stay the
 * caller's. Returns the length, or -errno; expect -EAGAIN, -EPIPE, -EMSGSIZE.
 */
int32_t vnet_unix_send(int32_t fd, const uint8_t *data, uint32_t data_len, const int32_t *fds,
		       uint32_t fds_count);

/*
 * Receives one message with its descriptors (at most 8), which become the
 * caller's. *received is set to their number. An empty message and the end
 * of the stream both return 0: peers never send empty messages.
 *
 * Returns the length, 0 at the end, or -errno; expect -EAGAIN, -EMSGSIZE when
 * the message or its descriptors did not fit (the descriptors are closed).
 */
int32_t vnet_unix_receive(int32_t fd, uint8_t *data, uint32_t data_len, int32_t *fds,
			  uint32_t fds_count, int32_t *received);

/* Says who connected (SO_PEERCRED): out receives pid, uid, gid. */
int32_t vnet_unix_peer(int32_t fd, uint32_t *out, uint32_t out_count);

/*
 * Receives one message of a peer that is not trusted, and no descriptor: a
 * message that carries some stays the first in line, and *carries is set to 1.
 * Then vnet_peer_guard() can take it, or vnet_peer_leave() leave it.
 *
 * Returns the length, 0 at the end, or -errno; expect -EAGAIN, -EMSGSIZE for
 * a message that did not fit, which stays as well.
 */
int32_t vnet_peer_receive(int32_t fd, uint8_t *data, uint32_t data_len, uint32_t *carries);

/*
 * Has another process take the first message and guard the one descriptor in
 * it, as vnet_listener_guard() does, if that is a TCP socket that listens;
 * its congestion control is a wish. Whatever else it is, nothing of it gets
 * into this process. Returns a nonblocking descriptor for
 * vnet_peer_outcome(), readable once the other process is through, or -errno.
 */
int32_t vnet_peer_guard(int32_t fd, const uint32_t *ifindexes, uint32_t ifindexes_count,
			const uint8_t *source, uint32_t source_len, const char *congestion);

/*
 * Reads what became of it: *outcome is 0 or a negative errno; expect -ENOTSOCK,
 * -E2BIG for several descriptors, -EINVAL for a socket that does not listen.
 * Returns 0, or -errno; expect -EAGAIN, -EPIPE if the other process was killed.
 */
int32_t vnet_peer_outcome(int32_t fd, int32_t *outcome);

/*
 * Ends a connection before fd is closed: the peer can send nothing more, and
 * messages with descriptors become another process's. Returns 0, or a
 * descriptor to be closed right after fd, or -errno.
 */
int32_t vnet_peer_leave(int32_t fd);

/* Binds a nonblocking UDP socket; port 0 lets the kernel choose. Returns the descriptor. */
int32_t vnet_udp_bind(const uint8_t *address, uint32_t address_len, uint32_t port);

/*
 * Receives up to count datagrams in one call (recvmmsg).
 *
 *   data       count slots of slot_len bytes
 *   sources    count records of 20 bytes: family u8 | 0 | port u16 | address 16 bytes
 *   lengths    count lengths; a datagram longer than its slot has length 0
 *
 * Returns the number received, or -errno; expect -EAGAIN, -ECONNREFUSED.
 */
int32_t vnet_udp_receive(int32_t fd, uint8_t *data, uint32_t slot_len, uint8_t *sources,
			 uint32_t *lengths, uint32_t count);

/*
 * Sends up to count datagrams in one call (sendmmsg); same buffers, the
 * records name the destinations. Returns the number sent, or -errno of the
 * first one; expect -EAGAIN.
 */
int32_t vnet_udp_send(int32_t fd, const uint8_t *data, uint32_t slot_len,
		      const uint8_t *destinations, const uint32_t *lengths, uint32_t count);

/* Listens on TCP, nonblocking; port 0 lets the kernel choose. Returns the descriptor. */
int32_t vnet_tcp_listen(const uint8_t *address, uint32_t address_len, uint32_t port,
			uint32_t backlog);

/* Writes the local endpoint of a socket, 20 bytes as in vnet_udp_receive(). Returns 0. */
int32_t vnet_socket_local(int32_t fd, uint8_t *out, uint32_t out_len);

/*
 * Finds the descriptor of a listening TCP socket of this process by its local
 * endpoint. It stays its owner's. Returns it, or -ENOENT.
 */
int32_t vnet_listener_find(const uint8_t *address, uint32_t address_len, uint32_t port);

/*
 * Lets a TCP listener, and every connection it accepts, see only packets that
 * arrived on one of the links and, unless source is NULL, come from source;
 * the others are dropped without an answer. At most 8 links.
 * Returns 0, or -errno. See socket(7) SO_ATTACH_FILTER.
 */
int32_t vnet_listener_guard(int32_t fd, const uint32_t *ifindexes, uint32_t ifindexes_count,
			    const uint8_t *source, uint32_t source_len);

/* Sets the congestion control of a TCP socket. Returns 0, or -errno; expect -EPERM, -ENOENT. */
int32_t vnet_socket_congestion(int32_t fd, const char *name);

/*
 * Opens a way to send packets to this host's own addresses, so that they
 * arrive on lo: a connected unix socket, each message one packet. What it may
 * carry are single SYNs, RSTs and ICMP unreachable errors, each from an address
 * that is routed into the link; all else is dropped. A thread of this process
 * passes them on until every copy of the descriptor is closed, so that its
 * holder needs no privilege and gains none: a raw socket in its hands could send
 * anything anywhere, since IP_PKTINFO overrides SO_BINDTODEVICE (measured on 6.18).
 *
 * Returns the descriptor, or -errno; expect -EPERM, -ENODEV. See raw(7).
 */
int32_t vnet_raw_open(uint32_t family, uint32_t ifindex);

/*
 * Opens a socket that finds the owners of connections in this network namespace, wherever it is
 * passed to. Returns it, or -errno.
 */
int32_t vnet_diag_open(void);

/*
 * Finds the local TCP socket of a connection by its exact addresses: out
 * receives uid and inode. ifindex: the link it may be bound to, or 0.
 * Returns 0, or -errno; expect -ENOENT. See sock_diag(7).
 */
int32_t vnet_socket_owner(const uint8_t *source, uint32_t address_len, uint32_t source_port,
			  const uint8_t *destination, uint32_t destination_port, uint32_t ifindex,
			  uint32_t *out, uint32_t out_count);

/*
 * Aborts every TCP connection of this network namespace whose remote address
 * lies in a prefix (SOCK_DESTROY): their owners read ECONNABORTED. UDP sockets
 * that are connected into it are disconnected, where the kernel can do that.
 * Returns how many, or -errno; expect -EPERM, -EOPNOTSUPP.
 */
int32_t vnet_socket_destroy(const uint8_t *prefix, uint32_t prefix_len, uint32_t prefix_length);

/* ---- answer_linux.c: replies by their queries ---------------------------- */

/* How many replies a table keeps, and how long a reply and its query may be together. */
#define VNET_ANSWERS_LIMIT 4096
#define VNET_ANSWER_BYTES 384

/*
 * Makes a table of replies. It answers datagrams that equal a known query in
 * everything but the first two bytes, the id, which is copied; what is inside
 * is not looked at. Several sockets and threads may use it. Returns its handle.
 */
int64_t vnet_answers_open(void);

/*
 * Keeps the reply to a query, instead of an older one; when full, forgets all
 * others first. Returns 0, or -EMSGSIZE when the two are too long.
 */
int32_t vnet_answers_put(int64_t handle, const uint8_t *query, uint32_t query_len,
			 const uint8_t *reply, uint32_t reply_len);

/* Forgets every reply: after the return none of them is looked up again. Returns 0. */
int32_t vnet_answers_clear(int64_t handle);

/* Returns how many queries were answered from the table since it was made. */
int64_t vnet_answers_given(int64_t handle);

/*
 * Receives datagrams as vnet_udp_receive() does, answers those it knows from
 * the same socket, and hands over the others. At most 64 times 64 in one call.
 * Returns the number handed over, 0 for none, or -errno; expect -ECONNREFUSED.
 */
int32_t vnet_answers_receive(int64_t handle, int32_t fd, uint8_t *data, uint32_t slot_len,
			     uint8_t *sources, uint32_t *lengths, uint32_t count);

/*
 * As vnet_answers_receive(), but returns only when there is something to hand
 * over. BLOCKS: call it off the JavaScript thread. Returns -ECANCELED when
 * wake_fd, an eventfd of vnet_wake_open(), is woken; -EINVAL for a closed descriptor.
 */
int32_t vnet_answers_wait(int64_t handle, int32_t fd, uint8_t *data, uint32_t slot_len,
			  uint8_t *sources, uint32_t *lengths, uint32_t count, int32_t wake_fd);

/* Frees a table that nobody uses any more. Returns 0. */
int32_t vnet_answers_free(int64_t handle);

/* ---- process_linux.c ------------------------------------------------------ */

/* The namespaces and other wishes of vnet_spawn(), added. */
#define VNET_SPAWN_NEW_SESSION 1u
#define VNET_SPAWN_NET_NAMESPACE 2u
#define VNET_SPAWN_MOUNT_NAMESPACE 4u
#define VNET_SPAWN_USER_NAMESPACE 8u
#define VNET_SPAWN_MAP_ROOT 16u
#define VNET_SPAWN_NO_NEW_PRIVILEGES 32u
#define VNET_SPAWN_DIE_WITH_PARENT 64u
#define VNET_SPAWN_ORPHAN 128u
#define VNET_SPAWN_DEAF 256u

/*
 * Starts a program.
 *
 *   path            the file to execute, not searched in PATH
 *   arguments       argv as NUL-terminated strings one after the other, argv[0] first
 *   environment     likewise, NAME=value
 *   directory       working directory, or "" for the present one
 *   descriptors     what becomes descriptor 0, 1, 2 …; -1 is /dev/null; 3 to 16 of them
 *   uid, gid        0xffffffff keeps the present one; with a uid, the groups of
 *                   that user are taken on (none if the user is unknown)
 *   capabilities    of the present ones, those it and what it starts may ever have:
 *                   bit n is capability n; all ones leaves them alone. In a user
 *                   namespace where the user is itself it keeps those
 *   flags           VNET_SPAWN_*; with a user namespace the present user is
 *                   mapped to itself, or to root with VNET_SPAWN_MAP_ROOT. An orphan is
 *                   nobody's child. What is deaf ignores what a terminal's keys and
 *                   its end send
 *   step            receives where it failed: 1 groups, 2 fork, 3 session,
 *                   4 namespaces, 5 user map, 6 mounts, 7 descriptors,
 *                   8 directory, 9 identity, 10 privileges, 11 execute
 *
 * Returns the process id, 0 for an orphan, or -errno.
 */
int32_t vnet_spawn(const char *path, const uint8_t *arguments, uint32_t arguments_len,
		   const uint8_t *environment, uint32_t environment_len, const char *directory,
		   const int32_t *descriptors, uint32_t descriptors_count, uint32_t uid,
		   uint32_t gid, uint64_t capabilities, uint32_t flags, uint32_t *step);

/*
 * Opens a file to read; a directory (1) only to stand in, which needs no right to list it. Returns
 * the descriptor, or -errno.
 */
int32_t vnet_file_open(const char *path, uint32_t directory);

/*
 * Opens a file to append to, made with mode if absent; never a link's target. Returns the
 * descriptor.
 */
int32_t vnet_append_open(const char *path, uint32_t mode);

/* No program may be started any more. */
#define VNET_HARDEN_NO_PROGRAMS 1u
/* mount() and umount2() go on. */
#define VNET_HARDEN_MAY_MOUNT 2u

/*
 * Gives up for good, for all threads and what they start: core dumps, being
 * looked into by others than root, privileges gained by executing, and system
 * calls that vnet has no use for (mount, ptrace, bpf, modules, clocks, packet
 * sockets …), which fail with EPERM from then on. Returns 0, or -errno of what
 * cannot be had; the rest is in force. See seccomp(2).
 */
int32_t vnet_process_harden(uint32_t flags);

/*
 * Becomes another program: this process with all its threads is gone, its number, terminal and
 * parent stay. Lets it have some descriptors beside those that it gets anyway. Arguments and
 * environment are as for vnet_spawn(). Returns -errno, or not at all.
 */
int32_t vnet_execute(const char *path, const uint8_t *arguments, uint32_t arguments_len,
		     const uint8_t *environment, uint32_t environment_len,
		     const int32_t *descriptors, uint32_t descriptors_count);

/* Opens a pidfd of a process: readable for vnet_wait() once it ended. See pidfd_open(2). */
int32_t vnet_process_open(int32_t pid);

/*
 * Collects a child that ended. Returns its exit code (0 to 255) or 256 + the
 * signal that killed it; -EAGAIN while it runs, -ECHILD when it is not ours.
 */
int32_t vnet_process_reap(int32_t pid);

/* What cannot be written to there; of the source alone. */
#define VNET_BIND_READ_ONLY 1u
/* With what is mounted below the source, and on it. */
#define VNET_BIND_RECURSIVE 2u

/* Bind-mounts source over target (both exist); flags is a sum of VNET_BIND_*. See mount(2). */
int32_t vnet_mount_bind(const char *source, const char *target, uint32_t flags);

/* Mounts an empty tmpfs with options ("mode=755") at target. */
int32_t vnet_mount_tmpfs(const char *target, const char *options);

/* Takes away what is mounted at target; files of it that are in use stay. */
int32_t vnet_mount_remove(const char *target);

/* Stops mounts of this namespace from spreading to others and back. */
int32_t vnet_mount_private(void);

/* ---- datapath_api_linux.c: the packet thread ----------------------------- */

/* Size of one record of vnet_datapath_events() and vnet_datapath_flow(). */
#define VNET_FLOW_RECORD_SIZE 64
/* Number of counters of vnet_datapath_stats(), in the order of ffi/mod.ts. */
#define VNET_STATS_COUNT 32

/* Packets of sockets without a local owner are refused. */
#define VNET_DATAPATH_OWNER_REQUIRED 1u

/*
 * Starts the thread that owns a TUN device's packets. The descriptors stay the
 * caller's, open until vnet_datapath_stop() has returned.
 *
 *   raw4_fd, raw6_fd  of vnet_raw_open(), here or in another process; raw6_fd may be -1
 *                     without IPv6
 *   diag_fd           of vnet_diag_open(), where the device is in another network namespace
 *                     than this thread; else -1
 *   ifindex           of the TUN device
 *   addresses         self and peer of IPv4 (4 bytes each), then self, peer and
 *                     network of IPv6 (16 bytes each): 8 bytes without IPv6, 56
 *                     with. The network is a /64 whose low 32 bits are an IPv4
 *                     address; IPv4 networks come by vnet_datapath_networks()
 *   listen_port4, 6   where the listener of self listens
 *   max_held          how many SYNs may wait for an answer, 1 to 65536
 *   held_timeout_ms   how long one may
 *
 * Returns a handle, or -errno.
 */
int64_t vnet_datapath_start(int32_t tun_fd, uint32_t vnet_header, int32_t raw4_fd, int32_t raw6_fd,
			    int32_t diag_fd, uint32_t ifindex, const uint8_t *addresses, uint32_t addresses_len,
			    uint32_t listen_port4, uint32_t listen_port6, uint32_t max_held,
			    uint32_t held_timeout_ms, uint32_t flags);

/* Size of one record of vnet_datapath_networks(), and how many there may be. */
#define VNET_NETWORK_RECORD_SIZE 5
#define VNET_NETWORKS_LIMIT 16

/*
 * Sets the IPv4 networks to just these, none to begin with: records of 5 bytes,
 * address 4 bytes | prefix length u8, 8 to 32, host bits zero. Leases outside
 * them end; connections that exist stay. Returns 0, or -EINVAL with nothing changed.
 */
int32_t vnet_datapath_networks(int64_t handle, const uint8_t *networks, uint32_t networks_len);

/* How many addresses may be leased at a time. */
#define VNET_LEASES_LIMIT 65536

/*
 * Adds (1) or removes (0) leased IPv4 addresses, 4 bytes each; the IPv6 twins
 * follow. Connections that exist stay. Returns 0, or with nothing changed
 * -EINVAL if one to add lies outside the networks, -ENOSPC if they are too many.
 */
int32_t vnet_datapath_leases(int64_t handle, const uint8_t *addresses, uint32_t addresses_len,
			     uint32_t add);

/*
 * Waits for held SYNs and takes as many as fit, each once. BLOCKS: call it off
 * the JavaScript thread. Records of 64 bytes, host order: id u64 | uid u32 (all ones:
 * no owner) | inode u32 | source 16 bytes | destination 16 bytes | source
 * port u16 | destination port u16 | family u8 | 0.
 *
 * Returns the number of records, 0 when the time is over, or -errno:
 * -ECANCELED once stopped, another when the device was lost.
 */
int32_t vnet_datapath_events(int64_t handle, uint8_t *out, uint32_t out_len, int32_t timeout_ms);

/* Makes the present, or the next, vnet_datapath_events() return at once. Returns 0. */
int32_t vnet_datapath_wake(int64_t handle);

/* The answers of vnet_datapath_answer(). */
#define VNET_ANSWER_RELEASE 0u
#define VNET_ANSWER_REFUSE 1u
#define VNET_ANSWER_NETWORK_UNREACHABLE 2u
#define VNET_ANSWER_HOST_UNREACHABLE 3u
#define VNET_ANSWER_PORT_UNREACHABLE 4u
#define VNET_ANSWER_ADMIN_PROHIBITED 5u

/*
 * Answers one held SYN. Returns 0, -ENOENT if it is not held (any more), or
 * the errno of the packet that could not be sent.
 */
int32_t vnet_datapath_answer(int64_t handle, uint64_t id, uint32_t answer);

/*
 * Finds the flow behind a connection of the listener by its remote port;
 * out receives one record as vnet_datapath_events(). Returns 0, or -ENOENT.
 */
int32_t vnet_datapath_flow(int64_t handle, uint32_t family, uint32_t port, uint8_t *out,
			   uint32_t out_len);

/* Copies VNET_STATS_COUNT counters. Returns 0. */
int32_t vnet_datapath_stats(int64_t handle, uint64_t *out, uint32_t out_count);

/*
 * Ends the thread: refuses what is held, wakes vnet_datapath_events(), waits
 * for the thread. The handle stays valid until vnet_datapath_free().
 */
int32_t vnet_datapath_stop(int64_t handle);

/* Frees a stopped handle no other call is using. Returns 0, or -EBUSY. */
int32_t vnet_datapath_free(int64_t handle);

#pragma GCC visibility pop

#endif
