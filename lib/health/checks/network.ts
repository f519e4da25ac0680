/** The device, its addresses, and who else uses the range. */
import {
  contains,
  equalIp,
  formatIp,
  formatPrefix,
  type IpAddress,
  isCgnat,
  type Prefix,
} from "../../ip/mod.ts";
import type { Facts, LinkStatus, NetworkFacts } from "../facts.ts";
import {
  advice,
  type Check,
  command,
  type Detail,
  fail,
  type Fix,
  judged,
  type Judgement,
  ok,
  seen,
  warn,
} from "../finding.ts";
import { findConflicts, findFreeRange } from "../routing.ts";
import { NOT_UP, statusOf, whenUp } from "../running.ts";

const RESTART = command("sudo vnet restart");

/** Finds the daemon's link among the machine's, as `[status, ifindex]`; -1 when it is not there. */
function ownLink(facts: Facts): readonly [LinkStatus | null, number] {
  const link = statusOf(facts)?.link ?? null;
  if (link === null || facts.network.kind !== "measured") return [link, -1];
  const found = facts.network.value.links.find(({ name }) => name === link.name);
  return [link, found?.ifindex ?? -1];
}

function withLink(
  facts: Facts,
  judge: (link: LinkStatus, network: NetworkFacts, ifindex: number) => readonly Judgement[],
): readonly Judgement[] {
  return whenUp(facts, () => {
    const [link, ifindex] = ownLink(facts);
    if (link === null) return NOT_UP;
    return judged(facts.network, (network) => judge(link, network, ifindex));
  });
}

const device: Check = {
  id: "tun.link",
  title: "Device",
  severity: "error",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    withLink(facts, ({ name }, { links }, ifindex) => {
      const link = links.find((link) => link.ifindex === ifindex);
      if (link === undefined) {
        return fail(`there is no device ${name}`, {
          evidence: [seen("links", links.map(({ name }) => name).join(" "))],
          cause: "it was removed, or the daemon runs in another network namespace",
          fix: RESTART,
        });
      }
      if (link.isUp === false) {
        return fail(`${name} is down`, {
          cause: "it was set down, as by `ip link set`",
          fix: command(`sudo ip link set ${name} up && sudo vnet restart`),
        });
      }
      return ok(link.mtu === null ? `${name} is there` : `${name} is up, MTU ${link.mtu}`);
    }),
};

const address: Check = {
  id: "tun.address",
  title: "Addresses of the device",
  severity: "error",
  dependsOn: ["daemon.alive", "tun.link"],
  judge: (facts) =>
    withLink(facts, (link, { addresses }, ifindex) => {
      const wanted = link.ipv6 === null ? [link.ipv4] : [link.ipv4, link.ipv6];
      const missing = wanted.filter((address) =>
        !addresses.some((present) =>
          present.ifindex === ifindex && equalIp(present.address, address)
        )
      );
      if (missing.length === 0) return ok(wanted.map(formatIp).join(" "));
      return fail(`${link.name} has lost ${missing.map(formatIp).join(" and ")}`, {
        cause: "another program manages this device, or the address was removed by hand",
        fix: RESTART,
      });
    }),
};

const ipv6: Check = {
  id: "tun.ipv6",
  title: "IPv6",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ link }) => {
      if (link === null) return NOT_UP;
      if (link.ipv6 !== null) return ok("apps have an IPv6 address too");
      return warn("apps have no IPv6 address", {
        cause: "IPv6 is switched off on this machine: IPv4 alone is used",
        fix: advice(
          "Nothing, if that is meant; else `sudo sysctl net.ipv6.conf.all.disable_ipv6=0`",
        ),
      });
    }),
};

const conflict: Check = {
  id: "addr.conflict",
  title: "Range",
  severity: "error",
  dependsOn: ["auth.profile"],
  judge: (facts) => {
    const status = statusOf(facts);
    if (status !== null && status.link === null) return NOT_UP;
    return judged(
      facts.wanted,
      ({ ranges }) => judged(facts.network, (network) => judgeRanges(facts, network, ranges)),
    );
  },
};

/** What the daemon says of its own about the range. */
const RANGE_FINDINGS: readonly string[] = ["range-moved", "range-shadowed"];

