/**
 * What bringing vnet up would do to this machine, line by line, with nothing done.
 *
 * @module
 */
import type { UpSettings } from "../config/mod.ts";
import type { DnsMode } from "../dns/mod.ts";
import { OsError } from "../error.ts";
import { formatIp, formatPrefix, parseIp, type Prefix } from "../ip/mod.ts";
import { type Machine, thisMachine } from "../os/mod.ts";
import { DRIVERS, openLink } from "./cluster/drivers.ts";
import { type KnownCluster, readKnown } from "./cluster/known.ts";
import { knownState } from "./known_state.ts";
import type { Paths } from "./paths.ts";
import { foreignOf } from "./setup/setup.ts";
import { askNow } from "./zones/ask_now.ts";
import { readKnowledge } from "./zones/known.ts";
import { BOOK_RANDOM_BYTES } from "./state/mod.ts";

const REFRESH_MS = 8_000;
const LINK_MTU = 65_535;
/** The prefix that chance chooses at the first start, as long as it has not. */
const UNCHOSEN = /\bfd00::/;
const UNCHOSEN_REVERSE = /(0\.){10}d\.f\.ip6/;
/** Where a resolver can be told a port, the DNS server takes any that is free. */
const ANY_PORT = 0;
const WITH_ANY_PORT = /(127\.0\.0\.1[:#])0\b/;

/** Says what `up` would do with these settings; asks the clusters and the resolver, touches nothing. */
export async function planLines(
  paths: Paths,
  settings: UpSettings,
  { journalDir, granted }: {
    readonly journalDir: string;
    /** Where root lets ranges lie beside 100.64.0.0/10; `null` if nobody knows here. */
    readonly granted: readonly Prefix[] | null;
  },
  machine: Machine = thisMachine(),
): Promise<readonly string[]> {
  const known = await Promise.all((await readKnown(paths)).map(askAnew));
  const ipv6 = await machine.routing.hasIpv6();
  const nowMs = Date.now();
  const options = {
    range: settings.cidr,
    granted,
    machine: { foreign: foreignOf(machine, null), hasIpv6: ipv6, allDns: false },
    random: new Uint8Array(BOOK_RANDOM_BYTES),
    nowMs,
  };
  const { knowledge } = await readKnowledge(paths, nowMs);
  const before = await knownState(paths, known, { ...options, zones: knowledge });
  const zones = await askNow(knowledge, before.plan.standings, nowMs);
  const { plan, link } = await knownState(paths, known, { ...options, zones });
  if (link === null) return ["nothing: no cluster could be asked"];
  const name = settings.link ?? firstFreeLink(machine);
  const routes = [link.range, ...(ipv6 ? [link.prefix6] : []), ...plan.ranges.slice(1)];
  const lines = [
    `tun add ${name}`,
    `link set ${name} mtu ${LINK_MTU} up`,
    machine.routing.confinementOf(name, { forwarding: settings.containers === "allow" }),
    `address add ${formatIp(link.self4)}/32 dev ${name}`,
    ...(ipv6 ? [`address add ${formatIp(link.self6)}/128 dev ${name}`] : []),
    `filter ${name} source ${routes.map(formatPrefix).join(" ")}`,
    ...routes.map((route) => `route add ${formatPrefix(route)} dev ${name}`),
    ...await dnsLines(machine, {
      mode: settings.dns,
      link: name,
      zones: [...plan.zones, ...machine.resolver.reverseZones(routes)],
      journalDir,
    }),
  ];
  return lines.map((line) =>
    line.replace(UNCHOSEN, "fdxx:xxxx:xxxx::").replace(
      UNCHOSEN_REVERSE,
      `${"x.".repeat(10)}d.f.ip6`,
    )
  );
}

/** What the cluster says now; what it said last where it cannot be asked. */
async function askAnew(known: KnownCluster): Promise<KnownCluster> {
  const link = openLink(DRIVERS, known.profile);
  try {
    return { ...known, view: await link.view(AbortSignal.timeout(REFRESH_MS)) };
  } catch {
    return known;
  } finally {
    await link.close();
  }
}

/** The name the kernel will choose. */
function firstFreeLink(machine: Machine): string {
  for (let n = 0;; n++) {
    if (!hasLink(machine, `vnet${n}`)) return `vnet${n}`;
  }
}

function hasLink(machine: Machine, name: string): boolean {
  try {
    machine.routing.linkIndex(name);
    return true;
  } catch (thrown) {
    if (thrown instanceof OsError && thrown.errno === "ENODEV") return false;
    throw thrown;
  }
}

async function dnsLines(
  machine: Machine,
  settings: {
    readonly mode: DnsMode;
    readonly link: string;
    readonly zones: readonly string[];
    readonly journalDir: string;
  },
): Promise<readonly string[]> {
  const { steps } = await machine.resolver.preview({
    ...settings,
    server: (needsPort53) =>
      needsPort53
        ? { address: parseIp("127.0.53.1"), port: 53 }
        : { address: parseIp("127.0.0.1"), port: ANY_PORT },
    // The shell that guards the helper.
    guarded: await Deno.stat("/bin/sh").then(() => true, () => false),
  });
  return steps.map((step) => step.replace(WITH_ANY_PORT, "$1PORT"));
}
