import type { Machine } from "../../os/mod.ts";
import type { Clusters } from "../cluster/clusters.ts";
import type { Findings } from "../daemon/findings.ts";
import type { Setup } from "../setup/setup.ts";
import type { ZoneKeeper } from "../zones/keeper.ts";
import { NetworkKeeper } from "./network_keeper.ts";
import { PortalWatch } from "./portal.ts";

interface FollowOptions {
  readonly machine: Pick<Machine, "routing" | "clocks">;
  readonly setup: Pick<Setup, "ownLink" | "networkChanged">;
  readonly clusters: Pick<Clusters, "sessions" | "networkChanged">;
  readonly zones: Pick<ZoneKeeper, "check">;
  readonly findings: Findings;
  /** Compiles and applies anew. */
  readonly change: () => Promise<void>;
  readonly clockMs: number | undefined;
}

/**
 * Follows the network for a daemon until it is closed: what depends on it is asked anew. The helper looks after link,
 * routes and resolver by itself.
 */
export function followNetwork(options: FollowOptions): AsyncDisposable {
  const { machine, setup, clusters, zones, findings, change, clockMs } = options;
  const stack = new AsyncDisposableStack();
  const portal = stack.use(
    new PortalWatch({
      sessions: () => clusters.sessions,
      onFound: (finding) => findings.note(finding),
      onOver: () => findings.clear("captive-portal"),
    }),
  );
  portal.begin(); // Whatever network this is, it is new to us.
  stack.use(
    new NetworkKeeper({
      machine,
      ownIfindex: () => setup.ownLink?.ifindex ?? null,
      onChange: () => {
        setup.networkChanged();
        clusters.networkChanged();
        portal.begin();
        void zones.check("all");
        void change();
      },
      ...(clockMs === undefined ? {} : { clockMs }),
    }),
  );
  return stack;
}
