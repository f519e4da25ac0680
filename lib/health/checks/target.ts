/** One name a person wants to reach, from the verdict to the last refusals; only with `--name`. */
import { portAllowed, type PortRange } from "../../config/mod.ts";
import { contains, formatIp } from "../../ip/mod.ts";
import type { Facts, TargetFacts } from "../facts.ts";
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
import { describeOutcome, isAnswer } from "../outcome.ts";
import { linkTo } from "../routing.ts";
import { NOT_UP, statusOf, whenUp } from "../running.ts";

function withTarget(
  { target }: Facts,
  judge: (target: TargetFacts) => readonly Judgement[],
): readonly Judgement[] {
  return target === null ? [] : judged(target, judge);
}

const verdict: Check = {
  id: "name.verdict",
  title: "Verdict",
  severity: "error",
  dependsOn: ["auth.profile"],
  needsTarget: true,
  judge: (facts) =>
    withTarget(
      facts,
      ({ host, verdict }) =>
        judged(verdict, ({ kind, rule, reason, source, owner, claims }) => {
          const evidence = [
            seen("rule", `${rule}: ${reason}`),
            ...owner === null ? [] : [
              seen("app", `${owner.app} of ${describeCluster(owner)}`),
              seen("grant", `${describeGrant(owner)}, zone ${owner.zone}`),
            ],
            ...claims.map((claim) =>
              seen("refused", `${claim.app} of ${describeCluster(claim)}: ${claim.why}`)
            ),
            seen("from", source === "daemon" ? "the running daemon" : "what was last known"),
          ];
          const [claim] = claims;
          if (kind === "answer" && claim !== undefined) {
            return warn(`vnet answers for ${host}, which ${claim.cluster} claims as well`, {
              evidence,
              cause: `app ${claim.app} of ${
                describeCluster(claim)
              } says that the name is its own: ${claim.why}`,
              fix: advice(`Ask the administrator of ${claim.cluster} what it wants there`),
            });
          }
          if (kind === "answer") return ok(`vnet answers for ${host}`, { evidence });
          if (claim !== undefined) {
            return fail(`${host} belongs to none of your apps`, {
              evidence,
              cause: `app ${claim.app} of ${describeCluster(claim)} claims it: ${claim.why}`,
              fix: command("vnet zones ls"),
            });
          }
          if (kind === "forward") {
            return fail(`vnet does not answer for ${host}`, {
              evidence,
              cause: "no app you may use has this name",
              fix: command("vnet apps ls"),
            });
          }
          return fail(`vnet answers ${kind} for ${host}`, {
            evidence,
            fix: command(`vnet resolve ${host}`),
          });
        }),
    ),
};

function describeCluster({ cluster, proxy }: { cluster: string; proxy: string }): string {
  return cluster === proxy ? cluster : `${cluster} (${proxy})`;
}

function describeGrant(
  { grant, proxy }: { readonly grant: "own" | "txt" | "user" | "admin"; readonly proxy: string },
): string {
  switch (grant) {
    case "own":
      return `own: it lies below the login's proxy ${proxy}`;
    case "txt":
      return "txt: a TXT record on the zone names the cluster";
    case "user":
      return "user: you allowed it";
    case "admin":
      return "admin: /etc/vnet/client.yaml gives it";
    default:
      return grant satisfies never;
  }
}

const address: Check = {
  id: "name.address",
  title: "Address",
  severity: "error",
  dependsOn: ["name.verdict", "daemon.alive", "dns.zone"],
  needsTarget: true,
  judge: (facts) =>
    withTarget(facts, ({ host, system, verdict }) => {
      if (statusOf(facts) === null) return NOT_UP;
      if (verdict.kind === "unknown") return skip(verdict.reason);
      const evidence = [
        seen("vnet says", verdict.value.addresses.map(formatIp).join(" ")),
        seen("getaddrinfo", describeOutcome(system)),
      ];
      if (verdict.value.addresses.some((wanted) => isAnswer(system, wanted))) {
        return ok(`programs get ${describeOutcome(system)}`, { evidence });
      }
      return fail(`programs get ${describeOutcome(system)} for ${host}`, {
        evidence,
        cause: "the name is in /etc/hosts, or a cache still has an older answer",
        fix: command(`getent hosts ${host}; grep -n '${host}' /etc/hosts`),
      });
    }),
};

