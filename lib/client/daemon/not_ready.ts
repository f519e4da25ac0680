import { VnetError } from "../../error.ts";
import type { Session } from "../cluster/session.ts";

/** There are no names yet. */
export function stillStarting(): VnetError {
  return new VnetError("starting", "vnet is still starting", { hint: "Run `vnet wait`" });
}

/** Without anything known there are no addresses to begin with. */
export function nothingKnown([first]: readonly Session[]): VnetError {
  return new VnetError(
    "cluster-unreachable",
    `Nothing is known of any cluster${first?.error == null ? "" : `: ${first.error}`}`,
    { hint: "Check the network between you and the proxy, and that the login is still good" },
  );
}
