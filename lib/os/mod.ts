/**
 * The operating system as vnet needs it: TUN, links, addresses, routes, sockets, processes and OS DNS, each one
 * act at a time. Decides nothing. Everything throws `OsError` with the call and the errno's name.
 *
 * @module
 */

export { type Act, closeFd, errnoName, loadShim, type Shim, shimPath } from "./linux/shim.ts";
export { READABLE, Waiter, WRITABLE } from "./linux/waiter.ts";
export { openTun, type Tun } from "./linux/tun.ts";
export {
  addAddress,
  addRoute,
  confineLink,
  confinementOf,
  linkDelete,
  linkDown,
  linkIndex,
  linkName,
  linkUp,
  listAddresses,
  listRoutes,
  NetworkWatch,
  removeAddress,
  removeRoute,
} from "./linux/netlink.ts";
export {
  MESSAGE_LIMIT_BYTES,
  type PeerCredentials,
  SeqpacketListener,
  type SeqpacketMessage,
  SeqpacketSocket,
  socketPair,
} from "./linux/seqpacket.ts";
export { DatagramBatch } from "./datagram_batch.ts";
export * from "./machine.ts";
export { localEndpoint, tcpListen, udpBind, UdpSocket } from "./linux/datagram.ts";
export { KnownAnswers } from "./linux/known_answers.ts";
export {
  destroySockets,
  findListener,
  guardListener,
  openRaw,
  type SocketOwner,
  socketOwner,
} from "./linux/sockets.ts";
export { isAuthorized } from "./linux/polkit.ts";
export { findProgram } from "./linux/programs.ts";
export {
  type ExitReason,
  makePrivate,
  mountBind,
  mountTmpfs,
  spawn,
  type SpawnOptions,
  type Stdio,
  waitProcess,
} from "./linux/process.ts";
export { Datapath } from "./linux/datapath.ts";
export {
  type Change,
  type Choice,
  claimedReverseZones,
  forgetJournal,
  OsDns,
  type OsDnsRequest,
  previewOsDns,
  readResolvedLink,
  type ResolvedLink,
  serverNeedsPort53,
} from "./linux/dns/mod.ts";
export { LinkRecord } from "./linux/link_journal.ts";
export { repair, repairConnections } from "./linux/repair.ts";
export { keepLogs, trimLog } from "./linux/log_files.ts";
