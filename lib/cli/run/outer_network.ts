/**
 * The rest of the network for namespaces that have none: a program of this machine carries it, if one is there.
 *
 * @module
 */
import type { Commands, Processes } from "../../os/mod.ts";
import { pause } from "../../wait.ts";

/** What somebody may wish for. */
export const OUTER_NETWORKS = ["auto", "pasta", "slirp4netns", "none"] as const;
export type OuterNetwork = (typeof OUTER_NETWORKS)[number];

/** A program that carries a network. */
type Carrier = Exclude<OuterNetwork, "auto" | "none">;

/** Whose namespaces they are: a process in them. */
interface Inside {
  readonly pid: number;
  readonly hasUser: boolean;
}

/** How long one may take to set the network up. */
const READY_MS = 10_000;
const LOOK_MS = 20;

/** It goes where it is told, forwards nothing to us, and shows nobody the services of this machine. */
const ARGS: Readonly<Record<Carrier, (inside: Inside) => readonly string[]>> = {
  pasta: ({ pid, hasUser }) => [
    ...["--config-net", "--foreground", "--quiet", "--no-map-gw"],
    ...["--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"],
    ...hasUser ? ["--userns", `/proc/${pid}/ns/user`] : ["--netns-only", "--runas", "0:0"],
    ...["--netns", `/proc/${pid}/ns/net`],
  ],
  slirp4netns: ({ pid, hasUser }) => [
    ...["--configure", "--mtu=65520", "--disable-host-loopback"],
    ...hasUser ? [`--userns-path=/proc/${pid}/ns/user`] : [],
    ...["--netns-type=path", `/proc/${pid}/ns/net`, "tap0"],
  ],
};

/** What came of it. */
export interface Carried {
  /** The program, or `null`: only apps are reached. */
  readonly carrier: Carrier | null;
  /** What to tell the person; `null` if all is as they would expect. */
  readonly note: string | null;
  readonly pid: number | null;
}

/** Gives namespaces the rest of the network. It ends with this process. */
export async function carryOuter(
  { processes, commands }: {
    readonly processes: Processes;
    readonly commands: Pick<Commands, "find">;
  },
  wanted: OuterNetwork,
  inside: Inside,
  signal: AbortSignal,
): Promise<Carried> {
  if (wanted === "none") return { carrier: null, note: null, pid: null };
  const candidates: readonly Carrier[] = wanted === "auto" ? ["pasta", "slirp4netns"] : [wanted];
  const there = candidates.filter((name) => isThere(commands, name));
  let failed = "";
  for (const carrier of there) {
    const pid = processes.spawn({
      command: carrier,
      args: ARGS[carrier](inside),
      stdin: "null",
      stdout: "null",
      stderr: "null",
      newSession: true,
      dieWithParent: true,
    });
    if (await isUp(processes, pid, inside.pid, signal)) return { carrier, note: null, pid };
    failed = ` (${carrier} failed)`;
  }
  const missing = there.length > 0 ? "" : `: neither pasta nor slirp4netns is installed`;
  const note = `Only your apps are reachable, not the rest of the network${failed}${missing}` +
    (there.length > 0 ? "" : "; pasta is in package passt");
  return { carrier: null, note, pid: null };
}

function isThere(commands: Pick<Commands, "find">, name: string): boolean {
  try {
    commands.find(name);
    return true;
  } catch {
    return false;
  }
}

/** Waits until there is a default route. @returns False when the program ended, or took too long and was ended. */
async function isUp(
  processes: Processes,
  pid: number,
  inside: number,
  signal: AbortSignal,
): Promise<boolean> {
  let ended = false;
  void processes.wait(pid).then(() => ended = true, () => ended = true);
  const until = AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]);
  while (!ended && !until.aborted) {
    if (await hasDefaultRoute(inside)) return true;
    await pause(LOOK_MS, until);
  }
  if (!ended) Deno.kill(pid, "SIGKILL");
  return false;
}

async function hasDefaultRoute(pid: number): Promise<boolean> {
  const read = (name: string) => Deno.readTextFile(`/proc/${pid}/net/${name}`).catch(() => "");
  return leadsOut(await read("route"), await read("ipv6_route"));
}

/** Reads /proc/net/route and /proc/net/ipv6_route. @returns Whether one of them has a default route out of a link. */
export function leadsOut(route: string, route6: string): boolean {
  const isOut = (link: string | undefined) => link !== undefined && !/^(lo|vnet\d+)$/.test(link);
  return route.split("\n").slice(1).some((line) => {
    const [link, destination, , , , , , mask] = line.split(/\s+/);
    return destination === "00000000" && mask === "00000000" && isOut(link);
  }) || route6.split("\n").some((line) => {
    const words = line.trim().split(/\s+/);
    return words[0] === "0".repeat(32) && words[1] === "00" && isOut(words[9]);
  });
}
