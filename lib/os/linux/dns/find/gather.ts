/**
 * Looks at the host: the facts `detect` decides over. Nothing it makes stays.
 *
 * @module
 */
import { basename, dirname } from "node:path/posix";
import { parseNsswitchHosts, parseResolvConf } from "../../../../dns/mod.ts";
import { Dbus } from "../../dbus/dbus.ts";
import { DbusError } from "../../dbus/error.ts";
import { errnoOf } from "../../errno.ts";
import type { Facts, ResolvConfFacts } from "./detect.ts";
import type { Place } from "../backend/backend.ts";
import { run } from "./program.ts";
import { isOurs, originalText, readState } from "../backend/takeover.ts";
import { NETWORK_MANAGER, RESOLVED } from "../../dbus/names.ts";
import type { Paths } from "./paths.ts";
import type { DirectEntry } from "../undo/journal.ts";

const HEAD_BYTES = 4_096;
const BUS_TIMEOUT_MS = 1_000;
/** The bus may have to start resolved first. */
const START_TIMEOUT_MS = 2_000;
const VERSION_TIMEOUT_MS = 2_000;

/** Gathers every fact; what cannot be learnt is `null`. */
export async function gather(
  place: Pick<Place, "paths" | "disk">,
  taken: DirectEntry | null = null,
): Promise<Facts> {
  const { paths } = place;
  // The bus goes first: asking for resolved may start it, and it writes its files before it answers.
  const onBus = await gatherBus(paths.busSocket);
  return {
    ...onBus,
    resolvConf: await gatherResolvConf(place, taken),
    nssHosts: parseNsswitchHosts(await Deno.readTextFile(paths.nsswitch).catch(() => "")),
    libc: await gatherLibc(paths),
    resolvconf: (await findResolvconf(paths.programs))?.flavour ?? null,
  };
}

type BusFacts = Pick<Facts, "hasBus" | "resolved" | "networkManager">;

async function gatherBus(socket: string): Promise<BusFacts> {
  try {
    await using bus = await Dbus.connect({ socket, timeoutMs: BUS_TIMEOUT_MS });
    return {
      hasBus: true,
      resolved: await gatherResolved(bus),
      networkManager: await gatherNetworkManager(bus),
    };
  } catch {
    return { hasBus: false, resolved: null, networkManager: null };
  }
}

async function gatherResolved(bus: Dbus): Promise<Facts["resolved"]> {
  const isThere = await bus.hasOwner(RESOLVED.destination) ||
    (await bus.activatable()).includes(RESOLVED.destination);
  if (!isThere) return null;
  try {
    const mode = await bus.property({ ...RESOLVED, property: "ResolvConfMode" }, START_TIMEOUT_MS);
    return { resolvConfMode: String(mode) };
  } catch (error) {
    // Before systemd 247 it has no such property. No answer at all: it cannot be started.
    return error instanceof DbusError && error.isUnknown ? { resolvConfMode: "unknown" } : null;
  }
}

async function gatherNetworkManager(bus: Dbus): Promise<Facts["networkManager"]> {
  if (!await bus.hasOwner(NETWORK_MANAGER.destination)) return null;
  try {
    return {
      dnsMode: String(await bus.property({ ...NETWORK_MANAGER, property: "Mode" }, BUS_TIMEOUT_MS)),
      rcManager: String(
        await bus.property({ ...NETWORK_MANAGER, property: "RcManager" }, BUS_TIMEOUT_MS),
      ),
    };
  } catch {
    return { dnsMode: "unknown", rcManager: "unknown" };
  }
}

/**
 * Looks at /etc/resolv.conf and tries whether it could be replaced.
 *
 * @param taken The takeover in force, if any: what lay there before is described, not our own file.
 */
