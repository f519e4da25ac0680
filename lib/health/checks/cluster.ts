/** The logins, and the proxies they are good for. */
import { contains, formatIp } from "../../ip/mod.ts";
import { formatMs } from "../duration.ts";
import type { Facts, Outcome, ProfileFacts, ProxyFacts } from "../facts.ts";
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
import { isLinkBroken } from "./resolver.ts";

const HOUR_MS = 3_600_000;
/** Certificates are judged by this clock; the cluster allows itself a minute. */
const CLOCK_LIMIT_MS = 60_000;

const profileFiles: Check = {
  id: "auth.files",
  title: "Files of the logins",
  severity: "error",
  dependsOn: [],
  judge: ({ profileFiles, program }) =>
    judged(profileFiles, (files) => {
      const bad = files.filter(({ mode, uid }) =>
        (mode & 0o077) !== 0 || uid !== program.owner.uid
      );
      if (bad.length === 0) return files.length === 0 ? [] : ok("only their owner can read them");
      return fail("others can read a private key", {
        evidence: bad.map(({ path, mode, uid }) =>
          seen("file", `${path}: mode ${mode.toString(8).padStart(4, "0")}, uid ${uid}`)
        ),
        fix: command(
          `chmod 600 ${bad.map(({ path }) => `'${path}'`).join(" ")}`,
        ),
        blocks: false,
      });
    }),
};

const profile: Check = {
  id: "auth.profile",
  title: "Login",
  severity: "error",
  dependsOn: [],
  isFamily: true,
  judge: ({ profiles, nowMs }) =>
    judged(profiles, (all) =>
      all.length === 0
        ? fail("you are not logged in to any cluster", {
          fix: command("vnet login HOST --user NAME"),
        })
        : all.flatMap((one) => judgeProfile(one, nowMs, all))),
};

function judgeProfile(
  { name, cluster, user, expiresMs }: ProfileFacts,
  nowMs: number,
  all: readonly ProfileFacts[],
): readonly Judgement[] {
  const leftMs = expiresMs - nowMs;
  const fix = command(`vnet login --proxy ${name} --user ${user}`);
  const detail = { of: name, evidence: [seen("login", `${user} in cluster ${cluster}`)], fix };
  if (leftMs <= 0) {
    // The names of the other logins work all the same.
    const blocks = all.every((other) => other.expiresMs <= nowMs);
    return fail(`the login ended ${formatMs(-leftMs)} ago`, { ...detail, blocks });
  }
  if (leftMs < HOUR_MS) return warn(`the login ends in ${formatMs(leftMs)}`, detail);
  return ok(`good for ${formatMs(leftMs)}`, { of: name, evidence: detail.evidence });
}

const proxy: Check = {
  id: "net.proxy",
  title: "Proxy",
  severity: "error",
  dependsOn: ["leftover.dns"],
  isFamily: true,
  judge: (facts) =>
    facts.proxies.kind === "measured"
      ? facts.proxies.value.flatMap((one) => judgeProxy(one, facts))
      : judged(facts.proxies, () => []),
};

function judgeProxy(proxy: ProxyFacts, facts: Facts): readonly Judgement[] {
  const { profile, addresses, reached } = proxy;
  const evidence = [seen("addresses", describeAddresses(addresses))];
  if (reached.way !== undefined) evidence.push(seen("way", reached.way));
  const session = facts.daemon.kind === "measured" && facts.daemon.value.kind === "running"
    ? facts.daemon.value.status.sessions.find((session) => session.profile === profile)
    : undefined;
  if (session?.error != null) evidence.push(seen("daemon says", session.error));
  if (isVirtual(addresses, facts)) {
    return fail("the proxy's own name resolves into the virtual range", {
      of: profile,
      evidence,
      cause: "the proxy's name must keep its public address, or nothing can reach it",
      fix: advice("Ask the cluster's administrator to list this name under proxy public_addr"),
      blocks: false,
    });
  }
  if (reached.kind === "failed" && addresses.kind !== "addresses" && isLinkBroken(facts)) {
    // It lies on the apex of a zone, so systemd-resolved asks vnet about it, too.
    return skip("its name does not resolve because of dns.link", { of: profile, evidence });
  }
  if (reached.kind === "failed") {
    return fail(reached.message, {
      of: profile,
      evidence: [seen("code", reached.code), ...evidence],
      cause: causeOf(reached.code, addresses),
      fix: command(fixOf(reached.code, profile)),
    });
  }
  return ok(`answers in ${reached.elapsedMs} ms`, { of: profile, evidence });
}

