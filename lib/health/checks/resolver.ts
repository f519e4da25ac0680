/** How the machine's programs resolve names, and whether that leads to vnet. */
import { resolveComesBeforeDns } from "../../dns/mod.ts";
import { formatEndpoint, formatIp, type IpAddress } from "../../ip/mod.ts";
import { formatMs } from "../duration.ts";
import type { DnsStatus, Facts, ResolvConfFacts, ResolvedLinkFacts, ZoneFacts } from "../facts.ts";
import {
  advice,
  type Check,
  command,
  type Evidence,
  fail,
  type Fix,
  judged,
  type Judgement,
  ok,
  seen,
  warn,
} from "../finding.ts";
import { describeOutcome, isAnswer } from "../outcome.ts";
import { NOT_UP, statusOf, whenUp } from "../running.ts";

const RESTART = command("sudo vnet restart");

/** Back ends where resolv.conf itself must name our server. */
const BY_FILE: readonly string[] = ["direct", "openresolv", "debian-resolvconf"];

/** systemd-resolved's own listeners. */
const STUBS: readonly string[] = ["127.0.0.53", "127.0.0.54"];

const nss: Check = {
  id: "dns.nss",
  title: "nsswitch.conf",
  severity: "error",
  dependsOn: [],
  judge: ({ nssHosts }) =>
    judged(nssHosts, (sources) => {
      if (sources === null) return ok("no hosts line: the C library's own order holds");
      const names = sources.map(({ service }) => service);
      const evidence = [seen("hosts", names.join(" "))];
      if (names.includes("dns") || resolveComesBeforeDns(sources)) {
        return ok("programs ask DNS", { evidence });
      }
      return fail("programs of this machine do not ask DNS for names", {
        evidence,
        cause: "the hosts line of /etc/nsswitch.conf has neither dns nor resolve",
        fix: advice('Add "dns" to the hosts line of /etc/nsswitch.conf'),
      });
    }),
};

const trample: Check = {
  id: "dns.trample",
  title: "resolv.conf",
  severity: "error",
  dependsOn: ["daemon.alive", "helper.alive"],
  judge: (facts) =>
    whenUp(facts, ({ dns }) => {
      if (dns === null) return NOT_UP;
      if (dns.backend === "resolved") {
        return judged(facts.resolvConf, (file) => judgeStub(file, facts));
      }
      if (!BY_FILE.includes(dns.backend)) return [];
      return judged(facts.resolvConf, (file) => judgeFile(file, dns, facts.nowMs));
    }),
};

/** Programs find systemd-resolved by its stub in resolv.conf, or by the C library's nss-resolve. */
function judgeStub(file: ResolvConfFacts, facts: Facts): readonly Judgement[] {
  const sources = facts.nssHosts.kind === "measured" ? facts.nssHosts.value : null;
  const [first] = file.nameservers;
  if (first !== undefined && STUBS.includes(first)) return ok(`${file.path} asks systemd-resolved`);
  if (sources !== null && resolveComesBeforeDns(sources)) {
    return ok("nsswitch.conf asks systemd-resolved");
  }
  return fail("programs do not ask systemd-resolved any more", {
    evidence: [
      seen(file.path, first === undefined ? `no nameserver (${file.kind})` : `nameserver ${first}`),
      seen("hosts", sources?.map(({ service }) => service).join(" ") ?? "not set"),
    ],
    cause: `${file.owner ?? "another program"} wrote ${file.path}${since(file, facts.nowMs)}`,
    fix: RESTART,
  });
}

function since({ modifiedMs }: ResolvConfFacts, nowMs: number): string {
  return modifiedMs === null ? "" : ` ${formatMs(nowMs - modifiedMs)} ago`;
}

function judgeFile(
  file: ResolvConfFacts,
  { server, backend }: DnsStatus,
  nowMs: number,
): readonly Judgement[] {
  const ours = formatIp(server.address);
  const [first] = file.nameservers;
  const isWhole = backend !== "direct" || file.isOurs;
  if (isWhole && first === ours) return ok(`${file.path} asks vnet first`);
  const evidence = [
    seen("wanted", `nameserver ${ours}`),
    seen("found", first === undefined ? `no nameserver (${file.kind})` : `nameserver ${first}`),
  ];
  return fail(`${file.path} was changed while vnet is up`, {
    evidence,
    cause: `${file.owner ?? "another program"} wrote it${
      since(file, nowMs)
    }, and writes it again when vnet corrects it`,
    fix: RESTART,
  });
}

const link: Check = {
  id: "dns.link",
  title: "systemd-resolved",
  severity: "error",
  dependsOn: ["daemon.alive", "helper.alive"],
  judge: (facts) =>
    whenUp(facts, ({ dns }) => {
      if (dns === null) return NOT_UP;
      if (dns.backend !== "resolved") return [];
      return judged(facts.resolvedLink, (found) => {
        if (found === "absent") return GONE;
        return found === "silent" ? HANGS : judgeLink(found, dns);
      });
    }),
};

const RESTART_RESOLVED = command("sudo systemctl restart systemd-resolved");

const GONE = fail("systemd-resolved does not run: no name resolves", {
  cause: "it was stopped, or it ended",
  fix: RESTART_RESOLVED,
});

const HANGS = fail("systemd-resolved does not answer: no name resolves", {
  cause: "it hangs, or it was suspended",
  fix: RESTART_RESOLVED,
});

/** Tells whether the zones, and with them the names of their proxies, get lost at systemd-resolved. */
export function isLinkBroken(facts: Facts): boolean {
  const dns = statusOf(facts)?.dns;
  if (dns?.backend !== "resolved" || facts.resolvedLink.kind === "unknown") return false;
  const { value } = facts.resolvedLink;
  return typeof value === "string" || wrongSettings(value, dns).length > 0;
}

