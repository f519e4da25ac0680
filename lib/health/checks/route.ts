/** Where packets really go. */
import { contains, equalPrefix, formatIp, formatPrefix, type IpAddress } from "../../ip/mod.ts";
import type { Facts, LinkStatus, Way } from "../facts.ts";
import {
  advice,
  type Check,
  command,
  fail,
  judged,
  type Judgement,
  ok,
  seen,
  skip,
  warn,
} from "../finding.ts";
import { linkTo } from "../routing.ts";
import { NOT_UP, whenUp } from "../running.ts";

const RESTART = command("sudo vnet restart");

/** What the helper tells of a link whose routes or addresses somebody takes. */
const KEEPER_FINDINGS: readonly string[] = ["link-restored", "link-contested"];

const present: Check = {
  id: "route.range",
  title: "Routes",
  severity: "error",
  dependsOn: ["daemon.alive", "tun.link"],
  judge: (facts) =>
    whenUp(facts, ({ link, findings }) => {
      if (link === null) return NOT_UP;
      const contested = findings.find(({ code }) => code === "link-contested");
      return judged(facts.network, ({ routes, links }) => {
        const own = links.find(({ name }) => name === link.name)?.ifindex ?? -1;
        const missing = link.ranges.filter((range) =>
          !routes.some(({ prefix, ifindex }) => ifindex === own && equalPrefix(prefix, range))
        );
        const evidence = findings.filter(({ code }) => KEEPER_FINDINGS.includes(code))
          .map(({ message }) => seen("daemon says", message));
        if (missing.length === 0) {
          const texts = link.ranges.map(formatPrefix).join(" ");
          if (contested === undefined) return ok(texts, { evidence });
          return warn(`${texts}, but something keeps removing them`, {
            evidence,
            cause: "another program keeps removing addresses or routes of vnet's",
            fix: advice(contested.hint ?? "Have that program leave vnet's link alone"),
          });
        }
        return fail(`no route leads ${missing.map(formatPrefix).join(" and ")} to ${link.name}`, {
          evidence,
          cause: "another program removed it",
          fix: RESTART,
        });
      });
    }),
};

const effective: Check = {
  id: "route.effective",
  title: "Way to the apps",
  severity: "error",
  dependsOn: ["daemon.alive", "tun.link", "route.range", "addr.conflict"],
  judge: (facts) =>
    whenUp(facts, ({ link }) => {
      if (link === null) return NOT_UP;
      const ways = facts.rangeWays.kind === "measured"
        ? facts.rangeWays.value
        : computed(facts, link.ranges.map(({ address }) => address));
      if (ways === null) return judged(facts.rangeWays, () => []);
      const astray = ways.filter((way) => way.link !== link.name);
      const evidence = ways.map(describeWay);
      if (astray.length === 0) return ok(`through ${link.name}`, { evidence });
      return fail("packets to apps do not reach vnet", {
        evidence,
        cause: "a policy rule of a VPN, or a more specific route, comes first",
        fix: command("ip rule show; ip route show table all"),
      });
    }),
};

/** Without the kernel's own word, by the main tables; `null` when those are not known either. */
function computed(
  { network }: Facts,
  targets: readonly IpAddress[],
): readonly Way[] | null {
  if (network.kind !== "measured") return null;
  return targets.map((target) => ({
    target,
    what: "network address",
    link: linkTo(network.value, target),
  }));
}

const outer: Check = {
  id: "route.upstream",
  title: "Way to proxies and resolvers",
  severity: "error",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ link }) => {
      if (link === null) return NOT_UP;
      return judged(facts.outerWays, (ways) => judgeOuter(ways, link));
    }),
};

function judgeOuter(
  ways: readonly Way[],
  link: LinkStatus,
): readonly Judgement[] {
  const swallowed = ways.filter((way) => way.link === link.name);
  const evidence = ways.map(describeWay);
  if (ways.length === 0) return skip("nothing to look for");
  if (swallowed.length > 0) {
    const inRange = swallowed.some(({ target }) =>
      link.ranges.some((range) => contains(range, target))
    );
    return fail("vnet's own traffic goes into vnet", {
      evidence,
      cause: inRange ? "the address lies in the virtual range" : "a policy rule sends it there",
      fix: inRange
        ? command("vnet doctor --only addr.conflict")
        : command("ip rule show; ip route show table all"),
    });
  }
  const lost = ways.filter(({ link, target }) => link === null && target.family === 4);
  if (lost.length > 0) {
    return fail(`no route to ${lost.map(({ what }) => what).join(", ")}`, {
      evidence,
      cause: "this machine is offline, or a default route is missing",
      fix: command("ip route show"),
    });
  }
  return ok("past vnet, as it must be", { evidence });
}

function describeWay({ target, what, link }: Way) {
  return seen(what, `${formatIp(target)} ${link === null ? "has no route" : `leaves by ${link}`}`);
}

/** Routes. */
export const ROUTE_CHECKS: readonly Check[] = [present, effective, outer];
