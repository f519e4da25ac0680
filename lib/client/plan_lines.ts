/**
 * What bringing vnet up would do to this machine, line by line, with nothing done.
 *
 * @module
 */
import type { UpSettings } from "../config/mod.ts";
import type { DnsMode } from "../dns/mod.ts";
import { compilePlan } from "../plan/mod.ts";
import { OsError } from "../error.ts";
import { formatIp, formatPrefix, parseIp } from "../ip/mod.ts";
import {
  claimedReverseZones,
  confinementOf,
  linkIndex,
  loadShim,
  previewOsDns,
  serverNeedsPort53,
  type Shim,
} from "../os/mod.ts";
import { AddressBook } from "./state/address_book.ts";
import { HttpClusterApi } from "./cluster/own/api.ts";
import type { Paths } from "./paths.ts";
import { ProfileStore } from "./cluster/profile.ts";
import { RangePlaces } from "./state/range_places.ts";
import { loadViews } from "./cluster/saved_views.ts";
import { Session } from "./cluster/session.ts";

const REFRESH_MS = 8_000;
const LINK_MTU = 65_535;
/** The prefix that chance chooses at the first start, as long as it has not. */
const UNCHOSEN = /\bfd00::/;
const UNCHOSEN_REVERSE = /(0\.){10}d\.f\.ip6/;
/** Where a resolver can be told a port, the DNS server takes any that is free. */
const ANY_PORT = 0;
const WITH_ANY_PORT = /(127\.0\.0\.1[:#])0\b/;

/** Says what `up` would do with these settings; asks the clusters, touches nothing. */
export async function planLines(
  paths: Paths,
  settings: UpSettings,
  journalDir: string,
): Promise<readonly string[]> {
  const range = settings.cidr;
  const saved = await loadViews(paths.stateDir);
  const profiles = await new ProfileStore(paths.configDir).list();
  const sources = await Promise.all(profiles.map(async (profile) => {
    const api = new HttpClusterApi(profile);
    const session = new Session({ profile, api, nowMs: () => Date.now() });
    const known = saved.get(session.name);
    if (known !== undefined) session.restore(known);
    await session.refresh(0, AbortSignal.timeout(REFRESH_MS));
    session.close();
    return session.source;
  }));
  const known = sources.filter((source) => source !== null);
  const shim = loadShim();
  const book = await AddressBook.open(paths.stateDir, new Uint8Array(21));
  const plan = range === null
    ? new RangePlaces(shim, book).compile(known, null).plan
    : compilePlan(known, { range });
  const [first] = plan.ranges;
  if (first === undefined) return ["nothing: no cluster could be asked"];
  const { self4, self6, prefix6 } = book.linkAddresses(first);
  const link = settings.link ?? firstFreeLink(shim);
  const ipv6 = await hasIpv6();
  const routes = [first, ...(ipv6 ? [prefix6] : []), ...plan.ranges.slice(1)];
  const lines = [
    `tun add ${link}`,
    `link set ${link} mtu ${LINK_MTU} up`,
    confinementOf(link, { forwarding: settings.containers === "allow" }),
    `address add ${formatIp(self4)}/32 dev ${link}`,
    ...(ipv6 ? [`address add ${formatIp(self6)}/128 dev ${link}`] : []),
    ...routes.map((route) => `route add ${formatPrefix(route)} dev ${link}`),
    ...await dnsLines(
      { mode: settings.dns, link },
      [...plan.zones, ...claimedReverseZones(routes)],
      journalDir,
    ),
  ];
  return lines.map((line) =>
    line.replace(UNCHOSEN, "fdxx:xxxx:xxxx::").replace(
      UNCHOSEN_REVERSE,
      `${"x.".repeat(10)}d.f.ip6`,
    )
  );
}

/** Whether a new link will have it: a kernel may lack IPv6, an administrator may switch it off. */
async function hasIpv6(): Promise<boolean> {
  const path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
  return await Deno.readTextFile(path).then((text) => text.trim() === "0", () => false);
}

/** The name the kernel will choose. */
function firstFreeLink(shim: Shim): string {
  for (let n = 0;; n++) {
    if (!hasLink(shim, `vnet${n}`)) return `vnet${n}`;
  }
}

function hasLink(shim: Shim, name: string): boolean {
  try {
    linkIndex(shim, name);
    return true;
  } catch (thrown) {
    if (thrown instanceof OsError && thrown.errno === "ENODEV") return false;
    throw thrown;
  }
}

async function dnsLines(
  settings: { readonly mode: DnsMode; readonly link: string },
  zones: readonly string[],
  journalDir: string,
): Promise<readonly string[]> {
  // The shell that guards the helper.
  const guarded = await Deno.stat("/bin/sh").then(() => true, () => false);
  const { steps } = await previewOsDns(settings.mode, (choice) => ({
    link: settings.link,
    ifindex: 0,
    server: serverNeedsPort53(choice.backend)
      ? { address: parseIp("127.0.53.1"), port: 53 }
      : { address: parseIp("127.0.0.1"), port: ANY_PORT },
    zones,
    mode: settings.mode,
    guarded,
  }), { journalDir });
  return steps.map((step) => step.replace(WITH_ANY_PORT, "$1PORT"));
}