function fixOf(code: string, profile: string): string {
  if (code === "http-proxy-untrusted") return `vnet login --proxy ${profile} --ca-file FILE`;
  if (code.startsWith("http-proxy-")) {
    return `HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT vnet login --proxy ${profile}`;
  }
  return `curl -v https://${profile}/webapi/ping`;
}

function isVirtual(addresses: Outcome, { wanted }: Facts): boolean {
  if (addresses.kind !== "addresses" || wanted.kind !== "measured") return false;
  return addresses.addresses.some((address) =>
    wanted.value.ranges.some((range) => contains(range, address))
  );
}

function causeOf(code: string, addresses: Outcome): string {
  switch (code) {
    // Who resolves the name then is the HTTP proxy
    case "http-proxy-unreachable":
      return "the HTTP proxy that the login went through cannot be reached: it is down, or this is another network";
    case "http-proxy-untrusted":
      return "the certificate of the HTTP proxy on the way is not valid";
    case "http-proxy-denied":
      return "the HTTP proxy on the way rejected the user name or password";
    case "http-proxy-refused":
      return "the HTTP proxy on the way refused to connect there";
  }
  if (addresses.kind !== "addresses") return "its name does not resolve";
  switch (code) {
    case "proxy-untrusted":
      return "the certificate that is shown there is not valid: its authority, its names or its dates";
    case "ca-pin-mismatch":
      return "another server answers at this address, or the cluster has a new certificate authority";
    case "proxy-timeout":
      return "nothing answers: the proxy is down, or a firewall drops the packets";
    default:
      return "nothing listens on that port, or a firewall rejects the connection";
  }
}

function describeAddresses(outcome: Outcome): string {
  switch (outcome.kind) {
    case "addresses":
      return outcome.addresses.map(formatIp).join(" ");
    case "negative":
      return `none: ${outcome.code}`;
    case "silent":
      return `none: no answer within ${outcome.afterMs} ms`;
    case "unreachable":
      return `none: ${outcome.reason}`;
    default:
      return outcome satisfies never;
  }
}

const clock: Check = {
  id: "sys.clock",
  title: "Clock",
  severity: "error",
  dependsOn: [],
  judge: ({ proxies }) =>
    judged(proxies, (all) => {
      const skews = all.flatMap(({ profile, reached }) =>
        reached.kind === "reached" && reached.clockAheadMs !== null
          ? [{ profile, ms: reached.clockAheadMs }]
          : []
      );
      if (skews.length === 0) return [];
      const evidence = skews.map(({ profile, ms }) => seen(profile, describeSkew(ms)));
      const worst = Math.max(...skews.map(({ ms }) => Math.abs(ms)));
      if (worst <= CLOCK_LIMIT_MS) return ok("agrees with the proxy's", { evidence });
      return fail(`is ${formatMs(worst)} away from the proxy's`, {
        evidence,
        cause: "certificates seem expired or not valid yet",
        fix: command("sudo timedatectl set-ntp true"),
      });
    }),
};

function describeSkew(ms: number): string {
  if (Math.abs(ms) < 1_000) return "the same second";
  return `this clock is ${formatMs(Math.abs(ms))} ${ms > 0 ? "ahead" : "behind"}`;
}

/** Logins, proxies and the clock. */
export const CLUSTER_CHECKS: readonly Check[] = [proxy, clock, profileFiles, profile];
