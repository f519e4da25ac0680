/**
 * Linux behind the ports. The shim is loaded by the first act that needs it, and not before.
 *
 * @module
 */
import type { Desktop } from "../desktop.ts";
import type { Clocks, Machine, Packets, Resolver, Routing, Sockets } from "../machine.ts";
import { localEndpoint, tcpListen, UdpSocket } from "./net/datagram.ts";
import { Datapath } from "./net/datapath.ts";
import { BusNotices } from "./desktop/notices.ts";
import { sessionBusSockets } from "./desktop/session_bus.ts";
import { listOccupants } from "./facts/occupants.ts";
import { claimedReverseZones, previewOsDns, serverNeedsPort53 } from "./dns/mod.ts";
import { adoptFlows } from "./net/adopted_listener.ts";
import { listenFlows } from "./net/flow_listener.ts";
import { KnownAnswers } from "./net/known_answers.ts";
import { confinementOf } from "./net/confine.ts";
import {
  hasIpv6,
  linkIndex,
  linkName,
  listAddresses,
  listRoutes,
  NetworkWatch,
} from "./net/netlink.ts";
import { readClocks } from "./facts/clocks.ts";
import { readUnheard } from "./net/socket_tables.ts";
import { findHolders } from "./process/programs.ts";
import { SeqpacketSocket, socketPair } from "./net/seqpacket.ts";
import { openDiag, socketOwner } from "./net/sockets.ts";
import { closeFd, loadShim } from "./shim.ts";
import { acceptStreams } from "./net/stream_server.ts";

export const routing: Routing = {
  linkIndex: (name) => linkIndex(loadShim(), name),
  linkName: (ifindex) => linkName(loadShim(), ifindex),
  routes: () => listRoutes(loadShim()),
  addresses: () => listAddresses(loadShim()),
  occupants: () => listOccupants(),
  hasIpv6: () => hasIpv6(),
  watch: () => NetworkWatch.open(loadShim()),
  confinementOf,
};

export const sockets = {
  close: (descriptor) => closeFd(loadShim(), descriptor),
  messagePair: () => socketPair(loadShim()),
  adoptMessages: (descriptor) => SeqpacketSocket.fromFd(loadShim(), descriptor),
  connectMessages: (path) => SeqpacketSocket.connect(loadShim(), path),
  inheritMessages: (descriptor) => SeqpacketSocket.inherited(loadShim(), descriptor),
  listenTcp: (endpoint) => tcpListen(loadShim(), endpoint),
  localEndpoint: (descriptor) => localEndpoint(loadShim(), descriptor),
  bindUdp: (endpoint) => UdpSocket.bind(loadShim(), endpoint),
  adoptUdp: (descriptor) => UdpSocket.fromFd(loadShim(), descriptor),
  answers: () => new KnownAnswers(loadShim()),
  acceptStreams,
  ownerOf: (connection) => socketOwner(loadShim(), connection),
  holdersOf: (inodes, first, signal) =>
    findHolders({ uid: Deno.uid() ?? 0, inodes, first }, signal),
  unheard: readUnheard,
  listenFlows: (address) => listenFlows(loadShim(), address),
  adoptFlows: (descriptor) => adoptFlows(loadShim(), descriptor),
  openDiag: () => openDiag(loadShim()),
} satisfies Sockets;

const packets: Packets = {
  start: (options) => Datapath.start(loadShim(), options),
};

export const resolver: Resolver = {
  reverseZones: claimedReverseZones,
  preview: ({ mode, link, server, zones, guarded, journalDir }) =>
    previewOsDns(mode, ({ backend }) => ({
      ...{ link, zones, mode, guarded },
      ifindex: 0, // There is no such link yet.
      server: server(serverNeedsPort53(backend)),
    }), { journalDir }),
};

const desktop: Desktop = {
  open: () => new BusNotices(sessionBusSockets((name) => Deno.env.get(name), Deno.uid() ?? 0)),
};

const clocks: Clocks = { read: readClocks };

export const machine: Machine = { routing, sockets, packets, resolver, desktop, clocks };