function wrongSettings(
  found: ResolvedLinkFacts,
  { zones, server }: DnsStatus,
): readonly Evidence[] {
  const has = (zone: string) =>
    found.domains.some(({ name, routeOnly }) => routeOnly && name === zone);
  return [
    ...zones.filter((zone) => !has(zone)).map((zone) => seen("missing", `~${zone}`)),
    ...found.servers.some((one) => formatEndpoint(one) === formatEndpoint(server))
      ? []
      : [seen("missing", `server ${formatEndpoint(server)}`)],
    ...found.defaultRoute === true ? [seen("wrong", "DefaultRoute is yes")] : [],
    ...isOn(found.dnssec) ? [seen("wrong", `DNSSEC is ${found.dnssec}`)] : [],
    ...isOn(found.dnsOverTls) ? [seen("wrong", `DNSOverTLS is ${found.dnsOverTls}`)] : [],
  ];
}

function judgeLink(found: ResolvedLinkFacts, dns: DnsStatus): readonly Judgement[] {
  const { zones } = dns;
  const wrong = wrongSettings(found, dns);
  if (wrong.length > 0) {
    return fail("the DNS settings of vnet's link were changed", {
      evidence: wrong,
      cause: "another program changed the link's DNS, or systemd-resolved lost it",
      fix: RESTART,
    });
  }
  const rivals = found.elsewhere.filter(({ name }) => zones.includes(name));
  const [rival] = rivals;
  if (rival === undefined) return ok(zones.map((zone) => `~${zone}`).join(" "));
  return warn("another link claims the same zone, so either may answer", {
    evidence: rivals.map(({ name, link }) => seen(link, `~${name}`)),
    cause: rivalCause(rival),
    fix: takeAway(rival),
  });
}

interface Rival {
  readonly name: string;
  readonly link: string;
}

function rivalCause({ name, link }: Rival): string {
  return `systemd-resolved asks the servers of "${link}" about ${name} as well`;
}

function takeAway({ name, link }: Rival): Fix {
  return advice(`Take ~${name} off "${link}"; \`resolvectl domain\` shows who has it`);
}

function isOn(setting: string | null): boolean {
  return setting !== null && setting !== "no" && setting !== "";
}

const zone: Check = {
  id: "dns.zone",
  title: "Zone",
  severity: "error",
  dependsOn: ["daemon.alive", "dns.listener", "dns.nss", "dns.trample", "dns.link", "dns.mode"],
  isFamily: true,
  judge: (facts) =>
    whenUp(facts, (status) => {
      if (status.link === null || status.dns === null) return NOT_UP;
      const { ipv4 } = status.link;
      const { server, backend } = status.dns;
      return judged(facts.zones, (zones) =>
        zones.flatMap((zone) =>
          judgeZone({
            ...{ zone, ipv4, backend },
            server: formatIp(server.address),
            rival: rivalOf(facts.resolvedLink, zone.zone),
          })
        ));
    }),
};

interface ZoneCase {
  readonly zone: ZoneFacts;
  readonly ipv4: IpAddress;
  readonly server: string;
  readonly backend: string;
  /** Who else is asked for the zone; `null`: nobody that we know of. */
  readonly rival: Rival | null;
}

function rivalOf(link: Facts["resolvedLink"], zone: string): Rival | null {
  if (link.kind === "unknown" || typeof link.value === "string") return null;
  return link.value.elsewhere.find(({ name }) => name === zone) ?? null;
}

function judgeZone({ zone, ipv4, server, backend, rival }: ZoneCase): readonly Judgement[] {
  const { probe, system, nameservers } = zone;
  const evidence = [
    seen("asked", `${probe} A`),
    seen("getaddrinfo", describeOutcome(system)),
    ...nameservers.map((one) => seen(one.server, describeOutcome(one.outcome))),
  ];
  const detail = { of: zone.zone, evidence };
  if (!isAnswer(system, ipv4)) {
    if (rival === null) return notOurs(zone, detail, backend);
    const cause = { ...detail, cause: rivalCause(rival), fix: takeAway(rival) };
    return fail(`another resolver answers: ${describeOutcome(system)}`, cause);
  }
  const [first] = nameservers;
  if (first === undefined || isAnswer(first.outcome, ipv4)) {
    return ok("reaches vnet", detail);
  }
  return warn("some programs cannot resolve it", {
    ...detail,
    cause: `${first.server} does not know this zone: programs that read resolv.conf themselves ` +
      "(Go, musl, containers) ask it",
    fix: advice(`Use \`vnet up --dns direct\`, or put nameserver ${server} first`),
  });
}

function notOurs(
  { system }: ZoneFacts,
  detail: { readonly of: string; readonly evidence: Judgement["evidence"] & object },
  backend: string,
): readonly Judgement[] {
  if (backend === "none") {
    return warn("programs cannot resolve it", {
      ...detail,
      cause: "DNS mode is none",
      fix: advice("Have your resolver ask vnet for this zone; `vnet status` says where"),
    });
  }
  switch (system.kind) {
    case "addresses":
      return fail(`another resolver answers: ${describeOutcome(system)}`, {
        ...detail,
        cause: "another resolver is asked first, and it answers every name (a hijacked resolver)",
        fix: RESTART,
      });
    case "silent":
      return fail("programs of this machine get no answer", {
        ...detail,
        cause: "the machine's resolver asks a server that does not answer",
        fix: RESTART,
      });
    default:
      return fail(`programs get ${describeOutcome(system)}`, {
        ...detail,
        cause: "the machine's resolver does not ask vnet for this zone",
        fix: RESTART,
      });
  }
}

/** From nsswitch.conf to the zones. */
export const RESOLVER_CHECKS: readonly Check[] = [nss, trample, link, zone];
