/**
 * The package `deno_tun`: the table of the C shim's functions and the one place that loads it.
 *
 * `vnet_shim.h` is the contract; tests/abi_test.ts holds this table against it. Every function returns
 * `>= 0` or `-errno`. Nothing is loaded by importing this module.
 *
 * @module
 * @see vnet_shim.h
 */

/** The version this table was written for. */
export const ABI_VERSION = 5;

/** The header's functions, in its order. What blocks in C is `nonblocking` here and returns a promise. */
export const symbols = {
  vnet_abi_version: { parameters: [], result: "i32" },
  vnet_errno_name: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  vnet_close: { parameters: ["i32"], result: "i32" },
  vnet_wake_open: { parameters: [], result: "i32" },
  vnet_wake: { parameters: ["i32"], result: "i32" },
  vnet_wait: { parameters: ["i32", "u32", "i32", "i32"], result: "i32", nonblocking: true },

  vnet_tun_open: { parameters: ["buffer", "u32", "buffer", "u32"], result: "i32" },

  vnet_link_index: { parameters: ["buffer"], result: "i32" },
  vnet_link_name: { parameters: ["u32", "buffer", "u32"], result: "i32" },
  vnet_link_up: { parameters: ["u32", "u32"], result: "i32" },
  vnet_link_down: { parameters: ["u32"], result: "i32" },
  vnet_link_delete: { parameters: ["u32"], result: "i32" },
  vnet_link_sources: { parameters: ["u32", "buffer", "u32"], result: "i32" },
  vnet_address_add: { parameters: ["u32", "buffer", "u32", "u32"], result: "i32" },
  vnet_address_remove: { parameters: ["u32", "buffer", "u32", "u32"], result: "i32" },
  vnet_route_add: {
    parameters: ["u32", "buffer", "u32", "u32", "buffer", "buffer"],
    result: "i32",
  },
  vnet_route_remove: { parameters: ["u32", "buffer", "u32", "u32"], result: "i32" },
  vnet_route_dump: { parameters: ["u32", "buffer", "u32"], result: "i32" },
  vnet_gateway_dump: { parameters: ["u32", "buffer", "u32"], result: "i32" },
  vnet_address_dump: { parameters: ["u32", "buffer", "u32"], result: "i32" },
  vnet_network_watch: { parameters: [], result: "i32" },
  vnet_network_changes: { parameters: ["i32"], result: "i32" },

  vnet_unix_listen: { parameters: ["buffer", "u32", "u32", "u32"], result: "i32" },
  vnet_unix_accept: { parameters: ["i32"], result: "i32" },
  vnet_unix_connect: { parameters: ["buffer"], result: "i32" },
  vnet_unix_pair: { parameters: ["buffer", "u32"], result: "i32" },
  vnet_unix_send: { parameters: ["i32", "buffer", "u32", "buffer", "u32"], result: "i32" },
  vnet_unix_receive: {
    parameters: ["i32", "buffer", "u32", "buffer", "u32", "buffer"],
    result: "i32",
  },
  vnet_unix_peer: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  vnet_peer_receive: { parameters: ["i32", "buffer", "u32", "buffer"], result: "i32" },
  vnet_peer_guard: {
    parameters: ["i32", "buffer", "u32", "buffer", "u32", "buffer"],
    result: "i32",
  },
  vnet_peer_outcome: { parameters: ["i32", "buffer"], result: "i32" },
  vnet_peer_leave: { parameters: ["i32"], result: "i32" },
  vnet_udp_bind: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  vnet_udp_receive: {
    parameters: ["i32", "buffer", "u32", "buffer", "buffer", "u32"],
    result: "i32",
  },
  vnet_udp_send: { parameters: ["i32", "buffer", "u32", "buffer", "buffer", "u32"], result: "i32" },
  vnet_tcp_listen: { parameters: ["buffer", "u32", "u32", "u32"], result: "i32" },
  vnet_socket_local: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  vnet_listener_find: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  vnet_listener_guard: {
    parameters: ["i32", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
  vnet_socket_congestion: { parameters: ["i32", "buffer"], result: "i32" },
  vnet_raw_open: { parameters: ["u32", "u32"], result: "i32" },
  vnet_diag_open: { parameters: [], result: "i32" },
  vnet_socket_owner: {
    parameters: ["buffer", "u32", "u32", "buffer", "u32", "u32", "buffer", "u32"],
    result: "i32",
  },
  vnet_socket_destroy: { parameters: ["buffer", "u32", "u32"], result: "i32" },

  vnet_answers_open: { parameters: [], result: "i64" },
  vnet_answers_put: { parameters: ["i64", "buffer", "u32", "buffer", "u32"], result: "i32" },
  vnet_answers_clear: { parameters: ["i64"], result: "i32" },
  vnet_answers_given: { parameters: ["i64"], result: "i64" },
  vnet_answers_receive: {
    parameters: ["i64", "i32", "buffer", "u32", "buffer", "buffer", "u32"],
    result: "i32",
  },
  vnet_answers_wait: {
    parameters: ["i64", "i32", "buffer", "u32", "buffer", "buffer", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  vnet_answers_free: { parameters: ["i64"], result: "i32" },

  vnet_spawn: {
    parameters: [
      "buffer",
      "buffer",
      "u32",
      "buffer",
      "u32",
      "buffer",
      "buffer",
      "u32",
      "u32",
      "u32",
      "u64",
      "u32",
      "buffer",
    ],
    result: "i32",
  },
  vnet_file_open: { parameters: ["buffer", "u32"], result: "i32" },
  vnet_append_open: { parameters: ["buffer", "u32"], result: "i32" },
  vnet_process_harden: { parameters: ["u32"], result: "i32" },
  vnet_execute: {
    parameters: ["buffer", "buffer", "u32", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
  vnet_process_open: { parameters: ["i32"], result: "i32" },
  vnet_process_reap: { parameters: ["i32"], result: "i32" },
  vnet_mount_bind: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  vnet_mount_tmpfs: { parameters: ["buffer", "buffer"], result: "i32" },
  vnet_mount_remove: { parameters: ["buffer"], result: "i32" },
  vnet_mount_private: { parameters: [], result: "i32" },

  vnet_datapath_start: {
    parameters: [
      "i32",
      "u32",
      "i32",
      "i32",
      "i32",
      "u32",
      "buffer",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
    ],
    result: "i64",
  },
  vnet_datapath_networks: { parameters: ["i64", "buffer", "u32"], result: "i32" },
  vnet_datapath_leases: { parameters: ["i64", "buffer", "u32", "u32"], result: "i32" },
  vnet_datapath_events: {
    parameters: ["i64", "buffer", "u32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  vnet_datapath_wake: { parameters: ["i64"], result: "i32" },
  vnet_datapath_answer: { parameters: ["i64", "u64", "u32"], result: "i32" },
  vnet_datapath_flow: { parameters: ["i64", "u32", "u32", "buffer", "u32"], result: "i32" },
  vnet_datapath_stats: { parameters: ["i64", "buffer", "u32"], result: "i32" },
  vnet_datapath_stop: { parameters: ["i64"], result: "i32" },
  vnet_datapath_free: { parameters: ["i64"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** What a record of `vnet_link_sources` says. */
export const SOURCE = { refused: 0, allowed: 1, onlyTo: 2 } as const;

/** `vnet_process_harden`: no program may be started any more; mounts go on. Added. */
export const HARDEN = { noPrograms: 1, mayMount: 2 } as const;

/** `vnet_mount_bind`, added. */
export const BIND = { readOnly: 1, recursive: 2 } as const;

/** The wishes of `vnet_spawn`, added. */
export const SPAWN = {
  newSession: 1,
  netNamespace: 2,
  mountNamespace: 4,
  userNamespace: 8,
  mapRoot: 16,
  noNewPrivileges: 32,
  dieWithParent: 64,
  orphan: 128,
  deaf: 256,
} as const;

/** The answers of `vnet_datapath_answer`. */
export const ANSWER = {
  "release": 0,
  "refuse": 1,
  "network-unreachable": 2,
  "host-unreachable": 3,
  "port-unreachable": 4,
  "admin-prohibited": 5,
} as const;

/** `vnet_datapath_start`: packets of sockets without a local owner are refused. */
export const OWNER_REQUIRED = 1;

/** Size of one record of `vnet_datapath_networks`, and how many there may be. */
export const NETWORK_RECORD_SIZE = 5;
export const NETWORKS_LIMIT = 16;

/** How many replies `vnet_answers_put` keeps, and how long one and its query may be together. */
export const ANSWERS_LIMIT = 4096;
export const ANSWER_BYTES = 384;

/** How many addresses may be leased at a time. */
export const LEASES_LIMIT = 65_536;

/** Size of one record of `vnet_datapath_events` and `vnet_datapath_flow`. */
export const FLOW_RECORD_SIZE = 64;

/** The counters of `vnet_datapath_stats`, in its order; the array has 32 places. */
export const STATS = [
  "packetsRead",
  "bytesRead",
  "packetsWritten",
  "bytesWritten",
  "readErrors",
  "writeErrors",
  "injected",
  "injectErrors",
  "synsHeld",
  "synsReleased",
  "synsRefused",
  "synsRejected",
  "synsTimedOut",
  "synsDuplicate",
  "refusedUnleased",
  "refusedNoOwner",
  "refusedOverload",
  "refusedNoFlow",
  "droppedMalformed",
  "droppedFragment",
  "droppedExtension",
  "droppedMulticast",
  "droppedOutside",
  "droppedForeign",
  "droppedOther",
  "icmpEchoed",
  "icmpUnreachable",
  "icmpLimited",
  "flowsCreated",
  "flowsExpired",
  "flowsLive",
  "heldNow",
] as const;

/** Number of places `vnet_datapath_stats` fills. */
export const STATS_COUNT = 32;

/** The loaded library. */
export type Shim = Deno.DynamicLibrary<typeof symbols>;

/**
 * Loads the shim and checks that it speaks this table's version.
 *
 * @throws {Error} If the file cannot be loaded, lacks a function, or was built from other sources.
 */
export function load(path: string): Shim {
  const library = Deno.dlopen(path, symbols);
  const version = library.symbols.vnet_abi_version();
  if (version === ABI_VERSION) return library;
  library.close();
  throw new Error(
    `Cannot use shim "${path}": it has ABI version ${version}, expected ${ABI_VERSION}`,
  );
}
