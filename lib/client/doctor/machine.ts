/**
 * What this machine is like: rights, devices, links, files. Works without root; what only root can see fails, and
 * is told as unknown.
 *
 * @module
 */
import {
  type HostsSource,
  parseNsswitchHosts,
  parseResolvConf,
  RESOLV_CONF_MAGIC,
} from "../../dns/mod.ts";
import type {
  JournalFacts,
  LinkFacts,
  NetworkFacts,
  ResolvConfFacts,
  Way,
} from "../../health/mod.ts";
import { formatIp, type IpAddress } from "../../ip/mod.ts";
import { linkIndex, listAddresses, listRoutes, loadShim, type Shim } from "../../os/mod.ts";
import { codeOf } from "./ask.ts";
import { Unmeasured } from "./measure.ts";

const RESOLV_CONF = "/etc/resolv.conf";
const NSSWITCH = "/etc/nsswitch.conf";
const CAP_NET_ADMIN = 12n;
const IFF_UP = 1;

/** Tells whether this process has CAP_NET_ADMIN. */
export async function hasNetAdmin(): Promise<boolean> {
  const text = await Deno.readTextFile("/proc/self/status");
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(text) ?? [];
  if (effective === undefined) throw new Unmeasured("this kernel does not tell capabilities");
  return (BigInt(`0x${effective}`) >> CAP_NET_ADMIN & 1n) === 1n;
}

/** Opens the TUN driver and closes it again; makes no device. @returns The errno's name, or `null`. */
export async function tryTun(): Promise<string | null> {
  try {
    (await Deno.open("/dev/net/tun", { read: true, write: true })).close();
    return null;
  } catch (thrown) {
    return codeOf(thrown);
  }
}

/** Reads links, addresses and routes. @throws OsError `shim-missing` where the shim was not built. */
export function readNetwork(): NetworkFacts {
  const shim = loadShim();
  return { links: readLinks(shim), addresses: listAddresses(shim), routes: listRoutes(shim) };
}

function readLinks(shim: Shim): readonly LinkFacts[] {
  const names = Deno.readTextFileSync("/proc/self/net/dev").split("\n").slice(2)
    .flatMap((line) => /^\s*([^:]+):/.exec(line)?.[1] ?? []);
  return names.flatMap((name) => {
    try {
      const ifindex = linkIndex(shim, name);
      return [{ ifindex, name, ...readSysfs(name, ifindex) }];
    } catch {
      return []; // it went away while we looked
    }
  });
}

/** sysfs may belong to another network namespace: only a link of the same number is the same one. */
function readSysfs(name: string, ifindex: number): Pick<LinkFacts, "isUp" | "mtu"> {
  try {
    const read = (file: string) => Number(Deno.readTextFileSync(`/sys/class/net/${name}/${file}`));
    if (read("ifindex") !== ifindex) return { isUp: null, mtu: null };
    return { isUp: (read("flags") & IFF_UP) !== 0, mtu: read("mtu") };
  } catch {
    return { isUp: null, mtu: null };
  }
}

/** Asks the kernel by which link packets of a user leave for some addresses, policy rules and all. */
export async function findWays(
  targets: readonly { readonly target: IpAddress; readonly what: string }[],
  uid: number,
  signal: AbortSignal,
): Promise<readonly Way[]> {
  return await Promise.all(targets.map(async ({ target, what }) => {
    const args = ["-j", "route", "get", formatIp(target), "uid", `${uid}`];
    const { code, stdout, stderr } = await new Deno.Command("ip", {
      args,
      stdin: "null",
      signal,
    }).output().catch((thrown) => {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
      throw new Unmeasured("there is no program `ip` here");
    });
    if (code === 0) return { target, what, link: readDevice(new TextDecoder().decode(stdout)) };
    const said = new TextDecoder().decode(stderr);
    if (/unreachable|No route|prohibited/i.test(said)) return { target, what, link: null };
    throw new Unmeasured(`ip ${args.join(" ")}: ${said.trim()}`);
  }));
}

function readDevice(json: string): string | null {
  const rows: unknown = JSON.parse(json);
  const row: unknown = Array.isArray(rows) ? rows[0] : null;
  const device: unknown = typeof row === "object" && row !== null ? Reflect.get(row, "dev") : null;
  return typeof device === "string" ? device : null;
}

/** Looks at resolv.conf. */
export async function readResolvConf(path = RESOLV_CONF): Promise<ResolvConfFacts> {
  const missing = (thrown: unknown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  };
  const stat = await Deno.lstat(path).catch(missing);
  const text = await Deno.readTextFile(path).catch(missing) ?? "";
  const { owner, nameservers } = parseResolvConf(text);
  const kind = stat === null
    ? "missing"
    : stat.isSymlink
    ? "symlink"
    : stat.isFile
    ? "file"
    : "other";
  return {
    path,
    kind,
    isOurs: text.startsWith(RESOLV_CONF_MAGIC),
    owner,
    nameservers,
    modifiedMs: stat?.mtime?.getTime() ?? null,
  };
}

/** Reads the `hosts` line of nsswitch.conf; `null` where there is none, as on musl. */
export async function readNssHosts(path = NSSWITCH): Promise<readonly HostsSource[] | null> {
  try {
    return parseNsswitchHosts(await Deno.readTextFile(path));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}

/** Looks whether there is something to undo, and whether a living process will. */
export async function readJournal(dir: string): Promise<JournalFacts> {
  const path = `${dir}/osdns.journal.json`;
  return {
    path,
    hasEntry: await inodeOf(path) !== null,
    isOwned: await isLocked(`${dir}/osdns.lock`),
  };
}

/** Finds a lock by its file's inode; another namespace's locks are not listed. @see proc_locks(5) */
async function isLocked(path: string): Promise<boolean | null> {
  const inode = await inodeOf(path);
  if (inode === null) return false;
  try {
    const locks = await Deno.readTextFile("/proc/locks");
    return locks.split("\n").some((line) =>
      /\bFLOCK\b/.test(line) && new RegExp(`:${inode} `).test(line)
    );
  } catch {
    return null;
  }
}

async function inodeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).ino;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}