function judgeRanges(
  facts: Facts,
  network: NetworkFacts,
  ranges: readonly Prefix[],
): readonly Judgement[] {
  const [link, ifindex] = ownLink(facts);
  const texts = ranges.map(formatPrefix).join(" ");
  const conflicts = findConflicts(network, ranges, ifindex);
  const resolvers = resolversIn(facts, ranges);
  const evidence = [
    ...conflicts.map(({ kind, taken, link }) => seen(kind, `${formatPrefix(taken)} on ${link}`)),
    ...resolvers.map((address) => seen("resolver", formatIp(address))),
    ...(statusOf(facts)?.findings ?? []).filter(({ code }) => RANGE_FINDINGS.includes(code))
      .map(({ message }) => seen("daemon says", message)),
  ];
  const [first] = conflicts;
  const range = first?.range ??
    ranges.find((range) => resolvers.some((address) => contains(range, address)));
  if (range === undefined) return ok(`nothing else uses ${texts}`, { evidence });
  const others = resolvers.map((address) => ({
    address,
    length: address.family === 4 ? 32 : 128,
  }));
  const free = range.address.family === 4 ? findFreeRange(network, range, others, ifindex) : null;
  const detail = { evidence, fix: otherRange(free, link !== null), blocks: false };
  if (link === null) return judgePlanned(range, free, detail);
  if (resolvers.length === 0 && conflicts.every(({ steals }) => !steals)) {
    return warn(`a larger network contains ${formatPrefix(range)}`, {
      ...detail,
      cause: "vnet's range is the more specific one and wins: the rest of that network still works",
    });
  }
  const links = [...new Set(conflicts.map(({ link }) => link))].join(", ");
  return fail(`something else uses a part of ${formatPrefix(range)}`, {
    ...detail,
    cause: links === ""
      ? "a resolver of this machine has an address in the range"
      : `packets for some apps go to ${links} instead`,
    blocks: true,
  });
}

/** While vnet is down: what it will do when it comes up. */
function judgePlanned(
  range: Prefix,
  free: Prefix | null,
  detail: Detail,
): readonly Judgement[] {
  if (free === null) {
    return fail(`${formatPrefix(range)} is taken, and nothing else is free`, detail);
  }
  if (!isCgnat(free.address)) {
    return warn(`${formatPrefix(range)} is taken, and so is all of 100.64.0.0/10`, {
      ...detail,
      cause: `other private space, such as ${
        formatPrefix(free)
      }, is taken by root's word only: a network of yours may use it`,
    });
  }
  return warn(`${formatPrefix(range)} is taken: vnet will use ${formatPrefix(free)} instead`, {
    ...detail,
    fix: advice("Nothing; to choose a range yourself, use `vnet up --cidr`"),
  });
}

/** Nameservers of this machine that would vanish behind the range. */
function resolversIn(facts: Facts, ranges: readonly Prefix[]): readonly IpAddress[] {
  return (statusOf(facts)?.dns?.upstreams ?? []).map(({ address }) => address)
    .filter((address) => ranges.some((range) => contains(range, address)));
}

function otherRange(free: Prefix | null, isUp: boolean): Fix {
  if (free === null) return advice("Disconnect the other network: no private range is free");
  return command(`sudo vnet ${isUp ? "restart" : "up --detach"} --cidr ${formatPrefix(free)}`);
}

const full: Check = {
  id: "addr.full",
  title: "Free addresses",
  severity: "error",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ findings }) => {
      const finding = findings.find(({ code }) => code === "range-full");
      if (finding === undefined) return ok("every name has an address");
      return fail(finding.message, {
        cause: "there are more apps than addresses in the range",
        fix: advice(finding.hint ?? "Ask an administrator for a larger ipv4_cidr_range"),
        blocks: false,
      });
    }),
};

/** What a cluster wants and did not get, for want of somebody's word. */
const PRIVATE_FINDINGS: readonly string[] = ["range-unasked", "range-forbidden"];

const privateSpace: Check = {
  id: "addr.private",
  title: "Clusters' private ranges",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ findings }) => {
      const waiting = findings.filter(({ code }) => PRIVATE_FINDINGS.includes(code));
      const [first] = waiting;
      if (first === undefined) return ok("no cluster waits for a word about its range");
      return warn(
        waiting.length === 1 ? first.message : `${waiting.length} clusters wait for a word`,
        {
          evidence: waiting.map(({ code, message }) => seen(code, message)),
          cause: "other networks of yours may use that space: it takes your word, and root's",
          fix: advice(
            first.hint ?? "Run `sudo vnet restart` at a terminal: it asks whether to take it",
          ),
        },
      );
    }),
};

/** Device and addresses. */
export const NETWORK_CHECKS: readonly Check[] = [
  device,
  address,
  ipv6,
  conflict,
  full,
  privateSpace,
];
