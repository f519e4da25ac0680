/**
 * A daemon for one command: its names, addresses and connections are in namespaces of the command's own, and what it
 * connects to is reached from the network that this process is in.
 *
 * @module
 */
import { DEFAULT_UP_SETTINGS } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { ensurePrivateDirectory } from "../../io/mod.ts";
import { contains, type Prefix } from "../../ip/mod.ts";
import type { Machine, Routing } from "../../os/mod.ts";
import type { AppDialer } from "../dial.ts";
import type { OnRefused } from "../flows/flow_log.ts";
import { DaemonApps } from "../local/daemon_apps.ts";
import type { Paths } from "../paths.ts";
import { loadSettings } from "../saved_settings.ts";
import type { HelperEnd } from "../setup/helper_link.ts";
import { Daemon } from "./daemon.ts";

interface CommandDaemonOptions {
  readonly paths: Paths;
  readonly ownerUid: number;
  readonly machine: Machine;
  /** Serves the namespaces. */
  readonly helper: HelperEnd;
  /** Whether there is somebody to ask for a second factor. */
  readonly asks: boolean;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  /** Told of every connection that was refused, and why. */
  readonly onRefused: OnRefused;
}

/** Makes one, with the address range of the owner's `vnet up`. */
export async function daemonForCommand(options: CommandDaemonOptions): Promise<Daemon> {
  const { paths, machine, ownerUid } = options;
  await ensurePrivateDirectory(paths.stateDir);
  const { cidr } = await loadSettings(paths.stateDir) ?? DEFAULT_UP_SETTINGS;
  return new Daemon({
    paths,
    policy: { ownerUid, sharedWith: new Set(), containers: false },
    helper: options.helper,
    waitForLogin: false,
    transient: true,
    asks: options.asks,
    link: null,
    range: cidr,
    dnsMode: DEFAULT_UP_SETTINGS.dns,
    settings: DEFAULT_UP_SETTINGS,
    machine: { ...machine, routing: withoutVnets(machine.routing) },
    dialerOver: (own) => dialerOver(own, paths),
    onRefused: options.onRefused,
    signal: options.signal,
    nowMs: options.nowMs,
  });
}

/** Connections by the owner's daemon while one runs, whose rights they share; else by sessions of this process. */
function dialerOver(own: AppDialer, { appSocket }: Paths): Pick<AppDialer, "dial"> {
  const daemon = new DaemonApps(appSocket);
  return {
    async dial(target, port, signal) {
      const { app, cluster } = target;
      try {
        return (await daemon.open({ name: app, cluster }, port, signal)).flow;
      } catch (thrown) {
        if (!isNotServed(thrown) || signal.aborted) throw thrown;
      }
      return await own.dial(target, port, signal);
    },
  };
}

/** There is no daemon, it hangs, or it does not know the app yet: this process may know it all the same. */
const NOT_SERVED = ["daemon-not-running", "daemon-stuck", "starting", "app-unknown"];

function isNotServed(thrown: unknown): boolean {
  return !(thrown instanceof VnetError) || NOT_SERVED.includes(thrown.code);
}

/** Numbers of links out here mean nothing inside. */
const OUTSIDE = 1_000_000;

/**
 * The network that this process is in, as what may be in the way inside: other vnets' links are not, and the same
 * addresses serve there.
 */
export function withoutVnets(routing: Routing): Routing {
  const isVnets = (ifindex: number) => {
    try {
      return ifindex !== 0 && /^vnet\d+$/.test(routing.linkName(ifindex));
    } catch {
      return false; // It is gone meanwhile.
    }
  };
  const moved = <T extends { readonly ifindex: number }>(things: readonly T[]): readonly T[] =>
    things.filter(({ ifindex }) => !isVnets(ifindex))
      .map((thing) => ({ ...thing, ifindex: thing.ifindex + OUTSIDE }));
  const theirs = (): readonly Prefix[] =>
    routing.routes().filter(({ ifindex }) => isVnets(ifindex)).map(({ prefix }) => prefix);
  return {
    ...routing,
    routes: () => moved(routing.routes()),
    addresses: () => moved(routing.addresses()),
    occupants: () => {
      const ranges = theirs();
      return routing.occupants().filter(({ address }) =>
        !ranges.some((range) => contains(range, address))
      );
    },
  };
}
