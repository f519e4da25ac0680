/**
 * What root may do to a machine in memory: links and routes are really made there, a resolver's settings are only
 * written down, and a killed connection is one that a test reads of.
 *
 * @module
 */
import { formatPrefix, type IpAddress, type Prefix } from "../../lib/ip/mod.ts";
import type {
  Descriptor,
  Journal,
  Links,
  OsDns,
  OsDnsRequest,
  PeerSocket,
  Processes,
  RootFolders,
  RootMachine,
  RootResolver,
  RootSockets,
} from "../../lib/os/mod.ts";
import { MemoryRouting } from "./machine/routing.ts";
import { MemorySockets } from "./machine/sockets.ts";

/** A machine as its helper sees it. */
export class MemoryRoot implements RootMachine {
  readonly routing = new MemoryRouting();
  readonly sockets = new MemoryRootSockets();
  readonly links: Links = linksOf(this.routing, this.sockets);
  readonly dns = new MemoryOsDns();
  /** What every record of a link said, in order. */
  readonly recorded: string[] = [];
  readonly resolver: RootResolver = {
    reverseZones: () => [],
    preview: () => Promise.reject(new TypeError("not previewed here")),
    needsPort53: () => false,
    open: () => Promise.resolve(this.dns),
  };
  readonly journal: Journal = {
    openRecord: () => ({
      write: (_ifindex, prefixes) => void this.recorded.push(prefixes.map(formatPrefix).join(" ")),
      [Symbol.dispose]: () => {},
    }),
    endConnections: () => [],
    repair: () => Promise.resolve([]),
    forget: () => Promise.resolve([]),
  };
  readonly folders: RootFolders = { own: (path) => path, makeFor: () => {} };
  readonly processes: Processes = {
    spawn: () => {
      throw new TypeError("nothing is started here");
    },
    wait: () => Promise.reject(new TypeError("nothing is started here")),
    isRunning: () => Promise.resolve(false),
    holdsTerminal: () => Promise.resolve(false),
    harden: () => {},
    trimLog: () => Promise.resolve(false),
    keepLogs: () => Promise.resolve(),
  };

  isAuthorized(): Promise<boolean | null> {
    return Promise.resolve(null);
  }
}

/** Sockets, with a list of what was done to those of others. */
class MemoryRootSockets extends MemorySockets implements RootSockets {
  /** The prefixes whose connections were ended. */
  readonly destroyed: string[] = [];

  /** Its peer sends no descriptors here. */
  inheritPeer(descriptor: Descriptor): PeerSocket {
    const socket = this.adoptMessages(descriptor);
    return {
      peer: () => ({ pid: 1, uid: 1000, gid: 1000 }),
      send: (...message) => socket.send(...message),
      receive: async (signal) => {
        const message = await socket.receive(signal);
        return message && { bytes: message.bytes, carries: false };
      },
      guardCarried: () => Promise.reject(new TypeError("nothing is carried here")),
      close: () => socket.close(),
      [Symbol.asyncDispose]: () => socket.close(),
    };
  }

  openRaw(family: 4 | 6): number {
    return this.descriptors.add({ what: `raw ${family}` });
  }

  guard(): void {}

  override ownerOf(): null {
    return null;
  }

  programOf(): Promise<null> {
    return Promise.resolve(null);
  }

  destroyTo(prefix: Prefix): number {
    this.destroyed.push(formatPrefix(prefix));
    return 0;
  }
}

/** A resolver's settings; whatever is asked for is in force. */
class MemoryOsDns implements OsDns {
  readonly repaired: readonly string[] = [];
  /** The nameservers that no file shows. */
  hiddenServers: readonly IpAddress[] = [];
  request: OsDnsRequest | null = null;

  detect() {
    return Promise.resolve({ backend: "resolved", why: ["a test"], warnings: [] });
  }

  apply(request: OsDnsRequest) {
    this.request = request;
    const none = { why: [], warnings: [], steps: [], upstreams: [], search: [] };
    return Promise.resolve({ backend: "resolved", ...none });
  }

  revert(): Promise<readonly string[]> {
    this.request = null;
    return Promise.resolve([]);
  }

  hidden(): Promise<readonly IpAddress[]> {
    return Promise.resolve(this.hiddenServers);
  }

  watch(_onChange: unknown, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  }

  look(): void {}

  async close(): Promise<void> {
    await this.revert();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function linksOf(routing: MemoryRouting, { descriptors }: MemorySockets): Links {
  const named = (ifindex: number) => routing.linkName(ifindex);
  return {
    openTun: (wanted) => {
      const { name, ifindex } = routing.addLink(wanted.name);
      const fd = descriptors.add({ what: `tun ${name}` });
      return { fd, name, ifindex, vnetHeader: true };
    },
    up: () => {},
    down: () => {},
    delete: (ifindex) => routing.removeLink(named(ifindex)),
    confine: () => [],
    limitSources: () => {},
    addAddress: (ifindex, address, length) =>
      routing.addAddress(formatPrefix({ address, length }), named(ifindex)),
    removeAddress: () => false,
    addRoute: (ifindex, prefix) => {
      routing.addRoute(formatPrefix(prefix), named(ifindex));
      return true;
    },
    removeRoute: (ifindex, prefix) => {
      routing.removeRoute(formatPrefix(prefix), named(ifindex));
      return true;
    },
    watch: () => {
      const closed = Promise.withResolvers<void>();
      return {
        next: async (signal) => {
          const aborted = new Promise<never>((_, reject) =>
            signal?.addEventListener("abort", () => reject(signal.reason))
          );
          await Promise.race([closed.promise, aborted]);
          return false;
        },
        [Symbol.asyncDispose]: () => Promise.resolve(closed.resolve()),
      };
    },
  };
}
