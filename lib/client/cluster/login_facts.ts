import type { LoginFacts } from "../state/mod.ts";
import type { Clusters } from "./clusters.ts";

/** How one login stands, as a state is compiled from it. */
export function loginFacts(
  { name, profile, refusal }: Clusters["sessions"][number],
): LoginFacts {
  const { cluster, user, expiresMs } = profile;
  return {
    name,
    cluster,
    user,
    isOver: refusal !== null,
    isLocked: refusal === "access-locked",
    expiresMs,
  };
}