async function gatherResolvConf(
  place: Pick<Place, "paths" | "disk">,
  taken: DirectEntry | null,
): Promise<ResolvConfFacts> {
  const { paths } = place;
  const state = await readState(paths.resolvConf);
  const isTaken = taken !== null && isOurs(state, taken);
  const text = isTaken
    ? await originalText(taken)
    : await Deno.readTextFile(paths.resolvConf).catch(() => "");
  const { owner, nameservers } = parseResolvConf(text);
  const kind = isTaken ? taken.original.kind : state.kind;
  const isMount = state.kind === "file" && await isMountPoint(paths.resolvConf, paths.mountinfo);
  return {
    kind,
    link: isTaken ? linkOf(taken.original) : linkOf(state),
    owner,
    nameservers,
    isMountPoint: isMount,
    writeErrno: await probeWrite(place, state.kind, isMount),
  };
}

function linkOf(found: { readonly kind: string; readonly target?: string }): string | null {
  return found.target ?? null;
}

/** Really opens what would have to be written; an immutable file shows itself only then. */
async function probeWrite(
  place: Pick<Place, "paths" | "disk">,
  kind: ResolvConfFacts["kind"],
  isMount: boolean,
): Promise<string | null> {
  const { resolvConf } = place.paths;
  let errno: string | null = null;
  try {
    if (kind === "file") (await Deno.open(resolvConf, { read: true, write: true })).close();
    if (!isMount) errno = await place.disk.probe(resolvConf);
  } catch (error) {
    errno = errnoOf(error);
  }
  // A user may look; whoever writes is root.
  const isForRoot = Deno.uid() !== 0 && (errno === "EACCES" || errno === "EPERM");
  return isForRoot ? null : errno;
}

/** Says whether something is mounted right at a path. @see proc(5), mountinfo: field 5, octal escapes */
export async function isMountPoint(path: string, mountinfo: string): Promise<boolean> {
  try {
    const real = `${await Deno.realPath(dirname(path))}/${basename(path)}`;
    const text = await Deno.readTextFile(mountinfo);
    return text.split("\n").some((line) => unescapeOctal(line.split(" ")[4] ?? "") === real);
  } catch {
    return false;
  }
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));
}

/** The libc of the host's programs, by its loader. */
async function gatherLibc(paths: Pick<Paths, "libraries" | "shell">): Promise<Facts["libc"]> {
  const names: string[] = [];
  for (const directory of paths.libraries) {
    try {
      for await (const { name } of Deno.readDir(directory)) names.push(name);
    } catch {
      continue; // not every host has every directory
    }
  }
  const hasGlibc = names.some((name) => /^ld-linux|^ld64\.so/.test(name));
  const hasMusl = names.some((name) => name.startsWith("ld-musl-"));
  if (!hasGlibc) return hasMusl ? "musl" : "unknown";
  if (!hasMusl) return "glibc";
  // As on Alpine with a glibc beside its own libc for a few programs, ours among them.
  return await asksForMusl(paths.shell) ? "musl" : "both";
}

/** Says whether a program is to be loaded by musl. @see elf(5), PT_INTERP, which lies close to the beginning */
async function asksForMusl(program: string): Promise<boolean> {
  try {
    using file = await Deno.open(program);
    const bytes = new Uint8Array(HEAD_BYTES);
    const size = await file.read(bytes) ?? 0;
    return new TextDecoder("latin1").decode(bytes.subarray(0, size)).includes("/ld-musl-");
  } catch {
    return false;
  }
}

/** The program resolvconf, and whose it is. */
interface Resolvconf {
  readonly program: string;
  readonly flavour: "openresolv" | "debian" | "resolvectl";
}

/** Finds the program resolvconf. @returns `null` when there is none */
export async function findResolvconf(directories: readonly string[]): Promise<Resolvconf | null> {
  for (const directory of directories) {
    const program = `${directory}/resolvconf`;
    try {
      if ((await Deno.realPath(program)).endsWith("/resolvectl")) {
        return { program, flavour: "resolvectl" };
      }
      const { status, stdout } = await run(program, ["--version"], {
        timeoutMs: VERSION_TIMEOUT_MS,
      });
      // Debian's says its name; its older versions refuse the option with 99.
      const isDebian = stdout.startsWith("Debian") || status === 99;
      return { program, flavour: isDebian ? "debian" : "openresolv" };
    } catch {
      continue;
    }
  }
  return null;
}
