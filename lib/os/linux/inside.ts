/**
 * Namespaces of one's own as a machine: their resolver file is nobody else's, and goes with them.
 *
 * @module
 */
import { parseResolvConf, renderResolvConf } from "../../dns/mod.ts";
import { type Endpoint, equalEndpoint, parseIp } from "../../ip/mod.ts";
import { untilAborted } from "../../wait.ts";
import type {
  OsDns,
  OsDnsApplied,
  OsDnsRequest,
  RootMachine,
  RootSockets,
  Upstreams,
} from "../root_machine.ts";
import type { Mounts } from "../this_machine.ts";
import { root } from "./root_machine.ts";

const LOOPBACK_IFINDEX = 1;

/** Where our DNS server listens: what a first daemon of a machine asks for. */
const SERVER: Endpoint = { address: parseIp("127.0.53.1"), port: 53 };
/** Where programs ask that find no resolver file. */
const LOCAL_RESOLVER: Endpoint = { address: parseIp("127.0.0.1"), port: 53 };

const RESOLV_CONF = "/etc/resolv.conf";

/** Services of the machine outside that answer for names before a resolver file is asked. @see nsswitch.conf(5) */
const NAME_SERVICES = ["/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"];

const NOTE = "Of a command of vnet run alone; everybody else has another file here";

/** Hidden for a moment from nobody but us, to make files that lie in no folder: it is in every root. */
const PLACE = "/dev";

/** What the machine outside has of resolvers. */
interface Outside extends Upstreams {
  /** Whether there is a resolver file, which is ours inside. */
  readonly hasFile: boolean;
}

/**
 * Puts a resolver file that names our server in the place of the machine's, and closes the doors of services that know
 * names by themselves. No file of it is anywhere else.
 *
 * @throws OsError `mount-failed`
 */
export function coverResolver(mounts: Mounts): Outside {
  mounts.separate();
  const target = realPath(RESOLV_CONF);
  const base = parseResolvConf(target === null ? "" : readText(target));
  const services = NAME_SERVICES.map(realPath).filter((path) => path !== null);
  mounts.tmpfs(PLACE);
  try {
    const plan = { base, server: SERVER.address, keepFallback: false, note: NOTE };
    Deno.writeTextFileSync(`${PLACE}/resolv.conf`, renderResolvConf(plan));
    Deno.writeTextFileSync(`${PLACE}/nobody`, "");
    if (target !== null) mounts.bind(`${PLACE}/resolv.conf`, target);
    for (const service of services) mounts.bind(`${PLACE}/nobody`, service, { readOnly: true });
  } finally {
    mounts.remove(PLACE);
  }
  const named = base.addresses.map((address) => ({ address, port: 53 }));
  const upstreams = named.length > 0 ? named : [LOCAL_RESOLVER];
  return { hasFile: target !== null, upstreams, search: base.search, warnings: [] };
}

/** Makes this process's namespaces a machine. @throws OsError `link-unknown` */
export function inside(outside: Outside): RootMachine {
  root.links.up(LOOPBACK_IFINDEX, 0);
  return {
    ...root,
    sockets: outside.hasFile ? root.sockets : withoutFile(root.sockets),
    resolver: {
      ...root.resolver,
      needsPort53: () => true,
      open: () => Promise.resolve(new OwnDns(outside)),
    },
    journal: {
      openRecord: () => ({ write: () => {}, [Symbol.dispose]: () => {} }),
      endConnections: () => [],
      repair: () => Promise.resolve([]),
      forget: () => Promise.resolve(null),
    },
  };
}

/** Programs that find no resolver file ask this machine itself. */
function withoutFile(sockets: RootSockets): RootSockets {
  const place = (endpoint: Endpoint) => equalEndpoint(endpoint, SERVER) ? LOCAL_RESOLVER : endpoint;
  return {
    ...sockets,
    listenUdp: (endpoint) => sockets.listenUdp(place(endpoint)),
    listenTcp: (endpoint) => sockets.listenTcp(place(endpoint)),
  };
}

/** The resolver inside: it asks our server from the beginning to the end. */
class OwnDns implements OsDns {
  readonly repaired = [];
  readonly #outside: Upstreams;

  constructor({ upstreams, search, warnings }: Upstreams) {
    this.#outside = { upstreams, search, warnings };
  }

  detect(): ReturnType<OsDns["detect"]> {
    return Promise.resolve({ backend: "own", why: ["namespaces of its own"], warnings: [] });
  }

  apply(_request: OsDnsRequest): Promise<OsDnsApplied> {
    return Promise.resolve({
      ...this.#outside,
      backend: "own",
      why: ["namespaces of its own"],
      steps: [],
    });
  }

  revert(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  hidden(): ReturnType<OsDns["hidden"]> {
    return Promise.resolve([]);
  }

  watch(_onChange: unknown, signal: AbortSignal): Promise<void> {
    return untilAborted(signal);
  }

  look(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** @returns `null` for what is not there, or leads nowhere. */
function realPath(path: string): string | null {
  try {
    return Deno.realPathSync(path);
  } catch {
    return null;
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
