/**
 * The operating system as vnet needs it: TUN, links, addresses, routes, sockets, processes and OS DNS, each one
 * act at a time. Decides nothing. Everything throws `OsError` with the call and the errno's name.
 *
 * @module
 */

export { type Act, closeFd, errnoName, loadShim, type Shim, shimPath } from "./shim.ts";
export { READABLE, Waiter, WRITABLE } from "./waiter.ts";
export { openTun, type Tun } from "./tun.ts";
export {
  addAddress,
  addRoute,
  confineLink,
  confinementOf,
  type InterfaceAddress,
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
  type Route,
} from "./netlink.ts";
export {
  MESSAGE_LIMIT_BYTES,
  type PeerCredentials,
  SeqpacketListener,
  type SeqpacketMessage,
  SeqpacketSocket,
  socketPair,
} from "./seqpacket.ts";
export { DatagramBatch, localEndpoint, tcpListen, udpBind, UdpSocket } from "./datagram.ts";
export { KnownAnswers } from "./known_answers.ts";
export {
  destroySockets,
  findListener,
  guardListener,
  openRaw,
  type SocketOwner,
  socketOwner,
} from "./sockets.ts";
export { isAuthorized } from "./polkit.ts";
export { findProgram } from "./programs.ts";
export {
  type ExitReason,
  makePrivate,
  mountBind,
  mountTmpfs,
  spawn,
  type SpawnOptions,
  type Stdio,
  waitProcess,
} from "./process.ts";
export {
  Datapath,
  type DatapathOptions,
  type DatapathStats,
  type RejectReason,
  type SynEvent,
} from "./datapath.ts";
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
} from "./dns/mod.ts";
export { LinkRecord } from "./link_journal.ts";
export { repair, repairConnections } from "./repair.ts";
export { keepLogs, trimLog } from "./log_files.ts";