const port: Check = {
  id: "name.port",
  title: "Port",
  severity: "error",
  dependsOn: ["name.verdict"],
  needsTarget: true,
  judge: (facts) =>
    withTarget(facts, ({ host, port, app }) =>
      judged(app, (app) => {
        if (app === null) return skip(`no app is known by the name ${host}`);
        const evidence = [seen("app", `${app.name} of ${app.cluster}`)];
        const ports = renderPorts(app.ports);
        if (port === null) return ok(`${app.name} is published on ${ports}`, { evidence });
        if (portAllowed(app.ports, port)) return ok(`${port} is published`, { evidence });
        return fail(`${port} is not published`, {
          evidence,
          cause: `${app.name} is published on ${ports}`,
          fix: advice(`Use ${ports}, or ask the cluster's administrator for tcp_ports`),
        });
      })),
};

function renderPorts(ports: readonly PortRange[] | null): string {
  if (ports === null) return "any port";
  const texts = ports.map(({ first, last }) => first === last ? `${first}` : `${first}-${last}`);
  return `port ${texts.join(", ")}`;
}

const route: Check = {
  id: "name.route",
  title: "Route",
  severity: "error",
  dependsOn: ["name.verdict", "name.address", "route.effective"],
  needsTarget: true,
  judge: (facts) =>
    withTarget(facts, ({ verdict }) =>
      whenUp(facts, ({ link }) => {
        const [target] = verdict.kind === "measured" ? verdict.value.addresses : [];
        if (link === null || target === undefined) return skip("there is no address to look for");
        if (!link.ranges.some((range) => contains(range, target))) {
          return fail(`${formatIp(target)} lies in no range of ${link.name}`);
        }
        const way = wayTo(facts, target);
        if (way === undefined) return skip("the kernel's routes are not known");
        const evidence = [seen("leaves by", way ?? "no link")];
        if (way === link.name) return ok(`${formatIp(target)} leaves by ${way}`, { evidence });
        return fail(`${formatIp(target)} does not reach ${link.name}`, {
          evidence,
          cause: "a more specific route or a policy rule takes it",
          fix: command(`ip route get ${formatIp(target)}`),
        });
      })),
};

/** @returns The link, `null` for no way, `undefined` where nobody knows. */
function wayTo(
  { target, network }: Facts,
  address: Parameters<typeof linkTo>[1],
): string | null | undefined {
  const way = target?.kind === "measured" ? target.value.way : null;
  if (way?.kind === "measured") return way.value.link;
  return network.kind === "measured" ? linkTo(network.value, address) : undefined;
}

const refusals: Check = {
  id: "name.refusals",
  title: "Refusals",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  needsTarget: true,
  judge: (facts) =>
    withTarget(facts, ({ host, port }) =>
      whenUp(facts, ({ refusals }) => {
        const own = refusals.filter((refusal) =>
          refusal.name === host && (port === null || refusal.port === port)
        );
        const [last] = own;
        if (last === undefined) return ok("no connection was refused lately");
        return warn(`${own.length} refused lately; the last: ${last.message}`, {
          evidence: own.slice(0, 5).map(({ at, port, code, message }) =>
            seen(at, `port ${port}: ${message} [${code}]`)
          ),
          cause: last.message,
          fix: advice("`vnet help CODE` says what each code means"),
        });
      })),
};

/** The walk to one name. */
export const TARGET_CHECKS: readonly Check[] = [verdict, address, port, route, refusals];
