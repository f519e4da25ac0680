/**
 * The rest of the network for namespaces that have none: a program of this machine carries it, if one is there.
 *
 * @module
 */
import type { Commands, Processes } from "../../os/mod.ts";
import { pause } from "../../wait.ts";

/** Programs that carry a network, the better first. */
const CARRIERS = ["pasta", "slirp4netns"] as const;
type Carrier = (typeof CARRIERS)[number];

/** What somebody may wish for. */
export type OuterNetwork = "auto" | Carrier | "none";

/** Where distributions have them. */
const PACKAGES: Readonly<Record<Carrier, string>> = { pasta: "passt", slirp4netns: "slirp4netns" };

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

/**
 * Gives namespaces the rest of the network. What carries it ends with this process.
 *
 * @param stderr Where its own complaints go.
 * @returns What to tell the person; `null` if all is as they would expect.
 */
export async function carryOuter(
  { processes, commands }: {
    readonly processes: Processes;
    readonly commands: Pick<Commands, "find">;
  },
  { network, inside, stderr }: {
    readonly network: OuterNetwork;
    readonly inside: Inside;
    readonly stderr: "null" | "inherit";
  },
  signal: AbortSignal,
): Promise<string | null> {
  if (network === "none") return null;
  const candidates = network === "auto" ? CARRIERS : [network];
  const there = candidates.filter((name) => isThere(commands, name));
  for (const carrier of there) {
    const pid = processes.spawn({
      command: carrier,
      args: ARGS[carrier](inside),
      stdin: "null",
      stdout: "null",
      stderr,
      newSession: true,
      dieWithParent: true,
    });
    if (await isUp(processes, pid, inside.pid, signal)) return null;
  }
  return notCarried(network, there);
}

/** Says why the rest of the network is not there. @param failed The programs that are installed, and did not do it. */
export function notCarried(network: Carrier | "auto", failed: readonly Carrier[]): string {
  const left = "Only your apps are reachable, not the rest of the network";
  if (failed.length > 0) {
    return `${left}: ${failed.join(" and ")} could not set it up; ` +
      "`vnet --verbose run` shows what was said";
  }
  return network === "auto"
    ? `${left}: neither pasta nor slirp4netns is installed; pasta is in package passt`
    : `${left}: ${network} is not installed; it is in package ${PACKAGES[network]}`;
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
