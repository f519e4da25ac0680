/**
 * Namespaces of one's own as a machine: their resolver file is nobody else's, and goes with them.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { parseResolvConf, renderResolvConf } from "../../dns/mod.ts";
import { type Endpoint, equalEndpoint, parseIp } from "../../ip/mod.ts";
import { pause } from "../../wait.ts";
import type {
  OsDns,
  OsDnsApplied,
  OsDnsChange,
  OsDnsRequest,
  RootMachine,
  RootSockets,
  Upstreams,
} from "../root_machine.ts";
import type { Mounts } from "../this_machine.ts";
import { Covers } from "./covers.ts";
import { root } from "./root_machine.ts";

const LOOPBACK_IFINDEX = 1;

/** Where our DNS server listens: what a first daemon of a machine asks for. */
const SERVER: Endpoint = { address: parseIp("127.0.53.1"), port: 53 };
/** Where programs ask that find no resolver file. */
const LOCAL_RESOLVER: Endpoint = { address: parseIp("127.0.0.1"), port: 53 };

const RESOLV_CONF = "/etc/resolv.conf";

/** Services of the machine outside that answer for names before a resolver file is asked. @see nsswitch.conf(5) */
const NAME_SERVICES = ["/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"];

const RESOLV_CONF_MAX_BYTES = 65_536;

const NOTE = "Of a command of vnet run alone; everybody else has another file here";

/** How often it is looked whether somebody outside has put other files there. */
const LOOK_MS = 1_000;

/** The covers by name. */
const [OWN_FILE, NOBODY] = ["resolv.conf", "nobody"];

/**
 * The resolver file of these namespaces, which names our server in the place of the machine's, and the closed doors of
 * services that know names by themselves.
 */
export class OwnResolver {
  /** Whether the machine has a resolver file, which is ours inside. */
  readonly hasFile: boolean;
  readonly #covers: Covers;
  /** The machine's own, below ours: whoever writes into it does not replace it. */
  #below: Deno.FsFile | null = null;
  #text: string | null = null;
  /** Of our file that was put there last: each that is put there has one of its own. */
  #name = `${OWN_FILE}.0`;
  #puts = 0;
  /** What ours says. */
  #rendered = "";
  #outside: Upstreams = { upstreams: [LOCAL_RESOLVER], search: [], warnings: [] };

  /** @throws OsError `mount-failed` */
  constructor(mounts: Mounts) {
    mounts.separate();
    this.#covers = new Covers(mounts);
    this.hasFile = realPath(RESOLV_CONF) !== null;
    this.#covers.write(NOBODY, "");
    this.#covers.write(this.#name, "");
    this.#read("");
    this.look();
  }

  /** Where our server is to listen for those who read no file, or ours. */
  get server(): Endpoint {
    return this.hasFile ? SERVER : LOCAL_RESOLVER;
  }

  /** Who answers outside, by what the machine's file said last. */
  get outside(): Upstreams {
    return this.#outside;
  }

  /**
   * Puts ours back wherever the machine has another file by now.
   *
   * @returns Whether there was one, and whether it, or what was written into the last one, names others.
   * @throws OsError `mount-failed`
   */
  look(): { readonly wasReplaced: boolean; readonly namesOthers: boolean } {
    const wasReplaced = [this.#cover(), ...NAME_SERVICES.map((path) => this.#close(path))];
    return {
      wasReplaced: wasReplaced.includes(true),
      namesOthers: this.#below !== null && this.#read(readAll(this.#below)),
    };
  }

  /** @returns Whether the file that was put there last was not there. */
  #cover(): boolean {
    const target = realPath(RESOLV_CONF);
    if (target === null || this.#covers.isAt(this.#name, target)) return false;
    const old = this.#name;
    this.#name = `${OWN_FILE}.${++this.#puts}`;
    this.#covers.write(this.#name, this.#rendered);
    this.#covers.put(this.#name, target, {
      before: () => {
        const below = openOrNull(target);
        this.#below?.close();
        this.#below = below;
      },
    });
    this.#covers.drop(old);
    return true;
  }

  /** @returns Whether a service was open. */
  #close(path: string): boolean {
    const target = realPath(path);
    if (target === null || this.#covers.isAt(NOBODY, target)) return false;
    this.#covers.put(NOBODY, target, { readOnly: true });
    return true;
  }

  /** Writes ours anew when the machine's is another. A file that names nobody is one that is being written. */
  #read(text: string): boolean {
    const base = parseResolvConf(text);
    if (this.#text !== null && (text === this.#text || base.addresses.length === 0)) return false;
    this.#text = text;
    const plan = { base, server: this.server.address, keepFallback: false, note: NOTE };
    this.#rendered = renderResolvConf(plan);
    this.#covers.write(this.#name, this.#rendered);
    const named = base.addresses.map((address) => ({ address, port: 53 }));
    this.#outside = {
      upstreams: named.length > 0 ? named : [LOCAL_RESOLVER],
      search: base.search,
      warnings: [],
    };
    return true;
  }
}

/** Makes this process's namespaces a machine. @throws OsError `link-unknown` */
export function inside(resolver: OwnResolver): RootMachine {
  root.links.up(LOOPBACK_IFINDEX, 0);
  return {
    ...root,
    sockets: resolver.hasFile ? root.sockets : withoutFile(root.sockets),
    resolver: {
      ...root.resolver,
      needsPort53: () => true,
      open: () => Promise.resolve(new OwnDns(resolver)),
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
  readonly #resolver: OwnResolver;
  #hurry = new AbortController();

  constructor(resolver: OwnResolver) {
    this.#resolver = resolver;
  }

  detect(): ReturnType<OsDns["detect"]> {
    return Promise.resolve({ backend: "own", why: ["namespaces of its own"], warnings: [] });
  }

  apply(_request: OsDnsRequest): Promise<OsDnsApplied> {
    return Promise.resolve({
      ...this.#resolver.outside,
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

  async watch(onChange: (change: OsDnsChange) => void, signal: AbortSignal): Promise<void> {
    let complaint = "";
    while (!signal.aborted) {
      try {
        const { wasReplaced, namesOthers } = this.#resolver.look();
        if (wasReplaced) {
          onChange({ kind: "reapplied", why: "somebody outside has another resolver file" });
        }
        if (namesOthers) onChange({ kind: "upstreams", ...this.#resolver.outside });
      } catch (thrown) {
        const message = describeError(thrown);
        if (message !== complaint) onChange({ kind: "warning", message });
        complaint = message;
      }
      this.#hurry = new AbortController();
      await pause(LOOK_MS, AbortSignal.any([signal, this.#hurry.signal]));
    }
  }

  look(): void {
    this.#hurry.abort();
  }

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

/** @returns `null` for what cannot be read. */
function openOrNull(path: string): Deno.FsFile | null {
  try {
    return Deno.openSync(path);
  } catch {
    return null;
  }
}

function readAll(file: Deno.FsFile): string {
  file.seekSync(0, Deno.SeekMode.Start);
  const bytes = new Uint8Array(RESOLV_CONF_MAX_BYTES);
  let used = 0;
  for (;;) {
    const count = file.readSync(bytes.subarray(used));
    if (count === null || count === 0) return new TextDecoder().decode(bytes.subarray(0, used));
    used += count;
  }
}
