/** What a killed vnet left on this machine. `vnet doctor --fix` repairs all of it. */
import { formatIp, overlaps } from "../../ip/mod.ts";
import { advice, type Check, fail, judged, ok, REPAIR, seen, skip, warn } from "../finding.ts";
import type { Facts } from "../facts.ts";
import { statusOf } from "../running.ts";
import { RTN_UNICAST } from "../routing.ts";

const dns: Check = {
  id: "leftover.dns",
  title: "Leftover DNS settings",
  severity: "error",
  dependsOn: [],
  judge: ({ journal, resolvConf, processes }) =>
    judged(journal, ({ path, hasEntry, isOwned }) => {
      if (isOwned === true) return ok("none: a running vnet will undo what it did");
      const isMarked = resolvConf.kind === "measured" && resolvConf.value.isOurs;
      const evidence = [
        ...(hasEntry ? [seen("journal", `${path} has something to undo`)] : []),
        ...(isMarked ? [seen("found", `${resolvConf.value.path} begins with vnet's header`)] : []),
      ];
      if (evidence.length === 0) return ok("none");
      if (isOwned === null) {
        return skip("cannot tell whether a running vnet owns the journal", { evidence });
      }
      if (processes.kind === "measured" && processes.value.repairs.length > 0) {
        const advised = advice("Wait a second, then run `vnet doctor --only leftover`");
        return warn("being repaired right now", { evidence, fix: advised, blocks: true });
      }
      return fail("this machine's DNS still points to a vnet that no longer runs", {
        evidence,
        cause: "vnet was killed, and so was its guard",
        fix: REPAIR,
      });
    }),
};

const connections: Check = {
  id: "leftover.connections",
  title: "Leftover connections",
  severity: "warning",
  dependsOn: [],
  judge: (facts) => {
    if (statusOf(facts) !== null) return [];
    return judged(facts.connectionsInRange, (remotes) => {
      if (remotes.length === 0) return ok("none");
      if (isRangeTaken(facts)) return ok("none of vnet's: another network has the range");
      const count = remotes.length;
      return fail(`${count} ${count === 1 ? "connection leads" : "connections lead"} nowhere`, {
        evidence: [seen("to", [...new Set(remotes.map(formatIp))].join(" "))],
        cause: "vnet was killed; these programs wait until their own timeouts pass",
        fix: REPAIR,
      });
    });
  },
};

/**
 * Tells whether something else on this machine uses the virtual range: another network, or another user's vnet.
 * Then its connections are nobody's leftovers.
 */
export function isRangeTaken({ network, wanted }: Facts): boolean {
  if (network.kind !== "measured" || wanted.kind !== "measured") return true;
  return network.value.routes.some(({ prefix, type }) =>
    prefix.length > 0 && type === RTN_UNICAST &&
    wanted.value.ranges.some((range) => overlaps(range, prefix))
  );
}

/** Leftover DNS settings and connections. */
export const LEFTOVER_CHECKS: readonly Check[] = [dns, connections];
