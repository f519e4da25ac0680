/**
 * Linux behind the ports of root, and behind those of processes and mounts.
 *
 * @module
 */
import type { Commands, Processes } from "../processes.ts";
import type {
  Journal,
  Links,
  RootFolders,
  RootMachine,
  RootResolver,
  RootSockets,
} from "../root_machine.ts";
import type { Mounts } from "../this_machine.ts";
import { udpBind } from "./net/datagram.ts";
import { forgetJournal, OsDns, serverNeedsPort53 } from "./dns/mod.ts";
import { LinkRecord } from "./link_journal.ts";
import { keepLogs, trimLog } from "./process/log_files.ts";
import { resolver, routing, sockets } from "./machine.ts";
import { confineLink, limitSources } from "./net/confine.ts";
import { PeerSocket } from "./net/peer_socket.ts";
import {
  addAddress,
  addRoute,
  linkDelete,
  linkDown,
  linkUp,
  NetworkWatch,
  removeAddress,
  removeRoute,
} from "./net/netlink.ts";
import { isAuthorized } from "./polkit.ts";
import { harden } from "./process/harden.ts";
import { become, holdNamespaces } from "./process/launch.ts";
import {
  findCommand,
  isRunning,
  makePrivate,
  mountBind,
  mountRemove,
  mountTmpfs,
  processEnd,
  spawn,
  waitProcess,
} from "./process/process.ts";
import { holdsTerminal } from "./process/terminal.ts";
import { findProgram } from "./process/programs.ts";
import { repair, repairConnections } from "./repair.ts";
import { makeFolderFor, rootsOwn } from "./roots_own.ts";
import { loadShim } from "./shim.ts";
import { destroySockets, guardListener, openRaw } from "./net/sockets.ts";
import { openTun } from "./net/tun.ts";

const links: Links = {
  openTun: (wanted) => openTun(loadShim(), wanted),
  up: (ifindex, mtuBytes) => linkUp(loadShim(), ifindex, mtuBytes),
  down: (ifindex) => linkDown(loadShim(), ifindex),
  delete: (ifindex) => linkDelete(loadShim(), ifindex),
  confine: confineLink,
  limitSources: (...how) => limitSources(loadShim(), ...how),
  addAddress: (...how) => addAddress(loadShim(), ...how),
  removeAddress: (...how) => removeAddress(loadShim(), ...how),
  addRoute: (...how) => addRoute(loadShim(), ...how),
  removeRoute: (...how) => removeRoute(loadShim(), ...how),
  watch: () => NetworkWatch.open(loadShim()),
};

const rootSockets: RootSockets = {
  ...sockets,
  inheritPeer: (descriptor) => PeerSocket.inherited(loadShim(), descriptor),
  listenUdp: (endpoint) => udpBind(loadShim(), endpoint),
  openRaw: (family, ifindex) => openRaw(loadShim(), family, ifindex),
  guard: (...how) => guardListener(loadShim(), ...how),
  programOf: (owner, signal) => findProgram(owner, signal),
  destroyTo: (prefix) => destroySockets(loadShim(), prefix),
};

const rootResolver: RootResolver = {
  ...resolver,
  needsPort53: serverNeedsPort53,
  open: async ({ journalDir }) => await OsDns.open({ journalDir: rootsOwn(journalDir) }),
};

const journal: Journal = {
  openRecord: (directory) => LinkRecord.open(rootsOwn(directory)),
  endConnections: (directory) => repairConnections(rootsOwn(directory)),
  repair: async (directory) => await repair(rootsOwn(directory)),
  forget: async (directory) => await forgetJournal(rootsOwn(directory)),
};

const folders: RootFolders = { own: rootsOwn, makeFor: makeFolderFor };

export const processes: Processes = {
  spawn: (options) => spawn(loadShim(), options),
  wait: (pid, signal) => waitProcess(loadShim(), pid, signal),
  harden: (options) => harden(loadShim(), options),
  isRunning: (pid) => isRunning(pid),
  holdsTerminal,
  trimLog: (path) => trimLog(path),
  keepLogs: (paths, signal) => keepLogs(paths, signal),
};

export const commands: Commands = {
  ended: (pid, signal) => processEnd(loadShim(), pid, signal),
  hold: (pid, hasUser) => holdNamespaces(loadShim(), pid, hasUser),
  become: (command, namespaces) => become(loadShim(), command, namespaces),
  find: (name) => findCommand(name, Deno.env.toObject()),
};

export const mounts: Mounts = {
  separate: () => makePrivate(loadShim()),
  bind: (source, target, options) => mountBind(loadShim(), source, target, options),
  tmpfs: (target, options) => mountTmpfs(loadShim(), target, options),
  remove: (target) => mountRemove(loadShim(), target),
};

export const root: RootMachine = {
  routing,
  links,
  sockets: rootSockets,
  resolver: rootResolver,
  journal,
  folders,
  processes,
  isAuthorized: (peer, action, timeoutMs) => isAuthorized(peer, action, { timeoutMs }),
};
