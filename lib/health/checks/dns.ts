/** vnet's own DNS server: how the machine is told of it, whether it answers, and whom it asks. */
import { equalEndpoint, formatEndpoint } from "../../ip/mod.ts";
import type { DaemonFinding, DnsChoiceFacts, DnsStatus, ListenerFacts } from "../facts.ts";
import {
  advice,
  type Check,
  command,
  fail,
  judged,
  type Judgement,
  ok,
  seen,
  warn,
} from "../finding.ts";
import { describeOutcome, isAnswer } from "../outcome.ts";
import { NOT_UP, statusOf, whenUp } from "../running.ts";

const RESTART = command("sudo vnet restart");

const mode: Check = {
  id: "dns.mode",
  title: "DNS mode",
  severity: "warning",
  dependsOn: [],
  judge: (facts) => {
    const status = statusOf(facts);
    if (status === null || status.dns === null) return judged(facts.dnsChoice, judgeChoice);
    return judgeMode(status.dns, status.findings);
  },
};

/** What the daemon says against the mode is measured by the checks of the zones and resolvers. */
function judgeMode(
  { backend, why, server }: DnsStatus,
  findings: readonly DaemonFinding[],
): readonly Judgement[] {
  const evidence = [
    ...why.map((line) => seen("why", line)),
    ...findings.filter(({ code }) => code.startsWith("dns-"))
      .map(({ message }) => seen("but", message)),
    seen("server", formatEndpoint(server)),
  ];
  if (backend !== "none") return ok(backend, { evidence });
  return warn("this machine's resolver does not know the zones", {
    evidence,
    cause: "the DNS mode is none, or no DNS settings of this machine can be written",
    fix: advice(`Have your resolver ask ${formatEndpoint(server)} for the zones`),
  });
}

function judgeChoice({ backend, why, warnings }: DnsChoiceFacts): readonly Judgement[] {
  const evidence = [
    ...why.map((line) => seen("why", line)),
    ...warnings.map((line) => seen("but", line)),
  ];
  if (backend === "none") {
    return warn("vnet could not add the zones to this machine's DNS settings", {
      evidence,
      fix: advice("Make /etc/resolv.conf writable, or point your resolver at vnet by hand"),
    });
  }
  if (backend !== "resolved" || warnings.length === 0) {
    return ok(`${backend}, when vnet comes up`, { evidence });
  }
  return warn(`${backend}, when vnet comes up, but not for every program`, {
    evidence,
    fix: advice("Let /etc/resolv.conf point to systemd-resolved's stub, or `vnet up --dns direct`"),
  });
}

const listener: Check = {
  id: "dns.listener",
  title: "DNS server",
  severity: "error",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ link }) => {
      if (link === null) return NOT_UP;
      return judged(facts.listener, (found) => judgeListener(found, link.ipv4));
    }),
};

function judgeListener(
  { server, udp, tcp }: ListenerFacts,
  wanted: Parameters<typeof isAnswer>[1],
): readonly Judgement[] {
  const where = formatEndpoint(server);
  const evidence = [seen("UDP", describeOutcome(udp)), seen("TCP", describeOutcome(tcp))];
  const broken = [["UDP", udp] as const, ["TCP", tcp] as const]
    .filter(([, outcome]) => !isAnswer(outcome, wanted)).map(([transport]) => transport);
  if (broken.length === 0) return ok(`${where} answers`, { evidence });
  return fail(`${where} does not answer over ${broken.join(" and ")}`, {
    evidence,
    cause: broken.length === 2
      ? "a packet filter drops it, or the daemon is overloaded"
      : `a packet filter drops ${broken[0]} on the loopback`,
    fix: command("sudo nft list ruleset"),
    blocks: broken.includes("UDP"),
  });
}

const upstream: Check = {
  id: "dns.upstream",
  title: "Resolvers",
  severity: "error",
  dependsOn: ["daemon.alive", "route.upstream"],
  judge: (facts) =>
    whenUp(facts, ({ dns }) => {
      if (dns === null) return NOT_UP;
      if (dns.upstreams.some((upstream) => equalEndpoint(upstream, dns.server))) {
        return fail("vnet is its own upstream resolver: it would ask itself", {
          evidence: dns.upstreams.map((one) => seen("resolver", formatEndpoint(one))),
          fix: RESTART,
        });
      }
      return judged(facts.upstreams, (asked) => judgeUpstreams(asked));
    }),
};

function judgeUpstreams(
  asked: readonly { server: string; outcome: ListenerFacts["udp"]; elapsedMs: number }[],
): readonly Judgement[] {
  if (asked.length === 0) {
    return warn("there is no upstream resolver: only vnet's zones resolve", {
      cause: "this machine had no nameserver when vnet came up",
      fix: RESTART,
    });
  }
  const isWell = ({ outcome }: typeof asked[number]) =>
    outcome.kind === "addresses" ||
    (outcome.kind === "negative" && !["SERVFAIL", "REFUSED"].includes(outcome.code));
  const evidence = asked.map((one) =>
    seen(one.server, `${describeOutcome(one.outcome)} (${one.elapsedMs} ms)`)
  );
  const bad = asked.filter((one) => !isWell(one));
  if (bad.length === 0) return ok(asked.map(({ server }) => server).join(" "), { evidence });
  const names = bad.map(({ server }) => server).join(" and ");
  const detail = {
    evidence,
    cause: "it is down, or this network does not let you reach it",
    fix: command(`dig @${bad[0]?.server.replace(/:53$/, "") ?? ""} example.com`),
    blocks: false,
  };
  return bad.length === asked.length
    ? fail(`no answer from ${names}: names outside the zones do not resolve`, detail)
    : warn(`no good answer from ${names}`, detail);
}

/** Mode, server and resolvers. */
export const DNS_CHECKS: readonly Check[] = [mode, listener, upstream];
